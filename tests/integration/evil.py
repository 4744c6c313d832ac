"""A fake PostgreSQL that speaks the protocol and breaks it where it is told to.

The database that a connection asks for says how: misdeed(database) gives (where, bytes), see EvilServer, or None for
an honest server, which answers each Query with one row ("honest") and each Sync with ReadyForQuery.
"""

import random
import socket
import struct
import threading

SSL_CODE, CANCEL_CODE, GSSENC_CODE = 80877103, 80877102, 80877104
SILENCE_S = 60


def message(kind, body=b""):
    return kind + struct.pack("!i", len(body) + 4) + body


def error(*fields, end=b"\0"):
    return message(b"E", b"".join(f + b"\0" for f in fields) + end)


AUTH_OK = message(b"R", struct.pack("!i", 0))
KEY = message(b"K", struct.pack("!iI", 4242, 0xdeadbeef))
READY = message(b"Z", b"I")
PARAMETERS = b"".join(message(b"S", k + b"\0" + v + b"\0") for k, v in [
    (b"server_version", b"15.20"), (b"server_encoding", b"UTF8"), (b"client_encoding", b"UTF8"),
    (b"DateStyle", b"ISO, MDY"), (b"TimeZone", b"UTC"), (b"integer_datetimes", b"on"), (b"is_superuser", b"on"),
    (b"IntervalStyle", b"postgres"), (b"application_name", b""), (b"session_authorization", b"postgres"),
    (b"standard_conforming_strings", b"on"), (b"default_transaction_read_only", b"off"), (b"in_hot_standby", b"off")])
ROW_DESCRIPTION = message(b"T", b"\0\1x\0" + struct.pack("!IhIhih", 0, 0, 25, -1, -1, 0))
ROW = message(b"D", struct.pack("!hi", 1, 6) + b"honest")
COMPLETE = message(b"C", b"SELECT 1\0")
ANSWER = ROW_DESCRIPTION + ROW + COMPLETE + READY
LOGIN = AUTH_OK + PARAMETERS + KEY + READY

# How it answers a login, in place of AuthenticationOk and what follows.
LOGINS = {
    "closes at once": b"",
    "says nothing": None,
    "HTTP": b"HTTP/1.1 400 Bad Request\r\n\r\n",
    "error without SQLSTATE": error(b"SFATAL", b"Mno"),
    "error without fields": error(),
    "error without an end": message(b"E", b"SFATAL\0C28000\0Mno"),
    "error with an unterminated field": message(b"E", b"SFATAL"),
    "empty error": message(b"E"),
    "error with everything twice": error(b"SFATAL", b"SERROR", b"C28000", b"C28P01", b"Ma", b"Mb"),
    "error of a megabyte": error(b"SFATAL", b"C28000", b"M" + b"x" * 1_000_000),
    "authentication of no length": b"R\0\0\0\4",
    "authentication too short": message(b"R", b"\0\0"),
    "unknown authentication": message(b"R", struct.pack("!i", 99)),
    "kerberos": message(b"R", struct.pack("!i", 2)),
    "md5 without salt": message(b"R", struct.pack("!i", 5)),
    "md5 with half a salt": message(b"R", struct.pack("!i", 5) + b"ab"),
    "sasl without mechanisms": message(b"R", struct.pack("!i", 10)),
    "sasl without an end": message(b"R", struct.pack("!i", 10) + b"SCRAM-SHA-256"),
    "sasl of others": message(b"R", struct.pack("!i", 10) + b"OAUTHBEARER\0\0"),
    "sasl continue first": message(b"R", struct.pack("!i", 11) + b"r=x,s=eA==,i=4096"),
    "sasl final first": message(b"R", struct.pack("!i", 12) + b"v=eA=="),
    "length 3": b"R\0\0\0\3",
    "length of 2 GB": b"R\x7f\xff\xff\xff",
    "negative length": b"R\xff\xff\xff\xff",
    "row before login": ROW,
    "ready before login": READY,
    "unknown message": message(b"\xfe", b"x"),
    "key of 300 bytes": AUTH_OK + PARAMETERS + message(b"K", b"\0\0\0\1" + b"k" * 300) + READY,
    "key too short": AUTH_OK + PARAMETERS + message(b"K", b"\0") + READY,
    "parameter without a value": AUTH_OK + message(b"S", b"TimeZone\0") + KEY + READY,
    "parameter without an end": AUTH_OK + message(b"S", b"TimeZone") + KEY + READY,
    "ready with rubbish": AUTH_OK + PARAMETERS + KEY + message(b"Z", b"x"),
    "ready without a status": AUTH_OK + PARAMETERS + KEY + message(b"Z"),
    "closes after ok": AUTH_OK,
    "closes before ready": AUTH_OK + PARAMETERS + KEY,
    "copy in login": AUTH_OK + PARAMETERS + KEY + message(b"G", b"\0\0\0"),
    "negotiates": message(b"v", struct.pack("!ii", 0, 0x7fffffff)) + LOGIN,
    "negotiates badly": message(b"v", b"\0"),
}

# How it answers a query.
ANSWERS = {
    "closes": b"",
    "says nothing": None,
    "error without SQLSTATE": error(b"SERROR", b"Mno") + READY,
    "error without fields": error() + READY,
    "error without an end": message(b"E", b"SERROR\0C42601\0Mno") + READY,
    "fatal and closes": error(b"SFATAL", b"VFATAL", b"C57P01", b"Mterminating connection"),
    "negative row": ROW_DESCRIPTION + message(b"D", struct.pack("!hi", 1, -2)) + COMPLETE + READY,
    "row beyond its end": ROW_DESCRIPTION + message(b"D", struct.pack("!hi", 1, 1000) + b"x") + COMPLETE + READY,
    "row of 65535 columns": ROW_DESCRIPTION + message(b"D", b"\xff\xff") + COMPLETE + READY,
    "empty row": message(b"D") + READY,
    "length 3": b"D\0\0\0\3",
    "length 0": b"D\0\0\0\0",
    "length of 2 GB": b"D\x7f\xff\xff\xff" + b"x" * 100,
    "negative length": b"D\xff\xff\xff\xfe",
    "no ready": ROW_DESCRIPTION + ROW + COMPLETE,
    "ready twice": ANSWER + READY,
    "answer twice": ANSWER + ANSWER,
    "unasked row after": ANSWER + ROW,
    "unasked error after": ANSWER + error(b"SERROR", b"CXX000", b"Mlate"),
    "ready with rubbish": ROW_DESCRIPTION + ROW + COMPLETE + message(b"Z", b"?"),
    "ready without a status": ROW_DESCRIPTION + ROW + COMPLETE + message(b"Z"),
    "ready too long": ROW_DESCRIPTION + ROW + COMPLETE + message(b"Z", b"Ixyz"),
    "unknown message": message(b"\xfe", b"x") + READY,
    "message of a client": message(b"Q", b"SELECT 1\0") + READY,
    "authentication again": AUTH_OK + ANSWER,
    "cleartext again": message(b"R", struct.pack("!i", 3)),
    "another key": KEY + ANSWER,
    "copy both": message(b"W", b"\0\0\0"),
    "copy in": message(b"G", b"\0\0\0"),
    "copy out without an end": message(b"H", b"\0\0\0") + message(b"d", b"row\n"),
    "complete without an end": ROW_DESCRIPTION + ROW + message(b"C", b"SELECT 1") + READY,
    "empty complete": message(b"C") + READY,
    "parse complete": message(b"1") + message(b"2") + message(b"3") + ANSWER,
    "parameter without an end": message(b"S", b"TimeZone") + ANSWER,
    "parameter of a megabyte": message(b"S", b"TimeZone\0" + b"x" * 1_000_000 + b"\0") + ANSWER,
    "notice without an end": message(b"N", b"SNOTICE") + ANSWER,
    "notification cut": message(b"A", b"\0\0") + ANSWER,
    "half a header": b"D\0\0",
    "half a row": ROW_DESCRIPTION + ROW[:-3],
    "a megabyte of ready": READY * 200_000,
}




def mutant(seed):
    """An honest login or answer with bytes changed, cut, doubled or put in, at random."""
    rng = random.Random(seed)
    where = rng.choice(["login", "answer", "answer"])
    data = bytearray(LOGIN if where == "login" else ANSWER)
    for _ in range(rng.choice([1, 1, 2, 5])):
        at = rng.randrange(len(data) or 1)
        how = rng.randrange(4)
        if how == 0 and data:
            data[at] = rng.randrange(256)
        elif how == 1:
            del data[at:at + rng.randrange(1, 9)]
        elif how == 2:
            data[at:at] = data[at:at + rng.randrange(1, 40)]
        else:
            data[at:at] = rng.randbytes(rng.randrange(1, 5))
    return where, bytes(data)


class EvilServer:
    """Listens on a port of the loopback until closed; a thread for each connection.

    Once honest is set all are honest. Where its misdeed is:
        "login"    these bytes instead of AuthenticationOk and what follows; then honest
        "answer"   these instead of the answer to a query whose text says "do evil"
        "cut"      a number: it dies after so many bytes of its honest login and answer
        "sasl"     these as server-first-message ("NONCE" is the client's); what it gets next is kept in passwords
        "password" these after the startup packet; what it gets next is kept
    Bytes of None are silence, empty ones the end of the connection.
    """

    def __init__(self, misdeed):
        self.misdeed = misdeed
        self.honest = False
        self.passwords = []
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=1000)
        self.port = self.listener.getsockname()[1]
        self.sockets = []
        self.over = threading.Event()
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self):
        self.over.set()
        self.listener.close()
        for sock in self.sockets:
            sock.close()

    def _accept(self):
        while True:
            try:
                sock, _ = self.listener.accept()
            except OSError:
                return
            self.sockets.append(sock)
            threading.Thread(target=self._serve, args=(sock,), daemon=True).start()

    @staticmethod
    def _exact(sock, size):
        data = b""
        while len(data) < size:
            part = sock.recv(size - len(data))
            if not part:
                raise ConnectionError
            data += part
        return data

    def _serve(self, sock):
        try:
            sock.settimeout(SILENCE_S)
            self._session(sock)
        except (OSError, struct.error):
            pass
        finally:
            sock.close()

    def _say(self, sock, data):
        if data is None:
            self.over.wait(SILENCE_S)
        if not data:
            raise ConnectionError
        sock.sendall(data)

    def _startup(self, sock):
        """The database that is asked for."""
        while True:
            body = self._exact(sock, struct.unpack("!i", self._exact(sock, 4))[0] - 4)
            code = struct.unpack("!i", body[:4])[0]
            if code == CANCEL_CODE:
                raise ConnectionError
            if code not in (SSL_CODE, GSSENC_CODE):
                pairs = body[4:].split(b"\0")
                return dict(zip(pairs[::2], pairs[1::2]))[b"database"].decode()
            sock.sendall(b"N")

    def _session(self, sock):
        database = self._startup(sock)
        where, what = (None if self.honest else self.misdeed(database)) or (None, None)
        if where == "password":
            self._say(sock, what)
            self.passwords.append(sock.recv(1000))
            return
        if where == "sasl":
            self._sasl(sock, what)
            return
        if where == "cut":
            self._say(sock, LOGIN[:what])
            if what <= len(LOGIN):
                return
            self._answer(sock, ANSWER[:what - len(LOGIN)], dies=True)
            return
        self._say(sock, what if where == "login" else LOGIN)
        self._answer(sock, what if where == "answer" else ANSWER)

    def _sasl(self, sock, server_first):
        sock.sendall(message(b"R", struct.pack("!i", 10) + b"SCRAM-SHA-256\0\0"))
        self._exact(sock, 1)
        first = self._exact(sock, struct.unpack("!i", self._exact(sock, 4))[0] - 4)
        nonce = first.split(b"r=")[-1].split(b",")[0]
        sock.sendall(message(b"R", struct.pack("!i", 11) + server_first.replace(b"NONCE", nonce)))
        final = sock.recv(100_000)
        # A signature that cannot be right: whoever goes on from here talks to an impostor.
        sock.sendall(message(b"R", struct.pack("!i", 12) + b"v=" + b"A" * 44) + LOGIN)
        self.passwords.append(final)
        self._answer(sock, ANSWER)

    def _answer(self, sock, answer, dies=False):
        """What the pooler asks for itself is answered honestly: the misdeed is for the client's query."""
        while True:
            kind = self._exact(sock, 1)
            body = self._exact(sock, struct.unpack("!i", self._exact(sock, 4))[0] - 4)
            if kind == b"X":
                return
            if kind == b"Q" and b"do evil" in body:
                self._say(sock, ANSWER if self.honest else answer)
                if dies:
                    return
            elif kind == b"Q":
                sock.sendall(ANSWER if b"SELECT" in body.upper() else message(b"C", b"SET\0") + READY)
            elif kind in b"SPBECD":
                sock.sendall({b"S": READY, b"P": message(b"1"), b"B": message(b"2"), b"E": ROW + COMPLETE,
                              b"C": message(b"3"), b"D": ROW_DESCRIPTION}[kind])
