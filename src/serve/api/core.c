#include "serve/api/core.h"

#include "serve/api/api.h"

/* For load balancers and systemd: that this answers says it all, and tells strangers nothing. */
static void healthz(struct pgm_request *request, struct pgm_reply *reply)
{
	(void)request;
	pgm_reply_data(reply, json_pack("{s:s}", "status", "ok"));
}

static void whoami(struct pgm_request *request, struct pgm_reply *reply)
{
	pgm_reply_data(reply, json_pack("{s:s, s:s, s:s}", "name", request->user, "role",
					pgm_role_name(request->role), "version", PGM_VERSION));
}

static void openapi(struct pgm_request *request, struct pgm_reply *reply)
{
	(void)request;
	pgm_reply_json(reply, 200, pgm_api_openapi());
}

const struct pgm_route pgm_api_core_routes[] = {
	{PGM_GET, "/healthz", PGM_ROLE_NONE, healthz, "whether the process lives", .tag = "core"},
	{PGM_GET, "/api/v1/whoami", PGM_ROLE_VIEWER, whoami, "name and role of the token", .tag = "core"},
	{PGM_GET, "/api/v1/openapi.json", PGM_ROLE_NONE, openapi, "this document", .tag = "core"},
	{0},
};
