/*
 * A report as a list of blocks, apart from how it is written: the same document becomes a Markdown page or an
 * HTML page. Texts are as they came, from databases and files too; whoever writes the page escapes them.
 * Everything lives in the document's arena.
 */
#ifndef PGM_LOAD_DOCUMENT_H
#define PGM_LOAD_DOCUMENT_H

#include "load/plot.h"
#include "util/vec.h"

enum pgm_doc_kind {
	PGM_DOC_HEADING, /* text */
	PGM_DOC_TEXT,	 /* a paragraph */
	PGM_DOC_BANNER,	 /* a paragraph that says how it ended, with a mark */
	PGM_DOC_TILES,	 /* the most important figures: items of name, text and detail */
	PGM_DOC_LIST,	 /* items of text */
	PGM_DOC_CARD,	 /* text is its title; items of text are its paragraphs; code below them */
	PGM_DOC_TABLE,
	PGM_DOC_PLOT,
};

enum pgm_doc_mark { PGM_DOC_PLAIN, PGM_DOC_GOOD, PGM_DOC_BAD };

struct pgm_doc_item {
	const char *name, *text, *detail; /* "" where there is none */
	enum pgm_doc_mark mark;
};

/* A cell: text, and below it or beside it what it is in comparison. */
struct pgm_doc_cell {
	const char *text;
	const char *ratio; /* "" where there is none */
	enum pgm_doc_mark mark;
};

struct pgm_doc_table {
	const char *const *headers;
	const char *columns; /* a letter for each: l left, r a number, c code */
	size_t column_count;
	struct pgm_doc_cell *cells; /* row by row */
	size_t row_count, row_capacity;
};

struct pgm_doc_block {
	enum pgm_doc_kind kind;
	enum pgm_doc_mark mark;
	bool text_only; /* an HTML page shows it as a plot */
	int level;	/* of a heading: 2 or 3 */
	const char *text;
	const char *code; /* of a card: SQL; NULL: none */
	PGM_VEC(struct pgm_doc_item) items;
	struct pgm_doc_table table;
	const struct pgm_plot *plot;
};

struct pgm_doc {
	struct pgm_arena *arena;
	const char *title, *subtitle, *footer;
	PGM_VEC(struct pgm_doc_block *) blocks;
};

struct pgm_doc_block *pgm_doc_add(struct pgm_doc *doc, enum pgm_doc_kind kind, const char *text);
void pgm_doc_heading(struct pgm_doc *doc, int level, const char *text);
void pgm_doc_item(struct pgm_doc *doc, struct pgm_doc_block *block, const char *name, const char *text,
		  const char *detail, enum pgm_doc_mark mark);
/* headers (as many as columns has letters) must live as long as the document. */
struct pgm_doc_block *pgm_doc_table(struct pgm_doc *doc, const char *columns, const char *const *headers);
/* A new row of empty cells, for the caller to fill: as many as columns. Valid until the next row. */
struct pgm_doc_cell *pgm_doc_row(struct pgm_doc *doc, struct pgm_doc_block *table);
/* A copy of the plot; its arrays must live as long as the document. One without a value is left out. */
void pgm_doc_plot(struct pgm_doc *doc, const struct pgm_plot *plot);

void pgm_doc_html(const struct pgm_doc *doc, struct pgm_buf *out);
void pgm_doc_markdown(const struct pgm_doc *doc, struct pgm_buf *out);

#endif
