/*
 * What a statement of a migration does to relations: one operation for each thing, so that an ALTER TABLE
 * with three commands has at least three. This is what the SQL says; what it locks and costs is for the
 * caller to judge.
 *
 * Names are as PostgreSQL reads them; texts live in the arena and are "" where the SQL does not say.
 */
#ifndef PGM_SQL_OPERATION_H
#define PGM_SQL_OPERATION_H

#include "util/arena.h"
#include "util/error.h"

#include <stddef.h>

enum pgm_op_kind {
	PGM_OP_OTHER,	       /* nothing that this list knows; no lock that matters */
	PGM_OP_BEGIN,	       /* BEGIN, START TRANSACTION */
	PGM_OP_END,	       /* COMMIT, ROLLBACK, PREPARE TRANSACTION */
	PGM_OP_SET,	       /* name: the setting, value; local; RESET has value "" */
	PGM_OP_CODE_BLOCK,     /* DO: what it runs cannot be seen */
	PGM_OP_CREATE_TABLE,   /* also AS; if_exists: IF NOT EXISTS */
	PGM_OP_CREATE_MATVIEW, /* new, as a table is */
	PGM_OP_TABLE_COLUMN,   /* of a CREATE TABLE: name, type */
	PGM_OP_PARTITION_OF,   /* relation: the parent; other: the new partition */
	PGM_OP_REPLACE_VIEW,
	PGM_OP_DROP_TABLE,
	PGM_OP_DROP_VIEW, /* materialized ones too */
	PGM_OP_DROP_SCHEMA,
	PGM_OP_CREATE_INDEX, /* name: the index; columns: those it begins with */
	PGM_OP_DROP_INDEX,   /* name: the index */
	PGM_OP_REINDEX_INDEX,
	PGM_OP_REINDEX_TABLE,
	PGM_OP_REINDEX_ALL, /* of a schema or database */
	PGM_OP_ADD_COLUMN,  /* name, type, and what the column has */
	PGM_OP_DROP_COLUMN,
	PGM_OP_SET_NOT_NULL,
	PGM_OP_CHANGE_TYPE, /* name, type; computed: USING an expression that is no mere cast */
	PGM_OP_ADD_CONSTRAINT,
	PGM_OP_VALIDATE_CONSTRAINT,
	PGM_OP_DROP_CONSTRAINT,
	PGM_OP_REWRITE_TABLE, /* name: "SET LOGGED" and the like */
	PGM_OP_ALTER_TABLE,   /* another command; short, but ACCESS EXCLUSIVE */
	PGM_OP_ALTER_TRIGGER, /* enable or disable; name */
	PGM_OP_ALTER_LIGHT,   /* statistics targets and storage parameters: SHARE UPDATE EXCLUSIVE */
	PGM_OP_RENAME_TABLE,  /* value: the new name */
	PGM_OP_RENAME_COLUMN, /* name, value: the new name */
	PGM_OP_RENAME_INDEX,
	PGM_OP_RENAME_CONSTRAINT, /* name, value: the new name */
	PGM_OP_ATTACH_PARTITION,  /* relation: the parent; other: the partition */
	PGM_OP_DETACH_PARTITION,
	PGM_OP_CREATE_TRIGGER,
	PGM_OP_POLICY_OR_RULE, /* made, changed or dropped; a dropped or renamed trigger too */
	PGM_OP_TRUNCATE,
	PGM_OP_UPDATE, /* where: it has a WHERE; computed: ... */
	PGM_OP_DELETE,
	PGM_OP_INSERT,
	PGM_OP_VACUUM_FULL, /* no relation: of the whole database */
	PGM_OP_VACUUM,	    /* and ANALYZE */
	PGM_OP_CLUSTER,
	PGM_OP_REFRESH_MATVIEW,
	PGM_OP_LOCK_TABLE,     /* lock_mode: PostgreSQL's number, 1 ACCESS SHARE to 8 ACCESS EXCLUSIVE */
	PGM_OP_ADD_ENUM_VALUE, /* relation: the type; value */
};

struct pgm_op_name {
	const char *schema;
	const char *name;
};

struct pgm_op_type {
	const char *name; /* without pg_catalog: "varchar", "int4", "myschema.mood"; "" where there is none */
	long modifiers[2]; /* varchar(20), numeric(10,2) */
	size_t modifier_count;
	bool array;
};

struct pgm_op {
	enum pgm_op_kind kind;
	struct pgm_op_name relation;
	struct pgm_op_name other; /* FOREIGN KEY: the table referenced */
	const char *name;
	const char *value;
	struct pgm_op_type type;
	const char **columns; /* of a constraint or an index's leading keys */
	size_t column_count;
	const char **other_columns; /* FOREIGN KEY: those referenced, where the SQL names them */
	size_t other_column_count;
	const char **functions; /* that a default calls: "random", "myschema.next_id" */
	size_t function_count;
	const char *not_null_column; /* CHECK or WHERE (column IS NOT NULL): the column */
	const char *null_column;     /* UPDATE ... WHERE (column IS NULL): the column */
	const char *using_index;     /* ADD CONSTRAINT ... USING INDEX */
	char constraint;	     /* p, u, f, c, x (exclusion) */
	int lock_mode;
	bool concurrently;
	bool if_exists; /* IF EXISTS or IF NOT EXISTS */
	bool not_valid;
	bool local;	    /* SET LOCAL */
	bool where;	    /* UPDATE, DELETE, an index's predicate */
	bool only;	    /* ON ONLY */
	bool unique;	    /* CREATE UNIQUE INDEX */
	bool inline_column; /* a constraint written in a column's definition */
	bool not_null;	    /* ADD COLUMN and what it has: */
	bool has_default;
	bool generated; /* stored */
	bool identity;	/* or serial */
	bool computed;
	bool copies; /* INSERT, CREATE TABLE AS: all that a table holds, by a SELECT without WHERE or LIMIT */
	bool temporary;
	size_t offset; /* in the statement, of the part that this is */
};

struct pgm_ops {
	struct pgm_op *items;
	size_t count;
	const char *node;    /* libpg_query's name: "AlterTableStmt" */
	bool no_transaction; /* it cannot run in a transaction block */
};

/*
 * The operations of exactly one statement, none for what does nothing to a relation. Fails with
 * PGM_ERR_INPUT "line N: ..." where it cannot be parsed, counted from first_line.
 */
bool pgm_ops_parse(struct pgm_arena *arena, const char *sql, int first_line, struct pgm_ops *ops,
		   struct pgm_error *err) PGM_MUST_CHECK;

/* The same statement with CONCURRENTLY after its INDEX, TABLE or VIEW keyword. */
char *pgm_sql_add_concurrently(struct pgm_arena *arena, const char *sql);

#endif
