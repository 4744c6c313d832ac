#include "purge/parts.h"

#include "pg/quote.h"

/* "(k.conrelid, ...) NOT IN (...)": a foreign key that the batches do not take care of, or not so. */
static void known_keys(struct pgm_buf *body, const struct pgm_purge_table *table)
{
	struct pgm_arena *arena = body->arena;
	pgm_buf_add(body, "(k.conrelid, k.conname, k.confdeltype) NOT IN (");
	for (size_t i = 0; i < table->key_count; i++)
		pgm_buf_printf(body, "%s(%s::pg_catalog.regclass, %s::name, '%c'::\"char\")", i ? ", " : "",
			       pgm_quote_literal(arena, table->keys[i]->child_quoted),
			       pgm_quote_literal(arena, table->keys[i]->name), table->keys[i]->action);
	pgm_buf_char(body, ')');
}

const char *pgm_purge_guard_sql(struct pgm_arena *arena, const struct pgm_purge_table *table)
{
	struct pgm_buf body;
	pgm_buf_init(&body, arena);
	const char *name = pgm_quote_literal(arena, table->quoted);
	const char *within = pgm_sprintf(arena,
					 "IN (SELECT %s::pg_catalog.regclass UNION ALL SELECT p.relid FROM "
					 "pg_catalog.pg_partition_tree(%s::pg_catalog.regclass) AS p)",
					 name, name);
	/*
	 * tgtype: 8 delete. A foreign key of a partitioned table has copies for its partitions, which have no
	 * other of their own; before 15 only the leaves have its triggers.
	 */
	pgm_buf_printf(
		&body,
		"IF EXISTS (SELECT FROM pg_catalog.pg_trigger AS g WHERE g.tgrelid %s AND g.tgtype & 8 <> 0 "
		"AND NOT g.tgisinternal AND g.tgenabled = 'O') OR EXISTS (SELECT FROM "
		"pg_catalog.pg_constraint AS k LEFT JOIN pg_catalog.pg_constraint AS u ON u.oid = "
		"k.conparentid WHERE k.contype = 'f' AND k.confrelid %s AND "
		"coalesce((pg_catalog.to_jsonb(k) ->> 'conenforced')::boolean, true) AND (u.oid IS NULL OR "
		"k.confrelid = %s::pg_catalog.regclass AND u.confrelid <> k.confrelid) AND ",
		within, within, name);
	known_keys(&body, table);
	pgm_buf_printf(
		&body,
		") THEN RAISE EXCEPTION USING ERRCODE = 'object_not_in_prerequisite_state', MESSAGE = %s, "
		"HINT = 'Take this purge back (pgmend rollback), and begin it anew.'; END IF;\n",
		pgm_quote_literal(arena, pgm_sprintf(arena,
						     "foreign keys or triggers of %s were added since this "
						     "purge was planned, and --skip-ri would not fire them",
						     table->quoted)));
	return pgm_purge_block(arena, body.text);
}
