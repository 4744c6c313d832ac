/*
 * A client from its first byte to ReadyForQuery. Nothing it sends reaches a server before it is known who it
 * is: secrets are looked up on a session of their own (secrets.h), with the name as a parameter.
 */
#include "pool/cancel.h"
#include "pool/client.h"
#include "pool/config/hba.h"
#include "pool/console/console.h"
#include "pool/secrets.h"
#include "pool/session.h"

#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>

#define LOGIN_BYTES ((size_t)PGM_WIRE_STARTUP_MAX + 16)

struct pgm_client_login {
	struct pgm_client_auth auth;
	bool auth_begun, tls_done;
	char *user, *database, *secret;
	struct pgm_pair *pairs; /* of the startup packet */
	size_t pair_count;
	struct pgm_database *target;
	enum pgm_auth_type type;
	bool long_key;
	uint8_t binding[64];
	size_t binding_length;
	size_t length, taken; /* of bytes: what came, and what of that is the packet that is being handled */
	size_t written;	      /* of bytes: what was ever there, to be wiped */
	uint8_t bytes[LOGIN_BYTES]; /* not zeroed at the begin */
};

void pgm_login_free(struct pgm_client_login *login)
{
	if (!login)
		return;
	if (login->auth_begun)
		pgm_client_auth_done(&login->auth);
	for (size_t i = 0; i < login->pair_count; i++) {
		free((char *)(uintptr_t)login->pairs[i].name);
		free((char *)(uintptr_t)login->pairs[i].value);
	}
	free(login->pairs);
	free(login->user);
	free(login->database);
	if (login->secret)
		pgm_scram_wipe(login->secret, strlen(login->secret));
	free(login->secret);
	pgm_scram_wipe(login->bytes, login->written);
	free(login);
}

static bool add_pair(void *data, const char *name, const char *value)
{
	struct pgm_client_login *login = data;
	struct pgm_pair *grown = realloc(login->pairs, (login->pair_count + 1) * sizeof(*grown));
	if (!grown)
		return false;
	login->pairs = grown;
	struct pgm_pair *pair = &grown[login->pair_count];
	*pair = (struct pgm_pair){strdup(name), strdup(value)};
	if (pair->name && pair->value) {
		login->pair_count++;
		return true;
	}
	free((char *)(uintptr_t)pair->name);
	free((char *)(uintptr_t)pair->value);
	return false;
}

/* ---- the end: what a client is told of its session ---- */

static bool cached_reports(struct pgm_client *client)
{
	struct pgm_pool *pool = client->share->pool;
	pthread_mutex_lock(&pool->lock);
	const struct pgm_pairs *reports = NULL;
	if (pgm_pairs_count(client->base) == 0)
		reports = pool->reports;
	for (size_t i = 0; i < pool->welcome_count && !reports; i++)
		if (pool->welcomes[i].settings == client->base)
			reports = pool->welcomes[i].reports;
	if (reports)
		pgm_pairs_put(&client->reports, pgm_pairs_hold(reports));
	pthread_mutex_unlock(&pool->lock);
	return reports;
}

static void cache_reports(struct pgm_client *client)
{
	struct pgm_pool *pool = client->share->pool;
	size_t most = sizeof(pool->welcomes) / sizeof(*pool->welcomes);
	pthread_mutex_lock(&pool->lock);
	size_t at = 0;
	while (at < pool->welcome_count && pool->welcomes[at].settings != client->base)
		at++;
	if (at == most)
		at = client->id % most;
	else if (at == pool->welcome_count)
		pool->welcome_count++;
	pgm_pairs_put(&pool->welcomes[at].settings, pgm_pairs_hold(client->base));
	pgm_pairs_put(&pool->welcomes[at].reports, pgm_pairs_hold(client->reports));
	pthread_mutex_unlock(&pool->lock);
}

/* AuthenticationOk to ReadyForQuery, malloc'ed, for a server may report texts of any length. */
static uint8_t *make_welcome(const struct pgm_client *client, size_t *length)
{
	const char *notice = client->worker->pooler->config->login_notify_message;
	size_t size = 512 + (notice ? strlen(notice) : 0);
	for (size_t i = 0; i < pgm_pairs_count(client->reports); i++) {
		const struct pgm_pair *pair = pgm_pairs_at(client->reports, i);
		size += strlen(pair->name) + strlen(pair->value) + 16;
	}
	uint8_t *packet = malloc(size);
	if (!packet)
		return NULL;
	struct pgm_writer writer = pgm_writer_over(packet, size);
	pgm_wire_authentication(&writer, PGM_WIRE_AUTH_OK, NULL, 0);
	for (size_t i = 0; i < pgm_pairs_count(client->reports); i++) {
		const struct pgm_pair *pair = pgm_pairs_at(client->reports, i);
		pgm_wire_parameter_status(&writer, pair->name, pair->value);
	}
	pgm_writer_begin(&writer, PGM_BE_BACKEND_KEY);
	pgm_writer_u32(&writer, client->key.pid);
	pgm_writer_bytes(&writer, client->key.secret, client->key.length);
	pgm_writer_end(&writer);
	if (notice && *notice)
		pgm_wire_notice(&writer, &(struct pgm_wire_error){.severity = "NOTICE",
								  .sqlstate = "00000",
								  .message = notice});
	pgm_wire_ready(&writer, 'I');
	*length = pgm_writer_length(&writer);
	return packet;
}

void pgm_login_welcome(struct pgm_client *client)
{
	struct pgm_server *server = client->server;
	bool long_key = client->login->long_key;
	if (server) {
		pgm_pairs_put(&client->reports, pgm_pairs_hold(server->reports));
		if (server->applied == client->base && !client->replication)
			cache_reports(client);
	}
	bool session = client->share->pool->mode == PGM_POOL_SESSION || client->replication;
	if (!pgm_cancel_register(client->worker->pooler, &client->key, session && server ? server->pid : 0,
				 long_key, client->worker->index, client->id)) {
		pgm_client_end(client, "53200", "out of memory");
		return;
	}
	client->has_key = true;
	const char *standard = pgm_pairs_get(client->reports, "standard_conforming_strings");
	client->standard_strings = !standard || strcmp(standard, "off") != 0;
	size_t length;
	uint8_t *packet = make_welcome(client, &length);
	if (!packet) {
		pgm_client_end(client, "53200", "out of memory");
		return;
	}
	/* Where no password is asked for, its first requests may have come with the startup packet. */
	struct pgm_client_login *login = client->login;
	if (!pgm_client_keep(client, login->bytes + login->taken, login->length - login->taken)) {
		free(packet);
		pgm_client_end(client, "53200", "out of memory");
		return;
	}
	pgm_login_free(login);
	client->login = NULL;
	if (client->worker->pooler->config->log_connections)
		pgm_log(PGM_LOG_NOTICE, "C-%llu: %s/%s@%s login attempt: db=%s user=%s tls=%s",
			(unsigned long long)client->id, client->share->pool->database->name,
			client->user->name, client->peer, client->share->pool->database->name,
			client->user->name, client->stream.tls ? pgm_tls_version(client->stream.tls) : "no");
	client->state = server ? PGM_CLIENT_LINKED : PGM_CLIENT_IDLE;
	if (session)
		client->pins |= PGM_PIN_SESSION;
	bool sent = pgm_client_send(client, packet, length);
	free(packet);
	if (!sent)
		return;
	if (server && !session)
		pgm_server_release(server);
	else
		pgm_client_run(client);
}

static void await_welcome(struct pgm_client *client)
{
	client->state = PGM_CLIENT_WELCOME;
	if (client->share->pool->mode != PGM_POOL_SESSION && !client->replication && cached_reports(client))
		pgm_login_welcome(client);
	else
		pgm_client_wait(client);
}

/* ---- who it is ---- */

static bool keep_secret(struct pgm_pool *pool, struct pgm_client_login *login)
{
	bool kept = true;
	pthread_mutex_lock(&pool->lock);
	const char *secret = login->secret;
	enum pgm_secret_kind kind = pgm_secret_kind_of(secret);
	bool keep = kind == PGM_SECRET_PLAIN || kind == PGM_SECRET_MD5;
	if (secret && !(keep && pool->secret && strcmp(pool->secret, secret) == 0)) {
		/* an older one must not stand before the keys of a newer verifier */
		if (pool->secret)
			pgm_scram_wipe(pool->secret, strlen(pool->secret));
		free(pool->secret);
		pool->secret = keep ? strdup(secret) : NULL;
		kept = !keep || pool->secret;
	}
	if (login->auth.have_keys) {
		pool->keys = login->auth.keys;
		pool->have_keys = true;
	}
	pthread_mutex_unlock(&pool->lock);
	return kept;
}

static int64_t limit_of(int64_t own, int64_t global)
{
	int64_t limit = own != PGM_UNSET ? own : global;
	return limit > 0 ? limit : INT32_MAX;
}

/* Count it; false: that would be one too many, and it is told so. */
static bool admit(struct pgm_client *client)
{
	struct pgm_pooler *pooler = client->worker->pooler;
	const struct pgm_pool_config *config = pooler->config;
	struct pgm_database *database = client->share->pool->database;
	const struct pgm_config_user *user = pgm_config_user_find(config, client->user->name);
	int64_t most_database =
		limit_of(database->config ? database->config->max_db_client_connections : PGM_UNSET,
			 config->max_db_client_connections);
	int64_t most_user = limit_of(user ? user->max_user_client_connections : PGM_UNSET,
				     config->max_user_client_connections);
	if (!pgm_take_below(&pooler->client_count, config->max_client_conn)) {
		pgm_client_end(client, "53300", "no more connections allowed (max_client_conn)");
	} else if (!pgm_take_below(&database->clients, most_database)) {
		atomic_fetch_sub(&pooler->client_count, 1);
		pgm_client_end(client, "53300", "client connections exceeded (max_db_client_connections)");
	} else if (!pgm_take_below(&client->user->clients, most_user)) {
		atomic_fetch_sub(&database->clients, 1);
		atomic_fetch_sub(&pooler->client_count, 1);
		pgm_client_end(client, "53300", "client connections exceeded (max_user_client_connections)");
	} else {
		client->counted = true;
		atomic_fetch_add(&client->share->pool->clients, 1);
	}
	return client->counted;
}

/* app - 127.0.0.1:5312, as PgBouncer has it. */
static bool add_host(struct pgm_client *client)
{
	struct pgm_client_login *login = client->login;
	char name[256];
	const char *own = "app";
	for (size_t i = 0; i < login->pair_count; i++)
		if (strcasecmp(login->pairs[i].name, "application_name") == 0)
			own = login->pairs[i].value;
	snprintf(name, sizeof(name), "%.100s - %s", own, client->peer);
	return add_pair(login, "application_name", name);
}

static void authenticated(struct pgm_client *client)
{
	struct pgm_client_login *login = client->login;
	struct pgm_pooler *pooler = client->worker->pooler;
	if (login->target == pgm_console_database(pooler)) {
		pgm_console_adopt(client, login->user);
		return;
	}
	/* a reload may have taken the database away while the client's secret was looked up */
	if (!login->target->config) {
		pgm_client_end(client, "3D000", "no such database: %s", login->database);
		return;
	}
	const char *forced = login->target->config->user;
	struct pgm_pool *pool = pgm_pooler_pool(pooler, login->target, forced ? forced : login->user);
	client->user = pgm_pooler_user(pooler, login->user);
	if (!pool || !client->user || !(client->share = pgm_worker_share(client->worker, pool))) {
		pgm_client_end(client, "53200", "out of memory");
		return;
	}
	if (!admit(client))
		return;
	/* what logs in as another user is in the configuration */
	if ((!forced && !keep_secret(pool, login)) ||
	    (pooler->config->application_name_add_host && !add_host(client)) ||
	    !pgm_pairs_change(&client->base, pgm_pairs_of(login->pairs, login->pair_count)) ||
	    !pgm_client_set_settings(client, pgm_pairs_hold(client->base))) {
		pgm_client_end(client, "53200", "out of memory");
		return;
	}
	await_welcome(client);
}

static void take_verdict(struct pgm_client *client, enum pgm_auth_verdict verdict, struct pgm_writer *writer)
{
	struct pgm_client_auth *auth = &client->login->auth;
	if (pgm_writer_length(writer) && !pgm_client_send(client, writer->start, pgm_writer_length(writer)))
		return;
	if (verdict == PGM_AUTH_FAILED)
		pgm_client_end(client, auth->sqlstate ? auth->sqlstate : "28000", "%s", auth->message);
	else if (verdict == PGM_AUTH_OK)
		authenticated(client);
	else
		client->state = PGM_CLIENT_AUTH;
}

/* Its line of the HBA file, looked up anew each time: a reload may replace the file between two messages. */
static const struct pgm_hba_rule *find_rule(const struct pgm_client *client)
{
	const struct pgm_client_login *login = client->login;
	const struct pgm_pool_config *config = client->worker->pooler->config;
	struct sockaddr_storage address = {.ss_family = AF_UNIX};
	socklen_t size = sizeof(address);
	if (config->auth_type != PGM_AUTH_HBA || !config->hba ||
	    (!client->stream.unix_socket &&
	     getpeername(client->stream.source.fd, (struct sockaddr *)&address, &size) < 0))
		return NULL;
	struct pgm_hba_client asks = {.address = (struct sockaddr *)&address,
				      .tls = client->stream.tls,
				      .physical_replication =
					      client->replication && !client->replication_database,
				      .database = login->database,
				      .user = login->user};
	return pgm_hba_match(config->hba, &asks);
}

/* Whether who has this name in the certificate or in the system may be the user. */
static bool may_be(const struct pgm_client *client, const char *name)
{
	const struct pgm_hba_rule *rule = find_rule(client);
	return rule ? pgm_hba_maps(rule, name, client->login->user) : strcmp(name, client->login->user) == 0;
}

static bool certificate_fits(struct pgm_client *client)
{
	char name[256];
	return client->stream.tls && pgm_tls_peer_name(client->stream.tls, name, sizeof(name)) &&
	       may_be(client, name);
}

static bool user_name(uid_t uid, char *name, size_t size)
{
	char buffer[4096];
	struct passwd entry, *found;
	if (getpwuid_r(uid, &entry, buffer, sizeof(buffer), &found) != 0 || !found)
		return false;
	snprintf(name, size, "%s", found->pw_name);
	return true;
}

static bool peer_fits(struct pgm_client *client)
{
	struct ucred peer;
	socklen_t size = sizeof(peer);
	char name[256];
	return client->stream.unix_socket &&
	       getsockopt(client->stream.source.fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) == 0 &&
	       user_name(peer.uid, name, sizeof(name)) && may_be(client, name);
}

static void begin_auth(struct pgm_client *client)
{
	struct pgm_client_login *login = client->login;
	uint8_t packet[PGM_SCRAM_MESSAGE_MAX];
	struct pgm_writer writer = pgm_writer_over(packet, sizeof(packet));
	if (login->type == PGM_AUTH_PEER) {
		if (peer_fits(client))
			authenticated(client);
		else
			pgm_client_end(client, "28000", "Peer authentication failed for user \"%s\"",
				       login->user);
		return;
	}
	login->auth_begun = true;
	login->auth.iterations = (uint32_t)client->worker->pooler->config->scram_iterations;
	login->auth.cert_matches = login->type == PGM_AUTH_CERT && certificate_fits(client);
	enum pgm_auth_verdict verdict = pgm_client_auth_begin(
		&login->auth, login->type, login->user, login->secret,
		login->binding_length ? login->binding : NULL, login->binding_length, &writer);
	take_verdict(client, verdict, &writer);
}

void pgm_login_secret(struct pgm_client *client, bool found, const char *secret, const char *failure)
{
	if (failure) {
		pgm_client_end(client, "08006", "auth_query failed: %s", failure);
		return;
	}
	client->login->secret = found ? strdup(secret) : NULL;
	if (found && !client->login->secret)
		pgm_client_end(client, "53200", "out of memory");
	else
		begin_auth(client);
}

/* The console is no database of a server's, so only auth_dbname says where its users are. */
static bool may_ask(const struct pgm_client *client)
{
	const char *dbname = client->worker->pooler->config->auth_dbname;
	return client->login->target != pgm_console_database(client->worker->pooler) || (dbname && *dbname);
}

/* Which secret counts: of userlist.txt, else what auth_query says. */
static void find_secret(struct pgm_client *client)
{
	struct pgm_client_login *login = client->login;
	const struct pgm_pool_config *config = client->worker->pooler->config;
	const struct pgm_config_database *database = login->target->config;
	const char *secret = pgm_config_secret_find(config, login->user);
	const char *auth_user = database->auth_user ? database->auth_user : config->auth_user;
	if (secret) {
		login->secret = strdup(secret);
		if (!login->secret) {
			pgm_client_end(client, "53200", "out of memory");
			return;
		}
	} else if (auth_user && *auth_user && strcmp(auth_user, login->user) != 0 && may_ask(client)) {
		client->state = PGM_CLIENT_SECRET;
		enum pgm_secrets_asked asked =
			pgm_secrets_ask(client->worker, client->id, login->target, login->user);
		if (asked == PGM_SECRETS_NO_MEMORY)
			pgm_client_end(client, "53200", "out of memory");
		if (asked != PGM_SECRETS_NOBODY)
			return;
	}
	begin_auth(client);
}

static bool choose_type(struct pgm_client *client)
{
	struct pgm_client_login *login = client->login;
	const struct pgm_pool_config *config = client->worker->pooler->config;
	login->type = (enum pgm_auth_type)config->auth_type;
	if (login->type != PGM_AUTH_HBA)
		return true;
	const struct pgm_hba_rule *rule = find_rule(client);
	if (!rule || rule->method == PGM_AUTH_REJECT) {
		pgm_client_end(client, "28000", "login rejected");
		return false;
	}
	login->type = rule->method;
	return true;
}

/* ---- the first packet ---- */

static bool ignored(const struct pgm_pool_config *config, const char *name)
{
	return pgm_config_in_list(config->ignore_startup_parameters, name);
}

static bool take_parameters(struct pgm_client *client, const struct pgm_first_packet *packet)
{
	struct pgm_client_login *login = client->login;
	const struct pgm_pool_config *config = client->worker->pooler->config;
	for (size_t i = 0; i < packet->parameter_count; i++) {
		const struct pgm_wire_pair *pair = &packet->parameters[i];
		if (strncmp(pair->name, "_pq_.", 5) != 0 && !ignored(config, pair->name) &&
		    !add_pair(login, pair->name, pair->value))
			return pgm_client_end(client, "53200", "out of memory"), false;
	}
	char scratch[PGM_WIRE_STARTUP_MAX];
	const char *wrong = "";
	if (packet->options && !ignored(config, "options") &&
	    !pgm_wire_read_options(packet->options, scratch, sizeof(scratch), add_pair, login, &wrong)) {
		pgm_client_end(client, "08P01", "unsupported startup parameter in options: %s", wrong);
		return false;
	}
	return true;
}

static bool negotiate(struct pgm_client *client, const struct pgm_first_packet *packet)
{
	uint8_t message[PGM_WIRE_STARTUP_MAX + 64];
	client->login->long_key = packet->protocol >= PGM_WIRE_PROTOCOL_3_2;
	if (packet->protocol <= PGM_WIRE_PROTOCOL_3_2 && packet->protocol != 0x00030001 &&
	    !packet->unknown_option_count)
		return true;
	struct pgm_writer writer = pgm_writer_over(message, sizeof(message));
	uint32_t agreed =
		packet->protocol >= PGM_WIRE_PROTOCOL_3_2 ? PGM_WIRE_PROTOCOL_3_2 : PGM_WIRE_PROTOCOL_3_0;
	pgm_writer_begin(&writer, PGM_BE_NEGOTIATE);
	pgm_writer_u32(&writer, agreed);
	pgm_writer_u32(&writer, (uint32_t)packet->unknown_option_count);
	for (size_t i = 0; i < packet->unknown_option_count; i++)
		pgm_writer_string(&writer, packet->parameters[i].name);
	pgm_writer_end(&writer);
	return pgm_client_send(client, message, pgm_writer_length(&writer));
}

static void take_startup(struct pgm_client *client, const struct pgm_first_packet *packet)
{
	struct pgm_client_login *login = client->login;
	struct pgm_pooler *pooler = client->worker->pooler;
	const struct pgm_pool_config *config = pooler->config;
	bool console = pgm_console_is(packet->database);
	if (!client->stream.tls && !client->stream.unix_socket &&
	    config->client_tls.mode >= PGM_SSL_REQUIRE) {
		pgm_client_end(client, "28000", "SSL required");
		return;
	}
	if (!negotiate(client, packet))
		return;
	login->user = strdup(packet->user);
	login->database = strdup(packet->database);
	if (!login->user || !login->database) {
		pgm_client_end(client, "53200", "out of memory");
		return;
	}
	/* who was accepted while we wait for the clients is one of those */
	if (!console &&
	    (pgm_client_is_late(client) || atomic_load(&pooler->state) >= PGM_POOLER_WAIT_SERVERS)) {
		pgm_client_end(client, "57P03", "pooler is shutting down");
		return;
	}
	if (!console && atomic_load(&pooler->client_count) >= config->max_client_conn) {
		pgm_client_end(client, "53300", "no more connections allowed (max_client_conn)");
		return;
	}
	client->replication = packet->replication && !console;
	client->replication_database = client->replication && strcmp(packet->replication, "database") == 0;
	login->target = console ? pgm_console_database(pooler) : pgm_pooler_database(pooler, login->database);
	if (!login->target) {
		if (pgm_config_database_find(config, login->database))
			pgm_client_end(client, "53200", "out of memory");
		else
			pgm_client_end(client, "3D000", "no such database: %s", login->database);
		return;
	}
	if (!console && atomic_load(&login->target->disabled)) {
		pgm_client_end(client, "57P03", "database \"%s\" is disabled", login->database);
		return;
	}
	if (console && pgm_console_is_own(client, login->user)) {
		authenticated(client);
		return;
	}
	if (!take_parameters(client, packet) || !choose_type(client))
		return;
	find_secret(client);
}

static void start_tls(struct pgm_client *client, bool direct)
{
	struct pgm_client_login *login = client->login;
	/* our answer to its request goes out in the clear */
	if (!pgm_stream_flush(&client->stream) || pgm_stream_waiting(&client->stream)) {
		pgm_client_close(client, "client connection broke");
		return;
	}
	client->stream.tls = pgm_tls_new(client->worker->pooler->client_tls, client->stream.source.fd, NULL,
					 false, direct);
	if (!client->stream.tls) {
		pgm_client_close(client, "out of memory");
		return;
	}
	login->length = 0;
	client->state = PGM_CLIENT_TLS;
	client->stream.readable = true;
}

static void answer_encryption(struct pgm_client *client, enum pgm_first_kind kind, size_t extra)
{
	struct pgm_client_login *login = client->login;
	bool tls = kind == PGM_FIRST_SSL && client->worker->pooler->client_tls && !client->stream.unix_socket;
	if (client->stream.tls) {
		pgm_client_end(client, "08P01", "unsupported frontend protocol");
		return;
	}
	if (kind == PGM_FIRST_SSL && extra) {
		pgm_client_end(client, "08P01", "received unencrypted data after SSL request");
		return;
	}
	if (kind == PGM_FIRST_SSL && login->tls_done) {
		pgm_client_end(client, "08P01", "SSL was already asked for");
		return;
	}
	login->tls_done |= kind == PGM_FIRST_SSL;
	if (!pgm_client_send(client, tls ? "S" : "N", 1))
		return;
	if (!tls)
		return;
	/* It goes out before all that is encrypted. */
	if (!pgm_stream_flush(&client->stream) || pgm_stream_waiting(&client->stream))
		pgm_client_close(client, "client connection broke");
	else
		start_tls(client, false);
}

static void take_first(struct pgm_client *client, size_t length)
{
	struct pgm_client_login *login = client->login;
	struct pgm_first_packet packet;
	pgm_wire_read_first(login->bytes, length, &packet);
	size_t extra = login->length - length;
	switch (packet.kind) {
	case PGM_FIRST_SSL:
	case PGM_FIRST_GSSENC:
		memmove(login->bytes, login->bytes + length, extra);
		login->length = extra;
		answer_encryption(client, packet.kind, extra);
		return;
	case PGM_FIRST_CANCEL:
		pgm_cancel_asked(client, packet.cancel_pid, packet.cancel_key, packet.cancel_key_length);
		return;
	case PGM_FIRST_WRONG:
		pgm_client_end(client, packet.sqlstate, "%s", packet.message);
		return;
	case PGM_FIRST_STARTUP:
		break;
	}
	login->taken = length;
	take_startup(client, &packet);
	if (client->state >= PGM_CLIENT_CLOSING || !client->login)
		return;
	memmove(login->bytes, login->bytes + length, extra);
	login->length = extra;
	login->taken = 0;
}

static void handshake(struct pgm_client *client)
{
	struct pgm_client_login *login = client->login;
	switch (pgm_tls_handshake(client->stream.tls)) {
	case PGM_TLS_OK:
		if (!pgm_tls_binding(client->stream.tls, login->binding, &login->binding_length))
			login->binding_length = 0;
		if (client->stream.want_write) {
			client->stream.want_write = false;
			pgm_loop_want_write(&client->worker->loop, &client->stream.source, false);
		}
		client->stream.readable = true;
		client->state = PGM_CLIENT_FIRST;
		return;
	case PGM_TLS_WAIT_READ:
		client->stream.readable = false;
		return;
	case PGM_TLS_WAIT_WRITE:
		client->stream.want_write = true;
		client->stream.readable = false;
		pgm_loop_want_write(&client->worker->loop, &client->stream.source, true);
		return;
	default:
		pgm_log(PGM_LOG_WARNING, "C-%llu: %s: TLS handshake failed: %s",
			(unsigned long long)client->id, client->peer, pgm_tls_why(client->stream.tls));
		pgm_client_close(client, "TLS handshake failed");
	}
}

/* A hello of TLS without asking first: PostgreSQL 17's direct mode. */
static bool begins_with_tls(struct pgm_client *client)
{
	uint8_t first;
	return client->worker->pooler->client_tls && !client->stream.tls && !client->stream.unix_socket &&
	       client->login->length == 0 && !client->login->tls_done &&
	       recv(client->stream.source.fd, &first, 1, MSG_PEEK) == 1 && first == 0x16;
}

static bool authentication_message(struct pgm_client *client)
{
	struct pgm_client_login *login = client->login;
	uint8_t packet[PGM_SCRAM_MESSAGE_MAX + 64];
	struct pgm_writer writer = pgm_writer_over(packet, sizeof(packet));
	if (login->length < PGM_WIRE_HEADER_BYTES)
		return false;
	size_t total = (size_t)pgm_wire_get32(login->bytes + 1) + 1;
	if (login->bytes[0] == PGM_FE_TERMINATE) {
		pgm_client_close(client, "client close request");
		return false;
	}
	if (login->bytes[0] == PGM_FE_PASSWORD && (total < PGM_WIRE_HEADER_BYTES || total > LOGIN_BYTES)) {
		pgm_client_end(client, "08P01", "invalid message length");
		return false;
	}
	if (login->bytes[0] != PGM_FE_PASSWORD) {
		pgm_client_end(client, "08P01", "expected password response, got message type %d",
			       login->bytes[0]);
		return false;
	}
	if (login->length < total)
		return false;
	enum pgm_auth_verdict verdict = pgm_client_auth_step(
		&login->auth, login->bytes + PGM_WIRE_HEADER_BYTES, total - PGM_WIRE_HEADER_BYTES, &writer);
	/* what came behind it waits until it is known who this is */
	size_t extra = login->length - total;
	if (extra && verdict == PGM_AUTH_OK) {
		pgm_client_end(client, "08P01", "messages were sent before authentication was finished");
		return false;
	}
	memmove(login->bytes, login->bytes + total, extra);
	login->length = extra;
	take_verdict(client, verdict, &writer);
	return client->state == PGM_CLIENT_AUTH;
}

/* True: look again, a step was made. */
static bool step(struct pgm_client *client)
{
	struct pgm_client_login *login = client->login;
	if (client->state == PGM_CLIENT_AUTH)
		return authentication_message(client);
	if (client->state != PGM_CLIENT_FIRST)
		return false;
	int64_t length = pgm_wire_first_length(login->bytes, login->length);
	if (length < 0) {
		pgm_client_end(client, login->length ? "08P01" : NULL, "invalid length of startup packet");
		return false;
	}
	if (length == 0 || (size_t)length > login->length)
		return false;
	take_first(client, (size_t)length);
	return client->state == PGM_CLIENT_FIRST || client->state == PGM_CLIENT_AUTH;
}

/* Whether reading more makes sense now; in the other states only the end of the connection matters. */
static bool reads(const struct pgm_client *client)
{
	return (client->state == PGM_CLIENT_FIRST || client->state == PGM_CLIENT_AUTH) && client->login &&
	       client->login->length < LOGIN_BYTES;
}

void pgm_login_run(struct pgm_client *client)
{
	if (!client->login && client->state == PGM_CLIENT_FIRST) {
		client->login = malloc(sizeof(*client->login));
		if (!client->login) {
			pgm_client_close(client, "out of memory");
			return;
		}
		memset(client->login, 0, offsetof(struct pgm_client_login, bytes));
	}
	for (;;) {
		if (client->state == PGM_CLIENT_TLS)
			handshake(client);
		if (client->state == PGM_CLIENT_FIRST && client->stream.readable && begins_with_tls(client)) {
			start_tls(client, true);
			continue;
		}
		if (!reads(client))
			break;
		size_t got;
		enum pgm_stream_result result =
			pgm_stream_read(&client->stream, client->login->bytes + client->login->length,
					LOGIN_BYTES - client->login->length, &got);
		if (result == PGM_STREAM_END) {
			pgm_client_close(client, "client unexpected eof");
			return;
		}
		if (result == PGM_STREAM_WAIT)
			return;
		client->login->length += got;
		if (client->login->written < client->login->length)
			client->login->written = client->login->length;
		while (step(client))
			;
	}
	if (client->stream.hangup && client->state < PGM_CLIENT_IDLE)
		pgm_client_close(client, "client unexpected eof");
}
