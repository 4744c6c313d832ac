"""Settings that change what the pooler does with connections: each is seen to have its effect."""

import re
import shutil
import subprocess
import time

import psycopg
import pytest
import wire
from pooling import PATIENCE_S, wait_for


def test_idle_databases_and_pools_are_forgotten(make_pool, db):
    """A database made from * and a pool that nobody uses are shown no more, and are there again when asked for."""
    pool = make_pool(autodb_idle_timeout=1, pool_idle_timeout=1, server_idle_timeout=1, auth_type="scram-sha-256",
                     secrets={"ann": "secret"}, admin_users="ann",
                     databases={"*": "{server} user=postgres", "kept": "{server}"})
    admin = psycopg.connect(pool.conninfo("pgbouncer", user="ann", password="secret"), autocommit=True, prepare_threshold=None)

    def shown(what, column):
        return [row[column] for row in admin.execute(f"SHOW {what}")]

    for _ in range(2):
        with psycopg.connect(pool.conninfo(db.name, user="ann", password="secret")) as conn:
            assert conn.execute("SELECT 5").fetchone() == (5,)
        assert db.name in shown("DATABASES", 0) and db.name in shown("POOLS", 0)
        wait_for(lambda: db.name not in shown("DATABASES", 0) and db.name not in shown("POOLS", 0))
    assert "kept" in shown("DATABASES", 0)
    admin.close()


@pytest.mark.parametrize("fast", [0, 1])
def test_server_fast_close(make_pool, fast):
    """In session mode a client that rests is ended after RECONNECT; without it, it keeps its server."""
    pool = make_pool(pool_mode="session", server_fast_close=fast)
    with pool.connect() as resting, pool.connect() as busy:
        busy.query("BEGIN")
        pid = resting.scalar("SELECT pg_backend_pid()")
        pool.console("RECONNECT")
        if fast:
            resting.sock.settimeout(PATIENCE_S)
            found = resting.receive()
            assert (found.sqlstate, found.fields()["M"]) == ("57P01", "database configuration changed")
            assert busy.scalar("SELECT 1") == "1"  # its transaction goes on
            busy.send(wire.query("COMMIT"))
            assert "57P01" in [m.sqlstate for m in busy.receive_until("E")]
        else:
            time.sleep(0.5)
            assert resting.scalar("SELECT pg_backend_pid()") == pid


def test_server_reset_query_always(make_pool, cluster, db):
    """Between clients in transaction mode, too; what the pooler knows of the session is right after it."""
    db.execute("CREATE TABLE resets (at timestamptz)")
    pool = make_pool(server_reset_query_always=1, default_pool_size=1,
                     server_reset_query="INSERT INTO public.resets VALUES (now())")
    with pool.connect(db.name) as one, pool.connect(db.name) as other:
        for i in range(5):
            one.query(f"SET search_path = s{i}")
            assert other.scalar("SHOW search_path") == '"$user", public'
            assert one.scalar("SHOW search_path") == f"s{i}"
            assert other.fetch("SELECT $1::text", "x", name="s" if i == 0 else "") == [["x"]]
        other.send(wire.bind("", "s", ["y"]), wire.execute(), wire.sync())
        assert [m.cells() for m in other.answer() if m.kind == "D"] == [["y"]]
        wait_for(lambda: int(db.query("SELECT count(*) FROM resets")[0][0]) >= 20)


def test_disable_pqexec(make_pool):
    pool = make_pool(disable_pqexec=1)
    with pool.connect() as conn:
        assert conn.fetch("SELECT $1", "x") == [["x"]]
        conn.send(wire.query("SELECT 1"))
        assert [(m.sqlstate, m.fields()["M"]) for m in conn.receive_until("E")] == [("08P01", "PQexec disallowed")]


def test_scram_iterations(make_pool):
    """What a client is asked for where its secret is plain, and where it is unknown."""
    pool = make_pool(auth_type="scram-sha-256", secrets={"ann": "secret"}, scram_iterations=5432,
                     admin_users="ann")
    for user in ("ann", "nobody"):
        with wire.Raw(pool.target) as raw:
            raw.send(wire.startup(user=user))
            raw.receive()
            raw.send(wire.sasl_initial("SCRAM-SHA-256", b"n,,n=,r=abcdefghijklmnopqrst"))
            assert re.search(rb",i=5432\b", raw.receive().body)
    with psycopg.connect(pool.conninfo("pgbouncer", user="ann", password="secret"), autocommit=True):
        pass


@pytest.mark.skipif(not shutil.which("ss"), reason="ss shows the timers")
def test_tcp_settings(make_pool, cluster):
    """Keepalive and the user timeout are those of the settings: the kernel shows the timer."""
    pool = make_pool(tcp_keepidle=7777, tcp_keepcnt=3, tcp_keepintvl=5, tcp_user_timeout=60000)
    off = make_pool(tcp_keepalive=0)

    def timer(port):
        lines = subprocess.run(["ss", "-Htno", "state", "established", f"( sport = :{port} )"], capture_output=True,
                               text=True, check=True).stdout
        return re.findall(r"timer:\(keepalive,(\w+)", lines)

    with pool.connect(), off.connect():
        found = timer(pool.port)
        assert found and found[0].startswith("12")  # 129 minutes
        assert timer(off.port) == []
