/* Quantities as people write them: apart from format.c, because libpgmend, which must not abort, uses it. */
#include "util/format.h"

#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <strings.h>

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
