/*
 * Placeholders of the demo's statements: {{int:LO:HI}}, {{zipf:LO:HI}} and {{choice:a|b|c}}. The values of
 * the n-th run of a statement depend on the seed, the statement's name and n alone, so each demo, and each
 * measurement before and after, runs the same.
 */
#ifndef PGM_DEMO_DRAW_H
#define PGM_DEMO_DRAW_H

#include "util/arena.h"
#include "util/error.h"

#include <stdint.h>

struct pgm_demo_random {
	uint64_t state;
};

void pgm_demo_random_seed(struct pgm_demo_random *random, uint64_t seed, const char *name, uint64_t n);
uint64_t pgm_demo_random_next(struct pgm_demo_random *random);

/*
 * The text with a value in the place of each placeholder; the same placeholder twice is the same value. Fails
 * with PGM_ERR_INPUT for one that makes no sense.
 */
char *pgm_demo_expand(struct pgm_arena *arena, const char *text, struct pgm_demo_random *random,
		      struct pgm_error *err) PGM_MUST_CHECK;

#endif
