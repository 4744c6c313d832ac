/*
 * PostgreSQL's tokens as the scan wants them: whole literals, words with a hash of their lower case, maximal
 * operators (src/backend/parser/scan.l). Inline, since it is the pooler's hottest loop over text; the tables
 * are constant. Inside pool/scan*.c only.
 *
 * The text's bytes are taken as ASCII or a superset of it in which no part of a longer character is a quote
 * or a backslash: in SJIS, BIG5, GBK and GB18030 (only ever a client's encoding) a backslash may be one.
 */
#ifndef PGM_POOL_SCAN_LEX_H
#define PGM_POOL_SCAN_LEX_H

#include "pool/scan/scan_words.h"

#include <endian.h>
#include <stdbool.h>
#include <string.h>

enum pgm_scan_kind {
	PGM_SCAN_END,
	PGM_SCAN_WORD,	/* keyword or plain name */
	PGM_SCAN_IDENT, /* "name", U&"name" */
	PGM_SCAN_NUMBER,
	PGM_SCAN_STRING, /* any kind, with the parts that continue it */
	PGM_SCAN_PARAM,	 /* $1 */
	PGM_SCAN_OP,	 /* operator, :: := .. and what is no SQL */
	PGM_SCAN_SELF,	 /* one of ( ) [ ] , ; : . */
};

struct pgm_scan_token {
	enum pgm_scan_kind kind;
	enum pgm_word word; /* of a WORD or an IDENT */
	const char *at;
	const char *end;
	bool space; /* space or a comment stood before it */
	bool plain; /* a string whose content is as it stands between the quotes; an identifier without U& */
	uint64_t hash;
};

struct pgm_scan_lexer {
	const char *at;
	const char *end;
	bool standard_strings;
	bool broken; /* a quote or a comment has no end */
};

enum {
	PGM_C_OTHER,
	PGM_C_SPACE,
	PGM_C_LETTER,
	PGM_C_DIGIT,
	PGM_C_OP,
	PGM_C_SPECIAL, /* an operator with it may end in + or - */
	PGM_C_SELF,
	PGM_C_DOT,
	PGM_C_COLON,
	PGM_C_QUOTE,
	PGM_C_DOUBLE,
	PGM_C_DOLLAR,
};

/* A character's class; what a word may go on with as its lower case, else 0. */
extern const uint8_t pgm_scan_class[256];
extern const uint8_t pgm_scan_lower[256];

#define PGM_SCAN_PRIME 0x9e3779b97f4a7c15u

static inline uint64_t pgm_scan_mix(uint64_t hash, uint64_t value)
{
	hash = (hash << 7 | hash >> 57) ^ value;
	return hash * PGM_SCAN_PRIME;
}

/* The rarer tokens; each moves lexer->at past what it reads. */
void pgm_scan_lex_string(struct pgm_scan_lexer *lexer, struct pgm_scan_token *token, bool backslashes);
void pgm_scan_lex_dollar(struct pgm_scan_lexer *lexer, struct pgm_scan_token *token);
void pgm_scan_lex_ident(struct pgm_scan_lexer *lexer, struct pgm_scan_token *token);
void pgm_scan_lex_number(struct pgm_scan_lexer *lexer);
void pgm_scan_lex_operator(struct pgm_scan_lexer *lexer);
bool pgm_scan_lex_comment(struct pgm_scan_lexer *lexer);

/* The prefix of E'...', B'...', X'...', N'...', U&'...', U&"...": true where the word was one. */
static inline bool pgm_scan_lex_prefix(struct pgm_scan_lexer *lexer, struct pgm_scan_token *token)
{
	const char *at = lexer->at;
	size_t left = (size_t)(lexer->end - at);
	uint8_t letter = (uint8_t)(*at | 0x20);
	if (left >= 2 && at[1] == '\'' &&
	    (letter == 'e' || letter == 'b' || letter == 'x' || letter == 'n')) {
		lexer->at++;
		pgm_scan_lex_string(lexer, token,
				    letter == 'e' || (letter == 'n' && !lexer->standard_strings));
		token->plain &= letter == 'n';
		return true;
	}
	if (letter != 'u' || left < 3 || at[1] != '&' || (at[2] != '\'' && at[2] != '"'))
		return false;
	lexer->at += 2;
	if (at[2] == '"')
		pgm_scan_lex_ident(lexer, token);
	else
		pgm_scan_lex_string(lexer, token, false);
	token->plain = false;
	return true;
}

/*
 * The bytes there that a word may go on with, at most eight, in lower case; the first is the lowest. All
 * eight are judged at once: where a byte is such, the highest bit of its place is set in a mask.
 */
static inline uint64_t pgm_scan_word_part(const char *at, size_t left, unsigned *length)
{
	const uint64_t ones = 0x0101010101010101, high = ones << 7;
	uint64_t bytes = 0;
	memcpy(&bytes, at, left < 8 ? left : 8);
	bytes = le64toh(bytes);
#define AT_LEAST(value, c) (((value) | high) - ones * (c))
#define EQUALS(value, c)   (~AT_LEAST((value) ^ ones * (c), 1))
	uint64_t seven = bytes & ~high, small = seven | ones * 0x20;
	uint64_t letter = AT_LEAST(small, 'a') & ~AT_LEAST(small, 'z' + 1) & ~bytes & high;
	uint64_t other =
		(AT_LEAST(seven, '0') & ~AT_LEAST(seven, '9' + 1)) | EQUALS(seven, '_') | EQUALS(seven, '$');
#undef AT_LEAST
#undef EQUALS
	uint64_t stop = ~(letter | other | bytes) & high;
	bytes |= letter >> 2;
	*length = stop ? (unsigned)__builtin_ctzll(stop) / 8 : 8;
	return stop ? bytes & (((stop & -stop) >> 7) - 1) : bytes;
}

static inline bool pgm_scan_lex_word(struct pgm_scan_lexer *lexer, struct pgm_scan_token *token)
{
	const char *at = lexer->at, *end = lexer->end;
	if (at + 1 < end && (at[1] == '\'' || at[1] == '&') && pgm_scan_lex_prefix(lexer, token))
		return true;
	/* Eight letters at a time: one multiplication for them, and one comparison with a known word. */
	uint64_t hash = PGM_SCAN_WORD, first = 0;
	for (unsigned length = 8; length == 8; at += length) {
		uint64_t letters = pgm_scan_word_part(at, (size_t)(end - at), &length);
		first = first ? first : letters;
		hash = pgm_scan_mix(hash, letters);
	}
	token->kind = PGM_SCAN_WORD;
	token->hash = hash ^ hash >> 32;
	token->word = pgm_scan_word_of(first, lexer->at, (size_t)(at - lexer->at));
	lexer->at = at;
	return true;
}

/* Any run of bytes, as it is. */
static inline uint64_t pgm_scan_hash(uint64_t seed, const char *at, const char *end)
{
	for (; at < end; at++)
		seed = (seed ^ (uint8_t)*at) * PGM_SCAN_PRIME;
	return seed ^ seed >> 32;
}

static inline void pgm_scan_lex_other(struct pgm_scan_lexer *lexer, struct pgm_scan_token *token,
				      uint8_t class)
{
	const char *at = lexer->at, *end = lexer->end;
	switch (class) {
	case PGM_C_OP:
	case PGM_C_SPECIAL:
		pgm_scan_lex_operator(lexer);
		break;
	case PGM_C_COLON:
		lexer->at += at + 1 < end && (at[1] == ':' || at[1] == '=') ? 2 : 1;
		break;
	case PGM_C_DOT:
		lexer->at += at + 1 < end && at[1] == '.' ? 2 : 1;
		break;
	default:
		lexer->at++;
		break;
	}
	token->kind = class >= PGM_C_SELF && lexer->at == at + 1 ? PGM_SCAN_SELF : PGM_SCAN_OP;
	token->hash = pgm_scan_hash(PGM_SCAN_OP, at, lexer->at);
}

/* The next token; END at the end, again and again. */
static inline void pgm_scan_next(struct pgm_scan_lexer *lexer, struct pgm_scan_token *token)
{
	token->space = false;
	token->word = PGM_W_NONE;
	while (lexer->at < lexer->end) {
		uint8_t c = (uint8_t)*lexer->at, class = pgm_scan_class[c];
		if (class == PGM_C_SPACE) {
			token->space = true;
			lexer->at++;
			continue;
		}
		if ((c == '-' || c == '/') && pgm_scan_lex_comment(lexer)) {
			token->space = true;
			continue;
		}
		token->at = lexer->at;
		if (class == PGM_C_LETTER) {
			pgm_scan_lex_word(lexer, token);
		} else if (class == PGM_C_QUOTE) {
			pgm_scan_lex_string(lexer, token, !lexer->standard_strings);
		} else if (class == PGM_C_DIGIT || (class == PGM_C_DOT && lexer->at + 1 < lexer->end &&
						    pgm_scan_class[(uint8_t)lexer->at[1]] == PGM_C_DIGIT)) {
			pgm_scan_lex_number(lexer);
			token->kind = PGM_SCAN_NUMBER;
		} else if (class == PGM_C_DOUBLE) {
			pgm_scan_lex_ident(lexer, token);
		} else if (class == PGM_C_DOLLAR) {
			pgm_scan_lex_dollar(lexer, token);
		} else {
			pgm_scan_lex_other(lexer, token, class);
		}
		token->end = lexer->at;
		return;
	}
	token->kind = PGM_SCAN_END;
	token->at = token->end = lexer->at;
	token->hash = 0;
}

static inline struct pgm_scan_lexer pgm_scan_lexer_over(const char *sql, size_t length, bool standard_strings)
{
	const char *nul = length ? memchr(sql, '\0', length) : NULL;
	return (struct pgm_scan_lexer){
		.at = sql, .end = nul ? nul : sql + length, .standard_strings = standard_strings};
}

static inline bool pgm_scan_is(const struct pgm_scan_token *token, char self)
{
	return token->kind == PGM_SCAN_SELF && *token->at == self;
}

#endif
