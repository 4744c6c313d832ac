#include "../cmocka_all.h"

#include "wire/startup.h"

#include <stdio.h>
#include <stdlib.h>

/* In memory of just this size, so that a sanitizer sees a read behind it. */
static uint8_t *exactly(const void *bytes, size_t length)
{
	uint8_t *copy = malloc(length ? length : 1);
	assert_non_null(copy);
	if (length)
		memcpy(copy, bytes, length);
	return copy;
}

static void test_cursor_stops_at_the_end(void **state)
{
	(void)state;
	const uint8_t bytes[] = {0x12, 0x34, 0x56, 'a', 'b', 0, 'c'};
	struct pgm_cursor cursor = pgm_cursor_over(bytes, sizeof(bytes));
	assert_int_equal(pgm_cursor_u16(&cursor), 0x1234);
	assert_int_equal(pgm_cursor_u8(&cursor), 0x56);
	size_t length;
	assert_string_equal(pgm_cursor_string(&cursor, &length), "ab");
	assert_int_equal(length, 2);
	assert_false(cursor.bad);
	assert_string_equal(pgm_cursor_string(&cursor, &length), "");
	assert_true(cursor.bad);
	assert_int_equal(length, 0);
	assert_int_equal(pgm_cursor_u8(&cursor), 0); /* once bad, always */
	cursor = pgm_cursor_over(bytes, sizeof(bytes));
	assert_null(pgm_cursor_bytes(&cursor, SIZE_MAX));
	assert_true(cursor.bad);
	cursor = pgm_cursor_over(bytes, 3);
	assert_int_equal(pgm_cursor_u32(&cursor), 0);
	assert_true(cursor.bad);
}

static void test_writer_makes_messages(void **state)
{
	(void)state;
	uint8_t bytes[256];
	struct pgm_writer writer = pgm_writer_over(bytes, sizeof(bytes));
	pgm_wire_ready(&writer, 'T');
	assert_int_equal(pgm_writer_length(&writer), 6);
	assert_memory_equal(bytes, "Z\0\0\0\5T", 6);
	writer = pgm_writer_over(bytes, sizeof(bytes));
	pgm_wire_authentication(&writer, PGM_WIRE_AUTH_MD5, "abcd", 4);
	assert_memory_equal(bytes, "R\0\0\0\14\0\0\0\5abcd", 13);
	writer = pgm_writer_over(bytes, sizeof(bytes));
	pgm_writer_begin(&writer, 0);
	pgm_writer_u32(&writer, PGM_WIRE_PROTOCOL_3_0);
	pgm_writer_end(&writer);
	assert_memory_equal(bytes, "\0\0\0\10\0\3\0\0", 8);
	writer = pgm_writer_over(bytes, sizeof(bytes));
	pgm_wire_columns(&writer, 1, (const char *[]){"a"});
	pgm_wire_row(&writer, 2, (const char *[]){"x", NULL});
	assert_int_equal(pgm_writer_length(&writer), 1 + 4 + 2 + 2 + 18 + 1 + 4 + 2 + 5 + 4);
	assert_memory_equal(bytes, "T\0\0\0\32\0\1a\0\0\0\0\0\0\0\0\0\0\31\377\377\377\377\377\377\0\0", 27);
	assert_memory_equal(bytes + 27, "D\0\0\0\17\0\2\0\0\0\1x\377\377\377\377", 16);
	writer = pgm_writer_over(bytes, sizeof(bytes));
	pgm_wire_parameter_status(&writer, "a", "b");
	pgm_wire_command_complete(&writer, "SHOW");
	pgm_wire_query(&writer, "");
	assert_memory_equal(bytes, "S\0\0\0\10a\0b\0C\0\0\0\11SHOW\0Q\0\0\0\5\0", 25);
}

/* Whatever the room is: whole messages, and after the first that did not fit none. */
static void test_writer_leaves_out_what_does_not_fit(void **state)
{
	(void)state;
	for (size_t room = 0; room < 40; room++) {
		uint8_t *bytes = malloc(room ? room : 1);
		struct pgm_writer writer = pgm_writer_over(bytes, room);
		pgm_wire_parameter_status(&writer, "name", "value"); /* 16 bytes */
		pgm_wire_query(&writer, "SELECT 1");		     /* 14 */
		pgm_wire_ready(&writer, 'I');			     /* 6 */
		size_t fits = room < 16 ? 0 : room < 30 ? 16 : room < 36 ? 30 : 36;
		assert_int_equal(pgm_writer_length(&writer), fits);
		assert_int_equal(writer.full, room < 36);
		free(bytes);
	}
}

static void test_errors_there_and_back(void **state)
{
	(void)state;
	uint8_t bytes[256];
	struct pgm_writer writer = pgm_writer_over(bytes, sizeof(bytes));
	struct pgm_wire_error out = {"FATAL", "28P01", "no", "because", NULL}, in;
	pgm_wire_error(&writer, &out);
	assert_int_equal(bytes[0], 'E');
	size_t length = pgm_writer_length(&writer) - PGM_WIRE_HEADER_BYTES;
	assert_int_equal(pgm_wire_get32(bytes + 1), length + 4);
	assert_true(pgm_wire_read_error(bytes + PGM_WIRE_HEADER_BYTES, length, &in));
	assert_string_equal(in.severity, "FATAL");
	assert_string_equal(in.sqlstate, "28P01");
	assert_string_equal(in.message, "no");
	assert_string_equal(in.detail, "because");
	assert_null(in.hint);
	for (size_t cut = 0; cut < length; cut++) {
		uint8_t *copy = exactly(bytes + PGM_WIRE_HEADER_BYTES, cut);
		assert_false(pgm_wire_read_error(copy, cut, &in));
		assert_non_null(in.sqlstate);
		assert_non_null(in.severity);
		assert_non_null(in.message);
		free(copy);
	}
	writer = pgm_writer_over(bytes, sizeof(bytes));
	pgm_wire_error(&writer, &(struct pgm_wire_error){"ERROR", "", "odd", NULL, "do"});
	assert_true(pgm_wire_read_error(bytes + 5, pgm_writer_length(&writer) - 5, &in));
	assert_string_equal(in.sqlstate, "XX000");
	assert_string_equal(in.hint, "do");
	writer = pgm_writer_over(bytes, sizeof(bytes));
	pgm_wire_notice(&writer, &(struct pgm_wire_error){"NOTICE", "", "odd", NULL, NULL});
	assert_int_equal(bytes[0], 'N');
	assert_true(pgm_wire_read_error(bytes + 5, pgm_writer_length(&writer) - 5, &in));
	assert_string_equal(in.sqlstate, "00000");
}

/* A server may send any of them: each subset of the fields, twice, in a foreign language. */
static void test_errors_with_fields_missing(void **state)
{
	(void)state;
	static const char codes[] = "SVCMDHXR";
	for (unsigned set = 0; set < 256; set++) {
		uint8_t bytes[128];
		struct pgm_writer writer = pgm_writer_over(bytes, sizeof(bytes));
		for (int twice = 0; twice < 2; twice++) {
			for (int i = 0; i < 8; i++) {
				if (!(set & 1u << i))
					continue;
				char text[] = {codes[i], twice ? '2' : '1', 0};
				pgm_writer_u8(&writer, (uint8_t)codes[i]);
				pgm_writer_string(&writer, text);
			}
		}
		pgm_writer_u8(&writer, 0);
		struct pgm_wire_error in;
		assert_true(pgm_wire_read_error(bytes, pgm_writer_length(&writer), &in));
		assert_string_equal(in.severity, set & 2 ? "V2" : set & 1 ? "S2" : "");
		assert_string_equal(in.sqlstate, set & 4 ? "C2" : "");
		assert_string_equal(in.message, set & 8 ? "M2" : "");
		assert_int_equal(in.detail != NULL, (set & 16) != 0);
		assert_int_equal(in.hint != NULL, (set & 32) != 0);
	}
}

static void test_frontend_types(void **state)
{
	(void)state;
	char found[300] = "";
	size_t count = 0;
	for (int type = 0; type < 256; type++)
		if (pgm_wire_is_frontend((uint8_t)type))
			found[count++] = (char)type;
	assert_string_equal(found, "BCDEFHPQSXcdf");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_cursor_stops_at_the_end),
		cmocka_unit_test(test_writer_makes_messages),
		cmocka_unit_test(test_writer_leaves_out_what_does_not_fit),
		cmocka_unit_test(test_errors_there_and_back),
		cmocka_unit_test(test_errors_with_fields_missing),
		cmocka_unit_test(test_frontend_types),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
