"""A pooler for a test: its folder, its configuration, its process, and what must hold at its end.

PGMEND_POOLER names another pooler's program (pgbouncer), to see what that does in the same tests.
"""

import os
import signal
import subprocess
import time

import wire
from daemons import Daemon

PATIENCE_S = 60
ASKS = "SELECT pid FROM pg_stat_activity"

SETTINGS = {
    "listen_addr": "127.0.0.1",
    "auth_type": "trust",
    "pool_mode": "transaction",
    "default_pool_size": 5,
    "max_client_conn": 4000,
    "admin_users": "postgres",
    "log_connections": 0,
    "log_disconnections": 0,
}


def wait_for(what, *arguments, seconds=PATIENCE_S):
    """Waits until what(...) is true; its value. On a machine that others use, too, nothing comes soon for sure."""
    deadline = time.monotonic() + seconds
    while not (found := what(*arguments)):
        assert time.monotonic() < deadline, f"it did not come in {seconds} s"
        time.sleep(0.02)
    return found


def one(rows, **wanted):
    """The only one of the console's rows that is so."""
    found = [row for row in rows if all(row[key] == value for key, value in wanted.items())]
    assert len(found) == 1, (wanted, rows)
    return found[0]


def backends(cluster, where="true"):
    """Pids of the clients' backends but for the one that asks; who asked before may not have ended yet."""
    with cluster.connect() as conn:
        found = conn.execute(f"{ASKS} WHERE backend_type = 'client backend'"
                             f" AND pid <> pg_backend_pid() AND {where}").fetchall()
    return [row[0] for row in found]


def sleeps(cluster, conn, seconds=300):
    """Starts a query that would sleep for so long, and waits until it does; its backend's pid."""
    text = f"/* {time.monotonic_ns()} */ SELECT pg_sleep({seconds})"
    conn.send(wire.query(text))
    with cluster.connect() as direct:
        return wait_for(lambda: direct.execute(f"{ASKS} WHERE query = %s AND state = 'active'", [text]).fetchone())[0]


def other_pooler():
    """The program of another pooler, or None where ours is tested."""
    return os.environ.get("PGMEND_POOLER")


def make_certificate(folder, name="server"):
    """A self-signed certificate and its key."""
    cert, key = folder / f"{name}.crt", folder / f"{name}.key"
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
                    "-days", "2", "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost",
                    "-keyout", key, "-out", cert], check=True, capture_output=True)
    return cert, key


class Pool(Daemon):
    """A running pooler in front of a cluster. target is its TCP port, unix its socket.

    databases: lines of [databases] by name, with {server} for where the cluster is. users: [users] lines.
    secrets: lines of userlist.txt. tls: with a certificate of its own. files: further ones by name; a setting
    that is such a name is given its path. env: further variables of its environment.
    conninfo: it is started with that instead of a configuration.
    """

    PREFIX = "pgmt-pool-"
    STOP = signal.SIGQUIT

    def __init__(self, binary, cluster, databases=None, users=None, secrets=None, tls=False, files=None,
                 env=None, conninfo=None, **settings):
        super().__init__(other_pooler() or binary)
        self.env.update(env or {})
        self.given = conninfo
        self.cluster = cluster
        self.target = ("127.0.0.1", self.port)
        self.unix = (str(self.folder), self.port)
        self.databases = databases or {"*": "{server}"}
        self.users = users or {}
        self.peers = {}  # lines of [peers] by number
        self.secrets = secrets or {"postgres": ""}
        self.settings = {**SETTINGS, **settings}
        for name, text in (files or {}).items():
            (self.folder / name).write_text(text)
        self.settings = {k: self.folder / v if v in (files or {}) else v for k, v in self.settings.items()}
        if tls:
            cert, key = make_certificate(self.folder)
            self.settings.update(client_tls_sslmode="allow", client_tls_cert_file=cert, client_tls_key_file=key)
        self.config = self.folder / "pool.ini"
        self.write_config()

    def write_config(self):
        server = f"host={self.cluster.folder} port={self.cluster.settings['port']}"
        lines = ["[databases]"]
        lines += [f"{name} = {line.format(server=server)}" for name, line in self.databases.items()]
        lines += ["[users]"] + [f"{name} = {line}" for name, line in self.users.items()]
        lines += ["[peers]"] + [f"{number} = {line}" for number, line in self.peers.items()] if self.peers else []
        values = {"listen_port": self.port, "unix_socket_dir": self.folder,
                  "auth_file": self.folder / "userlist.txt", **self.settings}
        lines += ["[pgbouncer]"] + [f"{k} = {v}" for k, v in values.items()]
        self.config.write_text("\n".join(lines) + "\n")
        (self.folder / "userlist.txt").write_text("".join(f'"{u}" "{s}"\n' for u, s in self.secrets.items()))
        self.give_away()

    def command(self):
        if self.given:
            return [self.binary, "pool", "--set", f"listen_port={self.port}", self.given]
        return [self.binary, self.config] if other_pooler() else [self.binary, "pool", self.config]

    def answers(self):
        wire.open_socket(self.target, 1).close()
        return True

    def connect(self, database="postgres", **more):
        return wire.Connection(self.target, database=database, **more)

    def conninfo(self, database="postgres", **more):
        from psycopg import conninfo
        return conninfo.make_conninfo(**{"host": self.target[0], "port": self.port, "user": "postgres",
                                         "dbname": database, **more})

    def console(self, command):
        """Rows of a console command as dicts by column."""
        with wire.Connection(self.target, database="pgbouncer") as conn:
            answer = conn.run(wire.query(command))
            if any(m.kind == "E" for m in answer):
                raise wire.Failed(answer)
            names = []
            for found in answer:
                if found.kind == "T":
                    names, at = [], 2
                    while at < len(found.body):
                        end = found.body.index(b"\0", at)
                        names.append(found.body[at:end].decode())
                        at = end + 19
            return [dict(zip(names, m.cells())) for m in answer if m.kind == "D"]
