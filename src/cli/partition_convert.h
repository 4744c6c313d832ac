/*
 * pgmend partition TABLE --by COLUMN: what cmd_partition.c needs of partition_convert.c.
 */
#ifndef PGM_CLI_PARTITION_CONVERT_H
#define PGM_CLI_PARTITION_CONVERT_H

#include "cli/change_output.h"
#include "partition/design.h"

/* Its option rows, beside --interval, --premake and --timezone, which other modes share. */
#define PGM_CONVERT_OPTION_ROWS                                                                             \
	{0, "by", "COLUMN", "the key: timestamp, date or integer"},                                         \
		{0, "cut", "BOUND",                                                                         \
		 "rows below it stay together: tomorrow, or a value (default: the next bound)"},            \
		{0, "method", "METHOD",                                                                     \
		 "adopt (default): the table becomes the first partition, no row is copied; split: its "    \
		 "rows "                                                                                    \
		 "are copied into partitions of their own; shadow: both"},                                  \
		{0, "keep", "N",                                                                            \
		 "split, shadow: only the last N get partitions of their own; the older rows one, "         \
		 "TABLE_old"},                                                                              \
		{0, "finish", NULL, "end the time in which a copy can be taken back: drop the old table"},  \
		{0, "widen-unique", NULL, "let unique constraints beside the primary key take the key in"}, \
		{'o', "out", "PLAN.sql", "write the Plan there; - for standard output"},                    \
	{                                                                                                   \
		0, "apply", NULL, "carry the Plan out at once"                                              \
	}

int pgm_partition_convert(struct pgm_cli *cli);

/* What the methods share: a Plan that was made is written to a file ("-": standard output), or carried out.
 */
bool pgm_partition_write_plan(const char *path, const struct pgm_plan *plan,
			      struct pgm_error *err) PGM_MUST_CHECK;
int pgm_partition_carry_out(const struct pgm_change_output *output, struct pgm_conn *conn,
			    const struct pgm_plan *plan, const struct pgm_engine_options *options);

/* A Plan in the Ledger that was begun and has not ended, whose title begins so and holds that. */
bool pgm_partition_find_begun(struct pgm_conn *conn, struct pgm_arena *arena, const char *begin,
			      const char *within, struct pgm_plan *plan, bool *found,
			      struct pgm_error *err) PGM_MUST_CHECK;

/* partition_split.c */
int pgm_partition_run_split(const struct pgm_change_output *output, struct pgm_conn *conn,
			    const struct pgm_partition_options *options,
			    const struct pgm_engine_options *engine);
int pgm_partition_run_finish(const struct pgm_change_output *output, struct pgm_conn *conn, const char *table,
			     const struct pgm_engine_options *engine);

#endif
