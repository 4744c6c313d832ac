#include "copyin/load.h"

#include <stdlib.h>
#include <string.h>

#define BAD_FORMAT "22P04" /* bad_copy_file_format */
#define BAD_TEXT   "22P02" /* invalid_text_representation */
#define BAD_BYTES  "22021" /* character_not_in_repertoire */
#define BAD_COLUMN "42703" /* undefined_column */

static void *must(void *memory)
{
	if (!memory)
		abort();
	return memory;
}

void pgm_copyin_row_init(struct pgm_copyin_row *row, const struct pgm_copyin_load *load)
{
	size_t count = load->table.column_count;
	*row = (struct pgm_copyin_row){.column_count = count};
	row->present = must(calloc(count + 1, 1));
	row->values = must(calloc(count + 1, sizeof(*row->values)));
}

void pgm_copyin_row_done(struct pgm_copyin_row *row)
{
	pgm_fields_free(&row->fields);
	pgm_ndjson_free(&row->object);
	free(row->literals);
	free(row->present);
	free(row->values);
	free(row->key_columns);
	*row = (struct pgm_copyin_row){0};
}

/* The members' columns, by those of the last row where the keys are the same. */
static int column_of(struct pgm_copyin_row *row, const struct pgm_copyin_load *load, size_t i)
{
	const struct pgm_json_member *member = &row->object.members[i];
	if (i >= row->key_capacity) {
		size_t capacity = row->object.capacity;
		row->key_columns = must(realloc(row->key_columns, capacity * sizeof(*row->key_columns)));
		for (; row->key_capacity < capacity; row->key_capacity++)
			row->key_columns[row->key_capacity] = -1;
	}
	int known = row->key_columns[i];
	if (known >= 0 && strncmp(load->table.columns[known].name, member->key, member->key_length) == 0 &&
	    load->table.columns[known].name[member->key_length] == '\0')
		return known;
	return row->key_columns[i] = pgm_copyin_column_find(&load->table, member->key, member->key_length);
}

static bool is_wanted(const struct pgm_copyin_input *input, int column)
{
	if (input->map.count == 0)
		return true;
	for (size_t i = 0; i < input->map.count; i++)
		if (input->map.columns[i] == column)
			return true;
	return false;
}

static const char *unknown_key(const struct pgm_copyin_load *load, const struct pgm_json_member *member,
			       int column, struct pgm_arena *arena)
{
	const char *key = pgm_strndup(arena, member->key, member->key_length);
	if (column >= 0)
		return pgm_sprintf(arena, "key \"%s\" is not among --columns", key);
	return pgm_sprintf(arena, "%s has no column \"%s\"%s", load->table.quoted, key,
			   pgm_copyin_suggest(arena, &load->table, key));
}

/* What a value of JSON is as the text of a column. NULL, or what is wrong. */
static const char *take_member(const struct pgm_copyin_column *column, const struct pgm_json_member *member,
			       char **literal, struct pgm_field *value)
{
	if (member->kind == PGM_JSON_NULL) {
		*value = (struct pgm_field){NULL, 0};
	} else if (column->json) {
		*value = (struct pgm_field){member->raw, member->raw_length};
	} else if (column->array && member->kind == PGM_JSON_ARRAY) {
		size_t length = pgm_json_array_literal(member->raw, member->raw_length, *literal);
		if (length == 0)
			return "an array of objects is no array of PostgreSQL";
		*value = (struct pgm_field){*literal, length};
		*literal += length;
	} else if (!member->text) {
		return "\\u0000 can't be stored in text";
	} else {
		*value = (struct pgm_field){member->text, member->text_length};
	}
	return NULL;
}

static const char *read_members(struct pgm_copyin_row *row, const struct pgm_copyin_load *load,
				const struct pgm_copyin_input *input, struct pgm_arena *arena,
				const char **sqlstate, const char **column)
{
	char *literal = row->literals;
	for (size_t i = 0; i < row->object.count; i++) {
		const struct pgm_json_member *member = &row->object.members[i];
		int c = column_of(row, load, i);
		if (c < 0 || !is_wanted(input, c)) {
			if (load->options->ignore_unknown)
				continue;
			*column = NULL;
			*sqlstate = BAD_COLUMN;
			return unknown_key(load, member, c, arena);
		}
		*column = load->table.columns[c].name;
		*sqlstate = BAD_TEXT;
		if (load->table.columns[c].generated)
			return "the column is generated and takes no values";
		const char *fault = take_member(&load->table.columns[c], member, &literal, &row->values[c]);
		if (fault)
			return fault;
		row->present[c] = 1;
	}
	*column = NULL;
	return NULL;
}

/*
 * A key that a row does not have is a column's default, which is NULL where it has none: then the rows can go
 * together. An upsert leaves such columns as they are.
 */
static void fill_nulls(struct pgm_copyin_row *row, const struct pgm_copyin_load *load,
		       const struct pgm_copyin_input *input)
{
	for (size_t c = 0; c < row->column_count; c++) {
		const struct pgm_copyin_column *column = &load->table.columns[c];
		if (row->present[c] || column->has_default || column->generated || !is_wanted(input, (int)c))
			continue;
		row->present[c] = 1;
		row->values[c] = (struct pgm_field){NULL, 0};
	}
}

static const char *read_json(struct pgm_copyin_row *row, const struct pgm_copyin_load *load,
			     const struct pgm_copyin_input *input, const struct pgm_frame_record *record,
			     struct pgm_arena *arena, const char **sqlstate, const char **column)
{
	size_t at;
	const char *fault = pgm_ndjson_read(record->data, record->length, &row->object, &at);
	if (fault) {
		*sqlstate = BAD_TEXT;
		return pgm_sprintf(arena, "%s (behind byte %zu of the line)", fault, at);
	}
	if (row->literal_capacity < record->length + 1) {
		row->literal_capacity = record->length + 1;
		row->literals = must(realloc(row->literals, row->literal_capacity));
	}
	memset(row->present, 0, row->column_count);
	fault = read_members(row, load, input, arena, sqlstate, column);
	if (fault)
		return fault;
	if (load->options->conflict_key_count == 0)
		fill_nulls(row, load, input);
	*sqlstate = BAD_FORMAT;
	return memchr(row->present, 1, row->column_count) ? NULL : "it gives no column a value";
}

static const char *read_fields(struct pgm_copyin_row *row, const struct pgm_copyin_input *input,
			       const struct pgm_frame_record *record, struct pgm_arena *arena,
			       const char **sqlstate)
{
	bool csv = input->dialect.format == PGM_COPYIN_CSV;
	*sqlstate = BAD_FORMAT;
	const char *fault = csv ? pgm_csv_split(&input->dialect, record->data, record->length, &row->fields)
				: pgm_tsv_split(&input->dialect, record->data, record->length, &row->fields);
	if (fault)
		return fault;
	if (row->fields.count != input->map.count)
		return pgm_sprintf(arena, "it has %zu field%s instead of %zu", row->fields.count,
				   row->fields.count == 1 ? "" : "s", input->map.count);
	for (size_t i = 0; i < input->map.count; i++) {
		int column = input->map.columns[i];
		if (column < 0)
			continue;
		row->present[column] = 1;
		row->values[column] = row->fields.items[i];
	}
	return NULL;
}

const char *pgm_copyin_row_read(struct pgm_copyin_row *row, const struct pgm_copyin_load *load,
				const struct pgm_copyin_input *input, const struct pgm_frame_record *record,
				struct pgm_arena *arena, const char **sqlstate, const char **column)
{
	*column = NULL;
	if (record->fault) {
		*sqlstate = BAD_BYTES;
		return pgm_sprintf(arena, "byte %lld of the file (byte %lld of the row) is %s",
				   (long long)record->fault_offset + 1,
				   (long long)(record->fault_offset - record->offset) + 1, record->fault);
	}
	if (input->dialect.format == PGM_COPYIN_NDJSON)
		return read_json(row, load, input, record, arena, sqlstate, column);
	return read_fields(row, input, record, arena, sqlstate);
}
