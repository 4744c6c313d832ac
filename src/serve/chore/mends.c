/* The chores that change a database: each is a job like any that a person could start. */
#include "serve/chore/parts.h"

#include "change/plan.h"
#include "serve/job/plans.h"
#include "sql/ddl.h"
#include "sql/split.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ASK_MS	  120000
#define WAIT_MS	  1000
#define CONFLICTS 60	 /* so often at most another job's end is waited for */
#define BUSY_MS	  600000 /* and so long each time */
#define MAX_WAIT  "--max-wait=5min"

static void tell(struct pgm_chore_outcome *outcome, const char *state, const char *text)
{
	outcome->state = state;
	outcome->text = text;
}

/* Until it has ended, or serve does; false: serve does. */
static bool wait_for(struct pgm_chores *chores, const char *id, int64_t limit_ms, enum pgm_job_state *state,
		     int *code)
{
	for (int64_t waited = 0; waited < limit_ms; waited += WAIT_MS) {
		if (pgm_job_wait(chores->jobs, id, WAIT_MS, state, code))
			return true;
		if (pgm_chores_stopping(chores))
			return false;
	}
	return true;
}

/* Start the job, behind whichever changes the database now, and wait for its end. */
static void run_job(struct pgm_chores *chores, struct pgm_arena *arena, const struct pgm_job_request *request,
		    struct pgm_chore_outcome *outcome)
{
	struct pgm_error err = {0};
	enum pgm_job_state state = PGM_JOB_FAILED;
	int code = 0;
	enum pgm_job_answer answer = PGM_JOB_CONFLICT;
	for (int i = 0; i < CONFLICTS && answer == PGM_JOB_CONFLICT; i++) {
		answer = pgm_job_begin(chores->jobs, request, outcome->job, &err);
		if (answer == PGM_JOB_CONFLICT && !wait_for(chores, outcome->job, BUSY_MS, &state, &code))
			break;
	}
	if (answer != PGM_JOB_STARTED) {
		*outcome->job = '\0';
		tell(outcome, "skipped",
		     answer == PGM_JOB_CONFLICT ? "another job changed the database all the time"
		     : *err.message		? pgm_strdup(arena, err.message)
						: "no job could be started");
		return;
	}
	if (!wait_for(chores, outcome->job, request->limit_ms * 2, &state, &code)) {
		tell(outcome, "interrupted", "pgmend serve was stopped");
		return;
	}
	json_t *job = pgm_job_json(chores->jobs, outcome->job, false);
	const char *error = json_string_value(json_object_get(job, "error"));
	tell(outcome, pgm_job_state_name(state), error ? pgm_strdup(arena, error) : NULL);
	json_decref(job);
}

/* "--timeout=2h" of the command itself, a little before the job's own limit. */
static const char *timeout_word(const struct pgm_chores *chores, struct pgm_arena *arena)
{
	return pgm_sprintf(arena, "--timeout=%lldms", (long long)chores->options.time_limit_ms);
}

void pgm_chore_partitions(struct pgm_chores *chores, struct pgm_arena *arena, const char *database,
			  const char *who, struct pgm_chore_outcome *outcome)
{
	const char *const argv[] = {"partition",
				    "--upkeep",
				    "--yes",
				    "--format=json",
				    "--progress=json",
				    MAX_WAIT,
				    timeout_word(chores, arena),
				    NULL};
	struct pgm_job_request request = {.database = database,
					  .kind = "partition",
					  .title = "Chore: keep partitions in order",
					  .argv = argv,
					  .changes = true,
					  .resumable = true,
					  .limit_ms = chores->options.time_limit_ms + 60000,
					  .who = who,
					  .role = "chore"};
	run_job(chores, arena, &request, outcome);
}

/* The statement of a remedy, if it is of the one kind that this chore may run. */
static const char *allowed(struct pgm_arena *arena, enum pgm_chore_id id, const char *remedy,
			   struct pgm_ddl *ddl)
{
	struct pgm_sql_statements found;
	struct pgm_error ignored;
	if (!remedy || !pgm_sql_split(arena, remedy, &found, &ignored) || found.count != 1 ||
	    !pgm_ddl_parse(arena, found.items[0].text, 1, ddl, &ignored))
		return NULL;
	bool fits = id == PGM_CHORE_ANALYZE ? ddl->kind == PGM_DDL_ANALYZE && *ddl->relation
					    : ddl->kind == PGM_DDL_REINDEX_INDEX && ddl->concurrently;
	return fits ? pgm_sprintf(arena, "%s;\n", found.items[0].text) : NULL;
}

/* The worst first, as check orders them. */
static size_t gather(struct pgm_arena *arena, enum pgm_chore_id id, const json_t *check, size_t max,
		     pgm_changes *changes)
{
	size_t i;
	json_t *finding;
	json_array_foreach(json_object_get(check, "findings"), i, finding)
	{
		struct pgm_ddl ddl;
		if (changes->count >= max)
			break;
		const char *sql =
			allowed(arena, id, json_string_value(json_object_get(finding, "remedy")), &ddl);
		if (!sql)
			continue;
		bool rebuild = id == PGM_CHORE_REINDEX;
		const char *name = rebuild ? ddl.index : ddl.relation;
		const char *title = pgm_sprintf(arena, "%s %s", rebuild ? "rebuild index" : "analyze", name);
		struct pgm_change *change =
			pgm_change_add(arena, changes, rebuild ? ddl.index_schema : ddl.schema,
				       rebuild ? "" : ddl.relation, title, "SHARE UPDATE EXCLUSIVE");
		change->sql_up = sql;
		change->kind = rebuild ? PGM_CHANGE_REINDEX : PGM_CHANGE_SQL;
		change->index = rebuild ? ddl.index : NULL;
		change->transactional = !rebuild;
		const char *detail = json_string_value(json_object_get(finding, "detail"));
		if (detail)
			pgm_change_evidence(arena, change, pgm_strdup(arena, detail));
	}
	return changes->count;
}

/* Written as a Plan file like any, so that people can read what was run. */
static bool keep_plan(struct pgm_chores *chores, struct pgm_arena *arena, const char *database,
		      const char *title, const pgm_changes *changes, struct pgm_plan *kept,
		      struct pgm_error *err)
{
	char *text = NULL;
	size_t length = 0;
	struct pgm_plan plan = pgm_plan_of(arena, "", title, changes);
	FILE *stream = open_memstream(&text, &length);
	if (!stream)
		return pgm_error_set(err, PGM_ERR_SYSTEM, "out of memory");
	bool ok = pgm_plan_write(&plan, stream, err);
	fclose(stream);
	ok = ok && pgm_plans_put(pgm_jobs_plans(chores->jobs), arena, database, text, kept, err);
	free(text);
	return ok;
}

static void apply(struct pgm_chores *chores, struct pgm_arena *arena, const char *database, const char *who,
		  const char *title, const struct pgm_plan *plan, struct pgm_chore_outcome *outcome)
{
	const char *const argv[] = {"apply",
				    "--yes",
				    "--format=json",
				    "--progress=json",
				    "--again",
				    MAX_WAIT,
				    timeout_word(chores, arena),
				    "--",
				    pgm_plans_path(pgm_jobs_plans(chores->jobs), arena, database, plan->id),
				    NULL};
	struct pgm_job_request request = {.database = database,
					  .kind = "apply",
					  .title = title,
					  .argv = argv,
					  .changes = true,
					  .resumable = true,
					  .limit_ms = chores->options.time_limit_ms + 60000,
					  .who = who,
					  .role = "chore",
					  .plan = plan->id};
	run_job(chores, arena, &request, outcome);
}

void pgm_chore_mend(struct pgm_chores *chores, struct pgm_arena *arena, enum pgm_chore_id id,
		    const char *database, const char *who, struct pgm_chore_outcome *outcome)
{
	bool rebuild = id == PGM_CHORE_REINDEX;
	const char *floor = rebuild && chores->options.reindex_min_bytes
				    ? pgm_sprintf(arena, "--threshold=index_bloat.min_bytes=%lld",
						  (long long)chores->options.reindex_min_bytes)
				    : "--fail-on=never";
	const char *const argv[] = {"check",
				    "--format=json",
				    "--fail-on=never",
				    rebuild ? "--only=index_bloat" : "--only=stale_statistics",
				    floor,
				    NULL};
	const char *title = rebuild ? "Chore: rebuild bloated indexes" : "Chore: analyze stale tables";
	int64_t max = rebuild ? chores->options.reindex_max : chores->options.analyze_max;
	struct pgm_error err = {0};
	struct pgm_plan plan;
	pgm_changes changes = {0};
	json_t *check = pgm_job_ask(chores->jobs, database, argv, ASK_MS, 0, &err);
	if (!check) {
		tell(outcome, "failed", pgm_strdup(arena, err.message));
		return;
	}
	size_t count = gather(arena, id, check, (size_t)max, &changes);
	json_decref(check);
	if (!count)
		tell(outcome, "nothing", rebuild ? "no index is bloated" : "no statistics are stale");
	else if (!keep_plan(chores, arena, database, title, &changes, &plan, &err))
		tell(outcome, "failed", pgm_strdup(arena, err.message));
	else
		apply(chores, arena, database, who, title, &plan, outcome);
}
