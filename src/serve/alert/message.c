/* What receivers are sent, and what the log says. */
#include "serve/alert/parts.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define RENEWED_FOR_MS 1800000 /* an Alertmanager resolves by itself what it has not heard of for so long */

static void iso(int64_t ms, char stamp[static 32])
{
	time_t seconds = (time_t)(ms / 1000);
	struct tm utc;
	size_t length = strftime(stamp, 32, "%Y-%m-%dT%H:%M:%S", gmtime_r(&seconds, &utc));
	snprintf(stamp + length, 32 - length, ".%03dZ", (int)(ms % 1000));
}

static char *format(const char *pattern, ...) __attribute__((format(printf, 1, 2)));
static char *format(const char *pattern, ...)
{
	va_list args;
	char *text = NULL;
	va_start(args, pattern);
	if (vasprintf(&text, pattern, args) < 0)
		abort();
	va_end(args);
	return text;
}

char *pgm_alert_key(const struct pgm_alert_event *event)
{
	return format("%s/%s@%lld:%s", event->target, event->id, (long long)event->fired_ms,
		      event->resolved ? "resolved" : "firing");
}

char *pgm_alert_line(const struct pgm_alert_event *event)
{
	return format("alert %s: %s: %s: %s (%s%s)", event->resolved ? "resolved" : "firing",
		      pgm_alert_severity_name(event->severity), event->target, event->summary,
		      event->rule->id, !event->resolved && !event->notified ? ", silenced" : "");
}

static json_t *generic(const struct pgm_alert_event *event)
{
	char fired[32], at[32], *key = pgm_alert_key(event);
	iso(event->fired_ms, fired);
	iso(event->at_ms, at);
	json_t *json = json_pack("{s:i, s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:f, s:f, s:s, s:s, s:s, s:s}",
				 "version", 1, "key", key, "status", event->resolved ? "resolved" : "firing",
				 "alert", event->id, "rule", event->rule->id, "severity",
				 pgm_alert_severity_name(event->severity), "target", event->target, "what",
				 event->what, "value", event->value, "threshold", event->threshold, "summary",
				 event->summary, "advice", event->rule->advice, "fired_at", fired, "at", at);
	free(key);
	return json;
}

/* Slack's own marks: &, < and >. */
static char *slack_text(const char *text)
{
	PGM_AUTO_ARENA arena = pgm_arena_new(0);
	struct pgm_buf buf;
	pgm_buf_init(&buf, arena);
	pgm_buf_add(&buf, "");
	for (; *text; text++)
		if (*text == '&')
			pgm_buf_add(&buf, "&amp;");
		else if (*text == '<')
			pgm_buf_add(&buf, "&lt;");
		else if (*text == '>')
			pgm_buf_add(&buf, "&gt;");
		else
			pgm_buf_char(&buf, *text);
	return pgm_alert_copy(buf.text);
}

static json_t *slack(const struct pgm_alert_event *event)
{
	char *target = slack_text(event->target), *summary = slack_text(event->summary);
	char *advice = slack_text(event->rule->advice);
	char *text = event->resolved
			     ? format("*resolved* %s: %s (`%s`)", target, summary, event->rule->id)
			     : format("*%s* %s: %s (`%s`)\n%s", pgm_alert_severity_name(event->severity),
				      target, summary, event->rule->id, advice);
	json_t *json = json_pack("{s:s}", "text", text);
	free(target);
	free(summary);
	free(advice);
	free(text);
	return json;
}

static json_t *alertmanager(const struct pgm_alert_event *event)
{
	char fired[32], ends[32];
	iso(event->fired_ms, fired);
	iso(event->resolved ? event->at_ms : event->at_ms + RENEWED_FOR_MS, ends);
	return json_pack("[{s:{s:s, s:s, s:s, s:s, s:s}, s:{s:s, s:s}, s:s, s:s}]", "labels", "alertname",
			 event->rule->id, "severity", pgm_alert_severity_name(event->severity), "target",
			 event->target, "what", event->what, "source", "pgmend", "annotations", "summary",
			 event->summary, "description", event->rule->advice, "startsAt", fired, "endsAt",
			 ends);
}

char *pgm_alert_message(enum pgm_alert_form form, const struct pgm_alert_event *event)
{
	json_t *json = form == PGM_ALERT_SLACK		? slack(event)
		       : form == PGM_ALERT_ALERTMANAGER ? alertmanager(event)
							: generic(event);
	char *text = json ? json_dumps(json, JSON_COMPACT) : NULL;
	json_decref(json);
	/* a name of the database that is not UTF-8 */
	return text ? text : pgm_alert_copy(form == PGM_ALERT_ALERTMANAGER ? "[]" : "{}");
}
