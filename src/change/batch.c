#include "change/batch.h"

#include "util/clock.h"

#include <stdlib.h>
#include <string.h>

#define BEGIN_STATEMENTS 4

int64_t pgm_batch_rows_changed(const char *status)
{
	static const char *const tags[] = {"DELETE ", "UPDATE ", "INSERT 0 ", "MERGE "};
	for (size_t i = 0; i < sizeof(tags) / sizeof(*tags); i++)
		if (strncmp(status, tags[i], strlen(tags[i])) == 0)
			return strtoll(status + strlen(tags[i]), NULL, 10);
	return 0;
}

/* What the statement returned: the engine's columns, and parameters for those that follow. */
static bool take(struct pgm_batch *batch, const struct pgm_rows *rows, struct pgm_error *err)
{
	int64_t handled = pgm_batch_rows_changed(rows->command_status);
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
		} else if (strcmp(name, "apart") == 0) {
			batch->apart = cell && *cell == 't';
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

static int missing_param(const struct pgm_batch *batch, const struct pgm_batch_sql *statement)
{
	for (size_t p = 0; p < statement->used_count; p++)
		if (statement->used[p] < 1 || (size_t)statement->used[p] > batch->params.count)
			return statement->used[p];
	return 0;
}

/* The parameters of a statement; NULL where one of them is not known yet. */
static const char **params_of(const struct pgm_batch *batch, const struct pgm_batch_sql *statement)
{
	const char **params = PGM_NEW_ARRAY(batch->scratch, const char *, statement->used_count + 1);
	if (missing_param(batch, statement))
		return NULL;
	for (size_t p = 0; p < statement->used_count; p++)
		params[p] = batch->params.items[statement->used[p] - 1];
	return params;
}

/*
 * What can be sent at once from the next statement on: all that need nothing of one another, up to one that
 * may end the batch. Round trips are what small statements take longest for.
 */
static size_t gather(const struct pgm_batch *batch, struct pgm_conn_statement *group)
{
	size_t count = 0;
	while (batch->done + count < batch->count) {
		const struct pgm_batch_sql *statement = &batch->sqls[batch->done + count];
		const char **params = params_of(batch, statement);
		if (!params)
			break;
		group[count++] = (struct pgm_conn_statement){statement->text, statement->used_count, params};
		if (statement->may_end)
			break;
	}
	return count;
}

/*
 * No batch waits for the disk: a crash takes back the last ones together with their cursor, and the run goes
 * on from there. What is committed after the last of them makes them all last.
 */
static size_t begin(struct pgm_arena *scratch, int64_t lock_timeout_ms, struct pgm_conn_statement *group)
{
	group[0] = (struct pgm_conn_statement){.sql = "BEGIN ISOLATION LEVEL READ COMMITTED"};
	group[1] = (struct pgm_conn_statement){.sql = "SET LOCAL jit = off"};
	group[2] = (struct pgm_conn_statement){.sql = "SET LOCAL synchronous_commit = off"};
	group[3] = (struct pgm_conn_statement){
		.sql = pgm_sprintf(scratch, "SET LOCAL lock_timeout = %lld", (long long)lock_timeout_ms)};
	return BEGIN_STATEMENTS;
}

/* Behind the statements that are in the group already. */
static bool send(struct pgm_batch *batch, struct pgm_conn_statement *group, size_t before,
		 struct pgm_error *err)
{
	size_t count = gather(batch, group + before);
	if (count == 0)
		return pgm_error_set(err, PGM_ERR_INPUT,
				     "statement %zu of the batch uses $%d, which no statement before it "
				     "returns",
				     batch->done + 1, missing_param(batch, &batch->sqls[batch->done]));
	batch->before = before;
	batch->sent = before + count;
	return pgm_conn_pipeline_send(batch->conn, batch->sent, group, err);
}

bool pgm_batch_begin(struct pgm_batch *batch, int64_t size, int64_t lock_timeout_ms, struct pgm_error *err)
{
	batch->scratch = pgm_arena_new(0);
	batch->began_ms = pgm_clock_ms();
	batch->fraction = -1;
	batch->answers = PGM_NEW_ARRAY(batch->scratch, struct pgm_rows, batch->count + BEGIN_STATEMENTS);
	*pgm_vec_add(batch->scratch, &batch->params) = pgm_sprintf(batch->scratch, "%lld", (long long)size);
	*pgm_vec_add(batch->scratch, &batch->params) = batch->start;
	struct pgm_conn_statement *group =
		PGM_NEW_ARRAY(batch->scratch, struct pgm_conn_statement, batch->count + BEGIN_STATEMENTS);
	return send(batch, group, begin(batch->scratch, lock_timeout_ms, group), err);
}

bool pgm_batch_go_on(struct pgm_batch *batch, bool *more, struct pgm_error *err)
{
	double until_ms = batch->limit_ms > 0 ? batch->began_ms + batch->limit_ms : 0;
	if (!pgm_conn_pipeline_receive(batch->conn, batch->scratch, batch->sent, until_ms, batch->answers,
				       err))
		return false;
	for (size_t i = batch->before; i < batch->sent; i++)
		if (!take(batch, &batch->answers[i], err))
			return false;
	batch->done += batch->sent - batch->before;
	*more = batch->done < batch->count && !batch->again;
	if (!*more)
		return true;
	struct pgm_conn_statement *group =
		PGM_NEW_ARRAY(batch->scratch, struct pgm_conn_statement, batch->count);
	return send(batch, group, 0, err);
}

void pgm_batch_free(struct pgm_batch *batch)
{
	pgm_arena_free(batch->scratch);
	batch->scratch = NULL;
}
