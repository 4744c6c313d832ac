/*
 * Knex: raw(). It takes "?" for a parameter unless a backslash stands before it, and eats backslashes that
 * stand there already; a statement with both goes to the driver itself.
 */
#include "change/emit/parts.h"

#include <string.h>

static void add_raw(struct pgm_buf *out, const char *sql)
{
	struct pgm_buf escaped;
	pgm_buf_init(&escaped, out->arena);
	pgm_buf_add(&escaped, "");
	for (const char *p = sql; *p; p++) {
		if (*p == '?')
			pgm_buf_char(&escaped, '\\');
		pgm_buf_char(&escaped, *p);
	}
	pgm_buf_add(out, "  await knex.raw(");
	pgm_emit_template(out, escaped.text);
	pgm_buf_add(out, ");\n");
}

static void add_direct(struct pgm_buf *out, const char *sql)
{
	pgm_buf_add(out, "  {\n"
			 "    const connection = await knex.client.acquireConnection();\n"
			 "    try {\n"
			 "      await connection.query(");
	pgm_emit_template(out, sql);
	pgm_buf_add(out, ");\n"
			 "    } finally {\n"
			 "      await knex.client.releaseConnection(connection);\n"
			 "    }\n"
			 "  }\n");
}

static void add_steps(struct pgm_buf *out, const struct pgm_emit_step *steps, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		const char *sql = pgm_emit_step_sql(out->arena, &steps[i]);
		if (strstr(sql, "\\?"))
			add_direct(out, sql);
		else
			add_raw(out, sql);
	}
}

bool pgm_emit_make_knex(struct pgm_emit *emit)
{
	for (size_t i = 0; i < emit->count; i++) {
		const struct pgm_emit_migration *m = &emit->migrations[i];
		struct pgm_buf out;
		pgm_buf_init(&out, emit->arena);
		pgm_emit_header(&out, "//", emit, m);
		pgm_buf_add(&out, "exports.config = { transaction: false };\n\n"
				  "exports.up = async function (knex) {\n");
		add_steps(&out, m->up, m->up_count);
		pgm_buf_add(&out, "};\n\nexports.down = async function (knex) {\n");
		add_steps(&out, m->down, m->down_count);
		if (m->irreversible)
			pgm_buf_add(&out, "  throw new Error(\"there is no way back\");\n");
		pgm_buf_add(&out, "};\n");
		pgm_emit_file(emit, pgm_sprintf(emit->arena, "%s_%s.js", m->version, m->name), out.text);
	}
	return true;
}
