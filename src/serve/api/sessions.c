/* Who is connected and who blocks whom; cancel and terminate. */
#include "serve/api/begin.h"

#include <string.h>

#define KEEP_MS 2000
#define END_MS	30000 /* to look, to signal and to wait until they are gone (10 s) */

static void get_sessions(struct pgm_request *request, struct pgm_reply *reply)
{
	struct pgm_api_words words = {.arena = request->arena};
	pgm_api_word(&words, "sessions");
	pgm_api_word(&words, "--format=json");
	if (pgm_request_bool(request, "all", false))
		pgm_api_word(&words, "--all");
	pgm_api_look(request, reply, words.items, KEEP_MS);
}

static void get_record(struct pgm_request *request, struct pgm_reply *reply)
{
	static const char *const argv[] = {"sessions", "--record", "--format=json", NULL};
	pgm_api_look(request, reply, argv, KEEP_MS);
}

/* "4711", or "4711@2026-01-31T12:00:00.000000Z": nothing else is a session. */
static bool is_session(const char *id)
{
	size_t digits = strspn(id, "0123456789");
	return digits > 0 && digits <= 10 && (!id[digits] || id[digits] == '@') &&
	       strspn(id, "0123456789@-:.+TZ ") == strlen(id) && strlen(id) <= 64;
}

static bool choose(struct pgm_request *request, struct pgm_reply *reply, struct pgm_api_words *words)
{
	static const struct {
		const char *param, *option;
	} rules[] = {{"idle_in_transaction_longer", "idle-in-transaction-longer"},
		     {"running_longer", "running-longer"},
		     {"blocking_longer", "blocking-longer"},
		     {"user", "user"},
		     {"application", "application"}};
	const char *id = pgm_request_text(request, "id", NULL);
	size_t given = 0;
	if (id && !is_session(id)) {
		pgm_reply_error(reply, 400, "bad_request", "id: \"%.80s\" is no session", id);
		pgm_reply_hint(reply, "Give the id that GET .../sessions shows.");
		return false;
	}
	pgm_api_option(words, "pid", id);
	for (size_t i = 0; i < sizeof(rules) / sizeof(*rules); i++) {
		const char *value = pgm_request_text(request, rules[i].param, NULL);
		pgm_api_option(words, rules[i].option, value);
		given += value != NULL;
	}
	if (id || given)
		return true;
	pgm_reply_error(reply, 400, "bad_request", "which sessions? Give id, or a rule");
	return false;
}

static void end(struct pgm_request *request, struct pgm_reply *reply, const char *action)
{
	struct pgm_api_words words = {.arena = request->arena};
	struct pgm_error err = {0};
	int code = 0;
	const char *database = pgm_api_database(request, reply);
	if (!database)
		return;
	bool dry = pgm_request_bool(request, "dry_run", false);
	pgm_api_word(&words, "sessions");
	pgm_api_word(&words, "--format=json");
	pgm_api_word(&words, action);
	pgm_api_word(&words, dry ? "--dry-run" : "--yes");
	if (!choose(request, reply, &words))
		return;
	if (dry) {
		pgm_api_look(request, reply, words.items, 0);
		return;
	}
	const char *detail =
		pgm_sprintf(request->arena, "%s %s", action + 2, pgm_request_text(request, "id", "by rule"));
	json_t *data = pgm_job_act(PGM_API(request)->jobs, database, words.items, END_MS, request->user,
				   pgm_role_name(request->role), detail, &code, &err);
	if (data)
		pgm_reply_data(reply, data);
	else
		pgm_api_refused(reply, &err);
}

static void cancel(struct pgm_request *request, struct pgm_reply *reply)
{
	end(request, reply, "--cancel");
}

static void terminate(struct pgm_request *request, struct pgm_reply *reply)
{
	end(request, reply, "--terminate");
}

static const struct pgm_param list_params[] = {
	{.name = "all", .type = PGM_PARAM_BOOL, .help = "idle sessions and the server's own processes too"},
	{.name = NULL},
};

#define BODY(n, t, m, h)                                                        \
	{                                                                       \
		.name = n, .where = PGM_IN_BODY, .type = t, .max = m, .help = h \
	}
static const struct pgm_param end_params[] = {
	BODY("id", PGM_PARAM_TEXT, 64, "this session, as GET shows it: PID@START"),
	BODY("idle_in_transaction_longer", PGM_PARAM_TEXT, 20,
	     "those that do nothing in a transaction for so long"),
	BODY("running_longer", PGM_PARAM_TEXT, 20, "those whose statement runs for so long"),
	BODY("blocking_longer", PGM_PARAM_TEXT, 20, "those that others have waited for so long"),
	BODY("user", PGM_PARAM_TEXT, 63, "only those of this user"),
	BODY("application", PGM_PARAM_TEXT, 63, "only those with this application_name"),
	BODY("dry_run", PGM_PARAM_BOOL, 0, "only show which sessions fit"),
	{.name = NULL},
};

const struct pgm_route pgm_api_sessions_routes[] = {
	{PGM_GET, PGM_API_DATABASE "/sessions", PGM_ROLE_VIEWER, get_sessions,
	 "Sessions and who blocks whom (schema pgmend.sessions/1)", list_params, PGM_ROUTE_SLOW, "sessions"},
	{PGM_GET, PGM_API_DATABASE "/sessions/record", PGM_ROLE_VIEWER, get_record,
	 "Which sessions were canceled or ended, by whom and why", NULL, PGM_ROUTE_SLOW, "sessions"},
	{PGM_POST, PGM_API_DATABASE "/sessions/cancel", PGM_ROLE_OPERATOR, cancel,
	 "Stop the statements of sessions (schema pgmend.sessions.end/1)", end_params,
	 PGM_ROUTE_SLOW | PGM_ROUTE_CHANGES, "sessions"},
	{PGM_POST, PGM_API_DATABASE "/sessions/terminate", PGM_ROLE_OPERATOR, terminate,
	 "End sessions (schema pgmend.sessions.end/1)", end_params, PGM_ROUTE_SLOW | PGM_ROUTE_CHANGES,
	 "sessions"},
	{.path = NULL},
};
