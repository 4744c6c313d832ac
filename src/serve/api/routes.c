#include "serve/api/api.h"

#include "serve/api/alerts.h"
#include "serve/api/begin.h"
#include "serve/api/core.h"
#include "serve/api/history.h"
#include "serve/api/statements.h"
#include "serve/api/watch.h"

const struct pgm_route *const pgm_api_tables[] = {
	pgm_api_core_routes,	pgm_api_watch_routes,	    pgm_api_objects_routes,
	pgm_api_history_routes, pgm_api_statements_routes,  pgm_api_alert_routes,
	pgm_api_pool_routes,	pgm_api_looks_routes,	    pgm_api_sessions_routes,
	pgm_api_tables_routes,	pgm_api_plans_routes,	    pgm_api_jobs_routes,
	pgm_api_chores_routes,	pgm_api_performance_routes, NULL,
};
