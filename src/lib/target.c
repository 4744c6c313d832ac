#include "lib/target.h"

#include "lib/bytes.h"
#include "lib/error.h"

#include <stdlib.h>
#include <string.h>

/* The library has no table of embedded files as the program has: its few queries stand here. */

static const char table_sql[] =
	"SELECT c.oid, n.nspname, c.relname, c.relkind IN ('r', 'p', 'f')\n"
	"       AND NOT pg_catalog.row_security_active(c.oid)\n"
	"       AND NOT EXISTS (SELECT FROM pg_catalog.pg_rewrite r WHERE r.ev_class = c.oid AND r.ev_type = "
	"'3'),\n"
	"       c.relrowsecurity,\n"
	"       EXISTS (SELECT FROM pg_catalog.pg_trigger t WHERE t.tgrelid = c.oid AND NOT "
	"t.tgisinternal),\n"
	"       EXISTS (SELECT FROM pg_catalog.pg_constraint k WHERE k.conrelid = c.oid AND k.condeferred)\n"
	"FROM pg_catalog.pg_class c\n"
	"JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace\n"
	"WHERE c.relname = $1::pg_catalog.text AND c.relkind IN ('r', 'p', 'f', 'v')\n"
	"  AND CASE WHEN $2::pg_catalog.text IS NULL THEN pg_catalog.pg_table_is_visible(c.oid)\n"
	"           ELSE n.nspname = $2::pg_catalog.text END";

static const char columns_sql[] =
	"SELECT a.attname, a.atttypid, a.attgenerated <> '', a.attidentity = 'a'\n"
	"FROM pg_catalog.pg_attribute a\n"
	"WHERE a.attrelid = $1::pg_catalog.oid AND a.attnum > 0 AND NOT a.attisdropped\n"
	"ORDER BY a.attnum";

/* The columns' types, and those that they are made of. */
static const char types_sql[] =
	"WITH RECURSIVE found (oid) AS (\n"
	"    SELECT a.atttypid\n"
	"    FROM pg_catalog.pg_attribute a\n"
	"    WHERE a.attrelid = $1::pg_catalog.oid AND a.attnum > 0 AND NOT a.attisdropped\n"
	"    UNION\n"
	"    SELECT part.oid\n"
	"    FROM found f\n"
	"    JOIN pg_catalog.pg_type y ON y.oid = f.oid\n"
	"    LEFT JOIN pg_catalog.pg_range r ON r.rngtypid = y.oid\n"
	"    CROSS JOIN LATERAL (VALUES (y.typbasetype), (y.typelem), (r.rngsubtype)) part (oid)\n"
	"    WHERE part.oid <> 0\n"
	")\n"
	"SELECT y.oid, y.typarray, n.nspname, y.typname, y.typtype, y.typbasetype,\n"
	"       CASE WHEN p.proname = 'array_recv' THEN y.typelem ELSE 0 END, coalesce(r.rngsubtype, 0),\n"
	"       p.proname IN ('textrecv', 'varcharrecv', 'bpcharrecv', 'json_recv', 'xml_recv', "
	"'enum_recv')\n"
	"FROM found f\n"
	"JOIN pg_catalog.pg_type y ON y.oid = f.oid\n"
	"JOIN pg_catalog.pg_namespace n ON n.oid = y.typnamespace\n"
	"LEFT JOIN pg_catalog.pg_proc p ON p.oid = y.typreceive\n"
	"LEFT JOIN pg_catalog.pg_range r ON r.rngtypid = y.oid";

static PGresult *query(PGconn *conn, const char *sql, int count, const char *const *values,
		       struct pgmend_error *err)
{
	PGresult *result = PQexecParams(conn, sql, count, NULL, values, NULL, NULL, 0);
	if (PQresultStatus(result) == PGRES_TUPLES_OK)
		return result;
	pgm_lib_error_result(err, conn, result);
	PQclear(result);
	return NULL;
}

static uint32_t get_oid(const PGresult *result, int row, int column)
{
	return (uint32_t)strtoul(PQgetvalue(result, row, column), NULL, 10);
}

static bool get_bool(const PGresult *result, int row, int column)
{
	return *PQgetvalue(result, row, column) == 't';
}

/* "schema"."name"; NULL where there is no memory. */
static char *qualified(const char *schema, const char *name)
{
	struct pgm_bytes text = {0};
	pgm_bytes_ident(&text, schema);
	pgm_bytes_byte(&text, '.');
	pgm_bytes_ident(&text, name);
	if (!pgm_bytes_string(&text)) {
		pgm_bytes_done(&text);
		return NULL;
	}
	return (char *)text.data;
}

static const struct pgm_type *find_type(const struct pgm_target *target, uint32_t oid)
{
	for (size_t i = 0; oid && i < target->type_count; i++)
		if (target->types[i].oid == oid)
			return &target->types[i];
	return NULL;
}

static bool take_types(struct pgm_target *target, const PGresult *result)
{
	size_t count = (size_t)PQntuples(result);
	target->types = calloc(count + 1, sizeof(*target->types));
	if (!target->types)
		return false;
	for (size_t i = 0; i < count; i++) {
		struct pgm_type *type = &target->types[i];
		int row = (int)i;
		target->type_count = i + 1;
		type->oid = get_oid(result, row, 0);
		type->array_oid = get_oid(result, row, 1);
		type->name = qualified(PQgetvalue(result, row, 2), PQgetvalue(result, row, 3));
		if (!type->name)
			return false;
		type->kind = *PQgetvalue(result, row, 4);
		type->base_oid = get_oid(result, row, 5);
		type->element_oid = get_oid(result, row, 6);
		type->subtype_oid = get_oid(result, row, 7);
		type->receives_text = get_bool(result, row, 8);
	}
	for (size_t i = 0; i < count; i++) {
		struct pgm_type *type = &target->types[i];
		const struct pgm_type *base = type;
		for (const struct pgm_type *next; (next = find_type(target, base->base_oid)) != NULL;)
			base = next;
		type->base = base;
		type->element = find_type(target, type->element_oid);
		type->subtype = find_type(target, type->subtype_oid);
	}
	return true;
}

static bool take_columns(struct pgm_target *target, const PGresult *result)
{
	size_t count = (size_t)PQntuples(result);
	target->columns = calloc(count + 1, sizeof(*target->columns));
	if (!target->columns)
		return false;
	for (size_t i = 0; i < count; i++) {
		struct pgm_target_column *column = &target->columns[i];
		int row = (int)i;
		target->column_count = i + 1;
		column->name = strdup(PQgetvalue(result, row, 0));
		if (!column->name)
			return false;
		column->type = find_type(target, get_oid(result, row, 1));
		column->generated = get_bool(result, row, 2);
		column->always_identity = get_bool(result, row, 3);
	}
	return true;
}

static bool take_table(struct pgm_target *target, const PGresult *result, const char *schema,
		       const char *table, struct pgmend_error *err)
{
	if (PQntuples(result) != 1) {
		pgm_lib_error_set(err, PGMEND_ERR_USAGE, "there is no table \"%s%s%s\"", schema ? schema : "",
				  schema ? "." : "", table);
		return pgm_lib_error_hint(
			err, schema ? "Names are taken as they are: with the case of the catalog, not quoted."
				    : "Name its schema, or put that into the search_path. Names are "
				      "taken as they are: with the case of the catalog, not quoted.");
	}
	target->oid = get_oid(result, 0, 0);
	target->copies = get_bool(result, 0, 3);
	target->row_security = get_bool(result, 0, 4);
	target->triggered = get_bool(result, 0, 5);
	target->deferred = get_bool(result, 0, 6);
	target->name = qualified(PQgetvalue(result, 0, 1), PQgetvalue(result, 0, 2));
	return target->name || pgm_lib_error_memory(err);
}

bool pgm_target_read(struct pgm_target *target, PGconn *conn, const char *schema, const char *table,
		     struct pgmend_error *err)
{
	const char *names[] = {table, schema};
	PGresult *result = query(conn, table_sql, 2, names, err);
	bool ok = result && take_table(target, result, schema, table, err);
	char oid[16];
	if (ok)
		strcpy(oid, PQgetvalue(result, 0, 0));
	PQclear(result);
	if (!ok)
		return false;

	const char *values[] = {oid};
	result = query(conn, types_sql, 1, values, err);
	ok = result && (take_types(target, result) || pgm_lib_error_memory(err));
	PQclear(result);
	if (!ok)
		return false;
	result = query(conn, columns_sql, 1, values, err);
	ok = result && (take_columns(target, result) || pgm_lib_error_memory(err));
	PQclear(result);
	for (size_t i = 0; ok && i < target->column_count; i++)
		if (!target->columns[i].type) /* altered between the two queries */
			ok = pgm_lib_error_set(err, PGMEND_ERR_STATE, "table %s was altered just now",
					       target->name);
	return ok;
}

void pgm_target_done(struct pgm_target *target)
{
	for (size_t i = 0; i < target->type_count; i++)
		free(target->types[i].name);
	for (size_t i = 0; i < target->column_count; i++)
		free(target->columns[i].name);
	free(target->types);
	free(target->columns);
	free(target->name);
	*target = (struct pgm_target){0};
}

const struct pgm_target_column *pgm_target_column(const struct pgm_target *target, const char *name)
{
	for (size_t i = 0; i < target->column_count; i++)
		if (strcmp(target->columns[i].name, name) == 0)
			return &target->columns[i];
	return NULL;
}
