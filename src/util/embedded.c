#include "util/embedded.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int compare_path(const void *key, const void *entry)
{
	return strcmp(key, ((const struct pgm_embedded *)entry)->path);
}

const struct pgm_embedded *pgm_embedded_find(const char *path)
{
	return bsearch(path, pgm_embedded_files, pgm_embedded_count, sizeof(*pgm_embedded_files),
		       compare_path);
}

const char *pgm_embedded_text(const char *path)
{
	const struct pgm_embedded *found = pgm_embedded_find(path);
	if (!found) {
		fprintf(stderr, "pgmend: bug: %s was not compiled in\n", path);
		abort();
	}
	return found->text;
}
