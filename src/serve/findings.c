#include "serve/findings.h"

#include "pool/log.h"
#include "serve/alert/alert.h"
#include "serve/job/job.h"
#include "util/clock.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#define CHECK_TIMEOUT_MS 30000

struct pgm_findings {
	pthread_t thread;
	pthread_mutex_t lock; /* of what follows */
	pthread_cond_t changed;
	bool ending;
};

static void hand_over(struct pgm_serve *serve, struct pgm_arena *arena, const char *database,
		      const json_t *check)
{
	const json_t *found = json_object_get(check, "findings"), *checks = json_object_get(check, "checks");
	const json_t *one;
	struct pgm_alert_finding *findings = PGM_NEW_ARRAY(
		arena, struct pgm_alert_finding, json_array_size(found) + json_array_size(checks) + 1);
	size_t count = 0, i;
	json_array_foreach(found, i, one)
	{
		const char *id = json_string_value(json_object_get(one, "check"));
		const char *object = json_string_value(json_object_get(one, "object"));
		if (id)
			findings[count++] =
				(struct pgm_alert_finding){.check = id, .object = object ? object : ""};
	}
	json_array_foreach(checks, i, one)
	{
		const char *id = json_string_value(json_object_get(one, "id"));
		const char *status = json_string_value(json_object_get(one, "status"));
		if (id && status && strcmp(status, "not_judged") == 0)
			findings[count++] = (struct pgm_alert_finding){.check = id};
	}
	pgm_alerts_findings(serve->api.alerts, database, findings, count);
}

/* Why a database cannot be looked at the watch says; another reason is logged, each time. */
static void look(struct pgm_serve *serve, struct pgm_arena *arena, const char *database)
{
	struct pgm_error err = {0};
	pgm_job_forget(serve->api.jobs, database);
	json_t *check = pgm_job_ask(serve->api.jobs, database, pgm_job_check, CHECK_TIMEOUT_MS,
				    2 * serve->config->findings_interval_ms, &err);
	if (check)
		hand_over(serve, arena, database, check);
	else if (err.kind != PGM_ERR_CONNECT && err.kind != PGM_ERR_CANCELED)
		pgm_log(PGM_LOG_WARNING, "the checks of %s did not run: %s", database, err.message);
	json_decref(check);
}

/* False: the end has come. */
static bool rest(struct pgm_findings *self, int64_t ms)
{
	struct timespec until = pgm_clock_moment(pgm_clock_ms() + (double)ms);
	pthread_mutex_lock(&self->lock);
	while (!self->ending && pthread_cond_timedwait(&self->changed, &self->lock, &until) == 0)
		;
	bool goes_on = !self->ending;
	pthread_mutex_unlock(&self->lock);
	return goes_on;
}

/* Their runs are spread over the time, so that many databases do not mean many processes at once. */
static void *run(void *data)
{
	struct pgm_serve *serve = data;
	bool goes_on = true;
	while (goes_on) {
		PGM_AUTO_ARENA arena = pgm_arena_new(0);
		const char **names;
		size_t count = pgm_jobs_targets(serve->api.jobs, arena, &names);
		int64_t pause_ms = serve->config->findings_interval_ms / (int64_t)(count ? count : 1);
		for (size_t i = 0; i < count && goes_on; i++) {
			look(serve, arena, names[i]);
			goes_on = rest(serve->findings, pause_ms);
		}
		if (!count)
			goes_on = rest(serve->findings, pause_ms);
	}
	return NULL;
}

bool pgm_serve_start_findings(struct pgm_serve *serve, struct pgm_error *err)
{
	if (serve->config->findings_interval_ms <= 0)
		return true;
	struct pgm_findings *self = calloc(1, sizeof(*self));
	if (!self)
		return pgm_error_set(err, PGM_ERR_SYSTEM, "out of memory");
	pgm_clock_cond_init(&self->changed);
	pthread_mutex_init(&self->lock, NULL);
	serve->findings = self;
	int code = pthread_create(&self->thread, NULL, run, serve);
	if (code == 0)
		return true;
	serve->findings = NULL;
	free(self);
	return pgm_error_set(err, PGM_ERR_SYSTEM, "cannot start a thread: %s", strerror(code));
}

void pgm_serve_stop_findings(struct pgm_serve *serve)
{
	struct pgm_findings *self = serve->findings;
	if (!self)
		return;
	pthread_mutex_lock(&self->lock);
	self->ending = true;
	pthread_cond_signal(&self->changed);
	pthread_mutex_unlock(&self->lock);
	pthread_join(self->thread, NULL);
	pthread_cond_destroy(&self->changed);
	pthread_mutex_destroy(&self->lock);
	free(self);
	serve->findings = NULL;
}
