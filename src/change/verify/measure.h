/*
 * Measuring a Plan's statements; inside verify/ only.
 */
#ifndef PGM_CHANGE_VERIFY_MEASURE_H
#define PGM_CHANGE_VERIFY_MEASURE_H

#include "change/verify/verify.h"

/* What every entry point needs first: the Plan resolved, and the user's schemas. */
bool pgm_measure_prepare(struct pgm_conn *conn, struct pgm_arena *arena, const struct pgm_plan **plan,
			 const char **schemas, struct pgm_error *err) PGM_MUST_CHECK;

/* All statements, without the writes. Where may_execute is not set they are planned alone. */
bool pgm_measure_all(struct pgm_conn *conn, struct pgm_arena *arena, const struct pgm_plan *plan,
		     const char *schemas, const struct pgm_verify_options *options, bool may_execute,
		     struct pgm_measures *measures, struct pgm_error *err) PGM_MUST_CHECK;

/*
 * One statement. deadline_ms is a time of pgm_clock_ms(): once it has passed, no run is begun but the
 * first, and *budget_spent is set. False where the session or the user's patience has ended; what is wrong
 * with the statement itself is said in the measure.
 */
bool pgm_measure_statement(struct pgm_conn *conn, struct pgm_arena *arena,
			   const struct pgm_plan_statement *statement, const char *schemas, bool may_execute,
			   const struct pgm_verify_options *options, double deadline_ms,
			   struct pgm_measure *measure, bool *budget_spent,
			   struct pgm_error *err) PGM_MUST_CHECK;

#endif
