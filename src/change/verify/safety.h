/*
 * Whether a statement of a Plan may be executed to measure it. A READ ONLY transaction that is rolled back
 * protects the data, but not from nextval(), pg_notify(), dblink() or a session's advisory locks: so what
 * the statement calls is looked at first.
 */
#ifndef PGM_CHANGE_VERIFY_SAFETY_H
#define PGM_CHANGE_VERIFY_SAFETY_H

#include "change/plan.h"
#include "pg/conn.h"

enum pgm_safety {
	PGM_SAFETY_EXECUTE,
	PGM_SAFETY_PLAN_ONLY, /* EXPLAIN it, no more */
	PGM_SAFETY_REFUSE,    /* EXPLAIN does not take it */
};

/* reason: why not, or "". schemas: the user's search path as a text[] literal. */
bool pgm_safety_of(struct pgm_conn *conn, struct pgm_arena *arena, const struct pgm_plan_statement *statement,
		   const char *schemas, enum pgm_safety *safety, const char **reason,
		   struct pgm_error *err) PGM_MUST_CHECK;

/* The schemas of the user's search path, in order, with pg_catalog, as a text[] literal. */
bool pgm_safety_schemas(struct pgm_conn *conn, struct pgm_arena *arena, char **schemas,
			struct pgm_error *err) PGM_MUST_CHECK;

#endif
