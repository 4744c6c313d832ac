/*
 * What would the planner do if these indexes existed? One interface, made for two backends: HypoPG in the
 * target database (whatif_hypopg.c), and a private clone of its statistics.
 *
 * A backend belongs to one session and one thread. It changes nothing that outlives its close.
 */
#ifndef PGM_ADVISE_WHATIF_H
#define PGM_ADVISE_WHATIF_H

#include "advise/candidate.h"
#include "pg/explain.h"

#define PGM_WHATIF_USED_MAX 32

struct pgm_whatif_result {
	struct pgm_explain plan;       /* lives until the next call */
	int used[PGM_WHATIF_USED_MAX]; /* ids of candidates that the plan uses */
	size_t used_count;
};

struct pgm_whatif_ops {
	/* Whether the server would build it; fills *size_bytes with the backend's own estimate. */
	bool (*accept)(void *self, const struct pgm_candidate *candidate, double *size_bytes,
		       struct pgm_error *err);
	/* Plan the statement as if just these candidates existed beside what exists. */
	bool (*plan)(void *self, const char *sql, struct pgm_candidate *const *set, size_t count,
		     struct pgm_whatif_result *result, struct pgm_error *err);
	/* The same for a statement with $1, $2...: its generic plan. */
	bool (*plan_generic)(void *self, const char *text, size_t param_count,
			     struct pgm_candidate *const *set, size_t count, struct pgm_whatif_result *result,
			     struct pgm_error *err);
	void (*close)(void *self);
};

struct pgm_whatif {
	const struct pgm_whatif_ops *ops;
	void *self;
	const char *name; /* for the report */
	size_t explain_count;
};

/* Fails with PGM_ERR_STATE or PGM_ERR_RIGHTS and a hint where HypoPG is not to be had. */
struct pgm_whatif *pgm_whatif_hypopg_open(struct pgm_arena *arena, struct pgm_conn *conn,
					  struct pgm_error *err) PGM_MUST_CHECK;
void pgm_whatif_close(struct pgm_whatif *whatif); /* NULL is fine */

#endif
