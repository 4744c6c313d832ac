"""One run of pgbench against one target: throughput, latencies, processor time, system calls."""

import contextlib
import pathlib
import re
import signal
import subprocess
import tempfile
import time
from dataclasses import dataclass

from cluster import clean_env
from pool_targets import DATABASE, cpu_seconds

SAMPLED = 0.2
TRACE_S = 2.0
PATIENCE_S = 20
BIG = "SELECT aid, bid, abalance, filler FROM pgbench_accounts WHERE aid <= 20000;\n"
# By name as pgbench takes it, and how many queries one transaction of it is.
SCRIPTS = {"select-only": (["-S"], 1), "TPC-B": (["-b", "tpcb-like"], 7), "2 MB": (["-f", "big.sql"], 1)}


class RunError(Exception):
    """pgbench did not end well; the message is its first complaint."""


@dataclass(frozen=True)
class Cell:
    """What all targets are asked to do in one row of a table."""

    script: str
    protocol: str
    clients: int
    connect: bool = False
    tls: bool = False
    names: int = 0  # pgbench processes, and whether each has an application_name of its own
    own_names: bool = False

    @property
    def title(self):
        text = f"{self.script}, {self.protocol}, {self.clients}"
        text += ", -C" if self.connect else ""
        text += ", TLS" if self.tls else ""
        if self.names:
            text += ", two names" if self.own_names else ", one name"
        return text

    @property
    def queries(self):
        return SCRIPTS[self.script][1]


def threads(cell, clients):
    """pgbench's. It prepares by calls that block a thread with all its clients, among them those whose open
    transactions hold the servers that the call waits for: then each client needs a thread of its own."""
    return clients if cell.protocol == "prepared" and cell.queries > 1 else min(2, clients)


def pgbench_command(cell, target, clients, seconds, log, sampled, rate=None):
    command = ["pgbench", "-n", "-h", "127.0.0.1", "-p", str(target.port), "-U", "postgres", "-M", cell.protocol,
               "-c", str(clients), "-j", str(threads(cell, clients)), "-T", str(seconds), "-l", "--log-prefix", str(log),
               *SCRIPTS[cell.script][0]]
    if sampled < 1:
        command.append(f"--sampling-rate={sampled}")
    if cell.connect:
        command.append("-C")
    if rate:
        command += ["-R", str(rate)]
    return [*command, DATABASE]


def start_pgbench(cell, target, folder, seconds, sampled, rate=None):
    """The pgbench processes of a cell: one, or those with names."""
    (folder / "big.sql").write_text(BIG)
    count = cell.names or 1
    children = []
    for n in range(count):
        env = clean_env(PGSSLMODE="require" if cell.tls else "disable", PGGSSENCMODE="disable",
                        PGAPPNAME=f"bench{n if cell.own_names else 0}")
        command = pgbench_command(cell, target, cell.clients // count, seconds, folder / f"log{n}", sampled, rate)
        children.append(subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                         stderr=subprocess.PIPE, text=True, cwd=folder, env=env))
    return children


def number(pattern, text):
    found = re.search(pattern, text)
    if not found:
        raise RunError(f"pgbench's output has no {pattern!r}:\n{text}")
    return float(found.group(1))


def finish_pgbench(children, seconds):
    """(transactions, their rate a second), of all of them. One that hangs is ended PATIENCE_S after its time."""
    transactions = tps = 0
    failures = []
    deadline = time.monotonic() + seconds + PATIENCE_S
    for child in children:
        try:
            out, err = child.communicate(timeout=max(0.1, deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            child.kill()
            child.communicate()
            failures.append(f"no end {PATIENCE_S} s after its time")
            continue
        complaints = [line for line in err.splitlines() if "error" in line.lower()]
        if child.returncode != 0 or complaints:
            failures.append(complaints[0] if complaints else f"pgbench ended with {child.returncode}: {err[:300]}")
            continue
        if number(r"number of failed transactions: (\d+)", out) > 0:
            failures.append("transactions failed")
        transactions += int(number(r"actually processed: (\d+)", out))
        tps += number(r"tps = ([\d.]+)", out)
    if failures:
        raise RunError(failures[0])
    return transactions, tps


def read_logs(folder):
    """(when it ended, how long it took in microseconds) of each transaction that was logged."""
    for path in folder.glob("log*"):
        with open(path, encoding="ascii") as lines:
            for line in lines:
                fields = line.split()
                yield int(fields[4]) + int(fields[5]) / 1e6, float(fields[2])


def percentile(values, share):
    """values are sorted."""
    return values[min(len(values) - 1, int(len(values) * share))] if values else None


@contextlib.contextmanager
def scratch():
    with tempfile.TemporaryDirectory(prefix="pgmend-bench-run-", dir="/tmp") as folder:
        yield pathlib.Path(folder)


def run_cell(cell, target, seconds, rate=None, sampled=SAMPLED):
    """One timed run. latencies_us is sorted."""
    with scratch() as folder:
        before = cpu_seconds(target.pids)
        children = start_pgbench(cell, target, folder, seconds, sampled, rate)
        transactions, tps = finish_pgbench(children, seconds)
        after = cpu_seconds(target.pids)
        latencies = sorted(took for _, took in read_logs(folder))
    user, system = after[0] - before[0], after[1] - before[1]
    queries = transactions * cell.queries
    return {"tps": tps, "transactions": transactions, "latencies_us": latencies,
            "cpu_s_per_100k": (user + system) * 1e5 / queries if target.pids and queries else None,
            "user_share": user / (user + system) if user + system else None}


def parse_strace(text):
    """Calls by name, of strace's table."""
    calls = {}
    for line in text.splitlines():
        fields = line.split()
        # "% time", seconds, usecs/call, calls, [errors], name
        if len(fields) in (5, 6) and fields[3].isdigit() and fields[-1] != "total":
            calls[fields[-1]] = int(fields[3])
    if not calls:
        raise RunError(f"strace counted nothing:\n{text}")
    return calls


def count_calls(cell, target):
    """System calls of the target for each query, by name, over TRACE_S in the midst of a run."""
    with scratch() as folder:
        # time for all to connect, and for strace to come and go
        seconds = int(TRACE_S) + 3
        children = start_pgbench(cell, target, folder, seconds, 1)
        try:
            time.sleep(1)
            attach = [word for pid in target.pids for word in ("-p", str(pid))]
            with subprocess.Popen(["strace", "-c", "-f", "-o", folder / "calls", *attach], text=True,
                                  stdin=subprocess.DEVNULL, stderr=subprocess.PIPE) as strace:
                first = strace.stderr.readline()
                if "attached" not in first:
                    raise RunError(f"strace: {first.strip()}")
                began = time.time()
                time.sleep(TRACE_S)
                ended = time.time()
                strace.send_signal(signal.SIGINT)
                strace.communicate()
        finally:
            finish_pgbench(children, seconds)
        calls = parse_strace((folder / "calls").read_text())
        transactions = sum(began <= when < ended for when, _ in read_logs(folder))
    if transactions == 0:
        raise RunError("no transaction ended while strace ran")
    queries = transactions * cell.queries
    return {"total": sum(calls.values()) / queries, "queries": queries,
            "by_name": {name: count / queries for name, count in sorted(calls.items(), key=lambda c: -c[1])}}


def idle_share():
    """How much of the machine nothing of ours uses now: 1 on a quiet one."""
    def times():
        fields = [int(f) for f in pathlib.Path("/proc/stat").read_text().split("\n")[0].split()[1:9]]
        return fields[3] + fields[4], sum(fields)
    idle, total = times()
    time.sleep(0.5)
    idle2, total2 = times()
    return (idle2 - idle) / max(1, total2 - total)


def prepare(cluster):
    """The same state before each cell that writes: what pgbench does at its start, and the big table too."""
    with cluster.connect(DATABASE) as conn:
        conn.execute("SET statement_timeout = 0")
        for table in ("pgbench_branches", "pgbench_tellers", "pgbench_accounts"):
            conn.execute(f"VACUUM {table}")
        conn.execute("TRUNCATE pgbench_history")
        conn.execute("CHECKPOINT")


def initialize(cluster, scale):
    cluster.new_database(DATABASE)
    subprocess.run(["pgbench", "-i", "-q", "-s", str(scale), "-h", "127.0.0.1", "-p", str(cluster.settings["port"]),
                    "-U", "postgres", DATABASE], check=True, capture_output=True, env=clean_env())
