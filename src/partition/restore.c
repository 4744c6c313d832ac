#include "partition/restore.h"

#include "change/archive.h"
#include "change/ledger.h"
#include "partition/upkeep.h"
#include "pg/quote.h"
#include "sql/split.h"
#include "util/buf.h"
#include "util/embedded.h"
#include "util/vec.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define BOUNDS "pgmend_bounds" /* the constraint that spares ATTACH from reading the table */

struct restore {
	struct pgm_conn *conn;
	struct pgm_arena *arena;
	const char *file;
	struct pgm_archive_info info;
	const char *schema, *name, *quoted;
	struct pgm_upkeep_table *parent; /* NULL: there is none any more */
	pgm_changes changes;
};

static struct pgm_change *add_change(struct restore *restore, const char *title, const char *sql,
				     const char *lock)
{
	struct pgm_change *change = pgm_change_add(restore->arena, &restore->changes, restore->schema,
						   restore->name, title, lock);
	change->sql_up = sql;
	return change;
}

/* "schema.table" or "table", as PostgreSQL reads it; the schema of the archive where it names none. */
static bool read_name(struct restore *restore, const char *into, struct pgm_error *err)
{
	struct pgm_rows rows;
	char **words;
	restore->schema = restore->info.schema;
	restore->name = restore->info.table;
	if (into) {
		if (!pgm_conn_query(restore->conn, restore->arena, "SELECT pg_catalog.parse_ident($1)", 1,
				    &into, &rows, err))
			return pgm_error_context(err, "--into");
		size_t count = pgm_rows_array(restore->arena, pgm_rows_text(&rows, 0, 0), &words);
		if (count < 1 || count > 2)
			return pgm_error_set(err, PGM_ERR_USAGE, "--into: \"%s\" is no name of a table",
					     into);
		restore->name = words[count - 1];
		if (count == 2)
			restore->schema = words[0];
	}
	restore->quoted = pgm_quote_qualified(restore->arena, restore->schema, restore->name);
	return true;
}

static bool find_parent(struct restore *restore, struct pgm_error *err)
{
	struct pgm_upkeep_table *tables;
	size_t count;
	if (!restore->info.parent)
		return true;
	const char *name =
		pgm_quote_qualified(restore->arena, restore->info.parent_schema, restore->info.parent);
	struct pgm_error problem = {0};
	if (pgm_upkeep_tables(restore->conn, restore->arena, &name, 1, &tables, &count, &problem)) {
		restore->parent = &tables[0];
		return true;
	}
	if (problem.kind == PGM_ERR_USAGE)
		return true;
	*err = problem;
	return false;
}

static bool refuse_existing(struct restore *restore, struct pgm_error *err)
{
	struct pgm_rows rows;
	const char *params[] = {restore->schema, restore->name};
	if (!pgm_conn_query(
		    restore->conn, restore->arena,
		    "SELECT c.oid FROM pg_catalog.pg_class AS c JOIN pg_catalog.pg_namespace AS n ON n.oid = "
		    "c.relnamespace WHERE n.nspname = $1 AND c.relname = $2",
		    2, params, &rows, err))
		return false;
	if (rows.count == 0)
		return true;
	pgm_error_set(err, PGM_ERR_USAGE, "%s is there already", restore->quoted);
	return pgm_error_hint(err, "Give another name: --into TABLE.");
}

/* As its parent and siblings are now. */
static bool make_like_parent(struct restore *restore, struct pgm_buf *sql, struct pgm_error *err)
{
	struct pgm_rows rows;
	char *sibling;
	struct pgm_upkeep_table *parent = restore->parent;
	if (!pgm_conn_value(restore->conn, restore->arena,
			    "SELECT coalesce(max(c.oid::bigint), 0) FROM pg_catalog.pg_inherits AS i JOIN "
			    "pg_catalog.pg_class AS c ON c.oid = i.inhrelid WHERE i.inhparent = $1::oid AND "
			    "c.relkind = "
			    "'r'",
			    1, &parent->oid, &sibling, err))
		return false;
	const char *params[] = {parent->oid, sibling, restore->quoted, parent->quoted, restore->name};
	if (!pgm_conn_query(restore->conn, restore->arena, pgm_embedded_text("partition/sql/upkeep_make.sql"),
			    5, params, &rows, err))
		return pgm_error_context(err, "reading what %s is like", parent->quoted);
	for (size_t r = 0; r < rows.count; r++)
		pgm_buf_printf(sql, "%s;\n", pgm_rows_text(&rows, r, 0));
	return true;
}

/* From what the archive says alone. Its types are SQL: nothing but one CREATE TABLE may come of them. */
static bool make_alone(struct restore *restore, struct pgm_buf *sql, struct pgm_error *err)
{
	struct pgm_sql_statements found;
	pgm_buf_printf(sql, "CREATE TABLE %s (", restore->quoted);
	for (size_t i = 0; i < restore->info.column_count; i++)
		pgm_buf_printf(sql, "%s\n\t%s %s%s", i ? "," : "",
			       pgm_quote_ident(restore->arena, restore->info.columns[i].name),
			       restore->info.columns[i].type,
			       restore->info.columns[i].not_null ? " NOT NULL" : "");
	pgm_buf_add(sql, "\n);\n");
	if (!pgm_sql_split(restore->arena, sql->text, &found, err))
		return pgm_error_context(err, "%s.json", restore->file);
	return found.count == 1 ||
	       pgm_error_set(err, PGM_ERR_INPUT, "%s.json: its columns make no table", restore->file);
}

static const char *bound(struct restore *restore, const char *value, const char *open)
{
	return value ? pgm_quote_literal(restore->arena, value) : open;
}

static bool add_bounds(struct restore *restore, struct pgm_buf *sql, struct pgm_error *err)
{
	const struct pgm_upkeep_table *parent = restore->parent;
	const struct pgm_archive_info *info = &restore->info;
	if (!parent || !parent->key || (!info->low && !info->high))
		return pgm_error_set(err, PGM_ERR_STATE, "it cannot be attached: %s",
				     parent ? "the archive says no bounds"
					    : "what it was a partition of is not there");
	const char *key = pgm_quote_ident(restore->arena, parent->key);
	pgm_buf_printf(sql, "ALTER TABLE %s ADD CONSTRAINT " BOUNDS " CHECK (%s IS NOT NULL", restore->quoted,
		       key);
	if (info->low)
		pgm_buf_printf(sql, " AND %s >= %s::%s", key, bound(restore, info->low, ""),
			       parent->key_type);
	if (info->high)
		pgm_buf_printf(sql, " AND %s < %s::%s", key, bound(restore, info->high, ""),
			       parent->key_type);
	pgm_buf_add(sql, ");\n");
	return true;
}

static void add_attach(struct restore *restore)
{
	const struct pgm_upkeep_table *parent = restore->parent;
	const char *low = bound(restore, restore->info.low, "MINVALUE");
	const char *high = bound(restore, restore->info.high, "MAXVALUE");
	struct pgm_change *change = add_change(
		restore, pgm_sprintf(restore->arena, "attach %s to %s", restore->quoted, parent->quoted),
		pgm_sprintf(restore->arena,
			    "ALTER TABLE %s ATTACH PARTITION %s FOR VALUES FROM (%s) TO (%s);\nALTER TABLE "
			    "%s DROP "
			    "CONSTRAINT " BOUNDS ";\n",
			    parent->quoted, restore->quoted, low, high, restore->quoted),
		"SHARE UPDATE EXCLUSIVE");
	change->schema = parent->schema;
	change->relation = parent->name;
	change->sql_down = pgm_sprintf(restore->arena, "ALTER TABLE %s DETACH PARTITION %s;\n",
				       parent->quoted, restore->quoted);
}

static bool make_plan(struct restore *restore, bool attach, const char *title, struct pgm_plan *plan,
		      struct pgm_error *err)
{
	struct pgm_arena *arena = restore->arena;
	struct pgm_buf sql, columns;
	pgm_buf_init(&sql, arena);
	pgm_buf_init(&columns, arena);
	if (!(restore->parent ? make_like_parent(restore, &sql, err) : make_alone(restore, &sql, err)) ||
	    (attach && !add_bounds(restore, &sql, err)))
		return false;
	add_change(restore, pgm_sprintf(arena, "make %s", restore->quoted), sql.text, "ACCESS SHARE");
	for (size_t i = 0; i < restore->info.column_count; i++)
		pgm_buf_printf(&columns, "%s%s", i ? ", " : "",
			       pgm_quote_ident(arena, restore->info.columns[i].name));
	struct pgm_change *load =
		add_change(restore,
			   pgm_sprintf(arena, "load %lld rows into %s and verify them",
				       (long long)restore->info.sum.rows, restore->quoted),
			   pgm_sprintf(arena, "COPY %s (%s) FROM STDIN;\n", restore->quoted, columns.text),
			   "ACCESS EXCLUSIVE");
	load->kind = PGM_CHANGE_LOAD;
	load->file = restore->file;
	if (attach)
		add_attach(restore);
	*plan = pgm_plan_of(arena, pgm_conn_database(restore->conn), title, &restore->changes);
	return true;
}

bool pgm_restore_plan(struct pgm_conn *conn, struct pgm_arena *arena, const char *file, const char *into,
		      bool attach, bool ledger, struct pgm_plan *plan, struct pgm_error *err)
{
	struct restore restore = {.conn = conn, .arena = arena};
	struct pgm_ledger_plan *begun;
	size_t count = 0;
	bool there;
	char *path = realpath(file, NULL);
	if (!path)
		return pgm_error_set(err, PGM_ERR_INPUT, "%s: %s", file, strerror(errno));
	restore.file = pgm_strdup(arena, path);
	free(path);
	if (!pgm_archive_info_read(arena, restore.file, &there, &restore.info, err) ||
	    !read_name(&restore, into, err))
		return false;
	const char *title = pgm_sprintf(arena, "restore %s from %s", restore.quoted, restore.file);
	if (ledger && !pgm_ledger_unfinished(conn, arena, title, &begun, &count, err))
		return false;
	if (count)
		return pgm_plan_parse(arena, "the Plan in the ledger", begun[0].source, plan, err);
	return refuse_existing(&restore, err) && find_parent(&restore, err) &&
	       make_plan(&restore, attach, title, plan, err) &&
	       (!ledger || pgm_ledger_close(conn, arena, plan->id, true, err));
}
