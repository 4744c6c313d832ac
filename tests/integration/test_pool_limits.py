"""What clients may not take from each other: the worker's time, and descriptors that have run out. What a pool keeps
where nobody asks for it, and how it parts with it."""

import datetime
import os
import re
import socket
import subprocess
import threading
import time

import wire
from pooling import backends, wait_for


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


def test_minimum_without_clients(make_pool, cluster):
    """A database that forces a user has its minimum before anybody came; others only while they have clients."""
    with cluster.connect() as conn:
        conn.execute("DROP ROLE IF EXISTS warm")
        conn.execute("CREATE ROLE warm LOGIN")
    pool = make_pool(databases={"warm": "{server} dbname=postgres user=warm", "*": "{server}"}, min_pool_size=2,
                     server_idle_timeout=1, workers=2)
    wait_for(lambda: len(backends(cluster, "usename = 'warm'")) == 2)

    def idle():
        return [row["sv_idle"] for row in pool.console("SHOW POOLS") if row["database"] == "postgres"]
    with pool.connect() as conn:
        assert conn.scalar("SELECT 1") == "1"
        wait_for(lambda: idle() == ["2"])
    wait_for(lambda: idle() == ["0"])
    assert len(backends(cluster, "usename = 'warm'")) == 2
    # a reload that forces another user leaves none to the first one
    pool.databases["warm"] = "{server} dbname=postgres user=postgres"
    pool.write_config()
    pool.console("RELOAD")
    wait_for(lambda: not backends(cluster, "usename = 'warm'"))
    with cluster.connect() as conn:
        conn.execute("DROP ROLE warm")


def test_servers_of_one_age_go_one_after_the_other(make_pool, cluster):
    """Within a tenth of their lifetime, here half a second."""
    pool = make_pool(default_pool_size=5, server_lifetime=5, server_idle_timeout=0, workers=1, verbose=3)
    conns = [pool.connect() for _ in range(5)]
    for conn in conns:
        conn.query("BEGIN")
    for conn in conns:
        conn.query("COMMIT")

    def ends():
        return [datetime.datetime.strptime(at, "%Y-%m-%d %H:%M:%S.%f") for at in re.findall(
            r"^(\S+ \S+) .*closing because: server lifetime over", pool.log_path.read_text(), re.M)]
    wait_for(lambda: len(ends()) == 5)
    assert (ends()[-1] - ends()[0]).total_seconds() > 0.15
    assert all(conn.scalar("SELECT 1") == "1" for conn in conns)
    for conn in conns:
        conn.close()
