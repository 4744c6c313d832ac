#include "cli/change_output.h"
#include "cli/commands.h"
#include "cli/partition_upkeep.h"

static int run(struct pgm_cli *cli)
{
	struct pgm_error err = {0};
	if (pgm_cli_flag(cli, "upkeep"))
		return pgm_partition_upkeep(cli);
	pgm_error_set(&err, PGM_ERR_USAGE, "say what to do: --upkeep");
	return pgm_cli_fail(cli, &err);
}

static int operands_needed(const struct pgm_cli *cli)
{
	return pgm_cli_flag(cli, "upkeep") ? 0 : 1;
}

static const struct pgm_option options[] = {
	PGM_UPKEEP_OPTION_ROWS,
	{0, "interval", "TIME",
	 "how long a partition is: 1 month, week, 3 months... or a number for integers"},
	{0, "premake", "N", "how many partitions there are to be ahead of the present one (default 4)"},
	{0, "timezone", "ZONE", "whose midnights the bounds are (default: seen from those there are)"},
	PGM_ENGINE_OPTION_ROWS,
	{0, NULL, NULL, NULL},
};

const struct pgm_cmd pgm_cmd_partition = {
	.name = "partition",
	.summary = "keep partitioned tables in order",
	.operands = "[TABLE]...",
	.operands_max = 1000,
	.operands_needed = operands_needed,
	.flags = PGM_CMD_CONNECTS,
	.description =
		"--upkeep looks after tables that are partitioned by range of a time or an integer: it makes "
		"the "
		"partitions that will be needed next, retires those that are older than --retention, and "
		"tells of "
		"gaps and of rows in DEFAULT partitions. Without TABLE it does so for all there are.\n\n"
		"Where one table fails the others go on; exit code 4 says that one did. The last argument is "
		"the "
		"database, unless -d names it.",
	.options = options,
	.run = run,
};
