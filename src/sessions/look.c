#include "sessions/sessions.h"

#include "util/embedded.h"

#include <string.h>

enum part { SESSIONS, PREPARED, LOCKS, WANTED, EDGES, SETTING, PARTS };

#define NOW_AND_CHECK                                                                                  \
	"SELECT pg_catalog.to_char(pg_catalog.clock_timestamp() AT TIME ZONE 'UTC', "                  \
	"'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"'), (SELECT s.setting FROM pg_catalog.pg_settings AS s WHERE " \
	"s.name "                                                                                      \
	"= 'client_connection_check_interval'), "                                                      \
	"pg_catalog.has_function_privilege('pg_catalog.pg_ls_tmpdir()', 'EXECUTE')"

bool pgm_session_is_client(const struct pgm_session *session)
{
	return strcmp(session->backend_type, "client backend") == 0;
}

bool pgm_session_is_active(const struct pgm_session *session)
{
	return strcmp(session->state, "active") == 0 || strcmp(session->state, "fastpath function call") == 0;
}

bool pgm_session_is_idle_in_transaction(const struct pgm_session *session)
{
	return strncmp(session->state, "idle in transaction", strlen("idle in transaction")) == 0;
}

bool pgm_session_is_orphan(const struct pgm_session *session)
{
	return session->client == PGM_CLIENT_GONE && session->pid;
}

char *pgm_session_id(struct pgm_arena *arena, const struct pgm_session *session)
{
	if (!session->pid)
		return pgm_strdup(arena, session->gid);
	return pgm_sprintf(arena, "%d@%s", session->pid,
			   session->backend_start ? session->backend_start : "");
}

static struct pgm_session read_session(const struct pgm_rows *rows, size_t i)
{
	return (struct pgm_session){
		.pid = (int)pgm_rows_int(rows, i, 0),
		.leader_pid = (int)pgm_rows_int(rows, i, 1),
		.backend_start = pgm_rows_get(rows, i, 2),
		.xact_start = pgm_rows_get(rows, i, 3),
		.query_start = pgm_rows_get(rows, i, 4),
		.state_change = pgm_rows_get(rows, i, 5),
		.backend_s = pgm_rows_double(rows, i, 6),
		.xact_s = pgm_rows_double(rows, i, 7),
		.query_s = pgm_rows_double(rows, i, 8),
		.state_s = pgm_rows_double(rows, i, 9),
		.backend_start_epoch_s = pgm_rows_double(rows, i, 10),
		.database = pgm_rows_get(rows, i, 11),
		.user = pgm_rows_get(rows, i, 12),
		.application = pgm_rows_text(rows, i, 13),
		.client_addr = pgm_rows_get(rows, i, 14),
		.client_port = (int)pgm_rows_int(rows, i, 15),
		.backend_type = pgm_rows_text(rows, i, 16),
		.state = pgm_rows_text(rows, i, 17),
		.wait_type = pgm_rows_text(rows, i, 18),
		.wait_event = pgm_rows_text(rows, i, 19),
		.xmin_age = pgm_rows_int(rows, i, 20),
		.query = pgm_rows_text(rows, i, 21),
		.own = pgm_rows_bool(rows, i, 22),
		.hidden = pgm_rows_bool(rows, i, 23),
		.may_signal = pgm_rows_bool(rows, i, 24),
		.memory_bytes = -1,
		.temp_bytes = -1,
		.wait_s = -1,
		.blocks_s = -1,
		.parent = PGM_SESSION_NONE,
	};
}

static struct pgm_session read_prepared(const struct pgm_rows *rows, size_t i)
{
	double age_s = pgm_rows_double(rows, i, 3);
	return (struct pgm_session){
		.gid = pgm_rows_text(rows, i, 0),
		.xid = pgm_rows_text(rows, i, 1),
		.xact_start = pgm_rows_get(rows, i, 2),
		.backend_s = -1,
		.xact_s = age_s,
		.query_s = -1,
		.state_s = age_s,
		.user = pgm_rows_get(rows, i, 4),
		.database = pgm_rows_get(rows, i, 5),
		.xmin_age = pgm_rows_int(rows, i, 6),
		.application = "",
		.backend_type = "prepared transaction",
		.state = "prepared",
		.wait_type = "",
		.wait_event = "",
		.query = "",
		.memory_bytes = -1,
		.temp_bytes = -1,
		.wait_s = -1,
		.blocks_s = -1,
		.parent = PGM_SESSION_NONE,
	};
}

/* By process id, or by the transaction of a prepared one where that is 0. */
static struct pgm_session *find(const struct pgm_sessions *sessions, int pid, const char *xid)
{
	for (size_t i = 0; i < sessions->count; i++) {
		struct pgm_session *session = &sessions->items[i];
		if (pid ? session->pid == pid : session->xid && strcmp(session->xid, xid) == 0)
			return session;
	}
	return NULL;
}

static void take_locks(const struct pgm_sessions *sessions, const struct pgm_rows *rows,
		       struct pgm_arena *arena)
{
	for (size_t i = 0, end; i < rows->count; i = end) {
		int pid = (int)pgm_rows_int(rows, i, 0);
		const char *xid = pgm_rows_text(rows, i, 1);
		struct pgm_session *session = find(sessions, pid, xid);
		for (end = i + 1; end < rows->count && pgm_rows_int(rows, end, 0) == pid &&
				  strcmp(pgm_rows_text(rows, end, 1), xid) == 0;)
			end++;
		if (!session)
			continue;
		session->locks = PGM_NEW_ARRAY(arena, struct pgm_session_lock, end - i);
		session->locks_held = pgm_rows_int(rows, i, 4);
		for (size_t at = i; at < end; at++)
			session->locks[session->lock_count++] = (struct pgm_session_lock){
				.what = pgm_rows_text(rows, at, 2), .modes = pgm_rows_text(rows, at, 3)};
	}
}

static void take_waits(const struct pgm_sessions *sessions, const struct pgm_rows *rows)
{
	for (size_t i = 0; i < rows->count; i++) {
		struct pgm_session *session = find(sessions, (int)pgm_rows_int(rows, i, 0), "");
		if (!session || session->wanted)
			continue;
		session->wanted_mode = pgm_rows_text(rows, i, 1);
		session->wanted = pgm_rows_text(rows, i, 2);
		session->wait_s = pgm_rows_double(rows, i, 3);
		/* Before 14, and for the first moment of a wait, the statement's age is the bound. */
		if (session->wait_s < 0)
			session->wait_s = session->query_s >= 0 ? session->query_s : 0;
	}
}

static void take_edges(const struct pgm_sessions *sessions, const struct pgm_rows *rows,
		       struct pgm_arena *arena)
{
	for (size_t i = 0, end; i < rows->count; i = end) {
		int pid = (int)pgm_rows_int(rows, i, 0);
		struct pgm_session *waiter = find(sessions, pid, "");
		for (end = i + 1; end < rows->count && pgm_rows_int(rows, end, 0) == pid;)
			end++;
		if (!waiter)
			continue;
		waiter->edges = PGM_NEW_ARRAY(arena, struct pgm_session_edge, end - i);
		for (size_t at = i; at < end; at++) {
			const struct pgm_session *blocker =
				find(sessions, (int)pgm_rows_int(rows, at, 1), pgm_rows_text(rows, at, 2));
			if (blocker && blocker != waiter)
				waiter->edges[waiter->edge_count++] = (struct pgm_session_edge){
					.blocker = (size_t)(blocker - sessions->items),
					.queue = pgm_rows_bool(rows, at, 3)};
		}
	}
}

/* Files that parallel workers share, and those of other tablespaces, are not among them. */
static void take_temp_files(struct pgm_conn *conn, const struct pgm_sessions *sessions,
			    struct pgm_arena *arena)
{
	struct pgm_error ignored = {0};
	struct pgm_rows rows;
	if (!pgm_conn_query(conn, arena, pgm_embedded_text("sessions/temp_files.sql"), 0, NULL, &rows,
			    &ignored))
		return;
	for (size_t i = 0; i < sessions->count; i++)
		sessions->items[i].temp_bytes = sessions->items[i].pid ? 0 : -1;
	for (size_t i = 0; i < rows.count; i++) {
		struct pgm_session *session = find(sessions, (int)pgm_rows_int(&rows, i, 0), "");
		if (session)
			session->temp_bytes = pgm_rows_int(&rows, i, 1);
	}
}

bool pgm_sessions_look(struct pgm_conn *conn, struct pgm_arena *arena, struct pgm_sessions *sessions,
		       struct pgm_error *err)
{
	struct pgm_rows rows[PARTS];
	const char *sqls[PARTS] = {
		[SESSIONS] = pgm_embedded_text("sessions/sessions.sql"),
		[PREPARED] = pgm_embedded_text("sessions/prepared.sql"),
		[LOCKS] = pgm_embedded_text("sessions/locks.sql"),
		[WANTED] = pgm_embedded_text(pgm_conn_version(conn) < 140000 ? "sessions/wanted_13.sql"
									     : "sessions/wanted_14.sql"),
		[EDGES] = pgm_embedded_text("sessions/edges.sql"),
		[SETTING] = NOW_AND_CHECK,
	};
	*sessions = (struct pgm_sessions){.client_check_ms = -1};
	/* In one transaction: pg_stat_activity is then read once. */
	if (!pgm_conn_pipeline(conn, arena, PARTS, sqls, rows, NULL, err))
		return pgm_error_context(err, "looking at the sessions");
	sessions->items =
		PGM_NEW_ARRAY(arena, struct pgm_session, rows[SESSIONS].count + rows[PREPARED].count + 1);
	for (size_t i = 0; i < rows[SESSIONS].count; i++)
		sessions->items[sessions->count++] = read_session(&rows[SESSIONS], i);
	for (size_t i = 0; i < rows[PREPARED].count; i++)
		sessions->items[sessions->count++] = read_prepared(&rows[PREPARED], i);
	for (size_t i = 0; i < sessions->count; i++)
		sessions->hidden += sessions->items[i].hidden;
	sessions->at = pgm_rows_text(&rows[SETTING], 0, 0);
	if (pgm_rows_get(&rows[SETTING], 0, 1))
		sessions->client_check_ms = pgm_rows_int(&rows[SETTING], 0, 1);
	take_locks(sessions, &rows[LOCKS], arena);
	take_waits(sessions, &rows[WANTED]);
	take_edges(sessions, &rows[EDGES], arena);
	if (pgm_rows_bool(&rows[SETTING], 0, 2))
		take_temp_files(conn, sessions, arena);
	pgm_sessions_build_tree(sessions, arena);
	pgm_sessions_look_at_host(sessions, arena);
	return true;
}
