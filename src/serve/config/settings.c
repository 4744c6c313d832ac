#include "serve/config/config.h"

#include <stddef.h>

#define AT(member) offsetof(struct pgm_serve_config, member)

#define BOOL(name, standard, help)                                                              \
	{                                                                                       \
#name, PGM_SETTING_BOOL, PGM_SETTING_OURS, AT(name), standard, 0, 1, NULL, help \
	}
#define INT(name, standard, min, max, help)                                                        \
	{                                                                                          \
#name, PGM_SETTING_INT, PGM_SETTING_OURS, AT(name), standard, min, max, NULL, help \
	}
#define SECONDS(name, member, standard, help)                                                        \
	{                                                                                            \
#name, PGM_SETTING_SECONDS, PGM_SETTING_OURS, AT(member), standard, 0, 0, NULL, help \
	}
#define BYTES(name, member, standard, min, max, help)                                                  \
	{                                                                                              \
#name, PGM_SETTING_BYTES, PGM_SETTING_OURS, AT(member), standard, min, max, NULL, help \
	}
#define TEXT(name, standard, help)                                                              \
	{                                                                                       \
#name, PGM_SETTING_TEXT, PGM_SETTING_OURS, AT(name), standard, 0, 0, NULL, help \
	}

/* In the order of --show-config: by name. */
const struct pgm_setting pgm_serve_settings[] = {
	TEXT(allowed_hosts, NULL,
	     "names by which browsers reach it, with commas; addresses and localhost are always right"),
	SECONDS(findings_interval, findings_interval_ms, "600",
		"time between two runs of the checks; 0: never"),
	TEXT(history, NULL, "SQLite file in which samples are kept; none: nothing is kept"),
	BYTES(history_size, history_size_bytes, "1GB", 16 << 20, INT64_C(1) << 40,
	      "how large the history may become"),
	INT(jobs, "4", 1, 64, "jobs that may run at once"),
	TEXT(listen, "127.0.0.1",
	     "address on which it listens; one that is not of the loopback needs TLS and tokens"),
	INT(max_connections, "1024", 8, 100000, "HTTP connections at once"),
	INT(max_connections_per_address, "600", 4, 100000, "HTTP connections at once from one address"),
	BOOL(metrics_auth, "1", "/metrics needs a token"),
	INT(port, "8432", 0, 65535, "port on which it listens; 0: any that is free"),
	SECONDS(request_timeout, request_timeout_ms, "15",
		"time in which a request must have been sent whole"),
	BOOL(show_values, "0", "operators see the values of statements that the pooler sampled"),
	SECONDS(tables_interval, tables_interval_ms, "60", "time between two looks at tables and indexes"),
	TEXT(tls_cert_file, NULL, "certificate (PEM), with those of its issuers after it"),
	TEXT(tls_key_file, NULL, "key of the certificate (PEM)"),
	TEXT(tokens, NULL, "file of tokens, made with --new-token; none: one token is made at each start"),
	SECONDS(watch_interval, watch_interval_ms, "10", "time between two samples of a database"),
	TEXT(watch_user, NULL, "user that watches the pooler's databases where their lines name none"),
};
const size_t pgm_serve_setting_count = sizeof(pgm_serve_settings) / sizeof(*pgm_serve_settings);
