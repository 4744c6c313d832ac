"""purge where children are found in other ways than by one plain column, where rows move while they are deleted, and
where the server itself is killed."""

import threading
import time

import pytest

from changes import plan_state, wait_until


def kinds(db):
    """Keys of several columns and types, of a key that is not the primary one, and none that is all of it."""
    db.psql("""
        CREATE TABLE root (a int, b text COLLATE "C", code uuid UNIQUE, n numeric UNIQUE, "gone" bool, PRIMARY KEY (a, b));
        CREATE TABLE pairs (id bigint PRIMARY KEY, a bigint, b varchar(20), FOREIGN KEY (a, b) REFERENCES root ON DELETE CASCADE);
        CREATE TABLE codes (code uuid REFERENCES root (code) ON DELETE CASCADE, t text);
        CREATE TABLE numbers (i int PRIMARY KEY, n int REFERENCES root (n) ON DELETE CASCADE);
        CREATE TABLE nulls (i int PRIMARY KEY, a int, b text, FOREIGN KEY (a, b) REFERENCES root ON DELETE SET NULL);
        CREATE TABLE below (id bigint REFERENCES pairs ON DELETE CASCADE);
        INSERT INTO root SELECT i, '"{k,' || i || '}\\', CASE WHEN i % 3 > 0 THEN md5(i::text)::uuid END, i FROM generate_series(1, 300) i;
        INSERT INTO pairs SELECT i, i % 300 + 1, '"{k,' || i % 300 + 1 || '}\\' FROM generate_series(1, 1500) i;
        INSERT INTO codes SELECT code, 'x' FROM root, generate_series(1, 3);
        INSERT INTO numbers SELECT i, i % 300 + 1 FROM generate_series(1, 900) i;
        INSERT INTO nulls SELECT i, a, b FROM root, generate_series(a * 2, a * 2 + 1) i;
        INSERT INTO below SELECT i % 1500 + 1 FROM generate_series(1, 3000) i;
        CREATE INDEX ON pairs (a, b); CREATE INDEX ON codes (code); CREATE INDEX ON numbers (n);
        CREATE INDEX ON nulls (a, b); CREATE INDEX ON below (id);
        ANALYZE""")
    return ("root", "pairs", "codes", "numbers", "nulls", "below")


@pytest.mark.parametrize("where", ["a <= 120", "a IN (SELECT g FROM generate_series(1, 120) g)"])
@pytest.mark.parametrize("options", [(), ("--skip-ri",)])
def test_keys_of_every_kind(db, pgmend, options, where):
    names = kinds(db)
    before = {name: set(db.query(f"SELECT x::text FROM {name} x")) for name in names}
    with db.connect() as conn:
        conn.autocommit = False
        conn.execute(f"DELETE FROM root WHERE {where}")
        expected = {name: sorted(conn.execute(f"SELECT x::text FROM {name} x").fetchall()) for name in names}
        conn.rollback()
    done = pgmend("purge", "root", "--where", where, "--apply", "--batch-time=5ms", *options, db.conninfo)
    assert done.rc == 0, done
    assert {name: sorted(db.query(f"SELECT x::text FROM {name} x")) for name in names} == expected
    assert before["pairs"] - set(expected["pairs"])


def test_many_children_of_one_parent(db, pgmend):
    """A batch holds some of them; one that got another parent meanwhile stays."""
    db.psql("""CREATE TABLE jobs (id int PRIMARY KEY);
               CREATE TABLE acts (id int PRIMARY KEY, job int NOT NULL REFERENCES jobs ON DELETE CASCADE);
               INSERT INTO jobs VALUES (1), (2);
               INSERT INTO acts SELECT i, i % 2 + 1 FROM generate_series(1, 30000) i;
               CREATE INDEX ON acts (job); ANALYZE""")
    with db.connect() as other:
        other.autocommit = False
        other.execute("UPDATE acts SET job = 2 WHERE id = 20000")
        child = pgmend.popen("purge", "jobs", "--where", "id = 1", "--apply", "--batch-time=5ms", db.conninfo)
        assert wait_until(lambda: db.scalar("SELECT count(*) FROM acts") < 30000)
        other.commit()
        assert child.wait(60) == 0, child.stdout.read() + child.stderr.read()
    assert db.scalar("SELECT count(*) FROM acts") == 15001
    assert db.scalar("SELECT job FROM acts WHERE id = 20000") == 2


def test_a_parent_that_is_saved_meanwhile_keeps_its_children(db, pgmend):
    """Row by row, while batches run: a parent and its children go together or stay together."""
    db.psql("""CREATE TABLE jobs (id int PRIMARY KEY, old bool NOT NULL);
               CREATE TABLE acts (id int PRIMARY KEY, job int NOT NULL REFERENCES jobs ON DELETE CASCADE);
               INSERT INTO jobs SELECT i, true FROM generate_series(1, 3000) i;
               INSERT INTO acts SELECT i, i % 3000 + 1 FROM generate_series(1, 9000) i;
               CREATE INDEX ON acts (job); ANALYZE""")
    stop = threading.Event()

    def save():
        with db.connect() as conn:
            number = 3000
            while not stop.is_set() and number > 0:
                conn.execute("UPDATE jobs SET old = false WHERE id = %s", [number])
                number -= 7

    thread = threading.Thread(target=save)
    thread.start()
    try:
        done = pgmend("purge", "jobs", "--where", "old", "--apply", "--batch-time=5ms", "--rest=2ms", db.conninfo)
    finally:
        stop.set()
        thread.join()
    assert done.rc == 0, done
    left = db.scalar("SELECT count(*) FROM jobs")
    assert left == db.scalar("SELECT count(*) FROM jobs WHERE NOT old")
    assert db.scalar("SELECT count(*) FROM acts") == 3 * left


def test_the_server_is_killed(make_cluster, pgmend):
    """What batches deleted without waiting for the disk may come back with their cursor: the purge goes on there."""
    server = make_cluster(synchronous_commit="on")
    db = server.new_database("crash")
    db.psql("""CREATE TABLE jobs (id int PRIMARY KEY);
               CREATE TABLE acts (id int PRIMARY KEY, job int REFERENCES jobs ON DELETE CASCADE);
               INSERT INTO jobs SELECT i FROM generate_series(1, 6000) i;
               INSERT INTO acts SELECT i, i % 6000 + 1 FROM generate_series(1, 18000) i;
               CREATE INDEX ON acts (job); ANALYZE""")
    command = ("purge", "jobs", "--where", "id % 3 > 0", "--apply")
    for _ in range(2):
        before = db.scalar("SELECT count(*) FROM jobs")
        child = pgmend.popen(*command, "--batch-time=5ms", "--rest=30ms", db.conninfo)
        wait_until(lambda low=before: child.poll() is not None or db.scalar("SELECT count(*) FROM jobs") < low)
        time.sleep(0.1)
        server.restart("immediate")
        child.wait(60)
    done = pgmend(*command, db.conninfo)
    assert done.rc == 0, done
    assert db.query("SELECT count(*), sum((id % 3 > 0)::int) FROM jobs") == [(2000, 0)]
    assert db.scalar("SELECT count(*) FROM acts") == 6000
    assert db.scalar("SELECT count(*) FROM acts a WHERE NOT EXISTS (SELECT FROM jobs j WHERE j.id = a.job)") == 0
    assert plan_state(db) == "done"
