/*
 * What was asked for and what became of it, in an SQLite file: jobs and the audit list. Rows are on the disk
 * before a call returns. One process has the file; calls are made under the lock of struct pgm_jobs.
 */
#ifndef PGM_SERVE_JOB_RECORD_H
#define PGM_SERVE_JOB_RECORD_H

#include "util/arena.h"
#include "util/error.h"

#include <jansson.h>
#include <stddef.h>
#include <stdint.h>

struct pgm_record;

/* Texts may be NULL where a job may have none of them. */
struct pgm_record_job {
	const char *id, *database, *kind, *title, *command, *who, *role, *key, *plan;
	const char *state, *created_at, *started_at, *finished_at, *error, *hint, *result, *resumed_by;
	bool changes, resumable;
	int64_t limit_ms;
	int exit_code; /* -1: none yet */
};

/* path NULL: in memory. Jobs that were under way are interrupted now. PGM_ERR_STATE: another process has it,
 * or it is a symbolic link. */
struct pgm_record *pgm_record_open(const char *path, struct pgm_error *err) PGM_MUST_CHECK;
void pgm_record_close(struct pgm_record *record); /* NULL is fine */

/* With its line of the audit list (see below; NULL: none): both, or neither. */
bool pgm_record_add(struct pgm_record *record, const struct pgm_record_job *job, const char *const audit[6],
		    struct pgm_error *err) PGM_MUST_CHECK;

/* State, times, exit code, plan, error, hint, result and resumed_by of the job with that id. */
bool pgm_record_update(struct pgm_record *record, const struct pgm_record_job *job,
		       struct pgm_error *err) PGM_MUST_CHECK;

/* By id, or by the key of somebody. False: there is none. with_result: read that too. */
bool pgm_record_find(struct pgm_record *record, struct pgm_arena *arena, const char *id, const char *who,
		     const char *key, bool with_result, struct pgm_record_job *job);

/* The latest first, without results; NULL: any. */
size_t pgm_record_list(struct pgm_record *record, struct pgm_arena *arena, const char *database,
		       const char *state, const char *kind, size_t limit, struct pgm_record_job **jobs);

/* Forget all but the last keep jobs, and the results of all but the last keep_results. */
void pgm_record_trim(struct pgm_record *record, size_t keep, size_t keep_results);

bool pgm_record_audit(struct pgm_record *record, const char *const fields[6],
		      struct pgm_error *err) PGM_MUST_CHECK; /* who, role, action, database, job, detail */
json_t *pgm_record_audit_list(struct pgm_record *record, const char *database, int64_t before_seq,
			      size_t limit);

/* A value that is kept under a name; NULL: there is none. */
const char *pgm_record_noted(struct pgm_record *record, struct pgm_arena *arena, const char *name);
bool pgm_record_note(struct pgm_record *record, const char *name, const char *value,
		     struct pgm_error *err) PGM_MUST_CHECK;

#endif
