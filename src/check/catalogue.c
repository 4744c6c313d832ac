#include "check/check.h"
#include "check/run.h"
#include "check/words.h"

#include "util/buf.h"
#include "util/embedded.h"
#include "util/nearest.h"
#include "util/vec.h"

#include <stdlib.h>
#include <string.h>

bool pgm_check_catalogue(struct pgm_arena *arena, const struct pgm_check **checks, size_t *count,
			 struct pgm_error *err)
{
	PGM_VEC(struct pgm_check) found = {0};
	for (size_t i = 0; i < pgm_embedded_count; i++) {
		const struct pgm_embedded *file = &pgm_embedded_files[i];
		if (strncmp(file->path, "checks/", 7) != 0)
			continue;
		struct pgm_check check;
		if (!pgm_check_describe(arena, file->path, file->text, &check, err))
			return false;
		*pgm_vec_add(arena, &found) = check;
	}
	*checks = found.items;
	*count = found.count;
	return true;
}

const struct pgm_check *pgm_check_find(const struct pgm_check *checks, size_t count, const char *id,
				       struct pgm_error *err)
{
	PGM_AUTO_ARENA arena = pgm_arena_new(0);
	const char **names = PGM_NEW_ARRAY(arena, const char *, count + 1);
	for (size_t i = 0; i < count; i++) {
		if (strcmp(checks[i].id, id) == 0)
			return &checks[i];
		names[i] = checks[i].id;
	}
	const char *nearest = pgm_nearest(id, names, count);
	pgm_error_set(err, PGM_ERR_USAGE, "there is no check \"%s\"", id);
	if (nearest)
		pgm_error_hint(err, "Perhaps you mean %s; --list shows them all.", nearest);
	else
		pgm_error_hint(err, "--list shows them all.");
	return NULL;
}

const char *pgm_check_explain_sql(struct pgm_arena *arena, const struct pgm_check *check)
{
	struct pgm_buf out;
	pgm_buf_init(&out, arena);
	if (check->extension)
		pgm_buf_printf(&out, "\\set %s_schema public\n", check->extension);
	for (size_t i = 0; i < check->threshold_count; i++)
		pgm_buf_printf(&out, "\\set %s %s\n", check->thresholds[i].name, check->thresholds[i].value);
	for (size_t i = 0; i < check->probe_count; i++) {
		const struct pgm_check_probe *probe = &check->probes[i];
		pgm_buf_printf(&out, "-- %s where pg_catalog.%s has no column %s\n", probe->absent,
			       probe->relation, probe->column);
		pgm_check_set_line(&out, probe->name, probe->present);
	}
	pgm_check_words_explain(arena, check->sql, &out);
	pgm_buf_add(&out, check->sql);
	pgm_buf_add(&out, ";\n");
	return out.text;
}
