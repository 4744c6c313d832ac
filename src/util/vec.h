/*
 * Growing arrays in an arena. PGM_VEC(type) declares an embedded struct; items move when it grows, so keep
 * indexes (or vectors of pointers), not addresses.
 *
 *	PGM_VEC(struct pgm_index *) indexes = {0};
 *	*pgm_vec_add(arena, &indexes) = index;
 */
#ifndef PGM_UTIL_VEC_H
#define PGM_UTIL_VEC_H

#include "util/arena.h"

#include <string.h>

#define PGM_VEC(type)            \
	struct {                 \
		type *items;     \
		size_t count;    \
		size_t capacity; \
	}

/* The address of a new zeroed last item. */
#define pgm_vec_add(arena, vec)                                                              \
	((vec)->items = pgm_vec_grow_((arena), (vec)->items, (vec)->count, &(vec)->capacity, \
				      sizeof(*(vec)->items)),                                \
	 &(vec)->items[(vec)->count++])

static inline void *pgm_vec_grow_(struct pgm_arena *arena, void *items, size_t count, size_t *capacity,
				  size_t item_size)
{
	if (count < *capacity)
		return items;
	size_t wanted = *capacity ? *capacity * 2 : 8;
	void *grown = pgm_arena_alloc(arena, wanted * item_size);
	if (count)
		memcpy(grown, items, count * item_size);
	*capacity = wanted;
	return grown;
}

#endif
