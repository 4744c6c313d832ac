#include "pool/peers.h"

#include "pool/hosts.h"

#include <stdlib.h>
#include <string.h>

#define TTL_AT	 3 /* in the secret: the key's eighth byte */
#define TTL_MASK 3

/* ---- keys ---- */

void pgm_peer_mark(int64_t peer_id, struct pgm_cancel_key *key)
{
	key->pid = (key->pid & 0x7f0000ff) | ((uint32_t)peer_id & 0xff) << 16 |
		   ((uint32_t)peer_id >> 8 & 0xff) << 8;
	pgm_peer_unspend(key->secret, key->length);
}

void pgm_peer_unspend(uint8_t *secret, size_t length)
{
	if (length > TTL_AT)
		secret[TTL_AT] |= TTL_MASK;
}

bool pgm_peer_spend(uint8_t *lower, const uint8_t *secret, size_t length)
{
	if (length <= TTL_AT || (secret[TTL_AT] & TTL_MASK) == 0)
		return false;
	memcpy(lower, secret, length);
	lower[TTL_AT]--;
	return true;
}

struct pgm_peer *pgm_peer_find(const struct pgm_pooler *pooler, int64_t id)
{
	for (size_t i = 0; i < pooler->peer_count; i++)
		if (pooler->peers[i]->id == id && pooler->peers[i]->listed)
			return pooler->peers[i];
	return NULL;
}

struct pgm_peer *pgm_peer_of_key(const struct pgm_pooler *pooler, uint32_t pid)
{
	int64_t own = pooler->config->peer_id, id = (pid >> 16 & 0xff) | (pid >> 8 & 0xff) << 8;
	return own > 0 && id != own ? pgm_peer_find(pooler, id) : NULL;
}

/* ---- the table ---- */

static struct pgm_peer *new_peer(struct pgm_pooler *pooler, int64_t id)
{
	struct pgm_peer **grown = realloc(pooler->peers, (pooler->peer_count + 1) * sizeof(*grown));
	struct pgm_peer *peer = calloc(1, sizeof(*peer));
	char name[32];
	if (grown)
		pooler->peers = grown;
	snprintf(name, sizeof(name), "peer %lld", (long long)id);
	if (!grown || !peer || !(peer->place.name = strdup(name))) {
		free(peer);
		return NULL;
	}
	peer->id = id;
	peer->place.config = &peer->line;
	pthread_mutex_init(&peer->place.lock, NULL);
	size_t at = pooler->peer_count++;
	for (; at > 0 && pooler->peers[at - 1]->id > id; at--)
		pooler->peers[at] = pooler->peers[at - 1];
	return pooler->peers[at] = peer;
}

static void configure(struct pgm_peer *peer, const struct pgm_config_peer *line, int64_t size)
{
	bool moved =
		!peer->line.host || strcmp(peer->line.host, line->host) != 0 || peer->line.port != line->port;
	peer->listed = true;
	peer->size = line->pool_size != PGM_UNSET ? line->pool_size : size;
	if (!moved)
		return;
	char *host = strdup(line->host);
	if (!host)
		return;
	free((char *)(uintptr_t)peer->line.host);
	peer->line.host = host;
	peer->line.port = line->port;
	atomic_store(&peer->failing, false);
	pgm_hosts_forget(&peer->place);
}

void pgm_peers_configure(struct pgm_pooler *pooler)
{
	const struct pgm_pool_config *config = pooler->config;
	for (size_t i = 0; i < pooler->peer_count; i++)
		pooler->peers[i]->listed = false;
	for (size_t i = 0; i < config->peer_count; i++) {
		struct pgm_peer *peer = NULL;
		for (size_t p = 0; p < pooler->peer_count && !peer; p++)
			if (pooler->peers[p]->id == config->peers[i].id)
				peer = pooler->peers[p];
		if (peer || (peer = new_peer(pooler, config->peers[i].id)))
			configure(peer, &config->peers[i], config->default_pool_size);
	}
}

void pgm_peers_resolve(struct pgm_pooler *pooler)
{
	for (size_t i = 0; i < pooler->peer_count; i++) {
		struct pgm_peer *peer = pooler->peers[i];
		if (peer->listed && !pgm_hosts_resolve_now(&peer->place))
			pgm_hosts_resolve(pooler, &peer->place);
	}
}

void pgm_peers_free(struct pgm_pooler *pooler)
{
	for (size_t i = 0; i < pooler->peer_count; i++) {
		struct pgm_peer *peer = pooler->peers[i];
		pthread_mutex_destroy(&peer->place.lock);
		free((char *)(uintptr_t)peer->place.name);
		free((char *)(uintptr_t)peer->line.host);
		free(peer);
	}
	free(pooler->peers);
}

/* ---- connections ---- */

bool pgm_peer_address(struct pgm_peer *peer, unsigned number, struct pgm_address *address)
{
	return pgm_hosts_at(&peer->place, number, address);
}

void pgm_peer_refresh(struct pgm_pooler *pooler, struct pgm_peer *peer)
{
	pgm_hosts_refresh(pooler, &peer->place);
}

bool pgm_peer_take(struct pgm_peer *peer)
{
	return pgm_take_below(&peer->connections, peer->size > 0 ? peer->size : INT32_MAX);
}

void pgm_peer_give_back(struct pgm_peer *peer)
{
	atomic_fetch_sub(&peer->connections, 1);
}

void pgm_peer_failed(struct pgm_peer *peer, const char *why)
{
	if (!atomic_exchange(&peer->failing, true))
		pgm_log(PGM_LOG_WARNING, "%s: cancel requests for its clients cannot be passed on to it: %s",
			peer->place.name, why);
}

void pgm_peer_reached(struct pgm_peer *peer)
{
	if (atomic_exchange(&peer->failing, false))
		pgm_log(PGM_LOG_NOTICE, "%s: it takes cancel requests again", peer->place.name);
}
