/*
 * Where PostgreSQL's server programs (initdb, postgres, pg_ctl) are.
 */
#ifndef PGM_CLUSTER_BINARIES_H
#define PGM_CLUSTER_BINARIES_H

#include "util/arena.h"
#include "util/error.h"

/*
 * The folder that $PGMEND_PG_BIN names, else the one of "pg_config --bindir", else the newest of the places
 * where distributions put it, else one of PATH. NULL where there is none.
 */
char *pgm_binaries_find(struct pgm_arena *arena, struct pgm_error *err) PGM_MUST_CHECK;

#endif
