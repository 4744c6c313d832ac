/*
 * The index advisor: from a Catalog and a Workload to the best set of indexes, each proven on the planner.
 *
 * The steps, one file each: resolve (names to tables), values (for parameters), candidates (which indexes
 * could serve), whatif (the planner's cost with hypothetical indexes), cost (what a statement costs under a
 * set of candidates, with as few EXPLAINs as can be), gin (what hypothetical indexes cannot do), writes (what
 * an index costs each row written), select (the search), explain (what is proposed, what is not, and why).
 *
 * One run belongs to one thread and one session; everything lives in its arena.
 */
#ifndef PGM_ADVISE_ADVISE_H
#define PGM_ADVISE_ADVISE_H

#include "advise/predicate.h"
#include "advise/query.h"
#include "change/plan.h"

#define PGM_ADVISE_CANDIDATES_MAX    4096
#define PGM_ADVISE_QUERY_CANDIDATES  192 /* of one statement: the size of a set in cost.h */
#define PGM_ADVISE_SMALL_TABLE_BYTES (1 << 20)

struct pgm_advise_options {
	int64_t budget_bytes;	  /* 0: none */
	size_t max_width;	  /* key columns */
	size_t max_include_bytes; /* average width of the INCLUDE columns together */
	const char **tables;	  /* only these, "name" or "schema.name"; none: all */
	size_t table_count;
	size_t top;	 /* statements of pg_stat_statements */
	double min_gain; /* share that an index must save of some statement, or a fiftieth of that of all */
	bool drop_redundant; /* propose to drop what the proposals make needless */
	bool hypopg_sizes;   /* count the budget in HypoPG's sizes, to compare with other tools */
	void (*progress)(void *arg, const char *what, double fraction);
	void *progress_arg;
};

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
	double build_cost;
	bool impossible; /* the server refused it */
};

/* Something that is not proposed, and why. */
struct pgm_advise_note {
	const char *object;
	const char *reason;
};

/* What one proposal does for one statement. */
struct pgm_proposal_effect {
	const struct pgm_query *query;
	double cost_before; /* of one execution, planner units */
	double cost_after;
	const char *plan_before; /* headline */
	const char *plan_after;
	double generic_before; /* with the generic plan; -1: not known */
	double generic_after;
	bool estimated;
};

struct pgm_proposal {
	const struct pgm_candidate *candidate;
	const char *name;
	double benefit; /* what the workload would lose without it, planner units of all calls */
	double build_ms;
	double write_overhead;		     /* share that a row written to its table costs more */
	struct pgm_proposal_effect *effects; /* statements that use it, largest gain first */
	size_t effect_count;
	const struct pgm_index **redundant; /* existing ones that it makes needless */
	size_t redundant_count;
};

struct pgm_advice {
	struct pgm_proposal *proposals; /* most useful first */
	size_t proposal_count;
	struct pgm_advise_note *notes;
	size_t note_count;
	struct pgm_proposal_effect *losers; /* statements that cost more than before */
	size_t loser_count;
	double cost_before; /* of the whole workload, planner units */
	double cost_after;
	double size_bytes;
	double hypopg_bytes;
	size_t statement_count;
	size_t unplanned_count; /* that the server would not plan */
	const char *unplanned_example;
	size_t candidate_count;
	size_t explain_count;
	double elapsed_ms;
	const char *backend; /* "HypoPG 1.3.1 (in a transaction that was rolled back)" */
};

void pgm_advise_defaults(struct pgm_advise_options *options);

bool pgm_advise(struct pgm_arena *arena, struct pgm_conn *conn, const struct pgm_workload *workload,
		const struct pgm_advise_options *options, struct pgm_advice *advice,
		struct pgm_error *err) PGM_MUST_CHECK;

/* The proposals as a Plan that can be written to a file. */
void pgm_advise_plan(struct pgm_arena *arena, struct pgm_conn *conn, const struct pgm_workload *workload,
		     const struct pgm_advice *advice, const struct pgm_advise_options *options,
		     struct pgm_plan *plan);

/* A Plan of one of its Changes alone, with the statements that shall gain by it. */
void pgm_advise_plan_part(struct pgm_arena *arena, const struct pgm_plan *plan, size_t index,
			  struct pgm_plan *part);

#endif
