/*
 * The name that someone who mistyped one most likely meant.
 */
#ifndef PGM_UTIL_NEAREST_H
#define PGM_UTIL_NEAREST_H

#include <stddef.h>

/* The name among them that is nearest to a mistyped one, or NULL where none is near. */
const char *pgm_nearest(const char *typed, const char *const *names, size_t count);

#endif
