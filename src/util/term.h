/*
 * What people see: tables, colour and a progress line. Colour and progress appear only where the stream is
 * a terminal and NO_COLOR is unset. Used by cli/ alone, from one thread.
 */
#ifndef PGM_UTIL_TERM_H
#define PGM_UTIL_TERM_H

#include "util/arena.h"

#include <stdbool.h>
#include <stdio.h>

enum pgm_style { PGM_PLAIN, PGM_BOLD, PGM_DIM, PGM_RED, PGM_GREEN, PGM_YELLOW, PGM_CYAN };

bool pgm_term_is_tty(FILE *stream);
int pgm_term_width(FILE *stream); /* columns; 80 where it is not a terminal */

/* The escape sequence that turns a style on, or "" where the stream takes no colour. */
const char *pgm_term_on(FILE *stream, enum pgm_style style);
const char *pgm_term_off(FILE *stream);

/* Cells a string takes on the screen: UTF-8 code points (no wide or combining ones are told apart). */
size_t pgm_term_cells(const char *text);

struct pgm_table;

/* aligns: one letter for each column, 'l' or 'r'. Texts are copied into the arena. */
struct pgm_table *pgm_table_new(struct pgm_arena *arena, const char *aligns, const char *const *headers);
void pgm_table_row(struct pgm_table *table, const char *const *cells); /* as many as there are columns */
void pgm_table_print(const struct pgm_table *table, FILE *stream);

/* As a GitHub Markdown table; pipes and newlines in cells are escaped. */
void pgm_table_print_markdown(const struct pgm_table *table, FILE *stream);

/* One line on stderr that is rewritten in place; nothing at all where stderr is no terminal. */
void pgm_progress_show(const char *label, double fraction, const char *detail); /* fraction < 0: unknown */
void pgm_progress_clear(void);

#endif
