"""pgmend check: every check by its fixtures, and what the engine promises."""

import collections
import fnmatch
import pathlib
import re
import subprocess
import threading
import time

import pytest
from psycopg import sql

import check_state
from check_state import header
from cluster import clean_env

ROOT = pathlib.Path(__file__).resolve().parents[2]
FIXTURES = ROOT / "tests" / "checks"
IDS = sorted(p.stem for p in (ROOT / "checks").glob("*.sql"))
SETTLE_S = 60  # statistics may come late: before PostgreSQL 15 they are sent


def report(pgmend, conninfo, *args):
    done = pgmend("check", "--format=json", "--fail-on=never", "--timeout=60s", *args, conninfo)
    assert done.rc == 0, done
    return done.json()


def keys(found):
    return [f["ignore_key"] for f in found["findings"]]


def unmatched(found, expected):
    """What is left when each expected key (* is any text) takes one of those found."""
    left = list(found)
    missing = []
    for pattern in expected:
        literal = re.sub(r"([\[?])", r"[\1]", pattern)
        hit = next((k for k in left if k == pattern or fnmatch.fnmatchcase(k, literal)), None)
        if hit is None:
            missing.append(pattern)
        else:
            left.remove(hit)
    return missing, left


def majors(check):
    low, high = header((ROOT / "checks" / f"{check}.sql").read_text(), "versions")[0].split("-")
    return range(int(low), int(high or 999) + 1)


@pytest.mark.parametrize("kind", ["bad", "good"])
@pytest.mark.parametrize("check", IDS)
def test_fixture(cluster, db, pgmend, check, kind):
    text = (FIXTURES / f"{check}.{kind}.sql").read_text()
    expected = header(text, "expect")
    assert bool(expected) == (kind == "bad"), "a bad fixture says what to expect, a good one nothing"
    if cluster.major not in majors(check):
        pytest.skip(f"not for PostgreSQL {cluster.major}")
    state = check_state.State(cluster, db, text)
    try:
        only = sorted({e.partition(":")[0] for e in expected} | {check})
        args = ["--only=" + ",".join(only)] + [f"--threshold={t}" for t in header(text, "threshold")]
        deadline = time.monotonic() + SETTLE_S
        while True:
            found = report(pgmend, state.checked, *args)
            rest = unmatched(keys(found), expected)
            if rest == ([], []) or time.monotonic() > deadline:
                break
            time.sleep(0.3)
        in_psql = keys_in_psql(pgmend, state, check, header(text, "threshold")) if kind == "bad" else []
    finally:
        state.close()
    assert rest == ([], []), "(missing, unexpected)"
    if kind == "bad":
        assert sorted(in_psql) == sorted(k for k in keys(found) if k.startswith(check + ":"))
    assert all(c["status"] != "not_judged" for c in found["checks"]), found["checks"]


def keys_in_psql(pgmend, state, check, thresholds):
    """What a user finds who runs the SQL that --explain shows, with the fixture's thresholds."""
    script = explained(pgmend, check)
    for threshold in thresholds:
        name, value = threshold.removeprefix(f"{check}.").split("=")
        script, count = re.subn(rf"^\\set {name} .*$", rf"\\set {name} {value}", script, flags=re.M)
        assert count == 1 or not threshold.startswith(check + "."), threshold
    body = re.sub(r"\A(--.*\n)+", "", (ROOT / "checks" / f"{check}.sql").read_text()).rstrip().rstrip(";")
    head, found, end = script.partition(body)
    assert found and end == ";\n"
    query = f"{head}SELECT f.ignore_key FROM (\n{body}\n) AS f WHERE f.ignore_key IS NOT NULL;"
    done = subprocess.run(["psql", "-XAtq", "-v", "ON_ERROR_STOP=1", "-d", state.checked, "-f", "-"],
                          input=query, capture_output=True, text=True, timeout=120, check=False,
                          env=clean_env(PGAPPNAME="pgmend"))  # as pgmend, which does not report itself
    assert done.returncode == 0, done.stderr
    return [k for k in done.stdout.splitlines() if k]


def test_every_check_has_its_page_and_fixtures(pgmend):
    listed = [line.split()[0] for line in pgmend("check", "--list").out.splitlines()[1:]]
    assert listed == IDS
    for check in IDS:
        page = ROOT / "docs" / "checks" / f"{check}.md"
        assert page.exists(), page
        text = page.read_text()
        explained = pgmend("check", "--explain", check)
        assert explained.rc == 0
        title = explained.out.partition(f" ({check})")[0]
        assert text.startswith(f"# {title}\n"), "the page's title is the check's"
        for threshold in header((ROOT / "checks" / f"{check}.sql").read_text(), "threshold"):
            name, value = threshold.split()[:2]
            assert f"| `{name}` | {value} |" in text, f"{check}.md lacks {name} {value}"
        for kind in ("bad", "good"):
            assert (FIXTURES / f"{check}.{kind}.sql").exists()
    for folder, suffix in (("docs/checks", ".md"), ("tests/checks", ".sql")):
        for path in (ROOT / folder).iterdir():
            assert path.name.split(".")[0] in IDS, f"{path} is of no check"


@pytest.mark.parametrize("check", IDS)
def test_explained_sql_runs_in_psql_as_printed(cluster, db, pgmend, check):
    if cluster.major not in majors(check):
        pytest.skip(f"not for PostgreSQL {cluster.major}")
    if cluster.has_extension("pg_stat_statements"):
        db.psql('CREATE SCHEMA "Odd one"; CREATE EXTENSION pg_stat_statements SCHEMA "Odd one"')
    elif "pg_stat_statements" in header((ROOT / "checks" / f"{check}.sql").read_text(), "needs")[0:1]:
        pytest.skip("no pg_stat_statements")
    db.psql(explained(pgmend, check))


def explained(pgmend, check):
    out = pgmend("check", "--explain", check).out
    assert out.count("Its SQL, as psql runs it:\n") == 1
    return out.partition("Its SQL, as psql runs it:\n")[2]


# The engine


def test_empty_database(db, pgmend):
    args = ["--skip=cluster,security"]  # what is wrong with the server is so in every database
    found = report(pgmend, db.conninfo, *args)
    assert set(keys(found)) <= {"pg_stat_statements_missing:not_installed",
                                "pg_stat_statements_missing:not_loaded"}
    text = pgmend("check", *args, db.conninfo)
    assert text.rc == 0
    judged, run = found["summary"]["judged"], found["summary"]["checks"]
    assert re.search(rf"0 critical, 0 warnings, 1 info; {judged} of {run} checks judged in", text.out), text


def test_locked_table_does_not_hold_it_up(db, pgmend, tmp_path):
    db.psql((FIXTURES / "fk_without_index.bad.sql").read_text())
    db.psql((FIXTURES / "duplicate_index.bad.sql").read_text())
    with db.connect(autocommit=False) as other:
        for name in ("p", "c01", "c15", "c15_1", "d01", "d05", "d14", "d14_1"):
            other.execute(sql.SQL("LOCK TABLE {} IN ACCESS EXCLUSIVE MODE").format(sql.Identifier(name)))
        found = report(pgmend, db.conninfo)
        assert not [c for c in found["checks"] if "lock" in c.get("reason", "")]
        assert "fk_without_index:public.c01:c01_p_fkey" in keys(found)
        assert "duplicate_index:public.d05_b" in keys(found)
        # A Plan that drops must read definitions, which takes locks: those it cannot read are left out.
        done = pgmend("check", "--fail-on=never", "--fix-plan", tmp_path / "p.sql", "--allow-drops",
                      db.conninfo)
        assert done.rc == 0 and "are left out of the Plan" in done.err, done
        plan = (tmp_path / "p.sql").read_text()
        assert "DROP INDEX CONCURRENTLY public.d02_b" in plan and "d05_b" not in plan
        other.rollback()


def test_check_takes_no_lock_on_user_tables(db, pgmend):
    """Watches pg_locks from another session while checks run again and again."""
    db.psql((FIXTURES / "fk_without_index.bad.sql").read_text())
    seen = set()
    stop = threading.Event()

    def watch():
        with db.connect() as conn:
            while not stop.is_set():
                seen.update(conn.execute("""
                    SELECT c.relname, l.mode FROM pg_locks l
                    JOIN pg_class c ON c.oid = l.relation
                    JOIN pg_namespace n ON n.oid = c.relnamespace
                    JOIN pg_stat_activity a ON a.pid = l.pid
                    WHERE a.application_name = 'pgmend'""").fetchall())

    thread = threading.Thread(target=watch)
    thread.start()
    try:
        for _ in range(15):
            report(pgmend, db.conninfo)
    finally:
        stop.set()
        thread.join()
    assert seen, "the watch saw nothing"
    assert {m for _, m in seen} == {"AccessShareLock"}
    assert not {r for r, _ in seen if not r.startswith("pg_")}


def test_rights(cluster, db, pgmend):
    if not cluster.has_extension("pg_stat_statements"):
        pytest.skip("no pg_stat_statements")
    db.psql((FIXTURES / "slow_statement.bad.sql").read_text())
    db.psql("CREATE TABLE public.p (id int PRIMARY KEY); CREATE TABLE public.c (p int REFERENCES p);"
            "REVOKE ALL ON SCHEMA public FROM PUBLIC")
    db.execute('CREATE ROLE "no Rights" LOGIN')
    try:
        conninfo = cluster.conninfo(db.name, user="no Rights")
        found = report(pgmend, conninfo)
        assert "fk_without_index:public.c:c_p_fkey" in keys(found)
        skipped = {c["id"]: (c["reason"], c["hint"]) for c in found["checks"] if c["status"] == "not_judged"}
        assert skipped["slow_statement"] == ("the schema public may not be used",
                                             'GRANT USAGE ON SCHEMA public TO "no Rights";')
        assert "pg_stat_statements_missing:not_readable" in keys(found)
        db.execute(skipped["slow_statement"][1])
        db.execute("REVOKE SELECT ON public.pg_stat_statements FROM PUBLIC")
        skipped = {c["id"]: c.get("hint") for c in report(pgmend, conninfo)["checks"]}
        assert skipped["slow_statement"] == 'GRANT SELECT ON public.pg_stat_statements TO "no Rights";'
        db.execute(skipped["slow_statement"])
        found = report(pgmend, conninfo)
        (hidden,) = [c for c in found["checks"] if c["id"] == "slow_statement"]
        assert hidden["status"] == "not_judged" and "other users are hidden" in hidden["reason"]
        assert hidden["hint"] == 'GRANT pg_read_all_stats TO "no Rights";'
        assert not [f for f in found["findings"] if "secret" in f["detail"] or "pg_sleep" in f["detail"]]
        remedy = next(f["remedy"] for f in found["findings"] if f["check"] == "pg_stat_statements_missing")
        assert remedy == 'GRANT pg_read_all_stats TO "no Rights";'
        db.execute(remedy)
        found = report(pgmend, conninfo)
        assert "pg_stat_statements_missing:not_readable" not in keys(found)
        assert any("pg_sleep" in f["detail"] for f in found["findings"] if f["check"] == "slow_statement")
    finally:
        db.execute('DROP OWNED BY "no Rights"; DROP ROLE "no Rights"')


def test_standby(cluster, standby, db, pgmend):
    db.psql((FIXTURES / "fk_without_index.bad.sql").read_text())
    on_primary = report(pgmend, db.conninfo, "--only=fk_without_index")
    standby.wait_for_replay(cluster)
    found = report(pgmend, standby.conninfo(db.name))
    assert found["standby"] is True
    assert [k for k in keys(found) if k.startswith("fk_")] == keys(on_primary)
    skipped = {c["id"]: c["reason"] for c in found["checks"] if c["status"] == "not_judged"}
    assert "standby" in skipped["unused_index"]


def test_unused_index_asks_to_look_at_standbys(cluster, standby, db, pgmend):
    db.psql((FIXTURES / "unused_index.bad.sql").read_text())
    found = report(pgmend, db.conninfo, "--only=unused_index", "--threshold=unused_index.min_days=0",
                   "--threshold=unused_index.min_bytes=0")
    assert len(found["findings"]) == 4
    for finding in found["findings"]:
        assert "on each standby before you drop it" in finding["detail"]
        assert finding["severity"] == "info" and finding["changes"] == []


def test_young_statistics_are_not_taken_for_fine(db, pgmend):
    found = report(pgmend, db.conninfo, "--only=unused_index")
    (check,) = found["checks"]
    assert check["status"] == "not_judged" and "days old" in check["reason"]
    assert found["summary"]["judged"] == 0


@pytest.mark.extension("pg_stat_statements")
def test_own_statements_are_left_out(db, pgmend):
    db.execute("CREATE EXTENSION pg_stat_statements")
    for _ in range(25):
        report(pgmend, db.conninfo, "--skip=slow_statement")
    db.execute("SELECT 1 + 1")
    found = report(pgmend, db.conninfo, "--only=slow_statement", "--threshold=slow_statement.min_mean_ms=0",
                   "--threshold=slow_statement.min_calls=1", "--threshold=slow_statement.top=1000")
    texts = [f["evidence"]["text"] for f in found["findings"]]
    assert texts, "other statements are there"
    ours = db.query("SELECT query FROM pg_stat_statements WHERE query LIKE %s", ["%to_jsonb(f)%"])
    assert ours and all("/* pgmend */" in q for (q,) in ours)
    assert not [t for t in texts if "to_jsonb(f)" in t]


@pytest.mark.extension("pg_stat_statements")
def test_literals_are_never_shown(db, pgmend):
    db.psql((FIXTURES / "slow_statement.bad.sql").read_text())
    done = pgmend("check", db.conninfo)
    assert "pg_sleep" in done.out and "secret" not in done.out


@pytest.mark.extension("pg_stat_statements")
def test_pg_stat_statements_in_another_schema(db, pgmend):
    db.psql('CREATE SCHEMA "Odd one"; CREATE EXTENSION pg_stat_statements SCHEMA "Odd one"')
    found = report(pgmend, db.conninfo, "--only=slow_statement")
    assert found["checks"][0]["status"] == "ok", found


@pytest.mark.extension("pg_stat_statements")
def test_old_version_of_the_extension(db, pgmend):
    """As after an upgrade of the server without ALTER EXTENSION UPDATE."""
    db.execute("CREATE EXTENSION pg_stat_statements VERSION '1.7'")
    found = report(pgmend, db.conninfo, "--only=slow_statement")
    assert found["checks"][0]["status"] == "not_judged"
    assert found["checks"][0]["hint"] == "ALTER EXTENSION pg_stat_statements UPDATE;"


WEIRD = ["plain", "UPPER", "two words", 'quo"te', "apo'strophe", "new\nline", "tab\t", "back\\slash",
         "percent%s%I", "émoji 🐘", "select", "x" * 63, "é" * 31, "esc\x1b[31mred", "$1", "a:b*c", "{a,b}"]


def test_weird_names(db, pgmend, tmp_path):
    ident = sql.Identifier
    for schema in ("s", 'Sch"ema\n%'):
        db.execute(sql.SQL("CREATE SCHEMA {}").format(ident(schema)))
        for name in WEIRD:
            table, column = ident(schema, name), ident(name)
            db.execute(sql.SQL("CREATE TABLE {t} ({c} int PRIMARY KEY, up int REFERENCES {t}, y int)")
                       .format(t=table, c=column))
            child = ident(schema, "c" + name[:61] if len(name) > 61 else "c" + name)
            db.execute(sql.SQL("CREATE TABLE {t} ({c} int REFERENCES {p} ({c}))")
                       .format(t=child, c=column, p=table))
            db.execute(sql.SQL("CREATE INDEX ON {} (y)").format(table))
            db.execute(sql.SQL("CREATE INDEX ON {} (y, {})").format(table, column))
    found = report(pgmend, db.conninfo)
    count = collections.Counter(f["check"] for f in found["findings"])
    assert count["fk_without_index"] == 2 * 2 * len(WEIRD)
    assert count["overlapping_index"] == 2 * len(WEIRD)
    assert all("\n" not in k and "\x1b" not in k for k in keys(found))
    assert len(set(keys(found))) == len(keys(found))
    for form in ("text", "markdown"):
        done = pgmend("check", "--fail-on=never", f"--format={form}", db.conninfo)
        assert done.rc == 0 and "\x1b" not in done.out
    # Every remedy is SQL that runs, and then nothing is left to find.
    for finding in found["findings"]:
        for change in finding["changes"]:
            for statement in filter(str.strip, re.split(r";\n(?=CREATE|ALTER|DROP|$)", change["sql_up"])):
                db.execute(statement)
    after = report(pgmend, db.conninfo, "--only=indexes", "--skip=unused_index")
    assert keys(after) == []
    # All of them ignored by a file with their keys.
    (tmp_path / "ignore").write_text("# all\n" + "\n".join(keys(found)) + "\n")
    for finding in found["findings"]:
        for change in finding["changes"]:
            if change["kind"] == "create_index":
                db.execute(change["sql_down"].strip().rstrip(";"))
    again = report(pgmend, db.conninfo, "--only=fk_without_index", "--ignore-file", tmp_path / "ignore")
    assert again["findings"] == [] and again["summary"]["ignored"] == count["fk_without_index"]


def test_plan_mends_what_was_found(db, pgmend, tmp_path):
    for name in ("fk_without_index", "duplicate_index", "overlapping_index", "invalid_index"):
        db.psql((FIXTURES / f"{name}.bad.sql").read_text())
    plan = tmp_path / "plan.sql"
    done = pgmend("check", "--fail-on=never", "--fix-plan", plan, db.conninfo)
    assert done.rc == 0 and "written to" in done.err
    up, down = plan.read_text().split("\n-- migrate:down", 1)
    assert "\nDROP" not in up and "CREATE INDEX CONCURRENTLY" in up
    before = set(keys(report(pgmend, db.conninfo, "--only=indexes")))
    indexes = "SELECT schemaname, indexname, indexdef FROM pg_indexes ORDER BY 1, 2"
    were = db.query(indexes)
    db.psql(up)
    left = set(keys(report(pgmend, db.conninfo, "--only=indexes")))
    assert not [k for k in left if k.startswith("fk_")]
    db.psql("\n-- migrate:down" + down)
    assert db.query(indexes) == were
    assert set(keys(report(pgmend, db.conninfo, "--only=indexes"))) == before
    done = pgmend("check", "--fail-on=never", "--fix-plan", plan, "--allow-drops", db.conninfo)
    assert done.rc == 0
    up, down = plan.read_text().split("\n-- migrate:down", 1)
    assert "DROP INDEX CONCURRENTLY public.d01_b" in up and "CREATE INDEX CONCURRENTLY d01_b" in down
    db.psql(up)
    left = keys(report(pgmend, db.conninfo, "--only=indexes"))
    # Indexes of partitioned tables are mended by hand; the other two are contained in indexes made just now.
    assert sorted(left) == ["duplicate_index:public.d14_b", "invalid_index:public.c19_only",
                            "invalid_index:public.i04_root", "overlapping_index:public.c02_a_idx",
                            "overlapping_index:public.c06_a_b_idx"]


def test_plan_does_not_drop_what_takes_the_place_of_another(db, pgmend, tmp_path):
    """The short index is read, and contained in the long one, which nothing reads."""
    db.psql("CREATE TABLE t (x int, y int); INSERT INTO t SELECT g, g FROM generate_series(1, 100) g;"
            "CREATE INDEX short ON t (x); SET enable_seqscan = off; SELECT * FROM t WHERE x = 1;"
            "CREATE INDEX long ON t (x, y);")
    args = ["--only=indexes", "--threshold=unused_index.min_days=0", "--threshold=unused_index.min_bytes=0"]
    expected = ["overlapping_index:public.short", "unused_index:public.long"]
    deadline = time.monotonic() + SETTLE_S
    while (found := sorted(keys(report(pgmend, db.conninfo, *args)))) != expected:
        assert time.monotonic() < deadline, found
        time.sleep(0.3)
    plan = tmp_path / "plan.sql"
    done = pgmend("check", "--fail-on=never", *args, "--fix-plan", plan, "--allow-drops", db.conninfo)
    assert done.rc == 0 and plan.read_text().count("\nDROP INDEX CONCURRENTLY") == 1, done


def test_apply_and_rollback_of_the_plan(db, pgmend, tmp_path):
    db.psql((FIXTURES / "fk_without_index.bad.sql").read_text())
    indexes = ("SELECT schemaname, indexname, indexdef FROM pg_indexes"
               " WHERE schemaname <> 'pgmend' ORDER BY 1, 2")
    were = db.query(indexes)
    plan = tmp_path / "plan.sql"
    assert pgmend("check", "--fail-on=never", "--fix-plan", plan, db.conninfo).rc == 0
    done = pgmend("apply", plan, db.conninfo)
    assert done.rc == 0, done
    assert report(pgmend, db.conninfo, "--only=fk_without_index")["findings"] == []
    done = pgmend("rollback", db.conninfo)
    assert done.rc == 0, done
    assert db.query(indexes) == were


def test_plan_where_there_is_nothing_to_mend(db, pgmend, tmp_path):
    done = pgmend("check", "--skip=cluster", "--fix-plan", tmp_path / "plan.sql", db.conninfo)
    assert done.rc == 0 and "No finding has a mend" in done.err
    assert not (tmp_path / "plan.sql").exists()
    db.psql("CREATE TABLE p (id int PRIMARY KEY, up int REFERENCES p)")
    done = pgmend("check", "--fix-plan", tmp_path / "none" / "plan.sql", db.conninfo)
    assert done.rc == 4 and "No such file" in done.err, done


def test_index_names_do_not_collide(db, pgmend):
    """t(a_b) and t_a(b) would both name theirs t_a_b_idx; so may an index that exists."""
    db.psql("CREATE TABLE p (id int PRIMARY KEY);"
            "CREATE TABLE t (a_b int REFERENCES p); CREATE TABLE t_a (b int REFERENCES p);"
            "CREATE TABLE u (x int REFERENCES p); CREATE TABLE u_x_idx ();")
    for finding in report(pgmend, db.conninfo, "--only=fk_without_index")["findings"]:
        db.execute(finding["changes"][0]["sql_up"].strip().rstrip(";"))
    assert report(pgmend, db.conninfo, "--only=fk_without_index")["findings"] == []


def test_cascade_figures(db, pgmend):
    db.psql("""
        CREATE TABLE jobs (id int PRIMARY KEY);
        CREATE TABLE features (id int PRIMARY KEY, job int REFERENCES jobs ON DELETE CASCADE);
        CREATE INDEX ON features (job);
        CREATE TABLE activations (feature int REFERENCES features ON DELETE CASCADE, pad text);
        INSERT INTO jobs SELECT generate_series(1, 10);
        INSERT INTO features SELECT g, 1 + g % 10 FROM generate_series(1, 1000) g;
        INSERT INTO activations SELECT 1 + g % 1000, 'x' FROM generate_series(1, 120000) g;
        ANALYZE;""")
    (finding,) = report(pgmend, db.conninfo, "--only=fk_without_index")["findings"]
    evidence = finding["evidence"]
    pages, rows = db.query("SELECT relpages, reltuples FROM pg_class WHERE relname = 'activations'")[0]
    cost = db.query("EXPLAIN (FORMAT JSON) SELECT 1 FROM activations WHERE feature = 1")
    assert evidence["rows"] == rows == 120000
    assert evidence["cascade_depth"] == 2 and evidence["delete_starts_at"] == "public.jobs"
    assert evidence["scans_for_one_delete"] == 100
    # What the planner says of the scan that the foreign key's trigger makes, JIT and parallel plans apart.
    with db.connect() as conn:
        conn.execute("SET max_parallel_workers_per_gather = 0")
        cost = conn.execute("EXPLAIN (FORMAT JSON) SELECT 1 FROM activations WHERE feature = 1").fetchone()[0]
    assert evidence["cost_of_one_scan"] == pytest.approx(cost[0]["Plan"]["Total Cost"], rel=0.01)
    assert finding["severity"] == "critical", "100 scans of 120,000 rows for one delete"
    assert evidence["size_bytes"] == pages * 8192


def test_cycles_end(db, pgmend):
    db.psql("""
        CREATE TABLE a (id int PRIMARY KEY, b int);
        CREATE TABLE b (id int PRIMARY KEY, a int REFERENCES a ON DELETE CASCADE);
        ALTER TABLE a ADD FOREIGN KEY (b) REFERENCES b ON DELETE CASCADE;
        ALTER TABLE a ADD up int REFERENCES a ON DELETE CASCADE;""")
    assert len(report(pgmend, db.conninfo, "--only=fk_without_index")["findings"]) == 3


def test_index_under_construction_is_not_invalid(db, pgmend):
    db.psql("CREATE TABLE t (x int); INSERT INTO t SELECT generate_series(1, 1000)")
    with db.connect(autocommit=False) as holder:
        holder.execute("INSERT INTO t VALUES (1)")  # the build waits for this transaction
        builder = db.connect()
        build = threading.Thread(target=builder.execute, args=["CREATE INDEX CONCURRENTLY t_x ON t (x)"])
        build.start()
        try:
            deadline = time.monotonic() + SETTLE_S
            while not db.scalar("SELECT count(*) FROM pg_stat_progress_create_index"
                                " WHERE phase LIKE 'waiting%'"):
                assert time.monotonic() < deadline
                time.sleep(0.05)
            assert db.scalar("SELECT count(*) FROM pg_index WHERE NOT indisvalid") == 1
            assert report(pgmend, db.conninfo, "--only=invalid_index")["findings"] == []
            # Who may not see what is built does not guess.
            db.execute("CREATE ROLE blind LOGIN")
            found = report(pgmend, db.cluster.conninfo(db.name, user="blind"), "--only=invalid_index")
            assert found["findings"] == []
            assert found["checks"][0]["hint"] == "GRANT pg_read_all_stats TO blind;"
        finally:
            holder.rollback()
            build.join()
            builder.close()
            db.execute("DROP ROLE IF EXISTS blind")
    assert report(pgmend, db.conninfo, "--only=invalid_index")["findings"] == []


def test_slow_check_is_given_up_and_the_others_go_on(db, pgmend):
    with db.connect(autocommit=False) as other:
        other.execute("LOCK TABLE pg_catalog.pg_inherits IN ACCESS EXCLUSIVE MODE")
        found = report(pgmend, db.conninfo)
        other.rollback()
    reasons = {c["id"]: c.get("reason", "") for c in found["checks"]}
    locked = "a relation that it reads is locked by another session"
    waits = [c["elapsed_ms"] for c in found["checks"] if c.get("reason") == locked]
    # The shortest, because any one may be held up by what else the machine does.
    assert 100 < min(waits) < 10_000, "each waits for lock_timeout at most"
    assert reasons["fk_without_index"] == "a relation that it reads is locked by another session"
    assert reasons["cache_hit"] == ""
    assert reasons["pg_stat_statements_missing"] == ""


def test_timeout(db, pgmend):
    db.psql("DO $$ BEGIN FOR i IN 1..1500 LOOP EXECUTE format('CREATE TABLE t%s (a int, b int)', i);"
            "EXECUTE format('CREATE INDEX ON t%s (a)', i); END LOOP; END $$")
    found = report(pgmend, db.conninfo, "--timeout=1ms")
    reasons = [c.get("reason", "") for c in found["checks"]]
    assert "it took longer than 1.00 ms" in reasons or any("took longer" in r for r in reasons), reasons


# Output and options


def check_shape(value, shape, path="$"):
    if isinstance(shape, dict):
        assert isinstance(value, dict), path
        required = {k for k in shape if not k.endswith("?")}
        allowed = required | {k.rstrip("?") for k in shape}
        assert required <= set(value) <= allowed, (path, set(value) ^ required)
        for k, v in value.items():
            check_shape(v, shape.get(k, shape.get(k + "?")), f"{path}.{k}")
    elif isinstance(shape, list):
        assert isinstance(value, list), path
        for i, v in enumerate(value):
            check_shape(v, shape[0], f"{path}[{i}]")
    elif isinstance(shape, set):
        assert value in shape, (path, value)
    else:
        assert isinstance(value, shape) and (shape is bool or not isinstance(value, bool)), (path, value)


def test_json_is_as_documented(db, pgmend):
    db.psql((FIXTURES / "fk_without_index.bad.sql").read_text())
    db.psql((FIXTURES / "duplicate_index.bad.sql").read_text())
    found = report(pgmend, db.conninfo)
    severities = {"info", "warning", "critical"}
    check_shape(found, {
        "schema": {"pgmend.check/1"}, "database": str, "server_version": str, "standby": bool,
        "taken_at": str,
        "summary": {"critical": int, "warning": int, "info": int, "ignored": int, "checks": int,
                    "judged": int, "elapsed_ms": float},
        "findings": [{"check": str, "title": str, "severity": severities, "object": str, "detail": str,
                      "remedy": str, "ignore_key": str, "impact": float, "evidence": object,
                      "changes": [{"kind": {"create_index", "drop_index", "sql"}, "sql_up": str,
                                   "sql_down?": str, "transactional": bool}]}],
        "checks": [{"id": str, "family": str, "title": str, "status": {"ok", "found", "not_judged"},
                    "findings": int, "ignored": int, "not_listed": int, "elapsed_ms": float, "reason?": str,
                    "hint?": str}],
    })
    order = [["critical", "warning", "info"].index(f["severity"]) for f in found["findings"]]
    assert order == sorted(order)
    for level in severities:
        assert found["summary"][level] == sum(f["severity"] == level for f in found["findings"])
    document = (ROOT / "docs" / "check.md").read_text()
    names = set(found) | set(found["summary"]) | set(found["findings"][0]) | set(found["checks"][0])
    names |= {"sql_up", "sql_down", "transactional", "reason", "hint"}
    assert not [n for n in names if f"`{n}`" not in document]
    for finding in found["findings"]:
        assert finding["ignore_key"].startswith(finding["check"] + ":")
        assert finding["detail"].endswith(".")


def test_exit_codes(db, pgmend):
    db.psql("CREATE TABLE p (id int PRIMARY KEY); CREATE TABLE c (p int REFERENCES p, x int);"
            "CREATE INDEX c1 ON c (x); CREATE INDEX c2 ON c (x)")
    args = ["check", "--only=fk_without_index,duplicate_index"]
    assert pgmend(*args, db.conninfo).rc == 0, "nothing critical"
    assert pgmend(*args, "--fail-on=critical", db.conninfo).rc == 0
    assert pgmend(*args, "--fail-on=warning", db.conninfo).rc == 1
    assert pgmend(*args, "--fail-on=info", db.conninfo).rc == 1
    assert pgmend(*args, "--fail-on=never", db.conninfo).rc == 0
    assert pgmend(*args, "--fail-on=warning", "--ignore=duplicate_index:*", db.conninfo).rc == 0
    assert pgmend(*args, "--fail-on=warning", "--skip=duplicate_index", db.conninfo).rc == 0
    assert pgmend(*args, "host=/nonexistent").rc == 3
    for wrong in (["--fail-on=bad"], ["--only=fk_witout_index"], ["--skip=nothing_like_it"], ["--explain=x"],
                  ["--threshold=nonsense"], ["--threshold=fk_without_index.smal_rows=1"], ["--format=yaml"],
                  ["--threshold=fk_without_index.small_rows=lots"], ["--ignore-file=/nonexistent"],
                  ["--timeout=soon"], ["--allow-drops"]):
        done = pgmend("check", *wrong, db.conninfo)
        assert done.rc == 2 and done.err and not done.out, done


def test_a_typo_is_answered_with_the_nearest(db, pgmend):
    assert "Perhaps you mean fk_without_index" in pgmend("check", "--only=fk_whitout_index", db.conninfo).err
    assert "Perhaps you mean fk_without_index.small_rows" in \
        pgmend("check", "--threshold=fk_without_index.small_row=1", db.conninfo).err


def test_only_and_skip_take_families(db, pgmend):
    found = report(pgmend, db.conninfo, "--only=indexes,cache", "--skip=unused_index")
    chosen = {c["id"] for c in found["checks"]}
    assert chosen >= {"cache_hit", "duplicate_index", "fk_without_index", "invalid_index", "overlapping_index"}
    assert not chosen & {"unused_index", "slow_statement", "dead_rows"}


def test_markdown(db, pgmend):
    db.psql('CREATE TABLE p (id int PRIMARY KEY); CREATE TABLE "a|b`*" ("```" int REFERENCES p)')
    out = pgmend("check", "--format=markdown", db.conninfo).out
    assert "### Foreign key without an index: public.\"a\\|b\\`\\*\"" in out
    assert '\n````sql\nCREATE INDEX CONCURRENTLY "a|b`*_```_idx" ON public."a|b`*" ("```");\n````\n' in out


def test_colour_on_a_terminal_only(db, pgmend):
    db.psql("CREATE TABLE p (id int PRIMARY KEY, up int REFERENCES p)")
    assert "\x1b" not in pgmend("check", db.conninfo).out
    line = " ".join(["script", "-qec", f"'{pgmend.binary} check \"{db.conninfo}\"'", "/dev/null"])
    seen = subprocess.run(line, shell=True, capture_output=True, text=True, check=False,
                          env=clean_env(TERM="xterm"), timeout=60, stdin=subprocess.DEVNULL).stdout
    assert "\x1b[36mInfo" in seen, seen


def test_server_that_stops(make_cluster, pgmend):
    server = make_cluster()
    server.stop()
    done = pgmend("check", server.conninfo())
    assert done.rc == 3 and done.err


def test_statistics_once_reset(db, pgmend):
    db.psql("CREATE TABLE p (id int PRIMARY KEY, up int REFERENCES p)")
    db.execute("SELECT pg_stat_reset()")
    found = report(pgmend, db.conninfo, "--only=fk_without_index")
    assert keys(found) == ["fk_without_index:public.p:p_up_fkey"]
