/*
 * The admin console: the databases "pgbouncer" and "pgmend", which are no databases. Its clients live on the
 * control thread, which may look at all workers.
 */
#ifndef PGM_POOL_CONSOLE_H
#define PGM_POOL_CONSOLE_H

#include "pool/client.h"

bool pgm_console_is(const char *database);
struct pgm_database *pgm_console_database(struct pgm_pooler *pooler);

/* A client that is authenticated goes to the control thread. */
void pgm_console_adopt(struct pgm_client *client, const char *user);

/* Control thread: go on with commands that wait (PAUSE...). */
void pgm_console_tick(struct pgm_pooler *pooler);

#endif
