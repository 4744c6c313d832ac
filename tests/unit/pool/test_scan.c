/* Which texts are one statement, and how they are shown. */
#include "../cmocka_all.h"

#include "demo/apps.h"
#include "demo/draw.h"
#include "demo/workload.h"
#include "pool/scan/scan.h"
#include "pool/scan/scan_cache.h"
#include "sql/fingerprint.h"
#include "util/hash.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static uint64_t fingerprint(const char *sql)
{
	struct pgm_scan scan;
	pgm_scan_sql(sql, strlen(sql), true, &scan);
	return scan.fingerprint;
}

static const char *const same[][2] = {
	{"SELECT 1", "select\t2 ;"},
	{"SELECT * FROM t WHERE a = 1", "select * from T where A=$7"},
	{"SELECT * FROM t WHERE a = 'x'", "SELECT * FROM t WHERE a=E'\\'' -- c"},
	{"SELECT * FROM t WHERE a = 'x'", "SELECT * FROM t WHERE a=U&'\\0041'"},
	{"SELECT * FROM t WHERE a = 'x'", "SELECT * FROM t WHERE a=$q$ ' $q$"},
	{"SELECT * FROM t WHERE a = 'x'", "SELECT * FROM t WHERE a='x'\n  'y' -- z\n 'z'"},
	{"SELECT * FROM t WHERE a = 1", "SELECT * FROM t WHERE a = -1.5e-7"},
	{"SELECT * FROM t WHERE a = 1", "SELECT * FROM t WHERE a =-/* sign */1"},
	{"SELECT * FROM t WHERE a = 1", "SELECT * FROM t WHERE a = 0xff"},
	{"SELECT * FROM t WHERE a = 1", "SELECT * FROM t WHERE a = 1_000"},
	{"SELECT * FROM t WHERE a = 1", "SELECT * FROM t WHERE a = .5"},
	{"SELECT * FROM t WHERE a = true", "SELECT * FROM t WHERE a = NULL"},
	{"SELECT -1, -2", "SELECT 1, 2"},
	{"SELECT a FROM t LIMIT 10", "SELECT a FROM t LIMIT -1"},
	{"SELECT a - 1", "SELECT a -2"},
	{"SELECT * FROM t WHERE a IN (1)", "SELECT * FROM t WHERE a IN (1, 2, 3)"},
	{"SELECT * FROM t WHERE a IN ($1)", "SELECT * FROM t WHERE a in($1,$2,NULL,-4)"},
	{"SELECT * FROM t WHERE a IN ('a'::text)", "SELECT * FROM t WHERE a IN ('a'::text, 'b'::text)"},
	{"SELECT * FROM t WHERE (a,b) IN ((1,2))", "SELECT * FROM t WHERE (a,b) IN ((1,2),(3,4))"},
	{"SELECT * FROM t WHERE a IN (f(1))", "SELECT * FROM t WHERE a IN (f(1),f(2))"},
	{"SELECT * FROM t WHERE a = ANY(ARRAY[1])", "SELECT * FROM t WHERE a = ANY(ARRAY [1,2])"},
	{"INSERT INTO t VALUES (1, 2)", "INSERT INTO t VALUES (1,2),(3,4), (5 , 6)"},
	{"INSERT INTO t (a) VALUES (now())", "INSERT INTO t (a) VALUES (now()), (now())"},
	{"INSERT INTO t VALUES (1) ON CONFLICT (a) DO NOTHING",
	 "INSERT INTO t VALUES (1),(2) ON CONFLICT (a) DO NOTHING"},
	{"SELECT * FROM (VALUES (1)) v, u", "SELECT * FROM (VALUES (1), (2)) v, u"},
	{"SELECT * FROM t WHERE a IN (VALUES (1))", "SELECT * FROM t WHERE a IN (VALUES (1), (2), (3))"},
	{"SELECT * FROM t WHERE a IN (1) AND b IN (1,2)", "SELECT * FROM t WHERE a IN (1,2) AND b IN (3)"},
	{"SELECT a IN (b IN (1), b IN (2))", "SELECT a IN (b IN (1,2,3))"},
	{"SELECT * FROM \"T\"", "SELECT*FROM\"T\""},
	{"SELECT 1; SELECT 2", ";;SELECT 1 ; ; SELECT 2;;"},
	{"SAVEPOINT a", "savepoint \"b\""},
	{"ROLLBACK TO SAVEPOINT a", "ROLLBACK TO SAVEPOINT s_12"},
	{"SELECT a[1:2]", "SELECT a [ 3 : 4 ]"},
	{"SELECT DATE '2020-01-01'", "SELECT date'2021-01-01'"},
	{"SELECT caf\xc3\xa9", "SELECT CAF\xc3\xa9"},
};

static const char *const different[][2] = {
	{"SELECT a", "SELECT b"},
	{"SELECT a", "SELECT \"a\""},
	{"SELECT \"a\"", "SELECT \"A\""},
	{"SELECT \"a\"", "SELECT U&\"a\""},
	{"SELECT \"ab\"", "SELECT \"a\"\"b\""},
	{"SELECT a, b", "SELECT a b"},
	{"SELECT a, b", "SELECT a, b, b"},
	{"SELECT ab", "SELECT a b"},
	{"SELECT 1", "SELECT 1, 2"},
	{"SELECT f(1)", "SELECT f(1, 2)"},
	{"SELECT a + 1", "SELECT a - 1"},
	{"SELECT a < = 1", "SELECT a <= 1"},
	{"SELECT a @- 1", "SELECT a @ 1"},
	{"SELECT a <- 1", "SELECT a <# 1"},
	{"SELECT -a", "SELECT a"},
	{"SELECT a - 1", "SELECT a, 1"},
	{"SELECT * FROM t WHERE a IS NULL", "SELECT * FROM t WHERE a IS TRUE"},
	{"SELECT * FROM t WHERE a IS NULL", "SELECT * FROM t WHERE a IS NOT NULL"},
	{"SELECT * FROM t WHERE a IN (1)", "SELECT * FROM t WHERE a NOT IN (1)"},
	{"SELECT * FROM t WHERE a IN (1)", "SELECT * FROM t WHERE a IN (b)"},
	{"SELECT * FROM t WHERE a IN (1, b)", "SELECT * FROM t WHERE a IN (b, 1)"},
	{"SELECT * FROM t WHERE a IN (SELECT b)", "SELECT * FROM t WHERE a IN (SELECT b, b)"},
	{"SELECT * FROM t WHERE a IN (SELECT c, b, b)", "SELECT * FROM t WHERE a IN (SELECT c, b)"},
	{"SELECT * FROM t WHERE a IN ('a'::text)", "SELECT * FROM t WHERE a IN ('a'::name)"},
	{"SELECT * FROM t WHERE a IN ('a'::text)", "SELECT * FROM t WHERE a IN ('a')"},
	{"SELECT s.in(1)", "SELECT s.in(1, 2)"},
	{"INSERT INTO t VALUES (1)", "INSERT INTO t VALUES (1, 2)"},
	{"INSERT INTO t VALUES (1, DEFAULT)", "INSERT INTO t VALUES (1, 2)"},
	{"INSERT INTO t VALUES (1), (DEFAULT)", "INSERT INTO t VALUES (1)"},
	{"INSERT INTO t VALUES (1) RETURNING a", "INSERT INTO t VALUES (1)"},
	{"SELECT * FROM (VALUES (1)), u", "SELECT * FROM (VALUES (1)) u"},
	{"SELECT 1", "SELECT 1; SELECT 1"},
	{"SELECT 1::int", "SELECT 1::text"},
	{"SELECT a.b", "SELECT a, b"},
	{"SELECT a.b", "SELECT ab"},
	{"SELECT a ORDER BY b", "SELECT a ORDER BY b DESC"},
	{"SAVEPOINT a", "RELEASE a"},
	{"ROLLBACK", "ROLLBACK TO a"},
	{"EXECUTE a", "EXECUTE b"},
	{"SELECT (1)", "SELECT 1"},
	{"SELECT ((a)", "SELECT (a)"},
	{"SELECT a FROM log_2023", "SELECT a FROM log_2024"},
	{"SELECT caf\xc3\xa9", "SELECT caf\xc3\xaa"},
	{"", "SELECT"},
};

static void texts_that_differ_in_values_are_one(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(same) / sizeof(*same); i++)
		if (fingerprint(same[i][0]) != fingerprint(same[i][1]))
			fail_msg("not the same: %s | %s", same[i][0], same[i][1]);
}

static void texts_that_differ_otherwise_are_two(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(different) / sizeof(*different); i++)
		if (fingerprint(different[i][0]) == fingerprint(different[i][1]))
			fail_msg("the same: %s | %s", different[i][0], different[i][1]);
}

static void check_normal(const char *sql, const char *expected)
{
	char out[256], cut[256];
	size_t length = pgm_scan_normalize(sql, strlen(sql), true, out, sizeof(out));
	assert_string_equal(out, expected);
	assert_int_equal(length, strlen(expected));
	/* Of any size, it is a beginning of the whole, at a character's boundary. */
	for (size_t size = 1; size <= length + 1; size++) {
		memset(cut, 'x', sizeof(cut));
		size_t got = pgm_scan_normalize(sql, strlen(sql), true, cut, size);
		assert_true(got < size && cut[got] == '\0' && cut[size] == 'x');
		assert_memory_equal(cut, out, got);
		assert_true(((unsigned char)out[got] & 0xc0) != 0x80);
	}
}

static void the_normal_form_shows_no_values(void **state)
{
	(void)state;
	check_normal("  SELECT\n\t* FROM t -- c\nWHERE a = 'secret' AND b=$3 /* d */ ;",
		     "SELECT * FROM t WHERE a = ? AND b=?");
	check_normal("SELECT -1, - 2, a - 3, -b", "SELECT ?, ?, a - ?, -b");
	check_normal("SELECT * FROM t WHERE a IN (1, 2,3) AND b IN (4)",
		     "SELECT * FROM t WHERE a IN (?) AND b IN (?)");
	check_normal("SELECT a IN (1, 2, b, 3)", "SELECT a IN (?, b, ?)");
	check_normal("INSERT INTO t VALUES (1, 'a'), (2, 'b') ON CONFLICT DO NOTHING",
		     "INSERT INTO t VALUES (?, ?) ON CONFLICT DO NOTHING");
	check_normal("INSERT INTO t VALUES (1), (DEFAULT)", "INSERT INTO t VALUES (?), (DEFAULT)");
	check_normal("SELECT caf\xc3\xa9, '\xc3\xa9'", "SELECT caf\xc3\xa9, ?");
	check_normal("SELECT \xe2\x82\xac\xe2\x82\xac IN (1, 2) AND f(E'\\'')",
		     "SELECT \xe2\x82\xac\xe2\x82\xac IN (?) AND f(?)");
	check_normal("BEGIN; SELECT 1;", "BEGIN; SELECT ?");
	check_normal("SELECT 'unterminated secret", "SELECT ?");
	check_normal("", "");
	assert_int_equal(pgm_scan_normalize("SELECT", 6, true, NULL, 0), 0);
}

static void numbered_parameters_can_be_parsed(void **state)
{
	(void)state;
	char out[256];
	static const char sql[] = "SELECT 'a', $2 FROM t WHERE a IN (1, 2) AND b = -3";
	pgm_scan_parameterize(sql, strlen(sql), true, out, sizeof(out));
	assert_string_equal(out, "SELECT $1, $2 FROM t WHERE a IN ($3) AND b = $4");
}

/* A generator that gives the same each time. */
static uint32_t draw(uint64_t *seed, uint32_t below)
{
	*seed = *seed * 6364136223846793005u + 1442695040888963407u;
	return (uint32_t)(*seed >> 33) % below;
}

static const char *const tokens[] = {
	"SELECT", "FROM", "a",	  "\"B\"",     "t1",  "(",	     ")",     ",",     "=",
	"<>",	  "1",	  "'x'",  "$1",	       "IN",  "VALUES",	     "ARRAY", "[",     "]",
	"::",	  "int",  "-",	  "+",	       "*",   "E'\\''",	     "$$q$$", ";",     "NULL",
	"true",	  "IS",	  "NOT",  ".",	       "/",   "caf\xc3\xa9", "@>",    "1.5e3", "U&\"u\"",
	"SET",	  "AS",	  "WITH", "SAVEPOINT", "--@", "ROLLBACK",
};
static const char *const gaps[] = {" ",		 "\n",	 "\t ", "/**/", " /* a ' b /* c */ \" */ ",
				   " -- it's\n", "\r\n", "\f"};

static void space_and_comments_do_not_count(void **state)
{
	(void)state;
	uint64_t seed = 42;
	for (int round = 0; round < 20000; round++) {
		char plain[1024] = "", spaced[4096] = "", normal[2048], again[2048];
		int count = 1 + (int)draw(&seed, 40);
		bool string = false;
		for (int i = 0; i < count; i++) {
			const char *token = tokens[draw(&seed, sizeof(tokens) / sizeof(*tokens))];
			if (strcmp(token, "--@") == 0)
				token = "b";
			/* Two strings with a newline between them are one. */
			bool is_string = token[strlen(token) - 1] == '\'';
			if (is_string && string)
				continue;
			string = is_string;
			strcat(plain, token);
			strcat(plain, " ");
			for (int gap = (int)draw(&seed, 3); gap >= 0; gap--)
				strcat(spaced, gaps[draw(&seed, sizeof(gaps) / sizeof(*gaps))]);
			strcat(spaced, token);
			for (int gap = (int)draw(&seed, 2); gap >= 0; gap--)
				strcat(spaced, gaps[draw(&seed, sizeof(gaps) / sizeof(*gaps))]);
		}
		struct pgm_scan one, two;
		pgm_scan_sql(plain, strlen(plain), true, &one);
		pgm_scan_sql(spaced, strlen(spaced), true, &two);
		if (one.fingerprint != two.fingerprint || one.flags != two.flags)
			fail_msg("differ: %s\n%s", plain, spaced);
		size_t length = pgm_scan_normalize(plain, strlen(plain), true, normal, sizeof(normal));
		pgm_scan_normalize(spaced, strlen(spaced), true, again, sizeof(again));
		assert_true(length < sizeof(normal) - 1);
		assert_string_equal(normal, again);
	}
}

static void groups_are_those_of_the_parser(void **state)
{
	(void)state;
	PGM_AUTO_ARENA arena = pgm_arena_new(0);
	struct pgm_error err = {0};
	struct pgm_map ours, theirs;
	pgm_map_init(&ours, arena);
	pgm_map_init(&theirs, arena);
	struct pgm_demo_workload workload = {0};
	assert_true(pgm_demo_statements(arena, &workload, &err));
	size_t texts = 0;
	for (size_t i = 0; i < workload.statements.count; i++) {
		const struct pgm_demo_statement *statement = &workload.statements.items[i];
		for (int pass = 0; pass < 20; pass++) {
			char *text = NULL, *parsed;
			struct pgm_demo_random random;
			pgm_demo_random_seed(&random, PGM_DEMO_SEED, statement->name, (uint64_t)pass);
			text = pgm_demo_expand(arena, statement->sql, &random, &err);
			assert_non_null(text);
			assert_true(pgm_sql_fingerprint(arena, text, &parsed, &err));
			char *scanned = pgm_sprintf(arena, "%016llx", (unsigned long long)fingerprint(text));
			const char *known = pgm_map_get(&ours, scanned), *back = pgm_map_get(&theirs, parsed);
			if ((known && strcmp(known, parsed) != 0) || (back && strcmp(back, scanned) != 0))
				fail_msg("grouped otherwise than by the parser: %s", text);
			pgm_map_set(&ours, scanned, parsed);
			pgm_map_set(&theirs, parsed, scanned);
			texts++;
		}
	}
	assert_true(texts >= 1000 && ours.count == theirs.count && ours.count >= 40);
}

/* Kept or not, pushed out or with backslashes that escape: a text's scan is that of the text. */
static void what_was_scanned_before_is_the_same(void **state)
{
	(void)state;
	struct pgm_scan_cache *cache = pgm_scan_cache_new();
	char *text = malloc(4096);
	assert_non_null(cache);
	assert_non_null(text);
	uint64_t seed = 1;
	for (int pass = 0; pass < 20000; pass++) {
		/* some come all the time, some sometimes, and most of them meet */
		unsigned number = draw(&seed, 2) ? draw(&seed, 20) : draw(&seed, 2000);
		bool standard = draw(&seed, 8) > 0;
		int length = snprintf(text, 4096, "SELECT 'a\\', %u, set_config('x', 'y', %s) --'%*s", number,
				      number % 2 ? "true" : "false", number % 100 == 99 ? 2000 : 1, "");
		struct pgm_scan fresh, again;
		pgm_scan_sql(text, (size_t)length, standard, &fresh);
		pgm_scan_again(cache, text, (size_t)length, standard, &again);
		assert_true(fresh.fingerprint == again.fingerprint && fresh.flags == again.flags);
	}
	free(text);
	pgm_scan_cache_free(cache);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(texts_that_differ_in_values_are_one),
		cmocka_unit_test(texts_that_differ_otherwise_are_two),
		cmocka_unit_test(the_normal_form_shows_no_values),
		cmocka_unit_test(numbered_parameters_can_be_parsed),
		cmocka_unit_test(space_and_comments_do_not_count),
		cmocka_unit_test(groups_are_those_of_the_parser),
		cmocka_unit_test(what_was_scanned_before_is_the_same),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
