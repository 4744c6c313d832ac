#include "load/document.h"

#include "util/safe_text.h"

/* A plot has no place in text; the table over time says the same. */

static void write_item(const struct pgm_doc *doc, const char *before, const struct pgm_doc_item *item,
		       struct pgm_buf *out)
{
	pgm_buf_add(out, before);
	if (*item->name)
		pgm_buf_printf(out, "**%s** ", pgm_safe_markdown(doc->arena, item->name));
	pgm_buf_add(out, pgm_safe_markdown(doc->arena, item->text));
	if (*item->detail)
		pgm_buf_printf(out, " (%s)", pgm_safe_markdown(doc->arena, item->detail));
	pgm_buf_char(out, '\n');
}

static void write_cell(const struct pgm_doc *doc, const struct pgm_doc_cell *cell, struct pgm_buf *out)
{
	pgm_buf_printf(out, "| %s", pgm_safe_markdown(doc->arena, cell->text));
	if (*cell->ratio)
		pgm_buf_printf(out, " (%s)", pgm_safe_markdown(doc->arena, cell->ratio));
	pgm_buf_char(out, ' ');
}

static void write_table(const struct pgm_doc *doc, const struct pgm_doc_table *table, struct pgm_buf *out)
{
	if (!table->row_count)
		return;
	for (size_t c = 0; c < table->column_count; c++)
		pgm_buf_printf(out, "| %s ", pgm_safe_markdown(doc->arena, table->headers[c]));
	pgm_buf_add(out, "|\n");
	for (size_t c = 0; c < table->column_count; c++)
		pgm_buf_add(out, table->columns[c] == 'r' ? "|---:" : "|---");
	pgm_buf_add(out, "|\n");
	for (size_t r = 0; r < table->row_count; r++) {
		for (size_t c = 0; c < table->column_count; c++)
			write_cell(doc, &table->cells[r * table->column_count + c], out);
		pgm_buf_add(out, "|\n");
	}
	pgm_buf_char(out, '\n');
}

static void write_block(const struct pgm_doc *doc, const struct pgm_doc_block *block, struct pgm_buf *out)
{
	const char *text = pgm_safe_markdown(doc->arena, block->text);
	switch (block->kind) {
	case PGM_DOC_HEADING:
		pgm_buf_printf(out, "%s %s\n\n", block->level == 2 ? "##" : "###", text);
		break;
	case PGM_DOC_BANNER:
		pgm_buf_printf(out, "**%s**\n\n", text);
		break;
	case PGM_DOC_TEXT:
		pgm_buf_printf(out, "%s\n\n", text);
		break;
	case PGM_DOC_CARD:
		pgm_buf_printf(out, "**%s.**", text);
		for (size_t i = 0; i < block->items.count; i++)
			pgm_buf_printf(out, " %s", pgm_safe_markdown(doc->arena, block->items.items[i].text));
		pgm_buf_add(out, "\n\n");
		if (block->code)
			pgm_buf_printf(out, "%s\n", pgm_safe_fenced(doc->arena, block->code));
		break;
	case PGM_DOC_TILES:
	case PGM_DOC_LIST:
		for (size_t i = 0; i < block->items.count; i++)
			write_item(doc, "- ", &block->items.items[i], out);
		if (block->items.count)
			pgm_buf_char(out, '\n');
		break;
	case PGM_DOC_TABLE:
		write_table(doc, &block->table, out);
		break;
	case PGM_DOC_PLOT:
		break;
	}
}

void pgm_doc_markdown(const struct pgm_doc *doc, struct pgm_buf *out)
{
	pgm_buf_printf(out, "# %s\n\n%s\n\n", pgm_safe_markdown(doc->arena, doc->title),
		       pgm_safe_markdown(doc->arena, doc->subtitle));
	for (size_t i = 0; i < doc->blocks.count; i++)
		write_block(doc, doc->blocks.items[i], out);
	pgm_buf_printf(out, "%s\n", pgm_safe_markdown(doc->arena, doc->footer));
}
