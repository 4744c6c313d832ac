/*
 * What the parts of the engine share: engine.c applies, rollback.c takes back, preview.c only looks. Inside
 * change/ only.
 */
#ifndef PGM_CHANGE_ENGINE_PARTS_H
#define PGM_CHANGE_ENGINE_PARTS_H

#include "change/steps.h"

struct pgm_engine_state {
	struct pgm_run run;
	const struct pgm_plan *plan;
	struct pgm_ledger_plan *row; /* of the Plan in the Ledger; NULL: none that is open */
	struct pgm_ledger_step *ledger;
	size_t ledger_count;
	struct pgm_preflight *looks; /* one for each Change */
	bool nothing_left;
};

const struct pgm_ledger_step *pgm_engine_ledger_step(const struct pgm_engine_state *state, int number);
void pgm_engine_enter_step(struct pgm_run *run, const struct pgm_change *change);
void pgm_engine_end_step(struct pgm_run *run, struct pgm_engine_step *step, const char *state,
			 const char *note);

/* Open the run, read the Ledger and look at every step. Changes nothing but, for_real, takes the lock. */
bool pgm_engine_prepare(struct pgm_engine_state *state, bool for_real, struct pgm_error *err) PGM_MUST_CHECK;
bool pgm_engine_settle(struct pgm_engine_state *state, struct pgm_error *err) PGM_MUST_CHECK;

/* Record that the step under way failed with err; builds: and drop what it left half made. */
void pgm_engine_failed(struct pgm_engine_state *state, bool builds, struct pgm_engine_step *result,
		       struct pgm_error *err);

/* The Plan that a rollback is about: state->row and state->plan, both NULL where there is nothing to undo. */
bool pgm_engine_find_undo(struct pgm_engine_state *state, const char *plan_id,
			  struct pgm_error *err) PGM_MUST_CHECK;
/* Whether a rollback has to do with the step. */
bool pgm_engine_to_undo(const struct pgm_ledger_step *row);

#endif
