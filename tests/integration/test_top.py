"""pgmend top: what it shows of a pooler once, round by round, on a screen, and where it cannot."""

import fcntl
import json
import os
import pty
import re
import signal
import struct
import termios

import psycopg
import pytest
import wire

from pooling import wait_for


def console(pool, **more):
    return pool.conninfo("pgbouncer", **more)


@pytest.fixture
def busy(make_pool):
    """A pooler that has seen some statements."""
    pool = make_pool(default_pool_size=2)
    with psycopg.connect(pool.conninfo(), autocommit=True) as conn:
        with conn.transaction():
            for number in range(20):
                conn.execute(f"SELECT relname FROM pg_class WHERE oid = {number}")
        with pytest.raises(psycopg.Error):
            conn.execute("SELECT 1/0")
        conn.execute("SELECT pg_sleep(0.05)")
    return pool


def table_of(text):
    """The rows under the head, by their first cell's place: [query, cells]."""
    lines = text.splitlines()
    head = next(i for i, line in enumerate(lines) if line.strip().startswith("time%"))
    return lines[head].split(), [line.split() for line in lines[head + 1:] if line.strip()]


def test_once(busy, pgmend):
    done = pgmend("top", "--once", console(busy))
    assert done.rc == 0, done
    assert re.match(rf"127\.0\.0\.1:{busy.port}, 5 statements, since the pooler began\n"
                    r"clients: \d+, 0 waiting; servers: 1, 0 active, 1 idle\n"
                    r"transactions: 3, \d+\.\d\d ms each, \d+\.\d\d ms of it the client idled\n\n", done.out), done
    head, rows = table_of(done.out)
    assert head[:3] == ["time%", "calls", "calls/s"] and "N+1" in head and head[-1] == "query"
    shares = [float(row[0]) for row in rows]
    assert shares == sorted(shares, reverse=True) and 99 < sum(shares) < 101  # the most time first
    assert "pg_sleep(?)" in [row[-1] for row in rows]
    by_errors = table_of(pgmend("top", "--once", "--sort", "errors", console(busy)).out)[1]
    assert by_errors[0][-1] == "?/?"
    by_bursts = table_of(pgmend("top", "--once", "-s", "n+1", "-n", "1", console(busy)).out)[1]
    assert len(by_bursts) == 1 and by_bursts[0][-1] == "?" and "pg_class" in by_bursts[0]


def test_what_holds_the_pool_up(busy, pgmend):
    with psycopg.connect(busy.conninfo()) as holder, psycopg.connect(busy.conninfo(), autocommit=True) as listener:
        holder.execute("SELECT 1")
        listener.execute("LISTEN news")
        wait_for(lambda: busy.console("SHOW PINNED"))
        busy.console("PAUSE nothing_such")
        done = pgmend("top", "--once", console(busy))
        assert "; pinned: 1 (listen 1)\n" in done.out and "\nPaused: nothing_such\n" in done.out, done
        assert "servers: 2, 2 active, 0 idle" in done.out
        pool = pgmend("top", "--once", "--format", "json", console(busy)).json()["pool"]
        assert pool["pinned"] == {"clients": 1, "reasons": {"listen": 1}}
        assert (pool["servers_active"], pool["waiting"], pool["state"]) == (2, 0, "active")
        assert pool["paused"] == ["nothing_such"] and pool["transactions"]["count"] >= 3


def test_rounds_show_what_is_new(busy, pgmend):
    child = pgmend.popen("top", "-i", "100ms", "--format", "json", console(busy))
    first = json.loads(child.stdout.readline())
    assert first["schema"] == "pgmend.top/1" and first["seconds"] == 0
    assert {q["query"]: q["new_calls"] for q in first["queries"]}["SELECT relname FROM pg_class WHERE oid = ?"] == 20
    with psycopg.connect(busy.conninfo(), autocommit=True) as conn:
        for _ in range(7):
            conn.execute("SELECT 'new'")
    seen = {}
    while seen.get("SELECT ?", 0) < 7:
        line = json.loads(child.stdout.readline())
        assert line["seconds"] > 0
        for query in line["queries"]:
            seen[query["query"]] = seen.get(query["query"], 0) + query["new_calls"]
    assert seen["SELECT ?"] == 7 and seen["SELECT relname FROM pg_class WHERE oid = ?"] == 0
    child.send_signal(signal.SIGINT)
    child.stdout.read()
    assert child.wait(60) == 0


def test_letters_of_another_encoding(busy, pgmend):
    """Names that clients send can be any bytes; no statement is left out of the JSON for them."""
    with busy.connect() as conn:
        conn.run(wire.message(b"Q", b"SELECT 1 AS a\xfcb\0"))
    shown = pgmend("top", "--once", "--format", "json", console(busy)).json()
    assert "SELECT ? AS a?b" in [query["query"] for query in shown["queries"]]


class Screen:
    """A program on a terminal of so many lines and columns."""

    def __init__(self, pgmend, lines, columns, *args):
        self.master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))
        self.child = pgmend.popen(*args, env={"TERM": "xterm"}, stdin=slave, stdout=slave, stderr=slave,
                                  start_new_session=True)
        os.close(slave)
        self.shown = b""

    def rounds(self, count):
        """Waits for so many whole ones; each as lines without escape sequences."""
        while self.shown.count(b"\033[H") <= count:
            self.shown += os.read(self.master, 65536)
        return [re.sub(r"\033\[[0-9;]*[A-Za-z]", "", part.decode()).replace("\r", "").splitlines()
                for part in self.shown.split(b"\033[H")[1:count + 1]]

    def close(self):
        os.close(self.master)


@pytest.mark.parametrize("lines,columns", [(24, 80), (12, 60), (40, 160)])
def test_on_a_screen(busy, pgmend, lines, columns):
    """No line goes beyond the edge, and the heading stays on the screen, however long and many the statements."""
    with psycopg.connect(busy.conninfo(), autocommit=True) as conn:
        for number in range(50):
            conn.execute(f"SELECT {', '.join(f'1 AS süß_{number}_{i}' for i in range(20))}")
    screen = Screen(pgmend, lines, columns, "top", "-i", "100ms", console(busy))
    for shown in screen.rounds(3):
        assert max(map(len, shown)) <= columns, shown
        assert len(shown) < lines and shown[0].startswith("127.0.0.1:"), shown
        assert len(shown) == lines - 1 or lines == 40, shown
        assert any("SELECT ?" in line for line in shown) or columns == 60
    os.write(screen.master, b"xq")
    wait_for(lambda: screen.child.poll() is not None)
    assert screen.child.returncode == 0
    screen.close()


def test_what_it_cannot_do(busy, pgmend, make_pool):
    assert pgmend("top", "--sort", "size", console(busy)).rc == 2
    assert pgmend("top", "-i", "1ms", console(busy)).rc == 2
    refused = pgmend("top", "--once", console(busy, user="stranger"))
    assert refused.rc == 3, refused
    with psycopg.connect(busy.conninfo()) as conn:  # a database that is no console
        other = pgmend("top", "--once", busy.conninfo("postgres"))
        conn.rollback()
    assert other.rc == 4 and "SHOW QUERIES" in other.err, other
    busy.stop()
    gone = pgmend("top", "--once", console(busy))
    assert gone.rc == 3, gone
