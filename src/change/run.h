/*
 * One run of the engine: its sessions and how it runs a statement. Inside change/ only.
 */
#ifndef PGM_CHANGE_RUN_H
#define PGM_CHANGE_RUN_H

#include "change/engine.h"
#include "change/held.h"
#include "change/ledger.h"

struct pgm_target_index; /* target.h */

struct pgm_run {
	struct pgm_arena *arena;
	struct pgm_conn *control; /* the caller's: Ledger, catalogs, watching */
	struct pgm_conn *work;	  /* runs the steps, under the user's own search_path, without timeouts */
	struct pgm_conn *lock;	  /* holds the advisory lock; idle. NULL in a preview */
	const struct pgm_engine_options *options;
	const struct pgm_plan *plan;
	const char *work_start; /* backend_start of work */
	double deadline_ms;	/* on the monotonic clock; 0: none */
	bool ledger;		/* there is one in this database */
	int64_t seq;		/* of the Plan in the Ledger; 0: not there yet */
	bool undoing;
	bool cleaning; /* after a failure: short budgets, but not that of the run */
	const struct pgm_target_index *reindexing; /* whose half-made copy goes where the step fails */

	/* The step that is under way, for events. */
	int step;
	size_t steps;
	const char *title;
	double step_began_ms;
	double estimate_ms;   /* of the step; -1 */
	struct pgm_held held; /* how long its transaction held the lock that its SQL told of */
};

/* Open the sessions; with_lock: become the one runner. */
bool pgm_run_open(struct pgm_run *run, bool with_lock, struct pgm_error *err) PGM_MUST_CHECK;
void pgm_run_close(struct pgm_run *run);

/* A new work session where the old one was lost. */
bool pgm_run_reopen(struct pgm_run *run, struct pgm_error *err) PGM_MUST_CHECK;

/* A further session like run->work, for its owner to close. */
bool pgm_run_open_worker(struct pgm_run *run, struct pgm_conn **conn, struct pgm_error *err) PGM_MUST_CHECK;

/* Still the one runner, and not out of time? To be asked before each step. */
bool pgm_run_check(struct pgm_run *run, struct pgm_error *err) PGM_MUST_CHECK;

void pgm_run_tell(const struct pgm_run *run, enum pgm_engine_event_kind kind, const char *text);

/*
 * Run a statement on the work session however long it takes, and tell its progress. It is canceled by
 * Ctrl-C, when it waited for others for longer than options->max_wait_ms, or when the run's time is up.
 */
bool pgm_run_watched(struct pgm_run *run, const char *sql, struct pgm_error *err) PGM_MUST_CHECK;

/*
 * One try of something that blocks others while it waits for its lock: false with SQLSTATE lock_not_available
 * (or deadlock_detected) where another one may do. Goes on until options->lock_deadline_ms. relation_oid (may
 * be NULL) is for naming who holds it up.
 */
typedef bool pgm_run_try(struct pgm_run *run, void *arg, struct pgm_error *err);
bool pgm_run_tries(struct pgm_run *run, pgm_run_try *try, void *arg, const char *relation_oid,
		   struct pgm_error *err) PGM_MUST_CHECK;

/*
 * Run a statement that blocks others while it waits for its lock: many short tries with pauses between them,
 * until options->lock_deadline_ms. try_ms: the longest wait of one try. relation_oid (may be NULL) is for
 * naming who holds it up.
 */
bool pgm_run_locked(struct pgm_run *run, const char *sql, const char *relation_oid, int64_t try_ms,
		    struct pgm_error *err) PGM_MUST_CHECK;

/*
 * Before the first try for ACCESS EXCLUSIVE, for some seconds at most: until no transaction has held the
 * relation for long. The tries after it do so by themselves.
 */
void pgm_run_wait_for_gap(struct pgm_run *run, const char *relation_oid);

/*
 * The same for statements and the step's new state in one transaction. SQL that sets PGM_HELD_LOCKED (to
 * clock_timestamp(), as text) when it got its lock learns how long that was held: run->held. That runs in one
 * round trip, which its own timeouts and Ctrl-C end.
 */
bool pgm_run_transaction(struct pgm_run *run, const char *sql, const char *relation_oid,
			 const struct pgm_ledger_update *update, struct pgm_error *err) PGM_MUST_CHECK;

/* Wait until the session that an earlier run left at work is gone; it is canceled where it waits too long. */
bool pgm_run_settle(struct pgm_run *run, int pid, const char *backend_start,
		    struct pgm_error *err) PGM_MUST_CHECK;

/*
 * Who stands in the way, one line each: holders of locks on the relation that conflict with an exclusive lock
 * (or with a concurrent build: then also old snapshots in this database).
 */
bool pgm_run_holders(struct pgm_run *run, const char *relation_oid, bool exclusive, const char ***lines,
		     size_t *count, struct pgm_error *err) PGM_MUST_CHECK;

#endif
