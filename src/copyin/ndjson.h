/*
 * One line of NDJSON: an object, read by RFC 8259 in one pass. Numbers stay as they are written, so that none
 * loses a digit, which a reader into C's numbers cannot do.
 */
#ifndef PGM_COPYIN_NDJSON_H
#define PGM_COPYIN_NDJSON_H

#include <stdbool.h>
#include <stddef.h>

#define PGM_NDJSON_DEPTH_MAX 512 /* of nested objects and arrays */

enum pgm_json_kind {
	PGM_JSON_NULL,
	PGM_JSON_BOOL,
	PGM_JSON_NUMBER,
	PGM_JSON_STRING,
	PGM_JSON_ARRAY,
	PGM_JSON_OBJECT
};

struct pgm_json_member {
	const char *key; /* unescaped, not terminated */
	size_t key_length;
	enum pgm_json_kind kind;
	const char *raw; /* the value as it stands in the line */
	size_t raw_length;
	/* Of a string: its text, NULL where it holds \u0000, which no text can. Of the others: raw. */
	const char *text;
	size_t text_length;
};

/* The memory is used again for the next line; {0} begins, pgm_ndjson_free() ends. */
struct pgm_json_object {
	struct pgm_json_member *members;
	size_t count, capacity;
	char *memory;
	size_t memory_capacity;
};

void pgm_ndjson_free(struct pgm_json_object *object);

/* NULL, or what is wrong; *at is where, in bytes from the line's start. Keys that come twice are wrong. */
const char *pgm_ndjson_read(const char *line, size_t length, struct pgm_json_object *object, size_t *at);

/*
 * A JSON array (of arrays...) as PostgreSQL writes one: {1,"two",NULL}. into has room for as many bytes as it
 * has; the length, or 0 where it is none that a column could hold (objects in it, \u0000).
 */
size_t pgm_json_array_literal(const char *raw, size_t length, char *into);

#endif
