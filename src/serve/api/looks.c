/* What the commands say of a database: findings and the Ledger. */
#include "serve/api/begin.h"

static void get_findings(struct pgm_request *request, struct pgm_reply *reply)
{
	struct pgm_error err = {0};
	/* Whoever may change the database may have it looked at again. */
	if (pgm_request_bool(request, "fresh", false)) {
		if (!pgm_api_allowed(request, reply, PGM_ROLE_OPERATOR))
			return;
		pgm_job_forget(PGM_API(request)->jobs, pgm_request_part(request, "db"));
	}
	const char *database = pgm_api_database(request, reply);
	if (database)
		pgm_api_looked(reply, pgm_api_check(request, database, &err), &err);
}

static void get_changes(struct pgm_request *request, struct pgm_reply *reply)
{
	pgm_api_look(request, reply, pgm_job_history, PGM_API_LEDGER_KEEP_MS);
}

static void get_change(struct pgm_request *request, struct pgm_reply *reply)
{
	struct pgm_api_words words = {.arena = request->arena};
	struct pgm_error err = {0};
	const char *database = pgm_api_database(request, reply);
	const char *id = database ? pgm_api_plan_id(request, reply) : NULL;
	if (!id)
		return;
	for (const char *const *word = pgm_job_history; *word; word++)
		pgm_api_word(&words, *word);
	pgm_api_option(&words, "plan", id);
	json_t *data = pgm_job_ask(PGM_API(request)->jobs, database, words.items, PGM_API_ASK_MS,
				   PGM_API_LEDGER_KEEP_MS, &err);
	if (!data && err.kind == PGM_ERR_INPUT)
		pgm_reply_error(reply, 404, "not_found", "%s", err.message);
	else
		pgm_api_looked(reply, data, &err);
}

static const struct pgm_param findings_params[] = {
	{.name = "fresh",
	 .type = PGM_PARAM_BOOL,
	 .help = "look now (operators), not at the answer that is kept"},
	{.name = NULL},
};

const struct pgm_route pgm_api_looks_routes[] = {
	{PGM_GET, PGM_API_DATABASE "/findings", PGM_ROLE_VIEWER, get_findings,
	 "What pgmend check finds (schema pgmend.check/1)", findings_params, PGM_ROUTE_SLOW, "databases"},
	{PGM_GET, PGM_API_DATABASE "/changes", PGM_ROLE_VIEWER, get_changes,
	 "The Ledger: every Plan that was applied", NULL, PGM_ROUTE_SLOW, "plans"},
	{PGM_GET, PGM_API_DATABASE "/changes/{id}", PGM_ROLE_VIEWER, get_change,
	 "The runs of a Plan, with their steps and who asked for them", NULL, PGM_ROUTE_SLOW, "plans"},
	{.path = NULL},
};
