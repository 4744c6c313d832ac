"""Sockets of the pooler that cannot be made, connected, accepted, watched, read or written."""

import random
import threading
import time

import pytest
import wire
from conftest import preloaded
from pooling import wait_for

CLIENTS, SECONDS = 6, 4


class Client(threading.Thread):
    """Asks for tokens until told to end; connects again when its session breaks. wrong: answers that are not its."""

    def __init__(self, pool, number, stop):
        super().__init__(daemon=True)
        self.pool, self.stop, self.random = pool, stop, random.Random(number)
        self.right = self.broken = 0
        self.wrong = []

    def ask(self, conn):
        token = str(self.random.getrandbits(48))
        if self.random.random() < 0.5:
            found = [m.cells()[0] for m in conn.run(wire.query(f"SELECT '{token}'")) if m.kind == "D"]
        else:
            found = [m.cells()[0] for m in conn.run(wire.parse("s", "SELECT $1::text"), wire.bind("", "s", [token]),
                                                    wire.execute(), wire.close("S", "s"), wire.sync()) if m.kind == "D"]
        if found not in ([token], []):
            self.wrong.append((token, found))
        self.right += found == [token]

    def run(self):
        while not self.stop.is_set():
            try:
                with self.pool.connect(timeout=60) as conn:
                    while not self.stop.is_set():
                        self.ask(conn)
            except (OSError, wire.Closed, wire.Failed):
                self.broken += 1


@pytest.mark.parametrize("tls", [False, True])
def test_system_calls_that_fail(make_pool, tls):
    """Sessions break, but no answer is another's, nothing is left behind, and all is well when it is over."""
    pool = make_pool(env=preloaded("faults", PGMT_FAULTS="faults"), workers=2,
                     default_pool_size=3, query_wait_timeout=5, tls=tls)
    stop = threading.Event()
    clients = [Client(pool, number, stop) for number in range(CLIENTS)]
    switch = pool.folder / "faults"
    switch.write_text("97")
    switch.chmod(0o644)
    for client in clients:
        client.start()
    time.sleep(SECONDS)
    switch.unlink()
    before = [client.right for client in clients]
    wait_for(lambda: all(client.right > old + 20 for client, old in zip(clients, before)))
    stop.set()
    for client in clients:
        client.join()
    assert sum(client.broken for client in clients) > 0
    assert [client.wrong for client in clients] == [[]] * CLIENTS
    row = next(row for row in pool.console("SHOW POOLS") if row["database"] == "postgres")
    assert int(row["sv_active"]) + int(row["sv_idle"]) + int(row["sv_used"]) + int(row["sv_login"]) <= 3
    wait_for(lambda: next(row for row in pool.console("SHOW POOLS")
                          if row["database"] == "postgres")["cl_active"] == "0")
