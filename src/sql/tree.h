/*
 * libpg_query's parse tree as JSON, and SQL text made from a part of it. Inside sql/ only.
 *
 * A node is an object with one key, its type: {"ColumnRef": {...}}. Texts made from it live
 * in the arena.
 */
#ifndef PGM_SQL_TREE_H
#define PGM_SQL_TREE_H

#include "util/arena.h"
#include "util/error.h"

#include <jansson.h>

/* The type of a node and its body; NULL for what is no node. */
const char *pgm_tree_type(json_t *node, json_t **body);
json_t *pgm_tree_body(json_t *node, const char *type); /* NULL where it is of another type */

const char *pgm_tree_string(json_t *object, const char *key); /* NULL where there is none */
bool pgm_tree_bool(json_t *object, const char *key);
long pgm_tree_int(json_t *object, const char *key); /* 0 where there is none: as the tree means it */

/* The last name of a list of String nodes ("now" of pg_catalog.now), and all of it with dots. */
const char *pgm_tree_last_name(json_t *names);
char *pgm_tree_dotted_name(struct pgm_arena *arena, json_t *names);

/*
 * SQL text of an expression of columns, constants, operators, casts and function calls; column names lose
 * their table's. NULL where it holds something else (a parameter, a subquery, an aggregate's FILTER...).
 */
char *pgm_tree_deparse(struct pgm_arena *arena, json_t *node);

/* The same for a condition: also AND, OR, NOT, IS NULL, IN and comparisons with ANY of a list. */
char *pgm_tree_deparse_condition(struct pgm_arena *arena, json_t *node);

#endif
