#include "cli/demo_big.h"

#include "demo/traffic.h"
#include "util/clock.h"
#include "util/embedded.h"
#include "util/format.h"
#include "util/term.h"

#include <stdio.h>

#define LOGS "activity_log.activity_logs"
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

static bool convert(const struct pgm_demo_stage *stage, bool *fell_short, struct pgm_error *err)
{
	static const char *const commands[][10] = {
		{"partition", LOGS, "--by", "created_at", "--interval", "month", "--out", "ADOPT.sql"},
		{"apply", "--yes", "ADOPT.sql"},
	};
	struct pgm_demo_traffic traffic;
	struct pgm_demo_written written;
	stage->heading(
		stage->arg, "A big table by months, while it is written",
		"The activity log becomes the first partition of itself: nothing is copied, and months come "
		"as they "
		"begin.\nAll the time somebody writes 200 statements a second into it, and keeps count.");
	if (!pgm_demo_traffic_start(stage->connect, stage->arg, &traffic, err))
		return false;
	bool ok = run_all(stage, commands, sizeof(commands) / sizeof(*commands), err);
	struct pgm_error own = {0};
	if (!pgm_demo_traffic_stop(&traffic, stage->conn, stage->arena, &written, ok ? err : &own) || !ok)
		return false;
	*fell_short |= !print_written(stage, &written);
	return true;
}

static bool purge(const struct pgm_demo_stage *stage, struct pgm_error *err)
{
	static const char *const commands[][10] = {
		{"purge", "feature_store.training_jobs", "--where", "id = 2"},
		{"purge", "feature_store.training_jobs", "--where", "id = 2", "--apply", "--yes"},
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
