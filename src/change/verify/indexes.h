/*
 * The indexes of a Plan, as the catalog has them, and which plans use them.
 */
#ifndef PGM_CHANGE_VERIFY_INDEXES_H
#define PGM_CHANGE_VERIFY_INDEXES_H

#include "change/verify/verify.h"
#include "pg/explain.h"

/*
 * A copy of the Plan in which each Change of an index has its schema and table, also where its SQL left them
 * to the search_path (schemas, a text[] literal). What does not exist stays as it was.
 */
bool pgm_indexes_resolve(struct pgm_conn *conn, struct pgm_arena *arena, const struct pgm_plan *plan,
			 const char *schemas, struct pgm_plan **resolved,
			 struct pgm_error *err) PGM_MUST_CHECK;

/* One for each Change that creates or drops an index; Changes of other kinds have none. */
bool pgm_indexes_read(struct pgm_conn *conn, struct pgm_arena *arena, const struct pgm_plan *plan,
		      struct pgm_verify_index **indexes, size_t *count, struct pgm_error *err) PGM_MUST_CHECK;

/* Every index that a plan uses. The EXPLAIN must have been VERBOSE: without it there are no schemas. */
void pgm_indexes_used(struct pgm_arena *arena, const struct pgm_explain *plan, struct pgm_measure *measure);

/* Whether the statement is expected to use the index. */
bool pgm_index_expected(const struct pgm_verify_index *index, const struct pgm_plan_statement *statement);

/* Whether the measured plan uses the index or one of those below it. */
bool pgm_index_used(const struct pgm_verify_index *index, const struct pgm_measure *measure);

/* Count expected_by, unplanned_by and used_by over all pairs, and each pair's expected and used. */
void pgm_indexes_count(struct pgm_verify_report *report);

/* Fill problem of each index by what the Plan wanted of it. */
void pgm_indexes_judge(struct pgm_arena *arena, struct pgm_verify_report *report);

#endif
