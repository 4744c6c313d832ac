/*
 * FNV-1a, and a map from strings to pointers in an arena. Keys are not copied: they must live as long as
 * the map. Nothing is ever removed.
 */
#ifndef PGM_UTIL_HASH_H
#define PGM_UTIL_HASH_H

#include "util/arena.h"

#include <stdint.h>

uint64_t pgm_hash_bytes(uint64_t seed, const void *data, size_t length);
uint64_t pgm_hash_string(const char *text);

struct pgm_map_slot {
	const char *key;
	void *value;
	uint64_t hash;
};

struct pgm_map {
	struct pgm_arena *arena;
	struct pgm_map_slot *slots;
	size_t capacity; /* a power of two, or 0 */
	size_t count;
};

void pgm_map_init(struct pgm_map *map, struct pgm_arena *arena);
void *pgm_map_get(const struct pgm_map *map, const char *key);	     /* NULL: not there */
void pgm_map_set(struct pgm_map *map, const char *key, void *value); /* replaces */

#endif
