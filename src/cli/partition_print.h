/*
 * What "pgmend partition" says of a design. Inside cli/ only.
 */
#ifndef PGM_CLI_PARTITION_PRINT_H
#define PGM_CLI_PARTITION_PRINT_H

#include "change/plan.h"
#include "partition/design.h"

#include <jansson.h>
#include <stdio.h>

/* path: where the Plan was written, or NULL. */
void pgm_partition_print(struct pgm_arena *arena, const struct pgm_partition_design *design,
			 const struct pgm_plan *plan, const char *path, FILE *stream);

/* The same as JSON; the caller owns the reference. */
json_t *pgm_partition_json(const struct pgm_partition_design *design, const struct pgm_plan *plan,
			   const char *path);

/* For what is said of a split, too. */
void pgm_partition_print_list(struct pgm_arena *arena, FILE *stream, const char *title, const char **items,
			      size_t count);
void pgm_partition_print_incoming(struct pgm_arena *arena, const pgm_partition_statements *list,
				  FILE *stream);
json_t *pgm_partition_incoming_json(const pgm_partition_statements *list);

#endif
