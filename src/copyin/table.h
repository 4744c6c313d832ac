/*
 * The table that a load goes to, as the catalogs say it when the load begins, and which of its columns a
 * file's fields are. Everything lives in the arena.
 */
#ifndef PGM_COPYIN_TABLE_H
#define PGM_COPYIN_TABLE_H

#include "copyin/fields.h"
#include "pg/conn.h"

struct pgm_copyin_column {
	const char *name;
	const char *type; /* as format_type() says it */
	bool array, json;
	bool not_null, has_default;
	bool generated; /* always, from others: it takes no value */
};

struct pgm_copyin_table {
	const char *oid, *schema, *name;
	const char *quoted;	/* where the rows go: schema.name */
	bool lockable;		/* LOCK TABLE takes it */
	const char *insert_why; /* why COPY would not do what INSERT does; NULL: it does */
	struct pgm_copyin_column *columns;
	size_t column_count;
};

/* Which columns the fields of a row are, in their order; -1: the field is left out. */
struct pgm_copyin_map {
	int *columns;
	size_t count;
	bool skips; /* one is left out */
};

/* name: as in SQL. PGM_ERR_USAGE where there is none (with the name that may be meant) or it takes no rows.
 */
bool pgm_copyin_table_find(struct pgm_conn *conn, struct pgm_arena *arena, const char *name,
			   struct pgm_copyin_table *table, struct pgm_error *err) PGM_MUST_CHECK;

/* Whether ON CONFLICT can name these columns; the hint tells the keys that there are. */
bool pgm_copyin_check_key(struct pgm_conn *conn, struct pgm_arena *arena,
			  const struct pgm_copyin_table *table, const char *const *key, size_t count,
			  struct pgm_error *err) PGM_MUST_CHECK;

/* The column's index, or -1. */
int pgm_copyin_column_find(const struct pgm_copyin_table *table, const char *name, size_t length);

/*
 * Match names (of a header, of --columns) with the table's columns. All that is wrong is said at once:
 * unknown ones with the nearest, ones that come twice, generated ones, and columns that are NOT NULL without
 * a default and are not given. where: "orders.csv line 1" or "--columns".
 */
bool pgm_copyin_map_names(struct pgm_arena *arena, const struct pgm_copyin_table *table, const char *where,
			  const struct pgm_field *names, size_t count, bool ignore_unknown,
			  struct pgm_copyin_map *map, struct pgm_error *err) PGM_MUST_CHECK;

/* All columns that take values, in the table's order. */
void pgm_copyin_map_all(struct pgm_arena *arena, const struct pgm_copyin_table *table,
			struct pgm_copyin_map *map);

/* "a, b, c" of those that are not left out, each quoted. */
char *pgm_copyin_map_list(struct pgm_arena *arena, const struct pgm_copyin_table *table,
			  const struct pgm_copyin_map *map);

/* "; did you mean \"price\"?", or "". */
const char *pgm_copyin_suggest(struct pgm_arena *arena, const struct pgm_copyin_table *table,
			       const char *name);

#endif
