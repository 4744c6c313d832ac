/*
 * FROM: tables, joins, and what else rows come from.
 */
#include "sql/shape_build.h"

#include <string.h>

static int cte_scope(struct pgm_shape_builder *builder, const char *name, int scope)
{
	for (; scope >= 0; scope = builder->scopes.items[scope].parent)
		for (size_t i = builder->ctes.count; i-- > 0;)
			if (builder->ctes.items[i].scope == scope &&
			    strcmp(builder->ctes.items[i].name, name) == 0)
				return builder->ctes.items[i].subscope;
	return -1;
}

void pgm_shape_table(struct pgm_shape_builder *builder, json_t *body, int scope, bool target)
{
	const char *alias = pgm_tree_string(json_object_get(body, "alias"), "aliasname");
	const char *name = pgm_tree_string(body, "relname");
	const char *schema = pgm_tree_string(body, "schemaname");
	struct pgm_shape_table table = {
		.scope = scope,
		.schema = pgm_strdup(builder->arena, schema),
		.name = pgm_strdup(builder->arena, name ? name : ""),
		.subscope = schema || target || !name ? -1 : cte_scope(builder, name, scope),
		.target = target,
	};
	table.alias = alias ? pgm_strdup(builder->arena, alias) : table.name;
	*pgm_vec_add(builder->arena, &builder->tables) = table;
}

/* Something in FROM that has no name of its own. */
static void add_derived(struct pgm_shape_builder *builder, json_t *body, int scope, int subscope)
{
	const char *alias = pgm_tree_string(json_object_get(body, "alias"), "aliasname");
	if (!alias)
		alias = pgm_tree_string(body, "relname");
	*pgm_vec_add(builder->arena, &builder->tables) =
		(struct pgm_shape_table){.scope = scope,
					 .name = "",
					 .subscope = subscope,
					 .alias = alias ? pgm_strdup(builder->arena, alias) : ""};
}

static void from_item(struct pgm_shape_builder *builder, json_t *node, int scope)
{
	json_t *body;
	const char *type = pgm_tree_type(node, &body);
	if (!type || builder->depth > PGM_SHAPE_DEPTH_MAX) {
		builder->too_deep |= type != NULL;
		return;
	}
	builder->depth++;
	if (strcmp(type, "RangeVar") == 0) {
		pgm_shape_table(builder, body, scope, false);
	} else if (strcmp(type, "JoinExpr") == 0) {
		from_item(builder, json_object_get(body, "larg"), scope);
		from_item(builder, json_object_get(body, "rarg"), scope);
	} else if (strcmp(type, "RangeSubselect") == 0) {
		add_derived(builder, body, scope,
			    pgm_shape_query(builder, json_object_get(body, "subquery"), scope));
	} else {
		/* A function, a sample of a table, XMLTABLE: columns that only the server knows. */
		json_t *relation = pgm_tree_body(json_object_get(body, "relation"), "RangeVar");
		add_derived(builder, relation ? relation : body, scope, -1);
		pgm_shape_expression(builder, node, scope);
	}
	builder->depth--;
}

/* Both sides have the columns: each table on the left is joined with each on the right, from first to end. */
static void using_columns(struct pgm_shape_builder *builder, json_t *names, int scope, size_t first,
			  size_t middle, size_t end)
{
	for (size_t i = 0; i < json_array_size(names); i++) {
		const char *name = pgm_tree_string(pgm_tree_body(json_array_get(names, i), "String"), "sval");
		if (!name)
			continue;
		name = pgm_strdup(builder->arena, name);
		for (size_t a = first; a < middle; a++)
			for (size_t b = middle; b < end; b++) {
				const struct pgm_shape_table *left = &builder->tables.items[a];
				const struct pgm_shape_table *right = &builder->tables.items[b];
				if (left->scope != scope || right->scope != scope)
					continue;
				*pgm_vec_add(builder->arena, &builder->atoms) =
					(struct pgm_atom){.kind = PGM_ATOM_JOIN,
							  .op = "=",
							  .scope = scope,
							  .left.column = {scope, left->alias, name},
							  .right.column = {scope, right->alias, name},
							  .value.kind = PGM_VALUE_COLUMN};
			}
	}
}

/* After all tables of the scope are known, which stand in the order of FROM: *at is the next of them. */
static void join_conditions(struct pgm_shape_builder *builder, json_t *node, int scope, size_t *at)
{
	json_t *join = pgm_tree_body(node, "JoinExpr");
	if (!join) {
		while (*at < builder->tables.count && builder->tables.items[*at].scope != scope)
			++*at;
		++*at;
		return;
	}
	size_t first = *at, middle;
	join_conditions(builder, json_object_get(join, "larg"), scope, at);
	middle = *at;
	join_conditions(builder, json_object_get(join, "rarg"), scope, at);
	pgm_shape_predicate(builder, json_object_get(join, "quals"), scope);
	using_columns(builder, json_object_get(join, "usingClause"), scope, first, middle, *at);
}

void pgm_shape_from(struct pgm_shape_builder *builder, json_t *items, int scope)
{
	size_t at = builder->tables.count;
	for (size_t i = 0; i < json_array_size(items); i++)
		from_item(builder, json_array_get(items, i), scope);
	for (size_t i = 0; !builder->too_deep && i < json_array_size(items); i++)
		join_conditions(builder, json_array_get(items, i), scope, &at);
}
