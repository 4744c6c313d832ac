/*
 * "apply --verify": baseline, apply and compare in one go, and the way back where that shows a loss.
 */
#ifndef PGM_CLI_APPLY_VERIFIED_H
#define PGM_CLI_APPLY_VERIFIED_H

#include "cli/change_output.h"

/* Returns the exit code: PGM_EXIT_FOUND where compare fell short, whether or not the Plan was taken back. */
int pgm_apply_verified(const struct pgm_change_output *output, struct pgm_conn *conn,
		       const struct pgm_plan *plan, const struct pgm_engine_options *options);

#endif
