/*
 * The statistics of a few repeated times, and when two of them differ by more than noise.
 */
#ifndef PGM_CHANGE_VERIFY_STATS_H
#define PGM_CHANGE_VERIFY_STATS_H

#include <stdbool.h>
#include <stddef.h>

/* A difference below both of these is called noise: on idle hardware runs of one statement differ by less. */
#define PGM_VERIFY_NOISE_RATIO 1.2
#define PGM_VERIFY_NOISE_MS    0.2
#define PGM_VERIFY_NOISE_MADS  3.0
#define PGM_VERIFY_APART_RATIO 2.0 /* above this, that no two runs overlap outweighs the deviations */

struct pgm_spread {
	size_t count;
	double median;
	double min;
	double max;
	double mad; /* median absolute deviation from the median */
};

/* Sorts values. Of none everything is 0; of an even number the median is the mean of the middle two. */
double pgm_median(double *values, size_t count);

/* Leaves values as they are. At most PGM_SPREAD_MAX of them are looked at. */
#define PGM_SPREAD_MAX 1000
struct pgm_spread pgm_spread_of(const double *values, size_t count);

enum pgm_verdict {
	PGM_VERDICT_UNKNOWN, /* one side was not measured */
	PGM_VERDICT_SAME,
	PGM_VERDICT_FASTER,
	PGM_VERDICT_SLOWER,
};

const char *pgm_verdict_name(enum pgm_verdict verdict); /* "faster" */

/* The time of one side: where timed_out is set, ms is what it is longer than and the others are 0. */
struct pgm_side {
	double ms;
	double mad_ms;
	double min_ms;
	double max_ms;
	bool timed_out;
};

/*
 * FASTER or SLOWER where the ratio of the two times is above PGM_VERIFY_NOISE_RATIO, their difference is
 * above PGM_VERIFY_NOISE_MS, and it is beyond noise: above PGM_VERIFY_NOISE_MADS deviations of the noisier
 * side, or the ratio is above PGM_VERIFY_APART_RATIO and each run of one side is quicker than all of the
 * other. (A few runs on a busy machine deviate by more than they take.) A side that timed out is slower than
 * any that took less; two of them are the same.
 */
enum pgm_verdict pgm_verdict_of(struct pgm_side before, struct pgm_side after);

#endif
