#include "../cmocka_all.h"

#include "sql/operation.h"

#include <string.h>

static struct pgm_ops parse(struct pgm_arena *arena, const char *sql)
{
	struct pgm_ops ops;
	struct pgm_error err = {0};
	assert_true(pgm_ops_parse(arena, sql, 1, &ops, &err));
	return ops;
}

static void an_alter_table_is_all_that_it_does(void **state)
{
	(void)state;
	PGM_AUTO_ARENA arena = pgm_arena_new(0);
	const char *sql = "ALTER TABLE s.\"T\" ADD a varchar(20) NOT NULL DEFAULT x.f(g()) REFERENCES u (id),"
			  " ALTER b TYPE numeric(10, 2) USING b::text::numeric, DROP c";
	struct pgm_ops ops = parse(arena, sql);
	assert_int_equal(ops.count, 4);
	assert_int_equal(ops.items[0].kind, PGM_OP_ADD_COLUMN);
	assert_string_equal(ops.items[0].relation.schema, "s");
	assert_string_equal(ops.items[0].relation.name, "T");
	assert_string_equal(ops.items[0].type.name, "varchar");
	assert_int_equal(ops.items[0].type.modifiers[0], 20);
	assert_true(ops.items[0].not_null && ops.items[0].has_default);
	assert_int_equal(ops.items[0].function_count, 2);
	assert_string_equal(ops.items[0].functions[0], "x.f");
	assert_memory_equal(sql + ops.items[0].offset, "a varchar", 9);
	assert_int_equal(ops.items[1].kind, PGM_OP_ADD_CONSTRAINT);
	assert_int_equal(ops.items[1].constraint, 'f');
	assert_string_equal(ops.items[1].columns[0], "a");
	assert_string_equal(ops.items[1].other.name, "u");
	assert_true(ops.items[1].inline_column && ops.items[1].has_default);
	assert_int_equal(ops.items[2].kind, PGM_OP_CHANGE_TYPE);
	assert_true(ops.items[2].computed);
	assert_int_equal(ops.items[2].type.modifiers[1], 2);
	assert_int_equal(ops.items[3].kind, PGM_OP_DROP_COLUMN);
}

static void a_cast_to_the_type_is_not_computed(void **state)
{
	(void)state;
	PGM_AUTO_ARENA arena = pgm_arena_new(0);
	assert_false(parse(arena, "ALTER TABLE t ALTER b TYPE text USING b::text").items[0].computed);
	assert_false(parse(arena, "ALTER TABLE t ALTER b TYPE text USING t.b").items[0].computed);
	assert_true(parse(arena, "ALTER TABLE t ALTER b TYPE text USING c::text").items[0].computed);
	assert_true(parse(arena, "ALTER TABLE t ALTER b TYPE text USING b || ''").items[0].computed);
}

static void settings_and_transactions_are_told(void **state)
{
	(void)state;
	PGM_AUTO_ARENA arena = pgm_arena_new(0);
	struct pgm_ops ops = parse(arena, "SET LOCAL lock_timeout = '5s'");
	assert_int_equal(ops.items[0].kind, PGM_OP_SET);
	assert_string_equal(ops.items[0].value, "5s");
	assert_true(ops.items[0].local);
	assert_string_equal(parse(arena, "SET lock_timeout TO DEFAULT").items[0].value, "");
	assert_string_equal(parse(arena, "SET lock_timeout = 0").items[0].value, "0");
	assert_true(parse(arena, "SELECT set_config('a', 'b', true)").items[0].local);
	assert_int_equal(parse(arena, "START TRANSACTION").items[0].kind, PGM_OP_BEGIN);
	assert_int_equal(parse(arena, "END").items[0].kind, PGM_OP_END);
	assert_int_equal(parse(arena, "ROLLBACK TO x").count, 0);
	assert_true(parse(arena, "CREATE INDEX CONCURRENTLY i ON t (a)").no_transaction);
	assert_false(parse(arena, "REFRESH MATERIALIZED VIEW CONCURRENTLY m").no_transaction);
}

static void concurrently_goes_behind_its_keyword(void **state)
{
	(void)state;
	PGM_AUTO_ARENA arena = pgm_arena_new(0);
	assert_string_equal(
		pgm_sql_add_concurrently(arena, "create /* INDEX */ unique index \"index\" on t (a)"),
		"create /* INDEX */ unique index CONCURRENTLY \"index\" on t (a)");
	assert_string_equal(pgm_sql_add_concurrently(arena, "REINDEX TABLE t"),
			    "REINDEX TABLE CONCURRENTLY t");
}

static void a_statement_that_is_none_is_an_error(void **state)
{
	(void)state;
	PGM_AUTO_ARENA arena = pgm_arena_new(0);
	struct pgm_ops ops;
	struct pgm_error err = {0};
	assert_false(pgm_ops_parse(arena, "SELECT 1;\nSELEC", 7, &ops, &err));
	assert_non_null(strstr(err.message, "line 8"));
	assert_false(pgm_ops_parse(arena, "SELECT 1; SELECT 2", 1, &ops, &err));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_alter_table_is_all_that_it_does),
		cmocka_unit_test(a_cast_to_the_type_is_not_computed),
		cmocka_unit_test(settings_and_transactions_are_told),
		cmocka_unit_test(concurrently_goes_behind_its_keyword),
		cmocka_unit_test(a_statement_that_is_none_is_an_error),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
