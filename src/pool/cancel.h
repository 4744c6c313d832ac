/*
 * A cancel request on its way to a server, or to the peer that the client is logged in to. The server is not
 * given to another client, nor freed, before the server's side has closed that connection: by then the signal
 * was sent. Where the server's own connection is TLS, so is that of the request.
 */
#ifndef PGM_POOL_CANCEL_H
#define PGM_POOL_CANCEL_H

#include "pool/server.h"

void pgm_cancel_send(struct pgm_server *server);

/* A client asks, on a connection of its own, for the query of another to be cancelled: find that one, in
 * whatever worker or of whatever peer, and close the connection when it is done. */
void pgm_cancel_asked(struct pgm_client *asker, uint32_t pid, const uint8_t *secret, size_t length);

/* One line in the worker's tick: gives up those that hang. */
void pgm_cancel_tick(struct pgm_worker *worker);
void pgm_cancel_drop_all(struct pgm_worker *worker);
/* At the end: those who wait for a cancellation are other workers' clients, which are closed anyway. */
void pgm_cancel_forget_askers(struct pgm_worker *worker);

#endif
