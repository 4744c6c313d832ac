/* A batch is opened and closed, and says what became of it. */
#include "lib/batch.h"

#include "lib/error.h"
#include "lib/options.h"
#include "util/clock.h"

#include <stdio.h>
#include <stdlib.h>

static bool check_connection(PGconn *conn, struct pgmend_error *err)
{
	if (!conn || PQstatus(conn) != CONNECTION_OK)
		return conn ? pgm_lib_error_conn(err, conn)
			    : pgm_lib_error_set(err, PGMEND_ERR_USAGE, "there is no connection");
	if (PQpipelineStatus(conn) != PQ_PIPELINE_OFF)
		return pgm_lib_error_set(err, PGMEND_ERR_STATE, "the connection is in pipeline mode");
	PGTransactionStatusType state = PQtransactionStatus(conn);
	if (state != PQTRANS_IDLE && state != PQTRANS_INTRANS)
		return pgm_lib_error_set(err, PGMEND_ERR_STATE,
					 state == PQTRANS_INERROR ? "the connection's transaction has failed"
								  : "the connection is busy");
	if (PQserverVersion(conn) < 130000)
		return pgm_lib_error_set(err, PGMEND_ERR_STATE, "the server is older than PostgreSQL 13");
	const char *encoding = PQparameterStatus(conn, "client_encoding");
	if (!encoding || strcmp(encoding, "UTF8") != 0) {
		pgm_lib_error_set(err, PGMEND_ERR_STATE, "the connection's client_encoding is %s, not UTF8",
				  encoding ? encoding : "unknown");
		return pgm_lib_error_hint(err, "Connect with client_encoding=UTF8.");
	}
	return true;
}

struct pgmend_batch *pgmend_batch_open(struct pg_conn *conn, const struct pgmend_batch_options *options,
				       struct pgmend_error *err)
{
	pgm_lib_error_clear(err);
	struct pgmend_batch *b = calloc(1, sizeof(*b));
	if (!b) {
		pgm_lib_error_memory(err);
		return NULL;
	}
	bool ok = pgm_lib_options_copy(&b->options, sizeof(b->options), options, err);
	if (ok && !b->options.table)
		ok = pgm_lib_error_set(err, PGMEND_ERR_USAGE, "the options name no table");
	if (ok && check_connection(conn, err)) {
		b->conn = conn;
		b->started_ms = pgm_clock_ms();
		/* No two batches of a connection may have the same, also when a name could not be taken back.
		 */
		b->statement_tag = (unsigned long long)(b->started_ms * 1e6) ^ (uintptr_t)b;
		b->was_nonblocking = PQisnonblocking(conn) != 0;
		b->callers_transaction = PQtransactionStatus(conn) == PQTRANS_INTRANS;
		atomic_init(&b->canceled, false);
		b->cancel = PQgetCancel(conn);
		ok = b->cancel || pgm_lib_error_memory(err);
		if (b->was_nonblocking)
			PQsetnonblocking(conn, 0);
		ok = ok && pgm_target_read(&b->target, conn, b->options.schema, b->options.table, err) &&
		     pgm_batch_plan(b, err);
		b->result.method = b->method;
	} else {
		ok = false;
	}
	if (ok)
		return b;
	b->ended = true;
	pgmend_batch_close(b);
	return NULL;
}

void pgmend_batch_cancel(struct pgmend_batch *b)
{
	char message[256]; /* where the request can't be sent, the flag still stops what comes next */
	atomic_store(&b->canceled, true);
	PQcancel(b->cancel, message, sizeof(message));
}

static void deallocate(struct pgmend_batch *b)
{
	if (PQstatus(b->conn) != CONNECTION_OK || PQtransactionStatus(b->conn) == PQTRANS_INERROR)
		return;
	for (size_t i = 0; i < sizeof(b->prepared) / sizeof(*b->prepared); i++) {
		char sql[64];
		if (!b->prepared[i])
			continue;
		snprintf(sql, sizeof(sql), "DEALLOCATE " PGM_STATEMENT_NAME, b->statement_tag, i);
		PQclear(PQexec(b->conn, sql));
	}
}

void pgmend_batch_close(struct pgmend_batch *b)
{
	if (!b)
		return;
	if (!b->ended) {
		struct pgmend_error why;
		pgm_lib_error_set(&why, PGMEND_ERR_STATE, "closed before it was finished");
		pgm_batch_abort(b, &why, NULL);
	}
	if (b->conn) {
		deallocate(b);
		if (b->was_nonblocking)
			PQsetnonblocking(b->conn, 1);
	}
	PQfreeCancel(b->cancel);
	for (int i = 0; b->columns && i < b->options.column_count; i++)
		free(b->columns[i].name);
	for (int i = 0; b->arrays && i < b->column_count; i++)
		pgm_bytes_done(&b->arrays[i]);
	free(b->columns);
	free(b->values);
	free(b->arrays);
	free(b->parameters);
	free(b->lengths);
	free(b->formats);
	free(b->types);
	free(b->attempt.awaited);
	pgm_bytes_done(&b->copy_sql);
	pgm_bytes_done(&b->check_sql);
	pgm_bytes_done(&b->insert_head);
	pgm_bytes_done(&b->insert_tail);
	pgm_rows_done(&b->rows);
	pgm_keys_done(&b->keys);
	pgm_bad_done(&b->bad);
	pgm_returned_done(&b->returned);
	pgm_target_done(&b->target);
	free(b);
}

void pgmend_batch_result(const struct pgmend_batch *b, struct pgmend_batch_result *result)
{
	struct pgmend_batch_result now = b->result;
	if (!b->ended)
		now.elapsed_ms = pgm_clock_ms() - b->started_ms;
	pgm_lib_result_copy(result, &now, sizeof(now));
}
