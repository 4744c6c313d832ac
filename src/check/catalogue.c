#include "check/check.h"
#include "check/run.h"
#include "check/words.h"

#include "util/buf.h"
#include "util/embedded.h"
#include "util/nearest.h"
#include "util/vec.h"

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

/* The column's absence is no error, only another version of the server. */
static void explain_probe(struct pgm_buf *out, const struct pgm_check_probe *probe)
{
	pgm_buf_printf(out,
		       "SELECT pg_catalog.count(*) = 1 AS here\n"
		       "FROM pg_catalog.pg_attribute AS a\n"
		       "WHERE a.attrelid = pg_catalog.to_regclass('pg_catalog.%s')\n"
		       "AND a.attname = '%s' AND NOT a.attisdropped \\gset\n\\if :here\n",
		       probe->relation, probe->column);
	pgm_check_set_line(out, probe->name, probe->present);
	pgm_buf_add(out, "\\else\n");
	pgm_check_set_line(out, probe->name, probe->absent);
	pgm_buf_add(out, "\\endif\n");
}

const char *pgm_check_explain_sql(struct pgm_arena *arena, const struct pgm_check *check)
{
	struct pgm_buf out;
	pgm_buf_init(&out, arena);
	if (check->extension)
		pgm_buf_printf(&out,
			       "SELECT pg_catalog.quote_ident(n.nspname) AS %s_schema\n"
			       "FROM pg_catalog.pg_extension AS e\n"
			       "JOIN pg_catalog.pg_namespace AS n ON n.oid = e.extnamespace\n"
			       "WHERE e.extname = '%s' \\gset\n",
			       check->extension, check->extension);
	for (size_t i = 0; i < check->threshold_count; i++)
		pgm_buf_printf(&out, "\\set %s %s\n", check->thresholds[i].name, check->thresholds[i].value);
	for (size_t i = 0; i < check->probe_count; i++)
		explain_probe(&out, &check->probes[i]);
	pgm_check_words_explain(arena, check->sql, &out);
	pgm_buf_add(&out, check->sql);
	pgm_buf_add(&out, ";\n");
	return out.text;
}
