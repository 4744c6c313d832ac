/* An attempt by COPY FROM STDIN: one query with what comes before and after it, so that no round trip is
 * lost. */
#include "lib/batch.h"

#include "lib/error.h"

#include <stdlib.h>

#define SLICE_BYTES ((size_t)256 << 10)

/* The signature, no flags, no extension: see COPY's "Binary Format". */
static const char header[] = "PGCOPY\n\377\r\n\0\0\0\0\0\0\0\0\0";
#define HEADER_BYTES 19

/* The server says "COPY orders, line 17": the row of the attempt, from 1. A hint, in some languages alone. */
static void find_line(struct pgmend_batch *b, const PGresult *result, size_t *from, size_t *to)
{
	const char *context = PQresultErrorField(result, PG_DIAG_CONTEXT);
	const char *copy = context ? strstr(context, "COPY ") : NULL;
	const char *line = copy ? strstr(copy, ", line ") : NULL;
	size_t number = line ? strtoul(line + strlen(", line "), NULL, 10) : 0;
	*from = b->attempt.from;
	*to = b->rows.count;
	if (number > 0 && number <= b->rows.count - b->attempt.from) {
		*from += number - 1;
		*to = *from + 1;
	}
}

static bool fail(struct pgmend_batch *b, const PGresult *result)
{
	size_t from, to;
	find_line(b, result, &from, &to);
	return pgm_attempt_fail(b, result, from, to);
}

bool pgm_copy_begin(struct pgmend_batch *b)
{
	struct pgm_attempt *a = &b->attempt;
	struct pgm_command before[PGM_COMMANDS_MAX], after[PGM_COMMANDS_MAX];
	size_t before_count = pgm_attempt_before(b, before), after_count = pgm_attempt_after(b, after);
	struct pgm_bytes sql = {0};
	for (size_t i = 0; i < before_count; i++)
		pgm_bytes_printf(&sql, "%s; ", before[i].sql);
	if (b->may_copy && !b->upsert_checked)
		pgm_bytes_printf(&sql, "%s; ", (const char *)b->check_sql.data);
	pgm_bytes_add(&sql, b->copy_sql.data, b->copy_sql.length);
	for (size_t i = 0; i < after_count; i++)
		pgm_bytes_printf(&sql, "; %s", after[i].sql);
	const char *text = pgm_bytes_string(&sql);
	bool sent = text && PQsendQuery(b->conn, text);
	pgm_bytes_done(&sql);
	if (!text) {
		a->failed = true;
		return pgm_lib_error_memory(&a->error);
	}
	if (!sent)
		return pgm_attempt_fail(b, NULL, a->from, b->rows.count);
	b->result.statements++;
	for (;;) {
		PGresult *result = PQgetResult(b->conn);
		ExecStatusType status = PQresultStatus(result);
		if (status == PGRES_TUPLES_OK)
			pgm_batch_take_xid(b, result);
		else if (status != PGRES_COMMAND_OK && status != PGRES_COPY_IN)
			a->hopeless = !pgm_attempt_fail(b, result, a->from, b->rows.count);
		PQclear(result);
		if (a->failed)
			return false;
		if (status == PGRES_COPY_IN)
			break;
	}
	b->upsert_checked = true;
	if (b->form == PGM_FORM_COPY && PQputCopyData(b->conn, header, HEADER_BYTES) != 1)
		return pgm_attempt_fail(b, NULL, a->from, b->rows.count);
	return true;
}

static bool send_bytes(struct pgmend_batch *b, const unsigned char *at, size_t left)
{
	while (left) {
		size_t length = left < SLICE_BYTES ? left : SLICE_BYTES;
		if (pgm_attempt_canceled(b))
			return false;
		if (PQputCopyData(b->conn, (const char *)at, (int)length) != 1)
			return pgm_attempt_fail(b, NULL, b->attempt.from, b->rows.count);
		b->result.bytes_sent += (int64_t)length;
		at += length;
		left -= length;
	}
	return true;
}

bool pgm_copy_send(struct pgmend_batch *b, size_t to)
{
	const struct pgm_rows *rows = &b->rows;
	size_t from = b->attempt.sent, end;
	b->attempt.sent = to;
	for (; from < to; from = end + 1) { /* the rows before one that is left out */
		end = b->key_count ? from : to;
		while (end < to && !rows->rows[end].left_out)
			end++;
		if (end > from && !send_bytes(b, pgm_row_at(rows, from),
					      pgm_row_end(rows, end - 1) - rows->rows[from].begin))
			return false;
	}
	return true;
}

/* What the server answers to the whole query. */
static void take_results(struct pgmend_batch *b, bool give_up)
{
	struct pgm_attempt *a = &b->attempt;
	bool copied = false;
	for (PGresult *result; (result = PQgetResult(b->conn)) != NULL;) {
		ExecStatusType status = PQresultStatus(result);
		if (status == PGRES_COMMAND_OK && strncmp(PQcmdStatus(result), "COPY", 4) == 0) {
			a->written += strtoll(PQcmdTuples(result), NULL, 10);
			copied = true;
		} else if (status != PGRES_COMMAND_OK && status != PGRES_TUPLES_OK && !give_up) {
			fail(b, result);
			if (!copied && a->error.sqlstate[0])
				a->commit_sent = false; /* it was not reached */
		}
		bool endless = status == PGRES_COPY_IN; /* the connection broke: nothing more will come */
		PQclear(result);
		if (endless)
			break;
	}
}

bool pgm_copy_end(struct pgmend_batch *b, bool give_up)
{
	struct pgm_attempt *a = &b->attempt;
	/* Given up: either the server refused the COPY, which is not running then, or we do. */
	bool running = PQtransactionStatus(b->conn) == PQTRANS_ACTIVE;
	if (running && !give_up) {
		a->commit_sent = a->commits;
		bool ok = b->form != PGM_FORM_COPY || PQputCopyData(b->conn, "\377\377", 2) == 1;
		if (!ok || PQputCopyEnd(b->conn, NULL) != 1)
			pgm_attempt_fail(b, NULL, a->from, b->rows.count);
	} else if (running) {
		PQputCopyEnd(b->conn, "given up");
	}
	take_results(b, give_up);
	if (!give_up && !a->failed && PQstatus(b->conn) != CONNECTION_OK)
		pgm_attempt_fail(b, NULL, a->from, b->rows.count);
	if (!a->failed)
		a->commit_sent = false;
	return !a->failed;
}
