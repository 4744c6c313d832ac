#include "cli/partition_convert.h"

#include "change/ledger.h"
#include "cli/change_output.h"
#include "cli/partition_print.h"
#include "partition/adopt.h"
#include "partition/shadow.h"

#include <errno.h>
#include <string.h>

static bool read_method(const struct pgm_cli *cli, enum pgm_partition_method *method, struct pgm_error *err)
{
	const char *name = pgm_cli_value(cli, "method");
	*method = PGM_PARTITION_ADOPT;
	if (!name || strcmp(name, "adopt") == 0)
		return true;
	if (strcmp(name, "split") == 0)
		return *method = PGM_PARTITION_SPLIT, true;
	if (strcmp(name, "shadow") == 0)
		return *method = PGM_PARTITION_SHADOW, true;
	pgm_error_set(err, PGM_ERR_USAGE, "--method: there is no method \"%s\"", name);
	return pgm_error_hint(err, "The methods are adopt, split and shadow.");
}

static bool read_options(const struct pgm_cli *cli, struct pgm_partition_options *options,
			 struct pgm_error *err)
{
	*options = (struct pgm_partition_options)PGM_PARTITION_OPTIONS;
	if (cli->operand_count != 1)
		return pgm_error_set(err, PGM_ERR_USAGE, "one table at a time can be made a partitioned one");
	options->table = cli->operands[0];
	options->by = pgm_cli_value(cli, "by");
	options->interval = pgm_cli_value(cli, "interval");
	options->timezone = pgm_cli_value(cli, "timezone");
	options->cut = pgm_cli_value(cli, "cut");
	options->widen_unique = pgm_cli_flag(cli, "widen-unique");
	if (!read_method(cli, &options->method, err) ||
	    !pgm_cli_int(cli, "premake", 1, 1000, &options->premade, err) ||
	    !pgm_cli_int(cli, "keep", 1, PGM_RANGES_MAX, &options->keep, err))
		return false;
	if (options->keep >= 0 && options->method == PGM_PARTITION_ADOPT) {
		pgm_error_set(err, PGM_ERR_USAGE, "--keep goes with --method=split or --method=shadow");
		return pgm_error_hint(err, "The method adopt leaves all history together.");
	}
	bool by = options->by || options->method == PGM_PARTITION_SPLIT;
	if (pgm_cli_flag(cli, "finish") || (by && options->interval))
		return true;
	pgm_error_set(err, PGM_ERR_USAGE, "%s is missing", by ? "--interval" : "--by COLUMN");
	return pgm_error_hint(err, "As in: pgmend partition %s --by created_at --interval month",
			      options->table);
}

bool pgm_partition_write_plan(const char *path, const struct pgm_plan *plan, struct pgm_error *err)
{
	FILE *stream = strcmp(path, "-") == 0 ? stdout : fopen(path, "w");
	if (!stream)
		return pgm_error_set(err, PGM_ERR_INPUT, "cannot write %s: %s", path, strerror(errno));
	bool ok = pgm_plan_write(plan, stream, err);
	if (stream != stdout && fclose(stream) != 0 && ok)
		ok = pgm_error_set(err, PGM_ERR_SYSTEM, "cannot write %s: %s", path, strerror(errno));
	return ok;
}

int pgm_partition_carry_out(const struct pgm_change_output *output, struct pgm_conn *conn,
			    const struct pgm_plan *plan, const struct pgm_engine_options *options)
{
	const struct pgm_cli *cli = output->cli;
	struct pgm_error err = {0};
	struct pgm_engine_result result;
	struct pgm_engine_preview preview;
	if (pgm_cli_flag(cli, "dry-run")) {
		if (!pgm_engine_preview_apply(conn, cli->arena, plan, options, &preview, &err))
			return pgm_cli_fail(cli, &err);
		return pgm_change_print_preview(output, &preview), PGM_EXIT_OK;
	}
	const char *question =
		pgm_sprintf(cli->arena, "Carry it out now, on database %s?", pgm_conn_database(conn));
	if (!pgm_cli_confirm(cli, question)) {
		pgm_error_set(&err, PGM_ERR_USAGE, "nothing was changed");
		return pgm_cli_fail(cli, &err);
	}
	bool ok = pgm_engine_apply(conn, cli->arena, plan, options, &result, &err);
	return pgm_change_print_result(output, &result, ok ? NULL : &err, "done",
				       "This Plan is done already: nothing to do.");
}

bool pgm_partition_find_begun(struct pgm_conn *conn, struct pgm_arena *arena, const char *begin,
			      const char *within, struct pgm_plan *plan, bool *found, struct pgm_error *err)
{
	struct pgm_ledger_plan *plans;
	size_t count = 0;
	bool ledger;
	*found = false;
	if (!pgm_ledger_exists(conn, true, &ledger, err) ||
	    (ledger && !pgm_ledger_plans(conn, arena, NULL, true, &plans, &count, err)))
		return false;
	for (size_t i = 0; i < count && !*found; i++)
		*found = strncmp(plans[i].title, begin, strlen(begin)) == 0 &&
			 strstr(plans[i].title, within) && strcmp(plans[i].state, "done") != 0 &&
			 pgm_plan_parse(arena, "the Plan in the ledger", plans[i].source, plan, err);
	return true;
}

int pgm_partition_convert(struct pgm_cli *cli)
{
	struct pgm_error err = {0};
	struct pgm_partition_options options;
	struct pgm_partition_design design;
	struct pgm_engine_options engine = PGM_ENGINE_OPTIONS;
	struct pgm_change_output output;
	struct pgm_plan plan;
	const char *out = pgm_cli_value(cli, "out");
	bool begun = false;
	bool apply = pgm_cli_flag(cli, "apply") || pgm_cli_flag(cli, "dry-run");
	if (!read_options(cli, &options, &err) || !pgm_change_options(cli, &engine, &output, &err))
		return pgm_cli_fail(cli, &err);
	PGM_AUTO_CONN conn = pgm_cli_connect(cli, &err);
	if (conn && pgm_cli_flag(cli, "finish"))
		return pgm_partition_run_finish(&output, conn, options.table, &engine);
	if (conn && options.method == PGM_PARTITION_SPLIT)
		return pgm_partition_run_split(&output, conn, &options, &engine);
	if (!conn)
		return pgm_cli_fail(cli, &err);
	bool ok = pgm_partition_design(conn, cli->arena, &options, &design, &err);
	/* After the swap the table is a partitioned one, and yet steps may be left. */
	if (apply && (ok ? design.begun : err.kind == PGM_ERR_STATE) && design.name) {
		struct pgm_error second = {0};
		/* Whatever the key: a table is converted once. */
		const char *title = pgm_sprintf(cli->arena, "%s by ranges of ",
						pgm_partition_quoted(cli->arena, &design, design.name));
		if (!pgm_partition_find_begun(conn, cli->arena, title, "", &plan, &begun, &second))
			return pgm_cli_fail(cli, &second);
	}
	if (begun)
		return pgm_partition_carry_out(&output, conn, &plan, &engine);
	if (!ok ||
	    !(options.method == PGM_PARTITION_SHADOW ? pgm_partition_shadow : pgm_partition_adopt)(
		    conn, cli->arena, &design, &plan, &err) ||
	    (out && plan.change_count && !pgm_partition_write_plan(out, &plan, &err)))
		return pgm_cli_fail(cli, &err);
	/* One document on standard output: the Plan's, or with --apply what became of it. */
	FILE *stream = (out && strcmp(out, "-") == 0) || (apply && output.json) ? stderr : stdout;
	if (output.json && !(apply && plan.change_count)) {
		json_t *json = pgm_partition_json(&design, &plan, out);
		json_dumpf(json, stream == stderr && plan.change_count == 0 ? stdout : stream,
			   JSON_INDENT(2));
		fputc('\n', stream);
		json_decref(json);
	} else {
		pgm_partition_print(cli->arena, &design, &plan, out, stream);
	}
	if (plan.change_count == 0)
		return PGM_EXIT_FOUND;
	return apply ? pgm_partition_carry_out(&output, conn, &plan, &engine) : PGM_EXIT_OK;
}
