"""docs/pool-config.md and the table of settings agree."""
import os
import re
import subprocess

ROOT = os.path.abspath(os.path.join(os.path.dirname(__file__), "..", ".."))
NOTES = {"; needs a restart": "restart", "; no effect here": "no effect", "; not in PgBouncer": None}


def settings():
    """key -> (default, notes) of each row of the table, in its order."""
    binary = os.environ.get("PGMEND_BINARY", os.path.join(ROOT, "build", "pgmend"))
    lines = subprocess.run([binary, "pool", "--show-config"], capture_output=True, text=True, timeout=30,
                           check=True).stdout.splitlines()
    assert lines[0] == "[pgbouncer]"
    result = {}
    for comment, value in zip(lines[1::2], lines[2::2]):
        default, notes = re.fullmatch(r"; .+ \(default: (.*?)((?:" + "|".join(NOTES) + r")*)\)", comment).groups()
        result[re.match(r";?(\w+) =", value).group(1)] = (default, notes)
    return result


def documented():
    """key -> (default, meaning) of each row of the page, and how many rows there are."""
    with open(os.path.join(ROOT, "docs", "pool-config.md"), encoding="utf-8") as handle:
        text = handle.read()
    rows = re.findall(r"^\| `(\w+)` \| (?:`(.*)` )?\| (.*) \|$", text.split("\n## [databases]")[0], re.M)
    return {key: (default or "none", meaning) for key, default, meaning in rows}, len(rows)


def test_each_setting_has_one_row_with_its_default():
    known, (page, count) = settings(), documented()
    assert len(known) > 100
    assert sorted(known) == sorted(page)
    assert count == len(page)
    for key, (default, notes) in known.items():
        assert page[key][0] == default, key
        for note, word in NOTES.items():
            if word:
                assert (note in notes) == bool(re.search(rf"\({word}\)", page[key][1])), f"{key}: {word}"


def test_settings_stand_in_order():
    assert list(settings()) == sorted(settings())


def test_the_parameters_of_lines_are_documented():
    with open(os.path.join(ROOT, "src", "pool", "config", "config_database.c"), encoding="utf-8") as handle:
        code = handle.read()
    with open(os.path.join(ROOT, "docs", "pool-config.md"), encoding="utf-8") as handle:
        page = handle.read()
    for table, section in (("database_keys", "databases"), ("user_keys", "users"), ("peer_keys", "peers")):
        keys = re.findall(r'^\t\{"(\w+)", PAIR_', code.split(f"{table}[] = {{")[1].split("};")[0], re.M)
        part = re.split(r"\n## ", page.split(f"\n## [{section}]")[1])[0]
        assert keys
        assert [key for key in keys if not re.search(rf"`{key}`|\b{key}=", part)] == []


def test_each_setting_has_an_effect_or_says_that_it_has_none():
    """Its member of the configuration is read by the pooler, or the row is INERT."""
    code = {}
    for top, _, names in os.walk(os.path.join(ROOT, "src")):
        for name in names:
            if name.endswith((".c", ".h")) and name not in ("config.h", "settings_table.c", "settings.c",
                                                            "config_check.c", "config_uri.c"):
                with open(os.path.join(top, name), encoding="utf-8") as handle:
                    code[os.path.join(top, name)] = handle.read()
    with open(os.path.join(ROOT, "src", "pool", "config", "settings_table.c"), encoding="utf-8") as handle:
        table = handle.read().split("pgm_settings[] = {")[1]
    rows = re.findall(r'^\t[A-Z]+\("(\w+)", ([\w.]+),(.*?)\),$', table, re.M | re.S)
    assert len(rows) > 100
    for name, member, rest in rows:
        reads = re.compile(rf"(->|\.){member.split('.')[-1]}\b")
        read = any(reads.search(text) for text in code.values())
        assert read != bool(re.search(r"\bINERT\b", rest)), f"{name}: read and INERT, or neither"
