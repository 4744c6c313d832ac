#include "change/copying.h"
#include "change/partition.h"
#include "change/steps.h"

#include "util/clock.h"
#include "util/format.h"

#include <string.h>

struct drop {
	const struct pgm_change *change;
	struct pgm_partition partition;
	bool begun; /* inside a transaction already, which a failed try must not end */
};

/* Under the lock: is it still what was meant? */
static bool check(struct pgm_run *run, struct drop *drop, struct pgm_error *err)
{
	if (!pgm_partition_find(run, drop->change->oid, &drop->partition, err))
		return false;
	if (!drop->partition.there)
		return pgm_error_set(err, PGM_ERR_STATE, "the table was dropped by someone else");
	if (drop->partition.attached)
		return pgm_error_set(err, PGM_ERR_STATE, "%s is a partition of %s again: it is not dropped",
				     drop->partition.quoted, drop->partition.parent);
	return true;
}

static bool lock_table(struct pgm_run *run, struct drop *drop, const char *mode, struct pgm_error *err)
{
	const char *begin = pgm_sprintf(run->arena, PGM_CONN_MARKER "%s; SET LOCAL lock_timeout = %lld",
					drop->begun ? "SAVEPOINT pgmend" : "BEGIN",
					(long long)run->options->lock_timeout_ms);
	return check(run, drop, err) && pgm_conn_exec(run->work, begin, err) &&
	       pgm_run_watched(
		       run, pgm_sprintf(run->arena, "LOCK TABLE %s IN %s MODE", drop->partition.quoted, mode),
		       err) &&
	       check(run, drop, err);
}

static bool try_drop(struct pgm_run *run, void *arg, struct pgm_error *err)
{
	struct drop *drop = arg;
	bool ok = lock_table(run, drop, "ACCESS EXCLUSIVE", err) &&
		  pgm_run_watched(run, pgm_sprintf(run->arena, "DROP TABLE %s", drop->partition.quoted), err);
	if (!ok)
		pgm_conn_exec_quietly(run->work, drop->begun ? "ROLLBACK TO SAVEPOINT pgmend" : "ROLLBACK");
	return ok;
}

/* Readers go on; writers wait, for whoever still writes to a partition that was detached. */
static bool try_share(struct pgm_run *run, void *arg, struct pgm_error *err)
{
	bool ok = lock_table(run, arg, "SHARE", err);
	if (!ok)
		pgm_conn_exec_quietly(run->work, "ROLLBACK");
	return ok;
}

/* "... FOR VALUES FROM ('a') TO ('b')" of our own making: what stands in the parentheses, NULL for no bound.
 */
static const char *bound(struct pgm_arena *arena, const char *sql, const char *before, const char *after)
{
	const char *found = sql ? strstr(sql, before) : NULL;
	const char *start = found ? found + strlen(before) : NULL;
	const char *end = start ? strstr(start, after) : NULL;
	if (!end || *start != '\'' || end - start < 2)
		return NULL;
	return pgm_strndup(arena, start + 1, (size_t)(end - start) - 2);
}

static void describe(struct pgm_run *run, const struct drop *drop, struct pgm_archive_info *info)
{
	char stamp[PGM_CLOCK_STAMP_SIZE];
	*info = (struct pgm_archive_info){
		.database = pgm_conn_database(run->work),
		.schema = drop->partition.schema,
		.table = drop->partition.name,
		.oid = drop->change->oid,
		.plan = run->plan->id,
		.created_at = pgm_strdup(run->arena, pgm_clock_stamp(stamp)),
		.server_version = pgm_conn_version(run->work),
	};
	for (size_t i = 0; i < run->plan->change_count; i++) {
		const struct pgm_change *detach = &run->plan->changes[i];
		if (detach->kind != PGM_CHANGE_DETACH || strcmp(detach->oid, drop->change->oid) != 0)
			continue;
		info->parent_schema = detach->schema;
		info->parent = detach->relation;
		info->low = bound(run->arena, detach->sql_down, "FOR VALUES FROM (", ") TO (");
		info->high = bound(run->arena, detach->sql_down, ") TO (", ");\n");
	}
}

/* The rows are in the file, synced and read back, before the DROP that commits with the step. */
static bool archive(struct pgm_run *run, struct drop *drop, const char **note, struct pgm_error *err)
{
	struct pgm_archive_info info;
	if (!pgm_run_tries(run, try_share, drop, drop->change->oid, err))
		return false;
	drop->begun = true;
	describe(run, drop, &info);
	if (!pgm_conn_exec(run->work, PGM_CONN_MARKER PGM_COPY_SETTINGS, err) ||
	    !pgm_copy_archive(run, drop->change->oid, drop->partition.quoted, drop->partition.kind != 'r',
			      drop->change->file, &info, err))
		return false;
	*note = pgm_sprintf(run->arena, "%lld rows in %s, %s", (long long)info.sum.rows, drop->change->file,
			    pgm_format_bytes(run->arena, (double)info.compressed_bytes));
	return true;
}

bool pgm_drop_table(struct pgm_run *run, const struct pgm_change *change, int64_t *freed_bytes,
		    const char **note, struct pgm_error *err)
{
	struct drop drop = {.change = change};
	*note = NULL;
	bool ok = (!change->file || archive(run, &drop, note, err)) &&
		  pgm_run_tries(run, try_drop, &drop, change->oid, err);
	struct pgm_ledger_update update = {.state = "done", .note = *note, .size_bytes = -1};
	ok = ok && pgm_ledger_set_step(run->work, run->arena, run->seq, run->step, &update, err) &&
	     pgm_conn_exec(run->work, PGM_CONN_MARKER "COMMIT", err);
	if (!ok)
		pgm_conn_exec_quietly(run->work, "ROLLBACK");
	*freed_bytes = drop.partition.size_bytes > 0 ? -drop.partition.size_bytes : -1;
	return ok;
}
