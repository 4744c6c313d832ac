/*
 * Comments that ask the lint to pass over something:
 *
 *	-- pgmend:ignore RULE, ...: why		findings of these rules in the statement that follows, or that
 *						the comment is in or behind on its line; without a rule all
 *	-- pgmend:ignore-file RULE, ...: why	in the whole file
 *	-- pgmend:ignore-syntax			the statement is not parsed
 *
 * Inside lint/ only.
 */
#ifndef PGM_LINT_COMMENTS_H
#define PGM_LINT_COMMENTS_H

#include "lint/script.h"

/* Find them and mark the statements; an unknown rule becomes a problem of the script. */
void pgm_comments_read(struct pgm_arena *arena, struct pgm_script *script, const char *text);

#endif
