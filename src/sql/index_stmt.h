/*
 * CREATE INDEX statements, taken apart.
 */
#ifndef PGM_SQL_INDEX_STMT_H
#define PGM_SQL_INDEX_STMT_H

#include "util/arena.h"
#include "util/error.h"

#include <stddef.h>

/*
 * What follows the table's name in the first CREATE INDEX of a script: " USING gin (tags) WHERE ...",
 * to build the same index on another table. Fails with PGM_ERR_INPUT.
 */
bool pgm_sql_index_definition(struct pgm_arena *arena, const char *script, char **definition,
			      struct pgm_error *err) PGM_MUST_CHECK;

/* The parts of a CREATE INDEX, with names as PostgreSQL reads them; everything lives in the arena. */
struct pgm_index_stmt_key {
	const char *column;	/* NULL for an expression */
	const char *expression; /* SQL text, or NULL */
	const char *opclass;	/* SQL text with its schema, or NULL */
	bool descending;
	bool nulls_first; /* as sorted: PostgreSQL's default is first for descending */
};

struct pgm_index_stmt {
	const char *schema; /* NULL where the SQL does not say */
	const char *table;
	const char *name; /* NULL: PostgreSQL makes one */
	const char *method;
	bool unique;
	struct pgm_index_stmt_key *keys;
	size_t key_count;
	const char **include;
	size_t include_count;
	const char *predicate; /* SQL text, or NULL */
};

/*
 * Exactly one CREATE INDEX. Fails with PGM_ERR_INPUT, also for what cannot be kept: COLLATE, parameters of
 * an operator class, and expressions beyond columns, constants, operators, casts and function calls.
 */
bool pgm_sql_index_stmt(struct pgm_arena *arena, const char *sql, struct pgm_index_stmt *stmt,
			struct pgm_error *err) PGM_MUST_CHECK;

#endif
