"""What clients may not take from each other: the worker's time, and descriptors that have run out."""

import os
import socket
import subprocess
import threading
import time

import wire


def limit_descriptors(pool, most):
    """As its own user, who may do so up to the hard limit."""
    account = pool.account
    as_account = {"user": account.pw_uid, "group": account.pw_gid, "extra_groups": []} if account else {}
    subprocess.run(["prlimit", f"--pid={pool.process.pid}", f"--nofile={most}:"], check=True, **as_account)


def test_no_descriptor_is_left(make_pool):
    """Who waits to be accepted waits, without a word in the log for each look; who is there is served."""
    pool = make_pool(workers=1)
    with pool.connect() as conn:
        assert conn.scalar("SELECT 1") == "1"
        most = max(int(name) for name in os.listdir(f"/proc/{pool.process.pid}/fd")) + 1
        limit_descriptors(pool, most)
        # descriptors below the limit may be free
        waiting = [socket.create_connection(pool.target) for _ in range(most)]
        began = time.monotonic()
        while "cannot accept a client" not in pool.log_path.read_text():
            assert time.monotonic() < began + 60, "it accepts all"
            time.sleep(0.02)
        time.sleep(1)
        assert conn.scalar("SELECT 2") == "2"
        seconds = time.monotonic() - began
        assert pool.log_path.read_text().count("cannot accept a client") <= seconds + 2
        limit_descriptors(pool, most + 100)
        with pool.connect() as late:
            assert late.scalar("SELECT 3") == "3"
        for sock in waiting:
            sock.close()


def test_one_client_never_stops_talking(make_pool):
    """What it sends needs no server and gets no answer: nothing holds it up, and the others have their turns."""
    pool = make_pool(workers=1)
    stop = threading.Event()
    with pool.connect() as flooder, pool.connect() as conn:
        flood = bytes(wire.copy_data(b"x" * 1000)) * 2000

        def talk():
            while not stop.is_set():
                flooder.sock.sendall(flood)

        flooder.sock.settimeout(60)
        thread = threading.Thread(target=talk)
        thread.start()
        try:
            for i in range(50):
                assert conn.scalar(f"SELECT {i}") == str(i)
        finally:
            stop.set()
            thread.join()
