/*
 * What a load run's figures say: whether the target kept up, what it was bound by, where a ramp broke, and
 * what follows for scaling. Each sentence holds the figures it rests on; what was not measured is not
 * mentioned. Pure functions of a result; texts live in the arena. One thread.
 */
#ifndef PGM_LOAD_ANALYSIS_H
#define PGM_LOAD_ANALYSIS_H

#include "load/result.h"
#include "util/vec.h"

enum pgm_load_cause_kind {
	PGM_LOAD_BY_GENERATOR,	 /* this very process */
	PGM_LOAD_BY_CPU,	 /* of the machine */
	PGM_LOAD_BY_POOL,	 /* connections that the pooler may open */
	PGM_LOAD_BY_CONNECTIONS, /* refused or lost ones */
	PGM_LOAD_BY_LOCKS,
	PGM_LOAD_BY_IO,
	PGM_LOAD_BY_LWLOCKS,   /* the server's own */
	PGM_LOAD_BY_STATEMENT, /* one that takes most of the time */
	PGM_LOAD_BY_SCANS,     /* tables that are read whole */
	PGM_LOAD_BY_SESSIONS,  /* of the load's own */
	PGM_LOAD_CAUSES,
};

struct pgm_load_cause {
	enum pgm_load_cause_kind kind;
	const char *name;    /* "the processors" */
	const char *figures; /* sentences */
	const char *advice;  /* sentences */
};

struct pgm_load_analysis {
	bool saturated;	     /* it fell behind what was due */
	double behind_share; /* of its seconds, of 1 */
	const char *summary; /* one sentence */
	struct pgm_load_cause causes[PGM_LOAD_CAUSES];
	size_t cause_count;
	const char **notes; /* further sentences */
	size_t note_count;
	const struct pgm_load_step *held, *broken; /* of a ramp: the last that held, the first that did not */
};

/* target: its place in the result. */
void pgm_load_analyse(struct pgm_arena *arena, const struct pgm_load_result *result, size_t target,
		      struct pgm_load_analysis *analysis);

/* Transactions a second that were due while any were: not in the time in which the last of them were done. */
double pgm_load_due_rate(const struct pgm_load_target *target);

/* What backends did, summed over looks. */
struct pgm_load_wait_sums {
	PGM_VEC(struct pgm_load_wait) items;
	double all; /* backends of all of them */
};
void pgm_load_sum_waits(struct pgm_arena *arena, struct pgm_load_wait_sums *sums,
			const struct pgm_load_sample *sample);
void pgm_load_sort_waits(struct pgm_load_wait_sums *sums); /* the most frequent first */

/* A statement on one line, cut where it is long. */
char *pgm_load_short_sql(struct pgm_arena *arena, const char *text, size_t max_bytes);

#endif
