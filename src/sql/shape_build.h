/*
 * The making of a shape, shared by the files that make it. Inside sql/ only.
 */
#ifndef PGM_SQL_SHAPE_BUILD_H
#define PGM_SQL_SHAPE_BUILD_H

#include "sql/shape.h"
#include "sql/tree.h"
#include "util/vec.h"

struct pgm_shape_builder {
	struct pgm_arena *arena;
	const char *sql;
	struct pgm_shape *shape;
	PGM_VEC(struct pgm_scope) scopes;
	PGM_VEC(struct pgm_shape_table) tables;
	PGM_VEC(struct pgm_atom) atoms;
	PGM_VEC(struct pgm_colref) references;
	PGM_VEC(struct pgm_output) outputs;
	PGM_VEC(const char *) set_columns;
	PGM_VEC(const char *) functions;
	PGM_VEC(struct pgm_param) params;
	PGM_VEC(struct {
		const char *name;
		int subscope;
		int scope;
	})
	ctes;
	int depth;
	bool too_deep;
};

/* A query: SELECT, VALUES, UNION... or a statement that writes. Returns its scope. */
int pgm_shape_query(struct pgm_shape_builder *builder, json_t *node, int parent);

/* The items of a FROM list, then the conditions of their joins. */
void pgm_shape_from(struct pgm_shape_builder *builder, json_t *items, int scope);

/* One table, by its RangeVar. */
void pgm_shape_table(struct pgm_shape_builder *builder, json_t *body, int scope, bool target);

/* An expression: notes its columns, functions, parameters and subqueries. */
void pgm_shape_expression(struct pgm_shape_builder *builder, json_t *node, int scope);

/* A WHERE or ON clause: its atoms, and its expressions. */
void pgm_shape_predicate(struct pgm_shape_builder *builder, json_t *node, int scope);

/* One item of ORDER BY or GROUP BY. */
void pgm_shape_ordering(struct pgm_shape_builder *builder, json_t *node, enum pgm_atom_kind kind, int scope,
			int position, bool descending, bool nulls_first);

/* Say what the parameters inside the node are for, where nobody has said yet. */
void pgm_shape_param_role(struct pgm_shape_builder *builder, json_t *node, enum pgm_param_role role,
			  int atom);

/* Whether the node is a plain column or an expression over columns; fills the operand. */
bool pgm_shape_operand(struct pgm_shape_builder *builder, json_t *node, int scope,
		       struct pgm_operand *operand);
struct pgm_value pgm_shape_value(struct pgm_shape_builder *builder, json_t *node);

#endif
