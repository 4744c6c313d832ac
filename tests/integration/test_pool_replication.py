"""Replication connections through the pooler, each with a server connection of its own; and NOTIFY."""

import signal
import subprocess
import time

import psycopg
import pytest
import wire

import cluster as clusters
from pooling import wait_for


@pytest.fixture(scope="module")
def server():
    with clusters.Cluster(settings={"wal_level": "logical", "max_replication_slots": 5}) as made:
        made.start()
        yield made


def run(*command):
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=False,
                          env=clusters.clean_env(), stdin=subprocess.DEVNULL)


def walsenders(server):
    with server.connect() as conn:
        return conn.execute("SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'walsender'").fetchone()[0]


@pytest.mark.parametrize("mode", ["transaction", "session"])
@pytest.mark.parametrize("kind", ["true", "database", "on"])
def test_identify_system(make_pool, server, mode, kind):
    pool = make_pool(server, pool_mode=mode, default_pool_size=2)
    direct = server.conninfo("postgres") + f" replication={kind}"
    through = pool.conninfo() + f" replication={kind}"
    for _ in range(4):
        theirs, ours = (run("psql", "-XAt", "-d", d, "-c", "IDENTIFY_SYSTEM") for d in (direct, through))
        assert ours.returncode == 0, ours.stderr
        # the position in the WAL moves on
        strip = [t.stdout.strip().split("|") for t in (theirs, ours)]
        assert strip[0][:2] == strip[1][:2] and strip[0][3] == strip[1][3]
        assert strip[1][3] == ("postgres" if kind == "database" else "")
    wait_for(lambda: walsenders(server) == 0)
    # nobody gets a connection that was for replication
    with pool.connect() as conn:
        assert conn.scalar("SELECT backend_type FROM pg_stat_activity WHERE pid = pg_backend_pid()") == "client backend"


def test_sql_and_replication_in_one_session(make_pool, server):
    pool = make_pool(server)
    with pool.connect(replication="database", application_name="logical", options="-c work_mem=77kB") as conn:
        assert conn.scalar("SHOW work_mem") == "77kB"
        assert conn.scalar("SELECT application_name FROM pg_stat_activity WHERE pid = pg_backend_pid()") == "logical"
        slot = conn.query('CREATE_REPLICATION_SLOT "one" TEMPORARY LOGICAL test_decoding')[0]
        assert slot[0] == "one"
        answer = conn.run(wire.query("NO SUCH COMMAND"))
        assert answer[0].sqlstate == "42601" and conn.status == "I"
        assert conn.scalar("SELECT 1") == "1"


def test_pg_receivewal(make_pool, server, tmp_path):
    pool = make_pool(server, default_pool_size=2)
    child = subprocess.Popen(["pg_receivewal", "-D", tmp_path, "--no-sync", "-d", pool.conninfo()],
                             stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=clusters.clean_env())
    try:
        with server.connect() as conn:
            wait_for(lambda: walsenders(server) == 1)
            conn.execute("CREATE TABLE IF NOT EXISTS t (x int)")
            conn.execute("INSERT INTO t SELECT generate_series(1, 100000)")
            name = conn.execute("SELECT pg_walfile_name(pg_current_wal_lsn())").fetchone()[0]
            conn.execute("SELECT pg_switch_wal()")
            wait_for((tmp_path / name).exists)
        assert (tmp_path / name).read_bytes() == (server.data / "pg_wal" / name).read_bytes()
        child.send_signal(signal.SIGINT)
        assert child.wait(60) == 0, child.stderr.read()
    finally:
        child.kill()
        child.communicate()
    wait_for(lambda: walsenders(server) == 0)


def test_pg_recvlogical(make_pool, server, tmp_path):
    """Changes arrive as they are made, others use the pool meanwhile, and the reload of it touches nothing."""
    pool = make_pool(server, default_pool_size=2)
    base = ["pg_recvlogical", "-d", pool.conninfo(), "--slot", "flow"]
    assert run(*base, "--create-slot", "-P", "test_decoding").returncode == 0
    out = tmp_path / "out"
    child = subprocess.Popen([*base, "--start", "-f", out, "-F", "0", "-s", "1"], stderr=subprocess.PIPE, text=True,
                             env=clusters.clean_env())
    try:
        with server.connect() as conn:
            conn.execute("CREATE TABLE IF NOT EXISTS flow (x int)")
            wait_for(lambda: walsenders(server) == 1)
            pool.process.send_signal(signal.SIGHUP)
            for i in range(5):
                with pool.connect() as client:
                    client.query(f"INSERT INTO flow VALUES ({i * 1111})")
            wait_for(lambda: out.exists() and "4444" in out.read_text())
        assert [f"x[integer]:{i * 1111}" in out.read_text() for i in range(5)] == [True] * 5
        child.send_signal(signal.SIGINT)
        assert child.wait(60) == 0, child.stderr.read()
    finally:
        child.kill()
        child.communicate()
    wait_for(lambda: walsenders(server) == 0)
    assert run(*base, "--drop-slot").returncode == 0


def test_a_killed_receiver_leaves_nothing(make_pool, server, tmp_path):
    pool = make_pool(server)
    child = subprocess.Popen(["pg_receivewal", "-D", tmp_path, "--no-sync", "-d", pool.conninfo()],
                             stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=clusters.clean_env())
    wait_for(lambda: walsenders(server) == 1)
    child.kill()
    child.wait()
    wait_for(lambda: walsenders(server) == 0)


def test_replication_counts_in_the_pool(make_pool, server):
    """A pool of one: a free server makes room; while the replication runs, others wait, and get theirs after."""
    pool = make_pool(server, default_pool_size=1, query_wait_timeout=60)
    with pool.connect() as conn:
        conn.scalar("SELECT 1")
        with pool.connect(replication="database") as replica:
            assert replica.query("IDENTIFY_SYSTEM")[0][3] == "postgres"
            conn.send(wire.query("SELECT 2"))
            time.sleep(0.5)
            with server.connect() as direct:
                assert direct.execute("SELECT count(*) FROM pg_stat_activity WHERE pid <> pg_backend_pid() AND"
                                      " backend_type IN ('walsender', 'client backend')").fetchone()[0] == 1
        assert conn.answer()[1].cells() == ["2"]


def test_what_the_server_refuses(make_pool, server):
    """In its own words; and it is not held against the pool."""
    with server.connect() as conn:
        conn.execute("DROP ROLE IF EXISTS plainuser")
        conn.execute("CREATE ROLE plainuser LOGIN")
    pool = make_pool(server, secrets={"postgres": "", "plainuser": ""})
    with pytest.raises(wire.Failed) as caught:
        pool.connect(user="plainuser", replication="true")
    assert caught.value.sqlstate in ("42501", "28000")
    with pytest.raises(wire.Failed) as caught:
        pool.connect(database="nowhere", replication="database")
    assert caught.value.sqlstate == "3D000"
    with pytest.raises(wire.Failed) as caught:
        pool.connect(replication="maybe")
    assert caught.value.sqlstate == "22023"
    with pool.connect(user="plainuser") as conn:
        assert conn.scalar("SELECT current_user") == "plainuser"


@pytest.mark.parametrize("mode", ["transaction", "session"])
def test_notifications(make_pool, server, mode):
    """LISTEN holds the server, so that each notification comes, to those who listen alone; UNLISTEN frees it."""
    pool = make_pool(server, pool_mode=mode, default_pool_size=4)
    listeners = [psycopg.connect(pool.conninfo(), autocommit=True) for _ in range(2)]
    for number, conn in enumerate(listeners):
        conn.execute(f"LISTEN channel{number}")
    bystander = pool.connect()
    with pool.connect() as sender:
        for i in range(50):
            sender.query(f"NOTIFY channel{i % 2}, 'n{i}'")
            assert bystander.scalar("SELECT 5") == "5"
    for number, conn in enumerate(listeners):
        got = []
        for notify in conn.notifies():
            got.append(notify.payload)
            if len(got) == 25:
                break
        assert got == [f"n{i}" for i in range(number, 50, 2)]
        conn.execute("UNLISTEN *")
    bystander.send(wire.sync())
    assert [m.kind for m in bystander.answer()] == ["Z"]
    if mode == "transaction":
        with server.connect() as direct:
            direct.execute("NOTIFY channel0")
        assert listeners[0].execute("SELECT 1").fetchone() == (1,)
    for conn in listeners:
        conn.close()
