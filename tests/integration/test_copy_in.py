"""copy-in: what it loads, checks, upserts, rejects and says."""

import csv
import gzip
import io
import json

import pytest

ORDERS = """
    CREATE TABLE orders (id int PRIMARY KEY, customer text NOT NULL, price numeric(10,2) CHECK (price >= 0),
                         placed date DEFAULT '2026-01-01', tags text[], extra jsonb,
                         total numeric GENERATED ALWAYS AS (price * 2) STORED);
"""
UGLY = 'Ta"b le;'


@pytest.fixture
def orders(db):
    db.psql(ORDERS)
    return db


def write(folder, name, text):
    path = folder / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def ids(db, table="orders"):
    return [row[0] for row in db.query(f"SELECT id FROM {table} ORDER BY id")]


TRICKY = [["1", "plain", "a"], ["2", 'with "quotes"', ""], ["3", "two\nlines", "x,y"], ["4", "äöü€😀", "\\."],
          ["5", "\\N", "tab\there"], ["6", "cr\rlf\r\nend", '"'], ["7", " spaced ", "\\"]]


@pytest.mark.parametrize("ending", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("bom", [b"", b"\xef\xbb\xbf"])
def test_csv_says_what_python_says(db, pgmend, tmp_path, ending, bom):
    db.execute("CREATE TABLE t (id int, a text, b text)")
    text = io.StringIO(newline="")
    csv.writer(text, lineterminator=ending, quoting=csv.QUOTE_ALL).writerows([["id", "a", "b"], *TRICKY])
    path = write(tmp_path, "t.csv", bom + text.getvalue().encode())
    done = pgmend("copy-in", "t", path, db.conninfo)
    assert done.rc == 0 and "7 rows into t" in done.out, done
    assert [list(map(str, row)) for row in db.query("SELECT * FROM t ORDER BY id")] == TRICKY
    # The same by INSERT, which splits the rows here.
    db.execute("CREATE TABLE u (LIKE t, PRIMARY KEY (id))")
    done = pgmend("copy-in", "u", path, "--on-conflict=id", db.conninfo)
    assert done.rc == 0, done
    assert db.query("SELECT * FROM u ORDER BY id") == db.query("SELECT * FROM t ORDER BY id")


def test_a_value_that_looks_like_the_end(db, pgmend, tmp_path):
    """In CSV a line of \\. alone is a value, which psql's \\copy takes for the end of the data."""
    db.execute("CREATE TABLE t (a text)")
    path = write(tmp_path, "t.csv", "a\nx\n\\.\ny\n")
    assert pgmend("copy-in", "t", path, db.conninfo).rc == 0
    assert db.query("SELECT * FROM t") == [("x",), ("\\.",), ("y",)]


def test_null_and_nothing(db, pgmend, tmp_path):
    db.execute("CREATE TABLE t (id int, a text)")
    path = write(tmp_path, "t.csv", 'id,a\n1,\n2,""\n3,NULL\n')
    assert pgmend("copy-in", "t", path, db.conninfo).rc == 0
    assert db.query("SELECT * FROM t ORDER BY id") == [(1, None), (2, ""), (3, "NULL")]
    db.execute("TRUNCATE t")
    assert pgmend("copy-in", "t", path, "--null=NULL", db.conninfo).rc == 0
    assert db.query("SELECT * FROM t ORDER BY id") == [(1, ""), (2, ""), (3, None)]


def test_other_letters(db, pgmend, tmp_path):
    db.execute("CREATE TABLE t (id int, a text)")
    path = write(tmp_path, "t.csv", "id;a\n1;'x;\\'y'\n2;~\n")
    letters = ["--delimiter=;", "--quote='", "--escape=\\", "--null=~"]
    assert pgmend("copy-in", "t", path, *letters, db.conninfo).rc == 0
    assert db.query("SELECT * FROM t ORDER BY id") == [(1, "x;'y"), (2, None)]


def test_tsv_is_what_copy_writes(db, pgmend, tmp_path):
    db.psql("CREATE TABLE t (id int, a text); CREATE TABLE u (LIKE t); CREATE TABLE v (LIKE t)")
    with db.conn.cursor() as cursor:
        for i, (_, a, _) in enumerate(TRICKY):
            cursor.execute("INSERT INTO t VALUES (%s, %s), (%s, NULL)", [i, a, i + 100])
        with cursor.copy("COPY t TO STDOUT") as out:
            text = b"".join(bytes(part) for part in out)
    path = write(tmp_path, "t.tsv", text + b"\\.\n\n")
    for table, more in (("u", []), ("v", ["--reject", tmp_path / "r"])):
        done = pgmend("copy-in", table, path, "--header=no", *more, db.conninfo)
        assert done.rc == 0, done
        assert db.scalar(f"SELECT count(*) FROM (TABLE t EXCEPT ALL TABLE {table}) d") == 0
        assert db.scalar(f"SELECT count(*) FROM {table}") == 14
    path = write(tmp_path, "more.tsv", "1\tx\n\\.\n2\ty\n")
    done = pgmend("copy-in", "u", path, "--header=no", db.conninfo)
    assert done.rc == 4 and "more.tsv line 2" in done.err and "rows follow" in done.err, done


def test_ndjson(orders, pgmend, tmp_path):
    lines = [
        {"id": 1, "customer": "a\n\t\\b", "price": 1.5, "tags": ["x", 'y"z', None], "extra": {"k": [1, "2"]}},
        {"customer": "b", "id": 2, "placed": None, "extra": "text"},
        {"id": 3, "customer": "c", "placed": "2026-05-05", "price": None, "extra": None},
    ]
    text = "\n\n".join(json.dumps(line) for line in lines) + '\n{"id":4,"customer":"d","price":12345678.90}'
    path = write(tmp_path, "orders.ndjson", text)
    done = pgmend("copy-in", "orders", path, orders.conninfo)
    assert done.rc == 0, done
    rows = orders.query("SELECT id, customer, price::text, placed::text, tags, extra::text FROM orders ORDER BY id")
    assert rows == [(1, "a\n\t\\b", "1.50", "2026-01-01", ["x", 'y"z', None], '{"k": [1, "2"]}'),
                    (2, "b", None, None, None, '"text"'),
                    (3, "c", None, "2026-05-05", None, None),
                    (4, "d", "12345678.90", "2026-01-01", None, None)]


def test_keys_that_come_and_go(db, pgmend, tmp_path):
    db.execute("CREATE TABLE t (id serial, a int DEFAULT 7, b text DEFAULT 'x', c int)")
    lines = [{"a": 1}, {"b": "\\D", "c": 2}, {"id": 50}, {"a": None, "b": None}, {"c": 3}] * 20
    path = write(tmp_path, "t.ndjson", "\n".join(map(json.dumps, lines)))
    done = pgmend("copy-in", "t", path, db.conninfo)
    assert done.rc == 0, done
    rows = db.query("SELECT a, b, c, count(*)::int, count(DISTINCT id)::int FROM t GROUP BY a, b, c ORDER BY a, b, c")
    assert rows == [(1, "x", None, 20, 20), (7, "\\D", 2, 20, 20), (7, "x", 3, 20, 20), (7, "x", None, 20, 1),
                    (None, None, None, 20, 20)]


def test_unknown_keys_are_named(orders, pgmend, tmp_path):
    path = write(tmp_path, "o.jsonl", '{"id":1,"customer":"a"}\n{"id":2,"custmer":"b"}\n')
    done = pgmend("copy-in", "orders", path, orders.conninfo)
    assert done.rc == 4 and 'o.jsonl line 2: public.orders has no column "custmer"' in done.err, done
    assert 'did you mean "customer"?' in done.err and ids(orders) == []
    path = write(tmp_path, "o.jsonl", '{"id":1,"customer":"a","who":[{}]}\n{"id":2,"customer":"b"}\n')
    assert pgmend("copy-in", "orders", path, "--ignore-unknown", orders.conninfo).rc == 0
    assert ids(orders) == [1, 2]


def test_unknown_columns_can_be_left_out(orders, pgmend, tmp_path):
    path = write(tmp_path, "o.csv", 'x,id,customer,y\n"a\nb",1,"c\td",\n,2,e,"f"\n')
    done = pgmend("copy-in", "orders", path, orders.conninfo)
    assert done.rc == 2 and 'no column "x"' in done.err and 'no column "y"' in done.err, done
    assert pgmend("copy-in", "orders", path, "--ignore-unknown", orders.conninfo).rc == 0
    assert orders.query("SELECT id, customer FROM orders ORDER BY id") == [(1, "c\td"), (2, "e")]


def test_gzip_and_standard_input(orders, pgmend, tmp_path):
    half = [gzip.compress(text.encode()) for text in ("id,customer\n1,a\n2,", "b\n3,c\n")]
    path = write(tmp_path, "o.csv.gz", b"".join(half))
    done = pgmend("copy-in", "orders", path, orders.conninfo)
    assert done.rc == 0 and ids(orders) == [1, 2, 3], done
    done = pgmend("copy-in", "orders", orders.conninfo, input="id,customer\n4,d\n")
    assert done.rc == 0 and ids(orders) == [1, 2, 3, 4], done
    done = pgmend("copy-in", "orders", "-", "--header=no", "--columns=id,customer", "-d", orders.conninfo,
                  input="5,e\n")
    assert done.rc == 0 and ids(orders) == [1, 2, 3, 4, 5], done
    path.write_bytes(half[0] + half[1][:-9])
    done = pgmend("copy-in", "orders", path, orders.conninfo)
    assert done.rc == 4 and "damaged as a gzip file: it ends too early" in done.err, done


def test_the_header_is_judged_before_the_first_row(orders, pgmend, tmp_path):
    path = write(tmp_path, "o.csv", "id,prise,id,total\n1,2,3,4\n")
    done = pgmend("copy-in", "orders", path, orders.conninfo)
    assert done.rc == 2, done
    for part in ('o.csv line 1: public.orders has no column "prise"; did you mean "price"?',
                 'column "id" comes twice', 'column "total" is generated and takes no values',
                 'NOT NULL and without a default, but not given: "customer"'):
        assert part in done.err, done
    done = pgmend("copy-in", "orders", write(tmp_path, "n.csv", "1,a\n"), orders.conninfo)
    assert done.rc == 2 and "--header=no" in done.err, done
    path = write(tmp_path, "m.csv", "customer,id\na,1\n")
    done = pgmend("copy-in", "orders", path, "--header=match", "--columns=id,customer", orders.conninfo)
    assert done.rc == 2 and "the header does not match" in done.err and "id, customer." in done.err, done
    done = pgmend("copy-in", "orders", path, "--header=match", "--columns=customer,id", orders.conninfo)
    assert done.rc == 0, done
    # --columns over a header in other words.
    path = write(tmp_path, "w.csv", "Nummer,Kunde\n2,b\n")
    assert pgmend("copy-in", "orders", path, "--columns=id,customer", orders.conninfo).rc == 0
    assert ids(orders) == [1, 2]


def test_tables_that_are_not_there(orders, pgmend, tmp_path):
    path = write(tmp_path, "o.csv", "id\n1\n")
    done = pgmend("copy-in", "order", path, orders.conninfo)
    assert done.rc == 2 and "there is no table order" in done.err and "Did you mean orders?" in done.err, done
    orders.execute("CREATE SEQUENCE s")
    done = pgmend("copy-in", "s", path, orders.conninfo)
    assert done.rc == 2 and "is no table" in done.err, done
    assert pgmend("copy-in", "orders; DROP TABLE orders", path, orders.conninfo).rc == 2
    assert ids(orders) == []


def test_files_that_cannot_be_read(orders, pgmend, tmp_path):
    good = write(tmp_path, "good.csv", "id,customer\n1,a\n")
    done = pgmend("copy-in", "orders", good, tmp_path / "missing.csv", orders.conninfo)
    assert done.rc == 2 and "missing.csv: No such file" in done.err, done
    done = pgmend("copy-in", "orders", good, tmp_path, orders.conninfo)
    assert done.rc == 2 and "is a directory" in done.err, done
    done = pgmend("copy-in", "orders", good, good, orders.conninfo)
    assert done.rc == 2 and "given twice" in done.err, done
    done = pgmend("copy-in", "orders", write(tmp_path, "u.csv", "id,customer\n".encode("utf-16")), orders.conninfo)
    assert done.rc == 2 and "is UTF-16" in done.err, done
    assert ids(orders) == []
    done = pgmend("copy-in", "orders", write(tmp_path, "empty.csv", ""), orders.conninfo)
    assert done.rc == 0 and "0 rows" in done.out, done


@pytest.mark.parametrize("more", [[], ["--on-conflict=id"]])
def test_errors_name_the_line_of_the_file(orders, pgmend, tmp_path, more):
    def fails(text, *parts, name="o.csv"):
        done = pgmend("copy-in", "orders", write(tmp_path, name, text), *more, orders.conninfo)
        assert done.rc == 4 and "Nothing was committed" in done.err, done
        for part in parts:
            assert part in done.err, done
        assert ids(orders) == []

    many = "".join(f'{i},"a\nb",{i}\n' for i in range(2, 3000))
    head = 'id,customer,price\n1,"x\ny",1\n'
    first = 4 + 2 * 2998
    place = f"o.csv line {first}"
    fails(head + many + "3000,c,abc\n", place, "abc")
    fails(head + many + "3000,c,-5\n", place, "orders_price_check")
    fails(head + many + "3000,,1\n", place, "null value")
    fails(head + "2,c\n", "o.csv line 4")
    fails(head.encode() + b"2,f\xfcr,1\n", "o.csv line 4", "byte 32 of the file (byte 4 of the row) is not valid UTF-8")
    fails(head.encode() + b"2,a\0b,1\n", "o.csv line 4", "NUL")
    fails(head + '2,"c,1\n3,d,1\n', "o.csv line 4: the quote that opens here is never closed")
    fails('{"id":1,"customer":"a"}\n\n{"id":2,"customer":"b","price":"x"}\n', "o.ndjson line 3",
          'type numeric: "x"', name="o.ndjson")
    fails('{"id":1,"customer":"a"}\n{"id":2,"customer":"b"\n', "o.ndjson line 2", "ends in the middle", name="o.ndjson")


def test_upserts(orders, pgmend, tmp_path):
    orders.execute("INSERT INTO orders (id, customer, price) VALUES (1, 'old', 1), (2, 'old', 2)")
    path = write(tmp_path, "o.csv", "id,customer\n1,new\n3,first\n3,last\n")
    done = pgmend("copy-in", "orders", path, "--on-conflict=id", "--do=nothing", "--json", orders.conninfo).json()
    assert done["conflicts"] + done["duplicates"] == 2 and done["rows"] == 1, done
    assert orders.query("SELECT id, customer FROM orders ORDER BY id")[:2] == [(1, "old"), (2, "old")]
    orders.execute("DELETE FROM orders WHERE id = 3")
    done = pgmend("copy-in", "orders", path, "--on-conflict=id", orders.conninfo)
    assert done.rc == 0 and "1 row left out: a later one has the same key" in done.out, done
    assert orders.query("SELECT id, customer, price::int FROM orders ORDER BY id") == [
        (1, "new", 1), (2, "old", 2), (3, "last", None)]
    # A key that an object does not have leaves its column as it is.
    path = write(tmp_path, "o.ndjson", '{"id":1,"customer":"x"}\n{"id":2,"customer":"y","price":null}\n')
    done = pgmend("copy-in", "orders", path, "--on-conflict=id", orders.conninfo)
    assert done.rc == 0 and orders.query("SELECT customer, price::int FROM orders WHERE id < 3 ORDER BY id") == [
        ("x", 1), ("y", None)], done
    done = pgmend("copy-in", "orders", path, "--on-conflict=customer", orders.conninfo)
    assert done.rc == 2 and "no unique key on just these columns" in done.err, done
    assert "There are: --on-conflict=id" in done.err, done


def test_rejected_rows(orders, pgmend, tmp_path):
    orders.execute("INSERT INTO orders VALUES (5, 'there')")
    rows = {i: f'{i},"c\n{i}",{i}' for i in range(1, 301)}
    bad = {7: "7,x,abc", 8: "8,x", 9: '9,"",-1', 150: "nine,x,1", 300: "300,,1"}
    text = "id,customer,price\n" + "".join(f"{bad.get(i, row)}\n" for i, row in rows.items())
    path = write(tmp_path, "o.csv", text.encode() + b"301,f\xfcr,1\n")
    reject = tmp_path / "rejects.csv"
    done = pgmend("copy-in", "orders", path, "--reject", reject, "--json", orders.conninfo)
    assert done.rc == 1 and done.json()["rejected"] == 7 and done.json()["rows"] == 294, done
    assert ids(orders) == sorted(set(range(1, 301)) - set(bad))
    expected = [b"id,customer,price", b'5,"c\n5",5', *(bad[i].encode() for i in bad), b"301,f\xfcr,1"]
    assert reject.read_bytes() == b"\n".join(expected) + b"\n"
    with open(f"{reject}.reasons", encoding="utf-8", newline="") as stream:
        reasons = list(csv.DictReader(stream))
    lines = {i: 2 + sum(1 if k in bad else 2 for k in range(1, i)) for i in [5, *bad, 301]}
    assert [int(r["line"]) for r in reasons] == list(lines.values())
    assert [r["sqlstate"] for r in reasons] == ["23505", "22P02", "22P04", "23514", "22P02", "23502", "22021"]
    assert all(r["file"] == str(path) and r["message"] for r in reasons)
    # Mended, the file of rejected rows is one to load.
    reject.write_text('id,customer,price\n7,x,1\n8,x,1\n')
    assert pgmend("copy-in", "orders", reject, orders.conninfo).rc == 0
    # What is there is not overwritten.
    done = pgmend("copy-in", "orders", path, "--reject", reject, orders.conninfo)
    assert done.rc == 2 and "is there and not empty" in done.err, done


def test_too_many_rejected_rows(orders, pgmend, tmp_path):
    path = write(tmp_path, "o.csv", "id,customer,price\n" + "".join(f"{i},a,x\n" for i in range(100)))
    reject = tmp_path / "r.csv"
    done = pgmend("copy-in", "orders", path, "--reject", reject, "--max-rejects=10", orders.conninfo)
    assert done.rc == 4 and "more than 10 rows are rejected" in done.err, done
    assert ids(orders) == [] and reject.read_text().startswith("id,customer,price\n0,a,x\n")
    done = pgmend("copy-in", "orders", write(tmp_path, "good.csv", "id,customer\n1,a\n"), "--reject",
                  tmp_path / "none", orders.conninfo)
    assert done.rc == 0 and not (tmp_path / "none").exists(), done


def test_triggers_policies_and_rules_hold(db, pgmend, tmp_path):
    db.psql("""
        CREATE SCHEMA app; CREATE ROLE copy_in_loader LOGIN; GRANT USAGE ON SCHEMA app TO copy_in_loader;
        CREATE TABLE app.t (id int, owner text); CREATE TABLE app.log (id int);
        GRANT INSERT, SELECT ON app.t, app.log TO copy_in_loader;
        CREATE FUNCTION app.note() RETURNS trigger LANGUAGE plpgsql AS
            $$BEGIN INSERT INTO log VALUES (NEW.id); IF NEW.id = 3 THEN RETURN NULL; END IF; RETURN NEW; END$$;
        CREATE TRIGGER note BEFORE INSERT ON app.t FOR EACH ROW EXECUTE FUNCTION app.note();
        ALTER ROLE copy_in_loader SET search_path = app;
        CREATE TABLE base (id int); CREATE TABLE twice (id int);
        CREATE RULE r AS ON INSERT TO base DO ALSO INSERT INTO twice VALUES (NEW.id);
    """)
    path = write(tmp_path, "t.csv", "id,owner\n1,loader\n2,loader\n3,loader\n")
    loader = db.cluster.conninfo(db.name, user="copy_in_loader")
    try:
        done = pgmend("copy-in", "t", path, loader)
        # No right to make schema pgmend: one transaction, which is said.
        assert done.rc == 0 and "2 rows into t" in done.out and "one transaction" in done.err, done
        assert ids(db, "app.t") == [1, 2] and ids(db, "app.log") == [1, 2, 3]
        assert pgmend("copy-in", "t", path, "--resume", loader).rc == 3
        db.psql("TRUNCATE app.t; ALTER TABLE app.t ENABLE ROW LEVEL SECURITY;"
                "CREATE POLICY p ON app.t USING (true) WITH CHECK (owner = 'loader')")
        done = pgmend("copy-in", "t", path, loader)
        assert done.rc == 0 and "row-level security" in done.err and ids(db, "app.t") == [1, 2], done
        path = write(tmp_path, "u.csv", "id,owner\n4,loader\n5,other\n")
        done = pgmend("copy-in", "t", path, loader)
        assert done.rc == 3 or (done.rc == 4 and "row-level security" in done.err), done
        assert ids(db, "app.t") == [1, 2]
    finally:
        db.psql("DROP OWNED BY copy_in_loader; DROP ROLE copy_in_loader")
    done = pgmend("copy-in", "base", write(tmp_path, "b.csv", "id\n1\n"), db.conninfo)
    assert done.rc == 0 and ids(db, "base") == ids(db, "twice") == [1], done


def test_names_may_hold_anything(db, pgmend, tmp_path):
    quoted = UGLY.replace('"', '""')
    db.execute(f'CREATE SCHEMA "{quoted}"')
    db.execute(f'CREATE TABLE "{quoted}"."{quoted}" ("{quoted}" int PRIMARY KEY, "a,b" text, "select" text)')
    table = f'"{quoted}"."{quoted}"'
    columns = f'"{quoted}","a,b",select'
    path = write(tmp_path, f"{UGLY} '$(x).csv", f'{columns}\n1,x,y\n')
    for more in ([], [f'--on-conflict="{quoted}"']):
        done = pgmend("copy-in", table, path, *more, db.conninfo)
        assert done.rc == 0, done
    done = pgmend("copy-in", table, path, "--header=no", f"--columns={columns}", db.conninfo)
    assert done.rc == 4 and f'column {UGLY}: invalid input syntax' in done.err, done
    assert db.query(f'SELECT "a,b", "select" FROM {table}') == [("x", "y")]


def test_a_dry_run_checks_all_and_writes_nothing(orders, pgmend, tmp_path):
    orders.execute("CREATE TABLE s (id serial PRIMARY KEY, n int NOT NULL CHECK (n > 0))")
    path = write(tmp_path, "s.csv", "n\n1\n2\n")
    done = pgmend("copy-in", "s", path, "--dry-run", orders.conninfo)
    assert done.rc == 0 and "nothing written: 2 rows for s" in done.out, done
    path = write(tmp_path, "s.csv", "n\n1\n2\n-3\nx\n")
    done = pgmend("copy-in", "s", path, "--dry-run", orders.conninfo)
    assert done.rc == 4 and "s.csv line 4" in done.err, done
    done = pgmend("copy-in", "s", path, "--dry-run", "--reject", tmp_path / "r", orders.conninfo)
    assert done.rc == 1 and (tmp_path / "r").read_text() == "n\n-3\nx\n", done
    assert ids(orders, "s") == [] and orders.scalar("SELECT last_value FROM s_id_seq") == 1
    assert orders.scalar("SELECT count(*) FROM pg_namespace WHERE nspname = 'pgmend'") == 0


def test_partitions_identity_and_deferred_keys(db, pgmend, tmp_path):
    db.psql("""
        CREATE TABLE p (id int GENERATED ALWAYS AS IDENTITY, day date) PARTITION BY RANGE (day);
        CREATE TABLE p1 PARTITION OF p FOR VALUES FROM ('2026-01-01') TO ('2026-02-01');
        CREATE TABLE parent (id int PRIMARY KEY); INSERT INTO parent VALUES (1);
        CREATE TABLE child (id int, p int REFERENCES parent DEFERRABLE INITIALLY DEFERRED);
    """)
    path = write(tmp_path, "p.csv", "day\n2026-01-05\n2026-01-06\n")
    assert pgmend("copy-in", "p", path, db.conninfo).rc == 0
    assert ids(db, "p") == [1, 2]
    path = write(tmp_path, "i.csv", "id,day\n8,2026-01-05\n9,2026-01-06\n")
    assert pgmend("copy-in", "p", path, db.conninfo).rc == 0
    assert pgmend("copy-in", "p", path, "--reject", tmp_path / "none", db.conninfo).rc == 0
    assert ids(db, "p") == [1, 2, 8, 8, 9, 9]
    path = write(tmp_path, "q.csv", "day\n2026-01-07\n2026-03-07\n")
    done = pgmend("copy-in", "p", path, db.conninfo)
    assert done.rc == 4 and "no partition" in done.err and "q.csv line 3" in done.err, done
    path = write(tmp_path, "c.csv", "id,p\n1,1\n2,2\n3,1\n")
    done = pgmend("copy-in", "child", path, db.conninfo)
    assert done.rc == 4 and "child_p_fkey" in done.err and ids(db, "child") == [], done
    done = pgmend("copy-in", "child", path, "--reject", tmp_path / "r", db.conninfo)
    assert done.rc == 1 and ids(db, "child") == [1, 3], done
    assert (tmp_path / "r").read_text() == "id,p\n2,2\n"


def test_a_role_with_single_columns(orders, pgmend, tmp_path):
    orders.execute("CREATE ROLE copy_in_columns LOGIN; GRANT INSERT (id, customer) ON orders TO copy_in_columns")
    role = orders.cluster.conninfo(orders.name, user="copy_in_columns")
    try:
        done = pgmend("copy-in", "orders", write(tmp_path, "o.csv", "id,customer\n1,a\n"), role)
        assert done.rc == 0 and ids(orders) == [1], done
        done = pgmend("copy-in", "orders", write(tmp_path, "p.csv", "id,customer,price\n2,a,1\n"), role)
        assert done.rc == 4 and "permission denied" in done.err and ids(orders) == [1], done
    finally:
        orders.psql("DROP OWNED BY copy_in_columns; DROP ROLE copy_in_columns")


def test_what_stands_in_a_file_does_not_steer_the_terminal(orders, pgmend, tmp_path):
    path = write(tmp_path, "o\x1b[2J\xff.csv", "id,customer\n\x1b[31m1,a\n")
    done = pgmend("copy-in", "orders", path, "--json", orders.conninfo)
    assert done.rc == 4 and "\x1b" not in done.err and "line 2" in done.json()["error"]["message"], done


@pytest.mark.parametrize("args,part", [
    (["--format=xml"], "csv, tsv and ndjson"), (["--header=maybe"], "yes, no and match"),
    (["--delimiter=::"], "one ASCII letter"), (["--columns=a,"], "commas"), (["--do=update"], "--on-conflict"),
    (["--resume", "--restart"], "exclude"), (["--max-rejects=1"], "--reject"), (["--format=tsv", "--quote=x"], "quotes"),
])
def test_arguments_that_make_no_sense(orders, pgmend, tmp_path, args, part):
    path = write(tmp_path, "o.csv", "id,customer\n1,a\n")
    done = pgmend("copy-in", "orders", path, *args, orders.conninfo)
    assert done.rc == 2 and part in done.err and ids(orders) == [], done
