"""The judge of the live tests must find what is wrong: a proof that cannot fail proves nothing."""

import time

import pytest

import living
from conftest import find_binary

ROWS = 4000


@pytest.fixture
def live(db, tmp_path):
    shape = living.make_table(db, ROWS)
    load = living.Load(find_binary().parent / "tests/integration/helpers/live_load", db, shape, tmp_path / "load",
                       rate=400, writers=4, readers=1, long_readers=0)
    deadline = time.monotonic() + 60
    while load.committed() < 200:
        assert load.process.poll() is None and time.monotonic() < deadline
        time.sleep(0.1)
    yield load
    load.close()


def test_judge_finds_lost_ghosts_and_changes(db, live):
    summary = live.stop()
    assert summary["failed"] == summary["uncertain"] == 0 and not live.errors()
    verdict = living.judge(db, live)
    assert verdict.clean and verdict.open == 0, verdict
    assert verdict.same == db.scalar("SELECT count(*) FROM activity_logs")
    assert len(live.latencies(kind="write")) > 100 and live.latencies(kind="read")

    deleted = db.scalar("SELECT min(entity_id) FROM activity_logs WHERE ver > 0")
    db.execute("DELETE FROM activity_logs WHERE entity_id = %s", [deleted])
    moved, changed = db.query("SELECT entity_id FROM activity_logs WHERE entity_id > 100 ORDER BY 1 LIMIT 2")
    db.execute("UPDATE activity_logs SET created_at = created_at + interval '1 us' WHERE entity_id = %s", moved)
    db.execute("UPDATE activity_logs SET ver = ver + 1 WHERE entity_id = %s", changed)
    db.execute("INSERT INTO activity_logs (user_id, category, action, entity_id) VALUES (1, 'x', 'y', -1)")
    db.execute("INSERT INTO activity_logs (user_id, category, action, level, entity_id, ver, metadata, created_at) "
               "SELECT user_id, category, action, level, entity_id, ver, metadata, created_at FROM activity_logs "
               "WHERE entity_id > 200 ORDER BY entity_id LIMIT 1")
    verdict = living.judge(db, live)
    assert (verdict.lost, verdict.ghost, verdict.twice) == (1, 1, 1), verdict
    assert verdict.examples["lost"] == [deleted] and verdict.examples["ghost"] == [-1]
    assert verdict.wrong == 3, verdict  # those two, and the copy whose id is another


def test_crash_leaves_only_uncertain_statements_open(make_cluster, tmp_path):
    """The server is killed under the load, with synchronous commits: what was acknowledged is there."""
    server = make_cluster(synchronous_commit="on")
    db = server.new_database("live")
    load = living.Load(find_binary().parent / "tests/integration/helpers/live_load", db, living.make_table(db, ROWS),
                       tmp_path / "load", rate=400, writers=4, readers=1, long_readers=0)
    try:
        deadline = time.monotonic() + 60
        while load.committed() < 100:
            assert load.process.poll() is None and time.monotonic() < deadline
            time.sleep(0.05)
        server.restart("immediate")
        before = load.committed()
        while load.committed() < before + 100:
            assert load.process.poll() is None and time.monotonic() < deadline
            time.sleep(0.05)
        assert load.stop()["reconnects"] >= 4
        verdict = living.judge(db, load)
        assert verdict.clean, verdict
    finally:
        load.close()
