"""TLS on both sides of the pooler: what each sslmode takes and refuses, certificates, and what must not leak."""

import contextlib
import os
import select
import signal
import socket
import ssl
import struct
import subprocess
import threading
import time

import psycopg
import pytest
import wire

import cluster as clusters
from pooling import sleeps, wait_for

MODES = ["disable", "allow", "prefer", "require", "verify-ca", "verify-full"]


class Certificates:
    """A certificate authority and what it signed, as files in a folder."""

    def __init__(self, folder):
        self.folder = folder
        self.ca, self.ca_key = self.make("ca", "our authority", ca=True)

    def make(self, name, common_name, ca=False, alt=None, signed=True):
        cert, key = self.folder / f"{name}.crt", self.folder / f"{name}.key"
        command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
                   "-days", "2", "-subj", f"/CN={common_name}", "-keyout", key, "-out", cert]
        if alt:
            command += ["-addext", f"subjectAltName={alt}"]
        if not ca and signed:
            command += ["-CA", self.ca, "-CAkey", self.ca_key, "-addext", "basicConstraints=critical,CA:FALSE"]
        done = subprocess.run(command, capture_output=True, check=False)
        if done.returncode != 0 and "-CA" in command:  # OpenSSL 1 and 3.0 sign requests alone
            request = self.folder / f"{name}.csr"
            subprocess.run(["openssl", "req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
                            "-subj", f"/CN={common_name}", "-keyout", key, "-out", request], check=True,
                           capture_output=True)
            extensions = self.folder / f"{name}.ext"
            extensions.write_text(f"subjectAltName={alt}\n" if alt else "basicConstraints=CA:FALSE\n")
            subprocess.run(["openssl", "x509", "-req", "-in", request, "-CA", self.ca, "-CAkey", self.ca_key,
                            "-CAcreateserial", "-days", "2", "-extfile", extensions, "-out", cert], check=True,
                           capture_output=True)
        else:
            done.check_returncode()
        key.chmod(0o600)
        return cert, key


@pytest.fixture(scope="module")
def certs(tmp_path_factory):
    folder = tmp_path_factory.mktemp("certs")
    for path in (folder, *folder.parents):  # the pooler reads them as another user
        if path.stat().st_uid == os.geteuid() and path.stat().st_mode & 0o055 != 0o055:
            path.chmod(0o755)
    return Certificates(folder)


@pytest.fixture(scope="module")
def server(certs):
    """A cluster that speaks TLS, and whose users log in by SCRAM."""
    cert, key = certs.make("server", "localhost", alt="DNS:localhost")
    with clusters.Cluster(settings={"listen_addresses": "127.0.0.1", "port": clusters.free_port()}) as made:
        for name, path in (("server.crt", cert), ("server.key", key)):
            (made.data / name).write_bytes(path.read_bytes())
            (made.data / name).chmod(0o600)
            made._give(made.data / name)  # pylint: disable=protected-access
        (made.data / "pg_hba.conf").write_text(
            "local all all trust\nhostssl all ann 127.0.0.1/32 scram-sha-256\n"
            "hostnossl all bob 127.0.0.1/32 password\nhostnossl all carl 127.0.0.1/32 scram-sha-256\n"
            "host all plain 127.0.0.1/32 trust\n"
            "host all postgres 127.0.0.1/32 trust\n")
        made.settings.update(ssl="on", ssl_cert_file="server.crt", ssl_key_file="server.key")
        made._write_settings()  # pylint: disable=protected-access
        made.start()
        with made.connect() as conn:
            for name in ("ann", "bob", "carl", "plain"):
                conn.execute(f"CREATE ROLE {name} LOGIN PASSWORD 'pw{name}'")
        yield made


@pytest.fixture
def front(make_pool, certs):
    """Makes poolers with a certificate for localhost: front(mode, ...)."""
    cert, key = certs.make("pooler", "localhost", alt="DNS:localhost,IP:127.0.0.1")

    def make(mode, **more):
        files = {"pooler.crt": cert.read_text(), "pooler.key": key.read_text(), "ca.crt": certs.ca.read_text()}
        return make_pool(files=files, client_tls_sslmode=mode, client_tls_cert_file="pooler.crt",
                         client_tls_key_file="pooler.key", client_tls_ca_file="ca.crt", **more)
    return make


def connect(pool, **more):
    return psycopg.connect(pool.conninfo(connect_timeout=10, **more), autocommit=True)


def works(pool, **more):
    with connect(pool, **more) as conn:
        return conn.execute("SELECT 5").fetchone() == (5,)


def refused(pool, **more):
    with pytest.raises(psycopg.OperationalError) as caught:
        connect(pool, **more).close()
    return str(caught.value)


@pytest.mark.parametrize("mode", MODES)
def test_client_modes(front, certs, mode):
    pool = front(mode)
    ann, ann_key = certs.make("ann", "ann")
    alien, alien_key = certs.make("alien", "ann", signed=False)
    own = {"sslcert": str(ann), "sslkey": str(ann_key)}
    other = {"sslcert": str(alien), "sslkey": str(alien_key)}
    ours = {"sslrootcert": str(certs.ca), "host": "localhost", "sslmode": "verify-full"}
    if mode == "disable":
        assert works(pool, sslmode="prefer")
        assert "server does not support SSL" in refused(pool, sslmode="require")
        return
    if mode in ("allow", "prefer"):
        assert works(pool, sslmode="disable")
    else:
        assert "SSL required" in refused(pool, sslmode="disable")
    if mode.startswith("verify"):
        assert works(pool, **ours, **own)
        refused(pool, **ours)
    else:
        assert works(pool, **ours)
        assert works(pool, **ours, **own)
    assert refused(pool, **ours, **other)
    assert works(pool, sslmode="prefer", **own)
    assert wire.Connection(pool.unix).scalar("SELECT 1") == "1"  # it needs no TLS there


def test_client_certificates(front, certs):
    """auth_type cert: the certificate's name is the user, or what the ident map makes of it."""
    ann, ann_key = certs.make("ann", "ann")
    own = {"sslmode": "require", "sslcert": str(ann), "sslkey": str(ann_key)}
    secrets = {"ann": "", "postgres": ""}
    pool = front("verify-full", auth_type="cert", secrets=secrets, databases={"*": "{server} user=postgres"})
    assert works(pool, user="ann", **own)
    assert 'certificate authentication failed for user "postgres"' in refused(pool, user="postgres", **own)
    rules = "hostssl all all all cert map=m\n"
    pool.settings.update(auth_type="hba", auth_hba_file=pool.folder / "hba", auth_ident_file=pool.folder / "ident")
    (pool.folder / "hba").write_text(rules)
    (pool.folder / "ident").write_text("m ann postgres\n")
    pool.write_config()
    pool.stop()
    pool.start()
    assert works(pool, user="postgres", **own)
    assert "certificate authentication failed" in refused(pool, user="ann", **own)


def test_channel_binding(front, server):
    """SCRAM-SHA-256-PLUS with the client; and one who strips it from our offer is found out."""
    pool = front("require", server=server, auth_type="scram-sha-256", secrets={"ann": "pwann"},
                 databases={"*": f"host=127.0.0.1 port={server.settings['port']}"},
                 server_tls_sslmode="require")
    assert works(pool, user="ann", password="pwann", sslmode="require", channel_binding="require")
    assert "password authentication failed" in refused(pool, user="ann", password="no", sslmode="require",
                                                       channel_binding="require")
    pool = front("allow", server=server, auth_type="scram-sha-256", secrets={"ann": "pwann"})
    assert "channel binding" in refused(pool, user="ann", password="pwann", sslmode="disable",
                                        channel_binding="require")


def test_bytes_behind_the_request(front):
    """What came in the clear with SSLRequest is never taken for what came through TLS."""
    pool = front("allow")
    for stuffed in (wire.startup(), wire.startup() + wire.query("SELECT 1"), b"x"):
        with wire.Raw(pool.target) as raw:
            raw.send(wire.ssl_request() + stuffed)
            data = raw.rest(3)
            assert b"received unencrypted data after SSL request" in data and not data.startswith(b"S")
    with wire.Raw(pool.target) as raw:
        raw.start_tls()
        raw.send(wire.ssl_request())
        assert b"unsupported frontend protocol" in raw.rest(3)
    with wire.Raw(pool.target) as raw:
        raw.send(wire.ssl_request())
        assert raw.sock.recv(1) == b"S"
        raw.send(wire.startup())
        assert b"R" not in raw.rest(3)[:1]


def direct_tls(pool, protocols):
    context = wire.tls_context()
    if protocols:
        context.set_alpn_protocols(protocols)
    raw = wire.Raw(pool.target)
    raw.sock = context.wrap_socket(raw.sock)
    return raw


def test_direct_tls(front):
    """PostgreSQL 17's: a hello at once, with ALPN."""
    pool = front("require")
    with direct_tls(pool, ["postgresql"]) as raw:
        assert raw.sock.selected_alpn_protocol() == "postgresql"
        raw.send(wire.startup())
        assert raw.receive_until("ZE")[-1].kind == "Z"
        raw.send(wire.query("SELECT 7"))
        assert [m.cells() for m in raw.receive_until("Z") if m.kind == "D"] == [["7"]]
    for protocols in (None, ["http/1.1"]):
        with pytest.raises((ssl.SSLError, wire.Closed, OSError)):
            with direct_tls(pool, protocols) as raw:
                raw.send(wire.startup())
                raw.receive()
    pool = front("disable")
    with pytest.raises((ssl.SSLError, OSError)):
        direct_tls(pool, ["postgresql"])


@pytest.mark.parametrize("mode", MODES)
def test_server_modes(make_pool, certs, server, mode):
    """With TLS as the setting says; verify-full wants the name that is in the certificate."""
    ca = {"server_tls_ca_file": certs.ca} if mode.startswith("verify") else {}
    port = server.settings["port"]
    pool = make_pool(server, server_tls_sslmode=mode, secrets={"plain": "", "postgres": "", "ann": "pwann"}, **ca,
                     databases={"postgres": f"host=localhost port={port}",
                                "byip": f"host=127.0.0.1 port={port} dbname=postgres"})
    uses_tls = "SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()"
    with pool.connect(user="plain") as conn:
        assert conn.scalar(uses_tls) == ("f" if mode in ("disable", "allow") else "t")
    if mode == "verify-full":
        with pytest.raises(wire.Failed) as caught:
            pool.connect("byip", user="plain")
        assert "certificate" in str(caught.value) or "TLS" in str(caught.value)
    else:
        with pool.connect("byip", user="plain") as conn:
            assert conn.scalar("SELECT 1") == "1"
    if mode not in ("disable", "allow"):
        with pool.connect(user="ann") as conn:  # hostssl, SCRAM with channel binding
            assert conn.scalar("SELECT current_user") == "ann"
    # a cancel reaches a server behind TLS too
    with pool.connect(user="plain") as conn:
        sleeps(server, conn)
        conn.cancel()
        assert [m.sqlstate for m in conn.answer() if m.kind == "E"] == ["57014"]


@pytest.mark.parametrize("mode", ["allow", "prefer", "require"])
def test_server_modes_fall_back(make_pool, server, mode):
    """Who is let in only with TLS, or only without it, is, by allow and by prefer. Not at the price of a
    password in the clear."""
    pool = make_pool(server, server_tls_sslmode=mode, secrets={"ann": "pwann", "bob": "pwbob", "carl": "pwcarl",
                                                               "nobody": ""},
                     databases={"postgres": f"host=127.0.0.1 port={server.settings['port']}"}, default_pool_size=3)
    uses_tls = "SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()"
    for user, tls in (("ann", "t"), ("carl", "f"), ("ann", "t")):
        if (user, mode) == ("carl", "require"):
            with pytest.raises(wire.Failed) as caught:
                pool.connect(user=user)
            assert caught.value.sqlstate == "28000"
            continue
        with pool.connect(user=user) as one, pool.connect(user=user) as other:
            one.query("BEGIN")
            assert one.scalar(uses_tls) == other.scalar(uses_tls) == tls
    for user in ("bob", "nobody"):
        if (user, mode) == ("bob", "allow"):
            continue  # TLS was not asked for, so it is given, as by libpq
        with pytest.raises(wire.Failed):
            pool.connect(user=user)


def test_a_broken_handshake_is_no_habit(make_pool):
    """prefer goes without TLS in that connection's place alone."""
    with socket.create_server(("127.0.0.1", 0)) as breaking:
        breaking.settimeout(60)
        pool = make_pool(databases={"postgres": f"host=127.0.0.1 port={breaking.getsockname()[1]}"},
                         server_tls_sslmode="prefer")
        with wire.Raw(pool.target) as client:
            client.send(wire.startup())
            asked = []
            for _ in range(4):
                conn, _ = breaking.accept()
                with conn:
                    conn.settimeout(60)
                    asked.append(conn.recv(1000) == wire.ssl_request())
                    if asked[-1]:
                        conn.sendall(b"S")
            assert asked == [True, False, True, False]


class Wiretap(threading.Thread):
    """Between the pooler and its server: keeps what each connection sends. deny: answers SSLRequest with N."""

    def __init__(self, port):
        super().__init__(daemon=True)
        self.to, self.sent, self.deny = ("127.0.0.1", port), [], False
        self.sock = socket.create_server(("127.0.0.1", 0))
        self.port = self.sock.getsockname()[1]
        self.start()

    def run(self):
        while True:
            try:
                conn, _ = self.sock.accept()
            except OSError:
                return
            self.sent.append(b"")
            threading.Thread(target=self.carry, args=(conn, len(self.sent) - 1), daemon=True).start()

    def carry(self, conn, number):
        with conn, socket.create_connection(self.to) as server, contextlib.suppress(OSError):
            if self.deny:
                self.sent[number] += conn.recv(1000)
                conn.sendall(b"N")
            while True:
                for ready in select.select([conn, server], [], [])[0]:
                    data = ready.recv(65536)
                    if not data:
                        return
                    if ready is conn:
                        self.sent[number] += data
                    (server if ready is conn else conn).sendall(data)


@pytest.mark.parametrize("mode", ["prefer", "require", "verify-full"])
def test_cancel_requests_go_over_tls(make_pool, certs, server, mode):
    """A key that came over TLS is never sent in the clear; where the server speaks no TLS now, not at all."""
    tap = Wiretap(server.settings["port"])
    ca = {"server_tls_ca_file": certs.ca} if mode.startswith("verify") else {}
    pool = make_pool(server, server_tls_sslmode=mode, secrets={"plain": ""}, default_pool_size=1, **ca,
                     databases={"postgres": f"host=localhost port={tap.port}"})
    sleeping = "SELECT 1 FROM pg_stat_activity WHERE query LIKE 'SELECT pg_sleep%' AND state = 'active'"
    with pool.connect(user="plain") as conn, server.connect() as direct:
        conn.sock.settimeout(wire.TIMEOUT_S)
        for deny in (False, True):
            conn.send(wire.query("SELECT pg_sleep(300)"))
            while not direct.execute(sleeping).fetchone():
                time.sleep(0.01)
            tap.deny = deny
            conn.cancel()
            if deny:
                assert "its query is not cancelled: its server speaks no TLS now" in pool.log()
                tap.deny = False
                conn.cancel()
            assert [m.sqlstate for m in conn.answer() if m.kind == "E"] == ["57014"]
    tap.sock.close()
    assert len(tap.sent) == 4
    code = struct.pack("!i", wire.CANCEL_CODE)
    for sent in tap.sent:
        assert sent.startswith(wire.ssl_request()) and code not in sent


@pytest.mark.parametrize("mode", ["verify-ca", "verify-full"])
def test_unknown_authority(make_pool, certs, server, mode):
    alien, _ = certs.make("alienca", "other authority", ca=True)
    pool = make_pool(server, server_tls_sslmode=mode, server_tls_ca_file=alien, query_wait_timeout=2,
                     databases={"postgres": f"host=localhost port={server.settings['port']}"})
    with pytest.raises(wire.Failed):
        pool.connect()
    assert "TLS with the server failed" in pool.log()


class Denier(threading.Thread):
    """A server that answers SSLRequest as it is told to, and keeps what it is sent after that."""

    def __init__(self, answer):
        super().__init__(daemon=True)
        self.answer = answer
        self.seen = b""
        self.sock = socket.create_server(("127.0.0.1", 0))
        self.port = self.sock.getsockname()[1]
        self.start()

    def run(self):
        while True:
            try:
                conn, _ = self.sock.accept()
            except OSError:
                return
            with conn:
                conn.settimeout(60)
                try:
                    first = conn.recv(1000)
                    if first[4:8] != struct.pack("!i", wire.SSL_CODE):
                        self.seen += first
                    conn.sendall(self.answer)
                    data = conn.recv(1000)
                    self.seen += data
                    if data:  # a startup packet: ask for the password in the clear
                        conn.sendall(b"R" + struct.pack("!ii", 8, 3))
                        self.seen += conn.recv(1000)
                except OSError:
                    pass


@pytest.mark.parametrize("answer", [b"N", b"E", b"", b"SS", b"SR\0\0\0\x08\0\0\0\0", b"\x16"])
@pytest.mark.parametrize("mode", ["require", "verify-full"])
def test_no_password_without_tls(make_pool, certs, answer, mode):
    """A server, or who is between, that denies TLS gets nothing of us: no name and no password."""
    denier = Denier(answer)
    pool = make_pool(databases={"postgres": f"host=127.0.0.1 port={denier.port} user=u password=topsecret"},
                     server_tls_sslmode=mode, query_wait_timeout=1, server_connect_timeout=1,
                     **({"server_tls_ca_file": certs.ca} if mode != "require" else {}))
    with pytest.raises(wire.Failed):
        pool.connect()
    denier.sock.close()
    assert b"topsecret" not in denier.seen and b"user" not in denier.seen
    assert "topsecret" not in pool.log(10000)


def test_certificates_are_read_anew(front, certs):
    """A reload takes a new certificate; one that does not fit its key leaves all as it was."""
    pool = front("require")

    def shown():
        with wire.Raw(pool.target) as raw:
            raw.start_tls()
            return raw.sock.getpeercert(binary_form=True)
    kept = wire.Connection(pool.target, tls=True)
    first = shown()
    cert, key = certs.make("renewed", "localhost", alt="DNS:localhost")
    (pool.folder / "pooler.crt").write_text(cert.read_text())
    pool.process.send_signal(signal.SIGHUP)
    wait_for(lambda: "the old one stays" in pool.log())
    assert shown() == first
    (pool.folder / "pooler.key").write_text(key.read_text())
    pool.process.send_signal(signal.SIGHUP)
    wait_for(lambda: shown() != first)
    assert kept.scalar("SELECT 1") == "1"
