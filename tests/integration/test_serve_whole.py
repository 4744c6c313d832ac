"""pgmend serve as a newcomer starts it: one connection string, and everything is there."""

import json


def events(serve, job):
    """All events of a job, in order, from the stream that ends with it."""
    conn = serve.connection()
    conn.request("GET", f"/api/v1/jobs/{job}/events", headers={"Authorization": f"Bearer {serve.tokens['viewer']}"})
    response = conn.getresponse()
    assert response.status == 200 and response.headers["content-type"] == "text/event-stream"
    found = []
    for line in response.read().decode().splitlines():
        if line.startswith("event: "):
            found.append([line[7:], None])
        elif line.startswith("data: "):
            found[-1][1] = json.loads(line[6:])
    conn.close()
    return found


def test_all_parts_together(make_serve, db):
    with db.connect() as conn:
        conn.execute("CREATE TABLE orders (id int PRIMARY KEY, customer int)")
        conn.execute("INSERT INTO orders SELECT n, n % 5000 FROM generate_series(1, 20000) n")
        conn.execute("ANALYZE orders")
    serve = make_serve({"watch": {"shop": db.conninfo}, "serve": {"watch_interval": 1, "tables_interval": 1}})

    page = serve.get("/")
    assert page.status == 200 and b"<!DOCTYPE html>" in page.body

    def up():
        answer = serve.get("/api/v1/databases/shop/summary", "viewer")
        return answer.status == 200 and answer.data["state"] == "up"

    serve.wait_for(up)
    metrics = serve.get("/metrics", "viewer").body.decode()
    assert "pg_up" in metrics and "\npgmend_history_written_total" in metrics

    asked = serve.post("/api/v1/databases/shop/plans/check", "operator")
    assert asked.status == 202, asked
    seen = events(serve, asked.data["job"]["id"])
    assert seen[-1][0] == "state" and seen[-1][1]["state"] in ("done", "failed"), seen[-5:]
    listed = serve.get("/api/v1/jobs", "viewer").data["jobs"]
    assert [job["id"] for job in listed] == [asked.data["job"]["id"]]

    def points():
        series = serve.get("/api/v1/databases/shop/series?metric=pg_up&from=-1h", "viewer")
        return series.status == 200 and series.data["series"]

    serve.wait_for(points)
    assert serve.get("/api/v1/alerts", "viewer").status == 200


def test_streams_end_with_the_server(make_serve, db):
    """One that waits does not hold up the end, and who may not see jobs sees none."""
    with db.connect() as conn:
        conn.execute("CREATE TABLE t (id int)")
        serve = make_serve({"watch": {"shop": db.conninfo}})
        conn.execute("BEGIN")
        conn.execute("LOCK TABLE t")
        sql = ("-- migrate:up transaction:false\nCREATE INDEX CONCURRENTLY t_id ON t (id);\n"
               "-- migrate:down transaction:false\nDROP INDEX CONCURRENTLY t_id;\n")
        kept = serve.post("/api/v1/databases/shop/plans", "admin", {"sql": sql})
        assert kept.status in (200, 201, 202), kept
        plan = kept.json["data"]["id"]
        asked = serve.post(f"/api/v1/databases/shop/plans/{plan}/apply", "operator")
        assert asked.status == 202, asked
        job = asked.data["job"]["id"]
        again = serve.post(f"/api/v1/databases/shop/plans/{plan}/apply", "operator")
        assert again.status == 409 and job in again.body.decode(), again
        opened = serve.connection()
        opened.request("GET", f"/api/v1/jobs/{job}/events",
                       headers={"Authorization": f"Bearer {serve.tokens['viewer']}"})
        assert opened.getresponse().status == 200
        assert serve.get(f"/api/v1/jobs/{job}/events").status == 401
        serve.stop()
        opened.close()
        conn.execute("ROLLBACK")
