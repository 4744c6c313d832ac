#include "change/batches.h"

#include "change/batch.h"
#include "change/throttle.h"
#include "sql/lex.h"
#include "util/buf.h"
#include "util/clock.h"
#include "util/embedded.h"
#include "util/format.h"
#include "util/interrupt.h"

#include <ctype.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define TELL_MS	     100
#define PAUSE_MS     20
#define PAUSE_MAX_MS 1000
#define ROLLBACKS    3

/* How much larger the next batch may be; the other where it could be as many times as large. */
#define GROW	 2
#define GROW_FAR 4
#define FAR	 10

/* A session, and the batch that runs in it. */
struct lane {
	struct pgm_conn *conn;
	struct pgm_batch batch;
	bool active;
	int64_t size;	 /* of its batch: $1 */
	uint64_t number; /* of its batch: in the order of the keys */
	bool told;	 /* where its batch ends is known, and the next one may begin */
};

/*
 * Batches that have nothing to do with one another ("apart") run beside each other, each behind the one
 * before it as soon as it is known where that ends. The Ledger's cursor never goes beyond a batch that is not
 * committed: a batch that is committed before those in front of it is done again if the run ends there, and
 * finds nothing.
 */
struct work {
	struct pgm_run *run;
	struct pgm_batch_sql *sqls;
	size_t count;
	struct pgm_batches_state state;
	struct pgm_throttle throttle;
	struct lane lanes[PGM_BATCH_JOBS_MAX];
	size_t jobs;
	uint64_t next_number;
	const char *next; /* where the next batch begins */
	bool next_known;
	bool ended;  /* there is nothing behind next */
	bool alone;  /* after a failure, until a batch is committed */
	bool failed; /* this one has not been done: */
	uint64_t failed_number;
	const char *failed_start;
	bool own_limit; /* the step's SQL sets statement_timeout itself */
	bool unlimited; /* the next batch: even the smallest one was too long */
	int tries;	/* of the batch at hand that met a lock */
	double retry_until_ms;
	double began_ms;
	double first_fraction; /* where this run began; -1: not known yet */
	double last_told_ms;
};

const char *pgm_batches_renumber(struct pgm_arena *arena, const char *sql, int **used, size_t *count)
{
	struct pgm_lex lex;
	struct pgm_buf out;
	PGM_VEC(int) numbers = {0};
	bool dollar = false;
	pgm_lex_init(&lex, sql, strlen(sql));
	pgm_buf_init(&out, arena);
	for (;;) {
		struct pgm_token token = pgm_lex_next(&lex);
		if (token.kind == PGM_TOKEN_END)
			break;
		if (dollar && token.kind == PGM_TOKEN_WORD && isdigit((unsigned char)*token.text)) {
			int number = atoi(token.text);
			size_t at = 0;
			while (at < numbers.count && numbers.items[at] != number)
				at++;
			if (at == numbers.count)
				*pgm_vec_add(arena, &numbers) = number;
			size_t digits = strspn(token.text, "0123456789");
			pgm_buf_printf(&out, "%zu", at + 1);
			pgm_buf_add_n(&out, token.text + digits, token.length - digits);
		} else {
			pgm_buf_add_n(&out, token.text, token.length);
		}
		dollar = token.kind == PGM_TOKEN_OTHER && *token.text == '$';
	}
	*used = numbers.items;
	*count = numbers.count;
	return out.text;
}

bool pgm_batches_state(struct pgm_conn *conn, struct pgm_arena *arena, int64_t seq, int step,
		       struct pgm_batches_state *state, struct pgm_error *err)
{
	struct pgm_rows rows;
	char *there;
	const char *params[] = {pgm_sprintf(arena, "%lld", (long long)seq), pgm_sprintf(arena, "%d", step)};
	*state = (struct pgm_batches_state){.size = PGM_BATCH_SIZE_FIRST};
	if (!pgm_conn_value(conn, arena, "SELECT pg_catalog.to_regclass('pgmend.batches')", 0, NULL, &there,
			    err))
		return false;
	if (!there)
		return true;
	if (!pgm_conn_query(conn, arena,
			    "SELECT cursor, size, batches, rows, work_ms, longest_ms, paused, kept FROM "
			    "pgmend.batches WHERE plan_seq = $1::bigint AND step = $2::integer",
			    2, params, &rows, err))
		return pgm_error_context(err, "reading the ledger");
	if (rows.count == 0)
		return true;
	*state = (struct pgm_batches_state){
		.there = true,
		.cursor = pgm_rows_get(&rows, 0, 0),
		.size = pgm_rows_int(&rows, 0, 1),
		.batches = pgm_rows_int(&rows, 0, 2),
		.rows = pgm_rows_int(&rows, 0, 3),
		.work_ms = pgm_rows_double(&rows, 0, 4),
		.longest_ms = pgm_rows_double(&rows, 0, 5),
		.paused = pgm_rows_bool(&rows, 0, 6),
		.kept = pgm_rows_int(&rows, 0, 7),
	};
	return true;
}

bool pgm_batches_pause(struct pgm_conn *conn, struct pgm_arena *arena, int64_t seq, bool pause,
		       int64_t *changed, struct pgm_error *err)
{
	struct pgm_rows rows;
	const char *params[] = {pgm_sprintf(arena, "%lld", (long long)seq), pause ? "t" : "f"};
	char *there;
	*changed = 0;
	if (!pgm_conn_value(conn, arena, "SELECT pg_catalog.to_regclass('pgmend.batches')", 0, NULL, &there,
			    err))
		return false;
	if (!there)
		return true;
	if (!pgm_conn_query(conn, arena,
			    "UPDATE pgmend.batches SET paused = $2::boolean WHERE plan_seq = $1::bigint", 2,
			    params, &rows, err))
		return pgm_error_context(err, "writing the ledger");
	*changed = pgm_batch_rows_changed(rows.command_status);
	return true;
}

/* The step's row in the Ledger, made where it has none. */
static bool enter(struct work *work, struct pgm_error *err)
{
	struct pgm_run *run = work->run;
	struct pgm_rows rows;
	const char *params[] = {pgm_sprintf(run->arena, "%lld", (long long)run->seq),
				pgm_sprintf(run->arena, "%d", run->step),
				pgm_sprintf(run->arena, "%d", PGM_BATCH_SIZE_FIRST)};
	if (!pgm_batches_state(run->control, run->arena, run->seq, run->step, &work->state, err))
		return false;
	if (work->state.there)
		return true;
	return (pgm_conn_exec(run->control, pgm_embedded_text("change/sql/batches_table.sql"), err) &&
		pgm_conn_query(run->control, run->arena,
			       "INSERT INTO pgmend.batches (plan_seq, step, size) VALUES ($1::bigint, "
			       "$2::integer, $3::bigint)",
			       3, params, &rows, err)) ||
	       pgm_error_context(err, "writing the ledger");
}

static const char *done_note(struct pgm_arena *arena, const struct pgm_batches_state *state)
{
	const char *kept = state->kept ? pgm_sprintf(arena, "; %s rows kept, as they changed meanwhile",
						     pgm_format_count(arena, (double)state->kept))
				       : "";
	return pgm_sprintf(arena, "%s rows in %s batches, the longest %s%s",
			   pgm_format_count(arena, (double)state->rows),
			   pgm_format_count(arena, (double)state->batches),
			   pgm_format_ms(arena, state->longest_ms), kept);
}

/* The last batch commits together with the step's end. */
static bool save_end(struct work *work, struct lane *lane, double elapsed_ms, struct pgm_error *err)
{
	struct pgm_batch *batch = &lane->batch;
	struct pgm_batches_state last = work->state;
	last.rows += batch->rows;
	last.kept += batch->kept;
	last.batches++;
	last.longest_ms = fmax(last.longest_ms, elapsed_ms);
	struct pgm_ledger_update update = {
		.state = "done", .note = done_note(batch->scratch, &last), .size_bytes = -1};
	return pgm_ledger_set_step(lane->conn, batch->scratch, work->run->seq, work->run->step, &update,
				   err) &&
	       pgm_conn_exec(lane->conn, PGM_CONN_MARKER "COMMIT", err);
}

static size_t active(const struct work *work)
{
	size_t count = 0;
	for (size_t i = 0; i < work->jobs; i++)
		count += work->lanes[i].active;
	return count;
}

/*
 * How far the Ledger's cursor may go with this lane's batch; false: no further than it is, as batches before
 * it are under way.
 */
static bool cursor_to_save(const struct work *work, const struct lane *lane, const char **cursor)
{
	uint64_t least = work->failed ? work->failed_number : UINT64_MAX;
	*cursor = work->failed ? work->failed_start : lane->batch.apart ? work->next : lane->batch.cursor;
	for (size_t i = 0; i < work->jobs; i++) {
		const struct lane *other = &work->lanes[i];
		if (other == lane || !other->active || other->number > least)
			continue;
		least = other->number;
		*cursor = other->batch.start;
	}
	if (lane->batch.again)
		*cursor = lane->batch.start;
	return lane->number < least;
}

/* The Ledger's part of the transaction, and its end. *done: it was the last batch. */
static bool save(struct work *work, struct lane *lane, bool *done, struct pgm_error *err)
{
	struct pgm_run *run = work->run;
	struct pgm_batch *batch = &lane->batch;
	struct pgm_rows rows[2];
	const char *cursor;
	bool moves = cursor_to_save(work, lane, &cursor);
	double elapsed_ms = pgm_clock_ms() - batch->began_ms;
	const char *params[] = {pgm_sprintf(batch->scratch, "%lld", (long long)run->seq),
				pgm_sprintf(batch->scratch, "%d", run->step),
				cursor,
				pgm_sprintf(batch->scratch, "%lld", (long long)work->state.size),
				pgm_sprintf(batch->scratch, "%lld", (long long)batch->rows),
				pgm_sprintf(batch->scratch, "%.3f", elapsed_ms),
				pgm_sprintf(batch->scratch, "%lld", (long long)batch->kept),
				moves ? "t" : "f"};
	const struct pgm_conn_statement statements[] = {
		{pgm_embedded_text("change/sql/batches_save.sql"), 8, params}, {.sql = "COMMIT"}};
	*done = !batch->again && (batch->has_cursor ? !batch->cursor : batch->rows == 0);
	if (!pgm_conn_pipeline_within(lane->conn, batch->scratch, *done ? 1 : 2, statements, 0, rows, err))
		return pgm_error_context(err, "writing the ledger");
	return !*done || save_end(work, lane, elapsed_ms, err);
}

/*
 * A batch of that size took elapsed_ms: the next one shall take the target. Others that are under way may
 * have changed the size since it began; it says nothing about theirs.
 */
static void adapt(struct work *work, double size, double elapsed_ms)
{
	double target = (double)work->run->options->batch_target_ms;
	double factor = target / fmax(elapsed_ms, 0.1);
	/* In larger steps while there is far to go: what a batch costs at least tells little about rows. */
	factor = fmin(fmax(factor, 0.4), factor > FAR ? GROW_FAR : GROW);
	double next = round(size * factor);
	if (next <= size && factor > 1)
		next = size + 1;
	work->state.size = (int64_t)fmin(fmax(next, 1), PGM_BATCH_SIZE_MAX);
}

static void tell(struct work *work, const struct pgm_batch *batch)
{
	struct pgm_run *run = work->run;
	double now = pgm_clock_ms();
	if (!run->options->on_event || now - work->last_told_ms < TELL_MS)
		return;
	work->last_told_ms = now;
	if (work->first_fraction < 0)
		work->first_fraction = batch->fraction;
	double gained = batch->fraction - work->first_fraction;
	struct pgm_engine_event event = {
		.kind = PGM_EVENT_PROGRESS,
		.step = run->step,
		.steps = run->steps,
		.title = run->title,
		.text = pgm_sprintf(batch->scratch, "%s rows",
				    pgm_format_count(batch->scratch, (double)work->state.rows)),
		.fraction = batch->fraction,
		.elapsed_ms = now - run->step_began_ms,
		.left_ms = gained > 0.001 ? (now - work->began_ms - work->throttle.waited_ms) *
						    (1 - batch->fraction) / gained
					  : -1,
		.size_bytes = -1,
	};
	run->options->on_event(&event, run->options->event_arg);
}

/* After a batch that was taken back: whether to try again, with what. late: it had taken too long. */
static bool try_again(struct work *work, bool late, struct pgm_error *err)
{
	struct pgm_run *run = work->run;
	double now = pgm_clock_ms();
	if (pgm_interrupted())
		return pgm_error_set(err, PGM_ERR_CANCELED, "stopped by the user");
	if (!pgm_conn_alive(run->work))
		return false;
	if (strcmp(err->sqlstate, "57014") == 0 && late) {
		work->unlimited = work->state.size == 1;
		if (work->unlimited)
			pgm_run_tell(run, PGM_EVENT_NOTE,
				     "the smallest batch takes longer than a transaction should: it may");
		work->state.size = work->state.size > 4 ? work->state.size / 4 : 1;
		return true;
	}
	if (strcmp(err->sqlstate, "55P03") != 0 && strcmp(err->sqlstate, "40P01") != 0 &&
	    strcmp(err->sqlstate, "40001") != 0)
		return false;
	if (work->tries == 0)
		work->retry_until_ms = now + (double)run->options->max_wait_ms;
	if (now > work->retry_until_ms) {
		pgm_error_set(err, PGM_ERR_TIMEOUT, "another session has held a row for %s",
			      pgm_format_ms(run->arena, (double)run->options->max_wait_ms));
		return pgm_error_hint(err, "End that session, or give --max-wait more; then run the same "
					   "command again: it goes on from here.");
	}
	/* A smaller batch meets fewer locks, and holds its own for less time. */
	work->state.size = work->state.size > 2 ? work->state.size / 2 : 1;
	pgm_run_tell(run, PGM_EVENT_WAIT, "waiting for a row that another session holds");
	pgm_clock_sleep_ms(pgm_clock_backoff_ms(work->tries++, PAUSE_MS, PAUSE_MAX_MS));
	return true;
}

static void end_batch(struct lane *lane)
{
	lane->active = false;
	pgm_batch_free(&lane->batch);
}

static void count_batch(struct work *work, struct lane *lane)
{
	struct pgm_batches_state *state = &work->state;
	double elapsed_ms = pgm_clock_ms() - lane->batch.began_ms;
	state->batches++;
	state->rows += lane->batch.rows;
	state->kept += lane->batch.kept;
	state->work_ms += elapsed_ms;
	state->longest_ms = fmax(state->longest_ms, elapsed_ms);
	work->unlimited = false;
	work->alone = false;
	work->tries = 0;
	adapt(work, (double)lane->size, elapsed_ms);
	tell(work, &lane->batch);
}

static void set_next(struct work *work, const char *next)
{
	if (!next || !work->next || strcmp(work->next, next) != 0)
		work->next = pgm_strdup(work->run->arena, next);
	work->next_known = true;
}

/* All of its statements have been answered. *done: it was the last batch of the step. */
static bool commit(struct work *work, struct lane *lane, bool *done, struct pgm_error *err)
{
	if (lane->batch.apart && !lane->batch.cursor && (active(work) > 1 || work->failed)) {
		/* Nothing is left behind the others, but they are still at work, or were taken back. */
		pgm_conn_exec_quietly(lane->conn, "ROLLBACK");
		end_batch(lane);
		return true;
	}
	if (!save(work, lane, done, err))
		return false;
	if (!lane->batch.apart)
		set_next(work, lane->batch.again ? lane->batch.start : lane->batch.cursor);
	count_batch(work, lane);
	end_batch(lane);
	return true;
}

static bool go_on(struct work *work, struct lane *lane, bool *done, struct pgm_error *err)
{
	bool more;
	if (!pgm_batch_go_on(&lane->batch, &more, err))
		return false;
	if (lane->batch.apart && !lane->told) {
		lane->told = true;
		work->ended = !lane->batch.cursor;
		if (lane->batch.cursor)
			set_next(work, lane->batch.cursor);
	}
	return more || commit(work, lane, done, err);
}

/* Its batch is taken back; of several that fail the first one counts. */
static void take_back(struct work *work, struct lane *lane)
{
	if (!work->failed || lane->number < work->failed_number) {
		work->failed = true;
		work->failed_number = lane->number;
		work->failed_start = lane->batch.start;
	}
	/* A cancel that was late may hit the ROLLBACK itself. */
	for (int i = 0; i < ROLLBACKS && pgm_conn_alive(lane->conn); i++) {
		pgm_conn_exec_quietly(lane->conn, "ROLLBACK");
		if (!pgm_conn_in_failed_transaction(lane->conn))
			break;
	}
	end_batch(lane);
}

/* The other lanes end what they have begun; then whether to go on, from the batch that failed. */
static bool recover(struct work *work, struct lane *lane, struct pgm_error *err)
{
	const struct pgm_error first = *err;
	struct pgm_error ignored;
	bool late = lane->batch.limit_ms > 0 &&
		    pgm_clock_ms() - lane->batch.began_ms > lane->batch.limit_ms * 0.8;
	bool done = false;
	take_back(work, lane);
	for (size_t i = 0; i < work->jobs; i++)
		while (work->lanes[i].active)
			if (!go_on(work, &work->lanes[i], &done, &ignored) && work->lanes[i].active)
				take_back(work, &work->lanes[i]);
	*err = first;
	set_next(work, work->failed_start);
	work->failed = false;
	work->ended = false;
	work->alone = true;
	return try_again(work, late, err);
}

static bool start(struct work *work, struct lane *lane, struct pgm_error *err)
{
	const struct pgm_engine_options *options = work->run->options;
	lane->batch = (struct pgm_batch){
		.conn = lane->conn, .sqls = work->sqls, .count = work->count, .start = work->next};
	lane->batch.limit_ms = work->unlimited || work->own_limit ? 0 : (double)options->batch_limit_ms;
	lane->number = work->next_number++;
	lane->size = work->state.size;
	lane->active = true;
	lane->told = false;
	work->next_known = false;
	return pgm_batch_begin(&lane->batch, work->state.size, options->lock_timeout_ms, err);
}

/* A lane for the next batch beside those that are under way; NULL: not now. */
static struct lane *free_lane(struct work *work)
{
	struct pgm_error ignored;
	if (!work->next_known || work->ended || work->alone || active(work) == work->jobs ||
	    !pgm_throttle_clear(work->run, &work->throttle))
		return NULL;
	for (size_t i = 0; i < work->jobs; i++) {
		struct lane *lane = &work->lanes[i];
		if (lane->active)
			continue;
		if (!lane->conn && !pgm_run_open_worker(work->run, &lane->conn, &ignored)) {
			work->jobs = i; /* as many as the server gives */
			return NULL;
		}
		return lane;
	}
	return NULL;
}

/* One that is active and has an answer, or is late. */
static struct lane *wait_for_one(struct work *work)
{
	struct pgm_conn *conns[PGM_BATCH_JOBS_MAX];
	double until_ms[PGM_BATCH_JOBS_MAX];
	size_t places[PGM_BATCH_JOBS_MAX], count = 0;
	for (size_t i = 0; i < work->jobs; i++) {
		const struct lane *lane = &work->lanes[i];
		if (!lane->active)
			continue;
		conns[count] = lane->conn;
		until_ms[count] = lane->batch.limit_ms > 0 ? lane->batch.began_ms + lane->batch.limit_ms : 0;
		places[count++] = i;
	}
	return &work->lanes[places[count > 1 ? pgm_conn_wait_any(conns, until_ms, count) : 0]];
}

static bool run_batches(struct work *work, struct pgm_error *err)
{
	struct pgm_run *run = work->run;
	for (bool done = false; !done;) {
		struct lane *lane = &work->lanes[0];
		bool idle = active(work) == 0;
		if (idle && !pgm_throttle(run, &work->throttle, err))
			return false;
		if (idle && run->deadline_ms > 0 && pgm_clock_ms() > run->deadline_ms)
			return pgm_run_check(run, err);
		if (!idle)
			lane = free_lane(work);
		bool ok = !lane || start(work, lane, err);
		if (ok) {
			lane = wait_for_one(work);
			ok = go_on(work, lane, &done, err);
		}
		if (!ok && (!lane->active || !recover(work, lane, err)))
			return false;
	}
	return true;
}

static void close_lanes(struct work *work)
{
	for (size_t i = 1; i < PGM_BATCH_JOBS_MAX; i++)
		pgm_conn_close(work->lanes[i].conn);
}

bool pgm_batches_run(struct pgm_run *run, const struct pgm_plan_sql *sqls, size_t count, const char **note,
		     struct pgm_error *err)
{
	struct pgm_error own;
	int64_t jobs = run->options->batch_rest_ms > 0 ? 1 : run->options->batch_jobs;
	struct work work = {.run = run,
			    .sqls = PGM_NEW_ARRAY(run->arena, struct pgm_batch_sql, count + 1),
			    .count = count,
			    .jobs = jobs < 1			? 1
				    : jobs > PGM_BATCH_JOBS_MAX ? PGM_BATCH_JOBS_MAX
								: (size_t)jobs,
			    .began_ms = pgm_clock_ms(),
			    .first_fraction = -1};
	err = err ? err : &own;
	for (size_t i = 0; i < count; i++) {
		work.sqls[i].text = pgm_batches_renumber(run->arena, sqls[i].text, &work.sqls[i].used,
							 &work.sqls[i].used_count);
		work.sqls[i].may_end = strcasestr(sqls[i].text, "again") != NULL;
		work.own_limit |= strncmp(sqls[i].text, "SET LOCAL statement_timeout", 27) == 0;
	}
	work.lanes[0].conn = run->work;
	if (!enter(&work, err))
		return false;
	set_next(&work, work.state.cursor);
	bool ok = run_batches(&work, err);
	close_lanes(&work);
	if (ok)
		*note = done_note(run->arena, &work.state);
	return ok;
}
