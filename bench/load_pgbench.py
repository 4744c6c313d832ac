#!/usr/bin/env python3
"""Whether pgmend load measures what pgbench --rate measures: bench/load_pgbench.py [OPTION]... [BUILDDIR]

On a throw-away server two programs run the same SELECT at the same rate over as many sessions, at the same time,
so that what disturbs one disturbs the other: pgbench and pgmend; then, as the control, pgbench and pgbench; and so on in
turns. What pgbench differs by from itself is what these figures can't tell.

With --protocol=prepared pgbench counts the PREPARE in each session's first transaction; pgmend prepares before its clock
starts. So the extended protocol is the default here: both count the same. The processor time is measured in turns, each alone.
"""

import argparse
import concurrent.futures
import json
import pathlib
import resource
import statistics
import subprocess
import sys
import tempfile

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
        """Latencies from the log: each is from the time at which it was due. A line: session, number, microseconds..."""
        with tempfile.TemporaryDirectory(dir=self.folder) as logs:
            subprocess.run([self.cluster.bin_dir / "pgbench", "-n", "-M", self.options.protocol, "-j", "1", "-l",
                            "-D", "scale=10", "-c", str(self.options.sessions), "-f", self.script, "-T", str(seconds),
                            "--rate", str(rate), self.cluster.conninfo()],
                           cwd=logs, check=True, capture_output=True, env=clean_env())
            values = sorted(int(line.split()[2]) / 1000 for path in pathlib.Path(logs).glob("pgbench_log*")
                            for line in path.read_text().splitlines())
        return [statistics.mean(values)] + [percentile(values, p) for p in (50, 95, 99)], len(values)

    def pgmend(self, rate, seconds):
        done = subprocess.run([self.options.build / "pgmend", "load", "--no-watch", "--format=json", "--file", self.script,
                               "--scale=10", f"--rate={rate}", f"--users={self.options.sessions}",
                               f"--duration={seconds}s", f"--protocol={self.options.protocol}", self.cluster.conninfo()],
                              check=True, capture_output=True, text=True, env=clean_env())
        latency = json.loads(done.stdout)["targets"][0]["latency"]
        return [latency[f"{name}_ms"] for name in FIGURES], latency["count"]

    def together(self, *runs):
        """Their figures. Who is named first starts first."""
        with concurrent.futures.ThreadPoolExecutor() as pool:
            started = [pool.submit(run, self.options.rate, self.options.seconds) for run in runs]
            return [one.result()[0] for one in started]

    def round(self, number):
        """pgmend beside pgbench, and pgbench beside pgbench; in every second round the other way about."""
        pair = [self.pgbench, self.pgmend]
        if number % 2:
            ours, theirs = self.together(*reversed(pair))
        else:
            theirs, ours = self.together(*pair)
        return theirs, ours, *self.together(self.pgbench, self.pgbench)

    def cpu_us(self, run):
        """Processor time for each transaction."""
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        _, count = run(self.options.cpu_rate, self.options.seconds)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        return (after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime) * 1e6 / count


def show(title, pairs):
    """The ratio of the second to the first: its median, and the range that half of the rounds are in."""
    print(f"{title:18}", end="")
    for i, name in enumerate(FIGURES):
        low, middle, high = statistics.quantiles([other[i] / one[i] for one, other in pairs], n=4)
        print(f"  {name} {middle:.3f} ({low:.3f} to {high:.3f})", end="")
    print()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("build", nargs="?", default="build", type=pathlib.Path)
    parser.add_argument("--rate", type=int, default=1000)
    parser.add_argument("--cpu-rate", type=int, default=10000)
    parser.add_argument("--sessions", type=int, default=16)
    parser.add_argument("--seconds", type=int, default=10)
    parser.add_argument("--rounds", type=int, default=7, help="two or more (7)")
    parser.add_argument("--protocol", choices=("simple", "extended", "prepared"), default="extended")
    options = parser.parse_args()
    options.build = options.build.resolve()
    with Cluster(settings={"max_connections": 100, "shared_buffers": "256MB"}) as cluster, \
            tempfile.TemporaryDirectory() as folder:
        cluster.start()
        subprocess.run([cluster.bin_dir / "pgbench", "-i", "-s", "10", "-q", cluster.conninfo()], check=True,
                       capture_output=True, env=clean_env())
        bench = Bench(cluster, pathlib.Path(folder), options)
        print(f"{options.rate}/s, {options.sessions} sessions, {options.seconds} s, ms: {', '.join(FIGURES)}")
        rounds = []
        for number in range(options.rounds):
            rounds.append(bench.round(number))
            print("  ".join(f"{name} " + " ".join(f"{value:7.3f}" for value in figures) for name, figures
                            in zip(("pgbench", "pgmend", "  control: pgbench", "pgbench"), rounds[-1])), flush=True)
        show("pgmend / pgbench", [(theirs, ours) for theirs, ours, *_ in rounds])
        show("pgbench / pgbench", [pair for *_, one, other in rounds for pair in ((one, other), (other, one))])
        costs = [(bench.cpu_us(bench.pgbench), bench.cpu_us(bench.pgmend)) for _ in range(3)]
        print(f"processor time at {options.cpu_rate}/s, us a transaction: pgbench",
              f"{statistics.median(c[0] for c in costs):.1f}, pgmend {statistics.median(c[1] for c in costs):.1f}")


if __name__ == "__main__":
    main()
