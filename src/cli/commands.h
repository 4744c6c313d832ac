/*
 * Every subcommand, each defined in cmd_<name>.c.
 */
#ifndef PGM_CLI_COMMANDS_H
#define PGM_CLI_COMMANDS_H

#include "cli/cmd.h"

extern const struct pgm_cmd pgm_cmd_advise;
extern const struct pgm_cmd pgm_cmd_apply;
extern const struct pgm_cmd pgm_cmd_check;
extern const struct pgm_cmd pgm_cmd_completion;
extern const struct pgm_cmd pgm_cmd_copy_in;
extern const struct pgm_cmd pgm_cmd_demo;
extern const struct pgm_cmd pgm_cmd_history;
extern const struct pgm_cmd pgm_cmd_lint;
extern const struct pgm_cmd pgm_cmd_load;
extern const struct pgm_cmd pgm_cmd_partition;
extern const struct pgm_cmd pgm_cmd_pool;
extern const struct pgm_cmd pgm_cmd_purge;
extern const struct pgm_cmd pgm_cmd_report;
extern const struct pgm_cmd pgm_cmd_rollback;
extern const struct pgm_cmd pgm_cmd_serve;
extern const struct pgm_cmd pgm_cmd_sessions;
extern const struct pgm_cmd pgm_cmd_top;
extern const struct pgm_cmd pgm_cmd_verify;

#endif
