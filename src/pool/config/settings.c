#include "pool/config/settings.h"

#include "util/format.h"
#include "util/nearest.h"
#include "util/vec.h"

#include <assert.h>
#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define SECONDS_MAX 1e9 /* some thirty years: fits in milliseconds and in any timer */
#define SHOWN_MAX   100 /* bytes of a wrong value in a message */

bool pgm_setting_int(const char *value, int64_t min, int64_t max, int64_t *number, struct pgm_error *err)
{
	char *end;
	errno = 0;
	long long parsed = strtoll(value, &end, 0);
	if (end == value || *end) {
		pgm_error_set(err, PGM_ERR_INPUT,
			      *value ? "\"%.*s\" is no whole number" : "a whole number is missing%.*s",
			      SHOWN_MAX, value);
		if (end != value && isspace((unsigned char)*end))
			pgm_error_hint(err, "Write the number alone.");
		else if (end != value && (*end == ';' || *end == '#'))
			pgm_error_hint(err, "A comment must stand on a line of its own.");
		return false;
	}
	if (errno == ERANGE || parsed < min || parsed > max)
		return pgm_error_set(err, PGM_ERR_INPUT, "%.*s is out of range: it must be from %lld to %lld",
				     SHOWN_MAX, value, (long long)min, (long long)max);
	*number = parsed;
	return true;
}

/* strtod() takes the locale's decimal point, inf, nan and hexadecimals: none of them is meant here. */
static bool is_decimal(const char *value)
{
	size_t digits = strspn(value, "0123456789");
	size_t at = digits;
	if (value[at] == '.') {
		at++;
		size_t more = strspn(value + at, "0123456789");
		at += more;
		digits += more;
	}
	return digits > 0 && value[at] == '\0';
}

bool pgm_setting_seconds(const char *value, int64_t *ms, struct pgm_error *err)
{
	const char *sign = *value == '-' ? value + 1 : value;
	if (!is_decimal(sign)) {
		pgm_error_set(err, PGM_ERR_INPUT,
			      *value ? "\"%.*s\" is no number of seconds"
				     : "a number of seconds is missing%.*s",
			      SHOWN_MAX, value);
		return pgm_error_hint(err, "Write seconds as a number alone: 0.5 or 120.");
	}
	/* Not strtod(): its decimal point is the locale's. */
	double seconds = 0, scale = 1;
	const char *at = sign;
	for (; isdigit((unsigned char)*at); at++)
		seconds = seconds * 10 + (*at - '0');
	for (at += *at == '.'; isdigit((unsigned char)*at); at++)
		seconds += (*at - '0') * (scale /= 10);
	if (sign != value || seconds > SECONDS_MAX)
		return pgm_error_set(err, PGM_ERR_INPUT, "%.*s seconds are out of range: from 0 to %.0f",
				     SHOWN_MAX, value, SECONDS_MAX);
	/* Rounded up: 0 would switch off what is meant to be short. */
	*ms = (int64_t)ceil(seconds * 1000 - 1e-6);
	return true;
}

static bool parse_bool(const char *value, bool *result, struct pgm_error *err)
{
	static const char *const yes[] = {"on", "true", "yes"}, *const no[] = {"off", "false", "no"};
	for (size_t i = 0; i < 3; i++) {
		if (strcasecmp(value, yes[i]) == 0)
			return *result = true, true;
		if (strcasecmp(value, no[i]) == 0)
			return *result = false, true;
	}
	char *end;
	errno = 0;
	long long number = strtoll(value, &end, 0);
	/* PgBouncer takes any number and asks whether it is 0. */
	if (end == value || *end || errno || number < 0)
		return pgm_error_set(err, PGM_ERR_INPUT, "\"%.*s\" is neither 0 nor 1", SHOWN_MAX, value);
	*result = number != 0;
	return true;
}

static int find_name(const char *const *names, const char *value)
{
	for (int i = 0; !names[i] || *names[i]; i++)
		if (names[i] && strcasecmp(names[i], value) == 0)
			return i;
	return -1;
}

static bool parse_enum(const struct pgm_setting *setting, const char *value, int *result,
		       struct pgm_error *err)
{
	int found = find_name(setting->names, value);
	if (found >= 0) {
		*result = found;
		return true;
	}
	char list[256] = "";
	for (int i = 0; !setting->names[i] || *setting->names[i]; i++)
		if (setting->names[i])
			snprintf(list + strlen(list), sizeof(list) - strlen(list), "%s%s", *list ? ", " : "",
				 setting->names[i]);
	pgm_error_set(err, PGM_ERR_INPUT, "\"%.*s\" is no value of %s", SHOWN_MAX, value, setting->name);
	if (strcmp(setting->name, "auth_type") == 0 &&
	    (strcasecmp(value, "pam") == 0 || strcasecmp(value, "ldap") == 0))
		return pgm_error_hint(err, "PgBouncer's %s is not supported here; use one of: %s.", value,
				      list);
	return pgm_error_hint(err, "It is one of: %s.", list);
}

static bool parse_bytes(const struct pgm_setting *setting, const char *value, int64_t *result,
			struct pgm_error *err)
{
	if (!pgm_parse_bytes(value, result, err))
		return false;
	return (*result >= setting->min && *result <= setting->max) ||
	       pgm_error_set(err, PGM_ERR_INPUT, "%.*s is out of range: it must be from %lld to %lld bytes",
			     SHOWN_MAX, value, (long long)setting->min, (long long)setting->max);
}

bool pgm_setting_parse(const struct pgm_setting *setting, struct pgm_pool_config *config, const char *value,
		       struct pgm_error *err)
{
	return pgm_setting_parse_into(setting, config, config->arena, value, err);
}

bool pgm_setting_parse_into(const struct pgm_setting *setting, void *base, struct pgm_arena *arena,
			    const char *value, struct pgm_error *err)
{
	void *target = (char *)base + setting->offset;
	switch (setting->type) {
	case PGM_SETTING_BOOL:
		return parse_bool(value, target, err);
	case PGM_SETTING_INT:
		return pgm_setting_int(value, setting->min, setting->max, target, err);
	case PGM_SETTING_SECONDS:
		if ((setting->flags & PGM_SETTING_WHOLE) && strchr(value, '.'))
			return pgm_error_set(err, PGM_ERR_INPUT, "\"%.*s\" is no whole number of seconds",
					     SHOWN_MAX, value);
		return pgm_setting_seconds(value, target, err);
	case PGM_SETTING_ENUM:
		return parse_enum(setting, value, target, err);
	case PGM_SETTING_TEXT:
		/* Empty is a value of its own only where the default is not empty: server_check_query. */
		*(const char **)target = !*value && (!setting->standard || !*setting->standard)
						 ? NULL
						 : pgm_strdup(arena, value);
		return true;
	case PGM_SETTING_BYTES:
		return parse_bytes(setting, value, target, err);
	}
	return false;
}

static const char *show_seconds(int64_t ms, struct pgm_arena *arena)
{
	if (ms % 1000 == 0)
		return pgm_sprintf(arena, "%lld", (long long)(ms / 1000));
	char *text = pgm_sprintf(arena, "%lld.%03d", (long long)(ms / 1000), (int)(ms % 1000));
	for (size_t last = strlen(text) - 1; text[last] == '0'; last--)
		text[last] = '\0';
	return text;
}

const char *pgm_setting_show(const struct pgm_setting *setting, const struct pgm_pool_config *config,
			     struct pgm_arena *arena)
{
	return pgm_setting_show_of(setting, config, arena);
}

const char *pgm_setting_show_of(const struct pgm_setting *setting, const void *base, struct pgm_arena *arena)
{
	const void *source = (const char *)base + setting->offset;
	switch (setting->type) {
	case PGM_SETTING_BOOL:
		return *(const bool *)source ? "1" : "0";
	case PGM_SETTING_INT:
	case PGM_SETTING_BYTES:
		return pgm_sprintf(arena, "%lld", (long long)*(const int64_t *)source);
	case PGM_SETTING_SECONDS:
		return show_seconds(*(const int64_t *)source, arena);
	case PGM_SETTING_ENUM:
		return setting->names[*(const int *)source];
	case PGM_SETTING_TEXT:
		return *(const char *const *)source ? *(const char *const *)source
		       : setting->standard	    ? ""
						    : NULL;
	}
	return NULL;
}

const struct pgm_setting *pgm_setting_find_in(const struct pgm_setting *rows, size_t count, const char *name)
{
	for (size_t i = 0; i < count; i++)
		if (strcmp(rows[i].name, name) == 0)
			return &rows[i];
	return NULL;
}

const char *pgm_setting_nearest_in(const struct pgm_setting *rows, size_t count, const char *typed)
{
	const char *names[256];
	size_t named = 0;
	for (; named < count && named < 256; named++)
		names[named] = rows[named].name;
	return pgm_nearest(typed, names, named);
}

const struct pgm_setting *pgm_setting_named(const char *key, struct pgm_error *err)
{
	const struct pgm_setting *setting = pgm_setting_find(key);
	const char *nearest = setting ? NULL : pgm_setting_nearest(key);
	if (!setting)
		pgm_error_set(err, PGM_ERR_INPUT, "there is no setting \"%.100s\"", key);
	if (nearest)
		pgm_error_hint(err, "Did you mean \"%s\"?", nearest);
	return setting;
}

void pgm_setting_defaults(const struct pgm_setting *rows, size_t count, void *base, struct pgm_arena *arena)
{
	for (size_t i = 0; i < count; i++) {
		struct pgm_error err = {0};
		bool parsed = !rows[i].standard ||
			      pgm_setting_parse_into(&rows[i], base, arena, rows[i].standard, &err);
		assert(parsed);
		(void)parsed;
	}
}

const struct pgm_setting *pgm_setting_find(const char *name)
{
	if (strcmp(name, "service_name") == 0) /* PgBouncer's other name for it */
		name = "job_name";
	return pgm_setting_find_in(pgm_settings, pgm_setting_count, name);
}

const char *pgm_setting_nearest(const char *typed)
{
	return pgm_setting_nearest_in(pgm_settings, pgm_setting_count, typed);
}

int pgm_pool_mode_parse(const char *text)
{
	return find_name(pgm_setting_find("pool_mode")->names, text);
}

int pgm_sslmode_parse(const char *text)
{
	return find_name(pgm_setting_find("server_tls_sslmode")->names, text);
}

void pgm_pool_config_each(const struct pgm_pool_config *config, struct pgm_arena *scratch,
			  void (*each)(void *data, const char *key, const char *value, const char *standard,
				       bool changeable),
			  void *data)
{
	for (size_t i = 0; i < pgm_setting_count; i++) {
		const struct pgm_setting *setting = &pgm_settings[i];
		each(data, setting->name, pgm_setting_show(setting, config, scratch), setting->standard,
		     !(setting->flags & PGM_SETTING_FIXED));
	}
}
