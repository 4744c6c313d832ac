"""The check of a catalog that changes while it is read: what it saw may be gone when it looks closer."""

import contextlib
import threading
import time

import psycopg
import pytest

RUN_S = 6

# Each session does its statements over and over, with a number of its own for each round.
SESSIONS = {
    "tables": [
        "CREATE TABLE c{n} (id serial PRIMARY KEY, p int REFERENCES base, t text);"
        " CREATE INDEX ON c{n} (p); CREATE INDEX ON c{n} (p, t); CREATE INDEX ON c{n} (lower(t))",
        "INSERT INTO c{n} (t) SELECT 'x' FROM generate_series(1, 50); ANALYZE c{n}",
        "ALTER TABLE c{n} RENAME TO d{n}",
        "ALTER TABLE d{n} ALTER id TYPE bigint",
        "DROP TABLE d{n}",
    ],
    "partitions": [
        "CREATE TABLE p{n} PARTITION OF parts FOR VALUES FROM ('2030-01-01'::date + {n})"
        " TO ('2030-01-01'::date + {n} + 1)",
        "ALTER TABLE parts DETACH PARTITION p{n}",
        "DROP TABLE p{n}",
    ],
    "indexes": [
        "CREATE INDEX i{n} ON other (v, w)",
        "REINDEX INDEX CONCURRENTLY i{n}",
        "DROP INDEX CONCURRENTLY i{n}",
    ],
    "sequences": [
        "CREATE SEQUENCE s{n} AS int; SELECT nextval('s{n}')",
        "ALTER SEQUENCE s{n} RENAME TO r{n}",
        "DROP SEQUENCE r{n}",
    ],
    "schemas": [
        "CREATE SCHEMA x{n}; CREATE TABLE x{n}.t (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, v text);"
        " CREATE PUBLICATION u{n} FOR TABLE x{n}.t; ALTER TABLE x{n}.t ENABLE ROW LEVEL SECURITY;"
        " CREATE POLICY y ON x{n}.t USING (true)",
        "DROP PUBLICATION u{n}; DROP SCHEMA x{n} CASCADE",
    ],
}

LOCKS = """
SELECT DISTINCT l.mode
FROM pg_locks AS l
JOIN pg_stat_activity AS a USING (pid)
WHERE l.locktype = 'relation' AND a.application_name LIKE 'pgmend%%' AND a.datname = %s
"""


class Moving:
    """The sessions that change the catalog, and one that looks at the locks of pgmend's."""

    def __init__(self, db):
        self.db = db
        self.end = threading.Event()
        self.turns = dict.fromkeys(SESSIONS, 0)
        self.modes = set()
        self.errors = []
        self.threads = [threading.Thread(target=self._guard, args=(self._change, name)) for name in SESSIONS]
        self.threads.append(threading.Thread(target=self._guard, args=(self._look,)))

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *exception):
        self.end.set()
        for thread in self.threads:
            thread.join()

    def _guard(self, work, *args):
        try:
            work(*args)
        except Exception as error:
            self.errors.append(error)

    def _change(self, name):
        with self.db.connect() as conn:
            conn.execute("SET log_min_messages = error")
            number = 0
            while not self.end.is_set():
                number += 1
                # The sessions may get into each other's way; the check is in no one's.
                with contextlib.suppress(psycopg.errors.DeadlockDetected):
                    for statement in SESSIONS[name]:
                        conn.execute(statement.format(n=number))
                    self.turns[name] += 1

    def _look(self):
        with self.db.connect() as conn:
            while not self.end.is_set():
                self.modes |= {mode for mode, in conn.execute(LOCKS, [self.db.name]).fetchall()}
                time.sleep(0.005)


def not_judged(pgmend, conninfo):
    done = pgmend("check", "--format=json", "--fail-on=never", conninfo)
    assert done.rc == 0, done
    assert done.err == "", done
    # The age of statistics is no matter of what happens here.
    return {c["id"]: c["reason"] for c in done.json()["checks"]
            if c["status"] == "not_judged" and not c["reason"].startswith("statistics are only")}


@pytest.mark.parametrize("rights", ["superuser", "pg_monitor"])
def test_catalog_that_changes_while_it_is_read(cluster, db, pgmend, rights):
    db.psql("CREATE TABLE base (id int PRIMARY KEY); CREATE TABLE other (v int, w int);"
            "INSERT INTO other SELECT i, i FROM generate_series(1, 20000) AS i;"
            "CREATE TABLE parts (d date, x int) PARTITION BY RANGE (d)")
    conninfo = db.conninfo
    if rights == "pg_monitor":
        db.execute("CREATE ROLE looks_on LOGIN; GRANT pg_monitor TO looks_on")
        conninfo = cluster.conninfo(db.name, user="looks_on")
    try:
        quiet = not_judged(pgmend, conninfo)
        with Moving(db) as moving:
            runs, end = 0, time.monotonic() + RUN_S
            while time.monotonic() < end or (time.monotonic() < end + 100 and
                                             (runs < 2 or min(moving.turns.values(), default=0) < 2)):
                odd = not_judged(pgmend, conninfo)
                runs += 1
                # Sequences that another session holds, or that may not be read, are left alone, and said.
                if any(word in odd.get("sequence_exhaustion", "") for word in ("are locked", "may not be read")):
                    del odd["sequence_exhaustion"]
                more = {check: reason for check, reason in odd.items() if quiet.get(check) != reason}
                assert not more
        assert not moving.errors, moving.errors
        assert runs >= 2 and min(moving.turns.values()) >= 2, (runs, moving.turns)
        assert moving.modes == {"AccessShareLock"}, moving.modes
    finally:
        if rights == "pg_monitor":
            db.execute("DROP ROLE looks_on")
