#include "change/gap.h"
#include "change/held.h"
#include "change/run.h"

#include "sql/split.h"
#include "util/buf.h"
#include "util/clock.h"
#include "util/interrupt.h"

#include <math.h>
#include <string.h>

#define PAUSE_MS     50
#define PAUSE_MAX_MS 2000

/* Nobody asks for a lock while somebody holds the relation for longer than a try, but for so long at most: */
#define GAP_AGE_MS  30
#define GAP_WAIT_MS 3000
#define GAP_POLL_MS 20

/* After a failure the user waits for the error, and the next run can clean up as well. */
#define CLEANING_MAX_MS 10000

static bool worth_another_try(const struct pgm_error *err)
{
	return strcmp(err->sqlstate, "55P03") == 0 || /* lock_not_available */
	       strcmp(err->sqlstate, "40P01") == 0;   /* deadlock_detected */
}

static const char *who_holds(struct pgm_run *run, const char *relation_oid)
{
	const char **lines;
	size_t count;
	struct pgm_error ignored;
	struct pgm_buf text;
	pgm_buf_init(&text, run->arena);
	if (!relation_oid || !pgm_run_holders(run, relation_oid, true, &lines, &count, &ignored))
		return "a lock";
	for (size_t i = 0; i < count && i < 3; i++)
		pgm_buf_printf(&text, "%s%s", i ? "; " : "", lines[i]);
	return count ? text.text : "a lock";
}

struct attempt {
	const char *sql;
	int64_t try_ms;
	const struct pgm_ledger_update *update; /* NULL: the statement alone */
	const char *relation_oid;		/* or NULL */
};

static bool tells(const char *sql)
{
	return strstr(sql, PGM_HELD_LOCKED) != NULL;
}

/* False: there was one at once. references: also on what its foreign keys refer to. */
static bool wait_for_gap(struct pgm_run *run, const char *relation_oid, bool references, double until)
{
	struct pgm_gap gap = {.oid = relation_oid, .references = references};
	struct pgm_error ignored;
	until = fmin(until, pgm_clock_ms() + GAP_WAIT_MS);
	if (!relation_oid || pgm_gap_open(run, &gap, GAP_AGE_MS, &ignored))
		return false;
	do
		pgm_clock_sleep_ms(GAP_POLL_MS);
	while (pgm_clock_ms() < until && !pgm_interrupted() &&
	       !pgm_gap_open(run, &gap, GAP_AGE_MS, &ignored));
	return true;
}

void pgm_run_wait_for_gap(struct pgm_run *run, const char *relation_oid)
{
	wait_for_gap(run, relation_oid, false, pgm_clock_ms() + GAP_WAIT_MS);
}

/* Full pauses between tries: those who queue behind our lock request wait for one try at most. */
bool pgm_run_tries(struct pgm_run *run, pgm_run_try *try, void *arg, const char *relation_oid,
		   struct pgm_error *err)
{
	struct pgm_error own;
	double budget_ms = (double)run->options->lock_deadline_ms;
	double until = pgm_clock_ms() + (run->cleaning ? fmin(budget_ms, CLEANING_MAX_MS) : budget_ms);
	err = err ? err : &own;
	for (int tries = 0;; tries++) {
		if (try(run, arg, err))
			return true;
		if (!worth_another_try(err))
			return false;
		if (pgm_interrupted())
			return pgm_error_set(err, PGM_ERR_CANCELED, "stopped by the user");
		double now = pgm_clock_ms();
		const char *holders = who_holds(run, relation_oid);
		if (now > until || (!run->cleaning && run->deadline_ms > 0 && now > run->deadline_ms)) {
			pgm_error_set(err, PGM_ERR_TIMEOUT, "no lock in %d tries: %s", tries + 1, holders);
			return pgm_error_hint(err, "End that session, or give --lock-deadline more; then run "
						   "the same command again.");
		}
		pgm_run_tell(run, PGM_EVENT_WAIT, pgm_sprintf(run->arena, "waiting for a gap: %s", holders));
		if (!wait_for_gap(run, relation_oid, false, until))
			pgm_clock_sleep_ms(pgm_clock_backoff_ms(tries, PAUSE_MS, PAUSE_MAX_MS));
	}
}

static bool attempt_statement(struct pgm_run *run, void *arg, struct pgm_error *err)
{
	const struct attempt *attempt = arg;
	const char *limit = pgm_sprintf(run->arena, "SET lock_timeout = %lld", (long long)attempt->try_ms);
	bool ok = pgm_conn_exec(run->work, limit, err) && pgm_run_watched(run, attempt->sql, err);
	pgm_conn_exec_quietly(run->work, "SET lock_timeout = 0");
	return ok;
}

bool pgm_run_locked(struct pgm_run *run, const char *sql, const char *relation_oid, int64_t try_ms,
		    struct pgm_error *err)
{
	struct attempt attempt = {.sql = sql, .try_ms = try_ms};
	return pgm_run_tries(run, attempt_statement, &attempt, relation_oid, err);
}

/* All of it in one round trip: each one costs who waits for the lock time. */
static bool run_telling(struct pgm_run *run, const char *sql, struct pgm_error *err)
{
	PGM_AUTO_ARENA scratch = pgm_arena_new(0);
	struct pgm_sql_statements parts;
	if (!pgm_sql_split(scratch, sql, &parts, err))
		return false;
	struct pgm_conn_statement *group = PGM_NEW_ARRAY(scratch, struct pgm_conn_statement, parts.count + 1);
	for (size_t i = 0; i < parts.count; i++)
		group[i].sql = parts.items[i].text;
	return pgm_held_commit(run->work, group, parts.count, &run->held, NULL, err);
}

/*
 * Where the SQL tells of its lock, the Ledger's row comes first: nothing but the SQL itself shall be done
 * under it. Else it comes when the work is done, as it says when that was.
 */
static bool attempt_transaction(struct pgm_run *run, void *arg, struct pgm_error *err)
{
	const struct attempt *attempt = arg;
	bool telling = tells(attempt->sql);
	if (telling) /* it is after ACCESS EXCLUSIVE, and ATTACH and DETACH lock what foreign keys refer to */
		wait_for_gap(run, attempt->relation_oid, true, pgm_clock_ms() + GAP_WAIT_MS);
	/*
	 * The locks are not held while the disk, or a synchronous standby, catches up: a crash before that
	 * takes back the change and its record together. Whatever is committed after it, by us or by who uses
	 * the change, comes after it in the WAL and so makes it last.
	 */
	const char *begin = pgm_sprintf(run->arena,
					PGM_CONN_MARKER "BEGIN; SET LOCAL lock_timeout = %lld; SET LOCAL "
							"synchronous_commit = off",
					(long long)attempt->try_ms);
	bool ok = pgm_conn_exec(run->work, begin, err) &&
		  (telling || pgm_run_watched(run, attempt->sql, err)) &&
		  pgm_ledger_set_step(run->work, run->arena, run->seq, run->step, attempt->update, err) &&
		  (telling ? run_telling(run, attempt->sql, err)
			   : pgm_conn_exec(run->work, PGM_CONN_MARKER "COMMIT", err));
	if (!ok)
		pgm_conn_exec_quietly(run->work, "ROLLBACK");
	return ok;
}

bool pgm_run_transaction(struct pgm_run *run, const char *sql, const char *relation_oid,
			 const struct pgm_ledger_update *update, struct pgm_error *err)
{
	struct attempt attempt = {.sql = sql,
				  .try_ms = run->options->lock_timeout_ms,
				  .update = update,
				  .relation_oid = relation_oid};
	run->held = (struct pgm_held){-1, -1};
	return pgm_run_tries(run, attempt_transaction, &attempt, relation_oid, err);
}
