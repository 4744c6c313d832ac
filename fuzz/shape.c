/*
 * Shapes: whatever the text is, reading it ends with an error or with a shape whose parts fit together and
 * lie within the text; and reading it again gives the same.
 */
#include "sql/shape.h"

#include <assert.h>
#include <stdint.h>
#include <string.h>

#define ARENA_LIMIT_BYTES ((size_t)512 << 20)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_params(const struct pgm_shape *shape, const char *text, size_t size)
{
	size_t end = 0;
	for (size_t i = 0; i < shape->param_count; i++) {
		const struct pgm_param *param = &shape->params[i];
		assert(param->offset >= end && param->length >= 2);
		end = param->offset + param->length;
		assert(end <= size && text[param->offset] == '$');
		for (size_t d = 1; d < param->length; d++)
			assert(text[param->offset + d] >= '0' && text[param->offset + d] <= '9');
		assert(param->atom >= -1 && param->atom < (int)shape->atom_count);
	}
}

static void check(const struct pgm_shape *shape, const char *text, size_t size)
{
	int scopes = (int)shape->scope_count;
	for (int i = 0; i < scopes; i++)
		assert(shape->scopes[i].parent < i);
	for (size_t i = 0; i < shape->table_count; i++) {
		const struct pgm_shape_table *table = &shape->tables[i];
		assert(table->scope >= 0 && table->scope < scopes && table->subscope < scopes);
		assert(table->name && table->alias);
	}
	for (size_t i = 0; i < shape->atom_count; i++) {
		const struct pgm_atom *atom = &shape->atoms[i];
		assert(atom->scope >= 0 && atom->scope < scopes && atom->left.column.name && atom->op);
		assert(atom->kind != PGM_ATOM_JOIN || atom->right.column.name);
	}
	for (size_t i = 0; i < shape->reference_count; i++)
		assert(shape->references[i].scope >= 0 && shape->references[i].scope < scopes);
	for (size_t i = 0; i < shape->output_count; i++)
		assert(shape->outputs[i].scope >= 0 && shape->outputs[i].scope < scopes);
	check_params(shape, text, size);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size > 65536 || memchr(data, '\0', size))
		return 0;
	PGM_AUTO_ARENA arena = pgm_arena_new(ARENA_LIMIT_BYTES);
	struct pgm_error err = {0};
	struct pgm_shape shape, again;
	const char *text = pgm_strndup(arena, (const char *)data, size);
	if (!pgm_sql_shape(arena, text, &shape, &err)) {
		assert(err.kind == PGM_ERR_INPUT && *err.message);
		return 0;
	}
	check(&shape, text, size);
	assert(pgm_sql_shape(arena, text, &again, &err));
	assert(again.atom_count == shape.atom_count && again.table_count == shape.table_count);
	return 0;
}
