/*
 * How "pgmend check" shows its report, its list of checks and one check's description. Used by cmd_check.c.
 */
#ifndef PGM_CLI_CHECK_PRINT_H
#define PGM_CLI_CHECK_PRINT_H

#include "check/check.h"
#include "check/since.h"

#include <stdio.h>

void pgm_check_print_text(struct pgm_arena *arena, const struct pgm_check_report *report, FILE *stream);
void pgm_check_print_markdown(struct pgm_arena *arena, const struct pgm_check_report *report, FILE *stream);
void pgm_check_print_since(struct pgm_arena *arena, const struct pgm_check_since *since, FILE *stream);
void pgm_check_print_since_markdown(struct pgm_arena *arena, const struct pgm_check_since *since,
				    FILE *stream);
void pgm_check_print_since_html(struct pgm_arena *arena, const struct pgm_check_since *since, FILE *stream);

/* One page that needs nothing else. since: NULL without a comparison. */
void pgm_check_print_html(struct pgm_arena *arena, const struct pgm_check_report *report,
			  const struct pgm_check_since *since, FILE *stream);

/* A new reference to the report as SARIF. */
json_t *pgm_check_sarif(struct pgm_arena *arena, const struct pgm_check_report *report,
			const struct pgm_check_since *since);

void pgm_check_print_list(struct pgm_arena *arena, const struct pgm_check *checks, size_t count,
			  FILE *stream);
void pgm_check_print_explain(struct pgm_arena *arena, const struct pgm_check *check, FILE *stream);

#endif
