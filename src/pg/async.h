/*
 * A session with a PostgreSQL server that never waits: whoever has many of them polls their sockets (with
 * epoll) and calls pgm_async_step() when one is ready. It adds nothing to what is sent: no marker, no
 * settings, so that what runs is what an application would run, also through a pooler.
 *
 * One statement is under way at a time. A session belongs to one thread. Texts that it returns live until
 * the next call for the same session.
 */
#ifndef PGM_PG_ASYNC_H
#define PGM_PG_ASYNC_H

#include "pg/conn.h"

struct pgm_async;

enum pgm_async_event {
	PGM_ASYNC_WAITING,  /* nothing new: poll for pgm_async_events() */
	PGM_ASYNC_READY,    /* it is connected now: send something */
	PGM_ASYNC_ANSWERED, /* what was sent is done; send something */
	PGM_ASYNC_LOST,	    /* there is no session (any more): close it */
};

/* How a statement or a connection ended. */
struct pgm_async_outcome {
	bool failed;
	char code[12];	     /* SQLSTATE; where no server said one "refused" (never connected) or "closed" */
	const char *message; /* one line, never with a password; "" where nothing failed */
	uint64_t rows;	     /* returned or changed */
};

/*
 * Begin to connect; resolving a name may wait. options_guc (may be NULL) is appended to the startup packet's
 * options: "-c name=value". NULL only where memory is spent.
 */
struct pgm_async *pgm_async_open(const struct pgm_conn_options *options, const char *options_guc);
void pgm_async_close(struct pgm_async *async); /* NULL is fine; does not wait for the server */

int pgm_async_fd(const struct pgm_async *async);    /* may change until READY; -1: none */
unsigned pgm_async_events(struct pgm_async *async); /* EPOLLIN, EPOLLOUT */

/* After its socket is ready, or at once where nothing is known yet. */
enum pgm_async_event pgm_async_step(struct pgm_async *async, struct pgm_async_outcome *outcome);

/*
 * Send one: by the simple protocol (may be several statements, of which outcome tells the last or the first
 * that failed), with text parameters (NULL is SQL NULL), to prepare it under a name, to run what was
 * prepared. False: the session is lost, and pgm_async_step() says why.
 */
bool pgm_async_query(struct pgm_async *async, const char *sql);
bool pgm_async_params(struct pgm_async *async, const char *sql, size_t count, const char *const *values);
bool pgm_async_prepare(struct pgm_async *async, const char *name, const char *sql);
bool pgm_async_execute(struct pgm_async *async, const char *name, size_t count, const char *const *values);

/* Ask what was prepared under a name for its parameters' types; then they are in the answer. */
bool pgm_async_describe(struct pgm_async *async, const char *name);
size_t pgm_async_param_count(const struct pgm_async *async);
uint32_t pgm_async_param_type(const struct pgm_async *async, size_t i); /* an oid */

/* The last answer. A cell is NULL beyond its rows and columns; *null tells SQL NULL. */
size_t pgm_async_rows(const struct pgm_async *async);
size_t pgm_async_columns(const struct pgm_async *async);
const char *pgm_async_column_name(const struct pgm_async *async, size_t column);
const char *pgm_async_cell(const struct pgm_async *async, size_t row, size_t column, bool *null);

bool pgm_async_in_transaction(const struct pgm_async *async); /* or in a failed one */
int pgm_async_pid(const struct pgm_async *async);	      /* as the server, or a pooler, told */
/* What the connection uses, or "": "host", "port", "user", "dbname", "server_version". */
const char *pgm_async_setting(const struct pgm_async *async, const char *name);

/* Ask the server to cancel what runs. Waits for a connection to it. */
void pgm_async_cancel(struct pgm_async *async);

/*
 * For what happens before and after the others: step until READY, ANSWERED or LOST, at most limit_ms. False:
 * it was lost, refused or late, and err says so.
 */
bool pgm_async_wait(struct pgm_async *async, double limit_ms, struct pgm_async_outcome *outcome,
		    struct pgm_error *err) PGM_MUST_CHECK;

static inline void pgm_async_cleanup(struct pgm_async **async)
{
	pgm_async_close(*async);
}
#define PGM_AUTO_ASYNC __attribute__((cleanup(pgm_async_cleanup))) struct pgm_async *

#endif
