/*
 * What "pgmend partition --method split" says. Inside cli/ only.
 */
#ifndef PGM_CLI_PARTITION_SPLIT_PRINT_H
#define PGM_CLI_PARTITION_SPLIT_PRINT_H

#include "partition/split.h"

#include <jansson.h>
#include <stdio.h>

/* path: where the Plan was written, or NULL. */
void pgm_partition_print_split(struct pgm_arena *arena, const struct pgm_split *split,
			       const struct pgm_plan *plan, const char *path, FILE *stream);

/* The same as JSON; the caller owns the reference. */
json_t *pgm_partition_split_json(const struct pgm_split *split, const struct pgm_plan *plan,
				 const char *path);

#endif
