#include "copyin/load.h"

#include "util/clock.h"
#include "util/interrupt.h"

#include <string.h>

#define PAUSE_MS     50
#define PAUSE_MAX_MS 2000

/* In short tries, so that nobody queues behind us for long. */
static bool lock_table(struct pgm_copyin_load *load, struct pgm_error *err)
{
	return !load->table.lockable || load->options->dry_run ||
	       pgm_conn_exec(load->conn,
			     pgm_sprintf(load->arena,
					 PGM_CONN_MARKER "LOCK TABLE ONLY %s IN ROW EXCLUSIVE MODE",
					 load->target),
			     err);
}

static bool begin_sql(struct pgm_copyin_load *load, struct pgm_error *err)
{
	struct pgm_rows ignored;
	const char *path = pgm_conn_search_path(load->conn);
	const char *begin = pgm_sprintf(
		load->arena,
		PGM_CONN_MARKER "BEGIN; SET LOCAL lock_timeout = %lld; SET LOCAL statement_timeout = 0%s%s",
		(long long)load->options->lock_timeout_ms,
		pgm_conn_version(load->conn) >= 170000 ? "; SET LOCAL transaction_timeout = 0" : "",
		/* A row that a deferred constraint refuses must be known before COMMIT. */
		load->options->reject ? "; SET CONSTRAINTS ALL IMMEDIATE" : "");
	if (!pgm_conn_exec(load->conn, begin, err))
		return false;
	load->in_transaction = true;
	/* What is waited for from here on is mostly rows: a key that another transaction has just written. */
	const char *wait =
		pgm_sprintf(load->arena, PGM_CONN_MARKER "SET LOCAL lock_timeout = %lld",
			    (long long)(load->options->max_wait_ms > 0 ? load->options->max_wait_ms : 1));
	/* Triggers and defaults see the search_path that an INSERT of this user would have. */
	return lock_table(load, err) && pgm_conn_exec(load->conn, wait, err) &&
	       pgm_conn_query(load->conn, load->arena,
			      "SELECT pg_catalog.set_config('search_path', $1, true)", 1, &path, &ignored,
			      err);
}

static bool worth_another_try(const struct pgm_error *err)
{
	return strcmp(err->sqlstate, "55P03") == 0 || strcmp(err->sqlstate, "40P01") == 0;
}

bool pgm_copyin_begin(struct pgm_copyin_load *load, struct pgm_copyin_input *input, struct pgm_error *err)
{
	double until = pgm_clock_ms() + (double)load->options->max_wait_ms;
	if (load->in_transaction)
		return true;
	for (int attempt = 0;; attempt++) {
		if (begin_sql(load, err))
			return true;
		if (pgm_conn_alive(load->conn))
			pgm_copyin_rollback(load);
		load->in_transaction = false;
		if (!worth_another_try(err))
			return false;
		if (pgm_clock_ms() > until) {
			pgm_error_context(err, "waiting for %s", load->target);
			return pgm_error_hint(err, "\"pgmend sessions\" shows who holds it; --max-wait waits "
						   "for longer.");
		}
		if (attempt == 0)
			pgm_copyin_note(load, "%s: waiting for a lock that others hold on %s", input->name,
					load->target);
		pgm_clock_sleep_ms(pgm_clock_backoff_ms(attempt, PAUSE_MS, PAUSE_MAX_MS));
		if (pgm_interrupted())
			return pgm_error_set(err, PGM_ERR_CANCELED, "stopped by the user");
	}
}

static void settle(struct pgm_copyin_load *load, struct pgm_copyin_input *input)
{
	struct pgm_copyin_result *result = load->result;
	struct pgm_copyin_file *file = &result->files[input - load->inputs];
	file->state = input->current.done ? PGM_COPYIN_DONE : PGM_COPYIN_PARTLY;
	file->rows = input->current.rows;
	file->rejected = input->current.rejected;
	file->line = input->current.line;
	file->duplicates = input->duplicates;
	file->conflicts = input->conflicts;
	result->rows += input->current.rows - input->saved.rows;
	result->rejected += input->current.rejected - input->saved.rejected;
	input->saved = input->current;
}

static bool commit(struct pgm_copyin_load *load, struct pgm_error *err)
{
	if (!pgm_conn_exec(load->conn, PGM_CONN_MARKER "COMMIT", err)) {
		load->result->unknown = !pgm_conn_alive(load->conn);
		load->in_transaction = pgm_conn_alive(load->conn);
		return pgm_error_context(err, "committing");
	}
	load->in_transaction = false;
	return true;
}

bool pgm_copyin_commit(struct pgm_copyin_load *load, struct pgm_copyin_input *input, bool last,
		       struct pgm_error *err)
{
	struct pgm_copyin_record *current = &input->current;
	if (!last && load->atomic)
		return true;
	if (!pgm_copyin_begin(load, input, err)) /* a file without rows */
		return false;
	current->done = last;
	if (load->reject &&
	    !pgm_reject_sync(load->reject, &current->reject_bytes, &current->reason_bytes, err))
		return false;
	if (load->recorded) {
		struct pgm_copyin_record before = input->saved;
		PGM_AUTO_ARENA arena = pgm_arena_new(0);
		if (before.id == 0 &&
		    !pgm_copyin_record_add(load->conn, arena, &load->table, &input->identity, &before, err))
			return false;
		current->id = before.id;
		if (!pgm_copyin_record_save(load->conn, arena, &before, current, err))
			return false;
	}
	if (load->atomic)
		return true;
	if (!commit(load, err))
		return false;
	settle(load, input);
	return true;
}

bool pgm_copyin_commit_all(struct pgm_copyin_load *load, struct pgm_error *err)
{
	if (!load->in_transaction)
		return true;
	if (load->options->dry_run)
		pgm_copyin_rollback(load);
	else if (!commit(load, err))
		return false;
	for (size_t i = 0; i < load->input_count; i++)
		if (!load->inputs[i].skip)
			settle(load, &load->inputs[i]);
	return true;
}

void pgm_copyin_rollback(struct pgm_copyin_load *load)
{
	if (load->in_transaction && pgm_conn_alive(load->conn))
		pgm_conn_exec_quietly(load->conn, "ROLLBACK");
	load->in_transaction = false;
}
