/*
 * What the database says about the tables that the files name. Inside lint/ only; lives in the arena.
 */
#ifndef PGM_LINT_FACTS_H
#define PGM_LINT_FACTS_H

#include "catalog/catalog.h"
#include "lint/script.h"

struct pgm_lint_column {
	const char *type; /* pg_type.typname: "varchar", "_text" */
	const char *base; /* of a domain over a type without modifiers: that type; else "" */
	long modifier;	  /* atttypmod */
	bool not_null;
	bool checked_not_null; /* by a CHECK that is validated */
};

struct pgm_lint_facts {
	const struct pgm_catalog *catalog;
	struct pgm_map columns;	  /* "oid.column" -> struct pgm_lint_column */
	struct pgm_map volatiles; /* function -> "yes" or "no"; not there: unknown to the server */
	struct pgm_map domains;	  /* type -> "yes" where it is a domain with constraints */
	struct pgm_map defaults;  /* oid of a partitioned table -> its DEFAULT partition's struct pgm_table */
	bool lock_timeout;	  /* the role's or database's setting is not 0 */
	int major;
};

bool pgm_lint_facts_read(struct pgm_arena *arena, struct pgm_conn *conn, const struct pgm_script *scripts,
			 size_t count, struct pgm_lint_facts *facts, struct pgm_error *err) PGM_MUST_CHECK;

/* NULL where there is none; facts may be NULL. */
struct pgm_table *pgm_lint_table(const struct pgm_lint_facts *facts, struct pgm_op_name name);
const struct pgm_lint_column *pgm_lint_column(struct pgm_arena *arena, const struct pgm_lint_facts *facts,
					      struct pgm_op_name table, const char *name);
const struct pgm_index *pgm_lint_index(const struct pgm_lint_facts *facts, const char *schema,
				       const char *name);

#endif
