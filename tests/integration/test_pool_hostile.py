"""Hostile clients: the pooler answers or closes, and others never notice. docs/pool-hostile.md says which test is about
what; test_pool_evil.py is about hostile servers.

    PGMEND_SOON_S   how many seconds an answer may take: 1 is our aim, more is for loaded machines
"""

import os
import random
import socket
import struct
import threading
import time

import pytest

import wire
from pooling import wait_for

SOON_S = float(os.environ.get("PGMEND_SOON_S", "60"))


@pytest.fixture
def alive(pool):
    """The pooler; at the end another client is served at once, by the same process."""
    process = pool.process
    with pool.connect() as bystander:
        yield pool
        assert bystander.query("SELECT 'served'") == [["served"]]
    start = time.monotonic()
    with pool.connect() as conn:
        assert conn.scalar("SELECT 1") == "1"
    assert time.monotonic() - start < SOON_S
    assert pool.process is process and pool.running


def answer_to(pool, data, seconds=SOON_S):
    """Messages until the pooler closes; None where it did not in time."""
    with wire.Raw(pool.target) as conn:
        try:
            conn.send(data)
        except (BrokenPipeError, ConnectionResetError):
            pass
        got = conn.closed_within(seconds)
        return None if got is None else wire.messages_of(got)


def assert_refused(found, *states, name=""):
    """Closed in time, without a word or with a FATAL of one of these SQLSTATEs."""
    assert found is not None, f"{name}: still open"
    if found and found[0].kind == "R":  # AuthenticationOk, before the server was asked
        found = found[1:]
    if not found:
        return
    assert [m.kind for m in found] == ["E"], (name, found)
    assert found[0].fields()["S"] == "FATAL" and found[0].sqlstate in (states or ("08P01",)), (name, found)


# The first packet

FIRST_PACKETS = {
    "http": b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
    "length 0": struct.pack("!i", 0) + b"\0" * 8,
    "length 4": struct.pack("!i", 4) + b"\0" * 8,
    "length 7": struct.pack("!i", 7) + b"\0\3\0\0",
    "length 2 GB": struct.pack("!I", 0x7fffffff) + b"\0\3\0\0",
    "length 4 GB": struct.pack("!I", 0xffffffff) + b"\0\3\0\0",
    "too long": struct.pack("!i", 10_005) + b"\0\3\0\0",
    "only a length": wire.packet(b""),
    "no terminator": wire.packet(b"\0\3\0\0user\0postgres"),
    "no last zero": wire.packet(b"\0\3\0\0user\0postgres\0"),
    "odd strings": wire.packet(b"\0\3\0\0user\0postgres\0database\0\0"),
    "rubbish after the end": wire.packet(b"\0\3\0\0user\0postgres\0\0more"),
    "cancel too short": wire.packet(struct.pack("!i", wire.CANCEL_CODE) + b"\0\0"),
    "cancel without a key": wire.packet(struct.pack("!i", wire.CANCEL_CODE)),
    "cancel too long": wire.packet(struct.pack("!i", wire.CANCEL_CODE) + b"\1" * 600),
    "tls hello without tls": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"x" * 600,
    "zeroes": b"\0" * 200,
    "ones": b"\xff" * 200,
}


def test_broken_first_packets(alive):
    for name, data in FIRST_PACKETS.items():
        assert_refused(answer_to(alive, data), name=name)


def test_no_user(alive):
    body = struct.pack("!i", wire.PROTOCOL_3)
    for more in (b"\0", b"database\0postgres\0\0", b"user\0\0\0"):
        assert_refused(answer_to(alive, wire.packet(body + more)), "28000")


def test_protocol_2(alive):
    found = answer_to(alive, wire.packet(struct.pack("!i", 0x00020000) + b"\0" * 292))
    # In the words of that time, or in today's.
    assert found is not None and found[0].data.startswith(b"EFATAL:") or found[0].sqlstate == "0A000", found
    assert_refused(answer_to(alive, wire.startup(protocol=0x00040000)), "0A000")


def test_newer_protocols_are_negotiated(alive):
    for protocol, options in ((0x00030002, {}), (0x0003270f, {}), (0x00030000, {"_pq_.x": "1"}),
                              (0x00030005, {"_pq_.a": "1", "_pq_.b": "2"})):
        with wire.Raw(alive.target) as conn:
            conn.send(wire.startup(protocol=protocol, **options))
            found = conn.receive_until("ZE")
            told = [m for m in found if m.kind == "v"]
            if told:
                minor, count = struct.unpack_from("!ii", told[0].body)
                assert minor & 0xffff <= protocol & 0xffff and count == len(options)
                names = told[0].body[8:].split(b"\0")[:-1]
                assert names == [o.encode() for o in options]
                assert found[0].kind == "v"
            else:
                assert protocol == 0x00030002 and not options, "silently ignored"
            assert found[-1].kind == "Z"
            conn.send(wire.query("SELECT 1"))
            assert [m.kind for m in conn.receive_until("Z")] == list("TDCZ")


def test_user_twice(alive):
    """Refused, or one of them is meant by all: the login, the server and SHOW CLIENTS."""
    body = struct.pack("!i", wire.PROTOCOL_3) + b"user\0nobody_here\0user\0postgres\0database\0postgres\0\0"
    with wire.Raw(alive.target) as conn:
        conn.send(wire.packet(body))
        found = conn.receive_until("ZE")
        if found[-1].kind == "E":
            assert found[-1].fields()["S"] == "FATAL"
            return
        conn.send(wire.query("SELECT session_user"))
        assert [m.cells() for m in conn.receive_until("Z") if m.kind == "D"] == [["postgres"]]


def test_quotes_in_names(alive):
    for name in ("x'; DROP TABLE y; --", 'a"b', "a b", "$1", "%s%n", "\\", "é" * 30):
        assert_refused(answer_to(alive, wire.startup(user=name)), "28000", "28P01", "08P01")
        assert_refused(answer_to(alive, wire.startup(database=name)), "3D000", "08P01")
        with alive.connect(application_name=name) as conn:
            shown = conn.scalar("SHOW application_name")
            assert shown == name or not name.isascii()


def test_long_values(alive):
    for length in (0, 1, 63, 64, 65, 200, 1023, 1024, 5000, 9900):
        text = "n" * length
        for key in ("user", "database"):
            found = answer_to(alive, wire.startup(**{key: text}) + wire.terminate())
            assert length == 0 or found is not None, (key, length)
            if found and length:
                assert found[-1].kind == "E" and found[-1].fields()["S"] == "FATAL", (key, length, found)
        found = answer_to(alive, wire.startup(application_name=text) + wire.terminate())
        assert found is not None and found[-1].kind in "ZE", length
        found = answer_to(alive, wire.startup(**{f"x.{text}": "1"}) + wire.terminate())
        assert found is not None, length


def test_unknown_settings_are_refused_as_by_postgresql(alive):
    assert_refused(answer_to(alive, wire.startup(no_such_setting="1")), "42704")
    assert_refused(answer_to(alive, wire.startup(options="-c no_such_setting=1")), "42704")
    assert_refused(answer_to(alive, wire.startup(work_mem="nonsense")), "22023")


# Encryption

def test_bytes_stuffed_before_tls(make_pool):
    pool = make_pool(tls=True)
    with wire.Raw(pool.target) as conn:
        conn.send(wire.ssl_request() + wire.startup())
        got = conn.closed_within(SOON_S)
        assert got is not None and b"Z" not in got[1:], got
    # Then a real handshake: what was sent in the clear is not taken as sent within.
    with wire.Raw(pool.target) as conn:
        conn.send(wire.ssl_request() + wire.message(b"X"))
        try:
            answer = conn.sock.recv(1)
            if answer == b"S":
                with pytest.raises((OSError, wire.Closed)):
                    wire.tls_context().wrap_socket(conn.sock).sendall(wire.startup())
                    raise wire.Closed
        except ConnectionResetError:
            pass


def test_encryption_asked_for_twice(make_pool):
    pool = make_pool(tls=True)
    with wire.Raw(pool.target) as conn:
        conn.start_tls()
        conn.send(wire.ssl_request())
        assert conn.closed_within(SOON_S) is not None
    with wire.Raw(pool.target) as conn:
        conn.send(wire.gssenc_request())
        assert conn.sock.recv(1) in (b"N", b"E")


def test_gssenc_then_a_login(alive):
    with wire.Raw(alive.target) as conn:
        conn.send(wire.gssenc_request())
        assert conn.sock.recv(1) == b"N"
        conn.send(wire.ssl_request())
        assert conn.sock.recv(1) == b"N"
        conn.send(wire.startup())
        assert conn.receive_until("ZE")[-1].kind == "Z"


def test_direct_tls_needs_alpn(make_pool):
    pool = make_pool(tls=True)
    context = wire.tls_context()
    with wire.Raw(pool.target) as conn:
        with pytest.raises((OSError, wire.Closed)):
            conn.sock = context.wrap_socket(conn.sock)
            conn.send(wire.startup())
            conn.receive()
    context.set_alpn_protocols(["postgresql"])
    with wire.Raw(pool.target) as conn:
        conn.sock = context.wrap_socket(conn.sock)
        conn.send(wire.startup())
        assert conn.receive_until("ZE")[-1].kind == "Z"


def test_rubbish_within_tls(make_pool):
    pool = make_pool(tls=True)
    rng = random.Random(1)
    for i in range(20):
        with wire.Raw(pool.target) as conn:
            conn.send(wire.ssl_request())
            assert conn.sock.recv(1) == b"S"
            conn.send(rng.randbytes(rng.choice([1, 5, 100, 5000])) + b"\x16\x03\x01\0\5rubbish")
            if i % 2:
                conn.abort()
            else:
                conn.sock.shutdown(socket.SHUT_WR)
                assert conn.closed_within(SOON_S) is not None
    with wire.Connection(pool.target, tls=True) as conn:
        assert conn.scalar("SELECT 1") == "1"


# Login

MALFORMED_SASL = {
    "no mechanism": wire.password(b""),
    "mechanism without an end": wire.password(b"SCRAM-SHA-256"),
    "unknown mechanism": wire.sasl_initial("PLAIN", b"x"),
    "empty mechanism": wire.sasl_initial("", b"n,,n=,r=abc"),
    "plus without tls": wire.sasl_initial("SCRAM-SHA-256-PLUS", b"p=tls-server-end-point,,n=,r=abc"),
    "no data": wire.password(b"SCRAM-SHA-256\0"),
    "length -1": wire.sasl_initial("SCRAM-SHA-256", b"n,,n=,r=abc", -1),
    "length -2": wire.sasl_initial("SCRAM-SHA-256", b"n,,n=,r=abc", -2),
    "length -16": wire.sasl_initial("SCRAM-SHA-256", b"n,,n=,r=abc", -16),
    "length 2 GB": wire.sasl_initial("SCRAM-SHA-256", b"n,,n=,r=abc", 0x7fffffff),
    "length min": wire.sasl_initial("SCRAM-SHA-256", b"n,,n=,r=abc", 0x80000000),
    "length too long by one": wire.sasl_initial("SCRAM-SHA-256", b"n,,n=,r=abc", 12),
    "length too short by one": wire.sasl_initial("SCRAM-SHA-256", b"n,,n=,r=abc", 10),
    "empty first": wire.sasl_initial("SCRAM-SHA-256", b""),
    "comma": wire.sasl_initial("SCRAM-SHA-256", b","),
    "no nonce": wire.sasl_initial("SCRAM-SHA-256", b"n,,n="),
    "nonce of 60 kB": wire.sasl_initial("SCRAM-SHA-256", b"n,,n=,r=" + b"a" * 60_000),
    "nul within": wire.sasl_initial("SCRAM-SHA-256", b"n,,n=\0,r=abc"),
    "not printable": wire.sasl_initial("SCRAM-SHA-256", b"n,,n=,r=a\xff\x01"),
    "authzid": wire.sasl_initial("SCRAM-SHA-256", b"n,a=other,n=,r=abc"),
    "bad flag": wire.sasl_initial("SCRAM-SHA-256", b"q,,n=,r=abc"),
    "binding without plus": wire.sasl_initial("SCRAM-SHA-256", b"p=tls-unique,,n=,r=abc"),
    "extension": wire.sasl_initial("SCRAM-SHA-256", b"n,,m=x,n=,r=abc"),
    "query instead": wire.query("SELECT 1"),
    "sync instead": wire.sync(),
    "plain password": wire.password(b"secret\0"),
    "1 GB announced": wire.raw(b"p\x3f\xff\xff\xff" + b"x" * 100),
    "length 3": wire.raw(b"p\0\0\0\3"),
    "length 4 GB": wire.raw(b"p\xff\xff\xff\xff"),
}
# A verifier of the password "secret".
VERIFIER = ("SCRAM-SHA-256$4096:W22ZaJ0SNY7soEsUEjb6gQ==$WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY="
            ":wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU=")


@pytest.fixture
def scram_pool(make_pool):
    return make_pool(auth_type="scram-sha-256", secrets={"postgres": VERIFIER}, client_login_timeout=5)


def test_malformed_sasl(scram_pool):
    process = scram_pool.process
    for name, data in MALFORMED_SASL.items():
        with wire.Raw(scram_pool.target) as conn:
            conn.send(wire.startup())
            assert conn.receive().kind == "R"
            conn.send(data)
            got = conn.closed_within(SOON_S)
            assert got is not None, f"{name}: still open"
            found = wire.messages_of(got)
            assert [m.kind for m in found] == ["E"] and found[0].sqlstate in ("28P01", "08P01", "28000", "0A000"), \
                f"{name}: {found}"
    assert scram_pool.process is process and scram_pool.running


def test_malformed_sasl_final(scram_pool):
    finals = [b"", b"c=biws", b"c=biws,r=wrong,p=AAAA", b"c=biws,r=NONCE", b"c=biws,r=NONCE,p=", b"c=eSws,r=NONCE,p=eA==",
              b"c=biws,r=NONCE,p=!!!!", b"c=biws,r=NONCE,p=" + b"A" * 60_000, b"x" * 60_000, b"c=biws,r=NONCE,x=1,p=AAAA",
              b"c=" + b"b" * 20_000 + b",r=NONCE,p=AAAA", b"\0" * 50, b",,,,", b"p=AAAA,r=NONCE,c=biws"]
    for final in finals:
        with wire.Raw(scram_pool.target) as conn:
            conn.send(wire.startup())
            conn.receive()
            conn.send(wire.sasl_initial("SCRAM-SHA-256", b"n,,n=,r=clientnonce"))
            nonce = conn.receive().body[4:].split(b",")[0][2:]
            assert nonce.startswith(b"clientnonce") and len(nonce) > 25
            conn.send(wire.password(final.replace(b"NONCE", nonce)))
            got = conn.closed_within(SOON_S)
            assert got is not None, final[:40]
            assert [m.sqlstate for m in wire.messages_of(got)] in (["28P01"], ["08P01"]), final[:40]


def test_queries_before_the_login_are_not_run(scram_pool, db):
    db.execute("CREATE TABLE traces (n int)")
    for data in (wire.query("INSERT INTO traces VALUES (1)"),
                 wire.parse("", "INSERT INTO traces VALUES (1)") + wire.bind("", "") + wire.execute() + wire.sync()):
        with wire.Raw(scram_pool.target) as conn:
            conn.send(wire.startup(database=db.name) + data)
            assert conn.closed_within(SOON_S) is not None
        with wire.Raw(scram_pool.target) as conn:
            conn.send(wire.startup(database=db.name), wire.sasl_initial("SCRAM-SHA-256", b"n,,n=,r=abc"), data)
            assert conn.closed_within(SOON_S) is not None
    assert db.scalar("SELECT count(*) FROM traces") == 0


def test_unknown_users_look_like_wrong_passwords(scram_pool):
    def failure(user):
        with wire.Raw(scram_pool.target) as conn:
            conn.send(wire.startup(user=user))
            first = conn.receive()
            conn.send(wire.sasl_initial("SCRAM-SHA-256", b"n,,n=,r=clientnonce"))
            second = conn.receive()
            fields = dict(part.split(b"=", 1) for part in second.body[4:].split(b","))
            conn.send(wire.password(b"c=biws,r=" + fields[b"r"] + b",p=" + b"A" * 43 + b"="))
            last = wire.messages_of(conn.closed_within(SOON_S))
            return first, len(fields[b"s"]), fields[b"i"], [(m.sqlstate, m.fields()["M"].replace(user, "U"))
                                                            for m in last], fields[b"s"]
    known, unknown, again = failure("postgres"), failure("nobody_here"), failure("nobody_here")
    assert known[:4] == unknown[:4]
    # Its salt stays the same, as a real one's.
    assert unknown == again


def test_wrong_password_after_the_right_one(make_pool, cluster):
    import psycopg
    pool = make_pool(auth_type="scram-sha-256", secrets={"postgres": "secret"})
    for _ in range(5):
        psycopg.connect(pool.conninfo(password="secret")).close()
        for wrong in ("wrong", "", "secret ", "Secret", "s" * 5000):
            with pytest.raises(psycopg.OperationalError):
                psycopg.connect(pool.conninfo(password=wrong), connect_timeout=60)


# Messages

BROKEN_LENGTHS = [b"Q\0\0\0\0", b"Q\0\0\0\3", b"Q\xff\xff\xff\xff", b"Q\x80\0\0\0", b"Q\x7f\xff\xff\xff", b"P\0\0\0\1",
                  b"d\xff\xff\xff\xff", b"B\x40\0\0\0", b"S\0\0\0\3", b"X\0\0\0\0", b"p\0\0\0\0"]


def servers_taken(pool):
    return sum(1 for row in pool.console("SHOW SERVERS") if row["state"] == "active")


def test_broken_lengths(alive):
    for data in BROKEN_LENGTHS:
        with alive.connect() as conn:
            conn.send(data + b"\0" * 20)
            got = conn.closed_within(SOON_S)
            assert got is not None, data
            assert_refused(wire.messages_of(got), name=data)


def test_unknown_and_server_only_types(alive):
    for kind in set(range(256)) - set(b"BCDEFHPQSXcdfp"):
        with alive.connect() as conn:
            conn.send(wire.message(bytes([kind]), b"abc"))
            got = conn.closed_within(SOON_S)
            assert got is not None, kind
            found = wire.messages_of(got)
            assert [m.sqlstate for m in found] == ["08P01"] and found[0].fields()["S"] == "FATAL", (kind, found)


def test_announced_gigabytes_take_no_server(make_pool):
    """A header alone takes no server connection, and no memory to speak of."""
    pool = make_pool(default_pool_size=2)
    before = pool.rss_bytes()
    conns = [pool.connect() for _ in range(50)]
    for i, conn in enumerate(conns):
        conn.send((b"QPBd"[i % 4:i % 4 + 1] if i % 4 != 3 else b"F") + b"\x3f\xff\xff\xff" + b"x" * 1000)
    time.sleep(0.3)
    assert servers_taken(pool) == 0
    with pool.connect() as conn:
        assert conn.scalar("SELECT 1") == "1"
    assert pool.rss_bytes() - before < 50_000_000
    for conn in conns:
        conn.abort()


def test_bind_with_many_parameters(alive):
    with alive.connect() as conn:
        many = 65535
        body = b"\0\0\0\0" + struct.pack("!H", many) + b"\xff\xff\xff\xff" * many + b"\0\0"
        found = conn.run(wire.parse("", "SELECT 1"), wire.message(b"B", body), wire.sync())
        assert [m.sqlstate for m in found if m.kind == "E"] == ["08P01"]
        body = b"\0SELECT 1\0" + struct.pack("!H", many) + struct.pack("!I", 23) * many
        assert conn.run(wire.message(b"P", body), wire.sync())[-1].kind == "Z"
        assert conn.scalar("SELECT 1") == "1"


def test_long_names_and_many_statements(alive):
    with alive.connect() as conn:
        name = "n" * 100_000
        assert conn.fetch("SELECT $1::int + 1", "1", name=name) == [["2"]]
        found = conn.run(wire.bind("", name, ["2"]), wire.execute(), wire.sync())
        assert [m.cells() for m in found if m.kind == "D"] == [["3"]]
        # also where a part of the name came before the rest
        message = wire.bind("", name, ["3"])
        conn.send(message[:70_000])
        with alive.connect() as other:
            assert other.scalar("SELECT 1") == "1"
        found = conn.run(message[70_000:], wire.execute(), wire.sync())
        assert [m.cells() for m in found if m.kind == "D"] == [["4"]]
        for start in range(0, 5000, 500):
            conn.run(*(wire.parse(f"s{i}", f"SELECT {i}") for i in range(start, start + 500)), wire.sync())
        for i in (0, 77, 2500, 4999):
            found = conn.run(wire.bind("", f"s{i}"), wire.execute(), wire.sync())
            assert [m.cells() for m in found if m.kind == "D"] == [[str(i)]]


def test_syncs_without_end(alive):
    with alive.connect() as conn:
        count = 100_000
        reader = threading.Thread(target=conn.send, args=(wire.sync() * count,))
        reader.start()
        for _ in range(count):
            assert conn.receive().kind == "Z"
        reader.join()
        assert conn.scalar("SELECT 1") == "1"


def test_clients_that_do_not_read(make_pool):
    pool = make_pool(default_pool_size=5)
    with pool.connect() as conn:
        conn.query("SELECT 1")
    before = pool.rss_bytes()
    conns = []
    for _ in range(4):
        conns.append(pool.connect())
        conns[-1].send(wire.query("SELECT repeat('x', 1000) FROM generate_series(1, 200000)"))
    time.sleep(1)
    assert pool.rss_bytes() - before < 60_000_000
    with pool.connect() as conn:
        assert conn.scalar("SELECT 1") == "1"
    for conn in conns:
        conn.abort()
    # Their servers are free again.
    wait_for(lambda: not servers_taken(pool))


def test_slowloris(make_pool):
    pool = make_pool(client_login_timeout=5)
    half = wire.startup()[:20]
    socks = []
    for _ in range(200):
        socks.append(wire.Raw(pool.target))
        socks[-1].send(half)
    start = time.monotonic()
    with pool.connect() as conn:
        assert conn.scalar("SELECT 1") == "1"
    assert time.monotonic() - start < SOON_S
    # The first to come are dropped when their time is over.
    for sock in socks:
        assert sock.closed_within(5 + SOON_S) is not None
        sock.close()


def test_random_cancels(alive):
    rng = random.Random(3)
    with alive.connect() as conn:
        conn.send(wire.query("SELECT 'unharmed' FROM pg_sleep(1)"))
        for _ in range(200):
            with wire.Raw(alive.target) as other:
                key = conn.key[:4] + rng.randbytes(len(conn.key) - 4) if rng.random() < 0.5 else rng.randbytes(8)
                other.send(wire.cancel_request(key))
                assert other.closed_within(SOON_S) == b""
        assert [m.kind for m in conn.answer()] == list("TDCZ")


def test_death_everywhere(make_pool, db):
    """A client dies after each byte of a login, a transaction and a COPY: servers come back clean."""
    pool = make_pool(default_pool_size=2)
    db.execute("CREATE TABLE t (a int)")
    session = (wire.startup(database=db.name) + wire.query("BEGIN") + wire.query("INSERT INTO t VALUES (1)") +
               wire.parse("s", "SELECT $1") + wire.bind("", "s", ["x"]) + wire.execute() + wire.sync() +
               wire.query("COPY t FROM STDIN") + wire.copy_data(b"2\n") + wire.copy_data(b"3\n"))
    for end in range(len(session) + 1):
        conn = wire.Raw(pool.target)
        conn.send(session[:end])
        if end % 2:
            time.sleep(0.001)
        if end % 3:
            conn.abort()
        else:
            conn.close()
    with pool.connect(db.name) as conn:
        assert conn.scalar("SELECT count(*) FROM t") == "0"
    stuck = "SELECT count(*) FROM pg_stat_activity WHERE state <> 'idle' AND pid <> pg_backend_pid() AND datname = " \
            "current_database()"
    wait_for(lambda: not db.scalar(stuck))
    for _ in range(4):
        with pool.connect(db.name) as conn:
            assert conn.query("SELECT pg_current_xact_id_if_assigned()") == [[None]]


def test_death_in_the_queue(make_pool, db):
    """Who waits for a server and dies leaves the queue; the server goes to the next."""
    pool = make_pool(default_pool_size=1)
    with pool.connect(db.name) as holder, pool.connect(db.name) as last:
        holder.query("BEGIN")
        waiting = [pool.connect(db.name) for _ in range(10)]
        for conn in waiting:
            conn.send(wire.query("SELECT 1"))
        last.send(wire.query("SELECT 'last'"))
        time.sleep(0.1)
        for conn in waiting:
            conn.abort()
        holder.query("COMMIT")
        assert [m.cells() for m in last.answer() if m.kind == "D"] == [["last"]]


# The server's own trouble

def test_a_killed_backend(alive, db):
    with alive.connect(db.name) as conn:
        conn.query("BEGIN")
        pid = int(conn.scalar("SELECT pg_backend_pid()"))
        db.execute(f"SELECT pg_terminate_backend({pid})")
        found = wire.messages_of(conn.closed_within(SOON_S) or b"")
        assert [m.sqlstate for m in found] == ["57P01"]
    with alive.connect(db.name) as conn:
        pid = int(conn.scalar("SELECT pg_backend_pid()"))
        db.execute(f"SELECT pg_terminate_backend({pid})")
        wait_for(lambda: all(row["remote_pid"] != str(pid) for row in alive.console("SHOW SERVERS")))
        # It held nothing there: it does not notice.
        assert conn.scalar("SELECT 1") == "1"


# Smuggling

def test_nothing_is_smuggled(make_pool, db):
    """Messages within messages, at lengths around those of buffers, cut anywhere: what is within stays data."""
    pool = make_pool(default_pool_size=2)
    rng = random.Random(5)
    within = wire.query("CREATE TABLE smuggled (a int)") + wire.sync()
    db.execute("CREATE TABLE t (a text)")
    with pool.connect(db.name) as conn:
        for around in (1024, 8192, 16384, 32768, 65536):
            for less in (0, 1, 4, 5, rng.randrange(40)):
                data = b"x" * (around - less) + within * 3
                conn.send_split(wire.parse("", "SELECT length($1::bytea)") + wire.bind("", "", [data], (1,)) + wire.execute() +
                                wire.sync(), rng, rng.choice([1, 3, 10]))
                assert [m.cells() for m in conn.answer() if m.kind == "D"] == [[str(len(data))]]
                # A text that goes on behind its end is refused whole.
                conn.send_split(wire.message(b"Q", b"SELECT '" + b"x" * (around - less) + b"'\0" + within), rng, 3)
                assert [m.sqlstate for m in conn.answer() if m.kind == "E"] == ["08P01"]
                # Data for a COPY that has failed is read over.
                conn.send_split(wire.query("COPY t FROM STDIN") + wire.copy_data(b"a\0b\n") + wire.copy_data(data) +
                                wire.copy_done(), rng, 3)
                assert [m.kind for m in conn.answer()] == list("GEZ")
        # An impossible length ends the session, and what is behind it is not looked at.
        conn.send(wire.raw(b"Q\x7f\xff\xff\xff"), b"x" * 60000, within)
        assert_refused(wire.messages_of(conn.closed_within(SOON_S) or b""))
    assert db.scalar("SELECT to_regclass('smuggled')") is None
    assert db.scalar("SELECT count(*) FROM t") == 0


def test_settings_are_carried_byte_for_byte(make_pool):
    """What a client set is applied to its next server as a value, never as a text that could be read otherwise."""
    pool = make_pool(default_pool_size=2)
    values = ["'; DROP TABLE x; --", "\\'; SELECT 1; --", "$1", "a\\", "''", '"', "%s%n", "\u00e9\u4e16\U0001f600", "\n\t\x01",
              "x" * 3000]
    with pool.connect() as one, pool.connect() as two, pool.connect() as three:
        for strings in ("on", "off"):
            two.query(f"SET standard_conforming_strings = {strings}")
            for value in values:
                two.fetch("SELECT set_config('app.value', $1, false)", value)
                one.query("BEGIN")  # takes the server on which that was set
                three.query("SET app.value = 'mine'")
                assert two.fetch("SELECT current_setting('app.value')") == [[value]], value
                one.query("COMMIT")
