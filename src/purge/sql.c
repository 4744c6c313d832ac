#include "purge/parts.h"

#include "pg/quote.h"
#include "sql/lex.h"

#include <math.h>
#include <string.h>

/* From this many children of one parent on, a batch takes no more than fits it of them. */
#define MANY_CHILDREN 1000

/* Aliases that no table of the user's has: the condition names the root by its own name. */
#define KEYS   "pgmend_k"
#define PARENT "pgmend_p"
#define CHILD  "pgmend_c"
#define ROW    "pgmend_t"

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

/* "t.id = k.k1 AND ...": a row of the table and its row in the table of keys. */
static void identity_join(struct pgm_buf *sql, const struct pgm_purge_table *table, const char *alias,
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

/* "FROM" items that stand for the parents, behind the child's: the keys, and the table where it is needed. */
static void parents(struct pgm_buf *sql, const struct pgm_purge_key *key, const char *prefix,
		    const char *keys_alias, const char *parent_alias)
{
	pgm_buf_printf(sql, "%s AS %s", pgm_purge_keys_name(sql->arena, prefix, key->parent), keys_alias);
	if (!by_identity(key))
		pgm_buf_printf(sql, ", %s AS %s", key->parent->quoted, parent_alias);
}

/* The condition that joins a child with what parents() names. */
static void child_join(struct pgm_buf *sql, const struct pgm_purge_key *key, const char *keys_alias,
		       const char *parent_alias, const char *child_alias)
{
	if (!by_identity(key)) {
		identity_join(sql, key->parent, parent_alias, keys_alias);
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

static void create_keys(struct pgm_buf *sql, const char *keys, const struct pgm_purge_table *table)
{
	pgm_buf_printf(
		sql,
		"CREATE TABLE %s (seq bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, level integer NOT "
		"NULL DEFAULT 0, kept boolean NOT NULL DEFAULT false",
		keys);
	for (size_t i = 0; i < table->identity_count; i++)
		pgm_buf_printf(sql, ", k%zu %s NOT NULL", i + 1, table->identity_types[i]);
	if (needs_unique(table)) {
		pgm_buf_add(sql, ", UNIQUE (");
		key_list(sql, table);
		pgm_buf_char(sql, ')');
	}
	pgm_buf_add(sql, ");\n");
	if (table->self)
		pgm_buf_printf(sql, "CREATE INDEX %s_level ON %s (level);\n", strchr(keys, '.') + 1, keys);
}

const char *pgm_purge_collect_sql(struct pgm_arena *arena, const struct pgm_purge *purge, const char *prefix,
				  const struct pgm_purge_table *table)
{
	struct pgm_buf sql;
	const char *keys = pgm_purge_keys_name(arena, prefix, table);
	pgm_buf_init(&sql, arena);
	create_keys(&sql, keys, table);
	if (table == &purge->tables[0]) {
		pgm_buf_printf(&sql, "INSERT INTO %s (", keys);
		key_list(&sql, table);
		pgm_buf_add(&sql, ") SELECT ");
		identity_list(&sql, table, "");
		pgm_buf_printf(&sql, " FROM %s WHERE (%s\n) ORDER BY ", table->quoted, purge->options->where);
		identity_list(&sql, table, "");
		pgm_buf_add(&sql, ";\n");
	}
	for (size_t i = 0; i < table->up_count; i++) {
		const struct pgm_purge_key *key = table->up[i];
		if (key->parent == table)
			continue;
		pgm_buf_printf(&sql, "INSERT INTO %s (", keys);
		key_list(&sql, table);
		pgm_buf_add(&sql, ") SELECT ");
		identity_list(&sql, table, CHILD);
		pgm_buf_add(&sql, " FROM ");
		parents(&sql, key, prefix, KEYS, PARENT);
		pgm_buf_printf(&sql, ", %s AS " CHILD " WHERE ", table->quoted);
		child_join(&sql, key, KEYS, PARENT, CHILD);
		pgm_buf_printf(&sql, " ORDER BY " KEYS ".seq%s;\n",
			       needs_unique(table) ? " ON CONFLICT DO NOTHING" : "");
	}
	pgm_buf_printf(&sql, "ANALYZE %s;\n", keys);
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
		identity_list(&sql, table, CHILD);
		pgm_buf_add(&sql, " FROM ");
		parents(&sql, table->up[i], prefix, KEYS, PARENT);
		pgm_buf_printf(&sql, ", %s AS " CHILD " WHERE " KEYS ".level = coalesce($2::integer, 0) AND ",
			       table->quoted);
		child_join(&sql, table->up[i], KEYS, PARENT, CHILD);
		first = false;
	}
	pgm_buf_add(
		&sql,
		" ON CONFLICT DO NOTHING RETURNING 1)\nSELECT count(*) AS handled, CASE WHEN count(*) > 0 "
		"THEN coalesce($2::integer, 0) + 1 END AS cursor FROM added;\n");
	return sql.text;
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
	parents(body, key, prefix, KEYS, PARENT);
	pgm_buf_printf(body, ", %s AS " CHILD " WHERE ", key->child_quoted);
	child_join(body, key, KEYS, PARENT, CHILD);
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
	/* No line of a name may look like a line of the Plan, and none may end the quote. */
	const char *safe = pgm_sql_escape_controls(arena, body.text), *tag = "$check$";
	for (int i = 0; strstr(safe, tag); i++)
		tag = pgm_sprintf(arena, "$check%d$", i);
	return pgm_sprintf(arena, "DO %s BEGIN\n%sEND %s;\n", tag, safe, tag);
}

/* A row of the table is still one that goes: it meets the condition, or a parent of it goes. */
static void still(struct pgm_buf *sql, const struct pgm_purge *purge, const char *prefix,
		  const struct pgm_purge_table *table, const char *keys_alias, int *number)
{
	struct pgm_arena *arena = sql->arena;
	bool any = false;
	pgm_buf_char(sql, '(');
	if (table == &purge->tables[0]) {
		pgm_buf_printf(sql, "EXISTS (SELECT FROM %s WHERE ", table->quoted);
		identity_join(sql, table, pgm_quote_ident(arena, table->name), keys_alias);
		pgm_buf_printf(sql, " AND (%s\n))", purge->options->where);
		any = true;
	}
	for (size_t i = 0; i < table->up_count; i++) {
		const struct pgm_purge_key *key = table->up[i];
		int n = ++*number;
		const char *row = pgm_sprintf(arena, "pgmend_r%d", n),
			   *up = pgm_sprintf(arena, "pgmend_u%d", n);
		const char *parent = pgm_sprintf(arena, "pgmend_p%d", n);
		pgm_buf_printf(sql, "%sEXISTS (SELECT FROM %s AS %s, ", any ? " OR " : "", table->quoted,
			       row);
		parents(sql, key, prefix, up, parent);
		pgm_buf_add(sql, " WHERE ");
		identity_join(sql, table, row, keys_alias);
		pgm_buf_add(sql, " AND ");
		child_join(sql, key, up, parent, row);
		pgm_buf_printf(sql, " AND NOT %s.kept", up);
		if (key->parent != table) {
			pgm_buf_add(sql, " AND ");
			still(sql, purge, prefix, key->parent, up, number);
		}
		pgm_buf_char(sql, ')');
		any = true;
	}
	pgm_buf_char(sql, ')');
}

struct pass {
	struct pgm_buf sql;
	const struct pgm_purge *purge;
	const char *prefix;
	const struct pgm_purge_table *table;
	const char *keys;
	const char *range; /* of this batch, about alias k */
};

static void delete_children(struct pass *pass, const struct pgm_purge_key *key)
{
	struct pgm_buf *sql = &pass->sql;
	bool many = !key->child_partitioned && !pass->purge->options->skip_ri &&
		    fmax(key->average, key->most) > MANY_CHILDREN;
	if (many) {
		pgm_buf_printf(sql,
			       "WITH gone AS (DELETE FROM %s WHERE ctid = ANY (ARRAY(SELECT " CHILD
			       ".ctid FROM ",
			       key->child_quoted);
		parents(sql, key, pass->prefix, KEYS, PARENT);
		pgm_buf_printf(sql, ", %s AS " CHILD " WHERE %s AND ", key->child_quoted, pass->range);
		child_join(sql, key, KEYS, PARENT, CHILD);
		pgm_buf_add(
			sql,
			" LIMIT $1::bigint)) RETURNING 1)\nSELECT count(*) >= $1::bigint AS again, count(*) "
			"AS handled FROM gone;\n");
		return;
	}
	pgm_buf_printf(sql, "DELETE FROM %s AS " CHILD " USING ", key->child_quoted);
	parents(sql, key, pass->prefix, KEYS, PARENT);
	pgm_buf_printf(sql, " WHERE %s AND ", pass->range);
	child_join(sql, key, KEYS, PARENT, CHILD);
	pgm_buf_add(sql, ";\n");
}

static void set_null(struct pass *pass, const struct pgm_purge_key *key)
{
	struct pgm_buf *sql = &pass->sql;
	pgm_buf_printf(sql, "UPDATE %s AS " CHILD " SET ", key->child_quoted);
	for (size_t i = 0; i < key->set_count; i++)
		pgm_buf_printf(sql, "%s%s = NULL", i ? ", " : "",
			       pgm_quote_ident(sql->arena, key->set_columns[i]));
	pgm_buf_add(sql, " FROM ");
	parents(sql, key, pass->prefix, KEYS, PARENT);
	pgm_buf_printf(sql, " WHERE %s AND ", pass->range);
	child_join(sql, key, KEYS, PARENT, CHILD);
	pgm_buf_add(sql, ";\n");
}

/* What goes before the rows themselves. The foreign keys' own triggers would do the same, row by row. */
static void children(struct pass *pass)
{
	bool skip = pass->purge->options->skip_ri;
	for (size_t i = 0; i < pass->table->key_count; i++) {
		const struct pgm_purge_key *key = pass->table->keys[i];
		bool own = key->child == pass->table;
		/* A child with a pass of its own is gone by now, but for rows that came since. */
		if (key->action == 'c' && (skip || !key->child->key_count) && (skip || !own))
			delete_children(pass, key);
		else if (key->action == 'n' && !key->set_problem)
			set_null(pass, key);
	}
}

static double fan_out(const struct pgm_purge_table *table)
{
	double rows = 1;
	for (size_t i = 0; i < table->key_count; i++) {
		const struct pgm_purge_key *key = table->keys[i];
		if (key->action == 'n' || (key->action == 'c' && !key->child->key_count))
			rows += fmax(key->average, 1);
	}
	return fmin(fmax(round(rows), 1), 1e9);
}

static void range(struct pass *pass)
{
	struct pgm_buf *sql = &pass->sql;
	/* Children of a self-reference come after their parents, and go before them. */
	bool down = pass->table->self;
	pgm_buf_printf(sql,
		       "SELECT %s(s.seq) AS upto, %s(s.seq) AS cursor, %s%s(s.seq)::float8 / (SELECT "
		       "max(seq) FROM %s) "
		       "AS fraction, pg_catalog.set_config('enable_seqscan', 'off', true) FROM (SELECT seq "
		       "FROM %s WHERE "
		       "seq %s ORDER BY seq%s LIMIT greatest(1, $1::bigint / %.0f)) AS s;\n",
		       down ? "min" : "max", down ? "min" : "max", down ? "1 - " : "", down ? "min" : "max",
		       pass->keys, pass->keys,
		       down ? "< coalesce($2::bigint, 9223372036854775807)" : "> coalesce($2::bigint, 0)",
		       down ? " DESC" : "", fan_out(pass->table));
	pass->range = down ? KEYS ".seq < coalesce($2::bigint, 9223372036854775807) AND " KEYS
				  ".seq >= $3::bigint AND NOT " KEYS ".kept"
			   : KEYS ".seq > coalesce($2::bigint, 0) AND " KEYS
				  ".seq <= $3::bigint AND NOT " KEYS ".kept";
}

const char *pgm_purge_pass_sql(struct pgm_arena *arena, const struct pgm_purge *purge, const char *prefix,
			       const struct pgm_purge_table *table)
{
	struct pass pass = {.purge = purge,
			    .prefix = prefix,
			    .table = table,
			    .keys = pgm_purge_keys_name(arena, prefix, table)};
	struct pgm_buf *sql = &pass.sql;
	int number = 0;
	pgm_buf_init(sql, arena);
	range(&pass);
	pgm_buf_printf(sql,
		       "SELECT count(*) AS locked FROM (SELECT FROM %s AS " KEYS ", %s AS " ROW
		       " WHERE %s AND ",
		       pass.keys, table->quoted, pass.range);
	identity_join(sql, table, ROW, KEYS);
	pgm_buf_add(sql, " ORDER BY " KEYS ".seq FOR UPDATE OF " ROW ") AS l;\n");
	if (!purge->volatile_where) {
		pgm_buf_printf(sql,
			       "WITH changed AS (UPDATE %s AS " KEYS
			       " SET kept = true WHERE %s AND EXISTS (SELECT "
			       "FROM %s AS " ROW " WHERE ",
			       pass.keys, pass.range, table->quoted);
		identity_join(sql, table, ROW, KEYS);
		pgm_buf_add(sql, ") AND NOT ");
		still(sql, purge, prefix, table, KEYS, &number);
		pgm_buf_add(sql, " RETURNING 1)\nSELECT count(*) AS kept FROM changed;\n");
	}
	if (table->key_count)
		children(&pass);
	if (purge->options->skip_ri && table->key_count)
		pgm_buf_add(sql, "SET LOCAL session_replication_role = replica;\n");
	pgm_buf_printf(sql, "DELETE FROM %s AS " ROW " USING %s AS " KEYS " WHERE %s AND ", table->quoted,
		       pass.keys, pass.range);
	identity_join(sql, table, ROW, KEYS);
	pgm_buf_add(sql, ";\n");
	return sql->text;
}
