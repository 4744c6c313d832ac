#include "catalog/catalog.h"

#include "util/embedded.h"
#include "util/vec.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *table_key(struct pgm_arena *arena, const char *schema, const char *name)
{
	return pgm_sprintf(arena, "%s\001%s", schema, name);
}

struct pgm_table *pgm_catalog_table_by_oid(const struct pgm_catalog *catalog, unsigned oid)
{
	char key[16];
	snprintf(key, sizeof(key), "%u", oid);
	return pgm_map_get(&catalog->tables_by_oid, key);
}

static int *int_array(struct pgm_arena *arena, const char *text, size_t *count)
{
	char **elements;
	*count = pgm_rows_array(arena, text, &elements);
	int *numbers = PGM_NEW_ARRAY(arena, int, *count);
	for (size_t i = 0; i < *count; i++)
		numbers[i] = elements[i] ? (int)strtol(elements[i], NULL, 10) : 0;
	return numbers;
}

static bool read_tables(struct pgm_catalog *catalog, struct pgm_conn *conn, struct pgm_error *err)
{
	struct pgm_arena *arena = catalog->arena;
	struct pgm_rows rows;
	if (!pgm_conn_query(conn, arena, pgm_embedded_text("catalog/tables.sql"), 0, NULL, &rows, err))
		return false;
	catalog->table_count = rows.count;
	catalog->tables = PGM_NEW_ARRAY(arena, struct pgm_table, rows.count);
	for (size_t r = 0; r < rows.count; r++) {
		struct pgm_table *table = &catalog->tables[r];
		*table = (struct pgm_table){
			.oid = (unsigned)pgm_rows_int(&rows, r, 0),
			.schema = pgm_rows_text(&rows, r, 1),
			.name = pgm_rows_text(&rows, r, 2),
			.kind = pgm_rows_text(&rows, r, 3)[0],
			.persistence = pgm_rows_text(&rows, r, 4)[0],
			.is_partition = pgm_rows_bool(&rows, r, 5),
			.parent_oid = (unsigned)pgm_rows_int(&rows, r, 6),
			.pages = pgm_rows_double(&rows, r, 7),
			.tuples = pgm_rows_double(&rows, r, 8),
			.all_visible_pages = pgm_rows_double(&rows, r, 9),
			.inserts = pgm_rows_int(&rows, r, 10),
			.updates = pgm_rows_int(&rows, r, 11),
			.hot_updates = pgm_rows_int(&rows, r, 12),
			.deletes = pgm_rows_int(&rows, r, 13),
			.readable = pgm_rows_bool(&rows, r, 14),
			.toast_pages = pgm_rows_double(&rows, r, 15),
		};
		if (table->tuples < 0)
			table->tuples = 0; /* never analysed (14 and later say -1) */
		pgm_map_set(&catalog->tables_by_name, table_key(arena, table->schema, table->name), table);
		pgm_map_set(&catalog->tables_by_oid, pgm_rows_text(&rows, r, 0), table);
	}
	return true;
}

/* Children of their parents; what partitioned tables hold is what their leaves hold. */
static void link_children(struct pgm_catalog *catalog)
{
	for (int pass = 0; pass < 2; pass++) {
		for (size_t i = 0; i < catalog->table_count; i++) {
			struct pgm_table *table = &catalog->tables[i];
			struct pgm_table *parent = pgm_catalog_table_by_oid(catalog, table->parent_oid);
			if (!parent)
				continue;
			if (pass)
				parent->children[parent->child_count] = table;
			parent->child_count++;
		}
		for (size_t i = 0; pass == 0 && i < catalog->table_count; i++) {
			struct pgm_table *table = &catalog->tables[i];
			table->children =
				PGM_NEW_ARRAY(catalog->arena, struct pgm_table *, table->child_count);
			table->child_count = 0;
		}
	}
	for (size_t i = 0; i < catalog->table_count; i++) {
		const struct pgm_table *leaf = &catalog->tables[i];
		if (!leaf->is_partition || leaf->kind == 'p')
			continue;
		struct pgm_table *up = pgm_catalog_table_by_oid(catalog, leaf->parent_oid);
		for (int depth = 0; up && depth < 32; depth++) {
			up->pages = (up->pages > 0 ? up->pages : 0) + leaf->pages;
			up->tuples = up->tuples + leaf->tuples;
			up->all_visible_pages += leaf->all_visible_pages;
			up->inserts += leaf->inserts;
			up->updates += leaf->updates;
			up->hot_updates += leaf->hot_updates;
			up->deletes += leaf->deletes;
			up = up->is_partition ? pgm_catalog_table_by_oid(catalog, up->parent_oid) : NULL;
		}
	}
}

/* ANALYZE gives partitioned tables totals of their own from 14 on: forget them before leaves are added up. */
static void forget_partitioned_totals(struct pgm_catalog *catalog)
{
	for (size_t i = 0; i < catalog->table_count; i++) {
		struct pgm_table *table = &catalog->tables[i];
		if (table->kind != 'p')
			continue;
		table->pages = table->tuples = table->all_visible_pages = 0;
		table->inserts = table->updates = table->hot_updates = table->deletes = 0;
	}
}

static bool read_columns(struct pgm_catalog *catalog, struct pgm_conn *conn, struct pgm_error *err)
{
	struct pgm_rows rows;
	if (!pgm_conn_query(conn, catalog->arena, pgm_embedded_text("catalog/columns.sql"), 0, NULL, &rows,
			    err))
		return false;
	struct pgm_column *columns = PGM_NEW_ARRAY(catalog->arena, struct pgm_column, rows.count);
	for (size_t r = 0; r < rows.count; r++) {
		columns[r] = (struct pgm_column){
			.attnum = (int)pgm_rows_int(&rows, r, 1),
			.name = pgm_rows_text(&rows, r, 2),
			.type_name = pgm_rows_text(&rows, r, 3),
			.type_category = pgm_rows_text(&rows, r, 4)[0],
			.length_bytes = (int)pgm_rows_int(&rows, r, 5),
			.align = pgm_rows_text(&rows, r, 6)[0],
			.not_null = pgm_rows_bool(&rows, r, 7),
			.collation = (unsigned)pgm_rows_int(&rows, r, 8),
			.btree = pgm_rows_bool(&rows, r, 9),
			.equal_image = pgm_rows_bool(&rows, r, 10),
		};
		struct pgm_table *table =
			pgm_catalog_table_by_oid(catalog, (unsigned)pgm_rows_int(&rows, r, 0));
		if (!table)
			continue;
		if (table->column_count++ == 0)
			table->columns = &columns[r];
	}
	return true;
}

static struct pgm_index index_of_row(struct pgm_arena *arena, const struct pgm_rows *rows, size_t r)
{
	struct pgm_index index = {
		.oid = (unsigned)pgm_rows_int(rows, r, 0),
		.name = pgm_rows_text(rows, r, 2),
		.method = pgm_rows_text(rows, r, 3),
		.unique = pgm_rows_bool(rows, r, 4),
		.primary = pgm_rows_bool(rows, r, 5),
		.valid = pgm_rows_bool(rows, r, 6),
		.ready = pgm_rows_bool(rows, r, 7),
		.replica_identity = pgm_rows_bool(rows, r, 8),
		.constraint = pgm_rows_bool(rows, r, 9),
		.key_count = (size_t)pgm_rows_int(rows, r, 10),
		.expressions = pgm_rows_get(rows, r, 15),
		.predicate = pgm_rows_get(rows, r, 16),
		.pages = pgm_rows_double(rows, r, 17),
		.tuples = pgm_rows_double(rows, r, 18),
		.scans = pgm_rows_int(rows, r, 19),
		.partitioned = pgm_rows_bool(rows, r, 20),
	};
	size_t count;
	index.attnums = int_array(arena, pgm_rows_get(rows, r, 11), &index.column_count);
	index.options = int_array(arena, pgm_rows_get(rows, r, 12), &count);
	if (count < index.key_count)
		index.key_count = count;
	count = pgm_rows_array(arena, pgm_rows_get(rows, r, 13), &index.opclasses);
	if (count < index.key_count)
		index.key_count = count;
	index.collations = (unsigned *)int_array(arena, pgm_rows_get(rows, r, 14), &count);
	if (count < index.key_count)
		index.key_count = count;
	return index;
}

static bool read_indexes(struct pgm_catalog *catalog, struct pgm_conn *conn, struct pgm_error *err)
{
	struct pgm_arena *arena = catalog->arena;
	struct pgm_rows rows;
	if (!pgm_conn_query(conn, arena, pgm_embedded_text("catalog/indexes.sql"), 0, NULL, &rows, err))
		return false;
	catalog->indexes = PGM_NEW_ARRAY(arena, struct pgm_index, rows.count);
	for (size_t r = 0; r < rows.count; r++) {
		struct pgm_table *table =
			pgm_catalog_table_by_oid(catalog, (unsigned)pgm_rows_int(&rows, r, 1));
		if (!table)
			continue;
		struct pgm_index *index = &catalog->indexes[catalog->index_count++];
		*index = index_of_row(arena, &rows, r);
		index->table = table;
		table->index_count++;
	}
	for (size_t i = 0; i < catalog->index_count; i++) {
		struct pgm_table *table = (struct pgm_table *)catalog->indexes[i].table;
		if (!table->indexes) {
			table->indexes = PGM_NEW_ARRAY(arena, struct pgm_index *, table->index_count);
			table->index_count = 0;
		}
		table->indexes[table->index_count++] = &catalog->indexes[i];
	}
	return true;
}

static bool read_foreign_keys(struct pgm_catalog *catalog, struct pgm_conn *conn, struct pgm_error *err)
{
	struct pgm_arena *arena = catalog->arena;
	struct pgm_rows rows;
	if (!pgm_conn_query(conn, arena, pgm_embedded_text("catalog/foreign_keys.sql"), 0, NULL, &rows, err))
		return false;
	catalog->foreign_keys = PGM_NEW_ARRAY(arena, struct pgm_foreign_key, rows.count);
	for (size_t r = 0; r < rows.count; r++) {
		struct pgm_foreign_key key = {
			.name = pgm_rows_text(&rows, r, 0),
			.child = pgm_catalog_table_by_oid(catalog, (unsigned)pgm_rows_int(&rows, r, 1)),
			.parent = pgm_catalog_table_by_oid(catalog, (unsigned)pgm_rows_int(&rows, r, 2)),
			.on_delete = pgm_rows_text(&rows, r, 5)[0],
		};
		key.child_attnums = int_array(arena, pgm_rows_get(&rows, r, 3), &key.column_count);
		key.parent_attnums = int_array(arena, pgm_rows_get(&rows, r, 4), &key.column_count);
		if (key.child && key.parent)
			catalog->foreign_keys[catalog->foreign_key_count++] = key;
	}
	return true;
}

static bool read_surroundings(struct pgm_catalog *catalog, struct pgm_conn *conn, struct pgm_error *err)
{
	struct pgm_arena *arena = catalog->arena;
	struct pgm_rows rows;
	if (!pgm_conn_query(conn, arena,
			    "SELECT e.extname, n.nspname FROM pg_catalog.pg_extension e "
			    "JOIN pg_catalog.pg_namespace n ON n.oid = e.extnamespace",
			    0, NULL, &rows, err))
		return false;
	for (size_t r = 0; r < rows.count; r++)
		pgm_map_set(&catalog->extensions, pgm_rows_text(&rows, r, 0), pgm_rows_get(&rows, r, 1));
	/* Let the server read its own syntax: SET LOCAL needs a transaction, which we are in. */
	const char *path = pgm_conn_search_path(conn);
	if (!pgm_conn_query(conn, arena,
			    "SELECT pg_catalog.set_config('search_path', $1, true), "
			    "pg_catalog.current_schemas(false), "
			    "pg_catalog.set_config('search_path', 'pg_catalog', true)",
			    1, &path, &rows, err))
		return false;
	char **schemas;
	catalog->search_path_count = pgm_rows_array(arena, pgm_rows_get(&rows, 0, 1), &schemas);
	catalog->search_path = (const char **)schemas;
	return true;
}

struct pgm_catalog *pgm_catalog_read(struct pgm_arena *arena, struct pgm_conn *conn, struct pgm_error *err)
{
	struct pgm_catalog *catalog = PGM_NEW(arena, struct pgm_catalog);
	catalog->arena = arena;
	catalog->version = pgm_conn_version(conn);
	pgm_map_init(&catalog->tables_by_name, arena);
	pgm_map_init(&catalog->tables_by_oid, arena);
	pgm_map_init(&catalog->extensions, arena);
	if (!pgm_conn_exec(conn, PGM_CONN_MARKER "BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY", err))
		goto failed;
	if (!read_tables(catalog, conn, err) || !read_columns(catalog, conn, err) ||
	    !read_indexes(catalog, conn, err) || !read_foreign_keys(catalog, conn, err) ||
	    !read_surroundings(catalog, conn, err)) {
		pgm_conn_exec_quietly(conn, PGM_CONN_MARKER "ROLLBACK");
		goto failed;
	}
	if (!pgm_conn_exec(conn, PGM_CONN_MARKER "COMMIT", err))
		goto failed;
	forget_partitioned_totals(catalog);
	link_children(catalog);
	return catalog;
failed:
	pgm_error_context(err, "reading the catalog");
	return NULL;
}

struct pgm_table *pgm_catalog_table(const struct pgm_catalog *catalog, const char *schema, const char *name)
{
	char key[256];
	if (schema) {
		snprintf(key, sizeof(key), "%s\001%s", schema, name);
		return pgm_map_get(&catalog->tables_by_name, key);
	}
	for (size_t i = 0; i < catalog->search_path_count; i++) {
		snprintf(key, sizeof(key), "%s\001%s", catalog->search_path[i], name);
		struct pgm_table *table = pgm_map_get(&catalog->tables_by_name, key);
		if (table)
			return table;
	}
	struct pgm_table *only = NULL;
	for (size_t i = 0; i < catalog->table_count; i++) {
		if (strcmp(catalog->tables[i].name, name) != 0)
			continue;
		if (only)
			return NULL;
		only = &catalog->tables[i];
	}
	return only;
}

struct pgm_column *pgm_table_column(const struct pgm_table *table, const char *name)
{
	for (size_t i = 0; i < table->column_count; i++)
		if (strcmp(table->columns[i].name, name) == 0)
			return &table->columns[i];
	return NULL;
}

struct pgm_column *pgm_table_column_by_attnum(const struct pgm_table *table, int attnum)
{
	for (size_t i = 0; i < table->column_count; i++)
		if (table->columns[i].attnum == attnum)
			return &table->columns[i];
	return NULL;
}

const char *pgm_catalog_extension(const struct pgm_catalog *catalog, const char *name)
{
	return pgm_map_get(&catalog->extensions, name);
}
