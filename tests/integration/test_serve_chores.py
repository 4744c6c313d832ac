"""Chores of pgmend serve: by a short timetable, through the change engine, in the audit list; off unless asked for."""

import base64
import hashlib
import re

import pytest

import serving
from changes import invalid_indexes
from conftest import find_binary
from serving_jobs import holding, job_of, make_events, open_serve, put_plan, wait_job

SHOP = "/api/v1/databases/shop"


@pytest.fixture(scope="module")
def shop(cluster):
    cluster.start()
    db = cluster.new_database("serve_chores")
    make_events(db, 20000)
    db.execute("CREATE TABLE bloated (id int, payload text)")
    db.execute("CREATE INDEX bloated_id ON bloated (id)")
    db.execute("INSERT INTO bloated SELECT (i::bigint * 7919) % 60013, 'x' FROM generate_series(1, 60000) i")
    db.execute("DELETE FROM bloated WHERE id % 10 > 0")
    db.psql("VACUUM ANALYZE bloated")
    yield db
    db.drop()


def outcome_of(serve, name, states=("done", "nothing", "failed", "skipped")):
    """What came of the chore, when it has run."""
    def ended():
        chore = next(c for c in serve.get("/api/v1/chores", "viewer").data["chores"] if c["name"] == name)
        last = chore["last"].get("shop")
        return last if last and last["outcome"] in states else None

    return serve.wait_for(ended, 120)


def test_none_runs_unless_it_is_configured(shop):
    with open_serve(find_binary(), shop) as serve:
        serve.start()
        assert serve.get("/api/v1/chores", "viewer").data["chores"] == []
        assert serve.post("/api/v1/chores/reindex/run", "operator").status == 404
        assert serve.get("/api/v1/audit", "viewer").data["entries"] == []


def test_they_keep_house(shop, tmp_path):
    ahead = "SELECT count(*) FROM pg_inherits WHERE inhparent = 'events'::regclass"
    size = "SELECT pg_relation_size('bloated_id')"
    before = shop.scalar(size)
    chores = {"partitions": "every 2s", "analyze": "every 3s", "reindex": "weekly sun 04:00 Europe/Berlin",
              "report": "weekly mon 07:00", "reindex_min_size": "64kB"}
    with open_serve(find_binary(), shop, chores=chores) as serve:
        serve.start()
        assert outcome_of(serve, "partitions")["outcome"] == "done"
        assert shop.scalar(ahead) > 4
        serve.wait_for(lambda: shop.scalar("SELECT count(*) FROM pg_stats WHERE tablename = 'events' AND inherited"), 120)

        assert serve.post("/api/v1/chores/reindex/run", "viewer", {}).status == 403
        assert serve.post("/api/v1/chores/reindex/run", "operator", {"database": "shop"}).status == 202
        last = outcome_of(serve, "reindex")
        assert last["outcome"] == "done" and last["job"], last
        assert shop.scalar(size) < before / 2 and not invalid_indexes(shop)
        assert shop.scalar("SELECT kind FROM pgmend.change WHERE title LIKE 'rebuild index%%'") == "reindex"

        assert serve.post("/api/v1/chores/report/run", "operator", {}).status == 202
        assert outcome_of(serve, "report")["outcome"] == "done"
        text = serve.get(f"{SHOP}/weekly-report", "viewer").body.decode()
        assert "What got slower" in text and "Chore: rebuild bloated indexes" in text, text
        page = serve.get(f"{SHOP}/weekly-report?format=html", "viewer")
        assert page.headers["content-type"].startswith("text/html") and b"<h2>What got slower</h2>" in page.body
        # its own style sheet is let in by its hash, and nothing else is
        style = re.findall(rb"<style>(.*?)</style>", page.body, re.S)
        digest = base64.b64encode(hashlib.sha256(style[0]).digest()).decode()
        policy = dict(part.strip().split(" ", 1) for part in page.headers["content-security-policy"].split(";"))
        assert len(style) == 1 and policy["style-src"] == f"'sha256-{digest}'" and policy["default-src"] == "'none'"
        assert "script-src" not in policy and policy["frame-ancestors"] == "'none'" and b"<script" not in page.body

        entries = serve.get("/api/v1/audit?limit=1000", "viewer").data["entries"]
        assert {"chore:partitions", "chore:analyze", "operator"} <= {e["who"] for e in entries}
        actors = {row[0] for row in shop.query("SELECT actor FROM pgmend.actor")}
        assert {"chore:partitions", "chore:analyze", "operator"} <= actors
        jobs = serve.get("/api/v1/jobs?limit=1000", "viewer").data["jobs"]
        spans = sorted((j["started_at"], j["finished_at"]) for j in jobs if j["finished_at"])
        # One after the other: none begins before the one before it has ended (to the second).
        assert all(a[1] <= b[0] for a, b in zip(spans, spans[1:])), spans


def test_asking_for_one_takes_no_other_s_turn(shop):
    """One database under two names, whose reports' files would have the same name."""
    watch = {"a.b": shop.conninfo, "a-b": shop.conninfo}
    chores = {"analyze": "every 2s", "partitions": "weekly mon 03:00", "report": "weekly mon 07:00"}
    with serving.Serve(find_binary(), {"watch": watch, "chores": chores}) as serve:
        serve.start()

        def ask(name, database):
            return serve.post(f"/api/v1/chores/{name}/run", "operator", {"database": database}).status

        def of(name):
            return next(c for c in serve.get("/api/v1/chores", "viewer").data["chores"] if c["name"] == name)

        def last(name):
            return of(name)["last"]

        # asked again and again for one, it is still run for the other when it is due
        serve.wait_for(lambda: ask("analyze", "a.b") and "a-b" in last("analyze"), 60)
        for name in watch:
            assert serve.wait_for(lambda name=name: ask("report", name) == 202, 60)
        serve.wait_for(lambda: set(last("report")) == set(watch), 60)
        titles = {serve.get(f"/api/v1/databases/{name}/weekly-report", "viewer").body.splitlines()[0] for name in watch}
        assert len(titles) == 2, titles
        # one that waits for its turn is not put aside for another database
        plan = put_plan(serve, "CREATE INDEX CONCURRENTLY bloated_again ON public.bloated (payload);", database="a.b")
        with holding(shop, "bloated"):
            change = serve.wait_for(lambda: (lambda answer: answer.status == 202 and job_of(answer))(
                serve.post(f"/api/v1/databases/a.b/plans/{plan}/apply", "operator")))
            assert ask("partitions", "a.b") == 202  # it waits behind that change
            serve.wait_for(lambda: of("partitions")["running"])
            assert ask("partitions", "a.b") == 202 and ask("partitions", "a.b") == 202
            assert ask("partitions", "a-b") == 409
        wait_job(serve, change)
        serve.wait_for(lambda: last("partitions").get("a.b"), 120)
        assert serve.wait_for(lambda: ask("partitions", "a-b") == 202)
        serve.wait_for(lambda: last("partitions").get("a-b"), 120)


def test_what_is_wrong_in_the_file_is_said(pgmend, tmp_path):
    path = tmp_path / "serve.ini"
    path.write_text("[watch]\nshop = dbname=shop\n[chores]\nanalyze = nightly\nreindexx = hourly\nreindex_max = 0\n"
                    "timezone = Mars\nmissed = perhaps\n")
    path.chmod(0o600)
    done = pgmend("serve", "--check-config", path)
    assert done.rc == 2
    for word in ["nightly", "reindexx", "reindex_max", "Mars", "perhaps"]:
        assert word in done.err + done.out, word
