/*
 * What a Plan's indexes cost those who write: INSERT and UPDATE on temporary copies of its tables, in a
 * session of our own that ends afterwards, so nothing is left behind. The user's tables are read once, for
 * a bounded sample.
 *
 * Of each table there are two copies, one with the indexes before the Plan and one with those after it,
 * and runs alternate between them. The copies are half full, so that an UPDATE can be HOT, and their
 * indexes are not unique, so that any column can be given the value of another row. Temporary tables write
 * no WAL and stay in memory: what is measured is the work of the processor.
 */
#ifndef PGM_CHANGE_VERIFY_WRITES_H
#define PGM_CHANGE_VERIFY_WRITES_H

#include "change/verify/verify.h"

#define PGM_WRITES_RUNS		15
#define PGM_WRITES_ROWS_MIN	200   /* of a sample; fewer say nothing */
#define PGM_WRITES_SAMPLE_MS	10000 /* statement_timeout of reading the sample */
#define PGM_WRITES_STATEMENT_MS 20000 /* of everything else */

/* Fill measures->writes: one for each table on which the Plan creates or drops indexes. */
bool pgm_writes_measure(struct pgm_conn *conn, struct pgm_arena *arena, const struct pgm_plan *plan,
			const struct pgm_verify_options *options, struct pgm_measures *measures,
			struct pgm_error *err) PGM_MUST_CHECK;

#endif
