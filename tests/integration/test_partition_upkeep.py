"""pgmend partition --upkeep: partitions ahead, retention, gaps, DEFAULT rows; one failing table of several."""

import datetime
import threading

import pytest

from changes import wait_until

DAY = datetime.timedelta(days=1)


def partitions(db, table):
    return db.query("SELECT c.relname, pg_get_expr(c.relpartbound, c.oid) FROM pg_inherits i JOIN pg_class c ON "
                    "c.oid = i.inhrelid WHERE i.inhparent = %s::regclass ORDER BY 2, 1", [table])


def names(db, table):
    return sorted(row[0] for row in partitions(db, table))


def keep(pgmend, db, *args):
    return pgmend("partition", "--upkeep", *args, "-d", db.conninfo)


def monthly(db, table="events", first="2025-01-01", months=6, key="timestamptz", name="_p"):
    db.psql(f"CREATE TABLE {table} (id bigint GENERATED ALWAYS AS IDENTITY, at {key} NOT NULL, v text, "
            f"PRIMARY KEY (id, at)) PARTITION BY RANGE (at)")
    start = datetime.date.fromisoformat(first)
    for _ in range(months):
        end = (start.replace(day=1) + 32 * DAY).replace(day=1)
        db.psql(f"CREATE TABLE {table}{name}{start:%Y_%m} PARTITION OF {table} FOR VALUES FROM ('{start}') TO ('{end}')")
        start = end


def test_makes_what_is_ahead(db, pgmend):
    monthly(db)
    run = keep(pgmend, db, "events", "--as-of", "2025-06-15", "--premake", "3")
    assert run.rc == 0, run
    assert names(db, "events")[-3:] == ["events_p2025_07", "events_p2025_08", "events_p2025_09"]
    bounds = dict(partitions(db, "events"))
    assert bounds["events_p2025_07"] == ("FOR VALUES FROM ('2025-07-01 00:00:00+00') TO ('2025-08-01 00:00:00+00')")
    assert db.scalar("SELECT count(*) FROM pg_constraint WHERE contype = 'p' AND conrelid = 'events_p2025_09'::regclass")
    assert db.scalar("SELECT state FROM pgmend.plan") == "done"
    again = keep(pgmend, db, "events", "--as-of", "2025-06-15", "--premake", "3")
    assert again.rc == 0 and "0 Plans done" in again.out, again
    assert len(names(db, "events")) == 9


def test_waits_for_no_reader_or_writer(db, pgmend):
    """CREATE TABLE ... PARTITION OF would wait for this transaction, and all others behind it."""
    monthly(db)
    with db.connect() as other:
        other.autocommit = False
        other.execute("INSERT INTO events (at) VALUES ('2025-06-01'); SELECT count(*) FROM events")
        run = keep(pgmend, db, "events", "--as-of", "2025-06-15", "--premake", "1", "--lock-deadline", "100ms")
        assert run.rc == 0 and "events_p2025_07" in names(db, "events"), run


def test_a_large_default_partition_is_not_read_under_the_lock(db, pgmend):
    monthly(db)
    db.psql("""CREATE TABLE events_rest PARTITION OF events DEFAULT; ALTER TABLE events_rest ALTER v SET STORAGE plain;
        INSERT INTO events (at, v) SELECT '2031-01-01', repeat('x', 3000) FROM generate_series(1, 7000)""")
    run = keep(pgmend, db, "events", "--as-of", "2025-06-15", "--premake", "2", "--format", "json")
    steps = [step["title"] for step in run.json()["tables"][0]["plans"][0]["steps"]]
    assert run.rc == 1 and [t.split()[0] for t in steps] == ["promise", "verify", "make", "make", "take"], run
    assert {"events_p2025_07", "events_p2025_08"} <= set(names(db, "events"))
    # a run that was killed leaves the promise: the next one takes it away first
    db.psql("ALTER TABLE events_rest ADD CONSTRAINT pgmend_upkeep CHECK (at < '2025-09-01' OR at >= '2025-10-01') NOT VALID")
    assert keep(pgmend, db, "events", "--as-of", "2025-06-15", "--premake", "3").rc == 1
    assert not db.scalar("SELECT count(*) FROM pg_constraint WHERE conname = 'pgmend_upkeep'")
    # what has begun cannot be promised
    told = keep(pgmend, db, "events", "--as-of", "2025-10-15", "--premake", "0")
    assert told.rc == 1 and "is large" in told.out and "events_p2025_10" not in names(db, "events"), told


def test_dry_run_changes_nothing(db, pgmend):
    monthly(db)
    run = keep(pgmend, db, "--dry-run", "--as-of", "2025-06-15", "--retention", "3 months", "--retention-action", "drop")
    assert run.rc == 0 and "ATTACH PARTITION" in run.out and "DROP TABLE public.events_p2025_01" in run.out, run
    assert len(names(db, "events")) == 6
    assert not db.scalar("SELECT count(*) FROM pg_namespace WHERE nspname = 'pgmend'")


def test_partitions_are_like_their_siblings(db, pgmend):
    db.psql("""CREATE ROLE keep_reader; CREATE ROLE "keep ""owner";
        CREATE SCHEMA "we ird"; CREATE TABLE users (id int PRIMARY KEY);
        CREATE TABLE "we ird"."Log'1" (id int, "at"" x" timestamptz, u int REFERENCES users, twice int GENERATED ALWAYS AS (id * 2) STORED,
            note text DEFAULT 'n' COLLATE "C", CHECK (id > 0), UNIQUE (id, "at"" x")) PARTITION BY RANGE ("at"" x");
        CREATE TABLE "we ird"."Log'1 20250106" PARTITION OF "we ird"."Log'1" FOR VALUES FROM ('2025-01-06') TO ('2025-01-13')
            WITH (fillfactor = 70, autovacuum_enabled = false);
        CREATE INDEX "Log'1 20250106 note" ON "we ird"."Log'1 20250106" (lower(note)) WHERE id > 5;
        ALTER TABLE "we ird"."Log'1 20250106" ALTER note SET STATISTICS 500;
        GRANT SELECT ON "we ird"."Log'1 20250106" TO keep_reader, PUBLIC;
        GRANT UPDATE (note) ON "we ird"."Log'1 20250106" TO keep_reader WITH GRANT OPTION;
        ALTER TABLE "we ird"."Log'1 20250106" ENABLE ROW LEVEL SECURITY;
        ALTER TABLE "we ird"."Log'1 20250106" REPLICA IDENTITY FULL;
        CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END';
        CREATE TRIGGER t AFTER INSERT ON "we ird"."Log'1" FOR EACH ROW EXECUTE FUNCTION f();
        GRANT USAGE, CREATE ON SCHEMA "we ird" TO "keep ""owner";
        ALTER TABLE "we ird"."Log'1" OWNER TO "keep ""owner"; ALTER TABLE "we ird"."Log'1 20250106" OWNER TO "keep ""owner";
        GRANT REFERENCES ON users TO "keep ""owner"; """)
    run = keep(pgmend, db, '"we ird"."Log\'1"', "--as-of", "2025-01-07", "--premake", "1")
    assert run.rc == 0, run
    facts = """SELECT c.reloptions, c.relrowsecurity, c.relreplident, (SELECT array_agg(x::text ORDER BY x::text) FROM unnest(c.relacl) x), c.relowner,
            (SELECT attacl::text FROM pg_attribute WHERE attrelid = c.oid AND attname = 'note'),
            (SELECT attstattarget FROM pg_attribute WHERE attrelid = c.oid AND attname = 'note'),
            (SELECT count(*) FROM pg_index WHERE indrelid = c.oid),
            (SELECT count(*) FROM pg_trigger WHERE tgrelid = c.oid AND NOT tgisinternal),
            (SELECT array_agg(contype::text ORDER BY contype::text) FROM pg_constraint WHERE conrelid = c.oid AND contype <> 'n')
        FROM pg_class c WHERE relname = %s"""
    old, new = (db.query(facts, [name]) for name in ("Log'1 20250106", "Log'1 20250113"))
    assert old == new
    assert "lower(note)" in db.scalar("""SELECT pg_get_indexdef('"we ird"."Log''1 20250113 note"'::regclass)""")
    db.psql('DROP OWNED BY keep_reader; DROP OWNED BY "keep ""owner" CASCADE; DROP ROLE keep_reader, "keep ""owner"')


# table's key, time zone of the database, bounds of the first partitions, name, --as-of, --premake, the last partition made
CUTS = {
    "weeks": ("date", "UTC", ["2025-06-02", "2025-06-09", "2025-06-16"], 'IYYY"w"IW', "2025-06-18", 2,
              ("t2025w27", "FOR VALUES FROM ('2025-06-30') TO ('2025-07-07')")),
    "quarters": ("timestamp", "Europe/Berlin", ["2024-10-01", "2025-01-01", "2025-04-01"], 'YYYY"q"Q', "2025-03-02", 2,
                 ("t2025q3", "FOR VALUES FROM ('2025-07-01 00:00:00') TO ('2025-10-01 00:00:00')")),
    "years": ("date", "UTC", ["2023-01-01", "2024-01-01", "2025-01-01"], "YYYY", "2024-05-01", 1,
              ("t2025", "FOR VALUES FROM ('2025-01-01') TO ('2026-01-01')")),
    "months of Berlin": ("timestamptz", "Europe/Berlin", ["2025-01-01", "2025-02-01", "2025-03-01"], "YYYYMM", "2025-02-20", 2,
                         ("t202504", "FOR VALUES FROM ('2025-03-31 22:00:00+00') TO ('2025-04-30 22:00:00+00')")),
    "days over the change of clocks": ("timestamptz", "America/New_York", ["2025-03-06", "2025-03-07", "2025-03-08"],
                                       "YYYY_MM_DD", "2025-03-07 12:00", 2,
                                       ("t2025_03_09", "FOR VALUES FROM ('2025-03-09 05:00:00+00') TO ('2025-03-10 04:00:00+00')")),
    "a day without midnight": ("timestamptz", "Africa/Cairo", ["2024-04-24", "2024-04-25", "2024-04-26"], "YYYYMMDD",
                               "2024-04-25 12:00", 2,
                               ("t20240427", "FOR VALUES FROM ('2024-04-26 21:00:00+00') TO ('2024-04-27 21:00:00+00')")),
    "hours": ("timestamptz", "Asia/Kolkata", ["2025-01-01 00:00+00", "2025-01-01 01:00+00", "2025-01-01 02:00+00"],
              "YYYYMMDD_HH24MI", "2025-01-01 01:30+00", 2, None),
    "the 31st": ("date", "UTC", ["2025-01-31", "2025-02-28"], "YYYYMMDD", "2025-02-01", 1,
                 ("t20250228", "FOR VALUES FROM ('2025-02-28') TO ('2025-03-28')")),
}


@pytest.mark.parametrize("case", CUTS)
def test_goes_on_as_the_bounds_say(db, pgmend, case):
    key, zone, edges, form, now, ahead, last = CUTS[case]
    db.psql(f"ALTER DATABASE {db.name} SET timezone = '{zone}'; CREATE TABLE t (at {key}) PARTITION BY RANGE (at)")
    for low, high in zip(edges, edges[1:]):
        with db.connect() as conn:
            name = conn.execute(f"SELECT 't' || to_char('{low}'::{key}, '{form}')").fetchone()[0]
            conn.execute(f"CREATE TABLE \"{name}\" PARTITION OF t FOR VALUES FROM ('{low}') TO ('{high}')")
    args = ["--interval", "1 month"] if case == "the 31st" else []
    run = keep(pgmend, db, "t", "--as-of", now, "--premake", ahead, *args)
    assert run.rc == 0 and f"{ahead} ahead" not in run.out, run
    with db.connect() as conn:
        conn.execute("SET timezone = 'UTC'")
        got = conn.execute("SELECT c.relname, pg_get_expr(c.relpartbound, c.oid) FROM pg_inherits i JOIN pg_class c ON c.oid = "
                           "i.inhrelid ORDER BY 2 DESC LIMIT 1").fetchone()
    if last:
        assert got == last


def test_foreign_midnights_are_found(db, pgmend):
    db.psql("CREATE TABLE t (at timestamptz) PARTITION BY RANGE (at)")
    with db.connect() as conn:
        conn.execute("SET timezone = 'Europe/Berlin'")
        for month in range(1, 9):
            conn.execute(f"CREATE TABLE t_{month:02} PARTITION OF t FOR VALUES FROM ('2025-{month:02}-01') TO ('2025-{month + 1:02}-01')")
    run = keep(pgmend, db, "t", "--as-of", "2025-08-02", "--premake", "3")
    assert run.rc == 0 and "midnights of time zone" in run.out, run
    assert "('2025-10-31 23:00:00+00') TO ('2025-11-30 23:00:00+00')" in str(partitions(db, "t"))


def test_integers(db, pgmend):
    db.psql("""CREATE TABLE log (id bigint, t text) PARTITION BY RANGE (id);
        CREATE TABLE log_000 PARTITION OF log FOR VALUES FROM (0) TO (1000);
        CREATE TABLE log_001 PARTITION OF log FOR VALUES FROM (1000) TO (2000);
        INSERT INTO log VALUES (1, 'a'), (1700, 'b');""")
    run = keep(pgmend, db, "log", "--premake", "2", "--retention", "700")
    assert run.rc == 0, run
    assert names(db, "log") == ["log_001", "log_002", "log_003"]
    assert db.scalar("SELECT count(*) FROM log_000") == 1  # kept, as a table of its own


@pytest.mark.parametrize("default", [False, True])
def test_retention(db, pgmend, default):
    monthly(db)
    if default:
        db.psql("CREATE TABLE events_default PARTITION OF events DEFAULT")
    args = ["events", "--as-of", "2025-06-15", "--premake", "1", "--retention", "3 months"]
    db.psql("INSERT INTO events (at) SELECT '2025-01-01'::timestamptz + n * '1 day'::interval FROM generate_series(0, 160) n")
    kept = keep(pgmend, db, *args)
    assert kept.rc == 0, kept
    assert names(db, "events") == ["events_default"] * default + [f"events_p2025_0{m}" for m in (3, 4, 5, 6, 7)]
    assert db.scalar("SELECT count(*) FROM events_p2025_01") == 31
    dropped = keep(pgmend, db, *args, "--retention", "2 months", "--retention-action", "drop")
    assert dropped.rc == 0 and not db.scalar("SELECT to_regclass('events_p2025_03')"), dropped
    assert db.scalar("SELECT to_regclass('events_p2025_02')") == "events_p2025_02"
    # nothing was asked for: nothing goes
    assert keep(pgmend, db, "--as-of", "2027-01-01", "--premake", "0").rc == 0
    assert "events_p2025_04" in names(db, "events")


def test_kept_in_a_schema_and_taken_back(db, pgmend):
    monthly(db)
    db.psql("CREATE SCHEMA old")
    args = ["events", "--as-of", "2025-06-15", "--premake", "0", "--retention", "4 months", "--retention-schema", "old"]
    assert keep(pgmend, db, *args).rc == 0
    assert db.scalar("SELECT to_regclass('old.events_p2025_01')::text") == "old.events_p2025_01"
    assert pgmend("rollback", db.conninfo).rc == 0
    assert names(db, "events")[0] == "events_p2025_01"
    # and again, although the same Plan was done before
    assert keep(pgmend, db, *args).rc == 0
    assert names(db, "events")[0] == "events_p2025_02"


@pytest.mark.major(at_least=14)
def test_detach_waits_for_nobody_for_long_and_is_finished_later(db, pgmend):
    monthly(db)
    args = ["events", "--as-of", "2025-06-15", "--premake", "0", "--retention", "4 months", "--retention-action", "drop"]
    with db.connect() as reader:
        reader.autocommit = False
        reader.execute("SELECT count(*) FROM events")
        run = keep(pgmend, db, *args, "--lock-deadline", "1s")
        assert run.rc == 4 and "no lock" in run.err, run
        assert db.scalar("SELECT inhdetachpending FROM pg_inherits WHERE inhrelid = 'events_p2025_01'::regclass")
    done = keep(pgmend, db, *args)
    assert done.rc == 0 and not db.scalar("SELECT to_regclass('events_p2025_01')"), done


def test_detach_pending_of_others_is_ended(db, pgmend):
    if db.cluster.major < 14:
        pytest.skip("no concurrent detach")
    monthly(db)
    with db.connect() as reader:
        reader.autocommit = False
        reader.execute("SELECT count(*) FROM events")
        with db.connect() as other:
            other.execute("SET statement_timeout = '300ms'")
            with pytest.raises(Exception):
                other.execute("ALTER TABLE events DETACH PARTITION events_p2025_02 CONCURRENTLY")
    run = keep(pgmend, db, "events", "--as-of", "2025-06-15", "--premake", "0")
    assert run.rc == 0 and "events_p2025_02" not in names(db, "events"), run
    assert db.scalar("SELECT to_regclass('events_p2025_02')::text") == "events_p2025_02"


def test_gaps_and_default_rows(db, pgmend):
    monthly(db)
    db.psql("""DROP TABLE events_p2025_03; CREATE TABLE events_rest PARTITION OF events DEFAULT;
        INSERT INTO events (at, v) VALUES ('2025-03-05', 'in the gap'), ('2025-07-02', 'ahead'), ('2031-01-01', 'far')""")
    args = ["events", "--as-of", "2025-06-15", "--premake", "2"]
    told = keep(pgmend, db, *args)
    assert told.rc == 1 and "no partition for 2025-03-01" in told.out and "3 rows in the DEFAULT" in told.out, told
    assert "events_p2025_07" not in names(db, "events") and "events_p2025_08" in names(db, "events")
    db.psql("DROP TABLE events_p2025_08")
    before = db.query("SELECT id, at, v FROM events ORDER BY id")
    fixed = keep(pgmend, db, *args, "--fix-default")
    assert fixed.rc == 0, fixed
    assert db.query("SELECT id, at, v FROM events ORDER BY id") == before
    assert db.query("SELECT tableoid::regclass::text FROM events ORDER BY id") == [
        ("events_p2025_03",), ("events_p2025_07",), ("events_rest",)]


def test_one_that_fails_does_not_stop_the_others(db, pgmend):
    monthly(db, "a")
    monthly(db, "b")
    monthly(db, "c")
    db.psql("CREATE TABLE b_p2025_07 (x int)")
    run = keep(pgmend, db, "--as-of", "2025-06-15", "--premake", "1")
    assert run.rc == 4 and "public.b" in run.err and "b_p2025_07" in run.err, run
    assert "a_p2025_07" in names(db, "a") and "c_p2025_07" in names(db, "c")
    found = keep(pgmend, db, "--as-of", "2025-06-15", "--premake", "1", "--format", "json").json()
    assert [bool(table["error"]) for table in found["tables"]] == [False, True, False] and found["failed"] == 1


def test_one_that_cannot_be_retired_does_not_stop_the_new_ones(db, pgmend):
    """Neither in the run that finds it nor in those after it."""
    monthly(db)
    db.psql("""INSERT INTO events (at) SELECT '2025-01-05'; CREATE TABLE refers (id bigint, at timestamptz, FOREIGN KEY (id, at)
        REFERENCES events); INSERT INTO refers SELECT id, at FROM events""")
    for month in ("06", "07", "08"):
        run = keep(pgmend, db, "events", "--as-of", f"2025-{month}-15", "--premake", "1", "--retention", "3 months",
                   "--retention-action", "drop")
        assert run.rc == 4 and "violates foreign key constraint" in run.err and "public.events" in run.err, run
        assert names(db, "events")[-1] == f"events_p2025_{int(month) + 1:02}"
    assert "events_p2025_01" in names(db, "events")
    db.psql("DELETE FROM refers")
    done = keep(pgmend, db, "events", "--as-of", "2025-08-15", "--premake", "1", "--retention", "3 months",
                "--retention-action", "drop")
    assert done.rc == 0 and names(db, "events")[0] == "events_p2025_05", done


def test_refusals(db, pgmend):
    db.psql("""CREATE TABLE l (a int) PARTITION BY LIST (a); CREATE TABLE two (a int, b int) PARTITION BY RANGE (a, b);
        CREATE TABLE e (a date) PARTITION BY RANGE (a); CREATE TABLE plain (a int)""")
    assert keep(pgmend, db, "nowhere").rc == 2
    assert keep(pgmend, db, "plain").rc == 2
    for name, why in (("l", "by range"), ("two", "several columns"), ("e", "--interval")):
        run = keep(pgmend, db, name)
        assert run.rc == 4 and why in run.err, run
    db.psql("DROP TABLE e; CREATE TABLE e (a date) PARTITION BY RANGE (a)")
    every = keep(pgmend, db, "--interval", "month", "--premake", "0", "--dry-run")
    assert every.rc == 0 and "public.two: left out" in every.out, every
    made = keep(pgmend, db, "e", "--interval", "week", "--as-of", "2025-06-18", "--premake", "1")
    assert made.rc == 0, made
    assert partitions(db, "e")[0] == ("e_p2025_06_16", "FOR VALUES FROM ('2025-06-16') TO ('2025-06-23')")


@pytest.mark.parametrize("victim", ["pgmend", "server"])
def test_killed_while_it_makes_partitions(make_cluster, pgmend, victim):
    """Whatever is killed: the same command makes the rest, and nothing half made is left beside them."""
    server = make_cluster(synchronous_commit="on")
    db = server.new_database("premake")
    db.psql("CREATE TABLE events (id bigint, at timestamptz NOT NULL, PRIMARY KEY (id, at)) PARTITION BY RANGE (at);"
            "CREATE TABLE events_p20250614 PARTITION OF events FOR VALUES FROM ('2025-06-14Z') TO ('2025-06-15Z')")
    command = ("partition", "--upkeep", "events", "--as-of", "2025-06-14", "--premake", "90", "-d", db.conninfo)
    for _ in range(2):
        child = pgmend.popen(*command)
        assert wait_until(lambda: child.poll() is not None or len(names(db, "events")) > 1)
        if victim == "server":
            server.restart("immediate")
        else:
            child.kill()
        child.communicate()
    done = pgmend(*command)
    assert done.rc == 0, done
    assert len(names(db, "events")) == 91
    assert db.scalar("SELECT count(*) FROM pg_class WHERE relname LIKE 'events%' AND relkind = 'r'") == 91
    assert not db.query("SELECT indexrelid FROM pg_index WHERE NOT indisvalid")
    assert db.query("SELECT DISTINCT state FROM pgmend.plan") == [("done",)]
