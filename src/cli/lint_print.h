/*
 * How "pgmend lint" shows its report and its rules. Used by cmd_lint.c.
 */
#ifndef PGM_CLI_LINT_PRINT_H
#define PGM_CLI_LINT_PRINT_H

#include "lint/lint.h"

#include <stdio.h>

void pgm_lint_print_text(struct pgm_arena *arena, const struct pgm_lint_report *report, FILE *stream);
void pgm_lint_print_markdown(struct pgm_arena *arena, const struct pgm_lint_report *report, FILE *stream);
json_t *pgm_lint_sarif(struct pgm_arena *arena, const struct pgm_lint_report *report); /* a new reference */

void pgm_lint_print_rules(struct pgm_arena *arena, FILE *stream);
void pgm_lint_print_rules_page(FILE *stream); /* docs/lint-rules.md */
void pgm_lint_print_rule(struct pgm_arena *arena, const struct pgm_lint_rule *rule, FILE *stream);

#endif
