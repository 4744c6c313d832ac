/* A pool's life: open, close, resize, statistics, and what a fork leaves of it. */
#include "lib/pool.h"

#include "lib/error.h"
#include "lib/options.h"
#include "lib/pool_line.h"
#include "util/clock.h"

#include <fcntl.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define CLOSE_TIMEOUT_MS 30000

static void destroy(struct pgmend_pool *pool)
{
	pthread_cond_destroy(&pool->changes);
	pthread_cond_destroy(&pool->keeper_wakes);
	pthread_mutex_destroy(&pool->lock);
	pgm_libpool_params_free(pool);
	free(pool->reset_query);
	free(pool);
}

static bool unused(const struct pgmend_pool *pool)
{
	return pgm_libpool_size(pool) == 0 && pool->waiting == 0 && pool->inside == 0;
}

void pgm_libpool_unlock(struct pgmend_pool *pool)
{
	bool last = pool->closed && !pool->closing && unused(pool);
	if (pool->closed)
		pthread_cond_broadcast(&pool->changes);
	pthread_mutex_unlock(&pool->lock);
	if (last)
		destroy(pool);
}

/* ------------------------------------------------ open */

static bool fill(struct pgmend_pool *pool, const struct pgmend_pool_options *options,
		 struct pgmend_error *err)
{
	struct pgmend_pool_options *own = &pool->options;
	if (!pgm_lib_options_copy(own, sizeof(*own), options, err) || !pgm_libpool_options_check(own, err) ||
	    !pgm_libpool_params_make(pool, err))
		return false;
	pool->reset_query = strdup(own->reset_query ? own->reset_query : "DISCARD ALL");
	if (!pool->reset_query)
		return pgm_lib_error_memory(err);
	/* The caller's texts may be gone after this. */
	own->conninfo = own->application_name = own->reset_query = NULL;
	own->settings = NULL;
	pool->min_size = own->min_size;
	pool->max_size = own->max_size;
	pool->max_overflow = own->max_overflow;
	return true;
}

/* The first connections, which say whether the options are right. */
static bool open_first(struct pgmend_pool *pool, struct pgmend_error *err)
{
	pthread_mutex_lock(&pool->lock);
	bool ok = true;
	for (int i = 0; ok && i < pool->min_size; i++) {
		pool->opening++;
		pthread_mutex_unlock(&pool->lock);
		struct pgmend_conn *conn = pgm_libpool_session_open(pool, INFINITY, err);
		pthread_mutex_lock(&pool->lock);
		ok = conn != NULL;
		if (!ok) {
			pool->opening--;
			break;
		}
		pgm_libpool_opened(pool);
		conn->idle_since_ms = conn->opened_ms;
		pgm_ring_insert_after(&pool->idle, &conn->link);
		pool->idle_count++;
	}
	pthread_mutex_unlock(&pool->lock);
	return ok;
}

struct pgmend_pool *pgmend_pool_open(const struct pgmend_pool_options *options, struct pgmend_error *err)
{
	pgm_lib_error_clear(err);
	struct pgmend_pool *pool = calloc(1, sizeof(*pool));
	if (!pool) {
		pgm_lib_error_memory(err);
		return NULL;
	}
	pool->pid = getpid();
	pool->suspect_ms = -INFINITY;
	pgm_ring_init(&pool->idle);
	pgm_ring_init(&pool->taken);
	pgm_ring_init(&pool->line);
	pthread_mutex_init(&pool->lock, NULL);
	pgm_clock_cond_init(&pool->keeper_wakes);
	pgm_clock_cond_init(&pool->changes);
	if (fill(pool, options, err) && open_first(pool, err) &&
	    (pool->options.health_interval_ms < 0 || pgm_libpool_keeper_start(pool, err)))
		return pool;
	pgm_libpool_close_all(pool, &pool->idle);
	destroy(pool);
	return NULL;
}

/* ------------------------------------------------ close */

/*
 * In a child: libpq would tell the server goodbye on a socket that the parent uses too. So it is made to
 * point nowhere first.
 */
static void silence(const struct pgmend_conn *conn, int nowhere)
{
	if (nowhere >= 0 && PQsocket(conn->pg) >= 0)
		dup2(nowhere, PQsocket(conn->pg));
}

static void leave_parents_pool(struct pgmend_pool *pool)
{
	/* Another thread of the parent was changing it at the fork: nothing of it can be trusted. */
	if (pthread_mutex_trylock(&pool->lock) != 0)
		return;
	int nowhere = open("/dev/null", O_RDWR | O_CLOEXEC);
	for (struct pgm_link *at = pool->taken.next; at != &pool->taken; at = at->next)
		silence((struct pgmend_conn *)at, nowhere);
	while (nowhere >= 0 && !pgm_ring_empty(&pool->idle)) {
		struct pgmend_conn *conn = (struct pgmend_conn *)pool->idle.next;
		pgm_ring_remove(&conn->link);
		silence(conn, nowhere);
		pgm_libpool_session_close(conn);
	}
	if (nowhere >= 0)
		close(nowhere);
	bool free_it = pgm_ring_empty(&pool->taken);
	pthread_mutex_unlock(&pool->lock);
	/* What the child holds points at the pool. */
	if (free_it)
		destroy(pool);
}

static void turn_away(struct pgmend_pool *pool)
{
	while (!pgm_ring_empty(&pool->line)) {
		struct pgm_libpool_waiter *first = (struct pgm_libpool_waiter *)pool->line.next;
		first->grant = PGM_GRANT_CLOSED;
		pgm_ring_remove(&first->link);
		pool->waiting--;
		pthread_cond_signal(&first->wakes);
	}
}

/* Takes idle ones off the pool, those that were used last at the end, while there are more than so many. */
static void drop_idle(struct pgmend_pool *pool, int size, struct pgm_link *gone)
{
	while (!pgm_ring_empty(&pool->idle) && pgm_libpool_size(pool) > size) {
		struct pgmend_conn *conn = (struct pgmend_conn *)pool->idle.prev;
		pgm_libpool_drop(pool, conn, &pool->idle_count);
		pgm_ring_insert_after(gone, &conn->link);
	}
}

static void wait_for_changes(struct pgmend_pool *pool, double deadline_ms)
{
	struct timespec until;
	if (deadline_ms == INFINITY) {
		pthread_cond_wait(&pool->changes, &pool->lock);
		return;
	}
	until = pgm_clock_moment(deadline_ms);
	pthread_cond_timedwait(&pool->changes, &pool->lock, &until);
}

bool pgmend_pool_close(struct pgmend_pool *pool, int64_t timeout_ms, struct pgmend_error *err)
{
	pgm_lib_error_clear(err);
	if (!pool)
		return true;
	if (pool->pid != getpid()) {
		leave_parents_pool(pool);
		return true;
	}
	double began = pgm_clock_ms();
	if (timeout_ms == 0)
		timeout_ms = CLOSE_TIMEOUT_MS;
	double deadline = timeout_ms < 0 ? INFINITY : began + (double)timeout_ms;
	struct pgm_link gone;
	pgm_ring_init(&gone);
	pthread_mutex_lock(&pool->lock);
	if (pool->closed) {
		pthread_mutex_unlock(&pool->lock);
		return pgm_lib_error_set(err, PGMEND_ERR_STATE, "the pool is closed already");
	}
	pool->closed = pool->closing = true;
	turn_away(pool);
	drop_idle(pool, 0, &gone);
	pthread_cond_signal(&pool->keeper_wakes);
	pthread_mutex_unlock(&pool->lock);
	pgm_libpool_close_all(pool, &gone);
	pthread_mutex_lock(&pool->lock);
	while (!unused(pool) && pgm_clock_ms() < deadline)
		wait_for_changes(pool, deadline);
	pool->closing = false;
	if (unused(pool)) {
		pthread_mutex_unlock(&pool->lock);
		if (pool->has_keeper)
			pthread_join(pool->keeper, NULL); /* it has left the pool */
		destroy(pool);
		return true;
	}
	/* Whoever is the last to leave frees the pool, which may be the keeper. */
	if (pool->has_keeper)
		pthread_detach(pool->keeper);
	pgm_lib_error_set(err, PGMEND_ERR_TIMEOUT, "%d connections of the pool did not come back in %.0f ms",
			  pool->active_count + pool->checking_count + pool->opening, pgm_clock_ms() - began);
	pthread_mutex_unlock(&pool->lock);
	return false;
}

/* ------------------------------------------------ resize, statistics */

bool pgmend_pool_resize(struct pgmend_pool *pool, int min_size, int max_size, int max_overflow,
			struct pgmend_error *err)
{
	pgm_lib_error_clear(err);
	if (!pgm_libpool_own_process(pool, err))
		return false;
	struct pgm_link gone;
	pgm_ring_init(&gone);
	pthread_mutex_lock(&pool->lock);
	struct pgmend_pool_options wanted = {
		.min_size = min_size < 0 ? pool->min_size : min_size,
		.max_size = max_size < 0 ? pool->max_size : max_size,
		.max_overflow = max_overflow < 0 ? pool->max_overflow : max_overflow,
		.connections_per_core = pool->options.connections_per_core,
	};
	if (!pgm_libpool_options_check(&wanted, err)) {
		pthread_mutex_unlock(&pool->lock);
		return false;
	}
	pool->min_size = wanted.min_size;
	pool->max_size = wanted.max_size;
	pool->max_overflow = wanted.max_overflow;
	drop_idle(pool, pool->max_size, &gone);
	pgm_libpool_serve(pool);
	pool->inside++;
	pthread_mutex_unlock(&pool->lock);
	pgm_libpool_close_all(pool, &gone);
	pthread_mutex_lock(&pool->lock);
	pool->inside--;
	pgm_libpool_unlock(pool);
	return true;
}

bool pgmend_pool_check(struct pgmend_pool *pool, struct pgmend_error *err)
{
	pgm_lib_error_clear(err);
	if (!pgm_libpool_own_process(pool, err))
		return false;
	pthread_mutex_lock(&pool->lock);
	pool->inside++;
	bool ok = pgm_libpool_look(pool, true, err);
	pool->inside--;
	pgm_libpool_unlock(pool);
	return ok;
}

void pgmend_pool_stats(struct pgmend_pool *pool, struct pgmend_pool_stats *stats)
{
	if (pool->pid != getpid()) {
		static const struct pgmend_pool_stats none;
		pgm_lib_result_copy(stats, &none, sizeof(none));
		return;
	}
	pthread_mutex_lock(&pool->lock);
	struct pgmend_pool_stats now = pool->stats;
	now.min_size = pool->min_size;
	now.max_size = pool->max_size;
	now.max_overflow = pool->max_overflow;
	now.size = pgm_libpool_size(pool);
	now.idle = pool->idle_count + pool->checking_count;
	now.active = pool->active_count;
	now.opening = pool->opening;
	now.waiting = pool->waiting;
	now.wait_ms_p50 = (double)pgm_fine_histogram_percentile_us(&pool->waits, 50) / 1e3;
	now.wait_ms_p95 = (double)pgm_fine_histogram_percentile_us(&pool->waits, 95) / 1e3;
	now.wait_ms_p99 = (double)pgm_fine_histogram_percentile_us(&pool->waits, 99) / 1e3;
	pthread_mutex_unlock(&pool->lock);
	pgm_lib_result_copy(stats, &now, sizeof(now));
}
