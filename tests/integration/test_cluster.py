"""The fixtures themselves."""

import os
import pathlib
import signal
import subprocess
import sys
import time

import psycopg
import pytest

import cluster as clusters


def test_server_is_the_chosen_one(cluster, db):
    assert db.scalar("SELECT current_setting('server_version_num')::integer / 10000") == cluster.major
    assert db.scalar("SELECT current_setting('data_directory')") == str(cluster.data)
    assert os.stat(cluster.data).st_uid != 0


def test_each_test_has_an_empty_database(cluster, db):
    assert db.scalar("SELECT count(*) FROM pg_catalog.pg_class WHERE oid >= 16384") == 0
    script = "CREATE TABLE t (a int);\nVACUUM t;\nINSERT INTO t VALUES (7);"
    other = cluster.new_database('odd "name"', script)
    assert other.query("SELECT a FROM t") == [(7,)]
    other.connect()
    other.drop()
    assert db.query("SELECT 1 FROM pg_catalog.pg_database WHERE datname = %s", ['odd "name"']) == []


def test_a_broken_script_is_an_error(db):
    with pytest.raises(clusters.ClusterError, match="no_such_table"):
        db.psql("SELECT * FROM no_such_table;")


def test_sql_errors_reach_the_test(db):
    with pytest.raises(psycopg.errors.UndefinedTable):
        db.execute("SELECT * FROM no_such_table")


@pytest.mark.extension("pg_stat_statements")
def test_pg_stat_statements_counts(db):
    db.execute("CREATE EXTENSION pg_stat_statements")
    db.execute("SELECT 1 AS counted_statement")
    assert db.scalar("SELECT sum(calls) FROM pg_stat_statements WHERE query LIKE '%%counted_statement%%'"
                     " AND query NOT LIKE '%%pg_stat_statements%%'", []) == 1


@pytest.mark.hypopg
def test_hypopg_is_there(db):
    db.execute("CREATE EXTENSION hypopg")
    db.execute("CREATE TABLE t (a int)")
    assert db.query("SELECT indexname FROM hypopg_create_index('CREATE INDEX ON t (a)')")


def test_standby_follows(cluster, standby, db):
    db.execute("CREATE TABLE t AS SELECT pg_catalog.generate_series(1, 1000) AS a")
    standby.wait_for_replay(cluster)
    with standby.connect(db.name) as conn:
        found = conn.execute("SELECT pg_catalog.pg_is_in_recovery(), count(*) FROM t").fetchone()
        assert found == (True, 1000)
        with pytest.raises(psycopg.errors.ReadOnlySqlTransaction):
            conn.execute("CREATE TABLE u (a int)")


def test_restart_crash_and_settings(make_cluster):
    server = make_cluster(work_mem="5MB")
    base = server.new_database("kept", "CREATE TABLE t (a int); INSERT INTO t VALUES (1); CHECKPOINT;")
    assert base.scalar("SHOW work_mem") == "5MB"
    server.kill()
    assert not server.running
    with pytest.raises(psycopg.OperationalError):
        server.connect()
    server.configure(work_mem="6MB")
    server.start()
    assert "automatic recovery in progress" in server.log()
    assert base.scalar("SHOW work_mem") == "6MB"
    assert base.scalar("SELECT count(*) FROM t") == 1
    server.restart()
    assert base.scalar("SELECT count(*) FROM t") == 1
    server.close()
    assert not server.folder.exists()


def test_tcp_and_options(make_cluster):
    port = clusters.free_port()
    server = make_cluster(listen_addresses="127.0.0.1", port=port)
    with server.connect(host="127.0.0.1") as conn:
        assert conn.info.port == port and conn.info.host == "127.0.0.1"


def test_a_wrong_setting_fails_and_leaves_nothing(make_cluster):
    with pytest.raises(clusters.ClusterError, match="no_such_setting"):
        with clusters.Cluster(settings={"no_such_setting": 1}) as server:
            server.start()
    assert not server.folder.exists()


def test_server_dies_with_a_killed_test_run():
    here = pathlib.Path(__file__).parent
    code = ("import cluster, time; c = cluster.Cluster(); c.start();"
            "print(c.folder, c.process.pid, flush=True); time.sleep(600)")
    child = subprocess.Popen([sys.executable, "-c", code], cwd=here, stdout=subprocess.PIPE, text=True)
    try:
        folder, pid = child.stdout.readline().split()
        start = clusters.process_start(pid)
        assert start
    finally:
        child.send_signal(signal.SIGKILL)
        child.communicate()
    deadline = time.monotonic() + 90
    while clusters.process_start(pid) == start and time.monotonic() < deadline:
        time.sleep(0.05)
    assert clusters.process_start(pid) != start
    clusters.remove_stale()
    assert not pathlib.Path(folder).exists()


def test_environment_is_scrubbed(monkeypatch):
    monkeypatch.setenv("PGHOST", "/nowhere")
    monkeypatch.setenv("LC_MESSAGES", "de_DE.UTF-8")
    env = clusters.clean_env(PGAPPNAME="given")
    assert "PGHOST" not in env and "LC_MESSAGES" not in env and env["PGAPPNAME"] == "given"
