#include "partition/upkeep_parts.h"

#include "pg/quote.h"
#include "util/buf.h"
#include "util/embedded.h"
#include "util/vec.h"

#include <stdlib.h>
#include <string.h>

/* A DEFAULT partition up to this size is read under the lock of ATTACH; it takes some ten milliseconds. */
#define DEFAULT_SMALL_BYTES (16 << 20)

#define GUARD "pgmend_upkeep" /* the constraint that saves ATTACH from reading a large DEFAULT partition */

struct maker {
	struct pgm_conn *conn;
	struct pgm_arena *arena;
	struct pgm_upkeep_table *table;
	pgm_changes changes;
	const struct pgm_upkeep_part *sibling; /* NULL: none */
	const char *schema;
	const char *columns; /* of the DEFAULT partition, quoted, with commas */
	bool large_default;
	bool guarded; /* a range is put behind the constraint */
};

static struct pgm_change *add_change(struct maker *maker, const char *title, const char *sql,
				     const char *lock)
{
	struct pgm_change *change = pgm_change_add(maker->arena, &maker->changes, maker->table->schema,
						   maker->table->name, title, lock);
	change->sql_up = sql;
	return change;
}

/* "'2026-01-01'::date" */
static const char *literal(struct maker *maker, const char *value)
{
	return pgm_sprintf(maker->arena, "%s::%s", pgm_quote_literal(maker->arena, value),
			   maker->table->key_type);
}

static const char *inside(struct maker *maker, const struct pgm_upkeep_range *range)
{
	const char *key = pgm_quote_ident(maker->arena, maker->table->key);
	return pgm_sprintf(maker->arena, "%s >= %s AND %s < %s", key, literal(maker, range->low), key,
			   literal(maker, range->high));
}

/* How the DEFAULT partition stands to a range. *rows: of the range in it, at most the limit and one more. */
static bool count_in_default(struct maker *maker, const struct pgm_upkeep_range *range, int64_t *rows,
			     struct pgm_error *err)
{
	struct pgm_upkeep_table *table = maker->table;
	char *count;
	*rows = 0;
	if (!table->default_oid || table->default_rows == 0)
		return true;
	const char *sql =
		pgm_sprintf(maker->arena, "SELECT count(*) FROM (SELECT FROM %s WHERE %s LIMIT %d) AS found",
			    table->default_quoted, inside(maker, range), PGM_UPKEEP_DEFAULT_ROWS + 1);
	if (!pgm_conn_value(maker->conn, maker->arena, sql, 0, NULL, &count, err))
		return pgm_error_context(err, "looking into the DEFAULT partition %s", table->default_quoted);
	*rows = count ? strtoll(count, NULL, 10) : 0;
	return true;
}

static bool look_at_default(struct maker *maker, struct pgm_error *err)
{
	struct pgm_upkeep_table *table = maker->table;
	struct pgm_rows rows;
	const char *params[] = {table->default_oid, GUARD};
	if (!table->default_oid)
		return true;
	if (!pgm_conn_query(
		    maker->conn, maker->arena,
		    "SELECT CASE WHEN c.relkind = 'r' THEN pg_catalog.pg_relation_size(c.oid) ELSE 0 END, "
		    "EXISTS (SELECT FROM pg_catalog.pg_constraint AS k WHERE k.conrelid = c.oid AND "
		    "k.conname = $2), "
		    "(SELECT pg_catalog.string_agg(pg_catalog.quote_ident(a.attname), ', ' ORDER BY "
		    "a.attnum) "
		    "FROM pg_catalog.pg_attribute AS a WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT "
		    "a.attisdropped AND a.attgenerated = ''), "
		    "EXISTS (SELECT FROM pg_catalog.pg_trigger AS t WHERE t.tgrelid = c.oid AND NOT "
		    "t.tgisinternal) FROM pg_catalog.pg_class AS c WHERE c.oid = $1::oid",
		    2, params, &rows, err))
		return pgm_error_context(err, "looking at the DEFAULT partition %s", table->default_quoted);
	maker->large_default =
		rows.count && table->default_rows > 0 && pgm_rows_int(&rows, 0, 0) > DEFAULT_SMALL_BYTES;
	maker->columns = rows.count ? pgm_rows_text(&rows, 0, 2) : "";
	if (table->settings.fix_default && table->default_rows > 0 &&
	    (table->referenced || (rows.count && pgm_rows_bool(&rows, 0, 3)))) {
		table->settings.fix_default = false;
		pgm_upkeep_note(maker->arena, table, true,
				"rows of the DEFAULT partition are not moved: %s would see them deleted",
				table->referenced ? "foreign keys that reference the table" : "its triggers");
	}
	if (rows.count && pgm_rows_bool(&rows, 0, 1))
		add_change(maker,
			   pgm_sprintf(maker->arena, "remove what an earlier run left at %s",
				       table->default_quoted),
			   pgm_sprintf(maker->arena, "ALTER TABLE %s DROP CONSTRAINT " GUARD ";\n",
				       table->default_quoted),
			   "ACCESS EXCLUSIVE");
	return true;
}

/*
 * ATTACH must know that no row of the DEFAULT partition belongs to the new one. A constraint that says so,
 * and is validated before, spares it the reading under an ACCESS EXCLUSIVE lock. While it stands, a row for
 * these ranges is refused: so only for ranges that have not begun.
 */
static void guard_default(struct maker *maker, const struct pgm_upkeep_range *first,
			  const struct pgm_upkeep_range *last)
{
	const char *name = maker->table->default_quoted;
	const char *key = pgm_quote_ident(maker->arena, maker->table->key);
	add_change(maker,
		   pgm_sprintf(maker->arena, "promise that %s has no row from %s on", name, first->low),
		   pgm_sprintf(maker->arena,
			       "ALTER TABLE %s ADD CONSTRAINT " GUARD
			       " CHECK (%s IS NULL OR %s < %s OR %s >= %s) NOT "
			       "VALID;\n",
			       name, key, key, literal(maker, first->low), key, literal(maker, last->high)),
		   "ACCESS EXCLUSIVE");
	add_change(maker, pgm_sprintf(maker->arena, "verify that %s has none", name),
		   pgm_sprintf(maker->arena, "ALTER TABLE %s VALIDATE CONSTRAINT " GUARD ";\n", name),
		   "SHARE UPDATE EXCLUSIVE");
	maker->guarded = true;
}

/* Takes the new partition away again, unless it holds rows. */
static const char *way_back(struct maker *maker, const char *name)
{
	const char *body = pgm_sprintf(
		maker->arena,
		"BEGIN LOCK TABLE %s IN ACCESS EXCLUSIVE MODE; IF EXISTS (SELECT FROM %s) THEN RAISE "
		"EXCEPTION 'the partition holds rows: it stays'; END IF; ALTER TABLE %s DETACH "
		"PARTITION %s; DROP TABLE %s; END",
		name, name, maker->table->quoted, name, name);
	return pgm_sprintf(maker->arena, "DO %s;\n", pgm_quote_literal(maker->arena, body));
}

static bool make_one(struct maker *maker, const struct pgm_upkeep_range *range, int64_t rows_to_move,
		     struct pgm_error *err)
{
	struct pgm_arena *arena = maker->arena;
	struct pgm_upkeep_table *table = maker->table;
	const char *name = pgm_quote_qualified(arena, maker->schema, range->name);
	const char *params[] = {table->oid, maker->sibling ? maker->sibling->oid : "0", name, table->quoted,
				range->name};
	struct pgm_rows rows;
	struct pgm_buf sql;
	pgm_buf_init(&sql, arena);
	if (!pgm_conn_query(maker->conn, arena, pgm_embedded_text("partition/sql/upkeep_make.sql"), 5, params,
			    &rows, err))
		return pgm_error_context(err, "reading what its partitions are like");
	for (size_t r = 0; r < rows.count; r++)
		pgm_buf_printf(&sql, "%s;\n", pgm_rows_text(&rows, r, 0));
	if (rows_to_move)
		pgm_buf_printf(&sql,
			       "LOCK TABLE %s IN SHARE ROW EXCLUSIVE MODE;\n"
			       "WITH moved AS (DELETE FROM ONLY %s WHERE %s RETURNING %s)\n"
			       "INSERT INTO %s (%s) SELECT %s FROM moved;\n",
			       table->default_quoted, table->default_quoted, inside(maker, range),
			       maker->columns, name, maker->columns, maker->columns);
	pgm_buf_printf(&sql, "ALTER TABLE %s ATTACH PARTITION %s FOR VALUES FROM (%s) TO (%s);\n",
		       table->quoted, name, pgm_quote_literal(arena, range->low),
		       pgm_quote_literal(arena, range->high));
	const char *moves = rows_to_move ? pgm_sprintf(arena, ", with %lld row%s of the DEFAULT partition",
						       (long long)rows_to_move, rows_to_move == 1 ? "" : "s")
					 : "";
	struct pgm_change *change = add_change(
		maker, pgm_sprintf(arena, "make %s for %s to %s%s", name, range->low, range->high, moves),
		sql.text,
		table->default_oid ? "SHARE UPDATE EXCLUSIVE, of the DEFAULT partition ACCESS EXCLUSIVE"
				   : "SHARE UPDATE EXCLUSIVE");
	if (!rows_to_move)
		change->sql_down = way_back(maker, name);
	return true;
}

static bool begins_later(const struct pgm_upkeep_table *table, const struct pgm_upkeep_range *range,
			 bool *later, struct pgm_conn *conn, struct pgm_arena *arena, struct pgm_error *err)
{
	char *value;
	if (table->class == PGM_UPKEEP_INTEGER)
		return *later = strtoll(range->low, NULL, 10) > table->now_pos, true;
	const char *params[] = {range->local, table->zone, table->now_at};
	bool zoned = table->class == PGM_UPKEEP_TIMESTAMPTZ || table->class == PGM_UPKEEP_EPOCH;
	if (!zoned)
		params[1] = "UTC";
	if (!pgm_conn_value(conn, arena, "SELECT $1::timestamp AT TIME ZONE $2 > $3::timestamptz", 3, params,
			    &value, err))
		return false;
	*later = value && *value == 't';
	return true;
}

/* Whether the range can have its partition now; else a note says why not. */
static bool judge(struct maker *maker, const struct pgm_upkeep_range *range, int64_t *move, bool *go,
		  struct pgm_error *err)
{
	struct pgm_upkeep_table *table = maker->table;
	int64_t rows;
	bool later;
	*go = true;
	*move = 0;
	if (!count_in_default(maker, range, &rows, err) ||
	    !begins_later(table, range, &later, maker->conn, maker->arena, err))
		return false;
	if (rows &&
	    (!table->settings.fix_default || rows > PGM_UPKEEP_DEFAULT_ROWS || table->default_kind != 'r')) {
		*go = false;
		pgm_upkeep_note(
			maker->arena, table, true,
			"%s cannot be made: %s%lld rows of %s to %s are in the DEFAULT partition %s%s",
			pgm_quote_ident(maker->arena, range->name),
			rows > PGM_UPKEEP_DEFAULT_ROWS ? "over " : "",
			(long long)(rows > PGM_UPKEEP_DEFAULT_ROWS ? PGM_UPKEEP_DEFAULT_ROWS : rows),
			range->low, range->high, table->default_quoted,
			table->settings.fix_default ? "" : " (--fix-default moves them)");
	} else if (rows) {
		*move = rows;
	} else if (maker->large_default && !later && !table->settings.fix_default) {
		*go = false;
		pgm_upkeep_note(
			maker->arena, table, true,
			"%s is not made: the DEFAULT partition %s is large and would be read under a lock "
			"(--fix-default makes it all the same)",
			pgm_quote_ident(maker->arena, range->name), table->default_quoted);
	}
	return true;
}

/* The ranges of a large DEFAULT partition that have not begun, as long as they follow each other. */
static bool guard(struct maker *maker, const struct pgm_upkeep_range *ranges, const bool *go,
		  const int64_t *move, size_t count, struct pgm_error *err)
{
	if (!maker->large_default)
		return true;
	for (size_t i = 0; i < count; i++) {
		bool later;
		if (!go[i] || move[i])
			continue;
		if (!begins_later(maker->table, &ranges[i], &later, maker->conn, maker->arena, err))
			return false;
		size_t end = i;
		while (later && end + 1 < count && go[end + 1] && !move[end + 1] &&
		       strcmp(ranges[end].high, ranges[end + 1].low) == 0)
			end++;
		if (later && end + 1 == count)
			return guard_default(maker, &ranges[i], &ranges[end]), true;
	}
	return true;
}

bool pgm_upkeep_plan_new(struct pgm_conn *conn, struct pgm_arena *arena, struct pgm_upkeep_table *table,
			 const struct pgm_upkeep_range *ranges, size_t count, struct pgm_error *err)
{
	struct maker maker = {.conn = conn, .arena = arena, .table = table, .schema = table->schema};
	bool *go = PGM_NEW_ARRAY(arena, bool, count + 1);
	int64_t *move = PGM_NEW_ARRAY(arena, int64_t, count + 1);
	size_t made = 0;
	for (size_t i = table->part_count; i-- > 0 && !maker.sibling;)
		if (table->parts[i].low && table->parts[i].high)
			maker.sibling = &table->parts[i];
	if (maker.sibling) {
		maker.schema = maker.sibling->schema;
		if (maker.sibling->kind != 'r') {
			pgm_upkeep_note(arena, table, true,
					"its partitions are %s: new ones are not made here",
					maker.sibling->kind == 'p' ? "partitioned again" : "foreign tables");
			return true;
		}
	}
	if (!look_at_default(&maker, err))
		return false;
	for (size_t i = 0; i < count; i++)
		if (!judge(&maker, &ranges[i], &move[i], &go[i], err))
			return false;
	if (!guard(&maker, ranges, go, move, count, err))
		return false;
	for (size_t i = 0; i < count; i++) {
		if (go[i] && !make_one(&maker, &ranges[i], move[i], err))
			return false;
		made += go[i];
	}
	if (maker.guarded)
		add_change(&maker, pgm_sprintf(arena, "take the promise from %s", table->default_quoted),
			   pgm_sprintf(arena, "ALTER TABLE %s DROP CONSTRAINT " GUARD ";\n",
				       table->default_quoted),
			   "ACCESS EXCLUSIVE");
	if (maker.changes.count == 0)
		return true;
	pgm_upkeep_add_plan(conn, arena, table,
			    pgm_sprintf(arena, "%zu new partition%s", made, made == 1 ? "" : "s"),
			    &maker.changes, false);
	return true;
}
