#include "change/batches.h"

#include "change/throttle.h"
#include "sql/lex.h"
#include "util/buf.h"
#include "util/clock.h"
#include "util/embedded.h"
#include "util/format.h"
#include "util/interrupt.h"
#include "util/vec.h"

#include <ctype.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define TELL_MS	     100
#define PAUSE_MS     20
#define PAUSE_MAX_MS 1000

#define BEGIN_STATEMENTS 4

/* How much larger the next batch may be; the other where it could be as many times as large. */
#define GROW	 2
#define GROW_FAR 4
#define FAR	 10

struct statement {
	const char *sql; /* renumbered */
	int *used;
	size_t used_count;
	bool may_end; /* it returns "again" */
};

/* One batch while it runs. */
struct batch {
	struct pgm_arena *scratch;
	PGM_VEC(const char *) params;
	const char *cursor;
	bool has_cursor; /* some statement said where it ends */
	bool again;
	double fraction; /* -1: not known */
	int64_t rows;
	int64_t kept;
	double began_ms;
	double limit_ms; /* 0: none */
};

struct work {
	struct pgm_run *run;
	struct statement *statements;
	size_t count;
	struct pgm_batches_state state;
	struct pgm_throttle throttle;
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

/* "DELETE 5", "INSERT 0 5": rows that a statement changed; a SELECT changes none. */
static int64_t rows_changed(const char *status)
{
	static const char *const tags[] = {"DELETE ", "UPDATE ", "INSERT 0 ", "MERGE "};
	for (size_t i = 0; i < sizeof(tags) / sizeof(*tags); i++)
		if (strncmp(status, tags[i], strlen(tags[i])) == 0)
			return strtoll(status + strlen(tags[i]), NULL, 10);
	return 0;
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
	*changed = rows_changed(rows.command_status);
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

/* What the statement returned: the engine's columns, and parameters for those that follow. */
static bool take(struct batch *batch, const struct pgm_rows *rows, struct pgm_error *err)
{
	int64_t handled = rows_changed(rows->command_status);
	if (rows->count > 1)
		return pgm_error_set(err, PGM_ERR_STATE, "a statement of a batch returned %zu rows, not one",
				     rows->count);
	for (size_t c = 0; c < rows->columns; c++) {
		const char *cell = rows->count ? pgm_rows_get(rows, 0, c) : NULL;
		const char *name = rows->names[c];
		if (strcmp(name, "cursor") == 0) {
			batch->cursor = cell;
			batch->has_cursor = true;
		} else if (strcmp(name, "again") == 0) {
			batch->again = cell && *cell == 't';
		} else if (strcmp(name, "fraction") == 0) {
			batch->fraction = cell ? strtod(cell, NULL) : -1;
		} else if (strcmp(name, "kept") == 0) {
			batch->kept += cell ? strtoll(cell, NULL, 10) : 0;
		} else if (strcmp(name, "handled") == 0) {
			handled = cell ? strtoll(cell, NULL, 10) : 0;
		} else {
			*pgm_vec_add(batch->scratch, &batch->params) = cell;
		}
	}
	batch->rows += handled;
	return true;
}

static int missing_param(const struct batch *batch, const struct statement *statement)
{
	for (size_t p = 0; p < statement->used_count; p++)
		if (statement->used[p] < 1 || (size_t)statement->used[p] > batch->params.count)
			return statement->used[p];
	return 0;
}

/* The parameters of a statement; NULL where one of them is not known yet. */
static const char **params_of(const struct batch *batch, const struct statement *statement)
{
	const char **params = PGM_NEW_ARRAY(batch->scratch, const char *, statement->used_count + 1);
	if (missing_param(batch, statement))
		return NULL;
	for (size_t p = 0; p < statement->used_count; p++)
		params[p] = batch->params.items[statement->used[p] - 1];
	return params;
}

/*
 * What can be sent at once from statement number first on: all that need nothing of one another, up to one
 * that may end the batch. Round trips are what small statements take longest for.
 */
static size_t gather(const struct work *work, const struct batch *batch, size_t first,
		     struct pgm_conn_statement *group)
{
	size_t count = 0;
	while (first + count < work->count) {
		const struct statement *statement = &work->statements[first + count];
		const char **params = params_of(batch, statement);
		if (!params)
			break;
		group[count++] = (struct pgm_conn_statement){statement->sql, statement->used_count, params};
		if (statement->may_end)
			break;
	}
	return count;
}

/*
 * No batch waits for the disk: a crash takes back the last ones together with their cursor, and the run goes
 * on from there. What is committed after the last of them makes them all last.
 */
static size_t begin(const struct work *work, struct batch *batch, struct pgm_conn_statement *group)
{
	group[0] = (struct pgm_conn_statement){.sql = "BEGIN ISOLATION LEVEL READ COMMITTED"};
	group[1] = (struct pgm_conn_statement){.sql = "SET LOCAL jit = off"};
	group[2] = (struct pgm_conn_statement){.sql = "SET LOCAL synchronous_commit = off"};
	group[3] = (struct pgm_conn_statement){
		.sql = pgm_sprintf(batch->scratch, "SET LOCAL lock_timeout = %lld",
				   (long long)work->run->options->lock_timeout_ms)};
	return BEGIN_STATEMENTS;
}

/* The transaction up to its record in the Ledger. Its first statements go in one round trip with its BEGIN.
 */
static bool run_statements(struct work *work, struct batch *batch, struct pgm_error *err)
{
	struct pgm_conn_statement *group =
		PGM_NEW_ARRAY(batch->scratch, struct pgm_conn_statement, work->count + BEGIN_STATEMENTS + 1);
	struct pgm_rows *rows =
		PGM_NEW_ARRAY(batch->scratch, struct pgm_rows, work->count + BEGIN_STATEMENTS + 1);
	size_t before = begin(work, batch, group);
	for (size_t done = 0; done < work->count && !batch->again; before = 0) {
		size_t count = gather(work, batch, done, group + before);
		if (count == 0)
			return pgm_error_set(
				err, PGM_ERR_INPUT,
				"statement %zu of the batch uses $%d, which no statement before it "
				"returns",
				done + 1, missing_param(batch, &work->statements[done]));
		double left = batch->limit_ms - (pgm_clock_ms() - batch->began_ms);
		if (!pgm_conn_pipeline_within(work->run->work, batch->scratch, before + count, group,
					      batch->limit_ms > 0 ? fmax(left, 1) : 0, rows, err))
			return false;
		for (size_t i = 0; i < count; i++)
			if (!take(batch, &rows[before + i], err))
				return false;
		done += count;
	}
	return true;
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
static bool save_end(struct work *work, struct batch *batch, double elapsed_ms, struct pgm_error *err)
{
	struct pgm_batches_state last = work->state;
	last.rows += batch->rows;
	last.kept += batch->kept;
	last.batches++;
	last.longest_ms = fmax(last.longest_ms, elapsed_ms);
	struct pgm_ledger_update update = {
		.state = "done", .note = done_note(batch->scratch, &last), .size_bytes = -1};
	return pgm_ledger_set_step(work->run->work, batch->scratch, work->run->seq, work->run->step, &update,
				   err) &&
	       pgm_conn_exec(work->run->work, PGM_CONN_MARKER "COMMIT", err);
}

/* The Ledger's part of the transaction, and its end. *done: it was the last batch. */
static bool save(struct work *work, struct batch *batch, bool *done, struct pgm_error *err)
{
	struct pgm_run *run = work->run;
	struct pgm_batches_state *state = &work->state;
	struct pgm_rows rows[2];
	double elapsed_ms = pgm_clock_ms() - batch->began_ms;
	const char *cursor = batch->again ? state->cursor : batch->cursor;
	const char *params[] = {pgm_sprintf(batch->scratch, "%lld", (long long)run->seq),
				pgm_sprintf(batch->scratch, "%d", run->step),
				cursor,
				pgm_sprintf(batch->scratch, "%lld", (long long)state->size),
				pgm_sprintf(batch->scratch, "%lld", (long long)batch->rows),
				pgm_sprintf(batch->scratch, "%.3f", elapsed_ms),
				pgm_sprintf(batch->scratch, "%lld", (long long)batch->kept)};
	const struct pgm_conn_statement statements[] = {
		{pgm_embedded_text("change/sql/batches_save.sql"), 7, params}, {.sql = "COMMIT"}};
	*done = !batch->again && (batch->has_cursor ? !batch->cursor : batch->rows == 0);
	if (!pgm_conn_pipeline_within(run->work, batch->scratch, *done ? 1 : 2, statements, 0, rows, err))
		return pgm_error_context(err, "writing the ledger");
	return !*done || save_end(work, batch, elapsed_ms, err);
}

static bool transaction(struct work *work, struct batch *batch, bool *done, struct pgm_error *err)
{
	bool ok = run_statements(work, batch, err) && save(work, batch, done, err);
	if (!ok)
		pgm_conn_exec_quietly(work->run->work, "ROLLBACK");
	return ok;
}

/* A batch took elapsed_ms: the next one shall take the target. */
static void adapt(struct work *work, double elapsed_ms)
{
	double target = (double)work->run->options->batch_target_ms;
	double factor = target / fmax(elapsed_ms, 0.1);
	/* In larger steps while there is far to go: what a batch costs at least tells little about rows. */
	factor = fmin(fmax(factor, 0.4), factor > FAR ? GROW_FAR : GROW);
	double size = round((double)work->state.size * factor);
	if (size <= (double)work->state.size && factor > 1)
		size = (double)work->state.size + 1;
	work->state.size = (int64_t)fmin(fmax(size, 1), PGM_BATCH_SIZE_MAX);
}

static void tell(struct work *work, const struct batch *batch)
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

/* After a batch that was taken back: whether to try again, with what. */
static bool try_again(struct work *work, const struct batch *batch, struct pgm_error *err)
{
	struct pgm_run *run = work->run;
	double now = pgm_clock_ms();
	if (pgm_interrupted())
		return pgm_error_set(err, PGM_ERR_CANCELED, "stopped by the user");
	if (!pgm_conn_alive(run->work))
		return false;
	if (strcmp(err->sqlstate, "57014") == 0 && batch->limit_ms > 0 &&
	    now - batch->began_ms > batch->limit_ms * 0.8) {
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
			      pgm_format_ms(batch->scratch, (double)run->options->max_wait_ms));
		return pgm_error_hint(err, "End that session, or give --max-wait more; then run the same "
					   "command again: it goes on from here.");
	}
	/* A smaller batch meets fewer locks, and holds its own for less time. */
	work->state.size = work->state.size > 2 ? work->state.size / 2 : 1;
	pgm_run_tell(run, PGM_EVENT_WAIT, "waiting for a row that another session holds");
	pgm_clock_sleep_ms(pgm_clock_backoff_ms(work->tries++, PAUSE_MS, PAUSE_MAX_MS));
	return true;
}

/* One batch, tried until it is committed. */
static bool run_batch(struct work *work, bool *done, struct pgm_error *err)
{
	struct pgm_batches_state *state = &work->state;
	struct pgm_run *run = work->run;
	for (;;) {
		PGM_AUTO_ARENA scratch = pgm_arena_new(0);
		struct batch batch = {.scratch = scratch, .fraction = -1, .began_ms = pgm_clock_ms()};
		batch.limit_ms =
			work->unlimited || work->own_limit ? 0 : (double)run->options->batch_limit_ms;
		*pgm_vec_add(scratch, &batch.params) = pgm_sprintf(scratch, "%lld", (long long)state->size);
		*pgm_vec_add(scratch, &batch.params) = state->cursor;
		if (run->deadline_ms > 0 && batch.began_ms > run->deadline_ms)
			return pgm_run_check(run, err);
		if (!transaction(work, &batch, done, err)) {
			if (!try_again(work, &batch, err))
				return false;
			continue;
		}
		double elapsed_ms = pgm_clock_ms() - batch.began_ms;
		if (!batch.again && (!state->cursor || !batch.cursor || strcmp(state->cursor, batch.cursor)))
			state->cursor = pgm_strdup(run->arena, batch.cursor);
		state->batches++;
		state->rows += batch.rows;
		state->kept += batch.kept;
		state->work_ms += elapsed_ms;
		state->longest_ms = fmax(state->longest_ms, elapsed_ms);
		work->unlimited = false;
		work->tries = 0;
		adapt(work, elapsed_ms);
		tell(work, &batch);
		return true;
	}
}

bool pgm_batches_run(struct pgm_run *run, const struct pgm_plan_sql *sqls, size_t count, const char **note,
		     struct pgm_error *err)
{
	struct pgm_error own;
	struct work work = {.run = run,
			    .statements = PGM_NEW_ARRAY(run->arena, struct statement, count + 1),
			    .count = count,
			    .began_ms = pgm_clock_ms(),
			    .first_fraction = -1};
	err = err ? err : &own;
	for (size_t i = 0; i < count; i++)
		work.statements[i].sql = pgm_batches_renumber(
			run->arena, sqls[i].text, &work.statements[i].used, &work.statements[i].used_count);
	for (size_t i = 0; i < count; i++)
		work.statements[i].may_end = strcasestr(sqls[i].text, "again") != NULL;
	for (size_t i = 0; i < count; i++)
		work.own_limit |= strncmp(sqls[i].text, "SET LOCAL statement_timeout", 27) == 0;
	if (!enter(&work, err))
		return false;
	for (bool done = false; !done;)
		if (!pgm_throttle(run, &work.throttle, err) || !run_batch(&work, &done, err))
			return false;
	*note = done_note(run->arena, &work.state);
	return true;
}
