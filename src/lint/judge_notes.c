#include "lint/judge.h"

#include <stdlib.h>
#include <string.h>

static void set_timeout(struct pgm_judge *judge, const struct pgm_op *op)
{
	bool on = atoi(op->value) > 0;
	if (strcmp(op->name, "lock_timeout") != 0 || (op->local && !judge->in_transaction))
		return;
	if (op->local) {
		judge->timeout_local = on;
	} else {
		judge->timeout_set = on;
		judge->timeout_cleared = !on;
	}
}

/* What the statements that follow need to know of this one. */
void pgm_judge_note_before(struct pgm_judge *judge, const struct pgm_op *op)
{
	const struct pgm_table *there = pgm_lint_table(judge->facts, op->relation);
	bool makes = op->kind == PGM_OP_CREATE_TABLE || op->kind == PGM_OP_CREATE_MATVIEW;
	if (makes && !(op->if_exists && there && !op->temporary))
		pgm_map_set(&judge->made, pgm_judge_key(judge, op->relation), (void *)judge->script);
	if (op->kind == PGM_OP_SET)
		set_timeout(judge, op);
}

/* As PostgreSQL names an index that has no name: orders_customer_id_idx. */
static const char *index_name(struct pgm_judge *judge, const struct pgm_op *op)
{
	const char *name = op->relation.name;
	if (*op->name)
		return op->name;
	for (size_t i = 0; i < op->column_count; i++)
		name = pgm_sprintf(judge->arena, "%s_%s", name, op->columns[i]);
	return pgm_sprintf(judge->arena, "%s_idx", name);
}

static void note_index(struct pgm_judge *judge, const struct pgm_op *op)
{
	struct pgm_op_name *table = PGM_NEW(judge->arena, struct pgm_op_name);
	*table = op->relation;
	if (!pgm_judge_index_is_there(judge, op))
		pgm_map_set(&judge->indexes, index_name(judge, op), table);
}

/* What is known of the columns of one table is from now on known of another: FROM\001a -> TO\001a. */
static void move_columns(struct pgm_judge *judge, struct pgm_map *map, const char *from, const char *to)
{
	size_t length = strlen(from);
	PGM_VEC(struct pgm_map_slot) moved = {0};
	for (size_t i = 0; i < map->capacity; i++) {
		struct pgm_map_slot *slot = &map->slots[i];
		if (!slot->key || !slot->value || strncmp(slot->key, from, length) != 0 ||
		    (slot->key[length] && slot->key[length] != '\001'))
			continue;
		*pgm_vec_add(judge->arena, &moved) = *slot;
		slot->value = NULL;
	}
	for (size_t i = 0; i < moved.count; i++)
		pgm_map_set(map, pgm_sprintf(judge->arena, "%s%s", to, moved.items[i].key + length),
			    moved.items[i].value);
}

/* Another table of that name has columns of its own. */
static void forget_columns(struct pgm_judge *judge, const char *table)
{
	struct pgm_map *maps[] = {&judge->types, &judge->checked, &judge->not_null, &judge->added};
	size_t length = strlen(table);
	for (size_t m = 0; m < sizeof(maps) / sizeof(*maps); m++)
		for (size_t i = 0; i < maps[m]->capacity; i++) {
			struct pgm_map_slot *slot = &maps[m]->slots[i];
			if (slot->key && strncmp(slot->key, table, length) == 0 &&
			    slot->key[length] == '\001')
				slot->value = NULL;
		}
}

/* What a DO block names, table and column, it may have dropped or renamed: nothing is known of it any more.
 */
static void forget_named(struct pgm_judge *judge, const char *code)
{
	struct pgm_map *maps[] = {&judge->types, &judge->checked, &judge->not_null, &judge->added};
	for (size_t m = 0; m < sizeof(maps) / sizeof(*maps); m++)
		for (size_t i = 0; i < maps[m]->capacity; i++) {
			struct pgm_map_slot *slot = &maps[m]->slots[i];
			const char *column = slot->value ? strrchr(slot->key, '\001') : NULL;
			if (!column || !strcasestr(code, column + 1))
				continue;
			char *table = pgm_strndup(judge->arena, slot->key, (size_t)(column - slot->key));
			char *schema = strchr(table, '\001');
			if (strcasestr(code, schema ? schema + 1 : table))
				slot->value = NULL;
		}
}

static void note_rename(struct pgm_judge *judge, const struct pgm_op *op)
{
	struct pgm_map *maps[] = {&judge->types, &judge->checked, &judge->not_null, &judge->added,
				  &judge->emptied};
	struct pgm_op_name renamed = {op->relation.schema, op->value};
	const char *from = pgm_judge_key(judge, op->relation), *to = pgm_judge_key(judge, renamed);
	if (op->kind == PGM_OP_RENAME_COLUMN) {
		from = pgm_judge_column_key(judge, op->relation, op->name);
		to = pgm_judge_column_key(judge, op->relation, op->value);
	}
	for (size_t i = 0; i < sizeof(maps) / sizeof(*maps); i++)
		move_columns(judge, maps[i], from, to);
	if (op->kind == PGM_OP_RENAME_COLUMN)
		return;
	void *maker = pgm_map_get(&judge->made, from);
	pgm_map_set(&judge->made, to, maker);
	pgm_map_set(&judge->made, from, NULL);
	for (size_t i = 0; i < judge->indexes.capacity; i++) {
		struct pgm_op_name *table = judge->indexes.slots[i].value;
		if (judge->indexes.slots[i].key && table && strcmp(pgm_judge_key(judge, *table), from) == 0)
			*table = renamed;
	}
}

void pgm_judge_note_after(struct pgm_judge *judge, const struct pgm_op *op)
{
	const char *column = pgm_judge_column_key(judge, op->relation, op->name);
	const char *table = pgm_judge_key(judge, op->relation);
	pgm_judge_note_reference(judge, op);
	switch (op->kind) {
	case PGM_OP_CREATE_INDEX:
		note_index(judge, op);
		break;
	case PGM_OP_CODE_BLOCK:
		forget_named(judge, judge->statement->text);
		break;
	case PGM_OP_DROP_INDEX:
		pgm_map_set(&judge->indexes, op->name, NULL);
		break;
	case PGM_OP_RENAME_INDEX:
		pgm_map_set(&judge->indexes, op->value, pgm_map_get(&judge->indexes, op->relation.name));
		pgm_map_set(&judge->indexes, op->relation.name, NULL);
		break;
	case PGM_OP_DROP_TABLE:
		forget_columns(judge, table);
		for (size_t i = 0; i < judge->indexes.capacity; i++) {
			struct pgm_map_slot *slot = &judge->indexes.slots[i];
			const struct pgm_op_name *of = slot->key ? slot->value : NULL;
			if (of && strcmp(pgm_judge_key(judge, *of), table) == 0)
				slot->value = NULL;
		}
		break;
	case PGM_OP_ADD_COLUMN:
		if (pgm_judge_column_is_there(judge, op))
			break;
		if (!op->has_default && !op->generated && !op->identity)
			pgm_map_set(&judge->added, column, (void *)"yes");
		/* fall through */
	case PGM_OP_TABLE_COLUMN:
		pgm_map_set(&judge->not_null, column, (void *)(op->not_null ? "yes" : NULL));
		/* fall through */
	case PGM_OP_CHANGE_TYPE:
		pgm_map_set(&judge->types, column, (void *)&op->type);
		break;
	case PGM_OP_SET_NOT_NULL:
		pgm_map_set(&judge->not_null, column, (void *)"yes");
		break;
	case PGM_OP_ALTER_TABLE:
		if (strcmp(op->value, "DROP NOT NULL") == 0)
			pgm_map_set(&judge->not_null, column, NULL);
		break;
	case PGM_OP_DROP_COLUMN:
		pgm_map_set(&judge->not_null, column, NULL);
		pgm_map_set(&judge->types, column, NULL);
		pgm_map_set(&judge->added, column, NULL);
		break;
	case PGM_OP_ADD_CONSTRAINT:
		for (size_t i = 0; op->constraint == 'p' && i < op->column_count; i++)
			pgm_map_set(&judge->not_null,
				    pgm_judge_column_key(judge, op->relation, op->columns[i]), (void *)"yes");
		break;
	case PGM_OP_RENAME_TABLE:
	case PGM_OP_RENAME_COLUMN:
		note_rename(judge, op);
		break;
	case PGM_OP_TRUNCATE:
		pgm_map_set(&judge->emptied, table, (void *)"truncated");
		break;
	case PGM_OP_DELETE:
		if (!op->where && !pgm_judge_is_truncated(judge, op->relation))
			pgm_map_set(&judge->emptied, table, (void *)"deleted");
		break;
	case PGM_OP_INSERT:
		if (pgm_judge_has_no_rows(judge, op->relation))
			pgm_map_set(&judge->emptied, table, (void *)"filled");
		break;
	case PGM_OP_UPDATE:
		if (*op->null_column)
			pgm_map_set(&judge->added, pgm_judge_column_key(judge, op->relation, op->null_column),
				    NULL);
		break;
	default:
		break;
	}
}

bool pgm_judge_covers(const char *const *keys, size_t key_count, const char *const *columns, size_t count)
{
	size_t found = 0;
	if (key_count < count)
		return false;
	for (size_t k = 0; k < count; k++)
		for (size_t i = 0; i < count; i++)
			if (strcmp(keys[k], columns[i]) == 0) {
				found++;
				break;
			}
	return found == count;
}

/* A foreign key's table and columns, under the names that they have at some statement. */
struct named_key {
	const char *table;
	const char **columns;
	size_t count;
};

static bool indexes_key(const struct pgm_judge *judge, const struct named_key *key, const struct pgm_op *op)
{
	bool index = op->kind == PGM_OP_CREATE_INDEX && strcmp(op->value, "btree") == 0;
	bool constraint =
		op->kind == PGM_OP_ADD_CONSTRAINT && (op->constraint == 'p' || op->constraint == 'u');
	if ((!index && !constraint) || strcmp(pgm_judge_key(judge, op->relation), key->table))
		return false;
	/* The trigger looks for keys that are not NULL, so that an index of those alone serves too. */
	bool whole = !op->where || (key->count == 1 && strcmp(op->not_null_column, key->columns[0]) == 0);
	return whole && pgm_judge_covers(op->columns, op->column_count, key->columns, key->count);
}

/* What a rename makes of the key's names; back: as one reads the files from the end. */
static void rename_key(const struct pgm_judge *judge, struct named_key *key, const struct pgm_op *op,
		       bool back)
{
	if (op->kind == PGM_OP_RENAME_TABLE) {
		const char *old = pgm_judge_key(judge, op->relation);
		const char *new = pgm_judge_key(judge, (struct pgm_op_name){op->relation.schema, op->value});
		if (strcmp(key->table, back ? new : old) == 0)
			key->table = back ? old : new;
	} else if (op->kind == PGM_OP_RENAME_COLUMN &&
		   strcmp(pgm_judge_key(judge, op->relation), key->table) == 0) {
		for (size_t i = 0; i < key->count; i++)
			if (strcmp(key->columns[i], back ? op->value : op->name) == 0)
				key->columns[i] = back ? op->name : op->value;
	}
}

/* Read on from the judged statement, or back from it, until an index or the end of the files. */
static bool finds_index(const struct pgm_judge *judge, const struct pgm_op *fk, bool back)
{
	struct named_key key = {.table = pgm_judge_key(judge, fk->relation), .count = fk->column_count};
	key.columns = PGM_NEW_ARRAY(judge->arena, const char *, key.count + 1);
	memcpy(key.columns, fk->columns, key.count * sizeof(*key.columns));
	size_t s = (size_t)(judge->script - judge->scripts);
	size_t i = (size_t)(judge->statement - judge->script->statements.items);
	for (;;) {
		const struct pgm_script *script = &judge->scripts[s];
		const struct pgm_ops *ops =
			i < script->statements.count ? &script->statements.items[i].ops : NULL;
		for (size_t n = 0; ops && n < ops->count; n++) {
			const struct pgm_op *op = &ops->items[back ? ops->count - 1 - n : n];
			if (indexes_key(judge, &key, op))
				return true;
			rename_key(judge, &key, op, back);
		}
		if (back ? i > 0 : i + 1 < script->statements.count) {
			i += back ? -1 : 1;
			continue;
		}
		if (back ? s == 0 : s + 1 == judge->script_count)
			return false;
		s += back ? -1 : 1;
		i = back && judge->scripts[s].statements.count ? judge->scripts[s].statements.count - 1 : 0;
	}
}

bool pgm_judge_files_index(const struct pgm_judge *judge, const struct pgm_op *fk)
{
	return finds_index(judge, fk, false) || finds_index(judge, fk, true);
}
