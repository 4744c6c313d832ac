/*
 * What would block a worker: looking up host names, and asking a database for a user's secret. One thread
 * does it, and posts the answers to who asked. auth_query runs on sessions of this thread's own, opened by
 * libpq with a fixed search_path, never with anything of a client's, which is a parameter of the query.
 */
#ifndef PGM_POOL_BACKGROUND_H
#define PGM_POOL_BACKGROUND_H

#include "pool/worker.h"

#include <sys/types.h>

struct pgm_background *pgm_background_start(struct pgm_pooler *pooler, struct pgm_error *err);
void pgm_background_stop(struct pgm_background *background); /* NULL is fine */

enum pgm_background_asked {
	PGM_BACKGROUND_ASKED,
	PGM_BACKGROUND_NOBODY, /* auth_dbname is no database of ours, so the user is unknown */
	PGM_BACKGROUND_NO_MEMORY,
};
/* The answer reaches pgm_login_secret() of that client, if it is still there. */
enum pgm_background_asked pgm_background_ask_secret(struct pgm_worker *worker, uint64_t client_id,
						    struct pgm_database *database, const char *user);

/* Look up the database's hosts; its pools are served again when they are known. */
void pgm_background_resolve(struct pgm_pooler *pooler, struct pgm_database *database);

/* The same where names were looked up, and it is time to do so again; the old addresses count until then. */
void pgm_background_refresh(struct pgm_pooler *pooler, struct pgm_database *database);

/* The same at once, for what needs no name server: directories and numeric addresses. */
bool pgm_background_resolve_now(struct pgm_database *database);

bool pgm_background_user_name(uid_t uid, char *name, size_t size);

#endif
