/*
 * A Workload from pg_stat_statements.
 */
#include "pg/quote.h"
#include "util/embedded.h"
#include "workload/statement.h"

#include <string.h>

static bool missing(struct pgm_conn *conn, struct pgm_error *err)
{
	pgm_error_set(err, PGM_ERR_STATE,
		      "pg_stat_statements is not installed in database \"%s\", so its workload is "
		      "not known",
		      pgm_conn_database(conn));
	return pgm_error_hint(
		err, "Add pg_stat_statements to shared_preload_libraries, restart the server, and run "
		     "CREATE EXTENSION pg_stat_statements; or give the queries with --workload FILE.sql.");
}

/* A role without pg_read_all_stats sees "<insufficient privilege>" in place of other users' texts. */
static bool hidden(struct pgm_conn *conn, struct pgm_arena *arena, struct pgm_error *err)
{
	pgm_error_set(err, PGM_ERR_RIGHTS, "the statements of other users cannot be read");
	return pgm_error_hint(err, "GRANT pg_read_all_stats TO %s;",
			      pgm_quote_ident(arena, pgm_conn_user(conn)));
}

bool pgm_workload_from_server(struct pgm_arena *arena, struct pgm_conn *conn, size_t top,
			      struct pgm_workload *workload, struct pgm_error *err)
{
	struct pgm_workload_builder builder;
	struct pgm_rows rows;
	char *schema;
	pgm_workload_builder_init(&builder, arena, workload);
	if (!pgm_conn_value(conn, arena,
			    "SELECT n.nspname FROM pg_catalog.pg_extension e JOIN pg_catalog.pg_namespace n "
			    "ON n.oid = e.extnamespace WHERE e.extname = 'pg_stat_statements'",
			    0, NULL, &schema, err))
		return false;
	if (!schema)
		return missing(conn, err);
	char *sql = pgm_sprintf(arena, pgm_embedded_text("workload/pg_stat_statements.sql"),
				pgm_quote_ident(arena, schema), top);
	if (!pgm_conn_query(conn, arena, sql, 0, NULL, &rows, err)) {
		if (strcmp(err->sqlstate, "55000") == 0) /* must be loaded via shared_preload_libraries */
			return missing(conn, err);
		return pgm_error_context(err, "reading pg_stat_statements");
	}
	for (size_t r = 0; r < rows.count; r++) {
		const char *text = pgm_rows_text(&rows, r, 0);
		if (strcmp(text, "<insufficient privilege>") == 0)
			workload->hidden_count++;
		else
			pgm_workload_note_id(
				&builder,
				pgm_workload_add(&builder, text, false, pgm_rows_double(&rows, r, 1),
						 pgm_rows_double(&rows, r, 2), pgm_rows_double(&rows, r, 3)),
				pgm_rows_get(&rows, r, 4));
	}
	pgm_workload_finish(&builder);
	workload->source = "pg_stat_statements";
	workload->live = true;
	if (workload->statement_count == 0 && workload->hidden_count)
		return hidden(conn, arena, err);
	if (workload->statement_count == 0) {
		pgm_error_set(err, PGM_ERR_STATE, "pg_stat_statements holds no query of database \"%s\" yet",
			      pgm_conn_database(conn));
		return pgm_error_hint(
			err, "Let the application run for a while, or give the queries with --workload "
			     "FILE.sql.");
	}
	return true;
}
