"""Steps in batches: adaptive size, the cursor in the ledger, limits, pauses, locks and SIGKILL."""

import json
import signal

import pytest

from changes import plan_state, step_states, wait_until, write_plan

ROWS = 20_000

COPY = """
INSERT INTO target (id, note) SELECT s.id, s.note FROM source s
 WHERE s.id > coalesce($2::bigint, 0) ORDER BY s.id LIMIT $1::bigint;
SELECT (SELECT max(t.id) FROM target t) AS at;
SELECT nullif($3::bigint, (SELECT max(id) FROM source)) AS cursor, $3::float8 / (SELECT max(id) FROM source) AS fraction;
"""


def batches(folder, up, down="", **more):
    mark = json.dumps({"step": 1, "kind": "batches", "title": "batches", **more})
    undo = f'-- pgmend:undo {{"step":1}}\n{down}' if down else ""
    return write_plan(folder, f"-- pgmend:change {mark}\n{up}", undo)


@pytest.fixture
def source(db):
    db.execute("CREATE TABLE source (id bigint PRIMARY KEY, note text)")
    db.execute(f"INSERT INTO source SELECT i, 'n' || i FROM generate_series(1, {ROWS}) i")
    db.execute("CREATE TABLE target (id bigint PRIMARY KEY, note text)")
    return db


def same(db):
    return db.scalar("SELECT count(*) FROM (SELECT * FROM source EXCEPT ALL SELECT * FROM target) x") == 0 \
        and db.scalar("SELECT count(*) FROM target") == ROWS


def state(db):
    return db.query("SELECT batches, rows, cursor, longest_ms > 0, work_ms > 0 FROM pgmend.batches")[0]


def test_a_cursor_walks_to_the_end(source, pgmend, tmp_path):
    plan = batches(tmp_path, COPY)
    assert pgmend("apply", "--dry-run", plan, source.conninfo).rc == 0
    done = pgmend("apply", plan, source.conninfo)
    assert done.rc == 0 and "20,000 rows in" in done.out, done
    assert same(source) and step_states(source) == ["done"] and plan_state(source) == "done"
    count, rows, cursor, longest, worked = state(source)
    assert rows == ROWS and 2 < count < ROWS / 256 and cursor is None and longest and worked
    assert "already" in pgmend("apply", plan, source.conninfo).out
    undone = pgmend("rollback", source.conninfo)
    assert undone.rc == 0 and "no way back for its 20000 rows" in undone.out
    assert step_states(source) == ["kept"]


def test_a_way_back_is_taken(source, pgmend, tmp_path):
    plan = batches(tmp_path, COPY, "TRUNCATE target;")
    assert pgmend("apply", plan, source.conninfo).rc == 0
    assert pgmend("rollback", source.conninfo).rc == 0
    assert source.scalar("SELECT count(*) FROM target") == 0 and step_states(source) == ["undone"]


def test_without_a_cursor_until_nothing_is_left_and_again(source, pgmend, tmp_path):
    plan = batches(tmp_path, "DELETE FROM source WHERE id IN (SELECT id FROM source LIMIT $1::bigint);")
    assert pgmend("apply", plan, source.conninfo).rc == 0
    assert source.scalar("SELECT count(*) FROM source") == 0 and state(source)[1] == ROWS
    # "again" repeats the batch with the same cursor, and what stands behind it is left out.
    source.execute("INSERT INTO source SELECT i, '' FROM generate_series(1, 3000) i")
    plan = batches(tmp_path, """
        WITH gone AS (DELETE FROM source WHERE id IN (SELECT id FROM source LIMIT 500) RETURNING 1)
        SELECT count(*) = 500 AS again, count(*) AS handled FROM gone;
        INSERT INTO target VALUES (1, $2);
        SELECT NULL AS cursor;""")
    assert pgmend("apply", plan, source.conninfo).rc == 0
    assert source.scalar("SELECT count(*) FROM source") == 0
    assert source.query("SELECT * FROM target") == [(1, None)]


def test_a_batch_that_is_too_long_gets_smaller(source, pgmend, tmp_path):
    # 1 ms for each row: 256 rows at once are over the limit, and nothing of a canceled batch may stay.
    plan = batches(tmp_path, """
        DELETE FROM source WHERE id IN (SELECT id FROM source WHERE id <= 600 LIMIT $1::bigint)
           AND pg_sleep(0.001) IS NOT NULL;""")
    assert pgmend("apply", plan, source.conninfo).rc == 0
    assert source.scalar("SELECT min(id) FROM source") == 601
    assert state(source)[1] == 600 and state(source)[0] > 4


def test_one_unit_that_takes_long_may(source, pgmend, tmp_path):
    plan = batches(tmp_path, """
        WITH nap AS (SELECT pg_sleep(0.4)) DELETE FROM source USING nap WHERE id = 1;""")
    done = pgmend("apply", plan, source.conninfo)
    assert done.rc == 0 and "takes longer than a transaction should" in done.err, done
    assert source.scalar("SELECT min(id) FROM source") == 2


def test_a_held_row_is_waited_for(source, pgmend, tmp_path):
    plan = batches(tmp_path, "DELETE FROM source WHERE id IN (SELECT id FROM source LIMIT $1::bigint);")
    with source.connect(autocommit=False) as other:
        other.execute("SELECT FROM source WHERE id = 700 FOR UPDATE")
        child = pgmend.popen("apply", plan, source.conninfo)
        for line in child.stderr:
            if "row that another session holds" in line:
                break
        assert child.poll() is None
        other.rollback()
    out, err = child.communicate(timeout=60)
    assert child.returncode == 0, err
    assert source.scalar("SELECT count(*) FROM source") == 0


def test_an_error_ends_it_and_the_same_command_goes_on(source, pgmend, tmp_path):
    source.execute("ALTER TABLE target ADD CHECK (id <> 15000)")
    plan = batches(tmp_path, COPY)
    failed = pgmend("apply", plan, source.conninfo)
    assert failed.rc == 4 and "violates check constraint" in failed.err
    copied = source.scalar("SELECT count(*) FROM target")
    assert step_states(source) == ["failed"] and str(copied) == state(source)[2]
    source.execute("ALTER TABLE target DROP CONSTRAINT target_id_check")
    assert pgmend("apply", plan, source.conninfo).rc == 0
    assert same(source)


@pytest.mark.parametrize("up,message", [
    ("SELECT id FROM source;", "rows, not one"),
    ("DELETE FROM source WHERE id = $3;", "uses $3, which no statement before it returns"),
])
def test_what_does_not_keep_the_contract_fails(source, pgmend, tmp_path, up, message):
    failed = pgmend("apply", batches(tmp_path, up), source.conninfo)
    assert failed.rc == 4 and message in failed.err, failed
    assert source.scalar("SELECT count(*) FROM source") == ROWS


def test_statements_outside_of_transactions_are_refused(source, pgmend, tmp_path):
    failed = pgmend("apply", batches(tmp_path, "VACUUM source;"), source.conninfo)
    assert failed.rc == 2 and "plan.sql:3" in failed.err


SLOW = COPY.replace("LIMIT $1::bigint", "LIMIT least($1::bigint, 200)") + "\nSELECT pg_sleep(0.01)::text AS nap;"


def test_killed_at_random_it_goes_on(source, pgmend, tmp_path):
    plan = batches(tmp_path, SLOW)
    for rows in (600, 2_000, 5_000):
        child = pgmend.popen("apply", plan, source.conninfo)
        wait_until(lambda: child.poll() is not None or source.scalar("SELECT count(*) FROM target") > rows)
        child.send_signal(signal.SIGKILL)
        child.wait(60)
    assert pgmend("apply", plan, source.conninfo).rc == 0
    assert same(source)
    assert state(source)[1] == ROWS


def test_paused_in_the_ledger_and_stopped(source, pgmend, tmp_path):
    plan = batches(tmp_path, SLOW)
    child = pgmend.popen("apply", plan, source.conninfo)
    assert wait_until(lambda: source.scalar("SELECT count(*) FROM target") > 400)
    source.execute("UPDATE pgmend.batches SET paused = true")
    for line in child.stderr:
        if "paused" in line:
            break
    before = source.scalar("SELECT count(*) FROM target")
    assert not wait_until(lambda: source.scalar("SELECT count(*) FROM target") > before, timeout=0.5)
    child.send_signal(signal.SIGINT)
    assert child.wait(60) == 4
    assert step_states(source) == ["canceled"] and source.scalar("SELECT count(*) FROM target") == before
    source.execute("UPDATE pgmend.batches SET paused = false")
    assert pgmend("apply", plan, source.conninfo).rc == 0
    assert same(source)
