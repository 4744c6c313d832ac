/*
 * A growing run of bytes from malloc(), for a library that must not abort where an arena does: an allocation
 * that fails makes it `failed`, after which everything that is added is dropped, so that callers check once
 * at the end. Embedded; zeroes are an empty one; pgm_bytes_done() frees. Numbers are added in network order.
 */
#ifndef PGM_LIB_BYTES_H
#define PGM_LIB_BYTES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct pgm_bytes {
	unsigned char *data;
	size_t length;
	size_t capacity;
	bool failed;
};

void pgm_bytes_done(struct pgm_bytes *bytes);

/* Room for so many more bytes. False: there is no memory, and it is failed now. */
bool pgm_bytes_grow(struct pgm_bytes *bytes, size_t more);

/* A text for libpq and SQL: what is added ends with a NUL that does not count. */
void pgm_bytes_text(struct pgm_bytes *bytes, const char *text);
void pgm_bytes_printf(struct pgm_bytes *bytes, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* "name", always quoted. pgm_quote_ident() takes an arena, and arenas abort. */
void pgm_bytes_ident(struct pgm_bytes *bytes, const char *name);

/* The text, NUL-terminated; NULL where there was no memory. */
const char *pgm_bytes_string(struct pgm_bytes *bytes);

/* Where so many bytes can be written, already counted; NULL where there is no memory. */
static inline unsigned char *pgm_bytes_extend(struct pgm_bytes *bytes, size_t more)
{
	if (bytes->capacity - bytes->length < more && !pgm_bytes_grow(bytes, more))
		return NULL;
	unsigned char *at = bytes->data + bytes->length;
	bytes->length += more;
	return at;
}

static inline void pgm_put16(unsigned char *at, uint16_t value)
{
	value = __builtin_bswap16(value);
	memcpy(at, &value, 2);
}

static inline void pgm_put32(unsigned char *at, uint32_t value)
{
	value = __builtin_bswap32(value);
	memcpy(at, &value, 4);
}

static inline void pgm_put64(unsigned char *at, uint64_t value)
{
	value = __builtin_bswap64(value);
	memcpy(at, &value, 8);
}

static inline uint32_t pgm_get32(const unsigned char *at)
{
	uint32_t value;
	memcpy(&value, at, 4);
	return __builtin_bswap32(value);
}

static inline void pgm_bytes_add(struct pgm_bytes *bytes, const void *data, size_t length)
{
	unsigned char *at = pgm_bytes_extend(bytes, length);
	if (at && length)
		memcpy(at, data, length);
}

static inline void pgm_bytes_byte(struct pgm_bytes *bytes, unsigned char byte)
{
	unsigned char *at = pgm_bytes_extend(bytes, 1);
	if (at)
		*at = byte;
}

static inline void pgm_bytes_int16(struct pgm_bytes *bytes, int16_t value)
{
	unsigned char *at = pgm_bytes_extend(bytes, 2);
	if (at)
		pgm_put16(at, (uint16_t)value);
}

static inline void pgm_bytes_int32(struct pgm_bytes *bytes, int32_t value)
{
	unsigned char *at = pgm_bytes_extend(bytes, 4);
	if (at)
		pgm_put32(at, (uint32_t)value);
}

static inline void pgm_bytes_int64(struct pgm_bytes *bytes, int64_t value)
{
	unsigned char *at = pgm_bytes_extend(bytes, 8);
	if (at)
		pgm_put64(at, (uint64_t)value);
}

#endif
