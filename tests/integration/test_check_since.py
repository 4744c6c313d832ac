"""pgmend check: --save and --since, --config, and the formats for CI and for people."""

import html.parser
import json
import re
import stat

import pytest

SHOP = """
CREATE TABLE customers (id bigint PRIMARY KEY, email text);
CREATE TABLE orders (id bigint PRIMARY KEY, customer_id bigint REFERENCES customers, status text);
INSERT INTO customers SELECT n, 'c' || n FROM generate_series(1, 1000) n;
INSERT INTO orders SELECT n, n % 1000 + 1, n FROM generate_series(1, 20000) n;
CREATE INDEX orders_status ON orders (status);
CREATE INDEX orders_status_too ON orders (status);
ANALYZE;
"""
ONLY = "--only=fk_without_index,duplicate_index"
FK = "fk_without_index:public.orders:orders_customer_id_fkey"


@pytest.fixture
def shop(db):
    db.psql(SHOP)
    return db


@pytest.fixture
def check(pgmend, shop):
    def run(*args, **more):
        return pgmend("check", *([] if any(a.startswith("--only") for a in args) else [ONLY]), *args,
                      shop.conninfo, **more)
    return run


def since(done):
    return {k: [f["ignore_key"] for f in v] if isinstance(v, list) else v
            for k, v in done.json()["since"].items()}


def test_new_worse_better_gone(check, shop):
    first = check("--save", "--since=LAST", "--format=json")
    assert first.rc == 0 and first.json()["since"] is None and "nothing to compare" in first.err
    shop.psql("DROP INDEX orders_status_too;"
              "CREATE TABLE notes (id bigint PRIMARY KEY, order_id bigint REFERENCES orders);"
              "INSERT INTO notes SELECT n, n FROM generate_series(1, 20000) n;"
              "INSERT INTO orders SELECT n, 1, n FROM generate_series(20001, 60000) n; ANALYZE")
    found = since(check("--save", "--since=LAST", "--format=json"))
    assert found["new"] == ["fk_without_index:public.notes:notes_order_id_fkey"]
    assert found["worse"] == [FK]
    assert [k.split(":")[0] for k in found["gone"]] == ["duplicate_index"]
    assert found["better"] == [] and found["same"] == 0
    shop.psql("DROP TABLE notes; DELETE FROM orders WHERE id > 30000; VACUUM FULL orders; ANALYZE")
    found = since(check("--since=LAST", "--format=json"))
    assert (found["new"], found["worse"], found["better"]) == ([], [], [FK])
    assert found["gone"] == ["fk_without_index:public.notes:notes_order_id_fkey"]
    text = check("--since=LAST").out
    assert re.search(r"Since \S+: 0 new, 0 worse, 1 better, 1 gone", text)


def test_only_what_got_worse_fails(check, shop):
    assert check("--fail-on=info").rc == 1
    check("--save=before.json")
    assert check("--fail-on=info", "--since=before.json").rc == 0
    shop.psql("CREATE INDEX orders_status_three ON orders (status)")
    assert check("--fail-on=info", "--since=before.json").rc == 1


def test_what_was_not_judged_is_not_gone(check):
    check("--save=both.json")
    found = since(check("--only=fk_without_index", "--since=both.json", "--format=json"))
    assert found["gone"] == [] and found["not_compared"] >= 1 and found["same"] == 1
    check("--only=fk_without_index", "--save=one.json")
    found = since(check("--since=one.json", "--format=json"))
    assert found["new"] == [] and found["not_compared"] >= 1


def test_saved_files_are_for_their_owner(check, shop, tmp_path):
    for _ in range(2):
        assert check("--save").rc == 0
    state = tmp_path / ".local" / "state" / "pgmend"
    folder, = state.iterdir()
    assert folder.name.startswith(shop.name)
    files = sorted(folder.iterdir())
    assert len(files) == 2
    for path in files:
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert json.loads(path.read_text())["schema"] == "pgmend.check/1"
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    other = tmp_path / "elsewhere"
    assert check("--save", env={"XDG_STATE_HOME": str(other)}).rc == 0
    assert list(other.glob("pgmend/*/*.json"))
    # The newest is the last, whatever wrote it.
    (folder / "99990101T000000Z-001.json").write_text("{}")
    done = check("--since=LAST")
    assert done.rc == 2 and "pgmend.check/1" in done.err


def test_no_password_is_kept(check, shop, tmp_path):
    shop.psql('CREATE TABLE "password \'hunter2\'" (id bigint PRIMARY KEY, o bigint REFERENCES orders);'
              'CREATE TABLE "x postgres://me:hunter2@db/x" (id bigint PRIMARY KEY, o bigint REFERENCES orders)')
    done = check("--save=a.json", "--format=json")
    assert "hunter2" in done.out
    assert "hunter2" not in (tmp_path / "a.json").read_text()


@pytest.mark.parametrize("content,error", [
    (None, "No such file"), ("", "a.json:1:"), ("{}", "no report"), ('{"schema": "pgmend.check/9"}', "pgmend.check/9"),
    ("[1", "a.json:1:"), ('{"schema": "pgmend.check/1", "findings": 3}', "no report"),
])
def test_bad_saved_reports(check, tmp_path, content, error):
    if content is not None:
        (tmp_path / "a.json").write_text(content)
    done = check("--since=a.json")
    assert done.rc == 2 and error in done.err + done.out


def test_odd_members_of_a_saved_report_do_no_harm(check, tmp_path):
    (tmp_path / "a.json").write_text(json.dumps({
        "schema": "pgmend.check/1", "taken_at": 5, "checks": [1, {"id": "fk_without_index"}],
        "findings": [None, {"ignore_key": 7}, {"ignore_key": FK, "severity": "odd", "impact": "much"}]}))
    done = check("--since=a.json", "--format=json", "--fail-on=never")
    assert done.rc == 0 and done.json()["since"]["worse"]


def test_a_place_that_cannot_be_written(check):
    done = check("--save=/no/such/folder/a.json")
    assert done.rc == 4 and "/no/such/folder" in done.err and "orders" in done.out


CONFIG = """
# what this team cares about
[check]
only = fk_without_index, duplicate_index
fail-on = warning
timeout = 5s

[thresholds]
fk_without_index.small_rows = 1000000

[ignore]
; keys may hold = and #
duplicate_index:*
"""


def test_config(pgmend, shop, tmp_path):
    (tmp_path / "pgmend.ini").write_text(CONFIG)
    found = pgmend("check", "--config=pgmend.ini", "--format=json", shop.conninfo)
    report = found.json()
    assert {c["id"] for c in report["checks"]} == {"fk_without_index", "duplicate_index"}
    assert report["summary"]["ignored"] >= 1
    assert [f["severity"] for f in report["findings"]] == ["info"] and found.rc == 0
    # Options win over the file.
    louder = pgmend("check", "--config=pgmend.ini", "--threshold=fk_without_index.small_rows=1", "--format=json",
                    shop.conninfo)
    assert [f["severity"] for f in louder.json()["findings"]] == ["warning"] and louder.rc == 1
    other = pgmend("check", "--config=pgmend.ini", "--only=cache_hit", "--format=json", shop.conninfo)
    assert [c["id"] for c in other.json()["checks"]] == ["cache_hit"]


@pytest.mark.parametrize("text,line,error,hint", [
    ("only = x", 1, "in no section", "[check]"),
    ("[chek]", 1, "no section [chek]", "[check]"),
    ("\n[check]\nonly = fk_without_indx", 3, "no check", "fk_without_index"),
    ("[check]\nonyl = indexes", 2, 'no option "onyl"', "only"),
    ("[check]\nonly", 2, "name = value", ""),
    ("[check]\nfail-on = high", 2, "no severity", "critical"),
    ("[check]\ntimeout = long", 2, "long", ""),
    ("[thresholds]\nfk_without_index.small_row = 3", 2, "no threshold", "small_rows"),
    ("[thresholds]\nfk_without_index.small_rows = many", 2, "no threshold", ""),
])
def test_bad_config(pgmend, tmp_path, text, line, error, hint):
    (tmp_path / "c.ini").write_text(text)
    done = pgmend("check", "--config=c.ini", "--list")
    assert done.rc == 2 and f"c.ini:{line}: " in done.err and error in done.err and hint in done.err


def test_a_config_that_is_missing(pgmend):
    done = pgmend("check", "--config=none.ini", "--list")
    assert done.rc == 2 and "none.ini: No such file" in done.err


class Page(html.parser.HTMLParser):
    """The tags, the text, and every attribute that could load something."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.text, self.links = [], "", []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.links += [v for k, v in attrs if k in ("src", "href", "action", "style") or k.startswith("on")]

    def handle_data(self, data):
        self.text += data


def test_html(check, shop):
    evil = '<script>alert("1")</script>&amp; \'x\''
    shop.psql('CREATE TABLE "%s" (id bigint PRIMARY KEY, o bigint REFERENCES orders)' % evil.replace('"', '""'))
    check("--save=a.json")
    for extra in ([], ["--since=a.json"]):
        done = check("--format=html", *extra)
        assert done.rc == 0
        page = Page(done.out)
        assert "script" not in page.tags and "img" not in page.tags
        assert evil.replace('"', '""') in page.text
        assert all(link.startswith("#") for link in page.links)
        assert "default-src 'none'" in done.out and "url(" not in done.out
        assert page.tags.count("article") >= 3
    assert "Nothing was found" in check("--format=html", "--ignore=*").out


def test_sarif(check):
    check("--save=a.json")
    log = check("--format=sarif", "--since=a.json").json()
    run, = log["runs"]
    assert log["version"] == "2.1.0" and run["results"]
    for result in run["results"]:
        assert run["tool"]["driver"]["rules"][result["ruleIndex"]]["id"] == result["ruleId"]
        assert result["baselineState"] == "unchanged" and result["partialFingerprints"]["pgmend/v1"]
        assert result["locations"][0]["logicalLocations"][0]["fullyQualifiedName"]
    assert FK in {r["partialFingerprints"]["pgmend/v1"] for r in run["results"]}


def test_wrong_formats_are_named(pgmend):
    done = pgmend("check", "--format=yaml")
    assert done.rc == 2 and "text, json, markdown, sarif and html" in done.err
