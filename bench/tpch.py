"""Advice for TPC-H at storage budgets, beside what other tools were measured to do elsewhere."""

import json
import subprocess
import time

from table import show

BUDGETS_MB = (250, 500, 1000, 2500)

# Not measured by this program: 19 queries (all but 2, 17 and 20) at scale 1 on PostgreSQL 15.20 and HypoPG
# 1.3.1, by the index_selection_evaluation framework at commit 6603646, key columns as given. Ratio and
# EXPLAINs.
ELSEWHERE = {
    "Extend, 2 columns": {250: (0.64130, 953), 500: (0.55239, 1957), 1000: (0.50773, 3431), 2500: (0.49023, 4571)},
    "DB2Advis, 2 columns": {250: (0.94210, 38), 500: (0.62319, 38), 1000: (0.58018, 38), 2500: (0.48311, 38)},
    "Anytime, 2 columns": {250: (0.63821, 7924), 500: (0.56499, 19229), 1000: (0.50908, 38904)},
    "Relaxation, 2 columns": {250: (0.66972, 6990), 500: (0.62112, 6508), 1000: (0.51061, 6435)},
}


def advise(pgmend, conninfo, workload, budget_mb, sizes):
    started = time.monotonic()
    done = subprocess.run([pgmend, "advise", f"--workload={workload}", f"--budget={budget_mb * 1_000_000}",
                           f"--sizes={sizes}", "--min-gain=0", "--format=json", conninfo],
                          check=True, capture_output=True, text=True)
    return json.loads(done.stdout), time.monotonic() - started


def run(pgmend, conninfo, workload):
    for sizes in ("hypopg", "own"):
        rows = []
        for budget in BUDGETS_MB:
            advice, seconds = advise(pgmend, conninfo, workload, budget, sizes)
            row = [budget, f"{advice['cost_after'] / advice['cost_before']:.5f}", advice["explains"],
                   f"{seconds:.1f}", len(advice["proposals"]), f"{advice['budget_used_bytes'] / 1e6:.0f}"]
            if sizes == "hypopg":
                row.append(f"{advice['size_bytes'] / 1e6:.0f}")
                for published in ELSEWHERE.values():
                    row.append("{:.5f} ({})".format(*published[budget]) if budget in published else "")
            rows.append(row)
        headings = ["budget MB", "ratio", "EXPLAINs", "seconds", "indexes", "used MB"]
        if sizes == "hypopg":
            show("TPC-H, budget counted in HypoPG's sizes; other tools (EXPLAINs) as measured elsewhere",
                 [*headings, "of those really MB, estimated", *ELSEWHERE], rows)
        else:
            show("TPC-H, budget counted in our own sizes", headings, rows)
