/*
 * GIN indexes, which HypoPG cannot plan with: their size from a sample of the column, their cost by
 * PostgreSQL's own formulas (gincostestimate in selfuncs.c, cost_bitmap_heap_scan in costsize.c) from the
 * planner's row estimate. Both are estimates and are reported as such; verify proves them.
 */
#ifndef PGM_ADVISE_GIN_H
#define PGM_ADVISE_GIN_H

#include "advise/cost.h"

/* Sample the column of each gin candidate: fills its size. Candidates that cannot be sampled are dropped. */
bool pgm_gin_sample(struct pgm_advise_run *run, struct pgm_error *err) PGM_MUST_CHECK;

/* Fill costing->estimates for its gin candidates. */
bool pgm_gin_estimate(struct pgm_advise_run *run, struct pgm_costing *costing,
		      struct pgm_error *err) PGM_MUST_CHECK;

double pgm_gin_entries_per_row(const struct pgm_candidate *candidate);

#endif
