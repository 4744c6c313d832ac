/*
 * The method adopt: the table itself becomes the first partition, and no row is copied. A constraint proves,
 * before the swap, that every row is below the cut; unique indexes that take the key in are built
 * concurrently; the new table is made beside it; one short transaction puts it in the old one's place.
 */
#ifndef PGM_PARTITION_ADOPT_H
#define PGM_PARTITION_ADOPT_H

#include "change/plan.h"
#include "partition/design.h"

/*
 * The Plan. May add to the design's refusals: then there is none (true, and plan->change_count is 0).
 */
bool pgm_partition_adopt(struct pgm_conn *conn, struct pgm_arena *arena, struct pgm_partition_design *design,
			 struct pgm_plan *plan, struct pgm_error *err) PGM_MUST_CHECK;

#endif
