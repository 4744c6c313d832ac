/*
 * Quantities as people read and write them. Results live in the arena.
 */
#ifndef PGM_UTIL_FORMAT_H
#define PGM_UTIL_FORMAT_H

#include "util/arena.h"
#include "util/error.h"

#include <stdint.h>

/* "812 bytes", "7.4 kB", "45 MB": powers of 1024, as pg_size_pretty(). */
char *pgm_format_bytes(struct pgm_arena *arena, double bytes);

/* "0.42 ms", "7.1 s", "4 min 10 s", "2 h 5 min". */
char *pgm_format_ms(struct pgm_arena *arena, double ms);

/* "12", "4,300", "1.2 million". */
char *pgm_format_count(struct pgm_arena *arena, double count);

/* "42x", "3.1x", "1.04x". */
char *pgm_format_ratio(struct pgm_arena *arena, double ratio);

/*
 * "500MB", "2 GB", "64kB", "1048576": a size in bytes; units of 1024 as in postgresql.conf, any case.
 * Fails with PGM_ERR_USAGE.
 */
bool pgm_parse_bytes(const char *text, int64_t *bytes, struct pgm_error *err) PGM_MUST_CHECK;

/* "250ms", "10s", "5min", "2h", "1d"; a bare number is seconds. Fails with PGM_ERR_USAGE. */
bool pgm_parse_duration_ms(const char *text, int64_t *ms, struct pgm_error *err) PGM_MUST_CHECK;

#endif
