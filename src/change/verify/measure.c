#include "change/verify/measure.h"

#include "change/verify/indexes.h"
#include "change/verify/safety.h"
#include "change/verify/writes.h"
#include "pg/explain.h"
#include "util/buf.h"
#include "util/clock.h"
#include "util/hash.h"

#include <string.h>

struct pgm_verify_options pgm_verify_defaults(void)
{
	return (struct pgm_verify_options){
		.runs = PGM_VERIFY_RUNS_DEFAULT,
		.statement_limit_ms = 30e3,
		.budget_ms = 60e3,
		.sample_rows = 5000,
	};
}

/* What the server says of a statement with $1 in it: it was given no values. */
static bool lacks_values(const struct pgm_error *err)
{
	return strcmp(err->sqlstate, "08P01") == 0 || strcmp(err->sqlstate, "42P02") == 0;
}

/* Errors after which nothing more can be measured: all others are told with their statement. */
static bool fatal(const struct pgm_conn *conn, const struct pgm_error *err)
{
	if (lacks_values(err))
		return false;
	return err->kind == PGM_ERR_CANCELED || err->kind == PGM_ERR_CONNECT || !pgm_conn_alive(conn);
}

/* A read-only transaction in which names are looked up as the user's application does. */
static bool enter(struct pgm_conn *conn, struct pgm_arena *arena, double limit_ms, struct pgm_error *err)
{
	const char *params[] = {pgm_conn_search_path(conn), pgm_sprintf(arena, "%.0f", limit_ms)};
	struct pgm_rows rows;
	return pgm_conn_exec(conn, PGM_CONN_MARKER "BEGIN READ ONLY", err) &&
	       pgm_conn_query(conn, arena,
			      "SELECT pg_catalog.set_config('search_path', $1, true), "
			      "pg_catalog.set_config('statement_timeout', $2, true)",
			      2, params, &rows, err);
}

static bool explain(struct pgm_conn *conn, struct pgm_arena *arena, const char *options, const char *sql,
		    double limit_ms, struct pgm_explain *plan, struct pgm_error *err)
{
	bool ok = enter(conn, arena, limit_ms, err) && pgm_explain_run(conn, arena, options, sql, plan, err);
	pgm_conn_exec_quietly(conn, "ROLLBACK");
	return ok;
}

struct samples {
	double time_ms[PGM_VERIFY_RUNS_MAX];
	double hit[PGM_VERIFY_RUNS_MAX];
	double read[PGM_VERIFY_RUNS_MAX];
	size_t count;
};

static void take_samples(struct pgm_measure *measure, struct samples *samples)
{
	measure->time_ms = pgm_spread_of(samples->time_ms, samples->count);
	measure->hit_blocks = pgm_median(samples->hit, samples->count);
	measure->read_blocks = pgm_median(samples->read, samples->count);
}

/* Sets *stop where there are to be no more runs; false: fatal. */
static bool run_once(struct pgm_conn *conn, const char *sql, struct pgm_measure *measure,
		     struct samples *samples, bool *stop, struct pgm_arena *keep, struct pgm_error *err)
{
	PGM_AUTO_ARENA scratch = pgm_arena_new(0);
	struct pgm_error failed = {0};
	struct pgm_explain plan;
	/* TIMING OFF: reading the clock for each row of each node can double a statement's time. */
	if (explain(conn, scratch, "ANALYZE, BUFFERS, TIMING OFF", sql, measure->limit_ms, &plan, &failed)) {
		samples->time_ms[samples->count] = plan.execution_ms;
		samples->hit[samples->count] = plan.root->hit_blocks;
		samples->read[samples->count] = plan.root->read_blocks;
		samples->count++;
		measure->rows = plan.root->actual_rows;
		return true;
	}
	*stop = true;
	if (fatal(conn, &failed)) {
		*err = failed;
		return false;
	}
	if (strcmp(failed.sqlstate, "57014") == 0) {
		measure->state = PGM_MEASURE_TIMED_OUT;
		return true;
	}
	measure->state = PGM_MEASURE_PLANNED;
	measure->reason = pgm_sprintf(keep, "it fails: %s", failed.message);
	return true;
}

/*
 * The first run only warms caches up, unless the deadline passes during it: then it is the measurement.
 */
static bool execute(struct pgm_conn *conn, struct pgm_arena *arena, const char *sql, int runs,
		    double deadline_ms, struct pgm_measure *measure, bool *budget_spent,
		    struct pgm_error *err)
{
	struct samples samples = {0};
	bool stop = false;
	measure->state = PGM_MEASURE_TIMED;
	if (!run_once(conn, sql, measure, &samples, &stop, arena, err))
		return false;
	if (!stop && pgm_clock_ms() >= deadline_ms) {
		measure->cold = *budget_spent = stop = true;
	} else if (!stop) {
		samples.count = 0;
	}
	for (int i = 0; i < runs && !stop; i++) {
		if (!run_once(conn, sql, measure, &samples, &stop, arena, err))
			return false;
		if (!stop && i + 1 < runs && pgm_clock_ms() >= deadline_ms)
			*budget_spent = stop = true;
	}
	take_samples(measure, &samples);
	return true;
}

/* The plan that PostgreSQL makes without looking at values. */
static bool explain_generic(struct pgm_conn *conn, struct pgm_arena *arena, const char *sql,
			    struct pgm_explain *plan, struct pgm_error *err)
{
	struct pgm_rows rows;
	const char *prepare = pgm_sprintf(arena, "PREPARE pgmend_generic AS %s", sql);
	if (!enter(conn, arena, PGM_CONN_STATEMENT_TIMEOUT_MS, err) ||
	    !pgm_conn_query(conn, arena, prepare, 0, NULL, &rows, err)) {
		pgm_conn_exec_quietly(conn, "ROLLBACK");
		return false;
	}
	bool ok = pgm_conn_query(conn, arena,
				 "SELECT pg_catalog.cardinality(parameter_types), "
				 "pg_catalog.set_config('plan_cache_mode', 'force_generic_plan', true) "
				 "FROM pg_catalog.pg_prepared_statements WHERE name = 'pgmend_generic'",
				 0, NULL, &rows, err);
	if (ok) {
		struct pgm_buf execute;
		pgm_buf_init(&execute, arena);
		for (int64_t i = 0; i < pgm_rows_int(&rows, 0, 0); i++)
			pgm_buf_add(&execute, i ? ", NULL" : "EXECUTE pgmend_generic (NULL");
		pgm_buf_char(&execute, ')');
		ok = pgm_explain_run(conn, arena, "VERBOSE", execute.text, plan, err);
	}
	pgm_conn_exec_quietly(conn, "ROLLBACK");
	pgm_conn_exec_quietly(conn, "DEALLOCATE pgmend_generic"); /* it outlives the transaction */
	return ok;
}

static bool plan_it(struct pgm_conn *conn, struct pgm_arena *arena, const char *sql,
		    struct pgm_measure *measure, struct pgm_explain *plan, bool *generic,
		    struct pgm_error *err)
{
	struct pgm_error failed = {0};
	*generic = false;
	if (explain(conn, arena, "VERBOSE", sql, PGM_CONN_STATEMENT_TIMEOUT_MS, plan, &failed))
		return true;
	if (lacks_values(&failed)) {
		*generic = true;
		failed = (struct pgm_error){0};
		if (explain_generic(conn, arena, sql, plan, &failed))
			return true;
	}
	*err = failed;
	measure->state = PGM_MEASURE_FAILED;
	measure->reason = pgm_strdup(arena, failed.message);
	return false;
}

bool pgm_measure_statement(struct pgm_conn *conn, struct pgm_arena *arena,
			   const struct pgm_plan_statement *statement, const char *schemas, bool may_execute,
			   const struct pgm_verify_options *options, double deadline_ms,
			   struct pgm_measure *measure, bool *budget_spent, struct pgm_error *err)
{
	*measure = (struct pgm_measure){
		.id = statement->id,
		.hash = pgm_sprintf(arena, "%016llx", (unsigned long long)pgm_hash_string(statement->sql)),
		.text = statement->text ? statement->text : statement->sql,
		.state = PGM_MEASURE_PLANNED,
		.reason = "",
		.headline = "",
		.limit_ms = options->statement_limit_ms,
	};
	enum pgm_safety safety;
	if (!pgm_safety_of(conn, arena, statement, schemas, &safety, &measure->reason, err))
		return false;
	if (safety == PGM_SAFETY_REFUSE) {
		measure->state = PGM_MEASURE_FAILED;
		return true;
	}
	struct pgm_explain plan;
	bool generic;
	struct pgm_error failed = {0};
	if (!plan_it(conn, arena, statement->sql, measure, &plan, &generic, &failed)) {
		if (fatal(conn, &failed)) {
			*err = failed;
			return false;
		}
		return true;
	}
	measure->cost = plan.root->total_cost;
	measure->headline = pgm_explain_headline(arena, &plan);
	pgm_indexes_used(arena, &plan, measure);
	if (generic)
		measure->reason = "it has parameters without values (this is its generic plan)";
	if (generic || safety != PGM_SAFETY_EXECUTE || !may_execute)
		return true;
	return execute(conn, arena, statement->sql, options->runs, deadline_ms, measure, budget_spent, err);
}

static bool begin(struct pgm_conn *conn, struct pgm_arena *arena, const struct pgm_plan *plan,
		  struct pgm_measures *measures, struct pgm_error *err)
{
	char *now;
	*measures = (struct pgm_measures){
		.plan_id = plan->id,
		.database = pgm_strdup(arena, pgm_conn_database(conn)),
		.server_version = pgm_conn_version(conn),
		.items = PGM_NEW_ARRAY(arena, struct pgm_measure, plan->statement_count),
		.count = plan->statement_count,
	};
	if (!pgm_conn_value(conn, arena,
			    "SELECT pg_catalog.to_char(pg_catalog.clock_timestamp() AT TIME ZONE 'UTC', "
			    "'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"')",
			    0, NULL, &now, err))
		return false;
	measures->taken_at = now;
	return true;
}

bool pgm_measure_prepare(struct pgm_conn *conn, struct pgm_arena *arena, const struct pgm_plan **plan,
			 const char **schemas, struct pgm_error *err)
{
	char *found;
	struct pgm_plan *resolved;
	if (!pgm_safety_schemas(conn, arena, &found, err) ||
	    !pgm_indexes_resolve(conn, arena, *plan, found, &resolved, err))
		return false;
	*schemas = found;
	*plan = resolved;
	return true;
}

bool pgm_measure_all(struct pgm_conn *conn, struct pgm_arena *arena, const struct pgm_plan *plan,
		     const char *schemas, const struct pgm_verify_options *options, bool may_execute,
		     struct pgm_measures *measures, struct pgm_error *err)
{
	double deadline_ms = pgm_clock_ms() + options->budget_ms;
	if (!begin(conn, arena, plan, measures, err))
		return false;
	for (size_t i = 0; i < plan->statement_count; i++) {
		/* What quick statements leave of their share goes to those that follow. */
		double left_ms = deadline_ms - pgm_clock_ms();
		double share_ms = left_ms / (double)(plan->statement_count - i);
		if (options->progress && may_execute)
			options->progress(
				options->progress_arg,
				pgm_sprintf(arena, "statement %zu of %zu", i + 1, plan->statement_count),
				(double)i / (double)plan->statement_count);
		if (!pgm_measure_statement(conn, arena, &plan->statements[i], schemas, may_execute, options,
					   pgm_clock_ms() + share_ms, &measures->items[i],
					   &measures->budget_spent, err))
			return false;
	}
	return true;
}

/* Where every statement failed there is one cause: say it, not "nothing was measured". */
static bool refuse_if_all_failed(const struct pgm_measures *measures, struct pgm_error *err)
{
	for (size_t i = 0; i < measures->count; i++)
		if (measures->items[i].state != PGM_MEASURE_FAILED)
			return true;
	if (measures->count == 0)
		return true;
	const char *reason = measures->items[0].reason;
	bool rights = strncmp(reason, "permission denied", 17) == 0;
	pgm_error_set(err, rights ? PGM_ERR_RIGHTS : PGM_ERR_STATE,
		      "none of the Plan's statements can be planned: %s", reason);
	return pgm_error_hint(err, rights ? "Connect as a role that may SELECT from the Plan's tables."
					  : "Was the Plan made for another database?");
}

static bool count_made(struct pgm_conn *conn, struct pgm_arena *arena, const struct pgm_plan *plan, int *made,
		       struct pgm_error *err)
{
	struct pgm_verify_index *indexes;
	size_t count;
	*made = 0;
	if (!pgm_indexes_read(conn, arena, plan, &indexes, &count, err))
		return false;
	for (size_t i = 0; i < count; i++)
		*made += indexes[i].exists == (indexes[i].change->kind == PGM_CHANGE_CREATE_INDEX);
	return true;
}

bool pgm_verify_made(struct pgm_conn *conn, struct pgm_arena *arena, const struct pgm_plan *plan, int *made,
		     struct pgm_error *err)
{
	const char *schemas;
	return pgm_measure_prepare(conn, arena, &plan, &schemas, err) &&
	       count_made(conn, arena, plan, made, err);
}

bool pgm_verify_measure(struct pgm_conn *conn, struct pgm_arena *arena, const struct pgm_plan *plan,
			const struct pgm_verify_options *options, struct pgm_measures *measures,
			struct pgm_error *err)
{
	const char *schemas;
	return pgm_measure_prepare(conn, arena, &plan, &schemas, err) &&
	       pgm_measure_all(conn, arena, plan, schemas, options, true, measures, err) &&
	       refuse_if_all_failed(measures, err) && count_made(conn, arena, plan, &measures->made, err) &&
	       pgm_writes_measure(conn, arena, plan, options, measures, err);
}
