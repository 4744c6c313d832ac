#include "change/swap.h"

#include "change/batches.h"
#include "change/gap.h"
#include "change/held.h"
#include "change/throttle.h"
#include "util/buf.h"
#include "util/clock.h"
#include "util/format.h"
#include "util/interrupt.h"
#include "util/vec.h"

#include <math.h>
#include <string.h>

#define ROUND_FIRST    1000
#define ROUND_MAX      50000
#define PAUSE_MS       50
#define PAUSE_MAX_MS   1000
#define FIRST_LOCK_MS  10 /* everybody waits behind the request: more only when such tries did not get it */
#define MORE_LOCK_MS   5
#define MOST_LOCK_MS   30
#define SECOND_LOCK_MS 20
#define WEAK_LOCK_WAIT "3s" /* longer than deadlock_timeout, after which autovacuum gives way */
#define GAP_POLL_MS    20
#define FEW_KEYS       20 /* worth no further round before the locks */
#define FEW_ROUNDS     8
#define STATEMENT_MS   2000 /* under the locks nothing should take more than a few ms */
#define TELL_EVERY_MS  500

enum part { TAKE, REMOVE, ADD, GUARD, VERIFY, PARTS };

struct statement {
	const char *sql; /* renumbered */
	int *used;
	size_t used_count;
};

struct list {
	PGM_VEC(struct pgm_conn_statement) statements;
};

struct swap {
	struct pgm_run *run;
	struct statement parts[PARTS];
	const char *const *prepare;
	size_t prepare_count;
	const char *before; /* the locks: what the same transaction does before them, with ";" */
	struct list lock;   /* the LOCK statements, and what belongs between them */
	struct list rest;   /* what follows them */
	struct pgm_gap gap; /* in the locks on the tables that are locked */
	const char *done;   /* the state of the step that commits with the swap */
	int64_t limit;	    /* keys in a round of draining */
	int64_t drained;    /* keys, in all */
	int64_t verified;   /* rows */
	int64_t verified_parts;
	double verify_ms;
	double give_up_ms; /* on the monotonic clock */
	double last_told_ms;
};

static bool is_lock(const struct pgm_plan_sql *sql)
{
	return strcmp(sql->ddl.node, "LockStmt") == 0;
}

static bool is_lock_of(const struct pgm_plan_sql *sql, const char *mode)
{
	size_t length = strlen(sql->text), end = strlen(mode);
	return is_lock(sql) && length > end && strcmp(sql->text + length - end, mode) == 0;
}

/* A LOCK that no reader and no writer waits for. */
static bool is_weak(const struct pgm_plan_sql *sql)
{
	return is_lock_of(sql, "IN SHARE UPDATE EXCLUSIVE MODE");
}

static bool holds_readers(const struct pgm_plan_sql *sql)
{
	return is_lock_of(sql, "IN ACCESS EXCLUSIVE MODE");
}

bool pgm_swap_check(const struct pgm_plan_sql *sqls, size_t count, struct pgm_error *err)
{
	size_t first = 0, locks = 0;
	while (first < count && !is_lock(&sqls[first]))
		first++;
	while (first + locks < count && is_lock(&sqls[first + locks]))
		locks++;
	for (size_t i = 0; i < count; i++)
		if (!sqls[i].ddl.transactional)
			return pgm_error_set(err, PGM_ERR_INPUT,
					     "a swap cannot hold what runs in no transaction");
	if (first >= PARTS && first + locks < count)
		return true;
	pgm_error_set(err, PGM_ERR_INPUT,
		      "a swap is: take, remove, add, guard, verify, what prepares it, LOCK, and what swaps");
	return pgm_error_hint(err, "Let \"pgmend partition\" make the Plan, or see docs/plan-file.md.");
}

static void add(struct pgm_arena *arena, struct list *list, const char *sql)
{
	*pgm_vec_add(arena, &list->statements) = (struct pgm_conn_statement){.sql = sql};
}

/* A lock after the first: nothing may be waited for as long again. */
static void add_lock(struct pgm_arena *arena, struct list *list, const struct pgm_plan_sql *sql, bool first)
{
	if (!first)
		add(arena, list, pgm_sprintf(arena, "SET LOCAL lock_timeout = %d", SECOND_LOCK_MS));
	add(arena, list, sql->text);
}

static bool open_swap(struct swap *swap, const struct pgm_plan_sql *sqls, size_t count, struct pgm_error *err)
{
	struct pgm_arena *arena = swap->run->arena;
	size_t last_lock = 0;
	bool readers = false; /* are held up from the first lock on */
	if (!pgm_swap_check(sqls, count, err))
		return false;
	for (size_t i = 0; i < PARTS; i++)
		swap->parts[i].sql = pgm_batches_renumber(arena, sqls[i].text, &swap->parts[i].used,
							  &swap->parts[i].used_count);
	for (size_t i = 0; i < count; i++)
		last_lock = is_lock(&sqls[i]) ? i : last_lock;
	const char **prepare = PGM_NEW_ARRAY(arena, const char *, count);
	for (size_t i = PARTS; i < count; i++) {
		bool locks = is_lock(&sqls[i]), begun = swap->lock.statements.count > 0;
		if (!begun && (is_weak(&sqls[i]) || (*swap->before && !locks))) {
			swap->before = pgm_sprintf(arena, "%s%s; ", swap->before, sqls[i].text);
			continue;
		}
		bool first = locks && !swap->rest.statements.count &&
			     (!begun || readers || !holds_readers(&sqls[i]));
		struct list *list = first ? &swap->lock : &swap->rest;
		if (!locks && !begun) {
			prepare[swap->prepare_count++] = sqls[i].text;
			continue;
		}
		if (locks) {
			readers |= !begun && holds_readers(&sqls[i]);
			pgm_gap_add(arena, &swap->gap, sqls[i].ddl.schema, sqls[i].ddl.relation);
			add_lock(arena, list, &sqls[i], !begun);
		} else {
			add(arena, list, sqls[i].text);
		}
		if (!begun)
			add(arena, list, PGM_HELD_SAVE(PGM_HELD_LOCKED));
		if (i == last_lock)
			add(arena, list, PGM_HELD_SAVE(PGM_HELD_EXCLUSIVE));
	}
	swap->prepare = prepare;
	swap->limit = ROUND_FIRST;
	return true;
}

/* A part as a statement to send. params: $1, $2 (always NULL), $3... */
static bool part_statement(struct swap *swap, struct pgm_arena *scratch, enum part part,
			   const char *const *params, size_t count, struct pgm_conn_statement *statement,
			   struct pgm_error *err)
{
	const struct statement *own = &swap->parts[part];
	const char **given = PGM_NEW_ARRAY(scratch, const char *, own->used_count + 1);
	for (size_t i = 0; i < own->used_count; i++) {
		int number = own->used[i];
		if (number < 1 || (size_t)number > count)
			return pgm_error_set(err, PGM_ERR_INPUT, "statement %d uses $%d, which nobody gives",
					     (int)part + 1, number);
		given[i] = params[number - 1];
	}
	*statement = (struct pgm_conn_statement){own->sql, own->used_count, given};
	return true;
}

/* The keys that a transaction has at hand. */
struct keys {
	const char **params;
	size_t param_count;
	int64_t taken;
};

/* The first reason not to go on. */
static bool check_guard(const struct pgm_rows *rows, struct pgm_error *err)
{
	if (rows->count == 0)
		return true;
	pgm_error_set(err, PGM_ERR_STATE, "%s", pgm_rows_text(rows, 0, 0));
	return pgm_error_hint(err,
			      "Nothing was swapped. Take back what was prepared with \"pgmend rollback\", "
			      "and begin anew.");
}

static bool read_keys(const struct pgm_rows *rows, struct pgm_arena *scratch, const char *limit,
		      struct keys *keys, struct pgm_error *err)
{
	if (rows->count != 1)
		return pgm_error_set(err, PGM_ERR_INPUT, "take returned %zu rows, not one", rows->count);
	*keys = (struct keys){.params = PGM_NEW_ARRAY(scratch, const char *, rows->columns + 2),
			      .param_count = 2,
			      .taken = -1};
	keys->params[0] = limit;
	for (size_t c = 0; c < rows->columns; c++) {
		if (strcmp(rows->names[c], "handled") == 0)
			keys->taken = pgm_rows_int(rows, 0, c);
		else
			keys->params[keys->param_count++] = pgm_rows_get(rows, 0, c);
	}
	if (keys->taken < 0)
		return pgm_error_set(err, PGM_ERR_INPUT, "take returned no column \"handled\"");
	return true;
}

/*
 * Inside of a transaction: the statements before, then guard and take, in one round trip: under locks each
 * one costs others time.
 */
static bool take_keys(struct swap *swap, struct pgm_arena *scratch, const struct list *before, int64_t limit,
		      struct keys *keys, struct pgm_error *err)
{
	size_t count = before->statements.count;
	struct pgm_conn_statement *group = PGM_NEW_ARRAY(scratch, struct pgm_conn_statement, count + 2);
	struct pgm_rows *rows = PGM_NEW_ARRAY(scratch, struct pgm_rows, count + 2);
	const char *first[] = {pgm_sprintf(scratch, "%lld", (long long)limit), NULL};
	for (size_t i = 0; i < count; i++)
		group[i] = before->statements.items[i];
	return part_statement(swap, scratch, GUARD, NULL, 0, &group[count], err) &&
	       part_statement(swap, scratch, TAKE, first, 2, &group[count + 1], err) &&
	       pgm_conn_pipeline_within(swap->run->work, scratch, count + 2, group, 0, rows, err) &&
	       check_guard(&rows[count], err) && read_keys(&rows[count + 1], scratch, first[0], keys, err);
}

/* How long the locks were held. */
struct held {
	struct pgm_held writers;   /* from the first one on */
	struct pgm_held exclusive; /* from the last one on */
};

/*
 * What the keys taken stand for becomes true of the copy; then the statements after, likewise, and the
 * commit. held: NULL where there is no lock to speak of.
 */
static bool apply_keys(struct swap *swap, struct pgm_arena *scratch, const struct keys *keys,
		       const struct list *after, struct held *held, struct pgm_error *err)
{
	size_t count = 0, after_count = after->statements.count;
	struct pgm_conn_statement *group = PGM_NEW_ARRAY(scratch, struct pgm_conn_statement, after_count + 2);
	if (keys->taken > 0 &&
	    (!part_statement(swap, scratch, REMOVE, keys->params, keys->param_count, &group[0], err) ||
	     !part_statement(swap, scratch, ADD, keys->params, keys->param_count, &group[1], err)))
		return false;
	count = keys->taken > 0 ? 2 : 0;
	for (size_t i = 0; i < after_count; i++)
		group[count++] = after->statements.items[i];
	return pgm_held_commit(swap->run->work, group, count, held ? &held->writers : NULL,
			       held ? &held->exclusive : NULL, err);
}

static void add_begin(struct pgm_arena *arena, struct list *list, const char *isolation, int64_t lock_ms)
{
	add(arena, list, pgm_sprintf(arena, "BEGIN ISOLATION LEVEL %s", isolation));
	add(arena, list, "SET LOCAL jit = off");
	add(arena, list, "SET LOCAL enable_seqscan = off");
	add(arena, list, "SET LOCAL row_security = off");
	add(arena, list, pgm_sprintf(arena, "SET LOCAL lock_timeout = %lld", (long long)lock_ms));
}

/* One round of draining in a transaction of its own. */
static bool drain_round(struct swap *swap, int64_t limit, bool repeatable, int64_t *taken,
			struct pgm_error *err)
{
	PGM_AUTO_ARENA scratch = pgm_arena_new(0);
	struct list begin = {0}, nothing = {0};
	struct keys keys;
	add_begin(scratch, &begin, repeatable ? "REPEATABLE READ" : "READ COMMITTED",
		  swap->run->options->lock_timeout_ms);
	bool ok = take_keys(swap, scratch, &begin, limit, &keys, err) &&
		  apply_keys(swap, scratch, &keys, &nothing, NULL, err);
	if (ok)
		*taken = keys.taken;
	else
		pgm_conn_exec_quietly(swap->run->work, "ROLLBACK");
	return ok;
}

static void tell_drain(struct swap *swap)
{
	double now = pgm_clock_ms();
	if (now - swap->last_told_ms < TELL_EVERY_MS)
		return;
	swap->last_told_ms = now;
	pgm_run_tell(swap->run, PGM_EVENT_PROGRESS,
		     pgm_sprintf(swap->run->arena, "%s changed keys applied",
				 pgm_format_count(swap->run->arena, (double)swap->drained)));
}

static bool stopped(struct swap *swap, struct pgm_error *err)
{
	struct pgm_run *run = swap->run;
	if (pgm_interrupted())
		return !pgm_error_set(err, PGM_ERR_CANCELED, "stopped by the user");
	if (!run->cleaning && run->deadline_ms > 0 && pgm_clock_ms() > run->deadline_ms) {
		pgm_error_set(err, PGM_ERR_TIMEOUT, "the time of this run is up (--timeout)");
		return pgm_error_hint(err, "Run the same command again: it goes on from here."), true;
	}
	return false;
}

static bool in_the_way(const struct pgm_error *err)
{
	return strcmp(err->sqlstate, "55P03") == 0 || /* lock_not_available */
	       strcmp(err->sqlstate, "40P01") == 0 || /* deadlock_detected */
	       strcmp(err->sqlstate, "40001") == 0;   /* serialization_failure */
}

/*
 * Until the log is nearly empty. A round can meet a unique index of the copy when it takes the row that got a
 * value but not the one that gave it up: then all keys are applied in one snapshot, in which the source is
 * consistent.
 */
static bool drain(struct swap *swap, struct pgm_error *err)
{
	struct pgm_run *run = swap->run;
	struct pgm_throttle throttle = {0};
	double until = pgm_clock_ms() + fmax((double)run->options->max_wait_ms, 1000);
	bool whole = false;
	int tries = 0;
	for (;;) {
		int64_t taken = 0, limit = whole ? INT32_MAX : swap->limit;
		double began = pgm_clock_ms();
		if (stopped(swap, err) || !pgm_throttle(run, &throttle, err))
			return false;
		if (!drain_round(swap, limit, whole, &taken, err)) {
			bool unique = strcmp(err->sqlstate, "23505") == 0 && !whole;
			if (!unique && (!in_the_way(err) || pgm_clock_ms() > until))
				return false;
			whole |= unique;
			if (!unique)
				pgm_clock_sleep_ms(pgm_clock_backoff_ms(tries++, PAUSE_MS, PAUSE_MAX_MS));
			continue;
		}
		double elapsed = pgm_clock_ms() - began;
		swap->drained += taken;
		tell_drain(swap);
		if (taken < PGM_SWAP_KEYS_SMALL)
			return true;
		if (pgm_clock_ms() > until) {
			pgm_error_set(err, PGM_ERR_TIMEOUT, "rows change faster than they can be copied");
			return pgm_error_hint(err, "Run the same command again when there is less load, or "
						   "give --max-wait more.");
		}
		whole = false;
		double factor = (double)run->options->batch_target_ms / fmax(elapsed, 1);
		swap->limit = (int64_t)fmin(
			fmax((double)swap->limit * fmin(fmax(factor, 0.5), 2), PGM_SWAP_KEYS_SMALL + 1),
			ROUND_MAX);
	}
}

static bool compare(struct swap *swap, struct pgm_arena *scratch, const struct pgm_rows *rows,
		    struct pgm_error *err)
{
	struct pgm_buf text;
	size_t different = 0;
	pgm_buf_init(&text, scratch);
	if (rows->columns < 5)
		return pgm_error_set(err, PGM_ERR_INPUT, "verify returned %zu columns, not five",
				     rows->columns);
	swap->verified = 0;
	swap->verified_parts = (int64_t)rows->count;
	for (size_t i = 0; i < rows->count; i++) {
		bool same = strcmp(pgm_rows_text(rows, i, 1), pgm_rows_text(rows, i, 3)) == 0 &&
			    strcmp(pgm_rows_text(rows, i, 2), pgm_rows_text(rows, i, 4)) == 0;
		swap->verified += pgm_rows_int(rows, i, 1);
		if (!same && different++ < 3)
			pgm_buf_printf(&text, "%s%s: %s rows (hash %s) became %s (%s)",
				       text.length ? "; " : "", pgm_rows_text(rows, i, 0),
				       pgm_rows_text(rows, i, 1), pgm_rows_text(rows, i, 2),
				       pgm_rows_text(rows, i, 3), pgm_rows_text(rows, i, 4));
	}
	if (!different)
		return true;
	pgm_error_set(err, PGM_ERR_STATE, "the copy differs from its source in %zu of %zu parts: %s",
		      different, rows->count, text.text);
	return pgm_error_hint(err,
			      "Nothing was swapped. Was a trigger of pgmend switched off, or did somebody "
			      "write into the copy? Take it back with \"pgmend rollback\".");
}

/* Source, copy and log as one snapshot shows them: what does not stand in the log must be equal. */
static bool verify(struct swap *swap, struct pgm_error *err)
{
	struct pgm_run *run = swap->run;
	PGM_AUTO_ARENA scratch = pgm_arena_new(0);
	double began = pgm_clock_ms();
	pgm_run_tell(run, PGM_EVENT_PROGRESS, "comparing the copy with its source");
	struct pgm_conn_statement group[2];
	struct pgm_rows rows[2];
	bool ok = pgm_conn_exec(run->work,
				PGM_CONN_MARKER "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; SET LOCAL "
						"row_security = off; SET LOCAL jit = off",
				err) &&
		  part_statement(swap, scratch, GUARD, NULL, 0, &group[0], err) &&
		  part_statement(swap, scratch, VERIFY, NULL, 0, &group[1], err) &&
		  pgm_conn_pipeline_within(run->work, scratch, 2, group, 0, rows, err) &&
		  check_guard(&rows[0], err);
	pgm_conn_exec_quietly(run->work, "ROLLBACK");
	swap->verify_ms = pgm_clock_ms() - began;
	if (!ok && pgm_interrupted())
		return pgm_error_set(err, PGM_ERR_CANCELED, "stopped by the user");
	return ok && compare(swap, scratch, &rows[1], err);
}

enum outcome { SWAPPED, TOO_MUCH, NO_LOCK, FAILED };

/*
 * One try. The Ledger's row comes first: nothing but the swap itself shall be done under the locks, and they
 * do not wait for the disk. Where the server dies before the swap is there, its row in the Ledger is lost
 * with it.
 */
static enum outcome try_swap(struct swap *swap, int tries, struct held *held, struct pgm_error *err)
{
	struct pgm_run *run = swap->run;
	PGM_AUTO_ARENA scratch = pgm_arena_new(0);
	struct pgm_ledger_update update = {.state = swap->done, .size_bytes = -1};
	struct keys keys = {0};
	double lock_ms = fmin(FIRST_LOCK_MS + (double)tries * MORE_LOCK_MS, MOST_LOCK_MS);
	const char *begin = pgm_sprintf(
		scratch,
		PGM_CONN_MARKER "BEGIN; SET LOCAL jit = off; SET LOCAL enable_seqscan = off; SET LOCAL "
				"row_security = off; SET LOCAL synchronous_commit = off; SET LOCAL "
				"lock_timeout = '" WEAK_LOCK_WAIT "'; %sSET LOCAL lock_timeout = %.0f; SET "
				"LOCAL statement_timeout = %d",
		swap->before, fmin(lock_ms, (double)run->options->lock_timeout_ms), STATEMENT_MS);
	enum outcome outcome = FAILED;
	if (!pgm_conn_exec(run->work, begin, err) ||
	    !pgm_ledger_set_step(run->work, scratch, run->seq, run->step, &update, err))
		goto out;
	struct pgm_gap gap = swap->gap;
	gap.in_transaction = true;
	if (!pgm_gap_open(run, &gap, MOST_LOCK_MS, err)) { /* who came while the weak locks were waited for */
		outcome = NO_LOCK;
		goto out;
	}
	if (!take_keys(swap, scratch, &swap->lock, PGM_SWAP_KEYS_MAX + 1, &keys, err))
		goto out;
	if (keys.taken > PGM_SWAP_KEYS_MAX) {
		outcome = TOO_MUCH;
		goto out;
	}
	if (apply_keys(swap, scratch, &keys, &swap->rest, held, err)) {
		swap->drained += keys.taken;
		return SWAPPED;
	}
out:
	if (outcome == FAILED && in_the_way(err))
		outcome = NO_LOCK;
	pgm_conn_exec_quietly(run->work, "ROLLBACK");
	return outcome;
}

/* Wait for a gap: the log goes on being drained, and no request for a lock stands in the others' way. */
static bool pause_between(struct swap *swap, int tries, double pause_ms, struct pgm_error *err)
{
	struct pgm_run *run = swap->run;
	PGM_AUTO_ARENA scratch = pgm_arena_new(0);
	char why[sizeof(err->message)];
	snprintf(why, sizeof(why), "%s", err->message);
	if (pgm_clock_ms() > swap->give_up_ms) {
		pgm_error_set(err, PGM_ERR_TIMEOUT, "no lock for the swap%s: %s",
			      tries ? pgm_sprintf(scratch, " in %d tries", tries) : "", why);
		return pgm_error_hint(err, "Nothing was swapped. End the session that holds it, or give "
					   "--lock-deadline more; then run the same command again.");
	}
	pgm_run_tell(run, PGM_EVENT_WAIT, pgm_sprintf(scratch, "waiting for a gap: %s", why));
	pgm_clock_sleep_ms(pause_ms);
	return true;
}

/* So little is left in the log that it takes no time worth speaking of under the locks. */
static bool drain_to_few(struct swap *swap, struct pgm_error *err)
{
	int64_t taken = FEW_KEYS + 1;
	struct pgm_error ignored;
	if (!drain(swap, err))
		return false;
	for (int i = 0; i < FEW_ROUNDS && taken > FEW_KEYS; i++) {
		/* What is in its way is in drain()'s way next time, and handled there. */
		if (!drain_round(swap, ROUND_FIRST, false, &taken, &ignored))
			return pgm_conn_alive(swap->run->work) || drain(swap, err);
		swap->drained += taken;
	}
	return true;
}

/* A try of what prepares the swap is too short for autovacuum to give way, and a large table's takes long. */
static void send_vacuum_away(struct swap *swap)
{
	PGM_AUTO_ARENA scratch = pgm_arena_new(0);
	if (!*swap->before)
		return;
	pgm_conn_exec_quietly(swap->run->work,
			      pgm_sprintf(scratch,
					  PGM_CONN_MARKER "BEGIN; SET LOCAL lock_timeout = '" WEAK_LOCK_WAIT
							  "'; %s",
					  swap->before));
	pgm_conn_exec_quietly(swap->run->work, "ROLLBACK");
}

static bool prepare(struct swap *swap, struct pgm_error *err)
{
	struct pgm_run *run = swap->run;
	for (size_t i = 0; i < swap->prepare_count; i++) {
		send_vacuum_away(swap);
		if (!pgm_run_locked(run, swap->prepare[i], NULL, run->options->lock_timeout_ms, err) ||
		    !drain(swap, err))
			return false;
	}
	return true;
}

static bool swap_all(struct swap *swap, struct held *held, struct pgm_error *err)
{
	if (!drain(swap, err) || !verify(swap, err) || !drain(swap, err) || !prepare(swap, err))
		return false;
	swap->give_up_ms = pgm_clock_ms() + (double)swap->run->options->lock_deadline_ms;
	for (int tries = 0;;) {
		double pause_ms = GAP_POLL_MS;
		if (!drain_to_few(swap, err))
			return false;
		if (pgm_gap_open(swap->run, &swap->gap, MOST_LOCK_MS, err)) {
			pause_ms = pgm_clock_backoff_ms(++tries, PAUSE_MS, PAUSE_MAX_MS);
			switch (try_swap(swap, tries - 1, held, err)) {
			case SWAPPED:
				return true;
			case TOO_MUCH:
				pgm_error_set(err, PGM_ERR_TIMEOUT, "more than %d rows changed meanwhile",
					      PGM_SWAP_KEYS_MAX);
				break;
			case NO_LOCK:
				break;
			default:
				if (pgm_interrupted())
					return pgm_error_set(err, PGM_ERR_CANCELED, "stopped by the user");
				return false;
			}
		}
		if (stopped(swap, err) || !pause_between(swap, tries, pause_ms, err))
			return false;
	}
}

bool pgm_swap_run(struct pgm_run *run, const struct pgm_plan_sql *sqls, size_t count, const char *done,
		  const char **note, struct pgm_error *err)
{
	struct swap swap = {.run = run, .before = "", .done = done};
	struct pgm_error own = {0};
	struct held held = {0};
	err = err ? err : &own;
	if (!open_swap(&swap, sqls, count, err) || !swap_all(&swap, &held, err))
		return false;
	pgm_error_clear(err);
	*note = pgm_sprintf(
		run->arena,
		"%s rows in %lld parts equal (%s), %s changed keys applied, writers held up for %s, ACCESS "
		"EXCLUSIVE held for %s",
		pgm_format_count(run->arena, (double)swap.verified), (long long)swap.verified_parts,
		pgm_format_ms(run->arena, swap.verify_ms), pgm_format_count(run->arena, (double)swap.drained),
		pgm_held_text(run->arena, &held.writers), pgm_held_text(run->arena, &held.exclusive));
	struct pgm_ledger_update update = {.state = done, .note = *note, .size_bytes = -1};
	return pgm_ledger_set_step(run->control, run->arena, run->seq, run->step, &update, err);
}
