/*
 * From a selection to advice: names, effects, what becomes redundant, who loses. Inside advise/ only.
 */
#ifndef PGM_ADVISE_ADVICE_H
#define PGM_ADVISE_ADVICE_H

#include "advise/select.h"

bool pgm_advice_make(struct pgm_advise_run *run, struct pgm_costing *const *costings, size_t count,
		     const struct pgm_selection *selection, struct pgm_advice *advice,
		     struct pgm_error *err) PGM_MUST_CHECK;

#endif
