#include "partition/swap_parts.h"

#include "pg/quote.h"
#include "sql/lex.h"

#include <string.h>

/* Vacuum gives way only to who has waited for deadlock_timeout; nobody else waits behind this lock. */
#define WEAK_LOCK_WAIT "5s"

char *pgm_swap_block(struct pgm_arena *arena, const char *body)
{
	const char *tag = "$pgmend$";
	for (int n = 1; strstr(body, tag); n++)
		tag = pgm_sprintf(arena, "$pgmend%d$", n);
	return pgm_sprintf(arena, "DO %s\n%s%s;\n", tag, body, tag);
}

static const char *literal(struct pgm_buf *out, const char *text)
{
	return pgm_quote_literal(out->arena, text);
}

static void refuse_unless(struct pgm_buf *out, const char *condition, const char *message, const char *hint)
{
	pgm_buf_printf(out,
		       "    IF NOT coalesce(%s, false) THEN\n"
		       "        RAISE EXCEPTION USING MESSAGE = %s, HINT = %s;\n"
		       "    END IF;\n",
		       condition, literal(out, message), literal(out, hint));
}

/* SHARE UPDATE EXCLUSIVE, for which nobody waits: so it may take longer than a try of the other. */
static void weak_lock(struct pgm_buf *out, const char *table)
{
	pgm_buf_printf(out,
		       "    -- Holds up DDL and vacuum, no reader and no writer.\n"
		       "    pgmend_timeout := pg_catalog.current_setting('lock_timeout');\n"
		       "    PERFORM pg_catalog.set_config('lock_timeout', '" WEAK_LOCK_WAIT "', true);\n"
		       "    LOCK TABLE ONLY %s IN SHARE UPDATE EXCLUSIVE MODE;\n"
		       "    PERFORM pg_catalog.set_config('lock_timeout',\n"
		       "        CASE pgmend_timeout WHEN '0' THEN '50ms' ELSE pgmend_timeout END, true);\n",
		       table);
}

/*
 * Views first: who reads one locks it before the table. ATTACH and DETACH lock what foreign keys refer to
 * (they drop or make triggers there), so that comes at once, too, and not half way.
 */
static void strong_lock(struct pgm_buf *out, const struct pgm_carry *carry, const char *table)
{
	/* Where many want the processor it is taken from who has had it for long, and not from who rested. */
	pgm_buf_add(out, "    PERFORM pg_catalog.pg_sleep(0.01);\n"
			 "    -- From here on others wait.\n");
	for (size_t i = 0; i < carry->views.count; i++)
		pgm_buf_printf(out, "    LOCK TABLE %s IN ACCESS EXCLUSIVE MODE;\n",
			       carry->views.items[i].quoted);
	pgm_buf_printf(out, "    LOCK TABLE %s IN ACCESS EXCLUSIVE MODE;\n", table);
	pgm_buf_add(out, "    PERFORM pg_catalog.set_config('pgmend.locked_at', "
			 "pg_catalog.clock_timestamp()::text, false);\n");
	if (carry->references.count)
		pgm_buf_add(out, "    PERFORM pg_catalog.set_config('lock_timeout', '" PGM_SWAP_SECOND_WAIT
				 "', true);\n");
	for (size_t i = 0; i < carry->references.count; i++)
		if (carry->references.items[i].may_lock)
			pgm_buf_printf(out, "    LOCK TABLE ONLY %s IN ACCESS EXCLUSIVE MODE;\n",
				       carry->references.items[i].quoted);
}

static void check_fingerprint(struct pgm_buf *out, const struct pgm_partition_design *design,
			      const struct pgm_carry *carry)
{
	struct pgm_arena *arena = out->arena;
	const char *table = pgm_partition_quoted(arena, design, design->name);
	pgm_buf_add(out,
		    "    -- Is it the table that the Plan was made for?\n"
		    "    SELECT pg_catalog.string_agg(e.part, ', ' ORDER BY e.part) INTO pgmend_changed\n"
		    "      FROM (\n");
	pgm_buf_add(out, pgm_carry_fingerprint_sql(arena, design));
	pgm_buf_add(out, "           ) AS f (part, sum)\n      JOIN (VALUES ");
	for (size_t i = 0; i < carry->fingerprint.count; i++)
		pgm_buf_printf(out, "%s%s", i ? ",\n                   " : "", carry->fingerprint.items[i]);
	pgm_buf_printf(
		out,
		") AS e (part, sum) ON e.part = f.part\n"
		"     WHERE f.sum <> e.sum;\n"
		"    IF pgmend_changed IS NOT NULL THEN\n"
		"        RAISE EXCEPTION USING MESSAGE = %s || pgmend_changed,\n"
		"            HINT = 'Take this Plan back (pgmend rollback), and make a new one.';\n"
		"    END IF;\n",
		literal(out, pgm_sprintf(arena, "table %s was changed since the Plan was made: ", table)));
}

void pgm_swap_rename_index(struct pgm_buf *out, const struct pgm_partition_design *design, const char *from,
			   const char *to)
{
	pgm_buf_printf(out, "    ALTER INDEX %s RENAME TO %s;\n",
		       pgm_partition_quoted(out->arena, design, from), pgm_quote_ident(out->arena, to));
}

void pgm_swap_replace_index(struct pgm_buf *out, const struct pgm_partition_design *design,
			    const struct pgm_partition_index *index, const char *table, const char *old,
			    const char *built, const char *name)
{
	struct pgm_arena *arena = out->arena;
	if (!index->constraint) {
		pgm_buf_printf(out, "    DROP INDEX %s;\n", pgm_partition_quoted(arena, design, old));
		pgm_swap_rename_index(out, design, built, name);
	} else {
		pgm_buf_printf(out,
			       "    ALTER TABLE %s DROP CONSTRAINT %s,\n"
			       "        ADD CONSTRAINT %s %s USING INDEX %s%s%s;\n",
			       table, pgm_quote_ident(arena, old), pgm_quote_ident(arena, name),
			       index->primary ? "PRIMARY KEY" : "UNIQUE", pgm_quote_ident(arena, built),
			       index->deferrable ? " DEFERRABLE" : "",
			       index->deferred ? " INITIALLY DEFERRED" : "");
		if (index->constraint_comment)
			pgm_buf_printf(out, "    COMMENT ON CONSTRAINT %s ON %s IS %s;\n",
				       pgm_quote_ident(arena, name), table,
				       literal(out, index->constraint_comment));
	}
	if (index->comment)
		pgm_buf_printf(out, "    COMMENT ON INDEX %s IS %s;\n",
			       pgm_partition_quoted(arena, design, name), literal(out, index->comment));
	if (index->replica_identity && design->replica_identity == 'i')
		pgm_buf_printf(out, "    ALTER TABLE %s REPLICA IDENTITY USING INDEX %s;\n", table,
			       pgm_quote_ident(arena, name));
}

/* The new sequence goes on where the old one is. ALTER SEQUENCE keeps others from drawing meanwhile. */
void pgm_swap_move_identity(struct pgm_buf *out, const struct pgm_partition_design *design,
			    const struct pgm_partition_column *column, const char *from_table,
			    const char *from, const char *to)
{
	struct pgm_arena *arena = out->arena;
	const char *old = pgm_quote_qualified(arena, column->sequence_schema, from);
	pgm_buf_printf(
		out,
		"    ALTER SEQUENCE %s CACHE %s;\n"
		"    PERFORM pg_catalog.setval(%s::pg_catalog.regclass, s.last_value, s.is_called) FROM %s "
		"AS s;\n"
		"    ALTER TABLE %s ALTER COLUMN %s DROP IDENTITY;\n",
		old, column->sequence_cache,
		literal(out, pgm_quote_qualified(arena, column->sequence_schema, to)), old,
		pgm_partition_quoted(arena, design, from_table), pgm_quote_ident(arena, column->name));
}

void pgm_swap_rename_sequence(struct pgm_buf *out, const struct pgm_partition_column *column,
			      const char *from, const char *to)
{
	pgm_buf_printf(out, "    ALTER SEQUENCE %s RENAME TO %s;\n",
		       pgm_quote_qualified(out->arena, column->sequence_schema, from),
		       pgm_quote_ident(out->arena, to));
}

void pgm_swap_own_sequences(struct pgm_buf *out, const struct pgm_partition_design *design, const char *table)
{
	struct pgm_arena *arena = out->arena;
	for (size_t i = 0; i < design->column_count; i++) {
		const struct pgm_partition_column *column = &design->columns[i];
		if (column->sequence && !column->identity)
			pgm_buf_printf(out, "    ALTER SEQUENCE %s OWNED BY %s.%s;\n",
				       pgm_quote_qualified(arena, column->sequence_schema, column->sequence),
				       table, pgm_quote_ident(arena, column->name));
	}
}

void pgm_swap_publish(struct pgm_buf *out, const struct pgm_carry *carry, const char *add, const char *drop)
{
	for (size_t i = 0; i < carry->publications.count; i++) {
		const struct pgm_carry_publication *publication = &carry->publications.items[i];
		pgm_buf_printf(out,
			       "    ALTER PUBLICATION %s DROP TABLE ONLY %s;\n"
			       "    ALTER PUBLICATION %s ADD TABLE ONLY %s%s;\n",
			       publication->name, drop, publication->name, add, publication->details);
	}
}

/* Nothing of what takes long under a lock may have happened. */
static void assert_nothing_long(struct pgm_buf *out, const struct pgm_partition_design *design)
{
	struct pgm_arena *arena = out->arena;
	const char *oid = design->oid;
	const char *hint = "This is a bug in pgmend, please report it. Nothing was changed by this step.";
	pgm_buf_add(out, "    -- No index was built, and the table was not read.\n");
	refuse_unless(
		out,
		pgm_sprintf(
			arena,
			"pg_catalog.pg_stat_get_xact_numscans(%s::oid) = pgmend_scans\n"
			"        AND (SELECT bool_and(i.indexrelid = ANY (pgmend_indexes) AND i.indisvalid)\n"
			"               FROM pg_catalog.pg_index AS i WHERE i.indrelid = %s::oid) IS NOT "
			"false\n"
			"        AND NOT EXISTS (SELECT FROM pg_catalog.pg_constraint AS k\n"
			"                         WHERE k.conrelid = %s::oid AND k.contype = 'f' AND "
			"k.conparentid = 0)",
			oid, oid, oid),
		"the swap would have built an index or read the whole table", hint);
	refuse_unless(
		out,
		pgm_sprintf(
			arena,
			"NOT EXISTS (SELECT FROM pg_catalog.pg_index AS i\n"
			"                 WHERE i.indrelid = %s::pg_catalog.regclass AND NOT i.indisvalid)",
			literal(out, pgm_partition_quoted(arena, design, design->name))),
		"an index of the new table is not valid", hint);
}

static void prepare_up(struct pgm_buf *out, const struct pgm_partition_design *design,
		       const struct pgm_carry *carry, const char *table)
{
	struct pgm_arena *arena = out->arena;
	weak_lock(out, table);
	refuse_unless(
		out,
		pgm_sprintf(arena, "%s::pg_catalog.regclass = %s::oid", literal(out, table), design->oid),
		pgm_sprintf(arena, "%s is not the table that the Plan was made for", table),
		"Take this Plan back (pgmend rollback), and make a new one.");
	check_fingerprint(out, design, carry);
	refuse_unless(out,
		      pgm_sprintf(arena,
				  "(SELECT k.convalidated FROM pg_catalog.pg_constraint AS k\n"
				  "        WHERE k.conrelid = %s::oid AND k.conname = %s)",
				  design->oid, literal(out, design->check)),
		      pgm_sprintf(arena, "constraint %s is not validated", design->check),
		      "Take this Plan back (pgmend rollback), and make a new one.");
	pgm_buf_printf(out,
		       "    pgmend_indexes := ARRAY(SELECT i.indexrelid FROM pg_catalog.pg_index AS i WHERE "
		       "i.indrelid = %s::oid);\n"
		       "    pgmend_scans := pg_catalog.pg_stat_get_xact_numscans(%s::oid);\n",
		       design->oid, design->oid);
	for (size_t i = 0; i < design->index_count; i++) {
		pgm_swap_rename_index(out, design, design->indexes[i].name, design->indexes[i].legacy_name);
		pgm_swap_rename_index(out, design, design->indexes[i].staging, design->indexes[i].name);
	}
}

/* A widened index: the old one has the legacy name now and goes, the new one gets that name. */
static void swap_indexes_up(struct pgm_buf *out, const struct pgm_partition_design *design, const char *table)
{
	for (size_t i = 0; i < design->index_count; i++)
		if (design->indexes[i].widened)
			pgm_swap_replace_index(out, design, &design->indexes[i], table,
					       design->indexes[i].legacy_name, design->indexes[i].wide,
					       design->indexes[i].legacy_name);
}

char *pgm_swap_up(struct pgm_arena *arena, const struct pgm_partition_design *design,
		  const struct pgm_carry *carry)
{
	const char *table = pgm_partition_quoted(arena, design, design->name);
	const char *legacy = pgm_partition_quoted(arena, design, design->legacy);
	const char *staging = pgm_partition_quoted(arena, design, design->staging);
	struct pgm_range first = {.to = design->cut};
	struct pgm_buf out;
	pgm_buf_init(&out, arena);
	pgm_buf_add(&out, "DECLARE\n"
			  "    pgmend_timeout text;\n"
			  "    pgmend_changed text;\n"
			  "    pgmend_indexes oid[];\n"
			  "    pgmend_scans bigint;\n"
			  "BEGIN\n"
			  "    PERFORM pg_catalog.set_config('search_path', 'pg_catalog', true);\n"
			  "    -- Standbys are not waited for under the lock; what follows waits for them.\n"
			  "    PERFORM pg_catalog.set_config('synchronous_commit', 'off', true);\n");
	prepare_up(&out, design, carry, table);
	strong_lock(&out, carry, table);
	for (size_t i = 0; i < carry->triggers.count; i++)
		if (carry->triggers.items[i].row)
			pgm_buf_printf(&out, "    DROP TRIGGER %s ON %s;\n",
				       pgm_quote_ident(arena, carry->triggers.items[i].name), table);
	for (size_t i = 0; i < design->column_count; i++)
		if (design->columns[i].identity) {
			pgm_swap_move_identity(&out, design, &design->columns[i], design->name,
					       design->columns[i].sequence,
					       design->columns[i].sequence_staging);
			pgm_swap_rename_sequence(&out, &design->columns[i],
						 design->columns[i].sequence_staging,
						 design->columns[i].sequence);
		}
	swap_indexes_up(&out, design, table);
	pgm_buf_printf(&out,
		       "    ALTER TABLE %s RENAME TO %s;\n"
		       "    ALTER TABLE %s RENAME TO %s;\n"
		       "    ALTER TABLE %s ATTACH PARTITION %s\n        %s;\n"
		       "    ALTER TABLE %s DROP CONSTRAINT %s;\n",
		       table, pgm_quote_ident(arena, design->legacy), staging,
		       pgm_quote_ident(arena, design->name), table, legacy,
		       pgm_bounds_for_values(arena, &first), legacy, pgm_quote_ident(arena, design->check));
	pgm_swap_own_sequences(&out, design, table);
	for (size_t i = 0; i < carry->triggers.count; i++) {
		const char *state = pgm_carry_trigger_state(arena, &carry->triggers.items[i], table);
		if (state)
			pgm_buf_printf(&out, "    %s;\n", state);
	}
	for (size_t i = 0; i < carry->sequence.count; i++)
		pgm_buf_printf(&out, "    %s;\n", carry->sequence.items[i]);
	for (size_t i = 0; i < carry->after.count; i++)
		pgm_buf_printf(&out, "    %s;\n", carry->after.items[i]);
	for (size_t i = 0; i < carry->views.count; i++)
		pgm_buf_printf(&out, "    %s;\n", carry->views.items[i].create);
	pgm_swap_publish(&out, carry, table, legacy);
	assert_nothing_long(&out, design);
	pgm_buf_add(&out, "END\n");
	return pgm_sprintf(arena, "SET LOCAL statement_timeout = '10s';\n%s",
			   pgm_swap_block(arena, pgm_sql_escape_controls(arena, out.text)));
}
