"""One statement as `pgmend serve` shows it: its plan, what the pooler sampled, and advice on it alone."""

import contextlib

import psycopg
import pytest

import cluster as clusters
import serving
from conftest import find_binary
from serving_jobs import run_job

SLOW = "SELECT note FROM orders WHERE customer = %s"
ONE = "SELECT id FROM orders WHERE id = %s"


@pytest.fixture(scope="module")
def shop(cluster):
    cluster.start()
    db = cluster.new_database("serve_statements", """
        CREATE TABLE orders (id int PRIMARY KEY, customer int NOT NULL, note text NOT NULL);
        INSERT INTO orders SELECT n, n % 10000, md5(n::text) FROM generate_series(1, 60000) n;
        ANALYZE orders;""")
    yield db
    db.drop()


class Pooled:
    """A serve that pools the database, and a client of its pooler."""

    def __init__(self, server, port, name):
        self.server, self.name = server, name
        self.path = f"/api/v1/databases/{name}"
        self.conninfo = f"host=127.0.0.1 port={port} user=postgres dbname={name}"

    def run(self, *statements):
        """Each statement (text, values) by the extended protocol and by the simple one, in a transaction each."""
        for factory in (psycopg.Cursor, psycopg.ClientCursor):
            with psycopg.connect(self.conninfo, cursor_factory=factory) as client:
                for text, values in statements:
                    client.execute(text, values)

    def find(self, part):
        """The id of the statement with that text, once the watch knows it."""
        def look():
            answer = self.server.get(f"{self.path}/statements?source=pool&from=-1h", "viewer")
            rows = answer.data["statements"] if answer.status == 200 else []
            return next((r["id"] for r in rows if part in r["query"]), None)
        return self.server.wait_for(look, 120)

    def show(self, statement, role="operator"):
        return self.server.get(f"{self.path}/statements/{statement}?from=-1h", role).data


def pool_sections(cluster, db, port, **settings):
    where = f"host={cluster.folder} port={cluster.settings['port']} user=postgres"
    return {"databases": {db.name: where},
            "pgbouncer": {"listen_addr": "127.0.0.1", "listen_port": port, "auth_type": "trust",
                          "unix_socket_dir": "", "pool_mode": "transaction", "auth_file": "userlist.txt"},
            "serve": {"watch_interval": 1, **settings}}


@contextlib.contextmanager
def serve_pooled(cluster, db, customers, **settings):
    """A serve whose pooler has seen both statements, the slow one for these customers."""
    port = clusters.free_port()
    with serving.Serve(find_binary(), pool_sections(cluster, db, port, **settings)) as server:
        (server.folder / "userlist.txt").write_text('"postgres" ""\n')
        server.give_away()
        one = Pooled(server.start(), port, db.name)
        # Its first profile is what the next is compared with.
        one.run((SLOW, [customers[0]]))
        server.wait_for(lambda: server.get(f"{one.path}/summary", "viewer").status == 200)
        statements = [(SLOW, [customers[n % len(customers)]]) for n in range(30)] + [(ONE, [7])] * 12
        server.wait_for(lambda: one.run(*statements) or "customer" in str(server.get(
            f"{one.path}/statements?source=pool&from=-1h", "viewer").body), 120)
        yield one


@pytest.fixture(scope="module")
def pooled(cluster, shop):
    with serve_pooled(cluster, shop, [0, 1, 2], show_values=1) as one:
        yield one


def test_the_plan(pooled, shop):
    statement = pooled.find("customer =")
    plan = pooled.server.get(f"{pooled.path}/statements/{statement}/plan", "operator").data
    assert plan["kind"] == "generic" and "Seq Scan on orders" in plan["text"] and "$1" in plan["text"]
    assert plan["json"][0]["Plan"]["Node Type"] == "Seq Scan"
    assert "actual" not in plan["text"], "it is never run"
    assert pooled.server.get(f"{pooled.path}/statements/{statement}/plan", "viewer").status == 403
    gone = pooled.server.get(f"{pooled.path}/statements/4711/plan", "operator")
    assert gone.status == 404 and gone.code == "not_found"


def test_what_was_sampled(pooled):
    statement = pooled.find("customer =")
    shown = pooled.show(statement)
    sampled = shown["sampled"]
    assert sampled["values_shown"] and any("customer = 2" in s for s in sampled["samples"]), sampled
    assert sampled["slowest"] and sampled["slowest"][0]["ms"] > 0 and "customer = " in sampled["slowest"][0]["query"]
    top = sampled["values"][0]["top"]
    assert {t["value"] for t in top} == {"0", "1", "2"}
    assert sum(calls for _, calls in shown["histogram"]) == shown["calls"]
    bounds = [upper for upper, _ in shown["histogram"]]
    assert bounds == sorted(bounds)
    assert shown["p50_ms"] <= shown["p95_ms"] <= shown["max_ms"]
    # Values are an operator's.
    hidden = pooled.show(statement, "viewer")["sampled"]
    assert not hidden["values_shown"] and hidden["samples"] == []
    assert {s["query"] for s in hidden["slowest"]} == {None}
    assert {t["value"] for v in hidden["values"] for t in v["top"]} == {None}


def test_n_plus_one(pooled):
    burst = pooled.show(pooled.find("id ="))["n_plus_one"]
    assert burst["bursts"] >= 1 and burst["longest"] >= 10


def test_statements_that_have_no_plan(pooled, shop):
    """What cannot be planned is said; what is more than one statement never runs."""
    shop.execute("CREATE TABLE gone (a int)")
    pooled.run(("SELECT a FROM gone WHERE a > 2", None))
    with psycopg.connect(pooled.conninfo, autocommit=True, cursor_factory=psycopg.ClientCursor) as client:
        client.execute("SELECT 815; DROP TABLE IF EXISTS never_there")
    several, gone = pooled.find("never_there"), pooled.find("FROM gone")
    shop.execute("DROP TABLE gone")
    shop.execute("CREATE TABLE never_there (a int)")
    answer = pooled.server.get(f"{pooled.path}/statements/{gone}/plan", "operator")
    assert answer.status == 422 and answer.code == "not_planned" and b'\\"gone\\" does not exist' in answer.body
    assert b"search_path" in answer.body
    answer = pooled.server.get(f"{pooled.path}/statements/{several}/plan", "operator")
    assert answer.status == 422, answer
    assert shop.scalar("SELECT count(*) FROM never_there") == 0
    shop.execute("DROP TABLE never_there")


@pytest.mark.hypopg
def test_advice_on_this_one(pooled):
    server, statement = pooled.server, pooled.find("customer =")
    job = run_job(server, f"{pooled.path}/advice", body={"statement": statement})
    assert job["title"] == "Advise on one statement" and job["plan"]
    assert job["result"]["statements"] == 1
    proposals = job["result"]["proposals"]
    assert len(proposals) == 1 and "(customer)" in proposals[0]["sql"]
    kept = server.get(f"{pooled.path}/advice?statement={statement}", "viewer").data
    assert kept["job"]["id"] == job["id"] and kept["plan"]["state"] == "new" and kept["advice"]["proposals"]
    # It is not the advice on all, nor that on another.
    assert server.get(f"{pooled.path}/advice", "viewer").data["job"] is None
    other = pooled.find("id =")
    assert server.get(f"{pooled.path}/advice?statement={other}", "viewer").data["job"] is None
    assert server.post(f"{pooled.path}/advice", "operator", {"statement": "4711"}).status == 404
    both = {"statement": statement, "workload": "SELECT 1;"}
    assert server.post(f"{pooled.path}/advice", "operator", both).status == 400
    assert server.post(f"{pooled.path}/advice", "viewer", {"statement": statement}).status == 403


@pytest.mark.hypopg
def test_hidden_values_stay_out_of_plans(cluster, shop):
    """A Plan keeps a text with values, to measure it, and viewers may read Plans."""
    with serve_pooled(cluster, shop, [4243]) as one:
        statement = one.find("customer =")
        job = run_job(one.server, f"{one.path}/advice", body={"statement": statement})
        assert job["result"]["proposals"][0]["statements"][0]["values"] != "values from the workload"
        answer = one.server.get(f"{one.path}/advice?statement={statement}", "viewer")
        assert answer.data["plan"]["state"] == "new" and b"= 4243" not in answer.body


def begin_counting(conn):
    """The slow statement is what pg_stat_statements has then."""
    conn.execute("CREATE EXTENSION IF NOT EXISTS pg_stat_statements")
    conn.execute("SELECT pg_stat_statements_reset()")
    conn.execute(SLOW, [3])


def queryid(conn, condition):
    return str(conn.execute("SELECT queryid FROM pg_stat_statements WHERE query LIKE %s",
                            [f"%FROM orders WHERE {condition}%"]).fetchone()[0])


@pytest.mark.extension("pg_stat_statements")
def test_a_server_that_hangs_keeps_no_worker(make_serve, make_pool, shop):
    """Behind a pooler that is paused: sessions are opened there, and nothing is answered."""
    with shop.connect() as conn:
        begin_counting(conn)
        statement = queryid(conn, "customer = $1")
    pool = make_pool(databases={shop.name: "{server} dbname=" + shop.name})
    # so long does the watch not see that it hangs
    server = make_serve({"watch": {"shop": pool.conninfo(shop.name)}, "serve": {"watch_interval": 600}})
    path = f"/api/v1/databases/shop/statements/{statement}/plan"
    server.wait_for(lambda: server.get(path, "operator").status == 200)
    pool.console("PAUSE")
    answer = server.get(path, "operator")
    assert answer.status == 504 and b"did not answer" in answer.body, answer
    pool.console("RESUME")
    server.wait_for(lambda: server.get(path, "operator").status == 200)


@pytest.mark.extension("pg_stat_statements")
def test_without_a_pooler(make_serve, cluster, shop):
    """By pg_stat_statements alone: the plan is there, also of what normalizing has made no SQL; samples are not."""
    with shop.connect() as conn:
        begin_counting(conn)
        conn.execute("SELECT count(*) FROM orders WHERE now() - interval '1 day' < now()")
        slow, interval = queryid(conn, "customer = $1"), queryid(conn, "now() - interval")
        server = make_serve({"watch": {"shop": shop.conninfo}, "serve": {"watch_interval": 1}})
        path = "/api/v1/databases/shop"
        for statement in (slow, interval):
            plan = server.wait_for(lambda: (a := server.get(f"{path}/statements/{statement}/plan", "operator")).status
                                   not in (404, 503) and a).data
            assert plan["kind"] == "generic" and "orders" in plan["text"]
        if cluster.has_extension("hypopg"):
            job = run_job(server, f"{path}/advice", body={"statement": slow})
            assert "(customer)" in job["result"]["proposals"][0]["sql"]

        def listed():
            conn.execute(SLOW, [3])
            answer = server.get(f"{path}/statements/{slow}?from=-1h", "admin")
            return answer.status == 200 and answer.data

        shown = server.wait_for(listed)
        assert shown["sampled"] is None and shown["histogram"] == []
