/* What the history's file has of alerts: those that fire, deliveries that wait, silences. */
#include "serve/alert/parts.h"
#include "util/clock.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define KIND_STATE    "alert"
#define KIND_DELIVERY "delivery"
#define KIND_SILENCE  "silence"

/* Takes json. */
static bool put(struct pgm_alerts *alerts, const char *kind, const char *id, int64_t at_ms, json_t *json,
		struct pgm_error *err)
{
	char *body = json ? json_dumps(json, JSON_COMPACT) : NULL;
	json_decref(json);
	if (!body)
		return pgm_error_set(err, PGM_ERR_SYSTEM, "an alert's texts are not UTF-8");
	bool fine = pgm_history_record_put(alerts->history, kind, id, at_ms, body, err);
	free(body);
	return fine;
}

bool pgm_alert_save_state(struct pgm_alerts *alerts, const struct pgm_alert_event *event,
			  struct pgm_error *err)
{
	PGM_AUTO_ARENA arena = pgm_arena_new(0);
	char *id = pgm_sprintf(arena, "%s/%s", event->target, event->id);
	if (!alerts->history)
		return true;
	if (event->resolved)
		return pgm_history_record_delete(alerts->history, KIND_STATE, id, err);
	return put(alerts, KIND_STATE, id, event->fired_ms,
		   json_pack("{s:s, s:s, s:s, s:f, s:I, s:b}", "rule", event->rule->id, "target",
			     event->target, "what", event->what, "value", event->value, "fired_ms",
			     (json_int_t)event->fired_ms, "notified", event->notified),
		   err);
}

bool pgm_alert_save_delivery(struct pgm_alerts *alerts, size_t receiver,
			     const struct pgm_alert_delivery *delivery, struct pgm_error *err)
{
	if (!alerts->history)
		return true;
	return put(alerts, KIND_DELIVERY, delivery->id, delivery->made_ms,
		   json_pack("{s:s, s:s, s:s}", "receiver", alerts->settings.receivers[receiver].key, "key",
			     delivery->key, "payload", delivery->payload),
		   err);
}

bool pgm_alert_save_silence(struct pgm_alerts *alerts, const struct pgm_alert_silence *silence,
			    struct pgm_error *err)
{
	PGM_AUTO_ARENA arena = pgm_arena_new(0);
	char *id = pgm_sprintf(arena, "%s|%s", silence->id, silence->target);
	if (!alerts->history)
		return true;
	if (!silence->until_ms)
		return pgm_history_record_delete(alerts->history, KIND_SILENCE, id, err);
	return put(alerts, KIND_SILENCE, id, silence->until_ms,
		   json_pack("{s:s, s:s, s:I, s:s, s:s}", "id", silence->id, "target", silence->target,
			     "until_ms", (json_int_t)silence->until_ms, "who", silence->who, "why",
			     silence->why),
		   err);
}

static void load_state(struct pgm_alerts *alerts, const json_t *json)
{
	const char *rule_id, *target_name, *what;
	double value;
	json_int_t fired_ms;
	int notified;
	if (json_unpack((json_t *)json, "{s:s, s:s, s:s, s:F, s:I, s:b}", "rule", &rule_id, "target",
			&target_name, "what", &what, "value", &value, "fired_ms", &fired_ms, "notified",
			&notified) != 0)
		return;
	const struct pgm_alert_rule *rule = pgm_alert_rule_find(rule_id);
	struct pgm_alert_target *target = rule ? pgm_alert_target_find(alerts, target_name) : NULL;
	if (!target || alerts->settings.rules[rule - pgm_alert_rules].off)
		return;
	struct pgm_alert_state *state = pgm_alert_state_new(target, rule, what);
	state->phase = PGM_ALERT_FIRING;
	state->phase_mono_ms = state->notified_mono_ms = pgm_clock_ms();
	state->since_ms = state->fired_ms = fired_ms;
	state->value = value;
	state->notified = notified;
}

/* Of a receiver that [alerts] no longer has: it is forgotten. */
static bool load_delivery(struct pgm_alerts *alerts, const struct pgm_history_record *record,
			  const json_t *json)
{
	const char *receiver, *key, *payload;
	if (json_unpack((json_t *)json, "{s:s, s:s, s:s}", "receiver", &receiver, "key", &key, "payload",
			&payload) != 0)
		return false;
	for (size_t i = 0; i < alerts->settings.receiver_count; i++) {
		if (strcmp(alerts->settings.receivers[i].key, receiver) != 0)
			continue;
		struct pgm_alert_delivery *delivery =
			pgm_alert_delivery_new(record->id, key, payload, record->at_ms);
		pgm_alert_queue_add(&alerts->queues[i], delivery);
		return true;
	}
	return false;
}

static void load_silence(struct pgm_alerts *alerts, const json_t *json)
{
	const char *id, *target, *who, *why;
	json_int_t until_ms;
	if (alerts->silence_count == PGM_ALERT_SILENCES_MAX ||
	    json_unpack((json_t *)json, "{s:s, s:s, s:I, s:s, s:s}", "id", &id, "target", &target, "until_ms",
			&until_ms, "who", &who, "why", &why) != 0)
		return;
	if (until_ms <= (json_int_t)time(NULL) * 1000)
		return; /* it is over; those that are not come last, and only so many are kept */
	struct pgm_alert_silence_slot *slot = pgm_alert_memory(sizeof(*slot));
	slot->id = pgm_alert_copy(id);
	slot->target = pgm_alert_copy(target);
	slot->who = pgm_alert_copy(who);
	slot->why = pgm_alert_copy(why);
	slot->until_ms = until_ms;
	alerts->silences[alerts->silence_count++] = slot;
}

bool pgm_alert_load(struct pgm_alerts *alerts, struct pgm_error *err)
{
	static const char *const kinds[] = {KIND_STATE, KIND_DELIVERY, KIND_SILENCE};
	PGM_AUTO_ARENA arena = pgm_arena_new(0);
	if (!alerts->history)
		return true;
	for (int kind = 0; kind < 3; kind++) {
		struct pgm_history_record *records;
		size_t count;
		if (!pgm_history_record_list(alerts->history, kinds[kind], 0, arena, &records, &count, err))
			return false;
		/* the oldest first: in that order deliveries are sent */
		for (size_t i = count; i-- > 0;) {
			json_t *json = json_loads(records[i].body, 0, NULL);
			bool kept = true;
			if (kind == 0)
				load_state(alerts, json);
			else if (kind == 1)
				kept = load_delivery(alerts, &records[i], json);
			else
				load_silence(alerts, json);
			json_decref(json);
			if (!kept &&
			    !pgm_history_record_delete(alerts->history, kinds[kind], records[i].id, err))
				return false;
		}
	}
	return true;
}
