/*
 * Other processes that clients reach at the same address ([peers]): a cancel request may come to another
 * process than the one its client is logged in to. With peer_id set a key's pid says whose it is, as
 * PgBouncer's does (so that it may be a peer): its second byte is the number's lower half, its third the
 * upper one. The two lowest bits of the eighth byte say how often a request may still be passed on: 3 times,
 * and they are no part of the secret.
 *
 * Peers are made and changed under all workers' locks and live as long as the process; counters are atomic.
 */
#ifndef PGM_POOL_PEERS_H
#define PGM_POOL_PEERS_H

#include "pool/pool.h"

struct pgm_peer {
	int64_t id, size;		 /* most connections at once; 0: any number */
	bool listed;			 /* in the configuration */
	struct pgm_config_database line; /* host and port, as hosts.c reads them */
	struct pgm_database place;	 /* addresses; no database */
	_Atomic int connections;
	_Atomic int waiting, connecting, sent; /* cancel requests; all but the first have a connection */
	_Atomic bool failing;		       /* it was said that it can't be reached */
};

/* After the configuration changed; the caller holds all workers' locks. */
void pgm_peers_configure(struct pgm_pooler *pooler);
void pgm_peers_resolve(struct pgm_pooler *pooler); /* afterwards, without the locks */
void pgm_peers_free(struct pgm_pooler *pooler);

struct pgm_peer *pgm_peer_find(const struct pgm_pooler *pooler, int64_t id); /* NULL: not configured */
/* Whom a cancel request with such a pid is for; NULL: us, or nobody we know. */
struct pgm_peer *pgm_peer_of_key(const struct pgm_pooler *pooler, uint32_t pid);

/* A key of ours, peer_id set: what it must have for peers; and what a request's secret is made of that is
 * looked for. */
void pgm_peer_mark(int64_t peer_id, struct pgm_cancel_key *key);
void pgm_peer_unspend(uint8_t *secret, size_t length);
/* The secret to pass on; false: it was passed on too often, or is none. */
bool pgm_peer_spend(uint8_t *lower, const uint8_t *secret, size_t length);

/* The address of this number; false: there is none, or it is not known yet. */
bool pgm_peer_address(struct pgm_peer *peer, unsigned number, struct pgm_address *address);
void pgm_peer_refresh(struct pgm_pooler *pooler, struct pgm_peer *peer);
/* A connection to it. */
bool pgm_peer_take(struct pgm_peer *peer);
void pgm_peer_give_back(struct pgm_peer *peer);
/* Said in the log once, until it is reached again. */
void pgm_peer_failed(struct pgm_peer *peer, const char *why);
void pgm_peer_reached(struct pgm_peer *peer);

#endif
