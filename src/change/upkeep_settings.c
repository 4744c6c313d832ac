#include "change/upkeep_settings.h"

#include "change/ledger.h"
#include "util/embedded.h"

bool pgm_upkeep_settings_save(struct pgm_conn *conn, struct pgm_arena *arena, const char *schema,
			      const char *table, const char *json, struct pgm_error *err)
{
	struct pgm_rows rows;
	const char *params[] = {schema, table, json};
	if (!pgm_ledger_ensure(conn, err))
		return false;
	if (!pgm_conn_exec(conn, pgm_embedded_text("change/sql/upkeep_table.sql"), err) ||
	    !pgm_conn_query(
		    conn, arena,
		    "INSERT INTO pgmend.upkeep AS u (schema_name, table_name, settings) VALUES ($1, $2, "
		    "$3::jsonb) ON CONFLICT (schema_name, table_name) DO UPDATE SET settings = u.settings || "
		    "excluded.settings, saved_by = CURRENT_USER, saved_at = pg_catalog.clock_timestamp()",
		    3, params, &rows, err))
		return pgm_error_context(err, "storing the settings");
	return true;
}

bool pgm_upkeep_settings_forget(struct pgm_conn *conn, struct pgm_arena *arena, const char *schema,
				const char *table, struct pgm_error *err)
{
	struct pgm_rows rows;
	char *there;
	const char *params[] = {schema, table};
	if (!pgm_conn_value(conn, arena, "SELECT pg_catalog.to_regclass('pgmend.upkeep')", 0, NULL, &there,
			    err))
		return false;
	return !there ||
	       pgm_conn_query(conn, arena,
			      "DELETE FROM pgmend.upkeep WHERE schema_name = $1 AND table_name = $2", 2,
			      params, &rows, err);
}
