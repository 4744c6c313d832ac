/*
 * The demo applications at work, for as long as somebody looks: each in a process of its own goes through its
 * statements at random and in their proportions, pausing after each for a while that grows with the time it
 * took, so that a slow database is not flooded. One more process holds a row locked too long now and then,
 * and another one wants it.
 *
 * stop() must be called for each start() that succeeded; the processes also die with us.
 */
#ifndef PGM_DEMO_LIVE_H
#define PGM_DEMO_LIVE_H

#include "demo/apps.h"

#include <sys/types.h>

#define PGM_DEMO_LIVE_MAX 8

struct pgm_demo_live {
	pid_t pids[PGM_DEMO_LIVE_MAX];
	size_t count;
};

/* connect is called in each of the processes; the workload must hold the statements of all applications. */
bool pgm_demo_live_start(pgm_demo_connect *connect, void *connect_arg,
			 const struct pgm_demo_workload *workload, struct pgm_demo_live *live,
			 struct pgm_error *err) PGM_MUST_CHECK;
void pgm_demo_live_stop(struct pgm_demo_live *live);

#endif
