/*
 * Rows into values: CSV and TSV by COPY's rules, NDJSON by RFC 8259; and places that a server names.
 */
#include "../cmocka_all.h"

#include "copyin/fields.h"
#include "copyin/ndjson.h"
#include "copyin/place.h"
#include "util/buf.h"

#include <jansson.h>
#include <string.h>

static const struct pgm_copyin_dialect csv = {PGM_COPYIN_CSV, ',', '"', '"', ""};
static const struct pgm_copyin_dialect csv_escape = {PGM_COPYIN_CSV, ';', '\'', '\\', "NULL"};
static const struct pgm_copyin_dialect tsv = {PGM_COPYIN_TSV, '\t', '"', '"', "\\N"};

/* "<a><b>~": ~ is a NULL. */
static char *show(struct pgm_arena *arena, const struct pgm_fields *fields)
{
	struct pgm_buf seen;
	pgm_buf_init(&seen, arena);
	for (size_t i = 0; i < fields->count; i++) {
		if (!fields->items[i].text) {
			pgm_buf_add(&seen, "~");
			continue;
		}
		pgm_buf_char(&seen, '<');
		pgm_buf_add_n(&seen, fields->items[i].text, fields->items[i].length);
		pgm_buf_char(&seen, '>');
	}
	return seen.text;
}

static void check(const struct pgm_copyin_dialect *dialect, const char *row, const char *wanted)
{
	PGM_AUTO_ARENA arena = pgm_arena_new(0);
	struct pgm_fields fields = {0};
	const char *fault = dialect->format == PGM_COPYIN_CSV
				    ? pgm_csv_split(dialect, row, strlen(row), &fields)
				    : pgm_tsv_split(dialect, row, strlen(row), &fields);
	assert_string_equal(fault ? fault : show(arena, &fields), wanted);
	pgm_fields_free(&fields);
}

static void csv_is_split_as_copy_does(void **state)
{
	(void)state;
	check(&csv, "", "~");
	check(&csv, "a,b", "<a><b>");
	check(&csv, ",", "~~");
	check(&csv, "\"\",x", "<><x>");
	check(&csv, "\"a,b\",\"c\"\"d\"", "<a,b><c\"d>");
	check(&csv, "a\"b,c\"d", "<ab,cd>");
	check(&csv, "\"\"\"\"", "<\">");
	check(&csv, " a , \"b\"", "< a >< b>");
	check(&csv, "\"a\nb\"", "<a\nb>");
	check(&csv_escape, "NULL;'NULL';null", "~<NULL><null>");
	check(&csv_escape, "'a\\'b';'c\\\\';'d\\e'", "<a'b><c\\><d\\e>");
	check(&csv, "\"a", "a quote is never closed");
}

static void tsv_is_split_as_copy_does(void **state)
{
	(void)state;
	check(&tsv, "a\tb", "<a><b>");
	check(&tsv, "\\N\t\\\\N\t", "~<\\N><>");
	check(&tsv, "a\\tb\\nc\\\\d\\q", "<a\tb\nc\\dq>");
	check(&tsv, "\\101\\x42\\x4a\\1018", "<ABJA8>");
	check(&tsv, "\\xz\\", "<xz\\>");
	check(&tsv, "\\303\\244", "<\xc3\xa4>");
	check(&tsv, "\\xff", "an escape makes text that is not valid UTF-8");
}

static void text_is_escaped_so_that_it_is_read_back(void **state)
{
	(void)state;
	static const char text[] = "a\tb\nc\\d\re\bf\fg\vh\x01ä\\N";
	char escaped[2 * sizeof(text)];
	char *end = pgm_copy_text_escape(escaped, text, sizeof(text) - 1);
	struct pgm_fields fields = {0};
	assert_null(memchr(escaped, '\n', (size_t)(end - escaped)));
	assert_null(pgm_tsv_split(&tsv, escaped, (size_t)(end - escaped), &fields));
	assert_int_equal(fields.count, 1);
	assert_int_equal(fields.items[0].length, sizeof(text) - 1);
	assert_memory_equal(fields.items[0].text, text, sizeof(text) - 1);
	pgm_fields_free(&fields);
}

static void objects_are_read(void **state)
{
	(void)state;
	static const char line[] = " {\"a\": 12345678901234567890.5e+1, "
				   "\"b\\u00e4\":\"x\\n\\ud83d\\ude00\\/\", \"c\":[1,{\"d\":null}],"
				   "\"e\":null,\"f\":true , \"g\":\"\\u0000\",\"h\":{}} ";
	struct pgm_json_object object = {0};
	size_t at;
	assert_null(pgm_ndjson_read(line, sizeof(line) - 1, &object, &at));
	assert_int_equal(object.count, 7);
	const struct pgm_json_member *m = object.members;
	assert_int_equal(m[0].kind, PGM_JSON_NUMBER);
	assert_memory_equal(m[0].text, "12345678901234567890.5e+1", m[0].text_length);
	assert_int_equal(m[0].text_length, 25);
	assert_memory_equal(m[1].key, "bä", m[1].key_length);
	assert_int_equal(m[1].text_length, 7);
	assert_memory_equal(m[1].text, "x\n\xf0\x9f\x98\x80/", 7);
	assert_int_equal(m[2].kind, PGM_JSON_ARRAY);
	assert_memory_equal(m[2].raw, "[1,{\"d\":null}]", m[2].raw_length);
	assert_int_equal(m[3].kind, PGM_JSON_NULL);
	assert_int_equal(m[4].kind, PGM_JSON_BOOL);
	assert_null(m[5].text);
	assert_int_equal(m[6].kind, PGM_JSON_OBJECT);
	pgm_ndjson_free(&object);
}

/* Each is right or wrong as jansson has it, but for what we refuse beyond: keys that come twice. */
static void json_is_judged_as_jansson_does(void **state)
{
	(void)state;
	static const char *const lines[] = {
		"{}",
		"{\"a\":1}",
		"{\"a\":1,}",
		"{\"a\" 1}",
		"{a:1}",
		"[]",
		"1",
		"\"x\"",
		"{",
		"{\"a\":",
		"}",
		"{\"a\":01}",
		"{\"a\":-}",
		"{\"a\":1.}",
		"{\"a\":.5}",
		"{\"a\":1e}",
		"{\"a\":1e5}",
		"{\"a\":-0}",
		"{\"a\":tru}",
		"{\"a\":nul}",
		"{\"a\":\"\\x\"}",
		"{\"a\":\"\\u12g4\"}",
		"{\"a\":\"\\ud800\"}",
		"{\"a\":\"\\udc00\"}",
		"{\"a\":\"\\ud800\\u0041\"}",
		"{\"a\":\"\t\"}",
		"{\"a\":\"x}",
		"{\"a\":[1,2}",
		"{\"a\":[1,,2]}",
		"{\"a\":[1,2,]}",
		"{\"a\":[]}",
		"{\"a\":{\"b\":{}}}",
		"{} {}",
		"{}x",
		"",
		"{\"a\":1 \"b\":2}",
		"{\"a\":1,\"a\":2}",
		"{\"a\":\"\\",
		"{\"a\":+1}",
		"{\"a\":1 2}",
	};
	for (size_t i = 0; i < sizeof(lines) / sizeof(*lines); i++) {
		struct pgm_json_object object = {0};
		size_t at, length = strlen(lines[i]);
		json_error_t error = {0};
		json_t *theirs =
			json_loadb(lines[i], length, JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, &error);
		bool object_there = json_is_object(theirs);
		const char *fault = pgm_ndjson_read(lines[i], length, &object, &at);
		if (!fault != object_there)
			fail_msg("%s: %s", lines[i], fault ? fault : "taken");
		assert_true(at <= length);
		json_decref(theirs);
		pgm_ndjson_free(&object);
	}
}

static void keys_that_come_twice_are_found_among_many(void **state)
{
	(void)state;
	PGM_AUTO_ARENA arena = pgm_arena_new(0);
	struct pgm_buf line;
	struct pgm_json_object object = {0};
	size_t at;
	pgm_buf_init(&line, arena);
	for (int i = 0; i < 200; i++)
		pgm_buf_printf(&line, "%s\"k%d\":%d", i ? "," : "{", i, i);
	pgm_buf_add(&line, "}");
	assert_null(pgm_ndjson_read(line.text, line.length, &object, &at));
	line.text[--line.length] = '\0';
	pgm_buf_add(&line, ",\"k77\":0}");
	assert_string_equal(pgm_ndjson_read(line.text, line.length, &object, &at), "a key comes twice");
	pgm_ndjson_free(&object);
}

static void deep_nesting_ends(void **state)
{
	(void)state;
	char line[4096] = "{\"a\":";
	size_t at;
	struct pgm_json_object object = {0};
	memset(line + 5, '[', 4000);
	assert_string_equal(pgm_ndjson_read(line, 4005, &object, &at), "nested too deeply");
	pgm_ndjson_free(&object);
}

static void check_array(const char *json, const char *wanted)
{
	char *into = calloc(1, strlen(json) + 1);
	size_t length = pgm_json_array_literal(json, strlen(json), into);
	assert_true(length <= strlen(json));
	assert_string_equal(length ? into : "none", wanted);
	free(into);
}

static void arrays_become_those_of_postgresql(void **state)
{
	(void)state;
	check_array("[]", "{}");
	check_array("[1, 2.5e3,null , true]", "{1,2.5e3,NULL,true}");
	check_array("[[1,2],[3,4]]", "{{1,2},{3,4}}");
	check_array("[\"a\",\"b\\\"c\",\"d\\\\e\",\"\\u00e4\",\"\",\"NULL\"]",
		    "{\"a\",\"b\\\"c\",\"d\\\\e\",\"ä\",\"\",\"NULL\"}");
	check_array("[{\"a\":1}]", "none");
	check_array("[\"\\u0000\"]", "none");
	check_array("1", "none");
}

static void places_are_read_in_any_language(void **state)
{
	(void)state;
	struct pgm_copyin_column columns[] = {{.name = "price"}, {.name = "price: net"}, {.name = "x"}};
	struct pgm_copyin_table table = {.columns = columns, .column_count = 3};
	static const struct {
		const char *context;
		int64_t sent;
		int column;
	} cases[] = {
		{"COPY orders, line 17, column price: \"abc\"", 17, 0},
		{"COPY orders, line 17, column price: net: \"abc\"", 17, 1},
		{"COPY orders, line 3: \"1,2,3\"", 3, -1},
		{"COPY orders, line 5", 5, -1},
		{"PL/pgSQL function f() line 9 at RAISE\nCOPY orders, line 4: \"5\"", 4, -1},
		{"COPY orders, Zeile 8, Spalte x: »5«", 8, 2},
		{"COPY orders, ligne 8, colonne x : « 5 »", 8, 2},
		{"COPY other, line 8", 0, -1},
		{"", 0, -1},
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		int64_t sent;
		int column;
		pgm_place_read(cases[i].context, "orders", &table, &sent, &column);
		assert_int_equal(sent, cases[i].sent);
		assert_int_equal(column, cases[i].column);
	}
}

static void lines_that_were_sent_are_found_in_the_file(void **state)
{
	(void)state;
	struct pgm_place_lines lines = {0};
	assert_int_equal(pgm_place_line(&lines, 1), 0);
	pgm_place_sent(&lines, 2, 1, 1);
	pgm_place_sent(&lines, 3, 2, 2); /* of two lines, sent as they are */
	pgm_place_sent(&lines, 5, 1, 1);
	pgm_place_sent(&lines, 7, 3, 1); /* one left out; of three lines, sent as one */
	pgm_place_sent(&lines, 10, 1, 1);
	static const int64_t wanted[] = {2, 3, 3, 5, 7, 10};
	for (int64_t i = 0; i < 6; i++)
		assert_int_equal(pgm_place_line(&lines, i + 1), wanted[i]);
	pgm_place_reset(&lines);
	pgm_place_sent(&lines, 11, 1, 1);
	assert_int_equal(pgm_place_line(&lines, 1), 11);
	pgm_place_free(&lines);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(csv_is_split_as_copy_does),
		cmocka_unit_test(tsv_is_split_as_copy_does),
		cmocka_unit_test(text_is_escaped_so_that_it_is_read_back),
		cmocka_unit_test(objects_are_read),
		cmocka_unit_test(json_is_judged_as_jansson_does),
		cmocka_unit_test(keys_that_come_twice_are_found_among_many),
		cmocka_unit_test(deep_nesting_ends),
		cmocka_unit_test(arrays_become_those_of_postgresql),
		cmocka_unit_test(places_are_read_in_any_language),
		cmocka_unit_test(lines_that_were_sent_are_found_in_the_file),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
