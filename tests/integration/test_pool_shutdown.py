"""pgmend pool from its start to its end: signals as PgBouncer 1.25 has them, and one process after another."""

import os
import pathlib
import signal
import socket
import subprocess
import threading
import time

import pytest
import wire

import cluster as clusters
from pooling import sleeps, wait_for


def ended(pool, seconds=60):
    """The exit code; the pool is not stopped a second time."""
    code = pool.process.wait(seconds)
    pool.process = None
    return code


def refuses(pool):
    """Whether nobody listens."""
    try:
        wire.open_socket(pool.target, 1).close()
    except (ConnectionRefusedError, ConnectionResetError):  # reset: the listener went while it was in its queue
        return True
    except TimeoutError:
        pass
    return False


def test_sigterm_waits_for_clients(pool):
    with pool.connect() as conn:
        pool.process.send_signal(signal.SIGTERM)
        wait_for(lambda: refuses(pool))
        for i in range(3):  # who is there is served as before, transaction after transaction
            assert conn.scalar(f"SELECT {i}") == str(i)
            time.sleep(0.2)
        assert pool.running
    assert ended(pool) == 0
    assert not os.path.exists(f"{pool.folder}/.s.PGSQL.{pool.port}")


def test_who_came_before_is_served(pool):
    """By the Unix socket, which is for the console alone afterwards."""
    with pool.connect() as held, wire.Raw(pool.unix) as conn:
        pool.process.send_signal(signal.SIGTERM)
        wait_for(lambda: refuses(pool))
        conn.send(wire.startup())
        assert conn.receive_until("ZE")[-1].kind == "Z"
        assert held.scalar("SELECT 1") == "1"
    assert ended(pool) == 0


def test_second_signal_waits_no_longer(pool, cluster):
    with pool.connect() as conn:
        sleeps(cluster, conn)
        pool.process.send_signal(signal.SIGTERM)
        wait_for(lambda: refuses(pool))
        pool.process.send_signal(signal.SIGTERM)
        assert ended(pool) == 0
        assert conn.receive().sqlstate == "57P01"


def test_sigint_waits_for_transactions(pool):
    busy, idle = pool.connect(), pool.connect()
    busy.run(wire.query("BEGIN"))
    pool.process.send_signal(signal.SIGINT)
    wait_for(lambda: refuses(pool))
    assert busy.scalar("SELECT 1") == "1"
    idle.send(wire.query("SELECT 2"))  # it gets no server any more
    assert idle.receive().sqlstate == "57P01"
    assert pool.running
    busy.run(wire.query("COMMIT"))
    assert ended(pool) == 0
    assert busy.receive().sqlstate == "57P01"


@pytest.mark.parametrize("number", [signal.SIGQUIT])
def test_sigquit_waits_for_nobody(pool, cluster, number):
    conn = pool.connect()
    pid = sleeps(cluster, conn)
    pool.process.send_signal(number)
    assert ended(pool) == 0
    assert conn.receive().sqlstate == "57P01"
    with cluster.connect() as direct:
        wait_for(lambda: not direct.execute("SELECT 1 FROM pg_stat_activity WHERE pid = %s", [pid]).fetchone())


def test_half_open_client_does_not_hold_the_end_up(pool):
    with wire.Raw(pool.target) as silent:
        silent.send(b"\0\0")
        time.sleep(0.1)
        pool.process.send_signal(signal.SIGTERM)
        assert ended(pool, 45) == 0  # client_login_timeout is a minute


def test_port_in_use(pool, make_pool, pgmend):
    text = pool.config.read_text()
    second = pool.folder / "second.ini"
    second.write_text(text.replace(f"unix_socket_dir = {pool.folder}", "unix_socket_dir ="))
    done = run_as_owner(pool, [pool.binary, "pool", second])
    assert done.returncode == 2
    assert f"cannot listen on 127.0.0.1 port {pool.port}: Address already in use" in done.stderr
    second.write_text(text.replace("listen_addr = 127.0.0.1", "listen_addr ="))
    done = run_as_owner(pool, [pool.binary, "pool", second])
    assert done.returncode == 2
    assert "Address already in use" in done.stderr
    with pool.connect() as conn, wire.Connection(pool.unix) as local:
        assert conn.scalar("SELECT 1") == local.scalar("SELECT 1") == "1"


def run_as_owner(pool, command, seconds=120):
    as_account = {"user": pool.account.pw_uid, "group": pool.account.pw_gid,
                  "extra_groups": []} if pool.account else {}
    return subprocess.run(command, capture_output=True, text=True, timeout=seconds, env=clusters.clean_env(),
                          stdin=subprocess.DEVNULL, cwd=pool.folder, check=False, **as_account)


def test_stale_unix_socket_is_replaced(pool):
    pool.process.kill()
    pool.process.wait()
    assert os.path.exists(f"{pool.folder}/.s.PGSQL.{pool.port}")
    pool.start()
    with wire.Connection(pool.unix) as conn:
        assert conn.scalar("SELECT 1") == "1"


def test_daemon(pool):
    """-d: the parent ends with 0 when clients can come, and with the child's code where it does not start."""
    pool.stop()
    pidfile, log = pool.folder / "pid", pool.folder / "daemon.log"
    pool.settings.update(pidfile=pidfile, logfile=log)
    pool.write_config()
    done = run_as_owner(pool, [pool.binary, "pool", "-d", pool.config])
    assert done.returncode == 0, done.stderr
    pid = int(pidfile.read_text())
    try:
        with pool.connect() as conn:
            assert conn.scalar("SELECT 1") == "1"
        # a second one neither starts nor touches what is the first one's
        done = run_as_owner(pool, [pool.binary, "pool", "-d", pool.config])
        assert done.returncode == 2
        assert f"process {pid} is running" in done.stderr
        other = pool.folder / "other.ini"
        other.write_text(pool.config.read_text().replace(f"pidfile = {pidfile}", f"pidfile = {pidfile}2"))
        done = run_as_owner(pool, [pool.binary, "pool", "-d", other])
        assert done.returncode == 2
        assert "Address already in use" in done.stderr
        assert int(pidfile.read_text()) == pid
        # its log is opened anew
        log.rename(f"{log}.1")
        os.kill(pid, signal.SIGHUP)
        wait_for(log.exists)
        wait_for(lambda: "was reloaded" in log.read_text())
        assert pathlib.Path(f"/proc/{pid}/fd/2").resolve() == pathlib.Path("/dev/null")
    finally:
        os.kill(pid, signal.SIGTERM)
        wait_for(lambda: not pathlib.Path(f"/proc/{pid}").exists())
    assert not pidfile.exists()


def test_systemd_is_told(make_pool, monkeypatch):
    import tempfile
    with tempfile.TemporaryDirectory(dir="/tmp") as folder, socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
        path = f"{folder}/notify"
        sock.bind(path)
        os.chmod(folder, 0o755)
        os.chmod(path, 0o777)
        sock.settimeout(60)
        real = clusters.clean_env
        monkeypatch.setattr(clusters, "clean_env", lambda **more: real(NOTIFY_SOCKET=path, **more))
        pool = make_pool()
        assert sock.recv(4096) == b"READY=1"
        pool.process.send_signal(signal.SIGHUP)
        told = sock.recv(4096).split(b"\n")
        assert told[0] == b"RELOADING=1" and told[1].startswith(b"MONOTONIC_USEC=")
        assert sock.recv(4096) == b"READY=1"
        pool.process.send_signal(signal.SIGTERM)
        assert sock.recv(4096) == b"STOPPING=1"
        assert ended(pool) == 0


class Load(threading.Thread):
    """Clients that connect, run a transaction and leave, one after the other, until stop is set."""

    def __init__(self, target):
        super().__init__(daemon=True)
        self.target = target
        self.stop = threading.Event()
        self.errors = []
        self.done = 0

    def run(self):
        while not self.stop.is_set():
            try:
                with wire.Connection(self.target) as conn:
                    for _ in range(3):
                        assert conn.scalar("SELECT 7") == "7"
                self.done += 1
            except Exception as error:  # pylint: disable=broad-except
                self.errors.append(repr(error))


def test_graceful_restart(make_pool):
    """A new process beside the old one, which is drained: no client sees an error, by TCP nor by the socket."""
    pool = make_pool(so_reuseport=1)
    longest = pool.connect()
    loads = [Load(pool.target) for _ in range(4)] + [Load(pool.unix) for _ in range(2)]
    for load in loads:
        load.start()
    old = pool.process
    for _ in range(3):
        time.sleep(0.3)
        old = pool.process
        pool.start()
        # start() tries TCP, which the old one may have answered: the new one is there when it has the socket
        wait_for(lambda: f"[{pool.process.pid}] LOG pgmend" in pool.log(1000))
        old.send_signal(signal.SIGTERM)
        if longest:
            time.sleep(0.3)
            assert longest.scalar("SELECT 1") == "1"
            longest.close()
            longest = None
        assert old.wait(60) == 0
    before = sum(load.done for load in loads)
    wait_for(lambda: any(load.errors for load in loads) or
             (sum(load.done for load in loads) > before and min(load.done for load in loads) > 10))
    for load in loads:
        load.stop.set()
    for load in loads:
        load.join(60)
    assert [load.errors for load in loads if load.errors] == []
