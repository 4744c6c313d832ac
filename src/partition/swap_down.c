#include "partition/swap_parts.h"

#include "pg/quote.h"
#include "sql/index_sql.h"
#include "sql/lex.h"

#include <string.h>

/* Rows above the cut that are moved under the lock; where there are more, they are moved afterwards. */
#define MOVE_AT_ONCE 2000

/*
 * What one transaction moves afterwards: as many pages as take about so long, and how often a lock is tried.
 * Who writes to the partition waits meanwhile, so the rest between two is twice as long.
 */
#define DRAIN_PAGES_MAX "64"
#define DRAIN_MS	"20"
#define DRAIN_TRIES	1000

/* Columns that an INSERT may give, as they are now: somebody may have added one since the Plan was made. */
#define COLUMN_LIST                                                                                    \
	"SELECT pg_catalog.string_agg(pg_catalog.quote_ident(a.attname), ', ' ORDER BY a.attnum)\n"    \
	"      FROM pg_catalog.pg_attribute AS a\n"                                                    \
	"     WHERE a.attrelid = %s::pg_catalog.regclass AND a.attnum > 0 AND NOT a.attisdropped AND " \
	"a.attgenerated = ''"

static const char *literal(struct pgm_buf *out, const char *text)
{
	return pgm_quote_literal(out->arena, text);
}

static void build_ways_back(struct pgm_buf *out, const struct pgm_partition_design *design)
{
	struct pgm_arena *arena = out->arena;
	const char *legacy = pgm_partition_quoted(arena, design, design->legacy);
	for (size_t i = 0; i < design->index_count; i++) {
		const struct pgm_partition_index *index = &design->indexes[i];
		if (!index->widened)
			continue;
		struct pgm_index_rewrite how = {.index = pgm_quote_ident(arena, index->way_back),
						.relation = legacy,
						.concurrently = true,
						.tablespace = index->tablespace};
		const char *sql = pgm_index_sql_rewrite(arena, index->definition, &how);
		pgm_buf_printf(out, "%s;\n", sql ? sql : index->definition);
	}
}

static void begin(struct pgm_buf *out, const struct pgm_partition_design *design,
		  const struct pgm_carry *carry)
{
	struct pgm_arena *arena = out->arena;
	const char *table = pgm_partition_quoted(arena, design, design->name);
	const char *legacy = pgm_partition_quoted(arena, design, design->legacy);
	pgm_buf_printf(
		out,
		"DECLARE\n"
		"    pgmend_timeout text;\n"
		"    pgmend_columns text;\n"
		"    pgmend_forced boolean;\n"
		"    pgmend_one record;\n"
		"BEGIN\n"
		"    PERFORM pg_catalog.set_config('search_path', 'pg_catalog', true);\n"
		"    -- Standbys are not waited for under the lock; what follows waits for them.\n"
		"    PERFORM pg_catalog.set_config('synchronous_commit', 'off', true);\n"
		"    -- Rather an error than rows that a policy hides.\n"
		"    PERFORM pg_catalog.set_config('row_security', 'off', true);\n"
		"    IF NOT EXISTS (SELECT FROM pg_catalog.pg_inherits AS i\n"
		"                    WHERE i.inhrelid = pg_catalog.to_regclass(%s) AND i.inhparent = "
		"pg_catalog.to_regclass(%s)) THEN\n"
		"        RAISE EXCEPTION USING MESSAGE = %s;\n"
		"    END IF;\n"
		"    -- Holds up DDL and vacuum, no reader and no writer.\n"
		"    pgmend_timeout := pg_catalog.current_setting('lock_timeout');\n"
		"    PERFORM pg_catalog.set_config('lock_timeout', '5s', true);\n"
		"    LOCK TABLE ONLY %s, ONLY %s IN SHARE UPDATE EXCLUSIVE MODE;\n"
		"    PERFORM pg_catalog.set_config('lock_timeout',\n"
		"        CASE pgmend_timeout WHEN '0' THEN '50ms' ELSE pgmend_timeout END, true);\n",
		literal(out, legacy), literal(out, table),
		literal(out, pgm_sprintf(arena,
					 "%s is no partition of %s any more: nothing can be taken back "
					 "to it",
					 legacy, table)),
		table, legacy);
	/* Better a word now than PostgreSQL's in the middle. */
	pgm_buf_printf(
		out,
		"    FOR pgmend_one IN SELECT k.conname, k.conrelid::pg_catalog.regclass AS child\n"
		"                        FROM pg_catalog.pg_constraint AS k\n"
		"                       WHERE k.confrelid = %s::pg_catalog.regclass AND k.contype = 'f' AND "
		"k.conparentid = 0 LOOP\n"
		"        RAISE EXCEPTION USING MESSAGE = pg_catalog.format('foreign key %%I of %%s refers to "
		"it',\n"
		"                pgmend_one.conname, pgmend_one.child),\n"
		"            HINT = pg_catalog.format('ALTER TABLE %%s DROP CONSTRAINT %%I; then roll back "
		"again.',\n"
		"                pgmend_one.child, pgmend_one.conname);\n"
		"    END LOOP;\n",
		literal(out, table));
	pgm_buf_add(out, "    -- From here on others wait.\n");
	for (size_t i = 0; i < carry->views.count; i++)
		pgm_buf_printf(out, "    LOCK TABLE %s IN ACCESS EXCLUSIVE MODE;\n",
			       carry->views.items[i].quoted);
	pgm_buf_printf(out,
		       "    LOCK TABLE %s IN ACCESS EXCLUSIVE MODE;\n"
		       "    PERFORM pg_catalog.set_config('pgmend.locked_at', "
		       "pg_catalog.clock_timestamp()::text, false);\n",
		       table);
	if (carry->references.count)
		pgm_buf_add(out, "    PERFORM pg_catalog.set_config('lock_timeout', '" PGM_SWAP_SECOND_WAIT
				 "', true);\n");
	for (size_t i = 0; i < carry->references.count; i++)
		if (carry->references.items[i].may_lock)
			pgm_buf_printf(out, "    LOCK TABLE ONLY %s IN SHARE ROW EXCLUSIVE MODE;\n",
				       carry->references.items[i].quoted);
}

static void put_indexes_back(struct pgm_buf *out, const struct pgm_partition_design *design,
			     const char *table)
{
	for (size_t i = 0; i < design->index_count; i++) {
		const struct pgm_partition_index *index = &design->indexes[i];
		pgm_swap_rename_index(out, design, index->name, index->staging);
		if (index->widened)
			pgm_swap_replace_index(out, design, index, table, index->legacy_name, index->way_back,
					       index->name);
		else
			pgm_swap_rename_index(out, design, index->legacy_name, index->name);
	}
}

static void put_identity_back(struct pgm_buf *out, const struct pgm_partition_design *design,
			      const char *table)
{
	for (size_t i = 0; i < design->column_count; i++) {
		const struct pgm_partition_column *column = &design->columns[i];
		if (!column->identity)
			continue;
		/* The staging table's goes with it; the old name is the old table's again. */
		pgm_swap_rename_sequence(out, column, column->sequence, column->sequence_staging);
		pgm_buf_printf(out, "    ALTER TABLE %s %s;\n", table,
			       pgm_carry_identity(out->arena, column, column->sequence));
		pgm_swap_move_identity(out, design, column, design->staging, column->sequence_staging,
				       column->sequence);
	}
}

/*
 * Few rows come along under the lock. Many would hold everybody up: their partitions become inheritance
 * children, so that whoever reads or writes the table finds them as before, and are emptied afterwards.
 */
static void move_rows(struct pgm_buf *out, const struct pgm_partition_design *design, const char *table)
{
	const char *staging = pgm_partition_quoted(out->arena, design, design->staging);
	pgm_buf_printf(out, "    pgmend_columns := (" COLUMN_LIST ");\n", literal(out, table));
	pgm_buf_printf(out,
		       "    pgmend_forced := (SELECT c.relforcerowsecurity FROM pg_catalog.pg_class AS c\n"
		       "                       WHERE c.oid = %s::pg_catalog.regclass);\n"
		       "    ALTER TABLE ONLY %s NO FORCE ROW LEVEL SECURITY;\n"
		       "    IF pgmend_forced THEN\n"
		       "        ALTER TABLE ONLY %s NO FORCE ROW LEVEL SECURITY;\n"
		       "    END IF;\n"
		       "    IF (SELECT count(*) > %d FROM (SELECT FROM %s LIMIT %d) AS r) THEN\n",
		       literal(out, table), staging, table, MOVE_AT_ONCE, staging, MOVE_AT_ONCE + 1);
	pgm_buf_printf(
		out,
		"        IF EXISTS (SELECT FROM pg_catalog.pg_trigger AS g\n"
		"                    WHERE g.tgrelid = %s::pg_catalog.regclass AND NOT g.tgisinternal\n"
		"                      AND g.tgenabled <> 'D' AND g.tgtype & 4 = 4) THEN\n"
		"            -- May we keep triggers from seeing rows twice? Better to know now than half "
		"way.\n"
		"            PERFORM pg_catalog.set_config('session_replication_role', 'replica', true);\n"
		"            PERFORM pg_catalog.set_config('session_replication_role', 'origin', true);\n"
		"        END IF;\n"
		"        FOR pgmend_one IN SELECT i.inhrelid::pg_catalog.regclass AS part\n"
		"                            FROM pg_catalog.pg_inherits AS i\n"
		"                           WHERE i.inhparent = %s::pg_catalog.regclass LOOP\n"
		"            EXECUTE pg_catalog.format('ALTER TABLE %%s DETACH PARTITION %%s', %s, "
		"pgmend_one.part);\n"
		"            EXECUTE pg_catalog.format('ALTER TABLE %%s INHERIT %%s', pgmend_one.part, %s);\n"
		"        END LOOP;\n"
		"    ELSE\n"
		"        EXECUTE pg_catalog.format('INSERT INTO %%s (%%s) OVERRIDING SYSTEM VALUE SELECT %%s "
		"FROM "
		"%%s',\n"
		"            %s, pgmend_columns, pgmend_columns, %s);\n"
		"        EXECUTE pg_catalog.format('DELETE FROM %%s', %s);\n"
		"    END IF;\n"
		"    IF pgmend_forced THEN\n"
		"        ALTER TABLE ONLY %s FORCE ROW LEVEL SECURITY;\n"
		"    END IF;\n",
		literal(out, staging), literal(out, staging), literal(out, staging), literal(out, table),
		literal(out, table), literal(out, staging), literal(out, staging), table);
}

static void put_triggers_back(struct pgm_buf *out, const struct pgm_carry *carry, const char *table)
{
	for (size_t i = 0; i < carry->triggers.count; i++) {
		const struct pgm_carry_trigger *trigger = &carry->triggers.items[i];
		const char *state = pgm_carry_trigger_state(out->arena, trigger, table);
		if (!trigger->row && trigger->enabled == 'O')
			pgm_buf_printf(out, "    ALTER TABLE ONLY %s ENABLE TRIGGER %s;\n", table,
				       pgm_quote_ident(out->arena, trigger->name));
		else if (!trigger->row && trigger->enabled != 'D')
			pgm_buf_printf(out, "    %s;\n", state);
		if (!trigger->row)
			continue;
		pgm_buf_printf(out, "    %s;\n", trigger->create);
		if (state)
			pgm_buf_printf(out, "    %s;\n", state);
		if (trigger->comment)
			pgm_buf_printf(out, "    COMMENT ON TRIGGER %s ON %s IS %s;\n",
				       pgm_quote_ident(out->arena, trigger->name), table,
				       literal(out, trigger->comment));
	}
}

char *pgm_swap_down(struct pgm_arena *arena, const struct pgm_partition_design *design,
		    const struct pgm_carry *carry)
{
	const char *table = pgm_partition_quoted(arena, design, design->name);
	const char *legacy = pgm_partition_quoted(arena, design, design->legacy);
	const char *staging = pgm_partition_quoted(arena, design, design->staging);
	struct pgm_buf ways, out;
	pgm_buf_init(&ways, arena);
	pgm_buf_init(&out, arena);
	build_ways_back(&ways, design);
	begin(&out, design, carry);
	/* Before the rows move: the old table's own triggers are not to be run for them. */
	pgm_buf_printf(&out,
		       "    ALTER TABLE %s DETACH PARTITION %s;\n"
		       "    ALTER TABLE %s RENAME TO %s;\n"
		       "    ALTER TABLE %s RENAME TO %s;\n",
		       table, legacy, table, pgm_quote_ident(arena, design->staging), legacy,
		       pgm_quote_ident(arena, design->name));
	put_indexes_back(&out, design, table);
	put_identity_back(&out, design, table);
	pgm_swap_own_sequences(&out, design, table);
	for (size_t i = 0; i < carry->sequence.count; i++)
		pgm_buf_printf(&out, "    %s;\n", carry->sequence.items[i]);
	for (size_t i = 0; i < carry->triggers.count; i++)
		if (!carry->triggers.items[i].row && carry->triggers.items[i].enabled != 'D')
			pgm_buf_printf(&out, "    ALTER TABLE ONLY %s DISABLE TRIGGER %s;\n", table,
				       pgm_quote_ident(arena, carry->triggers.items[i].name));
	pgm_buf_printf(&out, "    ALTER TABLE %s DISABLE TRIGGER USER;\n", staging);
	move_rows(&out, design, table);
	put_triggers_back(&out, carry, table);
	for (size_t i = 0; i < carry->views.count; i++)
		pgm_buf_printf(&out, "    %s;\n", carry->views.items[i].create);
	pgm_swap_publish(&out, carry, table, staging);
	pgm_buf_add(&out, "END\n");
	return pgm_sprintf(arena, "%s%s", ways.text,
			   pgm_swap_block(arena, pgm_sql_escape_controls(arena, out.text)));
}

/* One batch, under a lock on the partition: who would change a row of it waits, and finds it where it is
 * then. */
static void drain_batch(struct pgm_buf *out, const char *table)
{
	pgm_buf_printf(
		out,
		"            BEGIN\n"
		"                PERFORM pg_catalog.set_config('lock_timeout', '50ms', true);\n"
		"                PERFORM pg_catalog.set_config('row_security', 'off', true);\n"
		"                IF pgmend_triggers THEN\n"
		"                    PERFORM pg_catalog.set_config('session_replication_role', 'replica', "
		"true);\n"
		"                END IF;\n"
		"                EXECUTE pg_catalog.format('LOCK TABLE %%s IN SHARE ROW EXCLUSIVE MODE', "
		"pgmend_part);\n"
		"                pgmend_began := pg_catalog.clock_timestamp();\n"
		"                EXECUTE pg_catalog.format('WITH gone AS (DELETE FROM ONLY %%1$s WHERE ctid "
		">= "
		"''(%%2$s,0)'' AND ctid < ''(%%3$s,0)'' RETURNING %%4$s) INSERT INTO %%5$s (%%4$s) "
		"OVERRIDING "
		"SYSTEM VALUE SELECT %%4$s FROM gone',\n"
		"                    pgmend_part, pgmend_page, pgmend_page + pgmend_pages, pgmend_columns, "
		"%s);\n"
		"                pgmend_page := pgmend_page + pgmend_pages;\n"
		"                pgmend_tries := 0;\n"
		"                pgmend_took := 1000 * extract(epoch FROM pg_catalog.clock_timestamp() - "
		"pgmend_began);\n"
		"                pgmend_pages := greatest(1, least(" DRAIN_PAGES_MAX ", 2 * pgmend_pages,\n"
		"                    (pgmend_pages * " DRAIN_MS " / greatest(pgmend_took, 0.1))::bigint));\n"
		"            EXCEPTION WHEN lock_not_available THEN\n"
		"                pgmend_tries := pgmend_tries + 1;\n"
		"                IF pgmend_tries > %d THEN\n"
		"                    RAISE;\n"
		"                END IF;\n"
		"            END;\n"
		"            COMMIT;\n"
		"            PERFORM pg_catalog.pg_sleep(CASE WHEN pgmend_tries = 0 THEN 2 * pgmend_took / "
		"1000\n"
		"                ELSE 0.05 + pg_catalog.random() * 0.1 * least(pgmend_tries, 10) END);\n",
		literal(out, table), DRAIN_TRIES);
}

/* An empty partition goes. A row that was updated meanwhile may lie on a page that was passed: then once
 * more. */
static void drain_end(struct pgm_buf *out)
{
	pgm_buf_printf(
		out,
		"        BEGIN\n"
		"            PERFORM pg_catalog.set_config('lock_timeout', '50ms', true);\n"
		"            PERFORM pg_catalog.set_config('row_security', 'off', true);\n"
		"            EXECUTE pg_catalog.format('LOCK TABLE %%s IN ACCESS EXCLUSIVE MODE', "
		"pgmend_part);\n"
		"            EXECUTE pg_catalog.format('SELECT EXISTS (SELECT FROM ONLY %%s)', pgmend_part) "
		"INTO "
		"pgmend_left;\n"
		"            IF NOT pgmend_left THEN\n"
		"                EXECUTE pg_catalog.format('DROP TABLE %%s', pgmend_part);\n"
		"            END IF;\n"
		"            pgmend_tries := 0;\n"
		"        EXCEPTION WHEN lock_not_available THEN\n"
		"            pgmend_tries := pgmend_tries + 1;\n"
		"            IF pgmend_tries > %d THEN\n"
		"                RAISE;\n"
		"            END IF;\n"
		"        END;\n"
		"        COMMIT;\n"
		"        PERFORM pg_catalog.pg_sleep(pg_catalog.random() * 0.1 * least(pgmend_tries, 10));\n",
		DRAIN_TRIES);
}

static char *drain_rows(struct pgm_arena *arena, const struct pgm_partition_design *design)
{
	const char *table = pgm_partition_quoted(arena, design, design->name);
	struct pgm_buf out;
	pgm_buf_init(&out, arena);
	pgm_buf_printf(
		&out,
		"DECLARE\n"
		"    pgmend_columns text;\n"
		"    pgmend_part text;\n"
		"    pgmend_page bigint;\n"
		"    pgmend_pages bigint := 2;\n"
		"    pgmend_began timestamptz;\n"
		"    pgmend_took float8 := 0;\n"
		"    pgmend_tries integer := 0;\n"
		"    pgmend_left boolean;\n"
		"    pgmend_triggers boolean;\n"
		"BEGIN\n"
		"    LOOP\n"
		"        -- Partitions that became inheritance children, with their rows.\n"
		"        pgmend_part := (SELECT i.inhrelid::pg_catalog.regclass\n"
		"                          FROM pg_catalog.pg_inherits AS i\n"
		"                          JOIN pg_catalog.pg_class AS c ON c.oid = i.inhparent\n"
		"                         WHERE c.oid = pg_catalog.to_regclass(%s) AND c.relkind = 'r'\n"
		"                         LIMIT 1);\n"
		"        EXIT WHEN pgmend_part IS NULL;\n"
		"        pgmend_columns := (" COLUMN_LIST ");\n"
		"        -- The rows were inserted once already: nobody's trigger is to see it again.\n"
		"        pgmend_triggers := EXISTS (SELECT FROM pg_catalog.pg_trigger AS g\n"
		"                                    WHERE g.tgrelid = %s::pg_catalog.regclass AND NOT "
		"g.tgisinternal\n"
		"                                      AND g.tgenabled <> 'D' AND g.tgtype & 4 = 4);\n"
		"        pgmend_page := 0;\n"
		"        WHILE pgmend_page * pg_catalog.current_setting('block_size')::bigint\n"
		"              <= pg_catalog.pg_relation_size(pgmend_part) LOOP\n",
		literal(&out, table), literal(&out, table), literal(&out, table));
	drain_batch(&out, table);
	pgm_buf_add(&out, "        END LOOP;\n");
	drain_end(&out);
	pgm_buf_add(&out, "    END LOOP;\n"
			  "END\n");
	return pgm_swap_block(arena, pgm_sql_escape_controls(arena, out.text));
}

char *pgm_swap_drain(struct pgm_arena *arena, const struct pgm_partition_design *design)
{
	const char *staging = pgm_partition_quoted(arena, design, design->staging);
	struct pgm_buf out;
	pgm_buf_init(&out, arena);
	pgm_buf_printf(
		&out,
		"DECLARE\n"
		"    pgmend_left boolean;\n"
		"BEGIN\n"
		"    PERFORM pg_catalog.set_config('row_security', 'off', true);\n"
		"    IF pg_catalog.to_regclass(%s) IS NOT NULL THEN\n"
		"        EXECUTE pg_catalog.format('SELECT EXISTS (SELECT FROM %%s)', %s) INTO "
		"pgmend_left;\n"
		"        IF pgmend_left THEN\n"
		"            RAISE EXCEPTION USING MESSAGE = %s;\n"
		"        END IF;\n"
		"        EXECUTE pg_catalog.format('DROP TABLE %%s', %s);\n"
		"    END IF;\n"
		"END\n",
		literal(&out, staging), literal(&out, staging),
		literal(&out, pgm_sprintf(arena, "table %s is not empty: it is left as it is", staging)),
		literal(&out, staging));
	return pgm_sprintf(arena, "%s%s", drain_rows(arena, design),
			   pgm_swap_block(arena, pgm_sql_escape_controls(arena, out.text)));
}
