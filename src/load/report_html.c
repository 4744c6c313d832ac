#include "load/document.h"

#include "util/embedded.h"
#include "util/safe_text.h"

static const char *const marks[] = {"", "good", "bad"};

/* No script, no picture, no address elsewhere: the policy makes a browser hold it to that. */
static void write_head(const struct pgm_doc *doc, struct pgm_buf *out)
{
	pgm_buf_printf(out,
		       "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\"/>\n"
		       "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src "
		       "'unsafe-inline'\"/>\n"
		       "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"/>\n"
		       "<title>%s</title>\n<style>\n%s</style>\n</head>\n<body>\n<header>\n<h1>%s</h1>\n",
		       pgm_safe_html(doc->arena, doc->title), pgm_embedded_text("load/report.css"),
		       pgm_safe_html(doc->arena, doc->title));
	pgm_buf_printf(out, "<p>%s</p>\n</header>\n<main>\n", pgm_safe_html(doc->arena, doc->subtitle));
}

static void write_element(const struct pgm_doc *doc, struct pgm_buf *out, const char *element,
			  enum pgm_doc_mark mark, const char *text)
{
	if (*text && mark)
		pgm_buf_printf(out, "<%s class=\"%s\">%s</%s>\n", element, marks[mark],
			       pgm_safe_html(doc->arena, text), element);
	else if (*text)
		pgm_buf_printf(out, "<%s>%s</%s>\n", element, pgm_safe_html(doc->arena, text), element);
}

static void write_tiles(const struct pgm_doc *doc, const struct pgm_doc_block *block, struct pgm_buf *out)
{
	pgm_buf_add(out, "<div class=\"tiles\">\n");
	for (size_t i = 0; i < block->items.count; i++) {
		const struct pgm_doc_item *item = &block->items.items[i];
		pgm_buf_add(out, "<div>");
		write_element(doc, out, "span", PGM_DOC_PLAIN, item->name);
		write_element(doc, out, "b", item->mark, item->text);
		write_element(doc, out, "small", PGM_DOC_PLAIN, item->detail);
		pgm_buf_add(out, "</div>\n");
	}
	pgm_buf_add(out, "</div>\n");
}

static void write_items(const struct pgm_doc *doc, const struct pgm_doc_block *block, const char *element,
			struct pgm_buf *out)
{
	for (size_t i = 0; i < block->items.count; i++)
		write_element(doc, out, element, block->items.items[i].mark, block->items.items[i].text);
}

static void write_cell(const struct pgm_doc *doc, const struct pgm_doc_cell *cell, char column,
		       struct pgm_buf *out)
{
	pgm_buf_add(out, column == 'r' ? "<td class=\"r\">" : "<td>");
	if (column == 'c' && *cell->text)
		pgm_buf_printf(out, "<code>%s</code>", pgm_safe_html(doc->arena, cell->text));
	else if (cell->mark && !*cell->ratio)
		pgm_buf_printf(out, "<span class=\"%s\">%s</span>", marks[cell->mark],
			       pgm_safe_html(doc->arena, cell->text));
	else
		pgm_buf_add(out, pgm_safe_html(doc->arena, cell->text));
	if (*cell->ratio)
		pgm_buf_printf(out, " <small class=\"%s\">%s</small>",
			       cell->mark ? marks[cell->mark] : "soft",
			       pgm_safe_html(doc->arena, cell->ratio));
	pgm_buf_add(out, "</td>");
}

static void write_table(const struct pgm_doc *doc, const struct pgm_doc_table *table, struct pgm_buf *out)
{
	pgm_buf_add(out, "<div class=\"scroll\" tabindex=\"0\">\n<table>\n<thead><tr>");
	for (size_t c = 0; c < table->column_count; c++)
		pgm_buf_printf(out, "<th%s>%s</th>", table->columns[c] == 'r' ? " class=\"r\"" : "",
			       pgm_safe_html(doc->arena, table->headers[c]));
	pgm_buf_add(out, "</tr></thead>\n<tbody>\n");
	for (size_t r = 0; r < table->row_count; r++) {
		pgm_buf_add(out, "<tr>");
		for (size_t c = 0; c < table->column_count; c++)
			write_cell(doc, &table->cells[r * table->column_count + c], table->columns[c], out);
		pgm_buf_add(out, "</tr>\n");
	}
	pgm_buf_add(out, "</tbody>\n</table>\n</div>\n");
}

static void write_block(const struct pgm_doc *doc, const struct pgm_doc_block *block, struct pgm_buf *out)
{
	switch (block->kind) {
	case PGM_DOC_HEADING:
		write_element(doc, out, block->level == 2 ? "h2" : "h3", PGM_DOC_PLAIN, block->text);
		break;
	case PGM_DOC_TEXT:
		write_element(doc, out, "p", block->mark, block->text);
		break;
	case PGM_DOC_BANNER:
		pgm_buf_printf(out, "<p class=\"banner %s\">%s</p>\n", marks[block->mark],
			       pgm_safe_html(doc->arena, block->text));
		break;
	case PGM_DOC_TILES:
		write_tiles(doc, block, out);
		break;
	case PGM_DOC_LIST:
		if (block->items.count) {
			pgm_buf_add(out, "<ul>\n");
			write_items(doc, block, "li", out);
			pgm_buf_add(out, "</ul>\n");
		}
		break;
	case PGM_DOC_CARD:
		pgm_buf_printf(out, block->mark ? "<article class=\"%s\">\n" : "<article>\n",
			       marks[block->mark]);
		write_element(doc, out, "h4", PGM_DOC_PLAIN, block->text);
		write_items(doc, block, "p", out);
		if (block->code)
			pgm_buf_printf(out, "<pre>%s</pre>\n", pgm_safe_html(doc->arena, block->code));
		pgm_buf_add(out, "</article>\n");
		break;
	case PGM_DOC_TABLE:
		if (block->table.row_count)
			write_table(doc, &block->table, out);
		break;
	case PGM_DOC_PLOT:
		pgm_plot_html(out, block->plot);
		break;
	}
}

void pgm_doc_html(const struct pgm_doc *doc, struct pgm_buf *out)
{
	write_head(doc, out);
	for (size_t i = 0; i < doc->blocks.count; i++)
		if (!doc->blocks.items[i]->text_only)
			write_block(doc, doc->blocks.items[i], out);
	pgm_buf_printf(out, "</main>\n<footer>%s</footer>\n</body>\n</html>\n",
		       pgm_safe_html(doc->arena, doc->footer));
}
