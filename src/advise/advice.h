/*
 * What the advisor found: plain data, in the arena of the run.
 */
#ifndef PGM_ADVISE_ADVICE_H
#define PGM_ADVISE_ADVICE_H

#include "advise/candidate.h"
#include "advise/note.h"

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

#endif
