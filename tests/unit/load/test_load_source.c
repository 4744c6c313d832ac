#include "load/source_parts.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

/* "SELECT $1: 5 | 7": the normal form and the rows of the samples; "" where they cannot be told. */
static const char *found(const char *first, const char *second)
{
	static char out[1024];
	PGM_AUTO_ARENA arena = pgm_arena_new(0);
	const char *samples[] = {first, second}, *sql = NULL;
	struct pgm_statement statement = {.samples = samples, .sample_count = second ? 2 : 1};
	struct pgm_load_values values = {0};
	size_t count = 0;
	if (!source_from_samples(arena, &statement, &sql, &count, &values))
		return "";
	size_t length = (size_t)snprintf(out, sizeof(out), "%s:", sql);
	for (size_t r = 0; r < values.row_count; r++) {
		length += (size_t)snprintf(out + length, sizeof(out) - length, "%s", r ? " |" : "");
		for (size_t p = 0; p < count; p++)
			length += (size_t)snprintf(out + length, sizeof(out) - length, " %s",
						   values.rows[r][p] ? values.rows[r][p] : "NULL");
	}
	return out;
}

static void samples_give_their_parameters(void **state)
{
	(void)state;
	assert_string_equal(found("SELECT a FROM t WHERE b = 5", "SELECT a FROM t WHERE b = 77"),
			    "SELECT a FROM t WHERE b = $1: 5 | 77");
	assert_string_equal(found("SELECT a FROM t WHERE b = 'it''s' AND c > -1.5e3 LIMIT 7", NULL),
			    "SELECT a FROM t WHERE b = $1 AND c > $2 LIMIT $3: it's -1.5e3 7");
	assert_string_equal(found("SELECT a FROM t", NULL), "SELECT a FROM t:");
	assert_string_equal(found("SELECT '{1,2}'::int[] /* 5 */", NULL), "SELECT $1::int[] /* 5 */: {1,2}");
	/* other statements, or literals that are read by nobody here: they run as they are */
	assert_string_equal(found("SELECT a FROM t WHERE b = 5", "SELECT a FROM t WHERE c = 77"), "");
	assert_string_equal(found("SELECT a FROM t WHERE b = E'x\\ny'", NULL), "");
	assert_string_equal(found("SELECT FROM WHERE", NULL), "");
}

static void typed_parameters_become_casts(void **state)
{
	(void)state;
	PGM_AUTO_ARENA arena = pgm_arena_new(0);
	assert_string_equal(
		source_cast_params(arena, "SELECT now() - interval $1, date  $12 FROM t WHERE a = $2"),
		"SELECT now() - CAST($1 AS interval), CAST($12 AS date) FROM t WHERE a = $2");
	assert_string_equal(source_cast_params(arena, "SELECT '$1', interval '1 day', date FROM t"),
			    "SELECT '$1', interval '1 day', date FROM t");
}

static void columns_are_drawn_as_they_are(void **state)
{
	(void)state;
	const char *texts[] = {"often", "rare"};
	double upto[] = {0.9, 1};
	int64_t bounds[] = {1, 10, 1000};
	struct pgm_load_column texts_only = {.texts = texts, .upto = upto, .text_count = 2};
	struct pgm_load_column both = texts_only;
	struct pgm_random random;
	char buffer[PGM_LOAD_NUMBER_MAX];
	int often = 0, numbers = 0, low = 0;
	both.bounds = bounds;
	both.bound_count = 3;
	both.text_share = 0.25;
	pgm_random_seed(&random, 4);
	for (int i = 0; i < 10000; i++) {
		often += strcmp(pgm_load_column_draw(&texts_only, &random, buffer), "often") == 0;
		const char *value = pgm_load_column_draw(&both, &random, buffer);
		numbers += value == buffer;
		low += value == buffer && strlen(value) <= 2;
	}
	assert_in_range(often, 8800, 9200);
	assert_in_range(numbers, 7200, 7800);
	/* half of the rows lie below 10, and a few of the others below 100 */
	assert_in_range(low, 3700, 4500);
	assert_null(pgm_load_column_draw(&(struct pgm_load_column){0}, &random, buffer));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(samples_give_their_parameters),
		cmocka_unit_test(typed_parameters_become_casts),
		cmocka_unit_test(columns_are_drawn_as_they_are),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
