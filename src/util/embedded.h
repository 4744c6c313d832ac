/*
 * Text files (SQL, mostly) that the build compiled into the program. All are constant and live as long as
 * the program; any thread may read them.
 */
#ifndef PGM_UTIL_EMBEDDED_H
#define PGM_UTIL_EMBEDDED_H

#include <stddef.h>

struct pgm_embedded {
	const char *path; /* below the project's root, without a leading src/: "catalog/tables.sql" */
	size_t length;
	const char *text; /* NUL-terminated */
};

extern const struct pgm_embedded pgm_embedded_files[]; /* sorted by path */
extern const size_t pgm_embedded_count;

/* The text of the file at that path. A path that was not compiled in is a bug: it aborts. */
const char *pgm_embedded_text(const char *path);

#endif
