#include "advise/select.h"

#include "advise/search.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define NEGLIGIBLE_SHARE  5e-4 /* of the workload: a statement that can gain less is not asked about */
#define ALL_SHARE_DIVISOR 50   /* min_gain of one statement weighs like a fiftieth of it of them all */
#define NOTICEABLE_COST	  40.0 /* planner units: ten random pages */
#define NOTICEABLE_RATIO  4.0
#define ROUNDS_MAX	  3

double pgm_search_weight(const struct search *search, size_t costing)
{
	return search->costings[costing]->query->weight;
}

static struct pgm_set set_of(const struct search *search, size_t index)
{
	const struct pgm_costing *costing = search->costings[index];
	struct pgm_set set = {0};
	for (size_t i = 0; i < costing->local_count; i++)
		if (search->chosen[costing->locals[i]->id])
			pgm_set_add(&set, (int)i);
	return set;
}

/* What is chosen with the move made, as one statement sees it. */
struct pgm_set pgm_search_set_after(const struct search *search, const struct move *move, size_t index)
{
	const struct pgm_costing *costing = search->costings[index];
	struct pgm_set set = set_of(search, index);
	for (size_t i = 0; i < move->add_count; i++) {
		int local = pgm_costing_local(costing, move->adds[i]);
		if (local >= 0)
			pgm_set_add(&set, local);
	}
	int gone = move->removes ? pgm_costing_local(costing, move->removes) : -1;
	if (gone >= 0)
		pgm_set_remove(&set, gone);
	return set;
}

static struct pgm_set alone_set(const struct search *search, const struct move *move, size_t index)
{
	struct pgm_set set = {0};
	for (size_t i = 0; i < move->add_count; i++) {
		int local = pgm_costing_local(search->costings[index], move->adds[i]);
		if (local >= 0)
			pgm_set_add(&set, local);
	}
	return set;
}

size_t pgm_search_touched(const struct search *search, const struct move *move, int *touched)
{
	size_t count = 0;
	for (size_t i = 0; i <= move->add_count; i++) {
		const struct pgm_candidate *candidate = i < move->add_count ? move->adds[i] : move->removes;
		if (!candidate)
			continue;
		const struct places *places = &search->places[candidate->id];
		for (size_t p = 0; p < places->count; p++) {
			bool known = false;
			for (size_t t = 0; t < count; t++)
				known |= touched[t] == (int)places->items[p].costing;
			if (!known)
				touched[count++] = (int)places->items[p].costing;
		}
	}
	return count;
}

double pgm_move_write_cost(const struct move *move)
{
	double cost = move->removes ? -move->removes->write_cost : 0;
	for (size_t i = 0; i < move->add_count; i++)
		cost += move->adds[i]->write_cost;
	return cost;
}

/* How much the statement can still gain by the move, at most. */
static double potential(const struct search *search, const struct move *move, size_t costing)
{
	struct pgm_set set = pgm_search_set_after(search, move, costing);
	double lower, upper, gain;
	pgm_costing_bounds(search->costings[costing], &set, &lower, &upper);
	gain = search->current[costing] - lower;
	if (!move->removes) {
		/* What it gives beside others is rarely more than what it can give alone. */
		struct pgm_set alone = alone_set(search, move, costing);
		pgm_costing_bounds(search->costings[costing], &alone, &lower, &upper);
		gain = fmin(gain, search->costings[costing]->base_cost - lower);
	}
	return pgm_search_weight(search, costing) * gain;
}

static void bound(struct search *search, struct move *move)
{
	size_t count = pgm_search_touched(search, move, search->touched);
	double benefit = -pgm_move_write_cost(move);
	for (size_t i = 0; i < count; i++)
		benefit += potential(search, move, (size_t)search->touched[i]);
	move->exact = false;
	/* What is chosen since can only have taken some of the benefit away. */
	move->benefit = fmin(benefit, move->last_exact);
}

/* Benefit for each byte. */
static double score_of(double benefit, double size_bytes)
{
	return benefit <= 0 ? -1 : benefit / fmax(size_bytes, PGM_PAGE_BYTES);
}

struct share {
	size_t costing;
	double potential;
};

static int compare_share(const void *a, const void *b)
{
	const struct share *left = a, *right = b;
	if (left->potential != right->potential)
		return left->potential < right->potential ? 1 : -1;
	return (left->costing > right->costing) - (left->costing < right->costing);
}

/*
 * What a step down in cost is worth to those who wait for the statement: the share that it saves of what
 * the statement costs today. A step that is small by that measure still counts where the statement is not
 * trivial and becomes several times cheaper: that is what covering indexes are for. Nobody waits for one that
 * costs next to nothing as it is: else each advice, once applied, would lead to another.
 */
static double worth(const struct search *search, size_t costing, double before, double after)
{
	if (search->costings[costing]->base_cost < NOTICEABLE_COST)
		return 0;
	double share = (before - after) / fmax(search->costings[costing]->base_cost, 1e-9);
	if (before >= NOTICEABLE_COST && after * NOTICEABLE_RATIO <= before)
		share = fmax(share, 1 - after / before);
	return share;
}

/*
 * The exact benefit, statement by statement, those that can gain most first. It stops early where what is
 * left cannot make the move better than best_score: then the benefit is a tighter bound.
 */
static bool evaluate(struct search *search, struct move *move, double best_score, struct pgm_error *err)
{
	PGM_AUTO_ARENA scratch = pgm_arena_new(0);
	size_t count = pgm_search_touched(search, move, search->touched);
	struct share *shares = PGM_NEW_ARRAY(scratch, struct share, count + 1);
	double left = 0, gained = -pgm_move_write_cost(move);
	for (size_t i = 0; i < count; i++) {
		size_t costing = (size_t)search->touched[i];
		shares[i] = (struct share){costing, potential(search, move, costing)};
		left += shares[i].potential;
	}
	if (count)
		qsort(shares, count, sizeof(*shares), compare_share);
	move->best_ratio = 0;
	for (size_t i = 0; i < count; i++) {
		if (score_of(gained + left, move->size_bytes) < best_score) {
			move->benefit = fmin(move->benefit, gained + left);
			return true;
		}
		left -= shares[i].potential;
		size_t costing = shares[i].costing;
		if (!move->removes && fabs(shares[i].potential) < search->workload_cost * NEGLIGIBLE_SHARE &&
		    shares[i].potential <
			    search->current[costing] * pgm_search_weight(search, costing) * 0.05)
			continue;
		struct pgm_set set = pgm_search_set_after(search, move, costing);
		double cost;
		if (!pgm_costing_cost(search->run, search->costings[costing], &set, &cost, err))
			return false;
		gained += pgm_search_weight(search, costing) * (search->current[costing] - cost);
		move->best_ratio =
			fmax(move->best_ratio, worth(search, costing, search->current[costing], cost));
	}
	move->benefit = move->last_exact = gained;
	move->exact = true;
	return true;
}

static bool significant(const struct search *search, double benefit, double ratio)
{
	double gain = search->run->options->min_gain;
	if (benefit <= 0)
		return false;
	/* Trivial statements alone must save that much of everything. */
	double share = ratio > 0 ? gain / ALL_SHARE_DIVISOR : gain;
	return ratio >= gain || benefit >= share * search->workload_cost;
}

/* ---- moves ---- */

static bool allowed(const struct search *search, const struct move *move)
{
	for (size_t i = 0; i < move->add_count; i++)
		if (search->chosen[move->adds[i]->id] || move->adds[i] == search->banned)
			return false;
	return !move->removes || search->chosen[move->removes->id];
}

static void add_move(struct search *search, struct move move)
{
	move.last_exact = INFINITY;
	move.size_bytes = move.removes ? -move.removes->budget_bytes : 0;
	for (size_t i = 0; i < move.add_count; i++)
		move.size_bytes += move.adds[i]->budget_bytes;
	*pgm_vec_add(search->run->arena, &search->moves) = move;
}

static void make_moves(struct search *search)
{
	struct pgm_advise_run *run = search->run;
	search->moves.count = 0;
	for (size_t i = 0; i < run->candidates.count; i++)
		if (search->places[i].count)
			add_move(search, (struct move){.adds = {run->candidates.items[i]}, .add_count = 1});
	for (size_t c = 0; c < search->count; c++) {
		const struct pgm_costing *costing = search->costings[c];
		for (size_t t = 0; t < costing->tiers.count; t++) {
			struct move move = {0};
			size_t members = 0;
			for (size_t i = 0; i < costing->local_count; i++)
				if (pgm_set_has(&costing->tiers.items[t], (int)i) &&
				    members++ < PGM_MOVE_ADDS_MAX)
					move.adds[move.add_count++] = costing->locals[i];
			if (move.add_count > 1 && members == move.add_count)
				add_move(search, move);
		}
	}
}

/* Members of a tier that are chosen already need not be added again. */
static bool trim(const struct search *search, struct move *move)
{
	size_t kept = 0;
	if (move->removes)
		return allowed(search, move);
	for (size_t i = 0; i < move->add_count; i++) {
		if (!search->chosen[move->adds[i]->id])
			move->adds[kept++] = move->adds[i];
		else
			move->size_bytes -= move->adds[i]->budget_bytes;
	}
	if (kept != move->add_count)
		move->last_exact = INFINITY;
	move->add_count = kept;
	return kept > 0;
}

/* A chosen index made wider: another candidate that serves all that it serves takes its place. */
static void make_widenings(struct search *search, struct pgm_candidate *narrow)
{
	struct pgm_advise_run *run = search->run;
	for (size_t i = 0; i < run->candidates.count; i++) {
		struct pgm_candidate *wide = run->candidates.items[i];
		if (wide == narrow || search->places[i].count == 0 || wide->def.table != narrow->def.table ||
		    !pgm_index_def_covers(&wide->def, &narrow->def))
			continue;
		add_move(search, (struct move){.adds = {wide}, .add_count = 1, .removes = narrow});
	}
}

bool pgm_search_apply(struct search *search, const struct move *move, struct pgm_error *err)
{
	size_t count = pgm_search_touched(search, move, search->touched);
	for (size_t i = 0; i < move->add_count; i++)
		search->chosen[move->adds[i]->id] = true;
	if (move->removes)
		search->chosen[move->removes->id] = false;
	search->budget_left -= move->size_bytes;
	for (size_t i = 0; i < count; i++) {
		size_t costing = (size_t)search->touched[i];
		struct pgm_set set = set_of(search, costing);
		if (!pgm_costing_cost(search->run, search->costings[costing], &set, &search->current[costing],
				      err))
			return false;
	}
	return true;
}

double pgm_search_cost(const struct search *search)
{
	double cost = 0;
	for (size_t i = 0; i < search->count; i++)
		cost += pgm_search_weight(search, i) * search->current[i];
	for (size_t i = 0; i < search->run->candidates.count; i++)
		if (search->chosen[i])
			cost += search->run->candidates.items[i]->write_cost;
	return cost;
}

static int compare_score(const void *a, const void *b)
{
	const struct move *left = *(const struct move *const *)a, *right = *(const struct move *const *)b;
	double x = score_of(left->benefit, left->size_bytes), y = score_of(right->benefit, right->size_bytes);
	return x != y ? (x < y ? 1 : -1) : (left > right) - (left < right);
}

/* Whether what is left of the budget could gain enough: as if every move kept its bound, and could be cut. */
static bool within_reach(const struct search *search)
{
	double left = search->budget_left, cost = pgm_search_cost(search);
	if (isinf(search->cost_to_beat))
		return true;
	PGM_AUTO_ARENA scratch = pgm_arena_new(0);
	const struct move **order = PGM_NEW_ARRAY(scratch, const struct move *, search->moves.count + 1);
	size_t count = 0;
	for (size_t i = 0; i < search->moves.count; i++) {
		const struct move *move = &search->moves.items[i];
		if (move->benefit > 0 && move->size_bytes <= search->budget_left && move->add_count == 1)
			order[count++] = move;
	}
	qsort(order, count, sizeof(*order), compare_score);
	for (size_t i = 0; i < count && left > 0; i++) {
		double size = fmax(order[i]->size_bytes, PGM_PAGE_BYTES);
		cost -= order[i]->benefit * fmin(1, left / size);
		left -= size;
	}
	return cost < search->cost_to_beat;
}

/* The best move, exact, or NULL where none is left that pays. */
static bool best_move(struct search *search, struct move **best, struct pgm_error *err)
{
	for (size_t i = 0; i < search->moves.count; i++) {
		struct move *move = &search->moves.items[i];
		if (!trim(search, move) || !allowed(search, move))
			move->benefit = -1, move->exact = true;
		else
			bound(search, move);
	}
	if (!within_reach(search)) {
		*best = NULL;
		return true;
	}
	for (;;) {
		double best_exact = 0, best_bound = 0;
		struct move *exact = NULL, *candidate = NULL;
		for (size_t i = 0; i < search->moves.count; i++) {
			struct move *move = &search->moves.items[i];
			double score = score_of(move->benefit, move->size_bytes);
			if (move->size_bytes > search->budget_left || score <= 0)
				continue;
			if (move->exact && !significant(search, move->benefit, move->best_ratio))
				continue;
			if (move->exact && score > best_exact)
				best_exact = score, exact = move;
			if (!move->exact && score > best_bound)
				best_bound = score, candidate = move;
		}
		if (!candidate || best_bound <= best_exact) {
			*best = exact;
			return true;
		}
		if (!evaluate(search, candidate, best_exact, err))
			return false;
	}
}

bool pgm_search_grow(struct search *search, struct pgm_error *err)
{
	struct move *move;
	make_moves(search);
	for (size_t i = 0; i < search->run->candidates.count; i++)
		if (search->chosen[i])
			make_widenings(search, search->run->candidates.items[i]);
	for (;;) {
		if (!best_move(search, &move, err))
			return false;
		if (!move)
			return true;
		struct move made = *move;
		if (!pgm_search_apply(search, &made, err))
			return false;
		for (size_t i = 0; i < made.add_count; i++)
			make_widenings(search, made.adds[i]);
	}
}

/* What the workload would cost more without the candidate, and the largest share for one statement. */
static bool loss_without(struct search *search, struct pgm_candidate *candidate, double *loss, double *ratio,
			 struct pgm_error *err)
{
	struct move move = {.removes = candidate};
	size_t count = pgm_search_touched(search, &move, search->touched);
	*loss = -candidate->write_cost;
	*ratio = 0;
	for (size_t i = 0; i < count; i++) {
		size_t costing = (size_t)search->touched[i];
		struct pgm_set set = pgm_search_set_after(search, &move, costing);
		double cost;
		if (!pgm_costing_cost(search->run, search->costings[costing], &set, &cost, err))
			return false;
		*loss += pgm_search_weight(search, costing) * (cost - search->current[costing]);
		*ratio = fmax(*ratio, worth(search, costing, cost, search->current[costing]));
	}
	return true;
}

/* Take out what no longer pays, the least useful first. */
bool pgm_search_shrink(struct search *search, bool *changed, struct pgm_error *err)
{
	*changed = false;
	for (;;) {
		struct pgm_candidate *worst = NULL;
		double worst_loss = INFINITY;
		for (size_t i = 0; i < search->run->candidates.count; i++) {
			double loss, ratio;
			if (!search->chosen[i])
				continue;
			if (!loss_without(search, search->run->candidates.items[i], &loss, &ratio, err))
				return false;
			if (!significant(search, loss, ratio) && loss < worst_loss)
				worst_loss = loss, worst = search->run->candidates.items[i];
		}
		if (!worst)
			return true;
		struct move out = {.removes = worst, .size_bytes = -worst->budget_bytes};
		if (!pgm_search_apply(search, &out, err))
			return false;
		*changed = true;
	}
}

static void start_over(struct search *search)
{
	const struct pgm_advise_options *options = search->run->options;
	memset(search->chosen, 0, search->run->candidates.count);
	search->budget_left = options->budget_bytes > 0 ? (double)options->budget_bytes : INFINITY;
	for (size_t i = 0; i < search->count; i++)
		search->current[i] = search->costings[i]->base_cost;
}

static void map_places(struct search *search)
{
	struct pgm_arena *arena = search->run->arena;
	search->places = PGM_NEW_ARRAY(arena, struct places, search->run->candidates.count + 1);
	for (size_t c = 0; c < search->count; c++)
		for (size_t i = 0; i < search->costings[c]->local_count; i++)
			if (pgm_set_has(&search->costings[c]->useful, (int)i))
				*pgm_vec_add(arena, &search->places[search->costings[c]->locals[i]->id]) =
					(struct place){c, (int)i};
}

bool pgm_search_reconsider(struct search *search, const double *before, bool *changed, struct pgm_error *err)
{
	*changed = false;
	for (size_t c = 0; c < search->count; c++) {
		if (before && search->current[c] <= before[c])
			continue;
		struct pgm_set set = set_of(search, c);
		bool more;
		if (!pgm_costing_reconsider(search->run, search->costings[c], &set, &more, err) ||
		    (more &&
		     !pgm_costing_cost(search->run, search->costings[c], &set, &search->current[c], err)))
			return false;
		*changed |= more;
	}
	if (*changed)
		map_places(search);
	return true;
}

static bool search_once(struct search *search, struct pgm_error *err)
{
	start_over(search);
	for (int round = 0; round < ROUNDS_MAX; round++) {
		bool shrunk, reconsidered;
		if (!pgm_search_grow(search, err) ||
		    !pgm_search_reconsider(search, NULL, &reconsidered, err) ||
		    !pgm_search_shrink(search, &shrunk, err))
			return false;
		if (!shrunk && !reconsidered)
			break;
	}
	return true;
}

static bool take_result(struct search *search, struct pgm_selection *selection, struct pgm_error *err)
{
	struct pgm_advise_run *run = search->run;
	*selection = (struct pgm_selection){0};
	selection->chosen = PGM_NEW_ARRAY(run->arena, struct pgm_candidate *, run->candidates.count + 1);
	selection->benefits = PGM_NEW_ARRAY(run->arena, double, run->candidates.count + 1);
	selection->cost = pgm_search_cost(search);
	for (size_t i = 0; i < run->candidates.count; i++) {
		double loss, ratio;
		if (!search->chosen[i])
			continue;
		if (!loss_without(search, run->candidates.items[i], &loss, &ratio, err))
			return false;
		selection->benefits[selection->count] = loss;
		selection->budget_bytes += run->candidates.items[i]->budget_bytes;
		selection->chosen[selection->count++] = run->candidates.items[i];
	}
	return true;
}

bool pgm_select(struct pgm_advise_run *run, struct pgm_costing *const *costings, size_t count,
		struct pgm_selection *selection, struct pgm_error *err)
{
	struct search search = {.run = run, .costings = costings, .count = count, .cost_to_beat = INFINITY};
	search.chosen = PGM_NEW_ARRAY(run->arena, bool, run->candidates.count + 1);
	search.current = PGM_NEW_ARRAY(run->arena, double, count + 1);
	search.touched = PGM_NEW_ARRAY(run->arena, int, count + 1);
	map_places(&search);
	start_over(&search);
	search.workload_cost = pgm_search_cost(&search);
	if (!search_once(&search, err) ||
	    (run->options->budget_bytes > 0 && !pgm_search_improve(&search, err)))
		return false;
	return take_result(&search, selection, err);
}

struct pgm_set pgm_selection_set(const struct pgm_costing *costing, struct pgm_candidate *const *chosen,
				 size_t count, const struct pgm_candidate *without)
{
	struct pgm_set set = {0};
	for (size_t i = 0; i < count; i++) {
		int local = chosen[i] == without ? -1 : pgm_costing_local(costing, chosen[i]);
		if (local >= 0)
			pgm_set_add(&set, local);
	}
	return set;
}
