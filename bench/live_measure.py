"""A conversion or a purge under load: what it runs, the figures, and the proof that nothing was lost."""

import contextlib
import json
import os
import pathlib
import re
import subprocess
import tempfile
import threading
import time

import living
from cluster import clean_env

WARM_S = 8
AFTER_S = 8

# What a small production server has; every commit waits for its WAL to be written. Not for the disk (bench/live
# --fsync): that wait is the machine's, and the same before and during a conversion.
SETTINGS = {
    "fsync": "off",
    "synchronous_commit": "on",
    "full_page_writes": "on",
    "shared_buffers": "1GB",
    "max_wal_size": "16GB",
    "checkpoint_timeout": "30min",
    "maintenance_work_mem": "256MB",
    "max_locks_per_transaction": "256",
    "autovacuum_naptime": "10s",
    "log_lock_waits": "off",
}

PARTITION = ("partition", living.TABLE, "--by", "created_at", "--interval", "month")
PURGE = ("purge", "users", "--where", "id % 20 = 7", "--apply")

# Each is a list of Plans, one after the other: (arguments that design it).
METHODS = {
    "adopt": [(*PARTITION, "--method", "adopt")],
    "split": [(*PARTITION, "--method", "adopt"), (*PARTITION, "--method", "split")],
    "shadow": [(*PARTITION, "--method", "shadow")],
}


# "8.1 ms", or "8.1 ms to 12 ms" where the commit took time
SPAN = r"([\d.]+\s\w+(?:\sto\s[\d.]+\s\w+)?)"
HELD = re.compile(rf"(?:writers\sheld\sup\sfor\s{SPAN},\s)?ACCESS\sEXCLUSIVE\sheld\sfor\s{SPAN}")


class RunError(Exception):
    pass


def give_priority(pid, nice):
    """To a process and, where there are such groups, to its session."""
    with contextlib.suppress(OSError):
        os.setpriority(os.PRIO_PROCESS, pid, nice)
        pathlib.Path(f"/proc/{pid}/autogroup").write_text(f"{nice}\n", encoding="ascii")


class Priority(threading.Thread):
    """Gives the server's processes and ours a priority on a machine that others use, too. Where the kernel groups
    processes by their session (sched_autogroup) each session of the server is a group of its own."""

    def __init__(self, cluster, nice):
        super().__init__(daemon=True)
        self.cluster, self.nice, self.ended = cluster, nice, threading.Event()

    def run(self):
        done = set()
        while not self.ended.wait(0.1):
            server = self.cluster.process
            if server is None:
                continue
            for pid in {os.getpid(), server.pid, *children_of(server.pid)} - done:
                give_priority(pid, self.nice)
                done.add(pid)

    def __enter__(self):
        if self.nice:
            os.nice(self.nice)
            self.start()
        return self

    def __exit__(self, *_):
        self.ended.set()
        if self.nice:
            self.join()
            give_priority(os.getpid(), 0)  # the session that this was started from goes on


def children_of(pid):
    done = subprocess.run(["pgrep", "-P", str(pid)], capture_output=True, text=True, check=False)
    return [int(word) for word in done.stdout.split()]


def run(program, *args, env=None, check=True):
    done = subprocess.run([str(program), *map(str, args)], capture_output=True, text=True, check=False,
                          stdin=subprocess.DEVNULL, env=clean_env(HOME="/nonexistent", **(env or {})))
    if check and done.returncode != 0:
        raise RunError(f"{' '.join(map(str, done.args[1:]))}: exit code {done.returncode}\n{done.stdout}{done.stderr}")
    return done


def rate_options(options):
    return {"rate": options.rate, "writers": options.writers, "readers": 2, "long_readers": 1,
            "long_ms": 3000, "seed": options.seed}


def table_oid(db):
    return db.scalar("SELECT 'activity_logs'::regclass::oid::bigint")


def partitions_touched(db):
    """How many partitions the plan of the headline query scans at run time: those with rows, and empty ones ahead."""
    plan = db.scalar("EXPLAIN (ANALYZE, FORMAT JSON) SELECT count(*) FROM activity_logs "
                     "WHERE created_at >= now() - interval '30 days'")[0]["Plan"]
    found = set()

    def visit(node):
        if "Relation Name" in node and node.get("Actual Loops", 1) > 0:
            found.add(node["Relation Name"])
        for child in node.get("Plans", []):
            visit(child)

    visit(plan)
    full = db.scalar("SELECT count(*) FROM pg_class WHERE relname = ANY (%s) AND pg_relation_size(oid) > 0",
                     [list(found)])
    return full, len(found) - full


def design(program, db, arguments, folder):
    path = pathlib.Path(folder) / f"plan-{arguments[-1]}.sql"
    run(program, *arguments, "--out", path, db.conninfo)
    return path


def convert(program, db, method, folder):
    """Designs and applies each Plan of the method; returns seconds of each apply, and how long pgmend says that it held
    its locks."""
    took, held = [], []
    for arguments in METHODS[method]:
        plan = design(program, db, arguments, folder)
        began = time.time()
        done = run(program, "apply", "--yes", plan, db.conninfo)
        took.append(time.time() - began)
        for writers, exclusive in HELD.findall(done.stdout):
            held.append(" ".join((exclusive + (f" (writers {writers})" if writers else "")).split()))
    return took, held


def holds_of(load, old, new, began, ended):
    """ACCESS EXCLUSIVE locks on what the application uses, by their length: on the table that had the name, and on
    the one that got it, from then on. While that is made, its maker locks it, too, and nobody knows it yet."""
    found = [h for h in load.holds() if began <= h[4] <= ended]
    swapped = max((h[4] for h in found if h[0] == old), default=0)
    return sorted((h for h in found if h[0] == old or (h[0] == new and h[4] >= swapped - 0.001)), key=lambda h: h[3])


def measure(program, load_program, cluster, template, shape, method, options):
    """One method on a copy of the template, under load from before until after."""
    name = f"live_{method}"
    with cluster.connect(options="-c statement_timeout=0") as conn:
        conn.execute(f'CREATE DATABASE "{name}" TEMPLATE "{template}"')
    db = living.Database(cluster, name)
    with tempfile.TemporaryDirectory(prefix="pgmend-live-") as folder:
        os.chmod(folder, 0o700)
        db.execute("CHECKPOINT")
        priority = Priority(cluster, options.nice)
        priority.__enter__()
        load = living.Load(load_program, db, shape, f"{folder}/load", **rate_options(options))
        try:
            old = table_oid(db)
            time.sleep(WARM_S)
            began = time.time()
            took, held = convert(program, db, method, folder)
            ended = time.time()
            time.sleep(AFTER_S)
            summary = load.stop()
        finally:
            load.close()
            priority.__exit__()
        holds = holds_of(load, old, table_oid(db), began, ended)
        figures = {
            "method": method,
            "rows": shape.rows,
            "seconds": [round(t, 2) for t in took],
            "statements_per_s": summary["statements"] / (ended - began + WARM_S + AFTER_S),
            "statements": summary["statements"],
            "failed": summary["failed"],
            "errors": sorted({f"{state} {message}" for _, state, message in load.errors()}),
            "locks": len(holds),
            "held": held,
            "hold_ms": holds[-1][2:4] if holds else (0, 0),
            "partitions_touched": partitions_touched(db),
        }
        for phase, low, high in (("before", began - WARM_S + 2, began), ("during", began, ended + 1)):
            late = load.latencies(low, high)
            figures[phase] = {"p50": living.percentile(late, 0.5), "p99": living.percentile(late, 0.99),
                              "p999": living.percentile(late, 0.999), "max": late[-1] if late else 0}
        verdict = living.judge(db, load)
        figures["verdict"] = {k: v for k, v in vars(verdict).items() if k != "examples"}
        figures["examples"] = verdict.examples
    return figures, db


def print_figures(all_figures):
    heads = ("method", "seconds", "statements/s", "failed", "AE locks", "longest AE hold, ms (sampled)", "by pgmend",
             "p50/p99/max before, ms", "p50/p99/max during, ms", "rows compared", "lost", "ghost", "wrong", "twice")
    print("| " + " | ".join(heads) + " |")
    print("|" + "---|" * len(heads))
    for f in all_figures:
        verdict = f["verdict"]
        cells = (f["method"], " + ".join(f"{s:.1f}" for s in f["seconds"]), f"{f['statements_per_s']:.0f}", f["failed"],
                 f["locks"], f"{f['hold_ms'][0]:.1f} to {f['hold_ms'][1]:.1f}", ", ".join(f["held"]),
                 *(f"{f[p]['p50']:.1f} / {f[p]['p99']:.1f} / {f[p]['max']:.1f}" for p in ("before", "during")),
                 f"{verdict['same'] + verdict['open']:,}", verdict["lost"], verdict["ghost"], verdict["wrong"],
                 verdict["twice"])
        print("| " + " | ".join(map(str, cells)) + " |")
    for f in all_figures:
        for error in f["errors"]:
            print(f"{f['method']}: the application saw: {error}")
        if f["examples"]:
            print(f"{f['method']}: {json.dumps(f['examples'])}")


QUERIES = {
    "rows of the last 30 days, counted":
        "SELECT count(*) FROM activity_logs WHERE created_at >= now() - interval '30 days'",
    "levels of the last 30 days":
        "SELECT level, count(*) FROM activity_logs WHERE created_at >= now() - interval '30 days' GROUP BY level",
    "actions of a category, last 30 days":
        "SELECT action, count(*) FROM activity_logs WHERE category = 'category 3' AND created_at >= now() - "
        "interval '30 days' GROUP BY action ORDER BY 2 DESC LIMIT 10",
    "a user's last 30 days":
        "SELECT * FROM activity_logs WHERE user_id = 42 AND created_at >= now() - interval '30 days' "
        "ORDER BY created_at DESC LIMIT 50",
}


def timed(db, query, rounds=5):
    """Milliseconds (median), buffers, and relations that the plan scans."""
    times, buffers = [], 0
    for _ in range(rounds):
        answer = db.scalar(f"EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) {query}")[0]
        times.append(answer["Execution Time"] + answer["Planning Time"])
        buffers = answer["Plan"]["Shared Hit Blocks"] + answer["Plan"]["Shared Read Blocks"]
    return sorted(times)[rounds // 2], buffers


def time_deletion(db, statement):
    """Seconds and bytes of WAL of a statement in a transaction of its own."""
    before = db.scalar("SELECT pg_current_wal_insert_lsn()")
    began = time.time()
    db.execute("SET statement_timeout = 0")
    db.execute(statement)
    took = time.time() - began
    return took, int(db.scalar("SELECT pg_current_wal_insert_lsn() - %s::pg_lsn", [before]))
