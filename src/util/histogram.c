#include "util/histogram.h"

#define SUB_BITS      3 /* 8 buckets to a power of two */
#define FINE_SUB_BITS 7
#define LAST_US	      ((UINT64_C(1) << 36) - 1)

/* Below 2^bits us each microsecond is a bucket; then the highest bits + 1 bits say which. */
static unsigned bucket_of(uint64_t us, unsigned bits)
{
	if (us < UINT64_C(1) << bits)
		return (unsigned)us;
	if (us > LAST_US)
		us = LAST_US;
	unsigned power = 63 - (unsigned)__builtin_clzll(us);
	return (power - bits + 1) << bits | (unsigned)(us >> (power - bits) & ((UINT64_C(1) << bits) - 1));
}

/* How many microseconds a bucket spans, as a power of two. */
static unsigned bucket_shift(unsigned bucket, unsigned bits)
{
	return bucket < 2u << bits ? 0 : (bucket >> bits) - 1;
}

static uint64_t bucket_low_us(unsigned bucket, unsigned bits)
{
	if (bucket < 2u << bits)
		return bucket;
	return (uint64_t)((1u << bits) | (bucket & ((1u << bits) - 1))) << bucket_shift(bucket, bits);
}

static void count_one(uint32_t *count)
{
	*count += *count < UINT32_MAX;
}

static void add_counts(uint32_t *into, const uint32_t *from, unsigned buckets)
{
	for (unsigned i = 0; i < buckets; i++) {
		uint64_t sum = (uint64_t)into[i] + from[i];
		into[i] = sum < UINT32_MAX ? (uint32_t)sum : UINT32_MAX;
	}
}

/* The middle of the bucket with the value of that rank; 0 where there is none. */
static uint64_t percentile_us(const uint32_t *counts, unsigned buckets, unsigned bits, double percent,
			      uint64_t max_us)
{
	uint64_t total = 0, seen = 0;
	for (unsigned i = 0; i < buckets; i++)
		total += counts[i];
	double wanted = percent / 100 * (double)total;
	for (unsigned i = 0; i < buckets; i++) {
		seen += counts[i];
		if (counts[i] && (double)seen >= wanted) {
			uint64_t us = bucket_low_us(i, bits) + (UINT64_C(1) << bucket_shift(i, bits) >> 1);
			return us < max_us ? us : max_us;
		}
	}
	return max_us;
}

void pgm_histogram_add(struct pgm_histogram *histogram, uint64_t us)
{
	count_one(&histogram->counts[bucket_of(us, SUB_BITS)]);
	histogram->count++;
	histogram->sum_us += us;
	if (us > histogram->max_us)
		histogram->max_us = us < UINT32_MAX ? (uint32_t)us : UINT32_MAX;
}

void pgm_histogram_merge(struct pgm_histogram *into, const struct pgm_histogram *from)
{
	add_counts(into->counts, from->counts, PGM_HISTOGRAM_BUCKETS);
	into->count += from->count;
	into->sum_us += from->sum_us;
	if (from->max_us > into->max_us)
		into->max_us = from->max_us;
}

uint64_t pgm_histogram_low_us(unsigned bucket)
{
	return bucket_low_us(bucket, SUB_BITS);
}

uint64_t pgm_histogram_percentile_us(const struct pgm_histogram *histogram, double percent)
{
	return percentile_us(histogram->counts, PGM_HISTOGRAM_BUCKETS, SUB_BITS, percent, histogram->max_us);
}

void pgm_fine_histogram_add(struct pgm_fine_histogram *histogram, uint64_t us)
{
	count_one(&histogram->counts[bucket_of(us, FINE_SUB_BITS)]);
	if (!histogram->count || us < histogram->min_us)
		histogram->min_us = us;
	if (us > histogram->max_us)
		histogram->max_us = us;
	histogram->count++;
	histogram->sum_us += us;
}

void pgm_fine_histogram_merge(struct pgm_fine_histogram *into, const struct pgm_fine_histogram *from)
{
	if (!from->count)
		return;
	add_counts(into->counts, from->counts, PGM_FINE_HISTOGRAM_BUCKETS);
	if (!into->count || from->min_us < into->min_us)
		into->min_us = from->min_us;
	if (from->max_us > into->max_us)
		into->max_us = from->max_us;
	into->count += from->count;
	into->sum_us += from->sum_us;
}

uint64_t pgm_fine_histogram_percentile_us(const struct pgm_fine_histogram *histogram, double percent)
{
	uint64_t us = percentile_us(histogram->counts, PGM_FINE_HISTOGRAM_BUCKETS, FINE_SUB_BITS, percent,
				    histogram->max_us);
	return us > histogram->min_us ? us : histogram->min_us;
}

double pgm_fine_histogram_mean_us(const struct pgm_fine_histogram *histogram)
{
	return histogram->count ? (double)histogram->sum_us / (double)histogram->count : 0;
}

uint64_t pgm_fine_histogram_low_us(unsigned bucket)
{
	return bucket_low_us(bucket, FINE_SUB_BITS);
}

uint64_t pgm_fine_histogram_end_us(unsigned bucket)
{
	return bucket_low_us(bucket, FINE_SUB_BITS) + (UINT64_C(1) << bucket_shift(bucket, FINE_SUB_BITS));
}
