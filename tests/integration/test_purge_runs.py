"""purge of rows whose keys are integers: these are kept, and deleted, as runs of keys that follow one another."""

import signal

import pytest

from changes import wait_until


@pytest.mark.parametrize("kind", ["smallint", "int", "bigint"])
@pytest.mark.parametrize("step,options", [(1, ["--skip-ri"]), (3, ["--skip-ri"]), (1, [])])
def test_runs_of_keys_and_single_ones(db, pgmend, kind, step, options):
    """Up to the ends of the type, and no row beside them."""
    last = 2 ** {"smallint": 15, "int": 31, "bigint": 63}[kind] - 1
    db.psql(f"""CREATE TABLE parents (id {kind} PRIMARY KEY, keep boolean NOT NULL);
                INSERT INTO parents SELECT i, i % 100 = 7 FROM generate_series(-3000, 3000, {step}) i;
                INSERT INTO parents VALUES ({last}, false), ({last} - 1, false), (-{last}, false), (-{last} - 1, false);
                CREATE TABLE children (id serial PRIMARY KEY, parent {kind} REFERENCES parents ON DELETE CASCADE);
                CREATE TABLE friends (id serial PRIMARY KEY, parent {kind} REFERENCES parents ON DELETE SET NULL);
                INSERT INTO children (parent) SELECT id FROM parents, generate_series(1, 2);
                INSERT INTO friends (parent) SELECT id FROM parents;
                CREATE INDEX ON children (parent); CREATE INDEX ON friends (parent); ANALYZE""")
    kept = db.query("SELECT * FROM parents WHERE keep ORDER BY 1")
    done = pgmend("purge", "parents", "--where", "NOT keep", "--apply", *options, db.conninfo)
    assert done.rc == 0, done
    assert db.query("SELECT * FROM parents ORDER BY 1") == kept and len(kept) > 5
    assert db.query("SELECT DISTINCT parent, true FROM children ORDER BY 1") == kept
    assert db.query("SELECT parent, true FROM friends WHERE parent IS NOT NULL ORDER BY 1") == kept


def keys_of(db):
    """The rows of the table of keys, without their numbers; [] where there is none yet."""
    names = db.query("SELECT relname FROM pg_class WHERE relnamespace = to_regnamespace('pgmend') AND relkind = 'r' "
                     "AND relname LIKE 'purge%'")
    return [row[1:] for name, in names for row in db.query(f"SELECT * FROM pgmend.{name} ORDER BY seq")]


def collect_and_stop(db, pgmend, pause, *options):
    """A purge that is killed between the collecting of the keys and the first batch."""
    pause.touch()
    child = pgmend.popen("purge", "parents", "--where", "NOT keep", "--apply", "--pause-file", pause, *options, db.conninfo)
    assert wait_until(lambda: db.scalar("SELECT to_regclass('pgmend.batches')")
                      and db.scalar("SELECT count(*) FROM pgmend.batches") > 0, 60)
    child.send_signal(signal.SIGKILL)
    child.wait(60)
    pause.unlink()


RUNS = [(-400, -1), (0, 492), (494, 592), (594, 692), (694, 1000)]


@pytest.mark.parametrize("options", [[], ["--skip-ri"]])
@pytest.mark.parametrize("kind", ["bigint", "text"])
def test_what_changes_behind_the_collecting(db, pgmend, tmp_path, kind, options):
    """Rows that are saved, gone, new or made anew while their keys stand in runs (text: in arrays), and another run."""
    key = f"::{kind}"
    db.psql(f"""CREATE TABLE parents (id {kind} PRIMARY KEY, keep boolean NOT NULL DEFAULT false);
                INSERT INTO parents SELECT i{key}, i IN (493, 593, 693) FROM generate_series(-400, 1000) i;
                CREATE TABLE children (id serial PRIMARY KEY, parent {kind} REFERENCES parents ON DELETE CASCADE);
                INSERT INTO children (parent) SELECT id FROM parents, generate_series(1, 3);
                CREATE INDEX ON children (parent); ANALYZE""")
    collect_and_stop(db, pgmend, tmp_path / "pause", *options)
    if kind == "bigint":
        assert keys_of(db) == RUNS
    else:
        assert len(keys_of(db)) == 1398
    db.psql(f"""UPDATE parents SET keep = true WHERE id = 500{key};
                DELETE FROM parents WHERE id IN (493{key}, 600{key}, 700{key});
                INSERT INTO parents VALUES (493{key}), (700{key}), (1001{key});
                INSERT INTO children (parent) VALUES (493{key}), (500{key}), (700{key}), (900{key}), (1001{key})""")
    done = pgmend("purge", "parents", "--where", "NOT keep", "--apply", *options, db.conninfo)
    assert done.rc == 0 and "; 1 rows kept" in done.out, done
    assert db.query("SELECT id::int, keep FROM parents ORDER BY 1") == [
        (493, False), (500, True), (593, True), (693, True), (1001, False)]
    assert db.query("SELECT parent::int, count(*) FROM children GROUP BY 1 ORDER BY 1") == [
        (493, 1), (500, 4), (593, 3), (693, 3), (1001, 1)]
    assert keys_of(db) == []


@pytest.mark.parametrize("options", [[], ["--skip-ri"]])
def test_killed_in_the_middle_of_runs_it_goes_on(db, pgmend, options):
    """A batch ends within a run: what comes behind it is the rest, each key once."""
    db.psql("""CREATE TABLE parents (id int PRIMARY KEY, keep boolean NOT NULL DEFAULT false);
               INSERT INTO parents SELECT i, i % 1000 = 0 FROM generate_series(1, 20000) i;
               CREATE TABLE children (id serial PRIMARY KEY, parent int REFERENCES parents ON DELETE CASCADE);
               INSERT INTO children (parent) SELECT id FROM parents, generate_series(1, 2);
               CREATE INDEX ON children (parent); ANALYZE""")
    for _ in range(3):
        before = db.scalar("SELECT count(*) FROM parents")
        child = pgmend.popen("purge", "parents", "--where", "NOT keep", "--apply", "--batch-time=5ms", "--rest=20ms",
                             *options, db.conninfo)
        wait_until(lambda low=before: child.poll() is not None or db.scalar("SELECT count(*) FROM parents") < low, 60)
        child.send_signal(signal.SIGKILL)
        child.wait(60)
    assert pgmend("purge", "parents", "--where", "NOT keep", "--apply", *options, db.conninfo).rc == 0
    assert db.query("SELECT id FROM parents ORDER BY 1") == [(i * 1000,) for i in range(1, 21)]
    assert db.query("SELECT count(*), count(DISTINCT parent) FROM children") == [(40, 20)]
    # Without --skip-ri the rows of each batch are told by the server's own counters.
    rows, kept = db.query("SELECT rows, kept FROM pgmend.batches ORDER BY plan_seq LIMIT 1")[0]
    assert (rows, kept) == (19980 * 3, 0)


@pytest.mark.parametrize("kind", ["smallint", "int", "bigint"])
def test_what_refers_to_a_run_is_refused_before_the_first_row(db, pgmend, kind):
    db.psql(f"""CREATE TABLE parents (id {kind} PRIMARY KEY);
                INSERT INTO parents SELECT generate_series(-50, 50);
                CREATE TABLE children (id serial PRIMARY KEY, parent {kind} REFERENCES parents ON DELETE CASCADE);
                CREATE TABLE bills (id serial PRIMARY KEY, parent {kind} REFERENCES parents);
                INSERT INTO bills (parent) VALUES (-7);
                CREATE INDEX ON children (parent); ANALYZE""")
    done = pgmend("purge", "parents", "--where", "id <= 0", "--apply", db.conninfo)
    assert done.rc == 4 and "rows of public.bills still refer" in done.err, done
    assert db.scalar("SELECT count(*) FROM parents") == 101
    assert pgmend("purge", "parents", "--where", "id NOT BETWEEN -9 AND -5", "--apply", db.conninfo).rc == 0
    assert db.query("SELECT id FROM parents ORDER BY 1") == [(i,) for i in range(-9, -4)]


def test_a_reference_that_came_since_and_cannot_be_null(db, pgmend, tmp_path):
    """--skip-ri fires no trigger, and yet it stops where DELETE would; one that can be is."""
    db.psql("""CREATE TABLE parents (id int PRIMARY KEY, keep boolean NOT NULL DEFAULT false);
               INSERT INTO parents SELECT generate_series(1, 100);
               CREATE TABLE notes (parent int NOT NULL REFERENCES parents ON DELETE SET NULL);
               CREATE TABLE marks (parent int UNIQUE REFERENCES parents ON DELETE SET NULL);
               CREATE INDEX ON notes (parent); ANALYZE""")
    collect_and_stop(db, pgmend, tmp_path / "pause", "--skip-ri")
    db.psql("INSERT INTO notes VALUES (7)")
    command = ("purge", "parents", "--where", "NOT keep", "--apply", "--skip-ri", db.conninfo)
    done = pgmend(*command)
    assert done.rc == 4 and "violates not-null constraint" in done.err, done
    assert db.scalar("SELECT count(*) FROM parents") == 100
    db.psql("DELETE FROM notes; INSERT INTO marks VALUES (8)")
    done = pgmend(*command)
    assert done.rc == 0, done
    assert db.query("SELECT (SELECT count(*) FROM parents), parent FROM marks") == [(0, None)]
