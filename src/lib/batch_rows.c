/* Rows come in, and are encoded into the chunk. */
#include "lib/batch.h"

#include "lib/error.h"

#include <stdlib.h>

#define ROW_BYTES_MAX ((size_t)0x3fffff00) /* of a message to the server: PQ_LARGE_MESSAGE_LIMIT */

bool pgm_rows_room(struct pgm_rows *rows)
{
	if (rows->count < rows->capacity)
		return true;
	size_t capacity = rows->capacity ? rows->capacity * 2 : 1024;
	struct pgm_row *grown = realloc(rows->rows, capacity * sizeof(*grown));
	if (!grown)
		return false;
	rows->rows = grown;
	rows->capacity = capacity;
	return true;
}

void pgm_rows_done(struct pgm_rows *rows)
{
	pgm_bytes_done(&rows->bytes);
	free(rows->rows);
	*rows = (struct pgm_rows){0};
}

static bool add_text_line(struct pgmend_batch *b, const struct pgmend_value *values,
			  struct pgm_refusal *refusal, int *column)
{
	struct pgm_bytes *out = &b->rows.bytes;
	for (int i = 0; i < b->column_count; i++) {
		*column = i;
		if (!values[i].data)
			pgm_bytes_text(out, "\\N");
		else if (!pgm_copy_text_field(out, b->columns[i].held, values[i].data, values[i].length,
					      refusal))
			return false;
		pgm_bytes_byte(out, i + 1 < b->column_count ? '\t' : '\n');
	}
	return !out->failed;
}

static bool add_fields(struct pgmend_batch *b, const struct pgmend_value *values, size_t *key_fields,
		       struct pgm_refusal *refusal, int *bad_column)
{
	struct pgm_bytes *out = &b->rows.bytes;
	if (b->form == PGM_FORM_COPY)
		pgm_bytes_int16(out, (int16_t)b->column_count);
	for (int i = 0; i < b->column_count; i++) {
		const struct pgm_batch_column *column = &b->columns[i];
		size_t at = out->length;
		if (column->key)
			key_fields[column->key - 1] = at;
		if (!values[i].data) {
			pgm_bytes_int32(out, -1);
			continue;
		}
		*bad_column = i;
		if (!pgm_bytes_extend(out, 4) ||
		    !column->encoder(out, column->type, values[i].data, values[i].length, refusal))
			return false;
		size_t length = out->length - at - 4;
		if (length > PGM_FIELD_BYTES_MAX)
			return pgm_refuse(refusal, "54000",
					  "a value is longer than PostgreSQL's limit of 1 GB");
		pgm_put32(out->data + at, (uint32_t)length);
	}
	return !out->failed;
}

/* A row that can't be sent: with BAD_ROWS_STOP that ends the batch. */
static bool refuse_row(struct pgmend_batch *b, int64_t position, const struct pgm_refusal *refusal,
		       int column, struct pgmend_error *err)
{
	struct pgmend_error why;
	pgm_lib_error_clear(&why);
	why.code = PGMEND_ERR_DATA;
	why.row = position;
	pgm_lib_error_copy(why.message, sizeof(why.message), refusal->message);
	pgm_lib_error_copy(why.sqlstate, sizeof(why.sqlstate), refusal->sqlstate);
	if (column >= 0)
		pgm_lib_error_copy(why.column, sizeof(why.column), b->columns[column].name);
	if (!pgm_bad_add(b, position, &why)) {
		pgm_lib_error_memory(&why);
		return pgm_batch_abort(b, &why, err);
	}
	if (b->options.bad_rows == PGMEND_BAD_ROWS_STOP)
		return pgm_batch_abort(b, &why, err);
	return true;
}

static bool no_memory(struct pgmend_batch *b, struct pgmend_error *err)
{
	struct pgmend_error why;
	pgm_lib_error_memory(&why);
	return pgm_batch_abort(b, &why, err);
}

/* Adds one row, with its values in order of the columns. */
static bool add_row(struct pgmend_batch *b, const struct pgmend_value *values, struct pgmend_error *err)
{
	struct pgm_rows *rows = &b->rows;
	struct pgm_refusal refusal = {0};
	size_t key_fields[PGM_KEY_COLUMNS_MAX];
	int column = -1;
	if (!pgm_rows_room(rows))
		return no_memory(b, err);
	size_t begin = rows->bytes.length;
	int64_t position = b->result.rows_added++;
	bool ok = b->form == PGM_FORM_COPY_TEXT ? add_text_line(b, values, &refusal, &column)
						: add_fields(b, values, key_fields, &refusal, &column);
	if (ok && rows->bytes.length - begin > ROW_BYTES_MAX) {
		ok = pgm_refuse(&refusal, "54000",
				"a row of %zu bytes is longer than PostgreSQL's limit of 1 GB",
				rows->bytes.length - begin);
		column = -1;
	}
	if (!ok) {
		if (!refusal.sqlstate)
			return no_memory(b, err);
		rows->bytes.length = begin;
		return refuse_row(b, position, &refusal, column, err);
	}
	rows->rows[rows->count++] = (struct pgm_row){.begin = begin, .position = position};
	if (b->key_count) {
		bool taken_away = false;
		if (!pgm_keys_check(b, key_fields, &taken_away))
			return no_memory(b, err);
		if (taken_away && b->options.duplicates == PGMEND_DUPLICATES_ERROR) {
			pgm_refuse(&refusal, "21000", "an earlier row of the batch has the same key");
			return refuse_row(b, position, &refusal, -1, err);
		}
		if (taken_away)
			return true;
	}
	return pgm_chunk_added(b, err);
}

static bool may_add(struct pgmend_batch *b, struct pgmend_error *err)
{
	pgm_lib_error_clear(err);
	if (!b->ended)
		return true;
	return pgm_lib_error_set(err, PGMEND_ERR_STATE, "the batch has ended%s%s",
				 b->end_error.code ? ": " : "", b->end_error.message);
}

/* Lengths that must be there are: for each form but text, which may end with its NUL. */
static bool check_values(const struct pgmend_batch *b, const struct pgmend_value *values,
			 struct pgmend_error *err)
{
	for (int i = 0; i < b->column_count; i++)
		if (b->columns[i].by_pointer && b->columns[i].held != PGMEND_TEXT && values[i].data &&
		    values[i].length == PGMEND_NTS)
			return pgm_lib_error_set(err, PGMEND_ERR_USAGE,
						 "column \"%s\": a value of %s needs a length",
						 b->columns[i].name, pgm_held_name(b->columns[i].held));
	return true;
}

bool pgmend_batch_add(struct pgmend_batch *b, const struct pgmend_value *values, struct pgmend_error *err)
{
	return may_add(b, err) && check_values(b, values, err) && add_row(b, values, err);
}

bool pgmend_batch_add_rows(struct pgmend_batch *b,
			   int (*next_row)(void *context, struct pgmend_value *values), void *context,
			   struct pgmend_error *err)
{
	if (!may_add(b, err))
		return false;
	for (;;) {
		memset(b->values, 0, (size_t)b->column_count * sizeof(*b->values));
		int more = next_row(context, b->values);
		if (!more)
			return true;
		if (more < 0) {
			struct pgmend_error why;
			pgm_lib_error_set(&why, PGMEND_ERR_CANCELED,
					  "canceled by the callback that makes the rows");
			return pgm_batch_abort(b, &why, err);
		}
		if (!check_values(b, b->values, err) || !add_row(b, b->values, err))
			return false;
	}
}

/* The value of one column in one row. */
static inline void fetch(const struct pgm_batch_column *column, const struct pgmend_column *from, size_t row,
			 struct pgmend_value *value)
{
	size_t stride = from->stride_bytes ? from->stride_bytes : column->value_size;
	const void *data = (const char *)from->values + row * stride;
	if (column->by_pointer) {
		memcpy(&data, data, sizeof(data));
		value->length = from->lengths ? from->lengths[row] : PGMEND_NTS;
	}
	value->data = from->nulls && from->nulls[row] ? NULL : data;
}

static bool check_columns(const struct pgmend_batch *b, const struct pgmend_column *columns,
			  struct pgmend_error *err)
{
	for (int i = 0; i < b->column_count; i++) {
		const struct pgm_batch_column *column = &b->columns[i];
		if (!columns[i].values)
			return pgm_lib_error_set(err, PGMEND_ERR_USAGE, "column \"%s\" has no values",
						 column->name);
		if (column->by_pointer && column->held != PGMEND_TEXT && !columns[i].lengths)
			return pgm_lib_error_set(err, PGMEND_ERR_USAGE,
						 "column \"%s\": values of %s need lengths", column->name,
						 pgm_held_name(column->held));
	}
	return true;
}

bool pgmend_batch_add_columns(struct pgmend_batch *b, const struct pgmend_column *columns, size_t rows,
			      struct pgmend_error *err)
{
	if (!may_add(b, err) || (rows && !check_columns(b, columns, err)))
		return false;
	b->rows_total = (int64_t)rows;
	bool ok = true;
	for (size_t row = 0; ok && row < rows; row++) {
		for (int i = 0; i < b->column_count; i++)
			fetch(&b->columns[i], &columns[i], row, &b->values[i]);
		ok = add_row(b, b->values, err);
	}
	b->rows_total = 0;
	return ok;
}

bool pgmend_batch_flush(struct pgmend_batch *b, struct pgmend_error *err)
{
	return may_add(b, err) && pgm_chunk_finish(b, err);
}

bool pgmend_batch_finish(struct pgmend_batch *b, struct pgmend_error *err)
{
	return may_add(b, err) && pgm_chunk_finish(b, err) && pgm_batch_commit(b, err);
}
