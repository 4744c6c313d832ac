"""docs/checks-compared.md has a row for each check, and each cell says one of four things."""
import os
import re

ROOT = os.path.abspath(os.path.join(os.path.dirname(__file__), "..", ".."))
TOOLS = ["PgHero", "pgmetrics", "check_postgres", "splinter", "pg_extras", "pganalyze"]


def rows():
    """(check, cells) of each row that begins with a link to a check's page."""
    with open(os.path.join(ROOT, "docs", "checks-compared.md"), encoding="utf-8") as handle:
        for line in handle:
            match = re.match(r"\| \[(\w+)\]\(checks/(\w+)\.md\) \|(.*)\|$", line.rstrip())
            if match:
                assert match.group(1) == match.group(2), line
                yield match.group(1), [cell.strip() for cell in match.group(3).split("|")]


def test_each_check_has_one_row():
    checks = sorted(name[:-4] for name in os.listdir(os.path.join(ROOT, "checks")) if name.endswith(".sql"))
    assert sorted(check for check, _ in rows()) == checks


def test_cells_say_what_the_page_explains():
    for check, cells in rows():
        assert len(cells) == len(TOOLS), check
        for tool, cell in zip(TOOLS, cells):
            assert re.fullmatch(r"yes(, .+)?|partly: .+|no|\?", cell), f"{check}, {tool}: {cell}"
            assert cell != "?" or tool == "pganalyze", f"{check}, {tool}: what can be read is known"


def test_columns_stand_in_one_order():
    with open(os.path.join(ROOT, "docs", "checks-compared.md"), encoding="utf-8") as handle:
        heads = [line for line in handle if line.startswith("| check |") and "PgHero" in line]
    assert heads
    for head in heads:
        assert [cell.strip() for cell in head.strip().strip("|").split("|")][1:] == TOOLS
