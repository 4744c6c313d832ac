"""What the pooler's benchmark talks to: PostgreSQL itself, and poolers in front of it.

A Target has a port on the loopback and the processes whose time and memory count as its own.
"""

import os
import pathlib
import resource
import shutil
import signal
import socket
import subprocess
import tempfile
import time

import cluster as clusters

POOL_SIZE = 10
CLIENTS_MAX = 12_000
START_TIMEOUT_S = 20
STOP_TIMEOUT_S = 10
TICKS = os.sysconf("SC_CLK_TCK")
DATABASE = "bench"

# As a small production server, but for the wait for the disk, which no pooler changes.
SERVER = {
    "listen_addresses": "127.0.0.1",
    "shared_buffers": "512MB",
    "max_connections": "200",
    "synchronous_commit": "off",
    "fsync": "off",
    "max_wal_size": "4GB",
    "checkpoint_timeout": "30min",
    "autovacuum": "off",
}


class TargetError(Exception):
    """A pooler that did not start; the message ends with its log."""


def raise_file_limit(wanted=65_536):
    """For 10,000 sockets here and as many in a pooler, which inherits it. The limit that is now in force."""
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, max(hard, wanted)))
    except (ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, wanted), hard))
    return resource.getrlimit(resource.RLIMIT_NOFILE)[0]


def make_certificate(folder, account):
    """A self-signed certificate and its key, readable by who runs the servers."""
    cert, key = folder / "bench.crt", folder / "bench.key"
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
                    "-days", "2", "-subj", "/CN=localhost", "-keyout", key, "-out", cert],
                   check=True, capture_output=True)
    key.chmod(0o600)
    if account:
        for path in (cert, key):
            os.chown(path, account.pw_uid, account.pw_gid)
    return cert, key


def cpu_seconds(pids):
    """User and system time of the processes, all their threads, dead ones too."""
    user = system = 0
    for pid in pids:
        fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        user += int(fields[11])
        system += int(fields[12])
    return user / TICKS, system / TICKS


def resident_kb(pids):
    total = 0
    for pid in pids:
        for line in pathlib.Path(f"/proc/{pid}/status").read_text().splitlines():
            if line.startswith("VmRSS:"):
                total += int(line.split()[1])
    return total


class Direct:
    """PostgreSQL without a pooler: max_connections is the end of it."""

    name = "direct"
    clients_max = 190
    pids = ()

    def __init__(self, cluster):
        self.port = cluster.settings["port"]

    def start(self):
        return self

    def death(self):
        return None

    def close(self):
        pass


class Pooler:
    """One or more processes of a pooler on one port, in transaction mode, with POOL_SIZE servers in all.

    Started as the user of the servers where we are root, for PgBouncer does not run as root.
    """

    clients_max = CLIENTS_MAX

    def __init__(self, name, command, cluster, processes=1, **settings):
        self.name = name
        self.command = command
        self.cluster = cluster
        self.processes = processes
        self.settings = settings
        self.children = []
        self.port = clusters.free_port()
        self.folder = None

    @property
    def pids(self):
        return [child.pid for child in self.children]

    def _write_config(self):
        account = self.cluster.account
        values = {
            "listen_addr": "127.0.0.1", "listen_port": self.port, "unix_socket_dir": "", "auth_type": "trust",
            "auth_file": self.folder / "userlist.txt", "pool_mode": "transaction", "listen_backlog": 1024,
            "default_pool_size": POOL_SIZE // self.processes, "max_client_conn": CLIENTS_MAX,
            "server_tls_sslmode": "disable", "ignore_startup_parameters": "extra_float_digits",
            "log_connections": 0, "log_disconnections": 0, "log_stats": 0, "admin_users": "postgres",
            **self.settings,
        }
        if self.processes > 1:
            values["so_reuseport"] = 1
        server = f"host=127.0.0.1 port={self.cluster.settings['port']} dbname={DATABASE}"
        lines = ["[databases]", f"{DATABASE} = {server}", "[pgbouncer]"]
        (self.folder / "pool.ini").write_text("\n".join(lines + [f"{k} = {v}" for k, v in values.items()]) + "\n")
        (self.folder / "userlist.txt").write_text('"postgres" ""\n')
        (self.folder / "userlist.txt").chmod(0o600)
        if account:
            for path in (self.folder, *self.folder.iterdir()):
                os.chown(path, account.pw_uid, account.pw_gid)

    def start(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="pgmend-bench-", dir="/tmp"))
        self._write_config()
        account = self.cluster.account
        as_account = {"user": account.pw_uid, "group": account.pw_gid, "extra_groups": []} if account else {}
        try:
            for n in range(self.processes):
                with open(self.folder / f"log{n}", "wb") as log:
                    self.children.append(subprocess.Popen(
                        [*self.command, self.folder / "pool.ini"], stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                        cwd=self.folder, env=clusters.clean_env(), start_new_session=True,
                        preexec_fn=clusters.die_with_parent(os.getpid()), **as_account))
            self._wait()
        except BaseException:
            self.close()
            raise
        return self

    def _wait(self):
        deadline = time.monotonic() + START_TIMEOUT_S
        while True:
            time.sleep(0.1)
            if any(child.poll() is not None for child in self.children):
                raise TargetError(f"{self.name} ended at its start:\n{self.log()}")
            try:
                socket.create_connection(("127.0.0.1", self.port), 1).close()
                return
            except OSError as error:
                if time.monotonic() > deadline:
                    raise TargetError(f"{self.name} does not answer: {error}\n{self.log()}") from error

    def log(self):
        return "".join(path.read_text(errors="replace")[-2000:] for path in sorted(self.folder.glob("log*")))

    def death(self):
        """How a process of it ended that should run, with the end of its log; None while all run."""
        codes = [child.returncode for child in self.children if child.poll() is not None]
        return f"{self.name} ended with {codes[0]}:\n{self.log()}" if codes else None

    def close(self):
        for child in self.children:
            if child.poll() is None:
                child.send_signal(signal.SIGQUIT)
        for child in self.children:
            try:
                child.wait(STOP_TIMEOUT_S)
            except subprocess.TimeoutExpired:
                child.kill()
                child.wait()
        self.children = []
        if self.folder:
            shutil.rmtree(self.folder, ignore_errors=True)


class Targets:
    """The poolers that are measured, by the kind of cell that they are for; started when first asked for."""

    def __init__(self, cluster, pgmend, pgbouncer=None, debian=shutil.which("pgbouncer")):
        self.cluster = cluster
        self.pgmend = [pgmend, "pool"]
        self.bouncers = {}
        if debian:
            self.bouncers[version(debian)] = [debian]
        if pgbouncer:
            self.bouncers[version(pgbouncer)] = [pgbouncer]
        self.started = {}

    def _pooler(self, group, name, command, **settings):
        key = (group, name)
        if key not in self.started:
            self.started[key] = Pooler(name, command, self.cluster, **settings).start()
        return self.started[key]

    def standard(self, tls=None):
        """Direct, PgBouncer as one process and as two, pgmend with a thread for each core and with one."""
        group, more = "plain", {}
        if tls:
            group = "tls"
            more = {"client_tls_sslmode": "prefer", "client_tls_cert_file": tls[0], "client_tls_key_file": tls[1]}
        found = [Direct(self.cluster)]
        for name, command in self.bouncers.items():
            found.append(self._pooler(group, name, command, **more))
            found.append(self._pooler(group, f"{name} x 2", command, processes=2, **more))
        found.append(self._pooler(group, "pgmend", self.pgmend, **more))
        found.append(self._pooler(group, "pgmend, 1 worker", self.pgmend, workers=1, **more))
        return found

    def variants(self):
        """pgmend as it comes, without the profile, and strict."""
        return [self._pooler("plain", "pgmend", self.pgmend),
                self._pooler("variants", "pgmend, profile = 0", self.pgmend, profile=0),
                self._pooler("variants", "pgmend, strict = 1", self.pgmend, strict=1)]

    def fresh(self):
        """Poolers for the memory: not started, so that each serves nobody else before or besides."""
        found = []
        for name, command in self.bouncers.items():
            found += [Pooler(name, command, self.cluster), Pooler(f"{name} x 2", command, self.cluster, processes=2)]
        return found + [Pooler("pgmend", self.pgmend, self.cluster),
                        Pooler("pgmend, 1 worker", self.pgmend, self.cluster, workers=1)]

    def close(self, group=None):
        for key in list(self.started):
            if group in (None, key[0]):
                self.started.pop(key).close()


def version(program):
    """How a PgBouncer calls itself: "PgBouncer 1.18"."""
    first = subprocess.run([program, "--version"], capture_output=True, text=True, check=True).stdout.split("\n")[0]
    return ".".join(first.strip().split(".")[:2])
