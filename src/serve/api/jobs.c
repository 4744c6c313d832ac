/* Jobs: what runs, what ran, its events, and its end; and the audit list. */
#include "serve/api/begin.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LIST_DEFAULT 100

static const char *const states[] = {"queued", "running", "done", "failed", "canceled", "interrupted", NULL};

static bool is_id(const char *id)
{
	return strlen(id) == PGM_JOB_ID_SIZE - 1 && strspn(id, "0123456789abcdef") == PGM_JOB_ID_SIZE - 1;
}

static void not_found(struct pgm_reply *reply, const char *id)
{
	pgm_reply_error(reply, 404, "not_found", "there is no job %.40s", id);
}

static void get_jobs(struct pgm_request *request, struct pgm_reply *reply)
{
	json_t *list = pgm_jobs_json(PGM_API(request)->jobs, pgm_request_text(request, "database", NULL),
				     pgm_request_text(request, "state", NULL),
				     pgm_request_text(request, "kind", NULL),
				     (size_t)pgm_request_int(request, "limit", LIST_DEFAULT));
	pgm_reply_data(reply, json_pack("{s:o}", "jobs", list));
}

/* The job with that {id}, or NULL and a reply. */
static json_t *find(struct pgm_request *request, struct pgm_reply *reply, bool result)
{
	const char *id = pgm_request_part(request, "id");
	json_t *job = is_id(id) ? pgm_job_json(PGM_API(request)->jobs, id, result) : NULL;
	if (!job)
		not_found(reply, id);
	return job;
}

static void get_job(struct pgm_request *request, struct pgm_reply *reply)
{
	json_t *job = find(request, reply, true);
	if (job)
		pgm_reply_data(reply, job);
}

/* What deletes rows is an administrator's, and so is going on with it. */
static bool may_go_on(struct pgm_request *request, struct pgm_reply *reply, const json_t *job)
{
	const char *kind = json_string_value(json_object_get(job, "kind"));
	return !kind || strcmp(kind, "purge") != 0 || pgm_api_allowed(request, reply, PGM_ROLE_ADMIN);
}

static void delete_job(struct pgm_request *request, struct pgm_reply *reply)
{
	struct pgm_error err = {0};
	const char *id = pgm_request_part(request, "id");
	json_t *job = find(request, reply, false);
	if (!job)
		return;
	json_decref(job);
	if (pgm_job_cancel(PGM_API(request)->jobs, id, request->user, &err)) {
		job = pgm_job_json(PGM_API(request)->jobs, id, false);
		pgm_reply_json(reply, 202, json_pack("{s:b, s:{s:o}}", "success", 1, "data", "job", job));
		return;
	}
	pgm_reply_error(reply, err.kind == PGM_ERR_STATE ? 409 : 503,
			err.kind == PGM_ERR_STATE ? "ended" : "not_recorded", "%s", err.message);
}

static void resume_job(struct pgm_request *request, struct pgm_reply *reply)
{
	struct pgm_error err = {0};
	char next[PGM_JOB_ID_SIZE];
	json_t *job = find(request, reply, false);
	if (!job)
		return;
	if (may_go_on(request, reply, job)) {
		enum pgm_job_answer answer =
			pgm_job_resume(PGM_API(request)->jobs, pgm_request_part(request, "id"), request->user,
				       pgm_role_name(request->role), next, &err);
		const char *database = json_string_value(json_object_get(job, "database"));
		pgm_api_began(request, reply, answer, next, database, &err);
	}
	json_decref(job);
}

/* A stream of the events of one job. */
struct follow {
	struct pgm_jobs *jobs;
	char id[PGM_JOB_ID_SIZE];
	int64_t seq;
	bool ended;
};

static enum pgm_event_state next_event(void *data, struct pgm_arena *arena, struct pgm_event *event)
{
	struct follow *follow = data;
	struct pgm_job_event found;
	if (follow->ended)
		return PGM_EVENT_END;
	if (!pgm_job_next_event(follow->jobs, follow->id, follow->seq, 0, arena, &found))
		return PGM_EVENT_NONE;
	follow->seq = found.seq;
	follow->ended = found.last;
	*event = (struct pgm_event){.name = found.type, .data = found.data, .id = found.seq};
	return PGM_EVENT_NEXT;
}

static void get_events(struct pgm_request *request, struct pgm_reply *reply)
{
	json_t *job = find(request, reply, false);
	struct follow *follow = job ? calloc(1, sizeof(*follow)) : NULL;
	json_decref(job);
	if (!follow) {
		if (job)
			pgm_reply_error(reply, 503, "no_memory", "out of memory");
		return;
	}
	follow->jobs = PGM_API(request)->jobs;
	follow->seq = pgm_request_int(request, "after", 0);
	snprintf(follow->id, sizeof(follow->id), "%s", pgm_request_part(request, "id"));
	pgm_reply_events(reply, next_event, free, follow);
}

static void get_audit(struct pgm_request *request, struct pgm_reply *reply)
{
	json_t *list =
		pgm_jobs_audit_json(PGM_API(request)->jobs, pgm_request_text(request, "database", NULL),
				    pgm_request_int(request, "before", 0),
				    (size_t)pgm_request_int(request, "limit", LIST_DEFAULT));
	pgm_reply_data(reply, json_pack("{s:o}", "entries", list));
}

static const struct pgm_param list_params[] = {
	{.name = "database", .help = "only those about this database"},
	{.name = "state", .type = PGM_PARAM_ENUM, .help = "only those in this state", .names = states},
	{.name = "kind",
	 .help = "only those of this kind: apply, rollback, verify, advise, partition, purge"},
	{.name = "limit", .type = PGM_PARAM_INT, .help = "at most so many (100)", .min = 1, .max = 1000},
	{.name = NULL},
};
static const struct pgm_param event_params[] = {
	{.name = "after", .type = PGM_PARAM_INT, .help = "only events behind this id", .max = INT64_MAX - 1},
	{.name = NULL},
};
static const struct pgm_param audit_params[] = {
	{.name = "database", .help = "only what was done to this database"},
	{.name = "before", .type = PGM_PARAM_INT, .help = "only entries before this seq", .max = INT64_MAX},
	{.name = "limit", .type = PGM_PARAM_INT, .help = "at most so many (100)", .min = 1, .max = 1000},
	{.name = NULL},
};

const struct pgm_route pgm_api_jobs_routes[] = {
	{PGM_GET, "/api/v1/jobs", PGM_ROLE_VIEWER, get_jobs, "List jobs, the latest first", list_params, 0,
	 "jobs"},
	{PGM_GET, "/api/v1/jobs/{id}", PGM_ROLE_VIEWER, get_job, "Show a job, with what it printed", NULL, 0,
	 "jobs"},
	{PGM_GET, "/api/v1/jobs/{id}/events", PGM_ROLE_VIEWER, get_events,
	 "Follow a job: events state, progress and output, until it ends", event_params, PGM_ROUTE_STREAM,
	 "jobs"},
	{PGM_DELETE, "/api/v1/jobs/{id}", PGM_ROLE_OPERATOR, delete_job,
	 "Cancel a job; what it had half made is cleaned up", NULL, PGM_ROUTE_CHANGES | PGM_ROUTE_ACCEPTED,
	 "jobs"},
	{PGM_POST, "/api/v1/jobs/{id}/resume", PGM_ROLE_OPERATOR, resume_job,
	 "Go on with a job that failed, was canceled or interrupted", NULL,
	 PGM_ROUTE_CHANGES | PGM_ROUTE_ACCEPTED, "jobs"},
	{PGM_GET, "/api/v1/audit", PGM_ROLE_VIEWER, get_audit, "Who changed what, the latest first",
	 audit_params, 0, "audit"},
	{.path = NULL},
};
