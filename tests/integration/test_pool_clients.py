"""Real clients through the pooler, in transaction and in session mode: psql, pgbench, libpq's pipeline mode, psycopg 3,
asyncpg, node-postgres, postgres.js. Each does what its users do: prepared statements, transactions, settings at login,
COPY, LISTEN, cancels. tools/setup test installs them.
"""

import asyncio
import os
import pathlib
import shutil
import signal
import subprocess
import threading

import psycopg
import pytest

import cluster as clusters
from conftest import find_binary
from pooling import wait_for

TIMEOUT_S = 120
SCRIPTS = pathlib.Path(__file__).resolve().parents[1] / "clients"


def run(*command, input=None, **env):
    done = subprocess.run([str(c) for c in command], input=input, text=True, capture_output=True, check=False,
                          timeout=TIMEOUT_S, env=clusters.clean_env(**env))
    assert done.returncode == 0, f"{command}: {done.returncode}\n{done.stdout}\n{done.stderr}"
    return done.stdout


@pytest.fixture(params=["transaction", "session"])
def pooled(request, make_pool, db):
    pool = make_pool(pool_mode=request.param, default_pool_size=4 if request.param == "transaction" else 20, tls=True)
    pool.database = db.name
    pool.mode = request.param
    return pool


def url(pool):
    return f"postgresql://postgres@127.0.0.1:{pool.port}/{pool.database}"


def test_psql(pooled, tmp_path):
    rows = tmp_path / "rows.csv"
    rows.write_text("".join(f"{i},row {i}\n" for i in range(5000)))
    script = f"""
        CREATE TABLE t (id int PRIMARY KEY, v text);
        \\copy t FROM '{rows}' CSV
        SELECT count(*), max(v) FROM t;
        BEGIN; UPDATE t SET v = 'x' WHERE id = 1; ROLLBACK;
        SELECT v FROM t WHERE id = 1;
        \\set FETCH_COUNT 100
        SELECT id FROM t ORDER BY id;
        \\unset FETCH_COUNT
        SET work_mem = '77kB';
        SHOW work_mem;
        SELECT 'gset' AS name \\gset
        \\echo :name
        SELECT 1 \\; SELECT 2;
        SELECT 1/0;
        SELECT 'after';
        \\d t
        \\dt
    """
    out = run("psql", "-XAtq", "-d", url(pooled), "-f", "-", input=script).splitlines()
    assert out[:2] == ["5000|row 999", "row 1"]
    assert out[2:5002] == [str(i) for i in range(5000)]
    assert out[5002:5007] == ["77kB", "gset", "1", "2", "after"]
    assert "id|integer||not null|" in out and "public|t|table|postgres" in out
    assert run("psql", "-XAtq", "-d", url(pooled) + "?sslmode=require", "-c", "SELECT 1") == "1\n"
    assert run("psql", "-XAtq", "-d", f"host={pooled.folder} port={pooled.port} dbname={pooled.database} user=postgres",
               "-c", "SELECT 1") == "1\n"
    # What it sends at login with these.
    assert run("psql", "-XAtq", "-d", url(pooled), "-c", "SHOW work_mem", PGOPTIONS="-c work_mem=99kB",
               PGAPPNAME="mine", PGTZ="Asia/Tokyo", PGCLIENTENCODING="LATIN1") == "99kB\n"


def test_psql_is_interrupted(pooled, db):
    child = subprocess.Popen(["psql", "-XAt", "-d", url(pooled), "-c", "SELECT 'begun'", "-c", "SELECT pg_sleep(100)"],
                             env=clusters.clean_env(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        assert child.stdout.readline() == "begun\n"
        wait_for(lambda: db.scalar("SELECT count(*) FROM pg_stat_activity WHERE query = 'SELECT pg_sleep(100)' AND "
                                   "state = 'active'"))
        child.send_signal(signal.SIGINT)
        _, err = child.communicate(timeout=TIMEOUT_S)
        assert "canceling statement due to user request" in err
    finally:
        child.kill()
        child.communicate()


def find_pgbench():
    return shutil.which("pgbench", path=f"{clusters.find_bin_dir()}:{os.environ['PATH']}") or pytest.skip("no pgbench")


@pytest.mark.parametrize("protocol", ["simple", "extended", "prepared"])
def test_pgbench(pooled, db, protocol):
    pgbench = find_pgbench()
    where = ["-h", "127.0.0.1", "-p", pooled.port, "-U", "postgres", pooled.database]
    run(pgbench, "-i", "-q", "-s", "1", *where)
    for extra in (["-S"], ["-b", "tpcb-like"], ["-S", "-C"]):
        count = 3 if "-C" in extra else 40
        out = run(pgbench, "-n", "-M", protocol, "-c", "16", "-j", "16", "-t", count, *extra, *where)
        assert f"number of transactions actually processed: {16 * count}/{16 * count}" in out
        assert "number of failed transactions: 0 " in out or "failed" not in out
    assert db.scalar("SELECT sum(abalance) FROM pgbench_accounts") == db.scalar("SELECT sum(delta) FROM pgbench_history")
    assert db.scalar("SELECT count(*) FROM pgbench_history") == 16 * 40


def test_pgbench_pipelines(pooled, db, tmp_path):
    """The same in pgbench's pipelines."""
    db.execute("CREATE TABLE t (id int PRIMARY KEY, v int)")
    db.execute("INSERT INTO t SELECT i, 0 FROM generate_series(1, 50) i")
    script = tmp_path / "pipeline.sql"
    script.write_text("\\set a random(1, 50)\n\\startpipeline\nBEGIN;\nUPDATE t SET v = v + 1 WHERE id = :a;\n"
                      "SELECT v FROM t WHERE id = :a;\nCOMMIT;\n\\endpipeline\n")
    pgbench = find_pgbench()
    for protocol in ("extended", "prepared"):
        run(pgbench, "-n", "-M", protocol, "-c", "8", "-t", "50", "-f", script, "-h", "127.0.0.1", "-p", pooled.port, "-U",
            "postgres", pooled.database)
    assert db.scalar("SELECT sum(v) FROM t") == 2 * 8 * 50


def test_libpq_pipeline(pooled):
    program = find_binary().parent / "tests/integration/helpers/pipeline"
    if not program.exists():
        pytest.fail(f"{program} does not exist: it is built with the unit tests, which need cmocka")
    assert run(program, pooled.conninfo(pooled.database)) == "done\n"


def test_psycopg(pooled):
    connect = dict(conninfo=pooled.conninfo(pooled.database), prepare_threshold=0)
    with psycopg.connect(**connect) as conn:
        conn.execute("CREATE TABLE t (id int PRIMARY KEY, v text)")
        with conn.cursor() as cur:
            cur.executemany("INSERT INTO t VALUES (%s, %s)", [(i, f"v{i}") for i in range(100)])
            with cur.copy("COPY t FROM STDIN") as copy:
                for i in range(100, 3000):
                    copy.write_row((i, "copied"))
            with cur.copy("COPY t TO STDOUT") as copy:
                assert sum(1 for _ in copy.rows()) == 3000
        conn.commit()
        for i in range(50):
            assert conn.execute(f"SELECT %s::int + {i % 7}", [i]).fetchone() == (i + i % 7,)
        with pytest.raises(psycopg.errors.UniqueViolation):
            conn.execute("INSERT INTO t VALUES (1, 'again')")
        conn.rollback()
        with conn.cursor("named") as cur:
            cur.execute("SELECT id FROM t ORDER BY id")
            assert [r[0] for r in cur] == list(range(3000))
        conn.commit()
    with psycopg.connect(**connect, autocommit=True) as conn, psycopg.connect(**connect, autocommit=True) as other:
        with conn.pipeline() as pipe:
            cursors = [conn.execute("SELECT %s::text", [str(i)]) for i in range(300)]
            pipe.sync()
            assert [c.fetchone()[0] for c in cursors] == [str(i) for i in range(300)]
        with pytest.raises(psycopg.errors.DivisionByZero):
            with conn.pipeline():
                conn.execute("SELECT 1/%s::int", [0])
                conn.execute("SELECT 1")
        conn.execute("LISTEN news")
        other.execute("NOTIFY news, 'extra'")
        assert next(conn.notifies()).payload == "extra"
        with pytest.raises(psycopg.errors.QueryCanceled):
            threading.Timer(0.3, conn.cancel).start()
            conn.execute("SELECT pg_sleep(100)")
        assert conn.execute("SELECT 2").fetchone() == (2,)
    with psycopg.connect(**connect, options="-c work_mem=66kB -c app.tenant=7", application_name="mine") as conn, \
            psycopg.connect(**connect) as other:
        for _ in range(3):
            assert conn.execute("SELECT current_setting('work_mem'), current_setting('app.tenant'), "
                                "current_setting('application_name')").fetchone() == ("66kB", "7", "mine")
            conn.commit()
            assert other.execute("SELECT current_setting('app.tenant', true)").fetchone()[0] in (None, "")
            other.commit()
    # These lead back to what it sent at login.
    with psycopg.connect(**{**connect, "prepare_threshold": None}, options="-c work_mem=66kB", autocommit=True) as conn:
        for back in ("RESET ALL", "RESET work_mem", "SET work_mem TO DEFAULT", "DISCARD ALL", "SELECT 1; RESET ALL"):
            conn.execute("SET work_mem = '99kB'")
            conn.execute(back)
            assert conn.execute("SELECT current_setting('work_mem')").fetchone() == ("66kB",), back


def test_asyncpg(pooled):
    asyncpg = pytest.importorskip("asyncpg")

    async def work():
        pool = await asyncpg.create_pool(url(pooled), min_size=2, max_size=10, ssl=False,
                                         server_settings={"application_name": "mine", "work_mem": "66kB"})
        async with pool.acquire() as conn:
            await conn.execute("CREATE TABLE a (id int PRIMARY KEY, v text)")
            await conn.executemany("INSERT INTO a VALUES ($1, $2)", [(i, f"v{i}") for i in range(500)])
            await conn.copy_records_to_table("a", records=[(i, "copied") for i in range(500, 1500)])
            with pytest.raises(asyncpg.UniqueViolationError):
                await conn.execute("INSERT INTO a VALUES (1, 'x')")

        async def one(i):
            async with pool.acquire() as conn:
                async with conn.transaction():
                    assert await conn.fetchval("SELECT id FROM a WHERE id = $1", i) == i
                    assert await conn.fetchval("SELECT $1::int[]", [i, i + 1]) == [i, i + 1]
                    rows = [r["id"] async for r in conn.cursor("SELECT id FROM a ORDER BY id LIMIT 120")]
                    assert rows == list(range(120))
                assert await conn.fetchval("SELECT current_setting('work_mem')") == "66kB"
                stmt = await conn.prepare("SELECT v FROM a WHERE id = $1")
                assert await stmt.fetchval(i) == f"v{i}"

        await asyncio.gather(*(one(i) for i in range(60)))
        async with pool.acquire() as conn:
            heard = asyncio.Queue()
            await conn.add_listener("news", lambda *a: heard.put_nowait(a[3]))
            async with pool.acquire() as other:
                await other.execute("NOTIFY news, 'async'")
            assert await asyncio.wait_for(heard.get(), TIMEOUT_S) == "async"
            with pytest.raises(asyncio.TimeoutError):
                await conn.fetchval("SELECT pg_sleep(100)", timeout=0.3)
            assert await conn.fetchval("SELECT 1") == 1
        await asyncio.wait_for(pool.close(), TIMEOUT_S)

    asyncio.run(asyncio.wait_for(work(), TIMEOUT_S))


@pytest.mark.parametrize("package,script", [("pg", "node_postgres.js"), ("postgres", "postgres_js.js")],
                         ids=["node-postgres", "postgres.js"])
def test_node(pooled, package, script):
    node = shutil.which("node")
    if not node or not (SCRIPTS / "node_modules" / package).exists():
        pytest.skip(f"no {package} from npm (tools/setup test installs it)")
    assert run(node, SCRIPTS / script, URL=url(pooled)) == "done\n"
