#include "change/steps.h"

#include "pg/quote.h"
#include "util/format.h"

#include <string.h>
#include <sys/statvfs.h>

bool pgm_steps_parse(struct pgm_arena *arena, const char *sql, struct pgm_plan_sql **sqls, size_t *count,
		     struct pgm_error *err)
{
	struct pgm_sql_statements found;
	if (!pgm_sql_split(arena, sql, &found, err))
		return false;
	*sqls = PGM_NEW_ARRAY(arena, struct pgm_plan_sql, found.count + 1);
	*count = found.count;
	for (size_t i = 0; i < found.count; i++) {
		(*sqls)[i].text = found.items[i].text;
		(*sqls)[i].line = found.items[i].line;
		if (!pgm_ddl_parse(arena, found.items[i].text, found.items[i].line, &(*sqls)[i].ddl, err))
			return false;
	}
	return true;
}

static bool missing(struct pgm_run *run, const char *what, const char *schema, const char *name,
		    struct pgm_error *err)
{
	pgm_error_set(err, PGM_ERR_STATE, "%s %s does not exist", what,
		      *schema ? pgm_quote_qualified(run->arena, schema, name)
			      : pgm_quote_ident(run->arena, name));
	return pgm_error_hint(err,
			      "Was it dropped or renamed after the Plan was made? Make a new Plan, or take "
			      "the step out of the file.");
}

static bool refuse_kind(struct pgm_run *run, const struct pgm_target *target, struct pgm_error *err)
{
	const char *name = pgm_target_quoted(run, target);
	const char *why = NULL;
	if (target->system)
		why = "belongs to the system";
	else if (target->temporary)
		why = "is a temporary table of one session";
	else if (target->kind == 'v')
		why = "is a view: index the tables below it";
	else if (target->kind == 'f')
		why = "is a foreign table: index it on its own server";
	else if (!strchr("rpm", target->kind))
		why = "is no table";
	else if (target->kind == 'p' && target->foreign_partitions > 0)
		why = "has partitions that are foreign tables: an index on it would never become valid";
	return !why || pgm_error_set(err, PGM_ERR_STATE, "%s %s", name, why);
}

static bool refuse_rights(struct pgm_run *run, const struct pgm_target *target, bool creates,
			  struct pgm_error *err)
{
	const char *user = pgm_quote_ident(run->arena, pgm_conn_user(run->control));
	const char *name = pgm_target_quoted(run, target);
	if (!target->may_own) {
		const char *owner = pgm_quote_ident(run->arena, target->owner);
		pgm_error_set(err, PGM_ERR_RIGHTS, "%s belongs to role %s, and only its owner may do this",
			      name, owner);
		return pgm_error_hint(err, "Connect as %s, or: GRANT %s TO %s;", owner, owner, user);
	}
	if (creates && !target->may_create) {
		const char *schema = pgm_quote_ident(run->arena, target->schema);
		pgm_error_set(err, PGM_ERR_RIGHTS, "role %s may not create anything in schema %s", user,
			      schema);
		return pgm_error_hint(err, "GRANT CREATE ON SCHEMA %s TO %s;", schema, user);
	}
	return true;
}

/* Where the server is on this machine and says where its data is: is there room? Else nothing is said. */
static bool check_disk(struct pgm_run *run, const struct pgm_change *change, struct pgm_error *err)
{
	const char *host = pgm_conn_host(run->control);
	struct pgm_error ignored;
	struct statvfs disk;
	char *path;
	if (change->size_bytes <= 0 || !host || *host != '/')
		return true;
	if (!pgm_conn_value(
		    run->work, run->arena,
		    "SELECT coalesce((SELECT nullif(pg_catalog.pg_tablespace_location(t.oid), '') FROM "
		    "pg_catalog.pg_tablespace AS t WHERE t.spcname = coalesce(nullif("
		    "pg_catalog.current_setting('default_tablespace'), ''), (SELECT s.spcname FROM "
		    "pg_catalog.pg_database AS d JOIN pg_catalog.pg_tablespace AS s ON s.oid = "
		    "d.dattablespace WHERE d.datname = pg_catalog.current_database()))), "
		    "(SELECT setting FROM pg_catalog.pg_settings WHERE name = 'data_directory'))",
		    0, NULL, &path, &ignored) ||
	    !path || statvfs(path, &disk) != 0)
		return true;
	double room = (double)disk.f_bavail * (double)disk.f_frsize;
	if ((double)change->size_bytes < room)
		return true;
	return pgm_error_set(err, PGM_ERR_STATE, "it needs about %s, and %s has %s left",
			     pgm_format_bytes(run->arena, (double)change->size_bytes), path,
			     pgm_format_bytes(run->arena, room));
}

static bool is_ours(struct pgm_run *run, const struct pgm_target_index *index, bool this_step, bool *ours,
		    struct pgm_error *err)
{
	struct pgm_ledger_made *made;
	size_t count;
	*ours = false;
	if (run->seq == 0 && (this_step || !run->ledger))
		return true;
	if (this_step &&
	    !pgm_ledger_made_by_step(run->control, run->arena, run->seq, run->step, &made, &count, err))
		return false;
	if (!this_step && !pgm_ledger_made_by_name(run->control, run->arena, index->schema, index->name,
						   &made, &count, err))
		return false;
	for (size_t i = 0; i < count; i++)
		*ours |= strcmp(made[i].relation_oid, index->relation_oid) == 0 &&
			 (strcmp(made[i].index, index->name) == 0 ||
			  strcmp(made[i].index_oid, index->oid) == 0);
	return true;
}

static bool name_taken(struct pgm_run *run, const struct pgm_target_index *index, struct pgm_error *err)
{
	const char *name = pgm_target_index_quoted(run, index);
	if (index->definition)
		pgm_error_set(err, PGM_ERR_STATE, "the name %s is taken by another index: %s", name,
			      index->definition);
	else
		pgm_error_set(err, PGM_ERR_STATE, "the name %s is taken by something else", name);
	return pgm_error_hint(err, "Give the new index another name in the Plan file.");
}

static bool foreign_carcass(struct pgm_run *run, const struct pgm_target_index *index, struct pgm_error *err)
{
	const char *name = pgm_target_index_quoted(run, index);
	pgm_error_set(err, PGM_ERR_STATE, "an invalid index %s is there, and pgmend did not make it", name);
	return pgm_error_hint(err,
			      "Is a build under way? If not, it is the leftover of one that failed: DROP "
			      "INDEX CONCURRENTLY %s;",
			      name);
}

/* What a step of this Plan drops serves nobody for long: CREATE INDEX new, DROP INDEX old must not be
 * skipped. */
static bool dropped_by_plan(const struct pgm_run *run, const struct pgm_target_server *server)
{
	for (size_t i = 0; i < run->plan->change_count; i++) {
		const struct pgm_change *change = &run->plan->changes[i];
		if (change->kind == PGM_CHANGE_DROP_INDEX && strcmp(change->index, server->name) == 0 &&
		    (!*change->schema || strcmp(change->schema, server->schema) == 0))
			return true;
	}
	return false;
}

static const struct pgm_target_server *find_server(const struct pgm_run *run,
						   const struct pgm_target_server *servers, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (servers[i].valid && !dropped_by_plan(run, &servers[i]))
			return &servers[i];
	return NULL;
}

/* Something has the name already: is it what we want, our own leftover, or in the way? */
static bool judge_existing(struct pgm_run *run, const struct pgm_target *target,
			   const struct pgm_target_server *servers, size_t count, bool later,
			   struct pgm_preflight *preflight, struct pgm_error *err)
{
	const struct pgm_target_index *index = &preflight->index;
	bool same = false, ours, ours_here;
	for (size_t i = 0; i < count; i++)
		same |= strcmp(servers[i].oid, index->oid) == 0;
	bool here = strchr("iI", index->kind) && strcmp(index->relation_oid, target->oid) == 0;
	if (later && !(here && same && index->valid))
		return preflight->way = PGM_WAY_LATER, true; /* an earlier step may take it away */
	if (!here)
		return name_taken(run, index, err);
	if (!is_ours(run, index, false, &ours, err) || !is_ours(run, index, true, &ours_here, err))
		return false;
	if (index->valid && !same)
		return name_taken(run, index, err);
	if (index->valid) {
		preflight->way = ours_here ? PGM_WAY_DONE : PGM_WAY_SERVED;
		preflight->note =
			pgm_sprintf(run->arena, "already served by %s", pgm_target_index_quoted(run, index));
		return true;
	}
	if (!ours)
		return foreign_carcass(run, index, err);
	preflight->note = index->kind == 'I' ? "goes on with the partitions that have no index yet"
					     : "drops the half-made index of an earlier run first";
	return true;
}

static bool check_attach(struct pgm_run *run, const struct pgm_preflight *preflight, struct pgm_error *err)
{
	for (size_t i = 0; i < preflight->sql_count; i++) {
		const struct pgm_ddl *attach = &preflight->sqls[i].ddl;
		bool own = attach->kind != PGM_DDL_ATTACH_INDEX;
		for (size_t k = 0; k < preflight->sql_count && !own; k++)
			own = preflight->sqls[k].ddl.kind == PGM_DDL_CREATE_INDEX &&
			      strcmp(preflight->sqls[k].ddl.index, attach->child) == 0;
		if (own)
			continue;
		pgm_error_set(err, PGM_ERR_STATE, "the Plan attaches index %s, which it does not create",
			      pgm_quote_ident(run->arena, attach->child));
		return pgm_error_hint(err, "A rollback would drop that index: let the step create its own.");
	}
	return true;
}

static bool preflight_create(struct pgm_run *run, const struct pgm_change *change, bool later,
			     struct pgm_preflight *preflight, struct pgm_error *err)
{
	const struct pgm_plan_sql *first = &preflight->sqls[0];
	struct pgm_target *target = &preflight->target;
	struct pgm_target_server *servers;
	size_t count;
	if (!pgm_target_relation(run, first->ddl.schema, first->ddl.relation, target, err))
		return false;
	if (!target->there && later)
		return preflight->way = PGM_WAY_LATER, true;
	if (!target->there)
		return missing(run, "relation", first->ddl.schema, first->ddl.relation, err);
	preflight->partitioned = target->kind == 'p';
	if (!refuse_kind(run, target, err) || !refuse_rights(run, target, true, err) ||
	    !check_attach(run, preflight, err) ||
	    !pgm_target_index(run, target->schema, first->ddl.index, &preflight->index, err))
		return false;
	if (!pgm_target_servers(run, target, first->text, first->ddl.index, &servers, &count,
				&preflight->duplicates, err))
		return pgm_error_context(err, "trying the index on an empty copy of %s",
					 pgm_target_quoted(run, target));
	const struct pgm_target_server *server = find_server(run, servers, count);
	if (preflight->index.there) {
		if (!judge_existing(run, target, servers, count, later, preflight, err))
			return false;
	} else if (server) {
		preflight->way = PGM_WAY_SERVED;
		preflight->note = pgm_sprintf(run->arena, "already served by %s",
					      pgm_quote_qualified(run->arena, server->schema, server->name));
	}
	return preflight->way != PGM_WAY_RUN || check_disk(run, change, err);
}

static bool backs_constraint(struct pgm_run *run, const struct pgm_target_index *index, struct pgm_error *err)
{
	char *constraint;
	const char *params[] = {index->oid};
	if (!pgm_conn_value(run->control, run->arena,
			    "SELECT pg_catalog.quote_ident(conname) FROM pg_catalog.pg_constraint "
			    "WHERE conindid = $1::oid AND contype IN ('p', 'u', 'x') LIMIT 1",
			    1, params, &constraint, err))
		return false;
	if (!constraint)
		return true;
	return pgm_error_set(err, PGM_ERR_STATE, "index %s belongs to constraint %s",
			     pgm_target_index_quoted(run, index), constraint);
}

static bool preflight_drop(struct pgm_run *run, const struct pgm_ledger_step *ledger, bool later,
			   struct pgm_preflight *preflight, struct pgm_error *err)
{
	const struct pgm_ddl *ddl = &preflight->sqls[0].ddl;
	struct pgm_target_index *index = &preflight->index;
	if (!pgm_target_index(run, ddl->index_schema, ddl->index, index, err))
		return false;
	/* Done is done: an index that has the name now came later, perhaps with a later step of this Plan. */
	bool before = ledger && (strcmp(ledger->state, "done") == 0 || (!index->there && ledger->undo_sql));
	if (before)
		return preflight->way = PGM_WAY_DONE, true;
	if (!index->there && later)
		return preflight->way = PGM_WAY_LATER, true;
	if (!index->there && ddl->if_exists) {
		preflight->way = PGM_WAY_ABSENT;
		preflight->note = "there is no such index";
		return true;
	}
	if (!index->there)
		return missing(run, "index", ddl->index_schema, ddl->index, err);
	const char *name = pgm_target_index_quoted(run, index);
	if (!strchr("iI", index->kind))
		return pgm_error_set(err, PGM_ERR_STATE, "%s is no index", name);
	if (!pgm_target_relation(run, index->relation_schema, index->relation, &preflight->target, err) ||
	    !refuse_kind(run, &preflight->target, err) ||
	    !refuse_rights(run, &preflight->target, false, err) || !backs_constraint(run, index, err))
		return false;
	if (strcmp(index->parent_oid, "0") != 0)
		return pgm_error_set(err, PGM_ERR_STATE,
				     "index %s is a part of the index of a partitioned table", name);
	return true;
}

static bool preflight_sql(struct pgm_run *run, const struct pgm_change *change, bool later,
			  struct pgm_preflight *preflight, struct pgm_error *err)
{
	for (size_t i = 0; i < preflight->sql_count; i++) {
		const struct pgm_ddl *ddl = &preflight->sqls[i].ddl;
		struct pgm_target target;
		bool needs = strcmp(ddl->node, "AlterTableStmt") == 0 || strcmp(ddl->node, "VacuumStmt") == 0;
		if (!*ddl->relation || !needs)
			continue;
		if (!pgm_target_relation(run, ddl->schema, ddl->relation, &target, err))
			return false;
		if (!target.there && !ddl->if_exists && !later && i == 0)
			return missing(run, "relation", ddl->schema, ddl->relation, err);
		if (target.there && !preflight->target.there)
			preflight->target = target;
	}
	/* Who holds it up is told of the relation that the Plan names, where the SQL does not say. */
	return preflight->target.there || !*change->relation ||
	       pgm_target_relation(run, change->schema, change->relation, &preflight->target, err);
}

bool pgm_preflight(struct pgm_run *run, const struct pgm_change *change, const struct pgm_ledger_step *ledger,
		   bool later, struct pgm_preflight *preflight, struct pgm_error *err)
{
	*preflight = (struct pgm_preflight){.way = PGM_WAY_RUN};
	if (!pgm_steps_parse(run->arena, change->sql_up, &preflight->sqls, &preflight->sql_count, err))
		return false;
	if (preflight->sql_count == 0)
		return pgm_error_set(err, PGM_ERR_INPUT, "the step has no SQL");
	switch (change->kind) {
	case PGM_CHANGE_CREATE_INDEX:
		return preflight_create(run, change, later, preflight, err);
	case PGM_CHANGE_DROP_INDEX:
		return preflight_drop(run, ledger, later, preflight, err);
	case PGM_CHANGE_REINDEX:
		return pgm_reindex_look(run, ledger, later, preflight, err);
	case PGM_CHANGE_DETACH:
	case PGM_CHANGE_DROP_TABLE:
		return pgm_partition_look(run, change, ledger, later, preflight, err);
	default:
		/* It commits together with its row in the Ledger, which is therefore the truth. */
		if (ledger && strcmp(ledger->state, "done") == 0)
			preflight->way = PGM_WAY_DONE;
		return preflight_sql(run, change, later, preflight, err);
	}
}
