#include "change/steps.h"

#include "pg/quote.h"
#include "sql/index_sql.h"
#include "util/embedded.h"

#include <stdlib.h>
#include <string.h>

#define PARTITION_ROUNDS_MAX 100

static bool ours(struct pgm_run *run, const struct pgm_target_index *index, bool *is_ours,
		 struct pgm_error *err)
{
	struct pgm_ledger_made *made;
	size_t count;
	*is_ours = false;
	if (!pgm_ledger_made_by_name(run->control, run->arena, index->schema, index->name, &made, &count,
				     err))
		return false;
	for (size_t i = 0; i < count; i++)
		*is_ours |= strcmp(made[i].relation_oid, index->relation_oid) == 0;
	return true;
}

/* Every row that says that an index of this name is ours: it is gone. */
static bool forget(struct pgm_run *run, const char *schema, const char *name, struct pgm_error *err)
{
	struct pgm_ledger_made *made;
	size_t count;
	if (!pgm_ledger_made_by_name(run->control, run->arena, schema, name, &made, &count, err))
		return false;
	for (size_t i = 0; i < count; i++)
		if (!pgm_ledger_dropped(run->control, run->arena, made[i].id, err))
			return false;
	return true;
}

/* Decide what to do about a relation that has the name already: *skip it, or clear it away. */
static bool make_room(struct pgm_run *run, const struct pgm_target *target,
		      const struct pgm_target_index *index, bool *skip, struct pgm_error *err)
{
	const char *name = pgm_target_index_quoted(run, index);
	bool is_ours;
	*skip = false;
	if (!strchr("iI", index->kind) || strcmp(index->relation_oid, target->oid) != 0)
		return pgm_error_set(err, PGM_ERR_STATE, "the name %s is taken", name);
	if (!ours(run, index, &is_ours, err))
		return false;
	if (!is_ours)
		return pgm_error_set(err, PGM_ERR_STATE, "index %s is there, and pgmend did not make it",
				     name);
	if (index->valid || index->kind == 'I') {
		*skip = true;
		return pgm_ledger_made(run->control, run->arena, run->seq, run->step, index->schema,
				       index->name, index->oid, err);
	}
	pgm_run_tell(run, PGM_EVENT_NOTE,
		     pgm_sprintf(run->arena, "dropping the half-made index %s of an earlier run", name));
	return pgm_drop_index(run, index, false, err) && forget(run, index->schema, index->name, err);
}

static bool create(struct pgm_run *run, const char *sql, const struct pgm_target *target, const char *name,
		   bool concurrently, struct pgm_error *err)
{
	struct pgm_target_index index;
	bool skip = false;
	if (!pgm_target_index(run, target->schema, name, &index, err) ||
	    (index.there && !make_room(run, target, &index, &skip, err)))
		return false;
	if (skip)
		return true;
	if (!forget(run, target->schema, name, err) ||
	    !pgm_ledger_mean(run->control, run->arena, run->seq, run->step, target->schema, name, target->oid,
			     err))
		return false;
	bool ok = concurrently ? pgm_run_watched(run, sql, err)
			       : pgm_run_locked(run, sql, target->oid, run->options->lock_timeout_ms, err);
	if (!ok || !pgm_target_index(run, target->schema, name, &index, err))
		return false;
	if (!index.there || (index.kind == 'i' && !index.valid))
		return pgm_error_set(err, PGM_ERR_STATE, "index %s did not become valid",
				     pgm_quote_ident(run->arena, name));
	return pgm_ledger_made(run->control, run->arena, run->seq, run->step, target->schema, name, index.oid,
			       err);
}

/* A statement of the Plan. A partition that is gone since the Plan was made is left out. */
static bool create_stated(struct pgm_run *run, const struct pgm_plan_sql *sql, bool first,
			  struct pgm_error *err)
{
	struct pgm_target target;
	const struct pgm_ddl *ddl = &sql->ddl;
	if (!pgm_target_relation(run, ddl->schema, ddl->relation, &target, err))
		return false;
	if (!first && (!target.there || !target.is_partition)) {
		pgm_run_tell(run, PGM_EVENT_NOTE,
			     pgm_sprintf(run->arena, "%s is no partition any more: left out",
					 pgm_target_quoted(run, &target)));
		return true;
	}
	if (!target.there)
		return pgm_error_set(err, PGM_ERR_STATE, "relation %s does not exist",
				     pgm_target_quoted(run, &target));
	/* On a partitioned table, CONCURRENTLY is refused: each partition gets its own build below. */
	bool only = ddl->only || (target.kind == 'p' && ddl->concurrently);
	bool concurrently = ddl->concurrently && target.kind != 'p';
	struct pgm_index_rewrite how = {.concurrently = concurrently, .only = only};
	const char *text = pgm_index_sql_rewrite(run->arena, sql->text, &how);
	if (!text)
		return pgm_error_set(err, PGM_ERR_INPUT, "cannot read this CREATE INDEX: %s", sql->text);
	return create(run, text, &target, ddl->index, concurrently, err);
}

static bool attach(struct pgm_run *run, const struct pgm_target_index *parent,
		   const struct pgm_target_index *child, struct pgm_error *err)
{
	if (strcmp(child->parent_oid, parent->oid) == 0)
		return true;
	/* PostgreSQL would attach an invalid index silently, and the parent stay invalid for ever. */
	if (child->kind == 'i' && !child->valid)
		return pgm_error_set(err, PGM_ERR_STATE, "index %s is invalid: it cannot be attached",
				     pgm_target_index_quoted(run, child));
	const char *sql =
		pgm_sprintf(run->arena, "ALTER INDEX %s ATTACH PARTITION %s",
			    pgm_target_index_quoted(run, parent), pgm_target_index_quoted(run, child));
	return pgm_run_locked(run, sql, parent->relation_oid, run->options->lock_timeout_ms, err) ||
	       pgm_error_context(err, "attaching index %s", pgm_target_index_quoted(run, child));
}

static bool attach_stated(struct pgm_run *run, const struct pgm_ddl *ddl, struct pgm_error *err)
{
	struct pgm_target_index parent, child;
	if (!pgm_target_index(run, ddl->index_schema, ddl->index, &parent, err) ||
	    !pgm_target_index(run, ddl->child_schema, ddl->child, &child, err))
		return false;
	if (!child.there || !parent.there)
		return true; /* of a partition that is gone; the check at the end tells if anything lacks */
	return attach(run, &parent, &child, err);
}

/* A name for the index of a partition that the Plan does not know: that of an earlier try, or a new one. */
static bool partition_index_name(struct pgm_run *run, const char *relation_oid, const char *schema,
				 const char *relation, const struct pgm_target_index *parent,
				 const char **name, struct pgm_error *err)
{
	struct pgm_ledger_made *made;
	size_t count;
	if (!pgm_ledger_made_by_step(run->control, run->arena, run->seq, run->step, &made, &count, err))
		return false;
	for (size_t i = 0; i < count; i++)
		if (strcmp(made[i].relation_oid, relation_oid) == 0)
			return *name = made[i].index, true;
	for (int n = 0; n < 1000; n++) {
		struct pgm_target_index taken;
		const char *suffix = n ? pgm_sprintf(run->arena, "_%s_idx%d", parent->oid, n)
				       : pgm_sprintf(run->arena, "_%s_idx", parent->oid);
		*name = pgm_sprintf(run->arena, "%s%s",
				    pgm_quote_truncate(run->arena, relation, PGM_NAME_MAX - strlen(suffix)),
				    suffix);
		if (!pgm_target_index(run, schema, *name, &taken, err))
			return false;
		if (!taken.there)
			return true;
	}
	return pgm_error_set(err, PGM_ERR_STATE, "no free name for an index on %s", relation);
}

static bool complete(struct pgm_run *run, const struct pgm_target_index *parent, struct pgm_error *err);

static bool complete_partition(struct pgm_run *run, const struct pgm_target_index *parent,
			       const struct pgm_rows *rows, size_t r, struct pgm_error *err)
{
	struct pgm_arena *arena = run->arena;
	const char *name;
	struct pgm_target target;
	struct pgm_target_index child;
	if (!pgm_target_relation(run, pgm_rows_text(rows, r, 1), pgm_rows_text(rows, r, 2), &target, err))
		return false;
	if (!target.there)
		return true; /* gone in between */
	if (!partition_index_name(run, target.oid, target.schema, target.name, parent, &name, err))
		return false;
	bool partitioned = target.kind == 'p';
	struct pgm_index_rewrite how = {.index = pgm_quote_ident(arena, name),
					.relation = pgm_target_quoted(run, &target),
					.concurrently = !partitioned,
					.only = partitioned};
	const char *sql = pgm_index_sql_rewrite(arena, parent->definition, &how);
	if (!sql)
		return pgm_error_set(err, PGM_ERR_STATE, "cannot read the definition: %s",
				     parent->definition);
	pgm_run_tell(run, PGM_EVENT_NOTE,
		     pgm_sprintf(arena, "partition %s has no index yet: building it", how.relation));
	return create(run, sql, &target, name, !partitioned, err) &&
	       pgm_target_index(run, target.schema, name, &child, err) &&
	       (!partitioned || complete(run, &child, err)) &&
	       pgm_target_index(run, target.schema, name, &child, err) && attach(run, parent, &child, err);
}

/* Until every partition has its index; new ones may come while we build. */
static bool complete(struct pgm_run *run, const struct pgm_target_index *parent, struct pgm_error *err)
{
	for (int round = 0; round < PARTITION_ROUNDS_MAX; round++) {
		struct pgm_rows rows;
		if (!pgm_conn_query(run->control, run->arena,
				    pgm_embedded_text("change/sql/missing_partitions.sql"), 1, &parent->oid,
				    &rows, err))
			return pgm_error_context(err, "looking for partitions");
		if (rows.count == 0)
			break;
		for (size_t r = 0; r < rows.count; r++)
			if (!complete_partition(run, parent, &rows, r, err))
				return false;
	}
	return true;
}

/* The partitions below the parent's own children have parents of their own in the Plan: those first. */
static bool complete_all(struct pgm_run *run, const struct pgm_plan_sql *sqls, size_t count,
			 struct pgm_error *err)
{
	for (size_t i = count; i-- > 0;) {
		struct pgm_target target;
		struct pgm_target_index index;
		const struct pgm_ddl *ddl = &sqls[i].ddl;
		if (ddl->kind != PGM_DDL_CREATE_INDEX)
			continue;
		if (!pgm_target_relation(run, ddl->schema, ddl->relation, &target, err))
			return false;
		if (!target.there || target.kind != 'p')
			continue;
		if (!pgm_target_index(run, target.schema, ddl->index, &index, err))
			return false;
		if (!index.there || index.kind != 'I')
			continue;
		if (!complete(run, &index, err) ||
		    !pgm_target_index(run, target.schema, ddl->index, &index, err))
			return false;
		if (!index.valid)
			return pgm_error_set(
				err, PGM_ERR_STATE,
				"index %s did not become valid: not every partition has its part",
				pgm_target_index_quoted(run, &index));
	}
	return true;
}

bool pgm_build(struct pgm_run *run, const struct pgm_plan_sql *sqls, size_t count, struct pgm_error *err)
{
	/* Sub-partitions are attached when they are complete, so the attaching goes after the building. */
	for (size_t i = 0; i < count; i++)
		if (sqls[i].ddl.kind == PGM_DDL_CREATE_INDEX && !create_stated(run, &sqls[i], i == 0, err))
			return false;
	for (size_t i = 0; i < count; i++)
		if (sqls[i].ddl.kind == PGM_DDL_ATTACH_INDEX && !attach_stated(run, &sqls[i].ddl, err))
			return false;
	if (!complete_all(run, sqls, count, err))
		return false;
	for (size_t i = 0; i < count; i++) {
		enum pgm_ddl_kind kind = sqls[i].ddl.kind;
		if (kind != PGM_DDL_CREATE_INDEX && kind != PGM_DDL_ATTACH_INDEX &&
		    !pgm_run_locked(run, sqls[i].text, NULL, run->options->lock_timeout_ms, err))
			return false;
	}
	return true;
}

bool pgm_target_made(struct pgm_run *run, const struct pgm_ledger_made *made, struct pgm_target_index *index,
		     struct pgm_error *err)
{
	struct pgm_rows rows;
	const char *params[] = {made->index_oid, made->relation_oid};
	if (!pgm_conn_query(run->control, run->arena,
			    "SELECT n.nspname, c.relname FROM pg_catalog.pg_index AS i "
			    "JOIN pg_catalog.pg_class AS c ON c.oid = i.indexrelid "
			    "JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace "
			    "WHERE i.indexrelid = $1::oid AND i.indrelid = $2::oid",
			    2, params, &rows, err))
		return pgm_error_context(err, "looking for index %s", made->index);
	bool renamed = rows.count > 0; /* or not: then these are the same names */
	if (!pgm_target_index(run, renamed ? pgm_rows_text(&rows, 0, 0) : made->schema,
			      renamed ? pgm_rows_text(&rows, 0, 1) : made->index, index, err))
		return false;
	if (index->there &&
	    (!strchr("iI", index->kind) || strcmp(index->relation_oid, made->relation_oid) != 0))
		index->there = false; /* somebody else's thing of that name */
	return true;
}

bool pgm_build_clean(struct pgm_run *run, struct pgm_error *err)
{
	struct pgm_ledger_made *made;
	size_t count;
	if (!pgm_ledger_made_by_step(run->control, run->arena, run->seq, run->step, &made, &count, err))
		return false;
	for (size_t i = 0; i < count; i++) {
		struct pgm_target_index index;
		if (!pgm_target_made(run, &made[i], &index, err))
			return false;
		bool half = index.there && index.kind == 'i' && !index.valid;
		if (half && !pgm_drop_index(run, &index, false, err))
			return false;
		if ((half || !index.there) && !pgm_ledger_dropped(run->control, run->arena, made[i].id, err))
			return false;
	}
	return true;
}

int64_t pgm_build_size(struct pgm_run *run)
{
	char *size = NULL;
	struct pgm_error ignored;
	const char *params[] = {pgm_sprintf(run->arena, "%lld", (long long)run->seq),
				pgm_sprintf(run->arena, "%d", run->step)};
	if (!pgm_conn_value(
		    run->control, run->arena,
		    "SELECT sum(pg_catalog.pg_relation_size(index_oid)) FROM pgmend.made WHERE plan_seq "
		    "= $1::bigint AND step = $2::integer AND state = 'made'",
		    2, params, &size, &ignored) ||
	    !size)
		return -1;
	return strtoll(size, NULL, 10);
}
