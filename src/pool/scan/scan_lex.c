#include "pool/scan/scan_lex.h"

const uint8_t pgm_scan_class[256] = {
	['\t'] = PGM_C_SPACE,
	['\n'] = PGM_C_SPACE,
	['\v'] = PGM_C_SPACE,
	['\f'] = PGM_C_SPACE,
	['\r'] = PGM_C_SPACE,
	[' '] = PGM_C_SPACE,
	['a' ... 'z'] = PGM_C_LETTER,
	['A' ... 'Z'] = PGM_C_LETTER,
	['_'] = PGM_C_LETTER,
	[0x80 ... 0xff] = PGM_C_LETTER,
	['0' ... '9'] = PGM_C_DIGIT,
	['('] = PGM_C_SELF,
	[')'] = PGM_C_SELF,
	['['] = PGM_C_SELF,
	[']'] = PGM_C_SELF,
	[','] = PGM_C_SELF,
	[';'] = PGM_C_SELF,
	['.'] = PGM_C_DOT,
	[':'] = PGM_C_COLON,
	['\''] = PGM_C_QUOTE,
	['"'] = PGM_C_DOUBLE,
	['$'] = PGM_C_DOLLAR,
	['~'] = PGM_C_SPECIAL,
	['!'] = PGM_C_SPECIAL,
	['@'] = PGM_C_SPECIAL,
	['#'] = PGM_C_SPECIAL,
	['^'] = PGM_C_SPECIAL,
	['&'] = PGM_C_SPECIAL,
	['|'] = PGM_C_SPECIAL,
	['`'] = PGM_C_SPECIAL,
	['?'] = PGM_C_SPECIAL,
	['+'] = PGM_C_OP,
	['-'] = PGM_C_OP,
	['*'] = PGM_C_OP,
	['/'] = PGM_C_OP,
	['%'] = PGM_C_SPECIAL,
	['<'] = PGM_C_OP,
	['>'] = PGM_C_OP,
	['='] = PGM_C_OP,
};

const uint8_t pgm_scan_lower[256] = {
	0,    0,    0,	  0,	0,    0,    0,	  0,	0,    0,    0,	  0,	0,    0,    0,	  0,
	0,    0,    0,	  0,	0,    0,    0,	  0,	0,    0,    0,	  0,	0,    0,    0,	  0,
	0,    0,    0,	  0,	0x24, 0,    0,	  0,	0,    0,    0,	  0,	0,    0,    0,	  0,
	0x30, 0x31, 0x32, 0x33, 0x34, 0x35, 0x36, 0x37, 0x38, 0x39, 0,	  0,	0,    0,    0,	  0,
	0,    0x61, 0x62, 0x63, 0x64, 0x65, 0x66, 0x67, 0x68, 0x69, 0x6a, 0x6b, 0x6c, 0x6d, 0x6e, 0x6f,
	0x70, 0x71, 0x72, 0x73, 0x74, 0x75, 0x76, 0x77, 0x78, 0x79, 0x7a, 0,	0,    0,    0,	  0x5f,
	0,    0x61, 0x62, 0x63, 0x64, 0x65, 0x66, 0x67, 0x68, 0x69, 0x6a, 0x6b, 0x6c, 0x6d, 0x6e, 0x6f,
	0x70, 0x71, 0x72, 0x73, 0x74, 0x75, 0x76, 0x77, 0x78, 0x79, 0x7a, 0,	0,    0,    0,	  0,
	0x80, 0x81, 0x82, 0x83, 0x84, 0x85, 0x86, 0x87, 0x88, 0x89, 0x8a, 0x8b, 0x8c, 0x8d, 0x8e, 0x8f,
	0x90, 0x91, 0x92, 0x93, 0x94, 0x95, 0x96, 0x97, 0x98, 0x99, 0x9a, 0x9b, 0x9c, 0x9d, 0x9e, 0x9f,
	0xa0, 0xa1, 0xa2, 0xa3, 0xa4, 0xa5, 0xa6, 0xa7, 0xa8, 0xa9, 0xaa, 0xab, 0xac, 0xad, 0xae, 0xaf,
	0xb0, 0xb1, 0xb2, 0xb3, 0xb4, 0xb5, 0xb6, 0xb7, 0xb8, 0xb9, 0xba, 0xbb, 0xbc, 0xbd, 0xbe, 0xbf,
	0xc0, 0xc1, 0xc2, 0xc3, 0xc4, 0xc5, 0xc6, 0xc7, 0xc8, 0xc9, 0xca, 0xcb, 0xcc, 0xcd, 0xce, 0xcf,
	0xd0, 0xd1, 0xd2, 0xd3, 0xd4, 0xd5, 0xd6, 0xd7, 0xd8, 0xd9, 0xda, 0xdb, 0xdc, 0xdd, 0xde, 0xdf,
	0xe0, 0xe1, 0xe2, 0xe3, 0xe4, 0xe5, 0xe6, 0xe7, 0xe8, 0xe9, 0xea, 0xeb, 0xec, 0xed, 0xee, 0xef,
	0xf0, 0xf1, 0xf2, 0xf3, 0xf4, 0xf5, 0xf6, 0xf7, 0xf8, 0xf9, 0xfa, 0xfb, 0xfc, 0xfd, 0xfe, 0xff,
};

/* Past a string's quotes; lexer->at is on the first. *plain goes off where its content is not as written. */
static void quoted(struct pgm_scan_lexer *lexer, char quote, bool backslashes, bool *plain)
{
	const char *at = lexer->at + 1, *end = lexer->end;
	for (; at < end; at++) {
		if (*at == '\\' && backslashes) {
			*plain = false;
			at++;
		} else if (*at == quote) {
			if (at + 1 == end || at[1] != quote) {
				lexer->at = at + 1;
				return;
			}
			*plain = false;
			at++;
		}
	}
	lexer->at = end;
	lexer->broken = true;
}

/*
 * 'a' and 'b' with nothing but space, line comments and at least one newline between them are one string
 * (quotecontinue in scan.l): the second's quote, or NULL.
 */
static const char *continuation(const char *at, const char *end)
{
	bool newline = false;
	for (; at < end; at++) {
		if (*at == '\n' || *at == '\r') {
			newline = true;
		} else if (*at == '-' && at + 1 < end && at[1] == '-') {
			while (at + 1 < end && at[1] != '\n' && at[1] != '\r')
				at++;
		} else if (pgm_scan_class[(uint8_t)*at] != PGM_C_SPACE) {
			break;
		}
	}
	return newline && at < end && *at == '\'' ? at : NULL;
}

void pgm_scan_lex_string(struct pgm_scan_lexer *lexer, struct pgm_scan_token *token, bool backslashes)
{
	const char *next;
	token->kind = PGM_SCAN_STRING;
	token->plain = true;
	quoted(lexer, '\'', backslashes, &token->plain);
	while ((next = continuation(lexer->at, lexer->end)) != NULL) {
		lexer->at = next;
		token->plain = false;
		quoted(lexer, '\'', backslashes, &token->plain);
	}
}

void pgm_scan_lex_ident(struct pgm_scan_lexer *lexer, struct pgm_scan_token *token)
{
	const char *start = lexer->at;
	token->kind = PGM_SCAN_IDENT;
	token->plain = true;
	bool as_written = true;
	quoted(lexer, '"', false, &as_written);
	token->hash = pgm_scan_hash(PGM_SCAN_IDENT, token->at, lexer->at);
	if (as_written && lexer->at - start > 2)
		token->word = pgm_scan_word(start + 1, (size_t)(lexer->at - start - 2));
}

/* $1, or $tag$ ... $tag$; a lone $ is an operator of its own. */
void pgm_scan_lex_dollar(struct pgm_scan_lexer *lexer, struct pgm_scan_token *token)
{
	const char *start = lexer->at, *at = start + 1, *end = lexer->end;
	if (at < end && pgm_scan_class[(uint8_t)*at] == PGM_C_DIGIT) {
		while (at < end && pgm_scan_class[(uint8_t)*at] == PGM_C_DIGIT)
			at++;
		token->kind = PGM_SCAN_PARAM;
		lexer->at = at;
		return;
	}
	if (at < end && pgm_scan_class[(uint8_t)*at] == PGM_C_LETTER)
		while (at < end && *at != '$' && pgm_scan_lower[(uint8_t)*at])
			at++;
	if (at == end || *at != '$') {
		token->kind = PGM_SCAN_OP;
		token->hash = '$';
		lexer->at = start + 1;
		return;
	}
	size_t tag = (size_t)(at + 1 - start);
	const char *close = memmem(at + 1, (size_t)(end - at - 1), start, tag);
	token->kind = PGM_SCAN_STRING;
	token->plain = close && tag == 2;
	lexer->broken |= !close;
	lexer->at = close ? close + tag : end;
}

static const char *digits(const char *at, const char *end)
{
	while (at < end && (pgm_scan_class[(uint8_t)*at] == PGM_C_DIGIT || *at == '_'))
		at++;
	return at;
}

static bool hex(uint8_t c)
{
	return (c >= '0' && c <= '9') || ((c | 0x20) >= 'a' && (c | 0x20) <= 'f');
}

/* 12, 1_000, 1.5, .5, 1e-7, 0xff, 0o17, 0b101 */
void pgm_scan_lex_number(struct pgm_scan_lexer *lexer)
{
	const char *at = lexer->at, *end = lexer->end;
	uint8_t base = at + 2 < end && *at == '0' ? (uint8_t)(at[1] | 0x20) : 0;
	if ((base == 'x' || base == 'o' || base == 'b') && (hex((uint8_t)at[2]) || at[2] == '_')) {
		for (at += 2; at < end && (hex((uint8_t)*at) || *at == '_'); at++)
			;
		lexer->at = at;
		return;
	}
	at = digits(at, end);
	/* "1..10" is a range, not "1." and ".10". */
	if (at < end && *at == '.' && !(at + 1 < end && at[1] == '.'))
		at = digits(at + 1, end);
	if (at < end && (*at | 0x20) == 'e') {
		const char *exponent = at + 1;
		if (exponent < end && (*exponent == '+' || *exponent == '-'))
			exponent++;
		if (exponent < end && pgm_scan_class[(uint8_t)*exponent] == PGM_C_DIGIT)
			at = digits(exponent, end);
	}
	lexer->at = at;
}

/*
 * The longest run of operator characters before a comment; it ends in + or - only where one of ~!@#^&|`?%
 * is in it.
 */
void pgm_scan_lex_operator(struct pgm_scan_lexer *lexer)
{
	const char *start = lexer->at, *at = start;
	bool special = false;
	for (; at < lexer->end; at++) {
		uint8_t class = pgm_scan_class[(uint8_t)*at];
		if (class != PGM_C_OP && class != PGM_C_SPECIAL)
			break;
		char next = at + 1 < lexer->end ? at[1] : '\0';
		if (at > start && ((*at == '-' && next == '-') || (*at == '/' && next == '*')))
			break;
		special |= class == PGM_C_SPECIAL;
	}
	if (!special)
		while (at - start > 1 && (at[-1] == '+' || at[-1] == '-'))
			at--;
	lexer->at = at;
}

bool pgm_scan_lex_comment(struct pgm_scan_lexer *lexer)
{
	const char *at = lexer->at, *end = lexer->end;
	if (at + 1 < end && at[0] == '-' && at[1] == '-') {
		while (at < end && *at != '\n' && *at != '\r')
			at++;
		lexer->at = at;
		return true;
	}
	if (at + 1 >= end || at[0] != '/' || at[1] != '*')
		return false;
	size_t depth = 1;
	for (at += 2; at < end && depth;) {
		bool pair = at + 1 < end;
		if (pair && at[0] == '*' && at[1] == '/') {
			depth--;
			at += 2;
		} else if (pair && at[0] == '/' && at[1] == '*') {
			depth++;
			at += 2;
		} else {
			at++;
		}
	}
	lexer->broken |= depth > 0;
	lexer->at = at;
	return true;
}
