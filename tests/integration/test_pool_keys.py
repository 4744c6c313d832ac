"""Settings of [pgbouncer] that no other test is about: each does what it says."""

import grp
import os
import re
import ssl
import stat

import pytest
import wire
from pooling import wait_for

PID = "SELECT pg_backend_pid()"


def test_ignore_startup_parameters(make_pool):
    pool = make_pool(ignore_startup_parameters="frobnicate, work_mem")
    with pool.connect(frobnicate="1", work_mem="64kB", search_path="here") as conn:
        assert conn.scalar("SHOW work_mem") != "64kB" and conn.scalar("SHOW search_path") == "here"
    with pytest.raises(wire.Failed) as caught:
        pool.connect(frobnicated="1")
    assert caught.value.sqlstate == "42704"


def test_max_packet_size(make_pool):
    pool = make_pool(max_packet_size=2000)
    with pool.connect() as conn, pool.connect() as other:
        assert conn.scalar(f"SELECT length('{'x' * 1900}')") == "1900"
        assert conn.scalar("SELECT length(repeat('x', 1900))") == "1900"
        conn.send(wire.query(f"SELECT '{'x' * 2000}'"))
        error = conn.receive()
        assert (error.kind, error.sqlstate) == ("E", "08P01")
        assert other.scalar("SELECT 1") == "1"


@pytest.mark.parametrize("on", [0, 1])
def test_log_pooler_errors(make_pool, on):
    pool = make_pool(log_pooler_errors=on, databases={"postgres": "{server}"})
    with pytest.raises(wire.Failed):
        pool.connect("nowhere")
    assert ("pooler error: no such database: nowhere" in pool.log()) == bool(on)


@pytest.mark.parametrize("on", [0, 1])
def test_log_values(make_pool, on):
    pool = make_pool(log_values=on, slow_query_ms=1)
    with pool.connect() as conn:
        conn.query("SELECT pg_sleep(0.05), 'Geheim'")
        conn.run(wire.parse("", "SELECT pg_sleep($1::float)"), wire.bind("", "", ["0.0625"]), wire.execute(), wire.sync())
    wait_for(lambda: pool.log().count("pg_sleep") >= 2)
    assert ("Geheim" in pool.log(), "0.0625" in pool.log()) == (bool(on), bool(on))


def test_server_check_query(make_pool, db):
    """It is run before a server is given to a client; <empty> is an empty one; with none nothing is run."""
    with db.connect() as direct:
        direct.execute("CREATE TABLE checked (at timestamptz DEFAULT now())")

        def count_with(query):
            pool = make_pool(server_check_query=query, server_check_delay=0, default_pool_size=1)
            with pool.connect(db.name) as conn:
                for _ in range(3):
                    assert conn.scalar("SELECT 1") == "1"
            pool.stop()
            found = direct.execute("SELECT count(*) FROM checked").fetchone()[0]
            direct.execute("TRUNCATE checked")
            return found
        assert count_with("INSERT INTO public.checked DEFAULT VALUES") >= 2
        assert count_with("<empty>") == count_with("") == 0


@pytest.mark.parametrize("on", [0, 1])
def test_server_round_robin(make_pool, on):
    pool = make_pool(server_round_robin=on, default_pool_size=3, workers=1)
    conns = [pool.connect() for _ in range(3)]
    for conn in conns:
        conn.query("BEGIN")
    for conn in conns:
        conn.query("COMMIT")
    assert len({conns[0].scalar(PID) for _ in range(6)}) == (3 if on else 1)
    for conn in conns:
        conn.close()


def test_conffile(make_pool):
    """SET conffile has RELOAD read another file."""
    pool = make_pool(default_pool_size=3)
    (pool.folder / "other.ini").write_text(pool.config.read_text().replace("default_pool_size = 3",
                                                                            "default_pool_size = 4"))
    pool.give_away()

    def size():
        return [row["value"] for row in pool.console("SHOW CONFIG") if row["key"] == "default_pool_size"]
    pool.console("RELOAD")
    assert size() == ["3"]
    pool.console(f"SET conffile = '{pool.folder / 'other.ini'}'")
    pool.console("RELOAD")
    assert size() == ["4"]


def test_unix_socket(make_pool):
    group = grp.getgrgid(os.getgid()).gr_name
    pool = make_pool(unix_socket_mode="0710", unix_socket_group=group)
    found = os.stat(pool.folder / f".s.PGSQL.{pool.port}")
    assert stat.S_ISSOCK(found.st_mode) and stat.S_IMODE(found.st_mode) == 0o710
    if not pool.account:  # another user may not give to a group that is not its own
        assert found.st_gid == os.getgid()


@pytest.mark.parametrize("settings, most, version, cipher", [
    ({"client_tls_protocols": "tlsv1.3", "client_tls13_ciphers": "TLS_CHACHA20_POLY1305_SHA256"}, None, "TLSv1.3",
     "TLS_CHACHA20_POLY1305_SHA256"),
    ({"client_tls_protocols": "tlsv1.3"}, ssl.TLSVersion.TLSv1_2, None, None),
    ({"client_tls_protocols": "tlsv1.2"}, None, "TLSv1.2", None),
    ({"client_tls_protocols": "secure", "client_tls_ciphers": "ECDHE-ECDSA-AES256-GCM-SHA384"}, ssl.TLSVersion.TLSv1_2,
     "TLSv1.2", "ECDHE-ECDSA-AES256-GCM-SHA384")])
def test_client_tls(make_pool, settings, most, version, cipher):
    pool = make_pool(tls=True, **settings)
    context = wire.tls_context()
    if most:
        context.maximum_version = most
    with wire.Raw(pool.target) as raw:
        if not version:
            with pytest.raises((ssl.SSLError, OSError)):
                raw.start_tls(context)
            return
        raw.start_tls(context)
        assert raw.sock.version() == version and cipher in (None, raw.sock.cipher()[0])
        raw.send(wire.startup())
        assert raw.receive_until("ZE")[-1].kind == "Z"


def test_what_is_taken_without_effect_is_said(make_pool):
    """PgBouncer's settings that nothing is done about, each with a warning, and the rest counts."""
    inert = {"track_extra_parameters": "IntervalStyle, search_path", "pkt_buf": 8192, "resolv_conf": "/etc/resolv.conf",
             "client_tls_dheparams": "legacy", "client_tls_ecdhcurve": "x25519", "auth_ldap_options": "x", "job_name": "x"}
    pool = make_pool(**inert, tcp_socket_buffer=65536, listen_backlog=7, tcp_defer_accept=0, syslog_facility="local3",
                     syslog_ident="till", suspend_timeout=3, profile_max=200, dns_nxdomain_ttl=7)
    with pool.connect() as conn:
        assert conn.scalar("SELECT 1") == "1"
    for name in inert:
        assert re.search(rf"{name}.*no effect", pool.log_path.read_text()), name
