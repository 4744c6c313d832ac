/*
 * Reading the catalogs for a design. Inside partition/ only: design.c calls these in this order, each fills
 * its part of the design and adds refusals, changes and notes.
 */
#ifndef PGM_PARTITION_LOOK_H
#define PGM_PARTITION_LOOK_H

#include "partition/design.h"

/* The oid of the table of that name: as SQL would find it, else by its bare name. PGM_ERR_USAGE: none. */
bool pgm_look_find(struct pgm_conn *conn, struct pgm_arena *arena, const char *name, const char **found,
		   struct pgm_error *err) PGM_MUST_CHECK;

bool pgm_look_table(struct pgm_conn *conn, struct pgm_arena *arena, struct pgm_partition_design *design,
		    struct pgm_error *err) PGM_MUST_CHECK;
bool pgm_look_columns(struct pgm_conn *conn, struct pgm_arena *arena, struct pgm_partition_design *design,
		      struct pgm_error *err) PGM_MUST_CHECK;
/* Needs design->key. */
bool pgm_look_indexes(struct pgm_conn *conn, struct pgm_arena *arena, struct pgm_partition_design *design,
		      struct pgm_error *err) PGM_MUST_CHECK;
bool pgm_look_obstacles(struct pgm_conn *conn, struct pgm_arena *arena, struct pgm_partition_design *design,
			struct pgm_error *err) PGM_MUST_CHECK;
/* The least and the greatest key, NULLs and infinities: reads the table where no index has the answer. */
bool pgm_look_range(struct pgm_conn *conn, struct pgm_arena *arena, struct pgm_partition_design *design,
		    struct pgm_error *err) PGM_MUST_CHECK;

#endif
