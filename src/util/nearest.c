#include "util/nearest.h"

#include <string.h>

/* Levenshtein's distance, for names up to 63 bytes. */
static size_t distance(const char *a, const char *b)
{
	size_t row[64];
	size_t width = strnlen(b, 63);
	for (size_t j = 0; j <= width; j++)
		row[j] = j;
	for (size_t i = 0; a[i] && i < 63; i++) {
		size_t diagonal = row[0];
		row[0] = i + 1;
		for (size_t j = 0; j < width; j++) {
			size_t best = diagonal + (a[i] != b[j]);
			diagonal = row[j + 1];
			if (row[j] + 1 < best)
				best = row[j] + 1;
			if (row[j + 1] + 1 < best)
				best = row[j + 1] + 1;
			row[j + 1] = best;
		}
	}
	return row[width];
}

const char *pgm_nearest(const char *typed, const char *const *names, size_t count)
{
	const char *nearest = NULL;
	size_t least = strlen(typed) / 2 + 2;
	for (size_t i = 0; i < count; i++) {
		/* Someone who types a part of a name ("fk") means that name. */
		size_t far = *typed && strstr(names[i], typed) ? 1 : distance(typed, names[i]);
		if (far < least) {
			least = far;
			nearest = names[i];
		}
	}
	return nearest;
}
