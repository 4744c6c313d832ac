#include "change/batches.h"
#include "change/ledger.h"
#include "cli/change_output.h"
#include "cli/commands.h"
#include "cli/purge_print.h"

#include <errno.h>
#include <string.h>

/* A purge of the same rows that was begun and has not ended. */
static bool find_unfinished(const struct pgm_cli *cli, struct pgm_conn *conn, const char *title,
			    struct pgm_ledger_plan *found, struct pgm_error *err)
{
	struct pgm_ledger_plan *plans;
	size_t count;
	bool exists;
	found->id = NULL;
	if (!pgm_ledger_exists(conn, false, &exists, err))
		return false;
	if (!exists)
		return true;
	if (!pgm_ledger_plans(conn, cli->arena, NULL, true, &plans, &count, err))
		return false;
	for (size_t i = 0; i < count; i++)
		if (strcmp(plans[i].title, title) == 0 && strcmp(plans[i].state, "done") != 0 &&
		    strcmp(plans[i].state, "undoing") != 0) {
			*found = plans[i];
			return true;
		}
	return true;
}

static int pause(const struct pgm_cli *cli, struct pgm_conn *conn, const struct pgm_ledger_plan *unfinished)
{
	struct pgm_error err = {0};
	bool wait = pgm_cli_flag(cli, "pause");
	int64_t changed = 0;
	if (unfinished->id && !pgm_batches_pause(conn, cli->arena, unfinished->seq, wait, &changed, &err))
		return pgm_cli_fail(cli, &err);
	if (changed == 0) {
		pgm_error_set(&err, PGM_ERR_USAGE, "no such purge is under way");
		pgm_error_hint(&err, "Give the table and --where as that purge had them.");
		return pgm_cli_fail(cli, &err);
	}
	printf("Plan %s %s.\n", unfinished->id, wait ? "pauses after its batch" : "goes on");
	return PGM_EXIT_OK;
}

static bool write_plan(const struct pgm_plan *plan, const char *path, struct pgm_error *err)
{
	FILE *file = fopen(path, "we");
	if (!file)
		return pgm_error_set(err, PGM_ERR_INPUT, "cannot write %s: %s", path, strerror(errno));
	bool ok = pgm_plan_write(plan, file, err);
	if (fclose(file) != 0 && ok)
		return pgm_error_set(err, PGM_ERR_SYSTEM, "cannot write %s: %s", path, strerror(errno));
	return ok;
}

static int apply(const struct pgm_change_output *output, struct pgm_conn *conn, const struct pgm_plan *plan,
		 const struct pgm_engine_options *options)
{
	const struct pgm_cli *cli = output->cli;
	struct pgm_error err = {0};
	struct pgm_engine_result result;
	if (!pgm_cli_confirm(cli, pgm_sprintf(cli->arena, "%s in database %s? Deleted rows do not come back.",
					      plan->title, pgm_conn_database(conn)))) {
		pgm_error_set(&err, PGM_ERR_USAGE, "nothing was changed");
		return pgm_cli_fail(cli, &err);
	}
	bool ok = pgm_engine_apply(conn, cli->arena, plan, options, &result, &err);
	if (!ok && result.step_count > 0 &&
	    strcmp(result.steps[result.step_count - 1].title, PGM_PURGE_CHECK_TITLE) == 0) {
		/* Refused before the first row: nothing of it shall stay. */
		struct pgm_engine_result undone;
		struct pgm_error ignored = {0};
		struct pgm_engine_options quiet = *options;
		quiet.on_event = NULL;
		if (pgm_engine_rollback(conn, cli->arena, plan->id, &quiet, &undone, &ignored) &&
		    strncmp(err.hint, "Run the same", 12) == 0)
			*err.hint = '\0';
	}
	return pgm_change_print_result(output, &result, ok ? NULL : &err, "done",
				       "There is nothing left to do.");
}

static int go_on(const struct pgm_change_output *output, struct pgm_conn *conn,
		 const struct pgm_ledger_plan *unfinished, const struct pgm_engine_options *options)
{
	struct pgm_error err = {0};
	struct pgm_plan plan;
	if (!pgm_plan_parse(output->cli->arena, "the Plan in the ledger", unfinished->source, &plan, &err)) {
		err.kind = PGM_ERR_STATE;
		return pgm_cli_fail(output->cli, &err);
	}
	if (!output->json)
		printf("Going on with the purge that began at %s (Plan %s).\n", unfinished->started_at,
		       unfinished->id);
	fflush(stdout);
	return apply(output, conn, &plan, options);
}

static int purge_anew(const struct pgm_change_output *output, struct pgm_conn *conn, struct pgm_purge *purge,
		      const struct pgm_engine_options *options)
{
	const struct pgm_cli *cli = output->cli;
	struct pgm_error err = {0};
	struct pgm_plan plan;
	const char *out = pgm_cli_value(cli, "out");
	bool run = pgm_cli_flag(cli, "apply") && !pgm_cli_flag(cli, "dry-run");
	/* The figures are not shown then; they only tell whether it takes too long without the missing
	 * indexes. */
	struct pgm_purge_options uncounted = *purge->options;
	uncounted.count_ms = 0;
	if (run && (purge->missing_count == 0 || uncounted.build_index) && !pgm_cli_value(cli, "count-time"))
		purge->options = &uncounted;
	if (!pgm_purge_estimate(conn, cli->arena, purge, &err))
		return pgm_cli_fail(cli, &err);
	if (!run || !output->json) {
		if (output->json)
			pgm_purge_print_json(cli, purge);
		else if (!run)
			pgm_purge_print(cli, purge);
	}
	if (!run && (purge->problem_count || !out))
		return purge->problem_count ? PGM_EXIT_FOUND : PGM_EXIT_OK;
	if (!pgm_purge_plan(conn, cli->arena, purge, &plan, &err) || (out && !write_plan(&plan, out, &err)))
		return pgm_cli_fail(cli, &err);
	return run ? apply(output, conn, &plan, options) : PGM_EXIT_OK;
}

static bool read_options(const struct pgm_cli *cli, struct pgm_purge_options *options,
			 struct pgm_engine_options *engine, struct pgm_change_output *output,
			 struct pgm_error *err)
{
	*options = (struct pgm_purge_options){
		.table = cli->operands[0],
		.where = pgm_cli_value(cli, "where"),
		.atomic = pgm_cli_flag(cli, "atomic"),
		.build_index = pgm_cli_flag(cli, "build-index"),
		.skip_ri = pgm_cli_flag(cli, "skip-ri"),
		.count_ms = 5000,
	};
	if (!pgm_change_options(cli, engine, output, err) ||
	    !pgm_cli_duration_ms(cli, "count-time", &options->count_ms, err) ||
	    !pgm_cli_duration_ms(cli, "batch-time", &engine->batch_target_ms, err) ||
	    !pgm_cli_duration_ms(cli, "rest", &engine->batch_rest_ms, err) ||
	    !pgm_cli_int(cli, "jobs", 1, PGM_BATCH_JOBS_MAX, &engine->batch_jobs, err) ||
	    !pgm_cli_duration_ms(cli, "max-lag", &engine->max_lag_ms, err) ||
	    !pgm_cli_bytes(cli, "max-lag-bytes", &engine->max_lag_bytes, err))
		return false;
	engine->pause_file = pgm_cli_value(cli, "pause-file");
	if (!options->where || !*options->where) {
		pgm_error_set(err, PGM_ERR_USAGE, "--where is missing");
		return pgm_error_hint(err,
				      "Give the condition of the rows that shall go; --where true for all.");
	}
	if (options->atomic && options->skip_ri)
		return pgm_error_set(err, PGM_ERR_USAGE, "--skip-ri and --atomic exclude each other");
	if (engine->batch_target_ms < 5 || engine->batch_target_ms > 200)
		return pgm_error_set(err, PGM_ERR_USAGE, "--batch-time: from 5ms to 200ms");
	return true;
}

static int run(struct pgm_cli *cli)
{
	struct pgm_error err = {0};
	struct pgm_engine_options engine = PGM_ENGINE_OPTIONS;
	struct pgm_change_output output;
	struct pgm_purge_options options;
	struct pgm_purge purge;
	struct pgm_ledger_plan unfinished;
	if (!read_options(cli, &options, &engine, &output, &err))
		return pgm_cli_fail(cli, &err);
	PGM_AUTO_CONN conn = pgm_cli_connect(cli, &err);
	if (!conn || !pgm_purge_read(conn, cli->arena, &options, &purge, &err))
		return pgm_cli_fail(cli, &err);
	if (!find_unfinished(cli, conn, pgm_purge_title(cli->arena, &purge), &unfinished, &err))
		return pgm_cli_fail(cli, &err);
	if (pgm_cli_flag(cli, "pause") || pgm_cli_flag(cli, "go-on"))
		return pause(cli, conn, &unfinished);
	if (unfinished.id && pgm_cli_flag(cli, "apply") && !pgm_cli_flag(cli, "dry-run"))
		return go_on(&output, conn, &unfinished, &engine);
	return purge_anew(&output, conn, &purge, &engine);
}

static const struct pgm_option options[] = {
	{0, "where", "CONDITION", "which rows shall go, as behind WHERE; true for all"},
	{0, "apply", NULL, "delete; without it everything is only looked at"},
	{0, "build-index", NULL, "first build indexes that foreign keys miss, concurrently"},
	{0, "atomic", NULL, "one DELETE in one transaction, instead of batches"},
	{0, "skip-ri", NULL,
	 "do not fire the foreign keys' triggers of parents without children (superuser)"},
	{0, "out", "FILE", "write the Plan, for \"pgmend apply FILE\""},
	{0, "count-time", "TIME", "how long to count the rows of each table (default 5s; 0: estimate)"},
	{0, "batch-time", "TIME", "how long a transaction shall take (default 100ms; none takes over 250ms)"},
	{0, "jobs", "N", "how many sessions delete at a time (default 2; 1 where there is a --rest)"},
	{0, "rest", "TIME", "pause after each transaction (default 0)"},
	{0, "max-lag", "TIME", "wait for standbys that are further behind (default 10s; 0: for none)"},
	{0, "max-lag-bytes", "SIZE", "likewise, in bytes of WAL (default 256MB; 0: for none)"},
	{0, "pause-file", "FILE", "while it exists, no batch begins"},
	{0, "pause", NULL, "let the purge of these rows, which another pgmend runs, rest"},
	{0, "go-on", NULL, "and let it go on"},
	PGM_ENGINE_OPTION_ROWS,
	{0, NULL, NULL, NULL},
};

const struct pgm_cmd pgm_cmd_purge = {
	.name = "purge",
	.summary = "delete rows and all that references them, in short transactions",
	.operands = "TABLE",
	.operands_min = 1,
	.operands_max = 1,
	.flags = PGM_CMD_CONNECTS,
	.description =
		"Shows which rows would go with those that meet --where, by which foreign keys, how long "
		"that "
		"takes, and which indexes are missing. With --apply it deletes them, children first, in "
		"transactions of about 100 ms, and records it in the ledger (schema pgmend).\n\n"
		"Whatever stops the run (Ctrl-C, kill -9, the server), the same command goes on where it "
		"ended. "
		"Where batches could do something else than one DELETE, it refuses and says why; --atomic "
		"always "
		"does what DELETE does.",
	.options = options,
	.run = run,
};
