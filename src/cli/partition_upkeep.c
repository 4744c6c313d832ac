#include "cli/partition_upkeep.h"

#include "change/ledger.h"
#include "change/upkeep_settings.h"
#include "cli/change_output.h"
#include "partition/upkeep.h"
#include "util/interrupt.h"
#include "util/safe_text.h"
#include "util/term.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

struct upkeep {
	struct pgm_cli *cli;
	struct pgm_conn *conn;
	struct pgm_engine_options options;
	struct pgm_change_output output;
	struct pgm_upkeep_settings given;
	bool dry;
	bool ledger;	/* there is one */
	json_t *tables; /* the result so far, as JSON */
	json_t *plans;	/* of the table under way */
	size_t failed, problems, done, looked;
};

static bool take_options(struct upkeep *upkeep, struct pgm_error *err)
{
	const struct pgm_cli *cli = upkeep->cli;
	struct pgm_upkeep_settings *given = &upkeep->given;
	const char *retire = pgm_cli_value(cli, "retention-action");
	*given = (struct pgm_upkeep_settings){
		.interval = pgm_cli_value(cli, "interval"),
		.retention = pgm_cli_value(cli, "retention"),
		.timezone = pgm_cli_value(cli, "timezone"),
		.archive_dir = pgm_cli_value(cli, "archive-dir"),
		.retention_schema = pgm_cli_value(cli, "retention-schema"),
		.now = pgm_cli_value(cli, "as-of"),
		.premake = -1,
		.fill_gaps = pgm_cli_flag(cli, "fill-gaps") || pgm_cli_flag(cli, "fix-default"),
		.fix_default = pgm_cli_flag(cli, "fix-default"),
	};
	if (!pgm_cli_int(cli, "premake", 0, 1000, &given->premake, err))
		return false;
	if (!retire)
		return true;
	given->retire = pgm_upkeep_retire_parse(retire);
	return given->retire != PGM_RETIRE_UNSET ||
	       pgm_error_set(err, PGM_ERR_USAGE, "--retention-action: keep, drop or archive, not \"%s\"",
			     retire);
}

static const char *safe(const struct upkeep *upkeep, const char *text)
{
	char *copy = pgm_strdup(upkeep->cli->arena, text ? text : "");
	for (char *p = copy; *p; p++)
		if ((unsigned char)*p < 0x20 || *p == 0x7F)
			*p = ' ';
	return copy;
}

static void print_head(struct upkeep *upkeep, const struct pgm_upkeep_table *table)
{
	struct pgm_arena *arena = upkeep->cli->arena;
	if (upkeep->output.json)
		return;
	bool time = table->class != PGM_UPKEEP_INTEGER;
	bool zoned = table->class == PGM_UPKEEP_TIMESTAMPTZ || table->class == PGM_UPKEEP_EPOCH;
	const char *retention = table->settings.retention
					? pgm_sprintf(arena, "; %s what ended %s ago",
						      pgm_upkeep_retire_name(table->settings.retire),
						      table->settings.retention)
					: "";
	const char *source = table->settings.source;
	printf("%s%s%s: %zu partitions of %s%s%s, %zu ahead%s%s\n", pgm_term_on(stdout, PGM_BOLD),
	       safe(upkeep, table->quoted), pgm_term_off(stdout), table->part_count, time ? "" : "length ",
	       table->interval, zoned ? pgm_sprintf(arena, " (%s)", table->zone) : "", table->ahead,
	       safe(upkeep, retention), source ? pgm_sprintf(arena, " (settings of %s)", source) : "");
}

static void print_notes(struct upkeep *upkeep, const struct pgm_upkeep_table *table)
{
	for (size_t i = 0; i < table->note_count && !upkeep->output.json; i++)
		printf("  note: %s\n", safe(upkeep, table->notes[i]));
	upkeep->problems += table->problems;
}

static json_t *text_or_null(const char *text)
{
	json_t *value = text ? json_string(text) : NULL;
	return value ? value : json_null();
}

static void add_json(struct upkeep *upkeep, const struct pgm_upkeep_table *table, const struct pgm_error *err)
{
	json_t *notes = json_array();
	for (size_t i = 0; i < table->note_count; i++)
		json_array_append_new(notes, text_or_null(table->notes[i]));
	json_t *error = !err ? json_null()
			     : json_pack("{s:o, s:o, s:o}", "message", text_or_null(err->message), "hint",
					 text_or_null(err->hint), "sqlstate", text_or_null(err->sqlstate));
	json_array_append_new(
		upkeep->tables,
		json_pack("{s:o, s:o, s:o, s:I, s:I, s:o, s:s, s:o, s:I, s:O, s:o}", "table",
			  text_or_null(table->quoted), "interval", text_or_null(table->interval), "timezone",
			  text_or_null(table->zone), "partitions", (json_int_t)table->part_count, "ahead",
			  (json_int_t)table->ahead, "retention", text_or_null(table->settings.retention),
			  "retention_action", pgm_upkeep_retire_name(table->settings.retire), "notes", notes,
			  "problems", (json_int_t)table->problems, "plans", upkeep->plans, "error", error));
}

static bool carry_out(struct upkeep *upkeep, const struct pgm_plan *plan, struct pgm_error *err)
{
	struct pgm_arena *arena = upkeep->cli->arena;
	struct pgm_engine_result result;
	bool ok = pgm_engine_apply(upkeep->conn, arena, plan, &upkeep->options, &result, err);
	json_array_append_new(upkeep->plans, pgm_change_result_json(&result, ok ? NULL : err));
	upkeep->done += ok;
	if (ok)
		upkeep->ledger = true;
	return ok;
}

static bool preview(struct upkeep *upkeep, const struct pgm_plan *plan, struct pgm_error *err)
{
	struct pgm_engine_preview preview;
	if (!pgm_engine_preview_apply(upkeep->conn, upkeep->cli->arena, plan, &upkeep->options, &preview,
				      err))
		return false;
	if (!upkeep->output.json) {
		pgm_change_print_preview(&upkeep->output, &preview);
		putchar('\n');
		return true;
	}
	json_t *steps = json_array();
	for (size_t i = 0; i < preview.step_count; i++)
		json_array_append_new(
			steps, json_pack("{s:i, s:o, s:s, s:o, s:o}", "step", preview.steps[i].step, "title",
					 text_or_null(preview.steps[i].title), "action",
					 preview.steps[i].action, "sql", text_or_null(preview.steps[i].sql),
					 "lock", text_or_null(preview.steps[i].lock)));
	json_array_append_new(upkeep->plans,
			      json_pack("{s:s, s:o, s:b, s:o}", "plan", preview.plan_id, "title",
					text_or_null(preview.title), "dry_run", true, "steps", steps));
	return true;
}

/*
 * What an earlier run began with this table and did not end. What retires a partition must go on from the
 * Ledger, for a table that is detached already shows no more what it was; new partitions are seen anew.
 */
static bool resume(struct upkeep *upkeep, const struct pgm_upkeep_table *table, struct pgm_error *err)
{
	struct pgm_arena *arena = upkeep->cli->arena;
	struct pgm_ledger_plan *rows;
	size_t count;
	if (!upkeep->ledger)
		return true;
	if (!pgm_ledger_unfinished(upkeep->conn, arena, pgm_upkeep_title(arena, table), &rows, &count, err))
		return false;
	for (size_t i = count; i-- > 0;) { /* the oldest first */
		struct pgm_plan plan;
		struct pgm_error ignored = {0};
		if (!pgm_plan_parse(arena, "the Plan in the ledger", rows[i].source, &plan, err))
			return false;
		bool retires = plan.changes[0].kind == PGM_CHANGE_DETACH;
		if (!retires && strcmp(rows[i].state, "running") != 0)
			continue;
		if (upkeep->dry) {
			if (!preview(upkeep, &plan, err))
				return false;
			continue;
		}
		if (!carry_out(upkeep, &plan, retires ? err : &ignored) &&
		    (retires || pgm_interrupted() || !pgm_conn_alive(upkeep->conn)))
			return false;
	}
	return true;
}

/* Only what was given: the rest stays as it was stored, or what it is by default. */
static bool save(struct upkeep *upkeep, const struct pgm_upkeep_table *table, struct pgm_error *err)
{
	static const char *const words[][2] = {{"interval", "interval"},
					       {"retention", "retention"},
					       {"retention-action", "retention_action"},
					       {"retention-schema", "retention_schema"},
					       {"timezone", "timezone"}};
	json_t *object = json_object();
	for (size_t i = 0; i < sizeof(words) / sizeof(*words); i++)
		if (pgm_cli_value(upkeep->cli, words[i][0]))
			json_object_set_new(object, words[i][1],
					    text_or_null(pgm_cli_value(upkeep->cli, words[i][0])));
	if (upkeep->given.premake >= 0)
		json_object_set_new(object, "premake", json_integer(upkeep->given.premake));
	char *folder = upkeep->given.archive_dir ? realpath(upkeep->given.archive_dir, NULL) : NULL;
	if (folder)
		json_object_set_new(object, "archive_dir", text_or_null(folder));
	char *text = json_dumps(object, JSON_COMPACT);
	bool ok = pgm_upkeep_settings_save(upkeep->conn, upkeep->cli->arena, table->schema, table->name,
					   text ? text : "{}", err);
	upkeep->ledger |= ok;
	free(text);
	free(folder);
	json_decref(object);
	return ok;
}

/* Ctrl-C, or a server that is gone, ends all; anything else only the table that it happened to. */
static bool ends_all(const struct upkeep *upkeep, const struct pgm_error *err)
{
	return pgm_interrupted() || !pgm_conn_alive(upkeep->conn) || err->kind == PGM_ERR_CANCELED;
}

static bool run_plan(struct upkeep *upkeep, const struct pgm_upkeep_plan *plan, struct pgm_error *err)
{
	if (upkeep->dry)
		return preview(upkeep, &plan->plan, err);
	if (upkeep->ledger &&
	    !pgm_ledger_close(upkeep->conn, upkeep->cli->arena, plan->plan.id, !plan->retires, err))
		return false;
	return carry_out(upkeep, &plan->plan, err);
}

/*
 * An old partition that cannot be retired, now or since an earlier run, ends the retiring of this table's;
 * the new ones are made all the same.
 */
static bool keep_one(struct upkeep *upkeep, struct pgm_upkeep_table *table, struct pgm_error *err)
{
	struct pgm_error stuck = {0};
	bool retires = resume(upkeep, table, &stuck);
	if (!retires && ends_all(upkeep, &stuck))
		return *err = stuck, false;
	if (!pgm_upkeep_design(upkeep->conn, upkeep->cli->arena, &upkeep->given, table, err))
		return false;
	print_head(upkeep, table);
	print_notes(upkeep, table);
	if (!upkeep->dry && pgm_cli_flag(upkeep->cli, "save") && !save(upkeep, table, err))
		return false;
	for (size_t i = 0; i < table->plan_count; i++) {
		const struct pgm_upkeep_plan *plan = &table->plans[i];
		if (!plan->retires && !run_plan(upkeep, plan, err))
			return false;
		if (plan->retires && retires)
			retires = run_plan(upkeep, plan, &stuck);
	}
	if (!retires)
		*err = stuck;
	return retires;
}

static void tell_failure(struct upkeep *upkeep, const struct pgm_upkeep_table *table,
			 const struct pgm_error *err)
{
	upkeep->failed++;
	pgm_progress_clear();
	fflush(stdout);
	fprintf(stderr, "pgmend partition: %s: %s\n", safe(upkeep, table->quoted),
		safe(upkeep, err->message));
	if (*err->hint)
		fprintf(stderr, "hint: %s\n", safe(upkeep, err->hint));
}

/* Why a table that nobody named is passed over, or NULL. A run for all must be able to end well. */
static const char *left_out(const struct pgm_upkeep_table *table)
{
	if (table->settings.skip)
		return "pg_partman says";
	if (table->key_count != 1 || !table->key)
		return "its key is not one column";
	return table->class == PGM_UPKEEP_OTHER ? "its key is neither a time nor an integer" : NULL;
}

static bool keep_all(struct upkeep *upkeep, struct pgm_upkeep_table *tables, size_t count,
		     struct pgm_error *last)
{
	for (size_t i = 0; i < count; i++) {
		struct pgm_error err = {0};
		const char *why = left_out(&tables[i]);
		if (why && !upkeep->cli->operand_count) {
			if (!upkeep->output.json)
				printf("%s: left out, as %s\n", safe(upkeep, tables[i].quoted), why);
			continue;
		}
		upkeep->plans = json_array();
		upkeep->looked++;
		bool ok = keep_one(upkeep, &tables[i], &err);
		add_json(upkeep, &tables[i], ok ? NULL : &err);
		json_decref(upkeep->plans);
		upkeep->plans = NULL;
		if (ok)
			continue;
		tell_failure(upkeep, &tables[i], &err);
		*last = err;
		if (ends_all(upkeep, &err))
			return false;
	}
	return true;
}

static bool forget(struct upkeep *upkeep, const struct pgm_upkeep_table *tables, size_t count,
		   struct pgm_error *err)
{
	for (size_t i = 0; i < count && upkeep->ledger; i++)
		if (!pgm_upkeep_settings_forget(upkeep->conn, upkeep->cli->arena, tables[i].schema,
						tables[i].name, err))
			return false;
	return true;
}

static int finish(struct upkeep *upkeep, size_t count)
{
	if (upkeep->output.json) {
		json_t *all = json_pack("{s:i, s:b, s:O, s:I, s:I}", "version", 1, "dry_run", upkeep->dry,
					"tables", upkeep->tables, "failed", (json_int_t)upkeep->failed,
					"problems", (json_int_t)upkeep->problems);
		json_dumpf(all, stdout, JSON_INDENT(2));
		putchar('\n');
		json_decref(all);
	} else {
		printf("%zu of %zu table%s looked after: %zu Plan%s done, %zu problem%s, %zu failed.%s\n",
		       upkeep->looked, count, count == 1 ? "" : "s", upkeep->done,
		       upkeep->done == 1 ? "" : "s", upkeep->problems, upkeep->problems == 1 ? "" : "s",
		       upkeep->failed, upkeep->dry ? " Nothing was changed (--dry-run)." : "");
	}
	json_decref(upkeep->tables);
	return upkeep->failed ? PGM_EXIT_FAILED : upkeep->problems ? PGM_EXIT_FOUND : PGM_EXIT_OK;
}

int pgm_partition_upkeep(struct pgm_cli *cli)
{
	struct pgm_error err = {0};
	struct upkeep upkeep = {
		.cli = cli, .options = PGM_ENGINE_OPTIONS, .dry = pgm_cli_flag(cli, "dry-run")};
	struct pgm_upkeep_table *tables;
	size_t count;
	if (!pgm_change_options(cli, &upkeep.options, &upkeep.output, &err) || !take_options(&upkeep, &err))
		return pgm_cli_fail(cli, &err);
	if (!cli->operand_count && (pgm_cli_flag(cli, "save") || pgm_cli_flag(cli, "forget"))) {
		pgm_error_set(&err, PGM_ERR_USAGE, "--save and --forget need the TABLE that is meant");
		return pgm_cli_fail(cli, &err);
	}
	PGM_AUTO_CONN conn = pgm_cli_connect(cli, &err);
	if (!conn)
		return pgm_cli_fail(cli, &err);
	upkeep.conn = conn;
	if (!pgm_ledger_exists(conn, true, &upkeep.ledger, &err) ||
	    !pgm_upkeep_tables(conn, cli->arena, cli->operands, cli->operand_count, &tables, &count, &err) ||
	    !pgm_upkeep_stored(conn, cli->arena, upkeep.ledger, tables, count, &err))
		return pgm_cli_fail(cli, &err);
	if (pgm_cli_flag(cli, "forget"))
		return forget(&upkeep, tables, count, &err) ? PGM_EXIT_OK : pgm_cli_fail(cli, &err);
	const char *question = pgm_sprintf(cli->arena, "Look after %zu partitioned table%s of database %s?",
					   count, count == 1 ? "" : "s", pgm_conn_database(conn));
	if (!upkeep.dry && count && !pgm_cli_confirm(cli, question)) {
		pgm_error_set(&err, PGM_ERR_USAGE, "nothing was changed");
		return pgm_cli_fail(cli, &err);
	}
	upkeep.tables = json_array();
	if (!keep_all(&upkeep, tables, count, &err) && upkeep.output.json == false)
		puts("Stopped: the next run goes on from there.");
	return finish(&upkeep, count);
}
