"""What the tests of advise share: a database with something to advise on, and running it on statements."""

import re

import pytest

# About 20 MB: customers, their orders, and what hangs on those. VACUUM marks no page as all-visible, which
# index-only scans want, before the commits of its rows are on disk.
SHOP = """
SET synchronous_commit = on;
CREATE TYPE mood AS ENUM ('fine', 'grim', 'odd');
CREATE DOMAIN email_address AS text CHECK (VALUE LIKE '%@%');
CREATE TABLE customers (
    id int PRIMARY KEY, name text NOT NULL, email email_address, code char(8), country text, vip boolean,
    mood mood, joined_on date
);
INSERT INTO customers
SELECT g, 'Name ' || g, 'user' || g || '@Example.org', lpad(g::text, 8, '0'), 'C' || g % 60, g % 50 = 0,
       (ARRAY['fine', 'grim', 'odd'])[1 + (g % 40) / 19]::mood, date '2020-01-01' + g % 1500
FROM generate_series(1, 20000) g;
CREATE TABLE orders (
    id int PRIMARY KEY, customer_id int NOT NULL, status text NOT NULL, total numeric NOT NULL,
    created_at timestamptz NOT NULL, deleted_at timestamptz, paid boolean NOT NULL, meta jsonb NOT NULL,
    tags text[] NOT NULL, words tsvector NOT NULL, note text NOT NULL, score int
);
INSERT INTO orders
SELECT g, 1 + (g::bigint * 7919) % 20000,
       CASE WHEN g % 100 = 0 THEN 'failed' WHEN g % 10 = 0 THEN 'open' ELSE 'done' END,
       (g * 37 % 100000) / 100.0, timestamptz '2024-01-01' + g * interval '7 minutes',
       CASE WHEN g % 5 > 0 THEN timestamptz '2024-06-01' + g * interval '1 minute' END, g % 30 > 0,
       jsonb_build_object('k', g % 500, 'source', 's' || g % 2000), ARRAY['t' || g % 400, 'u' || g % 90],
       to_tsvector('simple', 'w' || g % 3000 || ' v' || g % 40), 'note ' || md5(g::text), g % 1000
FROM generate_series(1, 60000) g;
CREATE TABLE lines (order_id int NOT NULL, item int, amount int);
INSERT INTO lines SELECT 1 + g % 60000, g % 1000, g % 7 FROM generate_series(1, 90000) g;
CREATE TABLE small (id int, x int);
INSERT INTO small SELECT g, g FROM generate_series(1, 1000) g;
"""

ANALYZE = "VACUUM ANALYZE;"


def make_shop(cluster, name, more=""):
    return cluster.new_database(name, SHOP + more + ANALYZE)


class Advice:
    """What advise --format=json said."""

    def __init__(self, result):
        assert result.rc == 0, result
        self.json = result.json()
        self.result = result
        self.proposals = self.json["proposals"]

    @property
    def bodies(self):
        """What follows the table's name in each proposal, sorted."""
        return sorted(re.sub(r".*? ON \S+ ", "", p["sql"], count=1) for p in self.proposals)

    def of(self, table):
        return [b for p, b in ((p, re.sub(r".*? ON \S+ ", "", p["sql"], count=1)) for p in self.proposals)
                if p["table"].split(".")[-1] == table]

    def reason(self, part):
        """Why what holds that part is not proposed."""
        found = [n["reason"] for n in self.json["not_proposed"] if part in n["object"]]
        assert found, self.json["not_proposed"]
        return found[0]


def advise(pgmend, db, statements, *args, conninfo=None):
    """Runs it on statements of a workload file."""
    result = pgmend("advise", "--workload", "-", "--format", "json", *args, conninfo or db.conninfo,
                    input=statements)
    return Advice(result)


@pytest.fixture(scope="module")
def shop(cluster, request):
    """The shop, to be read only: for all tests of a module."""
    database = make_shop(cluster, "shop_" + request.module.__name__)
    yield database
    database.drop()
