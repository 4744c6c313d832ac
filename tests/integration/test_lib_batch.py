"""libpgmend's batches: helpers/lib_batch*.c are programs of the public header; here is what they run against."""
import os
import pathlib
import subprocess

import pytest

import cluster as clusters
from conftest import find_binary

HELPERS = pathlib.Path(os.environ.get("PGMEND_BINARY") or
                       pathlib.Path(__file__).resolve().parents[2] / "build" / "pgmend").resolve().parent
HELPERS = HELPERS / "tests" / "integration" / "helpers"

CASES = ["types_typed", "types_text", "types_refused", "bad_rows", "limits", "parameters", "returning",
         "returning_gaps", "duplicates", "equal_keys", "upsert_choices", "callers_transaction", "deferred", "random",
         "backend_killed", "killed_in_commit", "callback_stops", "cancel", "table_changes", "open_refuses", "ways_in",
         "upsert_tables", "upsert_options", "upsert_rights", "upsert_random", "upsert_race"]


def run(program, *args):
    find_binary()
    done = subprocess.run([HELPERS / program, *args], capture_output=True, text=True, env=clusters.clean_env(),
                          timeout=120, check=False)
    assert done.returncode == 0, done.stderr + done.stdout
    assert done.stderr == ""
    return done.stdout


def test_each_case_is_run():
    assert run("lib_batch", "--list").split() == CASES


@pytest.mark.parametrize("case", CASES)
def test_batch(db, case):
    run("lib_batch", case, db.conninfo)


def test_memory_that_ends(db):
    run("lib_batch_memory", "memory", db.conninfo)
