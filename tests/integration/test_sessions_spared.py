"""pgmend sessions: whom it never ends, who may not end whom, and the record."""

import subprocess

import psycopg
import pytest

from cluster import clean_env
from test_sessions import client, is_there, outcomes, runs, server, sessions, shop, until, waits  # noqa: F401


def test_a_reused_process_id_is_another_session(pgmend, shop, client):  # noqa: F811
    one = client()
    made_up = f"{one.pid}@2001-01-01T00:00:00.000000Z"
    done = pgmend("sessions", "--terminate", "--pid", made_up, "--yes", shop.conninfo)
    assert done.rc == 4 and "belongs to another session now" in done.err, done
    done = pgmend("sessions", "--terminate", "--pid", "999999999", "--yes", shop.conninfo)
    assert done.rc == 4 and "there is no session" in done.err, done
    assert is_there(shop, one.pid)


def test_never_its_own(pgmend, shop):  # noqa: F811
    """A rule that fits every session of the database fits pgmend's own, too."""
    other = shop.connect(application_name="pgmend")
    done = pgmend("sessions", "--terminate", "--database=shop", "--yes", "--format=json", shop.conninfo)
    assert done.rc == 0, done
    spared = {s["pid"]: s["spared"] for s in done.json()["sessions"] if s["spared"]}
    assert spared.pop(other.info.backend_pid) == "another pgmend is at work: name its process id to end it"
    assert list(spared.values()) == ["it is this session of pgmend"]
    done = pgmend("sessions", "--terminate", "--pid", other.info.backend_pid, "--yes", "--format=json",
                  shop.conninfo)
    assert outcomes(done) == {other.info.backend_pid: "ended"}
    other.close()


def test_replication_is_ended_by_name_only(pgmend, server, shop):  # noqa: F811
    """A connection in replication mode is a walsender, whatever it does."""
    conn = psycopg.connect(server.conninfo("postgres") + " replication=true")
    pid = conn.info.backend_pid
    until(shop, "SELECT count(*) = 1 FROM pg_stat_activity WHERE pid = %s AND backend_type = 'walsender'", [pid])
    done = pgmend("sessions", "--terminate", "--user=postgres", "--dry-run", "--format=json", shop.conninfo)
    assert outcomes(done)[pid].startswith("it serves replication"), done
    done = pgmend("sessions", "--terminate", "--pid", pid, "--yes", "--format=json", shop.conninfo)
    assert outcomes(done) == {pid: "ended"}, done
    conn.close()


def test_server_processes_fit_no_rule(pgmend, shop):  # noqa: F811
    done = pgmend("sessions", "--terminate", "--running-longer=0s", "--idle-in-transaction-longer=0s",
                  "--blocking-longer=0s", "--dry-run", "--format=json", shop.conninfo)
    types = {s["pid"]: s["backend_type"] for s in sessions(pgmend, shop, "--all").values()}
    assert "checkpointer" in types.values()
    assert all(types.get(pid, "client backend") == "client backend" for pid in outcomes(done))


def test_vacuum_against_wraparound_is_ended_by_name_only(make_cluster, pgmend):
    """A real one, at a pace at which it does not end meanwhile."""
    own = make_cluster(autovacuum_naptime="1s", autovacuum_freeze_max_age=100_000, autovacuum_vacuum_cost_delay="100ms",
                       autovacuum_vacuum_cost_limit=1)
    db = own.new_database("old", """CREATE TABLE t (t text); INSERT INTO t SELECT repeat('x', 2000) FROM generate_series(1, 1500);
        DO $$BEGIN FOR i IN 1..110000 LOOP
            BEGIN INSERT INTO t VALUES ('x'); RAISE EXCEPTION 'uses a transaction id'; EXCEPTION WHEN others THEN NULL; END;
        END LOOP; END$$""")
    at_it = "query LIKE '%%(to prevent wraparound)'"
    until(db, f"SELECT count(*) > 0 FROM pg_stat_activity WHERE {at_it}")
    everyone = pgmend("sessions", "--terminate", "--running-longer=0s", "--blocking-longer=0s", "--user=postgres",
                      "--dry-run", "--format=json", db.conninfo)
    by_database = pgmend("sessions", "--terminate", "--database=old", "--dry-run", "--format=json", db.conninfo)
    found = sessions(pgmend, db, "--all")
    workers = [pid for pid, s in found.items() if s["backend_type"] == "autovacuum worker"]
    assert everyone.rc == by_database.rc == 0
    assert workers and not set(workers) & (set(outcomes(everyone)) | set(outcomes(by_database)))
    pid = db.scalar(f"SELECT max(pid) FROM pg_stat_activity WHERE {at_it}", [])
    done = pgmend("sessions", "--terminate", "--pid", pid, "--yes", "--format=json", db.conninfo)
    assert outcomes(done) == {pid: "ended"}, done


def test_on_a_standby(cluster, standby, pgmend):
    """Nothing can be recorded there; it is done all the same, and said."""
    standby.wait_for_replay(cluster)
    conn = standby.connect(autocommit=False)
    conn.execute("SELECT 1")
    pid = conn.info.backend_pid
    info = standby.conninfo("postgres")
    assert pgmend("sessions", info).rc == 0
    done = pgmend("sessions", "--terminate", "--pid", pid, "--yes", "--format=json", info)
    assert done.rc == 0 and outcomes(done) == {pid: "ended"}, done
    assert "standby" in done.json()["unrecorded"] and "not in the record" in done.err, done
    assert pgmend("sessions", "--record", info).rc == 0
    conn.close()


def test_cancel_leaves_who_runs_nothing(pgmend, shop, client):  # noqa: F811
    one = client()
    done = pgmend("sessions", "--cancel", "--pid", one.pid, "--yes", "--format=json", shop.conninfo)
    assert outcomes(done)[one.pid].startswith("it runs nothing"), done
    assert done.rc == 4 and not done.json()["acted"]


def test_a_role_without_the_right(pgmend, server, shop, client):  # noqa: F811
    """It is told beforehand who may not be ended, what others do is hidden, and nothing is recorded."""
    one = client()
    one.conn.execute("BEGIN")
    shop.execute("DROP ROLE IF EXISTS weak")
    shop.execute("CREATE ROLE weak LOGIN")
    info = server.conninfo("shop", user="weak")
    listed = pgmend("sessions", "--format=json", info).json()
    assert listed["hidden"] > 0
    found = [s for s in listed["sessions"] if s["pid"] == one.pid][0]
    assert found["hidden"] and found["state"] is None and found["query"] is None
    blind = pgmend("sessions", "--terminate", "--pid", one.pid, "--yes", "--format=json", info)
    assert blind.rc == 4 and "is hidden from this role" in outcomes(blind)[one.pid], blind
    shop.execute("GRANT pg_read_all_stats TO weak")
    plan = pgmend("sessions", "--terminate", "--pid", one.pid, info)
    assert "this role may not" in plan.out, plan
    done = pgmend("sessions", "--terminate", "--pid", one.pid, "--yes", "--format=json", info)
    assert done.rc == 4 and outcomes(done) == {one.pid: "refused"}, done
    assert "may not make the ledger" in done.json()["unrecorded"] and "not in the record" in done.err
    assert is_there(shop, one.pid)
    shop.execute("DROP ROLE weak")


def test_still_there_after_the_wait(pgmend, server, shop):  # noqa: F811
    """A process that is stopped cannot end: that is said, and the exit code too."""
    victim = shop.connect()
    pid = victim.info.backend_pid
    subprocess.run(["kill", "-STOP", str(pid)], check=True, env=clean_env())
    try:
        done = pgmend("sessions", "--terminate", "--pid", pid, "--yes", "--wait=300ms", "--format=json",
                      shop.conninfo)
        assert done.rc == 4 and outcomes(done) == {pid: "still there"}, done
    finally:
        subprocess.run(["kill", "-CONT", str(pid)], check=True, env=clean_env())
    until(shop, "SELECT count(*) = 0 FROM pg_stat_activity WHERE pid = %s", [pid])


def test_record(pgmend, shop, client):  # noqa: F811
    """Who, why and what became of it; the statement without its values. history --drop-ledger removes it."""
    assert "No session was" in pgmend("sessions", "--record", shop.conninfo).out
    one = client(application_name="report")
    one.start("SELECT pg_sleep(300), 'a secret'")
    runs(shop, one.pid)
    done = pgmend("sessions", "--terminate", "--pid", one.pid, "--yes", "--format=json", shop.conninfo)
    assert done.json()["unrecorded"] is None and done.json()["sessions"][0]["record"] == 1, done
    entry, = pgmend("sessions", "--record", "--format=json", shop.conninfo).json()["ended"]
    assert (entry["pid"], entry["action"], entry["outcome"], entry["why"]) == (
        one.pid, "terminate", "ended", "named")
    assert (entry["user"], entry["database"], entry["application"], entry["asked_by"]) == (
        "postgres", "shop", "report", "postgres")
    assert entry["query"] == "SELECT pg_sleep($1), $2"
    assert "ended" in pgmend("sessions", "--record", shop.conninfo).out
    assert pgmend("history", "--drop-ledger", "--yes", shop.conninfo).rc == 0
    assert not shop.scalar("SELECT count(*) FROM pg_namespace WHERE nspname = 'pgmend'")


@pytest.mark.parametrize("wrong", [("--terminate",), ("--cancel", "--terminate", "--pid=1"), ("--pid=x",),
                                   ("--terminate", "--pid=0"), ("--terminate", "--running-longer=soon")])
def test_wrong_arguments(pgmend, shop, wrong):  # noqa: F811
    done = pgmend("sessions", *wrong, shop.conninfo)
    assert done.rc == 2 and done.err.startswith("pgmend sessions:"), done
