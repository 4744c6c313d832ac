"""pgmend lint on the shapes that migrations of public projects have, in our own words."""

from test_lint import T, lint  # noqa: F401 (a fixture)


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
