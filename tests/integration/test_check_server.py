"""Checks of sessions, statements and the server, beyond what their fixtures tell."""

import time

import pytest

import check_state
from cluster import free_port
from test_check import FIXTURES, SETTLE_S, keys, report


def fixture(cluster, db, name):
    return check_state.State(cluster, db, (FIXTURES / name).read_text())


def until(look):
    """What look() returns once it is true."""
    deadline = time.monotonic() + SETTLE_S
    while not (found := look()):
        assert time.monotonic() < deadline
        time.sleep(0.2)
    return found


def test_literals_of_running_statements_are_not_shown(cluster, db, pgmend):
    # A number above any process ID: those are shown.
    secrets = [r"'it''s secret'", r"E'it\'s secret'", "$x$secret$x$", "9131337.5", "-9131337", "9131337::int"]
    text = "\n".join(f"-- session s{i}: BEGIN; SELECT 1; /* {i} */ SELECT pg_sleep(600), {s}"
                     for i, s in enumerate(secrets))
    state = check_state.State(cluster, db, "SELECT 1;\n" + text)
    try:
        done = pgmend("check", "--only=sessions", "--threshold=long_running.min_seconds=0", db.conninfo)
        assert done.out.count("pg_sleep") == len(secrets), done.out
        assert "secret" not in done.out and "9131337" not in done.out, done.out
    finally:
        state.close()


def test_tree_of_blocked_sessions(cluster, db, pgmend):
    state = fixture(cluster, db, "blocked_sessions.bad.sql")
    try:
        pid = {name: conn.info.backend_pid for name, (conn, _) in state.sessions.items()}
        args = ["--only=blocked_sessions", "--threshold=blocked_sessions.min_seconds=0"]
        (finding,) = report(pgmend, db.conninfo, *args)["findings"]
        assert finding["severity"] == "warning" and finding["object"] == f"process {pid['a']}"
        evidence = finding["evidence"]
        assert evidence["waiting_sessions"] == 3 and evidence["state"] == "idle in transaction"
        assert {w["pid"] for w in evidence["waiters"]} == {pid["b"], pid["c"], pid["d"]}
        (b,) = [w for w in evidence["waiters"] if w["pid"] == pid["b"]]
        assert b["path"] == [pid["a"], pid["b"]]
        assert (b["mode"], b["what"]) == ("AccessExclusiveLock", "public.t")
        assert finding["remedy"] == f"SELECT pg_terminate_backend({pid['a']});"
        (finding,) = report(pgmend, db.conninfo, *args, "--threshold=blocked_sessions.critical_seconds=0"
                            )["findings"]
        assert finding["severity"] == "critical"
        # The root goes, and all go on.
        db.execute(finding["remedy"].rstrip(";"))
        until(lambda: report(pgmend, db.conninfo, *args)["findings"] == [])
    finally:
        state.close()


def test_idle_session_says_what_it_holds(cluster, db, pgmend):
    state = fixture(cluster, db, "idle_in_transaction.bad.sql")
    try:
        args = ["--only=idle_in_transaction", "--threshold=idle_in_transaction.min_seconds=0"]
        found = report(pgmend, db.conninfo, *args, "--threshold=idle_in_transaction.critical_seconds=0")
        shop = next(f for f in found["findings"] if f["ignore_key"].endswith(":shop"))
        assert shop["severity"] == "critical" and found["findings"][0] == shop, "others wait for it: first"
        assert shop["evidence"]["waiting_sessions"] == 1 and shop["evidence"]["wrote"]
        assert "RowExclusiveLock" in shop["evidence"]["lock_modes"]
        assert "4711" not in shop["detail"] and "WHERE id = ?" in shop["detail"]
        plain = next(f for f in found["findings"] if f["ignore_key"].endswith(":"))
        assert plain["severity"] == "warning", "it holds nothing"
        assert {f["severity"] for f in report(pgmend, db.conninfo, *args)["findings"]} == {"warning"}
    finally:
        state.close()


def test_a_prepared_transaction_at_the_root(cluster, db, pgmend):
    text = (FIXTURES / "prepared_transactions.bad.sql").read_text() + "-- session w: BEGIN; LOCK TABLE t\n"
    state = check_state.State(cluster, db, text)
    try:
        (finding,) = report(pgmend, state.checked, "--only=blocked_sessions",
                            "--threshold=blocked_sessions.min_seconds=0")["findings"]
        assert finding["object"] == "a prepared transaction" and "ROLLBACK PREPARED" in finding["remedy"]
    finally:
        state.close()


def test_own_sessions_are_left_out(db, pgmend):
    with db.connect(autocommit=False, application_name="pgmend") as own:
        own.execute("SELECT 1")
        found = report(pgmend, db.conninfo, "--only=sessions,superuser_application_role",
                       "--threshold=idle_in_transaction.min_seconds=0",
                       "--threshold=long_running.min_seconds=0")
        mine = [k for k in keys(found) if k.endswith("pgmend")]
        own.rollback()
    assert mine == []


def test_what_rights_hide(cluster, db, pgmend):
    """Without rights nothing is taken for fine; each GRANT that is named brings one step further."""
    db.execute("CREATE ROLE blind LOGIN")
    state = fixture(cluster, db, "idle_in_transaction.bad.sql")
    args = ["--skip=indexes,tables,keys,wraparound", "--threshold=idle_in_transaction.min_seconds=0"]
    try:
        conninfo = cluster.conninfo(db.name, user="blind")
        found = report(pgmend, conninfo, *args)
        skipped = {c["id"]: (c["reason"], c["hint"]) for c in found["checks"] if c["status"] == "not_judged"}
        for check in ("idle_in_transaction", "long_running", "blocked_sessions"):
            assert "hidden" in skipped[check][0], check
            assert skipped[check][1] == "GRANT pg_read_all_stats TO blind;"
        assert skipped["md5_passwords"] == ("pg_authid may not be read",
                                            "GRANT SELECT ON pg_catalog.pg_authid TO blind;")
        assert not [r for r, _ in skipped.values() if "syntax" in r or "column" in r]
        db.execute(skipped["hba_trust"][1])
        found = report(pgmend, conninfo, *args)
        skipped = {c["id"]: c["hint"] for c in found["checks"] if c["status"] == "not_judged"}
        assert skipped["hba_trust"] == "GRANT EXECUTE ON FUNCTION pg_catalog.pg_hba_file_rules() TO blind;"
        for check in ("hba_trust", "md5_passwords", "long_running"):
            db.execute(skipped[check])
        found = report(pgmend, conninfo, *args)
        skipped = {c["id"] for c in found["checks"] if c["status"] == "not_judged"}
        assert not skipped & {"hba_trust", "md5_passwords", "idle_in_transaction", "long_running"}
        assert [k for k in keys(found) if k.startswith("idle_in_transaction:")]
    finally:
        state.close()
        db.execute("DROP OWNED BY blind; DROP ROLE blind")


def test_standby_judges_what_it_can(cluster, standby, db, pgmend):
    standby.wait_for_replay(cluster)
    found = report(pgmend, standby.conninfo(db.name))
    failed = {c["id"]: c["reason"] for c in found["checks"] if c["status"] == "not_judged"}
    reasons = ("a standby", "does not exist on PostgreSQL", "is not installed", "is not known", "too young",
               "days old")
    assert not {c: r for c, r in failed.items() if not any(why in r for why in reasons)}
    assert {"checkpoints_requested", "wal_volume"} <= set(failed)
    assert not [k for k in keys(found) if k.startswith("replication_")], keys(found)


def test_standby_that_is_paused_or_cut_off(make_cluster, pgmend):
    primary = make_cluster()
    standby = primary.make_standby()
    try:
        standby.wait_for_replay(primary)

        def look():
            return keys(report(pgmend, standby.conninfo(), "--only=replication_lag"))

        time.sleep(1)
        assert look() == [], "a primary that does nothing makes no standby lag"
        with standby.connect() as conn:
            conn.execute("SELECT pg_wal_replay_pause()")
        assert until(look) == ["replication_lag:this standby"]
        with standby.connect() as conn:
            conn.execute("SELECT pg_wal_replay_resume()")
        until(lambda: look() == [])
        primary.stop("immediate")
        assert until(look) == ["replication_lag:this standby"]
        done = pgmend("check", "--only=replication_lag", standby.conninfo())
        assert done.rc == 1 and "no WAL receiver runs" in done.out
    finally:
        standby.close()


def test_slot_that_lost_its_wal(make_cluster, pgmend):
    server = make_cluster(max_slot_wal_keep_size="1MB", wal_keep_size="0", max_wal_size="32MB")
    server.psql("SELECT 1 FROM pg_create_physical_replication_slot('left', true);")
    for _ in range(6):
        server.psql("CREATE TABLE IF NOT EXISTS t (x int); INSERT INTO t SELECT generate_series(1, 50000);"
                    "SELECT pg_switch_wal() IS NULL; CHECKPOINT;")
    (finding,) = report(pgmend, server.conninfo(), "--only=replication_slots")["findings"]
    assert finding["evidence"]["wal_status"] in ("lost", "unreserved") and finding["severity"] == "warning"
    assert "pg_drop_replication_slot('left')" in finding["remedy"]


def test_memory_is_known_over_a_socket_only(cluster, make_cluster, db, pgmend):
    (check,) = report(pgmend, db.conninfo, "--only=memory_settings")["checks"]
    assert check["status"] != "not_judged", check
    remote = make_cluster(listen_addresses="127.0.0.1", port=free_port())
    (check,) = report(pgmend, remote.conninfo(host="127.0.0.1"), "--only=memory_settings")["checks"]
    assert check["status"] == "not_judged" and "memory_mb=N" in check["hint"]


@pytest.mark.extension("pg_stat_statements")
def test_500_megabytes_of_statement_texts(make_cluster, pgmend):
    """5,000 statements of 100 kB each: read once for all checks, and not sent to us."""
    server = make_cluster(**{"pg_stat_statements.max": "6000", "track_activity_query_size": "1024"})
    server.psql("CREATE EXTENSION pg_stat_statements; CREATE TABLE t (id int);")
    with server.connect() as conn:
        # Each has columns of its own: statements that differ in constants alone are one.
        pad = " /* " + "x" * 100_000 + " */"
        for n in range(5000):
            conn.execute("SELECT id, " + ", ".join(["id"] * (n % 70)) + ("," if n % 70 else "") +
                         f" id AS a{n} FROM t WHERE " + " AND ".join(["id > 0"] * (n // 70 + 1)) + pad)
        count, size = conn.execute("SELECT count(*), sum(length(query)) FROM pg_stat_statements"
                                   " WHERE length(query) > 90000").fetchone()
    assert count > 4500, (count, size)
    start = time.monotonic()
    found = report(pgmend, server.conninfo(), "--only=statements",
                   "--threshold=slow_statement.min_mean_ms=0", "--threshold=slow_statement.min_calls=1")
    took = time.monotonic() - start
    print(f"{count} texts, {size / 1e6:.0f} MB: {took:.2f} s")
    assert not [c for c in found["checks"] if "longer than" in c.get("reason", "")], found["checks"]
    slow = [f for f in found["findings"] if f["check"] == "slow_statement"]
    assert slow and all(len(f["detail"]) < 1000 for f in slow)
