/* What a job is shown as, and what can be done with it. */
#include "serve/job/parts.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool can_resume(const struct pgm_record_job *row)
{
	bool stopped = strcmp(row->state, "failed") == 0 || strcmp(row->state, "canceled") == 0 ||
		       strcmp(row->state, "interrupted") == 0;
	return stopped && row->resumable && !row->resumed_by;
}

/* What people may do to go on with it, for them to read; null where there is nothing to go on with. */
static json_t *resume_json(const struct pgm_record_job *row)
{
	if (!can_resume(row))
		return json_null();
	return json_sprintf("The same command goes on where this was stopped: POST /api/v1/jobs/%s/resume",
			    row->id);
}

/* How far it is, from its latest event: a line for people, and a fraction. */
static void add_progress(json_t *job, const char *latest)
{
	json_t *event = latest ? json_loads(latest, 0, NULL) : NULL;
	const char *title = json_string_value(json_object_get(event, "title"));
	const char *text = json_string_value(json_object_get(event, "text"));
	json_t *fraction = json_object_get(event, "fraction");
	json_int_t step = json_integer_value(json_object_get(event, "step"));
	json_int_t steps = json_integer_value(json_object_get(event, "steps"));
	json_object_set_new(job, "progress",
			    event ? json_sprintf("[%lld/%lld] %s%s%s", (long long)step, (long long)steps,
						 title ? title : "", title && text ? ": " : "",
						 text ? text : "")
				  : json_null());
	json_object_set(job, "fraction", fraction ? fraction : json_null());
	json_decref(event);
}

/* A job in memory is as it says: the record may lag behind, where it could not be written. The row's texts
 * are the job's then. */
static void look_at_job(struct pgm_record_job *row, const struct pgm_job *job)
{
	if (!job)
		return;
	const char *result = row->result, *resumed_by = row->resumed_by;
	*row = pgm_job_row(job);
	row->result = result;
	row->resumed_by = resumed_by;
}

static json_t *row_json(const struct pgm_record_job *row, const char *latest)
{
	json_t *command = json_loads(row->command, 0, NULL);
	json_t *job = json_pack(
		"{s:s, s:s, s:s, s:o, s:o, s:s, s:o, s:b, s:b, s:o, s:s, s:s, s:s, s:o, s:o, s:o, s:o, s:o, "
		"s:o}",
		"id", row->id, "database", row->database, "kind", row->kind, "title",
		pgm_job_text(row->title), "command", command ? command : json_array(), "state", row->state,
		"exit_code", row->exit_code >= 0 ? json_integer(row->exit_code) : json_null(), "changes",
		row->changes, "resumable", can_resume(row), "plan", pgm_job_text(row->plan), "who", row->who,
		"role", row->role, "created_at", row->created_at, "started_at", pgm_job_text(row->started_at),
		"finished_at", pgm_job_text(row->finished_at), "error", pgm_job_text(row->error), "hint",
		pgm_job_text(row->hint), "resume", resume_json(row), "resumed_by",
		pgm_job_text(row->resumed_by));
	add_progress(job, latest);
	return job;
}

/* JSON where it is, else a string. */
static json_t *result_json(const char *text)
{
	if (!text)
		return json_null();
	json_t *value = json_loads(text, JSON_DECODE_ANY, NULL);
	return value ? value : pgm_job_text(text);
}

json_t *pgm_job_json(struct pgm_jobs *jobs, const char *id, bool result)
{
	PGM_AUTO_ARENA arena = pgm_arena_new(0);
	struct pgm_record_job row;
	json_t *value = NULL;
	pthread_mutex_lock(&jobs->lock);
	if (pgm_record_find(jobs->record, arena, id, NULL, NULL, result, &row)) {
		const struct pgm_job *job = pgm_jobs_find(jobs, id);
		look_at_job(&row, job);
		value = row_json(&row, job ? job->progress : NULL);
	}
	pthread_mutex_unlock(&jobs->lock);
	if (value && result)
		json_object_set_new(value, "result", result_json(row.result));
	return value;
}

json_t *pgm_jobs_json(struct pgm_jobs *jobs, const char *database, const char *state, const char *kind,
		      size_t limit)
{
	PGM_AUTO_ARENA arena = pgm_arena_new(0);
	struct pgm_record_job *rows;
	json_t *list = json_array();
	pthread_mutex_lock(&jobs->lock);
	size_t count = pgm_record_list(jobs->record, arena, database, state, kind, limit, &rows);
	for (size_t i = 0; i < count; i++) {
		const struct pgm_job *job = pgm_jobs_find(jobs, rows[i].id);
		look_at_job(&rows[i], job);
		json_array_append_new(list, row_json(&rows[i], job ? job->progress : NULL));
	}
	pthread_mutex_unlock(&jobs->lock);
	return list;
}

static bool unknown(const char *id, struct pgm_error *err)
{
	return pgm_error_set(err, PGM_ERR_INPUT, "there is no job %.40s", id);
}

/* A job that waits for its place has nothing to clean up. */
static void drop_queued(struct pgm_jobs *jobs, struct pgm_job *job)
{
	struct pgm_error err = {0};
	job->state = PGM_JOB_CANCELED;
	pgm_clock_stamp(job->finished_at);
	snprintf(job->error, sizeof(job->error), "canceled before it began");
	struct pgm_record_job row = pgm_job_row(job);
	if (!pgm_record_update(jobs->record, &row, &err))
		pgm_jobs_say(jobs, "job %s: %s", job->id, err.message);
	if (job->input_file)
		remove(job->input_file);
	pgm_job_tell_state(jobs, job);
}

static bool cancel(struct pgm_jobs *jobs, const char *id, const char *who, struct pgm_error *err)
{
	PGM_AUTO_ARENA arena = pgm_arena_new(0);
	struct pgm_record_job row;
	struct pgm_job *job = pgm_jobs_find(jobs, id);
	if (!job && !pgm_record_find(jobs->record, arena, id, NULL, NULL, false, &row))
		return unknown(id, err);
	if (!job || !pgm_job_under_way(job))
		return pgm_error_set(err, PGM_ERR_STATE, "job %s has ended", id);
	const char *const fields[] = {who, NULL, "cancel", job->database, job->id, job->title};
	if (!pgm_record_audit(jobs->record, fields, err))
		return false;
	if (job->state == PGM_JOB_QUEUED)
		return drop_queued(jobs, job), true;
	job->cancel = true;
	if (job->kill_ms)
		return true; /* it was asked already; a second signal would cut its clean-up short */
	pgm_child_signal(&job->child, SIGINT);
	job->kill_ms = pgm_clock_ms() + PGM_JOB_GRACE_MS;
	return true;
}

bool pgm_job_cancel(struct pgm_jobs *jobs, const char *id, const char *who, struct pgm_error *err)
{
	pthread_mutex_lock(&jobs->lock);
	bool ok = cancel(jobs, id, who, err);
	pthread_mutex_unlock(&jobs->lock);
	if (ok)
		pgm_jobs_wake(jobs);
	return ok;
}

static bool state_parse(const char *name, enum pgm_job_state *state)
{
	for (int i = PGM_JOB_QUEUED; i <= PGM_JOB_INTERRUPTED; i++)
		if (strcmp(pgm_job_state_name((enum pgm_job_state)i), name) == 0)
			return *state = (enum pgm_job_state)i, true;
	return false;
}

bool pgm_job_wait(struct pgm_jobs *jobs, const char *id, int64_t timeout_ms, enum pgm_job_state *state,
		  int *exit_code)
{
	PGM_AUTO_ARENA arena = pgm_arena_new(0);
	struct pgm_record_job row;
	double until = pgm_clock_ms() + (double)timeout_ms;
	bool in_time = true;
	pthread_mutex_lock(&jobs->lock);
	const struct pgm_job *job;
	while ((job = pgm_jobs_find(jobs, id)) != NULL && pgm_job_under_way(job) && in_time && !jobs->ended)
		in_time = pgm_jobs_wait(jobs, until);
	bool found = pgm_record_find(jobs->record, arena, id, NULL, NULL, false, &row);
	if (found) {
		look_at_job(&row, job);
		found = state_parse(row.state, state);
		*exit_code = row.exit_code;
	}
	pthread_mutex_unlock(&jobs->lock);
	return found && *state != PGM_JOB_QUEUED && *state != PGM_JOB_RUNNING;
}

/* The arguments of the record, as the request had them. */
static const char *const *arguments(struct pgm_arena *arena, const char *command)
{
	json_t *list = json_loads(command, 0, NULL);
	size_t count = json_array_size(list);
	const char **argv = PGM_NEW_ARRAY(arena, const char *, count + 1);
	for (size_t i = 0; i < count; i++)
		argv[i] = pgm_strdup(arena, json_string_value(json_array_get(list, i)));
	json_decref(list);
	return count ? argv : NULL;
}

static void note_resumed(struct pgm_jobs *jobs, struct pgm_record_job *row, const char *next)
{
	struct pgm_error err = {0};
	row->resumed_by = next;
	pthread_mutex_lock(&jobs->lock);
	if (!pgm_record_update(jobs->record, row, &err))
		pgm_jobs_say(jobs, "job %s: %s", row->id, err.message);
	pthread_mutex_unlock(&jobs->lock);
}

enum pgm_job_answer pgm_job_resume(struct pgm_jobs *jobs, const char *id, const char *who, const char *role,
				   char next[static PGM_JOB_ID_SIZE], struct pgm_error *err)
{
	PGM_AUTO_ARENA arena = pgm_arena_new(0);
	struct pgm_record_job row;
	*next = '\0';
	pthread_mutex_lock(&jobs->lock);
	bool found = pgm_record_find(jobs->record, arena, id, NULL, NULL, true, &row);
	pthread_mutex_unlock(&jobs->lock);
	if (!found) {
		unknown(id, err);
		return PGM_JOB_NO_DATABASE;
	}
	const char *const *argv = can_resume(&row) ? arguments(arena, row.command) : NULL;
	if (!argv) {
		pgm_error_set(err, PGM_ERR_STATE, "job %s cannot be gone on with: it is %s%s", id, row.state,
			      row.resumed_by ? ", and was gone on with" : "");
		return PGM_JOB_CONFLICT;
	}
	struct pgm_job_request request = {.database = row.database,
					  .kind = row.kind,
					  .title = row.title,
					  .argv = argv,
					  .changes = row.changes,
					  .resumable = true,
					  .limit_ms = row.limit_ms,
					  .who = who,
					  .role = role,
					  .plan = row.plan};
	enum pgm_job_answer answer = pgm_job_begin(jobs, &request, next, err);
	if (answer == PGM_JOB_STARTED)
		note_resumed(jobs, &row, next);
	return answer;
}
