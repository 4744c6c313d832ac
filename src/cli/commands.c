#include "cli/commands.h"

#include <string.h>

/* In the order in which --help lists them. */
const struct pgm_cmd *const pgm_commands[] = {
	&pgm_cmd_check,
	&pgm_cmd_advise,
	&pgm_cmd_apply,
	&pgm_cmd_partition,
	&pgm_cmd_verify,
	&pgm_cmd_rollback,
	&pgm_cmd_purge,
	&pgm_cmd_copy_in,
	&pgm_cmd_history,
	&pgm_cmd_lint,
	&pgm_cmd_pool,
	&pgm_cmd_serve,
	&pgm_cmd_load,
	&pgm_cmd_top,
	&pgm_cmd_sessions,
	&pgm_cmd_report,
	&pgm_cmd_demo,
	&pgm_cmd_completion,
	NULL,
};

const struct pgm_cmd *pgm_cmd_find(const char *name)
{
	for (const struct pgm_cmd *const *cmd = pgm_commands; *cmd; cmd++)
		if (strcmp((*cmd)->name, name) == 0)
			return *cmd;
	return NULL;
}
