#include "pool/server.h"

#include "pool/cancel.h"
#include "pool/client.h"
#include "pool/hosts.h"
#include "pool/relay.h"
#include "pool/session.h"
#include "util/clock.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Between two tries, at most: short, so that clients are served at once when PostgreSQL is back, and one try
 * of a worker is no burden to it. */
#define CONNECT_PAUSE_MS 500

void pgm_server_ready(struct pgm_source *source, uint32_t events)
{
	struct pgm_server *server = pgm_container_of(source, struct pgm_server, stream.source);
	struct pgm_client *client = server->client;
	bool waited = pgm_stream_waiting(&server->stream) > 0;
	if (!pgm_stream_note(&server->stream, events)) {
		pgm_server_lost(server, "server closed the connection unexpectedly");
		return;
	}
	switch (server->state) {
	case PGM_SERVER_CONNECTING:
	case PGM_SERVER_TLS_ASKED:
	case PGM_SERVER_TLS:
	case PGM_SERVER_LOGIN:
		pgm_server_login_run(server, events);
		return;
	case PGM_SERVER_IDLE:
	case PGM_SERVER_LINKED:
		pgm_server_relay(server);
		/* what was too much for the server has gone: the client may go on */
		if (waited && client && client->server == server && pgm_stream_waiting(&server->stream) == 0)
			pgm_client_run(client);
		return;
	case PGM_SERVER_DEAD:
		return;
	}
}

static struct pgm_list *list_of(struct pgm_server *server)
{
	switch (server->state) {
	case PGM_SERVER_IDLE:
		return &server->share->idle;
	case PGM_SERVER_LINKED:
		return &server->share->busy;
	case PGM_SERVER_DEAD:
		return NULL;
	default:
		return &server->share->logging_in;
	}
}

void pgm_server_move(struct pgm_server *server, enum pgm_server_state state)
{
	if (server->link.next)
		pgm_list_remove(list_of(server), &server->link);
	server->state = state;
	struct pgm_list *list = list_of(server);
	if (!list)
		return;
	if (state == PGM_SERVER_IDLE && !server->share->worker->pooler->config->server_round_robin)
		pgm_list_push(list, &server->link);
	else
		pgm_list_append(list, &server->link);
	atomic_store_explicit(&server->share->pool->at[server->share->worker->index].idle,
			      (int)server->share->idle.count, memory_order_relaxed);
}

void pgm_server_unhold(struct pgm_server *server)
{
	assert(server->cancels);
	if (--server->cancels > 0)
		return;
	if (server->state == PGM_SERVER_DEAD)
		pgm_loop_bury(&server->share->worker->loop, &server->grave);
	else if (server->state == PGM_SERVER_LINKED && !server->client && server->job == PGM_JOB_NONE)
		pgm_server_clean(server);
}

void pgm_server_close(struct pgm_server *server, const char *reason)
{
	struct pgm_share *share = server->share;
	struct pgm_loop *loop = &share->worker->loop;
	if (server->state == PGM_SERVER_DEAD)
		return;
	assert(!server->client);
	pgm_log(PGM_LOG_DEBUG, "S-%llu: %s/%s: closing because: %s (age=%llus)",
		(unsigned long long)server->id, share->pool->database->name, share->pool->user, reason,
		(unsigned long long)((loop->now_us - server->connected_us) / 1000000));
	if (server->state >= PGM_SERVER_IDLE && !server->stream.hangup) {
		static const uint8_t terminate[] = {PGM_FE_TERMINATE, 0, 0, 0, 4};
		(void)!pgm_stream_write(&server->stream, terminate, sizeof(terminate));
	}
	pgm_server_move(server, PGM_SERVER_DEAD);
	atomic_store_explicit(&share->pool->at[share->worker->index].idle, (int)share->idle.count,
			      memory_order_relaxed);
	pgm_stream_close(&server->stream);
	pgm_session_forget(server);
	pgm_server_login_free(server);
	pgm_pool_give_back(share->pool);
	if (server->cancels == 0)
		pgm_loop_bury(loop, &server->grave);
	pgm_share_serve(share);
}

void pgm_server_last_words(struct pgm_server *server, const struct pgm_wire_error *error)
{
	snprintf(server->last_words.sqlstate, sizeof(server->last_words.sqlstate), "%s", error->sqlstate);
	snprintf(server->last_words.message, sizeof(server->last_words.message), "%s", error->message);
	if (server->client)
		server->client_told = true;
}

void pgm_server_lost(struct pgm_server *server, const char *why)
{
	struct pgm_client *client = server->client;
	if (server->state == PGM_SERVER_DEAD)
		return;
	bool logged_in = server->state >= PGM_SERVER_IDLE;
	/* what we say must not become the end of a message that has begun */
	bool told = server->client_told || (server->skip && !server->skip_hidden);
	enum pgm_job job = server->job;
	if (server->last_words.message[0])
		why = server->last_words.message;
	pgm_log(logged_in && !client ? PGM_LOG_DEBUG : PGM_LOG_WARNING, "S-%llu: %s/%s: %s",
		(unsigned long long)server->id, server->share->pool->database->name,
		server->share->pool->user, why);
	char message[512], sqlstate[6];
	snprintf(message, sizeof(message), "%s", why);
	snprintf(sqlstate, sizeof(sqlstate), "%s",
		 *server->last_words.sqlstate ? server->last_words.sqlstate : "08006");
	server->client = NULL;
	if (!logged_in && !client)
		pgm_server_failed(server, sqlstate, message, false);
	else if (!logged_in)
		pgm_server_leave_address(server);
	if (client)
		client->server = NULL;
	server->stream.hangup = true;
	pgm_server_close(server, message);
	if (!client)
		return;
	/* another will do, but not in the midst of a transaction */
	if (server->status == 'I' && (job == PGM_JOB_CHECK || job == PGM_JOB_APPLY || job == PGM_JOB_CLEAN ||
				      job == PGM_JOB_SEQUENCES))
		pgm_client_wait(client);
	else if (told)
		pgm_client_end(client, NULL, "server closed the connection");
	else
		pgm_client_end(client, sqlstate, "%s", message);
}

void pgm_server_failed(struct pgm_server *server, const char *sqlstate, const char *message, bool final)
{
	struct pgm_pool *pool = server->share->pool;
	pthread_mutex_lock(&pool->lock);
	struct pgm_login_failure *failure = &pool->failure;
	snprintf(failure->sqlstate, sizeof(failure->sqlstate), "%s", sqlstate);
	snprintf(failure->message, sizeof(failure->message), "%s", message);
	failure->at_us = server->share->worker->loop.now_us;
	failure->final = final;
	pthread_mutex_unlock(&pool->lock);
	/* whom it does not let in is no reason for all others to leave it */
	if (strncmp(sqlstate, "28", 2) != 0)
		pgm_server_leave_address(server);
	unsigned in_row = atomic_fetch_add(&pool->failures, 1);
	in_row = in_row < 6 ? in_row : 6;
	int64_t most_ms = server->share->worker->pooler->config->server_login_retry_ms;
	if (most_ms > CONNECT_PAUSE_MS || most_ms <= 0)
		most_ms = CONNECT_PAUSE_MS;
	server->share->next_connect_us =
		server->share->worker->loop.now_us +
		(uint64_t)(pgm_clock_backoff_ms((int)in_row, 50, (double)most_ms) * 1000);
}

void pgm_server_link(struct pgm_server *server, struct pgm_client *client)
{
	struct pgm_share *share = server->share;
	assert(server->state == PGM_SERVER_IDLE && !server->client && !client->server);
	pgm_server_move(server, PGM_SERVER_LINKED);
	server->client = client;
	client->server = server;
	server->linked_us = share->worker->loop.now_us;
	server->checked = server->cleaned = false;
	server->cancelled = false;
	server->client_told = false;
	server->reset_due = share->worker->pooler->config->server_reset_query_always &&
			    share->pool->mode != PGM_POOL_SESSION;
	share->stats.server_assignments++;
	pgm_session_prepare(server);
}

void pgm_server_release(struct pgm_server *server)
{
	struct pgm_client *client = server->client;
	client->server = NULL;
	client->state = PGM_CLIENT_IDLE;
	client->pinned_us = 0;
	server->client = NULL;
	server->released_us = server->share->worker->loop.now_us;
	pgm_journal_clear(client);
	pgm_server_clean(server);
	if (client->state == PGM_CLIENT_IDLE &&
	    (client->pending_end > client->pending_start || client->stream.readable))
		pgm_client_run(client);
}

void pgm_server_abandon(struct pgm_server *server)
{
	struct pgm_client *client = server->client;
	bool session = client->pins & PGM_PIN_SESSION;
	server->dirty |= session || client->pins != 0 || (server->touched & PGM_SCAN_STATE);
	if (server->touched & PGM_SCAN_SEQUENCE_WRITE)
		pgm_session_wrote_sequences(server, client);
	client->server = NULL;
	server->client = NULL;
	server->released_us = server->share->worker->loop.now_us;
	bool resting = server->expect_count == 0 && !server->skip && !server->carry_length &&
		       !server->copy_in && !server->unsynced && !server->skip_to_sync &&
		       server->job == PGM_JOB_NONE && pgm_stream_waiting(&server->stream) == 0 &&
		       !client->stream_left && !client->replication;
	if (resting) {
		pgm_server_clean(server);
		return;
	}
	if (server->expect_count && !server->replication)
		pgm_server_cancel(server);
	pgm_server_close(server, server->replication ? "its replication client has gone"
						     : "client disconnected while a query ran");
}

const char *pgm_server_outdated(struct pgm_server *server)
{
	struct pgm_database *database = server->share->pool->database;
	unsigned moved = atomic_load_explicit(&database->moved, memory_order_relaxed);
	if (server->reconnect != atomic_load(&database->reconnect) || !database->config)
		return "database configuration changed";
	if (server->moved == moved)
		return NULL;
	if (!pgm_hosts_has(database, &server->address))
		return "its host has another address now";
	server->moved = moved;
	return NULL;
}

bool pgm_server_outlived(const struct pgm_server *server)
{
	struct pgm_pool *pool = server->share->pool;
	uint64_t now = server->share->worker->loop.now_us, lifetime_us = (uint64_t)pool->server_lifetime_us;
	if (!lifetime_us || now - server->connected_us <= lifetime_us)
		return false;
	uint64_t last_us = atomic_load(&pool->outlived_us);
	uint64_t gap_us = lifetime_us / 10 / (uint64_t)(pool->size > 0 ? pool->size : 1);
	return now - last_us >= gap_us && atomic_compare_exchange_strong(&pool->outlived_us, &last_us, now);
}

static const char *stale(struct pgm_server *server)
{
	const struct pgm_pool *pool = server->share->pool;
	const char *outdated = pgm_server_outdated(server);
	if (server->close_soon)
		return "its session is not known";
	if (outdated)
		return outdated;
	/* 0: after its first use */
	if (pool->server_lifetime_us ? pgm_server_outlived(server) : server->linked_us > 0)
		return "server lifetime over";
	if (atomic_load(&pool->servers) > pool->size + pool->reserve)
		return "too many servers in the pool";
	return NULL;
}

void pgm_server_clean(struct pgm_server *server)
{
	const struct pgm_pool_config *config = server->share->worker->pooler->config;
	const char *reset = config->server_reset_query;
	const char *reason = stale(server);
	if (server->cancels)
		return; /* pgm_server_unhold() goes on */
	if (reason) {
		pgm_server_close(server, reason);
		return;
	}
	if (server->cancelled) {
		server->cancelled = false;
		pgm_job_start(server, PGM_JOB_SETTLE, "");
	} else if (server->status != 'I') {
		pgm_job_start(server, PGM_JOB_ROLLBACK, "/* pgmend */ ROLLBACK");
	} else if (server->reset_due && reset && *reset) {
		/* it may do anything: what we know of the session is right again after DISCARD ALL */
		server->reset_due = false;
		server->dirty = true;
		if (strcasecmp(reset, "DISCARD ALL") == 0)
			pgm_server_clean(server);
		else
			pgm_job_start(server, PGM_JOB_ROLLBACK, reset);
	} else if (server->dirty) {
		bool session = server->share->pool->mode == PGM_POOL_SESSION;
		server->share->stats.resets++;
		pgm_job_start(server, PGM_JOB_RESET, session && reset && *reset ? reset : "DISCARD ALL");
	} else {
		pgm_server_to_idle(server);
	}
}

struct handover {
	struct pgm_letter letter;
	struct pgm_server *server;
	struct pgm_pool *pool;
};

static void take_handover(struct pgm_letter *letter, void *owner)
{
	struct handover *handover = (struct handover *)letter;
	struct pgm_worker *worker = owner;
	struct pgm_server *server = handover->server;
	free(handover);
	server->share = pgm_worker_share(worker, server->share->pool);
	server->share->asked_others = false;
	if (!pgm_stream_join(&server->stream, &worker->loop))
		server->close_soon = true;
	pgm_server_to_idle(server);
}

void pgm_server_hand_over(struct pgm_server *server, struct pgm_worker *to)
{
	struct handover *handover = malloc(sizeof(*handover));
	if (!handover)
		return;
	handover->letter.deliver = take_handover;
	handover->server = server;
	struct pgm_share *share = server->share;
	if (server->link.next)
		pgm_list_remove(list_of(server), &server->link);
	server->state = PGM_SERVER_LINKED;
	atomic_store_explicit(&share->pool->at[share->worker->index].idle, (int)share->idle.count,
			      memory_order_relaxed);
	pgm_stream_leave(&server->stream);
	pgm_loop_post(&to->loop, &handover->letter);
}

/* A worker whose clients have waited clearly longer than ours. */
static struct pgm_worker *hungrier(struct pgm_share *share)
{
	struct pgm_pool *pool = share->pool;
	struct pgm_worker *worker = share->worker;
	if (atomic_load_explicit(&pool->waiting, memory_order_relaxed) <= (int)share->waiting.count)
		return NULL;
	struct pgm_link *first = pgm_list_first(&share->waiting);
	uint64_t own =
		first ? pgm_container_of(first, struct pgm_client, waiting)->wait_since_us : UINT64_MAX;
	for (unsigned i = 0; i < worker->pooler->worker_count; i++) {
		uint64_t theirs = atomic_load_explicit(&pool->at[i].oldest_wait_us, memory_order_relaxed);
		if (i != worker->index && theirs && theirs + PGM_SHARE_PATIENCE_US < own)
			return worker->pooler->workers[i];
	}
	return NULL;
}

void pgm_server_to_idle(struct pgm_server *server)
{
	struct pgm_share *share = server->share;
	const char *reason = stale(server);
	if (reason) {
		pgm_server_close(server, reason);
		return;
	}
	if (!server->released_us)
		server->released_us = share->worker->loop.now_us;
	struct pgm_worker *other = hungrier(share);
	if (other && pgm_stream_waiting(&server->stream) == 0 && !server->stream.readable) {
		pgm_server_hand_over(server, other);
		return;
	}
	pgm_server_move(server, PGM_SERVER_IDLE);
	pgm_share_serve(share);
}

void pgm_server_cancel(struct pgm_server *server)
{
	server->cancelled = true;
	server->share->stats.cancels++;
	pgm_cancel_send(server);
}
