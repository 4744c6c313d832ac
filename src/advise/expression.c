#include "advise/expression.h"

#include "catalog/distinct.h"
#include "catalog/widths.h"
#include "pg/quote.h"
#include "util/embedded.h"

#include <math.h>
#include <stdlib.h>

#define SAMPLE_ROWS  20000
#define SAMPLE_PAGES 1000 /* 8 MB */

static bool look(struct pgm_arena *arena, struct pgm_conn *conn, const struct pgm_table *table,
		 const char *expression, struct pgm_rows *rows, struct pgm_error *err)
{
	double percent = 100.0 * SAMPLE_PAGES / fmax(table->pages, 1);
	char *sampled =
		percent < 100 ? pgm_sprintf(arena, "TABLESAMPLE SYSTEM (%g) REPEATABLE (1)", percent) : "";
	char *sql = pgm_sprintf(arena, pgm_embedded_text("advise/expression_sample.sql"), expression,
				pgm_quote_qualified(arena, table->schema, table->name), sampled, SAMPLE_ROWS);
	if (pgm_conn_query(conn, arena, sql, 0, NULL, rows, err))
		return true;
	if (pgm_conn_in_failed_transaction(conn))
		pgm_conn_exec_quietly(conn, PGM_CONN_MARKER "ROLLBACK TO SAVEPOINT pgmend");
	return false;
}

static struct pgm_column *statistics_of(struct pgm_arena *arena, const struct pgm_table *table,
					const char *expression, const struct pgm_rows *rows)
{
	struct pgm_column *column = PGM_NEW(arena, struct pgm_column);
	double sample_rows = fmax(pgm_rows_double(rows, 0, 0), 1), nulls = pgm_rows_double(rows, 0, 1);
	char **shares;
	column->name = expression;
	column->type_name = pgm_rows_text(rows, 0, 8);
	column->type_category = pgm_rows_text(rows, 0, 9)[0];
	column->length_bytes = (int)pgm_rows_int(rows, 0, 10);
	column->align = pgm_rows_text(rows, 0, 11)[0];
	column->equal_image = pgm_rows_bool(rows, 0, 12);
	column->has_statistics = true;
	column->null_fraction = nulls / sample_rows;
	column->width_bytes = pgm_rows_double(rows, 0, 4);
	column->distinct = fmax(pgm_distinct_extrapolate(pgm_rows_double(rows, 0, 2),
							 pgm_rows_double(rows, 0, 3), sample_rows - nulls,
							 table->tuples * (1 - column->null_fraction)),
				1);
	column->common_count = pgm_rows_array(arena, pgm_rows_get(rows, 0, 5), &column->common_values);
	size_t count = pgm_rows_array(arena, pgm_rows_get(rows, 0, 6), &shares);
	if (count < column->common_count)
		column->common_count = count;
	column->common_fractions = PGM_NEW_ARRAY(arena, double, column->common_count);
	for (size_t i = 0; i < column->common_count; i++)
		column->common_fractions[i] = shares[i] ? strtod(shares[i], NULL) : 0;
	column->histogram_count = pgm_rows_array(arena, pgm_rows_get(rows, 0, 7), &column->histogram);
	pgm_column_find_widths(arena, column);
	pgm_column_find_ranges(arena, column, table->tuples, sample_rows);
	return column;
}

bool pgm_expression_sample(struct pgm_arena *arena, struct pgm_conn *conn, struct pgm_index_def *def,
			   struct pgm_map *cache, struct pgm_error *err)
{
	for (size_t i = 0; i < def->key_count; i++) {
		struct pgm_index_key *key = &def->keys[i];
		if (!key->expression || key->sampled)
			continue;
		char *name = pgm_sprintf(arena, "%u %s", def->table->oid, key->expression);
		key->sampled = pgm_map_get(cache, name);
		if (key->sampled)
			continue;
		struct pgm_rows rows;
		if (!look(arena, conn, def->table, key->expression, &rows, err))
			return pgm_error_context(err, "sampling (%s)", key->expression);
		if (rows.count == 0)
			continue; /* an empty table */
		struct pgm_column *column = statistics_of(arena, def->table, key->expression, &rows);
		key->sampled = column;
		pgm_map_set(cache, name, column);
	}
	return true;
}
