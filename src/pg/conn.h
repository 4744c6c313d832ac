/*
 * A session with a PostgreSQL server. With explain.c, this is the only place that calls libpq.
 *
 * A session belongs to one thread at a time. Rows that a query returns are copied into the caller's arena,
 * so they outlive the session. Our own statements hold PGM_CONN_MARKER, so that what we report of a workload
 * leaves them out, and run with search_path = pg_catalog alone: qualify every name.
 */
#ifndef PGM_PG_CONN_H
#define PGM_PG_CONN_H

#include "util/arena.h"
#include "util/error.h"

#include <stdint.h>

#define PGM_CONN_MARKER		      "/* pgmend */ "
#define PGM_CONN_OLDEST		      130000 /* the oldest server that we work with */
#define PGM_CONN_STATEMENT_TIMEOUT_MS 60000

struct pgm_conn;

/* As psql: every field may be NULL. conninfo is a database name, a key=value string or a URI. */
struct pgm_conn_options {
	const char *conninfo;
	const char *host;
	const char *port;
	const char *user;
	const char *dbname;
	const char *password; /* NULL: .pgpass, PGPASSWORD and the conninfo give it */
	/* "5" (seconds), "10000" (ms); NULL: 15 and the system's. What the user said (conninfo, PG*) wins. */
	const char *connect_timeout, *tcp_user_timeout;
	/* So long is an answer of the server waited for, from the set-up on; one that does not come loses the
	 * session. 0: for ever. */
	double answer_ms;
};

struct pgm_rows {
	size_t count;
	size_t columns;
	char **names;	      /* of the columns */
	char **cells;	      /* row by row; NULL is SQL NULL */
	char *command_status; /* "CREATE INDEX", "DELETE 3" */
};

/*
 * Open a session: refuses servers older than 13, sets bounded timeouts and a fixed search_path. Never asks
 * for a password (.pgpass, PGPASSWORD and the conninfo give it). NULL on failure; no message ever holds a
 * password.
 */
struct pgm_conn *pgm_conn_open(const struct pgm_conn_options *options, struct pgm_error *err) PGM_MUST_CHECK;

/*
 * The admin console of a pooler, which is no server: nothing is set or asked there, and of this header only
 * pgm_conn_show(), _host(), _port(), _alive() and _close() are for it. The database is "pgbouncer" unless
 * options name one.
 */
struct pgm_conn *pgm_conn_open_console(const struct pgm_conn_options *options,
				       struct pgm_error *err) PGM_MUST_CHECK;

/*
 * A session on which nothing is set: through a pooler it may be another backend's with each statement, and
 * what was set there would be left to others. So there are no timeouts but the server's own, and every name
 * has to be qualified.
 */
struct pgm_conn *pgm_conn_open_as_is(const struct pgm_conn_options *options,
				     struct pgm_error *err) PGM_MUST_CHECK;

/* One of a console's commands ("SHOW QUERIES"), by the simple protocol; names: as many as there are columns.
 * Texts are made UTF-8: names that the pooler's clients send can be any bytes. */
bool pgm_conn_show(struct pgm_conn *conn, struct pgm_arena *arena, const char *command, char ***names,
		   struct pgm_rows *rows, struct pgm_error *err) PGM_MUST_CHECK;

/* Another session with the same server, database, user and password. */
struct pgm_conn *pgm_conn_clone(const struct pgm_conn *conn, struct pgm_error *err) PGM_MUST_CHECK;
void pgm_conn_close(struct pgm_conn *conn); /* NULL is fine */

int pgm_conn_version(const struct pgm_conn *conn); /* server_version_num: 150004 */
int pgm_conn_pid(const struct pgm_conn *conn);	   /* the backend's process id */
const char *pgm_conn_database(const struct pgm_conn *conn);
const char *pgm_conn_user(const struct pgm_conn *conn);
const char *pgm_conn_host(const struct pgm_conn *conn); /* a directory for a Unix socket */
const char *pgm_conn_port(const struct pgm_conn *conn);
const char *pgm_conn_search_path(const struct pgm_conn *conn); /* the user's own, as it was before ours */
bool pgm_conn_is_standby(const struct pgm_conn *conn);	       /* in recovery when the session began */
bool pgm_conn_in_failed_transaction(const struct pgm_conn *conn);
bool pgm_conn_alive(const struct pgm_conn *conn); /* and no answer of its is late */

/* Run statements for their effect; several, separated by semicolons, are one implicit transaction. */
bool pgm_conn_exec(struct pgm_conn *conn, const char *sql, struct pgm_error *err) PGM_MUST_CHECK;

/* The same for a clean-up whose failure changes nothing. */
void pgm_conn_exec_quietly(struct pgm_conn *conn, const char *sql);

/*
 * Run one statement with text parameters (NULL is SQL NULL) and fetch all of its rows. The marker is put
 * after its first word: pg_stat_statements of PostgreSQL 18 cuts comments before it.
 */
bool pgm_conn_query(struct pgm_conn *conn, struct pgm_arena *arena, const char *sql, size_t param_count,
		    const char *const *params, struct pgm_rows *rows, struct pgm_error *err) PGM_MUST_CHECK;

/* The same for one value: NULL in *value where it is NULL or where no row came. */
bool pgm_conn_value(struct pgm_conn *conn, struct pgm_arena *arena, const char *sql, size_t param_count,
		    const char *const *params, char **value, struct pgm_error *err) PGM_MUST_CHECK;

/*
 * Send count statements in one round trip (libpq's pipeline mode, one Sync at the end) and fetch the rows
 * of each. The first failure ends it: *failed (may be NULL) is its index.
 */
bool pgm_conn_pipeline(struct pgm_conn *conn, struct pgm_arena *arena, size_t count, const char *const *sqls,
		       struct pgm_rows *rows, size_t *failed, struct pgm_error *err) PGM_MUST_CHECK;

struct pgm_conn_statement {
	const char *sql;
	size_t param_count;
	const char *const *params;
};

/*
 * The same with parameters, canceled when it is not done within limit_ms (0: none): then PGM_ERR_TIMEOUT with
 * SQLSTATE 57014. Within a transaction each statement has a snapshot of its own, as if sent alone.
 */
bool pgm_conn_pipeline_within(struct pgm_conn *conn, struct pgm_arena *arena, size_t count,
			      const struct pgm_conn_statement *statements, double limit_ms,
			      struct pgm_rows *rows, struct pgm_error *err) PGM_MUST_CHECK;

/*
 * The same in two halves, for who works with several sessions at a time: between them the session can do
 * nothing else. Until until_ms (on the monotonic clock, 0: without a limit) for the second. Where the first
 * failed there is no second.
 */
bool pgm_conn_pipeline_send(struct pgm_conn *conn, size_t count, const struct pgm_conn_statement *statements,
			    struct pgm_error *err) PGM_MUST_CHECK;
bool pgm_conn_pipeline_receive(struct pgm_conn *conn, struct pgm_arena *arena, size_t count, double until_ms,
			       struct pgm_rows *rows, struct pgm_error *err) PGM_MUST_CHECK;

#define PGM_CONN_WAIT_MAX 8

/* Between the halves: which of the sessions (at most PGM_CONN_WAIT_MAX) has an answer, or is late. */
size_t pgm_conn_wait_any(struct pgm_conn *const *conns, const double *until_ms, size_t count);

/*
 * A long statement, watched from outside: start it, then poll until *done. While it runs the session can do
 * nothing else. pgm_conn_poll() waits at most timeout_ms and returns false only when the statement failed
 * (then it is done too).
 */
bool pgm_conn_start(struct pgm_conn *conn, const char *sql, struct pgm_error *err) PGM_MUST_CHECK;
bool pgm_conn_poll(struct pgm_conn *conn, double timeout_ms, bool *done,
		   struct pgm_error *err) PGM_MUST_CHECK;

/* Ask the server to cancel what the session runs. Any thread; the answer comes where it is waited for. */
void pgm_conn_cancel(struct pgm_conn *conn);

/* libpq's own connection, for libpgmend, which works on one. It stays the session's. */
struct pg_conn;
struct pg_conn *pgm_conn_libpq(struct pgm_conn *conn);

/* From now on Ctrl-C also cancels what this session runs, until it is closed. */
void pgm_conn_cancel_on_interrupt(struct pgm_conn *conn);

/* The cell in row r, column c; NULL for SQL NULL. */
static inline char *pgm_rows_get(const struct pgm_rows *rows, size_t r, size_t c)
{
	return rows->cells[r * rows->columns + c];
}

size_t pgm_rows_column(const struct pgm_rows *rows, const char *name); /* rows->columns: there is none */

/* Typed reads; SQL NULL reads as 0, false and "" (pgm_rows_get tells). */
int64_t pgm_rows_int(const struct pgm_rows *rows, size_t r, size_t c);
double pgm_rows_double(const struct pgm_rows *rows, size_t r, size_t c);
bool pgm_rows_bool(const struct pgm_rows *rows, size_t r, size_t c);
const char *pgm_rows_text(const struct pgm_rows *rows, size_t r, size_t c);

/* The elements of a one-dimensional array as the server prints it, "{a,\"b c\",NULL}"; NULL gives 0. */
size_t pgm_rows_array(struct pgm_arena *arena, const char *text, char ***elements);

static inline void pgm_conn_cleanup(struct pgm_conn **conn)
{
	pgm_conn_close(*conn);
}
#define PGM_AUTO_CONN __attribute__((cleanup(pgm_conn_cleanup))) struct pgm_conn *

#endif
