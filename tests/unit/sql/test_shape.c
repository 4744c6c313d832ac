#include "shape_show.h"

#include <stdlib.h>
#include <string.h>

#define ATOMS(sql, expected)  assert_string_equal(atoms_of(arena, sql), expected)
#define PARAMS(sql, expected) assert_string_equal(params_of(arena, sql), expected)
#define TABLES(sql, expected) assert_string_equal(tables_of(arena, sql), expected)

static void each_kind_of_condition_is_told(void **state)
{
	(void)state;
	PGM_AUTO_ARENA arena = pgm_arena_new(0);
	ATOMS("SELECT 1 FROM t WHERE a = 'x'", "eq a 'x'");
	ATOMS("SELECT 1 FROM t WHERE 5 = t.a", "eq t.a 5");
	ATOMS("SELECT 1 FROM t WHERE a IN (1, 2, 3)", "in a = 1 of 3");
	ATOMS("SELECT 1 FROM t WHERE a = ANY ($1)", "in a = param $1");
	ATOMS("SELECT 1 FROM t WHERE a = ANY ('{1,2}')", "in a = moving '{1,2}'");
	ATOMS("SELECT 1 FROM t WHERE a NOT IN (1, 2)", "");
	ATOMS("SELECT 1 FROM t WHERE a < 5 AND 7 < b", "range a < 5 | range b > 7");
	ATOMS("SELECT 1 FROM t WHERE a BETWEEN 1 AND $1", "range a >= 1 | range a <= param $1");
	ATOMS("SELECT 1 FROM t WHERE a IS NULL AND b IS NOT NULL", "null a | notnull b");
	ATOMS("SELECT 1 FROM t WHERE a AND NOT b AND c IS TRUE AND d IS FALSE",
	      "true a | false b | true c | false d");
	ATOMS("SELECT 1 FROM t WHERE a = true", "eq a true");
	ATOMS("SELECT 1 FROM t WHERE a IS NOT TRUE", "");
	ATOMS("SELECT 1 FROM t WHERE a LIKE 'abc%'", "prefix a ~~ 'abc%'");
	ATOMS("SELECT 1 FROM t WHERE a LIKE '%abc' AND b ILIKE 'x%'",
	      "pattern a ~~ '%abc' | pattern b ~~* 'x%'");
	ATOMS("SELECT 1 FROM t WHERE a LIKE $1 AND b NOT LIKE 'x%'",
	      "pattern a ~~ param $1 | other b !~~ 'x%'");
	ATOMS("SELECT 1 FROM t WHERE a ~ 'x' AND b ~* 'y' AND c !~ 'z'",
	      "pattern a ~ 'x' | pattern b ~* 'y' | other c !~ 'z'");
	ATOMS("SELECT 1 FROM t WHERE a @> '{}' AND b ? 'k' AND c && $1 AND d @@ to_tsquery('x')",
	      "contain a @> '{}' | contain b ? 'k' | contain c && param $1 | contain d @@ moving "
	      "to_tsquery('x')");
	ATOMS("SELECT 1 FROM t WHERE '{}' <@ a", "contain a @> '{}'");
	ATOMS("SELECT 1 FROM t WHERE a <> 5", "other a <> 5");
	ATOMS("SELECT 1 FROM t WHERE a > now() - interval '1 day'",
	      "range a > moving (now() - ('1 day')::pg_catalog.\"interval\")");
	ATOMS("SELECT 1 FROM t WHERE a > now() - $1 * interval '1 day'", "range a > moving $1");
	ATOMS("SELECT 1 FROM t WHERE a = (SELECT max(x) FROM u)", "eq a query");
	ATOMS("SELECT 1 FROM t WHERE 1 = 1", "");
}

static void expressions_are_operands_as_written(void **state)
{
	(void)state;
	PGM_AUTO_ARENA arena = pgm_arena_new(0);
	ATOMS("SELECT 1 FROM t WHERE lower(t.email) = $1", "eq [lower(email)] param $1");
	ATOMS("SELECT 1 FROM t WHERE m ->> 'k' = 'v'", "eq [(m ->> 'k')] 'v'");
	ATOMS("SELECT 1 FROM t WHERE date_trunc('day', at) >= '2024-01-01'::date",
	      "range [date_trunc('day', at)] >= ('2024-01-01')::date");
	ATOMS("SELECT 1 FROM t WHERE \"Odd name\"::text = 'x'", "eq [(\"Odd name\")::text] 'x'");
	ATOMS("SELECT 1 FROM t WHERE coalesce(a, 0) + 1 = 5", "eq [(COALESCE(a, 0) + 1)] 5");
	/* A parameter inside it: no index can have it. */
	ATOMS("SELECT 1 FROM t WHERE m ->> $1 = $2", "");
	/* Columns of two tables are no expression of one. */
	ATOMS("SELECT 1 FROM t, u WHERE t.a + u.b = 5", "");
	/* What cannot be told exactly is not told at all. */
	ATOMS("SELECT 1 FROM t WHERE concat(VARIADIC a) = 'x'", "");
	ATOMS("SELECT 1 FROM t WHERE a::interval(3) = 'x'", "");
	ATOMS("SELECT 1 FROM t WHERE count(*) OVER (ORDER BY a) = 1", "");
}

static void names_keep_what_was_written(void **state)
{
	(void)state;
	PGM_AUTO_ARENA arena = pgm_arena_new(0);
	ATOMS("SELECT 1 FROM s.t AS x JOIN u ON x.id = u.t_id WHERE s.t.a = 1",
	      "join x.id = u.t_id | eq t.a 1");
	TABLES("SELECT 1 FROM s.t AS x JOIN u ON x.id = u.t_id", "0:s.t x | 0:u");
	TABLES("SELECT 1 FROM \"A b\".\"C\"\"d\"", "0:A b.C\"d");
	TABLES("SELECT 1 FROM a LEFT JOIN (b CROSS JOIN c) ON true", "0:a | 0:b | 0:c");
	struct pgm_shape shape = shape_of(arena, "SELECT *, a.*, b FROM a");
	assert_int_equal(shape.reference_count, 3);
	assert_null(shape.references[0].name);
	assert_null(shape.references[0].qualifier);
	assert_null(shape.references[1].name);
	assert_string_equal(shape.references[1].qualifier, "a");
	assert_string_equal(shape.references[2].name, "b");
}

static void levels_have_scopes(void **state)
{
	(void)state;
	PGM_AUTO_ARENA arena = pgm_arena_new(0);
	TABLES("WITH w AS (SELECT a FROM t) SELECT 1 FROM w", "1:t | 0:w -> 1");
	TABLES("WITH w AS (SELECT 1), w2 AS (SELECT 1 FROM w) SELECT 1 FROM w2", "2:w -> 1 | 0:w2 -> 2");
	/* A schema says that it is a table, however a CTE is called. */
	TABLES("WITH t AS (SELECT 1) SELECT 1 FROM public.t", "0:public.t");
	TABLES("SELECT 1 FROM (SELECT a FROM t) s", "1:t | 0: s -> 1");
	TABLES("SELECT 1 FROM t WHERE EXISTS (SELECT 1 FROM u WHERE u.t_id = t.id)", "0:t | 1:u");
	ATOMS("SELECT 1 FROM t WHERE EXISTS (SELECT 1 FROM u WHERE u.t_id = t.id)", "join u.t_id = t.id");
	ATOMS("SELECT 1 FROM t WHERE NOT EXISTS (SELECT 1 FROM u WHERE u.t_id = t.id)", "join u.t_id = t.id");
	ATOMS("SELECT 1 FROM t WHERE id IN (SELECT t_id FROM u WHERE x = 1)", "eq x 1 | join id = t_id");
	ATOMS("SELECT 1 FROM t, LATERAL (SELECT 1 FROM u WHERE u.t_id = t.id LIMIT 1) l",
	      "join u.t_id = t.id");
	TABLES("SELECT a FROM t UNION ALL SELECT b FROM u", "1:t | 2:u");
	ATOMS("SELECT a FROM t WHERE a = 1 UNION SELECT b FROM u WHERE b = 2 ORDER BY 1 LIMIT 3",
	      "eq a 1 | eq b 2");
	struct pgm_shape shape = shape_of(arena, "SELECT s.x FROM (SELECT a AS x, b + 1, c FROM t) s");
	assert_int_equal(shape.output_count, 4);
	assert_string_equal(shape.outputs[0].name, "x");
	assert_string_equal(shape.outputs[0].column.name, "a");
	assert_null(shape.outputs[1].column.name);
	assert_string_equal(shape.outputs[2].name, "c");
	assert_int_equal(shape.outputs[0].scope, 1);
	assert_int_equal(shape.scopes[1].parent, 0);
}

static void using_joins_the_right_side_with_the_left(void **state)
{
	(void)state;
	PGM_AUTO_ARENA arena = pgm_arena_new(0);
	ATOMS("SELECT 1 FROM a JOIN b USING (x, y)", "join a.x = b.x | join a.y = b.y");
	ATOMS("SELECT 1 FROM a JOIN b USING (x) JOIN c USING (y)",
	      "join a.x = b.x | join a.y = c.y | join b.y = c.y");
	/* A table beside the join has nothing to do with it. */
	ATOMS("SELECT 1 FROM a JOIN b USING (x), c", "join a.x = b.x");
	ATOMS("SELECT 1 FROM c, a JOIN b USING (x)", "join a.x = b.x");
	ATOMS("SELECT 1 FROM a JOIN (b JOIN c USING (y)) USING (x)",
	      "join b.y = c.y | join a.x = b.x | join a.x = c.x");
}

static void many_joins_do_not_take_the_memory(void **state)
{
	(void)state;
	PGM_AUTO_ARENA arena = pgm_arena_new((size_t)256 << 20);
	struct pgm_buf sql;
	pgm_buf_init(&sql, arena);
	pgm_buf_add(&sql, "SELECT 1 FROM t0");
	for (int i = 1; i < 150; i++)
		pgm_buf_printf(&sql, " JOIN t%d USING (id)", i);
	struct pgm_shape shape = shape_of(arena, sql.text);
	assert_int_equal(shape.table_count, 150);
	assert_int_equal(shape.atom_count, 150 * 149 / 2);
}

static void alternatives_are_marked(void **state)
{
	(void)state;
	PGM_AUTO_ARENA arena = pgm_arena_new(0);
	ATOMS("SELECT 1 FROM t WHERE (a = 1 OR b = 2) AND c = 3", "or eq a 1 | or eq b 2 | eq c 3");
	ATOMS("SELECT 1 FROM t WHERE (a = 1 AND b = 2) OR c IS NULL", "or eq a 1 | or eq b 2 | or null c");
	ATOMS("SELECT 1 FROM t WHERE NOT (a = 1 AND b = 2)", "");
	ATOMS("SELECT 1 FROM t WHERE a = 1 OR id IN (SELECT t_id FROM u WHERE x = 5)",
	      "or eq a 1 | eq x 5 | or join id = t_id");
}

static void orders_name_what_they_mean(void **state)
{
	(void)state;
	PGM_AUTO_ARENA arena = pgm_arena_new(0);
	ATOMS("SELECT 1 FROM t ORDER BY a, b DESC", "order0 a | order1 b desc");
	ATOMS("SELECT 1 FROM t ORDER BY a NULLS FIRST, b DESC NULLS LAST",
	      "order0 a nulls-first | order1 b desc nulls-last");
	ATOMS("SELECT b AS a, c FROM t ORDER BY a, 2", "order0 b | order1 c");
	ATOMS("SELECT lower(x) AS y FROM t ORDER BY y", "order0 [lower(x)]");
	ATOMS("SELECT a FROM t ORDER BY 7, 0, -1", "");
	ATOMS("SELECT a, count(*) FROM t GROUP BY 1", "group0 a");
	ATOMS("SELECT 1 FROM t GROUP BY a, b", "group0 a | group1 b");
	ATOMS("SELECT DISTINCT ON (a) b FROM t ORDER BY a, c DESC", "order0 a | order1 c desc | group0 a");
	ATOMS("SELECT DISTINCT ON (1, x) a AS z, b AS x FROM t", "group0 a | group1 b");
	struct pgm_shape shape = shape_of(arena, "SELECT DISTINCT ON (a) b FROM t");
	assert_int_equal(shape.reference_count, 2); /* a is read too: an index on b alone covers nothing */
	assert_true(shape_of(arena, "SELECT max(a) FROM t").scopes[0].has_aggregate);
	assert_false(shape_of(arena, "SELECT max(a) OVER () FROM t").scopes[0].has_aggregate);
	shape = shape_of(arena, "SELECT 1 FROM t LIMIT $1");
	assert_true(shape.scopes[0].has_limit);
	assert_int_equal(shape.scopes[0].limit.kind, PGM_VALUE_PARAM);
	assert_false(shape_of(arena, "SELECT 1 FROM (SELECT 1 FROM t LIMIT 1) s").scopes[0].has_limit);
}

static void parameters_say_what_they_are_for(void **state)
{
	(void)state;
	PGM_AUTO_ARENA arena = pgm_arena_new(0);
	PARAMS("SELECT 1 FROM t WHERE a = $2 AND b > $1 LIMIT $3 OFFSET $4",
	       "$2 compared/a | $1 compared/b | $3 limit | $4 offset");
	PARAMS("SELECT 1 FROM t WHERE a IN ($1, $2) AND b = ANY ($3)",
	       "$1 compared/a | $2 compared/a | $3 compared/b");
	PARAMS("SELECT 1 FROM t WHERE a = ANY (ARRAY[$1, $2]) AND b @> ARRAY[$3]",
	       "$1 compared/a element | $2 compared/a element | $3 compared/b element");
	PARAMS("SELECT 1 FROM t WHERE a @@ to_tsquery($1, $2) AND b @@ plainto_tsquery($3)",
	       "$1 other | $2 compared/a | $3 compared/b");
	PARAMS("SELECT 1 FROM t WHERE a BETWEEN $1 AND $2", "$1 compared/a | $2 compared/a");
	PARAMS("SELECT 1 FROM t WHERE a = $1::int AND b LIKE $2", "$1 compared/a | $2 compared/b");
	PARAMS("SELECT 1 FROM t WHERE a > now() - interval $1", "$1 interval/a");
	PARAMS("SELECT 1 FROM t WHERE a > now() - $1::interval", "$1 interval/a");
	PARAMS("SELECT 1 FROM t WHERE a = $1 + 1", "$1 other/a");
	PARAMS("SELECT f($1) FROM t WHERE m ->> $2 = $3", "$1 other | $2 other | $3 other");
	PARAMS("UPDATE t SET a = $1, b = b + $2 WHERE id = $3", "$1 stored | $2 stored | $3 compared/id");
	PARAMS("INSERT INTO t VALUES ($1, $2), ($3, $4)", "$1 stored | $2 stored | $3 stored | $4 stored");
	PARAMS("INSERT INTO t (a) VALUES ($1) ON CONFLICT (a) WHERE b = $2 DO UPDATE SET c = $3 WHERE t.d < "
	       "$4",
	       "$1 stored | $2 other | $3 stored | $4 other");
	/* None may be lost: it would stay in the text, and the server would refuse that. */
	PARAMS("SELECT 1 FROM t WHERE $1 <> ALL (SELECT x FROM u)", "$1 other");
	PARAMS("SELECT 1 FROM t WHERE NOT (a + $1 IN (SELECT x FROM u WHERE y = $2))",
	       "$1 other | $2 compared/y");
	PARAMS("SELECT DISTINCT ON (a + $1) a FROM t", "$1 other");
	PARAMS("SELECT a FROM t UNION SELECT b FROM u ORDER BY 1 LIMIT $1", "$1 limit");
	PARAMS("SELECT count(*) OVER w FROM t WINDOW w AS (ORDER BY a ROWS $1 PRECEDING)", "$1 other");
	PARAMS("SELECT 1 FROM t TABLESAMPLE SYSTEM ($1)", "$1 other");
	PARAMS("SELECT 1 FROM f($1) WITH ORDINALITY AS g (a, b)", "$1 other");
	PARAMS("VALUES ($1, $2)", "$1 other | $2 other");
	PARAMS("SELECT 1 FROM t GROUP BY GROUPING SETS ((a), (b + $1)) HAVING count(*) > $2",
	       "$1 other | $2 other");
	PARAMS("SELECT '$1', \"$2\" FROM t WHERE a = $10", "$10 compared/a");
}

static void writes_are_told(void **state)
{
	(void)state;
	PGM_AUTO_ARENA arena = pgm_arena_new(0);
	struct pgm_shape shape = shape_of(arena, "UPDATE s.t x SET a = 1, b = u.c FROM u WHERE x.id = u.id");
	assert_int_equal(shape.kind, PGM_STATEMENT_UPDATE);
	assert_true(shape.writes);
	assert_int_equal(shape.set_count, 2);
	assert_string_equal(shape.set_columns[1], "b");
	TABLES("UPDATE s.t x SET a = 1 FROM u WHERE x.id = u.id", "0:s.t x target | 0:u");
	ATOMS("UPDATE s.t x SET a = 1 FROM u WHERE x.id = u.id", "join x.id = u.id");
	ATOMS("DELETE FROM t USING u WHERE t.id = u.id AND u.x = 1", "join t.id = u.id | eq u.x 1");
	TABLES("INSERT INTO t SELECT a FROM u WHERE b = 1", "0:t target | 1:u");
	shape = shape_of(arena, "INSERT INTO t (a) VALUES (1) ON CONFLICT (a) DO UPDATE SET b = excluded.b");
	assert_int_equal(shape.kind, PGM_STATEMENT_INSERT);
	assert_int_equal(shape.set_count, 1);
	assert_true(shape_of(arena, "WITH d AS (DELETE FROM t RETURNING a) SELECT * FROM d").writes);
	assert_int_equal(shape_of(arena, "WITH d AS (DELETE FROM t RETURNING a) SELECT * FROM d").kind,
			 PGM_STATEMENT_SELECT);
	assert_true(shape_of(arena, "SELECT 1 FROM t FOR UPDATE").locks_rows);
	assert_true(shape_of(arena, "SELECT * INTO u FROM t").writes);
	assert_false(shape_of(arena, "SELECT 1 FROM t").writes);
	assert_int_equal(shape_of(arena, "VACUUM t").kind, PGM_STATEMENT_OTHER);
	assert_int_equal(shape_of(arena, "CREATE TABLE t AS SELECT 1").kind, PGM_STATEMENT_OTHER);
	shape = shape_of(arena, "UPDATE t SET (a, b) = (SELECT x, y FROM u WHERE u.id = t.id)");
	assert_int_equal(shape.set_count, 2);
}

static void refuse(struct pgm_arena *arena, const char *sql, const char *part)
{
	struct pgm_error err = {0};
	struct pgm_shape shape;
	assert_false(pgm_sql_shape(arena, sql, &shape, &err));
	assert_int_equal(err.kind, PGM_ERR_INPUT);
	assert_non_null(strstr(err.message, part));
}

static char *repeated(struct pgm_arena *arena, const char *head, const char *part, int times,
		      const char *tail)
{
	struct pgm_buf buf;
	pgm_buf_init(&buf, arena);
	pgm_buf_add(&buf, head);
	for (int i = 0; i < times; i++)
		pgm_buf_add(&buf, part);
	pgm_buf_add(&buf, tail);
	return buf.text;
}

static void what_is_no_statement_is_refused(void **state)
{
	(void)state;
	PGM_AUTO_ARENA arena = pgm_arena_new(0);
	refuse(arena, "", "no statement or several");
	refuse(arena, " -- nothing\n", "no statement or several");
	refuse(arena, "SELECT 1; SELECT 2", "no statement or several");
	refuse(arena, "SELEC 1", "syntax error");
	refuse(arena, "SELECT '\x01\xff", "unterminated");
	assert_int_equal(shape_of(arena, "SELECT 1;").kind, PGM_STATEMENT_SELECT);
}

static void depth_is_bounded(void **state)
{
	(void)state;
	PGM_AUTO_ARENA arena = pgm_arena_new(0);
	struct pgm_error err = {0};
	struct pgm_shape shape;
	char *deep[] = {
		repeated(arena, "SELECT 1 FROM t WHERE ", "(NOT ", 900, "a)"),
		repeated(arena, "SELECT 1 FROM t WHERE a = ", "1 + ", 3000, "1"),
		repeated(arena, "", "SELECT * FROM (", 500, "SELECT 1"),
		repeated(arena, "SELECT 1 FROM t", " JOIN t ON true", 1500, ""),
		repeated(arena, "SELECT 1", " UNION SELECT 1", 1500, ""),
		repeated(arena, "SELECT ", "f(", 1200, ""),
	};
	/* Whatever becomes of them, they are refused in a sentence and take no more stack than there is. */
	for (size_t i = 0; i < sizeof(deep) / sizeof(*deep); i++)
		if (!pgm_sql_shape(arena, deep[i], &shape, &err))
			assert_true(*err.message);
	refuse(arena, repeated(arena, "SELECT 1 FROM t WHERE a = ", "1 + ", 400, "1"), "too deeply");
	refuse(arena, repeated(arena, "SELECT 1 FROM t", " JOIN t ON true", 450, ""), "too deeply");
}

static void long_texts_are_read(void **state)
{
	(void)state;
	PGM_AUTO_ARENA arena = pgm_arena_new(0);
	struct pgm_buf buf;
	pgm_buf_init(&buf, arena);
	pgm_buf_add(&buf, "SELECT 1 FROM t WHERE a IN ($1");
	int count = 1;
	while (buf.length < 65000)
		pgm_buf_printf(&buf, ", $%d", ++count);
	pgm_buf_char(&buf, ')');
	struct pgm_shape shape = shape_of(arena, buf.text);
	assert_int_equal(shape.param_count, count);
	assert_int_equal(shape.atoms[0].in_count, count);
	shape = shape_of(arena, repeated(arena, "SELECT 1 FROM t WHERE true", " AND a = 1", 6400, ""));
	assert_int_equal(shape.atom_count, 6400);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_kind_of_condition_is_told),
		cmocka_unit_test(expressions_are_operands_as_written),
		cmocka_unit_test(names_keep_what_was_written),
		cmocka_unit_test(levels_have_scopes),
		cmocka_unit_test(using_joins_the_right_side_with_the_left),
		cmocka_unit_test(many_joins_do_not_take_the_memory),
		cmocka_unit_test(alternatives_are_marked),
		cmocka_unit_test(orders_name_what_they_mean),
		cmocka_unit_test(parameters_say_what_they_are_for),
		cmocka_unit_test(writes_are_told),
		cmocka_unit_test(what_is_no_statement_is_refused),
		cmocka_unit_test(depth_is_bounded),
		cmocka_unit_test(long_texts_are_read),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
