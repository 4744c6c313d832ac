#include "change/actor.h"
#include "change/engine_parts.h"

#include <string.h>

bool pgm_engine_to_undo(const struct pgm_ledger_step *row)
{
	static const char *const untouched[] = {"planned", "undone", "kept"};
	for (size_t i = 0; row && i < sizeof(untouched) / sizeof(*untouched); i++)
		if (strcmp(row->state, untouched[i]) == 0)
			return false;
	return row != NULL;
}

static bool unknown_plan(struct pgm_error *err, const char *plan_id)
{
	pgm_error_set(err, PGM_ERR_USAGE, "the ledger knows no Plan %s", plan_id);
	return pgm_error_hint(err, "\"pgmend history\" lists them.");
}

bool pgm_engine_find_undo(struct pgm_engine_state *state, const char *plan_id, struct pgm_error *err)
{
	struct pgm_run *run = &state->run;
	struct pgm_ledger_plan *plans;
	struct pgm_plan *plan;
	size_t count;
	if (!pgm_ledger_exists(run->control, true, &run->ledger, err))
		return false;
	if (!run->ledger)
		return !plan_id || unknown_plan(err, plan_id);
	if (!pgm_ledger_plans(run->control, run->arena, plan_id, true, &plans, &count, err))
		return false;
	if (count == 0 && plan_id) {
		if (!pgm_ledger_plans(run->control, run->arena, plan_id, false, &plans, &count, err))
			return false;
		return count > 0 || unknown_plan(err, plan_id);
	}
	if (count == 0)
		return true;
	state->row = &plans[0];
	run->seq = plans[0].seq;
	state->plan = plan = PGM_NEW(run->arena, struct pgm_plan);
	if (!pgm_plan_parse(run->arena, "the Plan in the ledger", plans[0].source, plan, err)) {
		if (err)
			err->kind = PGM_ERR_STATE;
		return false;
	}
	run->steps = plan->change_count;
	return pgm_ledger_steps(run->control, run->arena, run->seq, &state->ledger, &state->ledger_count,
				err);
}

static bool undo_step(struct pgm_engine_state *state, const struct pgm_change *change,
		      const struct pgm_ledger_step *row, struct pgm_engine_step *result,
		      struct pgm_error *err)
{
	struct pgm_run *run = &state->run;
	const char *kept;
	pgm_engine_enter_step(run, change);
	pgm_run_tell(run, PGM_EVENT_STEP, NULL);
	/* A transaction that never committed stays what it is in the Ledger until it is undone. */
	bool atomic = change->kind == PGM_CHANGE_SQL || change->kind == PGM_CHANGE_SWAP;
	bool intent = !atomic || strcmp(row->state, "done") == 0;
	struct pgm_ledger_update begin = {.state = intent ? "undoing" : row->state,
					  .size_bytes = -1,
					  .pid = pgm_conn_pid(run->work),
					  .backend_start = run->work_start};
	if (!pgm_run_check(run, err) ||
	    !pgm_ledger_set_step(run->control, run->arena, run->seq, run->step, &begin, err) ||
	    !pgm_undo(run, change, row, &kept, err))
		return false;
	struct pgm_ledger_update end = {.state = kept ? "kept" : "undone", .note = kept, .size_bytes = -1};
	if (!pgm_ledger_set_step(run->control, run->arena, run->seq, run->step, &end, err))
		return false;
	pgm_engine_end_step(run, result, end.state, kept);
	return true;
}

static bool rollback(struct pgm_engine_state *state, const char *plan_id, struct pgm_engine_result *result,
		     struct pgm_error *err)
{
	struct pgm_run *run = &state->run;
	if (!pgm_run_open(run, true, err) || !pgm_engine_find_undo(state, plan_id, err))
		return false;
	if (!state->row)
		return result->already = true, true;
	const struct pgm_plan *plan = state->plan;
	result->plan_id = plan->id;
	result->title = state->row->title;
	result->steps = PGM_NEW_ARRAY(run->arena, struct pgm_engine_step, plan->change_count + 1);
	if (!pgm_engine_settle(state, err))
		return false;
	result->started = true;
	if (!pgm_actor_record(run->control, run->arena, run->seq, "rollback", err) ||
	    !pgm_ledger_set_plan(run->control, run->arena, run->seq, "undoing", NULL, err))
		return false;
	for (size_t i = plan->change_count; i-- > 0;) {
		const struct pgm_change *change = &plan->changes[i];
		const struct pgm_ledger_step *row = pgm_engine_ledger_step(state, change->step);
		if (!pgm_engine_to_undo(row))
			continue;
		struct pgm_engine_step *step = &result->steps[result->step_count++];
		step->size_bytes = -1;
		if (!undo_step(state, change, row, step, err)) {
			pgm_engine_failed(state, change->kind == PGM_CHANGE_DROP_INDEX, step, err);
			return pgm_error_context(err, "undoing step %d (%s)", run->step, run->title);
		}
	}
	return pgm_ledger_set_plan(run->control, run->arena, run->seq, "undone", NULL, err);
}

bool pgm_engine_rollback(struct pgm_conn *conn, struct pgm_arena *arena, const char *plan_id,
			 const struct pgm_engine_options *options, struct pgm_engine_result *result,
			 struct pgm_error *err)
{
	struct pgm_error own = {0};
	struct pgm_engine_state state = {
		.run = {.arena = arena, .control = conn, .options = options, .undoing = true}};
	*result = (struct pgm_engine_result){.plan_id = plan_id ? plan_id : "", .title = ""};
	bool ok = rollback(&state, plan_id, result, err ? err : &own);
	pgm_run_close(&state.run);
	return ok;
}
