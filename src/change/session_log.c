#include "change/session_log.h"

#include "change/actor.h"
#include "change/ledger.h"
#include "util/embedded.h"

#define TABLE_THERE "SELECT pg_catalog.to_regclass('pgmend.session_end') IS NOT NULL"

static bool is_there(struct pgm_conn *conn, struct pgm_arena *arena, bool *there, struct pgm_error *err)
{
	char *value;
	if (!pgm_conn_value(conn, arena, TABLE_THERE, 0, NULL, &value, err))
		return pgm_error_context(err, "reading the ledger");
	*there = value && *value == 't';
	return true;
}

bool pgm_session_log_ensure(struct pgm_conn *conn, struct pgm_error *err)
{
	PGM_AUTO_ARENA arena = pgm_arena_new(0);
	bool there;
	if (pgm_conn_is_standby(conn))
		return pgm_error_set(err, PGM_ERR_RIGHTS, "this server is a standby");
	if (!pgm_ledger_ensure(conn, err) || !is_there(conn, arena, &there, err))
		return false;
	return there || pgm_conn_exec(conn, pgm_embedded_text("change/sql/session_log_table.sql"), err) ||
	       pgm_error_context(err, "making table pgmend.session_end");
}

bool pgm_session_log_add(struct pgm_conn *conn, struct pgm_arena *arena,
			 const struct pgm_session_log_entry *entry, int64_t *id, struct pgm_error *err)
{
	struct pgm_rows rows;
	const char *params[] = {
		entry->action,	      entry->why,	   pgm_sprintf(arena, "%d", entry->pid),
		entry->backend_start, entry->backend_type, entry->database,
		entry->user,	      entry->application,  entry->client,
		entry->state,	      entry->query,	   pgm_actor_name()};
	if (!pgm_conn_query(conn, arena,
			    "INSERT INTO pgmend.session_end (action, why, pid, backend_start, backend_type, "
			    "database_name, user_name, application_name, client, state, query, asked_by) "
			    "VALUES ($1, $2, "
			    "$3::integer, $4::timestamptz, $5, $6, $7, $8, $9, $10, $11, coalesce($12 || ' "
			    "as ', '') || "
			    "SESSION_USER) RETURNING id",
			    12, params, &rows, err))
		return pgm_error_context(err, "writing the ledger");
	*id = pgm_rows_int(&rows, 0, 0);
	return true;
}

bool pgm_session_log_finish(struct pgm_conn *conn, struct pgm_arena *arena, int64_t id, const char *outcome,
			    const char *message, struct pgm_error *err)
{
	struct pgm_rows rows;
	const char *params[] = {pgm_sprintf(arena, "%lld", (long long)id), outcome, message};
	return pgm_conn_query(conn, arena,
			      "UPDATE pgmend.session_end SET outcome = $2, message = $3, finished_at = "
			      "pg_catalog.clock_timestamp() WHERE id = $1::bigint",
			      3, params, &rows, err) ||
	       pgm_error_context(err, "writing the ledger");
}

bool pgm_session_log_read(struct pgm_conn *conn, struct pgm_arena *arena, int64_t limit,
			  struct pgm_session_log_entry **entries, size_t *count, struct pgm_error *err)
{
	struct pgm_rows rows;
	bool there;
	const char *params[] = {pgm_sprintf(arena, "%lld", (long long)limit)};
	*count = 0;
	*entries = NULL;
	if (!is_there(conn, arena, &there, err))
		return false;
	if (!there)
		return true;
	if (!pgm_conn_query(conn, arena, pgm_embedded_text("change/sql/session_log_read.sql"), 1, params,
			    &rows, err))
		return pgm_error_context(err, "reading the ledger");
	*entries = PGM_NEW_ARRAY(arena, struct pgm_session_log_entry, rows.count + 1);
	*count = rows.count;
	for (size_t i = 0; i < rows.count; i++)
		(*entries)[i] = (struct pgm_session_log_entry){
			.action = pgm_rows_text(&rows, i, 0),
			.why = pgm_rows_text(&rows, i, 1),
			.pid = (int)pgm_rows_int(&rows, i, 2),
			.backend_start = pgm_rows_text(&rows, i, 3),
			.backend_type = pgm_rows_text(&rows, i, 4),
			.database = pgm_rows_get(&rows, i, 5),
			.user = pgm_rows_get(&rows, i, 6),
			.application = pgm_rows_text(&rows, i, 7),
			.client = pgm_rows_get(&rows, i, 8),
			.state = pgm_rows_text(&rows, i, 9),
			.query = pgm_rows_get(&rows, i, 10),
			.asked_by = pgm_rows_text(&rows, i, 11),
			.asked_at = pgm_rows_text(&rows, i, 12),
			.outcome = pgm_rows_get(&rows, i, 13),
			.message = pgm_rows_get(&rows, i, 14),
		};
	return true;
}
