#include "change/partition.h"
#include "change/steps.h"

struct drop {
	const struct pgm_change *change;
	int64_t freed_bytes;
};

/* Under the lock: is it still what was meant? */
static bool check(struct pgm_run *run, const struct pgm_change *change, struct pgm_partition *partition,
		  struct pgm_error *err)
{
	struct pgm_partition now;
	if (!pgm_partition_find(run, change->oid, &now, err))
		return false;
	if (!now.there)
		return pgm_error_set(err, PGM_ERR_STATE, "the table was dropped by someone else");
	if (now.attached)
		return pgm_error_set(err, PGM_ERR_STATE, "%s is a partition of %s again: it is not dropped",
				     now.quoted, now.parent);
	*partition = now;
	return true;
}

static bool try_drop(struct pgm_run *run, void *arg, struct pgm_error *err)
{
	struct drop *drop = arg;
	struct pgm_partition partition;
	struct pgm_ledger_update update = {.state = "done", .size_bytes = -1};
	const char *begin = pgm_sprintf(run->arena, PGM_CONN_MARKER "BEGIN; SET LOCAL lock_timeout = %lld",
					(long long)run->options->lock_timeout_ms);
	if (!check(run, drop->change, &partition, err))
		return false;
	drop->freed_bytes = partition.size_bytes;
	bool ok = pgm_conn_exec(run->work, begin, err) &&
		  pgm_run_watched(
			  run,
			  pgm_sprintf(run->arena, "LOCK TABLE %s IN ACCESS EXCLUSIVE MODE", partition.quoted),
			  err) &&
		  check(run, drop->change, &partition, err) &&
		  pgm_run_watched(run, pgm_sprintf(run->arena, "DROP TABLE %s", partition.quoted), err) &&
		  pgm_ledger_set_step(run->work, run->arena, run->seq, run->step, &update, err) &&
		  pgm_conn_exec(run->work, PGM_CONN_MARKER "COMMIT", err);
	if (!ok)
		pgm_conn_exec_quietly(run->work, "ROLLBACK");
	return ok;
}

bool pgm_drop_table(struct pgm_run *run, const struct pgm_change *change, int64_t *freed_bytes,
		    const char **note, struct pgm_error *err)
{
	struct drop drop = {.change = change};
	*note = NULL;
	if (!pgm_run_tries(run, try_drop, &drop, change->oid, err))
		return false;
	*freed_bytes = drop.freed_bytes > 0 ? -drop.freed_bytes : -1;
	return true;
}
