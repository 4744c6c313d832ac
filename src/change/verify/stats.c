#include "change/verify/stats.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static int by_value(const void *left, const void *right)
{
	double a = *(const double *)left, b = *(const double *)right;
	return (a > b) - (a < b);
}

double pgm_median(double *values, size_t count)
{
	if (count == 0)
		return 0;
	qsort(values, count, sizeof(*values), by_value);
	return count % 2 ? values[count / 2] : (values[count / 2 - 1] + values[count / 2]) / 2;
}

struct pgm_spread pgm_spread_of(const double *values, size_t count)
{
	double sorted[PGM_SPREAD_MAX];
	struct pgm_spread spread = {.count = count > PGM_SPREAD_MAX ? PGM_SPREAD_MAX : count};
	if (count == 0)
		return spread;
	memcpy(sorted, values, spread.count * sizeof(*values));
	spread.median = pgm_median(sorted, spread.count);
	spread.min = sorted[0];
	spread.max = sorted[spread.count - 1];
	for (size_t i = 0; i < spread.count; i++)
		sorted[i] = fabs(sorted[i] - spread.median);
	spread.mad = pgm_median(sorted, spread.count);
	return spread;
}

const char *pgm_verdict_name(enum pgm_verdict verdict)
{
	static const char *const names[] = {
		[PGM_VERDICT_UNKNOWN] = "not measured",
		[PGM_VERDICT_SAME] = "same",
		[PGM_VERDICT_FASTER] = "faster",
		[PGM_VERDICT_SLOWER] = "slower",
	};
	return names[verdict];
}

enum pgm_verdict pgm_verdict_of(struct pgm_side before, struct pgm_side after)
{
	if (before.timed_out && after.timed_out)
		return PGM_VERDICT_SAME;
	struct pgm_side quick = before.ms <= after.ms ? before : after;
	struct pgm_side slow = before.ms <= after.ms ? after : before;
	/* "longer than 5 s" beside 7 s, measured under another timeout, says nothing. */
	if (quick.timed_out)
		return PGM_VERDICT_UNKNOWN;

	double difference = slow.ms - quick.ms;
	if (difference <= PGM_VERIFY_NOISE_MS || slow.ms <= quick.ms * PGM_VERIFY_NOISE_RATIO)
		return PGM_VERDICT_SAME;
	bool apart =
		(slow.timed_out || slow.min_ms > quick.max_ms) && slow.ms > quick.ms * PGM_VERIFY_APART_RATIO;
	if (!apart && difference <= PGM_VERIFY_NOISE_MADS * fmax(before.mad_ms, after.mad_ms))
		return PGM_VERDICT_SAME;
	return after.ms > before.ms ? PGM_VERDICT_SLOWER : PGM_VERDICT_FASTER;
}
