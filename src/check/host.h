/*
 * The machine that the server runs on, as far as it is this one. Inside check/ only.
 */
#ifndef PGM_CHECK_HOST_H
#define PGM_CHECK_HOST_H

#include "pg/conn.h"

struct pgm_check_host {
	int64_t memory_bytes; /* what the server may use: of the machine, or of its control group; 0: not
				 known */
	int seeks;	      /* whether the disk of the data directory does: 1, 0, or -1: not known */
};

/*
 * Known only over a Unix socket, and where the session's backend is a process of this machine. The session's
 * rights decide whether the data directory is known. Fails only where the session does.
 */
bool pgm_check_host_read(struct pgm_conn *conn, struct pgm_arena *arena, struct pgm_check_host *host,
			 struct pgm_error *err) PGM_MUST_CHECK;

#endif
