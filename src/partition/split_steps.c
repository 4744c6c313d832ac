#include "partition/split.h"
#include "partition/swap.h"

#include "pg/quote.h"
#include "sql/lex.h"
#include "util/format.h"

#include <string.h>

struct steps {
	struct pgm_arena *arena;
	const struct pgm_split *split;
	const char *table;   /* quoted */
	const char *old;     /* quoted */
	const char *staging; /* quoted */
	const char *check;   /* quoted, unqualified */
	pgm_changes changes;
};

static const char *piece_name(const struct steps *steps, size_t i)
{
	return steps->split->forward.parts.items[i].table;
}

/* "(a IS NOT NULL AND a >= x AND a < y)": what a partition of that range is. */
static const char *condition(struct pgm_arena *arena, const char *key, const char *from, const char *to)
{
	const char *low =
		from ? pgm_sprintf(arena, " AND %s >= %s", key, pgm_quote_literal(arena, from)) : "";
	const char *high = to ? pgm_sprintf(arena, " AND %s < %s", key, pgm_quote_literal(arena, to)) : "";
	return pgm_sprintf(arena, "(%s IS NOT NULL%s%s)", key, low, high);
}

static struct pgm_change *add_step(struct steps *steps, enum pgm_change_kind kind, const char *title,
				   const char *lock, const char *const *evidence, size_t evidence_count)
{
	struct pgm_change *change = pgm_change_add(steps->arena, &steps->changes, steps->split->schema,
						   steps->split->name, title, lock);
	change->kind = kind;
	for (size_t i = 0; i < evidence_count; i++)
		pgm_change_evidence(steps->arena, change, evidence[i]);
	return change;
}

static void create_piece(struct pgm_buf *out, const struct steps *steps, size_t i)
{
	struct pgm_arena *arena = steps->arena;
	const struct pgm_split *split = steps->split;
	const struct pgm_range *range = &split->ranges[i];
	const char *piece = piece_name(steps, i);
	pgm_buf_printf(out, "CREATE TABLE %s PARTITION OF %s\n    %s", piece, steps->staging,
		       pgm_bounds_for_values(arena, range));
	if (split->old_options)
		pgm_buf_printf(out, " WITH (%s)", split->old_options);
	if (split->old_tablespace)
		pgm_buf_printf(out, " TABLESPACE %s", pgm_quote_ident(arena, split->old_tablespace));
	pgm_buf_printf(out, ";\nALTER TABLE %s ADD CONSTRAINT %s\n    CHECK %s;\n", piece, steps->check,
		       condition(arena, pgm_quote_ident(arena, split->key), range->from, range->to));
	if (split->replica_identity == 'f' || split->replica_identity == 'n')
		pgm_buf_printf(out, "ALTER TABLE %s REPLICA IDENTITY %s;\n", piece,
			       split->replica_identity == 'f' ? "FULL" : "NOTHING");
	pgm_buf_printf(out, "ALTER TABLE %s OWNER TO %s;\n", piece, pgm_quote_ident(arena, split->owner));
	pgm_copy_create_triggers(out, &split->back, piece);
}

/* Indexes that the copying has no need for, of a table (an expression of regclass). */
#define PLAIN_INDEXES(table) "i.indrelid = " table " AND NOT i.indisunique AND NOT i.indisexclusion"

/*
 * They are built when all rows are there: that takes a fraction of the time and of the WAL that it takes row
 * by row. Unique ones stay, as the copying goes by the primary key and must find what is there twice.
 */
static void drop_plain_indexes(struct pgm_buf *out, const struct steps *steps)
{
	struct pgm_arena *arena = steps->arena;
	struct pgm_buf body;
	pgm_buf_init(&body, arena);
	pgm_buf_printf(
		&body,
		"DECLARE\n"
		"    pgmend_index regclass;\n"
		"BEGIN\n"
		"    FOR pgmend_index IN SELECT i.indexrelid FROM pg_catalog.pg_index AS i\n"
		"                         WHERE " PLAIN_INDEXES(
			"%s::regclass") " LOOP\n"
					"        EXECUTE pg_catalog.format('DROP INDEX %%s', pgmend_index);\n"
					"    END LOOP;\n"
					"END\n",
		pgm_quote_literal(arena, steps->staging));
	pgm_buf_add(out, pgm_swap_block(arena, pgm_sql_escape_controls(arena, body.text)));
}

/* After the swap and its way back the pieces are tables of their own, and there is no staging table. */
static const char *drop_pieces(const struct steps *steps)
{
	struct pgm_buf down;
	pgm_buf_init(&down, steps->arena);
	for (size_t i = 0; i < steps->split->count; i++)
		pgm_buf_printf(&down, "DROP TABLE IF EXISTS %s;\n", piece_name(steps, i));
	pgm_buf_printf(&down, "DROP TABLE IF EXISTS %s;\n", steps->staging);
	return down.text;
}

static void add_pieces(struct steps *steps)
{
	static const char *const evidence[] = {"Beside the table, under names of their own: nobody uses them "
					       "yet. Their triggers write the keys of",
					       "rows that change after the swap into a log, for the way "
					       "back; our own copying is not in it."};
	struct pgm_arena *arena = steps->arena;
	const struct pgm_split *split = steps->split;
	struct pgm_change *change =
		add_step(steps, PGM_CHANGE_SQL, pgm_sprintf(arena, "make %zu empty partitions", split->count),
			 "ACCESS SHARE", evidence, 2);
	struct pgm_buf up, down;
	pgm_buf_init(&up, arena);
	pgm_buf_init(&down, arena);
	pgm_copy_create_log(&up, &split->back);
	pgm_buf_printf(&up,
		       "CREATE TABLE %s (LIKE %s INCLUDING ALL EXCLUDING IDENTITY EXCLUDING STATISTICS)\n"
		       "    PARTITION BY RANGE (%s);\n"
		       "ALTER TABLE %s OWNER TO %s;\n",
		       steps->staging, steps->table, pgm_quote_ident(arena, split->key), steps->staging,
		       pgm_quote_ident(arena, split->owner));
	drop_plain_indexes(&up, steps);
	for (size_t i = 0; i < split->count; i++)
		create_piece(&up, steps, i);
	pgm_buf_add(&down, drop_pieces(steps));
	pgm_copy_drop_log(&down, &split->back);
	change->sql_up = up.text;
	change->sql_down = down.text;
	change->size_bytes = split->bytes;
}

static void add_capture(struct steps *steps)
{
	static const char *const evidence[] = {"The lock waits out those who write now; from then on the log "
					       "has the key of every row that changes."};
	const struct pgm_split *split = steps->split;
	struct pgm_change *change = add_step(
		steps, PGM_CHANGE_SQL, pgm_sprintf(steps->arena, "capture what changes in %s", steps->old),
		"SHARE ROW EXCLUSIVE", evidence, 1);
	struct pgm_buf up, down;
	pgm_buf_init(&up, steps->arena);
	pgm_buf_init(&down, steps->arena);
	pgm_copy_create_log(&up, &split->forward);
	pgm_copy_create_triggers(&up, &split->forward, steps->old);
	pgm_copy_drop_triggers(&down, &split->forward, steps->old);
	pgm_copy_drop_log(&down, &split->forward);
	change->sql_up = up.text;
	change->sql_down = down.text;
}

static void add_backfill(struct steps *steps)
{
	static const char *const evidence[] = {
		"Each batch first makes true of the copy what the log holds, then copies the next page: one "
		"after the",
		"other in one session, so that a row that is deleted meanwhile cannot come back."};
	const struct pgm_split *split = steps->split;
	struct pgm_change *change =
		add_step(steps, PGM_CHANGE_BATCHES,
			 pgm_sprintf(steps->arena, "copy the rows of %s into them", steps->old),
			 "ROW EXCLUSIVE", evidence, 2);
	struct pgm_buf up;
	pgm_buf_init(&up, steps->arena);
	pgm_copy_apply(&up, &split->forward);
	pgm_copy_page(&up, &split->forward);
	change->sql_up = up.text;
	change->sql_down = drop_pieces(steps);
	change->size_bytes = split->bytes;
}

static const char *is_partition(const struct steps *steps, const char *table)
{
	return pgm_sprintf(steps->arena,
			   "EXISTS (SELECT FROM pg_catalog.pg_inherits AS i\n"
			   "                WHERE i.inhrelid = pg_catalog.to_regclass(%s) AND i.inhparent = "
			   "pg_catalog.to_regclass(%s))",
			   pgm_quote_literal(steps->arena, table),
			   pgm_quote_literal(steps->arena, steps->table));
}

static const char *indexes_of(struct pgm_arena *arena, const char *table)
{
	return pgm_sprintf(arena,
			   "(SELECT count(*) FROM pg_catalog.pg_index AS i WHERE i.indrelid = "
			   "pg_catalog.to_regclass(%s))",
			   pgm_quote_literal(arena, table));
}

/* What would make ATTACH read or build something under the lock, or fail. indexes: how many there must be. */
static const char *more_guards(const struct steps *steps, const char *indexes, bool attached)
{
	struct pgm_arena *arena = steps->arena;
	const char *message = pgm_sprintf(arena, "%s is %s partition of %s", steps->old,
					  attached ? "no longer a" : "already a", steps->table);
	return pgm_sprintf(
		arena,
		" UNION ALL\n"
		"SELECT %s\n"
		" WHERE %s%s\n"
		" UNION ALL\n"
		"SELECT %s\n"
		" WHERE %s <> %s\n"
		" UNION ALL\n"
		"SELECT %s\n"
		" WHERE %s <> (SELECT count(*) FROM pg_catalog.pg_constraint AS k\n"
		"              WHERE k.conrelid = pg_catalog.to_regclass(%s) AND k.contype IN ('c', 'f'))\n",
		pgm_quote_literal(arena, message), attached ? "NOT " : "", is_partition(steps, steps->old),
		pgm_quote_literal(
			arena, pgm_sprintf(arena, "the indexes of %s were changed meanwhile", steps->table)),
		indexes_of(arena, steps->table), indexes,
		pgm_quote_literal(arena, pgm_sprintf(arena, "the constraints of %s were changed meanwhile",
						     steps->table)),
		steps->split->checks, pgm_quote_literal(arena, steps->table));
}

/* A constraint that is made without reading the table, then checked without holding anybody up. */
static void constraint(struct pgm_buf *out, const char *table, const char *name, const char *definition)
{
	pgm_buf_printf(out,
		       "ALTER TABLE %s DROP CONSTRAINT IF EXISTS %s, ADD CONSTRAINT %s %s NOT VALID;\n"
		       "ALTER TABLE %s VALIDATE CONSTRAINT %s;\n",
		       table, name, name, definition, table, name);
}

static void lock_tables(struct pgm_buf *out, const struct steps *steps, bool old, const char *mode)
{
	pgm_buf_printf(out, "LOCK TABLE ONLY %s IN %s MODE;\n", steps->table, mode);
	if (old)
		pgm_buf_printf(out, "LOCK TABLE ONLY %s IN %s MODE;\n", steps->old, mode);
}

/* ATTACH and DETACH make and drop triggers on what foreign keys refer to. */
static void lock_references(struct pgm_buf *out, const struct steps *steps)
{
	for (size_t i = 0; i < steps->split->references.count; i++)
		pgm_buf_printf(out, "LOCK TABLE ONLY %s IN ACCESS EXCLUSIVE MODE;\n",
			       steps->split->references.items[i].table);
}

/*
 * The next of the table's that the copy has not yet, by one processor: the application wants the others. A
 * definition follows "CREATE INDEX name ON ONLY table ".
 */
static void build_index(struct pgm_buf *out, const struct steps *steps)
{
	struct pgm_arena *arena = steps->arena;
	const char *staging = pgm_quote_literal(arena, steps->staging);
	struct pgm_buf body;
	pgm_buf_init(&body, arena);
	pgm_buf_printf(
		&body,
		"DECLARE\n"
		"    pgmend_one record;\n"
		"BEGIN\n"
		"    FOR pgmend_one IN\n"
		"        WITH plain AS (\n"
		"            SELECT i.indrelid, i.indexrelid, s.spcname,\n"
		"                   pg_catalog.substr(pg_catalog.pg_get_indexdef(i.indexrelid), 1 + "
		"pg_catalog.length(\n"
		"                       pg_catalog.format('CREATE INDEX %%I ON ONLY %%I.%%I ', x.relname, "
		"n.nspname, t.relname)))\n"
		"                       AS definition\n"
		"              FROM pg_catalog.pg_index AS i\n"
		"              JOIN pg_catalog.pg_class AS x ON x.oid = i.indexrelid\n"
		"              JOIN pg_catalog.pg_class AS t ON t.oid = i.indrelid\n"
		"              JOIN pg_catalog.pg_namespace AS n ON n.oid = t.relnamespace\n"
		"              LEFT JOIN pg_catalog.pg_tablespace AS s ON s.oid = x.reltablespace\n"
		"             WHERE " PLAIN_INDEXES(
			"ANY (ARRAY[%s, %s]::regclass[])") "\n"
							   "        ), numbered AS (\n"
							   "            SELECT p.*, pg_catalog.row_number() "
							   "OVER (PARTITION BY p.indrelid, p.definition\n"
							   "                                                 "
							   "         ORDER BY p.indexrelid) AS n\n"
							   "              FROM plain AS p)\n"
							   "        SELECT w.definition, w.spcname\n"
							   "          FROM numbered AS w\n"
							   "         WHERE w.indrelid = %s::regclass\n"
							   "           AND NOT EXISTS (SELECT FROM numbered "
							   "AS h\n"
							   "                            WHERE h.indrelid = "
							   "%s::regclass AND h.definition = w.definition AND "
							   "h.n = w.n)\n"
							   "         ORDER BY w.indexrelid LIMIT 1 LOOP\n"
							   "        PERFORM "
							   "pg_catalog.set_config('max_parallel_maintenance_"
							   "workers', '0', true);\n"
							   "        PERFORM "
							   "pg_catalog.set_config('default_tablespace', "
							   "coalesce(pgmend_one.spcname, ''), true);\n"
							   "        EXECUTE pg_catalog.format('LOCK TABLE "
							   "%%s IN SHARE MODE', %s);\n"
							   "        EXECUTE pg_catalog.format('CREATE INDEX "
							   "ON %%s %%s', %s, pgmend_one.definition);\n"
							   "    END LOOP;\n"
							   "END\n",
		pgm_quote_literal(arena, steps->table), staging, pgm_quote_literal(arena, steps->table),
		staging, staging, staging);
	pgm_buf_add(out, pgm_swap_block(arena, pgm_sql_escape_controls(arena, body.text)));
}

/* Before the locks: it takes about a millisecond for each. Done again, it finds them apart. */
static void take_apart(struct pgm_buf *out, const struct steps *steps)
{
	struct pgm_arena *arena = steps->arena;
	struct pgm_buf body;
	pgm_buf_init(&body, arena);
	pgm_buf_printf(&body,
		       "DECLARE\n"
		       "    pgmend_piece regclass;\n"
		       "BEGIN\n"
		       "    FOR pgmend_piece IN SELECT i.inhrelid FROM pg_catalog.pg_inherits AS i\n"
		       "                         WHERE i.inhparent = %s::regclass LOOP\n"
		       "        EXECUTE pg_catalog.format('ALTER TABLE %%s DETACH PARTITION %%s', %s, "
		       "pgmend_piece);\n"
		       "    END LOOP;\n"
		       "END\n",
		       pgm_quote_literal(arena, steps->staging), pgm_quote_literal(arena, steps->staging));
	pgm_buf_add(out, pgm_swap_block(arena, pgm_sql_escape_controls(arena, body.text)));
}

/*
 * Before the locks others wait for: the swap would wait for a vacuum of one of them, and what the server
 * keeps of the catalogs for each table is read here, which would be a fifth of the time under the locks.
 */
static void get_ready(struct pgm_buf *out, const struct steps *steps)
{
	pgm_buf_printf(out, "LOCK TABLE ONLY %s", steps->old);
	for (size_t i = 0; i < steps->split->references.count; i++)
		pgm_buf_printf(out, ", ONLY %s", steps->split->references.items[i].table);
	for (size_t i = 0; i < steps->split->count; i++)
		pgm_buf_printf(out, ",\n    ONLY %s", piece_name(steps, i));
	pgm_buf_printf(out, " IN SHARE UPDATE EXCLUSIVE MODE;\n(SELECT FROM ONLY %s LIMIT 0)", steps->old);
	for (size_t i = 0; i < steps->split->count; i++)
		pgm_buf_printf(out, "\nUNION ALL (SELECT FROM ONLY %s LIMIT 0)", piece_name(steps, i));
	pgm_buf_add(out, ";\n");
}

static const char *swap_up(const struct steps *steps)
{
	struct pgm_arena *arena = steps->arena;
	const struct pgm_split *split = steps->split;
	struct pgm_buf out;
	pgm_buf_init(&out, arena);
	pgm_copy_apply_parts(&out, &split->forward);
	pgm_copy_guard(&out, &split->forward, more_guards(steps, split->indexes, true));
	pgm_copy_verify(&out, &split->forward);
	for (int i = 0; i < split->plain_indexes; i++)
		build_index(&out, steps);
	for (size_t i = 0; i < split->count; i++)
		for (size_t r = 0; r < split->references.count; r++)
			constraint(&out, piece_name(steps, i), split->references.items[r].name,
				   split->references.items[r].definition);
	pgm_buf_printf(&out, "ANALYZE %s;\n", steps->staging);
	take_apart(&out, steps);
	get_ready(&out, steps);
	/* While the last keys are applied readers need not wait. */
	lock_tables(&out, steps, true, "EXCLUSIVE");
	lock_tables(&out, steps, true, "ACCESS EXCLUSIVE");
	lock_references(&out, steps);
	pgm_buf_printf(&out, "ALTER TABLE %s DETACH PARTITION %s;\n", steps->table, steps->old);
	for (size_t r = 0; r < split->references.count; r++)
		if (*split->references.items[r].old_name)
			pgm_buf_printf(&out, "ALTER TABLE %s DROP CONSTRAINT %s;\n", steps->old,
				       split->references.items[r].old_name);
	for (size_t i = 0; i < split->count; i++)
		pgm_buf_printf(&out, "ALTER TABLE %s ATTACH PARTITION %s\n    %s;\n", steps->table,
			       piece_name(steps, i), pgm_bounds_for_values(arena, &split->ranges[i]));
	return out.text;
}

static const char *swap_down(const struct steps *steps)
{
	struct pgm_arena *arena = steps->arena;
	const struct pgm_split *split = steps->split;
	const struct pgm_range whole = {.to = split->until};
	const char *key = pgm_quote_ident(arena, split->key);
	struct pgm_buf out;
	pgm_buf_init(&out, arena);
	pgm_copy_apply(&out, &split->back);
	pgm_copy_guard(&out, &split->back, more_guards(steps, indexes_of(arena, steps->old), false));
	pgm_copy_verify(&out, &split->back);
	constraint(&out, steps->old, steps->check,
		   pgm_sprintf(arena, "CHECK %s", condition(arena, key, NULL, split->until)));
	for (size_t r = 0; r < split->references.count; r++)
		constraint(&out, steps->old,
			   *split->references.items[r].old_name ? split->references.items[r].old_name
								: split->references.items[r].name,
			   split->references.items[r].definition);
	get_ready(&out, steps);
	lock_tables(&out, steps, false, "ACCESS EXCLUSIVE");
	lock_references(&out, steps);
	for (size_t i = 0; i < split->count; i++)
		pgm_buf_printf(&out, "ALTER TABLE %s DETACH PARTITION %s;\n", steps->table,
			       piece_name(steps, i));
	pgm_buf_printf(&out,
		       "ALTER TABLE %s ATTACH PARTITION %s\n    %s;\n"
		       "ALTER TABLE %s DROP CONSTRAINT %s;\n",
		       steps->table, steps->old, pgm_bounds_for_values(arena, &whole), steps->old,
		       steps->check);
	return out.text;
}

static void add_swap(struct steps *steps)
{
	static const char *const evidence[] = {"First the log is applied until it is nearly empty, and all "
					       "rows are compared in one snapshot: count and",
					       "sum of hashes of each partition. Under the locks: the last "
					       "changed rows, then the catalogs alone."};
	struct pgm_change *change =
		add_step(steps, PGM_CHANGE_SWAP,
			 pgm_sprintf(steps->arena, "compare, then swap: the partitions take the place of %s",
				     steps->old),
			 "ACCESS EXCLUSIVE", evidence, 2);
	change->sql_up = swap_up(steps);
	change->sql_down = swap_down(steps);
	change = add_step(steps, PGM_CHANGE_SQL, "drop what held them together until then, empty now", "none",
			  NULL, 0);
	change->sql_up = change->sql_down =
		pgm_sprintf(steps->arena, "DROP TABLE IF EXISTS %s;\n", steps->staging);
}

void pgm_split_steps(struct pgm_arena *arena, const struct pgm_split *split, struct pgm_plan *plan)
{
	struct steps steps = {
		.arena = arena,
		.split = split,
		.table = pgm_quote_qualified(arena, split->schema, split->name),
		.old = pgm_quote_qualified(arena, split->old_schema, split->old_name),
		.staging = pgm_quote_qualified(arena, split->schema, split->staging),
		.check = pgm_quote_ident(arena, split->check),
	};
	add_pieces(&steps);
	add_capture(&steps);
	add_backfill(&steps);
	add_swap(&steps);
	*plan = pgm_plan_of(
		arena, "",
		pgm_sprintf(arena, "Split partition %s of %s into %zu", steps.old, steps.table, split->count),
		&steps.changes);
}
