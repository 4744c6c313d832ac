/*
 * One who waits for a connection: on its thread's stack, in pool->line until it is granted something or gives
 * up. For pool_line.c and pool_acquire.c.
 */
#ifndef PGM_LIB_POOL_LINE_H
#define PGM_LIB_POOL_LINE_H

#include "lib/pool.h"

enum pgm_libpool_grant {
	PGM_GRANT_NONE,	   /* stands in line */
	PGM_GRANT_CONN,	   /* conn is its own, counted as active */
	PGM_GRANT_ROOM,	   /* may open one, counted as opening */
	PGM_GRANT_REFUSED, /* the server refuses connections for good: pool->failure */
	PGM_GRANT_CLOSED,  /* the pool was closed */
};

struct pgm_libpool_waiter {
	struct pgm_link link; /* first */
	pthread_cond_t wakes;
	enum pgm_libpool_grant grant;
	struct pgmend_conn *conn;
	bool told_first; /* knows that it is the first, and must wake at pool->try_at_ms */
};

#endif
