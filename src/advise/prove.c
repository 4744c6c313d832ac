#include "advise/prove.h"

#include "advise/whatif.h"
#include "pg/quote.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define EFFECT_MIN_SHARE 0.01 /* of a statement's cost: smaller ones are not shown */

static void name_all(struct pgm_advise_run *run, const struct pgm_selection *selection)
{
	struct pgm_map taken;
	pgm_map_init(&taken, run->arena);
	for (size_t i = 0; i < selection->count; i++)
		selection->chosen[i]->name =
			pgm_index_def_name(run->arena, &selection->chosen[i]->def, run->catalog, &taken);
}

static size_t plannable(const struct pgm_selection *selection, struct pgm_candidate **out)
{
	size_t count = 0;
	for (size_t i = 0; i < selection->count; i++)
		if (!selection->chosen[i]->estimated)
			out[count++] = selection->chosen[i];
	return count;
}

struct proof {
	double cost;
	const char *headline;
	bool used[PGM_WHATIF_USED_MAX * PGM_QUERY_VARIANTS_MAX];
	int ids[PGM_WHATIF_USED_MAX * PGM_QUERY_VARIANTS_MAX];
	size_t used_count;
};

/* Plan the statement's texts with the set; what the first one's plan looks like stands for them. */
static bool prove(struct pgm_advise_run *run, const struct pgm_query *query, struct pgm_candidate *const *set,
		  size_t count, struct proof *proof, struct pgm_error *err)
{
	*proof = (struct proof){0};
	for (size_t v = 0; v < query->variant_count; v++) {
		struct pgm_whatif_result result;
		if (!pgm_costing_plan(run, query, v, set, count, &result, err))
			return false;
		proof->cost += result.plan.root->total_cost / (double)query->variant_count;
		if (v == 0)
			proof->headline =
				pgm_strdup(run->arena, pgm_explain_headline(run->arena, &result.plan));
		for (size_t u = 0; u < result.used_count; u++)
			proof->ids[proof->used_count++] = result.used[u];
	}
	return true;
}

static double generic_cost(struct pgm_advise_run *run, const struct pgm_query *query,
			   struct pgm_candidate *const *set, size_t count)
{
	const struct pgm_statement *statement = query->statement;
	struct pgm_whatif_result result;
	struct pgm_error ignored;
	size_t params = 0;
	for (size_t i = 0; i < statement->shape.param_count; i++)
		if ((size_t)statement->shape.params[i].number > params)
			params = (size_t)statement->shape.params[i].number;
	if (!query->values_drawn || query->generic || query->origin == PGM_QUERY_OF_FOREIGN_KEY)
		return -1;
	if (!run->whatif->ops->plan_generic(run->whatif->self, statement->text, params, set, count, &result,
					    &ignored))
		return -1;
	return result.plan.root->total_cost;
}

static const struct pgm_candidate *best_estimated(const struct pgm_costing *costing,
						  const struct pgm_selection *selection, double below)
{
	const struct pgm_candidate *best = NULL;
	for (size_t i = 0; i < selection->count; i++) {
		int local = pgm_costing_local(costing, selection->chosen[i]);
		double estimate = local >= 0 ? costing->estimates[local] : 0;
		if (estimate > 0 && estimate < below)
			below = estimate, best = selection->chosen[i];
	}
	return best;
}

struct gathering {
	struct pgm_advise_run *run;
	const struct pgm_selection *selection;
	PGM_VEC(struct pgm_proposal_effect) * effects; /* by position in the selection */
	PGM_VEC(struct pgm_proposal_effect) losers;
};

static void give_effect(struct gathering *gathering, size_t position,
			const struct pgm_proposal_effect *effect)
{
	struct pgm_arena *arena = gathering->run->arena;
	*pgm_vec_add(arena, &gathering->effects[position]) = *effect;
}

static bool effects_of(struct gathering *gathering, struct pgm_costing *costing, double *before,
		       double *after, struct pgm_error *err)
{
	struct pgm_advise_run *run = gathering->run;
	const struct pgm_selection *selection = gathering->selection;
	struct pgm_candidate **set = PGM_NEW_ARRAY(run->arena, struct pgm_candidate *, selection->count + 1);
	size_t count = plannable(selection, set);
	struct proof with;
	bool touched = false;
	*before = *after = costing->base_cost;
	for (size_t i = 0; i < selection->count; i++)
		touched |= pgm_costing_local(costing, selection->chosen[i]) >= 0;
	if (!touched)
		return true;
	if (!prove(run, costing->query, set, count, &with, err))
		return pgm_error_context(err, "proving the proposals");
	*after = with.cost;
	struct pgm_proposal_effect effect = {.query = costing->query,
					     .cost_before = costing->base_cost,
					     .cost_after = with.cost,
					     .plan_before = costing->base_headline,
					     .plan_after = with.headline,
					     .generic_before = generic_cost(run, costing->query, NULL, 0),
					     .generic_after = generic_cost(run, costing->query, set, count)};
	const struct pgm_candidate *estimated = best_estimated(costing, selection, with.cost);
	if (estimated) {
		effect.estimated = true;
		*after = effect.cost_after = costing->estimates[pgm_costing_local(costing, estimated)];
		effect.plan_after = pgm_sprintf(run->arena, "Bitmap Heap Scan using %s on %s (estimate)",
						estimated->name, estimated->def.table->name);
		effect.generic_before = effect.generic_after = -1;
	}
	if (effect.cost_after > effect.cost_before * 1.01)
		*pgm_vec_add(run->arena, &gathering->losers) = effect;
	if (effect.cost_after > effect.cost_before * (1 - EFFECT_MIN_SHARE))
		return true;
	for (size_t i = 0; i < selection->count; i++) {
		bool uses = selection->chosen[i] == estimated;
		for (size_t u = 0; u < with.used_count && !estimated; u++)
			uses |= with.ids[u] == selection->chosen[i]->id;
		if (uses)
			give_effect(gathering, i, &effect);
	}
	return true;
}

static int compare_gain(const void *a, const void *b)
{
	const struct pgm_proposal_effect *left = a, *right = b;
	double x = (left->cost_before - left->cost_after) * left->query->weight;
	double y = (right->cost_before - right->cost_after) * right->query->weight;
	return (x < y) - (x > y);
}

static int compare_benefit(const void *a, const void *b)
{
	const struct pgm_proposal *left = a, *right = b;
	if (left->benefit != right->benefit)
		return left->benefit < right->benefit ? 1 : -1;
	return strcmp(left->name, right->name);
}

/* Existing indexes that the new one makes needless; never one that a constraint or replication needs. */
static void find_redundant(struct pgm_advise_run *run, struct pgm_proposal *proposal)
{
	const struct pgm_index_def *def = &proposal->candidate->def;
	proposal->redundant =
		PGM_NEW_ARRAY(run->arena, const struct pgm_index *, def->table->index_count + 1);
	for (size_t i = 0; i < def->table->index_count; i++) {
		const struct pgm_index *index = def->table->indexes[i];
		struct pgm_index_def existing;
		if (index->unique || index->constraint || index->replica_identity || !index->valid ||
		    !pgm_index_def_of(index, &existing) || !pgm_index_def_covers(def, &existing))
			continue;
		proposal->redundant[proposal->redundant_count++] = index;
	}
}

/*
 * A rough guess of the build under CONCURRENTLY: two scans of the table and a sort. 2 million rows with
 * three columns took 1.8 s (0.9 us a row) where it was measured.
 */
static double build_ms(const struct pgm_candidate *candidate)
{
	double entries =
		candidate->def.table->tuples * (candidate->estimated ? fmax(candidate->gin_entries, 1) : 1);
	double share = candidate->def.predicate ? candidate->def.predicate_share : 1;
	return candidate->def.table->pages * 0.004 + entries * share * 0.0007 + candidate->size_bytes / 200e3;
}

static void note_dear_writes(struct pgm_advise_run *run, struct pgm_costing *const *costings, size_t count,
			     const struct pgm_selection *selection)
{
	for (size_t i = 0; i < run->candidates.count; i++) {
		const struct pgm_candidate *candidate = run->candidates.items[i];
		double gain = 0;
		bool taken = false;
		for (size_t s = 0; s < selection->count; s++)
			taken |= selection->chosen[s] == candidate;
		for (size_t c = 0; c < count && !taken; c++) {
			int local = pgm_costing_local(costings[c], candidate);
			struct pgm_set alone = {0};
			double lower, upper;
			if (local < 0)
				continue;
			pgm_set_add(&alone, local);
			pgm_costing_bounds(costings[c], &alone, &lower, &upper);
			gain += costings[c]->query->weight * (costings[c]->base_cost - lower);
		}
		if (!taken && gain > 0 && candidate->write_cost > gain)
			pgm_advise_notes_add(
				&run->notes,
				pgm_sprintf(run->arena, "%s %s",
					    pgm_quote_qualified(run->arena, candidate->def.table->schema,
								candidate->def.table->name),
					    candidate->body),
				"its writes would cost more than the reads gain");
	}
}

bool pgm_prove(struct pgm_advise_run *run, struct pgm_costing *const *costings, size_t count,
	       const struct pgm_selection *selection, struct pgm_advice *advice, struct pgm_error *err)
{
	struct pgm_arena *arena = run->arena;
	struct gathering gathering = {.run = run, .selection = selection};
	gathering.effects = pgm_arena_alloc(arena, sizeof(*gathering.effects) * (selection->count + 1));
	name_all(run, selection);
	for (size_t i = 0; i < count; i++) {
		double before, after;
		if (!effects_of(&gathering, costings[i], &before, &after, err))
			return false;
		advice->cost_before += costings[i]->query->weight * before;
		advice->cost_after += costings[i]->query->weight * after;
	}
	advice->proposals = PGM_NEW_ARRAY(arena, struct pgm_proposal, selection->count + 1);
	for (size_t i = 0; i < selection->count; i++) {
		struct pgm_candidate *candidate = selection->chosen[i];
		struct pgm_proposal *proposal = &advice->proposals[advice->proposal_count++];
		*proposal = (struct pgm_proposal){.candidate = candidate,
						  .name = candidate->name,
						  .benefit = selection->benefits[i],
						  .build_ms = build_ms(candidate),
						  .write_overhead = pgm_write_overhead(run, candidate),
						  .effects = gathering.effects[i].items,
						  .effect_count = gathering.effects[i].count};
		if (proposal->effect_count)
			qsort(proposal->effects, proposal->effect_count, sizeof(*proposal->effects),
			      compare_gain);
		find_redundant(run, proposal);
		advice->size_bytes += candidate->size_bytes;
		advice->hypopg_bytes += candidate->budget_bytes;
	}
	if (advice->proposal_count)
		qsort(advice->proposals, advice->proposal_count, sizeof(*advice->proposals), compare_benefit);
	advice->losers = gathering.losers.items;
	advice->loser_count = gathering.losers.count;
	note_dear_writes(run, costings, count, selection);
	return true;
}
