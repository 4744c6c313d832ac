"""What one client of the pooler must not do to another, where messages, buffers and settings are at their limits."""

import signal
import struct
import threading
import time

import pytest
import wire
from pooling import wait_for

TWO = {"default_pool_size": 1}


def errors(answer):
    return [m.sqlstate for m in answer if m.kind == "E"]


def test_rest_of_a_long_message_is_no_message(make_pool, db):
    """A COPY has failed; what its client still sends of a long CopyData is data, whatever it looks like."""
    pool = make_pool(**TWO)
    with pool.connect(db.name) as conn, pool.connect(db.name) as other:
        conn.query("CREATE TABLE t (i int); CREATE TABLE smuggled (i int)")
        for begin in ([wire.query("COPY t FROM STDIN")],
                      [wire.parse("", "COPY t FROM STDIN"), wire.bind("", ""), wire.execute(), wire.sync()]):
            conn.send(*begin)
            assert conn.receive_until("G")[-1].kind == "G"
            conn.send(wire.copy_data(b"no number\n"))
            assert conn.receive_until("E")[-1].sqlstate == "22P02"
            evil = wire.query("INSERT INTO smuggled VALUES (1)")
            body = b"x" * 65531 + evil * 2000  # the first read of a long message ends where the evil begins
            conn.send(struct.pack("!ci", b"d", len(body) + 4) + body[:65531])
            time.sleep(0.2)
            conn.send(body[65531:])
            end = [wire.copy_done()] + ([wire.sync()] if len(begin) > 1 else [])
            conn.send(*end)
            assert [m.kind for m in conn.answer()] == ["Z"]
            time.sleep(0.2)
            conn.sock.setblocking(False)
            with pytest.raises(BlockingIOError):
                conn.sock.recv(1)
            conn.sock.settimeout(wire.TIMEOUT_S)
            assert other.scalar("SELECT count(*) FROM smuggled") == "0"
            assert conn.scalar("SELECT 'mine'") == "mine"


@pytest.mark.parametrize("length", [9000, 40000, 70000, 200000])
def test_long_setting_is_carried_and_kept_apart(make_pool, length):
    """The server's answer to what is set comes in pieces."""
    pool = make_pool(**TWO)
    with pool.connect() as conn:
        conn.query(f"SELECT set_config('app.long', repeat('x', {length}), false), "
                   f"set_config('app.more', repeat('y', {length}), false)")
        other = pool.connect()
        other.sock.settimeout(1)
        try:
            assert other.scalar("SELECT coalesce(length(current_setting('app.long', true)), 0)") == "0"
            assert other.scalar("SELECT coalesce(length(current_setting('app.more', true)), 0)") == "0"
        except TimeoutError:
            pass  # too long to be carried, so that the server is kept
        finally:
            other.close()
        time.sleep(0.1)
        assert conn.scalar("SELECT length(current_setting('app.long')) + length(current_setting('app.more'))") \
            == str(length * 2)


def test_letters_beside_another_encoding(make_pool):
    """What a server's last client had as its encoding is not what the next one's values are written in."""
    pool = make_pool(**TWO)
    with pool.connect(client_encoding="LATIN1") as latin, pool.connect() as conn:
        conn.query("SET app.tenant = 'é'")
        assert latin.scalar("SHOW client_encoding") == "LATIN1"
        assert conn.scalar("SELECT current_setting('app.tenant')") == "é"
        assert latin.scalar("SHOW client_encoding") == "LATIN1"
        with pool.connect(**{"app.tenant": "ü"}) as other:
            assert other.scalar("SELECT current_setting('app.tenant')") == "ü"


def test_server_that_dies_within_a_row(make_pool, cluster):
    """Of a row of which half was told, no error may become the other half."""
    pool = make_pool(**TWO)
    with pool.connect() as conn:
        pid = conn.scalar("SELECT pg_backend_pid()")
        conn.send(wire.query("SELECT repeat('x', 60000000)"))
        while len(conn.buffer) < 100000:
            assert conn.fill()
        time.sleep(0.2)
        with wire.Connection((str(cluster.folder), cluster.settings["port"])) as direct:
            direct.query(f"SELECT pg_terminate_backend({pid})")
        time.sleep(0.3)
        assert b"FATAL" not in conn.rest()


def test_many_small_requests_unread(make_pool):
    """A client that asks and never reads stops being read, and costs no memory."""
    pool = make_pool()
    with pool.connect() as conn:
        conn.query("SELECT 1")
        before = pool.rss_bytes()
        data = bytes(wire.sync()) * 200000
        conn.sock.settimeout(1)
        try:
            for _ in range(60):
                conn.sock.sendall(data)
        except TimeoutError:
            pass
        assert pool.rss_bytes() - before < 24 << 20


def test_parse_and_close_behind_a_slow_query(make_pool):
    """Requests that need no server wait in a queue that has an end."""
    pool = make_pool()
    with pool.connect() as conn:
        conn.run(wire.parse("a", "SELECT 1"), wire.sync())
        before = pool.rss_bytes()
        data = (bytes(wire.close("S", "a")) + bytes(wire.parse("a", "SELECT 1"))) * 20000
        conn.send(wire.parse("", "SELECT pg_sleep(3)"), wire.bind("", ""), wire.execute())
        conn.sock.settimeout(0.5)
        sent = 0
        try:
            for _ in range(60):
                conn.sock.sendall(data)
                sent += 1
        except TimeoutError:
            pass
        assert pool.rss_bytes() - before < 48 << 20


def test_function_call_that_sets(make_pool):
    pool = make_pool(**TWO)
    with pool.connect() as conn:
        oid = int(conn.scalar("SELECT 'pg_catalog.set_config(text,text,bool)'::regprocedure::oid"))
        answer = conn.run(wire.function_call(oid, [b"work_mem", b"123kB", b"t\0"[:1]], [0, 0, 0]))
        answer = conn.run(wire.function_call(oid, [b"work_mem", b"123kB", b"f"], [0, 0, 0]))
        assert not errors(answer)
        with pool.connect() as other:
            other.sock.settimeout(1)
            try:
                assert other.scalar("SHOW work_mem") != "123kB"
            except TimeoutError:
                pass
        assert conn.scalar("SHOW work_mem") == "123kB"


@pytest.mark.parametrize("sql", [
    "DO $$ BEGIN PERFORM set_config('app.tenant', '42', false); END $$",
    "DO $$ BEGIN SET app.tenant = 42; END $$",
    "DO 'BEGIN PERFORM set_config(''app.tenant'', ''42'', false); END'",
    "DO $$ DECLARE n text := 'app.tenant'; BEGIN PERFORM set_config(n, '42', false); END $$",
])
def test_block_that_sets(make_pool, sql):
    pool = make_pool(**TWO)
    with pool.connect() as conn:
        conn.query(sql)
        with pool.connect() as other:
            other.sock.settimeout(1)
            try:
                assert other.query("SELECT current_setting('app.tenant', true)")[0][0] in (None, "")
            except TimeoutError:
                pass
        assert conn.scalar("SELECT current_setting('app.tenant', true)") == "42"


def test_names_like_ours(make_pool):
    """The names under which servers hold statements are nobody's to use."""
    pool = make_pool(**TWO)
    with pool.connect() as conn, pool.connect() as other:
        assert conn.fetch("SELECT 'mine', $1::text", "x", name="a") == [["mine", "x"]]
        ours = [row[0] for row in conn.query("SELECT name FROM pg_prepared_statements")]
        assert ours
        for name in ours:
            assert errors(other.run(wire.bind("", name, ["y"]), wire.execute(), wire.sync())) == ["26000"]
            assert errors(other.run(wire.describe("S", name), wire.sync())) == ["26000"]
            other.run(wire.close("S", name), wire.sync())
        assert not errors(conn.run(wire.bind("", "a", ["z"]), wire.execute(), wire.sync()))


def test_failed_parse_where_another_was_evicted(make_pool):
    pool = make_pool(max_prepared_statements=2, **TWO)
    with pool.connect() as conn:
        for i in range(3):
            assert conn.fetch(f"SELECT {i}", name=f"s{i}") == [[str(i)]]
        assert errors(conn.run(wire.parse("x", "SELEC 1"), wire.sync())) == ["42601"]
        assert conn.fetch("SELECT 'right'", name="x") == [["right"]]


def test_long_unnamed_statement(make_pool):
    """One that is too long to be kept is never taken for the one before it."""
    pool = make_pool(**TWO)
    with pool.connect() as conn, pool.connect() as other:
        conn.run(wire.parse("", "SELECT 'old'"), wire.sync())
        long = "SELECT 'new' -- " + "x" * (17 << 20)
        assert not errors(conn.run(wire.parse("", long), wire.sync()))
        other.sock.settimeout(1)
        try:
            other.query("SELECT 1")
        except TimeoutError:
            pass
        answer = conn.run(wire.bind("", ""), wire.execute(), wire.sync())
        assert errors(answer) == ["26000"] or [m.cells() for m in answer if m.kind == "D"] == [["new"]]


def test_sync_within_copy_that_fails(make_pool, db):
    """More ReadyForQuery than requests: the next client must not get them."""
    pool = make_pool(**TWO)
    with pool.connect(db.name) as conn:
        conn.query("CREATE TABLE t (i int)")
        for _ in range(20):
            with pool.connect(db.name) as copier:
                copier.send(wire.query("COPY t FROM STDIN"))
                copier.receive_until("G")
                copier.send(wire.copy_data(b"no number\n"), *[wire.sync()] * 5, wire.copy_done(), wire.sync())
                copier.answer()
            assert conn.scalar("SELECT 'mine'") == "mine"


@pytest.mark.parametrize("mode", ["transaction", "session"])
def test_copy_that_waits_for_no_answer(make_pool, db, mode):
    """Its data and its end are sent before the server has said that it reads them: the Sync behind is one."""
    pool = make_pool(pool_mode=mode, **TWO)
    with pool.connect(db.name) as conn:
        conn.query("CREATE TABLE t (i int)")
        for name in ("", "named"):
            conn.send(wire.parse(name, "COPY t FROM STDIN"), wire.bind("", name), wire.execute(), wire.copy_data(b"1\n"),
                      wire.copy_done(), wire.flush())
            conn.receive_until("C")
            conn.send(wire.close("S", name), wire.sync())
            assert [m.kind for m in conn.answer()] == ["3", "Z"]
        assert conn.scalar("SELECT count(*) FROM t") == "2"


def test_long_queue_and_a_newcomer(make_pool):
    """Both are served at once when the pause ends; neither's bytes become the other's."""
    pool = make_pool(workers=1, **TWO)
    with pool.connect() as greedy, pool.connect() as quick:
        greedy.query("SELECT 1")
        for turn in range(10):
            pool.process.send_signal(signal.SIGUSR1)
            time.sleep(0.25)
            count = 6000
            many = b"".join(bytes(wire.query(f"SELECT 'greedy {i}' /* {'g' * 100} */")) for i in range(count))
            sender = threading.Thread(target=greedy.sock.sendall, args=(many,))
            sender.start()
            time.sleep(0.15)
            pool.process.send_signal(signal.SIGUSR2)
            time.sleep(0.002 * turn)
            assert quick.scalar(f"SELECT 'quick {turn}' /* {'q' * 60000} */") == f"quick {turn}"
            for i in range(count):
                answer = greedy.answer()
                assert [m.cells() for m in answer if m.kind == "D"] == [[f"greedy {i}"]]
            sender.join()


def test_cancel_that_meets_our_own_statement(make_pool, db):
    """A cancel request while the session is looked at does not tie the client to its server for good."""
    pool = make_pool(**TWO)
    conn = pool.connect(db.name)
    for i in range(60):
        conn.send(wire.query(f"SET work_mem = '{100 + i}kB'"))
        if i % 3 == 0:
            time.sleep(0.0003 * (i % 7))
        conn.cancel()
        if conn.answer()[-1].kind == "E":  # it was in the queue
            conn.close()
            conn = pool.connect(db.name)
    time.sleep(0.2)
    with pool.connect(db.name) as other:
        assert other.scalar("SELECT 'served'") == "served"
    conn.close()


@pytest.mark.parametrize("begin", [[wire.query("SELECT 'mine' FROM pg_sleep(2)")],
                                   [wire.parse("", "SELECT 'mine' FROM pg_sleep(2)"), wire.bind("", ""),
                                    wire.execute(), wire.sync()]])
def test_server_that_ends_right_behind_an_answer(make_pool, cluster, begin):
    """Its last words come with the answer, and do not concern the client, which goes on elsewhere."""
    pool = make_pool(**TWO)
    with pool.connect() as conn, wire.Connection((str(cluster.folder), cluster.settings["port"])) as direct:
        pid = conn.scalar("SELECT pg_backend_pid()")
        conn.send(*begin)
        wait_for(lambda: direct.scalar(f"SELECT query LIKE '%pg_sleep(2)%' FROM pg_stat_activity WHERE pid = {pid}") == "t")
        pool.process.send_signal(signal.SIGSTOP)
        try:
            wait_for(lambda: direct.scalar(f"SELECT state FROM pg_stat_activity WHERE pid = {pid}") == "idle")
            direct.query(f"SELECT pg_terminate_backend({pid})")
            wait_for(lambda: direct.scalar(f"SELECT count(*) FROM pg_stat_activity WHERE pid = {pid}") == "0")
        finally:
            pool.process.send_signal(signal.SIGCONT)
        assert [m.cells() for m in conn.answer() if m.kind == "D"] == [["mine"]]
        assert conn.scalar("SELECT 'next'") == "next"
        assert not conn.buffer
