"""Who may come in, as whom, and what of it others get to see. The server itself asks for passwords by SCRAM."""

import concurrent.futures
import pathlib
import re
import statistics
import subprocess
import time

import psycopg
import pytest
import wire
from pooling import wait_for

import cluster as clusters

MARKER = "Geheim-7f3aXq"

# Lines of the server's pg_hba.conf: users of ours log in with a password, the superuser of the tests does not.
HBA = """
local all postgres trust
local replication postgres trust
local all md5er md5
local all cleartext password
local all all scram-sha-256
host all all 127.0.0.1/32 scram-sha-256
"""


@pytest.fixture(scope="module")
def server():
    """A cluster that asks for passwords, with users of every kind."""
    with clusters.Cluster(settings={"listen_addresses": "127.0.0.1", "port": clusters.free_port()}) as made:
        (made.data / "pg_hba.conf").write_text(HBA)
        made.start()
        with made.connect() as conn:
            run = conn.execute
            for name in ("ann", "bob", "cleartext", "auth", "tenant"):
                run(f"CREATE ROLE {name} LOGIN PASSWORD '{MARKER}{name}'")
            run("CREATE ROLE nologin PASSWORD 'x'")
            run(f"CREATE ROLE expired LOGIN PASSWORD '{MARKER}expired' VALID UNTIL '2001-01-01'")
            run(f"CREATE ROLE later LOGIN PASSWORD '{MARKER}later' VALID UNTIL '2101-01-01'")
            run("SET password_encryption = md5")
            run(f"CREATE ROLE md5er LOGIN PASSWORD '{MARKER}md5er'")
            run("""CREATE FUNCTION public.lookup(name) RETURNS TABLE (u name, p text) LANGUAGE sql SECURITY DEFINER
                   SET search_path = pg_catalog AS 'SELECT usename, passwd FROM pg_shadow WHERE usename = $1'""")
            run("GRANT SELECT ON pg_authid TO auth")
            run("GRANT CREATE ON SCHEMA public TO ann")
        yield made


def verifier(server, name):
    with server.connect() as conn:
        return conn.execute("SELECT rolpassword FROM pg_authid WHERE rolname = %s", [name]).fetchone()[0]


def login(pool, user, password=None, database="postgres", **more):
    return psycopg.connect(pool.conninfo(database, user=user, password=password, **more), autocommit=True,
                           connect_timeout=60)


def who(pool, user, password=None, **more):
    with login(pool, user, password, **more) as conn:
        return conn.execute("SELECT current_user || '/' || session_user").fetchone()[0]


def refused(pool, user, password=None, **more):
    """The text of the refusal."""
    with pytest.raises(psycopg.OperationalError) as caught:
        login(pool, user, password, **more).close()
    return str(caught.value)


WRONG = 'password authentication failed for user "{}"'


def test_trust(make_pool, server):
    pool = make_pool(server, auth_type="trust", secrets={"postgres": "", "ann": MARKER + "ann"})
    assert who(pool, "postgres") == "postgres/postgres"
    assert who(pool, "ann") == "ann/ann"
    # who is not in auth_file does not exist, as with PgBouncer
    assert 'trust authentication failed for user "bob"' in refused(pool, "bob")


@pytest.mark.parametrize("auth_type", ["plain", "md5", "scram-sha-256"])
def test_plain_secret(make_pool, server, auth_type):
    pool = make_pool(server, auth_type=auth_type, secrets={"ann": MARKER + "ann", "md5er": MARKER + "md5er"})
    assert who(pool, "ann", MARKER + "ann") == "ann/ann"
    assert who(pool, "md5er", MARKER + "md5er") == "md5er/md5er"
    for password in ("wrong", MARKER + "bob", MARKER + "ann "):
        assert WRONG.format("ann") in refused(pool, "ann", password)
    assert who(pool, "ann", MARKER + "ann") == "ann/ann"
    assert WRONG.format("nobody") in refused(pool, "nobody", "wrong")


def test_md5_secret(make_pool, server):
    secret = verifier(server, "md5er")
    assert secret.startswith("md5")
    pool = make_pool(server, auth_type="md5", secrets={"md5er": secret})
    assert who(pool, "md5er", MARKER + "md5er") == "md5er/md5er"
    assert WRONG.format("md5er") in refused(pool, "md5er", "wrong")
    assert WRONG.format("md5er") in refused(pool, "md5er", secret)  # the hash is no password


@pytest.mark.parametrize("auth_type", ["md5", "scram-sha-256"])
def test_scram_keys_are_passed_through(make_pool, server, auth_type):
    """With the verifier alone we log in to a server that asks for SCRAM: what the client proved is enough."""
    pool = make_pool(server, auth_type=auth_type, secrets={"ann": verifier(server, "ann")})
    assert WRONG.format("ann") in refused(pool, "ann", "wrong")
    assert who(pool, "ann", MARKER + "ann") == "ann/ann"
    assert MARKER not in "".join(p.read_text(errors="replace") for p in pool.folder.iterdir() if p.is_file())
    memory = pathlib.Path(f"/proc/{pool.process.pid}/mem")
    found = 0
    with open(f"/proc/{pool.process.pid}/maps") as maps, open(memory, "rb") as f:
        for line in maps:
            area = re.match(r"([0-9a-f]+)-([0-9a-f]+) rw", line)
            if area:
                start, end = (int(x, 16) for x in area.groups())
                if end - start > 1 << 30:  # a sanitizer's own
                    continue
                f.seek(start)
                try:
                    found += f.read(end - start).count((MARKER + "ann").encode())
                except OSError:
                    continue
    assert found == 0


@pytest.mark.parametrize("length", [1, 1000, 1023, 1024, 65530])
def test_long_passwords(make_pool, server, length):
    """As long as the file may hold and PostgreSQL takes, by SCRAM on both sides."""
    password = ("x" * length)
    with server.connect() as conn:
        conn.execute(f"ALTER ROLE tenant PASSWORD '{password}'")
    pool = make_pool(server, auth_type="scram-sha-256", secrets={"tenant": password})
    assert who(pool, "tenant", password) == "tenant/tenant"
    assert WRONG.format("tenant") in refused(pool, "tenant", password + "x")
    assert WRONG.format("tenant") in refused(pool, "tenant", password[:-1] or "y")


@pytest.mark.parametrize("password", ["gr\u00f6\u00dfe", "\ufb01le", "a\u00a0b", "\u2168", "a\u00adb", "\u00ad", "\u0627\u0031",
                                      "u\u0308", "\u0221"])
def test_passwords_beyond_ascii(make_pool, server, password):
    """SASLprep changes some of them, and forbids others; libpq and PostgreSQL do the same."""
    with server.connect() as conn:
        conn.execute(f"ALTER ROLE tenant PASSWORD '{password}'")
    pool = make_pool(server, auth_type="scram-sha-256", secrets={"tenant": password})
    assert who(pool, "tenant", password) == "tenant/tenant"
    assert WRONG.format("tenant") in refused(pool, "tenant", password + "x")


def test_passwords_that_are_none(make_pool, server):
    pool = make_pool(server, auth_type="plain", secrets={"ann": MARKER + "ann", "empty": ""})
    for user, body, text in [("ann", b"\0", "empty password returned by client"),
                             ("empty", b"\0", "empty password returned by client"),
                             ("ann", b"", "invalid password packet size"),
                             ("ann", b"x\0y\0", "invalid password packet size"),
                             ("ann", b"x" * 65534 + b"\0", "invalid message length"),
                             ("ann", b"x" * 9000 + b"\0", WRONG.format("ann"))]:
        with wire.Raw(pool.target) as raw:
            raw.send(wire.startup(user))
            assert raw.receive().kind == "R"
            raw.send(wire.password(body))
            error = raw.receive()
            assert (error.kind, error.fields()["M"]) == ("E", text)
            assert error.sqlstate in ("28P01", "08P01")
            assert raw.rest(2) == b""


def test_hba_file(make_pool, server):
    rules = """
local   all         postgres            peer
local   all         all                 scram-sha-256
host    postgres    ann    127.0.0.1/32 scram-sha-256
host    other       ann    127.0.0.1/32 reject
host    all         bob    10.0.0.0/8   trust
host    all         md5er  all          md5
hostssl all         tenant all          trust
"""
    pool = make_pool(server, auth_type="hba", auth_hba_file="hba.conf",
                     files={"hba.conf": rules},
                     secrets={"postgres": "", "ann": MARKER + "ann", "bob": MARKER + "bob",
                              "md5er": verifier(server, "md5er"), "tenant": MARKER + "tenant"})
    assert who(pool, "ann", MARKER + "ann") == "ann/ann"
    assert "login rejected" in refused(pool, "ann", MARKER + "ann", database="other")
    assert "login rejected" in refused(pool, "bob", MARKER + "bob")
    assert "login rejected" in refused(pool, "tenant", MARKER + "tenant")
    assert who(pool, "md5er", MARKER + "md5er") == "md5er/md5er"
    assert who(pool, "bob", MARKER + "bob", host=str(pool.folder)) == "bob/bob"
    # peer: the system's user says who it is
    as_server = {"user": pool.account.pw_uid, "group": pool.account.pw_gid, "extra_groups": []} if pool.account else {}
    command = ["psql", "-XAtq", "-d", pool.conninfo(host=str(pool.folder)), "-c", "SELECT current_user"]
    name = pool.account.pw_name if pool.account else None
    if name == "postgres":
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120, **as_server)
        assert done.stdout == "postgres\n", done.stderr
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
        assert 'Peer authentication failed for user "postgres"' in done.stderr


def test_forced_user(make_pool, server):
    """[databases] user=: whoever comes is that user there, with what the configuration knows of it alone."""
    pool = make_pool(server, auth_type="scram-sha-256", default_pool_size=1,
                     databases={"given": "{server} dbname=postgres user=bob password=" + MARKER + "bob",
                                "listed": "{server} dbname=postgres user=ann",
                                "unlisted": "{server} dbname=postgres user=later",
                                "*": "{server}"},
                     secrets={"ann": MARKER + "ann", "tenant2": "other"})
    assert who(pool, "tenant2", "other", database="given") == "bob/bob"
    assert who(pool, "ann", MARKER + "ann", database="given") == "bob/bob"
    assert who(pool, "tenant2", "other", database="listed") == "ann/ann"
    text = refused(pool, "tenant2", "other", database="unlisted")
    assert "none is known" in text and "later" in text
    assert WRONG.format("tenant2") in refused(pool, "tenant2", "wrong", database="given")
    # one pool, here of one server, for the forced user, whoever asks
    pids = set()
    for user, password in (("ann", MARKER + "ann"), ("tenant2", "other")) * 3:
        with login(pool, user, password, database="given") as conn:
            pids.add(conn.execute("SELECT pg_backend_pid()").fetchone()[0])
    assert len(pids) == 1


@pytest.fixture
def asking(make_pool, server):
    """A pooler that asks the server for secrets."""
    with server.connect() as conn:
        conn.execute(f"ALTER ROLE tenant LOGIN PASSWORD '{MARKER}tenant'")
    return make_pool(server, auth_type="scram-sha-256", auth_user="auth", secrets={"auth": MARKER + "auth"},
                     verbose=3)


def test_auth_query(asking):
    for user in ("ann", "tenant", "later"):
        assert who(asking, user, MARKER + user) == f"{user}/{user}"
        assert WRONG.format(user) in refused(asking, user, "wrong")
        assert who(asking, user, MARKER + user) == f"{user}/{user}"
    assert who(asking, "auth", MARKER + "auth") == "auth/auth"


def test_auth_query_refuses(asking):
    for user in ("expired", "nologin", "nobody", "a'b", 'a"b', "a; DROP ROLE ann", "$1", "x" * 200):
        for password in (MARKER + user, "x", "wrong"):
            assert WRONG.format(user[:128]) in refused(asking, user, password)


def test_auth_query_follows_the_server(asking, server):
    """A changed password, NOLOGIN and a dropped role count for the next login."""
    with server.connect() as conn:
        conn.execute(f"CREATE ROLE passing LOGIN PASSWORD '{MARKER}1'")
        assert who(asking, "passing", MARKER + "1") == "passing/passing"
        conn.execute(f"ALTER ROLE passing PASSWORD '{MARKER}2'")
        time.sleep(0.5)
        assert WRONG.format("passing") in refused(asking, "passing", MARKER + "1")
        assert who(asking, "passing", MARKER + "2") == "passing/passing"
        # the server connections that there were are closed: new ones need the new keys
        ended = "SELECT count(*) = 0 FROM (SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'passing') AS x"
        wait_for(lambda: conn.execute(ended).fetchone()[0])
        time.sleep(0.2)
        assert who(asking, "passing", MARKER + "2") == "passing/passing"
        conn.execute("ALTER ROLE passing VALID UNTIL '2001-01-01'")
        assert WRONG.format("passing") in refused(asking, "passing", MARKER + "2")
        conn.execute("ALTER ROLE passing NOLOGIN VALID UNTIL 'infinity'")
        assert WRONG.format("passing") in refused(asking, "passing", MARKER + "2")
        conn.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'passing'")
        conn.execute("DROP ROLE passing")
        assert WRONG.format("passing") in refused(asking, "passing", MARKER + "2")


def test_auth_query_in_hostile_surroundings(make_pool, server, db):
    """Functions, operators and tables that shadow the catalog's, a search_path to find them, and names that are
    whole conninfos: auth_query is not misled, and nothing of it runs with its rights."""
    with server.connect() as conn:
        conn.execute("CREATE DATABASE hostile")
    try:
        with server.connect("hostile") as conn:
            conn.execute("GRANT ALL ON SCHEMA public TO ann")
            conn.execute("GRANT SELECT ON pg_catalog.pg_authid TO auth")
            conn.execute("SET ROLE ann")
            conn.execute("CREATE TABLE public.seen (who text)")
            conn.execute("GRANT INSERT ON public.seen TO PUBLIC")
            conn.execute("""CREATE FUNCTION public.evil(name, name) RETURNS boolean LANGUAGE plpgsql AS
                            $$BEGIN INSERT INTO public.seen VALUES (current_user); RETURN true; END$$""")
            conn.execute("CREATE OPERATOR public.= (LEFTARG = name, RIGHTARG = name, FUNCTION = public.evil)")
            conn.execute("CREATE VIEW public.pg_authid AS SELECT 'tenant'::name AS rolname, 'x'::text AS rolpassword,"
                         " NULL::timestamptz AS rolvaliduntil, true AS rolcanlogin")
            conn.execute("CREATE FUNCTION public.now() RETURNS timestamptz LANGUAGE plpgsql AS"
                         " $$BEGIN INSERT INTO public.seen VALUES (current_user); RETURN pg_catalog.now(); END$$")
            conn.execute("RESET ROLE")
            conn.execute("ALTER DATABASE hostile SET search_path = public, pg_catalog")
            conn.execute("ALTER ROLE auth SET search_path = public, pg_catalog")
        pool = make_pool(server, auth_type="scram-sha-256", auth_user="auth", secrets={"auth": MARKER + "auth"})
        more = {"options": "-c search_path=public,pg_catalog"}
        assert WRONG.format("tenant") in refused(pool, "tenant", "x", database="hostile", **more)
        assert who(pool, "tenant", MARKER + "tenant", database="hostile", **more) == "tenant/tenant"
        with server.connect("hostile") as conn:
            assert conn.execute("SELECT * FROM public.seen WHERE who = 'auth'").fetchall() == []
        # a database whose name is a conninfo must not send auth's password elsewhere
        with wire.socket.socket() as trap:
            trap.bind(("127.0.0.1", 0))
            trap.listen(5)
            trap.settimeout(1)
            name = f"host=127.0.0.1 port={trap.getsockname()[1]} dbname=postgres"
            with wire.Raw(pool.target) as raw:
                raw.send(wire.startup("tenant", name))
                assert raw.receive().kind in "ER"
            with pytest.raises(TimeoutError):
                trap.accept()
    finally:
        with server.connect() as conn:
            conn.execute("ALTER ROLE auth RESET search_path")
            conn.execute("DROP DATABASE hostile WITH (FORCE)")


def test_auth_dbname(make_pool, server):
    """auth_query is run in the database of [databases] that auth_dbname names."""
    pool = make_pool(server, auth_type="scram-sha-256", auth_user="auth", auth_dbname="authdb",
                     auth_query="SELECT u, p FROM public.lookup($1)",
                     databases={"authdb": "{server} dbname=postgres", "t1": "{server} dbname=template1"},
                     secrets={"auth": MARKER + "auth"})
    assert who(pool, "ann", MARKER + "ann", database="t1") == "ann/ann"
    assert WRONG.format("ann") in refused(pool, "ann", "wrong", database="t1")
    # one that answers for another user than was asked for is not believed
    pool = make_pool(server, auth_type="scram-sha-256", auth_user="auth",
                     auth_query="SELECT 'bob'::text, (SELECT p FROM public.lookup('bob')) WHERE $1::text IS NOT NULL",
                     secrets={"auth": MARKER + "auth"})
    assert WRONG.format("ann") in refused(pool, "ann", MARKER + "bob")


def test_unknown_user_takes_as_long(asking):
    """Same text, and about the same time, as for a wrong password; in turns, for the machine may be busy."""
    for _ in range(5):
        times = {"ann": [], "no_such_user": []}
        for _ in range(20):
            for user, taken in times.items():
                started = time.perf_counter()
                text = refused(asking, user, "wrong")
                taken.append(time.perf_counter() - started)
                assert WRONG.format(user) in text
        known, unknown = (statistics.median(taken) for taken in times.values())
        if 0.5 < known / unknown < 2:
            return
    pytest.fail(f"{known} and {unknown} s")


def test_failures_are_kept_apart(asking):
    """40 logins at once, half of them wrong: each gets its own answer."""
    def one(i):
        user = ("ann", "bob", "later", "nobody")[i % 4]
        good = i % 8 < 4 and user != "nobody"
        try:
            return who(asking, user, MARKER + user if good else "wrong") == f"{user}/{user}" and good
        except psycopg.OperationalError as error:
            return not good and WRONG.format(user) in str(error)
    with concurrent.futures.ThreadPoolExecutor(10) as threads:
        assert all(threads.map(one, range(40)))


def test_no_secret_is_shown(make_pool, server, cluster):
    """A password is in no log line at any verbosity, in no answer and in no argument."""
    pool = make_pool(server, auth_type="plain", verbose=3, log_connections=1, log_disconnections=1,
                     databases={"forced": "{server} dbname=postgres user=bob password=" + MARKER + "bob",
                                "wrong": "{server} dbname=postgres user=bob password=" + MARKER + "wrong",
                                "*": "{server}"},
                     auth_user="auth", secrets={"auth": MARKER + "auth", "ann": MARKER + "ann"})
    answers = []
    for user, password, database in [("ann", MARKER + "ann", "postgres"), ("ann", MARKER + "no", "postgres"),
                                     ("bob", MARKER + "bob", "postgres"), ("ann", MARKER + "ann", "forced"),
                                     ("ann", MARKER + "ann", "wrong"), ("x", MARKER + "x", "postgres")]:
        with wire.Raw(pool.target) as raw:
            raw.send(wire.startup(user, database))
            answers.append(raw.receive().data)
            raw.send(wire.password(wire.cstring(password)))
            answers.append(b"".join(m.data for m in raw.receive_until("ZE")))
    with wire.Raw(pool.target) as raw:
        raw.send(wire.startup("ann", application_name=MARKER + "app"))
        raw.send(wire.password(wire.cstring(MARKER + "ann")))
        answers.append(b"".join(m.data for m in raw.receive_until("ZE")))
    log = pool.log_path.read_text(errors="replace")
    assert log.count("\n") > 10
    for line in log.splitlines() + [a.decode(errors="replace") for a in answers]:
        line = line.replace(MARKER + "app", "")
        assert MARKER not in line, line
    assert MARKER.encode() not in pathlib.Path(f"/proc/{pool.process.pid}/cmdline").read_bytes()
    assert MARKER not in server.log(10000).replace(MARKER + "app", "")


# Parameters of the startup packet

PARAMETERS = [
    ({"options": "-c work_mem=123kB -c enable_sort=off"}, "work_mem", "123kB"),
    ({"options": "-c work_mem=123kB --enable-sort=off"}, "enable_sort", "off"),
    ({"options": r'-c search_path="a\ b"'}, "search_path", '"a b"'),
    ({"search_path": "pg_catalog"}, "search_path", "pg_catalog"),
    ({"extra_float_digits": "-3"}, "extra_float_digits", "-3"),
    ({"client_encoding": "latin1"}, "client_encoding", "LATIN1"),
    ({"client_encoding": "utf-8"}, "client_encoding", "UTF8"),
    ({"DateStyle": "German"}, "DateStyle", "German, DMY"),
    ({"TimeZone": "Asia/Tokyo"}, "TimeZone", "Asia/Tokyo"),
    ({"IntervalStyle": "iso_8601"}, "IntervalStyle", "iso_8601"),
    ({"application_name": "a'b\\c ü"}, "application_name", "a'b\\c ??"),
    ({"statement_timeout": "12345"}, "statement_timeout", "12345ms"),
    ({"my.tenant": "tenant 'one' \\ ü"}, "my.tenant", "tenant 'one' \\ ü"),
    ({"standard_conforming_strings": "off"}, "standard_conforming_strings", "off"),
    ({"my.long": "x" * 9000}, "my.long", "x" * 9000),
]


@pytest.mark.parametrize("mode", ["transaction", "session"])
def test_startup_parameters(make_pool, cluster, mode):
    """Each client has its own, on whatever server; nobody else sees them."""
    pool = make_pool(pool_mode=mode, default_pool_size=3 if mode == "transaction" else 30)
    conns = [(pool.connect(**given), name, value) for given, name, value in PARAMETERS]
    plain = pool.connect()
    with wire.Connection((str(cluster.folder), cluster.settings["port"])) as direct:
        standard = {name: direct.scalar(f"SELECT current_setting('{name}', true)") for _, name, _ in conns}
    for _ in range(2):
        for conn, name, value in conns:
            assert conn.scalar(f"SHOW {name}") == value
            for report in ("client_encoding", "DateStyle", "TimeZone", "IntervalStyle", "application_name"):
                if name == report:
                    assert conn.parameters[report] == value
            found = plain.scalar(f"SELECT current_setting('{name}', true)")
            assert found in (standard[name], "" if standard[name] is None else None), name
    # RESET goes back to what the packet said
    conn, name, value = conns[0]
    conn.query("SET work_mem = '1MB'")
    conn.query("RESET work_mem")
    if mode == "session":
        assert conn.scalar("SHOW work_mem") in (value, standard["work_mem"])
    for conn, _, _ in conns:
        conn.close()


@pytest.mark.parametrize("parameters", [
    {"no_such_parameter": "1"}, {"work_mem": "lots"}, {"options": "-c no_such=1"}, {"TimeZone": "Mars/Phobos"},
    {"client_encoding": "klingon"}, {"max_connections": "5"}, {"DateStyle": "x"}, {"statement_timeout": "-5"}])
@pytest.mark.parametrize("mode", ["transaction", "session"])
def test_wrong_startup_parameters(make_pool, cluster, parameters, mode):
    """Refused with PostgreSQL's own code and words, at the cost of no server."""
    pool = make_pool(pool_mode=mode, default_pool_size=1)
    with pool.connect() as conn:
        pid = conn.scalar("SELECT pg_backend_pid()")
    answers = []
    for target in (pool.target, (str(cluster.folder), cluster.settings["port"])):
        with pytest.raises(wire.Failed) as caught:
            wire.Connection(target, **parameters)
        error = next(m for m in caught.value.answer if m.kind == "E").fields()
        answers.append((error["V"], error["C"], error["M"]))
    assert answers[0] == answers[1]
    with pool.connect() as conn:
        assert conn.scalar("SELECT pg_backend_pid()") == pid


def test_application_name_add_host(make_pool):
    pool = make_pool(application_name_add_host=1)
    for given, shown in (({}, "app"), ({"application_name": "shop"}, "shop")):
        with pool.connect(**given) as conn:
            port = conn.sock.getsockname()[1]
            assert conn.scalar("SHOW application_name") == f"{shown} - 127.0.0.1:{port}"
    with wire.Connection(pool.unix, application_name="shop") as conn:
        assert re.fullmatch(r"shop - unix\(\d+\)", conn.scalar("SHOW application_name"))


def test_login_notify_message(make_pool):
    pool = make_pool(login_notify_message="Hello, you are pooled")
    with pool.connect() as conn:
        notices = [m.fields()["M"] for m in conn.greeting if m.kind == "N"]
        assert notices == ["Hello, you are pooled"]
