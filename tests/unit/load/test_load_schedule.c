#include "load/schedule.h"
#include "load/source.h"
#include "load/timers.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

/* How many are due in a second from from_ms on, of one user or a rate that begins at 0. */
static int due_in_second(const struct pgm_schedule *schedule, double from_ms)
{
	struct pgm_random random;
	int count = 0;
	pgm_random_seed(&random, 3);
	for (double at = pgm_schedule_first(schedule, &random, 0); at < schedule->length_ms;
	     at = pgm_schedule_next(schedule, &random, at))
		count += at >= from_ms && at < from_ms + 1000;
	return count;
}

static void a_rate_is_kept(void **state)
{
	(void)state;
	struct pgm_schedule schedule = {
		.scenario = PGM_LOAD_RATE, .length_ms = 5000, .users = 4, .rate = 2000};
	assert_in_range(due_in_second(&schedule, 1000), 1800, 2200);
	schedule.even = true;
	assert_in_range(due_in_second(&schedule, 1000), 1999, 2001);
	assert_true(pgm_schedule_users(&schedule, 0) == 4 && pgm_schedule_join_ms(&schedule, 3) == 0);
}

static void a_spike_climbs_and_falls(void **state)
{
	(void)state;
	struct pgm_schedule schedule = {.scenario = PGM_LOAD_SPIKE,
					.length_ms = 3000,
					.users = 200,
					.think_ms = 100,
					.climb_ms = 1000};
	assert_int_equal(pgm_schedule_users(&schedule, 0), 0);
	assert_int_equal(pgm_schedule_users(&schedule, 500), 100);
	assert_int_equal(pgm_schedule_users(&schedule, 1500), 200);
	assert_int_equal(pgm_schedule_users(&schedule, 2500), 100);
	assert_true(fabs(pgm_schedule_rate(&schedule, 1500) - 2000) < 1e-6);
	double last = -1;
	for (uint32_t user = 0; user < 200; user++) {
		double join = pgm_schedule_join_ms(&schedule, user),
		       leave = pgm_schedule_leave_ms(&schedule, user);
		assert_true(join > last && join <= 1000 && leave >= 2000 && leave < 3000);
		last = join;
	}
	schedule.base = 50;
	assert_int_equal(pgm_schedule_users(&schedule, 0), 50);
	assert_int_equal(pgm_schedule_users(&schedule, 500), 125);
	assert_true(pgm_schedule_join_ms(&schedule, 49) == 0 && pgm_schedule_join_ms(&schedule, 50) > 0);
	/* a rate that begins at nothing still comes up in time */
	schedule.rate = 3000;
	assert_in_range(due_in_second(&schedule, 0), 1200, 1800);
	assert_in_range(due_in_second(&schedule, 1000), 2700, 3300);
}

static void a_ramp_has_steps(void **state)
{
	(void)state;
	struct pgm_schedule schedule = {
		.scenario = PGM_LOAD_RAMP, .length_ms = 10000, .users = 25, .think_ms = 100, .steps = 10};
	assert_int_equal(pgm_schedule_users(&schedule, 0), 3);
	assert_int_equal(pgm_schedule_users(&schedule, 999), 3);
	assert_int_equal(pgm_schedule_users(&schedule, 1001), 5);
	assert_int_equal(pgm_schedule_users(&schedule, 9999), 25);
	for (double at = 1; at < 10000; at += 1000) {
		uint32_t here = 0;
		for (uint32_t user = 0; user < 25; user++)
			here += pgm_schedule_join_ms(&schedule, user) <= at;
		assert_int_equal(here, pgm_schedule_users(&schedule, at));
	}
	schedule.rate = 1000;
	assert_true(fabs(pgm_schedule_rate(&schedule, 500) - 100) < 1e-6);
	assert_in_range(due_in_second(&schedule, 0), 70, 130);
	assert_in_range(due_in_second(&schedule, 9000), 900, 1100);
}

static void a_user_is_due_whatever_was_done(void **state)
{
	(void)state;
	struct pgm_schedule schedule = {
		.scenario = PGM_LOAD_STEADY, .length_ms = 100000, .users = 1, .think_ms = 50};
	struct pgm_random random;
	pgm_random_seed(&random, 9);
	double first = pgm_schedule_first(&schedule, &random, 1000), at = first;
	assert_true(first >= 1000);
	for (int i = 0; i < 10000; i++) {
		double next = pgm_schedule_next(&schedule, &random, at);
		assert_true(next >= at);
		at = next;
	}
	assert_true(fabs((at - first) / 10000 - 50) < 2);
	/* many together are due as often in the first moments as later */
	int early = 0;
	for (int i = 0; i < 10000; i++) {
		at = pgm_schedule_first(&schedule, &random, 0);
		for (; at < 50; at = pgm_schedule_next(&schedule, &random, at))
			early++;
	}
	assert_in_range(early, 9700, 10300);
	schedule.even = true;
	assert_true(pgm_schedule_first(&schedule, &random, 1000) < 1050);
}

struct alarm {
	struct pgm_timer timer;
	struct pgm_timers *timers;
	int *order, name;
};

static void ring(struct pgm_timer *timer, double now_ms)
{
	struct alarm *alarm = (struct alarm *)(void *)timer;
	(void)now_ms;
	*alarm->order = *alarm->order * 10 + alarm->name;
	if (alarm->name == 2) /* and once more, at once */
		alarm->name = 7, pgm_timer_set(alarm->timers, timer, timer->at_ms);
}

static void timers_fire_in_order(void **state)
{
	(void)state;
	struct pgm_timers timers = {0};
	struct alarm alarms[6];
	int order = 0;
	static const double at[6] = {50, 10, 30, 20, 40, 60};
	for (int i = 0; i < 6; i++) {
		alarms[i] = (struct alarm){
			.timer = {.fire = ring}, .timers = &timers, .order = &order, .name = i};
		pgm_timer_set(&timers, &alarms[i].timer, at[i]);
	}
	pgm_timer_stop(&timers, &alarms[4].timer);
	pgm_timer_stop(&timers, &alarms[4].timer);
	pgm_timer_set(&timers, &alarms[0].timer, 15);
	assert_true(pgm_timers_next_ms(&timers) == 10);
	pgm_timers_fire(&timers, 30);
	assert_int_equal(order, 10327); /* 1 0 3 2 7 */
	pgm_timers_fire(&timers, 59);
	assert_int_equal(order, 10327);
	pgm_timers_fire(&timers, 60);
	assert_int_equal(order, 103275);
	assert_true(isinf(pgm_timers_next_ms(&timers)));
	pgm_timers_done(&timers);
}

static void statements_that_write_are_told(void **state)
{
	(void)state;
	static const char *const reads[] = {"SELECT 1",
					    "WITH x AS (SELECT 1) SELECT * FROM x",
					    "BEGIN",
					    "COMMIT",
					    "SHOW work_mem",
					    "VALUES (1)",
					    "SET work_mem = '4MB'",
					    "EXPLAIN SELECT 1",
					    "SELECT a FROM t WHERE b > now() - "
					    "interval $1"};
	static const char *const writes[] = {"INSERT INTO t VALUES (1)",
					     "UPDATE t SET a = 1",
					     "DELETE FROM t",
					     "TRUNCATE t",
					     "DROP TABLE t",
					     "WITH x AS (DELETE FROM t RETURNING 1) SELECT * FROM x",
					     "SELECT * FROM t FOR UPDATE",
					     "SELECT 1 INTO u",
					     "CREATE TABLE u AS SELECT 1",
					     "SET transaction_read_only = off",
					     "SET default_transaction_read_only TO off",
					     "BEGIN READ WRITE",
					     "VACUUM t",
					     "not sql"};
	for (size_t i = 0; i < sizeof(reads) / sizeof(*reads); i++)
		assert_false(pgm_load_statement_writes(reads[i]));
	for (size_t i = 0; i < sizeof(writes) / sizeof(*writes); i++)
		assert_true(pgm_load_statement_writes(writes[i]));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_rate_is_kept),	cmocka_unit_test(a_spike_climbs_and_falls),
		cmocka_unit_test(a_ramp_has_steps),	cmocka_unit_test(a_user_is_due_whatever_was_done),
		cmocka_unit_test(timers_fire_in_order), cmocka_unit_test(statements_that_write_are_told),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
