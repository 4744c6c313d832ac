#include "cli/verify_run.h"

#include "change/ledger.h"
#include "cli/verify_print.h"
#include "util/term.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define SAMPLE_ROWS_MAX 100000

static void show_progress(void *arg, const char *label, double fraction)
{
	(void)arg;
	pgm_progress_show("Measuring", fraction, label);
}

bool pgm_verify_read_options(const struct pgm_cli *cli, struct pgm_verify_options *options,
			     struct pgm_error *err)
{
	*options = pgm_verify_defaults();
	int64_t runs = options->runs, rows = options->sample_rows;
	int64_t limit_ms = (int64_t)options->statement_limit_ms, budget_ms = (int64_t)options->budget_ms;
	if (!pgm_cli_int(cli, "runs", 1, PGM_VERIFY_RUNS_MAX, &runs, err) ||
	    !pgm_cli_int(cli, "sample-rows", 0, SAMPLE_ROWS_MAX, &rows, err) ||
	    !pgm_cli_duration_ms(cli, "statement-timeout", &limit_ms, err) ||
	    !pgm_cli_duration_ms(cli, "max-time", &budget_ms, err))
		return false;
	/* 0 would be no timeout at all to the server, which keeps it in 31 bits. */
	if (limit_ms < 1 || limit_ms > INT32_MAX)
		return pgm_error_set(err, PGM_ERR_USAGE,
				     "--statement-timeout: it must be above 0 and below 25d");
	options->runs = (int)runs;
	options->sample_rows = pgm_cli_flag(cli, "no-writes") ? 0 : (int)rows;
	options->statement_limit_ms = (double)limit_ms;
	options->budget_ms = (double)budget_ms;
	options->progress = show_progress;
	return true;
}

static bool file_error(struct pgm_error *err, const char *what, const char *path)
{
	return pgm_error_set(err, PGM_ERR_SYSTEM, "cannot %s %s: %s", what, path, strerror(errno));
}

/* Written beside and renamed: an older baseline is replaced whole or not at all. */
static bool save_file(const struct pgm_cli *cli, const char *path, const struct pgm_measures *measures,
		      struct pgm_error *err)
{
	char *beside = pgm_sprintf(cli->arena, "%s.XXXXXX", path);
	int fd = mkstemp(beside);
	if (fd < 0)
		return file_error(err, "write", path);
	FILE *stream = fdopen(fd, "w");
	json_t *json = pgm_measures_json(measures);
	bool ok = stream && json && json_dumpf(json, stream, JSON_INDENT(2)) == 0 &&
		  fputc('\n', stream) != EOF && fflush(stream) == 0 && fsync(fd) == 0;
	json_decref(json);
	if (stream)
		ok = fclose(stream) == 0 && ok;
	if (!ok || rename(beside, path) != 0) {
		file_error(err, "write", path);
		unlink(beside);
		return false;
	}
	return true;
}

static bool load_file(const struct pgm_cli *cli, const char *path, const struct pgm_plan *plan,
		      struct pgm_measures *measures, struct pgm_error *err)
{
	FILE *stream = fopen(path, "r");
	if (!stream) {
		pgm_error_set(err, PGM_ERR_INPUT, "cannot read the baseline %s: %s", path, strerror(errno));
		return pgm_error_hint(err, "Take one first: pgmend verify --baseline --file %s %s", path,
				      plan->path ? plan->path : "PLAN.sql");
	}
	json_error_t problem;
	json_t *json = json_loadf(stream, 0, &problem);
	fclose(stream);
	if (!json)
		return pgm_error_set(err, PGM_ERR_INPUT, "%s, line %d: %s", path, problem.line, problem.text);
	bool ok = pgm_measures_parse(cli->arena, json, measures, err) || pgm_error_context(err, "%s", path);
	json_decref(json);
	return ok;
}

/* A run is one row: it is written and read whole, or not at all. */
#define RUN_ID "*"

bool pgm_verify_prepare(struct pgm_conn *conn, const char *file, struct pgm_error *err)
{
	if (file || pgm_ledger_ensure(conn, err))
		return true;
	if (err->kind == PGM_ERR_RIGHTS)
		pgm_error_hint(err, "Keep the baseline in a file instead: --file FILE.json.");
	return false;
}

bool pgm_verify_save(const struct pgm_cli *cli, struct pgm_conn *conn, const char *file,
		     const struct pgm_measures *measures, struct pgm_error *err)
{
	if (file)
		return save_file(cli, file, measures, err);
	json_t *json = pgm_measures_json(measures);
	bool ok = pgm_ledger_save_measurement(conn, measures->plan_id, "baseline", RUN_ID, json, err);
	json_decref(json);
	return ok;
}

static bool parse_run(const struct pgm_cli *cli, struct pgm_ledger_measurement *found, size_t count,
		      struct pgm_measures *measures, bool *there, struct pgm_error *err)
{
	bool ok = true;
	*there = false;
	for (size_t i = 0; i < count; i++) {
		if (strcmp(found[i].statement_id, RUN_ID) == 0) {
			*there = true;
			ok = pgm_measures_parse(cli->arena, found[i].data, measures, err) ||
			     pgm_error_context(err, "reading the baseline of %s", found[i].captured_at);
		}
		json_decref(found[i].data);
	}
	return ok;
}

bool pgm_verify_load(const struct pgm_cli *cli, struct pgm_conn *conn, const char *file,
		     const struct pgm_plan *plan, struct pgm_measures *measures, struct pgm_error *err)
{
	struct pgm_ledger_measurement *found = NULL;
	size_t count = 0;
	bool there;
	if (file)
		return load_file(cli, file, plan, measures, err);
	if (!pgm_ledger_exists(conn, false, &there, err) ||
	    (there &&
	     !pgm_ledger_measurements(conn, cli->arena, plan->id, "baseline", &found, &count, err)) ||
	    !parse_run(cli, found, count, measures, &there, err))
		return false;
	if (there)
		return true;
	pgm_error_set(err, PGM_ERR_STATE, "there is no baseline of Plan %s in this database", plan->id);
	return pgm_error_hint(
		err,
		"Take one before the Plan is applied: pgmend verify --baseline %s. Without one, "
		"--health looks at the indexes alone.",
		plan->path ? plan->path : "PLAN.sql");
}

static void print(const struct pgm_cli *cli, const struct pgm_plan *plan, const struct pgm_measures *measures,
		  const struct pgm_verify_report *report, bool markdown, FILE *stream)
{
	if (report)
		pgm_verify_print_report(cli->arena, report, markdown, stream);
	else
		pgm_verify_print_baseline(cli->arena, plan, measures, markdown, stream);
}

void pgm_verify_show(const struct pgm_cli *cli, const struct pgm_plan *plan,
		     const struct pgm_measures *measures, const struct pgm_verify_report *report,
		     enum pgm_format format)
{
	pgm_progress_clear();
	if (format != PGM_FORMAT_JSON) {
		print(cli, plan, measures, report, format == PGM_FORMAT_MARKDOWN, stdout);
		return;
	}
	json_t *json = report ? pgm_verify_report_json(report) : pgm_measures_json(measures);
	json_dumpf(json, stdout, JSON_INDENT(2));
	fputc('\n', stdout);
	json_decref(json);
}

bool pgm_verify_write_report(const struct pgm_cli *cli, const struct pgm_plan *plan,
			     const struct pgm_measures *measures, const struct pgm_verify_report *report,
			     struct pgm_error *err)
{
	const char *path = pgm_cli_value(cli, "report");
	if (!path)
		return true;
	FILE *stream = fopen(path, "w");
	if (!stream)
		return file_error(err, "write", path);
	print(cli, plan, measures, report, true, stream);
	bool ok = !ferror(stream);
	if (fclose(stream) != 0 || !ok)
		return file_error(err, "write", path);
	return true;
}
