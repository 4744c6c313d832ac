/*
 * What a step in batches waits for between two batches: a pause that someone asked for (a file, or the
 * Ledger) and standbys that are behind. Inside change/ only.
 */
#ifndef PGM_CHANGE_THROTTLE_H
#define PGM_CHANGE_THROTTLE_H

#include "change/run.h"

struct pgm_throttle {
	double last_look_ms; /* at the standbys */
	double waited_ms;    /* in all */
	bool told_hidden;    /* that we may not see how far they are behind */
};

/* Wait as long as there is a reason to. False: stopped, or the server does not answer. */
bool pgm_throttle(struct pgm_run *run, struct pgm_throttle *throttle, struct pgm_error *err) PGM_MUST_CHECK;

/*
 * Whether another batch may begin beside those that are under way: there is no reason to wait. Where there
 * may be one, these shall end first, and then pgm_throttle() tells.
 */
bool pgm_throttle_clear(struct pgm_run *run, struct pgm_throttle *throttle);

#endif
