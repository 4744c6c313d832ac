"""Cancel requests that come to another process than their client's ([peers]), or while the pooler prepares a server."""

import contextlib
import os
import pathlib
import signal
import socket
import struct

import pytest

import wire
from pooling import PATIENCE_S, sleeps, wait_for


def cancel_at(target, key):
    with wire.Raw(target) as other:
        other.send(wire.cancel_request(key))
        return other.rest()


def ends_cancelled(conn):
    conn.sock.settimeout(PATIENCE_S)
    return [m.sqlstate for m in conn.answer() if m.kind == "E"] == ["57014"]


def become_peers(pools, lines):
    for number, pool in pools.items():
        pool.settings["peer_id"] = number
        pool.peers = lines
        pool.write_config()
        pool.console("RELOAD")


def name_of_loopback():
    """A name that must be looked up, but in /etc/hosts."""
    for line in pathlib.Path("/etc/hosts").read_text().splitlines():
        address, *names = line.split("#")[0].split() or [""]
        for name in names:
            if address.startswith("127.") and name != "localhost":
                return name
    return "localhost"


@pytest.mark.parametrize("how", ["directory", "address", "name"])
@pytest.mark.parametrize("mode", ["transaction", "session"])
def test_a_peers_client(make_pool, cluster, how, mode):
    """What comes to one process for a client of the other is carried out there."""
    one, two = make_pool(pool_mode=mode), make_pool(pool_mode=mode)
    hosts = {"directory": lambda pool: pool.folder, "address": lambda pool: "127.0.0.1",
             "name": lambda pool: name_of_loopback()}
    become_peers({1: one, 0x203: two}, {number: f"host={hosts[how](pool)} port={pool.port}"
                                        for number, pool in ((1, one), (0x203, two))})
    with two.connect() as conn, two.connect() as bystander:
        for each in (conn, bystander):
            assert len(each.key) == 8 and each.key[0] < 128
            assert each.key[1:3] == b"\x03\x02" and each.key[7] & 3 == 3
        sleeps(cluster, bystander)
        for _ in range(3):
            sleeps(cluster, conn)
            assert cancel_at(one.target, conn.key) == b""
            assert ends_cancelled(conn)
        assert cancel_at(two.target, bystander.key) == b""  # and its own process takes it as ever
        assert ends_cancelled(bystander)
    with one.connect() as conn:
        sleeps(cluster, conn)
        assert cancel_at(two.unix, conn.key[:7] + bytes([conn.key[7] & 0xfd])) == b""  # passed on before
        assert ends_cancelled(conn)


class Peer:
    """A peer that reads what it is sent and says nothing."""

    def __init__(self):
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.conns = []

    def take(self):
        self.listener.settimeout(PATIENCE_S)
        self.conns.append(self.listener.accept()[0])
        self.conns[-1].settimeout(PATIENCE_S)
        return self.conns[-1].recv(1000)

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        for each in [self.listener, *self.conns]:
            each.close()


def test_what_a_peer_is_sent(make_pool):
    """One hop less; nothing that was passed on too often, and nothing for whom we do not know. SHOW says so."""
    pool = make_pool()
    with Peer() as peer:
        become_peers({1: pool}, {2: f"host=127.0.0.1 port={peer.port} pool_size=1", 1: f"host={pool.folder}"})
        assert pool.console("SHOW PEERS") == [
            {"peer_id": "1", "host": str(pool.folder), "port": "6432", "pool_size": "5"},
            {"peer_id": "2", "host": "127.0.0.1", "port": str(peer.port), "pool_size": "1"}]
        nobody, spent = b"\x01\x07\x00\x01abc\xff", b"\x01\x02\x00\x01abc\xfc"
        for key in (nobody, spent, b"\x01\x01\x00\x01abc\xff"):
            assert cancel_at(pool.target, key) == b""
        counts = ["cl_active_cancel_req", "cl_waiting_cancel_req", "sv_active_cancel", "sv_login"]

        def shown():
            return [tuple(int(row[name]) for name in counts) for row in pool.console("SHOW PEER_POOLS")]

        assert shown() == [(0, 0, 0, 0)] * 2
        askers = []
        for at in range(2):
            askers.append(wire.Raw(pool.target))
            askers[-1].send(wire.cancel_request(b"\x01\x02\x00\x01abc" + bytes([0xff - at])))
        sent = [peer.take()]
        wait_for(lambda: shown() == [(0, 0, 0, 0), (1, 1, 1, 0)])
        peer.conns[0].close()
        sent.append(peer.take())
        peer.conns[1].close()
        assert sorted(sent) == [struct.pack("!iiI", 16, wire.CANCEL_CODE, 0x01020001) + b"abc" + bytes([last])
                                for last in (0xfd, 0xfe)]
        for asker in askers:
            asker.sock.settimeout(PATIENCE_S)
            assert asker.rest() == b""
            asker.close()
        assert shown() == [(0, 0, 0, 0)] * 2


def test_a_peer_that_is_not_there(make_pool):
    """The request ends, and the log says once that it could not be passed on."""
    pool = make_pool(cancel_wait_timeout=1)
    with Peer() as peer:
        port = peer.port
    become_peers({1: pool}, {2: f"host=127.0.0.1 port={port}", 3: "host=nowhere.invalid"})
    for number in (2, 2, 3):
        assert cancel_at(pool.target, bytes([1, number, 0, 1]) + b"abc\xff") == b""
    log = pool.log()
    assert log.count("peer 2: cancel requests for its clients cannot be passed on") == 1
    assert log.count("peer 3: cancel requests for its clients cannot be passed on") == 1


@contextlib.contextmanager
def stopped(pid):
    """The server's process does nothing meanwhile."""
    os.kill(int(pid), signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(int(pid), signal.SIGCONT)


def is_in_use(pool):
    return [row["state"] for row in pool.console("SHOW SERVERS")] not in ([], ["idle"])


def received(pool):
    return sum(int(row["total_received"]) for row in pool.console("SHOW STATS"))


SIMPLE = [wire.query("CREATE TABLE ran ()")]
EXTENDED = [wire.parse("", "CREATE TABLE ran ()"), wire.bind("", ""), wire.execute(), wire.sync()]


@pytest.mark.parametrize("request_", [SIMPLE, EXTENDED], ids=["simple", "extended"])
@pytest.mark.parametrize("job, settings, own", [("check", {"server_check_delay": 0}, {}), ("clean", {"strict": 1}, {}),
                                                ("apply", {}, {"DateStyle": "German"})], ids=lambda v: str(v)[:8])
def test_cancel_before_it_began(make_pool, db, job, settings, own, request_):
    """While a server is made ready for a client, what waits for that is cancelled, and nobody else's query."""
    pool = make_pool(default_pool_size=1, **settings)
    with pool.connect(db.name, **own) as conn, pool.connect(db.name) as other:
        conn.sock.settimeout(PATIENCE_S)
        other.sock.settimeout(PATIENCE_S)
        with stopped(other.scalar("SELECT pg_backend_pid()")):
            conn.send(*request_)
            wait_for(is_in_use, pool)
            other.send(wire.query("SELECT 'other'"))
            for _ in range(2):  # the second has nothing to cancel
                assert cancel_at(pool.target, conn.key) == b""
            assert conn.receive().sqlstate == "57014"
            if request_ is SIMPLE:
                assert conn.receive().body == b"I"
        if request_ is EXTENDED:
            assert conn.receive().body == b"I"
        assert [m.cells() for m in other.answer() if m.kind == "D"] == [["other"]]
        assert conn.scalar("SELECT to_regclass('ran')") is None
        assert conn.fetch("SELECT $1", "it goes on") == [["it goes on"]]


def test_cancel_before_it_began_in_a_transaction(make_pool, db):
    """It fails, and so does its transaction."""
    pool = make_pool(default_pool_size=1)
    with pool.connect(db.name) as other:
        other.query("CREATE SEQUENCE numbers")
        for request_ in ([wire.query("SELECT lastval()")],
                         [wire.parse("", "SELECT lastval()"), wire.bind("", ""), wire.execute(), wire.sync()]):
            with pool.connect(db.name) as conn:  # of which it is not known yet that it reads such values
                conn.sock.settimeout(PATIENCE_S)
                pid = other.scalar("SELECT pg_backend_pid() FROM nextval('numbers')")
                conn.query("BEGIN")
                before = received(pool)
                with stopped(pid):
                    conn.send(*request_)
                    wait_for(lambda: received(pool) > before)  # the pooler forgets the other's sequence values
                    assert cancel_at(pool.target, conn.key) == b""
                assert [m.sqlstate for m in conn.answer() if m.kind == "E"] == ["57014"]
                assert conn.status == "E"
                conn.query("ROLLBACK")
        assert other.scalar("SELECT 'other'") == "other"
