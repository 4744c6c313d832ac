#include "load/result.h"

#include "util/file.h"

#include <stdlib.h>

#define RESULT_FILE_MAX ((size_t)1 << 30)

const char *const pgm_load_scenarios[PGM_LOAD_SCENARIOS] = {"steady", "spike", "endurance", "ramp", "rate"};

bool pgm_load_result_held(const struct pgm_load_result *result)
{
	for (size_t i = 0; i < result->verdict_count; i++)
		if (!result->verdicts[i].held)
			return false;
	return true;
}

bool pgm_load_result_save(const struct pgm_load_result *result, const char *path, struct pgm_error *err)
{
	PGM_AUTO_ARENA arena = pgm_arena_new(0);
	json_t *json = pgm_load_result_json(result);
	char *text = json_dumps(json, PGM_LOAD_JSON_FLAGS);
	json_decref(json);
	if (!text)
		return pgm_error_set(err, PGM_ERR_SYSTEM, "cannot write %s: out of memory", path);
	bool ok = pgm_file_replace(arena, path, text, err);
	free(text);
	return ok;
}

bool pgm_load_result_read(struct pgm_arena *arena, const char *path, struct pgm_load_result *result,
			  struct pgm_error *err)
{
	char *text = NULL;
	return pgm_file_read(arena, path, RESULT_FILE_MAX, &text, err) &&
	       pgm_load_result_from_text(arena, path, text, result, err);
}
