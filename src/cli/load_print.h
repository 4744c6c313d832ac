/*
 * What "pgmend load" shows: a line each second while it runs, and tables at its end.
 */
#ifndef PGM_CLI_LOAD_PRINT_H
#define PGM_CLI_LOAD_PRINT_H

#include "load/run.h"

#include <stdio.h>

/* On a terminal rewritten each second; elsewhere a line each tenth second. seen: what the server was seen to
 * do. */
void pgm_load_print_progress(struct pgm_arena *arena, const struct pgm_load_progress *progress,
			     const char *seen);

void pgm_load_print(struct pgm_arena *arena, const struct pgm_load_result *result, FILE *stream);

#endif
