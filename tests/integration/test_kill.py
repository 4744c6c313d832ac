"""SIGKILL at any point of apply or rollback: the same command finishes the job, and rollback leaves the
schema as it was. Some points are moments, others are states of the ledger or phases of a build."""

import signal
import time

import pytest

from cluster import Database
from changes import index_names, invalid_indexes, plan_state, schema_of, step_states, wait_until, write_plan

ROWS = 150_000

UP = """
CREATE INDEX CONCURRENTLY big_t ON public.big (t);
DROP INDEX CONCURRENTLY public.big_old;
-- pgmend:change {"step":3,"title":"partitions"}
CREATE INDEX parts_at ON ONLY parts (at);
CREATE INDEX CONCURRENTLY parts_1_at ON parts_1 (at);
ALTER INDEX parts_at ATTACH PARTITION parts_1_at;
-- pgmend:change {"step":4,"title":"columns"}
ALTER TABLE big ADD extra int;
ALTER TABLE parts ADD extra int;
-- pgmend:change {"step":5,"title":"expression"}
CREATE INDEX CONCURRENTLY big_expression ON big ((id % 7), lower(t)) WHERE id > 10;
"""
DOWN = """
-- pgmend:undo {"step":4}
ALTER TABLE parts DROP extra;
ALTER TABLE big DROP extra;
"""
STEPS = 5


@pytest.fixture(scope="module")
def template(cluster):
    """A database that each test copies: filling it takes longer than copying it."""
    cluster.start()
    db = cluster.new_database("kill_template")
    db.psql(f"""
        CREATE TABLE big (id int PRIMARY KEY, t text);
        INSERT INTO big SELECT i, md5(i::text) FROM generate_series(1, {ROWS}) i;
        CREATE INDEX big_old ON big (t, id) WITH (fillfactor = 80);
        COMMENT ON INDEX big_old IS 'made by hand';
        CREATE TABLE parts (id int, at int) PARTITION BY RANGE (at);
        CREATE TABLE parts_1 PARTITION OF parts FOR VALUES FROM (0) TO (100);
        CREATE TABLE parts_2 PARTITION OF parts FOR VALUES FROM (100) TO (200);
        INSERT INTO parts SELECT i, i % 200 FROM generate_series(1, 20000) i;
        ANALYZE;
    """)
    yield "kill_template"
    db.drop()


@pytest.fixture
def target(cluster, template):
    with cluster.connect() as conn:
        conn.execute(f"CREATE DATABASE kill_one TEMPLATE {template}")
    db = Database(cluster, "kill_one")
    yield db
    db.drop()


@pytest.fixture
def plan(tmp_path):
    return write_plan(tmp_path, UP, DOWN)


def kill(child):
    """Whether it was still running."""
    alive = child.poll() is None
    child.send_signal(signal.SIGKILL)
    child.wait(10)
    return alive


def finish(pgmend, plan, db):
    done = pgmend("apply", plan, db.conninfo)
    assert done.rc == 0, done
    assert not invalid_indexes(db)
    assert step_states(db) == ["done"] * STEPS and plan_state(db) == "done"
    assert index_names(db, "big") == ["big_expression", "big_pkey", "big_t"]
    assert db.scalar("SELECT count(*) FROM pg_inherits WHERE inhparent = 'parts_at'::regclass") == 2
    assert db.scalar("SELECT count(*) FROM pg_attribute WHERE attname = 'extra' AND NOT attisdropped") == 4
    assert db.scalar("SELECT count(*) FROM pgmend.plan") == 1


def undo(pgmend, db, before):
    undone = pgmend("rollback", db.conninfo)
    assert undone.rc == 0, undone
    assert schema_of(db) == before
    if db.scalar("SELECT count(*) FROM pg_namespace WHERE nspname = 'pgmend'"):
        assert db.scalar("SELECT count(*) FROM pgmend.made WHERE state <> 'dropped'") == 0


MOMENTS_MS = [5, 20, 35, 50, 70, 100, 150, 250, 400, 600, 850, 1200]


@pytest.mark.parametrize("milliseconds", MOMENTS_MS)
def test_apply_killed_at_a_moment(target, pgmend, plan, milliseconds):
    before = schema_of(target)
    child = pgmend.popen("apply", plan, target.conninfo)
    time.sleep(milliseconds / 1000)
    kill(child)
    finish(pgmend, plan, target)
    undo(pgmend, target, before)


STATES = {
    "ledger made": "SELECT count(*) FROM pg_class WHERE relname = 'ledger'",
    "plan written": "SELECT count(*) FROM pgmend.plan",
    "index meant": "SELECT count(*) FROM pgmend.made",
    "index made": "SELECT count(*) FROM pgmend.made WHERE state = 'made'",
    "drop captured": "SELECT count(*) FROM pgmend.change WHERE undo_sql IS NOT NULL",
    "partition meant": "SELECT count(*) FROM pgmend.made WHERE index_name = 'parts_1_at'",
    "partition of the engine's own": "SELECT count(*) FROM pgmend.made WHERE index_name LIKE 'parts_2%'",
    "step 2": "SELECT count(*) FROM pgmend.change WHERE step = 2 AND state <> 'planned'",
    "step 3": "SELECT count(*) FROM pgmend.change WHERE step = 3 AND state <> 'planned'",
    "step 4": "SELECT count(*) FROM pgmend.change WHERE step = 4 AND state <> 'planned'",
    "step 4 done": "SELECT count(*) FROM pgmend.change WHERE step = 4 AND state = 'done'",
    "step 5": "SELECT count(*) FROM pgmend.change WHERE step = 5 AND state <> 'planned'",
    "scanning": "SELECT count(*) FROM pg_stat_progress_create_index WHERE phase LIKE 'building index%' "
                "AND relid = 'big'::regclass",
    "validating": "SELECT count(*) FROM pg_stat_progress_create_index WHERE phase LIKE 'index validation%'",
}


def reached(db, query):
    def look():
        try:
            return db.scalar(query) > 0
        except Exception as error:
            if "does not exist" not in str(error):
                raise
            return False
    return look


@pytest.mark.parametrize("state", STATES)
def test_apply_killed_in_a_state(target, pgmend, plan, state):
    before = schema_of(target)
    child = pgmend.popen("apply", plan, target.conninfo)
    assert wait_until(lambda: reached(target, STATES[state])() or child.poll() is not None, every=0.001)
    kill(child)
    assert reached(target, STATES[state])() or state in ("scanning", "validating")
    finish(pgmend, plan, target)
    undo(pgmend, target, before)


@pytest.mark.parametrize("blocker, phase", [
    ("INSERT INTO big VALUES (-1, 'x')", "waiting for writers before build"),
    ("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ; SELECT count(*) FROM parts", "waiting for old snapshots"),
])
def test_a_build_that_goes_on_after_the_kill_is_waited_for(target, pgmend, plan, blocker, phase):
    """The server does not notice that its client is dead: no second build may begin beside the first."""
    before = schema_of(target)
    waiting = f"SELECT count(*) FROM pg_stat_progress_create_index WHERE phase = '{phase}'"
    with target.connect(autocommit=False) as other:
        for statement in blocker.split(";"):
            other.execute(statement)
        child = pgmend.popen("apply", plan, target.conninfo)
        assert wait_until(reached(target, waiting))
        kill(child)
        orphan = target.scalar("SELECT pid FROM pg_stat_progress_create_index")
        second = pgmend.popen("apply", plan, target.conninfo)
        assert "waiting for" in second.stderr.readline()
        assert target.query("SELECT pid FROM pg_stat_progress_create_index") == [(orphan,)]
        assert second.poll() is None
        other.rollback()
    assert second.wait(90) == 0
    # What the first build made was kept, not built again.
    assert target.scalar("SELECT attempt FROM pgmend.change WHERE step = 1") == 1
    finish(pgmend, plan, target)
    undo(pgmend, target, before)


def test_a_build_that_goes_on_is_canceled_when_it_waits_too_long(target, pgmend, plan):
    before = schema_of(target)
    with target.connect(autocommit=False) as other:
        other.execute("INSERT INTO big VALUES (-1, 'x')")
        child = pgmend.popen("apply", plan, target.conninfo)
        assert wait_until(reached(target, "SELECT count(*) FROM pg_stat_progress_create_index "
                                  "WHERE phase = 'waiting for writers before build'"))
        kill(child)
        done = pgmend("apply", "--max-wait=500ms", "--lock-deadline=500ms", plan, target.conninfo)
        assert done.rc == 4 and f"pid {other.info.backend_pid}" in done.err, done
        assert target.scalar("SELECT count(*) FROM pg_stat_progress_create_index") == 0
        other.rollback()
    finish(pgmend, plan, target)
    undo(pgmend, target, before)


@pytest.mark.parametrize("then", ["apply", "rollback"])
def test_a_half_made_index_of_our_own_is_made_anew(target, pgmend, plan, then):
    """The build's session dies with its client, and what it leaves has the name already."""
    before = schema_of(target)
    with target.connect(autocommit=False) as other:
        other.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        other.execute("SELECT count(*) FROM parts")
        child = pgmend.popen("apply", plan, target.conninfo)
        waiting = "SELECT count(*) FROM pg_stat_progress_create_index WHERE phase = 'waiting for old snapshots'"
        assert wait_until(reached(target, waiting))
        kill(child)
        target.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_progress_create_index")
        assert wait_until(lambda: not reached(target, waiting)())
    assert invalid_indexes(target) == [("big_t",)]
    if then == "apply":
        finish(pgmend, plan, target)
        assert target.scalar("SELECT attempt FROM pgmend.change WHERE step = 1") == 2
    undo(pgmend, target, before)


def test_rollback_right_after_a_kill(target, pgmend, plan):
    before = schema_of(target)
    for state in ("scanning", "partition meant", "step 4 done", "drop captured"):
        child = pgmend.popen("apply", plan, target.conninfo)
        assert wait_until(lambda: reached(target, STATES[state])() or child.poll() is not None, every=0.001)
        kill(child)
        undo(pgmend, target, before)
        target.execute("DROP SCHEMA IF EXISTS pgmend CASCADE")


@pytest.mark.parametrize("milliseconds", [10, 30, 50, 80, 150, 400])
def test_rollback_killed_at_a_moment(target, pgmend, plan, milliseconds):
    before = schema_of(target)
    finish(pgmend, plan, target)
    child = pgmend.popen("rollback", target.conninfo)
    time.sleep(milliseconds / 1000)
    kill(child)
    undo(pgmend, target, before)
    assert plan_state(target) == "undone"


@pytest.mark.parametrize("step", range(1, STEPS + 1))
def test_rollback_killed_in_a_step(target, pgmend, plan, step):
    before = schema_of(target)
    finish(pgmend, plan, target)
    child = pgmend.popen("rollback", target.conninfo)
    query = f"SELECT count(*) FROM pgmend.change WHERE step = {step} AND state <> 'done'"
    assert wait_until(reached(target, query), every=0.001)
    kill(child)
    if plan_state(target) == "undoing":
        refused = pgmend("apply", plan, target.conninfo)
        assert refused.rc == 4 and "is being rolled back" in refused.err, refused
    undo(pgmend, target, before)


def test_killed_again_and_again(target, pgmend, plan):
    before = schema_of(target)
    for milliseconds in range(20, 1500, 90):
        child = pgmend.popen("apply", plan, target.conninfo)
        time.sleep(milliseconds / 1000)
        kill(child)
    finish(pgmend, plan, target)
    for milliseconds in range(20, 400, 60):
        child = pgmend.popen("rollback", target.conninfo)
        time.sleep(milliseconds / 1000)
        kill(child)
    undo(pgmend, target, before)
