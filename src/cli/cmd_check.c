#include "cli/check_print.h"
#include "cli/check_request.h"
#include "cli/check_saved.h"
#include "cli/commands.h"
#include "cli/emit_run.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static const struct pgm_option options[] = {
	{0, "only", "ID,...", "run these checks or families alone (repeatable)"},
	{0, "skip", "ID,...", "leave these checks or families out (repeatable)"},
	{0, "threshold", "ID.NAME=N", "another threshold than the check's own (repeatable)"},
	{0, "ignore", "KEY", "hide the finding with this ignore key; * is any text (repeatable)"},
	{0, "ignore-file", "FILE", "ignore keys, one a line; # begins a comment"},
	{0, "fail-on", "SEVERITY", "exit code 1 from info, warning, critical (the default) on, or never"},
	{0, "timeout", "TIME", "the longest that one check may take (default 10s)"},
	{0, "fix-plan", "PLAN.sql", "write a Plan of the safe mends: what creates, nothing that drops"},
	{0, "allow-drops", NULL, "let the Plan drop indexes too"},
	PGM_CLI_EMIT_OPTIONS,
	{0, "out", "FOLDER/", "where --emit puts the migrations of that Plan"},
	{0, "config", "FILE", "ignore keys, thresholds, only, skip, fail-on and timeout from a file"},
	{0, "save", "[FILE]", "keep the report, for --since; without FILE in the state folder"},
	{0, "since", "LAST|FILE", "show what is new, worse, better or gone since a saved report"},
	{0, "format", "FORMAT", "text (default), json, markdown, sarif or html"},
	{0, "list", NULL, "list the checks"},
	{0, "explain", "ID", "say what a check means, and show its SQL"},
	{0, NULL, NULL, NULL},
};

static bool write_plan_file(const struct pgm_plan *plan, const char *path, struct pgm_error *err)
{
	if (plan->change_count == 0) {
		fprintf(stderr, "No finding has a mend for a Plan; %s was not written\n", path);
		return true;
	}
	FILE *file = fopen(path, "w");
	if (!file)
		return pgm_error_set(err, PGM_ERR_SYSTEM, "%s: %s", path, strerror(errno));
	bool ok = pgm_plan_write(plan, file, err);
	if (fclose(file) != 0 && ok)
		ok = pgm_error_set(err, PGM_ERR_SYSTEM, "%s: %s", path, strerror(errno));
	if (ok)
		fprintf(stderr, "%zu change%s written to %s; review it, then: pgmend apply %s\n",
			plan->change_count, plan->change_count == 1 ? "" : "s", path, path);
	return ok;
}

/* The Plan of the mends, as a file, as migrations, or as both. */
static bool write_plan(const struct pgm_cli *cli, struct pgm_conn *conn,
		       const struct pgm_check_report *report, const struct pgm_check_request *request,
		       struct pgm_error *err)
{
	struct pgm_plan plan;
	size_t left_out;
	const char *path = pgm_cli_value(cli, "fix-plan");
	if (!path && !request->emit.tool)
		return true;
	if (!pgm_check_plan(conn, cli->arena, report, pgm_cli_flag(cli, "allow-drops"), &plan, &left_out,
			    err))
		return pgm_error_context(err, "making the Plan");
	if (left_out)
		fprintf(stderr,
			"%zu index(es) to drop are left out of the Plan: their tables are locked now\n",
			left_out);
	if (path && !write_plan_file(&plan, path, err))
		return false;
	return !request->emit.tool || pgm_cli_emit(cli, &plan, &request->emit, err);
}

static void print_json(json_t *json)
{
	json_dumpf(json, stdout, JSON_INDENT(2));
	putchar('\n');
	json_decref(json);
}

/* since: NULL without a comparison. */
static void print_report(const struct pgm_cli *cli, const struct pgm_check_report *report,
			 const struct pgm_check_since *since, enum pgm_format format)
{
	switch (format) {
	case PGM_FORMAT_TEXT:
		pgm_check_print_text(cli->arena, report, stdout);
		if (since)
			pgm_check_print_since(cli->arena, since, stdout);
		break;
	case PGM_FORMAT_MARKDOWN:
		pgm_check_print_markdown(cli->arena, report, stdout);
		if (since)
			pgm_check_print_since_markdown(cli->arena, since, stdout);
		break;
	case PGM_FORMAT_HTML:
		pgm_check_print_html(cli->arena, report, since, stdout);
		break;
	case PGM_FORMAT_SARIF:
		print_json(pgm_check_sarif(cli->arena, report, since));
		break;
	default: {
		json_t *json = pgm_check_report_json(report);
		if (pgm_cli_flag(cli, "since"))
			json_object_set_new(json, "since", since ? pgm_check_since_json(since) : json_null());
		print_json(json);
	}
	}
}

/* Compare with what --since names, then keep the report where --save asks for it. */
static bool compare_and_save(const struct pgm_cli *cli, struct pgm_conn *conn,
			     const struct pgm_check_report *report, struct pgm_check_since *since,
			     bool *compared, struct pgm_error *err)
{
	const char *from = pgm_cli_value(cli, "since");
	const char *to = pgm_cli_value(cli, "save");
	bool last = from && strcmp(from, "LAST") == 0;
	char *folder = NULL, *written;
	if ((last || (to && !*to)) && !(folder = pgm_check_saved_folder(cli->arena, conn, err)))
		return false;
	if (last && !(from = pgm_check_saved_last(cli->arena, folder)))
		fprintf(stderr, "Nothing was saved of %s yet: there is nothing to compare with\n",
			report->database);
	if (from) {
		json_t *saved = pgm_check_saved_read(from, err);
		*compared = saved && pgm_check_since(cli->arena, saved, report, since, err);
		json_decref(saved);
		if (!saved)
			return false;
		if (!*compared)
			return pgm_error_context(err, "%s", from);
		if (strcmp(since->database, report->database) != 0)
			fprintf(stderr, "%s is of the database %s\n", from, since->database);
	}
	if (!to)
		return true;
	json_t *json = pgm_check_report_json(report);
	bool ok = pgm_check_save(cli->arena, folder, to, json, report->taken_at, &written, err);
	json_decref(json);
	if (ok)
		fprintf(stderr, "Saved to %s\n", written);
	return ok;
}

/* With a comparison only what is new or worse counts. */
static int exit_code(const struct pgm_check_request *request, const struct pgm_check_report *report,
		     const struct pgm_check_since *since)
{
	for (size_t i = 0; request->may_fail && i < report->finding_count; i++) {
		const struct pgm_finding *finding = report->findings[i];
		if (finding->severity >= request->fail_on &&
		    (!since || pgm_check_since_is_worse(since, finding)))
			return PGM_EXIT_FOUND;
	}
	return PGM_EXIT_OK;
}

static int check_database(const struct pgm_cli *cli, const struct pgm_check_request *request)
{
	struct pgm_error err = {0};
	PGM_AUTO_CONN conn = pgm_cli_connect(cli, &err);
	if (!conn)
		return pgm_cli_fail(cli, &err);
	struct pgm_check_report report;
	struct pgm_check_since since;
	bool compared = false;
	if (!pgm_check_run(conn, cli->arena, &request->options, &report, &err))
		return pgm_cli_fail(cli, &err);
	bool kept = compare_and_save(cli, conn, &report, &since, &compared, &err);
	print_report(cli, &report, compared ? &since : NULL, request->format);
	int code = exit_code(request, &report, compared ? &since : NULL);
	if (!kept)
		code = pgm_cli_fail(cli, &err);
	if (!write_plan(cli, conn, &report, request, &err))
		code = pgm_cli_fail(cli, &err);
	pgm_check_report_done(&report);
	return code;
}

static int run(struct pgm_cli *cli)
{
	struct pgm_error err = {0};
	struct pgm_check_request request;
	const struct pgm_check *checks;
	size_t count;
	if (!pgm_check_catalogue(cli->arena, &checks, &count, &err) ||
	    !pgm_check_request_read(cli, checks, count, &request, &err))
		return pgm_cli_fail(cli, &err);
	if (pgm_cli_flag(cli, "list")) {
		pgm_check_print_list(cli->arena, checks, count, stdout);
		return PGM_EXIT_OK;
	}
	const char *explained = pgm_cli_value(cli, "explain");
	if (explained) {
		const struct pgm_check *check = pgm_check_find(checks, count, explained, &err);
		if (!check)
			return pgm_cli_fail(cli, &err);
		pgm_check_print_explain(cli->arena, check, stdout);
		return PGM_EXIT_OK;
	}
	return check_database(cli, &request);
}

const struct pgm_cmd pgm_cmd_check = {
	.name = "check",
	.summary = "find what makes a database slow: missing, redundant and broken indexes, slow statements",
	.operands = "",
	.flags = PGM_CMD_CONNECTS,
	.description =
		"Runs the checks and shows what they find, worst first, each with figures and the SQL that "
		"mends it.\n\n"
		"Nothing is changed and nothing is blocked: it reads system catalogs and statistics in one "
		"read-only transaction. It runs on standbys, and with few rights: what it could not check is "
		"said, with the GRANT that would let it.\n\n"
		"Exit code 1 says that there is a finding of the severity of --fail-on or worse; with "
		"--since, one "
		"that is new or worse than it was. Checks that could not be judged do not count.",
	.options = options,
	.run = run,
};
