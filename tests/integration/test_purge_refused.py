"""purge: each row of the documentation's table of what is refused, and that --atomic is what remains."""

import pytest

JOBS = """
    CREATE TABLE jobs (id int PRIMARY KEY, code text UNIQUE);
    CREATE TABLE acts (id serial PRIMARY KEY, job_id int REFERENCES jobs ON DELETE CASCADE);
    CREATE INDEX ON acts (job_id);
    INSERT INTO jobs SELECT i, 'c' || i FROM generate_series(1, 50) i;
    INSERT INTO acts (job_id) SELECT i % 50 + 1 FROM generate_series(1, 200) i;
"""
FILL = "INSERT INTO notes SELECT 1; CREATE INDEX ON notes (job_id)"
NULLING = "REFERENCES jobs ON DELETE SET NULL"
TRIGGER = ("CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN coalesce(NEW, OLD); END';"
           "CREATE TRIGGER t {} ON {} FOR EACH ROW EXECUTE FUNCTION f()")

# What is there; what the refusal says; whether a plain DELETE, and so --atomic, may do it.
CASES = {
    "set default": (f"CREATE TABLE notes (job_id int DEFAULT 50 REFERENCES jobs ON DELETE SET DEFAULT); {FILL}",
                    "ON DELETE SET DEFAULT", True),
    "set null, not null": (f"CREATE TABLE notes (job_id int NOT NULL {NULLING}); {FILL}", "column job_id is NOT NULL", False),
    "set null, check": (f"CREATE TABLE notes (job_id int {NULLING}, CHECK (job_id IS NOT NULL)); {FILL}",
                        "constraint notes_job_id_check is about it", False),
    "set null, unique": (f"CREATE TABLE notes (job_id int UNIQUE {NULLING}); {FILL}", "constraint notes_job_id_key is about it", True),
    "set null, two keys": (f"CREATE TABLE notes (job_id int {NULLING}, FOREIGN KEY (job_id) REFERENCES jobs ON DELETE CASCADE); {FILL}",
                           "has it too", True),
    "set null, key of partitions": (f"CREATE TABLE notes (job_id int {NULLING}) PARTITION BY LIST (job_id);"
                                    f"CREATE TABLE notes_1 PARTITION OF notes FOR VALUES IN (1, NULL); {FILL}",
                                    "the table is partitioned by it", True),
    "set null, before trigger": (f"CREATE TABLE notes (job_id int {NULLING}); {FILL};"
                                 + TRIGGER.format("BEFORE UPDATE", "notes"), "trigger t is fired", True),
    "set null, published without identity": (f"CREATE TABLE notes (job_id int {NULLING}); {FILL};"
                                             "CREATE PUBLICATION every FOR ALL TABLES", "has no replica identity", False),
    "published without identity": ("ALTER TABLE acts DROP CONSTRAINT acts_pkey; CREATE PUBLICATION every FOR ALL TABLES",
                                   "public.acts is published with its deletes and has no replica identity", False),
    "nothing to tell rows apart": ("CREATE TABLE keyless (id int UNIQUE, job_id int REFERENCES jobs ON DELETE CASCADE);"
                                   "CREATE TABLE below (k int REFERENCES keyless (id) ON DELETE CASCADE);"
                                   "CREATE INDEX ON keyless (job_id); CREATE INDEX ON below (k)",
                                   "public.keyless has no primary key", True),
    "a foreign key of one partition": ("CREATE TABLE days (job_id int REFERENCES jobs ON DELETE CASCADE, id int, PRIMARY KEY (id))"
                                       "PARTITION BY LIST (id); CREATE TABLE days_1 PARTITION OF days FOR VALUES IN (1);"
                                       "CREATE TABLE of_one (id int REFERENCES days_1); CREATE INDEX ON days (job_id)",
                                       "single partitions of public.days are referenced", True),
    "inheritance": ("CREATE TABLE heir () INHERITS (acts)", "other tables inherit from public.acts", True),
    "rule": ("CREATE RULE r AS ON DELETE TO acts DO ALSO NOTHING", "rules on DELETE (r)", True),
}


def counts(db):
    return [db.scalar(f"SELECT count(*) FROM {table}") for table in ("jobs", "acts")]


@pytest.mark.parametrize("case", CASES)
def test_refused_before_the_first_row(db, pgmend, case):
    script, message, possible = CASES[case]
    db.psql(JOBS + script)
    command = ("purge", "jobs", "--where", "id <= 10", "--apply", "--yes", db.conninfo)
    done = pgmend(*command)
    assert done.rc == 4 and message in done.err and "--atomic" in done.err, done
    assert counts(db) == [50, 200]
    atomic = pgmend(*command, "--atomic")
    assert atomic.rc == (0 if possible else 4), atomic
    assert counts(db) == ([40, 160] if possible else [50, 200])


def test_a_missing_index_that_would_be_slow(db, pgmend):
    db.psql("""CREATE TABLE jobs (id int PRIMARY KEY);
               CREATE TABLE acts (id int PRIMARY KEY, job_id int REFERENCES jobs ON DELETE CASCADE);
               INSERT INTO jobs SELECT generate_series(1, 3000);
               INSERT INTO acts SELECT i, i % 3000 + 1 FROM generate_series(1, 30000) i; ANALYZE;
               UPDATE pg_class SET reltuples = 3e7 WHERE relname = 'acts'""")  # as if there were as many
    done = pgmend("purge", "jobs", "--where", "true", "--apply", "--yes", db.conninfo)
    assert done.rc == 4 and "acts_job_id_fkey of public.acts has no index" in done.err and "--build-index" in done.err, done
    assert counts(db) == [3000, 30000]


@pytest.mark.parametrize("ddl", [
    "CREATE TABLE fresh (job_id int REFERENCES jobs ON DELETE CASCADE); INSERT INTO fresh SELECT 10; CREATE INDEX ON fresh (job_id)",
    "ALTER TABLE acts DROP CONSTRAINT acts_job_id_fkey, ADD CONSTRAINT acts_job_id_fkey FOREIGN KEY (job_id) REFERENCES jobs",
    TRIGGER.format("AFTER DELETE", "jobs")])
def test_no_trigger_is_passed_over_that_came_later(db, pgmend, tmp_path, ddl):
    """--skip-ri fires none: a Plan is carried out for the foreign keys and triggers only that it was made for."""
    db.psql(JOBS)
    plan = tmp_path / "plan.sql"
    assert pgmend("purge", "jobs", "--where", "id <= 10", "--skip-ri", "--out", plan, db.conninfo).rc == 0
    db.psql(ddl)
    done = pgmend("apply", plan, db.conninfo)
    assert done.rc == 4 and "of public.jobs were added since" in done.err and "pgmend rollback" in done.err, done
    assert counts(db) == [50, 200]
    assert pgmend("rollback", db.conninfo).rc == 0
    if "fresh" in ddl:
        assert pgmend("purge", "jobs", "--where", "id <= 10", "--skip-ri", "--apply", "--yes", db.conninfo).rc == 0
        assert counts(db) == [40, 160] and db.scalar("SELECT count(*) FROM fresh") == 0


def test_nor_one_of_a_partition(db, pgmend, tmp_path):
    """The copies that partitions have of the table's foreign keys are none."""
    db.psql("""CREATE TABLE days (id int PRIMARY KEY) PARTITION BY RANGE (id);
               CREATE TABLE days_1 PARTITION OF days FOR VALUES FROM (0) TO (100) PARTITION BY RANGE (id);
               CREATE TABLE days_2 PARTITION OF days_1 FOR VALUES FROM (0) TO (100);
               CREATE TABLE acts (id serial PRIMARY KEY, day int REFERENCES days ON DELETE CASCADE);
               CREATE INDEX ON acts (day); INSERT INTO days SELECT generate_series(1, 50); INSERT INTO acts (day) SELECT id FROM days""")
    plan = tmp_path / "plan.sql"
    assert pgmend("purge", "days", "--where", "id <= 10", "--skip-ri", "--out", plan, db.conninfo).rc == 0
    db.psql("CREATE TABLE fresh (day int REFERENCES days_2); INSERT INTO fresh SELECT 5")
    done = pgmend("apply", plan, db.conninfo)
    assert done.rc == 4 and "of public.days were added since" in done.err, done
    db.psql("DROP TABLE fresh")
    assert pgmend("apply", plan, db.conninfo).rc == 0
    # Of a partition itself, those of the whole are its own.
    assert pgmend("purge", "days_1", "--where", "id <= 20", "--skip-ri", "--out", plan, db.conninfo).rc == 0
    db.psql("CREATE TABLE fresh (day int REFERENCES days)")
    done = pgmend("apply", plan, db.conninfo)
    assert done.rc == 4 and "of public.days_1 were added since" in done.err, done
    db.psql("DROP TABLE fresh")
    assert pgmend("apply", plan, db.conninfo).rc == 0
    assert db.query("SELECT count(*), (SELECT count(*) FROM acts) FROM days") == [(30, 30)]


def test_others_publications_do_not_matter(db, pgmend):
    """Of inserts only; and with a replica identity."""
    db.psql(JOBS + "ALTER TABLE acts DROP CONSTRAINT acts_pkey; CREATE PUBLICATION some_changes FOR ALL TABLES WITH (publish = 'insert')")
    assert pgmend("purge", "jobs", "--where", "id <= 10", "--apply", "--yes", db.conninfo).rc == 0
    db.psql("CREATE PUBLICATION every FOR ALL TABLES; ALTER TABLE acts REPLICA IDENTITY FULL")
    assert pgmend("purge", "jobs", "--where", "id <= 20", "--apply", "--yes", db.conninfo).rc == 0
    assert counts(db) == [30, 120]
