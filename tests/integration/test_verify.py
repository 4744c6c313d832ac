"""pgmend verify: measures a Plan's statements before and after, and its indexes."""

import hashlib
import json
import re
import signal
import time

import psycopg
import pytest

ORDERS = """
CREATE TABLE orders (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    user_id integer NOT NULL,
    status text NOT NULL,
    note text,
    created_at timestamptz NOT NULL DEFAULT now()
);
INSERT INTO orders (user_id, status, note, created_at)
SELECT i % 5000, (ARRAY['new', 'paid', 'sent', 'done'])[1 + i % 4], repeat(md5(i::text), 2),
       '2024-01-01'::timestamptz + i * interval '1 minute'
FROM generate_series(1, 100000) AS i;
ANALYZE orders;
"""

USER_INDEX = {
    "kind": "create_index", "schema": "public", "relation": "orders", "index": "orders_user_id_idx",
    "up": "CREATE INDEX CONCURRENTLY orders_user_id_idx ON public.orders (user_id)",
    "down": "DROP INDEX CONCURRENTLY public.orders_user_id_idx",
}
NOTHING = {"kind": "sql", "schema": "", "relation": "", "up": "SELECT 1", "down": "SELECT 2"}
BY_USER = {"sql": "SELECT * FROM orders WHERE user_id = 17", "indexes": ["orders_user_id_idx"]}


def quick(*more):
    """Options that keep a test short, with runs enough to outvote those that the machine's load slows."""
    return ["--runs", "7", "--no-writes", *more]


@pytest.fixture
def plan(tmp_path):
    """Writes a Plan file; changes and statements as in USER_INDEX and BY_USER."""
    def write(changes, statements, name="plan.sql"):
        changes = changes or [NOTHING]
        lines = ["-- a plan", '-- pgmend:plan {"version":1,"title":"t","database":"","created_at":""}', "",
                 "-- migrate:up transaction:false", ""]
        for step, change in enumerate(changes, 1):
            mark = {"step": step, "kind": change["kind"], "title": "step", "schema": change["schema"],
                    "relation": change["relation"], "lock": "SHARE UPDATE EXCLUSIVE",
                    "size_bytes": change.get("size_bytes", -1), "build_ms": -1, "write_overhead": -1}
            if "index" in change:
                mark["index"] = change["index"]
            lines += [f"-- pgmend:change {json.dumps(mark)}", change["up"] + ";", ""]
        for statement in statements:
            text = statement["sql"]
            mark = {"id": hashlib.md5(text.encode()).hexdigest()[:16], "text": text, "sql": text, "calls": 1,
                    "cost_before": -1, "cost_after": -1, "reads": statement.get("reads", True),
                    "indexes": statement.get("indexes", [])}
            lines.append(f"-- pgmend:statement {json.dumps(mark)}")
        lines += ["", "-- migrate:down transaction:false", ""]
        for step, change in reversed(list(enumerate(changes, 1))):
            lines += [f'-- pgmend:undo {{"step":{step}}}', change["down"] + ";", ""]
        path = tmp_path / name
        path.write_text("\n".join(lines) + "\n")
        return path
    return write


def carry_out(db, *changes):
    for change in changes:
        db.execute(change["up"])


@pytest.fixture
def kept(tmp_path):
    """--file and where it keeps the baseline."""
    return ["--file", str(tmp_path / "baseline.json")]


def test_an_index_that_helps(db, pgmend, plan, kept):
    db.psql(ORDERS)
    path = plan([USER_INDEX], [BY_USER])
    done = pgmend("verify", "--baseline", *quick(*kept), path, db.conninfo)
    assert done.rc == 0, done
    assert "Seq Scan on orders" in done.out
    carry_out(db, USER_INDEX)
    done = pgmend("verify", "--compare", *quick(*kept), "--format=json", path, db.conninfo)
    assert done.rc == 0, done
    report = done.json()
    assert report["schema"] == "pgmend.verify/1" and report["passed"] and not report["problems"]
    statement = report["statements"][0]
    assert statement["verdict"] == "faster" and statement["ratio"] > 3
    assert statement["used_indexes"] == 1
    assert statement["before"]["plan"] == "Seq Scan on orders"
    assert statement["after"]["plan"] == "Bitmap Heap Scan using orders_user_id_idx on orders"
    assert statement["after"]["time_ms"]["runs"] == 7
    assert statement["before"]["hit_blocks"] + statement["before"]["read_blocks"] > 1000
    assert report["indexes"][0]["valid"] and report["indexes"][0]["size_bytes"] > 100000


def test_the_ledger_keeps_the_baseline(db, pgmend, plan):
    db.psql(ORDERS)
    path = plan([USER_INDEX], [BY_USER])
    done = pgmend("verify", "--compare", *quick(), path, db.conninfo)
    assert done.rc == 4 and "there is no baseline of Plan" in done.err and "--health" in done.err, done
    assert db.query("SELECT 1 FROM pg_namespace WHERE nspname = 'pgmend'") == []
    for _ in range(2):
        done = pgmend("verify", "--baseline", *quick(), path, db.conninfo)
        assert done.rc == 0 and "kept in the database's ledger" in done.out, done
    carry_out(db, USER_INDEX)
    done = pgmend("verify", "--compare", *quick(), "--format=json", path, db.conninfo)
    assert done.rc == 0 and done.json()["statements"][0]["verdict"] == "faster", done
    latest = db.scalar("SELECT data ->> 'taken_at' FROM pgmend.measurement ORDER BY id DESC LIMIT 1")
    assert done.json()["baseline_taken_at"] == latest
    # A damaged row is told, not believed.
    db.execute("UPDATE pgmend.measurement SET data = '{}'")
    done = pgmend("verify", "--compare", *quick(), path, db.conninfo)
    assert done.rc == 2 and "reading the baseline of" in done.err, done


def test_sql_that_leaves_names_to_the_search_path(db, pgmend, plan, kept):
    db.psql(ORDERS)
    path = plan([], [BY_USER])
    path.write_text("-- migrate:up transaction:false\nCREATE INDEX CONCURRENTLY bare ON orders (user_id);\n"
                    "-- migrate:down transaction:false\nDROP INDEX CONCURRENTLY bare;\n")
    done = pgmend("verify", "--baseline", *kept, "--format=json", path, db.conninfo)
    assert done.rc == 0 and done.json()["writes"][0]["indexes_after"] == 2, done
    assert pgmend("verify", "--health", path, db.conninfo).rc == 1
    db.execute("CREATE INDEX bare ON orders (user_id)")
    assert pgmend("verify", "--health", path, db.conninfo).rc == 0


def test_an_index_that_nobody_uses(db, pgmend, plan, kept):
    db.psql(ORDERS)
    useless = {**USER_INDEX, "up": "CREATE INDEX orders_user_id_idx ON public.orders (note)"}
    path = plan([useless], [BY_USER])
    assert pgmend("verify", "--baseline", *quick(*kept), path, db.conninfo).rc == 0
    carry_out(db, useless)
    for mode in ("--compare", "--health"):
        done = pgmend("verify", mode, *quick(*kept), path, db.conninfo)
        assert done.rc == 1, done
        assert "orders_user_id_idx is used by none of the statements" in done.out
        assert "NOT USED" in done.out


def test_an_index_that_is_missing_or_invalid(db, pgmend, plan, kept):
    db.psql(ORDERS)
    path = plan([USER_INDEX], [BY_USER])
    assert pgmend("verify", "--baseline", *quick(*kept), path, db.conninfo).rc == 0
    for mode in ("--compare", "--health"):
        done = pgmend("verify", mode, *quick(*kept), path, db.conninfo)
        assert done.rc == 1 and "orders_user_id_idx does not exist" in done.out, done
    carry_out(db, USER_INDEX)
    db.execute("UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'orders_user_id_idx'::regclass")
    for mode in ("--compare", "--health"):
        done = pgmend("verify", mode, *quick(*kept), path, db.conninfo)
        assert done.rc == 1 and "orders_user_id_idx is not valid" in done.out, done


def test_health_of_a_good_index(db, pgmend, plan):
    db.psql(ORDERS)
    path = plan([{**USER_INDEX, "size_bytes": 900000}], [BY_USER])
    carry_out(db, USER_INDEX)
    done = pgmend("verify", "--health", path, db.conninfo)
    assert done.rc == 0, done
    assert "Passed." in done.out and "879 kB" in done.out and "1 of 1" in done.out


def test_a_statement_that_gets_slower(db, pgmend, plan, kept):
    db.psql(ORDERS)
    carry_out(db, USER_INDEX)
    drop = {"kind": "drop_index", "schema": "public", "relation": "orders", "index": "orders_user_id_idx",
            "up": USER_INDEX["down"], "down": USER_INDEX["up"]}
    path = plan([drop], [{"sql": BY_USER["sql"]}])
    assert pgmend("verify", "--baseline", *quick(*kept), path, db.conninfo).rc == 0
    done = pgmend("verify", "--compare", *quick(*kept), path, db.conninfo)
    assert done.rc == 1 and "orders_user_id_idx is still there" in done.out, done
    carry_out(db, drop)
    done = pgmend("verify", "--compare", *quick(*kept), path, db.conninfo)
    assert done.rc == 1 and "SLOWER" in done.out and "got slower" in done.out, done


EFFECTS = """
CREATE TABLE counter (n integer);
INSERT INTO counter VALUES (0);
CREATE SEQUENCE s;
CREATE FUNCTION bump() RETURNS integer LANGUAGE plpgsql VOLATILE AS
    $$ BEGIN PERFORM nextval('s'); UPDATE counter SET n = n + 1; RETURN 1; END $$;
CREATE FUNCTION bump(t counter) RETURNS integer LANGUAGE sql VOLATILE AS 'SELECT bump()';
CREATE FUNCTION bump2(integer, integer) RETURNS boolean LANGUAGE sql VOLATILE AS 'SELECT bump() = 1';
CREATE OPERATOR === (LEFTARG = integer, RIGHTARG = integer, FUNCTION = bump2);
CREATE VIEW bumping AS SELECT bump() AS b FROM counter;
CREATE VIEW above AS SELECT * FROM bumping;
CREATE FUNCTION bump3(integer, integer) RETURNS integer LANGUAGE sql VOLATILE AS 'SELECT bump()';
CREATE AGGREGATE bumps(integer) (SFUNC = bump3, STYPE = integer);
CREATE FUNCTION harmless() RETURNS integer LANGUAGE sql STABLE AS 'SELECT 1';
"""


@pytest.mark.parametrize("statement", [
    "SELECT bump()", "SELECT public.bump()", "SELECT * FROM counter WHERE n = (SELECT bump())",
    "SELECT c.bump FROM counter AS c", "SELECT (c).bump FROM counter AS c",
    "SELECT n === 1 FROM counter", "SELECT n OPERATOR(public.===) 1 FROM counter",
    "SELECT * FROM bumping", "SELECT * FROM above", "SELECT bumps(n) FROM counter",
    "WITH x AS (SELECT bump() AS b) SELECT * FROM x", "SELECT nextval('s')",
    "SELECT pg_advisory_lock(4711)", "SELECT pg_notify('a', 'b')", "SELECT set_config('a.b', 'c', false)",
    "SELECT * FROM counter FOR UPDATE", "WITH x AS (DELETE FROM counter RETURNING *) SELECT * FROM x",
    "UPDATE counter SET n = n + 1", "DELETE FROM counter", "INSERT INTO counter VALUES (7)",
    "SELECT 1; DELETE FROM counter", "SELECT n INTO copied FROM counter",
    "SELECT query_to_xml('DELETE FROM counter', true, true, '')", "TRUNCATE counter", "VACUUM counter",
])
def test_what_may_write_is_not_executed(db, pgmend, plan, kept, statement):
    db.psql(EFFECTS)
    # A neighbour that may be executed: the run as a whole must go on.
    path = plan([], [{"sql": statement}, {"sql": "SELECT harmless(), random() FROM counter"}])
    done = pgmend("verify", "--baseline", *quick(*kept), "--format=json", path, db.conninfo)
    assert done.rc == 0, done
    first, second = done.json()["statements"]
    assert first["state"] in ("planned", "failed") and first["reason"]
    assert second["state"] == "timed"
    assert db.query("SELECT n FROM counter") == [(0,)]
    assert db.scalar("SELECT is_called FROM s") is False


def test_what_the_plan_calls_writing_is_not_executed(db, pgmend, plan, kept):
    db.psql(ORDERS)
    path = plan([], [{"sql": "SELECT count(*) FROM orders", "reads": False}])
    done = pgmend("verify", "--baseline", *quick(*kept), "--format=json", path, db.conninfo)
    assert done.rc == 0, done
    assert done.json()["statements"][0]["state"] == "planned"


def test_policies_are_looked_through(db, pgmend, plan, kept):
    db.psql(EFFECTS + """
        CREATE TABLE guarded (a integer);
        INSERT INTO guarded VALUES (1);
        ALTER TABLE guarded ENABLE ROW LEVEL SECURITY;
        CREATE POLICY p ON guarded USING (bump() = 1);""")
    path = plan([], [{"sql": "SELECT a FROM guarded"}])
    done = pgmend("verify", "--baseline", *quick(*kept), "--format=json", path, db.conninfo)
    assert "bump()" in done.json()["statements"][0]["reason"], done


def test_statement_timeout_is_a_side_of_the_comparison(db, pgmend, plan, kept):
    db.psql("CREATE TABLE naps (a integer); INSERT INTO naps VALUES (1), (2);")
    path = plan([], [{"sql": "SELECT pg_sleep(5) FROM naps WHERE a = 1"}])
    slow = pgmend("verify", "--baseline", "--statement-timeout", "300ms", *quick(*kept), path, db.conninfo)
    assert slow.rc == 0 and "> 300 ms" in slow.out, slow
    same = pgmend("verify", "--compare", "--statement-timeout", "300ms", *quick(*kept), path, db.conninfo)
    assert same.rc == 0 and "same" in same.out, same
    db.execute("DELETE FROM naps WHERE a = 1")
    done = pgmend("verify", "--compare", *quick(*kept), "--format=json", path, db.conninfo)
    statement = done.json()["statements"][0]
    assert done.rc == 0 and statement["verdict"] == "faster" and statement["ratio_is"] == "at least", done


def test_a_spent_budget_means_fewer_runs(db, pgmend, plan, kept):
    statements = [{"sql": f"SELECT pg_sleep(0.2), {i}"} for i in range(4)]
    path = plan([], statements)
    done = pgmend("verify", "--baseline", "--runs", "50", "--max-time", "1s", *kept, "--format=json", path,
                  db.conninfo)
    assert done.rc == 0, done
    baseline = done.json()
    assert baseline["budget_spent"]
    assert all(1 <= s["time_ms"]["runs"] < 3 for s in baseline["statements"])


def test_missing_baseline(db, pgmend, plan, kept, tmp_path):
    db.psql(ORDERS)
    path = plan([USER_INDEX], [BY_USER])
    done = pgmend("verify", "--compare", *kept, path, db.conninfo)
    assert done.rc == 2 and "cannot read the baseline" in done.err and "--baseline --file" in done.err, done
    assert pgmend("verify", "--baseline", *quick(*kept), path, db.conninfo).rc == 0
    other = plan([{**USER_INDEX, "up": USER_INDEX["up"] + " WITH (fillfactor = 80)"}], [], "other.sql")
    done = pgmend("verify", "--compare", *kept, other, db.conninfo)
    assert done.rc == 4 and "the baseline is of Plan" in done.err, done
    (tmp_path / "baseline.json").write_text('{"schema": "pgmend.baseline/1", "statements": [{}]')
    done = pgmend("verify", "--compare", *kept, path, db.conninfo)
    assert done.rc == 2 and "baseline.json, line 1" in done.err, done


def test_usage(db, pgmend, plan):
    path = plan([USER_INDEX], [BY_USER])
    assert pgmend("verify", path, db.conninfo).rc == 2
    assert pgmend("verify", "--baseline", "--compare", path, db.conninfo).rc == 2
    assert pgmend("verify", "--baseline", "--statement-timeout", "0", path, db.conninfo).rc == 2
    assert pgmend("verify", "--baseline", "--runs", "0", path, db.conninfo).rc == 2
    assert pgmend("verify", "--baseline", "no-such-file.sql", db.conninfo).rc == 2


def test_standby(cluster, standby, db, pgmend, plan, kept):
    db.psql(ORDERS)
    standby.wait_for_replay(cluster)
    path = plan([USER_INDEX], [BY_USER])
    away = standby.conninfo(db.name)
    done = pgmend("verify", "--baseline", path, away)
    assert done.rc == 3 and "--file FILE.json" in done.err, done
    done = pgmend("verify", "--baseline", "--runs", "3", *kept, path, away)
    assert done.rc == 0 and "not measured: the server is a standby" in done.out, done
    carry_out(db, USER_INDEX)
    standby.wait_for_replay(cluster)
    done = pgmend("verify", "--compare", "--runs", "3", *kept, path, away)
    assert done.rc == 0, done
    assert pgmend("verify", "--health", path, away).rc == 0


def test_no_rights(db, pgmend, plan, kept):
    db.psql(ORDERS + "CREATE ROLE nobody_reader LOGIN;")
    try:
        path = plan([USER_INDEX], [BY_USER])
        poor = db.cluster.conninfo(db.name, user="nobody_reader")
        done = pgmend("verify", "--baseline", *kept, path, poor)
        assert done.rc == 3 and "permission denied for table orders" in done.err, done
        done = pgmend("verify", "--baseline", path, poor)
        assert done.rc == 3 and "--file FILE.json" in done.err, done
        db.execute(f"REVOKE TEMPORARY ON DATABASE {db.name} FROM PUBLIC")
        db.execute("GRANT SELECT ON orders TO nobody_reader")
        done = pgmend("verify", "--baseline", "--runs", "1", *kept, path, poor)
        assert done.rc == 0 and "may not create temporary tables" in done.out, done
    finally:
        db.execute("DROP OWNED BY nobody_reader")
        db.execute("DROP ROLE nobody_reader")


def test_a_dropped_table(db, pgmend, plan, kept):
    db.psql(ORDERS + "CREATE TABLE other (a integer);")
    path = plan([USER_INDEX], [BY_USER, {"sql": "SELECT * FROM other"}])
    assert pgmend("verify", "--baseline", *quick(*kept), path, db.conninfo).rc == 0
    db.execute("DROP TABLE orders")
    done = pgmend("verify", "--compare", "--runs", "1", *kept, path, db.conninfo)
    assert done.rc == 1 and "worked before and fails now" in done.out, done
    assert "the table does not exist" in done.out


def objects(db):
    """Everything in the catalogs that a run could have left, and how often tables were written."""
    return db.query("""
        SELECT n.nspname, c.relname, c.relkind, c.relfilenode FROM pg_class AS c
        JOIN pg_namespace AS n ON n.oid = c.relnamespace WHERE n.nspname NOT LIKE 'pg\\_toast%%'
        ORDER BY 1, 2""", []) + db.query(
            # The server itself keeps the empty schemas of temporary tables for their next use.
            "SELECT nspname FROM pg_namespace WHERE nspname !~ '^pg_(toast_)?temp_' ORDER BY 1")


def test_what_writers_pay(db, pgmend, plan, kept):
    db.psql(ORDERS)
    before = objects(db)
    counts = db.query("SELECT count(*), sum(id), max(ctid::text) FROM orders")
    path = plan([USER_INDEX], [BY_USER])
    kinds = ("insert", "update_covered")
    for _ in range(5):
        done = pgmend("verify", "--baseline", "--runs", "1", *kept, "--format=json", path, db.conninfo)
        assert done.rc == 0, done
        writes = done.json()["writes"][0]
        # The fastest of the runs: other work on the machine only ever adds, but it may add to all runs of one side.
        fastest = [[writes[side][kind]["us_per_row"]["min"] for side in ("before", "after")] for kind in kinds]
        if all(0.1 < old < new for old, new in fastest):
            break
    assert writes["reason"] == "" and writes["rows"] == 2500
    assert (writes["indexes_before"], writes["indexes_after"]) == (1, 2)
    assert writes["covered_columns"] == "user_id" and writes["other_column"] == "created_at"
    assert all(0.1 < old < new for old, new in fastest), writes
    # An index on the column makes its updates lose HOT; those of another column keep it.
    assert writes["before"]["update_covered"]["hot_share"] > 0.9
    assert writes["after"]["update_covered"]["hot_share"] == 0
    assert writes["after"]["update_other"]["hot_share"] > 0.9
    assert objects(db) == before
    assert db.query("SELECT count(*), sum(id), max(ctid::text) FROM orders") == counts
    assert db.scalar("SELECT last_value FROM orders_id_seq") == 100000

    # Compare shows what the baseline measured, and the text says how.
    carry_out(db, USER_INDEX)
    done = pgmend("verify", "--compare", "--runs", "1", *kept, path, db.conninfo)
    assert done.rc == 0 and "UPDATE of user_id" in done.out, done
    assert "on temporary copies" in done.out and "1 -> 2" in done.out


def test_writes_of_a_dropped_index(db, pgmend, plan, kept):
    db.psql(ORDERS + "CREATE INDEX old ON orders (status); ")
    drop = {"kind": "drop_index", "schema": "public", "relation": "orders", "index": "old",
            "up": "DROP INDEX public.old", "down": "CREATE INDEX old ON public.orders (status)"}
    path = plan([drop], [])
    for execute in (False, True):
        if execute:
            carry_out(db, drop)
        done = pgmend("verify", "--baseline", *kept, "--format=json", path, db.conninfo)
        writes = done.json()["writes"][0]
        assert (writes["reason"], writes["indexes_before"], writes["indexes_after"]) == ("", 2, 1), done
        assert writes["before"]["update_covered"]["hot_share"] == 0
        assert writes["after"]["update_covered"]["hot_share"] > 0.9


ODD = 'Odd "Ta.ble"\n-- ;'
ODD_SCHEMA = "Schéma 'x'"


def test_odd_names(db, pgmend, plan, kept):
    q = lambda name: '"' + name.replace('"', '""') + '"'
    u = lambda name: 'U&"' + name.replace('"', '""').replace("\n", "\\000a") + '"'
    column, index = 'pgmend_row', "I" * 63
    db.psql(f"""
        CREATE SCHEMA {q(ODD_SCHEMA)};
        CREATE DOMAIN {q(ODD_SCHEMA)}.positive AS integer CHECK (VALUE > 0);
        CREATE TABLE {q(ODD_SCHEMA)}.{q(ODD)} ({q(column)} {q(ODD_SCHEMA)}.positive,
            "sElect" text, "gen é" integer GENERATED ALWAYS AS (pgmend_row % 7 + 1) STORED,
            "no;te" integer CHECK ("no;te" >= 0), j json, p point);
        INSERT INTO {q(ODD_SCHEMA)}.{q(ODD)} SELECT i, 'v' || i, DEFAULT, i, to_json(i), point(i, i)
        FROM generate_series(1, 20000) AS i;
        CREATE UNIQUE INDEX {q('u"1')} ON {q(ODD_SCHEMA)}.{q(ODD)} (pgmend_row);
        ANALYZE;""".replace("SELECT i, 'v' || i, DEFAULT, i,", "SELECT i, 'v' || i, i,").replace(
            f"INSERT INTO {q(ODD_SCHEMA)}.{q(ODD)} SELECT",
            f"INSERT INTO {q(ODD_SCHEMA)}.{q(ODD)} (pgmend_row, \"sElect\", \"no;te\", j, p) SELECT"))
    change = {"kind": "create_index", "schema": ODD_SCHEMA, "relation": ODD, "index": index,
              "up": f'CREATE INDEX {q(index)} ON {q(ODD_SCHEMA)} . {u(ODD)} ("sElect" DESC, "gen é")',
              "down": f"DROP INDEX {q(ODD_SCHEMA)}.{q(index)}"}
    statement = {"sql": f"SELECT * FROM {q(ODD_SCHEMA)}.{q(ODD)} WHERE \"sElect\" = 'v77'",
                 "indexes": [index]}
    path = plan([change], [statement])
    done = pgmend("verify", "--baseline", "--runs", "3", *kept, "--format=json", path, db.conninfo)
    assert done.rc == 0, done
    writes = done.json()["writes"][0]
    assert writes["reason"] == "" and writes["indexes_after"] == 2, writes
    assert writes["covered_columns"] == '"sElect"'
    assert writes["before"]["update_covered"]["hot_share"] > 0.9
    carry_out(db, change)
    done = pgmend("verify", "--compare", "--runs", "3", *kept, "--format=markdown", path, db.conninfo)
    assert done.rc == 0 and "faster" in done.out and "Passed." in done.out, done
    assert pgmend("verify", "--health", path, db.conninfo).rc == 0


def test_partitioned_table(db, pgmend, plan, kept):
    db.psql("""
        CREATE TABLE events (id integer, kind integer, at date NOT NULL, PRIMARY KEY (id, at))
            PARTITION BY RANGE (at);
        CREATE TABLE events_1 PARTITION OF events FOR VALUES FROM ('2024-01-01') TO ('2024-02-01');
        CREATE TABLE events_2 PARTITION OF events FOR VALUES FROM ('2024-02-01') TO ('2024-03-01')
            PARTITION BY RANGE (at);
        CREATE TABLE events_2a PARTITION OF events_2 FOR VALUES FROM ('2024-02-01') TO ('2024-03-01');
        INSERT INTO events SELECT i, i % 3000, '2024-01-01'::date + i % 60 FROM generate_series(1, 60000) AS i;
        ANALYZE;""")
    change = {"kind": "create_index", "schema": "public", "relation": "events", "index": "events_kind",
              "up": "CREATE INDEX events_kind ON public.events (kind)", "down": "DROP INDEX public.events_kind"}
    path = plan([change], [{"sql": "SELECT * FROM events WHERE kind = 5 AND at > '2024-02-02'",
                            "indexes": ["events_kind"]}])
    done = pgmend("verify", "--baseline", "--runs", "3", *kept, "--format=json", path, db.conninfo)
    assert done.rc == 0, done
    writes = done.json()["writes"][0]
    assert (writes["reason"], writes["indexes_before"], writes["indexes_after"]) == ("", 1, 2)
    carry_out(db, change)
    done = pgmend("verify", "--compare", "--runs", "3", *kept, "--format=json", path, db.conninfo)
    assert done.rc == 0, done
    index = done.json()["indexes"][0]
    assert index["used_by"] == 1 and index["size_bytes"] > 100000
    db.execute("ALTER TABLE events DETACH PARTITION events_1")
    assert pgmend("verify", "--health", path, db.conninfo).rc == 0


def test_an_invalid_index_below_a_partitioned_one(db, pgmend, plan):
    db.psql("""
        CREATE TABLE events (id integer, at date) PARTITION BY RANGE (at);
        CREATE TABLE events_1 PARTITION OF events FOR VALUES FROM ('2024-01-01') TO ('2024-02-01');
        CREATE INDEX events_id ON ONLY events (id);""")
    change = {"kind": "create_index", "schema": "public", "relation": "events", "index": "events_id",
              "up": "CREATE INDEX events_id ON ONLY public.events (id)", "down": "DROP INDEX public.events_id"}
    path = plan([change], [])
    done = pgmend("verify", "--health", path, db.conninfo)
    assert done.rc == 1 and "events_id is not valid" in done.out, done


@pytest.mark.parametrize("definition, where", [
    ("USING btree (lower(note))", "lower(note) = 'x'"),
    ("(created_at DESC) INCLUDE (user_id) WHERE status = 'rare'",
     "status = 'rare' AND created_at > '2024-01-01'"),
    ("USING gin (to_tsvector('english', note))", "to_tsvector('english', note) @@ to_tsquery('english', 'x')"),
    ("USING gin (tags jsonb_path_ops)", "tags @> '[999]'"),
    ("USING hash (note)", "note = 'x'"),
    ("USING brin (created_at) WITH (pages_per_range = 4)", "created_at < '2024-01-02'"),
])
def test_kinds_of_indexes(db, pgmend, plan, kept, definition, where):
    db.psql(ORDERS + """
        ALTER TABLE orders ADD tags jsonb;
        UPDATE orders SET tags = jsonb_build_array(id % 1000, id % 7),
            status = CASE WHEN id % 5000 = 0 THEN 'rare' ELSE status END;
        VACUUM (FULL, ANALYZE) orders;""")
    change = {"kind": "create_index", "schema": "public", "relation": "orders", "index": "the_index",
              "up": f"CREATE INDEX CONCURRENTLY the_index ON public.orders {definition}",
              "down": "DROP INDEX CONCURRENTLY public.the_index"}
    path = plan([change], [{"sql": f"SELECT id FROM orders WHERE {where}", "indexes": ["the_index"]}])
    done = pgmend("verify", "--baseline", "--runs", "3", *kept, "--format=json", path, db.conninfo)
    assert done.rc == 0, done
    writes = done.json()["writes"][0]
    assert writes["reason"] == "" and "insert" in writes["after"], writes
    carry_out(db, change)
    done = pgmend("verify", "--compare", "--runs", "3", *kept, "--format=json", path, db.conninfo)
    assert done.rc == 0, done
    assert done.json()["statements"][0]["verdict"] == "faster"


def test_tables_whose_writes_cannot_be_measured(db, pgmend, plan, kept):
    db.psql("""
        CREATE TABLE few AS SELECT 1 AS a;
        CREATE MATERIALIZED VIEW seen AS SELECT i AS a FROM generate_series(1, 1000) AS i;
        CREATE TABLE flat AS SELECT 1 AS a, i AS b FROM generate_series(1, 1000) AS i;""")
    changes = [{"kind": "create_index", "schema": "public", "relation": t, "index": f"{t}_a",
                "up": f"CREATE INDEX {t}_a ON public.{t} (a)", "down": f"DROP INDEX public.{t}_a"}
               for t in ("few", "seen", "flat")]
    path = plan(changes, [])
    done = pgmend("verify", "--baseline", *kept, path, db.conninfo)
    assert done.rc == 0, done
    assert "public.few is not measured: too few rows" in done.out
    assert "public.seen is not measured: a materialized view" in done.out
    assert "the UPDATE of indexed columns is not measured" in done.out
    db.psql("""
        CREATE FUNCTION log_ddl() RETURNS event_trigger LANGUAGE plpgsql AS 'BEGIN END';
        CREATE EVENT TRIGGER watcher ON ddl_command_end EXECUTE FUNCTION log_ddl();""")
    done = pgmend("verify", "--baseline", *kept, path, db.conninfo)
    assert "event triggers would see the temporary tables: watcher" in done.out, done


def test_search_path_of_the_user(db, pgmend, plan, kept):
    db.psql("CREATE SCHEMA app; CREATE TABLE app.t AS SELECT i AS a FROM generate_series(1, 30000) AS i;"
            "ANALYZE app.t;")
    db.execute(f"ALTER DATABASE {db.name} SET search_path = app")
    change = {"kind": "create_index", "schema": "app", "relation": "t", "index": "t_a",
              "up": "CREATE INDEX t_a ON app.t (a)", "down": "DROP INDEX app.t_a"}
    path = plan([change], [{"sql": "SELECT * FROM t WHERE a = 3", "indexes": ["t_a"]}])
    assert pgmend("verify", "--baseline", "--runs", "3", *kept, path, db.conninfo).rc == 0
    carry_out(db, change)
    done = pgmend("verify", "--compare", "--runs", "3", *kept, path, db.conninfo)
    assert done.rc == 0 and "faster" in done.out, done


def test_parameters_without_values(db, pgmend, plan, kept):
    db.psql(ORDERS)
    path = plan([], [{"sql": "SELECT * FROM orders WHERE id = $1 AND user_id = $2"},
                     {"sql": "SELECT * FROM no_such_table WHERE a = $1"},
                     {"sql": "UPDATE orders SET note = $1 WHERE id = $2"}])
    done = pgmend("verify", "--baseline", *quick(*kept), "--format=json", path, db.conninfo)
    assert done.rc == 0, done
    read, bad, write = done.json()["statements"]
    assert read["plan"] == "Index Scan using orders_pkey on orders" and "generic" in read["reason"]
    assert (bad["state"], write["state"]) == ("failed", "planned")
    assert "no_such_table" in bad["reason"] and "orders_pkey" in write["plan"]


def test_samples_of_tables_may_be_read(db, pgmend, plan, kept):
    db.psql(ORDERS)
    path = plan([], [{"sql": "SELECT count(*) FROM orders TABLESAMPLE SYSTEM (10)"}])
    done = pgmend("verify", "--baseline", *quick(*kept), "--format=json", path, db.conninfo)
    assert done.json()["statements"][0]["state"] == "timed", done


def test_a_baseline_that_comes_too_late_says_so(db, pgmend, plan, kept):
    db.psql(ORDERS)
    path = plan([USER_INDEX], [BY_USER])
    done = pgmend("verify", "--baseline", *quick(*kept), path, db.conninfo)
    assert "already" not in done.out, done
    carry_out(db, USER_INDEX)
    for mode in ("--baseline", "--compare"):
        done = pgmend("verify", mode, *quick(*kept), path, db.conninfo)
        assert done.rc == 0 and "1 of the Plan's indexes had been made or dropped already" in done.out, done


def wait_for(condition):
    deadline = time.monotonic() + 90
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_interrupt(db, pgmend, plan, kept, tmp_path):
    path = plan([], [{"sql": "SELECT pg_sleep(60)"}])
    child = pgmend.popen("verify", "--baseline", *kept, path, db.conninfo)
    running = "SELECT 1 FROM pg_stat_activity WHERE query LIKE '%%pg_sleep(60)%%' AND pid <> pg_backend_pid()" \
              " AND state = 'active'"
    wait_for(lambda: db.query(running, []))
    child.send_signal(signal.SIGINT)
    out, err = child.communicate(timeout=90)
    assert child.returncode == 4 and ("stopped by the user" in err or "canceling" in err), (out, err)
    wait_for(lambda: not db.query(running, []))
    assert not (tmp_path / "baseline.json").exists()


def test_server_that_stops(make_cluster, pgmend, plan, kept):
    server = make_cluster()
    path = plan([], [{"sql": "SELECT pg_sleep(60)"}])
    child = pgmend.popen("verify", "--baseline", *kept, path, server.conninfo())
    with server.connect() as conn:
        wait_for(lambda: conn.execute("SELECT 1 FROM pg_stat_activity WHERE query LIKE '%pg_sleep(60)%' "
                                      "AND pid <> pg_backend_pid()").fetchall())
    server.kill()
    out, err = child.communicate(timeout=90)
    assert child.returncode == 3 and err.startswith("pgmend verify: "), (out, err)
    # And one that is not there.
    assert pgmend("verify", "--health", path, server.conninfo()).rc == 3


def test_report_file_and_escapes(db, pgmend, plan, kept, tmp_path):
    db.psql(ORDERS)
    path = plan([], [{"sql": "SELECT 'a|b', E'\\x1b', '\x1b[31m', '\x9b' FROM orders LIMIT 1"}])
    report = tmp_path / "report.md"
    done = pgmend("verify", "--baseline", *quick(*kept), "--report", report, path, db.conninfo)
    assert done.rc == 0, done
    text = report.read_text()
    assert text.startswith("# Baseline of Plan") and re.search(r"^\| 1 \| SELECT 'a\\\|b'", text, re.M)
    assert "\x1b" not in text + done.out and "\x9b" not in text + done.out
    done = pgmend("verify", "--baseline", *quick(*kept), "--report", "/nowhere/x.md", path, db.conninfo)
    assert done.rc == 4 and "cannot write /nowhere/x.md" in done.err


def test_two_databases_and_sessions_left(db, pgmend, plan, kept):
    """No session, no prepared transaction and no lock is left when it ends."""
    db.psql(ORDERS)
    path = plan([USER_INDEX], [BY_USER])
    assert pgmend("verify", "--baseline", "--runs", "1", *kept, path, db.conninfo).rc == 0
    with psycopg.connect(db.conninfo, autocommit=True) as conn:
        left = conn.execute("SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() "
                            "AND application_name = 'pgmend'").fetchone()[0]
        temporary = conn.execute("SELECT count(*) FROM pg_class WHERE relpersistence = 't'").fetchone()[0]
    assert (left, temporary) == (0, 0)


def index_names(db):
    return {name for name, in db.query("SELECT indexname FROM pg_indexes WHERE schemaname = 'public'")}


def test_apply_and_verify_in_one_go(db, pgmend, plan, tmp_path):
    db.psql(ORDERS)
    path = plan([USER_INDEX], [BY_USER])
    report = tmp_path / "report.md"
    done = pgmend("apply", "--verify", "--yes", "--runs", "3", "--report", report, path, db.conninfo)
    assert done.rc == 0, done
    assert re.search(r"Baseline of 1 statement taken.*is done.*faster.*Passed\.", done.out, re.S), done
    assert report.read_text().startswith("# Verification of Plan")
    assert "orders_user_id_idx" in index_names(db)
    # Again: nothing to do, and the baseline from before still tells the truth.
    done = pgmend("apply", "--rollback-on-regression", "--yes", *quick("--format=json"), path, db.conninfo)
    assert done.rc == 0, done
    document = done.json()
    assert document["schema"] == "pgmend.apply_verify/1" and document["rollback"] is None
    assert document["apply"]["already"] and document["verify"]["passed"]
    assert document["verify"]["statements"][0]["verdict"] == "faster"


DROP_USER_INDEX = {"kind": "drop_index", "schema": "public", "relation": "orders", "index": "orders_user_id_idx",
                   "up": USER_INDEX["down"], "down": USER_INDEX["up"]}


def test_rollback_on_regression(db, pgmend, plan):
    db.psql(ORDERS)
    carry_out(db, USER_INDEX)
    before = index_names(db)
    path = plan([DROP_USER_INDEX], [{"sql": BY_USER["sql"]}])
    done = pgmend("apply", "--verify", "--yes", *quick(), path, db.conninfo)
    assert done.rc == 1 and "got slower" in done.out and "Rolling" not in done.out, done
    assert "orders_user_id_idx" not in index_names(db)
    assert pgmend("rollback", "--yes", db.conninfo).rc == 0
    for form in ("text", "json"):
        done = pgmend("apply", "--rollback-on-regression", "--yes", *quick("--format", form), path, db.conninfo)
        assert done.rc == 1, done
        assert index_names(db) == before
        if form == "text":
            assert re.search(r"got slower.*Rolling the Plan back.*is rolled back", done.out, re.S), done
        else:
            assert not done.json()["verify"]["passed"] and done.json()["rollback"]["ok"]
    assert db.scalar("SELECT state FROM pgmend.plan ORDER BY seq DESC LIMIT 1") == "undone"


def test_rollback_of_an_index_that_nobody_uses(db, pgmend, plan):
    db.psql(ORDERS)
    before = index_names(db)
    useless = {**USER_INDEX, "up": "CREATE INDEX CONCURRENTLY orders_user_id_idx ON public.orders (note)"}
    path = plan([useless], [BY_USER])
    done = pgmend("apply", "--rollback-on-regression", "--yes", *quick(), path, db.conninfo)
    assert done.rc == 1 and "is used by none of the statements" in done.out, done
    assert index_names(db) == before


def test_a_failed_apply_is_not_compared(db, pgmend, plan):
    db.psql(ORDERS)
    unique = {**USER_INDEX, "up": "CREATE UNIQUE INDEX CONCURRENTLY orders_user_id_idx ON public.orders (user_id)"}
    path = plan([unique], [BY_USER])
    for form in ("text", "json"):
        done = pgmend("apply", "--rollback-on-regression", "--yes", *quick("--format", form), path, db.conninfo)
        assert done.rc == 4 and "the unique index cannot be" in done.err, done
        assert "Verdict" not in done.out
    assert done.json()["verify"] is None and not done.json()["apply"]["ok"]


def test_a_plan_for_another_database_is_not_measured(db, pgmend, plan):
    db.psql(ORDERS)
    path = plan([USER_INDEX], [BY_USER])
    path.write_text(path.read_text().replace('"database":""', '"database":"elsewhere"'))
    done = pgmend("apply", "--verify", "--yes", *quick(), path, db.conninfo)
    assert done.rc != 0 and "elsewhere" in done.err, done
    assert db.query("SELECT 1 FROM pg_namespace WHERE nspname = 'pgmend'") == []


def test_a_baseline_from_before_a_crash_is_used(db, pgmend, plan):
    """apply --verify, killed while the index is built and started again, compares with the first baseline."""
    db.psql(ORDERS)
    path = plan([USER_INDEX], [BY_USER])
    with db.connect(autocommit=False) as writer:
        # CREATE INDEX CONCURRENTLY waits for this transaction.
        writer.execute("UPDATE orders SET note = 'x' WHERE id = 1")
        child = pgmend.popen("apply", "--verify", "--yes", *quick(), path, db.conninfo)
        wait_for(lambda: db.query("SELECT 1 FROM pg_stat_progress_create_index "
                                  "WHERE relid = 'orders'::regclass"))
        child.kill()
        child.communicate(timeout=90)
        first = db.scalar("SELECT data ->> 'taken_at' FROM pgmend.measurement")
        writer.rollback()
    done = pgmend("apply", "--verify", "--yes", "--wait", "90s", *quick("--format=json"), path, db.conninfo)
    assert done.rc == 0, done
    verified = done.json()["verify"]
    assert verified["baseline_taken_at"] == first and verified["statements"][0]["verdict"] == "faster"
    assert db.scalar("SELECT count(*) FROM pgmend.measurement") == 1
