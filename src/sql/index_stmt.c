#include "sql/index_stmt.h"

#include "pg/quote.h"
#include "sql/parse.h"
#include "sql/tree.h"
#include "util/buf.h"

#include <ctype.h>
#include <string.h>

static const char *skip_name(const char *p)
{
	if ((*p == 'U' || *p == 'u') && p[1] == '&' && p[2] == '"')
		p += 2;
	if (*p == '"') {
		for (p++; *p && !(p[0] == '"' && p[1] != '"'); p++)
			p += *p == '"';
		return *p ? p + 1 : p;
	}
	while (isalnum((unsigned char)*p) || *p == '_' || *p == '$' || (unsigned char)*p >= 0x80)
		p++;
	return p;
}

static const char *skip_space(const char *p)
{
	while (isspace((unsigned char)*p))
		p++;
	return p;
}

/* The end of "schema . table" that begins at p. */
static const char *skip_qualified(const char *p)
{
	const char *end = skip_name(p);
	for (;;) {
		const char *dot = skip_space(end);
		if (*dot != '.')
			return end;
		end = skip_name(skip_space(dot + 1));
	}
}

bool pgm_sql_index_definition(struct pgm_arena *arena, const char *script, char **definition,
			      struct pgm_error *err)
{
	json_t *list = pgm_sql_parse(script, 1, err);
	*definition = NULL;
	if (!list)
		return false;
	size_t i, size = strlen(script);
	json_t *item;
	json_array_foreach(list, i, item)
	{
		json_t *index = json_object_get(json_object_get(item, "stmt"), "IndexStmt");
		if (!index || *definition)
			continue;
		size_t start = (size_t)json_integer_value(json_object_get(item, "stmt_location"));
		size_t length = (size_t)json_integer_value(json_object_get(item, "stmt_len"));
		size_t end = length ? start + length : size; /* 0: to the end of the script */
		json_t *relation = json_object_get(index, "relation");
		size_t name = (size_t)json_integer_value(json_object_get(relation, "location"));
		if (end > size || name >= end)
			break;
		const char *rest = skip_qualified(script + name);
		if (rest <= script + end)
			*definition = pgm_strndup(arena, rest, (size_t)(script + end - rest));
	}
	json_decref(list);
	if (!*definition)
		return pgm_error_set(err, PGM_ERR_INPUT, "there is no CREATE INDEX in it");
	return true;
}

static const char *opclass_text(struct pgm_arena *arena, json_t *names)
{
	struct pgm_buf buf;
	pgm_buf_init(&buf, arena);
	for (size_t i = 0; i < json_array_size(names); i++) {
		const char *name = pgm_tree_string(pgm_tree_body(json_array_get(names, i), "String"), "sval");
		pgm_buf_printf(&buf, "%s%s", i ? "." : "", pgm_quote_ident(arena, name ? name : ""));
	}
	return json_array_size(names) ? buf.text : NULL;
}

static bool take_key(struct pgm_arena *arena, json_t *item, struct pgm_index_stmt_key *key,
		     struct pgm_error *err)
{
	json_t *body = pgm_tree_body(item, "IndexElem"), *expression = json_object_get(body, "expr");
	const char *order = pgm_tree_string(body, "ordering"),
		   *nulls = pgm_tree_string(body, "nulls_ordering");
	if (json_object_get(body, "collation") || json_object_get(body, "opclassopts"))
		return pgm_error_set(err, PGM_ERR_INPUT,
				     "an index key with COLLATE or operator class parameters is not kept");
	key->column = pgm_strdup(arena, pgm_tree_string(body, "name"));
	key->expression = expression ? pgm_tree_deparse(arena, expression) : NULL;
	if (!key->column && !key->expression)
		return pgm_error_set(err, PGM_ERR_INPUT,
				     "an index key is an expression that is not understood");
	key->opclass = opclass_text(arena, json_object_get(body, "opclass"));
	key->descending = order && strcmp(order, "SORTBY_DESC") == 0;
	key->nulls_first = nulls && strcmp(nulls, "SORTBY_NULLS_DEFAULT") != 0
				   ? strcmp(nulls, "SORTBY_NULLS_FIRST") == 0
				   : key->descending;
	return true;
}

static bool take_index(struct pgm_arena *arena, json_t *body, struct pgm_index_stmt *stmt,
		       struct pgm_error *err)
{
	json_t *relation = json_object_get(body, "relation"), *keys = json_object_get(body, "indexParams");
	json_t *include = json_object_get(body, "indexIncludingParams");
	json_t *predicate = json_object_get(body, "whereClause");
	*stmt = (struct pgm_index_stmt){
		.schema = pgm_strdup(arena, pgm_tree_string(relation, "schemaname")),
		.table = pgm_strdup(arena, pgm_tree_string(relation, "relname")),
		.name = pgm_strdup(arena, pgm_tree_string(body, "idxname")),
		.method = pgm_strdup(arena, pgm_tree_string(body, "accessMethod")),
		.unique = pgm_tree_bool(body, "unique"),
		.key_count = json_array_size(keys),
		.include_count = json_array_size(include),
	};
	stmt->keys = PGM_NEW_ARRAY(arena, struct pgm_index_stmt_key, stmt->key_count);
	stmt->include = PGM_NEW_ARRAY(arena, const char *, stmt->include_count);
	for (size_t i = 0; i < stmt->key_count; i++)
		if (!take_key(arena, json_array_get(keys, i), &stmt->keys[i], err))
			return false;
	for (size_t i = 0; i < stmt->include_count; i++) {
		const char *name =
			pgm_tree_string(pgm_tree_body(json_array_get(include, i), "IndexElem"), "name");
		stmt->include[i] = pgm_strdup(arena, name ? name : "");
	}
	if (predicate && !(stmt->predicate = pgm_tree_deparse_condition(arena, predicate)))
		return pgm_error_set(err, PGM_ERR_INPUT, "the index's predicate is not understood");
	return true;
}

bool pgm_sql_index_stmt(struct pgm_arena *arena, const char *sql, struct pgm_index_stmt *stmt,
			struct pgm_error *err)
{
	json_t *list = pgm_sql_parse(sql, 1, err);
	if (!list)
		return false;
	json_t *body = pgm_tree_body(json_object_get(json_array_get(list, 0), "stmt"), "IndexStmt");
	bool ok = json_array_size(list) == 1 && body
			  ? take_index(arena, body, stmt, err)
			  : pgm_error_set(err, PGM_ERR_INPUT, "there is no CREATE INDEX in it");
	json_decref(list);
	return ok;
}
