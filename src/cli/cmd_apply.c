#include "change/plan.h"
#include "cli/apply_verified.h"
#include "cli/change_output.h"
#include "cli/commands.h"
#include "cli/verify_run.h"

static int dry_run(const struct pgm_change_output *output, struct pgm_conn *conn, const struct pgm_plan *plan,
		   const struct pgm_engine_options *options)
{
	struct pgm_error err = {0};
	struct pgm_engine_preview preview;
	if (!pgm_engine_preview_apply(conn, output->cli->arena, plan, options, &preview, &err))
		return pgm_cli_fail(output->cli, &err);
	pgm_change_print_preview(output, &preview);
	return PGM_EXIT_OK;
}

static int apply(const struct pgm_change_output *output, struct pgm_conn *conn, const struct pgm_plan *plan,
		 const struct pgm_engine_options *options)
{
	const struct pgm_cli *cli = output->cli;
	struct pgm_error err = {0};
	struct pgm_engine_result result;
	const char *question =
		pgm_sprintf(cli->arena, "Apply Plan %s (%zu step%s) to database %s?", plan->id,
			    plan->change_count, plan->change_count == 1 ? "" : "s", pgm_conn_database(conn));
	if (!pgm_cli_confirm(cli, question)) {
		pgm_error_set(&err, PGM_ERR_USAGE, "nothing was changed");
		return pgm_cli_fail(cli, &err);
	}
	if (pgm_cli_flag(cli, "verify") || pgm_cli_flag(cli, "rollback-on-regression"))
		return pgm_apply_verified(output, conn, plan, options);
	bool ok = pgm_engine_apply(conn, cli->arena, plan, options, &result, &err);
	return pgm_change_print_result(output, &result, ok ? NULL : &err, "done",
				       "This Plan is done already: nothing to do.");
}

static int run(struct pgm_cli *cli)
{
	struct pgm_error err = {0};
	struct pgm_engine_options options = PGM_ENGINE_OPTIONS;
	struct pgm_change_output output;
	struct pgm_plan plan;
	options.force_database = pgm_cli_flag(cli, "force-database");
	options.again = pgm_cli_flag(cli, "again");
	if (!pgm_change_options(cli, &options, &output, &err) ||
	    !pgm_plan_read(cli->arena, cli->operands[0], &plan, &err))
		return pgm_cli_fail(cli, &err);
	PGM_AUTO_CONN conn = pgm_cli_connect(cli, &err);
	if (!conn)
		return pgm_cli_fail(cli, &err);
	if (pgm_cli_flag(cli, "dry-run"))
		return dry_run(&output, conn, &plan, &options);
	return apply(&output, conn, &plan, &options);
}

static const struct pgm_option options[] = {
	PGM_ENGINE_OPTION_ROWS,
	{0, "force-database", NULL, "apply a Plan that was made for another database"},
	{0, "again", NULL, "carry a Plan out once more that rebuilds, analyzes or vacuums, and is done"},
	{0, "verify", NULL, "measure before and after, and compare; exit code 1 when that falls short"},
	{0, "rollback-on-regression", NULL, "the same, and take the Plan back when it falls short"},
	PGM_VERIFY_OPTION_ROWS,
	{0, NULL, NULL, NULL},
};

const struct pgm_cmd pgm_cmd_apply = {
	.name = "apply",
	.summary = "carry a Plan out without downtime",
	.operands = "PLAN.sql",
	.operands_min = 1,
	.operands_max = 1,
	.flags = PGM_CMD_CONNECTS,
	.description = "Carries out each step of a Plan and records it in the ledger (schema pgmend of the "
		       "database). "
		       "Indexes are built concurrently; whatever needs a strong lock is tried for a moment, "
		       "again and "
		       "again, so that nobody waits behind it.\n\n"
		       "Whatever stops the run (Ctrl-C, kill -9, the server), the same command goes on where "
		       "it ended. "
		       "\"pgmend rollback\" takes it back. PLAN.sql may be - for standard input.",
	.options = options,
	.run = run,
};
