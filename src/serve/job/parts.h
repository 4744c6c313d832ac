/*
 * What the files of job/ share. Everything is under jobs->lock but what says otherwise.
 */
#ifndef PGM_SERVE_JOB_PARTS_H
#define PGM_SERVE_JOB_PARTS_H

#include "serve/config/config.h"
#include "serve/job/child.h"
#include "serve/job/job.h"
#include "serve/job/plans.h"
#include "serve/job/record.h"
#include "util/clock.h"

#include <pthread.h>
#include <stdatomic.h>

#define PGM_JOB_EVENTS	       256   /* of a job that are kept for who comes late */
#define PGM_JOB_ENDED_KEPT     32    /* ended jobs that keep their events */
#define PGM_JOB_RESULTS_KEPT   50    /* ended jobs that keep what they printed */
#define PGM_JOB_LINE_MAX       8192  /* of standard error; the rest of a longer line is left out */
#define PGM_JOB_GRACE_MS       60000 /* between being asked to end and being killed */
#define PGM_JOB_MEMORY_LOOK_MS 1000
#define PGM_JOB_ANSWERS	       64 /* of short questions that are kept */
#define PGM_JOB_ERROR_MAX      2000
#define PGM_JOB_AT_ONCE	       4    /* questions, and jobs where the configuration does not say */
#define PGM_JOB_QUEUE_MAX      64   /* then jobs are refused */
#define PGM_JOB_KEEP	       1000 /* ended jobs */
#define PGM_JOB_OUTPUT_BYTES   ((size_t)16 << 20) /* of standard output, each; more is cut off and said */
#define PGM_JOB_MEMORY_BYTES   ((int64_t)2 << 30) /* of a child; above it the child is ended */
#define PGM_JOB_LIMIT_MS       ((int64_t)24 * 3600 * 1000) /* of a job that names no limit */

struct pgm_job_note {
	int64_t seq;
	const char *type; /* static */
	char *data;
};

/* A job that is under way or ended a moment ago. Texts are its own (malloc). */
struct pgm_job {
	struct pgm_job *next; /* the older one */
	char id[PGM_JOB_ID_SIZE];
	char *database, *kind, *title, *who, *role, *key, *plan;
	char *command; /* the arguments as a JSON array */
	char **argv;
	char *conninfo;
	char *plan_file;  /* that the command writes; read when it is done, then removed */
	char *input_file; /* that it reads; removed when it has ended */
	bool changes, resumable;
	int64_t limit_ms;

	enum pgm_job_state state;
	int exit_code; /* -1: none */
	char created_at[PGM_CLOCK_STAMP_SIZE], started_at[PGM_CLOCK_STAMP_SIZE],
		finished_at[PGM_CLOCK_STAMP_SIZE];
	char error[PGM_JOB_ERROR_MAX], hint[PGM_JOB_ERROR_MAX];

	struct pgm_child child;
	struct pgm_child_text out;
	char line[PGM_JOB_LINE_MAX]; /* of standard error, until its end comes */
	size_t line_length;
	char *progress;	    /* the latest event of that type */
	double deadline_ms; /* monotonic; then it is asked to end */
	double kill_ms;	    /* then it is killed; 0: it was not asked to end yet */
	double memory_look_ms;
	const char *spent; /* the limit that it spent, for its error */
	bool cancel;	   /* somebody asked it to end */

	struct pgm_job_note events[PGM_JOB_EVENTS]; /* a ring */
	int64_t last_event;
};

struct pgm_job_reply {
	char *question; /* database, line feed, arguments as JSON; NULL: the place is free */
	json_t *json;
	double until_ms; /* monotonic */
	bool asked;	 /* somebody is asking now */
	bool forgotten;	 /* what is being asked is of before a change */
};

struct pgm_job_place {
	char *name, *conninfo;
};

struct pgm_jobs {
	pthread_mutex_t lock;
	pthread_cond_t changed; /* monotonic clock: an event, an end, an answer */
	pthread_t thread;
	bool thread_runs;
	int wake; /* eventfd: the thread is to look again */
	bool closing;
	_Atomic bool hurry; /* serve ends: questions are given up */
	bool ended;	    /* nothing is started any more */

	size_t at_once;
	void (*log)(const char *message);
	struct pgm_plans *plans; /* has a lock of its own */

	struct pgm_record *record;
	struct pgm_job *jobs; /* the latest first */
	struct pgm_job_place *places;
	size_t place_count;
	struct pgm_job_reply answers[PGM_JOB_ANSWERS];
	size_t asking;
};

static inline bool pgm_job_under_way(const struct pgm_job *job)
{
	return job->state == PGM_JOB_QUEUED || job->state == PGM_JOB_RUNNING;
}

struct pgm_job *pgm_jobs_find(struct pgm_jobs *jobs, const char *id); /* NULL: not in memory */
void pgm_jobs_wake(struct pgm_jobs *jobs);
void pgm_jobs_say(const struct pgm_jobs *jobs, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* Wait for jobs->changed; false: until_ms has come. */
bool pgm_jobs_wait(struct pgm_jobs *jobs, double until_ms);

/* The row of a job as it is; its texts are the job's. */
struct pgm_record_job pgm_job_row(const struct pgm_job *job);
void pgm_job_free(struct pgm_job *job);

/* An event of each kind: that of its state, and what bytes of standard error say. */
void pgm_job_tell_state(struct pgm_jobs *jobs, struct pgm_job *job);
void pgm_job_heard(struct pgm_jobs *jobs, struct pgm_job *job, const char *bytes, size_t length);
/* "pgmend apply: message" and "hint: ..." */
void pgm_job_take_message(const char *line, char *error, char *hint);

/* What short questions were answered about a database is of no use any more. */
void pgm_answers_forget(struct pgm_jobs *jobs, const char *database);

/* The thread. */
void *pgm_jobs_run(void *data);

#endif
