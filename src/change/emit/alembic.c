/*
 * Alembic: one revision a Change, each following the one before. Statements go through sqlalchemy.DDL, which
 * gives no meaning to a colon (text() would take ":name" for a parameter) and takes "%%" for "%".
 */
#include "change/emit/parts.h"
#include "util/hash.h"

#include <string.h>

bool pgm_emit_alembic_after(const char *after, struct pgm_error *err)
{
	for (const char *p = after; p && *p; p++)
		if ((unsigned char)*p <= ' ' || (unsigned char)*p >= 0x7F)
			return pgm_error_set(err, PGM_ERR_USAGE, "--after: \"%s\" is no revision", after);
	return !after || *after || pgm_error_set(err, PGM_ERR_USAGE, "--after: the revision is empty");
}

/* The same Plan has the same revisions, in whatever folder. */
static const char *revision_of(struct pgm_emit *emit, const struct pgm_emit_migration *migration)
{
	const char *key = pgm_sprintf(emit->arena, "%s/%zu", emit->plan->id, migration->change_number);
	return pgm_sprintf(emit->arena, "%012llx", (unsigned long long)(pgm_hash_string(key) >> 16));
}

static void add_execute(struct pgm_buf *out, const char *sql)
{
	struct pgm_buf doubled;
	pgm_buf_init(&doubled, out->arena);
	pgm_buf_add(&doubled, "");
	for (const char *p = sql; *p; p++)
		pgm_buf_add_n(&doubled, *p == '%' ? "%%" : p, *p == '%' ? 2 : 1);
	pgm_buf_add(out, "        op.execute(DDL(");
	pgm_emit_python(out, doubled.text);
	pgm_buf_add(out, "))\n");
}

/* Statements one by one: some drivers (asyncpg) take no two in one query. */
static void add_steps(struct pgm_buf *out, const struct pgm_emit_step *steps, size_t count)
{
	pgm_buf_add(out, "    with op.get_context().autocommit_block():\n");
	for (size_t i = 0; i < count; i++) {
		if (steps[i].strong)
			add_execute(out, "SET lock_timeout = '" PGM_EMIT_LOCK_TIMEOUT "'");
		for (size_t s = 0; s < steps[i].count; s++)
			add_execute(out, steps[i].statements[s]);
		if (steps[i].strong)
			add_execute(out, "RESET lock_timeout");
	}
}

static void add_revision(struct pgm_buf *out, const char *name, const char *value)
{
	pgm_buf_printf(out, "%s = ", name);
	if (value)
		pgm_emit_python(out, value);
	else
		pgm_buf_add(out, "None");
	pgm_buf_char(out, '\n');
}

bool pgm_emit_make_alembic(struct pgm_emit *emit)
{
	const char *after = emit->options->after;
	for (size_t i = 0; i < emit->count; i++) {
		const struct pgm_emit_migration *m = &emit->migrations[i];
		const char *revision = revision_of(emit, m);
		struct pgm_buf out;
		pgm_buf_init(&out, emit->arena);
		pgm_emit_header(&out, "#", emit, m);
		pgm_emit_python(&out, pgm_emit_line(emit->arena, m->change->title));
		pgm_buf_add(&out, "\nfrom alembic import op\nfrom sqlalchemy import DDL\n\n");
		add_revision(&out, "revision", revision);
		add_revision(&out, "down_revision", after);
		pgm_buf_add(&out, "branch_labels = None\ndepends_on = None\n\n\ndef upgrade():\n");
		add_steps(&out, m->up, m->up_count);
		pgm_buf_add(&out, "\n\ndef downgrade():\n");
		if (m->down_count)
			add_steps(&out, m->down, m->down_count);
		else if (m->irreversible)
			pgm_buf_add(&out, "    raise NotImplementedError(\"there is no way back\")\n");
		else
			pgm_buf_add(&out, "    pass\n");
		pgm_emit_file(emit, pgm_sprintf(emit->arena, "%s_%s.py", revision, m->name), out.text);
		after = revision;
	}
	return true;
}
