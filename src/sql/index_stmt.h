/*
 * CREATE INDEX statements, taken apart.
 */
#ifndef PGM_SQL_INDEX_STMT_H
#define PGM_SQL_INDEX_STMT_H

#include "util/arena.h"
#include "util/error.h"

/*
 * What follows the table's name in the first CREATE INDEX of a script: " USING gin (tags) WHERE ...",
 * to build the same index on another table. Fails with PGM_ERR_INPUT.
 */
bool pgm_sql_index_definition(struct pgm_arena *arena, const char *script, char **definition,
			      struct pgm_error *err) PGM_MUST_CHECK;

#endif
