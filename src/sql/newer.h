/*
 * SQL that a newer PostgreSQL takes and the parser's version does not.
 */
#ifndef PGM_SQL_NEWER_H
#define PGM_SQL_NEWER_H

#include "util/arena.h"

/*
 * The statement with an alias after each subquery in FROM that has none, which PostgreSQL 16 allows; NULL
 * where that is not what stops the parser. Line breaks stay where they are.
 */
char *pgm_sql_alias_subqueries(struct pgm_arena *arena, const char *sql);

#endif
