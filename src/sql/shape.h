/*
 * The shape of a query: its tables and what it does to their columns, free of names' meaning. Names are as
 * the statement wrote them; whoever has a catalog resolves them.
 *
 * A scope is one query level (the statement, a subquery, a CTE, an arm of a UNION). A column reference is
 * looked up in its scope's tables, then in the scopes around it. Everything lives in the arena.
 */
#ifndef PGM_SQL_SHAPE_H
#define PGM_SQL_SHAPE_H

#include "util/arena.h"
#include "util/error.h"

#include <stddef.h>

#define PGM_SHAPE_DEPTH_MAX 400 /* nesting of a parse tree; deeper ones are refused */

enum pgm_statement_kind {
	PGM_STATEMENT_SELECT,
	PGM_STATEMENT_INSERT,
	PGM_STATEMENT_UPDATE,
	PGM_STATEMENT_DELETE,
	PGM_STATEMENT_OTHER,
};

enum pgm_atom_kind {
	PGM_ATOM_EQ,	/* column = value */
	PGM_ATOM_IN,	/* column IN (...), column = ANY (...) */
	PGM_ATOM_RANGE, /* <, <=, >, >=, BETWEEN */
	PGM_ATOM_NULL,	/* IS NULL */
	PGM_ATOM_NOT_NULL,
	PGM_ATOM_TRUE,	  /* a bare boolean column, IS TRUE */
	PGM_ATOM_FALSE,	  /* NOT column, IS FALSE */
	PGM_ATOM_PREFIX,  /* LIKE 'abc%' */
	PGM_ATOM_PATTERN, /* LIKE '%abc%', ILIKE, ~, ~* : trigrams could serve it */
	PGM_ATOM_CONTAIN, /* @>, ?, ?|, ?&, &&, @@, <@ */
	PGM_ATOM_JOIN,	  /* column = another column */
	PGM_ATOM_ORDER,
	PGM_ATOM_GROUP, /* GROUP BY, DISTINCT */
	PGM_ATOM_OTHER, /* a comparison that no index of ours could serve */
};

struct pgm_colref {
	int scope;
	const char *qualifier; /* alias or table, or NULL */
	const char *name;      /* NULL: all columns ("*") */
};

/* One side of a comparison: a column, or an expression over columns of one table. */
struct pgm_operand {
	struct pgm_colref column; /* of an expression: its first column */
	const char *expression;	  /* NULL for a plain column; else SQL text with unqualified columns */
	const char *function;	  /* of an expression that calls one function at the top: its name */
};

enum pgm_value_kind {
	PGM_VALUE_NONE,
	PGM_VALUE_LITERAL, /* a constant: text holds it as SQL */
	PGM_VALUE_PARAM,   /* $n */
	PGM_VALUE_MOVING,  /* now() and other functions of no column, with or without parameters */
	PGM_VALUE_QUERY,   /* a subquery */
	PGM_VALUE_COLUMN,  /* columns of other tables */
};

struct pgm_value {
	enum pgm_value_kind kind;
	const char *text; /* SQL of a literal, or of what moves without parameters; or NULL */
	int param;	  /* the first $n in it, or 0 */
};

struct pgm_atom {
	enum pgm_atom_kind kind;
	struct pgm_operand left;
	const char *op; /* "=", "@>"... */
	struct pgm_value value;
	struct pgm_operand right; /* of a JOIN */
	int scope;		  /* where the atom stands */
	int position;		  /* of ORDER and GROUP: 0, 1, ... in its list */
	bool descending;
	bool nulls_first; /* as sorted: PostgreSQL's default is first for descending */
	bool under_or;	  /* not all by itself sufficient to reject a row */
	size_t in_count;  /* elements of an IN list; 0: not known */
	bool varies; /* for whoever compares texts of one statement: the literal is not always the same */
};

struct pgm_shape_table {
	int scope;
	const char *schema; /* or NULL */
	const char *name;   /* "" for a derived table */
	const char *alias;  /* what references call it */
	int subscope;	    /* of a derived table or CTE: its scope; else -1 */
	bool target;	    /* of INSERT, UPDATE, DELETE */
};

/* How the columns of a derived table are called outside. */
struct pgm_output {
	int scope;
	const char *name;	  /* NULL for "*" */
	struct pgm_colref column; /* column.name NULL and name not: an expression */
};

struct pgm_scope {
	int parent; /* -1 for the statement */
	bool has_limit;
	struct pgm_value limit;
	bool has_aggregate; /* GROUP BY, DISTINCT or an aggregate call */
};

/* Where $n stands, for whoever puts a value in its place. */
enum pgm_param_role {
	PGM_PARAM_OTHER,
	PGM_PARAM_COMPARED, /* with a column: atom is its index in atoms */
	PGM_PARAM_INTERVAL, /* interval $n, in a value that is compared with a column */
	PGM_PARAM_LIMIT,
	PGM_PARAM_OFFSET,
	PGM_PARAM_STORED, /* SET x = $n, VALUES ($n), SELECT $n: no row depends on it */
};

struct pgm_param {
	int number;
	size_t offset; /* in the text, of "$" */
	size_t length;
	enum pgm_param_role role;
	int atom;     /* -1: none */
	bool element; /* of ARRAY[...] */
};

struct pgm_shape {
	enum pgm_statement_kind kind;
	bool locks_rows; /* SELECT ... FOR UPDATE and its like */
	bool writes;	 /* INSERT, UPDATE, DELETE, also in a CTE */
	struct pgm_scope *scopes;
	size_t scope_count;
	struct pgm_shape_table *tables;
	size_t table_count;
	struct pgm_atom *atoms;
	size_t atom_count;
	struct pgm_colref *references; /* every column that the statement reads */
	size_t reference_count;
	struct pgm_output *outputs;
	size_t output_count;
	const char **set_columns; /* of UPDATE (and ON CONFLICT DO UPDATE), of the target */
	size_t set_count;
	const char **functions; /* every function called, with its schema if it was written */
	size_t function_count;
	struct pgm_param *params; /* in the order of their offsets */
	size_t param_count;
};

/* Of one statement. Fails with PGM_ERR_INPUT where the text does not parse or holds several. */
bool pgm_sql_shape(struct pgm_arena *arena, const char *sql, struct pgm_shape *shape,
		   struct pgm_error *err) PGM_MUST_CHECK;

#endif
