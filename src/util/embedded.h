/*
 * Text files (SQL, mostly) that the build compiled into the program. All are constant and live as long as
 * the program; any thread may read them. Those of web/ are compressed, as browsers take them.
 */
#ifndef PGM_UTIL_EMBEDDED_H
#define PGM_UTIL_EMBEDDED_H

#include <stddef.h>

struct pgm_embedded {
	const char *path; /* below the project's root, without a leading src/: "catalog/tables.sql" */
	size_t length;
	const char *text;    /* NUL-terminated; gzip where there is an etag */
	const char *etag;    /* hash of the content; NULL: not of web/ */
	size_t plain_length; /* uncompressed, of web/ */
};

extern const struct pgm_embedded pgm_embedded_files[]; /* sorted by path */
extern const size_t pgm_embedded_count;

/* The file at that path; NULL: it was not compiled in. */
const struct pgm_embedded *pgm_embedded_find(const char *path);

/* The text of the file at that path. A path that was not compiled in is a bug: it aborts. */
const char *pgm_embedded_text(const char *path);

#endif
