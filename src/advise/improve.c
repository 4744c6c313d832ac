#include "advise/search.h"

#include "advise/whatif.h"

#include <math.h>
#include <string.h>

#define IMPROVEMENT_EXPLAINS_SHARE 0.1	/* of those that the search needed: what improving may add */
#define IMPROVEMENT_MIN_SHARE	   2e-4 /* of the workload: what another use of the space must gain */
#define FREED_MIN_SHARE		   0.01 /* of the budget: less space has no better use worth an EXPLAIN */

/* Take it out, or put a narrower one in its place; grow; keep what comes out if that is better. */
static bool try_instead(struct search *search, struct pgm_candidate *candidate, struct pgm_candidate *narrow,
			bool *better, struct pgm_error *err)
{
	size_t candidates = search->run->candidates.count;
	PGM_AUTO_ARENA scratch = pgm_arena_new(0);
	bool *chosen = PGM_NEW_ARRAY(scratch, bool, candidates + 1), changed;
	double *current = PGM_NEW_ARRAY(scratch, double, search->count + 1);
	double before = pgm_search_cost(search), budget_left = search->budget_left;
	struct move out = {.removes = candidate, .size_bytes = -candidate->budget_bytes};
	if (narrow) {
		out.adds[out.add_count++] = narrow;
		out.size_bytes += narrow->budget_bytes;
	}
	memcpy(chosen, search->chosen, candidates * sizeof(*chosen));
	memcpy(current, search->current, search->count * sizeof(*current));
	if (!pgm_search_apply(search, &out, err) || !pgm_search_reconsider(search, current, &changed, err))
		return false;
	search->banned = candidate;
	search->cost_to_beat = before * (1 - IMPROVEMENT_MIN_SHARE);
	bool ok = pgm_search_grow(search, err) && pgm_search_shrink(search, &changed, err);
	search->banned = NULL;
	search->cost_to_beat = INFINITY;
	*better = ok && pgm_search_cost(search) < before * (1 - IMPROVEMENT_MIN_SHARE);
	if (*better)
		return true;
	memcpy(search->chosen, chosen, candidates * sizeof(*chosen));
	memcpy(search->current, current, search->count * sizeof(*current));
	search->budget_left = budget_left;
	return ok;
}

/* What the workload would lose, as far as is known without an EXPLAIN: the middle of the bounds. */
static double likely_loss(const struct search *search, const struct move *move)
{
	size_t count = pgm_search_touched(search, move, search->touched);
	double loss = pgm_move_write_cost(move);
	for (size_t i = 0; i < count; i++) {
		size_t costing = (size_t)search->touched[i];
		struct pgm_set set = pgm_search_set_after(search, move, costing);
		double lower, upper;
		pgm_costing_bounds(search->costings[costing], &set, &lower, &upper);
		loss += pgm_search_weight(search, costing) * ((lower + upper) / 2 - search->current[costing]);
	}
	return loss;
}

/* One way to free space: a chosen index away, or a narrower one in its place. */
struct trial {
	struct pgm_candidate *candidate;
	struct pgm_candidate *narrow; /* or NULL */
	double loss_per_byte;
	bool tried;
};

struct trials {
	struct trial *items;
	size_t count;
	size_t capacity;
};

static void add_trial(struct search *search, struct trials *trials, struct pgm_candidate *candidate,
		      struct pgm_candidate *narrow)
{
	for (size_t i = 0; i < trials->count; i++)
		if (trials->items[i].candidate == candidate && trials->items[i].narrow == narrow)
			return;
	*pgm_vec_add(search->run->arena, trials) = (struct trial){candidate, narrow, 0, false};
}

static void add_trials(struct search *search, struct trials *trials)
{
	const struct pgm_advise_run *run = search->run;
	for (size_t c = 0; c < run->candidates.count; c++) {
		struct pgm_candidate *candidate = run->candidates.items[c];
		if (!search->chosen[c])
			continue;
		add_trial(search, trials, candidate, NULL);
		for (size_t i = 0; i < run->candidates.count; i++) {
			struct pgm_candidate *narrow = run->candidates.items[i];
			if (narrow != candidate && !search->chosen[i] && search->places[i].count &&
			    narrow->def.table == candidate->def.table &&
			    narrow->budget_bytes < candidate->budget_bytes &&
			    pgm_index_def_covers(&candidate->def, &narrow->def))
				add_trial(search, trials, candidate, narrow);
		}
	}
}

/* The one that is likely to lose least for the space that it frees. */
static struct trial *next_trial(struct search *search, struct trials *trials)
{
	struct trial *best = NULL;
	for (size_t i = 0; i < trials->count; i++) {
		struct trial *trial = &trials->items[i];
		if (trial->tried || !search->chosen[trial->candidate->id] ||
		    (trial->narrow && search->chosen[trial->narrow->id]))
			continue;
		struct move move = {.removes = trial->candidate};
		double freed = trial->candidate->budget_bytes;
		if (trial->narrow) {
			move.adds[move.add_count++] = trial->narrow;
			freed -= trial->narrow->budget_bytes;
		}
		if (freed < FREED_MIN_SHARE * (double)search->run->options->budget_bytes)
			continue;
		trial->loss_per_byte = likely_loss(search, &move) / fmax(freed, PGM_PAGE_BYTES);
		if (!best || trial->loss_per_byte < best->loss_per_byte)
			best = trial;
	}
	return best;
}

bool pgm_search_improve(struct search *search, struct pgm_error *err)
{
	const struct pgm_whatif *whatif = search->run->whatif;
	size_t limit =
		whatif->explain_count + (size_t)((double)whatif->explain_count * IMPROVEMENT_EXPLAINS_SHARE);
	struct trials trials = {0};
	struct trial *trial;
	add_trials(search, &trials);
	while (whatif->explain_count < limit && (trial = next_trial(search, &trials))) {
		bool better;
		trial->tried = true;
		if (!try_instead(search, trial->candidate, trial->narrow, &better, err))
			return false;
		if (better)
			add_trials(search, &trials);
	}
	return true;
}
