/*
 * The one place that quotes identifiers and literals for SQL that we build here. Results live in the arena.
 */
#ifndef PGM_PG_QUOTE_H
#define PGM_PG_QUOTE_H

#include "util/arena.h"
#include "util/buf.h"

#include <stdbool.h>

#define PGM_NAME_MAX 63 /* bytes of an identifier: NAMEDATALEN - 1 */

/* As quote_ident(): plain lower-case names stay as they are, others and keywords are quoted. */
char *pgm_quote_ident(struct pgm_arena *arena, const char *name);

/* schema.name, each quoted where needed. */
char *pgm_quote_qualified(struct pgm_arena *arena, const char *schema, const char *name);

/* 'it''s', or E'...' where there is a backslash, so that it holds under either setting. */
char *pgm_quote_literal(struct pgm_arena *arena, const char *value);

/*
 * An array as text, in a buffer of its own: {"it\"s",NULL}. Elements are always quoted; NULL is NULL. The end
 * returns the text, which is buf's.
 */
void pgm_quote_array_begin(struct pgm_buf *buf, struct pgm_arena *arena);
void pgm_quote_array_add(struct pgm_buf *buf, const char *value);
char *pgm_quote_array_end(struct pgm_buf *buf);

/* Cut a name to at most max_bytes without breaking a UTF-8 character. */
char *pgm_quote_truncate(struct pgm_arena *arena, const char *name, size_t max_bytes);

#endif
