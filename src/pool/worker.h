/*
 * A worker: one thread with an event loop, its clients, and its share of each pool's servers. Whatever hangs
 * on a worker is touched by its thread alone, with the worker's lock held; the control thread takes the lock
 * to look at it or change it, which it can between two rounds of the loop.
 */
#ifndef PGM_POOL_WORKER_H
#define PGM_POOL_WORKER_H

#include "loop/stream.h"
#include "pool/list.h"
#include "pool/pool.h"
#include "pool/profile/profile.h"

#include <limits.h>

#define PGM_SCRATCH_BYTES ((size_t)128 << 10) /* of one read */
#define PGM_CARRY_BYTES                                                                    \
	((size_t)64 << 10) /* in front of it: the begin of a message, from the read before \
			    */
#define PGM_WORKER_TICK_MS	  100
#define PGM_WORKER_FULL_PERMILLE  700  /* of a core: from here on clients go elsewhere */
#define PGM_WORKER_SPARE_PERMILLE 500  /* below this it takes them */
#define PGM_WORKER_IDLE_PERMILLE  200  /* below this it is not worth a thread */
#define PGM_SHARE_PATIENCE_US	  4000 /* so much longer must others have waited to get what ours wait for */

struct pgm_client;
struct pgm_server;

/* What SHOW STATS counts; written by the worker, read under its lock. */
struct pgm_pool_stats {
	uint64_t queries, transactions, errors;
	uint64_t bytes_in, bytes_out; /* from and to clients */
	uint64_t query_us, transaction_us, wait_us;
	uint64_t client_parses, server_parses, binds;
	uint64_t server_assignments;
	uint64_t probes, applies, resets; /* our own statements: see session.h */
	uint64_t cancels;
};

/* A pool as one worker sees it. */
struct pgm_share {
	struct pgm_pool *pool;
	struct pgm_worker *worker;
	struct pgm_list idle; /* servers, the last used first */
	struct pgm_list busy; /* servers that a client has, or that run something of ours */
	struct pgm_list logging_in;
	struct pgm_list waiting; /* clients, the longest waiting first */
	uint64_t next_connect_us;
	bool asked_others; /* for an idle server, and no answer yet */
	bool asked_room;   /* for one to be closed, in this tick */
	bool serving;
	bool unserved; /* serve when the worker's scratch is free */
	struct pgm_pool_stats stats;
};

struct pgm_worker {
	struct pgm_pooler *pooler;
	unsigned index;
	pthread_t thread;
	pthread_mutex_t lock;
	struct pgm_loop loop;
	struct pgm_listening { /* one for each of the pooler's listeners */
		struct pgm_source source;
		struct pgm_worker *worker;
	} * listeners;
	size_t listener_count, closed_listeners; /* so many of the first are closed */
	struct pgm_list clients;		 /* all, in whatever state */
	struct pgm_link *next_checked;		 /* of them, while all are looked at; NULL: they are not */
	struct pgm_list cancels;		 /* requests on their way: cancel.c */
	_Atomic int client_count;
	struct pgm_share **shares; /* by pool->index; NULL: not yet used here */
	size_t share_capacity;
	struct pgm_profile *profile; /* NULL: off */
	struct pgm_scan_cache *scans;
	struct pgm_list movers;	    /* clients that may go to move_to when this round is over */
	struct pgm_worker *move_to; /* NULL: nobody moves */
	unsigned move_quota;
	unsigned active;	   /* clients that did something since the last tick */
	uint64_t round;		   /* the number of that tick */
	_Atomic int load_permille; /* of one core, in the last tick */
	uint64_t cpu_us;	   /* the thread's, at the last tick */
	uint64_t next_unnamed;
	uint64_t last_tick_us, last_slow_tick_us;
	bool may_accept; /* new clients: not while the pooler is suspended, or ends */
	bool accepting;
	bool accept_again;	     /* at the next tick: there were no descriptors or no memory left */
	uint64_t accept_complain_us; /* when that may be logged again */
	bool stop;
	bool suspended;			  /* nothing more of clients is passed on: SUSPEND */
	const struct pgm_client *reading; /* whose bytes are in the scratch; nobody else may run */
	/* scratch of one event */
	uint8_t *scratch; /* PGM_CARRY_BYTES + PGM_SCRATCH_BYTES */
	uint8_t *rewrite; /* messages that we make: PGM_CARRY_BYTES */
	size_t rewrite_used;
	struct iovec gather[PGM_STREAM_IOV_MAX];
	int gather_count;
};

struct pgm_worker *pgm_worker_new(struct pgm_pooler *pooler, unsigned index, struct pgm_error *err);
bool pgm_worker_start(struct pgm_worker *worker, struct pgm_error *err) PGM_MUST_CHECK;
/* One turn of its loop, without the lock held: what its thread does over and over. */
void pgm_worker_round(struct pgm_worker *worker, int timeout_ms);
void pgm_worker_stop(struct pgm_worker *worker); /* and wait for its end */
/* After all workers stopped: what others had posted to it. */
void pgm_worker_drain(struct pgm_worker *worker);
void pgm_worker_free(struct pgm_worker *worker);

/* Reads of one connection before the others have theirs. */
static inline unsigned pgm_worker_turns(const struct pgm_worker *worker)
{
	int64_t turns = worker->pooler->config->sbuf_loopcnt;
	return turns > 0 ? (unsigned)turns : UINT_MAX;
}

/* Listen or stop listening; with the lock held. */
void pgm_worker_accept(struct pgm_worker *worker, bool accept);
/*
 * Stop for good, after all who wait to be accepted are; the listeners may be closed then, but for the last
 * one where that goes on.
 */
void pgm_worker_stop_accepting(struct pgm_worker *worker, bool but_last);

struct pgm_share *pgm_worker_share(struct pgm_worker *worker, struct pgm_pool *pool);

/* The head of the queue changed. */
void pgm_share_note_queue(struct pgm_share *share);

/* Give idle servers to waiting clients, connect or ask other workers where that is not enough. */
void pgm_share_serve(struct pgm_share *share);

#endif
