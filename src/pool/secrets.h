/*
 * auth_query: what a database knows of a user who is not in auth_file. Each database is asked on a thread and
 * a session of its own, so that one that hangs holds up only its own logins. Sessions are opened by libpq
 * with a fixed search_path, never with anything of a client's, which is a parameter of the query; they stand
 * beside the pools and their limits, and end when the pools' servers would: unused for server_idle_timeout,
 * older than server_lifetime, after PAUSE, RECONNECT and a change of addresses.
 */
#ifndef PGM_POOL_SECRETS_H
#define PGM_POOL_SECRETS_H

#include "pool/worker.h"

struct pgm_secrets *pgm_secrets_start(struct pgm_pooler *pooler, struct pgm_error *err);
void pgm_secrets_stop(struct pgm_secrets *secrets); /* NULL is fine */

enum pgm_secrets_asked {
	PGM_SECRETS_ASKED,
	PGM_SECRETS_NOBODY, /* auth_dbname is no database of ours, so the user is unknown */
	PGM_SECRETS_NO_MEMORY,
};
/* The answer reaches pgm_login_secret() of that client, if it is still there. */
enum pgm_secrets_asked pgm_secrets_ask(struct pgm_worker *worker, uint64_t client_id,
				       struct pgm_database *database, const char *user);

#endif
