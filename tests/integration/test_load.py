"""pgmend load: scenarios, scripts, workloads, targets, what failing servers do to it, verdicts."""

import json
import os
import signal
import time

import psycopg
import pytest

from cluster import Cluster, free_port

ROWS = 1000


@pytest.fixture(scope="module")
def server():
    """Tests break it, so it is this file's own."""
    with Cluster(settings={"max_connections": 30, "superuser_reserved_connections": 3}) as own:
        yield own.start()


@pytest.fixture
def shop(server):
    server.start()
    db = server.new_database("shop")
    db.execute("CREATE TABLE items (id int PRIMARY KEY, kind text NOT NULL, price int NOT NULL)")
    db.execute(f"INSERT INTO items SELECT i, 'kind ' || i % 5, i % 90 FROM generate_series(1, {ROWS}) i")
    db.execute("ANALYZE items")
    yield db
    server.start()
    with server.connect() as conn:
        conn.execute("DROP DATABASE shop WITH (FORCE)")


@pytest.fixture
def script(tmp_path):
    def write(text, name="s.sql"):
        path = tmp_path / name
        path.write_text(text)
        return path
    return write


READ = f"\\set id random(1, {ROWS})\nSELECT price FROM items WHERE id = :id;\n"


def load(pgmend, db, *args, rc=0, **more):
    result = pgmend("load", "--no-watch", "--format=json", *args, *([db.conninfo] if db else []), **more)
    assert result.rc == rc, result
    return result.json()


def codes(target):
    return {error["code"]: error["count"] for error in target["errors"]}


def adds_up(run):
    """What must hold of every run, whatever happened."""
    for target in run["targets"]:
        assert target["done"] == target["latency"]["count"] == sum(b[2] for b in target["latency"]["buckets"])
        assert target["failed"] == sum(codes(target).values())
        for name in ("scheduled", "started", "done"):
            assert sum(s[name] for s in target["seconds"]) == target[name], name
        if not run["interrupted"]:
            assert target["scheduled"] == target["done"] + target["failed"]
        assert sum(s["done"] for s in target["scripts"]) == target["done"]
        assert target["latency"]["p50_ms"] <= target["latency"]["p95_ms"] <= target["latency"]["max_ms"]


def test_steady_users(pgmend, shop, script, tmp_path):
    out = tmp_path / "out.json"
    run = load(pgmend, shop, "--file", script(READ), "--users=8", "--think=10ms", "--duration=500ms", "--seed=5",
               "--out", out)
    adds_up(run)
    target = run["targets"][0]
    assert run["scenario"] == "steady" and run["schema"] == "pgmend.load/1"
    assert target["users_max"] == 8 and target["connects"] == 8 and target["failed"] == 0
    assert 300 < target["scheduled"] < 500  # 8 users, each due 100 times a second
    assert target["rows"] == target["statements"] == target["done"]
    assert json.loads(out.read_text()) == run
    again = load(pgmend, shop, "--file", script(READ), "--users=8", "--think=10ms", "--duration=500ms", "--seed=5")
    assert again["targets"][0]["scheduled"] == target["scheduled"]


@pytest.mark.parametrize("protocol", ["prepared", "extended", "simple"])
def test_rate_by_each_protocol(pgmend, shop, script, protocol):
    text = READ + "SELECT kind AS k, NULL AS n FROM items WHERE id = :id \\gset\n" \
                  "\\if :id > 0\nSELECT count(*) FROM items WHERE kind = 'kind 1' AND price = :price;\n\\endif\n"
    run = load(pgmend, shop, "--file", script(text), "--rate=200", "--users=3", "--even", "--duration=500ms",
               "--protocol", protocol, "-D", "price=7")
    adds_up(run)
    target = run["targets"][0]
    assert target["protocol"] == protocol and target["failed"] == 0
    assert 99 <= target["scheduled"] <= 101
    assert target["statements"] == 3 * target["done"] and len(target["queries"]) == 3


def test_a_slow_answer_is_not_forgiven(pgmend, shop, script):
    """One session, due each 50 ms; each takes 100 ms: the backlog grows, and latencies with it."""
    run = load(pgmend, shop, "--file", script("SELECT pg_sleep(0.1);"), "--rate=20", "--users=1", "--even",
               "--duration=1s")
    adds_up(run)
    target = run["targets"][0]
    assert target["service"]["p50_ms"] >= 99
    assert target["latency"]["max_ms"] > 900 and target["lag"]["max_ms"] > 800
    assert target["latency"]["p50_ms"] > 400


def test_sleep_is_of_the_transaction(pgmend, shop, script):
    run = load(pgmend, shop, "--file", script("\\sleep 30 ms\nSELECT 1;"), "--users=2", "--duration=500ms")
    assert run["targets"][0]["service"]["p50_ms"] >= 30
    assert run["targets"][0]["queries"][0]["latency"]["count"] == run["targets"][0]["done"]


def test_spike(pgmend, shop, script):
    run = load(pgmend, shop, "--file", script(READ), "--spike=200ms", "--users=15", "--base=2", "--think=20ms",
               "--duration=1500ms")
    adds_up(run)
    target = run["targets"][0]
    assert target["users_max"] == 15 and target["connects"] == 15 and target["failed"] == 0
    assert target["seconds"][-1]["users"] < 15


def test_ramp_ends_where_it_breaks(pgmend, shop, script):
    """One session does 20 a second at the most."""
    run = load(pgmend, shop, "--file", script("SELECT pg_sleep(0.05);"), "--ramp", "--rate=50", "--users=1",
               "--even", "--step=500ms", "--duration=2500ms", "--p95=1h")
    adds_up(run)
    steps = run["targets"][0]["steps"]
    assert steps[0]["held"] and steps[0]["rate"] == 10
    assert len(steps) < 5 and not steps[-1]["held"] and steps[-1]["broken"]


def test_endurance_and_weights(pgmend, shop, script):
    one, two = script("SELECT 1;", "one.sql"), script("SELECT 2;", "two.sql")
    run = load(pgmend, shop, "--file", f"{one}@9", "--file", two, "--endurance", "--users=4", "--think=5ms",
               "--duration=600ms")
    adds_up(run)
    first, second = run["targets"][0]["scripts"]
    assert run["scenario"] == "endurance" and first["weight"] == 0.9
    assert first["done"] > 4 * second["done"] > 0


def test_two_targets_take_turns(pgmend, shop, script, make_pool, server):
    pool = make_pool(server)
    run = load(pgmend, None, "--file", script(READ), "--rate=400", "--users=3", "--duration=500ms", "--slice=125ms",
               "--seed=1", "--target", f"direct={shop.conninfo}", "--target", f"pool={pool.conninfo('shop')}")
    adds_up(run)
    direct, pooled = run["targets"]
    assert (direct["name"], pooled["name"]) == ("direct", "pool") and run["slice_s"] == 0.125
    assert direct["scheduled"] == pooled["scheduled"] > 100
    assert direct["failed"] == pooled["failed"] == 0
    # in turns: each began while the other had not ended
    assert direct["seconds"][0]["at_s"] < pooled["seconds"][0]["at_s"] < direct["seconds"][-1]["at_s"]


# ---- workloads ----

def test_workload_of_a_file(pgmend, shop, script):
    path = script("-- calls: 3\nSELECT price FROM items WHERE id = 17;\n"
                  "SELECT count(*) FROM items WHERE kind = 'kind 2' AND price > -5;\n"
                  "SELECT now() - interval '1 day';\nUPDATE items SET price = 1;\nSELECT * FROM gone;\n")
    run = load(pgmend, shop, "--workload", path, "--users=3", "--think=5ms", "--duration=500ms")
    adds_up(run)
    target = run["targets"][0]
    assert target["failed"] == 0 and run["left_out_count"] == 2
    assert {q["text"] for q in target["queries"]} >= {
        "SELECT price FROM items WHERE id = $1",
        "SELECT count(*) FROM items WHERE kind = $1 AND price > $2"}
    assert shop.scalar("SELECT sum(price) FROM items") != ROWS


@pytest.mark.parametrize("protocol", ["prepared", "simple"])
def test_workload_of_pg_stat_statements(pgmend, shop, protocol):
    shop.execute("CREATE EXTENSION pg_stat_statements")
    shop.execute("SELECT pg_stat_statements_reset()")
    shop.execute("CREATE INDEX ON items (kind)")
    for i in range(5):
        shop.execute(f"SELECT price FROM items WHERE id = {i}")
    shop.execute("SELECT id FROM items WHERE kind = 'kind 1' AND price < 50 ORDER BY id LIMIT 5")
    shop.execute("SELECT count(*) FROM items WHERE id = ANY ('{1,2}'::int[]) AND now() > now() - interval '1 h'")
    shop.execute("DELETE FROM items WHERE id = -1")
    run = load(pgmend, shop, "--workload=pg_stat_statements", "--rate=200", "--duration=500ms", "--protocol", protocol)
    adds_up(run)
    target = run["targets"][0]
    assert target["failed"] == 0, target["errors"]
    by_text = {q["text"]: q for q in target["queries"]}
    one = by_text["SELECT price FROM items WHERE id = $1"]
    # values come from the column's histogram, so nearly every one finds its row
    assert one["done"] > 0 and one["rows"] >= 0.9 * one["done"]
    assert not any("DELETE" in text for text in by_text) and run["left_out_count"] >= 1


def test_workload_of_a_pools_profile(pgmend, shop, make_pool, server, tmp_path):
    profile = tmp_path / "profile.json"
    statement = {"fingerprint": "00000000000000ab", "database": "shop", "user": "postgres", "calls": 40, "rows": 40,
                 "query": "SELECT price FROM items WHERE id = $1", "server": {"total_ms": 12},
                 "samples": [f"SELECT price FROM items WHERE id = {i}" for i in (3, 14, 15)]}
    other = {**statement, "fingerprint": "00000000000000cd", "calls": 10,
             "query": "SELECT id FROM items WHERE kind = $1 LIMIT $2",
             "samples": ["SELECT id FROM items WHERE kind = 'it''s' LIMIT 3"]}
    profile.write_text(json.dumps({"pgmend_profile": 1, "statements": [statement, other]}))
    pool = make_pool(server)
    run = load(pgmend, None, "--workload", profile, "--rate=200", "--duration=500ms",
               "--target", pool.conninfo("shop"))
    adds_up(run)
    target = run["targets"][0]
    assert target["failed"] == 0 and run["left_out_count"] == 0
    weights = sorted(s["weight"] for s in target["scripts"])
    assert weights == [0.2, 0.8]
    rows = {q["text"]: (q["rows"], q["done"]) for q in target["queries"]}
    got, done = rows["SELECT price FROM items WHERE id = $1"]
    assert got == done > 0 and rows["SELECT id FROM items WHERE kind = $1 LIMIT $2"][0] == 0


# ---- only reading ----

def test_writes_are_refused(pgmend, shop, script):
    result = pgmend("load", "--file", script("SELECT 1;\nUPDATE items SET price = 0;"), shop.conninfo)
    assert result.rc == 2 and "line 2 writes" in result.err and "--writes" in result.err
    shop.execute("CREATE FUNCTION sly() RETURNS int LANGUAGE sql AS 'UPDATE items SET price = 0 RETURNING 1'")
    run = load(pgmend, shop, "--file", script("SELECT sly();"), "--users=1", "--duration=1s", "--think=20ms")
    assert set(codes(run["targets"][0])) == {"25006"} and run["targets"][0]["done"] == 0
    assert shop.scalar("SELECT sum(price) FROM items") > 0


def test_read_only_through_a_pool(pgmend, shop, script, make_pool, server):
    shop.execute("CREATE FUNCTION sly() RETURNS int LANGUAGE sql AS 'UPDATE items SET price = 0 RETURNING 1'")
    pool = make_pool(server)
    run = load(pgmend, None, "--file", script("SELECT sly();"), "--users=2", "--duration=1s", "--think=20ms",
               "--target", pool.conninfo("shop"))
    assert set(codes(run["targets"][0])) == {"25006"}
    with psycopg.connect(pool.conninfo("shop"), autocommit=True) as conn:
        assert conn.execute("SHOW default_transaction_read_only").fetchone()[0] == "off"


def test_writes_where_they_are_wanted(pgmend, shop, script):
    text = "\\set id random(1, 20)\nBEGIN;\nUPDATE items SET price = price + 1 WHERE id = :id;\nEND;\n"
    before = shop.scalar("SELECT sum(price) FROM items")
    run = load(pgmend, shop, "--file", script(text), "--users=4", "--think=10ms", "--duration=700ms", "--writes")
    adds_up(run)
    assert shop.scalar("SELECT sum(price) FROM items") - before == run["targets"][0]["done"] > 0


# ---- failures ----

def test_refused_connections_are_counted(pgmend, shop, script):
    """30 connections, 3 of them reserved: the others' users cannot connect."""
    shop.execute("CREATE ROLE guest LOGIN; GRANT SELECT ON items TO guest")
    try:
        run = load(pgmend, None, "--file", script(READ), "--users=40", "--think=50ms", "--duration=1s",
                   "--target", shop.conninfo.replace("user=postgres", "user=guest"))
        adds_up(run)
        target = run["targets"][0]
        assert set(codes(target)) == {"53300"} and target["connects_failed"] >= 13
        assert target["refusal"].startswith("53300: ")
        assert 5 <= target["sessions_max"] <= 27 and target["done"] > 20
    finally:
        shop.execute("DROP OWNED BY guest; DROP ROLE guest")


def sessions_of(db):
    """The process ids of the load's sessions that have run something of the script."""
    return set(row[0] for row in db.query("SELECT pid FROM pg_stat_activity WHERE application_name = 'pgmend load' "
                                          "AND datname = 'shop' AND query LIKE '%items%'"))


class Running:
    """A load of five users that goes on until it is told to end."""

    def __init__(self, pgmend, db, path):
        self.db = db
        self.child = pgmend.popen("load", "--no-watch", "--format=json", "--file", path, "--users=5", "--think=10ms",
                                  "--duration=1h", db.conninfo)
        self.sessions = self.wait_for_sessions()

    def wait_for_sessions(self, but=frozenset()):
        deadline = time.monotonic() + 60
        while True:
            sessions = sessions_of(self.db)
            if len(sessions) == 5 and not sessions & but:
                return sessions
            assert time.monotonic() < deadline and self.child.poll() is None, self.child.communicate()
            time.sleep(0.05)

    def end(self):
        time.sleep(0.2)
        self.child.send_signal(signal.SIGINT)
        out, err = self.child.communicate(timeout=60)
        assert self.child.returncode == 4, err
        run = json.loads(out)
        adds_up(run)
        assert run["interrupted"] and run["length_s"] < 600
        return run["targets"][0]


def test_interrupted(pgmend, shop, script):
    target = Running(pgmend, shop, script(READ)).end()
    assert target["done"] > 0 and target["failed"] == 0


def test_a_server_that_restarts(pgmend, shop, script, server):
    running = Running(pgmend, shop, script(READ))
    server.restart("fast")
    running.wait_for_sessions()
    target = running.end()
    assert target["reconnects"] >= 5 and target["done"] > 0 and target["failed"] > 0
    assert set(codes(target)) <= {"57P01", "57P03", "closed", "refused"}


def test_killed_backends_and_a_dropped_table(pgmend, shop, script):
    running = Running(pgmend, shop, script(READ))
    shop.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'pgmend load'")
    running.wait_for_sessions(but=running.sessions)
    shop.execute("DROP TABLE items")
    target = running.end()
    assert target["reconnects"] == 5 and target["done"] > 0
    assert codes(target)["42P01"] > 0 and set(codes(target)) <= {"42P01", "57P01", "closed"}


def test_a_server_that_stops_answering(pgmend, shop, script, server):
    """Stopped for good half a second into the run: it ends all the same, and nothing is forgiven."""
    child = pgmend.popen("load", "--no-watch", "--format=json", "--file", script(READ), "--users=5", "--think=10ms",
                         "--duration=2s", "--drain=500ms", shop.conninfo)
    deadline = time.monotonic() + 60
    while len(sessions_of(shop)) < 5:
        assert time.monotonic() < deadline and child.poll() is None, child.communicate()
        time.sleep(0.02)
    stopped = [server.process.pid, *(row[0] for row in shop.query("SELECT pid FROM pg_stat_activity"))]
    for pid in stopped:
        os.kill(pid, signal.SIGSTOP)
    try:
        out, err = child.communicate(timeout=60)
    finally:
        for pid in stopped:
            os.kill(pid, signal.SIGCONT)
    assert child.returncode == 0, err
    run = json.loads(out)
    adds_up(run)
    assert set(codes(run["targets"][0])) == {"unfinished"}


def test_errors_are_undone(pgmend, shop, script):
    text = "BEGIN;\nSELECT 1 / :zero;\nEND;\n"
    run = load(pgmend, shop, "--file", script(text), "-D", "zero=0", "--users=2", "--think=20ms", "--duration=500ms",
               "--protocol=simple")
    adds_up(run)
    assert set(codes(run["targets"][0])) == {"22012"} and run["targets"][0]["failed"] > 10
    run = load(pgmend, shop, "--file", script("SELECT 1 WHERE false \\gset\nSELECT :never;"), "--users=1",
               "--duration=300ms")
    assert set(codes(run["targets"][0])) == {"script"}
    run = load(pgmend, shop, "--file", script("BEGIN;\nSELECT 1;"), "--users=1", "--duration=300ms")
    assert "within a transaction" in run["targets"][0]["errors"][0]["message"]


def test_what_never_ends_is_unfinished(pgmend, shop, script):
    """Both sessions wait for a lock: the run does not."""
    with shop.connect(autocommit=False) as conn:
        conn.execute("LOCK TABLE items")
        run = load(pgmend, shop, "--file", script(READ), "--users=2", "--think=50ms", "--duration=500ms",
                   "--drain=1s", "--protocol=extended")
    adds_up(run)
    target = run["targets"][0]
    assert target["done"] == 0 and target["unfinished"] == target["failed"] == codes(target)["unfinished"] > 0


# ---- verdicts and mistakes ----

def test_verdicts(pgmend, shop, script):
    path = script("SELECT pg_sleep(0.02);")
    args = ["--file", path, "--users=2", "--think=50ms", "--duration=300ms"]
    run = load(pgmend, shop, *args, "--p95=60s", "--error-rate=0.1%", "--throughput=1")
    assert [v["held"] for v in run["verdicts"]] == [True, True, True]
    for miss in ("--p95=1ms", "--throughput=1000"):
        run = load(pgmend, shop, *args, miss, rc=1)
        assert [v["held"] for v in run["verdicts"]] == [False]
    run = load(pgmend, shop, "--file", script("SELECT 1/0;"), "--users=1", "--duration=300ms", "--error-rate=50",
               rc=1)
    assert run["verdicts"][0]["measured"] == 1


def test_the_report_for_people(pgmend, shop, script):
    result = pgmend("load", "--file", script(READ), "--users=3", "--think=10ms", "--duration=300ms", "--p95=60s",
                    shop.conninfo)
    assert result.rc == 0, result
    assert "3 users, each due every 10 ms" in result.out and "read-only" in result.out
    assert "SELECT price FROM items" in result.out and "held    p95 of a" in result.out


@pytest.mark.parametrize("args, words", [
    ([], "what is to be run?"),
    (["--builtin=frob"], "no script \"frob\""),
    (["--file=none.sql"], "none.sql"),
    (["--builtin=select-only", "--spike", "--ramp"], "different scenarios"),
    (["--builtin=select-only", "--p95=soon"], "soon"),
    (["--builtin=select-only", "--rate=-1"], "--rate"),
    (["--builtin=select-only", "--define=nobody=1"], "no script uses"),
    (["--builtin=select-only", "--console=x=y"], "--console"),
    (["--builtin=select-only", "--target=a=db1", "--target=a=db2"], "two targets \"a\""),
    (["--workload=x.sql", "--builtin=select-only"], "--workload"),
    (["--builtin=select-only", "--protocol=smoke"], "--protocol"),
])
def test_mistakes_in_options(pgmend, args, words):
    result = pgmend("load", *args)
    assert result.rc == 2 and words in result.err, result


def test_no_server(pgmend):
    result = pgmend("load", "--builtin=select-only", "--scale=1", f"host=127.0.0.1 port={free_port()}")
    assert result.rc == 3 and "connecting to \"a\"" in result.err, result


def test_a_session_that_is_lost_when_its_user_leaves(pgmend, shop, script):
    """Nobody comes for what is due to that user: it has failed with the session."""
    own = script("SELECT pg_terminate_backend(pg_backend_pid()) FROM pg_sleep(3);\n")
    run = load(pgmend, shop, "--file", own, "--spike=500ms", "--users=2", "--duration=2s", "--drain=20s", timeout=60)
    adds_up(run)
    target = run["targets"][0]
    assert codes(target).keys() == {"57P01"} and target["unfinished"] == 0, target
    assert target["failed"] == target["scheduled"] > 2
