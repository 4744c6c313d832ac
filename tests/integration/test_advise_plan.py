"""What advise makes of indexes that are there, of writes and foreign keys, and the Plan that it writes."""

import pytest

import changes
from advising import ANALYZE, SHOP, advise, make_shop, shop  # noqa: F401  (a fixture)

pytestmark = pytest.mark.hypopg


@pytest.fixture
def own_shop(cluster, db):
    db.psql(SHOP + ANALYZE)
    return db


def written_plan(pgmend, db, statements, tmp_path, *args):
    path = tmp_path / "plan.sql"
    advice = advise(pgmend, db, statements, "--out", path, *args)
    return advice, path


def index_names(db):
    return {row[0] for row in db.query("SELECT indexrelid::regclass::text FROM pg_index WHERE indisvalid AND indrelid "
                                       ">= 16384")}


@pytest.mark.parametrize("existing, statement", [
    ("(score)", "SELECT * FROM orders WHERE score = 5;"),
    ("(score, id, total)", "SELECT * FROM orders WHERE score = 5;"),
    ("(score DESC, created_at)", "SELECT * FROM orders ORDER BY score, created_at DESC LIMIT 5;"),
    ("(note text_pattern_ops)", "SELECT * FROM orders WHERE note LIKE 'note abc%';"),
])
def test_already_served(own_shop, pgmend, existing, statement):
    own_shop.execute(f"CREATE INDEX is_there ON orders {existing}")
    advice = advise(pgmend, own_shop, statement)
    assert advice.bodies == []
    assert advice.reason("public.orders (") == "already served by index is_there"


def test_an_index_in_another_collation_serves_nothing(own_shop, pgmend):
    own_shop.execute('CREATE INDEX other ON customers (name COLLATE "C" DESC)')
    own_shop.execute('ALTER TABLE customers ALTER name TYPE text COLLATE "und-x-icu"')
    own_shop.psql(ANALYZE)
    advice = advise(pgmend, own_shop, "SELECT * FROM customers WHERE name = 'Name 77';")
    assert advice.bodies[0].startswith("(name)")
    assert advice.proposals[0]["redundant"] == []


def test_redundant_is_told_and_dropped_with_a_way_back(own_shop, pgmend, tmp_path):
    own_shop.execute("CREATE INDEX \"Old one\" ON orders (score) WITH (fillfactor = 70)")
    own_shop.execute("CREATE UNIQUE INDEX needed ON orders (score, id)")
    own_shop.execute("CREATE INDEX other ON orders (score) WHERE paid")
    statement = "SELECT * FROM orders WHERE score < 20 ORDER BY score, created_at LIMIT 3;" \
                "SELECT id FROM orders WHERE score = 5 ORDER BY created_at DESC LIMIT 2;"
    advice, path = written_plan(pgmend, own_shop, statement, tmp_path)
    assert advice.bodies[0].startswith("(score, created_at")
    assert advice.proposals[0]["redundant"] == ["Old one"]
    assert "DROP INDEX" not in path.read_text().split("migrate:down")[0]
    before = changes.schema_of(own_shop)
    advice, path = written_plan(pgmend, own_shop, statement, tmp_path, "--drop-redundant")
    up, down = path.read_text().split("\n-- migrate:down", 1)
    assert 'DROP INDEX CONCURRENTLY public."Old one";' in up
    assert "fillfactor='70'" in down
    assert pgmend("apply", "--yes", path, own_shop.conninfo).rc == 0
    assert '"Old one"' not in index_names(own_shop)
    assert pgmend("rollback", "--yes", own_shop.conninfo).rc == 0
    assert changes.schema_of(own_shop) == before


FAMILY = """
SET synchronous_commit = on;
CREATE TABLE parent (id int PRIMARY KEY, x int);
CREATE TABLE child (id int PRIMARY KEY, parent_id int REFERENCES parent ON DELETE CASCADE, filler text);
CREATE TABLE grandchild (child_id int REFERENCES child ON DELETE CASCADE, other_id int REFERENCES parent, f text);
INSERT INTO parent SELECT g, g FROM generate_series(1, 1000) g;
INSERT INTO child SELECT g, 1 + g % 1000, repeat('x', 40) FROM generate_series(1, 30000) g;
INSERT INTO grandchild SELECT 1 + g % 30000, 1 + g % 1000, repeat('y', 40) FROM generate_series(1, 60000) g;
CREATE INDEX ON grandchild (other_id, child_id);
VACUUM ANALYZE;
"""


def test_foreign_keys(db, pgmend):
    db.psql(FAMILY)
    advice = advise(pgmend, db, "DELETE FROM parent WHERE id = 5; -- calls: 1")
    assert advice.of("child") == ["(parent_id)"]
    assert advice.of("grandchild") == ["(child_id)"]
    effects = {p["table"].split(".")[-1]: p["statements"][0] for p in advice.proposals}
    assert effects["child"]["foreign_key"] == "child_parent_id_fkey"
    assert not effects["child"]["calls_assumed"]
    assert effects["grandchild"]["calls"] == 30 # by cascade: each parent has 30 children
    # Nobody deletes: still proposed, but said.
    advice = advise(pgmend, db, "SELECT x FROM parent WHERE id = 5;")
    assert advice.of("child") == ["(parent_id)"]
    assert advice.proposals[0]["statements"][0]["calls_assumed"]
    text = pgmend("advise", "--workload", "-", db.conninfo, input="SELECT x FROM parent WHERE id = 5;").out
    assert "1 call assumed, none seen" in text
    assert "each row deleted from public.parent looks for its children (foreign key child_parent_id_fkey)" in text


def test_writes_that_cost_more_than_reads_gain(shop, pgmend):
    read = "SELECT sum(total) FROM orders WHERE score BETWEEN 100 AND 180;"
    write = "-- calls: 20000000\nINSERT INTO orders (id, score) VALUES (1, 2);"
    assert len(advise(pgmend, shop, read, "--table", "orders").bodies) == 1
    advice = advise(pgmend, shop, read + write, "--table", "orders")
    assert advice.bodies == []
    assert advice.reason("(score)") == "its writes would cost more than the reads gain"


STATEMENTS = """SELECT * FROM orders WHERE score = 7; SELECT * FROM orders WHERE customer_id = 7;
                SELECT * FROM orders WHERE note = 'note x'; SELECT * FROM lines WHERE order_id = 5;
                SELECT * FROM customers WHERE name = 'Name 5';"""


def test_budget(shop, pgmend):
    all_of_it = advise(pgmend, shop, STATEMENTS)
    assert len(all_of_it.proposals) == 5
    total = sum(p["size_bytes"] for p in all_of_it.proposals)
    assert total == all_of_it.json["size_bytes"]
    some = advise(pgmend, shop, STATEMENTS, "--budget", total // 2)
    assert 0 < some.json["size_bytes"] <= total // 2
    assert some.json["budget_used_bytes"] == some.json["size_bytes"]
    assert advise(pgmend, shop, STATEMENTS, "--budget", "8kB").proposals == []
    inflated = advise(pgmend, shop, STATEMENTS, "--budget", total // 2, "--sizes", "hypopg")
    assert inflated.json["budget_used_bytes"] <= total // 2
    assert inflated.json["size_bytes"] < inflated.json["budget_used_bytes"]


def test_options(shop, pgmend):
    wide = "SELECT * FROM orders WHERE customer_id < 5 AND score = 5 AND total > 3 ORDER BY created_at LIMIT 5;"
    for width in ("1", "2"):
        assert all(b.count(",") < int(width) for b in advise(pgmend, shop, wide, "--max-width", width).bodies)
    for name in ("lines", "public.lines", "public.customers"):
        advice = advise(pgmend, shop, STATEMENTS, "--table", name)
        assert [p["table"] for p in advice.proposals] == ["public." + name.split(".")[-1]]
    assert len(advise(pgmend, shop, STATEMENTS, "--table", "lines", "--table", "customers").proposals) == 2
    dear = "SELECT sum(total) FROM orders WHERE score BETWEEN 100 AND 180;" \
           "-- calls: 100\nSELECT sum(total) FROM orders WHERE paid;"
    assert len(advise(pgmend, shop, dear, "--min-gain", "5", "--max-include", "0").proposals) == 1
    assert advise(pgmend, shop, dear, "--min-gain", "90", "--max-include", "0").proposals == []
    for wrong in (("--max-width", "0"), ("--max-width", "33"), ("--min-gain", "101"), ("--budget", "much"),
                  ("--sizes", "big"), ("--top", "0"), ("--table", "nothing"), ("--max-include", "-5")):
        result = pgmend("advise", "--workload", "-", *wrong, shop.conninfo, input=STATEMENTS)
        assert result.rc == 2, result
        assert result.err.startswith("pgmend"), result


PARTITIONED = """
SET synchronous_commit = on;
CREATE TABLE events (id bigint, kind int, at date NOT NULL, body text) PARTITION BY RANGE (at);
CREATE TABLE events_a PARTITION OF events FOR VALUES FROM ('2024-01-01') TO ('2024-07-01');
CREATE TABLE "events B" PARTITION OF events FOR VALUES FROM ('2024-07-01') TO ('2025-01-01') PARTITION BY LIST (kind);
CREATE TABLE events_b0 PARTITION OF "events B" FOR VALUES IN (0, 1, 2);
CREATE TABLE events_b1 PARTITION OF "events B" DEFAULT;
INSERT INTO events SELECT g, g % 9, date '2024-01-01' + g % 360, md5(g::text) FROM generate_series(1, 60000) g;
VACUUM ANALYZE;
"""


def test_partitioned(db, pgmend, tmp_path):
    db.psql(PARTITIONED)
    advice, path = written_plan(pgmend, db, "SELECT * FROM events WHERE id = 77;", tmp_path)
    assert advice.bodies == ["(id)"]
    up = path.read_text().split("\n-- migrate:down")[0]
    assert up.count("ON ONLY public.") == 2
    assert up.count("CREATE INDEX CONCURRENTLY") == 3
    assert up.count("ATTACH PARTITION") == 4
    before = changes.schema_of(db)
    done = pgmend("apply", "--yes", path, db.conninfo)
    assert done.rc == 0, done
    assert db.scalar("SELECT bool_and(indisvalid) FROM pg_index WHERE indrelid IN ('events'::regclass, "
                     "'events_a'::regclass, '\"events B\"'::regclass, 'events_b0'::regclass)")
    assert "Index Scan" in str(db.query("EXPLAIN SELECT * FROM events WHERE id = 77"))
    # Now it is served, also where a statement names a partition.
    again = advise(pgmend, db, "SELECT * FROM events WHERE id = 77; SELECT * FROM events_a WHERE id = 5;")
    assert again.bodies == []
    assert pgmend("rollback", "--yes", db.conninfo).rc == 0
    assert changes.schema_of(db) == before


def test_a_partition_is_not_advised_beside_its_parent(db, pgmend):
    db.psql(PARTITIONED)
    advice = advise(pgmend, db, "SELECT * FROM events WHERE id = 77; SELECT * FROM events_a WHERE id = 5;")
    assert [(p["table"], b) for p, b in zip(advice.proposals, advice.bodies)] == [("public.events", "(id)")]


def test_the_plan_is_for_psql_too(own_shop, pgmend, tmp_path):
    advice, path = written_plan(pgmend, own_shop, STATEMENTS, tmp_path)
    text = path.read_text()
    up = text.split("\n-- migrate:down")[0]
    before = index_names(own_shop)
    own_shop.psql(up)
    names = index_names(own_shop) - before
    assert names == {p["index"] for p in advice.proposals}
    assert advise(pgmend, own_shop, STATEMENTS).proposals == []


def test_plan_on_standard_output_and_a_folder(shop, pgmend, tmp_path):
    result = pgmend("advise", "--workload", "-", "--out", "-", shop.conninfo, input=STATEMENTS)
    assert result.rc == 0
    assert "-- migrate:up transaction:false" in result.out and "Asked:" not in result.out
    assert "Asked: 5 statements" in result.err
    result = pgmend("advise", "--workload", "-", "--out", "/nowhere/plan.sql", shop.conninfo, input=STATEMENTS)
    assert result.rc == 2 and "cannot write /nowhere/plan.sql: No such file or directory" in result.err
    result = pgmend("advise", "--workload", "-", "--out", f"{tmp_path}/plans/", shop.conninfo, input=STATEMENTS)
    assert result.rc == 0 and len(list((tmp_path / "plans").glob("*.sql"))) == 5


def test_the_whole_chain(own_shop, pgmend, tmp_path):
    before = changes.schema_of(own_shop)
    advice, path = written_plan(pgmend, own_shop, STATEMENTS, tmp_path)
    done = pgmend("apply", "--yes", "--verify", path, own_shop.conninfo)
    assert done.rc == 0, done
    assert {p["index"] for p in advice.proposals} <= index_names(own_shop)
    assert advise(pgmend, own_shop, STATEMENTS).proposals == []
    assert pgmend("rollback", "--yes", own_shop.conninfo).rc == 0
    assert changes.schema_of(own_shop) == before
