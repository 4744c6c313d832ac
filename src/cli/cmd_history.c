#include "change/actor.h"
#include "change/ledger.h"
#include "cli/commands.h"
#include "util/safe_text.h"
#include "util/term.h"

#include <jansson.h>
#include <string.h>

static json_t *text_or_null(const char *text)
{
	return text ? json_string(text) : json_null();
}

static json_t *plan_json(const struct pgm_ledger_plan *plan)
{
	return json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:o, s:o, s:I, s:I}", "plan", plan->id, "title",
			 plan->title, "path", plan->path, "state", plan->state, "applied_by",
			 plan->applied_by, "started_at", plan->started_at, "finished_at",
			 text_or_null(plan->finished_at), "error", text_or_null(plan->error), "steps",
			 (json_int_t)plan->steps, "steps_done", (json_int_t)plan->steps_done);
}

static json_t *step_json(const struct pgm_ledger_step *step)
{
	return json_pack("{s:i, s:s, s:s, s:s, s:i, s:o, s:o, s:o, s:o, s:o}", "step", step->step, "kind",
			 step->kind, "title", step->title, "state", step->state, "attempts", step->attempt,
			 "started_at", text_or_null(step->started_at), "elapsed_ms",
			 step->elapsed_ms >= 0 ? json_real(step->elapsed_ms) : json_null(), "size_bytes",
			 step->size_bytes >= 0 ? json_integer(step->size_bytes) : json_null(), "note",
			 text_or_null(step->note), "error", text_or_null(step->error));
}

static void print_json(json_t *object)
{
	json_dumpf(object, stdout, JSON_INDENT(2));
	putchar('\n');
	json_decref(object);
}

static void print_plans(struct pgm_cli *cli, const struct pgm_ledger_plan *plans, size_t count)
{
	const char *const headers[] = {"plan", "state", "steps", "started", "took", "by", "title"};
	struct pgm_table *table = pgm_table_new(cli->arena, "llrlrll", headers);
	for (size_t i = 0; i < count; i++) {
		const struct pgm_ledger_plan *plan = &plans[i];
		const char *const cells[] = {
			plan->id,
			plan->state,
			pgm_sprintf(cli->arena, "%lld/%lld", (long long)plan->steps_done,
				    (long long)plan->steps),
			plan->started_at,
			plan->finished_at ? pgm_format_ms(cli->arena, plan->elapsed_ms) : "",
			plan->applied_by,
			plan->title,
		};
		pgm_table_row(table, cells);
	}
	pgm_table_print(table, stdout);
}

static void print_steps(struct pgm_cli *cli, const struct pgm_ledger_plan *plan,
			const struct pgm_ledger_step *steps, size_t count)
{
	const char *const headers[] = {"step", "state", "took", "size", "title", "note"};
	struct pgm_table *table = pgm_table_new(cli->arena, "rlrrll", headers);
	printf("Plan %s: %s\n%s, by %s, %s%s%s\n\n", plan->id, plan->title, plan->state, plan->applied_by,
	       plan->started_at, *plan->path ? ", from " : "", plan->path);
	for (size_t i = 0; i < count; i++) {
		const struct pgm_ledger_step *step = &steps[i];
		const char *const cells[] = {
			pgm_sprintf(cli->arena, "%d", step->step),
			step->state,
			step->elapsed_ms >= 0 ? pgm_format_ms(cli->arena, step->elapsed_ms) : "",
			step->size_bytes >= 0 ? pgm_format_bytes(cli->arena, (double)step->size_bytes) : "",
			step->title,
			step->error  ? step->error
			: step->note ? step->note
				     : "",
		};
		pgm_table_row(table, cells);
	}
	pgm_table_print(table, stdout);
}

static json_t *actors_json(const struct pgm_actor *actors, size_t count)
{
	json_t *list = json_array();
	for (size_t i = 0; i < count; i++)
		json_array_append_new(list,
				      json_pack("{s:s, s:s, s:s, s:s}", "action", actors[i].action, "actor",
						actors[i].actor, "role", actors[i].role, "at", actors[i].at));
	return list;
}

static void print_actors(struct pgm_cli *cli, const struct pgm_actor *actors, size_t count)
{
	for (size_t i = 0; i < count; i++)
		printf("%s%s asked for by %s, as %s, %s\n", i ? "" : "\n", actors[i].action,
		       pgm_safe_text(cli->arena, actors[i].actor, false), actors[i].role, actors[i].at);
}

static bool show_plan(struct pgm_cli *cli, struct pgm_conn *conn, const struct pgm_ledger_plan *plans,
		      size_t count, bool json, struct pgm_error *err)
{
	json_t *runs = json_array();
	bool ok = true;
	/* A Plan that was applied again after a rollback has several runs; the latest comes first. */
	for (size_t i = 0; i < count && ok; i++) {
		struct pgm_ledger_step *steps;
		struct pgm_actor *actors;
		size_t step_count, actor_count;
		ok = pgm_ledger_steps(conn, cli->arena, plans[i].seq, &steps, &step_count, err) &&
		     pgm_actor_read(conn, cli->arena, plans[i].seq, &actors, &actor_count, err);
		if (ok && !json) {
			print_steps(cli, &plans[i], steps, step_count);
			print_actors(cli, actors, actor_count);
		}
		if (!ok || !json)
			continue;
		json_t *run = plan_json(&plans[i]), *list = json_array();
		for (size_t s = 0; s < step_count; s++)
			json_array_append_new(list, step_json(&steps[s]));
		json_object_set_new(run, "step_list", list);
		json_object_set_new(run, "actors", actors_json(actors, actor_count));
		json_array_append_new(runs, run);
	}
	if (ok && json)
		print_json(json_pack("{s:i, s:O}", "version", 1, "runs", runs));
	json_decref(runs);
	return ok;
}

static bool show(struct pgm_cli *cli, struct pgm_conn *conn, bool json, struct pgm_error *err)
{
	const char *id = pgm_cli_value(cli, "plan");
	struct pgm_ledger_plan *plans = NULL;
	size_t count = 0;
	bool exists;
	if (!pgm_ledger_exists(conn, false, &exists, err) ||
	    (exists && !pgm_ledger_plans(conn, cli->arena, id, false, &plans, &count, err)))
		return false;
	if (id && count == 0)
		return pgm_error_set(err, PGM_ERR_USAGE, "the ledger knows no Plan %s", id);
	if (id)
		return show_plan(cli, conn, plans, count, json, err);
	if (json) {
		json_t *list = json_array();
		for (size_t i = 0; i < count; i++)
			json_array_append_new(list, plan_json(&plans[i]));
		print_json(json_pack("{s:i, s:o}", "version", 1, "runs", list));
	} else if (count == 0) {
		puts("No Plan was applied to this database.");
	} else {
		print_plans(cli, plans, count);
	}
	return true;
}

static bool drop(struct pgm_cli *cli, struct pgm_conn *conn, struct pgm_error *err)
{
	bool exists;
	if (!pgm_ledger_exists(conn, true, &exists, err))
		return false;
	if (!exists)
		return puts("There is no ledger in this database."), true;
	if (!pgm_cli_confirm(cli, "Drop the ledger (schema pgmend)? What it records cannot be rolled back "
				  "any more."))
		return pgm_error_set(err, PGM_ERR_USAGE, "nothing was changed");
	if (!pgm_ledger_drop(conn, err))
		return false;
	puts("The ledger is dropped.");
	return true;
}

static int run(struct pgm_cli *cli)
{
	struct pgm_error err = {0};
	enum pgm_format format;
	if (!pgm_cli_format(cli, &format, &err))
		return pgm_cli_fail(cli, &err);
	PGM_AUTO_CONN conn = pgm_cli_connect(cli, &err);
	if (!conn)
		return pgm_cli_fail(cli, &err);
	bool ok = pgm_cli_flag(cli, "drop-ledger") ? drop(cli, conn, &err)
						   : show(cli, conn, format == PGM_FORMAT_JSON, &err);
	return ok ? PGM_EXIT_OK : pgm_cli_fail(cli, &err);
}

static const struct pgm_option options[] = {
	{0, "plan", "ID", "show the steps of one Plan"},
	{0, "format", "FORMAT", "text or json (default text)"},
	{0, "drop-ledger", NULL, "remove schema pgmend, where no Plan is unfinished"},
	{'y', "yes", NULL, "ask nothing"},
	{0, NULL, NULL, NULL},
};

const struct pgm_cmd pgm_cmd_history = {
	.name = "history",
	.summary = "show which Plans were applied, and what became of each step",
	.operands = "",
	.flags = PGM_CMD_CONNECTS,
	.description =
		"Reads the ledger (schema pgmend of the database): every Plan that was applied, by whom, "
		"when and for how long; with --plan, its steps with times, sizes and errors.",
	.options = options,
	.run = run,
};
