#include "pg/copy.h"

#include "pg/result.h"
#include "util/interrupt.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Where the server was when it failed. */
static void keep_context(const PGresult *result, char *context, size_t size)
{
	const char *text = PQresultErrorField(result, PG_DIAG_CONTEXT);
	if (context && text)
		snprintf(context, size, "%s", text);
}

/* What is left of a COPY, and how it ended; the first error counts. */
static bool finish(PGconn *pq, bool ok, int64_t *rows, char *context, size_t size, struct pgm_error *err)
{
	PGresult *result;
	while ((result = PQgetResult(pq)) != NULL) {
		ExecStatusType status = PQresultStatus(result);
		if (ok && status != PGRES_COPY_OUT && status != PGRES_COPY_IN) {
			ok = pgm_result_check(pq, result, err);
			keep_context(result, context, size);
		}
		if (ok && status == PGRES_COMMAND_OK)
			*rows = strtoll(PQcmdTuples(result), NULL, 10);
		PQclear(result);
		if (PQstatus(pq) != CONNECTION_OK)
			break;
	}
	return ok;
}

static bool begin(struct pgm_conn *conn, const char *sql, ExecStatusType wanted, int64_t *rows,
		  struct pgm_error *err)
{
	PGconn *pq = pgm_conn_pq(conn);
	*rows = 0;
	if (pgm_interrupted())
		return pgm_error_set(err, PGM_ERR_CANCELED, "stopped by the user");
	PGresult *result = PQexec(pq, sql);
	ExecStatusType status = PQresultStatus(result);
	bool ok = status == wanted;
	if (!ok && pgm_result_check(pq, result, err))
		pgm_error_set(err, PGM_ERR_QUERY, "this is not the COPY that was meant");
	PQclear(result);
	return ok;
}

bool pgm_conn_copy_out(struct pgm_conn *conn, const char *sql, pgm_copy_sink *sink, void *arg, int64_t *rows,
		       struct pgm_error *err)
{
	PGconn *pq = pgm_conn_pq(conn);
	bool ok = true;
	if (!begin(conn, sql, PGRES_COPY_OUT, rows, err))
		return false;
	for (;;) {
		char *data = NULL;
		int length = PQgetCopyData(pq, &data, 0);
		if (length < 0)
			break;
		if (ok && !sink(arg, data, (size_t)length, err)) {
			ok = false;
			pgm_conn_cancel(conn); /* what still comes is read and thrown away */
		}
		PQfreemem(data);
	}
	return finish(pq, ok, rows, NULL, 0, err);
}

bool pgm_conn_copy_in(struct pgm_conn *conn, const char *sql, pgm_copy_source *source, void *arg,
		      int64_t *rows, struct pgm_error *err)
{
	return pgm_conn_copy_in_context(conn, sql, source, arg, rows, NULL, 0, err);
}

bool pgm_conn_copy_in_context(struct pgm_conn *conn, const char *sql, pgm_copy_source *source, void *arg,
			      int64_t *rows, char *context, size_t size, struct pgm_error *err)
{
	PGconn *pq = pgm_conn_pq(conn);
	bool ok = true, sent = true;
	if (!begin(conn, sql, PGRES_COPY_IN, rows, err))
		return false;
	for (;;) {
		const char *data;
		size_t length;
		ok = source(arg, &data, &length, err);
		if (ok && pgm_interrupted())
			ok = pgm_error_set(err, PGM_ERR_CANCELED, "stopped by the user");
		if (!ok || length == 0)
			break;
		sent = PQputCopyData(pq, data, (int)length) == 1;
		if (!sent)
			break;
	}
	if (PQputCopyEnd(pq, ok ? NULL : "given up") != 1 && ok && !sent)
		ok = pgm_result_connection_error(pq, err);
	return finish(pq, ok, rows, context, size, err);
}
