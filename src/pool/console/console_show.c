/*
 * What is configured, and what there is of it: pools, databases, users, counts. Workers are locked one after
 * the other, each for as long as it takes to count, so that looking does not stop them all.
 */
#include "pool/console/console_parts.h"
#include "pool/peers.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int64_t first_set(int64_t a, int64_t b)
{
	return a != PGM_UNSET ? a : b;
}

static const char *mode_name(int mode)
{
	static const char *const names[] = {"session", "transaction", "statement"};
	return mode >= 0 && mode < 3 ? names[mode] : NULL;
}

/* Only where there is more than one host. */
static const char *balancing(const struct pgm_config_database *config)
{
	if (!config || !config->host || !strchr(config->host, ','))
		return NULL;
	return config->load_balance_round_robin ? "round-robin" : "disable";
}

static int order_databases(const void *a, const void *b)
{
	return strcmp((*(struct pgm_database *const *)a)->name, (*(struct pgm_database *const *)b)->name);
}

struct pgm_database **pgm_console_databases(struct pgm_pooler *pooler, size_t *count)
{
	const struct pgm_pool_config *config = pooler->config;
	for (size_t i = 0; i < config->database_count; i++)
		if (strcmp(config->databases[i].name, "*") != 0)
			pgm_pooler_database(pooler, config->databases[i].name);
	*count = 0;
	pthread_mutex_lock(&pooler->lock);
	struct pgm_database **all = calloc(pooler->database_count + 1, sizeof(struct pgm_database *));
	for (size_t i = 0; all && i < pooler->database_count; i++)
		if (pooler->databases[i]->config && !atomic_load(&pooler->databases[i]->forgotten))
			all[(*count)++] = pooler->databases[i];
	pthread_mutex_unlock(&pooler->lock);
	if (all)
		qsort(all, *count, sizeof(*all), order_databases);
	return all;
}

static int order_pools(const void *a, const void *b)
{
	const struct pgm_pool *one = *(struct pgm_pool *const *)a, *other = *(struct pgm_pool *const *)b;
	int order = strcmp(one->database->name, other->database->name);
	return order ? order : strcmp(one->user, other->user);
}

struct pgm_pool **pgm_console_pools(struct pgm_pooler *pooler, size_t *count)
{
	*count = 0;
	pthread_mutex_lock(&pooler->lock);
	struct pgm_pool **all = calloc(pooler->pool_count + 1, sizeof(struct pgm_pool *));
	for (size_t i = 0; all && i < pooler->pool_count; i++)
		if (!atomic_load(&pooler->pools[i]->forgotten))
			all[(*count)++] = pooler->pools[i];
	pthread_mutex_unlock(&pooler->lock);
	if (all)
		qsort(all, *count, sizeof(*all), order_pools);
	return all;
}

/* ---- counts ---- */

struct counts {
	int clients, waiting;
	int active, cancelling, cancelled, idle, used, tested, login;
	uint64_t oldest_us; /* when the client came who waits for longest; 0: none */
};

static void count_busy(const struct pgm_share *share, struct counts *counts)
{
	struct pgm_server *server;
	pgm_list_each(&share->busy, server, struct pgm_server, link)
	{
		counts->cancelling += (int)server->cancels;
		if (!server->client && server->cancels)
			counts->cancelled++;
		else if (pgm_console_is_tested(server))
			counts->tested++;
		else
			counts->active++;
	}
}

static void count_share(const struct pgm_share *share, const struct pgm_pool_config *config, uint64_t now,
			struct counts *counts)
{
	struct pgm_server *server;
	count_busy(share, counts);
	pgm_list_each(&share->idle, server, struct pgm_server, link)
	{
		bool unused = config->server_check_query && *config->server_check_query &&
			      now > server->released_us &&
			      now - server->released_us > (uint64_t)config->server_check_delay_ms * 1000;
		counts->used += unused;
		counts->idle += !unused;
	}
	counts->login += (int)share->logging_in.count;
	counts->waiting += (int)share->waiting.count;
	struct pgm_link *first = pgm_list_first(&share->waiting);
	uint64_t oldest = first ? pgm_container_of(first, struct pgm_client, waiting)->wait_since_us : 0;
	if (oldest && (!counts->oldest_us || oldest < counts->oldest_us))
		counts->oldest_us = oldest;
}

/* By pool->index, with the console's clients in the place after the last; malloc'ed. */
static struct counts *count_all(struct pgm_pooler *pooler, size_t *pool_count)
{
	uint64_t now = pgm_loop_clock_us();
	pthread_mutex_lock(&pooler->lock);
	*pool_count = pooler->pool_count;
	pthread_mutex_unlock(&pooler->lock);
	struct counts *all = calloc(*pool_count + 1, sizeof(*all));
	for (unsigned w = 0; all && w < pooler->worker_count; w++) {
		struct pgm_worker *worker = pooler->workers[w];
		struct pgm_client *client;
		pthread_mutex_lock(&worker->lock);
		for (size_t i = 0; i < worker->share_capacity && i < *pool_count; i++)
			if (worker->shares[i])
				count_share(worker->shares[i], pooler->config, now, &all[i]);
		pgm_list_each(&worker->clients, client, struct pgm_client,
			      link) if (client->state == PGM_CLIENT_CONSOLE) all[*pool_count]
			.clients++;
		else if (client->share && client->share->pool->index < *pool_count && !client->waiting.next)
			all[client->share->pool->index]
				.clients++;
		pthread_mutex_unlock(&worker->lock);
	}
	return all;
}

static void pool_row(struct pgm_answer *answer, const char *database, const char *user,
		     const struct counts *counts, const char *mode, const char *balance, uint64_t now)
{
	uint64_t waited = counts->oldest_us && now > counts->oldest_us ? now - counts->oldest_us : 0;
	/* a cancel request's own connection ends as soon as the request was understood */
	const int cells[] = {counts->clients,
			     counts->waiting,
			     0,
			     0,
			     counts->active,
			     counts->cancelling,
			     counts->cancelled,
			     counts->idle,
			     counts->used,
			     counts->tested,
			     counts->login,
			     (int)(waited / 1000000),
			     (int)(waited % 1000000)};
	pgm_answer_row(answer);
	pgm_answer_text(answer, database);
	pgm_answer_text(answer, user);
	for (size_t i = 0; i < sizeof(cells) / sizeof(*cells); i++)
		pgm_answer_number(answer, cells[i]);
	pgm_answer_text(answer, mode);
	pgm_answer_text(answer, balance);
}

void pgm_console_show_pools(struct pgm_pooler *pooler, struct pgm_console_request *request,
			    const char *argument)
{
	struct pgm_answer *answer = &request->answer;
	size_t count, known;
	struct counts *counts = count_all(pooler, &known);
	struct pgm_pool **pools = pgm_console_pools(pooler, &count);
	uint64_t now = pgm_loop_clock_us();
	bool told_own = false;
	(void)argument;
	pgm_answer_columns(answer,
			   "database user cl_active:i cl_waiting:i cl_active_cancel_req:i "
			   "cl_waiting_cancel_req:i sv_active:i sv_active_cancel:i sv_being_canceled:i "
			   "sv_idle:i sv_used:i sv_tested:i sv_login:i maxwait:i maxwait_us:i pool_mode "
			   "load_balance_hosts");
	for (size_t i = 0; counts && pools && i <= count; i++) {
		const struct pgm_pool *pool = i < count ? pools[i] : NULL;
		if (!told_own && (!pool || strcmp(pool->database->name, PGM_CONSOLE_NAME) > 0)) {
			told_own = true;
			pool_row(answer, PGM_CONSOLE_NAME, PGM_CONSOLE_NAME, &counts[known], "statement",
				 NULL, now);
		}
		if (pool && pool->index < known)
			pool_row(answer, pool->database->name, pool->user, &counts[pool->index],
				 mode_name((int)pool->mode), balancing(pool->database->config), now);
	}
	answer->failed |= !counts || !pools;
	free(counts);
	free(pools);
	pgm_answer_done(answer, "SHOW");
}

/* ---- configuration ---- */

static void database_row(struct pgm_answer *answer, const struct pgm_pool_config *config,
			 const struct pgm_database *database)
{
	const struct pgm_config_database *own = database->config;
	pgm_answer_row(answer);
	pgm_answer_text(answer, database->name);
	pgm_answer_text(answer, own->host);
	pgm_answer_number(answer, first_set(own->port, 5432));
	pgm_answer_text(answer, database->server_name);
	pgm_answer_text(answer, own->user);
	pgm_answer_number(answer, first_set(own->pool_size, config->default_pool_size));
	pgm_answer_number(answer, first_set(own->min_pool_size, config->min_pool_size));
	pgm_answer_number(answer, first_set(own->reserve_pool_size, config->reserve_pool_size));
	pgm_answer_number(answer, first_set(own->server_lifetime_ms, config->server_lifetime_ms) / 1000);
	pgm_answer_text(answer, mode_name((int)own->pool_mode));
	pgm_answer_text(answer, balancing(own));
	pgm_answer_number(answer, first_set(own->max_db_connections, config->max_db_connections));
	pgm_answer_number(answer, atomic_load(&database->connections));
	pgm_answer_number(answer,
			  first_set(own->max_db_client_connections, config->max_db_client_connections));
	pgm_answer_number(answer, atomic_load(&database->clients));
	pgm_answer_number(answer, atomic_load(&database->paused));
	pgm_answer_number(answer, atomic_load(&database->disabled));
}

/* PgBouncer lists its own as a database, too. */
static void own_row(struct pgm_answer *answer, const struct pgm_pool_config *config)
{
	pgm_answer_row(answer);
	pgm_answer_text(answer, PGM_CONSOLE_NAME);
	pgm_answer_text(answer, NULL);
	pgm_answer_number(answer, config->listen_port);
	pgm_answer_text(answer, PGM_CONSOLE_NAME);
	pgm_answer_text(answer, PGM_CONSOLE_NAME);
	const int64_t sizes[] = {2, 0, 0, config->server_lifetime_ms / 1000};
	for (size_t i = 0; i < sizeof(sizes) / sizeof(*sizes); i++)
		pgm_answer_number(answer, sizes[i]);
	pgm_answer_text(answer, "statement");
	pgm_answer_text(answer, NULL);
	for (int i = 0; i < 6; i++)
		pgm_answer_number(answer, 0);
}

void pgm_console_show_databases(struct pgm_pooler *pooler, struct pgm_console_request *request,
				const char *argument)
{
	struct pgm_answer *answer = &request->answer;
	size_t count;
	struct pgm_database **databases = pgm_console_databases(pooler, &count);
	bool told_own = false;
	(void)argument;
	pgm_answer_columns(answer, "name host port:i database force_user pool_size:i min_pool_size:i "
				   "reserve_pool_size:i server_lifetime:i pool_mode load_balance_hosts "
				   "max_connections:i current_connections:i max_client_connections:i "
				   "current_client_connections:i paused:i disabled:i");
	for (size_t i = 0; databases && i <= count; i++) {
		if (!told_own && (i == count || strcmp(databases[i]->name, PGM_CONSOLE_NAME) > 0)) {
			told_own = true;
			own_row(answer, pooler->config);
		}
		if (i < count)
			database_row(answer, pooler->config, databases[i]);
	}
	answer->failed |= !databases;
	free(databases);
	pgm_answer_done(answer, "SHOW");
}

void pgm_console_show_peers(struct pgm_pooler *pooler, struct pgm_console_request *request,
			    const char *argument)
{
	struct pgm_answer *answer = &request->answer;
	(void)argument;
	pgm_answer_columns(answer, "peer_id:i host port:i pool_size:i");
	for (size_t i = 0; i < pooler->peer_count; i++) {
		const struct pgm_peer *peer = pooler->peers[i];
		if (!peer->listed)
			continue;
		pgm_answer_row(answer);
		pgm_answer_number(answer, peer->id);
		pgm_answer_text(answer, peer->line.host);
		pgm_answer_number(answer, peer->line.port);
		pgm_answer_number(answer, peer->size);
	}
	pgm_answer_done(answer, "SHOW");
}

void pgm_console_show_peer_pools(struct pgm_pooler *pooler, struct pgm_console_request *request,
				 const char *argument)
{
	struct pgm_answer *answer = &request->answer;
	(void)argument;
	pgm_answer_columns(answer,
			   "peer_id:i cl_active_cancel_req:i cl_waiting_cancel_req:i sv_active_cancel:i "
			   "sv_login:i");
	for (size_t i = 0; i < pooler->peer_count; i++) {
		struct pgm_peer *peer = pooler->peers[i];
		if (!peer->listed)
			continue;
		/* as PgBouncer counts: whose connection is being made waits for it */
		int connecting = atomic_load(&peer->connecting), sent = atomic_load(&peer->sent);
		pgm_answer_row(answer);
		pgm_answer_number(answer, peer->id);
		pgm_answer_number(answer, sent);
		pgm_answer_number(answer, atomic_load(&peer->waiting) + connecting);
		pgm_answer_number(answer, sent);
		pgm_answer_number(answer, connecting);
	}
	pgm_answer_done(answer, "SHOW");
}

/* ---- users ---- */

struct user {
	const char *name;
	int servers, clients;
};

static int order_users(const void *a, const void *b)
{
	return strcmp(((const struct user *)a)->name, ((const struct user *)b)->name);
}

/* Who is or was here, and as whom servers were asked for; *filled goes on. With the pooler's lock. */
static void add_users(const struct pgm_pooler *pooler, struct user *all, size_t *filled)
{
	for (size_t i = 0; i < pooler->user_capacity; i++)
		if (pooler->users[i])
			all[(*filled)++] = (struct user){pooler->users[i]->name, 0,
							 atomic_load(&pooler->users[i]->clients)};
	for (size_t i = 0; i < pooler->pool_count; i++)
		all[(*filled)++] =
			(struct user){pooler->pools[i]->user, atomic_load(&pooler->pools[i]->servers), 0};
}

/* Those of auth_file and [users] besides; malloc'ed, sorted, each once. */
static struct user *list_users(struct pgm_pooler *pooler, size_t *count)
{
	const struct pgm_pool_config *config = pooler->config;
	size_t filled = 0;
	pthread_mutex_lock(&pooler->lock);
	struct user *all = calloc(config->secret_count + config->user_count + pooler->pool_count +
					  pooler->user_count + 1,
				  sizeof(*all));
	if (all)
		add_users(pooler, all, &filled);
	pthread_mutex_unlock(&pooler->lock);
	*count = 0;
	if (!all)
		return NULL;
	all[filled++].name = PGM_CONSOLE_NAME;
	for (size_t i = 0; i < config->secret_count; i++)
		all[filled++].name = config->secrets[i].user;
	for (size_t i = 0; i < config->user_count; i++)
		all[filled++].name = config->users[i].name;
	qsort(all, filled, sizeof(*all), order_users);
	for (size_t i = 0; i < filled; i++) {
		if (*count && strcmp(all[*count - 1].name, all[i].name) == 0) {
			all[*count - 1].servers += all[i].servers;
			all[*count - 1].clients += all[i].clients;
		} else {
			all[(*count)++] = all[i];
		}
	}
	return all;
}

static void size_cell(struct pgm_answer *answer, int64_t size)
{
	if (size == PGM_UNSET)
		pgm_answer_text(answer, "");
	else
		pgm_answer_number(answer, size);
}

void pgm_console_show_users(struct pgm_pooler *pooler, struct pgm_console_request *request,
			    const char *argument)
{
	struct pgm_answer *answer = &request->answer;
	const struct pgm_pool_config *config = pooler->config;
	size_t count;
	struct user *users = list_users(pooler, &count);
	(void)argument;
	pgm_answer_columns(answer, "name pool_size reserve_pool_size pool_mode max_user_connections:i "
				   "current_connections:i max_user_client_connections:i "
				   "current_client_connections:i");
	for (size_t i = 0; users && i < count; i++) {
		const struct pgm_config_user *own = pgm_config_user_find(config, users[i].name);
		pgm_answer_row(answer);
		pgm_answer_text(answer, users[i].name);
		size_cell(answer, own ? own->pool_size : PGM_UNSET);
		size_cell(answer, own ? own->reserve_pool_size : PGM_UNSET);
		pgm_answer_text(answer, own ? mode_name((int)own->pool_mode) : NULL);
		pgm_answer_number(answer, first_set(own ? own->max_user_connections : PGM_UNSET,
						    config->max_user_connections));
		pgm_answer_number(answer, users[i].servers);
		pgm_answer_number(answer, first_set(own ? own->max_user_client_connections : PGM_UNSET,
						    config->max_user_client_connections));
		pgm_answer_number(answer, users[i].clients);
	}
	answer->failed |= !users;
	free(users);
	pgm_answer_done(answer, "SHOW");
}

/* ---- the rest ---- */

struct sums {
	int64_t clients, logins, servers, buffers_bytes;
};

static void sum_all(struct pgm_pooler *pooler, struct sums *sums)
{
	for (unsigned w = 0; w < pooler->worker_count; w++) {
		struct pgm_worker *worker = pooler->workers[w];
		struct pgm_client *client;
		pthread_mutex_lock(&worker->lock);
		pgm_list_each(&worker->clients, client, struct pgm_client, link)
		{
			sums->clients++;
			sums->logins += client->state < PGM_CLIENT_WELCOME;
			sums->buffers_bytes +=
				(int64_t)(client->pending_capacity + client->stream.out_capacity);
		}
		pthread_mutex_unlock(&worker->lock);
	}
	pthread_mutex_lock(&pooler->lock);
	for (size_t i = 0; i < pooler->pool_count; i++)
		sums->servers += atomic_load(&pooler->pools[i]->servers);
	pthread_mutex_unlock(&pooler->lock);
}

/* Names that a name server was or is asked for. */
static size_t count_names(struct pgm_pooler *pooler, size_t *asking)
{
	size_t count, names = 0;
	struct pgm_database **databases = pgm_console_databases(pooler, &count);
	*asking = 0;
	for (size_t i = 0; databases && i < count; i++) {
		pthread_mutex_lock(&databases[i]->lock);
		*asking += databases[i]->resolving;
		for (size_t a = 0; a < databases[i]->address_count; a++)
			names += databases[i]->addresses[a].address.ss_family != AF_UNIX;
		pthread_mutex_unlock(&databases[i]->lock);
	}
	free(databases);
	return names;
}

void pgm_console_show_lists(struct pgm_pooler *pooler, struct pgm_console_request *request,
			    const char *argument)
{
	struct pgm_answer *answer = &request->answer;
	struct sums sums = {0};
	size_t databases, users, pools, asking;
	(void)argument;
	free(pgm_console_databases(pooler, &databases));
	free(list_users(pooler, &users));
	free(pgm_console_pools(pooler, &pools));
	sum_all(pooler, &sums);
	const struct {
		const char *name;
		int64_t count;
	} lists[] = {
		{"databases", (int64_t)databases + 1}, /* with the console's, as in SHOW DATABASES */
		{"users", (int64_t)users},
		{"peers", (int64_t)pooler->config->peer_count},
		{"pools", (int64_t)pools + 1},
		{"peer_pools", (int64_t)pooler->config->peer_count},
		{"free_clients", 0},
		{"used_clients", sums.clients},
		{"login_clients", sums.logins},
		{"free_servers", 0},
		{"used_servers", sums.servers},
		{"dns_names", (int64_t)count_names(pooler, &asking)},
		{"dns_zones", 0},
		{"dns_queries", (int64_t)asking},
		{"dns_pending", 0},
	};
	pgm_answer_columns(answer, "list items:i");
	for (size_t i = 0; i < sizeof(lists) / sizeof(*lists); i++) {
		pgm_answer_row(answer);
		pgm_answer_text(answer, lists[i].name);
		pgm_answer_number(answer, lists[i].count);
	}
	pgm_answer_done(answer, "SHOW");
}

static void config_row(void *data, const char *key, const char *value, const char *standard, bool changeable)
{
	struct pgm_answer *answer = data;
	pgm_answer_row(answer);
	pgm_answer_text(answer, key);
	pgm_answer_text(answer, value);
	pgm_answer_text(answer, standard);
	pgm_answer_text(answer, changeable ? "yes" : "no");
}

void pgm_console_show_config(struct pgm_pooler *pooler, struct pgm_console_request *request,
			     const char *argument)
{
	PGM_AUTO_ARENA arena = pgm_arena_new(0);
	(void)argument;
	pgm_answer_columns(&request->answer, "key value default changeable");
	pgm_pool_config_each(pooler->config, arena, config_row, &request->answer);
	pgm_answer_done(&request->answer, "SHOW");
}

static void memory_row(struct pgm_answer *answer, const char *name, size_t size, int64_t used)
{
	pgm_answer_row(answer);
	pgm_answer_text(answer, name);
	pgm_answer_number(answer, (int64_t)size);
	pgm_answer_number(answer, used);
	pgm_answer_number(answer, 0); /* what is not used is given back at once */
	pgm_answer_number(answer, (int64_t)size * used);
}

void pgm_console_show_mem(struct pgm_pooler *pooler, struct pgm_console_request *request,
			  const char *argument)
{
	struct pgm_answer *answer = &request->answer;
	struct sums sums = {0};
	size_t databases, pools;
	(void)argument;
	free(pgm_console_databases(pooler, &databases));
	free(pgm_console_pools(pooler, &pools));
	sum_all(pooler, &sums);
	pgm_answer_columns(answer, "name size:i used:i free:i memtotal:i");
	memory_row(answer, "db_cache", sizeof(struct pgm_database), (int64_t)databases);
	memory_row(answer, "pool_cache", sizeof(struct pgm_pool), (int64_t)pools);
	memory_row(answer, "client_cache", sizeof(struct pgm_client), sums.clients);
	memory_row(answer, "server_cache", sizeof(struct pgm_server), sums.servers);
	memory_row(answer, "iobuf_cache", 1, sums.buffers_bytes);
	memory_row(answer, "worker_scratch", 2 * PGM_CARRY_BYTES + PGM_SCRATCH_BYTES, pooler->worker_count);
	pgm_answer_done(answer, "SHOW");
}

void pgm_console_show_state(struct pgm_pooler *pooler, struct pgm_console_request *request,
			    const char *argument)
{
	struct pgm_answer *answer = &request->answer;
	bool suspended = atomic_load(&pooler->state) == PGM_POOLER_SUSPENDED;
	bool paused = atomic_load(&pooler->paused) && !suspended;
	const char *const rows[][2] = {{"active", paused || suspended ? "no" : "yes"},
				       {"paused", paused ? "yes" : "no"},
				       {"suspended", suspended ? "yes" : "no"}};
	(void)argument;
	pgm_answer_columns(answer, "key value");
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		pgm_answer_row(answer);
		pgm_answer_text(answer, rows[i][0]);
		pgm_answer_text(answer, rows[i][1]);
	}
	pgm_answer_done(answer, "SHOW");
}

/* Programs read the number to know which columns to expect. */
void pgm_console_show_version(struct pgm_pooler *pooler, struct pgm_console_request *request,
			      const char *argument)
{
	(void)pooler;
	(void)argument;
	pgm_answer_columns(&request->answer, "version");
	pgm_answer_row(&request->answer);
	pgm_answer_text(&request->answer, "PgBouncer 1.25.2 (pgmend " PGM_VERSION ")");
	pgm_answer_done(&request->answer, "SHOW");
}

/* Addresses of one host, with commas. */
static void host_row(struct pgm_answer *answer, const struct pgm_database *database, size_t first,
		     int64_t ttl_s)
{
	char list[PGM_POOL_HOSTS_MAX * (INET6_ADDRSTRLEN + 1)] = "", one[INET6_ADDRSTRLEN];
	size_t length = 0;
	for (size_t i = first; i < database->address_count; i++) {
		const struct pgm_address *address = &database->addresses[i];
		const void *bytes =
			address->address.ss_family == AF_INET
				? (const void *)&((const struct sockaddr_in *)&address->address)->sin_addr
				: &((const struct sockaddr_in6 *)&address->address)->sin6_addr;
		if (strcmp(address->host, database->addresses[first].host) != 0 ||
		    !inet_ntop(address->address.ss_family, bytes, one, sizeof(one)))
			continue;
		length += (size_t)snprintf(list + length, sizeof(list) - length, "%s%s", length ? "," : "",
					   one);
	}
	pgm_answer_row(answer);
	pgm_answer_text(answer, database->addresses[first].host);
	pgm_answer_number(answer, ttl_s);
	pgm_answer_text(answer, list);
}

void pgm_console_show_dns_hosts(struct pgm_pooler *pooler, struct pgm_console_request *request,
				const char *argument)
{
	struct pgm_answer *answer = &request->answer;
	size_t count;
	struct pgm_database **databases = pgm_console_databases(pooler, &count);
	uint64_t now = pgm_loop_clock_us();
	(void)argument;
	pgm_answer_columns(answer, "hostname ttl:q addrs");
	for (size_t i = 0; databases && i < count; i++) {
		struct pgm_database *database = databases[i];
		pthread_mutex_lock(&database->lock);
		int64_t left_us =
			pooler->config->dns_max_ttl_ms * 1000 - (int64_t)(now - database->resolved_at_us);
		for (size_t a = 0; a < database->address_count; a++) {
			bool again = a && strcmp(database->addresses[a - 1].host,
						 database->addresses[a].host) == 0;
			if (database->addresses[a].address.ss_family != AF_UNIX && !again)
				host_row(answer, database, a, left_us > 0 ? left_us / 1000000 : 0);
		}
		pthread_mutex_unlock(&database->lock);
	}
	answer->failed |= !databases;
	free(databases);
	pgm_answer_done(answer, "SHOW");
}

/* Zone serials are not watched, so there are none. */
void pgm_console_show_dns_zones(struct pgm_pooler *pooler, struct pgm_console_request *request,
				const char *argument)
{
	(void)pooler;
	(void)argument;
	pgm_answer_columns(&request->answer, "zonename serial:q count:i");
	pgm_answer_done(&request->answer, "SHOW");
}
