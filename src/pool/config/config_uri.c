/*
 * A pool for one database, of a connection string: `pgmend pool postgresql://...`. Clients log in to it with
 * the database's own user and password, so that an application changes host and port and nothing else.
 */
#include "pool/config/config_parts.h"
#include "pool/config/settings.h"

#include "pg/conninfo.h"

#include <stdlib.h>
#include <unistd.h>

#define POOL_SIZE_REMOTE 20 /* of a host whose cores we can't count */
#define RESERVE_PART	 4  /* a quarter of the pool again, for when clients wait */
#define MAX_CLIENTS	 1000

struct request {
	struct pgm_pool_config *config;
	struct pgm_config_problems *problems;
	struct pgm_conninfo info;
};

static const struct pgm_config_place nowhere = {"the connection string", 0, 0};

/* Names, addresses and sockets that are this machine for certain. */
static bool is_local(const char *host)
{
	return !host || *host == '/' || *host == '@' || strcmp(host, "localhost") == 0 ||
	       strncmp(host, "127.", 4) == 0 || strcmp(host, "::1") == 0;
}

static int64_t port_of(struct request *request)
{
	struct pgm_error err = {0};
	int64_t port = 5432;
	char *ports = request->info.port;
	if (!ports)
		return port;
	char *first = pgm_strndup(request->config->arena, ports, strcspn(ports, ","));
	for (const char *at = ports; *at; at += strcspn(at, ","), at += *at == ',') {
		size_t length = strcspn(at, ",");
		if (length != strlen(first) || memcmp(at, first, length) != 0)
			pgm_config_error(request->problems, nowhere, "Write a pgbouncer.ini for such a pool.",
					 "hosts with different ports can't be pooled together");
	}
	if (*first && !pgm_setting_int(first, 1, 65535, &port, &err))
		pgm_config_error(request->problems, nowhere, NULL, "port: %s", err.message);
	return port;
}

static const char *existing(struct pgm_arena *arena, const char *given, const char *in_home)
{
	const char *home = getenv("HOME");
	if (given || !home)
		return given;
	const char *path = pgm_sprintf(arena, "%s/.postgresql/%s", home, in_home);
	return access(path, R_OK) == 0 ? path : NULL;
}

static void set_tls(struct request *request)
{
	struct pgm_pool_tls *tls = &request->config->server_tls;
	const struct pgm_conninfo *info = &request->info;
	struct pgm_arena *arena = request->config->arena;
	tls->mode = info->sslmode ? pgm_sslmode_parse(info->sslmode) : PGM_SSL_PREFER;
	if (tls->mode < 0) {
		pgm_config_error(request->problems, nowhere, NULL, "sslmode: \"%.100s\" is no mode",
				 info->sslmode);
		tls->mode = PGM_SSL_PREFER;
	}
	if (info->sslrootcert && strcmp(info->sslrootcert, "system") == 0) {
		pgm_config_error(request->problems, nowhere,
				 "Name a file: on Debian /etc/ssl/certs/ca-certificates.crt.",
				 "sslrootcert=system is not supported");
		return;
	}
	tls->ca_file = existing(arena, info->sslrootcert, "root.crt");
	tls->cert_file = existing(arena, info->sslcert, "postgresql.crt");
	tls->key_file = tls->cert_file ? existing(arena, info->sslkey, "postgresql.key") : NULL;
	/* As libpq: with a root certificate, require means verify-ca. */
	if (tls->mode == PGM_SSL_REQUIRE && tls->ca_file)
		tls->mode = PGM_SSL_VERIFY_CA;
	if (tls->mode == PGM_SSL_DISABLE)
		tls->cert_file = tls->key_file = NULL;
}

static void set_database(struct request *request)
{
	struct pgm_pool_config *config = request->config;
	const struct pgm_conninfo *info = &request->info;
	struct pgm_config_database *database = PGM_NEW(config->arena, struct pgm_config_database);
	*database = (struct pgm_config_database){
		.name = info->dbname,
		.dbname = info->dbname,
		.host = info->hostaddr ? info->hostaddr : info->host,
		.port = port_of(request),
		.user = info->user,
		.password = info->password,
		.client_encoding = info->client_encoding,
		.application_name = info->application_name,
		PGM_CONFIG_DATABASE_UNSET,
		.file = nowhere.file,
	};
	config->databases = database;
	config->database_count = 1;
	if (strcmp(info->dbname, "pgbouncer") == 0)
		pgm_config_error(request->problems, nowhere, NULL,
				 "the database \"pgbouncer\" is the console and can't be pooled");
	if (info->hostaddr && info->host && config->server_tls.mode == PGM_SSL_VERIFY_FULL)
		pgm_config_error(request->problems, nowhere, "Leave out hostaddr.",
				 "hostaddr can't be used with sslmode=verify-full");
	if (info->options)
		pgm_config_warning(request->problems, nowhere, "Set them with ALTER ROLE or ALTER DATABASE.",
				   "options are not passed to the server");
	if (info->target_session_attrs && strcmp(info->target_session_attrs, "any") != 0)
		pgm_config_warning(request->problems, nowhere, NULL,
				   "target_session_attrs has no effect here");
}

static void set_users(struct request *request)
{
	struct pgm_pool_config *config = request->config;
	const struct pgm_conninfo *info = &request->info;
	struct pgm_config_secret *secret = PGM_NEW(config->arena, struct pgm_config_secret);
	/* A copy: both are wiped in the end. */
	*secret = (struct pgm_config_secret){info->user, info->password
								 ? pgm_strdup(config->arena, info->password)
								 : pgm_strdup(config->arena, "")};
	config->secrets = secret;
	config->secret_count = 1;
	config->admin_users = info->user;
	config->auth_type = info->password ? PGM_AUTH_SCRAM : PGM_AUTH_TRUST;
	if (!info->password)
		pgm_config_warning(request->problems, nowhere,
				   "Give the password in PGPASSWORD or ~/.pgpass.",
				   "without a password, everyone who can reach the pool can log in as \"%s\"",
				   info->user);
}

static void set_pool(struct request *request)
{
	struct pgm_pool_config *config = request->config;
	const struct pgm_conninfo *info = &request->info;
	long cores = sysconf(_SC_NPROCESSORS_ONLN);
	bool local = is_local(info->hostaddr ? info->hostaddr : info->host);
	config->listen_addr = "127.0.0.1";
	config->unix_socket_dir = NULL;
	config->pool_mode = PGM_POOL_TRANSACTION;
	config->max_client_conn = MAX_CLIENTS;
	config->default_pool_size = local && cores > 0 ? 2 * cores + 5 : POOL_SIZE_REMOTE;
	config->reserve_pool_size = (config->default_pool_size + RESERVE_PART - 1) / RESERVE_PART;
	if (info->connect_timeout) {
		long seconds = atol(info->connect_timeout);
		if (seconds > 0 && seconds < 86400)
			config->server_connect_timeout_ms = seconds * 1000;
	}
}

static bool set_one(struct request *request, const char *given, struct pgm_error *err)
{
	size_t length = strcspn(given, "=");
	const char *key = pgm_strndup(request->problems->arena, given, length);
	const struct pgm_setting *setting = pgm_setting_named(key, err);
	if (!setting)
		return false;
	if (!given[length]) {
		pgm_error_set(err, PGM_ERR_INPUT, "\"%s\" has no value", key);
		return pgm_error_hint(err, "Write KEY=VALUE.");
	}
	if (strncmp(key, "auth_", 5) == 0 || strcmp(key, "conffile") == 0) {
		pgm_error_set(err, PGM_ERR_INPUT,
			      "%s can't be set: clients log in as the connection string says", key);
		return pgm_error_hint(err, "Write a pgbouncer.ini for such a pool.");
	}
	return pgm_setting_parse(setting, request->config, given + length + 1, err) ||
	       pgm_error_context(err, "%s", key);
}

static void set_further(struct request *request, size_t count, const char *const *settings)
{
	for (size_t i = 0; i < count; i++) {
		struct pgm_error err = {0};
		if (!set_one(request, settings[i], &err))
			pgm_config_error(request->problems, (struct pgm_config_place){"--set", 0, 0},
					 *err.hint ? pgm_strdup(request->problems->arena, err.hint) : NULL,
					 "%s", err.message);
	}
}

struct pgm_pool_config *pgm_pool_config_for(const char *conninfo, size_t count, const char *const *settings,
					    struct pgm_config_problems *problems)
{
	struct pgm_error err = {0};
	size_t errors = problems->errors;
	struct request request = {.config = pgm_pool_config_defaults(), .problems = problems};
	if (!pgm_conninfo_resolve(conninfo, request.config->arena, &request.info, &err)) {
		pgm_config_error(problems, (struct pgm_config_place){0},
				 *err.hint ? pgm_strdup(problems->arena, err.hint) : NULL, "%s", err.message);
	} else if (!request.info.user || !request.info.dbname) {
		pgm_config_error(problems, nowhere, NULL, "there is no user or database in it");
	} else {
		set_tls(&request);
		set_database(&request);
		set_users(&request);
		set_pool(&request);
		set_further(&request, count, settings);
		pgm_config_check(request.config, problems);
	}
	if (problems->errors == errors)
		return request.config;
	pgm_pool_config_free(request.config);
	return NULL;
}
