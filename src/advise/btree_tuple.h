/*
 * The layout of one btree tuple, as index_form_tuple() makes it (src/backend/access/common/indextuple.c):
 * header, null bitmap, values each at its alignment, the whole rounded up to 8 bytes.
 */
#ifndef PGM_ADVISE_BTREE_TUPLE_H
#define PGM_ADVISE_BTREE_TUPLE_H

#include "catalog/index_def.h"

#define PGM_LINE_POINTER_BYTES 4.0
#define PGM_TUPLE_DRAWS	       32 /* tuples that stand for all, where lengths vary */

/* Which value of a key column a tuple holds. */
enum {
	PGM_VALUE_IS_NULL = -1,
	PGM_VALUE_IS_ANY = -2, /* none of the common ones */
			       /* 0, 1...: that common value */
};

/* The column or the sampled expression of a key; NULL: nothing is known of it. */
const struct pgm_column *pgm_index_key_column(const struct pgm_index_key *key);

/*
 * Bytes of the tuple without its line pointer, draw 0 to PGM_TUPLE_DRAWS - 1 giving different lengths where
 * they vary. values: for each key one of the above (NULL: any). key_count: how many keys of it; include: with
 * the INCLUDE columns.
 */
double pgm_btree_tuple_bytes(const struct pgm_index_def *def, const int *values, size_t key_count,
			     bool include, int draw);

/* Whether the lengths vary, so that one draw is not enough. */
bool pgm_btree_tuple_varies(const struct pgm_index_def *def, const int *values);

#endif
