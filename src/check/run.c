#include "check/run.h"
#include "check/words.h"

#include "util/clock.h"
#include "util/format.h"
#include "util/nearest.h"

#include <stdlib.h>
#include <string.h>

/* JIT and parallel workers would take from the server what a look should leave alone. Some lists are long:
 * 50,000 indexes fit in that work_mem. */
static const char begin_sql[] = PGM_CONN_MARKER
	"BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; SET LOCAL lock_timeout = 200; SET LOCAL jit = off; "
	"SET LOCAL max_parallel_workers_per_gather = 0; SET LOCAL work_mem = '16MB'";

struct run {
	struct pgm_conn *conn;
	struct pgm_arena *arena;
	const struct pgm_check_options *options;
	struct pgm_check_server server;
	struct pgm_check_host host;
	char *texts; /* of statements, once a check wanted them */
};

/* What the words of one check's SQL stand for. */
struct words {
	struct run *run;
	const struct pgm_check *check;
	const char *params[PGM_CHECK_THRESHOLDS_MAX + 1]; /* and the texts of statements */
	bool wants_texts;
};

static const char *threshold_value(const struct run *run, const struct pgm_check *check, size_t which)
{
	const struct pgm_check_threshold *threshold = &check->thresholds[which];
	const char *value = threshold->value;
	size_t id = strlen(check->id), name = strlen(threshold->name);
	for (size_t i = 0; i < run->options->threshold_count; i++) {
		const char *given = run->options->thresholds[i];
		if (strncmp(given, check->id, id) == 0 && given[id] == '.' &&
		    strncmp(given + id + 1, threshold->name, name) == 0 && given[id + 1 + name] == '=')
			value = given + id + 1 + name + 1;
	}
	return value;
}

static const char *word_value(const char *name, void *arg)
{
	struct words *words = arg;
	struct pgm_arena *arena = words->run->arena;
	const struct pgm_check *check = words->check;
	for (size_t i = 0; i < check->threshold_count; i++)
		if (strcmp(check->thresholds[i].name, name) == 0)
			return pgm_sprintf(arena, "$%zu", i + 1);
	for (size_t i = 0; i < check->probe_count; i++) {
		const struct pgm_check_probe *probe = &check->probes[i];
		const char *column = pgm_sprintf(arena, "%s.%s", probe->relation, probe->column);
		if (strcmp(probe->name, name) == 0)
			return pgm_map_get(&words->run->server.columns, column) ? probe->present
										: probe->absent;
	}
	if (check->extension && strcmp(name, pgm_sprintf(arena, "%s_schema", check->extension)) == 0)
		return pgm_map_get(&words->run->server.schemas, check->extension);
	if (strcmp(name, "masked_query") == 0)
		return pgm_check_masked_query;
	if (strcmp(name, "statement_texts") == 0) {
		words->wants_texts = true;
		return pgm_check_texts_source(arena, check->threshold_count + 1);
	}
	return pgm_check_host_word(arena, &words->run->host, name);
}

static void explain_failure(struct run *run, struct pgm_check_result *result, const struct pgm_error *failed,
			    int64_t timeout_ms)
{
	struct pgm_arena *arena = run->arena;
	result->reason = pgm_strdup(arena, failed->message);
	result->hint = pgm_strdup(arena, failed->hint);
	if (strcmp(failed->sqlstate, "57014") == 0) {
		result->reason = pgm_sprintf(arena, "it took longer than %s",
					     pgm_format_ms(arena, (double)timeout_ms));
		result->hint = "Give it more time with --timeout.";
	} else if (strcmp(failed->sqlstate, "55P03") == 0) {
		result->reason = "a relation that it reads is locked by another session";
		result->hint = "Run it again when that session has ended.";
	} else if (failed->kind == PGM_ERR_RIGHTS) {
		static const char function[] = "permission denied for function ";
		if (strncmp(failed->message, function, strlen(function)) == 0)
			result->hint = pgm_sprintf(arena, "GRANT EXECUTE ON FUNCTION pg_catalog.%s() TO %s;",
						   failed->message + strlen(function), run->server.user);
		else
			result->hint = pgm_sprintf(arena, "GRANT pg_monitor TO %s;", run->server.user);
	}
}

/* The check's SQL, and what it needs beside its thresholds. */
static bool prepare_sql(struct words *words, const char **sql, size_t *param_count, struct pgm_error *err)
{
	struct run *run = words->run;
	*sql = pgm_sprintf(run->arena,
			   "SELECT pg_catalog.to_jsonb(f) FROM (\n%s\n) AS f "
			   "ORDER BY f.impact DESC LIMIT %d",
			   pgm_check_expand(run->arena, words->check->sql, word_value, words),
			   PGM_CHECK_MAX_FINDINGS * 2);
	*param_count = words->check->threshold_count;
	if (!words->wants_texts)
		return true;
	if (!run->texts &&
	    !pgm_check_texts_read(run->conn, run->arena,
				  pgm_map_get(&run->server.schemas, "pg_stat_statements"), &run->texts, err))
		return false;
	words->params[(*param_count)++] = run->texts;
	return true;
}

/* One statement in a savepoint of its own. False only where the whole run must end. */
static bool run_sql(struct run *run, struct pgm_check_result *result, struct pgm_error *err)
{
	const struct pgm_check *check = result->check;
	struct pgm_arena *arena = run->arena;
	int64_t timeout_ms = run->options->timeout_ms ? run->options->timeout_ms : PGM_CHECK_TIMEOUT_MS;
	struct words words = {.run = run, .check = check};
	for (size_t i = 0; i < check->threshold_count; i++)
		words.params[i] = threshold_value(run, check, i);
	const char *prepare = pgm_sprintf(
		arena, PGM_CONN_MARKER "SAVEPOINT pgmend_check; SET LOCAL statement_timeout = %lld",
		(long long)timeout_ms);
	const char *sql;
	size_t param_count;
	if (!pgm_conn_exec(run->conn, prepare, err))
		return false;
	struct pgm_error failed = {0};
	struct pgm_rows rows;
	if (prepare_sql(&words, &sql, &param_count, &failed) &&
	    pgm_conn_query(run->conn, arena, sql, param_count, words.params, &rows, &failed) &&
	    pgm_check_read_rows(arena, &rows, run->options, result, &failed))
		return pgm_conn_exec(run->conn, PGM_CONN_MARKER "RELEASE SAVEPOINT pgmend_check", err);
	if (failed.kind == PGM_ERR_CANCELED || !pgm_conn_alive(run->conn)) {
		if (err)
			*err = failed;
		return false;
	}
	explain_failure(run, result, &failed, timeout_ms);
	return pgm_conn_exec(run->conn, PGM_CONN_MARKER "ROLLBACK TO SAVEPOINT pgmend_check", err);
}

static bool run_one(struct run *run, struct pgm_check_result *result, struct pgm_error *err)
{
	double start_ms = pgm_clock_ms();
	result->hint = "";
	if (pgm_check_server_suits(run->arena, &run->server, result->check, result) &&
	    !run_sql(run, result, err))
		return false;
	result->status = result->reason		 ? PGM_CHECK_SKIPPED
			 : result->finding_count ? PGM_CHECK_FOUND
						 : PGM_CHECK_OK;
	result->elapsed_ms = pgm_clock_ms() - start_ms;
	return true;
}

static bool named(const struct pgm_check *check, const char *const *names, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (strcmp(names[i], check->id) == 0 || strcmp(names[i], check->family) == 0)
			return true;
	return false;
}

/* Each name must be that of a check or of a family. */
static bool names_exist(const struct pgm_check *checks, size_t count, const char *const *names,
			size_t name_count, struct pgm_error *err)
{
	for (size_t n = 0; n < name_count; n++) {
		bool family = false;
		for (size_t i = 0; i < count; i++)
			family = family || strcmp(checks[i].family, names[n]) == 0;
		if (!family && !pgm_check_find(checks, count, names[n], err))
			return false;
	}
	return true;
}

static bool threshold_exists(struct pgm_arena *arena, const struct pgm_check *checks, size_t count,
			     const char *given, struct pgm_error *err)
{
	const char *dot = strchr(given, '.');
	const char *equals = dot ? strchr(dot, '=') : NULL;
	char *end = NULL;
	if (equals)
		strtod(equals + 1, &end);
	if (!equals || end == equals + 1 || *end) {
		pgm_error_set(err, PGM_ERR_USAGE, "\"%s\" is no threshold", given);
		return pgm_error_hint(err, "Write it as fk_without_index.small_rows=5000.");
	}
	const struct pgm_check *check =
		pgm_check_find(checks, count, pgm_strndup(arena, given, (size_t)(dot - given)), err);
	if (!check)
		return false;
	const char *name = pgm_strndup(arena, dot + 1, (size_t)(equals - dot) - 1);
	const char *names[PGM_CHECK_THRESHOLDS_MAX];
	for (size_t i = 0; i < check->threshold_count; i++) {
		names[i] = check->thresholds[i].name;
		if (strcmp(names[i], name) == 0)
			return true;
	}
	pgm_error_set(err, PGM_ERR_USAGE, "the check %s has no threshold \"%s\"", check->id, name);
	const char *nearest = pgm_nearest(name, names, check->threshold_count);
	return nearest ? pgm_error_hint(err, "Perhaps you mean %s.%s.", check->id, nearest) : false;
}

bool pgm_check_options_valid(struct pgm_arena *arena, const struct pgm_check *checks, size_t count,
			     const struct pgm_check_options *options, struct pgm_error *err)
{
	if (!names_exist(checks, count, options->only, options->only_count, err) ||
	    !names_exist(checks, count, options->skip, options->skip_count, err))
		return false;
	for (size_t i = 0; i < options->threshold_count; i++)
		if (!threshold_exists(arena, checks, count, options->thresholds[i], err))
			return false;
	return true;
}

static void sum_up(struct pgm_arena *arena, struct pgm_check_report *report)
{
	for (size_t i = 0; i < report->result_count; i++) {
		report->finding_count += report->results[i].finding_count;
		report->ignored += report->results[i].ignored;
		report->judged += report->results[i].status != PGM_CHECK_SKIPPED;
	}
	report->findings = PGM_NEW_ARRAY(arena, const struct pgm_finding *, report->finding_count + 1);
	size_t at = 0;
	for (size_t i = 0; i < report->result_count; i++)
		for (size_t f = 0; f < report->results[i].finding_count; f++) {
			report->findings[at] = &report->results[i].findings[f];
			report->counts[report->findings[at++]->severity]++;
		}
	qsort(report->findings, report->finding_count, sizeof(*report->findings), pgm_check_compare_pointers);
}

static bool run_chosen(struct run *run, const struct pgm_check *checks, size_t count,
		       struct pgm_check_report *report, struct pgm_error *err)
{
	const struct pgm_check_options *options = run->options;
	report->results = PGM_NEW_ARRAY(run->arena, struct pgm_check_result, count);
	for (size_t i = 0; i < count; i++) {
		if ((options->only_count && !named(&checks[i], options->only, options->only_count)) ||
		    named(&checks[i], options->skip, options->skip_count))
			continue;
		struct pgm_check_result *result = &report->results[report->result_count++];
		result->check = &checks[i];
		if (!run_one(run, result, err))
			return false;
	}
	return true;
}

bool pgm_check_run(struct pgm_conn *conn, struct pgm_arena *arena, const struct pgm_check_options *options,
		   struct pgm_check_report *report, struct pgm_error *err)
{
	const struct pgm_check *checks;
	size_t count;
	double start_ms = pgm_clock_ms();
	memset(report, 0, sizeof(*report));
	if (!pgm_check_catalogue(arena, &checks, &count, err) ||
	    !pgm_check_options_valid(arena, checks, count, options, err))
		return false;
	if (!pgm_conn_exec(conn, begin_sql, err))
		return false;
	struct run run = {.conn = conn, .arena = arena, .options = options};
	struct pgm_rows rows;
	bool ok =
		pgm_check_server_read(conn, arena, checks, count, &run.server, err) &&
		pgm_check_host_read(conn, arena, &run.host, err) &&
		pgm_conn_query(
			conn, arena,
			"SELECT pg_catalog.split_part(pg_catalog.current_setting('server_version'), ' ', 1), "
			"pg_catalog.to_char(pg_catalog.now() AT TIME ZONE 'UTC', "
			"'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"')",
			0, NULL, &rows, err) &&
		run_chosen(&run, checks, count, report, err);
	pgm_conn_exec_quietly(conn, PGM_CONN_MARKER "ROLLBACK");
	if (!ok) {
		pgm_check_report_done(report);
		return pgm_error_context(err, "checking %s", pgm_conn_database(conn));
	}
	report->database = pgm_strdup(arena, pgm_conn_database(conn));
	report->server_version = pgm_rows_text(&rows, 0, 0);
	report->taken_at = pgm_rows_text(&rows, 0, 1);
	report->standby = run.server.standby;
	sum_up(arena, report);
	report->elapsed_ms = pgm_clock_ms() - start_ms;
	return true;
}

void pgm_check_report_done(struct pgm_check_report *report)
{
	for (size_t i = 0; i < report->result_count; i++)
		for (size_t f = 0; f < report->results[i].finding_count; f++)
			json_decref(report->results[i].findings[f].evidence);
	report->result_count = 0;
	report->finding_count = 0;
}
