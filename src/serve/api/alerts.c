#include "serve/api/alerts.h"

#include "serve/alert/rules.h"
#include "serve/api/api.h"
#include "serve/api/watch.h"

#include <string.h>
#include <time.h>

#define MINUTES_MAX 525600

static json_t *silence_json(const struct pgm_alert_silence *silence)
{
	return json_pack("{s:s, s:s, s:o, s:s, s:s}", "id", silence->id, "database", silence->target, "until",
			 pgm_api_time_ms(silence->until_ms), "who", silence->who, "why", silence->why);
}

static json_t *alert_json(const struct pgm_alert *alert)
{
	return json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:f, s:f, s:s, s:s, s:o, s:o, s:o}", "id", alert->id,
			 "rule", alert->rule, "database", alert->target, "what", alert->what, "severity",
			 pgm_alert_severity_name(alert->severity), "state",
			 alert->phase == PGM_ALERT_PENDING ? "pending" : "firing", "value", alert->value,
			 "threshold", alert->threshold, "summary", alert->summary, "advice", alert->advice,
			 "since", pgm_api_time_ms(alert->since_ms), "fired_at",
			 pgm_api_time_ms(alert->fired_ms), "silence",
			 alert->silence ? silence_json(alert->silence) : json_null());
}

static json_t *rules_json(void)
{
	json_t *rules = json_array();
	for (size_t i = 0; i < pgm_alert_rule_count; i++) {
		const struct pgm_alert_rule *rule = &pgm_alert_rules[i];
		json_array_append_new(rules,
				      json_pack("{s:s, s:s, s:s, s:s, s:f, s:f, s:i, s:b}", "id", rule->id,
						"severity", pgm_alert_severity_name(rule->severity),
						"summary", rule->when, "advice", rule->advice, "threshold",
						rule->fire, "resolve", rule->resolve, "for_s", rule->for_s,
						"below", rule->below));
	}
	return rules;
}

static struct pgm_alerts *alerts_of(struct pgm_request *request, struct pgm_reply *reply)
{
	struct pgm_alerts *alerts = PGM_API(request)->alerts;
	if (!alerts)
		pgm_reply_error(reply, 404, "no_alerts", "this pgmend has no alerts");
	return alerts;
}

static void get_alerts(struct pgm_request *request, struct pgm_reply *reply)
{
	struct pgm_alerts *alerts = alerts_of(request, reply);
	struct pgm_alert *list;
	struct pgm_alert_silence *silences;
	struct pgm_alert_receiver *receivers;
	size_t count, silence_count, receiver_count;
	if (!alerts)
		return;
	pgm_alerts_list(alerts, pgm_request_text(request, "database", NULL), request->arena, &list, &count);
	pgm_alerts_silences(alerts, request->arena, &silences, &silence_count);
	pgm_alerts_receivers(alerts, request->arena, &receivers, &receiver_count);
	json_t *items = json_array(), *silent = json_array(), *to = json_array();
	for (size_t i = 0; i < count; i++)
		json_array_append_new(items, alert_json(&list[i]));
	for (size_t i = 0; i < silence_count; i++)
		json_array_append_new(silent, silence_json(&silences[i]));
	for (size_t i = 0; i < receiver_count; i++)
		json_array_append_new(to, json_pack("{s:s, s:s, s:i, s:I, s:I, s:s}", "form",
						    receivers[i].form, "address", receivers[i].address,
						    "waiting", (int)receivers[i].waiting, "sent",
						    (json_int_t)receivers[i].sent, "failed",
						    (json_int_t)receivers[i].failed, "last_error",
						    receivers[i].last_error));
	pgm_reply_data(reply, json_pack("{s:o, s:o, s:o, s:o}", "alerts", items, "silences", silent,
					"receivers", to, "rules", rules_json()));
}

/* "rule", "rule:what" or "*": only rules that there are. */
static bool id_ok(struct pgm_request *request, struct pgm_reply *reply, const char *id)
{
	const char *colon = strchr(id, ':');
	char *rule = pgm_strndup(request->arena, id, colon ? (size_t)(colon - id) : strlen(id));
	if (strcmp(id, "*") == 0 || pgm_alert_rule_find(rule))
		return true;
	pgm_reply_error(reply, 404, "not_found", "there is no alert rule \"%s\"", rule);
	pgm_reply_hint(reply, "/api/v1/alerts has the rules, and the ids of what fires.");
	return false;
}

static void post_silence(struct pgm_request *request, struct pgm_reply *reply)
{
	struct pgm_alerts *alerts = alerts_of(request, reply);
	struct pgm_error err = {0};
	const char *id = pgm_request_part(request, "id");
	if (!alerts || !id_ok(request, reply, id))
		return;
	double now = (double)time(NULL);
	double until = pgm_request_time(request, "until",
					now + 60.0 * (double)pgm_request_int(request, "minutes", 60));
	struct pgm_alert_silence silence = {
		.id = id,
		.target = pgm_request_text(request, "database", ""),
		.until_ms = (int64_t)(until * 1e3),
		.who = request->user ? request->user : "",
		.why = pgm_request_text(request, "why", ""),
	};
	if (pgm_alerts_silence(alerts, &silence, &err))
		pgm_reply_data(reply, silence_json(&silence));
	else
		pgm_reply_failure(reply, &err);
}

static void delete_silence(struct pgm_request *request, struct pgm_reply *reply)
{
	struct pgm_alerts *alerts = alerts_of(request, reply);
	struct pgm_error err = {0};
	bool found;
	const char *id = pgm_request_part(request, "id");
	if (!alerts)
		return;
	if (!pgm_alerts_unsilence(alerts, id, pgm_request_text(request, "database", ""), &found, &err))
		pgm_reply_failure(reply, &err);
	else if (!found)
		pgm_reply_error(reply, 404, "not_found", "\"%s\" is not silenced", id);
	else
		pgm_reply_data(reply, json_pack("{s:s}", "id", id));
}

static const struct pgm_param list_params[] = {
	{"database", PGM_IN_QUERY, PGM_PARAM_TEXT, false, "only of this one", 0, 0, NULL},
	{0},
};

static const struct pgm_param silence_params[] = {
	{"database", PGM_IN_QUERY, PGM_PARAM_TEXT, false, "only of this one; else of each", 0, 0, NULL},
	{"minutes", PGM_IN_BODY, PGM_PARAM_INT, false, "for how long; 60", 1, MINUTES_MAX, NULL},
	{"until", PGM_IN_BODY, PGM_PARAM_TIME, false, "until when, in the place of minutes", 0, 0, NULL},
	{"why", PGM_IN_BODY, PGM_PARAM_TEXT, true, "for those who wonder", 0, 500, NULL},
	{0},
};

const struct pgm_route pgm_api_alert_routes[] = {
	{PGM_GET, "/api/v1/alerts", PGM_ROLE_VIEWER, get_alerts,
	 "what fires, the rules, silences and receivers", list_params, 0, "alerts"},
	{PGM_POST, "/api/v1/alerts/{id}/silence", PGM_ROLE_OPERATOR, post_silence,
	 "send no messages of an alert, a rule or all (*) for a time", silence_params, 0, "alerts"},
	{PGM_DELETE, "/api/v1/alerts/{id}/silence", PGM_ROLE_OPERATOR, delete_silence, "end a silence",
	 list_params, 0, "alerts"},
	{0},
};
