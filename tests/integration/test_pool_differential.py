"""Random pipelines get from the pooler, byte for byte, what PostgreSQL answers directly.

    PGMEND_DIFFERENTIAL_COUNT   pipelines (default: what takes some seconds; a release runs 100,000)
    PGMEND_DIFFERENTIAL_SEED    another sequence of them; a long run is shared by processes with a seed each
    PGMEND_DIFFERENTIAL_SHOW    go on after a difference, until so many were found
"""

import os

import pytest

import pipelines
import wire
from wire import bind, close, copy_data, copy_done, copy_fail, describe, execute, parse, query, sync

COUNT = int(os.environ.get("PGMEND_DIFFERENTIAL_COUNT", "600"))
SEED = os.environ.get("PGMEND_DIFFERENTIAL_SEED", "1")
SHOW = int(os.environ.get("PGMEND_DIFFERENTIAL_SHOW", "1"))


class Other:
    """Another client of the pooler: what it left in its session is what it finds there, from transaction to
    transaction, whatever servers they run on and whoever had them before."""

    SETTINGS = {"app.tenant": "", "work_mem": "4MB", "search_path": '"$user", public', "application_name": ""}

    def __init__(self, target, database, name):
        self.name = name
        self.conn = wire.Connection(target, database=database)
        self.conn.run(wire.parse("s1", f"SELECT '{name}'"), sync())
        self.within, self.count, self.expected = False, 0, dict(self.SETTINGS)

    def step(self, rng):
        rng.choice([self.turn, self.turn, self.change, self.check, self.trouble])(rng)

    def turn(self, _):
        """Take a server, or give it back."""
        self.conn.query("COMMIT" if self.within else "BEGIN")
        self.within = not self.within

    def change(self, rng):
        name, self.count = rng.choice(list(self.SETTINGS)), self.count + 1
        value = f"{self.count % 900 + 64}kB" if name == "work_mem" else f"{self.name}_{self.count}"
        self.conn.query(f"SET {name} = '{value}'")
        self.expected[name] = value

    def check(self, _):
        names = list(self.SETTINGS)
        sql = "SELECT " + ", ".join(f"coalesce(current_setting('{name}', true), '')" for name in names)
        found = dict(zip(names, self.conn.query(sql)[0]))
        said = [m.cells() for m in self.conn.run(bind("", "s1"), execute(), sync()) if m.kind == "D"]
        expected, self.expected = self.expected, found
        assert found == expected and said == [[self.name]], f"{self.name} finds {found} {said}, and not {expected}"

    def trouble(self, rng):
        """What others must not see. Where it stays, it pins: so it goes again."""
        if self.within:
            self.conn.query("CREATE TEMP TABLE tt (other text) ON COMMIT DROP; DECLARE c CURSOR FOR SELECT 'other'")
        else:
            self.conn.query(rng.choice([
                "SELECT nextval('public.other')", "BEGIN; SET LOCAL ROLE pg_monitor; SET LOCAL work_mem = '1GB'; COMMIT",
                "PREPARE q1 AS SELECT 'other'; DEALLOCATE q1", "LISTEN ch; UNLISTEN ch",
                "SELECT pg_advisory_lock(99); SELECT pg_advisory_unlock(99)", "DISCARD PLANS",
            ]))
        if self.within:
            self.turn(rng)


class Others:
    """Two of them."""

    def __init__(self, target, database):
        self.all = [Other(target, database, name) for name in ("other_1", "other_2")]

    def step(self, rng):
        rng.choice(self.all).step(rng)


class Side:
    """One of the two: where pipelines are sent, and the database of its own in which they act. others: what other
    clients there are beside it."""

    VACUUM_EACH = 200  # pipelines: what they deleted would be read by all that come after them

    def __init__(self, server, target, name, tls=False, others=None):
        server.new_database(name, pipelines.SCHEMA)
        self.target = target
        self.name = name
        self.tls = tls
        self.admin = wire.Connection((str(server.folder), server.settings["port"]), database=name,
                                     options="-c lock_timeout=60s")
        self.others = others and others(target, name)
        self.runs = 0

    def run(self, pipeline):
        self.admin.query(pipelines.RESET)
        self.runs += 1
        if self.runs % self.VACUUM_EACH == 0:
            self.admin.query("VACUUM")
        try:
            answer = pipeline.run(self.target, self.name, self.tls, self.others)
        except (TimeoutError, wire.Closed, ConnectionError, AssertionError) as error:
            return [wire.Message("!", f"{type(error).__name__}: {error}".encode())]
        return pipelines.comparable(answer)


def compare(sides, count, tls):
    """Texts about the pipelines on which the sides differ."""
    reports = []
    for number in range(count):
        if number % 1000 == 0:
            print(f"{number} pipelines, {len(reports)} differ", flush=True)
        pipeline = pipelines.Pipeline.random(f"{SEED}/{number}", tls)
        answers = [side.run(pipeline) for side in sides]
        if answers[0] == answers[1]:
            continue
        small = pipeline.shrink(lambda p: sides[0].run(p) != sides[1].run(p))
        now = [side.run(small) for side in sides]
        if now[0] == now[1]:
            small, now = f"{pipeline}, only sometimes", answers
        reports.append(f"seed {SEED}/{number}: {small}\n{difference(*now)}")
        print(reports[-1], flush=True)
        if len(reports) >= SHOW or "Refused" in reports[-1]:
            break
    return reports


def shown(messages):
    return " ".join(repr(m) if len(m.body) < 300 or m.kind == "!" else f"{m.kind}[{len(m.body)}]" for m in messages) or "nothing"


def difference(expected, got):
    """What both answered from their first difference on, and a little before."""
    same = next((i for i, (a, b) in enumerate(zip(expected, got)) if a != b), min(len(expected), len(got)))
    start = max(0, same - 3)
    return (f"after {start} messages\n  PostgreSQL: {shown(expected[start:start + 12])}\n"
            f"  the pooler: {shown(got[start:start + 12])}\n")


def direct_of(server):
    return (str(server.folder), server.settings["port"])


def test_postgresql_answers_the_same_twice(cluster):
    """What the comparison rests on: no pipeline's answer depends on chance."""
    sides = [Side(cluster, direct_of(cluster), name) for name in ("diff_a", "diff_b")]
    reports = compare(sides, COUNT // 4, False)
    assert not reports, "\n".join(reports)


@pytest.mark.parametrize("mode", ["transaction", "session"])
def test_answers_are_those_of_postgresql(cluster, make_pool, mode):
    pool = make_pool(pool_mode=mode, tls=True, default_pool_size=6)
    sides = [Side(cluster, direct_of(cluster), f"diff_direct_{mode}"),
             Side(cluster, pool.target, f"diff_pool_{mode}", tls=True, others=Others if mode == "transaction" else None)]
    reports = compare(sides, COUNT if mode == "transaction" else COUNT // 4, True)
    assert not reports, "\n".join(reports)


SET_IF_BACKSLASHES_ESCAPE = [parse("", "SELECT 'a\\'', set_config($$work_mem$$, $$1MB$$, false) --'"), bind("", ""),
                             execute(), sync()]
FOUND = {
    # Syncs within COPY data are read over while the COPY is sound, and answered where it has failed before them.
    "sync in copy": [query("COPY t FROM STDIN"), copy_data(b"300\tx\n"), sync(), copy_data(b"301\ty\n"), copy_done()],
    "syncs in a copy that the client fails": [query("COPY t FROM STDIN"), copy_data(b"300\tx\n"), sync(), sync(), copy_fail()],
    "syncs in a failed copy": [query("COPY t FROM STDIN"), copy_data(b"bad\tx\n"), sync(), sync(), copy_done()],
    "sync ends a failed copy": [query("COPY t FROM STDIN"), copy_data(b"bad\tx\n"), sync()],
    # Who sends a request into a COPY that has failed already gets its answer.
    "parse in a failed copy": [query("COPY t (id) FROM STDIN"), copy_data(b"1\tstray\n"), parse("s2", "SELECT 1")],
    # Data may come before it is known whether there is a COPY.
    "prepared copy": [parse("", "COPY t FROM STDIN"), bind("", ""), execute(), copy_data(b"300\tx\n"), copy_done(), sync(),
                      execute(), sync()],
    # A simple query ends the transaction that a batch is, and so its portals.
    "deallocate in a batch": [parse("s1", "SELECT v FROM t WHERE id = $1"), bind("p1", "s1", ["5"]),
                              query("DEALLOCATE s1"), execute("p1"), sync()],
    "deallocate in a batch of a block": [query("BEGIN"), parse("s1", "SELECT v FROM t WHERE id = $1"),
                                         bind("p1", "s1", ["5"]), query("DEALLOCATE s1"), execute("p1"), sync()],
    # Of another portal than the last that was bound, an Execute is the server's.
    "execute of no portal": [parse("s1", "SELECT 1"), parse("", "DEALLOCATE s1"), bind("", ""), execute("p9"), sync(),
                             describe("S", "s1"), sync()],
    # A Close that is passed over takes nothing from the DEALLOCATE behind it.
    "deallocate of what was closed in vain": [parse("s2", "COMMIT"), execute("p2", 2), close("S", "s2"), sync(),
                                              query("DEALLOCATE s2")],
    "deallocate behind one that is passed over": [
        parse("s1", "SELECT 1"), parse("s2", "DEALLOCATE s1"), sync(), parse("s2", "SELECT 1"), bind("", "s2"), execute(),
        sync(), parse("", "DEALLOCATE s1"), bind("", ""), execute(), sync()],
    # Nor does what is done first for sequences fail in a transaction that turns out to have failed.
    "sequences in a failed block": [query("BEGIN"), execute("p1"), sync(), describe("P", ""),
                                    query("SELECT 1; COPY t FROM STDIN"), copy_data(b"1"), copy_done(), query("SELECT 1")],
    # Asking for the answer to a Parse must not cost the unnamed statement, which can't be prepared again then.
    "parse again in a failed block": [parse("", "SELECT v FROM t WHERE id = $1"), parse("s1", "SELECT 1"), sync(),
                                      query("BEGIN"), query("SELECT 1 / 0"), parse("s2", "SELECT 1"), sync(),
                                      bind("", "", ["1", "2"]), sync(), query("ROLLBACK"), bind("", "", ["5"]), execute(),
                                      sync()],
    # Behind a SET of search_path a text that the server holds is prepared anew: it may fail there.
    "parse behind search_path": [parse("s1", "SELECT v FROM t WHERE id = $1"), sync(), parse("", "SET search_path = pg_catalog"),
                                 bind("", ""), execute(), parse("s2", "SELECT v FROM t WHERE id = $1"), bind("", "s2", ["5"]),
                                 sync(), query("RESET search_path")],
    "parse behind a local search_path": [parse("s1", "SELECT v FROM t WHERE id = $1"), sync(), query("BEGIN"),
                                         query("SET LOCAL search_path = pg_catalog"),
                                         parse("s2", "SELECT v FROM t WHERE id = $1"), sync(), query("ROLLBACK")],
    "parse behind drop": [parse("s1", "SELECT v FROM t WHERE id = $1"), sync(), query("BEGIN"), parse("", "DROP TABLE t"),
                          bind("", ""), execute(), parse("s2", "SELECT v FROM t WHERE id = $1"), sync(), query("ROLLBACK")],
    # An unnamed statement that is parsed again and again is the same each time, until something else comes between.
    "the same unnamed": [parse("", "SELECT v FROM t WHERE id = $1"), bind("", "", ["5"]), execute(), sync(),
                         parse("", "SELECT v FROM t WHERE id = $1"), bind("", "", ["6"]), execute(), sync(),
                         query("SELECT 1"), bind("", "", ["7"]), sync(),
                         parse("", "SELECT v FROM t WHERE id = $1"), bind("", "", ["7"]), execute(), sync()],
    "the same unnamed behind one that fails": [parse("", "SELECT v FROM t WHERE id = $1"), sync(), parse("", "SELECT nothing"),
                                               parse("", "SELECT v FROM t WHERE id = $1"), bind("", "", ["5"]), execute(),
                                               sync(), bind("", "", ["5"]), execute(), sync(),
                                               parse("", "SELECT v FROM t WHERE id = $1"), bind("", "", ["6"]), execute(),
                                               sync()],
    # The same text may be another statement, and then leaves nothing for who comes next.
    "the same unnamed, strings of another kind": [
        *SET_IF_BACKSLASHES_ESCAPE, query("SET standard_conforming_strings = off"), *SET_IF_BACKSLASHES_ESCAPE,
        query("SET standard_conforming_strings = on"), query("SHOW work_mem")],
    "after strings of another kind": [query("SHOW work_mem")],
    # What is done first for lastval() must not begin the batch.
    "lastval before discard": [query("SELECT 1"), parse("s1", "SELECT lastval()"), parse("", "DISCARD ALL"), bind("", ""),
                               execute(), sync()],
}


@pytest.mark.parametrize("mode", ["transaction", "session"])
def test_what_the_comparison_found(cluster, make_pool, mode):
    pool = make_pool(pool_mode=mode, default_pool_size=1)
    sides = [Side(cluster, direct_of(cluster), f"found_direct_{mode}"), Side(cluster, pool.target, f"found_pool_{mode}")]
    for name, messages in FOUND.items():
        for pieces in (1, 1, 10):
            if mode == "transaction":
                # The pool's server has another's sequence values, and somebody asks for them.
                with pool.connect(sides[1].name) as other:
                    other.query("CREATE TEMP SEQUENCE n; SELECT nextval('n'); SELECT lastval()")
            answers = [side.run(pipelines.Pipeline({}, messages, pieces)) for side in sides]
            assert answers[0] == answers[1], f"{name}: {difference(*answers)}"
