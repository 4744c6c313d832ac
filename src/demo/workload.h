/*
 * The statements of the demo applications, as demo/<app>.workload.sql has them; demo/README.md describes the
 * format. Plain data in an arena.
 */
#ifndef PGM_DEMO_WORKLOAD_H
#define PGM_DEMO_WORKLOAD_H

#include "util/error.h"
#include "util/vec.h"

#include <stdint.h>

enum pgm_demo_kind { PGM_DEMO_READ, PGM_DEMO_WRITE, PGM_DEMO_CASCADE_DELETE };

struct pgm_demo_statement {
	const char *app;
	const char *name;
	const char *title;
	bool headline;
	enum pgm_demo_kind kind;
	int times;	    /* in one pass */
	const char *sample; /* these three only of a cascade delete, else NULL */
	const char *units;
	const char *trigger;
	const char *sql; /* with placeholders, without the semicolon */
};

struct pgm_demo_workload {
	PGM_VEC(struct pgm_demo_statement) statements;
};

/* Add an application's statements. Fails with PGM_ERR_INPUT, which names the line. */
bool pgm_demo_workload_parse(struct pgm_arena *arena, const char *app, const char *text,
			     struct pgm_demo_workload *workload, struct pgm_error *err) PGM_MUST_CHECK;

/* How many statements one pass runs. */
size_t pgm_demo_workload_pass_count(const struct pgm_demo_workload *workload);
size_t pgm_demo_workload_headline_count(const struct pgm_demo_workload *workload);

#endif
