#include "change/actor.h"
#include "change/batches.h"
#include "change/engine_parts.h"
#include "change/swap.h"

#include "pg/quote.h"
#include "util/clock.h"
#include "util/format.h"
#include "util/interrupt.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void pgm_engine_enter_step(struct pgm_run *run, const struct pgm_change *change)
{
	run->step = change->step;
	run->title = change->title;
	run->step_began_ms = pgm_clock_ms();
	run->estimate_ms = change->build_ms;
}

void pgm_engine_end_step(struct pgm_run *run, struct pgm_engine_step *step, const char *state,
			 const char *note)
{
	*step = (struct pgm_engine_step){
		.step = run->step,
		.title = run->title,
		.state = state,
		.note = note,
		.elapsed_ms = pgm_clock_ms() - run->step_began_ms,
		.size_bytes = step->size_bytes,
	};
	if (!run->options->on_event)
		return;
	struct pgm_engine_event event = {.kind = PGM_EVENT_STEP_END,
					 .step = run->step,
					 .steps = run->steps,
					 .title = run->title,
					 .text = note,
					 .state = state,
					 .fraction = 1,
					 .elapsed_ms = step->elapsed_ms,
					 .left_ms = -1,
					 .size_bytes = step->size_bytes};
	run->options->on_event(&event, run->options->event_arg);
}

const struct pgm_ledger_step *pgm_engine_ledger_step(const struct pgm_engine_state *state, int number)
{
	for (size_t i = 0; i < state->ledger_count; i++)
		if (state->ledger[i].step == number)
			return &state->ledger[i];
	return NULL;
}

static bool check_database(struct pgm_run *run, const struct pgm_plan *plan, struct pgm_error *err)
{
	const char *here = pgm_conn_database(run->control);
	if (!*plan->database || run->options->force_database || strcmp(plan->database, here) == 0)
		return true;
	pgm_error_set(err, PGM_ERR_USAGE, "this Plan was made for database %s, and this is %s",
		      pgm_quote_ident(run->arena, plan->database), pgm_quote_ident(run->arena, here));
	return pgm_error_hint(err, "Give --force-database if they are meant to be the same.");
}

/* The open row of the Plan in the Ledger, if there is one, with its steps. */
static bool find_open(struct pgm_engine_state *state, const char *id, struct pgm_error *err)
{
	struct pgm_run *run = &state->run;
	struct pgm_ledger_plan *plans;
	size_t count;
	if (!pgm_ledger_exists(run->control, true, &run->ledger, err))
		return false;
	if (!run->ledger)
		return true;
	if (!pgm_ledger_plans(run->control, run->arena, id, true, &plans, &count, err))
		return false;
	if (count == 0)
		return true;
	state->row = &plans[0];
	run->seq = plans[0].seq;
	return pgm_ledger_steps(run->control, run->arena, run->seq, &state->ledger, &state->ledger_count,
				err);
}

/* Sessions that earlier runs left at work on these steps: until they end, the catalogs are not the truth. */
bool pgm_engine_settle(struct pgm_engine_state *state, struct pgm_error *err)
{
	for (size_t i = 0; i < state->plan->change_count; i++) {
		const struct pgm_ledger_step *step =
			pgm_engine_ledger_step(state, state->plan->changes[i].step);
		if (!step || step->pid == 0 || strcmp(step->state, "done") == 0 ||
		    strcmp(step->state, "undone") == 0)
			continue;
		pgm_engine_enter_step(&state->run, &state->plan->changes[i]);
		if (!pgm_run_settle(&state->run, step->pid, step->backend_start, err))
			return false;
	}
	return true;
}

/* Look at every step before the first one is touched. */
static bool look_at_all(struct pgm_engine_state *state, struct pgm_error *err)
{
	const struct pgm_plan *plan = state->plan;
	bool later = false;
	state->nothing_left = true;
	state->looks = PGM_NEW_ARRAY(state->run.arena, struct pgm_preflight, plan->change_count + 1);
	for (size_t i = 0; i < plan->change_count; i++) {
		const struct pgm_change *change = &plan->changes[i];
		pgm_engine_enter_step(&state->run, change);
		if (!pgm_preflight(&state->run, change, pgm_engine_ledger_step(state, change->step), later,
				   &state->looks[i], err))
			return pgm_error_context(err, "step %d (%s)", change->step, change->title);
		bool to_run = state->looks[i].way == PGM_WAY_RUN || state->looks[i].way == PGM_WAY_LATER;
		state->nothing_left &= !to_run;
		later |= to_run && change->kind != PGM_CHANGE_CREATE_INDEX;
	}
	return true;
}

/* Steps that can be run as often as anybody likes: they make nothing, and there is nothing to take back. */
static bool keeps_house(struct pgm_arena *arena, const struct pgm_plan *plan)
{
	struct pgm_error ignored;
	for (size_t i = 0; i < plan->change_count; i++) {
		const struct pgm_change *change = &plan->changes[i];
		struct pgm_plan_sql *sqls;
		size_t count;
		bool house = change->kind == PGM_CHANGE_REINDEX;
		if (change->kind == PGM_CHANGE_SQL &&
		    pgm_steps_parse(arena, change->sql_up, &sqls, &count, &ignored)) {
			house = count > 0;
			for (size_t s = 0; s < count; s++)
				house &= strcmp(sqls[s].ddl.node, "VacuumStmt") == 0;
		}
		if (!house)
			return false;
	}
	return true;
}

/* The row of the last time is closed, and a new one will be made. */
static bool begin_again(struct pgm_engine_state *state, struct pgm_error *err)
{
	struct pgm_run *run = &state->run;
	if (!run->options->again || !state->row || strcmp(state->row->state, "done") != 0)
		return true;
	if (!keeps_house(run->arena, state->plan)) {
		pgm_error_set(err, PGM_ERR_USAGE,
			      "this Plan is done, and not all of its steps can be repeated");
		return pgm_error_hint(err,
				      "--again is for REINDEX CONCURRENTLY of indexes, ANALYZE and VACUUM.");
	}
	if (!pgm_ledger_close(run->control, run->arena, state->plan->id, false, err))
		return false;
	state->row = NULL;
	state->ledger_count = 0;
	run->seq = 0;
	return true;
}

bool pgm_engine_prepare(struct pgm_engine_state *state, bool for_real, struct pgm_error *err)
{
	struct pgm_run *run = &state->run;
	if (!check_database(run, state->plan, err) || !pgm_run_open(run, for_real, err) ||
	    !find_open(state, state->plan->id, err) || (for_real && !begin_again(state, err)))
		return false;
	if (state->row && strcmp(state->row->state, "undoing") == 0) {
		pgm_error_set(err, PGM_ERR_STATE, "this Plan is being rolled back");
		return pgm_error_hint(err, "Finish that: pgmend rollback --plan %s", state->plan->id);
	}
	return (!for_real || pgm_engine_settle(state, err)) && look_at_all(state, err);
}

/* A Plan that never was a file is kept as the file that it would be. */
static bool with_text(struct pgm_arena *arena, const struct pgm_plan *plan, struct pgm_plan *copy,
		      struct pgm_error *err)
{
	char *text = NULL;
	size_t length = 0;
	*copy = *plan;
	if (plan->text)
		return true;
	FILE *stream = open_memstream(&text, &length);
	if (!stream)
		return pgm_error_set(err, PGM_ERR_SYSTEM, "out of memory");
	bool ok = pgm_plan_write(plan, stream, err);
	fclose(stream);
	if (ok)
		copy->text = pgm_strndup(arena, text, length);
	free(text);
	return ok;
}

static bool enter_ledger(struct pgm_engine_state *state, struct pgm_error *err)
{
	struct pgm_run *run = &state->run;
	struct pgm_plan copy;
	if (!pgm_ledger_ensure(run->control, err))
		return false;
	run->ledger = true;
	bool entered = state->row
			       ? pgm_ledger_set_plan(run->control, run->arena, run->seq, "running", NULL, err)
			       : with_text(run->arena, state->plan, &copy, err) &&
					 pgm_ledger_add_plan(run->control, run->arena, &copy, &run->seq, err);
	if (!entered || pgm_actor_record(run->control, run->arena, run->seq, "apply", err))
		return entered;
	struct pgm_error ignored;
	const char *why = pgm_strdup(run->arena, err->message);
	if (!pgm_ledger_set_plan(run->control, run->arena, run->seq, "failed", why, &ignored))
		pgm_run_tell(run, PGM_EVENT_NOTE, "the ledger holds no end of it");
	return false;
}

/* The failure goes into the Ledger first, then half-made things go; err stays what it was. */
void pgm_engine_failed(struct pgm_engine_state *state, bool builds, struct pgm_engine_step *result,
		       struct pgm_error *err)
{
	struct pgm_run *run = &state->run;
	struct pgm_error second = {0};
	run->cleaning = true;
	bool canceled = err->kind == PGM_ERR_CANCELED || pgm_interrupted();
	const char *name = canceled ? "canceled" : "failed";
	if (canceled)
		pgm_interrupt_reset(); /* the clean-up must be able to run */
	struct pgm_ledger_update update = {.state = run->undoing ? "undoing" : name,
					   .error = pgm_strdup(run->arena, err->message),
					   .size_bytes = -1};
	bool ok =
		pgm_conn_alive(run->control) &&
		pgm_ledger_set_step(run->control, run->arena, run->seq, run->step, &update, &second) &&
		pgm_ledger_set_plan(run->control, run->arena, run->seq, update.state, update.error, &second);
	if (ok && builds)
		ok = pgm_run_reopen(run, &second) && pgm_reindex_clean(run, &second) &&
		     pgm_build_clean(run, &second);
	if (!ok && second.kind != PGM_ERR_NONE && pgm_conn_alive(run->control))
		pgm_run_tell(run, PGM_EVENT_NOTE,
			     pgm_sprintf(run->arena, "not cleaned up yet (%s): the next run will do it",
					 second.message));
	if (!pgm_conn_alive(run->control) || err->kind == PGM_ERR_CONNECT)
		pgm_error_hint(err,
			       "The server or the connection went away in step %d. When it is back, run "
			       "the same command again: it goes on from there.",
			       run->step);
	else if (!*err->hint)
		pgm_error_hint(err,
			       "Run the same command again to go on, or take back what was done: pgmend "
			       "rollback --plan %s",
			       state->plan->id);
	pgm_engine_end_step(run, result, name, NULL);
}

static bool analyze(struct pgm_run *run, const struct pgm_preflight *look, const char *index,
		    struct pgm_error *err)
{
	struct pgm_target_index made;
	struct pgm_error problem = {0};
	if (!pgm_target_index(run, look->target.schema, index, &made, err))
		return false;
	/* A plain index needs none where the table has statistics; an expression has none of its own yet. */
	if (!made.there || (!made.expressions && !look->target.no_statistics))
		return true;
	const char *sql = pgm_sprintf(run->arena, "ANALYZE %s", pgm_target_quoted(run, &look->target));
	if (pgm_run_locked(run, sql, look->target.oid, run->options->lock_timeout_ms, &problem))
		return true;
	if (pgm_interrupted() || !pgm_conn_alive(run->work)) {
		*err = problem;
		return false;
	}
	pgm_run_tell(run, PGM_EVENT_NOTE, pgm_sprintf(run->arena, "not analysed: %s", problem.message));
	return true;
}

static bool refuse_duplicates(struct pgm_run *run, const struct pgm_preflight *look, struct pgm_error *err)
{
	struct pgm_rows rows;
	if (!look->duplicates)
		return true;
	pgm_run_tell(run, PGM_EVENT_PROGRESS, "looking for duplicates");
	if (!pgm_conn_query(run->work, run->arena, look->duplicates, 0, NULL, &rows, err))
		return pgm_error_context(err, "looking for duplicates");
	if (rows.count == 0)
		return true;
	pgm_error_set(err, PGM_ERR_STATE, "the unique index cannot be: (%s) is there %s times",
		      pgm_rows_text(&rows, 0, 0), pgm_rows_text(&rows, 0, 1));
	return pgm_error_hint(err, "Find them: %s", look->duplicates);
}

/* One transaction; where its SQL tells when it got a lock, how long that was held is worth a line. */
static bool act_at_once(struct pgm_run *run, const struct pgm_change *change,
			const struct pgm_preflight *look, const char **note, struct pgm_error *err)
{
	struct pgm_ledger_update update = {.state = "done", .size_bytes = -1};
	if (look->target.there && strcmp(change->lock, "ACCESS EXCLUSIVE") == 0)
		pgm_run_wait_for_gap(run, look->target.oid);
	if (!pgm_run_transaction(run, change->sql_up, look->target.there ? look->target.oid : NULL, &update,
				 err))
		return false;
	if (run->held.least_ms < 0)
		return true;
	struct pgm_error ignored;
	*note = pgm_sprintf(run->arena, "ACCESS EXCLUSIVE held for %s",
			    pgm_held_text(run->arena, &run->held));
	update.note = *note;
	if (!pgm_ledger_set_step(run->control, run->arena, run->seq, run->step, &update, &ignored))
		pgm_run_tell(run, PGM_EVENT_NOTE, "the ledger holds no note of it"); /* done it is */
	return true;
}

static bool act(struct pgm_run *run, const struct pgm_change *change, const struct pgm_preflight *look,
		int64_t *size, const char **note, struct pgm_error *err)
{
	const char *inverse;
	struct pgm_ledger_update update = {.state = "done", .size_bytes = -1};
	*size = -1;
	switch (change->kind) {
	case PGM_CHANGE_CREATE_INDEX:
		if (!refuse_duplicates(run, look, err) || !pgm_build(run, look->sqls, look->sql_count, err) ||
		    !analyze(run, look, change->index, err))
			return false;
		*size = pgm_build_size(run);
		update.size_bytes = *size;
		break;
	case PGM_CHANGE_DROP_INDEX:
		if (look->index.size_bytes >= 0)
			*size = -look->index.size_bytes;
		if (!pgm_drop_inverse(run, &look->index, &inverse, err) ||
		    !pgm_ledger_set_undo(run->control, run->arena, run->seq, run->step, inverse, err) ||
		    !pgm_drop_index(run, &look->index, true, err))
			return false;
		break;
	case PGM_CHANGE_REINDEX:
		if (!pgm_reindex(run, look, size, err))
			return false;
		break;
	case PGM_CHANGE_BATCHES: /* its last transaction holds the new state */
		return pgm_batches_run(run, look->sqls, look->sql_count, note, err);
	case PGM_CHANGE_DETACH:
		if (!pgm_detach(run, change, err))
			return false;
		break;
	case PGM_CHANGE_LOAD: /* likewise */
		return pgm_load_table(run, change, note, err);
	case PGM_CHANGE_DROP_TABLE: /* its transaction holds the new state */
		return pgm_drop_table(run, change, size, note, err);
	case PGM_CHANGE_SWAP: /* likewise */
		return pgm_swap_run(run, look->sqls, look->sql_count, "done", note, err);
	default:
		if (change->transactional)
			return act_at_once(run, change, look, note, err);
		if (!pgm_steps_run_alone(run, change->sql_up, err))
			return false;
	}
	return pgm_ledger_set_step(run->control, run->arena, run->seq, run->step, &update, err);
}

static bool run_step(struct pgm_engine_state *state, size_t i, struct pgm_engine_step *result,
		     struct pgm_error *err)
{
	struct pgm_run *run = &state->run;
	const struct pgm_change *change = &state->plan->changes[i];
	const struct pgm_ledger_step *row = pgm_engine_ledger_step(state, change->step);
	struct pgm_preflight look;
	const char *note = NULL;
	pgm_engine_enter_step(run, change);
	pgm_run_tell(run, PGM_EVENT_STEP, NULL);
	/* Again: the database may have changed since the look at the start. */
	if (!pgm_run_check(run, err) || !pgm_preflight(run, change, row, false, &look, err))
		return false;
	if (look.way != PGM_WAY_RUN) {
		bool before = row && strcmp(row->state, "done") == 0;
		struct pgm_ledger_update update = {.state = "done", .note = look.note, .size_bytes = -1};
		if (look.way == PGM_WAY_DONE) {
			update.note = NULL;
			update.size_bytes =
				change->kind == PGM_CHANGE_CREATE_INDEX ? pgm_build_size(run) : -1;
			result->size_bytes = update.size_bytes;
		}
		if (!before &&
		    !pgm_ledger_set_step(run->control, run->arena, run->seq, run->step, &update, err))
			return false;
		pgm_engine_end_step(run, result, "skipped",
				    look.way == PGM_WAY_DONE ? "done before" : look.note);
		return true;
	}
	if (look.note)
		pgm_run_tell(run, PGM_EVENT_NOTE, look.note);
	struct pgm_ledger_update intent = {.state = "running",
					   .size_bytes = -1,
					   .pid = pgm_conn_pid(run->work),
					   .backend_start = run->work_start};
	if (!pgm_ledger_set_step(run->control, run->arena, run->seq, run->step, &intent, err) ||
	    !act(run, change, &look, &result->size_bytes, &note, err))
		return false;
	pgm_engine_end_step(run, result, "done", note);
	return true;
}

static bool apply(struct pgm_engine_state *state, struct pgm_engine_result *result, struct pgm_error *err)
{
	struct pgm_run *run = &state->run;
	const struct pgm_plan *plan = state->plan;
	if (!pgm_engine_prepare(state, true, err))
		return false;
	if (state->row && strcmp(state->row->state, "done") == 0 && state->nothing_left)
		return result->already = true, true;
	result->started = true;
	if (!enter_ledger(state, err))
		return result->started = false;
	for (size_t i = 0; i < plan->change_count; i++) {
		struct pgm_engine_step *step = &result->steps[result->step_count++];
		step->size_bytes = -1;
		if (!run_step(state, i, step, err)) {
			enum pgm_change_kind kind = plan->changes[i].kind;
			bool builds = kind == PGM_CHANGE_CREATE_INDEX || kind == PGM_CHANGE_REINDEX;
			pgm_engine_failed(state, builds, step, err);
			return pgm_error_context(err, "step %d (%s)", run->step, run->title);
		}
	}
	return pgm_ledger_set_plan(run->control, run->arena, run->seq, "done", NULL, err);
}

bool pgm_engine_apply(struct pgm_conn *conn, struct pgm_arena *arena, const struct pgm_plan *plan,
		      const struct pgm_engine_options *options, struct pgm_engine_result *result,
		      struct pgm_error *err)
{
	struct pgm_error own = {0};
	struct pgm_engine_state state = {.run = {.arena = arena,
						 .control = conn,
						 .options = options,
						 .plan = plan,
						 .steps = plan->change_count},
					 .plan = plan};
	*result = (struct pgm_engine_result){
		.plan_id = plan->id,
		.title = plan->title,
		.steps = PGM_NEW_ARRAY(arena, struct pgm_engine_step, plan->change_count + 1)};
	bool ok = apply(&state, result, err ? err : &own);
	pgm_run_close(&state.run);
	return ok;
}
