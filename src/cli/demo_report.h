/*
 * What the demo prints beside the output of the commands that it runs.
 */
#ifndef PGM_CLI_DEMO_REPORT_H
#define PGM_CLI_DEMO_REPORT_H

#include "demo/apps.h"
#include "demo/headline.h"

struct pgm_demo_result {
	const struct pgm_demo_statement *statement;
	struct pgm_demo_measurement before;
	struct pgm_demo_measurement after;
};

void pgm_demo_print_sizes(struct pgm_arena *arena, const struct pgm_demo_size *sizes);

/* Every headline, in the order of the applications, and a line that sums them up. */
void pgm_demo_print_results(struct pgm_arena *arena, const struct pgm_demo_result *results, size_t count);

/* A word as a shell takes it: in quotes where it needs them. */
char *pgm_demo_shell_word(struct pgm_arena *arena, const char *word);

#endif
