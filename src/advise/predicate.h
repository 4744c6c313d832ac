/*
 * Predicates of partial indexes: which conditions of a statement never change from call to call.
 */
#ifndef PGM_ADVISE_PREDICATE_H
#define PGM_ADVISE_PREDICATE_H

#include "advise/query.h"

#define PGM_PREDICATE_TERMS_MAX	   4
#define PGM_PREDICATE_SHARE_MAX	   0.9 /* a predicate that lets more in saves nothing */
#define PGM_PREDICATE_CONSTANT_MAX 0.3 /* the same for column = constant */

struct pgm_predicate {
	const char *terms[PGM_PREDICATE_TERMS_MAX]; /* SQL, sorted */
	const struct pgm_column *columns[PGM_PREDICATE_TERMS_MAX];
	size_t count;
	double share; /* of the rows, taking terms as independent */
};

/* "deleted_at IS NULL" for an atom that can stand in an index predicate; NULL for others. */
const char *pgm_predicate_term(struct pgm_arena *arena, const struct pgm_query *query,
			       const struct pgm_query_atom *atom, double *share);

/* All terms of a statement at one of its tables. constants: also column = 'constant'. */
void pgm_predicate_of(struct pgm_arena *arena, const struct pgm_query *query, int occurrence, bool constants,
		      struct pgm_predicate *predicate);

char *pgm_predicate_sql(struct pgm_arena *arena, const struct pgm_predicate *predicate); /* NULL: no term */

#endif
