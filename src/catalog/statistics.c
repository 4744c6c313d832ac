#include "catalog/catalog.h"

#include "catalog/distinct.h"
#include "catalog/widths.h"
#include "util/buf.h"
#include "util/embedded.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ANALYZE looks at 300 rows for each histogram bound that it wants (std_typanalyze). */
#define SAMPLE_ROWS_PER_BOUND	  300.0
#define DEFAULT_STATISTICS_TARGET 100.0

static void fill_column(struct pgm_arena *arena, const struct pgm_table *table, struct pgm_column *column,
			const struct pgm_rows *rows, size_t r)
{
	char **fractions;
	column->has_statistics = true;
	column->null_fraction = pgm_rows_double(rows, r, 2);
	column->width_bytes = pgm_rows_double(rows, r, 3);
	column->distinct = pgm_rows_double(rows, r, 4);
	if (column->distinct < 0) /* a fraction of the rows: pg_stats.n_distinct */
		column->distinct *= -table->tuples;
	if (column->distinct < 1)
		column->distinct = 1;
	column->correlation = pgm_rows_double(rows, r, 5);
	column->common_count = pgm_rows_array(arena, pgm_rows_get(rows, r, 6), &column->common_values);
	size_t count = pgm_rows_array(arena, pgm_rows_get(rows, r, 7), &fractions);
	if (count < column->common_count)
		column->common_count = count;
	column->common_fractions = PGM_NEW_ARRAY(arena, double, column->common_count);
	for (size_t i = 0; i < column->common_count; i++)
		column->common_fractions[i] = fractions[i] ? strtod(fractions[i], NULL) : 0;
	column->histogram_count = pgm_rows_array(arena, pgm_rows_get(rows, r, 8), &column->histogram);
	column->element_count = pgm_rows_array(arena, pgm_rows_get(rows, r, 9), &column->common_elements);
	pgm_column_find_widths(arena, column);
	double target = fmax(DEFAULT_STATISTICS_TARGET, (double)column->histogram_count - 1);
	pgm_column_find_ranges(arena, column, table->tuples, target * SAMPLE_ROWS_PER_BOUND);
}

bool pgm_catalog_load_statistics(struct pgm_catalog *catalog, struct pgm_conn *conn,
				 struct pgm_table **tables, size_t count, struct pgm_error *err)
{
	struct pgm_buf oids;
	pgm_buf_init(&oids, catalog->arena);
	pgm_buf_char(&oids, '{');
	for (size_t i = 0; i < count; i++) {
		if (tables[i]->statistics_loaded)
			continue;
		tables[i]->statistics_loaded = true;
		pgm_buf_printf(&oids, "%s%u", oids.length > 1 ? "," : "", tables[i]->oid);
	}
	pgm_buf_char(&oids, '}');
	if (oids.length == 2)
		return true;
	struct pgm_rows rows;
	const char *param = oids.text;
	if (!pgm_conn_query(conn, catalog->arena, pgm_embedded_text("catalog/statistics.sql"), 1, &param,
			    &rows, err))
		return pgm_error_context(err, "reading column statistics");
	for (size_t r = 0; r < rows.count; r++) {
		struct pgm_table *table =
			pgm_catalog_table_by_oid(catalog, (unsigned)pgm_rows_int(&rows, r, 0));
		struct pgm_column *column =
			table ? pgm_table_column_by_attnum(table, (int)pgm_rows_int(&rows, r, 1)) : NULL;
		if (column)
			fill_column(catalog->arena, table, column, &rows, r);
	}
	return true;
}
