/*
 * What verify found, for people: text for the terminal, or Markdown.
 */
#ifndef PGM_CLI_VERIFY_PRINT_H
#define PGM_CLI_VERIFY_PRINT_H

#include "change/verify/verify.h"

#include <stdio.h>

void pgm_verify_print_baseline(struct pgm_arena *arena, const struct pgm_plan *plan,
			       const struct pgm_measures *measures, bool markdown, FILE *stream);
void pgm_verify_print_report(struct pgm_arena *arena, const struct pgm_verify_report *report, bool markdown,
			     FILE *stream);

#endif
