/*
 * pgmend partition TABLE --by COLUMN: what cmd_partition.c needs of partition_convert.c.
 */
#ifndef PGM_CLI_PARTITION_CONVERT_H
#define PGM_CLI_PARTITION_CONVERT_H

#include "cli/cmd.h"

/* Its option rows, beside --interval, --premake and --timezone, which other modes share. */
#define PGM_CONVERT_OPTION_ROWS                                                                              \
	{0, "by", "COLUMN", "the key: timestamp, date or integer"},                                          \
		{0, "cut", "BOUND",                                                                          \
		 "rows below it stay together: tomorrow, or a value (default: the next bound)"},             \
		{0, "method", "METHOD",                                                                      \
		 "adopt: the table becomes the first partition, nothing is copied"},                         \
		{0, "widen-unique", NULL, "let unique constraints beside the primary key take the key in"},  \
		{'o', "out", "PLAN.sql", "write the Plan there; - for standard output"},                     \
	{                                                                                                    \
		0, "apply", NULL, "carry the Plan out at once"                                               \
	}

int pgm_partition_convert(struct pgm_cli *cli);

#endif
