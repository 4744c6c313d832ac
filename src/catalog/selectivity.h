/*
 * Which share of a table's rows a condition lets in, from column statistics alone, as the planner's
 * selfuncs.c does it: common values, then the histogram.
 */
#ifndef PGM_CATALOG_SELECTIVITY_H
#define PGM_CATALOG_SELECTIVITY_H

#include "catalog/catalog.h"

/* Of "column = value"; value as pg_stats prints it. */
double pgm_column_value_share(const struct pgm_column *column, const struct pgm_table *table,
			      const char *value);

/*
 * Of the SQL text of a predicate over this table, terms of an AND taken as independent. What is not
 * understood counts as DEFAULT_UNK_SEL's kind of guess. 1 without a predicate.
 */
double pgm_predicate_share(struct pgm_arena *arena, const struct pgm_table *table, const char *predicate);

/* The text of a literal without its quotes and casts, as pg_stats prints values. */
char *pgm_literal_bare(struct pgm_arena *arena, const char *literal);

#endif
