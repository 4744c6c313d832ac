/*
 * How long a transaction held its locks, by the server's clock. Inside change/ only.
 *
 * The moment at which a lock was got is kept in a setting of the session. PostgreSQL lets locks go near the
 * end of the commit: after the WAL, before it removes the files of what was dropped, which for a large index
 * takes many times as long as all the rest. Nobody tells that moment, so there are two figures with it in
 * between.
 */
#ifndef PGM_CHANGE_HELD_H
#define PGM_CHANGE_HELD_H

#include "pg/conn.h"

/* The settings. SQL of a Plan may set the first one itself. */
#define PGM_HELD_LOCKED	   "pgmend.locked_at"
#define PGM_HELD_EXCLUSIVE "pgmend.exclusive_at"

/* A statement that keeps the time in one of them. */
#define PGM_HELD_SAVE(name) \
	"SELECT pg_catalog.set_config('" name "', pg_catalog.clock_timestamp()::text, false)"

struct pgm_held {
	double least_ms; /* until the commit began; -1: no lock was told of */
	double most_ms;	 /* until all was done; -1: not known */
};

/* "8.10 ms", "8.10 ms to 31 ms" */
const char *pgm_held_text(struct pgm_arena *arena, const struct pgm_held *held);

/*
 * Run the statements and commit, in one round trip, inside of a transaction that was begun. True where it was
 * committed, even if something failed afterwards. locked and exclusive: since the two settings; NULL
 * where nobody asks.
 */
bool pgm_held_commit(struct pgm_conn *conn, const struct pgm_conn_statement *statements, size_t count,
		     struct pgm_held *locked, struct pgm_held *exclusive,
		     struct pgm_error *err) PGM_MUST_CHECK;

#endif
