/*
 * Who asked for a run where that is not the role of the connection: pgmend serve says it to the commands that
 * it starts by the environment (PGMEND_ACTOR, the name of a token). Kept in table pgmend.actor beside the
 * Ledger's, a row for each run; without PGMEND_ACTOR there is none, and the Ledger's applied_by says it all.
 *
 * Each function is on the given session, which must not be in a transaction. Results live in the arena.
 */
#ifndef PGM_CHANGE_ACTOR_H
#define PGM_CHANGE_ACTOR_H

#include "pg/conn.h"

struct pgm_actor {
	const char *action; /* apply, rollback */
	const char *actor;
	const char *role; /* of the connection */
	const char *at;	  /* ISO 8601, UTC */
};

/* Of this process, or NULL. */
const char *pgm_actor_name(void);

/* Say in the Ledger who asks for the run that begins; the Ledger and the Plan's row are there. */
bool pgm_actor_record(struct pgm_conn *conn, struct pgm_arena *arena, int64_t seq, const char *action,
		      struct pgm_error *err) PGM_MUST_CHECK;

/* Those of a Plan's row, in the order of their runs. */
bool pgm_actor_read(struct pgm_conn *conn, struct pgm_arena *arena, int64_t seq, struct pgm_actor **actors,
		    size_t *count, struct pgm_error *err) PGM_MUST_CHECK;

#endif
