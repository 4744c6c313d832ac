/*
 * The two blocks of SQL that put a partitioned table in the place of a plain one, and back. Each is one DO
 * statement, so that it is one transaction with or without pgmend: under a lock that holds up nobody but DDL
 * and vacuum it looks whether the catalogs are what the Plan was made for, and prepares; then, under ACCESS
 * EXCLUSIVE, it does what needs that, and makes sure that no index was built and no table read meanwhile.
 *
 * When it got that lock it says so in the setting pgmend.locked_at, from which the engine tells how long it
 * was held.
 */
#ifndef PGM_PARTITION_SWAP_H
#define PGM_PARTITION_SWAP_H

#include "partition/carry.h"

/* The table becomes the first partition of the staging table, which takes its name. */
char *pgm_swap_up(struct pgm_arena *arena, const struct pgm_partition_design *design,
		  const struct pgm_carry *carry);

/*
 * The way back: CREATE UNIQUE INDEX CONCURRENTLY for each index that was widened, then the block: the old
 * table is detached, gets the rows of the other partitions and its name again. Where those are many, their
 * partitions become its inheritance children instead, and pgm_swap_drain() moves the rows.
 */
char *pgm_swap_down(struct pgm_arena *arena, const struct pgm_partition_design *design,
		    const struct pgm_carry *carry);

/*
 * The way back of making the staging table: rows that are still in inheritance children are moved, a
 * transaction for each few thousand, and what was made is dropped.
 */
char *pgm_swap_drain(struct pgm_arena *arena, const struct pgm_partition_design *design);

/* A DO statement around a body, with a quote that the body does not hold. */
char *pgm_swap_block(struct pgm_arena *arena, const char *body);

#endif
