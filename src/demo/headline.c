#include "demo/headline.h"

#include "demo/apps.h"
#include "demo/draw.h"
#include "pg/explain.h"

#include <stdlib.h>
#include <string.h>

#define FIRST_DRAW 500000 /* of the measurements: not those of the workload's first runs */

struct run {
	double ms;
	double changed_rows; /* that a write found */
	const char *node;
};

/* Only the type: the statement says on what, and an index's name would fill the line. */
static const char *node_type(struct pgm_arena *arena, const struct pgm_explain *plan)
{
	struct pgm_explain reads = *plan;
	/* A write's own node says nothing about how its rows were found. */
	if (strcmp(reads.root->type, "ModifyTable") == 0 && reads.root->child_count)
		reads.root = reads.root->children[0];
	const char *text = pgm_explain_headline(arena, &reads);
	const char *end = strstr(text, " using ");
	if (!end)
		end = strstr(text, " on ");
	return end ? pgm_strndup(arena, text, (size_t)(end - text)) : text;
}

/* Run it under EXPLAIN ANALYZE in a transaction that is rolled back. */
static bool run_once(struct pgm_conn *conn, struct pgm_arena *arena, const char *sql, struct run *run,
		     struct pgm_error *err)
{
	struct pgm_explain plan;
	if (!pgm_conn_exec(conn, "BEGIN " PGM_CONN_MARKER, err))
		return false;
	bool ok = pgm_explain_run(conn, arena, "ANALYZE, BUFFERS", sql, &plan, err);
	pgm_conn_exec_quietly(conn, "ROLLBACK " PGM_CONN_MARKER);
	if (!ok)
		return false;
	const struct pgm_explain_node *below = plan.root->child_count ? plan.root->children[0] : plan.root;
	*run = (struct run){plan.execution_ms, below->actual_rows, node_type(arena, &plan)};
	return true;
}

static int compare_ms(const void *a, const void *b)
{
	double left = ((const struct run *)a)->ms, right = ((const struct run *)b)->ms;
	return (left > right) - (left < right);
}

static bool median(struct pgm_conn *conn, struct pgm_arena *arena, const struct pgm_demo_statement *statement,
		   int runs, struct run *result, struct pgm_error *err)
{
	struct run *all = PGM_NEW_ARRAY(arena, struct run, runs);
	for (int i = 0; i < runs; i++) {
		struct pgm_demo_random random;
		pgm_demo_random_seed(&random, PGM_DEMO_SEED, statement->name, (uint64_t)(FIRST_DRAW + i));
		char *sql = pgm_demo_expand(arena, statement->sql, &random, err);
		if (!sql)
			return false;
		/* The first only fetches what it needs into memory, so that all are measured warm. */
		if (i == 0 && !run_once(conn, arena, sql, &all[0], err))
			return false;
		if (!run_once(conn, arena, sql, &all[i], err))
			return false;
	}
	qsort(all, (size_t)runs, sizeof(*all), compare_ms);
	*result = all[runs / 2];
	return true;
}

/*
 * The plan of a cascade is that of what its trigger runs. How long the whole takes is first extrapolated from
 * the sample; where that is bearable, the whole is run, and what was extrapolated is forgotten.
 */
static bool measure_cascade(struct pgm_conn *conn, struct pgm_arena *arena,
			    const struct pgm_demo_statement *statement, int runs,
			    struct pgm_demo_measurement *measurement, struct pgm_error *err)
{
	struct pgm_explain plan;
	struct run sample, whole;
	char *units;
	if (!pgm_explain_run(conn, arena, "", statement->trigger, &plan, err) ||
	    !pgm_conn_value(conn, arena, statement->units, 0, NULL, &units, err) ||
	    !run_once(conn, arena, statement->sample, &sample, err))
		return false;
	if (sample.changed_rows < 1)
		return pgm_error_set(err, PGM_ERR_STATE, "the sample deletes nothing");
	double factor = strtod(units ? units : "0", NULL) / sample.changed_rows;
	*measurement = (struct pgm_demo_measurement){
		.ms = sample.ms * factor,
		.extrapolated = true,
		.node = node_type(arena, &plan),
		.sample_ms = sample.ms,
		.factor = factor,
	};
	if (measurement->ms > PGM_DEMO_WHOLE_MAX_MS)
		return true;
	if (!median(conn, arena, statement, runs, &whole, err))
		return false;
	measurement->ms = whole.ms;
	measurement->extrapolated = false;
	return true;
}

bool pgm_demo_measure(struct pgm_conn *conn, struct pgm_arena *arena,
		      const struct pgm_demo_statement *statement, int runs,
		      struct pgm_demo_measurement *measurement, struct pgm_error *err)
{
	struct run run = {0};
	bool ok;
	if (statement->kind == PGM_DEMO_CASCADE_DELETE) {
		ok = measure_cascade(conn, arena, statement, runs, measurement, err);
	} else {
		ok = median(conn, arena, statement, runs, &run, err);
		*measurement = (struct pgm_demo_measurement){.ms = run.ms, .node = run.node};
	}
	return ok || pgm_error_context(err, "measuring %s of %s", statement->name, statement->app);
}
