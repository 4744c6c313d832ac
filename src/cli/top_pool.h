/*
 * What pgmend top says of the pooler as a whole: clients, servers, transactions, who keeps a server, what is
 * paused. It is read from the console; texts live in the arena that they were read with.
 */
#ifndef PGM_CLI_TOP_POOL_H
#define PGM_CLI_TOP_POOL_H

#include "pg/conn.h"
#include "util/vec.h"

#include <jansson.h>

struct pgm_top_reason {
	const char *name; /* "listen" */
	double clients;
};

struct pgm_top_pool {
	double clients, waiting, oldest_wait_ms;
	double servers, servers_active, servers_idle;
	double transactions, transaction_ms, idle_ms; /* of all since the pooler began */
	double pinned;				      /* clients */
	PGM_VEC(struct pgm_top_reason) reasons;	      /* why; one client may have several */
	const char *state;			      /* "active", "paused" or "suspended" */
	PGM_VEC(const char *) paused;		      /* databases */
};

bool pgm_top_pool_read(struct pgm_conn *conn, struct pgm_arena *arena, struct pgm_top_pool *pool,
		       struct pgm_error *err) PGM_MUST_CHECK;

/* before: the round before, seconds ago; NULL: there is none, and all since the pooler began counts. */
char *pgm_top_pool_text(struct pgm_arena *arena, const struct pgm_top_pool *pool,
			const struct pgm_top_pool *before, double seconds);
json_t *pgm_top_pool_json(const struct pgm_top_pool *pool, const struct pgm_top_pool *before);

#endif
