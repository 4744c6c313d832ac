/*
 * The search for the best set: greedy by benefit for each byte, widening what is chosen, as Extend does
 * (Schlosser, Kossmann, Boissier: Efficient Scalable Multi-Attribute Index Selection Using Recursive
 * Strategies, ICDE 2019), with lazy evaluation (Minoux 1978; Leskovec et al., KDD 2007: a bound that was
 * true before is still a bound), and with whole tiers of a statement's plan as moves, so that indexes that
 * only pay together are found. At the end, whatever no longer pays is taken out again.
 */
#ifndef PGM_ADVISE_SELECT_H
#define PGM_ADVISE_SELECT_H

#include "advise/cost.h"

struct pgm_selection {
	struct pgm_candidate **chosen;
	double *benefits; /* of each: what the workload would cost more without it */
	size_t count;
	double cost;	     /* of the workload, writes to the chosen indexes included */
	double budget_bytes; /* what they take of it */
};

bool pgm_select(struct pgm_advise_run *run, struct pgm_costing *const *costings, size_t count,
		struct pgm_selection *selection, struct pgm_error *err) PGM_MUST_CHECK;

/* The set of a selection as one statement's costing sees it. */
struct pgm_set pgm_selection_set(const struct pgm_costing *costing, struct pgm_candidate *const *chosen,
				 size_t count, const struct pgm_candidate *without);

#endif
