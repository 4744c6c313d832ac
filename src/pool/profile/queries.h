/*
 * SHOW QUERIES: the columns of the console's answer, which pgmend top reads.
 */
#ifndef PGM_POOL_QUERIES_H
#define PGM_POOL_QUERIES_H

#include "pool/profile/profile.h"

#define PGM_QUERIES_COLUMNS 17

extern const char *const pgm_queries_columns[PGM_QUERIES_COLUMNS];

/*
 * The cells of a row, in the arena. Times are milliseconds with three digits; the query is in normal form,
 * with ? in the place of values. The row of all others has the database and user "" and the query "(others)".
 */
void pgm_queries_cells(struct pgm_arena *arena, const struct pgm_profile_row *row,
		       const char *cells[PGM_QUERIES_COLUMNS]);

#endif
