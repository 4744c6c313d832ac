#include "serve/api/statements.h"

#include "pool/console/view.h"
#include "serve/api/begin.h"
#include "serve/api/watch.h"
#include "serve/watch/watch.h"
#include "workload/generic_plan.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define ANSWER_MS     2000.0 /* of the pooler */
#define WORKLOAD_ROWS 2000   /* statements that advise weighs, by total time */

/* Ids are signed in JSON, as pg_stat_statements has them. */
static uint64_t number_of(const char *id)
{
	return (uint64_t)strtoll(id, NULL, 10);
}

const char *pgm_api_fingerprint(struct pgm_arena *arena, const char *id)
{
	return pgm_sprintf(arena, "%016" PRIx64, number_of(id));
}

static const struct pgm_statement_row *row_in(const struct pgm_statements *statements, const char *id)
{
	uint64_t number = number_of(id);
	for (size_t i = 0; statements && i < statements->count; i++)
		if (statements->rows[i].id == number && *statements->rows[i].text)
			return &statements->rows[i];
	return NULL;
}

/* By the pooler or by the server, as the watch saw it last; *from: where it was found. */
static const struct pgm_statement_row *find_row(const struct pgm_snapshot *snapshot, const char *id,
						const struct pgm_statements **from)
{
	const struct pgm_statement_row *row = row_in(*from = snapshot->profile, id);
	return row ? row : row_in(*from = snapshot->statements, id);
}

static void not_known(struct pgm_reply *reply)
{
	pgm_reply_error(reply, 404, "not_found", "that statement is not among those that are known now");
	pgm_reply_hint(reply, "What has not run for long is forgotten by the server and by the pooler.");
}

/* ---- what the pooler sampled ---- */

/* Of one statement: freed by the caller; NULL where there is no pooler, or it does not answer. */
static struct pgm_pool_view *ask_pooler(const struct pgm_request *request, const char *id)
{
	const struct pgm_serve_config *config = PGM_API(request)->config;
	struct pgm_error ignored = {0};
	if (!config || !config->has_pool)
		return NULL;
	return pgm_pool_view_statement(number_of(id), ANSWER_MS, &ignored);
}

/* In the path's {db}, the row of the user with the most time, or NULL; *longest: burst of all users'. */
static const struct pgm_profile_row *profile_row(const struct pgm_request *request,
						 const struct pgm_pool_view *view, uint64_t *longest)
{
	const struct pgm_profile_row *found = NULL;
	const char *database = pgm_request_part(request, "db");
	*longest = 0;
	for (size_t i = 0; view && view->profile && i < view->profile->row_count; i++) {
		const struct pgm_profile_row *row = view->profile->rows[i];
		if (!row->database || strcmp(row->database, database) != 0)
			continue;
		found = found ? found : row;
		*longest = row->burst_max > *longest ? row->burst_max : *longest;
	}
	return found;
}

/* Values go; how often one came, and how slow the slowest were, stays. */
static void hide_values(json_t *sampled)
{
	size_t i, k;
	json_t *item, *top;
	json_array_clear(json_object_get(sampled, "samples"));
	json_array_foreach(json_object_get(sampled, "slowest"), i, item)
		json_object_set_new(item, "query", json_null());
	json_array_foreach(json_object_get(sampled, "values"), i, item)
		json_array_foreach(json_object_get(item, "top"), k, top)
			json_object_set_new(top, "value", json_null());
}

static json_t *wait_json(const struct pgm_histogram *wait)
{
	return json_pack("{s:f, s:f, s:f}", "p50_ms", (double)pgm_histogram_percentile_us(wait, 50) / 1e3,
			 "p95_ms", (double)pgm_histogram_percentile_us(wait, 95) / 1e3, "max_ms",
			 (double)wait->max_us / 1e3);
}

static json_t *errors_json(const struct pgm_profile_row *row)
{
	json_t *errors = json_object();
	for (size_t i = 0; i < PGM_PROFILE_SQLSTATES && *row->sqlstates[i].code; i++)
		json_object_set_new(errors, row->sqlstates[i].code,
				    json_integer((json_int_t)row->sqlstates[i].count));
	return errors;
}

static bool may_see_values(const struct pgm_request *request)
{
	const struct pgm_serve_config *config = PGM_API(request)->config;
	return config && config->show_values && request->role >= PGM_ROLE_OPERATOR;
}

void pgm_api_add_sampled(struct pgm_request *request, json_t *statement)
{
	uint64_t longest;
	bool shown = may_see_values(request);
	struct pgm_pool_view *view = ask_pooler(request, pgm_request_part(request, "id"));
	const struct pgm_profile_row *row = profile_row(request, view, &longest);
	json_t *sampled = row ? json_object() : json_null(),
	       *bursts = json_object_get(statement, "n_plus_one");
	if (row) {
		pgm_profile_values_json(sampled, row);
		json_object_set_new(sampled, "since", pgm_api_time_ms(view->profile->since_unix_us / 1000));
		json_object_set_new(sampled, "values_shown", json_boolean(shown));
		json_object_set_new(sampled, "wait", wait_json(&row->wait));
		json_object_set_new(sampled, "errors", errors_json(row));
		if (!shown)
			hide_values(sampled);
	}
	if (json_is_object(bursts) && longest)
		json_object_set_new(bursts, "longest", json_integer((json_int_t)longest));
	json_object_set_new(statement, "sampled", sampled);
	pgm_pool_view_free(view);
}

/* ---- the plan ---- */

/* Why there is no plan, in words: what the server said, and what may be done. */
static void not_planned(struct pgm_reply *reply, const struct pgm_conn *conn, const struct pgm_error *err)
{
	static const struct {
		const char *sqlstate, *hint;
	} reasons[] = {
		{"42P01",
		 "Names are looked up along the search_path of the role that watches; the "
		 "application's may be another. ALTER ROLE ... SET search_path can make them the same."},
		{"42703", "A column of that name is gone, or is in another schema's table."},
		{"42501", "The role that watches needs SELECT on the tables of the statement."},
		{"42P18", "Without its values the type of a parameter cannot be told."},
		{"42725", "Without its values the type of a parameter cannot be told."},
		{"42601", "Normalizing has left a text that is no SQL any more."},
		{"55P03", "Somebody holds a strong lock on one of its tables. Try again in a moment."},
		{"57014", "Planning took longer than 5 s."},
	};
	if (!conn || err->kind == PGM_ERR_CONNECT || !pgm_conn_alive(conn)) {
		pgm_reply_failure(reply, err);
		return;
	}
	pgm_reply_error(reply, 422, "not_planned", "the server does not plan it: %s", err->message);
	if (*err->hint)
		pgm_reply_hint(reply, "%s", err->hint);
	for (size_t i = 0; i < sizeof(reasons) / sizeof(*reasons); i++)
		if (strcmp(err->sqlstate, reasons[i].sqlstate) == 0)
			pgm_reply_hint(reply, "%s", reasons[i].hint);
}

/* A sample, where values may be seen: for a statement that has no plan without them. */
static char *sample_of(struct pgm_request *request, bool pooled)
{
	uint64_t longest;
	struct pgm_pool_view *view = pooled && may_see_values(request)
					     ? ask_pooler(request, pgm_request_part(request, "id"))
					     : NULL;
	const struct pgm_profile_row *row = profile_row(request, view, &longest);
	char *sample = row && row->sample_count ? pgm_strdup(request->arena, row->samples[0]) : NULL;
	pgm_pool_view_free(view);
	return sample;
}

static void reply_plan(struct pgm_request *request, struct pgm_reply *reply, const char *database,
		       const char *text, bool pooled)
{
	struct pgm_error err = {0}, again = {0};
	struct pgm_generic_plan plan;
	PGM_AUTO_CONN conn = pgm_api_connect(request, database, &err);
	bool ok = conn && pgm_generic_plan(conn, request->arena, text, &plan, &err);
	const char *sample = conn && !ok ? sample_of(request, pooled) : NULL, *kind = "generic";
	if (sample && pgm_generic_plan(conn, request->arena, sample, &plan, &again)) {
		ok = true;
		kind = "sample";
	}
	json_t *json = ok ? json_loads(plan.json, JSON_REJECT_DUPLICATES, NULL) : NULL;
	if (!ok) {
		not_planned(reply, conn, &err);
		return;
	}
	pgm_reply_data(reply, json_pack("{s:s, s:o, s:o}", "kind", kind, "text", pgm_job_text(plan.text),
					"json", json ? json : json_null()));
}

static void get_plan(struct pgm_request *request, struct pgm_reply *reply)
{
	const struct pgm_statements *from;
	const char *database = pgm_api_database(request, reply);
	const struct pgm_snapshot *snapshot = database ? pgm_api_snapshot(request, reply) : NULL;
	if (!snapshot)
		return;
	const struct pgm_statement_row *row = find_row(snapshot, pgm_request_part(request, "id"), &from);
	char *text = row ? pgm_strdup(request->arena, row->text) : NULL;
	bool pooled = from == snapshot->profile;
	pgm_snapshot_release(snapshot);
	if (text)
		reply_plan(request, reply, database, text, pooled);
	else
		not_known(reply);
}

/* ---- the workload, for advice ---- */

static json_t *workload_row(const struct pgm_statement_row *row)
{
	return json_pack("{s:o, s:o, s:f, s:f, s:{s:f}}", "fingerprint", json_sprintf("%016" PRIx64, row->id),
			 "query", pgm_job_text(row->text), "calls", row->calls, "rows", row->rows, "server",
			 "total_ms", row->total_ms);
}

static json_t *workload_json(const struct pgm_statements *from, const struct pgm_statement_row *wanted,
			     const struct pgm_profile_row *values)
{
	json_t *list = json_array();
	for (size_t i = 0; i < from->count; i++) {
		const struct pgm_statement_row *row = &from->rows[i];
		if (row != wanted && (i >= WORKLOAD_ROWS || !*row->text))
			continue;
		json_t *json = workload_row(row);
		if (row == wanted && values)
			pgm_profile_values_json(json, values);
		json_array_append_new(list, json);
	}
	return json_pack("{s:i, s:o}", "pgmend_profile", 1, "statements", list);
}

char *pgm_api_workload(struct pgm_request *request, struct pgm_reply *reply, const char *id,
		       const char **fingerprint)
{
	const struct pgm_statements *from;
	uint64_t longest;
	char *text = NULL;
	const struct pgm_snapshot *snapshot = pgm_api_snapshot(request, reply);
	if (!snapshot)
		return NULL;
	*fingerprint = pgm_api_fingerprint(request->arena, id);
	const struct pgm_statement_row *row = find_row(snapshot, id, &from);
	if (row) {
		/* The Plan keeps a text with values, to measure it: not with those that are hidden. */
		struct pgm_pool_view *view =
			from == snapshot->profile && may_see_values(request) ? ask_pooler(request, id) : NULL;
		json_t *json = workload_json(from, row, profile_row(request, view, &longest));
		text = json_dumps(json, JSON_COMPACT);
		json_decref(json);
		pgm_pool_view_free(view);
	}
	pgm_snapshot_release(snapshot);
	if (!row)
		not_known(reply);
	else if (!text)
		pgm_reply_error(reply, 500, "internal", "the workload could not be written");
	return text;
}

const struct pgm_route pgm_api_statements_routes[] = {
	{PGM_GET, PGM_API_DATABASE "/statements/{id}/plan", PGM_ROLE_OPERATOR, get_plan,
	 "The plan of a statement for values that are not known (EXPLAIN without ANALYZE)", NULL,
	 PGM_ROUTE_SLOW, "history"},
	{.path = NULL},
};
