"""pgmend serve: who may ask what, and what hostile requests get."""

import concurrent.futures
import json
import pathlib
import re
import socket
import threading

import pytest

import serving

ROOT = pathlib.Path(__file__).resolve().parents[2]
ORDER = ["none", *serving.ROLES]
SECURITY = {"x-content-type-options": "nosniff", "x-frame-options": "DENY", "referrer-policy": "no-referrer",
            "cross-origin-resource-policy": "same-origin"}


def routes(serve):
    """(method, path with names that exist nowhere, role) of each route."""
    for path, methods in serve.get("/api/v1/openapi.json").json["paths"].items():
        for method, operation in methods.items():
            yield method.upper(), re.sub(r"{[^}]*}", "no-such-thing", path), operation


def test_the_document_is_the_one_in_docs(serve):
    kept = json.loads((ROOT / "docs" / "openapi.json").read_text())
    said = serve.get("/api/v1/openapi.json").json
    kept["info"].pop("version"), said["info"].pop("version")
    assert said == kept, "make docs/openapi.json anew: see docs/api.md"


def test_each_route_asks_for_its_role(serve):
    """Route x role x token. Nothing is there that could be changed: each name in a path is of nothing."""
    wrong = []
    seen = 0
    for method, path, operation in routes(serve):
        needed = ORDER.index(operation["x-role"])
        for rank, role in enumerate(ORDER):
            token = {} if role == "none" else {"role": role}
            answer = serve.request(method, path, **token)
            refused = answer.status in (401, 403) and answer.code in ("unauthorized", "forbidden")
            expected = 401 if role == "none" else 403
            seen += 1
            if rank < needed and not (refused and answer.status == expected):
                wrong.append(f"{method} {path} as {role}: {answer}")
            if rank >= needed and refused:
                wrong.append(f"{method} {path} as {role}: {answer}")
            if answer.status >= 500 and answer.status != 503:
                wrong.append(f"{method} {path} as {role}: {answer}")
    assert not wrong, "\n".join(wrong)
    assert seen >= 12


def test_wrong_tokens_open_nothing(serve):
    good = serve.tokens["admin"]
    tokens = ["", "x", good[:-1], good + "x", good.swapcase(), good + " ", "pgm_" + "A" * 43, "\xe4" * 40]
    wrong = []
    address = 0
    for method, path, operation in routes(serve):
        if operation["x-role"] == "none":
            continue
        address += 1  # each has its own budget of wrong tokens
        answer = serve.request(method, path, token=tokens[address % len(tokens)],
                               source=f"127.0.{address // 200 + 1}.{address % 200 + 1}")
        if answer.status != 401 or answer.code != "unauthorized":
            wrong.append(f"{method} {path}: {answer}")
    assert not wrong, "\n".join(wrong)


def test_a_token_elsewhere_is_none(serve):
    token = serve.tokens["admin"]
    assert serve.get(f"/api/v1/whoami?token={token}").status == 401
    assert serve.get("/api/v1/whoami", headers={"Cookie": f"token={token}"}).status == 401
    assert serve.get("/api/v1/whoami", headers={"Authorization": f"Basic {token}"}, source="127.0.9.1").status == 401
    assert serve.get("/api/v1/whoami", headers={"X-Authorization": f"Bearer {token}"}).status == 401
    assert serve.get("/api/v1/whoami", "admin").data["name"] == "admin"
    assert token not in serve.log_path.read_text()


def test_who_guesses_is_slowed_down(serve):
    statuses = [serve.get("/api/v1/whoami", token=f"guess{n}", source="127.0.8.8").status for n in range(400)]
    assert statuses[0] == 401 and set(statuses) <= {401, 429}
    if 429 in statuses:  # a machine that takes a tenth of a second for each never gets there
        refused = serve.get("/api/v1/whoami", token="guess", source="127.0.8.8")
        if refused.status == 429:
            assert refused.code == "too_many" and refused.headers["retry-after"] == "1"
    assert serve.get("/api/v1/whoami", "viewer", source="127.0.8.8").status == 200
    assert serve.get("/api/v1/whoami", token="guess", source="127.0.8.9").status == 401


@pytest.mark.parametrize("host,status", [
    ("evil.example", 421), ("localhost.evil.example:80", 421), ("127.0.0.1.evil.example", 421),
    ("localhost", 200), ("127.0.0.1", 200), ("[::1]:8432", 200), ("10.1.2.3:99", 200), ("", 400)])
def test_names_that_are_not_ours_are_refused(serve, host, status):
    answer = serve.get("/healthz", headers={"Host": host})
    assert answer.status in ((400, 421) if status == 400 else (status,)), answer
    assert answer.headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize("origin", ["http://evil.example", "null", "http://localhost:1", "file://", "http://127.0.0.1"])
def test_other_sites_are_refused(serve, origin):
    for method in ("GET", "POST", "OPTIONS"):
        answer = serve.request(method, "/api/v1/whoami", "admin", headers={"Origin": origin})
        assert answer.status == 403 and answer.code == "wrong_origin"
        assert not [h for h in answer.headers if h.startswith("access-control-")]
    ours = serve.get("/api/v1/whoami", "admin", headers={"Origin": f"http://127.0.0.1:{serve.port}"})
    assert ours.status == 200


def test_methods_and_paths_that_are_not_there(serve):
    answer = serve.request("DELETE", "/api/v1/whoami", "admin")
    assert answer.status == 405 and answer.headers["allow"] == "GET"
    for method in ("TRACE", "OPTIONS", "PATCH", "BREW", "PROPFIND"):
        assert serve.request(method, "/api/v1/whoami", "admin").status == 405
    assert serve.get("/api/v1/no-such-thing").status == 401
    assert serve.get("/api/v1/no-such-thing", "viewer").code == "not_found"
    assert serve.get("/no-such-thing").code == "not_found"
    head = serve.request("HEAD", "/healthz")
    assert head.status == 200 and head.body == b"" and int(head.headers["content-length"]) > 0


def test_each_answer_bears_the_headers(serve):
    for answer in (serve.get("/healthz"), serve.get("/api/v1/whoami"), serve.get("/nothing"),
                   serve.get("/api/v1/whoami", "admin"), serve.get("/x//y")):
        assert SECURITY.items() <= answer.headers.items(), answer
        policy = answer.headers["content-security-policy"]
        assert "default-src 'none'" in policy and "unsafe" not in policy and "frame-ancestors 'none'" in policy
        assert answer.headers["cache-control"] in ("no-store", "no-cache")


PATHS = ["/../../etc/passwd", "/%2e%2e/%2e%2e/etc/passwd", "/..%2f..%2fetc%2fpasswd", "//etc/passwd", "/api//v1",
         "/api/v1/whoami%00", "/api/v1/whoami/", "/%zz", "/%", "/%ff", "/%c0%ae%c0%ae/x", "/a\\b", "/assets/../web",
         "/api/v1/./whoami", "/%0d%0aX-Evil:%201", "/assets/%2e%2e/serve.ini", "http://127.0.0.1/healthz", "*",
         "/tokens", "/history.db", "/serve.ini"]


@pytest.mark.parametrize("path", PATHS)
def test_paths_that_lead_elsewhere(serve, path):
    answer = serve.raw(f"GET {path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {serve.tokens['admin']}"
                       "\r\nConnection: close\r\n\r\n".encode())
    assert serving.status_of(answer) in (400, 404), answer[:300]
    assert b"root:" not in answer and b"X-Evil" not in answer.split(b"\r\n\r\n")[0]


def request(*headers, method="POST", path="/api/v1/whoami", body=""):
    return "\r\n".join([f"{method} {path} HTTP/1.1", "Host: localhost", *headers, "", body]).encode()


HOSTILE = {
    "two lengths": (request("Content-Length: 0", "Content-Length: 5", body="hello"), (400,)),
    "two equal lengths": (request("Content-Length: 2", "Content-Length: 2", body="{}"), (400,)),
    "length and chunks": (request("Content-Length: 5", "Transfer-Encoding: chunked", body="0\r\n\r\n"), (400,)),
    "chunks twice": (request("Transfer-Encoding: chunked", "Transfer-Encoding: chunked", body="0\r\n\r\n"), (400,)),
    "another coding": (request("Transfer-Encoding: gzip, chunked", body="0\r\n\r\n"), (400, 501)),
    "identity": (request("Transfer-Encoding: identity", body=""), (400, 501)),
    "negative length": (request("Content-Length: -1"), (400, 413)),
    "length in hex": (request("Content-Length: 0x10", body="x" * 16), (400,)),
    "length with a sign": (request("Content-Length: +5", body="hello"), (400,)),
    "huge length": (request("Content-Length: 99999999999999999999999"), (400, 413)),
    "large length": (request("Content-Length: 1073741824"), (400, 401, 405, 413)),
    "chunk overflow": (request("Transfer-Encoding: chunked", body="fffffffffffffffff\r\n"), (0, 400, 401, 405, 413)),
    "chunk nonsense": (request("Transfer-Encoding: chunked", body="zz\r\nxx\r\n"), (0, 400, 401, 405)),
    "long address": (request(method="GET", path="/" + "a" * 100_000), (414, 431)),
    "longer than ours": (request(method="GET", path="/" + "a" * 9000), (414,)),
    "many headers": (request(*[f"X-{n}: 1" for n in range(1000)], method="GET"), (431,)),
    "101 headers": (request(*[f"X-{n}: 1" for n in range(101)], method="GET"), (431,)),
    "a long header": (request("X-Long: " + "a" * 100_000, method="GET"), (431, 413)),
    "no host": (b"GET /healthz HTTP/1.1\r\n\r\n", (400,)),
    "old and no host": (b"GET /healthz HTTP/1.0\r\n\r\n", (400,)),
    "two hosts": (b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nHost: evil\r\n\r\n", (400,)),
    "no version": (b"GET /healthz\r\n\r\n", (0, 400, 505)),
    "another version": (b"GET /healthz HTTP/9.9\r\nHost: localhost\r\n\r\n", (0, 400, 505)),
    "no request": (b"\0\1\2\3\4\r\n\r\n", (0, 400, 405, 505)),
    "a folded header": (b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n folded\r\n\r\n", (200, 400, 421)),
    "a header with no colon": (b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nnonsense\r\n\r\n", (400,)),
    "a NUL in a header": (b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nX: a\0b\r\n\r\n", (200, 400)),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_requests_that_break_the_rules(serve, name):
    data, expected = HOSTILE[name]
    answer = serve.raw(data, half_close=True)
    assert serving.status_of(answer) in expected, (name, answer[:300])
    assert serve.get("/healthz").status == 200


def test_what_follows_a_refused_body_is_no_request(serve):
    """Smuggling: the body of a refused request must never be answered as a request of its own."""
    inner = b"GET /api/v1/openapi.json HTTP/1.1\r\nHost: localhost\r\n\r\n"
    for headers in (["Content-Length: 0", f"Content-Length: {len(inner)}"],
                    ["Content-Length: 4", "Transfer-Encoding: chunked"], [f"Content-Length: {len(inner)}"]):
        with serve.socket() as sock:
            sock.sendall(request(*headers) + inner)
            sock.shutdown(socket.SHUT_WR)
            data = b""
            try:
                while more := sock.recv(65536):
                    data += more
            except ConnectionError:
                pass
        assert b'"openapi"' not in data, data[:300]
        assert data.count(b"HTTP/1.1 ") <= 1



def test_a_request_may_come_byte_by_byte(serve):
    data = request(f"Authorization: Bearer {serve.tokens['viewer']}", "Connection: close", method="GET")
    with serve.socket() as sock:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for at in range(len(data)):
            sock.sendall(data[at:at + 1])
        assert serving.status_of(serving.read_answer(sock)) == 200


def test_requests_in_a_row_on_one_connection(serve):
    conn = serve.connection()
    for n in range(50):
        role = serving.ROLES[n % 3]
        conn.request("GET", "/api/v1/whoami", headers={"Authorization": f"Bearer {serve.tokens[role]}"})
        assert json.loads(conn.getresponse().read())["data"]["role"] == role
    conn.close()


def test_what_is_refused_keeps_the_connection(serve):
    conn = serve.connection()
    conn.request("GET", "/healthz")
    conn.getresponse().read()
    sock = conn.sock
    for path, status in (("/api/v1/whoami", 401), ("/nothing", 404), ("/a//b", 400), ("/", 200), ("/healthz", 200)):
        conn.request("GET", path)
        response = conn.getresponse()
        response.read()
        assert (response.status, conn.sock) == (status, sock)
    conn.close()


def test_requests_in_a_pipeline_are_answered_in_order(serve):
    data = b"".join(request(f"Authorization: Bearer {serve.tokens[serving.ROLES[n % 3]]}", method="GET")
                    for n in range(12))
    with serve.socket() as sock:
        sock.sendall(data)
        got = b""
        while got.count(b'"success":true') < 12:
            more = sock.recv(65536)
            assert more, got
            got += more
    assert re.findall(rb'"role":"(\w+)"', got) == [r.encode() for r in serving.ROLES] * 4


def test_500_connections_at_once(serve):
    idle = []
    try:
        for _ in range(250):
            idle.append(serve.socket())
        with concurrent.futures.ThreadPoolExecutor(16) as threads:
            statuses = list(threads.map(lambda _: serve.get("/api/v1/whoami", "viewer").status, range(250)))
        assert statuses == [200] * 250
    finally:
        for sock in idle:
            sock.close()


def test_clients_that_go_away_leave_nothing(serve):
    stop = threading.Event()

    def leave():
        while not stop.is_set():
            with serve.socket() as sock:
                sock.sendall(request(f"Authorization: Bearer {serve.tokens['viewer']}", method="GET"))

    threads = [threading.Thread(target=leave) for _ in range(4)]
    for thread in threads:
        thread.start()
    for _ in range(50):
        assert serve.get("/api/v1/whoami", "viewer").status == 200
    stop.set()
    for thread in threads:
        thread.join()
    folder = pathlib.Path(f"/proc/{serve.process.pid}/fd")
    serve.wait_for(lambda: len(list(folder.iterdir())) < 100)


BAD_VALUES = {"integer": ["", "x", "1.5", "1e3", "99999999999999999999", "1%20", "0x1"], "number": ["", "x", "nan", "1e999"],
              "boolean": ["", "yes", "2"], "string": ["a%00b", "a%0ab", "%ff"]}


def test_parameters_are_held_to_their_rows(serve):
    """Each query parameter of each route: unknown names, values of no use, one that is there twice."""
    wrong = []
    for method, path, operation in routes(serve):
        if operation["x-role"] == "none":
            continue
        params = [p for p in operation.get("parameters", []) if p["in"] == "query"]
        required = "".join(f"&{p['name']}=1" for p in params if p["required"])
        queries = [f"no_such={'x' * 50}{required}"]
        for param in params:
            name, schema = param["name"], param["schema"]
            kind = schema["type"] if isinstance(schema["type"], str) else "number"
            values = ["no-such-word"] if "enum" in schema else BAD_VALUES[kind]
            values = values + [str(schema["maximum"] + 1)] if "maximum" in schema else values
            queries += [f"{name}={value}" for value in values] + [f"{name}=1&{name}=1"]
        for query in queries:
            answer = serve.request(method, f"{path}?{query}", "admin")
            if answer.status != 400 or answer.code not in ("bad_parameter", "bad_address"):
                wrong.append(f"{method} {path}?{query}: {answer}")
    assert not wrong, "\n".join(wrong)


BAD_BODIES = ["{", '{"a":1', '{"a":1,"a":2}', "[" * 100_000, '{"a":' * 100_000, '{"a":NaN}', '{"a":1e400}', '{"a":"\\ud800"}',
              '{"a":"\\u0000"}', b'{"a":"\xff"}', "[1]", "3", "null", "{} {}", "{'a':1}", '{"a":1,}', "\ufeff{}".encode()]


def posts(serve):
    return [(method, path) for method, path, operation in routes(serve) if method in ("POST", "PUT")]


def test_bodies_that_are_no_json(serve):
    wrong = []
    for method, path in posts(serve):
        for body in BAD_BODIES:
            answer = serve.request(method, path, "admin", body=body)
            if answer.status != 400 or answer.code != "bad_json" or "line " not in answer.json["error"]["message"]:
                wrong.append(f"{method} {path} {body[:40]}: {answer}")
        answer = serve.request(method, path, "admin", body={"no such member": 1})
        if answer.status != 400 or answer.code != "bad_parameter":
            wrong.append(f"{method} {path}: {answer}")
        for kind in ("text/plain", "application/x-www-form-urlencoded", "application/jsonp", "multipart/form-data"):
            answer = serve.request(method, path, "admin", body="{}", headers={"Content-Type": kind})
            if answer.status != 415 or answer.code != "wrong_type":
                wrong.append(f"{method} {path} {kind}: {answer}")
    assert not wrong, "\n".join(wrong)


def test_bodies_that_are_too_large(serve):
    for method, path in posts(serve)[:3]:
        head = (f"{method} {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
                f"Authorization: Bearer {serve.tokens['admin']}\r\n")
        assert serving.status_of(serve.raw(f"{head}Content-Length: {1 << 30}\r\n\r\n".encode())) == 413
        chunks = f"{head}Transfer-Encoding: chunked\r\n\r\n".encode() + b"10000\r\n" + b" " * 0x10000 + b"\r\n"
        with serve.socket() as sock:
            try:
                sock.sendall(chunks + (b"10000\r\n" + b" " * 0x10000 + b"\r\n") * 40)
            except OSError:
                pass
            assert serving.status_of(serving.read_answer(sock)) in (0, 413)
    assert serve.get("/healthz").status == 200
