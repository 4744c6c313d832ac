/*
 * Where a workload's statement has its parameters' values from: whole sets that ran so, or each for itself by
 * the column's statistics. Made once; read by any number of sessions.
 */
#ifndef PGM_LOAD_VALUES_H
#define PGM_LOAD_VALUES_H

#include "load/random.h"

#include <stddef.h>

#define PGM_LOAD_NUMBER_MAX 32 /* bytes of an integer as text, and a NUL */

/* One parameter's values: texts with weights, else numbers between bounds that hold as many rows each. */
struct pgm_load_column {
	const char **texts; /* NULL is SQL NULL */
	double *upto;	    /* the share of those up to this one; the last has 1 */
	size_t text_count;
	double text_share; /* how often one of the texts is taken where there are bounds too */
	int64_t *bounds;
	size_t bound_count; /* 0 or at least 2 */
};

/* One of the three. */
struct pgm_load_values {
	const char *const **rows; /* each has a value for each parameter */
	size_t row_count;
	const struct pgm_load_column *columns; /* one for each parameter */
	size_t column_count;
	const char **texts; /* whole statements without parameters, to be sent as they are */
	size_t text_count;
};

/* What a column's next value is: its text or, of a number, in buffer. */
const char *pgm_load_column_draw(const struct pgm_load_column *column, struct pgm_random *random,
				 char buffer[PGM_LOAD_NUMBER_MAX]);

#endif
