#include "sql/operation_build.h"

#include <string.h>

static bool is(const char *text, const char *expected)
{
	return text && strcmp(text, expected) == 0;
}

static void take_type(struct pgm_arena *arena, json_t *body, struct pgm_op_type *type)
{
	const char *name = pgm_tree_dotted_name(arena, json_object_get(body, "names"));
	json_t *modifiers = json_object_get(body, "typmods");
	type->name = name && strncmp(name, "pg_catalog.", 11) == 0 ? name + 11 : name ? name : "";
	for (size_t i = 0; i < json_array_size(modifiers) && i < 2; i++) {
		json_t *constant = pgm_tree_body(json_array_get(modifiers, i), "A_Const");
		type->modifiers[type->modifier_count++] =
			pgm_tree_int(json_object_get(constant, "ival"), "ival");
	}
	type->array = json_array_size(json_object_get(body, "arrayBounds")) > 0;
	/* A bare "char" or "bit" is of one character; char(n) and bit(n) come with n. */
}

/* serial is not a type but int4, a sequence and a default. */
static bool is_serial(const char *type)
{
	static const char *const names[] = {"serial",  "serial4",     "bigserial", "serial8",
					    "serial2", "smallserial", NULL};
	for (size_t i = 0; names[i]; i++)
		if (strcmp(names[i], type) == 0)
			return true;
	return false;
}

struct function_list {
	struct pgm_arena *arena;
	PGM_VEC(const char *) names;
};

static void find_functions(struct function_list *list, json_t *node)
{
	if (json_is_array(node)) {
		for (size_t i = 0; i < json_array_size(node); i++)
			find_functions(list, json_array_get(node, i));
	} else if (json_is_object(node)) {
		const char *key;
		json_t *value;
		json_object_foreach(node, key, value)
		{
			if (strcmp(key, "FuncCall") == 0) {
				const char *name =
					pgm_tree_dotted_name(list->arena, json_object_get(value, "funcname"));
				if (strncmp(name, "pg_catalog.", 11) == 0)
					name += 11;
				*pgm_vec_add(list->arena, &list->names) = name;
			}
			find_functions(list, value);
		}
	}
}

static char constraint_letter(const char *type)
{
	return is(type, "CONSTR_PRIMARY")     ? 'p'
	       : is(type, "CONSTR_UNIQUE")    ? 'u'
	       : is(type, "CONSTR_FOREIGN")   ? 'f'
	       : is(type, "CONSTR_CHECK")     ? 'c'
	       : is(type, "CONSTR_EXCLUSION") ? 'x'
					      : '\0';
}

/* CHECK (column IS NOT NULL): with it, SET NOT NULL need not read the table. */
const char *pgm_op_tested_column(struct pgm_arena *arena, json_t *expression, const char *test)
{
	json_t *body = pgm_tree_body(expression, "NullTest");
	if (!is(pgm_tree_string(body, "nulltesttype"), test))
		return "";
	json_t *column = pgm_tree_body(json_object_get(body, "arg"), "ColumnRef");
	return pgm_strdup(arena, pgm_tree_last_name(json_object_get(column, "fields")));
}

/* of_column: NULL, or the column whose definition holds the constraint. */
static void add_constraint(struct pgm_op_builder *builder, json_t *range, json_t *body, const char *of_column,
			   bool has_default)
{
	struct pgm_arena *arena = builder->arena;
	char letter = constraint_letter(pgm_tree_string(body, "contype"));
	if (!letter)
		return;
	struct pgm_op *op = pgm_op_add(builder, PGM_OP_ADD_CONSTRAINT, range);
	op->constraint = letter;
	op->name = pgm_op_text(arena, body, "conname");
	op->using_index = pgm_op_text(arena, body, "indexname");
	op->not_valid = pgm_tree_bool(body, "skip_validation");
	op->inline_column = of_column != NULL;
	op->has_default = has_default;
	op->offset = (size_t)pgm_tree_int(body, "location");
	op->column_count =
		pgm_op_names(arena, json_object_get(body, letter == 'f' ? "fk_attrs" : "keys"), &op->columns);
	if (of_column && !op->column_count) {
		op->columns = PGM_NEW(arena, const char *);
		op->columns[0] = of_column;
		op->column_count = 1;
	}
	if (letter == 'f')
		op->other_column_count =
			pgm_op_names(arena, json_object_get(body, "pk_attrs"), &op->other_columns);
	if (letter == 'f')
		op->other = pgm_op_range(arena, json_object_get(body, "pktable"));
	if (letter == 'c')
		op->not_null_column =
			pgm_op_tested_column(arena, json_object_get(body, "raw_expr"), "IS_NOT_NULL");
}

static void take_column_constraint(struct pgm_op_builder *builder, json_t *body, struct pgm_op *op)
{
	const char *type = pgm_tree_string(body, "contype");
	if (is(type, "CONSTR_NOTNULL") || is(type, "CONSTR_PRIMARY"))
		op->not_null = true;
	else if (is(type, "CONSTR_IDENTITY"))
		op->identity = op->not_null = true;
	else if (is(type, "CONSTR_GENERATED"))
		op->generated = true;
	if (!is(type, "CONSTR_DEFAULT"))
		return;
	json_t *expression = json_object_get(body, "raw_expr");
	json_t *constant = pgm_tree_body(expression, "A_Const");
	op->has_default = !pgm_tree_bool(constant, "isnull");
	struct function_list list = {.arena = builder->arena};
	find_functions(&list, expression);
	op->functions = list.names.items;
	op->function_count = list.names.count;
}

/* A column of CREATE TABLE or ADD COLUMN, and then its constraints. */
static void read_column(struct pgm_op_builder *builder, enum pgm_op_kind kind, json_t *range, json_t *body)
{
	struct pgm_op *op = pgm_op_add(builder, kind, range);
	json_t *constraints = json_object_get(body, "constraints");
	op->name = pgm_op_text(builder->arena, body, "colname");
	op->offset = (size_t)pgm_tree_int(body, "location");
	take_type(builder->arena, json_object_get(body, "typeName"), &op->type);
	if (is_serial(op->type.name))
		op->identity = op->not_null = true;
	for (size_t i = 0; i < json_array_size(constraints); i++)
		take_column_constraint(builder, pgm_tree_body(json_array_get(constraints, i), "Constraint"),
				       op);
	const char *name = op->name;
	bool filled = op->has_default;
	for (size_t i = 0; i < json_array_size(constraints); i++)
		add_constraint(builder, range, pgm_tree_body(json_array_get(constraints, i), "Constraint"),
			       name, filled);
}

void pgm_op_read_create(struct pgm_op_builder *builder, json_t *body)
{
	json_t *range = json_object_get(body, "relation");
	json_t *elements = json_object_get(body, "tableElts");
	struct pgm_op *op = pgm_op_add(builder, PGM_OP_CREATE_TABLE, range);
	op->if_exists = pgm_tree_bool(body, "if_not_exists");
	op->temporary = is(pgm_tree_string(range, "relpersistence"), "t");
	for (size_t i = 0; i < json_array_size(elements); i++) {
		json_t *element;
		const char *type = pgm_tree_type(json_array_get(elements, i), &element);
		if (is(type, "ColumnDef"))
			read_column(builder, PGM_OP_TABLE_COLUMN, range, element);
		else if (is(type, "Constraint"))
			add_constraint(builder, range, element, NULL, false);
	}
	if (json_object_get(body, "partbound")) {
		json_t *parents = json_object_get(body, "inhRelations");
		json_t *parent = pgm_tree_body(json_array_get(parents, 0), "RangeVar");
		op = pgm_op_add(builder, PGM_OP_PARTITION_OF, parent);
		op->other = pgm_op_range(builder->arena, range);
	}
}

/* USING c::type is what PostgreSQL does without USING. */
static bool is_cast_of(json_t *expression, const char *column)
{
	json_t *cast = pgm_tree_body(expression, "TypeCast");
	json_t *reference = pgm_tree_body(cast ? json_object_get(cast, "arg") : expression, "ColumnRef");
	return reference && strcmp(pgm_tree_last_name(json_object_get(reference, "fields")), column) == 0;
}

static void read_type_change(struct pgm_op_builder *builder, json_t *range, json_t *command)
{
	struct pgm_op *op = pgm_op_add(builder, PGM_OP_CHANGE_TYPE, range);
	json_t *column = pgm_tree_body(json_object_get(command, "def"), "ColumnDef");
	json_t *computed = json_object_get(column, "raw_default");
	op->name = pgm_op_text(builder->arena, command, "name");
	op->offset = (size_t)pgm_tree_int(column, "location");
	op->computed = computed && !is_cast_of(computed, op->name);
	take_type(builder->arena, json_object_get(column, "typeName"), &op->type);
}

static void read_partition(struct pgm_op_builder *builder, json_t *range, json_t *command, bool attach)
{
	json_t *partition = pgm_tree_body(json_object_get(command, "def"), "PartitionCmd");
	struct pgm_op *op =
		pgm_op_add(builder, attach ? PGM_OP_ATTACH_PARTITION : PGM_OP_DETACH_PARTITION, range);
	op->other = pgm_op_range(builder->arena, json_object_get(partition, "name"));
	op->concurrently = pgm_tree_bool(partition, "concurrent");
}

/* Commands that need no more than their name: what they are, and what people call them. */
static const struct {
	const char *subtype;
	enum pgm_op_kind kind;
	const char *words; /* NULL: the command's own name */
} plain_commands[] = {
	{"AT_DropColumn", PGM_OP_DROP_COLUMN, NULL},
	{"AT_SetNotNull", PGM_OP_SET_NOT_NULL, NULL},
	{"AT_DropNotNull", PGM_OP_ALTER_TABLE, "DROP NOT NULL"},
	{"AT_ValidateConstraint", PGM_OP_VALIDATE_CONSTRAINT, NULL},
	{"AT_DropConstraint", PGM_OP_DROP_CONSTRAINT, NULL},
	{"AT_SetLogged", PGM_OP_REWRITE_TABLE, "SET LOGGED"},
	{"AT_SetUnLogged", PGM_OP_REWRITE_TABLE, "SET UNLOGGED"},
	{"AT_SetTableSpace", PGM_OP_REWRITE_TABLE, "SET TABLESPACE"},
	{"AT_SetAccessMethod", PGM_OP_REWRITE_TABLE, "SET ACCESS METHOD"},
	{"AT_EnableTrig", PGM_OP_ALTER_TRIGGER, "ENABLE TRIGGER"},
	{"AT_EnableTrigAll", PGM_OP_ALTER_TRIGGER, "ENABLE TRIGGER ALL"},
	{"AT_EnableTrigUser", PGM_OP_ALTER_TRIGGER, "ENABLE TRIGGER USER"},
	{"AT_EnableAlwaysTrig", PGM_OP_ALTER_TRIGGER, "ENABLE ALWAYS TRIGGER"},
	{"AT_EnableReplicaTrig", PGM_OP_ALTER_TRIGGER, "ENABLE REPLICA TRIGGER"},
	{"AT_DisableTrig", PGM_OP_ALTER_TRIGGER, "DISABLE TRIGGER"},
	{"AT_DisableTrigAll", PGM_OP_ALTER_TRIGGER, "DISABLE TRIGGER ALL"},
	{"AT_DisableTrigUser", PGM_OP_ALTER_TRIGGER, "DISABLE TRIGGER USER"},
	{"AT_SetStatistics", PGM_OP_ALTER_LIGHT, "SET STATISTICS"},
	{"AT_SetRelOptions", PGM_OP_ALTER_LIGHT, "SET (...)"},
	{"AT_ResetRelOptions", PGM_OP_ALTER_LIGHT, "RESET (...)"},
	{"AT_SetOptions", PGM_OP_ALTER_LIGHT, "SET (...)"},
	{"AT_ResetOptions", PGM_OP_ALTER_LIGHT, "RESET (...)"},
	{"AT_ClusterOn", PGM_OP_ALTER_LIGHT, "CLUSTER ON"},
	{"AT_DropCluster", PGM_OP_ALTER_LIGHT, "SET WITHOUT CLUSTER"},
	{"AT_DetachPartitionFinalize", PGM_OP_ALTER_LIGHT, "DETACH PARTITION ... FINALIZE"},
};

static void read_command(struct pgm_op_builder *builder, json_t *range, json_t *command)
{
	const char *subtype = pgm_tree_string(command, "subtype");
	json_t *definition = json_object_get(command, "def");
	if (is(subtype, "AT_AddColumn")) {
		read_column(builder, PGM_OP_ADD_COLUMN, range, pgm_tree_body(definition, "ColumnDef"));
	} else if (is(subtype, "AT_AddConstraint")) {
		add_constraint(builder, range, pgm_tree_body(definition, "Constraint"), NULL, false);
	} else if (is(subtype, "AT_AlterColumnType")) {
		read_type_change(builder, range, command);
	} else if (is(subtype, "AT_AttachPartition") || is(subtype, "AT_DetachPartition")) {
		read_partition(builder, range, command, is(subtype, "AT_AttachPartition"));
	} else {
		struct pgm_op *op = pgm_op_add(builder, PGM_OP_ALTER_TABLE, range);
		op->name = pgm_op_text(builder->arena, command, "name");
		op->if_exists = pgm_tree_bool(command, "missing_ok");
		for (size_t i = 0; i < sizeof(plain_commands) / sizeof(*plain_commands); i++) {
			if (!is(subtype, plain_commands[i].subtype))
				continue;
			op->kind = plain_commands[i].kind;
			if (plain_commands[i].words)
				op->value = plain_commands[i].words;
		}
	}
}

void pgm_op_read_alter(struct pgm_op_builder *builder, json_t *body)
{
	const char *type = pgm_tree_string(body, "objtype");
	json_t *range = json_object_get(body, "relation");
	json_t *commands = json_object_get(body, "cmds");
	bool table = is(type, "OBJECT_TABLE") || is(type, "OBJECT_MATVIEW");
	for (size_t i = 0; i < json_array_size(commands); i++) {
		size_t before = builder->ops.count;
		json_t *command = pgm_tree_body(json_array_get(commands, i), "AlterTableCmd");
		if (table)
			read_command(builder, range, command);
		else if (is(type, "OBJECT_VIEW"))
			pgm_op_add(builder, PGM_OP_REPLACE_VIEW, range);
		for (size_t o = before; o < builder->ops.count; o++)
			if (builder->ops.items[o].kind == PGM_OP_ADD_COLUMN)
				builder->ops.items[o].if_exists = pgm_tree_bool(command, "missing_ok");
	}
}
