#include "lint/judge.h"

#include <string.h>

static bool is_table(const struct pgm_judge *judge, struct pgm_op_name name, struct pgm_op_name other)
{
	return strcmp(pgm_judge_key(judge, name), pgm_judge_key(judge, other)) == 0;
}

static bool has(const char *const *columns, size_t count, const char *name)
{
	for (size_t i = 0; i < count; i++)
		if (strcmp(columns[i], name) == 0)
			return true;
	return false;
}

static const char **copied(struct pgm_judge *judge, const char *const *columns, size_t count)
{
	const char **copy = PGM_NEW_ARRAY(judge->arena, const char *, count + 1);
	for (size_t i = 0; i < count; i++)
		copy[i] = columns[i];
	return copy;
}

/* As PostgreSQL names it: orders_customer_id_fkey. */
static const char *default_name(struct pgm_judge *judge, const struct pgm_op *op)
{
	const char *name = op->relation.name;
	for (size_t i = 0; i < op->column_count; i++)
		name = pgm_sprintf(judge->arena, "%s_%s", name, op->columns[i]);
	return pgm_sprintf(judge->arena, "%s_fkey", name);
}

static const char **names_of(struct pgm_judge *judge, const struct pgm_table *table, const int *attnums,
			     size_t count)
{
	const char **names = PGM_NEW_ARRAY(judge->arena, const char *, count + 1);
	for (size_t i = 0; i < count; i++) {
		const struct pgm_column *column = pgm_table_column_by_attnum(table, attnums[i]);
		names[i] = column ? column->name : "";
	}
	return names;
}

void pgm_judge_read_references(struct pgm_judge *judge)
{
	const struct pgm_catalog *catalog = judge->facts ? judge->facts->catalog : NULL;
	for (size_t i = 0; catalog && i < catalog->foreign_key_count; i++) {
		const struct pgm_foreign_key *key = &catalog->foreign_keys[i];
		*pgm_vec_add(judge->arena, &judge->references) = (struct pgm_judge_key_ref){
			.table = {key->child->schema, key->child->name},
			.other = {key->parent->schema, key->parent->name},
			.name = key->name,
			.columns = names_of(judge, key->child, key->child_attnums, key->column_count),
			.count = key->column_count,
			.other_columns = names_of(judge, key->parent, key->parent_attnums, key->column_count),
			.other_count = key->column_count,
		};
	}
}

static void add(struct pgm_judge *judge, const struct pgm_op *op)
{
	struct pgm_judge_key_ref *ref = pgm_vec_add(judge->arena, &judge->references);
	*ref = (struct pgm_judge_key_ref){
		.table = op->relation,
		.other = op->other,
		.name = *op->name ? op->name : default_name(judge, op),
		.columns = copied(judge, op->columns, op->column_count),
		.count = op->column_count,
		.other_columns = copied(judge, op->other_columns, op->other_column_count),
		.other_count = op->other_column_count,
	};
}

static void rename_in(const char **columns, size_t count, const struct pgm_op *op)
{
	for (size_t i = 0; i < count; i++)
		if (strcmp(columns[i], op->name) == 0)
			columns[i] = op->value;
}

static void change(struct pgm_judge *judge, struct pgm_judge_key_ref *ref, const struct pgm_op *op)
{
	bool mine = is_table(judge, ref->table, op->relation);
	bool others = is_table(judge, ref->other, op->relation);
	switch (op->kind) {
	case PGM_OP_RENAME_TABLE:
		if (mine)
			ref->table.name = op->value;
		if (others)
			ref->other.name = op->value;
		break;
	case PGM_OP_RENAME_COLUMN:
		if (mine)
			rename_in(ref->columns, ref->count, op);
		if (others && ref->other_columns)
			rename_in(ref->other_columns, ref->other_count, op);
		break;
	case PGM_OP_RENAME_CONSTRAINT:
		if (mine && strcmp(ref->name, op->name) == 0)
			ref->name = op->value;
		break;
	default:
		if (pgm_judge_partner(judge, op, (size_t)(ref - judge->references.items)) &&
		    op->kind != PGM_OP_CHANGE_TYPE && op->kind != PGM_OP_TRUNCATE)
			ref->table.name = ref->other.name = ref->name = "";
	}
}

void pgm_judge_note_reference(struct pgm_judge *judge, const struct pgm_op *op)
{
	if (op->kind == PGM_OP_ADD_CONSTRAINT && op->constraint == 'p' && op->column_count == 1)
		pgm_map_set(&judge->primary, pgm_judge_column_key(judge, op->relation, op->columns[0]),
			    (void *)"yes");
	if (op->kind == PGM_OP_ADD_CONSTRAINT && op->constraint == 'f') {
		add(judge, op);
		return;
	}
	for (size_t i = 0; *op->relation.name && i < judge->references.count; i++)
		change(judge, &judge->references.items[i], op);
}

const struct pgm_op_name *pgm_judge_partner(const struct pgm_judge *judge, const struct pgm_op *op, size_t i)
{
	const struct pgm_judge_key_ref *ref = &judge->references.items[i];
	switch (op->kind) {
	case PGM_OP_DROP_CONSTRAINT:
	case PGM_OP_DROP_COLUMN:
	case PGM_OP_CHANGE_TYPE:
	case PGM_OP_DROP_TABLE:
	case PGM_OP_TRUNCATE:
		break;
	default:
		return NULL;
	}
	bool mine = is_table(judge, ref->table, op->relation);
	bool others = is_table(judge, ref->other, op->relation);
	if (!*ref->table.name || (!mine && !others))
		return NULL;
	if (op->kind == PGM_OP_DROP_CONSTRAINT)
		return mine && strcmp(ref->name, op->name) == 0 ? &ref->other : NULL;
	if (op->kind == PGM_OP_DROP_TABLE)
		return mine ? &ref->other : &ref->table;
	if (op->kind == PGM_OP_TRUNCATE)
		return others ? &ref->table : NULL;
	if (mine && has(ref->columns, ref->count, op->name))
		return &ref->other;
	if (!others || op->kind == PGM_OP_DROP_COLUMN)
		return NULL;
	bool key = ref->other_count ? has(ref->other_columns, ref->other_count, op->name)
				    : pgm_map_get(&judge->primary, pgm_judge_column_key(judge, op->relation,
											op->name)) != NULL;
	return key ? &ref->table : NULL;
}

bool pgm_judge_index_is_there(const struct pgm_judge *judge, const struct pgm_op *op)
{
	const struct pgm_op_name *noted = pgm_map_get(&judge->indexes, op->name);
	const struct pgm_index *index = pgm_lint_index(judge->facts, op->relation.schema, op->name);
	if (!op->if_exists || !*op->name)
		return false;
	return (noted && is_table(judge, *noted, op->relation)) ||
	       (index && index->valid &&
		is_table(judge, (struct pgm_op_name){index->table->schema, index->table->name},
			 op->relation));
}
