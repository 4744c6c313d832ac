#include "serve/api/api.h"

#include "serve/api/core.h"

const struct pgm_route *const pgm_api_tables[] = {
	pgm_api_core_routes,
	NULL,
};
