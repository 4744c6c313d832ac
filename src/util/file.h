/*
 * Whole files, read into memory and written from it.
 */
#ifndef PGM_UTIL_FILE_H
#define PGM_UTIL_FILE_H

#include "util/arena.h"
#include "util/error.h"

#include <stdint.h>

/*
 * The text of a file ("-": standard input), NUL-terminated. Fails with PGM_ERR_INPUT where it cannot be read,
 * has max_bytes (a number of MB) or more, or holds a byte 0.
 */
bool pgm_file_read(struct pgm_arena *arena, const char *path, size_t max_bytes, char **text,
		   struct pgm_error *err) PGM_MUST_CHECK;

/* Written beside and renamed: an older file is replaced whole or not at all. PGM_ERR_SYSTEM. */
bool pgm_file_replace(struct pgm_arena *arena, const char *path, const char *text,
		      struct pgm_error *err) PGM_MUST_CHECK;

/* Let this process open so many files at once, as far as it may. Returns how many it may open then. */
uint64_t pgm_file_limit_raise(uint64_t wanted);

#endif
