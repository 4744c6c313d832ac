#include "cli/apply_verified.h"

#include "cli/verify_run.h"
#include "util/term.h"

struct verified {
	const struct pgm_change_output *output;
	const struct pgm_cli *cli;
	struct pgm_conn *conn;
	const struct pgm_plan *plan;
	const struct pgm_engine_options *options;
	struct pgm_verify_options verify;
	struct pgm_measures baseline;
	struct pgm_verify_report report;
	json_t *document; /* of --format=json */
};

static void say(const struct verified *run, const char *text)
{
	if (run->output->json)
		return;
	puts(text);
	fflush(stdout);
}

/*
 * Where an earlier run was stopped after its baseline, that is the picture of the time before: a new one
 * would be taken with some of the Plan's indexes in place.
 */
static bool take_baseline(struct verified *run, struct pgm_error *err)
{
	int made;
	struct pgm_error none = {0};
	if (!pgm_verify_prepare(run->conn, NULL, err) ||
	    !pgm_verify_made(run->conn, run->cli->arena, run->plan, &made, err))
		return false;
	if (made && pgm_verify_load(run->cli, run->conn, NULL, run->plan, &run->baseline, &none)) {
		say(run,
		    pgm_sprintf(run->cli->arena, "Using the baseline of %s: the Plan was begun after it.",
				run->baseline.taken_at));
		return true;
	}
	bool ok = pgm_verify_measure(run->conn, run->cli->arena, run->plan, &run->verify, &run->baseline,
				     err) &&
		  pgm_verify_save(run->cli, run->conn, NULL, &run->baseline, err);
	pgm_progress_clear();
	if (ok)
		say(run, pgm_sprintf(run->cli->arena, "Baseline of %zu statement%s taken.",
				     run->baseline.count, run->baseline.count == 1 ? "" : "s"));
	return ok;
}

static int roll_back(struct verified *run)
{
	struct pgm_error err = {0};
	struct pgm_engine_result result;
	say(run, "\nRolling the Plan back, because it fell short:");
	bool ok = pgm_engine_rollback(run->conn, run->cli->arena, run->plan->id, run->options, &result, &err);
	pgm_progress_clear();
	if (run->output->json)
		json_object_set_new(run->document, "rollback",
				    pgm_change_result_json(&result, ok ? NULL : &err));
	if (!ok) {
		pgm_error_context(&err, "the Plan fell short and could not be rolled back");
		pgm_error_hint(&err, "\"pgmend rollback --plan %s\" goes on where this ended.",
			       run->plan->id);
		pgm_cli_fail(run->cli, &err);
		return PGM_EXIT_FAILED;
	}
	say(run, pgm_sprintf(run->cli->arena, "Plan %s is rolled back.", run->plan->id));
	return PGM_EXIT_FOUND;
}

/* The Plan is applied: whatever goes wrong from here on, say so. */
static int compare(struct verified *run)
{
	struct pgm_error err = {0};
	const struct pgm_cli *cli = run->cli;
	bool measured = pgm_verify_compare(run->conn, cli->arena, run->plan, &run->verify, &run->baseline,
					   &run->report, &err);
	pgm_progress_clear();
	if (!measured) {
		pgm_error_context(&err, "the Plan is applied, but could not be verified");
		pgm_error_hint(&err,
			       "\"pgmend verify --compare\" does that again, \"pgmend rollback --plan %s\" "
			       "takes the Plan back.",
			       run->plan->id);
		pgm_cli_fail(cli, &err);
		return PGM_EXIT_FAILED;
	}
	if (run->output->json)
		json_object_set_new(run->document, "verify", pgm_verify_report_json(&run->report));
	else
		pgm_verify_show(cli, run->plan, NULL, &run->report, PGM_FORMAT_TEXT);
	int code = run->report.problem_count ? PGM_EXIT_FOUND : PGM_EXIT_OK;
	if (code == PGM_EXIT_FOUND && pgm_cli_flag(cli, "rollback-on-regression"))
		code = roll_back(run);
	if (!pgm_verify_write_report(cli, run->plan, NULL, &run->report, &err)) {
		int failed = pgm_cli_fail(cli, &err);
		return code ? code : failed;
	}
	return code;
}

static int apply(struct verified *run)
{
	struct pgm_error err = {0};
	struct pgm_engine_result result;
	struct pgm_engine_preview preview;
	/* What apply would refuse is not worth a baseline. */
	if (!pgm_engine_preview_apply(run->conn, run->cli->arena, run->plan, run->options, &preview, &err))
		return pgm_cli_fail(run->cli, &err);
	if (!take_baseline(run, &err)) {
		pgm_error_context(&err, "taking the baseline");
		return pgm_cli_fail(run->cli, &err);
	}
	bool ok = pgm_engine_apply(run->conn, run->cli->arena, run->plan, run->options, &result, &err);
	if (run->output->json)
		json_object_set_new(run->document, "apply",
				    pgm_change_result_json(&result, ok ? NULL : &err));
	/* This prints no JSON of its own: that goes into our document. */
	struct pgm_change_output text = *run->output;
	text.json = false;
	int code = ok && run->output->json
			   ? PGM_EXIT_OK
			   : pgm_change_print_result(&text, &result, ok ? NULL : &err, "done",
						     "This Plan is done already: nothing to do.");
	return code ? code : compare(run);
}

int pgm_apply_verified(const struct pgm_change_output *output, struct pgm_conn *conn,
		       const struct pgm_plan *plan, const struct pgm_engine_options *options)
{
	struct verified run = {
		.output = output, .cli = output->cli, .conn = conn, .plan = plan, .options = options};
	struct pgm_error err = {0};
	if (!pgm_verify_read_options(output->cli, &run.verify, &err))
		return pgm_cli_fail(output->cli, &err);
	run.document = json_pack("{s:s, s:n, s:n, s:n}", "schema", "pgmend.apply_verify/1", "apply", "verify",
				 "rollback");
	int code = apply(&run);
	if (output->json) {
		json_dumpf(run.document, stdout, JSON_INDENT(2));
		putchar('\n');
	}
	json_decref(run.document);
	return code;
}
