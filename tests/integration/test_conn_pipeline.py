"""Statements that go out together: an error that comes behind the last of them must not be left for the next ones."""

import subprocess

from cluster import clean_env
from conftest import find_binary


def test_an_error_at_the_end_of_a_pipeline(db):
    db.psql("CREATE TABLE once (id int UNIQUE DEFERRABLE INITIALLY DEFERRED)")
    program = find_binary().parent / "tests/integration/helpers/pipeline_end"
    done = subprocess.run([program, db.conninfo], capture_output=True, text=True, env=clean_env(), timeout=60, check=True)
    assert done.stdout.split("\n") == ["23505", "in step", ""], done
