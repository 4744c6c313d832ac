#include "cli/commands.h"
#include "cli/load_print.h"
#include "cli/load_reports.h"
#include "cli/load_request.h"

#include "load/watching.h"
#include "util/term.h"

#include <stdlib.h>

static const struct pgm_option options[] = {
	{'f', "file", "FILE[@WEIGHT]", "run a script of pgbench's syntax (repeatable)"},
	{'b', "builtin", "NAME[@WEIGHT]", "select-only, simple-update or tpcb-like of pgbench (repeatable)"},
	{0, "workload", "SOURCE",
	 "pg_stat_statements, a pooler's profile or a file of SQL statements: each with its "
	 "calls as weight"},
	{0, "top", "N", "of a workload only the N statements with the most time (default 500)"},
	{'D', "define", "NAME=VALUE", "a variable of the scripts (repeatable)"},
	{'s', "scale", "N", "the variable :scale (default: rows of pgbench_branches)"},
	{0, "users", "N", "how many users there are at the most; with --rate sessions"},
	{0, "think", "TIME", "a user's mean pause between due times (default 100ms)"},
	{0, "duration", "TIME", "how long (default 1min; spike 3 times its way up; endurance 1h)"},
	{0, "rate", "N", "so many transactions a second, whoever serves them"},
	{0, "spike", "[TIME]", "from --base to --users within TIME (default 1min), and back at the end"},
	{0, "base", "N", "users that are there before and after a spike (default 0)"},
	{0, "endurance", NULL, "50 users for an hour"},
	{0, "ramp", NULL, "in steps up to --users or --rate, until it breaks"},
	{0, "step", "TIME", "how long a step of a ramp is (default 10s)"},
	{0, "drain", "TIME", "so long what was due may still be done at the end (default 10s)"},
	{0, "even", NULL, "due at even gaps, not at random (Poisson) ones"},
	{0, "protocol", "PROTOCOL", "prepared (default), extended or simple"},
	{0, "writes", NULL, "let the scripts change data"},
	{0, "target", "NAME=CONNINFO", "a target, or one more: they take turns (repeatable)"},
	{0, "slice", "TIME", "how long each target's turn is (default 5s)"},
	{0, "server", "NAME=CONNINFO", "the server behind a target that is a pooler, to be watched"},
	{0, "console", "NAME=CONNINFO", "the pooler's console, for what waits in its pools"},
	{0, "no-watch", NULL, "do not look at the server meanwhile"},
	{0, "p95", "TIME", "verdict: 95 % of transactions are done within"},
	{0, "error-rate", "PERCENT", "verdict: at most so many fail"},
	{0, "throughput", "N", "verdict: at least so many a second are done"},
	{0, "seed", "N", "draw the same random numbers as another run"},
	{0, "out", "FILE", "save the result as JSON"},
	{0, "html", "FILE", "save a report with plots as one HTML page"},
	{0, "markdown", "FILE", "save a report as Markdown"},
	{0, "compare", "BEFORE.json", "run nothing: set results that --out saved beside this one"},
	{0, "format", "FORMAT", "text (default), json or, of --compare, markdown or html"},
	{0, NULL, NULL, NULL},
};

struct run {
	const struct pgm_cli *cli;
	const struct pgm_load_request *request;
	struct pgm_load_watching watching;
	struct pgm_arena *line; /* of a progress line */
};

static void show_connecting(void *arg, uint32_t connected, uint32_t wanted)
{
	struct run *run = arg;
	pgm_arena_reset(run->line);
	pgm_progress_show(pgm_sprintf(run->line, "connecting: %u of %u", connected, wanted), -1, NULL);
}

static void note_begin(void *arg, double clock_ms)
{
	pgm_load_watching_begin(&((struct run *)arg)->watching, clock_ms);
}

static void show_progress(void *arg, const struct pgm_load_progress *progress)
{
	struct run *run = arg;
	pgm_load_watching_take(&run->watching, progress->target);
	pgm_arena_reset(run->line);
	pgm_load_print_progress(run->line, progress,
				pgm_load_watching_text(run->line, &run->watching, progress->target));
}

static void start_watches(struct run *run, struct pgm_load_result *result)
{
	const struct pgm_load_request *request = run->request;
	struct pgm_load_watched watched[PGM_LOAD_TARGETS_MAX];
	for (size_t i = 0; i < result->target_count; i++)
		watched[i] = (struct pgm_load_watched){
			.connection = &request->targets[i].connection,
			.pooled = request->targets[i].probe.pooled,
			.server = request->servers[i],
			.console = request->consoles[i],
		};
	pgm_load_watching_start(run->cli->arena, watched, request->watch ? result->target_count : 0, result,
				&run->watching);
}

static bool run_load(const struct pgm_cli *cli, struct pgm_load_request *request,
		     struct pgm_load_result *result, struct pgm_error *err)
{
	struct pgm_load_left_out left_out;
	struct run run = {.cli = cli, .request = request};
	if (!pgm_load_request_probe((struct pgm_cli *)cli, request, &left_out, err))
		return false;
	PGM_AUTO_ARENA line = pgm_arena_new(0);
	run.line = line;
	pgm_load_result_begin(cli->arena, &request->options, result);
	result->left_out_count = left_out.count;
	result->left_out_why = left_out.why;
	start_watches(&run, result);
	request->options.connecting = show_connecting;
	request->options.begun = note_begin;
	request->options.progress = show_progress;
	request->options.arg = &run;
	bool ok = pgm_load_run(cli->arena, &request->options, result, err);
	pgm_progress_clear();
	pgm_load_watching_end(&run.watching, result);
	return ok;
}

static int run(struct pgm_cli *cli)
{
	struct pgm_error err = {0};
	struct pgm_load_request request = {0};
	struct pgm_load_result result;
	if (pgm_cli_value(cli, "compare"))
		return pgm_load_compare(cli);
	if (cli->operand_count) {
		pgm_error_set(&err, PGM_ERR_USAGE, "\"%s\" is one argument too many", cli->operands[0]);
		pgm_error_hint(&err, "Files are for --compare; see \"pgmend load --help\".");
		return pgm_cli_fail(cli, &err);
	}
	if (!pgm_load_request_read(cli, &request, &err) || !run_load(cli, &request, &result, &err) ||
	    (request.out && !pgm_load_result_save(&result, request.out, &err)) ||
	    !pgm_load_write_reports(cli, &(struct pgm_load_report_part){"", &result}, 1, &err))
		return pgm_cli_fail(cli, &err);
	if (request.format == PGM_FORMAT_JSON) {
		json_t *json = pgm_load_result_json(&result);
		json_dumpf(json, stdout, PGM_LOAD_JSON_FLAGS);
		putchar('\n');
		json_decref(json);
	} else {
		pgm_load_print(cli->arena, &result, stdout);
	}
	if (result.interrupted)
		return PGM_EXIT_FAILED;
	return pgm_load_result_held(&result) ? PGM_EXIT_OK : PGM_EXIT_FOUND;
}

const struct pgm_cmd pgm_cmd_load = {
	.name = "load",
	.summary = "put a database or pooler under load, on schedule, and judge how it stood",
	.operands = "[AFTER.json...]",
	.operands_max = PGM_LOAD_REPORT_VIEWS_MAX,
	.flags = PGM_CMD_CONNECTS,
	.description =
		"Runs scripts of pgbench's syntax, or the statements of a workload, against a server or "
		"through a pooler, and says what became of it: latencies, errors by SQLSTATE, statements, "
		"what the "
		"server waited for.\n\n"
		"Transactions are due at times that do not depend on how quickly others are done, and a "
		"latency runs from when its transaction was due: a server that falls behind is not spared. "
		"Users are each due again --think after they were due (on average, as a Poisson process); "
		"--rate makes so many transactions a second due, for whichever session is free.\n\n"
		"Only what reads is run, and sessions are read-only, unless --writes is given. Several "
		"targets "
		"(--target) take turns of --slice each, and each of them has the whole --duration.\n\n"
		"--html and --markdown save a report of the run, with plots and with what it was bound by. "
		"--compare makes one of several saved results, without a run.\n\n"
		"Ctrl-C ends a run with the report of what was measured. Exit code 1 says that a limit "
		"(--p95, --error-rate, --throughput) was missed, 3 that no connection could be made to begin "
		"with, 4 that the run was interrupted. What the target does meanwhile is part of the result.",
	.options = options,
	.run = run,
};
