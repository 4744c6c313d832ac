/* Who waits, what they are granted, and where connections are. All of it with the lock held. */
#include "lib/pool_line.h"

#include "lib/error.h"
#include "util/clock.h"

/* Connections that are opened at once: a server that comes back is not to be overrun. */
#define OPENING_MAX	 4
#define BACKOFF_FIRST_MS 50
#define BACKOFF_LAST_MS	 5000

int pgm_libpool_size(const struct pgmend_pool *pool)
{
	return pool->idle_count + pool->active_count + pool->checking_count + pool->opening;
}

bool pgm_libpool_may_open(const struct pgmend_pool *pool, double now_ms)
{
	if (pool->closed || pgm_libpool_size(pool) >= pool->max_size + pool->max_overflow)
		return false;
	if (pool->failures)
		return pool->opening == 0 && now_ms >= pool->try_at_ms;
	return pool->opening < OPENING_MAX;
}

void pgm_libpool_serve(struct pgmend_pool *pool)
{
	while (!pgm_ring_empty(&pool->line)) {
		struct pgm_libpool_waiter *first = (struct pgm_libpool_waiter *)pool->line.next;
		if (!pgm_ring_empty(&pool->idle)) {
			first->conn = (struct pgmend_conn *)pool->idle.next;
			pgm_libpool_take(pool, first->conn, &pool->active_count);
			first->grant = PGM_GRANT_CONN;
		} else if (pgm_libpool_may_open(pool, pgm_clock_ms())) {
			pool->opening++;
			first->grant = PGM_GRANT_ROOM;
		} else {
			/* Who is first while no server answers waits for the time of the next attempt. */
			if (pool->failures && !first->told_first) {
				first->told_first = true;
				pthread_cond_signal(&first->wakes);
			}
			break;
		}
		pgm_ring_remove(&first->link);
		pool->waiting--;
		pthread_cond_signal(&first->wakes);
	}
	if (!pool->closed && pool->has_keeper && pgm_libpool_size(pool) < pool->min_size)
		pthread_cond_signal(&pool->keeper_wakes);
}

void pgm_libpool_opened(struct pgmend_pool *pool)
{
	pool->opening--;
	pool->failures = 0;
	pool->refused = false;
	pool->stats.opened++;
}

/* Would the server say the same again? Wrong password, no such role or database, no right, a bad setting. */
static bool refused_for_good(const struct pgmend_error *err)
{
	static const char *const classes[] = {"28", "3D", "42", "22", "0A"};
	for (size_t i = 0; i < sizeof(classes) / sizeof(*classes); i++)
		if (err->sqlstate[0] == classes[i][0] && err->sqlstate[1] == classes[i][1])
			return true;
	return false;
}

void pgm_libpool_open_failed(struct pgmend_pool *pool, const struct pgmend_error *err)
{
	pool->opening--;
	pool->stats.connect_errors++;
	pool->failure = *err;
	pool->refused = refused_for_good(err);
	pool->try_at_ms =
		pgm_clock_ms() + pgm_clock_backoff_ms((int)pool->failures, BACKOFF_FIRST_MS, BACKOFF_LAST_MS);
	pool->failures += pool->failures < 30;
	/* With no connection left that could serve them, who waits learns it at once. */
	while (pool->refused && pgm_libpool_size(pool) == 0 && !pgm_ring_empty(&pool->line)) {
		struct pgm_libpool_waiter *first = (struct pgm_libpool_waiter *)pool->line.next;
		first->grant = PGM_GRANT_REFUSED;
		pgm_ring_remove(&first->link);
		pool->waiting--;
		pthread_cond_signal(&first->wakes);
	}
	if (!pgm_ring_empty(&pool->line))
		((struct pgm_libpool_waiter *)pool->line.next)->told_first = false;
}

void pgm_libpool_take(struct pgmend_pool *pool, struct pgmend_conn *conn, int *count)
{
	pgm_ring_remove(&conn->link);
	pgm_ring_insert_after(&pool->taken, &conn->link);
	pool->idle_count--;
	++*count;
}

void pgm_libpool_put_idle(struct pgmend_pool *pool, struct pgmend_conn *conn, int *count)
{
	pgm_ring_remove(&conn->link);
	pgm_ring_insert_after(&pool->idle, &conn->link);
	--*count;
	pool->idle_count++;
}

void pgm_libpool_drop(struct pgmend_pool *pool, struct pgmend_conn *conn, int *count)
{
	pgm_ring_remove(&conn->link);
	--*count;
	pool->stats.closed++;
}

void pgm_libpool_sweep(struct pgmend_pool *pool, struct pgm_link *gone)
{
	struct pgm_link looked;
	pgm_ring_init(&looked);
	int taken = 0;
	while (!pgm_ring_empty(&pool->idle)) {
		struct pgmend_conn *conn = (struct pgmend_conn *)pool->idle.next;
		pgm_libpool_take(pool, conn, &pool->checking_count);
		pgm_ring_remove(&conn->link);
		pgm_ring_insert_after(looked.prev, &conn->link);
		taken++;
	}
	pthread_mutex_unlock(&pool->lock);
	struct pgm_link good;
	pgm_ring_init(&good);
	int broken = 0;
	while (!pgm_ring_empty(&looked)) {
		struct pgmend_conn *conn = (struct pgmend_conn *)looked.prev;
		pgm_ring_remove(&conn->link);
		bool alive = pgm_libpool_session_alive(conn, NULL);
		pgm_ring_insert_after(alive ? &good : gone, &conn->link);
		broken += !alive;
	}
	pthread_mutex_lock(&pool->lock);
	pool->stats.broken += broken;
	pool->stats.closed += broken;
	pool->checking_count -= broken;
	while (!pgm_ring_empty(&good))
		pgm_libpool_put_idle(pool, (struct pgmend_conn *)good.prev, &pool->checking_count);
	pgm_libpool_serve(pool);
}
