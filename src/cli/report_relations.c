#include "catalog/catalog.h"
#include "cli/report_parts.h"
#include "pg/quote.h"
#include "util/format.h"

#include <stdlib.h>

static double index_bytes(const struct pgm_index *index)
{
	return index->pages * PGM_PAGE_BYTES;
}

static double all_indexes_bytes(const struct pgm_table *table)
{
	double bytes = 0;
	for (size_t i = 0; i < table->index_count; i++)
		bytes += index_bytes(table->indexes[i]);
	return bytes;
}

/* A partitioned table's own pages are those of its partitions, which stand for themselves. */
static bool is_stored(const struct pgm_table *table)
{
	return table->kind == 'r' || table->kind == 'm';
}

static double heap_bytes(const struct pgm_table *table)
{
	return is_stored(table) ? (table->pages + table->toast_pages) * PGM_PAGE_BYTES : 0;
}

static double table_bytes(const struct pgm_table *table)
{
	return heap_bytes(table) + all_indexes_bytes(table);
}

static int by_size(double a, double b)
{
	return (a < b) - (a > b);
}

static int compare_tables(const void *a, const void *b)
{
	return by_size(table_bytes(*(const struct pgm_table *const *)a),
		       table_bytes(*(const struct pgm_table *const *)b));
}

static int compare_indexes(const void *a, const void *b)
{
	return by_size(index_bytes(*(const struct pgm_index *const *)a),
		       index_bytes(*(const struct pgm_index *const *)b));
}

static const char *written(struct pgm_arena *arena, const struct pgm_table *table)
{
	return pgm_sprintf(arena, "%s / %s / %s", pgm_format_count(arena, (double)table->inserts),
			   pgm_format_count(arena, (double)table->updates),
			   pgm_format_count(arena, (double)table->deletes));
}

static void add_tables(struct pgm_report_part *part, const struct pgm_catalog *catalog, double *total)
{
	static const char *const headers[] = {"table", "size", "of it indexes", "rows",
					      "inserted / updated / deleted"};
	struct pgm_doc *doc = part->doc;
	struct pgm_arena *arena = doc->arena;
	const struct pgm_table **tables =
		PGM_NEW_ARRAY(arena, const struct pgm_table *, catalog->table_count + 1);
	size_t count = 0;
	for (size_t i = 0; i < catalog->table_count; i++) {
		if (!is_stored(&catalog->tables[i]))
			continue;
		tables[count++] = &catalog->tables[i];
		*total += table_bytes(&catalog->tables[i]);
	}
	qsort(tables, count, sizeof(const struct pgm_table *), compare_tables);
	pgm_doc_heading(doc, 2, "Tables");
	if (!count)
		pgm_doc_add(doc, PGM_DOC_TEXT, "There is no table.");
	struct pgm_doc_block *block = pgm_doc_table(doc, "lrrrr", headers);
	for (size_t i = 0; i < count && i < part->top; i++) {
		struct pgm_doc_cell *row = pgm_doc_row(doc, block);
		row[0].text = pgm_quote_qualified(arena, tables[i]->schema, tables[i]->name);
		row[1].text = pgm_format_bytes(arena, table_bytes(tables[i]));
		row[2].text = pgm_format_bytes(arena, all_indexes_bytes(tables[i]));
		row[3].text =
			tables[i]->tuples >= 0 ? pgm_format_count(arena, tables[i]->tuples) : "not known";
		row[4].text = written(arena, tables[i]);
	}
	if (count > part->top)
		pgm_doc_add(doc, PGM_DOC_TEXT,
			    pgm_sprintf(arena, "The largest %zu of %zu tables.", part->top, count));
	pgm_doc_item(doc, part->tiles, "tables", pgm_format_count(arena, (double)count),
		     pgm_format_bytes(arena, *total), PGM_DOC_PLAIN);
}

static const char *kind(struct pgm_arena *arena, const struct pgm_index *index)
{
	const char *role = index->primary      ? "primary key"
			   : index->constraint ? "constraint"
			   : index->unique     ? "unique"
			   : !index->valid     ? "invalid"
					       : "";
	return *role ? pgm_sprintf(arena, "%s, %s", index->method, role) : index->method;
}

static void add_indexes(struct pgm_report_part *part, const struct pgm_catalog *catalog)
{
	static const char *const headers[] = {"index", "table", "kind", "size", "scans"};
	struct pgm_doc *doc = part->doc;
	struct pgm_arena *arena = doc->arena;
	const struct pgm_index **indexes =
		PGM_NEW_ARRAY(arena, const struct pgm_index *, catalog->index_count + 1);
	size_t count = 0, unused = 0;
	double unused_bytes = 0;
	for (size_t i = 0; i < catalog->index_count; i++) {
		const struct pgm_index *index = &catalog->indexes[i];
		if (index->partitioned)
			continue;
		indexes[count++] = index;
		if (index->scans || index->unique)
			continue;
		unused++;
		unused_bytes += index_bytes(index);
	}
	qsort(indexes, count, sizeof(const struct pgm_index *), compare_indexes);
	pgm_doc_heading(doc, 2, "Indexes");
	pgm_doc_add(doc, PGM_DOC_TEXT,
		    pgm_sprintf(arena,
				"%zu indexes; %zu that are not unique (%s) were not read since the "
				"statistics of this server began.",
				count, unused, pgm_format_bytes(arena, unused_bytes)));
	struct pgm_doc_block *block = pgm_doc_table(doc, "lllrr", headers);
	for (size_t i = 0; i < count && i < part->top; i++) {
		struct pgm_doc_cell *row = pgm_doc_row(doc, block);
		row[0].text = indexes[i]->name;
		row[1].text = pgm_quote_qualified(arena, indexes[i]->table->schema, indexes[i]->table->name);
		row[2].text = kind(arena, indexes[i]);
		row[3].text = pgm_format_bytes(arena, index_bytes(indexes[i]));
		row[4].text = pgm_format_count(arena, (double)indexes[i]->scans);
		row[4].mark = !indexes[i]->scans && !indexes[i]->unique ? PGM_DOC_BAD : PGM_DOC_PLAIN;
	}
	if (count > part->top)
		pgm_doc_add(doc, PGM_DOC_TEXT,
			    pgm_sprintf(arena, "The largest %zu of %zu indexes.", part->top, count));
	pgm_doc_item(doc, part->tiles, "indexes", pgm_format_count(arena, (double)count),
		     pgm_sprintf(arena, "%zu unused", unused), PGM_DOC_PLAIN);
}

bool pgm_report_relations(struct pgm_report_part *part, struct pgm_error *err)
{
	double total = 0;
	const struct pgm_catalog *catalog = pgm_catalog_read(part->doc->arena, part->conn, err);
	if (!catalog)
		return false;
	add_indexes(part, catalog);
	add_tables(part, catalog, &total);
	return true;
}
