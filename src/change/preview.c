#include "change/engine_parts.h"

#include <string.h>

static bool add_blockers(struct pgm_run *run, const struct pgm_target *target, const char *lock,
			 struct pgm_engine_preview_step *step, struct pgm_error *err)
{
	bool exclusive = strcmp(lock, "SHARE UPDATE EXCLUSIVE") != 0;
	return !target->there ||
	       pgm_run_holders(run, target->oid, exclusive, &step->blockers, &step->blocker_count, err);
}

static bool describe_apply(struct pgm_engine_state *state, size_t i, struct pgm_engine_preview_step *step,
			   struct pgm_error *err)
{
	const struct pgm_change *change = &state->plan->changes[i];
	const struct pgm_preflight *look = &state->looks[i];
	const struct pgm_ledger_step *row = pgm_engine_ledger_step(state, change->step);
	bool runs = look->way == PGM_WAY_RUN || look->way == PGM_WAY_LATER;
	bool resumes = row && (strcmp(row->state, "running") == 0 || strcmp(row->state, "failed") == 0 ||
			       strcmp(row->state, "canceled") == 0);
	*step = (struct pgm_engine_preview_step){
		.step = change->step,
		.title = change->title,
		.action = !runs	    ? "skip"
			  : resumes ? "resume"
				    : "run",
		.note = look->way == PGM_WAY_DONE ? "done before" : look->note,
		.sql = runs ? change->sql_up : "",
		.lock = runs ? change->lock : "",
		.relation = look->target.there ? pgm_target_quoted(&state->run, &look->target) : "",
		.size_bytes = change->size_bytes,
		.build_ms = change->build_ms,
	};
	if (look->way == PGM_WAY_LATER)
		step->note = "it depends on an earlier step";
	if (look->partitioned && runs)
		step->lock = "SHARE (of the parent, briefly), SHARE UPDATE EXCLUSIVE";
	return !runs || add_blockers(&state->run, &look->target, change->lock, step, err);
}

static bool preview_apply(struct pgm_engine_state *state, struct pgm_engine_preview *preview,
			  struct pgm_error *err)
{
	const struct pgm_plan *plan = state->plan;
	if (!pgm_engine_prepare(state, false, err))
		return false;
	preview->already = state->row && strcmp(state->row->state, "done") == 0 && state->nothing_left;
	preview->steps =
		PGM_NEW_ARRAY(state->run.arena, struct pgm_engine_preview_step, plan->change_count + 1);
	for (size_t i = 0; i < plan->change_count; i++)
		if (!describe_apply(state, i, &preview->steps[preview->step_count++], err))
			return false;
	return true;
}

bool pgm_engine_preview_apply(struct pgm_conn *conn, struct pgm_arena *arena, const struct pgm_plan *plan,
			      const struct pgm_engine_options *options, struct pgm_engine_preview *preview,
			      struct pgm_error *err)
{
	struct pgm_engine_state state = {.run = {.arena = arena,
						 .control = conn,
						 .options = options,
						 .plan = plan,
						 .steps = plan->change_count},
					 .plan = plan};
	*preview = (struct pgm_engine_preview){.plan_id = plan->id, .title = plan->title};
	bool ok = preview_apply(&state, preview, err);
	pgm_run_close(&state.run);
	return ok;
}

static bool describe_drops(struct pgm_engine_state *state, struct pgm_engine_preview_step *step,
			   struct pgm_error *err)
{
	struct pgm_run *run = &state->run;
	struct pgm_ledger_made *made;
	struct pgm_target target;
	size_t count;
	struct pgm_buf sql;
	pgm_buf_init(&sql, run->arena);
	if (!pgm_ledger_made_by_step(run->control, run->arena, run->seq, step->step, &made, &count, err))
		return false;
	for (size_t i = 0; i < count; i++) {
		struct pgm_target_index index;
		if (!pgm_target_made(run, &made[i], &index, err))
			return false;
		if (!index.there || strcmp(index.parent_oid, "0") != 0)
			continue;
		pgm_buf_printf(&sql, "DROP INDEX %s%s;\n", index.kind == 'I' ? "" : "CONCURRENTLY ",
			       pgm_target_index_quoted(run, &index));
		step->lock = index.kind == 'I' ? "ACCESS EXCLUSIVE" : "SHARE UPDATE EXCLUSIVE";
		if (index.size_bytes > 0)
			step->size_bytes = (step->size_bytes < 0 ? 0 : step->size_bytes) + index.size_bytes;
		if (!pgm_target_relation(run, index.relation_schema, index.relation, &target, err) ||
		    !add_blockers(run, &target, step->lock, step, err))
			return false;
		step->relation = pgm_target_quoted(run, &target);
	}
	step->sql = sql.text;
	return true;
}

static bool describe_undo(struct pgm_engine_state *state, const struct pgm_change *change,
			  const struct pgm_ledger_step *row, struct pgm_engine_preview_step *step,
			  struct pgm_error *err)
{
	*step = (struct pgm_engine_preview_step){.step = change->step,
						 .title = change->title,
						 .action = "undo",
						 .sql = "",
						 .lock = "",
						 .relation = "",
						 .size_bytes = -1,
						 .build_ms = -1};
	if (change->kind == PGM_CHANGE_CREATE_INDEX) {
		if (!describe_drops(state, step, err))
			return false;
		if (!*step->sql) {
			step->action = "skip";
			step->note = row->note ? row->note : "nothing of it is left";
		}
		return true;
	}
	const char *sql = change->kind == PGM_CHANGE_DROP_INDEX ? row->undo_sql : change->sql_down;
	if (sql && *sql) {
		step->sql = sql;
		step->lock = change->kind == PGM_CHANGE_DROP_INDEX ? "SHARE UPDATE EXCLUSIVE" : change->lock;
		return true;
	}
	step->action = "skip";
	step->note = change->kind == PGM_CHANGE_REINDEX ? "a rebuilt index is as good as before"
							: "the Plan has no way back for it";
	return true;
}

static bool preview_rollback(struct pgm_engine_state *state, const char *plan_id,
			     struct pgm_engine_preview *preview, struct pgm_error *err)
{
	if (!pgm_run_open(&state->run, false, err) || !pgm_engine_find_undo(state, plan_id, err))
		return false;
	preview->already = !state->row;
	if (!state->row)
		return true;
	preview->plan_id = state->plan->id;
	preview->title = state->row->title;
	preview->steps = PGM_NEW_ARRAY(state->run.arena, struct pgm_engine_preview_step,
				       state->plan->change_count + 1);
	for (size_t i = state->plan->change_count; i-- > 0;) {
		const struct pgm_change *change = &state->plan->changes[i];
		const struct pgm_ledger_step *row = pgm_engine_ledger_step(state, change->step);
		if (pgm_engine_to_undo(row) &&
		    !describe_undo(state, change, row, &preview->steps[preview->step_count++], err))
			return false;
	}
	return true;
}

bool pgm_engine_preview_rollback(struct pgm_conn *conn, struct pgm_arena *arena, const char *plan_id,
				 const struct pgm_engine_options *options, struct pgm_engine_preview *preview,
				 struct pgm_error *err)
{
	struct pgm_engine_state state = {
		.run = {.arena = arena, .control = conn, .options = options, .undoing = true}};
	*preview = (struct pgm_engine_preview){.plan_id = plan_id ? plan_id : "", .title = ""};
	bool ok = preview_rollback(&state, plan_id, preview, err);
	pgm_run_close(&state.run);
	return ok;
}
