/*
 * The text that is planned without its values: what normalizing has made of typed constants is SQL again.
 */
#include "../cmocka_all.h"

#include "workload/generic_plan.h"

static void texts_are_sql_again(void **state)
{
	static const struct {
		const char *from, *to;
		int numbers;
	} cases[] = {
		{"SELECT 1", "SELECT 1", 0},
		{"SELECT a FROM t WHERE b = $1 LIMIT $2", "SELECT a FROM t WHERE b = $1 LIMIT $2", 2},
		{"SELECT now() - interval $1", "SELECT now() - ($1)::pg_catalog.interval", 1},
		{"SELECT INTERVAL /* x */ $10, Date\n$9",
		 "SELECT ($10)::pg_catalog.interval, ($9)::pg_catalog.date", 10},
		{"SELECT t.time, timestamp $3", "SELECT t.time, ($3)::pg_catalog.timestamp", 3},
		{"SELECT interval_length $1", "SELECT interval_length $1", 1},
		{"SELECT '$7', \"interval $8\", $$ interval $9 $$, a$1 -- interval $5",
		 "SELECT '$7', \"interval $8\", $$ interval $9 $$, a$1 -- interval $5", 0},
		{"SELECT $999999, $", "SELECT $999999, $", 0},
		{"", "", 0},
	};
	(void)state;
	PGM_AUTO_ARENA arena = pgm_arena_new(0);
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		int numbers = -1;
		assert_string_equal(pgm_generic_text(arena, cases[i].from, &numbers), cases[i].to);
		assert_int_equal(numbers, cases[i].numbers);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(texts_are_sql_again)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
