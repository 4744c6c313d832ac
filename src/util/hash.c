#include "util/hash.h"

#include <string.h>

void pgm_map_init(struct pgm_map *map, struct pgm_arena *arena)
{
	*map = (struct pgm_map){.arena = arena};
}

/* The slot of the key, or the free one where it belongs. */
static struct pgm_map_slot *find(const struct pgm_map *map, const char *key, uint64_t hash)
{
	for (size_t i = hash & (map->capacity - 1);; i = (i + 1) & (map->capacity - 1)) {
		struct pgm_map_slot *slot = &map->slots[i];
		if (!slot->key || (slot->hash == hash && strcmp(slot->key, key) == 0))
			return slot;
	}
}

void *pgm_map_get(const struct pgm_map *map, const char *key)
{
	return map->capacity ? find(map, key, pgm_hash_string(key))->value : NULL;
}

static void grow(struct pgm_map *map)
{
	struct pgm_map bigger = *map;
	bigger.capacity = map->capacity ? map->capacity * 2 : 64;
	bigger.slots = PGM_NEW_ARRAY(map->arena, struct pgm_map_slot, bigger.capacity);
	for (size_t i = 0; i < map->capacity; i++)
		if (map->slots[i].key)
			*find(&bigger, map->slots[i].key, map->slots[i].hash) = map->slots[i];
	*map = bigger;
}

void pgm_map_set(struct pgm_map *map, const char *key, void *value)
{
	if (map->count * 4 >= map->capacity * 3)
		grow(map);
	uint64_t hash = pgm_hash_string(key);
	struct pgm_map_slot *slot = find(map, key, hash);
	if (!slot->key)
		map->count++;
	*slot = (struct pgm_map_slot){.key = key, .value = value, .hash = hash};
}
