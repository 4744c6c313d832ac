#include "load/source.h"

#include "sql/effects.h"
#include "sql/lex.h"
#include "sql/operation.h"
#include "util/file.h"

#include <stdlib.h>
#include <string.h>

/* What stands before the last "@", and the weight behind it; 1 without one. */
static bool split_weight(struct pgm_arena *arena, const char *argument, const char **name, double *weight,
			 struct pgm_error *err)
{
	const char *at = strrchr(argument, '@');
	char *end;
	*weight = 1;
	*name = argument;
	if (!at)
		return true;
	*weight = strtod(at + 1, &end);
	if (end == at + 1 || *end) /* "a@b.sql" is a name */
		return *weight = 1, true;
	*name = pgm_strndup(arena, argument, (size_t)(at - argument));
	if (!(*weight > 0 && *weight <= 1e9))
		return pgm_error_set(err, PGM_ERR_USAGE, "the weight of \"%s\" must be above 0", *name);
	return true;
}

bool pgm_load_add_file(struct pgm_scripts *scripts, const char *argument, struct pgm_error *err)
{
	const char *name;
	double weight;
	char *text = NULL;
	return split_weight(scripts->arena, argument, &name, &weight, err) &&
	       pgm_file_read(scripts->arena, name, PGM_LOAD_SCRIPT_MAX, &text, err) &&
	       pgm_script_parse(scripts, name, text, weight, err);
}

bool pgm_load_add_builtin(struct pgm_scripts *scripts, const char *argument, struct pgm_error *err)
{
	const char *name, *full_name = NULL;
	double weight;
	if (!split_weight(scripts->arena, argument, &name, &weight, err))
		return false;
	const char *text = pgm_script_builtin(name, &full_name);
	if (!text) {
		pgm_error_set(err, PGM_ERR_USAGE, "there is no script \"%s\" in pgmend", name);
		return pgm_error_hint(
			err, "There are select-only, simple-update and tpcb-like; a file of your own "
			     "is -f FILE.");
	}
	return pgm_script_parse(scripts, full_name, text, weight, err);
}

static bool one_of(const char *word, const char *const *words)
{
	for (; *words; words++)
		if (strcasecmp(word, *words) == 0)
			return true;
	return false;
}

/* By its first word, for what the parser does not know. */
static bool first_word_writes(struct pgm_arena *arena, const char *sql)
{
	static const char *const reading[] = {"select", "values", "table", "show", "explain", NULL};
	struct pgm_lex lex;
	struct pgm_token token;
	pgm_lex_init(&lex, sql, strlen(sql));
	do
		token = pgm_lex_next(&lex);
	while (token.kind == PGM_TOKEN_SPACE || token.kind == PGM_TOKEN_COMMENT ||
	       (token.kind == PGM_TOKEN_OTHER && *token.text == '('));
	return !one_of(pgm_strndup(arena, token.text, token.length), reading);
}

bool pgm_load_statement_writes(const char *sql)
{
	/* What these do ends with the transaction or the session, or is another statement's. */
	static const char *const harmless[] = {
		"TransactionStmt", "VariableSetStmt", "VariableShowStmt", "ExplainStmt", "DeclareCursorStmt",
		"FetchStmt",	   "ClosePortalStmt", "DeallocateStmt",	  "DiscardStmt", NULL};
	PGM_AUTO_ARENA arena = pgm_arena_new(0);
	struct pgm_error ignored;
	struct pgm_effects effects;
	struct pgm_ops ops;
	if (!pgm_sql_effects(arena, sql, &effects, &ignored) || !pgm_ops_parse(arena, sql, 1, &ops, &ignored))
		return first_word_writes(arena, sql);
	if (effects.explainable)
		return !effects.select_only;
	/* "SET transaction_read_only = off", "BEGIN READ WRITE" would open the door again. */
	char *normal = pgm_sql_normal_form(arena, sql);
	for (char *c = normal; *c; c++)
		if (*c >= 'A' && *c <= 'Z')
			*c = (char)(*c + 32);
	return !ops.node || !one_of(ops.node, harmless) || strstr(normal, "read_only") ||
	       strstr(normal, "read write");
}

bool pgm_load_check_writes(struct pgm_scripts *scripts, bool allowed, struct pgm_error *err)
{
	for (size_t s = 0; s < scripts->items.count; s++) {
		const struct pgm_script *script = &scripts->items.items[s];
		for (size_t c = 0; c < script->count; c++) {
			struct pgm_command *command = &script->commands[c];
			if (command->kind != PGM_COMMAND_SQL)
				continue;
			command->writes = pgm_load_statement_writes(command->sql);
			if (!command->writes || allowed)
				continue;
			pgm_error_set(err, PGM_ERR_USAGE, "%s: line %d writes: %.80s", script->name,
				      command->line, command->text);
			return pgm_error_hint(err,
					      "A load only reads unless it is told otherwise: add --writes "
					      "where the data may change.");
		}
	}
	return true;
}
