#include "copyin/load.h"

#include "pg/quote.h"
#include "util/clock.h"
#include "util/hash.h"
#include "util/interrupt.h"

#include <stdarg.h>
#include <string.h>

#define LOCK_WAIT_MS 3000
#define LOCK_POLL_MS 50

#define SHOW_EVERY_MS 200
#define STAND_IN      "pgmend_copy_in" /* a temporary table, in a dry run */

void pgm_copyin_show(struct pgm_copyin_load *load, const struct pgm_copyin_input *input)
{
	double now = pgm_clock_ms();
	if (!load->options->on_progress || now < load->shown_ms + SHOW_EVERY_MS)
		return;
	load->shown_ms = now;
	load->options->on_progress(
		load->options->arg,
		&(struct pgm_copyin_progress){
			.file = input->name,
			.read_bytes = load->bytes_before + pgm_source_position(input->source),
			.total_bytes = load->bytes_total,
			.rows = load->rows_sent,
			.rejected = load->rejected,
		});
}

void pgm_copyin_note(struct pgm_copyin_load *load, const char *format, ...)
{
	va_list args;
	if (!load->options->on_note)
		return;
	va_start(args, format);
	load->options->on_note(load->options->arg, pgm_vsprintf(load->arena, format, args));
	va_end(args);
}

bool pgm_copyin_at(struct pgm_error *err, const struct pgm_copyin_input *input, int64_t line,
		   const char *column)
{
	return column ? pgm_error_context(err, "%s line %lld, column %s", input->name, (long long)line,
					  column)
		      : pgm_error_context(err, "%s line %lld", input->name, (long long)line);
}

/* Where rows go in a dry run: the same columns, types and checks, nothing else, and gone at the end. */
static bool make_stand_in(struct pgm_copyin_load *load, struct pgm_error *err)
{
	struct pgm_arena *arena = load->arena;
	bool ok = pgm_copyin_begin(load, &load->inputs[0], err) &&
		  pgm_conn_exec(load->conn,
				pgm_sprintf(arena,
					    PGM_CONN_MARKER "CREATE TEMPORARY TABLE " STAND_IN
							    " (LIKE %s INCLUDING CONSTRAINTS INCLUDING "
							    "GENERATED) ON COMMIT DROP",
					    load->table.quoted),
				err);
	/* A default fills what is NOT NULL and not given; the stand-in has none. */
	for (size_t i = 0; ok && i < load->table.column_count; i++) {
		const struct pgm_copyin_column *column = &load->table.columns[i];
		if (column->not_null && column->has_default)
			ok = pgm_conn_exec(load->conn,
					   pgm_sprintf(arena,
						       PGM_CONN_MARKER "ALTER TABLE pg_temp." STAND_IN
								       " ALTER COLUMN %s DROP NOT NULL",
						       pgm_quote_ident(arena, column->name)),
					   err);
	}
	load->target = STAND_IN;
	return ok || pgm_error_context(err, "making a temporary table for --dry-run");
}

/* Whether progress can be recorded. Where we have no rights to, the load is one transaction instead. */
static bool prepare_records(struct pgm_copyin_load *load, struct pgm_error *err)
{
	struct pgm_error why = {0};
	if (pgm_copyin_record_ensure(load->conn, &why)) {
		load->recorded = true;
		return true;
	}
	if (why.kind != PGM_ERR_RIGHTS || load->options->resume) {
		*err = why;
		return false;
	}
	load->atomic = true;
	pgm_copyin_note(load, "the load is one transaction, and cannot be resumed: %s", why.message);
	return true;
}

/*
 * Two loads of one file into one table at the same time would put its rows there twice. The server may still
 * be about to see that a load which has just ended is gone.
 */
static bool lock_file(struct pgm_copyin_load *load, struct pgm_copyin_input *input, struct pgm_error *err)
{
	char *mine;
	uint64_t key = pgm_hash_bytes(pgm_hash_string(input->identity.head), load->table.oid,
				      strlen(load->table.oid));
	const char *param = pgm_sprintf(load->arena, "%lld", (long long)(int64_t)key);
	double until = pgm_clock_ms() + LOCK_WAIT_MS;
	for (;;) {
		if (!pgm_conn_value(load->conn, load->arena,
				    "SELECT pg_catalog.pg_try_advisory_lock($1::pg_catalog.int8)", 1, &param,
				    &mine, err))
			return false;
		if ((mine && *mine == 't') || pgm_clock_ms() > until || pgm_interrupted())
			break;
		pgm_clock_sleep_ms(LOCK_POLL_MS);
	}
	return (mine && *mine == 't') ||
	       pgm_error_set(err, PGM_ERR_STATE, "another pgmend is loading %s into %s", input->name,
			     load->table.quoted);
}

static bool refuse_begun(struct pgm_copyin_load *load, const struct pgm_copyin_input *input,
			 const struct pgm_copyin_record *found, struct pgm_error *err)
{
	pgm_error_set(err, PGM_ERR_STATE,
		      "%s was loaded up to line %lld (%lld rows) on %s, and not to its end", input->name,
		      (long long)found->line, (long long)found->rows, found->started_at);
	(void)load;
	return pgm_error_hint(err,
			      "--resume goes on behind that; --restart begins anew, and those rows stay.");
}

/* What an earlier run recorded of the file. */
static bool take_record(struct pgm_copyin_load *load, struct pgm_copyin_input *input, struct pgm_error *err)
{
	const struct pgm_copyin_options *options = load->options;
	struct pgm_copyin_record found;
	struct pgm_copyin_file *file = &load->result->files[input - load->inputs];
	if (!pgm_copyin_record_find(load->conn, load->arena, &load->table, &input->identity, &found, err))
		return false;
	if (found.id == 0 || (found.done && !options->resume) || options->restart)
		return true;
	if (!options->resume)
		return refuse_begun(load, input, &found, err);
	if (!found.done && strcmp(found.how, input->how) != 0) {
		pgm_error_set(err, PGM_ERR_USAGE, "%s was begun with other options: %s", input->name,
			      found.how);
		return pgm_error_hint(err, "Give the same ones; now they say: %s.", input->how);
	}
	found.file = input->path;
	input->saved = input->current = found;
	input->skip = found.done;
	load->rejected += found.rejected;
	file->state = found.done ? PGM_COPYIN_BEFORE : PGM_COPYIN_PARTLY;
	file->rows = found.rows;
	file->rejected = found.rejected;
	file->line = found.line;
	if (found.done)
		pgm_copyin_note(load, "%s is loaded already, with %lld rows", input->name,
				(long long)found.rows);
	else
		pgm_copyin_note(load, "%s: going on at line %lld, behind %lld rows", input->name,
				(long long)found.line, (long long)found.rows);
	return true;
}

static bool open_reject(struct pgm_copyin_load *load, struct pgm_error *err)
{
	int64_t reject_bytes = -1, reason_bytes = -1;
	const struct pgm_copyin_input *first = &load->inputs[0];
	if (!load->options->reject)
		return true;
	for (size_t i = 0; load->options->resume && i < load->input_count; i++) {
		const struct pgm_copyin_record *record = &load->inputs[i].current;
		if (record->reject_bytes >= reject_bytes)
			reject_bytes = record->reject_bytes;
		if (record->reason_bytes >= reason_bytes)
			reason_bytes = record->reason_bytes;
	}
	load->reject = pgm_reject_open(load->options->reject, reject_bytes, reason_bytes, first->header,
				       first->header_length, err);
	return load->reject != NULL;
}

static bool load_file(struct pgm_copyin_load *load, struct pgm_copyin_input *input, struct pgm_error *err)
{
	load->result->begun = true;
	if (!pgm_copyin_input_open(load, input, err))
		return false;
	bool ok = load->by_batch ? pgm_copyin_batches(load, input, err) : pgm_copyin_stream(load, input, err);
	if (ok && pgm_source_grew(input->source))
		pgm_copyin_note(load, "%s grew while it was read: what came behind byte %lld is not loaded",
				input->name, (long long)input->size_bytes);
	pgm_copyin_input_close(input);
	return ok;
}

static bool load_all(struct pgm_copyin_load *load, struct pgm_error *err)
{
	for (size_t i = 0; i < load->input_count; i++) {
		struct pgm_copyin_input *input = &load->inputs[i];
		if (!input->skip && !load_file(load, input, err))
			return false;
		load->bytes_before += input->size_bytes > 0 ? input->size_bytes : 0;
	}
	return pgm_copyin_commit_all(load, err);
}

static bool look(struct pgm_copyin_load *load, struct pgm_error *err)
{
	const struct pgm_copyin_options *options = load->options;
	if (pgm_conn_is_standby(load->conn))
		return pgm_error_set(err, PGM_ERR_RIGHTS, "this server is a standby: nothing can be loaded");
	if (!pgm_copyin_table_find(load->conn, load->arena, options->table, &load->table, err) ||
	    (options->conflict_key_count &&
	     !pgm_copyin_check_key(load->conn, load->arena, &load->table, options->conflict_key,
				   options->conflict_key_count, err)))
		return false;
	load->target = load->table.quoted;
	load->by_batch = options->reject || options->conflict_key_count || load->table.insert_why;
	load->has_default_mark =
		!load->by_batch && !options->dry_run && pgm_conn_version(load->conn) >= 160000;
	if (load->table.insert_why)
		pgm_copyin_note(load, "%s: rows are written by INSERT, as %s", load->table.quoted,
				load->table.insert_why);
	return pgm_copyin_prepare(load, err);
}

static bool begin(struct pgm_copyin_load *load, struct pgm_error *err)
{
	for (size_t i = 0; i < load->input_count; i++)
		load->inputs[i].current = load->inputs[i].saved;
	if (load->options->dry_run) {
		load->atomic = true;
		return make_stand_in(load, err) && open_reject(load, err);
	}
	if (!prepare_records(load, err))
		return false;
	for (size_t i = 0; i < load->input_count; i++)
		if (!lock_file(load, &load->inputs[i], err) ||
		    (load->recorded && !take_record(load, &load->inputs[i], err)))
			return false;
	return open_reject(load, err);
}

bool pgm_copyin_run(struct pgm_conn *conn, struct pgm_arena *arena, const struct pgm_copyin_options *options,
		    struct pgm_copyin_result *result, struct pgm_error *err)
{
	double started_ms = pgm_clock_ms();
	struct pgm_copyin_load load = {.conn = conn,
				       .arena = arena,
				       .options = options,
				       .result = result,
				       .atomic = options->atomic};
	*result = (struct pgm_copyin_result){
		.files = PGM_NEW_ARRAY(arena, struct pgm_copyin_file, options->file_count),
		.file_count = options->file_count};
	for (size_t i = 0; i < options->file_count; i++)
		result->files[i].name = options->files[i];
	bool ok = look(&load, err) && begin(&load, err) && load_all(&load, err);
	if (!ok) {
		struct pgm_error ignored;
		/* Whoever noticed first: a statement that was canceled, or a file that was being read. */
		if (pgm_interrupted())
			pgm_error_set(err, PGM_ERR_CANCELED, "stopped by the user");
		pgm_copyin_rollback(&load);
		if (load.reject && !result->unknown)
			(void)!pgm_reject_undo(load.reject, &ignored);
	}
	for (size_t i = 0; i < load.input_count; i++)
		pgm_copyin_input_close(&load.inputs[i]);
	pgm_reject_close(load.reject);
	for (size_t i = 0; i < result->file_count; i++) {
		result->duplicates += result->files[i].duplicates;
		result->conflicts += result->files[i].conflicts;
	}
	result->recorded = load.recorded;
	result->atomic = load.atomic;
	result->by_batch = load.by_batch;
	result->elapsed_ms = pgm_clock_ms() - started_ms;
	return ok;
}
