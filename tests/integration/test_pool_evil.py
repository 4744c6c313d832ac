"""Hostile servers: whatever one says, its client gets an answer or an end, nobody else notices, and nothing of it is left
when the server is honest again. docs/pool-hostile.md says which test is about what.

    PGMEND_EVIL_COUNT   how many mutated answers (default: what takes some seconds; a release runs 1,000,000)
"""

import hashlib
import os
import socket
import struct
import time

import pytest

import evil
import wire

COUNT = int(os.environ.get("PGMEND_EVIL_COUNT", "240"))
BATCH = 200
PATIENCE_S = 60


class Evils:
    """A pooler with one honest database, and others of an evil server: what one of those does wrong is in misdeeds by
    its name, until the server is honest."""

    def __init__(self, make_pool, password="", **settings):
        self.misdeeds = {}
        self.server = evil.EvilServer(lambda name: self.misdeeds.get(name))
        self.pool = make_pool(databases={"good": "{server} dbname=postgres",
                                         "*": f"host=127.0.0.1 port={self.server.port} {password}"},
                              **{"query_timeout": 2, "server_connect_timeout": 2, "server_login_retry": 1,
                                 "query_wait_timeout": 3, "client_login_timeout": 30, **settings})

    def ask(self, names):
        """What each name's client gets: messages, and whether that was all, or the connection is still open."""
        conns, found = {}, {}
        for name in names:
            conns[name] = wire.Raw(self.pool.target, PATIENCE_S)
            conns[name].send(wire.startup(database=name) + wire.query("SELECT 'do evil'"))
        deadline = time.monotonic() + PATIENCE_S
        for name, conn in conns.items():
            got = []
            try:
                while sum(m.kind == "Z" for m in got) < 2:
                    conn.sock.settimeout(max(0.01, deadline - time.monotonic()))
                    got.append(conn.receive())
                found[name] = got, "answered"
            except wire.Closed:
                found[name] = got, "closed within a message" if conn.buffer else "closed"
            except TimeoutError:
                found[name] = got, "open"
            conn.close()
        return found

    def ask_in_batches(self, names):
        names, found = list(names), {}
        for start in range(0, len(names), BATCH):
            found.update(self.ask(names[start:start + BATCH]))
            # Who has nothing to do with it is served meanwhile.
            with self.pool.connect("good") as bystander:
                assert bystander.scalar("SELECT 'served'") == "served"
        return found

    def assert_forgotten(self, names):
        """The next clients get honest answers alone."""
        self.server.honest = True
        deadline = time.monotonic() + PATIENCE_S
        for _ in range(2):
            left = list(names)
            while left:
                for name, (got, how) in self.ask(left[:BATCH]).items():
                    if how == "answered":
                        assert [m.kind for m in got[-4:]] == list("TDCZ"), (name, got)
                        assert got[-3].cells() == ["honest"], (name, got)
                        left.remove(name)
                assert time.monotonic() < deadline, left


@pytest.fixture
def evils(make_pool):
    made = Evils(make_pool)
    process = made.pool.process
    yield made
    assert made.pool.process is process and made.pool.running
    made.server.close()


def assert_ended(found, name):
    """By an answer, or by the pooler, which then says so."""
    got, how = found[name]
    assert how != "open", (name, got)
    if how == "closed":
        assert got and got[-1].kind == "E" and got[-1].fields()["S"] == "FATAL", (name, got)
        assert got[-1].sqlstate and len(got[-1].sqlstate) == 5, (name, got)


def test_evil_logins(evils):
    """Errors with missing, doubled and unterminated fields, odd authentication, impossible lengths, wrong order."""
    evils.misdeeds = {f"login {n}": ("login", what) for n, what in evil.LOGINS.items()}
    found = evils.ask_in_batches(evils.misdeeds)
    for name in found:
        assert_ended(found, name)
    evils.assert_forgotten(evils.misdeeds)


def test_evil_answers(evils):
    """Broken rows, impossible lengths, no ReadyForQuery, two of them, what nothing asked for."""
    evils.misdeeds = {f"answer {n}": ("answer", what) for n, what in evil.ANSWERS.items()}
    found = evils.ask_in_batches(evils.misdeeds)
    for name in found:
        assert_ended(found, name)
    evils.assert_forgotten(evils.misdeeds)


def test_a_server_that_dies_at_each_byte(evils):
    """Of its login and of its answer; the client gets what came whole, then an error."""
    length = len(evil.LOGIN) + len(evil.ANSWER)
    evils.misdeeds = {f"cut {n}": ("cut", n) for n in range(length)}
    found = evils.ask_in_batches(evils.misdeeds)
    for n in range(length):
        assert_ended(found, f"cut {n}")
        got, how = found[f"cut {n}"]
        assert how != "answered" and all(m.kind in "RSKZTDCE" for m in got), (n, got)
    evils.assert_forgotten(list(evils.misdeeds)[::7])


def test_mutated_answers(evils):
    evils.misdeeds = {f"mutant {n}": evil.mutant(n) for n in range(COUNT)}
    found = evils.ask_in_batches(evils.misdeeds)
    for name in found:
        # A length that was changed may announce more than comes: that is waited for until query_timeout.
        assert found[name][1] != "open", name
    evils.assert_forgotten(list(evils.misdeeds)[::4])


FIRSTS = [b"", b"r=NONCEx,s=,i=4096", b"r=NONCEx,s=eA==,i=0", b"r=NONCEx,s=eA==,i=-1", b"r=NONCEx,s=eA==,i=2147483648",
          b"r=NONCEx,s=eA==,i=99999999999999999999", b"r=NONCEx,s=eA==,i=x", b"r=NONCEx,s=eA==", b"r=other,s=eA==,i=4096",
          b"r=NONCE,s=eA==,i=4096", b"r=NONCE" + b"x" * 1_000_000 + b",s=eA==,i=4096",
          b"r=NONCEx,s=" + b"QUFB" * 20_000 + b",i=4096", b"s=eA==,r=NONCEx,i=4096", b"r=NONCEx,s=!!!!,i=4096",
          b"m=x,r=NONCEx,s=eA==,i=4096", b"r=NONCEx\0,s=eA==,i=4096", b"r=NONCEx,s=eA==,i=4096" + b"," * 5000,
          b"e=other-error", b"r=NONCEx,s=eA==,i=2000000000", b"r=NONCEx,s=eA==,i=4096"]


def test_evil_scram(make_pool):
    """Nonces, salts and iterations of any kind, and a signature that is wrong: an error for its client, no crash, no
    endless work, and nobody is believed who does not know the password."""
    evils = Evils(make_pool, "user=u password=topsecret")
    evils.misdeeds = {f"sasl {n}": ("sasl", first) for n, first in enumerate(FIRSTS)}
    found = evils.ask_in_batches(evils.misdeeds)
    for name in found:
        assert_ended(found, name)
        assert found[name][1] == "closed", (name, found[name])
    assert not any(b"topsecret" in p for p in evils.server.passwords)
    assert "topsecret" not in evils.pool.log(10_000)
    evils.server.close()


def test_a_password_is_not_sent_to_who_asks(make_pool):
    """Over TCP without TLS a server that asks for it in the clear does not get it."""
    evils = Evils(make_pool, "user=u password=topsecret")
    evils.misdeeds = {"cleartext": ("password", evil.message(b"R", struct.pack("!i", 3)))}
    found = evils.ask(evils.misdeeds)
    assert_ended(found, "cleartext")
    assert found["cleartext"][1] == "closed"
    assert not any(b"topsecret" in p for p in evils.server.passwords), evils.server.passwords
    assert "topsecret" not in repr(found) and "topsecret" not in evils.pool.log(10_000)
    evils.server.close()


def test_a_server_that_asks_after_a_reload(make_pool):
    """It still gets what its connection began with."""
    with socket.create_server(("127.0.0.1", 0)) as slow:
        pool = make_pool(databases={"db": f"host=127.0.0.1 port={slow.getsockname()[1]} user=slowly password=secret"},
                         server_tls_sslmode="disable", server_connect_timeout=PATIENCE_S)
        with wire.Raw(pool.target) as client:
            client.send(wire.startup(database="db"))
            slow.settimeout(PATIENCE_S)
            conn, _ = slow.accept()
            with conn:
                conn.settimeout(PATIENCE_S)
                assert b"slowly" in conn.recv(1000)
                pool.console("RELOAD")
                conn.sendall(evil.message(b"R", struct.pack("!i", 5) + b"SALT"))
                inner = hashlib.md5(b"secretslowly").hexdigest().encode()
                assert conn.recv(1000)[5:-1] == b"md5" + hashlib.md5(inner + b"SALT").hexdigest().encode()
