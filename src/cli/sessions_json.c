#include "cli/sessions_print.h"

#include <string.h>

static json_t *text_or_null(const char *text)
{
	json_t *json = text ? json_string(text) : NULL;
	return json ? json : json_null();
}

static json_t *seconds_or_null(double seconds)
{
	return seconds >= 0 ? json_real(seconds) : json_null();
}

static json_t *bytes_or_null(int64_t bytes)
{
	return bytes >= 0 ? json_integer(bytes) : json_null();
}

static json_t *locks_json(struct pgm_arena *arena, const struct pgm_session *session)
{
	json_t *locks = json_array();
	for (size_t i = 0; i < session->lock_count; i++) {
		json_t *modes = json_array();
		for (const char *at = session->locks[i].modes; *at;) {
			size_t length = strcspn(at, ",");
			json_array_append_new(modes, json_string(pgm_strndup(arena, at, length)));
			at += length + (at[length] == ',');
		}
		json_array_append_new(locks, json_pack("{s:o, s:o}", "what",
						       text_or_null(session->locks[i].what), "modes", modes));
	}
	return locks;
}

static json_t *name_json(const struct pgm_session *session)
{
	return session->gid ? json_pack("{s:n, s:o}", "pid", "prepared", text_or_null(session->gid))
			    : json_pack("{s:i, s:n}", "pid", session->pid, "prepared");
}

static json_t *waits_json(const struct pgm_sessions *sessions, const struct pgm_session *session)
{
	if (!session->wanted)
		return json_null();
	json_t *blockers = json_array();
	for (size_t e = 0; e < session->edge_count; e++) {
		json_t *blocker = name_json(&sessions->items[session->edges[e].blocker]);
		json_object_set_new(blocker, "how", json_string(session->edges[e].queue ? "queue" : "holds"));
		json_array_append_new(blockers, blocker);
	}
	return json_pack("{s:o, s:o, s:o, s:o, s:o, s:b}", "mode", text_or_null(session->wanted_mode), "on",
			 text_or_null(session->wanted), "seconds", seconds_or_null(session->wait_s),
			 "blocked_by", blockers, "below",
			 session->parent == PGM_SESSION_NONE ? json_null()
							     : name_json(&sessions->items[session->parent]),
			 "deadlock", session->deadlock);
}

static const char *client_word(const struct pgm_session *session)
{
	return session->client == PGM_CLIENT_GONE    ? "gone"
	       : session->client == PGM_CLIENT_THERE ? "there"
						     : NULL;
}

static json_t *session_json(const struct pgm_sessions_view *view, const struct pgm_session *session)
{
	json_t *json = session->gid ? name_json(session) : json_pack("{s:i}", "pid", session->pid);
	double long_s = (double)view->long_ms / 1000;
#define SET(key, value) json_object_set_new(json, key, value)
	SET("id", text_or_null(pgm_session_id(view->arena, session)));
	SET("backend_type", text_or_null(session->backend_type));
	SET("leader_pid", session->leader_pid ? json_integer(session->leader_pid) : json_null());
	SET("database", text_or_null(session->database));
	SET("user", text_or_null(session->user));
	SET("application", text_or_null(session->application));
	SET("client_addr", text_or_null(session->client_addr));
	SET("client", text_or_null(client_word(session)));
	SET("backend_start", text_or_null(session->backend_start));
	SET("state", text_or_null(session->hidden ? NULL : session->state));
	SET("wait_event_type", text_or_null(*session->wait_type ? session->wait_type : NULL));
	SET("wait_event", text_or_null(*session->wait_event ? session->wait_event : NULL));
	SET("connected_s", seconds_or_null(session->backend_s));
	SET("transaction_s", seconds_or_null(session->xact_s));
	SET("statement_s", seconds_or_null(session->query_s));
	SET("state_s", seconds_or_null(session->state_s));
	SET("xmin_age", bytes_or_null(session->xmin_age));
	SET("memory_bytes", bytes_or_null(session->memory_bytes));
	SET("temp_bytes", bytes_or_null(session->temp_bytes));
	SET("own", json_boolean(session->own));
	SET("hidden", json_boolean(session->hidden));
	SET("orphan", json_boolean(pgm_session_is_orphan(session)));
	SET("idle_in_transaction", json_boolean(pgm_session_is_idle_in_transaction(session)));
	SET("long",
	    json_boolean((pgm_session_is_idle_in_transaction(session) && session->state_s >= long_s) ||
			 (pgm_session_is_active(session) && session->query_s >= long_s)));
	SET("locks_held", json_integer(session->locks_held));
	SET("locks", locks_json(view->arena, session));
	SET("waits", waits_json(view->sessions, session));
	SET("blocks", json_integer(session->blocks));
	SET("blocks_direct", json_integer(session->blocks_direct));
	SET("blocks_longest_s", seconds_or_null(session->blocks_s));
	SET("query", text_or_null(session->hidden ? NULL : session->query));
#undef SET
	return json;
}

json_t *pgm_sessions_json(const struct pgm_sessions_view *view)
{
	const struct pgm_sessions *sessions = view->sessions;
	json_t *list = json_array();
	for (size_t i = 0; i < sessions->count; i++)
		if (view->shown[i])
			json_array_append_new(list, session_json(view, &sessions->items[i]));
	return json_pack("{s:s, s:o, s:s, s:s, s:b, s:I, s:o, s:o}", "schema", "pgmend.sessions/1", "at",
			 text_or_null(sessions->at), "server_version", view->server, "database",
			 view->database, "on_server", sessions->on_server, "hidden",
			 (json_int_t)sessions->hidden, "client_connection_check_interval_ms",
			 bytes_or_null(sessions->client_check_ms), "sessions", list);
}

json_t *pgm_sessions_choices_json(struct pgm_arena *arena, const struct pgm_session_choice *choices,
				  size_t count, bool terminate, bool acted, const char *unrecorded)
{
	json_t *list = json_array();
	for (size_t i = 0; i < count; i++) {
		const struct pgm_session_choice *choice = &choices[i];
		const struct pgm_session *session = choice->session;
		json_array_append_new(
			list,
			json_pack("{s:i, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:b, s:o}", "pid",
				  session->pid, "id", text_or_null(pgm_session_id(arena, session)), "user",
				  text_or_null(session->user), "database", text_or_null(session->database),
				  "application", text_or_null(session->application), "why",
				  text_or_null(choice->why), "spared", text_or_null(choice->spared),
				  "outcome", text_or_null(choice->outcome), "message",
				  text_or_null(choice->message), "query", text_or_null(session->query),
				  "allowed", session->may_signal, "record",
				  choice->record ? json_integer(choice->record) : json_null()));
	}
	return json_pack("{s:s, s:s, s:b, s:o, s:o}", "schema", "pgmend.sessions.end/1", "action",
			 terminate ? "terminate" : "cancel", "acted", acted, "unrecorded",
			 text_or_null(unrecorded), "sessions", list);
}

json_t *pgm_sessions_log_json(const struct pgm_session_log_entry *entries, size_t count)
{
	json_t *list = json_array();
	for (size_t i = 0; i < count; i++) {
		const struct pgm_session_log_entry *entry = &entries[i];
		json_array_append_new(
			list,
			json_pack("{s:s, s:s, s:s, s:s, s:i, s:s, s:o, s:o, s:s, s:o, s:s, s:o, s:o, s:o}",
				  "asked_at", entry->asked_at, "asked_by", entry->asked_by, "action",
				  entry->action, "why", entry->why, "pid", entry->pid, "backend_start",
				  entry->backend_start, "user", text_or_null(entry->user), "database",
				  text_or_null(entry->database), "application", entry->application, "client",
				  text_or_null(entry->client), "state", entry->state, "query",
				  text_or_null(entry->query), "outcome", text_or_null(entry->outcome),
				  "message", text_or_null(entry->message)));
	}
	return json_pack("{s:s, s:o}", "schema", "pgmend.sessions.record/1", "ended", list);
}
