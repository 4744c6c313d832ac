#include "cli/commands.h"
#include "cli/lint_print.h"

#include <string.h>

static const struct pgm_option options[] = {
	{0, "only", "RULE,...", "judge by these rules alone (repeatable)"},
	{0, "skip", "RULE,...", "leave these rules out (repeatable)"},
	{0, "fail-on", "SEVERITY", "exit code 1 from info, warning (the default), critical on, or never"},
	{0, "tool", "TOOL",
	 "what runs the files: auto, plain, dbmate, golang-migrate, flyway, alembic, diesel, "
	 "goose, prisma, sql-migrate"},
	{0, "in-transaction", NULL, "plain files are run in one transaction each"},
	{0, "since", "FILE", "the files before it have run already: they are known, not judged"},
	{0, "format", "FORMAT", "text (default), json, markdown or sarif"},
	{0, "rules", NULL, "list the rules"},
	{0, "explain", "RULE", "say what a rule means"},
	{0, NULL, NULL, NULL},
};

struct request {
	struct pgm_lint_options options;
	enum pgm_format format;
	bool may_fail;
	enum pgm_severity fail_on;
};

static bool choose_rules(const struct pgm_cli *cli, struct pgm_lint_options *lint, struct pgm_error *err)
{
	static const char *const names[] = {"only", "skip"};
	const char **items;
	bool all = pgm_cli_listed(cli, "only", &items) == 0;
	for (int rule = 0; rule < PGM_LINT_RULES; rule++)
		lint->run_rules[rule] = all;
	for (int skip = 0; skip < 2; skip++) {
		size_t count = pgm_cli_listed(cli, names[skip], &items);
		for (size_t i = 0; i < count; i++) {
			enum pgm_lint_rule_id rule = pgm_lint_rule_find(items[i], err);
			if (rule == PGM_LINT_RULES)
				return pgm_error_context(err, "--%s", names[skip]);
			lint->run_rules[rule] = !skip;
		}
	}
	return true;
}

static bool read_request(const struct pgm_cli *cli, struct request *request, struct pgm_error *err)
{
	unsigned formats = 1u << PGM_FORMAT_TEXT | 1u << PGM_FORMAT_JSON | 1u << PGM_FORMAT_MARKDOWN |
			   1u << PGM_FORMAT_SARIF;
	const char *fail_on = pgm_cli_value(cli, "fail-on");
	const char *tool = pgm_cli_value(cli, "tool");
	if (!pgm_cli_format_among(cli, formats, &request->format, err) ||
	    !choose_rules(cli, &request->options, err))
		return false;
	request->fail_on = PGM_SEVERITY_WARNING;
	request->may_fail = !fail_on || strcmp(fail_on, "never") != 0;
	request->options.since = pgm_cli_value(cli, "since");
	bool found = !request->options.since;
	for (size_t i = 0; i < cli->operand_count; i++)
		found = found || strcmp(cli->operands[i], request->options.since) == 0;
	if (!found) {
		pgm_error_set(err, PGM_ERR_USAGE, "--since: %s is none of the files", request->options.since);
		return pgm_error_hint(err, "Name it as among FILE.sql...");
	}
	request->options.in_transaction = pgm_cli_flag(cli, "in-transaction");
	if (fail_on && request->may_fail && !pgm_severity_parse(fail_on, &request->fail_on)) {
		pgm_error_set(err, PGM_ERR_USAGE, "--fail-on: there is no severity \"%s\"", fail_on);
		return pgm_error_hint(err, "It is info, warning, critical or never.");
	}
	if (tool && !pgm_lint_tool_parse(tool, &request->options.tool)) {
		pgm_error_set(err, PGM_ERR_USAGE, "--tool: there is no tool \"%s\"", tool);
		return pgm_error_hint(err,
				      "It is auto, plain, dbmate, golang-migrate, flyway, alembic, diesel, "
				      "goose, prisma or sql-migrate.");
	}
	return true;
}

static void print_json(json_t *json)
{
	json_dumpf(json, stdout, JSON_INDENT(2));
	putchar('\n');
	json_decref(json);
}

static void print_report(const struct pgm_cli *cli, const struct pgm_lint_report *report,
			 enum pgm_format format)
{
	if (format == PGM_FORMAT_TEXT)
		pgm_lint_print_text(cli->arena, report, stdout);
	else if (format == PGM_FORMAT_MARKDOWN)
		pgm_lint_print_markdown(cli->arena, report, stdout);
	else
		print_json(format == PGM_FORMAT_SARIF ? pgm_lint_sarif(cli->arena, report)
						      : pgm_lint_report_json(report));
	fflush(stdout);
	for (size_t i = 0; i < report->problem_count; i++) {
		fprintf(stderr, "pgmend lint: %s\n", report->problems[i].message);
		if (*report->problems[i].hint)
			fprintf(stderr, "hint: %s\n", report->problems[i].hint);
	}
}

static int lint_files(const struct pgm_cli *cli, const struct request *request)
{
	struct pgm_error err = {0};
	struct pgm_lint_report report;
	PGM_AUTO_CONN conn = NULL;
	if (pgm_cli_names_database(cli)) {
		conn = pgm_cli_connect(cli, &err);
		if (!conn)
			return pgm_cli_fail(cli, &err);
	}
	if (!pgm_lint_run(cli->arena, cli->operands, cli->operand_count, &request->options, conn, &report,
			  &err))
		return pgm_cli_fail(cli, &err);
	print_report(cli, &report, request->format);
	if (report.problem_count)
		return PGM_EXIT_USAGE;
	for (int severity = (int)request->fail_on; request->may_fail && severity <= PGM_SEVERITY_CRITICAL;
	     severity++)
		if (report.counts[severity])
			return PGM_EXIT_FOUND;
	return PGM_EXIT_OK;
}

static int run(struct pgm_cli *cli)
{
	struct pgm_error err = {0};
	struct request request = {0};
	if (!read_request(cli, &request, &err))
		return pgm_cli_fail(cli, &err);
	if (pgm_cli_flag(cli, "rules")) {
		if (request.format == PGM_FORMAT_MARKDOWN)
			pgm_lint_print_rules_page(stdout);
		else
			pgm_lint_print_rules(cli->arena, stdout);
		return PGM_EXIT_OK;
	}
	const char *explained = pgm_cli_value(cli, "explain");
	if (explained) {
		enum pgm_lint_rule_id rule = pgm_lint_rule_find(explained, &err);
		if (rule == PGM_LINT_RULES)
			return pgm_cli_fail(cli, &err);
		pgm_lint_print_rule(cli->arena, &pgm_lint_rules[rule], stdout);
		return PGM_EXIT_OK;
	}
	if (cli->operand_count == 0) {
		pgm_error_set(&err, PGM_ERR_USAGE, "FILE.sql... is missing");
		pgm_error_hint(&err, "See \"pgmend lint --help\".");
		return pgm_cli_fail(cli, &err);
	}
	return lint_files(cli, &request);
}

const struct pgm_cmd pgm_cmd_lint = {
	.name = "lint",
	.summary = "say what migrations would lock, rewrite or break on a live database",
	.operands = "FILE.sql...",
	.flags = PGM_CMD_CONNECTS | PGM_CMD_FILES,
	.description =
		"Reads SQL migrations and says what they would do to a live database: which statement takes "
		"which lock on what, what it reads or rewrites under that lock, and what to write instead. "
		"With "
		"CONNINFO (or any of -h -p -U -d) also for how long, by the sizes of the tables there; "
		"nothing "
		"is run, and nothing but catalogs is read. Without, no connection is made.\n\n"
		"The last argument is CONNINFO if it neither ends in .sql nor is a file.\n\n"
		"Files of dbmate, golang-migrate, Flyway, Alembic (offline SQL), Diesel, goose, Prisma and "
		"sql-migrate are told apart, because "
		"each "
		"makes transactions in its own way. \"-- pgmend:ignore RULE: why\" before a statement passes "
		"over "
		"it.\n\n"
		"Exit code 1 says that there is a finding of the severity of --fail-on or worse, 2 that a "
		"file "
		"could not be read or understood.",
	.options = options,
	.run = run,
};
