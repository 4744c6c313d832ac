/*
 * SIGHUP. Whole or not at all: a file with an error changes nothing. Tokens, certificates, [watch], [alerts],
 * [chores] and everything of the pooler count at once; what is in [serve] needs a restart, and it is said.
 */
#include "serve/parts.h"

#include "pool/pool.h"
#include "serve/alert/alert.h"
#include "serve/chore/chore.h"
#include "serve/job/job.h"
#include "serve/observe.h"
#include "serve/watch/watch.h"
#include "util/clock.h"

#include <string.h>

static bool same(const char *a, const char *b)
{
	return a == b || (a && b && strcmp(a, b) == 0);
}

static const struct pgm_serve_config *in_force(const struct pgm_serve *serve)
{
	return serve->latest ? serve->latest : serve->config;
}

/* ---- [watch] ---- */

static const struct pgm_serve_target *find_target(const struct pgm_serve_config *config, const char *name)
{
	for (size_t i = 0; i < config->target_count; i++)
		if (same(config->targets[i].name, name))
			return &config->targets[i];
	return NULL;
}

static bool has_target(const struct pgm_serve_config *config, const struct pgm_serve_target *wanted)
{
	const struct pgm_serve_target *found = find_target(config, wanted->name);
	return found && same(found->conninfo, wanted->conninfo) && found->pooled == wanted->pooled;
}

/* One that is reached otherwise now is another one. */
static void take_targets(struct pgm_serve *serve, const struct pgm_serve_config *new)
{
	const struct pgm_serve_config *old = in_force(serve);
	struct pgm_error err = {0};
	for (size_t i = 0; i < old->target_count; i++) {
		const char *name = old->targets[i].name;
		if (has_target(new, &old->targets[i]))
			continue;
		pgm_watch_remove(serve->api.watch, name);
		if (find_target(new, name))
			continue;
		pgm_alerts_forget(serve->api.alerts, name);
		pgm_log(PGM_LOG_NOTICE, "%s is no longer watched", name);
	}
	for (size_t i = 0; i < new->target_count; i++) {
		const struct pgm_serve_target *target = &new->targets[i];
		/* one that could not be added the last time is tried again */
		if (has_target(old, target) && pgm_watch_find(serve->api.watch, target->name) >= 0)
			continue;
		if (!pgm_serve_add_target(serve, target, &err))
			pgm_log(PGM_LOG_ERROR, "%s is not watched: %s", target->name, err.message);
		else
			pgm_log(PGM_LOG_NOTICE, "%s is watched %s", target->name,
				find_target(old, target->name) ? "by another connection string" : "now");
		pgm_error_clear(&err);
	}
	pgm_jobs_configure(serve->api.jobs, new);
}

/* ---- [alerts], [chores] ---- */

static bool same_lines(const struct pgm_serve_line *a, size_t a_count, const struct pgm_serve_line *b,
		       size_t b_count)
{
	if (a_count != b_count)
		return false;
	for (size_t i = 0; i < a_count; i++)
		if (!same(a[i].key, b[i].key) || !same(a[i].value, b[i].value))
			return false;
	return true;
}

static void take_lines(struct pgm_serve *serve, const struct pgm_serve_config *new)
{
	const struct pgm_serve_config *old = in_force(serve);
	struct pgm_error err = {0};
	/* also where the lines are the same: a file that they name may say something else */
	if (!pgm_alerts_reload(serve->api.alerts, new->alerts, new->alert_count, &err))
		pgm_log(PGM_LOG_ERROR, "[alerts] is not reloaded, the old lines stay: %s", err.message);
	pgm_error_clear(&err);
	if (!same_lines(old->chores, old->chore_count, new->chores, new->chore_count) &&
	    !pgm_chores_reload(serve->api.chores, new, &err))
		pgm_log(PGM_LOG_ERROR, "[chores] is not reloaded, the old lines stay: %s", err.message);
}

/* ---- the file ---- */

static void say_what_waits(const struct pgm_serve_config *old, const struct pgm_serve_config *new)
{
	PGM_AUTO_ARENA arena = pgm_arena_new(0);
	for (size_t i = 0; i < pgm_serve_setting_count; i++) {
		const struct pgm_setting *setting = &pgm_serve_settings[i];
		if (!same(pgm_setting_show_of(setting, old, arena), pgm_setting_show_of(setting, new, arena)))
			pgm_log(PGM_LOG_WARNING, "%s changed in the file; that needs a restart",
				setting->name);
	}
	if (old->has_pool != new->has_pool)
		pgm_log(PGM_LOG_WARNING,
			"whether there is a pooler changed in the file; that needs a restart");
}

/* The whole file, or NULL with each error in the log. */
static struct pgm_serve_config *read_file(const struct pgm_serve *serve)
{
	struct pgm_config_problems problems;
	pgm_config_problems_init(&problems);
	struct pgm_serve_config *config = pgm_serve_config_read(
		serve->config->path, serve->options->overrides, &pgm_serve_checks, &problems);
	for (size_t i = 0; i < problems.count; i++)
		pgm_log(problems.items[i].warning ? PGM_LOG_WARNING : PGM_LOG_ERROR, "%s",
			pgm_config_problem_text(&problems, &problems.items[i]));
	pgm_config_problems_done(&problems);
	return config;
}

/* False: there is an error in it, and nothing changed. */
static bool take_file(struct pgm_serve *serve)
{
	if (!serve->config->path)
		return true;
	struct pgm_serve_config *new = read_file(serve);
	if (!new)
		return false;
	say_what_waits(serve->config, new);
	new->history = serve->config->history;
	take_targets(serve, new);
	take_lines(serve, new);
	pgm_serve_config_free(serve->latest);
	serve->latest = new;
	return true;
}

void pgm_serve_reload(struct pgm_serve *serve)
{
	struct pgm_error err = {0};
	char state[64];
	snprintf(state, sizeof(state), "RELOADING=1\nMONOTONIC_USEC=%.0f", pgm_clock_ms() * 1000);
	pgm_notify_service(state);
	pgm_log_reopen();
	bool right = take_file(serve);
	if (!right)
		pgm_log(PGM_LOG_ERROR, "the configuration is not reloaded, the old one stays");
	else if (serve->pooler)
		pgm_pooler_signal(serve->pooler, SIGHUP);
	if (right && serve->config->tokens && !pgm_tokens_replace(serve->tokens, serve->config->tokens, &err))
		pgm_log(PGM_LOG_ERROR, "the tokens are not reloaded, the old ones stay: %s", err.message);
	if (right && !pgm_http_reload_tls(serve->http, &err))
		pgm_log(PGM_LOG_ERROR, "the certificate is not reloaded, the old one stays: %s", err.message);
	if (right && !serve->pooler)
		pgm_log(PGM_LOG_NOTICE, "the configuration was reloaded");
	pgm_notify_service("READY=1");
}
