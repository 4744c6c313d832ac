#include "sql/index_stmt.h"

#include "sql/parse.h"

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
