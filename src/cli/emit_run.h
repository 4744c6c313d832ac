/*
 * --emit=TOOL --out FOLDER/ [--after NAME] of advise and check. Inside cli/ only.
 */
#ifndef PGM_CLI_EMIT_RUN_H
#define PGM_CLI_EMIT_RUN_H

#include "change/emit/emit.h"
#include "cli/cmd.h"

/* What was asked for; options->tool is NULL where --emit was not given. PGM_ERR_USAGE. */
bool pgm_cli_emit_options(const struct pgm_cli *cli, struct pgm_emit_options *options,
			  struct pgm_error *err) PGM_MUST_CHECK;

/* Write the Plan's files into options->folder, and say so on stderr. */
bool pgm_cli_emit(const struct pgm_cli *cli, const struct pgm_plan *plan,
		  const struct pgm_emit_options *options, struct pgm_error *err) PGM_MUST_CHECK;

#define PGM_CLI_EMIT_OPTIONS                                                                      \
	{0, "emit", "TOOL",                                                                       \
	 "write migrations of this tool (alembic, dbmate, django, flyway...; see docs/emit.md)"}, \
	{                                                                                         \
		0, "after", "NAME", "what they follow: alembic REVISION, django APP.MIGRATION"    \
	}

#endif
