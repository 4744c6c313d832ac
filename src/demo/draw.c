#include "demo/draw.h"

#include "util/buf.h"
#include "util/hash.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

void pgm_demo_random_seed(struct pgm_demo_random *random, uint64_t seed, const char *name, uint64_t n)
{
	random->state = pgm_hash_bytes(pgm_hash_string(name) ^ seed, &n, sizeof(n));
}

/* SplitMix64 (Steele, Lea, Flood: Fast splittable pseudorandom number generators, OOPSLA 2014). */
uint64_t pgm_demo_random_next(struct pgm_demo_random *random)
{
	uint64_t z = random->state += 0x9E3779B97F4A7C15U;
	z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9U;
	z = (z ^ (z >> 27)) * 0x94D049BB133111EBU;
	return z ^ (z >> 31);
}

/* In [0, 1). */
static double unit(struct pgm_demo_random *random)
{
	return (double)(pgm_demo_random_next(random) >> 11) * 0x1p-53;
}

static bool parse_range(const char *text, long long *low, long long *high)
{
	char *end;
	errno = 0;
	*low = strtoll(text, &end, 10);
	if (end == text || *end != ':')
		return false;
	const char *second = end + 1;
	*high = strtoll(second, &end, 10);
	return end != second && !*end && errno == 0 && *low <= *high && *high - *low < 1LL << 52;
}

static char *draw_choice(struct pgm_arena *arena, const char *words, double u)
{
	size_t count = 1;
	for (const char *at = words; *at; at++)
		count += *at == '|';
	size_t chosen = (size_t)((double)count * u);
	for (; chosen; chosen--)
		words = strchr(words, '|') + 1;
	return pgm_strndup(arena, words, strcspn(words, "|"));
}

/* The value of what stands between the braces; NULL where it makes no sense. */
static char *draw(struct pgm_arena *arena, const char *placeholder, struct pgm_demo_random *random)
{
	long long low, high;
	double u = unit(random);
	if (strncmp(placeholder, "choice:", 7) == 0 && placeholder[7])
		return draw_choice(arena, placeholder + 7, u);
	bool skewed = strncmp(placeholder, "zipf:", 5) == 0;
	if (!skewed && strncmp(placeholder, "int:", 4) != 0)
		return NULL;
	if (!parse_range(strchr(placeholder, ':') + 1, &low, &high))
		return NULL;
	double share = skewed ? u * u : u;
	return pgm_sprintf(arena, "%lld", low + (long long)((double)(high - low + 1) * share));
}

char *pgm_demo_expand(struct pgm_arena *arena, const char *text, struct pgm_demo_random *random,
		      struct pgm_error *err)
{
	struct pgm_map drawn;
	struct pgm_buf out;
	pgm_map_init(&drawn, arena);
	pgm_buf_init(&out, arena);
	const char *open;
	while ((open = strstr(text, "{{")) != NULL) {
		const char *close = strstr(open, "}}");
		if (!close) {
			pgm_error_set(err, PGM_ERR_INPUT, "a placeholder is not closed: %.40s", open);
			return NULL;
		}
		char *placeholder = pgm_strndup(arena, open + 2, (size_t)(close - open - 2));
		char *value = pgm_map_get(&drawn, placeholder);
		if (!value) {
			value = draw(arena, placeholder, random);
			if (!value) {
				pgm_error_set(err, PGM_ERR_INPUT, "there is no placeholder {{%s}}",
					      placeholder);
				return NULL;
			}
			pgm_map_set(&drawn, placeholder, value);
		}
		pgm_buf_add_n(&out, text, (size_t)(open - text));
		pgm_buf_add(&out, value);
		text = close + 2;
	}
	pgm_buf_add(&out, text);
	return out.text;
}
