/* Plans: what serve keeps, where they come from, and their apply, verify and rollback as jobs. */
#include "serve/job/plans.h"
#include "serve/api/begin.h"
#include "serve/api/statements.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ADVICE_MAX 200 /* jobs among which the latest advice is looked for */
#define LIST_MAX   200 /* Plans whose text is sent along */

static struct pgm_plans *plans_of(struct pgm_request *request)
{
	return pgm_jobs_plans(PGM_API(request)->jobs);
}

static json_t *text(const char *value)
{
	json_t *string = value ? json_string(value) : NULL;
	return string ? string : json_null();
}

static json_t *estimate(double value)
{
	return value >= 0 ? json_real(value) : json_null();
}

static json_t *step_json(const struct pgm_change *change)
{
	json_t *evidence = json_array();
	for (size_t i = 0; i < change->evidence_count; i++)
		json_array_append_new(evidence, text(change->evidence[i]));
	return json_pack("{s:i, s:s, s:o, s:o, s:o, s:o, s:o, s:o, s:b, s:o, s:o, s:o, s:o, s:o}", "step",
			 change->step, "kind", pgm_change_kind_name(change->kind), "title",
			 text(change->title), "schema", text(change->schema), "relation",
			 text(change->relation), "index", text(change->index), "sql_up", text(change->sql_up),
			 "sql_down", text(change->sql_down), "transactional", change->transactional, "lock",
			 text(change->lock), "size_bytes",
			 change->size_bytes >= 0 ? json_integer(change->size_bytes) : json_null(), "build_ms",
			 estimate(change->build_ms), "write_overhead", estimate(change->write_overhead),
			 "evidence", evidence);
}

static json_t *statement_json(const struct pgm_plan_statement *statement)
{
	json_t *indexes = json_array();
	for (size_t i = 0; i < statement->index_count; i++)
		json_array_append_new(indexes, text(statement->indexes[i]));
	return json_pack("{s:o, s:o, s:f, s:o, s:o, s:o}", "id", text(statement->id), "text",
			 text(statement->text), "calls", statement->calls, "cost_before",
			 estimate(statement->cost_before), "cost_after", estimate(statement->cost_after),
			 "indexes", indexes);
}

static json_t *plan_json(const struct pgm_plan *plan, const char *state, bool whole)
{
	json_t *steps = json_array(), *statements = json_array();
	for (size_t i = 0; i < plan->change_count; i++)
		json_array_append_new(steps, step_json(&plan->changes[i]));
	for (size_t i = 0; whole && i < plan->statement_count; i++)
		json_array_append_new(statements, statement_json(&plan->statements[i]));
	return json_pack("{s:s, s:o, s:o, s:o, s:s, s:o, s:o, s:o}", "id", plan->id, "title",
			 text(plan->title), "database", text(plan->database), "created_at",
			 text(plan->created_at), "state", state, "sql", text(plan->text), "steps", steps,
			 "statements", statements);
}

/* What the Ledger says of a Plan: "new" where it knows none, "unknown" where it could not be read: NULL. */
static const char *state_in(const json_t *history, const char *id)
{
	size_t i;
	json_t *run;
	if (!history)
		return "unknown";
	json_array_foreach(json_object_get(history, "runs"), i, run)
	{
		const char *plan = json_string_value(json_object_get(run, "plan"));
		const char *state = json_string_value(json_object_get(run, "state"));
		if (plan && state && strcmp(plan, id) == 0)
			return state;
	}
	return "new";
}

/* The Ledger, or NULL where it cannot be read. */
static json_t *ledger(struct pgm_request *request, const char *database)
{
	struct pgm_error ignored = {0};
	return pgm_job_ask(PGM_API(request)->jobs, database, pgm_job_history, PGM_API_ASK_MS,
			   PGM_API_LEDGER_KEEP_MS, &ignored);
}

static void get_plans(struct pgm_request *request, struct pgm_reply *reply)
{
	const char **ids;
	const char *database = pgm_api_database(request, reply);
	if (!database)
		return;
	PGM_AUTO_ARENA arena = pgm_arena_new(0); /* one Plan at a time: all at once are too much */
	json_t *history = ledger(request, database), *list = json_array();
	size_t count = pgm_plans_list(plans_of(request), request->arena, database, &ids);
	for (size_t i = 0; i < count && i < LIST_MAX; i++) {
		struct pgm_plan plan;
		struct pgm_error ignored = {0};
		if (pgm_plans_get(plans_of(request), arena, database, ids[i], &plan, &ignored))
			json_array_append_new(list, plan_json(&plan, state_in(history, ids[i]), false));
		pgm_arena_reset(arena);
	}
	json_decref(history);
	pgm_reply_data(reply, json_pack("{s:o, s:I}", "plans", list, "all", (json_int_t)count));
}

/* The Plan of the path; false where there was a reply. */
static bool find(struct pgm_request *request, struct pgm_reply *reply, const char **database,
		 struct pgm_plan *plan)
{
	struct pgm_error err = {0};
	*database = pgm_api_database(request, reply);
	if (!*database)
		return false;
	if (pgm_plans_get(plans_of(request), request->arena, *database, pgm_request_part(request, "id"), plan,
			  &err))
		return true;
	pgm_reply_error(reply, 404, "not_found", "%s", err.message);
	return false;
}

static void get_plan(struct pgm_request *request, struct pgm_reply *reply)
{
	const char *database;
	struct pgm_plan plan;
	if (!find(request, reply, &database, &plan))
		return;
	json_t *history = ledger(request, database);
	pgm_reply_data(reply, plan_json(&plan, state_in(history, plan.id), true));
	json_decref(history);
}

static void delete_plan(struct pgm_request *request, struct pgm_reply *reply)
{
	struct pgm_error err = {0};
	const char *database = pgm_api_database(request, reply);
	if (!database)
		return;
	const char *id = pgm_request_part(request, "id");
	if (pgm_plans_remove(plans_of(request), database, id, &err))
		pgm_reply_data(reply, json_pack("{s:s}", "removed", id));
	else
		pgm_reply_error(reply, 404, "not_found", "%s", err.message);
}

static void put_text(struct pgm_request *request, struct pgm_reply *reply, const char *database,
		     const char *sql)
{
	struct pgm_error err = {0};
	struct pgm_plan plan;
	if (pgm_plans_put(plans_of(request), request->arena, database, sql, &plan, &err))
		pgm_reply_data(reply, plan_json(&plan, "new", true));
	else
		pgm_api_refused(reply, &err);
}

/* SQL of whoever asks runs with serve's rights when it is applied: for administrators alone. */
static void post_plan(struct pgm_request *request, struct pgm_reply *reply)
{
	struct pgm_error err = {0};
	const char *database = pgm_api_database(request, reply);
	if (!database)
		return;
	if (!pgm_jobs_audit(PGM_API(request)->jobs, request->user, pgm_role_name(request->role), "plan",
			    database, NULL, "a Plan was given as SQL", &err)) {
		pgm_reply_failure(reply, &err);
		return;
	}
	put_text(request, reply, database, pgm_request_text(request, "sql", ""));
}

/* One step of a Plan, as a Plan of its own. */
static void post_part(struct pgm_request *request, struct pgm_reply *reply)
{
	const char *database;
	struct pgm_error err = {0};
	struct pgm_plan plan, part;
	char *written = NULL;
	size_t length = 0;
	if (!find(request, reply, &database, &plan))
		return;
	int64_t step = pgm_request_int(request, "step", 0);
	size_t at = 0;
	while (at < plan.change_count && plan.changes[at].step != step)
		at++;
	if (at == plan.change_count) {
		pgm_reply_error(reply, 404, "not_found", "Plan %s has no step %lld", plan.id,
				(long long)step);
		return;
	}
	pgm_plan_part(request->arena, &plan, at, &part);
	FILE *stream = open_memstream(&written, &length);
	bool ok = stream && pgm_plan_write(&part, stream, &err);
	if (stream)
		fclose(stream);
	if (ok)
		put_text(request, reply, database, written);
	else
		pgm_reply_failure(reply, &err);
	free(written);
}

static void begin(struct pgm_request *request, struct pgm_reply *reply, const char *kind,
		  const char *database, const char *plan, const char *title,
		  const struct pgm_api_words *words, bool changes)
{
	struct pgm_job_request job = {.database = database,
				      .kind = kind,
				      .title = title,
				      .argv = words->items,
				      .changes = changes,
				      .resumable = changes,
				      .plan = plan};
	pgm_api_begin(request, reply, &job);
}

/* A dry run is a question, and anything else a job. */
static void apply_plan(struct pgm_request *request, struct pgm_reply *reply)
{
	const char *database;
	struct pgm_plan plan;
	struct pgm_api_words words = {.arena = request->arena};
	if (!find(request, reply, &database, &plan))
		return;
	bool dry = pgm_request_bool(request, "dry_run", false);
	pgm_api_word(&words, "apply");
	pgm_api_word(&words, "--format=json");
	pgm_api_word(&words, dry ? "--dry-run" : "--progress=json");
	pgm_api_word(&words, "--yes");
	pgm_api_option(&words, "max-wait", pgm_request_text(request, "max_wait", NULL));
	if (pgm_request_bool(request, "rollback_on_regression", false))
		pgm_api_word(&words, "--rollback-on-regression");
	else if (pgm_request_bool(request, "verify", false))
		pgm_api_word(&words, "--verify");
	if (pgm_request_bool(request, "again", false))
		pgm_api_word(&words, "--again");
	pgm_api_operand(&words, pgm_plans_path(plans_of(request), request->arena, database, plan.id));
	if (dry)
		pgm_api_look(request, reply, words.items, 0);
	else
		begin(request, reply, "apply", database, plan.id,
		      pgm_sprintf(request->arena, "Apply: %s", plan.title), &words, true);
}

static void verify_plan(struct pgm_request *request, struct pgm_reply *reply)
{
	const char *database;
	struct pgm_plan plan;
	struct pgm_api_words words = {.arena = request->arena};
	if (!find(request, reply, &database, &plan))
		return;
	const char *mode = pgm_request_text(request, "mode", "compare");
	pgm_api_word(&words, "verify");
	pgm_api_word(&words, "--format=json");
	pgm_api_word(&words, pgm_sprintf(request->arena, "--%s", mode));
	pgm_api_operand(&words, pgm_plans_path(plans_of(request), request->arena, database, plan.id));
	begin(request, reply, "verify", database, plan.id,
	      pgm_sprintf(request->arena, "Verify (%s): %s", mode, plan.title), &words, false);
}

/* From the Ledger: the Plan need not be one that serve keeps. */
static void roll_back_plan(struct pgm_request *request, struct pgm_reply *reply)
{
	struct pgm_api_words words = {.arena = request->arena};
	const char *database = pgm_api_database(request, reply);
	const char *id = database ? pgm_api_plan_id(request, reply) : NULL;
	if (!id)
		return;
	bool dry = pgm_request_bool(request, "dry_run", false);
	pgm_api_word(&words, "rollback");
	pgm_api_word(&words, "--format=json");
	pgm_api_word(&words, dry ? "--dry-run" : "--progress=json");
	pgm_api_word(&words, "--yes");
	pgm_api_option(&words, "plan", id);
	pgm_api_option(&words, "max-wait", pgm_request_text(request, "max_wait", NULL));
	if (dry)
		pgm_api_look(request, reply, words.items, 0);
	else
		begin(request, reply, "rollback", database, id,
		      pgm_sprintf(request->arena, "Roll back Plan %s", id), &words, true);
}

/* A Plan of the safe mends of what check finds. */
static void plan_of_check(struct pgm_request *request, struct pgm_reply *reply)
{
	const char **only;
	struct pgm_api_words words = {.arena = request->arena};
	const char *database = pgm_api_database(request, reply);
	if (!database)
		return;
	pgm_api_word(&words, "check");
	pgm_api_word(&words, "--format=json");
	pgm_api_word(&words, "--fail-on=never");
	if (pgm_request_bool(request, "allow_drops", false))
		pgm_api_word(&words, "--allow-drops");
	size_t count = pgm_request_texts(request, "only", &only);
	for (size_t i = 0; i < count; i++)
		pgm_api_option(&words, "only", only[i]);
	struct pgm_job_request job = {.database = database,
				      .kind = "check",
				      .title = "A Plan of what check finds",
				      .argv = words.items,
				      .plan_option = "--fix-plan="};
	pgm_api_begin(request, reply, &job);
}

static void post_advice(struct pgm_request *request, struct pgm_reply *reply)
{
	const char **tables;
	struct pgm_api_words words = {.arena = request->arena};
	const char *database = pgm_api_database(request, reply);
	if (!database)
		return;
	const char *workload = pgm_request_text(request, "workload", NULL), *fingerprint = NULL;
	const char *statement = pgm_request_text(request, "statement", NULL);
	if (workload && statement) {
		pgm_reply_error(reply, 400, "bad_request", "workload and statement are two things");
		pgm_reply_hint(reply, "Give the one or the other.");
		return;
	}
	pgm_api_word(&words, "advise");
	pgm_api_word(&words, "--format=json");
	pgm_api_option(&words, "budget", pgm_request_text(request, "budget", NULL));
	if (pgm_request_int(request, "top", 0))
		pgm_api_option(
			&words, "top",
			pgm_sprintf(request->arena, "%lld", (long long)pgm_request_int(request, "top", 0)));
	if (pgm_request_bool(request, "drop_redundant", false))
		pgm_api_word(&words, "--drop-redundant");
	size_t count = pgm_request_texts(request, "tables", &tables);
	for (size_t i = 0; i < count; i++)
		pgm_api_option(&words, "table", tables[i]);
	char *of_one = NULL;
	if (statement && !(of_one = pgm_api_workload(request, reply, statement, &fingerprint)))
		return;
	pgm_api_option(&words, "fingerprint", fingerprint);
	struct pgm_job_request job = {.database = database,
				      .kind = "advise",
				      .title = statement ? "Advise on one statement" : "Advise indexes",
				      .argv = words.items,
				      .plan_option = "--out=",
				      .input_option = workload || of_one ? "--workload=" : NULL,
				      .input = of_one ? of_one : workload};
	pgm_api_begin(request, reply, &job);
	free(of_one);
}

/* Whether a job was told to look at that statement alone; NULL: at all of them. */
static bool is_about(const json_t *job, const char *fingerprint)
{
	static const char option[] = "--fingerprint=";
	const json_t *command = json_object_get(job, "command");
	const char *found = NULL;
	for (size_t i = 0; i < json_array_size(command); i++) {
		const char *word = json_string_value(json_array_get(command, i));
		if (word && strncmp(word, option, sizeof(option) - 1) == 0)
			found = word + sizeof(option) - 1;
	}
	return found && fingerprint ? strcmp(found, fingerprint) == 0 : !found && !fingerprint;
}

/* The latest advice that was given, on all or on one statement, with its Plan. */
static void get_advice(struct pgm_request *request, struct pgm_reply *reply)
{
	const char *database = pgm_api_database(request, reply);
	if (!database)
		return;
	struct pgm_jobs *jobs = PGM_API(request)->jobs;
	const char *statement = pgm_request_text(request, "statement", NULL), *id = NULL;
	const char *fingerprint = statement ? pgm_api_fingerprint(request->arena, statement) : NULL;
	json_t *list = pgm_jobs_json(jobs, database, "done", "advise", ADVICE_MAX), *one;
	size_t i;
	json_array_foreach(list, i, one)
	{
		if (!is_about(one, fingerprint))
			continue;
		id = json_string_value(json_object_get(one, "id"));
		break;
	}
	json_t *job = id ? pgm_job_json(jobs, id, true) : NULL;
	json_decref(list);
	const char *plan_id = json_string_value(json_object_get(job, "plan"));
	struct pgm_error ignored = {0};
	struct pgm_plan plan;
	json_t *kept = NULL;
	if (plan_id && pgm_plans_get(plans_of(request), request->arena, database, plan_id, &plan, &ignored)) {
		json_t *history = ledger(request, database);
		kept = plan_json(&plan, state_in(history, plan.id), true);
		json_decref(history);
	}
	json_t *advice = json_incref(json_object_get(job, "result"));
	json_t *at = json_incref(json_object_get(job, "finished_at"));
	json_object_del(job, "result");
	pgm_reply_data(reply, json_pack("{s:o, s:o, s:o, s:o}", "at", at ? at : json_null(), "job",
					job ? job : json_null(), "advice", advice ? advice : json_null(),
					"plan", kept ? kept : json_null()));
}

static const char *const modes[] = {"baseline", "compare", "health", NULL};

#define BODY(n, t, h)                                                 \
	{                                                             \
		.name = n, .where = PGM_IN_BODY, .type = t, .help = h \
	}
#define BODY_MAX(n, t, h, from, to)                                                           \
	{                                                                                     \
		.name = n, .where = PGM_IN_BODY, .type = t, .help = h, .min = from, .max = to \
	}

static const struct pgm_param apply_params[] = {
	BODY("dry_run", PGM_PARAM_BOOL, "only show each step's SQL, lock and who would block it"),
	BODY("verify", PGM_PARAM_BOOL, "measure the Plan's statements before and after"),
	BODY("rollback_on_regression", PGM_PARAM_BOOL,
	     "the same, and take the Plan back where it falls short"),
	BODY("again", PGM_PARAM_BOOL, "once more, for a Plan that only rebuilds, analyzes or vacuums"),
	BODY_MAX("max_wait", PGM_PARAM_TEXT, "how long a statement may wait for other sessions (10min)", 0,
		 20),
	{.name = NULL},
};
static const struct pgm_param rollback_params[] = {
	BODY("dry_run", PGM_PARAM_BOOL, "only show what would run"),
	BODY_MAX("max_wait", PGM_PARAM_TEXT, "how long a statement may wait for other sessions (10min)", 0,
		 20),
	{.name = NULL},
};
static const struct pgm_param verify_params[] = {
	{.name = "mode",
	 .where = PGM_IN_BODY,
	 .type = PGM_PARAM_ENUM,
	 .help = "what to measure (compare)",
	 .names = modes},
	{.name = NULL},
};
static const struct pgm_param put_params[] = {
	{.name = "sql",
	 .where = PGM_IN_BODY,
	 .type = PGM_PARAM_TEXT,
	 .required = true,
	 .help = "the Plan file",
	 .max = 1 << 20},
	{.name = NULL},
};
static const struct pgm_param part_params[] = {
	{.name = "step",
	 .where = PGM_IN_BODY,
	 .type = PGM_PARAM_INT,
	 .required = true,
	 .help = "the step",
	 .min = 1,
	 .max = 1000000},
	{.name = NULL},
};
static const struct pgm_param check_params[] = {
	BODY("only", PGM_PARAM_TEXTS, "checks or families alone"),
	BODY("allow_drops", PGM_PARAM_BOOL, "also drop redundant, unused and invalid indexes"),
	{.name = NULL},
};
static const struct pgm_param get_advice_params[] = {
	{.name = "statement", .help = "that on this statement alone, by its id", .max = 20},
	{.name = NULL},
};
static const struct pgm_param advise_params[] = {
	BODY("tables", PGM_PARAM_TEXTS, "only these tables"),
	BODY_MAX("budget", PGM_PARAM_TEXT, "disk space for all new indexes together", 0, 20),
	BODY_MAX("top", PGM_PARAM_INT, "statements of pg_stat_statements (500)", 1, 100000),
	BODY("drop_redundant", PGM_PARAM_BOOL, "also drop the indexes that the new ones make needless"),
	BODY_MAX("workload", PGM_PARAM_TEXT, "SQL to advise for, instead of pg_stat_statements", 0, 1 << 20),
	BODY_MAX("statement", PGM_PARAM_TEXT, "only this one, by the id that GET .../statements shows", 0,
		 20),
	{.name = NULL},
};

#define JOB    (PGM_ROUTE_SLOW | PGM_ROUTE_ACCEPTED)
#define CHANGE (JOB | PGM_ROUTE_CHANGES)

const struct pgm_route pgm_api_plans_routes[] = {
	{PGM_GET, PGM_API_DATABASE "/plans", PGM_ROLE_VIEWER, get_plans, "List Plans, the latest first", NULL,
	 PGM_ROUTE_SLOW, "plans"},
	{PGM_POST, PGM_API_DATABASE "/plans", PGM_ROLE_ADMIN, post_plan, "Keep a Plan that is given as SQL",
	 put_params, PGM_ROUTE_SLOW | PGM_ROUTE_CHANGES, "plans"},
	{PGM_POST, PGM_API_DATABASE "/plans/check", PGM_ROLE_OPERATOR, plan_of_check,
	 "Make a Plan of what check finds", check_params, JOB, "plans"},
	{PGM_GET, PGM_API_DATABASE "/plans/{id}", PGM_ROLE_VIEWER, get_plan, "Show a Plan with its proofs",
	 NULL, PGM_ROUTE_SLOW, "plans"},
	{PGM_DELETE, PGM_API_DATABASE "/plans/{id}", PGM_ROLE_OPERATOR, delete_plan, "Forget a Plan", NULL, 0,
	 "plans"},
	{PGM_POST, PGM_API_DATABASE "/plans/{id}/part", PGM_ROLE_OPERATOR, post_part,
	 "Make a Plan of one of its steps", part_params, PGM_ROUTE_SLOW, "plans"},
	{PGM_POST, PGM_API_DATABASE "/plans/{id}/apply", PGM_ROLE_OPERATOR, apply_plan, "Carry a Plan out",
	 apply_params, CHANGE, "plans"},
	{PGM_POST, PGM_API_DATABASE "/plans/{id}/verify", PGM_ROLE_OPERATOR, verify_plan,
	 "Measure whether a Plan does what it promises", verify_params, JOB, "plans"},
	{PGM_POST, PGM_API_DATABASE "/plans/{id}/rollback", PGM_ROLE_OPERATOR, roll_back_plan,
	 "Take a Plan back", rollback_params, CHANGE, "plans"},
	{PGM_GET, PGM_API_DATABASE "/advice", PGM_ROLE_VIEWER, get_advice, "The latest advice, and its Plan",
	 get_advice_params, PGM_ROUTE_SLOW, "plans"},
	{PGM_POST, PGM_API_DATABASE "/advice", PGM_ROLE_OPERATOR, post_advice,
	 "Ask which indexes would pay; the Plan is kept", advise_params, JOB, "plans"},
	{.path = NULL},
};
