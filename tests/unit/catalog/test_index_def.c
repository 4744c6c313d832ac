#include "../cmocka_all.h"

#include "catalog/index_def.h"
#include "pg/quote.h"

#include <string.h>

static struct pgm_column columns[] = {
	{.attnum = 1, .name = "a"},
	{.attnum = 2, .name = "Odd \"b\""},
	{.attnum = 3, .name = "c", .collation = 100},
	{.attnum = 4, .name = "select"},
};
static struct pgm_table table = {.schema = "S", .name = "t", .columns = columns, .column_count = 4};

static struct pgm_index_def def_of(size_t keys)
{
	struct pgm_index_def def = {
		.table = &table, .method = "btree", .key_count = keys, .predicate_share = 1};
	for (size_t i = 0; i < keys; i++)
		def.keys[i].column = &columns[i];
	return def;
}

static void bodies_are_sql(void **state)
{
	(void)state;
	PGM_AUTO_ARENA arena = pgm_arena_new(0);
	struct pgm_index_def def = def_of(3);
	assert_string_equal(pgm_index_def_body(arena, &def), "(a, \"Odd \"\"b\"\"\", c)");
	def.keys[0].descending = def.keys[0].nulls_first = true;
	def.keys[1].nulls_first = true;
	def.keys[2].descending = true;
	assert_string_equal(pgm_index_def_body(arena, &def),
			    "(a DESC, \"Odd \"\"b\"\"\" NULLS FIRST, c DESC NULLS LAST)");
	def = def_of(1);
	def.keys[0] = (struct pgm_index_key){.expression = "lower(a)", .opclass = "text_pattern_ops"};
	def.include[def.include_count++] = &columns[3];
	def.include[def.include_count++] = &columns[0];
	def.predicate = "c IS NULL";
	assert_string_equal(pgm_index_def_body(arena, &def),
			    "((lower(a)) text_pattern_ops) INCLUDE (\"select\", a) WHERE c IS NULL");
	assert_string_equal(
		pgm_index_def_create(arena, &def, "A name", true),
		"CREATE INDEX CONCURRENTLY \"A name\" ON \"S\".t ((lower(a)) text_pattern_ops) INCLUDE "
		"(\"select\", a) WHERE c IS NULL");
	def = def_of(1);
	def.method = "gin";
	def.keys[0].descending = true; /* means nothing there */
	assert_string_equal(pgm_index_def_create(arena, &def, NULL, false),
			    "CREATE INDEX ON \"S\".t USING gin (a)");
}

static char *name_in(struct pgm_arena *arena, const char *table_name, const char *column,
		     struct pgm_map *taken)
{
	static struct pgm_catalog catalog;
	struct pgm_column other = {.attnum = 1, .name = column};
	struct pgm_table named = {.schema = "S", .name = table_name};
	struct pgm_index_def def = {.table = &named, .method = "btree", .key_count = 1};
	catalog = (struct pgm_catalog){.arena = arena};
	pgm_map_init(&catalog.tables_by_name, arena);
	pgm_map_set(&catalog.tables_by_name, "S\001t_taken_idx", &named);
	def.keys[0].column = &other;
	return pgm_index_def_name(arena, &def, &catalog, taken);
}

static void names_are_short_whole_and_new(void **state)
{
	(void)state;
	PGM_AUTO_ARENA arena = pgm_arena_new(0);
	struct pgm_map taken;
	pgm_map_init(&taken, arena);
	assert_string_equal(name_in(arena, "t", "a", &taken), "t_a_idx");
	assert_string_equal(name_in(arena, "t", "a", &taken), "t_a_idx1");
	assert_string_equal(name_in(arena, "t", "taken", &taken), "t_taken_idx1"); /* a table has it */
	char longest[64];
	memset(longest, 'x', 63);
	longest[63] = '\0';
	for (int i = 0; i < 12; i++)
		assert_true(strlen(name_in(arena, longest, "a", &taken)) <= 63);
	/* Cut between characters, not within one: 31 of two bytes and one of one. */
	char *unicode = pgm_sprintf(arena, "x%s",
				    "\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4"
				    "\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4"
				    "\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4"
				    "\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4");
	for (int i = 0; i < 3; i++) {
		char *name = name_in(arena, i ? unicode : unicode + 1, "a", &taken);
		char *suffix = strstr(name, "_idx");
		assert_true(strlen(name) <= 63 && suffix);
		assert_true(((suffix - name) - (i ? 1 : 0)) % 2 == 0); /* whole characters */
	}
}

static void covering_is_told(void **state)
{
	(void)state;
	struct pgm_index_def narrow = def_of(1), wide = def_of(3);
	assert_true(pgm_index_def_covers(&wide, &narrow));
	assert_false(pgm_index_def_covers(&narrow, &wide));
	assert_true(pgm_index_def_covers(&narrow, &narrow));
	assert_true(pgm_index_def_equal(&narrow, &narrow));
	/* All reversed serves the same; one alone does not. */
	struct pgm_index_def reversed = def_of(3);
	for (size_t i = 0; i < 2; i++)
		reversed.keys[i].descending = reversed.keys[i].nulls_first = true;
	struct pgm_index_def two = def_of(2);
	assert_true(pgm_index_def_covers(&reversed, &two));
	assert_false(pgm_index_def_equal(&reversed, &two));
	reversed.keys[1].descending = reversed.keys[1].nulls_first = false;
	assert_false(pgm_index_def_covers(&reversed, &two));
	assert_true(pgm_index_def_covers(&reversed, &narrow));
	/* DESC NULLS LAST is no reversal of ASC NULLS LAST. */
	struct pgm_index_def last = def_of(1);
	last.keys[0].descending = true;
	assert_false(pgm_index_def_covers(&last, &narrow));
	/* INCLUDE columns may be keys of the other. */
	struct pgm_index_def covering = def_of(1);
	covering.include[covering.include_count++] = &columns[2];
	assert_true(pgm_index_def_covers(&wide, &covering));
	assert_false(pgm_index_def_covers(&narrow, &covering));
	assert_true(pgm_index_def_covers(&covering, &narrow));
	/* Predicates, methods, operator classes and tables are the same or nothing is said. */
	struct pgm_index_def partial = def_of(1);
	partial.predicate = "a IS NULL";
	assert_false(pgm_index_def_covers(&partial, &narrow));
	assert_false(pgm_index_def_covers(&narrow, &partial));
	struct pgm_index_def gin = def_of(1), other = def_of(1);
	gin.method = "gin";
	assert_false(pgm_index_def_covers(&gin, &narrow));
	other.keys[0].opclass = "text_pattern_ops";
	assert_false(pgm_index_def_covers(&other, &narrow));
	struct pgm_table another = table;
	other = def_of(1);
	other.table = &another;
	assert_false(pgm_index_def_covers(&other, &narrow));
}

static void existing_indexes_are_definitions(void **state)
{
	(void)state;
	int attnums[] = {3, 1, 2}, options[] = {3, 0};
	unsigned collations[] = {100, 0};
	char *opclasses[] = {NULL, "int4_other"};
	struct pgm_index index = {.table = &table,
				  .method = "btree",
				  .key_count = 2,
				  .column_count = 3,
				  .attnums = attnums,
				  .options = options,
				  .opclasses = opclasses,
				  .collations = collations,
				  .predicate = "(a > 5)"};
	struct pgm_index_def def;
	PGM_AUTO_ARENA arena = pgm_arena_new(0);
	assert_true(pgm_index_def_of(&index, &def));
	assert_string_equal(pgm_index_def_body(arena, &def),
			    "(c DESC, a int4_other) INCLUDE (\"Odd \"\"b\"\"\") WHERE (a > 5)");
	collations[0] = 950; /* "C" */
	assert_false(pgm_index_def_of(&index, &def));
	collations[0] = 100;
	index.expressions = "lower(c)";
	assert_false(pgm_index_def_of(&index, &def));
	index.expressions = NULL;
	attnums[1] = 77; /* a column that was dropped since */
	assert_false(pgm_index_def_of(&index, &def));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(bodies_are_sql),
		cmocka_unit_test(names_are_short_whole_and_new),
		cmocka_unit_test(covering_is_told),
		cmocka_unit_test(existing_indexes_are_definitions),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
