/*
 * What one statement costs under a set of candidates, with as few EXPLAINs as can be.
 *
 * Each plan teaches more than one cost. If the plan under set T uses only the indexes U, then every set S
 * with U <= S <= T has the same best plan, hence the same cost. And as an index more never makes a plan
 * dearer, the cost under a superset is a lower bound and the cost under a subset is an upper bound: where
 * they meet no EXPLAIN is needed.
 *
 * To begin with, candidates are peeled: plan with all of them, take away those that the plan uses, plan
 * again, and so on until the plan uses none. What is left then hardly serves the statement, and each
 * tier tells what the best of the rest would give. Beside a set that lacks the better ones the rest may serve
 * after all: pgm_costing_reconsider() looks, once a set is chosen.
 */
#ifndef PGM_ADVISE_COST_H
#define PGM_ADVISE_COST_H

#include "advise/run.h"

struct pgm_whatif_result;

#define PGM_SET_WORDS (PGM_ADVISE_QUERY_CANDIDATES / 64)

struct pgm_set { /* of a costing's local candidates */
	uint64_t words[PGM_SET_WORDS];
};

struct pgm_cost_entry {
	struct pgm_set set;
	struct pgm_set used;
	double cost;
};

struct pgm_costing {
	struct pgm_query *query;
	struct pgm_candidate *locals[PGM_ADVISE_QUERY_CANDIDATES];
	size_t local_count;
	struct pgm_set useful;			       /* after peeling: those that some tier used */
	struct pgm_set planned;			       /* the locals that HypoPG can plan with */
	double estimates[PGM_ADVISE_QUERY_CANDIDATES]; /* cost with a gin candidate; 0: not one */
	PGM_VEC(struct pgm_cost_entry) entries;
	PGM_VEC(struct pgm_set) tiers; /* what each peel used */
	double base_cost;
	const char *base_headline;
};

/* One text of the query planned: with its values, or without where some are not known. */
bool pgm_costing_plan(struct pgm_advise_run *run, const struct pgm_query *query, size_t variant,
		      struct pgm_candidate *const *set, size_t count, struct pgm_whatif_result *result,
		      struct pgm_error *err) PGM_MUST_CHECK;

/*
 * The statement's cost as things are. NULL where the server will not plan it (counted in the run); false
 * only for errors that end the run.
 */
bool pgm_costing_new(struct pgm_advise_run *run, struct pgm_query *query, struct pgm_costing **costing,
		     struct pgm_error *err) PGM_MUST_CHECK;

/* Peel its candidates. run->workload_cost must be known by then. */
bool pgm_costing_peel(struct pgm_advise_run *run, struct pgm_costing *costing,
		      struct pgm_error *err) PGM_MUST_CHECK;

/* The cost of one execution under the set, by EXPLAIN where it has to be. */
bool pgm_costing_cost(struct pgm_advise_run *run, struct pgm_costing *costing, const struct pgm_set *set,
		      double *cost, struct pgm_error *err) PGM_MUST_CHECK;

/*
 * The set may hold candidates that peeling found useless. Plan with them too: *changed says that some are of
 * use beside this set, and from now on they count.
 */
bool pgm_costing_reconsider(struct pgm_advise_run *run, struct pgm_costing *costing,
			    const struct pgm_set *set, bool *changed, struct pgm_error *err) PGM_MUST_CHECK;

/* What is known without an EXPLAIN: lower <= cost <= upper. */
void pgm_costing_bounds(const struct pgm_costing *costing, const struct pgm_set *set, double *lower,
			double *upper);

int pgm_costing_local(const struct pgm_costing *costing,
		      const struct pgm_candidate *candidate); /* -1: none */

static inline void pgm_set_add(struct pgm_set *set, int member)
{
	set->words[member / 64] |= UINT64_C(1) << (member % 64);
}

static inline void pgm_set_remove(struct pgm_set *set, int member)
{
	set->words[member / 64] &= ~(UINT64_C(1) << (member % 64));
}

static inline bool pgm_set_has(const struct pgm_set *set, int member)
{
	return set->words[member / 64] >> (member % 64) & 1;
}

static inline bool pgm_set_within(const struct pgm_set *a, const struct pgm_set *b)
{
	for (int i = 0; i < PGM_SET_WORDS; i++)
		if (a->words[i] & ~b->words[i])
			return false;
	return true;
}

static inline bool pgm_set_empty(const struct pgm_set *set)
{
	static const struct pgm_set none;
	return pgm_set_within(set, &none);
}

#endif
