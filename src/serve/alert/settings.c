/* The lines of [alerts]. */
#include "serve/alert/parts.h"
#include "util/file.h"
#include "util/format.h"
#include "util/hash.h"

#include <ctype.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define SECRET_FILE_MAX ((size_t)64 << 10)
#define URL_MAX		2000

const char *pgm_alert_form_name(enum pgm_alert_form form)
{
	static const char *const names[] = {"webhook", "slack", "alertmanager"};
	return names[form];
}

void pgm_alert_settings_init(struct pgm_alert_settings *settings, struct pgm_arena *arena)
{
	*settings = (struct pgm_alert_settings){.arena = arena, .send_from = PGM_ALERT_WARNING};
	for (size_t i = 0; i < pgm_alert_rule_count && i < PGM_ALERT_RULES_MAX; i++)
		settings->rules[i] = (struct pgm_alert_rule_settings){
			.severity = pgm_alert_rules[i].severity,
			.fire = pgm_alert_rules[i].fire,
			.resolve = pgm_alert_rules[i].resolve,
			.for_s = pgm_alert_rules[i].for_s,
			.settle_s = pgm_alert_rules[i].settle_s,
		};
}

static bool bad_value(const char *key, const char *value, const char *example, struct pgm_error *err)
{
	pgm_error_set(err, PGM_ERR_INPUT, "%s cannot be \"%s\"", key, value);
	return pgm_error_hint(err, "Write it like %s.", example);
}

/* "@FILE": the first line of that file. */
static bool read_secret(struct pgm_arena *arena, const char *value, char **secret, struct pgm_error *err)
{
	*secret = pgm_strdup(arena, value);
	if (value[0] == '@' && !pgm_file_read(arena, value + 1, SECRET_FILE_MAX, secret, err)) {
		err->kind = PGM_ERR_INPUT;
		return false;
	}
	(*secret)[strcspn(*secret, "\r\n")] = '\0';
	return true;
}

/* Scheme and host: what may be shown of an address. */
static char *shown_address(struct pgm_arena *arena, const char *url)
{
	const char *host = strstr(url, "://") + 3;
	size_t length = strcspn(host, "/?#");
	for (size_t i = 0; i < length; i++)
		if (host[i] == '@') {
			host += i + 1;
			length -= i + 1;
			i = 0;
		}
	return pgm_sprintf(arena, "%s://%.*s", strncasecmp(url, "https", 5) == 0 ? "https" : "http",
			   (int)length, host);
}

static bool add_receiver(struct pgm_alert_settings *settings, enum pgm_alert_form form, const char *value,
			 struct pgm_error *err)
{
	char *url;
	if (!read_secret(settings->arena, value, &url, err))
		return false;
	bool fine = strncasecmp(url, "http://", 7) == 0 || strncasecmp(url, "https://", 8) == 0;
	for (const char *c = url; *c; c++)
		fine &= (unsigned char)*c > ' ' && *c != 127;
	/* the value may be a secret that was mistyped: it is not repeated */
	if (!fine || strlen(url) > URL_MAX) {
		pgm_error_set(err, PGM_ERR_INPUT, "%s is no http:// or https:// address",
			      pgm_alert_form_name(form));
		return pgm_error_hint(
			err, "Write it like https://hooks.example.com/abc, or @FILE for a file that has it.");
	}
	if (settings->receiver_count == PGM_ALERT_RECEIVERS_MAX) {
		pgm_error_set(err, PGM_ERR_INPUT, "there are more than %d receivers",
			      PGM_ALERT_RECEIVERS_MAX);
		return pgm_error_hint(err, "One Alertmanager can tell many.");
	}
	struct pgm_alert_receiver_settings *receiver = &settings->receivers[settings->receiver_count++];
	receiver->form = form;
	receiver->address = shown_address(settings->arena, url);
	snprintf(receiver->key, sizeof(receiver->key), "%s-%08x", pgm_alert_form_name(form),
		 (unsigned)pgm_hash_string(url));
	size_t length = strlen(url);
	while (form == PGM_ALERT_ALERTMANAGER && length && url[length - 1] == '/')
		url[--length] = '\0';
	bool whole = length > 14 && strcmp(url + length - 14, "/api/v2/alerts") == 0;
	receiver->url = form == PGM_ALERT_ALERTMANAGER && !whole
				? pgm_sprintf(settings->arena, "%s/api/v2/alerts", url)
				: url;
	return true;
}

static bool parse_severity(const char *key, const char *value, enum pgm_alert_severity *severity,
			   struct pgm_error *err)
{
	for (int i = PGM_ALERT_INFO; i <= PGM_ALERT_CRITICAL; i++)
		if (strcasecmp(value, pgm_alert_severity_name((enum pgm_alert_severity)i)) == 0) {
			*severity = (enum pgm_alert_severity)i;
			return true;
		}
	return bad_value(key, value, "info, warning or critical", err);
}

static bool parse_number(const char *key, const char *value, const char *example, double *number,
			 struct pgm_error *err)
{
	char *end;
	*number = strtod(value, &end);
	if (end == value || *end || !isfinite(*number) || *number < 0)
		return bad_value(key, value, example, err);
	return true;
}

/* In the rule's unit. */
static bool parse_threshold(const struct pgm_alert_rule *rule, const char *key, const char *value,
			    double *number, struct pgm_error *err)
{
	int64_t whole;
	struct pgm_error ignored;
	size_t length = strlen(value);
	switch (rule->unit) {
	case PGM_ALERT_SECONDS:
		if (!pgm_parse_duration_ms(value, &whole, &ignored))
			return bad_value(key, value, "30s or 5min", err);
		*number = (double)whole / 1e3;
		return true;
	case PGM_ALERT_DAYS:
		if (!pgm_parse_duration_ms(value, &whole, &ignored))
			return bad_value(key, value, "14d", err);
		*number = (double)whole / 86400e3;
		return true;
	case PGM_ALERT_BYTES:
		if (!pgm_parse_bytes(value, &whole, &ignored))
			return bad_value(key, value, "500MB or 2GB", err);
		*number = (double)whole;
		return true;
	case PGM_ALERT_RATIO:
		if (length > 1 && length < 20 && value[length - 1] == '%') {
			char text[20];
			memcpy(text, value, length - 1);
			text[length - 1] = '\0';
			if (!parse_number(key, text, "95% or 0.95", number, err))
				return false;
			*number /= 100;
		} else if (!parse_number(key, value, "95% or 0.95", number, err)) {
			return false;
		}
		return *number <= 1 || bad_value(key, value, "95% or 0.95", err);
	case PGM_ALERT_NUMBER:
	case PGM_ALERT_PER_MINUTE:
	case PGM_ALERT_TRANSACTIONS:
		break;
	}
	return parse_number(key, value, "10", number, err);
}

static bool set_threshold(struct pgm_alert_rule_settings *to, const struct pgm_alert_rule *rule, double fire)
{
	/* the same distance between firing and resolving, in proportion */
	to->resolve = rule->fire > 0 ? fire * (rule->resolve / rule->fire) : fire;
	/* of a share that must be high, in proportion to what is missing: beyond the whole there is nothing
	 */
	if (rule->unit == PGM_ALERT_RATIO && rule->below && rule->fire < 1)
		to->resolve = 1 - (1 - fire) * (1 - rule->resolve) / (1 - rule->fire);
	to->fire = fire;
	return true;
}

static bool rule_line(struct pgm_alert_settings *settings, const struct pgm_alert_rule *rule,
		      const char *part, const char *key, const char *value, struct pgm_error *err)
{
	struct pgm_alert_rule_settings *to = &settings->rules[rule - pgm_alert_rules];
	double number;
	if (!part) {
		bool on = strcasecmp(value, "on") == 0 || strcmp(value, "1") == 0;
		if (!on && strcasecmp(value, "off") != 0 && strcmp(value, "0") != 0)
			return bad_value(key, value, "on or off", err);
		to->off = !on;
		return true;
	}
	if (strcmp(part, "severity") == 0)
		return parse_severity(key, value, &to->severity, err);
	if (strcmp(part, "threshold") == 0)
		return parse_threshold(rule, key, value, &number, err) && set_threshold(to, rule, number);
	if (strcmp(part, "resolve") == 0) {
		if (!parse_threshold(rule, key, value, &number, err))
			return false;
		if (rule->below ? number < to->fire : number > to->fire) {
			pgm_error_set(err, PGM_ERR_INPUT, "%s is on the wrong side of the threshold", key);
			return pgm_error_hint(
				err, "An alert resolves where its value is better than what fires it; "
				     "write the threshold first.");
		}
		to->resolve = number;
		return true;
	}
	if (strcmp(part, "for") == 0 || strcmp(part, "settle") == 0) {
		int64_t ms;
		struct pgm_error ignored;
		if (!pgm_parse_duration_ms(value, &ms, &ignored) || ms > 30 * INT64_C(86400000))
			return bad_value(key, value, "30s or 5min", err);
		*(part[0] == 'f' ? &to->for_s : &to->settle_s) = (int)(ms / 1000);
		return true;
	}
	pgm_error_set(err, PGM_ERR_INPUT, "a rule has no setting \"%s\"", part);
	return pgm_error_hint(err, "It has .threshold, .resolve, .for, .settle and .severity.");
}

static bool leave_line(struct pgm_alert_settings *settings, const char *value, struct pgm_error *err)
{
	char *words = pgm_strdup(settings->arena, value), *rest = NULL;
	for (char *word = strtok_r(words, ", \t", &rest); word; word = strtok_r(NULL, ", \t", &rest)) {
		const struct pgm_alert_rule *rule = pgm_alert_rule_find(word);
		if (!rule)
			return bad_value("exit_on", word, "database_down; docs/alerts.md has the rules", err);
		settings->rules[rule - pgm_alert_rules].leave = true;
	}
	return true;
}

static bool disk_line(struct pgm_alert_settings *settings, const char *target, const char *key,
		      const char *value, struct pgm_error *err)
{
	int64_t bytes;
	struct pgm_error ignored;
	if (!pgm_parse_bytes(value, &bytes, &ignored) || bytes == 0)
		return bad_value(key, value, "500GB", err);
	if (settings->disk_count == PGM_ALERT_TARGETS_MAX)
		return pgm_error_set(err, PGM_ERR_INPUT, "there are more than %d lines of disk_size",
				     PGM_ALERT_TARGETS_MAX);
	settings->disks[settings->disk_count++] = (struct pgm_alert_disk){
		target ? pgm_strdup(settings->arena, target) : NULL,
		(double)bytes,
	};
	return true;
}

static bool header_line(struct pgm_alert_settings *settings, const char *value, struct pgm_error *err)
{
	if (!read_secret(settings->arena, value, &settings->header, err))
		return false;
	const char *colon = strchr(settings->header, ':');
	bool fine = colon && colon > settings->header;
	for (const char *c = settings->header; fine && c < colon; c++)
		fine = isalnum((unsigned char)*c) || *c == '-';
	if (fine)
		return true;
	pgm_error_set(err, PGM_ERR_INPUT, "webhook_header is no header of HTTP");
	return pgm_error_hint(err,
			      "Write it like Authorization: Bearer abc, or @FILE for a file that has it.");
}

bool pgm_alert_settings_line(struct pgm_alert_settings *settings, const char *key, const char *value,
			     struct pgm_error *err)
{
	for (int form = PGM_ALERT_JSON; form <= PGM_ALERT_ALERTMANAGER; form++)
		if (strcmp(key, pgm_alert_form_name((enum pgm_alert_form)form)) == 0)
			return add_receiver(settings, (enum pgm_alert_form)form, value, err);
	if (strcmp(key, "webhook_header") == 0)
		return header_line(settings, value, err);
	if (strcmp(key, "send_from") == 0)
		return parse_severity(key, value, &settings->send_from, err);
	if (strcmp(key, "exit_on") == 0)
		return leave_line(settings, value, err);
	if (strcmp(key, "disk_size") == 0 || strncmp(key, "disk_size.", 10) == 0)
		return disk_line(settings, key[9] ? key + 10 : NULL, key, value, err);
	const char *dot = strchr(key, '.');
	char *name = pgm_strndup(settings->arena, key, dot ? (size_t)(dot - key) : strlen(key));
	const struct pgm_alert_rule *rule = pgm_alert_rule_find(name);
	if (rule)
		return rule_line(settings, rule, dot ? dot + 1 : NULL, key, value, err);
	pgm_error_set(err, PGM_ERR_INPUT, "[alerts] has no setting \"%s\"", key);
	return pgm_error_hint(
		err, "It has webhook, slack, alertmanager, webhook_header, send_from, exit_on, disk_size and "
		     "the rules of docs/alerts.md.");
}

bool pgm_alert_settings_read(struct pgm_alert_settings *settings, const struct pgm_serve_line *lines,
			     size_t count, struct pgm_error *err)
{
	pgm_alert_settings_init(settings, pgm_arena_new(0));
	for (size_t i = 0; i < count; i++)
		if (!pgm_alert_settings_line(settings, lines[i].key, lines[i].value, err))
			return pgm_error_context(err, "%s line %d",
						 lines[i].file ? lines[i].file : "[alerts]", lines[i].line);
	return true;
}

double pgm_alert_settings_disk(const struct pgm_alert_settings *settings, const char *target)
{
	double bytes = NAN;
	for (size_t i = 0; i < settings->disk_count; i++) {
		const struct pgm_alert_disk *disk = &settings->disks[i];
		if (disk->target && strcmp(disk->target, target) == 0)
			return disk->bytes;
		if (!disk->target)
			bytes = disk->bytes;
	}
	return bytes;
}

bool pgm_alert_check(const char *key, const char *value, struct pgm_error *err)
{
	PGM_AUTO_ARENA arena = pgm_arena_new(0);
	struct pgm_alert_settings *settings = PGM_NEW(arena, struct pgm_alert_settings);
	pgm_alert_settings_init(settings, arena);
	return pgm_alert_settings_line(settings, key, value, err);
}
