#include "lint/effect.h"
#include "lint/judge.h"

#include "pg/quote.h"
#include "util/buf.h"
#include "util/format.h"

#include <string.h>

static const char *quoted_list(struct pgm_arena *arena, const struct pgm_op *op)
{
	struct pgm_buf list;
	pgm_buf_init(&list, arena);
	for (size_t i = 0; i < op->column_count; i++)
		pgm_buf_printf(&list, "%s%s", i ? ", " : "", pgm_quote_ident(arena, op->columns[i]));
	return list.text ? list.text : "";
}

static void judge_add_column(struct pgm_judge *judge, const struct pgm_op *op)
{
	const char *name = pgm_judge_name(judge, op->relation);
	const char *why = pgm_judge_column_rewrites(judge, op);
	if (pgm_judge_column_is_there(judge, op))
		return;
	if (why && !pgm_judge_is_truncated(judge, op->relation)) {
		enum pgm_lint_rule_id rule =
			op->generated ? PGM_LINT_STORED_GENERATED : PGM_LINT_VOLATILE_DEFAULT;
		struct pgm_lint_finding *finding = pgm_judge_say(
			judge, rule, op, op->relation,
			"Column %s %s: %s and its indexes are rewritten under ACCESS EXCLUSIVE%s.", op->name,
			why, name, pgm_judge_cost(judge, op->relation, PGM_LINT_REWRITES));
		if (finding && strstr(why, "may be"))
			finding->severity = PGM_SEVERITY_WARNING;
		pgm_judge_soften(judge, finding, op->relation, PGM_LINT_REWRITES);
	} else if (!why && op->not_null && !op->has_default && !pgm_judge_has_no_rows(judge, op->relation)) {
		const struct pgm_table *table = pgm_lint_table(judge->facts, op->relation);
		pgm_judge_say(judge, PGM_LINT_NOT_NULL_WITHOUT_DEFAULT, op, op->relation,
			      "Column %s of %s is NOT NULL and has no default: this fails where the table "
			      "has rows%s.",
			      op->name, name,
			      table && table->tuples > 0
				      ? pgm_sprintf(judge->arena, ", and it has about %s",
						    pgm_format_count(judge->arena, table->tuples))
				      : "");
	}
}

static void judge_set_not_null(struct pgm_judge *judge, const struct pgm_op *op)
{
	if (!pgm_judge_not_null_reads(judge, op) || pgm_judge_is_truncated(judge, op->relation))
		return;
	const char *name = pgm_judge_name(judge, op->relation);
	struct pgm_lint_finding *finding =
		pgm_judge_say(judge, PGM_LINT_SET_NOT_NULL, op, op->relation,
			      "SET NOT NULL on %s of %s reads the whole table under ACCESS EXCLUSIVE%s.",
			      op->name, name, pgm_judge_cost(judge, op->relation, PGM_LINT_SCANS));
	if (!finding)
		return;
	const char *column = pgm_quote_ident(judge->arena, op->name);
	const char *check = pgm_quote_ident(judge->arena, pgm_sprintf(judge->arena, "%s_not_null", op->name));
	finding->remedy = pgm_sprintf(judge->arena,
				      "ALTER TABLE %s ADD CONSTRAINT %s CHECK (%s IS NOT NULL) NOT VALID;\n"
				      "-- in a transaction of its own:\n"
				      "ALTER TABLE %s VALIDATE CONSTRAINT %s;\n"
				      "ALTER TABLE %s ALTER COLUMN %s SET NOT NULL, DROP CONSTRAINT %s;",
				      name, check, column, name, check, name, column, check);
	pgm_judge_soften(judge, finding, op->relation, PGM_LINT_SCANS);
}

/* Whether a valid index of the database begins with the foreign key's columns. */
static bool has_index(const struct pgm_judge *judge, const struct pgm_op *fk)
{
	const struct pgm_table *table = pgm_lint_table(judge->facts, fk->relation);
	for (size_t i = 0; table && i < table->index_count; i++) {
		const struct pgm_index *index = table->indexes[i];
		const char **keys = PGM_NEW_ARRAY(judge->arena, const char *, index->key_count + 1);
		for (size_t k = 0; k < index->key_count; k++) {
			const struct pgm_column *column =
				pgm_table_column_by_attnum(table, index->attnums[k]);
			keys[k] = column ? column->name : "";
		}
		bool whole = !index->predicate || strstr(index->predicate, "IS NOT NULL");
		if (index->valid && whole && strcmp(index->method, "btree") == 0 &&
		    pgm_judge_covers(keys, index->key_count, fk->columns, fk->column_count))
			return true;
	}
	return false;
}

static void judge_foreign_key(struct pgm_judge *judge, const struct pgm_op *op)
{
	const char *name = pgm_judge_name(judge, op->relation);
	if (!op->column_count || pgm_judge_files_index(judge, op) || has_index(judge, op))
		return;
	const char *list = quoted_list(judge->arena, op);
	bool is_new = pgm_judge_is_new(judge, op->relation);
	struct pgm_lint_finding *finding = pgm_judge_say(
		judge, PGM_LINT_FK_WITHOUT_INDEX, op, op->relation,
		"No index %sbegins with (%s) of %s: each row deleted from %s would read the "
		"whole table.",
		judge->facts ? "" : "in these files ", list, name, pgm_judge_name(judge, op->other));
	if (!finding)
		return;
	finding->remedy = pgm_sprintf(judge->arena, "CREATE INDEX%s ON %s (%s);",
				      is_new ? "" : " CONCURRENTLY", name, list);
}

static const char *constraint_word(char letter)
{
	return letter == 'p' ? "PRIMARY KEY" : letter == 'u' ? "UNIQUE" : letter == 'x' ? "EXCLUDE" : "CHECK";
}

static void judge_index_constraint(struct pgm_judge *judge, const struct pgm_op *op)
{
	const char *name = pgm_judge_name(judge, op->relation);
	enum pgm_lint_rule_id rule = op->constraint == 'x' ? PGM_LINT_EXCLUSION : PGM_LINT_UNIQUE_USING_INDEX;
	struct pgm_lint_finding *finding = pgm_judge_say(
		judge, rule, op, op->relation, "%s on %s builds an index under ACCESS EXCLUSIVE%s.",
		constraint_word(op->constraint), name, pgm_judge_cost(judge, op->relation, PGM_LINT_BUILDS));
	if (finding && op->constraint != 'x' && op->column_count) {
		const char *constraint =
			*op->name ? op->name
				  : pgm_sprintf(judge->arena, "%s_%s_key", op->relation.name, op->columns[0]);
		const char *quoted = pgm_quote_ident(judge->arena, constraint);
		finding->remedy = pgm_sprintf(judge->arena,
					      "CREATE UNIQUE INDEX CONCURRENTLY %s ON %s (%s);\n"
					      "ALTER TABLE %s ADD CONSTRAINT %s %s USING INDEX %s;",
					      quoted, name, quoted_list(judge->arena, op), name, quoted,
					      constraint_word(op->constraint), quoted);
	}
	pgm_judge_soften(judge, finding, op->relation, PGM_LINT_BUILDS);
}

static void judge_constraint(struct pgm_judge *judge, const struct pgm_op *op, bool is_new)
{
	enum pgm_lint_work work = pgm_judge_constraint_work(op);
	if (op->constraint == 'f')
		judge_foreign_key(judge, op);
	if (op->not_valid)
		pgm_map_set(&judge->unvalidated,
			    pgm_sprintf(judge->arena, "%s.%s", pgm_judge_key(judge, op->relation), op->name),
			    (void *)op->name);
	if (*op->not_null_column)
		pgm_map_set(&judge->checked, pgm_judge_column_key(judge, op->relation, op->not_null_column),
			    (void *)(op->not_valid ? op->name : "valid"));
	if (is_new || work == PGM_LINT_NO_WORK || pgm_judge_is_truncated(judge, op->relation))
		return;
	if (work == PGM_LINT_BUILDS) {
		judge_index_constraint(judge, op);
		return;
	}
	const char *name = pgm_judge_name(judge, op->relation);
	const char *what = *op->name		   ? pgm_sprintf(judge->arena, "Constraint %s", op->name)
			   : op->constraint == 'f' ? "The foreign key"
						   : "The CHECK";
	struct pgm_lint_finding *finding = pgm_judge_say(
		judge, PGM_LINT_CONSTRAINT_NOT_VALID, op, op->relation, "%s reads all of %s under %s%s.",
		what, name,
		op->constraint == 'f'
			? pgm_sprintf(judge->arena,
				      "SHARE ROW EXCLUSIVE, which blocks writes to it and to %s",
				      pgm_judge_name(judge, op->other))
			: "ACCESS EXCLUSIVE",
		pgm_judge_cost(judge, op->relation, PGM_LINT_SCANS));
	pgm_judge_soften(judge, finding, op->relation, PGM_LINT_SCANS);
}

/* A CHECK (column IS NOT NULL) that is valid now spares a later SET NOT NULL its scan. */
static void note_valid(struct pgm_judge *judge, const struct pgm_op *op)
{
	for (size_t i = 0; i < judge->checked.capacity; i++) {
		struct pgm_map_slot *slot = &judge->checked.slots[i];
		const char *table = pgm_judge_key(judge, op->relation);
		size_t length = strlen(table);
		if (slot->value && strncmp(slot->key, table, length) == 0 && slot->key[length] == '\001' &&
		    strcmp(slot->value, op->name) == 0)
			slot->value = (void *)"valid";
	}
}

static void judge_validate(struct pgm_judge *judge, const struct pgm_op *op)
{
	const char *key = pgm_sprintf(judge->arena, "%s.%s", pgm_judge_key(judge, op->relation), op->name);
	note_valid(judge, op);
	if (!judge->in_transaction || !pgm_map_get(&judge->unvalidated, key))
		return;
	pgm_judge_say(
		judge, PGM_LINT_VALIDATE_SAME_TRANSACTION, op, op->relation,
		"%s was added in this transaction: its lock on %s is held while this reads the table%s.",
		op->name, pgm_judge_name(judge, op->relation),
		pgm_judge_cost(judge, op->relation, PGM_LINT_SCANS));
}

static void judge_attach(struct pgm_judge *judge, const struct pgm_op *op)
{
	const struct pgm_table *parent = pgm_lint_table(judge->facts, op->relation);
	const struct pgm_table *fallback =
		parent ? pgm_map_get(&judge->facts->defaults, pgm_sprintf(judge->arena, "%u", parent->oid))
		       : NULL;
	bool attach = op->kind == PGM_OP_ATTACH_PARTITION;
	if (attach && !pgm_judge_is_new(judge, op->other) && !pgm_judge_is_truncated(judge, op->other)) {
		struct pgm_lint_finding *finding = pgm_judge_say(
			judge, PGM_LINT_ATTACH, op, op->other,
			"Unless a validated CHECK says that its rows fit the bounds, %s is read under ACCESS "
			"EXCLUSIVE%s.",
			pgm_judge_name(judge, op->other), pgm_judge_cost(judge, op->other, PGM_LINT_SCANS));
		pgm_judge_soften(judge, finding, op->other, PGM_LINT_SCANS);
	}
	if (fallback) {
		struct pgm_op_name name = {fallback->schema, fallback->name};
		struct pgm_lint_finding *finding = pgm_judge_say(
			judge, PGM_LINT_ATTACH, op, name,
			"The DEFAULT partition %s is read under ACCESS EXCLUSIVE for rows that belong into "
			"the new "
			"one%s.",
			pgm_judge_name(judge, name), pgm_judge_cost(judge, name, PGM_LINT_SCANS));
		pgm_judge_soften(judge, finding, name, PGM_LINT_SCANS);
	}
}

static void judge_rename(struct pgm_judge *judge, const struct pgm_op *op)
{
	const char *name = pgm_judge_name(judge, op->relation);
	if (op->kind == PGM_OP_RENAME_TABLE)
		pgm_judge_say(judge, PGM_LINT_RENAME, op, op->relation,
			      "%s becomes %s: code that runs now asks for the old name.", name, op->value);
	else
		pgm_judge_say(judge, PGM_LINT_RENAME, op, op->relation,
			      "Column %s of %s becomes %s: code that runs now asks for the old name.",
			      op->name, name, op->value);
}

/* Whether a later statement of the same transaction enables what this disables. */
static bool enabled_later(const struct pgm_judge *judge, const struct pgm_op *disable)
{
	const struct pgm_script *script = judge->script;
	const char *key = pgm_judge_key(judge, disable->relation);
	size_t at = (size_t)(judge->statement - script->statements.items);
	for (size_t i = at; judge->in_transaction && i < script->statements.count; i++) {
		const struct pgm_ops *ops = &script->statements.items[i].ops;
		for (size_t o = 0; o < ops->count; o++) {
			const struct pgm_op *op = &ops->items[o];
			if (op->kind == PGM_OP_END)
				return false;
			if (op->kind == PGM_OP_ALTER_TRIGGER && strncmp(op->value, "ENABLE", 6) == 0 &&
			    strcmp(pgm_judge_key(judge, op->relation), key) == 0 &&
			    (strcmp(op->name, disable->name) == 0 || strstr(op->value, " ALL")))
				return true;
		}
	}
	return false;
}

/* The lock is held until the transaction ends: whoever wrote meanwhile would have waited. */
static void judge_disable(struct pgm_judge *judge, const struct pgm_op *op)
{
	bool again = enabled_later(judge, op);
	struct pgm_lint_finding *finding = pgm_judge_say(
		judge, PGM_LINT_DISABLE_TRIGGER, op, op->relation,
		again ? "%s on %s: no other session writes until this transaction has enabled it again."
		      : "%s on %s holds for every session.",
		op->value, pgm_judge_name(judge, op->relation));
	if (finding && again)
		finding->severity = PGM_SEVERITY_INFO;
}

void pgm_judge_alter(struct pgm_judge *judge, const struct pgm_op *op)
{
	bool is_new = pgm_judge_is_new(judge, op->relation);
	const char *name = pgm_judge_name(judge, op->relation);
	struct pgm_lint_finding *finding;
	if (op->kind == PGM_OP_ADD_CONSTRAINT) {
		judge_constraint(judge, op, is_new);
		return;
	}
	if (op->kind == PGM_OP_VALIDATE_CONSTRAINT && is_new)
		note_valid(judge, op);
	if (is_new)
		return;
	bool gone = pgm_judge_is_truncated(judge, op->relation);
	switch (op->kind) {
	case PGM_OP_ADD_COLUMN:
		judge_add_column(judge, op);
		break;
	case PGM_OP_SET_NOT_NULL:
		judge_set_not_null(judge, op);
		break;
	case PGM_OP_CHANGE_TYPE:
		if (!gone)
			pgm_judge_type_change(judge, op);
		break;
	case PGM_OP_VALIDATE_CONSTRAINT:
		judge_validate(judge, op);
		break;
	case PGM_OP_DROP_COLUMN:
		pgm_judge_say(judge, PGM_LINT_DROP_COLUMN, op, op->relation,
			      "Column %s of %s is gone at once: code that still names it fails.", op->name,
			      name);
		break;
	case PGM_OP_REWRITE_TABLE:
		if (gone)
			break;
		finding = pgm_judge_say(judge, PGM_LINT_REWRITE_TABLE, op, op->relation,
					"%s copies %s under ACCESS EXCLUSIVE%s.", op->value, name,
					pgm_judge_cost(judge, op->relation, PGM_LINT_REWRITES));
		pgm_judge_soften(judge, finding, op->relation, PGM_LINT_REWRITES);
		break;
	case PGM_OP_ALTER_TRIGGER:
		if (strncmp(op->value, "DISABLE", 7) == 0)
			judge_disable(judge, op);
		break;
	case PGM_OP_ATTACH_PARTITION:
	case PGM_OP_PARTITION_OF:
		judge_attach(judge, op);
		break;
	case PGM_OP_DETACH_PARTITION:
		if (!op->concurrently)
			pgm_judge_say(judge, PGM_LINT_DETACH, op, op->relation,
				      "%s and all its partitions are locked under ACCESS EXCLUSIVE.", name);
		break;
	case PGM_OP_RENAME_TABLE:
	case PGM_OP_RENAME_COLUMN:
		judge_rename(judge, op);
		break;
	default:
		break;
	}
}
