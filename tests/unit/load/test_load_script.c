#include "load/script.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define VARIABLES 8

/* What an expression gives, as SQL; the reason in brackets where it gives nothing. */
static const char *value_of(const char *text)
{
	static char out[256];
	PGM_AUTO_ARENA arena = pgm_arena_new(0);
	struct pgm_variables variables;
	struct pgm_load_value values[VARIABLES] = {0}, result;
	struct pgm_random random;
	struct pgm_error err = {0};
	char buffer[64];
	pgm_random_seed(&random, 7);
	pgm_variables_init(&variables, arena);
	values[pgm_variable_slot(&variables, "five")] = (struct pgm_load_value){PGM_LOAD_INT, {.integer = 5}};
	values[pgm_variable_slot(&variables, "half")] =
		(struct pgm_load_value){PGM_LOAD_DOUBLE, {.number = 0.5}};
	values[pgm_variable_slot(&variables, "text")] =
		(struct pgm_load_value){PGM_LOAD_TEXT, {.text = (char *)"12"}};
	values[pgm_variable_slot(&variables, "word")] =
		(struct pgm_load_value){PGM_LOAD_TEXT, {.text = (char *)"abc"}};
	struct pgm_expr *expr = pgm_expr_parse(arena, &variables, text, &err);
	if (!expr) {
		snprintf(out, sizeof(out), "[%.200s]", err.message);
		return out;
	}
	struct pgm_eval eval = {.values = values, .random = &random};
	if (!pgm_expr_eval(expr, &eval, &result)) {
		snprintf(out, sizeof(out), "[%s]", eval.problem);
		return out;
	}
	const char *sql = pgm_load_value_sql(&result, buffer, sizeof(buffer));
	snprintf(out, sizeof(out), "%s", sql ? sql : "NULL");
	return out;
}

#define GIVES(text, expected) assert_string_equal(value_of(text), expected)

static void expressions_give_what_pgbench_gives(void **state)
{
	(void)state;
	GIVES("1 + 2 * 3", "7");
	GIVES("(1 + 2) * 3", "9");
	GIVES("10 - 3 - 2", "5");
	GIVES("7 / 2", "3");
	GIVES("-7 / 2", "-3");
	GIVES("7 % 4", "3");
	GIVES("7.0 / 2", "3.5");
	GIVES("- -5", "5");
	GIVES("~1", "-2");
	GIVES("1 << 3 | 1", "9");
	GIVES("1 + 1 << 3", "16");
	GIVES("6 & 3 # 1", "3");
	GIVES("1 < 2 and 2 <= 2 and 3 > 2 and 3 >= 3 and 1 <> 2 and 1 != 2 and 1 = 1", "true");
	GIVES("not 1 = 2 or false", "true");
	GIVES("1 = 1.0", "true");
	GIVES("null is null", "true");
	GIVES("1 isnull", "false");
	GIVES("true is not false", "true");
	GIVES("null and false", "false");
	GIVES("null or 1 = 2", "NULL");
	GIVES("1 + null", "NULL");
	GIVES("case when 1 > 2 then 10 when 2 > 1 then 20 else 30 end", "20");
	GIVES("CASE WHEN false THEN 1 END", "NULL");
	GIVES(":five * 2 + :text", "22");
	GIVES(":half * :five", "2.5");
	GIVES("greatest(1, 7, 3) - least(4, 2)", "5");
	GIVES("int(2.6) + int(-2.6)", "0");
	GIVES("abs(-3) + mod(17, 5)", "5");
	GIVES("pow(2, 10)", "1024");
	GIVES("sqrt(16)", "4");
	GIVES("9223372036854775807", "9223372036854775807");
	GIVES("-9223372036854775808", "-9223372036854775808");
	GIVES("5 \\\n + 6", "11");
	/* from pgbench of PostgreSQL 15 */
	GIVES("hash_fnv1a(10, 5432)", "-7793829335365542153");
	GIVES("hash_murmur2(10, 5432)", "-5817877081768721676");
}

static void what_is_no_value_is_said(void **state)
{
	(void)state;
	GIVES("1 / 0", "[division by zero]");
	GIVES("9223372036854775807 + 1", "[bigint out of range]");
	GIVES(":word + 1", "[the variable \"word\" is neither a number nor a boolean]");
	GIVES(":gone", "[the variable \"gone\" has no value]");
	GIVES("random(5, 1)", "[the range of random() is empty]");
	GIVES("random_zipfian(1, 5, 1.0)", "[the parameter of random_zipfian() must be from 1.001 to 1000]");
	GIVES("int(1e30)", "[a double is out of bigint's range]");
	GIVES("(1 + 2", "[\")\" is missing, at \"\"]");
	GIVES("1 +", "[the expression ends too soon, at \"\"]");
	GIVES("1 2", "[something is left after the expression, at \"2\"]");
	GIVES("frob(1)", "[there is no such function, at \"frob(1)\"]");
	GIVES("random(1)", "[the number of arguments is wrong, at \"random(1)\"]");
	GIVES("99999999999999999999", "[a number is out of range, at \"99999999999999999999\"]");
	char deep[2001] = "";
	memset(deep, '(', 2000);
	assert_non_null(strstr(value_of(deep), "nested too deeply"));
}

static void random_numbers_keep_their_ranges(void **state)
{
	(void)state;
	struct pgm_random random, same;
	double sum = 0;
	uint32_t firsts = 0, permuted = 0;
	pgm_random_seed(&random, 1);
	pgm_random_seed(&same, 1);
	for (int i = 0; i < 20000; i++) {
		int64_t a = pgm_random_range(&random, -3, 3);
		assert_in_range(a + 3, 0, 6);
		assert_int_equal(a, pgm_random_range(&same, -3, 3));
		int64_t gaussian = pgm_random_gaussian(&random, 1, 100, 2.5);
		int64_t exponential = pgm_random_exponential(&random, 1, 100, 5);
		int64_t zipfian = pgm_random_zipfian(&random, 1, 100, 1.5);
		assert_in_range(gaussian, 1, 100);
		assert_in_range(exponential, 1, 100);
		assert_in_range(zipfian, 1, 100);
		sum += pgm_random_gap(&random, 10);
		firsts += zipfian == 1;
		same = random;
	}
	assert_true(fabs(sum / 20000 - 10) < 0.5);
	/* 1 / sum of k^-1.5 for k up to 100: 0.414 */
	assert_in_range(firsts, 7800, 8800);
	for (int i = 0; i < 17; i++)
		permuted |= 1u << pgm_permute(i, 17, 42);
	assert_int_equal(permuted, (1u << 17) - 1);
	assert_int_equal(pgm_random_range(&random, INT64_MIN, INT64_MIN), INT64_MIN);
	pgm_random_range(&random, INT64_MIN, INT64_MAX);
}

static const char *const names[] = {"sql", "set", "sleep", "unless", "jump"};

/* "set sql:UPDATE t SET a = $1 unless>4 ..." */
static const char *script_of(const char *text)
{
	static char out[4096];
	PGM_AUTO_ARENA arena = pgm_arena_new(0);
	struct pgm_scripts scripts;
	struct pgm_error err = {0};
	size_t length = 0;
	pgm_scripts_init(&scripts, arena);
	if (!pgm_script_parse(&scripts, "s", text, 1, &err)) {
		snprintf(out, sizeof(out), "[%s]", err.message);
		return out;
	}
	const struct pgm_script *script = &scripts.items.items[0];
	for (size_t i = 0; i < script->count; i++) {
		const struct pgm_command *c = &script->commands[i];
		length += (size_t)snprintf(out + length, sizeof(out) - length, "%s%s", i ? " " : "",
					   names[c->kind]);
		if (c->kind == PGM_COMMAND_SQL)
			length += (size_t)snprintf(out + length, sizeof(out) - length, ":%s%s%s", c->sql,
						   c->gset ? "\\" : "", c->gset ? c->gset : "");
		if (c->kind == PGM_COMMAND_JUMP || c->kind == PGM_COMMAND_JUMP_UNLESS)
			length += (size_t)snprintf(out + length, sizeof(out) - length, ">%zu", c->target);
	}
	return out;
}

#define IS(text, expected) assert_string_equal(script_of(text), expected)

static void scripts_are_cut_into_commands(void **state)
{
	(void)state;
	IS("SELECT 1;", "sql:SELECT 1");
	IS("SELECT 1", "sql:SELECT 1");
	IS("-- comment; with :name\nSELECT 1; /* ; */ SELECT 2;\n;;", "sql:SELECT 1 sql:SELECT 2");
	IS("\\set a random(1, 5)\nSELECT :a,\n :b, :a;", "set sql:SELECT $1,\n $2, $1");
	IS("SELECT 'a;b', \"c;d\", $$e;f$$;", "sql:SELECT 'a;b', \"c;d\", $$e;f$$");
	IS("SELECT a::int, b[1:2], ':x' FROM t;", "sql:SELECT a::int, b[1:2], ':x' FROM t");
	IS("SELECT :x::int;", "sql:SELECT $1::int");
	IS("CREATE RULE r AS ON INSERT TO t DO (SELECT 1; SELECT 2);",
	   "sql:CREATE RULE r AS ON INSERT TO t DO (SELECT 1; SELECT 2)");
	IS("SELECT 1 AS a \\gset\nSELECT 2 AS b \\gset p_\nSELECT :a, :p_b;",
	   "sql:SELECT 1 AS a \\ sql:SELECT 2 AS b \\p_ sql:SELECT $1, $2");
	IS("\\sleep 10 ms\nSELECT 1;\n\\sleep 5us\n\\sleep :pause", "sleep sql:SELECT 1 sleep sleep");
	IS("\\if :a = 1\nSELECT 1;\n\\elif :a = 2\nSELECT 2;\n\\else\nSELECT 3;\n\\endif\nSELECT 4;",
	   "unless>3 sql:SELECT 1 jump>7 unless>6 sql:SELECT 2 jump>7 sql:SELECT 3 sql:SELECT 4");
	IS("\\if true\n\\if false\nSELECT 1;\n\\endif\n\\endif", "unless>3 unless>3 sql:SELECT 1");
	IS("\\set a 1 + \\\n 2\nSELECT :a;", "set sql:SELECT $1");
}

static void mistakes_name_their_line(void **state)
{
	(void)state;
	IS("", "[s: there is no SQL command in it]");
	IS("\\set a 1\n", "[s: there is no SQL command in it]");
	IS("SELECT 1;\n\\set a 1 +\n", "[s: line 2: the expression ends too soon, at \"\"]");
	IS("SELECT 1;\n\n\\setshell a ls\n", "[s: line 3: \"\\setshell\" is not understood]");
	IS("SELECT 1 \\; SELECT 2;",
	   "[s: line 1: \\; (several commands in one message) is not understood; write a semicolon]");
	IS("\\if true\nSELECT 1;", "[s: line 1: \\if without \\endif]");
	IS("\\endif", "[s: line 1: there is no \\if before it]");
	IS("\\if true\n\\else\n\\else\n\\endif", "[s: line 3: there was an \\else already]");
	IS("\\set a 1\n\\gset", "[s: line 2: \\gset must follow a SQL command]");
	IS("\\sleep 5 weeks\nSELECT 1;", "[s: line 1: the unit of \\sleep is us, ms or s]");
	IS("\\set a 1\nSELECT 'x:a';",
	   "[s: line 2: the variable \":a\" stands inside of quotes, where it is text]");
}

static void builtin_scripts_are_found(void **state)
{
	(void)state;
	const char *name = NULL;
	assert_non_null(pgm_script_builtin("select-only", &name));
	assert_string_equal(name, "select-only");
	assert_non_null(pgm_script_builtin("tpcb", &name));
	assert_string_equal(name, "tpcb-like");
	assert_null(pgm_script_builtin("s", &name));
	assert_null(pgm_script_builtin("", &name));
	assert_non_null(strstr(script_of(pgm_script_builtin("tpcb-like", &name)), "sql:END"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(expressions_give_what_pgbench_gives),
		cmocka_unit_test(what_is_no_value_is_said),
		cmocka_unit_test(random_numbers_keep_their_ranges),
		cmocka_unit_test(scripts_are_cut_into_commands),
		cmocka_unit_test(mistakes_name_their_line),
		cmocka_unit_test(builtin_scripts_are_found),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
