/*
 * Where rows begin and end: the same whatever pieces a file comes in.
 */
#include "../cmocka_all.h"

#include "copyin/frame.h"
#include "util/buf.h"
#include "util/utf8.h"

#include <string.h>

static const struct pgm_copyin_dialect csv = {PGM_COPYIN_CSV, ',', '"', '"', ""};
static const struct pgm_copyin_dialect csv_escape = {PGM_COPYIN_CSV, ';', '\'', '\\', "NULL"};
static const struct pgm_copyin_dialect tsv = {PGM_COPYIN_TSV, '\t', '"', '"', "\\N"};
static const struct pgm_copyin_dialect ndjson = {PGM_COPYIN_NDJSON, ',', '"', '"', ""};

/* Gives a text in two pieces and then byte by byte, or all at once. */
struct pieces {
	const char *text;
	size_t length, at, first;
	bool bytewise;
};

static bool next_piece(void *arg, const char **data, size_t *length, struct pgm_error *err)
{
	struct pieces *pieces = arg;
	(void)err;
	size_t left = pieces->length - pieces->at;
	size_t wanted = pieces->at < pieces->first ? pieces->first - pieces->at : pieces->bytewise ? 1 : left;
	*length = wanted < left ? wanted : left;
	*data = pieces->text + pieces->at;
	pieces->at += *length;
	return true;
}

/* "line+lines@offset-end[text]" for each row, then the error. */
static char *frame(struct pgm_arena *arena, const struct pgm_copyin_dialect *dialect, struct pieces pieces)
{
	struct pgm_buf seen;
	struct pgm_error err = {0};
	struct pgm_frame_record record;
	bool got = true, ok = true;
	pgm_buf_init(&seen, arena);
	struct pgm_framer *framer =
		pgm_framer_new("f", dialect, PGM_FRAME_MAX_BYTES, next_piece, &pieces, 0, 1);
	while ((ok = pgm_framer_next(framer, &record, &got, &err)) && got) {
		pgm_buf_printf(&seen, "%lld+%lld@%lld-%lld[", (long long)record.line, (long long)record.lines,
			       (long long)record.offset, (long long)record.end);
		pgm_buf_add_n(&seen, record.data, record.length);
		pgm_buf_add(&seen, "]");
		if (record.fault)
			pgm_buf_printf(&seen, "!%lld", (long long)record.fault_offset);
	}
	if (!ok)
		pgm_buf_printf(&seen, "%s", err.message);
	pgm_framer_free(framer);
	return seen.text;
}

static void check(const struct pgm_copyin_dialect *dialect, const char *text, size_t length,
		  const char *wanted)
{
	PGM_AUTO_ARENA arena = pgm_arena_new(0);
	char *whole = frame(arena, dialect, (struct pieces){.text = text, .length = length});
	if (wanted)
		assert_string_equal(whole, wanted);
	for (size_t i = 0; i <= length; i++)
		for (int bytewise = 0; bytewise < 2; bytewise++)
			assert_string_equal(frame(arena, dialect,
						  (struct pieces){.text = text,
								  .length = length,
								  .first = i,
								  .bytewise = bytewise}),
					    whole);
}

#define CHECK(dialect, text, wanted) check(&(dialect), text, sizeof(text) - 1, wanted)

static void rows_end_at_newlines(void **state)
{
	(void)state;
	CHECK(csv, "", "");
	CHECK(csv, "a", "1+1@0-1[a]");
	CHECK(csv, "a\n", "1+1@0-2[a]");
	CHECK(csv, "a,b\n1,2\n", "1+1@0-4[a,b]2+1@4-8[1,2]");
	CHECK(csv, "\n\n", "1+1@0-1[]2+1@1-2[]");
	CHECK(tsv, "a\tb\nc", "1+1@0-4[a\tb]2+1@4-5[c]");
	CHECK(ndjson, "{}\n\n \t\r\n{}\n", "1+1@0-3[{}]4+1@8-11[{}]");
}

static void line_endings_are_those_of_the_first_line(void **state)
{
	(void)state;
	CHECK(csv, "a\r\nb\r\n", "1+1@0-3[a]2+1@3-6[b]");
	CHECK(csv, "a\rb\rc", "1+1@0-2[a]2+1@2-4[b]3+1@4-5[c]");
	CHECK(csv, "a\r", "1+1@0-2[a]");
	CHECK(csv, "a\nb\r\n", "1+1@0-2[a]2+1@2-5[b\r]");
	CHECK(csv, "a\r\nb\nc\r\n", "1+1@0-3[a]2+1@3-5[b]3+1@5-8[c]");
	CHECK(tsv, "a\r\nb\r\n", "1+1@0-3[a]2+1@3-6[b]");
	CHECK(csv, "\"x\ny\"\r\nb\r\n", "1+2@0-7[\"x\ny\"]3+1@7-10[b]");
}

static void newlines_in_quotes_are_data(void **state)
{
	(void)state;
	CHECK(csv, "a\n\"1\n2\",3\n4\n", "1+1@0-2[a]2+2@2-10[\"1\n2\",3]4+1@10-12[4]");
	CHECK(csv, "\"a\"\"\nb\"\nc\n", "1+2@0-8[\"a\"\"\nb\"]3+1@8-10[c]");
	CHECK(csv, "x\na\"b\nc\"d\ne\n", "1+1@0-2[x]2+2@2-10[a\"b\nc\"d]4+1@10-12[e]");
	CHECK(csv_escape, "x\n'a\\'\nb'\n\\'\n'\n", "1+1@0-2[x]2+2@2-10['a\\'\nb']4+2@10-15[\\'\n']");
	CHECK(csv_escape, "x\n'a\\\\'\nb\n", "1+1@0-2[x]2+1@2-8['a\\\\']3+1@8-10[b]");
	CHECK(tsv, "a\\\nb\nc\\\\\nd\n", "1+2@0-5[a\\\nb]3+1@5-9[c\\\\]4+1@9-11[d]");
	CHECK(ndjson, "{\"a\":\"b\"}\n{}", "1+1@0-10[{\"a\":\"b\"}]2+1@10-12[{}]");
}

static void a_quote_that_is_never_closed_names_its_line(void **state)
{
	(void)state;
	CHECK(csv, "a\n\"x", "1+1@0-2[a]f line 2: the quote that opens here is never closed");
	CHECK(csv, "a\n\"x\ny\",\"z\nw\n", "1+1@0-2[a]f line 3: the quote that opens here is never closed");
	CHECK(csv, "\"", "f line 1: the quote that opens here is never closed");
}

static void byte_order_marks(void **state)
{
	(void)state;
	CHECK(csv,
	      "\xef\xbb\xbf"
	      "a\nb\n",
	      "1+1@3-5[a]2+1@5-7[b]");
	CHECK(csv, "\xef\xbb\xbf", "");
	CHECK(csv,
	      "\xff\xfe"
	      "a",
	      "f is UTF-16");
}

static size_t sound(const char *text, size_t length)
{
	return pgm_utf8_sound((const unsigned char *)text, length);
}

static void encoding_is_checked(void **state)
{
	(void)state;
	CHECK(csv, "a\n12345678\xff\nb\n", "1+1@0-2[a]2+1@2-12[12345678\xff]!103+1@12-14[b]");
	assert_int_equal(sound("", 0), 0);
	assert_int_equal(sound("12345678ab", 10), 10);
	assert_int_equal(sound("1234\0006789", 9), 4);
	assert_int_equal(sound("\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80", 9), 9);
	static const char *const wrong[] = {"\x80",
					    "\xc0\x80",
					    "\xc1\xbf",
					    "\xc3",
					    "\xe0\x80\x80",
					    "\xed\xa0\x80",
					    "\xf0\x80\x80\x80",
					    "\xf4\x90\x80\x80",
					    "\xf5\x80\x80\x80",
					    "\xe2\x82",
					    "\xe2\x28\xa1",
					    "\xff"};
	for (size_t i = 0; i < sizeof(wrong) / sizeof(*wrong); i++)
		assert_int_equal(sound(wrong[i], strlen(wrong[i])), 0);
}

static void a_row_can_be_had_again(void **state)
{
	(void)state;
	struct pieces pieces = {.text = "a\nb\n", .length = 4};
	struct pgm_frame_record record;
	bool got;
	struct pgm_framer *framer = pgm_framer_new("f", &csv, PGM_FRAME_MAX_BYTES, next_piece, &pieces, 0, 1);
	pgm_framer_again(framer); /* before the first row it does nothing */
	assert_true(pgm_framer_next(framer, &record, &got, NULL) && got);
	pgm_framer_again(framer);
	assert_true(pgm_framer_next(framer, &record, &got, NULL) && got);
	assert_memory_equal(record.data, "a", 1);
	assert_true(pgm_framer_next(framer, &record, &got, NULL) && got);
	assert_memory_equal(record.data, "b", 1);
	assert_true(pgm_framer_next(framer, &record, &got, NULL) && !got);
	pgm_framer_free(framer);
}

/* Rows longer than the buffer, which has to grow while a row is half read. */
static void long_rows(void **state)
{
	(void)state;
	enum { LONG = 3 << 20 };
	PGM_AUTO_ARENA arena = pgm_arena_new(0);
	char *text = pgm_arena_alloc(arena, LONG + 16);
	memset(text, 'x', LONG);
	memcpy(text, "a\n\"", 3);
	text[LONG / 2] = '\n';
	memcpy(text + LONG, "\"\nb\n", 4);
	struct pieces pieces = {.text = text, .length = LONG + 4, .first = 1000};
	struct pgm_frame_record record;
	bool got;
	struct pgm_framer *framer = pgm_framer_new("f", &csv, PGM_FRAME_MAX_BYTES, next_piece, &pieces, 0, 1);
	assert_true(pgm_framer_next(framer, &record, &got, NULL) && got);
	assert_true(pgm_framer_next(framer, &record, &got, NULL) && got);
	assert_int_equal(record.length, LONG - 1);
	assert_int_equal(record.lines, 2);
	assert_true(pgm_framer_next(framer, &record, &got, NULL) && got);
	assert_int_equal(record.line, 4);
	assert_memory_equal(record.data, "b", 1);
	pgm_framer_free(framer);
}

static void rows_that_are_too_long(void **state)
{
	(void)state;
	enum { LONG = 4 << 20, MOST = 2 << 20 };
	PGM_AUTO_ARENA arena = pgm_arena_new(0);
	char *text = pgm_arena_alloc(arena, LONG);
	struct pgm_frame_record record;
	struct pgm_error err = {0};
	bool got;
	memset(text, 'x', LONG);
	memcpy(text, "a\nb\"", 4);
	text[1000] = '\n'; /* within the quotes */
	for (size_t first = 1; first < LONG; first *= 8) {
		struct pieces pieces = {.text = text, .length = LONG, .first = first};
		struct pgm_framer *framer = pgm_framer_new("f", &csv, MOST, next_piece, &pieces, 0, 1);
		assert_true(pgm_framer_next(framer, &record, &got, NULL) && got);
		assert_false(pgm_framer_next(framer, &record, &got, &err));
		assert_string_equal(err.message, "f line 2: the row that begins here is longer than 2 MB");
		assert_non_null(strstr(err.hint, "The quote of line 2 may never be closed"));
		pgm_framer_free(framer);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rows_end_at_newlines),
		cmocka_unit_test(line_endings_are_those_of_the_first_line),
		cmocka_unit_test(newlines_in_quotes_are_data),
		cmocka_unit_test(a_quote_that_is_never_closed_names_its_line),
		cmocka_unit_test(byte_order_marks),
		cmocka_unit_test(encoding_is_checked),
		cmocka_unit_test(a_row_can_be_had_again),
		cmocka_unit_test(long_rows),
		cmocka_unit_test(rows_that_are_too_long),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
