/*
 * What a pgbouncer.ini says, with PgBouncer 1.25's names and meanings, and our own settings beside them.
 *
 * A configuration is read whole into an arena of its own and never changed afterwards: workers only read
 * it. A reload makes a new one; where that has an error, the old one stays. The settings are rows of one
 * table (settings.c): parsing, defaults, SHOW CONFIG, SET, --check-config and the documentation are made of
 * it.
 */
#ifndef PGM_POOL_CONFIG_H
#define PGM_POOL_CONFIG_H

#include "util/arena.h"
#include "util/error.h"

#include <stdint.h>
#include <stdio.h>

enum pgm_pool_mode {
	PGM_POOL_SESSION,
	PGM_POOL_TRANSACTION,
	PGM_POOL_STATEMENT,
	PGM_POOL_MODE_UNSET = -1, /* of a database or a user: the global one counts */
};

enum pgm_auth_type {
	PGM_AUTH_ANY, /* trust, and logs in to the server as the database's own user */
	PGM_AUTH_TRUST,
	PGM_AUTH_PLAIN,
	PGM_AUTH_MD5, /* md5, or scram where the stored secret is a verifier */
	PGM_AUTH_SCRAM,
	PGM_AUTH_CERT,
	PGM_AUTH_HBA,
	PGM_AUTH_PEER,	 /* of HBA lines and Unix sockets only */
	PGM_AUTH_REJECT, /* of HBA lines only */
};

enum pgm_sslmode {
	PGM_SSL_DISABLE,
	PGM_SSL_ALLOW,
	PGM_SSL_PREFER,
	PGM_SSL_REQUIRE,
	PGM_SSL_VERIFY_CA,
	PGM_SSL_VERIFY_FULL,
};

/* How log lines look: ours, one JSON object each, or PgBouncer's wording. */
enum pgm_log_format {
	PGM_LOG_FORMAT_TEXT,
	PGM_LOG_FORMAT_JSON,
	PGM_LOG_FORMAT_PGBOUNCER,
};

/* Enums that are settings are kept as int, so that one table can read and show them all. */
struct pgm_pool_tls {
	int mode;				     /* enum pgm_sslmode */
	const char *ca_file, *key_file, *cert_file;  /* NULL: none */
	const char *protocols, *ciphers, *ciphers13; /* as PgBouncer's */
	const char *dheparams, *ecdhcurve;	     /* of the client side; said, not used */
};

#define PGM_UNSET INT64_MIN /* of a number in a database or a user: the global one counts */

/* A [databases] line. Texts are NULL and numbers PGM_UNSET where not given. */
struct pgm_config_database {
	const char *name; /* "*" for the fall-back */
	const char *host; /* a host, a list with commas, a directory; NULL: Unix socket */
	int64_t port;
	const char *dbname;	     /* at the server; never NULL but for "*" */
	const char *user, *password; /* forced */
	const char *auth_user, *auth_query, *auth_dbname;
	const char *connect_query;
	const char *client_encoding, *datestyle, *timezone; /* set at connect */
	const char *application_name;
	enum pgm_pool_mode pool_mode;
	int64_t pool_size, min_pool_size, reserve_pool_size;
	int64_t max_db_connections, max_db_client_connections;
	int64_t server_lifetime_ms;
	int64_t query_timeout_ms;      /* ours */
	int64_t query_wait_timeout_ms; /* before a user's and the global one */
	bool load_balance_round_robin; /* load_balance_hosts: else "disable", the first that answers */
	const char *file;	       /* where it was said */
	int line;
};

/* Of its initialiser: what is unset where nothing is said. */
#define PGM_CONFIG_DATABASE_UNSET                                                             \
	.pool_mode = PGM_POOL_MODE_UNSET, .pool_size = PGM_UNSET, .min_pool_size = PGM_UNSET, \
	.reserve_pool_size = PGM_UNSET, .max_db_connections = PGM_UNSET,                      \
	.max_db_client_connections = PGM_UNSET, .server_lifetime_ms = PGM_UNSET,              \
	.query_timeout_ms = PGM_UNSET, .query_wait_timeout_ms = PGM_UNSET

/* A [users] line. */
struct pgm_config_user {
	const char *name;
	enum pgm_pool_mode pool_mode;
	int64_t pool_size, reserve_pool_size;
	int64_t max_user_connections, max_user_client_connections;
	int64_t query_timeout_ms, query_wait_timeout_ms;
	int64_t idle_transaction_timeout_ms, transaction_timeout_ms, client_idle_timeout_ms;
	const char *file; /* where it was said */
	int line;
};

/* A [peers] line: another process of this pooler, for cancel requests. */
struct pgm_config_peer {
	int64_t id;
	const char *host;
	int64_t port;
	int64_t pool_size; /* PGM_UNSET: default_pool_size */
	const char *file;  /* where it was said */
	int line;
};

/* A line of userlist.txt. */
struct pgm_config_secret {
	const char *user;
	const char *secret; /* plain, md5..., SCRAM-SHA-256$..., or "" */
};

struct pgm_hba; /* pool/hba.h */

struct pgm_pool_config {
	struct pgm_arena *arena;      /* everything lives here, but for what root has */
	struct pgm_pool_config *root; /* of a copy made by SET: shares its databases and secrets; or NULL */
	_Atomic int references;	      /* itself and the copies */
	const char *path;	      /* of the file; NULL: made of a connection string */

	/* where it listens */
	const char *listen_addr; /* NULL: no TCP; "*" all */
	int64_t listen_port, listen_backlog;
	const char *unix_socket_dir; /* "" or NULL: none */
	int64_t unix_socket_mode;
	const char *unix_socket_group;
	bool so_reuseport;
	int64_t peer_id;

	/* the process */
	const char *logfile, *pidfile, *user, *job_name;
	bool syslog;
	const char *syslog_ident, *syslog_facility;
	int64_t workers; /* ours; 0: as many as cores */

	/* pools */
	int pool_mode; /* enum pgm_pool_mode */
	int64_t max_client_conn, default_pool_size, min_pool_size, reserve_pool_size, reserve_pool_timeout_ms;
	int64_t max_db_connections, max_db_client_connections, max_user_connections,
		max_user_client_connections;
	bool server_round_robin, disable_pqexec;
	int64_t max_prepared_statements;
	const char *track_extra_parameters, *ignore_startup_parameters;
	bool application_name_add_host;
	const char *login_notify_message;

	/* authentication */
	int auth_type; /* enum pgm_auth_type */
	const char *auth_file, *auth_hba_file, *auth_ident_file, *auth_user, *auth_query, *auth_dbname;
	const char *auth_ldap_options; /* said, not used */
	int64_t scram_iterations;
	const char *admin_users, *stats_users; /* lists with commas */

	/* health and timeouts; 0 switches off */
	const char *server_reset_query, *server_check_query;
	bool server_reset_query_always, server_fast_close;
	int64_t server_check_delay_ms, server_lifetime_ms, server_idle_timeout_ms, server_connect_timeout_ms;
	int64_t server_login_retry_ms, client_login_timeout_ms, autodb_idle_timeout_ms, pool_idle_timeout_ms;
	int64_t dns_max_ttl_ms, dns_nxdomain_ttl_ms, dns_zone_check_period_ms;
	const char *resolv_conf;
	int64_t query_timeout_ms, query_wait_timeout_ms, query_wait_notify_ms, cancel_wait_timeout_ms;
	int64_t client_idle_timeout_ms, idle_transaction_timeout_ms, transaction_timeout_ms,
		suspend_timeout_ms;

	/* sockets */
	int64_t pkt_buf_bytes, max_packet_size_bytes, sbuf_loopcnt;
	int64_t tcp_defer_accept, tcp_socket_buffer_bytes, tcp_keepcnt, tcp_keepidle, tcp_keepintvl,
		tcp_user_timeout_ms;
	bool tcp_keepalive;
	struct pgm_pool_tls client_tls, server_tls;

	/* logging */
	bool log_connections, log_disconnections, log_pooler_errors, log_stats;
	int64_t stats_period_ms, verbose;
	int log_format; /* ours: enum pgm_log_format */

	/* ours */
	bool strict;		  /* reset between clients; see docs/pool.md */
	bool profile;		  /* default on */
	const char *profile_file; /* written at the end and each minute */
	int64_t profile_max;	  /* fingerprints */
	int64_t slow_query_ms;	  /* default 50; 0: off */
	bool profile_values;	  /* sampled values are in profile_file; default on */
	bool log_values;	  /* show literals and parameters in the slow log; default off */

	struct pgm_config_database *databases; /* sorted by name, as users */
	size_t database_count;
	struct pgm_config_user *users;
	size_t user_count;
	struct pgm_config_peer *peers;
	size_t peer_count;
	struct pgm_config_secret *secrets; /* auth_file, sorted by name */
	size_t secret_count;
	struct pgm_hba *hba; /* where auth_type is hba */
};

/* One thing that is wrong with a configuration. */
struct pgm_config_problem {
	const char *file;
	int line, column; /* from 1; 0: the file as a whole */
	const char *message;
	const char *hint; /* or NULL */
	bool warning;	  /* said, but no reason to refuse */
};

#define PGM_CONFIG_PROBLEMS_MAX 1000 /* what comes after is counted, but not kept */

struct pgm_config_problems {
	struct pgm_arena *arena;
	struct pgm_config_problem *items;
	size_t count, capacity;
	size_t errors; /* that are no warnings */
};

/* Make it ready, with an arena of its own; done() frees that and all texts. */
void pgm_config_problems_init(struct pgm_config_problems *problems);
void pgm_config_problems_done(struct pgm_config_problems *problems);

/* "pool.ini:3:1: message" in the problems' arena; "pool.ini: message" where the whole file is meant. */
const char *pgm_config_problem_text(const struct pgm_config_problems *problems,
				    const struct pgm_config_problem *problem);

/*
 * Read a file and all that it includes, userlist and HBA. Goes on after an error, so that all are found;
 * NULL where there was one. problems live in their own arena.
 */
struct pgm_pool_config *pgm_pool_config_read(const char *path, struct pgm_config_problems *problems);

/*
 * One database and good defaults: `pgmend pool postgresql://...`. The environment, service files and .pgpass
 * count as they do for psql. Clients log in with the database's own user and password. settings: further
 * ones, as KEY=VALUE.
 */
struct pgm_pool_config *pgm_pool_config_for(const char *conninfo, size_t count, const char *const *settings,
					    struct pgm_config_problems *problems);

/* No file: what stands where nothing is set. It has no database and is not checked. */
struct pgm_pool_config *pgm_pool_config_defaults(void);

/* Wipes the secrets. NULL is fine. Any thread, when nobody reads it any more. */
void pgm_pool_config_free(struct pgm_pool_config *config);

/* The line for a database, the "*" one where it has none; NULL: no such database. */
const struct pgm_config_database *pgm_config_database_find(const struct pgm_pool_config *config,
							   const char *name);
const struct pgm_config_user *pgm_config_user_find(const struct pgm_pool_config *config, const char *name);
const char *pgm_config_secret_find(const struct pgm_pool_config *config, const char *user); /* or NULL */
bool pgm_config_in_list(const char *list, const char *name);				    /* "a, b" */

/*
 * One row of SHOW CONFIG for each setting, in the order of the table: calls each with texts in the
 * configuration's or a scratch arena. value and standard (the default) are NULL where there is none.
 */
void pgm_pool_config_each(const struct pgm_pool_config *config, struct pgm_arena *scratch,
			  void (*each)(void *data, const char *key, const char *value, const char *standard,
				       bool changeable),
			  void *data);

/* SET key = 'value' on the console: a copy with that changed; NULL and an error where it can't be. */
struct pgm_pool_config *pgm_pool_config_with(const struct pgm_pool_config *config, const char *key,
					     const char *value, struct pgm_error *err) PGM_MUST_CHECK;

#endif
