#include "purge/parts.h"

#include "pg/quote.h"
#include "util/embedded.h"
#include "util/vec.h"

#include <stdlib.h>
#include <string.h>

static struct pgm_purge_table *find_table(const struct pgm_purge *purge, unsigned oid)
{
	for (size_t i = 0; i < purge->table_count; i++)
		if (purge->tables[i].oid == oid)
			return &purge->tables[i];
	return NULL;
}

static unsigned oid_of(const struct pgm_rows *rows, size_t r, size_t c)
{
	return (unsigned)strtoul(pgm_rows_text(rows, r, c), NULL, 10);
}

static bool resolve(struct pgm_conn *conn, struct pgm_arena *arena, const char *name, char **oid,
		    struct pgm_error *err)
{
	/* By the user's own search_path, for this one look. */
	const char *path = pgm_conn_search_path(conn);
	struct pgm_rows rows;
	if (!pgm_conn_query(conn, arena, "SELECT pg_catalog.set_config('search_path', $1, false)", 1, &path,
			    &rows, err))
		return false;
	bool ok = pgm_conn_value(conn, arena, "SELECT pg_catalog.to_regclass($1)::oid", 1, &name, oid, err);
	if (pgm_conn_alive(conn))
		pgm_conn_exec_quietly(conn, "SET search_path = pg_catalog");
	if (!ok && err && strcmp(err->sqlstate, "42602") != 0)
		return false;
	if (ok && *oid)
		return true;
	pgm_error_set(err, PGM_ERR_USAGE, "there is no table %s", name);
	return pgm_error_hint(err, "Give it as SQL would: name or schema.name, with \"quotes\" where they "
				   "are needed.");
}

static void read_table(struct pgm_arena *arena, const struct pgm_rows *rows, size_t r,
		       struct pgm_purge_table *table)
{
	*table = (struct pgm_purge_table){
		.oid = oid_of(rows, r, 0),
		.schema = pgm_rows_text(rows, r, 1),
		.name = pgm_rows_text(rows, r, 2),
		.kind = *pgm_rows_text(rows, r, 3),
		.persistence = *pgm_rows_text(rows, r, 4),
		.is_partition = pgm_rows_bool(rows, r, 5),
		.tuples = pgm_rows_double(rows, r, 6),
		.pages = pgm_rows_double(rows, r, 7),
		.index_pages = pgm_rows_double(rows, r, 8),
		.inherits = pgm_rows_bool(rows, r, 9),
		.has_foreign = pgm_rows_bool(rows, r, 10),
		.partition_keys = pgm_rows_get(rows, r, 11),
		.system = pgm_rows_bool(rows, r, 12),
		.row_security = pgm_rows_bool(rows, r, 13),
		.may_delete = pgm_rows_bool(rows, r, 14),
		.may_select = pgm_rows_bool(rows, r, 15),
		.may_update = pgm_rows_bool(rows, r, 16),
		.before_row = pgm_rows_get(rows, r, 17),
		.other_triggers = pgm_rows_get(rows, r, 18),
		.delete_rules = pgm_rows_get(rows, r, 20),
		.no_identity = pgm_rows_bool(rows, r, 23),
		.rows = -1,
	};
	table->quoted = pgm_quote_qualified(arena, table->schema, table->name);
	table->identity_count = pgm_rows_array(arena, pgm_rows_get(rows, r, 21), &table->identity);
	pgm_rows_array(arena, pgm_rows_get(rows, r, 22), &table->identity_types);
	pgm_rows_array(arena, pgm_rows_get(rows, r, 24), &table->identity_arrays);
}

static bool read_tables(struct pgm_conn *conn, struct pgm_arena *arena, struct pgm_purge *purge,
			const char *oid, struct pgm_error *err)
{
	struct pgm_rows rows;
	if (!pgm_conn_query(conn, arena, pgm_embedded_text("purge/tables.sql"), 1, &oid, &rows, err))
		return pgm_error_context(err, "reading the foreign keys");
	if (rows.count == 0)
		return pgm_error_set(err, PGM_ERR_USAGE, "%s is no table", purge->options->table);
	if (rows.count > PGM_PURGE_TABLES_MAX)
		return pgm_error_set(err, PGM_ERR_STATE, "rows of %zu tables would go, of %d at most",
				     rows.count, PGM_PURGE_TABLES_MAX);
	purge->tables = PGM_NEW_ARRAY(arena, struct pgm_purge_table, rows.count);
	purge->table_count = rows.count;
	for (size_t r = 0; r < rows.count; r++)
		read_table(arena, &rows, r, &purge->tables[r]);
	return true;
}

static void read_key(struct pgm_arena *arena, const struct pgm_purge *purge, const struct pgm_rows *rows,
		     size_t r, struct pgm_purge_key *key)
{
	*key = (struct pgm_purge_key){
		.oid = oid_of(rows, r, 0),
		.name = pgm_rows_text(rows, r, 1),
		.parent = find_table(purge, oid_of(rows, r, 3)),
		.action = *pgm_rows_text(rows, r, 4),
		.child_schema = pgm_rows_text(rows, r, 5),
		.child_name = pgm_rows_text(rows, r, 6),
		.child_partitioned = *pgm_rows_text(rows, r, 7) == 'p',
		.period = pgm_rows_bool(rows, r, 11),
		.set_problem = pgm_rows_get(rows, r, 15),
		.may_select = pgm_rows_bool(rows, r, 16),
		.may_update = pgm_rows_bool(rows, r, 17),
		.row_security = pgm_rows_bool(rows, r, 19),
		.disabled = pgm_rows_bool(rows, r, 20),
		.indexed = pgm_rows_bool(rows, r, 21),
		.tuples = pgm_rows_double(rows, r, 22),
		.pages = pgm_rows_double(rows, r, 23),
		.index_pages = pgm_rows_double(rows, r, 24),
		.average = pgm_rows_double(rows, r, 26),
		.most = pgm_rows_double(rows, r, 27),
		.plain = pgm_rows_bool(rows, r, 29),
		.rows = -1,
	};
	key->child_quoted = pgm_quote_qualified(arena, key->child_schema, key->child_name);
	if (key->action == 'c')
		key->child = find_table(purge, oid_of(rows, r, 2));
	/* Of rows that go as well, a DELETE may take them before or after it changes them. */
	if (key->action == 'n' && !key->set_problem && pgm_rows_bool(rows, r, 25) &&
	    find_table(purge, oid_of(rows, r, 2)))
		key->set_problem = "rows of it go as well, and its triggers may see them changed first";
	key->column_count = pgm_rows_array(arena, pgm_rows_get(rows, r, 8), &key->columns);
	pgm_rows_array(arena, pgm_rows_get(rows, r, 9), &key->parent_columns);
	pgm_rows_array(arena, pgm_rows_get(rows, r, 10), &key->operators);
	pgm_rows_array(arena, pgm_rows_get(rows, r, 28), &key->parent_arrays);
	key->set_count = pgm_rows_array(arena, pgm_rows_get(rows, r, 14), &key->set_columns);
}

/* Each table's keys: those that reference it, and those by which its rows go. */
static void connect(struct pgm_arena *arena, struct pgm_purge *purge)
{
	for (size_t t = 0; t < purge->table_count; t++) {
		struct pgm_purge_table *table = &purge->tables[t];
		table->keys = PGM_NEW_ARRAY(arena, struct pgm_purge_key *, purge->key_count + 1);
		table->up = PGM_NEW_ARRAY(arena, struct pgm_purge_key *, purge->key_count + 1);
		for (size_t k = 0; k < purge->key_count; k++) {
			struct pgm_purge_key *key = &purge->keys[k];
			if (key->parent == table)
				table->keys[table->key_count++] = key;
			if (key->child == table)
				table->up[table->up_count++] = key;
			table->self |= key->parent == table && key->child == table;
		}
	}
}

static bool read_keys(struct pgm_conn *conn, struct pgm_arena *arena, struct pgm_purge *purge,
		      struct pgm_error *err)
{
	struct pgm_rows rows;
	struct pgm_buf oids;
	pgm_buf_init(&oids, arena);
	for (size_t t = 0; t < purge->table_count; t++)
		pgm_buf_printf(&oids, "%s%u", t ? "," : "{", purge->tables[t].oid);
	pgm_buf_char(&oids, '}');
	const char *params[] = {oids.text};
	if (!pgm_conn_query(conn, arena, pgm_embedded_text("purge/keys.sql"), 1, params, &rows, err))
		return pgm_error_context(err, "reading the foreign keys");
	purge->keys = PGM_NEW_ARRAY(arena, struct pgm_purge_key, rows.count + 1);
	purge->key_count = rows.count;
	for (size_t r = 0; r < rows.count; r++)
		read_key(arena, purge, &rows, r, &purge->keys[r]);
	connect(arena, purge);
	return true;
}

bool pgm_purge_read(struct pgm_conn *conn, struct pgm_arena *arena, const struct pgm_purge_options *options,
		    struct pgm_purge *purge, struct pgm_error *err)
{
	char *oid;
	*purge = (struct pgm_purge){.options = options, .rows = -1, .bytes = -1, .wal_bytes = -1};
	return resolve(conn, arena, options->table, &oid, err) && read_tables(conn, arena, purge, oid, err) &&
	       read_keys(conn, arena, purge, err) && pgm_purge_judge(conn, arena, purge, err);
}

const char *pgm_purge_action_name(char action)
{
	switch (action) {
	case 'c':
		return "CASCADE";
	case 'n':
		return "SET NULL";
	case 'd':
		return "SET DEFAULT";
	case 'r':
		return "RESTRICT";
	default:
		return "NO ACTION";
	}
}

const char *pgm_purge_title(struct pgm_arena *arena, const struct pgm_purge *purge)
{
	return pgm_sprintf(arena, "purge %s where %s%s", purge->tables[0].quoted, purge->options->where,
			   purge->options->atomic ? " (in one transaction)" : "");
}
