#include "change/partition.h"
#include "change/steps.h"

#include "pg/quote.h"
#include "util/embedded.h"

#include <string.h>

bool pgm_partition_find(struct pgm_run *run, const char *oid, struct pgm_partition *partition,
			struct pgm_error *err)
{
	struct pgm_rows rows;
	*partition = (struct pgm_partition){.there = false};
	if (!pgm_conn_query(run->work, run->arena, pgm_embedded_text("change/sql/partition.sql"), 1, &oid,
			    &rows, err))
		return pgm_error_context(err, "looking for the partition");
	if (rows.count == 0)
		return true;
	*partition = (struct pgm_partition){
		.there = true,
		.schema = pgm_rows_text(&rows, 0, 0),
		.name = pgm_rows_text(&rows, 0, 1),
		.quoted = pgm_quote_qualified(run->arena, pgm_rows_text(&rows, 0, 0),
					      pgm_rows_text(&rows, 0, 1)),
		.attached = pgm_rows_bool(&rows, 0, 2),
		.pending = pgm_rows_bool(&rows, 0, 3),
		.parent_oid = pgm_rows_get(&rows, 0, 4),
		.may_own = pgm_rows_bool(&rows, 0, 7),
		.owner = pgm_rows_text(&rows, 0, 8),
		.size_bytes = pgm_rows_int(&rows, 0, 9),
		.kind = *pgm_rows_text(&rows, 0, 10),
	};
	if (partition->parent_oid)
		partition->parent = pgm_quote_qualified(run->arena, pgm_rows_text(&rows, 0, 5),
							pgm_rows_text(&rows, 0, 6));
	return true;
}

static bool refuse_rights(struct pgm_run *run, const struct pgm_partition *partition, struct pgm_error *err)
{
	if (partition->may_own)
		return true;
	const char *owner = pgm_quote_ident(run->arena, partition->owner);
	pgm_error_set(err, PGM_ERR_RIGHTS, "%s belongs to role %s, and only its owner may do this",
		      partition->parent ? partition->parent : partition->quoted, owner);
	return pgm_error_hint(err, "Connect as %s, or: GRANT %s TO %s;", owner, owner,
			      pgm_quote_ident(run->arena, pgm_conn_user(run->control)));
}

static bool look_detach(struct pgm_run *run, const struct pgm_partition *partition,
			const struct pgm_ledger_step *ledger, struct pgm_preflight *preflight,
			struct pgm_error *err)
{
	if (partition->attached) {
		if (partition->pending)
			preflight->note = "finishes a detach that was begun before";
		preflight->target = (struct pgm_target){
			.there = true, .oid = partition->parent_oid, .schema = "", .name = partition->parent};
		struct pgm_rows rows;
		if (!pgm_conn_query(
			    run->work, run->arena,
			    "SELECT n.nspname, c.relname FROM pg_catalog.pg_class AS c JOIN "
			    "pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace WHERE c.oid = $1::oid",
			    1, &partition->parent_oid, &rows, err))
			return false;
		if (rows.count) {
			preflight->target.schema = pgm_rows_text(&rows, 0, 0);
			preflight->target.name = pgm_rows_text(&rows, 0, 1);
		}
		return refuse_rights(run, partition, err);
	}
	preflight->way = ledger && strcmp(ledger->state, "planned") != 0 ? PGM_WAY_DONE : PGM_WAY_ABSENT;
	preflight->note = partition->there ? "it is detached already" : "there is no such table any more";
	return true;
}

bool pgm_partition_look(struct pgm_run *run, const struct pgm_change *change,
			const struct pgm_ledger_step *ledger, bool later, struct pgm_preflight *preflight,
			struct pgm_error *err)
{
	struct pgm_partition partition;
	/* Done is done: who attached it again since then meant that. */
	if (ledger && strcmp(ledger->state, "done") == 0)
		return preflight->way = PGM_WAY_DONE, true;
	if (!pgm_partition_find(run, change->oid, &partition, err))
		return false;
	if (change->kind == PGM_CHANGE_DETACH)
		return look_detach(run, &partition, ledger, preflight, err);
	if (!partition.there) {
		preflight->way = PGM_WAY_ABSENT;
		preflight->note = "there is no such table any more";
		return true;
	}
	if (partition.attached && later)
		return preflight->way = PGM_WAY_LATER, true;
	if (partition.attached) {
		pgm_error_set(err, PGM_ERR_STATE, "%s is a partition of %s: it is not dropped",
			      partition.quoted, partition.parent);
		return pgm_error_hint(err, "Was it attached again after it was detached? Then roll this Plan "
					   "back, so that it is given up.");
	}
	preflight->target = (struct pgm_target){
		.there = true, .oid = change->oid, .schema = partition.schema, .name = partition.name};
	return refuse_rights(run, &partition, err);
}

/* One try. A concurrent DETACH that runs into the limit leaves the partition pending: FINALIZE ends that. */
static bool try_detach(struct pgm_run *run, void *arg, struct pgm_error *err)
{
	const struct pgm_change *change = arg;
	struct pgm_partition partition;
	if (!pgm_partition_find(run, change->oid, &partition, err))
		return false;
	if (!partition.attached)
		return true;
	const char *sql = change->sql_up;
	if (partition.pending)
		sql = pgm_sprintf(run->arena, "ALTER TABLE %s DETACH PARTITION %s FINALIZE", partition.parent,
				  partition.quoted);
	const char *limit =
		pgm_sprintf(run->arena, "SET lock_timeout = %lld", (long long)run->options->lock_timeout_ms);
	bool ok = pgm_conn_exec(run->work, limit, err) && pgm_run_watched(run, sql, err);
	pgm_conn_exec_quietly(run->work, "SET lock_timeout = 0");
	return ok;
}

bool pgm_detach(struct pgm_run *run, const struct pgm_change *change, struct pgm_error *err)
{
	struct pgm_partition partition;
	if (!pgm_partition_find(run, change->oid, &partition, err))
		return false;
	const char *held = partition.parent_oid;
	if (!pgm_run_tries(run, try_detach, (void *)change, held, err)) {
		if (err && err->kind == PGM_ERR_TIMEOUT)
			pgm_error_hint(err,
				       "A partition that is detached in part is out of the table already; "
				       "the next run ends it. Which sessions wait: pgmend sessions.");
		return false;
	}
	if (!pgm_partition_find(run, change->oid, &partition, err))
		return false;
	if (partition.attached)
		return pgm_error_set(err, PGM_ERR_STATE, "%s is still attached to %s", partition.quoted,
				     partition.parent);
	return true;
}

bool pgm_detach_undo(struct pgm_run *run, const struct pgm_change *change, const char **kept,
		     struct pgm_error *err)
{
	struct pgm_partition partition;
	if (!pgm_partition_find(run, change->oid, &partition, err))
		return false;
	if (partition.attached && !partition.pending)
		return true;
	if (!partition.there)
		*kept = "the table was dropped";
	else if (!*change->sql_down)
		*kept = "the Plan has no way back for it";
	if (*kept)
		return true;
	if (partition.pending && !pgm_run_tries(run, try_detach, (void *)change, partition.parent_oid, err))
		return false;
	struct pgm_ledger_update update = {.state = "undone", .size_bytes = -1};
	return pgm_run_transaction(run, change->sql_down, change->oid, &update, err);
}
