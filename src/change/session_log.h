/*
 * The record of sessions that were cancelled or ended by pgmend: table pgmend.session_end, beside the
 * Ledger's. A row is written before the signal is sent and completed after it.
 *
 * Each function is one statement on the given session, which must not be in a transaction. Results live in
 * the arena.
 */
#ifndef PGM_CHANGE_SESSION_LOG_H
#define PGM_CHANGE_SESSION_LOG_H

#include "pg/conn.h"

struct pgm_session_log_entry {
	const char *action; /* cancel, terminate */
	const char *why;
	int pid;
	const char *backend_start, *backend_type, *database, *user, *application, *client, *state;
	const char *query; /* without values, or NULL */

	/* Where it is read. */
	const char *asked_by;
	const char *asked_at; /* ISO 8601, UTC */
	const char *outcome;  /* NULL: pgmend was stopped before it was known */
	const char *message;  /* or NULL */
};

/* Make the Ledger and the table where they are missing; PGM_ERR_RIGHTS where we may not. */
bool pgm_session_log_ensure(struct pgm_conn *conn, struct pgm_error *err) PGM_MUST_CHECK;

bool pgm_session_log_add(struct pgm_conn *conn, struct pgm_arena *arena,
			 const struct pgm_session_log_entry *entry, int64_t *id,
			 struct pgm_error *err) PGM_MUST_CHECK;
bool pgm_session_log_finish(struct pgm_conn *conn, struct pgm_arena *arena, int64_t id, const char *outcome,
			    const char *message, struct pgm_error *err) PGM_MUST_CHECK;

/* The latest first, at most limit; none where there is no such table. */
bool pgm_session_log_read(struct pgm_conn *conn, struct pgm_arena *arena, int64_t limit,
			  struct pgm_session_log_entry **entries, size_t *count,
			  struct pgm_error *err) PGM_MUST_CHECK;

#endif
