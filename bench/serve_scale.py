"""One `pgmend serve` and many databases, or one database of many tables: what it takes, and what it answers."""

import contextlib
import os
import re
import statistics
import time

import cluster as clusters
import serving
from pool_targets import cpu_seconds, resident_kb
from table import show
from watched import fetch, make_tables

WAIT_S = 600
SETTINGS = {"shared_preload_libraries": "pg_stat_statements", "shared_buffers": "256MB", "autovacuum": "off",
            "max_locks_per_transaction": "1024"}


def threads_of(pid):
    return len(os.listdir(f"/proc/{pid}/task"))


def metric(text, name, **labels):
    """Values of a metric in the text of /metrics, by what else its labels are."""
    found = []
    for line in text.splitlines():
        match = re.fullmatch(name + r"\{(.*)\} (\S+)", line)
        if match and all(f'{k}="{v}"' in match.group(1) for k, v in labels.items()):
            found.append((match.group(1), float(match.group(2))))
    return found


def answer_row(serve, path):
    """[path, bytes, ms] of the median of five."""
    times = []
    for _ in range(5):
        began = time.perf_counter()
        answer = serve.get(path, "viewer")
        times.append((time.perf_counter() - began) * 1000)
        if answer.status != 200:
            raise RuntimeError(f"{path}: {answer}")
    return [path, f"{len(answer.body):,}", f"{statistics.median(times):.1f}"]


def page_row(serve):
    """The dashboard's page and all that it names, and what those name: the files that a browser loads."""
    seen, waiting, size = set(), ["/"], 0
    began = time.perf_counter()
    while waiting:
        path = waiting.pop()
        if path in seen:
            continue
        seen.add(path)
        answer = serve.get(path)
        if answer.status != 200:
            raise RuntimeError(f"{path}: {answer}")
        size += len(answer.body)
        text = answer.body.decode(errors="replace")
        folder = path.rpartition("/")[0]
        names = re.findall(r'(?:src|href)="(/?[\w./-]+\.(?:js|css|svg))"', text)
        names += re.findall(r'(?:from|import) ?\(?"(\.{1,2}/[\w./-]+\.js|/[\w./-]+\.js)"', text)
        waiting += [os.path.normpath(name if name.startswith("/") else f"{folder}/{name}") for name in names]
    return [f"/ and its {len(seen) - 1} files", f"{size:,}", f"{(time.perf_counter() - began) * 1000:.1f}"]


def looked_at(serve, names):
    """How many of them have had a look that went well."""
    shown = serve.get("/api/v1/databases", "viewer").data["databases"]
    return sum(one["name"] in names and one["state"] == "up" for one in shown)


def wait_for_looks(serve, names):
    """(seconds from the start of the process to the first one, to the last one)."""
    began, first = time.monotonic(), None
    serve.start()
    while True:
        done = looked_at(serve, names)
        now = time.monotonic() - began
        first = now if first is None and done else first
        if done == len(names):
            return first, now
        if now > WAIT_S:
            raise RuntimeError(f"{done} of {len(names)} were looked at in {WAIT_S} s:\n{serve.log()}")
        time.sleep(0.1)


def over_time(serve, seconds):
    """CPU of the process in percent of a core."""
    pids = [serve.process.pid]
    before = sum(cpu_seconds(pids))
    time.sleep(seconds)
    return (sum(cpu_seconds(pids)) - before) / seconds * 100


def run_databases(binary, count, settle_s):
    names = [f"d{n:03}" for n in range(count)]
    with clusters.Cluster(settings={**SETTINGS, "max_connections": count + 60}) as cluster, contextlib.ExitStack() as stack:
        conn = stack.enter_context(cluster.start().connect())
        for name in names:
            conn.execute(f"CREATE DATABASE {name}")
        serve = stack.enter_context(serving.Serve(binary, {"watch": {n: cluster.conninfo(n) for n in names}}))
        first, last = wait_for_looks(serve, names)
        looks = {one["name"]: one["looks"] for one in serve.get("/api/v1/databases", "viewer").data["databases"]}
        cpu = over_time(serve, settle_s)
        shown = serve.get("/api/v1/databases", "viewer").data["databases"]
        rates = [(one["looks"] - looks[one["name"]]) / settle_s * 60 for one in shown]
        sessions = conn.execute("SELECT count(*) FROM pg_stat_activity WHERE application_name = 'pgmend'").fetchone()[0]
        pid = serve.process.pid
        show(f"{count} databases of one server watched by one serve, at its default settings", ["", ""], [
            ["first database seen, s after the start", f"{first:.1f}"],
            ["all seen, s after the start", f"{last:.1f}"],
            ["looks at a database a minute, median (least to most)",
             f"{statistics.median(rates):.1f} ({min(rates):.1f} to {max(rates):.1f})"],
            ["looks that failed", sum(one["errors"] for one in shown)],
            ["threads", threads_of(pid)], ["memory, MB", f"{resident_kb([pid]) / 1024:.0f}"],
            ["connections to the server", sessions],
            ["CPU of the process, % of a core", f"{cpu:.1f}"],
        ])
        show("What it answers then", ["", "bytes", "ms"],
             [answer_row(serve, path) for path in ("/metrics", "/api/v1/databases", f"/api/v1/databases/{names[0]}/summary")]
             + [page_row(serve)])


def run_tables(binary, count, settle_s):
    with clusters.Cluster(settings=SETTINGS) as cluster, contextlib.ExitStack() as stack:
        conn = stack.enter_context(cluster.start().connect())
        conn.execute("SET statement_timeout = 0; CREATE EXTENSION pg_stat_statements")
        make_tables(conn, count)
        serve = stack.enter_context(serving.Serve(binary, {"watch": {"big": cluster.conninfo()},
                                                         "serve": {"findings_interval": 0}}))
        conn.execute("SELECT pg_stat_statements_reset()")
        _, last = wait_for_looks(serve, ["big"])
        cpu = over_time(serve, 2 * settle_s)
        spent, calls, worst, text = conn.execute(
            "SELECT coalesce(sum(total_exec_time), 0), coalesce(sum(calls), 0), coalesce(max(max_exec_time), 0),"
            " (array_agg(left(regexp_replace(query, '[[:space:]]+', ' ', 'g'), 60) ORDER BY max_exec_time DESC))[1]"
            " FROM pg_stat_statements WHERE query LIKE '%%/* pgmend */%%'").fetchone()
        watched_s = last + 2 * settle_s
        ms, series = fetch(f"http://127.0.0.1:{serve.port}/metrics", serve.tokens["viewer"])
        text_of_metrics = serve.get("/metrics", "viewer").body.decode()
        slow = sorted(metric(text_of_metrics, "pg_scrape_collector_duration_seconds"), key=lambda each: -each[1])[:3]
        pid = serve.process.pid
        show(f"{count:,} tables and {4 * count:,} indexes in one database, at the default settings, without the checks",
             ["", ""], [
            ["first look done, s after the start", f"{last:.1f}"],
            *[[f"last look of the collector {re.search('collector=.([^,]+).', labels).group(1)}, ms", f"{value * 1000:.0f}"]
              for labels, value in slow],
            [f"its statements on the server in the first {watched_s:.0f} s, ms", f"{spent:.0f}"],
            ["how many", calls],
            [f"the longest one, ms ({text})", f"{worst:.0f}"],
            ["CPU of the process, % of a core", f"{cpu:.2f}"], ["memory, MB", f"{resident_kb([pid]) / 1024:.0f}"],
            ["/metrics, ms", f"{ms:.1f}"], ["series", series],
        ])
        paths = ["/metrics", "/api/v1/databases/big/summary", "/api/v1/databases/big/tables",
                 "/api/v1/databases/big/tables?limit=1000", "/api/v1/databases/big/indexes?limit=1000",
                 "/api/v1/databases/big/growth", "/api/v1/databases/big/findings"]
        show("What it answers then", ["", "bytes", "ms"], [answer_row(serve, path) for path in paths] + [page_row(serve)])
        history = sum((serve.folder / name).stat().st_size for name in ("history.db", "history.db-wal"))
        print(f"The history is {history / 2**20:.1f} MB large after {watched_s:.0f} s.")
