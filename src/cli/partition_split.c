#include "cli/partition_convert.h"
#include "cli/partition_split_print.h"
#include "pg/quote.h"
#include "util/safe_text.h"

#include <string.h>

/* One document on standard output: the Plan's, or with --apply what became of it. */
static FILE *report_stream(const struct pgm_change_output *output, const char *out, bool apply)
{
	return (out && strcmp(out, "-") == 0) || (apply && output->json) ? stderr : stdout;
}

/* A split of the table that was begun, and has not ended. */
static bool find_begun(struct pgm_conn *conn, struct pgm_arena *arena, const struct pgm_split *split,
		       struct pgm_plan *plan, bool *found, struct pgm_error *err)
{
	struct pgm_plan begun;
	const char *of =
		pgm_sprintf(arena, " of %s into ", pgm_quote_qualified(arena, split->schema, split->name));
	if (!pgm_partition_find_begun(conn, arena, "Split partition ", of, &begun, found, err))
		return false;
	if (*found)
		*plan = begun;
	return true;
}

int pgm_partition_run_split(const struct pgm_change_output *output, struct pgm_conn *conn,
			    const struct pgm_partition_options *options,
			    const struct pgm_engine_options *engine)
{
	const struct pgm_cli *cli = output->cli;
	struct pgm_error err = {0}, second = {0};
	struct pgm_split split;
	struct pgm_plan plan;
	const char *out = pgm_cli_value(cli, "out");
	bool apply = pgm_cli_flag(cli, "apply") || pgm_cli_flag(cli, "dry-run"), begun = false;
	bool ok = pgm_partition_split(conn, cli->arena, options, &split, &plan, &err);
	/* Who may not read the ledger may look all the same, and a first error stays. */
	if (split.name && !find_begun(conn, cli->arena, &split, &plan, &begun, &second) && ok && apply)
		return pgm_cli_fail(cli, &second);
	if (begun && apply)
		return pgm_partition_carry_out(output, conn, &plan, engine);
	if (begun) {
		pgm_partition_say(cli->arena, &split.refusals,
				  "its split was begun (Plan %s): go on with it (--apply), or take it back "
				  "(pgmend rollback)",
				  plan.id);
		plan.change_count = 0;
	}
	if (!(ok || begun) || (out && plan.change_count && !pgm_partition_write_plan(out, &plan, &err)))
		return pgm_cli_fail(cli, &err);
	FILE *stream = report_stream(output, out, apply && plan.change_count);
	if (output->json && !(apply && plan.change_count)) {
		json_t *json = pgm_partition_split_json(&split, &plan, out);
		json_dumpf(json, stream, JSON_INDENT(2));
		fputc('\n', stream);
		json_decref(json);
	} else {
		pgm_partition_print_split(cli->arena, &split, &plan, out, stream);
	}
	if (plan.change_count == 0)
		return PGM_EXIT_FOUND;
	return apply ? pgm_partition_carry_out(output, conn, &plan, engine) : PGM_EXIT_OK;
}

int pgm_partition_run_finish(const struct pgm_change_output *output, struct pgm_conn *conn, const char *table,
			     const struct pgm_engine_options *engine)
{
	const struct pgm_cli *cli = output->cli;
	struct pgm_error err = {0};
	struct pgm_plan plan;
	const char *out = pgm_cli_value(cli, "out");
	bool apply = pgm_cli_flag(cli, "apply") || pgm_cli_flag(cli, "dry-run");
	if (!pgm_partition_finish(conn, cli->arena, table, &plan, &err) ||
	    (out && plan.change_count && !pgm_partition_write_plan(out, &plan, &err)))
		return pgm_cli_fail(cli, &err);
	FILE *stream = report_stream(output, out, apply && plan.change_count);
	if (plan.change_count == 0) {
		fprintf(stream, "There is nothing to finish.\n");
		return PGM_EXIT_OK;
	}
	fprintf(stream, "%s: Plan %s, %zu steps. There is no way back after it.\n",
		pgm_safe_text(cli->arena, plan.title, false), plan.id, plan.change_count);
	if (!apply && !out)
		fprintf(stream, "--out PLAN.sql writes it for review, --apply carries it out.\n");
	return apply ? pgm_partition_carry_out(output, conn, &plan, engine) : PGM_EXIT_OK;
}
