"""Index size estimates beside HypoPG's and the sizes of the built indexes."""

import subprocess

from cluster import clean_env
from table import show


def run(cluster, program, here):
    database = cluster.new_database("shapes", here / "size_shapes.sql")
    indexes = here / "size_shapes_indexes.sql"
    if cluster.has_extension("hypopg"):
        database.execute("CREATE EXTENSION hypopg")
    cluster.psql(indexes.read_text(), "shapes", timeout=600)
    done = subprocess.run([program, indexes, database.conninfo, database.conninfo], check=True,
                          capture_output=True, text=True, env=clean_env())
    rows = []
    for line in done.stdout.splitlines():
        name, definition, *numbers = line.split("\t")
        own, hypopg, real = map(float, numbers)
        rows.append([name, definition, f"{real / 1e6:.2f}", f"{own / 1e6:.2f}", f"{own / real:.3f}",
                     f"{hypopg / 1e6:.2f}" if hypopg else "", f"{hypopg / real:.2f}" if hypopg else ""])
    show(f"Index sizes, PostgreSQL {cluster.major}: estimated from statistics, and built",
         ["index", "on", "built MB", "pgmend MB", "pgmend x", "HypoPG MB", "HypoPG x"], rows)
    for kind in ("shape", "holdout"):
        ratios = [float(r[4]) for r in rows if r[0].startswith(kind)]
        worst = max(ratios, key=lambda r: abs(r - 1))
        print(f"{kind}: {len(ratios)} indexes, the worst is {100 * (worst - 1):+.1f} %")
    database.drop()
