#include "util/format.h"

#include <math.h>

char *pgm_format_bytes(struct pgm_arena *arena, double bytes)
{
	static const char *const units[] = {"bytes", "kB", "MB", "GB", "TB", "PB"};
	size_t unit = 0;
	double value = bytes;
	while (fabs(value) >= 1024 && unit + 1 < sizeof(units) / sizeof(*units)) {
		value /= 1024;
		unit++;
	}
	return pgm_sprintf(arena, "%.*f %s", unit > 0 && fabs(value) < 10 ? 1 : 0, value, units[unit]);
}

char *pgm_format_ms(struct pgm_arena *arena, double ms)
{
	if (ms < 10)
		return pgm_sprintf(arena, "%.2f ms", ms);
	if (ms < 1000)
		return pgm_sprintf(arena, "%.0f ms", ms);
	if (ms < 60e3)
		return pgm_sprintf(arena, "%.1f s", ms / 1000);
	long seconds = lround(ms / 1000);
	if (seconds < 3600)
		return pgm_sprintf(arena, "%ld min %ld s", seconds / 60, seconds % 60);
	return pgm_sprintf(arena, "%ld h %ld min", seconds / 3600, seconds % 3600 / 60);
}

char *pgm_format_count(struct pgm_arena *arena, double count)
{
	if (count >= 1e9)
		return pgm_sprintf(arena, "%.1f billion", count / 1e9);
	if (count >= 1e6)
		return pgm_sprintf(arena, "%.1f million", count / 1e6);
	long whole = lround(count);
	if (whole >= 1000)
		return pgm_sprintf(arena, "%ld,%03ld", whole / 1000, whole % 1000);
	return pgm_sprintf(arena, "%ld", whole);
}

char *pgm_format_ratio(struct pgm_arena *arena, double ratio)
{
	int digits = ratio >= 10 ? 0 : ratio >= 2 ? 1 : 2;
	return pgm_sprintf(arena, "%.*fx", digits, ratio);
}
