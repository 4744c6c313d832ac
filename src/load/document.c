#include "load/document.h"

#include <string.h>

struct pgm_doc_block *pgm_doc_add(struct pgm_doc *doc, enum pgm_doc_kind kind, const char *text)
{
	struct pgm_doc_block *block = PGM_NEW(doc->arena, struct pgm_doc_block);
	block->kind = kind;
	block->text = text ? text : "";
	*pgm_vec_add(doc->arena, &doc->blocks) = block;
	return block;
}

void pgm_doc_heading(struct pgm_doc *doc, int level, const char *text)
{
	pgm_doc_add(doc, PGM_DOC_HEADING, text)->level = level;
}

void pgm_doc_item(struct pgm_doc *doc, struct pgm_doc_block *block, const char *name, const char *text,
		  const char *detail, enum pgm_doc_mark mark)
{
	*pgm_vec_add(doc->arena, &block->items) =
		(struct pgm_doc_item){.name = name, .text = text, .detail = detail, .mark = mark};
}

struct pgm_doc_block *pgm_doc_table(struct pgm_doc *doc, const char *columns, const char *const *headers)
{
	struct pgm_doc_block *block = pgm_doc_add(doc, PGM_DOC_TABLE, "");
	block->table.columns = columns;
	block->table.column_count = strlen(columns);
	block->table.headers = headers;
	return block;
}

struct pgm_doc_cell *pgm_doc_row(struct pgm_doc *doc, struct pgm_doc_block *block)
{
	struct pgm_doc_table *table = &block->table;
	size_t width = table->column_count;
	table->cells = pgm_vec_grow_(doc->arena, table->cells, table->row_count, &table->row_capacity,
				     sizeof(*table->cells) * width);
	struct pgm_doc_cell *row = &table->cells[table->row_count++ * width];
	for (size_t i = 0; i < width; i++)
		row[i] = (struct pgm_doc_cell){.text = "", .ratio = ""};
	return row;
}

void pgm_doc_plot(struct pgm_doc *doc, const struct pgm_plot *plot)
{
	if (!pgm_plot_has_values(plot))
		return;
	struct pgm_plot *copy = PGM_NEW(doc->arena, struct pgm_plot);
	*copy = *plot;
	pgm_doc_add(doc, PGM_DOC_PLOT, plot->title)->plot = copy;
}
