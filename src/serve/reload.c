/*
 * SIGHUP. Whole or not at all: a file with an error changes nothing. Tokens, certificates and everything of
 * the pooler count at once; what decides which threads run needs a restart, and it is said.
 */
#include "serve/parts.h"

#include "pool/pool.h"
#include "util/clock.h"

#include <string.h>

static bool same(const char *a, const char *b)
{
	return a == b || (a && b && strcmp(a, b) == 0);
}

static bool same_targets(const struct pgm_serve_config *a, const struct pgm_serve_config *b)
{
	if (a->target_count != b->target_count)
		return false;
	for (size_t i = 0; i < a->target_count; i++)
		if (!same(a->targets[i].name, b->targets[i].name) ||
		    !same(a->targets[i].conninfo, b->targets[i].conninfo))
			return false;
	return true;
}

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

static void say_restart(const char *what)
{
	pgm_log(PGM_LOG_WARNING, "%s changed in the file; that needs a restart", what);
}

static void say_what_waits(const struct pgm_serve_config *old, const struct pgm_serve_config *new)
{
	PGM_AUTO_ARENA arena = pgm_arena_new(0);
	for (size_t i = 0; i < pgm_serve_setting_count; i++) {
		const struct pgm_setting *setting = &pgm_serve_settings[i];
		if (!same(pgm_setting_show_of(setting, old, arena), pgm_setting_show_of(setting, new, arena)))
			say_restart(setting->name);
	}
	if (!same_targets(old, new))
		say_restart("[watch]");
	if (!same_lines(old->alerts, old->alert_count, new->alerts, new->alert_count))
		say_restart("[alerts]");
	if (!same_lines(old->chores, old->chore_count, new->chores, new->chore_count))
		say_restart("[chores]");
	if (old->has_pool != new->has_pool)
		say_restart("whether there is a pooler");
}

static bool check_file(struct pgm_serve *serve)
{
	struct pgm_config_problems problems;
	if (!serve->config->path)
		return true;
	pgm_config_problems_init(&problems);
	struct pgm_serve_config *config = pgm_serve_config_read(
		serve->config->path, serve->options->overrides, &pgm_serve_checks, &problems);
	for (size_t i = 0; i < problems.count; i++)
		pgm_log(problems.items[i].warning ? PGM_LOG_WARNING : PGM_LOG_ERROR, "%s",
			pgm_config_problem_text(&problems, &problems.items[i]));
	if (config)
		say_what_waits(serve->config, config);
	pgm_config_problems_done(&problems);
	pgm_serve_config_free(config);
	return config != NULL;
}

void pgm_serve_reload(struct pgm_serve *serve)
{
	struct pgm_error err = {0};
	char state[64];
	snprintf(state, sizeof(state), "RELOADING=1\nMONOTONIC_USEC=%.0f", pgm_clock_ms() * 1000);
	pgm_notify_service(state);
	pgm_log_reopen();
	bool right = check_file(serve);
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
