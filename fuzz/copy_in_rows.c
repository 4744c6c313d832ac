/*
 * Files to load: the first two bytes choose the format and where the file is cut into pieces. Whatever the
 * bytes are, the rows are the same whole and in pieces, they make up the file, and JSON is right where
 * jansson says so.
 */
#include "copyin/fields.h"
#include "copyin/frame.h"
#include "copyin/ndjson.h"

#include <assert.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct pgm_copyin_dialect dialects[] = {
	{PGM_COPYIN_CSV, ',', '"', '"', ""},
	{PGM_COPYIN_CSV, ';', '\'', '\\', "NULL"},
	{PGM_COPYIN_TSV, '\t', '"', '"', "\\N"},
	{PGM_COPYIN_NDJSON, ',', '"', '"', ""},
};

struct pieces {
	const char *text;
	size_t length, at, size;
};

static bool next_piece(void *arg, const char **data, size_t *length, struct pgm_error *err)
{
	struct pieces *pieces = arg;
	size_t left = pieces->length - pieces->at;
	(void)err;
	*length = pieces->size < left ? pieces->size : left;
	*data = pieces->text + pieces->at;
	pieces->at += *length;
	return true;
}

static void read_values(const struct pgm_copyin_dialect *dialect, const struct pgm_frame_record *record)
{
	struct pgm_fields fields = {0};
	if (dialect->format == PGM_COPYIN_CSV)
		assert(!pgm_csv_split(dialect, record->data, record->length, &fields));
	else
		(void)!pgm_tsv_split(dialect, record->data, record->length, &fields);
	size_t total = 0;
	for (size_t i = 0; i < fields.count; i++)
		total += fields.items[i].length;
	assert(fields.count > 0 && total <= record->length);
	pgm_fields_free(&fields);
}

static void read_json(const struct pgm_frame_record *record)
{
	struct pgm_json_object object = {0};
	size_t at;
	json_error_t error = {0};
	const char *fault = pgm_ndjson_read(record->data, record->length, &object, &at);
	assert(at <= record->length);
	/* Numbers that C's types cannot hold are right here alone; depth is limited differently. */
	json_t *theirs =
		json_loadb(record->data, record->length,
			   JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL | JSON_DECODE_INT_AS_REAL, &error);
	bool limits = !theirs && (json_error_code(&error) == json_error_numeric_overflow ||
				  json_error_code(&error) == json_error_stack_overflow ||
				  json_error_code(&error) == json_error_null_byte_in_key);
	bool deep = fault && strcmp(fault, "nested too deeply") == 0;
	if (!limits && !deep && !(fault && strstr(fault, "u0000")))
		assert(!fault == json_is_object(theirs) ||
		       json_error_code(&error) == json_error_duplicate_key);
	json_decref(theirs);
	for (size_t i = 0; !fault && i < object.count; i++) {
		const struct pgm_json_member *member = &object.members[i];
		char *into = malloc(member->raw_length + 1);
		assert(pgm_json_array_literal(member->raw, member->raw_length, into) <= member->raw_length);
		free(into);
	}
	pgm_ndjson_free(&object);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size < 2 || size > 65536)
		return 0;
	const struct pgm_copyin_dialect *dialect = &dialects[data[0] % 4];
	struct pieces whole = {(const char *)data + 2, size - 2, 0, size};
	struct pieces cut = {(const char *)data + 2, size - 2, 0, (size_t)data[1] % 64 + 1};
	struct pgm_framer *a = pgm_framer_new("a", dialect, PGM_FRAME_MAX_BYTES, next_piece, &whole, 0, 1);
	struct pgm_framer *b = pgm_framer_new("b", dialect, PGM_FRAME_MAX_BYTES, next_piece, &cut, 0, 1);
	int64_t behind = -1;
	for (;;) {
		struct pgm_frame_record x = {0}, y = {0};
		struct pgm_error x_err = {0}, y_err = {0};
		bool x_got = false, y_got = false;
		bool x_ok = pgm_framer_next(a, &x, &x_got, &x_err);
		bool y_ok = pgm_framer_next(b, &y, &y_got, &y_err);
		assert(x_ok == y_ok && x_got == y_got);
		if (!x_ok || !x_got)
			break;
		assert(x.length == y.length && memcmp(x.data, y.data, x.length) == 0);
		assert(x.line == y.line && x.lines == y.lines && x.offset == y.offset && x.end == y.end);
		assert(!x.fault == !y.fault && x.fault_offset == y.fault_offset);
		assert(behind < 0 || dialect->format == PGM_COPYIN_NDJSON || x.offset == behind);
		assert(x.end > x.offset && x.end <= (int64_t)size);
		behind = x.end;
		if (x.fault)
			continue;
		if (dialect->format == PGM_COPYIN_NDJSON)
			read_json(&x);
		else
			read_values(dialect, &x);
	}
	pgm_framer_free(a);
	pgm_framer_free(b);
	return 0;
}
