"""A full disk in the middle of a conversion that copies, and of a purge: nothing is lost, and with room it goes on."""

import os

from changes import plan_state
from cluster import Database

TABLE = """
    CREATE TABLE log (id int, at date NOT NULL, txt text NOT NULL, PRIMARY KEY (id, at)) PARTITION BY RANGE (at);
    CREATE TABLE log_old PARTITION OF log FOR VALUES FROM (MINVALUE) TO ('2030-01-01');
    INSERT INTO log SELECT i, date '2026-01-01' + i % 90, repeat('x', 100) FROM generate_series(1, 40000) i;
    ANALYZE log;
"""


def in_it(small_disk, script, room_bytes):
    """All of the database lies on the small disk, the ledger, too; so much is free there."""
    server, resize = small_disk("200m")
    with server.connect() as conn:
        conn.execute("CREATE DATABASE disk TEMPLATE template0 TABLESPACE tiny")
    db = Database(server, "disk")
    db.psql(script + "CHECKPOINT")
    disk = os.statvfs(server.folder / "tiny")
    resize((disk.f_blocks - disk.f_bfree) * disk.f_frsize + room_bytes)
    return db, lambda: resize("200m")


def test_split(small_disk, pgmend):
    db, clear = in_it(small_disk, TABLE, 2 << 20)
    before = db.query("SELECT count(*), sum(hashtextextended(t::text, 0)) FROM log t")
    command = ("partition", "log", "--method=split", "--interval=month", "--apply", "--yes", db.conninfo)
    done = pgmend(*command)
    assert done.rc == 4 and "No space left on device" in done.err, done
    assert db.query("SELECT count(*), sum(hashtextextended(t::text, 0)) FROM log t") == before
    clear()
    db.execute("UPDATE log SET txt = 'changed meanwhile' WHERE id = 77")
    done = pgmend(*command)
    assert done.rc == 0, done
    assert db.query("SELECT count(*), min(id), max(id) FROM log") == [(40000, 1, 40000)]
    assert db.query("SELECT tableoid::regclass::text, txt FROM log WHERE id = 77") == [("log_p20260301", "changed meanwhile")]
    assert plan_state(db) == "done"


def test_purge(small_disk, pgmend):
    """The keys of what goes are written down first: where there is no room for them, nothing has gone."""
    db, clear = in_it(small_disk, """CREATE TABLE jobs (id uuid PRIMARY KEY, n int);
        CREATE TABLE acts (id serial PRIMARY KEY, job uuid REFERENCES jobs ON DELETE CASCADE);
        INSERT INTO jobs SELECT md5(i::text)::uuid, i FROM generate_series(1, 40000) i;
        INSERT INTO acts (job) SELECT id FROM jobs WHERE n < 1000;
        CREATE INDEX ON acts (job); ANALYZE;""", 1 << 20)
    command = ("purge", "jobs", "--where", "n > 10", "--apply", "--yes", db.conninfo)
    done = pgmend(*command)
    assert done.rc == 4 and "No space left on device" in done.err, done
    assert db.query("SELECT count(*), (SELECT count(*) FROM acts) FROM jobs") == [(40000, 999)]
    clear()
    done = pgmend(*command)
    assert done.rc == 0, done
    assert db.query("SELECT count(*), (SELECT count(*) FROM acts) FROM jobs") == [(10, 10)]
