/*
 * Which statements are the same but for their values: libpg_query's fingerprint and normal form.
 *
 * Statements that libpg_query's grammar does not know (it is PostgreSQL 15's) fail with PGM_ERR_INPUT.
 */
#ifndef PGM_SQL_FINGERPRINT_H
#define PGM_SQL_FINGERPRINT_H

#include "util/arena.h"
#include "util/error.h"

/* 16 hex digits: libpg_query's, where no name holds a digit. */
bool pgm_sql_fingerprint(struct pgm_arena *arena, const char *sql, char **fingerprint,
			 struct pgm_error *err) PGM_MUST_CHECK;

/* The text with $1, $2... in place of its literals. */
bool pgm_sql_normalize(struct pgm_arena *arena, const char *sql, char **normalized,
		       struct pgm_error *err) PGM_MUST_CHECK;

#endif
