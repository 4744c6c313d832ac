/*
 * "pgmend demo --serve": "pgmend serve" with the dashboard and a pooler, and the demo's applications at work
 * through that, for as long as the user looks.
 */
#ifndef PGM_CLI_DEMO_SERVE_H
#define PGM_CLI_DEMO_SERVE_H

#include "demo/apps.h"

#include <stdint.h>

struct pgm_demo_serve {
	struct pgm_arena *arena;
	const char *folder; /* of the demo: configuration, history and log go there */
	const char *data;   /* the server's folder, with its socket */
	int64_t port;	    /* of the dashboard; 0: the usual one, or where that is taken one that is free */
	const struct pgm_demo_workload *workload;
};

/* Whether something else listens on that port; 0: none is wanted. Before the long part of the work. */
bool pgm_demo_serve_port(int64_t port, struct pgm_error *err) PGM_MUST_CHECK;

/* Until Ctrl-C, which is how it ends well. False where serve does not come up, or ends by itself. */
bool pgm_demo_serve(const struct pgm_demo_serve *serve, struct pgm_error *err) PGM_MUST_CHECK;

#endif
