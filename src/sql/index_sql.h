/*
 * Rewriting a CREATE INDEX: the same index under another name, on another relation, or built another way.
 */
#ifndef PGM_SQL_INDEX_SQL_H
#define PGM_SQL_INDEX_SQL_H

#include "util/arena.h"

#include <stdbool.h>

/* Names are SQL: quoted where needed. NULL keeps what the statement says. */
struct pgm_index_rewrite {
	const char *index;
	const char *relation;
	bool concurrently;	/* whether the result says CONCURRENTLY */
	bool only;		/* whether it says ON ONLY */
	const char *tablespace; /* to add; the statement must name none */
};

/* sql: one CREATE INDEX statement, as written or from pg_get_indexdef(). NULL where it is none. */
char *pgm_index_sql_rewrite(struct pgm_arena *arena, const char *sql, const struct pgm_index_rewrite *how);

#endif
