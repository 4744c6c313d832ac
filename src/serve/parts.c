#include "serve/parts.h"

#include "pool/log.h"
#include "pool/pool.h"
#include "serve/alert/alert.h"
#include "serve/chore/chore.h"
#include "serve/findings.h"
#include "serve/job/job.h"
#include "serve/observe.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#define WORKERS	     4
#define SLOW_WORKERS 8

const struct pgm_serve_checks pgm_serve_checks = {.alert = pgm_alert_check, .chore = pgm_chore_check};

/* ---- tokens ---- */

static bool write_token(const char *path, const char *token, struct pgm_error *err)
{
	unlink(path); /* an older one may have other rights, or be a link */
	int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
	size_t length = strlen(token);
	bool written = fd >= 0 && write(fd, token, length) == (ssize_t)length && write(fd, "\n", 1) == 1;
	int why = errno;
	if (fd >= 0)
		close(fd);
	return written || pgm_error_set(err, PGM_ERR_INPUT, "cannot write %s: %s", path, strerror(why));
}

static bool start_tokens(struct pgm_serve *serve, struct pgm_error *err)
{
	const struct pgm_serve_config *config = serve->config;
	serve->tokens = pgm_tokens_new();
	if (!serve->tokens)
		return pgm_error_set(err, PGM_ERR_SYSTEM, "out of memory");
	if (config->tokens)
		return pgm_tokens_replace(serve->tokens, config->tokens, err);
	return pgm_tokens_invent(serve->tokens, "local", PGM_ROLE_ADMIN, serve->token, err);
}

static void stop_tokens(struct pgm_serve *serve)
{
	explicit_bzero(serve->token, sizeof(serve->token));
	pgm_tokens_free(serve->tokens);
}

/* Last: who gets so far has the port and the record, so the file is no other serve's. */
static bool start_token_file(struct pgm_serve *serve, struct pgm_error *err)
{
	const char *path = serve->options->token_file;
	return !*serve->token || !path || write_token(path, serve->token, err);
}

static void stop_token_file(struct pgm_serve *serve)
{
	if (*serve->token && serve->options->token_file)
		unlink(serve->options->token_file);
}

/* ---- the pooler ---- */

static void pooler_ended(void *data)
{
	struct pgm_serve *serve = data;
	atomic_store(&serve->pooler_ended, true);
	pgm_serve_wake(serve);
}

static bool start_pooler(struct pgm_serve *serve, struct pgm_error *err)
{
	if (!serve->config->has_pool)
		return true;
	serve->pooler = pgm_pooler_start(pgm_serve_config_take_pool(serve->config), pooler_ended, serve, err);
	return serve->pooler != NULL;
}

static void stop_pooler(struct pgm_serve *serve)
{
	if (!serve->pooler)
		return;
	if (!atomic_load(&serve->pooler_ended))
		pgm_pooler_signal(serve->pooler, SIGQUIT);
	pgm_pooler_join(serve->pooler);
}

/* ---- jobs and chores ---- */

#define JOBS_GRACE_MS 10000 /* so long may they clean up at the end */

static void log_line(const char *message)
{
	pgm_log(PGM_LOG_WARNING, "%s", message);
}

static bool start_jobs(struct pgm_serve *serve, struct pgm_error *err)
{
	serve->api.jobs = pgm_jobs_start(serve->config, log_line, err);
	return serve->api.jobs != NULL;
}

static void stop_jobs(struct pgm_serve *serve)
{
	pgm_jobs_close(serve->api.jobs, JOBS_GRACE_MS);
	serve->api.jobs = NULL;
}

static bool start_chores(struct pgm_serve *serve, struct pgm_error *err)
{
	serve->api.chores = pgm_chores_start(serve->config, serve->api.jobs, serve->api.history, err);
	return serve->api.chores != NULL;
}

static void stop_chores(struct pgm_serve *serve)
{
	pgm_chores_stop(serve->api.chores);
}

/* ---- HTTP ---- */

static bool start_http(struct pgm_serve *serve, struct pgm_error *err)
{
	const struct pgm_serve_config *config = serve->config;
	serve->api.config = config;
	serve->http = pgm_http_start(
		&(struct pgm_http_options){
			.listen = config->listen,
			.port = (int)config->port,
			.cert_file = config->tls_cert_file,
			.key_file = config->tls_key_file,
			.allowed_hosts = config->allowed_hosts,
			.connections_max = (int)config->max_connections,
			.address_connections_max = (int)config->max_connections_per_address,
			.workers = WORKERS,
			.slow_workers = SLOW_WORKERS,
			.request_timeout_ms = (int)config->request_timeout_ms,
			.metrics_public = !config->metrics_auth,
			.routes = pgm_api_tables,
			.context = &serve->api,
		},
		serve->tokens, err);
	return serve->http != NULL;
}

static void stop_http(struct pgm_serve *serve)
{
	pgm_http_stop(serve->http);
}

/* ---- all of them, in order ---- */

static const struct {
	const char *name;
	bool (*start)(struct pgm_serve *serve, struct pgm_error *err);
	void (*stop)(struct pgm_serve *serve);
} parts[] = {
	{"tokens", start_tokens, stop_tokens},
	{"the pooler", start_pooler, stop_pooler},
	{"the history", pgm_serve_start_history, pgm_serve_stop_history},
	{"the alerts", pgm_serve_start_alerts, pgm_serve_stop_alerts},
	{"the watch", pgm_serve_start_watch, pgm_serve_stop_watch},
	{"jobs", start_jobs, stop_jobs},
	{"the findings", pgm_serve_start_findings, pgm_serve_stop_findings},
	{"chores", start_chores, stop_chores},
	{"HTTP", start_http, stop_http},
	{"the token's file", start_token_file, stop_token_file},
};

bool pgm_serve_start_parts(struct pgm_serve *serve, struct pgm_error *err)
{
	for (; serve->started < sizeof(parts) / sizeof(*parts); serve->started++)
		if (!parts[serve->started].start(serve, err)) {
			/* what it made before it failed */
			parts[serve->started].stop(serve);
			return false;
		}
	return true;
}

void pgm_serve_stop_parts(struct pgm_serve *serve)
{
	if (serve->api.jobs)
		pgm_jobs_hurry(serve->api.jobs);
	while (serve->started > 0)
		parts[--serve->started].stop(serve);
}
