/* The thread of a pool that looks at idle connections, and the look itself. */
#include "lib/error.h"
#include "lib/pool_line.h"
#include "util/clock.h"

#include <math.h>
#include <signal.h>
#include <string.h>

#define MISSING_WAIT_MS 50 /* where others open as many at once as may be */

/* What is to be done with an idle connection. Called without the lock, which its numbers were read under. */
static bool still_good(struct pgmend_conn *conn, bool ping, struct pgmend_error *err)
{
	if (!pgm_libpool_session_alive(conn, err))
		return false;
	if (!ping)
		return true;
	double began = pgm_clock_ms();
	conn->owed |= PGM_OWED_PING;
	enum pgm_libpool_verdict verdict =
		pgm_libpool_session_settle(conn, pgm_libpool_answer_limit_ms(conn->pool), err);
	if (verdict == PGM_SESSION_LATE)
		pgm_lib_error_set(err, PGMEND_ERR_CONNECT, "an idle connection did not answer for %.0f ms",
				  pgm_clock_ms() - began);
	return verdict == PGM_SESSION_GOOD;
}

/* Takes the one that was used longest ago, and puts it back in front: after as many as there are, order is as
 * before. */
static void look_at_one(struct pgmend_pool *pool, bool all)
{
	struct pgmend_conn *conn = (struct pgmend_conn *)pool->idle.prev;
	double now = pgm_clock_ms();
	const struct pgmend_pool_options *options = &pool->options;
	bool old = now >= conn->recycle_at_ms && !pool->failures;
	bool surplus = options->idle_timeout_ms >= 0 && pgm_libpool_size(pool) > pool->min_size &&
		       now - conn->idle_since_ms >= (double)options->idle_timeout_ms;
	bool ping = all || (options->health_interval_ms >= 0 &&
			    now - conn->heard_ms >= (double)options->health_interval_ms);
	pgm_libpool_take(pool, conn, &pool->checking_count);
	pthread_mutex_unlock(&pool->lock);
	struct pgmend_error why;
	pgm_lib_error_clear(&why);
	bool good = old || surplus || still_good(conn, ping, &why);
	if (!good)
		pgm_libpool_tell(pool, PGMEND_EVENT_ERROR, conn, 0, &why);
	pthread_mutex_lock(&pool->lock);
	if (good && !old && !surplus && !pool->closed) {
		pgm_libpool_put_idle(pool, conn, &pool->checking_count);
		pgm_libpool_serve(pool);
		return;
	}
	pool->stats.broken += !good;
	pool->stats.recycled += old;
	pgm_libpool_drop(pool, conn, &pool->checking_count);
	pgm_libpool_serve(pool);
	pthread_mutex_unlock(&pool->lock);
	pgm_libpool_close_one(pool, conn);
	pthread_mutex_lock(&pool->lock);
}

/* Opens what is missing to min_size, as far as the server lets us. */
static bool open_missing(struct pgmend_pool *pool, struct pgmend_error *err)
{
	while (pgm_libpool_size(pool) < pool->min_size && pgm_libpool_may_open(pool, pgm_clock_ms())) {
		struct pgmend_error why;
		pgm_lib_error_clear(&why);
		pool->opening++;
		pthread_mutex_unlock(&pool->lock);
		struct pgmend_conn *conn = pgm_libpool_session_open(pool, INFINITY, &why);
		if (!conn)
			pgm_libpool_tell(pool, PGMEND_EVENT_ERROR, NULL, 0, &why);
		pthread_mutex_lock(&pool->lock);
		if (!conn) {
			pgm_libpool_open_failed(pool, &why);
			pgm_libpool_serve(pool);
			if (err)
				*err = why;
			return false;
		}
		pgm_libpool_opened(pool);
		conn->idle_since_ms = conn->opened_ms;
		pgm_ring_insert_after(&pool->taken, &conn->link);
		pool->checking_count++;
		if (pool->closed) {
			pgm_libpool_drop(pool, conn, &pool->checking_count);
			pthread_mutex_unlock(&pool->lock);
			pgm_libpool_close_one(pool, conn);
			pthread_mutex_lock(&pool->lock);
			return true;
		}
		pgm_libpool_put_idle(pool, conn, &pool->checking_count);
		pgm_libpool_serve(pool);
	}
	return true;
}

bool pgm_libpool_look(struct pgmend_pool *pool, bool all, struct pgmend_error *err)
{
	for (int left = pool->idle_count; left > 0 && !pgm_ring_empty(&pool->idle) && !pool->closed; left--)
		look_at_one(pool, all);
	return open_missing(pool, err);
}

static void *keep(void *context)
{
	struct pgmend_pool *pool = context;
	pthread_mutex_lock(&pool->lock);
	double looked = pgm_clock_ms();
	while (!pool->closed) {
		double now = pgm_clock_ms(), next = looked + (double)pool->options.health_interval_ms;
		bool missing = pgm_libpool_size(pool) < pool->min_size;
		if (missing && pgm_libpool_may_open(pool, now)) {
			(void)open_missing(pool, NULL);
			continue;
		}
		if (now >= next) {
			(void)pgm_libpool_look(pool, false, NULL);
			looked = pgm_clock_ms();
			continue;
		}
		if (missing)
			next = fmin(next, fmax(pool->try_at_ms, now + MISSING_WAIT_MS));
		struct timespec until = pgm_clock_moment(next);
		pthread_cond_timedwait(&pool->keeper_wakes, &pool->lock, &until);
	}
	pool->inside--;
	pgm_libpool_unlock(pool);
	return NULL;
}

bool pgm_libpool_keeper_start(struct pgmend_pool *pool, struct pgmend_error *err)
{
	/* The program's signals are for its own threads. */
	sigset_t all, before;
	sigfillset(&all);
	pool->inside++;
	pool->has_keeper = true; /* before it looks */
	pthread_sigmask(SIG_SETMASK, &all, &before);
	int failed = pthread_create(&pool->keeper, NULL, keep, pool);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (!failed)
		return true;
	pool->has_keeper = false;
	pool->inside--;
	return pgm_lib_error_set(err, PGMEND_ERR_MEMORY, "no thread for the pool: %s",
				 strerrordesc_np(failed));
}
