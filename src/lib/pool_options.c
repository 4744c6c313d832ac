/* The options of a pool: from the environment, checked, with defaults. */
#include "lib/error.h"
#include "lib/options.h"
#include "lib/pool.h"
#include "util/format.h"

#include <ctype.h>
#include <errno.h>
#include <limits.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#define SIZE_MAX_CONNECTIONS 100000 /* of each limit: what is above is a mistake */

enum kind { COUNT, TIME, ISOLATION, BOOL };

struct variable {
	const char *name;
	enum kind kind;
	size_t offset;
};

#define FIELD(name, kind, field)                                        \
	{                                                               \
		name, kind, offsetof(struct pgmend_pool_options, field) \
	}

static const struct variable variables[] = {
	FIELD("PGMEND_POOL_MIN", COUNT, min_size),
	FIELD("PGMEND_POOL_MAX", COUNT, max_size),
	FIELD("PGMEND_POOL_OVERFLOW", COUNT, max_overflow),
	FIELD("PGMEND_POOL_PER_CORE", COUNT, connections_per_core),
	FIELD("PGMEND_POOL_MAX_WAITING", COUNT, max_waiting),
	FIELD("PGMEND_POOL_TIMEOUT", TIME, acquire_timeout_ms),
	FIELD("PGMEND_POOL_CONNECT_TIMEOUT", TIME, connect_timeout_ms),
	FIELD("PGMEND_POOL_RECYCLE", TIME, recycle_ms),
	FIELD("PGMEND_POOL_IDLE_TIMEOUT", TIME, idle_timeout_ms),
	FIELD("PGMEND_POOL_PRE_PING", TIME, pre_ping_after_ms),
	FIELD("PGMEND_POOL_HEALTH", TIME, health_interval_ms),
	FIELD("PGMEND_POOL_SLOW", TIME, slow_ms),
	FIELD("PGMEND_POOL_STATEMENT_TIMEOUT", TIME, statement_timeout_ms),
	FIELD("PGMEND_POOL_LOCK_TIMEOUT", TIME, lock_timeout_ms),
	FIELD("PGMEND_POOL_IDLE_IN_TRANSACTION_TIMEOUT", TIME, idle_in_transaction_timeout_ms),
	FIELD("PGMEND_POOL_ISOLATION", ISOLATION, isolation),
	FIELD("PGMEND_POOL_READ_ONLY", BOOL, read_only),
};

const char *const pgm_libpool_isolations[] = {"default", "read committed", "repeatable read", "serializable"};

static bool parse_whole(const char *text, int64_t most, int64_t *value)
{
	if (!text[0] || text[strspn(text, "0123456789")])
		return false;
	errno = 0;
	long long parsed = strtoll(text, NULL, 10);
	*value = parsed;
	return errno == 0 && parsed <= most;
}

/* "250ms", "30s", "off"; a bare number is milliseconds. */
static bool parse_time(const char *text, int64_t *ms)
{
	if (strcasecmp(text, "off") == 0 || strcmp(text, "-1") == 0) {
		*ms = -1;
		return true;
	}
	if (parse_whole(text, INT64_MAX, ms))
		return true;
	/* "1.5" would be seconds there. */
	size_t length = strlen(text);
	return length && isalpha((unsigned char)text[length - 1]) && pgm_parse_duration_ms(text, ms, NULL);
}

static bool parse_isolation(const char *text, int *level)
{
	for (int i = 0; i <= PGMEND_SERIALIZABLE; i++)
		if (strcasecmp(text, pgm_libpool_isolations[i]) == 0) {
			*level = i;
			return true;
		}
	return false;
}

static bool parse_bool(const char *text, bool *on)
{
	static const char *const yes[] = {"on", "true", "yes", "1"}, *const no[] = {"off", "false", "no",
										    "0"};
	for (size_t i = 0; i < sizeof(yes) / sizeof(*yes); i++)
		if (strcasecmp(text, yes[i]) == 0 || strcasecmp(text, no[i]) == 0) {
			*on = strcasecmp(text, yes[i]) == 0;
			return true;
		}
	return false;
}

static bool set_variable(struct pgmend_pool_options *options, const struct variable *variable,
			 const char *text, struct pgmend_error *err)
{
	void *field = (char *)options + variable->offset;
	int64_t count;
	switch (variable->kind) {
	case COUNT:
		if (!parse_whole(text, SIZE_MAX_CONNECTIONS, &count))
			break;
		*(int *)field = (int)count;
		return true;
	case TIME:
		if (!parse_time(text, field))
			break;
		return true;
	case ISOLATION:
		if (!parse_isolation(text, field))
			break;
		return true;
	case BOOL:
		if (!parse_bool(text, field))
			break;
		return true;
	}
	static const char *const wanted[] = {"a number from 0 to 100000", "a time: 250ms, 30s, 5min or off",
					     "default, read committed, repeatable read or serializable",
					     "on or off"};
	pgm_lib_error_set(err, PGMEND_ERR_USAGE, "environment variable %s is \"%.100s\"", variable->name,
			  text);
	return pgm_lib_error_hint(err, "Set it to %s, or unset it.", wanted[variable->kind]);
}

bool pgmend_pool_options_from_env(struct pgmend_pool_options *options, struct pgmend_error *err)
{
	pgm_lib_error_clear(err);
	struct pgmend_pool_options changed;
	if (!options)
		return pgm_lib_error_set(err, PGMEND_ERR_USAGE, "there are no options to fill");
	if (!pgm_lib_options_copy(&changed, sizeof(changed), options, err))
		return false;
	for (size_t i = 0; i < sizeof(variables) / sizeof(*variables); i++) {
		const char *text = getenv(variables[i].name);
		if (text && text[0] && !set_variable(&changed, &variables[i], text, err))
			return false;
	}
	pgm_lib_result_copy(options, &changed, sizeof(changed));
	return true;
}

/* The cores that this process may use. */
static int core_count(void)
{
	cpu_set_t set;
	if (sched_getaffinity(0, sizeof(set), &set) == 0 && CPU_COUNT(&set) > 0)
		return CPU_COUNT(&set);
	long online = sysconf(_SC_NPROCESSORS_ONLN);
	return online > 0 && online < INT_MAX / 1000 ? (int)online : 1;
}

static bool check_limit(const char *name, int value, struct pgmend_error *err)
{
	if (value >= 0 && value <= SIZE_MAX_CONNECTIONS)
		return true;
	return pgm_lib_error_set(err, PGMEND_ERR_USAGE, "%s is %d: it must be from 0 to %d", name, value,
				 SIZE_MAX_CONNECTIONS);
}

static bool check_sizes(struct pgmend_pool_options *options, struct pgmend_error *err)
{
	if (!check_limit("min_size", options->min_size, err) ||
	    !check_limit("max_size", options->max_size, err) ||
	    !check_limit("max_overflow", options->max_overflow, err) ||
	    !check_limit("connections_per_core", options->connections_per_core, err) ||
	    !check_limit("max_waiting", options->max_waiting, err))
		return false;
	if (!options->max_size) {
		int64_t size = (int64_t)core_count() *
				       (options->connections_per_core ? options->connections_per_core : 2) +
			       1;
		if (size < options->min_size)
			size = options->min_size;
		options->max_size = size < SIZE_MAX_CONNECTIONS ? (int)size : SIZE_MAX_CONNECTIONS;
	}
	if (options->min_size > options->max_size)
		return pgm_lib_error_set(err, PGMEND_ERR_USAGE, "min_size is %d, and max_size %d",
					 options->min_size, options->max_size);
	return true;
}

static void default_ms(int64_t *ms, int64_t value)
{
	if (*ms == 0)
		*ms = value;
}

bool pgm_libpool_options_check(struct pgmend_pool_options *options, struct pgmend_error *err)
{
	if (!check_sizes(options, err))
		return false;
	if (options->isolation < PGMEND_ISOLATION_DEFAULT || options->isolation > PGMEND_SERIALIZABLE)
		return pgm_lib_error_set(err, PGMEND_ERR_USAGE,
					 "isolation %d is none of enum pgmend_isolation", options->isolation);
	if (options->reset < PGMEND_RESET_ALWAYS || options->reset > PGMEND_RESET_NEVER)
		return pgm_lib_error_set(err, PGMEND_ERR_USAGE, "reset %d is none of enum pgmend_reset",
					 options->reset);
	default_ms(&options->acquire_timeout_ms, 30000);
	default_ms(&options->connect_timeout_ms, 10000);
	default_ms(&options->recycle_ms, 1800000);
	default_ms(&options->idle_timeout_ms, 600000);
	default_ms(&options->pre_ping_after_ms, 1000);
	default_ms(&options->health_interval_ms, 30000);
	return true;
}
