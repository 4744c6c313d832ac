"""Throw-away PostgreSQL clusters for the tests.

A Cluster is a temporary folder under /tmp (short, because a socket's path may have 107 bytes at most) with
the data, the log and the Unix socket in it. The server is our child and dies with us, however we die; the
folder is removed by close(), or, after a crash, by the next run. As root the server runs as user postgres.

A Cluster belongs to one thread: the kernel kills the server when the thread that started it ends.
"""

import ctypes
import itertools
import os
import pathlib
import pwd
import random
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import time

import psycopg
from psycopg import conninfo, sql

PREFIX = "pgmt-"
START_TIMEOUT_S = 120
STOP_TIMEOUT_S = 120
STATEMENT_TIMEOUT_MS = 60_000

# Safe only because the data is thrown away.
SETTINGS = {
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "listen_addresses": "",
    "port": 5432,
    "shared_buffers": "64MB",
    "max_connections": 60,
    "wal_keep_size": "256MB",
    "max_wal_senders": 5,
    "logging_collector": "off",
    "log_checkpoints": "off",
    "log_line_prefix": "%m [%p] %q%u@%d ",
    # Never in a test's time: it would come between what a test does and what it looks at.
    "autovacuum_naptime": 2147483,
    "log_timezone": "UTC",
    "timezone": "UTC",
}

PR_SET_PDEATHSIG = 1
libc = ctypes.CDLL(None, use_errno=True)


class ClusterError(Exception):
    """A server that could not be made, started or stopped; the message ends with its log."""


def clean_env(**more):
    """The environment without what would steer libpq, and with fixed languages."""
    env = {k: v for k, v in os.environ.items() if not k.startswith(("PG", "LC_")) and k != "LANGUAGE"}
    env.update(LANG="C.UTF-8", LC_ALL="C.UTF-8", TERM="dumb")
    env.update(more)
    return env


def find_bin_dir():
    """$PGMEND_PG_BIN, else the newest of Debian's."""
    given = os.environ.get("PGMEND_PG_BIN")
    if given:
        return pathlib.Path(given)
    found = [p.parent for p in pathlib.Path("/usr/lib/postgresql").glob("*/bin/postgres")]
    if not found:
        raise ClusterError("no PostgreSQL server below /usr/lib/postgresql; set PGMEND_PG_BIN")
    return max(found, key=lambda p: float(p.parent.name))


def server_user():
    """Who the server runs as: None for ourselves, or an account where we are root, which it refuses."""
    if os.geteuid() != 0:
        return None
    for name in ("postgres", "nobody"):
        try:
            return pwd.getpwnam(name)
        except KeyError:
            continue
    raise ClusterError("the tests run as root, and there is no user postgres or nobody to run the server as")


PORTS_FROM, PORTS_EACH = 20000, 1500
ports = itertools.count(random.randrange(PORTS_EACH))  # elsewhere than another run of the tests


def free_port():
    """A TCP port of the loopback that is free now, for a server of ours.

    Below those that the system gives to outgoing connections, and each of the workers that run test files side
    by side has its own range: nobody else takes the port before the server listens.
    """
    first = PORTS_FROM + PORTS_EACH * (int(os.environ.get("PYTEST_XDIST_WORKER", "gw0")[2:]) % 8)
    for n in itertools.islice(ports, PORTS_EACH):
        with socket.socket() as s:
            try:
                s.bind(("127.0.0.1", first + n % PORTS_EACH))
            except OSError:
                continue
            return s.getsockname()[1]
    raise ClusterError(f"no free port of the loopback from {first} on")


def process_start(pid):
    """When the process began, in clock ticks since boot; None if there is none. Tells reused ids apart."""
    try:
        stat = pathlib.Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return None
    return stat.rpartition(")")[2].split()[19]


def remove_stale():
    """Removes the folders of test runs that were killed. Their servers died with them."""
    for folder in pathlib.Path("/tmp").glob(PREFIX + "*"):
        try:
            pid, start = (folder / "owner").read_text().split()
        except (OSError, ValueError):
            continue
        if process_start(pid) != start:
            shutil.rmtree(folder, ignore_errors=True)


def quote_setting(value):
    return "'" + str(value).replace("\\", "\\\\").replace("'", "''") + "'"


class Cluster:
    """One server. Made stopped and empty; start() it, close() it at the end. Also a context manager.

    initdb: False for none, or a list of further options for it.
    """

    def __init__(self, bin_dir=None, settings=None, initdb=True):
        self.bin_dir = pathlib.Path(bin_dir) if bin_dir else find_bin_dir()
        self.settings = dict(SETTINGS)
        self.process = None
        self.account = server_user()
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix=PREFIX, dir="/tmp"))
        self.data = self.folder / "data"
        self.log_path = self.folder / "log"
        try:
            (self.folder / "owner").write_text(f"{os.getpid()} {process_start(os.getpid())}\n")
            self._give(self.folder)
            version = self._run("postgres", "--version")
            found = re.search(r"\(PostgreSQL\) (\d+)", version)
            if not found:
                raise ClusterError(f"{self.bin_dir}/postgres calls itself {version!r}")
            self.major = int(found.group(1))
            if self.has_library("pg_stat_statements"):
                self.settings["shared_preload_libraries"] = "pg_stat_statements"
            self.settings.update(settings or {})
            if initdb is not False:
                options = [] if initdb is True else list(initdb)
                if self.major < 18 and "--no-data-checksums" in options:
                    options.remove("--no-data-checksums")  # not known there, and the default
                self._run("initdb", *options, "-D", str(self.data), "-U", "postgres", "-A", "trust",
                          "-E", "UTF8", "--locale=C.UTF-8", "--no-sync")
                self._write_settings()
        except BaseException:
            self.close()
            raise

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        self.close()

    # The server

    def start(self):
        """Starts the server and waits until it takes connections. Nothing to do when it runs."""
        if self.running:
            return self
        with open(self.log_path, "ab") as log:
            self.process = subprocess.Popen(
                [self.bin_dir / "postgres", "-D", self.data],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=self.folder, env=clean_env(),
                start_new_session=True, preexec_fn=die_with_parent(os.getpid()), **self._as_account())
        deadline = time.monotonic() + START_TIMEOUT_S
        while True:
            if self.process.poll() is not None:
                code = self.process.returncode
                raise ClusterError(f"the server ended with {code} at its start:\n{self.log()}")
            try:
                self.connect("postgres").close()
                return self
            except psycopg.OperationalError as error:
                if time.monotonic() > deadline:
                    log = self.log()
                    self.kill()
                    raise ClusterError(f"no connection in {START_TIMEOUT_S} s: {error}\n{log}") from error
            time.sleep(0.05)

    def stop(self, mode="fast"):
        """Stops the server and waits for its end. mode: smart, fast or immediate, as of pg_ctl."""
        if self.process is None:
            return
        if self.process.poll() is None:
            number = {"smart": signal.SIGTERM, "fast": signal.SIGINT, "immediate": signal.SIGQUIT}[mode]
            self.process.send_signal(number)
            try:
                self.process.wait(STOP_TIMEOUT_S)
            except subprocess.TimeoutExpired:
                log = self.log()
                self._slay()
                raise ClusterError(f"{mode} shutdown took over {STOP_TIMEOUT_S} s:\n{log}") from None
        self.process = None

    def kill(self):
        """An immediate shutdown, as a crash leaves it: the next start recovers."""
        self.stop("immediate")

    def crash_backend(self, pid):
        """Kills a session's process, so that the server ends all others and recovers; waits until it has."""
        os.kill(pid, signal.SIGKILL)
        deadline = time.monotonic() + START_TIMEOUT_S
        while process_start(pid) is not None or not self._recovered_since_crash():
            if time.monotonic() > deadline:
                raise ClusterError(f"no recovery in {START_TIMEOUT_S} s:\n{self.log()}")
            time.sleep(0.05)

    def _recovered_since_crash(self):
        log = self.log(lines=1000)
        crash = log.rfind("was terminated by signal 9")
        return crash >= 0 and "ready to accept connections" in log[crash:]

    def restart(self, mode="fast"):
        self.stop(mode)
        return self.start()

    def reload(self):
        self.process.send_signal(signal.SIGHUP)

    def configure(self, **settings):
        """Changes settings in postgresql.conf; the caller reloads or restarts."""
        self.settings.update(settings)
        self._write_settings()

    def close(self):
        """Ends the server, however it is, and removes the folder."""
        try:
            self.stop("immediate")
        finally:
            shutil.rmtree(self.folder, ignore_errors=True)

    @property
    def running(self):
        return self.process is not None and self.process.poll() is None

    def log(self, lines=40):
        """The end of the server's log."""
        try:
            return "\n".join(self.log_path.read_text(errors="replace").splitlines()[-lines:])
        except OSError:
            return ""

    # Clients

    def conninfo(self, db="postgres", **more):
        """A connection string for the Unix socket as superuser postgres."""
        values = {"host": str(self.folder), "port": self.settings["port"], "user": "postgres", "dbname": db}
        values.update(more)
        return conninfo.make_conninfo(**values)

    def connect(self, db="postgres", autocommit=True, **more):
        more.setdefault("connect_timeout", 60)
        more.setdefault("options", f"-c statement_timeout={STATEMENT_TIMEOUT_MS}")
        return psycopg.connect(self.conninfo(db, **more), autocommit=autocommit)

    def psql(self, text, db="postgres", timeout=300):
        """Runs a script statement by statement, stops at the first error; returns unaligned output."""
        done = subprocess.run(
            ["psql", "-XAtq", "-v", "ON_ERROR_STOP=1", "-d", self.conninfo(db), "-f", "-"],
            input=text, capture_output=True, text=True, timeout=timeout, env=clean_env(), check=False)
        if done.returncode != 0:
            raise ClusterError(f"psql ended with {done.returncode}: {done.stderr}")
        return done.stdout

    def new_database(self, name, script=None):
        """Makes a database and runs a script (text, or the path of a file) in it. Its owner drops it."""
        with self.connect() as conn:
            conn.execute(sql.SQL("CREATE DATABASE {} TEMPLATE template0").format(sql.Identifier(name)))
        if script is not None:
            self.psql(script.read_text() if isinstance(script, pathlib.Path) else script, name)
        return Database(self, name)

    def has_extension(self, name):
        """Whether CREATE EXTENSION would find it."""
        with self.connect() as conn:
            return conn.execute("SELECT count(*) FROM pg_catalog.pg_available_extensions WHERE name = %s",
                                [name]).fetchone()[0] == 1

    def has_library(self, name):
        """Whether the server's library folder has it; works on a stopped server."""
        home = self.bin_dir.parent
        return any((lib / f"{name}.so").exists() for lib in (home / "lib", home / "lib" / "postgresql"))

    # Standby

    def make_standby(self, settings=None):
        """A streaming hot standby of this running server, started. The caller closes it.

        By the low-level backup functions, because not every distribution of the server has pg_basebackup, and
        that of another version refuses to work.
        """
        theirs = {**self.settings, "listen_addresses": "", **(settings or {})}
        standby = Cluster(self.bin_dir, theirs, initdb=False)
        try:
            with self.connect() as conn:
                # The functions were renamed in 15. True: checkpoint at once.
                start, stop = ("pg_backup_start('standby', true)", "pg_backup_stop(false)")
                if self.major < 15:
                    start, stop = ("pg_start_backup('standby', true, false)", "pg_stop_backup(false, false)")
                conn.execute(f"SELECT pg_catalog.{start}")
                copy_data(self.data, standby.data)
                label = conn.execute(f"SELECT labelfile FROM pg_catalog.{stop}").fetchone()[0]
            (standby.data / "backup_label").write_text(label)
            (standby.data / "standby.signal").touch()
            source = {"host": str(self.folder), "port": self.settings["port"], "user": "postgres",
                      "application_name": standby.folder.name}
            standby.settings.update(primary_conninfo=conninfo.make_conninfo(**source))
            standby._write_settings()
            standby._give_all(standby.data)
            return standby.start()
        except BaseException:
            standby.close()
            raise

    def wait_for_replay(self, primary, timeout=90):
        """Waits until this standby has replayed all that the primary has written."""
        with primary.connect() as conn:
            # Where a page of the WAL begins, the place to insert is behind its head, which is not sent without a record:
            # an idle server writes the next one after 15 s.
            conn.execute("SELECT pg_catalog.pg_logical_emit_message(true, 'test', '')")
            target = conn.execute("SELECT pg_catalog.pg_current_wal_insert_lsn()").fetchone()[0]
        deadline = time.monotonic() + timeout
        with self.connect() as conn:
            while not conn.execute("SELECT pg_catalog.pg_last_wal_replay_lsn() >= %s::pg_lsn",
                                   [target]).fetchone()[0]:
                if time.monotonic() > deadline:
                    raise ClusterError(f"the standby did not reach {target} in {timeout} s:\n{self.log()}")
                time.sleep(0.02)

    # Our own

    def _as_account(self):
        if self.account is None:
            return {}
        return {"user": self.account.pw_uid, "group": self.account.pw_gid, "extra_groups": []}

    def _give(self, path):
        if self.account is not None:
            os.chown(path, self.account.pw_uid, self.account.pw_gid)

    def _give_all(self, top):
        self._give(top)
        for folder, folders, files in os.walk(top):
            for name in folders + files:
                self._give(os.path.join(folder, name))

    def _run(self, program, *arguments):
        try:
            done = subprocess.run([self.bin_dir / program, *arguments], stdin=subprocess.DEVNULL, text=True,
                                  capture_output=True, timeout=120, cwd=self.folder, env=clean_env(),
                                  check=False, **self._as_account())
        except OSError as error:
            raise ClusterError(f"{self.bin_dir}/{program}: {error}") from error
        if done.returncode != 0:
            raise ClusterError(f"{program} ended with {done.returncode}: {done.stdout}{done.stderr}")
        return done.stdout

    def _write_settings(self):
        """Our settings live in a file of their own, so that they can be written again."""
        conf = self.data / "postgresql.conf"
        include = "include 'test.conf'\n"
        if include not in conf.read_text():
            with open(conf, "a") as f:
                f.write(include)
        values = {**self.settings, "unix_socket_directories": self.folder}
        ours = self.data / "test.conf"
        ours.write_text("".join(f"{k} = {quote_setting(v)}\n" for k, v in values.items()))
        self._give(ours)

    def _slay(self):
        """For a postmaster that does not stop. Its children end by themselves when they miss it."""
        try:
            self.process.kill()
            self.process.wait(10)
        finally:
            self.process = None


def die_with_parent(parent):
    """What the server does before it starts: asks for an immediate shutdown at its parent's death."""
    def prepare():
        libc.prctl(PR_SET_PDEATHSIG, signal.SIGQUIT)
        if os.getppid() != parent:
            os._exit(1)
    return prepare


def copy_data(source, target):
    """Copies a data folder of a running server between the backup functions' start and stop."""
    contents_left_out = {"pg_wal", "pg_replslot", "pg_dynshmem", "pg_notify", "pg_serial", "pg_snapshots",
                         "pg_stat_tmp", "pg_subtrans", "pgsql_tmp"}
    left_out = {"postmaster.pid", "postmaster.opts"}
    for folder, folders, files in os.walk(source):
        into = target / os.path.relpath(folder, source)
        into.mkdir(mode=0o700)
        if into.name in contents_left_out:
            folders.clear()
            continue
        for name in set(files) - left_out:
            try:
                shutil.copy(os.path.join(folder, name), into / name)
            except FileNotFoundError:
                # Dropped since the listing; its WAL says so too.
                continue
    (target / "pg_wal" / "archive_status").mkdir(mode=0o700)


class Database:
    """A database of a Cluster, with one connection in autocommit mode, opened at its first use."""

    def __init__(self, cluster, name):
        self.cluster = cluster
        self.name = name
        self._conn = None
        self._server = None

    @property
    def conninfo(self):
        return self.cluster.conninfo(self.name)

    @property
    def conn(self):
        # A server that was stopped since takes the connection with it, which psycopg notices only by failing.
        if self._conn is None or self._conn.closed or self._server is not self.cluster.process:
            self._conn = self.connect()
            self._server = self.cluster.process
        return self._conn

    def connect(self, autocommit=True, **more):
        """A further connection; the caller closes it."""
        return self.cluster.connect(self.name, autocommit, **more)

    def execute(self, statement, params=None):
        return self.conn.execute(statement, params)

    def query(self, statement, params=None):
        """All rows, as tuples."""
        return self.conn.execute(statement, params).fetchall()

    def scalar(self, statement, params=None):
        """The first column of the first row."""
        return self.conn.execute(statement, params).fetchone()[0]

    def psql(self, text):
        return self.cluster.psql(text, self.name)

    def drop(self):
        """Ends every session in it and drops it; a server that is down keeps it."""
        if self._conn is not None:
            self._conn.close()
        if not self.cluster.running:
            return
        with self.cluster.connect() as conn:
            conn.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(self.name)))
