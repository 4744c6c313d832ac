/*
 * Between source_workload.c, source_samples.c and source_values.c alone.
 */
#ifndef PGM_LOAD_SOURCE_PARTS_H
#define PGM_LOAD_SOURCE_PARTS_H

#include "catalog/catalog.h"
#include "load/source.h"
#include "load/values.h"
#include "pg/async.h"

#define SOURCE_TEXTS_MAX 100 /* values of one parameter that are told apart */

/*
 * One statement's text with $1, $2... and what its samples had there. False where they cannot be told: then
 * the samples run as they are.
 */
bool source_from_samples(struct pgm_arena *arena, const struct pgm_statement *statement, const char **sql,
			 size_t *param_count, struct pgm_load_values *values);

/* What "interval $1" is where $1 is a parameter: CAST($1 AS interval). The text itself where there is none.
 */
const char *source_cast_params(struct pgm_arena *arena, const char *sql);

/*
 * Values for each of the types (names as in pg_type, with categories) from the columns that the parameters
 * are compared with, by the catalog's statistics (catalog NULL: none are known), or of the type as such.
 * False: *why says which has none.
 */
struct source_type {
	const char *name;
	char category;
};
bool source_from_statistics(struct pgm_arena *arena, struct pgm_catalog *catalog, struct pgm_conn *conn,
			    const struct pgm_shape *shape, const struct source_type *types, size_t type_count,
			    struct pgm_load_values *values, const char **why);

#endif
