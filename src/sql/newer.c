#include "sql/newer.h"

#include "sql/lex.h"

#include <pg_query.h>
#include <string.h>

#define MAX_SUBQUERIES 200 /* each of them is another parse of the statement */

/* The byte of a character of the text, counted from 1 as the parser does. */
static size_t byte_of(const char *text, int position)
{
	size_t at = 0;
	while (text[at] && position > 1) {
		at++;
		position -= ((unsigned char)text[at] & 0xC0) != 0x80;
	}
	return at;
}

/* Where the parser misses an alias: the byte after the subquery's closing parenthesis, or 0. */
static size_t missing_alias(const char *sql)
{
	PgQueryParseResult result = pg_query_parse(sql);
	const PgQueryError *error = result.error;
	size_t start = 0, end = 0;
	bool missing = error && strstr(error->message, "in FROM must have an alias") && error->cursorpos > 0;
	if (missing)
		start = byte_of(sql, error->cursorpos);
	pg_query_free_parse_result(result);
	struct pgm_lex lex;
	pgm_lex_init(&lex, sql + start, strlen(sql + start));
	for (int depth = 0; missing && !end;) {
		struct pgm_token token = pgm_lex_next(&lex);
		if (token.kind == PGM_TOKEN_END)
			break;
		char c = token.kind == PGM_TOKEN_OTHER ? *token.text : '\0';
		depth += c == '(' ? 1 : c == ')' ? -1 : 0;
		if (c == ')' && depth <= 0)
			end = (size_t)(token.text - sql) + 1;
	}
	return end;
}

char *pgm_sql_alias_subqueries(struct pgm_arena *arena, const char *sql)
{
	char *text = NULL;
	for (int i = 1; i <= MAX_SUBQUERIES; i++) {
		const char *now = text ? text : sql;
		size_t at = missing_alias(now);
		if (!at)
			return text;
		text = pgm_sprintf(arena, "%.*s AS unnamed_subquery_%d%s", (int)at, now, i, now + at);
	}
	return NULL;
}
