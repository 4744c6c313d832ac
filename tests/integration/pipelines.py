"""Random pipelines of protocol messages, legal and illegal; how two servers' answers are compared, and how a
pipeline on which they differ is made small."""

import random
import re
import struct
import time

import wire
from wire import (bind, close, copy_data, copy_done, copy_fail, describe, execute, flush, function_call, message,
                  parse, query, sync, terminate)

SCHEMA = """
CREATE TABLE t (id int PRIMARY KEY, v text);
CREATE SEQUENCE s;
CREATE SEQUENCE other;
CREATE FUNCTION boom() RETURNS int LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'boom' USING ERRCODE = 'P0042'; END $$;
CREATE FUNCTION say(what text) RETURNS int LANGUAGE plpgsql AS $$ BEGIN RAISE NOTICE '%', what; RETURN 1; END $$;
"""
# Before each pipeline, so that each stands alone.
RESET = "DELETE FROM t; INSERT INTO t SELECT i, 'v' || i FROM generate_series(1, 20) i; SELECT setval('s', 10, false);"

STATEMENTS = ["s1", "s2", "s3", ""]
PORTALS = ["p1", "p2", "", ""]
# Others in case, to be quoted in SQL, longer than an identifier, almost as the pooler names its own.
ODD_NAMES = ["S1", 's "1"', "s" * 70, "pgm_1", "é", "select"]

# (SQL, number of parameters) for Parse
PARSED = [
    ("SELECT 1", 0), ("SELECT $1::int4 + 1", 1), ("SELECT $1::text, $2::int4", 2), ("SELECT", 0), ("", 0),
    ("SELECT id, v FROM t ORDER BY id", 0), ("SELECT v FROM t WHERE id = $1", 1), ("SELECT 1/0", 0),
    ("SELECT 10 / $1::int4", 1), ("SELEC 1", 0), ("SELECT * FROM nothing", 0), ("SELECT 1; SELECT 2", 0),
    ("INSERT INTO t VALUES ($1::int4, $2)", 2), ("INSERT INTO t VALUES ($1::int4, 'new') RETURNING *", 1),
    ("UPDATE t SET v = $1 WHERE id = 3 RETURNING id, v", 1), ("DELETE FROM t WHERE id = $1::int4", 1),
    ("SELECT nextval('s')", 0), ("SELECT generate_series(1, 7)", 0), ("SELECT generate_series(1, $1::int4)", 1),
    ("SELECT repeat('x', 20000)", 0), ("VALUES (1), (2)", 0), ("SHOW work_mem", 0), ("BEGIN", 0), ("COMMIT", 0),
    ("ROLLBACK", 0), ("SELECT boom()", 0), ("SELECT say('hi')", 0), ("SET work_mem = '128kB'", 0),
    ("COPY (SELECT * FROM t ORDER BY id) TO STDOUT", 0), ("COPY t FROM STDIN", 0), ("/* c */ SELECT 2 -- end", 0), ("SELECT $1", 1),
    ("SELECT coalesce(current_setting('app.tenant', true), '')", 0), ("SELECT set_config('app.tenant', $1, false)", 1),
    ("CREATE TEMP TABLE tt (a int)", 0), ("SELECT * FROM tt", 0), ("DEALLOCATE ALL", 0), ("DISCARD ALL", 0),
    ("SELECT lastval()", 0), (";", 0), ("-- nothing", 0), ("SELECT $2::text, $1::int4", 2), ("SELECT 'é' || $1", 1),
    ("DELETE FROM t WHERE id = $1::int4 RETURNING *", 1), ("COPY (SELECT 1/0) TO STDOUT", 0),
    ("SELECT length('" + "l" * 70000 + "')", 0), ("SELECT repeat('w', $1::int4 * 1000) FROM generate_series(1, 50)", 1),
    ("DECLARE c CURSOR FOR SELECT id FROM t ORDER BY id", 0), ("FETCH 3 FROM c", 0), ("SAVEPOINT a", 0),
    ("ROLLBACK TO a", 0), ("SHOW search_path", 0), ("SET LOCAL work_mem = '192kB'", 0), ("EXPLAIN (COSTS OFF) SELECT $1", 1),
    ("SELECT set_config($1, '5MB', false)", 1), ("NOTIFY ch, 'parsed'", 0), ("LISTEN ch", 0),
]

SIMPLE = [
    "SELECT 1", "", ";", "-- nothing", "SELECT 1; SELECT 2", "SELECT 'a' AS x, NULL AS y", "SELEC 1",
    "SELECT 1; SELEC 1", "SELECT 1/0", "SELECT 1; SELECT 1/0; SELECT 3", "SELECT * FROM nothing",
    "SELECT id, v FROM t ORDER BY id LIMIT 3", "SELECT count(*) FROM t", "SELECT generate_series(1, 300)",
    "INSERT INTO t VALUES (100, 'x')", "INSERT INTO t VALUES (1, 'again')", "SELECT nextval('s')",
    "SELECT currval('s')", "SELECT lastval()", "UPDATE t SET v = 'u' WHERE id = 1", "SELECT boom()",
    "SELECT say('ho')", "DO $$ BEGIN RAISE WARNING 'careful'; END $$", "SELECT current_user, session_user",
    "EXPLAIN (COSTS OFF) SELECT 1", "SELECT repeat('y', 30000)", ";;", "; SELECT 1;; SELECT 2;", "/* a */; /* b */",
    "SELECT repeat('z', 100000) FROM generate_series(1, 6)", "SELECT length('" + "l" * 100000 + "')", b"SELECT '\xff'",
    b"SELECT '\xc3\xa9'", "SELECT 'é', E'\\'', $$;$$; SELECT \";\"", "SELECT 1; SELECT say('two'); SELECT 3",
    "INSERT INTO t VALUES (110, 'gone'); SELECT 1/0", "INSERT INTO t VALUES (111, 'kept'); SELECT count(*) FROM t",
    "SELECT 1; SELECT", "SELECT", "SELECT id FROM t ORDER BY id; DELETE FROM t; SELECT id FROM t",
]
TRANSACTION = [
    "BEGIN", "BEGIN", "COMMIT", "COMMIT", "ROLLBACK", "SAVEPOINT a", "ROLLBACK TO a", "RELEASE a", "START TRANSACTION",
    "BEGIN; INSERT INTO t VALUES (200, 'b'); COMMIT", "BEGIN; SELECT 1/0", "END", "ABORT", "BEGIN READ ONLY",
    "COMMIT AND CHAIN", "SET TRANSACTION ISOLATION LEVEL SERIALIZABLE", "SET LOCAL work_mem = '256kB'",
    "PREPARE TRANSACTION 'x'", "SET CONSTRAINTS ALL DEFERRED", "LOCK TABLE t IN SHARE MODE",
    "SELECT 1; BEGIN; SELECT 2", "BEGIN; SELECT 1; COMMIT; SELECT 2", "COMMIT; BEGIN", "ROLLBACK; SELECT 1/0; SELECT 1",
    "INSERT INTO t VALUES (201, 'a'); COMMIT; INSERT INTO t VALUES (202, 'b'); SELECT 1/0", "ROLLBACK AND CHAIN",
    "INSERT INTO t VALUES (203, 'a'); ROLLBACK; SELECT count(*) FROM t", "BEGIN; SAVEPOINT a; SELECT 1/0", "SAVEPOINT b",
    "RELEASE b", "ROLLBACK TO b", "BEGIN; DECLARE k CURSOR FOR SELECT 1; FETCH k; COMMIT; FETCH k",
]
SESSION = [
    "SET work_mem = '64kB'", "SHOW work_mem", "RESET work_mem", "RESET ALL", "SET application_name = 'app'",
    "SHOW application_name", "SET TimeZone = 'Asia/Tokyo'", "SHOW TimeZone", "SET DateStyle = 'German'",
    "SET client_encoding = 'LATIN1'", "SET client_encoding = 'UTF8'", "SET standard_conforming_strings = off",
    "SET standard_conforming_strings = on", "SET no_such = 1", "SET app.tenant = 'five'",
    "SELECT set_config('app.tenant', '7', false)", "SELECT set_config('app.tenant', '8', true)",
    "SELECT coalesce(current_setting('app.tenant', true), '')", "SET search_path = pg_catalog", "SHOW search_path",
    "SET search_path = public", "SET ROLE pg_monitor", "RESET ROLE", "SET SESSION AUTHORIZATION pg_monitor",
    "RESET SESSION AUTHORIZATION", "SET default_transaction_read_only = on", "SET SESSION CHARACTERISTICS AS "
    "TRANSACTION ISOLATION LEVEL REPEATABLE READ", "SHOW transaction_isolation", "SET extra_float_digits = 0",
    "SELECT 1.1::float8 / 3", "SET intervalstyle = 'iso_8601'", "SELECT interval '1 day 2 hours'",
    "CREATE TEMP TABLE tt (a int)", "INSERT INTO tt VALUES (1), (2)", "SELECT * FROM tt", "DROP TABLE tt",
    "CREATE TEMP TABLE td (a int) ON COMMIT DROP", "SELECT * FROM td", "DISCARD ALL", "DISCARD TEMP", "DISCARD PLANS",
    "DISCARD SEQUENCES", "PREPARE q1 AS SELECT 41 + 1", "PREPARE q2 (int) AS SELECT $1 * 2", "EXECUTE q1",
    "EXECUTE q2 (21)", "DEALLOCATE q1", "DEALLOCATE ALL", "DEALLOCATE s1", "DEALLOCATE s2", "DEALLOCATE PREPARE s3",
    "DECLARE c CURSOR FOR SELECT id FROM t ORDER BY id",
    "DECLARE c CURSOR WITH HOLD FOR SELECT id FROM t ORDER BY id", "FETCH 2 FROM c", "MOVE 1 FROM c", "CLOSE c",
    "CLOSE ALL", "LISTEN ch", "UNLISTEN ch", "UNLISTEN *", "NOTIFY ch, 'hello'", "NOTIFY ch",
    "SELECT pg_advisory_lock(1)", "SELECT pg_advisory_unlock(1)", "SELECT pg_try_advisory_lock(2)",
    "SELECT pg_advisory_unlock_all()", "SELECT pg_advisory_xact_lock(3)", "FETCH 1 FROM p1", "CLOSE p1",
    "LOAD 'auto_explain'", "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND pid = pg_backend_pid()",
]
COPIES = ["COPY t FROM STDIN", "COPY t (id) FROM STDIN", "COPY (TABLE t ORDER BY id) TO STDOUT", "COPY (SELECT 1, 'a') TO STDOUT",
          "COPY nothing FROM STDIN", "COPY t FROM STDIN; SELECT 1", "SELECT 1; COPY t FROM STDIN",
          "COPY (TABLE t ORDER BY id) TO STDOUT (FORMAT binary)", "COPY (SELECT 1/0) TO STDOUT",
          "COPY (SELECT generate_series(1, 2000)) TO STDOUT", "COPY t FROM STDIN; COPY t FROM STDIN",
          "COPY (SELECT 1) TO STDOUT; SELECT 2; COPY (SELECT 3) TO STDOUT", "BEGIN; COPY t FROM STDIN; COMMIT",
          "COPY t FROM STDIN; COMMIT; SELECT 1/0", "COPY (SELECT repeat('c', 9000) FROM generate_series(1, 30)) TO STDOUT"]
ROWS = [b"300\tcopied\n", b"301\tmore\n", b"bad\trow\n", b"302\n", b"303\tsplit ", b"rest\n", b"\\.\n", b"",
        b"".join(b"%d\tlong\n" % i for i in range(1000, 1400)), b"304\t" + b"w" * 90000 + b"\n", b"305\t\xff\n",
        b"306\ta\0b\n"]

STARTUPS = [{}] * 12 + [
    {"application_name": "diff"}, {"options": "-c work_mem=2MB"}, {"DateStyle": "German"}, {"extra_float_digits": "3"},
    {"search_path": "pg_catalog"}, {"no_such": "1"}, {"client_encoding": "LATIN1"}, {"TimeZone": "Asia/Tokyo"},
    {"options": "-c work_mem=nonsense"}, {"options": "--search_path=public -c app.tenant=9"},
    {"default_transaction_read_only": "on"}, {"options": "-c app.tenant=a\\ b -c work_mem=3MB"},
    {"application_name": "né"}, {"IntervalStyle": "iso_8601", "work_mem": "4MB"},
]


def a_name(rng, names):
    return rng.choice(names if rng.random() < 0.97 else ODD_NAMES)


def a_value(rng):
    return rng.choice(["1", "2", "7", "0", "-3", "400", "x", "", None, "text", "999999999999", "z" * 9000])


def a_parse(rng):
    sql, count = rng.choice(PARSED)
    types = [rng.choice([0, 0, 23, 25])] * count if rng.random() < 0.2 else []
    if rng.random() < 0.02:
        types = [999999]
    return parse(a_name(rng, STATEMENTS), sql, types)


def a_bind(rng, count=None):
    count = rng.choice([0, 0, 1, 1, 2]) if count is None else count
    formats = rng.choice([(), (), (), (0,), (1,), (0, 1), (7,)])
    results = rng.choice([(), (), (), (0,), (1,), (1, 1, 1)])
    return bind(a_name(rng, PORTALS), a_name(rng, STATEMENTS), [a_value(rng) for _ in range(count)], formats, results)


def whole(rng):
    """Parse, Bind, perhaps Describe, Execute, for the most part of the same statement and portal."""
    sql, count = rng.choice(PARSED)
    name, portal = a_name(rng, STATEMENTS), a_name(rng, PORTALS)
    found = [parse(name, sql)] if rng.random() < 0.8 else []
    if rng.random() < 0.2:
        found.append(describe("S", name))
    found.append(bind(portal, name, [rng.choice(["1", "2", "5", "50"]) for _ in range(count)]))
    if rng.random() < 0.5:
        found.append(describe("P", portal))
    found.append(execute(portal, rng.choice([0, 0, 0, 1, 2, 5])))
    if sql.startswith("COPY t FROM") and rng.random() < 0.8:
        found += copied(rng)
    if rng.random() < 0.2:
        found.append(execute(portal, rng.choice([0, 2])))
    if rng.random() < 0.2:
        found.append(close(rng.choice("SP"), rng.choice([name, portal])))
    return found


def copied(rng):
    found = [copy_data(rng.choice(ROWS)) for _ in range(rng.randrange(4))]
    if rng.random() < 0.15:
        # No Sync: whether that is answered depends on the row at which the COPY fails, which nobody is told.
        found.insert(rng.randrange(len(found) + 1), rng.choice([flush(), query("SELECT 1"), execute()]))
    found.append(rng.choice([copy_done(), copy_done(), copy_done(), copy_fail("stop")]))
    return found


def broken(rng):
    """What PostgreSQL answers by an error, and goes on."""
    return rng.choice([
        message(b"Q", b"SELECT 1"), message(b"Q", b"SELECT 1\0more\0"), message(b"P", b"s1\0SELECT 1"),
        message(b"P", b"\0SELECT 1\0\0\2\0\0\0\27"), message(b"B", b"\0\0\0\0\0\1\0\0\0\5ab"), message(b"B", b"\0"),
        message(b"B", b"\0\0\0\0\0\1\xff\xff\xff\xfe\0\0"), message(b"D", b"x\0"), message(b"D", b"S"),
        message(b"C", b"y\0"), message(b"E", b"\0"), message(b"E", b"\0\0\0\0\0extra"), message(b"S", b"extra"),
        message(b"H", b"extra"), message(b"F", b"\0\0"), message(b"D", b""), message(b"Q"), message(b"Q", b"\0"),
        message(b"Q", b"\0SELECT 1\0"), message(b"P", b"\0\0"), message(b"P", b"s1\0SELECT\x001\0\0\0"),
        message(b"P", b"\0SELECT 1\0\xff\xff"), message(b"P", b"\0SELECT 1\0\0\0extra"), message(b"C", b"S"),
        message(b"B", b"\0\0\xff\xff\0\0\0\0"), message(b"B", b"\0\0\0\0\xff\xff\0\0"), message(b"B", b"p1\0s1\0\0\0\0\0\0\1"),
        message(b"B", b"\0\0\0\0\0\0\0\0extra"), message(b"E", b"p1\0\xff\xff\xff\xff"), message(b"E", b"\0\x80\0\0\0"),
        message(b"D", b"S\0extra\0"), message(b"C", b"Ps1\0\0"), message(b"c", b"extra"), message(b"f", b"no end"),
    ])


def fatal(rng):
    return message(rng.choice([b"y", b"T", b"Z", b"1", b"\x01", b"\xff", b"R", b"K"]), rng.choice([b"", b"abc"]))


TRACKED = [  # settings that follow a client, two values of each
    ("work_mem", "'65kB'", "'66kB'"), ("app.tenant", "'a'", "'b'"), ("search_path", "pg_catalog", "'$user', public"),
    ("TimeZone", "'Asia/Tokyo'", "'UTC'"), ("application_name", "'one'", "'two'"), ("role", "pg_monitor", "none"),
    ("statement_timeout", "'61s'", "'62s'"), ("DateStyle", "'German'", "'ISO, YMD'"),
    ("default_transaction_read_only", "on", "off"),
]


def settings(rng):
    """One setting, set, taken back and looked at in transactions and savepoints, by either protocol."""
    name, *values = rng.choice(TRACKED)
    # A name with a dot, once a server knows it, stays there, if empty.
    shown = f"SELECT coalesce(current_setting('{name}', true), '')" if "." in name else f"SHOW {name}"
    found = []
    for _ in range(rng.randrange(3, 9)):
        value = rng.choice(values)
        plain = value.strip("'")
        sql = rng.choice([
            f"SET {name} = {value}", f"SET {name} TO {value}", f"SET LOCAL {name} = {value}", f"RESET {name}",
            f"SELECT set_config('{name}', '{plain}', {rng.choice(['true', 'false'])})", shown, shown, shown,
            f"SET {name} = {value}; SELECT 1/0", "BEGIN", "COMMIT", "ROLLBACK",
            f"BEGIN; SET {name} = {value}; COMMIT", f"SET {name} = {value}; {shown}; ROLLBACK", "SAVEPOINT a",
            "ROLLBACK TO a", "RELEASE a", "SELECT 1/0", f"UPDATE pg_settings SET setting = '{plain}' WHERE name = '{name}'",
            f"SET SESSION {name} = DEFAULT",
        ])
        if rng.random() < 0.6 or ";" in sql:
            found.append(query(sql))
        else:
            found += [parse("", sql), bind("", ""), execute()] + ([sync()] if rng.random() < 0.6 else [])
    return found + [query(shown)]


def a_function(rng):
    return function_call(*rng.choice([
        (1397, [struct.pack("!i", -5)], [1], 1), (1397, [b"-6"], [0], 0), (1397, [b"-6"], [], 0), (1397, [None], [], 0),
        (870, [b"ABC"], [0], 0), (999999, [b"1"], [0], 0), (1397, [], [], 0), (1397, [b"x"], [0], 0),
        (1397, [b"1"], [3], 0),
    ]))


def one_step(rng, state=True):
    roll = rng.random()
    if roll < 0.26:
        return whole(rng) + ([sync()] if rng.random() < 0.6 else [])
    if roll < 0.28:
        return settings(rng)
    if roll < 0.48:
        return [rng.choice([a_parse, a_bind, lambda r: describe(r.choice("SP"), a_name(r, STATEMENTS + PORTALS)),
                            lambda r: execute(a_name(r, PORTALS), r.choice([0, 0, 1, 3])),
                            lambda r: close(r.choice("SP"), a_name(r, STATEMENTS + PORTALS))])(rng)]
    if roll < 0.58:
        return [sync()]
    if roll < 0.62:
        return [flush()]
    if roll < 0.72:
        return [query(rng.choice(SIMPLE))]
    if roll < 0.80:
        return [query(rng.choice(TRANSACTION))]
    if roll < 0.90:
        return [query(rng.choice(SESSION if state else SIMPLE))]
    if roll < 0.95:
        return [query(rng.choice(COPIES))] + (copied(rng) if rng.random() < 0.9 else [])
    if roll < 0.96:
        return [a_function(rng)]
    if roll < 0.975:
        return [rng.choice([copy_data(b"1\tstray\n"), copy_done(), copy_fail()])]
    if roll < 0.995:
        return [broken(rng)]
    return [fatal(rng)]


def without_stale_portals(messages):
    """PostgreSQL (15.20) ends by a segmentation fault where the unnamed portal of a simple query that failed in a
    transaction block is executed."""
    kept, stale = [], False
    for one in messages:
        if one[:1] == b"Q":
            stale = True
        elif one[:1] == b"B":
            stale = stale and one[5:6] != b"\0"
        elif stale and (one[:1] == b"E" and one[5:6] == b"\0" or one[:1] == b"D" and one[5:7] == b"P\0"):
            continue
        kept.append(one)
    return kept


def without_late_isolation(messages):
    """A Parse that the pooler answers itself takes no snapshot, so that SET TRANSACTION works behind it
    (docs/pool-hostile.md)."""
    kept, parsed = [], False
    for one in messages:
        parsed = parsed or one[:1] == b"P"
        if not (parsed and b"SET TRANSACTION ISOLATION" in one):
            kept.append(one)
    return kept


# However the pipeline left the session, this is answered last: the parser judges it even where a transaction
# has failed.
END = "that_is_all"
TAIL = [copy_fail("end"), sync(), query(END)]


def is_over(data):
    """Whether bytes end with the answer to the tail."""
    return data.endswith(READY) and END.encode() in data[-300:]


EACH_BYTE_MAX = 400
ANSWER_S = 0.01  # what some messages are answered by, nobody knows: so long, and no longer, it is awaited
READY = tuple(b"Z\0\0\0\5" + status for status in (b"I", b"T", b"E"))


def is_request(one):
    """Whether a message is one behind which clients wait for an answer."""
    return one[:1] in b"QSFcfH"


class Pace:
    """When the next chunk of a pipeline is sent: once what was asked is answered where the client talks, else
    at once; and what other clients do before."""

    def __init__(self, talk, rng, others):
        self.talk, self.rng, self.others = talk, rng, others
        self.since, self.seen = None, 0

    def __call__(self, answer):
        if self.talk:
            now = time.monotonic()
            self.since = self.since or now
            left = self.since + ANSWER_S - now
            if left > 0 and not (len(answer) > self.seen and answer.endswith(READY)):
                return left
            self.since, self.seen = None, len(answer)
        if self.others and self.rng.random() < (0.8 if self.talk else 0.1):
            self.others.step(self.rng)
        return None


class Pipeline:
    """startup: parameters; messages without the tail; pieces: into how many the bytes are cut at random, 0 for
    one byte each; talk: whether each request's answer is awaited instead; wait: whether the greeting is awaited
    before the messages are sent; leave: whether Terminate is sent with the rest, and not when all was answered."""

    def __init__(self, startup, messages, pieces=1, tls=False, wait=False, leave=False, talk=False, seed=0):
        self.startup = startup
        self.messages = messages
        self.pieces = pieces
        self.tls = tls
        self.wait = wait
        self.leave = leave
        self.talk = talk
        self.seed = seed

    @classmethod
    def random(cls, seed, tls=False):
        rng = random.Random(seed)
        messages = []
        for _ in range(rng.choice([1, 2, 3, 4, 5, 6, 8, 10, 14])):
            messages += one_step(rng)
        startup = rng.choice(STARTUPS)
        if startup:
            # RESET goes back to what the server was started with, and that was not by this client.
            messages = [m for m in messages if not any(word in m for word in (b"RESET", b"DISCARD", b"DEFAULT"))]
        messages = without_late_isolation(without_stale_portals(messages))
        return cls(startup, messages, rng.choice([1, 1, 2, 3, 8, 30, 0]), tls and rng.random() < 0.3,
                   rng.random() < 0.5, rng.random() < 0.2, rng.random() < 0.3, seed)

    def chunks(self, hello, rng):
        """What is sent at once each."""
        messages = [*self.messages, *TAIL, *([terminate()] if self.leave else [])]
        if self.talk:
            found = [hello]
            for one in messages:
                found[-1] += one
                if is_request(one):
                    found.append(b"")
            return found
        data = hello + b"".join(messages)
        if self.pieces == 0 and len(data) <= EACH_BYTE_MAX:
            cuts = range(1, len(data))
        else:
            cuts = sorted(rng.randrange(len(data) + 1) for _ in range((self.pieces or 60) - 1))
        return [data[start:end] for start, end in zip([0, *cuts], [*cuts, len(data)])]

    def run(self, target, database, tls=False, others=None):
        """All bytes of the answer, of a fresh connection. others: who else is there, and does things between."""
        over = None if self.leave else is_over
        rng = random.Random(self.seed)
        with wire.Raw(target) as conn:
            if tls and self.tls:
                conn.start_tls()
            hello = wire.startup(database=database, **self.startup)
            start = b""
            if self.wait:
                conn.send(hello)
                start = b"".join(m.data for m in conn.receive_until("ZE"))
                hello = b""
            if others:
                others.step(rng)
            answer = start + conn.exchange(self.chunks(hello, rng), over=over, between=Pace(self.talk, rng, others))
            if over and is_over(answer):
                conn.send(terminate())
            return answer

    def but(self, **other):
        return Pipeline(**{**vars(self), **other})

    def variants(self):
        """Smaller or simpler ones, the smallest first."""
        count = len(self.messages)
        for size in (count // 2, count // 4, 2, 1):
            if size:
                for start in range(0, count - size + 1, size):
                    yield self.but(messages=self.messages[:start] + self.messages[start + size:])
        for name, plain in (("startup", {}), ("pieces", 1), ("tls", False), ("wait", True), ("leave", False),
                            ("talk", False)):
            if getattr(self, name) != plain:
                yield self.but(**{name: plain})

    def shrink(self, differs, tries=300):
        """The smallest found on which differs() is still true."""
        best, again = self, True
        while again:
            again = False
            for smaller in best.variants():
                tries -= 1
                if tries <= 0:
                    return best
                if differs(smaller):
                    best, again = smaller, True
                    break
        return best

    def __repr__(self):
        lines = "".join(f"    {m!r},\n" for m in self.messages)
        return (f"Pipeline({self.startup!r}, [\n{lines}], pieces={self.pieces}, tls={self.tls}, wait={self.wait}, "
                f"leave={self.leave}, talk={self.talk}, seed={self.seed!r})")


FIRST_USER_OID = 16384


def without_oids(body):
    """A RowDescription without the ids of tables and types that were made here: two databases differ in them."""
    fixed = bytearray(body)
    at = 2
    while at < len(body):
        at = body.index(b"\0", at) + 1
        table, _, kind = struct.unpack_from("!IhI", body, at)
        if table >= FIRST_USER_OID:
            struct.pack_into("!I", fixed, at, FIRST_USER_OID)
        if kind >= FIRST_USER_OID:
            struct.pack_into("!I", fixed, at + 6, FIRST_USER_OID)
        at += 18
    return bytes(fixed)


def comparable(answer):
    """The messages of an answer without what must differ: keys, pids, ids; the settings told at login in any
    order."""
    found = wire.messages_of(answer)
    if not any(m.kind == "Z" for m in found):
        # A login that fails: the pooler may find out before it has told anything.
        found = [m for m in found if m.kind not in "RS"]
    greeting = next((i for i, m in enumerate(found) if m.kind == "Z"), 0)
    told = sorted((m for m in found[:greeting] if m.kind == "S"), key=lambda m: m.body)
    rest = [m for i, m in enumerate(found) if m.kind != "K" and not (i < greeting and m.kind == "S")]
    made = []
    for m in told + rest:
        if m.kind == "T":
            m = wire.Message("T", without_oids(m.body))
        elif m.kind == "A":
            m = wire.Message("A", m.body[4:])
        elif m.kind == "E" and m.fields().get("V") == "FATAL":
            # The pooler ends its clients itself, and is no file of PostgreSQL's.
            m = wire.Message("E", b"\0".join(p for p in m.body.split(b"\0") if p[:1] not in b"FLR"))
        elif m.kind in "EN":
            m = wire.Message(m.kind, re.sub(rb"pg_temp_\d+", b"pg_temp", m.body))
        made.append(m)
    return made
