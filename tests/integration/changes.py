"""What the tests of apply and rollback share: Plan files, and whether a schema is what it was."""

import pathlib
import re
import subprocess
import time

import cluster as clusters

# What a schema consists of, for servers whose pg_dump we do not have.
SCHEMA_QUERIES = [
    """SELECT c.relkind, n.nspname, c.relname, c.relpersistence, i.indisvalid, i.indisready, i.indisclustered,
              i.indisreplident, pg_get_indexdef(c.oid), obj_description(c.oid, 'pg_class'), c.reltablespace
         FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
         LEFT JOIN pg_index i ON i.indexrelid = c.oid
        WHERE n.nspname NOT IN ('pg_catalog', 'information_schema', 'pg_toast', 'pgmend') ORDER BY 2, 3""",
    """SELECT a.attrelid::regclass::text, a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull
         FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid
         JOIN pg_namespace n ON n.oid = c.relnamespace
        WHERE n.nspname NOT IN ('pg_catalog', 'information_schema', 'pg_toast', 'pgmend')
          AND a.attnum > 0 AND NOT a.attisdropped ORDER BY 1, 2""",
    """SELECT inhrelid::regclass::text, inhparent::regclass::text FROM pg_inherits ORDER BY 1, 2""",
]


def find_pg_dump(cluster):
    """A pg_dump that takes this server: its own, or Debian's of the same or a later version."""
    own = cluster.bin_dir / "pg_dump"
    if own.exists():
        return own
    for path in sorted(pathlib.Path("/usr/lib/postgresql").glob("*/bin/pg_dump"), reverse=True):
        if int(path.parent.parent.name) >= cluster.major:
            return path
    return None


def schema_of(db):
    """Everything about the schema without pgmend's own part: two of them can be compared."""
    found = [db.query(query) for query in SCHEMA_QUERIES]
    pg_dump = find_pg_dump(db.cluster)
    if pg_dump:
        done = subprocess.run([pg_dump, "--schema-only", "--exclude-schema=pgmend", db.conninfo], text=True,
                              capture_output=True, env=clusters.clean_env(), check=True, timeout=120)
        # Since 2025 each dump holds a random key.
        found.append(re.sub(r"^\\(un)?restrict .*$", "", done.stdout, flags=re.M))
    return found


def write_plan(folder, up, down="", name="plan.sql", head=""):
    """A Plan file as people write them."""
    path = folder / name
    path.write_text(f"{head}-- migrate:up transaction:false\n{up}\n-- migrate:down transaction:false\n{down}\n")
    return path


def invalid_indexes(db):
    return db.query("SELECT indexrelid::regclass::text FROM pg_index WHERE NOT (indisvalid AND indisready)")


def index_names(db, table):
    return [row[0] for row in db.query("SELECT relname FROM pg_class JOIN pg_index ON indexrelid = pg_class.oid "
                                       "WHERE indrelid = %s::regclass ORDER BY 1", [table])]


def step_states(db):
    """The states of the latest Plan's steps."""
    return [row[0] for row in db.query("SELECT c.state FROM pgmend.change c WHERE plan_seq = "
                                       "(SELECT max(seq) FROM pgmend.plan) ORDER BY step")]


def plan_state(db):
    return db.scalar("SELECT state FROM pgmend.plan ORDER BY seq DESC LIMIT 1")


def wait_until(condition, timeout=90, every=0.005):
    """Polls until condition() is true; whether it came to be."""
    deadline = time.monotonic() + timeout
    while time.monotonic() < deadline:
        if condition():
            return True
        time.sleep(every)
    return False
