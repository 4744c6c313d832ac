#include "serve/api/begin.h"

#include "serve/job/plans.h"
#include "util/vec.h"

#include <string.h>

#define FINDINGS_KEEP_MS 600000
#define CONNECT_S	 "5"
#define ANSWER_MS	 6000.0

const char *pgm_api_database(struct pgm_request *request, struct pgm_reply *reply)
{
	const char *name = pgm_request_part(request, "db");
	if (pgm_jobs_conninfo(PGM_API(request)->jobs, request->arena, name))
		return name;
	pgm_reply_error(reply, 404, "not_found", "there is no database %.100s here", name);
	pgm_reply_hint(reply, "GET /api/v1/databases lists those that are watched.");
	return NULL;
}

void pgm_api_word(struct pgm_api_words *words, const char *word)
{
	*pgm_vec_add(words->arena, words) = word;
	*pgm_vec_add(words->arena, words) = NULL;
	words->count--;
}

void pgm_api_option(struct pgm_api_words *words, const char *name, const char *value)
{
	if (value)
		pgm_api_word(words, pgm_sprintf(words->arena, "--%s=%s", name, value));
}

void pgm_api_operand(struct pgm_api_words *words, const char *operand)
{
	bool marked = false;
	for (size_t i = 0; i < words->count; i++)
		marked |= strcmp(words->items[i], "--") == 0;
	if (!marked)
		pgm_api_word(words, "--");
	pgm_api_word(words, operand);
}

static json_t *job_data(struct pgm_request *request, const char *id)
{
	json_t *job = pgm_job_json(PGM_API(request)->jobs, id, false);
	return json_pack("{s:o}", "job", job ? job : json_pack("{s:s}", "id", id));
}

static void conflict(struct pgm_reply *reply, const char *id, const char *database)
{
	json_t *message = json_sprintf("job %s changes database %s", id, database);
	pgm_reply_json(reply, 409,
		       json_pack("{s:b, s:{s:s, s:o, s:s, s:s}}", "success", 0, "error", "code", "conflict",
				 "message",
				 message ? message : json_string("another job changes this database"), "hint",
				 "Wait for its end, or cancel it: DELETE /api/v1/jobs/{id}.", "job", id));
}

void pgm_api_began(struct pgm_request *request, struct pgm_reply *reply, enum pgm_job_answer answer,
		   const char *id, const char *database, const struct pgm_error *err)
{
	switch (answer) {
	case PGM_JOB_STARTED:
	case PGM_JOB_SAME:
		pgm_reply_header(reply, "Location", pgm_sprintf(request->arena, "/api/v1/jobs/%s", id));
		pgm_reply_json(reply, 202,
			       json_pack("{s:b, s:o}", "success", 1, "data", job_data(request, id)));
		return;
	case PGM_JOB_CONFLICT:
		if (*id)
			conflict(reply, id, database);
		else
			pgm_reply_error(reply, 409, "conflict", "%s", err->message);
		return;
	case PGM_JOB_KEY_REUSED:
		pgm_reply_error(reply, 422, "key_reused",
				"this Idempotency-Key was given with another request");
		pgm_reply_hint(reply, "Make a new key for each request.");
		return;
	case PGM_JOB_FULL:
		pgm_reply_error(reply, 429, "full", "too many jobs wait already");
		pgm_reply_hint(reply, "Try again when some of them have ended.");
		return;
	case PGM_JOB_NO_DATABASE:
		pgm_reply_error(reply, 404, "not_found", "there is no such job or database");
		return;
	case PGM_JOB_NOT_RECORDED:
		pgm_reply_error(reply, 503, "not_recorded", "%s", err->message);
		if (*err->hint)
			pgm_reply_hint(reply, "%s", err->hint);
		return;
	}
}

void pgm_api_begin(struct pgm_request *request, struct pgm_reply *reply, struct pgm_job_request *job)
{
	struct pgm_error err = {0};
	char id[PGM_JOB_ID_SIZE];
	job->who = request->user;
	job->role = pgm_role_name(request->role);
	job->key = request->idempotency_key;
	enum pgm_job_answer answer = pgm_job_begin(PGM_API(request)->jobs, job, id, &err);
	pgm_api_began(request, reply, answer, id, job->database, &err);
}

void pgm_api_refused(struct pgm_reply *reply, const struct pgm_error *err)
{
	if (err->kind != PGM_ERR_INPUT && err->kind != PGM_ERR_USAGE) {
		pgm_reply_failure(reply, err);
		return;
	}
	pgm_reply_error(reply, 422, "refused", "%s", err->message);
	if (*err->hint)
		pgm_reply_hint(reply, "%s", err->hint);
}

static int64_t findings_keep_ms(const struct pgm_serve_config *config)
{
	return config && config->findings_interval_ms > 0 ? config->findings_interval_ms : FINDINGS_KEEP_MS;
}

json_t *pgm_api_check(struct pgm_request *request, const char *database, struct pgm_error *err)
{
	const struct pgm_api *api = PGM_API(request);
	return pgm_job_ask(api->jobs, database, pgm_job_check, PGM_API_ASK_MS, findings_keep_ms(api->config),
			   err);
}

const char *pgm_api_plan_id(struct pgm_request *request, struct pgm_reply *reply)
{
	const char *id = pgm_request_part(request, "id");
	if (pgm_plans_id_valid(id))
		return id;
	pgm_reply_error(reply, 404, "not_found", "there is no Plan %.20s", id);
	return NULL;
}

struct pgm_conn *pgm_api_connect(struct pgm_request *request, const char *database, struct pgm_error *err)
{
	struct pgm_conn_options options = {
		.conninfo = pgm_jobs_conninfo(PGM_API(request)->jobs, request->arena, database),
		.connect_timeout = CONNECT_S,
		.answer_ms = ANSWER_MS};
	return pgm_conn_open(&options, err);
}

void pgm_api_look(struct pgm_request *request, struct pgm_reply *reply, const char *const *argv,
		  int64_t keep_ms)
{
	struct pgm_error err = {0};
	const char *database = pgm_api_database(request, reply);
	if (!database)
		return;
	json_t *data = pgm_job_ask(PGM_API(request)->jobs, database, argv, PGM_API_ASK_MS, keep_ms, &err);
	pgm_api_looked(reply, data, &err);
}

void pgm_api_looked(struct pgm_reply *reply, json_t *data, const struct pgm_error *err)
{
	if (data)
		pgm_reply_data(reply, data);
	else
		pgm_api_refused(reply, err);
}

bool pgm_api_allowed(struct pgm_request *request, struct pgm_reply *reply, enum pgm_role role)
{
	if (request->role >= role)
		return true;
	pgm_reply_error(reply, 403, "forbidden", "this needs the role %s", pgm_role_name(role));
	return false;
}
