/*
 * Parameters as they came over the wire, as SQL literals. Pure; every length is checked.
 */
#ifndef PGM_POOL_LITERAL_H
#define PGM_POOL_LITERAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PGM_BIND_VALUES_MAX 64 /* more than that are not looked at */

struct pgm_bind_value {
	const uint8_t *bytes; /* NULL: SQL NULL */
	size_t length;
	uint32_t type; /* 0: not known */
	bool binary;
};

struct pgm_bind_values {
	struct pgm_bind_value items[PGM_BIND_VALUES_MAX];
	size_t count;
};

/*
 * The values of a Bind: its body after the two names. False where it has no whole value, or too many of them.
 * Into body.
 */
bool pgm_bind_values(const uint8_t *body, size_t length, const uint32_t *types, size_t type_count,
		     struct pgm_bind_values *values);

/*
 * One as a literal: 12, (-12), 'text', true, NULL, '{1,2}'. Returns its length (NUL-terminated), or 0 where
 * the type's binary form is not known, the bytes make no sense or size is too small.
 */
size_t pgm_bind_literal(const struct pgm_bind_value *value, char *out, size_t size);

/*
 * The statement with the literals in the place of $1, $2...: its length, or 0 where one of them has no value
 * that can be written or size is too small. values NULL: a copy.
 */
size_t pgm_bind_text(const char *sql, size_t length, bool standard_strings,
		     const struct pgm_bind_values *values, char *out, size_t size);

#endif
