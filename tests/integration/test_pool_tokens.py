"""Every query gets its own answer: unique tokens, many clients, cancels, resets, killed servers, timeouts.

    PGMEND_TOKEN_QUERIES   how many (default: what takes some seconds; a release runs 10,000,000)
    PGMEND_TOKEN_SEED

What counts as wrong is said in helpers/token.c.
"""

import json
import os
import subprocess
import threading

import pytest

import wire
from conftest import find_binary
from pooling import sleeps, wait_for

QUERIES = int(os.environ.get("PGMEND_TOKEN_QUERIES", "40000"))
SEED = os.environ.get("PGMEND_TOKEN_SEED", "1")


def run(target, direct, database, queries, **options):
    program = find_binary().parent / "tests/integration/helpers/token"
    if not program.exists():
        pytest.fail(f"{program} does not exist: it is built with the unit tests, which need cmocka")
    arguments = [*target, *direct, database, queries, f"seed={SEED}", *(f"{k}={v}" for k, v in options.items())]
    done = subprocess.run([program, *map(str, arguments)], capture_output=True, text=True, check=False,
                          timeout=120 + queries / 500)
    print(done.stdout, done.stderr)
    assert done.returncode == 0, done.stderr + done.stdout
    found = json.loads(done.stdout)
    assert found["wrong"] == found["stray"] == 0
    return found


@pytest.fixture
def direct(cluster):
    return (str(cluster.folder), cluster.settings["port"])


def test_tokens_without_a_pooler(db, direct):
    """What the test itself holds to be right."""
    found = run(direct, direct, db.name, QUERIES // 8, clients=30)
    assert found["queries"] > 0  # how many cancels come in time depends on the machine


@pytest.mark.parametrize("mode,clients,size", [("transaction", 64, 5), ("session", 20, 20)])
def test_tokens(db, direct, make_pool, mode, clients, size):
    pool = make_pool(pool_mode=mode, default_pool_size=size, server_login_retry=1)
    share, kill = (1, 5) if mode == "transaction" else (4, 20)
    found = run(pool.target, direct, db.name, QUERIES // share, clients=clients, kill=kill)
    assert found["resets"] + found["kills"] > 0


def test_tokens_without_kills(db, direct, make_pool):
    """Nobody loses a connection where no server is killed: not even beside clients that die."""
    pool = make_pool(default_pool_size=3)
    found = run(pool.unix, direct, db.name, QUERIES // 4, kill=0, clients=100)
    assert found["lost"] == 0


def test_a_cancel_works(pool, cluster, db):
    with pool.connect(db.name) as conn:
        sleeps(cluster, conn)
        threading.Thread(target=conn.cancel).start()
        answer = conn.answer()
        assert [m.sqlstate for m in answer if m.kind == "E"] == ["57014"]
        assert conn.scalar("SELECT 1") == "1"


def test_a_cancel_of_who_waits_for_a_server(make_pool, db):
    """A query in the queue is cancelled too, and not the one that holds the server."""
    pool = make_pool(default_pool_size=1)
    db.execute("CREATE TABLE gate AS SELECT 'held' AS word")
    with pool.connect(db.name) as holder, pool.connect(db.name) as waiter, db.connect(autocommit=False) as gate:
        gate.execute("LOCK TABLE gate")
        holder.send(wire.query("SELECT word FROM gate"))
        wait_for(lambda: db.scalar("SELECT count(*) FROM pg_locks WHERE NOT granted"))
        waiter.send(wire.query("SELECT 'waited'"))
        wait_for(lambda: any(row["cl_waiting"] == "1" for row in pool.console("SHOW POOLS")))
        waiter.cancel()
        answer = waiter.answer()
        gate.rollback()
        assert [m.kind for m in holder.answer()] == ["T", "D", "C", "Z"]
        assert [m.sqlstate for m in answer if m.kind == "E"] == ["57014"]
        assert waiter.scalar("SELECT 1") == "1"


def test_a_gone_clients_query_is_cancelled(pool, db):
    """Its server is free again."""
    running = "SELECT count(*) FROM pg_stat_activity WHERE query LIKE 'SELECT pg_sleep(3600%' AND state = 'active'"
    for how in ("abort", "close"):
        conn = pool.connect(db.name)
        conn.send(wire.query(f"SELECT pg_sleep(3600) -- {how}"))
        wait_for(lambda: db.scalar(running))
        getattr(conn, how)()
        wait_for(lambda: not db.scalar(running))


def test_keys_are_not_guessable(pool):
    keys = set()
    for _ in range(200):
        with pool.connect() as conn:
            keys.add(conn.key)
    assert len(keys) == 200
    # Bits change everywhere in the secret.
    secrets = [int.from_bytes(key[-4:], "big") for key in keys]
    for bit in range(32):
        ones = sum(s >> bit & 1 for s in secrets)
        assert 50 < ones < 150, bit
