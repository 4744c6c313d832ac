/*
 * What the planner does with a statement whose values are not known: EXPLAIN of its generic plan. The
 * statement itself never runs: there is no ANALYZE, the transaction is read-only and is rolled back, and the
 * server takes one statement at a time (the extended protocol).
 */
#ifndef PGM_WORKLOAD_GENERIC_PLAN_H
#define PGM_WORKLOAD_GENERIC_PLAN_H

#include "pg/conn.h"

#define PGM_GENERIC_PLAN_MS	 5000 /* of planning */
#define PGM_GENERIC_PLAN_LOCK_MS 500

struct pgm_generic_plan {
	const char *text; /* as EXPLAIN prints it; in the arena */
	const char *json; /* the same with FORMAT JSON */
};

/*
 * Of one statement with $1, $2... (or without), which is prepared under plan_cache_mode =
 * force_generic_plan. Names are looked up along the user's own search_path. The session must not be in a
 * transaction.
 */
bool pgm_generic_plan(struct pgm_conn *conn, struct pgm_arena *arena, const char *sql,
		      struct pgm_generic_plan *plan, struct pgm_error *err) PGM_MUST_CHECK;

/*
 * The text for that: "interval $1" and its like, which normalizing makes of interval '1 day', are no SQL and
 * become ($1)::pg_catalog.interval. *numbers: the greatest n of a $n.
 */
char *pgm_generic_text(struct pgm_arena *arena, const char *sql, int *numbers);

#endif
