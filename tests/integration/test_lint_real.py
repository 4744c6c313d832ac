"""pgmend lint on the shapes that migrations of public projects have, in our own words."""

import re

import pytest

from test_lint import LOCKS, T, lint, server_says  # noqa: F401 (a fixture)


def transactions(done):
    return [s["transaction"] for s in done.report["files"][0]["statements"]]


GOOSE = """-- +goose Up
{option}
CREATE INDEX CONCURRENTLY i ON t (a);
-- +goose StatementBegin
CREATE FUNCTION f() RETURNS int LANGUAGE sql AS $$ SELECT 1; $$;
SELECT f();
-- +goose StatementEnd
SELECT 2;
-- +goose Down
DROP TABLE t;
"""


def test_goose(lint):
    done = lint(GOOSE.format(option=""))
    assert done.report["files"][0]["tool"] == "goose"
    assert done.rules == ["concurrently-in-transaction"] and set(transactions(done)) == {1}
    assert lint("-- +goose no transaction\n" + GOOSE.format(option="")).rules == []
    bare = lint(GOOSE.format(option="-- +goose NO TRANSACTION"))
    assert bare.rules == []
    assert transactions(bare) == [None, 1, 1, None]
    assert [s["line"] for s in bare.report["files"][0]["statements"]] == [3, 5, 6, 8]
    # A block without its semicolon ends all the same.
    assert lint("-- +goose Up\n-- +goose StatementBegin\nSELECT 1\n-- +goose StatementEnd\n\n-- +goose Down\n"
                "-- +goose StatementBegin\nSELECT 2\n-- +goose StatementEnd\n").rc == 0
    assert lint("-- +goose Down\nDROP TABLE t;\n", args=["--tool=goose"]).rules == []


def test_sql_migrate(lint):
    text = ("-- +migrate Up{}\nCREATE INDEX CONCURRENTLY i ON t (a);\nSELECT 1;\n"
            "-- +migrate Down\nDROP TABLE t;\n")
    done = lint(text.format(""))
    assert done.report["files"][0]["tool"] == "sql-migrate" and done.rules == ["concurrently-in-transaction"]
    assert lint(text.format(" notransaction")).rules == []


def test_diesel(lint, tmp_path):
    text = "CREATE INDEX CONCURRENTLY i ON t (a);\n"
    done = lint(text, "DROP TABLE t;\n", names=["1_x/up.sql", "1_x/down.sql"])
    assert done.report["files"][0]["tool"] == "diesel" and done.rules == ["concurrently-in-transaction"]
    assert done.report["files"][1]["skipped"]
    (tmp_path / "1_x" / "metadata.toml").write_text("run_in_transaction = false\n")
    assert lint(text, name="1_x/up.sql").rules == []
    # Without it the file is still one message.
    assert lint(text + "SELECT 1;", name="1_x/up.sql").rules == ["concurrently-in-transaction"]


def test_prisma(lint):
    text = "CREATE INDEX CONCURRENTLY i ON t (a);\n"
    done = lint(text, name="1_x/migration.sql")
    assert done.report["files"][0]["tool"] == "prisma" and done.rules == []
    assert lint(text + "SELECT 1;", name="1_x/migration.sql").rules == ["concurrently-in-transaction"]


def test_first_lines_that_ask_for_no_transaction(lint):
    text = "CREATE INDEX CONCURRENTLY i ON t (a);\n"
    rule = ["concurrently-in-transaction"]
    assert lint("-- a note\n" + text, args=["--in-transaction"]).rules == rule
    for line in ["-- no-transaction\n", "-- postgres-migrations disable-transaction\n"]:
        assert lint(line + text, args=["--in-transaction"]).rules == []
        assert lint(line + text + "SELECT 1;", args=["--in-transaction"]).rules == rule


def test_templates_stand_for_names(lint):
    done = lint(T + '{{ if .Postgres }}\n'
                'ALTER TABLE {{ index .Options "Namespace" }}.users'
                ' ADD COLUMN a uuid DEFAULT gen_random_uuid();\n'
                'DROP TABLE "{{ index .Options "Namespace" }}"."users", t_{{ .Suffix }}_x;\n'
                "{{ end }}\nSELECT '{{1,2},{3,4}}'::int[]; DO $$ BEGIN PERFORM '{{ x }}'; END $$;\n",
                args=["--skip=code-block"])
    assert done.rc == 0, done.err
    assert [(f["rule"], f["relation"], f["line"]) for f in done.findings] == [
        ("add-column-volatile-default", "_namespace.users", 3), ("drop-table", "_namespace.users", 4),
        ("drop-table", "t_____suffix____x", 4)]
    # Places are those of the file, not of what was filled in.
    assert done.findings[0]["column"] == 63


def test_a_subquery_without_alias_is_read(lint):
    """PostgreSQL 16 takes it; the table that it fills is new."""
    done = lint(T + "-- é\nCREATE TABLE n AS SELECT a FROM (SELECT a, ')' FROM t) WHERE a > (SELECT 1);\n"
                "CREATE INDEX i ON n (a);\n"
                "INSERT INTO n SELECT * FROM (VALUES (1)) JOIN (SELECT 2 FROM (SELECT 3)) ON true;\n"
                "SELECT * FROM (SELECT 1;\n")
    assert done.rules == [] and done.err.count("syntax error") == 1 and "m.sql:6" in done.err
    assert [(e["relation"], e["new"]) for e in done.report["files"][0]["statements"][2]["effects"]] == [
        ("n", True)]


def test_an_emptied_table_is_nothing_to_read(lint):
    work = ("ALTER TABLE t ADD COLUMN c int NOT NULL, ADD COLUMN d uuid DEFAULT gen_random_uuid(),"
            " ALTER a SET NOT NULL, ALTER b TYPE bigint, ADD CHECK (a > 0), ADD UNIQUE (a);\n"
            "CREATE INDEX i ON t (a); UPDATE t SET a = 1;\n")
    rules = {"add-column-not-null-without-default", "add-column-volatile-default", "add-not-null",
             "change-type-rewrites", "add-constraint-without-not-valid", "add-unique-without-using-index",
             "create-index-without-concurrently", "unbounded-update"}
    args = ["--only=" + ",".join(rules)]
    assert set(lint(work, args=args).rules) == rules
    assert lint("TRUNCATE t;" + work, args=args).rules == []
    assert set(lint("TRUNCATE t; INSERT INTO t SELECT * FROM u;" + work, args=args).rules) == rules
    # DELETE leaves the pages, and they are read.
    deleted = set(lint("DELETE FROM t;" + work, args=args).rules)
    assert "add-column-not-null-without-default" not in deleted
    assert {"create-index-without-concurrently", "add-not-null"} < deleted
    # It is forgotten in the next file, by when rows may have come.
    assert set(lint("TRUNCATE t;", work, names=["1.sql", "2.sql"], args=args).rules) == rules
    # What running code notices is said all the same.
    assert "drop-column" in lint("TRUNCATE t; ALTER TABLE t DROP COLUMN a;").rules


def test_an_index_of_an_unknown_table_may_be_of_the_same(lint):
    args = ["--only=several-locks-in-transaction"]
    assert lint("BEGIN; DROP INDEX i; ALTER TABLE t ADD a int; DROP INDEX j; COMMIT;", args=args).rules == []
    known = "CREATE INDEX i ON u (a);"
    assert lint(known + "BEGIN; DROP INDEX i; ALTER TABLE t ADD a int; COMMIT;", args=args).rules
    # The index goes with its table's name.
    assert lint(known + "ALTER TABLE u RENAME TO t; BEGIN; DROP INDEX i; ALTER TABLE t ADD a int; COMMIT;",
                args=args).rules == []


def test_what_is_known_goes_with_a_rename(lint):
    args = ["--only=change-type-rewrites"]
    first = ("CREATE TABLE s.t (a varchar(10), b int); ALTER TABLE s.t RENAME TO u;"
             "ALTER TABLE s.u RENAME a TO c;")
    assert lint(first, "ALTER TABLE s.u ALTER c TYPE text;", names=["1.sql", "2.sql"], args=args).rules == []
    done = lint(first, "ALTER TABLE s.u ALTER b TYPE text;", names=["1.sql", "2.sql"], args=args)
    assert [f["severity"] for f in done.findings] == ["critical"]
    # The old name is another table's, if anyone's.
    done = lint(first, "ALTER TABLE s.t ALTER a TYPE text;", names=["1.sql", "2.sql"], args=args)
    assert [f["severity"] for f in done.findings] == ["info"]


def test_an_index_is_found_under_other_names(lint):
    args = ["--only=foreign-key-without-index"]
    key = "ALTER TABLE t ADD FOREIGN KEY (a) REFERENCES u NOT VALID;"
    rename = "ALTER TABLE t RENAME TO t2; ALTER TABLE t2 RENAME a TO b;"
    back = "ALTER TABLE t2 RENAME b TO a; ALTER TABLE t2 RENAME TO t;"
    assert lint(key, rename + "CREATE INDEX ON t2 (b);", names=["1.sql", "2.sql"], args=args).rules == []
    before = "CREATE INDEX ON t2 (b, c);"
    assert lint(before, back, key, names=["1.sql", "2.sql", "3.sql"], args=args).rules == []
    for other in [rename + "CREATE INDEX ON t (a);", rename + "CREATE INDEX ON t2 (a);"]:
        assert lint(key, other, names=["1.sql", "2.sql"], args=args).rules == ["foreign-key-without-index"]


def test_triggers_that_the_transaction_enables_again(lint):
    args = ["--only=disable-trigger"]
    off, on = "ALTER TABLE t DISABLE TRIGGER {};", "UPDATE t SET a = 1; ALTER TABLE t ENABLE TRIGGER {};"

    def severity(text):
        return [f["severity"] for f in lint(text, args=args).findings]

    assert severity("BEGIN;" + off.format("ALL") + on.format("ALL") + "COMMIT;") == ["info"]
    assert severity("BEGIN;" + off.format("x") + on.format("ALL") + "COMMIT;") == ["info"]
    assert severity("BEGIN;" + off.format("x") + on.format("y") + "COMMIT;") == ["warning"]
    assert severity("BEGIN;" + off.format("ALL") + "COMMIT;" + on.format("ALL")) == ["warning"]
    assert severity(off.format("ALL") + on.format("ALL")) == ["warning"]


def test_many_columns_are_one_finding(lint):
    done = lint(T + "ALTER TABLE t ADD a timestamp, ADD b timestamp, ADD c char(3),\n"
                "ADD d int GENERATED ALWAYS AS (1) STORED, ADD e int GENERATED ALWAYS AS (2) STORED,"
                " ADD f int GENERATED ALWAYS AS (3) STORED;\n"
                "CREATE TABLE n (a timestamp, b timestamp);")
    assert done.rules == ["timestamp-without-time-zone", "char-type", "add-column-stored-generated",
                          "timestamp-without-time-zone"]
    said = [re.search(r"\d more columns?|$", f["message"]).group() for f in done.findings]
    assert said == ["1 more column", "", "2 more columns", "1 more column"]


def test_a_new_column_is_null_everywhere(lint):
    args = ["--only=unbounded-update"]
    fill = "UPDATE t SET a = 1 WHERE a IS NULL;"
    assert lint("ALTER TABLE t ADD a int;" + fill, args=args).rules == ["unbounded-update"]
    assert lint(fill, args=args).rules == []
    assert lint("ALTER TABLE t ADD a int DEFAULT 1;" + fill, args=args).rules == []
    assert lint("ALTER TABLE t ADD a int;" + fill.replace("NULL", "NOT NULL"), args=args).rules == []
    assert lint("CREATE TABLE t (b int); ALTER TABLE t ADD a int;" + fill, args=args).rules == []


def test_files_that_have_run(lint):
    """--since: what comes before is known and not judged; what follows is deployed together."""
    names = ["1.sql", "2.sql", "3.sql"]
    texts = ["CREATE TABLE old (a varchar(3)); DROP TABLE gone;",
             "CREATE TABLE n (a int); CREATE INDEX i ON old (a);",
             "CREATE INDEX j ON n (a); ALTER TABLE old ALTER a TYPE text; CREATE INDEX k ON old (a);"]
    rules = ["--only=create-index-without-concurrently,change-type-rewrites,drop-table"]
    alone = lint(*texts, names=names, args=rules)
    assert [(f["line"], f["relation"]) for f in alone.findings] == [
        (1, "gone"), (1, "old"), (1, "n"), (1, "old")]
    done = lint(*texts, names=names, args=rules + ["--since=2.sql"])
    assert [f["relation"] for f in done.findings] == ["old", "old"]
    assert [bool(file["skipped"]) for file in done.report["files"]] == [True, False, False]


def test_since_has_to_be_one_of_the_files(pgmend, tmp_path):
    (tmp_path / "1.sql").write_text("SELECT 1;")
    done = pgmend("lint", "--since=2.sql", "1.sql")
    assert done.rc == 2 and "2.sql is none of the files" in done.err


def test_a_table_that_the_database_lacks_is_new_in_later_files(lint, db):
    db.psql("CREATE TABLE there (a int)")
    texts = ["CREATE TABLE n (a int); CREATE TABLE IF NOT EXISTS there (a int);",
             "CREATE INDEX i ON n (a); CREATE INDEX j ON there (a);"]
    done = lint(*texts, names=["1.sql", "2.sql"],
                args=["--only=create-index-without-concurrently", db.conninfo])
    assert [f["relation"] for f in done.findings] == ["public.there"]


def test_an_enum_value_is_used_only_where_a_value_is_made(lint):
    args = ["--only=enum-value-in-transaction"]
    add = "BEGIN; ALTER TYPE e ADD VALUE 'x';"
    for other in ["ALTER TYPE f ADD VALUE 'x';", "ALTER TYPE e ADD VALUE 'y' AFTER 'x';",
                  "CREATE TYPE g AS ENUM ('x');", "COMMENT ON TYPE e IS 'x';",
                  "CREATE FUNCTION f() RETURNS text LANGUAGE plpgsql AS $$ BEGIN RETURN 'x'; END $$;"]:
        assert lint(add + other + "COMMIT;", args=args).rules == [], other
    assert lint(add + "ALTER TABLE t ALTER a SET DEFAULT 'x'; COMMIT;", args=args).rules


def test_rows_copied_while_a_lock_is_held(lint):
    args = ["--only=long-work-under-lock"]
    make = "BEGIN; CREATE TABLE n (t_id bigint REFERENCES t);"
    for copy in ["INSERT INTO n SELECT id FROM t;", "INSERT INTO n SELECT id FROM t UNION SELECT 1;",
                 "CREATE TABLE m AS SELECT count(*) FROM t;"]:
        assert lint(make + copy + "COMMIT;", args=args).rules == ["long-work-under-lock"], copy
        assert lint("BEGIN; CREATE TABLE n (t_id bigint);" + copy + "COMMIT;", args=args).rules == []
        assert lint(make + "COMMIT;" + copy, args=args).rules == []
    for little in ["INSERT INTO n VALUES (1);", "INSERT INTO n SELECT 1;",
                   "INSERT INTO n SELECT id FROM t WHERE id = 1;", "INSERT INTO n SELECT id FROM t LIMIT 1;",
                   "CREATE TABLE m AS SELECT * FROM t WITH NO DATA;"]:
        assert lint(make + little + "COMMIT;", args=args).rules == [], little


def effects(done):
    return {e["relation"]: e["lock"] for e in done.report["files"][-1]["statements"][-1]["effects"]}


KEYS = ("CREATE TABLE u (id bigint PRIMARY KEY, a text);"
        "CREATE TABLE t (u_id bigint REFERENCES u, v_id bigint CONSTRAINT c REFERENCES v (k));")


@pytest.mark.parametrize("statement,locked", [
    ("ALTER TABLE t DROP CONSTRAINT t_u_id_fkey;", {"t", "u"}),
    ("ALTER TABLE t DROP CONSTRAINT c;", {"t", "v"}),
    ("ALTER TABLE t DROP CONSTRAINT other;", {"t"}),
    ("ALTER TABLE t DROP COLUMN u_id;", {"t", "u"}),
    ("ALTER TABLE t ALTER u_id TYPE int;", {"t", "u"}),
    ("ALTER TABLE u ALTER id TYPE int;", {"t", "u"}),
    ("ALTER TABLE u ALTER a TYPE int;", {"u"}),
    ("ALTER TABLE v ALTER k TYPE int;", {"t", "v"}),
    ("DROP TABLE t;", {"t", "u", "v"}),
    ("DROP TABLE u CASCADE;", {"t", "u"}),
    ("TRUNCATE u CASCADE;", {"t", "u"}),
    ("ALTER TABLE t DROP CONSTRAINT c; DROP TABLE t;", {"t", "u"}),
    ("ALTER TABLE t RENAME CONSTRAINT c TO d; ALTER TABLE t DROP CONSTRAINT d;", {"t", "v"}),
    ("ALTER TABLE u RENAME TO w; ALTER TABLE t RENAME u_id TO w_id; ALTER TABLE t DROP COLUMN w_id;",
     {"t", "w"}),
])
def test_a_foreign_key_that_goes_locks_both_tables(lint, statement, locked):
    done = lint(KEYS, statement, names=["1.sql", "2.sql"])
    assert effects(done) == {name: "ACCESS EXCLUSIVE" for name in locked}


def test_the_server_agrees_about_foreign_keys(lint, db):
    db.psql("CREATE TABLE v (k bigint PRIMARY KEY);" + KEYS)
    for statement in ["ALTER TABLE t DROP CONSTRAINT c", "ALTER TABLE t DROP COLUMN u_id",
                      "ALTER TABLE t ALTER u_id TYPE int", "ALTER TABLE u ALTER id TYPE int",
                      "ALTER TABLE v ALTER k TYPE int", "DROP TABLE t", "DROP TABLE u CASCADE",
                      "TRUNCATE u CASCADE"]:
        held, _ = server_says(db, statement)
        said = effects(lint(statement, args=[db.conninfo]))
        assert said == {"public." + name: LOCKS[lock] for name, lock in held.items() if lock >= 4}, statement


def test_what_is_there_already_is_no_work(lint):
    first = ("CREATE TABLE t (id int PRIMARY KEY, a int NOT NULL, b int);"
             "ALTER TABLE t ALTER b SET NOT NULL; CREATE INDEX i ON t (a); CREATE INDEX ON t (b);")

    def rules(text):
        return lint(first, T + text, names=["1.sql", "2.sql"]).rules

    for column in ["id", "a", "b"]:
        assert rules(f"ALTER TABLE t ALTER {column} SET NOT NULL;") == []
    assert rules("ALTER TABLE t ALTER a DROP NOT NULL; ALTER TABLE t ALTER a SET NOT NULL;") == [
        "add-not-null"]
    assert rules("ALTER TABLE t ADD COLUMN IF NOT EXISTS a uuid DEFAULT gen_random_uuid();") == []
    # A block that cannot be seen may have renamed it away.
    done = rules("DO $$ BEGIN ALTER TABLE t RENAME a TO c; END $$;"
                 "ALTER TABLE t ADD COLUMN IF NOT EXISTS a uuid DEFAULT gen_random_uuid();")
    assert "add-column-volatile-default" in done
    assert rules("DO $$ BEGIN NULL; END $$;"
                 "ALTER TABLE t ADD COLUMN IF NOT EXISTS a uuid DEFAULT gen_random_uuid();") == ["code-block"]
    assert rules("ALTER TABLE t DROP COLUMN a;\nALTER TABLE t ADD COLUMN IF NOT EXISTS a int NOT NULL;") == [
        "drop-column", "add-column-not-null-without-default"]
    assert rules("CREATE INDEX IF NOT EXISTS i ON t (a);") == []
    assert rules("DROP INDEX i;\nCREATE INDEX IF NOT EXISTS i ON t (a);") == [
        "drop-index-without-concurrently", "create-index-without-concurrently"]
    # An index without a name has one all the same.
    done = lint(first, "DROP INDEX t_b_idx;", names=["1.sql", "2.sql"])
    assert effects(done) == {"t": "ACCESS EXCLUSIVE"}
    # What is known of a table goes with it.
    assert "add-not-null" in rules("DROP TABLE t; ALTER TABLE t ALTER a SET NOT NULL;")
