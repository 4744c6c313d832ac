/*
 * PostgreSQL's tokens, just finely enough to tell SQL from comments and quoted text. It never fails: what
 * is not SQL comes out as single characters, and an unterminated quote reaches to the end.
 */
#ifndef PGM_SQL_LEX_H
#define PGM_SQL_LEX_H

#include "util/arena.h"

#include <stdbool.h>

enum pgm_token_kind {
	PGM_TOKEN_END,
	PGM_TOKEN_SPACE,
	PGM_TOKEN_COMMENT, /* to the end of the line (without it), or a nested block */
	PGM_TOKEN_WORD,	   /* keyword, plain identifier or number */
	PGM_TOKEN_STRING,  /* any of '...', E'...', B'...', X'...', N'...', U&'...' */
	PGM_TOKEN_IDENT,   /* "..." or U&"..." */
	PGM_TOKEN_DOLLAR,  /* $tag$...$tag$ */
	PGM_TOKEN_OTHER,   /* one character */
};

struct pgm_token {
	enum pgm_token_kind kind;
	const char *text; /* in the lexer's text */
	size_t length;
	bool backslashes;  /* a string in which a backslash escapes */
	bool continuation; /* a string that continues the one before it: 'a'<newline>'b' */
};

struct pgm_lex {
	const char *at;
	const char *end;
	bool after_string;     /* only space with a newline came since the last string */
	bool string_newline;   /* that newline was there */
	bool string_backslash; /* the last string had backslash escapes */
};

void pgm_lex_init(struct pgm_lex *lex, const char *text, size_t length);
struct pgm_token pgm_lex_next(struct pgm_lex *lex);

/*
 * One line without comments that is the same for SQL texts that differ in nothing but space, comments and
 * how control characters are written. For hashes; not meant to be run.
 */
char *pgm_sql_normal_form(struct pgm_arena *arena, const char *sql);

/*
 * The same SQL with control characters (newlines among them) and those that change the direction of text in
 * quoted identifiers and strings written as escapes, so that every line of it looks like what it is.
 */
char *pgm_sql_escape_controls(struct pgm_arena *arena, const char *sql);

/*
 * The code point of the UTF-8 character at text if it is a control character or one that reorders what
 * people see, else -1; *length is its bytes. A byte that is no UTF-8 is a character of its own.
 */
int pgm_sql_control_char(const char *text, size_t left, size_t *length);

#endif
