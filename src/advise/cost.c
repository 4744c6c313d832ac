#include "advise/cost.h"

#include "advise/gin.h"
#include "advise/whatif.h"

#include <math.h>
#include <string.h>

#define TIERS_MAX	 24
#define TIERS_MIN	 6
#define TABLE_TIERS_MAX	 1     /* of the candidates of one table alone */
#define PEEL_MIN_SHARE	 2e-4  /* a tier that saves less of the whole workload is the last */
#define SAME_COST_FACTOR 0.999 /* a plan that saves less than a thousandth serves in no way */

static size_t members(const struct pgm_costing *costing, const struct pgm_set *set,
		      struct pgm_candidate **out)
{
	size_t count = 0;
	for (size_t i = 0; i < costing->local_count; i++)
		if (pgm_set_has(set, (int)i))
			out[count++] = costing->locals[i];
	return count;
}

int pgm_costing_local(const struct pgm_costing *costing, const struct pgm_candidate *candidate)
{
	for (size_t i = 0; i < costing->local_count; i++)
		if (costing->locals[i] == candidate)
			return (int)i;
	return -1;
}

bool pgm_costing_plan(struct pgm_advise_run *run, const struct pgm_query *query, size_t variant,
		      struct pgm_candidate *const *set, size_t count, struct pgm_whatif_result *result,
		      struct pgm_error *err)
{
	const struct pgm_whatif *whatif = run->whatif;
	if (query->generic)
		return whatif->ops->plan_generic(whatif->self, query->generic, query->generic_params, set,
						 count, result, err);
	return whatif->ops->plan(whatif->self, query->variants[variant], set, count, result, err);
}

/* EXPLAIN each text of the statement; their mean cost and what any of them uses. */
static bool explain(struct pgm_advise_run *run, struct pgm_costing *costing, const struct pgm_set *set,
		    struct pgm_error *err)
{
	struct pgm_candidate *list[PGM_ADVISE_QUERY_CANDIDATES];
	size_t count = members(costing, set, list);
	struct pgm_cost_entry entry = {.set = *set};
	bool base = pgm_set_empty(set);
	for (size_t v = 0; v < costing->query->variant_count; v++) {
		struct pgm_whatif_result result;
		if (!pgm_costing_plan(run, costing->query, v, list, count, &result, err))
			return false;
		entry.cost += result.plan.root->total_cost / (double)costing->query->variant_count;
		if (base && v == 0)
			costing->base_headline = pgm_explain_headline(run->arena, &result.plan);
		for (size_t u = 0; u < result.used_count; u++) {
			int local = pgm_costing_local(costing, run->candidates.items[result.used[u]]);
			if (local >= 0)
				pgm_set_add(&entry.used, local);
		}
	}
	*pgm_vec_add(run->arena, &costing->entries) = entry;
	return true;
}

static double best_estimate(const struct pgm_costing *costing, const struct pgm_set *set)
{
	double best = INFINITY;
	for (size_t i = 0; i < costing->local_count; i++)
		if (costing->estimates[i] > 0 && pgm_set_has(set, (int)i))
			best = fmin(best, costing->estimates[i]);
	return best;
}

/* What of a set HypoPG can plan with and may matter. */
static struct pgm_set planned_part(const struct pgm_costing *costing, const struct pgm_set *set)
{
	struct pgm_set part;
	for (int i = 0; i < PGM_SET_WORDS; i++)
		part.words[i] = set->words[i] & costing->planned.words[i] & costing->useful.words[i];
	return part;
}

static void bounds(const struct pgm_costing *costing, const struct pgm_set *set, double *lower, double *upper)
{
	*lower = 0;
	*upper = costing->base_cost;
	for (size_t i = 0; i < costing->entries.count; i++) {
		const struct pgm_cost_entry *entry = &costing->entries.items[i];
		bool below = pgm_set_within(&entry->used, set);
		bool above = pgm_set_within(set, &entry->set);
		if (below && entry->cost < *upper)
			*upper = entry->cost; /* its plan can be had with this set */
		if (above && entry->cost > *lower)
			*lower = entry->cost;
	}
	if (*lower > *upper)
		*lower = *upper;
}

void pgm_costing_bounds(const struct pgm_costing *costing, const struct pgm_set *set, double *lower,
			double *upper)
{
	struct pgm_set part = planned_part(costing, set);
	double estimate = best_estimate(costing, set);
	bounds(costing, &part, lower, upper);
	*lower = fmin(*lower, estimate);
	*upper = fmin(*upper, estimate);
}

bool pgm_costing_cost(struct pgm_advise_run *run, struct pgm_costing *costing, const struct pgm_set *set,
		      double *cost, struct pgm_error *err)
{
	struct pgm_set part = planned_part(costing, set);
	double lower, upper;
	bounds(costing, &part, &lower, &upper);
	if (lower < upper * SAME_COST_FACTOR) {
		if (!explain(run, costing, &part, err))
			return pgm_error_context(err, "planning a statement again");
		upper = costing->entries.items[costing->entries.count - 1].cost;
	}
	*cost = fmin(upper, best_estimate(costing, set));
	return true;
}

/* Those that were found first: where there are too many, later statements' fall out. */
static void gather(struct pgm_advise_run *run, struct pgm_costing *costing)
{
	for (size_t i = 0; i < run->candidates.count; i++) {
		struct pgm_candidate *candidate = run->candidates.items[i];
		if (costing->local_count == PGM_ADVISE_QUERY_CANDIDATES)
			return;
		if (!pgm_candidate_relevant(run, candidate, costing->query))
			continue;
		if (!candidate->estimated)
			pgm_set_add(&costing->planned, (int)costing->local_count);
		costing->locals[costing->local_count++] = candidate;
	}
}

/* Peel the candidates of a set, at most so many tiers. */
static bool peel_set(struct pgm_advise_run *run, struct pgm_costing *costing, struct pgm_set left, int tiers,
		     struct pgm_error *err)
{
	for (int tier = 0; tier < tiers && !pgm_set_empty(&left); tier++) {
		if (!explain(run, costing, &left, err))
			return pgm_error_context(err, "planning with candidates");
		const struct pgm_cost_entry *entry = &costing->entries.items[costing->entries.count - 1];
		double gain = costing->base_cost - entry->cost;
		if (pgm_set_empty(&entry->used) || gain < costing->base_cost * (1 - SAME_COST_FACTOR) ||
		    gain * costing->query->weight < run->workload_cost * PEEL_MIN_SHARE)
			return true;
		*pgm_vec_add(run->arena, &costing->tiers) = entry->used;
		for (int i = 0; i < PGM_SET_WORDS; i++)
			left.words[i] &= ~entry->used.words[i];
	}
	return true;
}

/* A small budget has room for few indexes: what only the deeper tiers use would never be chosen. */
static int tiers_of(const struct pgm_advise_run *run)
{
	double total = 0, count = 0;
	for (size_t i = 0; i < run->candidates.count; i++)
		if (!run->candidates.items[i]->impossible)
			total += run->candidates.items[i]->budget_bytes, count++;
	if (run->options->budget_bytes <= 0 || total <= 0)
		return TIERS_MAX;
	return (int)fmin(TIERS_MAX, TIERS_MIN + (double)run->options->budget_bytes / (total / count));
}

/* Whether the statement has candidates on a table beside this one. */
static bool has_others(const struct pgm_costing *costing, const struct pgm_table *table)
{
	for (size_t i = 0; i < costing->local_count; i++)
		if (costing->locals[i]->def.table != table && pgm_set_has(&costing->planned, (int)i))
			return true;
	return false;
}

/*
 * All candidates first. Where a plan joins tables, its gain is that of several indexes together and says
 * little of one: peel the candidates of each table alone too.
 */
static bool peel(struct pgm_advise_run *run, struct pgm_costing *costing, struct pgm_error *err)
{
	const struct pgm_query *query = costing->query;
	if (!peel_set(run, costing, costing->planned, tiers_of(run), err))
		return false;
	for (size_t o = 0; costing->tiers.count && o < query->occurrence_count; o++) {
		const struct pgm_table *table = query->occurrences[o].table;
		struct pgm_set own = {0};
		bool seen = false;
		for (size_t before = 0; before < o; before++)
			seen |= query->occurrences[before].table == table;
		if (seen || !has_others(costing, table))
			continue;
		for (size_t i = 0; i < costing->local_count; i++)
			if (costing->locals[i]->def.table == table && pgm_set_has(&costing->planned, (int)i))
				pgm_set_add(&own, (int)i);
		if (!peel_set(run, costing, own, TABLE_TIERS_MAX, err))
			return false;
	}
	return true;
}

/*
 * Only what some tier used is looked at: a set is taken to be as good as the set without the others. Beside a
 * set that lacks what is better they may serve after all, which pgm_costing_reconsider() finds out.
 */
static void note_useful(struct pgm_costing *costing)
{
	for (size_t t = 0; t < costing->tiers.count; t++)
		for (int w = 0; w < PGM_SET_WORDS; w++)
			costing->useful.words[w] |= costing->tiers.items[t].words[w];
	for (size_t i = 0; i < costing->local_count; i++)
		if (costing->estimates[i] > 0)
			pgm_set_add(&costing->useful, (int)i);
}

/* The cheapest plan that is known to be possible with this set. */
static const struct pgm_cost_entry *best_entry(const struct pgm_costing *costing, const struct pgm_set *set)
{
	const struct pgm_cost_entry *best = NULL;
	for (size_t i = 0; i < costing->entries.count; i++) {
		const struct pgm_cost_entry *entry = &costing->entries.items[i];
		if (pgm_set_within(&entry->used, set) && (!best || entry->cost < best->cost))
			best = entry;
	}
	return best;
}

bool pgm_costing_reconsider(struct pgm_advise_run *run, struct pgm_costing *costing,
			    const struct pgm_set *set, bool *changed, struct pgm_error *err)
{
	struct pgm_set whole, others;
	double lower, upper;
	*changed = false;
	for (int i = 0; i < PGM_SET_WORDS; i++) {
		whole.words[i] = set->words[i] & costing->planned.words[i];
		others.words[i] = whole.words[i] & ~costing->useful.words[i];
	}
	if (pgm_set_empty(&others))
		return true;
	bounds(costing, &whole, &lower, &upper);
	if (lower < upper * SAME_COST_FACTOR &&
	    (upper - lower) * costing->query->weight > run->workload_cost * PEEL_MIN_SHARE &&
	    !explain(run, costing, &whole, err))
		return pgm_error_context(err, "planning a statement again");
	const struct pgm_set used = best_entry(costing, &whole)->used;
	*changed = !pgm_set_within(&used, &costing->useful);
	for (int i = 0; i < PGM_SET_WORDS; i++)
		costing->useful.words[i] |= used.words[i];
	return true;
}

static void count_unplanned(struct pgm_advise_run *run, const struct pgm_error *err)
{
	if (run->unplanned_count++ == 0)
		run->unplanned_example = pgm_strdup(run->arena, err->message);
}

static bool ends_run(const struct pgm_error *err)
{
	return err->kind == PGM_ERR_CONNECT || err->kind == PGM_ERR_CANCELED;
}

bool pgm_costing_new(struct pgm_advise_run *run, struct pgm_query *query, struct pgm_costing **result,
		     struct pgm_error *err)
{
	struct pgm_costing *costing = PGM_NEW(run->arena, struct pgm_costing);
	const struct pgm_set none = {0};
	struct pgm_error problem;
	*result = NULL;
	costing->query = query;
	costing->base_cost = INFINITY;
	bool planned = explain(run, costing, &none, &problem);
	if (!planned && query->generic && !ends_run(&problem)) {
		query->generic = NULL; /* a parameter whose type nothing tells: NULL is better than nothing */
		planned = explain(run, costing, &none, &problem);
	}
	if (!planned) {
		if (ends_run(&problem)) {
			*err = problem;
			return false;
		}
		count_unplanned(run, &problem);
		return true;
	}
	costing->base_cost = costing->entries.items[0].cost;
	*result = costing;
	return true;
}

bool pgm_costing_peel(struct pgm_advise_run *run, struct pgm_costing *costing, struct pgm_error *err)
{
	gather(run, costing);
	if (costing->local_count == 0)
		return true;
	if (!pgm_gin_estimate(run, costing, err) || !peel(run, costing, err))
		return false;
	note_useful(costing);
	return true;
}
