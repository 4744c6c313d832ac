"""pgmend check on 10,000 tables with 50,000 indexes, beside check_postgres and postgres_exporter."""

import contextlib
import json
import os
import pathlib
import re
import shutil
import statistics
import subprocess
import threading
import time
import urllib.request

from cluster import clean_env, free_port
from table import show
from watch import Watch, strongest

ROUNDS = 5
PLAIN = 7_000
PARTITIONED = 30
QUERIES = "/usr/share/doc/prometheus-postgres-exporter/examples/queries.yaml"
EXPORTER = "prometheus-postgres-exporter"

# The actions that judge tables, indexes and sequences, then those that people have besides; thresholds only
# where it insists on some.
PERCENT = ("-w", "90%", "-c", "95%")
SIZE = ("-w", "1 TB", "-c", "2 TB")
ACTIONS = {
    "bloat": (), "index_size": SIZE, "table_size": SIZE, "relation_size": SIZE, "sequence": PERCENT,
    "last_vacuum": ("-w", "9d", "-c", "99d"), "last_autovacuum": ("-w", "9d", "-c", "99d"),
    "last_analyze": ("-w", "9d", "-c", "99d"), "last_autoanalyze": ("-w", "9d", "-c", "99d"),
    "disabled_triggers": ("-w", "1"),
    "connection": (), "autovac_freeze": PERCENT, "txn_wraparound": (), "backends": PERCENT,
    "commitratio": ("-w", "10%", "-c", "5%"), "hitratio": ("-w", "10%", "-c", "5%"), "database_size": SIZE,
    "locks": ("-w", "1000", "-c", "2000"), "prepared_txns": (), "query_time": ("-w", "2min", "-c", "5min"),
    "replication_slots": ("-w", "1 GB", "-c", "2 GB"), "txn_idle": ("-w", "2min", "-c", "5min"),
    "txn_time": ("-w", "2min", "-c", "5min"), "wal_files": ("-w", "10000", "-c", "20000"),
    "archive_ready": ("-w", "10", "-c", "20"),
}


def build(cluster, here):
    """The schema, by two sessions; then a copy whose catalogs were never analyzed, as a restore leaves them."""
    database = cluster.new_database("scale", here / "check_scale.sql")

    def make(half):
        with database.connect() as conn:
            conn.execute("SET statement_timeout = 0")
            for n in range(1, PLAIN + 1):
                if n % 2 == half:
                    conn.execute(f"CALL public.make_table({n})")
            for n in range(1, PARTITIONED + 1):
                if n % 2 == half:
                    conn.execute(f"CALL public.make_partitioned({n})")

    halves = [threading.Thread(target=make, args=(half,)) for half in (0, 1)]
    for half in halves:
        half.start()
    for half in halves:
        half.join()
    with cluster.connect() as conn:
        conn.execute("SET statement_timeout = 0")
        conn.execute("CREATE DATABASE raw TEMPLATE scale")
    with database.connect() as conn:
        conn.execute("SET statement_timeout = 0")
        conn.execute("VACUUM ANALYZE")
        counts = dict(conn.execute(
            "SELECT relkind::text, count(*) FROM pg_class WHERE relnamespace::regnamespace::text ~ '^s..$' "
            "GROUP BY 1").fetchall())
        keys = conn.execute("SELECT count(*) FROM pg_constraint WHERE contype = 'f'").fetchone()[0]
    tables, indexes = counts["r"] + counts["p"], counts["i"] + counts["I"]
    if (tables, indexes) != (10_000, 50_000):
        raise RuntimeError(f"the schema came out with {tables} tables and {indexes} indexes")
    print(f"{tables} tables ({counts['p']} partitioned), {indexes} indexes, {keys} foreign keys, "
          f"{counts['S']} sequences")


class Tool:
    """One column of figures: what it took in each round."""

    def __init__(self, name):
        self.name = name
        self.seconds = []
        self.memory_kb = 0
        self.modes = set()
        self.user_locks = 0
        self.note = ""

    def add(self, seconds, *watches):
        self.seconds.append(seconds)
        for watch in watches:
            self.memory_kb = max(self.memory_kb, watch.memory_kb)
            self.modes |= watch.modes
            self.user_locks = max(self.user_locks, watch.user_locks)

    def row(self, base):
        median = statistics.median(self.seconds)
        return [self.name, f"{median:.2f}", f"{min(self.seconds):.2f} to {max(self.seconds):.2f}",
                f"{median / statistics.median(base.seconds):.2f}", f"{self.memory_kb / 1024:.0f}",
                strongest(self.modes), self.user_locks, self.note]


def run_watched(cluster, args, **more):
    """Runs a program to its end; (its seconds, what it took, its output)."""
    start = time.perf_counter()
    with subprocess.Popen(args, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=clean_env(),
                          **more) as child, Watch(cluster, child.pid) as watch:
        out, err = child.communicate()
        seconds = time.perf_counter() - start
    return seconds, watch, child.returncode, out, err


def run_pgmend(cluster, pgmend, tool, conninfo):
    seconds, watch, code, out, err = run_watched(
        cluster, [pgmend, "check", "--format=json", "--fail-on=never", conninfo])
    if code != 0:
        raise RuntimeError(f"pgmend check: {err}")
    report = json.loads(out)
    slow = [c["id"] for c in report["checks"] if "longer than" in c.get("reason", "")]
    if slow:
        raise RuntimeError(f"ran into their time limit: {slow}")
    judged = sum(c["status"] != "not_judged" for c in report["checks"])
    tool.note = f"{judged} of {len(report['checks'])} checks judged, {len(report['findings'])} findings"
    tool.add(seconds, watch)


def run_actions(cluster, tool):
    """Each action is a process of its own, as monitoring starts them."""
    total, watches, failed = 0, [], []
    for action, options in ACTIONS.items():
        seconds, watch, code, out, err = run_watched(
            cluster, ["check_postgres", f"--action={action}", "-H", str(cluster.folder), "-p",
                      str(cluster.settings["port"]), "-u", "postgres", "--dbname=scale", "--timeout=300",
                      *options])
        if "ERROR" in out + err or code not in (0, 1, 2, 3):
            failed.append(f"{action}: {(out + err).strip()[:100]}")
        total += seconds
        watches.append(watch)
    if failed:
        raise RuntimeError("check_postgres: " + "; ".join(failed))
    tool.note = f"{len(ACTIONS)} actions"
    tool.add(total, *watches)


@contextlib.contextmanager
def exporter(cluster, *options):
    """postgres_exporter, running; its port and process id."""
    port = free_port()
    env = clean_env(DATA_SOURCE_NAME=cluster.conninfo("scale", sslmode="disable"))
    with subprocess.Popen([EXPORTER, f"--web.listen-address=127.0.0.1:{port}", *options], env=env,
                          stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as child:
        try:
            for _ in range(100):
                with contextlib.suppress(OSError):
                    urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=5).close()
                    break
                time.sleep(0.05)
            yield port, child.pid
        finally:
            child.terminate()


def run_scrape(cluster, tool, port, pid):
    start = time.perf_counter()
    with Watch(cluster, pid) as watch:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=300) as answer:
            text = answer.read().decode()
        seconds = time.perf_counter() - start
        time.sleep(0.05)
    series = sum(1 for line in text.splitlines() if line.startswith("pg_"))
    if not re.search(r"^pg_up 1$", text, re.M):
        raise RuntimeError("postgres_exporter reached no server")
    tool.note = f"{series} series"
    tool.add(seconds, watch)


def timeouts(cluster, pgmend):
    """What each statement of a run could have taken at most, by the server's log of all of them."""
    with cluster.connect() as conn:
        conn.execute("ALTER DATABASE scale SET log_statement = 'all'")
    before = len(cluster.log_path.read_text(errors="replace"))
    subprocess.run([pgmend, "check", "--fail-on=never", cluster.conninfo("scale")], env=clean_env(), check=True,
                   stdout=subprocess.DEVNULL)
    with cluster.connect() as conn:
        conn.execute("ALTER DATABASE scale RESET log_statement")
    log = cluster.log_path.read_text(errors="replace")[before:]
    entries = re.split(r"(?m)^(?=\d{4}-\d\d-\d\d )", log)
    texts = [entry for entry in entries if re.search(r"LOG:  (statement|execute [^:]*): ", entry)]
    limits, session, local, unlimited = [], 0, None, 0
    for text in texts:
        for name, value in re.findall(r"SET (LOCAL )?statement_timeout = (\d+)", text):
            if name:
                local = int(value)
            else:
                session = int(value)
        limit = session if local is None else local
        limits.append(limit)
        # Limits of a check end with its savepoint, and never with less than the session's own in force.
        if "ROLLBACK" in text:
            local = None
        unlimited += limit == 0
    return len(texts), unlimited, sorted({limit for limit in limits if limit})


def run(cluster, pgmend, here):
    build(cluster, here)
    pgmend = pathlib.Path(pgmend)
    ours, raw = Tool("pgmend check"), Tool("pgmend check, catalogs never analyzed")
    actions, plain, queries = Tool("check_postgres"), Tool("postgres_exporter"), Tool("the same, queries.yaml")
    others = [actions] if shutil.which("check_postgres") else []
    with contextlib.ExitStack() as stack:
        scraped = []
        if shutil.which(EXPORTER):
            scraped.append((plain, *stack.enter_context(exporter(cluster))))
            if os.path.exists(QUERIES):
                scraped.append((queries, *stack.enter_context(
                    exporter(cluster, f"--extend.query-path={QUERIES}"))))
        for _ in range(ROUNDS):
            run_pgmend(cluster, pgmend, ours, cluster.conninfo("scale"))
            run_pgmend(cluster, pgmend, raw, cluster.conninfo("raw"))
            if others:
                run_actions(cluster, actions)
            for tool, port, pid in scraped:
                run_scrape(cluster, tool, port, pid)
        others += [tool for tool, _, _ in scraped]
    show(f"10,000 tables, 50,000 indexes: {ROUNDS} rounds, one after the other",
         ["", "seconds (median)", "from to", "ratio", "peak MB", "strongest lock", "user relations locked", ""],
         [tool.row(ours) for tool in (ours, raw, *others)])
    for name, package in (("check_postgres", "check-postgres"), (EXPORTER, EXPORTER)):
        if not shutil.which(name):
            print(f"{name}: left out; apt-get install --no-install-recommends {package}")
    count, unlimited, limits = timeouts(cluster, pgmend)
    print(f"{count} statements of pgmend check, {unlimited} without a statement_timeout; limits in ms: {limits}")
