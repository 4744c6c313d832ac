/*
 * How relations, databases and disks grow, and where that leads: the slope is Theil and Sen's (the median of
 * the slopes between all pairs of daily values, Sen 1968), which a few odd days do not bend, with Sen's 95 %
 * interval. Below PGM_GROWTH_DAYS_MIN days with a value there is no forecast, and it says so.
 */
#ifndef PGM_SERVE_HISTORY_GROWTH_H
#define PGM_SERVE_HISTORY_GROWTH_H

#include "serve/history/history.h"

#define PGM_GROWTH_DAYS_MIN 5
#define PGM_GROWTH_METHOD   "Theil-Sen slope over daily values"

struct pgm_growth {
	bool known;	      /* enough history; else why says what lacks */
	const char *why;      /* "" where it is known */
	size_t days;	      /* daily values it rests on */
	double now;	      /* the last value */
	double slope_per_day; /* and its 95 % interval */
	double slope_low, slope_high;
};

struct pgm_growth_day {
	int64_t day; /* since 1970 */
	double value;
};

/* Pure; at most 400 days, by time. */
void pgm_growth_of(const struct pgm_growth_day *days, size_t count, struct pgm_growth *growth);

/* Days until the value is limit; negative where it is not going there. Pure. */
double pgm_growth_days_to(double now, double slope_per_day, double limit);

struct pgm_growth_item {
	const char *labels;
	struct pgm_growth growth;
	double day_ago, week_ago; /* the values then; NaN where they are not known */
};

/* All series of a metric, those that grow most first; at most limit. */
bool pgm_history_growth(struct pgm_history *history, const char *target, const char *metric, size_t limit,
			struct pgm_arena *arena, struct pgm_growth_item **items, size_t *count,
			struct pgm_error *err) PGM_MUST_CHECK;

#endif
