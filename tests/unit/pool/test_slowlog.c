/* The slow query's line: what it shows, what it hides, and that it stays one line. */
#include "../cmocka_all.h"

#include "pool/profile/slowlog.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

static struct pgm_slow_query example(const char *sql)
{
	return (struct pgm_slow_query){.unix_us = 1709210096789000,
				       .database = "shop",
				       .user = "the app",
				       .client = "10.0.0.7:41234",
				       .fingerprint = 0xabc,
				       .wait_us = 1500,
				       .server_us = 123456,
				       .rows = 5,
				       .bytes_out = 321,
				       .sql = sql,
				       .sql_length = strlen(sql),
				       .standard_strings = true};
}

static const char secret[] = "SELECT *\nFROM t WHERE card = 'hush' AND n = 42";

static void values_are_hidden(void **state)
{
	(void)state;
	char out[1024];
	struct pgm_slow_query query = example(secret);
	size_t length = pgm_slowlog_text(&query, out, sizeof(out));
	assert_int_equal(length, strlen(out));
	assert_string_equal(out, "slow query: 123.456 ms, waited 1.500 ms, 5 rows, 321 bytes database=shop "
				 "user=\"the app\" client=10.0.0.7:41234 fingerprint=0000000000000abc: "
				 "SELECT * FROM t WHERE card = ? AND n = ?");
	pgm_slowlog_json(&query, out, sizeof(out));
	assert_string_equal(
		out, "{\"event\":\"slow_query\",\"at\":\"2024-02-29T12:34:56.789Z\",\"server_ms\":123.456,"
		     "\"wait_ms\":1.500,\"rows\":5,\"bytes\":321,\"database\":\"shop\",\"user\":\"the app\","
		     "\"client\":\"10.0.0.7:41234\",\"fingerprint\":\"0000000000000abc\","
		     "\"query\":\"SELECT * FROM t WHERE card = ? AND n = ?\"}");
}

static void values_are_shown_if_wanted(void **state)
{
	(void)state;
	char out[1024];
	struct pgm_slow_query query = example(secret);
	query.values = true;
	pgm_slowlog_text(&query, out, sizeof(out));
	assert_non_null(strstr(out, ": SELECT *\\nFROM t WHERE card = 'hush' AND n = 42"));
	static const uint8_t bind[] = {0, 0, 0, 1, 0, 0, 0, 4, 'i', 't', '\'', 's', 0, 0};
	query = example("SELECT $1");
	query.values = true;
	query.bind = bind;
	query.bind_length = sizeof(bind);
	query.sqlstate = "57014";
	pgm_slowlog_text(&query, out, sizeof(out));
	assert_non_null(strstr(out, " sqlstate=57014 "));
	assert_non_null(strstr(out, ": SELECT 'it''s'"));
	query.bind_length = 5;
	pgm_slowlog_text(&query, out, sizeof(out));
	assert_non_null(strstr(out, ": SELECT $1"));
}

/* Of any bytes and any size, it is one printable line, and the JSON can be read. */
static void any_bytes_make_one_line(void **state)
{
	(void)state;
	uint64_t seed = 3;
	for (int round = 0; round < 5000; round++) {
		char sql[900], name[200], out[2048];
		size_t length = (size_t)round % sizeof(sql), size = PGM_SLOWLOG_MIN + (size_t)round % 1500;
		for (size_t i = 0; i < sizeof(sql); i++) {
			seed = seed * 6364136223846793005u + 1442695040888963407u;
			uint8_t byte = (uint8_t)(seed >> 40);
			sql[i] = (char)(round % 3 == 0 && byte == 0 ? 1
					: round % 3 == 1	    ? byte | 0x80
								    : byte % 0x60 + 0x20);
			name[i % sizeof(name)] = (char)(byte ? byte : 1);
		}
		name[sizeof(name) - 1] = '\0';
		struct pgm_slow_query query = example("");
		query.sql = sql;
		query.sql_length = length;
		query.database = query.user = query.client = query.application = name;
		query.values = round & 1;
		memset(out, 'x', sizeof(out));
		size_t written = pgm_slowlog_text(&query, out, size);
		assert_true(written < size && out[written] == '\0' && out[size] == 'x' &&
			    strlen(out) == written);
		for (size_t i = 0; i < written; i++)
			assert_true((uint8_t)out[i] >= 0x20 && out[i] != 0x7f);
		written = pgm_slowlog_json(&query, out, size);
		assert_true(written < size && out[written] == '\0' && out[size] == 'x' &&
			    strlen(out) == written);
		assert_null(strchr(out, '\n'));
		json_error_t problem;
		json_t *json = json_loads(out, 0, &problem);
		if (!json)
			fail_msg("%s: %s", problem.text, out);
		assert_non_null(json_string_value(json_object_get(json, "query")));
		json_decref(json);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(values_are_hidden),
		cmocka_unit_test(values_are_shown_if_wanted),
		cmocka_unit_test(any_bytes_make_one_line),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
