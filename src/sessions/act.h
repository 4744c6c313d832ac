/*
 * Choosing sessions by name or by rule, and ending them: cancel stops the statement, terminate the session.
 *
 * A session is its process id and the moment it began, together: a process id that was given to another
 * session meanwhile is never hit. One chosen for what it was doing (idle in a transaction, running) is let be
 * when it has gone on since.
 *
 * Never chosen by a rule: the session that looks, replication, autovacuum and all else that is no client, and
 * sessions of pgmend. All but the first can be named by process id.
 */
#ifndef PGM_SESSIONS_ACT_H
#define PGM_SESSIONS_ACT_H

#include "sessions/sessions.h"

/* A session fits if it is among the names, of one of the users, databases and applications, where any are
 * given, an orphan where that is asked, and if one of the durations holds, where any is. */
struct pgm_session_rules {
	const char **ids; /* "4711" or pgm_session_id()'s */
	size_t id_count;
	const char **users;
	size_t user_count;
	const char **databases;
	size_t database_count;
	const char **applications;
	size_t application_count;
	int64_t idle_in_transaction_ms, running_ms, blocking_ms; /* -1: not asked */
	bool orphans;						 /* only those whose client is gone */
};

struct pgm_session_choice {
	const struct pgm_session *session;
	const char *why;     /* "idle in a transaction for 12 min" */
	const char *spared;  /* why it is not ended all the same, or NULL */
	const char *outcome; /* after pgm_sessions_end(): one of the words below */
	const char *message; /* what the server said, or NULL */
	int64_t record;	     /* in the record; 0: not recorded */
	/* It must still be in these: NULL where it does not matter. */
	const char *xact_start, *query_start, *state_change;
};

/* Outcomes. The last three leave the session as it is. */
#define PGM_SESSION_ENDED	"ended"
#define PGM_SESSION_CANCELED	"canceled"
#define PGM_SESSION_GONE_BEFORE "gone before"
#define PGM_SESSION_WENT_ON	"went on"
#define PGM_SESSION_STILL_THERE "still there"
#define PGM_SESSION_REFUSED	"refused"

bool pgm_session_rules_any(const struct pgm_session_rules *rules);

/* Who fits, spared ones too. Fails with PGM_ERR_STATE where a named one does not exist. */
bool pgm_sessions_choose(const struct pgm_sessions *sessions, const struct pgm_session_rules *rules,
			 bool terminate, struct pgm_arena *arena, struct pgm_session_choice **choices,
			 size_t *count, struct pgm_error *err) PGM_MUST_CHECK;

struct pgm_session_end {
	bool terminate;
	double wait_ms;		/* how long to wait for them to be gone */
	const char *unrecorded; /* out: why nothing, or not all, was recorded; NULL: all was */
	bool all_done;		/* out: each is ended or canceled, or was gone before */
};

/*
 * Record (in the Ledger, where it can be written), signal and wait. What becomes of each stands in its
 * outcome; fails only where the server cannot be asked any more, or Ctrl-C came.
 */
bool pgm_sessions_end(struct pgm_conn *conn, struct pgm_arena *arena, struct pgm_session_choice *choices,
		      size_t count, struct pgm_session_end *end, struct pgm_error *err) PGM_MUST_CHECK;

#endif
