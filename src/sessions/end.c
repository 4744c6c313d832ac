#include "change/session_log.h"
#include "sessions/act.h"
#include "sql/fingerprint.h"
#include "util/clock.h"
#include "util/embedded.h"
#include "util/interrupt.h"

#include <string.h>

#define POLL_MS 50

static bool is_open(const struct pgm_session_choice *choice)
{
	return !choice->spared && !choice->outcome;
}

/* Who it was and what it did; the statement without its values, which may be secrets. */
static void record(struct pgm_conn *conn, struct pgm_arena *arena, struct pgm_session_choice *choice,
		   struct pgm_session_end *end)
{
	const struct pgm_session *session = choice->session;
	struct pgm_error err = {0}, unparsed = {0};
	char *query = NULL;
	if (!*session->query || !pgm_sql_normalize(arena, session->query, &query, &unparsed))
		query = NULL;
	struct pgm_session_log_entry entry = {
		.action = end->terminate ? "terminate" : "cancel",
		.why = choice->why,
		.pid = session->pid,
		.backend_start = session->backend_start,
		.backend_type = session->backend_type,
		.database = session->database,
		.user = session->user,
		.application = session->application,
		.client = session->client_addr,
		.state = session->state,
		.query = query,
	};
	if (!pgm_session_log_add(conn, arena, &entry, &choice->record, &err))
		end->unrecorded = pgm_strdup(arena, err.message);
}

static bool send_signal(struct pgm_conn *conn, struct pgm_arena *arena, struct pgm_session_choice *choice,
			bool terminate, struct pgm_error *err)
{
	const struct pgm_session *session = choice->session;
	struct pgm_rows rows;
	struct pgm_error refused = {0};
	const char *params[] = {terminate ? "terminate" : "cancel",
				pgm_sprintf(arena, "%d", session->pid),
				session->backend_start,
				choice->xact_start,
				choice->query_start,
				choice->state_change};
	if (!pgm_conn_query(conn, arena, pgm_embedded_text("sessions/signal.sql"), 6, params, &rows,
			    &refused)) {
		if (!pgm_conn_alive(conn) || pgm_interrupted()) {
			*err = refused;
			return false;
		}
		choice->outcome = PGM_SESSION_REFUSED;
		choice->message = pgm_strdup(arena, refused.message);
		return true;
	}
	if (rows.count && pgm_rows_bool(&rows, 0, 0))
		return true;
	/* It is gone, or it is not what it was: which, the next look says. */
	const char *who[] = {params[1], params[2], NULL};
	if (!pgm_conn_query(conn, arena, pgm_embedded_text("sessions/remains.sql"), 3, who, &rows, err))
		return false;
	choice->outcome = rows.count ? PGM_SESSION_WENT_ON : PGM_SESSION_GONE_BEFORE;
	return true;
}

/* A cancelled statement's session stays, and may be in its next one already. */
static bool look_after(struct pgm_conn *conn, struct pgm_arena *arena, struct pgm_session_choice *choice,
		       bool terminate, struct pgm_error *err)
{
	struct pgm_rows rows;
	const char *params[] = {pgm_sprintf(arena, "%d", choice->session->pid),
				choice->session->backend_start, choice->session->query_start};
	if (!pgm_conn_query(conn, arena, pgm_embedded_text("sessions/remains.sql"), 3, params, &rows, err))
		return false;
	if (rows.count == 0)
		choice->outcome = terminate ? PGM_SESSION_ENDED : PGM_SESSION_CANCELED;
	else if (!terminate && pgm_session_is_client(choice->session) && !pgm_rows_bool(&rows, 0, 0))
		choice->outcome = PGM_SESSION_CANCELED;
	return true;
}

static bool wait_for_all(struct pgm_conn *conn, struct pgm_arena *arena, struct pgm_session_choice *choices,
			 size_t count, const struct pgm_session_end *end, struct pgm_error *err)
{
	double until = pgm_clock_ms() + end->wait_ms;
	for (bool last = false;;) {
		bool open = false;
		for (size_t i = 0; i < count; i++) {
			if (!is_open(&choices[i]))
				continue;
			if (!look_after(conn, arena, &choices[i], end->terminate, err))
				return false;
			open |= !choices[i].outcome;
		}
		if (!open || last)
			break;
		if (pgm_interrupted())
			return pgm_error_set(err, PGM_ERR_CANCELED, "stopped by the user");
		last = pgm_clock_ms() >= until;
		if (!last)
			pgm_clock_sleep_ms(POLL_MS);
	}
	for (size_t i = 0; i < count; i++)
		if (is_open(&choices[i]))
			choices[i].outcome = PGM_SESSION_STILL_THERE;
	return true;
}

static bool was_done(const struct pgm_session_choice *choice)
{
	const char *outcome = choice->outcome ? choice->outcome : "";
	return strcmp(outcome, PGM_SESSION_ENDED) == 0 || strcmp(outcome, PGM_SESSION_CANCELED) == 0 ||
	       strcmp(outcome, PGM_SESSION_GONE_BEFORE) == 0;
}

bool pgm_sessions_end(struct pgm_conn *conn, struct pgm_arena *arena, struct pgm_session_choice *choices,
		      size_t count, struct pgm_session_end *end, struct pgm_error *err)
{
	struct pgm_error no_log = {0};
	bool ok = true;
	if (!pgm_session_log_ensure(conn, &no_log))
		end->unrecorded = pgm_strdup(arena, no_log.message);
	for (size_t i = 0; ok && i < count; i++) {
		if (choices[i].spared)
			continue;
		if (!no_log.kind)
			record(conn, arena, &choices[i], end);
		ok = send_signal(conn, arena, &choices[i], end->terminate, err);
	}
	ok = ok && wait_for_all(conn, arena, choices, count, end, err);
	end->all_done = ok;
	for (size_t i = 0; i < count; i++) {
		struct pgm_session_choice *choice = &choices[i];
		struct pgm_error unwritten = {0};
		if (!choice->spared && !was_done(choice))
			end->all_done = false;
		if (choice->record && choice->outcome &&
		    !pgm_session_log_finish(conn, arena, choice->record, choice->outcome, choice->message,
					    &unwritten))
			end->unrecorded = pgm_strdup(arena, unwritten.message);
	}
	return ok;
}
