#include "../cmocka_all.h"

#include "pg/conn.h"
#include "pg/quote.h"

#include <string.h>

static void identifiers_are_quoted_where_needed(void **state)
{
	(void)state;
	PGM_AUTO_ARENA arena = pgm_arena_new(0);
	assert_string_equal(pgm_quote_ident(arena, "orders_2"), "orders_2");
	assert_string_equal(pgm_quote_ident(arena, "Orders"), "\"Orders\"");
	assert_string_equal(pgm_quote_ident(arena, "a b"), "\"a b\"");
	assert_string_equal(pgm_quote_ident(arena, "a\"b\n"), "\"a\"\"b\n\"");
	assert_string_equal(pgm_quote_ident(arena, "2nd"), "\"2nd\"");
	assert_string_equal(pgm_quote_ident(arena, ""), "\"\"");
	assert_string_equal(pgm_quote_ident(arena, "user"), "\"user\"");
	assert_string_equal(pgm_quote_ident(arena, "all"), "\"all\"");
	assert_string_equal(pgm_quote_ident(arena, "xmltable"), "\"xmltable\"");
	assert_string_equal(pgm_quote_ident(arena, "\xc3\xbc"), "\"\xc3\xbc\"");
	assert_string_equal(pgm_quote_qualified(arena, "public", "T"), "public.\"T\"");
}

static void literals_cannot_break_out(void **state)
{
	(void)state;
	PGM_AUTO_ARENA arena = pgm_arena_new(0);
	assert_string_equal(pgm_quote_literal(arena, "it's"), "'it''s'");
	assert_string_equal(pgm_quote_literal(arena, "a\\'b"), "E'a\\\\''b'");
}

static void names_are_cut_between_characters(void **state)
{
	(void)state;
	PGM_AUTO_ARENA arena = pgm_arena_new(0);
	assert_string_equal(pgm_quote_truncate(arena, "abc", 2), "ab");
	assert_string_equal(pgm_quote_truncate(arena, "a\xc3\xbc", 2), "a");
	assert_string_equal(pgm_quote_truncate(arena, "a\xc3\xbc", 3), "a\xc3\xbc");
}

static void arrays_are_read(void **state)
{
	(void)state;
	PGM_AUTO_ARENA arena = pgm_arena_new(0);
	char **items;
	assert_int_equal(pgm_rows_array(arena, "{a,\"b,\\\"}\",NULL,\"NULL\",\"\"}", &items), 5);
	assert_string_equal(items[0], "a");
	assert_string_equal(items[1], "b,\"}");
	assert_null(items[2]);
	assert_string_equal(items[3], "NULL");
	assert_string_equal(items[4], "");
	assert_int_equal(pgm_rows_array(arena, "{}", &items), 0);
	assert_int_equal(pgm_rows_array(arena, NULL, &items), 0);
	assert_int_equal(pgm_rows_array(arena, "[0:1]={1,2}", &items), 2);
	/* Malformed text ends the reading; nothing is read beyond it. */
	assert_int_equal(pgm_rows_array(arena, "{\"a", &items), 1);
	assert_int_equal(pgm_rows_array(arena, "{a\\", &items), 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(identifiers_are_quoted_where_needed),
		cmocka_unit_test(literals_cannot_break_out),
		cmocka_unit_test(names_are_cut_between_characters),
		cmocka_unit_test(arrays_are_read),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
