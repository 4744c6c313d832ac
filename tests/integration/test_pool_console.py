"""The pooler's admin console: PgBouncer's commands and columns, who may run what, and what is ours."""

import json
import os
import re
import socket
import subprocess
import threading
import time

import psycopg
import pytest
import wire

import cluster as clusters
from pooling import one, wait_for

# Columns as PgBouncer 1.25.2's src/admin.c and src/stats.c send them.
SOCKET = """type user database replication state addr port local_addr local_port connect_time request_time wait wait_us
    close_needed ptr link remote_pid tls application_name prepared_statements id"""
DEBUG = SOCKET + " recv_pos pkt_pos pkt_remain send_pos send_remain pkt_avail send_avail"
COUNTED = ["server_assignment_count", "xact_count", "query_count", "received", "sent", "xact_time", "query_time",
           "wait_time", "client_parse_count", "server_parse_count", "bind_count"]
COLUMNS = {
    "DATABASES": """name host port database force_user pool_size min_pool_size reserve_pool_size server_lifetime
        pool_mode load_balance_hosts max_connections current_connections max_client_connections
        current_client_connections paused disabled""",
    "POOLS": """database user cl_active cl_waiting cl_active_cancel_req cl_waiting_cancel_req sv_active
        sv_active_cancel sv_being_canceled sv_idle sv_used sv_tested sv_login maxwait maxwait_us pool_mode
        load_balance_hosts""",
    "CLIENTS": SOCKET,
    "SERVERS": SOCKET,
    "SOCKETS": DEBUG,
    "ACTIVE_SOCKETS": DEBUG,
    "USERS": """name pool_size reserve_pool_size pool_mode max_user_connections current_connections
        max_user_client_connections current_client_connections""",
    "LISTS": "list items",
    "PEERS": "peer_id host port pool_size",
    "PEER_POOLS": "peer_id cl_active_cancel_req cl_waiting_cancel_req sv_active_cancel sv_login",
    "FDS": """fd task user database addr port cancel link client_encoding std_strings datestyle timezone password
        scram_client_key scram_server_key""",
    "CONFIG": "key value default changeable",
    "MEM": "name size used free memtotal",
    "STATE": "key value",
    "VERSION": "version",
    "DNS_HOSTS": "hostname ttl addrs",
    "DNS_ZONES": "zonename serial count",
    "STATS": " ".join(["database"] + ["total_" + name for name in COUNTED] + ["avg_" + name for name in COUNTED])
             .replace("avg_received", "avg_recv"),
    "STATS_TOTALS": """database server_assignment_count xact_count query_count bytes_received bytes_sent xact_time
        query_time wait_time client_parse_count server_parse_count bind_count""",
    "STATS_AVERAGES": """database server_assignment_count xact_count query_count bytes_received bytes_sent xact_time
        query_time wait_time avg_client_parse_count avg_server_parse_count avg_bind_count""",
    "TOTALS": "name value",
}
# Their types in its own letters; those of DNS_ZONES and DNS_HOSTS have an int8 in the second place.
TYPES = {
    "DATABASES": "ssissiiiissiiiiii", "POOLS": "ssiiiiiiiiiiiiiss", "CLIENTS": "ssssssisiTTiiississii",
    "SERVERS": "ssssssisiTTiiississii", "SOCKETS": "ssssssisiTTiiississiiiiiiiii",
    "ACTIVE_SOCKETS": "ssssssisiTTiiississiiiiiiiii", "USERS": "ssssiiii", "LISTS": "si", "PEERS": "isii",
    "PEER_POOLS": "iiiii", "FDS": "issssiqisssssbb", "CONFIG": "ssss", "MEM": "siiii", "STATE": "ss", "VERSION": "s",
    "DNS_HOSTS": "sqs", "DNS_ZONES": "sqi", "STATS": "s" + "N" * 22, "STATS_TOTALS": "s" + "N" * 11,
    "STATS_AVERAGES": "s" + "N" * 11, "TOTALS": "sN",
}
OIDS = {"s": 25, "T": 25, "i": 23, "q": 20, "N": 1700, "b": 17}


def admin(pool, user="postgres", **more):
    """A psycopg connection to the console."""
    return psycopg.connect(pool.conninfo("pgbouncer", user=user, **more), autocommit=True)


def columns(conn, command):
    return [column.name for column in conn.execute(command).description]


class Command:
    """A command that is on its way in a thread; done once it was answered."""

    def __init__(self, pool, text):
        self.conn = admin(pool)
        self.error = None
        self.thread = threading.Thread(target=self.run, args=(text,))
        self.thread.start()

    def run(self, text):
        try:
            self.conn.execute(text)
        except psycopg.Error as error:
            self.error = error

    @property
    def done(self):
        return not self.thread.is_alive()

    def finish(self):
        self.thread.join(60)
        assert self.done
        self.conn.close()
        return self.error


def test_columns_are_pgbouncers(pool):
    with admin(pool) as conn:
        for name, wanted in COLUMNS.items():
            assert columns(conn, f"SHOW {name}") == wanted.split(), name
            types = [column.type_code for column in conn.execute(f"SHOW {name}").description]
            assert types == [OIDS[letter] for letter in TYPES[name]], name


def test_each_command_asks_for_its_rights(make_pool):
    pool = make_pool(stats_users="watcher", secrets={"postgres": "", "watcher": ""})
    commands = pool.console("SHOW COMMANDS")
    assert {row["rights"] for row in commands} == {"admin", "stats"}
    arguments = {"SET": "verbose = 0", "KILL_CLIENT": "999999", "DISABLE": "postgres", "ENABLE": "postgres"}
    with admin(pool, "watcher") as conn:
        for row in commands:
            text = f"{row['command']} {arguments.get(row['command'], '')}"
            if row["rights"] == "stats":
                conn.execute(text)
                continue
            with pytest.raises(psycopg.errors.InsufficientPrivilege, match="admin access needed"):
                conn.execute(text)
    # nothing of it happened
    assert one(pool.console("SHOW STATE"), key="active")["value"] == "yes"
    assert pool.running


def test_the_table_has_all_of_pgbouncers_commands(pool):
    names = {row["command"] for row in pool.console("SHOW COMMANDS")}
    assert names >= {f"SHOW {name}" for name in COLUMNS} | {
        "SHOW HELP", "SET", "RELOAD", "PAUSE", "RESUME", "DISABLE", "ENABLE", "RECONNECT", "KILL", "KILL_CLIENT",
        "SUSPEND", "SHUTDOWN", "WAIT_CLOSE"}


def test_who_is_in_no_list_is_refused(make_pool):
    pool = make_pool(secrets={"postgres": "", "stranger": ""})
    with pytest.raises(psycopg.OperationalError, match="not allowed"):
        admin(pool, "stranger")


def test_own_system_user_needs_no_password(make_pool):
    pool = make_pool(auth_type="scram-sha-256", admin_users="")
    if not pool.account:
        pytest.skip("needs another user than the pooler's")
    command = [f"{clusters.find_bin_dir()}/psql", "-X", "-w", "-h", str(pool.folder), "-p",
               str(pool.port), "-U", "pgbouncer", "-d", "pgbouncer", "-Atc", "SHOW VERSION"]

    def run(uid):
        return subprocess.run(command, capture_output=True, text=True, env=clusters.clean_env(), user=uid, check=False)

    assert run(pool.account.pw_uid).stdout.startswith("PgBouncer 1.25.2 ")
    other = run(0)  # root, but not the pooler's user
    assert other.returncode != 0 and "PgBouncer" not in other.stdout


def test_password_is_asked_for(make_pool):
    pool = make_pool(auth_type="scram-sha-256", secrets={"postgres": "geheim"})
    with admin(pool, password="geheim") as conn:
        assert conn.info.parameter_status("server_version") == "1.25.2/pgmend"
        conn.execute("SHOW POOLS")
    with pytest.raises(psycopg.OperationalError, match="authentication failed"):
        admin(pool, password="falsch")


def test_psql_and_its_help(pool):
    done = subprocess.run([f"{clusters.find_bin_dir()}/psql", "-X", pool.conninfo("pgbouncer"), "-c", "SHOW HELP"],
                          capture_output=True, text=True, env=clusters.clean_env(), check=False)
    assert done.returncode == 0
    for word in ("KILL_CLIENT <client_id>", "WAIT_CLOSE [<db>]", "STATS_AVERAGES"):
        assert word in done.stderr


def test_what_is_not_understood_is_an_error_and_the_session_goes_on(pool):
    with admin(pool) as conn:
        for text in ("SELECT 1", "SHOW nothing", "PAUSE a b", "BEGIN", "SET x", "SHOW STATS; SHOW POOLS",
                     "PAUSE 'x'", 'PAUSE "x', "\\d", "RELOAD now", "SHOW " + "x" * 500):
            with pytest.raises(psycopg.errors.SyntaxError):
                conn.execute(text)
        for name in ("PAUSE nothing_such", "DISABLE nothing_such"):
            conn.execute(name)  # "*" makes a database of any name
        conn.execute("RESUME nothing_such")
        assert conn.execute("SHOW client_encoding").fetchone() == ("UTF-8",)
        conn.execute("SET client_encoding TO 'UTF8'")
        conn.execute("  ")
        conn.execute("show\tVersion ;")


def test_extended_protocol_is_refused_and_goes_on_at_sync(pool):
    with pool.connect("pgbouncer") as conn:
        conn.send(wire.parse("", "SHOW STATS"), wire.bind("", ""), wire.execute(), wire.query("SHOW STATS"),
                  wire.sync(), wire.query("SHOW STATE"))
        first = conn.receive_until("Z")
        assert [m.kind for m in first] == ["E", "Z"]
        assert first[0].sqlstate == "08P01"
        assert "extended query protocol not supported" in first[0].fields()["M"]
        assert [m.kind for m in conn.receive_until("Z")] == ["T", "D", "D", "D", "C", "Z"]


@pytest.mark.parametrize("data", [b"Q\0\0\0\3", b"Q\x7f\xff\xff\xff", b"\xff\0\0\0\4", b"p\0\0\0\5x"])
def test_broken_messages_end_the_session_alone(pool, data):
    with pool.connect("pgbouncer") as conn:
        conn.send(data)
        answer = wire.messages_of(conn.rest(5))
        assert answer[0].kind == "E" and answer[0].fields()["V"] == "FATAL"
    assert pool.console("SHOW VERSION")


def test_queries_are_answered_in_order_however_they_come(pool):
    names = ["STATE", "LISTS", "VERSION"] * 20
    data = b"".join(wire.query(f"SHOW {name}") for name in names)
    with pool.connect("pgbouncer") as conn:
        for at in range(0, len(data), 7):
            conn.send(data[at:at + 7])
        for name in names:
            head = conn.receive_until("Z")[0].body
            assert head[2:].split(b"\0")[0].decode() == COLUMNS[name].split()[0]


def test_stats_count_what_was_done(pool):
    with psycopg.connect(pool.conninfo(), autocommit=True) as conn:
        for _ in range(5):
            conn.execute("SELECT 1")
        with conn.transaction():
            conn.execute("SELECT 2")
            conn.execute("SELECT 3")
    stats = one(pool.console("SHOW STATS"), database="postgres")
    assert (stats["total_query_count"], stats["total_xact_count"]) == ("9", "6")
    assert int(stats["total_received"]) > 50 and int(stats["total_sent"]) > 100
    assert int(stats["total_query_time"]) <= int(stats["total_xact_time"])
    totals = {row["name"]: row["value"] for row in pool.console("SHOW TOTALS")}
    assert totals["total_query_count"] == "9"


def test_averages_are_of_a_period_and_logged(make_pool):
    pool = make_pool(stats_period=1, log_stats=1)
    with psycopg.connect(pool.conninfo(), autocommit=True) as conn:
        line = r"stats: \d+ xacts/s, (\d+) queries/s, \d+ client parses/s, \d+ server parses/s, \d+ binds/s, " \
               r"in \d+ B/s, out \d+ B/s, xact \d+ us, query \d+ us, wait \d+ us"

        def told():
            conn.execute("SELECT 1")  # at most 50 a second
            row = one(pool.console("SHOW STATS_AVERAGES"), database="postgres")
            assert int(row["query_count"]) <= 100
            return int(row["query_count"]) >= 2 and any(int(n) >= 2 for n in re.findall(line, pool.log(1000)))
        wait_for(told)


def test_clients_servers_and_links(pool):
    with psycopg.connect(pool.conninfo(application_name="till")) as conn:
        pid = conn.execute("SELECT pg_backend_pid()").fetchone()[0]
        client = one(pool.console("SHOW CLIENTS"), application_name="till")
        server = one(pool.console("SHOW SERVERS"), ptr=client["link"])
        assert server["link"] == client["ptr"]
        assert (client["type"], client["state"], client["database"]) == ("C", "active", "postgres")
        assert (server["type"], server["state"], server["remote_pid"]) == ("S", "active", str(pid))
        assert server["addr"] == "unix"
        own = one(pool.console("SHOW CLIENTS"), database="pgbouncer")
        assert own["state"] == "active" and own["request_time"] >= own["connect_time"] > "2"
        with socket.socket(fileno=os.dup(conn.pgconn.socket)) as own:
            assert client["port"] == str(own.getsockname()[1])
        conn.rollback()
        wait_for(lambda: one(pool.console("SHOW CLIENTS"), application_name="till")["state"] == "idle")
    pools = one(pool.console("SHOW POOLS"), database="postgres")
    assert (pools["sv_idle"], pools["sv_active"], pools["pool_mode"]) == ("1", "0", "transaction")


def test_pause_waits_for_the_transaction_and_resume_goes_on(pool):
    with psycopg.connect(pool.conninfo()) as conn:
        conn.execute("SELECT 1")
        pause = Command(pool, "PAUSE")
        time.sleep(0.3)
        assert not pause.done
        conn.execute("SELECT 2")  # its transaction goes on
        conn.commit()
        assert pause.finish() is None
        assert pool.console("SHOW SERVERS") == []
        with pytest.raises(wire.Failed, match="already suspended/paused"):
            pool.console("PAUSE")
        got = []
        other = threading.Thread(target=lambda: got.append(conn.execute("SELECT 3").fetchone()))
        other.start()
        time.sleep(0.3)
        assert not got
        pool.console("RESUME")
        other.join(60)
        assert got == [(3,)]
    with pytest.raises(wire.Failed, match="pooler is not paused/suspended"):
        pool.console("RESUME")


def test_pause_of_one_database_leaves_the_others(cluster, make_pool):
    pool = make_pool(databases={"one": "{server} dbname=postgres", "two": "{server} dbname=postgres"})
    pool.console("PAUSE one")
    assert one(pool.console("SHOW DATABASES"), name="one")["paused"] == "1"
    with psycopg.connect(pool.conninfo("two")) as conn:
        assert conn.execute("SELECT 1").fetchone() == (1,)
    with pytest.raises(wire.Failed, match="is not paused"):
        pool.console("RESUME two")
    pool.console("RESUME one")
    with psycopg.connect(pool.conninfo("one")) as conn:
        assert conn.execute("SELECT 1").fetchone() == (1,)


def test_cancelled_pause_resumes(pool):
    with psycopg.connect(pool.conninfo()) as conn:
        conn.execute("SELECT 1")
        pause = Command(pool, "PAUSE")
        time.sleep(0.2)
        pause.conn.cancel()
        assert isinstance(pause.finish(), psycopg.errors.QueryCanceled)
        assert one(pool.console("SHOW STATE"), key="active")["value"] == "yes"


def test_disable_refuses_new_clients_alone(pool):
    with psycopg.connect(pool.conninfo()) as conn:
        pool.console("DISABLE postgres")
        conn.execute("SELECT 1")
        with pytest.raises(psycopg.OperationalError, match="is disabled"):
            psycopg.connect(pool.conninfo())
        pool.console("ENABLE postgres")
        psycopg.connect(pool.conninfo()).close()


def test_reconnect_and_wait_close(pool):
    with psycopg.connect(pool.conninfo()) as conn:
        pid = conn.execute("SELECT pg_backend_pid()").fetchone()
        pool.console("RECONNECT postgres")
        assert one(pool.console("SHOW SERVERS"), database="postgres")["close_needed"] == "1"
        waits = Command(pool, "WAIT_CLOSE postgres")
        time.sleep(0.3)
        assert not waits.done
        conn.rollback()
        assert waits.finish() is None
        assert conn.execute("SELECT pg_backend_pid()").fetchone() != pid


def test_kill_ends_clients_and_holds_back_new_ones(pool):
    with psycopg.connect(pool.conninfo()) as conn:
        conn.execute("SELECT 1")
        pool.console("KILL postgres")
        with pytest.raises(psycopg.OperationalError, match="admin forced disconnect"):
            conn.execute("SELECT 1")
    assert pool.console("SHOW SERVERS") == []
    connect = []
    waiting = threading.Thread(target=lambda: connect.append(psycopg.connect(pool.conninfo())))
    waiting.start()
    pool.console("RESUME")
    waiting.join(60)
    assert connect[0].execute("SELECT 1").fetchone() == (1,)
    connect[0].close()


def test_kill_without_a_name_means_all(cluster, make_pool):
    pool = make_pool(databases={"one": "{server} dbname=postgres", "two": "{server} dbname=postgres"})
    with psycopg.connect(pool.conninfo("one")) as first, psycopg.connect(pool.conninfo("two")) as second:
        first.execute("SELECT 1")
        second.execute("SELECT 1")
        pool.console("KILL")
        for conn in (first, second):
            with pytest.raises(psycopg.OperationalError, match="admin forced disconnect"):
                conn.execute("SELECT 1")
    assert pool.console("SHOW SERVERS") == []
    assert {row["name"]: row["paused"] for row in pool.console("SHOW DATABASES")} == {
        "one": "1", "two": "1", "pgbouncer": "0"}
    pool.console("RESUME")
    for name in ("one", "two"):
        with psycopg.connect(pool.conninfo(name)) as conn:
            assert conn.execute("SELECT 1").fetchone() == (1,)


def test_what_drivers_send_at_startup(pool):
    """lib/pq and JDBC set extra_float_digits, whoever they talk to; exporters are written with them."""
    for more in ({"options": "-c extra_float_digits=2 -c geqo=off"}, {"client_encoding": "UTF8"},
                 {"application_name": "exporter"}):
        with admin(pool, **more) as conn:
            assert conn.execute("SHOW VERSION").fetchone()[0].startswith("PgBouncer 1.25.2 ")
    with pool.connect("pgbouncer", extra_float_digits="2", datestyle="ISO, MDY") as conn:
        assert conn.run(wire.query("SHOW LISTS"))[-1].kind == "Z"


def test_kill_client(pool):
    with psycopg.connect(pool.conninfo(application_name="victim")) as conn, psycopg.connect(pool.conninfo()) as other:
        conn.execute("SELECT 1")
        other.execute("SELECT 1")
        number = one(pool.console("SHOW CLIENTS"), application_name="victim")["id"]
        pool.console(f"KILL_CLIENT {number}")
        with pytest.raises(psycopg.OperationalError, match="admin forced disconnect"):
            conn.execute("SELECT 1")
        other.execute("SELECT 1")
    for wrong, why in (("0", "invalid"), ("x", "invalid"), ("99999999999999999999", "invalid"), ("987654", "not found")):
        with pytest.raises(wire.Failed, match=why):
            pool.console(f"KILL_CLIENT {wrong}")


def test_suspend_stops_all_until_resume(pool):
    with psycopg.connect(pool.conninfo(), autocommit=True) as conn, admin(pool) as console:
        conn.execute("SELECT 1")
        console.execute("SUSPEND")
        got = []
        other = threading.Thread(target=lambda: got.append(conn.execute("SELECT 1").fetchone()))
        other.start()
        time.sleep(0.3)
        assert not got
        assert dict(console.execute("SHOW STATE").fetchall()) == {"active": "no", "paused": "no", "suspended": "yes"}
        console.execute("RESUME")
        other.join(60)
        assert got == [(1,)]


def test_suspend_ends_with_its_console(pool):
    with psycopg.connect(pool.conninfo(), autocommit=True) as conn:
        with admin(pool) as console:
            console.execute("SUSPEND")
        assert conn.execute("SELECT 1").fetchone() == (1,)


def test_set_and_reload(pool):
    pool.console("SET query_wait_timeout = '7'")
    assert one(pool.console("SHOW CONFIG"), key="query_wait_timeout")["value"] == "7"
    for wrong in ("listen_port = 1", "nothing_such = 1", "verbose = '10 apples'"):
        with pytest.raises(wire.Failed, match="SET failed"):
            pool.console(f"SET {wrong}")
    pool.console("RELOAD")
    assert one(pool.console("SHOW CONFIG"), key="query_wait_timeout")["value"] == "120"
    pool.config.write_text(pool.config.read_text() + "\npool_sze = 3\n")
    with pytest.raises(wire.Failed, match="pool_sze"):
        pool.console("RELOAD")
    assert pool.console("SHOW VERSION")


def test_shutdown_waits_for_clients(pool):
    with psycopg.connect(pool.conninfo(), autocommit=True) as conn:
        pool.console("SHUTDOWN WAIT_FOR_CLIENTS")
        time.sleep(0.3)
        assert conn.execute("SELECT 1").fetchone() == (1,)
        # The Unix socket stays, for the console alone: who is it that we wait for?
        with psycopg.connect(pool.conninfo("pgbouncer", host=pool.folder), autocommit=True) as console:
            assert [row[2] for row in console.execute("SHOW CLIENTS").fetchall()].count("postgres") == 1
        for _ in range(3):
            with pytest.raises(psycopg.OperationalError, match="pooler is shutting down"):
                psycopg.connect(pool.conninfo(host=pool.folder))
    assert pool.process.wait(60) == 0
    pool.process = None


def test_shutdown_is_told_whom_not_to_wait_for(pool):
    """Nobody who came by the Unix socket behind it holds the end up, and it leaves no socket."""
    path = pool.folder / f".s.PGSQL.{pool.port}"
    with psycopg.connect(pool.conninfo(), autocommit=True) as conn:
        conn.execute("SELECT 1")
        pool.console("SHUTDOWN WAIT_FOR_CLIENTS")
        wait_for(lambda: "Connection refused" in connect_error(pool))
        with wire.Raw(pool.unix), psycopg.connect(pool.conninfo("pgbouncer", host=pool.folder), autocommit=True) as console:
            client = [row for row in console.execute("SHOW CLIENTS").fetchall() if row[2] == "postgres"][0]
            console.execute(f"KILL_CLIENT {client[-1]}")
            assert pool.process.wait(60) == 0
    pool.process = None
    assert not path.exists()


def connect_error(pool):
    try:
        psycopg.connect(pool.conninfo()).close()
    except psycopg.OperationalError as error:
        return str(error)
    return ""


def test_shutdown_waits_for_servers(pool):
    with psycopg.connect(pool.conninfo()) as conn:
        conn.execute("SELECT 1")
        pool.console("SHUTDOWN WAIT_FOR_SERVERS")
        time.sleep(0.3)
        assert conn.execute("SELECT 2").fetchone() == (2,)
        conn.commit()
        assert pool.process.wait(60) == 0
        pool.process = None


def test_shutdown_at_once(pool):
    with pool.connect() as conn:
        conn.send(wire.query("BEGIN"))
        conn.receive_until("Z")
        with pytest.raises(wire.Closed), wire.Connection(pool.target, database="pgbouncer") as console:
            console.run(wire.query("SHUTDOWN"))
            console.run(wire.query("SHOW STATE"))
        assert pool.process.wait(60) == 0
        pool.process = None


def test_queries_show_the_profile(pool):
    with psycopg.connect(pool.conninfo(), autocommit=True) as conn:
        for number in range(20):
            conn.execute(f"SELECT relname FROM pg_class WHERE oid = {number}")
        with pytest.raises(psycopg.Error):
            conn.execute("SELECT 1/0")
        conn.execute("SELECT pg_sleep(0.05)")
    rows = pool.console("SHOW QUERIES")
    row = one(rows, query="SELECT relname FROM pg_class WHERE oid = ?")
    assert (row["calls"], row["errors"], row["database"], row["user"]) == ("20", "0", "postgres", "postgres")
    assert re.fullmatch("[0-9a-f]{16}", row["fingerprint"])
    assert int(row["bytes"]) > 20 * 30
    assert one(rows, query="SELECT ?/?")["errors"] == "1"
    sleep = one(rows, query="SELECT pg_sleep(?)")
    assert 50 <= float(sleep["p50_ms"]) and float(sleep["max_ms"]) >= float(sleep["p95_ms"])
    times = [float(r["total_ms"]) for r in rows]
    assert times == sorted(times, reverse=True)  # the most time first


def test_pinned_says_why(pool):
    with psycopg.connect(pool.conninfo(application_name="listener"), autocommit=True) as conn:
        conn.execute("LISTEN news")
        wait_for(lambda: pool.console("SHOW PINNED"))  # it is found out behind the answer
        row = one(pool.console("SHOW PINNED"), application_name="listener")
        assert row["reasons"] == "listen" and row["server_pid"] == str(conn.execute(
            "SELECT pg_backend_pid()").fetchone()[0])
        conn.execute("CREATE TEMP TABLE t ()")
        wait_for(lambda: one(pool.console("SHOW PINNED"), application_name="listener")["reasons"]
                 == "listen, temporary table")
        wait_for(lambda: float(one(pool.console("SHOW PINNED"), application_name="listener")["pinned_ms"]) >= 50)
        conn.execute("DISCARD ALL")
        wait_for(lambda: pool.console("SHOW PINNED") == [])


def test_waits_say_who_holds_the_servers(make_pool):
    pool = make_pool(default_pool_size=1)
    with psycopg.connect(pool.conninfo(application_name="hog")) as hog, psycopg.connect(
            pool.conninfo(application_name="queue"), autocommit=True) as other:
        hog.execute("SELECT count(*) FROM pg_class WHERE relname = 'x'")
        waiting = threading.Thread(target=other.execute, args=("SELECT 1",))
        waiting.start()
        wait_for(lambda: pool.console("SHOW WAITS"))
        time.sleep(0.1)
        row = one(pool.console("SHOW WAITS"), database="postgres")
        pools = one(pool.console("SHOW POOLS"), database="postgres")
        assert (row["waiting"], row["holder_state"]) == ("1", "idle in transaction")
        assert row["holder_application_name"] == "hog" and float(row["oldest_wait_ms"]) >= 100
        assert row["query"] == "SELECT count(*) FROM pg_class WHERE relname = ?"
        assert (pools["cl_waiting"], pools["sv_active"]) == ("1", "1")
        assert int(pools["maxwait"]) * 1e6 + int(pools["maxwait_us"]) >= 1e5
        hog.rollback()
        waiting.join(60)
    assert pool.console("SHOW WAITS") == []


@pytest.mark.parametrize("values", [0, 1])
def test_profile_is_saved_at_the_end(make_pool, values):
    pool = make_pool(databases={"*": "{server}"}, profile_file="profile.json", profile_values=values)
    with psycopg.connect(pool.conninfo(), autocommit=True) as conn:
        conn.execute("SELECT 'secret'")
    pool.stop()
    text = (pool.folder / "profile.json").read_text()
    assert "SELECT $1" in text and ("secret" in text) == bool(values)
    json.loads(text)


@pytest.mark.parametrize("form", ["text", "json"])
def test_slow_queries_are_logged_without_values(make_pool, form):
    pool = make_pool(slow_query_ms=50, log_format=form)
    with psycopg.connect(pool.conninfo(application_name="till"), autocommit=True) as conn:
        conn.execute("SELECT 'secret', pg_sleep(0.06)")
        conn.execute("SELECT 'quick'")
    lines = [line for line in pool.log(1000).splitlines() if "pg_sleep" in line]
    assert len(lines) == 1 and "secret" not in pool.log(1000) and "quick" not in pool.log(1000)
    if form == "json":
        entry = json.loads(lines[0])
        assert entry["event"] == "slow_query" and entry["server_ms"] >= 60 and entry["application"] == "till"
        assert entry["query"] == "SELECT ?, pg_sleep(?)"
    else:
        assert re.search(r"slow query: \d+\.\d+ ms.*application=till.*: SELECT \?, pg_sleep\(\?\)$", lines[0])


def test_nothing_secret_is_shown(make_pool):
    pool = make_pool(auth_type="scram-sha-256", secrets={"postgres": "Marker-77"},
                     databases={"*": "{server} user=postgres password=Marker-77"})
    with psycopg.connect(pool.conninfo(password="Marker-77")) as conn, admin(pool, password="Marker-77") as console:
        conn.execute("SELECT 1")
        for row in console.execute("SHOW COMMANDS").fetchall():
            if row[0].startswith("SHOW"):
                assert "Marker-77" not in str(console.execute(row[0]).statusmessage)
                found = console.execute(row[0])
                assert not found.description or "Marker-77" not in str(found.fetchall()), row[0]
        for row in console.execute("SHOW FDS").fetchall():
            assert row[6] is None and row[12:] == (None, None, None)


EXPORTER = "/usr/bin/prometheus-pgbouncer-exporter"


@pytest.mark.skipif(not os.path.exists(EXPORTER), reason="prometheus-pgbouncer-exporter is not installed")
def test_exporters_collectors(pool):
    """What Debian's exporter reads of a PgBouncer of today: 1.7 asks SHOW STATS and SHOW DATABASES for columns
    that were renamed in PgBouncer 1.8 and 1.19, so that of its four collectors two work with 1.25, and with us."""
    with psycopg.connect(pool.conninfo(), autocommit=True) as conn:
        conn.execute("SELECT 1")
        script = """
import sys
from prometheus_pgbouncer_exporter import collectors, utils
conn = utils.get_connection("postgres", int(sys.argv[1]), "127.0.0.1")
for made in (collectors.PoolsCollector(connection=conn, databases=None), collectors.ListsCollector(connection=conn)):
    for metric in made.collect():
        for sample in metric.samples:
            print(sample.name, ",".join(sorted(sample.labels.values())), sample.value)
for name in (collectors.StatsCollector, collectors.DatabasesCollector):
    try:
        list(name(connection=conn, databases=None).collect())
    except KeyError as missing:
        print("missing", missing.args[0])
"""
        done = subprocess.run(["/usr/bin/python3", "-c", script, str(pool.port)], capture_output=True, text=True,
                              env=clusters.clean_env(), check=False)
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert "pgbouncer_active_clients postgres,postgres 1" in lines
    assert "pgbouncer_waiting_clients postgres,postgres 0" in lines
    assert "pgbouncer_used_servers  1" in lines
    assert [line for line in lines if line.startswith("missing")] == ["missing total_requests", "missing reserve_pool"]
