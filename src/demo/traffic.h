/*
 * Somebody who goes on writing to the activity log while it is being changed, in a process of its own:
 * inserts and updates on a schedule, which know what was committed. stop() must be called for each start()
 * that succeeded; the process also dies with us.
 */
#ifndef PGM_DEMO_TRAFFIC_H
#define PGM_DEMO_TRAFFIC_H

#include "demo/apps.h"

#include <sys/types.h>

#define PGM_DEMO_TRAFFIC_PER_S 200

struct pgm_demo_traffic {
	pid_t pid;
	int out_fd; /* the summary comes there */
};

struct pgm_demo_written {
	int64_t inserted, updated; /* committed, as the writer was told */
	int64_t failed;
	int64_t found_inserted, found_updated; /* in the table */
	double worst_ms;		       /* from when a statement was due to its answer */
	double seconds;
};

bool pgm_demo_traffic_start(pgm_demo_connect *connect, void *connect_arg, struct pgm_demo_traffic *traffic,
			    struct pgm_error *err) PGM_MUST_CHECK;

/* Ends it and looks for what it wrote. conn is the caller's own session. */
bool pgm_demo_traffic_stop(struct pgm_demo_traffic *traffic, struct pgm_conn *conn, struct pgm_arena *arena,
			   struct pgm_demo_written *written, struct pgm_error *err) PGM_MUST_CHECK;

#endif
