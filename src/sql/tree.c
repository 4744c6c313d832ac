#include "sql/tree.h"

#include "util/buf.h"

#include <string.h>

const char *pgm_tree_type(json_t *node, json_t **body)
{
	void *at = json_is_object(node) && json_object_size(node) == 1 ? json_object_iter(node) : NULL;
	*body = at ? json_object_iter_value(at) : NULL;
	return at ? json_object_iter_key(at) : NULL;
}

json_t *pgm_tree_body(json_t *node, const char *type)
{
	json_t *body;
	const char *found = pgm_tree_type(node, &body);
	return found && strcmp(found, type) == 0 ? body : NULL;
}

const char *pgm_tree_string(json_t *object, const char *key)
{
	return json_string_value(json_object_get(object, key));
}

bool pgm_tree_bool(json_t *object, const char *key)
{
	return json_is_true(json_object_get(object, key));
}

long pgm_tree_int(json_t *object, const char *key)
{
	return (long)json_integer_value(json_object_get(object, key));
}

static const char *name_at(json_t *names, size_t index)
{
	const char *text = pgm_tree_string(pgm_tree_body(json_array_get(names, index), "String"), "sval");
	return text ? text : "";
}

const char *pgm_tree_last_name(json_t *names)
{
	size_t count = json_array_size(names);
	return count ? name_at(names, count - 1) : "";
}

char *pgm_tree_dotted_name(struct pgm_arena *arena, json_t *names)
{
	struct pgm_buf buf;
	pgm_buf_init(&buf, arena);
	for (size_t i = 0; i < json_array_size(names); i++)
		pgm_buf_printf(&buf, "%s%s", i ? "." : "", name_at(names, i));
	return buf.text;
}
