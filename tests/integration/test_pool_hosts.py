"""Where servers are: several hosts, names whose addresses change, name servers that are slow, and auth_query on the
way to all of them."""

import socket
import time

import psycopg
import pytest
import wire
from conftest import preloaded
from pooling import wait_for

import cluster as clusters

PASSWORD = "Geheim-7f3aXq"
ONE, OTHER, NOBODY = "127.0.0.1", "127.0.0.2", "127.0.0.3"
WHERE = "SELECT host(inet_server_addr())"


@pytest.fixture(scope="module")
def server():
    """A cluster at two addresses of the loopback; ann and auth log in with a password."""
    with clusters.Cluster(settings={"listen_addresses": f"{ONE},{OTHER}", "port": clusters.free_port()}) as made:
        (made.data / "pg_hba.conf").write_text("local all all trust\nhost all postgres 127.0.0.0/8 trust\n"
                                               "host all all 127.0.0.0/8 scram-sha-256\n")
        made.start()
        with made.connect() as conn:
            for name in ("ann", "auth"):
                conn.execute(f"CREATE ROLE {name} LOGIN PASSWORD '{PASSWORD}{name}'")
            conn.execute("GRANT SELECT ON pg_authid TO auth")
        yield made


class Names:
    """What names the name server of a pooler knows (helpers/names.c)."""

    def __init__(self):
        self.known, self.pool = {}, None

    def text(self):
        return "".join(f"{name}.test {addresses}\n" for name, addresses in self.known.items())

    def say(self, **addresses):
        self.known.update(addresses)
        if self.pool:
            fresh = self.pool.folder / "names.new"
            fresh.write_text(self.text())
            fresh.chmod(0o644)
            fresh.rename(self.pool.folder / "names")


@pytest.fixture
def names(make_pool):
    known = Names()
    yield known
    known.say(**dict.fromkeys(known.known, ""))  # nobody waits for an answer any more


@pytest.fixture
def named(make_pool, server, names):
    """Makes the pooler that asks the name server: named({"db": "host=db.test"}, ...)."""
    def make(databases, **settings):
        port = server.settings["port"]
        names.pool = make_pool(server, env=preloaded("names", PGMT_NAMES="names"), files={"names": names.text()},
                               databases={k: f"{v} port={port} dbname=postgres" for k, v in databases.items()},
                               **settings)
        return names.pool
    return make


def seen(server, what="true"):
    """The backends of clients over TCP, with their addresses."""
    with server.connect() as conn:
        return conn.execute("SELECT pid, usename FROM pg_stat_activity WHERE client_addr IS NOT NULL AND "
                            f"usename IS NOT NULL AND {what}").fetchall()


def lookups(make_pool, server, **more):
    """A pooler that asks the server for secrets."""
    port = server.settings["port"]
    return make_pool(server, auth_type="scram-sha-256", auth_user="auth", secrets={"auth": PASSWORD + "auth"},
                     databases={"*": f"host={NOBODY},{ONE} port={port}", **more.pop("databases", {})}, **more)


def login(pool, database="postgres", **more):
    return psycopg.connect(pool.conninfo(database, user="ann", password=PASSWORD + "ann", connect_timeout=60, **more),
                           autocommit=True)


@pytest.mark.parametrize("how, used", [("round-robin", {ONE, OTHER}), ("disable", {ONE})])
def test_several_hosts(make_pool, server, how, used):
    line = f"host={ONE},{OTHER} port={server.settings['port']} dbname=postgres load_balance_hosts={how}"
    pool = make_pool(databases={"db": line}, default_pool_size=4, workers=1)
    conns = [pool.connect("db") for _ in range(4)]
    for conn in conns:
        conn.query("BEGIN")
    assert {conn.scalar(WHERE) for conn in conns} == used
    for conn in conns:
        conn.close()


@pytest.mark.parametrize("how", ["round-robin", "disable"])
def test_a_host_that_is_down(make_pool, server, how):
    line = f"host={NOBODY},{OTHER} port={server.settings['port']} dbname=postgres load_balance_hosts={how}"
    pool = make_pool(databases={"db": line}, default_pool_size=4)
    conns = [pool.connect("db") for _ in range(4)]
    for conn in conns:
        conn.query("BEGIN")
        assert conn.scalar(WHERE) == OTHER
    for conn in conns:
        conn.close()
    refused = pool.log_path.read_text().count(f"cannot connect to {NOBODY}")
    assert refused == 1 if how == "disable" else refused > 1  # that one stays with the host that was found


def test_who_leaves_a_host(make_pool, server):
    """A user who is not let in does not; replication that found nobody does."""
    line = f"port={server.settings['port']} dbname=postgres load_balance_hosts=disable"
    pool = make_pool(databases={"db": f"host={ONE},{OTHER} {line}", "down": f"host={NOBODY},{OTHER} {line}"},
                     secrets={"postgres": "", "ann": "wrong"})
    with pytest.raises(wire.Failed):
        pool.connect("db", user="ann")
    with pool.connect("db") as conn:
        assert conn.scalar(WHERE) == ONE
    with pytest.raises(wire.Failed):
        pool.connect("down", replication="database")
    with pool.connect("down", replication="database") as conn:
        assert conn.scalar("SHOW server_version")


def test_settings_of_a_database(make_pool, cluster):
    """connect_query, and what is asked of the server at the start, also where the client says something else."""
    with cluster.connect() as conn:
        conn.execute("CREATE TABLE IF NOT EXISTS public.connected (pid int)")
        conn.execute("TRUNCATE public.connected")
    line = ("{server} dbname=postgres connect_query='INSERT INTO public.connected VALUES (pg_backend_pid())' "
            "datestyle='SQL, DMY' timezone=Asia/Tokyo application_name=till client_encoding=LATIN1")
    pool = make_pool(databases={"db": line, "bad": "{server} dbname=postgres connect_query='SELECT 1/0' "
                                                  "query_wait_timeout=2"}, default_pool_size=1)
    with pool.connect("db") as conn:
        assert conn.scalar("SELECT count(*) FROM public.connected WHERE pid = pg_backend_pid()") == "1"
        for name, value in (("datestyle", "SQL, DMY"), ("timezone", "Asia/Tokyo"), ("application_name", "till"),
                            ("client_encoding", "LATIN1")):
            assert conn.scalar(f"SHOW {name}") == value
    with pool.connect("db", TimeZone="UTC", application_name="mine") as conn:
        assert (conn.scalar("SHOW timezone"), conn.scalar("SHOW application_name")) == ("UTC", "mine")
    with pool.connect("db") as conn:
        assert conn.scalar("SHOW timezone") == "Asia/Tokyo"
        assert conn.scalar("SELECT count(*) FROM public.connected") == "1"
    with pytest.raises(wire.Failed):
        pool.connect("bad").close()
    with cluster.connect() as conn:
        conn.execute("DROP TABLE public.connected")


def test_a_name_whose_address_changes(named, names, server):
    """Servers at the old address are closed when they are free, also while nobody connects; dns_zone_check_period
    says how often that is looked at."""
    names.say(db=ONE)
    pool = named({"db": "host=db.test"}, dns_zone_check_period=1, default_pool_size=2, workers=1)
    with pool.connect("db") as conn, pool.connect("db") as other:
        other.query("BEGIN")
        assert other.scalar(WHERE) == conn.scalar(WHERE) == ONE
        names.say(db=OTHER)
        wait_for(lambda: conn.scalar(WHERE) == OTHER)
        assert other.scalar(WHERE) == ONE  # its transaction is not broken
        other.query("COMMIT")
        assert other.scalar(WHERE) == OTHER
        names.say(db=f"{ONE} {OTHER}")  # one more: who is there stays
        pid = conn.scalar("SELECT pg_backend_pid()")
        wait_for(lambda: pool.console("SHOW DNS_HOSTS")[0]["addrs"] == f"{ONE},{OTHER}")
        assert conn.scalar("SELECT pg_backend_pid()") == pid
    assert pool.log().count("its host has other addresses now") == 1
    assert seen(server)
    names.say(db=NOBODY)
    wait_for(lambda: not seen(server))


def test_a_name_that_is_not_found_any_more(named, names):
    """The addresses that are known count on, of each name of a list by itself."""
    names.say(one=ONE, other=OTHER)
    pool = named({"db": "host=one.test,other.test load_balance_hosts=disable"}, dns_zone_check_period=1, dns_max_ttl=0,
                 default_pool_size=1)
    with pool.connect("db") as conn:
        pid = conn.scalar("SELECT pg_backend_pid()")
        names.say(one="")
        wait_for(lambda: "its host name cannot be resolved" in pool.log())
        assert (conn.scalar(WHERE), conn.scalar("SELECT pg_backend_pid()")) == (ONE, pid)
    assert "its host has other addresses now" not in pool.log()


def test_a_slow_name_server_holds_up_no_other_name(named, names):
    names.say(slow="?", fast=ONE)
    pool = named({"slow": "host=slow.test", "fast": "host=fast.test"}, server_connect_timeout=60)
    with wire.Raw(pool.target) as waiting:
        waiting.send(wire.startup("postgres", "slow"))
        with pool.connect("fast") as conn:
            assert conn.scalar("SELECT 1") == "1"
        names.say(slow=OTHER)
        assert waiting.receive_until("ZE")[-1].kind == "Z"


def test_a_reload_while_a_name_is_looked_up(named, names):
    """The new name is not kept waiting by the old one, nor is what comes of that one used."""
    names.say(old="?", new=ONE)
    pool = named({"db": "host=old.test"}, server_connect_timeout=60, workers=1)
    with wire.Raw(pool.target) as waiting:
        waiting.send(wire.startup("postgres", "db"))
        wait_for(lambda: "host name is not resolved" in pool.log())
        pool.databases["db"] = pool.databases["db"].replace("old", "new")
        pool.write_config()
        pool.console("RELOAD")
        assert waiting.receive_until("ZE")[-1].kind == "Z"
    names.say(old=OTHER)
    time.sleep(0.2)
    assert [row["hostname"] for row in pool.console("SHOW DNS_HOSTS")] == ["new.test"]
    with pool.connect("db") as conn:
        assert conn.scalar(WHERE) == ONE


def test_auth_query_asks_the_host_that_is_there(make_pool, server):
    pool = lookups(make_pool, server)
    for _ in range(3):
        with login(pool) as conn:
            assert conn.execute("SELECT current_user").fetchone() == ("ann",)
    assert pool.log().count("auth_query: connection to server") <= 1  # once it is known who answers


@pytest.mark.parametrize("how", ["until a timeout", "for ever"])
def test_auth_query_of_a_database_that_hangs(make_pool, server, how):
    """Its own logins get an answer after server_connect_timeout; it holds up nobody else's until then."""
    with socket.socket() as silent:
        silent.bind((ONE, 0))
        silent.listen(10)
        pool = lookups(make_pool, server, databases={"silent": f"host={ONE} port={silent.getsockname()[1]}"},
                       server_connect_timeout=3600 if how == "for ever" else 2)
        waiting = [wire.Raw(pool.target) for _ in range(5)]
        for raw in waiting:
            raw.send(wire.startup("ann", "silent"))
        taken, _ = silent.accept()
        if how == "for ever":
            login(pool).close()
            taken.close()
            silent.close()
        for raw in waiting:
            error = raw.receive()
            assert (error.kind, error.fields()["M"]) == ("E", "auth_query failed: the database could not be asked")
            raw.close()
        taken.close()


def test_auth_query_says_what_it_lacks(make_pool, server):
    pool = lookups(make_pool, server, auth_query="SELECT * FROM lookup($1)")
    with pytest.raises(psycopg.OperationalError):
        login(pool)
    assert "its search_path is pg_catalog, so names need their schema" in pool.log()


def test_auth_query_leaves_no_session_behind(make_pool, server):
    """After PAUSE, RECONNECT and server_idle_timeout there is none; who logs in during a PAUSE waits for RESUME."""
    pool = lookups(make_pool, server, admin_users="ann", auth_dbname="postgres")

    def asking():
        return [pid for pid, user in seen(server) if user == "auth"]

    def console(command):
        with login(pool, "pgbouncer") as conn:
            conn.execute(command)
    login(pool).close()
    first = asking()
    assert len(first) == 1
    console("RECONNECT")
    wait_for(lambda: not set(first) & set(asking()))
    console("PAUSE")  # and the console answers those whom auth_query knows
    wait_for(lambda: not seen(server))
    with wire.Raw(pool.target) as raw:
        raw.send(wire.startup("ann", "postgres"))
        raw.sock.settimeout(1)
        with pytest.raises(TimeoutError):
            raw.receive()
        raw.sock.settimeout(60)
        console("RESUME")
        assert raw.receive().kind == "R"
    wait_for(asking)
    pool.settings.update(server_idle_timeout=1)
    pool.write_config()
    console("RELOAD")
    began = time.monotonic()
    login(pool).close()
    wait_for(lambda: not asking())
    assert time.monotonic() - began > 0.5
