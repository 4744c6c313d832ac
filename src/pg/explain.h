/*
 * EXPLAIN and its answer as a tree. Everything lives in the arena.
 */
#ifndef PGM_PG_EXPLAIN_H
#define PGM_PG_EXPLAIN_H

#include "pg/conn.h"

struct pgm_explain_node {
	const char *type;     /* "Index Only Scan" */
	const char *relation; /* NULL where it scans none */
	const char *schema;   /* only with VERBOSE */
	const char *alias;
	const char *index;     /* of an index scan; hypopg's are "<13543>btree_t_a" */
	const char *condition; /* Filter, Index Cond, Recheck Cond...: the first that is there, or NULL */
	double total_cost;
	double rows;
	double width_bytes;

	/* With ANALYZE. */
	double actual_ms;   /* of all loops */
	double actual_rows; /* of all loops */
	double loops;

	/* With BUFFERS: blocks, with the children's. */
	double hit_blocks;
	double read_blocks;
	double temp_blocks; /* read and written */

	struct pgm_explain_node **children;
	size_t child_count;
};

struct pgm_explain {
	struct pgm_explain_node *root;
	double planning_ms;
	double execution_ms; /* with ANALYZE */
};

/* Parse what EXPLAIN (FORMAT JSON) printed. */
bool pgm_explain_parse(struct pgm_arena *arena, const char *json, struct pgm_explain *plan,
		       struct pgm_error *err) PGM_MUST_CHECK;

/* options without FORMAT: "" or "ANALYZE, BUFFERS". */
bool pgm_explain_run(struct pgm_conn *conn, struct pgm_arena *arena, const char *options, const char *sql,
		     struct pgm_explain *plan, struct pgm_error *err) PGM_MUST_CHECK;

/* "Index Only Scan using i on t" for the node that costs most by itself: what a reader wants to know first.
 */
const char *pgm_explain_headline(struct pgm_arena *arena, const struct pgm_explain *plan);

/* Call visit for the node and all below it, parents first. */
void pgm_explain_visit(const struct pgm_explain_node *node,
		       void (*visit)(const struct pgm_explain_node *, void *), void *arg);

#endif
