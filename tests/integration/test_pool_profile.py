"""The pooler's profile from end to end: whose statements, how long transactions were and how much of that their
clients idled, values that become a Plan, and the slow log as it is set up by default."""

import json
import time

import psycopg
import pytest
import wire

from advising import make_shop
from pooling import one, wait_for


def statements_of(pool):
    """What the pooler saved when it ended."""
    pool.stop()
    return json.loads((pool.folder / "profile.json").read_text())


@pytest.mark.parametrize("kind", ["transaction", "session", "pinned"])
def test_transactions_and_how_long_they_idled(make_pool, kind):
    """Time between transactions is not time within one, also where the client keeps its server meanwhile."""
    pool = make_pool(pool_mode="session" if kind == "session" else "transaction", profile_file="profile.json")
    with psycopg.connect(pool.conninfo(), autocommit=True) as conn:
        conn.execute("LISTEN news" if kind == "pinned" else "SELECT 0")
        if kind == "pinned":
            wait_for(lambda: pool.console("SHOW PINNED"))
        for _ in range(3):
            time.sleep(0.3)
            conn.execute("SELECT 1")
        with conn.transaction():
            conn.execute("SELECT 2")
            time.sleep(0.3)
            conn.execute("SELECT 3")
    row = one(pool.console("SHOW TRANSACTIONS"), database="postgres", user="postgres")
    figures = {name: float(value) for name, value in row.items() if name not in ("database", "user")}
    assert figures["transactions"] == 5
    assert figures["idle_max_ms"] >= 300 and figures["idle_p50_ms"] == 0
    assert figures["idle_max_ms"] <= figures["max_ms"] and figures["idle_total_ms"] <= figures["total_ms"]
    assert figures["p50_ms"] <= figures["p95_ms"] <= figures["p99_ms"] <= figures["max_ms"] <= figures["total_ms"]
    saved = one(statements_of(pool)["transactions"], database="postgres", user="postgres")
    assert saved["total"]["count"] == saved["idle"]["count"] == 5
    assert saved["idle"]["total_ms"] == figures["idle_total_ms"]


def test_what_needs_no_server_begins_no_transaction(make_pool):
    """A Parse of what another client has prepared is answered at once, and may be used much later."""
    pool = make_pool(databases={"postgres": "{server} user=postgres"}, secrets={"ann": "", "bob": "", "postgres": ""})
    prepare = wire.parse("one", "SELECT 1"), wire.sync()
    with pool.connect(user="ann") as first, pool.connect(user="bob") as conn:
        assert [m.kind for m in first.run(*prepare)] == ["1", "Z"]
        assert [m.kind for m in conn.run(*prepare)] == ["1", "Z"]
        time.sleep(0.5)
        began = time.monotonic()
        assert conn.run(wire.bind("", "one"), wire.execute(), wire.sync())[-1].kind == "Z"
        row = one(pool.console("SHOW TRANSACTIONS"), user="bob")
        assert row["transactions"] == "1" and float(row["max_ms"]) <= (time.monotonic() - began) * 1000


def test_users_are_those_who_logged_in(make_pool):
    """Also where the database forces another user on its servers."""
    pool = make_pool(databases={"postgres": "{server} user=postgres"}, secrets={"ann": "", "bob": "", "postgres": ""},
                     slow_query_ms=1)
    for user in ("ann", "bob", "bob"):
        with psycopg.connect(pool.conninfo(user=user), autocommit=True) as conn:
            assert conn.execute("SELECT current_user, pg_sleep(0.01)").fetchone()[0] == "postgres"
    calls = {row["user"]: row["calls"] for row in pool.console("SHOW QUERIES") if "pg_sleep" in row["query"]}
    assert calls == {"ann": "1", "bob": "2"}
    assert {row["user"]: row["transactions"] for row in pool.console("SHOW TRANSACTIONS")} == calls
    assert "user=ann" in pool.log(1000) and "user=bob" in pool.log(1000)
    # servers are one pool's all the same
    assert {row["user"] for row in pool.console("SHOW POOLS")} == {"postgres", "pgbouncer"}


@pytest.mark.parametrize("how", ["one transaction", "spread"])
def test_n_plus_one(make_pool, how):
    """The same statement in a row, in one transaction; not at long intervals without one."""
    pool = make_pool(profile_file="profile.json")
    with wire.Connection(pool.target) as conn:
        if how == "one transaction":
            conn.run(wire.query("BEGIN"))
        for number in range(12):
            conn.query(f"SELECT relname FROM pg_class WHERE oid = {number}")
            if how == "spread" and number % 6 == 5:
                time.sleep(0.05)
            elif how == "one transaction" and number == 6:
                time.sleep(0.05)
    row = one(statements_of(pool)["statements"], query="SELECT relname FROM pg_class WHERE oid = $1")
    if how == "one transaction":
        assert row["n_plus_one"] == {"bursts": 1, "longest": 12}
    else:
        assert row["n_plus_one"]["bursts"] == 0 and row["n_plus_one"]["longest"] <= 6


def test_n_plus_one_in_a_pipeline(make_pool):
    """All is asked for before the first answer comes; each statement has its own run."""
    pool = make_pool(profile_file="profile.json")
    first, second = (f"SELECT {name} FROM pg_class WHERE oid = $1" for name in ("relname", "relkind"))
    with pool.connect() as conn:
        conn.run(wire.parse("first", first), wire.parse("second", second), wire.sync())
        run = [(wire.bind("", name, ["1"]), wire.execute()) for name in ["first"] * 9 + ["second"] * 10]
        conn.run(*[message for pair in run for message in pair], wire.sync())
    saved = {row["query"]: row["n_plus_one"] for row in statements_of(pool)["statements"]}
    assert saved == {first: {"bursts": 0, "longest": 9}, second: {"bursts": 1, "longest": 10}}


def test_n_plus_one_without_a_transaction(make_pool):
    """In so many loops one is not interrupted, however busy the machine is."""
    pool = make_pool()
    with wire.Connection(pool.target) as conn:
        def bursts():
            for number in range(12):
                conn.query(f"SELECT relname FROM pg_class WHERE oid = {number}")
            time.sleep(0.01)
            return int(one(pool.console("SHOW QUERIES"), query="SELECT relname FROM pg_class WHERE oid = ?")["n_plus_one"])
        wait_for(bursts)


@pytest.mark.parametrize("values", [0, 1])
def test_the_slow_log_as_it_comes(make_pool, values):
    """50 ms, text, and no value; with log_values those of the text and of Bind."""
    pool = make_pool(log_values=values)
    with psycopg.connect(pool.conninfo(), autocommit=True, prepare_threshold=0) as conn:
        conn.execute("SELECT %s::text, pg_sleep(0.06)", ["bound marker"])
        conn.execute("SELECT 'written marker', pg_sleep(0.06)")
        for _ in range(20):
            conn.execute("SELECT 1 AS quick")
    lines = [line for line in pool.log(1000).splitlines() if "slow query: " in line]
    slow = [line for line in lines if "pg_sleep" in line]
    assert len(slow) == 2, lines
    for line, marker in zip(slow, ("bound marker", "written marker")):
        assert (marker in line) == bool(values), line
    assert len(lines) < 22, lines  # not all were held up, however busy the machine is


@pytest.mark.hypopg
def test_from_the_pooler_to_a_verified_plan(cluster, make_pool, pgmend, tmp_path):
    """What clients ran through the pooler, nine of ten times with one value, becomes a partial index; and the
    statement that was sampled is what verify measures."""
    shop = make_shop(cluster, "shop_through_the_pooler")
    pool = make_pool(profile_file="profile.json")
    sql = "SELECT id, total FROM orders WHERE status = %s ORDER BY created_at DESC LIMIT 20"
    with psycopg.connect(pool.conninfo(shop.name), autocommit=True, prepare_threshold=0) as conn:
        for number in range(100):
            conn.execute(sql, ["failed" if number % 10 else "open"])
    pool.stop()
    plan = tmp_path / "plan.sql"
    advice = pgmend("advise", "--workload", pool.folder / "profile.json", "--format", "json", "--out", plan,
                    shop.conninfo)
    assert advice.rc == 0, advice
    partial = [p["sql"] for p in advice.json()["proposals"] if "WHERE" in p["sql"]]
    assert len(partial) == 1 and "WHERE status = 'failed'" in partial[0], advice
    assert "'failed'" in plan.read_text()
    done = pgmend("verify", "--baseline", plan, shop.conninfo)
    assert done.rc == 0, done
    assert pgmend("apply", "--yes", plan, shop.conninfo).rc == 0
    compared = pgmend("verify", "--compare", "--format", "json", plan, shop.conninfo)
    assert compared.rc == 0, compared
    assert "faster" in [s["verdict"] for s in compared.json()["statements"]], compared
    shop.drop()
