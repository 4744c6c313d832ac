"""pgmend serve: alerts from real servers to a real receiver, and what the history answers."""

import collections
import http.server
import json
import re
import sqlite3
import threading
import time

import pytest

import serving

Got = collections.namedtuple("Got", "path key body")


class Receiver:
    """Takes webhooks. fail: the statuses of its first answers; then 200."""

    def __init__(self, fail=(), port=0):
        self.got, self.refused, self.fail = [], [], list(fail)
        owner = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                status = owner.fail.pop(0) if owner.fail else 200
                (owner.got if status == 200 else owner.refused).append(
                    Got(self.path, self.headers["Idempotency-Key"], body))
                self.send_response(status)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *args):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", port), Handler)
        self.port = self.server.server_port
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def url(self, path="/"):
        return f"http://127.0.0.1:{self.port}{path}"

    def messages(self, rule, status=None):
        return [g for g in list(self.got) if g.body.get("rule") == rule and status in (None, g.body["status"])]

    def close(self):
        self.server.shutdown()
        self.server.server_close()


@pytest.fixture
def receiver():
    made = Receiver(fail=[503, 500, 429])
    yield made
    made.close()


@pytest.fixture
def make_serve(pgmend_binary):
    made = []

    def make(db, alerts, settings=None, **more):
        serve = serving.Serve(pgmend_binary, {"watch": {"shop": db.conninfo}, "serve": {"watch_interval": 1, **(settings or {})},
                                              "alerts": alerts}, **more)
        made.append(serve)
        return serve.start()

    yield make
    for serve in made:
        serve.close()


@pytest.fixture(scope="session")
def pgmend_binary():
    import conftest
    return conftest.find_binary()


QUICK = {"lock_wait.threshold": "1s", "lock_wait.settle": "2s", "idle_in_transaction.threshold": "1s",
         "idle_in_transaction.settle": "2s", "send_from": "info"}


def blocked(db):
    """Two sessions: one that is idle in a transaction and one that waits for its lock. Ends both when closed."""
    db.execute("CREATE TABLE IF NOT EXISTS t (a integer)")
    holder, waiter = db.connect(autocommit=False), db.connect()
    holder.execute("LOCK TABLE t IN ACCESS EXCLUSIVE MODE")
    thread = threading.Thread(target=lambda: waiter.execute("SELECT count(*) FROM t"))
    thread.start()

    def end():
        holder.rollback()
        thread.join()
        holder.close()
        waiter.close()
    return end


def alerts_of(serve, rule):
    return [a for a in serve.get("/api/v1/alerts", "viewer").data["alerts"] if a["rule"] == rule]


def test_it_fires_is_delivered_once_the_receiver_works_and_resolves(db, receiver, make_serve):
    serve = make_serve(db, {"webhook": receiver.url("/hook?secret=SECRET"), **QUICK})
    end = blocked(db)
    serve.wait_for(lambda: receiver.messages("lock_wait", "firing"))
    first = receiver.messages("lock_wait", "firing")[0]
    assert first.path == "/hook?secret=SECRET"
    assert first.body["target"] == "shop" and first.body["severity"] == "warning" and first.body["value"] >= 1
    assert first.key == first.body["key"]
    # each refusal was of a message that came again, with the same key
    assert len(receiver.refused) == 3
    assert {g.key for g in receiver.refused} <= {g.key for g in receiver.got}
    firing = alerts_of(serve, "lock_wait")[0]
    assert firing["state"] == "firing" and firing["database"] == "shop" and firing["silence"] is None
    end()
    serve.wait_for(lambda: receiver.messages("lock_wait", "resolved"))
    serve.wait_for(lambda: not alerts_of(serve, "lock_wait"))
    assert len({g.key for g in receiver.messages("lock_wait", "firing")}) == 1
    answer = serve.get("/api/v1/alerts", "viewer").data
    assert answer["receivers"][0]["address"] == f"http://127.0.0.1:{receiver.port}"
    assert answer["receivers"][0]["failed"] == 3
    serve.stop()
    text = serve.log(1000)
    assert "alert firing: warning: shop" in text and "SECRET" not in text
    kept = (serve.folder / "history.db").read_bytes()
    assert b"SECRET" not in kept


def test_messages_survive_kill_9(db, make_serve):
    """Nobody listens; pgmend is killed; then there is a receiver: it gets what fired before."""
    port = serving.clusters.free_port()
    serve = make_serve(db, {"webhook": f"http://127.0.0.1:{port}/", **QUICK})
    end = blocked(db)
    with sqlite3.connect(f"file:{serve.folder}/history.db?mode=ro", uri=True) as kept:
        serve.wait_for(lambda: kept.execute("SELECT 1 FROM records WHERE kind = 'alert' AND id = 'shop/lock_wait'")
                       .fetchall())
    kept.close()
    serve.wait_for(lambda: serve.get("/api/v1/alerts", "viewer").data["receivers"][0]["failed"] > 0)
    serve.process.kill()
    serve.process.wait()
    serve.process = None
    end()
    receiver = Receiver(port=port)
    try:
        serve.start()
        serve.wait_for(lambda: receiver.messages("lock_wait", "firing"))
        # it is over: that is told, too
        serve.wait_for(lambda: receiver.messages("lock_wait", "resolved"))
        assert receiver.messages("lock_wait", "firing")[0].body["fired_at"] == \
            receiver.messages("lock_wait", "resolved")[0].body["fired_at"]
    finally:
        receiver.close()


def test_slack_and_alertmanager_have_their_forms(db, receiver, make_serve):
    receiver.fail.clear()
    make_serve(db, {"slack": receiver.url("/slack"), "alertmanager": receiver.url("/am"), **QUICK})
    end = blocked(db)
    try:
        deadline = time.monotonic() + 60
        while len({g.path for g in receiver.got}) < 2 and time.monotonic() < deadline:
            time.sleep(0.1)
        slack = next(g.body for g in receiver.got if g.path == "/slack")
        assert list(slack) == ["text"] and "shop" in slack["text"]
        alert = next(g.body for g in receiver.got if g.path == "/am/api/v2/alerts")[0]
        assert alert["labels"]["alertname"] and alert["labels"]["target"] == "shop"
        assert alert["startsAt"] < alert["endsAt"] and alert["annotations"]["summary"]
    finally:
        end()


def test_a_silence_holds_messages_back_until_it_ends(db, receiver, make_serve):
    receiver.fail.clear()
    serve = make_serve(db, {"webhook": receiver.url(), **QUICK})
    path = "/api/v1/alerts/lock_wait/silence?database=shop"
    assert serve.post(path, "viewer", {"why": "x"}).status == 403
    assert serve.post("/api/v1/alerts/no_such_rule/silence", "operator", {"why": "x"}).status == 404
    said = serve.post(path, "operator", {"minutes": 30, "why": "maintenance"}).data
    assert said["who"] == "operator" and said["why"] == "maintenance"
    end = blocked(db)
    try:
        serve.wait_for(lambda: alerts_of(serve, "lock_wait"))
        serve.wait_for(lambda: receiver.messages("idle_in_transaction"))
        assert alerts_of(serve, "lock_wait")[0]["silence"]["who"] == "operator"
        assert not receiver.messages("lock_wait")
        assert serve.request("DELETE", path, "operator").status == 200
        assert serve.request("DELETE", path, "operator").status == 404
        serve.wait_for(lambda: receiver.messages("lock_wait", "firing"))
    finally:
        end()


def test_what_the_checks_find_fires_and_resolves(db, make_serve):
    db.psql("CREATE TABLE small (id smallserial PRIMARY KEY); SELECT setval('small_id_seq', 32000)")
    serve = make_serve(db, {"sequence_exhaustion.settle": "1s"}, {"findings_interval": 2})
    serve.wait_for(lambda: alerts_of(serve, "sequence_exhaustion"))
    alert = alerts_of(serve, "sequence_exhaustion")[0]
    assert "small" in str(alert), alert
    db.psql("SELECT setval('small_id_seq', 1)")
    serve.wait_for(lambda: not alerts_of(serve, "sequence_exhaustion"))


def test_exit_on_ends_it_with_1(make_cluster, make_serve):
    server = make_cluster()
    serve = make_serve(server.new_database("gone"), {"exit_on": "database_down", "database_down.for": "1s"})
    server.stop("immediate")
    process = serve.process
    assert process.wait(90) == 1
    serve.process = None
    assert "exit_on" in serve.log()


def test_wrong_settings_are_named_with_their_line(db, pgmend_binary):
    with serving.Serve(pgmend_binary, {"watch": {"shop": db.conninfo}, "alerts": {"lock_wait.threshold": "soon"}}) as serve:
        serve.launch().wait(60)
        assert serve.process.returncode == 2
        serve.process = None
        assert re.search(r"serve.ini:\d+:.*lock_wait.threshold", serve.log())


def test_the_history_answers(db, make_serve):
    db.execute("CREATE TABLE orders AS SELECT i AS id FROM generate_series(1, 1000) AS i")
    serve = make_serve(db, {})
    base = "/api/v1/databases/shop"

    def series(metric, **more):
        query = "&".join(f"{k}={v}" for k, v in {"metric": metric, "step": 10, **more}.items())
        return serve.get(f"{base}/series?{query}", "viewer").data
    found = serve.wait_for(lambda: [s for s in series("pg_stat_database_xact_commit")["series"]
                                    if any(p[1] for p in s["points"])])
    assert found[0]["labels"]["datname"] == db.name
    t, value = found[0]["points"][0][:2]
    assert abs(t - time.time()) < 600 and value >= 0
    answer = series("pgmend_sessions_connections")
    assert answer["kind"] == "gauge" and answer["step"] >= 10
    assert series("no_such_metric")["series"] == []
    assert serve.get(f"{base}/series?metric=pg_up&from=2000000000&to=1000000000", "viewer").status == 400
    assert serve.get("/api/v1/databases/nothing/series?metric=pg_up", "viewer").status == 404
    growth = serve.wait_for(lambda: serve.get(f"{base}/growth", "viewer").data["tables"] and
                            serve.get(f"{base}/growth", "viewer").data)
    table = next(t for t in growth["tables"] if t["name"] == "orders")
    assert table["size_bytes"] > 0 and table["bytes_per_day"] is None and table["why"] == "not enough history"
    statements = serve.get(f"{base}/statements?sort=p95", "viewer").data
    assert statements["statements"] == [] or statements["source"]
    assert serve.get(f"{base}/statements/notanumber", "viewer").status == 400
    serve.stop()
    with sqlite3.connect(serve.folder / "history.db") as kept:
        assert kept.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        assert kept.execute("SELECT count(*) FROM raw").fetchone()[0] > 0
    kept.close()


def test_a_second_serve_on_one_history_is_refused(db, make_serve, pgmend_binary):
    first = make_serve(db, {})
    with serving.Serve(pgmend_binary, {"watch": {"shop": db.conninfo},
                                       "serve": {"history": first.folder / "history.db"}}) as second:
        second.launch().wait(60)
        assert second.process.returncode not in (0, None)
        second.process = None
        assert "another pgmend serve" in second.log()
