/*
 * What a statement locks, and what it does under the lock. From PostgreSQL's documentation ("Explicit
 * Locking", and the page of each command) and AlterTableGetLockLevel(); tests compare it with what a server
 * really takes. Inside lint/ only.
 */
#ifndef PGM_LINT_EFFECT_H
#define PGM_LINT_EFFECT_H

#include "lint/judge.h"

enum {
	PGM_LOCK_ROW_SHARE = 2,
	PGM_LOCK_ROW_EXCLUSIVE = 3,
	PGM_LOCK_SHARE_UPDATE_EXCLUSIVE = 4,
	PGM_LOCK_SHARE = 5,
	PGM_LOCK_SHARE_ROW_EXCLUSIVE = 6,
	PGM_LOCK_EXCLUSIVE = 7,
	PGM_LOCK_ACCESS_EXCLUSIVE = 8,
};

/* Such a lock keeps an application from writing, or from reading. */
#define PGM_LOCK_IS_STRONG(lock) ((lock) >= PGM_LOCK_SHARE)

/* The effects of the judge's statement, one for each relation, strongest first. */
void pgm_effects_of(const struct pgm_judge *judge, const struct pgm_ops *ops, struct pgm_lint_statement *out);

/* How much work on a table reads or writes, and how long it may take; -1 where it is not known. */
void pgm_effect_estimate(const struct pgm_judge *judge, struct pgm_op_name table, enum pgm_lint_work work,
			 double *bytes, double *rows, double *ms);

#endif
