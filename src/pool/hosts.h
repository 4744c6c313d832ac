/*
 * Where databases and peers are: host names become addresses on threads of their own, for a name server may
 * be slow; one that does not answer holds up no other name. What needs none (directories, numeric addresses,
 * "localhost") is looked up at once. The addresses are under the database's lock.
 */
#ifndef PGM_POOL_HOSTS_H
#define PGM_POOL_HOSTS_H

#include "pool/pool.h"

struct pgm_hosts *pgm_hosts_start(struct pgm_error *err); /* NULL: out of memory */
void pgm_hosts_stop(struct pgm_hosts *hosts);		  /* NULL is fine */

/* Look up the database's hosts; its pools are served again when they are known. */
void pgm_hosts_resolve(struct pgm_pooler *pooler, struct pgm_database *database);

/* The same where names were looked up, and dns_max_ttl has passed; the old addresses count until then. */
void pgm_hosts_refresh(struct pgm_pooler *pooler, struct pgm_database *database);

/* The same for all databases with connections each dns_zone_check_period, by the control thread. */
void pgm_hosts_watch(struct pgm_pooler *pooler);

/* At once, for what needs no name server. False: it does. */
bool pgm_hosts_resolve_now(struct pgm_database *database);

/* At once whatever it takes, for a thread that may wait. names, port, place: the database's, for its
 * configuration is another thread's. */
bool pgm_hosts_look_up(struct pgm_database *database, const char *names, int port, unsigned place);

/* It is somewhere else: what is known of where it was, or is found of that from now on, does not count. */
void pgm_hosts_forget(struct pgm_database *database);

/* What the configuration says, or stands for where it says nothing. */
const char *pgm_hosts_names(const struct pgm_config_database *config);
int pgm_hosts_port(const struct pgm_config_database *config);

size_t pgm_hosts_count(struct pgm_database *database);
/* The address of this number; false: there is none, or it is not known yet. */
bool pgm_hosts_at(struct pgm_database *database, size_t number, struct pgm_address *address);
/* Whether it is still one of the database's; where none is known, it is. */
bool pgm_hosts_has(struct pgm_database *database, const struct pgm_address *address);

#endif
