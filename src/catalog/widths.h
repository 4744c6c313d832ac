/*
 * How long the values of a column of variable length are: not only on average, as tuples are padded to 8
 * bytes one by one. The texts that pg_stats gives tell, for strings and numerics.
 */
#ifndef PGM_CATALOG_WIDTHS_H
#define PGM_CATALOG_WIDTHS_H

#include "catalog/catalog.h"

#define PGM_SHORT_VALUE_MAX_BYTES 127 /* of a value with a one-byte header (VARATT_SHORT_MAX) */

/* Fill column->common_widths and ->other_widths from its other statistics. */
void pgm_column_find_widths(struct pgm_arena *arena, struct pgm_column *column);

#endif
