"""Steps that rebuild an index: REINDEX INDEX CONCURRENTLY with its leftovers, repeated, killed and canceled; and who
asked for a run."""

import signal

import pytest

from changes import invalid_indexes, plan_state, step_states, wait_until, write_plan
from serving_jobs import holding

LEFT = "SELECT relname FROM pg_class JOIN pg_index ON indexrelid = pg_class.oid WHERE NOT indisvalid"


@pytest.fixture
def target(db):
    db.execute("CREATE TABLE t (id int PRIMARY KEY, v text)")
    db.execute("CREATE INDEX t_v ON t (v)")
    db.execute("INSERT INTO t SELECT i, md5(i::text) FROM generate_series(1, 5000) i")
    return db


@pytest.fixture
def plan(tmp_path):
    return write_plan(tmp_path, "REINDEX INDEX CONCURRENTLY public.t_v;")


def oid(db):
    return db.scalar("SELECT relfilenode FROM pg_class WHERE relname = 't_v'")


def test_an_index_is_rebuilt_and_again(target, pgmend, plan):
    before = oid(target)
    done = pgmend("apply", plan, target.conninfo)
    assert done.rc == 0 and "rebuild index t_v: done" in done.out, done
    assert target.scalar("SELECT kind FROM pgmend.change") == "reindex"
    second = oid(target)
    assert second != before
    assert "done already" in pgmend("apply", plan, target.conninfo).out and oid(target) == second
    assert pgmend("apply", "--again", plan, target.conninfo).rc == 0 and oid(target) != second
    assert target.scalar("SELECT count(*) FROM pgmend.plan") == 2
    undone = pgmend("rollback", target.conninfo)
    assert undone.rc == 0 and plan_state(target) == "undone" and step_states(target) == ["undone"], undone


def test_only_what_keeps_house_is_repeated(target, pgmend, tmp_path):
    plan = write_plan(tmp_path, "CREATE INDEX CONCURRENTLY t_id ON public.t (id, v);")
    assert pgmend("apply", plan, target.conninfo).rc == 0
    again = pgmend("apply", "--again", plan, target.conninfo)
    assert again.rc == 2 and "not all of its steps" in again.err


def build_until_waiting(pgmend, target, plan):
    child = pgmend.popen("apply", plan, target.conninfo)
    assert wait_until(lambda: target.query(LEFT) and target.scalar(
        "SELECT count(*) FROM pg_stat_activity WHERE query ILIKE '%%REINDEX%%' AND wait_event_type = 'Lock'"))
    return child


def test_what_a_killed_run_left_is_dropped_by_the_next(target, pgmend, plan):
    with holding(target, "t"):
        child = build_until_waiting(pgmend, target, plan)
        child.send_signal(signal.SIGKILL)
        child.wait()
        # The server goes on with it until it is told, or sees that nobody is there.
        target.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query ILIKE 'REINDEX%%' "
                       "AND pid <> pg_backend_pid()")
        assert wait_until(lambda: not target.scalar(
            "SELECT count(*) FROM pg_stat_activity WHERE query ILIKE 'REINDEX%%' AND pid <> pg_backend_pid()"))
    assert [row[0] for row in target.query(LEFT)] == ["t_v_ccnew"]
    before = oid(target)
    done = pgmend("apply", plan, target.conninfo)
    assert done.rc == 0, done
    assert not invalid_indexes(target) and oid(target) != before and step_states(target) == ["done"]


def test_a_canceled_one_cleans_up(target, pgmend, plan):
    with holding(target, "t"):
        child = build_until_waiting(pgmend, target, plan)
        child.send_signal(signal.SIGINT)
        assert wait_until(lambda: plan_state(target) == "canceled")
    child.communicate(timeout=120)
    done = pgmend("apply", plan, target.conninfo)
    assert done.rc == 0 and not invalid_indexes(target), done


def test_leftovers_of_others_are_not_touched(target, pgmend, plan):
    target.execute("CREATE INDEX t_v_ccnew ON t (v)")
    target.execute("UPDATE pg_index SET indisvalid = false WHERE indexrelid = 't_v_ccnew'::regclass")
    refused = pgmend("apply", plan, target.conninfo)
    assert refused.rc == 4 and "t_v_ccnew" in refused.err and "DROP INDEX CONCURRENTLY" in refused.err, refused
    assert target.query(LEFT)


def test_what_cannot_be_rebuilt_is_refused(target, pgmend, tmp_path):
    target.execute("CREATE TABLE p (id int PRIMARY KEY) PARTITION BY RANGE (id)")
    for index, word in [("p_pkey", "partitioned"), ("t", "no index"), ("nobody", "does not exist")]:
        plan = write_plan(tmp_path, f"REINDEX INDEX CONCURRENTLY public.{index};")
        done = pgmend("apply", plan, target.conninfo)
        assert done.rc == 4 and word in done.err, done


def test_who_asked_is_in_the_ledger(target, pgmend, plan):
    actor = {"PGMEND_ACTOR": "ann \"o'neil\"\u00e9"}
    assert pgmend("apply", plan, target.conninfo).rc == 0
    assert not target.query("SELECT 1 FROM pg_tables WHERE schemaname = 'pgmend' AND tablename = 'actor'")
    assert pgmend("rollback", target.conninfo, env=actor).rc == 0
    assert pgmend("apply", plan, target.conninfo, env=actor).rc == 0
    assert target.query("SELECT action, actor, role FROM pgmend.actor ORDER BY id") == [
        ("rollback", actor["PGMEND_ACTOR"], target.scalar("SELECT current_user")),
        ("apply", actor["PGMEND_ACTOR"], target.scalar("SELECT current_user"))]
    plan_id = target.scalar("SELECT max(id) FROM pgmend.plan")
    runs = pgmend("history", "--plan", plan_id, "--format=json", target.conninfo).json()["runs"]
    assert [[a["action"] for a in run["actors"]] for run in runs] == [["apply"], ["rollback"]]
    assert "asked for by ann" in pgmend("history", "--plan", plan_id, target.conninfo).out
    assert pgmend("history", "--drop-ledger", "--yes", target.conninfo).rc == 0


def test_the_connection_of_the_environment_leaves_arguments_alone(target, pgmend, plan, tmp_path):
    env = {"PGMEND_CONNINFO": target.conninfo}
    assert pgmend("apply", "--progress=json", "--format=json", "--", plan, env=env).rc == 0
    # What would be a connection string is a table's name then.
    done = pgmend("partition", "--upkeep", "--", "dbname=postgres", env=env)
    assert done.rc in (3, 4, 2) and "dbname=postgres" in done.err, done


def test_progress_is_lines_of_json(target, pgmend, tmp_path):
    import json
    plan = write_plan(tmp_path, "REINDEX INDEX CONCURRENTLY public.t_v;\nANALYZE public.t;")
    done = pgmend("apply", "--progress=json", "--format=json", plan, target.conninfo)
    lines = [json.loads(line) for line in done.err.splitlines()]
    assert [e["step"] for e in lines if e["event"] == "step"] == [1, 2]
    ends = [e for e in lines if e["event"] == "step_end"]
    assert [e["state"] for e in ends] == ["done", "done"] and all(e["elapsed_ms"] >= 0 for e in ends)
    assert done.json()["ok"]
    assert pgmend("apply", "--progress=xml", plan, target.conninfo).rc == 2
