"""A load of writers that keep a ledger of their own, for tests of copies of live tables.

Each writer owns the ids that are its number modulo the number of writers, so that what it knows of a row is the
truth: nobody else writes it. After the load table() must hold exactly what expected() says.
"""

import random
import threading

import psycopg
from psycopg import sql

LOST = ("server closed", "terminating", "connection", "shutting down", "starting up", "EOF", "recovery")


class Writer(threading.Thread):
    def __init__(self, load, number):
        super().__init__(daemon=True)
        self.load = load
        self.number = number
        self.random = random.Random(number)
        self.rows = {}  # id -> (at in days, text)
        self.doubt = {}  # id -> states that a lost connection leaves open
        self.next_id = load.first_id + number
        self.statements = 0
        self.errors = []

    def run(self):
        connection = None
        while not self.load.stop.is_set():
            try:
                if connection is None or connection.closed:
                    connection = psycopg.connect(self.load.conninfo, autocommit=True, connect_timeout=10)
                self.one(connection)
                self.statements += 1
            except psycopg.OperationalError as error:
                if not any(word in str(error) for word in LOST):
                    self.errors.append(repr(error))
                connection = None
                for key in self.doubt:  # nobody knows whether it happened: never touched again
                    self.rows.pop(key, None)
                self.load.stop.wait(0.05)
            except psycopg.Error as error:
                self.errors.append(repr(error))
            self.load.stop.wait(self.load.pause_s)

    def one(self, connection):
        kind = self.random.random()
        table = self.load.table
        if kind < 0.4 or len(self.rows) < 5:
            key, self.next_id = self.next_id, self.next_id + self.load.writers
            new = (self.random.randrange(self.load.days), f"i{key}")
            statement = sql.SQL("INSERT INTO {t} ({id}, {at}, {txt}) VALUES (%(id)s, {day}, %(txt)s)")
            before = None
        else:
            key = self.random.choice(list(self.rows))
            before = self.rows[key]
            if kind < 0.65:
                new = (before[0], f"u{self.random.random()}")
                statement = sql.SQL("UPDATE {t} SET {txt} = %(txt)s WHERE {id} = %(id)s")
            elif kind < 0.85:
                new = (self.random.randrange(self.load.days), f"m{self.random.random()}")
                statement = sql.SQL("UPDATE {t} SET {at} = {day}, {txt} = %(txt)s WHERE {id} = %(id)s")
            else:
                new = None
                statement = sql.SQL("DELETE FROM {t} WHERE {id} = %(id)s")
        names = {name: sql.Identifier(column) for name, column in self.load.columns.items()}
        day = sql.SQL("(timestamptz '2026-01-01' + %(day)s * interval '1 day')")
        values = {"id": key, "day": new[0] if new else 0, "txt": new[1] if new else ""}
        self.doubt[key] = (before, new)
        done = connection.execute(statement.format(t=table, day=day, **names), values)
        if done.rowcount != 1:
            self.errors.append(f"{done.statusmessage} of a row that is there: {key} {before} {new}")
        del self.doubt[key]
        if new is None:
            del self.rows[key]
        else:
            self.rows[key] = new


class Load:
    """Writers on a table with columns id, at (timestamptz) and txt; days: how many from 2026-01-01 they use."""

    def __init__(self, db, table, columns=None, writers=3, days=300, first_id=1_000_000, pause_s=0.004):
        self.conninfo = db.conninfo
        self.db = db
        self.table = table
        self.columns = columns or {"id": "id", "at": "at", "txt": "txt"}
        self.days = days
        self.first_id = first_id
        self.pause_s = pause_s
        self.writers = writers
        self.stop = threading.Event()
        self.threads = [Writer(self, n) for n in range(writers)]

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *exception):
        self.finish()

    def finish(self):
        self.stop.set()
        for thread in self.threads:
            thread.join(60)
            assert not thread.is_alive()

    @property
    def statements(self):
        return sum(t.statements for t in self.threads)

    def check(self, may_fail=()):
        """After finish(): no row lost, none too many, each as its writer left it."""
        names = {name: sql.Identifier(column) for name, column in self.columns.items()}
        rows = self.db.query(sql.SQL(
            "SELECT {id}, extract(epoch FROM {at} - timestamptz '2026-01-01')::bigint / 86400, {txt} "
            "FROM {t} WHERE {id} >= %s").format(t=self.table, **names), [self.first_id])
        found = {key: (day, text) for key, day, text in rows}
        assert len(found) == len(rows), "a row is there twice"
        expected = {}
        for thread in self.threads:
            errors = [e for e in thread.errors if not any(word in e for word in may_fail)]
            assert not errors, errors[:3]
            expected.update(thread.rows)
            for key, states in thread.doubt.items():
                assert found.get(key) in states, (key, states, found.get(key))
                found.pop(key, None)
        lost = [key for key in expected if key not in found]
        ghosts = [key for key in found if key not in expected]
        other = [key for key in expected if key in found and found[key] != expected[key]]
        assert not lost and not ghosts and not other, (lost[:5], ghosts[:5], other[:5])
        return len(found)
