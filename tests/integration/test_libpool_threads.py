"""libpgmend under many threads, a restart, ThreadSanitizer and no memory; its examples, also under valgrind."""

import json
import subprocess
import sys

import pytest

from cluster import clean_env
from conftest import ROOT
from libpgmend_programs import library, program

TIMEOUT_S = 300
EXAMPLES = ROOT / "examples"


def run(command, **env):
    return subprocess.run(list(map(str, command)), capture_output=True, text=True, timeout=TIMEOUT_S, check=False,
                          env=clean_env(**env))


def stress(name, db, threads, rounds, max_size, overflow, **env):
    done = run([program(name), "stress", db.conninfo, threads, rounds, max_size, overflow], **env)
    assert done.returncode == 0, done.stdout + done.stderr
    stats = json.loads(done.stdout)
    assert stats["wrong"] == 0
    assert stats["acquired"] == stats["released"] == threads * rounds
    assert stats["opened"] - stats["closed"] == stats["size"] == stats["idle"] <= max_size
    assert (stats["active"], stats["waiting"], stats["timeouts"], stats["connect_errors"]) == (0, 0, 0, 0)
    connects, acquires, releases = stats["events"][1:4]
    assert (connects, acquires, releases) == (stats["opened"], stats["acquired"], stats["released"])
    assert stats["events"][6] == stats["opened"]  # all closed in the end
    assert stats["wait_ms_p50"] <= stats["wait_ms_p99"] <= stats["wait_ms_max"] * 1.004
    return done


def test_64_threads_share_8_connections(db):
    stress("libpool", db, 64, 30, 8, 0)
    stress("libpool", db, 16, 30, 1, 3)


def test_a_restart_is_lived_through(make_cluster):
    server = make_cluster(max_connections=20)
    with subprocess.Popen([program("libpool"), "restart", server.conninfo(), "64", "8"], stdin=subprocess.PIPE, text=True,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=clean_env()) as child:
        try:
            assert child.stdout.readline() == "begun\n"
            for mode in ("fast", "immediate"):
                server.restart(mode)
                child.stdin.write("more\n")
                child.stdin.flush()
                assert child.stdout.readline() == "served\n"
            out, err = child.communicate(timeout=TIMEOUT_S)
        finally:
            child.kill()
    assert child.returncode == 0, err
    stats = json.loads(out)
    assert stats["wrong"] == stats["failed_acquires"] == stats["timeouts"] == 0
    assert stats["broken"] >= 1 and stats["size"] <= 8
    assert stats["acquired"] == stats["released"] == stats["served"] + stats["failed_queries"]
    # One at a time, and less and less often: 64 threads that each try would make thousands.
    assert stats["connect_errors"] < 200
    assert stats["opened"] - stats["closed"] == stats["size"]


def test_thread_sanitizer_is_content(db):
    if "unexpected memory mapping" in run([program("libpool-tsan")]).stderr:
        pytest.skip("this compiler's ThreadSanitizer can't run with so much address randomization as the kernel has")
    done = stress("libpool-tsan", db, 64, 10, 8, 2)
    assert "ThreadSanitizer" not in done.stderr


def test_each_allocation_may_fail(db):
    done = run([program("libpool-plain"), "memory", f"{db.conninfo} sslmode=disable gssencmode=disable"])
    assert done.returncode == 0, done.stdout + done.stderr
    assert json.loads(done.stdout)["refused"] > 50


# The examples

def environment(db, **more):
    return {"PGHOST": str(db.cluster.folder), "PGPORT": str(db.cluster.settings["port"]), "PGUSER": "postgres",
            "PGDATABASE": db.name, "PGMEND_POOL_MAX": "2", **more}


@pytest.mark.parametrize("name,expected", [
    ("orders_c", "10000 orders, 6666 of Ann\n2 batches\n"), ("orders_cpp", "10000 orders\n")])
def test_examples_leak_nothing(db, name, expected):
    kinds = "definite,indirect,possible"
    done = run(["valgrind", "-q", "--leak-check=full", f"--show-leak-kinds={kinds}",
                f"--errors-for-leak-kinds={kinds}", "--error-exitcode=9", program(f"example-{name}")],
               **environment(db))
    assert (done.returncode, done.stdout, done.stderr) == (0, expected, "")


def test_the_python_example_runs(db):
    done = run([sys.executable, EXAMPLES / "orders.py"],
               **environment(db, LIBPGMEND=str(library()), PYTHONDONTWRITEBYTECODE="1"))
    assert (done.returncode, done.stdout) == (0, "10000 orders, 6666 of Ann, 2 batches\n"), done.stderr


def test_an_example_says_what_is_wrong(db):
    done = run([program("example-orders_c")], **environment(db, PGMEND_POOL_MAX="two"))
    assert done.returncode == 1 and 'PGMEND_POOL_MAX is "two"' in done.stderr
    done = run([program("example-orders_c")], **environment(db, PGDATABASE="no_such_database"))
    assert done.returncode == 1 and "no_such_database" in done.stderr
