#include "cli/demo_big.h"

#include "demo/big.h"
#include "demo/traffic.h"
#include "pg/explain.h"
#include "util/clock.h"
#include "util/embedded.h"
#include "util/format.h"
#include "util/term.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define RUNS	5
#define QUERIES PGM_DEMO_BIG_QUERIES

struct timing {
	double ms; /* median */
	double blocks;
};

static int compare_doubles(const void *a, const void *b)
{
	double left = *(const double *)a, right = *(const double *)b;
	return (left > right) - (left < right);
}

static bool time_queries(const struct pgm_demo_stage *stage, struct timing *timings, struct pgm_error *err)
{
	for (size_t q = 0; q < QUERIES; q++) {
		double ms[RUNS];
		for (int i = -1; i < RUNS; i++) {
			struct pgm_explain plan;
			if (!pgm_explain_run(stage->conn, stage->arena, "ANALYZE, BUFFERS, TIMING OFF",
					     pgm_demo_big.queries[q].sql, &plan, err))
				return false;
			/* The first is not counted, so that both are measured with warm memory. */
			if (i >= 0)
				ms[i] = plan.execution_ms + plan.planning_ms;
			timings[q].blocks = plan.root->hit_blocks + plan.root->read_blocks;
		}
		qsort(ms, RUNS, sizeof(*ms), compare_doubles);
		timings[q].ms = ms[RUNS / 2];
	}
	return true;
}

static void count_scan(const struct pgm_explain_node *node, void *arg)
{
	if (node->relation && node->loops > 0)
		++*(int *)arg;
}

/* How many tables a query of the last 30 days reads. */
static bool count_scans(const struct pgm_demo_stage *stage, int *scans, struct pgm_error *err)
{
	struct pgm_explain plan;
	*scans = 0;
	if (!pgm_explain_run(stage->conn, stage->arena, "ANALYZE, TIMING OFF", pgm_demo_big.queries[0].sql,
			     &plan, err))
		return false;
	pgm_explain_visit(plan.root, count_scan, scans);
	return true;
}

static void print_timings(const struct pgm_demo_stage *stage, const struct timing *before,
			  const struct timing *after)
{
	static const char *const headers[] = {"query", "before", "after", "ratio", "blocks read before",
					      "after", "ratio"};
	struct pgm_arena *arena = stage->arena;
	struct pgm_table *table = pgm_table_new(arena, "lrrrrrr", headers);
	for (size_t q = 0; q < QUERIES; q++)
		pgm_table_row(table,
			      (const char *const[]){
				      pgm_demo_big.queries[q].title, pgm_format_ms(arena, before[q].ms),
				      pgm_format_ms(arena, after[q].ms),
				      pgm_format_ratio(
					      arena, before[q].ms / (after[q].ms > 0 ? after[q].ms : 0.001)),
				      pgm_format_count(arena, before[q].blocks),
				      pgm_format_count(arena, after[q].blocks),
				      pgm_format_ratio(arena,
						       before[q].blocks /
							       (after[q].blocks > 0 ? after[q].blocks : 1))});
	pgm_table_print(table, stdout);
}

/* What the writer was told against what is there. */
static bool print_written(const struct pgm_demo_stage *stage, const struct pgm_demo_written *written)
{
	struct pgm_arena *arena = stage->arena;
	long long missing = (long long)(written->inserted - written->found_inserted);
	bool good = written->failed == 0 && missing == 0 && written->updated == written->found_updated;
	printf("\nMeanwhile an application inserted %s rows and updated %s in %s. Its longest wait was %s; "
	       "%lld "
	       "statements failed,\n%s%lld rows and %lld updates are missing%s.\n",
	       pgm_format_count(arena, (double)written->inserted),
	       pgm_format_count(arena, (double)written->updated),
	       pgm_format_ms(arena, written->seconds * 1000), pgm_format_ms(arena, written->worst_ms),
	       (long long)written->failed, pgm_term_on(stdout, good ? PGM_GREEN : PGM_RED), missing,
	       (long long)(written->updated - written->found_updated), pgm_term_off(stdout));
	return good;
}

static bool run_all(const struct pgm_demo_stage *stage, const char *const (*commands)[10], size_t count,
		    struct pgm_error *err)
{
	for (size_t i = 0; i < count; i++)
		if (!stage->command(stage->arg, commands[i], err))
			return false;
	return true;
}

/* In a transaction that is rolled back: the demo's history stays. */
static bool time_dropping(const struct pgm_demo_stage *stage, struct pgm_error *err)
{
	struct pgm_rows rows;
	if (!pgm_conn_query(stage->conn, stage->arena, pgm_embedded_text("demo/oldest_partition.sql"), 0,
			    NULL, &rows, err))
		return false;
	if (rows.count == 0)
		return true;
	const char *name = pgm_rows_text(&rows, 0, 0);
	char *count;
	if (!pgm_conn_value(stage->conn, stage->arena,
			    pgm_sprintf(stage->arena, "SELECT count(*) FROM %s", name), 0, NULL, &count,
			    err) ||
	    !pgm_conn_exec(stage->conn, "BEGIN", err))
		return false;
	double began = pgm_clock_ms();
	bool ok = pgm_conn_exec(stage->conn, pgm_sprintf(stage->arena, "DROP TABLE %s", name), err);
	double ms = pgm_clock_ms() - began;
	pgm_conn_exec_quietly(stage->conn, "ROLLBACK");
	if (ok)
		printf("Dropping the oldest month, %s with %s rows, takes %s (rolled back here).\n", name,
		       pgm_format_count(stage->arena, strtod(count, NULL)), pgm_format_ms(stage->arena, ms));
	return ok;
}

static bool convert(const struct pgm_demo_stage *stage, bool *fell_short, struct pgm_error *err)
{
	const char *logs = pgm_demo_big.table, *key = pgm_demo_big.key;
	const char *const commands[][10] = {
		{"partition", logs, "--by", key, "--interval", "month", "--out", "ADOPT.sql"},
		{"apply", "--yes", "ADOPT.sql"},
		{"partition", logs, "--by", key, "--interval", "month", "--method", "split",
		 "--out=SPLIT.sql"},
		{"apply", "--yes", "SPLIT.sql"},
	};
	struct timing before[QUERIES], after[QUERIES];
	struct pgm_demo_traffic traffic;
	struct pgm_demo_written written;
	int scans;
	stage->heading(
		stage->arg, "A big table by months, while it is written",
		"The activity log becomes the first partition of itself, and is then split into months in "
		"the background.\nAll the time somebody writes 200 statements a second into it, and keeps "
		"count.");
	if (!time_queries(stage, before, err) ||
	    !pgm_demo_traffic_start(stage->connect, stage->arg, &traffic, err))
		return false;
	bool ok = run_all(stage, commands, sizeof(commands) / sizeof(*commands), err);
	struct pgm_error own = {0};
	if (!pgm_demo_traffic_stop(&traffic, stage->conn, stage->arena, &written, ok ? err : &own) || !ok)
		return false;
	*fell_short |= !print_written(stage, &written);
	const char *vacuum = pgm_sprintf(stage->arena, "VACUUM " PGM_CONN_MARKER "(ANALYZE) %s", logs);
	if (!pgm_conn_exec(stage->conn, vacuum, err) || !time_queries(stage, after, err) ||
	    !count_scans(stage, &scans, err))
		return false;
	printf("A query of the last 30 days now reads %d partition%s, with those that wait for the coming "
	       "months.\n\n",
	       scans, scans == 1 ? "" : "s");
	print_timings(stage, before, after);
	return time_dropping(stage, err);
}

static bool purge(const struct pgm_demo_stage *stage, struct pgm_error *err)
{
	const char *parent = pgm_demo_big.parent, *where = pgm_demo_big.where;
	const char *const commands[][10] = {
		{"purge", parent, "--where", where},
		{"purge", parent, "--where", where, "--apply", "--yes"},
	};
	struct pgm_rows rows;
	stage->heading(
		stage->arg, "A parent with all its children",
		"A training job goes with its features and their activations, in transactions so short that "
		"nobody waits.");
	if (!pgm_conn_query(stage->conn, stage->arena, pgm_embedded_text("demo/job_rows.sql"), 0, NULL, &rows,
			    err))
		return false;
	double features = pgm_rows_double(&rows, 0, 0), activations = pgm_rows_double(&rows, 0, 1);
	double began = pgm_clock_ms();
	if (!run_all(stage, commands, sizeof(commands) / sizeof(*commands), err))
		return false;
	printf("\nWith the job went %s features and %s activations, in %s with the looking.\n",
	       pgm_format_count(stage->arena, features), pgm_format_count(stage->arena, activations),
	       pgm_format_ms(stage->arena, pgm_clock_ms() - began));
	return true;
}

bool pgm_demo_big_changes(const struct pgm_demo_stage *stage, bool *fell_short, struct pgm_error *err)
{
	return convert(stage, fell_short, err) && purge(stage, err);
}
