#include "serve/observe.h"

#include "pool/log.h"
#include "serve/alert/alert.h"
#include "serve/history/history.h"
#include "serve/watch/watch.h"

#define STATEMENTS_EACH	  3 /* looks: statements cost more than counters */
#define STATEMENTS_MAX_MS 30000

/* ---- history ---- */

bool pgm_serve_start_history(struct pgm_serve *serve, struct pgm_error *err)
{
	const struct pgm_serve_config *config = serve->config;
	if (!config->history || !*config->history)
		return true;
	serve->api.history = pgm_history_open(config->history, config->history_size_bytes, err);
	return serve->api.history != NULL;
}

void pgm_serve_stop_history(struct pgm_serve *serve)
{
	pgm_history_close(serve->api.history);
	serve->api.history = NULL;
}

/* ---- alerts ---- */

static void say(void *data, enum pgm_alert_severity severity, const char *line)
{
	(void)data;
	pgm_log(severity == PGM_ALERT_INFO ? PGM_LOG_NOTICE : PGM_LOG_WARNING, "%s", line);
}

/* [alerts] exit_on: systemd is to act. */
static void leave(void *data, const char *why)
{
	struct pgm_serve *serve = data;
	pgm_log(PGM_LOG_ERROR, "shutting down, as exit_on says: %s", why);
	atomic_store(&serve->alerted, true);
	pgm_serve_wake(serve);
}

bool pgm_serve_start_alerts(struct pgm_serve *serve, struct pgm_error *err)
{
	struct pgm_alert_options options = {
		.history = serve->api.history,
		.settings = serve->config->alerts,
		.setting_count = serve->config->alert_count,
		.say = say,
		.leave = leave,
		.data = serve,
	};
	serve->api.alerts = pgm_alerts_open(&options, err);
	return serve->api.alerts != NULL;
}

void pgm_serve_stop_alerts(struct pgm_serve *serve)
{
	pgm_alerts_close(serve->api.alerts);
	serve->api.alerts = NULL;
}

/* ---- the watch ---- */

/* Its writer cannot log: said with the next look. */
static void note_pause(struct pgm_history *history)
{
	static _Atomic bool paused;
	struct pgm_history_state state;
	pgm_history_state(history, &state);
	if (atomic_exchange(&paused, state.paused) == state.paused)
		return;
	if (state.paused)
		pgm_log(PGM_LOG_WARNING, "the history pauses: %s", state.why);
	else
		pgm_log(PGM_LOG_NOTICE, "the history goes on");
}

static void on_look(void *data, const struct pgm_snapshot *snapshot)
{
	struct pgm_serve *serve = data;
	if (serve->api.history) {
		pgm_history_put(serve->api.history, snapshot);
		note_pause(serve->api.history);
	}
	pgm_alerts_evaluate(serve->api.alerts, snapshot);
}

static void show_history(struct pgm_history *history, struct pgm_self_samples *samples)
{
	struct pgm_history_state state;
	pgm_history_state(history, &state);
	pgm_self_add(samples, "pgmend_history_file_bytes", NULL, (double)state.file_bytes);
	pgm_self_add(samples, "pgmend_history_written_total", NULL, (double)state.written);
	pgm_self_add(samples, "pgmend_history_dropped_total", NULL, (double)state.dropped);
	pgm_self_add(samples, "pgmend_history_paused", NULL, state.paused);
}

/* What /metrics shows of these parts. */
static void show(void *data, struct pgm_self_samples *samples)
{
	struct pgm_serve *serve = data;
	PGM_AUTO_ARENA arena = pgm_arena_new(0);
	struct pgm_alert *list;
	size_t count;
	double firing[PGM_ALERT_CRITICAL + 1] = {0};
	pgm_alerts_list(serve->api.alerts, NULL, arena, &list, &count);
	for (size_t i = 0; i < count; i++)
		firing[list[i].severity] += list[i].phase >= PGM_ALERT_FIRING;
	for (int severity = 0; severity <= PGM_ALERT_CRITICAL; severity++) {
		const char *const labels[] = {pgm_alert_severity_name((enum pgm_alert_severity)severity)};
		pgm_self_add(samples, "pgmend_alerts_firing", labels, firing[severity]);
	}
	if (serve->api.history)
		show_history(serve->api.history, samples);
}

bool pgm_serve_add_target(struct pgm_serve *serve, const struct pgm_serve_target *target,
			  struct pgm_error *err)
{
	struct pgm_watch_target_options options = {
		.name = target->name,
		.conninfo = target->conninfo,
		.pool_database = target->pooled ? target->name : NULL,
	};
	if (pgm_watch_add(serve->api.watch, &options, err))
		return true;
	return target->line ? pgm_error_context(err, "%s line %d", target->file, target->line) : false;
}

static bool add_targets(struct pgm_serve *serve, struct pgm_error *err)
{
	const struct pgm_serve_config *config = serve->config;
	for (size_t i = 0; i < config->target_count; i++)
		if (!pgm_serve_add_target(serve, &config->targets[i], err))
			return false;
	return !config->has_pool || pgm_watch_add_pool(serve->api.watch, err);
}

bool pgm_serve_start_watch(struct pgm_serve *serve, struct pgm_error *err)
{
	int64_t statements_ms = STATEMENTS_EACH * serve->config->watch_interval_ms;
	struct pgm_watch_options options = {
		.fast_ms = serve->config->watch_interval_ms,
		.statements_ms = statements_ms < STATEMENTS_MAX_MS ? statements_ms : STATEMENTS_MAX_MS,
		.slow_ms = serve->config->tables_interval_ms,
	};
	serve->api.watch = pgm_watch_new(&options, err);
	return serve->api.watch && add_targets(serve, err) &&
	       pgm_watch_subscribe(serve->api.watch, on_look, serve) &&
	       pgm_watch_self(serve->api.watch, show, serve) && pgm_watch_start(serve->api.watch, err);
}

void pgm_serve_stop_watch(struct pgm_serve *serve)
{
	pgm_watch_free(serve->api.watch);
	serve->api.watch = NULL;
}
