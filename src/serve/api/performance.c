/*
 * The seven reports of a database's performance: figures straight from the server's statistics, and as
 * recommendations what pgmend check finds about them.
 */
#include "pg/conn.h"
#include "serve/api/begin.h"
#include "util/embedded.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define TIMEOUT_SQL "SET statement_timeout = 5000; SET lock_timeout = 200"

/* One statement that gives one JSON value. */
struct part {
	const char *name; /* its member of data; NULL: it is data */
	const char *file; /* or NULL */
	const char *sql;
	int oldest; /* server_version_num */
};

struct report {
	const char *name;	  /* in the report of all */
	const struct part *parts; /* one without file and sql ends them */
	const char *const *about; /* checks and families; NULL: all */
};

#define WHOLE(view) PGM_CONN_MARKER "SELECT pg_catalog.to_jsonb(v) FROM pg_catalog." view " AS v LIMIT 1"

static const struct part pool_parts[] = {{.file = "serve/api/sql/pool_stats.sql"}, {.file = NULL}};
static const struct part database_parts[] = {{.file = "serve/api/sql/database_stats.sql"}, {.file = NULL}};
static const struct part index_parts[] = {{"indexes", "serve/api/sql/index_usage.sql", NULL, 0},
					  {.file = NULL}};
static const struct part cache_parts[] = {{.file = "serve/api/sql/cache_stats.sql"}, {.file = NULL}};
static const struct part bloat_parts[] = {{"tables", "serve/api/sql/table_bloat.sql", NULL, 0},
					  {.file = NULL}};
static const struct part system_parts[] = {{"server", "serve/api/sql/system_metrics.sql", NULL, 0},
					   {"bgwriter", NULL, WHOLE("pg_stat_bgwriter"), 0},
					   {"wal", NULL, WHOLE("pg_stat_wal"), 140000},
					   {"checkpointer", NULL, WHOLE("pg_stat_checkpointer"), 170000},
					   {"archiver", NULL, WHOLE("pg_stat_archiver"), 0},
					   {.file = NULL}};

static const char *const about_pool[] = {"connection_use", "connection_churn", "idle_in_transaction", NULL};
static const char *const about_database[] = {"rollback_ratio", "deadlocks",  "temp_files", "wraparound",
					     "keys",	       "statements", NULL};
static const char *const about_indexes[] = {"indexes", "seq_scan_heavy", NULL};
static const char *const about_cache[] = {"cache", "memory_settings", NULL};
static const char *const about_bloat[] = {
	"table_bloat",	      "index_bloat",	  "dead_rows",	  "autovacuum_disabled",
	"fillfactor_for_hot", "stale_statistics", "toast_weight", NULL};
static const char *const about_system[] = {"cluster", NULL};

enum { POOL, DATABASE, INDEX, CACHE, BLOAT, SYSTEM, REPORTS };

static const struct report reports[REPORTS] = {
	[POOL] = {"pool_stats", pool_parts, about_pool},
	[DATABASE] = {"database_stats", database_parts, about_database},
	[INDEX] = {"index_usage", index_parts, about_indexes},
	[CACHE] = {"cache_stats", cache_parts, about_cache},
	[BLOAT] = {"table_bloat", bloat_parts, about_bloat},
	[SYSTEM] = {"system_metrics", system_parts, about_system},
};

/* This machine, where the server is on it: elsewhere nobody can tell by SQL. */
static json_t *machine(const struct pgm_conn *conn)
{
	double load[3];
	const char *host = pgm_conn_host(conn);
	if (!host || *host != '/' || getloadavg(load, 3) != 3)
		return json_null();
	double page = (double)sysconf(_SC_PAGESIZE);
	return json_pack("{s:[f, f, f], s:I, s:I, s:I}", "load", load[0], load[1], load[2], "processors",
			 (json_int_t)sysconf(_SC_NPROCESSORS_ONLN), "memory_bytes",
			 (json_int_t)((double)sysconf(_SC_PHYS_PAGES) * page), "memory_free_bytes",
			 (json_int_t)((double)sysconf(_SC_AVPHYS_PAGES) * page));
}

/* A statistic that cannot be read (rights, a timeout) is null: the rest is shown. */
static json_t *ask_part(struct pgm_conn *conn, struct pgm_arena *arena, const struct part *part,
			struct pgm_error *err)
{
	char *text = NULL;
	const char *sql = part->file ? pgm_embedded_text(part->file) : part->sql;
	if (!pgm_conn_value(conn, arena, sql, 0, NULL, &text, err) || !text)
		return NULL;
	return json_loads(text, JSON_DECODE_ANY, NULL);
}

static json_t *figures(struct pgm_conn *conn, struct pgm_arena *arena, const struct report *report,
		       struct pgm_error *err)
{
	json_t *data = json_object();
	for (const struct part *part = report->parts; part->file || part->sql; part++) {
		struct pgm_error problem = {0};
		if (pgm_conn_version(conn) < part->oldest)
			continue;
		json_t *value = ask_part(conn, arena, part, &problem);
		if (!part->name && value) {
			json_decref(data);
			return value;
		}
		if (!part->name || !pgm_conn_alive(conn)) {
			*err = problem;
			json_decref(data);
			return NULL;
		}
		json_object_set_new(data, part->name, value ? value : json_null());
	}
	if (report == &reports[SYSTEM])
		json_object_set_new(data, "machine", machine(conn));
	return data;
}

static const char *family_of(const json_t *check, const char *id)
{
	size_t i;
	json_t *row;
	json_array_foreach(json_object_get(check, "checks"), i, row)
	{
		const char *name = json_string_value(json_object_get(row, "id"));
		if (name && strcmp(name, id) == 0)
			return json_string_value(json_object_get(row, "family"));
	}
	return NULL;
}

static bool is_about(const char *const *about, const char *id, const char *family)
{
	for (; about && *about; about++)
		if (strcmp(*about, id) == 0 || (family && strcmp(*about, family) == 0))
			return true;
	return !about;
}

/* Findings as recommendations of category, severity, message and action. */
static void recommend(json_t *list, const json_t *check, const char *const *about)
{
	size_t i;
	json_t *finding;
	json_array_foreach(json_object_get(check, "findings"), i, finding)
	{
		const char *id = json_string_value(json_object_get(finding, "check"));
		const char *family = id ? family_of(check, id) : NULL;
		if (!id || !is_about(about, id, family))
			continue;
		json_array_append_new(list, json_pack("{s:s, s:s, s:O, s:O, s:O, s:O, s:O}", "category",
						      family ? family : id, "check", id, "severity",
						      json_object_get(finding, "severity"), "object",
						      json_object_get(finding, "object"), "message",
						      json_object_get(finding, "detail"), "action",
						      json_object_get(finding, "remedy"), "ignore_key",
						      json_object_get(finding, "ignore_key")));
	}
}

static struct pgm_conn *connect(struct pgm_request *request, const char *database, struct pgm_error *err)
{
	struct pgm_conn *conn = pgm_api_connect(request, database, err);
	if (conn && !pgm_conn_exec(conn, PGM_CONN_MARKER TIMEOUT_SQL, err)) {
		pgm_conn_close(conn);
		return NULL;
	}
	return conn;
}

/* ?database=NAME, or the only one that is watched. */
static const char *which(struct pgm_request *request, struct pgm_reply *reply)
{
	const char **names;
	size_t count = pgm_jobs_targets(PGM_API(request)->jobs, request->arena, &names);
	const char *wanted = pgm_request_text(request, "database", NULL);
	for (size_t i = 0; i < count; i++)
		if (wanted ? strcmp(names[i], wanted) == 0 : count == 1)
			return names[i];
	if (wanted)
		pgm_reply_error(reply, 404, "not_found", "there is no database %.100s here", wanted);
	else
		pgm_reply_error(reply, 400, "bad_request", "which database? Give ?database=NAME");
	return NULL;
}

static json_t *all_figures(struct pgm_conn *conn, struct pgm_arena *arena, struct pgm_error *err)
{
	json_t *data = json_object();
	for (int i = 0; i < REPORTS; i++) {
		json_t *value = figures(conn, arena, &reports[i], err);
		if (!value && !pgm_conn_alive(conn)) {
			json_decref(data);
			return NULL;
		}
		json_object_set_new(data, reports[i].name, value ? value : json_null());
	}
	return data;
}

/* report NULL: all of them. */
static void reply_report(struct pgm_request *request, struct pgm_reply *reply, const struct report *report)
{
	struct pgm_error err = {0};
	const char *database = which(request, reply);
	if (!database)
		return;
	PGM_AUTO_CONN conn = connect(request, database, &err);
	json_t *data = !conn	? NULL
		       : report ? figures(conn, request->arena, report, &err)
				: all_figures(conn, request->arena, &err);
	if (!data) {
		pgm_reply_failure(reply, &err);
		return;
	}
	json_t *list = json_array();
	struct pgm_error ignored = {0};
	json_t *found = pgm_api_check(request, database, &ignored);
	recommend(list, found, report ? report->about : NULL);
	pgm_reply_json(reply, 200,
		       json_pack("{s:b, s:s, s:o, s:o, s:b}", "success", 1, "database", database, "data",
				 data, "recommendations", list, "judged", found != NULL));
	json_decref(found);
}

#define REPORT_HANDLER(function, which)                                            \
	static void function(struct pgm_request *request, struct pgm_reply *reply) \
	{                                                                          \
		reply_report(request, reply, &reports[which]);                     \
	}
REPORT_HANDLER(pool_stats, POOL)
REPORT_HANDLER(database_stats, DATABASE)
REPORT_HANDLER(index_usage, INDEX)
REPORT_HANDLER(cache_stats, CACHE)
REPORT_HANDLER(table_bloat, BLOAT)
REPORT_HANDLER(system_metrics, SYSTEM)

static void full_report(struct pgm_request *request, struct pgm_reply *reply)
{
	reply_report(request, reply, NULL);
}

static const struct pgm_param params[] = {
	{.name = "database", .help = "which one; may be left out where only one is watched"},
	{.name = NULL},
};

#define ROUTE(name, handler, summary)                                                                     \
	{                                                                                                 \
		PGM_GET, "/api/v1/database/performance/" name, PGM_ROLE_VIEWER, handler, summary, params, \
			PGM_ROUTE_SLOW, "performance"                                                     \
	}

const struct pgm_route pgm_api_performance_routes[] = {
	ROUTE("pool-stats", pool_stats, "Connections of the database and the server"),
	ROUTE("database-stats", database_stats, "Counters of the database"),
	ROUTE("index-usage", index_usage, "Indexes with their sizes and use"),
	ROUTE("cache-stats", cache_stats, "What was found in shared buffers"),
	ROUTE("table-bloat", table_bloat, "Dead rows and sizes of tables"),
	ROUTE("system-metrics", system_metrics, "The server, its settings and its machine"),
	ROUTE("full-report", full_report, "All of these"),
	{.path = NULL},
};
