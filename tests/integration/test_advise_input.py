"""Odd names, odd relations, odd workloads; and what the output looks like."""

import json

import pytest

import changes
from advising import ANALYZE, SHOP, advise, make_shop, shop  # noqa: F401  (a fixture)

pytestmark = pytest.mark.hypopg

NAMES = ['Upper Case', 'with"quote', "with'apostrophe", "new\nline; DROP TABLE other; --", 'select', 'ünïcödé ✓', 'x' * 63,
         'ä' * 31, '$1', 'tab\there', '; \\! touch x', '%s%n', '-- migrate:down', 'back\\slash']


def quoted(name):
    return '"' + name.replace('"', '""') + '"'


def test_odd_names(db, pgmend, tmp_path):
    """Schema, table, column and constant, each with the same odd name; through apply and rollback."""
    statements = []
    db.execute("SET synchronous_commit = on")
    for i, name in enumerate(NAMES):
        q = quoted(name)
        db.execute(f"CREATE SCHEMA {q}")
        db.execute(f"CREATE TABLE {q}.{q} (id int, {q} text, {quoted(name[:20] + ' 2')} timestamptz, filler text)")
        db.execute(f"INSERT INTO {q}.{q} SELECT g, 'v' || g, now(), repeat('x', 100) FROM generate_series(1, 12000) g")
        statements.append(f"SELECT {q} FROM {q}.{q} WHERE {q} = 'v{i}' ORDER BY {quoted(name[:20] + ' 2')} DESC LIMIT 3;")
        statements.append(f"SELECT id FROM {q}.{q} t WHERE lower(t.{q}) = 'v{i}';")
    db.psql(ANALYZE)
    path = tmp_path / "plan.sql"
    advice = advise(pgmend, db, "\n".join(statements), "--out", path)
    assert advice.json["not_planned"] == 0, advice.json
    assert len(advice.proposals) >= 2 * len(NAMES) - 2, [p["sql"] for p in advice.proposals]
    assert all(len(p["index"].encode()) <= 63 for p in advice.proposals)
    before = changes.schema_of(db)
    done = pgmend("apply", "--yes", path, db.conninfo)
    assert done.rc == 0, done
    again = advise(pgmend, db, "\n".join(statements))
    assert again.bodies == [], ([p["sql"] for p in advice.proposals], again.proposals[0])
    assert pgmend("rollback", "--yes", db.conninfo).rc == 0
    assert changes.schema_of(db) == before
    for args in ((), ("--format", "markdown"), ("--verbose",)):
        result = pgmend("advise", "--workload", "-", *args, db.conninfo, input="\n".join(statements))
        assert result.rc == 0, result


RELATIONS = SHOP + """
CREATE VIEW open_orders AS SELECT id, score, note FROM orders WHERE status = 'open';
CREATE MATERIALIZED VIEW sums AS SELECT g AS id, md5(g::text) AS sum, g % 999 AS part FROM generate_series(1, 40000) g;
CREATE EXTENSION IF NOT EXISTS file_fdw;
CREATE SERVER files FOREIGN DATA WRAPPER file_fdw;
CREATE FOREIGN TABLE foreign_lines (a int, b text) SERVER files OPTIONS (filename '/dev/null');
CREATE UNLOGGED TABLE unlogged_orders AS SELECT * FROM orders;
CREATE TABLE old_orders () INHERITS (orders);
CREATE TABLE never (id int, x int); INSERT INTO never SELECT g, g FROM generate_series(1, 50000) g;
ALTER TABLE never SET (autovacuum_enabled = off);
CREATE SCHEMA side; CREATE TABLE side.shy AS SELECT * FROM orders;
"""


@pytest.mark.extension("file_fdw")
def test_relations(db, pgmend, tmp_path):
    db.psql(RELATIONS + "VACUUM ANALYZE orders; ANALYZE sums; ANALYZE unlogged_orders; ANALYZE side.shy;")
    statements = """
        SELECT * FROM open_orders WHERE score = 5;
        SELECT * FROM sums WHERE part = 5;
        SELECT * FROM foreign_lines WHERE a = 5;
        SELECT * FROM unlogged_orders WHERE score = 5;
        SELECT * FROM never WHERE x = 5;
        SELECT * FROM shy WHERE score = 5;
        SELECT * FROM temporary_one WHERE a = 5;
        SELECT * FROM pg_class WHERE relname = 'x';
        SELECT * FROM information_schema.tables WHERE table_name = 'x';
        SELECT * FROM generate_series(1, 3) g WHERE g = 2;
        SELECT 1;
    """
    path = tmp_path / "plan.sql"
    advice = advise(pgmend, db, statements, "--out", path)
    assert {p["table"] for p in advice.proposals} == {"public.sums", "public.unlogged_orders"}
    assert "never analysed" in advice.reason("never")
    db.execute("ALTER ROLE postgres IN DATABASE \"%s\" SET search_path = side, public" % db.name)
    advice = advise(pgmend, db, statements, "--out", path)
    assert "side.shy" in {p["table"] for p in advice.proposals}
    assert pgmend("apply", "--yes", path, db.conninfo).rc == 0
    # A parent's own rows are served by its own index; a child has none of it.
    advice = advise(pgmend, db, "SELECT * FROM orders WHERE note = 'note 5';")
    assert advice.of("orders")[0].startswith("(note)")


def test_workload_files(shop, pgmend, tmp_path):
    def run(*args, **more):
        return pgmend("advise", *args, shop.conninfo, **more)
    result = run("--workload", tmp_path / "missing.sql")
    assert result.rc == 2 and "No such file or directory" in result.err
    result = run("--workload", tmp_path)
    assert result.rc == 2 and "Is a directory" in result.err
    for garbage in (b"\x00\x01\xff" * 1000, b"SELECT 1 FROM orders\x00; SELECT 2 FROM orders WHERE score = 3;",
                    b"not sql at all", b"", b"\xff\xfeS\x00E\x00", b"SELECT '" + b"x" * 100000):
        path = tmp_path / "garbage.sql"
        path.write_bytes(garbage)
        result = run("--workload", path)
        assert result.rc == 2, result
        assert "garbage.sql" in result.err and len(result.err) < 1200
    # One bad statement does not hide the others.
    statements = "SELEC; SELECT * FROM orders WHERE score = 5; SELECT * FROM no_such WHERE x = 1; SELECT $$;$$ FROM orders " \
                 "WHERE nothing = 5;"
    result = pgmend("advise", "--workload", "-", shop.conninfo, input=statements)
    assert result.rc == 0
    assert "ON public.orders (score)" in result.out
    assert "1 text that cannot be understood" in result.out
    latin = tmp_path / "latin.sql"
    latin.write_bytes("SELECT * FROM orders WHERE note = 'ü'; SELECT * FROM orders WHERE score = 5;".encode("latin-1"))
    result = pgmend("advise", "--workload", latin, "--format", "json", shop.conninfo)
    assert result.rc == 0 and result.json()["not_planned"] + result.json()["left_out"] == 1


def test_statements_have_no_effect(db, pgmend):
    db.psql(SHOP + """CREATE SEQUENCE counter; CREATE TABLE noted (x int);
        CREATE FUNCTION effect(v int) RETURNS int LANGUAGE plpgsql AS $$ BEGIN
            PERFORM nextval('counter'); INSERT INTO noted VALUES (v); RETURN v; END $$;""" + ANALYZE)
    advise(pgmend, db, """DELETE FROM orders WHERE score = 5; UPDATE orders SET score = 1 WHERE score = 6;
        SELECT nextval('counter') FROM orders WHERE score = 5; SELECT * FROM orders WHERE effect(score) = $1;
        SELECT * FROM orders WHERE public.effect(score) = $1; SELECT * INTO made FROM orders WHERE score = 5;
        WITH d AS (DELETE FROM orders WHERE score = 8 RETURNING *) SELECT * FROM d;
        SELECT effect(1); INSERT INTO noted SELECT effect(score) FROM orders WHERE score = 9;""")
    assert db.scalar("SELECT count(*) FROM noted") == 0
    assert db.scalar("SELECT NOT is_called FROM counter")
    assert db.scalar("SELECT count(*) FROM orders") == 60000
    assert db.scalar("SELECT to_regclass('made') IS NULL")


PROPOSAL = {"index": str, "table": str, "method": str, "sql": str, "size_bytes": int, "estimated": bool, "build_ms": float,
            "write_overhead": float, "benefit": float, "statements": list, "redundant": list}
EFFECT = {"fingerprint": str, "statement": str, "calls": float, "calls_assumed": bool, "values": str, "cost_before": float,
          "cost_after": float, "estimated": bool, "plan_before": str, "plan_after": str}
TOP = {"schema": str, "database": str, "plan_id": str, "source": str, "proposals": list, "not_proposed": list,
       "losers": list, "cost_before": float, "cost_after": float, "size_bytes": int, "budget_used_bytes": int,
       "statements": int, "left_out": int, "hidden": int, "not_planned": int, "candidates": int, "explains": int,
       "elapsed_ms": float, "backend": str}


def check_keys(found, expected, optional=()):
    assert set(expected) <= set(found) <= set(expected) | set(optional), found
    for key, kind in expected.items():
        assert isinstance(found[key], kind), (key, found[key])


def test_json(shop, pgmend):
    statements = """SELECT * FROM orders WHERE score = 7; SELECT id FROM orders WHERE tags @> '{t5}';
                    SELECT * FROM orders WHERE customer_id = $1; SELECT x FROM small WHERE id = 5; SELEC;
                    SELECT nothing FROM orders WHERE score = 5;"""
    advice = advise(pgmend, shop, statements)
    check_keys(advice.json, TOP)
    assert advice.json["schema"] == "pgmend.advise/1"
    assert advice.json["database"] == shop.name and advice.json["source"] == "-"
    assert (advice.json["left_out"], advice.json["not_planned"]) == (1, 1)
    assert len(advice.proposals) == 3
    for proposal in advice.proposals:
        check_keys(proposal, PROPOSAL)
        assert proposal["statements"]
        for effect in proposal["statements"]:
            check_keys(effect, EFFECT, ("generic_cost_before", "generic_cost_after", "foreign_key"))
            assert effect["cost_after"] < effect["cost_before"]
            assert proposal["index"] in effect["plan_after"]
    for note in advice.json["not_proposed"]:
        check_keys(note, {"object": str, "reason": str})
    empty = advise(pgmend, shop, "SELECT x FROM small WHERE id = 5;")
    check_keys(empty.json, TOP)
    assert empty.proposals == []


def test_bytes_that_are_no_text(cluster, pgmend):
    """A database in SQL_ASCII takes any bytes as names and values: the JSON is JSON all the same."""
    with cluster.connect() as conn:
        conn.execute("CREATE DATABASE raw TEMPLATE template0 ENCODING 'SQL_ASCII' LC_COLLATE 'C' LC_CTYPE 'C'")
    with cluster.connect("raw", client_encoding="SQL_ASCII") as conn:
        conn.execute(b"SET synchronous_commit = on")
        conn.execute(b"CREATE TABLE odd (id int, \"na\xefve\" text)")
        conn.execute(b"INSERT INTO odd SELECT g, 'v\xff' || g FROM generate_series(1, 50000) g")
        conn.execute(b"VACUUM ANALYZE odd")
        conn.execute(b"CREATE EXTENSION pg_stat_statements")
        conn.execute(b"SELECT count(*) FROM odd WHERE \"na\xefve\" = 'v\xff77'")
        conn.execute(b"SELECT count(*) FROM odd WHERE id = 6")
    done = pgmend("advise", "--format", "json", cluster.conninfo("raw"))
    with cluster.connect() as conn:
        conn.execute("DROP DATABASE raw")
    assert done.rc in (0, 4), done
    if done.rc == 0:
        assert "(id)" in str(json.loads(done.out)["proposals"])


def test_big_catalog_and_workload(cluster, pgmend, tmp_path):
    """2,000 tables, 5,000 statements, within seconds: nothing is quadratic."""
    ddl = ["SET synchronous_commit = on;"]
    for i in range(2000):
        up = f"REFERENCES t{i // 2}" if i else ""
        ddl.append(f"CREATE TABLE t{i} (id int PRIMARY KEY, up int {up}, a int, b text, c date);")
    for i in range(3):
        ddl.append(f"INSERT INTO t{i} SELECT g, {'g' if i else 'NULL'}, g, repeat('x', 50), now() "
                   f"FROM generate_series(1, 20000) g;")
    db = cluster.new_database("many_tables", "\n".join(ddl) + "VACUUM ANALYZE t0, t1, t2;")
    kinds = ["SELECT b FROM t{k} WHERE a = {i} AND id > {i};", "INSERT INTO t{k} (id, a) VALUES ({i}, 2);",
             "DELETE FROM t{k} WHERE a = {i};", "UPDATE t{k} SET b = 'x' WHERE c = '2024-01-01' AND a < {i};",
             "SELECT t.b FROM t{k} t JOIN t{l} u ON u.up = t.id WHERE t.a = {i} ORDER BY u.c LIMIT {i};"]
    path = tmp_path / "many.sql"
    path.write_text("\n".join(kinds[(i * 7919 + i // 2000) % 5].format(i=i, k=i % 2000, l=(i + 1) % 2000)
                              for i in range(5000)))
    advice = advise(pgmend, db, "", "--workload", path)  # which has two minutes
    db.drop()
    assert advice.json["statements"] > 3000
    assert {p["table"] for p in advice.proposals} <= {"public.t0", "public.t1", "public.t2"}
    assert advice.proposals


def test_dominant_value_of_a_profile(shop, pgmend, tmp_path):
    """A pooler's profile in which nine of ten calls ask for failed orders, of which there are few."""
    query = "SELECT id, total FROM orders WHERE status = $1 ORDER BY created_at DESC LIMIT $2"
    text = query.replace("$1", "'{}'").replace("$2", "20")

    def profile(name, samples, count):
        path = tmp_path / f"{name}.json"
        statement = {"query": query, "calls": 5000, "rows": 100000, "server": {"total_ms": 60000}}
        if samples:
            statement["samples"] = [text.format(s) for s in samples]
            statement["values"] = [{"number": 1, "looked": 1000, "top": [
                {"value": f"'{samples[0]}'", "count": count, "error": 0},
                {"value": f"'{samples[-1]}'", "count": 1000 - count, "error": 0}]}]
        path.write_text(json.dumps({"pgmend_profile": 1, "values": bool(samples), "statements": [statement]}))
        result = pgmend("advise", "--workload", path, "--format", "json", shop.conninfo)
        assert result.rc == 0, result
        return result.json()

    dominant = profile("dominant", ["failed", "failed", "open"], 900)
    partial = [p["sql"] for p in dominant["proposals"] if "WHERE" in p["sql"]]
    assert len(partial) == 1 and "WHERE status = 'failed'" in partial[0], dominant["proposals"]
    assert "created_at" in partial[0].split("WHERE")[0]
    # Without a dominant value, or without values at all, there is none.
    for name, samples in (("even", ["failed", "open"]), ("redacted", [])):
        even = profile(name, samples, 500)
        assert even["proposals"] and not any("WHERE" in p["sql"] for p in even["proposals"]), even["proposals"]


def test_one_statement_of_a_workload(shop, pgmend, tmp_path):
    """--fingerprint: the others weigh as writers alone, and foreign keys are not looked at."""
    find, other = "SELECT total FROM orders WHERE customer_id = {}", "SELECT id FROM orders WHERE score = {} AND paid"
    child = "CREATE TABLE {0} (id int PRIMARY KEY REFERENCES customers, up int REFERENCES customers)"
    shop.execute(child.format("fk_child"))
    texts = "\n".join(q.format(i) + ";" for i in range(5) for q in (find, other))
    try:
        whole = advise(pgmend, shop, texts)
        assert {"orders"} < {t.split(".")[-1] for t in (p["table"] for p in whole.proposals)} or len(whole.bodies) > 1
        ids = {e["statement"]: e["fingerprint"] for p in whole.proposals for e in p["statements"]}
        mine = next(v for k, v in ids.items() if "customer_id" in k)
        one = advise(pgmend, shop, texts, "--fingerprint", mine.upper())
        assert len(one.bodies) == 1 and one.bodies[0].startswith("(customer_id)"), one.bodies
        assert one.json["statements"] == 1
    finally:
        shop.execute("DROP TABLE fk_child")

    # In a profile it is the pooler's own.
    path = tmp_path / "profile.json"
    path.write_text(json.dumps({"pgmend_profile": 1, "statements": [
        {"fingerprint": f"00000000000000a{n}", "query": q.format("$1"), "calls": 100, "rows": 100,
         "server": {"total_ms": 900}} for n, q in enumerate((find, other))]}))
    one = advise(pgmend, shop, "", "--workload", path, "--fingerprint", "00000000000000a0")
    assert len(one.bodies) == 1 and one.bodies[0].startswith("(customer_id)"), one.bodies
    refused = pgmend("advise", "--workload", path, "--fingerprint", "00000000000000a7", shop.conninfo)
    assert refused.rc == 2 and "there is no statement 00000000000000a7" in refused.err, refused
