/*
 * The method shadow: the whole table is written anew, in partitions of one interval. The Plan of adopt, then
 * that of split: the table becomes the first partition within milliseconds, and its rows are copied from
 * there, so all that is carried over and proven there holds here. The old table stays until "--finish".
 */
#ifndef PGM_PARTITION_SHADOW_H
#define PGM_PARTITION_SHADOW_H

#include "partition/split.h"

/* May add to the design's refusals: then there is no Plan (true, and plan->change_count is 0). */
bool pgm_partition_shadow(struct pgm_conn *conn, struct pgm_arena *arena, struct pgm_partition_design *design,
			  struct pgm_plan *plan, struct pgm_error *err) PGM_MUST_CHECK;

#endif
