#include "sql/shape.h"

#include "sql/parse.h"
#include "sql/shape_build.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

static int new_scope(struct pgm_shape_builder *builder, int parent)
{
	*pgm_vec_add(builder->arena, &builder->scopes) = (struct pgm_scope){.parent = parent};
	return (int)builder->scopes.count - 1;
}

/* ---- parameters ---- */

static void add_param(struct pgm_shape_builder *builder, json_t *body)
{
	size_t offset = (size_t)pgm_tree_int(body, "location");
	for (size_t i = 0; i < builder->params.count; i++)
		if (builder->params.items[i].offset == offset)
			return;
	size_t length = 0;
	if (offset < strlen(builder->sql) && builder->sql[offset] == '$')
		for (length = 1; isdigit((unsigned char)builder->sql[offset + length]);)
			length++;
	if (length > 1)
		*pgm_vec_add(builder->arena, &builder->params) =
			(struct pgm_param){.number = (int)pgm_tree_int(body, "number"),
					   .offset = offset,
					   .length = length,
					   .atom = -1};
}

static struct pgm_param *param_at(struct pgm_shape_builder *builder, size_t offset)
{
	for (size_t i = 0; i < builder->params.count; i++)
		if (builder->params.items[i].offset == offset)
			return &builder->params.items[i];
	return NULL;
}

static bool is_interval_cast(json_t *body)
{
	json_t *names = json_object_get(json_object_get(body, "typeName"), "names");
	return strcmp(pgm_tree_last_name(names), "interval") == 0;
}

/* What is known of the place that a parameter stands in. */
struct place {
	enum pgm_param_role role;
	int atom;
	bool whole; /* nothing is done to it before it is compared, stored... */
	bool element;
};

static void param_role(struct pgm_shape_builder *builder, json_t *node, struct place place, int depth);

static void set_role(struct pgm_shape_builder *builder, json_t *body, struct place place)
{
	add_param(builder, body);
	struct pgm_param *param = param_at(builder, (size_t)pgm_tree_int(body, "location"));
	if (!param || param->role != PGM_PARAM_OTHER)
		return;
	param->role = place.role == PGM_PARAM_COMPARED && !place.whole ? PGM_PARAM_OTHER : place.role;
	param->atom = place.atom;
	param->element = place.element;
}

static void roles_of(struct pgm_shape_builder *builder, json_t *items, struct place place, int depth)
{
	for (size_t i = 0; i < json_array_size(items); i++)
		param_role(builder, json_array_get(items, i), place, depth);
}

/* to_tsquery('simple', $1): the words that are searched for. */
static void call_role(struct pgm_shape_builder *builder, json_t *body, struct place place, int depth)
{
	const char *name = pgm_tree_last_name(json_object_get(body, "funcname"));
	size_t length = strlen(name), suffix = strlen("to_tsquery");
	json_t *args = json_object_get(body, "args");
	if (length >= suffix && strcmp(name + length - suffix, "to_tsquery") == 0)
		param_role(builder, json_array_get(args, json_array_size(args) - 1), place, depth);
}

static void param_role(struct pgm_shape_builder *builder, json_t *node, struct place place, int depth)
{
	json_t *body;
	const char *type = pgm_tree_type(node, &body);
	if (depth++ > PGM_SHAPE_DEPTH_MAX || !type)
		return;
	if (strcmp(type, "ParamRef") == 0) {
		set_role(builder, body, place);
	} else if (strcmp(type, "TypeCast") == 0) {
		if (!place.whole && is_interval_cast(body)) {
			place.role = PGM_PARAM_INTERVAL;
			place.whole = true;
		}
		param_role(builder, json_object_get(body, "arg"), place, depth);
	} else if (strcmp(type, "List") == 0) {
		roles_of(builder, json_object_get(body, "items"), place, depth);
	} else if (strcmp(type, "A_ArrayExpr") == 0) {
		place.element = true;
		roles_of(builder, json_object_get(body, "elements"), place, depth);
	} else if (strcmp(type, "FuncCall") == 0) {
		call_role(builder, body, place, depth);
	} else if (strcmp(type, "A_Expr") == 0) {
		place.whole = false;
		param_role(builder, json_object_get(body, "lexpr"), place, depth);
		param_role(builder, json_object_get(body, "rexpr"), place, depth);
	}
}

void pgm_shape_param_role(struct pgm_shape_builder *builder, json_t *node, enum pgm_param_role role, int atom)
{
	param_role(builder, node, (struct place){.role = role, .atom = atom, .whole = true}, 0);
}

/* ---- expressions ---- */

static void add_reference(struct pgm_shape_builder *builder, json_t *body, int scope)
{
	struct pgm_operand operand;
	json_t *node = json_pack("{s:O}", "ColumnRef", body);
	pgm_shape_operand(builder, node, scope, &operand);
	json_decref(node);
	*pgm_vec_add(builder->arena, &builder->references) = operand.column;
}

static bool is_aggregate(const char *name)
{
	static const char *const names[] = {"count",	  "sum",       "avg",	   "min",
					    "max",	  "array_agg", "json_agg", "jsonb_agg",
					    "string_agg", "bool_and",  "bool_or",  "every"};
	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
		if (strcmp(names[i], name) == 0)
			return true;
	return false;
}

static void expression(struct pgm_shape_builder *builder, json_t *node, int scope)
{
	const char *key;
	json_t *value;
	size_t i;
	if (builder->depth > PGM_SHAPE_DEPTH_MAX) {
		builder->too_deep = true;
		return;
	}
	builder->depth++;
	if (json_is_array(node)) {
		json_array_foreach(node, i, value) expression(builder, value, scope);
	} else {
		json_object_foreach(node, key, value)
		{
			if (strcmp(key, "ColumnRef") == 0) {
				add_reference(builder, value, scope);
			} else if (strcmp(key, "ParamRef") == 0) {
				add_param(builder, value);
			} else if (strcmp(key, "SelectStmt") == 0) {
				json_t *query = json_pack("{s:O}", key, value);
				pgm_shape_query(builder, query, scope);
				json_decref(query);
			} else if (json_is_object(value) || json_is_array(value)) {
				if (strcmp(key, "FuncCall") == 0) {
					json_t *names = json_object_get(value, "funcname");
					*pgm_vec_add(builder->arena, &builder->functions) =
						pgm_tree_dotted_name(builder->arena, names);
					if (is_aggregate(pgm_tree_last_name(names)) &&
					    !json_object_get(value, "over"))
						builder->scopes.items[scope].has_aggregate = true;
				}
				expression(builder, value, scope);
			}
		}
	}
	builder->depth--;
}

void pgm_shape_expression(struct pgm_shape_builder *builder, json_t *node, int scope)
{
	if (node)
		expression(builder, node, scope);
}

/* ---- statements ---- */

static void add_outputs(struct pgm_shape_builder *builder, json_t *targets, int scope)
{
	for (size_t i = 0; i < json_array_size(targets); i++) {
		json_t *target = pgm_tree_body(json_array_get(targets, i), "ResTarget");
		json_t *value = json_object_get(target, "val");
		struct pgm_output output = {.scope = scope};
		struct pgm_operand operand;
		bool column = pgm_tree_body(value, "ColumnRef") != NULL;
		if (column)
			pgm_shape_operand(builder, value, scope, &operand);
		if (column)
			output.column = operand.column;
		output.name = pgm_strdup(builder->arena, pgm_tree_string(target, "name"));
		if (!output.name)
			output.name = column ? operand.column.name : "?column?";
		*pgm_vec_add(builder->arena, &builder->outputs) = output;
	}
}

static void with_clause(struct pgm_shape_builder *builder, json_t *with, int scope)
{
	json_t *ctes = json_object_get(with, "ctes");
	for (size_t i = 0; i < json_array_size(ctes); i++) {
		json_t *cte = pgm_tree_body(json_array_get(ctes, i), "CommonTableExpr");
		int subscope = pgm_shape_query(builder, json_object_get(cte, "ctequery"), scope);
		const char *name = pgm_tree_string(cte, "ctename");
		typeof(builder->ctes.items) slot = pgm_vec_add(builder->arena, &builder->ctes);
		slot->name = pgm_strdup(builder->arena, name ? name : "");
		slot->subscope = subscope;
		slot->scope = scope;
	}
}

/* What ORDER BY or GROUP BY names may be the number or the name of an output. */
static json_t *output_item(json_t *targets, json_t *node)
{
	json_t *constant = pgm_tree_body(node, "A_Const");
	if (constant && json_object_get(constant, "ival")) {
		long number = pgm_tree_int(json_object_get(constant, "ival"), "ival");
		json_t *target = pgm_tree_body(json_array_get(targets, (size_t)(number - 1)), "ResTarget");
		return target ? json_object_get(target, "val") : node;
	}
	json_t *fields = json_object_get(pgm_tree_body(node, "ColumnRef"), "fields");
	for (size_t i = 0; json_array_size(fields) == 1 && i < json_array_size(targets); i++) {
		json_t *target = pgm_tree_body(json_array_get(targets, i), "ResTarget");
		const char *name = pgm_tree_string(target, "name");
		if (name && strcmp(name, pgm_tree_last_name(fields)) == 0)
			return json_object_get(target, "val");
	}
	return node;
}

static void orderings(struct pgm_shape_builder *builder, json_t *body, int scope)
{
	json_t *targets = json_object_get(body, "targetList");
	json_t *sorts = json_object_get(body, "sortClause");
	for (size_t i = 0; i < json_array_size(sorts); i++) {
		json_t *sort = pgm_tree_body(json_array_get(sorts, i), "SortBy");
		const char *direction = pgm_tree_string(sort, "sortby_dir");
		const char *nulls = pgm_tree_string(sort, "sortby_nulls");
		bool descending = direction && strcmp(direction, "SORTBY_DESC") == 0;
		bool first = nulls && strcmp(nulls, "SORTBY_NULLS_FIRST") == 0;
		bool last = nulls && strcmp(nulls, "SORTBY_NULLS_LAST") == 0;
		json_t *item = output_item(targets, json_object_get(sort, "node"));
		pgm_shape_expression(builder, item, scope);
		pgm_shape_ordering(builder, item, PGM_ATOM_ORDER, scope, (int)i, descending,
				   first || (descending && !last));
	}
	json_t *groups = json_object_get(body, "groupClause");
	for (size_t i = 0; i < json_array_size(groups); i++) {
		json_t *item = output_item(targets, json_array_get(groups, i));
		pgm_shape_expression(builder, item, scope);
		pgm_shape_ordering(builder, item, PGM_ATOM_GROUP, scope, (int)i, false, false);
	}
	json_t *distinct = json_object_get(body, "distinctClause");
	for (size_t i = 0; i < json_array_size(distinct); i++) {
		if (!json_object_size(json_array_get(distinct, i)))
			continue; /* DISTINCT without ON */
		json_t *item = output_item(targets, json_array_get(distinct, i));
		pgm_shape_expression(builder, item, scope);
		pgm_shape_ordering(builder, item, PGM_ATOM_GROUP, scope, (int)i, false, false);
	}
	if (groups || distinct)
		builder->scopes.items[scope].has_aggregate = true;
}

static void limits(struct pgm_shape_builder *builder, json_t *body, int scope)
{
	json_t *limit = json_object_get(body, "limitCount");
	json_t *offset = json_object_get(body, "limitOffset");
	if (limit) {
		pgm_shape_expression(builder, limit, scope);
		pgm_shape_param_role(builder, limit, PGM_PARAM_LIMIT, -1);
		builder->scopes.items[scope].has_limit = true;
		builder->scopes.items[scope].limit = pgm_shape_value(builder, limit);
	}
	if (offset) {
		pgm_shape_expression(builder, offset, scope);
		pgm_shape_param_role(builder, offset, PGM_PARAM_OFFSET, -1);
	}
}

static int select_statement(struct pgm_shape_builder *builder, json_t *body, int parent)
{
	int scope = new_scope(builder, parent);
	with_clause(builder, json_object_get(body, "withClause"), scope);
	json_t *left = json_object_get(body, "larg");
	if (left) { /* UNION and its like; the arms' bodies have no type around them */
		json_t *arms[] = {left, json_object_get(body, "rarg")};
		for (size_t i = 0; i < 2; i++) {
			json_t *node = json_pack("{s:O}", "SelectStmt", arms[i]);
			int arm = pgm_shape_query(builder, node, scope);
			json_decref(node);
			for (size_t o = 0; i == 0 && o < builder->outputs.count; o++)
				if (builder->outputs.items[o].scope == arm) {
					struct pgm_output output = builder->outputs.items[o];
					output.scope = scope;
					*pgm_vec_add(builder->arena, &builder->outputs) = output;
				}
		}
		limits(builder, body, scope);
		return scope;
	}
	pgm_shape_from(builder, json_object_get(body, "fromClause"), scope);
	json_t *targets = json_object_get(body, "targetList");
	pgm_shape_expression(builder, targets, scope);
	for (size_t i = 0; i < json_array_size(targets); i++)
		pgm_shape_param_role(
			builder,
			json_object_get(pgm_tree_body(json_array_get(targets, i), "ResTarget"), "val"),
			PGM_PARAM_STORED, -1);
	add_outputs(builder, targets, scope);
	pgm_shape_predicate(builder, json_object_get(body, "whereClause"), scope);
	orderings(builder, body, scope);
	pgm_shape_expression(builder, json_object_get(body, "havingClause"), scope);
	pgm_shape_expression(builder, json_object_get(body, "windowClause"), scope);
	pgm_shape_expression(builder, json_object_get(body, "valuesLists"), scope);
	limits(builder, body, scope);
	if (json_object_get(body, "intoClause"))
		builder->shape->writes = true;
	if (json_object_get(body, "lockingClause"))
		builder->shape->locks_rows = true;
	return scope;
}

static void set_list(struct pgm_shape_builder *builder, json_t *targets, int scope)
{
	for (size_t i = 0; i < json_array_size(targets); i++) {
		json_t *target = pgm_tree_body(json_array_get(targets, i), "ResTarget");
		const char *name = pgm_tree_string(target, "name");
		if (name)
			*pgm_vec_add(builder->arena, &builder->set_columns) =
				pgm_strdup(builder->arena, name);
		pgm_shape_expression(builder, json_object_get(target, "val"), scope);
		pgm_shape_param_role(builder, json_object_get(target, "val"), PGM_PARAM_STORED, -1);
	}
}

static int write_statement(struct pgm_shape_builder *builder, json_t *body, int parent,
			   enum pgm_statement_kind kind)
{
	int scope = new_scope(builder, parent);
	with_clause(builder, json_object_get(body, "withClause"), scope);
	pgm_shape_table(builder, json_object_get(body, "relation"), scope, true);
	pgm_shape_from(builder,
		       json_object_get(body, kind == PGM_STATEMENT_UPDATE ? "fromClause" : "usingClause"),
		       scope);
	if (kind == PGM_STATEMENT_UPDATE)
		set_list(builder, json_object_get(body, "targetList"), scope);
	pgm_shape_predicate(builder, json_object_get(body, "whereClause"), scope);
	pgm_shape_expression(builder, json_object_get(body, "returningList"), scope);
	add_outputs(builder, json_object_get(body, "returningList"), scope);
	if (kind == PGM_STATEMENT_INSERT) {
		json_t *source = json_object_get(body, "selectStmt");
		if (source)
			pgm_shape_query(builder, source, scope);
		json_t *lists = json_object_get(pgm_tree_body(source, "SelectStmt"), "valuesLists");
		for (size_t i = 0; i < json_array_size(lists); i++)
			pgm_shape_param_role(builder, json_array_get(lists, i), PGM_PARAM_STORED, -1);
		json_t *conflict = json_object_get(body, "onConflictClause");
		set_list(builder, json_object_get(conflict, "targetList"), scope);
		pgm_shape_expression(builder, json_object_get(conflict, "infer"), scope);
		pgm_shape_expression(builder, json_object_get(conflict, "whereClause"), scope);
	}
	builder->shape->writes = true;
	return scope;
}

static enum pgm_statement_kind kind_of(const char *type)
{
	static const struct {
		const char *type;
		enum pgm_statement_kind kind;
	} kinds[] = {{"SelectStmt", PGM_STATEMENT_SELECT},
		     {"InsertStmt", PGM_STATEMENT_INSERT},
		     {"UpdateStmt", PGM_STATEMENT_UPDATE},
		     {"DeleteStmt", PGM_STATEMENT_DELETE}};
	for (size_t i = 0; type && i < sizeof(kinds) / sizeof(*kinds); i++)
		if (strcmp(kinds[i].type, type) == 0)
			return kinds[i].kind;
	return PGM_STATEMENT_OTHER;
}

int pgm_shape_query(struct pgm_shape_builder *builder, json_t *node, int parent)
{
	json_t *body;
	enum pgm_statement_kind kind = kind_of(pgm_tree_type(node, &body));
	if (builder->depth > PGM_SHAPE_DEPTH_MAX) {
		builder->too_deep = true;
		return new_scope(builder, parent);
	}
	builder->depth++;
	int scope;
	if (kind == PGM_STATEMENT_OTHER)
		scope = new_scope(builder, parent);
	else if (kind == PGM_STATEMENT_SELECT)
		scope = select_statement(builder, body, parent);
	else
		scope = write_statement(builder, body, parent, kind);
	builder->depth--;
	return scope;
}

static int compare_offset(const void *a, const void *b)
{
	const struct pgm_param *left = a, *right = b;
	return (left->offset > right->offset) - (left->offset < right->offset);
}

bool pgm_sql_shape(struct pgm_arena *arena, const char *sql, struct pgm_shape *shape, struct pgm_error *err)
{
	*shape = (struct pgm_shape){0};
	json_t *statements = pgm_sql_parse(sql, 1, err);
	if (!statements)
		return false;
	if (json_array_size(statements) != 1) {
		json_decref(statements);
		return pgm_error_set(err, PGM_ERR_INPUT, "the text holds no statement or several");
	}
	struct pgm_shape_builder builder = {.arena = arena, .sql = sql, .shape = shape};
	json_t *statement = json_object_get(json_array_get(statements, 0), "stmt"), *body;
	shape->kind = kind_of(pgm_tree_type(statement, &body));
	pgm_shape_query(&builder, statement, -1);
	json_decref(statements);
	if (builder.too_deep)
		return pgm_error_set(err, PGM_ERR_INPUT,
				     "the statement is nested too deeply to be understood");
	if (builder.params.count)
		qsort(builder.params.items, builder.params.count, sizeof(*builder.params.items),
		      compare_offset);
#define GIVE(member, counter)                 \
	shape->member = builder.member.items; \
	shape->counter = builder.member.count
	GIVE(scopes, scope_count);
	GIVE(tables, table_count);
	GIVE(atoms, atom_count);
	GIVE(references, reference_count);
	GIVE(outputs, output_count);
	GIVE(set_columns, set_count);
	GIVE(functions, function_count);
	GIVE(params, param_count);
#undef GIVE
	return true;
}
