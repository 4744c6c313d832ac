/*
 * A gap for an exclusive lock: nobody holds the tables for long already. Behind a request that has to wait
 * for somebody everybody else waits, too, so it is better not made before. Inside change/ only.
 */
#ifndef PGM_CHANGE_GAP_H
#define PGM_CHANGE_GAP_H

#include "change/run.h"
#include "util/vec.h"

/* The tables. Zeroed at first; lives in the arena that is given to pgm_gap_add(). */
struct pgm_gap {
	PGM_VEC(const char *) names; /* quoted, with their schemas */
	const char *oid;	     /* and one by its oid; NULL: none */
	bool references;	     /* and those that its foreign keys refer to */
	bool in_transaction;	     /* run->work is in one: autovacuum is let be */
};

/* A table by its unquoted name; nothing where that is "". */
void pgm_gap_add(struct pgm_arena *arena, struct pgm_gap *gap, const char *schema, const char *relation);

/*
 * Whether there is one now: no transaction that began more than age_ms ago holds a lock on one of them. False
 * with who does in *err (PGM_ERR_TIMEOUT). Autovacuum is made to give way, as it does for who waits for its
 * lock; nobody waits behind that. What cannot be seen counts as a gap.
 */
bool pgm_gap_open(struct pgm_run *run, const struct pgm_gap *gap, int age_ms,
		  struct pgm_error *err) PGM_MUST_CHECK;

#endif
