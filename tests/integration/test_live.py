"""Conversions and purges while an application writes: no row is lost, brought back or changed, also where
pgmend is killed on the way. The long form is bench/live."""

import random
import time

import pytest

import living
from conftest import find_binary

ROWS = 20_000
MONTHS = 5
COMMITTED = 60  # statements before the change begins, and after it

PARTITION = ("partition", "activity_logs", "--by", "created_at", "--interval", "month")
METHODS = {
    "adopt": [PARTITION],
    "split": [PARTITION, (*PARTITION, "--method=split")],
    "shadow": [(*PARTITION, "--method=shadow")],
}
PURGE = ("purge", "users", "--where", "id % 20 = 7", "--apply", "--yes")


@pytest.fixture
def live(db, tmp_path):
    shape = living.make_table(db, ROWS, MONTHS)
    load = living.Load(find_binary().parent / "tests/integration/helpers/live_load", db, shape, tmp_path / "load",
                       rate=200, writers=4, readers=1, read_rate=20, long_readers=1, long_ms=400, sample_us=0)
    wait_for_more(load)
    yield load
    load.close()


def wait_for_more(load):
    wanted = load.committed() + COMMITTED
    deadline = time.monotonic() + 60
    while load.committed() < wanted:
        assert load.process.poll() is None and time.monotonic() < deadline
        time.sleep(0.05)


def commands(pgmend, db, method, tmp_path):
    """Each Plan is designed when the one before it is done."""
    for number, arguments in enumerate(METHODS[method]):
        plan = tmp_path / f"{number}.sql"
        done = pgmend(*arguments, "--out", plan, db.conninfo)
        assert done.rc == 0, done
        yield ("apply", "--yes", plan, db.conninfo)


def assert_nothing_lost(db, load, purged=False):
    wait_for_more(load)
    summary = load.stop()
    assert summary["failed"] == summary["uncertain"] == 0 and not load.errors(), load.errors()[:5]
    verdict = living.judge(db, load, purged)
    assert verdict.clean and verdict.open == 0, verdict


@pytest.mark.parametrize("method", METHODS)
def test_conversion_killed_and_resumed(pgmend, db, live, tmp_path, method):
    chance = random.Random(method)
    for command in commands(pgmend, db, method, tmp_path):
        child = pgmend.popen(*command)
        time.sleep(chance.uniform(0.05, 0.8))
        child.kill()  # where it has ended already, the next run finds nothing to do
        child.communicate()
        done = pgmend(*command)
        assert done.rc == 0, done
    assert db.scalar("SELECT relkind = 'p' FROM pg_class WHERE oid = 'activity_logs'::regclass")
    assert_nothing_lost(db, live)


def test_rollback_keeps_what_was_written_since(pgmend, db, live, tmp_path):
    for command in commands(pgmend, db, "adopt", tmp_path):
        assert pgmend(*command).rc == 0
    wait_for_more(live)
    done = pgmend("rollback", "--yes", db.conninfo)
    assert done.rc == 0, done
    assert db.scalar("SELECT relkind = 'r' FROM pg_class WHERE oid = 'activity_logs'::regclass")
    assert_nothing_lost(db, live)


def test_purge_killed_and_resumed(pgmend, db, live):
    child = pgmend.popen(*PURGE, db.conninfo)
    time.sleep(0.6)
    child.kill()
    child.communicate()
    done = pgmend(*PURGE, db.conninfo)
    assert done.rc == 0, done
    assert db.scalar("SELECT count(*) FROM users WHERE id % 20 = 7") == 0
    assert_nothing_lost(db, live, purged=True)
