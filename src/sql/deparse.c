/*
 * SQL text of simple expressions. Every operator call is put in parentheses, so precedence never matters.
 */
#include "sql/tree.h"

#include "pg/quote.h"
#include "util/buf.h"

#include <string.h>

static bool put(struct pgm_buf *buf, json_t *node, int depth);

static bool put_list(struct pgm_buf *buf, json_t *items, int depth)
{
	for (size_t i = 0; i < json_array_size(items); i++) {
		if (i)
			pgm_buf_add(buf, ", ");
		if (!put(buf, json_array_get(items, i), depth))
			return false;
	}
	return true;
}

static bool put_const(struct pgm_buf *buf, json_t *body)
{
	json_t *value;
	if (pgm_tree_bool(body, "isnull"))
		pgm_buf_add(buf, "NULL");
	else if ((value = json_object_get(body, "sval")))
		pgm_buf_add(buf, pgm_quote_literal(buf->arena, pgm_tree_string(value, "sval")
								       ? pgm_tree_string(value, "sval")
								       : ""));
	else if ((value = json_object_get(body, "ival")))
		pgm_buf_printf(buf, "%ld", pgm_tree_int(value, "ival"));
	else if ((value = json_object_get(body, "fval")))
		pgm_buf_add(buf, pgm_tree_string(value, "fval"));
	else if ((value = json_object_get(body, "boolval")))
		pgm_buf_add(buf, pgm_tree_bool(value, "boolval") ? "true" : "false");
	else
		return false;
	return true;
}

static bool put_type(struct pgm_buf *buf, json_t *type, int depth)
{
	json_t *names = json_object_get(type, "names");
	for (size_t i = 0; i < json_array_size(names); i++) {
		const char *name = pgm_tree_string(pgm_tree_body(json_array_get(names, i), "String"), "sval");
		if (!name)
			return false;
		pgm_buf_printf(buf, "%s%s", i ? "." : "", pgm_quote_ident(buf->arena, name));
	}
	json_t *modifiers = json_object_get(type, "typmods");
	/* Those of an interval are a mask of its fields, which is no SQL. */
	if (json_array_size(modifiers) && strcmp(pgm_tree_last_name(names), "interval") == 0)
		return false;
	if (json_array_size(modifiers)) {
		pgm_buf_char(buf, '(');
		if (!put_list(buf, modifiers, depth))
			return false;
		pgm_buf_char(buf, ')');
	}
	for (size_t i = 0; i < json_array_size(json_object_get(type, "arrayBounds")); i++)
		pgm_buf_add(buf, "[]");
	return json_array_size(names) > 0;
}

static bool put_call(struct pgm_buf *buf, json_t *body, int depth)
{
	if (json_object_get(body, "agg_filter") || json_object_get(body, "over") ||
	    pgm_tree_bool(body, "agg_star") || json_object_get(body, "agg_order") ||
	    pgm_tree_bool(body, "agg_distinct") || pgm_tree_bool(body, "func_variadic"))
		return false;
	json_t *names = json_object_get(body, "funcname");
	for (size_t i = 0; i < json_array_size(names); i++)
		pgm_buf_printf(
			buf, "%s%s", i ? "." : "",
			pgm_quote_ident(
				buf->arena,
				pgm_tree_string(pgm_tree_body(json_array_get(names, i), "String"), "sval")));
	pgm_buf_char(buf, '(');
	if (!put_list(buf, json_object_get(body, "args"), depth))
		return false;
	pgm_buf_char(buf, ')');
	return true;
}

static bool put_operator(struct pgm_buf *buf, json_t *body, int depth)
{
	const char *kind = pgm_tree_string(body, "kind");
	if (!kind || strcmp(kind, "AEXPR_OP") != 0 || json_array_size(json_object_get(body, "name")) != 1)
		return false;
	pgm_buf_char(buf, '(');
	json_t *left = json_object_get(body, "lexpr");
	if (left && !put(buf, left, depth))
		return false;
	pgm_buf_printf(buf, "%s%s ", left ? " " : "", pgm_tree_last_name(json_object_get(body, "name")));
	if (!put(buf, json_object_get(body, "rexpr"), depth))
		return false;
	pgm_buf_char(buf, ')');
	return true;
}

static bool put_column(struct pgm_buf *buf, json_t *body)
{
	const char *name = pgm_tree_last_name(json_object_get(body, "fields"));
	if (!*name)
		return false; /* a star */
	pgm_buf_add(buf, pgm_quote_ident(buf->arena, name));
	return true;
}

static bool put(struct pgm_buf *buf, json_t *node, int depth)
{
	json_t *body;
	const char *type = pgm_tree_type(node, &body);
	if (!type || depth > 50)
		return false;
	depth++;
	if (strcmp(type, "ColumnRef") == 0)
		return put_column(buf, body);
	if (strcmp(type, "A_Const") == 0)
		return put_const(buf, body);
	if (strcmp(type, "FuncCall") == 0)
		return put_call(buf, body, depth);
	if (strcmp(type, "A_Expr") == 0)
		return put_operator(buf, body, depth);
	if (strcmp(type, "TypeCast") == 0) {
		pgm_buf_char(buf, '(');
		if (!put(buf, json_object_get(body, "arg"), depth))
			return false;
		pgm_buf_add(buf, ")::");
		return put_type(buf, json_object_get(body, "typeName"), depth);
	}
	bool coalesce = strcmp(type, "CoalesceExpr") == 0;
	if (coalesce || strcmp(type, "A_ArrayExpr") == 0) {
		pgm_buf_add(buf, coalesce ? "COALESCE(" : "ARRAY[");
		if (!put_list(buf, json_object_get(body, coalesce ? "args" : "elements"), depth))
			return false;
		pgm_buf_char(buf, coalesce ? ')' : ']');
		return true;
	}
	return false;
}

char *pgm_tree_deparse(struct pgm_arena *arena, json_t *node)
{
	struct pgm_buf buf;
	pgm_buf_init(&buf, arena);
	return put(&buf, node, 0) ? buf.text : NULL;
}

static bool put_condition(struct pgm_buf *buf, json_t *node, int depth);

static bool put_boolean(struct pgm_buf *buf, json_t *body, int depth)
{
	const char *kind = pgm_tree_string(body, "boolop");
	json_t *args = json_object_get(body, "args");
	bool negated = kind && strcmp(kind, "NOT_EXPR") == 0;
	for (size_t i = 0; i < json_array_size(args); i++) {
		if (negated || i)
			pgm_buf_add(buf, negated ? "NOT " : strcmp(kind, "OR_EXPR") == 0 ? " OR " : " AND ");
		pgm_buf_char(buf, '(');
		if (!kind || !put_condition(buf, json_array_get(args, i), depth))
			return false;
		pgm_buf_char(buf, ')');
	}
	return json_array_size(args) > 0;
}

static bool put_null_test(struct pgm_buf *buf, json_t *body, int depth)
{
	const char *kind = pgm_tree_string(body, "nulltesttype");
	if (!put(buf, json_object_get(body, "arg"), depth))
		return false;
	pgm_buf_add(buf, kind && strcmp(kind, "IS_NULL") == 0 ? " IS NULL" : " IS NOT NULL");
	return true;
}

/* column IN (1, 2), NOT IN, and column = ANY (ARRAY...) */
static bool put_membership(struct pgm_buf *buf, json_t *body, int depth)
{
	json_t *list = json_object_get(pgm_tree_body(json_object_get(body, "rexpr"), "List"), "items");
	const char *op = pgm_tree_last_name(json_object_get(body, "name"));
	if (!list || !put(buf, json_object_get(body, "lexpr"), depth))
		return false;
	pgm_buf_add(buf, strcmp(op, "<>") == 0 ? " NOT IN (" : " IN (");
	if (!put_list(buf, list, depth))
		return false;
	pgm_buf_char(buf, ')');
	return true;
}

static bool put_condition(struct pgm_buf *buf, json_t *node, int depth)
{
	json_t *body;
	const char *type = pgm_tree_type(node, &body);
	if (!type || depth > 50)
		return false;
	depth++;
	if (strcmp(type, "BoolExpr") == 0)
		return put_boolean(buf, body, depth);
	if (strcmp(type, "NullTest") == 0)
		return put_null_test(buf, body, depth);
	const char *kind = strcmp(type, "A_Expr") == 0 ? pgm_tree_string(body, "kind") : NULL;
	if (kind && strcmp(kind, "AEXPR_IN") == 0)
		return put_membership(buf, body, depth);
	return put(buf, node, depth);
}

char *pgm_tree_deparse_condition(struct pgm_arena *arena, json_t *node)
{
	struct pgm_buf buf;
	pgm_buf_init(&buf, arena);
	return put_condition(&buf, node, 0) ? buf.text : NULL;
}
