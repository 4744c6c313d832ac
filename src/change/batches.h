/*
 * Steps that are done in batches: kind "batches" of a Change. Inside change/ only; the contract is for all.
 *
 * The SQL of the step is run again and again, all of its statements in one transaction each time, until
 * there is nothing left. Its parameters:
 *
 *	$1	how much a batch may take on (rows, as a rule): adapted to the time that batches take
 *	$2	where the last batch ended: text, NULL at the beginning
 *	$3...	what the statements before it returned in this batch, column by column, as text: cast them
 *
 * A statement returns one row or none (then its columns are NULL). Columns of these names are for the engine:
 *
 *	cursor		where this batch ends, as text; NULL: there is nothing left after this batch. Without
 *			any such column the step is done when a batch changes no row
 *	again		true: commit here and begin the same batch again, with the same $2 (there was more
 *			than one batch could hold)
 *	apart		true, beside cursor: this batch has nothing to do with others. The next one may begin
 *			behind it in another session before it is committed
 *	fraction	how much of the step is done, from 0 to 1
 *	kept		how many rows this batch left as they are, for the note at the end
 *	handled		rows that this batch changed, where the command tags (DELETE 5) do not tell
 *
 * The cursor is kept in the Ledger in the same transaction: whatever ends a run, the next one goes on behind
 * the last batch that was committed. No transaction is longer than options->batch_limit_ms: a batch that is
 * gets canceled, taken back and tried with less; only where even $1 = 1 is too much it may take its time.
 * A step with a statement "SET LOCAL statement_timeout = ..." has that limit instead.
 * Between batches the engine rests, waits for standbys, and for whoever paused it (throttle.h).
 */
#ifndef PGM_CHANGE_BATCHES_H
#define PGM_CHANGE_BATCHES_H

#include "change/steps.h"

#define PGM_BATCH_SIZE_FIRST 256
#define PGM_BATCH_SIZE_MAX   1000000
#define PGM_BATCH_JOBS_MAX   8

/* How far a step is. Lives in the arena that it was read into. */
struct pgm_batches_state {
	bool there;	    /* it has a row in the Ledger */
	const char *cursor; /* or NULL */
	int64_t size;
	int64_t batches; /* committed */
	int64_t rows;
	int64_t kept;
	double work_ms;	   /* inside of transactions */
	double longest_ms; /* of one */
	bool paused;
};

/* Let the steps in batches of a Plan rest, or go on; *changed: how many. */
bool pgm_batches_pause(struct pgm_conn *conn, struct pgm_arena *arena, int64_t seq, bool pause,
		       int64_t *changed, struct pgm_error *err) PGM_MUST_CHECK;

/* What stands in the Ledger, from whichever session; the Ledger must exist. */
bool pgm_batches_state(struct pgm_conn *conn, struct pgm_arena *arena, int64_t seq, int step,
		       struct pgm_batches_state *state, struct pgm_error *err) PGM_MUST_CHECK;

/*
 * Carry the step out, or go on with it; its last batch commits together with state "done". *note: what was
 * done, in one line.
 */
bool pgm_batches_run(struct pgm_run *run, const struct pgm_plan_sql *sqls, size_t count, const char **note,
		     struct pgm_error *err) PGM_MUST_CHECK;

/* Statement with its parameters numbered from 1 without gaps; used[i] is what $i+1 was. */
const char *pgm_batches_renumber(struct pgm_arena *arena, const char *sql, int **used, size_t *count);

#endif
