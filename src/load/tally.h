/*
 * What is counted of one target while a run goes on, and made into its part of the result at the end.
 */
#ifndef PGM_LOAD_TALLY_H
#define PGM_LOAD_TALLY_H

#include "load/result.h"
#include "load/script.h"
#include "util/histogram.h"
#include "util/vec.h"

struct pgm_tally_error {
	const char *code, *message;
	uint64_t count, in_second;
};

struct pgm_tally_part {
	uint64_t done, failed, rows;
	struct pgm_fine_histogram *latency; /* made with the first */
};

struct pgm_tally {
	struct pgm_arena *arena;
	const struct pgm_scripts *scripts;
	struct pgm_load_target *target; /* whose counts go up as they come */
	struct pgm_fine_histogram *latency, *service, *lag, *connecting, *second, *step;
	struct pgm_load_second now;
	uint64_t step_scheduled, step_done, step_failed;
	struct pgm_tally_part *parts;	   /* of scripts */
	struct pgm_tally_part *statements; /* of SQL commands, by number */
	struct pgm_tally_error errors[PGM_LOAD_SQLSTATES_MAX];
	size_t error_count;
	PGM_VEC(struct pgm_load_second) seconds;
	PGM_VEC(struct pgm_load_step) steps;
};

void pgm_tally_init(struct pgm_tally *tally, struct pgm_arena *arena, const struct pgm_scripts *scripts,
		    struct pgm_load_target *target);

void pgm_tally_scheduled(struct pgm_tally *tally);
void pgm_tally_started(struct pgm_tally *tally, double lag_ms);
/* script: its place among them; SIZE_MAX: none was chosen yet. */
void pgm_tally_done(struct pgm_tally *tally, size_t script, double latency_ms, double service_ms);
void pgm_tally_failed(struct pgm_tally *tally, size_t script, const char *code, const char *message);
void pgm_tally_statement(struct pgm_tally *tally, size_t number, double ms, uint64_t rows, bool failed);
void pgm_tally_connected(struct pgm_tally *tally, double ms);

/* A second is over: how it was meant to be, and what is open at its end. Kept, and NULL where it is empty. */
const struct pgm_load_second *pgm_tally_end_second(struct pgm_tally *tally, double at_s, double length_s,
						   double rate, uint32_t users, uint32_t sessions,
						   uint64_t backlog);

/* A step is over: its figures are counted from the step before it. */
struct pgm_load_step *pgm_tally_end_step(struct pgm_tally *tally, double from_s, double to_s);

void pgm_tally_finish(struct pgm_tally *tally);
void pgm_tally_done_with(struct pgm_tally *tally); /* frees the histograms */

#endif
