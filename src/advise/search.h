/*
 * The state of the search for the best set, and its steps: select.c grows and shrinks, improve.c looks for
 * another use of the space. Inside advise/ only.
 */
#ifndef PGM_ADVISE_SEARCH_H
#define PGM_ADVISE_SEARCH_H

#include "advise/cost.h"

#define PGM_MOVE_ADDS_MAX 8

struct place {
	size_t costing;
	int local;
};

struct places {
	struct place *items;
	size_t count;
	size_t capacity;
};

struct move {
	struct pgm_candidate *adds[PGM_MOVE_ADDS_MAX];
	size_t add_count;
	struct pgm_candidate *removes; /* or NULL */
	double size_bytes;	       /* that it adds to what is chosen */
	double benefit;		       /* an upper bound until it is exact */
	double last_exact;	       /* of an earlier round; INFINITY: never evaluated */
	double best_ratio;	       /* its largest worth() to one statement */
	bool exact;
};

struct search {
	struct pgm_advise_run *run;
	struct pgm_costing *const *costings;
	size_t count;
	struct places *places;		    /* by candidate id */
	bool *chosen;			    /* by candidate id */
	const struct pgm_candidate *banned; /* may not be added just now, or NULL */
	double cost_to_beat;		    /* a search that cannot is given up; INFINITY: none */
	double *current;		    /* cost of each statement, of one execution */
	double budget_left;
	double workload_cost; /* without any candidate */
	PGM_VEC(struct move) moves;
	int *touched; /* scratch: costings a move touches */
};

double pgm_search_weight(const struct search *search, size_t costing);
double pgm_search_cost(const struct search *search); /* of the workload and its writes, as chosen */

/* What is chosen with the move made, as one statement sees it. */
struct pgm_set pgm_search_set_after(const struct search *search, const struct move *move, size_t index);

/* Indexes of the costings that the move may change; returns how many. */
size_t pgm_search_touched(const struct search *search, const struct move *move, int *touched);
double pgm_move_write_cost(const struct move *move);

bool pgm_search_apply(struct search *search, const struct move *move, struct pgm_error *err) PGM_MUST_CHECK;

/* Add what pays, best first; take out what no longer does. */
bool pgm_search_grow(struct search *search, struct pgm_error *err) PGM_MUST_CHECK;
bool pgm_search_shrink(struct search *search, bool *changed, struct pgm_error *err) PGM_MUST_CHECK;

/*
 * Which of the chosen ones serve statements whose own best candidates were left out? before: costs; only
 * statements that cost more now are looked at. NULL: all.
 */
bool pgm_search_reconsider(struct search *search, const double *before, bool *changed,
			   struct pgm_error *err) PGM_MUST_CHECK;

/*
 * Greedy choices by benefit for each byte leave a rest of the budget that nothing fits into, or an index that
 * is wider than it had to be. Try to use the space of each otherwise, as long as that asks for few EXPLAINs
 * beside those that were needed so far.
 */
bool pgm_search_improve(struct search *search, struct pgm_error *err) PGM_MUST_CHECK;

#endif
