/*
 * Rails: execute, because add_index cannot say all that an index is (ONLY, ATTACH, NULLS FIRST on an
 * expression), and what it says depends on the version.
 */
#include "change/emit/parts.h"

static void add_steps(struct pgm_buf *out, const struct pgm_emit_step *steps, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		pgm_buf_add(out, "    execute ");
		pgm_emit_heredoc(out, pgm_emit_step_sql(out->arena, &steps[i]), "    ");
	}
}

bool pgm_emit_make_rails(struct pgm_emit *emit)
{
	for (size_t i = 0; i < emit->count; i++) {
		const struct pgm_emit_migration *m = &emit->migrations[i];
		struct pgm_buf out;
		pgm_buf_init(&out, emit->arena);
		pgm_emit_header(&out, "#", emit, m);
		pgm_buf_printf(&out,
			       "class %s < ActiveRecord::Migration[6.0]\n"
			       "  disable_ddl_transaction!\n\n"
			       "  def up\n",
			       pgm_emit_camel(emit->arena, m->name));
		add_steps(&out, m->up, m->up_count);
		pgm_buf_add(&out, "  end\n\n  def down\n");
		add_steps(&out, m->down, m->down_count);
		if (m->irreversible)
			pgm_buf_add(&out, "    raise ActiveRecord::IrreversibleMigration\n");
		pgm_buf_add(&out, "  end\nend\n");
		pgm_emit_file(emit, pgm_sprintf(emit->arena, "%s_%s.rb", m->version, m->name), out.text);
	}
	return true;
}
