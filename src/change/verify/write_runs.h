/*
 * Timing writes on the temporary copies; inside verify/ only.
 */
#ifndef PGM_CHANGE_VERIFY_WRITE_RUNS_H
#define PGM_CHANGE_VERIFY_WRITE_RUNS_H

#include "change/verify/copies.h"

/*
 * In the open transaction that created the copies: time each kind of write on both, PGM_WRITES_RUNS times
 * or until deadline_ms (of pgm_clock_ms()) has passed, and fill in the costs.
 */
bool pgm_write_runs(struct pgm_copies *copies, double deadline_ms, struct pgm_writes *writes,
		    struct pgm_error *err) PGM_MUST_CHECK;

#endif
