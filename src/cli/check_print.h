/*
 * How "pgmend check" shows its report, its list of checks and one check's description. Used by cmd_check.c.
 */
#ifndef PGM_CLI_CHECK_PRINT_H
#define PGM_CLI_CHECK_PRINT_H

#include "check/check.h"

#include <stdio.h>

void pgm_check_print_text(struct pgm_arena *arena, const struct pgm_check_report *report, FILE *stream);
void pgm_check_print_markdown(struct pgm_arena *arena, const struct pgm_check_report *report, FILE *stream);
void pgm_check_print_list(struct pgm_arena *arena, const struct pgm_check *checks, size_t count,
			  FILE *stream);
void pgm_check_print_explain(struct pgm_arena *arena, const struct pgm_check *check, FILE *stream);

#endif
