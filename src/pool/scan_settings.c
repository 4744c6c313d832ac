/*
 * The custom settings that a text sets.
 */
#include "pool/scan.h"

#include "pool/scan_lex.h"

struct finder {
	struct pgm_scan_lexer lexer;
	struct pgm_scan_token token;
	char *scratch;
	size_t size, used;
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

void pgm_scan_custom_settings(const char *sql, size_t length, bool standard_strings, char *scratch,
			      size_t scratch_size, void (*each)(void *data, const char *name), void *data)
{
	struct finder finder = {.lexer = pgm_scan_lexer_over(sql, length, standard_strings),
				.scratch = scratch,
				.size = scratch_size,
				.each = each,
				.data = data};
	bool first = true;
	for (next(&finder); finder.token.kind != PGM_SCAN_END;) {
		if (first && finder.token.kind == PGM_SCAN_WORD && finder.token.word == PGM_W_SET) {
			first = false;
			set_statement(&finder);
			continue;
		}
		if (finder.token.word == PGM_W_SET_CONFIG) {
			config_call(&finder);
			first = false;
			continue;
		}
		first = pgm_scan_is(&finder.token, ';');
		next(&finder);
	}
}
