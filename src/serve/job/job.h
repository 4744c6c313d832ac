/*
 * Jobs: whatever serve does beside watching, each as a child process of pgmend itself ("pgmend apply ..."),
 * so that a crash, a runaway or a leak of one is its own, and what the API does is what the command does.
 * The connection goes to the child by its environment (PGMEND_CONNINFO), never by arguments, and so does who
 * asked (PGMEND_ACTOR, for the Ledger). No shell is involved.
 *
 * A struct pgm_jobs has one thread of its own, which starts the children, reads what they print, and ends
 * those that spend their limits. Every function may be called from any thread; what they return lives in the
 * caller's arena or is the caller's reference. Children end (SIGTERM) when serve does, however it does.
 *
 * What was asked for and what became of it is kept in an SQLite file; a job that was under way when serve
 * ended is shown as interrupted after the next start, and the same command goes on where it was stopped.
 */
#ifndef PGM_SERVE_JOB_JOB_H
#define PGM_SERVE_JOB_JOB_H

#include "util/arena.h"
#include "util/error.h"

#include <jansson.h>
#include <stddef.h>
#include <stdint.h>

#define PGM_JOB_ID_SIZE 17 /* 16 hex digits */

struct pgm_jobs;
struct pgm_serve_config;
struct pgm_plans; /* plans.h */

enum pgm_job_state {
	PGM_JOB_QUEUED,	     /* waits for a place -> running, canceled, interrupted */
	PGM_JOB_RUNNING,     /* -> done, failed, canceled, interrupted */
	PGM_JOB_DONE,	     /* exit code 0 or 1 (findings, a verification that fell short) */
	PGM_JOB_FAILED,	     /* another exit code, a signal, or a limit that was spent */
	PGM_JOB_CANCELED,    /* somebody asked for that */
	PGM_JOB_INTERRUPTED, /* serve ended while it was under way */
};

/*
 * Records and Plans beside the configuration's history (in memory and a temporary folder where it keeps
 * none), its databases as those that jobs may be about. log: one line for the operator.
 */
struct pgm_jobs *pgm_jobs_start(const struct pgm_serve_config *config, void (*log)(const char *message),
				struct pgm_error *err) PGM_MUST_CHECK;
/* Its databases from now on; copied. Jobs under way are not touched; answers about those that are reached
 * otherwise now are forgotten. */
void pgm_jobs_configure(struct pgm_jobs *jobs, const struct pgm_serve_config *config);

/* Cancels what runs (SIGINT), waits for at most grace_ms, ends the rest, and closes. NULL is fine. */
void pgm_jobs_close(struct pgm_jobs *jobs, int64_t grace_ms);

/* The end is near: questions under way and those that wait are given up. Any thread. */
void pgm_jobs_hurry(struct pgm_jobs *jobs);

/* The Plans that jobs made and that people gave. */
struct pgm_plans *pgm_jobs_plans(struct pgm_jobs *jobs);

/* The names of its databases, in their order. */
size_t pgm_jobs_targets(struct pgm_jobs *jobs, struct pgm_arena *arena, const char ***names);

/* The connection string of a database, or NULL: for who opens a session of its own. */
const char *pgm_jobs_conninfo(struct pgm_jobs *jobs, struct pgm_arena *arena, const char *database);

/* A text as JSON, with what is no UTF-8 replaced; null for NULL. */
json_t *pgm_job_text(const char *text);

struct pgm_job_request {
	const char *database; /* a target's name */
	const char *kind;     /* apply, rollback, verify, advise, partition, purge, sessions, chore... */
	const char *title;    /* one line for people */
	const char *const
		*argv;	  /* the command and its arguments, NULL at the end; names of users after "--" */
	bool changes;	  /* it changes the database: one at a time for each database */
	bool resumable;	  /* the same command goes on where it was stopped */
	int64_t limit_ms; /* 0: the default */
	const char *who;  /* name of the token, or "chore:NAME" */
	const char *role; /* viewer, operator, admin, chore */
	const char *key;  /* Idempotency-Key, or NULL: the same key of the same token is the same job */
	const char *plan; /* the Plan that it is about, or NULL */
	/* "--out=" where the command writes a Plan file: that and a name are put behind the command's name;
	 * when it has done well the Plan is kept (pgm_jobs_plans()) and is the job's. Or NULL. */
	const char *plan_option;
	/* A text that the command reads from a file, and the option ("--workload=") before its name; or NULL.
	 * It is not kept: such a job cannot be resumed. */
	const char *input_option, *input;
};

enum pgm_job_answer {
	PGM_JOB_STARTED,
	PGM_JOB_SAME,	    /* the key was seen before: that job */
	PGM_JOB_CONFLICT,   /* another job changes this database: its id is given */
	PGM_JOB_KEY_REUSED, /* the key was seen before, with another request */
	PGM_JOB_FULL,	    /* the queue is full */
	PGM_JOB_NO_DATABASE,
	PGM_JOB_NOT_RECORDED, /* the record could not be written, so nothing was started: err says why */
};

/* id: of the job that was started, is the same, or is in the way. */
enum pgm_job_answer pgm_job_begin(struct pgm_jobs *jobs, const struct pgm_job_request *request,
				  char id[static PGM_JOB_ID_SIZE], struct pgm_error *err);

/* The same command again, of a job that failed, was canceled or interrupted and is resumable. */
enum pgm_job_answer pgm_job_resume(struct pgm_jobs *jobs, const char *id, const char *who, const char *role,
				   char next[static PGM_JOB_ID_SIZE], struct pgm_error *err);

/* Ask it to end (SIGINT; after 60 s SIGKILL). False with PGM_ERR_STATE where it has ended, INPUT: unknown. */
bool pgm_job_cancel(struct pgm_jobs *jobs, const char *id, const char *who,
		    struct pgm_error *err) PGM_MUST_CHECK;

/* Wait until it has ended; false: not within timeout_ms. */
bool pgm_job_wait(struct pgm_jobs *jobs, const char *id, int64_t timeout_ms, enum pgm_job_state *state,
		  int *exit_code);

/*
 * The job as JSON: id, database, kind, title, command, state, exit_code, changes, plan, who, role,
 * created_at, started_at, finished_at, progress (the latest event), error, resume (null, or what resumes it),
 * and with result also result (what it printed: the JSON, or a string). NULL: there is none.
 */
json_t *pgm_job_json(struct pgm_jobs *jobs, const char *id, bool result);

/* The latest first, without results; database, state and kind NULL: any. An array. */
json_t *pgm_jobs_json(struct pgm_jobs *jobs, const char *database, const char *state, const char *kind,
		      size_t limit);

struct pgm_job_event {
	int64_t seq;	  /* 1, 2, ... in its job; gaps where a slow reader missed some */
	const char *type; /* state, progress, note, output */
	const char *data; /* a JSON object on one line */
	bool last;	  /* the job has ended and this is its last event */
};

/* The first event after seq, waited for at most timeout_ms (0: not at all). False: none came, or no job. */
bool pgm_job_next_event(struct pgm_jobs *jobs, const char *id, int64_t after_seq, int64_t timeout_ms,
			struct pgm_arena *arena, struct pgm_job_event *event);

/*
 * A short question: run the command (with --format=json in argv) and parse what it prints. Answers are kept
 * for keep_ms and then asked for again; two who ask the same at a time get one answer. The caller's
 * reference; not to be changed, since others may hold it. Exit code 0 or 1, or NULL with err: the message
 * and hint that the command printed.
 */
json_t *pgm_job_ask(struct pgm_jobs *jobs, const char *database, const char *const *argv, int64_t timeout_ms,
		    int64_t keep_ms, struct pgm_error *err) PGM_MUST_CHECK;

/* All findings, and all of the Ledger: who asks for them asks with these, so that one kept answer serves all.
 */
extern const char *const pgm_job_check[], *const pgm_job_history[];

/*
 * A short act (sessions --cancel): as a question, but never kept, and in the name of who asks, which the
 * audit list holds before it is done. *code: the exit code; any with which it printed JSON will do. The
 * answers about the database are forgotten.
 */
json_t *pgm_job_act(struct pgm_jobs *jobs, const char *database, const char *const *argv, int64_t timeout_ms,
		    const char *who, const char *role, const char *detail, int *code,
		    struct pgm_error *err) PGM_MUST_CHECK;

/* Forget the answers about a database: it was changed. */
void pgm_job_forget(struct pgm_jobs *jobs, const char *database);

/* One line of the audit list: who did what to which database. job and detail may be NULL. */
bool pgm_jobs_audit(struct pgm_jobs *jobs, const char *who, const char *role, const char *action,
		    const char *database, const char *job, const char *detail,
		    struct pgm_error *err) PGM_MUST_CHECK;

/* The latest first; database NULL: any. An array of seq, at, who, role, action, database, job, detail. */
json_t *pgm_jobs_audit_json(struct pgm_jobs *jobs, const char *database, int64_t before_seq, size_t limit);

/* What other parts keep beside the record, by name. NULL: nothing. */
const char *pgm_jobs_noted(struct pgm_jobs *jobs, struct pgm_arena *arena, const char *name);
bool pgm_jobs_note(struct pgm_jobs *jobs, const char *name, const char *value,
		   struct pgm_error *err) PGM_MUST_CHECK;

const char *pgm_job_state_name(enum pgm_job_state state);

#endif
