"""pgmend report: one page that holds together whatever stands in it, without values that are nobody's business."""
import threading
import xml.etree.ElementTree as ET

import pytest

EVIL = '"</title><script>alert(1)</script>|`x`*y*\\ \u202e"'
TABLES = f"""
CREATE TABLE {EVIL} (id int PRIMARY KEY, b int);
CREATE INDEX ON {EVIL} (b);
CREATE INDEX ON {EVIL} (b);
CREATE TABLE parents (id int PRIMARY KEY);
CREATE TABLE children (id int PRIMARY KEY, parent_id int NOT NULL REFERENCES parents ON DELETE CASCADE, secret text);
INSERT INTO parents SELECT generate_series(1, 1000);
INSERT INTO children SELECT g, 1 + g % 1000, 'x' FROM generate_series(1, 30000) g;
INSERT INTO {EVIL} SELECT g, g FROM generate_series(1, 2000) g;
VACUUM ANALYZE;
"""


def sections(page):
    """The texts below each heading of the second level."""
    found, name = {}, None
    for element in ET.fromstring(page).find(".//main"):
        if element.tag == "h2":
            name = "".join(element.itertext())
            found[name] = ""
        elif name:
            found[name] += " ".join(element.itertext()) + "\n"
    return found


def test_it_says_what_the_commands_say(pgmend, db, tmp_path):
    db.psql(TABLES)
    done = pgmend("report", f"--out={tmp_path / 'r.html'}", db.conninfo)
    assert done.rc == 0 and done.out == "" and "Written to" in done.err, done
    page = (tmp_path / "r.html").read_text()
    parts = sections(page)
    assert list(parts) == ["What is wrong", "Where the time goes", "Indexes", "Tables", "Sessions", "Changes"]
    found = {(f["object"], f["title"], f["detail"]) for f in pgmend("check", "--format=json", db.conninfo).json()["findings"]}
    assert any(title == "Foreign key without an index" for _, title, _ in found)
    for _, title, _ in found:
        assert title in parts["What is wrong"]
    assert "CREATE INDEX CONCURRENTLY" in parts["What is wrong"]
    assert "public.children" in parts["Tables"] and "30,000" in parts["Tables"]
    assert "children_pkey" in parts["Indexes"] and "primary key" in parts["Indexes"]
    assert "pgmend has changed nothing in this database" in parts["Changes"]


def test_names_steer_neither_form(pgmend, db):
    db.psql(TABLES)
    page = pgmend("report", db.conninfo).out
    ET.fromstring(page)
    assert "<script" not in page and "default-src 'none'" in page
    assert "src=" not in page and "href=" not in page and "@import" not in page and "url(" not in page
    text = pgmend("report", "--format=markdown", db.conninfo)
    assert text.rc == 0
    outside, fenced = [], False
    for line in text.out.splitlines():
        if line.startswith("```"):
            fenced = not fenced
        elif not fenced:
            outside.append(line)
    assert not fenced and "<script>" not in "\n".join(outside)
    for line in outside:
        if line.startswith("| "):
            assert line.rstrip().endswith("|")


@pytest.mark.extension("pg_stat_statements")
def test_values_and_passwords_stay_at_home(pgmend, db, cluster):
    db.psql(TABLES + "CREATE EXTENSION pg_stat_statements; SELECT pg_stat_statements_reset();")
    role = f"reporter_{db.name}"
    with cluster.connect(db.name) as conn:
        conn.execute("SELECT count(*) FROM children WHERE secret = 'hunter2'")
        conn.execute(f"CREATE ROLE {role} PASSWORD 'swordfish'")
    try:
        with cluster.connect(db.name, application_name="a<b>c") as holder, cluster.connect(db.name) as waiter:
            holder.execute("BEGIN")
            holder.execute("UPDATE children SET secret = 'hunter3' WHERE id = 1")
            thread = threading.Thread(target=wait_for_row, args=(waiter,))
            thread.start()
            wait_until_blocked(cluster, db, waiter.info.backend_pid)
            page = pgmend("report", db.conninfo).out
            holder.execute("ROLLBACK")
            thread.join(60)
        parts = sections(page)
        assert "FROM children WHERE secret = $1" in parts["Where the time goes"]
        assert "a<b>c" in parts["Sessions"] and "holds up 1 sessions" in parts["Sessions"]
        assert "SET secret = $1 WHERE id = $2" in parts["Sessions"]
        assert not [word for word in ("hunter2", "hunter3", "hunter4", "swordfish") if word in page]
    finally:
        with cluster.connect() as conn:
            conn.execute(f"DROP ROLE {role}")


def wait_for_row(conn):
    conn.execute("UPDATE children SET secret = 'hunter4' WHERE id = 1")


def wait_until_blocked(cluster, db, pid):
    with cluster.connect(db.name) as conn:
        for _ in range(600):
            if conn.execute("SELECT cardinality(pg_blocking_pids(%s))", [pid]).fetchone()[0]:
                return
            conn.execute("SELECT pg_sleep(0.1)")
    pytest.fail("nobody waits")


def test_few_rights_make_a_page_too(pgmend, db, cluster):
    db.psql(TABLES)
    role = f"nobody_{db.name}"
    with cluster.connect(db.name) as conn:
        conn.execute(f"CREATE ROLE {role} LOGIN")
    try:
        done = pgmend("report", cluster.conninfo(db.name, user=role))
        assert done.rc == 0, done
        parts = sections(done.out)
        assert "public.children" in parts["Tables"]
        assert "Not known" in parts["Where the time goes"]
    finally:
        with cluster.connect() as conn:
            conn.execute(f"DROP ROLE {role}")


@pytest.mark.parametrize("arguments, message", [(["--format=pdf"], "--format"), (["--top=0"], "--top"), (["--format=json"], "--format")])
def test_what_makes_no_sense_is_refused(pgmend, db, arguments, message):
    done = pgmend("report", *arguments, db.conninfo)
    assert done.rc == 2 and message in done.err


def test_no_server(pgmend):
    done = pgmend("report", "host=/nowhere dbname=x")
    assert done.rc == 3 and done.out == ""


def test_a_file_that_cannot_be_written(pgmend, db):
    done = pgmend("report", "--out=/nowhere/r.html", db.conninfo)
    assert done.rc == 4 and "/nowhere/r.html" in done.err
