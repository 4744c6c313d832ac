"""The API of a `pgmend serve` under wrk while its pooler serves pgbench at a fixed rate.

Each round has the same runs of pgbench in another order: alone; beside wrk, which asks the same process; and beside
wrk on another serve, without a pooler, that answers the same: what both runs have in common is the machine, what
only the first has is the process.
"""

import contextlib
import json
import os
import statistics
import subprocess
import time

import cluster as clusters
import serving
from pool_measure import Cell, initialize, percentile, run_cell
from pool_targets import DATABASE, POOL_SIZE, SERVER, cpu_seconds
from table import show

SCALE = 10
LEAD_S = 1.5  # wrk begins so much before pgbench, and ends so much after it
ALONE = "pgbench alone"
API = f"/api/v1/databases/{DATABASE}"
# Those that are answered from memory. The others ask a database, the history or a child process, and have a few
# workers of their own and a short queue: 500 who want those at once are told to come back (503).
PATHS = {
    "/api/v1": ["/api/v1/databases", f"{API}/summary", f"{API}/tables", f"{API}/indexes", "/api/v1/pool",
                "/api/v1/alerts", "/api/v1/jobs", "/api/v1/chores", "/api/v1/whoami"],
    "/": ["/"],
    "/metrics": ["/metrics"],
}
SCRIPT = """
local paths = {%s}
local at = 0
request = function()
	at = at %% #paths + 1
	return wrk.format("GET", paths[at])
end
done = function(summary, latency)
	local e = summary.errors
	io.write(string.format('RESULT {"requests": %%d, "seconds": %%f, "p99_ms": %%f, "connect": %%d, "read": %%d, '
		.. '"write": %%d, "status": %%d, "timeout": %%d}\\n', summary.requests, summary.duration / 1e6,
		latency:percentile(99) / 1e3, e.connect, e.read, e.write, e.status, e.timeout))
end
"""


class Wrk:
    """wrk against one serve for so many seconds; its figures when it is left."""

    def __init__(self, serve, paths, connections, seconds, nice):
        script = serve.folder / "wrk.lua"
        script.write_text(SCRIPT % ", ".join(json.dumps(path) for path in paths))
        self.command = ["wrk", "-t2", f"-c{connections}", f"-d{seconds}s", "--timeout", "10s", "-s", script,
                        "-H", f"Authorization: Bearer {serve.tokens['viewer']}", f"http://127.0.0.1:{serve.port}"]
        self.serve, self.nice, self.seconds = serve, nice, seconds
        self.result = None

    def __enter__(self):
        self.before = sum(cpu_seconds([self.serve.process.pid]))
        self.process = subprocess.Popen(self.command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                        stderr=subprocess.PIPE, text=True, env=clusters.clean_env(),
                                        preexec_fn=lambda: os.nice(self.nice))
        time.sleep(LEAD_S)
        return self

    def __exit__(self, *exception):
        try:
            out, err = self.process.communicate(timeout=self.seconds + 60)
        except subprocess.TimeoutExpired:
            self.process.kill()
            raise
        found = [line for line in out.splitlines() if line.startswith("RESULT ")]
        if not found:
            raise RuntimeError(f"wrk said nothing that is known: {out}{err}")
        self.result = json.loads(found[0][len("RESULT "):])
        self.result["cpu_s"] = sum(cpu_seconds([self.serve.process.pid])) - self.before


class PoolerOf:
    """The pooler of a serve, as pool_measure takes it."""

    def __init__(self, serve, port):
        self.port, self.pids = port, [serve.process.pid]


def make_serve(binary, cluster, pooler_port=None):
    """Started, and the database looked at. With a pooler where it has a port for it."""
    sections = {"watch": {DATABASE: cluster.conninfo(DATABASE)}}
    if pooler_port:
        server = f"host=127.0.0.1 port={cluster.settings['port']} dbname={DATABASE} user=postgres"
        sections = {"databases": {DATABASE: server},
                    "pgbouncer": {"listen_addr": "127.0.0.1", "listen_port": pooler_port, "auth_type": "trust",
                                  "auth_file": "userlist.txt", "unix_socket_dir": "", "pool_mode": "transaction",
                                  "default_pool_size": POOL_SIZE, "admin_users": "postgres",
                                  "log_connections": 0, "log_disconnections": 0}}
    serve = serving.Serve(binary, sections)
    (serve.folder / "userlist.txt").write_text('"postgres" ""\n')
    (serve.folder / "userlist.txt").chmod(0o600)
    serve.give_away()
    serve.start()
    serve.wait_for(lambda: serve.get(f"{API}/tables", "viewer").status == 200)
    return serve


def measure(target, options, wrk=None):
    cell = Cell("select-only", "prepared", options["clients"])
    with wrk or contextlib.nullcontext():
        run = run_cell(cell, target, options["seconds"], rate=options["rate"], sampled=1)
    found = {f"p{share}": percentile(run["latencies_us"], share / 100) / 1000 for share in (50, 95, 99)}
    return {**found, "tps": run["tps"], **({"wrk": wrk.result} if wrk else {})}


def runs_of(own, other, options):
    """(name, how to make its wrk) of each run of a round."""
    def wrk(serve, paths):
        return lambda: Wrk(serve, paths, options["connections"], options["seconds"] + 2 * int(LEAD_S + 0.5),
                           options["wrk-nice"])

    yield ALONE, lambda: None
    for name, paths in PATHS.items():
        yield f"wrk on {name}", wrk(own, paths)
        yield f"wrk on {name} of another process", wrk(other, paths)


def middle(values, form="%.2f"):
    text = f"{form} ({form} to {form})"
    return text % (statistics.median(values), min(values), max(values))


def errors_of(found):
    return sum(found[kind] for kind in ("connect", "read", "write", "status", "timeout"))


def print_tables(rounds, options):
    names = list(rounds[0])
    rows, asked = [], []
    for name in names:
        of = [each[name] for each in rounds]
        rows.append([name] + [middle([run[key] for run in of]) for key in ("p50", "p95", "p99")]
                    + [middle([each[name]["p99"] / each[ALONE]["p99"] for each in rounds]),
                       f"{statistics.median(run['tps'] for run in of):.0f}"])
        if "wrk" not in of[0]:
            continue
        wrk = [run["wrk"] for run in of]
        asked.append([name, middle([w["requests"] / w["seconds"] for w in wrk], "%.0f"),
                      middle([w["p99_ms"] for w in wrk], "%.0f"),
                      middle([w["cpu_s"] / w["requests"] * 1e6 if w["requests"] else 0 for w in wrk], "%.0f"),
                      sum(w["requests"] for w in wrk), sum(errors_of(w) for w in wrk)])
    show(f"pgbench through the pooler, {options['rate']} transactions a second asked for, {options['clients']} clients; "
         f"{len(rounds)} rounds of {options['seconds']} s: median (least to most)",
         ["", "P50, ms", "P95, ms", "P99, ms", "P99 through that alone in the round", "transactions a second"], rows)
    show(f"wrk meanwhile, {options['connections']} connections, nice {options['wrk-nice']}",
         ["", "requests a second", "P99, ms", "CPU of the process for one, us", "requests", "errors"], asked)
    return sum(row[-1] for row in asked)


def run(binary, options):
    """How many errors wrk saw."""
    with clusters.Cluster(settings={**SERVER, "port": clusters.free_port()}) as cluster, contextlib.ExitStack() as stack:
        cluster.start()
        initialize(cluster, SCALE)
        port = clusters.free_port()
        own = stack.enter_context(make_serve(binary, cluster, port))
        other = stack.enter_context(make_serve(binary, cluster))
        target = PoolerOf(own, port)
        measure(target, {**options, "seconds": 2})  # all connections are made, and the cache is warm
        rounds = []
        for n in range(options["rounds"]):
            runs = list(runs_of(own, other, options))
            runs = runs[n % len(runs):] + runs[:n % len(runs)]
            found = {name: measure(target, options, wrk()) for name, wrk in runs}
            rounds.append({name: found[name] for name, _ in runs_of(own, other, options)})
        for serve in (own, other):
            serve.stop()
        return print_tables(rounds, options)
