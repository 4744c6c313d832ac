#include "change/verify/copies.h"

#include "pg/quote.h"
#include "sql/index_stmt.h"
#include "util/buf.h"
#include "util/embedded.h"
#include "util/vec.h"

#include <stdlib.h>
#include <string.h>

const char *pgm_copy_name(enum pgm_copy copy)
{
	return copy == PGM_COPY_BEFORE ? "pg_temp.pgmend_before" : "pg_temp.pgmend_after";
}

static const char *free_name(const struct pgm_copies *copies, const char *wanted)
{
	const char *name = wanted;
	for (size_t i = 0; i < copies->column_count; i++)
		if (strcmp(copies->columns[i].name, name) == 0) {
			name = pgm_sprintf(copies->arena, "%s_", name);
			i = (size_t)-1;
		}
	return pgm_quote_ident(copies->arena, name);
}

static bool read_columns(struct pgm_copies *copies, struct pgm_error *err)
{
	struct pgm_rows rows;
	struct pgm_buf list;
	if (!pgm_conn_query(copies->conn, copies->arena,
			    "SELECT attname, attgenerated <> '', attlen > 0 "
			    "FROM pg_catalog.pg_attribute "
			    "WHERE attrelid = $1::pg_catalog.oid AND attnum > 0 AND NOT attisdropped "
			    "ORDER BY attnum",
			    1, &copies->table_oid, &rows, err))
		return false;
	pgm_buf_init(&list, copies->arena);
	copies->columns = PGM_NEW_ARRAY(copies->arena, struct pgm_copy_column, rows.count);
	copies->column_count = rows.count;
	for (size_t r = 0; r < rows.count; r++) {
		struct pgm_copy_column *column = &copies->columns[r];
		column->name = pgm_rows_text(&rows, r, 0);
		column->quoted = pgm_quote_ident(copies->arena, column->name);
		column->generated = pgm_rows_bool(&rows, r, 1);
		column->fixed_size = pgm_rows_bool(&rows, r, 2);
		if (!column->generated)
			pgm_buf_printf(&list, "%s%s", list.length ? ", " : "", column->quoted);
	}
	copies->column_list = list.text;
	copies->row_column = free_name(copies, "pgmend_row");
	copies->covered_flag = free_name(copies, "pgmend_covered");
	copies->other_flag = free_name(copies, "pgmend_other");
	return true;
}

static bool fill_sample(struct pgm_copies *copies, bool partitioned, const char *clause, long max_rows,
			long *count, struct pgm_error *err)
{
	struct pgm_rows rows;
	const char *sql = pgm_sprintf(
		copies->arena,
		"INSERT INTO pg_temp.pgmend_sample (%s, %s) "
		"SELECT %s, pg_catalog.row_number() OVER () FROM (SELECT %s FROM %s%s%s LIMIT %ld) AS s",
		copies->column_list, copies->row_column, copies->column_list, copies->column_list,
		partitioned ? "" : "ONLY ",
		pgm_quote_qualified(copies->arena, copies->schema, copies->relation), clause, max_rows);
	if (!pgm_conn_query(copies->conn, copies->arena, sql, 0, NULL, &rows, err))
		return false;
	const char *last = strrchr(rows.command_status, ' '); /* "INSERT 0 5000" */
	*count = last ? strtol(last, NULL, 10) : 0;
	return true;
}

static bool take_sample(struct pgm_copies *copies, bool partitioned, double row_count, long max_rows,
			struct pgm_error *err)
{
	struct pgm_arena *arena = copies->arena;
	const char *create = pgm_sprintf(
		arena,
		PGM_CONN_MARKER
		"BEGIN; SET LOCAL statement_timeout = %d; "
		"CREATE TEMPORARY TABLE pgmend_sample "
		"(LIKE %s INCLUDING GENERATED INCLUDING STORAGE); "
		"ALTER TABLE pg_temp.pgmend_sample ADD %s integer, ADD %s boolean, ADD %s boolean",
		PGM_WRITES_SAMPLE_MS, pgm_quote_qualified(arena, copies->schema, copies->relation),
		copies->row_column, copies->covered_flag, copies->other_flag);
	if (!pgm_conn_exec(copies->conn, create, err))
		return false;

	/* Twice the share that is wanted: pages are unevenly filled, and LIMIT ends it. */
	long count = 0;
	double percent = row_count > 0 ? 200.0 * (double)max_rows / row_count : 100;
	if (percent < 50) {
		const char *clause = pgm_sprintf(arena, " TABLESAMPLE SYSTEM (%.9f)", percent);
		if (!fill_sample(copies, partitioned, clause, max_rows, &count, err))
			return false;
	}
	if (count < max_rows / 2) {
		if (!pgm_conn_exec(copies->conn, "TRUNCATE pg_temp.pgmend_sample", err) ||
		    !fill_sample(copies, partitioned, "", max_rows, &count, err))
			return false;
	}
	copies->half = count / 2;
	return pgm_conn_exec(copies->conn, "COMMIT", err) &&
	       pgm_conn_exec(copies->conn, "ANALYZE pg_temp.pgmend_sample", err);
}

bool pgm_copies_sample(struct pgm_copies *copies, bool partitioned, double row_count, long max_rows,
		       struct pgm_error *err)
{
	/* Before the session's first temporary table, or not at all: the default would spill to disk. */
	if (!pgm_conn_exec(copies->conn, "SET temp_buffers = '64MB'", err) || !read_columns(copies, err))
		return false;
	if (*copies->column_list == '\0')
		return pgm_error_set(err, PGM_ERR_STATE, "the table has no columns that can be written");
	return take_sample(copies, partitioned, row_count, max_rows, err);
}

struct definition {
	const char *schema, *name; /* of the index on the real table */
	const char *rest;	   /* what follows the table's name */
	bool written;		   /* by the Plan's author, for the user's search_path */
	bool planned;		   /* the Plan creates or drops it */
};

struct definitions {
	struct definition *items;
	size_t count;
	size_t capacity;
};

static const struct pgm_change *change_of(const struct pgm_copies *copies, const char *schema,
					  const char *index)
{
	for (size_t i = 0; i < copies->plan->change_count; i++) {
		const struct pgm_change *change = &copies->plan->changes[i];
		if (change->kind != PGM_CHANGE_SQL && change->index && strcmp(change->schema, schema) == 0 &&
		    strcmp(change->index, index) == 0)
			return change;
	}
	return NULL;
}

static bool has_definition(const struct definitions *list, const struct pgm_change *change)
{
	for (size_t i = 0; i < list->count; i++)
		if (strcmp(list->items[i].schema, change->schema) == 0 &&
		    strcmp(list->items[i].name, change->index) == 0)
			return true;
	return false;
}

/* Those that exist, and those of the Plan's that do not (yet, or any more) from its own SQL. */
static bool read_definitions(struct pgm_copies *copies, struct definitions *list, struct pgm_error *err)
{
	struct pgm_arena *arena = copies->arena;
	struct pgm_rows rows;
	if (!pgm_conn_query(copies->conn, arena, pgm_embedded_text("change/verify/table_indexes.sql"), 1,
			    &copies->table_oid, &rows, err))
		return false;
	for (size_t r = 0; r < rows.count; r++) {
		const char *schema = pgm_rows_text(&rows, r, 0), *name = pgm_rows_text(&rows, r, 1);
		*pgm_vec_add(arena, list) =
			(struct definition){.schema = schema,
					    .name = name,
					    .rest = pgm_rows_text(&rows, r, 2),
					    .planned = change_of(copies, schema, name) != NULL};
	}
	for (size_t i = 0; i < copies->plan->change_count; i++) {
		const struct pgm_change *change = &copies->plan->changes[i];
		if (change->kind == PGM_CHANGE_SQL || !change->index || has_definition(list, change) ||
		    strcmp(change->schema, copies->schema) != 0 ||
		    strcmp(change->relation, copies->relation) != 0)
			continue;
		bool create = change->kind == PGM_CHANGE_CREATE_INDEX;
		char *rest;
		if (!pgm_sql_index_definition(arena, create ? change->sql_up : change->sql_down, &rest, err))
			return pgm_error_context(err, "the SQL of index %s", change->index);
		*pgm_vec_add(arena, list) = (struct definition){.schema = change->schema,
								.name = change->index,
								.rest = rest,
								.written = true,
								.planned = true};
	}
	return true;
}

static bool belongs(const struct pgm_copies *copies, const struct definition *definition, enum pgm_copy copy)
{
	if (!definition->planned)
		return true;
	const struct pgm_change *change = change_of(copies, definition->schema, definition->name);
	return (change->kind == PGM_CHANGE_CREATE_INDEX) == (copy == PGM_COPY_AFTER);
}

static bool set_path(struct pgm_copies *copies, const char *path, struct pgm_error *err)
{
	struct pgm_rows rows;
	return pgm_conn_query(copies->conn, copies->arena,
			      "SELECT pg_catalog.set_config('search_path', $1, true)", 1, &path, &rows, err);
}

static void mark_columns(struct pgm_copies *copies, const struct pgm_rows *rows, bool planned)
{
	for (size_t r = 0; r < rows->count; r++)
		for (size_t i = 0; i < copies->column_count; i++)
			if (strcmp(copies->columns[i].name, pgm_rows_text(rows, r, 0)) == 0) {
				copies->columns[i].indexed = true;
				copies->columns[i].covered |= planned;
			}
}

static bool create_index(struct pgm_copies *copies, const struct definition *definition, enum pgm_copy copy,
			 struct pgm_error *err)
{
	struct pgm_arena *arena = copies->arena;
	const char *path = pgm_conn_search_path(copies->conn);
	const char *name = pgm_sprintf(arena, "pgmend_%d_%d", copy, copies->index_count[copy]++);
	const char *qualified = pgm_sprintf(arena, "pg_temp.%s", name);
	const char *sql =
		pgm_sprintf(arena, "CREATE INDEX %s ON %s %s", name, pgm_copy_name(copy), definition->rest);
	struct pgm_rows rows;
	return set_path(copies, definition->written ? path : "pg_catalog", err) &&
	       pgm_conn_query(copies->conn, arena, sql, 0, NULL, &rows, err) &&
	       set_path(copies, "pg_catalog", err) &&
	       pgm_conn_query(copies->conn, arena,
			      "SELECT a.attname FROM pg_catalog.pg_depend AS d "
			      "JOIN pg_catalog.pg_attribute AS a "
			      "ON a.attrelid = d.refobjid AND a.attnum = d.refobjsubid "
			      "WHERE d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass "
			      "AND d.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass "
			      "AND d.objid = $1::pg_catalog.regclass AND d.refobjsubid > 0",
			      1, &qualified, &rows, err) &&
	       (mark_columns(copies, &rows, definition->planned), true);
}

bool pgm_copies_create(struct pgm_copies *copies, struct pgm_error *err)
{
	struct definitions list = {0};
	if (!read_definitions(copies, &list, err))
		return false;
	for (enum pgm_copy copy = 0; copy < PGM_COPIES; copy++) {
		const char *name = pgm_copy_name(copy);
		const char *create =
			pgm_sprintf(copies->arena,
				    "CREATE TEMPORARY TABLE %s (LIKE pg_temp.pgmend_sample "
				    "INCLUDING GENERATED INCLUDING STORAGE) WITH (fillfactor = 50)",
				    strchr(name, '.') + 1);
		char *oid;
		if (!pgm_conn_exec(copies->conn, create, err) ||
		    !pgm_conn_value(copies->conn, copies->arena,
				    "SELECT $1::pg_catalog.regclass::pg_catalog.oid", 1, &name, &oid, err))
			return false;
		copies->oids[copy] = oid;
		for (size_t i = 0; i < list.count; i++)
			if (belongs(copies, &list.items[i], copy) &&
			    !create_index(copies, &list.items[i], copy, err))
				return false;
	}
	return true;
}
