/*
 * What concerns all workers at once: their locks, a new configuration, and the end.
 */
#include "pool/hosts.h"
#include "pool/peers.h"
#include "pool/worker.h"

#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

void pgm_pooler_lock_all(struct pgm_pooler *pooler)
{
	for (unsigned i = 0; i < pooler->worker_count; i++)
		pthread_mutex_lock(&pooler->workers[i]->lock);
}

void pgm_pooler_unlock_all(struct pgm_pooler *pooler)
{
	for (unsigned i = pooler->worker_count; i-- > 0;)
		pthread_mutex_unlock(&pooler->workers[i]->lock);
}

static void describe(const struct pgm_config_problems *problems, struct pgm_error *err)
{
	for (size_t i = 0; i < problems->count; i++) {
		const struct pgm_config_problem *problem = &problems->items[i];
		if (problem->warning)
			continue;
		pgm_error_set(err, PGM_ERR_INPUT, "%s:%d: %s (%zu in all)", problem->file, problem->line,
			      problem->message, problems->errors);
		return;
	}
	pgm_error_set(err, PGM_ERR_INPUT, "the configuration cannot be read");
}

static bool make_tls(const struct pgm_pool_tls *settings, bool server, struct pgm_tls_context **context,
		     struct pgm_error *err)
{
	struct pgm_tls_files files = {
		.ca_file = settings->ca_file,
		.cert_file = settings->cert_file,
		.key_file = settings->key_file,
		.protocols = settings->protocols,
		.ciphers = settings->ciphers,
		.ciphers13 = settings->ciphers13,
		.verify_peer = settings->mode >= PGM_SSL_VERIFY_CA || (server && settings->ca_file),
		.require_peer = server && settings->mode >= PGM_SSL_VERIFY_CA,
	};
	*context = NULL;
	if (settings->mode == PGM_SSL_DISABLE)
		return true;
	*context = pgm_tls_context_new(&files, server, err);
	return *context || pgm_error_context(err, server ? "client_tls" : "server_tls");
}

bool pgm_pooler_make_tls(const struct pgm_pool_config *config, struct pgm_tls_context **client,
			 struct pgm_tls_context **server, struct pgm_error *err)
{
	if (!make_tls(&config->client_tls, true, client, err))
		return false;
	if (make_tls(&config->server_tls, false, server, err))
		return true;
	pgm_tls_context_free(*client);
	*client = NULL;
	return false;
}

void pgm_pooler_use(struct pgm_pooler *pooler, struct pgm_pool_config *config)
{
	struct pgm_pool_config *old = pooler->config;
	pgm_pooler_lock_all(pooler);
	pooler->config = config;
	pgm_pooler_configure(pooler, old);
	pgm_pooler_unlock_all(pooler);
	pgm_log_verbose((int)config->verbose);
	/* this thread alone changes configurations, so what it looks at stays */
	pthread_mutex_lock(&pooler->lock);
	size_t count = pooler->database_count;
	struct pgm_database **databases = malloc((count + 1) * sizeof(struct pgm_database *));
	if (databases && count)
		memcpy(databases, pooler->databases, count * sizeof(struct pgm_database *));
	pthread_mutex_unlock(&pooler->lock);
	for (size_t i = 0; databases && i < count; i++)
		if (databases[i]->config && !pgm_hosts_resolve_now(databases[i]))
			pgm_hosts_resolve(pooler, databases[i]);
	free(databases);
	pgm_peers_resolve(pooler);
	pgm_pooler_warm(pooler);
	pgm_pool_config_free(old);
}

/* Both or none: certificates are read anew with each configuration. */
static bool use_with_tls(struct pgm_pooler *pooler, struct pgm_pool_config *config, struct pgm_error *err)
{
	struct pgm_tls_context *client, *server, *old_client = pooler->client_tls,
						 *old_server = pooler->server_tls;
	if (!pgm_pooler_make_tls(config, &client, &server, err)) {
		pgm_pool_config_free(config);
		return false;
	}
	pgm_pooler_lock_all(pooler);
	pooler->client_tls = client;
	pooler->server_tls = server;
	pgm_pooler_unlock_all(pooler);
	pgm_pooler_use(pooler, config);
	pgm_tls_context_free(old_client);
	pgm_tls_context_free(old_server);
	return true;
}

bool pgm_pooler_reload(struct pgm_pooler *pooler, struct pgm_error *err)
{
	if (!pooler->config->path)
		return pgm_error_set(err, PGM_ERR_USAGE,
				     "the pooler was started without a configuration file");
	struct pgm_config_problems problems;
	pgm_config_problems_init(&problems);
	struct pgm_pool_config *config = pgm_pool_config_read(pooler->config->path, &problems);
	if (!config)
		describe(&problems, err);
	pgm_config_problems_done(&problems);
	if (!config || !use_with_tls(pooler, config, err))
		return false;
	pgm_log(PGM_LOG_NOTICE, "the configuration was reloaded");
	return true;
}

void pgm_pooler_free_tables(struct pgm_pooler *pooler)
{
	for (size_t i = 0; i < pooler->pool_count; i++) {
		struct pgm_pool *pool = pooler->pools[i];
		for (size_t w = 0; w < pool->welcome_count; w++) {
			pgm_pairs_drop(pool->welcomes[w].settings);
			pgm_pairs_drop(pool->welcomes[w].reports);
		}
		pgm_pairs_drop(pool->reports);
		if (pool->secret)
			pgm_scram_wipe(pool->secret, strlen(pool->secret));
		free(pool->secret);
		free((char *)(uintptr_t)pool->user);
		pthread_mutex_destroy(&pool->lock);
		pgm_scram_wipe(pool, sizeof(*pool));
		free(pool);
	}
	for (size_t i = 0; i < pooler->database_count; i++) {
		struct pgm_database *database = pooler->databases[i];
		free((char *)(uintptr_t)database->name);
		free(database->server_name);
		pthread_mutex_destroy(&database->lock);
		free(database);
	}
	for (size_t i = 0; i < pooler->user_capacity; i++) {
		if (pooler->users[i])
			free((char *)(uintptr_t)pooler->users[i]->name);
		free(pooler->users[i]);
	}
	free(pooler->users);
	free(pooler->pools);
	free(pooler->databases);
	free(pooler->cancel_slots);
	pgm_peers_free(pooler);
}

/* systemd's protocol (sd_notify(3)): a datagram to the socket that the environment names. */
void pgm_notify_service(const char *state)
{
	const char *path = getenv("NOTIFY_SOCKET");
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	if (!path || (*path != '/' && *path != '@') || strlen(path) >= sizeof(address.sun_path))
		return;
	memcpy(address.sun_path, path, strlen(path));
	if (*path == '@')
		address.sun_path[0] = '\0';
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return;
	sendto(fd, state, strlen(state), MSG_NOSIGNAL, (struct sockaddr *)&address,
	       (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(path)));
	close(fd);
}
