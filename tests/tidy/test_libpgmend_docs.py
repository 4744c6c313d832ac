"""Manual pages are made of the whole header, and what the pool reads from the environment is documented."""
import os
import re
import shutil
import subprocess

import pytest

ROOT = os.path.abspath(os.path.join(os.path.dirname(__file__), "..", ".."))
HEADER = os.path.join(ROOT, "include", "pgmend", "pgmend.h")


def read(*path):
    with open(os.path.join(ROOT, *path), encoding="utf-8") as handle:
        return handle.read()


def test_each_function_and_type_has_a_manual_page(tmp_path):
    script = os.path.join(ROOT, "tools", "header-man")
    listed = subprocess.run([script, "--list", HEADER], capture_output=True, text=True, check=True).stdout.split()
    subprocess.run([script, HEADER, "1.2.3", tmp_path], check=True)
    assert sorted(os.listdir(tmp_path)) == sorted(listed)
    pages = {name: (tmp_path / name).read_text(encoding="utf-8") for name in listed}
    header = read("include", "pgmend", "pgmend.h")
    for function in re.findall(r"^PGMEND_API [^;]*?\b(pgmend_\w+)\(", header, re.M):
        target = re.fullmatch(r"\.so man3/(\w+\.3)\n", pages[f"{function}.3"]).group(1)
        assert pages[target].count(f"{function}(") >= 2, f"{target}: {function} in the synopsis and below"
    whole = "".join(pages.values())
    for name in re.findall(r"^(?:struct|enum) (pgmend_\w+) \{|^#define (PGMEND_\w+)|\b(PGMEND_[A-Z_0-9]+) =", header,
                           re.M):
        name = "".join(name)
        assert name in ("PGMEND_PGMEND_H", "PGMEND_API") or name in whole, name


@pytest.mark.skipif(not shutil.which("groff"), reason="no groff")
def test_manual_pages_render_without_a_warning(tmp_path):
    subprocess.run([os.path.join(ROOT, "tools", "header-man"), HEADER, "1.2.3", tmp_path], check=True)
    for name in ("pgmend.3", "pgmend_pool.3", "pgmend_batch.3", "pgmend_timer.3"):
        done = subprocess.run(["groff", "-man", "-Tutf8", "-P-cbou", "-ww", "-rLL=200n", tmp_path / name],
                              capture_output=True, text=True, check=True)
        assert done.stderr == ""
        for heading in ("NAME", "SYNOPSIS", "DESCRIPTION", "SEE ALSO"):
            assert f"\n{heading}\n" in done.stdout


def test_the_environment_of_a_pool_is_documented():
    names = re.findall(r'FIELD\("PGMEND_POOL(_\w+)"', read("src", "lib", "pool_options.c"))
    assert len(names) > 15
    header, page = read("include", "pgmend", "pgmend.h"), read("docs", "libpgmend.md")
    for name in names:
        assert re.search(rf"(PGMEND_POOL|\W){name}\b", header), name
        assert re.search(rf"`(PGMEND_POOL)?{name}`", page), name
