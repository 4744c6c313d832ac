#include "load/analysis_parts.h"

#include "util/format.h"

#include <math.h>
#include <string.h>

#define BUSY		0.9 /* of the cores, or of the generator's one: nothing is left */
#define QUEUED_SHARE	0.3 /* of the looks, in which clients queued for the pool */
#define LOOKS_MIN	3
#define STATEMENT_SHARE 0.5  /* of the time of all statements */
#define SCANNED_ROWS	1000 /* of a whole read, from which it is no small table */
#define SCANNED_TIMES	10
#define SESSIONS_BUSY	0.9
#define OTHERS_LARGE	0.3 /* of the busy processors' time */
#define TEXT_MAX	160 /* bytes of a statement in a sentence */

static void find_generator(struct pgm_load_view *view)
{
	const struct pgm_load_means *means = &view->means;
	double most = view->result->generator_busy_max;
	bool all_along = means->machines >= LOOKS_MIN ? means->generator_busy >= BUSY : most >= BUSY;
	if (!view->analysis->saturated || !all_along)
		return;
	pgm_load_add_cause(
		view, PGM_LOAD_BY_GENERATOR,
		pgm_sprintf(view->arena,
			    "This program itself used %.0f %% of a core in its busiest second, and it "
			    "runs on one.",
			    most * 100),
		"Do not take these figures for the target's: lower the rate, or run several loads, from "
		"other machines too.");
}

static void find_cpu(struct pgm_load_view *view)
{
	const struct pgm_load_means *means = &view->means;
	struct pgm_arena *arena = view->arena;
	double cores = view->result->cores ? view->result->cores : 1;
	double used = cores * means->cpu_busy;
	if (means->machines < LOOKS_MIN || means->cpu_busy < BUSY)
		return;
	bool knows = means->server_busy >= 0;
	double others = used - means->generator_busy - (knows ? means->server_busy : used);
	char *server = knows ? pgm_sprintf(arena, "the server %.2f of them, ", means->server_busy)
			     : pgm_strdup(arena, "");
	char *rest = others >= 0.005 ? pgm_sprintf(arena, ", other programs (a pooler too) %.2f", others)
				     : pgm_strdup(arena, "");
	const char *advice = "Fewer or cheaper statements (\"pgmend advise\"), or more cores. More "
			     "connections would only make "
			     "a longer queue inside the server.";
	if (means->generator_busy > OTHERS_LARGE * used)
		advice = "Run the load from another machine before you judge this one: its own work is a "
			 "large part "
			 "of it.";
	else if (others > OTHERS_LARGE * used)
		advice = "Look what else runs on this machine before you judge it: a large part of its time "
			 "went "
			 "neither to the server nor to the load.";
	pgm_load_add_cause(
		view, PGM_LOAD_BY_CPU,
		pgm_sprintf(arena,
			    "The machine's %.0f cores were %.0f %% busy: %sthe load generator used %.2f%s.",
			    cores, means->cpu_busy * 100, server, means->generator_busy, rest),
		advice);
}

static void find_pool(struct pgm_load_view *view)
{
	const struct pgm_load_means *means = &view->means;
	const struct pgm_load_target *target = view->target;
	struct pgm_arena *arena = view->arena;
	if (means->pools < LOOKS_MIN || means->queued_share < QUEUED_SHARE)
		return;
	char *figures = pgm_sprintf(
		arena,
		"In %.0f %% of the looks clients waited for a server connection while none was idle: %.0f "
		"clients "
		"on average, the oldest for up to %s, with %.0f connections in use%s.",
		means->queued_share * 100, means->queued, pgm_format_ms(arena, means->queue_max_ms),
		means->servers_active,
		means->pool_size ? pgm_sprintf(arena, " of the %u that the pool may open", means->pool_size)
				 : "");
	if (means->machines >= LOOKS_MIN && means->cpu_busy >= BUSY) {
		pgm_load_add_cause(
			view, PGM_LOAD_BY_POOL, figures,
			pgm_sprintf(arena,
				    "Leave it as it is: with the processors %.0f %% busy a larger pool "
				    "would only move the queue into the server.",
				    means->cpu_busy * 100));
		return;
	}
	double due = pgm_load_due_rate(target);
	const char *advice = "Raise default_pool_size in steps, and look whether P95 falls.";
	if (target->done_rate > 0 && due > target->done_rate)
		advice = pgm_sprintf(
			arena,
			"Raise default_pool_size: a transaction held a connection for %s on average, so "
			"the %s a second that were due need about %.0f of them, if the server takes no "
			"longer with more at a time.",
			pgm_format_ms(arena, means->servers_active / target->done_rate * 1000),
			pgm_format_count(arena, due), ceil(means->servers_active / target->done_rate * due));
	pgm_load_add_cause(view, PGM_LOAD_BY_POOL, figures, advice);
}

/* Never connected, too many, or broken off. */
static bool is_of_connection(const char *code)
{
	return strcmp(code, "refused") == 0 || strcmp(code, "closed") == 0 || strncmp(code, "08", 2) == 0 ||
	       strcmp(code, "53300") == 0 || strncmp(code, "57P", 3) == 0;
}

static void find_connections(struct pgm_load_view *view)
{
	const struct pgm_load_target *target = view->target;
	struct pgm_arena *arena = view->arena;
	const char *refusal = target->refusal ? target->refusal : "";
	bool too_many = strncmp(refusal, "53300", 5) == 0;
	char *figures = pgm_strdup(arena, "");
	uint64_t count = 0;
	if (target->connects_failed)
		figures = pgm_sprintf(arena, "%s attempts to connect failed (%s). ",
				      pgm_format_count(arena, (double)target->connects_failed), refusal);
	for (size_t i = 0; i < target->errors.count; i++) {
		const struct pgm_load_error *error = &target->errors.items[i];
		if (!is_of_connection(error->code))
			continue;
		if (!count)
			refusal = pgm_sprintf(arena, "%s: %s", error->code,
					      error->message ? error->message : "");
		too_many = too_many || strcmp(error->code, "53300") == 0;
		count += error->count;
	}
	if (count)
		figures = pgm_sprintf(arena, "%s%s transactions lost their connection or had none (%s). ",
				      figures, pgm_format_count(arena, (double)count), refusal);
	if (!*figures)
		return;
	char *allowed = target->max_connections && !*target->pooler
				? pgm_sprintf(arena, "; the server allows %d (max_connections)",
					      target->max_connections)
				: pgm_strdup(arena, "");
	const char *advice = "The target's log says why.";
	if (too_many)
		advice = *target->pooler
				 ? "Raise max_client_conn of the pooler."
				 : "Put a pooler in front of the server (\"pgmend pool\"): each further "
				   "connection costs it memory and time.";
	pgm_load_add_cause(view, PGM_LOAD_BY_CONNECTIONS,
			   pgm_sprintf(arena, "%sAt most %u connections were open at a time%s.", figures,
				       target->sessions_max, allowed),
			   advice);
}

static double total_ms(const struct pgm_load_statement *statement)
{
	return (double)statement->latency.count * statement->latency.mean_ms;
}

static void find_statement(struct pgm_load_view *view)
{
	const struct pgm_load_target *target = view->target;
	const struct pgm_load_statement *top = NULL;
	double all = 0;
	for (size_t i = 0; i < target->query_count; i++) {
		all += total_ms(&target->queries[i]);
		if (!top || total_ms(&target->queries[i]) > total_ms(top))
			top = &target->queries[i];
	}
	if (target->query_count < 2 || all <= 0 || total_ms(top) < all * STATEMENT_SHARE)
		return;
	pgm_load_add_cause(view, PGM_LOAD_BY_STATEMENT,
			   pgm_sprintf(view->arena,
				       "%.0f %% of the time of all statements is one's, which ran %s times, "
				       "%s on average, P95 "
				       "%s: %s",
				       total_ms(top) / all * 100,
				       pgm_format_count(view->arena, (double)top->latency.count),
				       pgm_format_ms(view->arena, top->latency.mean_ms),
				       pgm_format_ms(view->arena, top->latency.p95_ms),
				       pgm_load_short_sql(view->arena, top->text, TEXT_MAX)),
			   "Begin with it: EXPLAIN (ANALYZE, BUFFERS) shows where its time goes, \"pgmend "
			   "advise\" whether an "
			   "index helps.");
}

static void find_scans(struct pgm_load_view *view)
{
	const struct pgm_load_target *target = view->target;
	char *list = NULL;
	size_t listed = 0;
	for (size_t i = 0; i < target->table_count && listed < 3; i++) {
		const struct pgm_load_table *table = &target->tables[i];
		double rows = table->seq_scans ? (double)table->seq_rows / (double)table->seq_scans : 0;
		if (table->seq_scans < SCANNED_TIMES || rows < SCANNED_ROWS)
			continue;
		list = pgm_sprintf(view->arena, "%s%s%s.%s %s times (%s rows each)", listed ? list : "",
				   listed ? ", " : "", table->schema, table->name,
				   pgm_format_count(view->arena, (double)table->seq_scans),
				   pgm_format_count(view->arena, rows));
		listed++;
	}
	if (listed)
		pgm_load_add_cause(view, PGM_LOAD_BY_SCANS,
				   pgm_sprintf(view->arena, "Whole tables were read: %s.", list),
				   "\"pgmend advise\" says which indexes would spare that, and proves it.");
}

/* By Little's law: how many transactions were under way at a time. */
static void find_sessions(struct pgm_load_view *view)
{
	const struct pgm_load_target *target = view->target;
	double busy = target->length_s > 0 ? (double)target->service.count * target->service.mean_ms / 1000 /
						     target->length_s
					   : 0;
	if (!view->analysis->saturated || view->analysis->cause_count || !target->sessions_max ||
	    busy < SESSIONS_BUSY * target->sessions_max)
		return;
	pgm_load_add_cause(
		view, PGM_LOAD_BY_SESSIONS,
		pgm_sprintf(view->arena,
			    "All of the load's %u sessions were busy, with %s for a transaction on "
			    "average; nothing else that was watched was full.",
			    target->sessions_max, pgm_format_ms(view->arena, target->service.mean_ms)),
		"More sessions would show whether the target can do more.");
}

void pgm_load_find_causes(struct pgm_load_view *view)
{
	find_generator(view);
	find_connections(view);
	find_cpu(view);
	find_pool(view);
	pgm_load_find_waits(view);
	find_scans(view);
	find_statement(view);
	find_sessions(view);
}
