#include "sql/index_sql.h"

#include "sql/lex.h"
#include "util/buf.h"

#include <string.h>
#include <strings.h>

/* The next token that is no space or comment. */
static struct pgm_token next(struct pgm_lex *lex)
{
	for (;;) {
		struct pgm_token token = pgm_lex_next(lex);
		if (token.kind != PGM_TOKEN_SPACE && token.kind != PGM_TOKEN_COMMENT)
			return token;
	}
}

static bool is_word(const struct pgm_token *token, const char *word)
{
	return token->kind == PGM_TOKEN_WORD && token->length == strlen(word) &&
	       strncasecmp(token->text, word, token->length) == 0;
}

static bool is_char(const struct pgm_token *token, char c)
{
	return token->kind == PGM_TOKEN_OTHER && *token->text == c;
}

/* A name with its schema: from token on; the lexer is left behind it. */
static char *take_name(struct pgm_arena *arena, struct pgm_lex *lex, const struct pgm_token *token)
{
	const char *start = token->text;
	const char *end = start + token->length;
	for (;;) {
		struct pgm_lex ahead = *lex;
		struct pgm_token dot = next(&ahead);
		if (!is_char(&dot, '.'))
			break;
		struct pgm_token part = next(&ahead);
		end = part.text + part.length;
		*lex = ahead;
	}
	return pgm_strndup(arena, start, (size_t)(end - start));
}

/* Where the WHERE of the index begins in rest, or its end. */
static size_t where_offset(const char *rest)
{
	struct pgm_lex lex;
	int depth = 0;
	pgm_lex_init(&lex, rest, strlen(rest));
	for (;;) {
		struct pgm_token token = pgm_lex_next(&lex);
		if (token.kind == PGM_TOKEN_END || (depth == 0 && is_word(&token, "where")))
			return (size_t)(token.text - rest);
		if (is_char(&token, '('))
			depth++;
		else if (is_char(&token, ')'))
			depth--;
	}
}

char *pgm_index_sql_rewrite(struct pgm_arena *arena, const char *sql, const struct pgm_index_rewrite *how)
{
	struct pgm_lex lex;
	pgm_lex_init(&lex, sql, strlen(sql));
	struct pgm_token token = next(&lex);
	if (!is_word(&token, "create"))
		return NULL;
	token = next(&lex);
	bool unique = is_word(&token, "unique");
	if (unique)
		token = next(&lex);
	if (!is_word(&token, "index"))
		return NULL;
	token = next(&lex);
	if (is_word(&token, "concurrently"))
		token = next(&lex);
	if (is_word(&token, "if")) {
		next(&lex);
		next(&lex);
		token = next(&lex);
	}
	const char *index = how->index;
	if (!is_word(&token, "on")) {
		char *written = take_name(arena, &lex, &token);
		index = index ? index : written;
		token = next(&lex);
	}
	if (!is_word(&token, "on"))
		return NULL;
	token = next(&lex);
	if (is_word(&token, "only"))
		token = next(&lex);
	if (token.kind != PGM_TOKEN_WORD && token.kind != PGM_TOKEN_IDENT)
		return NULL;
	char *relation = take_name(arena, &lex, &token);
	const char *rest = lex.at;

	struct pgm_buf out;
	pgm_buf_init(&out, arena);
	pgm_buf_printf(&out, "CREATE %sINDEX %s%s%sON %s%s", unique ? "UNIQUE " : "",
		       how->concurrently ? "CONCURRENTLY " : "", index ? index : "", index ? " " : "",
		       how->only ? "ONLY " : "", how->relation ? how->relation : relation);
	size_t where = how->tablespace ? where_offset(rest) : strlen(rest);
	pgm_buf_add_n(&out, rest, where);
	if (how->tablespace)
		pgm_buf_printf(&out, " TABLESPACE %s ", how->tablespace);
	pgm_buf_add(&out, rest + where);
	return out.text;
}
