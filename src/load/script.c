#include "load/script.h"

#include "sql/lex.h"
#include "util/buf.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

/* An \if that is not closed yet. */
struct open_if {
	size_t test;  /* the JUMP_UNLESS that waits for its target; SIZE_MAX after \else */
	size_t exits; /* the JUMPs to \endif are chained through their targets; SIZE_MAX ends it */
	int line;
};

struct parser {
	struct pgm_scripts *scripts;
	struct pgm_arena *arena;
	const char *name, *text, *at;
	PGM_VEC(struct pgm_command) commands;
	struct open_if ifs[PGM_SCRIPT_IF_DEPTH_MAX];
	size_t if_count;
	struct pgm_error *err;
};

void pgm_scripts_init(struct pgm_scripts *scripts, struct pgm_arena *arena)
{
	memset(scripts, 0, sizeof(*scripts));
	scripts->arena = arena;
	pgm_variables_init(&scripts->variables, arena);
}

static int line_of(const struct parser *parser, const char *place)
{
	int line = 1;
	for (const char *at = parser->text; at < place; at++)
		line += *at == '\n';
	return line;
}

static bool fail_at(struct parser *parser, int line, const char *what)
{
	return pgm_error_set(parser->err, PGM_ERR_INPUT, "%s: line %d: %s", parser->name, line, what);
}

static struct pgm_command *add(struct parser *parser, enum pgm_command_kind kind, int line)
{
	struct pgm_command *command = pgm_vec_add(parser->arena, &parser->commands);
	command->kind = kind;
	command->line = line;
	return command;
}

static bool name_char(char c)
{
	return isalnum((unsigned char)c) || c == '_' || (unsigned char)c >= 0x80;
}

/* ---- SQL commands ---- */

struct cutter {
	struct parser *parser;
	struct pgm_buf sql;   /* with $n */
	struct pgm_buf piece; /* since the last variable */
	PGM_VEC(struct pgm_script_piece) pieces;
	PGM_VEC(size_t) slots;
};

static void cut(struct cutter *cutter, const char *text, size_t length)
{
	pgm_buf_add_n(&cutter->sql, text, length);
	pgm_buf_add_n(&cutter->piece, text, length);
}

static void end_piece(struct cutter *cutter, bool has_slot, size_t slot)
{
	struct pgm_script_piece *piece = pgm_vec_add(cutter->parser->arena, &cutter->pieces);
	*piece = (struct pgm_script_piece){cutter->piece.text ? cutter->piece.text : "", slot, has_slot};
	pgm_buf_init(&cutter->piece, cutter->parser->arena);
}

static void put_variable(struct cutter *cutter, const char *name, size_t length)
{
	struct pgm_arena *arena = cutter->parser->arena;
	size_t slot =
		pgm_variable_slot(&cutter->parser->scripts->variables, pgm_strndup(arena, name, length));
	end_piece(cutter, true, slot);
	size_t number = 0;
	while (number < cutter->slots.count && cutter->slots.items[number] != slot)
		number++;
	if (number == cutter->slots.count)
		*pgm_vec_add(arena, &cutter->slots) = slot;
	pgm_buf_printf(&cutter->sql, "$%zu", number + 1);
}

/*
 * Put one token; returns how many bytes of the text were taken, because a variable's name may be several
 * tokens. colons: ":" that stand before it without a space.
 */
static size_t put_token(struct cutter *cutter, const struct pgm_token *token, const char *end)
{
	const char *at = token->text;
	if (token->kind != PGM_TOKEN_OTHER || *at != ':') {
		cut(cutter, at, token->length);
		return token->length;
	}
	size_t colons = strspn(at, ":"), length = 0;
	const char *name = at + colons;
	while (name + length < end && name_char(name[length]))
		length++;
	/* "::type" is a cast; ":name" a variable; "a[1:2]" a slice */
	if (colons != 1 || length == 0 || isdigit((unsigned char)*name)) {
		cut(cutter, at, colons + length);
		return colons + length;
	}
	put_variable(cutter, name, length);
	return 1 + length;
}

/* ":name" inside of quotes is text, but pgbench's simple protocol replaces it there too: refuse to guess. */
static bool check_quoted(struct parser *parser, const struct pgm_token *token, int line)
{
	for (const char *at = token->text; at + 1 < token->text + token->length; at++) {
		if (*at != ':' || !name_char(at[1]) || (at > token->text && at[-1] == ':'))
			continue;
		const char *name = at + 1;
		size_t length = 0, slot;
		while (name + length < token->text + token->length && name_char(name[length]))
			length++;
		char *known = pgm_strndup(parser->arena, name, length);
		if (!pgm_variable_find(&parser->scripts->variables, known, &slot))
			continue;
		pgm_error_set(parser->err, PGM_ERR_INPUT,
			      "%s: line %d: the variable \":%s\" stands inside of quotes, where it is text",
			      parser->name, line, known);
		return pgm_error_hint(parser->err, "Write 'abc' || :%s instead of 'abc:%s'.", known, known);
	}
	return true;
}

static bool finish_sql(struct parser *parser, const char *begin, const char *end, struct cutter *cutter)
{
	int line = line_of(parser, begin);
	end_piece(cutter, false, 0);
	if (cutter->slots.count > PGM_SCRIPT_PARAMS_MAX)
		return fail_at(parser, line, "a command with more than 255 variables");
	struct pgm_command *command = add(parser, PGM_COMMAND_SQL, line);
	while (end > begin && isspace((unsigned char)end[-1]))
		end--;
	command->text = pgm_strndup(parser->arena, begin, (size_t)(end - begin));
	command->sql = cutter->sql.text;
	command->pieces = cutter->pieces.items;
	command->piece_count = cutter->pieces.count;
	command->slots = cutter->slots.items;
	command->param_count = cutter->slots.count;
	command->number = parser->scripts->sql_count++;
	return true;
}

/* Up to a semicolon that is in no quotes or parentheses, or to the line of a \gset, or to the end. */
static bool parse_sql(struct parser *parser)
{
	struct cutter cutter = {.parser = parser};
	const char *begin = parser->at, *end = parser->text + strlen(parser->text), *at = begin;
	int depth = 0;
	pgm_buf_init(&cutter.sql, parser->arena);
	pgm_buf_init(&cutter.piece, parser->arena);
	pgm_buf_add(&cutter.sql, "");
	for (;;) {
		struct pgm_lex lex;
		pgm_lex_init(&lex, at, (size_t)(end - at));
		struct pgm_token token = pgm_lex_next(&lex);
		if (token.kind == PGM_TOKEN_END)
			break;
		bool quoted = token.kind == PGM_TOKEN_STRING || token.kind == PGM_TOKEN_DOLLAR ||
			      token.kind == PGM_TOKEN_IDENT;
		if (quoted && !check_quoted(parser, &token, line_of(parser, at)))
			return false;
		if (token.kind == PGM_TOKEN_OTHER && *at == '\\')
			break; /* \gset ends a command as a semicolon does; \; is seen by the caller */
		if (token.kind == PGM_TOKEN_OTHER && *at == ';' && depth == 0)
			break;
		if (token.kind == PGM_TOKEN_OTHER && (*at == '(' || *at == '['))
			depth++;
		if (token.kind == PGM_TOKEN_OTHER && (*at == ')' || *at == ']') && depth)
			depth--;
		at += put_token(&cutter, &token, end);
	}
	bool by_semicolon = *at == ';';
	if (*at == '\\' && at[1] == ';')
		return fail_at(parser, line_of(parser, at),
			       "\\; (several commands in one message) is not understood; write a semicolon");
	parser->at = by_semicolon ? at + 1 : at;
	return finish_sql(parser, begin, at, &cutter);
}

/* ---- backslash commands ---- */

static struct pgm_command *last_sql(struct parser *parser)
{
	size_t count = parser->commands.count;
	struct pgm_command *last = count ? &parser->commands.items[count - 1] : NULL;
	return last && last->kind == PGM_COMMAND_SQL ? last : NULL;
}

static bool parse_expr(struct parser *parser, const char *text, int line, struct pgm_expr **expr)
{
	*expr = pgm_expr_parse(parser->arena, &parser->scripts->variables, text, parser->err);
	return *expr || pgm_error_context(parser->err, "%s: line %d", parser->name, line);
}

static bool parse_set(struct parser *parser, char *rest, int line)
{
	size_t length = 0;
	struct pgm_expr *expr;
	while (name_char(rest[length]))
		length++;
	if (length == 0)
		return fail_at(parser, line, "\\set needs a variable and an expression");
	if (!rest[length + strspn(rest + length, " \t\r")])
		return fail_at(parser, line, "\\set needs an expression");
	if (!parse_expr(parser, rest + length, line, &expr))
		return false;
	struct pgm_command *command = add(parser, PGM_COMMAND_SET, line);
	command->slot =
		pgm_variable_slot(&parser->scripts->variables, pgm_strndup(parser->arena, rest, length));
	command->expr = expr;
	return true;
}

/* \sleep 10 ms, \sleep :pause us; seconds where there is no unit */
static bool parse_sleep(struct parser *parser, char *rest, int line)
{
	static const struct {
		const char *name;
		double ms;
	} units[] = {{"us", 0.001}, {"ms", 1}, {"s", 1000}, {"", 1000}};
	size_t length = strcspn(rest, " \t\r");
	const char *unit = rest + length;
	char *number = pgm_strndup(parser->arena, rest, length);
	/* "10ms" is understood too */
	size_t digits = strspn(number, "0123456789.");
	if (digits && number[digits] && *unit == '\0') {
		unit = rest + digits;
		number[digits] = '\0';
	}
	unit += strspn(unit, " \t\r");
	size_t unit_length = strcspn(unit, " \t\r");
	struct pgm_expr *expr;
	if (!*number)
		return fail_at(parser, line, "\\sleep needs a number or a variable");
	if (!parse_expr(parser, number, line, &expr))
		return false;
	for (size_t i = 0; i < sizeof(units) / sizeof(*units); i++) {
		if (strlen(units[i].name) != unit_length || strncmp(units[i].name, unit, unit_length) != 0)
			continue;
		struct pgm_command *command = add(parser, PGM_COMMAND_SLEEP, line);
		command->expr = expr;
		command->unit_ms = units[i].ms;
		return true;
	}
	return fail_at(parser, line, "the unit of \\sleep is us, ms or s");
}

static bool parse_gset(struct parser *parser, char *rest, int line)
{
	struct pgm_command *command = last_sql(parser);
	if (!command || command->gset)
		return fail_at(parser, line, "\\gset must follow a SQL command");
	rest[strcspn(rest, " \t\r")] = '\0';
	command->gset = pgm_strdup(parser->arena, rest);
	return true;
}

static bool parse_if(struct parser *parser, const char *rest, int line)
{
	struct pgm_expr *expr;
	if (parser->if_count == PGM_SCRIPT_IF_DEPTH_MAX)
		return fail_at(parser, line, "\\if is nested too deeply");
	if (!parse_expr(parser, rest, line, &expr))
		return false;
	add(parser, PGM_COMMAND_JUMP_UNLESS, line)->expr = expr;
	parser->ifs[parser->if_count++] = (struct open_if){parser->commands.count - 1, SIZE_MAX, line};
	return true;
}

/* What came before \elif and \else is over: leave, and let a test that failed go on here. */
static bool parse_branch(struct parser *parser, const char *rest, int line, bool last)
{
	struct open_if *open = parser->if_count ? &parser->ifs[parser->if_count - 1] : NULL;
	struct pgm_expr *expr = NULL;
	if (!open || open->test == SIZE_MAX)
		return fail_at(parser, line,
			       open ? "there was an \\else already" : "there is no \\if before it");
	if (!last && !parse_expr(parser, rest, line, &expr))
		return false;
	add(parser, PGM_COMMAND_JUMP, line)->target = open->exits;
	open->exits = parser->commands.count - 1;
	parser->commands.items[open->test].target = parser->commands.count;
	open->test = SIZE_MAX;
	if (last)
		return true;
	add(parser, PGM_COMMAND_JUMP_UNLESS, line)->expr = expr;
	open->test = parser->commands.count - 1;
	return true;
}

static bool parse_endif(struct parser *parser, int line)
{
	if (!parser->if_count)
		return fail_at(parser, line, "there is no \\if before it");
	struct open_if *open = &parser->ifs[--parser->if_count];
	size_t here = parser->commands.count;
	if (open->test != SIZE_MAX)
		parser->commands.items[open->test].target = here;
	for (size_t exit = open->exits, next; exit != SIZE_MAX; exit = next) {
		next = parser->commands.items[exit].target;
		parser->commands.items[exit].target = here;
	}
	return true;
}

/* A backslash command ends with its line; a backslash at the line's end takes in the next one. */
static char *take_line(struct parser *parser)
{
	const char *begin = parser->at, *at = begin;
	while (*at && *at != '\n') {
		if (*at == '\\' && (at[1] == '\n' || strncmp(at + 1, "\r\n", 2) == 0))
			at += at[1] == '\n' ? 1 : 2;
		at++;
	}
	parser->at = *at ? at + 1 : at;
	return pgm_strndup(parser->arena, begin, (size_t)(at - begin));
}

static bool parse_backslash(struct parser *parser)
{
	int line = line_of(parser, parser->at);
	char *text = take_line(parser) + 1, *rest = text;
	while (name_char(*rest))
		rest++;
	size_t length = (size_t)(rest - text);
	rest += strspn(rest, " \t\r");
#define IS(word) (length == strlen(word) && strncmp(text, word, length) == 0)
	if (IS("set"))
		return parse_set(parser, rest, line);
	if (IS("sleep"))
		return parse_sleep(parser, rest, line);
	if (IS("gset"))
		return parse_gset(parser, rest, line);
	if (IS("if"))
		return parse_if(parser, rest, line);
	if (IS("elif") || IS("else"))
		return parse_branch(parser, rest, line, IS("else"));
	if (IS("endif"))
		return parse_endif(parser, line);
#undef IS
	pgm_error_set(parser->err, PGM_ERR_INPUT, "%s: line %d: \"\\%.*s\" is not understood", parser->name,
		      line, length < 40 ? (int)length : 40, text);
	return pgm_error_hint(
		parser->err,
		"Of pgbench's commands there are \\set, \\sleep, \\if, \\elif, \\else, \\endif and "
		"\\gset.");
}

/* Space, comments and lone semicolons between commands. */
static void skip_nothing(struct parser *parser)
{
	for (;;) {
		struct pgm_lex lex;
		pgm_lex_init(&lex, parser->at, strlen(parser->at));
		struct pgm_token token = pgm_lex_next(&lex);
		bool nothing = token.kind == PGM_TOKEN_SPACE || token.kind == PGM_TOKEN_COMMENT ||
			       (token.kind == PGM_TOKEN_OTHER && *token.text == ';');
		if (!nothing || token.length == 0)
			return;
		parser->at += token.length;
	}
}

bool pgm_script_parse(struct pgm_scripts *scripts, const char *name, const char *text, double weight,
		      struct pgm_error *err)
{
	struct parser parser = {.scripts = scripts,
				.arena = scripts->arena,
				.name = name,
				.text = text,
				.at = text,
				.err = err};
	bool runs = false;
	for (skip_nothing(&parser); *parser.at; skip_nothing(&parser)) {
		if (!(*parser.at == '\\' ? parse_backslash(&parser) : parse_sql(&parser)))
			return false;
		if (parser.commands.count > PGM_SCRIPT_COMMANDS_MAX)
			return fail_at(&parser, line_of(&parser, parser.at),
				       "there are more than 10000 commands");
	}
	if (parser.if_count)
		return fail_at(&parser, parser.ifs[parser.if_count - 1].line, "\\if without \\endif");
	for (size_t i = 0; i < parser.commands.count; i++)
		runs |= parser.commands.items[i].kind == PGM_COMMAND_SQL;
	if (!runs) {
		pgm_error_set(err, PGM_ERR_INPUT, "%s: there is no SQL command in it", name);
		return pgm_error_hint(err, "Write SQL commands, each ended by a semicolon.");
	}
	*pgm_vec_add(scripts->arena, &scripts->items) =
		(struct pgm_script){name, weight, parser.commands.items, parser.commands.count};
	scripts->weight += weight;
	return true;
}

const struct pgm_command *pgm_scripts_command(const struct pgm_scripts *scripts, size_t number)
{
	for (size_t s = 0; s < scripts->items.count; s++)
		for (size_t c = 0; c < scripts->items.items[s].count; c++) {
			const struct pgm_command *command = &scripts->items.items[s].commands[c];
			if (command->kind == PGM_COMMAND_SQL && command->number == number)
				return command;
		}
	return NULL;
}

/* ---- pgbench's own scripts ---- */

static const struct {
	const char *name, *text;
} builtins[] = {
	{"tpcb-like",
	 "\\set aid random(1, 100000 * :scale)\n"
	 "\\set bid random(1, 1 * :scale)\n"
	 "\\set tid random(1, 10 * :scale)\n"
	 "\\set delta random(-5000, 5000)\n"
	 "BEGIN;\n"
	 "UPDATE pgbench_accounts SET abalance = abalance + :delta WHERE aid = :aid;\n"
	 "SELECT abalance FROM pgbench_accounts WHERE aid = :aid;\n"
	 "UPDATE pgbench_tellers SET tbalance = tbalance + :delta WHERE tid = :tid;\n"
	 "UPDATE pgbench_branches SET bbalance = bbalance + :delta WHERE bid = :bid;\n"
	 "INSERT INTO pgbench_history (tid, bid, aid, delta, mtime) VALUES (:tid, :bid, :aid, :delta, "
	 "CURRENT_TIMESTAMP);\n"
	 "END;\n"},
	{"simple-update",
	 "\\set aid random(1, 100000 * :scale)\n"
	 "\\set bid random(1, 1 * :scale)\n"
	 "\\set tid random(1, 10 * :scale)\n"
	 "\\set delta random(-5000, 5000)\n"
	 "BEGIN;\n"
	 "UPDATE pgbench_accounts SET abalance = abalance + :delta WHERE aid = :aid;\n"
	 "SELECT abalance FROM pgbench_accounts WHERE aid = :aid;\n"
	 "INSERT INTO pgbench_history (tid, bid, aid, delta, mtime) VALUES (:tid, :bid, :aid, :delta, "
	 "CURRENT_TIMESTAMP);\n"
	 "END;\n"},
	{"select-only", "\\set aid random(1, 100000 * :scale)\n"
			"SELECT abalance FROM pgbench_accounts WHERE aid = :aid;\n"},
};

const char *pgm_script_builtin(const char *name, const char **full_name)
{
	const char *found = NULL;
	for (size_t i = 0; *name && i < sizeof(builtins) / sizeof(*builtins); i++) {
		if (strncmp(builtins[i].name, name, strlen(name)) != 0)
			continue;
		if (found)
			return NULL; /* "s" begins two */
		*full_name = builtins[i].name;
		found = builtins[i].text;
	}
	return found;
}
