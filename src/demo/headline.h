/*
 * How long a headline statement of the demo takes. Whatever is run is rolled back: a measurement changes no
 * data.
 */
#ifndef PGM_DEMO_HEADLINE_H
#define PGM_DEMO_HEADLINE_H

#include "demo/workload.h"
#include "pg/conn.h"

/* A cascade delete that a sample says takes longer than this is not run in whole. */
#define PGM_DEMO_WHOLE_MAX_MS 5000.0

struct pgm_demo_measurement {
	double ms;	   /* median of the runs: EXPLAIN ANALYZE's execution time */
	bool extrapolated; /* from a sample: ms is no measurement of the whole */
	const char *node;  /* of the plan, that which costs most: "Index Only Scan" */
	double sample_ms;  /* where extrapolated: what was measured, and what it was multiplied by */
	double factor;
};

/* Each run takes other values for the placeholders; the same ones in each measurement. */
bool pgm_demo_measure(struct pgm_conn *conn, struct pgm_arena *arena,
		      const struct pgm_demo_statement *statement, int runs,
		      struct pgm_demo_measurement *measurement, struct pgm_error *err) PGM_MUST_CHECK;

#endif
