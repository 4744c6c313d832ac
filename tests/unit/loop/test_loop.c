/* Sources that are put off: loop.c. */
#include "../cmocka_all.h"

#include "loop/loop.h"

struct counter {
	struct pgm_source source;
	struct pgm_loop *loop;
	int calls, more;      /* how often it puts itself off again */
	struct counter *ends; /* another, which it takes back */
};

static void count(struct pgm_source *source, uint32_t events)
{
	struct counter *counter = (struct counter *)source;
	assert_int_equal(events, 0);
	counter->calls++;
	if (counter->more-- > 0)
		pgm_loop_again(counter->loop, source);
	if (counter->ends)
		pgm_loop_not_again(counter->loop, &counter->ends->source);
}

static void test_again(void **state)
{
	(void)state;
	struct pgm_loop loop;
	struct pgm_error err = {0};
	pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
	assert_true(pgm_loop_init(&loop, NULL, &err));
	struct counter counters[3];
	for (int i = 0; i < 3; i++) {
		counters[i] = (struct counter){.source = {-1, count}, .loop = &loop, .more = i};
		pgm_loop_again(&loop, &counters[i].source);
		pgm_loop_again(&loop, &counters[i].source); /* once is enough */
	}
	for (int round = 0; round < 4; round++) {
		pgm_loop_run_once(&loop, &lock, round < 3 ? -1 : 0); /* it never waits while one is put off */
		for (int i = 0; i < 3; i++)
			assert_int_equal(counters[i].calls, round < i ? round + 1 : i + 1);
	}
	assert_null(loop.again);
	pgm_loop_done(&loop);
}

static void test_not_again(void **state)
{
	(void)state;
	struct pgm_loop loop;
	struct pgm_error err = {0};
	pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
	assert_true(pgm_loop_init(&loop, NULL, &err));
	struct counter last = {.source = {-1, count}, .loop = &loop}, middle = last, first = last;
	first.ends = &middle; /* as one that closes another in the same round */
	pgm_loop_again(&loop, &first.source);
	pgm_loop_again(&loop, &middle.source);
	pgm_loop_again(&loop, &last.source);
	pgm_loop_run_once(&loop, &lock, -1);
	assert_int_equal(first.calls, 1);
	assert_int_equal(middle.calls, 0);
	assert_int_equal(last.calls, 1);
	assert_null(loop.again);
	pgm_loop_done(&loop);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_again), cmocka_unit_test(test_not_again)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
