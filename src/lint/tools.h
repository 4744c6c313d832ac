/*
 * What runs a migration file: told from its name and text, and what of it goes up, in which messages and
 * transactions. Inside lint/ only; everything lives in the arena.
 */
#ifndef PGM_LINT_TOOLS_H
#define PGM_LINT_TOOLS_H

#include "lint/lint.h"
#include "util/vec.h"

/* A part of a file that goes up: text[from..to). */
struct pgm_section {
	size_t from, to;
	size_t block;	     /* sections of one number share a transaction */
	bool in_transaction; /* the tool opens one around it */
	bool one_message;    /* its statements are sent together */
};

struct pgm_sections {
	struct pgm_section *items;
	size_t count;
	size_t capacity;
};

enum pgm_lint_tool pgm_tool_tell(const char *path, const char *text);

/* Whether the file's name says that it undoes what another did. */
bool pgm_tool_undoes(const char *path);

/* What a template engine fills in before PostgreSQL sees it becomes a name of the same length. */
void pgm_tool_fill_templates(enum pgm_lint_tool tool, char *text);

/* The sections that go up, in their order. wrap: plain files are run in a transaction. */
void pgm_tool_sections(struct pgm_arena *arena, const char *path, enum pgm_lint_tool tool, const char *text,
		       bool wrap, struct pgm_sections *sections);

#endif
