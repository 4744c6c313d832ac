"""docs/pool-hostile.md names tests that there are, and all of those about hostile clients and servers."""

import pathlib
import re

ROOT = pathlib.Path(__file__).resolve().parents[2]
TABLE = ROOT / "docs/pool-hostile.md"


def functions(paths):
    return {name for path in paths for name in re.findall(r"^(?:def|static void) (test_\w+)\(", path.read_text(), re.M)}


def test_what_the_table_names_is_there():
    table = TABLE.read_text()
    there = functions([*(ROOT / "tests").rglob("test_*.py"), *(ROOT / "tests/unit").rglob("test_*.c")])
    assert sorted(set(re.findall(r"`(test_\w+)`", table)) - there) == []
    targets = {path.stem for path in (ROOT / "fuzz").glob("*.c")}
    for row in re.findall(r"fuzz ((?:`\w+`(?:, )?)+)", table):
        assert set(re.findall(r"`(\w+)`", row)) <= targets, row


def test_all_are_in_the_table():
    own = functions(ROOT / "tests/integration" / name for name in ("test_pool_hostile.py", "test_pool_evil.py"))
    assert sorted(own - set(re.findall(r"`(test_\w+)`", TABLE.read_text()))) == []
