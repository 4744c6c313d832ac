"""partition: foreign keys that refer to the table. The statements that are printed about them are run as they are:
before the conversion, and afterwards."""

import re

import psycopg
import pytest

LOG = """
    CREATE TABLE log (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, at timestamptz NOT NULL, txt text);
    INSERT INTO log (at, txt) SELECT now() - i * interval '1 hour', i FROM generate_series(1, 500) i;
    CREATE SCHEMA "o'ther";
    CREATE TABLE "o'ther"."Child's" (n serial PRIMARY KEY, "Log" bigint NOT NULL,
        CONSTRAINT "to log" FOREIGN KEY ("Log") REFERENCES log ON DELETE CASCADE);
    CREATE TABLE loose (n serial PRIMARY KEY, log_id int, log_id_at int);
    ALTER TABLE loose ADD CONSTRAINT loose_log FOREIGN KEY (log_id) REFERENCES log ON DELETE SET NULL
        DEFERRABLE INITIALLY DEFERRED;
    CREATE TABLE parts (n serial, log_id bigint REFERENCES log, k int) PARTITION BY LIST (k);
    CREATE TABLE parts_1 PARTITION OF parts FOR VALUES IN (1);
    CREATE TABLE parts_2 PARTITION OF parts FOR VALUES IN (2) PARTITION BY LIST (k);
    CREATE TABLE parts_2_x PARTITION OF parts_2 FOR VALUES IN (2);
    INSERT INTO "o'ther"."Child's" ("Log") SELECT i % 500 + 1 FROM generate_series(1, 600) i;
    INSERT INTO loose (log_id) SELECT CASE WHEN i % 3 > 0 THEN i END FROM generate_series(1, 90) i;
    INSERT INTO parts (log_id, k) SELECT i, 1 + i % 2 FROM generate_series(1, 100) i;
    ALTER TABLE log ADD parent bigint REFERENCES log;
    UPDATE log SET parent = id - 1 WHERE id > 400;
"""


def look(pgmend, db, table, by="at"):
    done = pgmend("partition", table, "--by", by, "--interval", "month", "--format=json", db.conninfo)
    assert done.rc in (0, 1), done
    return done.json()


def run(db, found, when):
    lines = [line["sql"] for line in found["incoming"] if line["when"] == when]
    assert lines
    for line in lines:
        db.psql(line)
    return lines


def convert(pgmend, db, table, by="at"):
    done = pgmend("partition", table, "--by", by, "--interval", "month", "--apply", db.conninfo)
    assert done.rc == 0, done


def refused(db, statement, message):
    with pytest.raises(psycopg.errors.IntegrityError, match=message):
        db.execute(statement)


def keys(db, table):
    """The foreign keys that people see: those of partitions belong to these."""
    return db.query("SELECT conrelid::regclass::text, convalidated FROM pg_constraint WHERE contype = 'f' AND "
                    "confrelid = %s::regclass AND conparentid = 0 ORDER BY 1", [table])


def test_a_copy_of_the_key(db, pgmend):
    db.psql(LOG)
    found = look(pgmend, db, "log")
    assert len(found["refusals"]) == 4 and found["plan"] is None
    assert 'foreign key "to log" of "o\'ther"."Child\'s" refers to it' in " ".join(found["refusals"])
    run(db, found, "before")
    # Until the conversion, and while it runs, new rows get their copy, also from who may not read the table.
    db.psql("""CREATE ROLE incoming_writer; GRANT USAGE ON SCHEMA "o'ther" TO incoming_writer;
               GRANT INSERT ON "o'ther"."Child's" TO incoming_writer;
               GRANT USAGE ON ALL SEQUENCES IN SCHEMA "o'ther" TO incoming_writer;
               SET ROLE incoming_writer; INSERT INTO "o'ther"."Child's" ("Log") VALUES (7);
               RESET ROLE; DROP OWNED BY incoming_writer; DROP ROLE incoming_writer""")
    refused(db, """INSERT INTO "o'ther"."Child's" ("Log") VALUES (9999)""", "violates check constraint")
    assert look(pgmend, db, "log")["refusals"] == []
    convert(pgmend, db, "log")
    lines = run(db, found, "after")
    assert keys(db, "log") == [('"o\'ther"."Child\'s"', True), ("log", True), ("loose", True), ("parts", True)]
    if db.cluster.major < 18:
        assert not [line for line in lines if line.startswith("ALTER TABLE public.parts ") and "NOT VALID" in line]

    db.execute("""INSERT INTO "o'ther"."Child's" ("Log") VALUES (8)""")
    db.execute("INSERT INTO loose (log_id) VALUES (8), (NULL)")
    refused(db, "INSERT INTO loose (log_id) VALUES (9999)", "violates check constraint")
    refused(db, "INSERT INTO parts (log_id, k) VALUES (9999, 2)", "violates check constraint")
    refused(db, "DELETE FROM log WHERE id = 50", 'referenced from table "parts"')
    assert db.scalar("""SELECT count(*) FROM "o'ther"."Child's" WHERE "Log" = 201""") > 0
    db.execute("DELETE FROM log WHERE id = 201")
    assert db.scalar("""SELECT count(*) FROM "o'ther"."Child's" WHERE "Log" = 201""") == 0
    # What is referred to moves within its partition, and its copies follow.
    db.execute("UPDATE log SET at = at - interval '1 minute' WHERE id IN (8, 205)")
    for child, column in (('"o\'ther"."Child\'s"', '"Log"'), ("loose", "log_id"), ("parts", "log_id")):
        copy = column.strip('"') + ("_at_2" if child == "loose" else "_at")
        assert db.scalar(f'SELECT count(*) FROM {child} c WHERE NOT EXISTS (SELECT FROM log WHERE id = c.{column} '
                         f'AND at = c."{copy}") AND c.{column} IS NOT NULL') == 0
    db.psql("DELETE FROM parts WHERE log_id = 8; DELETE FROM log WHERE id = 8")
    assert db.scalar("SELECT count(*) FROM loose WHERE log_id = 8") == 0
    refused(db, "DELETE FROM log WHERE id = 450", 'referenced from table "log"')

    # The way back asks for them to go again, one by one.
    for _ in keys(db, "log"):
        back = pgmend("rollback", db.conninfo)
        assert back.rc == 4 and "refers to it" in back.err, back
        db.psql(re.search(r"ALTER TABLE .* DROP CONSTRAINT .*?;", back.err).group())
    back = pgmend("rollback", db.conninfo)
    assert back.rc == 0 and db.scalar("SELECT relkind FROM pg_class WHERE oid = 'log'::regclass") == "r", back


def test_the_key_is_there(db, pgmend):
    db.psql("""CREATE TABLE t (id int, at date PRIMARY KEY, up date CONSTRAINT "u p" REFERENCES t);
               CREATE TABLE c (at date REFERENCES t ON DELETE SET NULL);
               CREATE TABLE p (k int, at date CONSTRAINT "to t" REFERENCES t) PARTITION BY LIST (k);
               CREATE TABLE p_1 PARTITION OF p FOR VALUES IN (1);
               INSERT INTO t SELECT i, now()::date - i, CASE WHEN i < 100 THEN now()::date - i - 1 END
                 FROM generate_series(0, 100) i;
               INSERT INTO c SELECT at FROM t; INSERT INTO p SELECT 1, at FROM t WHERE id > 50""")
    found = look(pgmend, db, "t")
    assert len(found["refusals"]) == 3 and "as its columns hold the key it can be made anew" in found["refusals"][0]
    text = pgmend("partition", "t", "--by", "at", "--interval", "month", db.conninfo)
    assert text.rc == 1 and all(line["sql"] in text.out for line in found["incoming"])
    run(db, found, "before")
    convert(pgmend, db, "t")
    run(db, found, "after")
    assert keys(db, "t") == [("c", True), ("p", True), ("t", True)]
    refused(db, "DELETE FROM t WHERE id = 60", 'referenced from table "p"')
    refused(db, "INSERT INTO p VALUES (1, '1999-01-01')", "to t")
    refused(db, "UPDATE t SET up = '1999-01-01' WHERE id = 3", "u p")

    # They are in the way of a split, too, which begins and ends with the same command.
    split = ("partition", "t", "--method=split", "--interval=month", db.conninfo)
    found = pgmend(*split, "--format=json")
    assert found.rc == 1 and "foreign keys refer to it" in found.json()["refusals"][0], found
    run(db, found.json(), "before")
    done = pgmend(*split, "--apply")
    assert done.rc == 0, done
    run(db, found.json(), "after")
    assert keys(db, "t") == [("c", True), ("p", True), ("t", True)]
    refused(db, "DELETE FROM t WHERE id = 60", 'referenced from table "p"')


def test_names_that_two_would_share(db, pgmend):
    """Foreign keys of one table that begin with the same column, of two tables that have the same name, and one that is not
    enforced."""
    db.psql("""CREATE TABLE log (tenant int, id int, at date NOT NULL, PRIMARY KEY (tenant, id));
               INSERT INTO log SELECT i % 2, i, now()::date - i FROM generate_series(1, 100) i;
               CREATE TABLE a (tenant int, x int, y int, CONSTRAINT "to log" FOREIGN KEY (tenant, x) REFERENCES log,
                   CONSTRAINT y FOREIGN KEY (tenant, y) REFERENCES log, CONSTRAINT y_key UNIQUE (y));
               CREATE TABLE b (tenant int, x int, CONSTRAINT "to log" FOREIGN KEY (tenant, x) REFERENCES log);
               INSERT INTO a SELECT tenant, id, id + 2 FROM log WHERE id < 50; INSERT INTO b SELECT tenant, id FROM log""")
    loose = [("c", False)] if db.cluster.major >= 18 else []
    if loose:
        db.psql("CREATE TABLE c (tenant int, x int, FOREIGN KEY (tenant, x) REFERENCES log NOT ENFORCED); INSERT INTO c VALUES (5, 5)")
    found = look(pgmend, db, "log")
    run(db, found, "before")
    convert(pgmend, db, "log")
    run(db, found, "after")
    assert keys(db, "log") == [("a", True), ("a", True), ("b", True), *loose]
    db.execute("INSERT INTO a VALUES (0, 60, 62)")
    refused(db, "INSERT INTO a VALUES (0, 64, 9999)", "violates check constraint")
