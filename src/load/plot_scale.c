#include "load/plot_scale.h"

#include <math.h>

#define LOG_FLOOR	1e-3 /* below it a logarithmic axis does not go: a microsecond in milliseconds */
#define PERCENTILE_LAST 99.9999

static double clamp(double value)
{
	return fmin(fmax(value, -PGM_PLOT_HUGE), PGM_PLOT_HUGE);
}

static double transformed(const struct pgm_plot_scale *scale, double value)
{
	value = clamp(value);
	if (scale->unit == PGM_PLOT_PERCENTILE)
		return -log10(1 - fmin(fmax(value, 0), PERCENTILE_LAST) / 100);
	return scale->log ? log10(fmax(value, LOG_FLOOR)) : value;
}

/* 1, 2 or 5 times a power of ten, at least the value. */
static double nice_above(double value)
{
	double power = pow(10, floor(log10(value)));
	for (size_t i = 0; i < 3; i++) {
		double step = power * (i == 0 ? 1 : i == 1 ? 2 : 5);
		if (step >= value * (1 - 1e-9))
			return step;
	}
	return power * 10;
}

/* Steps that a clock has. */
static double time_step(double seconds)
{
	static const double steps[] = {1,   2,	 5,   10,   15,	  30,	60,    120,
				       300, 600, 900, 1800, 3600, 7200, 14400, 43200};
	for (size_t i = 0; i < sizeof(steps) / sizeof(*steps); i++)
		if (steps[i] >= seconds * (1 - 1e-9))
			return steps[i];
	return 86400 * nice_above(fmax(seconds / 86400, 1));
}

static double step_of(const struct pgm_plot_scale *scale, size_t wanted)
{
	double rough = (scale->high - scale->low) / (double)(wanted ? wanted : 1);
	return scale->unit == PGM_PLOT_ELAPSED_S ? time_step(rough) : nice_above(rough);
}

/* Ends that a double hardly tells apart are moved apart. */
static double apart(double low, double high)
{
	double gap = fabs(low) * 1e-6;
	return high - low < gap ? low + gap : high;
}

struct pgm_plot_scale pgm_plot_scale_of(enum pgm_plot_unit unit, bool log, double min, double max)
{
	struct pgm_plot_scale scale = {.unit = unit, .log = log && unit != PGM_PLOT_PERCENTILE};
	bool empty = !isfinite(min) || !isfinite(max) || min > max;
	min = empty ? 0 : clamp(min);
	max = empty ? 1 : clamp(max);
	if (unit == PGM_PLOT_PERCENTILE) {
		scale.high = fmax(transformed(&scale, max), 1);
		return scale;
	}
	if (scale.log) {
		scale.low = floor(log10(fmax(min, LOG_FLOOR)) + 1e-9);
		scale.high = ceil(log10(fmax(max, LOG_FLOOR)) - 1e-9);
		if (scale.high <= scale.low)
			scale.high = scale.low + 1;
		return scale;
	}
	scale.low = fmin(min, 0);
	scale.high = apart(scale.low, max > scale.low ? max : scale.low + 1);
	if (unit != PGM_PLOT_PERCENT || scale.high > 100) {
		double step = step_of(&scale, 5);
		scale.high = step * ceil(scale.high / step - 1e-9);
		scale.low = step * floor(scale.low / step + 1e-9);
		if (scale.high <= scale.low)
			scale.high = scale.low + step;
	} else {
		scale.high = scale.high > 50 ? 100 : nice_above(fmax(scale.high, 1));
	}
	return scale;
}

struct pgm_plot_scale pgm_plot_scale_exact(enum pgm_plot_unit unit, double min, double max)
{
	bool empty = !isfinite(min) || !isfinite(max) || min > max;
	struct pgm_plot_scale scale = {
		.unit = unit, .low = empty ? 0 : clamp(min), .high = empty ? 1 : clamp(max)};
	if (scale.high - scale.low < 1e-6)
		scale.high = scale.low + 1;
	scale.high = apart(scale.low, scale.high);
	return scale;
}

double pgm_plot_place(const struct pgm_plot_scale *scale, double value)
{
	if (!isfinite(value))
		return NAN;
	double place = (transformed(scale, value) - scale->low) / (scale->high - scale->low);
	return fmin(fmax(place, 0), 1);
}

static size_t percentile_ticks(const struct pgm_plot_scale *scale, double *ticks)
{
	static const double known[] = {0, 50, 90, 99, 99.9, 99.99, 99.999, PERCENTILE_LAST};
	size_t count = 0;
	for (size_t i = 0; i < sizeof(known) / sizeof(*known); i++)
		if (transformed(scale, known[i]) <= scale->high + 1e-6)
			ticks[count++] = known[i];
	return count;
}

static size_t log_ticks(const struct pgm_plot_scale *scale, size_t wanted, double *ticks)
{
	size_t decades = (size_t)lround(scale->high - scale->low);
	size_t each = wanted ? (decades + wanted) / (wanted + 1) : decades;
	bool between = decades <= 2; /* then 2 and 5 are named too */
	size_t count = 0;
	for (size_t d = 0; d <= decades; d += each ? each : 1)
		for (int m = 0; m < 3 && count < PGM_PLOT_TICKS_MAX; m++) {
			if (m && (!between || d == decades))
				break;
			ticks[count++] = pow(10, scale->low + (double)d) * (m == 0 ? 1 : m == 1 ? 2 : 5);
		}
	return count;
}

size_t pgm_plot_ticks(const struct pgm_plot_scale *scale, size_t wanted, double ticks[PGM_PLOT_TICKS_MAX])
{
	size_t count = 0;
	if (scale->unit == PGM_PLOT_PERCENTILE)
		return percentile_ticks(scale, ticks);
	if (scale->log)
		return log_ticks(scale, wanted, ticks);
	if (wanted > PGM_PLOT_TICKS_MAX - 2)
		wanted = PGM_PLOT_TICKS_MAX - 2;
	double step = step_of(scale, wanted);
	double first = ceil(scale->low / step - 1e-9);
	for (int i = 0; i < PGM_PLOT_TICKS_MAX; i++) {
		double tick = (first + i) * step;
		if (tick > scale->high + step * 1e-6)
			break;
		/* Far from zero a step can be less than a double tells apart. */
		if (!count || tick > ticks[count - 1])
			ticks[count++] = tick;
	}
	if (!count)
		ticks[count++] = scale->low;
	return count;
}

static char *count_text(struct pgm_arena *arena, double value)
{
	static const struct {
		double from;
		const char *suffix;
	} sizes[] = {{1e12, "T"}, {1e9, "G"}, {1e6, "M"}, {1e3, "k"}};
	for (size_t i = 0; i < sizeof(sizes) / sizeof(*sizes); i++)
		if (fabs(value) >= sizes[i].from * (1 - 1e-9))
			return pgm_sprintf(arena, "%.4g%s", value / sizes[i].from, sizes[i].suffix);
	return pgm_sprintf(arena, "%.3g", fabs(value) < 1e-9 ? 0 : value);
}

static char *elapsed_text(struct pgm_arena *arena, double value)
{
	long long s = llround(value);
	if (s < 60 && fabs(value - (double)s) > 0.04)
		return pgm_sprintf(arena, "%.1f s", value);
	if (s < 60)
		return pgm_sprintf(arena, "%lld s", s);
	if (s < 3600)
		return pgm_sprintf(arena, "%lld:%02lld", s / 60, s % 60);
	return pgm_sprintf(arena, "%lld:%02lld:%02lld", s / 3600, s / 60 % 60, s % 60);
}

char *pgm_plot_text(struct pgm_arena *arena, enum pgm_plot_unit unit, double value)
{
	if (!isfinite(value))
		return pgm_strdup(arena, "-");
	value = clamp(value);
	switch (unit) {
	case PGM_PLOT_MS:
		if (fabs(value) >= 1000 * (1 - 1e-9))
			return pgm_sprintf(arena, "%s s", count_text(arena, value / 1000));
		if (value != 0 && fabs(value) < 0.1 * (1 - 1e-9))
			return pgm_sprintf(arena, "%.3g \u00b5s", value * 1000);
		return pgm_sprintf(arena, "%.3g ms", value);
	case PGM_PLOT_ELAPSED_S:
		return elapsed_text(arena, value);
	case PGM_PLOT_PERCENT:
		return pgm_sprintf(arena, "%.3g %%", fabs(value) < 1e-9 ? 0 : value);
	case PGM_PLOT_PERCENTILE:
		return pgm_sprintf(arena, "%.6g %%", value);
	case PGM_PLOT_COUNT:
		break;
	}
	return count_text(arena, value);
}
