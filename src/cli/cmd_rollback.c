#include "cli/change_output.h"
#include "cli/commands.h"

static int run(struct pgm_cli *cli)
{
	struct pgm_error err = {0};
	struct pgm_engine_options options = PGM_ENGINE_OPTIONS;
	struct pgm_change_output output;
	const char *id = pgm_cli_value(cli, "plan");
	if (!pgm_change_options(cli, &options, &output, &err))
		return pgm_cli_fail(cli, &err);
	PGM_AUTO_CONN conn = pgm_cli_connect(cli, &err);
	if (!conn)
		return pgm_cli_fail(cli, &err);
	struct pgm_engine_preview preview;
	bool dry = pgm_cli_flag(cli, "dry-run");
	if (dry || !pgm_cli_flag(cli, "yes")) {
		if (!pgm_engine_preview_rollback(conn, cli->arena, id, &options, &preview, &err))
			return pgm_cli_fail(cli, &err);
		if (dry)
			return pgm_change_print_preview(&output, &preview), PGM_EXIT_OK;
		const char *question = pgm_sprintf(
			cli->arena, "Roll back Plan %s (%zu step%s) of database %s?", preview.plan_id,
			preview.step_count, preview.step_count == 1 ? "" : "s", pgm_conn_database(conn));
		if (!preview.already && !pgm_cli_confirm(cli, question)) {
			pgm_error_set(&err, PGM_ERR_USAGE, "nothing was changed");
			return pgm_cli_fail(cli, &err);
		}
	}
	struct pgm_engine_result result;
	bool ok = pgm_engine_rollback(conn, cli->arena, id, &options, &result, &err);
	return pgm_change_print_result(&output, &result, ok ? NULL : &err, "rolled back",
				       "There is nothing to roll back.");
}

static const struct pgm_option options[] = {
	{0, "plan", "ID", "the Plan to take back (default: the last one that is not)"},
	PGM_ENGINE_OPTION_ROWS,
	{0, NULL, NULL, NULL},
};

const struct pgm_cmd pgm_cmd_rollback = {
	.name = "rollback",
	.summary = "take a Plan back",
	.operands = "",
	.flags = PGM_CMD_CONNECTS,
	.description =
		"Undoes the steps of a Plan, the last one first, from what the ledger recorded; the Plan "
		"file is not needed. Only indexes that pgmend made are dropped; indexes that a Plan "
		"dropped are built again, concurrently.\n\n"
		"Whatever stops the run, the same command goes on where it ended.",
	.options = options,
	.run = run,
};
