"""pgmend partition --method split: a partition is cut into months while writers change it. Each test compares the
table with what its writers know that they wrote, whatever was killed meanwhile."""

import signal
import time

import pytest
from psycopg import sql

from cluster import Database
from changes import plan_state, step_states, wait_until
from conftest import Program, find_binary
from copying import Load

ROWS = 6000
TABLE = sql.Identifier('S "x', 'Tab;le"1')
OLD = sql.Identifier('S "x', "Old one")
COLUMNS = {"id": 'I"d', "at": "At $1", "txt": "select"}
AS_TYPED = '"S ""x"."Tab;le""1"'

SETUP = f"""
CREATE SCHEMA "S ""x";
SET search_path = "S ""x";
CREATE TABLE "us'ers" (id int PRIMARY KEY);
INSERT INTO "us'ers" SELECT generate_series(0, 9);
CREATE TABLE "Tab;le""1" ("I""d" bigint NOT NULL, user_id int DEFAULT 1 REFERENCES "us'ers", "At $1" timestamptz NOT NULL,
    "select" text CHECK ("select" <> ''), twice bigint GENERATED ALWAYS AS ("I""d" * 2) STORED, gone int, js json,
    PRIMARY KEY ("I""d", "At $1")) PARTITION BY RANGE ("At $1");
ALTER TABLE "Tab;le""1" DROP gone;
CREATE INDEX ON "Tab;le""1" (user_id, "At $1");
CREATE TABLE "Old one" PARTITION OF "Tab;le""1" FOR VALUES FROM (MINVALUE) TO ('2026-10-01 00:00:00+00');
CREATE TABLE "New one" PARTITION OF "Tab;le""1" FOR VALUES FROM ('2026-10-01 00:00:00+00') TO ('2027-01-01 00:00:00+00');
INSERT INTO "Tab;le""1" SELECT i, i % 10, timestamptz '2026-05-02' + i * interval '30 minutes', 'old ' || i
  FROM generate_series(1, {ROWS}) AS i;
INSERT INTO "Tab;le""1" VALUES (0, 1, '-infinity', 'long ago');
"""


@pytest.fixture
def live(db):
    db.psql(SETUP)
    return db


def partition(pgmend, db, *options):
    return pgmend("partition", AS_TYPED, "--method=split", "--interval=month", *options, db.conninfo)


def old_rows(db):
    """Count and sum of what no writer touches."""
    return db.query(sql.SQL("SELECT count(*), sum(hashtextextended(t::text, 0)) FROM {} AS t WHERE {} < 1000000")
                    .format(TABLE, sql.Identifier(COLUMNS["id"])))


def partitions(db):
    return [row[0] for row in db.query("SELECT c.relname FROM pg_inherits i JOIN pg_class c ON c.oid = inhrelid "
                                       "WHERE inhparent = %s::regclass ORDER BY 1", [AS_TYPED])]


def left_over(db):
    """What a rollback must not leave: triggers, functions and tables of ours."""
    return db.query("SELECT tgname FROM pg_trigger WHERE tgname LIKE 'pgmend%' UNION ALL SELECT proname FROM pg_proc "
                    "WHERE proname LIKE 'copy\\_%' UNION ALL SELECT relname FROM pg_class WHERE relname LIKE 'copy\\_%' "
                    "OR relname LIKE 'Tab;le\"1\\_p%' AND relname NOT LIKE '%pkey'")


def is_split(db):
    assert partitions(db)[0] == "New one" and len(partitions(db)) == 6
    assert db.scalar("SELECT count(*) FROM pg_constraint WHERE contype = 'f' AND conparentid <> 0 AND convalidated "
                     "AND conrelid IN (SELECT inhrelid FROM pg_inherits)") == 6


def plan_file(pgmend, db, tmp_path):
    path = tmp_path / "split.sql"
    made = partition(pgmend, db, "--out", path)
    assert made.rc == 0, made
    return path


def test_split_and_back_under_load(live, pgmend, tmp_path):
    before = old_rows(live)
    path = plan_file(pgmend, live, tmp_path)
    with Load(live, TABLE, COLUMNS) as load:
        done = pgmend("apply", path, live.conninfo)
        assert done.rc == 0, done
        assert "equal" in done.out
        is_split(live)
        after = load.statements
        assert wait_until(lambda: load.statements > after + 100)
        load.finish()
        rows = load.check()
    assert rows > 20 and old_rows(live) == before
    # Nothing that is written now is lost by a rollback.
    with Load(live, TABLE, COLUMNS, first_id=2_000_000) as load:
        undone = pgmend("rollback", live.conninfo)
        assert undone.rc == 0, undone
        load.finish()
        load.check()
    assert partitions(live) == ["New one", "Old one"] and old_rows(live) == before
    assert not left_over(live) and step_states(live) == ["undone"] * 5


def test_keep_leaves_the_older_rows_together(live, pgmend):
    before = old_rows(live)
    shown = partition(pgmend, live, "--keep=2")
    assert shown.rc == 0 and "stay together in partition" in shown.out, shown
    done = partition(pgmend, live, "--keep=2", "--apply", "--yes")
    assert done.rc == 0, done
    assert partitions(live) == ["New one", 'Tab;le"1_old', 'Tab;le"1_p20260801', 'Tab;le"1_p20260901']
    assert live.scalar(f"""SELECT max("At $1") < '2026-08-01 00:00Z' FROM "S ""x"."Tab;le""1_old" """)
    assert old_rows(live) == before
    retired = pgmend("partition", "--upkeep", AS_TYPED, "--as-of", "2026-10-15", "--interval", "1 month",
                     "--retention", "2 months", "-d", live.conninfo)
    assert retired.rc in (0, 1) and 'Tab;le"1_old' not in partitions(live), retired
    assert live.scalar('SELECT count(*) FROM "S ""x"."Tab;le""1_old"') > 3000
    adopt = pgmend("partition", AS_TYPED, "--by", "At $1", "--interval=month", "--keep=2", live.conninfo)
    assert adopt.rc == 2 and "--keep goes with" in adopt.err, adopt


def test_the_same_command_goes_on(live, pgmend):
    """Without a Plan file: the ledger has it."""
    before = old_rows(live)
    with live.connect(autocommit=False) as reader:
        reader.execute(sql.SQL("SELECT count(*) FROM {}").format(TABLE))
        failed = partition(pgmend, live, "--apply", "--yes", "--lock-deadline=300ms")
        assert failed.rc == 4 and "no lock for the swap" in failed.err, failed
    shown = partition(pgmend, live)
    assert shown.rc == 1 and "its split was begun" in shown.out and "pgmend rollback" in shown.out, shown
    done = partition(pgmend, live, "--apply", "--yes")
    assert done.rc == 0, done
    is_split(live)
    assert old_rows(live) == before and live.scalar("SELECT count(*) FROM pgmend.plan") == 1


def test_finish(live, pgmend):
    done = partition(pgmend, live, "--apply", "--yes")
    assert done.rc == 0, done
    before = old_rows(live)
    finished = pgmend("partition", AS_TYPED, "--finish", "--apply", live.conninfo)
    assert finished.rc == 0, finished
    assert live.scalar("SELECT count(*) FROM pg_class WHERE relname = 'Old one'") == 0
    assert live.query("SELECT tgname FROM pg_trigger WHERE tgname LIKE 'pgmend%'") == []
    assert live.scalar("SELECT count(*) FROM pg_constraint WHERE conname LIKE '%pgmend%'") == 0
    assert old_rows(live) == before
    again = pgmend("partition", AS_TYPED, "--finish", live.conninfo)
    assert again.rc == 0 and "nothing to finish" in again.out, again


def kill_at(child, seconds):
    time.sleep(seconds)
    child.send_signal(signal.SIGKILL)
    child.wait(60)


def test_killed_again_and_again_under_load(live, pgmend, tmp_path):
    before = old_rows(live)
    path = plan_file(pgmend, live, tmp_path)
    with Load(live, TABLE, COLUMNS) as load:
        for seconds in (0.15, 0.4, 0.6, 0.8, 1.0, 1.3):
            kill_at(pgmend.popen("apply", path, live.conninfo), seconds)
        done = pgmend("apply", path, live.conninfo)
        assert done.rc == 0, done
        is_split(live)
        for seconds in (0.2, 0.6, 1.0):
            kill_at(pgmend.popen("rollback", live.conninfo), seconds)
        undone = pgmend("rollback", live.conninfo)
        assert undone.rc == 0, undone
        load.finish()
        load.check()
    assert partitions(live) == ["New one", "Old one"] and old_rows(live) == before and not left_over(live)


# An index that takes an advisory lock for each row: who holds it keeps the index from being built.
MORE_INDEXES = """
SET search_path = "S ""x";
CREATE FUNCTION slow(text) RETURNS text IMMUTABLE LANGUAGE plpgsql AS
    'BEGIN PERFORM pg_catalog.pg_advisory_xact_lock_shared(4711); RETURN $1; END';
CREATE INDEX "first; ON ONLY" ON "Tab;le""1" USING btree ("select" text_pattern_ops DESC) WITH (fillfactor = 70) WHERE user_id > 2;
CREATE INDEX twin_1 ON "Tab;le""1" (twice);
CREATE INDEX twin_2 ON "Tab;le""1" (twice);
CREATE INDEX last ON "Tab;le""1" ("S ""x".slow("select"));
"""


def index_sets(db):
    """The definitions of the indexes of each partition, those that are part of an index of the table."""
    return {row[0] for row in db.query("""
        SELECT array_agg(d.definition ORDER BY d.definition)::text
          FROM pg_inherits AS p JOIN pg_index AS x ON x.indrelid = p.inhrelid AND x.indisvalid
          JOIN pg_inherits AS i ON i.inhrelid = x.indexrelid
         CROSS JOIN LATERAL (SELECT substring(pg_get_indexdef(x.indexrelid) FROM ' USING .*') AS definition) AS d
         WHERE p.inhparent = %s::regclass GROUP BY p.inhrelid""", [AS_TYPED])}


@pytest.mark.parametrize("way", ["resumed", "undone"])
def test_killed_between_two_indexes_of_the_copy(live, pgmend, tmp_path, way):
    """They are built when the rows are copied, one after the other."""
    live.psql(MORE_INDEXES)
    before, indexes = old_rows(live), index_sets(live)
    path = plan_file(pgmend, live, tmp_path)
    staged = """SELECT count(*) FROM pg_index WHERE indrelid = to_regclass('"S ""x"."Tab;le""1_pgmend_split"')"""
    with live.connect() as holder:
        holder.execute("SELECT pg_advisory_lock(4711)")
        child = pgmend.popen("apply", path, live.conninfo)
        assert wait_until(lambda: child.poll() is not None or live.scalar(staged) == 5)
        kill_at(child, 0)
        # Its session goes on until its try is over; with the lock it would build the last one.
        assert wait_until(lambda: live.scalar(
            "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted AND database = "
            "(SELECT oid FROM pg_database WHERE datname = current_database())") == 0)
        assert live.scalar(staged) == 5  # the primary key, and all but the last
    done = pgmend("apply" if way == "resumed" else "rollback", *([path] if way == "resumed" else []), live.conninfo)
    assert done.rc == 0, done
    assert old_rows(live) == before and index_sets(live) == indexes
    if way == "resumed":
        is_split(live)
        assert live.scalar("SELECT count(*) FROM pg_index WHERE indrelid IN (SELECT inhrelid FROM pg_inherits)") == 6 * 6
    else:
        assert partitions(live) == ["New one", "Old one"] and not left_over(live)


def test_the_server_is_killed(make_cluster, pgmend, tmp_path):
    server = make_cluster(synchronous_commit="on")
    db = server.new_database("split", SETUP)
    before = old_rows(db)
    path = plan_file(pgmend, db, tmp_path)
    with Load(db, TABLE, COLUMNS) as load:
        for step in (3, 4):
            child = pgmend.popen("apply", path, db.conninfo)
            begun = f"SELECT count(*) FROM pgmend.change WHERE step = {step} AND state IN ('running', 'done')"
            assert wait_until(lambda: child.poll() is not None or reached(db, begun))
            server.restart("immediate")
            child.wait(60)
        done = pgmend("apply", path, db.conninfo)
        assert done.rc == 0, done
        load.finish()
        load.check(may_fail=("AdminShutdown", "CrashShutdown", "CannotConnectNow"))
    assert old_rows(db) == before
    is_split(db)


def reached(db, query):
    try:
        return db.scalar(query) > 0
    except Exception as error:
        if "does not exist" not in str(error):
            raise
        return False


INTERFERENCE = {
    "was truncated": "TRUNCATE {table}",
    "columns": "ALTER TABLE {table} ADD extra int",
    "indexes": 'CREATE INDEX ON {table} ("select")',
    "switched off": "ALTER TABLE {old} DISABLE TRIGGER USER; ALTER TABLE {old} ENABLE TRIGGER USER",
    "no longer": "ALTER TABLE {table} DETACH PARTITION {old}",
    "differs": "SET pgmend.copying = 'on'; DELETE FROM {table} WHERE \"I\"\"d\" = 77",
}


@pytest.fixture(scope="module")
def copied(cluster, tmp_path_factory):
    """A database where all is copied, and a reader kept the swap from happening; each test copies it."""
    cluster.start()
    db = cluster.new_database("split_template", SETUP)
    home = tmp_path_factory.mktemp("split")
    pgmend = Program(find_binary(), home)
    path = plan_file(pgmend, db, home)
    with db.connect(autocommit=False) as reader:
        reader.execute(sql.SQL("SELECT count(*) FROM {}").format(TABLE))
        failed = pgmend("apply", "--lock-deadline=300ms", path, db.conninfo)
        assert failed.rc == 4 and "no lock for the swap" in failed.err, failed
    yield path
    db.drop()


@pytest.mark.parametrize("message", INTERFERENCE)
def test_interference_aborts(cluster, copied, pgmend, message):
    """Another session changes the table between the copying and the swap."""
    cluster.psql("CREATE DATABASE split_copy TEMPLATE split_template")
    db = Database(cluster, "split_copy")
    try:
        db.psql(INTERFERENCE[message].format(table=AS_TYPED, old='"S ""x"."Old one"'))
        after = old_rows(db)
        failed = pgmend("apply", "--force-database", copied, db.conninfo)
        assert failed.rc == 4 and message in failed.err, failed
        undone = pgmend("rollback", db.conninfo)
        assert undone.rc == 0, undone
        assert old_rows(db) == after and not left_over(db) and plan_state(db) == "undone"
    finally:
        db.drop()


def test_refusals(db, pgmend):
    db.psql("CREATE TABLE plain (id int PRIMARY KEY, at date NOT NULL);"
            "CREATE TABLE keyless (id int, at date NOT NULL) PARTITION BY RANGE (at);"
            "CREATE TABLE keyless_1 PARTITION OF keyless FOR VALUES FROM (MINVALUE) TO ('2026-05-01');"
            "INSERT INTO keyless VALUES (1, '2026-01-01'), (2, '2026-03-01')")
    plain = pgmend("partition", "plain", "--method=split", "--interval=month", db.conninfo)
    assert plain.rc == 4 and "is not partitioned" in plain.err, plain
    keyless = pgmend("partition", "keyless", "--method=split", "--interval=month", db.conninfo)
    assert keyless.rc == 1 and "primary key" in keyless.out, keyless
    as_json = pgmend("partition", "keyless", "--method=split", "--interval=month", "--format=json", db.conninfo)
    assert as_json.rc == 1 and as_json.json()["plan"] is None, as_json
