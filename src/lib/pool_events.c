/* What a pool tells its program, and the closing of connections. No lock is held. */
#include "lib/pool.h"
#include "util/clock.h"

#define ANSWER_WAIT_MS 1000

void pgm_libpool_tell(struct pgmend_pool *pool, int kind, const struct pgmend_conn *conn, double ms,
		      const struct pgmend_error *error)
{
	if (!pool->options.on_event)
		return;
	const struct pgmend_pool_event event = {.kind = kind,
						.backend_pid = conn ? conn->backend_pid : 0,
						.ms = ms,
						.conn = conn ? conn->pg : NULL,
						.error = error};
	pool->options.on_event(pool->options.context, &event);
}

void pgm_libpool_close_one(struct pgmend_pool *pool, struct pgmend_conn *conn)
{
	pgm_libpool_tell(pool, PGMEND_EVENT_CLOSE, conn, pgm_clock_ms() - conn->opened_ms, NULL);
	/* A server that can't send its answer logs that as an error. */
	conn->owed = conn->asked;
	if (conn->owed && PQstatus(conn->pg) == CONNECTION_OK)
		(void)pgm_libpool_session_settle(conn, pgm_clock_ms() + ANSWER_WAIT_MS, NULL);
	pgm_libpool_session_close(conn);
}

void pgm_libpool_close_all(struct pgmend_pool *pool, struct pgm_link *gone)
{
	while (!pgm_ring_empty(gone)) {
		struct pgmend_conn *conn = (struct pgmend_conn *)gone->next;
		pgm_ring_remove(&conn->link);
		pgm_libpool_close_one(pool, conn);
	}
}
