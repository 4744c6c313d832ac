/*
 * Histograms of microseconds with buckets that grow with the value (as HdrHistogram's), in two sizes. A
 *struct is embedded, zero is empty, nothing is allocated and nothing fails: counts stop at their type's
 *greatest value, values beyond 2^36 us (19 hours) are counted as that; sum, min and max are exact. One thread
 *writes at a time: who shares one holds a lock.
 *
 *	struct pgm_histogram		8 buckets to a power of two: 1.1 kB, a percentile at most 6.25 % off
 *	struct pgm_fine_histogram	128 buckets to a power of two: 15 kB, at most 0.4 % off
 *
 * A percentile is the middle of the bucket that holds the value of that rank, never above the maximum; values
 * below 16 us (fine: 256 us) are exact.
 */
#ifndef PGM_UTIL_HISTOGRAM_H
#define PGM_UTIL_HISTOGRAM_H

#include <stdint.h>

#define PGM_HISTOGRAM_BUCKETS 272
struct pgm_histogram {
	uint32_t counts[PGM_HISTOGRAM_BUCKETS];
	uint64_t count;
	uint64_t sum_us;
	uint32_t max_us; /* stops at 2^32 - 1: 71 minutes */
};
void pgm_histogram_add(struct pgm_histogram *histogram, uint64_t us);
void pgm_histogram_merge(struct pgm_histogram *into, const struct pgm_histogram *from);
uint64_t pgm_histogram_percentile_us(const struct pgm_histogram *histogram, double percent); /* 50, 95, 99 */
uint64_t pgm_histogram_low_us(unsigned bucket); /* the least value that falls into it */

#define PGM_FINE_HISTOGRAM_BUCKETS 3840
struct pgm_fine_histogram {
	uint32_t counts[PGM_FINE_HISTOGRAM_BUCKETS];
	uint64_t count;
	uint64_t sum_us;
	uint64_t min_us; /* 0 where count is */
	uint64_t max_us;
};
void pgm_fine_histogram_add(struct pgm_fine_histogram *histogram, uint64_t us);
void pgm_fine_histogram_merge(struct pgm_fine_histogram *into, const struct pgm_fine_histogram *from);
uint64_t pgm_fine_histogram_percentile_us(const struct pgm_fine_histogram *histogram, double percent);
double pgm_fine_histogram_mean_us(const struct pgm_fine_histogram *histogram); /* 0 where count is */

/* For those who print or draw one: the least value that falls into a bucket, and the first beyond it. */
uint64_t pgm_fine_histogram_low_us(unsigned bucket);
uint64_t pgm_fine_histogram_end_us(unsigned bucket);

#endif
