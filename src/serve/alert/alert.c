#include "serve/alert/alert.h"

#include "serve/alert/parts.h"
#include "util/clock.h"

#include <curl/curl.h>
#include <stdlib.h>
#include <string.h>

static pthread_once_t curl_once = PTHREAD_ONCE_INIT;

static void init_curl(void)
{
	curl_global_init(CURL_GLOBAL_DEFAULT);
}

static void free_findings(struct pgm_alert_target *target)
{
	for (size_t i = 0; i < target->finding_count; i++) {
		free((char *)target->findings[i].check);
		free((char *)target->findings[i].object);
	}
	free(target->findings);
	target->findings = NULL;
	target->finding_count = 0;
}

static void free_silence(struct pgm_alert_silence_slot *silence)
{
	free(silence->id);
	free(silence->target);
	free(silence->who);
	free(silence->why);
	free(silence);
}

static void free_alerts(struct pgm_alerts *alerts)
{
	for (size_t i = 0; i < alerts->target_count; i++) {
		pgm_alert_states_free(alerts->targets[i]);
		free_findings(alerts->targets[i]);
		free(alerts->targets[i]->name);
		free(alerts->targets[i]);
	}
	for (size_t i = 0; i < alerts->silence_count; i++)
		free_silence(alerts->silences[i]);
	for (size_t i = 0; i < PGM_ALERT_RECEIVERS_MAX; i++)
		while (alerts->queues[i].first) {
			struct pgm_alert_delivery *next = alerts->queues[i].first->next;
			pgm_alert_delivery_free(alerts->queues[i].first);
			alerts->queues[i].first = next;
		}
	while (alerts->events) {
		struct pgm_alert_event *next = alerts->events->next;
		pgm_alert_event_free(alerts->events);
		alerts->events = next;
	}
	pgm_alert_settings_done(&alerts->settings);
	if (alerts->next)
		pgm_alert_settings_done(alerts->next);
	free(alerts->next);
	pthread_mutex_destroy(&alerts->lock);
	pthread_mutex_destroy(&alerts->silencing);
	pthread_cond_destroy(&alerts->wake);
	free(alerts);
}

struct pgm_alerts *pgm_alerts_open(const struct pgm_alert_options *options, struct pgm_error *err)
{
	struct pgm_alerts *alerts = pgm_alert_memory(sizeof(*alerts));
	pthread_once(&curl_once, init_curl);
	pthread_mutex_init(&alerts->lock, NULL);
	pgm_clock_cond_init(&alerts->wake);
	pthread_mutex_init(&alerts->silencing, NULL);
	alerts->history = options->history;
	alerts->say = options->say;
	alerts->leave = options->leave;
	alerts->data = options->data;
	alerts->last_event = &alerts->events;
	for (size_t i = 0; i < PGM_ALERT_RECEIVERS_MAX; i++)
		alerts->queues[i].last = &alerts->queues[i].first;
	if (!pgm_alert_settings_read(&alerts->settings, options->settings, options->setting_count, err) ||
	    !pgm_alert_load(alerts, err)) {
		free_alerts(alerts);
		return NULL;
	}
	if (pthread_create(&alerts->thread, NULL, pgm_alert_deliver, alerts) != 0) {
		pgm_error_set(err, PGM_ERR_SYSTEM, "starting the alerts: no thread could be started");
		free_alerts(alerts);
		return NULL;
	}
	return alerts;
}

void pgm_alerts_close(struct pgm_alerts *alerts)
{
	if (!alerts)
		return;
	pthread_mutex_lock(&alerts->lock);
	alerts->closing = true;
	pthread_cond_signal(&alerts->wake);
	pthread_mutex_unlock(&alerts->lock);
	pthread_join(alerts->thread, NULL);
	free_alerts(alerts);
}

static void keep_finding(struct pgm_alert_target *target, const struct pgm_alert_finding *finding)
{
	target->findings[target->finding_count++] =
		(struct pgm_alert_finding){pgm_alert_copy(finding->check), pgm_alert_copy(finding->object)};
}

static void keep_those_of(struct pgm_alert_target *target, const struct pgm_alert_target *before,
			  const char *check)
{
	for (size_t i = 0; i < before->finding_count; i++)
		if (strcmp(before->findings[i].check, check) == 0)
			keep_finding(target, &before->findings[i]);
}

void pgm_alerts_findings(struct pgm_alerts *alerts, const char *target_name,
			 const struct pgm_alert_finding *findings, size_t count)
{
	pthread_mutex_lock(&alerts->lock);
	struct pgm_alert_target *target = pgm_alert_target_find(alerts, target_name);
	if (target) {
		struct pgm_alert_target before = {.findings = target->findings,
						  .finding_count = target->finding_count};
		target->findings = pgm_alert_memory((count + before.finding_count + 1) * sizeof(*findings));
		target->finding_count = 0;
		for (size_t i = 0; i < count; i++)
			if (findings[i].object)
				keep_finding(target, &findings[i]);
			else
				keep_those_of(target, &before, findings[i].check);
		free_findings(&before);
		target->findings_known = true;
	}
	pthread_mutex_unlock(&alerts->lock);
}

/* ---- what there is ---- */

static struct pgm_alert_silence *copy_silence(struct pgm_arena *arena,
					      const struct pgm_alert_silence_slot *slot)
{
	struct pgm_alert_silence *silence = PGM_NEW(arena, struct pgm_alert_silence);
	*silence = (struct pgm_alert_silence){
		.id = pgm_strdup(arena, slot->id),
		.target = pgm_strdup(arena, slot->target),
		.until_ms = slot->until_ms,
		.who = pgm_strdup(arena, slot->who),
		.why = pgm_strdup(arena, slot->why),
	};
	return silence;
}

static void describe(const struct pgm_alerts *alerts, const struct pgm_alert_state *state, int64_t now_ms,
		     struct pgm_arena *arena, struct pgm_alert *out)
{
	const struct pgm_alert_rule_settings *settings = pgm_alert_rule_settings(alerts, state->rule);
	const struct pgm_alert_silence_slot *silence = pgm_alert_silenced(alerts, state, now_ms);
	*out = (struct pgm_alert){
		.id = pgm_strdup(arena, state->id),
		.rule = state->rule->id,
		.target = pgm_strdup(arena, state->target->name),
		.what = pgm_strdup(arena, state->what),
		.severity = settings->severity,
		.phase = state->phase,
		.value = state->value,
		.threshold = settings->fire,
		.summary = pgm_alert_summary(arena, state->rule, state->what, state->value, settings->fire),
		.advice = state->rule->advice,
		.since_ms = state->since_ms,
		.fired_ms = state->fired_ms,
	};
	if (silence)
		out->silence = copy_silence(arena, silence);
}

static int worst_first(const void *a, const void *b)
{
	const struct pgm_alert *x = a, *y = b;
	bool x_fires = x->phase >= PGM_ALERT_FIRING, y_fires = y->phase >= PGM_ALERT_FIRING;
	if (x_fires != y_fires)
		return x_fires ? -1 : 1;
	if (x->severity != y->severity)
		return x->severity > y->severity ? -1 : 1;
	int by_target = strcmp(x->target, y->target);
	return by_target ? by_target : strcmp(x->id, y->id);
}

void pgm_alerts_list(struct pgm_alerts *alerts, const char *target, struct pgm_arena *arena,
		     struct pgm_alert **list, size_t *count)
{
	int64_t now_ms = pgm_clock_wall_ms();
	size_t all = 0;
	*count = 0;
	pthread_mutex_lock(&alerts->lock);
	for (size_t i = 0; i < alerts->target_count; i++)
		for (const struct pgm_alert_state *state = alerts->targets[i]->states; state;
		     state = state->next)
			all++;
	*list = PGM_NEW_ARRAY(arena, struct pgm_alert, all + 1);
	for (size_t i = 0; i < alerts->target_count; i++) {
		if (target && strcmp(alerts->targets[i]->name, target) != 0)
			continue;
		for (const struct pgm_alert_state *state = alerts->targets[i]->states; state;
		     state = state->next)
			describe(alerts, state, now_ms, arena, &(*list)[(*count)++]);
	}
	pthread_mutex_unlock(&alerts->lock);
	if (*count)
		qsort(*list, *count, sizeof(**list), worst_first);
}

/* ---- silences ---- */

static size_t find_silence(const struct pgm_alerts *alerts, const char *id, const char *target)
{
	size_t i = 0;
	while (i < alerts->silence_count &&
	       (strcmp(alerts->silences[i]->id, id) != 0 || strcmp(alerts->silences[i]->target, target) != 0))
		i++;
	return i;
}

static void drop_silence(struct pgm_alerts *alerts, size_t place)
{
	free_silence(alerts->silences[place]);
	alerts->silences[place] = alerts->silences[--alerts->silence_count];
}

/* Those that are over make room; one of the same alert will be replaced. */
static bool has_room(struct pgm_alerts *alerts, const struct pgm_alert_silence *silence, int64_t now_ms,
		     struct pgm_error *err)
{
	pthread_mutex_lock(&alerts->lock);
	for (size_t i = alerts->silence_count; i-- > 0;)
		if (alerts->silences[i]->until_ms <= now_ms)
			drop_silence(alerts, i);
	bool room = alerts->silence_count < PGM_ALERT_SILENCES_MAX ||
		    find_silence(alerts, silence->id, silence->target) < alerts->silence_count;
	pthread_mutex_unlock(&alerts->lock);
	return room ||
	       pgm_error_set(err, PGM_ERR_STATE, "there are %d silences already", PGM_ALERT_SILENCES_MAX);
}

/* There is room: nobody else adds one now. */
static void take_silence(struct pgm_alerts *alerts, const struct pgm_alert_silence *silence)
{
	struct pgm_alert_silence_slot *slot = pgm_alert_memory(sizeof(*slot));
	*slot = (struct pgm_alert_silence_slot){pgm_alert_copy(silence->id), pgm_alert_copy(silence->target),
						pgm_alert_copy(silence->who), pgm_alert_copy(silence->why),
						silence->until_ms};
	pthread_mutex_lock(&alerts->lock);
	size_t place = find_silence(alerts, silence->id, silence->target);
	if (place < alerts->silence_count)
		drop_silence(alerts, place);
	alerts->silences[alerts->silence_count++] = slot;
	pthread_mutex_unlock(&alerts->lock);
}

bool pgm_alerts_silence(struct pgm_alerts *alerts, const struct pgm_alert_silence *silence,
			struct pgm_error *err)
{
	int64_t now_ms = pgm_clock_wall_ms();
	if (silence->until_ms <= now_ms) {
		pgm_error_set(err, PGM_ERR_USAGE, "a silence must end in the future");
		return pgm_error_hint(err, "until is a moment, or give minutes.");
	}
	pthread_mutex_lock(&alerts->silencing);
	bool fine = has_room(alerts, silence, now_ms, err) && pgm_alert_save_silence(alerts, silence, err);
	if (fine)
		take_silence(alerts, silence);
	pthread_mutex_unlock(&alerts->silencing);
	return fine;
}

bool pgm_alerts_unsilence(struct pgm_alerts *alerts, const char *id, const char *target, bool *found,
			  struct pgm_error *err)
{
	const struct pgm_alert_silence gone = {.id = id, .target = target};
	pthread_mutex_lock(&alerts->silencing);
	bool fine = pgm_alert_save_silence(alerts, &gone, err);
	pthread_mutex_lock(&alerts->lock);
	size_t place = find_silence(alerts, id, target);
	*found = fine && place < alerts->silence_count;
	if (*found)
		drop_silence(alerts, place);
	pthread_mutex_unlock(&alerts->lock);
	pthread_mutex_unlock(&alerts->silencing);
	return fine;
}

void pgm_alerts_silences(struct pgm_alerts *alerts, struct pgm_arena *arena, struct pgm_alert_silence **list,
			 size_t *count)
{
	int64_t now_ms = pgm_clock_wall_ms();
	*count = 0;
	pthread_mutex_lock(&alerts->lock);
	*list = PGM_NEW_ARRAY(arena, struct pgm_alert_silence, alerts->silence_count + 1);
	for (size_t i = 0; i < alerts->silence_count; i++) {
		const struct pgm_alert_silence_slot *slot = alerts->silences[i];
		if (slot->until_ms > now_ms)
			(*list)[(*count)++] = *copy_silence(arena, slot);
	}
	pthread_mutex_unlock(&alerts->lock);
}

void pgm_alerts_receivers(struct pgm_alerts *alerts, struct pgm_arena *arena,
			  struct pgm_alert_receiver **list, size_t *count)
{
	pthread_mutex_lock(&alerts->lock);
	*count = alerts->settings.receiver_count;
	*list = PGM_NEW_ARRAY(arena, struct pgm_alert_receiver, *count + 1);
	for (size_t i = 0; i < *count; i++) {
		struct pgm_alert_receiver *out = &(*list)[i];
		out->form = pgm_alert_form_name(alerts->settings.receivers[i].form);
		out->address = pgm_strdup(arena, alerts->settings.receivers[i].address);
		out->waiting = alerts->queues[i].waiting;
		out->sent = alerts->queues[i].sent;
		out->failed = alerts->queues[i].failed;
		memcpy(out->last_error, alerts->queues[i].last_error, sizeof(out->last_error));
	}
	pthread_mutex_unlock(&alerts->lock);
}
