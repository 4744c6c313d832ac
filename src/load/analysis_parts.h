/*
 * What the files of the analysis share. Inside analysis*.c only.
 */
#ifndef PGM_LOAD_ANALYSIS_PARTS_H
#define PGM_LOAD_ANALYSIS_PARTS_H

#include "load/analysis.h"

#define PGM_LOAD_NOTES_MAX 16

/* Over the samples of the seconds that are judged. */
struct pgm_load_means {
	size_t servers, pools, machines; /* looks that had each */
	double server_busy;		 /* mean of the looks that know it; negative: none does */
	double cpu_busy, generator_busy; /* means */
	double hit, read, temp_bytes, checkpoints, deadlocks; /* sums over the whole run */
	double queued_share;	       /* of the looks: clients waited and no server was idle */
	double queued, servers_active; /* means over those */
	double queue_max_ms;
	uint32_t pool_size;
};

struct pgm_load_view {
	struct pgm_arena *arena;
	const struct pgm_load_result *result;
	const struct pgm_load_target *target;
	struct pgm_load_analysis *analysis;
	struct pgm_load_means means;
};

/* Whether a sample counts: all do, or where the target fell behind, those of such seconds. */
bool pgm_load_sample_counts(const struct pgm_load_view *view, const struct pgm_load_sample *sample);
void pgm_load_add_cause(struct pgm_load_view *view, enum pgm_load_cause_kind kind, const char *figures,
			const char *advice);
void pgm_load_add_note(struct pgm_load_view *view, const char *note);

void pgm_load_find_causes(struct pgm_load_view *view);
void pgm_load_find_waits(struct pgm_load_view *view); /* locks, input and output, the server's own locks */
void pgm_load_find_notes(struct pgm_load_view *view);

#endif
