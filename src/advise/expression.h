/*
 * Expressions as index keys. pg_stats says nothing of an expression before it is indexed, so a bounded
 * number of rows is read and made into the same statistics that a column has.
 */
#ifndef PGM_ADVISE_EXPRESSION_H
#define PGM_ADVISE_EXPRESSION_H

#include "catalog/index_def.h"

/*
 * Fill key->sampled of the definition's expressions. cache (from "oid expression" to the statistics) spares
 * the second look at the same one. What the server refuses to evaluate fails with its error; the session
 * must be in no transaction, or in one whose savepoint "pgmend" can be rolled back to.
 */
bool pgm_expression_sample(struct pgm_arena *arena, struct pgm_conn *conn, struct pgm_index_def *def,
			   struct pgm_map *cache, struct pgm_error *err) PGM_MUST_CHECK;

#endif
