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
};

/* Wait as long as there is a reason to. False: stopped, or the server does not answer. */
bool pgm_throttle(struct pgm_run *run, struct pgm_throttle *throttle, struct pgm_error *err) PGM_MUST_CHECK;

/* Whether it is time to look for reasons again: nothing new may begin before. */
bool pgm_throttle_due(const struct pgm_run *run, const struct pgm_throttle *throttle);

#endif
