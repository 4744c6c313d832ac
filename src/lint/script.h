/*
 * A migration file, read: which tool runs it, which statements it runs, in which transactions as far as the
 * file says, and what comments ask to be ignored. Inside lint/ only; everything lives in the arena.
 */
#ifndef PGM_LINT_SCRIPT_H
#define PGM_LINT_SCRIPT_H

#include "lint/lint.h"
#include "sql/operation.h"
#include "sql/split.h"
#include "util/vec.h"

struct pgm_script_statement {
	const char *text;
	size_t offset; /* in the file's text */
	size_t length;
	int line;
	bool block_transaction; /* the tool opens a transaction around the block that it is in */
	size_t block;		/* statements of one block are sent together */
	bool unread;		/* a comment asks not to parse it */
	struct pgm_ops ops;	/* empty where it could not be parsed */
	bool ignored[PGM_LINT_RULES];
};

struct pgm_script {
	const char *path;
	enum pgm_lint_tool tool;
	const char *text; /* as read */
	const char *skipped;
	bool ignored[PGM_LINT_RULES]; /* for the whole file */
	PGM_VEC(struct pgm_script_statement) statements;
	PGM_VEC(struct pgm_lint_problem) problems;
};

/*
 * Read and parse it. A .down.sql is read only where it is alone: who lints a folder means what goes up. Fails
 * with PGM_ERR_INPUT where the file cannot be read; what is wrong in it goes to script->problems.
 */
bool pgm_script_read(struct pgm_arena *arena, const char *path, const struct pgm_lint_options *options,
		     bool alone, struct pgm_script *script, struct pgm_error *err) PGM_MUST_CHECK;

/* The whole text of a file, without NUL bytes; PGM_ERR_INPUT where that cannot be had. */
bool pgm_script_text(struct pgm_arena *arena, const char *path, char **text, size_t *length,
		     struct pgm_error *err) PGM_MUST_CHECK;

/* Line and column, both from 1, of a byte of a statement; columns count characters. */
void pgm_script_position(const struct pgm_script *script, const struct pgm_script_statement *statement,
			 size_t offset, int *line, int *column);

#endif
