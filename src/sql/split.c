#include "sql/split.h"

#include "sql/lex.h"
#include "sql/parse.h"
#include "util/vec.h"

#include <pg_query.h>
#include <string.h>

struct splitter {
	struct pgm_arena *arena;
	const char *text;
	const char *counted_to; /* lines were counted up to here */
	int line;
	PGM_VEC(struct pgm_sql_statement) found;
};

static void add_piece(struct splitter *splitter, const char *start, size_t length)
{
	const char *first = NULL, *last = NULL;
	struct pgm_lex lex;
	pgm_lex_init(&lex, start, length);
	for (;;) {
		struct pgm_token token = pgm_lex_next(&lex);
		if (token.kind == PGM_TOKEN_END)
			break;
		bool nothing = token.kind == PGM_TOKEN_SPACE || token.kind == PGM_TOKEN_COMMENT ||
			       (token.kind == PGM_TOKEN_OTHER && *token.text == ';' && !first);
		if (nothing)
			continue;
		if (!first)
			first = token.text;
		if (*token.text != ';' || token.kind != PGM_TOKEN_OTHER)
			last = token.text + token.length;
	}
	if (!first)
		return;
	for (const char *p = splitter->counted_to; p < first; p++)
		splitter->line += *p == '\n';
	splitter->counted_to = first;
	*pgm_vec_add(splitter->arena, &splitter->found) = (struct pgm_sql_statement){
		.text = pgm_strndup(splitter->arena, first, (size_t)(last - first)),
		.offset = (size_t)(first - splitter->text),
		.length = (size_t)(last - first),
		.line = splitter->line,
	};
}

/* At each semicolon outside of quotes and parentheses: less exact than the parser, but mistakes stop it not.
 */
static void split_by_tokens(struct splitter *splitter)
{
	struct pgm_lex lex;
	const char *start = splitter->text;
	int depth = 0;
	pgm_lex_init(&lex, start, strlen(start));
	for (;;) {
		struct pgm_token token = pgm_lex_next(&lex);
		char c = token.kind == PGM_TOKEN_OTHER ? *token.text : '\0';
		if (c == '(')
			depth++;
		else if (c == ')' && depth > 0)
			depth--;
		bool ends = token.kind == PGM_TOKEN_END || (c == ';' && depth == 0);
		if (ends)
			add_piece(splitter, start, (size_t)(token.text - start));
		if (token.kind == PGM_TOKEN_END)
			return;
		if (ends)
			start = token.text + 1;
	}
}

static void split_as_parsed(struct splitter *splitter, const PgQuerySplitResult *split)
{
	size_t total = strlen(splitter->text);
	for (int i = 0; i < split->n_stmts; i++) {
		size_t location = (size_t)split->stmts[i]->stmt_location;
		size_t length = (size_t)split->stmts[i]->stmt_len;
		if (location >= total)
			continue;
		if (length == 0 || length > total - location) /* 0: to the end */
			length = total - location;
		add_piece(splitter, splitter->text + location, length);
	}
}

bool pgm_sql_split(struct pgm_arena *arena, const char *text, struct pgm_sql_statements *statements,
		   struct pgm_error *err)
{
	PgQuerySplitResult split = pg_query_split_with_parser(text);
	struct splitter splitter = {.arena = arena, .text = text, .counted_to = text, .line = 1};
	bool ok = true;
	if (split.error && strncmp(split.error->message, "unterminated", 12) == 0)
		ok = pgm_sql_parse_error(text, 1, split.error->message, split.error->cursorpos, err);
	else if (split.error)
		split_by_tokens(&splitter);
	else
		split_as_parsed(&splitter, &split);
	pg_query_free_split_result(split);
	statements->items = splitter.found.items;
	statements->count = splitter.found.count;
	return ok;
}
