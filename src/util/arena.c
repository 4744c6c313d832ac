#include "util/arena.h"

#include <assert.h>
#include <stdalign.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BLOCK_BYTES ((size_t)64 << 10)

struct block {
	struct block *next;
	size_t size;
	size_t used;
	alignas(max_align_t) unsigned char data[];
};

struct pgm_arena {
	struct block *blocks; /* the one we fill comes first */
	size_t limit;
	size_t total;
};

static void default_exhausted(size_t limit_bytes)
{
	fprintf(stderr, "pgmend: out of memory (limit %zu bytes)\n", limit_bytes);
	abort();
}

static void (*exhausted)(size_t) = default_exhausted;

void pgm_arena_on_exhausted(void (*handler)(size_t limit_bytes))
{
	exhausted = handler;
}

struct pgm_arena *pgm_arena_new(size_t limit_bytes)
{
	struct pgm_arena *arena = calloc(1, sizeof(*arena));
	if (!arena)
		exhausted(limit_bytes);
	arena->limit = limit_bytes ? limit_bytes : PGM_ARENA_DEFAULT_LIMIT_BYTES;
	return arena;
}

static void free_blocks(struct block *block)
{
	while (block) {
		struct block *next = block->next;
		free(block);
		block = next;
	}
}

void pgm_arena_free(struct pgm_arena *arena)
{
	if (!arena)
		return;
	free_blocks(arena->blocks);
	free(arena);
}

void pgm_arena_reset(struct pgm_arena *arena)
{
	struct block *keep = arena->blocks;
	if (!keep)
		return;
	free_blocks(keep->next);
	keep->next = NULL;
	memset(keep->data, 0, keep->used);
	keep->used = 0;
	arena->total = keep->size;
}

static struct block *add_block(struct pgm_arena *arena, size_t size)
{
	if (size > arena->limit || arena->total > arena->limit - size)
		exhausted(arena->limit);
	struct block *block = calloc(1, sizeof(*block) + size);
	if (!block)
		exhausted(arena->limit);
	block->size = size;
	arena->total += size;
	return block;
}

void *pgm_arena_alloc(struct pgm_arena *arena, size_t size_bytes)
{
	const size_t align = alignof(max_align_t);
	if (size_bytes > SIZE_MAX / 2)
		exhausted(arena->limit);
	size_t size = (size_bytes + align - 1) & ~(align - 1);

	struct block *head = arena->blocks;
	if (head && head->size - head->used >= size) {
		void *result = head->data + head->used;
		head->used += size;
		return result;
	}
	struct block *block = add_block(arena, size > BLOCK_BYTES / 4 ? size : BLOCK_BYTES);
	block->used = size;
	if (head && block->size == size) {
		/* A block of its own for something large: go on filling the head. */
		block->next = head->next;
		head->next = block;
	} else {
		block->next = head;
		arena->blocks = block;
	}
	return block->data;
}

char *pgm_strndup(struct pgm_arena *arena, const char *text, size_t length)
{
	char *copy = pgm_arena_alloc(arena, length + 1);
	memcpy(copy, text, length);
	return copy;
}

char *pgm_strdup(struct pgm_arena *arena, const char *text)
{
	return text ? pgm_strndup(arena, text, strlen(text)) : NULL;
}

char *pgm_vsprintf(struct pgm_arena *arena, const char *format, va_list args)
{
	va_list again;
	va_copy(again, args);
	assert(format);
	int length = vsnprintf(NULL, 0, format, args);
	assert(length >= 0);
	char *text = pgm_arena_alloc(arena, (size_t)length + 1);
	vsnprintf(text, (size_t)length + 1, format, again);
	va_end(again);
	return text;
}

char *pgm_sprintf(struct pgm_arena *arena, const char *format, ...)
{
	va_list args;
	va_start(args, format);
	char *text = pgm_vsprintf(arena, format, args);
	va_end(args);
	return text;
}
