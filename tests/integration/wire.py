"""PostgreSQL's protocol, version 3, raw: messages as bytes, and connections that send what they are told.

A target is (host, port); a host that begins with "/" is the folder of a Unix socket. Nothing here hides what
the other side sends: a Message is what came, byte for byte.
"""

import select
import socket
import ssl
import struct
import time

TIMEOUT_S = 60  # an answer comes at once, but where others have the processors

PROTOCOL_3 = 0x00030000
PROTOCOL_3_2 = 0x00030002
CANCEL_CODE = 80877102
SSL_CODE = 80877103
GSSENC_CODE = 80877104


class Closed(Exception):
    """The other side closed the connection where a message was awaited."""


class Sent(bytes):
    """A message to send; its repr is the call that made it."""

    text = ""

    def __new__(cls, data, text=None):
        made = super().__new__(cls, data)
        made.text = text or f"raw({bytes(data)!r})"
        return made

    def __repr__(self):
        return self.text


def cstring(value):
    return (value.encode() if isinstance(value, str) else value) + b"\0"


def message(kind, body=b"", text=None):
    return Sent(kind + struct.pack("!i", len(body) + 4) + body, text or f"message({kind!r}, {body!r})")


def raw(data):
    return Sent(data)


def packet(body):
    """A first packet: a length and no type."""
    return Sent(struct.pack("!i", len(body) + 4) + body)


def startup(user="postgres", database="postgres", protocol=PROTOCOL_3, **more):
    pairs = {"user": user, "database": database, **more}
    body = b"".join(cstring(k) + cstring(v) for k, v in pairs.items() if v is not None)
    return packet(struct.pack("!i", protocol) + body + b"\0")


def cancel_request(key):
    """key: the body of a BackendKeyData."""
    return packet(struct.pack("!i", CANCEL_CODE) + key)


def ssl_request():
    return packet(struct.pack("!i", SSL_CODE))


def gssenc_request():
    return packet(struct.pack("!i", GSSENC_CODE))


def query(sql):
    return message(b"Q", cstring(sql), f"query({sql!r})")


def parse(name, sql, types=()):
    body = cstring(name) + cstring(sql) + struct.pack(f"!h{len(types)}I", len(types), *types)
    return message(b"P", body, f"parse({name!r}, {sql!r}, {tuple(types)!r})")


def bind(portal, name, values=(), formats=(), results=()):
    """values: bytes, text or None."""
    body = [cstring(portal), cstring(name), struct.pack(f"!h{len(formats)}h", len(formats), *formats),
            struct.pack("!h", len(values))]
    for value in values:
        data = value.encode() if isinstance(value, str) else value
        body.append(struct.pack("!i", -1) if data is None else struct.pack("!i", len(data)) + data)
    body.append(struct.pack(f"!h{len(results)}h", len(results), *results))
    shown = [v if v is None or len(v) < 100 else f"{v[:10]!r}... {len(v)}" for v in values]
    return message(b"B", b"".join(body),
                   f"bind({portal!r}, {name!r}, {shown!r}, {tuple(formats)!r}, {tuple(results)!r})")


def describe(what, name=""):
    return message(b"D", what.encode() + cstring(name), f"describe({what!r}, {name!r})")


def close(what, name=""):
    return message(b"C", what.encode() + cstring(name), f"close({what!r}, {name!r})")


def execute(portal="", rows=0):
    return message(b"E", cstring(portal) + struct.pack("!i", rows), f"execute({portal!r}, {rows})")


def sync():
    return message(b"S", text="sync()")


def flush():
    return message(b"H", text="flush()")


def terminate():
    return message(b"X", text="terminate()")


def copy_data(data):
    return message(b"d", data, f"copy_data({data[:60]!r})" if len(data) < 60 else f"copy_data({data[:1]!r} * {len(data)})")


def copy_done():
    return message(b"c", text="copy_done()")


def copy_fail(why="no"):
    return message(b"f", cstring(why), f"copy_fail({why!r})")


def password(body):
    return message(b"p", body)


def sasl_initial(mechanism, data, length=None):
    """length: what to announce, where that is not the data's."""
    announced = len(data) if length is None else length
    return password(cstring(mechanism) + struct.pack("!I", announced & 0xffffffff) + data)


def function_call(oid, values=(), formats=(), result=0):
    body = [struct.pack(f"!Ih{len(formats)}h", oid, len(formats), *formats), struct.pack("!h", len(values))]
    for value in values:
        body.append(struct.pack("!i", -1) if value is None else struct.pack("!i", len(value)) + value)
    body.append(struct.pack("!h", result))
    return message(b"F", b"".join(body), f"function_call({oid}, {values!r}, {tuple(formats)!r}, {result})")


class Message:
    """One that came: kind is a letter, body its bytes."""

    __slots__ = ("kind", "body")

    def __init__(self, kind, body):
        self.kind = kind
        self.body = body

    def fields(self):
        """Of an error or a notice: {"C": "42601", "M": ...}."""
        return {part[:1].decode(): part[1:].decode(errors="replace") for part in self.body.split(b"\0") if part}

    @property
    def sqlstate(self):
        return self.fields().get("C")

    def cells(self):
        """Of a DataRow: texts or None."""
        count, at, found = struct.unpack_from("!h", self.body)[0], 2, []
        for _ in range(count):
            length = struct.unpack_from("!i", self.body, at)[0]
            at += 4
            if length < 0:
                found.append(None)
            else:
                found.append(self.body[at:at + length].decode())
                at += length
        return found

    @property
    def data(self):
        """As it came."""
        return self.kind.encode() + struct.pack("!i", len(self.body) + 4) + self.body

    def __repr__(self):
        if self.kind in "EN":
            return f"{self.kind}{self.fields()}"
        return f"{self.kind}{self.body!r}"

    def __eq__(self, other):
        return (self.kind, self.body) == (other.kind, other.body)

    def __hash__(self):
        return hash((self.kind, self.body))


def messages_of(data):
    """All messages of a stream of bytes; what is left of a broken one comes last, with kind "?"."""
    found, at = [], 0
    while at < len(data):
        if len(data) - at < 5:
            return found + [Message("?", data[at:])]
        length = struct.unpack_from("!i", data, at + 1)[0]
        if length < 4 or at + 1 + length > len(data):
            return found + [Message("?", data[at:])]
        found.append(Message(chr(data[at]), data[at + 5:at + 1 + length]))
        at += 1 + length
    return found


class Failed(Exception):
    """A query that was answered by an error; sqlstate, and answer: all messages."""

    def __init__(self, answer):
        error = next(m for m in answer if m.kind == "E")
        super().__init__(f"{error.sqlstate}: {error.fields().get('M')}")
        self.sqlstate = error.sqlstate
        self.severity = error.fields().get("V")
        self.answer = answer


def tls_context():
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def open_socket(target, timeout=TIMEOUT_S):
    host, port = target
    if host.startswith("/"):
        sock = socket.socket(socket.AF_UNIX)
        sock.settimeout(timeout)
        sock.connect(f"{host}/.s.PGSQL.{port}")
    else:
        sock = socket.create_connection((host, port), timeout)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return sock


class Raw:
    """A socket to a target, before anything was said."""

    def __init__(self, target, timeout=TIMEOUT_S):
        self.target = target
        self.timeout = timeout
        self.sock = open_socket(target, timeout)
        self.buffer = bytearray()

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        self.close()

    def start_tls(self, context=None):
        self.sock.sendall(ssl_request())
        answer = self.sock.recv(1)
        if answer != b"S":
            raise Closed(f"no TLS: {answer!r}")
        self.sock = (context or tls_context()).wrap_socket(self.sock)
        return self

    def send(self, *parts):
        self.sock.sendall(b"".join(parts))
        return self

    def send_split(self, data, rng, pieces):
        """In so many pieces, cut at random places."""
        cuts = sorted(rng.randrange(len(data) + 1) for _ in range(pieces - 1))
        for start, end in zip([0, *cuts], [*cuts, len(data)]):
            self.sock.sendall(data[start:end])
            if rng.random() < 0.1:
                time.sleep(0.0005)

    def fill(self):
        """Waits for more bytes. False at the end of the stream, also where it was reset."""
        try:
            data = self.sock.recv(1 << 16)
        except (ConnectionResetError, BrokenPipeError, ssl.SSLEOFError, ssl.SSLZeroReturnError):
            return False
        self.buffer += data
        return bool(data)

    def receive(self):
        """The next message; Closed at the end, TimeoutError where none comes."""
        while len(self.buffer) < 5:
            if not self.fill():
                raise Closed(f"closed with {bytes(self.buffer)!r} unread")
        length = struct.unpack_from("!i", self.buffer, 1)[0] + 1
        while len(self.buffer) < length:
            if not self.fill():
                raise Closed(f"closed within a message: {bytes(self.buffer[:100])!r}")
        found = Message(chr(self.buffer[0]), bytes(self.buffer[5:length]))
        del self.buffer[:length]
        return found

    def receive_until(self, kinds):
        """Messages up to the first of one of these kinds."""
        found = []
        while True:
            found.append(self.receive())
            if found[-1].kind in kinds:
                return found

    def rest(self, seconds=None):
        """All bytes until the other side closes; TimeoutError where it does not."""
        deadline = time.monotonic() + (seconds or self.timeout)
        while True:
            self.sock.settimeout(max(0.001, deadline - time.monotonic()))
            if not self.fill():
                data, self.buffer = bytes(self.buffer), bytearray()
                return data

    def exchange(self, chunks, seconds=None, over=None, between=None):
        """Sends these, one after the other, reading at the same time, and reads until the other side closes, or
        until over(all that was read) is true. between(all that was read) is called before each chunk but the
        first: a time in seconds to wait for more before it is asked again, or None where the chunk may go."""
        chunks = [chunk for chunk in chunks if chunk][::-1]
        deadline = time.monotonic() + (seconds or self.timeout)
        asked = True
        self.sock.settimeout(0)
        while True:
            left = deadline - time.monotonic()
            if left <= 0:
                raise TimeoutError(f"no end after {bytes(self.buffer)[-200:]!r}")
            if chunks and not asked:
                wait = between(self.buffer)
                asked = wait is None
                left = left if asked else min(left, wait)
            pending = isinstance(self.sock, ssl.SSLSocket) and self.sock.pending()
            writes = [self.sock] if chunks and asked else []
            readable, writable, _ = select.select([self.sock], writes, [], 0 if pending else left)
            if writable:
                try:
                    sent = self.sock.send(chunks[-1])
                    if sent == len(chunks[-1]):
                        chunks.pop()
                        asked = between is None
                    else:
                        chunks[-1] = chunks[-1][sent:]
                except (BlockingIOError, ssl.SSLWantWriteError, ssl.SSLWantReadError):
                    pass
                except (ConnectionResetError, BrokenPipeError, ssl.SSLError):
                    chunks = []
            if readable or pending:
                try:
                    if not self.fill() or (over and not chunks and over(self.buffer)):
                        answer, self.buffer = bytes(self.buffer), bytearray()
                        return answer
                except (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError):
                    pass

    def closed_within(self, seconds):
        """Reads until the other side closes; returns what came, or None where it did not close in time."""
        try:
            return self.rest(seconds)
        except (TimeoutError, socket.timeout):
            return None

    def abort(self):
        """A reset, as when a client's machine dies."""
        try:
            self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        except OSError:
            pass
        self.sock.close()

    def close(self):
        self.sock.close()


class Connection(Raw):
    """A session: logged in (by trust) when made; parameters and key are what the server told."""

    def __init__(self, target, user="postgres", database="postgres", tls=False, timeout=TIMEOUT_S, **more):
        super().__init__(target, timeout)
        self.parameters, self.key, self.status = {}, None, None
        try:
            if tls:
                self.start_tls()
            self.send(startup(user, database, **more))
            self.greeting = self.receive_until("ZE")
            for found in self.greeting:
                if found.kind == "S":
                    name, value = found.body.split(b"\0")[:2]
                    self.parameters[name.decode()] = value.decode()
                elif found.kind == "K":
                    self.key = found.body
                elif found.kind == "E":
                    raise Failed(self.greeting)
        except BaseException:
            self.close()
            raise
        self.status = "I"

    def answer(self):
        """Messages up to and with ReadyForQuery, or to an error that ends the session."""
        found = []
        while True:
            one = self.receive()
            found.append(one)
            if one.kind == "Z":
                self.status = one.body.decode()
                return found
            if one.kind == "E" and one.fields().get("V") in ("FATAL", "PANIC"):
                return found
            if one.kind == "S":
                name, value = one.body.split(b"\0")[:2]
                self.parameters[name.decode()] = value.decode()

    def run(self, *messages):
        """Sends these (which end with a Query or Sync) and gives the answer."""
        self.send(*messages)
        return self.answer()

    def query(self, sql):
        """Rows of texts of a simple query; Failed where it fails."""
        found = self.run(query(sql))
        if any(m.kind == "E" for m in found):
            raise Failed(found)
        return [m.cells() for m in found if m.kind == "D"]

    def scalar(self, sql):
        return self.query(sql)[0][0]

    def fetch(self, sql, *values, name=""):
        """Rows of an extended query with texts as parameters."""
        found = self.run(parse(name, sql), bind("", name, values), execute(), sync())
        if any(m.kind == "E" for m in found):
            raise Failed(found)
        return [m.cells() for m in found if m.kind == "D"]

    def cancel(self):
        """Asks to cancel what runs, waits until the other side has closed."""
        with Raw(self.target, self.timeout) as other:
            other.send(cancel_request(self.key))
            return other.rest()

    def end(self):
        self.send(terminate())
        self.close()
