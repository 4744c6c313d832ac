#include "sql/effects.h"

#include "sql/parse.h"
#include "util/vec.h"

#include <string.h>

struct walk {
	struct pgm_arena *arena;
	bool writes;
	PGM_VEC(struct pgm_effect) found;
};

static const char *const kind_names[] = {
	[PGM_EFFECT_FUNCTION] = "function", [PGM_EFFECT_OPERATOR] = "operator", [PGM_EFFECT_CAST] = "cast",
	[PGM_EFFECT_FIELD] = "field",	    [PGM_EFFECT_RELATION] = "relation",
};

const char *pgm_effect_kind_name(enum pgm_effect_kind kind)
{
	return kind_names[kind];
}

static void add(struct walk *walk, enum pgm_effect_kind kind, const char *schema, const char *name)
{
	if (!name)
		return;
	*pgm_vec_add(walk->arena, &walk->found) = (struct pgm_effect){
		.kind = kind,
		.schema = pgm_strdup(walk->arena, schema),
		.name = pgm_strdup(walk->arena, name),
	};
}

/* {"String":{"sval":"x"}}; "str" before PostgreSQL 15's grammar. */
static const char *string_node(const json_t *node)
{
	json_t *string = json_object_get(node, "String");
	json_t *value = json_object_get(string, "sval");
	return json_string_value(value ? value : json_object_get(string, "str"));
}

/* A list of String nodes: [schema,] name. */
static void add_names(struct walk *walk, enum pgm_effect_kind kind, const json_t *names)
{
	size_t count = json_array_size(names);
	if (count)
		add(walk, kind, count > 1 ? string_node(json_array_get(names, count - 2)) : NULL,
		    string_node(json_array_get(names, count - 1)));
}

static void add_field(struct walk *walk, const json_t *list)
{
	size_t count = json_array_size(list);
	if (count)
		add(walk, PGM_EFFECT_FIELD, NULL, string_node(json_array_get(list, count - 1)));
}

static void look_at(struct walk *walk, const char *key, const json_t *value)
{
	static const char *const writing[] = {"InsertStmt", "UpdateStmt", "DeleteStmt",
					      "MergeStmt",  "intoClause", "lockingClause"};
	for (size_t i = 0; i < sizeof(writing) / sizeof(*writing); i++)
		walk->writes |= strcmp(key, writing[i]) == 0;

	if (strcmp(key, "FuncCall") == 0)
		add_names(walk, PGM_EFFECT_FUNCTION, json_object_get(value, "funcname"));
	else if (strcmp(key, "RangeTableSample") == 0)
		add_names(walk, PGM_EFFECT_FUNCTION, json_object_get(value, "method"));
	else if (strcmp(key, "A_Expr") == 0)
		add_names(walk, PGM_EFFECT_OPERATOR, json_object_get(value, "name"));
	else if (strcmp(key, "SubLink") == 0)
		add_names(walk, PGM_EFFECT_OPERATOR, json_object_get(value, "operName"));
	else if (strcmp(key, "SortBy") == 0)
		add_names(walk, PGM_EFFECT_OPERATOR, json_object_get(value, "useOp"));
	else if (strcmp(key, "TypeCast") == 0)
		add_names(walk, PGM_EFFECT_CAST,
			  json_object_get(json_object_get(value, "typeName"), "names"));
	else if (strcmp(key, "ColumnRef") == 0 && json_array_size(json_object_get(value, "fields")) > 1)
		add_field(walk, json_object_get(value, "fields"));
	else if (strcmp(key, "A_Indirection") == 0)
		add_field(walk, json_object_get(value, "indirection"));
	else if (strcmp(key, "RangeVar") == 0)
		add(walk, PGM_EFFECT_RELATION, json_string_value(json_object_get(value, "schemaname")),
		    json_string_value(json_object_get(value, "relname")));
}

/* The depth is bounded: the parser refuses trees nested deeper than jansson reads. */
static void visit(struct walk *walk, json_t *node)
{
	if (json_is_array(node)) {
		size_t i;
		json_t *item;
		json_array_foreach(node, i, item) visit(walk, item);
	} else if (json_is_object(node)) {
		const char *key;
		json_t *value;
		json_object_foreach(node, key, value)
		{
			look_at(walk, key, value);
			visit(walk, value);
		}
	}
}

bool pgm_sql_effects(struct pgm_arena *arena, const char *sql, struct pgm_effects *effects,
		     struct pgm_error *err)
{
	json_t *list = pgm_sql_parse(sql, 1, err);
	if (!list)
		return false;
	size_t count = json_array_size(list);
	if (count != 1) {
		json_decref(list);
		*effects = (struct pgm_effects){0};
		return true;
	}
	json_t *statement = json_object_get(json_array_get(list, 0), "stmt");
	bool select = json_object_get(statement, "SelectStmt") != NULL;
	struct walk walk = {.arena = arena};
	visit(&walk, statement);
	effects->select_only = select && !walk.writes;
	effects->explainable = select || json_object_get(statement, "InsertStmt") ||
			       json_object_get(statement, "UpdateStmt") ||
			       json_object_get(statement, "DeleteStmt") ||
			       json_object_get(statement, "MergeStmt");
	effects->items = walk.found.items;
	effects->count = walk.found.count;
	json_decref(list);
	return true;
}
