"""Clients that are connected, have run one query, and then say nothing: what they cost in memory."""

import contextlib
import time

import wire
from pool_targets import DATABASE, resident_kb

SETTLE_S = 1.0


def open_clients(target, count, stack):
    """Connections that each have run one query; some raised an error: it is for the caller."""
    clients = []
    for n in range(count):
        client = wire.Connection(("127.0.0.1", target.port), database=DATABASE)
        stack.callback(client.close)
        ask(client, n)
        clients.append(client)
    return clients


def ask(client, n):
    aid = n % 1_000_000 + 1
    answer = client.run(wire.query(f"SELECT abalance FROM pgbench_accounts WHERE aid = {aid}"))
    kinds = "".join(message.kind for message in answer)
    if kinds != "TDCZ":
        raise RuntimeError(f"the answer to a query is {kinds}: {answer}")


def hold(target, count):
    """A pooler, started for this alone, with so many idle clients; then each of them asks once more."""
    target.start()
    try:
        with contextlib.ExitStack() as stack:
            # what the first clients touch, code and buffers, is no client's own
            open_clients(target, 1, stack)
            time.sleep(SETTLE_S)
            before = resident_kb(target.pids)
            start = time.perf_counter()
            clients = open_clients(target, count, stack)
            took = time.perf_counter() - start
            time.sleep(SETTLE_S)
            held = resident_kb(target.pids)
            for n, client in enumerate(clients):
                ask(client, n)
            time.sleep(SETTLE_S)
            after = resident_kb(target.pids)
    finally:
        target.close()
    return {"target": target.name, "clients": count, "before_kb": before, "held_kb": held, "asked_again_kb": after,
            "connect_s": took}
