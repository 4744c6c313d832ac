/*
 * A statement as it ran, set beside its normal form: what stands at $1, $2... is what its parameters were.
 */
#include "load/source_parts.h"

#include "sql/fingerprint.h"
#include "sql/lex.h"
#include "util/buf.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

/* A plain '...': the text in it. Other kinds of strings are not read. */
static const char *string_text(struct pgm_arena *arena, const struct pgm_token *token)
{
	struct pgm_buf buf;
	if (token->backslashes || token->length < 2 || token->text[0] != '\'' ||
	    token->text[token->length - 1] != '\'')
		return NULL;
	pgm_buf_init(&buf, arena);
	pgm_buf_add(&buf, "");
	for (size_t i = 1; i + 1 < token->length; i++) {
		pgm_buf_char(&buf, token->text[i]);
		i += token->text[i] == '\'';
	}
	return buf.text;
}

/* "12", "-1.5e-3": how long it is; 0 where it is none. */
static size_t number_length(const char *text)
{
	size_t at = text[0] == '-', digits = strspn(text + at, "0123456789.");
	if (digits == 0)
		return 0;
	at += digits;
	if (text[at] == 'e' || text[at] == 'E') {
		size_t exponent = at + 1 + (text[at + 1] == '-' || text[at + 1] == '+');
		size_t more = strspn(text + exponent, "0123456789");
		if (more)
			at = exponent + more;
	}
	return at;
}

/* The literal at *at, which is left behind it. False: not one that we can read. */
static bool read_literal(struct pgm_arena *arena, const char **at, const char **value)
{
	struct pgm_lex lex;
	size_t length = number_length(*at);
	if (length) {
		*value = pgm_strndup(arena, *at, length);
		*at += length;
		return true;
	}
	pgm_lex_init(&lex, *at, strlen(*at));
	struct pgm_token token = pgm_lex_next(&lex);
	*at += token.length;
	if (token.kind == PGM_TOKEN_STRING)
		return (*value = string_text(arena, &token)) != NULL;
	if (token.kind != PGM_TOKEN_WORD)
		return false;
	*value = pgm_strndup(arena, token.text, token.length);
	if (strcasecmp(*value, "null") == 0)
		*value = NULL;
	else if (strcasecmp(*value, "true") != 0 && strcasecmp(*value, "false") != 0)
		return false;
	return true;
}

/* Both texts are the same but where the normal form has $n. */
static bool read_row(struct pgm_arena *arena, const char *normal, const char *sample, size_t count,
		     const char **row)
{
	size_t seen = 0;
	while (*normal) {
		struct pgm_lex lex;
		pgm_lex_init(&lex, normal, strlen(normal));
		struct pgm_token token = pgm_lex_next(&lex);
		if (token.kind == PGM_TOKEN_OTHER && *normal == '$' && isdigit((unsigned char)normal[1])) {
			char *end;
			size_t number = strtoul(normal + 1, &end, 10);
			if (number == 0 || number > count || !read_literal(arena, &sample, &row[number - 1]))
				return false;
			normal = end;
			seen++;
			continue;
		}
		if (strncmp(normal, sample, token.length) != 0)
			return false;
		normal += token.length;
		sample += token.length;
	}
	return !*sample && seen == count;
}

static size_t count_params(const char *normal)
{
	size_t most = 0;
	struct pgm_lex lex;
	pgm_lex_init(&lex, normal, strlen(normal));
	for (;;) {
		struct pgm_token token = pgm_lex_next(&lex);
		if (token.kind == PGM_TOKEN_END)
			return most;
		if (token.kind == PGM_TOKEN_OTHER && *token.text == '$') {
			size_t number = strtoul(token.text + 1, NULL, 10);
			most = number > most ? number : most;
		}
	}
}

bool source_from_samples(struct pgm_arena *arena, const struct pgm_statement *statement, const char **sql,
			 size_t *param_count, struct pgm_load_values *values)
{
	struct pgm_error ignored;
	char *normal, *other;
	size_t count;
	const char *const **rows = PGM_NEW_ARRAY(arena, const char *const *, statement->sample_count);
	if (!statement->sample_count || !pgm_sql_normalize(arena, statement->samples[0], &normal, &ignored))
		return false;
	count = count_params(normal);
	if (count > PGM_SCRIPT_PARAMS_MAX)
		return false;
	for (size_t i = 0; i < statement->sample_count; i++) {
		const char **row = PGM_NEW_ARRAY(arena, const char *, count + 1);
		if (!pgm_sql_normalize(arena, statement->samples[i], &other, &ignored) ||
		    strcmp(other, normal) != 0 || !read_row(arena, normal, statement->samples[i], count, row))
			return false;
		rows[values->row_count++] = row;
	}
	*sql = normal;
	*param_count = count;
	values->rows = rows;
	return true;
}

const char *source_cast_params(struct pgm_arena *arena, const char *sql)
{
	static const char *const types[] = {"interval", "date", "timestamp", "timestamptz", "time", NULL};
	struct pgm_lex lex;
	struct pgm_buf out;
	size_t word_at = 0; /* in out: where a type's name begins, with word_type */
	const char *word_type = NULL;
	pgm_buf_init(&out, arena);
	pgm_buf_add(&out, "");
	pgm_lex_init(&lex, sql, strlen(sql));
	for (;;) {
		struct pgm_token token = pgm_lex_next(&lex);
		if (token.kind == PGM_TOKEN_END)
			return out.text;
		if (token.kind == PGM_TOKEN_OTHER && *token.text == '$' && word_type) {
			char *end;
			unsigned long number = strtoul(token.text + 1, &end, 10);
			out.length = word_at;
			out.text[word_at] = '\0';
			pgm_buf_printf(&out, "CAST($%lu AS %s)", number, word_type);
			lex.at = end;
			word_type = NULL;
			continue;
		}
		if (token.kind == PGM_TOKEN_WORD) {
			word_type = NULL;
			word_at = out.length;
			for (size_t i = 0; types[i]; i++)
				if (strlen(types[i]) == token.length &&
				    strncasecmp(types[i], token.text, token.length) == 0)
					word_type = types[i];
		} else if (token.kind != PGM_TOKEN_SPACE) {
			word_type = NULL;
		}
		pgm_buf_add_n(&out, token.text, token.length);
	}
}
