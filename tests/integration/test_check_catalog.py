"""Checks of indexes, tables, keys and wraparound: locks, rights, and that what they say to type works."""

import pathlib
import time

import pytest

FIXTURES = pathlib.Path(__file__).resolve().parents[1] / "checks"


def report(pgmend, conninfo, *args):
    done = pgmend("check", "--format=json", "--fail-on=never", "--timeout=60s", *args, conninfo)
    assert done.rc == 0, done
    return done.json()


def fixture(db, check):
    db.psql((FIXTURES / f"{check}.bad.sql").read_text())


def keys(found):
    return sorted(f["ignore_key"] for f in found["findings"])


def test_bounds_are_read_though_the_tables_are_locked(db, pgmend):
    fixture(db, "partitions_missing_ahead")
    deadline = time.monotonic() + 60  # that p05 is written to is counted late
    while len((free := report(pgmend, db.conninfo, "--only=partitions_missing_ahead"))["findings"]) < 5:
        assert time.monotonic() < deadline, keys(free)
        time.sleep(0.3)
    with db.connect(autocommit=False) as other:
        other.execute("LOCK TABLE p01, p02, p03, p04, p05 IN ACCESS EXCLUSIVE MODE")
        locked = report(pgmend, db.conninfo, "--only=tables,keys,wraparound")
        other.rollback()
    assert set(keys(free)) <= set(keys(locked))
    assert not [c for c in locked["checks"] if "lock" in c.get("reason", "")]


def test_a_locked_sequence_is_named_as_such(db, pgmend):
    """It alone is not judged, by its own number at least; the others are."""
    db.psql("CREATE TABLE t (id serial PRIMARY KEY); CREATE TABLE u (id serial PRIMARY KEY);"
            "SELECT setval('t_id_seq', 2000000000), setval('u_id_seq', 2000000000)")
    with db.connect(autocommit=False) as other:
        other.execute("TRUNCATE t RESTART IDENTITY")
        found = report(pgmend, db.conninfo, "--only=sequence_exhaustion")
        other.rollback()
    assert keys(found) == ["sequence_exhaustion:public.u_id_seq"]
    (check,) = found["checks"]
    assert check["status"] == "not_judged" and check["reason"] == "1 sequence(s) are locked by another session"
    assert len(report(pgmend, db.conninfo, "--only=sequence_exhaustion")["findings"]) == 2


def test_next_partition_is_as_said(db, pgmend):
    db.psql("SET timezone = 'UTC'; CREATE TABLE m (at timestamptz) PARTITION BY RANGE (at)")
    db.psql("SELECT format('CREATE TABLE m_1 PARTITION OF m FOR VALUES FROM (%L) TO (%L)',"
            " date_trunc('month', now()) - '1 month'::interval, date_trunc('month', now())) \\gexec")
    (finding,) = report(pgmend, db.conninfo, "--only=partitions_missing_ahead")["findings"]
    assert finding["severity"] == "warning"
    db.psql(finding["remedy"])
    db.execute("INSERT INTO m VALUES (now())")
    left = report(pgmend, db.conninfo, "--only=partitions_missing_ahead")["findings"]
    bounds = db.query("SELECT pg_get_expr(relpartbound, 0) FROM pg_class WHERE relispartition ORDER BY relname")
    assert len(bounds) == 2
    # Only in the last week of a month is the one after it missing, too.
    assert len(left) == db.scalar(
        "SELECT (date_trunc('month', now()) + '1 month' - now() < '7 days')::int"), (bounds, left)


def test_plan_switches_autovacuum_on_and_back(db, pgmend, tmp_path):
    fixture(db, "autovacuum_disabled")
    options = "SELECT relname, reloptions::text FROM pg_class WHERE relname LIKE 'a0%' ORDER BY 1"
    plan = tmp_path / "plan.sql"
    done = pgmend("check", "--fail-on=never", "--only=autovacuum_disabled", "--fix-plan", plan, db.conninfo)
    assert done.rc == 0, done
    done = pgmend("apply", plan, db.conninfo)
    assert done.rc == 0, done
    assert db.query(options) == [("a01", None), ("a02", "{fillfactor=90}")]
    assert report(pgmend, db.conninfo, "--only=autovacuum_disabled")["findings"] == []
    done = pgmend("rollback", db.conninfo)
    assert done.rc == 0, done
    assert len(report(pgmend, db.conninfo, "--only=autovacuum_disabled")["findings"]) == 2


def test_plan_analyzes(db, pgmend, tmp_path):
    fixture(db, "stale_statistics")
    args = ["--only=stale_statistics", "--threshold=stale_statistics.wait_minutes=0",
            "--threshold=stale_statistics.min_rows=1000"]
    deadline = time.monotonic() + 60
    while len(report(pgmend, db.conninfo, *args)["findings"]) < 3:
        assert time.monotonic() < deadline
        time.sleep(0.3)
    plan = tmp_path / "plan.sql"
    assert pgmend("check", "--fail-on=never", *args, "--fix-plan", plan, db.conninfo).rc == 0
    done = pgmend("apply", plan, db.conninfo)
    assert done.rc == 0, done
    while (left := keys(report(pgmend, db.conninfo, *args))):
        assert time.monotonic() < deadline + 60, left
        time.sleep(0.3)


def test_hidden_columns_are_said_not_passed(cluster, db, pgmend):
    for name in ("table_bloat", "sequence_exhaustion"):
        fixture(db, name)
    db.execute("CREATE ROLE hidden_from LOGIN")
    try:
        conninfo = cluster.conninfo(db.name, user="hidden_from")
        args = ["--only=table_bloat,sequence_exhaustion", "--threshold=table_bloat.min_bytes=1000000"]
        found = report(pgmend, conninfo, *args)
        states = {c["id"]: (c["status"], c.get("hint", "")) for c in found["checks"]}
        assert states["table_bloat"][0] == states["sequence_exhaustion"][0] == "not_judged", states
        if cluster.major < 14:
            pytest.skip("no pg_read_all_data")
        assert states["table_bloat"][1] == "GRANT pg_read_all_data TO hidden_from;"
        db.execute(states["table_bloat"][1])
        found = report(pgmend, conninfo, *args)
        assert {c["status"] for c in found["checks"]} == {"found"}
        assert len(found["findings"]) == 2 + 6
    finally:
        db.execute("DROP ROLE hidden_from")


def test_same_on_a_standby(make_cluster, pgmend):
    # Where autovacuum is on, an age written by hand makes it come and freeze the table between two looks.
    primary = make_cluster(autovacuum="off")
    db = primary.new_database("looked_at")
    with primary.make_standby() as standby:
        compare_with_standby(primary, standby, db, pgmend)


def compare_with_standby(primary, standby, db, pgmend):
    names = ("sequence_exhaustion", "xid_wraparound", "foreign_key_type_mismatch", "large_unpartitioned")
    for name in names:
        fixture(db, name)
    args = ["--only=" + ",".join(names)]
    on_primary = keys(report(pgmend, db.conninfo, *args))
    assert len(on_primary) == 6 + 2 + 4 + 1
    standby.wait_for_replay(primary)
    # What the standby replays meanwhile may take a lock that a look does not wait for: look again.
    for _ in range(5):
        found = report(pgmend, standby.conninfo(db.name), "--only=indexes,tables,keys,wraparound")
        odd = [c for c in found["checks"] if c["status"] == "not_judged"
               and "standby" not in c["reason"] and "days old" not in c["reason"]]
        if not odd:
            break
        time.sleep(1)
    assert not odd
    assert set(on_primary) <= set(keys(found))
