#include "advise/advise.h"
#include "cli/advise_report.h"
#include "cli/commands.h"
#include "cli/emit_run.h"
#include "util/term.h"

#include <errno.h>
#include <string.h>

static void show_progress(void *arg, const char *what, double fraction)
{
	(void)arg;
	pgm_progress_show(what, fraction, "");
}

static bool read_options(const struct pgm_cli *cli, struct pgm_advise_options *options, struct pgm_error *err)
{
	int64_t width = (int64_t)options->max_width, top = (int64_t)options->top, gain = 20;
	if (!pgm_cli_bytes(cli, "budget", &options->budget_bytes, err) ||
	    !pgm_cli_int(cli, "max-width", 1, PGM_INDEX_KEYS_MAX, &width, err) ||
	    !pgm_cli_int(cli, "top", 1, 100000, &top, err) ||
	    !pgm_cli_int(cli, "min-gain", 0, 100, &gain, err))
		return false;
	int64_t include = (int64_t)options->max_include_bytes;
	if (!pgm_cli_bytes(cli, "max-include", &include, err))
		return false;
	options->max_include_bytes = (size_t)include;
	options->max_width = (size_t)width;
	options->top = (size_t)top;
	options->min_gain = (double)gain / 100;
	options->table_count = pgm_cli_values(cli, "table", &options->tables);
	options->fingerprint = pgm_cli_value(cli, "fingerprint");
	options->drop_redundant = pgm_cli_flag(cli, "drop-redundant");
	const char *sizes = pgm_cli_value(cli, "sizes");
	if (sizes && strcmp(sizes, "own") != 0 && strcmp(sizes, "hypopg") != 0) {
		pgm_error_set(err, PGM_ERR_USAGE, "--sizes: there is no size model \"%s\"", sizes);
		return pgm_error_hint(err, "The size models are own and hypopg.");
	}
	options->hypopg_sizes = sizes && strcmp(sizes, "hypopg") == 0;
	options->progress = show_progress;
	return true;
}

static bool read_workload(const struct pgm_cli *cli, struct pgm_conn *conn,
			  const struct pgm_advise_options *options, struct pgm_workload *workload,
			  struct pgm_error *err)
{
	const char *path = pgm_cli_value(cli, "workload");
	if (path)
		return pgm_workload_from_file(cli->arena, path, workload, err);
	return pgm_workload_from_server(cli->arena, conn, options->top, workload, err);
}

static bool write_plan(const char *path, const struct pgm_plan *plan, struct pgm_error *err)
{
	if (plan->change_count == 0) {
		fprintf(stderr, "No index would pay; %s was not written\n", path);
		return true;
	}
	FILE *stream = strcmp(path, "-") == 0 ? stdout : fopen(path, "w");
	if (!stream)
		return pgm_error_set(err, PGM_ERR_INPUT, "cannot write %s: %s", path, strerror(errno));
	bool ok = pgm_plan_write(plan, stream, err);
	if (stream != stdout && fclose(stream) != 0 && ok)
		ok = pgm_error_set(err, PGM_ERR_SYSTEM, "cannot write %s: %s", path, strerror(errno));
	return ok;
}

/* --out FOLDER/ without --emit: one Plan an index. */
static bool read_emit(const struct pgm_cli *cli, struct pgm_emit_options *emit, struct pgm_error *err)
{
	if (!pgm_cli_emit_options(cli, emit, err))
		return false;
	size_t length = emit->folder ? strlen(emit->folder) : 0;
	if (!emit->tool && length && emit->folder[length - 1] == '/')
		emit->tool = pgm_emit_plans();
	return true;
}

static int run(struct pgm_cli *cli)
{
	struct pgm_error err = {0};
	struct pgm_advise_options options;
	struct pgm_workload workload;
	struct pgm_advice advice;
	struct pgm_plan plan;
	struct pgm_emit_options emit;
	enum pgm_format format;
	const char *out = pgm_cli_value(cli, "out");
	pgm_advise_defaults(&options);
	if (!pgm_cli_format(cli, &format, &err) || !read_options(cli, &options, &err) ||
	    !read_emit(cli, &emit, &err))
		return pgm_cli_fail(cli, &err);
	PGM_AUTO_CONN conn = pgm_cli_connect(cli, &err);
	if (!conn || !read_workload(cli, conn, &options, &workload, &err) ||
	    !pgm_advise(cli->arena, conn, &workload, &options, &advice, &err))
		return pgm_cli_fail(cli, &err);
	pgm_progress_clear();
	pgm_advise_plan(cli->arena, conn, &workload, &advice, &options, &plan);
	if (emit.tool ? !pgm_cli_emit(cli, &plan, &emit, &err) : out && !write_plan(out, &plan, &err))
		return pgm_cli_fail(cli, &err);
	struct pgm_advise_report report = {
		.arena = cli->arena,
		.conn = conn,
		.workload = &workload,
		.advice = &advice,
		.plan = &plan,
		.plan_path = out,
		.emitted = emit.tool != NULL,
		.verbose = pgm_cli_flag(cli, "verbose"),
	};
	/* The Plan on standard output leaves no room for the report there. */
	FILE *stream = out && strcmp(out, "-") == 0 ? stderr : stdout;
	if (format == PGM_FORMAT_JSON)
		pgm_advise_report_json(&report, stream);
	else
		pgm_advise_report_text(&report, format == PGM_FORMAT_MARKDOWN, stream);
	return PGM_EXIT_OK;
}

static const struct pgm_option options_rows[] = {
	{'w', "workload", "FILE",
	 "queries to advise for (SQL, or a pooler's profile), not pg_stat_statements"},
	{'o', "out", "PLAN.sql",
	 "write the Plan there; - for standard output, FOLDER/ for one file an index"},
	PGM_CLI_EMIT_OPTIONS,
	{'b', "budget", "SIZE", "disk space for all new indexes together, as 500MB"},
	{'W', "max-width", "N", "key columns of an index at most (5)"},
	{0, "max-include", "BYTES", "average width of the INCLUDE columns at most; 0 for none (400)"},
	{'t', "table", "NAME", "only this table; may be repeated"},
	{0, "fingerprint", "ID", "only this statement: its fingerprint, or its queryid"},
	{'n', "top", "N", "statements of pg_stat_statements, by total time (500)"},
	{0, "min-gain", "PERCENT", "what an index must save of some statement to be proposed (20)"},
	{0, "drop-redundant", NULL, "also drop the indexes that the new ones make needless"},
	{0, "sizes", "MODEL", "count the budget in own (default) or hypopg estimates"},
	{0, "format", "FORMAT", "text, json or markdown"},
	{'v', "verbose", NULL, "also list what is not proposed, and why"},
	{0, NULL, NULL, NULL},
};

const struct pgm_cmd pgm_cmd_advise = {
	.name = "advise",
	.summary = "propose the best set of indexes for the workload",
	.operands = "",
	.flags = PGM_CMD_CONNECTS,
	.description =
		"Reads the workload from pg_stat_statements (or from a file), finds the indexes that could "
		"serve it,\n"
		"asks the planner what each would change, and proposes the set that gains most for its size "
		"and the\n"
		"writes it costs. Nothing is built: the Plan that --out writes is for you to review and for\n"
		"\"pgmend apply\" to carry out.",
	.options = options_rows,
	.run = run,
};
