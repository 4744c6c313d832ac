/*
 * Which few of many get a series of their own: those that did the most of late. Whoever is in stays in until
 * it falls well behind (a rank of one and a half times the places), so that two that are close do not take
 * turns: a monitoring system keeps a series for each that it ever saw.
 *
 * Belongs to one thread. Memory: 32 bytes for each object of the last call.
 */
#ifndef PGM_SERVE_TOP_H
#define PGM_SERVE_TOP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct pgm_top;

struct pgm_top_item {
	uint64_t id;
	double counter; /* of its work: only grows, but for resets */
	double weight;	/* beside the work, as it is: its size */
};

struct pgm_top *pgm_top_new(size_t places);
void pgm_top_free(struct pgm_top *top); /* NULL is fine */

/*
 * Choose: ranked gets the indexes into items of those that are in, the first first; it has room for as many
 * as there are places. Returns how many. What a counter grew by counts half as much after about 20 calls; of
 * one that is new, a twentieth counts.
 */
size_t pgm_top_choose(struct pgm_top *top, const struct pgm_top_item *items, size_t count, size_t *ranked);

/* The ids that are in, for who asks for them first; places of them at most. */
size_t pgm_top_ids(const struct pgm_top *top, uint64_t *ids);

#endif
