/*
 * The reports of "pgmend load" on their way into files and onto the terminal.
 */
#ifndef PGM_CLI_LOAD_REPORTS_H
#define PGM_CLI_LOAD_REPORTS_H

#include "cli/cmd.h"
#include "load/report.h"

/* Write what --html FILE and --markdown FILE ask for; nothing where neither is given. */
bool pgm_load_write_reports(const struct pgm_cli *cli, const struct pgm_load_report_part *parts, size_t count,
			    struct pgm_error *err) PGM_MUST_CHECK;

/*
 * "pgmend load --compare BEFORE.json AFTER.json...": nothing is run. Prints the figures side by side, or as
 * --format says, and writes the files that are asked for. Returns an exit code: 1 where a limit of the last
 * file's run did not hold.
 */
int pgm_load_compare(const struct pgm_cli *cli);

#endif
