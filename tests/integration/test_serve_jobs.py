"""Jobs of pgmend serve: apply from the browser's side, conflicts, cancel, kill -9, roles, hostile names."""

import json
import os
import signal
import sqlite3
from concurrent.futures import ThreadPoolExecutor

import psycopg
import pytest

import cluster as clusters
from changes import index_names, invalid_indexes, plan_state, wait_until
from conftest import find_binary
from serving_jobs import (events, get_job, holding, job_of, make_events, open_serve, put_plan, run_job, wait_job)

SHOP = "/api/v1/databases/shop"
PERFORMANCE = ["pool-stats", "database-stats", "index-usage", "cache-stats", "table-bloat", "system-metrics",
               "full-report"]


def fill(db):
    db.execute("CREATE TABLE orders (id int PRIMARY KEY, user_id int, status text)")
    db.execute("INSERT INTO orders SELECT i, i % 100, 'open' FROM generate_series(1, 5000) i")
    db.execute("CREATE TABLE lines (id int PRIMARY KEY, order_id int REFERENCES orders ON DELETE CASCADE)")
    db.execute("INSERT INTO lines SELECT i, 1 + i % 5000 FROM generate_series(1, 20000) i")
    db.execute("""CREATE TABLE "--apply" (id int PRIMARY KEY, "x';--" int)""")
    make_events(db)
    db.execute("ANALYZE")


@pytest.fixture(scope="module")
def shop(cluster):
    cluster.start()
    db = cluster.new_database("serve_jobs")
    fill(db)
    yield db
    db.drop()


@pytest.fixture(scope="module")
def serve(shop):
    with open_serve(find_binary(), shop) as server:
        yield server.start()


def test_a_plan_from_apply_to_rollback(serve, shop):
    plan = put_plan(serve, "CREATE INDEX CONCURRENTLY orders_user ON public.orders (user_id);")
    listed = {p["id"]: p for p in serve.get(f"{SHOP}/plans", "viewer").data["plans"]}
    assert listed[plan]["state"] == "new" and "orders_user" in listed[plan]["sql"]
    dry = serve.post(f"{SHOP}/plans/{plan}/apply", "operator", {"dry_run": True}).data
    assert dry["dry_run"] and dry["steps"][0]["action"] == "run"
    assert index_names(shop, "orders") == ["orders_pkey"]

    job = job_of(serve.post(f"{SHOP}/plans/{plan}/apply", "operator"))
    told = events(serve, job)
    assert told[-1][0] == "state" and told[-1][1]["state"] == "done" and told[-1][1]["exit_code"] == 0, told
    kinds = [data["event"] for name, data in told if name == "progress"]
    assert kinds[0] == "step" and kinds[-1] == "step_end", told
    found = get_job(serve, job)
    assert found["state"] == "done" and found["result"]["ok"] and found["plan"] == plan
    assert found["who"] == "operator" and found["role"] == "operator" and found["changes"]
    assert "orders_user" in index_names(shop, "orders")
    assert not any("host=" in word or "dbname=" in word for word in found["command"])

    run = serve.get(f"{SHOP}/changes/{plan}", "viewer").data["runs"][0]
    assert run["state"] == "done" and run["step_list"][0]["state"] == "done"
    assert [(a["action"], a["actor"]) for a in run["actors"]] == [("apply", "operator")]

    run_job(serve, f"{SHOP}/plans/{plan}/rollback", "admin")
    assert index_names(shop, "orders") == ["orders_pkey"]
    run = serve.get(f"{SHOP}/changes/{plan}", "viewer").data["runs"][0]
    assert [(a["action"], a["actor"]) for a in run["actors"]] == [("apply", "operator"), ("rollback", "admin")]
    assert serve.get(f"{SHOP}/plans/{plan}", "viewer").data["state"] == "undone"
    audit = serve.get("/api/v1/audit?database=shop", "viewer").data["entries"]
    assert {(e["who"], e["action"]) for e in audit} >= {("operator", "apply"), ("admin", "rollback")}
    assert serve.request("DELETE", f"{SHOP}/plans/{plan}", "operator").status == 200
    assert serve.get(f"{SHOP}/plans/{plan}", "viewer").status == 404


def test_fifty_who_apply_at_once_are_one_job(serve, shop):
    plan = put_plan(serve, "CREATE INDEX CONCURRENTLY orders_fifty ON public.orders (user_id, id);")
    with holding(shop, "orders"), ThreadPoolExecutor(50) as pool:
        answers = list(pool.map(lambda _: serve.post(f"{SHOP}/plans/{plan}/apply", "operator"), range(50)))
        assert sorted(a.status for a in answers) == [202] + [409] * 49
        job = next(job_of(a) for a in answers if a.status == 202)
        assert {a.json["error"]["job"] for a in answers if a.status == 409} == {job}
        # A rollback of it is a change of the database as well.
        other = serve.post(f"{SHOP}/plans/{plan}/rollback", "operator")
        assert other.status == 409 and other.json["error"]["code"] == "conflict"
    assert wait_job(serve, job)["state"] == "done"
    run_job(serve, f"{SHOP}/plans/{plan}/rollback")


def test_the_same_key_is_the_same_job(serve):
    one = put_plan(serve, "ANALYZE public.orders;")
    other = put_plan(serve, "ANALYZE public.lines;")
    key = {"Idempotency-Key": "0123-abc"}
    first = serve.post(f"{SHOP}/plans/{one}/apply", "operator", headers=key)
    wait_job(serve, job_of(first))
    again = serve.post(f"{SHOP}/plans/{one}/apply", "operator", headers=key)
    assert job_of(again) == job_of(first)
    assert serve.post(f"{SHOP}/plans/{other}/apply", "operator", headers=key).code == "key_reused"
    # Somebody else's key is another one.
    wait_job(serve, job_of(serve.post(f"{SHOP}/plans/{other}/apply", "admin", headers=key)))
    # What a command reads is of the request as well.
    key = {"Idempotency-Key": "4567-def"}
    body = {"workload": "SELECT * FROM orders WHERE user_id = 5;"}
    first = serve.post(f"{SHOP}/advice", "operator", body, headers=key)
    assert job_of(serve.post(f"{SHOP}/advice", "operator", body, headers=key)) == job_of(first)
    body = {"workload": "SELECT * FROM lines WHERE order_id = 5;"}
    assert serve.post(f"{SHOP}/advice", "operator", body, headers=key).code == "key_reused"
    assert serve.post(f"{SHOP}/advice", "operator", headers=key).code == "key_reused"
    wait_job(serve, job_of(first))


def test_a_job_is_canceled_and_gone_on_with(serve, shop):
    plan = put_plan(serve, "CREATE INDEX CONCURRENTLY orders_cancel ON public.orders (status);")
    with holding(shop, "orders"):
        job = job_of(serve.post(f"{SHOP}/plans/{plan}/apply", "operator"))
        waits = events(serve, job, until=lambda name, data: data.get("event") == "wait")
        assert waits[-1][1]["event"] == "wait" and "pid" in waits[-1][1]["text"], waits
        assert serve.request("DELETE", f"/api/v1/jobs/{job}", "viewer").status == 403
        assert serve.request("DELETE", f"/api/v1/jobs/{job}", "operator").status == 202
    assert wait_job(serve, job)["state"] == "canceled"
    assert serve.request("DELETE", f"/api/v1/jobs/{job}", "operator").code == "ended"
    assert plan_state(shop) == "canceled" and get_job(serve, job)["resumable"]
    next_job = job_of(serve.post(f"/api/v1/jobs/{job}/resume", "operator"))
    assert wait_job(serve, next_job)["state"] == "done"
    assert get_job(serve, job)["resumed_by"] == next_job
    assert serve.post(f"/api/v1/jobs/{job}/resume", "operator").status == 409
    assert "orders_cancel" in index_names(shop, "orders") and not invalid_indexes(shop)
    run_job(serve, f"{SHOP}/plans/{plan}/rollback")


def children_of(pid):
    found = []
    for name in os.listdir("/proc"):
        try:
            with open(f"/proc/{name}/stat", encoding="utf-8", errors="replace") as stat:
                if int(stat.read().rpartition(")")[2].split()[1]) == pid:
                    found.append(int(name))
        except (OSError, ValueError, IndexError):
            continue
    return found


def test_kill_9_of_serve_leaves_a_job_to_go_on_with(cluster):
    cluster.start()
    db = cluster.new_database("serve_killed")
    fill(db)
    try:
        with open_serve(find_binary(), db) as server:
            server.start()
            plan = put_plan(server, "CREATE INDEX CONCURRENTLY orders_killed ON public.orders (user_id);")
            with holding(db, "orders"):
                job = job_of(server.post(f"{SHOP}/plans/{plan}/apply", "operator"))
                events(server, job, until=lambda name, data: data.get("event") == "wait")
                children = [(pid, clusters.process_start(pid)) for pid in children_of(server.process.pid)]
                assert children
                server.process.send_signal(signal.SIGKILL)
                server.process.wait()
                server.process = None
            # They end with it, and clean up: nobody is left who changes the database unseen.
            assert wait_until(lambda: all(clusters.process_start(pid) != start for pid, start in children))
            server.start()
            found = get_job(server, job)
            assert found["state"] == "interrupted" and f"/api/v1/jobs/{job}/resume" in found["resume"], found
            told = events(server, job)
            assert told[-1][1]["state"] == "interrupted"
            next_job = job_of(server.post(f"/api/v1/jobs/{job}/resume", "operator"))
            assert wait_job(server, next_job)["state"] == "done"
            assert "orders_killed" in index_names(db, "orders") and not invalid_indexes(db)
            run = server.get(f"{SHOP}/changes/{plan}", "viewer").data["runs"][0]
            assert [a["action"] for a in run["actors"]] == ["apply", "apply"]
    finally:
        db.drop()


def test_what_cannot_be_recorded(shop):
    """A record that refuses some writes, as one on a full disk would."""
    with open_serve(find_binary(), shop) as serve:
        serve.start()
        plan = put_plan(serve, "ANALYZE public.orders;")
        serve.stop()
        with sqlite3.connect(serve.folder / "history.db.jobs") as record:
            record.execute("CREATE TRIGGER no_line BEFORE INSERT ON audit WHEN NEW.action = 'apply'"
                           " BEGIN SELECT RAISE(ABORT, 'no room'); END")
            record.execute("CREATE TRIGGER no_end BEFORE UPDATE ON job WHEN NEW.state = 'done'"
                           " BEGIN SELECT RAISE(ABORT, 'no room'); END")
        record.close()
        serve.give_away()
        serve.start()
        # without its line in the audit list there is no job: neither at once nor for who asks again
        for _ in range(2):
            answer = serve.post(f"{SHOP}/plans/{plan}/apply", "operator", headers={"Idempotency-Key": "no-line"})
            assert answer.status == 503 and answer.code == "not_recorded", answer
        assert serve.get("/api/v1/jobs", "viewer").data["jobs"] == []
        # one whose end could not be written has ended all the same
        look = job_of(serve.post(f"{SHOP}/purges", "admin", {"table": "orders", "where": "id < 10"}))
        assert wait_job(serve, look)["state"] == "done"
        assert [j["state"] for j in serve.get("/api/v1/jobs", "viewer").data["jobs"]] == ["done"]


def test_ends_are_seen_where_the_starter_ignores_them(shop):
    """SIGCHLD that is ignored stays so over exec, and then nobody may wait for a child."""
    with open_serve(find_binary(), shop) as serve:
        command = serve.command()
        serve.command = lambda: ["/bin/sh", "-c", "trap '' CHLD; exec \"$0\" \"$@\"", *command]
        serve.start()
        run_job(serve, f"{SHOP}/purges", "admin", {"table": "orders", "where": "id < 10"})


def test_who_may_do_what(serve, shop):
    plan = put_plan(serve, "ANALYZE public.orders;")
    for path, body in [(f"{SHOP}/plans/{plan}/apply", {}), (f"{SHOP}/plans/{plan}/rollback", {}),
                       (f"{SHOP}/plans/{plan}/verify", {}), (f"{SHOP}/advice", {}),
                       (f"{SHOP}/sessions/cancel", {"id": "1"}), (f"{SHOP}/partitions/upkeep", {})]:
        assert serve.post(path, "viewer", body).status == 403, path
        assert serve.post(path, body=body).status == 401, path
    sql = {"sql": "-- migrate:up\nDROP TABLE orders;\n"}
    assert serve.post(f"{SHOP}/plans", "operator", sql).status == 403
    assert serve.post(f"{SHOP}/purges", "operator", {"table": "orders", "where": "true"}).status == 403
    assert serve.get(f"{SHOP}/findings?fresh=true", "viewer").status == 403
    assert shop.scalar("SELECT count(*) FROM orders") == 5000


@pytest.mark.parametrize("name", ["..%2f..%2fetc%2fpasswd", "%2e%2e", "ABCDEF012345", "abc", "0123456789ab'", "%00",
                                  "000000000000", "-h", "--plan=x"])
def test_ids_that_are_none(serve, name):
    for method, path in [("GET", f"{SHOP}/plans/{name}"), ("POST", f"{SHOP}/plans/{name}/apply"),
                         ("DELETE", f"{SHOP}/plans/{name}"), ("GET", f"/api/v1/jobs/{name}"),
                         ("GET", f"/api/v1/jobs/{name}/events"), ("POST", f"/api/v1/jobs/{name}/resume"),
                         ("GET", f"{SHOP}/changes/{name}"), ("GET", f"/api/v1/databases/{name}/plans")]:
        answer = serve.request(method, path, "admin")
        assert answer.status in (400, 404), (method, path, answer)


def test_names_are_arguments_and_nothing_else(serve, shop):
    for name in ["--apply", "$(touch /tmp/x)", "orders; DROP TABLE orders", "dbname=postgres", "-h", "'\"\\"]:
        found = wait_job(serve, job_of(serve.post(f"{SHOP}/purges", "admin", {"table": name, "where": "false"})))
        assert found["command"][-2:] == ["--", name]
        assert found["state"] == "failed" or name == "--apply", found
    for where in ["false; DROP TABLE orders", "id = (SELECT 1", "--", "true) OR (SELECT pg_sleep(0)) IS NULL"]:
        found = wait_job(serve, job_of(serve.post(f"{SHOP}/purges", "admin", {"table": "orders", "where": where})))
        assert f"--where={where}" in found["command"]
    assert shop.scalar("SELECT count(*) FROM orders") == 5000
    for bad in ["1; SELECT 1", "--yes", "4711 OR 1=1", "", "1,2"]:
        assert serve.post(f"{SHOP}/sessions/terminate", "operator", {"id": bad}).status == 400, bad
    assert serve.post(f"{SHOP}/sessions/terminate", "operator", {}).status == 400
    assert serve.post(f"{SHOP}/plans", "admin", {"sql": "no plan"}).status == 422


def test_a_purge_is_looked_at_and_done(serve, shop):
    look = run_job(serve, f"{SHOP}/purges", "admin", {"table": "orders", "where": "id = 5000"})
    assert json.dumps(look["result"]).count("lines") and not look["changes"]
    before = shop.scalar("SELECT count(*) FROM lines")
    done = run_job(serve, f"{SHOP}/purges", "admin",
                   {"table": "orders", "where": "id = 5000", "apply": True, "build_index": True})
    assert done["changes"] and done["state"] == "done"
    assert shop.scalar("SELECT count(*) FROM lines") < before
    assert shop.scalar("SELECT count(*) FROM orders WHERE id = 5000") == 0
    shop.execute("INSERT INTO orders VALUES (5000, 0, 'open')")
    listed = serve.get(f"{SHOP}/purges", "viewer").data["purges"]
    assert listed[0]["id"] == done["id"]


def test_partitions(serve, shop):
    seen = serve.get(f"{SHOP}/partitions", "viewer").data
    assert seen["dry_run"] and [t["table"] for t in seen["tables"]] == ["public.events"], seen
    run_job(serve, f"{SHOP}/partitions/upkeep", "operator", {"tables": ["events"], "premake": 1})
    assert shop.scalar("SELECT count(*) FROM pg_inherits WHERE inhparent = 'events'::regclass") == 3
    plan = run_job(serve, f"{SHOP}/partitions/design", "operator",
                   {"table": "lines", "by": "id", "interval": "100000"})["plan"]
    assert plan and serve.get(f"{SHOP}/plans/{plan}", "viewer").data["steps"]


def test_sessions_are_ended_in_the_name_of_who_asked(serve, shop):
    with psycopg.connect(shop.conninfo, application_name="sleeper") as conn:
        pid = conn.info.backend_pid
        with ThreadPoolExecutor(1) as pool:
            sleeping = pool.submit(lambda: conn.execute("SELECT pg_sleep(600)"))

            def find():
                rows = serve.get(f"{SHOP}/sessions?all=true", "viewer").data["sessions"]
                return next((s["id"] for s in rows if s["pid"] == pid and s["state"] == "active"), None)

            session = serve.wait_for(find)
            dry = serve.post(f"{SHOP}/sessions/cancel", "operator", {"id": session, "dry_run": True}).data
            assert dry["acted"] is False and not sleeping.done()
            done = serve.post(f"{SHOP}/sessions/cancel", "operator", {"id": session}).data
            assert done["acted"] and done["sessions"][0]["outcome"] == "canceled", done
            with pytest.raises(psycopg.errors.QueryCanceled):
                sleeping.result(60)
    record = serve.get(f"{SHOP}/sessions/record", "viewer").data
    assert "operator as " in json.dumps(record)
    audit = serve.get("/api/v1/audit?limit=5", "viewer").data["entries"]
    assert any(e["action"] == "sessions" and e["who"] == "operator" and session in e["detail"] for e in audit)


def test_findings_and_reports(serve, shop):
    found = serve.get(f"{SHOP}/findings", "viewer").data
    assert found["schema"] == "pgmend.check/1" and found["summary"]["checks"] > 30
    for name in PERFORMANCE:
        answer = serve.get(f"/api/v1/database/performance/{name}?database=shop", "viewer").json
        assert answer["success"] and answer["data"] and isinstance(answer["recommendations"], list), name
        assert all({"category", "severity", "message", "action"} <= set(r) for r in answer["recommendations"])
    assert answer["data"]["pool_stats"]["max_connections"] == 60
    assert answer["data"]["index_usage"]["indexes"] and answer["data"]["database_stats"]["size_bytes"] > 0
    assert [r for r in answer["recommendations"] if r["check"] == "fk_without_index"] or \
        "order_id" in json.dumps(index_names(shop, "lines"))
    assert serve.get("/api/v1/database/performance/pool-stats?database=nobody", "viewer").status == 404
    plan = run_job(serve, f"{SHOP}/plans/check", "operator", {"only": ["indexes"], "allow_drops": False})
    assert plan["result"]["schema"] == "pgmend.check/1"


def test_the_second_serve_on_the_same_records_is_refused(serve, pgmend):
    second = pgmend("serve", "--port", "0", serve.config)
    assert second.rc != 0 and "another" in second.err, second


@pytest.mark.hypopg
def test_from_advice_to_a_faster_statement(serve, shop, cluster):
    shop.execute("CREATE TABLE visits (id int PRIMARY KEY, page int, note text)")
    shop.execute("INSERT INTO visits SELECT i, i % 5000, md5(i::text) FROM generate_series(1, 60000) i")
    shop.execute("ANALYZE visits")
    job = run_job(serve, f"{SHOP}/advice", "operator",
                  {"workload": "SELECT note FROM visits WHERE page = 17;"})
    assert job["plan"] and job["result"]["schema"] == "pgmend.advise/1"
    advice = serve.get(f"{SHOP}/advice", "viewer").data
    assert advice["plan"]["id"] == job["plan"] and advice["plan"]["state"] == "new" and advice["advice"]
    step = advice["plan"]["steps"][0]["step"]
    part = serve.post(f"{SHOP}/plans/{job['plan']}/part", "operator", {"step": step}).data
    done = run_job(serve, f"{SHOP}/plans/{part['id']}/apply", "operator", {"verify": True})
    assert done["exit_code"] == 0 and done["result"]["schema"] == "pgmend.apply_verify/1"
    assert len(index_names(shop, "visits")) == 2
    compared = run_job(serve, f"{SHOP}/plans/{part['id']}/verify", "operator", {"mode": "health"})
    assert compared["result"]["mode"] == "health"
    run_job(serve, f"{SHOP}/plans/{part['id']}/rollback")
    assert index_names(shop, "visits") == ["visits_pkey"]
