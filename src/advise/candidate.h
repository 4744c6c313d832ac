/*
 * An index that could serve: plain data, in the arena of the run.
 */
#ifndef PGM_ADVISE_CANDIDATE_H
#define PGM_ADVISE_CANDIDATE_H

#include "advise/predicate.h"
#include "advise/query.h"

#define PGM_ADVISE_CANDIDATES_MAX    4096
#define PGM_ADVISE_QUERY_CANDIDATES  192 /* of one statement: the size of a set in cost.h */
#define PGM_ADVISE_SMALL_TABLE_BYTES (1 << 20)

enum pgm_candidate_source {
	PGM_CANDIDATE_OF_STATEMENT,
	PGM_CANDIDATE_OF_FOREIGN_KEY,
};

struct pgm_candidate {
	int id;
	const char *name; /* once it is proposed */
	struct pgm_index_def def;
	struct pgm_predicate predicate; /* of a partial index */
	const char *body;		/* pgm_index_def_body(): tells candidates of a table apart */
	enum pgm_candidate_source source;
	const struct pgm_foreign_key *foreign_key; /* that asked for it first */
	bool estimated;				   /* HypoPG cannot plan with it: gin */
	const struct pgm_column *searched;	   /* of a gin index: its column */
	double gin_entries;			   /* of one row, on average, as sampled */
	double gin_keys;			   /* distinct ones in all rows, extrapolated */
	double size_bytes;			   /* our estimate */
	double budget_bytes;			   /* what it counts for in the budget */
	double write_cost;			   /* of the whole workload, in planner units */
	bool impossible;			   /* the server refused it */
};

#endif
