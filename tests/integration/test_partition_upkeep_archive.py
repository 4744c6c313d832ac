"""Retired partitions in archives: written, read back, dropped, restored; and killed at any point."""

import gzip
import hashlib
import json
import os
import signal
import time

import pytest

from changes import wait_until

ROWS = 5000
NOW = ["--as-of", "2025-03-15", "--premake", "0"]


def keep(pgmend, db, *args):
    return pgmend("partition", "--upkeep", "odd", *NOW, "--retention", "1 month", *args, "-d", db.conninfo)


@pytest.fixture
def odd(db, tmp_path):
    """A table whose rows are hard to write down, and a folder for its archives."""
    db.psql("CREATE TYPE mood AS ENUM ('fine', 'a, \"b\"'); CREATE TABLE odd (id bigint, at timestamptz NOT NULL, f float8, "
            "n numeric, b bytea, j jsonb, t text, a text[], m mood, i interval, r int4range, twice bigint GENERATED ALWAYS AS "
            "(id * 2) STORED, \"Odd \"\"name\" text DEFAULT 'x', gone int, PRIMARY KEY (id, at)) PARTITION BY RANGE (at)")
    db.psql("ALTER TABLE odd DROP gone")
    for month in (1, 2, 3):
        db.psql(f"CREATE TABLE odd_2025_0{month} PARTITION OF odd FOR VALUES FROM ('2025-0{month}-01') TO ('2025-0{month + 1}-01')")
    with db.connect() as conn:
        conn.execute(r"""INSERT INTO odd (id, at, f, n, b, j, t, a, m, i, r) SELECT n, '2025-01-01'::timestamptz + n * '1 minute'::interval,
            CASE n % 7 WHEN 0 THEN 'NaN'::float8 WHEN 1 THEN '-Infinity'::float8 ELSE n / 3.0 END, n / 7.0, decode(md5(n::text), 'hex'),
            jsonb_build_object('k', E'a\nb\t"\\' || n), CASE n % 5 WHEN 0 THEN NULL WHEN 1 THEN '' WHEN 2 THEN E'\\N' WHEN 3 THEN E'line\nä€😀\r\t\\' ELSE
            repeat('x', n % 50) END, ARRAY[n::text, NULL, 'q"'], CASE n % 2 WHEN 0 THEN 'a, "b"' ELSE 'fine' END::mood, n * '1 month 1 hour'::interval,
            int4range(n, n + 5) FROM generate_series(1, 5000) n""")
        conn.execute("INSERT INTO odd (id, at) VALUES (-1, '2025-02-10'), (-2, '2025-03-10')")
    folder = tmp_path / "archives"
    folder.mkdir()
    return folder


def archives(folder):
    return sorted(folder.glob("*.copy.gz"))


def content(db, table="odd"):
    columns = 'id, at, f, n, b, j, t, a, m, i, r, twice, "Odd ""name"'
    return db.query(f"SELECT md5(string_agg(x::text, '|' ORDER BY id)), count(*) FROM (SELECT {columns} FROM {table}) x")


def test_archive_and_restore(db, pgmend, odd):
    before = content(db)
    run = keep(pgmend, db, "--retention-action", "archive", "--archive-dir", odd)
    assert run.rc == 0 and not db.scalar("SELECT to_regclass('odd_2025_01')"), run
    (path,) = archives(odd)
    said = json.loads(path.with_name(path.name + ".json").read_text())
    data = gzip.decompress(path.read_bytes())
    assert said["rows"] == ROWS == data.count(b"\n") and hashlib.sha256(data).hexdigest() == said["sha256"]
    assert said["from"] == "2025-01-01 00:00:00+00" and [c["name"] for c in said["columns"]][-1] == 'Odd "name'
    assert oct(path.stat().st_mode)[-3:] == "600" and len(list(odd.iterdir())) == 2
    assert "5000 rows in" in db.scalar("SELECT note FROM pgmend.change WHERE kind = 'drop_table'")

    back = pgmend("partition", "--restore", path, "--attach", "-d", db.conninfo)
    assert back.rc == 0 and "checksum verified" in back.out, back
    assert content(db) == before
    assert db.scalar("SELECT relispartition FROM pg_class WHERE relname = 'odd_2025_01'")
    assert not db.scalar("SELECT count(*) FROM pg_constraint WHERE conname = 'pgmend_bounds'")
    again = pgmend("partition", "--restore", path, "-d", db.conninfo)
    assert again.rc == 2 and "--into" in again.err, again
    alone = pgmend("partition", "--restore", path, "--into", 'public."Other one"', "-d", db.conninfo)
    assert alone.rc == 0 and content(db, '"Other one"') == content(db, "odd_2025_01"), alone
    # retired a second time, beside the first archive
    time.sleep(1.1)
    assert keep(pgmend, db, "--retention-action", "archive", "--archive-dir", odd).rc == 0
    assert len(archives(odd)) == 2
    # and without what it was a part of
    db.psql("DROP TABLE odd CASCADE")
    assert pgmend("partition", "--restore", path, "-d", db.conninfo).rc == 0
    assert db.scalar("SELECT count(*) FROM odd_2025_01") == ROWS


def test_a_damaged_archive_is_not_loaded(db, pgmend, odd):
    assert keep(pgmend, db, "--retention-action", "archive", "--archive-dir", odd).rc == 0
    (path,) = archives(odd)
    whole = path.read_bytes()
    byte = bytearray(whole)
    byte[len(byte) // 2] ^= 0x55
    other_rows = gzip.compress(b"\n".join(gzip.decompress(whole).split(b"\n")[1:]))
    for damaged in (whole[: len(whole) // 2], bytes(byte), other_rows):
        path.write_bytes(damaged)
        run = pgmend("partition", "--restore", path, "-d", db.conninfo)
        assert run.rc == 4 and path.name in run.err, run
        assert db.scalar("SELECT count(*) FROM odd_2025_01") == 0
    # once the file is whole, the same command goes on
    path.write_bytes(whole)
    assert pgmend("partition", "--restore", path, "-d", db.conninfo).rc == 0
    assert db.scalar("SELECT count(*) FROM odd_2025_01") == ROWS
    path.with_name(path.name + ".json").write_text('{"format": "pgmend archive", "columns": [}')
    assert pgmend("partition", "--restore", path, "--into", "x", "-d", db.conninfo).rc == 2


def test_nothing_is_dropped_without_its_archive(db, pgmend, odd):
    nowhere = keep(pgmend, db, "--retention-action", "archive", "--archive-dir", odd / "none")
    assert nowhere.rc == 4 and db.scalar("SELECT relispartition FROM pg_class WHERE relname = 'odd_2025_01'"), nowhere
    # a full disk: the file may have 20 kB
    child = pgmend.popen("partition", "--upkeep", "odd", *NOW, "--retention", "1 month", "--retention-action", "archive",
                         "--archive-dir", odd, "-d", db.conninfo,
                         preexec_fn=lambda: (signal.signal(signal.SIGXFSZ, signal.SIG_IGN),
                                             __import__("resource").setrlimit(__import__("resource").RLIMIT_FSIZE, (20_000, 20_000))))
    out, err = child.communicate(timeout=90)
    assert child.returncode == 4 and "cannot write" in err, (out, err)
    assert db.scalar("SELECT count(*) FROM odd_2025_01") == ROWS and not list(odd.iterdir())
    done = keep(pgmend, db, "--retention-action", "archive", "--archive-dir", odd)
    assert done.rc == 0 and not db.scalar("SELECT to_regclass('odd_2025_01')"), done
    assert len(archives(odd)) == 1


# when to kill: a state that the database or the folder shows
POINTS = {
    "detach begun": lambda db, folder: db.scalar("SELECT count(*) FROM pgmend.change WHERE step = 1 AND state <> 'planned'"),
    "archive begun": lambda db, folder: list(folder.glob("*.part")),
    "archive published": lambda db, folder: archives(folder),
    "dropped": lambda db, folder: not db.scalar("SELECT to_regclass('odd_2025_01')"),
}


@pytest.mark.parametrize("point", POINTS)
def test_killed(db, pgmend, odd, point):
    rows = db.query("SELECT count(*), sum(id) FROM odd")

    def reached():
        try:
            return POINTS[point](db, odd)
        except Exception:  # the ledger is not there yet
            return False

    child = pgmend.popen("partition", "--upkeep", "odd", *NOW, "--retention", "1 month", "--retention-action", "archive",
                         "--archive-dir", odd, "-d", db.conninfo)
    wait_until(lambda: child.poll() is not None or reached())
    child.kill()
    child.wait()
    done = keep(pgmend, db, "--retention-action", "archive", "--archive-dir", odd)
    assert done.rc == 0 and not db.scalar("SELECT to_regclass('odd_2025_01')"), done
    (path,) = archives(odd)
    assert sorted(p.name for p in odd.iterdir()) == [path.name, path.name + ".json"]
    if not db.scalar("SELECT count(*) FROM pgmend.plan WHERE state <> 'done'"):
        assert pgmend("partition", "--restore", path, "--attach", "-d", db.conninfo).rc == 0
        assert db.query("SELECT count(*), sum(id) FROM odd") == rows


def test_restore_killed(db, pgmend, odd):
    assert keep(pgmend, db, "--retention-action", "archive", "--archive-dir", odd).rc == 0
    (path,) = archives(odd)
    before = content(db)
    child = pgmend.popen("partition", "--restore", path, "--attach", "-d", db.conninfo)
    wait_until(lambda: child.poll() is not None or db.scalar(
        "SELECT count(*) FROM pgmend.change WHERE kind = 'load' AND state = 'running'"))
    child.kill()
    child.wait()
    done = pgmend("partition", "--restore", path, "--attach", "-d", db.conninfo)
    assert done.rc in (0, 2), done
    assert db.scalar("SELECT count(*) FROM odd_2025_01") == ROWS and content(db) != before
