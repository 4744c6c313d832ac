/*
 * The inside of a pool. One lock guards the lists and the counts; it is never held while libpq talks, a
 * callback runs or a name is looked up. A connection is in one of the states below, and whoever took it off
 * the idle list, or opens it, has its PGconn alone until it is put back.
 *
 * Who waits stands in line; pgm_pool_line_serve() grants the first ones a connection or the room to open one,
 * and is called after each change that could let it. A free connection with somebody in line goes to the
 * first of them, never to one who comes later.
 *
 * The names begin with pgm_libpool_, because those with pgm_pool_ are the pooler's.
 */
#ifndef PGM_LIB_POOL_H
#define PGM_LIB_POOL_H

#include "pgmend/pgmend.h"
#include "util/histogram.h"

#include <libpq-fe.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/types.h>

struct pgm_link {
	struct pgm_link *next, *prev; /* in a ring; an empty ring is a head that points at itself */
};

enum pgm_libpool_owed {
	PGM_OWED_ROLLBACK = 1,
	PGM_OWED_RESET = 2,
	PGM_OWED_PING = 4,
};

struct pgmend_conn {
	struct pgm_link link; /* first: in pool->idle or pool->taken */
	struct pgmend_pool *pool;
	PGconn *pg;
	atomic_bool held; /* by the program */
	/*
	 * What the server must have answered before the connection is handed out (enum pgm_libpool_owed), and
	 * which of it was sent. Sent when the connection comes back, read when it goes out: nobody waits.
	 */
	unsigned owed, asked;
	bool changed; /* something that the reset must undo may have run since it was acquired */
	int backend_pid;
	double opened_ms, recycle_at_ms; /* INFINITY: never */
	double heard_ms;		 /* the server's last sign of life that we know of */
	double idle_since_ms, acquired_ms;
	PQnoticeReceiver receiver; /* libpq's own */
	char farewell_state[6];	   /* the server's last words, if it ended the session */
	char farewell[160];
};

struct pgm_libpool_waiter;

struct pgmend_pool {
	/* Never changed after open. */
	struct pgmend_pool_options options; /* with defaults filled in; its texts are not used any more */
	char *reset_query;		    /* NULL: none */
	char **keywords, **values;	    /* for PQconnectStartParams() */
	pid_t pid;
	bool has_keeper;
	pthread_t keeper;

	pthread_mutex_t lock; /* for all that follows */
	int min_size, max_size, max_overflow;
	struct pgm_link idle;  /* the one that was used last comes first */
	struct pgm_link taken; /* active ones, and those that are being looked at */
	int idle_count, active_count, checking_count, opening;
	struct pgm_link line; /* struct pgm_libpool_waiter, the first to be served first */
	int waiting;
	/*
	 * Connecting failed so often in a row, and is not tried before try_at_ms, by one at a time. refused:
	 * the server said no, and would again.
	 */
	unsigned failures;
	bool refused;
	double try_at_ms;
	struct pgmend_error failure;
	double suspect_ms; /* connections not heard of since are asked before they are handed out */

	bool closed;
	bool closing; /* a thread is in pgmend_pool_close(), and frees the pool if it can */
	int inside;   /* threads that have released the lock and will come back for it */
	pthread_cond_t keeper_wakes, changes;

	struct pgmend_pool_stats stats; /* the counters of it */
	struct pgm_fine_histogram waits;
};

/* ------------------------------------------------ rings (inline) */

static inline void pgm_ring_init(struct pgm_link *head)
{
	head->next = head->prev = head;
}

static inline bool pgm_ring_empty(const struct pgm_link *head)
{
	return head->next == head;
}

static inline void pgm_ring_insert_after(struct pgm_link *place, struct pgm_link *link)
{
	link->prev = place;
	link->next = place->next;
	place->next->prev = link;
	place->next = link;
}

static inline void pgm_ring_remove(struct pgm_link *link)
{
	link->prev->next = link->next;
	link->next->prev = link->prev;
	link->next = link->prev = link;
}

/* ------------------------------------------------ pool_options.c */

/* Checks options that were copied and fills defaults in. */
bool pgm_libpool_options_check(struct pgmend_pool_options *options, struct pgmend_error *err);

/* The words of enum pgmend_isolation, as settings take them. */
extern const char *const pgm_libpool_isolations[];

/* ------------------------------------------------ pool_params.c */

/* Makes pool->keywords and values of conninfo and the settings. No password gets into a message. */
bool pgm_libpool_params_make(struct pgmend_pool *pool, struct pgmend_error *err);
void pgm_libpool_params_free(struct pgmend_pool *pool);

/* ------------------------------------------------ pool_session.c: one connection, no lock */

enum pgm_libpool_verdict {
	PGM_SESSION_GOOD,
	PGM_SESSION_LATE,   /* the deadline came first; it may be asked again */
	PGM_SESSION_BROKEN, /* err says why */
};

/* Opens a session by a deadline (pgm_clock_ms(), or INFINITY). NULL: err says why, with the server's
 * SQLSTATE. */
struct pgmend_conn *pgm_libpool_session_open(struct pgmend_pool *pool, double deadline_ms,
					     struct pgmend_error *err);

/* Closes it and frees conn. */
void pgm_libpool_session_close(struct pgmend_conn *conn);

/* When an idle connection that is asked now and has not answered is given up, however long one would wait. */
double pgm_libpool_answer_limit_ms(const struct pgmend_pool *pool);

/* Has the server closed it, as far as this side knows? Costs one poll(). */
bool pgm_libpool_session_alive(struct pgmend_conn *conn, struct pgmend_error *err);

/* Reads what the server still owes, and asks what was not asked yet. */
enum pgm_libpool_verdict pgm_libpool_session_settle(struct pgmend_conn *conn, double deadline_ms,
						    struct pgmend_error *err);

/*
 * After its use: gives libpq's settings back, throws results away that were not read, and sends what ends a
 * transaction and resets the session without waiting for the answer; send false: only notes that it is owed.
 * False: it can't be used again.
 */
bool pgm_libpool_session_clean(struct pgmend_conn *conn, bool send, struct pgmend_error *err);

/* ------------------------------------------------ pool.c, pool_acquire.c */

/* False in a child of the process that opened the pool. */
bool pgm_libpool_own_process(const struct pgmend_pool *pool, struct pgmend_error *err);

/* ------------------------------------------------ pool_line.c: with the lock held */

/* Grants what there is to those who wait. */
void pgm_libpool_serve(struct pgmend_pool *pool);

/* May one more connection be opened now? */
bool pgm_libpool_may_open(const struct pgmend_pool *pool, double now_ms);

void pgm_libpool_opened(struct pgmend_pool *pool);
/* err: why not. Later attempts wait longer and longer. */
void pgm_libpool_open_failed(struct pgmend_pool *pool, const struct pgmend_error *err);

/* Takes an idle connection into the hands of its caller, as active or as being looked at; and back. */
void pgm_libpool_take(struct pgmend_pool *pool, struct pgmend_conn *conn, int *count);
void pgm_libpool_put_idle(struct pgmend_pool *pool, struct pgmend_conn *conn, int *count);
/* It is out of the pool: its caller closes it without the lock. */
void pgm_libpool_drop(struct pgmend_pool *pool, struct pgmend_conn *conn, int *count);

int pgm_libpool_size(const struct pgmend_pool *pool);

/*
 * Unlocks, and frees a pool that was closed and that nobody uses any more: pool is not to be touched after
 * this by who has no connection of it.
 */
void pgm_libpool_unlock(struct pgmend_pool *pool);

/*
 * Takes idle connections that the server has closed off the pool, onto gone; called when one was found so.
 * Releases the lock meanwhile.
 */
void pgm_libpool_sweep(struct pgmend_pool *pool, struct pgm_link *gone);

/* ------------------------------------------------ pool_events.c: without the lock */

void pgm_libpool_tell(struct pgmend_pool *pool, int kind, const struct pgmend_conn *conn, double ms,
		      const struct pgmend_error *error);
/* Closes each connection of a ring and tells. */
void pgm_libpool_close_all(struct pgmend_pool *pool, struct pgm_link *gone);
void pgm_libpool_close_one(struct pgmend_pool *pool, struct pgmend_conn *conn);

/* ------------------------------------------------ pool_keeper.c */

bool pgm_libpool_keeper_start(struct pgmend_pool *pool, struct pgmend_error *err);

/*
 * Looks at each idle connection: ping all, or only those that are due; then opens what is missing. With the
 * lock held, which it releases meanwhile.
 */
bool pgm_libpool_look(struct pgmend_pool *pool, bool all, struct pgmend_error *err);

#endif
