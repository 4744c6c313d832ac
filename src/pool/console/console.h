/*
 * The admin console: the databases "pgbouncer" and "pgmend", which are no databases. Its clients stay on
 * their workers, which read and write for them; their commands are run on the control thread, which may look
 * at all workers.
 */
#ifndef PGM_POOL_CONSOLE_H
#define PGM_POOL_CONSOLE_H

#include "pool/client.h"

bool pgm_console_is(const char *database);
struct pgm_database *pgm_console_database(struct pgm_pooler *pooler);

/* ---- a worker's thread ---- */

/* Whether it may be whom it says without a password: the pooler's own system user, over the Unix socket. */
bool pgm_console_is_own(const struct pgm_client *client, const char *user);

/* A client that is authenticated: welcome it, or refuse it. */
void pgm_console_adopt(struct pgm_client *client, const char *user);
void pgm_console_ready(struct pgm_client *client); /* there may be something to read */
void pgm_console_cancel(struct pgm_client *client);
void pgm_console_gone(struct pgm_client *client);		  /* it is being closed */
void pgm_console_client_free(struct pgm_console_client *console); /* NULL is fine */

/* ---- the control thread ---- */

bool pgm_console_start(struct pgm_pooler *pooler, struct pgm_error *err) PGM_MUST_CHECK;
/* Go on with commands that wait (PAUSE...), and with what is done once a minute or stats_period. */
void pgm_console_tick(struct pgm_pooler *pooler);
/* From now on other threads of the process may look (view.h), until views are closed. */
void pgm_console_open_views(struct pgm_pooler *pooler);
void pgm_console_close_views(struct pgm_pooler *pooler);
/* When all workers have stopped: save the profile, and forget requests that were not answered. */
void pgm_console_end(struct pgm_pooler *pooler);

#endif
