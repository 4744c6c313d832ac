#include "serve/watch/top.h"

#include <stdlib.h>

#define FADE	   0.966 /* to the 20th: a half */
#define FIRST_PART 0.05

struct known {
	uint64_t id;
	double counter, score;
	bool in;
};

struct pgm_top {
	size_t places;
	struct known *known; /* by id */
	size_t known_count;
};

struct rank {
	size_t item;
	double score;
	bool was_in;
};

struct pgm_top *pgm_top_new(size_t places)
{
	struct pgm_top *top = calloc(1, sizeof(*top));
	if (!top)
		abort();
	top->places = places;
	return top;
}

void pgm_top_free(struct pgm_top *top)
{
	if (top)
		free(top->known);
	free(top);
}

static int by_id(const void *a, const void *b)
{
	const struct known *x = a, *y = b;
	return x->id < y->id ? -1 : x->id > y->id;
}

static int by_score(const void *a, const void *b)
{
	const struct rank *x = a, *y = b;
	if (x->score != y->score)
		return x->score > y->score ? -1 : 1;
	return x->item < y->item ? -1 : x->item > y->item;
}

static double score_of(const struct known *before, const struct pgm_top_item *item)
{
	if (!before)
		return item->counter * FIRST_PART;
	/* after a reset it begins at nothing */
	double grown = item->counter >= before->counter ? item->counter - before->counter : item->counter;
	return before->score * FADE + grown;
}

/* Who stays, then who is best of the others: at most as many as there are places. */
static size_t take_places(const struct pgm_top *top, const struct rank *ranks, size_t count, bool *in)
{
	size_t stay_below = top->places + top->places / 2, taken = 0;
	for (size_t r = 0; r < count && r < stay_below && taken < top->places; r++)
		if (ranks[r].was_in || r < top->places / 2) {
			in[r] = true;
			taken++;
		}
	for (size_t r = 0; r < count && taken < top->places; r++)
		if (!in[r]) {
			in[r] = true;
			taken++;
		}
	return taken;
}

size_t pgm_top_choose(struct pgm_top *top, const struct pgm_top_item *items, size_t count, size_t *ranked)
{
	struct known *now = calloc(count + 1, sizeof(*now));
	struct rank *ranks = calloc(count + 1, sizeof(*ranks));
	bool *in = calloc(count + 1, sizeof(*in));
	if (!now || !ranks || !in)
		abort();
	for (size_t i = 0; i < count; i++) {
		struct known key = {.id = items[i].id};
		const struct known *before = top->known_count ? bsearch(&key, top->known, top->known_count,
									sizeof(*top->known), by_id)
							      : NULL;
		now[i] = (struct known){
			.id = items[i].id, .counter = items[i].counter, .score = score_of(before, &items[i])};
		ranks[i] = (struct rank){
			.item = i, .score = now[i].score + items[i].weight, .was_in = before && before->in};
	}
	if (count)
		qsort(ranks, count, sizeof(*ranks), by_score);
	size_t taken = take_places(top, ranks, count, in), given = 0;
	for (size_t r = 0; r < count && given < taken; r++)
		if (in[r]) {
			now[ranks[r].item].in = true;
			ranked[given++] = ranks[r].item;
		}
	if (count)
		qsort(now, count, sizeof(*now), by_id);
	free(top->known);
	top->known = now;
	top->known_count = count;
	free(ranks);
	free(in);
	return given;
}

size_t pgm_top_ids(const struct pgm_top *top, uint64_t *ids)
{
	size_t count = 0;
	for (size_t i = 0; i < top->known_count && count < top->places; i++)
		if (top->known[i].in)
			ids[count++] = top->known[i].id;
	return count;
}
