"""apply when the server, other sessions or the user get in its way. Nothing is lost, and the ledger knows."""

import signal
import threading
import time

import psycopg
import pytest

from changes import (index_names, invalid_indexes, plan_state, schema_of, step_states, wait_until,
                     write_plan)

BUILDING = "SELECT count(*) FROM pg_stat_progress_create_index WHERE relid = 'big'::regclass"


@pytest.fixture
def big(db):
    make_big(db)
    return db


def make_big(db):
    """A table whose index takes a moment, or, at a slow pace, for ever."""
    db.execute("CREATE TABLE big (id int, t text)")
    db.execute("INSERT INTO big SELECT i, md5(i::text) FROM generate_series(1, 300000) i")
    set_pace(db, "")


def set_pace(db, action):
    db.execute("CREATE OR REPLACE FUNCTION pace(text) RETURNS text IMMUTABLE LANGUAGE plpgsql "
               f"AS 'BEGIN {action} RETURN $1; END'")


def one_paced_index(folder):
    return write_plan(folder, "CREATE INDEX CONCURRENTLY i ON big (pace(t));", "DROP INDEX CONCURRENTLY i;")


SLOW = "PERFORM pg_catalog.pg_sleep(0.01);"  # for each row: nobody comes too late to stop the build


@pytest.fixture
def small(db):
    db.execute("CREATE TABLE small (id int, t text)")
    db.execute("INSERT INTO small SELECT i, 't' FROM generate_series(1, 1000) i")
    return db


def one_index(folder, table="small"):
    return write_plan(folder, f"CREATE INDEX CONCURRENTLY i ON {table} (t);", "DROP INDEX CONCURRENTLY i;")


def finish_and_undo(pgmend, plan, db, before):
    done = pgmend("apply", plan, db.conninfo)
    assert done.rc == 0, done
    assert not invalid_indexes(db) and plan_state(db) == "done"
    undone = pgmend("rollback", db.conninfo)
    assert undone.rc == 0, undone
    assert schema_of(db) == before


def test_a_writer_that_does_not_end_is_named_and_waited_for(small, pgmend, tmp_path):
    before = schema_of(small)
    plan = one_index(tmp_path)
    with small.connect(autocommit=False, application_name="forgotten") as other:
        other.execute("INSERT INTO small VALUES (0, 'x')")
        done = pgmend("apply", "--max-wait=700ms", "--lock-deadline=1s", plan, small.conninfo)
        assert done.rc == 4, done
        assert f"waiting for pid {other.info.backend_pid} (forgotten, postgres, idle in transaction" in done.err
        assert step_states(small) == ["failed"] and plan_state(small) == "failed"
        # It holds its lock, so even the clean-up has to wait for it: it is tried, and the ledger remembers.
        other.rollback()
    finish_and_undo(pgmend, plan, small, before)


def test_an_old_snapshot_elsewhere_is_named_and_nothing_is_left(small, pgmend, tmp_path):
    before = schema_of(small)
    plan = one_index(tmp_path)
    small.execute("CREATE TABLE elsewhere (a int)")
    small.execute("DROP TABLE elsewhere")
    with small.connect(autocommit=False) as other:
        other.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        other.execute("SELECT count(*) FROM pg_class")
        done = pgmend("apply", "--max-wait=700ms", plan, small.conninfo)
        assert done.rc == 4 and f"waiting for pid {other.info.backend_pid}" in done.err, done
        # The leftover would cost every write: it goes at once, the snapshot does not stop that.
        assert index_names(small, "small") == []
        shown = pgmend("apply", "--dry-run", plan, small.conninfo)
        assert shown.rc == 0 and "has an old snapshot" in shown.out, shown
    finish_and_undo(pgmend, plan, small, before)


def test_the_wait_ends_when_the_writer_does(small, pgmend, tmp_path):
    with small.connect(autocommit=False) as other:
        other.execute("INSERT INTO small VALUES (0, 'x')")
        child = pgmend.popen("apply", one_index(tmp_path), small.conninfo)
        assert "waiting for pid" in child.stderr.readline()
        other.commit()
    assert child.wait(90) == 0
    assert index_names(small, "small") == ["i"]


def test_nobody_queues_behind_a_strong_lock(small, pgmend, tmp_path):
    """A long reader holds the table: an ALTER must not make the readers after it wait."""
    before = schema_of(small)
    plan = write_plan(tmp_path, "ALTER TABLE small ADD n int;", "ALTER TABLE small DROP n;")
    worst = []
    with small.connect(autocommit=False) as reader, small.connect() as app:
        reader.execute("SELECT count(*) FROM small")
        child = pgmend.popen("apply", plan, small.conninfo)
        until = time.monotonic() + 5
        while time.monotonic() < until:
            start = time.monotonic()
            app.execute("SELECT count(*) FROM small WHERE id < 0")
            worst.append(time.monotonic() - start)
            time.sleep(0.002)
        assert child.poll() is None, "it should still wait for the reader"
        reader.commit()
        assert child.wait(90) == 0
    # A try takes 50 ms. Who queued behind one that stayed would have waited until the reader ended, after the loop.
    assert max(worst) < 30, f"a reader waited {max(worst):.3f} s"
    finish_and_undo(pgmend, plan, small, before)


def test_an_error_behind_the_commit_takes_nothing_back(small, pgmend, tmp_path):
    """Of a step that tells of its lock the time is asked for once more when it is committed, and that may fail."""
    before = schema_of(small)
    plan = write_plan(tmp_path, """DO $$ BEGIN
        ALTER TABLE small ADD n int;
        PERFORM set_config('pgmend.locked_at', 'no time', false);
        PERFORM set_config('pgmend.locked_at', clock_timestamp()::text, true);
    END $$;""", "ALTER TABLE small DROP n;")
    done = pgmend("apply", plan, small.conninfo)
    assert done.rc == 0 and "ACCESS EXCLUSIVE held for" in done.out, done
    assert step_states(small) == ["done"] and schema_of(small) != before
    undone = pgmend("rollback", small.conninfo)
    assert undone.rc == 0 and schema_of(small) == before, undone


def test_a_lock_that_never_comes_ends_the_step(small, pgmend, tmp_path):
    before = schema_of(small)
    plan = write_plan(tmp_path, "ALTER TABLE small ADD n int;", "ALTER TABLE small DROP n;")
    with small.connect(autocommit=False) as reader:
        reader.execute("SELECT count(*) FROM small")
        done = pgmend("apply", "--lock-deadline=500ms", plan, small.conninfo)
        assert done.rc == 4 and f"pid {reader.info.backend_pid}" in done.err, done
        assert "tries" in done.err and step_states(small) == ["failed"]
    finish_and_undo(pgmend, plan, small, before)


def test_timeouts_of_the_role_do_not_count(cluster, big, pgmend, tmp_path):
    before = schema_of(big)
    big.execute(f"ALTER DATABASE {big.name} SET statement_timeout = '100ms'")
    big.execute(f"ALTER DATABASE {big.name} SET lock_timeout = '10ms'")
    big.execute(f"ALTER DATABASE {big.name} SET idle_in_transaction_session_timeout = '50ms'")
    if cluster.major >= 14:
        big.execute(f"ALTER DATABASE {big.name} SET idle_session_timeout = '300ms'")
    finish_and_undo(pgmend, one_index(tmp_path, "big"), big, before)


def test_the_time_of_a_run_can_be_limited(big, pgmend, tmp_path):
    before = schema_of(big)
    plan = one_paced_index(tmp_path)
    set_pace(big, SLOW)
    done = pgmend("apply", "--timeout=5s", plan, big.conninfo)
    set_pace(big, "")
    assert done.rc == 4 and "time of this run is up" in done.err, done
    assert not invalid_indexes(big) and plan_state(big) == "failed"
    finish_and_undo(pgmend, plan, big, before)


def test_a_table_dropped_after_the_plan_was_made(small, pgmend, tmp_path):
    before = schema_of(small)
    plan = write_plan(tmp_path, "CREATE INDEX CONCURRENTLY i ON small (t);\n"
                                "CREATE INDEX CONCURRENTLY j ON public.gone (t);")
    done = pgmend("apply", plan, small.conninfo)
    assert done.rc == 4 and "step 2" in done.err and "relation public.gone does not exist" in done.err, done
    assert schema_of(small) == before
    assert small.scalar("SELECT count(*) FROM pg_namespace WHERE nspname = 'pgmend'") == 0


def test_a_standby_is_refused(cluster, small, standby, pgmend, tmp_path):
    standby.wait_for_replay(cluster)
    for arguments in (["apply", one_index(tmp_path)], ["apply", "-n", one_index(tmp_path)], ["rollback"]):
        done = pgmend(*arguments, standby.conninfo(small.name))
        assert done.rc == 3 and "is a standby" in done.err, done


def test_a_read_only_role_is_refused(small, pgmend, tmp_path):
    done = pgmend("apply", one_index(tmp_path), small.conninfo,
                  env={"PGOPTIONS": "-c default_transaction_read_only=on"})
    assert done.rc == 3 and "read-only" in done.err, done


def test_missing_rights_are_named_with_the_grant_that_gives_them(cluster, small, pgmend, tmp_path):
    role = f"clerk {small.name}"
    small.execute(f'CREATE ROLE "{role}" LOGIN')
    small.execute('CREATE ROLE boss')
    small.execute('ALTER TABLE small OWNER TO boss')
    small.execute('REVOKE CREATE ON SCHEMA public FROM PUBLIC')
    small.execute('GRANT CREATE ON SCHEMA public TO boss')
    small.execute('ALTER SCHEMA public OWNER TO postgres')
    before = schema_of(small)
    plan = one_index(tmp_path)
    login = cluster.conninfo(small.name, user=role)
    try:
        hints = []
        for _ in range(6):
            done = pgmend("apply", plan, login)
            if done.rc == 0:
                break
            assert done.rc == 3, done
            grant = done.err.split("GRANT ", 1)[1].split(";")[0]
            hints.append(grant)
            small.execute("GRANT " + grant)
        assert done.rc == 0, (done, hints)
        assert hints == [f'boss TO "{role}"', f'CREATE ON DATABASE {small.name} TO "{role}"'], hints
        assert index_names(small, "small") == ["i"]
        # The clerk could put SQL into its ledger for a superuser to run.
        refused = pgmend("rollback", small.conninfo)
        assert refused.rc == 3 and "could use it to run SQL with your rights" in refused.err, refused
        undone = pgmend("rollback", login)
        assert undone.rc == 0, undone
        assert index_names(small, "small") == []
        assert before
    finally:
        small.execute(f'REVOKE ALL ON DATABASE {small.name} FROM "{role}"')
        small.execute(f'REASSIGN OWNED BY "{role}", boss TO postgres')
        small.execute(f'DROP OWNED BY "{role}", boss')
        small.execute(f'DROP ROLE "{role}"')
        small.execute('DROP ROLE boss')


def test_plans_that_cannot_be_read(small, pgmend, tmp_path):
    for text, says in [("", "there is no \"-- migrate:up\""), ("-- migrate:up\nCREATE INDX;", "syntax error"),
                       ("-- migrate:up\nBEGIN;", "cannot hold BEGIN"), ("-- migrate:up\n", "no statement"),
                       ("-- migrate:up\n-- pgmend:change {\nSELECT 1;", "malformed JSON")]:
        plan = tmp_path / "bad.sql"
        plan.write_text(text)
        done = pgmend("apply", plan, small.conninfo)
        assert done.rc == 2 and says in done.err and "bad.sql" in done.err, done
    plan.write_bytes(b"-- migrate:up\n\0\x01")
    assert "binary file" in pgmend("apply", plan, small.conninfo).err
    assert pgmend("apply", tmp_path / "missing.sql", small.conninfo).rc == 2
    assert pgmend("apply", small.conninfo).rc == 2
    assert pgmend("apply", "--max-wait=soon", plan, small.conninfo).rc == 2


def test_no_server(pgmend, tmp_path):
    plan = one_index(tmp_path)
    for arguments in (["apply", plan], ["rollback"], ["history"]):
        done = pgmend(*arguments, f"host={tmp_path} dbname=nothing")
        assert done.rc == 3, done


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_ctrl_c_cleans_up_and_the_next_run_goes_on(big, pgmend, tmp_path, number):
    before = schema_of(big)
    plan = one_paced_index(tmp_path)
    set_pace(big, SLOW)
    child = pgmend.popen("apply", plan, big.conninfo)
    assert wait_until(lambda: big.scalar(BUILDING))
    child.send_signal(number)
    out, err = child.communicate(timeout=90)
    assert child.returncode == 4 and "stopped by the user" in err, (out, err)
    assert not invalid_indexes(big) and index_names(big, "big") == []
    assert step_states(big) == ["canceled"] and plan_state(big) == "canceled"
    set_pace(big, "")
    finish_and_undo(pgmend, plan, big, before)


def test_ctrl_c_at_any_moment(small, pgmend, tmp_path):
    before = schema_of(small)
    plan = write_plan(tmp_path, "CREATE INDEX CONCURRENTLY i ON small (t);\nALTER TABLE small ADD n int;\n"
                                "CREATE INDEX CONCURRENTLY j ON small (id);", "ALTER TABLE small DROP n;")
    for milliseconds in range(10, 170, 20):
        child = pgmend.popen("apply", plan, small.conninfo)
        time.sleep(milliseconds / 1000)
        child.send_signal(signal.SIGINT)
        child.communicate(timeout=90)
        assert child.returncode in (0, 4, -signal.SIGINT), child.returncode
        assert not invalid_indexes(small)
        finish_and_undo(pgmend, plan, small, before)


@pytest.mark.parametrize("function, says", [("pg_cancel_backend", "another session canceled"),
                                            ("pg_terminate_backend", "terminating connection")])
def test_an_administrator_stops_the_build(big, pgmend, tmp_path, function, says):
    before = schema_of(big)
    plan = one_paced_index(tmp_path)
    set_pace(big, SLOW)
    child = pgmend.popen("apply", plan, big.conninfo)
    assert wait_until(lambda: big.scalar(BUILDING))
    big.execute(f"SELECT {function}(pid) FROM pg_stat_progress_create_index WHERE relid = 'big'::regclass")
    out, err = child.communicate(timeout=90)
    assert child.returncode == 4 and says in err, (out, err)
    assert not invalid_indexes(big) and plan_state(big) == "failed"
    set_pace(big, "")
    finish_and_undo(pgmend, plan, big, before)


@pytest.mark.parametrize("mode", ["fast", "immediate"])
def test_the_server_stops_midway(make_cluster, pgmend, tmp_path, mode):
    server = make_cluster()
    db = server.new_database("shop")
    make_big(db)
    before = schema_of(db)
    plan = one_paced_index(tmp_path)
    set_pace(db, SLOW)
    child = pgmend.popen("apply", plan, db.conninfo)
    assert wait_until(lambda: db.scalar(BUILDING))
    server.stop(mode)
    out, err = child.communicate(timeout=90)
    assert child.returncode == 4 and "run the same command again" in err, (out, err)
    assert pgmend("apply", plan, db.conninfo).rc == 3
    server.start()
    set_pace(db, "")
    finish_and_undo(pgmend, plan, db, before)


def test_a_full_disk(small_disk, pgmend, tmp_path):
    """A tablespace of 8 MB: the build fails, what it left goes, the ledger says why; with room it goes on."""
    server, resize = small_disk("8m")
    db = server.new_database("disk")
    db.execute("CREATE TABLE big (id int, t text)")
    db.execute("INSERT INTO big SELECT i, md5(i::text) FROM generate_series(1, 200000) i")
    before = schema_of(db)
    plan = write_plan(tmp_path, "CREATE INDEX CONCURRENTLY i ON big (t) TABLESPACE tiny;")
    done = pgmend("apply", plan, db.conninfo)
    assert done.rc == 4 and "No space left on device" in done.err, done
    assert not invalid_indexes(db) and plan_state(db) == "failed"
    assert schema_of(db) == before
    resize("64m")
    finish_and_undo(pgmend, plan, db, before)

    known = write_plan(tmp_path, '-- pgmend:change {"step":1,"index":"k","relation":"big","size_bytes":'
                       f"{1 << 50}}}\nCREATE INDEX CONCURRENTLY k ON big (t);", name="known.sql")
    done = pgmend("apply", known, db.conninfo)
    assert done.rc == 4 and "it needs about 1.0 PB" in done.err, done


def test_builds_hold_up_no_writer(big, pgmend, tmp_path):
    writes, waits = [], []
    stop = threading.Event()

    def write():
        with big.connect() as app:
            app.execute("SET lock_timeout = '200ms'")
            while not stop.is_set():
                try:
                    writes.append(app.execute("UPDATE big SET t = 'x' WHERE id = 1").rowcount)
                except psycopg.errors.LockNotAvailable as error:
                    waits.append(error)

    writer = threading.Thread(target=write)
    writer.start()
    done = pgmend("apply", one_index(tmp_path, "big"), big.conninfo)
    stop.set()
    writer.join()
    assert done.rc == 0, done
    assert waits == [] and sum(writes) > 1


def test_a_ledger_of_a_newer_version_is_refused(small, pgmend, tmp_path):
    plan = one_index(tmp_path)
    assert pgmend("apply", plan, small.conninfo).rc == 0
    small.execute("UPDATE pgmend.ledger SET version = 99")
    for arguments in (["apply", plan], ["rollback"], ["history"]):
        done = pgmend(*arguments, small.conninfo)
        assert done.rc == 4 and "version 99" in done.err, done


def test_a_schema_of_that_name_that_is_not_ours(small, pgmend, tmp_path):
    small.execute("CREATE SCHEMA pgmend")
    small.execute("CREATE TABLE pgmend.plan (mine int)")
    done = pgmend("apply", one_index(tmp_path), small.conninfo)
    assert done.rc == 4 and "making the ledger" in done.err, done
    assert small.query("SELECT relname FROM pg_class WHERE relnamespace = 'pgmend'::regnamespace") == [("plan",)]
    assert index_names(small, "small") == []


def test_connections_run_out(make_cluster, pgmend, tmp_path):
    server = make_cluster(max_connections=10, superuser_reserved_connections=0, max_wal_senders=0)
    db = server.new_database("shop")
    db.execute("CREATE TABLE small (id int, t text)")
    taken = []
    with pytest.raises(psycopg.OperationalError):
        for _ in range(12):
            taken.append(db.connect())
    taken.pop().close()  # room for the first session, not for the others
    time.sleep(0.2)
    done = pgmend("apply", one_index(tmp_path), db.conninfo)
    assert done.rc == 3, done
    assert db.scalar("SELECT count(*) FROM pg_namespace WHERE nspname = 'pgmend'") == 0
    for conn in taken:
        conn.close()
