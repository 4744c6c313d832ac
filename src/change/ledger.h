/*
 * The Ledger: schema pgmend of the target database, where each Plan, each of its steps and each index that a
 * step makes is recorded, before the act and after it. The Ledger says what was meant, the catalogs say what
 * is true.
 *
 * Each function is one statement or one transaction on the given session, which must not be in a
 * transaction (but for those that say so). Results live in the arena.
 */
#ifndef PGM_CHANGE_LEDGER_H
#define PGM_CHANGE_LEDGER_H

#include "change/plan.h"
#include "pg/conn.h"

#include <jansson.h>

#define PGM_LEDGER_VERSION 1

struct pgm_ledger_plan {
	int64_t seq; /* identifies the row: a Plan applied again after a rollback gets another */
	const char *id;
	const char *title;
	const char *path;   /* of the file, as it was given; "" where there was none */
	const char *source; /* the whole Plan file */
	const char *state;  /* running, done, failed, canceled, undoing, undone */
	const char *applied_by;
	const char *started_at;	 /* ISO 8601, UTC */
	const char *finished_at; /* NULL: not yet */
	double elapsed_ms;
	const char *error; /* or NULL */
	int64_t steps;
	int64_t steps_done;
};

struct pgm_ledger_step {
	int step;
	const char *kind;
	const char *title;
	const char *state; /* planned, running, done, failed, canceled, undoing, undone, kept */
	int attempt;
	int pid;		   /* of the session that worked on it last; 0: none */
	const char *backend_start; /* of that session */
	const char *started_at;	   /* NULL: never */
	double elapsed_ms;	   /* -1: not known */
	int64_t size_bytes;	   /* what it added; -1: not known */
	const char *note;	   /* "already served by X", or NULL */
	const char *undo_sql;	   /* captured before the act, or NULL */
	const char *error;	   /* or NULL */
};

/* An index that a step made, or was about to make. */
struct pgm_ledger_made {
	int64_t id;
	const char *schema;
	const char *index;
	const char *relation_oid;
	const char *index_oid; /* "0": it was not made for certain */
	const char *state;     /* meant, made */
};

struct pgm_ledger_measurement {
	const char *statement_id;
	json_t *data; /* the caller drops the reference */
	const char *captured_at;
};

/*
 * Whether there is a Ledger. Fails with PGM_ERR_RIGHTS where we may not read it, and with PGM_ERR_STATE where
 * a newer pgmend made it. With for_writing it also fails where its owner could use it to gain our rights.
 */
bool pgm_ledger_exists(struct pgm_conn *conn, bool for_writing, bool *exists,
		       struct pgm_error *err) PGM_MUST_CHECK;

/* Make the Ledger where there is none; safe when two try at once. PGM_ERR_RIGHTS names the missing GRANT. */
bool pgm_ledger_ensure(struct pgm_conn *conn, struct pgm_error *err) PGM_MUST_CHECK;

/* Remove it. PGM_ERR_STATE where a Plan is unfinished. */
bool pgm_ledger_drop(struct pgm_conn *conn, struct pgm_error *err) PGM_MUST_CHECK;

/* Plans, the latest first; id NULL: all. */
bool pgm_ledger_plans(struct pgm_conn *conn, struct pgm_arena *arena, const char *id, bool open_only,
		      struct pgm_ledger_plan **plans, size_t *count, struct pgm_error *err) PGM_MUST_CHECK;
bool pgm_ledger_steps(struct pgm_conn *conn, struct pgm_arena *arena, int64_t seq,
		      struct pgm_ledger_step **steps, size_t *count, struct pgm_error *err) PGM_MUST_CHECK;

/* Record a Plan and its steps; its state is running, theirs planned. */
bool pgm_ledger_add_plan(struct pgm_conn *conn, struct pgm_arena *arena, const struct pgm_plan *plan,
			 int64_t *seq, struct pgm_error *err) PGM_MUST_CHECK;
bool pgm_ledger_set_plan(struct pgm_conn *conn, struct pgm_arena *arena, int64_t seq, const char *state,
			 const char *error, struct pgm_error *err) PGM_MUST_CHECK;

/* Plans that began and are not done (running, failed, canceled) and whose title begins so, the latest first.
 */
bool pgm_ledger_unfinished(struct pgm_conn *conn, struct pgm_arena *arena, const char *title,
			   struct pgm_ledger_plan **plans, size_t *count,
			   struct pgm_error *err) PGM_MUST_CHECK;

/*
 * Close a Plan that ended (done; with failed also failed or canceled) and that is to be carried out again
 * since its effect is gone: its row says undone, and a new one will be made.
 */
bool pgm_ledger_close(struct pgm_conn *conn, struct pgm_arena *arena, const char *id, bool failed,
		      struct pgm_error *err) PGM_MUST_CHECK;

/* How a step changes; NULL, -1 and 0 leave a field as it is (error: clears it). */
struct pgm_ledger_update {
	const char *state;
	const char *error;
	const char *note;
	int64_t size_bytes;
	int pid; /* with backend_start: work begins */
	const char *backend_start;
};

/* May run inside a transaction, to commit with the step's own SQL. */
bool pgm_ledger_set_step(struct pgm_conn *conn, struct pgm_arena *arena, int64_t seq, int step,
			 const struct pgm_ledger_update *update, struct pgm_error *err) PGM_MUST_CHECK;

/* Keep the way back of a step; the first one stays. */
bool pgm_ledger_set_undo(struct pgm_conn *conn, struct pgm_arena *arena, int64_t seq, int step,
			 const char *undo_sql, struct pgm_error *err) PGM_MUST_CHECK;

/* Say that an index is about to be made, and what became of it. */
bool pgm_ledger_mean(struct pgm_conn *conn, struct pgm_arena *arena, int64_t seq, int step,
		     const char *schema, const char *index, const char *relation_oid,
		     struct pgm_error *err) PGM_MUST_CHECK;
bool pgm_ledger_made(struct pgm_conn *conn, struct pgm_arena *arena, int64_t seq, int step,
		     const char *schema, const char *index, const char *index_oid,
		     struct pgm_error *err) PGM_MUST_CHECK;
bool pgm_ledger_dropped(struct pgm_conn *conn, struct pgm_arena *arena, int64_t made_id,
			struct pgm_error *err) PGM_MUST_CHECK;

/* What is ours: of one step, in the order it was made; or by name, whichever Plan made it. */
bool pgm_ledger_made_by_step(struct pgm_conn *conn, struct pgm_arena *arena, int64_t seq, int step,
			     struct pgm_ledger_made **made, size_t *count,
			     struct pgm_error *err) PGM_MUST_CHECK;
bool pgm_ledger_made_by_name(struct pgm_conn *conn, struct pgm_arena *arena, const char *schema,
			     const char *index, struct pgm_ledger_made **made, size_t *count,
			     struct pgm_error *err) PGM_MUST_CHECK;

/* For verify. The Plan need not have been applied yet; the Ledger must exist. */
bool pgm_ledger_save_measurement(struct pgm_conn *conn, const char *plan_id, const char *phase,
				 const char *statement_id, const json_t *data,
				 struct pgm_error *err) PGM_MUST_CHECK;
/* The latest of each statement. */
bool pgm_ledger_measurements(struct pgm_conn *conn, struct pgm_arena *arena, const char *plan_id,
			     const char *phase, struct pgm_ledger_measurement **measurements, size_t *count,
			     struct pgm_error *err) PGM_MUST_CHECK;

#endif
