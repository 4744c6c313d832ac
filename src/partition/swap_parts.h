/*
 * What both directions of the swap write. Inside partition/ only: swap.c.
 */
#ifndef PGM_PARTITION_SWAP_PARTS_H
#define PGM_PARTITION_SWAP_PARTS_H

#include "partition/swap.h"

/*
 * How long the locks on other tables are waited for when that on the table itself is held. The table comes
 * first: who writes to it locks what its foreign keys refer to after it, and the other order would make
 * deadlocks of it.
 */
#define PGM_SWAP_SECOND_WAIT "20ms"

void pgm_swap_rename_index(struct pgm_buf *out, const struct pgm_partition_design *design, const char *from,
			   const char *to);

/* What a widened index of the table is replaced by: the one that was built under the name built. */
void pgm_swap_replace_index(struct pgm_buf *out, const struct pgm_partition_design *design,
			    const struct pgm_partition_index *index, const char *table, const char *old,
			    const char *built, const char *name);

/* The sequence to goes on where the column's sequence from is, which goes with the column's identity. */
void pgm_swap_move_identity(struct pgm_buf *out, const struct pgm_partition_design *design,
			    const struct pgm_partition_column *column, const char *from_table,
			    const char *from, const char *to);
void pgm_swap_rename_sequence(struct pgm_buf *out, const struct pgm_partition_column *column,
			      const char *from, const char *to);

/* Sequences of serial columns go with the table of that name. */
void pgm_swap_own_sequences(struct pgm_buf *out, const struct pgm_partition_design *design,
			    const char *table);
void pgm_swap_publish(struct pgm_buf *out, const struct pgm_carry *carry, const char *add, const char *drop);

#endif
