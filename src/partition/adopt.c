#include "partition/adopt.h"

#include "partition/swap.h"
#include "pg/quote.h"
#include "sql/lex.h"
#include "util/format.h"

#include <string.h>

/* Measured on two cores with the table in memory: what reading a row costs, and indexing one. */
#define READ_ROW_MS  0.00007
#define INDEX_ROW_MS 0.0005

struct steps {
	struct pgm_arena *arena;
	const struct pgm_partition_design *design;
	pgm_changes changes;
};

static struct pgm_change *add_step(struct steps *steps, const char *title, const char *lock)
{
	return pgm_change_add(steps->arena, &steps->changes, steps->design->schema, steps->design->name,
			      title, lock);
}

/*
 * Vacuum gives way only to who has waited for it for deadlock_timeout, which a try of 50 ms never has: so a
 * weaker lock first, which nobody waits for. From the first step on rows above the cut are refused: when it
 * is that time already, nothing may be begun.
 */
static char *before_strong_lock(struct steps *steps, bool first)
{
	const struct pgm_partition_design *design = steps->design;
	struct pgm_arena *arena = steps->arena;
	const char *cut = pgm_quote_literal(arena, design->cut);
	const char *zone = pgm_quote_literal(arena, design->interval.timezone);
	struct pgm_buf out;
	pgm_buf_init(&out, arena);
	pgm_buf_add(&out, "DECLARE\n"
			  "    pgmend_timeout text := pg_catalog.current_setting('lock_timeout');\n"
			  "BEGIN\n");
	if (first && design->interval.kind != PGM_KEY_INTEGER) {
		bool zoned = design->interval.kind == PGM_KEY_TIMESTAMPTZ;
		pgm_buf_printf(
			&out,
			"    IF pg_catalog.now()%s > %s::%s - interval '1 hour' THEN\n"
			"        RAISE EXCEPTION USING MESSAGE = 'the cut of this Plan is less than an hour "
			"away',\n"
			"            HINT = 'Make a new Plan.';\n"
			"    END IF;\n",
			zoned ? "" : pgm_sprintf(arena, " AT TIME ZONE %s", zone), cut,
			zoned ? "timestamptz" : "timestamp");
	}
	pgm_buf_printf(&out,
		       "    -- A running vacuum gives way to this; no reader or writer waits for it.\n"
		       "    PERFORM pg_catalog.set_config('lock_timeout', '5s', true);\n"
		       "    LOCK TABLE ONLY %s IN SHARE UPDATE EXCLUSIVE MODE;\n"
		       "    PERFORM pg_catalog.set_config('lock_timeout', pgmend_timeout, true);\n"
		       "END\n",
		       pgm_partition_quoted(arena, design, design->name));
	return pgm_swap_block(arena, pgm_sql_escape_controls(arena, out.text));
}

static void add_check(struct steps *steps)
{
	struct pgm_arena *arena = steps->arena;
	const struct pgm_partition_design *design = steps->design;
	const char *table = pgm_partition_quoted(arena, design, design->name);
	const char *key = pgm_quote_ident(arena, design->key->name);
	const char *name = pgm_quote_ident(arena, design->check);
	const char *down = pgm_sprintf(arena, "ALTER TABLE %s DROP CONSTRAINT IF EXISTS %s;\n", table, name);
	struct pgm_change *change =
		add_step(steps, pgm_sprintf(arena, "let no row at or above %s come in", design->cut),
			 "ACCESS EXCLUSIVE");
	change->sql_up =
		pgm_sprintf(arena,
			    "%sALTER TABLE %s ADD CONSTRAINT %s\n    CHECK (%s IS NOT NULL AND %s < %s) "
			    "NOT VALID;\n",
			    before_strong_lock(steps, true), table, name, key, key,
			    pgm_quote_literal(arena, design->cut));
	change->sql_down = down;
	pgm_change_evidence(arena, change,
			    "The lock is held for a moment: nothing is read. Until the swap, rows at or");
	pgm_change_evidence(arena, change, "above the cut, and rows without a key, are refused.");
	change = add_step(steps, "check that all rows are below it", "SHARE UPDATE EXCLUSIVE");
	change->sql_up =
		pgm_sprintf(arena, "SET LOCAL lock_timeout = '5s';\nALTER TABLE %s VALIDATE CONSTRAINT %s;\n",
			    table, name);
	change->sql_down = down;
	change->build_ms = design->rows * READ_ROW_MS;
	pgm_change_evidence(arena, change, "Reads the table once; holds up no reader and no writer.");
	if (design->key->not_null)
		return;
	change = add_step(steps, pgm_sprintf(arena, "%s is never NULL", design->key->name),
			  "ACCESS EXCLUSIVE");
	change->sql_up = pgm_sprintf(arena, "%sALTER TABLE %s ALTER COLUMN %s SET NOT NULL;\n",
				     before_strong_lock(steps, false), table, key);
	change->sql_down = pgm_sprintf(arena, "ALTER TABLE %s ALTER COLUMN %s DROP NOT NULL;\n", table, key);
	pgm_change_evidence(arena, change, "The constraint proves it: nothing is read.");
}

static void add_indexes(struct steps *steps)
{
	struct pgm_arena *arena = steps->arena;
	const struct pgm_partition_design *design = steps->design;
	const char *table = pgm_partition_quoted(arena, design, design->name);
	for (size_t i = 0; i < design->index_count; i++) {
		const struct pgm_partition_index *index = &design->indexes[i];
		if (!index->widened)
			continue;
		struct pgm_change *change =
			add_step(steps, pgm_sprintf(arena, "unique index for %s with the key", index->name),
				 "SHARE UPDATE EXCLUSIVE");
		change->kind = PGM_CHANGE_CREATE_INDEX;
		change->index = index->wide;
		change->transactional = false;
		change->sql_up = pgm_sprintf(
			arena, "%s;\n", pgm_carry_wide_index(arena, design, index, index->wide, table, true));
		change->sql_down = pgm_sprintf(arena, "DROP INDEX CONCURRENTLY %s;\n",
					       pgm_partition_quoted(arena, design, index->wide));
		change->size_bytes = index->size_bytes + (int64_t)(design->rows * 8);
		change->build_ms = design->rows * INDEX_ROW_MS;
	}
}

static void add_parent(struct steps *steps, const struct pgm_carry *carry)
{
	struct pgm_arena *arena = steps->arena;
	const struct pgm_partition_design *design = steps->design;
	const char *parent = pgm_partition_quoted(arena, design, design->staging);
	struct pgm_change *change =
		add_step(steps,
			 pgm_sprintf(arena, "make the partitioned table, with %zu empty partitions",
				     design->range_count),
			 carry->references.count ? "SHARE ROW EXCLUSIVE" : "ACCESS SHARE");
	struct pgm_buf out;
	pgm_buf_init(&out, arena);
	pgm_carry_create_parent(&out, design, carry);
	for (size_t i = 0; i < design->range_count; i++) {
		const struct pgm_range *range = &design->ranges[i];
		if (design->interval.kind == PGM_KEY_TIMESTAMPTZ)
			pgm_buf_printf(&out, "-- from %s in %s\n", range->local, design->interval.timezone);
		pgm_carry_create_partition(&out, design, carry, parent, design->range_names[i], range);
	}
	for (size_t i = 0; i < design->index_count && design->replica_identity == 'i'; i++)
		if (design->indexes[i].replica_identity)
			pgm_buf_add(&out, pgm_carry_replica_identities(arena, design, &design->indexes[i]));
	change->sql_up = out.text;
	change->sql_down = pgm_swap_drain(arena, design);
	pgm_change_evidence(arena, change, "Beside the table, under another name: nobody uses it yet.");
}

static void add_swap(struct steps *steps, const struct pgm_carry *carry)
{
	struct pgm_arena *arena = steps->arena;
	const struct pgm_partition_design *design = steps->design;
	const char *table = pgm_partition_quoted(arena, design, design->name);
	struct pgm_change *change = add_step(
		steps, pgm_sprintf(arena, "swap: the old table becomes partition %s", design->legacy),
		"ACCESS EXCLUSIVE");
	change->sql_up = pgm_swap_up(arena, design, carry);
	change->sql_down = pgm_swap_down(arena, design, carry);
	pgm_change_evidence(
		arena, change,
		"For some milliseconds, whatever the size of the table: nothing is read or built");
	pgm_change_evidence(arena, change, "(and it is taken back if something was).");
	change = add_step(steps, "statistics of the whole", "SHARE UPDATE EXCLUSIVE");
	change->sql_up = pgm_sprintf(arena, "ANALYZE (SKIP_LOCKED) %s;\n", table);
}

/* The command line finds a Plan that was begun by the beginning of its title. */
static char *title_of(struct pgm_arena *arena, const struct pgm_partition_design *design)
{
	return pgm_sprintf(arena, "%s by ranges of %s", pgm_partition_quoted(arena, design, design->name),
			   pgm_quote_ident(arena, design->key->name));
}

bool pgm_partition_adopt(struct pgm_conn *conn, struct pgm_arena *arena, struct pgm_partition_design *design,
			 struct pgm_plan *plan, struct pgm_error *err)
{
	struct steps steps = {.arena = arena, .design = design};
	struct pgm_carry carry;
	*plan = (struct pgm_plan){.id = ""};
	if (design->refusals.count)
		return true;
	if (!pgm_carry_read(conn, arena, design, &carry, err))
		return false;
	if (design->refusals.count)
		return true;
	add_check(&steps);
	add_indexes(&steps);
	add_parent(&steps, &carry);
	add_swap(&steps, &carry);
	*plan = pgm_plan_of(arena, pgm_strdup(arena, pgm_conn_database(conn)), title_of(arena, design),
			    &steps.changes);
	return true;
}
