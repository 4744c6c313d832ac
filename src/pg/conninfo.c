#include "pg/conninfo.h"

#include <libpq-fe.h>
#include <string.h>

/* No value of channel_binding, and easy to find in libpq's message. */
#define NO_CONNECTION "pgmend-does-not-connect"

/* libpq quotes a URI that it cannot read in full, password and all: keep what it says before the quote. */
static bool conninfo_error(const char *conninfo, char *message, struct pgm_error *err)
{
	char *quoted = message ? strstr(message, conninfo) : NULL;
	if (quoted) {
		while (quoted > message && strchr("\": ", quoted[-1]))
			quoted--;
		*quoted = '\0';
	}
	size_t length = message ? strlen(message) : 0;
	while (length && message[length - 1] == '\n')
		message[--length] = '\0';
	pgm_error_set(err, PGM_ERR_USAGE, "the connection string cannot be read: %s",
		      message ? message : "out of memory");
	return pgm_error_hint(err, "Write it as psql takes it: a database name, \"host=... dbname=...\" or "
				   "postgresql://user@host:port/database.");
}

static bool conninfo_is_string(const char *text)
{
	return strchr(text, '=') || strncmp(text, "postgresql://", 13) == 0 ||
	       strncmp(text, "postgres://", 11) == 0;
}

bool pgm_conninfo_check(const char *conninfo, struct pgm_error *err)
{
	if (!conninfo || !conninfo_is_string(conninfo))
		return true;
	char *message = NULL;
	PQconninfoOption *parsed = PQconninfoParse(conninfo, &message);
	if (!parsed) {
		conninfo_error(conninfo, message, err);
		PQfreemem(message);
		return false;
	}
	PQconninfoFree(parsed);
	return true;
}

static char *option_value(const PQconninfoOption *options, const char *keyword, struct pgm_arena *arena)
{
	for (; options && options->keyword; options++)
		if (strcmp(options->keyword, keyword) == 0)
			return options->val && *options->val ? pgm_strdup(arena, options->val) : NULL;
	return NULL;
}

static void take_options(PGconn *pq, const PQconninfoOption *options, struct pgm_arena *arena,
			 struct pgm_conninfo *info)
{
	*info = (struct pgm_conninfo){
		.host = option_value(options, "host", arena),
		.hostaddr = option_value(options, "hostaddr", arena),
		.port = option_value(options, "port", arena),
		.dbname = option_value(options, "dbname", arena),
		.user = option_value(options, "user", arena),
		.sslmode = option_value(options, "sslmode", arena),
		.sslrootcert = option_value(options, "sslrootcert", arena),
		.sslcert = option_value(options, "sslcert", arena),
		.sslkey = option_value(options, "sslkey", arena),
		.application_name = option_value(options, "application_name", arena),
		.client_encoding = option_value(options, "client_encoding", arena),
		.connect_timeout = option_value(options, "connect_timeout", arena),
		.options = option_value(options, "options", arena),
		.target_session_attrs = option_value(options, "target_session_attrs", arena),
	};
	const char *password = PQpass(pq), *host = PQhost(pq);
	info->password = password && *password ? pgm_strdup(arena, password) : NULL;
	if (!info->host && !info->hostaddr && host && *host)
		info->host = pgm_strdup(arena, host);
}

/* PQconninfoOption values are freed by libpq as they are; passwords must not stay in its freed memory. */
static void wipe_options(PQconninfoOption *options)
{
	for (PQconninfoOption *option = options; option && option->keyword; option++)
		if (option->val && strcmp(option->keyword, "password") == 0)
			explicit_bzero(option->val, strlen(option->val));
	PQconninfoFree(options);
}

/*
 * libpq has no call that resolves environment, service and password file and stops there. But it checks
 * channel_binding after it has done so and before it opens anything (connectOptions2() in fe-connect.c of 13
 * to 18), so a value that is none ends it at the right moment. Were a later libpq to check it sooner, the
 * password of .pgpass would not be found, no more.
 */
bool pgm_conninfo_resolve(const char *text, struct pgm_arena *arena, struct pgm_conninfo *info,
			  struct pgm_error *err)
{
	const char *keys[] = {"dbname", "channel_binding", NULL};
	const char *values[] = {text, NO_CONNECTION, NULL};
	if (!pgm_conninfo_check(text, err))
		return false;
	PGconn *pq = PQconnectStartParams(keys, values, 1);
	const char *message = pq ? PQerrorMessage(pq) : "out of memory";
	bool resolved = pq && strstr(message, NO_CONNECTION);
	if (resolved) {
		PQconninfoOption *options = PQconninfo(pq);
		take_options(pq, options, arena, info);
		wipe_options(options);
	} else {
		int length = (int)strcspn(message, "\n");
		pgm_error_set(err, PGM_ERR_USAGE, "the connection string cannot be used: %.*s", length,
			      message);
	}
	PQfinish(pq);
	return resolved;
}
