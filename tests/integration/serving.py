"""A `pgmend serve` for a test: its folder, its file, its tokens, its process, and HTTP to it.

Tokens by role are made before the start, with the program itself: serve.tokens["admin"].
"""

import http.client
import json
import re
import signal
import socket
import ssl
import subprocess

import cluster as clusters
from daemons import Daemon

HTTP_TIMEOUT_S = 60
ROLES = ("viewer", "operator", "admin")


class Answer:
    """What came back: status, headers (by small names), body, and the body as JSON."""

    def __init__(self, response, body):
        self.status = response.status
        self.headers = {k.lower(): v for k, v in response.getheaders()}
        self.body = body

    @property
    def json(self):
        return json.loads(self.body)

    @property
    def data(self):
        assert self.status in (200, 202) and self.json["success"] is True, (self.status, self.body[:500])
        return self.json["data"]

    @property
    def code(self):
        """Of an error, which must have the form of all errors."""
        found = self.json
        assert found["success"] is False and set(found["error"]) <= {"code", "message", "hint"}, self.body
        assert self.headers["content-type"] == "application/json"
        return found["error"]["code"]

    def __repr__(self):
        return f"<{self.status} {self.body[:300]!r}>"


class Serve(Daemon):
    """sections: {"watch": {"shop": conninfo}, "serve": {...}, ...}; [serve] gets a port, tokens and a history.

    with_tokens=False: none, so that one is made at the start. Without=("history",): settings that are left out.
    conninfo: `pgmend serve CONNINFO`, without a file.
    """

    PREFIX = "pgmt-serve-"

    def __init__(self, binary, sections=None, with_tokens=True, without=(), conninfo=None, args=(), env=None):
        super().__init__(binary)
        self.config = self.folder / "serve.ini"
        self.conninfo, self.args = conninfo, list(args)
        self.env = {"HOME": str(self.folder), **(env or {})}
        self.tokens = {}
        self.tls = None
        self.sections = {name: dict(lines) for name, lines in (sections or {}).items()}
        settings = {"port": self.port, "history": self.folder / "history.db"}
        if with_tokens:
            settings["tokens"] = self.folder / "tokens"
            for role in ROLES:
                self.new_token(role, role)
        settings.update(self.sections.get("serve", {}))
        self.settings = {k: v for k, v in settings.items() if k not in without}
        self.write_config()

    def new_token(self, name, role, *more):
        done = subprocess.run([self.binary, "serve", "--new-token", name, "--role", role, "--tokens",
                               self.folder / "tokens", *more], capture_output=True, text=True, check=True,
                              timeout=60, env=clusters.clean_env())
        self.tokens[name] = done.stdout.strip()
        return self.tokens[name]

    def write_config(self):
        sections = {**self.sections, "serve": self.settings}
        lines = []
        for name, pairs in sections.items():
            lines += [f"[{name}]"] + [f"{k} = {v}" for k, v in pairs.items()]
        self.config.write_text("\n".join(lines) + "\n")
        self.config.chmod(0o600)
        self.give_away()

    def use_tls(self, cert, key):
        self.settings.update(tls_cert_file=cert, tls_key_file=key)
        self.tls = ssl.create_default_context(cafile=str(cert))
        self.write_config()

    def command(self):
        if self.conninfo:
            return [self.binary, "serve", "--port", str(self.port), *self.args, self.conninfo]
        return [self.binary, "serve", *self.args, self.config]

    def answers(self):
        return self.get("/healthz").status == 200

    def link_token(self):
        """The one that was made at the start."""
        return (self.folder / "history.db.token").read_text().strip()

    def connection(self, source=None):
        where = {"timeout": HTTP_TIMEOUT_S, "source_address": (source, 0) if source else None}
        if self.tls:
            return http.client.HTTPSConnection("localhost", self.port, context=self.tls, **where)
        return http.client.HTTPConnection("127.0.0.1", self.port, **where)

    def request(self, method, path, role=None, token=None, body=None, headers=None, source=None):
        """One request on a connection of its own. body: an object for JSON, or bytes."""
        headers = dict(headers or {})
        token = self.tokens[role] if role else token
        if token is not None:
            headers.setdefault("Authorization", f"Bearer {token}")
        if method in ("POST", "PUT") or body is not None:
            headers.setdefault("Content-Type", "application/json")
        if body is not None and not isinstance(body, (bytes, str)):
            body = json.dumps(body)
        conn = self.connection(source)
        try:
            conn.request(method, path, body=body, headers=headers)
            response = conn.getresponse()
            return Answer(response, response.read())
        finally:
            conn.close()

    def get(self, path, role=None, **more):
        return self.request("GET", path, role, **more)

    def post(self, path, role=None, body=None, **more):
        return self.request("POST", path, role, body=body if body is not None else {}, **more)

    def socket(self):
        return socket.create_connection(("127.0.0.1", self.port), timeout=HTTP_TIMEOUT_S)

    def raw(self, data, half_close=False):
        """All that comes back for these bytes until the server closes, or one answer has been read."""
        with self.socket() as sock:
            try:
                sock.sendall(data)
                if half_close:
                    sock.shutdown(socket.SHUT_WR)
            except OSError:
                pass  # refused before all of it was sent
            return read_answer(sock)

    def reload(self):
        self.process.send_signal(signal.SIGHUP)


def read_answer(sock):
    """Bytes of one answer by its Content-Length, or until the end; what came where the connection is reset."""
    data = b""
    try:
        while True:
            head, found, body = data.partition(b"\r\n\r\n")
            length = re.search(rb"(?im)^content-length: (\d+)", head) if found else None
            if length and len(body) >= int(length.group(1)):
                return data
            more = sock.recv(65536)
            if not more:
                return data
            data += more
    except ConnectionError:
        return data


def status_of(data):
    """Of raw bytes; 0 where the connection was closed without an answer."""
    match = re.match(rb"HTTP/1\.[01] (\d{3}) ", data)
    return int(match.group(1)) if match else 0
