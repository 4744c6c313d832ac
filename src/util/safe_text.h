/*
 * Names and texts of a database or a file on their way to a terminal, a Markdown page or an HTML page: none
 * of them may steer what shows them. Results live in the arena.
 */
#ifndef PGM_UTIL_SAFE_TEXT_H
#define PGM_UTIL_SAFE_TEXT_H

#include "util/arena.h"

#include <stdbool.h>
#include <stdio.h>

/* For a terminal: control characters are written out. Newlines and tabs are kept where the text is SQL. */
char *pgm_safe_text(struct pgm_arena *arena, const char *text, bool keep_newlines);

/* For Markdown: on one line, with what would be marks escaped. */
const char *pgm_safe_markdown(struct pgm_arena *arena, const char *text);

/* For the text of an HTML element; control characters are written out, newlines are kept. */
const char *pgm_safe_html(struct pgm_arena *arena, const char *text);

/* Words in lines of the terminal's width, each after the indent. */
void pgm_print_wrapped(struct pgm_arena *arena, const char *text, int indent, FILE *stream);

/* SQL as a fenced Markdown block, its lines ended. */
char *pgm_safe_fenced(struct pgm_arena *arena, const char *text);
void pgm_print_fenced(struct pgm_arena *arena, const char *text, FILE *stream);

#endif
