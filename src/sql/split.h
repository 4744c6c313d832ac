/*
 * SQL text cut into statements by PostgreSQL's own parser: comments, dollar quotes and semicolons inside of
 * rules and functions are understood. psql's backslash commands are not SQL.
 */
#ifndef PGM_SQL_SPLIT_H
#define PGM_SQL_SPLIT_H

#include "util/arena.h"
#include "util/error.h"

struct pgm_sql_statement {
	const char *text; /* in the arena; no semicolon, no space or comments around it */
	size_t offset;	  /* of its first byte in the text that was split */
	size_t length;
	int line; /* of its first byte, from 1 */
};

struct pgm_sql_statements {
	struct pgm_sql_statement *items;
	size_t count;
};

/*
 * Split text. A statement that is not correct SQL is found too, for the caller to report; only text in which
 * the statements cannot be told apart (an unterminated quote) fails: PGM_ERR_INPUT, "line 7: ...".
 */
bool pgm_sql_split(struct pgm_arena *arena, const char *text, struct pgm_sql_statements *statements,
		   struct pgm_error *err) PGM_MUST_CHECK;

#endif
