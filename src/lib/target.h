/*
 * The table that a batch writes to: its columns and their types, as the catalog has them when the batch is
 * opened. Belongs to the batch; nothing changes after pgm_target_read().
 */
#ifndef PGM_LIB_TARGET_H
#define PGM_LIB_TARGET_H

#include "pgmend/pgmend.h"

#include <libpq-fe.h>

struct pgm_type {
	uint32_t oid;
	uint32_t array_oid; /* 0: it has none */
	char *name; /* "pg_catalog"."int4": quoted, and without a modifier, so that a cast cuts nothing off */
	char kind;  /* pg_type.typtype */
	bool receives_text;	     /* its binary form is its text: text, varchar, json, enums, citext... */
	const struct pgm_type *base; /* of a domain, as deep as it goes; of others, the type itself */
	const struct pgm_type *element; /* of an array; else NULL */
	const struct pgm_type *subtype; /* of a range; else NULL */
	uint32_t base_oid, element_oid, subtype_oid;
};

struct pgm_target_column {
	char *name;
	const struct pgm_type *type;
	bool generated;
	bool always_identity;
};

struct pgm_target {
	uint32_t oid;
	char *name;  /* "public"."orders": quoted */
	bool copies; /* COPY FROM writes what INSERT would: no view, no rule, no row-level security for us */
	bool row_security;
	bool triggered; /* it has triggers that are no constraint's */
	bool deferred;	/* it has constraints that are checked at COMMIT */
	struct pgm_type *types;
	size_t type_count;
	struct pgm_target_column *columns;
	size_t column_count;
};

/* Fills target, which the caller has zeroed; pgm_target_done() also after a failure. */
bool pgm_target_read(struct pgm_target *target, PGconn *conn, const char *schema, const char *table,
		     struct pgmend_error *err);
void pgm_target_done(struct pgm_target *target);

const struct pgm_target_column *pgm_target_column(const struct pgm_target *target, const char *name);

#endif
