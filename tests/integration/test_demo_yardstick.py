"""What advise proposes for the demo applications, beside the indexes that somebody who knows them would make.

demo/hand-made-indexes.sql is the yardstick. One demo runs, at its default scale: on smaller tables an index
of one column already saves so much that a better one is not worth its room. The planner's estimates are
compared, not times: they do not depend on what else the machine does.
"""

import os
import pathlib
import re
import shlex
import shutil
import subprocess
import tempfile

import psycopg
import pytest

import cluster as clusters
from conftest import ROOT, Program

DEMO_TIMEOUT_S = 900
SAVED_SHARE = 0.97  # of what the hand-made indexes save of a statement's cost
MOST_ROOM = 2.5     # times that of the hand-made indexes, which serve the headlines alone
BIG_PAGES = 60  # a table below this may well be read in whole
APPS = ("feature_store", "activity_log", "health", "social", "annotation")


def draw(match):
    """A middling value in the place of a placeholder."""
    kind, rest = match.group(1).split(":", 1)
    if kind == "choice":
        return rest.split("|")[0]
    low, high = map(int, rest.split(":"))
    return str(low + (high - low) // (4 if kind == "zipf" else 2))


def headlines():
    """{(application, name): SQL to explain}; of the cascade, what its trigger runs."""
    found = {}
    for app in APPS:
        text = (ROOT / "demo" / f"{app}.workload.sql").read_text()
        for block in re.split(r"(?m)^(?=-- name: )", text)[1:]:
            keys = dict(re.findall(r"(?m)^-- (\w+): (.*)$", block))
            if keys["headline"] == "yes":
                body = re.sub(r"(?m)^-- .*\n", "", block).strip().rstrip(";")
                found[app, keys["name"]] = re.sub(r"\{\{(.+?)\}\}", draw, keys.get("trigger", body))
    return found


HEADLINES = headlines()


def explain(conn, sql):
    return conn.execute(f"EXPLAIN (FORMAT JSON, VERBOSE) {sql}").fetchone()[0][0]["Plan"]


def nodes(plan):
    yield plan
    for child in plan.get("Plans", []):
        yield from nodes(child)


class Mended:
    """The demo's database after the Plan was applied, and after that with the hand-made indexes instead."""

    def __init__(self, conn, plan_text):
        self.names = set(re.findall(r"(?m)^CREATE INDEX CONCURRENTLY (\w+)\s+ON", plan_text))
        # The planner's choice of parallel workers is not what is compared.
        conn.execute("SET max_parallel_workers_per_gather = 0")
        self.pages = {(schema, table): pages for schema, table, pages in conn.execute(
            "SELECT n.nspname, c.relname, c.relpages FROM pg_class c JOIN pg_namespace n"
            " ON n.oid = c.relnamespace WHERE c.relkind = 'r'").fetchall()}
        self.definitions = dict(conn.execute(
            "SELECT c.relname, pg_get_indexdef(c.oid) FROM pg_class c WHERE c.relname = ANY(%s)",
            [list(self.names)]).fetchall())
        self.plans = {key: explain(conn, sql) for key, sql in HEADLINES.items()}
        self.bytes = self.size(conn, self.names)
        self.use_hand_made(conn)
        self.hand_plans = {key: explain(conn, sql) for key, sql in HEADLINES.items()}
        self.hand_bytes = self.size(conn, self.hand_names)

    @staticmethod
    def size(conn, names):
        return conn.execute("SELECT sum(pg_relation_size(oid))::bigint FROM pg_class WHERE relname = ANY(%s)",
                            [list(names)]).fetchone()[0]

    def use_hand_made(self, conn):
        rows = conn.execute("SELECT n.nspname, c.relname FROM pg_class c JOIN pg_namespace n"
                            " ON n.oid = c.relnamespace WHERE c.relname = ANY(%s)",
                            [list(self.names)]).fetchall()
        for schema, name in rows:
            conn.execute(f'DROP INDEX "{schema}"."{name}"')
        self.bare_plans = {key: explain(conn, sql) for key, sql in HEADLINES.items()}
        text = (ROOT / "demo" / "hand-made-indexes.sql").read_text()
        self.hand_names = re.findall(r"(?m)^CREATE INDEX (\w+)", text)
        conn.execute(text)
        conn.execute("VACUUM (ANALYZE)")


@pytest.fixture(scope="module")
def mended(cluster, tmp_path_factory):
    for name in ("hypopg", "pg_stat_statements"):
        if not cluster.has_extension(name):
            pytest.skip(f"no extension {name} for PostgreSQL {cluster.major}")
    binary = pathlib.Path(os.environ.get("PGMEND_BINARY") or ROOT / "build" / "pgmend").resolve()
    program = Program(binary, tmp_path_factory.mktemp("home"))
    place = pathlib.Path(tempfile.mkdtemp(prefix="pgmt-", dir="/tmp"))
    place.chmod(0o755)
    try:
        done = program("demo", "--keep", "--indexes-only", timeout=DEMO_TIMEOUT_S,
                       env={"TMPDIR": str(place), "PGMEND_PG_BIN": str(clusters.find_bin_dir())})
        assert done.rc == 0, done
        folder = next(place.glob("pgmend-demo-*"))
        with psycopg.connect(host=str(folder / "data"), port=5432, user="postgres", dbname="demo",
                             autocommit=True) as conn:
            yield Mended(conn, (folder / "PLAN.sql").read_text())
        stop = re.search(r"(?m)^  (.* stop)$", done.out).group(1)
        subprocess.run(shlex.split(stop), check=True, capture_output=True, cwd="/",
                       env=clusters.clean_env())
    finally:
        shutil.rmtree(place, ignore_errors=True)


@pytest.mark.parametrize("key", HEADLINES, ids="/".join)
def test_uses_an_index_of_the_plan(mended, key):
    plan = mended.plans[key]
    used = {node["Index Name"] for node in nodes(plan) if "Index Name" in node}
    assert used & mended.names, plan
    scanned = {(node["Schema"], node["Relation Name"]) for node in nodes(plan)
               if node["Node Type"] == "Seq Scan"}
    assert {t for t in scanned if mended.pages[t] > BIG_PAGES} == set()


@pytest.mark.parametrize("key", HEADLINES, ids="/".join)
def test_saves_what_the_hand_made_one_saves(mended, key):
    bare, ours, theirs = (plans[key]["Total Cost"]
                          for plans in (mended.bare_plans, mended.plans, mended.hand_plans))
    assert bare - ours >= SAVED_SHARE * (bare - theirs), (mended.plans[key], mended.hand_plans[key])


@pytest.mark.parametrize("key", [
    ("activity_log", "recent_logs"), ("activity_log", "user_timeline"),
    ("activity_log", "logs_by_category_action"), ("activity_log", "workflows_by_status"),
    ("health", "due_reminders"), ("health", "xp_leaderboard"), ("social", "sender_messages_page"),
    ("social", "user_posts_page"), ("annotation", "least_confident_annotations"),
    ("annotation", "batch_jobs_by_status"),
], ids="/".join)
def test_the_index_gives_the_order(mended, key):
    assert "Sort" not in {node["Node Type"] for node in nodes(mended.plans[key])}, mended.plans[key]


def definitions_on(mended, table):
    return [text for text in mended.definitions.values() if f" ON {table} " in text]


def test_the_conversation_is_read_from_the_index_alone(mended):
    types = {node["Node Type"] for node in nodes(mended.plans["health", "conversation_page"])}
    assert "Index Only Scan" in types
    assert any("INCLUDE" in text for text in definitions_on(mended, "health.conversation_history"))


@pytest.mark.parametrize("table", ["social.messages", "social.posts"])
def test_deleted_rows_are_left_out(mended, table):
    assert any("WHERE (deleted_at IS NULL)" in text for text in definitions_on(mended, table))


def test_inactive_reminders_are_left_out(mended):
    assert any(text.endswith("WHERE is_active") for text in definitions_on(mended, "health.reminders"))


def test_metadata_gets_gin(mended):
    assert any("USING gin (metadata" in text for text in definitions_on(mended, "activity_log.activity_logs"))


@pytest.mark.parametrize("table, column", [
    ("feature_store.feature_activations", "feature_id"),
    ("activity_log.activity_logs", "project_id"),
    ("social.comments", "post_id"),
])
def test_foreign_keys_get_their_index(mended, table, column):
    assert any(re.search(rf"\({column}[,)]", text) for text in definitions_on(mended, table))


def test_takes_bearable_room(mended):
    assert mended.bytes <= mended.hand_bytes * MOST_ROOM, (mended.definitions, mended.bytes)


def test_only_the_demo_knows_its_applications():
    names = re.compile(r"\b(feature_store|feature_activations|activity_logs?|conversation_history"
                       r"|food_entries|user_gamification|exercise_cache"
                       r"|ai_annotation_items|batch_job_errors)\b")
    knows = [str(path.relative_to(ROOT)) for top in ("src", "checks") for path in (ROOT / top).rglob("*")
             if path.suffix in (".c", ".h", ".sql") and path.parent.name != "demo"
             and names.search(path.read_text())]
    assert knows == []
