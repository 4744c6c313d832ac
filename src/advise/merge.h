/*
 * Two chosen indexes of one table often begin with the same keys. One that has the longer keys and the
 * INCLUDE columns of both takes less room and half the writes; where it serves the statements about as well,
 * it takes their place (index merging: Chaudhuri and Narasayya, ICDE 1999).
 */
#ifndef PGM_ADVISE_MERGE_H
#define PGM_ADVISE_MERGE_H

#include "advise/select.h"

/* Merge what can be merged in the selection; its benefits are counted anew. */
bool pgm_merge(struct pgm_advise_run *run, struct pgm_costing *const *costings, size_t count,
	       struct pgm_selection *selection, struct pgm_error *err) PGM_MUST_CHECK;

#endif
