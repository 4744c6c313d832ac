"""pgmend pool as it lives: reloads, timeouts, limits, and a server or a client that fails."""

import signal
import socket
import struct
import threading
import time

import pytest
import wire

from pooling import ASKS, backends, sleeps, wait_for


def reload(pool, good=True):
    seen = pool.log(100000).count("the configuration")
    pool.process.send_signal(signal.SIGHUP)
    wait_for(lambda: pool.log(100000).count("the configuration") > seen)
    line = [x for x in pool.log(100000).splitlines() if "the configuration" in x][-1]
    assert ("was reloaded" in line) == good, line
    return line


def fatal(conn):
    """The end that the pooler tells, as (SQLSTATE, text)."""
    found = conn.receive_until("E")[-1].fields()
    assert found["V"] == "FATAL"
    return found["C"], found["M"]


# Reload


def test_reload(make_pool, cluster):
    pool = make_pool(default_pool_size=1)
    conns = [pool.connect() for _ in range(3)]
    conns[0].query("BEGIN")
    conns[1].send(wire.query("SELECT 1"))
    time.sleep(0.3)
    wait_for(lambda: len(backends(cluster)) == 1)
    pool.settings["default_pool_size"] = 3
    pool.write_config()
    reload(pool)
    assert conns[1].answer()[-1].kind == "Z"
    wait_for(lambda: len(backends(cluster)) == 2)
    pool.settings["default_pool_size"] = 1
    pool.write_config()
    reload(pool)
    conns[0].query("COMMIT")
    for conn in conns:
        assert conn.scalar("SELECT 1") == "1"
    wait_for(lambda: len(backends(cluster)) == 1)


def test_reload_with_an_error(make_pool):
    """What was right in the file does not count either, and the log says where it is wrong."""
    pool = make_pool(databases={"a": "{server} dbname=postgres"}, auth_type="scram-sha-256",
                     secrets={"postgres": "old"})
    good = pool.config.read_text()
    pool.secrets["postgres"] = "new"
    pool.databases["b"] = "{server} dbname=postgres"
    pool.write_config()
    text = pool.config.read_text()
    for wrong in ("pool_sze = 5\n", "default_pool_size = 10 apples\n", "client_tls_sslmode = require\n"):
        pool.config.write_text(text + wrong)
        line = reload(pool, good=False)
        assert "pool.ini" in line and "the old one stays" in line
        with pytest.raises(wire.Failed) as caught:
            pool.connect("b")
        assert caught.value.sqlstate == "3D000"
        with wire.Raw(pool.target) as raw:
            raw.send(wire.startup("postgres", "a"))
            assert raw.receive().body[:4] == struct.pack("!i", 10)
    pool.config.write_text(good)
    reload(pool)


def test_reload_removes_and_moves_databases(make_pool, cluster, make_cluster):
    other = make_cluster()
    with other.connect() as conn:
        conn.execute("CREATE DATABASE moved")
    with cluster.connect() as conn:
        conn.execute("DROP DATABASE IF EXISTS moved")
        conn.execute("CREATE DATABASE moved")
    pool = make_pool(databases={"gone": "{server} dbname=postgres", "moved": "{server}"})
    gone, moved, busy = pool.connect("gone"), pool.connect("moved"), pool.connect("gone")
    gone.query("SELECT 1")
    busy.query("BEGIN")
    there = "SELECT setting FROM pg_settings WHERE name = 'data_directory'"
    assert moved.scalar(there) == str(cluster.data)
    del pool.databases["gone"]
    pool.databases["moved"] = f"host={other.folder} port={other.settings['port']}"
    pool.write_config()
    reload(pool)
    assert moved.scalar(there) == str(other.data)  # the very next transaction
    assert busy.scalar("SELECT 3") == "3"  # a transaction ends where it began
    busy.query("COMMIT")
    for conn in (gone, busy):
        code, text = fatal(conn)
        assert code == "3D000" and "no longer in the configuration" in text
    wait_for(lambda: not backends(cluster))
    with pytest.raises(wire.Failed):
        pool.connect("gone")
    moved.close()
    time.sleep(0.2)
    with cluster.connect() as conn:
        conn.execute("DROP DATABASE moved WITH (FORCE)")


def test_reloads_under_load(make_pool):
    pool = make_pool(default_pool_size=3)
    errors, done, stop = [], [0], threading.Event()

    def work():
        try:
            while not stop.is_set():
                with pool.connect(application_name=f"x{threading.get_ident()}") as conn:
                    for _ in range(10):
                        assert conn.scalar("SELECT 4") == "4"
                        done[0] += 1
        except Exception as error:  # pylint: disable=broad-except
            errors.append(repr(error))
    threads = [threading.Thread(target=work) for _ in range(6)]
    for thread in threads:
        thread.start()
    for i in range(40):
        pool.settings["default_pool_size"] = 1 + i % 4
        pool.settings["verbose"] = i % 2
        pool.write_config()
        pool.process.send_signal(signal.SIGHUP)
        time.sleep(0.03)
    wait_for(lambda: errors or done[0] > 100)
    stop.set()
    for thread in threads:
        thread.join(60)
    assert not errors


# Timeouts


@pytest.mark.parametrize("setting, prepare, then, code, text", [
    ("query_timeout", [], "SELECT pg_sleep(300)", "08P01", "query timeout"),
    ("idle_transaction_timeout", ["BEGIN", "SELECT 1"], None, "25P03", "idle transaction timeout"),
    ("transaction_timeout", ["BEGIN"], "SELECT pg_sleep(300)", "57P05", "transaction timeout"),
    ("client_idle_timeout", ["SELECT 1"], None, "57P01", "client_idle_timeout"),
])
def test_timeouts(make_pool, cluster, setting, prepare, then, code, text):
    pool = make_pool(**{setting: 2})  # long enough for what is not to be late
    with pool.connect() as conn, pool.connect() as other:
        for sql in prepare:
            conn.query(sql)
        started = time.monotonic()
        if then:
            conn.send(wire.query(then))
        got = fatal(conn)
        took = time.monotonic() - started
        assert got == (code, text)
        assert took > 1.8
        # whatever ran does not run on
        wait_for(lambda: not backends(cluster, "state <> 'idle'"))
        if setting != "client_idle_timeout":
            assert other.scalar("SELECT 1") == "1"


def test_a_busy_transaction_is_no_idle_one(make_pool):
    pool = make_pool(idle_transaction_timeout=2)
    with pool.connect() as conn:
        conn.query("BEGIN")
        for _ in range(6):
            time.sleep(0.4)
            conn.query("SELECT 1")
        conn.query("SELECT pg_sleep(2.5)")
        conn.query("COMMIT")


def test_query_wait_timeout(make_pool):
    pool = make_pool(default_pool_size=1, query_wait_timeout=1)
    with pool.connect() as holder, pool.connect() as conn:
        holder.query("BEGIN")
        started = time.monotonic()
        conn.send(wire.query("SELECT 1"))
        assert fatal(conn)[1].startswith("query_wait_timeout")
        assert time.monotonic() - started > 0.8
        holder.query("COMMIT")


def test_query_wait_timeout_says_why(make_pool):
    """Who waited in vain is told for what, and SHOW WAITS says it meanwhile."""
    pool = make_pool(databases={"gone": "host=/nowhere", "other": "{server} dbname=postgres"})
    with wire.Raw(pool.target) as conn, pool.connect("other") as other:
        pool.console("PAUSE other")
        conn.send(wire.startup(database="gone", user="postgres"))
        other.send(wire.query("SELECT 1"))
        why = {"gone": "the last attempt to get a server failed: cannot connect to /nowhere port 5432: No such file or directory",
               "other": "the database is paused"}
        wait_for(lambda: {row["database"]: row["holder_state"] for row in pool.console("SHOW WAITS")} == why)
        pool.console("SET query_wait_timeout = 1")
        for one, name in ((conn, "gone"), (other, "other")):
            told = wire.messages_of(one.rest(60))[-1].fields()
            assert (told["C"], told["M"], told["D"]) == ("08P01", "query_wait_timeout", why[name])


def test_query_wait_notify(make_pool):
    pool = make_pool(default_pool_size=1, query_wait_notify=1)
    with pool.connect() as holder, pool.connect() as conn:
        holder.query("BEGIN")
        conn.send(wire.query("SELECT 1"))
        told = conn.receive_until("N")[-1].fields()
        assert "being queued" in told["M"] and told["D"] == "all servers of the pool are in use: 1"
        holder.query("COMMIT")
        assert conn.answer()[-1].kind == "Z"


def test_client_login_timeout(make_pool):
    pool = make_pool(client_login_timeout=2)
    with wire.Raw(pool.target) as half, wire.Raw(pool.target) as silent, pool.connect() as conn:
        half.send(wire.startup()[:10])
        started = time.monotonic()
        half.rest()
        silent.rest()
        assert time.monotonic() - started > 1
        assert conn.scalar("SELECT 1") == "1"


def test_server_lifetime_and_idle_timeout(make_pool, cluster):
    pool = make_pool(server_lifetime=3, server_idle_timeout=0)
    with pool.connect() as conn:
        first = conn.scalar("SELECT pg_backend_pid()")
        assert conn.scalar("SELECT pg_backend_pid()") == first
        wait_for(lambda: conn.scalar("SELECT pg_backend_pid()") != first)
    pool.settings.update(server_lifetime=3600, server_idle_timeout=1)
    pool.write_config()
    reload(pool)
    with pool.connect() as conn:
        conn.query("SELECT 1")
        wait_for(lambda: not backends(cluster))
        assert conn.scalar("SELECT 1") == "1"
    pool.settings.update(server_lifetime=0)
    pool.write_config()
    reload(pool)
    with pool.connect() as conn:  # 0: each is used once
        assert len({conn.scalar("SELECT pg_backend_pid()") for _ in range(4)}) == 4


def test_server_connect_timeout(make_pool):
    """A server that takes the connection and says nothing; the client's wait has its own limit."""
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen(10)
        pool = make_pool(databases={"silent": f"host=127.0.0.1 port={silent.getsockname()[1]}"},
                         server_connect_timeout=1, query_wait_timeout=4)
        with pytest.raises(wire.Failed):
            pool.connect("silent")
        assert "connect timeout" in pool.log()


def test_server_check_delay(make_pool, cluster):
    """A connection that died while it idled is not given to a client."""
    pool = make_pool(server_check_delay=0, default_pool_size=1)
    with pool.connect() as conn:
        for _ in range(5):
            pid = conn.scalar("SELECT pg_backend_pid()")
            with cluster.connect() as direct:
                direct.execute("SELECT pg_terminate_backend(%s)", [pid])
            wait_for(lambda gone=int(pid): gone not in backends(cluster))
            assert conn.scalar("SELECT pg_backend_pid()") != pid


def test_cancel(pool, cluster):
    """A cancel request is carried out, and ends."""
    with pool.connect() as conn:
        sleeps(cluster, conn)
        assert conn.cancel() == b""
        assert [m.sqlstate for m in conn.answer() if m.kind == "E"] == ["57014"]


# Servers that fail


def test_backend_is_terminated(make_pool, cluster):
    """The client gets the server's own words, and the pool goes on."""
    pool = make_pool(default_pool_size=2)
    with pool.connect() as conn, pool.connect() as other:
        conn.query("BEGIN")
        pid = sleeps(cluster, conn)
        with cluster.connect() as direct:
            direct.execute("SELECT pg_terminate_backend(%s)", [pid])
        assert fatal(conn) == ("57P01", "terminating connection due to administrator command")
        with pytest.raises(wire.Closed):
            conn.receive()
        assert other.scalar("SELECT 1") == "1"


def test_restart_under_load(make_pool, make_cluster):
    """While PostgreSQL is away clients wait, and when it is back they are served."""
    server = make_cluster()
    pool = make_pool(server, default_pool_size=5, query_wait_timeout=60)
    conns = [pool.connect() for _ in range(20)]
    for conn in conns:
        conn.query("SELECT 1")
    for mode in ("fast", "immediate"):
        server.stop(mode)
        for conn in conns:
            conn.send(wire.query("SELECT 8"))
        time.sleep(2.5)
        attempts = server.log(100000).count("the database system is starting up")
        started = time.monotonic()
        server.start()
        for conn in conns:
            assert [m.kind for m in conn.answer()][-1] == "Z"
        took = time.monotonic() - started
        assert server.log(100000).count("the database system is starting up") - attempts < 40 * (1 + took)
        wait_for(lambda: len(backends(server)) <= 5)


def test_max_connections(make_pool, make_cluster):
    """PostgreSQL has no connection left: clients wait, and are served when there is one."""
    server = make_cluster(max_connections=8, superuser_reserved_connections=3, max_wal_senders=0)
    with server.connect() as conn:
        conn.execute("CREATE ROLE plain LOGIN")
    pool = make_pool(server, default_pool_size=20, secrets={"plain": ""}, query_wait_timeout=60)
    import psycopg
    taken = [psycopg.connect(server.conninfo("postgres") + " user=plain") for _ in range(5)]
    waiting = wire.Raw(pool.target)
    waiting.send(wire.startup("plain"))
    time.sleep(1)
    for conn in taken:
        conn.close()
    assert waiting.receive().kind == "R"
    taken = [psycopg.connect(server.conninfo("postgres") + " user=plain") for _ in range(4)]
    waiting.receive_until("Z")
    conns = [pool.connect(user="plain") for _ in range(6)]
    for conn in conns:
        conn.send(wire.query("SELECT pg_sleep(0.01)"))
    for conn in conns:
        assert conn.answer()[-1].kind == "Z"
    for conn in taken:
        conn.close()


def test_database_is_dropped(make_pool, cluster):
    with cluster.connect() as conn:
        conn.execute("CREATE DATABASE shortlived")
    pool = make_pool()
    with pool.connect("shortlived") as client:
        client.query("SELECT 1")
        with cluster.connect() as conn:
            conn.execute("DROP DATABASE shortlived WITH (FORCE)")
        wait_for(lambda: all(row["database"] != "shortlived" for row in pool.console("SHOW SERVERS")))
        client.send(wire.query("SELECT 1"))
        assert fatal(client) == ("3D000", 'database "shortlived" does not exist')
    with pytest.raises(wire.Failed) as caught:
        pool.connect("shortlived").query("SELECT 1")
    assert caught.value.sqlstate == "3D000"


# Clients that fail


@pytest.mark.parametrize("how", ["close", "reset"])
def test_a_dead_clients_query_is_cancelled(make_pool, cluster, how):
    pool = make_pool(default_pool_size=1)
    for extended in (False, True):
        conn = pool.connect()
        sql = "SELECT pg_sleep(60)"
        conn.send(*([wire.parse("", sql), wire.bind("", ""), wire.execute(), wire.sync()] if extended
                    else [wire.query(sql)]))
        wait_for(lambda: backends(cluster, "query LIKE '%pg_sleep(60)%' AND state = 'active'"))
        conn.close() if how == "close" else conn.abort()
        wait_for(lambda: not backends(cluster, "query LIKE '%pg_sleep(60)%' AND state = 'active'"))
        with pool.connect() as other:
            assert other.scalar("SELECT 1") == "1"


def test_a_client_that_does_not_read(make_pool):
    """200 MB for each of five that read nothing: the memory stays."""
    pool = make_pool()
    with pool.connect() as warm:
        warm.query("SELECT repeat('x', 1000000)")
    before = pool.rss_bytes()
    conns = [pool.connect() for _ in range(4)]
    for conn in conns:
        conn.send(wire.query("SELECT repeat('x', 1000000) FROM generate_series(1, 200)"))
    time.sleep(2)
    assert pool.rss_bytes() - before < 8 << 20
    with pool.connect() as other:
        assert other.scalar("SELECT 1") == "1"
    got = sum(len(m.body) for m in conns[0].answer() if m.kind == "D")
    assert got > 200_000_000
    for conn in conns:
        conn.abort()


def test_half_sent_startups_delay_nobody(pool):
    raws = [wire.Raw(pool.target) for _ in range(200)]
    for i, raw in enumerate(raws):
        raw.send(wire.startup()[:1 + i % 30])
    times = []
    for _ in range(20):
        started = time.monotonic()
        with pool.connect() as conn:
            conn.scalar("SELECT 1")
        times.append(time.monotonic() - started)
    assert sorted(times)[10] < 5  # they are dropped after a minute
    for raw in raws:
        raw.close()


def test_an_announced_gigabyte_takes_no_server(make_pool, cluster):
    pool = make_pool(default_pool_size=1)
    conns = [pool.connect() for _ in range(3)]
    wait_for(lambda: not backends(cluster, "state <> 'idle'"))
    for conn, kind in zip(conns, (b"Q", b"P", b"B")):
        conn.send(kind + struct.pack("!i", 1 << 30) + b"SELECT")
    time.sleep(0.3)
    with pool.connect() as other:
        assert other.scalar("SELECT 1") == "1"
    assert pool.rss_bytes() < 200 << 20


# Limits


def count_most(cluster, conns, sql="SELECT pg_sleep(0.05)", where="true", rounds=3):
    """The most backends seen while all of these run."""
    most, stop = [0], threading.Event()

    def watch():
        with cluster.connect() as conn:
            while not stop.is_set():
                found = conn.execute("SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend' AND"
                                     f" pid <> pg_backend_pid() AND {where}").fetchone()[0]
                most[0] = max(most[0], found)
    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        for _ in range(rounds):
            for conn in conns:
                conn.send(wire.query(sql))
            for conn in conns:
                assert conn.answer()[-1].kind == "Z"
    finally:
        stop.set()
        watcher.join()
    return most[0]


@pytest.mark.parametrize("workers", [1, 2, 4])
@pytest.mark.parametrize("size", [1, 3])
def test_pool_size_holds_in_all_workers(make_pool, cluster, workers, size):
    wait_for(lambda: not backends(cluster))  # those of the test before
    pool = make_pool(workers=workers, default_pool_size=size)
    conns = [pool.connect() for _ in range(24)]
    assert count_most(cluster, conns, "SELECT pg_sleep(0.01)", f"query NOT LIKE '{ASKS}%'") == size


def test_limits_of_connections(make_pool, cluster):
    """max_db_connections and max_user_connections bound pools together; idle ones make room for others."""
    with cluster.connect() as conn:
        for name in ("lim1", "lim2", "lim3"):
            conn.execute(f"DROP ROLE IF EXISTS {name}")
            conn.execute(f"CREATE ROLE {name} LOGIN")
    secrets = {"lim1": "", "lim2": "", "lim3": "", "postgres": ""}
    pool = make_pool(workers=3, default_pool_size=5, max_db_connections=3, secrets=secrets)
    for name in ("lim1", "lim2", "lim3"):
        conns = [pool.connect(user=name) for _ in range(8)]
        assert count_most(cluster, conns, "SELECT pg_sleep(0.02)", "usename LIKE 'lim%'") == 3
        for conn in conns:
            conn.close()
    pool = make_pool(workers=3, default_pool_size=5, max_user_connections=4, secrets=secrets)
    conns = [pool.connect(database, user="lim1") for database in ("postgres", "template1") for _ in range(8)]
    assert count_most(cluster, conns, "SELECT pg_sleep(0.02)", "usename = 'lim1'") == 4
    for conn in conns:
        conn.close()


def test_reserve_pool(make_pool, cluster):
    pool = make_pool(default_pool_size=1, reserve_pool_size=2, reserve_pool_timeout=1)
    conns = [pool.connect() for _ in range(5)]

    def sleeping():  # not the sessions that asked before, which may not have ended yet
        return len(backends(cluster, "query LIKE 'SELECT pg_sleep(2.5)%' AND state = 'active'"))
    started = time.monotonic()
    for conn in conns:
        conn.send(wire.query("SELECT pg_sleep(2.5)"))
    wait_for(lambda: sleeping() > 1)
    assert time.monotonic() - started > 0.8
    wait_for(lambda: sleeping() == 3)
    for conn in conns:
        assert conn.answer()[-1].kind == "Z"


def test_min_pool_size(make_pool, cluster):
    pool = make_pool(workers=2, min_pool_size=3, server_idle_timeout=1)
    with pool.connect() as conn:
        conn.query("SELECT 1")
        wait_for(lambda: len(backends(cluster)) == 3)
        time.sleep(2.5)
        wait_for(lambda: len(backends(cluster)) == 3)


@pytest.mark.parametrize("setting, users", [("max_client_conn", {}), ("max_db_client_connections", {}),
                                            ("max_user_client_connections", {}),
                                            (None, {"postgres": "max_user_client_connections=7"})])
def test_limits_of_clients(make_pool, setting, users):
    """Exactly so many, although many come at once; and who leaves makes room."""
    pool = make_pool(workers=4, users=users, **({setting: 7} if setting else {}))
    made, failed = [], []

    def come():
        try:
            made.append(pool.connect())
        except wire.Failed as error:
            failed.append(error.sqlstate)

    def come_all():
        failed.clear()
        while made:
            made.pop().close()
        threads = [threading.Thread(target=come) for _ in range(30)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(made) <= 7 and set(failed) == {"53300"}
        return len(made) == 7
    for _ in range(2):
        wait_for(come_all)  # some who left may not be gone yet
    while made:
        made.pop().close()


@pytest.mark.parametrize("size", [1, 2, 3])
def test_nobody_starves(make_pool, size):
    """40 clients on two workers: the longest wait is no multiple of what a fair turn takes."""
    pool = make_pool(workers=2, default_pool_size=size)
    conns = [pool.connect() for _ in range(40)]
    longest, counts, stop = [0.0] * 40, [0] * 40, threading.Event()

    def work(i):
        while not stop.is_set():
            started = time.monotonic()
            conns[i].query("SELECT pg_sleep(0.002)")
            longest[i] = max(longest[i], time.monotonic() - started)
            counts[i] += 1
    threads = [threading.Thread(target=work, args=(i,)) for i in range(40)]
    for thread in threads:
        thread.start()
    time.sleep(4)
    stop.set()
    for thread in threads:
        thread.join()
    turn = 4 / (sum(counts) / 40)
    assert min(counts) > max(counts) / 10, counts
    assert max(longest) < max(20 * turn, 10), (max(longest), turn)


def test_load_reloads_and_kills(make_pool, cluster):
    """Everything at once: each answer is the right one, or the end in words that are PostgreSQL's."""
    pool = make_pool(workers=3, default_pool_size=4, server_idle_timeout=1)
    stop, wrong, done = threading.Event(), [], [0]

    def work(i):
        conn, rng = None, 0
        while not stop.is_set():
            rng += 1
            try:
                if conn is None:
                    conn = pool.connect(application_name=f"load{i % 3}")
                value = f"{i}-{rng}"
                found = conn.fetch("SELECT $1::text", value) if rng % 2 else conn.query(f"SELECT '{value}'")
                if found != [[value]]:
                    wrong.append(found)
                done[0] += 1
                if rng % 50 == 0:
                    (conn.abort if rng % 100 else conn.end)()
                    conn = None
            except wire.Failed as error:
                if error.sqlstate not in ("57P01", "08006", "57014"):
                    wrong.append(repr(error))
                conn = None
            except (wire.Closed, OSError):
                conn = None
    threads = [threading.Thread(target=work, args=(i,)) for i in range(12)]
    for thread in threads:
        thread.start()
    with cluster.connect() as conn:
        for i in range(60):
            conn.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name LIKE 'load%'"
                         " ORDER BY random() LIMIT 1")
            if i % 3 == 0:
                pool.settings["default_pool_size"] = 2 + i % 4
                pool.write_config()
                pool.process.send_signal(signal.SIGHUP)
            time.sleep(0.05)
    wait_for(lambda: wrong or done[0] > 200)
    stop.set()
    for thread in threads:
        thread.join(60)
    assert wrong == []
    with pool.connect() as conn:
        assert conn.scalar("SELECT 1") == "1"
