/*
 * A CREATE INDEX statement as a definition: what its names mean in the Catalog.
 */
#ifndef PGM_CATALOG_INDEX_PARSE_H
#define PGM_CATALOG_INDEX_PARSE_H

#include "catalog/index_def.h"

/*
 * Fills def, and *name with the index's name (NULL where the statement gives none). Fails with
 * PGM_ERR_INPUT for what is no CREATE INDEX, names a table or a column that is not there, or says something
 * that a definition cannot hold. predicate_share stays 1: pgm_predicate_share() estimates it once statistics
 * are loaded, and advise/expression.h samples expressions.
 */
bool pgm_index_parse(struct pgm_arena *arena, const struct pgm_catalog *catalog, const char *sql,
		     struct pgm_index_def *def, const char **name, struct pgm_error *err) PGM_MUST_CHECK;

#endif
