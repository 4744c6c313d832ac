/*
 * A Statement seen through the Catalog: which tables its names mean, and what it does to their columns.
 * Everything lives in the arena; catalog and workload must outlive it.
 */
#ifndef PGM_ADVISE_QUERY_H
#define PGM_ADVISE_QUERY_H

#include "catalog/catalog.h"
#include "catalog/index_def.h"
#include "catalog/selectivity.h"
#include "workload/workload.h"

#define PGM_QUERY_VARIANTS_MAX 3 /* texts with different values that are costed for one statement */

/* One place in the statement where a table is read (or written). */
struct pgm_occurrence {
	struct pgm_table *table;
	int scope;
	const char *alias;
	bool target;
	bool whole_row;			/* all columns are read */
	const struct pgm_column **read; /* columns that are read, each once */
	int *read_times;		/* how often the statement names each */
	size_t read_count;
};

/* An atom of the shape, resolved. */
struct pgm_query_atom {
	const struct pgm_atom *atom;
	int occurrence;
	const struct pgm_column *column; /* of an expression: its first column */
	const char *expression;		 /* NULL for a plain column */
	int join_occurrence;		 /* of JOIN: the other side, or -1 */
	const struct pgm_column *join_column;
};

#define PGM_FOREIGN_KEY_LOCK " FOR KEY SHARE" /* at the end of the look-up that a foreign key makes */

enum pgm_query_origin {
	PGM_QUERY_OF_WORKLOAD,
	PGM_QUERY_OF_FOREIGN_KEY, /* the look-up of child rows when a parent row goes */
};

struct pgm_query {
	enum pgm_query_origin origin;
	const struct pgm_statement *statement;
	const struct pgm_foreign_key *foreign_key; /* of such an origin */
	double weight;	     /* how often it runs in the time that the workload covers */
	bool assumed_weight; /* nobody saw it run: counted as once */
	struct pgm_occurrence *occurrences;
	size_t occurrence_count;
	struct pgm_query_atom *atoms;
	size_t atom_count;
	bool indexable; /* reads rows by predicates or orders of tables that we know */

	/* Texts ready to be planned, and how their values were got. */
	const char *variants[PGM_QUERY_VARIANTS_MAX];
	size_t variant_count;
	bool values_drawn;   /* from column statistics, not from the workload */
	bool values_unknown; /* some parameter has no value that could be drawn: NULL stands there */
	const char *values_note;
	/*
	 * Where some value is not known: the text with $1, $2... for those alone. It is planned without
	 * values in place of the variant, whose NULLs the planner would fold away. NULL where all are known.
	 */
	const char *generic;
	size_t generic_params;
};

/* false: the statement touches no table that we know (system catalogs, functions alone). */
bool pgm_query_resolve(struct pgm_arena *arena, const struct pgm_catalog *catalog,
		       const struct pgm_statement *statement, struct pgm_query *query);

/* Fill query->variants; needs column statistics to be loaded. */
void pgm_query_fill_values(struct pgm_arena *arena, struct pgm_conn *conn, struct pgm_query *query);

#endif
