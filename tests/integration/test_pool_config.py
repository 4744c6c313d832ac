"""pgmend pool --check-config: every problem at once, with its place, and never a password."""

import os

import psycopg
import pytest

USERS = '"ann" "md545f2603610af569b6155c45067268c6b"\n'
GOOD = "[databases]\nshop = host=127.0.0.1\n[pgbouncer]\nlisten_addr = 127.0.0.1\nauth_file = users\n"


@pytest.fixture
def check(pgmend, tmp_path):
    """Writes pool.ini (0600) and checks it: check(text).err"""

    def run(text, *args, mode=0o600):
        for name, content in (("users", USERS), ("pool.ini", text)):
            path = tmp_path / name
            path.write_bytes(content if isinstance(content, bytes) else content.encode())
            path.chmod(mode)
        return pgmend("pool", "--check-config", *args, "pool.ini", cwd=tmp_path)

    return run


def test_a_right_file(check):
    done = check(GOOD)
    assert (done.rc, done.err) == (0, "")
    assert done.out == "pool.ini: right (1 databases, 0 users in [users], 1 with a secret)\n"


def test_warnings_alone_are_no_error(check):
    done = check(GOOD.replace("host=", "user=ann password=hunter2 host="), mode=0o644)
    assert done.rc == 0
    assert done.err.count("everyone on this machine can read it") == 2
    assert "hunter2" not in done.err + done.out


def test_all_errors_at_once(check):
    done = check(GOOD + "pool_sze = 1\nlisten_port = 10 apples\nlisten_port = 3\nmax_client_conn = -4\n"
                 "[databases]\nx = password=hunter2 port=http\n[usrs]\n")
    assert done.rc == 2
    places = [line.split(": ")[0] for line in done.err.splitlines() if line.startswith("pool.ini")]
    assert places == ["pool.ini:6:1", "pool.ini:7:15", "pool.ini:8:1", "pool.ini:9:19", "pool.ini:11:27",
                      "pool.ini:12:2"]
    assert "hunter2" not in done.err + done.out


def test_a_broken_database_is_not_called_missing(check):
    rest = "[pgbouncer]\nlisten_addr = 127.0.0.1\nauth_type = trust\nunix_socket_dir =\n"
    assert "there is no database but the console" in check("[databases]\n" + rest).err
    broken = check("[databases]\nx = port=http\n" + rest)
    assert broken.rc == 2 and "pool.ini:2:" in broken.err and "no database" not in broken.err, broken.err


@pytest.mark.parametrize("content,said", [
    (b"\xef\xbb\xbf" + GOOD.encode(), "pool.ini:1:1: the file begins with a byte order mark"),
    (GOOD.encode() + b"a\0", "pool.ini:6:2: the file holds a NUL byte"),
    (b"; " + b"x" * (10 << 20), "pool.ini: the file is longer than 4 MB"),
    (b"", "pool.ini: there is no section [pgbouncer]"),
    (os.urandom(64).replace(b"\0", b"") + b"\n", "pool.ini"),
    (GOOD.encode() + b"\x1b[31m\n", "pool.ini:6:1: a key is expected here"),
], ids=["bom", "nul", "10 MB", "empty", "noise", "escape"])
def test_bytes_that_are_no_configuration(check, content, said):
    done = check(content)
    assert done.rc == 2
    assert said in done.err
    assert "\x1b" not in done.err


def test_line_ends_do_not_matter(check):
    assert check(GOOD.replace("\n", "\r\n")).rc == 0
    assert check(GOOD.rstrip("\n")).rc == 0


def test_files_that_cannot_be_read(pgmend, tmp_path):
    missing = pgmend("pool", "--check-config", "nowhere.ini", cwd=tmp_path)
    assert missing.rc == 2 and "nowhere.ini: cannot read the file: No such file or directory" in missing.err
    folder = pgmend("pool", "--check-config", str(tmp_path), cwd=tmp_path)
    assert folder.rc == 2 and "Is a directory" in folder.err


def test_an_include_loop_and_a_symlink(check, tmp_path):
    (tmp_path / "link.ini").symlink_to("pool.ini")
    done = check(GOOD + "%include link.ini\n")
    assert done.rc == 2
    assert '"link.ini" includes itself' in done.err


def test_a_connection_string(pgmend, tmp_path):
    env = {"HOME": str(tmp_path), "PGPASSWORD": "hunter2"}
    done = pgmend("pool", "--show-config", "postgresql://ann@db1/shop", cwd=tmp_path, env=env)
    assert done.rc == 0
    assert "\npool_mode = transaction\n" in done.out and "\nlisten_addr = 127.0.0.1\n" in done.out
    assert "hunter2" not in done.out + done.err


def test_settings_of_a_connection_string(pgmend, tmp_path):
    def shown(*given):
        return pgmend("pool", "--show-config", *[word for one in given for word in ("--set", one)],
                      "postgresql://ann:pw@db1/shop", cwd=tmp_path)
    done = shown("listen_port=7000", "pool_mode=session", "server_reset_query=")
    assert done.rc == 0 and "\nlisten_port = 7000\n" in done.out and "\npool_mode = session\n" in done.out
    for given, said in (("listen_prt=7000", 'there is no setting "listen_prt"\nhint: Did you mean "listen_port"?'),
                        ("listen_port", '"listen_port" has no value'), ("pool_mode=x", "pool_mode: "),
                        ("listen_port=70000", "listen_port: "), ("auth_type=trust", "auth_type can't be set"),
                        ("listen_addr=", "there is nowhere to listen")):
        done = shown(given)
        assert done.rc == 2 and said in done.err, done
    (tmp_path / "pool.ini").write_text("[pgbouncer]\nlisten_addr = *\n")
    done = pgmend("pool", "--check-config", "--set", "workers=1", "pool.ini", cwd=tmp_path)
    assert done.rc == 2 and "--set goes with CONNINFO" in done.err


def test_a_connection_string_is_served(cluster, make_pool):
    """The pool of `pgmend pool CONNINFO`: clients log in with the database's own user and password."""
    with cluster.connect() as conn:
        conn.execute("DROP ROLE IF EXISTS urluser")
        conn.execute("CREATE ROLE urluser LOGIN PASSWORD 'url secret'")
    conninfo = f"host={cluster.folder} port={cluster.settings['port']} dbname=postgres user=urluser password='url secret'"
    pool = make_pool(conninfo=conninfo)
    own = {"user": "urluser", "password": "url secret"}
    with psycopg.connect(pool.conninfo(**own), autocommit=True) as one, \
            psycopg.connect(pool.conninfo(**own), autocommit=True) as two:
        one.execute("SET search_path = nowhere")
        assert two.execute("SHOW search_path").fetchone()[0] != "nowhere"
    for wrong in ({**own, "password": "x"}, {"user": "postgres"}, {**own, "dbname": "template1"}):
        with pytest.raises(psycopg.OperationalError):
            psycopg.connect(pool.conninfo(**wrong)).close()
    with psycopg.connect(pool.conninfo("pgbouncer", **own), autocommit=True) as console:
        shown = {row[0]: row[1] for row in console.execute("SHOW CONFIG")}
    assert shown["pool_mode"] == "transaction"
    assert (shown["server_lifetime"], shown["server_check_delay"]) == ("3600", "30")
    cores = os.sysconf("SC_NPROCESSORS_ONLN")
    assert int(shown["default_pool_size"]) == 2 * cores + 5 and int(shown["reserve_pool_size"]) >= (2 * cores + 5) // 4
    with open(f"/proc/{pool.process.pid}/cmdline", "rb") as arguments:
        assert b"url secret" not in arguments.read()
    pool.stop()
    with cluster.connect() as conn:
        conn.execute("DROP ROLE urluser")
