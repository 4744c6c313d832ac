#include "util/format.h"

#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

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

struct unit {
	const char *name;
	double factor;
};

static bool parse_quantity(const char *text, const struct unit *units, const char *what, const char *example,
			   int64_t *result, struct pgm_error *err)
{
	char *end;
	errno = 0;
	double value = strtod(text, &end);
	if (end == text || errno || !isfinite(value) || value < 0)
		goto bad;
	while (isspace((unsigned char)*end))
		end++;
	for (const struct unit *unit = units; unit->name; unit++) {
		if (strcasecmp(end, unit->name) != 0)
			continue;
		if (value * unit->factor > 9e18)
			goto bad;
		*result = (int64_t)(value * unit->factor);
		return true;
	}
bad:
	pgm_error_set(err, PGM_ERR_USAGE, "\"%s\" is not %s", text, what);
	return pgm_error_hint(err, "Write it like %s.", example);
}

bool pgm_parse_bytes(const char *text, int64_t *bytes, struct pgm_error *err)
{
	static const struct unit units[] = {{"", 1},	     {"B", 1},	     {"kB", 1024},   {"K", 1024},
					    {"MB", 1048576}, {"M", 1048576}, {"GB", 0x1p30}, {"G", 0x1p30},
					    {"TB", 0x1p40},  {"T", 0x1p40},  {NULL, 0}};
	return parse_quantity(text, units, "a size", "500MB or 2GB", bytes, err);
}

bool pgm_parse_duration_ms(const char *text, int64_t *ms, struct pgm_error *err)
{
	static const struct unit units[] = {{"", 1000},	 {"ms", 1},	{"s", 1000},	{"min", 60e3},
					    {"m", 60e3}, {"h", 3600e3}, {"d", 86400e3}, {NULL, 0}};
	return parse_quantity(text, units, "a time", "250ms, 10s or 5min", ms, err);
}
