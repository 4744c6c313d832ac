/*
 * The way back from an archive: a Plan that makes the table again, loads the file into it, verifies count and
 * checksum, and attaches it where that is asked for.
 */
#ifndef PGM_PARTITION_RESTORE_H
#define PGM_PARTITION_RESTORE_H

#include "change/plan.h"
#include "pg/conn.h"

/*
 * into: the table to make, as the user wrote it; NULL: as it was called. Where the
 * Ledger (ledger: there is one) has such a Plan that was begun, it is that one.
 */
bool pgm_restore_plan(struct pgm_conn *conn, struct pgm_arena *arena, const char *file, const char *into,
		      bool attach, bool ledger, struct pgm_plan *plan, struct pgm_error *err) PGM_MUST_CHECK;

#endif
