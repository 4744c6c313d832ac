/*
 * The index advisor: from a Catalog and a Workload to the best set of indexes, each proven on the planner.
 *
 * The steps, one file each: resolve (names to tables), values (for parameters), candidates (which indexes
 * could serve), whatif (the planner's cost with hypothetical indexes), cost (what a statement costs under a
 * set of candidates, with as few EXPLAINs as can be), gin (what hypothetical indexes cannot do), writes (what
 * an index costs each row written), select and merge (the search), prove (what is proposed, what is not,
 * why).
 *
 * One run belongs to one thread and one session; everything lives in its arena.
 */
#ifndef PGM_ADVISE_ADVISE_H
#define PGM_ADVISE_ADVISE_H

#include "advise/advice.h"
#include "advise/options.h"
#include "change/plan.h"

bool pgm_advise(struct pgm_arena *arena, struct pgm_conn *conn, const struct pgm_workload *workload,
		const struct pgm_advise_options *options, struct pgm_advice *advice,
		struct pgm_error *err) PGM_MUST_CHECK;

/* The proposals as a Plan that can be written to a file. */
void pgm_advise_plan(struct pgm_arena *arena, struct pgm_conn *conn, const struct pgm_workload *workload,
		     const struct pgm_advice *advice, const struct pgm_advise_options *options,
		     struct pgm_plan *plan);

#endif
