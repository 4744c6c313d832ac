/* What a job says while it runs: lines of its standard error become events. */
#include "serve/job/parts.h"

#include "util/utf8.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

json_t *pgm_job_text(const char *text)
{
	if (!text)
		return json_null();
	json_t *value = json_string(text);
	char *copy = value ? NULL : strdup(text);
	if (!copy)
		return value ? value : json_null();
	pgm_utf8_mend(copy);
	value = json_string(copy);
	free(copy);
	return value ? value : json_null();
}

/* Add an event; takes data (a JSON object) over. */
static void tell(struct pgm_jobs *jobs, struct pgm_job *job, const char *type, json_t *data)
{
	char *text = json_dumps(data, JSON_COMPACT);
	json_decref(data);
	if (!text)
		return;
	struct pgm_job_note *note = &job->events[job->last_event % PGM_JOB_EVENTS];
	free(note->data);
	*note = (struct pgm_job_note){.seq = ++job->last_event, .type = type, .data = text};
	if (strcmp(type, "progress") == 0) {
		free(job->progress);
		job->progress = strdup(text);
	}
	pthread_cond_broadcast(&jobs->changed);
}

static json_t *state_json(const struct pgm_record_job *row)
{
	return json_pack("{s:s, s:o, s:o, s:o, s:o}", "state", row->state, "exit_code",
			 row->exit_code >= 0 ? json_integer(row->exit_code) : json_null(), "error",
			 pgm_job_text(row->error), "hint", pgm_job_text(row->hint), "plan",
			 pgm_job_text(row->plan));
}

void pgm_job_tell_state(struct pgm_jobs *jobs, struct pgm_job *job)
{
	struct pgm_record_job row = pgm_job_row(job);
	tell(jobs, job, "state", state_json(&row));
}

void pgm_job_take_message(const char *line, char *error, char *hint)
{
	if (strncmp(line, "hint: ", 6) == 0) {
		snprintf(hint, PGM_JOB_ERROR_MAX, "%.1900s", line + 6);
		return;
	}
	const char *colon = strncmp(line, "pgmend ", 7) == 0 ? strstr(line, ": ") : NULL;
	if (!colon)
		return;
	snprintf(error, PGM_JOB_ERROR_MAX, "%.1900s", colon + 2);
	*hint = '\0';
}

static void heard_line(struct pgm_jobs *jobs, struct pgm_job *job)
{
	json_t *said = *job->line == '{' ? json_loads(job->line, JSON_REJECT_DUPLICATES, NULL) : NULL;
	if (json_is_string(json_object_get(said, "event"))) {
		tell(jobs, job, "progress", said);
		return;
	}
	json_decref(said);
	if (!*job->line)
		return;
	pgm_job_take_message(job->line, job->error, job->hint);
	tell(jobs, job, "output", json_pack("{s:o}", "text", pgm_job_text(job->line)));
}

void pgm_job_heard(struct pgm_jobs *jobs, struct pgm_job *job, const char *bytes, size_t length)
{
	for (size_t i = 0; i < length; i++) {
		if (bytes[i] != '\n') {
			if (job->line_length + 1 < sizeof(job->line) && bytes[i] && bytes[i] != '\r')
				job->line[job->line_length++] = bytes[i];
			continue;
		}
		job->line[job->line_length] = '\0';
		job->line_length = 0;
		heard_line(jobs, job);
	}
}

static bool next_event(const struct pgm_job *job, int64_t after, struct pgm_arena *arena,
		       struct pgm_job_event *event)
{
	int64_t oldest = job->last_event > PGM_JOB_EVENTS ? job->last_event - PGM_JOB_EVENTS + 1 : 1;
	int64_t seq = after + 1 > oldest ? after + 1 : oldest;
	if (seq > job->last_event && pgm_job_under_way(job))
		return false;
	if (seq > job->last_event)
		seq = job->last_event; /* nothing is new, but that it has ended */
	const struct pgm_job_note *note = &job->events[(seq - 1) % PGM_JOB_EVENTS];
	*event = (struct pgm_job_event){
		.seq = seq,
		.type = note->type,
		.data = pgm_strdup(arena, note->data),
		.last = seq == job->last_event && !pgm_job_under_way(job),
	};
	return true;
}

/* Of a job that is only in the record: how it ended is all there is to say. */
static bool recorded_event(struct pgm_jobs *jobs, const char *id, int64_t after, struct pgm_arena *arena,
			   struct pgm_job_event *event)
{
	struct pgm_record_job row;
	if (!pgm_record_find(jobs->record, arena, id, NULL, NULL, false, &row))
		return false;
	json_t *data = state_json(&row);
	char *text = json_dumps(data, JSON_COMPACT);
	json_decref(data);
	*event = (struct pgm_job_event){.seq = after + 1,
					.type = "state",
					.data = pgm_strdup(arena, text ? text : "{}"),
					.last = true};
	free(text);
	return true;
}

bool pgm_job_next_event(struct pgm_jobs *jobs, const char *id, int64_t after_seq, int64_t timeout_ms,
			struct pgm_arena *arena, struct pgm_job_event *event)
{
	double until = pgm_clock_ms() + (double)timeout_ms;
	bool found = false;
	pthread_mutex_lock(&jobs->lock);
	for (;;) {
		const struct pgm_job *job = pgm_jobs_find(jobs, id);
		found = job ? next_event(job, after_seq, arena, event)
			    : recorded_event(jobs, id, after_seq, arena, event);
		if (found || !job || jobs->ended || timeout_ms <= 0 || !pgm_jobs_wait(jobs, until))
			break;
	}
	pthread_mutex_unlock(&jobs->lock);
	return found;
}
