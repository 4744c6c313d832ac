"""purge: what it shows, deletes, refuses, and how it goes on."""

import os
import re
import signal
import threading

import pytest

import purging
from changes import index_names, plan_state, wait_until


@pytest.fixture
def jobs(db):
    db.psql("""
        CREATE TABLE jobs (id int PRIMARY KEY, name text);
        CREATE TABLE features (id int PRIMARY KEY, job_id int REFERENCES jobs ON DELETE CASCADE, code text UNIQUE);
        CREATE TABLE acts (id int PRIMARY KEY, f_id int REFERENCES features ON DELETE CASCADE);
        CREATE TABLE notes (id int PRIMARY KEY, f_code text REFERENCES features (code) ON DELETE SET NULL);
        CREATE TABLE bills (id int PRIMARY KEY, job_id int REFERENCES jobs);
        INSERT INTO jobs SELECT i, 'j' || i FROM generate_series(1, 4) i;
        INSERT INTO features SELECT i, i % 4 + 1, 'c' || i FROM generate_series(1, 2000) i;
        INSERT INTO acts SELECT i, i % 2000 + 1 FROM generate_series(1, 20000) i;
        INSERT INTO notes SELECT i, 'c' || i FROM generate_series(1, 100) i;
        INSERT INTO bills VALUES (1, 4);
        CREATE INDEX ON acts (f_id);
        ANALYZE;
    """)
    return db


def counts(db):
    return [db.scalar(f"SELECT count(*) FROM {t}") for t in ("jobs", "features", "acts")]


def left(db):
    return db.scalar("SELECT count(*) FROM pg_class WHERE relnamespace = 'pgmend'::regnamespace AND relname LIKE 'purge%'")


def test_the_look_counts_and_changes_nothing(jobs, pgmend, tmp_path):
    shown = pgmend("purge", "jobs", "--where", "id = 2", jobs.conninfo)
    assert shown.rc == 0, shown
    assert re.search(r"public\.jobs +1 ", shown.out)
    assert re.search(r"  public\.features +500 .*ON DELETE CASCADE +MISSING +they go", shown.out)
    assert re.search(r"    public\.acts +5,000 .*yes", shown.out)
    assert re.search(r"public\.notes +25 .*SET NULL .*becomes NULL", shown.out)
    assert re.search(r"public\.bills +0 .*NO ACTION .*must be none", shown.out)
    assert counts(jobs) == [4, 2000, 20000]
    assert jobs.scalar("SELECT count(*) FROM pg_namespace WHERE nspname = 'pgmend'") == 0
    told = pgmend("purge", "jobs", "--where", "id = 2", "--format=json", jobs.conninfo).json()
    assert told["rows"] == 5501 and told["problems"] == []
    plan = tmp_path / "plan.sql"
    assert pgmend("purge", "jobs", "--where", "id = 2", "--out", plan, jobs.conninfo).rc == 0
    assert pgmend("apply", plan, jobs.conninfo).rc == 0
    assert counts(jobs) == [3, 1500, 15000] and left(jobs) == 0


def test_rows_go_and_references_become_null(jobs, pgmend):
    done = pgmend("purge", "jobs", "--where", "id IN (1, 2)", "--build-index", "--apply", jobs.conninfo)
    assert done.rc == 0, done
    assert counts(jobs) == [2, 1000, 10000] and left(jobs) == 0
    assert jobs.scalar("SELECT count(*) FROM notes WHERE f_code IS NULL") == 50
    assert "features_job_id_idx" in index_names(jobs, "features")
    assert plan_state(jobs) == "done"
    # The same command later is another purge, not one that was done before.
    jobs.execute("INSERT INTO jobs VALUES (1, 'again')")
    assert pgmend("purge", "jobs", "--where", "id IN (1, 2)", "--apply", jobs.conninfo).rc == 0
    assert counts(jobs)[0] == 2


def test_what_delete_refuses_is_refused_before_the_first_row(jobs, pgmend):
    done = pgmend("purge", "jobs", "--where", "id > 2", "--apply", jobs.conninfo)
    assert done.rc == 4 and "rows of public.bills still refer to rows of public.jobs" in done.err, done
    assert counts(jobs) == [4, 2000, 20000] and left(jobs) == 0
    atomic = pgmend("purge", "jobs", "--where", "id > 2", "--apply", "--atomic", jobs.conninfo)
    assert atomic.rc == 4 and counts(jobs) == [4, 2000, 20000]
    jobs.execute("DELETE FROM bills")
    assert pgmend("purge", "jobs", "--where", "id > 2", "--apply", jobs.conninfo).rc == 0
    assert counts(jobs)[0] == 2


@pytest.mark.parametrize("where,message", [
    ("nix = 1", 'column "nix" does not exist'), ("id = 1) OR (true", "no condition"), ("true; DROP TABLE jobs", "no condition"),
    ("id =", "syntax error"), ("", "--where is missing")])
def test_what_is_no_condition(jobs, pgmend, where, message):
    done = pgmend("purge", "jobs", "--where", where, "--apply", jobs.conninfo)
    assert done.rc == 2 and message in done.err, done
    assert counts(jobs) == [4, 2000, 20000]


PROBLEMS = [
    ("CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN OLD; END';"
     "CREATE TRIGGER t BEFORE DELETE ON acts FOR EACH ROW EXECUTE FUNCTION f()", "BEFORE DELETE triggers (t)"),
    ("CREATE RULE r AS ON DELETE TO acts DO INSTEAD NOTHING", "rules on DELETE (r)"),
    ("CREATE TABLE heir () INHERITS (features)", "other tables inherit from public.features"),
    ("ALTER TABLE jobs ADD f int REFERENCES features ON DELETE CASCADE", "foreign keys form a cycle"),
    ("ALTER TABLE features DISABLE TRIGGER ALL", "are disabled"),
]


@pytest.mark.parametrize("script,message", PROBLEMS)
def test_what_batches_cannot_do(jobs, pgmend, script, message):
    jobs.psql(script)
    shown = pgmend("purge", "jobs", "--where", "id = 2", jobs.conninfo)
    assert shown.rc == 1 and "Not in batches:" in shown.out and message in shown.out, shown
    done = pgmend("purge", "jobs", "--where", "id = 2", "--apply", jobs.conninfo)
    assert done.rc == 4 and message in done.err and "--atomic" in done.err, done
    assert counts(jobs) == [4, 2000, 20000]


def test_rights_are_named(jobs, pgmend, cluster):
    jobs.psql("CREATE ROLE clerk LOGIN; GRANT SELECT, DELETE, UPDATE ON jobs, features TO clerk;"
              "GRANT SELECT ON acts TO clerk")
    try:
        info = cluster.conninfo(jobs.name, user="clerk")
        done = pgmend("purge", "jobs", "--where", "id = 2", info)
        assert done.rc == 3 and "GRANT DELETE ON public.acts TO clerk" in done.err, done
        jobs.psql("GRANT ALL ON acts, notes, bills TO clerk; ALTER TABLE acts ENABLE ROW LEVEL SECURITY")
        done = pgmend("purge", "jobs", "--where", "id = 2", info)
        assert done.rc == 1 and "row-level security applies to you on public.acts" in done.out, done
        done = pgmend("purge", "jobs", "--where", "id = 2", "--skip-ri", info)
        assert done.rc == 3 and "needs a superuser" in done.err
    finally:
        jobs.psql("DROP OWNED BY clerk; DROP ROLE clerk")


def test_who_no_longer_meets_the_condition_is_kept(jobs, pgmend, tmp_path):
    plan = tmp_path / "plan.sql"
    assert pgmend("purge", "jobs", "--where", "name <> 'keep' AND id < 4", "--out", plan, jobs.conninfo).rc == 0
    # After the keys were collected, one row is saved, and another gets a child.
    jobs.psql("""CREATE FUNCTION save() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN
                   UPDATE jobs SET name = 'keep' WHERE id = 2 AND name <> 'keep';
                   INSERT INTO features SELECT 9000, id, 'new' FROM jobs WHERE id = 1 ON CONFLICT DO NOTHING;
                   RETURN NULL; END$$;
                 CREATE TRIGGER save AFTER DELETE ON acts FOR EACH STATEMENT EXECUTE FUNCTION save()""")
    done = pgmend("apply", plan, jobs.conninfo)
    assert done.rc == 0 and "kept, as they changed meanwhile" in done.out, done
    assert jobs.query("SELECT id FROM jobs ORDER BY 1") == [(2,), (4,)]
    assert jobs.scalar("SELECT count(*) FROM features WHERE id = 9000") == 0


def test_a_tree_in_one_table(db, pgmend):
    db.psql("""CREATE TABLE emp (id int PRIMARY KEY, boss int REFERENCES emp ON DELETE CASCADE, "or" text);
               INSERT INTO emp SELECT i, nullif(i / 2, 0) FROM generate_series(1, 500) i;
               UPDATE emp SET boss = 500 WHERE id = 3; CREATE INDEX ON emp (boss)""")
    below = """WITH RECURSIVE b AS (SELECT 5 AS id UNION SELECT e.id FROM emp e JOIN b ON boss = b.id)
               SELECT count(*) FROM b"""
    going = db.scalar(below)
    assert pgmend("purge", "emp", "--where", "id = 5 -- only", "--apply", db.conninfo).rc == 0
    assert db.scalar("SELECT count(*) FROM emp") == 500 - going
    assert pgmend("purge", "emp", "--where", "id = 3", "--apply", db.conninfo).rc == 0  # a cycle of rows


def start_slow(jobs, pgmend, *more):
    """A purge that takes about a second at least, when its first rows have gone."""
    jobs.execute("ANALYZE")
    child = pgmend.popen("purge", "jobs", "--where", "id < 4", "--apply", "--batch-time=5ms", "--rest=20ms",
                         "--build-index", *more, jobs.conninfo)
    wait_until(lambda: child.poll() is not None or counts(jobs)[2] < 20000)
    return child


def test_killed_it_goes_on(jobs, pgmend):
    for _ in range(3):
        child = start_slow(jobs, pgmend)
        child.send_signal(signal.SIGKILL)
        child.wait(10)
    done = pgmend("purge", "jobs", "--where", "id < 4", "--apply", jobs.conninfo)
    assert done.rc == 0, done
    assert counts(jobs) == [1, 500, 5000] and left(jobs) == 0


def test_paused_and_stopped(jobs, pgmend, tmp_path):
    child = start_slow(jobs, pgmend)
    args = ("purge", "jobs", "--where", "id < 4", jobs.conninfo)
    paused = pgmend(*args, "--pause")
    if child.poll() is None:
        assert paused.rc == 0, paused
    for line in child.stderr:
        if "paused" in line:
            break
    child.send_signal(signal.SIGINT)
    child.wait(60)
    assert pgmend(*args, "--go-on").rc in (0, 2)
    assert pgmend(*args, "--apply").rc == 0
    assert counts(jobs) == [1, 500, 5000] and left(jobs) == 0
    assert pgmend(*args, "--pause").rc == 2


def test_children_inserted_meanwhile_go_or_fail(jobs, pgmend):
    """Also without the foreign keys' triggers: nobody may end without a parent."""
    jobs.psql("DROP TABLE notes, bills")
    stop = threading.Event()
    inserted = [0]

    def insert():
        with jobs.connect() as conn:
            number = 100_000
            while not stop.is_set():
                number += 1
                try:
                    conn.execute("INSERT INTO acts VALUES (%s, %s)", [number, number % 2000 + 1])
                    conn.execute("INSERT INTO features VALUES (%s, %s, NULL)", [number, number % 4 + 1])
                    inserted[0] += 1
                    stop.wait(0.002)
                except Exception:  # its parent is gone
                    pass

    thread = threading.Thread(target=insert)
    thread.start()
    try:
        done = pgmend("purge", "jobs", "--where", "id < 4", "--apply", "--skip-ri", "--build-index",
                      "--batch-time=10ms", jobs.conninfo)
    finally:
        stop.set()
        thread.join()
    assert done.rc == 0, done
    assert jobs.query("SELECT id FROM jobs") == [(4,)]
    assert jobs.scalar("SELECT count(*) FROM features f WHERE NOT EXISTS (SELECT FROM jobs j WHERE j.id = f.job_id)") == 0
    assert jobs.scalar("SELECT count(*) FROM acts a WHERE NOT EXISTS (SELECT FROM features f WHERE f.id = a.f_id)") == 0
    assert inserted[0] > 0


SEEDS = int(os.environ.get("PGMEND_PURGE_SEEDS", "10"))


def test_random_schemas_end_as_after_a_delete(db, pgmend):
    with db.connect() as conn:
        seen = {purging.run_case(conn, pgmend.binary, db.conninfo, seed) for seed in range(1, SEEDS + 1)}
    assert "same" in seen
