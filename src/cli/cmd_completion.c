#include "cli/commands.h"

static int run(struct pgm_cli *cli)
{
	(void)cli;
	pgm_cli_print_completion(stdout);
	return PGM_EXIT_OK;
}

const struct pgm_cmd pgm_cmd_completion = {
	.name = "completion",
	.summary = "print the completion script for bash",
	.operands = "",
	.description = "Load it with: source <(pgmend completion)",
	.run = run,
};
