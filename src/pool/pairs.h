/*
 * A set of name = value texts that never changes once it is made: the settings of a session, or what a
 * server reported of its own (ParameterStatus). Equal sets are one object, so that comparing two sessions is
 * comparing two addresses. Sorted by name; names compare without case. The empty set is an object too.
 *
 * Any thread may make, hold and drop sets.
 */
#ifndef PGM_POOL_PAIRS_H
#define PGM_POOL_PAIRS_H

#include <stdbool.h>
#include <stddef.h>

struct pgm_pair {
	const char *name;
	const char *value;
};

struct pgm_pairs;

/*
 * The set of these (a later pair of the same name wins); owned: end with pgm_pairs_drop(). NULL: no memory,
 * which never happens to the empty set.
 */
const struct pgm_pairs *pgm_pairs_of(const struct pgm_pair *pairs, size_t count);
const struct pgm_pairs *pgm_pairs_hold(const struct pgm_pairs *set);
void pgm_pairs_drop(const struct pgm_pairs *set); /* NULL is fine */

/* A set with one more or another value; value NULL: without it. NULL: no memory. */
const struct pgm_pairs *pgm_pairs_with(const struct pgm_pairs *set, const char *name, const char *value);

const char *pgm_pairs_get(const struct pgm_pairs *set, const char *name); /* or NULL */
size_t pgm_pairs_count(const struct pgm_pairs *set);
const struct pgm_pair *pgm_pairs_at(const struct pgm_pairs *set, size_t index);

/* Sets that somebody holds: tests look for what nobody drops. */
size_t pgm_pairs_live(void);

/* Replace *held by set, which is taken over; NULL: by none. */
static inline void pgm_pairs_put(const struct pgm_pairs **held, const struct pgm_pairs *set)
{
	const struct pgm_pairs *old = *held;
	*held = set;
	pgm_pairs_drop(old);
}

/* The same with a set that was just made. False: there was no memory for it, and *held is what it was. */
static inline bool pgm_pairs_change(const struct pgm_pairs **held, const struct pgm_pairs *set)
{
	if (set)
		pgm_pairs_put(held, set);
	return set;
}

#endif
