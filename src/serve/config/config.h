/*
 * What the file of `pgmend serve` says. It is the pooler's INI file with more sections: [databases], [users]
 * and [pgbouncer] are the pooler's (there is a pooler where one of them is in the file), [serve], [watch],
 * [alerts] and [chores] are read here. Read whole into an arena of its own, and never changed afterwards; a
 * reload makes a new one, and where that has an error the old one stays.
 */
#ifndef PGM_SERVE_CONFIG_H
#define PGM_SERVE_CONFIG_H

#include "pool/config/config.h"
#include "pool/config/settings.h"

#define PGM_SERVE_TARGETS_MAX 1000

/* A [watch] line: name = conninfo. Or a database of the pooler. */
struct pgm_serve_target {
	const char *name;
	const char *conninfo; /* may hold a password: never shown */
	bool pooled;	      /* the pooler has it under the same name */
	const char *file;     /* where it was said */
	int line;
};

/* A line of [alerts] or [chores]: what it means is said by alert/ and chore/. */
struct pgm_serve_line {
	const char *key, *value;
	const char *file;
	int line;
};

struct pgm_serve_config {
	struct pgm_arena *arena;
	const char *path;	      /* NULL: made of a connection string */
	struct pgm_pool_config *pool; /* NULL: no pooler; pgm_serve_config_take_pool() */
	bool has_pool;		      /* it says so, even after pool was taken */

	/* [serve] */
	const char *listen; /* "127.0.0.1" */
	int64_t port;
	const char *tls_cert_file, *tls_key_file, *tokens; /* NULL: none */
	const char *allowed_hosts;
	bool metrics_auth;	/* default on */
	const char *watch_user; /* of the pooler's databases, where they name none */
	int64_t max_connections, max_connections_per_address, request_timeout_ms;
	const char *history; /* of the SQLite file; "": none */
	int64_t history_size_bytes;
	int64_t watch_interval_ms, tables_interval_ms, findings_interval_ms;
	bool show_values; /* operators see the values that the pooler sampled; default off */
	int64_t jobs;	  /* at most so many at once */

	struct pgm_serve_target *targets; /* sorted by name */
	size_t target_count;
	struct pgm_serve_line *alerts; /* in the order of the file */
	size_t alert_count;
	struct pgm_serve_line *chores;
	size_t chore_count;
};

/* The settings of [serve], by name. */
extern const struct pgm_setting pgm_serve_settings[];
extern const size_t pgm_serve_setting_count;

/* Says what is wrong with a line of [alerts] or [chores]: false with message and hint in err. */
struct pgm_serve_checks {
	bool (*alert)(const char *key, const char *value, struct pgm_error *err);
	bool (*chore)(const char *key, const char *value, struct pgm_error *err);
};

/* What does not fit together: an open address without TLS and tokens... */
void pgm_serve_config_check(const struct pgm_serve_config *config, struct pgm_config_problems *problems);

/* A setting of [serve] that the command line gives over the file; key NULL ends a list of them. */
struct pgm_serve_override {
	const char *key, *value;
};

/* Read a file whole; NULL where there was an error; all are in problems. overrides may be NULL. */
struct pgm_serve_config *pgm_serve_config_read(const char *path, const struct pgm_serve_override *overrides,
					       const struct pgm_serve_checks *checks,
					       struct pgm_config_problems *problems);
/* The defaults alone: nothing is watched. */
struct pgm_serve_config *pgm_serve_config_defaults(void);
/* `pgmend serve postgresql://...`: watches that database, named as it is, and pools nothing. */
struct pgm_serve_config *pgm_serve_config_for(const char *conninfo,
					      const struct pgm_serve_override *overrides,
					      struct pgm_config_problems *problems);
/* The pooler's part, which the pooler frees. */
struct pgm_pool_config *pgm_serve_config_take_pool(struct pgm_serve_config *config);
void pgm_serve_config_free(struct pgm_serve_config *config); /* wipes secrets; NULL is fine */

#endif
