#include "../cmocka_all.h"

#include "advise/btree_tuple.h"
#include "advise/size.h"
#include "catalog/distinct.h"
#include "catalog/index_parse.h"
#include "catalog/selectivity.h"
#include "catalog/widths.h"

#include <math.h>
#include <string.h>

#define ROWS 1000000.0

static struct pgm_column fixed_column(const char *name, const char *type, int length, char align)
{
	return (struct pgm_column){.name = name,
				   .type_name = type,
				   .type_category = 'N',
				   .length_bytes = length,
				   .align = align,
				   .btree = true,
				   .equal_image = true,
				   .has_statistics = true,
				   .width_bytes = length,
				   .distinct = ROWS};
}

/* A text column whose values are these, equally often. */
static struct pgm_column text_column(struct pgm_arena *arena, const char *name, char **values, size_t count)
{
	struct pgm_column column = fixed_column(name, "text", -1, 'i');
	column.type_category = 'S';
	column.distinct = (double)count;
	column.common_values = values;
	column.common_count = count;
	column.common_fractions = PGM_NEW_ARRAY(arena, double, count);
	column.width_bytes = 0;
	for (size_t i = 0; i < count; i++) {
		column.common_fractions[i] = 1.0 / (double)count;
		column.width_bytes += (double)(strlen(values[i]) + 1) / (double)count;
	}
	pgm_column_find_widths(arena, &column);
	pgm_column_find_ranges(arena, &column, ROWS, 30000);
	return column;
}

static struct pgm_index_def def_of(struct pgm_table *table, size_t count,
				   const struct pgm_column *const *columns)
{
	struct pgm_index_def def = {.table = table, .method = "btree", .predicate_share = 1};
	for (size_t i = 0; i < count; i++)
		def.keys[def.key_count++].column = columns[i];
	return def;
}

static double tuple_of(size_t count, const struct pgm_column *const *columns, const int *values)
{
	struct pgm_index_def def = def_of(NULL, count, columns);
	return pgm_btree_tuple_bytes(&def, values, count, true, 0);
}

static void tuples_are_laid_out_as_postgresql_does(void **state)
{
	(void)state;
	PGM_AUTO_ARENA arena = pgm_arena_new(0);
	char long_value[201] = {0};
	memset(long_value, 'x', 200);
	char *short_values[] = {"published"}, *long_values[] = {long_value};
	struct pgm_column big = fixed_column("big", "int8", 8, 'd'),
			  word = fixed_column("word", "int4", 4, 'i');
	struct pgm_column half = fixed_column("half", "int2", 2, 's'),
			  flag = fixed_column("flag", "bool", 1, 'c');
	struct pgm_column name = text_column(arena, "name", short_values, 1);
	struct pgm_column story = text_column(arena, "story", long_values, 1);
	const struct pgm_column *one[] = {&big}, *padded[] = {&word, &big}, *packed[] = {&flag, &half, &word};
	const struct pgm_column *texts[] = {&half, &name}, *stories[] = {&flag, &story};
	const int common[] = {PGM_VALUE_IS_ANY, 0}, first_null[] = {PGM_VALUE_IS_NULL, PGM_VALUE_IS_ANY};
	assert_float_equal(tuple_of(1, one, NULL), 16, 0);
	assert_float_equal(tuple_of(2, padded, NULL), 24, 0);	    /* 8 + 4 + 4 of padding + 8 */
	assert_float_equal(tuple_of(3, packed, NULL), 16, 0);	    /* 8 + 1 + 1 of padding + 2 + 4 */
	assert_float_equal(tuple_of(2, texts, common), 24, 0);	    /* 8 + 2 + 1 + 9, unaligned */
	assert_float_equal(tuple_of(2, stories, common), 216, 0);   /* 8 + 1 + 3 of padding + 4 + 200 */
	assert_float_equal(tuple_of(2, padded, first_null), 24, 0); /* 16 + 8 */
	assert_float_equal(tuple_of(1, one, first_null), 16, 0);
}

static void a_unique_bigint_takes_366_tuples_a_page(void **state)
{
	(void)state;
	PGM_AUTO_ARENA arena = pgm_arena_new(0);
	struct pgm_table table = {.tuples = ROWS};
	struct pgm_column big = fixed_column("id", "int8", 8, 'd');
	pgm_column_find_ranges(arena, &big, ROWS, 30000);
	const struct pgm_column *columns[] = {&big};
	struct pgm_index_def def = def_of(&table, 1, columns);
	/* 2733 leaves, 10 inner pages of 284, the root, the metapage: what PostgreSQL 13 to 18 build. */
	assert_float_equal(pgm_size_estimate(&def), 2745 * 8192, 0);
}

static void few_values_are_posting_lists_unless_that_is_unsafe(void **state)
{
	(void)state;
	PGM_AUTO_ARENA arena = pgm_arena_new(0);
	struct pgm_table table = {.tuples = ROWS};
	char *values[] = {"published", "drafted--"};
	struct pgm_column status = text_column(arena, "status", values, 2);
	const struct pgm_column *columns[] = {&status};
	struct pgm_index_def def = def_of(&table, 1, columns);
	/* 24 bytes of key and 130 TIDs make a list of 808, 9 of them a page: 855 leaves, 5 inner, meta. */
	assert_in_range((unsigned long)pgm_size_estimate(&def) / 8192, 855, 865);
	status.equal_image = false; /* bpchar, numeric, a nondeterministic collation */
	assert_in_range((unsigned long)pgm_size_estimate(&def) / 8192, 3820, 3880); /* 261 a page */
	status.equal_image = true;
	def.include[def.include_count++] = &status;
	assert_true(pgm_size_estimate(&def) > 3820 * 8192.0);
}

static void distinct_values_are_what_analyze_would_have_printed(void **state)
{
	(void)state;
	PGM_AUTO_ARENA arena = pgm_arena_new(0);
	/* 2 million rows thrown onto 1 million values: 864,665 occur; ANALYZE printed 655,347. */
	struct pgm_column column = fixed_column("post_id", "text", 8, 'd');
	column.distinct = 655347;
	pgm_column_find_ranges(arena, &column, 2e6, 30000);
	assert_float_equal(pgm_column_distinct_values(&column, 2e6), 864665, 864665 * 0.03);
	column.distinct = 2e6;
	pgm_column_find_ranges(arena, &column, 2e6, 30000);
	assert_true(isinf(column.ranges[0].values));
	/* All rows looked at: it is exact. */
	column.distinct = 632;
	pgm_column_find_ranges(arena, &column, 1000, 30000);
	assert_float_equal(pgm_column_distinct_values(&column, 1000), 632, 2);
}

static struct pgm_column *grade_column(struct pgm_arena *arena)
{
	static char *bounds[] = {"0", "100", "200", "1000"}, *common[] = {"7", "500"};
	static double fractions[] = {0.25, 0.05};
	struct pgm_column *column = PGM_NEW(arena, struct pgm_column);
	*column = fixed_column("grade", "int4", 4, 'i');
	column->null_fraction = 0.1;
	column->distinct = 902;
	column->common_values = common;
	column->common_fractions = fractions;
	column->common_count = 2;
	column->histogram = bounds;
	column->histogram_count = 4;
	return column;
}

static void a_predicate_lets_in_what_the_statistics_say(void **state)
{
	(void)state;
	PGM_AUTO_ARENA arena = pgm_arena_new(0);
	struct pgm_column *column = grade_column(arena);
	struct pgm_table table = {.schema = "public", .name = "items", .columns = column, .column_count = 1};
	assert_float_equal(pgm_predicate_share(arena, &table, NULL), 1, 0);
	assert_float_equal(pgm_predicate_share(arena, &table, "grade = 7"), 0.25, 1e-9);
	assert_float_equal(pgm_predicate_share(arena, &table, "grade = 8"), 0.6 / 900, 1e-9);
	assert_float_equal(pgm_predicate_share(arena, &table, "grade IS NULL"), 0.1, 1e-9);
	/* the first and half of the second bin of 0.6, and one common value */
	assert_float_equal(pgm_predicate_share(arena, &table, "grade < 150"), 0.25 + 0.3, 1e-9);
	assert_float_equal(pgm_predicate_share(arena, &table, "grade >= 500"), 0.05 + 0.6 * 5 / 24, 1e-9);
	assert_float_equal(pgm_predicate_share(arena, &table, "(grade > 500) AND (grade IS NOT NULL)"),
			   0.6 * 5 / 24 * 0.9, 1e-9);
}

static void a_create_index_is_resolved_or_refused(void **state)
{
	(void)state;
	PGM_AUTO_ARENA arena = pgm_arena_new(0);
	struct pgm_column *column = grade_column(arena);
	struct pgm_table table = {.schema = "public", .name = "items", .columns = column, .column_count = 1};
	struct pgm_catalog catalog = {.arena = arena, .tables = &table, .table_count = 1};
	struct pgm_index_def def;
	struct pgm_error err;
	const char *name;
	pgm_map_init(&catalog.tables_by_name, arena);
	pgm_map_set(&catalog.tables_by_name, "public\001items", &table);
	const char *sql = "CREATE UNIQUE INDEX i ON public.items (grade DESC, (abs(grade))) INCLUDE (grade) "
			  "WHERE grade IS NOT NULL AND grade < 3";
	assert_true(pgm_index_parse(arena, &catalog, sql, &def, &name, &err));
	assert_string_equal(name, "i");
	assert_string_equal(
		pgm_index_def_create(arena, &def, name, false),
		"CREATE UNIQUE INDEX i ON public.items (grade DESC, (abs(grade))) INCLUDE (grade) "
		"WHERE (grade IS NOT NULL) AND ((grade < 3))");
	static const char *const refused[] = {
		"CREATE INDEX ON nowhere (grade)",
		"CREATE INDEX ON items (no_such)",
		"CREATE INDEX ON items (grade) INCLUDE (no_such)",
		"CREATE INDEX ON items (grade COLLATE \"C\")",
		"CREATE INDEX ON items (grade); CREATE INDEX ON items (grade)",
		"DROP INDEX i",
		"CREATE INDEX ON items (",
	};
	for (size_t i = 0; i < sizeof(refused) / sizeof(*refused); i++) {
		assert_false(pgm_index_parse(arena, &catalog, refused[i], &def, &name, &err));
		assert_int_equal(err.kind, PGM_ERR_INPUT);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(tuples_are_laid_out_as_postgresql_does),
		cmocka_unit_test(a_unique_bigint_takes_366_tuples_a_page),
		cmocka_unit_test(few_values_are_posting_lists_unless_that_is_unsafe),
		cmocka_unit_test(distinct_values_are_what_analyze_would_have_printed),
		cmocka_unit_test(a_predicate_lets_in_what_the_statistics_say),
		cmocka_unit_test(a_create_index_is_resolved_or_refused),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
