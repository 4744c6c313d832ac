/* A connection for a thread, and back. */
#include "lib/error.h"
#include "lib/pool_line.h"
#include "util/clock.h"

#include <math.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

bool pgm_libpool_own_process(const struct pgmend_pool *pool, struct pgmend_error *err)
{
	if (pool->pid == getpid())
		return true;
	pgm_lib_error_set(err, PGMEND_ERR_STATE,
			  "the pool was opened by process %d: its child %d can't use the same connections",
			  (int)pool->pid, (int)getpid());
	return pgm_lib_error_hint(err, "Open a pool of the child's own after fork().");
}

/* ------------------------------------------------ errors of acquiring, with the lock held */

static void closed_error(struct pgmend_error *err)
{
	pgm_lib_error_set(err, PGMEND_ERR_STATE, "the pool is closed");
}

/* Who is busy, and what the server said last. */
static void timeout_error(const struct pgmend_pool *pool, double began_ms, struct pgmend_error *err)
{
	double now = pgm_clock_ms(), longest = 0;
	int pid = 0;
	for (struct pgm_link *at = pool->taken.next; at != &pool->taken; at = at->next) {
		const struct pgmend_conn *conn = (const struct pgmend_conn *)at;
		if (conn->acquired_ms > 0 && now - conn->acquired_ms > longest) {
			longest = now - conn->acquired_ms;
			pid = conn->backend_pid;
		}
	}
	char busy[128] = "", failure[700] = "";
	if (pid)
		snprintf(busy, sizeof(busy), ", the longest since %.0f ms (backend %d)", longest, pid);
	if (pool->failures) {
		char said[600];
		pgm_lib_error_copy(said, sizeof(said), pool->failure.message);
		snprintf(failure, sizeof(failure), "; the last attempt to connect: %s", said);
	}
	pgm_lib_error_set(err, PGMEND_ERR_TIMEOUT,
			  "no connection in %.0f ms: %d of %d are in use%s, %d others wait%s", now - began_ms,
			  pool->active_count, pool->max_size + pool->max_overflow, busy, pool->waiting,
			  failure);
	if (pool->failures) {
		memcpy(err->sqlstate, pool->failure.sqlstate, sizeof(err->sqlstate));
		pgm_lib_error_hint(err, "The pool tries to connect again when a connection is acquired.");
	} else {
		pgm_lib_error_hint(err,
				   "Release connections sooner, or raise max_size or acquire_timeout_ms.");
	}
}

/* May one more thread wait? */
static bool let_in(struct pgmend_pool *pool, struct pgmend_error *err)
{
	double now = pgm_clock_ms();
	if (pool->closed) {
		closed_error(err);
		return false;
	}
	if (pool->refused && pgm_libpool_size(pool) == 0 && now < pool->try_at_ms) {
		*err = pool->failure;
		return false;
	}
	int max = pool->options.max_waiting;
	if (!max || pool->waiting < max || !pgm_ring_empty(&pool->idle) || pgm_libpool_may_open(pool, now))
		return true;
	pool->stats.refused++;
	pgm_lib_error_set(err, PGMEND_ERR_LIMIT, "%d threads wait for one of %d connections already",
			  pool->waiting, pool->max_size + pool->max_overflow);
	return pgm_lib_error_hint(err, "max_waiting is %d.", max);
}

/* ------------------------------------------------ waiting */

/* Sleeps until it is granted something or a moment has come. */
static void sleep_in_line(struct pgmend_pool *pool, struct pgm_libpool_waiter *waiter, double until_ms)
{
	if (until_ms == INFINITY) {
		pthread_cond_wait(&waiter->wakes, &pool->lock);
		return;
	}
	struct timespec until = pgm_clock_moment(until_ms);
	pthread_cond_timedwait(&waiter->wakes, &pool->lock, &until);
}

/* Until it is granted something or the deadline has come (PGM_GRANT_NONE); then out of the line again. */
static void stand_in_line(struct pgmend_pool *pool, struct pgm_libpool_waiter *waiter, bool in_front,
			  double deadline_ms)
{
	waiter->grant = PGM_GRANT_NONE;
	waiter->conn = NULL;
	waiter->told_first = false;
	pgm_ring_insert_after(in_front ? &pool->line : pool->line.prev, &waiter->link);
	pool->waiting++;
	pgm_libpool_serve(pool);
	while (waiter->grant == PGM_GRANT_NONE) {
		double now = pgm_clock_ms(), until = deadline_ms;
		if (now >= deadline_ms) {
			pgm_ring_remove(&waiter->link);
			pool->waiting--;
			pgm_libpool_serve(pool);
			return;
		}
		bool first = pool->line.next == &waiter->link;
		waiter->told_first = waiter->told_first || (first && pool->failures);
		if (first && pool->failures && !pool->opening && pool->try_at_ms > now)
			until = fmin(until, pool->try_at_ms);
		sleep_in_line(pool, waiter, until);
		if (waiter->grant == PGM_GRANT_NONE)
			pgm_libpool_serve(pool);
	}
}

/* ------------------------------------------------ what was granted: each returns with the lock held */

/* It is out of the pool: tells why, closes it, and looks which others went the same way. */
static void bury(struct pgmend_pool *pool, struct pgmend_conn *conn, const struct pgmend_error *why)
{
	pgm_libpool_drop(pool, conn, &pool->active_count);
	pool->stats.broken++;
	struct pgm_link gone;
	pgm_ring_init(&gone);
	pgm_libpool_sweep(pool, &gone);
	pthread_mutex_unlock(&pool->lock);
	pgm_libpool_tell(pool, PGMEND_EVENT_ERROR, conn, 0, why);
	pgm_libpool_close_one(pool, conn);
	pgm_libpool_close_all(pool, &gone);
	pthread_mutex_lock(&pool->lock);
}

/* An idle one, if it is alive and like new. False: it is not, or the deadline has come. */
static bool use_idle(struct pgmend_pool *pool, struct pgmend_conn *conn, double deadline_ms,
		     struct pgmend_error *err)
{
	double now = pgm_clock_ms();
	int64_t ping_after = pool->options.pre_ping_after_ms;
	/* The answer to the reset says that it lived when it came back. */
	double heard = conn->owed & PGM_OWED_RESET ? conn->idle_since_ms : conn->heard_ms;
	bool ping = ping_after == 1 || heard <= pool->suspect_ms ||
		    (ping_after >= 0 && now - heard >= (double)ping_after);
	/* While no server answers an old connection is better than none. */
	if (now >= conn->recycle_at_ms && !pool->failures) {
		pgm_libpool_drop(pool, conn, &pool->active_count);
		pool->stats.recycled++;
		pthread_mutex_unlock(&pool->lock);
		pgm_libpool_close_one(pool, conn);
		pthread_mutex_lock(&pool->lock);
		return false;
	}
	pthread_mutex_unlock(&pool->lock);
	enum pgm_libpool_verdict verdict = PGM_SESSION_BROKEN;
	double limit_ms = pgm_libpool_answer_limit_ms(pool);
	if (pgm_libpool_session_alive(conn, err)) {
		if (ping)
			conn->owed |= PGM_OWED_PING;
		verdict = pgm_libpool_session_settle(conn, fmin(deadline_ms, limit_ms), err);
	}
	pthread_mutex_lock(&pool->lock);
	if (verdict == PGM_SESSION_GOOD)
		return true;
	if (verdict == PGM_SESSION_LATE && deadline_ms < limit_ms) {
		pgm_libpool_put_idle(pool, conn, &pool->active_count);
		pgm_libpool_serve(pool);
		return false;
	}
	if (verdict == PGM_SESSION_LATE) {
		pgm_lib_error_set(err, PGMEND_ERR_CONNECT, "an idle connection did not answer for %.0f ms",
				  pgm_clock_ms() - now);
		pool->suspect_ms = now;
	}
	bury(pool, conn, err);
	return false;
}

/* A new one. NULL: err says why. */
static struct pgmend_conn *open_new(struct pgmend_pool *pool, double deadline_ms, struct pgmend_error *err)
{
	pthread_mutex_unlock(&pool->lock);
	struct pgmend_conn *conn = pgm_libpool_session_open(pool, deadline_ms, err);
	pthread_mutex_lock(&pool->lock);
	if (conn) {
		pgm_libpool_opened(pool);
		pgm_ring_insert_after(&pool->taken, &conn->link);
		pool->active_count++;
		pgm_libpool_serve(pool);
		return conn;
	}
	pgm_libpool_open_failed(pool, err);
	pgm_libpool_serve(pool);
	pthread_mutex_unlock(&pool->lock);
	pgm_libpool_tell(pool, PGMEND_EVENT_ERROR, NULL, 0, err);
	pthread_mutex_lock(&pool->lock);
	return NULL;
}

/* Until there is a connection or an error. */
static struct pgmend_conn *get(struct pgmend_pool *pool, struct pgm_libpool_waiter *waiter, double began_ms,
			       double deadline_ms, struct pgmend_error *err)
{
	for (bool in_front = false;; in_front = true) {
		stand_in_line(pool, waiter, in_front, deadline_ms);
		struct pgmend_conn *conn = waiter->conn;
		switch (waiter->grant) {
		case PGM_GRANT_CONN:
			if (use_idle(pool, conn, deadline_ms, err))
				return conn;
			break;
		case PGM_GRANT_ROOM:
			conn = open_new(pool, deadline_ms, err);
			if (conn)
				return conn;
			if (err->code == PGMEND_ERR_MEMORY || (pool->refused && pgm_libpool_size(pool) == 0))
				return NULL;
			break;
		case PGM_GRANT_REFUSED:
			*err = pool->failure;
			return NULL;
		case PGM_GRANT_CLOSED:
			closed_error(err);
			return NULL;
		case PGM_GRANT_NONE:
			break;
		}
		if (pool->closed) {
			closed_error(err);
			return NULL;
		}
		if (pgm_clock_ms() >= deadline_ms) {
			timeout_error(pool, began_ms, err);
			return NULL;
		}
	}
}

static void count_wait(struct pgmend_pool *pool, double ms)
{
	struct pgmend_pool_stats *stats = &pool->stats;
	stats->acquired++;
	stats->wait_ms_total += ms;
	stats->wait_ms_max = fmax(stats->wait_ms_max, ms);
	pgm_fine_histogram_add(&pool->waits, (uint64_t)(ms * 1e3));
}

struct pgmend_conn *pgmend_pool_acquire(struct pgmend_pool *pool, int64_t timeout_ms,
					struct pgmend_error *err)
{
	struct pgmend_error own;
	if (!err)
		err = &own;
	pgm_lib_error_clear(err);
	if (!pool) {
		pgm_lib_error_set(err, PGMEND_ERR_USAGE, "there is no pool to acquire a connection from");
		return NULL;
	}
	if (!pgm_libpool_own_process(pool, err))
		return NULL;
	double began = pgm_clock_ms();
	if (timeout_ms == 0)
		timeout_ms = pool->options.acquire_timeout_ms;
	double deadline = timeout_ms < 0 ? INFINITY : began + (double)timeout_ms;
	struct pgm_libpool_waiter waiter = {.grant = PGM_GRANT_NONE};
	pgm_clock_cond_init(&waiter.wakes);

	pthread_mutex_lock(&pool->lock);
	pool->inside++;
	struct pgmend_conn *conn = let_in(pool, err) ? get(pool, &waiter, began, deadline, err) : NULL;
	double ms = pgm_clock_ms() - began;
	if (conn) {
		conn->acquired_ms = began + ms;
		atomic_store(&conn->held, true);
		count_wait(pool, ms);
		pool->inside--;
		pthread_mutex_unlock(&pool->lock);
		pgm_lib_error_clear(err); /* an attempt before may have failed */
		pgm_libpool_tell(pool, PGMEND_EVENT_ACQUIRE, conn, ms, NULL);
	} else {
		bool timed_out = err->code == PGMEND_ERR_TIMEOUT;
		pool->stats.timeouts += timed_out;
		pthread_mutex_unlock(&pool->lock);
		if (timed_out)
			pgm_libpool_tell(pool, PGMEND_EVENT_ERROR, NULL, ms, err);
		pthread_mutex_lock(&pool->lock);
		pool->inside--;
		pgm_libpool_unlock(pool);
	}
	pthread_cond_destroy(&waiter.wakes);
	return conn;
}

/* ------------------------------------------------ back */

static bool is_surplus(const struct pgmend_pool *pool)
{
	return pool->closed || (pgm_libpool_size(pool) > pool->max_size && pgm_ring_empty(&pool->line));
}

/* As far as can be said now. */
static bool will_be_closed(struct pgmend_pool *pool, const struct pgmend_conn *conn)
{
	double now = pgm_clock_ms();
	pthread_mutex_lock(&pool->lock);
	bool closed = is_surplus(pool) || (now >= conn->recycle_at_ms && !pool->failures);
	pthread_mutex_unlock(&pool->lock);
	return closed;
}

static void give_back(struct pgmend_conn *conn, bool discard)
{
	if (!conn)
		return;
	struct pgmend_pool *pool = conn->pool;
	/* A child leaves its parent's sessions alone; who gives back twice gives back once. */
	if (pool->pid != getpid() || !atomic_exchange(&conn->held, false))
		return;
	struct pgmend_error err;
	pgm_lib_error_clear(&err);
	bool good = !discard && pgm_libpool_session_clean(conn, !will_be_closed(pool, conn), &err);
	bool broken = !discard && !good, lost = PQstatus(conn->pg) != CONNECTION_OK;
	double now = pgm_clock_ms(), held = now - conn->acquired_ms;
	bool slow = pool->options.slow_ms > 0 && held > (double)pool->options.slow_ms;
	pgm_libpool_tell(pool, PGMEND_EVENT_RELEASE, conn, held, NULL);
	if (slow)
		pgm_libpool_tell(pool, PGMEND_EVENT_SLOW, conn, held, NULL);
	if (broken)
		pgm_libpool_tell(pool, PGMEND_EVENT_ERROR, conn, 0, &err);

	struct pgm_link gone;
	pgm_ring_init(&gone);
	pthread_mutex_lock(&pool->lock);
	struct pgmend_pool_stats *stats = &pool->stats;
	stats->released++;
	stats->slow += slow;
	stats->held_ms_total += held;
	stats->held_ms_max = fmax(stats->held_ms_max, held);
	conn->acquired_ms = 0;
	conn->idle_since_ms = now;
	bool old = good && now >= conn->recycle_at_ms && !pool->failures;
	if (good && !old && !is_surplus(pool)) {
		pgm_libpool_put_idle(pool, conn, &pool->active_count);
		pgm_libpool_serve(pool);
		pthread_mutex_unlock(&pool->lock);
		return;
	}
	stats->broken += broken;
	stats->recycled += old;
	pool->inside++;
	pgm_libpool_drop(pool, conn, &pool->active_count);
	if (lost && !pool->closed)
		pgm_libpool_sweep(pool, &gone);
	pgm_libpool_serve(pool);
	pthread_mutex_unlock(&pool->lock);
	pgm_libpool_close_one(pool, conn);
	pgm_libpool_close_all(pool, &gone);
	pthread_mutex_lock(&pool->lock);
	pool->inside--;
	pgm_libpool_unlock(pool);
}

void pgmend_pool_release(struct pgmend_conn *conn)
{
	give_back(conn, false);
}

void pgmend_pool_discard(struct pgmend_conn *conn)
{
	give_back(conn, true);
}

struct pg_conn *pgmend_conn_pg(const struct pgmend_conn *conn)
{
	return conn->pg;
}
