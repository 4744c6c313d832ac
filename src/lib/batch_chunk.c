/*
 * Chunks: their first attempt runs while they fill. See batch.h.
 */
#include "lib/batch.h"

#include "lib/error.h"
#include "util/clock.h"

#include <stdlib.h>

/* As much as makes a write to the socket worth its system call. */
#define COPY_SLICE_BYTES      ((size_t)64 << 10)
#define PROGRESS_BYTES	      (1 << 20)
#define STEP_AFTER_BAD_ROW    256
#define CANCELED_ROLLBACK_MAX 3

#define BEGIN_SQL "BEGIN"
#define XID_SQL	  "SELECT pg_catalog.pg_current_xact_id()"

#define COPY_ROWS_GROWTH 4

/* Whether the chunk that fills, or the attempt that is made of it, goes by COPY. */
static bool copies(const struct pgmend_batch *b)
{
	return b->attempt.running ? b->attempt.by_copy : b->method == PGMEND_METHOD_COPY || b->copies_next;
}

/* ---------------------------------------------------------------- commands around an attempt */

size_t pgm_attempt_before(const struct pgmend_batch *b, struct pgm_command *commands)
{
	size_t count = 0;
	if (!b->in_transaction && b->callers_transaction) {
		commands[count++] = (struct pgm_command){"SAVEPOINT pgmend_batch", PGM_AWAIT_COMMAND};
	} else if (!b->in_transaction) {
		commands[count++] = (struct pgm_command){BEGIN_SQL, PGM_AWAIT_COMMAND};
		commands[count++] = (struct pgm_command){XID_SQL, PGM_AWAIT_XID};
	}
	if (!b->attempt.commits)
		commands[count++] = (struct pgm_command){"SAVEPOINT pgmend_rows", PGM_AWAIT_COMMAND};
	return count;
}

size_t pgm_attempt_after(const struct pgmend_batch *b, struct pgm_command *commands)
{
	if (b->attempt.commits) {
		commands[0] = (struct pgm_command){"COMMIT", PGM_AWAIT_COMMIT};
		return 1;
	}
	size_t count = 0;
	if (b->target.deferred && !b->callers_transaction && b->options.bad_rows == PGMEND_BAD_ROWS_SKIP) {
		/* What is checked at COMMIT only would undo everything there. */
		commands[count++] = (struct pgm_command){"SET CONSTRAINTS ALL IMMEDIATE", PGM_AWAIT_COMMAND};
		commands[count++] = (struct pgm_command){"SET CONSTRAINTS ALL DEFERRED", PGM_AWAIT_COMMAND};
	}
	commands[count++] = (struct pgm_command){"RELEASE SAVEPOINT pgmend_rows", PGM_AWAIT_COMMAND};
	return count;
}

void pgm_batch_take_xid(struct pgmend_batch *b, const PGresult *result)
{
	if (PQntuples(result) == 1 && strcmp(PQfname(result, 0), "pg_current_xact_id") == 0)
		b->result.xid = strtoull(PQgetvalue(result, 0, 0), NULL, 10);
}

bool pgm_batch_exec(struct pgmend_batch *b, const char *sql, struct pgmend_error *err)
{
	for (int i = 0;; i++) {
		PGresult *result = PQexec(b->conn, sql);
		ExecStatusType status = PQresultStatus(result);
		bool ok = status == PGRES_COMMAND_OK || status == PGRES_TUPLES_OK;
		const char *sqlstate = ok ? NULL : PQresultErrorField(result, PG_DIAG_SQLSTATE);
		/* A request to cancel that came late may hit what cleans up after it. */
		bool again = sqlstate && strcmp(sqlstate, "57014") == 0 && atomic_load(&b->canceled) &&
			     i < CANCELED_ROLLBACK_MAX;
		if (!ok && !again)
			pgm_lib_error_result(err, b->conn, result);
		PQclear(result);
		if (!again)
			return ok;
	}
}

/* ---------------------------------------------------------------- attempts */

bool pgm_attempt_fail(struct pgmend_batch *b, const PGresult *result, size_t bad_from, size_t bad_to)
{
	struct pgm_attempt *a = &b->attempt;
	/* The server's last words say more than that the connection broke. */
	bool more = PQstatus(b->conn) != CONNECTION_OK && !a->error.sqlstate[0] && result &&
		    PQresultErrorField(result, PG_DIAG_SQLSTATE);
	if (a->failed && !more)
		return false;
	a->failed = true;
	a->bad_from = bad_from;
	a->bad_to = bad_to;
	pgm_lib_error_result(&a->error, b->conn, result);
	if (atomic_load(&b->canceled) && strcmp(a->error.sqlstate, "57014") == 0)
		pgm_lib_error_set(&a->error, PGMEND_ERR_CANCELED, "canceled by pgmend_batch_cancel()");
	return false;
}

bool pgm_attempt_canceled(struct pgmend_batch *b)
{
	if (!atomic_load(&b->canceled))
		return false;
	if (!b->attempt.failed) {
		b->attempt.failed = true;
		pgm_lib_error_set(&b->attempt.error, PGMEND_ERR_CANCELED,
				  "canceled by pgmend_batch_cancel()");
	}
	return true;
}

static bool attempt_begin(struct pgmend_batch *b, size_t from, bool piece)
{
	struct pgm_attempt *a = &b->attempt;
	*a = (struct pgm_attempt){
		.running = true,
		.piece = piece,
		.by_copy = b->method == PGMEND_METHOD_COPY || (b->copies_next && !piece),
		.from = from,
		.sent = from,
		.returned = b->returned.count,
		.awaited = a->awaited,
		.awaited_capacity = a->awaited_capacity,
	};
	/* RETURNING may show that the rows must be sent in another way: no commit before that is known. */
	a->commits = b->options.transaction == PGMEND_TRANSACTION_CHUNK && !b->callers_transaction &&
		     !piece && !b->returning_count;
	bool ok = !pgm_attempt_canceled(b) && (copies(b) ? pgm_copy_begin(b) : pgm_insert_begin(b));
	if (!a->commits)
		b->in_transaction = true;
	return ok;
}

static bool attempt_send(struct pgmend_batch *b, size_t to)
{
	if (b->attempt.failed || pgm_attempt_canceled(b))
		return false;
	return copies(b) ? pgm_copy_send(b, to) : pgm_insert_send(b, to);
}

static bool attempt_end(struct pgmend_batch *b, bool give_up)
{
	struct pgm_attempt *a = &b->attempt;
	give_up |= a->failed;
	bool ok = copies(b) ? pgm_copy_end(b, give_up) : pgm_insert_end(b, give_up);
	a->running = false;
	if (!ok || give_up)
		pgm_returned_forget(&b->returned, a->returned);
	return ok && !give_up;
}

/*
 * Whether a row, not the statement or the server, is what this error is about. For others, sending rows again
 * one by one would find that all of them are bad.
 */
static bool is_of_a_row(const struct pgmend_batch *b)
{
	const struct pgmend_error *error = &b->attempt.error;
	static const char *const classes[] = {
		"21",	    /* a row of an upsert twice: keys that are equal, but not in their bytes */
		"22",	    /* data exception */
		"23",	    /* integrity constraint violation */
		"38", "39", /* external routines: triggers */
		"44",	    /* a view's check option */
		"54",	    /* a row or an index entry is too long */
		"P0",	    /* RAISE in PL/pgSQL */
	};
	if (b->attempt.hopeless || PQstatus(b->conn) != CONNECTION_OK)
		return false;
	for (size_t i = 0; i < sizeof(classes) / sizeof(*classes); i++)
		if (strncmp(error->sqlstate, classes[i], 2) == 0)
			return true;
	/* A policy's WITH CHECK; values in binary form that are of another type, or too short. */
	return (b->target.row_security && strcmp(error->sqlstate, "42501") == 0) ||
	       strcmp(error->sqlstate, "42804") == 0 || strcmp(error->sqlstate, "08P01") == 0;
}

/* Undoes an attempt that failed. False: that failed too. */
static bool attempt_undo(struct pgmend_batch *b, struct pgmend_error *err)
{
	if (!b->attempt.commits)
		return pgm_batch_exec(b, "ROLLBACK TO SAVEPOINT pgmend_rows; RELEASE SAVEPOINT pgmend_rows",
				      err);
	return PQtransactionStatus(b->conn) == PQTRANS_IDLE || pgm_batch_exec(b, "ROLLBACK", err);
}

/* The rows of the attempt are done. */
static void settle(struct pgmend_batch *b)
{
	const struct pgm_attempt *a = &b->attempt;
	int64_t count = 0;
	for (size_t i = a->from; i < a->sent; i++)
		count += a->piece || !b->rows.rows[i].left_out;
	b->result.rows_written += a->written;
	if (b->options.on_conflict == PGMEND_CONFLICT_NOTHING)
		b->result.rows_conflicting += count - a->written;
	b->rows_settled += (int64_t)(a->sent - a->from);
}

static void committed(struct pgmend_batch *b)
{
	b->result.rows_committed = b->result.rows_written;
	b->result.committed_to = b->result.rows_added;
}

static bool stopped(struct pgmend_batch *b, struct pgmend_error *err)
{
	struct pgmend_error why;
	pgm_lib_error_set(&why, PGMEND_ERR_CANCELED, "canceled by %s",
			  b->stopped_by_callback ? "a callback" : "pgmend_batch_cancel()");
	return pgm_batch_abort(b, &why, err);
}

/* ---------------------------------------------------------------- pieces */

/* The row at i was alone, and refused. False: that ends the batch. */
static bool refuse(struct pgmend_batch *b, size_t i, struct pgmend_error *err)
{
	struct pgmend_error why = b->attempt.error;
	why.row = b->rows.rows[i].position;
	b->rows_settled++;
	if (!pgm_bad_add(b, why.row, &why)) {
		pgm_lib_error_memory(&why);
		return pgm_batch_abort(b, &why, err);
	}
	if (b->options.bad_rows == PGMEND_BAD_ROWS_STOP)
		return pgm_batch_abort(b, &why, err);
	return true;
}

/* What is known of the next refused row: it is in [from, to); nothing where to is 0. */
struct suspect {
	size_t from, to;
};

static size_t next_piece(const struct suspect *suspect, size_t at, size_t end, size_t step)
{
	if (suspect->to <= at)
		return step < end - at ? step : end - at;
	if (suspect->from > at)
		return suspect->from - at;
	return (suspect->to - at + 1) / 2;
}

/* Sends the rows of a chunk that was rolled back in pieces, until each one that is refused was alone. */
static bool send_pieces(struct pgmend_batch *b, struct pgmend_error *err)
{
	struct pgm_attempt *a = &b->attempt;
	struct suspect suspect = {a->bad_from, a->bad_to};
	struct pgmend_error why;
	size_t step = STEP_AFTER_BAD_ROW, end = b->rows.count;
	/* Rows that a later one replaces go first, in statements of their own: the later one may be refused.
	 */
	for (size_t i = 0; i < end; i++)
		b->result.rows_duplicate -= b->rows.rows[i].left_out;
	for (size_t at = 0; at < end;) {
		size_t count = next_piece(&suspect, at, end, step);
		bool ok = attempt_begin(b, at, true) && attempt_send(b, at + count);
		ok = attempt_end(b, !ok);
		if (ok) {
			settle(b);
			at += count;
			step = step < end ? step * 2 : step;
			if (!pgm_batch_progress(b))
				return stopped(b, err);
			continue;
		}
		if (!a->mismatch && !is_of_a_row(b))
			return pgm_batch_abort(b, &a->error, err);
		if (!attempt_undo(b, &why))
			return pgm_batch_abort(b, &why, err);
		if (a->mismatch)
			continue;
		if (count > 1) {
			suspect.from = a->bad_from > at ? a->bad_from : at;
			suspect.to = a->bad_to < at + count && a->bad_to > at ? a->bad_to : at + count;
			continue;
		}
		if (!refuse(b, at, err))
			return false;
		at++;
		step = STEP_AFTER_BAD_ROW;
	}
	return true;
}

static bool try_again(struct pgmend_batch *b, struct pgmend_error *err)
{
	struct pgm_attempt *a = &b->attempt;
	struct pgmend_error why = a->error;
	if (a->by_copy && b->may_copy && is_of_a_row(b)) { /* most likely a row is there already */
		if (!attempt_undo(b, &why))
			return pgm_batch_abort(b, &why, err);
		b->copies_next = false;
		bool ok = attempt_begin(b, 0, false) && attempt_send(b, b->rows.count);
		if (attempt_end(b, !ok)) {
			settle(b);
			return true;
		}
		why = a->error;
	}
	if (!a->mismatch && !is_of_a_row(b))
		return pgm_batch_abort(b, &why, err);
	bool own_transaction = a->commits;
	if (!attempt_undo(b, &why))
		return pgm_batch_abort(b, &why, err);
	if (own_transaction) {
		PGresult *result = PQexec(b->conn, BEGIN_SQL "; " XID_SQL);
		bool ok = PQresultStatus(result) == PGRES_TUPLES_OK;
		if (ok)
			pgm_batch_take_xid(b, result);
		else
			pgm_lib_error_result(&why, b->conn, result);
		PQclear(result);
		if (!ok)
			return pgm_batch_abort(b, &why, err);
		b->in_transaction = true;
	}
	return send_pieces(b, err);
}

/* ---------------------------------------------------------------- chunks */

bool pgm_batch_progress(struct pgmend_batch *b)
{
	b->bytes_shown = b->result.bytes_sent;
	if (!b->options.on_progress)
		return true;
	struct pgmend_batch_progress progress = {
		.rows_added = b->result.rows_added,
		.rows_sent = b->rows_settled,
		.rows_bad = b->result.rows_bad,
		.rows_total = b->rows_total,
		.bytes_sent = b->result.bytes_sent,
		.elapsed_ms = pgm_clock_ms() - b->started_ms,
	};
	if (b->options.on_progress(b->options.context, &progress))
		return true;
	b->stopped_by_callback = true;
	return false;
}

/* The chunk is written; commits it where chunks are. */
static bool accept(struct pgmend_batch *b, struct pgmend_error *err)
{
	struct pgmend_error why;
	bool chunks = b->options.transaction == PGMEND_TRANSACTION_CHUNK && !b->callers_transaction;
	if (chunks && b->in_transaction) {
		b->attempt.commit_sent = true;
		if (!pgm_batch_exec(b, "COMMIT", &why))
			return pgm_batch_abort(b, &why, err);
		b->in_transaction = false;
	}
	b->attempt.commit_sent = false;
	if (chunks)
		committed(b);
	if (b->copies_next)
		b->copy_rows *= b->copy_rows < b->chunk_rows ? COPY_ROWS_GROWTH : 1;
	else if (b->may_copy)
		b->copy_rows = PGM_COPY_ROWS_FIRST;
	b->copies_next = b->may_copy && (b->copies_next || b->rows.count >= b->chunk_rows);
	b->rows.count = 0;
	b->rows.bytes.length = 0;
	b->attempt.from = b->attempt.sent = 0;
	pgm_keys_cut(b);
	pgm_bad_report(b);
	if (!pgm_returned_deliver(b) || !pgm_batch_progress(b)) {
		b->stopped_by_callback = true;
		return stopped(b, err);
	}
	if (b->options.max_bad_rows > 0 && b->result.rows_bad > b->options.max_bad_rows) {
		pgm_lib_error_set(&why, PGMEND_ERR_LIMIT, "%lld bad rows: more than max_bad_rows allows",
				  (long long)b->result.rows_bad);
		return pgm_batch_abort(b, &why, err);
	}
	return true;
}

bool pgm_chunk_finish(struct pgmend_batch *b, struct pgmend_error *err)
{
	struct pgm_attempt *a = &b->attempt;
	if (atomic_load(&b->canceled))
		return stopped(b, err);
	if (!b->rows.count && !a->running)
		return accept(b, err);
	bool ok = a->running || attempt_begin(b, 0, false);
	if (ok && a->sent < b->rows.count)
		ok = attempt_send(b, b->rows.count);
	if (!attempt_end(b, !ok))
		return try_again(b, err) && accept(b, err);
	settle(b);
	return accept(b, err);
}

bool pgm_chunk_added(struct pgmend_batch *b, struct pgmend_error *err)
{
	struct pgm_attempt *a = &b->attempt;
	const struct pgm_rows *rows = &b->rows;
	size_t most = b->copies_next && b->copy_rows < b->chunk_rows ? b->copy_rows : b->chunk_rows;
	if (rows->count >= most || rows->bytes.length >= b->chunk_bytes)
		return pgm_chunk_finish(b, err);
	size_t sent = a->running ? a->sent : 0;
	size_t unsent = sent < rows->count ? rows->bytes.length - rows->rows[sent].begin : 0;
	bool due = copies(b) ? unsent >= COPY_SLICE_BYTES
			     : rows->count - sent >= b->statement_rows || unsent >= PGM_STATEMENT_BYTES;
	if (!due)
		return true;
	if (!(a->running || attempt_begin(b, 0, false)) || !attempt_send(b, rows->count))
		return pgm_chunk_finish(b, err); /* refused already: find the row before more is added */
	if (!copies(b))
		pgm_keys_cut(b);
	if (b->result.bytes_sent - b->bytes_shown >= PROGRESS_BYTES && !pgm_batch_progress(b))
		return stopped(b, err);
	return true;
}

/* ---------------------------------------------------------------- the end */

static void end(struct pgmend_batch *b, enum pgmend_end how)
{
	b->ended = true;
	b->result.end = how;
	b->result.elapsed_ms = pgm_clock_ms() - b->started_ms;
	pgm_bad_report(b);
}

/* Whether the server was lost when it may have committed. */
static bool lost_in_commit(const struct pgmend_batch *b)
{
	return b->attempt.commit_sent && PQstatus(b->conn) != CONNECTION_OK;
}

bool pgm_batch_abort(struct pgmend_batch *b, const struct pgmend_error *why, struct pgmend_error *err)
{
	struct pgmend_error kept = *why; /* may be the attempt's own */
	if (b->attempt.running)
		attempt_end(b, true);
	if (lost_in_commit(b)) {
		char text[sizeof(kept.message)];
		pgm_lib_error_copy(text, sizeof(text), kept.message);
		pgm_lib_error_set(&kept, PGMEND_ERR_UNKNOWN_END, "lost the server while it committed: %s",
				  text);
		pgm_lib_error_hint(&kept, "SELECT pg_xact_status('%llu') says whether it did.",
				   (unsigned long long)b->result.xid);
		b->result.unknown_to = b->result.rows_added;
		end(b, PGMEND_END_UNKNOWN);
	} else {
		if (PQstatus(b->conn) != CONNECTION_OK && kept.code == PGMEND_ERR_QUERY)
			kept.code = PGMEND_ERR_CONNECT; /* the last words of a server that ends */
		PGTransactionStatusType state = PQtransactionStatus(b->conn);
		bool open = state == PQTRANS_INTRANS || state == PQTRANS_INERROR;
		struct pgmend_error ignored; /* the first failure is what counts */
		if (open && !b->callers_transaction)
			pgm_batch_exec(b, "ROLLBACK", &ignored);
		else if (open && b->in_transaction)
			(void)(pgm_batch_exec(b, "ROLLBACK TO SAVEPOINT pgmend_batch", &ignored) &&
			       pgm_batch_exec(b, "RELEASE SAVEPOINT pgmend_batch", &ignored));
		b->result.unknown_to = b->result.committed_to;
		end(b, b->result.committed_to ? PGMEND_END_PARTLY : PGMEND_END_UNDONE);
	}
	b->in_transaction = false;
	b->end_error = kept;
	if (err)
		*err = kept;
	return false;
}

bool pgm_batch_commit(struct pgmend_batch *b, struct pgmend_error *err)
{
	struct pgmend_error why;
	if (b->callers_transaction) {
		if (b->in_transaction && !pgm_batch_exec(b, "RELEASE SAVEPOINT pgmend_batch", &why))
			return pgm_batch_abort(b, &why, err);
		end(b, PGMEND_END_CALLERS);
		return true;
	}
	if (b->in_transaction) {
		b->attempt.commit_sent = true;
		if (!pgm_batch_exec(b, "COMMIT", &why))
			return pgm_batch_abort(b, &why, err);
		b->attempt.commit_sent = false;
	}
	b->in_transaction = false;
	committed(b);
	b->result.unknown_to = b->result.committed_to;
	end(b, PGMEND_END_COMMITTED);
	return true;
}
