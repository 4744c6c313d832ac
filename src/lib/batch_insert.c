/*
 * An attempt by prepared INSERTs in libpq's pipeline mode: while the server works on one statement, the next
 * one is built. The connection does not block meanwhile: with both sides writing, neither would read.
 */
#include "lib/batch.h"

#include "lib/error.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>

#define ARRAY_HEADER_BYTES 20

static bool lost(struct pgmend_batch *b)
{
	return pgm_attempt_fail(b, NULL, b->attempt.from, b->rows.count);
}

static bool no_memory(struct pgmend_batch *b)
{
	if (b->attempt.failed)
		return false;
	b->attempt.failed = true;
	return pgm_lib_error_memory(&b->attempt.error);
}

/* Until all that is queued is with the kernel; what the server sends is read meanwhile. */
static bool pump(struct pgmend_batch *b)
{
	for (;;) {
		int state = PQflush(b->conn);
		if (state <= 0)
			return state == 0 || lost(b);
		struct pollfd ready = {.fd = PQsocket(b->conn), .events = POLLIN | POLLOUT};
		if (poll(&ready, 1, -1) < 0 && errno != EINTR)
			return lost(b);
		if ((ready.revents & ~POLLOUT) && !PQconsumeInput(b->conn))
			return lost(b);
	}
}

static bool await(struct pgmend_batch *b, enum pgm_awaited_kind kind, size_t from, size_t to)
{
	struct pgm_attempt *a = &b->attempt;
	/* One more than is asked for: the Sync that ends a pipeline must never be short of memory. */
	if (kind != PGM_AWAIT_SYNC && a->awaited_count + 2 > a->awaited_capacity) {
		size_t capacity = a->awaited_capacity ? a->awaited_capacity * 2 : 64;
		struct pgm_awaited *grown = realloc(a->awaited, capacity * sizeof(*grown));
		if (!grown)
			return no_memory(b);
		a->awaited = grown;
		a->awaited_capacity = capacity;
	}
	a->awaited[a->awaited_count++] = (struct pgm_awaited){kind, from, to};
	return true;
}

static bool queue_command(struct pgmend_batch *b, const struct pgm_command *command)
{
	if (!await(b, command->kind, 0, 0))
		return false;
	if (PQsendQueryParams(b->conn, command->sql, 0, NULL, NULL, NULL, NULL, 0))
		return true;
	b->attempt.awaited_count--;
	return lost(b);
}

/* ---------------------------------------------------------------- answers */

static size_t rows_sent(const struct pgmend_batch *b, const struct pgm_awaited *awaited)
{
	size_t count = 0;
	for (size_t i = awaited->from; i < awaited->to; i++)
		count += b->attempt.piece || !b->rows.rows[i].left_out;
	return count;
}

/* Takes result. */
static void take_rows(struct pgmend_batch *b, PGresult *result, const struct pgm_awaited *awaited)
{
	struct pgm_attempt *a = &b->attempt;
	a->written += strtoll(PQcmdTuples(result), NULL, 10);
	if (!b->returning_count || a->failed) {
		PQclear(result);
		return;
	}
	size_t sent = rows_sent(b, awaited);
	if ((size_t)PQntuples(result) == sent || sent == 1) {
		if (!pgm_returned_add(b, result, awaited->from, awaited->to))
			no_memory(b);
		return;
	}
	/* A trigger or a rule left some out: which, shows when each is sent alone. */
	PQclear(result);
	a->failed = a->mismatch = true;
	a->bad_from = a->bad_to = 0;
	b->one_by_one = true;
}

/* One result that belongs to what is awaited first. Takes it. */
static void take_result(struct pgmend_batch *b, PGresult *result)
{
	struct pgm_attempt *a = &b->attempt;
	const struct pgm_awaited awaited = a->awaited[a->answered];
	ExecStatusType status = PQresultStatus(result);
	if (status == PGRES_PIPELINE_SYNC) {
		a->answered = a->awaited_count;
	} else if (status == PGRES_COMMAND_OK || status == PGRES_TUPLES_OK) {
		if (awaited.kind == PGM_AWAIT_ROWS) {
			take_rows(b, result, &awaited);
			return;
		}
		if (awaited.kind == PGM_AWAIT_XID)
			pgm_batch_take_xid(b, result);
		else if (awaited.kind == PGM_AWAIT_PREPARE)
			b->prepared[awaited.from] = true;
	} else if (status != PGRES_PIPELINE_ABORTED) {
		bool of_rows = awaited.kind == PGM_AWAIT_ROWS;
		bool first = !a->error.sqlstate[0] && PQresultErrorField(result, PG_DIAG_SQLSTATE);
		if (awaited.kind != PGM_AWAIT_COMMIT && first)
			a->commit_sent = false; /* it was not reached */
		if (awaited.kind == PGM_AWAIT_PREPARE && !a->failed)
			a->hopeless = true;
		pgm_attempt_fail(b, result, of_rows ? awaited.from : a->from,
				 of_rows ? awaited.to : b->rows.count);
	}
	PQclear(result);
}

/* Takes the answers that are there, or all of them. */
static bool take_answers(struct pgmend_batch *b, bool all)
{
	struct pgm_attempt *a = &b->attempt;
	while (a->answered < a->awaited_count) {
		if (!all && PQisBusy(b->conn))
			break;
		if (a->awaited[a->answered].kind == PGM_AWAIT_SYNC && !all)
			break;
		PGresult *result = PQgetResult(b->conn);
		if (result)
			take_result(b, result);
		else if (PQstatus(b->conn) != CONNECTION_OK)
			return lost(b);
		else if (a->answered < a->awaited_count)
			a->answered++;
	}
	return !a->failed;
}

/* ---------------------------------------------------------------- statements */

static bool prepare(struct pgmend_batch *b, size_t index, size_t parameters)
{
	struct pgm_attempt *a = &b->attempt;
	char name[64];
	if (b->prepared[index])
		return true;
	for (size_t i = a->answered; i < a->awaited_count; i++)
		if (a->awaited[i].kind == PGM_AWAIT_PREPARE && a->awaited[i].from == index)
			return true;
	char *sql = pgm_batch_statement(b, index);
	if (!sql || !await(b, PGM_AWAIT_PREPARE, index, 0)) {
		free(sql);
		return no_memory(b);
	}
	for (size_t i = 0; i < parameters; i++) {
		const struct pgm_batch_column *column = &b->columns[i % (size_t)b->column_count];
		b->types[i] = index == PGM_STATEMENT_UNNEST ? column->wire_array_oid : column->wire_oid;
	}
	snprintf(name, sizeof(name), PGM_STATEMENT_NAME, b->statement_tag, index);
	bool ok = PQsendPrepare(b->conn, name, sql, (int)parameters, b->types);
	free(sql);
	if (ok)
		return true;
	a->awaited_count--;
	return lost(b);
}

static bool execute(struct pgmend_batch *b, size_t index, size_t parameters, size_t from, size_t to)
{
	struct pgm_attempt *a = &b->attempt;
	char name[64];
	if (!prepare(b, index, parameters) || !await(b, PGM_AWAIT_ROWS, from, to))
		return false;
	snprintf(name, sizeof(name), PGM_STATEMENT_NAME, b->statement_tag, index);
	if (!PQsendQueryPrepared(b->conn, name, (int)parameters, b->parameters, b->lengths, b->formats,
				 b->options.returning_binary)) {
		a->awaited_count--;
		return lost(b);
	}
	b->result.statements++;
	for (size_t i = 0; i < parameters; i++)
		b->result.bytes_sent += b->lengths[i] + 4;
	a->sent = to;
	return true;
}

/* Where the fields of a row stand one after the other, each column's go into its array. */
static bool send_unnest(struct pgmend_batch *b, size_t from, size_t to)
{
	size_t columns = (size_t)b->column_count;
	uint32_t rows = 0;
	for (size_t c = 0; c < columns; c++) {
		b->arrays[c].length = 0;
		b->lengths[c] = 0; /* until it is sent: whether there is a NULL */
		if (!pgm_bytes_extend(&b->arrays[c], ARRAY_HEADER_BYTES))
			return no_memory(b);
	}
	for (size_t i = from; i < to; i++) {
		if (b->rows.rows[i].left_out && !b->attempt.piece)
			continue;
		const unsigned char *field = pgm_row_at(&b->rows, i) + b->row_head;
		rows++;
		for (size_t c = 0; c < columns; c++) {
			uint32_t length = pgm_get32(field);
			size_t size = length == UINT32_MAX ? 4 : 4 + (size_t)length;
			if (size == 4)
				b->lengths[c] |= length == UINT32_MAX;
			pgm_bytes_add(&b->arrays[c], field, size);
			field += size;
		}
	}
	for (size_t c = 0; c < columns; c++) {
		struct pgm_bytes *array = &b->arrays[c];
		if (array->failed)
			return no_memory(b);
		pgm_put32(array->data, 1);
		pgm_put32(array->data + 4, (uint32_t)b->lengths[c]);
		pgm_put32(array->data + 8, b->columns[c].wire_oid);
		pgm_put32(array->data + 12, rows);
		pgm_put32(array->data + 16, 1);
		b->parameters[c] = (const char *)array->data;
		b->lengths[c] = (int)array->length;
	}
	return pump(b) && execute(b, PGM_STATEMENT_UNNEST, columns, from, to);
}

/* One statement with rows of the chunk: as many as it has, from `from` on, without those left out. */
static bool send_values(struct pgmend_batch *b, size_t index, size_t from, size_t to)
{
	size_t columns = (size_t)b->column_count, parameters = 0;
	for (size_t i = from; i < to; i++) {
		if (b->rows.rows[i].left_out && !b->attempt.piece)
			continue;
		const unsigned char *field = pgm_row_at(&b->rows, i) + b->row_head;
		for (size_t c = 0; c < columns; c++, parameters++) {
			uint32_t length = pgm_get32(field);
			bool null = length == UINT32_MAX;
			b->parameters[parameters] = null ? NULL : (const char *)field + 4;
			b->lengths[parameters] = null ? 0 : (int)length;
			field += null ? 4 : 4 + (size_t)length;
		}
	}
	return pump(b) && execute(b, index, parameters, from, to);
}

/*
 * Where a statement that begins with row `from` must end: before a row that has the key of an earlier one of
 * it, or that makes it too long: a server ends the session that sends it a message of 1 GB.
 */
static size_t statement_end(const struct pgmend_batch *b, size_t from, size_t to)
{
	if (to - from > b->statement_rows)
		to = from + b->statement_rows;
	size_t begin = b->rows.rows[from].begin;
	bool too_long = pgm_row_end(&b->rows, to - 1) - begin > PGM_STATEMENT_BYTES;
	for (size_t i = from + 1; too_long && i < to; i++)
		if (pgm_row_end(&b->rows, i) - begin > PGM_STATEMENT_BYTES)
			to = i;
	for (size_t i = from; b->attempt.piece && b->key_count && i < to; i++)
		if (b->rows.rows[i].earlier > from)
			return i;
	return to;
}

/* VALUES statements have fixed numbers of rows: the full one, and powers of two for what is left. */
static bool send_rows_as_values(struct pgmend_batch *b, size_t from, size_t to)
{
	bool skip = !b->attempt.piece;
	size_t left = 0;
	for (size_t i = from; i < to; i++)
		left += !(skip && b->rows.rows[i].left_out);
	while (left) {
		size_t index = PGM_STATEMENT_FULL, wanted = b->one_by_one ? 1 : b->statement_rows, end = from;
		if (left < wanted || b->one_by_one)
			for (index = 1, wanted = 1; !b->one_by_one && wanted * 2 <= left;)
				wanted *= 2, index++;
		for (size_t count = 0; count < wanted; end++)
			count += !(skip && b->rows.rows[end].left_out);
		if (!send_values(b, index, from, end))
			return false;
		left -= wanted;
		from = end;
	}
	b->attempt.sent = to;
	return true;
}

bool pgm_insert_begin(struct pgmend_batch *b)
{
	struct pgm_command before[PGM_COMMANDS_MAX];
	size_t count = pgm_attempt_before(b, before);
	if (PQsetnonblocking(b->conn, 1) != 0 || !PQenterPipelineMode(b->conn))
		return lost(b);
	for (size_t i = 0; i < count; i++)
		if (!queue_command(b, &before[i]))
			return false;
	return true;
}

bool pgm_insert_send(struct pgmend_batch *b, size_t to)
{
	struct pgm_attempt *a = &b->attempt;
	while (a->sent < to) {
		size_t from = a->sent, end = statement_end(b, from, to);
		bool values = b->method == PGMEND_METHOD_VALUES || b->one_by_one;
		if (pgm_attempt_canceled(b))
			return false;
		if (values ? !send_rows_as_values(b, from, end) : !send_unnest(b, from, end))
			return false;
		/* The first part of it goes now; the rest while the next one is built, or in pump(). */
		if (PQflush(b->conn) < 0 || !PQconsumeInput(b->conn))
			return lost(b);
		if (!take_answers(b, false))
			return false;
	}
	return true;
}

bool pgm_insert_end(struct pgmend_batch *b, bool give_up)
{
	struct pgm_attempt *a = &b->attempt;
	struct pgm_command after[PGM_COMMANDS_MAX];
	bool in_pipeline = PQpipelineStatus(b->conn) != PQ_PIPELINE_OFF;
	size_t count = pgm_attempt_after(b, after);
	/* What RETURNING gave must be seen before the savepoint goes. */
	bool look_first = b->returning_count && !b->one_by_one;
	if (in_pipeline && !give_up && !look_first) {
		a->commit_sent = a->commits;
		for (size_t i = 0; i < count && !a->failed; i++)
			queue_command(b, &after[i]);
	}
	if (in_pipeline && PQstatus(b->conn) == CONNECTION_OK) {
		if (a->awaited_capacity) { /* else nothing was sent */
			await(b, PGM_AWAIT_SYNC, 0, 0);
			if (PQpipelineSync(b->conn) && pump(b))
				take_answers(b, true);
			else
				lost(b);
		}
		if (PQstatus(b->conn) == CONNECTION_OK && !PQexitPipelineMode(b->conn))
			lost(b);
	}
	for (PGresult *result;
	     PQstatus(b->conn) != CONNECTION_OK && (result = PQgetResult(b->conn)) != NULL;) {
		if (a->answered < a->awaited_count)
			take_result(b, result);
		else
			PQclear(result);
	}
	PQsetnonblocking(b->conn, 0);
	for (size_t i = 0; look_first && !give_up && !a->failed && i < count; i++)
		if (!pgm_batch_exec(b, after[i].sql, &a->error))
			a->failed = true;
	if (!a->failed)
		a->commit_sent = false;
	return !a->failed;
}
