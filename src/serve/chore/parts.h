/*
 * What the files of chore/ share.
 */
#ifndef PGM_SERVE_CHORE_PARTS_H
#define PGM_SERVE_CHORE_PARTS_H

#include "serve/chore/chore.h"
#include "serve/chore/timetable.h"
#include "serve/job/job.h"

#include <pthread.h>

enum pgm_chore_id {
	PGM_CHORE_PARTITIONS,
	PGM_CHORE_ANALYZE,
	PGM_CHORE_REINDEX,
	PGM_CHORE_REPORT,
	PGM_CHORES
};

struct pgm_chore_options {
	int64_t analyze_max, reindex_max; /* tables and indexes of one run */
	int64_t reindex_min_bytes;	  /* smaller indexes are let be; 0: as the check has it */
	int64_t time_limit_ms;		  /* of one run */
	int64_t reports_kept;		  /* of a database */
	char *report_folder;		  /* or NULL: beside the history */
	char **databases;		  /* NULL: all; ends with NULL */
	bool make_up;			  /* for what was missed */
	char zone[PGM_TIMETABLE_ZONE_MAX];
};

struct pgm_chore {
	enum pgm_chore_id id;
	char *text; /* of the timetable */
	struct pgm_timetable timetable;
	int64_t last_s, due_s;
	bool now; /* somebody asked */
	char *now_database, *now_who;
	json_t *last; /* by database: at, outcome, job, text */
};

struct pgm_chores {
	pthread_mutex_t lock;
	pthread_cond_t changed;
	pthread_t thread;
	bool stop;
	struct pgm_jobs *jobs;
	struct pgm_history *history;
	/* changed by the thread, with the lock held */
	struct pgm_chore_options options;
	struct pgm_chore *items[PGM_CHORES];
	int running;		 /* enum pgm_chore_id; -1: none */
	struct pgm_chores *next; /* whose options and items it is to take; NULL: nothing new */
};

/* What came of a chore for one database. */
struct pgm_chore_outcome {
	const char *state; /* done, failed, canceled, interrupted, nothing, skipped */
	const char *text;  /* a line, or NULL; the arena's */
	char job[PGM_JOB_ID_SIZE];
};

const char *pgm_chore_name(enum pgm_chore_id id);
bool pgm_chores_stopping(struct pgm_chores *chores);

/* The chores themselves: on the thread, without the lock. */
void pgm_chore_partitions(struct pgm_chores *chores, struct pgm_arena *arena, const char *database,
			  const char *who, struct pgm_chore_outcome *outcome);
void pgm_chore_mend(struct pgm_chores *chores, struct pgm_arena *arena, enum pgm_chore_id id,
		    const char *database, const char *who, struct pgm_chore_outcome *outcome);
void pgm_chore_report(struct pgm_chores *chores, struct pgm_arena *arena, const char *database,
		      const char *who, struct pgm_chore_outcome *outcome);

/* Settings of [chores] that are no timetables; *known: whether the key is one. */
bool pgm_chore_setting(const char *key, const char *value, struct pgm_chore_options *options, bool *known,
		       struct pgm_error *err) PGM_MUST_CHECK;
void pgm_chore_options_done(struct pgm_chore_options *options);

#endif
