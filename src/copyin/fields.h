/*
 * The values of one row. The memory belongs to the struct and is used again for the next row; embedded,
 * {0} begins, pgm_fields_free() ends.
 */
#ifndef PGM_COPYIN_FIELDS_H
#define PGM_COPYIN_FIELDS_H

#include "copyin/frame.h"

#include <stddef.h>

struct pgm_field {
	const char *text; /* not terminated; NULL is SQL NULL */
	size_t length;	  /* of a NULL, PGM_FIELD_DEFAULT says that it is the column's default instead */
};
#define PGM_FIELD_DEFAULT ((size_t)-1)

struct pgm_fields {
	struct pgm_field *items;
	size_t count, capacity;
	char *memory; /* of unescaped texts: as many bytes as the row has */
	size_t memory_capacity;
};

void pgm_fields_free(struct pgm_fields *fields);

/* Split a row as COPY does. NULL, or what is wrong with it. */
const char *pgm_csv_split(const struct pgm_copyin_dialect *dialect, const char *row, size_t length,
			  struct pgm_fields *fields);
const char *pgm_tsv_split(const struct pgm_copyin_dialect *dialect, const char *row, size_t length,
			  struct pgm_fields *fields);

/* Escape a value for COPY's text format, behind into; room for twice its length is needed. The new end. */
char *pgm_copy_text_escape(char *into, const char *text, size_t length);

#endif
