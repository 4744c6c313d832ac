#include "change/verify/verify.h"
#include "cli/commands.h"
#include "cli/verify_run.h"

#include <string.h>

static const struct pgm_option options_rows[] = {
	{0, "baseline", NULL, "measure now, before the Plan is applied, and keep the figures"},
	{0, "compare", NULL, "measure again and set it beside the latest baseline"},
	{0, "health", NULL, "look at the Plan's indexes as they are now, without a baseline"},
	{0, "file", "FILE.json", "keep the baseline in this file, not in the database"},
	PGM_VERIFY_OPTION_ROWS,
	{0, "format", "FORMAT", "text, json or markdown (default text)"},
	{0, NULL, NULL, NULL},
};

static bool read_mode(const struct pgm_cli *cli, const char **mode, struct pgm_error *err)
{
	static const char *const modes[] = {"baseline", "compare", "health"};
	int given = 0;
	for (size_t i = 0; i < sizeof(modes) / sizeof(*modes); i++)
		if (pgm_cli_flag(cli, modes[i])) {
			*mode = modes[i];
			given++;
		}
	if (given == 1)
		return true;
	pgm_error_set(err, PGM_ERR_USAGE,
		      given ? "--baseline, --compare and --health exclude each other"
			    : "one of --baseline, --compare and --health is missing");
	return pgm_error_hint(err, "Before the Plan is applied take a --baseline, after it --compare.");
}

static bool take_baseline(struct pgm_cli *cli, struct pgm_conn *conn, const struct pgm_plan *plan,
			  const struct pgm_verify_options *options, enum pgm_format format,
			  struct pgm_error *err)
{
	struct pgm_measures measures;
	const char *file = pgm_cli_value(cli, "file");
	if (!pgm_verify_prepare(conn, file, err) ||
	    !pgm_verify_measure(conn, cli->arena, plan, options, &measures, err) ||
	    !pgm_verify_save(cli, conn, file, &measures, err))
		return false;
	pgm_verify_show(cli, plan, &measures, NULL, format);
	if (format == PGM_FORMAT_TEXT)
		printf("\nThe baseline is kept in %s. Next: pgmend apply, then pgmend verify --compare.\n",
		       file ? file : "the database's ledger");
	return pgm_verify_write_report(cli, plan, &measures, NULL, err);
}

static bool look(struct pgm_cli *cli, struct pgm_conn *conn, const struct pgm_plan *plan, bool health,
		 const struct pgm_verify_options *options, enum pgm_format format, bool *passed,
		 struct pgm_error *err)
{
	struct pgm_verify_report report;
	struct pgm_measures before;
	bool ok = health ? pgm_verify_health(conn, cli->arena, plan, &report, err)
			 : pgm_verify_load(cli, conn, pgm_cli_value(cli, "file"), plan, &before, err) &&
				   pgm_verify_compare(conn, cli->arena, plan, options, &before, &report, err);
	if (!ok)
		return false;
	pgm_verify_show(cli, plan, NULL, &report, format);
	*passed = report.problem_count == 0;
	return pgm_verify_write_report(cli, plan, NULL, &report, err);
}

static int run(struct pgm_cli *cli)
{
	struct pgm_error err = {0};
	struct pgm_verify_options options;
	struct pgm_plan plan;
	enum pgm_format format;
	const char *mode = NULL;
	bool passed = true;
	if (!read_mode(cli, &mode, &err) || !pgm_verify_read_options(cli, &options, &err) ||
	    !pgm_cli_format(cli, &format, &err) || !pgm_plan_read(cli->arena, cli->operands[0], &plan, &err))
		return pgm_cli_fail(cli, &err);
	PGM_AUTO_CONN conn = pgm_cli_connect(cli, &err);
	if (!conn)
		return pgm_cli_fail(cli, &err);
	bool ok = strcmp(mode, "baseline") == 0 ? take_baseline(cli, conn, &plan, &options, format, &err)
						: look(cli, conn, &plan, strcmp(mode, "health") == 0,
						       &options, format, &passed, &err);
	if (!ok)
		return pgm_cli_fail(cli, &err);
	return passed ? PGM_EXIT_OK : PGM_EXIT_FOUND;
}

const struct pgm_cmd pgm_cmd_verify = {
	.name = "verify",
	.summary = "measure whether a Plan does what it promises",
	.operands = "PLAN.sql",
	.operands_min = 1,
	.operands_max = 1,
	.flags = PGM_CMD_CONNECTS,
	.description =
		"Run it with --baseline before the Plan is applied and with --compare after it: the Plan's "
		"statements are timed both times and set side by side, with their plans. With --health it "
		"looks, without a baseline, at whether the Plan's indexes exist, are valid and are chosen.\n"
		"\n"
		"Only statements that read are executed, in read-only transactions with a statement timeout; "
		"those that write, lock rows or call volatile functions are planned by EXPLAIN alone. What "
		"the "
		"indexes cost writers is measured on temporary copies, never on your tables.\n"
		"\n"
		"Exit code 1 when an index is missing, invalid or used by none of the statements that it was "
		"made for, or when a statement got slower beyond noise.",
	.options = options_rows,
	.run = run,
};
