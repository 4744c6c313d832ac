"""Settings that are stored: pgmend's own, and those of the real pg_partman."""

import pytest


def keep(pgmend, db, *args):
    return pgmend("partition", "--upkeep", *args, "-d", db.conninfo)


def names(db, table):
    return sorted(row[0] for row in db.query("SELECT relname FROM pg_inherits JOIN pg_class c ON c.oid = inhrelid WHERE inhparent = "
                                             "%s::regclass", [table]))


def test_save_and_forget(db, pgmend, tmp_path):
    db.psql('CREATE SCHEMA "s s"; CREATE TABLE "s s"."t ""1" (at date) PARTITION BY RANGE (at)')
    name = '"s s"."t ""1"'
    run = keep(pgmend, db, name, "--interval", "week", "--premake", "2", "--retention", "2 weeks", "--retention-action", "archive",
               "--archive-dir", tmp_path, "--save", "--as-of", "2025-06-04")
    assert run.rc == 0 and len(names(db, name)) == 3, run
    # no option says it again
    run = keep(pgmend, db, "--as-of", "2025-06-25")
    assert run.rc == 0 and "settings of pgmend.upkeep" in run.out, run
    assert names(db, name) == ['t "1_p2025_06_09', 't "1_p2025_06_16', 't "1_p2025_06_23', 't "1_p2025_06_30', 't "1_p2025_07_07']
    assert len(list(tmp_path.glob("*.copy.gz"))) == 1
    assert keep(pgmend, db, name, "--save", "--retention-action", "drop", "--as-of", "2025-06-25").rc == 0
    assert db.scalar("SELECT settings ->> 'retention_action' || (settings ->> 'premake') FROM pgmend.upkeep") == "drop2"
    assert keep(pgmend, db, name, "--forget").rc == 0 and not db.scalar("SELECT count(*) FROM pgmend.upkeep")
    assert keep(pgmend, db, "--save", "--premake", "3").rc == 2
    assert pgmend("history", "--drop-ledger", db.conninfo).rc == 0


@pytest.mark.extension("pg_partman")
def test_pg_partman_is_respected(db, pgmend):
    db.psql("CREATE SCHEMA partman; CREATE EXTENSION pg_partman SCHEMA partman; CREATE SCHEMA old")
    v5 = not db.scalar("SELECT count(*) FROM pg_attribute WHERE attrelid = 'partman.part_config'::regclass AND attname = 'trigger_return_null'")
    kind = "range" if v5 else "native"
    for table, key, interval, premake in (("days", "at timestamptz NOT NULL", "1 day", 3), ("ids", "at bigint NOT NULL", "100", 2),
                                          ("secs", "at bigint NOT NULL", "1 month", 2), ("weeks", "at timestamptz NOT NULL", "7 days", 1),
                                          ("off", "at timestamptz NOT NULL", "1 day", 4)):
        db.psql(f"CREATE TABLE {table} ({key}, v int) PARTITION BY RANGE (at)")
        epoch = ", p_epoch := 'seconds'" if table == "secs" else ""
        if not v5:
            epoch += ", p_type := 'native'"
        db.psql(f"SELECT partman.create_parent('public.{table}', 'at', p_interval := '{interval}', p_premake := {premake}{epoch})")
    db.psql("""UPDATE partman.part_config SET premake = 6, retention = '1 day', retention_keep_table = false WHERE parent_table = 'public.days';
        UPDATE partman.part_config SET retention = '100', retention_schema = 'old', retention_keep_table = false WHERE parent_table = 'public.ids';
        UPDATE partman.part_config SET premake = 4 WHERE parent_table IN ('public.secs', 'public.weeks');
        UPDATE partman.part_config SET premake = 9, automatic_maintenance = 'off' WHERE parent_table = 'public.off';
        INSERT INTO ids SELECT n, 0 FROM generate_series(0, 250, 10) n;""")
    before = {t: names(db, t) for t in ("days", "ids", "secs", "weeks", "off")}
    old_ids = before["ids"][1:2]
    run = keep(pgmend, db)
    assert run.rc in (0, 1) and "off: left out" in run.out, run
    after = {t: names(db, t) for t in before}
    assert after["off"] == before["off"]
    assert len(set(after["days"]) - set(before["days"])) == 3
    gone = set(before["days"]) - set(after["days"])
    assert gone and not any(db.scalar("SELECT to_regclass(%s)", [name]) for name in gone)
    assert "old" in {row[0] for row in db.query("SELECT relnamespace::regnamespace::text FROM pg_class WHERE relname LIKE 'ids_p%'")}
    assert db.scalar("SELECT count(*) FROM old.ids_p0") and old_ids
    # what pg_partman would have made itself has the same names: it finds nothing to do and nothing wrong
    made = {t: set(after[t]) - set(before[t]) for t in ("secs", "weeks", "days")}
    assert all(made.values())
    db.psql("UPDATE partman.part_config SET premake = 7 WHERE parent_table IN ('public.days', 'public.weeks', 'public.secs')")
    with db.connect() as conn:
        for table in ("days", "weeks", "secs"):
            conn.execute(f"SELECT partman.run_maintenance('public.{table}')")
            bounds = conn.execute(f"SELECT child_start_time, child_end_time FROM partman.show_partitions('public.{table}') s, LATERAL "
                                  "partman.show_partition_info(s.partition_schemaname || '.' || s.partition_tablename) ORDER BY 1").fetchall()
            assert all(a[1] == b[0] for a, b in zip(bounds, bounds[1:])), table
    found = keep(pgmend, db, "days", "weeks", "secs", "--dry-run", "--format", "json").json()
    assert found["failed"] == 0, found
