"""libpgmend from Python, by ctypes alone: a pool, batches of columns, timers.

    import libpgmend
    with libpgmend.Pool("dbname=shop", max_size=8) as pool:
        with pool.acquire() as conn:
            rows = conn.execute("SELECT id, total FROM orders WHERE customer = $1", ["Ann"])

The library is looked for as ctypes does it; LIBPGMEND names a file. Calls release Python's lock, so threads wait
for connections side by side.
"""

import ctypes
import ctypes.util
import os
from ctypes import (CFUNCTYPE, POINTER, Structure, byref, c_bool, c_char, c_char_p, c_double, c_int, c_int64,
                    c_size_t, c_ubyte, c_void_p)

lib = ctypes.CDLL(os.environ.get("LIBPGMEND") or ctypes.util.find_library("pgmend") or "libpgmend.so.0")
libpq = ctypes.CDLL(ctypes.util.find_library("pq") or "libpq.so.5")

CODES = ["ok", "usage", "connect", "query", "data", "timeout", "canceled", "memory", "state", "limit", "unknown end"]
CONNECT, ACQUIRE, RELEASE, ERROR, SLOW, CLOSE = range(1, 7)
TEXT, INT64, FLOAT64 = 1, 5, 7


class CError(Structure):
    _fields_ = [("code", c_int), ("sqlstate", c_char * 6), ("message", c_char * 1026), ("detail", c_char * 512),
                ("hint", c_char * 512), ("schema", c_char * 64), ("table", c_char * 64), ("column", c_char * 64),
                ("constraint", c_char * 64), ("row", c_int64), ("room", c_ubyte * 128)]


class Error(Exception):
    """code is one of CODES; sqlstate, detail and hint may be ""."""

    def __init__(self, err):
        self.code = CODES[err.code]
        self.sqlstate, self.detail, self.hint = (
            text.decode("utf-8", "replace") for text in (err.sqlstate, err.detail, err.hint))
        super().__init__(err.message.decode("utf-8", "replace"))


class CEvent(Structure):
    _fields_ = [("kind", c_int), ("backend_pid", c_int), ("ms", c_double), ("conn", c_void_p),
                ("error", POINTER(CError))]


EVENT = CFUNCTYPE(None, c_void_p, POINTER(CEvent))
SLOW_TIME = CFUNCTYPE(None, c_void_p, c_char_p, c_char_p, c_double)


class Options(Structure):
    """struct pgmend_pool_options; each field is a keyword of Pool()."""
    _fields_ = [("struct_size", c_size_t), ("conninfo", c_char_p), ("min_size", c_int), ("max_size", c_int),
                ("max_overflow", c_int), ("connections_per_core", c_int), ("max_waiting", c_int),
                ("acquire_timeout_ms", c_int64), ("connect_timeout_ms", c_int64), ("recycle_ms", c_int64),
                ("idle_timeout_ms", c_int64), ("pre_ping_after_ms", c_int64), ("health_interval_ms", c_int64),
                ("slow_ms", c_int64), ("application_name", c_char_p), ("statement_timeout_ms", c_int64),
                ("lock_timeout_ms", c_int64), ("idle_in_transaction_timeout_ms", c_int64), ("isolation", c_int),
                ("read_only", c_bool), ("settings", POINTER(c_char_p)), ("reset", c_int),
                ("reset_query", c_char_p), ("on_event", EVENT), ("context", c_void_p)]


class Stats(Structure):
    _fields_ = [("struct_size", c_size_t), *((name, c_int) for name in (
        "min_size", "max_size", "max_overflow", "size", "idle", "active", "opening", "waiting")), *(
        (name, c_int64) for name in ("acquired", "released", "opened", "closed", "timeouts", "refused",
                                     "connect_errors", "broken", "recycled", "slow")), *(
        (name, c_double) for name in ("wait_ms_total", "wait_ms_max", "wait_ms_p50", "wait_ms_p95", "wait_ms_p99",
                                      "held_ms_total", "held_ms_max"))]


class Times(Structure):
    _fields_ = [("struct_size", c_size_t), ("count", c_int64), ("slow", c_int64), *((name, c_double) for name in (
        "total_ms", "min_ms", "max_ms", "mean_ms", "p50_ms", "p90_ms", "p95_ms", "p99_ms", "p999_ms"))]


class TimerOptions(Structure):
    _fields_ = [("struct_size", c_size_t), ("slow_ms", c_double), ("max_names", c_int), ("on_slow", SLOW_TIME),
                ("context", c_void_p)]


class BatchColumn(Structure):
    _fields_ = [("name", c_char_p), ("type", c_int)]


class Column(Structure):
    _fields_ = [("values", c_void_p), ("lengths", c_void_p), ("nulls", c_void_p), ("stride_bytes", c_size_t)]


class BatchOptions(Structure):
    """struct pgmend_batch_options, as far as this file sets it; what follows are zeroes."""
    _fields_ = [("struct_size", c_size_t), ("schema", c_char_p), ("table", c_char_p),
                ("columns", POINTER(BatchColumn)), ("column_count", c_int)]


def declare(library, name, result, *arguments):
    function = getattr(library, name)
    function.restype, function.argtypes = result, arguments


for row in [("pgmend_pool_options_from_env", c_bool, POINTER(Options), POINTER(CError)),
            ("pgmend_pool_open", c_void_p, POINTER(Options), POINTER(CError)),
            ("pgmend_pool_close", c_bool, c_void_p, c_int64, POINTER(CError)),
            ("pgmend_pool_acquire", c_void_p, c_void_p, c_int64, POINTER(CError)),
            ("pgmend_pool_release", None, c_void_p), ("pgmend_pool_discard", None, c_void_p),
            ("pgmend_conn_pg", c_void_p, c_void_p),
            ("pgmend_pool_resize", c_bool, c_void_p, c_int, c_int, c_int, POINTER(CError)),
            ("pgmend_pool_check", c_bool, c_void_p, POINTER(CError)),
            ("pgmend_pool_stats", None, c_void_p, POINTER(Stats)),
            ("pgmend_timer_new", c_void_p, POINTER(TimerOptions), POINTER(CError)),
            ("pgmend_timer_free", None, c_void_p),
            ("pgmend_timer_record", None, c_void_p, c_char_p, c_char_p, c_double),
            ("pgmend_timer_stats", c_bool, c_void_p, c_char_p, POINTER(Times)),
            ("pgmend_batch_open", c_void_p, c_void_p, POINTER(BatchOptions), POINTER(CError)),
            ("pgmend_batch_add_columns", c_bool, c_void_p, POINTER(Column), c_size_t, POINTER(CError)),
            ("pgmend_batch_finish", c_bool, c_void_p, POINTER(CError)), ("pgmend_batch_close", None, c_void_p)]:
    declare(lib, *row)
for row in [("PQexecParams", c_void_p, c_void_p, c_char_p, c_int, c_void_p, POINTER(c_char_p), c_void_p, c_void_p,
             c_int), ("PQresultStatus", c_int, c_void_p), ("PQresultErrorMessage", c_char_p, c_void_p),
            ("PQntuples", c_int, c_void_p), ("PQnfields", c_int, c_void_p), ("PQclear", None, c_void_p),
            ("PQgetvalue", c_char_p, c_void_p, c_int, c_int), ("PQgetisnull", c_int, c_void_p, c_int, c_int)]:
    declare(libpq, *row)
COMMAND_OK, TUPLES_OK = 1, 2


def encode(value):
    return value.encode() if isinstance(value, str) else value


class Connection:
    """An acquired connection; a context manager gives it back."""

    def __init__(self, handle):
        self.handle = handle

    @property
    def pg(self):
        return lib.pgmend_conn_pg(self.handle)

    def execute(self, sql, params=()):
        """The rows, as lists of texts and None."""
        values = (c_char_p * len(params))(*(encode(None if p is None else str(p)) for p in params))
        result = libpq.PQexecParams(self.pg, sql.encode(), len(params), None, values, None, None, 0)
        try:
            if libpq.PQresultStatus(result) not in (COMMAND_OK, TUPLES_OK):
                raise RuntimeError((libpq.PQresultErrorMessage(result) or b"connection lost").decode())
            return [[None if libpq.PQgetisnull(result, row, column) else
                     libpq.PQgetvalue(result, row, column).decode()
                     for column in range(libpq.PQnfields(result))] for row in range(libpq.PQntuples(result))]
        finally:
            libpq.PQclear(result)

    def insert(self, table, columns, count):
        """Writes count rows: columns is {name: (type, ctypes array or list of str)}."""
        kept = {name: (c_char_p * count)(*map(encode, values)) if kind == TEXT else values
                for name, (kind, values) in columns.items()}
        wanted = (BatchColumn * len(columns))(*((name.encode(), kind) for name, (kind, _) in columns.items()))
        given = (Column * len(columns))(*((ctypes.cast(values, c_void_p),) for values in kept.values()))
        options = BatchOptions(ctypes.sizeof(BatchOptions), None, table.encode(), wanted, len(columns))
        err = CError()
        batch = lib.pgmend_batch_open(self.pg, byref(options), byref(err))
        try:
            if not (batch and lib.pgmend_batch_add_columns(batch, given, count, byref(err))
                    and lib.pgmend_batch_finish(batch, byref(err))):
                raise Error(err)
        finally:
            lib.pgmend_batch_close(batch)

    def release(self):
        handle, self.handle = self.handle, None
        lib.pgmend_pool_release(handle)

    def discard(self):
        handle, self.handle = self.handle, None
        lib.pgmend_pool_discard(handle)

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        if self.handle:
            self.release()


class Pool:
    """settings is a dict, on_event a callable of (kind, backend_pid, ms, message or None); env: PGMEND_POOL_*."""

    def __init__(self, conninfo, settings=None, on_event=None, env=False, **options):
        own = Options(ctypes.sizeof(Options), encode(conninfo))
        for name, value in options.items():
            setattr(own, name, encode(value))
        if settings:
            pairs = [encode(text) for pair in settings.items() for text in pair]
            own.settings = (c_char_p * (len(pairs) + 1))(*pairs, None)
        if on_event:
            def told(_, event):
                event = event.contents
                message = event.error.contents.message.decode("utf-8", "replace") if event.error else None
                on_event(event.kind, event.backend_pid, event.ms, message)
            self.told = own.on_event = EVENT(told)  # kept: the library calls it as long as the pool lives
        err = CError()
        if env and not lib.pgmend_pool_options_from_env(byref(own), byref(err)):
            raise Error(err)
        self.handle = lib.pgmend_pool_open(byref(own), byref(err))
        if not self.handle:
            raise Error(err)

    def acquire(self, timeout_ms=0):
        err = CError()
        handle = lib.pgmend_pool_acquire(self.handle, timeout_ms, byref(err))
        if not handle:
            raise Error(err)
        return Connection(handle)

    def stats(self):
        stats = Stats(ctypes.sizeof(Stats))
        lib.pgmend_pool_stats(self.handle, byref(stats))
        return stats

    def resize(self, min_size=-1, max_size=-1, max_overflow=-1):
        err = CError()
        if not lib.pgmend_pool_resize(self.handle, min_size, max_size, max_overflow, byref(err)):
            raise Error(err)

    def check(self):
        err = CError()
        if not lib.pgmend_pool_check(self.handle, byref(err)):
            raise Error(err)

    def close(self, timeout_ms=0):
        handle, self.handle = self.handle, None
        err = CError()
        if handle and not lib.pgmend_pool_close(handle, timeout_ms, byref(err)):
            raise Error(err)

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        self.close()


class Timer:
    """on_slow is a callable of (name, detail, ms)."""

    def __init__(self, slow_ms=0, max_names=0, on_slow=None):
        options = TimerOptions(ctypes.sizeof(TimerOptions), slow_ms, max_names)
        if on_slow:
            self.told = options.on_slow = SLOW_TIME(
                lambda _, name, detail, ms: on_slow(name.decode(), detail.decode() if detail else None, ms))
        err = CError()
        self.handle = lib.pgmend_timer_new(byref(options), byref(err))
        if not self.handle:
            raise Error(err)

    def record(self, name, ms, detail=None):
        lib.pgmend_timer_record(self.handle, name.encode(), encode(detail), ms)

    def stats(self, name=None):
        """The times of a name, or of all; None: never measured."""
        times = Times(ctypes.sizeof(Times))
        return times if lib.pgmend_timer_stats(self.handle, encode(name), byref(times)) else None

    def close(self):
        handle, self.handle = self.handle, None
        lib.pgmend_timer_free(handle)
