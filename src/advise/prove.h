/*
 * From a selection to advice: names, effects on each statement, what becomes redundant, who loses.
 */
#ifndef PGM_ADVISE_PROVE_H
#define PGM_ADVISE_PROVE_H

#include "advise/advice.h"
#include "advise/select.h"

bool pgm_prove(struct pgm_advise_run *run, struct pgm_costing *const *costings, size_t count,
	       const struct pgm_selection *selection, struct pgm_advice *advice,
	       struct pgm_error *err) PGM_MUST_CHECK;

#endif
