#include "../cmocka_all.h"

#include "sql/ddl.h"
#include "sql/index_sql.h"
#include "sql/lex.h"
#include "sql/split.h"

#include <string.h>

static void statements_are_split_where_they_end(void **state)
{
	(void)state;
	PGM_AUTO_ARENA arena = pgm_arena_new(0);
	struct pgm_error err = {0};
	struct pgm_sql_statements found;
	const char *text = "-- first; not this one\nSELECT ';' -- tail; tail\n;;\n/* a; /* b; */ */\n"
			   "DO $x$ BEGIN; END $x$;\n\n  SELECT \"a;b\" FROM t -- end";
	assert_true(pgm_sql_split(arena, text, &found, &err));
	assert_int_equal(found.count, 3);
	assert_string_equal(found.items[0].text, "SELECT ';'");
	assert_int_equal(found.items[0].line, 2);
	assert_string_equal(found.items[1].text, "DO $x$ BEGIN; END $x$");
	assert_int_equal(found.items[1].line, 5);
	assert_string_equal(found.items[2].text, "SELECT \"a;b\" FROM t");
	assert_int_equal(found.items[2].line, 7);
	assert_memory_equal(text + found.items[2].offset, "SELECT", 6);

	assert_true(pgm_sql_split(arena, " \n-- nothing\n;", &found, &err));
	assert_int_equal(found.count, 0);
	assert_true(pgm_sql_split(arena, "", &found, &err));
	assert_int_equal(found.count, 0);
}

static void a_wrong_statement_does_not_hide_the_others(void **state)
{
	(void)state;
	PGM_AUTO_ARENA arena = pgm_arena_new(0);
	struct pgm_error err = {0};
	struct pgm_sql_statements found;
	assert_true(pgm_sql_split(arena, "SELECT 1;\nSELEC 2;\nSELECT 3", &found, &err));
	assert_int_equal(found.count, 3);
	struct pgm_ddl ddl;
	assert_false(pgm_ddl_parse(arena, found.items[1].text, found.items[1].line, &ddl, &err));
	assert_int_equal(err.kind, PGM_ERR_INPUT);
	assert_string_equal(err.message, "line 2: syntax error at or near \"SELEC\"");

	assert_false(pgm_sql_split(arena, "SELECT 1;\n\nSELECT '\xc3\xbc' || 'a", &found, &err));
	assert_int_equal(err.kind, PGM_ERR_INPUT);
	assert_non_null(strstr(err.message, "line 3: unterminated quoted string"));
}

static struct pgm_ddl parse(struct pgm_arena *arena, const char *sql)
{
	struct pgm_error err = {0};
	struct pgm_ddl ddl;
	if (!pgm_ddl_parse(arena, sql, 1, &ddl, &err))
		fail_msg("%s: %s", sql, err.message);
	return ddl;
}

static void index_statements_are_read(void **state)
{
	(void)state;
	PGM_AUTO_ARENA arena = pgm_arena_new(0);
	struct pgm_ddl ddl =
		parse(arena, "CREATE UNIQUE INDEX CONCURRENTLY \"I \"\"1\" ON app.\"T\" USING gin (a)");
	assert_int_equal(ddl.kind, PGM_DDL_CREATE_INDEX);
	assert_string_equal(ddl.index, "I \"1");
	assert_string_equal(ddl.schema, "app");
	assert_string_equal(ddl.relation, "T");
	assert_string_equal(ddl.method, "gin");
	assert_true(ddl.concurrently && ddl.unique && !ddl.only && !ddl.if_exists && !ddl.transactional);

	ddl = parse(arena, "create index on only t(a)");
	assert_string_equal(ddl.index, "");
	assert_string_equal(ddl.schema, "");
	assert_true(ddl.only && !ddl.if_exists && ddl.transactional && !ddl.concurrently);

	ddl = parse(arena, "DROP INDEX CONCURRENTLY IF EXISTS s.i");
	assert_int_equal(ddl.kind, PGM_DDL_DROP_INDEX);
	assert_string_equal(ddl.index_schema, "s");
	assert_string_equal(ddl.index, "i");
	assert_int_equal(ddl.objects, 1);
	assert_true(ddl.concurrently && ddl.if_exists && !ddl.transactional);
	assert_int_equal(parse(arena, "DROP INDEX a, b").objects, 2);

	ddl = parse(arena, "ALTER INDEX s.p ATTACH PARTITION c.i");
	assert_int_equal(ddl.kind, PGM_DDL_ATTACH_INDEX);
	assert_string_equal(ddl.index_schema, "s");
	assert_string_equal(ddl.index, "p");
	assert_string_equal(ddl.child_schema, "c");
	assert_string_equal(ddl.child, "i");
	assert_true(ddl.transactional);
	assert_int_equal(parse(arena, "ALTER INDEX i SET (fillfactor = 70)").kind, PGM_DDL_OTHER);
}

static void the_table_of_a_lock_is_read(void **state)
{
	(void)state;
	PGM_AUTO_ARENA arena = pgm_arena_new(0);
	struct pgm_ddl ddl = parse(arena, "LOCK TABLE ONLY \"S\".\"T IN x\" IN ACCESS EXCLUSIVE MODE");
	assert_string_equal(ddl.schema, "S");
	assert_string_equal(ddl.relation, "T IN x");
	assert_string_equal(parse(arena, "LOCK a, b").relation, "");
}

static void what_needs_no_transaction_is_known(void **state)
{
	(void)state;
	PGM_AUTO_ARENA arena = pgm_arena_new(0);
	static const char *const outside[] = {
		"VACUUM t",
		"VACUUM",
		"REINDEX INDEX CONCURRENTLY i",
		"REINDEX (CONCURRENTLY) TABLE t",
		"REINDEX DATABASE d",
		"CREATE DATABASE d",
		"DROP DATABASE d",
		"ALTER SYSTEM SET a = 1",
		"ALTER TABLE t DETACH PARTITION p CONCURRENTLY",
		"CLUSTER",
		"CREATE TABLESPACE t LOCATION 'x'",
		"DROP TABLESPACE t",
		"DISCARD ALL",
		"CREATE SUBSCRIPTION s CONNECTION 'x' PUBLICATION p",
	};
	for (size_t i = 0; i < sizeof(outside) / sizeof(*outside); i++)
		assert_false(parse(arena, outside[i]).transactional);
	static const char *const inside[] = {"ANALYZE t",
					     "REINDEX TABLE t",
					     "CLUSTER t USING i",
					     "ALTER TABLE t DETACH PARTITION p",
					     "ALTER TABLE t ADD a int",
					     "DROP TABLE t",
					     "UPDATE t SET a = 1",
					     "SELECT 1"};
	for (size_t i = 0; i < sizeof(inside) / sizeof(*inside); i++)
		assert_true(parse(arena, inside[i]).transactional);
	static const char *const control[] = {
		"BEGIN", "COMMIT", "ROLLBACK", "SAVEPOINT a", "START TRANSACTION", "PREPARE TRANSACTION 'x'"};
	for (size_t i = 0; i < sizeof(control) / sizeof(*control); i++)
		assert_int_equal(parse(arena, control[i]).kind, PGM_DDL_TRANSACTION_CONTROL);
	assert_int_equal(parse(arena, "COPY t FROM STDIN").kind, PGM_DDL_COPY_CLIENT);
	assert_int_equal(parse(arena, "COPY t FROM '/f'").kind, PGM_DDL_OTHER);
	assert_string_equal(parse(arena, "ALTER TABLE s.t ADD a int").relation, "t");
	assert_string_equal(parse(arena, "UPDATE s.t SET a = 1").schema, "s");
	assert_string_equal(parse(arena, "ANALYZE s.t (a)").relation, "t");
}

static void control_characters_in_quotes_are_escaped(void **state)
{
	(void)state;
	PGM_AUTO_ARENA arena = pgm_arena_new(0);
	static const char *const cases[][2] = {
		{"SELECT \"a\n-- migrate:down\\\"", "SELECT U&\"a\\000A-- migrate:down\\\\\""},
		{"SELECT 'a\n\\''b'", "SELECT E'a\\n\\\\''b'"},
		{"SELECT E'a\\\nb\\'\r'", "SELECT E'a\\nb\\'\\u000D'"},
		{"SELECT 'a'\n'b\nc'", "SELECT 'a'\n'b\nc'"}, /* no prefix is allowed there */
		{"SELECT $$a\nb$$ -- x\n", "SELECT $$a\nb$$ -- x\n"},
		{"SELECT \"\xe2\x80\xae\", '\xc3\xbc'", "SELECT U&\"\\202E\", '\xc3\xbc'"},
		{"SELECT \"plain\"", "SELECT \"plain\""},
		{"SELECT \"open\n", "SELECT U&\"open\\000A"},
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++)
		assert_string_equal(pgm_sql_escape_controls(arena, cases[i][0]), cases[i][1]);
}

static void the_normal_form_forgets_layout_alone(void **state)
{
	(void)state;
	PGM_AUTO_ARENA arena = pgm_arena_new(0);
	const char *form = pgm_sql_normal_form(arena, "\n CREATE  INDEX i -- why\r\n ON t /* x */ (a) ;\n");
	assert_string_equal(form, "CREATE INDEX i ON t (a);");
	assert_string_equal(form, pgm_sql_normal_form(arena, "CREATE INDEX i ON t (a);"));
	assert_string_equal(pgm_sql_normal_form(arena, "SELECT 'a  --b'"), "SELECT 'a  --b'");
	assert_string_not_equal(pgm_sql_normal_form(arena, "SELECT 'a b'"),
				pgm_sql_normal_form(arena, "SELECT 'a  b'"));
}

static void an_index_can_be_rewritten(void **state)
{
	(void)state;
	PGM_AUTO_ARENA arena = pgm_arena_new(0);
	struct pgm_index_rewrite how = {.index = "n", .relation = "pg_temp.x"};
	assert_string_equal(pgm_index_sql_rewrite(arena,
						  "create /* c */ unique index concurrently if not exists "
						  "\"on\" on only \"S\" . \"t on\" (a) WHERE b",
						  &how),
			    "CREATE UNIQUE INDEX n ON pg_temp.x (a) WHERE b");
	how = (struct pgm_index_rewrite){.concurrently = true, .tablespace = "fast"};
	assert_string_equal(
		pgm_index_sql_rewrite(arena,
				      "CREATE INDEX \"i\"\"1\" ON s.t USING btree (f('where (')) "
				      "INCLUDE (w) WHERE ((a > 1) AND b)",
				      &how),
		"CREATE INDEX CONCURRENTLY \"i\"\"1\" ON s.t USING btree (f('where (')) INCLUDE (w)  "
		"TABLESPACE fast WHERE ((a > 1) AND b)");
	how = (struct pgm_index_rewrite){.only = true};
	assert_string_equal(pgm_index_sql_rewrite(arena, "CREATE INDEX i ON t(a)", &how),
			    "CREATE INDEX i ON ONLY t(a)");
	assert_null(pgm_index_sql_rewrite(arena, "DROP INDEX i", &how));
	assert_null(pgm_index_sql_rewrite(arena, "CREATE INDEX i", &how));
	assert_null(pgm_index_sql_rewrite(arena, "", &how));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(statements_are_split_where_they_end),
		cmocka_unit_test(a_wrong_statement_does_not_hide_the_others),
		cmocka_unit_test(index_statements_are_read),
		cmocka_unit_test(the_table_of_a_lock_is_read),
		cmocka_unit_test(what_needs_no_transaction_is_known),
		cmocka_unit_test(control_characters_in_quotes_are_escaped),
		cmocka_unit_test(an_index_can_be_rewritten),
		cmocka_unit_test(the_normal_form_forgets_layout_alone),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
