"""What advise needs of the server and of its role, and what it leaves behind: nothing."""

import signal
import time

import pytest

import changes
from advising import ANALYZE, SHOP, advise, make_shop, shop  # noqa: F401  (a fixture)

pytestmark = pytest.mark.hypopg

STATEMENT = "SELECT * FROM orders WHERE score = 7;"


@pytest.fixture
def role(cluster):
    """A role that may log in and nothing else."""
    with cluster.connect() as conn:
        conn.execute("DROP ROLE IF EXISTS \"Some one\"")
        conn.execute("CREATE ROLE \"Some one\" LOGIN PASSWORD 'very-secret-word'")
        yield "Some one"
        for name in [r[0] for r in conn.execute("SELECT datname FROM pg_database WHERE datallowconn").fetchall()]:
            with cluster.connect(name) as other:
                other.execute("DROP OWNED BY \"Some one\" CASCADE")
        conn.execute("DROP ROLE \"Some one\"")


def as_role(cluster, db, role):
    return cluster.conninfo(db.name, user=role)


def extensions(db):
    return db.query("SELECT extname, extnamespace::regnamespace::text FROM pg_extension ORDER BY 1")


def test_nothing_is_left_behind(shop, pgmend):
    before, had = changes.schema_of(shop), extensions(shop)
    advice = advise(pgmend, shop, STATEMENT)
    assert "rolled back" in advice.json["backend"]
    assert changes.schema_of(shop) == before
    assert extensions(shop) == had
    assert shop.scalar("SELECT count(*) FROM pg_namespace WHERE nspname LIKE 'pgmend%%'") == 0


def test_hypopg_in_a_schema_of_its_own(cluster, shop, pgmend, role):
    shop.execute('CREATE SCHEMA "What If"')
    shop.execute('CREATE EXTENSION hypopg SCHEMA "What If"')
    try:
        shop.execute('GRANT USAGE ON SCHEMA "What If" TO "Some one"')
        shop.execute('GRANT SELECT ON ALL TABLES IN SCHEMA public TO "Some one"')
        before, had = changes.schema_of(shop), extensions(shop)
        advice = advise(pgmend, shop, STATEMENT, conninfo=as_role(cluster, shop, role))
        assert advice.bodies == ["(score)"]
        assert "rolled back" not in advice.json["backend"]
        assert changes.schema_of(shop) == before and extensions(shop) == had
    finally:
        shop.execute("DROP EXTENSION hypopg")
        shop.execute('DROP SCHEMA "What If"')


def test_no_right_to_create_hypopg(cluster, shop, pgmend, role):
    shop.execute('GRANT SELECT ON ALL TABLES IN SCHEMA public TO "Some one"')
    result = pgmend("advise", "--workload", "-", as_role(cluster, shop, role), input=STATEMENT)
    assert result.rc == 3
    assert "CREATE EXTENSION hypopg" in result.err
    assert "very-secret-word" not in result.out + result.err


def test_a_table_that_may_not_be_read(cluster, shop, pgmend, role):
    shop.execute("CREATE EXTENSION hypopg")
    try:
        shop.execute('GRANT SELECT ON lines TO "Some one"')
        statements = STATEMENT + "SELECT * FROM lines WHERE order_id = 7;"
        advice = advise(pgmend, shop, statements, conninfo=as_role(cluster, shop, role))
        assert [p["table"] for p in advice.proposals] == ["public.lines"]
        assert advice.json["not_planned"] == 1
        text = pgmend("advise", "--workload", "-", as_role(cluster, shop, role), input=statements).out
        assert "1 statement that the server would not plan" in text
        assert "permission denied for table orders" in text
    finally:
        shop.execute("DROP EXTENSION hypopg")


def test_statements_of_others(cluster, db, pgmend, role):
    db.psql("CREATE EXTENSION pg_stat_statements; CREATE EXTENSION hypopg;" + SHOP + ANALYZE)
    db.execute("SELECT pg_stat_statements_reset()")
    db.execute("SELECT count(*) FROM orders WHERE score = 7")
    db.execute('GRANT SELECT ON ALL TABLES IN SCHEMA public TO "Some one"')
    conninfo = as_role(cluster, db, role)
    result = pgmend("advise", conninfo)
    assert result.rc == 3
    assert 'GRANT pg_read_all_stats TO "Some one";' in result.err
    # Its own ones it sees; that there are others is said.
    with db.connect(user=role) as conn:
        conn.execute("SELECT count(*) FROM lines WHERE order_id = 5")
    result = pgmend("advise", conninfo)
    assert result.rc == 0
    assert "lines" in result.out and "orders" not in result.out
    assert 'GRANT pg_read_all_stats TO "Some one";' in result.out
    db.execute('GRANT pg_read_all_stats TO "Some one"')
    result = pgmend("advise", "--format", "json", conninfo)
    assert {p["table"] for p in result.json()["proposals"]} == {"public.orders", "public.lines"}


def test_pg_stat_statements_missing_and_empty(db, pgmend):
    result = pgmend("advise", db.conninfo)
    assert result.rc == 4
    assert "pg_stat_statements is not installed" in result.err and "--workload FILE.sql" in result.err
    db.execute("CREATE EXTENSION pg_stat_statements")
    result = pgmend("advise", db.conninfo)
    assert result.rc == 4
    assert "holds no query of database" in result.err


def test_pg_stat_statements_not_loaded(make_cluster, pgmend):
    server = make_cluster(shared_preload_libraries="")
    db = server.new_database("x", "CREATE EXTENSION pg_stat_statements;")
    result = pgmend("advise", db.conninfo)
    assert result.rc == 4
    assert "shared_preload_libraries" in result.err


def test_workload_of_the_server(db, pgmend):
    db.psql("CREATE EXTENSION pg_stat_statements;" + SHOP + ANALYZE)
    db.execute("SELECT pg_stat_statements_reset()")
    for n in range(3):
        db.query("SELECT * FROM orders WHERE score = %s", [n])
        db.query("SELECT id FROM customers WHERE lower(email) = 'user5@example.org'")
        db.query("SELECT id FROM orders WHERE words @@ to_tsquery('simple', 'w77')")
        db.query("SELECT id FROM orders WHERE tags @> ARRAY['t77']")
        db.query("SELECT * FROM orders WHERE created_at > now() - interval '1 day' AND score = ANY (ARRAY[1, 2])")
        db.query("SELECT * FROM customers WHERE country IN ('C1', 'C2') AND joined_on = date '2021-01-01' LIMIT 5")
    result = pgmend("advise", "--format", "json", db.conninfo)
    assert result.rc == 0, result
    advice = result.json()
    assert advice["source"] == "pg_stat_statements"
    assert advice["not_planned"] == 0 and advice["left_out"] == 0
    bodies = " ".join(p["sql"] for p in advice["proposals"])
    for part in ("(score", "lower(email)", "USING gin (words)", "USING gin (tags)", "joined_on"):
        assert part in bodies, (part, bodies)
    calls = {e["calls"] for p in advice["proposals"] for e in p["statements"]}
    assert calls == {3}
    # What advise itself asked is no workload.
    assert db.scalar("SELECT count(*) FROM pg_stat_statements WHERE query LIKE '%%hypopg%%' AND query NOT LIKE "
                     "'%%pgmend%%'") == 0
    again = pgmend("advise", "--format", "json", db.conninfo).json()
    assert again["statements"] <= advice["statements"] + 1
    assert pgmend("advise", "--top", "1", "--format", "json", db.conninfo).json()["statements"] <= 1


def test_timeouts_of_the_role(cluster, shop, pgmend):
    with cluster.connect() as conn:
        conn.execute("CREATE ROLE hasty SUPERUSER LOGIN")
        conn.execute("ALTER ROLE hasty SET statement_timeout = 1")
        conn.execute("ALTER ROLE hasty SET default_transaction_read_only = on")
        conn.execute("ALTER ROLE hasty SET search_path = nothing, public")
        try:
            advice = advise(pgmend, shop, STATEMENT, conninfo=cluster.conninfo(shop.name, user="hasty"))
            assert advice.bodies == ["(score)"]
        finally:
            conn.execute("DROP ROLE hasty")


def test_standby(cluster, standby, pgmend):
    db = make_shop(cluster, "shop_standby")
    standby.wait_for_replay(cluster)
    conninfo = standby.conninfo(db.name)
    result = pgmend("advise", "--workload", "-", conninfo, input=STATEMENT)
    assert result.rc == 3
    assert "a standby takes no CREATE EXTENSION" in result.err and "on the primary" in result.err
    db.execute("CREATE EXTENSION hypopg")
    standby.wait_for_replay(cluster)
    assert advise(pgmend, db, STATEMENT, conninfo=conninfo).bodies == ["(score)"]
    db.drop()


def test_no_hypopg(cluster, shop, pgmend, tmp_path):
    """A server that has no such extension: its control file is not found."""
    control = list(cluster.bin_dir.parent.parent.parent.parent.glob("share/postgresql/*/extension/hypopg.control"))
    if not control:
        pytest.skip("the extension's control file is not where Debian has it")
    hidden = control[0].with_name("hypopg.control.hidden-by-a-test")
    try:
        control[0].rename(hidden)
    except OSError:
        pytest.skip("the extension's control file cannot be moved")
    try:
        result = pgmend("advise", "--workload", "-", shop.conninfo, input=STATEMENT)
    finally:
        hidden.rename(control[0])
    assert result.rc == 4
    assert "the server has no HypoPG" in result.err
    assert f"postgresql-{cluster.major}-hypopg" in result.err


def test_a_wrong_password_is_never_shown(cluster, shop, pgmend):
    conninfo = shop.conninfo + " password=very-secret-word port=1"
    result = pgmend("advise", "--workload", "-", conninfo, input=STATEMENT)
    assert result.rc == 3
    assert "very-secret-word" not in result.out + result.err
    result = pgmend("advise", "--workload", "-", "--format", "json", shop.conninfo + " password=very-secret-word",
                    input=STATEMENT)
    assert result.rc == 0
    assert "very-secret-word" not in result.out + result.err


def test_ctrl_c(cluster, shop, pgmend):
    """In the middle of it: the statement waits for a lock that its planning wants."""
    with shop.connect(autocommit=False) as locker:
        locker.execute("LOCK TABLE customers IN ACCESS EXCLUSIVE MODE")
        child = pgmend.popen("advise", "--workload", "/dev/stdin", shop.conninfo, stdin=open_text(
            "SELECT * FROM customers WHERE name = 'x';" * 3))
        busy = "SELECT count(*) FROM pg_stat_activity WHERE application_name LIKE 'pgmend%%' AND state = 'active'"
        changes.wait_until(lambda: shop.scalar(busy) > 0)
        child.send_signal(signal.SIGINT)
        out, err = child.communicate(timeout=90)
    assert child.returncode == 4 or "would not plan" in out, (child.returncode, out, err)
    assert shop.scalar("SELECT count(*) FROM pg_namespace WHERE nspname LIKE 'pgmend%%'") == 0


def open_text(text):
    import tempfile
    file = tempfile.TemporaryFile("w+")
    file.write(text)
    file.seek(0)
    return file


def test_no_lock_is_held_between_plans(shop, pgmend, tmp_path):
    """Who waits for a lock of ours would make all others wait behind."""
    path = tmp_path / "many.sql"
    path.write_text("".join(f"SELECT note, {'id, ' * (n % 9)} total FROM orders WHERE score = {n} AND customer_id > {n} "
                            f"AND note LIKE 'n{n}%' ORDER BY {'id, ' * (n % 7)} total LIMIT {n + 1};\n"
                            for n in range(300)))
    child = pgmend.popen("advise", "--workload", path, shop.conninfo)
    looks = 0
    while child.poll() is None:
        child.send_signal(signal.SIGSTOP)
        time.sleep(0.01)
        held = shop.query("""SELECT a.query, l.mode FROM pg_stat_activity a JOIN pg_locks l ON l.pid = a.pid
                             WHERE a.state = 'idle in transaction' AND l.relation = 'orders'::regclass""")
        looks += shop.scalar("""SELECT count(*) FROM pg_stat_activity WHERE state = 'idle in transaction'
                                AND datname = current_database()""")
        child.send_signal(signal.SIGCONT)
        assert held == []
        time.sleep(0.002)
    assert child.returncode == 0, child.communicate()
    assert looks > 3
