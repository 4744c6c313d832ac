/* Histograms: both sizes keep the error that their header states. */
#include "../cmocka_all.h"

#include "util/histogram.h"

#include <math.h>
#include <stdint.h>
#include <stdlib.h>

static uint64_t next_random(uint64_t *seed)
{
	*seed = *seed * 6364136223846793005u + 1442695040888963407u;
	return *seed >> 33;
}

static int compare_us(const void *a, const void *b)
{
	uint64_t left = *(const uint64_t *)a, right = *(const uint64_t *)b;
	return left < right ? -1 : left > right;
}

/* Even, exponential, constant, with a heavy tail. */
static uint64_t draw_us(int shape, uint64_t *seed)
{
	double unit = (double)(next_random(seed) % 1000000) / 1e6;
	return shape == 0   ? (uint64_t)(unit * 1000)
	       : shape == 1 ? (uint64_t)exp(unit * 20)
	       : shape == 2 ? 5
			    : (uint64_t)(100 / (1.0001 - unit));
}

static void near(double got, double exact, double error, int shape, double percent)
{
	if (fabs(got - exact) > exact * error + 0.5)
		fail_msg("shape %d, P%g: %g, not %g", shape, percent, got, exact);
}

static void percentiles_are_near_the_exact_ones(void **state)
{
	(void)state;
	enum { COUNT = 20000 };
	static uint64_t us[COUNT];
	static struct pgm_fine_histogram fine, fine_halves[2];
	static const double percents[] = {0, 1, 25, 50, 75, 95, 99, 99.9, 100};
	uint64_t seed = 7;
	for (int shape = 0; shape < 4; shape++) {
		struct pgm_histogram histogram = {0}, halves[2] = {{{0}}, {{0}}};
		fine = fine_halves[0] = fine_halves[1] = (struct pgm_fine_histogram){0};
		double sum = 0;
		for (int i = 0; i < COUNT; i++) {
			us[i] = draw_us(shape, &seed);
			sum += (double)us[i];
			pgm_histogram_add(&histogram, us[i]);
			pgm_histogram_add(&halves[i & 1], us[i]);
			pgm_fine_histogram_add(&fine, us[i]);
			pgm_fine_histogram_add(&fine_halves[i & 1], us[i]);
		}
		qsort(us, COUNT, sizeof(*us), compare_us);
		pgm_histogram_merge(&halves[0], &halves[1]);
		assert_memory_equal(&halves[0], &histogram, sizeof(histogram));
		pgm_fine_histogram_merge(&fine_halves[0], &fine_halves[1]);
		assert_memory_equal(&fine_halves[0], &fine, sizeof(fine));
		assert_int_equal(histogram.count, COUNT);
		assert_int_equal(histogram.max_us, us[COUNT - 1]);
		assert_int_equal(fine.max_us, us[COUNT - 1]);
		assert_int_equal(fine.min_us, us[0]);
		assert_true(fabs(pgm_fine_histogram_mean_us(&fine) - sum / COUNT) < 1e-6 * sum / COUNT);
		for (size_t i = 0; i < sizeof(percents) / sizeof(*percents); i++) {
			size_t rank = (size_t)fmax(ceil(percents[i] / 100 * COUNT), 1);
			double exact = (double)us[rank - 1];
			near((double)pgm_histogram_percentile_us(&histogram, percents[i]), exact, 0.0625,
			     shape, percents[i]);
			near((double)pgm_fine_histogram_percentile_us(&fine, percents[i]), exact, 0.004,
			     shape, percents[i]);
		}
	}
}

static void the_extremes_are_borne(void **state)
{
	(void)state;
	struct pgm_histogram histogram = {0};
	assert_int_equal(pgm_histogram_percentile_us(&histogram, 50), 0);
	pgm_histogram_add(&histogram, 0);
	assert_int_equal(pgm_histogram_percentile_us(&histogram, 100), 0);
	pgm_histogram_add(&histogram, UINT64_MAX / 2);
	assert_int_equal(histogram.max_us, UINT32_MAX);
	assert_true(pgm_histogram_percentile_us(&histogram, 100) > 0);

	static struct pgm_fine_histogram fine, empty;
	assert_int_equal(pgm_fine_histogram_percentile_us(&fine, 99), 0);
	assert_true(pgm_fine_histogram_mean_us(&fine) == 0);
	for (uint64_t us = 1; us; us <<= 1) {
		pgm_histogram_add(&histogram, us - 1);
		pgm_histogram_add(&histogram, us);
		pgm_fine_histogram_add(&fine, us - 1);
		pgm_fine_histogram_add(&fine, us);
	}
	assert_int_equal(fine.min_us, 0);
	assert_true(fine.max_us == UINT64_C(1) << 63);
	/* What is empty changes neither bound. */
	pgm_fine_histogram_merge(&fine, &empty);
	assert_int_equal(fine.count, 128);
	pgm_fine_histogram_merge(&empty, &fine);
	assert_memory_equal(&empty, &fine, sizeof(fine));
}

static void buckets_lie_end_to_end(void **state)
{
	(void)state;
	static struct pgm_fine_histogram fine;
	for (unsigned i = 0; i < PGM_FINE_HISTOGRAM_BUCKETS; i++) {
		uint64_t low = pgm_fine_histogram_low_us(i), end = pgm_fine_histogram_end_us(i);
		assert_int_equal(low, i ? pgm_fine_histogram_end_us(i - 1) : 0);
		pgm_fine_histogram_add(&fine, low);
		pgm_fine_histogram_add(&fine, end - 1);
		assert_int_equal(fine.counts[i], 2);
	}
	assert_int_equal(pgm_fine_histogram_end_us(PGM_FINE_HISTOGRAM_BUCKETS - 1), UINT64_C(1) << 36);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(percentiles_are_near_the_exact_ones),
		cmocka_unit_test(the_extremes_are_borne),
		cmocka_unit_test(buckets_lie_end_to_end),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
