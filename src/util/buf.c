#include "util/buf.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

void pgm_buf_init(struct pgm_buf *buf, struct pgm_arena *arena)
{
	*buf = (struct pgm_buf){.arena = arena, .capacity = 64};
	buf->text = pgm_arena_alloc(arena, buf->capacity);
}

static void reserve(struct pgm_buf *buf, size_t more)
{
	size_t needed = buf->length + more + 1;
	if (needed <= buf->capacity)
		return;
	size_t capacity = buf->capacity * 2 > needed ? buf->capacity * 2 : needed;
	char *text = pgm_arena_alloc(buf->arena, capacity);
	memcpy(text, buf->text, buf->length + 1);
	buf->text = text;
	buf->capacity = capacity;
}

void pgm_buf_add_n(struct pgm_buf *buf, const char *text, size_t length)
{
	reserve(buf, length);
	memcpy(buf->text + buf->length, text, length);
	buf->length += length;
	buf->text[buf->length] = '\0';
}

void pgm_buf_add(struct pgm_buf *buf, const char *text)
{
	pgm_buf_add_n(buf, text, strlen(text));
}

void pgm_buf_char(struct pgm_buf *buf, char c)
{
	pgm_buf_add_n(buf, &c, 1);
}

void pgm_buf_printf(struct pgm_buf *buf, const char *format, ...)
{
	va_list args, again;
	va_start(args, format);
	va_copy(again, args);
	assert(format);
	int length = vsnprintf(NULL, 0, format, args);
	assert(length >= 0);
	reserve(buf, (size_t)length);
	vsnprintf(buf->text + buf->length, (size_t)length + 1, format, again);
	buf->length += (size_t)length;
	va_end(again);
	va_end(args);
}
