"""The pool and the timer of libpgmend, through ctypes, on a real server."""

import importlib.util
import os
import select
import signal
import threading
import time

import pytest

from conftest import ROOT
from libpgmend_programs import library

ALWAYS, CHANGED, NEVER = range(3)
PATIENCE_S = 120
PATIENCE_MS = PATIENCE_S * 1000


@pytest.fixture(scope="module")
def lib():
    """examples/libpgmend.py over the library."""
    os.environ["LIBPGMEND"] = str(library())
    spec = importlib.util.spec_from_file_location("libpgmend", ROOT / "examples" / "libpgmend.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def make(lib, db):
    """make(max_size=2): a pool on the test's database, closed at the end; no thread of its own unless asked."""
    pools = []

    def open_pool(conninfo=None, **options):
        options.setdefault("health_interval_ms", -1)
        options.setdefault("application_name", "pooled")
        options.setdefault("acquire_timeout_ms", PATIENCE_MS)
        pools.append(lib.Pool(conninfo or db.conninfo, **options))
        return pools[-1]

    yield open_pool
    for pool in pools:
        pool.close()


def wait_for(condition):
    deadline = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.005)


def backend(conn):
    return int(conn.execute("SELECT pg_catalog.pg_backend_pid()")[0][0])


def use(pool, *statements):
    """Runs statements on a connection, gives it back, and returns the last one's first value."""
    with pool.acquire() as conn:
        rows = [conn.execute(statement) for statement in statements][-1]
        return rows[0][0] if rows else None


def kill(db, *pids):
    """Ends sessions, and waits until they are gone."""
    for pid in pids:
        db.execute("SELECT pg_catalog.pg_terminate_backend(%s)", [pid])
    wait_for(lambda: not db.scalar("SELECT count(*) FROM pg_catalog.pg_stat_activity WHERE pid = ANY(%s)",
                                   [list(pids)]))


def open_several(pool, count):
    conns = [pool.acquire() for _ in range(count)]
    pids = [backend(conn) for conn in conns]
    for conn in conns:
        conn.release()
    return pids


# What a session is given, and what is left of it

def test_settings_are_what_a_reset_goes_back_to(make):
    settings = {"work_mem": "7MB", "search_path": 'one, "two words", "back\\slash"', "libpool.empty": ""}
    pool = make(max_size=1, settings=settings, application_name="it's a pool", statement_timeout_ms=12345,
                lock_timeout_ms=-1, idle_in_transaction_timeout_ms=60000, isolation=3, read_only=True)
    wanted = {**settings, "application_name": "it's a pool", "statement_timeout": "12345ms", "lock_timeout": "0",
              "idle_in_transaction_session_timeout": "1min", "default_transaction_isolation": "serializable",
              "default_transaction_read_only": "on", "client_encoding": "UTF8"}
    for _ in range(2):
        with pool.acquire() as conn:
            for name, value in wanted.items():
                assert conn.execute(f"SHOW {name}") == [[value]]
            conn.execute("SET work_mem = '1MB'")
            conn.execute("SET application_name = 'other'")
            conn.execute("SET statement_timeout = 0")


def test_nothing_is_left_for_the_next_one(make, db):
    db.execute("CREATE TABLE kept (i int)")
    pool = make(max_size=1)
    pid = use(pool, "SET work_mem = '1MB'", "CREATE TEMP TABLE mine (i int)", "PREPARE mine AS SELECT 1",
              "LISTEN mine", "SELECT pg_catalog.pg_advisory_lock(1)", "DECLARE mine CURSOR WITH HOLD FOR SELECT 1",
              "SET ROLE pg_monitor", "RESET ROLE", "BEGIN", "INSERT INTO kept VALUES (1)",
              "SELECT pg_catalog.pg_backend_pid()")
    with pool.acquire() as conn:
        assert str(backend(conn)) == pid
        assert conn.execute("SHOW work_mem") != [["1MB"]]
        for view in ("pg_prepared_statements", "pg_cursors WHERE name <> ''", "pg_listening_channels()", "kept",
                     "pg_locks WHERE locktype = 'advisory'", "pg_class WHERE relname = 'mine'"):
            assert conn.execute(f"SELECT * FROM {view}") == []
    for left in (["BEGIN", "SELECT 1"], ["BEGIN", "SELECT 1 / 0"]):
        with pool.acquire() as conn:
            conn.execute(left[0])
            try:
                conn.execute(left[1])
            except RuntimeError:
                pass
        assert use(pool, "SELECT pg_catalog.pg_backend_pid()") == pid
    stats = pool.stats()
    assert (stats.opened, stats.size, stats.idle, stats.active) == (1, 1, 1, 0)
    assert stats.acquired == stats.released == 6


def test_a_reset_can_depend_on_what_ran(make, db):
    def last_query(pid):
        return db.scalar("SELECT query FROM pg_catalog.pg_stat_activity WHERE pid = %s", [pid])

    pool = make(max_size=1, reset=CHANGED)
    pid = int(use(pool, "SELECT pg_catalog.pg_backend_pid()"))
    for harmless in ("SELECT 1", "CREATE TABLE t (i int)", "INSERT INTO t VALUES (1)", "UPDATE t SET i = 2"):
        use(pool, harmless)
        # CREATE is taken for that of a temporary table.
        seen = "DISCARD ALL" if "CREATE" in harmless else harmless
        wait_for(lambda: last_query(pid) == seen)
        pool.acquire().release()
        assert last_query(pid) == seen
    for changing in ("SET work_mem = '1MB'", "SELECT pg_catalog.set_config('work_mem', '1MB', false)", "LISTEN x",
                     "CREATE TEMP TABLE u AS SELECT 1", "SELECT pg_catalog.pg_advisory_lock(1)",
                     "DO $$ BEGIN NULL; END $$", "PREPARE p AS SELECT 1"):
        use(pool, "SELECT 1")
        wait_for(lambda: last_query(pid) == "SELECT 1")
        use(pool, changing)
        wait_for(lambda: last_query(pid) == "DISCARD ALL")
        assert use(pool, "SHOW work_mem") != "1MB"


def test_a_reset_can_be_told(make, db):
    pool = make(max_size=1, reset=NEVER)
    use(pool, "SET work_mem = '1MB'", "BEGIN")
    wait_for(lambda: db.scalar("SELECT state FROM pg_catalog.pg_stat_activity "
                               "WHERE application_name = 'pooled' AND query = 'ROLLBACK'") == "idle")
    assert use(pool, "SHOW work_mem") == "1MB"
    pool = make(max_size=1, reset_query="RESET work_mem; SET libpool.told = 'yes'")
    use(pool, "SET work_mem = '1MB'", "SET random_page_cost = 9")
    assert use(pool, "SHOW work_mem") != "1MB"
    assert use(pool, "SHOW libpool.told") == "yes"
    assert use(pool, "SHOW random_page_cost") == "9"
    # One that fails costs the connection.
    pool = make(max_size=1, reset_query="SELECT 1 / 0")
    first, second = (use(pool, "SELECT pg_catalog.pg_backend_pid()") for _ in range(2))
    assert first != second
    assert pool.stats().broken == 1


def test_what_libpq_was_told_is_taken_back(make, lib):
    for name in ("PQenterPipelineMode", "PQpipelineStatus", "PQisnonblocking"):
        built_in = getattr(lib.libpq, name)
        built_in.argtypes, built_in.restype = [lib.c_void_p], lib.c_int
    lib.libpq.PQsetnonblocking.argtypes = [lib.c_void_p, lib.c_int]
    lib.libpq.PQsendQuery.argtypes = [lib.c_void_p, lib.c_char_p]
    pool = make(max_size=1)
    pid = None
    for _ in range(2):
        with pool.acquire() as conn:
            assert lib.libpq.PQpipelineStatus(conn.pg) == 0 and lib.libpq.PQisnonblocking(conn.pg) == 0
            assert pid in (None, backend(conn))
            pid = backend(conn)
            assert lib.libpq.PQenterPipelineMode(conn.pg) == 1
            lib.libpq.PQsetnonblocking(conn.pg, 1)
    with pool.acquire() as conn:
        assert lib.libpq.PQsendQuery(conn.pg, b"SELECT pg_catalog.pg_sleep(600)") == 1
    assert pool.stats().broken == 1
    assert int(use(pool, "SELECT pg_catalog.pg_backend_pid()")) != pid


# Waiting

def test_who_waits_is_served_in_order(make):
    pool = make(max_size=1)
    held = pool.acquire()
    served, threads = [], []

    def wait(number):
        with pool.acquire():
            served.append(number)

    for number in range(12):
        threads.append(threading.Thread(target=wait, args=(number,)))
        threads[-1].start()
        wait_for(lambda: pool.stats().waiting == number + 1)
    held.release()
    # Comes last, though a connection becomes free meanwhile.
    with pool.acquire():
        served.append("late")
    for thread in threads:
        thread.join()
    assert served == [*range(12), "late"]


def test_waiting_has_an_end_that_says_why(make, lib):
    told = []
    pool = make(max_size=1, max_waiting=1, on_event=lambda *event: told.append(event))
    with pool.acquire() as held:
        pid = backend(held)
        with pytest.raises(lib.Error, match=rf"1 of 1 are in use.*\(backend {pid}\), 0 others wait") as error:
            pool.acquire(20)
        assert error.value.code == "timeout" and "max_size" in error.value.hint
        thread = threading.Thread(target=lambda: pool.acquire().release())
        thread.start()
        wait_for(lambda: pool.stats().waiting == 1)
        with pytest.raises(lib.Error, match="1 threads wait") as error:
            pool.acquire()
        assert error.value.code == "limit"
    thread.join()
    stats = pool.stats()
    assert (stats.timeouts, stats.refused, stats.acquired, stats.waiting) == (1, 1, 2, 0)
    assert [e[0] for e in told if e[3]] == [lib.ERROR]


def test_overflow_lasts_as_long_as_it_is_needed(make, lib):
    pool = make(max_size=1, max_overflow=2)
    conns = [pool.acquire() for _ in range(3)]
    assert pool.stats().size == pool.stats().active == 3
    with pytest.raises(lib.Error, match="3 of 3"):
        pool.acquire(20)
    for conn in conns:
        conn.release()
    stats = pool.stats()
    assert (stats.size, stats.idle, stats.opened, stats.closed) == (1, 1, 3, 2)


# Ages and sizes

def test_old_connections_are_replaced(make):
    pool = make(max_size=1, recycle_ms=1)
    pids = []
    for _ in range(3):
        with pool.acquire() as conn:
            pids.append(backend(conn))
            time.sleep(0.002)
    assert len(set(pids)) == 3 and pool.stats().recycled == 3
    assert pool.stats().broken == 0


def test_a_thread_keeps_the_pool_as_it_should_be(make, db):
    pool = make(min_size=2, max_size=4, health_interval_ms=10)
    first = {row[0] for row in db.query("SELECT pid FROM pg_catalog.pg_stat_activity WHERE application_name = 'pooled'")}
    assert len(first) == 2
    kill(db, *first)
    wait_for(lambda: pool.stats().broken == 2 and pool.stats().idle == 2)
    pool = make(max_size=4, health_interval_ms=10, idle_timeout_ms=1)
    open_several(pool, 3)
    wait_for(lambda: pool.stats().size == 0)
    assert pool.stats().closed == 3


def test_a_pool_can_be_resized_and_looked_at(make, db, lib):
    pool = make(max_size=4)
    pids = open_several(pool, 4)
    pool.resize(max_size=2)
    assert (pool.stats().size, pool.stats().closed) == (2, 2)
    with pool.acquire(), pool.acquire(), pytest.raises(lib.Error, match="2 of 2"):
        pool.acquire(20)
    pool.resize(min_size=3, max_size=3)
    pool.check()
    assert (pool.stats().size, pool.stats().broken) == (3, 0)
    kill(db, *[row[0] for row in db.query(
        "SELECT pid FROM pg_catalog.pg_stat_activity WHERE application_name = 'pooled'")])
    pool.check()
    assert (pool.stats().size, pool.stats().broken) == (3, 3)
    assert not set(pids) & set(open_several(pool, 3))
    with pytest.raises(lib.Error, match="min_size is 9, and max_size 3"):
        pool.resize(min_size=9)


def test_the_size_follows_from_the_cores(make):
    cores = len(os.sched_getaffinity(0))
    assert make().stats().max_size == 2 * cores + 1
    assert make(connections_per_core=4).stats().max_size == 4 * cores + 1
    assert make(min_size=0, connections_per_core=1, max_overflow=5).stats().max_overflow == 5


# What breaks

def test_connections_that_were_killed_are_replaced(make, db):
    pool = make(max_size=4)
    pids = open_several(pool, 3)
    kill(db, *pids)
    assert int(use(pool, "SELECT pg_catalog.pg_backend_pid()")) not in pids
    # All of them were dropped with the first.
    assert (pool.stats().broken, pool.stats().size) == (3, 1)
    with pool.acquire() as held:
        kill(db, backend(held))
        with pytest.raises(RuntimeError, match="terminating connection|closed the connection"):
            held.execute("SELECT 1")
    assert use(pool, "SELECT 1") == "1"
    assert pool.stats().broken == 4
    with pool.acquire() as conn:
        pid = backend(conn)
        conn.discard()
    assert int(use(pool, "SELECT pg_catalog.pg_backend_pid()")) != pid
    assert pool.stats().broken == 4


def test_a_ping_finds_what_no_socket_tells(make, db):
    """Without a reset, whose answer would tell, and asked each time."""
    pool = make(max_size=2, reset=NEVER, pre_ping_after_ms=1)
    pids = open_several(pool, 2)
    kill(db, *pids)
    assert not {use(pool, "SELECT pg_catalog.pg_backend_pid()")} & set(map(str, pids))


def test_a_connection_that_does_not_answer_is_given_up_in_the_end(make, lib):
    pool = make(max_size=1, pre_ping_after_ms=1, connect_timeout_ms=3000)
    [pid] = open_several(pool, 1)
    pool.acquire().release()
    os.kill(pid, signal.SIGSTOP)
    try:
        with pytest.raises(lib.Error, match="no connection in") as error:
            pool.acquire(10)
        assert error.value.code == "timeout"
        # That was short: it may answer yet.
        assert (pool.stats().size, pool.stats().broken) == (1, 0)
        os.kill(pid, signal.SIGCONT)
        assert open_several(pool, 1) == [pid]
        os.kill(pid, signal.SIGSTOP)
        assert open_several(pool, 1) != [pid]
        assert (pool.stats().size, pool.stats().broken) == (1, 1)
    finally:
        os.kill(pid, signal.SIGCONT)


def test_what_will_not_pass_is_said_at_once(make, lib, cluster, db):
    nowhere = cluster.conninfo("no_such_database")
    with pytest.raises(lib.Error, match='database "no_such_database" does not exist') as error:
        make(nowhere, min_size=1)
    assert (error.value.code, error.value.sqlstate) == ("connect", "3D000")
    pool = make(nowhere, acquire_timeout_ms=-1)
    for _ in range(3):
        with pytest.raises(lib.Error) as error:
            pool.acquire()
        assert (error.value.code, error.value.sqlstate) == ("connect", "3D000")
    pool = make(settings={"no_such_setting": "1"}, acquire_timeout_ms=-1)
    with pytest.raises(lib.Error, match="no_such_setting") as error:
        pool.acquire()
    assert error.value.sqlstate == "42704"
    assert "LOCATION" not in str(error.value) and "42704" not in str(error.value)


def test_a_server_that_takes_no_more_is_no_reason_to_fail(make, db, request):
    role = f"{db.name}_limited"
    db.execute(f"CREATE ROLE {role} LOGIN CONNECTION LIMIT 1")
    request.addfinalizer(lambda: db.execute(f"DROP ROLE {role}"))
    pool = make(f"{db.conninfo} user={role}", max_size=3)
    held = pool.acquire()
    got = []
    thread = threading.Thread(target=lambda: got.append(use(pool, "SELECT 1")))
    thread.start()
    wait_for(lambda: pool.stats().connect_errors >= 1)
    held.release()
    thread.join()
    assert got == ["1"] and pool.stats().opened == 1
    pool.close()


def test_a_server_that_is_away_is_waited_for(make, lib, make_cluster):
    server = make_cluster()
    pool = make(server.conninfo(), max_size=4, min_size=2)
    pids = open_several(pool, 3)
    server.stop()

    def attempt():
        with pytest.raises(lib.Error) as error:
            pool.acquire(30)
        assert error.value.code == "timeout"
        return str(error.value)

    wait_for(lambda: "; the last attempt to connect: " in attempt())
    assert pool.stats().size == 0 and pool.stats().broken == 3
    got = []
    threads = [threading.Thread(target=lambda: got.append(use(pool, "SELECT 1"))) for _ in range(8)]
    for thread in threads:
        thread.start()
    wait_for(lambda: pool.stats().waiting >= 7 and pool.stats().connect_errors >= 3)
    server.start()
    for thread in threads:
        thread.join()
    assert got == ["1"] * 8
    assert not set(map(str, pids)) & {use(pool, "SELECT pg_catalog.pg_backend_pid()")}
    pool.close()


def test_a_pooler_may_stand_between(make, make_pool, db):
    pooler = make_pool()
    pool = make(pooler.conninfo(db.name), max_size=2, statement_timeout_ms=12345, settings={"work_mem": "7MB"})
    for _ in range(3):
        assert use(pool, "SET work_mem = '1MB'", "SHOW statement_timeout") == "12345ms"
        assert use(pool, "SHOW work_mem") == "7MB"
    open_several(pool, 2)
    assert pool.stats().broken == 0
    pool.close()


# Events

def test_what_happens_is_told(make, lib):
    told = []
    pool = make(max_size=1, slow_ms=1, on_event=lambda *event: told.append(event))
    with pool.acquire() as conn:
        pid = backend(conn)
        conn.execute("SELECT pg_catalog.pg_sleep(0.01)")
    with pool.acquire() as conn:
        conn.discard()
    pool.close()
    assert [e[0] for e in told if e[0] != lib.SLOW] == [lib.CONNECT, lib.ACQUIRE, lib.RELEASE, lib.ACQUIRE,
                                                        lib.RELEASE, lib.CLOSE]
    assert {e[1] for e in told} == {pid} and all(e[2] >= 0 and e[3] is None for e in told)
    [slow] = [e for e in told if e[0] == lib.SLOW][:1]
    assert slow[2] >= 10


# Closing, and fork()

def test_closing_waits_for_what_is_out(make, lib):
    pool = make(max_size=1)
    handle = pool.handle
    held, failed = pool.acquire(), []

    def wait():
        try:
            pool.acquire()
        except lib.Error as error:
            failed.append(error.code)

    thread = threading.Thread(target=wait)
    thread.start()
    wait_for(lambda: pool.stats().waiting == 1)
    with pytest.raises(lib.Error, match="1 connections of the pool did not come back") as error:
        pool.close(20)
    assert error.value.code == "timeout" and handle
    thread.join()
    assert failed == ["state"]
    assert held.execute("SELECT 1") == [["1"]]
    held.release()  # frees the pool
    pool = make(max_size=2)
    held = pool.acquire()
    pool.acquire().release()
    timer = threading.Timer(0.05, held.release)
    timer.start()
    pool.close()
    timer.join()


def test_a_child_can_not_use_its_parents_pool(make, lib, db):
    pool = make(max_size=3, health_interval_ms=50)
    pids = open_several(pool, 3)
    held = pool.acquire()
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        answer = "nothing was refused"
        try:
            try:
                pool.acquire()
            except lib.Error as error:
                answer = f"{error.code}: {error} {error.hint}"
            held.release()
            pool.close()
            os.write(writer, answer.encode())
        finally:
            os._exit(0)
    os.close(writer)
    assert select.select([reader], [], [], PATIENCE_S)[0]
    answer = os.read(reader, 4096).decode()
    os.close(reader)
    os.waitpid(child, 0)
    assert answer.startswith(f"state: the pool was opened by process {os.getpid()}") and "after fork()" in answer
    assert backend(held) in pids
    held.release()
    assert set(open_several(pool, 3)) == set(pids)
    assert pool.stats().broken == 0


# Options

def test_the_environment_is_over_the_code(make, lib, monkeypatch):
    values = {"MIN": "1", "MAX": "3", "OVERFLOW": "2", "TIMEOUT": "20ms", "STATEMENT_TIMEOUT": "5s",
              "LOCK_TIMEOUT": "1500", "IDLE_IN_TRANSACTION_TIMEOUT": "off", "ISOLATION": "repeatable read",
              "READ_ONLY": "on", "RECYCLE": "off"}
    for name, value in values.items():
        monkeypatch.setenv(f"PGMEND_POOL_{name}", value)
    pool = make(env=True, max_size=7, acquire_timeout_ms=PATIENCE_MS)
    stats = pool.stats()
    assert (stats.min_size, stats.max_size, stats.max_overflow, stats.size) == (1, 3, 2, 1)
    with pool.acquire(PATIENCE_MS) as conn:
        for name, value in (("statement_timeout", "5s"), ("lock_timeout", "1500ms"),
                            ("idle_in_transaction_session_timeout", "0"),
                            ("default_transaction_isolation", "repeatable read"),
                            ("default_transaction_read_only", "on")):
            assert conn.execute(f"SHOW {name}") == [[value]]
        conns = [pool.acquire(PATIENCE_MS) for _ in range(4)]
        with pytest.raises(lib.Error, match="5 of 5"):
            pool.acquire()
        for conn in conns:
            conn.release()


@pytest.mark.parametrize("name,value", [("MAX", "many"), ("MAX", "-1"), ("MAX", "1000000"), ("MIN", "1.5"),
                                        ("TIMEOUT", "soon"), ("TIMEOUT", "-5s"), ("TIMEOUT", "99999999999999999999"),
                                        ("ISOLATION", "strict"), ("READ_ONLY", "perhaps")])
def test_a_bad_variable_is_named(make, lib, monkeypatch, name, value):
    monkeypatch.setenv(f"PGMEND_POOL_{name}", value)
    with pytest.raises(lib.Error, match=f"PGMEND_POOL_{name} is \"{value}\"") as error:
        make(env=True)
    assert error.value.code == "usage" and error.value.hint


@pytest.mark.parametrize("options,message", [
    ({"min_size": 5, "max_size": 4}, "min_size is 5, and max_size 4"), ({"max_size": -1}, "max_size is -1"),
    ({"max_overflow": 1000000}, "max_overflow is 1000000"), ({"isolation": 4}, "isolation 4"),
    ({"reset": 3}, "reset 3"), ({"settings": {"a b": "1"}}, "\"a b\" is no name"),
    ({"settings": {"a=1 -c b": "1"}}, "is no name"), ({"struct_size": 0}, "struct_size"),
    ({"conninfo": "host"}, "conninfo can't be read")])
def test_options_that_make_no_sense_are_refused(make, lib, options, message):
    with pytest.raises(lib.Error, match=message) as error:
        make(**options)
    assert error.value.code == "usage"


@pytest.mark.parametrize("conninfo", [
    "password=my s3cr3t host=/tmp", "password='s3cr3t", "host=/nowhere password=s3cr3t s3cr3t", "s3cr3t=s3cr3t",
    "postgresql://me:s3cr3t@[::1", "postgresql://me:s3cr3t@host/db?s3cr3t", "postgresql://me:s3cr3t@/%zz",
    "host=/nowhere password=s3cr3t", "host=127.0.0.1 port=1 password=s3cr3t", "postgresql://me:s3cr3t@%2Fnowhere/"])
def test_no_password_gets_into_a_message(make, lib, conninfo):
    told = []
    with pytest.raises(lib.Error) as error:
        make(conninfo, min_size=1, on_event=lambda *event: told.append(event))
    error = error.value
    assert "s3cr3t" not in f"{error} {error.detail} {error.hint} {told}"


# The timer

def test_times_are_told_apart(lib):
    told = []
    timer = lib.Timer(slow_ms=900, max_names=2, on_slow=lambda *slow: told.append(slow))
    threads = [threading.Thread(target=lambda: [timer.record("even", ms) for ms in range(1, 1001)])
               for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    timer.record("slow", 5000, "SELECT 1")
    timer.record("third", 0.25)
    even = timer.stats("even")
    assert (even.count, even.slow, even.min_ms, even.max_ms) == (4000, 400, 1, 1000)
    assert even.total_ms == pytest.approx(4 * 500500) and even.mean_ms == pytest.approx(500.5)
    for got, exact in ((even.p50_ms, 500), (even.p90_ms, 900), (even.p95_ms, 950), (even.p99_ms, 990),
                       (even.p999_ms, 999)):
        assert got == pytest.approx(exact, rel=0.004)
    assert told[-1] == ("slow", "SELECT 1", 5000) and len(told) == 401
    assert timer.stats("third") is None and timer.stats("(other)").count == 1
    assert timer.stats().count == 4002 and timer.stats().max_ms == 5000
    timer.close()
    with pytest.raises(lib.Error, match="max_names -1"):
        lib.Timer(max_names=-1)
