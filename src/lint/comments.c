#include "lint/comments.h"

#include "sql/lex.h"

#include <ctype.h>
#include <string.h>

#define MARK "pgmend:ignore"

/* The statement that a comment at this offset is about; the count of them where there is none. */
static size_t statement_of(const struct pgm_script *script, const char *text, size_t offset)
{
	size_t count = script->statements.count;
	for (size_t i = 0; i < count; i++) {
		const struct pgm_script_statement *statement = &script->statements.items[i];
		size_t end = statement->offset + statement->length;
		if (end <= offset && memchr(text + end, '\n', offset - end))
			continue;
		return i;
	}
	return count;
}

static void mark_rules(struct pgm_arena *arena, struct pgm_script *script, const char *words, size_t length,
		       int line, bool *ignored)
{
	size_t named = 0;
	for (size_t at = 0; at < length;) {
		size_t word = 0;
		while (at + word < length &&
		       (isalnum((unsigned char)words[at + word]) || words[at + word] == '-'))
			word++;
		/* "rule -- because" and "rule: because" */
		if (!word || strncmp(words + at, "--", 2) == 0)
			break;
		struct pgm_error err = {0};
		char *id = pgm_strndup(arena, words + at, word);
		enum pgm_lint_rule_id rule = pgm_lint_rule_find(id, &err);
		if (rule == PGM_LINT_RULES) {
			*pgm_vec_add(arena, &script->problems) = (struct pgm_lint_problem){
				pgm_sprintf(arena, "%s:%d: %s", script->path, line, err.message),
				pgm_strdup(arena, err.hint)};
			return;
		}
		ignored[rule] = true;
		named++;
		at += word;
		size_t gap = 0;
		while (at + gap < length && (words[at + gap] == ',' || words[at + gap] == ' '))
			gap++;
		/* After a rule only a comma brings another: the rest is a reason. */
		if (!memchr(words + at, ',', gap))
			break;
		at += gap;
	}
	for (int rule = 0; !named && rule < PGM_LINT_RULES; rule++)
		ignored[rule] = true;
}

static void read_comment(struct pgm_arena *arena, struct pgm_script *script, const char *text,
			 const struct pgm_token *token, int line)
{
	const char *mark = memmem(token->text, token->length, MARK, strlen(MARK));
	if (!mark)
		return;
	const char *end = token->text + token->length;
	const char *at = mark + strlen(MARK);
	bool file = (size_t)(end - at) >= 5 && strncmp(at, "-file", 5) == 0;
	bool syntax = (size_t)(end - at) >= 7 && strncmp(at, "-syntax", 7) == 0;
	at += file ? 5 : syntax ? 7 : 0;
	while (at < end && isspace((unsigned char)*at))
		at++;
	bool none[PGM_LINT_RULES];
	size_t index = statement_of(script, text, (size_t)(token->text - text));
	bool *ignored = file				   ? script->ignored
			: index < script->statements.count ? script->statements.items[index].ignored
							   : none;
	if (syntax && index < script->statements.count)
		script->statements.items[index].unread = true;
	else if (!syntax)
		mark_rules(arena, script, at, (size_t)(end - at), line, ignored);
}

void pgm_comments_read(struct pgm_arena *arena, struct pgm_script *script, const char *text)
{
	if (!strstr(text, MARK))
		return;
	struct pgm_lex lex;
	pgm_lex_init(&lex, text, strlen(text));
	const char *counted = text;
	int line = 1;
	for (struct pgm_token token = pgm_lex_next(&lex); token.kind != PGM_TOKEN_END;
	     token = pgm_lex_next(&lex)) {
		if (token.kind != PGM_TOKEN_COMMENT)
			continue;
		for (; counted < token.text; counted++)
			line += *counted == '\n';
		read_comment(arena, script, text, &token, line);
	}
}
