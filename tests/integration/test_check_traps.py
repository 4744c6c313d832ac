"""What misleads other tools that check databases, and must not mislead this one: docs/check-traps.md."""

import dataclasses
import pathlib
import re
import time

import pytest

from test_check import SETTLE_S, keys, report

ROOT = pathlib.Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "check-traps.md"


@dataclasses.dataclass
class Trap:
    """A state of a database, the checks that it leads into the trap, and all that they may find."""

    name: str
    checks: str
    sql: str
    finds: tuple = ()
    thresholds: tuple = ()


PARENT = "CREATE TABLE p (id int PRIMARY KEY); CREATE TABLE p2 (a int, b int, PRIMARY KEY (a, b));"
PAIR = "duplicate_index,overlapping_index"
UNUSED = ("unused_index.min_days=0", "unused_index.min_bytes=0")

TRAPS = [
    # Foreign keys
    Trap("fk-other-order", "fk_without_index", PARENT +
         "CREATE TABLE c (a int, b int, FOREIGN KEY (a, b) REFERENCES p2); CREATE INDEX ON c (b, a);"),
    Trap("fk-composite-by-column", "fk_without_index", PARENT +
         "CREATE TABLE c (a int, b int, FOREIGN KEY (a, b) REFERENCES p2); CREATE INDEX ON c (a, b);"),
    Trap("fk-wider-index", "fk_without_index", PARENT +
         "CREATE TABLE c (p int REFERENCES p, x int, y int); CREATE INDEX ON c (p, x) INCLUDE (y);"),
    Trap("fk-included-column", "fk_without_index", PARENT +
         "CREATE TABLE c (a int, b int, FOREIGN KEY (a, b) REFERENCES p2);"
         "CREATE INDEX ON c (a) INCLUDE (b);",
         ("fk_without_index:public.c:c_a_b_fkey",)),
    Trap("fk-partial-index", "fk_without_index", PARENT +
         "CREATE TABLE c (p int REFERENCES p, x int); CREATE INDEX ON c (p) WHERE x > 0;",
         ("fk_without_index:public.c:c_p_fkey",)),
    Trap("fk-not-null-index", "fk_without_index", PARENT +
         "CREATE TABLE c (p int REFERENCES p); CREATE INDEX ON c (p) WHERE p IS NOT NULL;"),
    Trap("fk-invalid-index", "fk_without_index", PARENT +
         "CREATE TABLE c (p int REFERENCES p); INSERT INTO p VALUES (1); INSERT INTO c VALUES (1), (1);\n"
         "\\set ON_ERROR_STOP off\nCREATE UNIQUE INDEX CONCURRENTLY c_p ON c (p);\n\\set ON_ERROR_STOP on\n",
         ("fk_without_index:public.c:c_p_fkey",)),
    Trap("fk-hash-index", "fk_without_index,unused_index", PARENT +
         "CREATE TABLE c (p int REFERENCES p); CREATE INDEX c_p ON c USING hash (p);", (), UNUSED),
    Trap("fk-partitions-once", "fk_without_index", PARENT +
         "CREATE TABLE c (k int, p int REFERENCES p) PARTITION BY RANGE (k);"
         "CREATE TABLE c1 PARTITION OF c FOR VALUES FROM (0) TO (9);"
         "CREATE TABLE c2 PARTITION OF c FOR VALUES FROM (9) TO (20);",
         ("fk_without_index:public.c:c_p_fkey",)),
    Trap("fk-to-partitions-once", "fk_without_index",
         "CREATE TABLE q (k int PRIMARY KEY) PARTITION BY RANGE (k);"
         "CREATE TABLE q1 PARTITION OF q FOR VALUES FROM (0) TO (9);"
         "CREATE TABLE q2 PARTITION OF q FOR VALUES FROM (9) TO (20); CREATE TABLE c (k int REFERENCES q);",
         ("fk_without_index:public.c:c_k_fkey",)),
    # Redundant indexes
    Trap("index-collation", PAIR, "CREATE TABLE t (x text, y int);"
         "CREATE INDEX ON t (x); CREATE INDEX ON t (x COLLATE \"C\");"
         "CREATE INDEX ON t (x COLLATE \"POSIX\", y);"),
    Trap("index-operator-class", PAIR, "CREATE TABLE t (x text, j jsonb); CREATE INDEX ON t (x);"
         "CREATE INDEX ON t (x text_pattern_ops); CREATE INDEX ON t USING gin (j);"
         "CREATE INDEX ON t USING gin (j jsonb_path_ops);"),
    Trap("index-direction", PAIR, "CREATE TABLE t (x int, y int);"
         "CREATE INDEX ON t (x, y); CREATE INDEX ON t (x, y DESC); CREATE INDEX ON t (x NULLS FIRST);"),
    Trap("index-all-directions", PAIR, "CREATE TABLE t (x int, y int);"
         "CREATE INDEX t_a ON t (x, y DESC); CREATE INDEX t_b ON t (x DESC, y);",
         ("duplicate_index:public.t_b",)),
    Trap("index-predicate", PAIR, "CREATE TABLE t (x int, y int);"
         "CREATE INDEX ON t (x) WHERE y > 0; CREATE INDEX ON t (x) WHERE y > 1; CREATE INDEX ON t (x, y);"),
    Trap("index-unique", PAIR,
         "CREATE TABLE t (x int, y int); CREATE UNIQUE INDEX ON t (x); CREATE INDEX ON t (x, y);"),
    Trap("index-beside-constraint", PAIR, "CREATE TABLE t (x int PRIMARY KEY); CREATE INDEX t_x ON t (x);",
         ("duplicate_index:public.t_x",)),
    Trap("index-name-in-definition", PAIR, "CREATE TABLE t (a int, b int);"
         "CREATE INDEX a ON t (a); CREATE INDEX t_b ON t (a);", ("duplicate_index:public.t_b",)),
    Trap("index-comma-in-expression", PAIR, "CREATE TABLE t (x text, y text);"
         "CREATE INDEX ON t (coalesce(x, y)); CREATE INDEX ON t (coalesce(x, 'a, b'), y);"
         "CREATE INDEX ON t ((x || ', '));"),
    Trap("index-include", PAIR, "CREATE TABLE t (x int, y int, z int);"
         "CREATE INDEX ON t (x) INCLUDE (z); CREATE INDEX ON t (x, y);"),
    Trap("index-not-btree-prefix", PAIR, "CREATE TABLE t (x int[], y int[], b int);"
         "CREATE INDEX ON t USING gin (x); CREATE INDEX ON t USING gin (x, y);"
         "CREATE INDEX ON t USING brin (b); CREATE INDEX ON t (b);"),
    Trap("index-replica-identity", PAIR,
         "CREATE TABLE t (x int NOT NULL PRIMARY KEY); CREATE UNIQUE INDEX t_u ON t (x);"
         "ALTER TABLE t REPLICA IDENTITY USING INDEX t_u;"),
    Trap("index-partitions-once", PAIR, "CREATE TABLE t (x int, k int) PARTITION BY RANGE (k);"
         "CREATE TABLE t1 PARTITION OF t FOR VALUES FROM (0) TO (9);"
         "CREATE TABLE t2 PARTITION OF t FOR VALUES FROM (9) TO (20);"
         "CREATE INDEX t_a ON t (x); CREATE INDEX t_b ON t (x);", ("duplicate_index:public.t_b",)),
    # Unused indexes
    Trap("unused-young-statistics", "unused_index", "CREATE TABLE t (x int); CREATE INDEX t_x ON t (x);", (),
         ("unused_index.min_bytes=0",)),
    Trap("unused-constraint", "unused_index", "CREATE TABLE t (x int PRIMARY KEY, y int UNIQUE, z int,"
         "EXCLUDE USING btree (z WITH =)); CREATE UNIQUE INDEX ON t (z, y);", (), UNUSED),
    Trap("unused-sole-of-fk", "unused_index", PARENT +
         "CREATE TABLE c (p int REFERENCES p, x int); CREATE INDEX c_p ON c (p); CREATE INDEX c_x ON c (x);",
         ("unused_index:public.c_x",), UNUSED),
    Trap("unused-one-partition", "unused_index", "CREATE TABLE t (k int, x int) PARTITION BY RANGE (k);"
         "CREATE TABLE t1 PARTITION OF t FOR VALUES FROM (0) TO (9);"
         "CREATE TABLE t2 PARTITION OF t FOR VALUES FROM (9) TO (20); CREATE INDEX t_x ON t (x);"
         "INSERT INTO t SELECT 5, generate_series(1, 1000); SET enable_seqscan = off;"
         "SELECT count(*) FROM t WHERE k = 5 AND x = 5;", (), UNUSED),
    # Sequences
    Trap("sequence-of-narrower-column", "sequence_exhaustion",
         "CREATE SEQUENCE s; CREATE TABLE t (id int DEFAULT"
         " nextval('s')); SELECT setval('s', 2000000000);", ("sequence_exhaustion:public.s",)),
    Trap("sequence-cycles", "sequence_exhaustion",
         "CREATE SEQUENCE s MAXVALUE 1000 CYCLE; SELECT setval('s', 1000);"),
    Trap("sequence-downward", "sequence_exhaustion",
         "CREATE SEQUENCE s INCREMENT -1 MINVALUE -100 MAXVALUE -1;"
         "SELECT setval('s', -95);", ("sequence_exhaustion:public.s",)),
    Trap("sequence-never-drawn", "sequence_exhaustion",
         "CREATE SEQUENCE s MINVALUE 990 MAXVALUE 1000 START 999;"),
    Trap("sequence-widened-column", "sequence_exhaustion", "CREATE TABLE t (id serial);"
         "ALTER TABLE t ALTER id TYPE bigint; SELECT setval('t_id_seq', 2000000000);",
         ("sequence_exhaustion:public.t_id_seq",)),
    Trap("key-of-no-sequence", "int4_primary_key,sequence_exhaustion", "CREATE TABLE t (id int PRIMARY KEY);"
         "INSERT INTO t SELECT 2147480000 + g FROM generate_series(1, 1000) g; ANALYZE t;",
         ("int4_primary_key:public.t",)),
    # Bloat
    Trap("bloat-alignment", "table_bloat,index_bloat",
         "CREATE TABLE t (a int4, b int8, c int4); CREATE INDEX ON t (a, b, c);"
         "INSERT INTO t SELECT g, g, g FROM generate_series(1, 40000) g; VACUUM ANALYZE t;", (),
         ("table_bloat.min_bytes=100000", "table_bloat.min_share=0.12", "index_bloat.min_bytes=100000",
          "index_bloat.min_share=0.3")),
    Trap("bloat-toast", "table_bloat",
         "CREATE TABLE t (id int, j text); ALTER TABLE t ALTER j SET STORAGE EXTERNAL;"
         "INSERT INTO t SELECT g, repeat(md5(g::text), 200) FROM generate_series(1, 2000) g;"
         "VACUUM ANALYZE t;", (),
         ("table_bloat.min_bytes=10000", "table_bloat.min_share=0.2")),
    Trap("bloat-deduplicated", "index_bloat", "CREATE TABLE t (x int); CREATE INDEX ON t (x);"
         "INSERT INTO t SELECT g % 5 FROM generate_series(1, 100000) g; VACUUM ANALYZE t;", (),
         ("index_bloat.min_bytes=10000", "index_bloat.min_share=0.05")),
    Trap("bloat-not-btree", "index_bloat", "CREATE TABLE t (x int[], y int); CREATE INDEX ON t USING gin (x);"
         "CREATE INDEX ON t USING hash (y); CREATE INDEX ON t USING brin (y);"
         "INSERT INTO t SELECT ARRAY[g, g + 1], g FROM generate_series(1, 30000) g; VACUUM ANALYZE t;", (),
         ("index_bloat.min_bytes=10000", "index_bloat.min_share=0.01")),
    Trap("bloat-fillfactor", "table_bloat,index_bloat",
         "CREATE TABLE t (id int, x text) WITH (fillfactor = 50);"
         "INSERT INTO t SELECT g, md5(g::text) FROM generate_series(1, 30000) g;"
         "CREATE INDEX ON t (x) WITH (fillfactor = 50); VACUUM ANALYZE t;", (),
         ("table_bloat.min_bytes=100000", "index_bloat.min_bytes=100000")),
    # Keys, tables
    Trap("key-of-partition", "no_primary_key", "CREATE TABLE t (k int PRIMARY KEY) PARTITION BY RANGE (k);"
         "CREATE TABLE t1 PARTITION OF t FOR VALUES FROM (0) TO (9); INSERT INTO t VALUES (1);"
         "CREATE TABLE u (k int) PARTITION BY RANGE (k);"
         "CREATE TABLE u1 PARTITION OF u FOR VALUES FROM (0) TO (9); INSERT INTO u VALUES (1);",
         ("no_primary_key:public.u",)),
    Trap("key-deferrable", "no_replica_identity",
         "CREATE TABLE t (x int PRIMARY KEY DEFERRABLE); CREATE TABLE u (x int);"
         "CREATE TABLE v (x int); CREATE PUBLICATION a FOR TABLE t; CREATE PUBLICATION b FOR TABLE v"
         " WITH (publish = 'insert');", ("no_replica_identity:public.t",)),
    Trap("constraint-not-valid", "invalid_constraint,fk_without_index", PARENT +
         "CREATE TABLE c (p int); CREATE INDEX ON c (p);"
         "ALTER TABLE c ADD FOREIGN KEY (p) REFERENCES p NOT VALID;",
         ("invalid_constraint:public.c:c_p_fkey",)),
    Trap("size-of-partitions", "large_unpartitioned", "CREATE TABLE t (x int) PARTITION BY RANGE (x);"
         "CREATE TABLE t1 PARTITION OF t FOR VALUES FROM (0) TO (9) WITH (autovacuum_enabled = false);"
         "UPDATE pg_class SET relpages = 3000000 WHERE relname = 't1';"),
    Trap("scans-of-partitions", "seq_scan_heavy", "CREATE TABLE t (k int, x int) PARTITION BY RANGE (k);"
         "CREATE TABLE t1 PARTITION OF t FOR VALUES FROM (0) TO (9);"
         "CREATE TABLE t2 PARTITION OF t FOR VALUES FROM (9) TO (20);"
         "INSERT INTO t SELECT g % 20, g FROM generate_series(1, 5000) g;\n"
         "SELECT 'SELECT count(*) FROM t WHERE x = 5' FROM generate_series(1, 60) \\gexec\n",
         ("seq_scan_heavy:public.t",),
         ("seq_scan_heavy.min_rows=1000", "seq_scan_heavy.min_rows_read=100000")),
]

# Those with a test of their own below or in another file, which the page names as well.
OTHERS = {
    "unused-restored-database": "test_a_restored_database_is_as_young_as_it_is",
    "unused-after-crash": "test_a_crash_makes_statistics_young",
    "unused-index-just-built": "test_an_index_just_built_is_not_unused",
    "unused-read-on-standby": "test_unused_index_asks_to_look_at_standbys",
    "index-in-construction": "test_index_under_construction_is_not_invalid",
    "wraparound-template0": "test_template0_is_looked_at_and_not_sent_to",
    "wraparound-toast": "test_fixture[xid_wraparound-bad]",
    "slot-active": "test_a_slot_in_use_is_no_waste",
    "slot-other-plugin": "test_a_slot_of_another_plugin_wants_identities",
    "locks-compatible": "test_fixture[blocked_sessions-good]",
    "locked-table": "test_locked_table_does_not_hold_it_up",
    "locked-sequence": "test_a_locked_sequence_is_named_as_such",
    "own-statements": "test_own_statements_are_left_out",
    "old-extension": "test_old_version_of_the_extension",
    "hidden-columns": "test_hidden_columns_are_said_not_passed",
    "hidden-sessions": "test_what_rights_hide",
    "no-rows": "test_empty_database",
    "not-enforced": "test_fixture[fk_without_index-good]",
}


def look(pgmend, conninfo, trap):
    return report(pgmend, conninfo, f"--only={trap.checks}", *[f"--threshold={t}" for t in trap.thresholds])


@pytest.mark.parametrize("trap", TRAPS, ids=[t.name for t in TRAPS])
def test_trap(db, pgmend, trap):
    db.psql(trap.sql)
    deadline = time.monotonic() + SETTLE_S
    while (found := sorted(keys(look(pgmend, db.conninfo, trap)))) != sorted(trap.finds):
        assert time.monotonic() < deadline, found  # statistics may come late
        time.sleep(0.3)


def test_the_page_lists_them_all():
    rows = re.findall(r"^\| `([a-z0-9-]+)` \|", PAGE.read_text(), re.M)
    assert sorted(rows) == sorted([t.name for t in TRAPS] + list(OTHERS)), "each trap once"
    tests = "\n".join(p.read_text() for p in pathlib.Path(__file__).parent.glob("test_*.py"))
    for test in OTHERS.values():
        name, _, fixture = test.rstrip("]").partition("[")
        assert f"def {name}(" in tests, test
        assert not fixture or (ROOT / "tests" / "checks" / f"{fixture.replace('-', '.')}.sql").exists()


# Young statistics


def unused(pgmend, conninfo, days):
    (check,) = report(pgmend, conninfo, "--only=unused_index", "--threshold=unused_index.min_bytes=0",
                      f"--threshold=unused_index.min_days={days:.9f}")["checks"]
    return check["status"]


def pause(server, seconds):
    """Until the server is so old; how old it is, in days."""
    with server.connect() as conn:
        while True:
            age = conn.execute("SELECT date_part('epoch', clock_timestamp() - pg_postmaster_start_time())"
                               ).fetchone()[0]
            if age >= seconds:
                return age / 86400
            time.sleep(0.2)


def test_a_restored_database_is_as_young_as_it_is(make_cluster, pgmend):
    """Since 15 its statistics bear no date; those of the server began before it."""
    server = make_cluster()
    old = pause(server, 10)
    for n in range(5):
        began = time.monotonic()
        db = server.new_database(f"restored_{n}", "CREATE TABLE t (x int); CREATE INDEX t_x ON t (x);")
        status = unused(pgmend, db.conninfo, old)
        if time.monotonic() - began < 8:  # else the machine is so slow that it is no longer young
            assert status == "not_judged"
            assert unused(pgmend, db.conninfo, 0) == "found"
            return
        old = pause(server, 0) + 30 / 86400
        pause(server, old * 86400)
    pytest.skip("the machine is too slow")


def test_a_crash_makes_statistics_young(make_cluster, pgmend):
    """A recovery discards them, in the same postmaster, and leaves no date in pg_stat_database."""
    server = make_cluster()
    db = server.new_database("shop", "CREATE TABLE t (x int); CREATE INDEX t_x ON t (x);")
    old = pause(server, 12)
    began = time.monotonic()
    server.crash_backend(db.conn.info.backend_pid)
    status = unused(pgmend, db.conninfo, old)
    if time.monotonic() - began > 10:
        pytest.skip("the machine is too slow")
    assert status == "not_judged"


def test_an_index_just_built_is_not_unused(make_cluster, pgmend):
    server = make_cluster(track_commit_timestamp="on")
    db = server.new_database("shop", "CREATE TABLE t (x int, y int); CREATE INDEX t_x ON t (x);")
    db.execute("SELECT pg_stat_reset()")
    time.sleep(12)
    began = time.monotonic()
    db.execute("CREATE INDEX t_y ON t (y)")
    found = report(pgmend, db.conninfo, "--only=unused_index", "--threshold=unused_index.min_bytes=0",
                   f"--threshold=unused_index.min_days={11 / 86400:.9f}")
    if time.monotonic() - began > 10:
        pytest.skip("the machine is too slow")
    assert keys(found) == ["unused_index:public.t_x"]


# Wraparound, slots


def test_template0_is_looked_at_and_not_sent_to(make_cluster, pgmend):
    """Nobody can connect to it, and yet the server stops where it is too old."""
    server = make_cluster(autovacuum="off")
    server.psql("UPDATE pg_database SET datfrozenxid = (((txid_current() + 4294967296 - 1700000000)"
                " % 4294967296)::text)::xid WHERE datname IN ('template0', 'template1')")
    found = report(pgmend, server.conninfo(), "--only=xid_wraparound")
    by_key = {f["ignore_key"]: f for f in found["findings"]}
    assert set(by_key) == {"xid_wraparound:database:template0", "xid_wraparound:database:template1"}
    assert "pgmend check" not in by_key["xid_wraparound:database:template0"]["remedy"]
    assert "pgmend check on the database template1" in by_key["xid_wraparound:database:template1"]["remedy"]
    assert all(f["severity"] == "critical" for f in found["findings"])


def test_a_slot_in_use_is_no_waste(make_cluster, pgmend):
    """Its standby is connected, though it does not replay; of the other one nobody is."""
    primary = make_cluster(max_replication_slots=5)
    with primary.connect() as conn:
        for name in ("used", "abandoned"):
            conn.execute("SELECT pg_create_physical_replication_slot(%s, true)", [name])
        with primary.make_standby({"primary_slot_name": "used"}) as standby:
            with standby.connect() as there:
                there.execute("SELECT pg_wal_replay_pause()")
            args = ["--only=replication_slots", "--threshold=replication_slots.min_bytes=10000"]
            conn.execute("CREATE TABLE t AS SELECT generate_series(1, 50000) g")
            deadline = time.monotonic() + SETTLE_S
            active = "SELECT active FROM pg_replication_slots WHERE slot_name = 'used'"
            while not conn.execute(active).fetchone()[0]:
                assert time.monotonic() < deadline
                time.sleep(0.1)
            assert keys(report(pgmend, primary.conninfo(), *args)) == ["replication_slots:abandoned"]


def test_a_slot_of_another_plugin_wants_identities(make_cluster, pgmend):
    server = make_cluster(wal_level="logical")
    if not server.has_library("test_decoding"):
        pytest.skip("no test_decoding")
    db = server.new_database("shop", "CREATE TABLE log (x int); CREATE TABLE stock (x int);"
                             "CREATE TABLE item (x int PRIMARY KEY);"
                             "INSERT INTO log VALUES (1); INSERT INTO stock VALUES (1);"
                             "INSERT INTO item VALUES (1);")
    args = ["--only=no_replica_identity"]
    db.psql("UPDATE stock SET x = 2; UPDATE item SET x = 2")
    assert keys(report(pgmend, db.conninfo, *args)) == []
    db.psql("SELECT 1 FROM pg_create_logical_replication_slot('cdc', 'test_decoding')")
    deadline = time.monotonic() + SETTLE_S
    while not (found := report(pgmend, db.conninfo, *args)["findings"]):
        assert time.monotonic() < deadline
        time.sleep(0.3)
    assert [f["object"] for f in found] == ["public.stock"]
    assert "cdc (test_decoding, inactive)" in found[0]["detail"]
