"""A database of many tables, and a scrape of who watches it."""

import time
import urllib.request

TABLES = """
DO $$ BEGIN FOR i IN %d..%d LOOP
	EXECUTE format('CREATE TABLE t%%s (id int PRIMARY KEY, a int, b text, c timestamptz)', i);
	EXECUTE format('CREATE INDEX t%%s_a ON t%%s (a)', i, i);
	EXECUTE format('CREATE INDEX t%%s_b ON t%%s (b)', i, i);
	EXECUTE format('CREATE INDEX t%%s_c ON t%%s (c)', i, i);
	EXECUTE format('INSERT INTO t%%s SELECT k, k, k, now() FROM generate_series(1, 100) k', i);
END LOOP; END $$
"""


def make_tables(conn, count):
    """So many, of a hundred rows and four indexes each; analyzed."""
    for first in range(1, count + 1, 500):
        conn.execute(TABLES % (first, min(first + 499, count)))
    conn.execute("ANALYZE")


def fetch(url, token=None):
    """(milliseconds, series) of a scrape."""
    request = urllib.request.Request(url, headers={"Authorization": f"Bearer {token}"} if token else {})
    began = time.perf_counter()
    with urllib.request.urlopen(request, timeout=60) as answer:
        text = answer.read().decode()
    return (time.perf_counter() - began) * 1000, sum(not line.startswith("#") for line in text.splitlines())
