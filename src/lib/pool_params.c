/* What libpq is given to connect with: conninfo, and the settings of the options. */
#include "lib/error.h"
#include "lib/pool.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* "-c name=value " with what the server's splitter wants escaped; returns the length, writes where into is.
 */
static size_t add_setting(char *into, const char *name, const char *value)
{
	size_t length = 0;
	const char *parts[] = {"-c ", name, "=", value, " "};
	for (size_t i = 0; i < sizeof(parts) / sizeof(*parts); i++)
		for (const char *at = parts[i]; *at; at++) {
			if (i == 3 && strchr(" \t\n\r\f\v\\", *at)) {
				if (into)
					into[length] = '\\';
				length++;
			}
			if (into)
				into[length] = *at;
			length++;
		}
	return length;
}

static bool setting_name_is_one(const char *name)
{
	size_t length = strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.");
	return length > 0 && !name[length] && !strchr("0123456789.", name[0]);
}

struct setting {
	const char *name, *value;
	char number[24];
};

/* The settings that have fields of their own. Returns how many are set. */
static size_t own_settings(const struct pgmend_pool_options *options, struct setting *settings)
{
	const struct {
		const char *name;
		int64_t ms;
	} times[] = {{"statement_timeout", options->statement_timeout_ms},
		     {"lock_timeout", options->lock_timeout_ms},
		     {"idle_in_transaction_session_timeout", options->idle_in_transaction_timeout_ms}};
	size_t count = 0;
	for (size_t i = 0; i < sizeof(times) / sizeof(*times); i++) {
		if (!times[i].ms)
			continue;
		struct setting *setting = &settings[count++];
		snprintf(setting->number, sizeof(setting->number), "%lld",
			 (long long)(times[i].ms < 0 ? 0 : times[i].ms));
		setting->name = times[i].name;
		setting->value = setting->number;
	}
	if (options->isolation) {
		settings[count].name = "default_transaction_isolation";
		settings[count++].value = pgm_libpool_isolations[options->isolation];
	}
	if (options->read_only) {
		settings[count].name = "default_transaction_read_only";
		settings[count++].value = "on";
	}
	return count;
}

/*
 * The startup parameter "options": what conninfo or PGOPTIONS says, then our settings. They are defaults of
 * the session like this, which RESET ALL and DISCARD ALL go back to. *text is NULL where there is nothing to
 * say.
 */
static bool make_options(const struct pgmend_pool_options *options, const char *given, char **text,
			 struct pgmend_error *err)
{
	*text = NULL;
	struct setting own[8];
	size_t own_count = own_settings(options, own), length = given ? strlen(given) + 1 : 0;
	for (const char *const *at = options->settings; at && at[0]; at += 2) {
		if (!at[1])
			return pgm_lib_error_set(err, PGMEND_ERR_USAGE, "setting \"%s\" has no value", at[0]);
		if (!setting_name_is_one(at[0]))
			return pgm_lib_error_set(err, PGMEND_ERR_USAGE, "\"%s\" is no name of a setting",
						 at[0]);
		length += add_setting(NULL, at[0], at[1]);
	}
	for (size_t i = 0; i < own_count; i++)
		length += add_setting(NULL, own[i].name, own[i].value);
	if (!length)
		return true;
	char *at = *text = malloc(length + 1);
	if (!at)
		return pgm_lib_error_memory(err);
	if (given) {
		memcpy(at, given, strlen(given));
		at += strlen(given);
		*at++ = ' ';
	}
	for (size_t i = 0; i < own_count; i++)
		at += add_setting(at, own[i].name, own[i].value);
	for (const char *const *more = options->settings; more && more[0]; more += 2)
		at += add_setting(at, more[0], more[1]);
	*at = '\0';
	return true;
}

/* libpq's word on a connection string may repeat a part of it, hence of a password: what it quotes is cut
 * out. */
static bool conninfo_error(struct pgmend_error *err, const char *text)
{
	char shown[256];
	size_t length = 0;
	bool quoted = false;
	/* From the first quote to the last one: a password may have quotes in it. */
	const char *first = text ? strchr(text, '"') : NULL, *last = text ? strrchr(text, '"') : NULL;
	for (const char *at = text; at && *at && *at != '\n' && length < sizeof(shown) - 5; at++) {
		if (first && at >= first && at <= last) {
			if (!quoted)
				length += (size_t)snprintf(shown + length, sizeof(shown) - length, "...");
			quoted = true;
			continue;
		}
		shown[length++] = *at;
	}
	shown[length] = '\0';
	return pgm_lib_error_set(err, PGMEND_ERR_USAGE, "conninfo can't be read: %s",
				 length ? shown : "no reason given");
}

static bool set_param(struct pgmend_pool *pool, size_t *count, const char *keyword, const char *value)
{
	size_t at = 0;
	while (at < *count && strcmp(pool->keywords[at], keyword) != 0)
		at++;
	char *copy = strdup(value);
	if (!copy)
		return false;
	if (at < *count) {
		free(pool->values[at]);
		pool->values[at] = copy;
		return true;
	}
	pool->keywords[at] = strdup(keyword);
	pool->values[at] = copy;
	if (!pool->keywords[at]) {
		free(copy);
		pool->values[at] = NULL;
		return false;
	}
	++*count;
	return true;
}

static const char *param(const struct pgmend_pool *pool, const char *keyword)
{
	for (size_t i = 0; pool->keywords[i]; i++)
		if (strcmp(pool->keywords[i], keyword) == 0)
			return pool->values[i];
	return NULL;
}

#define OWN_PARAMS 4 /* application_name, client_encoding, options; and the NULL at the end */

static bool fill_params(struct pgmend_pool *pool, const PQconninfoOption *given, struct pgmend_error *err)
{
	size_t given_count = 0, count = 0;
	while (given[given_count].keyword)
		given_count++;
	pool->keywords = calloc(given_count + OWN_PARAMS, sizeof(*pool->keywords));
	pool->values = calloc(given_count + OWN_PARAMS, sizeof(*pool->values));
	if (!pool->keywords || !pool->values)
		return pgm_lib_error_memory(err);
	for (size_t i = 0; i < given_count; i++)
		if (given[i].val && !set_param(pool, &count, given[i].keyword, given[i].val))
			return pgm_lib_error_memory(err);
	const struct pgmend_pool_options *options = &pool->options;
	if (options->application_name &&
	    !set_param(pool, &count, "application_name", options->application_name))
		return pgm_lib_error_memory(err);
	if (!param(pool, "client_encoding") && !set_param(pool, &count, "client_encoding", "UTF8"))
		return pgm_lib_error_memory(err);
	char *startup;
	const char *before = param(pool, "options");
	if (!make_options(options, before ? before : getenv("PGOPTIONS"), &startup, err))
		return false;
	bool ok = !startup || set_param(pool, &count, "options", startup);
	free(startup);
	return ok || pgm_lib_error_memory(err);
}

bool pgm_libpool_params_make(struct pgmend_pool *pool, struct pgmend_error *err)
{
	char *message = NULL;
	PQconninfoOption *given =
		PQconninfoParse(pool->options.conninfo ? pool->options.conninfo : "", &message);
	if (!given) {
		bool memory = !message;
		if (!memory)
			conninfo_error(err, message);
		PQfreemem(message);
		return memory ? pgm_lib_error_memory(err) : false;
	}
	bool ok = fill_params(pool, given, err);
	PQconninfoFree(given);
	return ok;
}

void pgm_libpool_params_free(struct pgmend_pool *pool)
{
	for (size_t i = 0; pool->keywords && pool->keywords[i]; i++) {
		free(pool->keywords[i]);
		if (pool->values[i])
			explicit_bzero(pool->values[i],
				       strlen(pool->values[i])); /* one may be the password */
		free(pool->values[i]);
	}
	free(pool->keywords);
	free(pool->values);
}
