"""pgmend serve: its file, its start and end, TLS, reload, and what the pooler does inside it."""

import os
import pathlib
import re
import signal
import socket
import ssl
import subprocess

import psycopg
import pytest

import cluster as clusters
import pooling
import serving


@pytest.fixture
def check(pgmend, tmp_path):
    def run(text, *args):
        path = tmp_path / "serve.ini"
        path.write_text(text)
        path.chmod(0o600)
        return pgmend("serve", "--check-config", *args, "serve.ini", cwd=tmp_path)

    return run


WATCH = "[watch]\nshop = postgresql://ann:hunter2@db1/shop\n"


def test_a_right_file(check):
    done = check(WATCH + "[serve]\nport = 9000\nhistory_size = 200MB\n")
    assert (done.rc, done.err) == (0, "")
    assert done.out.startswith("serve.ini: right (1 databases to watch")


def test_all_errors_at_once(check):
    done = check(WATCH + "bad = host=\n[serve]\nprot = 9000\nport = http\nlisten = example.com\nhistory_size = 1kB\n"
                 "tls_cert_file = /x\nwatch_interval = 0.1\nport = 1\n[wach]\n[serve]\nmetrics_auth = maybe\n")
    assert done.rc == 2
    places = [line.split(": ")[0] for line in done.err.splitlines() if line.startswith("serve.ini")]
    assert places == ["serve.ini:5:1", "serve.ini:6:8", "serve.ini:8:16", "serve.ini:11:1", "serve.ini:12:2",
                      "serve.ini:14:16", "serve.ini", "serve.ini", "serve.ini"], done.err
    assert 'Did you mean "port"?' in done.err and 'Did you mean "watch"?' in done.err
    assert "hunter2" not in done.err + done.out


@pytest.mark.parametrize("lines,said", [
    ("[serve]\n", "there is nothing to watch and nothing to pool"),
    (WATCH + "[serve]\nlisten = 0.0.0.0\n", "tokens would go over it in clear text"),
    (WATCH + "[serve]\nlisten = ::\ntls_cert_file = a\ntls_key_file = b\n", "there is no file of tokens"),
    (WATCH + "[databases]\nx = host=/tmp\n", "there is no section [pgbouncer]"),
    ("[watch]\nx = postgresql://[::1\n", "serve.ini:2:5: "),
    ("[watch]\nx =\n", 'serve.ini:2:4: "x" has no connection string'),
    (f"[watch]\n{'x' * 64} = dbname=x\n", "serve.ini:2:1: a name is at most 63 bytes"),
])
def test_files_that_are_refused(check, lines, said):
    done = check(lines)
    assert done.rc == 2 and said in done.err, done


def test_the_command_line_counts_over_the_file(check):
    assert "clear text" in check(WATCH, "--listen", "192.0.2.1").err
    assert check(WATCH, "--listen", "::1").rc == 0
    assert "port" in check(WATCH, "--port", "70000").err


def test_the_pooler_passes_over_the_sections_of_serve(pgmend, tmp_path):
    (tmp_path / "users").write_text('"ann" "x"\n')
    (tmp_path / "users").chmod(0o600)
    pool = "[databases]\nshop = host=/tmp\n[pgbouncer]\nlisten_addr = 127.0.0.1\nauth_file = users\n"
    (tmp_path / "both.ini").write_text(pool + WATCH + "[serve]\nport = 9\n[alerts]\nx = 1\n[chores]\ny = 2\n")
    (tmp_path / "both.ini").chmod(0o600)
    done = pgmend("pool", "--check-config", "both.ini", cwd=tmp_path)
    assert (done.rc, done.err) == (0, ""), done


def test_settings_are_documented(pgmend):
    text = (pathlib.Path(__file__).parents[2] / "docs" / "serve.md").read_text()
    shown = pgmend("serve", "--show-config").out
    names = re.findall(r"^;?(\w+) =", shown, re.M)
    assert len(names) >= 17 and not [n for n in names if f"`{n}`" not in text]


def test_tokens_are_made_once(pgmend, tmp_path):
    done = pgmend("serve", "--new-token", "ann", "--role", "operator", "--days", "10", "--tokens", "t", cwd=tmp_path)
    token = done.out.strip()
    line = (tmp_path / "t").read_text()
    assert done.rc == 0 and re.fullmatch(r"pgm_[\w-]{43}", token)
    assert re.fullmatch(r"ann:operator:[0-9a-f]{64}:\d{4}-\d\d-\d\d\n", line) and token not in line
    assert (tmp_path / "t").stat().st_mode & 0o777 == 0o600
    again = pgmend("serve", "--new-token", "ann", "--role", "admin", "--tokens", "t", cwd=tmp_path)
    assert again.rc == 2 and "already" in again.err
    assert pgmend("serve", "--new-token", "a:b", "--tokens", "t", cwd=tmp_path).rc == 2
    assert "no role" in pgmend("serve", "--new-token", "b", "--role", "god", "--tokens", "t", cwd=tmp_path).err
    assert "--tokens" in pgmend("serve", "--new-token", "b", cwd=tmp_path).err


def failed_start(server):
    """What it says, with its exit code, where it does not start."""
    process = server.launch()
    code = process.wait(60)
    server.process = None
    return code, server.log()


def watch_of(cluster):
    return {"watch": {"main": cluster.conninfo()}}


def test_a_connection_string_is_enough(make_serve, cluster, db):
    server = make_serve(conninfo=db.conninfo, with_tokens=False)
    files = list((server.folder / ".local" / "state" / "pgmend").glob("*.token"))
    assert len(files) == 1 and files[0].stat().st_mode & 0o777 == 0o600
    token = files[0].read_text().strip()
    assert server.get("/api/v1/whoami", token=token).data["role"] == "admin"
    assert token not in server.log()
    server.stop()
    assert not files[0].exists()


def test_a_port_in_use(make_serve, cluster):
    first = make_serve(watch_of(cluster))
    second = make_serve(watch_of(cluster), start=False)
    second.settings["port"] = first.port
    second.write_config()
    code, log = failed_start(second)
    assert code == 2 and "Address already in use" in log and "Another process has that port" in log
    assert first.get("/healthz").status == 200


def test_root_is_refused(make_serve, cluster):
    if os.geteuid() != 0:
        pytest.skip("needs root")
    server = make_serve(watch_of(cluster), start=False)
    server.account = None
    code, log = failed_start(server)
    assert code == 2 and "does not run as root" in log


def test_a_record_that_is_a_link_is_refused(make_serve, cluster):
    """It would have us write to wherever it leads."""
    server = make_serve(watch_of(cluster), start=False)
    elsewhere = server.folder / "elsewhere"
    (server.folder / "history.db.jobs").symlink_to(elsewhere)
    code, log = failed_start(server)
    assert code != 0 and "history.db.jobs) is a symbolic link" in log, log
    assert not elsewhere.exists()


@pytest.mark.parametrize("damage,said", [
    ("other key", "is not the key of the certificate"), ("no cert", "cannot open"), ("noise", "server.crt: "),
    ("expired", "has expired")])
def test_certificates_that_are_of_no_use(make_serve, cluster, damage, said):
    server = make_serve(watch_of(cluster), start=False)
    cert, key = pooling.make_certificate(server.folder)
    server.use_tls(cert, key)
    if damage == "other key":
        server.settings["tls_key_file"] = pooling.make_certificate(server.folder, "other")[1]
    elif damage == "no cert":
        cert.unlink()
    elif damage == "noise":
        cert.write_bytes(b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n")
    else:
        subprocess.run(["openssl", "req", "-x509", "-new", "-key", key, "-subj", "/CN=localhost", "-out", cert,
                        "-not_before", "20200101000000Z", "-not_after", "20200201000000Z"]
                       if openssl_major() > 3 else
                       ["openssl", "x509", "-new", "-force_pubkey", public_key(key), "-signkey", key, "-subj",
                        "/CN=localhost", "-days", "-1", "-out", cert], check=True, capture_output=True)
    server.write_config()
    code, log = failed_start(server)
    assert code == 2 and said in log, log


def openssl_major():
    said = subprocess.run(["openssl", "version"], capture_output=True, text=True, check=True).stdout
    major, minor = map(int, re.search(r"(\d+)\.(\d+)", said).groups())
    return major + (minor >= 4)  # -not_after came with 3.4


def public_key(key):
    path = key.with_suffix(".pub")
    subprocess.run(["openssl", "pkey", "-in", key, "-pubout", "-out", path], check=True, capture_output=True)
    return path


def serial(server):
    with socket.create_connection(("127.0.0.1", server.port), timeout=60) as sock:
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        with context.wrap_socket(sock) as tls:
            return tls.getpeercert(binary_form=True)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_tls_with_a_certificate_that_changes(make_serve, cluster):
    server = make_serve(watch_of(cluster), start=False)
    cert, key = pooling.make_certificate(server.folder)
    server.use_tls(cert, key)
    server.start()
    answer = server.get("/api/v1/whoami", "admin")
    assert answer.data["role"] == "admin" and "strict-transport-security" in answer.headers
    body = b'{"why": "x"' + b" " * 900_000 + b"}"  # it is read whole, unlike that of a request which is refused at once
    assert server.request("POST", "/api/v1/alerts/no_such_rule/silence", "admin", body=body).status == 404
    with server.socket() as plain:
        plain.sendall(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert not serving.read_answer(plain).startswith(b"HTTP/")
    with server.socket() as sock, pytest.raises(ssl.SSLError):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        context.minimum_version = ssl.TLSVersion.MINIMUM_SUPPORTED
        context.maximum_version = ssl.TLSVersion.TLSv1_1
        context.set_ciphers("ALL:@SECLEVEL=0")
        context.wrap_socket(sock)
    before = serial(server)
    pooling.make_certificate(server.folder)
    server.give_away()
    server.reload()
    server.wait_for(lambda: serial(server) != before)
    after = serial(server)
    cert.write_text("nonsense")
    server.reload()
    server.wait_for(lambda: "the certificate is not reloaded" in server.log())
    assert serial(server) == after


def test_tokens_change_with_a_reload(make_serve, cluster):
    server = make_serve(watch_of(cluster))
    token = server.new_token("late", "viewer")
    server.give_away()
    assert server.get("/api/v1/whoami", token=token, source="127.0.3.1").status == 401
    server.reload()
    server.wait_for(lambda: server.get("/api/v1/whoami", token=token, source="127.0.3.2").status == 200)
    lines = (server.folder / "tokens").read_text().splitlines(True)
    (server.folder / "tokens").write_text("".join(l for l in lines if not l.startswith("viewer:")))
    server.reload()
    server.wait_for(lambda: server.get("/api/v1/whoami", "viewer", source="127.0.3.3").status == 401)
    (server.folder / "tokens").write_text("nonsense\n")
    server.reload()
    server.wait_for(lambda: "the tokens are not reloaded" in server.log())
    assert server.get("/api/v1/whoami", token=token).status == 200


def test_a_file_with_an_error_changes_nothing(make_serve, cluster):
    server = make_serve(watch_of(cluster))
    server.settings["prot"] = 1
    server.new_token("late", "viewer")
    server.write_config()
    server.reload()
    server.wait_for(lambda: "the configuration is not reloaded" in server.log())
    assert 'there is no setting "prot"' in server.log()
    assert server.get("/api/v1/whoami", token=server.tokens["late"], source="127.0.3.4").status == 401
    del server.settings["prot"]
    server.settings["watch_interval"] = 5
    server.write_config()
    server.reload()
    server.wait_for(lambda: "the configuration was reloaded" in server.log())
    assert "watch_interval changed in the file; that needs a restart" in server.log()
    assert server.get("/api/v1/whoami", token=server.tokens["late"]).status == 200


def test_slow_requests_are_ended(make_serve, cluster):
    sections = {**watch_of(cluster), "serve": {"request_timeout": 1}}
    server = make_serve(sections)
    head = f"POST /api/v1/whoami HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {server.tokens['admin']}\r\n"
    with server.socket() as sock:
        sock.sendall(head.encode())
        assert serving.status_of(serving.read_answer(sock)) == 408
    for start in (b"", b"GET", b"\x16\x03\x01\x02\0\x01\0\x01\xfc\x03\x03", b"\0\0\0\x08\x04\xd2\x16\x2f"):
        with server.socket() as sock:
            sock.sendall(start)
            assert serving.read_answer(sock) == b""
    assert server.get("/healthz").status == 200


def test_systemd_is_told(make_serve, cluster, tmp_path):
    path = tmp_path / "notify"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        listener.bind(str(path))
        for each in (tmp_path, path, *tmp_path.parents):
            if each != each.parent and each.stat().st_uid == os.getuid() and str(each) != "/tmp":
                each.chmod(0o777)
        listener.settimeout(60)
        server = make_serve(watch_of(cluster),
                            env={"NOTIFY_SOCKET": str(path), "WATCHDOG_USEC": "200000"})
        said = [listener.recv(4096).decode()]
        assert said[0] == "READY=1"
        assert listener.recv(4096).decode() == "WATCHDOG=1"
        server.reload()
        while "READY=1" not in said[1:]:
            said.append(listener.recv(4096).decode())
        assert any(s.startswith("RELOADING=1\nMONOTONIC_USEC=") for s in said)
        server.process.send_signal(signal.SIGTERM)
        while said[-1] != "STOPPING=1":
            said.append(listener.recv(4096).decode())


def test_the_pooler_runs_inside(make_serve, cluster, db):
    port = clusters.free_port()
    where = f"host={cluster.folder} port={cluster.settings['port']} user=postgres"
    server = make_serve({
        "databases": {db.name: where},
        "pgbouncer": {"listen_addr": "127.0.0.1", "listen_port": port, "auth_type": "trust",
                      "unix_socket_dir": "", "admin_users": "postgres", "pool_mode": "transaction",
                      "auth_file": "userlist.txt"},
    }, start=False)
    (server.folder / "userlist.txt").write_text('"postgres" ""\n')
    server.give_away()
    server.start()
    target = f"host=127.0.0.1 port={port} user=postgres dbname={db.name}"
    with psycopg.connect(target) as client:
        assert client.execute("SELECT current_database()").fetchone()[0] == db.name
        server.sections["pgbouncer"]["default_pool_size"] = 7
        server.write_config()
        server.reload()
        with psycopg.connect(target.replace(f"dbname={db.name}", "dbname=pgbouncer"), autocommit=True) as console:
            console.prepare_threshold = None

            def size():
                rows = psycopg.ClientCursor(console).execute("SHOW CONFIG").fetchall()
                return dict((r[0], r[1]) for r in rows)["default_pool_size"]

            server.wait_for(lambda: size() == "7")
        # an end that waits for the client, and goes on answering
        server.process.send_signal(signal.SIGTERM)
        server.wait_for(lambda: "shutting down when all clients have left" in server.log())
        assert client.execute("SELECT 1").fetchone() == (1,)
        assert server.get("/healthz").status == 200
    assert server.process.wait(60) == 0
    server.process = None


def test_a_password_is_nowhere(make_serve, cluster):
    marker = "hunter2marker"
    server = make_serve({"watch": {"main": f"postgresql://postgres:{marker}@localhost:1/postgres"}}, args=["-vv"])
    said = [server.get("/api/v1/whoami", "admin").body.decode(), server.log_path.read_text()]
    for name in ("cmdline", "environ"):
        with open(f"/proc/{server.process.pid}/{name}", "rb") as handle:
            said.append(handle.read().decode(errors="replace"))
    paths = server.get("/api/v1/openapi.json").json["paths"]
    for path, methods in paths.items():
        if "get" in methods and "{id}" not in path and "events" not in path:
            said.append(server.get(re.sub(r"{\w+}", "main", path), "admin").body.decode(errors="replace"))
    assert not [text[:300] for text in said if marker in text]
