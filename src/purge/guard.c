#include "purge/parts.h"

#include "pg/quote.h"

/* "(k.conrelid, k.conname) NOT IN (...)": a foreign key that the batches do not take care of. */
static void known_keys(struct pgm_buf *body, const struct pgm_purge_table *table)
{
	struct pgm_arena *arena = body->arena;
	pgm_buf_add(body, "(k.conrelid, k.conname) NOT IN (");
	for (size_t i = 0; i < table->key_count; i++)
		pgm_buf_printf(body, "%s(%s::pg_catalog.regclass, %s::name)", i ? ", " : "",
			       pgm_quote_literal(arena, table->keys[i]->child_quoted),
			       pgm_quote_literal(arena, table->keys[i]->name));
	pgm_buf_char(body, ')');
}

const char *pgm_purge_guard_sql(struct pgm_arena *arena, const struct pgm_purge_table *table)
{
	struct pgm_buf body;
	pgm_buf_init(&body, arena);
	/* tgtype: 8 delete */
	pgm_buf_printf(
		&body,
		"IF EXISTS (SELECT FROM pg_catalog.pg_trigger AS g LEFT JOIN pg_catalog.pg_constraint AS k "
		"ON "
		"k.oid = g.tgconstraint AND k.contype = 'f' WHERE g.tgrelid = %s::pg_catalog.regclass AND "
		"g.tgtype & 8 <> 0 AND (NOT g.tgisinternal AND g.tgenabled = 'O' OR k.conparentid = 0 AND "
		"k.confrelid = g.tgrelid AND ",
		pgm_quote_literal(arena, table->quoted));
	known_keys(&body, table);
	pgm_buf_printf(
		&body,
		")) THEN RAISE EXCEPTION USING ERRCODE = 'object_not_in_prerequisite_state', MESSAGE = %s, "
		"HINT = 'Take this purge back (pgmend rollback), and begin it anew.'; END IF;\n",
		pgm_quote_literal(arena, pgm_sprintf(arena,
						     "foreign keys or triggers of %s were added since this "
						     "purge was planned, and --skip-ri would not fire them",
						     table->quoted)));
	return pgm_purge_block(arena, body.text);
}
