#include "change/steps.h"

#include "pg/quote.h"
#include "util/embedded.h"

#include <string.h>

struct leftovers {
	const char *schema;
	const char **names;
	size_t count;
	const char *busy; /* one that a session works on, or NULL */
};

static bool find_leftovers(struct pgm_run *run, const struct pgm_target_index *index, struct leftovers *found,
			   struct pgm_error *err)
{
	struct pgm_rows rows;
	const char *params[] = {index->oid};
	*found = (struct leftovers){.count = 0};
	if (!pgm_conn_query(run->control, run->arena, pgm_embedded_text("change/sql/reindex_leftovers.sql"),
			    1, params, &rows, err))
		return pgm_error_context(err, "looking for what an earlier REINDEX left");
	found->names = PGM_NEW_ARRAY(run->arena, const char *, rows.count + 1);
	for (size_t i = 0; i < rows.count; i++) {
		found->schema = pgm_rows_text(&rows, i, 0);
		found->names[found->count++] = pgm_rows_text(&rows, i, 1);
		if (pgm_rows_bool(&rows, i, 2))
			found->busy = pgm_rows_text(&rows, i, 1);
	}
	return true;
}

static bool drop_leftovers(struct pgm_run *run, const struct pgm_target_index *index, struct pgm_error *err)
{
	struct leftovers found;
	if (!find_leftovers(run, index, &found, err))
		return false;
	for (size_t i = 0; i < found.count; i++) {
		struct pgm_target_index half;
		if (!pgm_target_index(run, found.schema, found.names[i], &half, err))
			return false;
		if (!half.there || half.valid || strcmp(half.relation_oid, index->relation_oid) != 0)
			continue;
		pgm_run_tell(run, PGM_EVENT_NOTE,
			     pgm_sprintf(run->arena, "dropping the half-made index %s",
					 pgm_target_index_quoted(run, &half)));
		if (!pgm_drop_index(run, &half, false, err))
			return false;
	}
	return true;
}

/* What is half made and not of an earlier try of ours is let be. */
static bool judge_leftovers(struct pgm_run *run, const struct pgm_target_index *index, bool tried,
			    struct pgm_preflight *preflight, struct pgm_error *err)
{
	struct leftovers found;
	if (!find_leftovers(run, index, &found, err))
		return false;
	if (!found.count)
		return true;
	const char *name = pgm_quote_qualified(run->arena, found.schema, found.names[0]);
	if (found.busy) {
		pgm_error_set(err, PGM_ERR_STATE, "index %s is being built by another session", name);
		return pgm_error_hint(err, "Run the same command again when that has ended.");
	}
	if (tried) {
		preflight->note = "drops what an earlier run left half made first";
		return true;
	}
	pgm_error_set(err, PGM_ERR_STATE, "an invalid index %s is there, and pgmend did not make it", name);
	return pgm_error_hint(err, "It is the leftover of a REINDEX that failed: DROP INDEX CONCURRENTLY %s;",
			      name);
}

bool pgm_reindex_look(struct pgm_run *run, const struct pgm_ledger_step *ledger, bool later,
		      struct pgm_preflight *preflight, struct pgm_error *err)
{
	const struct pgm_ddl *ddl = &preflight->sqls[0].ddl;
	struct pgm_target_index *index = &preflight->index;
	if (!pgm_target_index(run, ddl->index_schema, ddl->index, index, err))
		return false;
	if (ledger && strcmp(ledger->state, "done") == 0)
		return preflight->way = PGM_WAY_DONE, true;
	const char *name = *ddl->index_schema ? pgm_quote_qualified(run->arena, ddl->index_schema, ddl->index)
					      : pgm_quote_ident(run->arena, ddl->index);
	if (!index->there && later)
		return preflight->way = PGM_WAY_LATER, true;
	if (!index->there) {
		pgm_error_set(err, PGM_ERR_STATE, "index %s does not exist", name);
		return pgm_error_hint(err, "Was it dropped or renamed after the Plan was made?");
	}
	if (index->kind != 'i') {
		pgm_error_set(err, PGM_ERR_STATE, "%s is %s", name,
			      index->kind == 'I' ? "the index of a partitioned table" : "no index");
		return pgm_error_hint(err, "Name the indexes of its partitions, each in a step of its own.");
	}
	if (!index->may_own) {
		const char *owner = pgm_quote_ident(run->arena, index->owner);
		pgm_error_set(err, PGM_ERR_RIGHTS,
			      "index %s belongs to role %s, and only its owner may do this", name, owner);
		return pgm_error_hint(err, "Connect as %s.", owner);
	}
	return pgm_target_relation(run, index->relation_schema, index->relation, &preflight->target, err) &&
	       judge_leftovers(run, index, ledger && ledger->attempt > 0, preflight, err);
}

bool pgm_reindex(struct pgm_run *run, const struct pgm_preflight *look, int64_t *size, struct pgm_error *err)
{
	struct pgm_target_index after;
	const struct pgm_target_index *index = &look->index;
	if (!drop_leftovers(run, index, err))
		return false;
	run->reindexing = index;
	if (!pgm_run_watched(run, look->sqls[0].text, err))
		return false;
	run->reindexing = NULL;
	if (!pgm_target_index(run, index->schema, index->name, &after, err))
		return false;
	if (!after.there || !after.valid)
		return pgm_error_set(err, PGM_ERR_STATE, "index %s is not valid after it was rebuilt",
				     pgm_target_index_quoted(run, index));
	*size = after.size_bytes >= 0 && index->size_bytes >= 0 ? after.size_bytes - index->size_bytes : -1;
	return true;
}

bool pgm_reindex_clean(struct pgm_run *run, struct pgm_error *err)
{
	const struct pgm_target_index *index = run->reindexing;
	run->reindexing = NULL;
	return !index || drop_leftovers(run, index, err);
}

bool pgm_reindex_undo(struct pgm_run *run, const struct pgm_change *change,
		      const struct pgm_ledger_step *ledger, struct pgm_error *err)
{
	struct pgm_plan_sql *sqls;
	size_t count;
	struct pgm_target_index index;
	/* Rebuilt is as good as before: only what was left half made is to go. */
	if (strcmp(ledger->state, "done") == 0 || ledger->attempt == 0)
		return true;
	if (!pgm_steps_parse(run->arena, change->sql_up, &sqls, &count, err) ||
	    !pgm_target_index(run, sqls[0].ddl.index_schema, sqls[0].ddl.index, &index, err))
		return false;
	return !index.there || drop_leftovers(run, &index, err);
}
