/*
 * The parsed form of an expression: between expr_parse.c and expr.c alone.
 */
#ifndef PGM_LOAD_EXPR_NODE_H
#define PGM_LOAD_EXPR_NODE_H

#include "load/expr.h"

enum pgm_expr_op {
	PGM_EXPR_CONSTANT,
	PGM_EXPR_VARIABLE,
	PGM_EXPR_OR,
	PGM_EXPR_AND,
	PGM_EXPR_NOT,
	PGM_EXPR_IS, /* its second argument is the constant: NULL, TRUE or FALSE */
	PGM_EXPR_LT,
	PGM_EXPR_LE,
	PGM_EXPR_EQ,
	PGM_EXPR_NE,
	PGM_EXPR_BITOR,
	PGM_EXPR_BITXOR,
	PGM_EXPR_BITAND,
	PGM_EXPR_BITNOT,
	PGM_EXPR_LEFT,
	PGM_EXPR_RIGHT,
	PGM_EXPR_ADD,
	PGM_EXPR_SUBTRACT,
	PGM_EXPR_MULTIPLY,
	PGM_EXPR_DIVIDE,
	PGM_EXPR_MODULO,
	PGM_EXPR_NEGATE,
	PGM_EXPR_CASE, /* condition, value, condition, value..., else */
	/* functions: the rows of pgm_expr_functions have these */
	PGM_EXPR_ABS,
	PGM_EXPR_TO_DOUBLE,
	PGM_EXPR_EXP,
	PGM_EXPR_GREATEST,
	PGM_EXPR_HASH_FNV1A,
	PGM_EXPR_HASH_MURMUR2,
	PGM_EXPR_TO_INT,
	PGM_EXPR_LEAST,
	PGM_EXPR_LN,
	PGM_EXPR_PERMUTE,
	PGM_EXPR_PI,
	PGM_EXPR_POWER,
	PGM_EXPR_RANDOM,
	PGM_EXPR_RANDOM_EXPONENTIAL,
	PGM_EXPR_RANDOM_GAUSSIAN,
	PGM_EXPR_RANDOM_ZIPFIAN,
	PGM_EXPR_SQRT,
	PGM_EXPR_DEBUG,
};

struct pgm_expr {
	enum pgm_expr_op op;
	struct pgm_load_value constant;
	size_t slot;
	const char *name; /* of a VARIABLE */
	struct pgm_expr **args;
	size_t arg_count;
};

#endif
