/*
 * The judgement of statements, one after the other, with what the earlier ones left behind. Inside lint/
 * only; everything lives in the arena.
 */
#ifndef PGM_LINT_JUDGE_H
#define PGM_LINT_JUDGE_H

#include "lint/facts.h"
#include "lint/script.h"

#define PGM_LINT_SMALL_MS 100 /* work that is done in this time stops nobody for long */

/* What a strong lock of the current transaction is on. */
struct pgm_held {
	const char *relation;
	int lock;
	int line;
	bool unknown; /* an index's table that cannot be told */
};

/* A foreign key of the files or of the database, under the names that it has now. */
struct pgm_judge_key_ref {
	struct pgm_op_name table, other;
	const char *name; /* "" once it is dropped, and table too */
	const char **columns;
	size_t count;
	const char **other_columns; /* NULL: the primary key */
	size_t other_count;
};

struct pgm_judge {
	struct pgm_arena *arena;
	const struct pgm_lint_options *options;
	const struct pgm_lint_facts *facts; /* NULL without a session */
	const struct pgm_script *scripts;
	size_t script_count;
	size_t since; /* scripts before it have run already */
	PGM_VEC(struct pgm_lint_finding) findings;
	size_t ignored; /* in the current file */

	/* Known from the files so far. Keys: "table", or "schema.table" where that is not public. */
	struct pgm_map types;	 /* "table.column" -> struct pgm_op_type */
	struct pgm_map not_null; /* "table.column" that is NOT NULL */
	struct pgm_map checked;	 /* "table.column" -> the CHECK (column IS NOT NULL): "valid" or its name */
	struct pgm_map indexes;	 /* index name -> the struct pgm_op_name of its table */
	struct pgm_map primary;	 /* "table.column" that is a table's primary key */
	PGM_VEC(struct pgm_judge_key_ref) references;

	/* Of the current file. */
	size_t file;
	const struct pgm_script *script;
	struct pgm_map made;	     /* tables and views -> the script that made them */
	struct pgm_map emptied;	     /* tables that the file emptied: "truncated", "deleted" or "filled" */
	struct pgm_map added;	     /* "table.column" that the file added and did not give a value */
	struct pgm_map unvalidated;  /* "table.constraint" added NOT VALID in this transaction */
	struct pgm_map fingerprints; /* those given, to tell equal ones apart */
	bool said_lock_timeout;

	/* Of the current transaction and statement. */
	const struct pgm_script_statement *statement;
	bool begun;	     /* by BEGIN */
	bool in_transaction; /* begun, or by the tool */
	size_t transaction;
	size_t transactions; /* numbers given */
	bool several_said, work_said;
	bool timeout_set;     /* SET lock_timeout to more than 0, for the session */
	bool timeout_cleared; /* ... to 0 */
	bool timeout_local;   /* SET LOCAL, until the transaction ends */
	PGM_VEC(struct pgm_held) held;
};

/* The key of a table in the maps, and its name for people. */
const char *pgm_judge_key(const struct pgm_judge *judge, struct pgm_op_name name);
const char *pgm_judge_name(const struct pgm_judge *judge, struct pgm_op_name name);
const char *pgm_judge_column_key(const struct pgm_judge *judge, struct pgm_op_name table, const char *column);

/*
 * Whether nobody uses it yet: this file made it; or an earlier one did that is deployed with this one, which
 * is so from options->since on, and where the database does not have the table.
 */
bool pgm_judge_is_new(const struct pgm_judge *judge, struct pgm_op_name name);

/* Whether the file emptied it, so that there is nothing to read; by DELETE too, which leaves pages. */
bool pgm_judge_is_truncated(const struct pgm_judge *judge, struct pgm_op_name name);
bool pgm_judge_has_no_rows(const struct pgm_judge *judge, struct pgm_op_name name);

/* The table of an index that a statement names: from the files, then from the database; "" if unknown. */
struct pgm_op_name pgm_judge_index_table(const struct pgm_judge *judge, const struct pgm_op *op);

/* A finding at the part op of the statement, unless the rule is off or a comment ignores it. */
struct pgm_lint_finding *pgm_judge_say(struct pgm_judge *judge, enum pgm_lint_rule_id rule,
				       const struct pgm_op *op, struct pgm_op_name relation,
				       const char *message, ...) __attribute__((format(printf, 5, 6)));

/* ": about 12 s for 4.3 GB (about 10 million rows)", or "" where that is not known. */
const char *pgm_judge_cost(const struct pgm_judge *judge, struct pgm_op_name table, enum pgm_lint_work work);

/* What later statements need to know of an operation, before and after it is judged. */
void pgm_judge_note_before(struct pgm_judge *judge, const struct pgm_op *op);
void pgm_judge_note_after(struct pgm_judge *judge, const struct pgm_op *op);

/* Whether an index of the files leads with a foreign key's columns, under whatever names they had then. */
bool pgm_judge_files_index(const struct pgm_judge *judge, const struct pgm_op *fk);

/* The foreign keys of the database, to begin with; then what an operation makes of those known. */
void pgm_judge_read_references(struct pgm_judge *judge);
void pgm_judge_note_reference(struct pgm_judge *judge, const struct pgm_op *op);

/* The table that an operation locks because of foreign key number i, under ACCESS EXCLUSIVE; NULL: none. */
const struct pgm_op_name *pgm_judge_partner(const struct pgm_judge *judge, const struct pgm_op *op, size_t i);

/* Whether IF NOT EXISTS finds the index there. */
bool pgm_judge_index_is_there(const struct pgm_judge *judge, const struct pgm_op *op);

/* Whether the first of the keys are all of the columns, in any order. */
bool pgm_judge_covers(const char *const *keys, size_t key_count, const char *const *columns, size_t count);

/* A table known to be so small that the work is done at once: the finding is info then. */
void pgm_judge_soften(struct pgm_judge *judge, struct pgm_lint_finding *finding, struct pgm_op_name table,
		      enum pgm_lint_work work);

/* One operation of the statement; then all of them together, for the keys of a new table. */
void pgm_judge_op(struct pgm_judge *judge, const struct pgm_op *op);
void pgm_judge_keys(struct pgm_judge *judge, const struct pgm_ops *ops);

/* Of statements that alter tables: adds findings, and notes what later ones need to know. */
void pgm_judge_alter(struct pgm_judge *judge, const struct pgm_op *op);
void pgm_judge_type_change(struct pgm_judge *judge, const struct pgm_op *op);

enum pgm_type_change { PGM_TYPE_FREE, PGM_TYPE_REWRITES, PGM_TYPE_BY_TIMEZONE, PGM_TYPE_UNKNOWN };
enum pgm_type_change pgm_judge_type(const struct pgm_judge *judge, const struct pgm_op *op);

/* Whether ADD COLUMN IF NOT EXISTS finds the column there. */
bool pgm_judge_column_is_there(const struct pgm_judge *judge, const struct pgm_op *op);

/* Whether SET NOT NULL has to read the table, as far as is known. */
bool pgm_judge_not_null_reads(const struct pgm_judge *judge, const struct pgm_op *op);

/* Whether a new column's values have to be computed row by row; NULL, or what makes it so. */
const char *pgm_judge_column_rewrites(const struct pgm_judge *judge, const struct pgm_op *op);

/* Whether adding the constraint reads the table or builds an index. */
enum pgm_lint_work pgm_judge_constraint_work(const struct pgm_op *op);

#endif
