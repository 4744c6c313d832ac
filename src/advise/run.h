/*
 * What the steps of one run share. Inside advise/ only.
 */
#ifndef PGM_ADVISE_RUN_H
#define PGM_ADVISE_RUN_H

#include "advise/candidate.h"
#include "advise/note.h"
#include "advise/options.h"
#include "util/vec.h"

struct pgm_whatif;

/* A statement that writes to a table, and the next one. */
struct pgm_writer {
	const struct pgm_statement *statement;
	const struct pgm_writer *next;
};

struct pgm_advise_run {
	struct pgm_arena *arena;
	struct pgm_conn *conn;
	const struct pgm_advise_options *options;
	struct pgm_catalog *catalog;
	const struct pgm_workload *workload;
	struct pgm_whatif *whatif;
	PGM_VEC(struct pgm_query *) queries;
	PGM_VEC(struct pgm_candidate *) candidates;
	struct pgm_map candidates_by_text; /* CREATE INDEX text -> candidate */
	struct pgm_advise_notes notes;
	struct pgm_map row_widths; /* of samples, by their SQL: see fits.c */
	struct pgm_map writers;	   /* oid of a table -> struct pgm_writer; see pgm_writers_of() */
	bool writers_found;
	size_t asked_count;   /* statements of the workload that are asked about */
	double workload_cost; /* of all calls, as things are */
	size_t unplanned_count;
	const char *unplanned_example;
};

/* candidates.c: the candidates that one statement asks for. */
void pgm_candidates_of(struct pgm_advise_run *run, struct pgm_query *query);

/* relevance.c: whether the planner could use the candidate for the statement at all. */
bool pgm_candidate_relevant(const struct pgm_advise_run *run, const struct pgm_candidate *candidate,
			    const struct pgm_query *query);

/* partitions.c: the same, for a candidate of a table that the occurrence is a partition of. */
bool pgm_candidate_serves_partition(const struct pgm_catalog *catalog, const struct pgm_candidate *candidate,
				    const struct pgm_query *query, int occurrence);

/* Whether above, an index of a partitioned table, gives the partition what the candidate would give it. */
bool pgm_candidate_covers_partition(const struct pgm_catalog *catalog, const struct pgm_candidate *above,
				    const struct pgm_candidate *candidate);

/* foreign_keys.c: adds a statement for each foreign key whose child has no index. */
void pgm_foreign_key_queries(struct pgm_advise_run *run);

/* fits.c: whether the rows of the table, as sampled, fit into the index. */
bool pgm_candidate_fits(struct pgm_advise_run *run, const struct pgm_candidate *candidate, bool *fits,
			struct pgm_error *err) PGM_MUST_CHECK;

/* writes.c: the statements of the workload that write to the table itself; NULL: none. */
const struct pgm_writer *pgm_writers_of(struct pgm_advise_run *run, const struct pgm_table *table);

/* Fills write_cost of every candidate; and the share that one written row costs more. */
void pgm_write_costs(struct pgm_advise_run *run);
double pgm_write_overhead(const struct pgm_advise_run *run, const struct pgm_candidate *candidate);

#endif
