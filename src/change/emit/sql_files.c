/*
 * The tools whose migrations are SQL: a file is one query, or one transaction.
 */
#include "change/emit/parts.h"

#include <stdlib.h>
#include <string.h>

static const char *sql_file(struct pgm_emit *emit, const struct pgm_emit_migration *migration,
			    const struct pgm_emit_step *step)
{
	struct pgm_buf out;
	pgm_buf_init(&out, emit->arena);
	pgm_emit_header(&out, "--", emit, migration);
	pgm_buf_char(&out, '\n');
	if (step)
		pgm_buf_printf(&out, "%s\n", pgm_emit_step_sql(emit->arena, step));
	return out.text;
}

static const struct pgm_emit_step *up_of(const struct pgm_emit_migration *migration)
{
	return migration->up_count ? &migration->up[0] : NULL;
}

static const struct pgm_emit_step *down_of(const struct pgm_emit_migration *migration)
{
	return migration->down_count ? &migration->down[0] : NULL;
}

bool pgm_emit_make_golang_migrate(struct pgm_emit *emit)
{
	for (size_t i = 0; i < emit->count; i++) {
		const struct pgm_emit_migration *m = &emit->migrations[i];
		const char *base = pgm_sprintf(emit->arena, "%s_%s", m->version, m->name);
		pgm_emit_file(emit, pgm_sprintf(emit->arena, "%s.up.sql", base), sql_file(emit, m, up_of(m)));
		if (!m->irreversible)
			pgm_emit_file(emit, pgm_sprintf(emit->arena, "%s.down.sql", base),
				      sql_file(emit, m, down_of(m)));
	}
	return true;
}

/* The script, and its settings where it needs other than Flyway's own. */
static void flyway_file(struct pgm_emit *emit, const struct pgm_emit_migration *migration, const char *kind,
			const struct pgm_emit_step *step)
{
	const char *name =
		pgm_sprintf(emit->arena, "%s%s__%s.sql", kind, migration->version, migration->name);
	const char *text = sql_file(emit, migration, step);
	const char *settings =
		pgm_sprintf(emit->arena, "%s%s", step && step->alone ? "executeInTransaction=false\n" : "",
			    strstr(text, "${") ? "placeholderReplacement=false\n" : "");
	pgm_emit_file(emit, name, text);
	if (*settings)
		pgm_emit_file(emit, pgm_sprintf(emit->arena, "%s.conf", name), settings);
}

bool pgm_emit_make_flyway(struct pgm_emit *emit)
{
	for (size_t i = 0; i < emit->count; i++) {
		const struct pgm_emit_migration *m = &emit->migrations[i];
		flyway_file(emit, m, "V", up_of(m));
		if (!m->irreversible)
			flyway_file(emit, m, "U", down_of(m));
	}
	return true;
}

/* Prisma never goes down: how to stands there for people. */
static void add_way_back(struct pgm_buf *out, const struct pgm_emit_step *step)
{
	pgm_buf_add(out, "\n-- The way back, to be run by hand:\n");
	const char *sql = pgm_emit_step_sql(out->arena, step);
	while (*sql) {
		size_t length = strcspn(sql, "\n");
		pgm_buf_printf(out, "--   %.*s\n", (int)length, sql);
		sql += length + (sql[length] == '\n');
	}
}

bool pgm_emit_make_prisma(struct pgm_emit *emit)
{
	for (size_t i = 0; i < emit->count; i++) {
		const struct pgm_emit_migration *m = &emit->migrations[i];
		struct pgm_buf out;
		if (m->up_count == 0)
			continue;
		pgm_buf_init(&out, emit->arena);
		pgm_buf_add(&out, sql_file(emit, m, up_of(m)));
		if (m->down_count)
			add_way_back(&out, down_of(m));
		pgm_emit_file(emit, pgm_sprintf(emit->arena, "%s_%s/migration.sql", m->version, m->name),
			      out.text);
	}
	return true;
}

/* A Plan file of this Change alone, which is a dbmate migration too. */
static bool plan_file(struct pgm_emit *emit, const struct pgm_emit_migration *migration)
{
	struct pgm_plan part;
	char *text = NULL;
	size_t length = 0;
	FILE *stream = open_memstream(&text, &length);
	if (!stream)
		return pgm_error_set(emit->err, PGM_ERR_SYSTEM, "no memory for a Plan");
	pgm_plan_part(emit->arena, emit->plan, migration->change_number, &part);
	bool ok = pgm_plan_write(&part, stream, emit->err);
	fclose(stream);
	if (ok)
		pgm_emit_file(emit,
			      pgm_sprintf(emit->arena, "%s_%s.sql", migration->version, migration->name),
			      pgm_strndup(emit->arena, text, length));
	free(text);
	return ok;
}

bool pgm_emit_make_plans(struct pgm_emit *emit)
{
	for (size_t i = 0; i < emit->count; i++)
		if (!plan_file(emit, &emit->migrations[i]))
			return false;
	return true;
}

static void add_section(struct pgm_buf *out, const char *mark, const struct pgm_emit_step *step)
{
	pgm_buf_printf(out, "\n-- migrate:%s%s\n", mark, step && step->alone ? " transaction:false" : "");
	if (step)
		pgm_buf_printf(out, "%s\n", pgm_emit_step_sql(out->arena, step));
}

bool pgm_emit_make_dbmate(struct pgm_emit *emit)
{
	for (size_t i = 0; i < emit->count; i++) {
		const struct pgm_emit_migration *m = &emit->migrations[i];
		if (m->parts == 1) {
			if (!plan_file(emit, m))
				return false;
			continue;
		}
		struct pgm_buf out;
		pgm_buf_init(&out, emit->arena);
		pgm_emit_header(&out, "--", emit, m);
		add_section(&out, "up", up_of(m));
		add_section(&out, "down", down_of(m));
		pgm_emit_file(emit, pgm_sprintf(emit->arena, "%s_%s.sql", m->version, m->name), out.text);
	}
	return true;
}
