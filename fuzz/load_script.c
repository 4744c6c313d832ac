/*
 * Scripts of pgbench's syntax: whatever the text is, parsing ends; what parses has jumps that stay inside and
 * go forward, variables that exist, and expressions that end.
 */
#include "load/script.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void run_expressions(const struct pgm_scripts *scripts, const struct pgm_script *script)
{
	struct pgm_random random;
	struct pgm_load_value *values = calloc(scripts->variables.names.count + 1, sizeof(*values)), result;
	if (!values)
		abort();
	pgm_random_seed(&random, 1);
	for (size_t i = 0; i < script->count; i++) {
		const struct pgm_command *command = &script->commands[i];
		struct pgm_eval eval = {.values = values, .random = &random};
		char number[64];
		if (!command->expr || !pgm_expr_eval(command->expr, &eval, &result))
			continue;
		assert(result.kind != PGM_LOAD_UNSET && result.kind != PGM_LOAD_TEXT);
		pgm_load_value_sql(&result, number, sizeof(number));
		if (command->kind == PGM_COMMAND_SET)
			values[command->slot] = result;
	}
	free(values);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	PGM_AUTO_ARENA arena = pgm_arena_new(64 << 20);
	struct pgm_scripts scripts;
	struct pgm_error err = {0};
	char *text = pgm_strndup(arena, (const char *)data, strnlen((const char *)data, size));
	pgm_scripts_init(&scripts, arena);
	if (!pgm_script_parse(&scripts, "fuzz", text, 1, &err)) {
		assert(err.kind == PGM_ERR_INPUT && *err.message);
		return 0;
	}
	const struct pgm_script *script = &scripts.items.items[0];
	for (size_t i = 0; i < script->count; i++) {
		const struct pgm_command *command = &script->commands[i];
		if (command->kind == PGM_COMMAND_JUMP || command->kind == PGM_COMMAND_JUMP_UNLESS)
			assert(command->target > i && command->target <= script->count);
		assert(command->slot == 0 || command->slot < scripts.variables.names.count);
		for (size_t p = 0; p < command->param_count; p++)
			assert(command->slots[p] < scripts.variables.names.count);
		assert(command->kind != PGM_COMMAND_SQL ||
		       pgm_scripts_command(&scripts, command->number) == command);
	}
	run_expressions(&scripts, script);
	return 0;
}
