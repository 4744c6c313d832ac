/*
 * A server's connection up to its first ReadyForQuery: connect, TLS, startup packet, authentication.
 */
#include "pool/client.h"
#include "pool/hosts.h"
#include "pool/relay.h"
#include "pool/server.h"
#include "pool/session.h"
#include "pool/tcp.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define LOGIN_MESSAGE_MAX ((size_t)32 << 10)

struct pgm_server_login {
	struct pgm_server_auth auth;
	struct pgm_scram_keys keys;
	struct pgm_scram_cache cache;
	char *user, *secret; /* copies: a reload may come before the server asks */
	uint8_t binding[64];
	bool authenticated; /* AuthenticationOk came */
	bool tls_reversed;  /* sslmode allow: with TLS; prefer: without: the first way was refused */
};

const char *pgm_server_user(const struct pgm_server *server)
{
	const struct pgm_config_database *config = server->share->pool->database->config;
	return config && config->user ? config->user : server->share->pool->user;
}

void pgm_server_login_free(struct pgm_server *server)
{
	struct pgm_server_login *login = server->login;
	server->login = NULL;
	if (!login)
		return;
	pgm_server_auth_done(&login->auth);
	if (login->secret)
		pgm_scram_wipe(login->secret, strlen(login->secret));
	free(login->secret);
	free(login->user);
	pgm_scram_wipe(login, sizeof(*login));
	free(login);
}

static bool in_turn(const struct pgm_database *database)
{
	return database->config && database->config->load_balance_round_robin;
}

static bool pick_address(struct pgm_database *database, struct pgm_server *server)
{
	pthread_mutex_lock(&database->lock);
	size_t count = database->address_count;
	if (count) {
		server->picked = in_turn(database) ? atomic_fetch_add(&database->next_address, 1)
						   : atomic_load(&database->next_address);
		server->address = database->addresses[server->picked % count];
	}
	pthread_mutex_unlock(&database->lock);
	return count > 0;
}

void pgm_server_leave_address(struct pgm_server *server)
{
	struct pgm_database *database = server->share->pool->database;
	unsigned picked = server->picked;
	if (server->address.length && !in_turn(database))
		atomic_compare_exchange_strong(&database->next_address, &picked, picked + 1);
}

static void free_grave(struct pgm_grave *grave)
{
	struct pgm_server *server = (struct pgm_server *)grave;
	for (; server->expect_count; server->expect_count--, server->expect_head++)
		pgm_relay_forget(server, pgm_server_head(server));
	free(server->expects);
	free(server->sample);
	free(server->carry);
	pgm_pairs_drop(server->applied);
	pgm_pairs_drop(server->reports);
	pgm_holding_clear(&server->holding);
	free(server);
}

static struct pgm_server *new_server(struct pgm_share *share, struct pgm_client *client)
{
	struct pgm_server *server = calloc(1, sizeof(*server));
	struct pgm_pool *pool = share->pool;
	if (!server || !(server->login = calloc(1, sizeof(*server->login)))) {
		free(server);
		return NULL;
	}
	server->grave.release = free_grave;
	server->share = share;
	server->id = atomic_fetch_add(&share->worker->pooler->next_server_id, 1) + 1;
	server->connected_us = share->worker->loop.now_us;
	server->reconnect = atomic_load(&pool->database->reconnect);
	server->moved = atomic_load(&pool->database->moved);
	server->applied = pgm_pairs_of(NULL, 0);
	server->reports = pgm_pairs_of(NULL, 0);
	server->status = 'I';
	server->stream.source.fd = -1;
	const struct pgm_config_database *config = pool->database->config;
	pthread_mutex_lock(&pool->lock);
	const char *secret = config && config->password ? config->password : pool->secret;
	/* a forced user logs in with what the configuration has for it, never with a client's own */
	bool forced = config && config->user;
	if (forced && !config->password)
		secret = pgm_config_secret_find(share->worker->pooler->config, config->user);
	server->login->user = strdup(pgm_server_user(server));
	server->login->secret = secret ? strdup(secret) : NULL;
	server->login->keys = pool->keys;
	server->login->cache = pool->scram_cache;
	struct pgm_server_secret use = {.user = server->login->user,
					.secret = server->login->secret,
					.keys = pool->have_keys && !forced ? &server->login->keys : NULL};
	pthread_mutex_unlock(&pool->lock);
	if (!server->login->user || (secret && !server->login->secret)) {
		pgm_server_login_free(server);
		free_grave(&server->grave);
		return NULL;
	}
	if (client) {
		server->client = client;
		server->replication = true;
		client->server = server;
		pgm_pairs_put(&server->applied, pgm_pairs_hold(client->base));
	}
	pgm_server_auth_begin(&server->login->auth, &use);
	server->login->auth.cache = &server->login->cache;
	return server;
}

/* To its address. False: why. */
static bool begin_connect(struct pgm_server *server, char *why, size_t size)
{
	struct pgm_worker *worker = server->share->worker;
	const struct sockaddr *address = (const struct sockaddr *)&server->address.address;
	int fd = socket(address->sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd >= 0 && address->sa_family != AF_UNIX)
		pgm_tcp_tune(fd, worker->pooler->config);
	bool begun = fd >= 0 && (connect(fd, address, server->address.length) == 0 || errno == EINPROGRESS) &&
		     pgm_stream_open(&server->stream, &worker->loop, fd, address, pgm_server_ready);
	if (!begun) {
		snprintf(why, size, "cannot connect to %s port %d: %s", server->address.host,
			 server->address.port, strerror(errno));
		if (fd >= 0)
			close(fd);
		return false;
	}
	server->stream.want_write = true;
	pgm_loop_want_write(&worker->loop, &server->stream.source, true);
	pgm_server_move(server, PGM_SERVER_CONNECTING);
	return true;
}

static void connect_server(struct pgm_share *share, struct pgm_client *client)
{
	struct pgm_pool *pool = share->pool;
	struct pgm_server *server = new_server(share, client);
	if (!server) {
		pgm_pool_give_back(pool);
		share->next_connect_us = share->worker->loop.now_us + 100000;
		if (client)
			pgm_client_end(client, "53200", "out of memory");
		return;
	}
	char why[512] = "the database's host name is not resolved";
	pgm_hosts_refresh(share->worker->pooler, pool->database);
	if (pick_address(pool->database, server) && begin_connect(server, why, sizeof(why)))
		return;
	pgm_log(PGM_LOG_WARNING, "%s/%s: %s", pool->database->name, pool->user, why);
	if (client) {
		client->server = NULL;
		pgm_server_leave_address(server);
	} else {
		pgm_server_failed(server, "08006", why, false);
	}
	pgm_server_login_free(server);
	pgm_stream_close(&server->stream);
	pgm_pool_give_back(pool);
	free_grave(&server->grave);
	if (client)
		pgm_client_end(client, "08006", "%s", why);
}

void pgm_server_connect(struct pgm_share *share)
{
	connect_server(share, NULL);
}

void pgm_server_connect_for(struct pgm_share *share, struct pgm_client *client)
{
	connect_server(share, client);
}

static void send_startup(struct pgm_server *server)
{
	uint8_t packet[PGM_WIRE_STARTUP_MAX * 2];
	struct pgm_writer writer = pgm_writer_over(packet, sizeof(packet));
	const struct pgm_pairs *own = server->replication ? server->client->base : NULL;
	const struct pgm_config_database *config = server->share->pool->database->config;
	struct pgm_pair pairs[] = {
		{"user", server->login->user},
		{"database", server->share->pool->database->server_name},
		{"client_encoding", config ? config->client_encoding : NULL},
		{"datestyle", config ? config->datestyle : NULL},
		{"timezone", config ? config->timezone : NULL},
		{"application_name", config ? config->application_name : NULL},
	};
	pgm_writer_begin(&writer, 0);
	pgm_writer_u32(&writer, PGM_WIRE_PROTOCOL_3_0);
	for (size_t i = 0; i < sizeof(pairs) / sizeof(*pairs); i++)
		if (pairs[i].value) {
			pgm_writer_string(&writer, pairs[i].name);
			pgm_writer_string(&writer, pairs[i].value);
		}
	if (server->replication) {
		pgm_writer_string(&writer, "replication");
		pgm_writer_string(&writer, server->client->replication_database ? "database" : "true");
	}
	for (size_t i = 0; i < (own ? pgm_pairs_count(own) : 0); i++) { /* the last of a name counts */
		pgm_writer_string(&writer, pgm_pairs_at(own, i)->name);
		pgm_writer_string(&writer, pgm_pairs_at(own, i)->value);
	}
	pgm_writer_u8(&writer, 0);
	pgm_writer_end(&writer);
	pgm_server_move(server, PGM_SERVER_LOGIN);
	if (writer.full || !pgm_stream_write(&server->stream, packet, pgm_writer_length(&writer)))
		pgm_server_lost(server, "server closed the connection unexpectedly");
}

static enum pgm_sslmode sslmode(const struct pgm_server *server)
{
	return server->address.address.ss_family == AF_UNIX
		       ? PGM_SSL_DISABLE
		       : server->share->worker->pooler->config->server_tls.mode;
}

static bool may_reverse(enum pgm_sslmode mode)
{
	return mode == PGM_SSL_ALLOW || mode == PGM_SSL_PREFER;
}

/*
 * As libpq, and for each connection anew: allow tries with TLS where it is refused without, prefer without
 * where it is refused with. False: there is no other way.
 */
static bool connect_other_way(struct pgm_server *server, const char *refused)
{
	struct pgm_server_login *login = server->login;
	char why[512];
	if (login->tls_reversed || !may_reverse(sslmode(server)) ||
	    (sslmode(server) == PGM_SSL_PREFER) != (server->stream.tls != NULL))
		return false;
	pgm_log(PGM_LOG_DEBUG, "S-%llu: %s/%s: next %s TLS: %s", (unsigned long long)server->id,
		server->share->pool->database->name, server->share->pool->user,
		server->stream.tls ? "without" : "with", refused);
	/* nothing of the first way counts for the other */
	struct pgm_server_secret use = login->auth.secret;
	pgm_server_auth_done(&login->auth);
	login->auth = (struct pgm_server_auth){.cache = &login->cache};
	pgm_server_auth_begin(&login->auth, &use);
	login->authenticated = false;
	login->tls_reversed = true;
	pgm_pairs_put(&server->reports, pgm_pairs_of(NULL, 0));
	server->secret_length = server->carry_length = 0;
	pgm_stream_close(&server->stream);
	if (!begin_connect(server, why, sizeof(why)))
		pgm_server_lost(server, why);
	return true;
}

static void connected(struct pgm_server *server)
{
	int error = 0;
	socklen_t size = sizeof(error);
	getsockopt(server->stream.source.fd, SOL_SOCKET, SO_ERROR, &error, &size);
	if (error) {
		char why[512];
		snprintf(why, sizeof(why), "cannot connect to %s port %d: %s", server->address.host,
			 server->address.port, strerror(error));
		pgm_server_lost(server, why);
		return;
	}
	server->stream.want_write = false;
	pgm_loop_want_write(server->stream.loop, &server->stream.source, false);
	enum pgm_sslmode mode = sslmode(server);
	bool reversed = server->login->tls_reversed && may_reverse(mode);
	/* it offers TLS and refuses it: perhaps it is not the server that says so */
	server->login->auth.require_encrypted |= reversed && mode == PGM_SSL_PREFER;
	if ((mode >= PGM_SSL_PREFER) != reversed && server->share->worker->pooler->server_tls) {
		uint8_t request[8];
		pgm_wire_put32(request, 8);
		pgm_wire_put32(request + 4, PGM_WIRE_CODE_SSL);
		pgm_server_move(server, PGM_SERVER_TLS_ASKED);
		if (!pgm_stream_write(&server->stream, request, sizeof(request)))
			pgm_server_lost(server, "server closed the connection unexpectedly");
	} else {
		send_startup(server);
	}
}

static void login_failed(struct pgm_server *server, const char *sqlstate, const char *message, bool final)
{
	pgm_log(PGM_LOG_WARNING, "S-%llu: %s/%s: server login failed: %s", (unsigned long long)server->id,
		server->share->pool->database->name, server->share->pool->user, message);
	struct pgm_client *client = server->client;
	if (!client)
		pgm_server_failed(server, sqlstate, message, final);
	server->stream.hangup = true;
	server->client = NULL;
	if (client)
		client->server = NULL;
	pgm_server_close(server, "login failed");
	if (client)
		pgm_client_end(client, sqlstate, "%s", message);
}

/* One byte says whether the server speaks TLS; more than one was stuffed in before it was safe. */
static void read_tls_answer(struct pgm_server *server)
{
	uint8_t answer[2];
	size_t got;
	enum pgm_stream_result result = pgm_stream_read(&server->stream, answer, sizeof(answer), &got);
	if (result == PGM_STREAM_WAIT)
		return;
	if (result == PGM_STREAM_END || got != 1 || (answer[0] != 'S' && answer[0] != 'N')) {
		pgm_server_lost(server, "the server did not answer a request for TLS as it should");
		return;
	}
	if (answer[0] == 'N') {
		/* it may not be the server that says so */
		server->login->auth.require_encrypted = true;
		if (sslmode(server) >= PGM_SSL_REQUIRE)
			login_failed(server, "08006",
				     "the server does not support TLS, but server_tls_sslmode requires it",
				     true);
		else
			send_startup(server);
		return;
	}
	server->stream.tls = pgm_tls_new(server->share->worker->pooler->server_tls, server->stream.source.fd,
					 server->address.host, sslmode(server) == PGM_SSL_VERIFY_FULL, false);
	if (!server->stream.tls) {
		pgm_server_lost(server, "out of memory");
		return;
	}
	server->stream.readable = true;
	pgm_server_move(server, PGM_SERVER_TLS);
}

static void handshake(struct pgm_server *server)
{
	struct pgm_server_login *login = server->login;
	char why[512];
	switch (pgm_tls_handshake(server->stream.tls)) {
	case PGM_TLS_OK:
		login->auth.tls = true;
		if (pgm_tls_binding(server->stream.tls, login->binding, &login->auth.binding_length))
			login->auth.binding = login->binding;
		server->stream.want_write = false;
		pgm_loop_want_write(server->stream.loop, &server->stream.source, false);
		server->stream.readable = true;
		send_startup(server);
		return;
	case PGM_TLS_WAIT_READ:
		return;
	case PGM_TLS_WAIT_WRITE:
		server->stream.want_write = true;
		pgm_loop_want_write(server->stream.loop, &server->stream.source, true);
		return;
	default:
		snprintf(why, sizeof(why), "TLS with the server failed: %s", pgm_tls_why(server->stream.tls));
		/* a connection that broke mends itself; a certificate that is not right does not */
		if (connect_other_way(server, why))
			return;
		if (strstr(why, "certificate"))
			login_failed(server, "08006", why, true);
		else
			pgm_server_lost(server, why);
	}
}

static void logged_in(struct pgm_server *server)
{
	struct pgm_pool *pool = server->share->pool;
	struct pgm_server_login *login = server->login;
	struct pgm_client *client = server->client;
	pthread_mutex_lock(&pool->lock);
	if (!client)
		pgm_pairs_put(&pool->reports, pgm_pairs_hold(server->reports));
	pool->failure.at_us = 0;
	atomic_store(&pool->failures, 0);
	if (login->cache.valid)
		pool->scram_cache = login->cache;
	pthread_mutex_unlock(&pool->lock);
	pgm_server_login_free(server);
	pgm_log(PGM_LOG_DEBUG, "S-%llu: %s/%s@%s:%d login succeeded, pid %u", (unsigned long long)server->id,
		pool->database->name, pool->user, server->address.host, server->address.port, server->pid);
	server->released_us = server->share->worker->loop.now_us;
	pgm_server_move(server, PGM_SERVER_LINKED);
	if (client) {
		server->linked_us = server->released_us;
		pgm_client_linked(client);
		return;
	}
	const struct pgm_config_database *config = pool->database->config;
	if (config && config->connect_query && *config->connect_query)
		pgm_job_start(server, PGM_JOB_CONNECT_QUERY, config->connect_query);
	else
		pgm_server_to_idle(server);
}

/* Waiting does not mend these, so clients are told at once. */
static bool is_final(const char *sqlstate)
{
	return strncmp(sqlstate, "28", 2) == 0 || strcmp(sqlstate, "3D000") == 0 ||
	       strcmp(sqlstate, "42501") == 0 || strncmp(sqlstate, "22", 2) == 0 ||
	       strncmp(sqlstate, "42", 2) == 0;
}

static bool authenticate(struct pgm_server *server, const uint8_t *body, size_t length)
{
	uint8_t answer[PGM_SCRAM_MESSAGE_MAX + 64];
	struct pgm_writer writer = pgm_writer_over(answer, sizeof(answer));
	struct pgm_server_auth *auth = &server->login->auth;
	enum pgm_auth_verdict verdict = pgm_server_auth_step(auth, body, length, &writer);
	server->login->authenticated |= verdict == PGM_AUTH_OK;
	if (verdict == PGM_AUTH_FAILED) {
		char message[sizeof(auth->message)], sqlstate[6];
		snprintf(message, sizeof(message), "%s", auth->message);
		snprintf(sqlstate, sizeof(sqlstate), "%s", auth->sqlstate ? auth->sqlstate : "28000");
		login_failed(server, sqlstate, message, true);
		return false;
	}
	bool sent = !pgm_writer_length(&writer) ||
		    pgm_stream_write(&server->stream, answer, pgm_writer_length(&writer));
	pgm_scram_wipe(answer, sizeof(answer));
	if (!sent)
		pgm_server_lost(server, "server closed the connection unexpectedly");
	return sent;
}

/* False: the server is gone, or logged in. */
static bool login_message(struct pgm_server *server, uint8_t type, const uint8_t *body, size_t length)
{
	struct pgm_cursor cursor = pgm_cursor_over(body, length);
	struct pgm_wire_error error;
	switch (type) {
	case PGM_BE_AUTHENTICATION:
		return authenticate(server, body, length);
	case PGM_BE_PARAMETER_STATUS: {
		const char *name = pgm_cursor_string(&cursor, NULL);
		const char *value = pgm_cursor_string(&cursor, NULL);
		if (cursor.bad || pgm_pairs_count(server->reports) >= 256 ||
		    pgm_pairs_change(&server->reports, pgm_pairs_with(server->reports, name, value)))
			return true;
		pgm_server_lost(server, "out of memory");
		return false;
	}
	case PGM_BE_BACKEND_KEY:
		server->pid = pgm_cursor_u32(&cursor);
		server->secret_length = pgm_cursor_left(&cursor);
		if (cursor.bad || server->secret_length > sizeof(server->secret))
			server->secret_length = 0;
		memcpy(server->secret, cursor.at, server->secret_length);
		return true;
	case PGM_BE_NOTICE:
	case PGM_BE_NEGOTIATE:
		return true;
	case PGM_BE_ERROR:
		if (!pgm_wire_read_error(body, length, &error))
			error = (struct pgm_wire_error){.sqlstate = "08P01", .message = "malformed error"};
		/* no line of its pg_hba.conf is for connections like this one */
		if (strcmp(error.sqlstate, "28000") != 0 || !connect_other_way(server, error.message))
			login_failed(server, error.sqlstate, error.message, is_final(error.sqlstate));
		return false;
	case PGM_BE_READY:
		if (!server->login->authenticated) {
			pgm_server_lost(server, "the server skipped authentication");
			return false;
		}
		server->status = 'I';
		logged_in(server);
		return false;
	default:
		pgm_server_lost(server, "the server sent an unexpected message during login");
		return false;
	}
}

static void read_login(struct pgm_server *server)
{
	struct pgm_worker *worker = server->share->worker;
	uint8_t *bytes = worker->scratch;
	size_t got;
	enum pgm_stream_result result;
	while (server->state == PGM_SERVER_LOGIN &&
	       (result = pgm_stream_read(&server->stream, bytes + server->carry_length,
					 LOGIN_MESSAGE_MAX * 2 - server->carry_length, &got)) !=
		       PGM_STREAM_WAIT) {
		if (result == PGM_STREAM_END) {
			pgm_server_lost(server, "server closed the connection unexpectedly");
			return;
		}
		if (server->carry_length)
			memcpy(bytes, server->carry, server->carry_length);
		size_t length = server->carry_length + got, at = 0;
		server->carry_length = 0;
		while (length - at >= PGM_WIRE_HEADER_BYTES) {
			size_t total = (size_t)pgm_wire_get32(bytes + at + 1) + 1;
			if (total < PGM_WIRE_HEADER_BYTES || total > LOGIN_MESSAGE_MAX) {
				pgm_server_lost(server, "the server sent a message of an impossible length");
				return;
			}
			if (length - at < total)
				break;
			if (!login_message(server, bytes[at], bytes + at + PGM_WIRE_HEADER_BYTES,
					   total - PGM_WIRE_HEADER_BYTES))
				return;
			at += total;
		}
		if (length > at && !server->carry && !(server->carry = malloc(LOGIN_MESSAGE_MAX * 2))) {
			pgm_server_lost(server, "out of memory");
			return;
		}
		if (length > at) {
			server->carry_capacity = LOGIN_MESSAGE_MAX * 2;
			memcpy(server->carry, bytes + at, length - at);
			server->carry_length = length - at;
		}
	}
}

void pgm_server_login_run(struct pgm_server *server, uint32_t events)
{
	(void)events;
	if (server->state == PGM_SERVER_CONNECTING)
		connected(server);
	if (server->state == PGM_SERVER_TLS_ASKED)
		read_tls_answer(server);
	if (server->state == PGM_SERVER_TLS)
		handshake(server);
	if (server->state == PGM_SERVER_LOGIN)
		read_login(server);
}
