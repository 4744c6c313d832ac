/* Judging a whole file. Inside lint/ only. */
#ifndef PGM_LINT_LINT_RUN_H
#define PGM_LINT_LINT_RUN_H

#include "lint/judge.h"

/* Judge the statements of judge->scripts[file] and fill what the report says of the file. */
void pgm_judge_script(struct pgm_judge *judge, size_t file, struct pgm_lint_file *out);

#endif
