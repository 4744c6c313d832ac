/*
 * A process of ours that outlives us: when we end without having dismissed it (killed, say), it stops the
 * server and removes the folder. Ctrl-C does not reach it.
 */
#ifndef PGM_CLUSTER_GUARD_H
#define PGM_CLUSTER_GUARD_H

#include "util/error.h"

#include <stdbool.h>
#include <sys/types.h>

struct pgm_guard {
	pid_t pid; /* 0: none */
	int fd;	   /* its end tells the guard that we are gone */
};

bool pgm_guard_start(struct pgm_guard *guard, const char *folder, struct pgm_error *err) PGM_MUST_CHECK;
void pgm_guard_server(const struct pgm_guard *guard, pid_t postmaster); /* 0: none any more */
void pgm_guard_dismiss(struct pgm_guard *guard);			/* the folder and the server stay */

/* Ask the postmaster to end with that signal; harder as time goes by. Returns when it is gone. */
void pgm_guard_end_server(pid_t postmaster, int signal_number, bool ours);

#endif
