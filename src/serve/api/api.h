/*
 * What the handlers of the API work on: the parts of the process. request->context is a struct pgm_api; a
 * part that is switched off is NULL. It is made before the HTTP server starts and lives until after its end.
 */
#ifndef PGM_SERVE_API_H
#define PGM_SERVE_API_H

#include "serve/config/config.h"
#include "serve/http/http.h"

struct pgm_watch;
struct pgm_history;
struct pgm_alerts;
struct pgm_jobs;
struct pgm_chores;
struct pgm_pooler;

struct pgm_api {
	const struct pgm_serve_config *config; /* as at the start */
	struct pgm_watch *watch;
	struct pgm_history *history;
	struct pgm_alerts *alerts;
	struct pgm_jobs *jobs;
	struct pgm_chores *chores;
	struct pgm_pooler *pooler; /* pool/pool.h */
};

#define PGM_API(request) ((struct pgm_api *)(request)->context)

/* All tables, in the order of the documentation; NULL ends it. */
extern const struct pgm_route *const pgm_api_tables[];

/* The OpenAPI 3.1 document of the tables. Whose it is: the caller's. */
json_t *pgm_api_openapi(void);

#endif
