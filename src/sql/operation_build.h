/*
 * The parts of reading operations that more than one file here needs. Inside sql/ only.
 */
#ifndef PGM_SQL_OPERATION_BUILD_H
#define PGM_SQL_OPERATION_BUILD_H

#include "sql/operation.h"
#include "sql/tree.h"
#include "util/vec.h"

struct pgm_op_builder {
	struct pgm_arena *arena;
	PGM_VEC(struct pgm_op) ops;
};

/* A new operation with all texts "" and this relation (a RangeVar's body; NULL: none). */
struct pgm_op *pgm_op_add(struct pgm_op_builder *builder, enum pgm_op_kind kind, json_t *range);

struct pgm_op_name pgm_op_range(struct pgm_arena *arena, json_t *range);
const char *pgm_op_text(struct pgm_arena *arena, json_t *object, const char *key); /* never NULL */
size_t pgm_op_names(struct pgm_arena *arena, json_t *list, const char ***names);   /* of String nodes */

/* The column of "column IS NOT NULL" (test: IS_NOT_NULL, IS_NULL); "" for another expression. */
const char *pgm_op_tested_column(struct pgm_arena *arena, json_t *expression, const char *test);

/* ALTER TABLE and ALTER INDEX. */
void pgm_op_read_alter(struct pgm_op_builder *builder, json_t *body);

/* CREATE TABLE. */
void pgm_op_read_create(struct pgm_op_builder *builder, json_t *body);

#endif
