#include "serve/api/watch.h"

#include "serve/alert/alert.h"
#include "serve/watch/watch.h"
#include "util/clock.h"
#include "util/hash.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* ---- small things that the files of this group share ---- */

json_t *pgm_api_time_ms(int64_t ms)
{
	return pgm_api_time_s(ms / 1000);
}

json_t *pgm_api_time_s(int64_t s)
{
	char text[PGM_CLOCK_STAMP_SIZE];
	return s ? json_string(pgm_clock_stamp_of(s, text)) : json_null();
}

json_t *pgm_api_number(double value)
{
	return isfinite(value) ? json_real(value) : json_null();
}

static struct pgm_watch *watch_of(struct pgm_request *request, struct pgm_reply *reply)
{
	struct pgm_watch *watch = PGM_API(request)->watch;
	if (!watch)
		pgm_reply_error(reply, 503, "not_watched", "no database is watched");
	return watch;
}

const struct pgm_snapshot *pgm_api_snapshot(struct pgm_request *request, struct pgm_reply *reply)
{
	struct pgm_watch *watch = watch_of(request, reply);
	if (!watch)
		return NULL;
	const char *name = pgm_request_part(request, "db");
	long index = pgm_watch_find(watch, name);
	if (index < 0 || pgm_watch_target(watch, (size_t)index, request->arena).kind != PGM_TARGET_DATABASE) {
		pgm_reply_error(reply, 404, "not_found", "no database is watched under the name \"%s\"",
				name);
		pgm_reply_hint(reply, "GET /api/v1/databases lists those that are.");
		return NULL;
	}
	const struct pgm_snapshot *snapshot = pgm_watch_latest(watch, (size_t)index);
	if (!snapshot) {
		pgm_reply_error(reply, 503, "not_yet", "\"%s\" has not been looked at yet", name);
		pgm_reply_hint(reply, "Ask again in a few seconds.");
	}
	return snapshot;
}

static const char *state_name(enum pgm_target_state state)
{
	static const char *const names[] = {"new", "up", "down", "gone"};
	return names[state];
}

/* ---- /metrics ---- */

#define OPEN_METRICS "application/openmetrics-text"

/* Whether the client prefers OpenMetrics: Prometheus names it first, with a higher q. */
static bool wants_open_metrics(const char *accept)
{
	double open_q = -1, other_q = 0;
	for (const char *at = accept; at && *at;) {
		size_t length = strcspn(at, ",");
		const char *parameter = memmem(at, length, ";q=", 3);
		double q = parameter ? strtod(parameter + 3, NULL) : 1;
		at += strspn(at, " \t");
		if (strncmp(at, OPEN_METRICS, strlen(OPEN_METRICS)) == 0)
			open_q = q > open_q ? q : open_q;
		else if (strncmp(at, "text/plain", 10) == 0)
			other_q = q > other_q ? q : other_q;
		at += strcspn(at, ",");
		at += *at == ',';
	}
	return open_q > 0 && open_q >= other_q;
}

static void get_metrics(struct pgm_request *request, struct pgm_reply *reply)
{
	struct pgm_watch *watch = watch_of(request, reply);
	size_t length;
	if (!watch)
		return;
	bool open_metrics = wants_open_metrics(request->accept);
	char *text = pgm_watch_exposition(watch, open_metrics, &length);
	if (!text) {
		pgm_reply_error(reply, 503, "too_much", "the metrics do not fit into memory");
		return;
	}
	pgm_reply_text(reply, 200,
		       open_metrics ? OPEN_METRICS "; version=1.0.0; charset=utf-8"
				    : "text/plain; version=0.0.4; charset=utf-8",
		       text, length);
	free(text);
}

/* ---- databases ---- */

/* How many alerts of a target fire; null where there are none to be had. */
static json_t *firing(const struct pgm_api *api, const char *target, struct pgm_arena *arena)
{
	struct pgm_alert *list;
	size_t count, fire = 0;
	if (!api->alerts)
		return json_null();
	pgm_alerts_list(api->alerts, target, arena, &list, &count);
	for (size_t i = 0; i < count; i++)
		fire += list[i].phase == PGM_ALERT_FIRING || list[i].phase == PGM_ALERT_RESOLVING;
	return json_integer((json_int_t)fire);
}

static json_t *version_of(int version)
{
	char text[24];
	if (!version)
		return json_null();
	snprintf(text, sizeof(text), "%d.%d", version / 10000, version % 10000);
	return json_string(text);
}

static json_t *target_json(const struct pgm_target *target)
{
	return json_pack("{s:s, s:s, s:s, s:o, s:b, s:s, s:s, s:s, s:o, s:o, s:I, s:I, s:I}", "name",
			 target->name, "state", state_name(target->state), "why", target->why,
			 "server_version", version_of(target->version), "standby", target->standby, "host",
			 target->host, "port", target->port, "database", target->database, "since",
			 pgm_api_time_ms(target->since_ms), "seen_at", pgm_api_time_ms(target->seen_ms),
			 "looks", (json_int_t)target->looks, "errors", (json_int_t)target->errors,
			 "collector_errors", (json_int_t)target->collector_errors);
}

static void get_databases(struct pgm_request *request, struct pgm_reply *reply)
{
	struct pgm_watch *watch = watch_of(request, reply);
	if (!watch)
		return;
	json_t *list = json_array();
	for (size_t i = 0; i < pgm_watch_target_count(watch); i++) {
		struct pgm_target target = pgm_watch_target(watch, i, request->arena);
		if (target.kind != PGM_TARGET_DATABASE || target.state == PGM_TARGET_GONE)
			continue;
		const struct pgm_snapshot *snapshot = pgm_watch_latest(watch, i);
		json_t *one = target_json(&target);
		json_object_set_new(
			one, "size_bytes",
			pgm_api_number(
				snapshot ? pgm_snapshot_value(snapshot, "pg_database_size_bytes", NULL, NAN)
					 : NAN));
		json_object_set_new(one, "alerts", firing(PGM_API(request), target.name, request->arena));
		json_array_append_new(list, one);
		pgm_snapshot_release(snapshot);
	}
	pgm_reply_data(reply, json_pack("{s:o}", "databases", list));
}

/* ---- a database in figures ---- */

static void set(json_t *object, const char *name, double value)
{
	json_object_set_new(object, name, pgm_api_number(value));
}

static double rate(const struct pgm_snapshot *snapshot, const char *metric)
{
	return pgm_snapshot_rate(snapshot, metric, NULL);
}

static void set_traffic(json_t *data, const struct pgm_snapshot *snapshot)
{
	double commits = rate(snapshot, "pg_stat_database_xact_commit");
	double rollbacks = rate(snapshot, "pg_stat_database_xact_rollback");
	double hit = rate(snapshot, "pg_stat_database_blks_hit"),
	       read = rate(snapshot, "pg_stat_database_blks_read");
	double calls = rate(snapshot, "pgmend_statements_calls_total");
	double seconds = rate(snapshot, "pgmend_statements_seconds_total");
	set(data, "tps", commits + rollbacks);
	set(data, "rollbacks_per_s", rollbacks);
	set(data, "queries_per_s", calls);
	set(data, "mean_ms", calls > 0 ? seconds / calls * 1000 : NAN);
	set(data, "cache_hit_ratio", hit + read > 0 ? hit / (hit + read) : NAN);
	set(data, "deadlocks_per_min", rate(snapshot, "pg_stat_database_deadlocks") * 60);
	set(data, "temp_bytes_per_s", rate(snapshot, "pg_stat_database_temp_bytes"));
	double wal = rate(snapshot, "pgmend_wal_bytes_total");
	set(data, "wal_bytes_per_s", isfinite(wal) ? wal : rate(snapshot, "pgmend_wal_position_bytes"));
}

/* What a statement's histogram grew by; before: NULL where it is new. */
static void add_growth(struct pgm_histogram *all, const struct pgm_statement_row *row,
		       const struct pgm_statement_row *before)
{
	if (!row->histogram)
		return;
	if (before && (before->calls > row->calls || !before->histogram))
		before = NULL; /* it was forgotten, and came back */
	for (unsigned b = 0; b < PGM_HISTOGRAM_BUCKETS; b++) {
		uint32_t seen = before ? before->histogram->counts[b] : 0, count = row->histogram->counts[b];
		all->counts[b] += count > seen ? count - seen : 0;
		all->count += count > seen ? count - seen : 0;
	}
	if (row->histogram->max_us > all->max_us)
		all->max_us = row->histogram->max_us;
}

/* What the pooler saw between its last two looks, of all statements: percentiles are of that. */
static void set_latency(json_t *data, const struct pgm_snapshot *snapshot, struct pgm_arena *arena)
{
	struct pgm_histogram all = {0};
	const struct pgm_statements *now = snapshot->profile, *before = snapshot->profile_before;
	struct pgm_map by_id;
	pgm_map_init(&by_id, arena);
	for (size_t i = 0; before && i < before->count; i++)
		pgm_map_set(&by_id, pgm_sprintf(arena, "%" PRIx64, before->rows[i].id),
			    (void *)(uintptr_t)&before->rows[i]);
	for (size_t i = 0; now && before && i < now->count; i++)
		add_growth(&all, &now->rows[i],
			   pgm_map_get(&by_id, pgm_sprintf(arena, "%" PRIx64, now->rows[i].id)));
	static const struct {
		const char *name;
		double percent;
	} percentiles[] = {{"p50_ms", 50}, {"p95_ms", 95}, {"p99_ms", 99}};
	for (size_t i = 0; i < sizeof(percentiles) / sizeof(*percentiles); i++)
		set(data, percentiles[i].name,
		    all.count ? (double)pgm_histogram_percentile_us(&all, percentiles[i].percent) / 1000
			      : NAN);
}

static void set_sessions(json_t *data, const struct pgm_snapshot *snapshot)
{
	const struct pgm_sessions_summary *sessions = &snapshot->sessions;
	bool known = snapshot->samples[PGM_COLLECT_SESSIONS];
	const struct {
		const char *name;
		int count;
	} counts[] = {
		{"connections", sessions->total},
		{"active", sessions->active},
		{"idle", sessions->idle},
		{"idle_in_transaction", sessions->idle_in_transaction},
		{"waiting", sessions->waiting_for_lock},
	};
	for (size_t i = 0; i < sizeof(counts) / sizeof(*counts); i++)
		json_object_set_new(data, counts[i].name,
				    known ? json_integer(counts[i].count) : json_null());
	json_object_set_new(data, "max_connections",
			    sessions->max_connections ? json_integer(sessions->max_connections)
						      : json_null());
	set(data, "longest_query_s", known ? sessions->longest_query_s : NAN);
	set(data, "longest_transaction_s", known ? sessions->longest_transaction_s : NAN);
	set(data, "longest_idle_in_transaction_s", known ? sessions->longest_idle_in_transaction_s : NAN);
	set(data, "longest_wait_s", known ? sessions->longest_wait_s : NAN);
}

static json_t *replicas(const struct pgm_snapshot *snapshot)
{
	json_t *list = json_array();
	const struct pgm_samples *samples = snapshot->samples[PGM_COLLECT_REPLICAS];
	for (size_t i = 0; samples && i < samples->count; i++) {
		const struct pgm_sample *bytes = &samples->items[i];
		double lag = NAN;
		if (strcmp(bytes->metric->name, "pg_stat_replication_pg_wal_lsn_diff") != 0)
			continue;
		for (size_t k = 0; k < samples->count; k++) {
			const struct pgm_sample *other = &samples->items[k];
			if (strcmp(other->metric->name, "pgmend_replica_lag_seconds") == 0 &&
			    strcmp(other->labels[0], bytes->labels[0]) == 0 &&
			    strcmp(other->labels[1], bytes->labels[1]) == 0)
				lag = other->value;
		}
		json_array_append_new(list, json_pack("{s:s, s:s, s:s, s:o, s:o}", "name", bytes->labels[0],
						      "address", bytes->labels[1], "state", bytes->labels[2],
						      "lag_s", pgm_api_number(lag), "lag_bytes",
						      pgm_api_number(bytes->value)));
	}
	return list;
}

static json_t *marks(unsigned marks)
{
	static const char *const names[] = {"first",	  "restart", "upgrade", "role", "reset",
					    "statements", "gap",     "clock",	"pool"};
	json_t *list = json_array();
	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
		if (marks & 1u << i)
			json_array_append_new(list, json_string(names[i]));
	return list;
}

/* What could not be read, and would be shown. */
static json_t *left_out(const struct pgm_snapshot *snapshot)
{
	json_t *list = json_array();
	const struct pgm_samples *samples = snapshot->samples[PGM_COLLECT_TARGET];
	for (size_t i = 0; samples && i < samples->count; i++)
		if (strcmp(samples->items[i].metric->name, "pg_scrape_collector_success") == 0 &&
		    samples->items[i].value == 0)
			json_array_append_new(list, json_string(samples->items[i].labels[0]));
	return list;
}

/* What has failed for so long that it is not shown any more. */
static json_t *stale(const struct pgm_snapshot *snapshot)
{
	json_t *list = json_array();
	for (size_t i = 0; i < PGM_COLLECTORS; i++)
		if (snapshot->stale_ms[i])
			json_array_append_new(list,
					      json_pack("{s:s, s:o}", "collector",
							pgm_collector_name((enum pgm_collector_id)i),
							"seen_at", pgm_api_time_ms(snapshot->stale_ms[i])));
	return list;
}

static void get_summary(struct pgm_request *request, struct pgm_reply *reply)
{
	const struct pgm_snapshot *snapshot = pgm_api_snapshot(request, reply);
	if (!snapshot)
		return;
	json_t *data = target_json(&snapshot->target);
	json_object_set_new(data, "at", pgm_api_time_ms(snapshot->wall_ms));
	json_object_set_new(data, "marks", marks(snapshot->marks));
	json_object_set_new(data, "started_at",
			    pgm_api_time_s((int64_t)pgm_snapshot_value(
				    snapshot, "pg_postmaster_start_time_seconds", NULL, 0)));
	json_object_set_new(data, "stats_reset",
			    pgm_api_time_s((int64_t)pgm_snapshot_value(
				    snapshot, "pg_stat_database_stats_reset", NULL, 0)));
	json_object_set_new(data, "restarted_at", json_incref(json_object_get(data, "started_at")));
	set(data, "size_bytes", pgm_snapshot_value(snapshot, "pg_database_size_bytes", NULL, NAN));
	if (snapshot->up) {
		set_traffic(data, snapshot);
		set_latency(data, snapshot, request->arena);
		set_sessions(data, snapshot);
		set(data, "replication_lag_s",
		    pgm_snapshot_value(snapshot, "pg_replication_lag_seconds", NULL, NAN));
		json_object_set_new(data, "replication", replicas(snapshot));
		json_object_set_new(data, "left_out", left_out(snapshot));
		json_object_set_new(data, "stale", stale(snapshot));
		json_object_set_new(data, "statements_known",
				    json_boolean(snapshot->statements || snapshot->profile));
	}
	pgm_snapshot_release(snapshot);
	pgm_reply_data(reply, data);
}

const struct pgm_route pgm_api_watch_routes[] = {
	{PGM_GET, "/metrics", PGM_ROLE_VIEWER, get_metrics,
	 "Metrics as Prometheus text, or as OpenMetrics where Accept asks for it", NULL,
	 PGM_ROUTE_METRICS | PGM_ROUTE_TEXT, "metrics"},
	{PGM_GET, "/api/v1/databases", PGM_ROLE_VIEWER, get_databases, "The databases that are watched", NULL,
	 0, "databases"},
	{PGM_GET, "/api/v1/databases/{db}/summary", PGM_ROLE_VIEWER, get_summary, "A database in figures",
	 NULL, 0, "databases"},
	{0},
};
