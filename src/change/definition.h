/*
 * How to build an existing index again, for the way back from its drop.
 */
#ifndef PGM_CHANGE_DEFINITION_H
#define PGM_CHANGE_DEFINITION_H

#include "pg/conn.h"

/*
 * "CREATE [UNIQUE] INDEX CONCURRENTLY ...;\n" as the server itself tells it. *sql is NULL where the index is
 * gone, is partitioned, or its table is locked for longer than lock_timeout. False: the session is lost, or
 * the user stopped us.
 */
bool pgm_index_definition(struct pgm_conn *conn, struct pgm_arena *arena, const char *schema,
			  const char *index, const char **sql, struct pgm_error *err) PGM_MUST_CHECK;

#endif
