/*
 * What a statement could do besides reading: the names of everything in it that may run code (functions,
 * operators, casts, views). Names are as the statement wrote them; whoever has a catalog resolves them.
 * Everything lives in the arena.
 */
#ifndef PGM_SQL_EFFECTS_H
#define PGM_SQL_EFFECTS_H

#include "util/arena.h"
#include "util/error.h"

#include <stddef.h>

enum pgm_effect_kind {
	PGM_EFFECT_FUNCTION,
	PGM_EFFECT_OPERATOR,
	PGM_EFFECT_CAST,     /* the name of the target type */
	PGM_EFFECT_FIELD,    /* t.f may be a call of f(t) */
	PGM_EFFECT_RELATION, /* its rules and policies may call functions */
};

struct pgm_effect {
	enum pgm_effect_kind kind;
	const char *schema; /* NULL where the statement names none */
	const char *name;
};

struct pgm_effects {
	bool explainable; /* one SELECT, VALUES, INSERT, UPDATE, DELETE or MERGE: EXPLAIN takes it */
	bool select_only; /* a SELECT without FOR UPDATE, INTO or a CTE that writes */
	struct pgm_effect *items;
	size_t count;
};

const char *pgm_effect_kind_name(enum pgm_effect_kind kind); /* "function" */

/* Of a text that should be one statement. Fails with PGM_ERR_INPUT where it does not parse. */
bool pgm_sql_effects(struct pgm_arena *arena, const char *sql, struct pgm_effects *effects,
		     struct pgm_error *err) PGM_MUST_CHECK;

#endif
