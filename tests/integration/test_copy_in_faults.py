"""copy-in: stopped at any point, it goes on with each row once; whatever happens around it is said."""

import os
import pathlib
import random
import signal
import subprocess
import threading
import time

import pytest

import cluster as clusters
from changes import wait_until

ROWS = 20000


@pytest.fixture(scope="module")
def own_cluster():
    """For what a shared one must not suffer."""
    with clusters.Cluster() as server:
        yield server.start()


@pytest.fixture
def items(db):
    db.execute("CREATE TABLE t (id int, v text)")
    return db


@pytest.fixture
def slow_items(items):
    """Each COPY or INSERT takes its time, so that there is some to be killed in."""
    items.psql("""
        CREATE FUNCTION rest() RETURNS trigger LANGUAGE plpgsql AS
            $$BEGIN PERFORM pg_catalog.pg_sleep(0.02); RETURN NULL; END$$;
        CREATE TRIGGER rest BEFORE INSERT ON t FOR EACH STATEMENT EXECUTE FUNCTION rest();
    """)
    return items


def row(i, kind="csv"):
    text = f"{i:06}" + "x" * (i % 90)
    if kind == "ndjson":
        return f'{{"id":{i},"v":"{text}"}}\n'
    return f'{i},"{text}\n{i}"\n' if i % 10 == 0 else f"{i},{text}\n"


def write(folder, kind="csv", rows=ROWS, bad=()):
    path = folder / f"t.{kind}"
    head = "" if kind == "ndjson" else "id,v\n"
    path.write_text(head + "".join(f"{i},{i},{i}\n" if i in bad else row(i, kind) for i in range(rows)))
    return path


def there(db):
    return [r[0] for r in db.query("SELECT id FROM t ORDER BY id")]


def killed(pgmend, db, *args):
    """Runs it again and again, each time killed after something more was committed, until it ends."""
    kills = 0
    more = []
    while True:
        child = pgmend.popen("copy-in", "t", *args, *more, db.conninfo)
        before = db.scalar("SELECT count(*) FROM t")
        wait_until(lambda: child.poll() is not None or db.scalar("SELECT count(*) FROM t") > before)
        time.sleep(random.random() * 0.03)
        if kills < 4 and child.poll() is None:
            child.kill()
            kills += 1
        out, err = child.communicate(timeout=90)
        if child.returncode != -signal.SIGKILL:
            return child.returncode, kills, out + err
        # Its session sees only when it next reads that its client is gone: until then a row may come.
        assert wait_until(lambda: db.scalar("SELECT count(*) FROM pg_stat_activity WHERE datname = "
                                            "current_database() AND pid <> pg_backend_pid()") == 0)
        more = ["--resume"]


@pytest.mark.parametrize("kind", ["csv", "ndjson", "csv.gz"])
def test_killed_and_resumed_each_row_is_there_once(slow_items, pgmend, tmp_path, kind):
    path = write(tmp_path, kind.removesuffix(".gz"))
    if kind == "csv.gz":
        subprocess.run(["gzip", path], check=True)
        path = tmp_path / "t.csv.gz"
    code, kills, text = killed(pgmend, slow_items, path, "--commit-every=40kB")
    assert code == 0 and kills > 0, text
    assert there(slow_items) == list(range(ROWS))
    assert slow_items.query("SELECT state, rows FROM pgmend.copy_in") == [("done", ROWS)]
    done = pgmend("copy-in", "t", path, "--resume", slow_items.conninfo)
    assert done.rc == 0 and "is loaded already" in done.err and len(there(slow_items)) == ROWS, done


def test_killed_and_resumed_with_rejected_rows(slow_items, pgmend, tmp_path):
    bad = set(random.sample(range(ROWS), 60))
    path = write(tmp_path, bad=bad)
    reject = tmp_path / "rejects"
    code, kills, text = killed(pgmend, slow_items, path, "--commit-every=60kB", "--reject", reject)
    assert code == 1 and kills > 0, text
    assert there(slow_items) == sorted(set(range(ROWS)) - bad)
    assert reject.read_text() == "id,v\n" + "".join(f"{i},{i},{i}\n" for i in sorted(bad))
    assert len(pathlib.Path(f"{reject}.reasons").read_text().splitlines()) == 61


def test_a_load_that_did_not_end_is_not_begun_anew_by_mistake(items, pgmend, tmp_path):
    path = write(tmp_path, rows=3000)
    path.write_text(path.read_text() + "bad,row\n")
    done = pgmend("copy-in", "t", path, "--commit-every=10kB", items.conninfo)
    count = len(there(items))
    assert done.rc == 4 and 0 < count < 3000, done
    assert f"committed: {count:,} rows of" in done.err and "--resume goes on" in done.err, done
    done = pgmend("copy-in", "t", path, items.conninfo)
    assert done.rc == 4 and "was loaded up to line" in done.err and "--restart" in done.err, done
    done = pgmend("copy-in", "t", path, "--resume", "--header=no", items.conninfo)
    assert done.rc == 2 and "with other options" in done.err, done
    done = pgmend("copy-in", "t", path, "--resume", items.conninfo)
    assert done.rc == 4 and "line " in done.err, done
    assert len(there(items)) == len(set(there(items)))
    # Another file, or this one longer, is another load.
    path.write_text(path.read_text().replace("bad,row\n", ""))
    items.execute("TRUNCATE t")
    assert pgmend("copy-in", "t", path, "--resume", items.conninfo).rc == 0
    assert there(items) == list(range(3000))


def test_several_files_and_atomic(items, pgmend, tmp_path):
    (tmp_path / "a.csv").write_text("id,v\n1,a\n")
    (tmp_path / "b.csv").write_text("v,id\nb,2\nx,y\n")
    files = [tmp_path / "a.csv", tmp_path / "b.csv"]
    done = pgmend("copy-in", "t", *files, "--atomic", items.conninfo)
    assert done.rc == 4 and "Nothing was committed" in done.err and there(items) == [], done
    done = pgmend("copy-in", "t", *files, items.conninfo)
    assert done.rc == 4 and there(items) == [1] and "a.csv, which is all of it" in done.err, done
    files[1].write_text("v,id\nb,2\n")
    done = pgmend("copy-in", "t", *files, "--resume", "--json", items.conninfo)
    assert done.rc == 0 and [f["state"] for f in done.json()["files"]] == ["before", "done"], done
    assert there(items) == [1, 2]


class Feed:
    """A load from standard input that the test writes to, row by row."""

    def __init__(self, pgmend, db, *args):
        self.db = db
        self.child = pgmend.popen("copy-in", "t", "-", "--commit-every=20kB", *args, "-d", db.conninfo,
                                  stdin=subprocess.PIPE)
        self.next = 0
        # The first megabyte is read before anything else: it tells the file from others.
        self.write("id,v\n")
        self.rows(25000)
        assert wait_until(lambda: len(there(db)) > 0)

    def write(self, text):
        self.child.stdin.write(text)

    def rows(self, count):
        for i in range(self.next, self.next + count):
            self.write(row(i))
        self.next += count
        self.child.stdin.flush()

    def end(self):
        try:
            self.rows(3000)
            self.child.stdin.close()
        except BrokenPipeError:
            pass
        self.child.stdin = None
        out, err = self.child.communicate(timeout=90)
        return self.child.returncode, out, err

    def text(self):
        return "id,v\n" + "".join(row(i) for i in range(self.next))


def resume(pgmend, db, feed, *args):
    done = pgmend("copy-in", "t", "-", "--commit-every=20kB", "--resume", *args, "-d", db.conninfo, input=feed.text())
    assert done.rc == 0, done
    assert there(db) == list(range(feed.next))


@pytest.mark.parametrize("careful", [False, True])
def test_a_backend_that_is_killed(items, pgmend, tmp_path, careful):
    more = ["--reject", tmp_path / "rejects"] if careful else []
    feed = Feed(pgmend, items, *more)
    items.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() "
                  "AND pid <> pg_backend_pid()")
    code, out, err = feed.end()
    assert code == 4 and "--resume" in err, (out, err)
    resume(pgmend, items, feed, *more)


@pytest.mark.parametrize("careful", [False, True])
def test_ctrl_c(items, pgmend, tmp_path, careful):
    more = ["--reject", tmp_path / "rejects"] if careful else []
    feed = Feed(pgmend, items, *more)
    feed.child.send_signal(signal.SIGINT)
    code, out, err = feed.end()
    assert code == 4 and "stopped by the user" in err and "committed: " in err, (out, err)
    resume(pgmend, items, feed, *more)


@pytest.mark.parametrize("careful", [False, True])
def test_a_key_that_another_transaction_holds(items, pgmend, tmp_path, careful):
    """It is waited for, longer than for the table."""
    items.execute("ALTER TABLE t ADD PRIMARY KEY (id)")
    path = write(tmp_path, rows=10)
    other = items.connect(autocommit=False)
    other.execute("INSERT INTO t VALUES (5, 'mine')")
    child = pgmend.popen("copy-in", "t", path, "--lock-timeout=10ms", *(["--on-conflict=id"] if careful else []),
                         items.conninfo)
    assert wait_until(lambda: child.poll() is not None or items.scalar(
        "SELECT count(*) FROM pg_locks WHERE NOT granted AND locktype = 'transactionid'") > 0)
    time.sleep(0.2)
    assert child.poll() is None, child.communicate()
    other.rollback()
    out, err = child.communicate(timeout=90)
    other.close()
    assert child.returncode == 0 and there(items) == list(range(10)), (out, err)


def test_a_table_dropped_under_it(items, pgmend):
    feed = Feed(pgmend, items)
    other = items.connect()
    other.execute("SET statement_timeout = 0")
    dropping = threading.Thread(target=other.execute, args=["DROP TABLE t"])
    dropping.start()
    assert wait_until(lambda: items.scalar("SELECT count(*) FROM pg_locks WHERE NOT granted") > 0)
    code, out, err = feed.end()
    dropping.join()
    other.close()
    assert code == 4 and "does not exist" in err and "committed: " in err, (out, err)


def test_a_server_that_restarts(own_cluster, pgmend):
    cluster = own_cluster
    db = cluster.new_database("restarted")
    db.execute("CREATE TABLE t (id int, v text)")
    feed = Feed(pgmend, db)
    cluster.restart("immediate")
    code, out, err = feed.end()
    assert code == 4 and "committed: " in err, (out, err)
    resume(pgmend, db, feed)


def held(db):
    other = db.connect(autocommit=False)
    other.execute("LOCK TABLE t IN ACCESS EXCLUSIVE MODE")
    return other


def waits(db, child):
    assert wait_until(lambda: child.poll() is not None or db.scalar(
        "SELECT count(*) FROM pg_locks WHERE NOT granted AND relation = 't'::regclass") > 0)
    assert child.poll() is None, child.communicate()


def test_locks_are_waited_for_in_short_tries(items, pgmend, tmp_path):
    path = write(tmp_path, rows=10)
    other = held(items)
    done = pgmend("copy-in", "t", path, "--lock-timeout=50ms", "--max-wait=300ms", items.conninfo)
    assert done.rc == 4 and "waiting for" in done.err and "lock" in done.err, done
    child = pgmend.popen("copy-in", "t", path, items.conninfo)
    waits(items, child)
    other.rollback()
    out, err = child.communicate(timeout=90)
    assert child.returncode == 0 and there(items) == list(range(10)), (out, err)
    other.close()


@pytest.mark.parametrize("what", ["grows", "is cut", "vanishes"])
def test_a_file_that_changes_meanwhile(items, pgmend, tmp_path, what):
    """It is looked at before the table is locked, and read after."""
    path = write(tmp_path, rows=40000)
    size = path.stat().st_size
    other = held(items)
    child = pgmend.popen("copy-in", "t", path, items.conninfo)
    waits(items, child)
    if what == "grows":
        with open(path, "a", encoding="utf-8") as stream:
            stream.write(row(40001))
    elif what == "is cut":
        os.truncate(path, size // 2)
    else:
        path.unlink()
    other.rollback()
    out, err = child.communicate(timeout=90)
    other.close()
    if what == "is cut":
        assert child.returncode == 4 and "was cut while it was read" in err and there(items) == [], (out, err)
        return
    assert child.returncode == 0 and there(items) == list(range(40000)), (out, err)
    assert ("grew while it was read" in err) == (what == "grows")


def test_two_loads_of_one_file(items, pgmend, tmp_path):
    path = write(tmp_path, rows=10)
    other = held(items)
    child = pgmend.popen("copy-in", "t", path, items.conninfo)
    waits(items, child)
    done = pgmend("copy-in", "t", path, items.conninfo)
    assert done.rc == 4 and "another pgmend is loading" in done.err, done
    other.rollback()
    child.communicate(timeout=90)
    assert child.returncode == 0 and there(items) == list(range(10))
    other.close()


def test_rows_that_are_too_long(items, pgmend, tmp_path):
    """A quote that never closes: told, with its line, in bounded memory."""
    path = tmp_path / "long.csv"
    path.write_text('id,v\n1,a\n2,"')
    os.truncate(path, 20 << 20)  # of NULs
    done = pgmend("copy-in", "t", path, "--max-row=4MB", items.conninfo)
    assert done.rc == 4 and "line 3: the row that begins here is longer than 4 MB" in done.err, done
    assert "The quote of line 3 may never be closed" in done.err and there(items) == [], done


def test_a_full_disk(small_disk, pgmend, tmp_path):
    server, resize = small_disk("2m")
    db = server.new_database("disk")
    db.execute("CREATE TABLE t (id int, v text) TABLESPACE tiny")
    path = write(tmp_path, rows=40000)
    done = pgmend("copy-in", "t", path, "--commit-every=200kB", db.conninfo)
    assert done.rc == 4 and "No space left on device" in done.err and "committed: " in done.err, done
    resize("64m")
    assert pgmend("copy-in", "t", path, "--resume", db.conninfo).rc == 0
    assert there(db) == list(range(40000))
