"""Clients that want more than their part of the worker's time."""

import socket
import threading
import time

import pytest
import wire
from pooling import PATIENCE_S, wait_for


class Flood:
    """A client that sends the same small message without end and reads what is answered."""

    def __init__(self, conn, message):
        self.conn, self.stop = conn, False
        self.bytes, self.sent = message * (4_000_000 // len(message)), 0
        conn.sock.settimeout(0.5)
        self.threads = [threading.Thread(target=self.send), threading.Thread(target=self.read)]
        for thread in self.threads:
            thread.start()

    def send(self):
        while not self.stop:
            try:
                self.sent += self.conn.sock.send(memoryview(self.bytes)[self.sent % len(self.bytes):])
            except socket.timeout:
                pass
            except OSError:
                return

    def read(self):
        while not self.stop:
            try:
                self.conn.sock.recv(1 << 20)
            except socket.timeout:
                pass
            except OSError:
                return

    def end(self):
        self.stop = True
        for thread in self.threads:
            thread.join()


@pytest.mark.parametrize("message", [wire.flush(), wire.sync()], ids=["flush", "sync"])
def test_a_flood_of_small_messages(make_pool, message):
    """Whoever shares its worker is served all the same."""
    pool = make_pool(workers=1)
    with pool.connect() as conn, pool.connect() as flooding:
        conn.sock.settimeout(PATIENCE_S)
        flood = Flood(flooding, message)
        try:
            wait_for(lambda: flood.sent > 10_000_000)
            for i in range(20):
                assert conn.scalar(f"SELECT {i}") == str(i)
            with pool.connect(timeout=PATIENCE_S) as newcomer:
                assert newcomer.scalar("SELECT 'new'") == "new"
        finally:
            flood.end()
        assert conn.scalar("SELECT 'still'") == "still"


@pytest.mark.parametrize("loops", [0, 1, 5])
def test_a_long_pipeline_in_turns(make_pool, loops):
    """However many messages come at once, each is answered once and in its order."""
    pool = make_pool(sbuf_loopcnt=loops)
    with pool.connect() as conn:
        conn.sock.settimeout(PATIENCE_S)
        count = 3000
        batch = b"".join(wire.parse("", "SELECT $1::text") + wire.bind("", "", [str(i)]) + wire.execute() + wire.sync()
                         for i in range(count))
        sender = threading.Thread(target=conn.sock.sendall, args=(batch,))
        sender.start()
        found = []
        while len(found) < count:
            found += [m.cells()[0] for m in conn.answer() if m.kind == "D"]
        sender.join()
        assert found == [str(i) for i in range(count)]
