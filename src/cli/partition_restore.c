#include "change/ledger.h"
#include "cli/change_output.h"
#include "cli/partition_upkeep.h"
#include "partition/restore.h"

int pgm_partition_restore(struct pgm_cli *cli)
{
	struct pgm_error err = {0};
	struct pgm_engine_options options = PGM_ENGINE_OPTIONS;
	struct pgm_change_output output;
	struct pgm_engine_preview preview;
	struct pgm_engine_result result;
	struct pgm_plan plan;
	bool ledger, dry = pgm_cli_flag(cli, "dry-run");
	if (!pgm_change_options(cli, &options, &output, &err))
		return pgm_cli_fail(cli, &err);
	if (cli->operand_count) {
		pgm_error_set(&err, PGM_ERR_USAGE, "--restore takes no table: --into says what it is called");
		return pgm_cli_fail(cli, &err);
	}
	PGM_AUTO_CONN conn = pgm_cli_connect(cli, &err);
	if (!conn || !pgm_ledger_exists(conn, true, &ledger, &err) ||
	    !pgm_restore_plan(conn, cli->arena, pgm_cli_value(cli, "restore"), pgm_cli_value(cli, "into"),
			      pgm_cli_flag(cli, "attach"), ledger && !dry, &plan, &err))
		return pgm_cli_fail(cli, &err);
	if (dry) {
		if (!pgm_engine_preview_apply(conn, cli->arena, &plan, &options, &preview, &err))
			return pgm_cli_fail(cli, &err);
		pgm_change_print_preview(&output, &preview);
		return PGM_EXIT_OK;
	}
	const char *question =
		pgm_sprintf(cli->arena, "In database %s: %s?", pgm_conn_database(conn), plan.title);
	if (!pgm_cli_confirm(cli, question)) {
		pgm_error_set(&err, PGM_ERR_USAGE, "nothing was changed");
		return pgm_cli_fail(cli, &err);
	}
	bool ok = pgm_engine_apply(conn, cli->arena, &plan, &options, &result, &err);
	return pgm_change_print_result(&output, &result, ok ? NULL : &err, "done", "It was restored before.");
}
