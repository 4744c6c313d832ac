"""apply, rollback and history: what they do when nothing goes wrong, and what they refuse."""

import subprocess

import pytest
from psycopg import sql

from changes import (index_names, invalid_indexes, plan_state, schema_of, step_states, wait_until,
                     write_plan)

LOCK = "SELECT pg_try_advisory_lock(1885826404, 1)"


@pytest.fixture
def shop(db):
    db.execute("CREATE TABLE orders (id int PRIMARY KEY, user_id int, status text, tags jsonb)")
    db.execute("INSERT INTO orders SELECT i, i % 100, CASE WHEN i % 10 = 0 THEN 'open' ELSE 'shut' END, "
               "jsonb_build_object('a', i % 7) FROM generate_series(1, 5000) i")
    db.execute("CREATE TABLE events (id int, at int, kind text) PARTITION BY RANGE (at)")
    db.execute("CREATE TABLE events_1 PARTITION OF events FOR VALUES FROM (0) TO (10)")
    db.execute("CREATE TABLE events_2 PARTITION OF events FOR VALUES FROM (10) TO (20) PARTITION BY RANGE (id)")
    db.execute("CREATE TABLE events_2a PARTITION OF events_2 FOR VALUES FROM (0) TO (1000)")
    db.execute("INSERT INTO events SELECT i, i % 20, 'k' FROM generate_series(0, 999) i")
    return db


def apply_ok(pgmend, plan, db, *more):
    done = pgmend("apply", *more, plan, db.conninfo)
    assert done.rc == 0, done
    return done


def test_a_plan_is_applied_and_taken_back(shop, pgmend, tmp_path):
    before = schema_of(shop)
    plan = write_plan(tmp_path, "CREATE INDEX CONCURRENTLY orders_user ON public.orders (user_id);\n"
                                "ALTER TABLE orders ADD note text;\n"
                                "CREATE INDEX CONCURRENTLY orders_open ON orders (id) WHERE status = 'open';",
                      "ALTER TABLE orders DROP note;")
    done = apply_ok(pgmend, plan, shop)
    assert "[1/3] create index orders_user on orders: done in" in done.out
    assert index_names(shop, "orders") == ["orders_open", "orders_pkey", "orders_user"]
    assert step_states(shop) == ["done"] * 3 and plan_state(shop) == "done"
    assert shop.scalar("SELECT size_bytes FROM pgmend.change WHERE step = 1") > 0
    changed = schema_of(shop)

    again = apply_ok(pgmend, plan, shop)
    assert "done already" in again.out
    assert schema_of(shop) == changed

    history = pgmend("history", "--format=json", shop.conninfo).json()["runs"]
    assert [(run["state"], run["steps_done"], run["steps"]) for run in history] == [("done", 3, 3)]
    plan.unlink()  # the ledger has the whole Plan
    shown = pgmend("rollback", "--dry-run", shop.conninfo)
    assert shown.rc == 0 and "DROP INDEX CONCURRENTLY public.orders_user;" in shown.out
    assert schema_of(shop) == changed
    undone = pgmend("rollback", "--plan", history[0]["plan"], shop.conninfo)
    assert undone.rc == 0, undone
    assert schema_of(shop) == before
    assert step_states(shop) == ["undone"] * 3 and plan_state(shop) == "undone"
    nothing = pgmend("rollback", shop.conninfo)
    assert nothing.rc == 0 and "nothing to roll back" in nothing.out


def test_a_plan_can_be_applied_again_after_a_rollback(shop, pgmend, tmp_path):
    plan = write_plan(tmp_path, "CREATE INDEX CONCURRENTLY i ON orders (user_id);")
    for _ in range(2):
        apply_ok(pgmend, plan, shop)
        assert "i" in index_names(shop, "orders")
        assert pgmend("rollback", "--yes", shop.conninfo).rc == 0
        assert index_names(shop, "orders") == ["orders_pkey"]
    assert shop.scalar("SELECT count(*) FROM pgmend.plan") == 2
    plan_id = shop.scalar("SELECT DISTINCT id FROM pgmend.plan")
    runs = pgmend("history", "--plan", plan_id, "--format=json", shop.conninfo).json()["runs"]
    assert [run["step_list"][0]["state"] for run in runs] == ["undone", "undone"]


def test_rollback_takes_the_last_plan_and_then_the_one_before(shop, pgmend, tmp_path):
    one = write_plan(tmp_path, "CREATE INDEX CONCURRENTLY one ON orders (user_id);", name="1.sql")
    two = write_plan(tmp_path, "CREATE INDEX CONCURRENTLY two ON orders (status);", name="2.sql")
    apply_ok(pgmend, one, shop)
    apply_ok(pgmend, two, shop)
    assert pgmend("rollback", shop.conninfo).rc == 0
    assert index_names(shop, "orders") == ["one", "orders_pkey"]
    assert pgmend("rollback", shop.conninfo).rc == 0
    assert index_names(shop, "orders") == ["orders_pkey"]
    unknown = pgmend("rollback", "--plan", "0123456789ab", shop.conninfo)
    assert unknown.rc == 2 and "knows no Plan 0123456789ab" in unknown.err


def test_a_dry_run_changes_nothing(shop, pgmend, tmp_path):
    before = schema_of(shop)
    plan = write_plan(tmp_path, "CREATE INDEX CONCURRENTLY i ON orders (user_id);\nALTER TABLE orders ADD n int;")
    with shop.connect(autocommit=False) as other:
        other.execute("UPDATE orders SET status = 'x' WHERE id = 1")
        shown = pgmend("apply", "--dry-run", plan, shop.conninfo)
        pid = other.info.backend_pid
        other.rollback()
    assert shown.rc == 0, shown
    assert "lock: SHARE UPDATE EXCLUSIVE on public.orders" in shown.out
    assert "lock: ACCESS EXCLUSIVE on public.orders" in shown.out
    assert f"would wait for: pid {pid}" in shown.out
    assert schema_of(shop) == before
    assert shop.scalar("SELECT count(*) FROM pg_namespace WHERE nspname = 'pgmend'") == 0
    steps = pgmend("apply", "-n", "--format=json", plan, shop.conninfo).json()["steps"]
    assert [step["action"] for step in steps] == ["run", "run"]


NAMES = ['plain', 'With "quotes"', "two\nlines", "a b", "ünïcödé ☃", "x" * 63, "'; DROP TABLE orders; --",
         "back\\slash", "-- migrate:down"]


@pytest.mark.parametrize("name", NAMES)
def test_any_name_will_do(db, pgmend, tmp_path, name):
    quoted = sql.Identifier(name).as_string(db.conn)
    index = sql.Identifier(name[:50] + " idx").as_string(db.conn)
    db.execute(f"CREATE SCHEMA {quoted}")
    db.execute(f"CREATE TABLE {quoted}.{quoted} ({quoted} int)")
    before = schema_of(db)
    plan = write_plan(tmp_path, f"CREATE INDEX CONCURRENTLY {index} ON {quoted}.{quoted} ({quoted});",
                      f"DROP INDEX CONCURRENTLY {quoted}.{index};")
    apply_ok(pgmend, plan, db)
    found = db.query("SELECT relname FROM pg_class JOIN pg_index ON indexrelid = oid WHERE indisvalid AND "
                     "relname LIKE '% idx'")
    assert found == [(name[:50] + " idx",)]
    assert pgmend("history", db.conninfo).rc == 0
    assert pgmend("rollback", db.conninfo).rc == 0
    assert schema_of(db) == before


def test_a_partitioned_table_gets_its_index_part_by_part(shop, pgmend, tmp_path):
    before = schema_of(shop)
    plan = write_plan(tmp_path, "-- pgmend:change {\"step\":1}\n"
                      "CREATE INDEX events_at ON ONLY events (at);\n"
                      "CREATE INDEX CONCURRENTLY events_1_at ON events_1 (at);\n"
                      "CREATE INDEX events_2_at ON ONLY events_2 (at);\n"
                      "CREATE INDEX CONCURRENTLY events_2a_at ON events_2a (at);\n"
                      "ALTER INDEX events_2_at ATTACH PARTITION events_2a_at;\n"
                      "ALTER INDEX events_at ATTACH PARTITION events_1_at;\n"
                      "ALTER INDEX events_at ATTACH PARTITION events_2_at;",
                      "DROP INDEX events_at;")
    # Partitions that came, and one that went, after the Plan was made.
    shop.execute("CREATE TABLE events_3 PARTITION OF events FOR VALUES FROM (20) TO (30)")
    shop.execute("CREATE TABLE events_2b PARTITION OF events_2 FOR VALUES FROM (1000) TO (2000)")
    shop.execute("ALTER TABLE events DETACH PARTITION events_1")
    middle = schema_of(shop)
    done = apply_ok(pgmend, plan, shop)
    assert "events_1 is no partition any more" in done.err
    assert not invalid_indexes(shop)
    assert shop.scalar("SELECT count(*) FROM pg_partition_tree('events_at')") == 5
    assert index_names(shop, "events_1") == []
    assert "done already" in apply_ok(pgmend, plan, shop).out
    assert pgmend("rollback", shop.conninfo).rc == 0
    assert schema_of(shop) == middle
    assert before != middle


def test_concurrently_on_a_partitioned_table_is_done_for_the_user(shop, pgmend, tmp_path):
    before = schema_of(shop)
    plan = write_plan(tmp_path, "CREATE INDEX CONCURRENTLY e ON events (kind);\n"
                                "CREATE UNIQUE INDEX CONCURRENTLY u ON events (id, at);")
    apply_ok(pgmend, plan, shop)
    assert not invalid_indexes(shop)
    assert shop.scalar("SELECT count(*) FROM pg_partition_tree('e')") == 4
    assert pgmend("rollback", shop.conninfo).rc == 0
    assert schema_of(shop) == before


def test_every_kind_of_relation_that_can_have_an_index(db, pgmend, tmp_path):
    db.execute("CREATE TABLE base (a int)")
    db.execute("CREATE UNLOGGED TABLE fast (a int)")
    db.execute("CREATE TABLE child () INHERITS (base)")
    db.execute("CREATE MATERIALIZED VIEW mat AS SELECT 1 AS a")
    before = schema_of(db)
    names = ["base", "fast", "child", "mat"]
    plan = write_plan(tmp_path, "".join(f"CREATE INDEX CONCURRENTLY {n}_i ON {n} (a);\n" for n in names))
    apply_ok(pgmend, plan, db)
    for name in names:
        assert index_names(db, name) == [f"{name}_i"]
    assert pgmend("rollback", db.conninfo).rc == 0
    assert schema_of(db) == before


@pytest.mark.parametrize("setup, relation, says", [
    ("CREATE VIEW v AS SELECT 1 AS a", "v", "is a view"),
    ("CREATE SEQUENCE s", "s", "is no table"),
    ("CREATE EXTENSION postgres_fdw; CREATE SERVER x FOREIGN DATA WRAPPER postgres_fdw; "
     "CREATE FOREIGN TABLE f (a int) SERVER x", "f", "is a foreign table"),
    ("SELECT 1", "pg_catalog.pg_class", "belongs to the system"),
    ("SELECT 1", "nowhere", "relation nowhere does not exist"),
    ("SELECT 1", "nowhere.t", "relation nowhere.t does not exist"),
])
def test_what_cannot_have_an_index_is_refused(cluster, db, pgmend, tmp_path, setup, relation, says):
    if "postgres_fdw" in setup and not cluster.has_extension("postgres_fdw"):
        pytest.skip("no extension postgres_fdw")
    db.psql(setup)
    plan = write_plan(tmp_path, f"CREATE INDEX CONCURRENTLY i ON {relation} (a);")
    done = pgmend("apply", plan, db.conninfo)
    assert done.rc == 4 and says in done.err, done
    assert db.scalar("SELECT count(*) FROM pg_namespace WHERE nspname = 'pgmend'") == 0


def test_a_temporary_table_of_another_session_is_refused(db, pgmend, tmp_path):
    with db.connect() as other:
        other.execute("CREATE TEMP TABLE mine (a int)")
        schema = other.execute("SELECT nspname FROM pg_namespace WHERE oid = pg_my_temp_schema()").fetchone()[0]
        plan = write_plan(tmp_path, f"CREATE INDEX CONCURRENTLY i ON {schema}.mine (a);")
        done = pgmend("apply", plan, db.conninfo)
    assert done.rc == 4 and "belongs to the system" in done.err, done


@pytest.mark.parametrize("existing, wanted, served", [
    ("CREATE INDEX e ON orders (user_id)", "CREATE INDEX CONCURRENTLY n ON orders (user_id)", True),
    ("CREATE INDEX e ON orders USING btree (user_id ASC NULLS LAST)", "CREATE INDEX n ON orders(user_id)", True),
    ("CREATE UNIQUE INDEX e ON orders (id, user_id)", "CREATE INDEX CONCURRENTLY n ON orders (id, user_id)", True),
    ("CREATE INDEX e ON orders (id, user_id)", "CREATE UNIQUE INDEX CONCURRENTLY n ON orders (id, user_id)", False),
    ("CREATE INDEX e ON orders (user_id DESC)", "CREATE INDEX CONCURRENTLY n ON orders (user_id)", False),
    ("CREATE INDEX e ON orders (user_id, status)", "CREATE INDEX CONCURRENTLY n ON orders (user_id)", False),
    ("CREATE INDEX e ON orders (user_id) INCLUDE (status)", "CREATE INDEX CONCURRENTLY n ON orders (user_id)", False),
    ("CREATE INDEX e ON orders (lower(status))", "CREATE INDEX CONCURRENTLY n ON orders ((lower(status)))", True),
    ("CREATE INDEX e ON orders (lower(status))", "CREATE INDEX CONCURRENTLY n ON orders (upper(status))", False),
    ("CREATE INDEX e ON orders (id) WHERE status = 'open'",
     "CREATE INDEX CONCURRENTLY n ON orders (id) WHERE (status = 'open'::text)", True),
    ("CREATE INDEX e ON orders (id) WHERE status = 'open'",
     "CREATE INDEX CONCURRENTLY n ON orders (id) WHERE status = 'shut'", False),
    ("CREATE INDEX e ON orders USING gin (tags)", "CREATE INDEX CONCURRENTLY n ON orders USING gin (tags)", True),
    ("CREATE INDEX e ON orders USING gin (tags)",
     "CREATE INDEX CONCURRENTLY n ON orders USING gin (tags jsonb_path_ops)", False),
    ("CREATE INDEX e ON orders (status text_pattern_ops)", "CREATE INDEX CONCURRENTLY n ON orders (status)", False),
    ("CREATE INDEX e ON orders USING hash (status)", "CREATE INDEX CONCURRENTLY n ON orders (status)", False),
])
def test_an_index_that_serves_already_is_kept(shop, pgmend, tmp_path, existing, wanted, served):
    shop.execute(existing)
    before = schema_of(shop)
    plan = write_plan(tmp_path, wanted + ";")
    done = apply_ok(pgmend, plan, shop)
    assert ("already served by public.e" in done.out) == served
    assert ("n" in index_names(shop, "orders")) != served
    apply_ok(pgmend, plan, shop)
    assert pgmend("rollback", shop.conninfo).rc == 0
    assert schema_of(shop) == before


def test_a_name_that_is_taken_is_refused(shop, pgmend, tmp_path):
    shop.execute("CREATE INDEX n ON orders (status)")
    before = schema_of(shop)
    plan = write_plan(tmp_path, "CREATE INDEX CONCURRENTLY IF NOT EXISTS n ON orders (user_id);")
    done = pgmend("apply", plan, shop.conninfo)
    assert done.rc == 4 and "the name public.n is taken by another index: CREATE INDEX n" in done.err, done
    plan = write_plan(tmp_path, "CREATE INDEX CONCURRENTLY events ON orders (user_id);")
    done = pgmend("apply", plan, shop.conninfo)
    assert done.rc == 4 and "the name public.events is taken" in done.err, done
    assert schema_of(shop) == before


def test_the_leftover_of_someone_else_is_not_touched(shop, pgmend, tmp_path):
    with pytest.raises(Exception, match="could not create unique index"):
        shop.execute("CREATE UNIQUE INDEX CONCURRENTLY n ON orders (user_id)")
    before = schema_of(shop)
    plan = write_plan(tmp_path, "CREATE INDEX CONCURRENTLY IF NOT EXISTS n ON orders (user_id);")
    done = pgmend("apply", plan, shop.conninfo)
    assert done.rc == 4 and "pgmend did not make it" in done.err, done
    assert "DROP INDEX CONCURRENTLY public.n" in done.err
    assert schema_of(shop) == before


def test_duplicates_are_found_before_a_unique_index_fails(shop, pgmend, tmp_path):
    shop.execute("INSERT INTO orders VALUES (-1, NULL, 'x'), (-2, NULL, 'x'), (-3, 7777, 'y'), (-4, 7777, 'y')")
    plan = write_plan(tmp_path, "CREATE INDEX CONCURRENTLY first ON orders (user_id);\n"
                                "CREATE UNIQUE INDEX CONCURRENTLY u ON orders (user_id, status) WHERE id < 0;")
    done = pgmend("apply", plan, shop.conninfo)
    assert done.rc == 4 and "(7777, y) is there 2 times" in done.err, done
    assert not invalid_indexes(shop) and step_states(shop) == ["done", "failed"]
    shop.execute("DELETE FROM orders WHERE id = -4")
    apply_ok(pgmend, plan, shop)
    assert step_states(shop) == ["done", "done"]


def test_a_dropped_index_comes_back_as_it_was(shop, pgmend, tmp_path):
    shop.psql("CREATE UNIQUE INDEX drop_me ON orders (id, (user_id + 1)) INCLUDE (status) WITH (fillfactor = 70) "
              "WHERE status <> 'it''s'; COMMENT ON INDEX drop_me IS 'a ''comment'''; "
              "ALTER INDEX drop_me ALTER COLUMN 2 SET STATISTICS 500;"
              "CREATE INDEX clustered ON orders (user_id); ALTER TABLE orders CLUSTER ON clustered;"
              "ALTER TABLE orders ALTER user_id SET NOT NULL;"
              "CREATE UNIQUE INDEX ident ON orders (id, user_id); "
              "ALTER TABLE orders REPLICA IDENTITY USING INDEX ident;"
              "CREATE INDEX events_kind ON events (kind)")
    before = schema_of(shop)
    plan = write_plan(tmp_path, "DROP INDEX CONCURRENTLY drop_me;\nDROP INDEX CONCURRENTLY clustered;\n"
                                "DROP INDEX public.ident;\nDROP INDEX CONCURRENTLY IF EXISTS not_there;\n"
                                "DROP INDEX events_kind;")
    done = apply_ok(pgmend, plan, shop)
    assert "there is no such index" in done.out
    assert index_names(shop, "orders") == ["orders_pkey"] and index_names(shop, "events_1") == []
    assert pgmend("rollback", shop.conninfo).rc == 0
    assert schema_of(shop) == before
    assert shop.scalar("SELECT count(*) FROM pgmend.made WHERE state <> 'dropped'") == 0


def test_what_must_not_be_dropped_is_refused(shop, pgmend, tmp_path):
    before = schema_of(shop)
    shop.execute("CREATE INDEX ek ON events (kind)")
    part = shop.scalar("SELECT indexrelid::regclass::text FROM pg_index WHERE indrelid = 'events_1'::regclass")
    for name, says in [("orders_pkey", "belongs to constraint orders_pkey"), ("missing", "does not exist"),
                       ("orders", "is no index"), (part, "part of the index of a partitioned table")]:
        done = pgmend("apply", write_plan(tmp_path, f"DROP INDEX CONCURRENTLY {name};"), shop.conninfo)
        assert done.rc == 4 and says in done.err, done
    shop.execute("DROP INDEX ek")
    assert schema_of(shop) == before


def test_any_sql_is_all_or_nothing_with_its_row_in_the_ledger(shop, pgmend, tmp_path):
    before = schema_of(shop)
    plan = write_plan(tmp_path, "-- pgmend:change {\"step\":1,\"title\":\"both\"}\n"
                                "ALTER TABLE orders ADD a int;\nALTER TABLE orders ADD b int;\n"
                                "-- pgmend:change {\"step\":2}\n"
                                "ALTER TABLE orders ADD c int;\nSELECT 1 / 0;",
                      "-- pgmend:undo {\"step\":1}\nALTER TABLE orders DROP a;\nALTER TABLE orders DROP b;")
    done = pgmend("apply", plan, shop.conninfo)
    assert done.rc == 4 and "step 2" in done.err and "division by zero" in done.err, done
    assert step_states(shop) == ["done", "failed"] and plan_state(shop) == "failed"
    columns = [r[0] for r in shop.query("SELECT attname FROM pg_attribute WHERE attrelid = 'orders'::regclass "
                                        "AND attnum > 4")]
    assert columns == ["a", "b"]
    refused = pgmend("history", "--drop-ledger", shop.conninfo)
    assert refused.rc == 4 and "is unfinished" in refused.err
    assert pgmend("rollback", shop.conninfo).rc == 0
    assert schema_of(shop) == before
    assert pgmend("history", "--drop-ledger", shop.conninfo).rc == 0
    assert shop.scalar("SELECT count(*) FROM pg_namespace WHERE nspname = 'pgmend'") == 0


def test_statements_that_need_no_transaction_run_alone(shop, pgmend, tmp_path):
    plan = write_plan(tmp_path, "VACUUM (ANALYZE) orders;\nREINDEX INDEX CONCURRENTLY orders_pkey;\nANALYZE orders;")
    apply_ok(pgmend, plan, shop)
    assert shop.scalar("SELECT count(*) FROM pg_stats WHERE tablename = 'orders'") > 0
    undone = pgmend("rollback", shop.conninfo)
    assert undone.rc == 0 and "no way back" in undone.out, undone


def test_later_steps_may_use_what_earlier_ones_make(db, pgmend, tmp_path):
    before = schema_of(db)
    plan = write_plan(tmp_path, "CREATE TABLE n (a int);\nCREATE INDEX CONCURRENTLY n_a ON n (a);\n"
                                "ALTER TABLE n ADD b int;", "DROP TABLE n;")
    apply_ok(pgmend, plan, db)
    assert index_names(db, "n") == ["n_a"]
    assert pgmend("rollback", db.conninfo).rc == 0
    assert schema_of(db) == before


def test_expressions_are_analysed(shop, pgmend, tmp_path):
    shop.execute("ANALYZE orders")
    apply_ok(pgmend, write_plan(tmp_path, "CREATE INDEX CONCURRENTLY x ON orders ((id % 3));"), shop)
    assert shop.scalar("SELECT count(*) FROM pg_stats WHERE tablename = 'x'") == 1


def test_names_are_found_by_the_users_search_path(db, pgmend, tmp_path):
    db.execute("CREATE SCHEMA app")
    db.execute("CREATE TABLE app.t (a int)")
    plan = write_plan(tmp_path, "CREATE INDEX CONCURRENTLY i ON t (a);\nDROP INDEX CONCURRENTLY i;")
    assert pgmend("apply", plan, db.conninfo).rc == 4
    plan = write_plan(tmp_path, "CREATE INDEX CONCURRENTLY i ON t (a);")
    done = pgmend("apply", plan, db.conninfo, env={"PGOPTIONS": "-c search_path=app"})
    assert done.rc == 0, done
    assert index_names(db, "app.t") == ["i"]


def test_a_plan_for_another_database_is_refused(shop, pgmend, tmp_path):
    plan = write_plan(tmp_path, "CREATE INDEX CONCURRENTLY i ON orders (user_id);",
                      head='-- pgmend:plan {"version":1,"database":"other"}\n')
    done = pgmend("apply", plan, shop.conninfo)
    assert done.rc == 2 and "was made for database other" in done.err, done
    apply_ok(pgmend, plan, shop, "--force-database")


def test_one_run_at_a_time(shop, pgmend, tmp_path):
    plan = write_plan(tmp_path, "CREATE INDEX CONCURRENTLY i ON orders (user_id);")
    with shop.connect(application_name="the other") as other:
        assert other.execute(LOCK).fetchone()[0]
        done = pgmend("apply", plan, shop.conninfo)
        assert done.rc == 4 and f"the other, role postgres, pid {other.info.backend_pid}" in done.err, done
        child = pgmend.popen("apply", "--wait=30s", plan, shop.conninfo)
        assert wait_until(lambda: "another run" in child.stderr.readline())
        other.execute("SELECT pg_advisory_unlock_all()")
        assert child.wait(30) == 0
    assert index_names(shop, "orders") == ["i", "orders_pkey"]


def test_two_real_runs_at_once_make_one_index(shop, pgmend, tmp_path):
    plan = write_plan(tmp_path, "CREATE INDEX CONCURRENTLY i ON orders (user_id);")
    children = [pgmend.popen("apply", "--wait=30s", plan, shop.conninfo) for _ in range(3)]
    assert [child.wait(60) for child in children] == [0, 0, 0]
    assert shop.scalar("SELECT count(*) FROM pgmend.plan") == 1
    assert shop.scalar("SELECT max(attempt) FROM pgmend.change") == 1


def test_results_as_json(shop, pgmend, tmp_path):
    plan = write_plan(tmp_path, "CREATE INDEX CONCURRENTLY i ON orders (user_id);\nSELECT 1 / 0;")
    done = pgmend("apply", "--format=json", plan, shop.conninfo)
    said = done.json()
    assert done.rc == 4 and said["version"] == 1 and not said["ok"]
    assert [step["state"] for step in said["steps"]] == ["done", "failed"]
    assert said["error"]["sqlstate"] == "" or said["error"]["sqlstate"] == "22012"
    assert said["steps"][0]["size_bytes"] > 0


def test_a_plan_from_standard_input(shop, pgmend):
    done = pgmend("apply", "-", shop.conninfo, input="-- migrate:up\nCREATE INDEX CONCURRENTLY i ON orders (id);")
    assert done.rc == 0 or "already served" in done.out, done
    assert shop.scalar("SELECT path FROM pgmend.plan") == "standard input"


def test_an_index_dropped_behind_our_back_is_built_again(shop, pgmend, tmp_path):
    plan = write_plan(tmp_path, "CREATE INDEX CONCURRENTLY i ON orders (user_id);")
    apply_ok(pgmend, plan, shop)
    shop.execute("DROP INDEX i")
    apply_ok(pgmend, plan, shop)
    assert "i" in index_names(shop, "orders")
    shop.execute("ALTER INDEX i RENAME TO renamed")
    assert pgmend("rollback", shop.conninfo).rc == 0
    assert index_names(shop, "orders") == ["orders_pkey"]


def test_an_index_that_another_plan_made_is_not_dropped(shop, pgmend, tmp_path):
    one = write_plan(tmp_path, "CREATE INDEX CONCURRENTLY i ON orders (user_id);", name="1.sql")
    two = write_plan(tmp_path, "CREATE INDEX CONCURRENTLY i ON orders (user_id);\nANALYZE orders;", name="2.sql")
    apply_ok(pgmend, one, shop)
    assert "already served by public.i" in apply_ok(pgmend, two, shop).out
    assert pgmend("rollback", shop.conninfo).rc == 0
    assert "i" in index_names(shop, "orders")


def test_attaching_an_index_that_is_not_ours_is_refused(shop, pgmend, tmp_path):
    shop.execute("CREATE INDEX theirs ON events_1 (at)")
    before = schema_of(shop)
    plan = write_plan(tmp_path, "-- pgmend:change {}\nCREATE INDEX p ON ONLY events (at);\n"
                                "ALTER INDEX p ATTACH PARTITION theirs;")
    done = pgmend("apply", plan, shop.conninfo)
    assert done.rc == 4 and "attaches index theirs, which it does not create" in done.err, done
    assert schema_of(shop) == before


def test_what_psql_makes_of_a_plan_is_the_same(shop, pgmend, tmp_path):
    """The line in a Plan's head that runs it without pgmend."""
    plan = write_plan(tmp_path, "CREATE INDEX CONCURRENTLY i ON orders (user_id);\n", "DROP INDEX i;")
    psql = shop.cluster.bin_dir / "psql"
    if not psql.exists():
        pytest.skip("no psql")
    subprocess.run(f"sed '/^-- migrate:down/,$d' {plan} | {psql} -qv ON_ERROR_STOP=1 -d '{shop.conninfo}'",
                   shell=True, check=True)
    assert "already served by public.i" in apply_ok(pgmend, plan, shop).out


def test_an_index_can_be_swapped_in_either_order(shop, pgmend, tmp_path):
    """The old index serves what the new one would, but the same Plan drops it."""
    shop.execute("CREATE INDEX old ON orders (user_id) WITH (fillfactor = 50)")
    before = schema_of(shop)
    create, drop = "CREATE INDEX CONCURRENTLY new ON orders (user_id);", "DROP INDEX CONCURRENTLY old;"
    for up in (create + drop, drop + create):
        plan = write_plan(tmp_path, up)
        apply_ok(pgmend, plan, shop)
        assert index_names(shop, "orders") == ["new", "orders_pkey"]
        assert "done already" in apply_ok(pgmend, plan, shop).out
        assert pgmend("rollback", shop.conninfo).rc == 0
        assert schema_of(shop) == before


def test_an_index_can_be_replaced_under_its_name(shop, pgmend, tmp_path):
    shop.execute("CREATE INDEX i ON orders (user_id)")
    before = schema_of(shop)
    plan = write_plan(tmp_path, "DROP INDEX CONCURRENTLY i;\nCREATE INDEX CONCURRENTLY i ON orders (status);")
    assert pgmend("apply", "-n", plan, shop.conninfo).rc == 0
    apply_ok(pgmend, plan, shop)
    made = schema_of(shop)
    assert "done already" in apply_ok(pgmend, plan, shop).out
    assert schema_of(shop) == made != before
    assert pgmend("rollback", shop.conninfo).rc == 0
    assert schema_of(shop) == before


def test_what_failed_is_not_undone(cluster, shop, pgmend, tmp_path):
    """The database was there before: the way back of the step that could not make it must not drop it."""
    name = shop.name + "_other"
    cluster.new_database(name)
    try:
        plan = write_plan(tmp_path, f"CREATE DATABASE {name};", f"DROP DATABASE {name};")
        done = pgmend("apply", plan, shop.conninfo)
        assert done.rc == 4 and "already exists" in done.err, done
        assert pgmend("rollback", shop.conninfo).rc == 0
        assert shop.scalar("SELECT count(*) FROM pg_database WHERE datname = %s", [name]) == 1
    finally:
        shop.execute(f"DROP DATABASE IF EXISTS {name}")
