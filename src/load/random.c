#include "load/random.h"

#include <math.h>

static uint64_t splitmix(uint64_t *x)
{
	uint64_t z = *x += UINT64_C(0x9e3779b97f4a7c15);
	z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
	return z ^ z >> 31;
}

void pgm_random_seed(struct pgm_random *random, uint64_t seed)
{
	for (int i = 0; i < 4; i++)
		random->state[i] = splitmix(&seed);
}

static uint64_t rotate(uint64_t x, int k)
{
	return x << k | x >> (64 - k);
}

/* xoshiro256**, by Blackman and Vigna */
static uint64_t next(struct pgm_random *random)
{
	uint64_t *s = random->state, result = rotate(s[1] * 5, 7) * 9, t = s[1] << 17;
	s[2] ^= s[0];
	s[3] ^= s[1];
	s[1] ^= s[2];
	s[0] ^= s[3];
	s[2] ^= t;
	s[3] = rotate(s[3], 45);
	return result;
}

double pgm_random_double(struct pgm_random *random)
{
	return (double)(next(random) >> 11) * 0x1.0p-53;
}

/* Lemire's way: no division but where it would be biased. */
static uint64_t below(struct pgm_random *random, uint64_t limit)
{
	unsigned __int128 product = (unsigned __int128)next(random) * limit;
	if ((uint64_t)product < limit)
		for (uint64_t least = -limit % limit; (uint64_t)product < least;)
			product = (unsigned __int128)next(random) * limit;
	return (uint64_t)(product >> 64);
}

int64_t pgm_random_range(struct pgm_random *random, int64_t low, int64_t high)
{
	uint64_t span = (uint64_t)high - (uint64_t)low + 1;
	return (int64_t)((uint64_t)low + (span ? below(random, span) : next(random)));
}

double pgm_random_gap(struct pgm_random *random, double mean)
{
	return -log(1 - pgm_random_double(random)) * mean;
}

/* What a fraction of [0, 1) means in the range. */
static int64_t scaled(double fraction, int64_t low, int64_t high)
{
	double span = (double)high - (double)low + 1, at = fraction * span;
	if (at >= span - 1)
		return high;
	int64_t result = (int64_t)((uint64_t)low + (uint64_t)(int64_t)at);
	return result > high ? high : result;
}

/* These three: getExponentialRand(), getGaussianRand() and getZipfianRand() of pgbench.c. */
int64_t pgm_random_exponential(struct pgm_random *random, int64_t low, int64_t high, double parameter)
{
	double cut = exp(-parameter), uniform = 1 - pgm_random_double(random);
	return scaled(-log(cut + (1 - cut) * uniform) / parameter, low, high);
}

int64_t pgm_random_gaussian(struct pgm_random *random, int64_t low, int64_t high, double parameter)
{
	double deviation;
	do {
		double u = 1 - pgm_random_double(random), v = pgm_random_double(random);
		deviation = sqrt(-2 * log(u)) * sin(2 * M_PI * v);
	} while (deviation < -parameter || deviation >= parameter);
	return scaled((deviation + parameter) / (parameter * 2), low, high);
}

/* Devroye, Non-Uniform Random Variate Generation, page 551: rejection, where s > 1. */
int64_t pgm_random_zipfian(struct pgm_random *random, int64_t low, int64_t high, double s)
{
	double n = (double)high - (double)low + 1, b = pow(2, s - 1), x, t;
	if (n <= 1)
		return low;
	for (;;) {
		double u = 1 - pgm_random_double(random), v = pgm_random_double(random);
		x = floor(pow(u, -1 / (s - 1)));
		t = pow(1 + 1 / x, s - 1);
		if (v * x * (t - 1) / (b - 1) <= t / b && x <= n)
			break;
	}
	return (int64_t)((uint64_t)low + (uint64_t)x - 1);
}

int64_t pgm_hash_fnv1a(int64_t value, int64_t seed)
{
	uint64_t result = UINT64_C(0xcbf29ce484222325) ^ (uint64_t)seed, rest = (uint64_t)value;
	for (int i = 0; i < 8; i++, rest >>= 8)
		result = (result ^ (rest & 0xff)) * UINT64_C(0x100000001b3);
	return (int64_t)result;
}

int64_t pgm_hash_murmur2(int64_t value, int64_t seed)
{
	const uint64_t m = UINT64_C(0xc6a4a7935bd1e995);
	uint64_t result = (uint64_t)seed ^ (m * 8), k = (uint64_t)value;
	k *= m;
	k ^= k >> 47;
	k *= m;
	result = (result ^ k) * m;
	result ^= result >> 47;
	result *= m;
	return (int64_t)(result ^ result >> 47);
}

/* permute() of pgbench.c, with our own generator: another permutation than pgbench's of the same seed. */
int64_t pgm_permute(int64_t value, int64_t size, int64_t seed)
{
	if (size < 2)
		return 0;
	struct pgm_random random;
	uint64_t n = (uint64_t)size, v = (uint64_t)(value % size + (value % size < 0 ? size : 0));
	uint64_t mask = (UINT64_C(1) << (63 - __builtin_clzll(n))) - 1;
	pgm_random_seed(&random, (uint64_t)seed);
	for (int i = 0; i < 6; i++) {
		uint64_t m = (next(&random) & mask) | 1, r = next(&random) & mask;
		if (v <= mask)
			v = ((v * m) ^ r) & mask;
		m = (next(&random) & mask) | 1;
		r = next(&random) & mask;
		uint64_t t = n - 1 - v;
		if (t <= mask)
			v = n - 1 - (((t * m) ^ r) & mask);
		v = (uint64_t)(((unsigned __int128)v + below(&random, n)) % n);
	}
	return (int64_t)v;
}
