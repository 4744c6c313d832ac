/*
 * What a session holds beyond a transaction, in transaction mode: none of it may reach another client.
 *
 * Settings are carried. A client has a set of them (its startup packet's, and what it set since); a server
 * knows which set was applied to it, and before a client with another set gets the server, the difference is
 * applied. After a transaction whose text may have changed something (scan.h), the server is asked what there
 * is (the probe): which settings have the source "session", and whether there are channels listened to,
 * temporary objects, SQL-level prepared statements, advisory locks, or holdable cursors. Those cannot be
 * carried: they pin the client to its server until a later probe finds them gone.
 *
 * All of it is the server's own answer; the texts only say when to ask.
 */
#ifndef PGM_POOL_SESSION_H
#define PGM_POOL_SESSION_H

#include "pool/client.h"

/* All requests are answered and no transaction is open: probe, stay pinned, or release. */
void pgm_session_transaction_end(struct pgm_server *server);

/* The server is linked, its client waits: bring the session to the client's, then pgm_client_linked(). */
void pgm_session_prepare(struct pgm_server *server);

/* The server has done the client's DISCARD ALL. */
void pgm_session_discarded(struct pgm_server *server);
/* Make lastval() and currval() forget, as a part of the batch at hand; false: no memory. */
bool pgm_session_discard_sequences(struct pgm_client *client);
/* A transaction of the client may have called nextval(). */
void pgm_session_wrote_sequences(struct pgm_server *server, const struct pgm_client *client);
/* Whether what lastval() and currval() would tell is this client's, or nothing. */
bool pgm_session_has_own_sequences(const struct pgm_server *server, const struct pgm_client *client);

#endif
