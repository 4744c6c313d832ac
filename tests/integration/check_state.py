"""The states that fixtures of checks ask for in their headers, beside what their SQL does in psql:

    -- needs: SQL                 skip unless it is true here
    -- server: NAME=VALUE         a server of its own, with this setting
    -- initdb: OPTION             a server of its own, made so
    -- standby: SQL               a server of its own with a standby, which runs this before the fixture's SQL
    -- on: standby                the check looks at the standby
    -- session NAME: SQL          a session that stays open runs this, in the order of the file, after it
"""

import concurrent.futures
import re
import time

import psycopg
import pytest

import cluster as clusters

WAIT_S = 60


def header(text, key):
    return re.findall(rf"^-- {key}: (.*)$", text, re.M)


class State:
    """A database in the state of one fixture; close() ends its sessions and servers."""

    def __init__(self, shared, db, text):
        self.sessions = {}
        self.watch = None  # sees how the sessions do, as an administrator would
        self.servers = []
        self.database = db
        self.checked = db.conninfo
        try:
            self._make(shared, text)
        except BaseException:
            self.close()
            raise

    def _make(self, shared, text):
        for condition in header(text, "needs"):
            if not self.database.scalar(condition):
                pytest.skip(condition)
        if "CREATE EXTENSION pg_stat_statements" in text and not shared.has_extension("pg_stat_statements"):
            pytest.skip("no pg_stat_statements")
        settings, initdb = header(text, "server"), header(text, "initdb")
        on_standby = header(text, "standby")
        if settings or initdb or on_standby:
            server = clusters.Cluster(settings=dict(s.split("=", 1) for s in settings), initdb=initdb)
            self.servers.append(server)
            self.database = server.start().new_database("fixture")
            self.checked = self.database.conninfo
        if on_standby:
            standby = self.servers[0].make_standby()
            self.servers.append(standby)
            with standby.connect() as conn:
                for statement in on_standby:
                    conn.execute(statement)
        if header(text, "on") == ["standby"]:
            self.checked = self.servers[1].conninfo("fixture")
        self.database.psql(text)
        self.watch = self.database.connect(application_name="psql")
        for name, statement in re.findall(r"^-- session (\w+): (.*)$", text, re.M):
            self._run(name, statement)

    def _run(self, name, statement):
        """Until it has run, or waits: for a lock, or asleep."""
        if name not in self.sessions:
            worker = concurrent.futures.ThreadPoolExecutor(1)
            self.sessions[name] = (self.database.connect(options="-c statement_timeout=0"), worker)
        conn, worker = self.sessions[name]
        done = worker.submit(conn.execute, statement)
        deadline = time.monotonic() + WAIT_S
        while time.monotonic() < deadline:
            if done.done():
                # A deadlock is what its fixture asks for.
                if not isinstance(done.exception(), psycopg.errors.DeadlockDetected):
                    done.result()
                return
            if self.watch.execute("SELECT wait_event_type IN ('Lock', 'Timeout') FROM pg_stat_activity"
                                  " WHERE pid = %s", [conn.info.backend_pid]).fetchone() == (True,):
                return
            time.sleep(0.02)
        raise AssertionError(f"neither done nor waiting: {statement}")

    def close(self):
        for conn, _ in self.sessions.values():
            self.watch.execute("SELECT pg_terminate_backend(%s)", [conn.info.backend_pid])
        for conn, worker in self.sessions.values():
            worker.shutdown()
            conn.close()
        if self.watch is not None:
            self.watch.close()
        for server in reversed(self.servers):
            server.close()
