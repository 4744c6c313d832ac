"""Fixtures: a server for the session, a fresh database for each test, and the program.

    PGMEND_PG_BIN   folder of the server's programs (default: the newest in /usr/lib/postgresql)
    PGMEND_BINARY   the program (default: build/pgmend of this tree)
"""

import itertools
import json
import os
import pathlib
import shutil
import subprocess

import pytest

import cluster as clusters
import daemons
import pooling
import serving
import watching

ROOT = pathlib.Path(__file__).resolve().parents[2]
TIMEOUT_S = 120

numbers = itertools.count(1)

# What the developer's own environment says about PostgreSQL must reach neither psycopg nor the program.
for name in [n for n in os.environ if n.startswith("PG") and not n.startswith("PGMEND_")]:
    del os.environ[name]


def pytest_configure(config):
    config.addinivalue_line("markers", "hypopg: needs the extension hypopg on the server")
    config.addinivalue_line("markers", "extension(name): needs that extension on the server")
    config.addinivalue_line("markers", "major(at_least, at_most): for these major versions only")


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    """Shows the end of the server's log with a failed test."""
    report = (yield).get_result()
    server = getattr(item, "funcargs", {}).get("cluster")
    if report.failed and isinstance(server, clusters.Cluster):
        report.sections.append(("server log", server.log()))


@pytest.fixture(scope="session")
def cluster():
    """One running server for the session. Tests that stop it, or change its settings, make their own."""
    clusters.remove_stale()
    with clusters.Cluster() as server:
        yield server.start()


@pytest.fixture
def make_cluster():
    """Makes further servers, running, for one test: make_cluster(work_mem="64MB")."""
    made = []

    def make(**settings):
        server = clusters.Cluster(settings=settings)
        made.append(server)
        return server.start()

    yield make
    for server in made:
        server.close()


@pytest.fixture
def small_disk(make_cluster):
    """server, resize = small_disk("8m"): a server with a tablespace "tiny" on a file system of that size, which
    resize("64m") changes. Its own, as a standby of the shared one would replay into the same folder."""
    mounted = []

    def make(size):
        server = make_cluster()
        folder = server.folder / "tiny"
        folder.mkdir()
        if os.geteuid() != 0 or subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", folder],
                                               capture_output=True, check=False).returncode != 0:
            pytest.skip("cannot mount a small file system")
        mounted.append((server, folder))
        shutil.chown(folder, server.account.pw_uid, server.account.pw_gid)
        with server.connect() as conn:
            conn.execute(f"CREATE TABLESPACE tiny LOCATION '{folder}'")

        def resize(new):
            subprocess.run(["mount", "-o", f"remount,size={new}", folder], check=True)

        return server, resize

    yield make
    for server, folder in mounted:
        server.kill()
        subprocess.run(["umount", "-l", folder], check=False)


@pytest.fixture(scope="session")
def standby(cluster):
    """A hot standby of the session's server; standby.wait_for_replay(cluster) before reading from it."""
    server = cluster.make_standby()
    yield server
    server.close()


@pytest.fixture
def db(cluster):
    """A fresh database, dropped at the end."""
    cluster.start()
    database = cluster.new_database(f"test_{next(numbers)}")
    yield database
    database.drop()


@pytest.fixture(autouse=True)
def needs(request):
    """Skips tests whose markers ask for what this server does not have."""
    names = [m.args[0] for m in request.node.iter_markers("extension")]
    if request.node.get_closest_marker("hypopg"):
        names.append("hypopg")
    versions = request.node.get_closest_marker("major")
    if not names and not versions:
        return
    server = request.getfixturevalue("cluster")
    for name in names:
        if not server.has_extension(name):
            pytest.skip(f"no extension {name} for PostgreSQL {server.major}")
    if versions:
        low, high = versions.kwargs.get("at_least", 0), versions.kwargs.get("at_most", 999)
        if not low <= server.major <= high:
            pytest.skip(f"not for PostgreSQL {server.major}")


def find_binary():
    binary = pathlib.Path(os.environ.get("PGMEND_BINARY") or ROOT / "build" / "pgmend").resolve()
    if not binary.exists():
        pytest.fail(f"{binary} does not exist: run make, or set PGMEND_BINARY")
    return binary


def preloaded(name, **env):
    """The environment of a pooler with that module of helpers/ before all others."""
    options = os.environ.get("ASAN_OPTIONS", "")
    return {"LD_PRELOAD": str(find_binary().parent / f"tests/integration/helpers/{name}.so"),
            "ASAN_OPTIONS": f"{options}{':' if options else ''}verify_asan_link_order=0", **env}


class Result:
    """What a run of the program left: rc, out, err; json() parses out."""

    def __init__(self, done):
        self.args = done.args
        self.rc = done.returncode
        self.out = done.stdout
        self.err = done.stderr

    def json(self):
        return json.loads(self.out)

    def __repr__(self):
        return f"{self.args}: exit code {self.rc}\n--- out\n{self.out}\n--- err\n{self.err}"


class Program:
    """The program under test. Call it to run it to its end; popen() to have it run beside the test."""

    def __init__(self, binary, home):
        self.binary = binary
        self.home = home
        self.started = []

    def env(self, more=None):
        # A home of its own: no .pgpass, no service file, no cache of the developer's.
        own = {"HOME": str(self.home), "XDG_CACHE_HOME": str(self.home / ".cache")}
        return clusters.clean_env(**{**own, **(more or {})})

    def __call__(self, *args, input=None, env=None, timeout=TIMEOUT_S, cwd=None):
        given = {"stdin": subprocess.DEVNULL} if input is None else {"input": input}
        return Result(subprocess.run([self.binary, *map(str, args)], text=True, capture_output=True,
                                     env=self.env(env), timeout=timeout, cwd=cwd or self.home, check=False,
                                     **given))

    def popen(self, *args, env=None, cwd=None, **more):
        """Starts it with pipes; killed at the test's end if it still runs."""
        options = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **more}
        child = subprocess.Popen([self.binary, *map(str, args)], text=True, env=self.env(env),
                                 cwd=cwd or self.home, **options)
        self.started.append(child)
        return child

    def close(self):
        for child in self.started:
            if child.poll() is None:
                child.kill()
            # Also closes the pipes.
            child.communicate(timeout=TIMEOUT_S)


@pytest.fixture
def pgmend(tmp_path):
    """The program: pgmend("check", db.conninfo).rc"""
    program = Program(find_binary(), tmp_path)
    yield program
    program.close()


@pytest.fixture
def make_pool(cluster):
    """Starts poolers before the session's server: make_pool(pool_mode="session"); see pooling.Pool. One that
    dies, does not end with 0 or makes a sanitizer report fails the test."""
    made = []

    def make(server=None, **options):
        pool = pooling.Pool(find_binary(), server or cluster, **options)
        made.append(pool)
        return pool.start()

    cluster.start()
    yield make
    daemons.close_all(made)


@pytest.fixture
def pool(make_pool):
    """A pooler in transaction mode with the defaults of the tests."""
    return make_pool()


@pytest.fixture
def make_serve():
    """Starts servers: make_serve({"watch": {"shop": conninfo}}); see serving.Serve. One that dies, does not end
    with 0 or makes a sanitizer report fails the test. start=False: it is only made."""
    made = []

    def make(sections=None, start=True, **options):
        server = serving.Serve(find_binary(), sections, **options)
        made.append(server)
        return server.start() if start else server

    yield make
    daemons.close_all(made)


@pytest.fixture
def probe():
    """probe(shop=conninfo): a watch of these databases, with looks every 200 ms (slow ones every 1.2 s)."""
    made = []

    def make(fast_ms=200, timeout_ms=2000, **targets):
        made.append(watching.Probe(find_binary(), fast_ms, timeout_ms, **targets))
        return made[-1]

    yield make
    for one in made:
        if one.process.poll() is None:
            one.close()


@pytest.fixture(scope="module")
def serve(cluster):
    """One server for the tests of a file, watching the session's cluster as "main"."""
    with serving.Serve(find_binary(), {"watch": {"main": cluster.conninfo()}}) as server:
        yield server.start()
