/*
 * Plan files: whatever the bytes are, reading ends with a Plan or an error; and a Plan that was read and can
 * be written is read back as the same Plan.
 */
#include "change/plan.h"

#include <assert.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ARENA_LIMIT_BYTES ((size_t)512 << 20)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void write_and_read_back(struct pgm_arena *arena, const struct pgm_plan *plan)
{
	struct pgm_error err = {0};
	struct pgm_plan again;
	char *text = NULL;
	size_t length = 0;
	FILE *stream = open_memstream(&text, &length);
	bool written = pgm_plan_write(plan, stream, &err);
	fclose(stream);
	if (written) {
		bool read = pgm_plan_parse(arena, "again", text, &again, &err);
		assert(read);
		assert(strcmp(again.id, plan->id) == 0);
		assert(again.change_count == plan->change_count);
		for (size_t i = 0; i < plan->change_count; i++)
			assert(again.changes[i].kind == plan->changes[i].kind);
	}
	free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size > 65536 || memchr(data, '\0', size))
		return 0;
	PGM_AUTO_ARENA arena = pgm_arena_new(ARENA_LIMIT_BYTES);
	struct pgm_error err = {0};
	struct pgm_plan plan;
	const char *text = pgm_strndup(arena, (const char *)data, size);
	if (pgm_plan_parse(arena, "fuzz", text, &plan, &err)) {
		assert(plan.change_count > 0);
		write_and_read_back(arena, &plan);
	} else {
		assert(err.kind == PGM_ERR_INPUT && *err.message);
	}
	return 0;
}
