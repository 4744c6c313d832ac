#include "lint/facts.h"

#include "pg/quote.h"
#include "util/buf.h"
#include "util/embedded.h"

#include <string.h>

struct pgm_table *pgm_lint_table(const struct pgm_lint_facts *facts, struct pgm_op_name name)
{
	if (!facts || !*name.name)
		return NULL;
	return pgm_catalog_table(facts->catalog, *name.schema ? name.schema : NULL, name.name);
}

static const char *column_key(struct pgm_arena *arena, unsigned oid, const char *name)
{
	return pgm_sprintf(arena, "%u.%s", oid, name);
}

const struct pgm_lint_column *pgm_lint_column(struct pgm_arena *arena, const struct pgm_lint_facts *facts,
					      struct pgm_op_name table, const char *name)
{
	const struct pgm_table *found = pgm_lint_table(facts, table);
	return found ? pgm_map_get(&facts->columns, column_key(arena, found->oid, name)) : NULL;
}

const struct pgm_index *pgm_lint_index(const struct pgm_lint_facts *facts, const char *schema,
				       const char *name)
{
	for (size_t i = 0; facts && i < facts->catalog->index_count; i++) {
		const struct pgm_index *index = &facts->catalog->indexes[i];
		if (strcmp(index->name, name) == 0 && (!*schema || strcmp(index->table->schema, schema) == 0))
			return index;
	}
	return NULL;
}

static const char *last_part(const char *name)
{
	const char *dot = strrchr(name, '.');
	return dot ? dot + 1 : name;
}

struct wanted {
	struct pgm_buf oids, functions, types; /* arrays */
};

static void want(struct pgm_arena *arena, const struct pgm_lint_facts *facts, const struct pgm_op *op,
		 struct wanted *wanted)
{
	const struct pgm_op_name names[] = {op->relation, op->other};
	for (size_t i = 0; i < 2; i++) {
		const struct pgm_table *table = pgm_lint_table(facts, names[i]);
		if (table)
			pgm_quote_array_add(&wanted->oids, pgm_sprintf(arena, "%u", table->oid));
	}
	for (size_t i = 0; i < op->function_count; i++)
		pgm_quote_array_add(&wanted->functions, last_part(op->functions[i]));
	if (*op->type.name)
		pgm_quote_array_add(&wanted->types, last_part(op->type.name));
}

static bool read_columns(struct pgm_arena *arena, struct pgm_conn *conn, const char *oids,
			 struct pgm_lint_facts *facts, struct pgm_error *err)
{
	struct pgm_rows rows;
	if (!pgm_conn_query(conn, arena, pgm_embedded_text("lint/columns.sql"), 1, &oids, &rows, err))
		return false;
	for (size_t r = 0; r < rows.count; r++) {
		struct pgm_lint_column *column = PGM_NEW(arena, struct pgm_lint_column);
		*column = (struct pgm_lint_column){
			.type = pgm_rows_text(&rows, r, 2),
			.modifier = (long)pgm_rows_int(&rows, r, 3),
			.not_null = pgm_rows_bool(&rows, r, 4),
			.checked_not_null = pgm_rows_bool(&rows, r, 5),
			.base = pgm_rows_text(&rows, r, 6),
		};
		pgm_map_set(
			&facts->columns,
			column_key(arena, (unsigned)pgm_rows_int(&rows, r, 0), pgm_rows_text(&rows, r, 1)),
			column);
	}
	return true;
}

static bool read_names(struct pgm_arena *arena, struct pgm_conn *conn, const char *functions,
		       const char *types, struct pgm_lint_facts *facts, struct pgm_error *err)
{
	struct pgm_rows rows;
	const char *params[] = {functions, types};
	if (!pgm_conn_query(conn, arena, pgm_embedded_text("lint/names.sql"), 2, params, &rows, err))
		return false;
	for (size_t r = 0; r < rows.count; r++) {
		bool function = strcmp(pgm_rows_text(&rows, r, 0), "function") == 0;
		bool yes = pgm_rows_bool(&rows, r, 2);
		if (function)
			pgm_map_set(&facts->volatiles, pgm_rows_text(&rows, r, 1),
				    (void *)(yes ? "yes" : "no"));
		else if (yes)
			pgm_map_set(&facts->domains, pgm_rows_text(&rows, r, 1), (void *)"yes");
	}
	return true;
}

static bool read_partitions(struct pgm_arena *arena, struct pgm_conn *conn, const char *oids,
			    struct pgm_lint_facts *facts, struct pgm_error *err)
{
	struct pgm_rows rows;
	if (!pgm_conn_query(conn, arena, pgm_embedded_text("lint/partitions.sql"), 1, &oids, &rows, err))
		return false;
	for (size_t r = 0; r < rows.count; r++)
		pgm_map_set(&facts->defaults, pgm_rows_text(&rows, r, 0),
			    pgm_catalog_table_by_oid(facts->catalog, (unsigned)pgm_rows_int(&rows, r, 1)));
	return true;
}

bool pgm_lint_facts_read(struct pgm_arena *arena, struct pgm_conn *conn, const struct pgm_script *scripts,
			 size_t count, struct pgm_lint_facts *facts, struct pgm_error *err)
{
	*facts = (struct pgm_lint_facts){.major = pgm_conn_version(conn) / 10000};
	pgm_map_init(&facts->columns, arena);
	pgm_map_init(&facts->volatiles, arena);
	pgm_map_init(&facts->domains, arena);
	pgm_map_init(&facts->defaults, arena);
	facts->catalog = pgm_catalog_read(arena, conn, err);
	if (!facts->catalog)
		return pgm_error_context(err, "reading the catalogs");
	struct wanted wanted;
	pgm_quote_array_begin(&wanted.oids, arena);
	pgm_quote_array_begin(&wanted.functions, arena);
	pgm_quote_array_begin(&wanted.types, arena);
	for (size_t s = 0; s < count; s++)
		for (size_t i = 0; i < scripts[s].statements.count; i++)
			for (size_t o = 0; o < scripts[s].statements.items[i].ops.count; o++)
				want(arena, facts, &scripts[s].statements.items[i].ops.items[o], &wanted);
	const char *oids = pgm_quote_array_end(&wanted.oids);
	char *timeout;
	/* Our session has its own; reset_val is what the role would begin with. */
	if (!read_columns(arena, conn, oids, facts, err) ||
	    !read_names(arena, conn, pgm_quote_array_end(&wanted.functions),
			pgm_quote_array_end(&wanted.types), facts, err) ||
	    !read_partitions(arena, conn, oids, facts, err) ||
	    !pgm_conn_value(conn, arena,
			    "SELECT reset_val FROM pg_catalog.pg_settings WHERE name = 'lock_timeout'", 0,
			    NULL, &timeout, err))
		return pgm_error_context(err, "reading what the files name");
	facts->lock_timeout = timeout && strcmp(timeout, "0") != 0;
	return true;
}
