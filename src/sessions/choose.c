#include "sessions/act.h"
#include "util/format.h"
#include "util/vec.h"

#include <stdlib.h>
#include <string.h>

#define OWN_APPLICATION "pgmend"

bool pgm_session_rules_any(const struct pgm_session_rules *rules)
{
	return rules->id_count || rules->user_count || rules->database_count || rules->application_count ||
	       rules->orphans || rules->idle_in_transaction_ms >= 0 || rules->running_ms >= 0 ||
	       rules->blocking_ms >= 0;
}

static bool among(const char *name, const char **names, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (name && strcmp(name, names[i]) == 0)
			return true;
	return count == 0;
}

static bool is_named(const struct pgm_session *session, const struct pgm_session_rules *rules)
{
	for (size_t i = 0; i < rules->id_count; i++)
		if (atoi(rules->ids[i]) == session->pid)
			return true;
	return false;
}

/* Why one of the durations holds, or NULL; fills what must still be true when the session is ended. */
static const char *judge_durations(const struct pgm_session_rules *rules, struct pgm_arena *arena,
				   struct pgm_session_choice *choice)
{
	const struct pgm_session *session = choice->session;
	if (rules->idle_in_transaction_ms >= 0 && pgm_session_is_idle_in_transaction(session) &&
	    session->state_s * 1000 >= (double)rules->idle_in_transaction_ms) {
		choice->state_change = session->state_change;
		return pgm_sprintf(arena, "idle in a transaction for %s",
				   pgm_format_ms(arena, session->state_s * 1000));
	}
	if (rules->running_ms >= 0 && pgm_session_is_active(session) &&
	    session->query_s * 1000 >= (double)rules->running_ms) {
		choice->query_start = session->query_start;
		return pgm_sprintf(arena, "running for %s", pgm_format_ms(arena, session->query_s * 1000));
	}
	/* The root of a queue only: ending one in its middle frees nobody, or not for long. */
	if (rules->blocking_ms >= 0 && session->blocks > 0 &&
	    (session->edge_count == 0 || session->deadlock) &&
	    session->blocks_s * 1000 >= (double)rules->blocking_ms) {
		choice->xact_start = session->xact_start;
		return pgm_sprintf(arena, "blocks %lld session%s, the longest for %s",
				   (long long)session->blocks, session->blocks == 1 ? "" : "s",
				   pgm_format_ms(arena, session->blocks_s * 1000));
	}
	return NULL;
}

static const char *spare(const struct pgm_session *session, const struct pgm_session_rules *rules, bool named)
{
	if (session->own)
		return "it is this session of pgmend";
	if (!session->backend_start)
		return "which session it is, is hidden from this role: GRANT pg_read_all_stats";
	if (named)
		return NULL;
	if (strcmp(session->backend_type, "walsender") == 0)
		return "it serves replication: name its process id to end it";
	if (!rules->application_count && strcmp(session->application, OWN_APPLICATION) == 0)
		return "another pgmend is at work: name its process id to end it";
	return NULL;
}

static bool fits(const struct pgm_session *session, const struct pgm_session_rules *rules, bool terminate,
		 struct pgm_arena *arena, struct pgm_session_choice *choice)
{
	bool durations =
		rules->idle_in_transaction_ms >= 0 || rules->running_ms >= 0 || rules->blocking_ms >= 0;
	bool named = is_named(session, rules);
	*choice = (struct pgm_session_choice){.session = session};
	if (!session->pid || (rules->id_count && !named) ||
	    !among(session->user, rules->users, rules->user_count) ||
	    !among(session->database, rules->databases, rules->database_count) ||
	    !among(session->application, rules->applications, rules->application_count) ||
	    (rules->orphans && !pgm_session_is_orphan(session)))
		return false;
	/* Whatever else is no client ends by itself or must not end; only a name gets it. */
	if (!named && !pgm_session_is_client(session) && strcmp(session->backend_type, "walsender") != 0)
		return false;
	choice->why = named		      ? "named"
		      : rules->orphans	      ? "its client is gone"
		      : rules->user_count     ? pgm_sprintf(arena, "of user %s", session->user)
		      : rules->database_count ? pgm_sprintf(arena, "in database %s", session->database)
					      : pgm_sprintf(arena, "of application %s", session->application);
	if (durations) {
		choice->why = judge_durations(rules, arena, choice);
		if (!choice->why)
			return false;
	}
	if (!terminate) {
		/* An idle session has nothing to cancel, and its next statement was not asked for. */
		if (!named && !pgm_session_is_active(session))
			return false;
		choice->query_start = session->query_start;
	}
	choice->spared = spare(session, rules, named);
	if (!choice->spared && !terminate && !pgm_session_is_active(session) &&
	    pgm_session_is_client(session))
		choice->spared = "it runs nothing that could be canceled: --terminate ends it";
	return true;
}

static bool check_named(const struct pgm_sessions *sessions, const char *id, struct pgm_arena *arena,
			struct pgm_error *err)
{
	char *end;
	long pid = strtol(id, &end, 10);
	if (end == id || pid <= 0 || pid > INT32_MAX || (*end && *end != '@')) {
		pgm_error_set(err, PGM_ERR_USAGE, "--pid: \"%s\" is no process id", id);
		return pgm_error_hint(err, "It is a number, or what the list shows as id: "
					   "4711@2026-01-31T10:00:00.123456Z.");
	}
	for (size_t i = 0; i < sessions->count; i++) {
		const struct pgm_session *session = &sessions->items[i];
		if (session->pid != pid)
			continue;
		if (!*end || strcmp(pgm_session_id(arena, session), id) == 0)
			return true;
		return pgm_error_set(err, PGM_ERR_STATE,
				     "process id %ld belongs to another session now, which began at %s", pid,
				     session->backend_start);
	}
	return pgm_error_set(err, PGM_ERR_STATE, "there is no session with process id %ld", pid);
}

bool pgm_sessions_choose(const struct pgm_sessions *sessions, const struct pgm_session_rules *rules,
			 bool terminate, struct pgm_arena *arena, struct pgm_session_choice **choices,
			 size_t *count, struct pgm_error *err)
{
	PGM_VEC(struct pgm_session_choice) chosen = {0};
	if (rules->orphans && !sessions->on_server) {
		pgm_error_set(err, PGM_ERR_STATE,
			      "--orphans: from here it does not show whose client is gone");
		return pgm_error_hint(err, "Run pgmend on the server's machine.");
	}
	for (size_t i = 0; i < rules->id_count; i++)
		if (!check_named(sessions, rules->ids[i], arena, err))
			return false;
	for (size_t i = 0; i < sessions->count; i++) {
		struct pgm_session_choice choice;
		if (fits(&sessions->items[i], rules, terminate, arena, &choice))
			*pgm_vec_add(arena, &chosen) = choice;
	}
	*choices = chosen.items;
	*count = chosen.count;
	return true;
}
