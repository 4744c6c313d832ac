#include "sql/lex.h"

#include "util/buf.h"

#include <ctype.h>
#include <string.h>

void pgm_lex_init(struct pgm_lex *lex, const char *text, size_t length)
{
	*lex = (struct pgm_lex){.at = text, .end = text + length};
}

static bool is_space(char c)
{
	return c == ' ' || (c >= '\t' && c <= '\r');
}

static bool starts_word(char c)
{
	return isalpha((unsigned char)c) || c == '_' || (unsigned char)c >= 0x80;
}

static bool in_word(char c)
{
	return starts_word(c) || isdigit((unsigned char)c) || c == '$';
}

static char peek(const struct pgm_lex *lex, size_t n)
{
	return (size_t)(lex->end - lex->at) > n ? lex->at[n] : '\0';
}

/* After the closing quote (doubled ones are inside), or the end. */
static const char *skip_quoted(const char *p, const char *end, char quote, bool backslashes)
{
	while (p < end) {
		if (backslashes && *p == '\\' && p + 1 < end)
			p += 2;
		else if (*p != quote)
			p++;
		else if (p + 1 < end && p[1] == quote)
			p += 2;
		else
			return p + 1;
	}
	return end;
}

static const char *skip_block_comment(const char *p, const char *end)
{
	int depth = 0;
	while (p < end) {
		if (p + 1 < end && p[0] == '/' && p[1] == '*') {
			depth++;
			p += 2;
		} else if (p + 1 < end && p[0] == '*' && p[1] == '/') {
			p += 2;
			if (--depth == 0)
				return p;
		} else {
			p++;
		}
	}
	return end;
}

/* After $tag$...$tag$ when p stands on one, else NULL. */
static const char *skip_dollar(const char *p, const char *end)
{
	const char *tag_end = p + 1;
	if (tag_end < end && starts_word(*tag_end))
		while (tag_end < end && in_word(*tag_end) && *tag_end != '$')
			tag_end++;
	if (tag_end >= end || *tag_end != '$')
		return NULL;
	size_t length = (size_t)(tag_end - p) + 1;
	const char *close = memmem(p + length, (size_t)(end - p) - length, p, length);
	return close ? close + length : end;
}

static struct pgm_token take(struct pgm_lex *lex, enum pgm_token_kind kind, const char *end)
{
	struct pgm_token token = {.kind = kind, .text = lex->at, .length = (size_t)(end - lex->at)};
	lex->at = end;
	return token;
}

static struct pgm_token take_string(struct pgm_lex *lex, size_t prefix, bool backslashes)
{
	bool continuation = prefix == 0 && lex->after_string && lex->string_newline;
	if (continuation)
		backslashes = lex->string_backslash;
	struct pgm_token token =
		take(lex, PGM_TOKEN_STRING, skip_quoted(lex->at + prefix + 1, lex->end, '\'', backslashes));
	token.backslashes = backslashes;
	token.continuation = continuation;
	lex->after_string = true;
	lex->string_newline = false;
	lex->string_backslash = backslashes;
	return token;
}

static struct pgm_token take_word(struct pgm_lex *lex)
{
	char first = (char)tolower((unsigned char)peek(lex, 0));
	if (peek(lex, 1) == '\'' && strchr("ebxn", first))
		return take_string(lex, 1, first == 'e');
	if (first == 'u' && peek(lex, 1) == '&' && peek(lex, 2) == '\'')
		return take_string(lex, 2, false);
	if (first == 'u' && peek(lex, 1) == '&' && peek(lex, 2) == '"')
		return take(lex, PGM_TOKEN_IDENT, skip_quoted(lex->at + 3, lex->end, '"', false));
	const char *p = lex->at;
	while (p < lex->end && in_word(*p))
		p++;
	return take(lex, PGM_TOKEN_WORD, p);
}

static struct pgm_token next(struct pgm_lex *lex)
{
	const char *p = lex->at;
	char c = *p;
	if (is_space(c)) {
		while (p < lex->end && is_space(*p))
			p++;
		return take(lex, PGM_TOKEN_SPACE, p);
	}
	if (c == '-' && peek(lex, 1) == '-') {
		while (p < lex->end && *p != '\n' && *p != '\r')
			p++;
		return take(lex, PGM_TOKEN_COMMENT, p);
	}
	if (c == '/' && peek(lex, 1) == '*')
		return take(lex, PGM_TOKEN_COMMENT, skip_block_comment(p, lex->end));
	if (c == '\'')
		return take_string(lex, 0, false);
	if (c == '"')
		return take(lex, PGM_TOKEN_IDENT, skip_quoted(p + 1, lex->end, '"', false));
	const char *dollar_end = c == '$' ? skip_dollar(p, lex->end) : NULL;
	if (dollar_end)
		return take(lex, PGM_TOKEN_DOLLAR, dollar_end);
	if (starts_word(c))
		return take_word(lex);
	if (isdigit((unsigned char)c)) {
		while (p < lex->end && (in_word(*p) || *p == '.'))
			p++;
		return take(lex, PGM_TOKEN_WORD, p);
	}
	return take(lex, PGM_TOKEN_OTHER, p + 1);
}

struct pgm_token pgm_lex_next(struct pgm_lex *lex)
{
	if (lex->at >= lex->end)
		return (struct pgm_token){.kind = PGM_TOKEN_END, .text = lex->end};
	struct pgm_token token = next(lex);
	if (token.kind == PGM_TOKEN_SPACE)
		lex->string_newline |= memchr(token.text, '\n', token.length) != NULL;
	else if (token.kind != PGM_TOKEN_STRING && token.kind != PGM_TOKEN_COMMENT)
		lex->after_string = false;
	return token;
}

static size_t utf8_decode(const unsigned char *p, size_t left, int *code)
{
	size_t length = *p < 0x80		  ? 1
			: *p >= 0xC2 && *p < 0xE0 ? 2
			: *p >= 0xE0 && *p < 0xF0 ? 3
			: *p >= 0xF0 && *p < 0xF5 ? 4
						  : 0;
	*code = *p;
	if (length <= 1 || length > left)
		return 1;
	int value = *p & (0xFF >> (length + 1));
	for (size_t i = 1; i < length; i++) {
		if ((p[i] & 0xC0) != 0x80)
			return 1;
		value = value << 6 | (p[i] & 0x3F);
	}
	*code = value;
	return length;
}

int pgm_sql_control_char(const char *text, size_t left, size_t *length)
{
	int code;
	*length = utf8_decode((const unsigned char *)text, left, &code);
	if (*length == 1 && code >= 0x80)
		return -1; /* no UTF-8: nothing that a terminal obeys, once decoded */
	bool control = code < 0x20 || (code >= 0x7F && code < 0xA0);
	bool reorders = (code >= 0x200B && code <= 0x200F) || (code >= 0x2028 && code <= 0x202E) ||
			(code >= 0x2066 && code <= 0x2069) || code == 0xFEFF;
	return control || reorders ? code : -1;
}

static bool has_controls(const struct pgm_token *token)
{
	size_t length;
	for (size_t i = 0; i < token->length; i += length)
		if (pgm_sql_control_char(token->text + i, token->length - i, &length) >= 0)
			return true;
	return false;
}

/* "a<newline>b" becomes U&"a\000Ab". */
static void escape_ident(struct pgm_buf *out, const struct pgm_token *token)
{
	pgm_buf_add(out, "U&");
	size_t length;
	for (size_t i = 0; i < token->length; i += length) {
		int code = pgm_sql_control_char(token->text + i, token->length - i, &length);
		if (code >= 0)
			pgm_buf_printf(out, "\\%04X", (unsigned)code);
		else if (token->text[i] == '\\')
			pgm_buf_add(out, "\\\\");
		else
			pgm_buf_add_n(out, token->text + i, length);
	}
}

/* 'a<newline>b' becomes E'a\nb'. */
static void escape_string(struct pgm_buf *out, const struct pgm_token *token)
{
	if (*token->text == '\'' && !token->continuation)
		pgm_buf_char(out, 'E');
	size_t length;
	for (size_t i = 0; i < token->length; i += length) {
		bool escaped = token->backslashes && token->text[i] == '\\' && i + 1 < token->length;
		size_t at = i + escaped;
		int code = pgm_sql_control_char(token->text + at, token->length - at, &length);
		length += escaped;
		if (code == '\n')
			pgm_buf_add(out, "\\n");
		else if (code >= 0)
			pgm_buf_printf(out, "\\u%04X", (unsigned)code);
		else if (token->text[i] == '\\' && !token->backslashes)
			pgm_buf_add(out, "\\\\");
		else
			pgm_buf_add_n(out, token->text + i, length);
	}
}

static void add_escaped(struct pgm_buf *out, const struct pgm_token *token)
{
	char first = *token->text;
	if (token->kind == PGM_TOKEN_IDENT && first == '"' && has_controls(token))
		escape_ident(out, token);
	else if (token->kind == PGM_TOKEN_STRING && has_controls(token) &&
		 (token->backslashes || (first == '\'' && !token->continuation)))
		escape_string(out, token);
	else
		pgm_buf_add_n(out, token->text, token->length);
}

char *pgm_sql_escape_controls(struct pgm_arena *arena, const char *sql)
{
	struct pgm_lex lex;
	struct pgm_buf out;
	pgm_lex_init(&lex, sql, strlen(sql));
	pgm_buf_init(&out, arena);
	for (;;) {
		struct pgm_token token = pgm_lex_next(&lex);
		if (token.kind == PGM_TOKEN_END)
			return out.text;
		add_escaped(&out, &token);
	}
}

char *pgm_sql_normal_form(struct pgm_arena *arena, const char *sql)
{
	struct pgm_lex lex;
	struct pgm_buf out;
	pgm_lex_init(&lex, sql, strlen(sql));
	pgm_buf_init(&out, arena);
	bool space = false;
	for (;;) {
		struct pgm_token token = pgm_lex_next(&lex);
		if (token.kind == PGM_TOKEN_END)
			break;
		if (token.kind == PGM_TOKEN_SPACE || token.kind == PGM_TOKEN_COMMENT) {
			space = true;
			continue;
		}
		if (space && out.length && *token.text != ';')
			pgm_buf_char(&out, ' ');
		space = false;
		add_escaped(&out, &token);
	}
	return out.text;
}
