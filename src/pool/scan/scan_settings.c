/*
 * The custom settings that a text sets.
 */
#include "pool/scan/scan.h"

#include "pool/scan/scan_lex.h"

#include <stdlib.h>
#include <string.h>

struct finder {
	struct pgm_scan_lexer lexer;
	struct pgm_scan_token token;
	char *scratch;
	size_t size, used;
	bool everywhere; /* SET may stand anywhere: the text is a routine's body */
	void (*each)(void *data, const char *name);
	void *data;
};

static void next(struct finder *finder)
{
	pgm_scan_next(&finder->lexer, &finder->token);
}

/* A name in lower case at the end of scratch; false where there is no room. */
static bool append(struct finder *finder, size_t *end, const char *text, size_t length)
{
	if (finder->size < *end || finder->size - *end < length + 1)
		return false;
	for (size_t i = 0; i < length; i++) {
		char c = text[i];
		finder->scratch[(*end)++] = c >= 'A' && c <= 'Z' ? (char)(c | 0x20) : c;
	}
	finder->scratch[*end] = '\0';
	return true;
}

/* Tell of the name between used and end, unless it was told before. */
static void found(struct finder *finder, size_t end)
{
	const char *name = finder->scratch + finder->used;
	if (end == finder->used || !strchr(name, '.'))
		return;
	for (size_t at = 0; at < finder->used; at += strlen(finder->scratch + at) + 1)
		if (strcmp(finder->scratch + at, name) == 0)
			return;
	finder->each(finder->data, name);
	finder->used = end + 1;
}

/* a.b."c" at the token; what comes after it is the token then. */
static bool dotted_name(struct finder *finder, size_t *end)
{
	bool fits = true;
	while (finder->token.kind == PGM_SCAN_WORD || finder->token.kind == PGM_SCAN_IDENT) {
		size_t quote = finder->token.kind == PGM_SCAN_IDENT;
		const char *at = finder->token.at + quote;
		fits &= finder->token.end >= at + quote &&
			append(finder, end, at, (size_t)(finder->token.end - at) - quote);
		next(finder);
		if (!pgm_scan_is(&finder->token, '.'))
			break;
		fits &= append(finder, end, ".", 1);
		next(finder);
	}
	return fits;
}

/* After SET, where it is a statement's first word. */
static void set_statement(struct finder *finder)
{
	size_t end = finder->used;
	next(finder);
	if (finder->token.word == PGM_W_SESSION || finder->token.word == PGM_W_LOCAL) {
		struct pgm_scan_token word = finder->token;
		struct pgm_scan_lexer after = finder->lexer;
		next(finder);
		if (pgm_scan_is(&finder->token, '.')) {
			finder->token = word;
			finder->lexer = after;
		} else if (word.word == PGM_W_LOCAL) {
			return;
		}
	}
	if (dotted_name(finder, &end))
		found(finder, end);
}

/* After set_config: ( 'name', ..., [true]) */
static void config_call(struct finder *finder)
{
	size_t end = finder->used, depth = 0, arguments = 0, tokens = 0;
	bool true_word = false;
	next(finder);
	if (!pgm_scan_is(&finder->token, '('))
		return;
	next(finder);
	struct pgm_scan_token name = finder->token;
	if (name.kind != PGM_SCAN_STRING || !name.plain)
		return;
	/* What comes is looked at twice: a set_config() may be in the arguments of another. */
	struct pgm_scan_lexer after = finder->lexer;
	for (next(finder); finder->token.kind != PGM_SCAN_END; next(finder)) {
		const struct pgm_scan_token *token = &finder->token;
		if (depth == 0 && pgm_scan_is(token, ')'))
			break;
		depth += pgm_scan_is(token, '(');
		depth -= depth && pgm_scan_is(token, ')');
		bool separator = depth == 0 && pgm_scan_is(token, ',');
		arguments += separator;
		tokens = separator ? 0 : tokens + 1;
		true_word = tokens == 1 && token->kind == PGM_SCAN_WORD && token->word == PGM_W_TRUE;
	}
	bool local = arguments == 2 && true_word;
	finder->lexer = after;
	const char *quote = *name.at == '$' ? "$$" : "'";
	const char *start = strchr(name.at, *quote) + strlen(quote);
	size_t length = (size_t)(name.end - start);
	if (!local && length >= strlen(quote) && append(finder, &end, start, length - strlen(quote)))
		found(finder, end);
}

static void find_all(struct finder *finder)
{
	bool first = true;
	for (next(finder); finder->token.kind != PGM_SCAN_END;) {
		if ((first || finder->everywhere) && finder->token.kind == PGM_SCAN_WORD &&
		    finder->token.word == PGM_W_SET) {
			first = false;
			set_statement(finder);
			continue;
		}
		if (finder->token.word == PGM_W_SET_CONFIG) {
			config_call(finder);
			first = false;
			continue;
		}
		first = pgm_scan_is(&finder->token, ';');
		next(finder);
	}
}

void pgm_scan_custom_settings(const char *sql, size_t length, bool standard_strings, char *scratch,
			      size_t scratch_size, void (*each)(void *data, const char *name), void *data)
{
	struct finder finder = {.lexer = pgm_scan_lexer_over(sql, length, standard_strings),
				.scratch = scratch,
				.size = scratch_size,
				.each = each,
				.data = data};
	find_all(&finder);
}

/* What a string token says, for all but escapes; malloc'ed. */
static char *inside(const struct pgm_scan_token *token, size_t *length)
{
	const char *at = token->at, *end = token->end;
	const char *mark = memchr(at, *at == '$' ? '$' : '\'', (size_t)(end - at));
	char *text = malloc((size_t)(end - at) + 1);
	*length = 0;
	if (!text || !mark)
		return text;
	if (*at == '$') {
		const char *tag = memchr(at + 1, '$', (size_t)(end - at) - 1);
		size_t width = tag ? (size_t)(tag + 1 - at) : 0;
		if (width && (size_t)(end - at) >= 2 * width) {
			*length = (size_t)(end - at) - 2 * width;
			memcpy(text, at + width, *length);
		}
		return text;
	}
	for (const char *c = mark + 1; c + 1 < end; c++) {
		text[(*length)++] = *c;
		c += *c == '\'' && c[1] == '\'';
	}
	return text;
}

static bool look_inside(const char *sql, size_t length, bool standard_strings, unsigned depth,
			void (*each)(void *data, const char *name), void *data)
{
	char scratch[1024];
	struct pgm_scan_lexer lexer = pgm_scan_lexer_over(sql, length, standard_strings);
	struct pgm_scan_token token;
	bool known = true;
	for (pgm_scan_next(&lexer, &token); token.kind != PGM_SCAN_END && known;
	     pgm_scan_next(&lexer, &token)) {
		if (token.kind != PGM_SCAN_STRING)
			continue;
		size_t inner_length;
		char *inner = inside(&token, &inner_length);
		if (!inner)
			return false;
		struct pgm_scan scan;
		pgm_scan_sql(inner, inner_length, standard_strings, &scan);
		struct finder finder = {.lexer = pgm_scan_lexer_over(inner, inner_length, standard_strings),
					.scratch = scratch,
					.size = sizeof(scratch),
					.everywhere = true,
					.each = each,
					.data = data};
		find_all(&finder);
		known = !(scan.flags & PGM_SCAN_CUSTOM_SETTING) &&
			(depth == 0 ||
			 look_inside(inner, inner_length, standard_strings, depth - 1, each, data));
		free(inner);
	}
	return known;
}

bool pgm_scan_hidden_settings(const char *sql, size_t length, bool standard_strings,
			      void (*each)(void *data, const char *name), void *data)
{
	return look_inside(sql, length, standard_strings, 2, each, data);
}
