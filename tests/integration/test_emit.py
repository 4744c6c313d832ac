"""check --emit and advise --emit: the migrations go up and down in the tools that they are for.

"make test" runs the tools that it finds; "make test-emit" installs them first. What each tool would send is
also sent without it, where its migrations are plain SQL.
"""

import ast
import re

import pytest

from changes import invalid_indexes, schema_of
from cluster import free_port
from migrators import MIGRATORS, Alembic, Django, Failed

TOOLS = ("flyway", "golang-migrate", "alembic", "rails", "django", "knex", "prisma", "dbmate")

# Names and predicates that mean something in one of the languages that a migration is written in.
ODD_NAMES = ('"""', "'''", "it's", "\\", "\\n", "*/", "/*", "-- x", "`${process.exit(1)}`", "${flyway:user}",
             "#{exit 1}", "SQL", "a\nSQL\n", 'a\n""")\nimport os', "%s %(x)s %%", ":name ::x \\:y", "? \\? ??",
             "$$", "$1", "\u2028line", "é日", "-- migrate:down", "\t", "x\\", 'x"')

SCHEMA = """
CREATE TABLE parents (id int PRIMARY KEY);
CREATE TABLE plain (id int PRIMARY KEY, parent_id int REFERENCES parents);
CREATE TABLE parts (at int, parent_id int REFERENCES parents) PARTITION BY RANGE (at);
CREATE TABLE parts_1 PARTITION OF parts FOR VALUES FROM (0) TO (10);
CREATE TABLE parts_2 PARTITION OF parts FOR VALUES FROM (10) TO (20) PARTITION BY RANGE (at);
CREATE TABLE parts_2a PARTITION OF parts_2 FOR VALUES FROM (10) TO (15);
CREATE TABLE parts_2b PARTITION OF parts_2 FOR VALUES FROM (15) TO (20);
CREATE TABLE twice (a text, b text);
CREATE INDEX twice_a ON twice (a);
CREATE INDEX twice_b ON twice (a);
"""

INDEXES = """SELECT c.relname, pg_get_indexdef(i.indexrelid), i.indisvalid FROM pg_index i
             JOIN pg_class c ON c.oid = i.indexrelid
             WHERE i.indrelid >= 16384 AND c.relnamespace <> 'pg_toast'::regnamespace ORDER BY 2"""

CHECKS = ("--only=fk_without_index,duplicate_index", "--allow-drops", "--fail-on=never")


def literal(text):
    return "E'" + text.replace("\\", "\\\\").replace("'", "''") + "'"


def identifier(text):
    return '"' + text.replace('"', '""') + '"'


def odd_schema():
    """A table a name; two indexes on it that are the same, over a predicate with the name in it."""
    parts = ["CREATE TABLE roots (id int PRIMARY KEY);"]
    for number, name in enumerate(ODD_NAMES):
        table, column = identifier(f"{number} {name}"), identifier(f"{name} id")
        parts.append(f"CREATE TABLE {table} ({column} int CONSTRAINT {identifier('fk ' + name)} REFERENCES roots, t text);")
        for letter in "ab":
            parts.append(f"CREATE INDEX {identifier(f'{number} {letter} {name}')} ON {table} (t) "
                         f"WHERE t <> {literal(name)} AND t !~ {literal(name)};")
    return "\n".join(parts)


@pytest.fixture(params=MIGRATORS, ids=lambda m: m.__name__)
def migrator(request, db, tmp_path):
    """A project of each tool, over an empty database."""
    reason = request.param.missing()
    if reason:
        pytest.skip(f"{reason} (tools/setup emit installs what there is)")
    if getattr(request.param, "tcp", False):
        server = request.getfixturevalue("make_cluster")(listen_addresses="127.0.0.1", port=free_port())
        db = server.new_database("emitted")
    yield request.param(tmp_path, db)


def emit(pgmend, migrator, *more, checks=CHECKS):
    done = pgmend("check", migrator.db.conninfo, *checks, f"--emit={migrator.name}", f"--out={migrator.out}/",
                  *migrator.after, *more)
    assert done.rc == 0, done
    return done


def forget_tool(migrator):
    for table in migrator.tables:
        migrator.db.execute(f"DROP TABLE IF EXISTS public.{table}")


def indexes(db, but=()):
    return [row for row in db.query(INDEXES) if not row[0].startswith(but or "\0")]


def expected_indexes(migrator, schema):
    """What the Plan makes of the same schema when psql runs it, statement by statement."""
    plan = (migrator.home / "plan.sql").read_text()
    twin = migrator.db.cluster.new_database(f"{migrator.db.name}_twin", schema)
    try:
        twin.psql(re.split("^-- migrate:down", plan, flags=re.M)[0])
        return indexes(twin)
    finally:
        twin.drop()


def up_and_down(pgmend, migrator, schema):
    """Up makes what the Plan does; down leaves the schema as it was."""
    db = migrator.db
    db.psql(schema)
    before, indexes_before = schema_of(db), indexes(db)
    emit(pgmend, migrator, f"--fix-plan={migrator.home}/plan.sql")
    migrator.up()
    assert not invalid_indexes(db)
    assert indexes(db, migrator.tables) == expected_indexes(migrator, schema) != indexes_before
    migrator.down()
    forget_tool(migrator)
    assert schema_of(db) == before


def test_goes_up_and_down(pgmend, migrator):
    up_and_down(pgmend, migrator, SCHEMA)


def test_names_stay_names(pgmend, migrator):
    up_and_down(pgmend, migrator, odd_schema())


def test_the_drop_of_a_partitioned_index_gives_up_soon(pgmend, migrator):
    """It needs ACCESS EXCLUSIVE, and who waits for that makes everybody else wait."""
    db = migrator.db
    db.psql(SCHEMA)
    emit(pgmend, migrator, checks=("--only=fk_without_index", "--fail-on=never"))
    migrator.up()
    with db.connect(autocommit=False) as reader:
        reader.execute("SELECT FROM parts")
        with pytest.raises(Failed, match="lock timeout"):
            migrator.down()
        reader.rollback()
    assert not invalid_indexes(db)


def test_alembic_offline(pgmend, db, tmp_path):
    if Alembic.missing():
        pytest.skip(Alembic.missing())
    migrator = Alembic(tmp_path, db)
    db.psql(SCHEMA + odd_schema())
    emit(pgmend, migrator, f"--fix-plan={tmp_path}/plan.sql")
    script = migrator.offline()
    db.psql(script[script.index("BEGIN;"):script.rindex("COMMIT;") + len("COMMIT;")])
    assert indexes(db, migrator.tables) == expected_indexes(migrator, SCHEMA + odd_schema())


@pytest.mark.parametrize("tool", TOOLS)
def test_nothing_is_overwritten(pgmend, db, tmp_path, tool):
    db.psql(SCHEMA)
    args = ["check", db.conninfo, *CHECKS, f"--emit={tool}", f"--out={tmp_path}/new/folder"]
    args += ["--after=shop.0041_notes"] if tool == "django" else []
    assert pgmend(*args).rc == 0
    folder = tmp_path / "new/folder"
    made = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    assert made
    # A second run finds other versions, or (the tools that have none) is refused and leaves nothing behind.
    again = pgmend(*args)
    after = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    assert {path: text for path, text in after.items() if path in made} == made
    if tool in ("alembic", "django"):
        assert again.rc == 2 and "File exists" in again.err
        assert after == made
    else:
        assert again.rc == 0, again
        versions = [re.match(r"[VU]?(\d+)", p.relative_to(folder).parts[0])[1] for p in after]
        assert max(v for v, p in zip(versions, after) if p in made) < \
            min(v for v, p in zip(versions, after) if p not in made)


@pytest.mark.parametrize("tool", TOOLS)
def test_one_statement_a_file_outside_of_transactions(pgmend, db, tmp_path, tool):
    """CREATE INDEX CONCURRENTLY shares its query with nothing, in the tools that send a file at once."""
    if tool in ("alembic", "django", "rails", "knex"):
        pytest.skip("runs the statements of a file one by one")
    db.psql(SCHEMA)
    assert pgmend("check", db.conninfo, *CHECKS, f"--emit={tool}", f"--out={tmp_path}/out").rc == 0
    texts = [p.read_text() for p in (tmp_path / "out").rglob("*.sql")]
    found = 0
    for text in texts:
        for half in re.split(r"^-- migrate:down.*$", text, flags=re.M):
            sql = "".join(line for line in half.splitlines(True) if not line.startswith("--")).strip()
            if "CONCURRENTLY" in sql:
                found += 1
                assert sql.count(";") == 1, half
    assert found >= 5


def test_chains(pgmend, db, tmp_path):
    """Each revision follows the one before; the first the one that was named."""
    db.psql(SCHEMA)
    out = tmp_path / "versions"
    assert pgmend("check", db.conninfo, *CHECKS, "--emit=alembic", "--after=abc123", f"--out={out}/").rc == 0
    links = {}
    for path in out.glob("*.py"):
        values = {n.targets[0].id: ast.literal_eval(n.value) for n in ast.parse(path.read_text()).body
                  if isinstance(n, ast.Assign)}
        links[values["down_revision"]] = values["revision"]
    at, steps = "abc123", 0
    while at in links:
        at, steps = links[at], steps + 1
    assert steps == len(links) == 3

    out = tmp_path / "migrations"
    assert pgmend("check", db.conninfo, *CHECKS, "--emit=django", "--after=shop", f"--out={out}/").rc == 0
    names = sorted(p.stem for p in out.glob("*.py"))
    assert [n[:4] for n in names] == ["0001", "0002", "0003"]
    assert "dependencies = []" in (out / f"{names[0]}.py").read_text()
    assert f'("shop", "{names[1]}")' in (out / f"{names[2]}.py").read_text()


@pytest.mark.parametrize("args,says", [
    (["--emit=liquibase", "--out=x/"], "there is no tool"),
    (["--emit=flyway"], "needs --out"),
    (["--emit=flyway", "--out=-"], "needs --out"),
    (["--emit=flyway", "--out=x/", "--after=1"], "--after is for alembic and django"),
    (["--emit=django", "--out=x/"], "needs --after"),
    (["--emit=django", "--out=x/", "--after=shop.0041.py"], "no migration of an app"),
    (["--emit=django", "--out=x/", '--after=shop.1"'], "no migration of an app"),
    (["--emit=alembic", "--out=x/", "--after=a b"], "is no revision"),
    (["--after=abc"], "--after is for --emit"),
])
@pytest.mark.parametrize("command", ["check", "advise"])
def test_wrong_arguments_are_told_before_anything_is_done(pgmend, tmp_path, command, args, says):
    done = pgmend(command, "host=/nowhere", *args, cwd=tmp_path)
    assert done.rc == 2 and says in done.err, done
    assert not (tmp_path / "x").exists()


def test_out_of_check_needs_emit(pgmend, tmp_path):
    done = pgmend("check", "host=/nowhere", "--out=x/", cwd=tmp_path)
    assert done.rc == 2 and "--out is for --emit" in done.err


def test_nothing_to_do_writes_nothing(pgmend, db, tmp_path):
    done = pgmend("check", db.conninfo, *CHECKS, "--emit=flyway", f"--out={tmp_path}/out/")
    assert done.rc == 0 and "nothing was written" in done.err
    assert not (tmp_path / "out").exists()


def test_a_folder_that_cannot_be(pgmend, db, tmp_path):
    db.psql(SCHEMA)
    (tmp_path / "file").write_text("mine")
    done = pgmend("check", db.conninfo, *CHECKS, "--emit=flyway", f"--out={tmp_path}/file")
    assert done.rc == 2 and "no folder" in done.err, done
    done = pgmend("check", db.conninfo, *CHECKS, "--emit=flyway", f"--out={tmp_path}/file/below/")
    assert done.rc == 2 and "cannot make the folder" in done.err, done
    assert (tmp_path / "file").read_text() == "mine"


@pytest.mark.hypopg
def test_advise_emits_too(pgmend, db, tmp_path):
    if Django.missing():
        pytest.skip(Django.missing())
    db.psql("CREATE TABLE orders (id int, user_id int, note text); "
            "INSERT INTO orders SELECT i, i % 5000, repeat('x', 100) FROM generate_series(1, 50000) AS i; "
            "ANALYZE orders; CREATE EXTENSION hypopg")
    migrator = Django(tmp_path, db)
    workload = migrator.write("w.sql", "SELECT * FROM orders WHERE user_id = 7;\n")
    done = pgmend("advise", db.conninfo, f"--workload={workload}", "--emit=django", f"--out={migrator.out}",
                  *migrator.after)
    assert done.rc == 0, done
    assert "1 file written" in done.err and "Nothing was written" not in done.out
    migrator.up()
    assert [row[0] for row in db.query("SELECT indexdef FROM pg_indexes WHERE tablename = 'orders'")] != []
    migrator.down()
    assert db.query("SELECT FROM pg_indexes WHERE tablename = 'orders'") == []


@pytest.mark.hypopg
def test_advise_writes_one_plan_an_index_without_a_tool(pgmend, db, tmp_path):
    db.psql("CREATE TABLE orders (id int, user_id int, item_id int, note text); "
            "INSERT INTO orders SELECT i, i % 5000, i % 4000, repeat('x', 100) FROM generate_series(1, 50000) AS i; "
            "ANALYZE orders; CREATE EXTENSION hypopg")
    workload = tmp_path / "w.sql"
    workload.write_text("SELECT * FROM orders WHERE user_id = 7;\nSELECT * FROM orders WHERE item_id = 7;\n")
    assert pgmend("advise", db.conninfo, f"--workload={workload}", f"--out={tmp_path}/plans/").rc == 0
    plans = sorted((tmp_path / "plans").iterdir())
    assert len(plans) == 2
    for plan in plans:
        done = pgmend("apply", plan, db.conninfo, "--yes")
        assert done.rc == 0, done
    assert db.scalar("SELECT count(*) FROM pg_indexes WHERE tablename = 'orders'") == 2
