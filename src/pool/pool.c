#include "pool/pool.h"

#include "pool/hosts.h"
#include "pool/peers.h"
#include "pool/worker.h"
#include "util/hash.h"

#include <stdlib.h>
#include <string.h>

/* ---- databases and pools: made on first use, never freed while the process runs ---- */

static struct pgm_database *new_database(struct pgm_pooler *pooler, const char *name,
					 const struct pgm_config_database *config)
{
	struct pgm_database *database = calloc(1, sizeof(*database));
	struct pgm_database **grown =
		realloc(pooler->databases, (pooler->database_count + 1) * sizeof(struct pgm_database *));
	if (grown)
		pooler->databases = grown;
	if (!database || !grown || !(database->name = strdup(name)) ||
	    !(database->server_name = strdup(config->dbname ? config->dbname : name))) {
		if (database)
			free((char *)(uintptr_t)database->name);
		free(database);
		return NULL;
	}
	database->index = (unsigned)pooler->database_count;
	database->config = config;
	pthread_mutex_init(&database->lock, NULL);
	pooler->databases[pooler->database_count++] = database;
	return database;
}

struct pgm_database *pgm_pooler_database(struct pgm_pooler *pooler, const char *name)
{
	struct pgm_database *database = NULL;
	bool fresh = false;
	pthread_mutex_lock(&pooler->lock);
	for (size_t i = 0; i < pooler->database_count && !database; i++)
		if (strcmp(pooler->databases[i]->name, name) == 0)
			database = pooler->databases[i];
	if (!database) {
		const struct pgm_config_database *config = pgm_config_database_find(pooler->config, name);
		if (config && (database = new_database(pooler, name, config)))
			fresh = true;
	}
	if (database && !database->config)
		database = NULL;
	if (database) {
		atomic_store(&database->used_us, pgm_loop_clock_us());
		atomic_store(&database->forgotten, false);
	}
	pthread_mutex_unlock(&pooler->lock);
	if (fresh && !pgm_hosts_resolve_now(database))
		pgm_hosts_resolve(pooler, database);
	return database;
}

static int64_t given(int64_t own, int64_t global)
{
	return own != PGM_UNSET ? own : global;
}

static void configure_pool(struct pgm_pooler *pooler, struct pgm_pool *pool)
{
	const struct pgm_pool_config *config = pooler->config;
	const struct pgm_config_database *database = pool->database->config;
	const struct pgm_config_user *user = pgm_config_user_find(config, pool->user);
	pool->user_config = user;
	if (!database)
		return;
	pool->mode = (enum pgm_pool_mode)config->pool_mode;
	if (database->pool_mode != PGM_POOL_MODE_UNSET)
		pool->mode = (enum pgm_pool_mode)database->pool_mode;
	if (user && user->pool_mode != PGM_POOL_MODE_UNSET)
		pool->mode = (enum pgm_pool_mode)user->pool_mode;
	pool->size = (int)given(database->pool_size, config->default_pool_size);
	if (user && user->pool_size != PGM_UNSET)
		pool->size = (int)user->pool_size;
	pool->min_size = (int)given(database->min_pool_size, config->min_pool_size);
	pool->reserve = (int)given(database->reserve_pool_size, config->reserve_pool_size);
	if (user && user->reserve_pool_size != PGM_UNSET)
		pool->reserve = (int)user->reserve_pool_size;
	pool->server_lifetime_us = given(database->server_lifetime_ms, config->server_lifetime_ms) * 1000;
	pool->query_timeout_ms = given(user ? user->query_timeout_ms : PGM_UNSET,
				       given(database->query_timeout_ms, PGM_UNSET));
}

struct pgm_pool *pgm_pooler_pool(struct pgm_pooler *pooler, struct pgm_database *database, const char *user)
{
	struct pgm_pool *pool = NULL;
	pthread_mutex_lock(&pooler->lock);
	for (size_t i = 0; i < pooler->pool_count && !pool; i++)
		if (pooler->pools[i]->database == database && strcmp(pooler->pools[i]->user, user) == 0)
			pool = pooler->pools[i];
	if (!pool) {
		struct pgm_pool **grown =
			realloc(pooler->pools, (pooler->pool_count + 1) * sizeof(struct pgm_pool *));
		if (grown)
			pooler->pools = grown;
		pool = grown ? calloc(1, sizeof(*pool)) : NULL;
		if (pool && (pool->user = strdup(user))) {
			pool->database = database;
			pool->index = (unsigned)pooler->pool_count;
			pthread_mutex_init(&pool->lock, NULL);
			configure_pool(pooler, pool);
			pooler->pools[pooler->pool_count++] = pool;
		} else {
			free(pool);
			pool = NULL;
		}
	}
	if (pool) {
		atomic_store(&pool->used_us, pgm_loop_clock_us());
		atomic_store(&pool->forgotten, false);
	}
	pthread_mutex_unlock(&pooler->lock);
	return pool;
}

static struct pgm_user **user_slot(struct pgm_user **users, size_t capacity, const char *name)
{
	size_t at = pgm_hash_bytes(0, name, strlen(name)) & (capacity - 1);
	while (users[at] && strcmp(users[at]->name, name) != 0)
		at = (at + 1) & (capacity - 1);
	return &users[at];
}

static bool grow_users(struct pgm_pooler *pooler)
{
	size_t wanted = pooler->user_capacity ? pooler->user_capacity * 2 : 64;
	struct pgm_user **grown = calloc(wanted, sizeof(struct pgm_user *));
	if (!grown)
		return false;
	for (size_t i = 0; i < pooler->user_capacity; i++)
		if (pooler->users[i])
			*user_slot(grown, wanted, pooler->users[i]->name) = pooler->users[i];
	free(pooler->users);
	pooler->users = grown;
	pooler->user_capacity = wanted;
	return true;
}

struct pgm_user *pgm_pooler_user(struct pgm_pooler *pooler, const char *name)
{
	struct pgm_user *user = NULL;
	pthread_mutex_lock(&pooler->lock);
	if ((pooler->user_count + 1) * 2 <= pooler->user_capacity || grow_users(pooler)) {
		struct pgm_user **slot = user_slot(pooler->users, pooler->user_capacity, name);
		if (!*slot && (*slot = calloc(1, sizeof(**slot)))) {
			if (((*slot)->name = strdup(name))) {
				pooler->user_count++;
			} else {
				free(*slot);
				*slot = NULL;
			}
		}
		user = *slot;
	}
	pthread_mutex_unlock(&pooler->lock);
	return user;
}

static bool same_text(const char *one, const char *other)
{
	return one == other || (one && other && strcmp(one, other) == 0);
}

/* Whether connections made under the one are as good under the other. */
static bool same_target(const struct pgm_config_database *one, const struct pgm_config_database *other)
{
	return same_text(one->host, other->host) && one->port == other->port &&
	       same_text(one->dbname, other->dbname) && same_text(one->user, other->user) &&
	       same_text(one->password, other->password) &&
	       same_text(one->connect_query, other->connect_query) &&
	       same_text(one->client_encoding, other->client_encoding) &&
	       same_text(one->datestyle, other->datestyle) && same_text(one->timezone, other->timezone) &&
	       same_text(one->application_name, other->application_name);
}

static bool same_tls(const struct pgm_pool_tls *one, const struct pgm_pool_tls *other)
{
	return one->mode == other->mode && same_text(one->ca_file, other->ca_file) &&
	       same_text(one->key_file, other->key_file) && same_text(one->cert_file, other->cert_file) &&
	       same_text(one->protocols, other->protocols) && same_text(one->ciphers, other->ciphers) &&
	       same_text(one->ciphers13, other->ciphers13);
}

/* Its servers are not what the configuration asks for any more: each is closed when it is free. */
static void retarget(struct pgm_database *database)
{
	atomic_fetch_add(&database->reconnect, 1);
	pgm_hosts_forget(database);
}

void pgm_pooler_configure(struct pgm_pooler *pooler, const struct pgm_pool_config *old)
{
	bool tls_changed = !same_tls(&old->server_tls, &pooler->config->server_tls);
	pthread_mutex_lock(&pooler->lock);
	for (size_t i = 0; i < pooler->database_count; i++) {
		struct pgm_database *database = pooler->databases[i];
		const struct pgm_config_database *config =
			pgm_config_database_find(pooler->config, database->name);
		if (database->config && (!config || tls_changed || !same_target(database->config, config)))
			retarget(database);
		database->config = config;
		if (!config)
			continue;
		char *server_name = strdup(config->dbname ? config->dbname : database->name);
		if (!server_name) { /* under its old name it may be another */
			pgm_log(PGM_LOG_ERROR,
				"%s: out of memory: there is no such database until the next reload",
				database->name);
			database->config = NULL;
			continue;
		}
		free(database->server_name);
		database->server_name = server_name;
	}
	for (size_t i = 0; i < pooler->pool_count; i++)
		configure_pool(pooler, pooler->pools[i]);
	pthread_mutex_unlock(&pooler->lock);
	pgm_peers_configure(pooler);
}

void pgm_pooler_warm(struct pgm_pooler *pooler)
{
	const struct pgm_pool_config *config = pooler->config;
	for (size_t i = 0; i < config->database_count; i++) {
		const struct pgm_config_database *line = &config->databases[i];
		struct pgm_database *database = NULL;
		if (line->user && strcmp(line->name, "*") != 0 &&
		    given(line->min_pool_size, config->min_pool_size) > 0)
			database = pgm_pooler_database(pooler, line->name);
		if (database)
			(void)pgm_pooler_pool(pooler, database, line->user);
	}
}

/* ---- what nobody uses ---- */

static void forget_pool(struct pgm_pool *pool)
{
	pthread_mutex_lock(&pool->lock);
	if (pool->secret)
		pgm_scram_wipe(pool->secret, strlen(pool->secret));
	free(pool->secret);
	pool->secret = NULL;
	pgm_scram_wipe(&pool->keys, sizeof(pool->keys));
	pgm_scram_wipe(&pool->scram_cache, sizeof(pool->scram_cache));
	pool->have_keys = false;
	pthread_mutex_unlock(&pool->lock);
	atomic_store(&pool->forgotten, true);
	pgm_log(PGM_LOG_DEBUG, "%s/%s: unused for longer than pool_idle_timeout: forgotten",
		pool->database->name, pool->user);
}

/* True: unused for longer than that. */
static bool rests(_Atomic uint64_t *used_us, bool used, uint64_t now, int64_t limit_ms)
{
	if (used)
		atomic_store(used_us, now);
	uint64_t since = atomic_load(used_us);
	return !used && limit_ms > 0 && now > since && now - since > (uint64_t)limit_ms * 1000;
}

void pgm_pooler_forget(struct pgm_pooler *pooler)
{
	const struct pgm_pool_config *config = pooler->config;
	uint64_t now = pgm_loop_clock_us();
	pthread_mutex_lock(&pooler->lock);
	for (size_t i = 0; i < pooler->database_count; i++) {
		struct pgm_database *database = pooler->databases[i];
		bool automatic = database->config && strcmp(database->config->name, "*") == 0;
		bool used = atomic_load(&database->clients) || atomic_load(&database->connections) ||
			    atomic_load(&database->paused) || atomic_load(&database->disabled);
		if (rests(&database->used_us, used, now, config->autodb_idle_timeout_ms) && automatic)
			atomic_store(&database->forgotten, true);
	}
	for (size_t i = 0; i < pooler->pool_count; i++) {
		struct pgm_pool *pool = pooler->pools[i];
		bool used = atomic_load(&pool->clients) || atomic_load(&pool->servers) ||
			    pgm_pool_minimum(pool) > 0;
		bool resting = rests(&pool->used_us, used, now, config->pool_idle_timeout_ms);
		if (!atomic_load(&pool->forgotten) &&
		    (resting || (!used && atomic_load(&pool->database->forgotten))))
			forget_pool(pool);
	}
	pthread_mutex_unlock(&pooler->lock);
}

/* ---- the budget ---- */

/* With the pooler's lock. */
static int user_connections(struct pgm_pooler *pooler, const char *user)
{
	int count = 0;
	for (size_t i = 0; i < pooler->pool_count; i++)
		if (strcmp(pooler->pools[i]->user, user) == 0)
			count += atomic_load(&pooler->pools[i]->servers);
	return count;
}

bool pgm_take_below(_Atomic int *count, int64_t most)
{
	int now = atomic_load(count);
	do
		if (now >= most)
			return false;
	while (!atomic_compare_exchange_weak(count, &now, now + 1));
	return true;
}

static bool take(const struct pgm_pooler *pooler, struct pgm_pool *pool, bool starving)
{
	int64_t most_database =
		given(pool->database->config->max_db_connections, pooler->config->max_db_connections);
	if (!pgm_take_below(&pool->database->connections, most_database > 0 ? most_database : INT32_MAX))
		return false;
	if (pgm_take_below(&pool->servers, pool->size + (starving ? pool->reserve : 0))) {
		if (starving && atomic_load(&pool->servers) > pool->size)
			pgm_log(PGM_LOG_DEBUG, "%s/%s: taking connection from reserve_pool",
				pool->database->name, pool->user);
		return true;
	}
	atomic_fetch_sub(&pool->database->connections, 1);
	return false;
}

bool pgm_pool_take(struct pgm_pooler *pooler, struct pgm_pool *pool, bool starving)
{
	if (!pool->database->config)
		return false;
	int64_t most_user = given(pool->user_config ? pool->user_config->max_user_connections : PGM_UNSET,
				  pooler->config->max_user_connections);
	if (most_user <= 0)
		return take(pooler, pool, starving);
	/* a user's connections are those of several pools: no other worker may take one between look and act
	 */
	pthread_mutex_lock(&pooler->lock);
	bool taken = user_connections(pooler, pool->user) < most_user && take(pooler, pool, starving);
	pthread_mutex_unlock(&pooler->lock);
	return taken;
}

void pgm_pool_explain_wait(const struct pgm_pooler *pooler, struct pgm_pool *pool, char *out, size_t size)
{
	int servers = atomic_load(&pool->servers);
	if (atomic_load(&pooler->paused)) {
		snprintf(out, size, "the pooler is paused");
	} else if (atomic_load(&pool->database->paused)) {
		snprintf(out, size, "the database is paused");
	} else if (atomic_load(&pool->failures)) {
		pthread_mutex_lock(&pool->lock);
		snprintf(out, size, "the last attempt to get a server failed: %s", pool->failure.message);
		pthread_mutex_unlock(&pool->lock);
	} else if (servers >= pool->size) {
		snprintf(out, size, "all servers of the pool are in use: %d", servers);
	} else {
		snprintf(
			out, size,
			"a server is being made, or max_db_connections or max_user_connections leave no room "
			"for one");
	}
}

int pgm_pool_minimum(const struct pgm_pool *pool)
{
	const struct pgm_config_database *config = pool->database->config;
	bool forced = config && config->user && strcmp(config->user, pool->user) == 0;
	return forced || (config && atomic_load(&pool->clients) > 0) ? pool->min_size : 0;
}

void pgm_pool_give_back(struct pgm_pool *pool)
{
	atomic_fetch_sub(&pool->servers, 1);
	atomic_fetch_sub(&pool->database->connections, 1);
}

/* ---- cancel keys: an open-addressed table by pid and secret ---- */

struct pgm_cancel_slot {
	struct pgm_cancel_key key; /* length 0: free */
	unsigned worker;
	uint64_t client_id;
};

static size_t slot_of(const struct pgm_pooler *pooler, uint32_t pid, const uint8_t *secret, size_t length)
{
	uint64_t hash = pgm_hash_bytes(pid, secret, length);
	size_t at = hash & (pooler->cancel_capacity - 1);
	while (pooler->cancel_slots[at].key.length &&
	       (pooler->cancel_slots[at].key.pid != pid || pooler->cancel_slots[at].key.length != length ||
		memcmp(pooler->cancel_slots[at].key.secret, secret, length) != 0))
		at = (at + 1) & (pooler->cancel_capacity - 1);
	return at;
}

static bool grow_slots(struct pgm_pooler *pooler)
{
	struct pgm_cancel_slot *old = pooler->cancel_slots;
	size_t old_capacity = pooler->cancel_capacity, wanted = old_capacity ? old_capacity * 2 : 64;
	struct pgm_cancel_slot *slots = calloc(wanted, sizeof(*slots));
	if (!slots)
		return false;
	pooler->cancel_slots = slots;
	pooler->cancel_capacity = wanted;
	for (size_t i = 0; i < old_capacity; i++)
		if (old[i].key.length)
			slots[slot_of(pooler, old[i].key.pid, old[i].key.secret, old[i].key.length)] = old[i];
	free(old);
	return true;
}

bool pgm_cancel_register(struct pgm_pooler *pooler, struct pgm_cancel_key *key, uint32_t pid,
			 bool long_secret, unsigned worker, uint64_t client_id)
{
	bool done = false;
	int64_t peer_id = pooler->config->peer_id;
	key->length = long_secret && peer_id <= 0 ? PGM_CANCEL_SECRET_BYTES : 4;
	if (peer_id > 0)
		pid = 0;
	pthread_mutex_lock(&pooler->lock);
	if ((pooler->cancel_count + 1) * 2 <= pooler->cancel_capacity || grow_slots(pooler)) {
		size_t at;
		bool random = true;
		do {
			uint8_t bytes[PGM_CANCEL_SECRET_BYTES + sizeof(key->pid)];
			random = pgm_random_bytes(bytes, key->length + sizeof(key->pid));
			memcpy(key->secret, bytes, key->length);
			memcpy(&key->pid, bytes + key->length, sizeof(key->pid));
			key->pid = pid ? pid : key->pid & 0x7fffffff;
			if (peer_id > 0)
				pgm_peer_mark(peer_id, key);
			else
				key->pid |= !pid; /* never 0 */
			at = slot_of(pooler, key->pid, key->secret, key->length);
		} while (random && pooler->cancel_slots[at].key.length);
		if (random) {
			pooler->cancel_slots[at] = (struct pgm_cancel_slot){*key, worker, client_id};
			pooler->cancel_count++;
			done = true;
		}
	}
	pthread_mutex_unlock(&pooler->lock);
	return done;
}

void pgm_cancel_forget(struct pgm_pooler *pooler, const struct pgm_cancel_key *key)
{
	pthread_mutex_lock(&pooler->lock);
	size_t mask = pooler->cancel_capacity - 1;
	size_t at = slot_of(pooler, key->pid, key->secret, key->length);
	if (pooler->cancel_slots[at].key.length) {
		pooler->cancel_slots[at].key.length = 0;
		pooler->cancel_count--;
		for (size_t next = (at + 1) & mask; pooler->cancel_slots[next].key.length;
		     next = (next + 1) & mask) {
			struct pgm_cancel_slot moved = pooler->cancel_slots[next];
			pooler->cancel_slots[next].key.length = 0;
			pooler->cancel_slots[slot_of(pooler, moved.key.pid, moved.key.secret,
						     moved.key.length)] = moved;
		}
	}
	pthread_mutex_unlock(&pooler->lock);
}

void pgm_cancel_move(struct pgm_pooler *pooler, const struct pgm_cancel_key *key, unsigned worker)
{
	pthread_mutex_lock(&pooler->lock);
	pooler->cancel_slots[slot_of(pooler, key->pid, key->secret, key->length)].worker = worker;
	pthread_mutex_unlock(&pooler->lock);
}

static const struct pgm_cancel_slot *find_slot(const struct pgm_pooler *pooler, uint32_t pid,
					       const uint8_t *secret, size_t length)
{
	if (!pooler->cancel_capacity || !length)
		return NULL;
	const struct pgm_cancel_slot *slot = &pooler->cancel_slots[slot_of(pooler, pid, secret, length)];
	return slot->key.length ? slot : NULL;
}

bool pgm_cancel_find(struct pgm_pooler *pooler, uint32_t pid, const uint8_t *secret, size_t length,
		     unsigned *worker, uint64_t *client_id)
{
	uint8_t full[PGM_CANCEL_SECRET_BYTES];
	pthread_mutex_lock(&pooler->lock);
	const struct pgm_cancel_slot *slot = find_slot(pooler, pid, secret, length);
	/* a peer that passed it on has counted that in it */
	if (!slot && pooler->config->peer_id > 0 && length <= sizeof(full)) {
		memcpy(full, secret, length);
		pgm_peer_unspend(full, length);
		slot = find_slot(pooler, pid, full, length);
	}
	if (slot) {
		*worker = slot->worker;
		*client_id = slot->client_id;
	}
	pthread_mutex_unlock(&pooler->lock);
	return slot != NULL;
}
