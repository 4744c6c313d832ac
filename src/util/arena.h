/*
 * An arena: memory for one command, request or check run. Everything taken from it is freed with it, in
 * one call; nothing is freed alone. An arena belongs to one thread at a time.
 *
 * Allocation never returns NULL: when the limit or the machine's memory is spent, the handler set with
 * pgm_arena_on_exhausted() is called, and must not return. So callers need no check, and a runaway is
 * stopped by a number that has a name.
 */
#ifndef PGM_UTIL_ARENA_H
#define PGM_UTIL_ARENA_H

#include <stdarg.h>
#include <stddef.h>

#define PGM_ARENA_DEFAULT_LIMIT_BYTES ((size_t)4 << 30)

struct pgm_arena;

/* A new, empty arena; limit_bytes 0 means PGM_ARENA_DEFAULT_LIMIT_BYTES. */
struct pgm_arena *pgm_arena_new(size_t limit_bytes);
void pgm_arena_free(struct pgm_arena *arena); /* NULL is fine */

/* Forget everything taken from the arena, but keep its first block for what comes next. */
void pgm_arena_reset(struct pgm_arena *arena);

/* Zeroed memory, aligned for any type. */
void *pgm_arena_alloc(struct pgm_arena *arena, size_t size_bytes);

char *pgm_strdup(struct pgm_arena *arena, const char *text); /* NULL gives NULL */
char *pgm_strndup(struct pgm_arena *arena, const char *text, size_t length);
char *pgm_sprintf(struct pgm_arena *arena, const char *format, ...) __attribute__((format(printf, 2, 3)));
char *pgm_vsprintf(struct pgm_arena *arena, const char *format, va_list args)
	__attribute__((format(printf, 2, 0)));

/* Process-wide; the command line sets it once, at the start. The handler must not return. */
void pgm_arena_on_exhausted(void (*handler)(size_t limit_bytes));

#define PGM_NEW(arena, type)	      ((type *)pgm_arena_alloc((arena), sizeof(type)))
#define PGM_NEW_ARRAY(arena, type, n) ((type *)pgm_arena_alloc((arena), sizeof(type) * (size_t)(n)))

static inline void pgm_arena_cleanup(struct pgm_arena **arena)
{
	pgm_arena_free(*arena);
}
#define PGM_AUTO_ARENA __attribute__((cleanup(pgm_arena_cleanup))) struct pgm_arena *

#endif
