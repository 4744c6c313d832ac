"""What advise proposes for one statement or a few, and what it leaves alone."""

import pytest

from advising import advise, shop  # noqa: F401  (a fixture)

pytestmark = pytest.mark.hypopg

NO_FOREIGN_KEYS = ("--table", "orders")


def only(pgmend, shop, statements, *args, table="orders"):
    """The one index that it proposes on the table."""
    advice = advise(pgmend, shop, statements, "--table", table, *args)
    assert len(advice.of(table)) == 1, advice.json
    return advice.of(table)[0]


def test_equality_then_order(shop, pgmend):
    body = only(pgmend, shop, "SELECT * FROM orders WHERE customer_id = 42 ORDER BY created_at DESC LIMIT 3;")
    assert body == "(customer_id, created_at DESC)" or body == "(customer_id)"


def test_order_with_limit(shop, pgmend):
    body = only(pgmend, shop, "SELECT * FROM orders WHERE status = 'done' ORDER BY created_at DESC LIMIT 20;")
    assert body == "(created_at DESC)" or body.startswith("(status, created_at DESC)"), body
    body = only(pgmend, shop, "SELECT * FROM orders ORDER BY score DESC NULLS LAST, id LIMIT 20;")
    assert body == "(score DESC NULLS LAST, id)"


def test_range(shop, pgmend):
    body = only(pgmend, shop, "SELECT sum(total) FROM orders WHERE created_at > '2024-10-15';")
    assert body.startswith("(created_at)")


def test_covering(shop, pgmend):
    statement = "SELECT id, total FROM orders WHERE score BETWEEN 10 AND 60;"
    body = only(pgmend, shop, statement)
    assert body in ("(score) INCLUDE (id, total)", "(score) INCLUDE (total, id)")
    assert "INCLUDE" not in only(pgmend, shop, statement, "--max-include", "0")


def test_no_include_for_all_columns_or_locked_rows(shop, pgmend):
    assert only(pgmend, shop, "SELECT * FROM orders WHERE score = 5;") == "(score)"
    assert only(pgmend, shop, "SELECT id FROM orders WHERE score = 5 FOR UPDATE;") == "(score)"
    assert only(pgmend, shop, "SELECT orders FROM orders WHERE score = 5;") == "(score)"


@pytest.mark.parametrize("condition, predicate", [
    ("deleted_at IS NULL", "deleted_at IS NULL"),
    ("NOT paid", "NOT paid"),
    ("paid = false", "NOT paid"),
    ("status = 'failed'", "status = 'failed'"),
])
def test_partial(shop, pgmend, condition, predicate):
    body = only(pgmend, shop,
                f"SELECT id FROM orders WHERE {condition} AND total < 500 ORDER BY created_at DESC LIMIT 50;")
    assert body.endswith(f"WHERE {predicate}"), body
    assert "DESC" in body, body


def test_no_predicate_of_what_changes_from_call_to_call(shop, pgmend):
    # The second text holds the first one's constant, but somewhere else.
    statements = """SELECT * FROM orders WHERE score = 10 AND status = 'failed' LIMIT 20;
                    SELECT * FROM orders WHERE score = 30 AND status = 'open' LIMIT 10;
                    SELECT * FROM orders WHERE score = 31 AND status = 'open' LIMIT 10; -- failed"""
    assert "WHERE" not in only(pgmend, shop, statements)
    statements = """SELECT * FROM customers WHERE vip AND country = 'C1' LIMIT 10;
                    SELECT * FROM customers WHERE vip AND country = 'C10' LIMIT 1;"""
    assert "C1" not in only(pgmend, shop, statements, table="customers")


def test_parameters_in_a_file_get_values(shop, pgmend):
    advice = advise(pgmend, shop, "SELECT * FROM orders WHERE status = $1 AND score = $2;", "--table", "orders")
    assert advice.json["not_planned"] == 0
    assert len(advice.bodies) == 1
    assert "WHERE" not in advice.bodies[0]
    assert "score" in advice.bodies[0]
    assert "drawn" in advice.proposals[0]["statements"][0]["values"]


def test_moving_time_is_no_predicate(shop, pgmend):
    statement = "SELECT * FROM orders WHERE created_at > now() - interval '1 hour';"
    advice = advise(pgmend, shop, statement, "--table", "orders")
    assert advice.bodies == ["(created_at)"]
    assert "IMMUTABLE" in advice.reason("created_at > <now()")
    text = pgmend("advise", "--workload", "-", "--verbose", shop.conninfo, input=statement).out
    assert "Not proposed:" in text and "a moving time cannot be an index predicate" in text


def test_expression(shop, pgmend):
    assert only(pgmend, shop, "SELECT * FROM customers WHERE lower(email) = 'user7@example.org';",
                table="customers") == "((lower(email)))" or \
        only(pgmend, shop, "SELECT * FROM customers WHERE lower(email) = 'user7@example.org';",
             table="customers") == "(lower(email))"


def test_expression_with_a_parameter(shop, pgmend):
    # Without a value: "lower(email) = NULL" would be folded away, and cost nothing.
    assert "lower(email)" in only(pgmend, shop, "SELECT * FROM customers WHERE lower(email) = $1;",
                                  table="customers")


def test_expression_that_is_not_immutable(shop, pgmend):
    statement = "SELECT * FROM orders WHERE date_trunc('day', created_at) = '2024-05-05';"
    advice = advise(pgmend, shop, statement, "--table", "orders")
    assert advice.bodies == []
    assert "IMMUTABLE" in advice.reason("date_trunc")


def test_like(shop, pgmend):
    body = only(pgmend, shop, "SELECT * FROM customers WHERE name LIKE 'Name 77%';", table="customers")
    assert body == "(name text_pattern_ops)" or body == "(name)"
    # In no operator class of ours: left alone, and no end of the run.
    advice = advise(pgmend, shop, "SELECT * FROM customers WHERE code LIKE '000001%';"
                    "SELECT * FROM pg_class WHERE relname LIKE 'pg_%';"
                    "SELECT * FROM orders WHERE note LIKE '%abcdef%';", "--table", "customers", "--table", "orders")
    assert advice.of("orders") == []


def test_like_on_types_without_a_pattern_class(cluster, pgmend):
    db = cluster.new_database("pattern", """
        CREATE TABLE odd (n name, b bytea, filler text);
        INSERT INTO odd SELECT 'n' || g, decode(md5(g::text), 'hex'), repeat('x', 50) FROM generate_series(1, 30000) g;
        VACUUM ANALYZE;""")
    advice = advise(pgmend, db, "SELECT * FROM odd WHERE n LIKE 'n77%'; SELECT * FROM odd WHERE b LIKE 'abc%';"
                    "SELECT * FROM odd WHERE n = 'n5';")
    assert advice.bodies == ["(n)"]
    assert advice.json["not_planned"] == 0
    db.drop()


def test_gin(shop, pgmend):
    assert only(pgmend, shop, "SELECT * FROM orders WHERE meta @> '{\"source\": \"s7\"}';") \
        == "USING gin (meta jsonb_path_ops)"
    assert only(pgmend, shop, "SELECT * FROM orders WHERE tags @> ARRAY['t7'];") == "USING gin (tags)"
    assert only(pgmend, shop, "SELECT * FROM orders WHERE words @@ to_tsquery('simple', 'w77');") \
        == "USING gin (words)"
    advice = advise(pgmend, shop, "SELECT * FROM orders WHERE meta @> '{\"source\": \"s7\"}';", *NO_FOREIGN_KEYS)
    assert advice.proposals[0]["estimated"] and advice.proposals[0]["statements"][0]["estimated"]


@pytest.mark.extension("pg_trgm")
def test_trigrams(cluster, pgmend):
    db = cluster.new_database("trigrams", """
        CREATE SCHEMA "Ext"; CREATE EXTENSION pg_trgm SCHEMA "Ext"; SET search_path = public, "Ext";
        CREATE TABLE texts (id int, body text, fixed char(40), v varchar(50));
        INSERT INTO texts SELECT g, md5(g::text) || md5((g * 7)::text), md5(g::text), md5(g::text)
        FROM generate_series(1, 40000) g; VACUUM ANALYZE;""")
    advice = advise(pgmend, db, "SELECT id FROM texts WHERE body LIKE '%abcdef%'; SELECT id FROM texts WHERE v ~ 'abcdef';")
    assert advice.bodies == ['USING gin (body "Ext".gin_trgm_ops)', 'USING gin (v "Ext".gin_trgm_ops)']
    # char(n) has no trigram class: nothing that could not be built is proposed.
    assert advise(pgmend, db, "SELECT id FROM texts WHERE fixed LIKE '%abcdef%';").bodies == []
    for proposal in advice.proposals:
        db.execute(proposal["sql"])
    # What is there already is not proposed again.
    assert advise(pgmend, db, "SELECT id FROM texts WHERE body LIKE '%abcdef%';").bodies == []
    db.drop()


def test_existing_gin_is_not_proposed_again(cluster, pgmend):
    db = cluster.new_database("gins", """
        CREATE TABLE docs (id int, doc jsonb, tags text[]);
        INSERT INTO docs SELECT g, jsonb_build_object('k', g % 1000), ARRAY['t' || g % 1000]
        FROM generate_series(1, 60000) g;
        CREATE INDEX ON docs USING gin (doc jsonb_path_ops); CREATE INDEX ON docs USING gin (tags);
        VACUUM ANALYZE;""")
    advice = advise(pgmend, db, "SELECT id FROM docs WHERE doc @> '{\"k\": 5}'; SELECT id FROM docs WHERE tags @> '{t5}';")
    assert advice.bodies == []
    assert "already served by index docs_doc_idx" in advice.reason("(doc jsonb_path_ops)")
    db.drop()


def test_joins(shop, pgmend):
    body = only(pgmend, shop, "SELECT l.amount FROM orders o JOIN lines l ON l.order_id = o.id WHERE o.id = 77;",
                table="lines")
    assert body in ("(order_id)", "(order_id) INCLUDE (amount)")
    body = only(pgmend, shop, "SELECT 1 FROM orders o JOIN customers c ON c.id = o.customer_id WHERE c.name = 'Name 5';")
    assert body.startswith("(customer_id")


def test_a_subquerys_column_is_not_taken_for_one_outside(shop, pgmend):
    statement = """SELECT id FROM customers WHERE EXISTS
                   (SELECT 1 FROM jsonb_to_record('{"country": "C5"}') AS r (country text) WHERE country = 'C5');"""
    assert advise(pgmend, shop, statement, "--table", "customers").bodies == []


def test_types(shop, pgmend):
    assert only(pgmend, shop, "SELECT name FROM customers WHERE mood = 'odd';", table="customers").startswith("(mood)")
    body = only(pgmend, shop, "SELECT id FROM customers WHERE email = 'user5@Example.org';", table="customers")
    assert body.startswith("(email)")


def test_small_tables_are_left_alone(shop, pgmend):
    advice = advise(pgmend, shop, "SELECT * FROM small WHERE x = 5;")
    assert advice.of("small") == []
    assert "too small" in advice.reason("small")


def test_updates_and_deletes_gain_too(shop, pgmend):
    assert only(pgmend, shop, "UPDATE orders SET note = 'x' WHERE score = 7;") == "(score)"
    assert only(pgmend, shop, "DELETE FROM orders WHERE score = 7;") == "(score)"


def test_one_index_serves_several(shop, pgmend):
    statements = """SELECT * FROM orders WHERE customer_id = 7;
                    SELECT * FROM orders WHERE customer_id = 7 AND score = 3;
                    SELECT * FROM orders WHERE customer_id = 7 ORDER BY created_at DESC LIMIT 5;"""
    body = only(pgmend, shop, statements)
    assert body.startswith("(customer_id")


def test_rows_that_fit_into_no_index(cluster, pgmend):
    """The average is 60 bytes; one row in 200 is too wide for a btree, even compressed."""
    db = cluster.new_database("wide", """
        SET synchronous_commit = on;
        CREATE TABLE chats (id int, user_id int, content text, filler text);
        INSERT INTO chats SELECT g, g % 900, CASE WHEN g % 200 = 7 THEN
            (SELECT string_agg(md5((g * 1000 + n)::text), '') FROM generate_series(1, 200) n) ELSE 'short' END,
            repeat('x', 200) FROM generate_series(1, 40000) g;
        VACUUM ANALYZE;""")
    statements = "SELECT content FROM chats WHERE user_id = 5; SELECT id FROM chats WHERE content = 'x';"
    advice = advise(pgmend, db, statements)
    assert advice.bodies == ["(user_id)"]
    assert "too wide" in advice.reason("(user_id) INCLUDE (content)")
    assert "too wide" in advice.reason("(content)")
    for proposal in advice.proposals:
        db.execute(proposal["sql"])
    db.drop()
