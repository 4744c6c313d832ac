/*
 * The careful way: rows are split here and written by libpgmend's batches, which find each row that the
 * server refuses. One batch is one transaction, unless all is one.
 */
#include "copyin/load.h"

#include "util/clock.h"
#include "util/interrupt.h"
#include "util/vec.h"

#include <pgmend/pgmend.h>
#include <stdlib.h>
#include <string.h>

#define BATCH_BYTES  ((int64_t)8 << 20)
#define BATCH_ROWS   20000
#define BATCH_VALUES 2000000 /* rows times columns */
#define PAUSE_MS     50
#define PAUSE_MAX_MS 2000

/* A row that waits to be written, or that is rejected. */
struct waiting {
	const char *data; /* as it stands in the file */
	size_t length;
	int64_t line;
};

struct bad {
	struct waiting row;
	char sqlstate[6];
	const char *column, *message;
};

struct batch {
	struct pgm_copyin_load *load;
	struct pgm_copyin_input *input;
	struct pgm_copyin_row row;
	unsigned char *shape; /* the columns of this batch */
	struct pgm_arena *scratch;

	/* What is held of one batch: memory of its own, forgotten with it. */
	struct pgm_arena *held;
	struct waiting *rows;
	size_t count, max;
	const char ***values; /* by column, those of the shape */
	size_t **lengths;
	int64_t bytes; /* of the file, since the last commit */
	bool alone;    /* nothing else is in the transaction yet */
	PGM_VEC(struct bad) bad;
	size_t own_bad;	 /* those that were found before anything was sent */
	bool over_limit; /* the batch ended as too many rows are bad */
};

static void *must(void *memory)
{
	if (!memory)
		abort();
	return memory;
}

/* Which column's array has room for max rows; only those of a shape are ever made. */
static void make_column(struct batch *batch, size_t c)
{
	if (batch->values[c])
		return;
	batch->values[c] = must(malloc(batch->max * sizeof(**batch->values)));
	batch->lengths[c] = must(malloc(batch->max * sizeof(**batch->lengths)));
}

static void hold(struct batch *batch, const struct pgm_frame_record *record)
{
	const struct pgm_copyin_row *row = &batch->row;
	size_t room = record->length;
	for (size_t c = 0; c < row->column_count; c++)
		if (row->present[c])
			room += row->values[c].length;
	char *memory = pgm_arena_alloc(batch->held, room + 1);
	batch->rows[batch->count] =
		(struct waiting){.data = memory, .length = record->length, .line = record->line};
	memcpy(memory, record->data, record->length);
	memory += record->length;
	for (size_t c = 0; c < row->column_count; c++) {
		if (!row->present[c])
			continue;
		const struct pgm_field *value = &row->values[c];
		make_column(batch, c);
		batch->values[c][batch->count] = value->text ? memory : NULL;
		batch->lengths[c][batch->count] = value->length;
		if (value->text)
			memcpy(memory, value->text, value->length);
		memory += value->length;
	}
	batch->count++;
}

static void add_bad(struct batch *batch, const struct waiting *row, const char *sqlstate, const char *column,
		    const char *message)
{
	struct bad *bad = pgm_vec_add(batch->held, &batch->bad);
	*bad = (struct bad){
		.row = *row,
		.column = column && *column ? pgm_strdup(batch->held, column) : NULL,
		.message = pgm_strdup(batch->held, message),
	};
	memcpy(bad->sqlstate, sqlstate, strnlen(sqlstate, 5) + 1);
	bad->sqlstate[5] = '\0';
}

static void forget(struct batch *batch)
{
	pgm_arena_reset(batch->held);
	memset(&batch->bad, 0, sizeof(batch->bad));
	batch->count = 0;
	batch->own_bad = 0;
}

static enum pgm_error_kind kind_of(const struct pgmend_error *theirs)
{
	switch (theirs->code) {
	case PGMEND_ERR_CONNECT:
	case PGMEND_ERR_UNKNOWN_END:
		return PGM_ERR_CONNECT;
	case PGMEND_ERR_TIMEOUT:
		return PGM_ERR_TIMEOUT;
	case PGMEND_ERR_CANCELED:
		return PGM_ERR_CANCELED;
	case PGMEND_ERR_USAGE:
		return PGM_ERR_USAGE;
	case PGMEND_ERR_DATA:
		return PGM_ERR_INPUT;
	case PGMEND_ERR_MEMORY:
		return PGM_ERR_SYSTEM;
	default:
		return strcmp(theirs->sqlstate, "42501") == 0 ? PGM_ERR_RIGHTS : PGM_ERR_QUERY;
	}
}

/* Always false. */
static bool take_error(const struct batch *batch, const struct pgmend_error *theirs, struct pgm_error *err)
{
	if (pgm_interrupted())
		return pgm_error_set(err, PGM_ERR_CANCELED, "stopped by the user");
	pgm_error_set(err, kind_of(theirs), "%s%s%s%s", theirs->message, *theirs->detail ? " (" : "",
		      theirs->detail, *theirs->detail ? ")" : "");
	memcpy(err->sqlstate, theirs->sqlstate, sizeof(err->sqlstate));
	if (*theirs->hint)
		pgm_error_hint(err, "%s", theirs->hint);
	if (theirs->row >= 0 && (size_t)theirs->row < batch->count)
		return pgm_copyin_at(err, batch->input, batch->rows[theirs->row].line,
				     *theirs->column ? theirs->column : NULL);
	return pgm_error_context(err, "%s", batch->input->name);
}

static bool go_on(void *context, const struct pgmend_batch_progress *progress)
{
	const struct batch *batch = context;
	(void)progress;
	pgm_copyin_show(batch->load, batch->input);
	return !pgm_interrupted();
}

static struct pgmend_batch *open_batch(struct batch *batch, struct pgmend_column *columns,
				       struct pgmend_error *theirs)
{
	struct pgm_copyin_load *load = batch->load;
	const struct pgm_copyin_options *own = load->options;
	size_t all = load->table.column_count;
	struct pgmend_batch_column *names = PGM_NEW_ARRAY(batch->held, struct pgmend_batch_column, all);
	const char **key = PGM_NEW_ARRAY(batch->held, const char *, own->conflict_key_count + 1);
	int count = 0;
	for (size_t c = 0; c < all; c++) {
		if (!batch->shape[c])
			continue;
		names[count] = (struct pgmend_batch_column){load->table.columns[c].name, PGMEND_TEXT};
		columns[count++] =
			(struct pgmend_column){.values = batch->values[c], .lengths = batch->lengths[c]};
	}
	for (size_t i = 0; i < own->conflict_key_count; i++)
		key[i] = own->conflict_key[i];
	int64_t left = own->max_rejects - load->rejected - (int64_t)batch->own_bad;
	bool upsert = own->conflict_key_count && !own->dry_run;
	struct pgmend_batch_options options = {
		.struct_size = sizeof(options),
		.schema = own->dry_run ? NULL : load->table.schema,
		.table = own->dry_run ? load->target : load->table.name,
		.columns = names,
		.column_count = count,
		.method = load->table.insert_why ? PGMEND_METHOD_UNNEST : PGMEND_METHOD_AUTO,
		.bad_rows = own->reject ? PGMEND_BAD_ROWS_SKIP : PGMEND_BAD_ROWS_STOP,
		.on_conflict = !upsert		 ? PGMEND_CONFLICT_ERROR
			       : own->do_nothing ? PGMEND_CONFLICT_NOTHING
						 : PGMEND_CONFLICT_UPDATE,
		.conflict_key = upsert ? key : NULL,
		.overriding_system_value = true, /* as COPY does */
		.chunk_rows = BATCH_ROWS,
		.max_bad_rows = own->reject ? (left > 0 ? left : 1) : 0,
		.on_progress = go_on,
		.context = batch,
	};
	return pgmend_batch_open(pgm_conn_libpq(load->conn), &options, theirs);
}

static void take_bad(struct batch *batch, const struct pgmend_batch *theirs)
{
	for (size_t i = 0; i < pgmend_batch_bad_count(theirs); i++) {
		const struct pgmend_bad_row *bad = pgmend_batch_bad_row(theirs, i);
		const char *message = *bad->detail
					      ? pgm_sprintf(batch->held, "%s (%s)", bad->message, bad->detail)
					      : bad->message;
		add_bad(batch, &batch->rows[bad->position], bad->sqlstate, bad->column, message);
	}
}

static bool write_once(struct batch *batch, struct pgm_error *err)
{
	struct pgmend_error theirs = {0};
	struct pgmend_batch_result result = {.struct_size = sizeof(result)};
	struct pgmend_column *columns =
		PGM_NEW_ARRAY(batch->held, struct pgmend_column, batch->load->table.column_count + 1);
	struct pgmend_batch *open = open_batch(batch, columns, &theirs);
	if (!open)
		return take_error(batch, &theirs, err);
	bool ok = pgmend_batch_add_columns(open, columns, batch->count, &theirs) &&
		  pgmend_batch_finish(open, &theirs);
	if (!ok)
		take_error(batch, &theirs, err);
	batch->over_limit = theirs.code == PGMEND_ERR_LIMIT;
	if (ok || batch->over_limit)
		take_bad(batch, open);
	pgmend_batch_result(open, &result);
	pgmend_batch_close(open);
	if (ok) {
		batch->input->current.rows += result.rows_written;
		batch->input->duplicates += result.rows_duplicate;
		batch->input->conflicts += result.rows_conflicting;
	}
	return ok;
}

static bool passes(const struct pgm_error *err)
{
	return strcmp(err->sqlstate, "55P03") == 0 || /* lock_not_available */
	       strcmp(err->sqlstate, "40P01") == 0 || /* deadlock_detected */
	       strcmp(err->sqlstate, "40001") == 0;   /* serialization_failure */
}

/* Rows that others hold are waited for in short tries, each a transaction. */
static bool write_rows(struct batch *batch, struct pgm_error *err)
{
	struct pgm_copyin_load *load = batch->load;
	double until = pgm_clock_ms() + (double)load->options->max_wait_ms;
	for (int attempt = 0;; attempt++) {
		if (!pgm_copyin_begin(load, batch->input, err))
			return false;
		if (batch->count == 0 || write_once(batch, err))
			return true;
		if (load->atomic || !batch->alone || !passes(err) || pgm_clock_ms() > until ||
		    pgm_interrupted())
			return false;
		pgm_copyin_rollback(load);
		batch->bad.count = batch->own_bad;
		pgm_clock_sleep_ms(pgm_clock_backoff_ms(attempt, PAUSE_MS, PAUSE_MAX_MS));
	}
}

static int by_line(const void *a, const void *b)
{
	const struct bad *x = a, *y = b;
	return (x->row.line > y->row.line) - (x->row.line < y->row.line);
}

static bool write_bad(struct batch *batch, struct pgm_error *err)
{
	struct pgm_copyin_load *load = batch->load;
	if (batch->bad.count == 0)
		return true;
	qsort(batch->bad.items, batch->bad.count, sizeof(*batch->bad.items), by_line);
	for (size_t i = 0; i < batch->bad.count; i++) {
		const struct bad *bad = &batch->bad.items[i];
		struct pgm_reject_row row = {
			.file = batch->input->name,
			.line = bad->row.line,
			.sqlstate = bad->sqlstate,
			.column = bad->column,
			.message = bad->message,
			.data = bad->row.data,
			.length = bad->row.length,
		};
		if (!pgm_reject_add(load->reject, &row, err))
			return false;
	}
	load->rejected += (int64_t)batch->bad.count;
	batch->input->current.rejected += (int64_t)batch->bad.count;
	return true;
}

/* They stay in their file, for whoever has to see why. */
static bool too_many(struct batch *batch, struct pgm_error *err)
{
	struct pgm_copyin_load *load = batch->load;
	struct pgm_copyin_record sizes;
	if (!pgm_reject_sync(load->reject, &sizes.reject_bytes, &sizes.reason_bytes, err))
		return false;
	pgm_error_set(err, PGM_ERR_STATE, "%s: more than %lld rows are rejected", batch->input->name,
		      (long long)load->options->max_rejects);
	return pgm_error_hint(err, "%s says why; --max-rejects takes more.",
			      pgm_sprintf(load->arena, "%s" PGM_REJECT_REASONS, load->options->reject));
}

/* Write what is held; the transaction goes on unless it is to be committed. */
static bool flush(struct batch *batch, bool commit, struct pgm_error *err)
{
	struct pgm_copyin_load *load = batch->load;
	if (batch->count > 0 || batch->bad.count > 0) {
		bool ok = write_rows(batch, err);
		if (!ok && batch->over_limit)
			return write_bad(batch, err) && too_many(batch, err);
		if (!ok || !write_bad(batch, err))
			return false;
		forget(batch);
		batch->alone = false;
	}
	if (commit) {
		if (!pgm_copyin_commit(load, batch->input, false, err))
			return false;
		batch->bytes = 0;
		batch->alone = true;
	}
	return load->rejected <= load->options->max_rejects || !load->reject || too_many(batch, err);
}

static bool refuse(struct batch *batch, const struct pgm_frame_record *record, const char *sqlstate,
		   const char *column, const char *fault, struct pgm_error *err)
{
	if (!batch->load->options->reject) {
		pgm_error_set(err, PGM_ERR_INPUT, "%s", fault);
		memcpy(err->sqlstate, sqlstate, 6);
		return pgm_copyin_at(err, batch->input, record->line, column);
	}
	struct waiting row = {.data = pgm_strndup(batch->held, record->data, record->length),
			      .length = record->length,
			      .line = record->line};
	add_bad(batch, &row, sqlstate, column, fault);
	batch->own_bad++;
	return true;
}

static bool take(struct batch *batch, const struct pgm_frame_record *record, struct pgm_error *err)
{
	struct pgm_copyin_record *current = &batch->input->current;
	const char *sqlstate, *column;
	pgm_arena_reset(batch->scratch);
	const char *fault = pgm_copyin_row_read(&batch->row, batch->load, batch->input, record,
						batch->scratch, &sqlstate, &column);
	if (!fault && batch->count > 0 &&
	    memcmp(batch->row.present, batch->shape, batch->row.column_count) != 0 &&
	    !flush(batch, false, err))
		return false;
	if (fault && !refuse(batch, record, sqlstate, column, fault, err))
		return false;
	if (!fault) {
		if (batch->count == 0)
			memcpy(batch->shape, batch->row.present, batch->row.column_count);
		hold(batch, record);
		batch->load->rows_sent++;
	}
	batch->bytes += record->end - record->offset;
	batch->load->result->bytes += record->end - record->offset;
	current->position = record->end;
	current->line = record->line + record->lines;
	int64_t most = batch->load->options->commit_bytes;
	bool full = batch->bytes >= (most < BATCH_BYTES ? most : BATCH_BYTES);
	if (full || batch->count == batch->max || batch->bad.count == batch->max)
		return flush(batch, true, err);
	return true;
}

static bool run(struct batch *batch, struct pgm_error *err)
{
	for (;;) {
		struct pgm_frame_record record;
		bool got;
		if (pgm_interrupted())
			return pgm_error_set(err, PGM_ERR_CANCELED, "stopped by the user");
		if (!pgm_copyin_next(batch->input, &record, &got, err))
			return false;
		if (!got)
			return flush(batch, false, err) &&
			       pgm_copyin_commit(batch->load, batch->input, true, err);
		if (!take(batch, &record, err))
			return false;
	}
}

bool pgm_copyin_batches(struct pgm_copyin_load *load, struct pgm_copyin_input *input, struct pgm_error *err)
{
	size_t columns = load->table.column_count;
	struct batch batch = {.load = load, .input = input, .alone = true, .scratch = pgm_arena_new(0)};
	batch.held = pgm_arena_new(0);
	batch.max = BATCH_VALUES / (columns + 1) < BATCH_ROWS ? BATCH_VALUES / (columns + 1) : BATCH_ROWS;
	batch.shape = must(calloc(columns + 1, 1));
	batch.rows = must(calloc(batch.max, sizeof(*batch.rows)));
	batch.values = must(calloc(columns + 1, sizeof(*batch.values)));
	batch.lengths = must(calloc(columns + 1, sizeof(*batch.lengths)));
	pgm_copyin_row_init(&batch.row, load);
	bool ok = run(&batch, err);
	pgm_copyin_row_done(&batch.row);
	for (size_t c = 0; c < columns; c++) {
		free(batch.values[c]);
		free(batch.lengths[c]);
	}
	free(batch.values);
	free(batch.lengths);
	free(batch.rows);
	free(batch.shape);
	pgm_arena_free(batch.held);
	pgm_arena_free(batch.scratch);
	return ok;
}
