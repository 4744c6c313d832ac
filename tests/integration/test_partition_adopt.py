"""partition: a plain table becomes a partitioned one, with everything that hangs on it, and back."""

import datetime
import zoneinfo

import pytest

from changes import plan_state, schema_of, step_states

ROWS = 3000

FULL = """
    CREATE TABLE users (id int PRIMARY KEY, name text);
    INSERT INTO users SELECT i, 'u' || i FROM generate_series(1, 20) i;
    CREATE TABLE log (
        id bigint GENERATED ALWAYS AS IDENTITY (START 100 INCREMENT 2 CACHE 5) PRIMARY KEY,
        user_id int NOT NULL REFERENCES users ON DELETE CASCADE,
        at timestamptz NOT NULL DEFAULT now(),
        gone int,
        kind text COLLATE "C" CHECK (kind <> ''),
        number serial,
        length int GENERATED ALWAYS AS (length(kind)) STORED);
    ALTER TABLE log DROP gone;
    CREATE INDEX log_user ON log (user_id) WHERE user_id > 3;
    CREATE INDEX log_kind ON log (lower(kind), at DESC NULLS LAST) WITH (fillfactor = 80);
    CREATE STATISTICS log_stats ON user_id, kind FROM log;
    COMMENT ON TABLE log IS 'what''s done'; COMMENT ON COLUMN log.kind IS 'kind of it';
    COMMENT ON INDEX log_user IS 'an index'; COMMENT ON CONSTRAINT log_pkey ON log IS 'the key';
    COMMENT ON CONSTRAINT log_kind_check ON log IS 'a check';
    ALTER TABLE log ALTER kind SET STATISTICS 321, ALTER kind SET (n_distinct = 7), ALTER kind SET STORAGE EXTERNAL,
        SET (fillfactor = 90, autovacuum_vacuum_scale_factor = 0.01, toast.autovacuum_enabled = off);
    ALTER TABLE log REPLICA IDENTITY FULL;
    GRANT SELECT ON log TO pg_monitor; GRANT UPDATE (kind) ON log TO PUBLIC;
    GRANT INSERT ON log TO pg_read_all_stats WITH GRANT OPTION; GRANT USAGE ON SEQUENCE log_id_seq TO pg_monitor;
    ALTER TABLE log ENABLE ROW LEVEL SECURITY; ALTER TABLE log FORCE ROW LEVEL SECURITY;
    CREATE POLICY mine ON log AS RESTRICTIVE FOR UPDATE TO pg_monitor
        USING (user_id IN (SELECT l.user_id FROM log l)) WITH CHECK (kind <> 'x');
    CREATE TABLE seen (what text, id bigint);
    CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS
        'BEGIN INSERT INTO public.seen VALUES (TG_OP || TG_LEVEL, CASE WHEN TG_LEVEL = ''ROW'' THEN NEW.id END);
               RETURN NULL; END';
    CREATE TRIGGER rows AFTER INSERT OR UPDATE OF kind ON log FOR EACH ROW WHEN (NEW.kind <> 'y') EXECUTE FUNCTION note();
    CREATE TRIGGER off AFTER INSERT ON log FOR EACH ROW EXECUTE FUNCTION note();
    CREATE TRIGGER whole AFTER INSERT ON log FOR EACH STATEMENT EXECUTE FUNCTION note();
    ALTER TABLE log DISABLE TRIGGER off; COMMENT ON TRIGGER rows ON log IS 'a trigger';
    CREATE VIEW busy WITH (security_barrier = true) AS SELECT user_id AS who, count(*) FROM log GROUP BY 1;
    CREATE VIEW busier AS SELECT * FROM busy WHERE count > 10;
    CREATE PUBLICATION changes FOR TABLE log WITH (publish = 'insert', publish_via_partition_root = true);
"""


def convert(pgmend, db, table, *options, rc=0):
    done = pgmend("partition", table, *options, db.conninfo)
    assert done.rc == rc, done
    return done


def design(pgmend, db, table, *options, rc=0):
    return convert(pgmend, db, table, *options, "--format=json", rc=rc).json()


def roll_back(pgmend, db):
    done = pgmend("rollback", db.conninfo)
    assert done.rc == 0, done
    assert plan_state(db) == "undone"
    return done


def partitions(db, table):
    return [row[0] for row in db.query(
        "SELECT c.relname FROM pg_inherits JOIN pg_class c ON c.oid = inhrelid WHERE inhparent = %s::regclass "
        "ORDER BY pg_get_expr(relpartbound, c.oid) NOT LIKE '%%MINVALUE%%', 1", [table])]


def insert(db, count, at="now()", table="log"):
    db.execute(f"INSERT INTO {table} (user_id, at, kind) SELECT 1 + i % 20, {at}, 'k' || i % 7 "
               f"FROM generate_series(1, {count}) i")


def same(found, expected):
    for one, other in zip(found, expected):
        if isinstance(one, str):
            one, other = one.splitlines(), other.splitlines()
        assert [x for x in one if x not in other] == [x for x in other if x not in one] == []
    assert found == expected


@pytest.fixture
def full(db):
    db.psql(FULL)
    insert(db, ROWS, "now() - i * interval '1 hour'")
    db.psql("TRUNCATE seen; ANALYZE log")
    return db


def test_everything_is_carried_over_and_taken_back(full, pgmend):
    before = schema_of(full)
    number = full.scalar("SELECT max(id) FROM log")
    said = convert(pgmend, full, "log", "--by", "at", "--interval", "month", "--apply")
    assert "swap: the old table becomes partition log_legacy: done" in said.out
    assert "ACCESS EXCLUSIVE held for" in said.out
    assert "(id) becomes (id, at)" in said.out
    assert len(partitions(full, "log")) == 5 and partitions(full, "log")[0] == "log_legacy"

    def one(sql):
        return full.query(sql)[0]
    assert one("SELECT relkind, relrowsecurity, relforcerowsecurity, relreplident FROM pg_class WHERE relname = 'log'"
               ) == ("p", True, True, "f")
    assert full.scalar("SELECT count(*) FROM pg_class WHERE relreplident = 'f' AND relispartition") == 5
    assert one("SELECT attstattarget, attstorage, attidentity FROM pg_attribute WHERE attrelid = 'log'::regclass "
               "AND attname = 'kind'") == (321, "e", "")
    indexes = [row[0] for row in full.query("SELECT indexdef FROM pg_indexes WHERE tablename = 'log' ORDER BY 1")]
    assert indexes == [
        "CREATE INDEX log_kind ON ONLY public.log USING btree (lower(kind), at DESC NULLS LAST) WITH (fillfactor='80')",
        "CREATE INDEX log_user ON ONLY public.log USING btree (user_id) WHERE (user_id > 3)",
        "CREATE UNIQUE INDEX log_pkey ON ONLY public.log USING btree (id, at)"]
    assert full.scalar("SELECT count(*) FROM pg_index WHERE NOT indisvalid") == 0
    # Each index of the old table is a part of one of the new.
    assert full.scalar("SELECT count(*) FROM pg_inherits JOIN pg_index ON indexrelid = inhrelid "
                       "WHERE indrelid = 'log_legacy'::regclass") == 3
    assert full.scalar("SELECT count(*) FROM pg_index WHERE indrelid = 'log_legacy'::regclass") == 3
    assert one("SELECT obj_description('log'::regclass), obj_description('log_user'::regclass)"
               ) == ("what's done", "an index")
    rights = "SELECT grantee, privilege_type, is_grantable FROM information_schema.table_privileges WHERE table_name = %s"
    assert sorted(full.query(rights, ["log"])) == sorted(full.query(rights, ["log_legacy"]))
    assert full.query("SELECT tablename FROM pg_publication_tables") == [("log",)]
    # The views read the new table, and so does the policy.
    for catalog in ("pg_rewrite", "pg_policy"):
        assert full.scalar(f"SELECT count(*) FROM pg_depend WHERE classid = '{catalog}'::regclass "
                           f"AND refobjid = 'log'::regclass") > 0
    assert full.scalar("SELECT count(*) FROM pg_depend WHERE classid = 'pg_rewrite'::regclass "
                       "AND refobjid = 'log_legacy'::regclass") == 0
    options = full.scalar("SELECT reloptions FROM pg_class WHERE relname = %s", [partitions(full, "log")[1]])
    assert sorted(options) == ["autovacuum_vacuum_scale_factor=0.01", "fillfactor=90"]

    # Numbers go on, triggers run, the foreign key holds, rows find their partitions.
    assert full.scalar("INSERT INTO log (user_id, kind) VALUES (1, 'a') RETURNING id") > number
    future = full.scalar("INSERT INTO log (user_id, kind, at) VALUES (2, 'b', now() + interval '2 months') RETURNING id")
    assert full.scalar("SELECT tableoid::regclass::text FROM log WHERE id = %s", [future]) in partitions(full, "log")[1:]
    assert full.query("SELECT what, count(id) FROM seen GROUP BY 1 ORDER BY 1") == [("INSERTROW", 2), ("INSERTSTATEMENT", 0)]
    with pytest.raises(Exception, match="violates foreign key"):
        full.execute("INSERT INTO log (user_id, kind) VALUES (99, 'a')")
    assert full.scalar("SELECT sum(count) FROM busy") == ROWS + 2
    last = full.scalar("SELECT max(id) FROM log")

    roll_back(pgmend, full)
    same(schema_of(full), before)
    assert full.scalar("SELECT count(*) FROM log") == ROWS + 2
    assert full.scalar("SELECT kind FROM log WHERE id = %s", [future]) == "b"
    assert full.scalar("SELECT count(*) FROM seen") == 4  # no trigger saw a row twice
    assert full.scalar("INSERT INTO log (user_id, kind) VALUES (1, 'a') RETURNING id") > last
    again = convert(pgmend, full, "log", "--by", "at", "--interval", "week", "--apply")
    assert "is done" in again.out


def test_rows_above_the_cut_come_back_however_many_they_are(full, pgmend):
    before = schema_of(full)
    cut = full.scalar("SELECT (date_trunc('day', now()) + interval '2 days')::date::text")  # tomorrow may be an hour away
    convert(pgmend, full, "log", "--by", "at", "--interval", "day", "--cut", cut, "--premake", "5", "--apply")
    insert(full, 6000, f"timestamptz '{cut}' + (i % 90) * interval '1 hour'")
    full.execute("ALTER TABLE log ADD more int DEFAULT 5")
    full.execute("UPDATE log SET more = 6 WHERE id % 4 = 0")
    seen = full.scalar("SELECT count(*) FROM seen")
    rows = "SELECT count(*), sum(id), sum(hashtext(kind || at || more)::bigint) FROM log"
    expected = full.query(rows)
    roll_back(pgmend, full)
    assert full.query(rows) == expected
    assert full.scalar("SELECT count(*) FROM ONLY log") == ROWS + 6000
    assert full.scalar("SELECT count(*) FROM seen") == seen
    full.execute("ALTER TABLE log DROP more")
    same(schema_of(full), before)


def test_ugly_names(db, pgmend):
    db.psql('''
        CREATE SCHEMA "My ""Sch.ema";
        CREATE TABLE "My ""Sch.ema"."ta ON b$pgmend$l'e
-- migrate:down" ("I d" serial, "At" timestamp, "x""); DROP" text, PRIMARY KEY ("I d"));
        CREATE UNIQUE INDEX "Straße -- ünï" ON "My ""Sch.ema"."ta ON b$pgmend$l'e
-- migrate:down" ("x""); DROP", "At");
        CREATE VIEW "V 1" AS SELECT * FROM "My ""Sch.ema"."ta ON b$pgmend$l'e
-- migrate:down";
        CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
        CREATE TRIGGER "a ON b" BEFORE UPDATE OF "x""); DROP" ON "My ""Sch.ema"."ta ON b$pgmend$l'e
-- migrate:down" FOR EACH ROW EXECUTE FUNCTION f();
        INSERT INTO "My ""Sch.ema"."ta ON b$pgmend$l'e
-- migrate:down" ("At", "x""); DROP") SELECT now() - i * interval '1 day', i FROM generate_series(1, 100) i;
    ''')
    before = schema_of(db)
    name = '"My ""Sch.ema"."ta ON b$pgmend$l\'e\n-- migrate:down"'
    convert(pgmend, db, name, "--by", "At", "--interval", "quarter", "--apply")
    assert db.scalar(f"SELECT relkind FROM pg_class WHERE oid = '{name.replace(chr(39), chr(39) * 2)}'::regclass") == "p"
    db.execute(f'INSERT INTO {name} ("At", "x""); DROP") VALUES (now() + interval \'6 months\', \'later\')')
    roll_back(pgmend, db)
    same(schema_of(db), before)
    assert db.scalar(f"SELECT count(*) FROM {name}") == 101


@pytest.mark.parametrize("zone", ["Europe/Berlin", "America/Havana", "Asia/Kathmandu"])
def test_days_begin_at_midnight_of_the_zone(db, pgmend, zone):
    db.psql("CREATE TABLE t (at timestamptz NOT NULL)")
    # From before a change of the clock to after it; in Havana the day of it has no midnight.
    found = design(pgmend, db, "t", "--by", "at", "--interval", "day", "--cut", "2027-03-10", "--timezone", zone,
                   "--premake", "30")
    bounds = [part["from"] for part in found["partitions"]]
    tz = zoneinfo.ZoneInfo(zone)
    for day, bound in enumerate(bounds):
        date = datetime.date(2027, 3, 10) + datetime.timedelta(days=day)
        midnight = datetime.datetime.combine(date, datetime.time(), tz).astimezone(datetime.timezone.utc)
        assert bound == midnight.strftime("%Y-%m-%d %H:%M:%S+00")
    assert bounds == sorted(bounds) and len(set(bounds)) == 30
    assert [part["to"] for part in found["partitions"]][:-1] == bounds[1:]


@pytest.mark.parametrize("type_, cut", [("timestamp(3)", "2030-05-17 10:00:00"), ("date", "2030-05-17")])
def test_keys_without_a_zone(db, pgmend, type_, cut):
    db.psql(f"CREATE TABLE t (id int, at {type_}); INSERT INTO t SELECT i, now() FROM generate_series(1, 100) i; "
            "INSERT INTO t VALUES (0, '-infinity')")
    before = schema_of(db)
    done = convert(pgmend, db, "t", "--by", "AT", "--interval", "month", "--cut", cut, "--apply")
    assert "-infinity stay in the first partition" in done.out
    names = partitions(db, "t")
    assert names[1:3] == [f"t_p20300517{'t100000' if ':' in cut else ''}", "t_p20300601"]
    db.execute(f"INSERT INTO t VALUES (1, '{cut}'), (2, '2030-06-01'), (3, now())")
    assert db.scalar(f"SELECT count(*) FROM {names[1]}") == 1
    roll_back(pgmend, db)
    same(schema_of(db), before)
    assert db.scalar("SELECT count(*) FROM t") == 104


def test_integer_ranges(db, pgmend):
    db.psql("CREATE TABLE t (id int PRIMARY KEY, u text); INSERT INTO t SELECT i, i FROM generate_series(-50, 2500) i")
    convert(pgmend, db, "t", "--by", "id", "--interval", "1000", "--apply")
    assert partitions(db, "t") == ["t_legacy", "t_p4000", "t_p5000", "t_p6000", "t_p7000"]
    assert db.scalar("SELECT count(*) FROM pg_index WHERE indrelid = 't_legacy'::regclass") == 1
    db.execute("INSERT INTO t VALUES (3999, 'low'), (4000, 'high')")
    assert [row[0] for row in db.query("SELECT tableoid::regclass::text FROM t WHERE id >= 3999 ORDER BY id")
            ] == ["t_legacy", "t_p4000"]
    assert db.scalar("SELECT count(*) FROM t WHERE id = 2500") == 1
    roll_back(pgmend, db)
    # Near the end of the type there are fewer partitions, or none.
    db.execute("INSERT INTO t VALUES (2147480000, 'last')")
    found = convert(pgmend, db, "t", "--by", "id", "--interval", "1000000", rc=4)
    assert "no room above" in found.err


REFUSED = [
    ("CREATE TABLE t (a int, at timestamptz); INSERT INTO t VALUES (1, NULL), (2, now())", "1 rows have at NULL"),
    ("CREATE TABLE t (at timestamptz); INSERT INTO t VALUES ('infinity')", "1 rows have at infinity"),
    ("CREATE TABLE t (at date); INSERT INTO t VALUES ('9999-12-31')", "the greatest at is 9999-12-31"),
    ("CREATE TABLE t (id int PRIMARY KEY, at date); CREATE TABLE c (t int REFERENCES t)", "foreign key c_t_fkey of"),
    ("CREATE TABLE t (id int PRIMARY KEY, at date UNIQUE); CREATE TABLE c (t date CONSTRAINT \"C 1\" REFERENCES t (at))",
     'VALIDATE CONSTRAINT "C 1"'),
    ("CREATE TABLE t (at date, mail text UNIQUE)", "unique constraint t_mail_key (mail) does not hold the key"),
    ("CREATE TABLE t (at date, mail text); CREATE UNIQUE INDEX u ON t (lower(mail))", "unique index u does not hold"),
    ("CREATE TABLE t (at date, x int, EXCLUDE USING btree (x WITH =))", "exclusion constraint"),
    ("CREATE TABLE t (a date, at date GENERATED ALWAYS AS (a) STORED)", "column at is generated"),
    ("CREATE TABLE t (at date); CREATE MATERIALIZED VIEW m AS SELECT * FROM t", "m depends on it, and would go on with the old table"),
    ("CREATE TABLE t (at date); CREATE FUNCTION f(t) RETURNS int LANGUAGE sql AS 'SELECT 1'", "uses its row type"),
    ("CREATE TABLE t (at date); CREATE RULE r AS ON INSERT TO t DO INSTEAD NOTHING", "it has rule r"),
    ("CREATE TABLE t (at date); CREATE TABLE c () INHERITS (t)", "inheritance parent or children"),
    ("CREATE TABLE t (at date, CHECK (at > '2000-01-01') NO INHERIT)", "is NO INHERIT"),
    ("CREATE TABLE t (at date); ALTER TABLE t ADD CHECK (at > '2000-01-01') NOT VALID", "is NOT VALID"),
    ("CREATE TABLE t (id int PRIMARY KEY, x text, at date); CREATE VIEW v AS SELECT id, x, count(*) FROM t GROUP BY id",
     "a view groups by it"),
    ("CREATE TYPE y AS (at date); CREATE TABLE t OF y", "OF a type"),
    ("CREATE TABLE t (id int PRIMARY KEY, at date, UNIQUE (id, at))", "t_id_at_key is on (id, at)"),
]


def test_what_cannot_be_is_refused_with_the_reason(db, pgmend):
    for number, (sql, reason) in enumerate(REFUSED):
        db.psql(f"CREATE SCHEMA s{number}; SET search_path = s{number}; {sql}")
        found = convert(pgmend, db, f"s{number}.t", "--by", "at", "--interval", "month", "--apply", rc=1)
        assert reason in " ".join(found.out.split()), found
        assert "Plan" not in found.out
    assert not db.scalar("SELECT count(*) FROM pg_namespace WHERE nspname = 'pgmend'")


WRONG = [
    (["nothing", "--by", "at", "--interval", "month"], 2, "there is no table nothing"),
    (["t", "--by", "x", "--interval", "month"], 2, 'has no column "x"'),
    (["t", "--by", "at", "--interval", "fortnight"], 2, 'no interval "fortnight"'),
    (["t", "--by", "n", "--interval", "month"], 2, "is no number of keys"),
    (["t", "--by", "body", "--interval", "month"], 4, "of type text cannot be cut"),
    (["t", "--by", "at", "--interval", "month", "--timezone", "Mars/Olympus"], 2, "--timezone"),
    (["t", "--by", "at", "--interval", "month", "--cut", "someday"], 2, "--cut"),
    (["t", "--by", "at", "--interval", "month", "--cut", "2001-01-01"], 1, "the cut 2001-01-01"),
    (["t", "--by", "at"], 2, "--interval is missing"),
    (["t", "--by", "at", "--interval", "month", "--premake", "0"], 2, "--premake"),
    (["v", "--by", "at", "--interval", "month"], 4, "is a view"),
    (["pg_catalog.pg_class", "--by", "relname", "--interval", "month"], 4, "belongs to the system"),
    (["p", "--by", "at", "--interval", "month"], 4, "is partitioned already"),
]


def test_wrong_arguments(db, pgmend):
    db.psql("CREATE TABLE t (at timestamptz, n int, body text); CREATE VIEW v AS SELECT 1 AS at; "
            "CREATE TABLE p (at date) PARTITION BY RANGE (at)")
    for arguments, rc, reason in WRONG:
        found = pgmend("partition", *arguments, db.conninfo)
        assert found.rc == rc and reason in found.out + found.err, found


def test_who_does_not_own_it_is_told(db, pgmend):
    db.psql("CREATE TABLE t (at date); CREATE ROLE nobody_much LOGIN")
    try:
        found = pgmend("partition", "t", "--by", "at", "--interval", "month", "-U", "nobody_much",
                       db.conninfo.replace("user=postgres", ""))
        assert found.rc == 3 and "belongs to role" in found.err, found
    finally:
        db.psql("DROP ROLE nobody_much")


def test_widened_unique_constraints(db, pgmend):
    db.psql("CREATE TABLE t (id int PRIMARY KEY, at date NOT NULL, mail text, "
            "CONSTRAINT mail UNIQUE (mail) INCLUDE (id) DEFERRABLE INITIALLY DEFERRED); "
            "CREATE UNIQUE INDEX t_pair ON t (mail, id); ALTER TABLE t REPLICA IDENTITY USING INDEX t_pkey; "
            "INSERT INTO t SELECT i, now(), i FROM generate_series(1, 500) i")
    before = schema_of(db)
    convert(pgmend, db, "t", "--by", "at", "--interval", "month", "--widen-unique", "--apply")
    found = [row[0] for row in db.query("SELECT pg_get_constraintdef(oid) FROM pg_constraint "
                                        "WHERE conrelid = 't'::regclass AND contype IN ('p', 'u') ORDER BY contype")]
    assert found == ["PRIMARY KEY (id, at)", "UNIQUE (mail, at) INCLUDE (id) DEFERRABLE INITIALLY DEFERRED"]
    assert db.scalar("SELECT count(*) FROM pg_index JOIN pg_class ON pg_class.oid = indrelid "
                     "WHERE indisreplident AND relreplident = 'i'") == 6
    roll_back(pgmend, db)
    same(schema_of(db), before)
    assert step_states(db)[-1] == "kept"
