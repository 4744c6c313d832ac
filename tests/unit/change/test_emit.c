#include "../cmocka_all.h"

#include "change/emit/parts.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define NOW 1767225600 /* 2026-01-01 00:00:00 UTC */

static const char *evidence[] = {"why; because", "a\nb\r\"\"\" */", "-- migrate:down", "migrate:up"};

static struct pgm_change changes[] = {
	{.kind = PGM_CHANGE_CREATE_INDEX,
	 .step = 1,
	 .title = "create index Orders-Idx\n\"\"\"",
	 .index = "Orders-Idx",
	 .sql_up = "CREATE INDEX CONCURRENTLY \"Orders-Idx\" ON public.orders (user_id);\n",
	 .sql_down = "DROP INDEX CONCURRENTLY public.\"Orders-Idx\";\n",
	 .evidence = evidence,
	 .evidence_count = 4},
	{.kind = PGM_CHANGE_CREATE_INDEX,
	 .step = 2,
	 .title = "create index e_idx on public.events",
	 .index = "e_idx",
	 .sql_up = "CREATE INDEX e_idx ON ONLY public.events (at);\n"
		   "CREATE INDEX CONCURRENTLY e1_idx ON public.e1 (at);\n"
		   "ALTER INDEX public.e_idx ATTACH PARTITION public.e1_idx;\n",
	 .sql_down = "DROP INDEX public.e_idx;\n"},
	{.kind = PGM_CHANGE_SQL, .step = 3, .title = "ANALYZE orders", .sql_up = "ANALYZE orders;\n"},
	{.kind = PGM_CHANGE_SQL,
	 .step = 4,
	 .title = "two things",
	 .sql_up = "ALTER TABLE t ADD a int;\nALTER TABLE t ADD b int;\n"},
};

static struct pgm_plan plan = {
	.id = "0123456789ab", .title = "four steps", .changes = changes, .change_count = 4};

static struct pgm_emit_files render(struct pgm_arena *arena, const char *tool, const char *after)
{
	struct pgm_error err = {0};
	struct pgm_emit_files files;
	struct pgm_emit_options options = {
		.tool = pgm_emit_tool_find(tool, &err), .folder = "x", .after = after, .now = NOW};
	assert_non_null(options.tool);
	if (!pgm_emit_render(arena, &plan, &options, &files, &err))
		fail_msg("%s", err.message);
	return files;
}

static const char *text_of(const struct pgm_emit_files *files, const char *path)
{
	for (size_t i = 0; i < files->count; i++)
		if (strcmp(files->items[i].path, path) == 0)
			return files->items[i].text;
	fail_msg("there is no file %s", path);
	return NULL;
}

/* The SQL without the comments before it. */
static const char *after_comments(const char *text)
{
	const char *blank = strstr(text, "\n\n");
	assert_non_null(blank);
	return blank + 2;
}

static void a_statement_is_a_file_where_files_are_sent_at_once(void **state)
{
	(void)state;
	PGM_AUTO_ARENA arena = pgm_arena_new(0);
	struct pgm_emit_files files = render(arena, "golang-migrate", NULL);
	static const struct {
		const char *path, *sql;
	} expected[] = {
		{"20260101000000_create_orders_idx.up.sql",
		 "CREATE INDEX CONCURRENTLY \"Orders-Idx\" ON public.orders (user_id);\n"},
		{"20260101000000_create_orders_idx.down.sql",
		 "DROP INDEX CONCURRENTLY public.\"Orders-Idx\";\n"},
		{"20260101000001_create_e_idx_part1.up.sql",
		 "SET LOCAL lock_timeout = '2s';\nCREATE INDEX e_idx ON ONLY public.events (at);\n"},
		{"20260101000001_create_e_idx_part1.down.sql",
		 "SET LOCAL lock_timeout = '2s';\nDROP INDEX IF EXISTS public.e_idx;\n"},
		{"20260101000002_create_e_idx_part2.up.sql",
		 "CREATE INDEX CONCURRENTLY e1_idx ON public.e1 (at);\n"},
		{"20260101000002_create_e_idx_part2.down.sql",
		 "DROP INDEX CONCURRENTLY IF EXISTS public.e1_idx;\n"},
		{"20260101000003_create_e_idx_part3.up.sql",
		 "SET LOCAL lock_timeout = '2s';\n"
		 "ALTER INDEX public.e_idx ATTACH PARTITION public.e1_idx;\n"},
		{"20260101000003_create_e_idx_part3.down.sql",
		 "SET LOCAL lock_timeout = '2s';\nDROP INDEX IF EXISTS public.e_idx;\n"},
		{"20260101000004_analyze_orders.up.sql", "ANALYZE orders;\n"},
		{"20260101000004_analyze_orders.down.sql", ""},
		{"20260101000005_two_things.up.sql",
		 "SET LOCAL lock_timeout = '2s';\nALTER TABLE t ADD a int;\nALTER TABLE t ADD b int;\n"},
	};
	for (size_t i = 0; i < sizeof(expected) / sizeof(*expected); i++)
		assert_string_equal(after_comments(text_of(&files, expected[i].path)), expected[i].sql);
	/* What cannot be taken back has no way down. */
	assert_int_equal(files.count, sizeof(expected) / sizeof(*expected));
}

static void flyway_leaves_transactions_where_it_must(void **state)
{
	(void)state;
	PGM_AUTO_ARENA arena = pgm_arena_new(0);
	struct pgm_emit_files files = render(arena, "flyway", NULL);
	size_t alone = 0;
	for (size_t i = 0; i < files.count; i++) {
		const char *conf = pgm_sprintf(arena, "%s.conf", files.items[i].path);
		if (strstr(files.items[i].path, ".conf") ||
		    !strstr(after_comments(files.items[i].text), "CONCURRENTLY"))
			continue;
		assert_string_equal(text_of(&files, conf), "executeInTransaction=false\n");
		alone++;
	}
	assert_int_equal(alone, 4);
}

static void comments_stay_comments(void **state)
{
	(void)state;
	PGM_AUTO_ARENA arena = pgm_arena_new(0);
	static const char *const tools[] = {"flyway", "golang-migrate", "rails", "knex", "prisma"};
	for (size_t t = 0; t < sizeof(tools) / sizeof(*tools); t++) {
		struct pgm_emit_files files = render(arena, tools[t], NULL);
		const char *prefix = t == 2 ? "#" : t == 3 ? "//" : "--";
		for (const char *line = files.items[0].text; *line != '\n' && *line != 'c' && *line != 'e';) {
			assert_memory_equal(line, prefix, strlen(prefix));
			line = strchr(line, '\n') + 1;
		}
		assert_non_null(strstr(files.items[0].text, " why, because\n"));
		assert_non_null(strstr(files.items[0].text, " a\\nb\\u000D\"\"\" */\n"));
		assert_non_null(strstr(files.items[0].text, " .migrate:up\n"));
	}
}

static void literals_of_other_languages(void **state)
{
	(void)state;
	PGM_AUTO_ARENA arena = pgm_arena_new(0);
	struct pgm_buf out;
	static const struct {
		void (*add)(struct pgm_buf *, const char *);
		const char *text, *literal;
	} cases[] = {
		{pgm_emit_python, "", "\"\"\"\"\"\""},
		{pgm_emit_python, "a\"b", "\"\"\"a\"b\"\"\""},
		{pgm_emit_python, "\"", "\"\"\"\\\"\"\"\""},
		{pgm_emit_python, "\"\"\"\\n", "\"\"\"\\\"\\\"\"\\\\n\"\"\""},
		{pgm_emit_template, "`${x}$y\\", "`\\`\\${x}$y\\\\`"},
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		pgm_buf_init(&out, arena);
		cases[i].add(&out, cases[i].text);
		assert_string_equal(out.text, cases[i].literal);
	}
	pgm_buf_init(&out, arena);
	pgm_emit_heredoc(&out, "a\n SQL \n\nSQL2", "  ");
	assert_string_equal(out.text, "<<~'SQL3'\n    a\n     SQL \n\n    SQL2\n  SQL3\n");
}

static void names_of_files_and_classes(void **state)
{
	(void)state;
	PGM_AUTO_ARENA arena = pgm_arena_new(0);
	assert_string_equal(pgm_emit_slug(arena, "Ab__c-1 ", 80), "ab_c_1");
	assert_string_equal(pgm_emit_slug(arena, "\u00e9\u65e5", 80), "");
	assert_string_equal(pgm_emit_slug(arena, "../../etc/passwd", 80), "etc_passwd");
	assert_string_equal(pgm_emit_slug(arena, "abc def", 4), "abc");
	assert_string_equal(pgm_emit_camel(arena, "create_orders_2x_idx"), "CreateOrders2xIdx");
}

static void what_is_no_utf8_is_refused(void **state)
{
	(void)state;
	PGM_AUTO_ARENA arena = pgm_arena_new(0);
	struct pgm_error err = {0};
	struct pgm_emit_files files;
	struct pgm_change change = {.kind = PGM_CHANGE_SQL, .title = "x", .sql_up = "SELECT '\xff';\n"};
	struct pgm_plan one = {.id = "x", .changes = &change, .change_count = 1};
	struct pgm_emit_options options = {.tool = pgm_emit_tool_find("rails", &err), .folder = "x"};
	assert_false(pgm_emit_render(arena, &one, &options, &files, &err));
	assert_int_equal(err.kind, PGM_ERR_INPUT);
	assert_non_null(strstr(err.message, "UTF-8"));
}

static void all_files_or_none(void **state)
{
	(void)state;
	PGM_AUTO_ARENA arena = pgm_arena_new(0);
	struct pgm_error err = {0};
	char folder[] = "/tmp/pgm-emit-XXXXXX";
	assert_non_null(mkdtemp(folder));
	char *below = pgm_sprintf(arena, "%s/a/b", folder);
	struct pgm_emit_file items[] = {{"1.sql", "one"}, {"2/migration.sql", "two"}, {"3.sql", "three"}};
	struct pgm_emit_files first = {&items[2], 1}, all = {items, 3};
	assert_true(pgm_emit_write(arena, below, &first, &err));
	assert_false(pgm_emit_write(arena, below, &all, &err));
	assert_int_equal(err.kind, PGM_ERR_INPUT);
	assert_int_equal(access(pgm_sprintf(arena, "%s/1.sql", below), F_OK), -1);
	assert_int_equal(access(pgm_sprintf(arena, "%s/2", below), F_OK), -1);
	assert_int_equal(unlink(pgm_sprintf(arena, "%s/3.sql", below)), 0);
	assert_true(pgm_emit_write(arena, below, &all, &err));
	for (size_t i = 0; i < 3; i++)
		assert_int_equal(unlink(pgm_sprintf(arena, "%s/%s", below, items[i].path)), 0);
	assert_int_equal(rmdir(pgm_sprintf(arena, "%s/2", below)), 0);
	assert_int_equal(rmdir(below), 0);
	assert_int_equal(rmdir(pgm_sprintf(arena, "%s/a", folder)), 0);
	assert_int_equal(rmdir(folder), 0);
}

static void versions_follow_those_in_the_folder(void **state)
{
	(void)state;
	PGM_AUTO_ARENA arena = pgm_arena_new(0);
	char folder[] = "/tmp/pgm-emit-XXXXXX";
	assert_non_null(mkdtemp(folder));
	assert_int_equal(pgm_emit_first_version("/nowhere", NOW), NOW);
	static const struct {
		const char *name;
		time_t first;
	} names[] = {{"20251231235959_old.sql", NOW},
		     {"99991231235959_no_time.sql", NOW},
		     {"V20260101000100__x.sql", NOW + 61},
		     {"20260101000200_folder", NOW + 121}};
	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
		assert_int_equal(mkdir(pgm_sprintf(arena, "%s/%s", folder, names[i].name), 0700), 0);
		assert_int_equal(pgm_emit_first_version(folder, NOW), names[i].first);
	}
	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
		assert_int_equal(rmdir(pgm_sprintf(arena, "%s/%s", folder, names[i].name)), 0);
	assert_int_equal(rmdir(folder), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_statement_is_a_file_where_files_are_sent_at_once),
		cmocka_unit_test(flyway_leaves_transactions_where_it_must),
		cmocka_unit_test(comments_stay_comments),
		cmocka_unit_test(literals_of_other_languages),
		cmocka_unit_test(names_of_files_and_classes),
		cmocka_unit_test(what_is_no_utf8_is_refused),
		cmocka_unit_test(all_files_or_none),
		cmocka_unit_test(versions_follow_those_in_the_folder),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
