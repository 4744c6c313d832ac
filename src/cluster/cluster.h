/*
 * A throw-away PostgreSQL: made from the installed server programs, in a private folder, on a Unix socket
 * alone, never as root. It ends with us, however we end, and leaves nothing behind; unless it was asked to
 * stay and then released.
 *
 * One owner, one thread. Superuser postgres, without a password: only we (and the account that the server
 * runs under) can enter its folder.
 */
#ifndef PGM_CLUSTER_CLUSTER_H
#define PGM_CLUSTER_CLUSTER_H

#include "pg/conn.h"

struct pgm_cluster;

struct pgm_cluster_options {
	const char *parent; /* folder to make the private one in; NULL: $TMPDIR or /tmp */
	const char *name;   /* that the private folder's name begins with: "pgmend-demo" */
	bool can_stay;	    /* pgm_cluster_release() will be called */
};

/* Find the programs, make the folder, run initdb (about a second). NULL on failure, with nothing left. */
struct pgm_cluster *pgm_cluster_new(const struct pgm_cluster_options *options,
				    struct pgm_error *err) PGM_MUST_CHECK;

/* A setting of postgresql.conf; counts from the next start. A later one of the same name wins. */
bool pgm_cluster_set(struct pgm_cluster *cluster, const char *name, const char *value,
		     struct pgm_error *err) PGM_MUST_CHECK;

/* Start the server and wait until it takes connections. */
bool pgm_cluster_start(struct pgm_cluster *cluster, struct pgm_error *err) PGM_MUST_CHECK;
void pgm_cluster_stop(struct pgm_cluster *cluster); /* a clean shutdown; it can be started again */

/* A session as superuser, without timeouts; Ctrl-C cancels what it runs. */
struct pgm_conn *pgm_cluster_connect(const struct pgm_cluster *cluster, const char *database,
				     struct pgm_error *err) PGM_MUST_CHECK;

/* What a client gives to connect to it. */
char *pgm_cluster_conninfo(const struct pgm_cluster *cluster, struct pgm_arena *arena, const char *database);

/* These live as long as the cluster. */
const char *pgm_cluster_folder(const struct pgm_cluster *cluster); /* ours to put more into */
const char *pgm_cluster_data(const struct pgm_cluster *cluster);
const char *pgm_cluster_programs(const struct pgm_cluster *cluster); /* the folder with pg_ctl */
const char *pgm_cluster_account(const struct pgm_cluster *cluster);  /* "" where it is ours */

void pgm_cluster_close(struct pgm_cluster *cluster);   /* stop, remove, free; NULL is fine */
void pgm_cluster_release(struct pgm_cluster *cluster); /* free; the server goes on without us */

#endif
