#include "serve/api/history.h"

#include "serve/api/api.h"
#include "serve/api/statements.h"
#include "serve/api/watch.h"
#include "serve/history/growth.h"
#include "serve/watch/watch.h"

#include <math.h>
#include <string.h>
#include <time.h>

#define LAST_HOUR_S    3600
#define TABLES_SHOWN   200
#define GAP_LEAST_MS   INT64_C(150000) /* what is looked at every minute has no gap in finer steps */
#define TABLE_BYTES    "table_bytes"
#define DOUBLED_YEARS  100
#define BUCKETS_OF_TWO 8 /* of struct pgm_histogram, to a power of two */

/* ---- what is common ---- */

static json_t *seconds(int64_t ms)
{
	return json_real((double)ms / 1e3);
}

/* The history and the range that is asked for; false: answered. */
static bool begin(struct pgm_request *request, struct pgm_reply *reply, struct pgm_history **history,
		  int64_t *from_ms, int64_t *to_ms)
{
	struct pgm_api *api = PGM_API(request);
	const char *target = pgm_request_part(request, "db");
	double now = (double)time(NULL);
	*history = api->history;
	if (!api->watch || pgm_watch_find(api->watch, target) < 0) {
		pgm_reply_error(reply, 404, "not_found", "no database \"%s\" is watched", target);
		pgm_reply_hint(reply, "/api/v1/databases has their names.");
		return false;
	}
	if (!*history) {
		pgm_reply_error(reply, 404, "no_history", "this pgmend keeps no history");
		pgm_reply_hint(reply, "Say where: history = FILE in [serve].");
		return false;
	}
	*to_ms = (int64_t)(pgm_request_time(request, "to", now + 1) * 1e3);
	*from_ms = (int64_t)(pgm_request_time(request, "from", (double)*to_ms / 1e3 - LAST_HOUR_S) * 1e3);
	return true;
}

/* ---- series ---- */

/* 'name="value",...' as an object; values have \", \\ and \n escaped. */
static json_t *labels_json(struct pgm_arena *arena, const char *labels)
{
	json_t *json = json_object();
	while (*labels) {
		const char *equals = strchr(labels, '=');
		if (!equals || equals[1] != '"')
			break;
		char *name = pgm_strndup(arena, labels, (size_t)(equals - labels));
		char *value = PGM_NEW_ARRAY(arena, char, strlen(equals) + 1), *out = value;
		for (labels = equals + 2; *labels && *labels != '"'; labels++) {
			bool escaped = *labels == '\\' && labels[1];
			labels += escaped;
			*out++ = escaped && *labels == 'n' ? '\n' : *labels;
		}
		json_object_set_new(json, name, json_string(value));
		labels += *labels == '"';
		labels += *labels == ',';
	}
	return json;
}

static json_t *point_json(const struct pgm_history_point *point)
{
	if (!point->count)
		return json_pack("[o, n]", seconds(point->at_ms));
	return json_pack("[o, o, o, o, o]", seconds(point->at_ms), pgm_api_number(point->avg),
			 pgm_api_number(point->min), pgm_api_number(point->max), pgm_api_number(point->last));
}

/* A step without a sample between others is a gap, and so is a reset. */
static json_t *points_json(const struct pgm_history_series *series, int64_t step_ms)
{
	json_t *points = json_array();
	for (size_t i = 0; i < series->count; i++) {
		const struct pgm_history_point *point = &series->points[i];
		int64_t passed = i ? point->at_ms - series->points[i - 1].at_ms : 0;
		if (passed > 2 * step_ms && passed > GAP_LEAST_MS)
			json_array_append_new(
				points, json_pack("[o, n]", seconds(series->points[i - 1].at_ms + step_ms)));
		json_array_append_new(points, point_json(point));
	}
	return points;
}

static json_t *marks_json(const struct pgm_history_answer *answer)
{
	json_t *marks = json_array();
	const struct pgm_history_series *first = answer->count ? &answer->series[0] : NULL;
	for (size_t i = 0; first && i < first->count; i++)
		if (first->points[i].reset)
			json_array_append_new(marks,
					      json_pack("{s:o, s:s}", "t", seconds(first->points[i].at_ms),
							"text", "counters began anew"));
	return marks;
}

static void get_series(struct pgm_request *request, struct pgm_reply *reply)
{
	struct pgm_history *history;
	struct pgm_history_answer answer;
	struct pgm_error err = {0};
	struct pgm_history_range range = {
		.target = pgm_request_part(request, "db"),
		.metric = pgm_request_text(request, "metric", ""),
		.labels = pgm_request_text(request, "labels", NULL),
		.step_ms = pgm_request_int(request, "step", 0) * 1000,
		.series_max = (size_t)pgm_request_int(request, "limit", 0),
	};
	if (!begin(request, reply, &history, &range.from_ms, &range.to_ms))
		return;
	if (!pgm_history_range(history, &range, request->arena, &answer, &err)) {
		pgm_reply_failure(reply, &err);
		return;
	}
	const struct pgm_metric *metric = pgm_metric_find(range.metric);
	json_t *series = json_array();
	for (size_t i = 0; i < answer.count; i++)
		json_array_append_new(series,
				      json_pack("{s:o, s:o}", "labels",
						labels_json(request->arena, answer.series[i].labels),
						"points", points_json(&answer.series[i], answer.step_ms)));
	bool rate = answer.count && answer.series[0].rate;
	pgm_reply_data(reply, json_pack("{s:s, s:s, s:s, s:o, s:o, s:o, s:i}", "metric", range.metric, "kind",
					rate ? "rate" : "gauge", "unit", metric ? metric->unit : "", "step",
					seconds(answer.step_ms), "series", series, "marks",
					marks_json(&answer), "left_out", (int)answer.left_out));
}

/* ---- statements ---- */

static const char *const orders[] = {"total", "calls", "mean", "p95", "p99", "rows", "reads", "errors", NULL};
static const char *const sources[] = {"any", "server", "pool", NULL};

static int place_of(const char *const *names, const char *name)
{
	int place = 0;
	while (names[place] && strcmp(names[place], name) != 0)
		place++;
	return names[place] ? place : 0;
}

static json_t *percentile_json(bool known, double ms)
{
	return known ? json_real(ms) : json_null();
}

static json_t *statement_json(const struct pgm_history_statement *s)
{
	bool known = s->percentiles;
	json_t *json =
		json_pack("{s:s, s:s, s:s, s:b, s:I, s:I, s:I, s:f, s:f, s:f, s:f, s:f, s:f}", "id", s->id,
			  "query", s->query, "user", s->user, "others", s->others, "calls",
			  (json_int_t)s->calls, "errors", (json_int_t)s->errors, "rows", (json_int_t)s->rows,
			  "total_ms", s->total_ms, "mean_ms", s->mean_ms, "share", s->share, "blocks_hit",
			  s->blocks_hit, "blocks_read", s->blocks_read, "temp_blocks", s->blocks_temp);
	if (!json)
		return NULL;
	json_object_set_new(json, "p50_ms", percentile_json(known, s->p50_ms));
	json_object_set_new(json, "p95_ms", percentile_json(known, s->p95_ms));
	json_object_set_new(json, "p99_ms", percentile_json(known, s->p99_ms));
	json_object_set_new(json, "max_ms", percentile_json(known, s->max_ms));
	json_object_set_new(json, "n_plus_one",
			    s->bursts ? json_pack("{s:I}", "bursts", (json_int_t)s->bursts) : json_null());
	return json;
}

static json_t *listed_json(const struct pgm_history_statement *s)
{
	json_t *json = statement_json(s), *spark = json_array();
	for (int i = 0; i < PGM_HISTORY_SPARKS; i++)
		json_array_append_new(spark, pgm_api_number(s->spark_ms[i]));
	json_object_set_new(json, "spark", spark);
	return json;
}

static bool begin_statements(struct pgm_request *request, struct pgm_reply *reply,
			     struct pgm_history **history, struct pgm_history_statements *wanted)
{
	*wanted = (struct pgm_history_statements){
		.target = pgm_request_part(request, "db"),
		.source = (enum pgm_history_source)place_of(sources,
							    pgm_request_text(request, "source", "any")),
	};
	return begin(request, reply, history, &wanted->from_ms, &wanted->to_ms);
}

static const char *source_name(const struct pgm_history_statement_list *list)
{
	return list->source == PGM_HISTORY_POOL ? "the pooler" : "pg_stat_statements";
}

static void get_statements(struct pgm_request *request, struct pgm_reply *reply)
{
	struct pgm_history *history;
	struct pgm_history_statements wanted;
	struct pgm_history_statement_list list;
	struct pgm_error err = {0};
	if (!begin_statements(request, reply, &history, &wanted))
		return;
	wanted.order = (enum pgm_history_order)place_of(orders, pgm_request_text(request, "sort", "total"));
	wanted.limit = (size_t)pgm_request_int(request, "limit", 50);
	if (!pgm_history_statements(history, &wanted, request->arena, &list, &err)) {
		pgm_reply_failure(reply, &err);
		return;
	}
	json_t *statements = json_array();
	for (size_t i = 0; i < list.count; i++)
		json_array_append_new(statements, listed_json(&list.items[i]));
	pgm_reply_data(reply, json_pack("{s:s, s:o, s:o, s:o, s:I, s:I, s:f, s:o}", "source",
					source_name(&list), "from", seconds(wanted.from_ms), "to",
					seconds(wanted.to_ms), "step", seconds(list.step_ms), "all",
					(json_int_t)list.all, "calls", (json_int_t)list.calls, "total_ms",
					list.total_ms, "statements", statements));
}

/* [upper bound in ms, calls], a row for each power of two from the first that has some to the last. */
static json_t *histogram_json(const struct pgm_histogram *histogram)
{
	json_t *list = json_array(), *between = json_array();
	for (unsigned b = 0; histogram && b < PGM_HISTOGRAM_BUCKETS; b += BUCKETS_OF_TWO) {
		uint64_t calls = 0;
		unsigned end = b + BUCKETS_OF_TWO;
		for (unsigned i = b; i < end && i < PGM_HISTOGRAM_BUCKETS; i++)
			calls += histogram->counts[i];
		double upper_ms = (double)(end < PGM_HISTOGRAM_BUCKETS ? pgm_histogram_low_us(end)
								       : 2 * pgm_histogram_low_us(b)) /
				  1e3;
		if (calls || json_array_size(list))
			json_array_append_new(between, json_pack("[f, I]", upper_ms, (json_int_t)calls));
		if (calls) {
			json_array_extend(list, between);
			json_array_clear(between);
		}
	}
	json_decref(between);
	return list;
}

static void get_statement(struct pgm_request *request, struct pgm_reply *reply)
{
	struct pgm_history *history;
	struct pgm_history_statements wanted;
	struct pgm_history_statement *statement;
	struct pgm_history_statement_point *points;
	struct pgm_error err = {0};
	size_t count;
	if (!begin_statements(request, reply, &history, &wanted))
		return;
	if (!pgm_history_statement(history, &wanted, pgm_request_part(request, "id"), request->arena,
				   &statement, &points, &count, &err)) {
		pgm_reply_failure(reply, &err);
		return;
	}
	json_t *json = statement ? statement_json(statement) : NULL;
	if (!json) {
		pgm_reply_error(reply, 404, "not_found", "that statement was not seen in this range");
		pgm_reply_hint(reply, "Ask for a longer one: from and to.");
		return;
	}
	json_t *list = json_array();
	for (size_t i = 0; i < count; i++)
		json_array_append_new(list,
				      json_pack("[o, I, f, o, o, o]", seconds(points[i].at_ms),
						(json_int_t)points[i].calls, points[i].total_ms,
						percentile_json(points[i].percentiles, points[i].p50_ms),
						percentile_json(points[i].percentiles, points[i].p95_ms),
						percentile_json(points[i].percentiles, points[i].p99_ms)));
	json_object_set_new(json, "points", list);
	json_object_set_new(json, "histogram", histogram_json(statement->histogram));
	pgm_api_add_sampled(request, json);
	pgm_reply_data(reply, json);
}

/* ---- growth ---- */

/* Adds to json; its values are null, with why, where there is not enough history. */
static void add_growth(json_t *json, const struct pgm_growth_item *item)
{
	const struct pgm_growth *growth = &item->growth;
	double doubles =
		growth->known ? pgm_growth_days_to(growth->now, growth->slope_per_day, growth->now * 2) : NAN;
	bool soon = growth->known && growth->now > 0 && doubles >= 0 && doubles < DOUBLED_YEARS * 365.0;
	json_object_set_new(json, "size_bytes", json_real(growth->now));
	json_object_set_new(json, "days", json_integer((json_int_t)growth->days));
	json_object_set_new(json, "bytes_per_day",
			    growth->known ? json_real(growth->slope_per_day) : json_null());
	json_object_set_new(json, "bytes_per_day_low",
			    growth->known ? json_real(growth->slope_low) : json_null());
	json_object_set_new(json, "bytes_per_day_high",
			    growth->known ? json_real(growth->slope_high) : json_null());
	json_object_set_new(json, "doubles_in_days", soon ? json_real(doubles) : json_null());
	json_object_set_new(json, "bytes_in_last_day", pgm_api_number(growth->now - item->day_ago));
	json_object_set_new(json, "bytes_in_last_week", pgm_api_number(growth->now - item->week_ago));
	json_object_set_new(json, "method", growth->known ? json_string(PGM_GROWTH_METHOD) : json_null());
	json_object_set_new(json, "why", growth->known ? json_null() : json_string(growth->why));
}

static json_t *tables_json(struct pgm_arena *arena, const struct pgm_growth_item *items, size_t count)
{
	json_t *tables = json_array();
	for (size_t i = 0; i < count; i++) {
		json_t *labels = labels_json(arena, items[i].labels), *table = json_object();
		json_object_set(table, "schema", json_object_get(labels, "schema"));
		json_object_set(table, "name", json_object_get(labels, "table"));
		json_decref(labels);
		add_growth(table, &items[i]);
		json_array_append_new(tables, table);
	}
	return tables;
}

/* The watched database's own series, where there are several of the server's. */
static const struct pgm_growth_item *own_item(struct pgm_request *request,
					      const struct pgm_growth_item *items, size_t count)
{
	struct pgm_api *api = PGM_API(request);
	long place = pgm_watch_find(api->watch, pgm_request_part(request, "db"));
	struct pgm_target target = {0};
	if (place >= 0) /* it may have gone since */
		target = pgm_watch_target(api->watch, (size_t)place, request->arena);
	char *label = pgm_sprintf(request->arena, "datname=\"%s\"", target.database ? target.database : "");
	for (size_t i = 0; i < count; i++)
		if (strcmp(items[i].labels, label) == 0)
			return &items[i];
	return count ? &items[0] : NULL;
}

static void get_growth(struct pgm_request *request, struct pgm_reply *reply)
{
	struct pgm_history *history;
	struct pgm_growth_item *tables, *databases;
	struct pgm_error err = {0};
	size_t table_count, database_count;
	int64_t from_ms, to_ms;
	const char *db = pgm_request_part(request, "db");
	double disk = pgm_request_number(request, "disk_bytes", NAN);
	if (!begin(request, reply, &history, &from_ms, &to_ms))
		return;
	if (!pgm_history_growth(history, db, TABLE_BYTES, TABLES_SHOWN, request->arena, &tables, &table_count,
				&err) ||
	    !pgm_history_growth(history, db, "pg_database_size_bytes", 1000, request->arena, &databases,
				&database_count, &err)) {
		pgm_reply_failure(reply, &err);
		return;
	}
	const struct pgm_growth_item *own = own_item(request, databases, database_count);
	json_t *database = json_null();
	if (own) {
		database = json_object();
		add_growth(database, own);
		double full = own->growth.known && isfinite(disk)
				      ? pgm_growth_days_to(own->growth.now, own->growth.slope_per_day, disk)
				      : NAN;
		json_object_set_new(database, "disk_full_in_days", full >= 0 ? json_real(full) : json_null());
	}
	pgm_reply_data(reply, json_pack("{s:o, s:o}", "database", database, "tables",
					tables_json(request->arena, tables, table_count)));
}

/* ---- routes ---- */

#define FROM                                                                                                 \
	{                                                                                                    \
		"from", PGM_IN_QUERY, PGM_PARAM_TIME, false, "the begin; an hour before the end", 0, 0, NULL \
	}
#define TO                                                                            \
	{                                                                             \
		"to", PGM_IN_QUERY, PGM_PARAM_TIME, false, "the end; now", 0, 0, NULL \
	}
#define SOURCE                                                                                              \
	{                                                                                                   \
		"source", PGM_IN_QUERY, PGM_PARAM_ENUM, false, "who counted; any: the pooler where it did", \
			0, 0, sources                                                                       \
	}

static const struct pgm_param series_params[] = {
	{"metric", PGM_IN_QUERY, PGM_PARAM_TEXT, true, "its name in docs/metrics.md", 0, 200, NULL},
	{"labels", PGM_IN_QUERY, PGM_PARAM_TEXT, false, "only series with this label, as name=\"value\"", 0,
	 0, NULL},
	FROM,
	TO,
	{"step", PGM_IN_QUERY, PGM_PARAM_INT, false, "seconds between points; raised where that is too fine",
	 10, 86400, NULL},
	{"limit", PGM_IN_QUERY, PGM_PARAM_INT, false, "series at most", 1, 1000, NULL},
	{0},
};

static const struct pgm_param statements_params[] = {
	FROM,
	TO,
	{"sort", PGM_IN_QUERY, PGM_PARAM_ENUM, false, "what comes first", 0, 0, orders},
	{"limit", PGM_IN_QUERY, PGM_PARAM_INT, false, "statements at most", 1, 1000, NULL},
	SOURCE,
	{0},
};

static const struct pgm_param statement_params[] = {FROM, TO, SOURCE, {0}};

static const struct pgm_param growth_params[] = {
	{"disk_bytes", PGM_IN_QUERY, PGM_PARAM_NUMBER, false,
	 "room for the database, for the day when it is full", 0, 0, NULL},
	FROM,
	TO,
	{0},
};

const struct pgm_route pgm_api_history_routes[] = {
	{PGM_GET, "/api/v1/databases/{db}/series", PGM_ROLE_VIEWER, get_series,
	 "a metric over time; counters as rates", series_params, PGM_ROUTE_SLOW, "history"},
	{PGM_GET, "/api/v1/databases/{db}/statements", PGM_ROLE_VIEWER, get_statements,
	 "statements of a range of time, with percentiles where they are known", statements_params,
	 PGM_ROUTE_SLOW, "history"},
	{PGM_GET, "/api/v1/databases/{db}/statements/{id}", PGM_ROLE_VIEWER, get_statement,
	 "one statement, in all and over time", statement_params, PGM_ROUTE_SLOW, "history"},
	{PGM_GET, "/api/v1/databases/{db}/growth", PGM_ROLE_VIEWER, get_growth,
	 "how the database and its tables grow, and where that leads", growth_params, PGM_ROUTE_SLOW,
	 "history"},
	{0},
};
