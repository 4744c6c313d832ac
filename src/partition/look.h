/*
 * Reading the catalogs for a design. Inside partition/ only: design.c calls these in this order, each fills
 * its part of the design and adds refusals, changes and notes; some serve split.c, too.
 */
#ifndef PGM_PARTITION_LOOK_H
#define PGM_PARTITION_LOOK_H

#include "partition/design.h"

/* The oid of the table of that name: as SQL would find it, else by its bare name. PGM_ERR_USAGE: none. */
bool pgm_look_find(struct pgm_conn *conn, struct pgm_arena *arena, const char *name, const char **found,
		   struct pgm_error *err) PGM_MUST_CHECK;

/* False, with err: the table (quoted) is not ours to change; we may not create in the schema. */
bool pgm_look_refuse_owner(struct pgm_arena *arena, const char *table, const char *owner,
			   struct pgm_error *err);
bool pgm_look_refuse_schema(struct pgm_arena *arena, const char *schema, struct pgm_error *err);

bool pgm_look_table(struct pgm_conn *conn, struct pgm_arena *arena, struct pgm_partition_design *design,
		    struct pgm_error *err) PGM_MUST_CHECK;
bool pgm_look_columns(struct pgm_conn *conn, struct pgm_arena *arena, struct pgm_partition_design *design,
		      struct pgm_error *err) PGM_MUST_CHECK;
/* Needs design->key. */
bool pgm_look_indexes(struct pgm_conn *conn, struct pgm_arena *arena, struct pgm_partition_design *design,
		      struct pgm_error *err) PGM_MUST_CHECK;
bool pgm_look_obstacles(struct pgm_conn *conn, struct pgm_arena *arena, struct pgm_partition_design *design,
			struct pgm_error *err) PGM_MUST_CHECK;
/* The foreign keys that refer to the table, with what takes each away and makes it anew. */
bool pgm_look_incoming(struct pgm_conn *conn, struct pgm_arena *arena, const char *oid, const char *key,
		       pgm_partition_statements *list, struct pgm_error *err) PGM_MUST_CHECK;
/* The least and the greatest key, NULLs and infinities: reads the table where no index has the answer. */
bool pgm_look_range(struct pgm_conn *conn, struct pgm_arena *arena, struct pgm_partition_design *design,
		    struct pgm_error *err) PGM_MUST_CHECK;

#endif
