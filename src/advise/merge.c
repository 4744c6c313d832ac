#include "advise/merge.h"

#include "advise/size.h"
#include "advise/whatif.h"

#include <string.h>

#define LOSS_SHARE_MAX \
	0.01 /* of what a statement costs today, for which it may be dearer with the merged one */
#define LOSS_RATIO_MAX 2.0  /* and how many times dearer than with the two */
#define TRIVIAL_COST   40.0 /* planner units: below it the ratio does not matter */

struct merger {
	struct pgm_advise_run *run;
	struct pgm_costing *const *costings;
	size_t count;
	struct pgm_selection *selection;
};

/* The keys of long_one with the other columns of both; false: they do not begin alike, or it is too wide. */
static bool merged(const struct pgm_advise_run *run, const struct pgm_index_def *long_one,
		   const struct pgm_index_def *short_one, struct pgm_index_def *out)
{
	struct pgm_index_def keys_only = *short_one;
	double width = 0;
	keys_only.include_count = 0;
	if (!pgm_index_def_covers(long_one, &keys_only) || strcmp(long_one->method, "btree") != 0)
		return false;
	*out = *long_one;
	for (size_t i = 0; i < short_one->include_count; i++) {
		if (pgm_index_def_has_column(out, short_one->include[i]))
			continue;
		if (out->include_count == PGM_INDEX_INCLUDE_MAX)
			return false;
		out->include[out->include_count++] = short_one->include[i];
	}
	for (size_t i = 0; i < out->include_count; i++)
		width += out->include[i]->length_bytes > 0 ? out->include[i]->length_bytes
							   : out->include[i]->width_bytes;
	return width <= (double)run->options->max_include_bytes;
}

static struct pgm_candidate *candidate_for(struct merger *merger, const struct pgm_index_def *def,
					   const struct pgm_candidate *like)
{
	struct pgm_advise_run *run = merger->run;
	struct pgm_error ignored;
	char *text = pgm_index_def_create(run->arena, def, NULL, false);
	struct pgm_candidate *candidate = pgm_map_get(&run->candidates_by_text, text);
	if (candidate)
		return candidate->impossible ? NULL : candidate;
	candidate = PGM_NEW(run->arena, struct pgm_candidate);
	*candidate = *like;
	candidate->def = *def;
	candidate->name = NULL;
	candidate->body = pgm_index_def_body(run->arena, def);
	candidate->id = (int)run->candidates.count;
	candidate->size_bytes = candidate->budget_bytes = pgm_size_estimate(def);
	bool fits;
	if (!pgm_candidate_fits(run, candidate, &fits, &ignored) || !fits)
		return NULL;
	if (run->options->hypopg_sizes &&
	    !run->whatif->ops->accept(run->whatif->self, candidate, &candidate->budget_bytes, &ignored))
		return NULL;
	*pgm_vec_add(run->arena, &run->candidates) = candidate;
	pgm_map_set(&run->candidates_by_text, text, candidate);
	pgm_write_costs(run);
	for (size_t i = 0; i < merger->count; i++) {
		struct pgm_costing *costing = merger->costings[i];
		if (costing->local_count == PGM_ADVISE_QUERY_CANDIDATES ||
		    !pgm_candidate_relevant(run, candidate, costing->query))
			continue;
		pgm_set_add(&costing->planned, (int)costing->local_count);
		costing->locals[costing->local_count++] = candidate;
	}
	return candidate;
}

static bool knows(const struct pgm_costing *costing, const struct pgm_candidate *candidate)
{
	return candidate && pgm_costing_local(costing, candidate) >= 0;
}

/* The chosen ones without two of them, and with one in their place. */
static struct pgm_set set_with(const struct merger *merger, const struct pgm_costing *costing,
			       const struct pgm_candidate *a, const struct pgm_candidate *b,
			       const struct pgm_candidate *one)
{
	const struct pgm_selection *selection = merger->selection;
	struct pgm_set set = pgm_selection_set(costing, selection->chosen, selection->count, a);
	int local = b ? pgm_costing_local(costing, b) : -1;
	if (local >= 0)
		pgm_set_remove(&set, local);
	local = one ? pgm_costing_local(costing, one) : -1;
	if (local >= 0)
		pgm_set_add(&set, local);
	return set;
}

static bool serves_as_well(struct merger *merger, const struct pgm_candidate *a,
			   const struct pgm_candidate *b, const struct pgm_candidate *one, bool *well,
			   struct pgm_error *err)
{
	*well = false;
	for (size_t i = 0; i < merger->count; i++) {
		struct pgm_costing *costing = merger->costings[i];
		double before, after;
		if (!knows(costing, a) && !knows(costing, b))
			continue;
		struct pgm_set two = set_with(merger, costing, NULL, NULL, NULL);
		struct pgm_set merged_set = set_with(merger, costing, a, b, one);
		if (!pgm_costing_cost(merger->run, costing, &two, &before, err) ||
		    !pgm_costing_cost(merger->run, costing, &merged_set, &after, err))
			return false;
		if (after - before > costing->base_cost * LOSS_SHARE_MAX)
			return true;
		if (after > TRIVIAL_COST && after > before * LOSS_RATIO_MAX)
			return true;
	}
	*well = true;
	return true;
}

static void replace_two(struct pgm_selection *selection, size_t a, size_t b, struct pgm_candidate *one)
{
	size_t first = a < b ? a : b, second = a < b ? b : a;
	selection->chosen[first] = one;
	memmove(&selection->chosen[second], &selection->chosen[second + 1],
		(selection->count - second - 1) * sizeof(*selection->chosen));
	selection->count--;
}

/* One merge, if there is one. */
static bool merge_one(struct merger *merger, bool *done, struct pgm_error *err)
{
	struct pgm_selection *selection = merger->selection;
	*done = false;
	for (size_t a = 0; a < selection->count; a++)
		for (size_t b = 0; b < selection->count; b++) {
			struct pgm_candidate *longer = selection->chosen[a], *shorter = selection->chosen[b];
			struct pgm_index_def def;
			if (a == b || longer->def.table != shorter->def.table ||
			    !merged(merger->run, &longer->def, &shorter->def, &def))
				continue;
			struct pgm_candidate *one = candidate_for(merger, &def, longer);
			bool well;
			if (!one || one->budget_bytes > longer->budget_bytes + shorter->budget_bytes ||
			    one->write_cost > longer->write_cost + shorter->write_cost)
				continue;
			if (!serves_as_well(merger, longer, shorter, one, &well, err))
				return false;
			if (!well)
				continue;
			replace_two(selection, a, b, one);
			*done = true;
			return true;
		}
	return true;
}

static bool count_benefits(struct merger *merger, struct pgm_error *err)
{
	struct pgm_selection *selection = merger->selection;
	selection->budget_bytes = 0;
	for (size_t c = 0; c < selection->count; c++) {
		selection->benefits[c] = -selection->chosen[c]->write_cost;
		selection->budget_bytes += selection->chosen[c]->budget_bytes;
		for (size_t i = 0; i < merger->count; i++) {
			struct pgm_costing *costing = merger->costings[i];
			double with, without;
			if (!knows(costing, selection->chosen[c]))
				continue;
			struct pgm_set all = set_with(merger, costing, NULL, NULL, NULL);
			struct pgm_set others = set_with(merger, costing, selection->chosen[c], NULL, NULL);
			if (!pgm_costing_cost(merger->run, costing, &all, &with, err) ||
			    !pgm_costing_cost(merger->run, costing, &others, &without, err))
				return false;
			selection->benefits[c] += costing->query->weight * (without - with);
		}
	}
	return true;
}

bool pgm_merge(struct pgm_advise_run *run, struct pgm_costing *const *costings, size_t count,
	       struct pgm_selection *selection, struct pgm_error *err)
{
	struct merger merger = {run, costings, count, selection};
	bool any = false, done;
	do {
		if (!merge_one(&merger, &done, err))
			return pgm_error_context(err, "merging proposals");
		any |= done;
	} while (done);
	return !any || count_benefits(&merger, err);
}
