/* Chores: what is configured, when it is due, what came of it; the weekly report. */
#include "serve/api/begin.h"
#include "serve/chore/chore.h"

#include <string.h>

static void get_chores(struct pgm_request *request, struct pgm_reply *reply)
{
	pgm_reply_data(reply, json_pack("{s:o}", "chores", pgm_chores_json(PGM_API(request)->chores)));
}

static void run_chore(struct pgm_request *request, struct pgm_reply *reply)
{
	struct pgm_error err = {0};
	const char *name = pgm_request_part(request, "name");
	const char *database = pgm_request_text(request, "database", NULL);
	if (database && !pgm_jobs_conninfo(PGM_API(request)->jobs, request->arena, database)) {
		pgm_reply_error(reply, 404, "not_found", "there is no database %.100s here", database);
		return;
	}
	if (pgm_chores_run(PGM_API(request)->chores, name, database, request->user, &err)) {
		pgm_reply_json(reply, 202, json_pack("{s:b, s:{s:s}}", "success", 1, "data", "chore", name));
		return;
	}
	if (err.kind == PGM_ERR_STATE)
		pgm_reply_error(reply, 409, "conflict", "%s", err.message);
	else
		pgm_reply_error(reply, 404, "not_found", "%s", err.message);
	pgm_reply_hint(reply, "%s", err.hint);
}

static void get_report(struct pgm_request *request, struct pgm_reply *reply)
{
	const char *database = pgm_api_database(request, reply);
	if (!database)
		return;
	bool html = strcmp(pgm_request_text(request, "format", "markdown"), "html") == 0;
	char *text = pgm_chores_report(PGM_API(request)->chores, request->arena, database, html);
	if (text && html)
		pgm_reply_page(reply, text);
	else if (text)
		pgm_reply_text(reply, 200, "text/markdown; charset=utf-8", text, strlen(text));
	else
		pgm_reply_error(reply, 404, "not_found", "no weekly report of %.100s was written yet",
				database);
}

static const char *const formats[] = {"markdown", "html", NULL};

static const struct pgm_param run_params[] = {
	{.name = "database", .where = PGM_IN_BODY, .help = "only for this one"},
	{.name = NULL},
};
static const struct pgm_param report_params[] = {
	{.name = "format", .type = PGM_PARAM_ENUM, .help = "markdown (default) or html", .names = formats},
	{.name = NULL},
};

const struct pgm_route pgm_api_chores_routes[] = {
	{PGM_GET, "/api/v1/chores", PGM_ROLE_VIEWER, get_chores, "Configured chores, and what came of them",
	 NULL, 0, "chores"},
	{PGM_POST, "/api/v1/chores/{name}/run", PGM_ROLE_OPERATOR, run_chore,
	 "Have a configured chore run now", run_params, PGM_ROUTE_CHANGES, "chores"},
	{PGM_GET, PGM_API_DATABASE "/weekly-report", PGM_ROLE_VIEWER, get_report, "The latest weekly report",
	 report_params, PGM_ROUTE_TEXT, "chores"},
	{.path = NULL},
};
