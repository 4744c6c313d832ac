/*
 * How large an index would be, from column statistics alone.
 *
 * btree: PostgreSQL's own page and tuple layout (src/include/access/itup.h, nbtree.h), and the packing of
 * equal keys into posting lists that nbtsort.c and nbtdedup.c do from 13 on. Measured against real indexes
 * in docs/advise.md; other tools' estimates leave deduplication out and are 1.2 to 8 times too large.
 */
#ifndef PGM_ADVISE_SIZE_H
#define PGM_ADVISE_SIZE_H

#include "catalog/index_def.h"

/* Bytes on disk, of any method that we propose (gin has its own estimate in gin.h: not here). */
double pgm_size_estimate(const struct pgm_index_def *def);

/* Bytes of one index tuple with its line pointer, on average. */
double pgm_size_tuple_bytes(const struct pgm_index_def *def);

#endif
