#include "cli/check_print.h"
#include "cli/commands.h"
#include "cli/emit_run.h"

#include "util/buf.h"
#include "util/vec.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define IGNORE_FILE_MAX_BYTES (16 << 20)

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
	{0, "format", "FORMAT", "text (default), json or markdown"},
	{0, "list", NULL, "list the checks"},
	{0, "explain", "ID", "say what a check means, and show its SQL"},
	{0, NULL, NULL, NULL},
};

static char *read_file(struct pgm_arena *arena, const char *path, struct pgm_error *err)
{
	FILE *file = fopen(path, "r");
	if (!file) {
		pgm_error_set(err, PGM_ERR_INPUT, "%s: %s", path, strerror(errno));
		return NULL;
	}
	struct pgm_buf text;
	pgm_buf_init(&text, arena);
	pgm_buf_add(&text, "");
	char block[8192];
	size_t length;
	while ((length = fread(block, 1, sizeof(block), file)) > 0 && text.length < IGNORE_FILE_MAX_BYTES)
		pgm_buf_add_n(&text, block, length);
	bool broken = ferror(file) || text.length >= IGNORE_FILE_MAX_BYTES;
	fclose(file);
	if (broken) {
		pgm_error_set(err, PGM_ERR_INPUT, "%s: it cannot be read, or is too large", path);
		return NULL;
	}
	return text.text;
}

static bool read_ignores(const struct pgm_cli *cli, struct pgm_check_options *options_of_run,
			 struct pgm_error *err)
{
	PGM_VEC(const char *) keys = {0};
	const char **values;
	size_t count = pgm_cli_values(cli, "ignore", &values);
	for (size_t i = 0; i < count; i++)
		*pgm_vec_add(cli->arena, &keys) = values[i];
	count = pgm_cli_values(cli, "ignore-file", &values);
	for (size_t i = 0; i < count; i++) {
		const char *text = read_file(cli->arena, values[i], err);
		const char **lines;
		if (!text)
			return false;
		size_t line_count = pgm_check_ignore_parse(cli->arena, text, &lines);
		for (size_t line = 0; line < line_count; line++)
			*pgm_vec_add(cli->arena, &keys) = lines[line];
	}
	options_of_run->ignore = keys.items;
	options_of_run->ignore_count = keys.count;
	return true;
}

struct request {
	struct pgm_check_options options;
	enum pgm_format format;
	bool may_fail;
	enum pgm_severity fail_on;
	struct pgm_emit_options emit;
};

static bool read_request(const struct pgm_cli *cli, struct request *request, struct pgm_error *err)
{
	const char **items;
	request->options.only_count = pgm_cli_listed(cli, "only", &items);
	request->options.only = items;
	request->options.skip_count = pgm_cli_listed(cli, "skip", &items);
	request->options.skip = items;
	request->options.threshold_count = pgm_cli_values(cli, "threshold", &items);
	request->options.thresholds = items;
	if (!pgm_cli_format(cli, &request->format, err) || !read_ignores(cli, &request->options, err) ||
	    !pgm_cli_duration_ms(cli, "timeout", &request->options.timeout_ms, err))
		return false;
	const char *fail_on = pgm_cli_value(cli, "fail-on");
	request->fail_on = PGM_SEVERITY_CRITICAL;
	request->may_fail = !fail_on || strcmp(fail_on, "never") != 0;
	if (fail_on && request->may_fail && !pgm_severity_parse(fail_on, &request->fail_on)) {
		pgm_error_set(err, PGM_ERR_USAGE, "--fail-on: there is no severity \"%s\"", fail_on);
		return pgm_error_hint(err, "It is info, warning, critical or never.");
	}
	if (!pgm_cli_emit_options(cli, &request->emit, err))
		return false;
	if (request->emit.folder && !request->emit.tool)
		return pgm_error_set(err, PGM_ERR_USAGE, "--out is for --emit alone");
	if (pgm_cli_flag(cli, "allow-drops") && !pgm_cli_flag(cli, "fix-plan") && !request->emit.tool)
		return pgm_error_set(err, PGM_ERR_USAGE, "--allow-drops is for --fix-plan and --emit alone");
	return true;
}

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
		       const struct pgm_check_report *report, const struct request *request,
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

static void print_report(const struct pgm_cli *cli, const struct pgm_check_report *report,
			 enum pgm_format format)
{
	if (format == PGM_FORMAT_TEXT)
		pgm_check_print_text(cli->arena, report, stdout);
	else if (format == PGM_FORMAT_MARKDOWN)
		pgm_check_print_markdown(cli->arena, report, stdout);
	else {
		json_t *json = pgm_check_report_json(report);
		json_dumpf(json, stdout, JSON_INDENT(2));
		putchar('\n');
		json_decref(json);
	}
}

static int check_database(const struct pgm_cli *cli, const struct request *request)
{
	struct pgm_error err = {0};
	PGM_AUTO_CONN conn = pgm_cli_connect(cli, &err);
	if (!conn)
		return pgm_cli_fail(cli, &err);
	struct pgm_check_report report;
	if (!pgm_check_run(conn, cli->arena, &request->options, &report, &err))
		return pgm_cli_fail(cli, &err);
	print_report(cli, &report, request->format);
	int code = PGM_EXIT_OK;
	for (size_t i = 0; request->may_fail && i < report.finding_count; i++)
		if (report.findings[i]->severity >= request->fail_on)
			code = PGM_EXIT_FOUND;
	if (!write_plan(cli, conn, &report, request, &err))
		code = pgm_cli_fail(cli, &err);
	pgm_check_report_done(&report);
	return code;
}

static int run(struct pgm_cli *cli)
{
	struct pgm_error err = {0};
	struct request request = {0};
	const struct pgm_check *checks;
	size_t count;
	if (!read_request(cli, &request, &err) || !pgm_check_catalogue(cli->arena, &checks, &count, &err))
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
		"Exit code 1 says that there is a finding of the severity of --fail-on or worse. Checks that "
		"could not be judged do not count.",
	.options = options,
	.run = run,
};
