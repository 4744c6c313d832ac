/* The states of alerts: from what rules see to what is told. */
#include "serve/alert/parts.h"
#include "util/clock.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define FORGET_TARGET_MS 3600e3 /* not looked at for so long: it is no longer watched */

void *pgm_alert_memory(size_t size)
{
	void *memory = calloc(1, size);
	if (!memory)
		abort();
	return memory;
}

char *pgm_alert_copy(const char *text)
{
	size_t length = strlen(text);
	return memcpy(pgm_alert_memory(length + 1), text, length);
}

const struct pgm_alert_rule_settings *pgm_alert_rule_settings(const struct pgm_alerts *alerts,
							      const struct pgm_alert_rule *rule)
{
	return &alerts->settings.rules[rule - pgm_alert_rules];
}

struct pgm_alert_target *pgm_alert_target_find(struct pgm_alerts *alerts, const char *name)
{
	for (size_t i = 0; i < alerts->target_count; i++)
		if (strcmp(alerts->targets[i]->name, name) == 0)
			return alerts->targets[i];
	if (alerts->target_count == PGM_ALERT_TARGETS_MAX)
		return NULL;
	struct pgm_alert_target *target = pgm_alert_memory(sizeof(*target));
	target->name = pgm_alert_copy(name);
	target->seen_mono_ms = pgm_clock_ms();
	target->disk_days = NAN;
	alerts->targets[alerts->target_count++] = target;
	return target;
}

struct pgm_alert_state *pgm_alert_state_new(struct pgm_alert_target *target,
					    const struct pgm_alert_rule *rule, const char *what)
{
	struct pgm_alert_state *state = pgm_alert_memory(sizeof(*state));
	size_t size = strlen(rule->id) + strlen(what) + 2;
	state->rule = rule;
	state->target = target;
	state->what = pgm_alert_copy(what);
	state->id = pgm_alert_memory(size);
	snprintf(state->id, size, "%s%s%s", rule->id, *what ? ":" : "", what);
	state->next = target->states;
	target->states = state;
	return state;
}

static void free_state(struct pgm_alert_state *state)
{
	free(state->id);
	free(state->what);
	free(state);
}

void pgm_alert_states_free(struct pgm_alert_target *target)
{
	while (target->states) {
		struct pgm_alert_state *next = target->states->next;
		free_state(target->states);
		target->states = next;
	}
}

static void remove_state(struct pgm_alert_state *state)
{
	struct pgm_alert_state **place = &state->target->states;
	while (*place != state)
		place = &(*place)->next;
	*place = state->next;
	free_state(state);
}

void pgm_alert_event_free(struct pgm_alert_event *event)
{
	free(event->id);
	free(event->target);
	free(event->what);
	free(event->summary);
	free(event);
}

const struct pgm_alert_silence_slot *pgm_alert_silenced(const struct pgm_alerts *alerts,
							const struct pgm_alert_state *state, int64_t now_ms)
{
	for (size_t i = 0; i < alerts->silence_count; i++) {
		const struct pgm_alert_silence_slot *silence = alerts->silences[i];
		bool matches = strcmp(silence->id, "*") == 0 || strcmp(silence->id, state->id) == 0 ||
			       strcmp(silence->id, state->rule->id) == 0;
		bool here = !silence->target[0] || strcmp(silence->target, state->target->name) == 0;
		if (matches && here && silence->until_ms > now_ms)
			return silence;
	}
	return NULL;
}

static struct pgm_alert_event *emit(struct pgm_alerts *alerts, const struct pgm_alert_state *state,
				    int64_t now_ms)
{
	const struct pgm_alert_rule_settings *settings = pgm_alert_rule_settings(alerts, state->rule);
	PGM_AUTO_ARENA arena = pgm_arena_new(0);
	struct pgm_alert_event *event = pgm_alert_memory(sizeof(*event));
	event->id = pgm_alert_copy(state->id);
	event->rule = state->rule;
	event->severity = settings->severity;
	event->target = pgm_alert_copy(state->target->name);
	event->what = pgm_alert_copy(state->what);
	event->value = state->value;
	event->threshold = settings->fire;
	event->summary = pgm_alert_copy(
		pgm_alert_summary(arena, state->rule, state->what, state->value, settings->fire));
	event->fired_ms = state->fired_ms;
	event->at_ms = now_ms;
	event->notified = state->notified;
	*alerts->last_event = event;
	alerts->last_event = &event->next;
	pthread_cond_signal(&alerts->wake);
	return event;
}

/* Tell of one that fires, unless it is silenced or was told of: then it is, when the silence ends. */
static void tell_firing(struct pgm_alerts *alerts, struct pgm_alert_state *state, bool first, int64_t now_ms,
			double mono_ms)
{
	bool silenced = pgm_alert_silenced(alerts, state, now_ms) != NULL;
	bool tell = !state->notified && !silenced;
	bool renew = state->notified && !silenced && mono_ms - state->notified_mono_ms >= PGM_ALERT_RENEW_MS;
	if (!first && !tell && !renew)
		return;
	if (tell || renew)
		state->notified_mono_ms = mono_ms;
	state->notified |= tell;
	struct pgm_alert_event *event = emit(alerts, state, now_ms);
	event->log = first;
	event->tell = tell || renew;
	event->renewal = renew;
	event->save = first || tell;
}

static void enter(struct pgm_alert_state *state, enum pgm_alert_phase phase, int64_t now_ms, double mono_ms)
{
	state->phase = phase;
	state->phase_mono_ms = mono_ms;
	state->since_ms = now_ms;
}

static void resolve(struct pgm_alerts *alerts, struct pgm_alert_state *state, int64_t now_ms)
{
	struct pgm_alert_event *event = emit(alerts, state, now_ms);
	event->resolved = event->log = event->save = true;
	event->tell = state->notified;
	remove_state(state);
}

/* One look's value for one alert; NaN: what it was about is gone, or well. The state may be removed. */
static void step(struct pgm_alerts *alerts, struct pgm_alert_state *state, double value, int64_t now_ms,
		 double mono_ms)
{
	const struct pgm_alert_rule *rule = state->rule;
	const struct pgm_alert_rule_settings *settings = pgm_alert_rule_settings(alerts, rule);
	bool gone = isnan(value);
	bool bad = !gone && (rule->below ? value <= settings->fire : value >= settings->fire);
	bool good = gone || (!bad && (rule->below ? value > settings->resolve : value < settings->resolve));
	/* a resolved message has the last value that was bad */
	if (!good)
		state->value = value;
	if (state->phase == PGM_ALERT_OK)
		enter(state, PGM_ALERT_PENDING, now_ms, mono_ms);
	if (state->phase == PGM_ALERT_PENDING && !bad) {
		remove_state(state);
		return;
	}
	if (state->phase == PGM_ALERT_PENDING && mono_ms - state->phase_mono_ms >= settings->for_s * 1e3) {
		enter(state, PGM_ALERT_FIRING, now_ms, mono_ms);
		state->fired_ms = now_ms;
		tell_firing(alerts, state, true, now_ms, mono_ms);
		return;
	}
	if (state->phase == PGM_ALERT_FIRING && good)
		enter(state, PGM_ALERT_RESOLVING, now_ms, mono_ms);
	else if (state->phase == PGM_ALERT_RESOLVING && !good)
		enter(state, PGM_ALERT_FIRING, now_ms, mono_ms);
	if (state->phase == PGM_ALERT_RESOLVING && mono_ms - state->phase_mono_ms >= settings->settle_s * 1e3)
		resolve(alerts, state, now_ms);
	else if (state->phase >= PGM_ALERT_FIRING)
		tell_firing(alerts, state, false, now_ms, mono_ms);
}

static struct pgm_alert_state *find_state(const struct pgm_alert_target *target,
					  const struct pgm_alert_rule *rule, const char *what)
{
	for (struct pgm_alert_state *state = target->states; state; state = state->next)
		if (state->rule == rule && strcmp(state->what, what) == 0)
			return state;
	return NULL;
}

static void apply(struct pgm_alerts *alerts, struct pgm_alert_target *target,
		  const struct pgm_alert_rule *rule, const struct pgm_alert_look *look, int64_t now_ms,
		  double mono_ms)
{
	const struct pgm_alert_rule_settings *settings = pgm_alert_rule_settings(alerts, rule);
	for (struct pgm_alert_state *state = target->states; state; state = state->next)
		state->seen = false;
	for (size_t i = 0; i < look->count; i++) {
		double value = look->seen[i].value;
		struct pgm_alert_state *state = find_state(target, rule, look->seen[i].what);
		bool bad = rule->below ? value <= settings->fire : value >= settings->fire;
		if (!state && !bad)
			continue;
		if (!state)
			state = pgm_alert_state_new(target, rule, look->seen[i].what);
		state->seen = true;
		step(alerts, state, value, now_ms, mono_ms);
	}
	struct pgm_alert_state *next;
	for (struct pgm_alert_state *state = target->states; state; state = next) {
		next = state->next;
		if (state->rule == rule && !state->seen)
			step(alerts, state, NAN, now_ms, mono_ms);
	}
}

static void look_by(struct pgm_alerts *alerts, struct pgm_alert_target *target,
		    const struct pgm_alert_rule *rule, const struct pgm_snapshot *snapshot,
		    bool history_paused, struct pgm_arena *arena)
{
	struct pgm_alert_look look = {
		.snapshot = snapshot,
		.window = &target->window,
		.findings = target->findings,
		.finding_count = target->finding_count,
		.findings_known = target->findings_known,
		.disk_days = target->disk_days,
		.history_paused = history_paused,
		.below = rule->below,
		.arena = arena,
	};
	rule->look(rule, &look);
	if (look.known)
		apply(alerts, target, rule, &look, snapshot->wall_ms, snapshot->mono_ms);
	pgm_arena_reset(arena);
}

void pgm_alerts_evaluate(struct pgm_alerts *alerts, const struct pgm_snapshot *snapshot)
{
	PGM_AUTO_ARENA arena = pgm_arena_new(0);
	pthread_mutex_lock(&alerts->lock);
	struct pgm_alert_target *target = pgm_alert_target_find(alerts, snapshot->target.name);
	if (target) {
		target->seen_mono_ms = pgm_clock_ms();
		pgm_alert_window_add(&target->window, snapshot);
	}
	for (size_t i = 0; target && i < pgm_alert_rule_count; i++) {
		const struct pgm_alert_rule *rule = &pgm_alert_rules[i];
		bool down = rule->look == pgm_look_down;
		/* of a database that cannot be reached nothing else is known */
		if (alerts->settings.rules[i].off || rule->look == pgm_look_history ||
		    (!snapshot->up && !down))
			continue;
		look_by(alerts, target, rule, snapshot, false, arena);
	}
	pthread_mutex_unlock(&alerts->lock);
}

void pgm_alert_tick(struct pgm_alerts *alerts, int64_t now_ms, double mono_ms)
{
	PGM_AUTO_ARENA arena = pgm_arena_new(0);
	const struct pgm_snapshot own = {.wall_ms = now_ms, .mono_ms = mono_ms, .up = true};
	const struct pgm_alert_rule *rule = pgm_alert_rule_find("history_paused");
	if (alerts->history && !pgm_alert_rule_settings(alerts, rule)->off) {
		struct pgm_history_state state;
		struct pgm_alert_target *target = pgm_alert_target_find(alerts, PGM_ALERT_OWN_TARGET);
		pgm_history_state(alerts->history, &state);
		if (target) {
			target->seen_mono_ms = mono_ms;
			look_by(alerts, target, rule, &own, state.paused, arena);
		}
	}
	for (size_t i = 0; i < alerts->target_count; i++) {
		struct pgm_alert_target *target = alerts->targets[i];
		struct pgm_alert_state *next;
		bool gone = mono_ms - target->seen_mono_ms >= FORGET_TARGET_MS;
		for (struct pgm_alert_state *state = target->states; state; state = next) {
			next = state->next;
			if (!gone && !pgm_alert_rule_settings(alerts, state->rule)->off)
				continue;
			if (state->phase >= PGM_ALERT_FIRING)
				resolve(alerts, state, now_ms);
			else
				remove_state(state);
		}
	}
}

void pgm_alerts_forget(struct pgm_alerts *alerts, const char *name)
{
	pthread_mutex_lock(&alerts->lock);
	for (size_t i = 0; i < alerts->target_count; i++)
		if (strcmp(alerts->targets[i]->name, name) == 0)
			alerts->targets[i]->seen_mono_ms = pgm_clock_ms() - FORGET_TARGET_MS;
	pthread_mutex_unlock(&alerts->lock);
}
