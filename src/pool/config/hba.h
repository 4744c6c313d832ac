/*
 * The HBA file: who may log in from where, and how. PgBouncer's subset of pg_hba.conf: local, host, hostssl,
 * hostnossl; databases all, sameuser, replication, names, @file; users all, names, @file; addresses all, IPv4
 * and IPv6 with a prefix length or a mask; methods trust, reject, md5, password, scram-sha-256, cert, peer;
 * the option map=. A name in quotes has no special meaning. The first rule that matches counts; where none
 * does, nobody may.
 *
 * A line that is not understood is an error: PgBouncer passes over it, so that a mistyped "reject" allows.
 *
 * Immutable after reading, in the arena of the configuration; any thread may ask.
 */
#ifndef PGM_POOL_HBA_H
#define PGM_POOL_HBA_H

#include "pool/config/config.h"

#include <sys/socket.h>

enum pgm_hba_type {
	PGM_HBA_LOCAL,
	PGM_HBA_HOST,
	PGM_HBA_HOSTSSL,
	PGM_HBA_HOSTNOSSL,
};

/* A list of databases or users. */
struct pgm_hba_names {
	bool all, sameuser, replication;
	const char **names;
	size_t count;
};

struct pgm_hba_mapping {
	const char *system_user;   /* or the certificate's name */
	const char *database_user; /* NULL: all */
};

struct pgm_hba_map {
	const char *name;
	const struct pgm_hba_mapping *mappings;
	size_t count;
};

struct pgm_hba_rule {
	enum pgm_hba_type type;
	struct pgm_hba_names databases, users;
	bool any_address;
	int family; /* AF_INET, AF_INET6 */
	uint8_t address[16], mask[16];
	enum pgm_auth_type method;
	const struct pgm_hba_map *map; /* of cert and peer; or NULL */
	const char *file;
	int line;
};

struct pgm_hba {
	const struct pgm_hba_rule *rules;
	size_t count;
};

/* Who asks. */
struct pgm_hba_client {
	const struct sockaddr *address; /* AF_UNIX, AF_INET, AF_INET6; IPv4 in IPv6 counts as IPv4 */
	bool tls;
	bool physical_replication;
	const char *database, *user;
};

/* The rule for a client; NULL: none, so it is refused. */
const struct pgm_hba_rule *pgm_hba_match(const struct pgm_hba *hba, const struct pgm_hba_client *client);

/* Whether this system user (or name in the certificate) may log in as that database user under the rule. */
bool pgm_hba_maps(const struct pgm_hba_rule *rule, const char *system_user, const char *database_user);

struct pgm_config_text;

/* Read both; ident may be NULL. Problems are added; what could be read is returned all the same. */
struct pgm_hba *pgm_hba_read(struct pgm_arena *arena, const struct pgm_config_text *hba,
			     const struct pgm_config_text *ident, bool may_include,
			     struct pgm_config_problems *problems);

#endif
