/*
 * Random numbers for a load: a generator of its own for each session, so that a run with the same seed draws
 * the same whatever else happens, and pgbench's distributions.
 */
#ifndef PGM_LOAD_RANDOM_H
#define PGM_LOAD_RANDOM_H

#include <stdbool.h>
#include <stdint.h>

#define PGM_ZIPFIAN_MIN	 1.001 /* of the parameter, as in pgbench */
#define PGM_ZIPFIAN_MAX	 1000.0
#define PGM_GAUSSIAN_MIN 2.0

struct pgm_random {
	uint64_t state[4];
};

void pgm_random_seed(struct pgm_random *random, uint64_t seed);
double pgm_random_double(struct pgm_random *random); /* [0, 1) */
int64_t pgm_random_range(struct pgm_random *random, int64_t low,
			 int64_t high);			       /* both included, low <= high */
double pgm_random_gap(struct pgm_random *random, double mean); /* between two events of a Poisson process */

/* Both ends included. The parameter must be in range: > 0, >= PGM_GAUSSIAN_MIN, PGM_ZIPFIAN_MIN to _MAX. */
int64_t pgm_random_exponential(struct pgm_random *random, int64_t low, int64_t high, double parameter);
int64_t pgm_random_gaussian(struct pgm_random *random, int64_t low, int64_t high, double parameter);
int64_t pgm_random_zipfian(struct pgm_random *random, int64_t low, int64_t high, double parameter);

/* What pgbench's functions of these names give. permute: a permutation of [0, size) by the seed. */
int64_t pgm_hash_fnv1a(int64_t value, int64_t seed);
int64_t pgm_hash_murmur2(int64_t value, int64_t seed);
int64_t pgm_permute(int64_t value, int64_t size, int64_t seed);

#endif
