/*
 * The steps of verify as the command line does them: measure, keep the baseline, compare, print. For "verify"
 * itself and for "apply --verify".
 */
#ifndef PGM_CLI_VERIFY_RUN_H
#define PGM_CLI_VERIFY_RUN_H

#include "change/verify/verify.h"
#include "cli/cmd.h"

/* Option rows that read_options() reads; a command adds them to its own. */
#define PGM_VERIFY_OPTION_ROWS                                                                         \
	{0, "runs", "N", "time each statement N times after a warm-up (default 5)"},                   \
		{0, "statement-timeout", "TIME", "stop a statement after this time (default 30s)"},    \
		{0, "max-time", "TIME", "after this time run each statement only once (default 60s)"}, \
		{0, "sample-rows", "N", "rows of a table copied to measure writes on (default 5000)"}, \
		{0, "no-writes", NULL, "do not measure what the indexes cost writers"},                \
	{                                                                                              \
		0, "report", "FILE.md", "write the report as Markdown besides"                         \
	}

bool pgm_verify_read_options(const struct pgm_cli *cli, struct pgm_verify_options *options,
			     struct pgm_error *err) PGM_MUST_CHECK;

/* Before anything is measured: whether a baseline can be kept in the Ledger, which is made if need be. */
bool pgm_verify_prepare(struct pgm_conn *conn, const char *file, struct pgm_error *err) PGM_MUST_CHECK;

/* Keep a baseline in the file, or in the Ledger where file is NULL. */
bool pgm_verify_save(const struct pgm_cli *cli, struct pgm_conn *conn, const char *file,
		     const struct pgm_measures *measures, struct pgm_error *err) PGM_MUST_CHECK;

/* The latest baseline of that Plan. PGM_ERR_STATE: there is none. */
bool pgm_verify_load(const struct pgm_cli *cli, struct pgm_conn *conn, const char *file,
		     const struct pgm_plan *plan, struct pgm_measures *measures,
		     struct pgm_error *err) PGM_MUST_CHECK;

/* Print; exactly one of measures and report is given. */
void pgm_verify_show(const struct pgm_cli *cli, const struct pgm_plan *plan,
		     const struct pgm_measures *measures, const struct pgm_verify_report *report,
		     enum pgm_format format);

/* Write the file of --report, where it was given. */
bool pgm_verify_write_report(const struct pgm_cli *cli, const struct pgm_plan *plan,
			     const struct pgm_measures *measures, const struct pgm_verify_report *report,
			     struct pgm_error *err) PGM_MUST_CHECK;

#endif
