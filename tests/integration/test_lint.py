"""pgmend lint: each rule by a case that it finds and one that it must not; and the server as the judge of
what is said about locks, scans and rewrites."""

import json
import pathlib
import re

import psycopg
import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]

LOCKS = ["none", "ACCESS SHARE", "ROW SHARE", "ROW EXCLUSIVE", "SHARE UPDATE EXCLUSIVE", "SHARE",
         "SHARE ROW EXCLUSIVE", "EXCLUSIVE", "ACCESS EXCLUSIVE"]


@pytest.fixture
def lint(pgmend, tmp_path):
    """Writes files and lints them: lint("SELECT 1", name="a.sql").rules"""

    class Lint:
        def __call__(self, *texts, name="m.sql", names=None, args=()):
            paths = []
            for text, path in zip(texts, names or [name] * len(texts)):
                (tmp_path / path).parent.mkdir(exist_ok=True)
                (tmp_path / path).write_text(text)
                paths.append(path)
            done = pgmend("lint", "--format=json", "--fail-on=never", *[a for a in args if a.startswith("-")],
                          *paths, *[a for a in args if not a.startswith("-")], cwd=tmp_path)
            assert done.rc in (0, 2), done
            done.report = done.json()
            done.findings = [f for file in done.report["files"] for f in file["findings"]]
            done.rules = [f["rule"] for f in done.findings]
            return done

    return Lint()


T = "SET lock_timeout = '1s';\n"

# rule, what it finds, what it does not
CASES = [
    ("create-index-without-concurrently", "CREATE INDEX i ON t (a);",
     "CREATE INDEX CONCURRENTLY i ON t (a);"),
    ("create-index-without-concurrently", "CREATE INDEX ON t (a);", "CREATE INDEX i ON ONLY t (a);"),
    ("drop-index-without-concurrently", "DROP INDEX i;", "DROP INDEX CONCURRENTLY i;"),
    ("reindex-without-concurrently", "REINDEX TABLE t;", "REINDEX TABLE CONCURRENTLY t;"),
    ("reindex-without-concurrently", "REINDEX INDEX i;", "REINDEX (CONCURRENTLY) INDEX i;"),
    ("concurrently-in-transaction", "BEGIN; CREATE INDEX CONCURRENTLY i ON t (a); COMMIT;",
     "BEGIN; SELECT 1; COMMIT; CREATE INDEX CONCURRENTLY i ON t (a);"),
    ("concurrently-in-transaction", "BEGIN; VACUUM t; COMMIT;", "VACUUM t;"),
    ("if-not-exists-with-concurrently", "CREATE INDEX CONCURRENTLY IF NOT EXISTS i ON t (a);",
     "CREATE INDEX IF NOT EXISTS i ON t (a);"),
    ("missing-lock-timeout", "ALTER TABLE t ADD COLUMN b int;", T + "ALTER TABLE t ADD COLUMN b int;"),
    ("missing-lock-timeout", "SET LOCAL lock_timeout = '1s'; ALTER TABLE t ADD COLUMN b int;",
     "BEGIN; SET LOCAL lock_timeout = '1s'; ALTER TABLE t ADD COLUMN b int; COMMIT;"),
    ("missing-lock-timeout", T + "RESET lock_timeout; ALTER TABLE t ADD COLUMN b int;",
     "SELECT set_config('lock_timeout', '1s', false); ALTER TABLE t ADD COLUMN b int;"),
    ("missing-lock-timeout", "BEGIN; SET LOCAL lock_timeout = 100; COMMIT; DROP TABLE t;",
     "CREATE INDEX CONCURRENTLY i ON t (a); UPDATE t SET a = 1; CREATE VIEW v AS SELECT 1;"),
    ("lock-timeout-with-concurrently", T + "CREATE INDEX CONCURRENTLY i ON t (a);",
     T + "SET lock_timeout = 0; CREATE INDEX CONCURRENTLY i ON t (a);"),
    ("several-locks-in-transaction", "BEGIN; ALTER TABLE t ADD a int; ALTER TABLE u ADD a int; COMMIT;",
     "BEGIN; ALTER TABLE t ADD a int; ALTER TABLE t ADD b int; COMMIT; ALTER TABLE u ADD a int;"),
    ("long-work-under-lock", "BEGIN; ALTER TABLE t ADD a int; UPDATE t SET a = 1; COMMIT;",
     "ALTER TABLE t ADD a int; UPDATE t SET a = 1;"),
    ("add-column-volatile-default", "ALTER TABLE t ADD a uuid DEFAULT gen_random_uuid();",
     "ALTER TABLE t ADD a timestamptz DEFAULT now();"),
    ("add-column-volatile-default", "ALTER TABLE t ADD a bigserial;", "ALTER TABLE t ADD a int DEFAULT 3;"),
    ("add-column-volatile-default", "ALTER TABLE t ADD a int GENERATED ALWAYS AS IDENTITY;",
     "ALTER TABLE t ADD a text DEFAULT lower('A');"),
    ("add-column-volatile-default", "ALTER TABLE t ADD a int DEFAULT my_function();",
     "ALTER TABLE t ALTER a SET DEFAULT random();"),
    ("add-column-stored-generated", "ALTER TABLE t ADD a int GENERATED ALWAYS AS (b + 1) STORED;",
     "ALTER TABLE t ADD a int DEFAULT 1 + 1;"),
    ("add-column-not-null-without-default", "ALTER TABLE t ADD a int NOT NULL;",
     "ALTER TABLE t ADD a int NOT NULL DEFAULT 0;"),
    ("add-column-not-null-without-default", "ALTER TABLE t ADD a int NOT NULL DEFAULT NULL;",
     "ALTER TABLE t ADD a int NULL;"),
    ("add-not-null", "ALTER TABLE t ALTER a SET NOT NULL;", "ALTER TABLE t ALTER a DROP NOT NULL;"),
    ("add-not-null", "ALTER TABLE t ADD CONSTRAINT c CHECK (a IS NOT NULL) NOT VALID; "
     "ALTER TABLE t ALTER a SET NOT NULL;",
     "ALTER TABLE t ADD CONSTRAINT c CHECK (a IS NOT NULL) NOT VALID; ALTER TABLE t VALIDATE CONSTRAINT c; "
     "ALTER TABLE t ALTER a SET NOT NULL;"),
    ("change-type-rewrites", "ALTER TABLE t ALTER a TYPE bigint;",
     "ALTER TABLE t ALTER a SET STATISTICS 500;"),
    ("add-constraint-without-not-valid", "ALTER TABLE t ADD CHECK (a > 0);",
     "ALTER TABLE t ADD CHECK (a > 0) NOT VALID;"),
    ("add-constraint-without-not-valid", "ALTER TABLE t ADD FOREIGN KEY (a) REFERENCES u;",
     "ALTER TABLE t ADD FOREIGN KEY (a) REFERENCES u NOT VALID;"),
    ("add-constraint-without-not-valid", "ALTER TABLE t ADD a int DEFAULT 1 REFERENCES u;",
     "ALTER TABLE t ADD a int REFERENCES u;"),
    ("validate-in-same-transaction",
     "BEGIN; ALTER TABLE t ADD CONSTRAINT c CHECK (a > 0) NOT VALID; "
     "ALTER TABLE t VALIDATE CONSTRAINT c; COMMIT;",
     "BEGIN; ALTER TABLE t ADD CONSTRAINT c CHECK (a > 0) NOT VALID; COMMIT; "
     "ALTER TABLE t VALIDATE CONSTRAINT c;"),
    ("add-unique-without-using-index", "ALTER TABLE t ADD UNIQUE (a);",
     "ALTER TABLE t ADD CONSTRAINT c UNIQUE USING INDEX i;"),
    ("add-unique-without-using-index", "ALTER TABLE t ADD PRIMARY KEY (a);",
     "ALTER TABLE t ADD PRIMARY KEY USING INDEX i;"),
    ("add-exclusion-constraint", "ALTER TABLE t ADD EXCLUDE USING gist (r WITH &&);",
     "CREATE TABLE u (r int4range, EXCLUDE USING gist (r WITH &&));"),
    ("foreign-key-without-index", "ALTER TABLE t ADD a bigint REFERENCES u;",
     "ALTER TABLE t ADD a bigint REFERENCES u; CREATE INDEX CONCURRENTLY i ON t (a);"),
    ("foreign-key-without-index", "CREATE TABLE n (a bigint REFERENCES u);",
     "CREATE TABLE n (a bigint REFERENCES u, b int, PRIMARY KEY (a, b));"),
    ("foreign-key-without-index", "CREATE TABLE n (a bigint REFERENCES u); CREATE INDEX ON n (b, a);",
     "CREATE TABLE n (a bigint REFERENCES u); CREATE INDEX ON n (a, b);"),
    ("foreign-key-without-index",
     "CREATE TABLE n (a bigint REFERENCES u); CREATE INDEX ON n (a) WHERE b > 0;",
     "CREATE TABLE n (a bigint REFERENCES u); CREATE INDEX ON n (a) WHERE a IS NOT NULL;"),
    ("foreign-key-without-index", "CREATE TABLE n (a bigint REFERENCES u); CREATE INDEX ON n USING gin (a);",
     "CREATE TABLE n (a int, b int, FOREIGN KEY (a, b) REFERENCES u); CREATE INDEX ON n (b, a);"),
    ("rename", "ALTER TABLE t RENAME TO u;", "ALTER INDEX i RENAME TO j;"),
    ("rename", "ALTER TABLE t RENAME a TO b;", "ALTER TYPE t RENAME ATTRIBUTE a TO b;"),
    ("drop-column", "ALTER TABLE t DROP COLUMN a;", "ALTER TABLE t ALTER a DROP DEFAULT;"),
    ("drop-table", "DROP TABLE t;", "CREATE TABLE n (a int); DROP TABLE n;"),
    ("drop-table", "DROP SCHEMA s CASCADE;", "DROP FUNCTION f(int);"),
    ("truncate", "TRUNCATE t;", "CREATE TEMP TABLE n (a int); TRUNCATE n;"),
    ("unbounded-update", "UPDATE t SET a = 1;", "UPDATE t SET a = 1 WHERE b = 2;"),
    ("unbounded-update", "DELETE FROM t WHERE true;", "DELETE FROM t USING u WHERE t.a = u.a;"),
    ("unbounded-update", "WITH x AS (DELETE FROM t RETURNING *) INSERT INTO u SELECT * FROM x;",
     "INSERT INTO u SELECT * FROM t;"),
    ("vacuum-full-or-cluster", "VACUUM FULL t;", "VACUUM (ANALYZE, FULL off) t;"),
    ("vacuum-full-or-cluster", "CLUSTER t USING i;", "ALTER TABLE t CLUSTER ON i;"),
    ("rewrite-table", "ALTER TABLE t SET UNLOGGED;", "ALTER TABLE t SET (fillfactor = 70);"),
    ("enum-value-in-transaction", "BEGIN; ALTER TYPE e ADD VALUE 'x'; UPDATE t SET a = 'x' WHERE b; COMMIT;",
     "BEGIN; ALTER TYPE e ADD VALUE 'x'; COMMIT; UPDATE t SET a = 'x' WHERE b;"),
    ("enum-value-in-transaction", "BEGIN; ALTER TYPE e ADD VALUE 'x'; SELECT 'x'::e; COMMIT;",
     "BEGIN; ALTER TYPE e ADD VALUE 'x'; SELECT 'y'::e; COMMIT;"),
    ("attach-partition-without-check", "ALTER TABLE p ATTACH PARTITION t FOR VALUES IN (1);",
     "CREATE TABLE n (LIKE p); ALTER TABLE p ATTACH PARTITION n FOR VALUES IN (1);"),
    ("detach-partition-without-concurrently", "ALTER TABLE p DETACH PARTITION t;",
     "ALTER TABLE p DETACH PARTITION t CONCURRENTLY;"),
    ("refresh-without-concurrently", "REFRESH MATERIALIZED VIEW m;",
     "REFRESH MATERIALIZED VIEW CONCURRENTLY m;"),
    ("disable-trigger", "ALTER TABLE t DISABLE TRIGGER ALL;", "ALTER TABLE t ENABLE TRIGGER ALL;"),
    ("lock-table", "LOCK TABLE t;", "LOCK TABLE t IN SHARE UPDATE EXCLUSIVE MODE;"),
    ("int4-primary-key", "CREATE TABLE n (id serial PRIMARY KEY);",
     "CREATE TABLE n (id bigserial PRIMARY KEY);"),
    ("int4-primary-key", "CREATE TABLE n (id int GENERATED ALWAYS AS IDENTITY, PRIMARY KEY (id));",
     "CREATE TABLE n (id int PRIMARY KEY REFERENCES u);"),
    ("timestamp-without-time-zone", "CREATE TABLE n (a timestamp(3));", "CREATE TABLE n (a timestamptz);"),
    ("char-type", "ALTER TABLE t ADD a char(3);", 'CREATE TABLE n (a varchar(3), b "char");'),
    ("write-catalog", "UPDATE pg_index SET indisready = false WHERE indrelid = 1;",
     "UPDATE s.pg_index SET a = 1 WHERE b = 2; SELECT * FROM pg_catalog.pg_index;"),
    ("write-catalog", "DELETE FROM pg_catalog.pg_attribute;", "DELETE FROM t WHERE a = 1;"),
    ("code-block", "DO $$ BEGIN DROP TABLE t; END $$;",
     "CREATE FUNCTION f() RETURNS int LANGUAGE sql AS 'SELECT 1';"),
]


@pytest.mark.parametrize("rule,bad,good", CASES, ids=[f"{i}-{c[0]}" for i, c in enumerate(CASES)])
def test_rule(lint, rule, bad, good):
    assert rule in lint(bad, args=[f"--only={rule}"]).rules
    assert lint(good, args=[f"--only={rule}"]).rules == []


def test_every_rule_has_a_case_and_its_page(pgmend):
    listed = [line.split()[0] for line in pgmend("lint", "--rules").out.splitlines()[1:]]
    assert sorted(listed) == sorted({case[0] for case in CASES})
    page = (ROOT / "docs" / "lint-rules.md").read_text()
    assert page == pgmend("lint", "--rules", "--format=markdown").out, "make docs/lint-rules.md anew"
    for rule in listed:
        assert rule in pgmend("lint", "--explain", rule).out


NEW_TABLE = """
CREATE TABLE n (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, a int, b varchar(3));
CREATE INDEX i ON n (a);
ALTER TABLE public.n ADD COLUMN c uuid DEFAULT gen_random_uuid(), ADD COLUMN d int NOT NULL;
ALTER TABLE n ALTER a SET NOT NULL, ALTER a TYPE bigint, ADD CHECK (a > 0), ADD UNIQUE (b), DROP COLUMN b;
ALTER TABLE n RENAME a TO e;
ALTER TABLE n RENAME TO nn;
UPDATE nn SET e = 1;
TRUNCATE nn;
DROP INDEX i;
LOCK TABLE nn;
DROP TABLE nn;
"""


def test_a_new_table_is_nobodys_yet(lint):
    assert lint(NEW_TABLE).rules == []
    assert lint("BEGIN;" + NEW_TABLE + "COMMIT;").rules == []
    # Made in another file it may be in use by the time that this one runs.
    second = lint("CREATE TABLE n (a int);", "DROP TABLE n;", names=["1.sql", "2.sql"])
    assert "drop-table" in second.rules
    # A reference to an old table locks that one.
    assert lint("CREATE TABLE n (a bigint PRIMARY KEY REFERENCES t);").rules == ["missing-lock-timeout"]


def test_ignore_comments(lint):
    drop = "ALTER TABLE t DROP COLUMN a;\n"
    for text in ["-- pgmend:ignore drop-column\n" + T + drop,
                 T + "-- pgmend:ignore drop-column: unused\n" + drop,
                 T + "-- pgmend:ignore add-not-null, drop-column -- unused\n" + drop,
                 T + drop.rstrip() + " -- pgmend:ignore\n" + "SELECT 1;\n",
                 T + "ALTER TABLE t /* pgmend:ignore drop-column */ DROP COLUMN a;",
                 T + drop + drop + "-- pgmend:ignore-file drop-column\n"]:
        if text.startswith("-- pgmend:ignore d"):
            # It is about the SET that follows it, and not about what comes after that.
            assert lint(text).rules == ["drop-column"]
            continue
        done = lint(text)
        assert done.rules == [], text
        assert done.report["summary"]["ignored"] >= 1
    assert lint(T + "SELECT '-- pgmend:ignore drop-column';\n" + drop).rules == ["drop-column"]
    wrong = lint("SELECT 1;\n-- pgmend:ignore drop-colum\nSELECT 2;")
    assert wrong.rc == 2 and "m.sql:2: there is no rule \"drop-colum\"" in wrong.err
    assert "drop-column" in wrong.err


def test_tools_make_transactions(lint):
    concurrently = "CREATE INDEX CONCURRENTLY i ON t (a);\n"
    other = "SELECT 1;\n"
    rule = "concurrently-in-transaction"

    def found(text, name, *args):
        done = lint(text, name=name, args=[f"--only={rule}", *args])
        return done.report["files"][0]["tool"], done.rules == [rule]

    up, down = "-- migrate:up\n", "-- migrate:down\nDROP INDEX i;\n"
    bare = "-- migrate:up transaction:false\n"
    assert found(up + concurrently + down, "1.sql") == ("dbmate", True)
    assert found(bare + concurrently + down, "1.sql") == ("dbmate", False)
    assert found(bare + concurrently + other + down, "1.sql") == ("dbmate", True)
    assert found(concurrently, "1_x.up.sql") == ("golang-migrate", False)
    assert found(concurrently + other, "1_x.up.sql") == ("golang-migrate", True)
    assert found(concurrently, "V1__x.sql") == ("flyway", False)
    assert found(concurrently + other, "V1.2__x.sql") == ("flyway", True)
    assert found(concurrently, "R__x.sql") == ("flyway", False)
    alembic = "-- Running upgrade a -> b\n\n"
    assert found("BEGIN;\n" + alembic + concurrently + "COMMIT;", "1.sql") == ("alembic", True)
    assert found("BEGIN;\nCOMMIT;\n" + alembic + concurrently + "BEGIN;\nCOMMIT;", "1.sql") == ("alembic",
                                                                                                False)
    assert found(concurrently, "1.sql") == ("plain", False)
    assert found(concurrently, "1.sql", "--in-transaction") == ("plain", True)
    assert found(concurrently + other, "1.sql", "--tool=golang-migrate") == ("golang-migrate", True)


def test_flyway_conf_and_placeholders(lint, tmp_path):
    text = "CREATE INDEX CONCURRENTLY i ON ${schema}.t (a);\nSELECT '${x}';\n"
    assert "concurrently-in-transaction" in lint(text, name="V1__x.sql").rules
    (tmp_path / "V1__x.sql.conf").write_text("executeInTransaction=false\n")
    assert lint(text, name="V1__x.sql").rules == []


def test_only_what_goes_up_is_judged(lint):
    done = lint("-- migrate:up\nSELECT 1;\n-- migrate:down\nDROP TABLE t;\n")
    assert done.rules == []
    both = lint("SELECT 1;", "DROP TABLE t;", names=["1_x.up.sql", "1_x.down.sql"])
    assert both.rules == [] and both.report["files"][1]["skipped"]
    assert "drop-table" in lint("DROP TABLE t;", name="1_x.down.sql").rules


def test_psql_commands_and_data_are_no_sql(lint):
    done = lint("\\set ON_ERROR_STOP on\nCOPY t (a) FROM stdin;\nDROP TABLE t; it's\n\\.\nSELECT 1;\n")
    assert done.rc == 0 and done.rules == []
    assert [s["line"] for s in done.report["files"][0]["statements"]] == [2, 5]


def test_places(lint):
    done = lint("-- é\nSELECT 'é'; ALTER TABLE t\n\tADD COLUMN a int DEFAULT 1,\n\tADD COLUMN b uuid DEFAULT "
                "gen_random_uuid();\n", args=["--only=add-column-volatile-default"])
    assert [(f["line"], f["column"], f["end_line"]) for f in done.findings] == [(4, 13, 4)]


@pytest.mark.parametrize("text,error", [
    ("SELECT 1;\nSELEC 2;\n", "m.sql:2: syntax error"),
    ("SELECT 1;\n\nSELECT 'x", "m.sql:3: unterminated"),
    ("-- migrate:up\nSELECT 1;\nSELEC 2;\n-- migrate:down\nSELEC 3;", "m.sql:3: syntax error"),
])
def test_bad_sql(lint, text, error):
    done = lint(text)
    assert done.rc == 2 and error in done.err
    assert any(error in p["message"] for p in done.report["problems"])


def test_bad_sql_does_not_hide_the_rest(lint):
    done = lint(T + "ALTER TABLE t DROP COLUMN a;\nSELEC 2;\nDROP TABLE t;\n")
    assert done.rc == 2 and done.rules == ["drop-column", "drop-table"]
    assert lint(T + "-- pgmend:ignore-syntax\nSELEC 2;\n").rc == 0


def test_arguments(pgmend, tmp_path, db):
    (tmp_path / "a.sql").write_text("SELECT 1;")
    (tmp_path / "b").write_text("SELECT 1;")
    assert pgmend("lint", "a.sql", "b").rc == 0
    assert pgmend("lint", "a.sql", db.conninfo).rc == 0
    assert pgmend("lint", "-d", db.conninfo, "a.sql", "b").rc == 0
    # PGHOST and the like alone do not make it connect.
    assert pgmend("lint", "a.sql", env={"PGHOST": "/nowhere"}).rc == 0
    cases = {("lint",): "FILE.sql... is missing", ("lint", "c.sql"): "c.sql: No such file",
             ("lint", "--only=drop-colum", "a.sql"): "there is no rule", ("lint", str(tmp_path)): "a folder",
             ("lint", "--format=html", "a.sql"): "no format", ("lint", "--tool=x", "a.sql"): "no tool",
             ("lint", "--fail-on=x", "a.sql"): "no severity", ("lint", "--explain", "x"): "no rule"}
    for args, error in cases.items():
        done = pgmend(*args)
        assert done.rc == 2 and error in done.err, done
    assert pgmend("lint", "a.sql", "host=/nowhere").rc == 3
    (tmp_path / "nul.sql").write_bytes(b"SELECT 1;\0")
    assert pgmend("lint", "nul.sql").rc == 2
    (tmp_path / "empty.sql").write_text("")
    assert pgmend("lint", "empty.sql").rc == 0


def test_other_encodings(pgmend, tmp_path):
    (tmp_path / "a.sql").write_bytes(b"SET lock_timeout = '1s'; /* Stra\xdfe \xed\xa0\x80 \xf5 */\n"
                                     b"UPDATE \"stra\xdfe\" SET a = '\xc3\xa9'; -- \xc3")
    found, = pgmend("lint", "--format=json", "--fail-on=never", "a.sql").json()["files"][0]["findings"]
    assert (found["rule"], found["line"]) == ("unbounded-update", 2)
    for form in ["text", "markdown", "sarif"]:
        assert "unbounded-update" in pgmend("lint", f"--format={form}", "a.sql").out


def test_exit_codes(pgmend, tmp_path):
    (tmp_path / "a.sql").write_text(T + "ALTER TABLE t DROP COLUMN a;")
    for fail_on, rc in [("info", 1), ("warning", 1), ("critical", 0), ("never", 0)]:
        assert pgmend("lint", f"--fail-on={fail_on}", "a.sql").rc == rc
    assert pgmend("lint", "a.sql").rc == 1
    assert pgmend("lint", "--skip=drop-column", "a.sql").rc == 0


def test_names_do_not_steer_a_terminal(pgmend, tmp_path):
    (tmp_path / "a.sql").write_text('ALTER TABLE "t\x1b[31m" DROP COLUMN "a\x1b]0;x\x07";')
    for form in ["text", "markdown"]:
        assert "\x1b" not in pgmend("lint", f"--format={form}", "a.sql").out


def test_sarif(pgmend, tmp_path):
    folder = tmp_path / "db migrations"
    folder.mkdir()
    path = folder / "a.sql"
    path.write_text("DROP TABLE t;\nSELEC;\n")
    done = pgmend("lint", "--format=sarif", "db migrations/a.sql")
    log = done.json()
    assert log["version"] == "2.1.0" and done.rc == 2
    run, = log["runs"]
    rules = run["tool"]["driver"]["rules"]
    for result in run["results"]:
        assert rules[result["ruleIndex"]]["id"] == result["ruleId"]
        assert result["level"] in ("note", "warning", "error")
        where = result["locations"][0]["physicalLocation"]
        assert where["artifactLocation"]["uri"] == "db%20migrations/a.sql"
        assert where["region"] == {"startLine": 1, "startColumn": 1, "endLine": 1}
    assert {r["ruleId"] for r in run["results"]} == {"drop-table", "missing-lock-timeout"}
    assert run["invocations"][0]["executionSuccessful"] is False

    def prints(text):
        path.write_text(text)
        log = pgmend("lint", "--format=sarif", "db migrations/a.sql").json()
        return [r["partialFingerprints"]["pgmend/v1"] for r in log["runs"][0]["results"]]

    # They stay when lines move, and tell equal statements apart.
    assert prints("\n\nSELECT 1;\n  DROP  TABLE t; -- now") == prints("DROP TABLE t;")
    twice = prints(T + "DROP TABLE t; DROP TABLE t;")
    assert len(twice) == len(set(twice)) == 2


# What a server does, as it tells: its locks, and what it logs at DEBUG1.

SCHEMA = """
CREATE TABLE parent (id bigint PRIMARY KEY);
CREATE TABLE t (id bigint PRIMARY KEY, a int, b varchar(10), c numeric(6, 2), d timestamp, e timestamptz(3),
    f text, g char(4), h cidr, j varchar(10)[], k bit varying(8), nn int NOT NULL, ck int, u int,
    parent_id bigint, CONSTRAINT ck_nn CHECK (ck IS NOT NULL));
INSERT INTO parent SELECT generate_series(1, 5);
INSERT INTO t SELECT n, n, 'x', 1, now(), now(), 'x', 'x', '10.0.0.0/8', '{x}', B'1', 1, 1, n, n
    FROM generate_series(1, 5) n;
CREATE INDEX t_a ON t (a);
CREATE UNIQUE INDEX t_u ON t (u);
ALTER TABLE t ADD CONSTRAINT later CHECK (a > 0) NOT VALID;
ALTER TABLE t ADD CONSTRAINT later_fk FOREIGN KEY (parent_id) REFERENCES parent NOT VALID;
CREATE TABLE p (k int, v int) PARTITION BY RANGE (k);
CREATE TABLE p1 PARTITION OF p FOR VALUES FROM (0) TO (10);
CREATE TABLE p2 (k int, v int);
CREATE MATERIALIZED VIEW m AS SELECT 1 AS x;
CREATE UNIQUE INDEX ON m (x);
CREATE FUNCTION trigger_f() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
CREATE TRIGGER tr BEFORE INSERT ON t FOR EACH ROW EXECUTE FUNCTION trigger_f();
CREATE FUNCTION steady() RETURNS int LANGUAGE sql STABLE AS 'SELECT 1';
CREATE FUNCTION fickle() RETURNS int LANGUAGE plpgsql AS 'BEGIN RETURN 1; END';
CREATE DOMAIN positive AS int CHECK (value > 0);
CREATE VIEW vw AS SELECT 1 AS x;
"""

STATEMENTS = [
    "CREATE INDEX ON t (b)", "DROP INDEX t_a", "REINDEX TABLE t", "REINDEX INDEX t_a",
    "ALTER TABLE t ADD x int", "ALTER TABLE t ADD x int DEFAULT 1",
    "ALTER TABLE t ADD x timestamptz DEFAULT now()",
    "ALTER TABLE t ADD x float DEFAULT random()", "ALTER TABLE t ADD x timestamptz DEFAULT clock_timestamp()",
    "ALTER TABLE t ADD x int DEFAULT public.steady()", "ALTER TABLE t ADD x int DEFAULT fickle()",
    "ALTER TABLE t ADD x serial", "ALTER TABLE t ADD x int GENERATED ALWAYS AS IDENTITY",
    "ALTER TABLE t ADD x int GENERATED ALWAYS AS (a + 1) STORED", "ALTER TABLE t ADD x positive",
    "ALTER TABLE t ADD x int CHECK (x > 0)", "ALTER TABLE t ADD x int UNIQUE",
    "ALTER TABLE t ADD x bigint REFERENCES parent", "ALTER TABLE t ADD x bigint DEFAULT 1 REFERENCES parent",
    "ALTER TABLE t DROP COLUMN b", "ALTER TABLE t ALTER a SET NOT NULL",
    "ALTER TABLE t ALTER nn SET NOT NULL",
    "ALTER TABLE t ALTER ck SET NOT NULL", "ALTER TABLE t ALTER a SET DEFAULT 1",
    "ALTER TABLE t ALTER a SET STATISTICS 10", "ALTER TABLE t SET (fillfactor = 50)",
    "ALTER TABLE t SET UNLOGGED",
    "ALTER TABLE t ADD CHECK (a > 0)", "ALTER TABLE t ADD CHECK (a > 0) NOT VALID",
    "ALTER TABLE t ADD FOREIGN KEY (parent_id) REFERENCES parent",
    "ALTER TABLE t ADD FOREIGN KEY (parent_id) REFERENCES parent NOT VALID",
    "ALTER TABLE t VALIDATE CONSTRAINT later", "ALTER TABLE t VALIDATE CONSTRAINT later_fk",
    "ALTER TABLE t ADD UNIQUE (id)", "ALTER TABLE t ADD CONSTRAINT uq UNIQUE USING INDEX t_u",
    "ALTER TABLE t DROP CONSTRAINT later", "ALTER TABLE t RENAME a TO z", "ALTER TABLE t RENAME TO z",
    "ALTER TABLE t DISABLE TRIGGER tr", "ALTER TABLE t DISABLE TRIGGER USER",
    "ALTER TABLE t ENABLE ROW LEVEL SECURITY",
    "CREATE TRIGGER tr2 BEFORE INSERT ON t FOR EACH ROW EXECUTE FUNCTION trigger_f()", "DROP TRIGGER tr ON t",
    "CREATE POLICY po ON t", "TRUNCATE t", "UPDATE t SET a = 1", "DELETE FROM t WHERE a = 1",
    "INSERT INTO parent VALUES (9)",
    "CLUSTER t USING t_a", "LOCK TABLE t IN SHARE MODE", "LOCK TABLE t", "REFRESH MATERIALIZED VIEW m",
    "REFRESH MATERIALIZED VIEW CONCURRENTLY m", "DROP TABLE p2", "DROP VIEW vw",
    "CREATE OR REPLACE VIEW vw AS SELECT 2 AS x",
    "ALTER TABLE p ATTACH PARTITION p2 FOR VALUES FROM (10) TO (20)", "ALTER TABLE p DETACH PARTITION p1",
    "CREATE TABLE p3 PARTITION OF p FOR VALUES FROM (30) TO (40)",
    "CREATE TABLE fresh (id bigint PRIMARY KEY, parent_id bigint REFERENCES parent)", "ANALYZE t",
    # Types: which of them are free is for the server to say.
    "ALTER TABLE t ALTER a TYPE bigint", "ALTER TABLE t ALTER b TYPE varchar(20)",
    "ALTER TABLE t ALTER b TYPE varchar(5)",
    "ALTER TABLE t ALTER b TYPE varchar", "ALTER TABLE t ALTER b TYPE text",
    "ALTER TABLE t ALTER b TYPE char(10)",
    "ALTER TABLE t ALTER b TYPE text USING b::text", "ALTER TABLE t ALTER b TYPE text USING upper(b)",
    "ALTER TABLE t ALTER f TYPE varchar", "ALTER TABLE t ALTER f TYPE varchar(20)",
    "ALTER TABLE t ALTER g TYPE text",
    "ALTER TABLE t ALTER g TYPE varchar(4)", "ALTER TABLE t ALTER g TYPE char(8)",
    "ALTER TABLE t ALTER c TYPE numeric(8, 2)",
    "ALTER TABLE t ALTER c TYPE numeric(8, 3)", "ALTER TABLE t ALTER c TYPE numeric",
    "ALTER TABLE t ALTER c TYPE numeric(5, 2)",
    "ALTER TABLE t ALTER d TYPE timestamp(3)", "ALTER TABLE t ALTER d TYPE timestamp(6)",
    "ALTER TABLE t ALTER e TYPE timestamptz(4)",
    "ALTER TABLE t ALTER e TYPE timestamptz", "ALTER TABLE t ALTER e TYPE timestamptz(1)",
    "ALTER TABLE t ALTER h TYPE inet",
    "ALTER TABLE t ALTER k TYPE bit varying(16)", "ALTER TABLE t ALTER k TYPE bit varying(4)",
    "ALTER TABLE t ALTER nn TYPE text",
    "ALTER TABLE t ALTER j TYPE varchar(20)[]",
]


def server_says(db, statement):
    """The strongest lock on each table that was there before, and what was done to which tables."""
    notices = []
    with db.connect(autocommit=False) as conn:
        conn.add_notice_handler(lambda d: notices.append(d.message_primary))
        old = {oid: name for oid, name in conn.execute(
            "SELECT oid, relname FROM pg_class WHERE relkind IN ('r', 'p', 'm', 'v')"
            " AND relnamespace = 'public'::regnamespace").fetchall()}
        conn.rollback()
        conn.execute("SET client_min_messages = debug1")
        conn.commit()
        conn.execute(statement)
        held = {}
        for oid, mode in conn.execute("SELECT relation, mode FROM pg_locks WHERE pid = pg_backend_pid()"
                                      " AND locktype = 'relation'").fetchall():
            if oid in old:
                level = [re.sub("[A-Z]", lambda m: " " + m.group(),
                                mode.removesuffix("Lock")).strip().upper()]
                held[old[oid]] = max(held.get(old[oid], 0), LOCKS.index(level[0]))
        conn.rollback()
    work = {}
    for text in notices:
        match = re.match(r'(rewriting|verifying|building index) .*?"([^"]+)"(?: on table "([^"]+)")?', text)
        if match:
            kind = {"rewriting": "rewrite", "verifying": "scan", "building index": "index"}[match.group(1)]
            work.setdefault(match.group(3) or match.group(2), set()).add(kind)
        if text.startswith("validating foreign key constraint"):
            work.setdefault("t", set()).add("scan")
    return held, work


@pytest.fixture(scope="module")
def judged(cluster):
    database = cluster.new_database("lint_oracle", SCHEMA)
    database.psql("ANALYZE")
    yield database
    database.drop()


@pytest.mark.parametrize("statement", STATEMENTS)
def test_the_server_agrees(judged, lint, statement):
    effects = {e["relation"].removeprefix("public."): e
               for s in lint(statement, args=[judged.conninfo]).report["files"][0]["statements"]
               for e in s["effects"] if not e["new"]}
    held, work = server_says(judged, statement)
    # Weaker ones are of no matter to an application, and ACCESS SHARE is in every look.
    strong = {name: LOCKS[level] for name, level in held.items() if level >= 4}
    said = {name: e["lock"] for name, e in effects.items() if LOCKS.index(e["lock"]) >= 4}
    assert said == strong
    if not statement.startswith(("ALTER TABLE", "CREATE INDEX")) or "PARTITION" in statement:
        return
    did = work.get("t", set())
    expected = "rewrite" if "rewrite" in did else "index" if "index" in did else "scan" if did else "none"
    assert effects["t"]["work"] == expected, work


@pytest.mark.parametrize("zone,rewrites", [("UTC", False), ("Europe/Berlin", True)])
def test_timestamp_to_timestamptz_by_zone(judged, lint, zone, rewrites):
    judged.psql(f"ALTER DATABASE lint_oracle SET timezone = '{zone}'")
    _, work = server_says(judged, "ALTER TABLE t ALTER d TYPE timestamptz")
    judged.psql("ALTER DATABASE lint_oracle RESET timezone")
    assert ("rewrite" in work.get("t", ())) == rewrites
    found = lint("ALTER TABLE t ALTER d TYPE timestamptz",
                 args=[judged.conninfo, "--only=change-type-rewrites"])
    assert "unless" in found.findings[0]["message"].lower()


def test_a_database_knows_more(lint, db):
    db.psql(SCHEMA)
    db.psql("INSERT INTO t (id, a, nn, ck, u) SELECT n, n, 1, 1, n FROM generate_series(100, 400000) n")
    db.psql("ANALYZE")

    def rules(text, *args):
        return lint(T + text, args=[db.conninfo, *args]).rules

    assert rules("ALTER TABLE t ALTER nn SET NOT NULL") == []
    assert rules("ALTER TABLE t ALTER ck SET NOT NULL") == []
    assert rules("ALTER TABLE t ALTER a SET NOT NULL") == ["add-not-null"]
    assert rules("ALTER TABLE t ALTER b TYPE varchar(20)") == []
    assert rules("ALTER TABLE t ADD x int DEFAULT steady()") == []
    assert rules("ALTER TABLE t ADD FOREIGN KEY (a) REFERENCES parent NOT VALID") == []
    assert rules("ALTER TABLE t ADD FOREIGN KEY (nn) REFERENCES parent NOT VALID") == [
        "foreign-key-without-index"]
    assert rules("DROP TABLE IF EXISTS no_such_table") == []
    assert rules("DROP INDEX IF EXISTS no_such_index") == []
    assert rules("CREATE TABLE IF NOT EXISTS t (a int); DROP TABLE t") == ["drop-table"]

    build, = lint(T + "CREATE INDEX x ON t (a)", args=[db.conninfo]).findings
    assert build["severity"] == "warning" and re.search(r"about .* for .* \(about [34]\d\d,\d\d\d rows\)",
                                                        build["message"])
    small, = lint(T + "CREATE INDEX x ON parent (id)", args=[db.conninfo]).findings
    assert small["severity"] == "info"
    # The table of an index is known, and with it what a DROP blocks.
    dropped = lint(T + "DROP INDEX t_a", args=[db.conninfo]).report["files"][0]["statements"][1]["effects"]
    assert [e["relation"] for e in dropped] == ["public.t"]


def test_the_roles_own_lock_timeout_counts(lint, cluster, db):
    db.psql("CREATE TABLE t (a int)")
    text = "ALTER TABLE t ADD COLUMN b int"
    assert lint(text, args=[db.conninfo]).rules == ["missing-lock-timeout"]
    db.psql(f"ALTER DATABASE {db.name} SET lock_timeout = '2s'")
    assert lint(text, args=[db.conninfo]).rules == []
    assert lint("CREATE INDEX CONCURRENTLY i ON t (a)",
                args=[db.conninfo]).rules == ["lock-timeout-with-concurrently"]


def test_default_partition_is_read(lint, db):
    db.psql("CREATE TABLE p (k int) PARTITION BY RANGE (k); CREATE TABLE pd PARTITION OF p DEFAULT;"
            "INSERT INTO p SELECT generate_series(1, 1000000); ANALYZE")
    done = lint(T + "CREATE TABLE p1 PARTITION OF p FOR VALUES FROM (-9) TO (0)", args=[db.conninfo])
    assert done.rules == ["attach-partition-without-check"]
    assert "DEFAULT partition" in done.findings[0]["message"]


def test_nothing_is_run_and_no_lock_is_waited_for(lint, db):
    db.psql("CREATE TABLE t (a int)")
    with db.connect(autocommit=False) as conn:
        conn.execute("LOCK TABLE t")
        assert "drop-table" in lint("DROP TABLE t;", args=[db.conninfo]).rules
    assert db.scalar("SELECT count(*) FROM t") == 0


def test_types_are_known_from_earlier_files(lint):
    first = "CREATE TABLE t (a varchar(10), b int);"
    done = lint(first, T + "ALTER TABLE t ALTER a TYPE varchar(20), ALTER b TYPE bigint;",
                names=["1.sql", "2.sql"])
    assert done.rules == ["change-type-rewrites"] and "Column b" in done.findings[0]["message"]
    assert done.findings[0]["severity"] == "critical"


def test_enum_value_that_is_used(lint):
    found, = lint("BEGIN; ALTER TYPE e ADD VALUE 'it''s'; INSERT INTO t VALUES ('it''s'); COMMIT;").findings
    assert found["severity"] == "critical"


def test_many_statements_take_no_time(lint):
    text = "".join(f"ALTER TABLE t{n} ADD COLUMN c int REFERENCES u{n}; CREATE INDEX ON t{n} (c);\n"
                   for n in range(3000))
    assert len(lint(text, args=["--only=create-index-without-concurrently"]).rules) == 3000
