/*
 * One connection to a target before the run.
 */
#include "load/run.h"
#include "pg/async.h"
#include "pg/conninfo.h"

#include <stdlib.h>
#include <string.h>

#define CONNECT_LIMIT_MS 15000
#define ANSWER_LIMIT_MS	 15000
#define READ_ONLY_OPTION "-c default_transaction_read_only=on"

static bool ask(struct pgm_async *async, const char *sql, struct pgm_error *err)
{
	struct pgm_async_outcome outcome;
	pgm_async_query(async, sql);
	return pgm_async_wait(async, ANSWER_LIMIT_MS, &outcome, err);
}

static const char *cell(const struct pgm_async *async, size_t column)
{
	bool null;
	const char *text = pgm_async_cell(async, 0, column, &null);
	return text ? text : "";
}

/* Whether sessions may ask for read-only transactions as they begin: PgBouncer refuses most options. */
static bool takes_options(const struct pgm_load_connect *target)
{
	struct pgm_async_outcome outcome;
	struct pgm_error ignored;
	PGM_AUTO_ASYNC async = pgm_async_open(&target->connection, READ_ONLY_OPTION);
	return async && pgm_async_wait(async, CONNECT_LIMIT_MS, &outcome, &ignored) &&
	       ask(async, "SHOW default_transaction_read_only", &ignored) &&
	       strcmp(cell(async, 0), "on") == 0;
}

bool pgm_load_probe(struct pgm_arena *arena, struct pgm_load_connect *target, bool writes,
		    struct pgm_error *err)
{
	struct pgm_async_outcome outcome;
	struct pgm_load_probe *probe = &target->probe;
	if (!pgm_conninfo_check(target->connection.conninfo, err))
		return false;
	PGM_AUTO_ASYNC async = pgm_async_open(&target->connection, NULL);
	if (!async)
		return pgm_error_set(err, PGM_ERR_SYSTEM, "out of memory");
	if (!pgm_async_wait(async, CONNECT_LIMIT_MS, &outcome, err)) {
		pgm_error_hint(err,
			       "Check that the server runs there, and the host, port, user, database and "
			       "password.");
		return pgm_error_context(err, "connecting to \"%s\"", target->name);
	}
	probe->place = pgm_sprintf(arena, "%s on %s:%s as %s", pgm_async_setting(async, "dbname"),
				   pgm_async_setting(async, "host"), pgm_async_setting(async, "port"),
				   pgm_async_setting(async, "user"));
	if (!ask(async,
		 "SELECT " PGM_CONN_MARKER
		 "pg_catalog.pg_backend_pid(), pg_catalog.current_setting('server_version'), "
		 "pg_catalog.current_setting('max_connections')",
		 err)) {
		return pgm_error_context(err, "asking \"%s\" what it is", target->name);
	}
	/* Debian's says "15.20 (Debian 15.20-1)" */
	probe->version = pgm_strndup(arena, cell(async, 1), strcspn(cell(async, 1), " "));
	probe->max_connections = atoi(cell(async, 2));
	probe->pooled = atoi(cell(async, 0)) != pgm_async_pid(async);
	probe->guards_startup = !writes && probe->pooled && takes_options(target);
	return true;
}
