"""Servers that hang, poolers that pause, servers that are upgraded, disks that are full: who else is held up."""

import contextlib
import os
import pathlib
import resource
import signal
import subprocess

import psycopg
import pytest

import cluster as clusters

HANGING = [f"hangs{n}" for n in range(6)]


def processes_of(server):
    pid = server.process.pid
    return [pid, *map(int, pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text().split())]


@contextlib.contextmanager
def frozen(server):
    """All its processes stand still, but their sockets are open."""
    stopped = []
    try:
        for pid in processes_of(server):
            os.kill(pid, signal.SIGSTOP)
            stopped.append(pid)
        yield
    finally:
        for pid in stopped:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGCONT)


def see_all(watch, names, up):
    """Until each was seen so at least once; other looks are passed over."""
    missing = set(names)
    while missing:
        missing.discard(watch.look(lambda look: look.name in missing and look.up == up).name)


def see_more(watch, name, looks=3):
    """So many further looks at it that went well."""
    first = watch.look(name=name).number
    watch.look(lambda look: look.up and look.number >= first + looks, name=name)


def test_a_server_that_hangs_holds_up_no_other(make_cluster, cluster, probe):
    server = make_cluster()
    for name in HANGING:
        server.new_database(name)
    watch = probe(**{name: server.conninfo(name) for name in HANGING}, stays=cluster.conninfo(), timeout_ms=500)
    see_all(watch, [*HANGING, "stays"], True)
    with frozen(server):
        see_all(watch, HANGING, False)
        see_more(watch, "stays")
    see_all(watch, HANGING, True)


def test_a_paused_pooler_holds_up_no_other(make_pool, cluster, probe):
    """Sessions are opened there, but the first statement of their set-up is not answered."""
    pool = make_pool(databases={name: "{server} dbname=postgres" for name in HANGING})
    watch = probe(**{name: pool.conninfo(name) for name in HANGING}, stays=cluster.conninfo(), timeout_ms=500)
    see_all(watch, [*HANGING, "stays"], True)
    pool.console("PAUSE")
    see_all(watch, HANGING, False)
    see_all(watch, HANGING, False)  # the second time on a new session, which is not set up either
    see_more(watch, "stays")
    pool.console("RESUME")
    see_all(watch, HANGING, True)


def other_major(than):
    """The folder of the programs of another major version; None: this machine has none."""
    folders = [*pathlib.Path("/usr/lib/postgresql").glob("*/bin"), *pathlib.Path("/var/cache/pgmend").glob("pg-*/bin")]
    for folder in sorted(folders):
        if (folder / "initdb").exists() and f"{than}" not in folder.parent.name.split("-"):
            return folder
    return None


def test_a_server_of_another_major_comes_back(cluster, probe):
    folder = other_major(cluster.major)
    if not folder:
        pytest.skip("there is one major version of PostgreSQL here")
    where = {"listen_addresses": "127.0.0.1", "port": clusters.free_port()}
    with clusters.Cluster(settings=where) as old, clusters.Cluster(folder, where) as new:
        old.start()
        watch = probe(shop=old.conninfo(host="127.0.0.1"))
        assert watch.look().version // 10000 == old.major
        watch.look(lambda look: look.has_rate)
        old.stop()
        new.start()
        look = watch.look(lambda look: look.up and look.marked("upgrade"))
        assert look.version // 10000 == new.major != old.major
        assert not look.has_rate, "counters of two servers are not compared"
        failed = [labels for metric, labels, value in look.raw["samples"]
                  if metric == "pg_scrape_collector_success" and not value]
        assert not failed
        watch.look(lambda look: look.has_rate and not look.marked("upgrade"))
        watch.close()


@contextlib.contextmanager
def small_disk(folder):
    """A file system of 8 MB where we may mount one; else None: then the size of files is bounded."""
    done = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=8m,mode=0777", "tmpfs", folder], capture_output=True,
                          check=False) if os.geteuid() == 0 else None
    mounted = done is not None and done.returncode == 0
    try:
        yield folder if mounted else None
    finally:
        if mounted:
            subprocess.run(["umount", "-l", folder], check=True)


def fill(folder):
    with open(folder / "filler", "wb", buffering=0) as filler, contextlib.suppress(OSError):
        while True:
            filler.write(bytes(1 << 16))


def test_a_full_disk_stops_the_history_alone(make_serve, cluster, db, tmp_path):
    port = clusters.free_port()
    where = f"host={cluster.folder} port={cluster.settings['port']} user=postgres"
    for each in (tmp_path, *tmp_path.parents):
        if each != each.parent and each.stat().st_uid == os.getuid() and str(each) != "/tmp":
            each.chmod(0o777)
    disk = tmp_path / "disk"
    disk.mkdir()
    with small_disk(disk) as mounted:
        disk.chmod(0o777)
        serve = make_serve({
            "databases": {db.name: where},
            "pgbouncer": {"listen_addr": "127.0.0.1", "listen_port": port, "auth_type": "trust", "unix_socket_dir": "",
                          "pool_mode": "transaction", "auth_file": "userlist.txt"},
            "serve": {"history": disk / "history.db", "watch_interval": 1, "tables_interval": 1},
        }, start=False)
        (serve.folder / "userlist.txt").write_text('"postgres" ""\n')
        serve.give_away()
        serve.start()

        def metric(name):
            lines = serve.get("/metrics", "viewer").body.decode().splitlines()
            return [float(line.split()[1]) for line in lines if line.startswith(name + " ")][0]

        serve.wait_for(lambda: metric("pgmend_history_written_total") > 2)
        assert metric("pgmend_history_paused") == 0
        if mounted:
            fill(disk)
        else:
            size = (disk / "history.db-wal").stat().st_size
            resource.prlimit(serve.process.pid, resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))
        serve.wait_for(lambda: metric("pgmend_history_paused") == 1)
        dropped = metric("pgmend_history_dropped_total")
        with psycopg.connect(f"host=127.0.0.1 port={port} user=postgres dbname={db.name}", autocommit=True) as client:
            client.prepare_threshold = None
            for n in range(200):
                assert client.execute("SELECT %s::int", [n]).fetchone() == (n,)
        serve.wait_for(lambda: metric("pgmend_history_dropped_total") > dropped)
        assert serve.get(f"/api/v1/databases/{db.name}/summary", "viewer").data["state"] == "up"
        assert "the history pauses" in serve.log(1000)
        serve.stop()
