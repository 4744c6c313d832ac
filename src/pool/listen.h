/*
 * Where clients come in: sockets that all workers accept from. The control thread's alone.
 */
#ifndef PGM_POOL_LISTEN_H
#define PGM_POOL_LISTEN_H

#include "pool/pool.h"

/* Open them all, before any worker runs. */
bool pgm_listen_open(struct pgm_pooler *pooler, struct pgm_error *err) PGM_MUST_CHECK;

/*
 * Once a round while the pooler ends: stops accepting. Where another process listens on the same port
 * (so_reuseport), new connections are steered to it first, and those that are on their way to us are still
 * accepted, so that none is lost. Our Unix socket stays for the console, to see what is waited for, unless a
 * newer process has its name. Holds no lock when it is called.
 */
void pgm_listen_drain(struct pgm_pooler *pooler);

/* Close what is open, and remove our Unix socket unless a newer process has put its own in its place. */
void pgm_listen_close(struct pgm_pooler *pooler);

#endif
