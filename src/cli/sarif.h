/*
 * SARIF 2.1.0 (OASIS): one log with one run, for code scanning in CI. The caller owns the log.
 */
#ifndef PGM_CLI_SARIF_H
#define PGM_CLI_SARIF_H

#include "change/finding.h"

#include <jansson.h>

struct pgm_sarif_rule {
	const char *id;
	const char *title;
	const char *text; /* what it means */
	const char *help; /* what to do; "" for none */
	enum pgm_severity severity;
};

struct pgm_sarif_result {
	const char *rule_id;
	size_t rule_index; /* in the order of adding */
	enum pgm_severity severity;
	const char *message;
	const char *path; /* NULL: it is no file's */
	int line, column, end_line;
	const char *object;	    /* a name for the logical location; NULL or "" for none */
	const char *fingerprint;    /* stable over runs */
	const char *baseline_state; /* "new", "unchanged", "updated"; NULL without a baseline */
};

json_t *pgm_sarif_new(void);
void pgm_sarif_add_rule(json_t *log, const struct pgm_sarif_rule *rule);
void pgm_sarif_add_result(json_t *log, const struct pgm_sarif_result *result);

/* What could not be judged, without harm to the rest. */
void pgm_sarif_add_notice(json_t *log, const char *message);

/* What kept the run from seeing all: executionSuccessful becomes false. */
void pgm_sarif_add_problem(json_t *log, const char *message);

#endif
