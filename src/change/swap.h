/*
 * The end of a copy that was made while its source went on changing: kind "swap" of a Change. Inside change/
 * only; the contract is for all.
 *
 * The copy was filled by a step in batches (batches.h) while triggers wrote the keys of all rows that change
 * into a log. The SQL of this step, in this order:
 *
 *	take	DELETE at most $1 keys from the log; one row: handled (how many), and arrays of keys
 *	remove	DELETE the rows of these keys from the copy
 *	add	INSERT what the source has of them now
 *	guard	SELECT that returns a row for each reason (text) not to go on: DDL or TRUNCATE by someone
 *		else, a trigger that was switched off
 *	verify	SELECT one row for each part of the copy: name, rows of the source, sum of their hashes,
 *		rows of the copy, sum of theirs; all without the keys that stand in the log
 *	...	what prepares the swap without holding anybody up (NOT VALID constraints, VALIDATE): a
 *		transaction each, in short tries; done again by each run, so it must be fit for that
 *	LOCK	IN SHARE UPDATE EXCLUSIVE MODE, if any, and what follows it up to the next LOCK: keeps vacuum
 *		away from what the swap touches, before anybody has to wait for it
 *	LOCK	the source against writers at least; then what else is locked, by a LOCK each
 *	...	the swap itself; where the first LOCKs let readers on, it begins with a LOCK of ACCESS
 *		EXCLUSIVE
 *
 * Parameters are those of batches.h: $1 how much, $3... the arrays of take.
 *
 * take, remove and add run again and again, a transaction each, until the log is nearly empty; then guard and
 * verify in one REPEATABLE READ snapshot, without locks; then what prepares; then the swap, when nobody holds
 * one of the tables for long: LOCK in short tries, guard, what is left of the log (where that is too much the
 * locks go and it drains again), the rest, and the step's row in the Ledger, in one transaction. So the step
 * happened or it did not, whatever ends the run.
 */
#ifndef PGM_CHANGE_SWAP_H
#define PGM_CHANGE_SWAP_H

#include "change/steps.h"

#define PGM_SWAP_KEYS_SMALL 200 /* a log with fewer keys is nearly empty */
#define PGM_SWAP_KEYS_MAX   400 /* the most that are applied under the locks */

/* Whether the statements are laid out as above; PGM_ERR_INPUT says what is missing. */
bool pgm_swap_check(const struct pgm_plan_sql *sqls, size_t count, struct pgm_error *err) PGM_MUST_CHECK;

/*
 * Carry it out; done: the step's state with which it commits. *note: what was verified and how long the locks
 * were held, in one line.
 */
bool pgm_swap_run(struct pgm_run *run, const struct pgm_plan_sql *sqls, size_t count, const char *done,
		  const char **note, struct pgm_error *err) PGM_MUST_CHECK;

#endif
