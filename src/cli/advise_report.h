/*
 * What advise prints. Inside cli/ only.
 */
#ifndef PGM_CLI_ADVISE_REPORT_H
#define PGM_CLI_ADVISE_REPORT_H

#include "advise/advise.h"

#include <stdio.h>

struct pgm_advise_report {
	struct pgm_arena *arena;
	struct pgm_conn *conn;
	const struct pgm_workload *workload;
	const struct pgm_advice *advice;
	const struct pgm_plan *plan;
	const char *plan_path; /* NULL: it was not written */
	bool emitted;	       /* it went to the folder plan_path in parts, which has been said */
	bool verbose;
};

void pgm_advise_report_text(const struct pgm_advise_report *report, bool markdown, FILE *stream);
void pgm_advise_report_json(const struct pgm_advise_report *report, FILE *stream);

#endif
