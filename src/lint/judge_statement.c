#include "lint/judge.h"

#include "lint/effect.h"
#include "pg/quote.h"

#include <string.h>

static struct pgm_op_name no_relation(void)
{
	return (struct pgm_op_name){"", ""};
}

/* CREATE INDEX, DROP INDEX, REINDEX. */
static void judge_index(struct pgm_judge *judge, const struct pgm_op *op)
{
	struct pgm_op_name table = op->kind == PGM_OP_CREATE_INDEX || op->kind == PGM_OP_REINDEX_TABLE
					   ? op->relation
					   : pgm_judge_index_table(judge, op);
	enum pgm_lint_rule_id rule = op->kind == PGM_OP_CREATE_INDEX ? PGM_LINT_CREATE_INDEX
				     : op->kind == PGM_OP_DROP_INDEX ? PGM_LINT_DROP_INDEX
								     : PGM_LINT_REINDEX;
	const char *name = *table.name ? pgm_judge_name(judge, table)
				       : pgm_sprintf(judge->arena, "the table of %s", op->name);
	if (op->kind == PGM_OP_REINDEX_ALL)
		name = "each table in turn";
	if (op->kind == PGM_OP_CREATE_INDEX && op->concurrently && op->if_exists)
		pgm_judge_say(
			judge, PGM_LINT_IF_NOT_EXISTS, op, table,
			"If a build of %s failed before, this finds its invalid index and does nothing.",
			*op->name ? op->name : "the index");
	bool gone = op->kind == PGM_OP_DROP_INDEX && op->if_exists && judge->facts && !*table.name;
	if (op->concurrently || op->only || gone || pgm_judge_is_new(judge, table))
		return;
	enum pgm_lint_work work = op->kind == PGM_OP_DROP_INDEX ? PGM_LINT_NO_WORK : PGM_LINT_BUILDS;
	struct pgm_lint_finding *finding;
	if (work != PGM_LINT_NO_WORK && pgm_judge_is_truncated(judge, table))
		return;
	if (op->kind == PGM_OP_CREATE_INDEX && pgm_judge_index_is_there(judge, op))
		return;
	if (op->kind == PGM_OP_DROP_INDEX)
		finding =
			pgm_judge_say(judge, rule, op, table, "%s is locked against reads and writes.", name);
	else
		finding =
			pgm_judge_say(judge, rule, op, table, "Writes to %s wait until the index is built%s.",
				      name, pgm_judge_cost(judge, table, work));
	const struct pgm_table *found = pgm_lint_table(judge->facts, table);
	if (finding && (!found || found->kind != 'p'))
		finding->remedy = pgm_sprintf(judge->arena, "%s;",
					      pgm_sql_add_concurrently(judge->arena, judge->statement->text));
	pgm_judge_soften(judge, finding, table, work);
}

static void judge_rewriting(struct pgm_judge *judge, const struct pgm_op *op, enum pgm_lint_rule_id rule)
{
	bool whole = !*op->relation.name;
	struct pgm_lint_finding *finding = pgm_judge_say(
		judge, rule, op, op->relation,
		rule == PGM_LINT_REFRESH ? "%s cannot be read until its query has run%s."
					 : "%s can be neither read nor written until it is done%s.",
		whole ? "Each table in turn" : pgm_judge_name(judge, op->relation),
		pgm_judge_cost(judge, op->relation, PGM_LINT_REWRITES));
	if (finding && rule == PGM_LINT_REFRESH)
		finding->remedy = pgm_sprintf(judge->arena, "%s;",
					      pgm_sql_add_concurrently(judge->arena, judge->statement->text));
	if (!whole && rule != PGM_LINT_REFRESH)
		pgm_judge_soften(judge, finding, op->relation, PGM_LINT_REWRITES);
}

static bool is_int4(const char *type)
{
	static const char *const names[] = {"int4",    "int2",	      "serial", "serial4",
					    "serial2", "smallserial", NULL};
	for (size_t i = 0; names[i]; i++)
		if (strcmp(names[i], type) == 0)
			return true;
	return false;
}

/* Types of a new column; of a new table's key. */
static void judge_column_type(struct pgm_judge *judge, const struct pgm_op *op)
{
	const char *name = pgm_judge_name(judge, op->relation);
	if (strcmp(op->type.name, "timestamp") == 0)
		pgm_judge_say(judge, PGM_LINT_TIMESTAMP, op, op->relation,
			      "Column %s of %s does not say in which time zone it is.", op->name, name);
	if (strcmp(op->type.name, "bpchar") == 0 && op->type.modifier_count && !op->type.array)
		pgm_judge_say(judge, PGM_LINT_CHAR, op, op->relation,
			      "Column %s of %s is padded with spaces.", op->name, name);
}

/* A key that references another table's is as large as that one, so only generated ones count. */
void pgm_judge_keys(struct pgm_judge *judge, const struct pgm_ops *ops)
{
	for (size_t k = 0; k < ops->count; k++) {
		const struct pgm_op *key = &ops->items[k];
		if (key->kind != PGM_OP_ADD_CONSTRAINT || key->constraint != 'p' || key->column_count != 1)
			continue;
		for (size_t c = 0; c < ops->count; c++) {
			const struct pgm_op *column = &ops->items[c];
			bool generated = column->identity;
			for (size_t f = 0; f < column->function_count; f++)
				generated = generated || strcmp(column->functions[f], "nextval") == 0;
			if (column->kind == PGM_OP_TABLE_COLUMN && generated && is_int4(column->type.name) &&
			    strcmp(column->name, key->columns[0]) == 0)
				pgm_judge_say(judge, PGM_LINT_INT4_KEY, column, column->relation,
					      "Key %s of %s runs out after %s rows, deleted ones counted.",
					      column->name, pgm_judge_name(judge, column->relation),
					      strstr(column->type.name, "2") ||
							      strstr(column->type.name, "small")
						      ? "32,767"
						      : "2,147,483,647");
		}
	}
}

static bool is_catalog(struct pgm_op_name name)
{
	return strcmp(name.schema, "pg_catalog") == 0 || (!*name.schema && strncmp(name.name, "pg_", 3) == 0);
}

static void judge_data(struct pgm_judge *judge, const struct pgm_op *op)
{
	const char *name = pgm_judge_name(judge, op->relation);
	struct pgm_lint_finding *finding = NULL;
	/* A column that the file added is NULL in every row. */
	const char *column = pgm_judge_column_key(judge, op->relation, op->null_column);
	bool some = op->where && !(*op->null_column && pgm_map_get(&judge->added, column));
	if (is_catalog(op->relation))
		pgm_judge_say(judge, PGM_LINT_CATALOG, op, op->relation,
			      "%s is written by hand: PostgreSQL checks nothing of it.", name);
	if (pgm_judge_is_new(judge, op->relation) || is_catalog(op->relation))
		return;
	if (op->kind == PGM_OP_TRUNCATE)
		finding = pgm_judge_say(judge, PGM_LINT_TRUNCATE, op, op->relation,
					"All rows of %s go, under ACCESS EXCLUSIVE.", name);
	else if (op->kind != PGM_OP_INSERT && !some && !pgm_judge_has_no_rows(judge, op->relation))
		finding = pgm_judge_say(judge, PGM_LINT_UNBOUNDED, op, op->relation,
					"Every row of %s is %s in one transaction%s.", name,
					op->kind == PGM_OP_UPDATE ? "updated" : "deleted",
					pgm_judge_cost(judge, op->relation, PGM_LINT_REWRITES));
	if (op->kind != PGM_OP_TRUNCATE)
		pgm_judge_soften(judge, finding, op->relation, PGM_LINT_REWRITES);
}

static void judge_drop_table(struct pgm_judge *judge, const struct pgm_op *op)
{
	bool missing = judge->facts && op->if_exists && !pgm_lint_table(judge->facts, op->relation);
	if (op->kind == PGM_OP_DROP_SCHEMA)
		pgm_judge_say(judge, PGM_LINT_DROP_TABLE, op, op->relation,
			      "Schema %s and what is in it are gone at once.", op->name);
	else if (!missing && !pgm_judge_is_new(judge, op->relation))
		pgm_judge_say(judge, PGM_LINT_DROP_TABLE, op, op->relation, "%s is gone at once%s.",
			      pgm_judge_name(judge, op->relation),
			      pgm_judge_cost(judge, op->relation, PGM_LINT_SCANS));
}

/* Whether a statement that holds a value's text may make a value of it: not where it defines another. */
static bool may_use(const struct pgm_script_statement *statement)
{
	static const char *const nodes[] = {"AlterEnumStmt", "CreateEnumStmt", "CommentStmt",
					    "CreateFunctionStmt"};
	for (size_t i = 0; i < sizeof(nodes) / sizeof(*nodes); i++)
		if (statement->ops.node && strcmp(statement->ops.node, nodes[i]) == 0)
			return false;
	return true;
}

/* Whether a later statement of the same transaction names the value. */
static bool used_later(const struct pgm_judge *judge, const char *value)
{
	const char *literal = pgm_quote_literal(judge->arena, value);
	const struct pgm_script *script = judge->script;
	size_t at = (size_t)(judge->statement - script->statements.items);
	for (size_t i = at + 1; i < script->statements.count; i++) {
		const struct pgm_ops *ops = &script->statements.items[i].ops;
		if (ops->count && ops->items[0].kind == PGM_OP_END)
			return false;
		if (may_use(&script->statements.items[i]) &&
		    strstr(script->statements.items[i].text, literal))
			return true;
	}
	return false;
}

static void judge_enum(struct pgm_judge *judge, const struct pgm_op *op)
{
	if (judge->in_transaction && used_later(judge, op->value))
		pgm_judge_say(judge, PGM_LINT_ENUM_VALUE, op, no_relation(),
			      "'%s' is used in the transaction that adds it to %s: that fails.", op->value,
			      op->name);
}

void pgm_judge_op(struct pgm_judge *judge, const struct pgm_op *op)
{
	switch (op->kind) {
	case PGM_OP_CREATE_INDEX:
	case PGM_OP_DROP_INDEX:
	case PGM_OP_REINDEX_INDEX:
	case PGM_OP_REINDEX_TABLE:
	case PGM_OP_REINDEX_ALL:
		judge_index(judge, op);
		break;
	case PGM_OP_VACUUM_FULL:
	case PGM_OP_CLUSTER:
		judge_rewriting(judge, op, PGM_LINT_VACUUM_FULL);
		break;
	case PGM_OP_REFRESH_MATVIEW:
		if (!op->concurrently && !pgm_judge_is_new(judge, op->relation))
			judge_rewriting(judge, op, PGM_LINT_REFRESH);
		break;
	case PGM_OP_DROP_TABLE:
	case PGM_OP_DROP_SCHEMA:
		judge_drop_table(judge, op);
		break;
	case PGM_OP_TRUNCATE:
	case PGM_OP_UPDATE:
	case PGM_OP_DELETE:
	case PGM_OP_INSERT:
		judge_data(judge, op);
		break;
	case PGM_OP_LOCK_TABLE:
		if (PGM_LOCK_IS_STRONG(op->lock_mode) && !pgm_judge_is_new(judge, op->relation))
			pgm_judge_say(judge, PGM_LINT_LOCK_TABLE, op, op->relation,
				      "%s is held on %s until the transaction ends.",
				      pgm_lint_lock_name(op->lock_mode), pgm_judge_name(judge, op->relation));
		break;
	case PGM_OP_ADD_ENUM_VALUE:
		judge_enum(judge, op);
		break;
	case PGM_OP_CODE_BLOCK:
		pgm_judge_say(judge, PGM_LINT_CODE_BLOCK, op, no_relation(),
			      "What this block runs cannot be seen.");
		break;
	case PGM_OP_TABLE_COLUMN:
		judge_column_type(judge, op);
		break;
	default:
		if (op->kind == PGM_OP_ADD_COLUMN)
			judge_column_type(judge, op);
		pgm_judge_alter(judge, op);
	}
}
