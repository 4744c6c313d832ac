/*
 * What the commands share that run until they are told to end (pool, serve).
 */
#ifndef PGM_CLI_DAEMON_H
#define PGM_CLI_DAEMON_H

#include "cli/cmd.h"
#include "pool/config/config.h"

/* Whether a word is a file, unless it can be nothing but a connection string or the name of a database. */
bool pgm_daemon_is_conninfo(const char *word);

/* All problems of a configuration, on standard error. */
void pgm_daemon_print_problems(const struct pgm_cli *cli, const struct pgm_config_problems *problems);

/*
 * As root of anything: become that user (NULL: none is named, which is refused). Root's rights are of no use
 * to what (a noun: "the pooler"), and a danger.
 */
bool pgm_daemon_drop_rights(const char *user, const char *what, struct pgm_error *err) PGM_MUST_CHECK;

#endif
