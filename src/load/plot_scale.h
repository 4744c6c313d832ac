/*
 * Where a value lies on an axis, and which values an axis names. Pure functions; values that are no finite
 * numbers lie nowhere.
 */
#ifndef PGM_LOAD_PLOT_SCALE_H
#define PGM_LOAD_PLOT_SCALE_H

#include "util/arena.h"

#include <stdbool.h>
#include <stddef.h>

#define PGM_PLOT_TICKS_MAX 16
#define PGM_PLOT_HUGE	   1e15 /* what is larger is drawn there */

enum pgm_plot_unit {
	PGM_PLOT_COUNT,
	PGM_PLOT_MS,
	PGM_PLOT_ELAPSED_S,  /* time since the run began */
	PGM_PLOT_PERCENT,    /* 0 to 100 */
	PGM_PLOT_PERCENTILE, /* 0 to below 100, each further nine as wide as the one before it */
};

struct pgm_plot_scale {
	enum pgm_plot_unit unit;
	bool log;
	double low, high; /* of the axis, as plotted: transformed where log or a percentile */
};

/*
 * A scale that holds min to max: from 0 where it is linear, in whole powers of ten where it is logarithmic.
 * It never is empty: without values (min > max) it is 0 to 1.
 */
struct pgm_plot_scale pgm_plot_scale_of(enum pgm_plot_unit unit, bool log, double min, double max);

/* A linear one that begins and ends just there: for the time. */
struct pgm_plot_scale pgm_plot_scale_exact(enum pgm_plot_unit unit, double min, double max);

/* 0 at the low end, 1 at the high one, and never outside; NaN for what is no finite number. */
double pgm_plot_place(const struct pgm_plot_scale *scale, double value);

/* The values to name, about as many as wanted, rising; how many there are (1 to PGM_PLOT_TICKS_MAX). */
size_t pgm_plot_ticks(const struct pgm_plot_scale *scale, size_t wanted, double ticks[PGM_PLOT_TICKS_MAX]);

/* "250 ms", "1.5k", "2:30", "99.9 %": a value with its unit, short. */
char *pgm_plot_text(struct pgm_arena *arena, enum pgm_plot_unit unit, double value);

#endif
