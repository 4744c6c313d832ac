/*
 * What the server, the pooler and the machine do while a load runs: a process of our own for each target
 * looks once a second, on one session with the server and one with the pooler's console, and sends what it
 * saw. So a server that is slow to answer, or gone, never makes the load wait. Nothing is set on those
 * sessions and nothing locked, so they may go through a pooler.
 *
 * One thread. The process ends with us, however we end.
 */
#ifndef PGM_LOAD_WATCH_H
#define PGM_LOAD_WATCH_H

#include "load/result.h"
#include "pg/conn.h"

struct pgm_load_watch;

struct pgm_load_watch_options {
	struct pgm_conn_options server;		/* best past any pooler; the target itself will do */
	const struct pgm_conn_options *console; /* NULL: none */
	const char *database;			/* as the pooler's clients name it; NULL: the server's */
};

/*
 * Before the load's own sessions open: starts the process and waits until it has connected and read the
 * counters of tables and indexes. Fills the target's version, max_connections, pooler and watch_problem. What
 * cannot be watched is no error: watch_problem says it, and the rest is watched all the same.
 */
struct pgm_load_watch *pgm_load_watch_start(struct pgm_arena *arena,
					    const struct pgm_load_watch_options *options,
					    struct pgm_load_target *target);

/*
 * About once a second, never waiting: takes the looks that have come. Those from before began_ms (of
 * pgm_clock_ms()) are dropped, and all where keep is false: then the second was not the target's.
 */
void pgm_load_watch_take(struct pgm_load_watch *watch, double began_ms, bool keep);

/* The last look that was kept, for a progress line; NULL: none yet. */
const struct pgm_load_sample *pgm_load_watch_last(const struct pgm_load_watch *watch);

/*
 * After the load's sessions were closed: what tables and indexes did in the run, and the end of the process.
 * Waits a second until the backends have reported their counters, and some seconds at most for a server that
 * does not answer. Fills the target's samples, tables and indexes. The watch is gone then.
 */
void pgm_load_watch_end(struct pgm_load_watch *watch, struct pgm_load_target *target);

#endif
