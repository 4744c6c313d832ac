#!/usr/bin/env python3
"""Whether pgmend load measures what pgbench --rate measures: bench/load_pgbench.py [OPTION]... [BUILDDIR]

On a throw-away server both run the same prepared SELECT at the same rate over as many sessions, at the same time, so that
what disturbs one disturbs the other; a line for each round, and the median ratio of pgmend to pgbench. The processor time
is measured in turns, each alone.
"""

import argparse
import json
import pathlib
import resource
import statistics
import subprocess
import sys
import tempfile
import threading

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "tests" / "integration"))

from cluster import Cluster, clean_env  # noqa: E402

SCRIPT = "\\set aid random(1, 100000 * :scale)\nSELECT abalance FROM pgbench_accounts WHERE aid = :aid;\n"
FIGURES = ("mean", "p50", "p95", "p99")


def percentile(values, percent):
    return values[min(len(values) - 1, int(len(values) * percent / 100))]


class Bench:
    def __init__(self, cluster, folder, options):
        self.cluster, self.folder, self.options = cluster, folder, options
        self.script = folder / "select.sql"
        self.script.write_text(SCRIPT)

    def pgbench(self, rate, seconds):
        """Latencies from the log: each is from the time at which it was due."""
        with tempfile.TemporaryDirectory(dir=self.folder) as logs:
            subprocess.run([self.cluster.bin_dir / "pgbench", "-n", "-M", "prepared", "-j", "1", "-l", "-D", "scale=10",
                            "-c", str(self.options.sessions), "-f", self.script, "-T", str(seconds),
                            "--rate", str(rate), self.cluster.conninfo()],
                           cwd=logs, check=True, capture_output=True, env=clean_env())
            values = sorted(int(line.split()[2]) / 1000 for path in pathlib.Path(logs).glob("pgbench_log*")
                            for line in path.read_text().splitlines())
        return [statistics.mean(values)] + [percentile(values, p) for p in (50, 95, 99)], len(values)

    def pgmend(self, rate, seconds):
        done = subprocess.run([self.options.build / "pgmend", "load", "--no-watch", "--format=json", "--file", self.script,
                               "--scale=10", f"--rate={rate}", f"--users={self.options.sessions}",
                               f"--duration={seconds}s", self.cluster.conninfo()],
                              check=True, capture_output=True, text=True, env=clean_env())
        latency = json.loads(done.stdout)["targets"][0]["latency"]
        return [latency[f"{name}_ms"] for name in FIGURES], latency["count"]

    def together(self):
        found = {}
        threads = [threading.Thread(target=lambda run=run: found.__setitem__(
            run.__name__, run(self.options.rate, self.options.seconds)[0])) for run in (self.pgbench, self.pgmend)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return found["pgbench"], found["pgmend"]

    def cpu_us(self, run):
        """Processor time for each transaction."""
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        _, count = run(self.options.cpu_rate, self.options.seconds)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        return (after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime) * 1e6 / count


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("build", nargs="?", default="build", type=pathlib.Path)
    parser.add_argument("--rate", type=int, default=1000)
    parser.add_argument("--cpu-rate", type=int, default=10000)
    parser.add_argument("--sessions", type=int, default=16)
    parser.add_argument("--seconds", type=int, default=10)
    parser.add_argument("--rounds", type=int, default=7)
    options = parser.parse_args()
    options.build = options.build.resolve()
    with Cluster(settings={"max_connections": 100, "shared_buffers": "256MB"}) as cluster, \
            tempfile.TemporaryDirectory() as folder:
        cluster.start()
        subprocess.run([cluster.bin_dir / "pgbench", "-i", "-s", "10", "-q", cluster.conninfo()], check=True,
                       capture_output=True, env=clean_env())
        bench = Bench(cluster, pathlib.Path(folder), options)
        print(f"{options.rate}/s, {options.sessions} sessions, ms: {', '.join(FIGURES)}")
        rounds = [bench.together() for _ in range(options.rounds)]
        for theirs, ours in rounds:
            print("pgbench", *(f"{v:8.3f}" for v in theirs), "  pgmend", *(f"{v:8.3f}" for v in ours))
        ratios = [statistics.median(ours[i] / theirs[i] for theirs, ours in rounds) for i in range(len(FIGURES))]
        print("median ratio", *(f"{name} {ratio:.3f}" for name, ratio in zip(FIGURES, ratios)))
        costs = [(bench.cpu_us(bench.pgbench), bench.cpu_us(bench.pgmend)) for _ in range(3)]
        print(f"processor time at {options.cpu_rate}/s, us a transaction: pgbench",
              f"{statistics.median(c[0] for c in costs):.1f}, pgmend {statistics.median(c[1] for c in costs):.1f}")


if __name__ == "__main__":
    main()
