#include "check/run.h"

#include "pg/quote.h"
#include "util/buf.h"

#include <string.h>

static const char extensions_sql[] = "SELECT e.extname, pg_catalog.quote_ident(n.nspname), "
				     "       pg_catalog.has_schema_privilege(n.oid, 'USAGE') "
				     "FROM pg_catalog.pg_extension AS e "
				     "JOIN pg_catalog.pg_namespace AS n ON n.oid = e.extnamespace";

/* Columns of pg_catalog and of what extensions own; the latter with whether we may read them. */
static const char columns_sql[] =
	"SELECT c.relname, a.attname, pg_catalog.format('%I.%I', n.nspname, c.relname), "
	"       pg_catalog.has_table_privilege(c.oid, 'SELECT') "
	"FROM ROWS FROM (pg_catalog.unnest($1::pg_catalog.text[]), pg_catalog.unnest($2::pg_catalog.text[])) "
	"    AS wanted (relation, attribute) "
	"JOIN pg_catalog.pg_class AS c ON c.relname = wanted.relation "
	"JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace "
	"JOIN pg_catalog.pg_attribute AS a ON a.attrelid = c.oid AND a.attname = wanted.attribute "
	"WHERE NOT a.attisdropped AND a.attnum > 0 "
	"AND (n.nspname = 'pg_catalog' OR EXISTS ( "
	"    SELECT FROM pg_catalog.pg_depend AS d "
	"    WHERE d.classid = 1259 AND d.objid = c.oid AND d.deptype = 'e'))";

static void add_name(struct pgm_buf *relations, struct pgm_buf *columns, const char *relation,
		     const char *column)
{
	pgm_quote_array_add(relations, relation);
	pgm_quote_array_add(columns, column);
}

static bool read_extensions(struct pgm_conn *conn, struct pgm_arena *arena, struct pgm_check_server *server,
			    struct pgm_error *err)
{
	struct pgm_rows rows;
	if (!pgm_conn_query(conn, arena, extensions_sql, 0, NULL, &rows, err))
		return false;
	for (size_t r = 0; r < rows.count; r++) {
		char *schema = pgm_rows_get(&rows, r, 1);
		pgm_map_set(&server->schemas, pgm_rows_get(&rows, r, 0), schema);
		if (!pgm_rows_bool(&rows, r, 2))
			pgm_map_set(
				&server->unusable, schema,
				pgm_sprintf(arena, "GRANT USAGE ON SCHEMA %s TO %s;", schema, server->user));
	}
	return true;
}

static bool read_columns(struct pgm_conn *conn, struct pgm_arena *arena, const struct pgm_check *checks,
			 size_t count, struct pgm_check_server *server, struct pgm_error *err)
{
	struct pgm_buf relations, columns;
	pgm_quote_array_begin(&relations, arena);
	pgm_quote_array_begin(&columns, arena);
	for (size_t i = 0; i < count; i++) {
		const struct pgm_check *check = &checks[i];
		for (size_t p = 0; p < check->probe_count; p++)
			add_name(&relations, &columns, check->probes[p].relation, check->probes[p].column);
		for (size_t c = 0; c < check->column_count; c++)
			add_name(&relations, &columns, check->columns[c].relation, check->columns[c].column);
	}
	const char *params[] = {pgm_quote_array_end(&relations), pgm_quote_array_end(&columns)};
	struct pgm_rows rows;
	if (!pgm_conn_query(conn, arena, columns_sql, 2, params, &rows, err))
		return false;
	for (size_t r = 0; r < rows.count; r++) {
		const char *relation = pgm_rows_text(&rows, r, 0);
		pgm_map_set(&server->columns,
			    pgm_sprintf(arena, "%s.%s", relation, pgm_rows_text(&rows, r, 1)), server);
		if (!pgm_rows_bool(&rows, r, 3))
			pgm_map_set(&server->unusable, relation,
				    pgm_sprintf(arena, "GRANT SELECT ON %s TO %s;",
						pgm_rows_text(&rows, r, 2), server->user));
	}
	return true;
}

bool pgm_check_server_read(struct pgm_conn *conn, struct pgm_arena *arena, const struct pgm_check *checks,
			   size_t count, struct pgm_check_server *server, struct pgm_error *err)
{
	server->major = pgm_conn_version(conn) / 10000;
	server->standby = pgm_conn_is_standby(conn);
	server->user = pgm_quote_ident(arena, pgm_conn_user(conn));
	pgm_map_init(&server->schemas, arena);
	pgm_map_init(&server->columns, arena);
	pgm_map_init(&server->unusable, arena);
	return read_extensions(conn, arena, server, err) &&
	       read_columns(conn, arena, checks, count, server, err);
}

static bool lacks(struct pgm_check_result *result, const char *reason, const char *hint)
{
	result->reason = reason;
	result->hint = hint;
	return false;
}

static bool extension_suits(struct pgm_arena *arena, const struct pgm_check_server *server,
			    const struct pgm_check *check, struct pgm_check_result *result)
{
	const char *schema = pgm_map_get(&server->schemas, check->extension);
	if (!schema)
		return lacks(
			result,
			pgm_sprintf(arena, "the extension %s is not installed in this database",
				    check->extension),
			pgm_sprintf(
				arena, "CREATE EXTENSION %s;%s", check->extension,
				strcmp(check->extension, "pg_stat_statements") == 0
					? " It also needs shared_preload_libraries = 'pg_stat_statements'."
					: ""));
	const char *grant = pgm_map_get(&server->unusable, schema);
	if (grant)
		return lacks(result, pgm_sprintf(arena, "the schema %s may not be used", schema), grant);
	return true;
}

static bool columns_suit(struct pgm_arena *arena, const struct pgm_check_server *server,
			 const struct pgm_check *check, struct pgm_check_result *result)
{
	for (size_t i = 0; i < check->column_count; i++) {
		const struct pgm_check_column *column = &check->columns[i];
		const char *name = pgm_sprintf(arena, "%s.%s", column->relation, column->column);
		if (check->extension && !pgm_map_get(&server->columns, name))
			return lacks(
				result,
				pgm_sprintf(arena, "%s is too old: it has no %s", check->extension, name),
				pgm_sprintf(arena, "ALTER EXTENSION %s UPDATE;", check->extension));
		const char *grant = pgm_map_get(&server->unusable, column->relation);
		if (grant)
			return lacks(result, pgm_sprintf(arena, "%s may not be read", column->relation),
				     grant);
	}
	return true;
}

bool pgm_check_server_suits(struct pgm_arena *arena, const struct pgm_check_server *server,
			    const struct pgm_check *check, struct pgm_check_result *result)
{
	if (server->major < check->oldest || (check->newest && server->major > check->newest))
		return lacks(result, pgm_sprintf(arena, "it does not exist on PostgreSQL %d", server->major),
			     "");
	if (check->needs_primary && server->standby)
		return lacks(result,
			     "this server is a standby, whose figures do not show what the primary does",
			     "Run it on the primary.");
	return (!check->extension || extension_suits(arena, server, check, result)) &&
	       columns_suit(arena, server, check, result);
}
