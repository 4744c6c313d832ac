#include "pool/profile/profile.h"

#define SUB_BITS 3 /* 8 buckets to a power of two */
#define LAST_US	 ((UINT64_C(1) << 36) - 1)

/* Below 8 us each microsecond is a bucket; then the highest four bits say which. */
static unsigned bucket_of(uint64_t us)
{
	if (us < 1 << SUB_BITS)
		return (unsigned)us;
	if (us > LAST_US)
		us = LAST_US;
	unsigned power = 63 - (unsigned)__builtin_clzll(us);
	return (power - SUB_BITS + 1) << SUB_BITS |
	       (unsigned)(us >> (power - SUB_BITS) & ((1 << SUB_BITS) - 1));
}

static uint64_t bucket_middle_us(unsigned bucket)
{
	if (bucket < 2 << SUB_BITS)
		return bucket;
	unsigned shift = (bucket >> SUB_BITS) - 1;
	uint64_t low = (uint64_t)((1 << SUB_BITS) | (bucket & ((1 << SUB_BITS) - 1))) << shift;
	return low + (UINT64_C(1) << shift >> 1);
}

void pgm_histogram_add(struct pgm_histogram *histogram, uint64_t us)
{
	uint32_t *count = &histogram->counts[bucket_of(us)];
	*count += *count < UINT32_MAX;
	histogram->count++;
	histogram->sum_us += us;
	if (us > histogram->max_us)
		histogram->max_us = us < UINT32_MAX ? (uint32_t)us : UINT32_MAX;
}

void pgm_histogram_merge(struct pgm_histogram *into, const struct pgm_histogram *from)
{
	for (size_t i = 0; i < PGM_HISTOGRAM_BUCKETS; i++) {
		uint64_t sum = (uint64_t)into->counts[i] + from->counts[i];
		into->counts[i] = sum < UINT32_MAX ? (uint32_t)sum : UINT32_MAX;
	}
	into->count += from->count;
	into->sum_us += from->sum_us;
	if (from->max_us > into->max_us)
		into->max_us = from->max_us;
}

uint64_t pgm_histogram_percentile_us(const struct pgm_histogram *histogram, double percent)
{
	uint64_t total = 0, seen = 0;
	for (size_t i = 0; i < PGM_HISTOGRAM_BUCKETS; i++)
		total += histogram->counts[i];
	double wanted = percent / 100 * (double)total;
	for (unsigned i = 0; i < PGM_HISTOGRAM_BUCKETS; i++) {
		seen += histogram->counts[i];
		if (histogram->counts[i] && (double)seen >= wanted) {
			uint64_t us = bucket_middle_us(i);
			return us < histogram->max_us ? us : histogram->max_us;
		}
	}
	return 0;
}
