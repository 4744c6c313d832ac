/*
 * What "pgmend purge" prints of its look.
 */
#ifndef PGM_CLI_PURGE_PRINT_H
#define PGM_CLI_PURGE_PRINT_H

#include "cli/cmd.h"
#include "purge/purge.h"

void pgm_purge_print(const struct pgm_cli *cli, const struct pgm_purge *purge);
void pgm_purge_print_json(const struct pgm_cli *cli, const struct pgm_purge *purge);

#endif
