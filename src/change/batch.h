/*
 * One batch of a step in batches, as it runs in a session: its statements go out in as few round trips as
 * their parameters allow, and its owner may do other things while the server is at work. Inside change/ only;
 * what the statements return and get is told in batches.h.
 */
#ifndef PGM_CHANGE_BATCH_H
#define PGM_CHANGE_BATCH_H

#include "pg/conn.h"
#include "util/vec.h"

struct pgm_batch_sql {
	const char *text; /* renumbered */
	int *used;
	size_t used_count;
	bool may_end; /* it returns "again" */
};

struct pgm_batch {
	struct pgm_conn *conn;
	const struct pgm_batch_sql *sqls;
	size_t count;
	const char *start; /* where the batch before it ended; not its own */
	double began_ms;
	double limit_ms; /* 0: none */

	/* What its statements said up to now. Strings live in the scratch arena. */
	const char *cursor;
	bool has_cursor; /* some statement said where it ends */
	bool again;
	bool apart;
	double fraction; /* -1: not known */
	int64_t rows;
	int64_t kept;

	struct pgm_arena *scratch;
	PGM_VEC(const char *) params;
	size_t done; /* statements whose answers are in */
	size_t sent; /* statements that are under way, with those that begin the transaction */
	size_t before;
	struct pgm_rows *answers;
};

/* Send its beginning. size is $1. pgm_batch_free() also where it failed. */
bool pgm_batch_begin(struct pgm_batch *batch, int64_t size, int64_t lock_timeout_ms,
		     struct pgm_error *err) PGM_MUST_CHECK;

/*
 * Wait for what is under way, and send what comes next. *more: there is something under way again; else the
 * batch is as far as its record in the Ledger.
 */
bool pgm_batch_go_on(struct pgm_batch *batch, bool *more, struct pgm_error *err) PGM_MUST_CHECK;

void pgm_batch_free(struct pgm_batch *batch);

/* "DELETE 5", "INSERT 0 5": rows that a statement changed; a SELECT changes none. */
int64_t pgm_batch_rows_changed(const char *status);

#endif
