/* Scales and ticks, and what plots do with values that are none. */
#include "../cmocka_all.h"
#include "made_result.h"

#include "load/plot.h"
#include "load/report.h"

#include <float.h>
#include <math.h>
#include <string.h>

static struct pgm_arena *arena;

static int set_up(void **state)
{
	(void)state;
	arena = pgm_arena_new(0);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	pgm_arena_free(arena);
	return 0;
}

static void check_scale(const struct pgm_plot_scale *scale)
{
	double ticks[PGM_PLOT_TICKS_MAX];
	assert_true(isfinite(scale->low) && isfinite(scale->high) && scale->high > scale->low);
	for (size_t wanted = 0; wanted < 20; wanted++) {
		size_t count = pgm_plot_ticks(scale, wanted, ticks);
		assert_in_range(count, 1, PGM_PLOT_TICKS_MAX);
		for (size_t i = 0; i < count; i++) {
			assert_true(isfinite(ticks[i]));
			assert_true(i == 0 || ticks[i] > ticks[i - 1]);
			char *text = pgm_plot_text(arena, scale->unit, ticks[i]);
			assert_in_range(strlen(text), 1, 24);
			assert_null(strstr(text, "nan"));
			assert_null(strstr(text, "inf"));
		}
	}
}

static void every_range_has_a_scale(void **state)
{
	(void)state;
	static const double values[] = {-DBL_MAX, -1e9, -3,   0,       DBL_MIN,	 1e-9, 0.001,
					0.7,	  1,	17,   99.99,   100,	 1234, 86400,
					1e6,	  7e11, 1e15, DBL_MAX, INFINITY, NAN};
	size_t count = sizeof(values) / sizeof(*values);
	for (int unit = PGM_PLOT_COUNT; unit <= PGM_PLOT_PERCENTILE; unit++)
		for (size_t a = 0; a < count; a++)
			for (size_t b = 0; b < count; b++) {
				for (int log = 0; log < 2; log++) {
					struct pgm_plot_scale scale = pgm_plot_scale_of(
						(enum pgm_plot_unit)unit, log, values[a], values[b]);
					check_scale(&scale);
				}
				struct pgm_plot_scale exact =
					pgm_plot_scale_exact((enum pgm_plot_unit)unit, values[a], values[b]);
				if (unit != PGM_PLOT_PERCENTILE)
					check_scale(&exact);
			}
}

static void ticks_are_those_one_would_choose(void **state)
{
	(void)state;
	static const struct {
		enum pgm_plot_unit unit;
		bool log;
		double min, max;
		const char *texts;
	} rows[] = {
		{PGM_PLOT_COUNT, false, 12, 9870, "0 2k 4k 6k 8k 10k "},
		{PGM_PLOT_COUNT, false, 0, 0, "0 0.2 0.4 0.6 0.8 1 "},
		{PGM_PLOT_MS, false, 0, 0.04, "0 ms 10 \u00b5s 20 \u00b5s 30 \u00b5s 40 \u00b5s "},
		{PGM_PLOT_MS, true, 0.3, 2500, "0.1 ms 1 ms 10 ms 100 ms 1 s 10 s "},
		{PGM_PLOT_PERCENT, false, 3, 97, "0 % 20 % 40 % 60 % 80 % 100 % "},
		{PGM_PLOT_PERCENTILE, false, 0, 99.95, "0 % 50 % 90 % 99 % 99.9 % "},
	};
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		double ticks[PGM_PLOT_TICKS_MAX];
		struct pgm_plot_scale scale =
			pgm_plot_scale_of(rows[i].unit, rows[i].log, rows[i].min, rows[i].max);
		size_t count = pgm_plot_ticks(&scale, 5, ticks);
		char *texts = pgm_strdup(arena, "");
		for (size_t t = 0; t < count; t++)
			texts = pgm_sprintf(arena, "%s%s ", texts,
					    pgm_plot_text(arena, rows[i].unit, ticks[t]));
		assert_string_equal(texts, rows[i].texts);
	}
	struct pgm_plot_scale minutes = pgm_plot_scale_exact(PGM_PLOT_ELAPSED_S, 0, 600);
	double ticks[PGM_PLOT_TICKS_MAX];
	assert_int_equal(pgm_plot_ticks(&minutes, 5, ticks), 6);
	assert_string_equal(pgm_plot_text(arena, PGM_PLOT_ELAPSED_S, ticks[1]), "2:00");
}

static void places_stay_on_the_axis(void **state)
{
	(void)state;
	struct pgm_plot_scale scale = pgm_plot_scale_of(PGM_PLOT_MS, true, 1, 1000);
	assert_float_equal(pgm_plot_place(&scale, 1), 0, 1e-9);
	assert_float_equal(pgm_plot_place(&scale, 1000), 1, 1e-9);
	assert_float_equal(pgm_plot_place(&scale, 10), 1.0 / 3, 1e-9);
	assert_float_equal(pgm_plot_place(&scale, 0), 0, 1e-9);
	assert_float_equal(pgm_plot_place(&scale, DBL_MAX), 1, 1e-9);
	assert_true(isnan(pgm_plot_place(&scale, NAN)));
	assert_true(isnan(pgm_plot_place(&scale, INFINITY)));
	/* Each nine is as wide as the one before it. */
	scale = pgm_plot_scale_of(PGM_PLOT_PERCENTILE, false, 0, 99.9);
	assert_float_equal(pgm_plot_place(&scale, 90), 1.0 / 3, 1e-9);
	assert_float_equal(pgm_plot_place(&scale, 99), 2.0 / 3, 1e-9);
}

static size_t occurrences(const char *text, const char *part)
{
	size_t count = 0;
	for (const char *p = text; (p = strstr(p, part)) != NULL; p++)
		count++;
	return count;
}

static char *drawn(const double *x, const double *y, size_t count, bool stacked)
{
	struct pgm_buf out;
	struct pgm_plot plot = {.title = "A <title> & \"more\"",
				.x_unit = PGM_PLOT_ELAPSED_S,
				.y_unit = PGM_PLOT_MS,
				.may_be_log = !stacked,
				.stacked = stacked,
				.series_count = 2};
	pgm_buf_init(&out, arena);
	for (size_t i = 0; i < 2; i++)
		plot.series[i] = (struct pgm_plot_series){
			.name = "</svg><script>", .style = "c0", .x = x, .y = y, .count = count};
	pgm_plot_html(&out, &plot);
	assert_null(strstr(out.text, "nan"));
	assert_null(strstr(out.text, "inf"));
	assert_null(strstr(out.text, "<script"));
	assert_null(strstr(out.text, "<title> & "));
	return out.text;
}

static void plots_take_what_comes(void **state)
{
	(void)state;
	static const double x[] = {0, 1, 2, 3, 4}, gaps[] = {1, NAN, 3, NAN, NAN};
	static const double huge[] = {DBL_MAX, 1e300, -DBL_MAX, INFINITY, 0},
			    none[] = {NAN, NAN, NAN, NAN, NAN};
	static const double nowhere[] = {NAN, INFINITY, -INFINITY, NAN, NAN};
	for (int stacked = 0; stacked < 2; stacked++) {
		assert_non_null(strstr(drawn(x, gaps, 0, stacked), "No figures."));
		assert_non_null(strstr(drawn(x, none, 5, stacked), "No figures."));
		assert_non_null(strstr(drawn(nowhere, x, 5, stacked), "No figures."));
		assert_int_equal(occurrences(drawn(x, huge, 5, stacked), "<svg class=\"wide\""), 1);
		assert_int_equal(occurrences(drawn(x, gaps, 5, stacked), "<svg class=\"narrow\""), 1);
		assert_int_equal(occurrences(drawn(x, x, 1, stacked), "<svg class=\"wide\""), 1);
	}
	/* A point between gaps is a dot: a line has no length there. Two series, two sizes, two such points.
	 */
	assert_int_equal(occurrences(drawn(x, gaps, 5, false), "<circle"), 8);
	assert_int_equal(occurrences(drawn(x, x, 5, false), "<circle"), 0);
}

/* A day of seconds is drawn in as many points as there are pixels, and its one peak is still there. */
static void long_series_keep_their_peaks(void **state)
{
	(void)state;
	enum { COUNT = 86400 };
	double *x = PGM_NEW_ARRAY(arena, double, COUNT), *y = PGM_NEW_ARRAY(arena, double, COUNT);
	for (size_t i = 0; i < COUNT; i++) {
		x[i] = (double)i;
		y[i] = i == 54321 ? 900 : 10;
	}
	char *text = drawn(x, y, COUNT, false);
	assert_true(strlen(text) < 200000);
	/* The upper end of the axis: only the peak reaches near it. */
	assert_non_null(strstr(text, "1 s"));
	struct pgm_plot_scale scale = pgm_plot_scale_of(PGM_PLOT_MS, true, 10, 900);
	char *peak = pgm_sprintf(arena, " %.1f", 244 - pgm_plot_place(&scale, 900) * (244 - 14));
	assert_non_null(strstr(text, peak));
}

/* Plots of one run have one time, whatever was seen first and last. */
static void the_axis_of_time_is_the_runs(void **state)
{
	(void)state;
	static const double x[] = {7, 8, 9}, y[] = {1, 2, 3};
	struct pgm_buf out;
	struct pgm_plot plot = {.title = "t", .x_unit = PGM_PLOT_ELAPSED_S, .x_end = 60, .series_count = 1};
	plot.series[0] = (struct pgm_plot_series){.name = "a", .style = "c0", .x = x, .y = y, .count = 3};
	pgm_buf_init(&out, arena);
	pgm_plot_html(&out, &plot);
	assert_non_null(strstr(out.text, ">0 s</text>"));
	assert_non_null(strstr(out.text, ">1:00</text>"));
}

/* ---- reports ---- */

static char *report_of(const struct pgm_load_report_part *parts, size_t count, bool html)
{
	struct pgm_doc doc;
	struct pgm_buf out;
	pgm_buf_init(&out, arena);
	pgm_load_report(arena, parts, count, &doc);
	if (html)
		pgm_doc_html(&doc, &out);
	else
		pgm_doc_markdown(&doc, &out);
	/* In words of their own: "nan" is within many. */
	assert_null(strstr(out.text, " nan"));
	assert_null(strstr(out.text, ">nan"));
	assert_null(strstr(out.text, "-nan"));
	assert_null(strstr(out.text, "(null)"));
	return out.text;
}

static void a_run_becomes_a_page(void **state)
{
	(void)state;
	struct pgm_load_result *result = made_result(arena, 2);
	struct pgm_load_verdict verdict = {.name = "p95", .wanted = 3, .measured = 4};
	result->verdicts = &verdict;
	result->verdict_count = 1;
	struct pgm_load_report_part part = {"", result};
	char *html = report_of(&part, 1, true), *markdown = report_of(&part, 1, false);
	assert_non_null(strstr(html, "<h1>Load on shop on localhost:5432 as app</h1>"));
	assert_non_null(strstr(html, "Failed: of 1 limits 1 did not hold"));
	assert_non_null(strstr(html, "P95 wanted: 3.00 ms"));
	assert_null(strstr(html, "Side by side"));
	assert_null(strstr(html, "<script"));
	assert_null(strstr(html, "http://"));
	assert_non_null(strstr(markdown, "# Load on shop"));
	assert_non_null(strstr(markdown, "| from | users | due/s |"));
	assert_null(strstr(markdown, "<svg"));
}

static void two_runs_are_compared(void **state)
{
	(void)state;
	struct pgm_load_report_part parts[2] = {{"before", made_result(arena, 40)},
						{"after", made_result(arena, 4)}};
	char *html = report_of(parts, 2, true), *markdown = report_of(parts, 2, false);
	assert_non_null(strstr(html, "<h1>Load: before and after</h1>"));
	assert_non_null(strstr(html, "Side by side"));
	assert_non_null(strstr(html, "<small class=\"good\">0.10x</small>"));
	assert_non_null(strstr(markdown, "| P95 | 80 ms | 8.00 ms (0.10x) |"));
	/* The other way round it is worse. */
	parts[0].result = parts[1].result;
	parts[1].result = made_result(arena, 40);
	assert_non_null(strstr(report_of(parts, 2, true), "<small class=\"bad\">10x</small>"));
}

static void targets_of_one_run_stand_side_by_side(void **state)
{
	(void)state;
	struct pgm_load_result *result = made_result(arena, 2);
	made_target(arena, &result->targets[1], "pool", 3);
	made_target(arena, &result->targets[2], "pgbouncer", 4);
	result->target_count = 3;
	struct pgm_load_report_part part = {"", result};
	char *markdown = report_of(&part, 1, false);
	assert_non_null(strstr(markdown, "| P95 | 4.00 ms | 6.00 ms (1.50x) | 8.00 ms (2.00x) |"));
	assert_non_null(strstr(markdown, "## pgbouncer"));
}

static void what_is_missing_is_left_out(void **state)
{
	(void)state;
	struct pgm_load_result *result = made_result(arena, 2);
	result->targets[0] = (struct pgm_load_target){.name = "",
						      .place = "",
						      .version = "",
						      .pooler = "",
						      .protocol = "",
						      .watch_problem = "no server"};
	struct pgm_load_report_part parts[2] = {{"", result}, {"after", made_result(arena, 2)}};
	assert_null(strstr(report_of(parts, 1, true), "<figure>"));
	report_of(parts, 1, false);
	assert_non_null(strstr(report_of(parts, 2, true), "Not watched: no server."));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(every_range_has_a_scale, set_up, tear_down),
		cmocka_unit_test_setup_teardown(ticks_are_those_one_would_choose, set_up, tear_down),
		cmocka_unit_test_setup_teardown(places_stay_on_the_axis, set_up, tear_down),
		cmocka_unit_test_setup_teardown(plots_take_what_comes, set_up, tear_down),
		cmocka_unit_test_setup_teardown(long_series_keep_their_peaks, set_up, tear_down),
		cmocka_unit_test_setup_teardown(the_axis_of_time_is_the_runs, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_run_becomes_a_page, set_up, tear_down),
		cmocka_unit_test_setup_teardown(two_runs_are_compared, set_up, tear_down),
		cmocka_unit_test_setup_teardown(targets_of_one_run_stand_side_by_side, set_up, tear_down),
		cmocka_unit_test_setup_teardown(what_is_missing_is_left_out, set_up, tear_down),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
