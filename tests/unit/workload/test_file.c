/*
 * Workload files: statements that are alike are one, with samples, calls and what varies.
 */
#include "../cmocka_all.h"

#include "util/buf.h"
#include "workload/workload.h"

#include <string.h>

static struct pgm_workload read_text(struct pgm_arena *arena, const char *text)
{
	struct pgm_error err = {0};
	struct pgm_workload workload;
	if (!pgm_workload_from_text(arena, "test.sql", text, &workload, &err))
		fail_msg("%s", err.message);
	return workload;
}

static void refuse(struct pgm_arena *arena, const char *text, const char *part)
{
	struct pgm_error err = {0};
	struct pgm_workload workload;
	assert_false(pgm_workload_from_text(arena, "test.sql", text, &workload, &err));
	assert_int_equal(err.kind, PGM_ERR_INPUT);
	if (!strstr(err.message, part) || strncmp(err.message, "test.sql: ", 10) != 0)
		fail_msg("%s", err.message);
}

static void statements_that_are_alike_are_one(void **state)
{
	(void)state;
	PGM_AUTO_ARENA arena = pgm_arena_new(0);
	struct pgm_workload workload = read_text(
		arena, "SELECT a FROM t WHERE b = 1; select a from t where b=2;\nSELECT a FROM t WHERE b = 1;"
		       "SELECT a FROM t WHERE c = 1");
	assert_int_equal(workload.statement_count, 2);
	assert_float_equal(workload.statements[0].calls, 3, 0);
	assert_int_equal(workload.statements[0].sample_count, 2); /* the same text is one sample */
	assert_string_equal(workload.statements[0].text, "SELECT a FROM t WHERE b = $1");
	assert_false(workload.live);
}

static void names_that_differ_in_digits_are_different_tables(void **state)
{
	(void)state;
	PGM_AUTO_ARENA arena = pgm_arena_new(0);
	struct pgm_workload workload = read_text(
		arena, "SELECT 1 FROM log_2023 WHERE a = 5; SELECT 1 FROM log_2024 WHERE a = 5;"
		       "SELECT 1 FROM LOG_2024 WHERE a = 6; SELECT 1 FROM \"LOG_2024\" WHERE a = 6;");
	assert_int_equal(workload.statement_count, 3);
	assert_int_equal(strlen(workload.statements[0].fingerprint), 16);
}

static void comments_give_calls(void **state)
{
	(void)state;
	PGM_AUTO_ARENA arena = pgm_arena_new(0);
	struct pgm_workload workload = read_text(
		arena, "-- calls: 250\nSELECT 1 FROM a;\n-- calls: 7\n-- a word about it\nSELECT 1 FROM b;"
		       "SELECT 1 FROM c; -- calls: 9");
	assert_int_equal(workload.statement_count, 3);
	assert_float_equal(workload.statements[0].calls, 250, 0);
	assert_float_equal(workload.statements[1].calls, 7, 0);
	assert_float_equal(workload.statements[2].calls, 1, 0);
	const char *nonsense[] = {"-- calls: -5\n", "-- calls: none\n", "-- calls: 1e300\n",
				  "-- calls:", "-- calls: nan\n"};
	for (size_t i = 0; i < sizeof(nonsense) / sizeof(*nonsense); i++) {
		workload = read_text(arena, pgm_sprintf(arena, "%s\nSELECT 1 FROM a", nonsense[i]));
		assert_float_equal(workload.statements[0].calls, 1, 0);
	}
}

static void what_cannot_be_understood_is_counted(void **state)
{
	(void)state;
	PGM_AUTO_ARENA arena = pgm_arena_new(0);
	struct pgm_workload workload = read_text(
		arena, "SELECT 1 FROM a; SELEC 2; VACUUM a; CREATE TABLE x (y int); SELECT 3 FROM b;");
	assert_int_equal(workload.statement_count, 2);
	assert_int_equal(workload.left_out_count, 1);
	assert_non_null(strstr(workload.left_out_example, "syntax error"));
	struct pgm_buf buf;
	pgm_buf_init(&buf, arena);
	pgm_buf_add(&buf, "SELECT 1 FROM a; SELECT '");
	for (int i = 0; i < PGM_WORKLOAD_TEXT_MAX; i++)
		pgm_buf_char(&buf, 'x');
	pgm_buf_add(&buf, "'; SELECT 1 FROM b;");
	workload = read_text(arena, buf.text);
	assert_int_equal(workload.statement_count, 2);
	assert_string_equal(workload.left_out_example, "its text is longer than 64 kB");
	refuse(arena, "", "there is no query in it");
	refuse(arena, "-- nothing", "there is no query in it");
	refuse(arena, "VACUUM;", "there is no query in it");
	refuse(arena, "garbage;", "syntax error at or near \"garbage\"");
	refuse(arena, "SELECT 'abc", "unterminated");
	refuse(arena,
	       "\x7f"
	       "ELF\x02\x01\xff\xfe;",
	       "there is no query in it");
}

static const struct pgm_atom *atom_on(const struct pgm_workload *workload, const char *column)
{
	const struct pgm_shape *shape = &workload->statements[0].shape;
	for (size_t i = 0; i < shape->atom_count; i++)
		if (strcmp(shape->atoms[i].left.column.name, column) == 0)
			return &shape->atoms[i];
	fail_msg("no atom on %s", column);
	return NULL;
}

static void literals_that_vary_are_told(void **state)
{
	(void)state;
	PGM_AUTO_ARENA arena = pgm_arena_new(0);
	struct pgm_workload workload = read_text(
		arena,
		"SELECT 1 FROM t WHERE a = 1 AND b = 1 LIMIT 10; SELECT 1 FROM t WHERE a = 2 AND b = 1 "
		"LIMIT 1; SELECT 1 FROM t WHERE b = 1 AND a = 3 LIMIT 1;");
	assert_int_equal(workload.statement_count, 1);
	assert_true(atom_on(&workload, "a")->varies);
	assert_false(atom_on(&workload, "b")->varies);
	/* Also beyond the samples that are kept. */
	struct pgm_buf buf;
	pgm_buf_init(&buf, arena);
	for (int i = 0; i < 20; i++)
		pgm_buf_printf(&buf, "SELECT 1 FROM t WHERE a = %d AND b = '%s' AND c = 'z';", i,
			       i < 19 ? "x" : "y");
	workload = read_text(arena, buf.text);
	assert_int_equal(workload.statements[0].sample_count, PGM_WORKLOAD_SAMPLES_MAX);
	assert_true(atom_on(&workload, "b")->varies);
	assert_false(atom_on(&workload, "c")->varies);
}

static void parameters_are_no_values(void **state)
{
	(void)state;
	PGM_AUTO_ARENA arena = pgm_arena_new(0);
	struct pgm_workload workload = read_text(arena, "SELECT 1 FROM t WHERE a = $1");
	assert_int_equal(workload.statements[0].sample_count, 0);
	assert_string_equal(workload.statements[0].text, "SELECT 1 FROM t WHERE a = $1");
	assert_int_equal(workload.statements[0].shape.param_count, 1);
	/* Beside texts with values, whichever comes first. */
	workload = read_text(arena, "SELECT 1 FROM t WHERE a = 5; SELECT 1 FROM t WHERE a = $1;");
	assert_int_equal(workload.statement_count, 1);
	assert_int_equal(workload.statements[0].sample_count, 1);
	workload = read_text(arena, "SELECT 1 FROM t WHERE a = $1; SELECT 1 FROM t WHERE a = 5;");
	assert_int_equal(workload.statements[0].sample_count, 1);
	workload = read_text(arena, "SELECT 1 FROM t WHERE a = '$1'");
	assert_int_equal(workload.statements[0].sample_count, 1);
}

#define PROFILE(statements) "\n {\"pgmend_profile\": 1, \"statements\": [" statements "], \"news\": 1}"
#define PROFILED(calls, more)                                                         \
	"{\"query\": \"SELECT a FROM t WHERE b = $1 AND c > $2\", \"calls\": " #calls \
	", \"rows\": 30, \"server\": {\"total_ms\": 50.5}" more "}"

static void a_profile_is_told_by_its_content(void **state)
{
	(void)state;
	PGM_AUTO_ARENA arena = pgm_arena_new(0);
	struct pgm_workload workload = read_text(arena, PROFILE(PROFILED(10, "") ", " PROFILED(5, "")));
	assert_int_equal(workload.statement_count, 1);
	assert_float_equal(workload.statements[0].calls, 15, 0);
	assert_float_equal(workload.statements[0].total_ms, 101, 1e-9);
	assert_float_equal(workload.statements[0].rows, 60, 0);
	assert_int_equal(workload.statements[0].sample_count, 0);
	refuse(arena, "{", "line 1");
	refuse(arena, "{}", "no profile");
	refuse(arena, "{\"pgmend_profile\": 2, \"statements\": []}", "format 2");
	refuse(arena, PROFILE(""), "no query");
	refuse(arena, PROFILE("1, {}, {\"query\": 5, \"calls\": 1}, {\"query\": \"SELECT\", \"calls\": -1}"),
	       "no query");
}

#define SAMPLES(first, second)                                \
	", \"samples\": [\"SELECT a FROM t WHERE b = '" first \
	"' AND c > 1\", \"SELECT a FROM t WHERE b = '" first  \
	"' AND c > 2\", \"SELECT a FROM t WHERE b = '" second "' AND c > 3\"]"
#define TOP(count)                                                                                          \
	", \"values\": [{\"number\": 1, \"looked\": 100, \"top\": [{\"value\": \"'x'\", \"count\": " #count \
	", \"error\": 1}]}, {\"number\": 2, \"looked\": 100, \"top\": [{\"value\": \"1\", \"count\": 99}]}]"

static void a_dominant_value_is_weighed_by_itself(void **state)
{
	(void)state;
	PGM_AUTO_ARENA arena = pgm_arena_new(0);
	struct pgm_workload workload = read_text(arena, PROFILE(PROFILED(1000, SAMPLES("x", "y") TOP(91))));
	assert_int_equal(workload.statement_count, 2);
	const struct pgm_statement *most = &workload.statements[0], *rest = &workload.statements[1];
	assert_float_equal(most->calls, 900, 1e-6);
	assert_float_equal(rest->calls, 100, 1e-6);
	assert_int_equal(most->sample_count, 2);
	assert_int_equal(rest->sample_count, 1);
	assert_false(most->shape.atoms[0].varies);
	assert_string_equal(most->shape.atoms[0].value.text, "'x'");
	assert_string_equal(rest->shape.atoms[0].value.text, "'y'");
	assert_true(rest->shape.atoms[0].varies);
	assert_string_not_equal(most->fingerprint, rest->fingerprint);
	/* Half of the calls is not most. */
	workload = read_text(arena, PROFILE(PROFILED(1000, SAMPLES("x", "y") TOP(51))));
	assert_int_equal(workload.statement_count, 1);
	assert_true(workload.statements[0].shape.atoms[0].varies);
	/* One value alone needs no second statement. */
	workload = read_text(arena, PROFILE(PROFILED(1000, SAMPLES("x", "x") TOP(100))));
	assert_int_equal(workload.statement_count, 1);
	assert_int_equal(workload.statements[0].sample_count, 3);
	assert_false(workload.statements[0].shape.atoms[0].varies);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(statements_that_are_alike_are_one),
		cmocka_unit_test(names_that_differ_in_digits_are_different_tables),
		cmocka_unit_test(comments_give_calls),
		cmocka_unit_test(what_cannot_be_understood_is_counted),
		cmocka_unit_test(literals_that_vary_are_told),
		cmocka_unit_test(parameters_are_no_values),
		cmocka_unit_test(a_profile_is_told_by_its_content),
		cmocka_unit_test(a_dominant_value_is_weighed_by_itself),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
