#include "sql/parse.h"

#include <pg_query.h>

bool pgm_sql_parse_error(const char *text, int first_line, const char *message, int position,
			 struct pgm_error *err)
{
	int line = first_line;
	int left = position;
	for (const char *p = text; *p && left > 1; p++) {
		line += *p == '\n';
		left -= ((unsigned char)p[1] & 0xC0) != 0x80; /* positions count characters */
	}
	return pgm_error_set(err, PGM_ERR_INPUT, "line %d: %s", line, message);
}

json_t *pgm_sql_parse(const char *text, int first_line, struct pgm_error *err)
{
	PgQueryParseResult result = pg_query_parse(text);
	json_t *statements = NULL;
	if (result.error) {
		pgm_sql_parse_error(text, first_line, result.error->message, result.error->cursorpos, err);
	} else {
		json_error_t problem;
		json_t *tree = json_loads(result.parse_tree, JSON_ALLOW_NUL, &problem);
		statements = json_incref(json_object_get(tree, "stmts"));
		json_decref(tree);
		if (!statements)
			pgm_error_set(err, PGM_ERR_INPUT, "line %d: the statement cannot be parsed: %s",
				      first_line, tree ? "no statements" : problem.text);
	}
	pg_query_free_parse_result(result);
	return statements;
}
