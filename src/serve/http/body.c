/*
 * Bodies. jansson recurses with the depth of what it reads, so that is measured first.
 */
#include "serve/http/parts.h"

struct place {
	int line, column;
};

/* Where the text goes deeper than we allow; line 0: nowhere. Brackets in strings do not count. */
static struct place too_deep(const char *text, size_t length)
{
	struct place place = {1, 0};
	int depth = 0;
	bool quoted = false;
	for (size_t i = 0; i < length; i++) {
		char c = text[i];
		place.column++;
		if (c == '\n') {
			place.line++;
			place.column = 0;
		}
		if (quoted) {
			if (c == '\\')
				i++, place.column++;
			else if (c == '"')
				quoted = false;
		} else if (c == '"') {
			quoted = true;
		} else if (c == '{' || c == '[') {
			if (++depth > PGM_HTTP_BODY_DEPTH_MAX)
				return place;
		} else if (c == '}' || c == ']') {
			depth--;
		}
	}
	return (struct place){0, 0};
}

json_t *pgm_body_parse(const char *text, size_t length, struct pgm_error *err)
{
	struct place deep = too_deep(text, length);
	json_error_t why;
	if (deep.line) {
		pgm_error_set(err, PGM_ERR_INPUT,
			      "line %d, column %d: more than %d brackets within each other", deep.line,
			      deep.column, PGM_HTTP_BODY_DEPTH_MAX);
		return NULL;
	}
	json_t *body = json_loadb(text, length, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, &why);
	if (!body) {
		pgm_error_set(err, PGM_ERR_INPUT, "line %d, column %d: %.200s", why.line, why.column,
			      why.text);
		return NULL;
	}
	if (json_is_object(body))
		return body;
	json_decref(body);
	pgm_error_set(err, PGM_ERR_INPUT, "line 1, column 1: the body is no object");
	return NULL;
}
