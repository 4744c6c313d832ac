#include "cli/change_output.h"
#include "cli/commands.h"
#include "cli/partition_convert.h"
#include "cli/partition_upkeep.h"

static int run(struct pgm_cli *cli)
{
	if (pgm_cli_flag(cli, "restore"))
		return pgm_partition_restore(cli);
	return pgm_cli_flag(cli, "upkeep") ? pgm_partition_upkeep(cli) : pgm_partition_convert(cli);
}

static int operands_needed(const struct pgm_cli *cli)
{
	return pgm_cli_flag(cli, "upkeep") || pgm_cli_flag(cli, "restore") ? 0 : 1;
}

static const struct pgm_option options[] = {
	PGM_CONVERT_OPTION_ROWS,
	{0, "interval", "TIME",
	 "how much a partition holds: day, week, month, quarter, year; a number of integers"},
	{0, "premake", "N", "how many partitions there are to be ahead (default: by the interval, 4 months)"},
	{0, "timezone", "ZONE", "whose midnights the bounds are (default UTC; for --upkeep as they are)"},
	PGM_UPKEEP_OPTION_ROWS,
	PGM_ENGINE_OPTION_ROWS,
	{0, NULL, NULL, NULL},
};

const struct pgm_cmd pgm_cmd_partition = {
	.name = "partition",
	.summary = "make a live table a partitioned one, and keep such tables in order",
	.operands = "[TABLE]...",
	.operands_max = 1000,
	.operands_needed = operands_needed,
	.flags = PGM_CMD_CONNECTS,
	.description =
		"With TABLE and --by: looks at the table and says what it would become, what changes for "
		"those "
		"who use it, locks, disk and time, and what stands in the way. The Plan that --out writes is "
		"for "
		"you to review and for \"pgmend apply\" to carry out; --apply does both at once. \"pgmend "
		"rollback\" takes it back, without losing a row that was written since. Exit code 1 says "
		"that it "
		"cannot be done, and why.\n\n"
		"--upkeep looks after tables that are partitioned by range of a time or an integer: it makes "
		"the "
		"partitions that will be needed next, retires those that are older than --retention, and "
		"tells of "
		"gaps and of rows in DEFAULT partitions. Without TABLE it does so for all there are. Where "
		"one "
		"table fails the others go on; exit code 4 says that one did.\n\n"
		"--restore loads what --retention-action=archive wrote into a table again, and verifies "
		"it.\n\n"
		"The last argument is the database, unless -d names it.",
	.options = options,
	.run = run,
};
