/*
 * What the watch sees, over HTTP: /metrics, the databases, their figures, tables and indexes, and the pooler.
 */
#ifndef PGM_SERVE_API_WATCH_H
#define PGM_SERVE_API_WATCH_H

#include "serve/api/api.h"

extern const struct pgm_route pgm_api_watch_routes[];
extern const struct pgm_route pgm_api_objects_routes[];
extern const struct pgm_route pgm_api_pool_routes[];

struct pgm_snapshot;

/*
 * The last snapshot of the database of the path's {db}. NULL after an answer: 404 where there is no such
 * database, 503 where nothing is watched, or it was not yet looked at. The caller releases it.
 */
const struct pgm_snapshot *pgm_api_snapshot(struct pgm_request *request, struct pgm_reply *reply);

/* "2026-01-31T23:59:59Z" of ms or s since 1970; null for 0. */
json_t *pgm_api_time_ms(int64_t ms);
json_t *pgm_api_time_s(int64_t s);
/* null where it is not finite. */
json_t *pgm_api_number(double value);

#endif
