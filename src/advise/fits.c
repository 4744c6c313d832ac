/*
 * A btree refuses a row whose keys and INCLUDE columns take more than a third of a page: the build would fail
 * at the first such row, and so would later writes. Averages do not tell, so a sample of the table is looked
 * at.
 */
#include "advise/run.h"
#include "pg/quote.h"
#include "util/buf.h"

#include <math.h>
#include <string.h>

#define TUPLE_MAX_BYTES	    2704 /* BTMaxItemSize of nbtree.h, version 4 */
#define SUSPECT_WIDTH_BYTES 64	 /* on average; narrower ones need no look unless rows are toasted */
#define SAMPLE_PAGES	    300

/* "pg_column_size(a) + ...": as stored, so without reading what is out of line. NULL: nothing can be too
 * wide. */
static const char *row_width(struct pgm_arena *arena, const struct pgm_index_def *def)
{
	struct pgm_buf buf;
	double width = 0;
	pgm_buf_init(&buf, arena);
	for (size_t i = 0; i < def->key_count + def->include_count; i++) {
		const struct pgm_column *column =
			i < def->key_count ? def->keys[i].column : def->include[i - def->key_count];
		if (!column || column->length_bytes > 0)
			continue;
		width += column->has_statistics ? column->width_bytes : SUSPECT_WIDTH_BYTES;
		pgm_buf_printf(&buf, "%sCOALESCE(pg_catalog.pg_column_size(%s), 0)", buf.length ? " + " : "",
			       pgm_quote_ident(arena, column->name));
	}
	return buf.length && (width >= SUSPECT_WIDTH_BYTES || def->table->toast_pages > 0) ? buf.text : NULL;
}

bool pgm_candidate_fits(struct pgm_advise_run *run, const struct pgm_candidate *candidate, bool *fits,
			struct pgm_error *err)
{
	struct pgm_arena *arena = run->arena;
	const struct pgm_table *table = candidate->def.table;
	const char *width =
		strcmp(candidate->def.method, "btree") == 0 ? row_width(arena, &candidate->def) : NULL;
	struct pgm_error problem;
	struct pgm_rows rows[2];
	*fits = true;
	if (!width)
		return true;
	double percent = fmin(100.0 * SAMPLE_PAGES / fmax(table->pages, 1), 100);
	char *sql = pgm_sprintf(arena, "SELECT max(%s) FROM %s TABLESAMPLE SYSTEM (%g) REPEATABLE (1)", width,
				pgm_quote_qualified(arena, table->schema, table->name), percent);
	double *known = pgm_map_get(&run->row_widths, sql);
	if (!known) {
		const char *sqls[] = {sql, "ROLLBACK TO SAVEPOINT pgmend"};
		known = PGM_NEW(arena, double);
		if (pgm_conn_pipeline(run->conn, arena, 2, sqls, rows, NULL, &problem)) {
			*known = rows[0].count ? pgm_rows_double(&rows[0], 0, 0) : 0;
		} else if (problem.kind == PGM_ERR_CONNECT || problem.kind == PGM_ERR_CANCELED) {
			*err = problem;
			return false;
		} else {
			/* A table that may not be read: then nothing is planned on it either. */
			pgm_conn_exec_quietly(run->conn, PGM_CONN_MARKER "ROLLBACK TO SAVEPOINT pgmend");
		}
		pgm_map_set(&run->row_widths, sql, known);
	}
	*fits = *known <= TUPLE_MAX_BYTES;
	return true;
}
