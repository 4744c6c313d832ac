#!/usr/bin/env python3
"""copy-in beside psql's \\copy: the same file into the same table, in turns, each time emptied.

    bench/copy_in.py [--rows 1000000] [--rounds 5] CONNINFO

Prints seconds (best and median) of each way, and its median's ratio to \\copy's.
"""
import argparse
import os
import pathlib
import statistics
import subprocess
import tempfile
import time

TABLE = "CREATE TABLE {} (id bigint PRIMARY KEY, n int, name text, x float8, at timestamptz)"


def write_files(folder, rows):
    text, json = folder / "rows.csv", folder / "rows.ndjson"
    with open(text, "w", encoding="utf-8") as csv, open(json, "w", encoding="utf-8") as lines:
        csv.write("id,n,name,x,at\n")
        for i in range(rows):
            at = f"2026-01-{i % 28 + 1:02} 12:{i % 60:02}:00+00"
            csv.write(f"{i},{i % 1000},customer number {i},{i * 0.37:.3f},{at}\n")
            lines.write(f'{{"id":{i},"n":{i % 1000},"name":"customer number {i}","x":{i * 0.37:.3f},"at":"{at}"}}\n')
    return text, json


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--rows", type=int, default=1000000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--binary", default=os.environ.get("PGMEND_BINARY", "build/pgmend"))
    parser.add_argument("conninfo")
    args = parser.parse_args()

    def psql(text):
        subprocess.run(["psql", "-XAtq", "-v", "ON_ERROR_STOP=1", "-d", args.conninfo], input=text, text=True,
                       check=True)

    with tempfile.TemporaryDirectory() as name:
        csv, json = write_files(pathlib.Path(name), args.rows)
        load = [args.binary, "copy-in", "--quiet"]
        end = ["-d", args.conninfo, "bench_copy_in"]
        ways = {
            "psql \\copy": ["psql", "-XAtq", "-d", args.conninfo, "-c",
                            f"\\copy bench_copy_in from '{csv}' with (format csv, header)"],
            "copy-in": [*load, *end, csv],
            "copy-in --atomic": [*load, "--atomic", *end, csv],
            "copy-in of NDJSON": [*load, *end, json],
            "copy-in --reject": [*load, "--reject", f"{name}/rejects", *end, csv],
            "copy-in --on-conflict": [*load, "--on-conflict=id", *end, csv],
        }
        times = {way: [] for way in ways}
        psql(f"DROP TABLE IF EXISTS bench_copy_in; {TABLE.format('bench_copy_in')}")
        for _ in range(args.rounds):
            for way, command in ways.items():
                psql("TRUNCATE bench_copy_in; CHECKPOINT")
                start = time.monotonic()
                subprocess.run(command, check=True)
                times[way].append(time.monotonic() - start)
        psql("DROP TABLE bench_copy_in")
    base = statistics.median(times["psql \\copy"])
    print(f"| way, {args.rows:,} rows, {args.rounds} rounds in turns | best s | median s | to \\copy |\n|---|---:|---:|---:|")
    for way, seconds in times.items():
        median = statistics.median(seconds)
        print(f"| {way} | {min(seconds):.2f} | {median:.2f} | {median / base:.2f} |")


if __name__ == "__main__":
    main()
