#include "purge/parts.h"

#include "pg/quote.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Measured on one machine with the data in memory: good for orders of magnitude. */
#define ROW_MS	     0.0013   /* a row deleted by a set-based DELETE */
#define PARENT_MS    0.005    /* a row that is collected, locked and deleted */
#define CHECK_MS     0.006    /* a foreign key's trigger, with an index */
#define SKIP_MS	     0.001    /* the set-based look instead */
#define SCAN_ROW_MS  0.000046 /* a row that such a trigger reads without an index */
#define INDEX_ROW_MS 0.0008   /* a row put into an index that is built concurrently */
#define ROW_WAL	     64
#define KEY_WAL	     150
#define PAGE_BYTES   8192.0

/* Without an index: how long all those scans may take before they are worth a refusal. */
#define SCANS_MAX_MS 5000

/* "EXISTS (...)" for a row of the table, under that alias, that would go. */
static void selected(struct pgm_buf *sql, const struct pgm_purge *purge, const struct pgm_purge_table *table,
		     const char *alias, int *number)
{
	bool any = false;
	pgm_buf_char(sql, '(');
	if (table == &purge->tables[0]) {
		pgm_buf_printf(sql, "(%s\n)", purge->options->where);
		any = true;
	}
	for (size_t i = 0; i < table->up_count && table != &purge->tables[0]; i++) {
		const struct pgm_purge_key *key = table->up[i];
		if (key->parent == table)
			continue;
		bool root = key->parent == &purge->tables[0];
		const char *parent = root ? pgm_quote_ident(sql->arena, key->parent->name)
					  : pgm_sprintf(sql->arena, "pgmend_%d", ++*number);
		pgm_buf_printf(sql, "%sEXISTS (SELECT FROM %s%s%s WHERE ", any ? " OR " : "",
			       key->parent->quoted, root ? "" : " AS ", root ? "" : parent);
		pgm_purge_join(sql, key, parent, alias);
		pgm_buf_add(sql, " AND ");
		selected(sql, purge, key->parent, parent, number);
		pgm_buf_char(sql, ')');
		any = true;
	}
	pgm_buf_add(sql, any ? ")" : "false)");
}

/* The planner's own guess, from the first line of EXPLAIN. */
static bool guess(struct pgm_conn *conn, struct pgm_arena *arena, const char *from, double *count,
		  struct pgm_error *err)
{
	struct pgm_rows rows;
	if (!pgm_purge_query(conn, arena, pgm_sprintf(arena, "EXPLAIN SELECT %s", from), 0, &rows, err))
		return false;
	const char *found = strstr(pgm_rows_text(&rows, 0, 0), " rows=");
	*count = found ? strtod(found + 6, NULL) : 0;
	return true;
}

/* Count what FROM... gives; where that takes too long, *estimated and the planner's guess. */
static bool count_rows(struct pgm_conn *conn, struct pgm_arena *arena, const struct pgm_purge *purge,
		       const char *from, double *count, bool *estimated, struct pgm_error *err)
{
	struct pgm_rows rows;
	struct pgm_error own = {0};
	*estimated = false;
	if (purge->options->count_ms > 0 &&
	    pgm_purge_query(conn, arena, pgm_sprintf(arena, "SELECT count(*) %s", from),
			    purge->options->count_ms, &rows, &own)) {
		*count = pgm_rows_double(&rows, 0, 0);
		return true;
	}
	if (own.kind != PGM_ERR_NONE && own.kind != PGM_ERR_TIMEOUT) {
		if (err)
			*err = own;
		return pgm_error_context(err, "counting the rows");
	}
	*estimated = true;
	return guess(conn, arena, from, count, err);
}

static bool count_table(struct pgm_conn *conn, struct pgm_arena *arena, const struct pgm_purge *purge,
			struct pgm_purge_table *table, struct pgm_error *err)
{
	struct pgm_buf from;
	int number = 0;
	bool root = table == &purge->tables[0];
	pgm_buf_init(&from, arena);
	pgm_buf_printf(&from, "FROM %s%s WHERE ", table->quoted, root ? "" : " AS pgmend_0");
	selected(&from, purge, table, root ? "" : "pgmend_0", &number);
	return count_rows(conn, arena, purge, from.text, &table->rows, &table->rows_estimated, err);
}

static bool count_key(struct pgm_conn *conn, struct pgm_arena *arena, const struct pgm_purge *purge,
		      struct pgm_purge_key *key, struct pgm_error *err)
{
	struct pgm_buf from;
	int number = 0;
	bool root = key->parent == &purge->tables[0];
	const char *parent = root ? pgm_quote_ident(arena, key->parent->name) : "pgmend_parent";
	if (key->parent == key->child || !key->may_select)
		return true;
	pgm_buf_init(&from, arena);
	pgm_buf_printf(&from, "FROM %s AS pgmend_0 WHERE EXISTS (SELECT FROM %s%s%s WHERE ",
		       key->child_quoted, key->parent->quoted, root ? "" : " AS ", root ? "" : parent);
	pgm_purge_join(&from, key, parent, "pgmend_0");
	pgm_buf_add(&from, " AND ");
	selected(&from, purge, key->parent, parent, &number);
	pgm_buf_char(&from, ')');
	return count_rows(conn, arena, purge, from.text, &key->rows, &key->rows_estimated, err);
}

static void forecast_table(struct pgm_purge *purge, const struct pgm_purge_table *table)
{
	bool pass = pgm_purge_has_pass(purge, table);
	double rows = fmax(table->rows, 0);
	double share = table->tuples > 0 ? fmin(rows / table->tuples, 1) : 1;
	purge->rows += rows;
	purge->bytes += share * (table->pages + table->index_pages) * PAGE_BYTES;
	purge->wal_bytes += rows * (ROW_WAL + (pass ? KEY_WAL : 0)) + fmin(rows, table->pages) * PAGE_BYTES;
	purge->time_ms += rows * (pass ? PARENT_MS : ROW_MS);
	purge->plain_ms += rows * ROW_MS;
	for (size_t i = 0; i < table->key_count; i++) {
		const struct pgm_purge_key *key = table->keys[i];
		double without = key->indexed ? CHECK_MS : fmax(key->tuples * SCAN_ROW_MS, CHECK_MS);
		double with = purge->options->skip_ri			    ? SKIP_MS
			      : key->indexed || purge->options->build_index ? CHECK_MS
									    : without;
		purge->plain_ms += rows * without;
		purge->time_ms += rows * with;
		if (key->indexed)
			continue;
		double build = key->tuples * INDEX_ROW_MS + 50;
		purge->index_ms += build;
		purge->index_pays |= rows * (without - CHECK_MS) > build;
	}
}

bool pgm_purge_estimate(struct pgm_conn *conn, struct pgm_arena *arena, struct pgm_purge *purge,
			struct pgm_error *err)
{
	bool cyclic = purge->cyclic; /* what goes cannot be asked by one query */
	for (size_t i = 0; i < purge->table_count; i++)
		if ((!cyclic || i == 0) && !count_table(conn, arena, purge, &purge->tables[i], err))
			return false;
	for (size_t i = 0; i < purge->key_count && !cyclic; i++)
		if (!count_key(conn, arena, purge, &purge->keys[i], err))
			return false;
	purge->rows = purge->bytes = purge->wal_bytes = 0;
	for (size_t i = 0; i < purge->table_count; i++)
		forecast_table(purge, &purge->tables[i]);
	if (purge->options->build_index)
		purge->time_ms += purge->index_ms;
	return true;
}

bool pgm_purge_needs_index(const struct pgm_purge_key *key)
{
	return !key->indexed && fmax(key->parent->rows, 0) * key->tuples * SCAN_ROW_MS > SCANS_MAX_MS;
}
