#include "../cmocka_all.h"

#include "lint/script.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Read a text as a file of that name. */
static struct pgm_script read_as(struct pgm_arena *arena, const char *name, const char *text)
{
	char folder[] = "/tmp/pgmend-lint-XXXXXX";
	struct pgm_lint_options options = {0};
	struct pgm_script script;
	struct pgm_error err = {0};
	assert_non_null(mkdtemp(folder));
	char *path = pgm_sprintf(arena, "%s/%s", folder, name);
	FILE *file = fopen(path, "w");
	assert_non_null(file);
	fputs(text, file);
	fclose(file);
	assert_true(pgm_script_read(arena, path, &options, true, &script, &err));
	unlink(path);
	rmdir(folder);
	return script;
}

static void tools_are_told_apart(void **state)
{
	(void)state;
	PGM_AUTO_ARENA arena = pgm_arena_new(0);
	static const struct {
		const char *name, *text;
		enum pgm_lint_tool tool;
	} cases[] = {
		{"1.sql", "SELECT 1;", PGM_LINT_PLAIN},
		{"Vacuum__x.sql", "SELECT 1;", PGM_LINT_PLAIN},
		{"V__x.sql", "SELECT 1;", PGM_LINT_PLAIN},
		{"V1__x.sql", "SELECT 1;", PGM_LINT_FLYWAY},
		{"V2_1.3__x.sql", "SELECT 1;", PGM_LINT_FLYWAY},
		{"R__x.sql", "SELECT 1;", PGM_LINT_FLYWAY},
		{"1.up.sql", "SELECT 1;", PGM_LINT_GOLANG_MIGRATE},
		{"1.sql", "\n  -- migrate:up\nSELECT 1;", PGM_LINT_DBMATE},
		{"1.sql", "SELECT '-- migrate:up';", PGM_LINT_PLAIN},
		{"1.sql", "BEGIN;\n\n-- Running upgrade  -> 1\n", PGM_LINT_ALEMBIC},
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++)
		assert_int_equal(read_as(arena, cases[i].name, cases[i].text).tool, cases[i].tool);
}

static void lines_are_those_of_the_file(void **state)
{
	(void)state;
	PGM_AUTO_ARENA arena = pgm_arena_new(0);
	struct pgm_script script = read_as(arena, "1.sql",
					   "-- migrate:up\nSELECT 1;\n\n  SELECT\n 2; -- migrate:down no\n"
					   "-- migrate:down\nSELECT 3;\n-- migrate:up\nSELECT 4;\n");
	assert_int_equal(script.statements.count, 3);
	assert_int_equal(script.statements.items[0].line, 2);
	assert_int_equal(script.statements.items[1].line, 4);
	assert_int_equal(script.statements.items[2].line, 9);
	assert_int_not_equal(script.statements.items[1].block, script.statements.items[2].block);
	int line, column;
	pgm_script_position(&script, &script.statements.items[1], 8, &line, &column);
	assert_int_equal(line, 5);
	assert_int_equal(column, 2);
}

static void comments_find_their_statement(void **state)
{
	(void)state;
	PGM_AUTO_ARENA arena = pgm_arena_new(0);
	struct pgm_script script =
		read_as(arena, "1.sql",
			"SELECT 1; -- pgmend:ignore rename\nSELECT 2;\n"
			"-- pgmend:ignore truncate, drop-table: lock-table is not meant\nSELECT 3;\n"
			"-- pgmend:ignore\n");
	assert_int_equal(script.statements.count, 3);
	assert_true(script.statements.items[0].ignored[PGM_LINT_RENAME]);
	assert_false(script.statements.items[1].ignored[PGM_LINT_RENAME]);
	assert_true(script.statements.items[2].ignored[PGM_LINT_TRUNCATE]);
	assert_true(script.statements.items[2].ignored[PGM_LINT_DROP_TABLE]);
	assert_false(script.statements.items[2].ignored[PGM_LINT_LOCK_TABLE]);
	assert_int_equal(script.problems.count, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(tools_are_told_apart),
		cmocka_unit_test(lines_are_those_of_the_file),
		cmocka_unit_test(comments_find_their_statement),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
