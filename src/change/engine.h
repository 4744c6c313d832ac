/*
 * The engine: the only code that changes a user's database. It carries out Plans and takes them back, step
 * by step, with each step recorded in the Ledger before the act and after it; whatever stops it (a signal, a
 * crash, the server), the same call again goes on from there.
 *
 * A call opens sessions of its own beside the one it is given: one that works, one that holds the lock by
 * which there is one runner at a time. It prints nothing: it tells a callback. One thread.
 */
#ifndef PGM_CHANGE_ENGINE_H
#define PGM_CHANGE_ENGINE_H

#include "change/plan.h"
#include "pg/conn.h"

enum pgm_engine_event_kind {
	PGM_EVENT_STEP,	    /* a step begins */
	PGM_EVENT_PROGRESS, /* it goes on: text is the phase */
	PGM_EVENT_WAIT,	    /* it waits: text says for whom */
	PGM_EVENT_NOTE,	    /* something worth a line: text */
	PGM_EVENT_STEP_END, /* it is over: state, text (a note, or NULL), size_bytes, elapsed_ms */
};

struct pgm_engine_event {
	enum pgm_engine_event_kind kind;
	int step; /* 0: about no step */
	size_t steps;
	const char *title;
	const char *text;
	const char *state; /* done, skipped, undone, kept, failed, canceled */
	double fraction;   /* of the step, by PostgreSQL's own counters; -1: not known */
	double elapsed_ms;
	double left_ms;	    /* -1: not known */
	int64_t size_bytes; /* -1: not known */
};

struct pgm_engine_options {
	int64_t wait_ms;		  /* for another run of pgmend to end */
	int64_t max_wait_ms;		  /* that a statement may wait for other sessions, in all */
	int64_t timeout_ms;		  /* of the whole run; 0: none */
	int64_t lock_timeout_ms;	  /* of one try of a statement that blocks others while it waits */
	int64_t lock_deadline_ms;	  /* of all its tries */
	const char *maintenance_work_mem; /* NULL: as the server has it */
	int64_t batch_target_ms;	  /* how long a batch shall take (steps of kind batches) */
	int64_t batch_limit_ms;		  /* and how long it may: then it is canceled and tried with less */
	int64_t batch_rest_ms;		  /* pause after each batch */
	int64_t batch_jobs;	/* how many may run at a time where they are apart; one with rests */
	int64_t max_lag_ms;	/* of a standby, before a step in batches waits for it; 0: any */
	int64_t max_lag_bytes;	/* likewise */
	const char *pause_file; /* while it is there no batch begins; NULL: none */
	bool force_database;	/* apply a Plan that was made for another database */
	bool again; /* carry out a Plan that is done once more, where all of its steps keep house */
	void (*on_event)(const struct pgm_engine_event *event, void *arg); /* may be NULL */
	void *event_arg;
};

#define PGM_ENGINE_OPTIONS                                                                              \
	{                                                                                               \
		.wait_ms = 0, .max_wait_ms = 600000, .lock_timeout_ms = 50, .lock_deadline_ms = 120000, \
		.batch_target_ms = 100, .batch_limit_ms = 250, .batch_jobs = 2, .max_lag_ms = 10000,    \
		.max_lag_bytes = (int64_t)256 << 20                                                     \
	}

struct pgm_engine_step {
	int step;
	const char *title;
	const char *state; /* as in the Ledger, or "skipped": nothing was left to do */
	const char *note;  /* or NULL */
	double elapsed_ms;
	int64_t size_bytes; /* -1: not known */
};

struct pgm_engine_result {
	const char *plan_id;
	const char *title;
	bool already; /* there was nothing to do */
	bool started; /* something may have been changed, whatever the call returns */
	struct pgm_engine_step *steps;
	size_t step_count;
};

/*
 * Carry a Plan out, or go on where an earlier run ended. False with err where a step failed or could not
 * begin; result is filled in either case.
 */
bool pgm_engine_apply(struct pgm_conn *conn, struct pgm_arena *arena, const struct pgm_plan *plan,
		      const struct pgm_engine_options *options, struct pgm_engine_result *result,
		      struct pgm_error *err) PGM_MUST_CHECK;

/*
 * Take a Plan back, its last step first; plan_id NULL: the last one that is not undone. Only what the Ledger
 * says is ours is dropped.
 */
bool pgm_engine_rollback(struct pgm_conn *conn, struct pgm_arena *arena, const char *plan_id,
			 const struct pgm_engine_options *options, struct pgm_engine_result *result,
			 struct pgm_error *err) PGM_MUST_CHECK;

/* What a call would do. */
struct pgm_engine_preview_step {
	int step;
	const char *title;
	const char *action; /* "run", "skip", "resume", "undo" */
	const char *note;   /* why it is skipped, what is cleaned up first; or NULL */
	const char *sql;    /* what would run; "" where nothing would */
	const char *lock;   /* the strongest lock that it takes on the relation */
	const char *relation;
	int64_t size_bytes;
	double build_ms;
	const char **blockers; /* sessions that hold now what it would wait for */
	size_t blocker_count;
};

struct pgm_engine_preview {
	const char *plan_id;
	const char *title;
	bool already;
	struct pgm_engine_preview_step *steps;
	size_t step_count;
};

/* Both change nothing, not even the Ledger. They fail where the real call would fail before it begins. */
bool pgm_engine_preview_apply(struct pgm_conn *conn, struct pgm_arena *arena, const struct pgm_plan *plan,
			      const struct pgm_engine_options *options, struct pgm_engine_preview *preview,
			      struct pgm_error *err) PGM_MUST_CHECK;
bool pgm_engine_preview_rollback(struct pgm_conn *conn, struct pgm_arena *arena, const char *plan_id,
				 const struct pgm_engine_options *options, struct pgm_engine_preview *preview,
				 struct pgm_error *err) PGM_MUST_CHECK;

#endif
