#include "pool/worker.h"

#include "pool/cancel.h"
#include "pool/client.h"
#include "pool/scan/scan_cache.h"

#include <arpa/inet.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define ACCEPT_BATCH	    16
#define ACCEPT_COMPLAIN_US  1000000
#define CLOSING_PATIENCE_MS 5000
#define CANCEL_ROUNDS	    100 /* at the end, until the cancel requests have arrived */
#define CANCEL_ROUND_MS	    5
#define SETTINGS_SCAN	    8 /* idle servers looked at for one that has the client's settings already */

/* ---- new clients ---- */

struct newcomer {
	struct pgm_letter letter;
	int fd;
	struct sockaddr_storage address;
	char peer[64];
};

static void take_newcomer(struct pgm_letter *letter, void *owner)
{
	struct newcomer *newcomer = (struct newcomer *)letter;
	pgm_client_accept(owner, newcomer->fd, (struct sockaddr *)&newcomer->address, newcomer->peer);
	free(newcomer);
}

static void name_peer(int fd, const struct sockaddr_storage *address, char *name, size_t size)
{
	char host[INET6_ADDRSTRLEN] = "?";
	struct ucred peer;
	socklen_t peer_size = sizeof(peer);
	if (address->ss_family == AF_INET) {
		const struct sockaddr_in *in = (const struct sockaddr_in *)address;
		inet_ntop(AF_INET, &in->sin_addr, host, sizeof(host));
		snprintf(name, size, "%s:%d", host, ntohs(in->sin_port));
	} else if (address->ss_family == AF_INET6) {
		const struct sockaddr_in6 *in = (const struct sockaddr_in6 *)address;
		inet_ntop(AF_INET6, &in->sin6_addr, host, sizeof(host));
		snprintf(name, size, "[%s]:%d", host, ntohs(in->sin6_port));
	} else if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &peer_size) == 0) {
		snprintf(name, size, "unix(%d)", (int)peer.pid);
	} else {
		snprintf(name, size, "unix");
	}
}

static int load_of(const struct pgm_worker *worker)
{
	return atomic_load_explicit(&worker->load_permille, memory_order_relaxed);
}

/*
 * The first worker that has room: few busy threads do more with less than many that sleep and are woken all
 * the time. Clients whose worker gets too much to do are moved on (share_out()).
 */
static struct pgm_worker *worker_for_newcomer(struct pgm_worker *worker)
{
	struct pgm_pooler *pooler = worker->pooler;
	struct pgm_worker *best = pooler->workers[0];
	for (unsigned i = 0; i < pooler->worker_count; i++) {
		struct pgm_worker *other = pooler->workers[i];
		if (load_of(other) < PGM_WORKER_SPARE_PERMILLE)
			return other;
		if (load_of(other) < load_of(best))
			best = other;
	}
	return best;
}

/* Who waits to be accepted would wake this thread over and over: they wait until the next tick. */
static void rest(struct pgm_worker *worker)
{
	uint64_t now = worker->loop.now_us;
	if (now >= worker->accept_complain_us) {
		pgm_log(PGM_LOG_ERROR, "cannot accept a client: %s", strerror(errno));
		worker->accept_complain_us = now + ACCEPT_COMPLAIN_US;
	}
	if (worker->accepting) {
		pgm_worker_accept(worker, false);
		worker->accept_again = true;
	}
}

/* False: nobody waits any more. */
static bool accept_some(struct pgm_source *source)
{
	struct pgm_worker *worker = ((struct pgm_listening *)source)->worker;
	for (int i = 0; i < ACCEPT_BATCH; i++) {
		struct sockaddr_storage address = {0};
		socklen_t size = sizeof(address);
		char peer[64];
		int fd =
			accept4(source->fd, (struct sockaddr *)&address, &size, SOCK_NONBLOCK | SOCK_CLOEXEC);
		if (fd < 0) {
			if (errno == EMFILE || errno == ENFILE || errno == ENOMEM || errno == ENOBUFS)
				rest(worker);
			return false;
		}
		name_peer(fd, &address, peer, sizeof(peer));
		struct pgm_worker *best = worker_for_newcomer(worker);
		struct newcomer *newcomer = best == worker ? NULL : malloc(sizeof(*newcomer));
		if (!newcomer) {
			pgm_client_accept(worker, fd, (struct sockaddr *)&address, peer);
			continue;
		}
		newcomer->letter.deliver = take_newcomer;
		newcomer->fd = fd;
		newcomer->address = address;
		memcpy(newcomer->peer, peer, sizeof(peer));
		pgm_loop_post(&best->loop, &newcomer->letter);
	}
	return true;
}

static void accept_clients(struct pgm_source *source, uint32_t events)
{
	(void)events;
	(void)accept_some(source);
}

/*
 * While a worker before it has room, that one takes who comes: a second thread would be woken but to pass
 * them on. It looks at each tick whether that is still so.
 */
static void choose_to_listen(struct pgm_worker *worker)
{
	bool listen = worker->may_accept;
	for (unsigned i = 0; i < worker->index && listen; i++)
		listen = load_of(worker->pooler->workers[i]) >= PGM_WORKER_SPARE_PERMILLE;
	if (worker->accepting == listen)
		return;
	worker->accepting = listen;
	for (size_t i = worker->closed_listeners; i < worker->listener_count; i++)
		if (listen)
			pgm_loop_add(&worker->loop, &worker->listeners[i].source, EPOLLEXCLUSIVE);
		else
			pgm_loop_remove(&worker->loop, &worker->listeners[i].source);
}

void pgm_worker_accept(struct pgm_worker *worker, bool accept)
{
	worker->accept_again = false;
	worker->may_accept = accept;
	choose_to_listen(worker);
}

void pgm_worker_stop_accepting(struct pgm_worker *worker, bool but_last)
{
	pgm_worker_accept(worker, false);
	for (size_t i = 0; i < worker->listener_count; i++)
		for (int batch = 0; batch < 1000 && accept_some(&worker->listeners[i].source); batch++)
			;
	worker->closed_listeners = worker->listener_count - but_last;
	if (but_last)
		pgm_worker_accept(worker, true);
}

/* ---- servers for clients ---- */

struct pgm_share *pgm_worker_share(struct pgm_worker *worker, struct pgm_pool *pool)
{
	if (pool->index >= worker->share_capacity) {
		size_t wanted = pool->index * 2 + 8;
		struct pgm_share **grown = realloc(worker->shares, wanted * sizeof(*grown));
		if (!grown)
			return NULL;
		memset(grown + worker->share_capacity, 0, (wanted - worker->share_capacity) * sizeof(*grown));
		worker->shares = grown;
		worker->share_capacity = wanted;
	}
	struct pgm_share **slot = &worker->shares[pool->index];
	if (*slot || !(*slot = calloc(1, sizeof(**slot))))
		return *slot;
	(*slot)->pool = pool;
	(*slot)->worker = worker;
	pgm_list_init(&(*slot)->idle);
	pgm_list_init(&(*slot)->busy);
	pgm_list_init(&(*slot)->logging_in);
	pgm_list_init(&(*slot)->waiting);
	return *slot;
}

void pgm_share_note_queue(struct pgm_share *share)
{
	struct pgm_link *first = pgm_list_first(&share->waiting);
	uint64_t oldest = first ? pgm_container_of(first, struct pgm_client, waiting)->wait_since_us : 0;
	atomic_store_explicit(&share->pool->at[share->worker->index].oldest_wait_us, oldest,
			      memory_order_relaxed);
}

static bool is_paused(const struct pgm_share *share)
{
	const struct pgm_pooler *pooler = share->worker->pooler;
	return atomic_load_explicit(&pooler->paused, memory_order_relaxed) ||
	       atomic_load_explicit(&share->pool->database->paused, memory_order_relaxed);
}

/* One whose session is the client's already, if there is such among the first. */
static struct pgm_server *pick_idle(struct pgm_share *share, const struct pgm_client *client)
{
	struct pgm_link *link = pgm_list_first(&share->idle);
	if (!link)
		return NULL;
	struct pgm_server *first = pgm_container_of(link, struct pgm_server, link);
	for (int i = 0; i < SETTINGS_SCAN && link != &share->idle.head; i++, link = link->next) {
		struct pgm_server *server = pgm_container_of(link, struct pgm_server, link);
		if (client->reads_sequences ? server->sequence_client == client->id
					    : server->applied == client->settings)
			return server;
	}
	return first;
}

struct plea {
	struct pgm_letter letter;
	struct pgm_pool *pool;
	struct pgm_worker *from;
};

static void hear_plea(struct pgm_letter *letter, void *owner)
{
	struct plea *plea = (struct plea *)letter;
	struct pgm_worker *worker = owner;
	struct pgm_share *share = pgm_worker_share(worker, plea->pool);
	struct pgm_link *link = share && share->waiting.count == 0 ? pgm_list_last(&share->idle) : NULL;
	struct pgm_server *server = link ? pgm_container_of(link, struct pgm_server, link) : NULL;
	if (server && !server->stream.readable && pgm_stream_waiting(&server->stream) == 0)
		pgm_server_hand_over(server, plea->from);
	free(plea);
}

static void ask_others(struct pgm_share *share)
{
	struct pgm_worker *worker = share->worker;
	for (unsigned i = 0; i < worker->pooler->worker_count && !share->asked_others; i++) {
		if (i == worker->index ||
		    atomic_load_explicit(&share->pool->at[i].idle, memory_order_relaxed) == 0)
			continue;
		struct plea *plea = malloc(sizeof(*plea));
		if (!plea)
			return;
		*plea = (struct plea){.letter.deliver = hear_plea, .pool = share->pool, .from = worker};
		share->asked_others = true;
		pgm_loop_post(&worker->pooler->workers[i]->loop, &plea->letter);
	}
}

/* ---- room for a pool where its database or its user has all connections that it may have ---- */

struct room {
	struct pgm_letter letter;
	struct pgm_pool *pool, *for_pool;
	struct pgm_worker *from;
};

static void come_to_room(struct pgm_letter *letter, void *owner)
{
	struct room *room = (struct room *)letter;
	struct pgm_share *share = pgm_worker_share(owner, room->for_pool);
	free(room);
	if (share)
		pgm_share_serve(share);
}

static void make_room(struct pgm_letter *letter, void *owner)
{
	struct room *room = (struct room *)letter;
	struct pgm_share *share = pgm_worker_share(owner, room->pool);
	struct pgm_link *last = share ? pgm_list_last(&share->idle) : NULL;
	if (last)
		pgm_server_close(pgm_container_of(last, struct pgm_server, link),
				 "evicted: another pool needs it");
	room->letter.deliver = come_to_room;
	pgm_loop_post(&room->from->loop, &room->letter);
}

static bool has_idle(const struct pgm_pooler *pooler, const struct pgm_pool *pool, unsigned *worker)
{
	for (*worker = 0; *worker < pooler->worker_count; ++*worker)
		if (atomic_load_explicit(&pool->at[*worker].idle, memory_order_relaxed) > 0)
			return true;
	return false;
}

/* One that nobody uses, of another pool of the same database or user, is closed. */
static void ask_for_room(struct pgm_share *share)
{
	struct pgm_pooler *pooler = share->worker->pooler;
	struct pgm_pool *pool = share->pool, *other = NULL;
	unsigned worker = 0;
	if (share->asked_room || atomic_load(&pool->servers) >= pool->size)
		return;
	pthread_mutex_lock(&pooler->lock);
	for (size_t i = 0; i < pooler->pool_count && !other; i++)
		if (pooler->pools[i] != pool &&
		    (pooler->pools[i]->database == pool->database ||
		     strcmp(pooler->pools[i]->user, pool->user) == 0) &&
		    has_idle(pooler, pooler->pools[i], &worker))
			other = pooler->pools[i];
	pthread_mutex_unlock(&pooler->lock);
	struct room *room = other ? malloc(sizeof(*room)) : NULL;
	if (!room)
		return;
	share->asked_room = true;
	*room = (struct room){{.deliver = make_room}, other, pool, share->worker};
	pgm_loop_post(&pooler->workers[worker]->loop, &room->letter);
}

/* As many connections as clients wait for, while the budget lasts. */
static void connect_more(struct pgm_share *share)
{
	struct pgm_worker *worker = share->worker;
	struct pgm_pool *pool = share->pool;
	uint64_t now = worker->loop.now_us;
	while (share->logging_in.count < share->waiting.count && now >= share->next_connect_us) {
		struct pgm_link *first = pgm_list_first(&share->waiting);
		struct pgm_client *client = pgm_container_of(first, struct pgm_client, waiting);
		uint64_t patience_us = (uint64_t)worker->pooler->config->reserve_pool_timeout_ms * 1000;
		/* after a failure, one at a time shows whether it is over */
		if (atomic_load(&pool->failures) && share->logging_in.count)
			return;
		if (!pgm_pool_take(worker->pooler, pool,
				   patience_us && now - client->wait_since_us > patience_us)) {
			ask_for_room(share);
			return;
		}
		pgm_server_connect(share);
	}
}

/* Clients are told of a failure that waiting does not mend, if no server is left to wait for. */
static void fail_waiting(struct pgm_share *share)
{
	struct pgm_login_failure failure;
	pthread_mutex_lock(&share->pool->lock);
	failure = share->pool->failure;
	pthread_mutex_unlock(&share->pool->lock);
	if (!failure.at_us || !failure.final)
		return;
	struct pgm_client *client;
	pgm_list_each(&share->waiting, client, struct pgm_client,
		      waiting) if (client->wait_since_us <= failure.at_us)
		pgm_client_end(client, failure.sqlstate, "%s", failure.message);
}

/* It gets a connection of its own; a free one makes room for that. False: it must wait. */
static bool serve_replication(struct pgm_share *share, struct pgm_client *client)
{
	struct pgm_pooler *pooler = share->worker->pooler;
	if (!pgm_pool_take(pooler, share->pool, false)) {
		struct pgm_link *last = pgm_list_last(&share->idle);
		if (!last)
			return false;
		pgm_server_close(pgm_container_of(last, struct pgm_server, link),
				 "makes room for replication");
		if (!pgm_pool_take(pooler, share->pool, false))
			return false;
	}
	pgm_client_leave_queue(client);
	pgm_server_connect_for(share, client);
	return true;
}

void pgm_share_serve(struct pgm_share *share)
{
	const struct pgm_client *reading = share->worker->reading;
	if (share->serving)
		return;
	share->serving = true;
	while (share->waiting.count && !is_paused(share)) {
		struct pgm_client *client =
			pgm_container_of(pgm_list_first(&share->waiting), struct pgm_client, waiting);
		if (reading && client != reading) {
			share->unserved = true; /* the scratch is in use: when that is done */
			share->serving = false;
			return;
		}
		if (client->replication) {
			if (!serve_replication(share, client))
				break;
			continue;
		}
		struct pgm_server *server = pick_idle(share, client);
		if (!server)
			break;
		const char *outdated = pgm_server_outdated(server);
		if (server->close_soon || outdated) {
			pgm_server_close(server, outdated ? outdated : "database configuration changed");
			continue;
		}
		pgm_client_leave_queue(client);
		pgm_server_link(server, client);
	}
	if (share->waiting.count && !is_paused(share)) {
		if (atomic_load(&share->pool->servers) == 0)
			fail_waiting(share);
		connect_more(share);
		if (share->logging_in.count < share->waiting.count)
			ask_others(share);
	}
	share->serving = false;
}

/* ---- the loop ---- */

static int64_t first_set(int64_t a, int64_t b, int64_t c)
{
	return a != PGM_UNSET ? a : b != PGM_UNSET ? b : c;
}

static bool over(uint64_t now, uint64_t since, int64_t limit_ms)
{
	return limit_ms > 0 && since && now > since && now - since > (uint64_t)limit_ms * 1000;
}

static void check_client(struct pgm_worker *worker, struct pgm_client *client)
{
	const struct pgm_pool_config *config = worker->pooler->config;
	uint64_t now = worker->loop.now_us;
	if (client->state == PGM_CLIENT_CLOSING) { /* it does not read what it is told */
		if (over(now, client->request_us, CLOSING_PATIENCE_MS))
			pgm_client_close(client, "it did not read its end");
		return;
	}
	if (client->state < PGM_CLIENT_WELCOME) {
		if (over(now, client->connected_us, config->client_login_timeout_ms))
			pgm_client_close(client, "client_login_timeout");
		return;
	}
	if (!client->share)
		return;
	const struct pgm_config_database *database = client->share->pool->database->config;
	const struct pgm_config_user *user = client->share->pool->user_config;
	struct pgm_server *server = client->server;
	if (client->waiting.next && database) {
		char why[PGM_POOL_EXPLAIN_BYTES];
		int64_t limit = first_set(database ? database->query_wait_timeout_ms : PGM_UNSET,
					  user ? user->query_wait_timeout_ms : PGM_UNSET,
					  config->query_wait_timeout_ms);
		if (atomic_load(&worker->pooler->state) == PGM_POOLER_WAIT_SERVERS) {
			pgm_client_end(client, "57P01",
				       "terminating connection due to administrator command");
		} else if (over(now, client->wait_since_us, limit)) {
			pgm_pool_explain_wait(client->worker->pooler, client->share->pool, why, sizeof(why));
			pgm_client_end_because(client, "08P01", "query_wait_timeout", why);
		} else if (!client->wait_noticed && client->state == PGM_CLIENT_WAITING &&
			   over(now, client->wait_since_us, config->query_wait_notify_ms)) {
			uint8_t packet[1024];
			struct pgm_writer writer = pgm_writer_over(packet, sizeof(packet));
			client->wait_noticed = true;
			pgm_pool_explain_wait(client->worker->pooler, client->share->pool, why, sizeof(why));
			pgm_wire_notice(&writer, &(struct pgm_wire_error){
							 .severity = "NOTICE",
							 .sqlstate = "00000",
							 .message = "No server connection available in "
								    "postgres backend, client being queued",
							 .detail = why});
			pgm_client_send(client, packet, pgm_writer_length(&writer));
		}
		return;
	}
	if (!database && !server) {
		pgm_client_end(client, "3D000", "database \"%s\" is no longer in the configuration",
			       client->share->pool->database->name);
		return;
	}
	if (!server) {
		int64_t limit = first_set(user ? user->client_idle_timeout_ms : PGM_UNSET, PGM_UNSET,
					  config->client_idle_timeout_ms);
		if (over(now, client->idle_since_us ? client->idle_since_us : client->connected_us, limit))
			pgm_client_end(client, "57P01", "client_idle_timeout");
		return;
	}
	if (client->replication)
		return; /* a stream without end is what it wants */
	bool runs = server->expect_count && server->job == PGM_JOB_NONE;
	int64_t limit = first_set(client->share->pool->query_timeout_ms, PGM_UNSET, config->query_timeout_ms);
	if (runs && over(now, server->mark_us, limit)) {
		pgm_client_end(client, "08P01", "query timeout");
		return;
	}
	limit = first_set(user ? user->transaction_timeout_ms : PGM_UNSET, PGM_UNSET,
			  config->transaction_timeout_ms);
	if (over(now, client->transaction_us, limit)) {
		pgm_client_end(client, "57P05", "transaction timeout");
		return;
	}
	limit = first_set(user ? user->idle_transaction_timeout_ms : PGM_UNSET, PGM_UNSET,
			  config->idle_transaction_timeout_ms);
	if (!runs && server->status != 'I' && over(now, client->idle_since_us, limit))
		pgm_client_end(client, "25P03", "idle transaction timeout");
}

static const char *stale_idle(struct pgm_server *server)
{
	const struct pgm_share *share = server->share;
	const struct pgm_pool_config *config = share->worker->pooler->config;
	uint64_t now = share->worker->loop.now_us;
	const char *outdated = pgm_server_outdated(server);
	if (server->close_soon || outdated)
		return outdated ? outdated : "database configuration changed";
	if (pgm_server_outlived(server))
		return "server lifetime over";
	if (atomic_load(&share->pool->servers) > pgm_pool_minimum(share->pool) &&
	    over(now, server->released_us, config->server_idle_timeout_ms))
		return "server idle timeout";
	return NULL;
}

/* Those that would not come back for long: session mode's with server_fast_close, and replication's. */
static void close_outdated(struct pgm_share *share)
{
	bool fast = share->worker->pooler->config->server_fast_close && share->pool->mode == PGM_POOL_SESSION;
	struct pgm_server *server;
	pgm_list_each(&share->busy, server, struct pgm_server, link)
	{
		struct pgm_client *client = server->client;
		bool resting = server->job == PGM_JOB_NONE && !server->expect_count &&
			       server->status == 'I' && !server->unsynced && !server->copy_in &&
			       !server->skip;
		const char *outdated = client && (server->replication || (fast && resting))
					       ? pgm_server_outdated(server)
					       : NULL;
		if (outdated)
			pgm_client_end(client, "57P01", "%s", outdated);
	}
}

/* The pool's minimum, which is worker 0's to keep. A server that is away is tried now and then. */
static void keep_minimum(struct pgm_share *share)
{
	struct pgm_pooler *pooler = share->worker->pooler;
	struct pgm_pool *pool = share->pool;
	uint64_t now = share->worker->loop.now_us;
	int minimum = share->worker->index == 0 ? pgm_pool_minimum(pool) : 0;
	bool failing = atomic_load(&pool->failures);
	if (atomic_load(&pool->servers) >= minimum || is_paused(share) || now < share->next_connect_us)
		return;
	if (failing) {
		pthread_mutex_lock(&pool->lock);
		int64_t retry_ms = pooler->config->server_login_retry_ms; /* 0: not even that */
		bool soon = retry_ms > 0 && !over(now, pool->failure.at_us, retry_ms);
		pthread_mutex_unlock(&pool->lock);
		if (soon || share->logging_in.count)
			return;
	}
	while (atomic_load(&pool->servers) < minimum && pgm_pool_take(pooler, pool, false)) {
		pgm_server_connect(share);
		if (failing || now < share->next_connect_us)
			return;
	}
}

static void check_share(struct pgm_share *share)
{
	const struct pgm_pool_config *config = share->worker->pooler->config;
	uint64_t now = share->worker->loop.now_us;
	struct pgm_server *server;
	share->asked_others = share->asked_room = false;
	share->serving = true; /* a closed server must not bring others from one list to the other now */
	pgm_list_each(&share->idle, server, struct pgm_server, link)
	{
		const char *reason = stale_idle(server);
		if (reason)
			pgm_server_close(server, reason);
	}
	pgm_list_each(&share->logging_in, server, struct pgm_server,
		      link) if (over(now, server->connected_us, config->server_connect_timeout_ms))
		pgm_server_lost(server, "connect timeout");
	/* a server that hangs in a statement of our own is of no use */
	pgm_list_each(&share->busy, server, struct pgm_server,
		      link) if (server->job != PGM_JOB_NONE && over(now, server->job_started_us, 10000))
		pgm_server_lost(server, "our own statement timed out");
	close_outdated(share);
	share->serving = false;
	keep_minimum(share);
	if (share->waiting.count)
		pgm_share_serve(share);
}

/* Another worker, if it is to take some of this one's clients; what part of them, in thousandths. */
static struct pgm_worker *taker(const struct pgm_worker *worker, int load, int *part_permille)
{
	const struct pgm_pooler *pooler = worker->pooler;
	struct pgm_worker *best = NULL;
	for (unsigned i = 0; i < pooler->worker_count; i++) {
		struct pgm_worker *other = pooler->workers[i];
		int theirs = load_of(other);
		if (i == worker->index)
			continue;
		/* hardly anything to do: let one before it do that too */
		if (i < worker->index && load < PGM_WORKER_IDLE_PERMILLE &&
		    theirs + load < PGM_WORKER_SPARE_PERMILLE) {
			*part_permille = 1000;
			return other;
		}
		if (load > PGM_WORKER_FULL_PERMILLE && theirs < PGM_WORKER_SPARE_PERMILLE &&
		    (!best || theirs < load_of(best)))
			best = other;
	}
	*part_permille = best ? (load - load_of(best)) * 500 / load : 0;
	return best;
}

static void share_out(struct pgm_worker *worker, uint64_t elapsed_us)
{
	struct timespec cpu;
	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &cpu);
	uint64_t cpu_us = (uint64_t)cpu.tv_sec * 1000000 + (uint64_t)cpu.tv_nsec / 1000;
	int part, load = (int)((cpu_us - worker->cpu_us) * 1000 / elapsed_us);
	worker->cpu_us = cpu_us;
	worker->round++;
	worker->move_to = taker(worker, load, &part);
	worker->move_quota =
		worker->move_to ? (unsigned)((uint64_t)worker->active * (unsigned)part / 1000) : 0;
	if (worker->move_to && !worker->move_quota && worker->active > 1)
		worker->move_quota = 1;
	worker->active = 0;
	atomic_store_explicit(&worker->load_permille, load, memory_order_relaxed);
}

/* The first worker sees to pools' minimums, also to those that it has no clients of. */
static void mind_minimums(struct pgm_worker *worker)
{
	struct pgm_pooler *pooler = worker->pooler;
	pthread_mutex_lock(&pooler->lock);
	for (size_t i = 0; i < pooler->pool_count; i++)
		if (pooler->pools[i]->min_size > 0)
			(void)pgm_worker_share(worker, pooler->pools[i]);
	pthread_mutex_unlock(&pooler->lock);
}

static void tick(struct pgm_worker *worker)
{
	uint64_t now = worker->loop.now_us;
	if (now - worker->last_tick_us < PGM_WORKER_TICK_MS * 1000)
		return;
	share_out(worker, worker->last_tick_us ? now - worker->last_tick_us : PGM_WORKER_TICK_MS * 1000);
	worker->last_tick_us = now;
	if (worker->accept_again)
		pgm_worker_accept(worker, true);
	choose_to_listen(worker);
	if (worker->index == 0)
		mind_minimums(worker);
	for (size_t i = 0; i < worker->share_capacity; i++)
		if (worker->shares[i])
			check_share(worker->shares[i]);
	pgm_cancel_tick(worker);
	if (now - worker->last_slow_tick_us < PGM_WORKER_TICK_MS * 5000)
		return;
	worker->last_slow_tick_us = now;
	/* one that is closed may give its server to another, and that one may end: so the next is followed */
	for (struct pgm_link *link = worker->clients.head.next; link != &worker->clients.head;
	     link = worker->next_checked) {
		worker->next_checked = link->next;
		check_client(worker, pgm_container_of(link, struct pgm_client, link));
	}
	worker->next_checked = NULL;
}

void pgm_worker_round(struct pgm_worker *worker, int timeout_ms)
{
	pgm_loop_run_once(&worker->loop, &worker->lock, timeout_ms);
	pthread_mutex_lock(&worker->lock);
	pgm_client_move_all(worker);
	tick(worker);
	pthread_mutex_unlock(&worker->lock);
}

static void *run(void *data)
{
	struct pgm_worker *worker = data;
	sigset_t all;
	sigfillset(&all);
	pthread_sigmask(SIG_BLOCK, &all, NULL);
	pthread_mutex_lock(&worker->lock);
	while (!worker->stop) {
		pthread_mutex_unlock(&worker->lock);
		pgm_worker_round(worker, PGM_WORKER_TICK_MS);
		pthread_mutex_lock(&worker->lock);
	}
	pthread_mutex_unlock(&worker->lock);
	return NULL;
}

struct pgm_worker *pgm_worker_new(struct pgm_pooler *pooler, unsigned index, struct pgm_error *err)
{
	struct pgm_worker *worker = calloc(1, sizeof(*worker));
	if (!worker || !(worker->scratch = malloc(PGM_CARRY_BYTES + PGM_SCRATCH_BYTES)) ||
	    !(worker->rewrite = malloc(PGM_CARRY_BYTES)) || !(worker->scans = pgm_scan_cache_new()) ||
	    !(worker->listeners = calloc(pooler->listener_count + 1, sizeof(*worker->listeners)))) {
		pgm_error_set(err, PGM_ERR_SYSTEM, "out of memory");
		return NULL;
	}
	worker->pooler = pooler;
	worker->index = index;
	pthread_mutex_init(&worker->lock, NULL);
	pgm_list_init(&worker->clients);
	pgm_list_init(&worker->cancels);
	pgm_list_init(&worker->movers);
	if (!pgm_loop_init(&worker->loop, worker, err))
		return NULL;
	if (pooler->config->profile &&
	    !(worker->profile = pgm_profile_new((size_t)pooler->config->profile_max))) {
		pgm_error_set(err, PGM_ERR_SYSTEM, "out of memory");
		return NULL;
	}
	for (size_t i = 0; i < pooler->listener_count; i++) {
		worker->listeners[i].source = (struct pgm_source){pooler->listeners[i], accept_clients};
		worker->listeners[i].worker = worker;
	}
	worker->listener_count = pooler->listener_count;
	pgm_worker_accept(worker, true);
	return worker;
}

bool pgm_worker_start(struct pgm_worker *worker, struct pgm_error *err)
{
	int failed = pthread_create(&worker->thread, NULL, run, worker);
	return !failed || pgm_error_set(err, PGM_ERR_SYSTEM, "cannot start a thread: %s", strerror(failed));
}

void pgm_worker_stop(struct pgm_worker *worker)
{
	uint64_t one = 1;
	pthread_mutex_lock(&worker->lock);
	worker->stop = true;
	pthread_mutex_unlock(&worker->lock);
	ssize_t written = write(worker->loop.wake.fd, &one, sizeof(one));
	(void)written;
	pthread_join(worker->thread, NULL);
}

void pgm_worker_drain(struct pgm_worker *worker)
{
	uint64_t one = 1;
	for (size_t i = 0; i < worker->share_capacity; i++)
		if (worker->shares[i])
			worker->shares[i]->serving = true; /* nobody is served any more */
	ssize_t written = write(worker->loop.wake.fd, &one, sizeof(one));
	(void)written;
	worker->loop.wake.ready(&worker->loop.wake, EPOLLIN);
	pgm_cancel_forget_askers(worker);
}

void pgm_worker_free(struct pgm_worker *worker)
{
	struct pgm_client *client;
	struct pgm_server *server;
	for (size_t i = 0; i < worker->share_capacity; i++)
		if (worker->shares[i])
			worker->shares[i]->serving = true; /* nobody is served any more */
	pgm_list_each(&worker->clients, client, struct pgm_client, link) pgm_client_farewell(client);
	/* what they had running is cancelled, for PostgreSQL would go on with it */
	pgm_worker_accept(worker, false);
	for (int round = 0; worker->cancels.count && round < CANCEL_ROUNDS; round++)
		pgm_loop_run_once(&worker->loop, &worker->lock, CANCEL_ROUND_MS);
	for (size_t i = 0; i < worker->share_capacity; i++) {
		struct pgm_share *share = worker->shares[i];
		if (!share)
			continue;
		pgm_list_each(&share->idle, server, struct pgm_server, link)
			pgm_server_close(server, "shutdown");
		pgm_list_each(&share->busy, server, struct pgm_server, link)
			pgm_server_close(server, "shutdown");
		pgm_list_each(&share->logging_in, server, struct pgm_server, link)
			pgm_server_close(server, "shutdown");
	}
	pgm_cancel_drop_all(worker);
	pgm_loop_done(&worker->loop);
	for (size_t i = 0; i < worker->share_capacity; i++)
		free(worker->shares[i]);
	free(worker->shares);
	pgm_profile_free(worker->profile);
	pgm_scan_cache_free(worker->scans);
	free(worker->scratch);
	free(worker->rewrite);
	free(worker->listeners);
	pthread_mutex_destroy(&worker->lock);
	free(worker);
}
