/*
 * The checks, run on each database from time to time: what they find goes to the alerts, and answers the API
 * until the next run. Inside serve/ only.
 */
#ifndef PGM_SERVE_FINDINGS_H
#define PGM_SERVE_FINDINGS_H

#include "serve/parts.h"

bool pgm_serve_start_findings(struct pgm_serve *serve, struct pgm_error *err) PGM_MUST_CHECK;
void pgm_serve_stop_findings(struct pgm_serve *serve);

#endif
