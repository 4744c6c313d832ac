"""What the tests of serve's jobs and chores share."""

import contextlib
import datetime
import json

import psycopg

JOB_S = 120
ENDED = ("done", "failed", "canceled", "interrupted")


def make_events(db, rows=0):
    """A table partitioned by month that ends with this month."""
    first = datetime.date.today().replace(day=1)
    months = [(first - datetime.timedelta(days=1)).replace(day=1), first,
              (first + datetime.timedelta(days=32)).replace(day=1)]
    db.execute("CREATE TABLE events (at timestamptz NOT NULL, id int) PARTITION BY RANGE (at)")
    for begin, end in zip(months, months[1:]):
        db.execute(f"CREATE TABLE events_{begin:%Y_%m} PARTITION OF events FOR VALUES FROM ('{begin}') TO ('{end}')")
    if rows:
        db.execute(f"INSERT INTO events SELECT '{months[0]}', i FROM generate_series(1, {rows}) i")


@contextlib.contextmanager
def holding(db, table):
    """A transaction that has written to the table: a concurrent index build waits for its end."""
    with psycopg.connect(db.conninfo) as conn:
        conn.execute(f"UPDATE {table} SET id = id WHERE id = 1")
        yield conn
        conn.rollback()


def job_of(answer):
    assert answer.status == 202, answer
    return answer.data["job"]["id"]


def get_job(serve, job, role="viewer"):
    return serve.get(f"/api/v1/jobs/{job}", role).data


def wait_job(serve, job, states=ENDED):
    def reached():
        found = get_job(serve, job)
        return found if found["state"] in states else None

    return serve.wait_for(reached, JOB_S)


def run_job(serve, path, role="operator", body=None):
    """POST, and the job at its end; it must end well."""
    found = wait_job(serve, job_of(serve.post(path, role, body)))
    assert found["state"] == "done", found
    return found


def events(serve, job, role="viewer", until=None):
    """(name, data) of the job's stream, to its end or until(name, data)."""
    conn = serve.connection()
    conn.timeout = JOB_S
    found = []
    try:
        conn.request("GET", f"/api/v1/jobs/{job}/events",
                     headers={"Authorization": f"Bearer {serve.tokens[role]}", "Accept": "text/event-stream"})
        response = conn.getresponse()
        assert response.status == 200 and response.getheader("Content-Type").startswith("text/event-stream")
        name = data = None
        for line in response:
            line = line.decode().rstrip("\r\n")
            if line.startswith("event:"):
                name = line[6:].strip()
            elif line.startswith("data:"):
                data = json.loads(line[5:])
            elif not line and data is not None:
                found.append((name, data))
                if until and until(name, data):
                    break
                name = data = None
    finally:
        conn.close()
    return found


def put_plan(serve, sql, down="", database="shop"):
    text = f"-- migrate:up transaction:false\n{sql}\n-- migrate:down transaction:false\n{down}\n"
    return serve.post(f"/api/v1/databases/{database}/plans", "admin", {"sql": text}).data["id"]


def open_serve(binary, db, name="shop", **sections):
    import serving  # here, so that tests without a serve can use the rest
    return serving.Serve(binary, {"watch": {name: db.conninfo}, **sections})
