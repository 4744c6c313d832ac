#include "change/batches.h"
#include "change/steps.h"
#include "change/swap.h"

#include <string.h>

static bool drop_made(struct pgm_run *run, const struct pgm_ledger_made *made, bool last_pass,
		      struct pgm_error *err)
{
	struct pgm_target_index index;
	if (!pgm_target_made(run, made, &index, err))
		return false;
	/* A part of a partitioned index goes when the whole goes, which is dropped first. */
	if (index.there && strcmp(index.parent_oid, "0") != 0 && !last_pass)
		return true;
	if (index.there && !pgm_drop_index(run, &index, true, err))
		return false;
	return pgm_ledger_dropped(run->control, run->arena, made->id, err);
}

static bool undo_create(struct pgm_run *run, struct pgm_error *err)
{
	for (int pass = 0; pass < 2; pass++) {
		struct pgm_ledger_made *made;
		size_t count;
		if (!pgm_ledger_made_by_step(run->control, run->arena, run->seq, run->step, &made, &count,
					     err))
			return false;
		for (size_t i = 0; i < count; i++)
			if (!drop_made(run, &made[i], pass == 1, err))
				return false;
	}
	return true;
}

/* What we rebuilt is the user's again: from now on nothing says that it is ours to drop. */
static bool disown(struct pgm_run *run, struct pgm_error *err)
{
	struct pgm_ledger_made *made;
	size_t count;
	if (!pgm_ledger_made_by_step(run->control, run->arena, run->seq, run->step, &made, &count, err))
		return false;
	for (size_t i = 0; i < count; i++)
		if (!pgm_ledger_dropped(run->control, run->arena, made[i].id, err))
			return false;
	return true;
}

static bool undo_drop(struct pgm_run *run, const struct pgm_change *change,
		      const struct pgm_ledger_step *ledger, struct pgm_error *err)
{
	struct pgm_plan_sql *sqls, *undo;
	size_t count, undo_count, made_count;
	struct pgm_target_index index;
	struct pgm_ledger_made *made;
	if (!ledger->undo_sql)
		return true; /* it never came to dropping */
	if (!pgm_steps_parse(run->arena, change->sql_up, &sqls, &count, err) ||
	    !pgm_steps_parse(run->arena, ledger->undo_sql, &undo, &undo_count, err) ||
	    !pgm_target_index(run, undo[0].ddl.schema, undo[0].ddl.index, &index, err) ||
	    !pgm_ledger_made_by_step(run->control, run->arena, run->seq, run->step, &made, &made_count, err))
		return false;
	bool original = index.there && made_count == 0;
	if (original && index.valid)
		return true;
	/* A concurrent drop that was stopped half way leaves it invalid. */
	if (original && !pgm_drop_index(run, &index, true, err))
		return false;
	return pgm_build(run, undo, undo_count, err) && disown(run, err);
}

bool pgm_steps_run_alone(struct pgm_run *run, const char *sql, struct pgm_error *err)
{
	struct pgm_plan_sql *sqls;
	size_t count;
	if (!pgm_steps_parse(run->arena, sql, &sqls, &count, err))
		return false;
	for (size_t i = 0; i < count; i++) {
		const struct pgm_ddl *ddl = &sqls[i].ddl;
		bool ok = ddl->transactional ? pgm_run_locked(run, sqls[i].text, NULL,
							      run->options->lock_timeout_ms, err)
					     : pgm_run_watched(run, sqls[i].text, err);
		if (!ok)
			return false;
	}
	return true;
}

/*
 * Indexes that the way back needs are built first, concurrently; the rest is one transaction. When that has
 * been committed they are the user's.
 */
static bool build_then_undo(struct pgm_run *run, const struct pgm_plan_sql *sqls, size_t builds, size_t count,
			    const char *relation_oid, struct pgm_error *err)
{
	struct pgm_ledger_update update = {.state = "undone", .size_bytes = -1};
	for (size_t i = 0; i < builds; i++)
		if (!pgm_build(run, &sqls[i], 1, err))
			return false;
	const char *rest = pgm_plan_join(run->arena, sqls + builds, count - builds);
	return pgm_run_transaction(run, rest, relation_oid, &update, err) && disown(run, err);
}

static bool undo_sql(struct pgm_run *run, const struct pgm_change *change,
		     const struct pgm_ledger_step *ledger, const char **kept, struct pgm_error *err)
{
	struct pgm_plan_sql *sqls;
	struct pgm_target target = {.oid = NULL};
	size_t count, builds = 0;
	bool together = true, rest = true;
	bool committed = strcmp(ledger->state, "done") == 0 || strcmp(ledger->state, "undoing") == 0;
	if (change->transactional && !committed)
		return true; /* its transaction never committed */
	/* Outside of a transaction: an error means that it did not happen, no answer that nobody knows. */
	if (strcmp(ledger->state, "failed") == 0 || strcmp(ledger->state, "canceled") == 0)
		return true;
	if (!*change->sql_down)
		*kept = "the Plan has no way back for it";
	else if (!committed)
		*kept = "it was interrupted, and nobody knows whether it happened: see for yourself";
	if (*kept)
		return true;
	if (!pgm_steps_parse(run->arena, change->sql_down, &sqls, &count, err))
		return false;
	while (builds < count && sqls[builds].ddl.kind == PGM_DDL_CREATE_INDEX &&
	       sqls[builds].ddl.concurrently)
		builds++;
	for (size_t i = 0; i < count; i++) {
		together &= sqls[i].ddl.transactional;
		rest &= i < builds || sqls[i].ddl.transactional;
	}
	if (!together && (!rest || builds == count))
		return pgm_steps_run_alone(run, change->sql_down, err);
	bool named = count && *sqls[0].ddl.relation;
	const char *schema = named ? sqls[0].ddl.schema : change->schema;
	const char *relation = named ? sqls[0].ddl.relation : change->relation;
	if (*relation && !pgm_target_relation(run, schema, relation, &target, err))
		return false;
	if (builds)
		return build_then_undo(run, sqls, builds, count, target.oid, err);
	struct pgm_ledger_update update = {.state = "undone", .size_bytes = -1};
	return pgm_run_transaction(run, change->sql_down, target.oid, &update, err);
}

/* Batches that were committed stay, unless the Plan has a way back. */
static bool undo_batches(struct pgm_run *run, const struct pgm_change *change, const char **kept,
			 struct pgm_error *err)
{
	struct pgm_batches_state state;
	struct pgm_ledger_update update = {.state = "undone", .size_bytes = -1};
	if (*change->sql_down)
		return pgm_run_transaction(run, change->sql_down, NULL, &update, err);
	if (!pgm_batches_state(run->control, run->arena, run->seq, run->step, &state, err))
		return false;
	if (state.batches > 0)
		*kept = pgm_sprintf(run->arena, "the Plan has no way back for its %lld rows",
				    (long long)state.rows);
	return true;
}

/* The way back has the same layout, from the other side: nothing that was written since is lost. */
static bool undo_swap(struct pgm_run *run, const struct pgm_change *change,
		      const struct pgm_ledger_step *ledger, const char **kept, struct pgm_error *err)
{
	struct pgm_plan_sql *sqls;
	size_t count;
	const char *note;
	if (strcmp(ledger->state, "done") != 0 && strcmp(ledger->state, "undoing") != 0)
		return true; /* its transaction never committed */
	if (!*change->sql_down)
		return *kept = "the Plan has no way back for it", true;
	return pgm_steps_parse(run->arena, change->sql_down, &sqls, &count, err) &&
	       pgm_swap_run(run, sqls, count, "undone", &note, err);
}

bool pgm_undo(struct pgm_run *run, const struct pgm_change *change, const struct pgm_ledger_step *ledger,
	      const char **kept, struct pgm_error *err)
{
	*kept = NULL;
	switch (change->kind) {
	case PGM_CHANGE_CREATE_INDEX:
		return undo_create(run, err);
	case PGM_CHANGE_DROP_INDEX:
		return undo_drop(run, change, ledger, err);
	case PGM_CHANGE_BATCHES:
		return undo_batches(run, change, kept, err);
	case PGM_CHANGE_REINDEX:
		return pgm_reindex_undo(run, change, ledger, err);
	case PGM_CHANGE_DETACH:
		return pgm_detach_undo(run, change, kept, err);
	case PGM_CHANGE_SWAP:
		return undo_swap(run, change, ledger, kept, err);
	default:
		return undo_sql(run, change, ledger, kept, err);
	}
}
