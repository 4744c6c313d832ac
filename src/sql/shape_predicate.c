/*
 * Predicates: what a WHERE or ON clause does to columns.
 */
#include "sql/shape_build.h"

#include <string.h>

static bool find_type(json_t *node, const char *type, int depth, json_t **found)
{
	const char *key;
	json_t *value;
	size_t i;
	if (depth > PGM_SHAPE_DEPTH_MAX)
		return false;
	if (json_is_array(node)) {
		json_array_foreach(node, i, value)
		{
			if (find_type(value, type, depth + 1, found))
				return true;
		}
		return false;
	}
	json_object_foreach(node, key, value)
	{
		if (strcmp(key, type) == 0 && json_is_object(value)) {
			*found = value;
			return true;
		}
		if ((json_is_object(value) || json_is_array(value)) &&
		    find_type(value, type, depth + 1, found))
			return true;
	}
	return false;
}

/* Somewhere in it. */
static bool has(json_t *node, const char *type)
{
	json_t *found;
	return find_type(node, type, 0, &found);
}

static struct pgm_colref column_of(struct pgm_shape_builder *builder, json_t *body, int scope)
{
	json_t *fields = json_object_get(body, "fields");
	size_t count = json_array_size(fields);
	const char *name = pgm_tree_last_name(fields);
	json_t *qualifier = count > 1 ? pgm_tree_body(json_array_get(fields, count - 2), "String") : NULL;
	return (struct pgm_colref){
		.scope = scope,
		.name = *name ? pgm_strdup(builder->arena, name) : NULL,
		.qualifier = pgm_strdup(builder->arena, pgm_tree_string(qualifier, "sval")),
	};
}

static bool same_text(const char *a, const char *b)
{
	return a == b || (a && b && strcmp(a, b) == 0);
}

/* Whether all columns in the node are written as those of one table. */
static bool one_table(struct pgm_shape_builder *builder, json_t *node, const struct pgm_colref *first,
		      int depth)
{
	const char *key;
	json_t *value;
	size_t i;
	if (depth > PGM_SHAPE_DEPTH_MAX)
		return false;
	if (json_is_array(node)) {
		json_array_foreach(node, i, value)
		{
			if (!one_table(builder, value, first, depth + 1))
				return false;
		}
		return true;
	}
	json_object_foreach(node, key, value)
	{
		bool same = strcmp(key, "ColumnRef") == 0
				    ? same_text(column_of(builder, value, first->scope).qualifier,
						first->qualifier)
				    : one_table(builder, value, first, depth + 1);
		if (!same)
			return false;
	}
	return true;
}

bool pgm_shape_operand(struct pgm_shape_builder *builder, json_t *node, int scope,
		       struct pgm_operand *operand)
{
	*operand = (struct pgm_operand){0};
	json_t *column = pgm_tree_body(node, "ColumnRef");
	if (column) {
		operand->column = column_of(builder, column, scope);
		return operand->column.name != NULL;
	}
	if (!find_type(node, "ColumnRef", 0, &column) || has(node, "SubLink"))
		return false;
	operand->column = column_of(builder, column, scope);
	if (!one_table(builder, node, &operand->column, 0))
		return false;
	operand->expression = pgm_tree_deparse(builder->arena, node);
	json_t *call = pgm_tree_body(node, "FuncCall");
	if (call)
		operand->function =
			pgm_strdup(builder->arena, pgm_tree_last_name(json_object_get(call, "funcname")));
	return operand->expression && operand->column.name;
}

static int first_param(json_t *node)
{
	json_t *param;
	return find_type(node, "ParamRef", 0, &param) ? (int)pgm_tree_int(param, "number") : 0;
}

struct pgm_value pgm_shape_value(struct pgm_shape_builder *builder, json_t *node)
{
	struct pgm_value value = {.param = first_param(node)};
	json_t *inner = node, *cast;
	while ((cast = pgm_tree_body(inner, "TypeCast")))
		inner = json_object_get(cast, "arg");
	if (has(node, "SubLink"))
		value.kind = PGM_VALUE_QUERY;
	else if (has(node, "ColumnRef"))
		value.kind = PGM_VALUE_COLUMN;
	else if (pgm_tree_body(inner, "ParamRef"))
		value.kind = PGM_VALUE_PARAM;
	else if (pgm_tree_body(inner, "A_Const"))
		value.kind = PGM_VALUE_LITERAL;
	else
		value.kind = PGM_VALUE_MOVING;
	if (value.kind == PGM_VALUE_LITERAL || (value.kind == PGM_VALUE_MOVING && value.param == 0))
		value.text = pgm_tree_deparse(builder->arena, node);
	return value;
}

static int add_atom(struct pgm_shape_builder *builder, struct pgm_atom atom)
{
	*pgm_vec_add(builder->arena, &builder->atoms) = atom;
	return (int)builder->atoms.count - 1;
}

static enum pgm_atom_kind kind_of_operator(const char *op)
{
	static const struct {
		const char *op;
		enum pgm_atom_kind kind;
	} kinds[] = {
		{"=", PGM_ATOM_EQ},	  {"<", PGM_ATOM_RANGE},    {"<=", PGM_ATOM_RANGE},
		{">", PGM_ATOM_RANGE},	  {">=", PGM_ATOM_RANGE},   {"@>", PGM_ATOM_CONTAIN},
		{"<@", PGM_ATOM_CONTAIN}, {"?", PGM_ATOM_CONTAIN},  {"?|", PGM_ATOM_CONTAIN},
		{"?&", PGM_ATOM_CONTAIN}, {"&&", PGM_ATOM_CONTAIN}, {"@@", PGM_ATOM_CONTAIN},
		{"~", PGM_ATOM_PATTERN},  {"~*", PGM_ATOM_PATTERN}, {"@?", PGM_ATOM_CONTAIN},
	};
	for (size_t i = 0; i < sizeof(kinds) / sizeof(*kinds); i++)
		if (strcmp(kinds[i].op, op) == 0)
			return kinds[i].kind;
	return PGM_ATOM_OTHER;
}

/* The operator that says the same with its sides exchanged; NULL where there is none. */
static const char *commuted(const char *op)
{
	static const char *const pairs[][2] = {{"=", "="},   {"<", ">"},   {">", "<"},	 {"<=", ">="},
					       {">=", "<="}, {"@>", "<@"}, {"<@", "@>"}, {"&&", "&&"}};
	for (size_t i = 0; i < sizeof(pairs) / sizeof(*pairs); i++)
		if (strcmp(pairs[i][0], op) == 0)
			return pairs[i][1];
	return NULL;
}

static void comparison(struct pgm_shape_builder *builder, json_t *left, const char *op, json_t *right,
		       int scope, bool under_or)
{
	struct pgm_atom atom = {.scope = scope, .under_or = under_or};
	struct pgm_operand other;
	json_t *value_side = right;
	bool left_is = pgm_shape_operand(builder, left, scope, &atom.left);
	bool right_is = pgm_shape_operand(builder, right, scope, &other);
	if (left_is && right_is) {
		atom.kind = strcmp(op, "=") == 0 ? PGM_ATOM_JOIN : PGM_ATOM_OTHER;
		atom.op = pgm_strdup(builder->arena, op);
		atom.right = other;
		atom.value.kind = PGM_VALUE_COLUMN;
		add_atom(builder, atom);
		return;
	}
	if (!left_is) {
		op = right_is ? commuted(op) : NULL;
		if (!op)
			return;
		atom.left = other;
		value_side = left;
	}
	atom.op = pgm_strdup(builder->arena, op);
	atom.kind = kind_of_operator(op);
	atom.value = pgm_shape_value(builder, value_side);
	int index = add_atom(builder, atom);
	pgm_shape_param_role(builder, value_side, PGM_PARAM_COMPARED, index);
}

static void any_of(struct pgm_shape_builder *builder, json_t *body, int scope, bool under_or)
{
	struct pgm_atom atom = {.kind = PGM_ATOM_IN, .op = "=", .scope = scope, .under_or = under_or};
	if (!pgm_shape_operand(builder, json_object_get(body, "lexpr"), scope, &atom.left) ||
	    strcmp(pgm_tree_last_name(json_object_get(body, "name")), "=") != 0)
		return;
	json_t *right = json_object_get(body, "rexpr");
	json_t *items = json_object_get(pgm_tree_body(right, "List"), "items");
	atom.in_count = json_array_size(items);
	atom.value = pgm_shape_value(builder, items ? json_array_get(items, 0) : right);
	if (!items && atom.value.kind == PGM_VALUE_LITERAL)
		atom.value.kind = PGM_VALUE_MOVING; /* one literal that holds an array: not one value */
	pgm_shape_param_role(builder, right, PGM_PARAM_COMPARED, add_atom(builder, atom));
}

static void like(struct pgm_shape_builder *builder, json_t *body, int scope, bool under_or)
{
	struct pgm_atom atom = {.scope = scope, .under_or = under_or};
	if (!pgm_shape_operand(builder, json_object_get(body, "lexpr"), scope, &atom.left))
		return;
	json_t *right = json_object_get(body, "rexpr");
	const char *op = pgm_tree_last_name(json_object_get(body, "name"));
	json_t *constant = pgm_tree_body(right, "A_Const");
	const char *pattern = pgm_tree_string(json_object_get(constant, "sval"), "sval");
	bool anchored = pattern && *pattern && *pattern != '%' && *pattern != '_';
	atom.kind = strcmp(op, "~~") == 0 && anchored ? PGM_ATOM_PREFIX : PGM_ATOM_PATTERN;
	if (strncmp(op, "!", 1) == 0)
		atom.kind = PGM_ATOM_OTHER;
	atom.op = pgm_strdup(builder->arena, op);
	atom.value = pgm_shape_value(builder, right);
	pgm_shape_param_role(builder, right, PGM_PARAM_COMPARED, add_atom(builder, atom));
}

static void between(struct pgm_shape_builder *builder, json_t *body, int scope, bool under_or)
{
	json_t *left = json_object_get(body, "lexpr");
	json_t *items = json_object_get(pgm_tree_body(json_object_get(body, "rexpr"), "List"), "items");
	comparison(builder, left, ">=", json_array_get(items, 0), scope, under_or);
	comparison(builder, left, "<=", json_array_get(items, 1), scope, under_or);
}

static void operator_call(struct pgm_shape_builder *builder, json_t *body, int scope, bool under_or)
{
	const char *kind = pgm_tree_string(body, "kind");
	if (!kind || strcmp(kind, "AEXPR_OP") == 0)
		comparison(builder, json_object_get(body, "lexpr"),
			   pgm_tree_last_name(json_object_get(body, "name")), json_object_get(body, "rexpr"),
			   scope, under_or);
	else if (strcmp(kind, "AEXPR_IN") == 0 || strcmp(kind, "AEXPR_OP_ANY") == 0)
		any_of(builder, body, scope, under_or);
	else if (strcmp(kind, "AEXPR_LIKE") == 0 || strcmp(kind, "AEXPR_ILIKE") == 0)
		like(builder, body, scope, under_or);
	else if (strcmp(kind, "AEXPR_BETWEEN") == 0)
		between(builder, body, scope, under_or);
}

static void boolean_column(struct pgm_shape_builder *builder, json_t *node, enum pgm_atom_kind kind,
			   int scope, bool under_or)
{
	struct pgm_atom atom = {.kind = kind, .scope = scope, .under_or = under_or, .op = ""};
	if (pgm_tree_body(node, "ColumnRef") && pgm_shape_operand(builder, node, scope, &atom.left))
		add_atom(builder, atom);
}

static void null_test(struct pgm_shape_builder *builder, json_t *body, int scope, bool under_or)
{
	const char *test = pgm_tree_string(body, "nulltesttype");
	struct pgm_atom atom = {.scope = scope, .under_or = under_or, .op = ""};
	atom.kind = test && strcmp(test, "IS_NOT_NULL") == 0 ? PGM_ATOM_NOT_NULL : PGM_ATOM_NULL;
	if (pgm_shape_operand(builder, json_object_get(body, "arg"), scope, &atom.left))
		add_atom(builder, atom);
}

static void boolean_test(struct pgm_shape_builder *builder, json_t *body, int scope, bool under_or)
{
	const char *test = pgm_tree_string(body, "booltesttype");
	json_t *arg = json_object_get(body, "arg");
	if (!test || strcmp(test, "IS_TRUE") == 0)
		boolean_column(builder, arg, PGM_ATOM_TRUE, scope, under_or);
	else if (strcmp(test, "IS_FALSE") == 0)
		boolean_column(builder, arg, PGM_ATOM_FALSE, scope, under_or);
}

/* x IN (SELECT y ...): a join with what the subquery puts out. */
static void sublink(struct pgm_shape_builder *builder, json_t *body, int scope, bool under_or)
{
	const char *type = pgm_tree_string(body, "subLinkType");
	int subscope = pgm_shape_query(builder, json_object_get(body, "subselect"), scope);
	json_t *test = json_object_get(body, "testexpr");
	pgm_shape_expression(builder, test, scope);
	if (!type || strcmp(type, "ANY_SUBLINK") != 0 || !test)
		return;
	struct pgm_atom atom = {.kind = PGM_ATOM_JOIN,
				.op = "=",
				.scope = scope,
				.under_or = under_or,
				.value.kind = PGM_VALUE_COLUMN};
	if (!pgm_shape_operand(builder, test, scope, &atom.left))
		return;
	for (size_t i = 0; i < builder->outputs.count; i++) {
		struct pgm_output *output = &builder->outputs.items[i];
		if (output->scope == subscope && output->column.name) {
			atom.right.column = output->column;
			add_atom(builder, atom);
			return;
		}
	}
}

static void predicate(struct pgm_shape_builder *builder, json_t *node, int scope, bool under_or)
{
	json_t *body;
	const char *type = pgm_tree_type(node, &body);
	if (!type || builder->depth > PGM_SHAPE_DEPTH_MAX) {
		builder->too_deep |= type != NULL;
		return;
	}
	builder->depth++;
	if (strcmp(type, "BoolExpr") == 0) {
		const char *op = pgm_tree_string(body, "boolop");
		json_t *args = json_object_get(body, "args");
		bool is_or = op && strcmp(op, "OR_EXPR") == 0;
		if (op && strcmp(op, "NOT_EXPR") == 0) {
			json_t *arg = json_array_get(args, 0);
			boolean_column(builder, arg, PGM_ATOM_FALSE, scope, under_or);
			pgm_shape_expression(builder, arg, scope);
		} else {
			for (size_t i = 0; i < json_array_size(args); i++)
				predicate(builder, json_array_get(args, i), scope, under_or || is_or);
		}
	} else if (strcmp(type, "SubLink") == 0) {
		sublink(builder, body, scope, under_or);
	} else {
		pgm_shape_expression(builder, node, scope);
		if (strcmp(type, "A_Expr") == 0)
			operator_call(builder, body, scope, under_or);
		else if (strcmp(type, "NullTest") == 0)
			null_test(builder, body, scope, under_or);
		else if (strcmp(type, "BooleanTest") == 0)
			boolean_test(builder, body, scope, under_or);
		else if (strcmp(type, "ColumnRef") == 0)
			boolean_column(builder, node, PGM_ATOM_TRUE, scope, under_or);
	}
	builder->depth--;
}

void pgm_shape_predicate(struct pgm_shape_builder *builder, json_t *node, int scope)
{
	if (node)
		predicate(builder, node, scope, false);
}

void pgm_shape_ordering(struct pgm_shape_builder *builder, json_t *node, enum pgm_atom_kind kind, int scope,
			int position, bool descending, bool nulls_first)
{
	struct pgm_atom atom = {.kind = kind,
				.op = "",
				.scope = scope,
				.position = position,
				.descending = descending,
				.nulls_first = nulls_first};
	if (pgm_shape_operand(builder, node, scope, &atom.left))
		add_atom(builder, atom);
}
