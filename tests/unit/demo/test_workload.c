#include "../cmocka_all.h"

#include "demo/apps.h"
#include "demo/draw.h"
#include "demo/workload.h"

#include <stdlib.h>
#include <string.h>

#define STATEMENT(extra, sql) \
	"-- name: one\n-- title: The one\n-- headline: yes\n-- kind: read\n-- times: 3\n" extra sql

static bool parse(struct pgm_arena *arena, const char *text, struct pgm_demo_workload *workload,
		  struct pgm_error *err)
{
	*workload = (struct pgm_demo_workload){0};
	*err = (struct pgm_error){0};
	return pgm_demo_workload_parse(arena, "app", text, workload, err);
}

static void statements_are_read(void **state)
{
	(void)state;
	PGM_AUTO_ARENA arena = pgm_arena_new(0);
	struct pgm_demo_workload workload;
	struct pgm_error err;
	assert_true(parse(arena,
			  STATEMENT("", "SELECT 1,\n\n\t2;\n") "\n"
							       "-- name: two\n-- title: Delete: all\n-- "
							       "headline: no\n-- kind: cascade_delete\n"
							       "-- times: 0\n-- sample: DELETE 3\n-- units: "
							       "SELECT 9\n-- trigger: DELETE 1\n"
							       "DELETE {{int:1:3}};",
			  &workload, &err));
	assert_int_equal(workload.statements.count, 2);
	const struct pgm_demo_statement *one = &workload.statements.items[0];
	assert_string_equal(one->app, "app");
	assert_string_equal(one->name, "one");
	assert_string_equal(one->title, "The one");
	assert_true(one->headline);
	assert_int_equal(one->kind, PGM_DEMO_READ);
	assert_int_equal(one->times, 3);
	assert_null(one->sample);
	assert_string_equal(one->sql, "SELECT 1,\n\n\t2");
	const struct pgm_demo_statement *two = &workload.statements.items[1];
	assert_string_equal(two->title, "Delete: all");
	assert_int_equal(two->kind, PGM_DEMO_CASCADE_DELETE);
	assert_string_equal(two->sample, "DELETE 3");
	assert_string_equal(two->units, "SELECT 9");
	assert_string_equal(two->trigger, "DELETE 1");
	assert_false(two->headline);
	assert_int_equal(pgm_demo_workload_pass_count(&workload), 3);
	assert_int_equal(pgm_demo_workload_headline_count(&workload), 1);
}

static void mistakes_name_their_line(void **state)
{
	(void)state;
	static const struct {
		const char *text, *message;
	} cases[] = {
		{"SELECT 1;\n", "line 1: the statement has no good name"},
		{"-- name: Big\n-- title: t\nSELECT 1;", "line 3: the statement has no good name"},
		{"-- name: a\nSELECT 1;", "line 2: this statement has no title: a"},
		{"-- name: a\n-- name: b\n", "line 2: given twice: name"},
		{"-- name:\n", "line 1: this has no value: name"},
		{"-- colour: red\n", "line 1: there is no property colour"},
		{"-- red\n", "line 1: this is no property: red"},
		{"-- name: a\n-- title: t\n-- headline: ja\nSELECT 1;",
		 "line 4: headline is yes or no, not ja"},
		{"-- name: a\n-- title: t\n-- headline: no\n-- times: many\nSELECT 1;",
		 "line 5: times is a number, not many"},
		{"-- name: a\n-- title: t\n-- headline: no\n-- times: -1\nSELECT 1;",
		 "line 5: times is a number, not -1"},
		{"-- name: a\n-- title: t\n-- headline: no\n-- times: 1\n-- kind: odd\nSELECT 1;",
		 "line 6: the kind is read, write or cascade_delete, not odd"},
		{STATEMENT("-- sample: x\n", "SELECT 1;"),
		 "line 7: a cascade_delete, and nothing else, has sample, units and trigger"},
		{STATEMENT("", "SELECT 1;\n") STATEMENT("", "SELECT 2;\n"),
		 "line 12: two statements have the name one"},
		{STATEMENT("", "SELECT\n-- times: 4\n1;"),
		 "line 7: a property in the middle of a statement: times: 4"},
		{STATEMENT("", "SELECT 1\n"), "line 6: the last statement has no end"},
		{STATEMENT("", "SELECT {{int:5:4}};"), "line 6: there is no placeholder {{int:5:4}}"},
		{STATEMENT("", "SELECT {{dice:5}};"), "line 6: there is no placeholder {{dice:5}}"},
		{STATEMENT("", "SELECT {{int:5:8;"), "line 6: a placeholder is not closed: {{int:5:8"},
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		PGM_AUTO_ARENA arena = pgm_arena_new(0);
		struct pgm_demo_workload workload;
		struct pgm_error err;
		assert_false(parse(arena, cases[i].text, &workload, &err));
		assert_int_equal(err.kind, PGM_ERR_INPUT);
		assert_string_equal(err.message + strlen("app.workload.sql, "), cases[i].message);
	}
}

static char *expand(struct pgm_arena *arena, const char *text, uint64_t n)
{
	struct pgm_demo_random random;
	pgm_demo_random_seed(&random, 1, "name", n);
	return pgm_demo_expand(arena, text, &random, NULL);
}

static void draws_repeat_and_differ(void **state)
{
	(void)state;
	PGM_AUTO_ARENA arena = pgm_arena_new(0);
	const char *text = "{{int:1:1000000}} {{zipf:1:1000000}} {{choice:a|b|c}}";
	assert_string_equal(expand(arena, text, 7), expand(arena, text, 7));
	assert_string_not_equal(expand(arena, text, 7), expand(arena, text, 8));
	/* The same placeholder twice is one value; another text is another draw. */
	char *twice = expand(arena, "{{int:1:1000000}}={{int:1:1000000}}={{int:01:1000000}}", 7);
	char *second = strchr(twice, '=') + 1, *third = strchr(second, '=') + 1;
	second[-1] = third[-1] = '\0';
	assert_string_equal(twice, second);
	assert_string_not_equal(twice, third);
	assert_string_equal(expand(arena, "none", 1), "none");
	assert_string_equal(expand(arena, "a{{int:-3:-3}}b", 1), "a-3b");
}

static void draws_are_where_they_should_be(void **state)
{
	(void)state;
	PGM_AUTO_ARENA arena = pgm_arena_new(0);
	int ints[4] = {0}, words[3] = {0}, low = 0;
	for (uint64_t n = 0; n < 4000; n++) {
		pgm_arena_reset(arena);
		long i = strtol(expand(arena, "{{int:5:8}}", n), NULL, 10);
		assert_in_range(i, 5, 8);
		ints[i - 5]++;
		long z = strtol(expand(arena, "{{zipf:1:100}}", n), NULL, 10);
		assert_in_range(z, 1, 100);
		low += z <= 25;
		const char *word = expand(arena, "{{choice:x|y|zz}}", n);
		assert_true(strcmp(word, "x") == 0 || strcmp(word, "y") == 0 || strcmp(word, "zz") == 0);
		words[*word - 'x']++;
	}
	for (int i = 0; i < 4; i++)
		assert_in_range(ints[i], 850, 1150);
	for (int i = 0; i < 3; i++)
		assert_in_range(words[i], 1150, 1520);
	/* u * u < 1/4 for half of the draws. */
	assert_in_range(low, 1850, 2150);
}

static void the_applications_are_good(void **state)
{
	(void)state;
	PGM_AUTO_ARENA arena = pgm_arena_new(0);
	struct pgm_demo_workload workload;
	struct pgm_error err = {0};
	assert_true(pgm_demo_statements(arena, &workload, &err));
	assert_int_equal(pgm_demo_workload_headline_count(&workload), 22);
	for (const char *const *app = pgm_demo_apps; *app; app++) {
		bool found = false;
		for (size_t i = 0; i < workload.statements.count; i++)
			found |= strcmp(workload.statements.items[i].app, *app) == 0;
		assert_true(found);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(statements_are_read),	     cmocka_unit_test(mistakes_name_their_line),
		cmocka_unit_test(draws_repeat_and_differ),   cmocka_unit_test(draws_are_where_they_should_be),
		cmocka_unit_test(the_applications_are_good),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
