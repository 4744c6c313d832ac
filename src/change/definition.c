#include "change/definition.h"

#include <string.h>

/* pg_get_indexdef() waits for a lock on the table: only here, bounded, and one index at a time. */
static const char definition_sql[] = "SELECT pg_catalog.pg_get_indexdef(c.oid) "
				     "FROM pg_catalog.pg_class AS c "
				     "JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace "
				     "WHERE n.nspname = $1 AND c.relname = $2 AND c.relkind = 'i'";

/*
 * "CREATE UNIQUE INDEX i ON ..." -> "CREATE UNIQUE INDEX CONCURRENTLY i ON ...;\n". Nothing can stand before
 * the first INDEX but UNIQUE.
 */
static const char *concurrently(struct pgm_arena *arena, const char *definition)
{
	const char *index = strstr(definition, " INDEX ");
	if (!index)
		return NULL;
	index += strlen(" INDEX ");
	return pgm_sprintf(arena, "%.*sCONCURRENTLY %s;\n", (int)(index - definition), definition, index);
}

bool pgm_index_definition(struct pgm_conn *conn, struct pgm_arena *arena, const char *schema,
			  const char *index, const char **sql, struct pgm_error *err)
{
	const char *params[] = {schema, index};
	struct pgm_error failed = {0};
	char *definition;
	*sql = NULL;
	if (pgm_conn_value(conn, arena, definition_sql, 2, params, &definition, &failed)) {
		*sql = definition ? concurrently(arena, definition) : NULL;
		return true;
	}
	if (failed.kind != PGM_ERR_CANCELED && pgm_conn_alive(conn))
		return true;
	if (err)
		*err = failed;
	return false;
}
