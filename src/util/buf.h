/*
 * A growing string in an arena: always NUL-terminated, at most the arena's limit long. Embedded;
 * pgm_buf_init() first, nothing to free.
 */
#ifndef PGM_UTIL_BUF_H
#define PGM_UTIL_BUF_H

#include "util/arena.h"

struct pgm_buf {
	struct pgm_arena *arena;
	char *text;
	size_t length;
	size_t capacity;
};

void pgm_buf_init(struct pgm_buf *buf, struct pgm_arena *arena);
void pgm_buf_add(struct pgm_buf *buf, const char *text);
void pgm_buf_add_n(struct pgm_buf *buf, const char *text, size_t length);
void pgm_buf_char(struct pgm_buf *buf, char c);
void pgm_buf_printf(struct pgm_buf *buf, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif
