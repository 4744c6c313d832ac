#include "../cmocka_all.h"

#include "change/verify/stats.h"
#include "change/verify/verify.h"
#include "sql/effects.h"
#include "sql/index_stmt.h"

#include <string.h>

static void spread_of_times(void **state)
{
	(void)state;
	double odd[] = {9, 1, 5}, even[] = {4, 1, 3, 2};
	assert_float_equal(pgm_median(odd, 3), 5, 1e-9);
	assert_float_equal(pgm_median(even, 4), 2.5, 1e-9);
	assert_float_equal(pgm_median(NULL, 0), 0, 1e-9);

	const double times[] = {10, 12, 11, 100, 9};
	struct pgm_spread spread = pgm_spread_of(times, 5);
	assert_int_equal(spread.count, 5);
	assert_float_equal(spread.median, 11, 1e-9);
	assert_float_equal(spread.min, 9, 1e-9);
	assert_float_equal(spread.max, 100, 1e-9);
	/* Deviations 1, 1, 0, 89, 2: the one that went astray does not count. */
	assert_float_equal(spread.mad, 1, 1e-9);
	assert_float_equal(times[3], 100, 1e-9);

	spread = pgm_spread_of(times, 1);
	assert_float_equal(spread.median, 10, 1e-9);
	assert_float_equal(spread.mad, 0, 1e-9);
	assert_int_equal(pgm_spread_of(times, 0).count, 0);
}

static enum pgm_verdict verdict(double before, double after, double mad)
{
	/* Runs that overlap, so that the deviations decide. */
	struct pgm_side left = {.ms = before, .mad_ms = mad, .min_ms = 0, .max_ms = 100};
	struct pgm_side right = {.ms = after, .mad_ms = mad / 2, .min_ms = 0, .max_ms = 100};
	return pgm_verdict_of(left, right);
}

static void verdicts_beyond_noise(void **state)
{
	(void)state;
	assert_int_equal(verdict(10, 10, 0), PGM_VERDICT_SAME);
	assert_int_equal(verdict(10, 12, 0), PGM_VERDICT_SAME); /* 1.2 is not above 1.2 */
	assert_int_equal(verdict(10, 12.5, 0), PGM_VERDICT_SLOWER);
	assert_int_equal(verdict(12.5, 10, 0), PGM_VERDICT_FASTER);
	/* Above 1.2, but within 3 deviations of the noisier side. */
	assert_int_equal(verdict(10, 13, 1), PGM_VERDICT_SAME);
	assert_int_equal(verdict(10, 13.1, 1), PGM_VERDICT_SLOWER);
	assert_int_equal(verdict(13, 10, 1), PGM_VERDICT_SAME);
	/* Twice as slow, but by less than 0.2 ms. */
	assert_int_equal(verdict(0.1, 0.3, 0), PGM_VERDICT_SAME);
	assert_int_equal(verdict(0.1, 0.31, 0), PGM_VERDICT_SLOWER);
	assert_int_equal(verdict(0, 0, 0), PGM_VERDICT_SAME);
}

static void runs_that_are_apart_outweigh_deviations(void **state)
{
	(void)state;
	struct pgm_side slow = {.ms = 10, .mad_ms = 5, .min_ms = 4, .max_ms = 40};
	struct pgm_side quick = {.ms = 0.5, .mad_ms = 0.1, .min_ms = 0.4, .max_ms = 3.9};
	assert_int_equal(pgm_verdict_of(slow, quick), PGM_VERDICT_FASTER);
	assert_int_equal(pgm_verdict_of(quick, slow), PGM_VERDICT_SLOWER);
	quick.max_ms = 4.1;
	assert_int_equal(pgm_verdict_of(slow, quick), PGM_VERDICT_SAME);
	/* Apart, but by less than twice. */
	struct pgm_side near = {.ms = 5.5, .mad_ms = 0.1, .min_ms = 3.5, .max_ms = 3.9};
	assert_int_equal(pgm_verdict_of(slow, near), PGM_VERDICT_SAME);
}

static void verdicts_of_timeouts(void **state)
{
	(void)state;
	struct pgm_side over = {.ms = 30000, .timed_out = true}, quick = {.ms = 5}, slow = {.ms = 40000};
	assert_int_equal(pgm_verdict_of(over, quick), PGM_VERDICT_FASTER);
	assert_int_equal(pgm_verdict_of(quick, over), PGM_VERDICT_SLOWER);
	assert_int_equal(pgm_verdict_of(over, over), PGM_VERDICT_SAME);
	/* Longer than 30 s, and 40 s: which one is longer is not known. */
	assert_int_equal(pgm_verdict_of(over, slow), PGM_VERDICT_UNKNOWN);
	assert_int_equal(pgm_verdict_of(slow, over), PGM_VERDICT_UNKNOWN);
	assert_int_equal(pgm_verdict_of((struct pgm_side){.ms = 29000}, over), PGM_VERDICT_SAME);
}

static void a_baseline_is_read_back(void **state)
{
	(void)state;
	PGM_AUTO_ARENA arena = pgm_arena_new(0);
	struct pgm_index_name index = {"public", "i"};
	struct pgm_measure items[] = {
		{.id = "a",
		 .hash = "b",
		 .text = "SELECT \"\n$1\"",
		 .state = PGM_MEASURE_TIMED,
		 .reason = "",
		 .limit_ms = 30000,
		 .cold = true,
		 .time_ms = {5, 1.5, 1, 2, 0.25},
		 .hit_blocks = 7,
		 .read_blocks = 3,
		 .rows = 9,
		 .cost = 123.5,
		 .headline = "Index Scan using i on t",
		 .indexes = &index,
		 .index_count = 1},
		{.id = "c", .hash = "d", .text = "x", .state = PGM_MEASURE_TIMED_OUT, .limit_ms = 100},
		{.id = "e", .hash = "f", .text = "y", .state = PGM_MEASURE_FAILED, .reason = "no \"table\""},
	};
	struct pgm_writes writes = {.schema = "s",
				    .relation = "r",
				    .reason = "",
				    .rows = 10,
				    .indexes_before = 1,
				    .indexes_after = 2,
				    .covered_columns = "a, b",
				    .other_column = "c",
				    .notes = {"", "", "none"}};
	writes.before[PGM_WRITE_INSERT].us_per_row = (struct pgm_spread){5, 3, 2, 4, 0.5};
	writes.after[PGM_WRITE_UPDATE_COVERED] = (struct pgm_write_cost){{5, 6, 5, 7, 0.5}, 0.75};
	struct pgm_measures measures = {.plan_id = "p",
					.database = "d",
					.taken_at = "t",
					.server_version = 150020,
					.budget_spent = true,
					.items = items,
					.count = 3,
					.writes = &writes,
					.write_count = 1};

	json_t *json = pgm_measures_json(&measures);
	struct pgm_measures again;
	struct pgm_error err = {0};
	assert_true(pgm_measures_parse(arena, json, &again, &err));
	assert_string_equal(again.plan_id, "p");
	assert_int_equal(again.server_version, 150020);
	assert_true(again.budget_spent);
	assert_int_equal(again.count, 3);
	assert_string_equal(again.items[0].text, items[0].text);
	assert_true(again.items[0].cold);
	assert_float_equal(again.items[0].time_ms.mad, 0.25, 1e-9);
	assert_int_equal(again.items[0].time_ms.count, 5);
	assert_string_equal(again.items[0].indexes[0].name, "i");
	assert_int_equal(again.items[1].state, PGM_MEASURE_TIMED_OUT);
	assert_string_equal(again.items[2].reason, "no \"table\"");
	assert_float_equal(again.writes[0].before[PGM_WRITE_INSERT].us_per_row.median, 3, 1e-9);
	assert_float_equal(again.writes[0].after[PGM_WRITE_UPDATE_COVERED].hot_share, 0.75, 1e-9);
	assert_string_equal(again.writes[0].notes[PGM_WRITE_UPDATE_OTHER], "none");
	json_decref(json);
}

static void a_broken_baseline_is_refused(void **state)
{
	(void)state;
	PGM_AUTO_ARENA arena = pgm_arena_new(0);
	static const char *const texts[] = {
		"{}",
		"[]",
		"{\"schema\": \"pgmend.baseline/2\"}",
		"{\"schema\": \"pgmend.baseline/1\", \"statements\": [7]}",
		"{\"schema\": \"pgmend.baseline/1\", \"statements\": [{\"hash\": \"a\", \"state\": "
		"\"odd\"}]}",
		"{\"schema\": \"pgmend.baseline/1\", \"statements\": [{\"hash\": \"a\", \"state\": "
		"\"timed\"}]}",
	};
	for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++) {
		struct pgm_measures measures;
		struct pgm_error err = {0};
		json_t *json = json_loads(texts[i], 0, NULL);
		assert_non_null(json);
		assert_false(pgm_measures_parse(arena, json, &measures, &err));
		assert_int_equal(err.kind, PGM_ERR_INPUT);
		json_decref(json);
	}
}

static bool names(const struct pgm_effects *effects, enum pgm_effect_kind kind, const char *schema,
		  const char *name)
{
	for (size_t i = 0; i < effects->count; i++) {
		const struct pgm_effect *item = &effects->items[i];
		if (item->kind == kind && strcmp(item->name, name) == 0 &&
		    (schema ? item->schema && strcmp(item->schema, schema) == 0 : !item->schema))
			return true;
	}
	return false;
}

static void everything_that_may_run_code_is_named(void **state)
{
	(void)state;
	PGM_AUTO_ARENA arena = pgm_arena_new(0);
	struct pgm_effects effects;
	struct pgm_error err = {0};
	static const char *const sql =
		"WITH c AS (SELECT f(1)) SELECT s.g(x), a.b, (a).c, x === 1, y OPERATOR(o.+) 2, z::t.money, "
		"count(*) FILTER (WHERE h()) OVER (ORDER BY i()) "
		"FROM v.w AS a TABLESAMPLE m(3), LATERAL j(1) AS k "
		"WHERE EXISTS (SELECT l()) AND x ~~~ ANY (SELECT 1) ORDER BY 1 USING >>>";
	if (!pgm_sql_effects(arena, sql, &effects, &err))
		fail_msg("%s", err.message);
	assert_true(effects.select_only && effects.explainable);
	assert_true(names(&effects, PGM_EFFECT_FUNCTION, NULL, "f"));
	assert_true(names(&effects, PGM_EFFECT_FUNCTION, "s", "g"));
	assert_true(names(&effects, PGM_EFFECT_FUNCTION, NULL, "h"));
	assert_true(names(&effects, PGM_EFFECT_FUNCTION, NULL, "i"));
	assert_true(names(&effects, PGM_EFFECT_FUNCTION, NULL, "j"));
	assert_true(names(&effects, PGM_EFFECT_FUNCTION, NULL, "l"));
	assert_true(names(&effects, PGM_EFFECT_FUNCTION, NULL, "m"));
	assert_true(names(&effects, PGM_EFFECT_FIELD, NULL, "b"));
	assert_true(names(&effects, PGM_EFFECT_FIELD, NULL, "c"));
	assert_true(names(&effects, PGM_EFFECT_OPERATOR, NULL, "==="));
	assert_true(names(&effects, PGM_EFFECT_OPERATOR, "o", "+"));
	assert_true(names(&effects, PGM_EFFECT_OPERATOR, NULL, "~~~"));
	assert_true(names(&effects, PGM_EFFECT_OPERATOR, NULL, ">>>"));
	assert_true(names(&effects, PGM_EFFECT_CAST, "t", "money"));
	assert_true(names(&effects, PGM_EFFECT_RELATION, "v", "w"));
}

static void what_writes_is_told_from_what_reads(void **state)
{
	(void)state;
	PGM_AUTO_ARENA arena = pgm_arena_new(0);
	static const struct {
		const char *sql;
		bool explainable, select_only;
	} cases[] = {
		{"SELECT 1", true, true},
		{"VALUES (1)", true, true},
		{"TABLE t", true, true},
		{"SELECT 1 UNION SELECT 2", true, true},
		{"SELECT 1 FROM t FOR SHARE", true, false},
		{"SELECT * FROM (SELECT 1 FROM t FOR UPDATE) AS s", true, false},
		{"SELECT 1 INTO x", true, false},
		{"WITH x AS (INSERT INTO t VALUES (1) RETURNING 1) SELECT 1", true, false},
		{"WITH x AS (UPDATE t SET a = 1 RETURNING 1) SELECT 1", true, false},
		{"DELETE FROM t", true, false},
		{"MERGE INTO t USING s ON true WHEN MATCHED THEN DELETE", true, false},
		{"CREATE TABLE x AS SELECT 1", false, false},
		{"EXPLAIN ANALYZE DELETE FROM t", false, false},
		{"CALL p()", false, false},
		{"SELECT 1; SELECT 2", false, false},
		{"", false, false},
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct pgm_effects effects;
		struct pgm_error err = {0};
		if (!pgm_sql_effects(arena, cases[i].sql, &effects, &err))
			fail_msg("%s: %s", cases[i].sql, err.message);
		if (effects.explainable != cases[i].explainable ||
		    effects.select_only != cases[i].select_only)
			fail_msg("%s: explainable %d, select only %d", cases[i].sql, effects.explainable,
				 effects.select_only);
	}
}

static void an_index_is_taken_off_its_table(void **state)
{
	(void)state;
	PGM_AUTO_ARENA arena = pgm_arena_new(0);
	static const struct {
		const char *sql, *rest;
	} cases[] = {
		{"CREATE INDEX i ON t (a)", " (a)"},
		{"CREATE UNIQUE INDEX CONCURRENTLY IF NOT EXISTS i ON s.t USING btree (a DESC) WHERE a > "
		 "';';\n"
		 "ANALYZE s.t;",
		 " USING btree (a DESC) WHERE a > ';'"},
		{"ANALYZE x; CREATE INDEX ON ONLY \"S \"\"1\" . \"t.x\"(a);", "(a)"},
		{"CREATE INDEX ON U&\"a\\000a\".t USING gin (b) WITH (fastupdate = off)",
		 " USING gin (b) WITH (fastupdate = off)"},
		{"CREATE INDEX \"ü\" ON \"ä\".ö (a)", " (a)"},
		{"-- t (z)\nCREATE INDEX /* t */ i ON t -- c\n (a)", " -- c\n (a)"},
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		char *rest;
		struct pgm_error err = {0};
		if (!pgm_sql_index_definition(arena, cases[i].sql, &rest, &err))
			fail_msg("%s: %s", cases[i].sql, err.message);
		assert_string_equal(rest, cases[i].rest);
	}
	static const char *const bad[] = {"", "SELECT 1", "CREATE INDEX ON", "DROP INDEX i"};
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		char *rest;
		struct pgm_error err = {0};
		assert_false(pgm_sql_index_definition(arena, bad[i], &rest, &err));
		assert_int_equal(err.kind, PGM_ERR_INPUT);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(spread_of_times),
		cmocka_unit_test(verdicts_beyond_noise),
		cmocka_unit_test(runs_that_are_apart_outweigh_deviations),
		cmocka_unit_test(verdicts_of_timeouts),
		cmocka_unit_test(a_baseline_is_read_back),
		cmocka_unit_test(a_broken_baseline_is_refused),
		cmocka_unit_test(everything_that_may_run_code_is_named),
		cmocka_unit_test(what_writes_is_told_from_what_reads),
		cmocka_unit_test(an_index_is_taken_off_its_table),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
