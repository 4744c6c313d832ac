/*
 * A Finding: one thing that is wrong, with what shows it and what would mend it. Plain data in the arena of
 * its maker.
 */
#ifndef PGM_CHANGE_FINDING_H
#define PGM_CHANGE_FINDING_H

#include "change/change.h"

#include <jansson.h>

enum pgm_severity { PGM_SEVERITY_INFO, PGM_SEVERITY_WARNING, PGM_SEVERITY_CRITICAL };

struct pgm_finding {
	const char *check_id; /* "fk_without_index" */
	const char *title;    /* of the check: "Foreign key without an index" */
	enum pgm_severity severity;
	const char *object;	/* quoted and qualified: "public.orders" */
	const char *detail;	/* one or two sentences: what is wrong here and what it costs */
	const char *remedy;	/* what to type or do; SQL where that is the mend */
	const char *ignore_key; /* stable: "fk_without_index:public.orders:orders_user_id_fkey" */
	double impact;		/* orders the findings of one severity: larger is worse */
	json_t *evidence;	/* object: figures, and how they were got; owned by the finding's maker */
	const struct pgm_change *changes; /* what would mend it; may be none */
	size_t change_count;
};

const char *pgm_severity_name(enum pgm_severity severity); /* "warning" */
bool pgm_severity_parse(const char *name, enum pgm_severity *severity);

#endif
