/*
 * What a connection string means, without connecting: as psql would take it, with PG* variables, service
 * files and .pgpass.
 */
#ifndef PGM_PG_CONNINFO_H
#define PGM_PG_CONNINFO_H

#include "util/arena.h"
#include "util/error.h"

/* Texts are NULL where nothing is said and libpq has no default. */
struct pgm_conninfo {
	char *host; /* a name, an address, a directory, or a list with commas */
	char *hostaddr;
	char *port; /* one, or as many as hosts */
	char *dbname, *user;
	char *password; /* the caller's to wipe */
	char *sslmode, *sslrootcert, *sslcert, *sslkey;
	char *application_name, *client_encoding, *connect_timeout, *options, *target_session_attrs;
};

/* text is a database name, a key=value string or a URI. No message holds a password. */
bool pgm_conninfo_resolve(const char *text, struct pgm_arena *arena, struct pgm_conninfo *info,
			  struct pgm_error *err) PGM_MUST_CHECK;

/* Whether libpq can read it; NULL and a database name are fine. */
bool pgm_conninfo_check(const char *conninfo, struct pgm_error *err) PGM_MUST_CHECK;

#endif
