"""What one client leaves in its session is never seen by another in transaction mode, and always by itself.

Each kind of state is looked at while its owner is still connected and after it has gone, with a pool of one
server (where every client gets that one, or waits for it) and of three.
"""

import collections
import time

import pytest

import wire

# make: statements of the owner (or a function of its connection). look: what shows the state. mine: what the
# owner then sees; what another sees must be what a fresh direct session sees. login: startup parameters.
Kind = collections.namedtuple("Kind", "name make look mine login", defaults=[{}])

LOCKS = ("SELECT count(*) FROM pg_catalog.pg_locks WHERE locktype = 'advisory' AND pid = pg_catalog.pg_backend_pid()"
         " AND objid = {}")


def protocol_parse(conn):
    answer = conn.run(wire.parse("mine", "SELECT 'parsed'"), wire.sync())
    assert [m.kind for m in answer] == ["1", "Z"], answer


def protocol_look(conn):
    answer = conn.run(wire.bind("", "mine"), wire.execute(), wire.sync())
    return [m.cells() for m in answer if m.kind == "D"] or [m.sqlstate for m in answer if m.kind == "E"]


def extended_set(conn):
    conn.fetch("SET work_mem = '333kB'")


def bound_set_config(conn):
    conn.fetch("SELECT pg_catalog.set_config($1, $2, false)", "app.tenant", "bound")


def prepared_set_config(conn):
    conn.fetch("SELECT pg_catalog.set_config($1, $2, false)", "app.tenant", "first", name="sc")
    conn.run(wire.bind("", "sc", ["app.tenant", "second"]), wire.execute(), wire.sync())


KINDS = [
    Kind("set", ["SET work_mem = '123kB'"], "SHOW work_mem", [["123kB"]]),
    Kind("set extended", extended_set, "SHOW work_mem", [["333kB"]]),
    Kind("set session", ["SET SESSION work_mem TO '124kB'"], "SHOW work_mem", [["124kB"]]),
    Kind("set in transaction", ["BEGIN", "SET work_mem = '125kB'", "COMMIT"], "SHOW work_mem", [["125kB"]]),
    Kind("set in one text", ["BEGIN; SET work_mem = '126kB'; COMMIT"], "SHOW work_mem", [["126kB"]]),
    Kind("set rolled back", ["SET work_mem = '127kB'", "BEGIN", "SET work_mem = '128kB'", "ROLLBACK"],
         "SHOW work_mem", [["127kB"]]),
    Kind("set and a failure", ["SET work_mem = '129kB'", "!SELECT 1/0"], "SHOW work_mem", [["129kB"]]),
    Kind("set behind a comment", ["/* x */ SeT -- y\n work_mem = '130kB'"], "SHOW work_mem", [["130kB"]]),
    Kind("search_path", ["SET search_path = other, public"], "SELECT what FROM place", [["other"]]),
    Kind("set role", ["SET ROLE lodger"], "SELECT current_user", [["lodger"]]),
    Kind("session authorization", ["SET SESSION AUTHORIZATION lodger"], "SELECT session_user", [["lodger"]]),
    Kind("set_config", ["SELECT pg_catalog.set_config('work_mem', '131kB', false)"], "SHOW work_mem", [["131kB"]]),
    Kind("update pg_settings", ["UPDATE pg_catalog.pg_settings SET setting = '132' WHERE name = 'work_mem'"],
         "SHOW work_mem", [["132kB"]]),
    Kind("tenant", ["SELECT set_config('app.tenant', 'red', false)"],
         "SELECT coalesce(current_setting('app.tenant', true), '')", [["red"]]),
    Kind("tenant by SET", ["SET app.tenant = 'blue'"], "SELECT coalesce(current_setting('app.tenant', true), '')",
         [["blue"]]),
    Kind("tenant bound", bound_set_config, "SELECT coalesce(current_setting('app.tenant', true), '')", [["bound"]]),
    Kind("tenant prepared", prepared_set_config, "SELECT coalesce(current_setting('app.tenant', true), '')",
         [["second"]]),
    Kind("tenant and row security", ["SET ROLE lodger", "SELECT set_config('app.tenant', 'red', false)"],
         "SELECT string_agg(thing, ',' ORDER BY thing) FROM owned", [["ball,rose"]]),
    Kind("read only", ["SET default_transaction_read_only = on"], "SHOW transaction_read_only", [["on"]]),
    Kind("session characteristics", ["SET SESSION CHARACTERISTICS AS TRANSACTION ISOLATION LEVEL SERIALIZABLE"],
         "SHOW transaction_isolation", [["serializable"]]),
    Kind("statement_timeout", ["SET statement_timeout = '55s'"], "SHOW statement_timeout", [["55s"]]),
    Kind("row_security", ["SET row_security = off"], "SHOW row_security", [["off"]]),
    Kind("client_encoding", ["SET client_encoding = 'LATIN1'"], "SHOW client_encoding", [["LATIN1"]]),
    Kind("set names", ["SET NAMES 'LATIN2'"], "SHOW client_encoding", [["LATIN2"]]),
    Kind("time zone", ["SET TIME ZONE 'Asia/Tokyo'"], "SHOW TimeZone", [["Asia/Tokyo"]]),
    Kind("datestyle", ["SET DateStyle = 'German'"], "SELECT date '2020-01-02'", [["02.01.2020"]]),
    Kind("standard_conforming_strings", ["SET standard_conforming_strings = off"], r"SELECT length('a\\b')", [["3"]]),
    Kind("application_name", ["SET application_name = 'mine'"], "SHOW application_name", [["mine"]]),
    Kind("temp table", ["CREATE TEMP TABLE place AS SELECT 'temp' AS what"], "SELECT what FROM place", [["temp"]]),
    Kind("temp table by pg_temp", ["CREATE TABLE pg_temp.place AS SELECT 'temp' AS what"], "SELECT what FROM place",
         [["temp"]]),
    Kind("select into temp", ["SELECT 'temp' AS what INTO TEMP place"], "SELECT what FROM place", [["temp"]]),
    Kind("temp view", ["CREATE TEMP VIEW place AS SELECT 'view' AS what"], "SELECT what FROM place", [["view"]]),
    Kind("temp function", ["CREATE FUNCTION pg_temp.mine() RETURNS int LANGUAGE sql AS 'SELECT 7'"],
         "SELECT count(*) FROM pg_proc WHERE proname = 'mine' AND pronamespace = pg_my_temp_schema()", [["1"]]),
    Kind("temp sequence", ["CREATE TEMP SEQUENCE q START 50"], "SELECT nextval('q') >= 50", [["t"]]),
    Kind("prepare", ["PREPARE p AS SELECT 'prepared'"], "EXECUTE p", [["prepared"]]),
    Kind("protocol parse", protocol_parse, protocol_look, [["parsed"]]),
    Kind("advisory lock", ["SELECT pg_advisory_lock(77)"], LOCKS.format(77), [["1"]]),
    Kind("shared advisory lock", ["SELECT pg_advisory_lock_shared(78)"], LOCKS.format(78), [["1"]]),
    Kind("try advisory lock", ["SELECT pg_try_advisory_lock(0, 79)"], LOCKS.format(79), [["1"]]),
    Kind("listen", ["LISTEN gossip"], "SELECT string_agg(c, ',') FROM pg_listening_channels() c", [["gossip"]]),
    Kind("with hold", ["DECLARE held CURSOR WITH HOLD FOR SELECT 5"], "SELECT count(*) FROM pg_cursors", [["1"]]),
    # A client is known to read its sequences' values once it has done so.
    Kind("lastval", ["!SELECT lastval()", "SELECT nextval('numbers')"], "SELECT lastval() > 0", [["t"]]),
    Kind("lastval of a serial", ["!SELECT lastval()", "INSERT INTO counted (v) VALUES (1)"], "SELECT lastval() > 0", [["t"]]),
    Kind("currval", ["!SELECT currval('numbers')", "SELECT nextval('numbers')"], "SELECT currval('numbers') > 0", [["t"]]),
    Kind("open transaction", ["BEGIN", "INSERT INTO marks VALUES (1)"], "SELECT count(*) FROM marks", [["1"]]),
    Kind("failed transaction", ["BEGIN", "!SELECT 1/0"], "SELECT 1", ["25P02"]),
    Kind("local in a transaction", ["BEGIN", "SET LOCAL work_mem = '140kB'"], "SHOW work_mem", [["140kB"]]),
    Kind("do block", ["DO $$ BEGIN PERFORM set_config('work_mem', '141kB', false); END $$"], "SHOW work_mem",
         [["141kB"]]),
    Kind("do block with a lock", ["DO $$ BEGIN PERFORM pg_advisory_lock(80); END $$"], LOCKS.format(80), [["1"]]),
    Kind("do block with a temp table", ["DO $$ BEGIN CREATE TEMP TABLE place AS SELECT 'do' AS what; END $$"],
         "SELECT what FROM place", [["do"]]),
    Kind("options at startup", [], "SHOW work_mem", [["150kB"]], {"options": "-c work_mem=150kB"}),
    Kind("search_path at startup", [], "SELECT what FROM place", [["other"]], {"search_path": "other,public"}),
    Kind("tenant at startup", [], "SELECT coalesce(current_setting('app.tenant', true), '')", [["green"]],
         {"options": "-c app.tenant=green"}),
    Kind("tenant at startup and a setting", ["SET work_mem = '151kB'", "SET app.other = 'x'"],
         "SELECT coalesce(current_setting('app.tenant', true), '') || coalesce(current_setting('app.other', true), '')",
         [["limex"]], {"options": "-c app.tenant=lime"}),
    Kind("application_name at startup", [], "SHOW application_name", [["started"]], {"application_name": "started"}),
    Kind("time zone at startup", [], "SHOW TimeZone", [["Asia/Tokyo"]], {"TimeZone": "Asia/Tokyo"}),
    Kind("float digits at startup", [], "SELECT 1.1::float4 / 3::float4", [["0.37"]], {"extra_float_digits": "-4"}),
]
SCHEMA = """
CREATE TABLE place AS SELECT 'public' AS what;
CREATE SCHEMA other;
CREATE TABLE other.place AS SELECT 'other' AS what;
CREATE SEQUENCE numbers;
CREATE TABLE counted (id serial, v int);
CREATE TABLE marks (n int);
CREATE TABLE owned (tenant text, thing text);
INSERT INTO owned VALUES ('red', 'rose'), ('red', 'ball'), ('blue', 'sky');
ALTER TABLE owned ENABLE ROW LEVEL SECURITY;
CREATE POLICY own ON owned USING (tenant = current_setting('app.tenant', true));
DO $$ BEGIN CREATE ROLE lodger; EXCEPTION WHEN duplicate_object THEN NULL; END $$;
GRANT ALL ON ALL TABLES IN SCHEMA public TO lodger;
GRANT ALL ON SCHEMA other TO lodger;
GRANT ALL ON ALL TABLES IN SCHEMA other TO lodger;
"""
# A pool of one whose server is pinned has none for others: they wait, and are told so.
WAIT_S = 0.3


def make(conn, kind):
    if callable(kind.make):
        kind.make(conn)
        return
    for statement in kind.make:
        try:
            conn.query(statement.lstrip("!"))
        except wire.Failed:
            if not statement.startswith("!"):
                raise


def look(conn, kind):
    """Rows, or the SQLSTATE of the failure."""
    if callable(kind.look):
        return kind.look(conn)
    try:
        return conn.query(kind.look)
    except wire.Failed as error:
        return [error.sqlstate]


@pytest.fixture(scope="module")
def house(cluster):
    """A database, made once."""
    cluster.start()
    database = cluster.new_database("leaks", SCHEMA)
    yield database
    database.drop()


@pytest.fixture
def tenants(house, cluster, make_pool):
    def start(wait_s=60, **settings):
        pool = make_pool(query_wait_timeout=wait_s, **settings)
        direct = (str(cluster.folder), cluster.settings["port"])
        return pool, lambda **more: wire.Connection(direct, database=house.name, **more), \
            lambda **more: pool.connect(house.name, **more)
    return start


def seen_by_others(client, kind, count):
    """What so many new clients see at once, each with a server of its own where there are so many; None for one
    that got none."""
    found, others = [], []
    try:
        for _ in range(count):
            try:
                others.append(client())
                found.append(look(others[-1], kind))
                if found[-1] == ["08P01"]:  # query_wait_timeout
                    found[-1] = None
            except wire.Failed as error:
                if "query_wait_timeout" not in str(error):
                    raise
                found.append(None)
    finally:
        for other in others:
            other.close()
    return found


def test_the_matrix_holds_without_a_pooler(house, cluster):
    """Each kind of state is visible to its owner, and a fresh session sees something else."""
    target = (str(cluster.folder), cluster.settings["port"])
    for kind in KINDS:
        with wire.Connection(target, database=house.name) as fresh:
            clean = look(fresh, kind)
        assert clean != kind.mine, kind.name
        with wire.Connection(target, database=house.name, **kind.login) as owner:
            make(owner, kind)
            for _ in range(2):
                assert look(owner, kind) == kind.mine, kind.name


@pytest.mark.parametrize("size", [1, 3])
def test_nothing_leaks_while_the_owner_is_connected(tenants, size):
    wrong = []
    pool, direct, client = tenants(WAIT_S, default_pool_size=size, max_db_connections=size)
    for kind in KINDS:
        with direct() as fresh:
            clean = look(fresh, kind)
        for last in (False, False, False, False, True):
            found, late = beside_its_owner(client, kind, size, clean)
            if last or not late:  # a machine that others use may give nobody a server in time
                wrong += found + late
                break
    assert not wrong, "\n".join(wrong)


def beside_its_owner(client, kind, size, clean):
    """What is wrong with what others see, and what is wrong only if there was time enough."""
    wrong, late, owner = [], [], None
    try:
        owner = client(**kind.login)
        make(owner, kind)
        for _ in range(2):
            others = seen_by_others(client, kind, size)
            wrong += [f"{kind.name}: another sees {o}, not {clean}" for o in others if o not in (clean, None)]
            if size > 1 and all(o is None for o in others):
                late.append(f"{kind.name}: nobody else is served")
            mine = look(owner, kind)
            if mine != kind.mine:
                (late if mine == ["08P01"] else wrong).append(f"{kind.name}: its owner sees {mine}, not {kind.mine}")
    except (wire.Failed, wire.Closed, TimeoutError) as error:
        late.append(f"{kind.name}: {type(error).__name__}: {error}")
    finally:
        if owner:
            owner.close()
    return wrong, late


@pytest.mark.parametrize("size", [1, 3])
@pytest.mark.parametrize("how", ["end", "close", "abort"])
def test_nothing_leaks_when_the_owner_has_gone(tenants, size, how):
    wrong = []
    pool, direct, client = tenants(default_pool_size=size, max_db_connections=size)
    for kind in KINDS:
        with direct() as fresh:
            clean = look(fresh, kind)
        try:
            for _ in range(size):
                owner = client(**kind.login)
                make(owner, kind)
                getattr(owner, how)()
            for seen in seen_by_others(client, kind, size):
                if seen != clean:
                    wrong.append(f"{kind.name}: another sees {seen}, not {clean}")
        except (wire.Failed, wire.Closed, TimeoutError) as error:
            wrong.append(f"{kind.name}: {type(error).__name__}: {error}")
    assert not wrong, "\n".join(wrong)


# What a function does out of sight: the statement's text shows nothing of it, and strict is for this.
HIDDEN = """
CREATE FUNCTION busy() RETURNS int LANGUAGE plpgsql SET search_path = pg_catalog AS $$
BEGIN
    PERFORM set_config('work_mem', '152kB', false), set_config('app.tenant', 'hidden', false), pg_advisory_lock(81);
    CREATE TEMP TABLE hidden_place AS SELECT 'hidden' AS what;
    LISTEN whispers;
    RETURN nextval('public.numbers');
END $$;
"""
OUT_OF_SIGHT = {
    "SHOW work_mem": [["152kB"]],
    "SELECT coalesce(current_setting('app.tenant', true), '')": [["hidden"]],
    LOCKS.format(81): [["1"]],
    "SELECT what FROM hidden_place": [["hidden"]],
    "SELECT count(*) FROM pg_listening_channels()": [["1"]],
    "SELECT lastval() > 0": [["t"]],
}


@pytest.mark.parametrize("how", [None, "close"])
def test_strict_covers_what_functions_do(house, tenants, how):
    """With the owner connected (how is None) and gone."""
    pool, direct, client = tenants(default_pool_size=1, max_db_connections=1, strict=1)
    with direct() as fresh:
        if not fresh.query("SELECT 1 FROM pg_proc WHERE proname = 'busy'"):
            fresh.query(HIDDEN)
    for text, seen in OUT_OF_SIGHT.items():
        kind = Kind("out of sight", ["SELECT public.busy()"], text, seen)
        with direct() as fresh:
            clean = look(fresh, kind)
            make(fresh, kind)
            assert look(fresh, kind) == seen != clean, text
        owner = client()
        make(owner, kind)
        if how:
            getattr(owner, how)()
        with client() as other:
            assert look(other, kind) == clean, text
        if not how:
            owner.end()


@pytest.mark.parametrize("how", [None, "end"])
def test_sequence_values_of_who_never_read_them(tenants, how):
    """nextval() alone pins nobody, and still its value is not another's lastval()."""
    pool, direct, client = tenants(default_pool_size=1, max_db_connections=1)
    for text in ("SELECT lastval()", "SELECT currval('numbers')"):
        owner = client()
        owner.query("SELECT nextval('numbers')")
        if how:
            getattr(owner, how)()
        with client() as other:
            assert look(other, Kind("sequence", [], text, None)) == ["55000"], text
        if not how:
            owner.end()


def test_tenants_side_by_side_see_their_own(tenants):
    """Twenty clients on three servers, each with its own settings, in turn."""
    pool, direct, client = tenants(default_pool_size=3)
    clients = [client(application_name=f"app{i}") for i in range(20)]
    for i, conn in enumerate(clients):
        conn.query(f"SELECT set_config('app.tenant', 'tenant {i}', false)")
        conn.query(f"SET work_mem = '{100 + i}kB'")
        protocol_name = f"SELECT '{i}' || $1"
        conn.run(wire.parse("same", protocol_name), wire.sync())
    for turn in range(10):
        for i, conn in enumerate(clients):
            if turn == 5:
                conn.query(f"SET work_mem = '{200 + i}kB'")
            assert conn.query("SELECT current_setting('app.tenant'), current_setting('work_mem'), "
                              "current_setting('application_name')") == [
                [f"tenant {i}", f"{(200 if turn >= 5 else 100) + i}kB", f"app{i}"]]
            answer = conn.run(wire.bind("", "same", ["x"]), wire.execute(), wire.sync())
            assert [m.cells() for m in answer if m.kind == "D"] == [[f"{i}x"]]
    for conn in clients:
        conn.end()


def test_a_listener_hears(tenants):
    """Also when nothing runs on its own connection."""
    pool, direct, client = tenants(default_pool_size=3)
    with client() as listener, client() as other:
        listener.query("LISTEN gossip")
        for i in range(5):
            other.query(f"NOTIFY gossip, 'news {i}'")
            heard = listener.receive()
            assert (heard.kind, heard.body[4:]) == ("A", f"gossip\0news {i}\0".encode())
        listener.query("UNLISTEN gossip")
        other.query("NOTIFY gossip, 'late'")
        listener.sock.settimeout(0.2)
        with pytest.raises(TimeoutError):
            listener.receive()


def test_a_pin_ends_with_its_reason(tenants):
    """A pool of one serves others again once the state that pinned it is gone."""
    pool, direct, client = tenants(default_pool_size=1)
    pairs = [("CREATE TEMP TABLE x (a int)", "DROP TABLE x"), ("SELECT pg_advisory_lock(5)",
             "SELECT pg_advisory_unlock(5)"), ("LISTEN a", "UNLISTEN a"), ("PREPARE p AS SELECT 1", "DEALLOCATE p"),
             ("DECLARE c CURSOR WITH HOLD FOR SELECT 1", "CLOSE c"), ("CREATE TEMP TABLE y (a int)", "DISCARD ALL")]
    with client() as owner, client() as other:
        for pin, unpin in pairs:
            owner.query(pin)
            owner.query(unpin)
            assert other.query("SELECT 1") == [["1"]], pin
