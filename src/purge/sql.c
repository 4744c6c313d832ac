#include "purge/parts.h"

#include "pg/quote.h"
#include "sql/lex.h"

#include <string.h>

const char *pgm_purge_keys_name(struct pgm_arena *arena, const char *prefix,
				const struct pgm_purge_table *table)
{
	return pgm_sprintf(arena, "%s%d", prefix, table->number);
}

void pgm_purge_join(struct pgm_buf *sql, const struct pgm_purge_key *key, const char *parent_alias,
		    const char *child_alias)
{
	for (size_t i = 0; i < key->column_count; i++)
		pgm_buf_printf(sql, "%s%s.%s %s %s.%s", i ? " AND " : "", parent_alias,
			       pgm_quote_ident(sql->arena, key->parent_columns[i]), key->operators[i],
			       child_alias, pgm_quote_ident(sql->arena, key->columns[i]));
}

void pgm_purge_identity_join(struct pgm_buf *sql, const struct pgm_purge_table *table, const char *alias,
			     const char *keys_alias)
{
	for (size_t i = 0; i < table->identity_count; i++)
		pgm_buf_printf(sql, "%s%s.%s = %s.k%zu", i ? " AND " : "", alias,
			       pgm_quote_ident(sql->arena, table->identity[i]), keys_alias, i + 1);
}

static int identity_place(const struct pgm_purge_table *table, const char *column)
{
	for (size_t i = 0; i < table->identity_count; i++)
		if (strcmp(table->identity[i], column) == 0)
			return (int)i + 1;
	return 0;
}

/* Whether the table of keys alone tells which children a row has. */
static bool by_identity(const struct pgm_purge_key *key)
{
	for (size_t i = 0; i < key->column_count; i++)
		if (!identity_place(key->parent, key->parent_columns[i]))
			return false;
	return true;
}

void pgm_purge_parents(struct pgm_buf *sql, const struct pgm_purge_key *key, const char *prefix,
		       const char *keys_alias, const char *parent_alias)
{
	const char *keys = pgm_purge_keys_name(sql->arena, prefix, key->parent);
	if (pgm_purge_in_runs(key->parent))
		keys = pgm_sprintf(sql->arena, "(SELECT " PGM_PURGE_RUN_KEYS "::%s AS k1 FROM %s AS r)",
				   key->parent->identity_types[0], keys);
	pgm_buf_printf(sql, "%s AS %s", keys, keys_alias);
	if (!by_identity(key))
		pgm_buf_printf(sql, ", %s AS %s", key->parent->quoted, parent_alias);
}

void pgm_purge_child_join(struct pgm_buf *sql, const struct pgm_purge_key *key, const char *keys_alias,
			  const char *parent_alias, const char *child_alias)
{
	if (!by_identity(key)) {
		pgm_purge_identity_join(sql, key->parent, parent_alias, keys_alias);
		pgm_buf_add(sql, " AND ");
		pgm_purge_join(sql, key, parent_alias, child_alias);
		return;
	}
	for (size_t i = 0; i < key->column_count; i++)
		pgm_buf_printf(sql, "%s%s.k%d %s %s.%s", i ? " AND " : "", keys_alias,
			       identity_place(key->parent, key->parent_columns[i]), key->operators[i],
			       child_alias, pgm_quote_ident(sql->arena, key->columns[i]));
}

/* Whether its keys are looked up by value, or must not be there twice. */
static bool needs_unique(const struct pgm_purge_table *table)
{
	if (table->self || table->up_count > 1)
		return true;
	for (size_t i = 0; i < table->key_count; i++)
		if (table->keys[i]->child && table->keys[i]->child->key_count)
			return true;
	return false;
}

bool pgm_purge_by_integer(const struct pgm_purge_table *table)
{
	static const char *const types[] = {"bigint", "integer", "smallint"};
	if (table->identity_count != 1)
		return false;
	for (size_t i = 0; i < sizeof(types) / sizeof(*types); i++)
		if (strcmp(table->identity_types[0], types[i]) == 0)
			return true;
	return false;
}

bool pgm_purge_in_runs(const struct pgm_purge_table *table)
{
	return pgm_purge_by_integer(table) && !needs_unique(table);
}

/* In a run, keys and their numbers grow alike. The first term keeps the difference within its type. */
void pgm_purge_runs(struct pgm_buf *sql, const char *query, const char *end)
{
	pgm_buf_printf(sql,
		       "SELECT %s AS seq, min(k) AS lo, max(k) AS hi FROM (SELECT *, "
		       "pg_catalog.row_number() OVER (ORDER BY k) AS n FROM (%s) AS q) AS w GROUP BY k < 0, "
		       "CASE WHEN k < 0 THEN 9223372036854775807 ELSE 0 END + k - n",
		       end, query);
}

static void identity_list(struct pgm_buf *sql, const struct pgm_purge_table *table, const char *alias)
{
	for (size_t i = 0; i < table->identity_count; i++)
		pgm_buf_printf(sql, "%s%s%s%s", i ? ", " : "", alias, *alias ? "." : "",
			       pgm_quote_ident(sql->arena, table->identity[i]));
}

static void key_list(struct pgm_buf *sql, const struct pgm_purge_table *table)
{
	for (size_t i = 0; i < table->identity_count; i++)
		pgm_buf_printf(sql, "%sk%zu", i ? ", " : "", i + 1);
}

/*
 * Keys that may come twice, or are looked up, are unique from the start; the others are numbered at once. Of
 * these, integers are kept as runs: seq is the number of the last key of one.
 */
static void create_keys(struct pgm_buf *sql, const char *keys, const struct pgm_purge_table *table)
{
	bool unique = needs_unique(table);
	pgm_buf_printf(sql, "CREATE TABLE %s (seq bigint %s", keys,
		       unique ? "GENERATED ALWAYS AS IDENTITY PRIMARY KEY" : "NOT NULL");
	if (table->self)
		pgm_buf_add(sql, ", level integer NOT NULL DEFAULT 0");
	if (pgm_purge_in_runs(table))
		pgm_buf_printf(sql, ", lo %s NOT NULL, hi %s NOT NULL", table->identity_types[0],
			       table->identity_types[0]);
	for (size_t i = 0; i < table->identity_count && !pgm_purge_in_runs(table); i++)
		pgm_buf_printf(sql, ", k%zu %s NOT NULL", i + 1, table->identity_types[i]);
	if (unique) {
		pgm_buf_add(sql, ", UNIQUE (");
		key_list(sql, table);
		pgm_buf_char(sql, ')');
	}
	pgm_buf_add(sql, ");\n");
	if (table->self)
		pgm_buf_printf(sql, "CREATE INDEX %s_level ON %s (level);\n", strchr(keys, '.') + 1, keys);
}

/* "INSERT INTO keys (...) SELECT ...", of rows with that alias, in the order of the given columns. */
static void insert_keys(struct pgm_buf *sql, const char *keys, const struct pgm_purge_table *table,
			const char *alias, const char *order)
{
	bool unique = needs_unique(table);
	pgm_buf_printf(sql, "INSERT INTO %s (%s", keys, unique ? "" : "seq, ");
	key_list(sql, table);
	pgm_buf_add(sql, ") SELECT ");
	if (!unique)
		pgm_buf_printf(sql, "pg_catalog.row_number() OVER (ORDER BY %s), ", order);
	identity_list(sql, table, alias);
}

/* Of the rows that stand behind FROM in the text, by that alias. */
static void insert_runs(struct pgm_buf *sql, const char *keys, const struct pgm_purge_table *table,
			const char *alias, const char *from)
{
	struct pgm_buf query;
	pgm_buf_init(&query, sql->arena);
	pgm_buf_add(&query, "SELECT ");
	identity_list(&query, table, alias);
	pgm_buf_printf(&query, " AS k FROM %s", from);
	pgm_buf_printf(sql, "INSERT INTO %s (seq, lo, hi) ", keys);
	pgm_purge_runs(sql, query.text, "max(n)");
	pgm_buf_add(sql, ";\n");
}

static void collect_root(struct pgm_buf *sql, const struct pgm_purge *purge, const char *keys)
{
	const struct pgm_purge_table *table = &purge->tables[0];
	const char *from = pgm_sprintf(sql->arena, "%s WHERE (%s\n)", table->quoted, purge->options->where);
	struct pgm_buf order;
	if (pgm_purge_in_runs(table)) {
		insert_runs(sql, keys, table, "", from);
		return;
	}
	pgm_buf_init(&order, sql->arena);
	identity_list(&order, table, "");
	insert_keys(sql, keys, table, "", order.text);
	pgm_buf_printf(sql, " FROM %s", from);
	if (needs_unique(table))
		pgm_buf_printf(sql, " ORDER BY %s", order.text);
	pgm_buf_add(sql, ";\n");
}

const char *pgm_purge_collect_sql(struct pgm_arena *arena, const struct pgm_purge *purge, const char *prefix,
				  const struct pgm_purge_table *table)
{
	struct pgm_buf sql;
	const char *keys = pgm_purge_keys_name(arena, prefix, table);
	pgm_buf_init(&sql, arena);
	create_keys(&sql, keys, table);
	if (table == &purge->tables[0])
		collect_root(&sql, purge, keys);
	for (size_t i = 0; i < table->up_count; i++) {
		const struct pgm_purge_key *key = table->up[i];
		struct pgm_buf from;
		if (key->parent == table)
			continue;
		pgm_buf_init(&from, arena);
		pgm_purge_parents(&from, key, prefix, PGM_PURGE_KEYS, PGM_PURGE_PARENT);
		pgm_buf_printf(&from, ", %s AS " PGM_PURGE_CHILD " WHERE ", table->quoted);
		pgm_purge_child_join(&from, key, PGM_PURGE_KEYS, PGM_PURGE_PARENT, PGM_PURGE_CHILD);
		if (pgm_purge_in_runs(table)) {
			insert_runs(&sql, keys, table, PGM_PURGE_CHILD, from.text);
			continue;
		}
		insert_keys(&sql, keys, table, PGM_PURGE_CHILD, PGM_PURGE_KEYS ".seq");
		pgm_buf_printf(&sql, " FROM %s", from.text);
		if (needs_unique(table))
			pgm_buf_add(&sql, " ORDER BY " PGM_PURGE_KEYS ".seq ON CONFLICT DO NOTHING");
		pgm_buf_add(&sql, ";\n");
	}
	pgm_buf_printf(&sql,
		       needs_unique(table) ? "ANALYZE %s;\n" : "ALTER TABLE %s ADD PRIMARY KEY (seq);\n",
		       keys);
	return sql.text;
}

const char *pgm_purge_expand_sql(struct pgm_arena *arena, const char *prefix,
				 const struct pgm_purge_table *table)
{
	struct pgm_buf sql;
	const char *keys = pgm_purge_keys_name(arena, prefix, table);
	bool first = true;
	pgm_buf_init(&sql, arena);
	pgm_buf_printf(&sql, "SET LOCAL statement_timeout = 0;\nWITH added AS (INSERT INTO %s (level, ",
		       keys);
	key_list(&sql, table);
	pgm_buf_add(&sql, ") ");
	for (size_t i = 0; i < table->up_count; i++) {
		if (table->up[i]->parent != table)
			continue;
		pgm_buf_printf(&sql, "%sSELECT coalesce($2::integer, 0) + 1, ", first ? "" : " UNION ");
		identity_list(&sql, table, PGM_PURGE_CHILD);
		pgm_buf_add(&sql, " FROM ");
		pgm_purge_parents(&sql, table->up[i], prefix, PGM_PURGE_KEYS, PGM_PURGE_PARENT);
		pgm_buf_printf(&sql,
			       ", %s AS " PGM_PURGE_CHILD " WHERE " PGM_PURGE_KEYS
			       ".level = coalesce($2::integer, 0) AND ",
			       table->quoted);
		pgm_purge_child_join(&sql, table->up[i], PGM_PURGE_KEYS, PGM_PURGE_PARENT, PGM_PURGE_CHILD);
		first = false;
	}
	pgm_buf_add(
		&sql,
		" ON CONFLICT DO NOTHING RETURNING 1)\nSELECT count(*) AS handled, CASE WHEN count(*) > 0 "
		"THEN coalesce($2::integer, 0) + 1 END AS cursor FROM added;\n");
	return sql.text;
}

const char *pgm_purge_block(struct pgm_arena *arena, const char *body)
{
	/* No line of a name may look like a line of the Plan, and none may end the quote. */
	const char *safe = pgm_sql_escape_controls(arena, body), *tag = "$check$";
	for (int i = 0; strstr(safe, tag); i++)
		tag = pgm_sprintf(arena, "$check%d$", i);
	return pgm_sprintf(arena, "DO %s BEGIN\n%sEND %s;\n", tag, safe, tag);
}

/* One test of what would stop a DELETE, or might. */
static void check_key(struct pgm_buf *body, const struct pgm_purge_key *key, const char *prefix)
{
	struct pgm_arena *arena = body->arena;
	const char *message, *hint;
	const char *parent = key->parent->quoted, *name = pgm_quote_ident(arena, key->name);
	if (key->action == 'a' || key->action == 'r') {
		message =
			pgm_sprintf(arena,
				    "rows of %s still refer to rows of %s that would go (foreign key %s, ON "
				    "DELETE %s)",
				    key->child_quoted, parent, name, pgm_purge_action_name(key->action));
		hint = "Delete them first. If they would go as well, let PostgreSQL decide: --atomic.";
	} else {
		message = pgm_sprintf(arena, "rows of %s would be changed (foreign key %s, ON DELETE %s)%s%s",
				      key->child_quoted, name, pgm_purge_action_name(key->action),
				      key->action == 'n' ? ", and that may fail: " : "",
				      key->action == 'n' ? key->set_problem : "");
		hint = "Only one transaction can be taken back as a whole: --atomic.";
	}
	pgm_buf_add(body, "IF EXISTS (SELECT FROM ");
	pgm_purge_parents(body, key, prefix, PGM_PURGE_KEYS, PGM_PURGE_PARENT);
	pgm_buf_printf(body, ", %s AS " PGM_PURGE_CHILD " WHERE ", key->child_quoted);
	pgm_purge_child_join(body, key, PGM_PURGE_KEYS, PGM_PURGE_PARENT, PGM_PURGE_CHILD);
	pgm_buf_printf(
		body,
		") THEN RAISE EXCEPTION USING ERRCODE = 'restrict_violation', MESSAGE = %s, HINT = %s; "
		"END IF;\n",
		pgm_quote_literal(arena, message), pgm_quote_literal(arena, hint));
}

const char *pgm_purge_check_sql(struct pgm_arena *arena, const struct pgm_purge *purge, const char *prefix)
{
	struct pgm_buf body;
	pgm_buf_init(&body, arena);
	for (size_t i = 0; i < purge->key_count; i++) {
		const struct pgm_purge_key *key = &purge->keys[i];
		if (key->action != 'c' && (key->action != 'n' || key->set_problem))
			check_key(&body, key, prefix);
	}
	if (!body.length)
		return "";
	return pgm_purge_block(arena, body.text);
}
