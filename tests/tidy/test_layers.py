"""The house: who may include whom, and that help, docs and code agree."""
import os
import re
import subprocess

import pytest

ROOT = os.path.abspath(os.path.join(os.path.dirname(__file__), "..", ".."))
SRC = os.path.join(ROOT, "src")

# A folder may include itself and what stands before it. Features stand beside each other.
LAYERS = ["util", "wire", "loop", "pg", "cluster", "sql", "catalog", "workload", "change"]
FEATURES = ["check", "advise", "copyin", "lint", "load", "demo", "partition", "pool", "purge", "sessions"]
# The daemon stands on the features, and the command line on it.
DAEMON = "serve"
TOP = ["cli"]
# libpgmend stands on util and libpq alone; others use it by its public header, as any program does.
LIBRARY, PUBLIC = "lib", "pgmend"

FILE_LINES_MAX = 800


def sources():
    for folder, _, names in os.walk(SRC):
        for name in sorted(names):
            if name.endswith((".c", ".h")):
                yield os.path.join(folder, name)


def layer_of(path):
    return os.path.relpath(path, SRC).split(os.sep)[0]


def allowed(layer):
    if layer in LAYERS:
        return LAYERS[: LAYERS.index(layer) + 1]
    if layer == LIBRARY:
        return ["util", LIBRARY, PUBLIC]
    if layer in FEATURES:
        return LAYERS + [layer, PUBLIC]
    if layer == DAEMON:
        return LAYERS + FEATURES + [DAEMON, PUBLIC]
    return LAYERS + FEATURES + [DAEMON] + TOP + [PUBLIC]


# The pooler's rooms, by the same rule; what lies in src/pool/ itself stands below the console.
POOL_ROOMS = ["scan", "config", "auth", "profile", ".", "console"]
# Who logs in to the console, and leaves it; the log, whose header knows nothing of the others.
POOL_UPWARDS = {"console/console.h", "log.h"}


def test_the_poolers_rooms_have_an_order():
    wrong = []
    pool = os.path.join(SRC, "pool")
    for path in sources():
        if layer_of(path) != "pool":
            continue
        room = os.path.dirname(os.path.relpath(path, pool)) or "."
        with open(path, encoding="utf-8") as handle:
            for header in re.findall(r'#include "pool/([^"]+)"', handle.read()):
                other = os.path.dirname(header) or "."
                if POOL_ROOMS.index(other) > POOL_ROOMS.index(room) and header not in POOL_UPWARDS:
                    wrong.append(f"{os.path.relpath(path, ROOT)}: {header}")
    assert not wrong, "\n".join(wrong)


# The daemon's rooms, by the same rule; what lies in src/serve/ itself joins them.
SERVE_ROOMS = ["config", "http", "watch", "history", "alert", "job", "chore", "api", "."]


def test_the_daemons_rooms_have_an_order():
    wrong = []
    serve = os.path.join(SRC, "serve")
    for path in sources():
        if layer_of(path) != "serve":
            continue
        room = os.path.dirname(os.path.relpath(path, serve)) or "."
        with open(path, encoding="utf-8") as handle:
            for header in re.findall(r'#include "serve/([^"]+)"', handle.read()):
                other = os.path.dirname(header) or "."
                if SERVE_ROOMS.index(other) > SERVE_ROOMS.index(room):
                    wrong.append(f"{os.path.relpath(path, ROOT)}: {header}")
    assert not wrong, "\n".join(wrong)


def test_every_folder_has_a_place():
    folders = {name for name in os.listdir(SRC) if os.path.isdir(os.path.join(SRC, name))}
    assert folders == set(LAYERS + FEATURES + [DAEMON] + TOP + [LIBRARY])


def test_includes_run_downwards_only():
    wrong = []
    for path in sources():
        layer = layer_of(path)
        with open(path, encoding="utf-8") as handle:
            for number, line in enumerate(handle, 1):
                match = re.match(r'\s*#include "([^"]+)"', line)
                if match and match.group(1).split("/")[0] not in allowed(layer):
                    wrong.append(f"{os.path.relpath(path, ROOT)}:{number}: {line.strip()}")
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("header,layers", [("libpq-fe.h", ["pg", LIBRARY]), ("pg_query.h", ["sql"]),
                                           ("openssl/ssl.h", ["loop"]),
                                           ("microhttpd.h", ["serve"]), ("gnutls/gnutls.h", ["serve"]), ("sqlite3.h", ["serve"]), ("curl/curl.h", ["serve"])])
def test_libraries_stay_behind_their_layer(header, layers):
    wrong = []
    for path in sources():
        with open(path, encoding="utf-8") as handle:
            if f"#include <{header}>" in handle.read() and layer_of(path) not in layers:
                wrong.append(os.path.relpath(path, ROOT))
    assert not wrong


def test_files_stay_readable():
    long = []
    for path in sources():
        with open(path, encoding="utf-8") as handle:
            count = sum(1 for _ in handle)
        if count > FILE_LINES_MAX:
            long.append(f"{os.path.relpath(path, ROOT)}: {count} lines")
    assert not long


def test_nothing_below_the_command_line_prints_or_exits():
    wrong = []
    for path in sources():
        if layer_of(path) in ("cli", "util"):
            continue
        with open(path, encoding="utf-8") as handle:
            for number, line in enumerate(handle, 1):
                if re.search(r"(?<![\w>.])(printf|puts|exit)\(|\bfprintf\(stderr|\bfprintf\(stdout", line):
                    wrong.append(f"{os.path.relpath(path, ROOT)}:{number}: {line.strip()}")
    assert not wrong, "\n".join(wrong)


def binary():
    return os.environ.get("PGMEND_BINARY", os.path.join(ROOT, "build", "pgmend"))


def run(*args):
    return subprocess.run([binary(), *args], capture_output=True, text=True, timeout=30, check=True).stdout


def commands():
    overview = run("help").split("Commands:\n")[1].split("\n\n")[0]
    return [line.split()[0] for line in overview.splitlines()]


def test_each_option_is_documented():
    missing = []
    for command in commands():
        if command == "completion":
            continue
        page = os.path.join(ROOT, "docs", f"{command}.md")
        assert os.path.exists(page), f"docs/{command}.md is missing"
        with open(page, encoding="utf-8") as handle:
            text = handle.read()
        own = run(command, "--help").split("Options:\n")[1].split("\nConnection options")[0]
        for option in re.findall(r"--([a-z][a-z-]*)", "\n".join(l[:32] for l in own.splitlines())):
            if option != "help" and f"--{option}" not in text:
                missing.append(f"docs/{command}.md does not mention --{option}")
    assert not missing, "\n".join(missing)


def test_documented_options_exist():
    unknown = []
    for command in commands():
        page = os.path.join(ROOT, "docs", f"{command}.md")
        if not os.path.exists(page):
            continue
        with open(page, encoding="utf-8") as handle:
            rows = re.findall(r"^\| `(?:-\w`, `)?--([a-z][a-z-]*)", handle.read(), re.M)
        text = run(command, "--help")
        unknown += [f"docs/{command}.md: --{row}" for row in rows if f"--{row}" not in text]
    assert not unknown


def test_man_pages_and_completion_are_made():
    for command in commands():
        page = run("help", "--man", command)
        assert page.startswith(".TH PGMEND") and ".SH EXIT STATUS" in page
    script = run("completion")
    assert subprocess.run(["bash", "-n"], input=script, text=True, check=False).returncode == 0
    for command in commands():
        assert re.search(rf"\b{command}\b", script)
