"""Reports of load results: pages that hold together whatever stands in them, and what the watch saw of a real run."""

import json
import re
import time
import xml.etree.ElementTree as ET

import pytest

HOSTILE = """</title></style><script>alert("1")</script>'&amp;<b>\x1b[31m\u202e ]]> | `x` *y* \\ ünïcode"""


def distribution(ms, count):
    return {"count": count, "mean_ms": ms, "max_ms": ms * 3, "p50_ms": ms, "p90_ms": ms, "p95_ms": ms * 2,
            "p99_ms": ms * 2, "p999_ms": ms * 3,
            "buckets": [[ms * 0.99, ms * 1.01, count - 10], [ms * 2.9, ms * 3, 10]] if count else []}


def target(name="a", ms=5, seconds=20, text="SELECT 1"):
    made = 100 * seconds
    errors = [{"code": "40P01", "count": seconds, "message": text}]
    return {
        "name": name, "place": text, "protocol": "prepared", "version": text, "max_connections": 100, "pooler": text,
        "length_s": seconds, "scheduled": made, "started": made, "done": made - seconds, "failed": seconds,
        "statements": made, "sessions_max": 10, "users_max": 20, "error_rate": 0.01, "done_rate": 99,
        "latency": distribution(ms, made), "service": distribution(ms, made), "errors": errors,
        "watch_problem": text if name == "blind" else "",
        "seconds": [{"at_s": s, "length_s": 1, "users": 20, "sessions": 10, "scheduled": 100, "started": 100,
                     "done": 99, "failed": 1, "p50_ms": ms, "p95_ms": ms * 2, "p99_ms": ms * 2, "max_ms": ms * 3,
                     "errors": [{"code": "40P01", "count": 1, "message": ""}]} for s in range(seconds)],
        "scripts": [{"name": text, "weight": 0.5, "done": 5, "latency": distribution(ms, 5)}] * 2,
        "queries": [{"text": text, "script": text, "done": made, "latency": distribution(ms, made)}],
        "samples": [{"at_s": s + 0.4, "has_server": True, "active": 2, "backends": 9, "blocks_hit": 99, "blocks_read": 1,
                     "waits": [{"type": "CPU", "event": "", "backends": 1}, {"type": text, "event": text, "backends": 1}],
                     "has_pool": True, "clients_waiting": 3, "servers_active": 5, "pool_size": 5, "max_wait_ms": 20,
                     "has_machine": True, "cpu_busy": 0.5} for s in range(seconds)],
        "tables": [{"schema": text, "name": text, "seq_scans": 100, "seq_rows": 10**7, "updated": 5}],
        "indexes": [{"schema": text, "table": text, "name": text, "scans": 0}],
        "steps": [{"users": 5, "held": True}, {"users": 9, "broken": text}],
    }


def result(*targets, **more):
    return {"schema": "pgmend.load/1", "program": "pgmend", "began_unix_s": 1.7e9, "length_s": 20, "planned_s": 20,
            "scenario": "steady", "source": "x", "users": 20, "cores": 2, "targets": list(targets), **more}


@pytest.fixture
def compare(pgmend, tmp_path):
    """Writes results into files and compares them; the run, the page as a tree and as text, the Markdown."""
    def run(*results, expect=0):
        paths = []
        for n, one in enumerate(results):
            paths.append(tmp_path / f"run{n}.json")
            paths[-1].write_text(json.dumps(one))
        done = pgmend("load", "--compare", paths[0], f"--html={tmp_path / 'x.html'}",
                      f"--markdown={tmp_path / 'x.md'}", *paths[1:])
        assert done.rc == expect, done
        page = (tmp_path / "x.html").read_text()
        return done, ET.fromstring(page), page, (tmp_path / "x.md").read_text()
    return run


def test_a_page_is_well_formed_and_needs_nothing_from_elsewhere(compare):
    _, tree, page, _ = compare(result(target()), result(target(ms=1)))
    assert tree.tag == "html"
    assert not {"script", "link", "img", "iframe", "object", "use"} & {e.tag for e in tree.iter()}
    for element in tree.iter():
        assert not {k for k in element.attrib if k in ("src", "href", "style") or k.startswith("on")}, element.attrib
    assert "url(" not in page and "@import" not in page and "http" not in page.replace("http-equiv", "")
    assert "default-src 'none'" in page
    # Every figure is drawn twice, wide and for a phone, with ticks and a legend.
    figures = list(tree.iter("figure"))
    assert len(figures) >= 15
    for figure in figures:
        drawn = [s for s in figure.iter("svg") if s.get("role") == "img"]
        assert [s.get("class") for s in drawn] == ["wide", "narrow"]
        assert all(len(list(s.iter("text"))) >= 4 for s in drawn)
        assert figure.find("ul").findall("li")


def test_hostile_texts_are_texts(compare):
    done, tree, page, markdown = compare(result(target(text=HOSTILE), target("blind", text=HOSTILE)),
                                         result(target(text=HOSTILE)), expect=0)
    # Control characters are written out; all else comes back as it was.
    shown = HOSTILE.replace("\x1b", "\\x1b")
    texts = ["".join(e.itertext()) for e in tree.iter() if e.tag in ("td", "li", "p")]
    assert any(shown in text for text in texts)
    assert "<script" not in page.lower() and "\x1b" not in page + markdown + done.out
    # The style sheet is the only one, and ends where we ended it.
    assert page.count("</style>") == 1 and page.count("<style>") == 1
    assert not re.search(r"(?<!\\)<", markdown) and "\\<script\\>" in markdown
    for line in markdown.splitlines():
        if line.startswith("|"):
            assert line.endswith("|")


def test_what_is_no_figure_is_never_printed(compare):
    empty = {"name": "a"}
    huge = target(ms=1e300)
    huge["seconds"][3].update(scheduled=2**62, done=2**62, length_s=1e-300, p95_ms=-1e308)
    for pair in ((result(empty), result(empty)), (result(huge), result(target())), (result(target()), result(huge)),
                 (result(), result(target()))):
        done, _, page, markdown = compare(*pair)
        for text in (done.out, page, markdown):
            assert not re.search(r"(?<![a-z])-?(nan|inf)(?![a-z])", text), re.findall(r".{40}\b(?:nan|inf)\b.{20}", text)
            assert "(null)" not in text


def test_figures_stand_side_by_side(compare):
    done, _, page, markdown = compare(result(target(ms=40)), result(target(ms=4)))
    assert re.search(r"^P95 +80 ms +8\.00 ms \(0\.10x\)", done.out, re.M), done.out
    assert "| P95 | 80 ms | 8.00 ms (0.10x) |" in markdown
    assert '<small class="good">0.10x</small>' in page


def test_targets_meet_their_own_names(compare):
    _, _, _, markdown = compare(result(target("direct", 10), target("pool", 20)),
                                result(target("pool", 10), target("direct", 10)))
    assert "| before: direct | before: pool | after: pool | after: direct |" in markdown
    assert "| P95 | 20 ms | 40 ms | 20 ms (0.50x) | 20 ms (1.00x) |" in markdown


def test_a_limit_that_did_not_hold_is_the_exit_code(compare):
    verdict = {"name": "p95", "target": 0, "wanted": 5, "measured": 10, "held": False}
    _, _, page, _ = compare(result(target(), verdicts=[verdict]), result(target()))
    assert "before: failed: of 1 limits 1 did not hold" in page
    compare(result(target()), result(target(), verdicts=[verdict]), expect=1)


@pytest.mark.parametrize("content,message", [
    ("", "'[' or '{' expected"), ("[]", "no result of"), ('{"schema": "pgmend.load/99"}', "this version reads"),
    ('{"schema": "pgmend.load/1", "targets": 7}', None), ("\x00", None),
])
def test_files_that_are_no_results(pgmend, tmp_path, content, message):
    good, bad = tmp_path / "good.json", tmp_path / "bad.json"
    good.write_text(json.dumps(result(target())))
    bad.write_text(content)
    done = pgmend("load", "--compare", good, bad)
    if message:
        assert done.rc == 2 and message in done.err and "bad.json" in done.err, done
    else:
        assert done.rc in (0, 2), done
    assert pgmend("load", "--compare", good).rc == 2
    assert pgmend("load", "--compare", good, tmp_path / "none.json").rc == 2


# ---- the watch, on a real run ----


@pytest.fixture
def busy(db):
    """A table that is read whole by one script, locked by another, and read by its key by a third."""
    db.execute("CREATE TABLE items (id int PRIMARY KEY, owner int, note text)")
    db.execute("INSERT INTO items SELECT n, n % 100, repeat('x', 50) FROM generate_series(1, 20000) AS n")
    db.execute("CREATE INDEX unread ON items (note)")
    db.execute("ANALYZE items")
    return db


SCRIPTS = {
    "whole.sql": "SELECT count(*) FROM items WHERE owner = 7;\n",
    "key.sql": "\\set id random(1, 20000)\nSELECT note FROM items WHERE id = :id;\n",
    "lock.sql": "BEGIN;\nUPDATE items SET owner = owner WHERE id = 1;\nSELECT pg_sleep(0.05);\nCOMMIT;\n",
}


def run_load(pgmend, tmp_path, conninfo, *arguments):
    for name, text in SCRIPTS.items():
        (tmp_path / name).write_text(text)
    out = tmp_path / "out.json"
    done = pgmend("load", f"--out={out}", f"--html={tmp_path / 'out.html'}", f"--markdown={tmp_path / 'out.md'}",
                   "--users=8", "--think=100ms", *arguments, conninfo)
    assert done.rc == 0, done
    ET.fromstring((tmp_path / "out.html").read_text())
    return json.loads(out.read_text()), (tmp_path / "out.md").read_text()


def test_the_server_is_watched(pgmend, tmp_path, busy):
    found, markdown = run_load(pgmend, tmp_path, busy.conninfo, "--duration=3s", "--writes",
                               *(f"--file={tmp_path / name}" for name in SCRIPTS))
    one = found["targets"][0]
    looks = [s for s in one["samples"] if s["has_server"]]
    assert looks
    assert any(w["type"] == "Lock" for s in looks for w in s["waits"])
    assert sum(max(s["commits"], 0) for s in looks) > 0
    assert sum(max(s["blocks_hit"], 0) for s in looks) > 0
    assert all(s["has_machine"] and 0 <= s["cpu_busy"] <= 1 for s in looks)
    assert any(s["server_busy"] > 0 for s in looks)
    assert one["watch_problem"] == ""
    tables = {t["name"]: t for t in one["tables"]}
    assert tables["items"]["seq_scans"] > 0 and tables["items"]["seq_rows"] >= 20000 * tables["items"]["seq_scans"]
    assert tables["items"]["index_scans"] > 0 and tables["items"]["updated"] > 0
    indexes = {i["name"]: i for i in one["indexes"]}
    assert indexes["items_pkey"]["scans"] > 0 and indexes["unread"]["scans"] == 0
    assert "public.items" in markdown


def test_the_pool_is_watched(pgmend, tmp_path, busy, make_pool):
    pooler = make_pool(default_pool_size=1)
    conninfo = f"host=127.0.0.1 port={pooler.port} user=postgres dbname={busy.name}"
    found, markdown = run_load(pgmend, tmp_path, conninfo, "--duration=3s", f"--file={tmp_path / 'whole.sql'}",
                               f"--server={busy.conninfo}",
                               f"--console=host=127.0.0.1 port={pooler.port} user=postgres dbname=pgbouncer")
    looks = [s for s in found["targets"][0]["samples"] if s["has_pool"]]
    assert looks
    assert all(s["servers_active"] + s["servers_idle"] <= 1 for s in looks)
    assert any(s["clients_active"] + s["clients_waiting"] > 0 for s in looks)
    assert any(s["mean_wait_ms"] > 0 for s in looks)
    assert "connections" in markdown and found["targets"][0]["pooler"]


def test_a_watch_that_loses_its_server_looks_again(pgmend, tmp_path, busy):
    """Its session is ended in the middle; the load's own, which are told by our marker, go on."""
    (tmp_path / "key.sql").write_text(SCRIPTS["key.sql"])
    child = pgmend.popen("load", "--duration=3s", "--users=2", "--think=100ms", f"--file={tmp_path / 'key.sql'}",
                         f"--out={tmp_path / 'out.json'}", busy.conninfo)
    ended = None
    while child.poll() is None and not ended:
        time.sleep(0.2)
        ended = busy.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE state = 'idle' "
                             "AND query LIKE '%/* pgmend */%pg_stat_activity%' AND pid <> pg_backend_pid()").fetchone()
    assert child.wait(60) == 0 and ended
    one = json.loads((tmp_path / "out.json").read_text())["targets"][0]
    assert one["failed"] == 0 and one["done"] > 0
    assert one["tables"]  # it was there again at the end


def test_no_server_to_watch_is_said(pgmend, tmp_path, busy):
    found, markdown = run_load(pgmend, tmp_path, busy.conninfo, "--duration=1s", f"--file={tmp_path / 'key.sql'}",
                               "--server=host=127.0.0.1 port=1 connect_timeout=2")
    assert "refused" in found["targets"][0]["watch_problem"]
    assert found["targets"][0]["done"] > 0
    assert "Not watched" in markdown


def test_sessions_that_hide_are_said(pgmend, tmp_path, busy):
    """Another user's sessions show no state to who is not in pg_monitor."""
    roles = [f"{busy.name}_app", f"{busy.name}_eye"]
    for role in roles:
        busy.execute(f"CREATE ROLE {role} LOGIN")
    try:
        busy.execute(f"GRANT SELECT ON items TO {roles[0]}")
        found, markdown = run_load(pgmend, tmp_path, f"{busy.conninfo} user={roles[0]}", "--duration=2s",
                                   f"--file={tmp_path / 'key.sql'}", f"--server={busy.conninfo} user={roles[1]}")
        assert re.match(r"what \d+ sessions? of other users do", found["targets"][0]["watch_problem"])
        assert "pg\\_monitor" in markdown
    finally:
        busy.execute(f"REVOKE ALL ON items FROM {roles[0]}")
        for role in roles:
            busy.execute(f"DROP ROLE {role}")
