"""pgmend sessions: the tree of who blocks whom, what is known of each session, and ending sessions by name and
by rule. One server for the file, with prepared transactions and TCP, so that other tests' sessions are not in
the way."""

import os
import select
import threading
import time

import psycopg
import pytest
from psycopg import sql

from cluster import Cluster, free_port

UGLY = 'Or"ders\nof us'


@pytest.fixture(scope="module")
def server():
    settings = {"max_prepared_transactions": 5, "listen_addresses": "127.0.0.1", "port": free_port(),
                "deadlock_timeout": "1h"}
    with Cluster(settings=settings) as own:
        yield own.start()


@pytest.fixture
def shop(server):
    db = server.new_database("shop")
    db.execute("CREATE TABLE orders (id int PRIMARY KEY, n int)")
    db.execute("INSERT INTO orders SELECT i, 0 FROM generate_series(1, 10) i")
    yield db
    with db.connect() as conn:
        for (gid,) in conn.execute("SELECT gid FROM pg_prepared_xacts").fetchall():
            conn.execute(sql.SQL("ROLLBACK PREPARED {}").format(gid))
    db.drop()


class Client:
    """A session with a statement under way in a thread of its own, where start() began one."""

    def __init__(self, db, **more):
        self.conn = db.connect(**more)
        self.pid = self.conn.info.backend_pid
        self.thread = None
        self.error = None

    def start(self, statement):
        def work():
            try:
                self.conn.execute(statement)
            except psycopg.Error as error:
                self.error = error
        self.thread = threading.Thread(target=work)
        self.thread.start()
        return self

    def close(self):
        self.conn.close()
        if self.thread:
            self.thread.join(60)


@pytest.fixture
def client(shop):
    made = []

    def make(**more):
        made.append(Client(shop, **more))
        return made[-1]

    yield make
    for one in made:
        if one.thread and one.thread.is_alive():
            shop.execute("SELECT pg_terminate_backend(%s)", [one.pid])
    for one in made:
        one.close()


def until(db, query, params=()):
    """Waits until the query's value is true."""
    deadline = time.monotonic() + 60
    while not db.scalar(query, params):
        assert time.monotonic() < deadline, f"not in 60 s: {query}"
        time.sleep(0.02)


def waits(db, pid):
    until(db, "SELECT count(*) = 1 FROM pg_locks WHERE pid = %s AND NOT granted", [pid])


def runs(db, pid):
    until(db, "SELECT state = 'active' FROM pg_stat_activity WHERE pid = %s", [pid])


def sessions(pgmend, db, *more):
    done = pgmend("sessions", "--format=json", *more, db.conninfo)
    assert done.rc == 0, done
    return {s["pid"] or s["prepared"]: s for s in done.json()["sessions"]}


def is_there(db, pid):
    return db.scalar("SELECT count(*) FROM pg_stat_activity WHERE pid = %s", [pid]) == 1


def outcomes(done):
    return {s["pid"]: s["outcome"] or s["spared"] for s in done.json()["sessions"]}


def test_tree_of_holders_and_of_the_queue(pgmend, shop, client):
    """A reader holds a table, DDL waits for it, and a second reader waits behind the DDL alone."""
    reader, ddl, behind = client(), client(application_name="migration"), client()
    reader.conn.execute("BEGIN")
    reader.conn.execute("SELECT 'it''s a secret', * FROM orders LIMIT 1")
    ddl.start("ALTER TABLE orders ADD extra int")
    waits(shop, ddl.pid)
    behind.start("SELECT count(*) FROM orders")
    waits(shop, behind.pid)

    found = sessions(pgmend, shop)
    root, middle, last = found[reader.pid], found[ddl.pid], found[behind.pid]
    assert root["state"] == "idle in transaction" and root["waits"] is None
    assert (root["blocks"], root["blocks_direct"]) == (2, 1)
    assert {"what": "public.orders", "modes": ["AccessShareLock"]} in root["locks"]
    assert middle["waits"]["mode"] == "AccessExclusiveLock" and middle["waits"]["on"] == "public.orders"
    assert middle["waits"]["blocked_by"] == [{"pid": reader.pid, "prepared": None, "how": "holds"}]
    assert last["waits"]["blocked_by"] == [{"pid": ddl.pid, "prepared": None, "how": "queue"}]
    assert last["waits"]["below"]["pid"] == ddl.pid
    assert root["blocks_longest_s"] == pytest.approx(middle["waits"]["seconds"])

    text = pgmend("sessions", shop.conninfo).out
    tree = text[text.index("Who blocks whom"):text.index("\nSessions\n")]
    lines = [line for line in tree.splitlines() if "postgres@shop" in line]
    assert lines[0].startswith(f"{reader.pid} ") and "2 wait for it" in lines[0]
    assert lines[1].startswith(f"   -> {ddl.pid} ") and "waits" in lines[1] and "(migration)" in lines[1]
    assert lines[2].startswith(f"      -> {behind.pid} ") and "queued behind it for" in lines[2]


def test_a_row_is_waited_for_through_its_transaction(pgmend, shop, client):
    holder, waiter = client(), client()
    holder.conn.execute("BEGIN")
    holder.conn.execute("UPDATE orders SET n = 1 WHERE id = 1")
    waiter.start("UPDATE orders SET n = 2 WHERE id = 1")
    waits(shop, waiter.pid)
    wait = sessions(pgmend, shop)[waiter.pid]["waits"]
    assert wait["on"].startswith("the end of transaction ")
    assert wait["blocked_by"] == [{"pid": holder.pid, "prepared": None, "how": "holds"}]


def test_prepared_transaction_blocks(pgmend, shop, client):
    gid = "it's\x01one"
    holder, waiter = client(), client()
    holder.conn.execute("BEGIN")
    holder.conn.execute("UPDATE orders SET n = 1 WHERE id = 1")
    holder.conn.execute(sql.SQL("PREPARE TRANSACTION {}").format(gid))
    waiter.start("BEGIN; LOCK TABLE orders; COMMIT")
    waits(shop, waiter.pid)
    found = sessions(pgmend, shop)
    assert found[gid]["blocks"] == 1 and found[gid]["pid"] is None
    assert {"what": "public.orders", "modes": ["RowExclusiveLock"]} in found[gid]["locks"]
    assert found[waiter.pid]["waits"]["blocked_by"] == [{"pid": None, "prepared": gid, "how": "holds"}]
    text = pgmend("sessions", shop.conninfo).out
    assert "\x01" not in text and "ROLLBACK PREPARED" in text and "Prepared transactions" in text


def test_deadlock_is_said_and_ends(pgmend, shop, client):
    """The server of this file looks for deadlocks after an hour only."""
    one, two = client(), client()
    for session, row in ((one, 1), (two, 2)):
        session.conn.execute("BEGIN")
        session.conn.execute("UPDATE orders SET n = 1 WHERE id = %s", [row])
    one.start("UPDATE orders SET n = 1 WHERE id = 2")
    two.start("UPDATE orders SET n = 1 WHERE id = 1")
    waits(shop, one.pid)
    waits(shop, two.pid)
    found = sessions(pgmend, shop)
    assert found[one.pid]["waits"]["deadlock"] and found[two.pid]["waits"]["deadlock"]
    text = pgmend("sessions", shop.conninfo).out
    assert text.count("a deadlock") == 2


def test_ugly_names_and_relations(pgmend, server):
    db = server.new_database(UGLY)
    try:
        db.execute(sql.SQL("CREATE TABLE {} ()").format(sql.Identifier(UGLY)))
        with db.connect(application_name="\x1b[31mred") as holder:
            holder.execute("BEGIN")
            holder.execute(sql.SQL("LOCK TABLE {}").format(sql.Identifier(UGLY)))
            found = sessions(pgmend, db)[holder.info.backend_pid]
            assert found["locks"][0] == {"what": 'public."Or""ders\nof us"', "modes": ["AccessExclusiveLock"]}
            assert found["database"] == UGLY
            text = pgmend("sessions", db.conninfo)
            assert text.rc == 0 and "\x1b" not in text.out
    finally:
        db.drop()


def test_memory_and_ages(pgmend, shop, client):
    one = client()
    one.conn.execute("BEGIN")
    one.conn.execute("SELECT 1")
    found = sessions(pgmend, shop)[one.pid]
    assert found["memory_bytes"] > 100_000 and found["client"] == "there" and not found["orphan"]
    assert found["transaction_s"] >= found["state_s"] >= 0 and not found["long"]
    assert sessions(pgmend, shop, "--long=0s")[one.pid]["long"]


@pytest.mark.parametrize("host", ["socket", "127.0.0.1"])
def test_orphan_whose_client_is_gone(pgmend, shop, host):
    """The server does not notice before it has something to send."""
    more = {} if host == "socket" else {"host": host}
    conn = shop.connect(**more)
    pid = conn.info.backend_pid
    conn.pgconn.send_query(b"SELECT pg_sleep(300)")
    while conn.pgconn.flush():
        select.select([], [conn.pgconn.socket], [], 1)
    runs(shop, pid)
    assert sessions(pgmend, shop)[pid]["client"] == "there"
    orphans = ("sessions", "--terminate", "--orphans", "--yes", "--format=json", shop.conninfo)
    assert pid not in outcomes(pgmend(*orphans))
    # Closes the socket, and nothing else: libpq does not know.
    nowhere = os.open(os.devnull, os.O_RDWR)
    os.dup2(nowhere, conn.pgconn.socket)
    os.close(nowhere)
    found = sessions(pgmend, shop)[pid]
    assert found["orphan"] and found["client"] == "gone"
    assert "client gone" in pgmend("sessions", shop.conninfo).out
    assert list(sessions(pgmend, shop, "--orphans")) == [pid]
    done = pgmend(*orphans)
    assert outcomes(done) == {pid: "ended"} and done.json()["sessions"][0]["why"] == "its client is gone", done


def test_nothing_is_done_without_yes(pgmend, shop, client):
    one = client()
    one.conn.execute("BEGIN")
    for more in ((), ("--dry-run",), ("--dry-run", "--yes")):
        done = pgmend("sessions", "--terminate", "--pid", one.pid, *more, shop.conninfo)
        assert done.rc == 0 and "would be ended" in done.out and str(one.pid) in done.out, done
        assert "Nothing was done" in done.out
    assert is_there(shop, one.pid)
    assert not shop.scalar("SELECT count(*) FROM pg_namespace WHERE nspname = 'pgmend'")


def test_idle_in_transaction_longer(pgmend, shop, client):
    idle, fresh, working = client(), client(), client()
    for one in (idle, fresh):
        one.conn.execute("BEGIN")
    working.start("SELECT pg_sleep(300)")
    runs(shop, working.pid)
    time.sleep(1.2)
    fresh.conn.execute("SELECT 1")
    done = pgmend("sessions", "--terminate", "--idle-in-transaction-longer=1s", "--yes", "--format=json",
                  shop.conninfo)
    # A loaded machine may make the fresh one idle for long enough, too: then it says so.
    by_pid = {s["pid"]: s for s in done.json()["sessions"]}
    assert done.rc == 0 and by_pid[idle.pid]["outcome"] == "ended", done
    assert by_pid[idle.pid]["why"].startswith("idle in a transaction for ")
    assert not is_there(shop, idle.pid) and is_there(shop, working.pid) and working.pid not in by_pid
    assert is_there(shop, fresh.pid) == (fresh.pid not in by_pid)


def test_running_longer_cancels_and_keeps_the_session(pgmend, shop, client):
    one, idle = client(), client()
    one.start("SELECT pg_sleep(300)")
    runs(shop, one.pid)
    time.sleep(0.3)
    done = pgmend("sessions", "--cancel", "--running-longer=200ms", "--yes", "--format=json", shop.conninfo)
    assert done.rc == 0 and outcomes(done)[one.pid] == "canceled", done
    one.thread.join(60)
    assert isinstance(one.error, psycopg.errors.QueryCanceled)
    assert is_there(shop, one.pid) and idle.pid not in outcomes(done)


def test_blocking_longer_ends_the_root_alone(pgmend, shop, client):
    root, middle, last = client(), client(), client()
    root.conn.execute("BEGIN")
    root.conn.execute("SELECT * FROM orders")
    middle.start("BEGIN; LOCK TABLE orders; COMMIT")
    waits(shop, middle.pid)
    last.start("SELECT * FROM orders")
    waits(shop, last.pid)
    none = pgmend("sessions", "--terminate", "--blocking-longer=1h", "--yes", shop.conninfo)
    assert none.rc == 0 and "No session fits" in none.out
    done = pgmend("sessions", "--terminate", "--blocking-longer=0s", "--yes", "--format=json", shop.conninfo)
    assert done.rc == 0 and outcomes(done) == {root.pid: "ended"}, done
    for one in (middle, last):
        one.thread.join(60)
        assert not one.thread.is_alive()


def test_user_database_and_application_narrow(pgmend, server, shop, client):
    shop.execute("DROP ROLE IF EXISTS worker")
    shop.execute("CREATE ROLE worker LOGIN")
    worker, named, other = client(user="worker"), client(application_name="job, 1"), client()
    elsewhere = psycopg.connect(server.conninfo("postgres", user="worker"))
    done = pgmend("sessions", "--terminate", "--user=worker", "--database=shop", "--yes", "--format=json",
                  shop.conninfo)
    assert outcomes(done) == {worker.pid: "ended"}, done
    done = pgmend("sessions", "--terminate", "--application=job, 1", "--yes", "--format=json", shop.conninfo)
    assert outcomes(done) == {named.pid: "ended"}, done
    assert is_there(shop, other.pid) and is_there(shop, elsewhere.info.backend_pid)
    elsewhere.close()
    until(shop, "SELECT count(*) = 0 FROM pg_stat_activity WHERE usename = 'worker'")
    shop.execute("DROP ROLE worker")
