/*
 * pgmend partition --upkeep: what cmd_partition.c needs of partition_upkeep.c.
 */
#ifndef PGM_CLI_PARTITION_UPKEEP_H
#define PGM_CLI_PARTITION_UPKEEP_H

#include "cli/cmd.h"

/* Its option rows, beside --interval, --premake and --timezone, which other modes share. */
#define PGM_UPKEEP_OPTION_ROWS                                                                       \
	{0, "upkeep", NULL, "make partitions ahead, retire old ones, look for gaps and stray rows"}, \
		{0, "retention", "TIME",                                                             \
		 "retire partitions that ended so long ago (a number for integers)"},                \
		{0, "retention-action", "WHAT",                                                      \
		 "what becomes of them: keep, drop or archive (default keep)"},                      \
		{0, "retention-schema", "SCHEMA", "where a kept one goes (default: it stays)"},      \
		{0, "archive-dir", "DIR", "where archives go, on this machine"},                     \
		{0, "restore", "FILE", "load an archive into a table again, and verify it"},         \
		{0, "into", "TABLE", "what that table is called (default: as it was)"},              \
		{0, "attach", NULL, "and make it a partition again"},                                \
		{0, "save", NULL, "store these settings for each TABLE, for runs to come"},          \
		{0, "forget", NULL, "forget what is stored for each TABLE, and do nothing else"},    \
		{0, "fill-gaps", NULL, "make partitions for ranges between others, too"},            \
		{0, "fix-default", NULL,                                                             \
		 "move rows of the DEFAULT partition into partitions made for them"},                \
	{                                                                                            \
		0, "as-of", "TIME", "take this for the present"                                      \
	}

int pgm_partition_upkeep(struct pgm_cli *cli);
int pgm_partition_restore(struct pgm_cli *cli);

#endif
