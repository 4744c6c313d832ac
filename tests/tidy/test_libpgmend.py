"""The library's outside: a header that stands alone, and the symbols that a committed list names."""
import os
import re
import shutil
import subprocess

import pytest

ROOT = os.path.abspath(os.path.join(os.path.dirname(__file__), "..", ".."))
HEADER = os.path.join(ROOT, "include", "pgmend", "pgmend.h")
LIBRARY = os.path.join(os.path.dirname(os.path.realpath(
    os.environ.get("PGMEND_BINARY", os.path.join(ROOT, "build", "pgmend")))), "libpgmend.so")


def declared():
    with open(HEADER, encoding="utf-8") as handle:
        return set(re.findall(r"^PGMEND_API [^;]*?\b(pgmend_\w+)\(", handle.read(), re.M))


def listed():
    with open(os.path.join(ROOT, "src", "lib", "symbols.txt"), encoding="utf-8") as handle:
        return handle.read().split()


@pytest.mark.parametrize("compiler,standard,language",
                         [("cc", "c99", "c"), ("cc", "c11", "c"), ("c++", "c++98", "c++"), ("c++", "c++17", "c++")])
def test_header_compiles_alone(compiler, standard, language):
    if not shutil.which(compiler):
        pytest.skip(f"no {compiler}")
    extra = ["-Wno-long-long"] if standard == "c++98" else []
    done = subprocess.run([compiler, f"-std={standard}", "-pedantic-errors", "-Wall", "-Wextra", "-Werror", *extra,
                           "-fsyntax-only", "-x", language, "-"], input=f'#include "{HEADER}"\n', text=True,
                          capture_output=True, check=False)
    assert done.returncode == 0, done.stderr


def test_exported_symbols_are_those_of_the_list():
    out = subprocess.run(["nm", "-D", "--defined-only", LIBRARY], capture_output=True, text=True, check=True).stdout
    # What begins with an underscore is the compiler's.
    found = {line.split()[2] for line in out.splitlines() if not line.split()[2].startswith("_")}
    assert sorted(found) == listed()


def test_list_is_sorted_and_declared():
    assert listed() == sorted(set(listed()))
    assert set(listed()) <= declared()
