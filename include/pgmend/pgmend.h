/*
 * libpgmend: a connection pool, batch writes and query timers for programs that talk to PostgreSQL with
 * libpq. C99, and C++ as it is. Needs libpq; PostgreSQL 13 and later.
 *
 * The rules of the whole interface:
 *
 * - Nothing is printed, no signal handler is set, there is no global state: everything hangs on the objects
 *   that you open. What fails returns false (or NULL) and fills a struct pgmend_error, which is yours.
 * - Objects (struct pgmend_pool, _conn, _batch, _timer) are opaque and made and freed here. Structs whose
 *   fields are shown are yours. Those that begin with struct_size must have it set to their sizeof; every
 *   other field may stay 0, which means the default:
 *
 *	struct pgmend_pool_options options = {sizeof(options)};
 *	options.conninfo = "dbname=shop";
 *
 *   So later versions can add fields at the end without breaking programs that were built before.
 * - Texts that you pass are copied, unless the function says otherwise. Texts that you get belong to the
 *   object that they come from and live as long as the function says.
 * - Times are in milliseconds, as their names say; 0 is the default and a negative number is "without limit".
 * - Memory comes from malloc(). Where there is none, a function fails with PGMEND_ERR_MEMORY; nothing aborts.
 * - Texts are UTF-8. A connection that a batch writes to must have client_encoding UTF8.
 */
#ifndef PGMEND_PGMEND_H
#define PGMEND_PGMEND_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#if defined(__GNUC__)
#define PGMEND_API __attribute__((visibility("default")))
#else
#define PGMEND_API
#endif

/* libpq's PGconn and PGresult: libpq-fe.h need not be included for this header. */
struct pg_conn;
struct pg_result;

/* ---------------------------------------------------------------- version */

#define PGMEND_VERSION_MAJOR 0
#define PGMEND_VERSION_MINOR 1
#define PGMEND_VERSION_PATCH 0
#define PGMEND_VERSION_NUMBER \
	(PGMEND_VERSION_MAJOR * 10000 + PGMEND_VERSION_MINOR * 100 + PGMEND_VERSION_PATCH)

/* The version of the library that runs, which may be newer than this header: "0.1.0" and 100. Any thread. */
PGMEND_API const char *pgmend_version(void);
PGMEND_API int pgmend_version_number(void);

/* ---------------------------------------------------------------- errors */

enum pgmend_code {
	PGMEND_OK = 0,
	PGMEND_ERR_USAGE = 1,	/* an argument or option that makes no sense */
	PGMEND_ERR_CONNECT = 2, /* no server, wrong password, or the server is gone */
	PGMEND_ERR_QUERY = 3,	/* the server refused a statement: see sqlstate */
	PGMEND_ERR_DATA = 4,	/* a value that can't be sent: not UTF-8, too long, out of the type's range */
	PGMEND_ERR_TIMEOUT = 5, /* a time limit of ours was spent */
	PGMEND_ERR_CANCELED =
		6,	       /* canceled by this program: pgmend_batch_cancel(), or a callback said stop */
	PGMEND_ERR_MEMORY = 7, /* malloc() gave none */
	PGMEND_ERR_STATE = 8,  /* the object can't do this now: closed, finished, made before a fork() */
	PGMEND_ERR_LIMIT = 9,  /* a limit of the options was reached: max_waiting, max_bad_rows */
	PGMEND_ERR_UNKNOWN_END = 10 /* the server was lost while it committed: it may have, or not */
};

/*
 * What went wrong. Yours: declare it on the stack; it owns nothing. Every function that takes one clears it
 * first and accepts NULL. Texts that do not fit are cut at a character.
 */
struct pgmend_error {
	int code;		 /* enum pgmend_code */
	char sqlstate[6];	 /* the server's, or "" */
	char message[1026];	 /* lower case, without a full stop */
	char detail[512];	 /* the server's DETAIL, or "" */
	char hint[512];		 /* a sentence that says what to do, or "" */
	char schema[64];	 /* what the server's error is about, or "" */
	char table[64];		 /* */
	char column[64];	 /* */
	char constraint[64];	 /* */
	int64_t row;		 /* the position of the batch's row that it is about, or -1 */
	unsigned char room[128]; /* for later versions */
};

/* "timeout", "query"...: a word for enum pgmend_code; never NULL. Static. */
PGMEND_API const char *pgmend_code_name(int code);

/* ---------------------------------------------------------------- pool */

/*
 * A pool of connections to one database. All its functions may be called from any thread at once. An acquired
 * connection belongs to the thread that acquired it until it is released; which thread releases it is free.
 *
 * Who waits is served in the order of arrival. The pool keeps between min_size and max_size connections;
 * under pressure it opens up to max_overflow more, which are closed when they are released and nobody waits.
 * Connections that a restart of the server broke are found before they are handed out (pre-ping) or when they
 * are released, and replaced; while no server answers, acquiring waits and tries again until its timeout.
 *
 * Fork: a child must not use its parent's pool, as both would speak on the same sockets. Acquiring in a child
 * fails with PGMEND_ERR_STATE; pgmend_pool_close() in a child frees the memory and closes the sockets without
 * a word to the server, so the parent's sessions go on. Open a pool of the child's own.
 */
struct pgmend_pool;
struct pgmend_conn; /* one acquired connection */

enum pgmend_isolation {
	PGMEND_ISOLATION_DEFAULT = 0, /* the server's */
	PGMEND_READ_COMMITTED = 1,
	PGMEND_REPEATABLE_READ = 2,
	PGMEND_SERIALIZABLE = 3
};

/* When a connection that comes back is reset, so that the next one who gets it finds a session like new. */
enum pgmend_reset {
	PGMEND_RESET_ALWAYS = 0, /* each time */
	/*
	 * Where a command ran that changes the session: SET, PREPARE, LISTEN, DECLARE, CREATE TEMP TABLE,
	 * LOAD, DO, CALL and their like, by the command tags of the results; and SELECT of set_config() or an
	 * advisory lock as its first column. What a function does inside is not seen, and statements that
	 * PQprepare() made stay: for programs that know theirs, and save a round of the server.
	 */
	PGMEND_RESET_CHANGED = 1,
	PGMEND_RESET_NEVER = 2
};

enum pgmend_pool_event_kind {
	PGMEND_EVENT_CONNECT = 1, /* a connection was opened; ms: how long that took */
	PGMEND_EVENT_ACQUIRE = 2, /* a connection is handed out; ms: the wait */
	PGMEND_EVENT_RELEASE = 3, /* it came back; ms: for how long it was held */
	PGMEND_EVENT_ERROR = 4, /* connecting, a ping or a reset failed, or acquiring timed out; see error */
	PGMEND_EVENT_SLOW = 5,	/* held for longer than slow_ms; ms: for how long */
	PGMEND_EVENT_CLOSE = 6	/* a connection was closed; ms: its age */
};

/* Valid for the time of the callback alone. */
struct pgmend_pool_event {
	int kind;	 /* enum pgmend_pool_event_kind */
	int backend_pid; /* of the connection, or 0 */
	double ms;
	struct pg_conn *conn; /* or NULL; only looked at, but for CONNECT: it may prepare the session, as far
				 as the reset does not undo it */
	const struct pgmend_error *error; /* of PGMEND_EVENT_ERROR, else NULL */
};

struct pgmend_pool_options {
	size_t struct_size;
	const char *conninfo; /* as PQconnectdb() takes it; NULL: the PG* variables alone */

	/* Size. */
	int min_size;	  /* opened by pgmend_pool_open() and kept; 0: none */
	int max_size;	  /* 0: connections_per_core for each core of this machine, at least min_size */
	int max_overflow; /* connections beyond max_size under pressure; 0: none */
	int connections_per_core; /* for max_size 0: 0 means 2, and one more for all */
	int max_waiting;	  /* threads that may wait; more fail with PGMEND_ERR_LIMIT. 0: no limit */

	/* Times. */
	int64_t acquire_timeout_ms; /* 0: 30,000 */
	int64_t connect_timeout_ms; /* for one attempt; 0: 10,000 */
	int64_t recycle_ms;	    /* connections older than this are replaced; 0: 1,800,000 (30 min) */
	int64_t idle_timeout_ms;    /* idle ones above min_size are closed; 0: 600,000 (10 min) */
	int64_t pre_ping_after_ms;  /* idle for so long: asked before it is handed out. 0: 1,000; 1: always */
	int64_t health_interval_ms; /* a thread of the pool looks at idle connections; 0: 30,000; -1: no
				       thread */
	int64_t slow_ms;	    /* PGMEND_EVENT_SLOW for connections held longer; 0: never */

	/* Settings that each connection is given; they hold for its whole life. */
	const char *application_name;		/* NULL: what conninfo says */
	int64_t statement_timeout_ms;		/* 0: the server's; -1: none */
	int64_t lock_timeout_ms;		/* the same */
	int64_t idle_in_transaction_timeout_ms; /* the same */
	int isolation;				/* enum pgmend_isolation */
	bool read_only;				/* default_transaction_read_only */
	const char *const *settings; /* further ones: name, value, name, value, NULL; may be NULL */

	/*
	 * What is done to a connection that comes back. A transaction left open is always rolled back. Then
	 * reset_query is sent (NULL: "DISCARD ALL"; the settings above are what it goes back to). Its answer
	 * is awaited by who acquires the connection next, not by who releases it.
	 */
	int reset; /* enum pgmend_reset */
	const char *reset_query;

	/*
	 * Called for what happens to connections, by the thread to which it happens, without a lock of the
	 * pool held. It must not call the pool but for pgmend_pool_stats().
	 */
	void (*on_event)(void *context, const struct pgmend_pool_event *event);
	void *context;
};

/*
 * Options from the environment: each variable that is set replaces its field, the others stay.
 * PGMEND_POOL_MIN, _MAX, _OVERFLOW, _PER_CORE, _MAX_WAITING (numbers); _TIMEOUT, _CONNECT_TIMEOUT, _RECYCLE,
 * _IDLE_TIMEOUT, _PRE_PING, _HEALTH, _SLOW, _STATEMENT_TIMEOUT, _LOCK_TIMEOUT, _IDLE_IN_TRANSACTION_TIMEOUT
 * ("250ms", "30s", "5min", "off"; a bare number is milliseconds); _ISOLATION ("serializable"...); _READ_ONLY
 * ("on", "off"). Fails with PGMEND_ERR_USAGE where a value makes no sense, and names the variable; options
 * are unchanged then. conninfo needs no variable: libpq reads PGHOST and the like itself.
 */
PGMEND_API bool pgmend_pool_options_from_env(struct pgmend_pool_options *options, struct pgmend_error *err);

/*
 * Opens a pool and its min_size connections. NULL if options are wrong (PGMEND_ERR_USAGE), a connection can't
 * be made (PGMEND_ERR_CONNECT, sqlstate where the server gave one) or there is no memory. With min_size 0 no
 * server need be there yet.
 */
PGMEND_API struct pgmend_pool *pgmend_pool_open(const struct pgmend_pool_options *options,
						struct pgmend_error *err);

/*
 * Closes the pool: who waits fails with PGMEND_ERR_STATE, idle connections are closed, and it waits at most
 * timeout_ms (0: 30,000; -1: for ever) until acquired ones have come back. True: all came back and the pool
 * is freed. False (PGMEND_ERR_TIMEOUT): some did not; the pool lives on, closed, until the last one is
 * released, which frees it; do not use the pool any more. NULL is fine.
 */
PGMEND_API bool pgmend_pool_close(struct pgmend_pool *pool, int64_t timeout_ms, struct pgmend_error *err);

/*
 * A connection, in no transaction and with the pool's settings. Waits at most timeout_ms (0: the pool's
 * acquire_timeout_ms). NULL: PGMEND_ERR_TIMEOUT (its message says what the connections are busy with and what
 * the last attempt to connect said), PGMEND_ERR_CONNECT (the pool has no connection, and the server refuses
 * one in a way that will not pass: password, database, a setting), PGMEND_ERR_LIMIT, PGMEND_ERR_STATE or
 * PGMEND_ERR_MEMORY.
 */
PGMEND_API struct pgmend_conn *pgmend_pool_acquire(struct pgmend_pool *pool, int64_t timeout_ms,
						   struct pgmend_error *err);

/* Gives it back; conn is gone after this. A broken one, or one whose reset fails, is closed. NULL is fine. */
PGMEND_API void pgmend_pool_release(struct pgmend_conn *conn);

/* Gives it back to be closed: for a session that is in a state nobody else should see. NULL is fine. */
PGMEND_API void pgmend_pool_discard(struct pgmend_conn *conn);

/*
 * The PGconn of an acquired connection, for use with all of libpq but PQfinish(), PQreset() and their like;
 * valid until it is released. Never NULL. Notices are ignored until a notice processor is set, which lasts
 * until then too.
 */
PGMEND_API struct pg_conn *pgmend_conn_pg(const struct pgmend_conn *conn);

/* Changes the limits of a pool that runs; -1 leaves one as it is. Connections above are closed when idle. */
PGMEND_API bool pgmend_pool_resize(struct pgmend_pool *pool, int min_size, int max_size, int max_overflow,
				   struct pgmend_error *err);

/*
 * Looks at each idle connection now, closes the broken and the old, and opens what is missing to min_size.
 * False: a connection could not be made; err says why, the pool goes on.
 */
PGMEND_API bool pgmend_pool_check(struct pgmend_pool *pool, struct pgmend_error *err);

struct pgmend_pool_stats {
	size_t struct_size;
	int min_size, max_size, max_overflow;
	int size; /* connections open now: idle + active + those being opened */
	int idle;
	int active; /* acquired */
	int opening;
	int waiting;		    /* threads */
	int64_t acquired, released; /* since the pool was opened, as are all below */
	int64_t opened, closed;
	int64_t timeouts; /* acquires that ended with PGMEND_ERR_TIMEOUT */
	int64_t refused;  /* with PGMEND_ERR_LIMIT */
	int64_t connect_errors;
	int64_t broken;			   /* connections found dead by a ping, a check or when released */
	int64_t recycled;		   /* closed because of their age */
	int64_t slow;			   /* held for longer than slow_ms */
	double wait_ms_total, wait_ms_max; /* of acquires */
	double wait_ms_p50, wait_ms_p95, wait_ms_p99;
	double held_ms_total, held_ms_max;
};

/* A consistent picture of now. Set stats->struct_size first; never blocks for longer than a lock is held. */
PGMEND_API void pgmend_pool_stats(struct pgmend_pool *pool, struct pgmend_pool_stats *stats);

/* ---------------------------------------------------------------- values */

/*
 * In which form the program holds the values of a column. Which forms a column's type accepts is checked when
 * the batch is opened; PGMEND_TEXT and PGMEND_BINARY go with every type, those of extensions included.
 */
enum pgmend_type {
	PGMEND_TEXT = 1,  /* const char *: the type's text form, as in SQL without quotes; UTF-8 */
	PGMEND_BOOL = 2,  /* unsigned char: 0 or 1 */
	PGMEND_INT16 = 3, /* int16_t. Integers of any width go into smallint, integer, bigint, oid, real, */
	PGMEND_INT32 = 4, /* int32_t  double precision, numeric and money (in its smallest unit); what is */
	PGMEND_INT64 = 5, /* int64_t  out of the column's range is a bad row */
	PGMEND_FLOAT32 =
		6, /* float: real, double precision, numeric (NaN and infinities where it has them) */
	PGMEND_FLOAT64 = 7,    /* double: the same */
	PGMEND_BYTES = 8,      /* const unsigned char *, with lengths: bytea */
	PGMEND_UUID = 9,       /* unsigned char[16] */
	PGMEND_DATE = 10,      /* int32_t: days since 1970-01-01; INT32_MAX, INT32_MIN: infinity, -infinity */
	PGMEND_TIME = 11,      /* int64_t: microseconds since midnight */
	PGMEND_TIMESTAMP = 12, /* int64_t: microseconds since 1970-01-01 00:00 (UTC for timestamptz);
				  INT64_MAX, INT64_MIN: infinity, -infinity. timestamp, timestamptz */
	PGMEND_TIMETZ = 13,    /* struct pgmend_timetz */
	PGMEND_INTERVAL = 14,  /* struct pgmend_interval */
	PGMEND_DECIMAL = 15,   /* struct pgmend_decimal: numeric */
	PGMEND_INET = 16,      /* struct pgmend_inet: inet, cidr */
	PGMEND_MACADDR = 17,   /* unsigned char[6]: macaddr */
	PGMEND_MACADDR8 = 18,  /* unsigned char[8]: macaddr8 */
	PGMEND_BITS = 19,    /* const unsigned char *, length in bits, highest bit first: bit, bit varying */
	PGMEND_POINT = 20,   /* double[2]: x, y */
	PGMEND_LINE = 21,    /* double[3]: A, B, C */
	PGMEND_LSEG = 22,    /* double[4]: x1, y1, x2, y2 */
	PGMEND_BOX = 23,     /* double[4]: any two opposite corners */
	PGMEND_CIRCLE = 24,  /* double[3]: x, y, radius */
	PGMEND_PATH = 25,    /* struct pgmend_points */
	PGMEND_POLYGON = 26, /* struct pgmend_points; closed is not looked at */
	PGMEND_ARRAY = 27,   /* struct pgmend_array: any array */
	PGMEND_RANGE = 28,   /* struct pgmend_range: any range */
	PGMEND_BINARY = 29   /* const unsigned char *, with lengths: what the type's receive function takes */
};

struct pgmend_timetz {
	int64_t us;	      /* microseconds since midnight, local */
	int32_t utc_offset_s; /* seconds east of UTC */
};

struct pgmend_interval {
	int64_t us;
	int32_t days;
	int32_t months;
};

struct pgmend_decimal { /* unscaled / 10^scale: {12345, 2} is 123.45 */
	int64_t unscaled;
	int32_t scale; /* 0 to 16,383: the digits after the point, which the column keeps */
};

struct pgmend_inet {
	unsigned char address[16]; /* 4 or 16 bytes in network order */
	unsigned char is_ipv6;
	unsigned char prefix; /* the length of the network's part: 32 or 128 for a host */
};

struct pgmend_points {
	const double *xy; /* x, y of each point */
	int32_t count;
	unsigned char closed;
};

/* The values of an array, as a column of that element type. One dimension, lower bound 1. */
struct pgmend_array {
	int type;	       /* enum pgmend_type of the elements; all but PGMEND_ARRAY and PGMEND_RANGE */
	int32_t count;	       /* 0: the empty array */
	const void *values;    /* as in struct pgmend_column */
	const size_t *lengths; /* as in struct pgmend_column */
	const unsigned char *nulls; /* as in struct pgmend_column */
};

struct pgmend_range {
	int type;	   /* enum pgmend_type of the bounds; all but PGMEND_ARRAY and PGMEND_RANGE */
	const void *lower; /* the bound's value (a text itself for PGMEND_TEXT), or NULL: unbounded */
	const void *upper;
	size_t lower_length; /* for types with lengths; PGMEND_NTS */
	size_t upper_length;
	unsigned char lower_inclusive;
	unsigned char upper_inclusive;
	unsigned char empty;
};

/* A length that says: the text ends with a NUL. */
#define PGMEND_NTS ((size_t)-1)

/*
 * The values of one column for many rows. values points to an array of the column's C type: int64_t[],
 * struct pgmend_interval[]; for PGMEND_TEXT, _BYTES, _BITS and _BINARY of pointers, where a NULL pointer is a
 * NULL. The memory must stay until the function that it is passed to has returned.
 */
struct pgmend_column {
	const void *values;
	const size_t *lengths; /* TEXT (or NULL: each ends with a NUL), BYTES, BITS, BINARY; else not read */
	const unsigned char *nulls; /* for each row, not 0: NULL; or NULL: none is */
	size_t stride_bytes;	    /* from one value to the next; 0: they are packed */
};

/* One value of a row. */
struct pgmend_value {
	const void *data; /* to the value; the text or the bytes themselves for those types; NULL: a NULL */
	size_t length;	  /* TEXT (or PGMEND_NTS), BYTES, BITS, BINARY; else not read */
};

/* ---------------------------------------------------------------- batch */

/*
 * Writes many rows to one table: INSERT, INSERT ... RETURNING, or upsert.
 *
 *	struct pgmend_batch *batch = pgmend_batch_open(conn, &options, &err);
 *	ok = batch && pgmend_batch_add_columns(batch, columns, 100000, &err) && pgmend_batch_finish(batch,
 *&err);
 *	...
 *	pgmend_batch_close(batch);
 *
 * A batch belongs to one thread at a time and its connection with it, from open to close, but for
 * pgmend_batch_cancel(). Rows are counted from 0 as they are added, over all calls: that is their position.
 *
 * Rows are sent in chunks. How (see enum pgmend_method) is chosen by their shape, and can be told. No
 * statement has more than 65,535 parameters.
 */
struct pgmend_batch;

enum pgmend_method {
	/*
	 * COPY where nothing is returned and no conflict handled, and the table is one that COPY writes as
	 * INSERT would (no view, no rule for INSERT, no row-level security that applies); else UNNEST; where
	 * a column is an array or a composite, VALUES. Upserts of rows that are all new go by COPY too (see
	 * docs/libpgmend.md).
	 */
	PGMEND_METHOD_AUTO = 0,
	PGMEND_METHOD_COPY = 1,	  /* COPY FROM STDIN, binary; in text form if a column's only form is text */
	PGMEND_METHOD_UNNEST = 2, /* prepared INSERT ... SELECT unnest($1), unnest($2)...: column by column */
	PGMEND_METHOD_VALUES = 3  /* prepared INSERT ... VALUES (...), (...)..., row by row */
};

enum pgmend_conflict {
	PGMEND_CONFLICT_ERROR = 0,   /* a violated unique constraint makes a bad row */
	PGMEND_CONFLICT_NOTHING = 1, /* the row that is there stays: ON CONFLICT DO NOTHING */
	PGMEND_CONFLICT_UPDATE = 2   /* it is updated: ON CONFLICT (conflict_key) DO UPDATE */
};

/*
 * Rows of one batch that have the same conflict_key, which one statement cannot upsert twice. Keys are
 * compared by the bytes that are sent. Where the server finds others equal (citext; 1.0 and 1.00 given as
 * texts), the last one counts.
 */
enum pgmend_duplicates {
	PGMEND_DUPLICATES_LAST = 0, /* the last one counts: as if they had been upserted one by one */
	/* These two remember each key of the batch, in 48 to 96 bytes. */
	PGMEND_DUPLICATES_FIRST = 1, /* the first one counts, the others are left out */
	PGMEND_DUPLICATES_ERROR = 2  /* each but the first is a bad row */
};

enum pgmend_transaction {
	PGMEND_TRANSACTION_WHOLE = 0, /* all rows are committed together by pgmend_batch_finish() */
	PGMEND_TRANSACTION_CHUNK = 1  /* each chunk is committed by itself */
};

enum pgmend_bad_rows {
	PGMEND_BAD_ROWS_SKIP = 0, /* each is found and reported; the others are written. Errors that are no
				     row's (no such table, deadlock, timeout, disk full) end the batch */
	PGMEND_BAD_ROWS_STOP = 1  /* the first one is found and reported, and ends the batch: what is not
				     committed by then (TRANSACTION_WHOLE: everything) is undone */
};

struct pgmend_batch_column {
	const char *name; /* as in the catalog, not quoted */
	int type;	  /* enum pgmend_type */
};

/* A row that was refused. Its texts live until pgmend_batch_close(), or for the time of the callback. */
struct pgmend_bad_row {
	int64_t position;
	char sqlstate[6]; /* the server's, or that which it would have given: 22021 for what is not UTF-8 */
	const char *message; /* never NULL; the others are "" where not known */
	const char *detail;
	const char *column;
	const char *constraint;
};

struct pgmend_batch_progress {
	int64_t rows_added;
	int64_t rows_sent; /* answered by the server, bad ones included */
	int64_t rows_bad;
	int64_t rows_total; /* of the call that runs, if known: the rows of pgmend_batch_add_columns(); or 0
			     */
	int64_t bytes_sent;
	double elapsed_ms;
};

/* Rows that RETURNING gave, in the order in which they were added. Valid for the time of the callback. */
struct pgmend_returned {
	const struct pg_result *result; /* a PGresult, one row each; its last columns may be our own */
	const int64_t *positions;	/* of each row of result */
	int count;
	int columns; /* the first so many are those that you asked for */
};

struct pgmend_batch_options {
	size_t struct_size;
	const char *schema; /* NULL: the table is looked for in the search_path */
	const char *table;  /* not quoted; a table, a partitioned table, a foreign table or a view */
	const struct pgmend_batch_column *columns; /* those that are given; the others get their default */
	int column_count;

	int method;	 /* enum pgmend_method */
	int transaction; /* enum pgmend_transaction. In a transaction of the caller's: always in that one,
			    under a savepoint; the caller commits */
	int bad_rows;	 /* enum pgmend_bad_rows */
	int on_conflict; /* enum pgmend_conflict */
	int duplicates;	 /* enum pgmend_duplicates */
	/* Names that end with a NULL; lists may be NULL. */
	const char *const *conflict_key;   /* for UPDATE needed; for NOTHING, NULL is any constraint */
	const char *const *update_columns; /* set to the given values; NULL: all given but the key */
	const char *const *returning;	   /* columns to return; NULL: none */
	bool returning_binary;		   /* as binary, else as text */
	bool overriding_system_value;	   /* values for GENERATED ALWAYS AS IDENTITY are written; without it
					      naming such a column is an error */

	/* Limits. */
	/*
	 * A chunk is what is committed, or put under a savepoint, together; its rows are kept until that is
	 * done. One INSERT has up to 2,000 of them (VALUES: 1,000, or chunk_rows where that is set).
	 */
	int64_t chunk_rows;   /* 0: 100,000 */
	int64_t chunk_bytes;  /* about; 0: 16 MB */
	int64_t max_bad_rows; /* more end the batch with PGMEND_ERR_LIMIT; 0: no limit. The first 100,000 are
				 kept for pgmend_batch_bad_row(); the callback gets all */

	/*
	 * Called by the thread that runs the batch, from add, flush and finish. They must not use the batch
	 * or its connection. on_progress: after each chunk; false cancels. on_returning: false cancels;
	 * without it the rows are kept for pgmend_batch_returned_value().
	 */
	bool (*on_progress)(void *context, const struct pgmend_batch_progress *progress);
	void (*on_bad_row)(void *context, const struct pgmend_bad_row *row);
	bool (*on_returning)(void *context, const struct pgmend_returned *rows);
	void *context;
};

/*
 * Looks the table and its columns up and makes a batch; writes nothing yet. conn must be idle, in no
 * transaction or in a sound one, not in pipeline mode, and stays the caller's. NULL: PGMEND_ERR_USAGE (names
 * the table, column or option), PGMEND_ERR_STATE, _QUERY, _CONNECT or _MEMORY.
 */
PGMEND_API struct pgmend_batch *pgmend_batch_open(struct pg_conn *conn,
						  const struct pgmend_batch_options *options,
						  struct pgmend_error *err);

/*
 * Adds one row: values[] in the order of the options' columns. Values are copied; full chunks are sent.
 *
 * This and the next three return false only where the batch has ended: with PGMEND_BAD_ROWS_SKIP a bad row is
 * no error. After that only _result, _bad_*, _returned_* and _close may be called.
 */
PGMEND_API bool pgmend_batch_add(struct pgmend_batch *batch, const struct pgmend_value *values,
				 struct pgmend_error *err);

/* Adds rows from one array for each column, and sends them: nothing of them is referred to afterwards. */
PGMEND_API bool pgmend_batch_add_columns(struct pgmend_batch *batch, const struct pgmend_column *columns,
					 size_t rows, struct pgmend_error *err);

/*
 * Adds rows that a callback makes: it fills values[], whose memory must stay until its next call, and returns
 * 1; 0: there are no more; -1: cancels the batch.
 */
PGMEND_API bool pgmend_batch_add_rows(struct pgmend_batch *batch,
				      int (*next_row)(void *context, struct pgmend_value *values),
				      void *context, struct pgmend_error *err);

/* Sends what is held, and waits until it is answered; with PGMEND_TRANSACTION_CHUNK it is then committed. */
PGMEND_API bool pgmend_batch_flush(struct pgmend_batch *batch, struct pgmend_error *err);

/*
 * Sends what is held and commits (in a transaction of the caller's: ends the savepoint). False: err says why,
 * pgmend_batch_result() what is committed. PGMEND_ERR_UNKNOWN_END: the connection was lost during COMMIT.
 */
PGMEND_API bool pgmend_batch_finish(struct pgmend_batch *batch, struct pgmend_error *err);

/*
 * Stops a batch from any thread, also while another one runs it: that one's call then fails with
 * PGMEND_ERR_CANCELED, what is not committed is undone. The batch must not be closed meanwhile.
 */
PGMEND_API void pgmend_batch_cancel(struct pgmend_batch *batch);

/*
 * Frees the batch; one that was not finished is undone as far as it is not committed. The connection is left
 * idle, in no transaction (or in the caller's), unless it is broken. NULL is fine.
 */
PGMEND_API void pgmend_batch_close(struct pgmend_batch *batch);

enum pgmend_end {
	PGMEND_END_OPEN = 0,	  /* not finished yet */
	PGMEND_END_COMMITTED = 1, /* all rows that are not bad */
	PGMEND_END_PARTLY = 2,	  /* rows_committed of them, all before position committed_to */
	PGMEND_END_UNDONE = 3,	  /* nothing */
	PGMEND_END_UNKNOWN = 4,	  /* the connection was lost while rows up to unknown_to were committed */
	PGMEND_END_CALLERS = 5	  /* written in the caller's transaction, which decides */
};

struct pgmend_batch_result {
	size_t struct_size;
	int end;    /* enum pgmend_end */
	int method; /* enum pgmend_method that was used */
	int64_t rows_added;
	int64_t rows_written;	  /* inserted or updated; counted when answered, whether committed or not */
	int64_t rows_conflicting; /* left as they were by PGMEND_CONFLICT_NOTHING */
	int64_t rows_duplicate;	  /* left out because of PGMEND_DUPLICATES_* */
	int64_t rows_bad;
	int64_t rows_committed; /* those of rows_written that are known to be committed */
	/*
	 * Rows at positions below committed_to are settled: committed, or bad, duplicate or conflicting.
	 * Those from committed_to to below unknown_to may be committed or not, together: xid says which
	 * (SELECT pg_xact_status(xid) on another connection). Those from unknown_to on are not.
	 */
	int64_t committed_to;
	int64_t unknown_to;
	uint64_t xid; /* of the last transaction, where known; 0: not */
	int64_t statements;
	int64_t bytes_sent;
	double elapsed_ms; /* since open, until the end */
};

/* Fills result, whose struct_size must be set. At any time, also after a failure. */
PGMEND_API void pgmend_batch_result(const struct pgmend_batch *batch, struct pgmend_batch_result *result);

/* Bad rows that are kept, in the order of their positions; index from 0. NULL beyond the last. */
PGMEND_API size_t pgmend_batch_bad_count(const struct pgmend_batch *batch);
PGMEND_API const struct pgmend_bad_row *pgmend_batch_bad_row(const struct pgmend_batch *batch, size_t index);

/*
 * Rows that RETURNING gave, kept where there is no on_returning, in the order of their positions. A value
 * lives until close; NULL is a NULL; length may be NULL. Text ends with a NUL.
 */
PGMEND_API int64_t pgmend_batch_returned_count(const struct pgmend_batch *batch);
PGMEND_API int64_t pgmend_batch_returned_position(const struct pgmend_batch *batch, int64_t index);
PGMEND_API const char *pgmend_batch_returned_value(const struct pgmend_batch *batch, int64_t index,
						   int column, size_t *length);

/* ---------------------------------------------------------------- timer */

/*
 * Measures how long named things take (statements, requests), keeps a histogram of each name and reports what
 * is slow. Any thread may use a timer at any time. Percentiles are within 0.4 % of the true value; times from
 * a microsecond to 19 hours are told apart, longer ones count as that.
 */
struct pgmend_timer;

struct pgmend_timer_options {
	size_t struct_size;
	double slow_ms; /* longer than this is reported to on_slow; 0: nothing is */
	int max_names;	/* 0: 1,000; further names are counted together, as "(other)" */
	/* Called by the thread that stops the scope, without a lock held. detail is what start was given. */
	void (*on_slow)(void *context, const char *name, const char *detail, double ms);
	void *context;
};

PGMEND_API struct pgmend_timer *pgmend_timer_new(const struct pgmend_timer_options *options,
						 struct pgmend_error *err);
/* No scope may be running. NULL is fine. */
PGMEND_API void pgmend_timer_free(struct pgmend_timer *timer);

/*
 * One measurement: yours, on the stack; belongs to one thread. name and detail (which may be NULL) are not
 * copied: they must live until stop. Stopping twice counts once; a scope never stopped counts for nothing.
 */
struct pgmend_timer_scope {
	struct pgmend_timer *timer;
	const char *name;
	const char *detail;
	int64_t started_ns;
};

PGMEND_API void pgmend_timer_start(struct pgmend_timer_scope *scope, struct pgmend_timer *timer,
				   const char *name, const char *detail);
/* How long it took, in milliseconds. */
PGMEND_API double pgmend_timer_stop(struct pgmend_timer_scope *scope);

/* For the cleanup attribute of GCC and clang: pgmend_timer_stop() without a result. */
PGMEND_API void pgmend_timer_scope_end(struct pgmend_timer_scope *scope);

#if defined(__GNUC__) && !defined(__cplusplus)
/* PGMEND_TIMED(scope, timer, "checkout"); measures from here to the end of the block, however it is left. */
#define PGMEND_TIMED(scope, timer, name)                                                                 \
	__attribute__((cleanup(pgmend_timer_scope_end))) struct pgmend_timer_scope scope = {0, 0, 0, 0}; \
	pgmend_timer_start(&scope, timer, name, NULL)
#endif

/* Counts a time that was measured elsewhere. */
PGMEND_API void pgmend_timer_record(struct pgmend_timer *timer, const char *name, const char *detail,
				    double ms);

struct pgmend_timer_stats {
	size_t struct_size;
	int64_t count;
	int64_t slow;
	double total_ms, min_ms, max_ms, mean_ms;
	double p50_ms, p90_ms, p95_ms, p99_ms, p999_ms;
};

/* Of one name, or of all together (NULL). False, and zeroes: that name was never measured. */
PGMEND_API bool pgmend_timer_stats(struct pgmend_timer *timer, const char *name,
				   struct pgmend_timer_stats *stats);

/* The time below which the fraction (0 to 1) of the measurements lie; 0 where there is none. */
PGMEND_API double pgmend_timer_percentile(struct pgmend_timer *timer, const char *name, double fraction);

/*
 * Calls visit for each name, in the order in which they came; stops when it returns false. It may not call
 * the timer. name lives as long as the timer.
 */
PGMEND_API void pgmend_timer_each(struct pgmend_timer *timer,
				  bool (*visit)(void *context, const char *name,
						const struct pgmend_timer_stats *stats),
				  void *context);

/*
 * Calls visit for each bucket that is not empty of the histogram of a name (NULL: of all), from the shortest:
 * count measurements that took from from_ms to below to_ms. False: that name was never measured.
 */
PGMEND_API bool pgmend_timer_histogram(struct pgmend_timer *timer, const char *name,
				       void (*visit)(void *context, double from_ms, double to_ms,
						     int64_t count),
				       void *context);

/* Forgets what was measured; names stay. */
PGMEND_API void pgmend_timer_reset(struct pgmend_timer *timer);

#ifdef __cplusplus
} /* extern "C" */

namespace pgmend {

/* pgmend::timed measure(timer, "checkout"); measures from here to the end of the scope, however it is left.
 */
class timed {
      public:
	timed(struct pgmend_timer *timer, const char *name, const char *detail = 0)
	{
		pgmend_timer_start(&scope_, timer, name, detail);
	}
	~timed()
	{
		pgmend_timer_stop(&scope_);
	}

      private:
	timed(const timed &);
	timed &operator=(const timed &);
	struct pgmend_timer_scope scope_;
};

/* An acquired connection that goes back at the end of the scope; get() is 0 where acquiring failed. */
class lease {
      public:
	lease(struct pgmend_pool *pool, int64_t timeout_ms, struct pgmend_error *err)
	    : conn_(pgmend_pool_acquire(pool, timeout_ms, err))
	{
	}
	~lease()
	{
		pgmend_pool_release(conn_);
	}
	struct pg_conn *get() const
	{
		return conn_ ? pgmend_conn_pg(conn_) : 0;
	}

      private:
	lease(const lease &);
	lease &operator=(const lease &);
	struct pgmend_conn *conn_;
};

} /* namespace pgmend */
#endif

#endif
