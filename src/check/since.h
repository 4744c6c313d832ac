/*
 * What changed between a report that was saved as JSON and the one of now: findings that are new, worse,
 * better or gone. Findings are the same when their ignore keys are.
 *
 * Results live in the arena. Nothing here prints.
 */
#ifndef PGM_CHECK_SINCE_H
#define PGM_CHECK_SINCE_H

#include "check/check.h"

/* Figures move a little from run to run: an impact must change by this factor to count. */
#define PGM_CHECK_SINCE_FACTOR 1.25

enum pgm_check_change { PGM_CHECK_NEW, PGM_CHECK_WORSE, PGM_CHECK_BETTER, PGM_CHECK_GONE, PGM_CHECK_CHANGES };

struct pgm_check_changed {
	enum pgm_check_change change;
	const char *check_id;
	const char *title;
	const char *object;
	const char *ignore_key;
	enum pgm_severity before, now; /* the same where there is only one */
	double impact_before, impact_now;
};

struct pgm_check_since {
	const char *taken_at; /* of the saved report */
	const char *database;
	struct pgm_check_changed *changed; /* by kind, then as the report orders them */
	size_t changed_count;
	size_t counts[PGM_CHECK_CHANGES];
	size_t same;
	size_t not_compared; /* of checks that were not judged in both runs */
};

/* Fails with PGM_ERR_INPUT where saved is not a report of a schema that is known. */
bool pgm_check_since(struct pgm_arena *arena, json_t *saved, const struct pgm_check_report *report,
		     struct pgm_check_since *since, struct pgm_error *err) PGM_MUST_CHECK;

/* Whether it is among those that are new or worse. */
bool pgm_check_since_is_worse(const struct pgm_check_since *since, const struct pgm_finding *finding);

const char *pgm_check_change_name(enum pgm_check_change change);   /* "new" */
json_t *pgm_check_since_json(const struct pgm_check_since *since); /* a new reference */

#endif
