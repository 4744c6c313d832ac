"""What one more index costs the rows that are written, in the planner's unit, beside the constants of writes.c."""

import re
import time

from table import show

ROWS = 300_000
BATCH = 20_000
BATCH_PAGES = 2_000
REPEATS = 7

TABLE = """
CREATE TABLE t (id bigint NOT NULL, a bigint, b bigint, c bigint, d bigint, w text, filler text)
	WITH (fillfactor = 40);
INSERT INTO t
SELECT i, h(i, 1), h(i, 2), h(i, 3), h(i, 4), rpad(h(i, 5)::text, 200, 'x'), repeat('f', 40)
FROM generate_series(1, %(rows)s) AS i;
VACUUM ANALYZE t;
"""

# name, and what makes it: keys in random order, as the cost of a descent to a random page is what matters.
CASES = [
    ("no index", []),
    ("1 of bigint", ["a"]),
    ("2 of bigint", ["a", "b"]),
    ("4 of bigint", ["a", "b", "c", "d"]),
    ("1 of text, 200 bytes", ["w"]),
]


def timed_rows(conn, statement):
    """Microseconds for each row that the statement writes."""
    started = time.perf_counter()
    rows = conn.execute(statement).rowcount
    return (time.perf_counter() - started) * 1e6 / rows


def unit_us(conn):
    """Microseconds for one unit of the planner's cost: a scan of a table in cache."""
    conn.execute("SET max_parallel_workers_per_gather = 0")
    cost = conn.execute("EXPLAIN (FORMAT JSON) SELECT count(*) FROM t").fetchone()[0][0]["Plan"]["Total Cost"]
    times = []
    for _ in range(REPEATS):
        started = time.perf_counter()
        conn.execute("SELECT count(*) FROM t")
        times.append((time.perf_counter() - started) * 1e6)
    return min(times) / cost


def insert(start):
    return (f"INSERT INTO t SELECT i, h(i, 1), h(i, 2), h(i, 3), h(i, 4), rpad(h(i, 5)::text, 200, 'x'), "
            f"repeat('f', 40) FROM generate_series({start}, {start + BATCH - 1}) AS i")


def measure(conn, columns):
    """Microseconds for each row: (insert, update of a column without index, update of an indexed one)."""
    conn.execute("DROP TABLE IF EXISTS t")
    for statement in (TABLE % {"rows": ROWS}).split(";"):
        if statement.strip():
            conn.execute(statement)
    for column in columns:
        conn.execute(f"CREATE INDEX ON t ({column})")
    touched = columns[0] if columns else "a"
    other = {"w": "w || 'y'"}.get(touched, f"{touched} + 1")
    conn.execute("CHECKPOINT")
    times = {"insert": [], "hot": [], "indexed": []}
    for n in range(REPEATS):
        times["insert"].append(timed_rows(conn, insert(ROWS + 1 + n * BATCH)))
        for kind, change in (("hot", "filler = 'g'"), ("indexed", f"{touched} = {other}")):
            low = (2 * n + (kind == "hot")) * BATCH_PAGES
            times[kind].append(timed_rows(conn, f"UPDATE t SET {change} WHERE ctid >= '({low},1)' "
                                                f"AND ctid < '({low + BATCH_PAGES},1)'"))
    return times


def constants(path):
    return {k: float(v) for k, v in re.findall(r"#define\s+(\w+_COST)\s+([0-9.]+)", path.read_text())}


def run(cluster, source):
    database = cluster.new_database("writes")
    conn = database.connect()
    conn.execute("SET statement_timeout = 0")
    conn.execute("CREATE FUNCTION h(i bigint, seed bigint) RETURNS bigint LANGUAGE sql IMMUTABLE "
                 "AS 'SELECT hashint8extended(i, seed)'")
    rows, found, units = [], {}, []
    for name, columns in CASES:
        times = measure(conn, columns)
        units.append(unit_us(conn))
        # The first batch writes pages for the first time after a checkpoint: their images go to the WAL. Of
        # the others the fastest says what the work costs where nothing else runs.
        found[name] = {kind: min(values[1:]) for kind, values in times.items()}
        rows.append([name, *(f"{found[name][k]:.2f}" for k in ("insert", "hot", "indexed")),
                     f"{times['insert'][0]:.2f}"])
    unit = min(units)
    show("Microseconds for each row written, everything in cache",
         ["indexes", "INSERT", "UPDATE of no key (HOT)", "UPDATE of a key", "INSERT after a checkpoint"], rows)
    entry = (found["4 of bigint"]["insert"] - found["no index"]["insert"]) / 4
    entry_update = (found["4 of bigint"]["indexed"] - found["no index"]["indexed"]) / 4
    wide = found["1 of text, 200 bytes"]["insert"] - found["no index"]["insert"]
    narrow = found["1 of bigint"]["insert"] - found["no index"]["insert"]
    own = constants(source)
    estimate = own["ENTRY_COST"] + own["ENTRY_BYTE_COST"] * 20
    show(f"In the planner's unit ({unit:.2f} us here), beside the constants of writes.c",
         ["", "measured", "writes.c"],
         [["a row without indexes (ROW_COST)", f"{found['no index']['insert'] / unit:.3f}", own["ROW_COST"]],
          ["an entry of 20 bytes, INSERT", f"{entry / unit:.3f}", f"{estimate:.3f}"],
          ["an entry of 20 bytes, UPDATE", f"{entry_update / unit:.3f}", f"{estimate:.3f}"],
          ["each byte more (ENTRY_BYTE_COST)", f"{max(wide - narrow, 0) / 200 / unit:.4f}",
           own["ENTRY_BYTE_COST"]]])
    database.drop()
