"""purge: what it waits for between batches, who may not run beside it, and what it says meanwhile."""

import json

JOBS = """
    CREATE TABLE jobs (id int PRIMARY KEY);
    CREATE TABLE acts (id serial PRIMARY KEY, job_id int REFERENCES jobs ON DELETE CASCADE);
    CREATE INDEX ON acts (job_id);
    INSERT INTO jobs SELECT generate_series(1, 600);
    INSERT INTO acts (job_id) SELECT i % 600 + 1 FROM generate_series(1, 2400) i;
    ANALYZE;
"""
PURGE = ("purge", "jobs", "--where", "id > 10", "--apply", "--yes")


def line_with(child, text):
    for line in child.stderr:
        if text in line:
            return line
    raise AssertionError(f"never said: {text}")


def test_a_standby_that_is_behind(make_cluster, pgmend):
    primary = make_cluster()
    db = primary.new_database("behind", JOBS)
    with primary.make_standby() as standby:
        standby.wait_for_replay(primary)
        with standby.connect() as conn:
            conn.execute("SELECT pg_wal_replay_pause()")
        child = pgmend.popen(*PURGE, "--max-lag=0", "--max-lag-bytes=1kB", db.conninfo)
        said = line_with(child, " behind")
        assert standby.folder.name in said
        assert db.scalar("SELECT count(*) FROM jobs") == 600
        with standby.connect() as conn:
            conn.execute("SELECT pg_wal_replay_resume()")
        out, err = child.communicate(timeout=120)
        assert child.returncode == 0, (out, err)
        assert db.scalar("SELECT count(*) FROM jobs") == 10
        # Who may not see how far it is behind is told so.
        db.psql("""CREATE ROLE clerk LOGIN; GRANT CREATE ON DATABASE behind TO clerk; DROP SCHEMA pgmend CASCADE;
                   ALTER TABLE jobs OWNER TO clerk; ALTER TABLE acts OWNER TO clerk""")
        blind = pgmend("purge", "jobs", "--where", "id > 5", "--apply", "--yes", primary.conninfo("behind", user="clerk"))
        assert blind.rc == 0 and "hidden from this role" in blind.err and "pg_read_all_stats" in blind.err, blind


def test_a_file_that_pauses_and_a_second_runner(db, pgmend, tmp_path):
    db.psql(JOBS)
    pause = tmp_path / "pause"
    pause.touch()
    child = pgmend.popen(*PURGE, "--pause-file", pause, "--progress=json", "--batch-time=20ms", "--rest=250ms", db.conninfo)
    line_with(child, f"paused: {pause} is there")
    assert db.scalar("SELECT count(*) FROM jobs") == 600
    db.psql("CREATE TABLE log (at date)")
    for other in (PURGE, ("partition", "log", "--by", "at", "--interval", "month", "--apply")):
        second = pgmend(*other, db.conninfo)
        assert second.rc == 4 and "another run of pgmend changes this database" in second.err and "pid" in second.err, second
    pause.unlink()
    out, err = child.communicate(timeout=120)
    assert child.returncode == 0, (out, err)
    events = [json.loads(line) for line in err.splitlines() if line.startswith("{")]
    known = [e for e in events if e["event"] == "progress" and e["fraction"] is not None]
    assert known and all(0 <= e["fraction"] <= 1 for e in known)
    assert any(e["left_ms"] is not None and e["left_ms"] >= 0 for e in known)
    assert db.query("SELECT count(*), (SELECT count(*) FROM acts) FROM jobs") == [(10, 40)]
