/*
 * The gathering of Statements into a Workload, for its sources. Inside workload/ only.
 */
#ifndef PGM_WORKLOAD_STATEMENT_H
#define PGM_WORKLOAD_STATEMENT_H

#include "util/hash.h"
#include "util/vec.h"
#include "workload/workload.h"

struct pgm_workload_builder {
	struct pgm_arena *arena;
	struct pgm_workload *workload;
	PGM_VEC(struct pgm_statement *) statements;
	struct pgm_map by_fingerprint;
	const char *group; /* not NULL: texts that are not counted with others of their fingerprint */
};

void pgm_workload_builder_init(struct pgm_workload_builder *builder, struct pgm_arena *arena,
			       struct pgm_workload *workload);

/*
 * Count one text: with_values says that it holds values rather than $1. Utility statements are passed over;
 * what cannot be understood is counted in the workload. The statement that it counts for, or NULL.
 */
struct pgm_statement *pgm_workload_add(struct pgm_workload_builder *builder, const char *sql,
				       bool with_values, double calls, double total_ms, double rows);

/* What the source calls it; copied. statement NULL: it was not counted, and nothing is done. */
void pgm_workload_note_id(struct pgm_workload_builder *builder, struct pgm_statement *statement,
			  const char *id);

/* Sort and hand over. */
void pgm_workload_finish(struct pgm_workload_builder *builder);

#endif
