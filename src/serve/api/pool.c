/*
 * The pooler of this process, as the watch last saw it.
 */
#include "serve/api/watch.h"

#include "serve/watch/watch.h"
#include "util/buf.h"
#include "util/hash.h"

#include <math.h>
#include <string.h>

struct column {
	const char *metric, *name;
};

static const struct column pool_columns[] = {
	{"pgbouncer_pools_client_active_connections", "clients_active"},
	{"pgbouncer_pools_client_waiting_connections", "clients_waiting"},
	{"pgbouncer_pools_server_active_connections", "servers_active"},
	{"pgbouncer_pools_server_idle_connections", "servers_idle"},
	{"pgbouncer_pools_server_used_connections", "servers_used"},
	{"pgbouncer_pools_server_testing_connections", "servers_tested"},
	{"pgbouncer_pools_server_login_connections", "servers_logging_in"},
	{"pgbouncer_pools_client_maxwait_seconds", "max_wait_s"},
	{NULL, NULL},
};

static const struct column database_columns[] = {
	{"pgbouncer_databases_pool_size", "pool_size"},
	{"pgbouncer_databases_reserve_pool", "reserve_pool"},
	{"pgbouncer_databases_max_connections", "max_connections"},
	{"pgbouncer_databases_current_connections", "current_connections"},
	{"pgbouncer_databases_paused", "paused"},
	{"pgbouncer_databases_disabled", "disabled"},
	{NULL, NULL},
};

static const struct column *column_of(const struct column *columns, const char *metric)
{
	while (columns->metric && strcmp(columns->metric, metric) != 0)
		columns++;
	return columns->metric ? columns : NULL;
}

/* Objects with one set of labels each: the labels and the figures are their members. */
static json_t *rows_of(const struct pgm_samples *samples, const struct column *columns,
		       struct pgm_arena *arena)
{
	json_t *list = json_array();
	struct pgm_map seen;
	pgm_map_init(&seen, arena);
	for (size_t i = 0; i < samples->count; i++) {
		const struct pgm_sample *sample = &samples->items[i];
		const struct column *column = column_of(columns, sample->metric->name);
		struct pgm_buf key;
		if (!column)
			continue;
		pgm_buf_init(&key, arena);
		for (size_t l = 0; sample->metric->labels[l]; l++)
			pgm_buf_printf(&key, "%s\x1f", sample->labels[l]);
		json_t *row = pgm_map_get(&seen, key.text);
		if (!row) {
			row = json_object();
			json_array_append_new(list, row);
			pgm_map_set(&seen, key.text, row);
			for (size_t l = 0; sample->metric->labels[l]; l++)
				json_object_set_new(row, sample->metric->labels[l],
						    json_string(sample->labels[l]));
		}
		json_object_set_new(row, column->name, pgm_api_number(sample->value));
	}
	return list;
}

/* The mode of a pool is a label of its own metric. */
static void set_modes(json_t *pools, const struct pgm_samples *samples)
{
	for (size_t i = 0; i < samples->count; i++) {
		const struct pgm_sample *sample = &samples->items[i];
		size_t p;
		json_t *pool;
		if (strcmp(sample->metric->name, "pgmend_pool_info") != 0)
			continue;
		json_array_foreach(pools, p, pool)
		{
			const char *database = json_string_value(json_object_get(pool, "database"));
			const char *user = json_string_value(json_object_get(pool, "user"));
			if (database && user && strcmp(database, sample->labels[0]) == 0 &&
			    strcmp(user, sample->labels[1]) == 0)
				json_object_set_new(pool, "mode", json_string(sample->labels[2]));
		}
	}
}

/* What all databases together grew by in a second; NAN where nothing can be said. */
static double sum_of_rates(const struct pgm_snapshot *snapshot, const char *metric)
{
	const struct pgm_samples *now = snapshot->samples[PGM_COLLECT_POOL],
				 *before = snapshot->before[PGM_COLLECT_POOL];
	double sum = 0;
	if (!now || !before || now->mono_ms <= before->mono_ms)
		return NAN;
	for (size_t i = 0; i < now->count; i++)
		if (strcmp(now->items[i].metric->name, metric) == 0)
			sum += now->items[i].value;
	for (size_t i = 0; i < before->count; i++)
		if (strcmp(before->items[i].metric->name, metric) == 0)
			sum -= before->items[i].value;
	return sum < 0 ? NAN : sum * 1000 / (now->mono_ms - before->mono_ms);
}

static json_t *totals(const struct pgm_snapshot *snapshot)
{
	static const struct column columns[] = {
		{"pgbouncer_stats_queries_pooled_total", "queries_per_s"},
		{"pgbouncer_stats_sql_transactions_pooled_total", "transactions_per_s"},
		{"pgbouncer_stats_received_bytes_total", "received_bytes_per_s"},
		{"pgbouncer_stats_sent_bytes_total", "sent_bytes_per_s"},
		{"pgbouncer_stats_client_wait_seconds_total", "wait_s_per_s"},
		{"pgmend_query_errors_total", "errors_per_s"},
	};
	json_t *json = json_object();
	for (size_t i = 0; i < sizeof(columns) / sizeof(*columns); i++)
		json_object_set_new(json, columns[i].name,
				    pgm_api_number(sum_of_rates(snapshot, columns[i].metric)));
	return json;
}

/* The upper bound, in ms, of the bucket that has the percentile: of what came since the look before. */
static double percentile_ms(const uint64_t counts[PGM_METRIC_BOUNDS + 1], double percent)
{
	double wanted = (double)counts[PGM_METRIC_BOUNDS] * percent / 100;
	for (size_t b = 0; b < PGM_METRIC_BOUNDS; b++)
		if ((double)counts[b] >= wanted)
			return pgm_metric_bounds[b] * 1000;
	return pgm_metric_bounds[PGM_METRIC_BOUNDS - 1] * 1000;
}

static void add_buckets(uint64_t counts[PGM_METRIC_BOUNDS + 1], const struct pgm_samples *samples,
			const char *metric, bool take_away)
{
	for (size_t i = 0; samples && i < samples->count; i++) {
		const struct pgm_sample *sample = &samples->items[i];
		if (strcmp(sample->metric->name, metric) != 0)
			continue;
		for (size_t b = 0; b <= PGM_METRIC_BOUNDS; b++)
			counts[b] += take_away ? -sample->buckets->counts[b] : sample->buckets->counts[b];
	}
}

static json_t *latency(const struct pgm_snapshot *snapshot, const char *metric)
{
	uint64_t counts[PGM_METRIC_BOUNDS + 1] = {0};
	static const double percents[] = {50, 95, 99};
	static const char *const names[] = {"p50_ms", "p95_ms", "p99_ms"};
	json_t *json = json_object();
	add_buckets(counts, snapshot->samples[PGM_COLLECT_POOL], metric, false);
	add_buckets(counts, snapshot->before[PGM_COLLECT_POOL], metric, true);
	for (size_t i = 0; i < 3; i++)
		json_object_set_new(
			json, names[i],
			pgm_api_number(counts[PGM_METRIC_BOUNDS] ? percentile_ms(counts, percents[i]) : NAN));
	return json;
}

static void get_pool(struct pgm_request *request, struct pgm_reply *reply)
{
	struct pgm_watch *watch = PGM_API(request)->watch;
	long index = watch ? pgm_watch_find(watch, "pool") : -1;
	const struct pgm_snapshot *snapshot = index >= 0 ? pgm_watch_latest(watch, (size_t)index) : NULL;
	if (!snapshot || snapshot->target.kind != PGM_TARGET_POOL || !snapshot->up) {
		json_t *data =
			json_pack("{s:b, s:[], s:[]}", "enabled", snapshot != NULL, "pools", "databases");
		if (snapshot)
			json_object_set_new(data, "why", json_string(snapshot->target.why));
		pgm_reply_data(reply, data);
		pgm_snapshot_release(snapshot);
		return;
	}
	const struct pgm_samples *samples = snapshot->samples[PGM_COLLECT_POOL];
	json_t *pools = rows_of(samples, pool_columns, request->arena);
	json_t *databases = rows_of(samples, database_columns, request->arena);
	set_modes(pools, samples);
	pgm_reply_data(reply,
		       json_pack("{s:b, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "enabled", true, "at",
				 pgm_api_time_ms(samples->wall_ms), "pools", pools, "databases", databases,
				 "totals", totals(snapshot), "latency",
				 latency(snapshot, "pgmend_query_duration_seconds"), "wait",
				 latency(snapshot, "pgmend_pool_wait_seconds"), "max_clients",
				 pgm_api_number(pgm_snapshot_value(
					 snapshot, "pgbouncer_config_max_client_connections", NULL, NAN))));
	pgm_snapshot_release(snapshot);
}

const struct pgm_route pgm_api_pool_routes[] = {
	{PGM_GET, "/api/v1/pool", PGM_ROLE_VIEWER, get_pool, "The pooler: pools, databases, traffic, latency",
	 NULL, 0, "pool"},
	{0},
};
