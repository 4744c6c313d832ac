/*
 * The expressions of \set and \if, as pgbench has them: NULL, booleans, 64-bit integers and doubles,
 * variables, operators, CASE and its functions. Parsed once into an arena; evaluated by any number of
 * sessions, each with its own variables and random numbers.
 */
#ifndef PGM_LOAD_EXPR_H
#define PGM_LOAD_EXPR_H

#include "load/random.h"
#include "util/arena.h"
#include "util/error.h"
#include "util/hash.h"
#include "util/vec.h"

#define PGM_EXPR_DEPTH_MAX 200 /* of nesting */
#define PGM_EXPR_ARGS_MAX  16
#define PGM_VALUE_TEXT_MAX 1024 /* bytes of what \gset may put into a variable */

enum pgm_load_value_kind {
	PGM_LOAD_UNSET, /* a variable that has none yet */
	PGM_LOAD_NULL,
	PGM_LOAD_BOOL,
	PGM_LOAD_INT,
	PGM_LOAD_DOUBLE,
	PGM_LOAD_TEXT, /* from \gset or -D: what it is shows when it is used */
};

struct pgm_load_value {
	enum pgm_load_value_kind kind;
	union {
		bool boolean;
		int64_t integer;
		double number;
		char *text; /* owned by whoever holds the value: a session's variables free it */
	};
};

/* The names of all scripts' variables, as places in each session's array of values. */
struct pgm_variables {
	struct pgm_arena *arena;
	struct pgm_map map;
	PGM_VEC(const char *) names;
};

void pgm_variables_init(struct pgm_variables *variables, struct pgm_arena *arena);
size_t pgm_variable_slot(struct pgm_variables *variables, const char *name); /* made where it is new */
bool pgm_variable_find(const struct pgm_variables *variables, const char *name, size_t *slot);

struct pgm_expr;

/* All of the text must be one expression. Fails with PGM_ERR_INPUT. */
struct pgm_expr *pgm_expr_parse(struct pgm_arena *arena, struct pgm_variables *variables, const char *text,
				struct pgm_error *err) PGM_MUST_CHECK;

struct pgm_eval {
	const struct pgm_load_value *values; /* by slot */
	struct pgm_random *random;
	int64_t default_seed; /* of hash() and permute() */
	char problem[160];    /* why it failed */
};

/* False: eval->problem says why (division by zero, a variable without a value). Never gives a TEXT. */
bool pgm_expr_eval(const struct pgm_expr *expr, struct pgm_eval *eval,
		   struct pgm_load_value *result) PGM_MUST_CHECK;

bool pgm_load_value_true(const struct pgm_load_value *value); /* as \if reads it */
/* What stands in SQL for it: "12", "1.5", "true"; NULL for SQL NULL. size is at least 32; else a TEXT's own.
 */
const char *pgm_load_value_sql(const struct pgm_load_value *value, char *buffer, size_t size);

#endif
