/* What is wrong between settings that are each right. */
#include "pool/config/config_parts.h"
#include "pool/config/settings.h"
#include "pool/log.h"

#include <errno.h>
#include <unistd.h>

struct check {
	const struct pgm_pool_config *config;
	struct pgm_config_problems *problems;
	struct pgm_config_place place; /* the file as a whole */
};

static bool is_set(const char *text)
{
	return text && *text;
}

#define ERROR(check, hint, ...)	  pgm_config_error((check)->problems, (check)->place, hint, __VA_ARGS__)
#define WARNING(check, hint, ...) pgm_config_warning((check)->problems, (check)->place, hint, __VA_ARGS__)

static void check_listening(const struct check *check)
{
	const struct pgm_pool_config *config = check->config;
	if (!is_set(config->listen_addr) && !is_set(config->unix_socket_dir))
		ERROR(check, "Set listen_addr = * or unix_socket_dir.", "there is nowhere to listen");
	if (is_set(config->unix_socket_dir) && *config->unix_socket_dir != '@' &&
	    access(config->unix_socket_dir, F_OK) != 0)
		ERROR(check, NULL, "unix_socket_dir: there is no directory \"%s\"", config->unix_socket_dir);
	if (config->database_count == 0 && check->problems->errors == 0) /* else there may be broken ones */
		WARNING(check, "Add a line to [databases]: * = host=127.0.0.1",
			"there is no database but the console");
}

static void check_authentication(const struct check *check)
{
	const struct pgm_pool_config *config = check->config;
	bool users = config->secret_count || is_set(config->auth_user);
	for (size_t i = 0; i < config->database_count; i++) {
		const struct pgm_config_database *database = &config->databases[i];
		users |= is_set(database->auth_user);
		if (config->auth_type == PGM_AUTH_ANY && !database->user)
			pgm_config_error(check->problems,
					 (struct pgm_config_place){database->file, database->line, 1}, NULL,
					 "auth_type any needs user= of database \"%s\"", database->name);
	}
	if (config->auth_type == PGM_AUTH_HBA && !config->auth_hba_file)
		ERROR(check, NULL, "auth_type is hba, but auth_hba_file is not set");
	if (config->auth_type == PGM_AUTH_CERT && config->client_tls.mode != PGM_SSL_VERIFY_FULL)
		ERROR(check, NULL, "auth_type cert needs client_tls_sslmode verify-full");
	if (!users && !config->auth_file && config->auth_type != PGM_AUTH_ANY)
		WARNING(check, "Set auth_file or auth_user.", "there is no user who could log in");
	if (config->auth_dbname && strcmp(config->auth_dbname, "pgbouncer") == 0)
		ERROR(check, NULL, "auth_dbname can't be the console's database");
	if (is_set(config->auth_query) && !strstr(config->auth_query, "$1"))
		WARNING(check, NULL, "auth_query does not ask for a user: it has no $1");
}

static bool has_protocols(const char *list)
{
	static const char *const known[] = {"tlsv1.0", "tlsv1.1", "tlsv1.2", "tlsv1.3",
					    "all",     "secure",  "legacy"};
	for (const char *at = list + strspn(list, ",: "); *at; at += strspn(at, ",: ")) {
		size_t length = strcspn(at, ",: "), i = 0;
		while (i < 7 && (strlen(known[i]) != length || strncasecmp(known[i], at, length) != 0))
			i++;
		if (i == 7)
			return false;
		at += length;
	}
	return *list != '\0';
}

static void check_tls(const struct check *check, const char *side, const struct pgm_pool_tls *tls,
		      bool server)
{
	if (tls->mode == PGM_SSL_DISABLE)
		return;
	if (server && (!is_set(tls->key_file) || !is_set(tls->cert_file)))
		ERROR(check, NULL, "%s_tls_sslmode needs %s_tls_key_file and %s_tls_cert_file", side, side,
		      side);
	if (is_set(tls->key_file) != is_set(tls->cert_file) && !server)
		ERROR(check, NULL, "%s_tls_key_file and %s_tls_cert_file go together", side, side);
	if (tls->mode >= PGM_SSL_VERIFY_CA && !is_set(tls->ca_file))
		ERROR(check, NULL, "%s_tls_sslmode verifies certificates, but %s_tls_ca_file is not set",
		      side, side);
	if (is_set(tls->protocols) && !has_protocols(tls->protocols))
		ERROR(check, "They are tlsv1.0, tlsv1.1, tlsv1.2, tlsv1.3, secure and all, with commas.",
		      "%s_tls_protocols: \"%.100s\" is no list of TLS versions", side, tls->protocols);
}

static void check_files(const struct check *check)
{
	const struct pgm_pool_config *config = check->config;
	for (size_t i = 0; i < pgm_setting_count; i++) {
		const struct pgm_setting *setting = &pgm_settings[i];
		if (!(setting->flags & PGM_SETTING_FILE) || strncmp(setting->name, "auth_", 5) == 0)
			continue; /* the reader of auth_... has said it */
		const char *path = *(const char *const *)((const char *)config + setting->offset);
		if (is_set(path) && access(path, R_OK) != 0)
			ERROR(check, NULL, "%s: cannot read \"%s\": %s", setting->name, path,
			      strerror(errno));
	}
}

static void check_log(const struct check *check)
{
	const char *facility = check->config->syslog_facility;
	int number;
	if (is_set(facility) && !pgm_log_facility(facility, &number))
		ERROR(check, "It is one of: auth, authpriv, daemon, user, local0 to local7.",
		      "syslog_facility: there is no \"%s\"", facility);
}

static void check_pools(const struct check *check)
{
	const struct pgm_pool_config *config = check->config;
	if (config->min_pool_size > config->default_pool_size)
		WARNING(check, NULL, "min_pool_size is larger than default_pool_size, which counts");
	for (size_t i = 0; i < config->database_count; i++) {
		const struct pgm_config_database *database = &config->databases[i];
		struct pgm_config_place place = {database->file, database->line, 1};
		if (database->pool_size != PGM_UNSET && database->min_pool_size != PGM_UNSET &&
		    database->min_pool_size > database->pool_size)
			pgm_config_warning(check->problems, place, NULL,
					   "min_pool_size is larger than pool_size, which counts");
		if (database->auth_dbname && strcmp(database->auth_dbname, "pgbouncer") == 0)
			pgm_config_error(check->problems, place, NULL,
					 "auth_dbname can't be the console's database");
	}
	for (size_t i = 0; i < config->peer_count && config->peer_id == 0; i++)
		if (i == 0)
			WARNING(check, "Set peer_id to this process's own number.",
				"[peers] has no effect without peer_id");
}

void pgm_config_check(const struct pgm_pool_config *config, struct pgm_config_problems *problems)
{
	struct check check = {config, problems, {config->path, 0, 0}};
	check_listening(&check);
	check_authentication(&check);
	check_tls(&check, "client", &config->client_tls, true);
	check_tls(&check, "server", &config->server_tls, false);
	check_files(&check);
	check_log(&check);
	check_pools(&check);
}
