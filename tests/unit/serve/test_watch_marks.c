/* What a look says happened since the one before: this machine's clock may go anywhere in between. */
#include "../cmocka_all.h"

#include "serve/watch/parts.h"

#define NOON_MS	  INT64_C(1700049600000)
#define PERIOD_MS 10000

/* Of a look a period after the last good one, as time went, with the wall clock so far off. */
static unsigned marks_after(double passed_ms, int64_t wall_passed_ms)
{
	struct pgm_watch_options options = {.fast_ms = PERIOD_MS};
	struct pgm_look look = {.options = &options,
				.good_ms = 1e6,
				.good_wall_ms = NOON_MS,
				.began_ms = 1e6 + passed_ms,
				.wall_ms = NOON_MS + wall_passed_ms};
	pgm_look_mark(&look);
	return look.marks;
}

static void a_clock_that_is_right_is_no_mark(void **state)
{
	(void)state;
	assert_int_equal(marks_after(PERIOD_MS, PERIOD_MS), 0);
	/* slewed, as a time service does it */
	assert_int_equal(marks_after(PERIOD_MS, PERIOD_MS + 500), 0);
	assert_int_equal(marks_after(PERIOD_MS, PERIOD_MS - 500), 0);
}

static void a_jump_is_marked_and_is_no_gap(void **state)
{
	(void)state;
	static const int64_t jumps_ms[] = {3000, 3600000, 86400000, -3000, -3600000, -86400000, -NOON_MS};
	for (size_t i = 0; i < sizeof(jumps_ms) / sizeof(*jumps_ms); i++)
		assert_int_equal(marks_after(PERIOD_MS, PERIOD_MS + jumps_ms[i]), PGM_MARK_CLOCK);
}

static void a_gap_is_by_time_that_passed(void **state)
{
	(void)state;
	assert_int_equal(marks_after(10.0 * PERIOD_MS, 10 * PERIOD_MS), PGM_MARK_GAP);
	/* the clock was set back by as much as nobody looked */
	assert_int_equal(marks_after(10.0 * PERIOD_MS, 0), PGM_MARK_GAP | PGM_MARK_CLOCK);
}

static void the_first_look_has_nothing_to_compare(void **state)
{
	(void)state;
	struct pgm_watch_options options = {.fast_ms = PERIOD_MS};
	struct pgm_look look = {.options = &options, .began_ms = 1e6, .wall_ms = NOON_MS};
	pgm_look_mark(&look);
	assert_int_equal(look.marks, PGM_MARK_FIRST);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_clock_that_is_right_is_no_mark),
		cmocka_unit_test(a_jump_is_marked_and_is_no_gap),
		cmocka_unit_test(a_gap_is_by_time_that_passed),
		cmocka_unit_test(the_first_look_has_nothing_to_compare),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
