#include "partition/copy_sql.h"

#include "pg/quote.h"

#include <string.h>

/* The list "before1after, before2after..." over the keys; k: k1, k2... */
static const char *each_key(const struct pgm_copy *copy, const char *format_before, const char *between)
{
	struct pgm_buf out;
	pgm_buf_init(&out, copy->arena);
	for (size_t i = 0; i < copy->keys.count; i++)
		pgm_buf_printf(&out, "%s%s%s", i ? between : "", format_before, copy->keys.items[i].name);
	return out.text;
}

static const char *log_columns(const struct pgm_copy *copy, const char *prefix)
{
	struct pgm_buf out;
	pgm_buf_init(&out, copy->arena);
	for (size_t i = 0; i < copy->keys.count; i++)
		pgm_buf_printf(&out, "%s%sk%zu", i ? ", " : "", prefix, i + 1);
	return out.text;
}

/* "left.a = k.k1 AND left.b = k.k2" */
static const char *same_key(const struct pgm_copy *copy, const char *left)
{
	struct pgm_buf out;
	pgm_buf_init(&out, copy->arena);
	for (size_t i = 0; i < copy->keys.count; i++)
		pgm_buf_printf(&out, "%s%s.%s = k.k%zu", i ? " AND " : "", left, copy->keys.items[i].name,
			       i + 1);
	return out.text;
}

/* "pg_catalog.unnest($3::bigint[], $4::timestamptz[]) AS k (k1, k2)" */
static const char *given_keys(const struct pgm_copy *copy)
{
	struct pgm_buf out;
	pgm_buf_init(&out, copy->arena);
	pgm_buf_add(&out, "ROWS FROM (");
	for (size_t i = 0; i < copy->keys.count; i++)
		pgm_buf_printf(&out, "%spg_catalog.unnest($%zu::%s[])", i ? ", " : "", i + 3,
			       copy->keys.items[i].type);
	pgm_buf_printf(&out, ") AS k (%s)", log_columns(copy, ""));
	return out.text;
}

static void create_function(struct pgm_buf *out, const struct pgm_copy *copy, const char *suffix,
			    const char *values)
{
	pgm_buf_printf(
		out,
		"CREATE FUNCTION %s_%s() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $pgmend$\n"
		"BEGIN\n"
		"    INSERT INTO %s VALUES (%s);\n"
		"    RETURN NULL;\n"
		"END\n"
		"$pgmend$;\n",
		copy->log, suffix, copy->log, values);
}

void pgm_copy_create_log(struct pgm_buf *out, const struct pgm_copy *copy)
{
	struct pgm_buf nulls;
	pgm_buf_init(&nulls, copy->arena);
	pgm_buf_printf(out, "CREATE TABLE %s (", copy->log);
	for (size_t i = 0; i < copy->keys.count; i++) {
		pgm_buf_printf(out, "%sk%zu %s", i ? ", " : "", i + 1, copy->keys.items[i].type);
		pgm_buf_printf(&nulls, "%sNULL", i ? ", " : "");
	}
	pgm_buf_add(out,
		    ")\n    WITH (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 10000,\n"
		    /* To give its end back to the disk takes a lock that the table's writers wait for. */
		    "          vacuum_truncate = off);\n");
	create_function(out, copy, "new", each_key(copy, "NEW.", ", "));
	create_function(out, copy, "old", each_key(copy, "OLD.", ", "));
	/* A log with such a row cannot be applied: the guard sees it. */
	create_function(out, copy, "truncated", nulls.text);
}

static void create_trigger(struct pgm_buf *out, const struct pgm_copy *copy, const char *table,
			   const char *name, const char *when, const char *function)
{
	const char *quoted =
		pgm_quote_ident(copy->arena, pgm_sprintf(copy->arena, "%s_%s", copy->triggers, name));
	pgm_buf_printf(out,
		       "CREATE TRIGGER %s %s\n    EXECUTE FUNCTION %s_%s();\n"
		       "ALTER TABLE %s ENABLE ALWAYS TRIGGER %s;\n",
		       quoted, when, copy->log, function, table, quoted);
}

#define NOT_OURS "pg_catalog.current_setting('pgmend.copying', true) IS DISTINCT FROM 'on'"

void pgm_copy_create_triggers(struct pgm_buf *out, const struct pgm_copy *copy, const char *table)
{
	struct pgm_arena *arena = copy->arena;
	create_trigger(out, copy, table, "new",
		       pgm_sprintf(arena,
				   "AFTER INSERT OR UPDATE ON %s FOR EACH ROW\n    WHEN (" NOT_OURS ")",
				   table),
		       "new");
	create_trigger(out, copy, table, "moved",
		       pgm_sprintf(arena,
				   "AFTER UPDATE ON %s FOR EACH ROW\n    WHEN (ROW(%s) IS DISTINCT FROM "
				   "ROW(%s) AND " NOT_OURS ")",
				   table, each_key(copy, "OLD.", ", "), each_key(copy, "NEW.", ", ")),
		       "old");
	create_trigger(out, copy, table, "gone",
		       pgm_sprintf(arena, "AFTER DELETE ON %s FOR EACH ROW\n    WHEN (" NOT_OURS ")", table),
		       "old");
	create_trigger(out, copy, table, "truncated",
		       pgm_sprintf(arena, "AFTER TRUNCATE ON %s FOR EACH STATEMENT", table), "truncated");
}

void pgm_copy_drop_triggers(struct pgm_buf *out, const struct pgm_copy *copy, const char *table)
{
	static const char *const names[] = {"new", "moved", "gone", "truncated"};
	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
		pgm_buf_printf(out, "DROP TRIGGER IF EXISTS %s ON %s;\n",
			       pgm_quote_ident(copy->arena,
					       pgm_sprintf(copy->arena, "%s_%s", copy->triggers, names[i])),
			       table);
}

void pgm_copy_drop_log(struct pgm_buf *out, const struct pgm_copy *copy)
{
	pgm_buf_printf(out,
		       "DROP FUNCTION IF EXISTS %s_new();\n"
		       "DROP FUNCTION IF EXISTS %s_old();\n"
		       "DROP FUNCTION IF EXISTS %s_truncated();\n"
		       "DROP TABLE IF EXISTS %s;\n",
		       copy->log, copy->log, copy->log, copy->log);
}

/*
 * The settings hold for the transaction: no trigger of ours for what we write, an error rather than rows that
 * a policy hides, and plans that look each key up in an index whatever the statistics say.
 */
static void take(struct pgm_buf *out, const struct pgm_copy *copy)
{
	pgm_buf_printf(
		out,
		"WITH taken AS (\n"
		"        DELETE FROM %s\n"
		"         WHERE ctid = ANY (ARRAY(SELECT l.ctid FROM %s AS l WHERE l.k1 IS NOT NULL LIMIT "
		"$1::bigint))\n"
		"        RETURNING %s),\n"
		"     keys AS (SELECT DISTINCT %s FROM taken)\n"
		"SELECT (SELECT count(*) FROM taken) AS handled",
		copy->log, copy->log, log_columns(copy, ""), log_columns(copy, ""));
	for (size_t i = 0; i < copy->keys.count; i++)
		pgm_buf_printf(out, ",\n       pg_catalog.array_agg(k%zu)", i + 1);
	pgm_buf_add(out, "\n  FROM keys\n"
			 "HAVING pg_catalog.set_config('pgmend.copying', 'on', true) IS NOT NULL\n"
			 "   AND pg_catalog.set_config('row_security', 'off', true) IS NOT NULL\n"
			 "   AND pg_catalog.set_config('enable_hashjoin', 'off', true) IS NOT NULL\n"
			 "   AND pg_catalog.set_config('enable_mergejoin', 'off', true) IS NOT NULL\n"
			 "   AND pg_catalog.set_config('enable_seqscan', 'off', true) IS NOT NULL;\n");
}

void pgm_copy_apply(struct pgm_buf *out, const struct pgm_copy *copy)
{
	take(out, copy);
	pgm_buf_printf(out,
		       "WITH removed AS (\n"
		       "        DELETE FROM %s AS c\n"
		       "         USING %s\n"
		       "         WHERE %s\n"
		       "        RETURNING 1)\n"
		       "SELECT 0 AS handled FROM (SELECT count(*) FROM removed) AS r;\n",
		       copy->copy, given_keys(copy), same_key(copy, "c"));
	pgm_buf_printf(out,
		       "WITH added AS (\n"
		       "        INSERT INTO %s (%s) OVERRIDING SYSTEM VALUE\n"
		       "        SELECT r.*\n"
		       "          FROM %s\n"
		       "         CROSS JOIN LATERAL (SELECT %s FROM %s AS s WHERE %s OFFSET 0) AS r\n"
		       "        RETURNING 1)\n"
		       "SELECT 0 AS handled FROM (SELECT count(*) FROM added) AS a;\n",
		       copy->copy, copy->columns, given_keys(copy), copy->columns, copy->source,
		       same_key(copy, "s"));
}

/* " AND k.k2 >= low AND k.k2 < high": what belongs to a part. Behind another condition, or WHERE true. */
static const char *within_part(const struct pgm_copy *copy, const char *column,
			       const struct pgm_copy_part *part)
{
	struct pgm_buf out;
	pgm_buf_init(&out, copy->arena);
	if (part->from)
		pgm_buf_printf(&out, " AND %s >= %s", column, pgm_quote_literal(copy->arena, part->from));
	if (part->to)
		pgm_buf_printf(&out, " AND %s < %s", column, pgm_quote_literal(copy->arena, part->to));
	return out.text;
}

/* Which column of the given keys decides about the part. */
static const char *given_part_key(const struct pgm_copy *copy)
{
	size_t i = 0;
	while (i + 1 < copy->keys.count && strcmp(copy->keys.items[i].name, copy->part_key) != 0)
		i++;
	return pgm_sprintf(copy->arena, "k.k%zu", i + 1);
}

void pgm_copy_apply_parts(struct pgm_buf *out, const struct pgm_copy *copy)
{
	const char *given = given_part_key(copy);
	take(out, copy);
	pgm_buf_printf(out, "WITH k AS MATERIALIZED (SELECT * FROM %s)", given_keys(copy));
	for (size_t i = 0; i < copy->parts.count; i++)
		pgm_buf_printf(out, ",\n     r%zu AS (DELETE FROM %s AS c USING k WHERE %s%s)", i,
			       copy->parts.items[i].table, same_key(copy, "c"),
			       within_part(copy, given, &copy->parts.items[i]));
	pgm_buf_printf(out,
		       "\nSELECT 0 AS handled;\n"
		       "WITH r AS MATERIALIZED (\n"
		       "        SELECT r.*\n"
		       "          FROM %s\n"
		       "         CROSS JOIN LATERAL (SELECT %s FROM %s AS s WHERE %s OFFSET 0) AS r)",
		       given_keys(copy), copy->columns, copy->source, same_key(copy, "s"));
	for (size_t i = 0; i < copy->parts.count; i++)
		pgm_buf_printf(
			out,
			",\n     a%zu AS (INSERT INTO %s (%s) OVERRIDING SYSTEM VALUE SELECT * FROM r WHERE "
			"true%s)",
			i, copy->parts.items[i].table, copy->columns,
			within_part(copy, pgm_sprintf(copy->arena, "r.%s", copy->part_key),
				    &copy->parts.items[i]));
	pgm_buf_add(out, "\nSELECT 0 AS handled;\n");
}

/* "(TABLE a UNION ALL TABLE b)" */
static const char *all_parts(const struct pgm_copy *copy)
{
	struct pgm_buf out;
	pgm_buf_init(&out, copy->arena);
	for (size_t i = 0; i < copy->parts.count; i++)
		pgm_buf_printf(&out, "%sTABLE %s", i ? " UNION ALL " : "(", copy->parts.items[i].table);
	pgm_buf_char(&out, ')');
	return out.text;
}

/* Where the primary key is one whole number, how far a page is can be told. */
static const char *fraction(const struct pgm_copy *copy)
{
	const struct pgm_copy_key *key = &copy->keys.items[0];
	bool one = copy->keys.count == 1 || !copy->keys.items[1].ordered;
	if (!one || !(strcmp(key->type, "bigint") == 0 || strcmp(key->type, "integer") == 0))
		return "NULL";
	return pgm_sprintf(
		copy->arena,
		"(SELECT least(1, (p.%s - b.low + 1) / (b.high - b.low + 1.0)) FROM last AS p CROSS JOIN\n"
		"               (SELECT min(s.%s)::numeric AS low, max(s.%s)::numeric AS high FROM %s AS s) "
		"AS b)",
		key->name, key->name, key->name, copy->source);
}

void pgm_copy_page(struct pgm_buf *out, const struct pgm_copy *copy)
{
	struct pgm_arena *arena = copy->arena;
	struct pgm_buf order, backwards, after, cursor;
	pgm_buf_init(&order, arena);
	pgm_buf_init(&backwards, arena);
	pgm_buf_init(&after, arena);
	pgm_buf_init(&cursor, arena);
	for (size_t i = 0; i < copy->keys.count && copy->keys.items[i].ordered; i++) {
		const struct pgm_copy_key *key = &copy->keys.items[i];
		const char *comma = i ? ", " : "";
		pgm_buf_printf(&order, "%ss.%s", comma, key->name);
		pgm_buf_printf(&backwards, "%sp.%s DESC", comma, key->name);
		pgm_buf_printf(&after, "%s($2::jsonb ->> %zu)::%s", comma, i, key->type);
		pgm_buf_printf(&cursor, "%sp.%s::text", comma, key->name);
	}
	pgm_buf_printf(out,
		       "WITH page AS MATERIALIZED (\n"
		       "        SELECT %s\n"
		       "          FROM %s AS s\n"
		       "         WHERE $2::text IS NULL OR (%s) > (%s)\n"
		       "         ORDER BY %s\n"
		       "         LIMIT $1::bigint),\n"
		       "     last AS (SELECT p.* FROM page AS p ORDER BY %s LIMIT 1),\n"
		       "     copied AS (\n"
		       "        INSERT INTO %s (%s) OVERRIDING SYSTEM VALUE\n"
		       "        SELECT %s FROM page\n"
		       "        ON CONFLICT (%s) DO NOTHING\n"
		       "        RETURNING 1)\n"
		       "SELECT (SELECT pg_catalog.jsonb_build_array(%s)::text FROM last AS p) AS cursor,\n"
		       "       (SELECT count(*) FROM copied) AS handled,\n"
		       "       %s AS fraction;\n",
		       copy->columns, copy->source, order.text, after.text, order.text, backwards.text,
		       copy->copy, copy->columns, copy->columns, each_key(copy, "", ", "), cursor.text,
		       fraction(copy));
}

/*
 * Each table's triggers must be those that were made with the log, in the same transaction, and on: their
 * rows in pg_trigger get another xmin when somebody switches them off and on.
 */
static void guard_triggers(struct pgm_buf *out, const struct pgm_copy *copy)
{
	struct pgm_arena *arena = copy->arena;
	const char *log = pgm_quote_literal(arena, copy->log);
	const char *tables = "";
	for (size_t i = 0; i < copy->captured.count; i++)
		tables = pgm_sprintf(arena, "%s%s%s", tables, i ? ", " : "",
				     pgm_quote_literal(arena, copy->captured.items[i]));
	pgm_buf_printf(
		out,
		"SELECT 'a trigger of pgmend on ' || w.name || ' was dropped or switched off'\n"
		"  FROM pg_catalog.unnest(ARRAY[%s]) AS w (name)\n"
		" WHERE 4 <> (SELECT count(*) FROM pg_catalog.pg_trigger AS g\n"
		"              WHERE g.tgrelid = pg_catalog.to_regclass(w.name)\n"
		"                AND pg_catalog.starts_with(g.tgname, %s) AND g.tgenabled = 'A'\n"
		"                AND g.xmin = (SELECT a.xmin FROM pg_catalog.pg_attribute AS a\n"
		"                               WHERE a.attrelid = pg_catalog.to_regclass(%s) AND a.attnum = "
		"1))\n",
		tables, pgm_quote_literal(arena, copy->triggers), log);
}

static const char *columns_of(const struct pgm_copy *copy, const char *table)
{
	return pgm_sprintf(
		copy->arena,
		"(SELECT pg_catalog.string_agg(pg_catalog.format('%%I %%s %%s %%s %%s', a.attname,\n"
		"               pg_catalog.format_type(a.atttypid, a.atttypmod), a.attcollation, "
		"a.attnotnull, "
		"a.attgenerated), ', ' ORDER BY a.attname)\n"
		"          FROM pg_catalog.pg_attribute AS a\n"
		"         WHERE a.attrelid = pg_catalog.to_regclass(%s) AND a.attnum > 0 AND NOT "
		"a.attisdropped)",
		pgm_quote_literal(copy->arena, table));
}

void pgm_copy_guard(struct pgm_buf *out, const struct pgm_copy *copy, const char *more)
{
	struct pgm_arena *arena = copy->arena;
	guard_triggers(out, copy);
	pgm_buf_printf(out,
		       " UNION ALL\n"
		       "SELECT %s\n"
		       " WHERE EXISTS (SELECT FROM %s AS l WHERE l.k1 IS NULL)\n"
		       " UNION ALL\n"
		       "SELECT %s\n"
		       " WHERE %s\n    IS DISTINCT FROM %s\n%s;\n",
		       pgm_quote_literal(
			       arena, pgm_sprintf(arena, "table %s was truncated meanwhile", copy->source)),
		       copy->log,
		       pgm_quote_literal(arena, pgm_sprintf(arena, "the columns of %s were changed meanwhile",
							    copy->source)),
		       columns_of(copy, copy->source), columns_of(copy, copy->copy), more);
}

/* One side of the comparison: the rows whose keys do not stand in the log, by the part that they belong to.
 */
static void side(struct pgm_buf *out, const struct pgm_copy *copy, const char *table, int here,
		 const char *within)
{
	pgm_buf_printf(out,
		       "        SELECT pg_catalog.width_bucket(s.%s, b.bounds) AS part, %d AS here,\n"
		       "               pg_catalog.hashtextextended(ROW(",
		       copy->part_key, here);
	for (size_t i = 0; i < copy->compared.count; i++)
		pgm_buf_printf(out, "%ss.%s", i ? ", " : "", copy->compared.items[i]);
	pgm_buf_printf(out,
		       ")::text, 0) AS hash\n"
		       "          FROM %s AS s\n"
		       "         CROSS JOIN bounds AS b\n"
		       "         WHERE NOT EXISTS (SELECT FROM log AS k WHERE %s)%s%s%s\n",
		       table, same_key(copy, "s"), within ? " AND (" : "", within ? within : "",
		       within ? ")" : "");
}

void pgm_copy_verify(struct pgm_buf *out, const struct pgm_copy *copy)
{
	struct pgm_arena *arena = copy->arena;
	struct pgm_buf bounds, names;
	pgm_buf_init(&bounds, arena);
	pgm_buf_init(&names, arena);
	for (size_t i = 0; i < copy->parts.count; i++) {
		if (i)
			pgm_buf_printf(&bounds, "%s%s", i > 1 ? ", " : "",
				       pgm_quote_literal(arena, copy->parts.items[i].from));
		pgm_buf_printf(&names, "%s(%zu, %s)", i ? ", " : "", i,
			       pgm_quote_literal(arena, copy->parts.items[i].name));
	}
	pgm_buf_printf(out,
		       "WITH log AS MATERIALIZED (SELECT DISTINCT %s FROM %s AS l WHERE l.k1 IS NOT NULL),\n"
		       "     bounds AS (SELECT ARRAY[%s]::%s[] AS bounds),\n"
		       "     both_sides AS (\n",
		       log_columns(copy, "l."), copy->log, bounds.text, copy->part_type);
	side(out, copy, copy->source, 1, copy->within);
	pgm_buf_add(out, "         UNION ALL\n");
	side(out, copy, copy->in_parts ? all_parts(copy) : copy->copy, 0, NULL);
	pgm_buf_printf(out,
		       "     ), sums AS (\n"
		       "        SELECT r.part, count(*) FILTER (WHERE r.here = 1) AS source_rows,\n"
		       "               coalesce(sum(r.hash) FILTER (WHERE r.here = 1), 0) AS source_hash,\n"
		       "               count(*) FILTER (WHERE r.here = 0) AS copy_rows,\n"
		       "               coalesce(sum(r.hash) FILTER (WHERE r.here = 0), 0) AS copy_hash\n"
		       "          FROM both_sides AS r\n"
		       "         GROUP BY r.part)\n"
		       "SELECT n.name, coalesce(s.source_rows, 0), coalesce(s.source_hash, 0), "
		       "coalesce(s.copy_rows, 0),\n"
		       "       coalesce(s.copy_hash, 0)\n"
		       "  FROM (VALUES %s) AS n (part, name)\n"
		       "  LEFT JOIN sums AS s ON s.part = n.part\n"
		       " ORDER BY n.part;\n",
		       names.text);
}
