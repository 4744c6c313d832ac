/*
 * Who is connected, what each session does, who blocks whom, and who may be ended: one look at the whole
 * server. Prepared transactions stand among the sessions, because they hold locks as sessions do; their pid
 * is 0 and gid is set.
 *
 * A look reads pg_stat_activity, pg_locks and pg_prepared_xacts, and asks pg_blocking_pids() of sessions that
 * wait for a lock only; it locks nothing. Where we run on the server's own machine it also reads /proc: the
 * memory of each process, and whether the client is still there.
 *
 * Everything lives in the arena. One thread.
 */
#ifndef PGM_SESSIONS_SESSIONS_H
#define PGM_SESSIONS_SESSIONS_H

#include "pg/conn.h"

enum pgm_session_client {
	PGM_CLIENT_UNKNOWN, /* we do not run where the server runs, or may not look */
	PGM_CLIENT_THERE,
	PGM_CLIENT_GONE, /* its end of the connection is closed */
};

struct pgm_session_lock {
	const char *what;  /* "public.orders" */
	const char *modes; /* "AccessExclusiveLock,RowExclusiveLock" */
};

struct pgm_session_edge {
	size_t blocker; /* index into the look's sessions */
	bool queue;	/* it does not hold the lock, but asked for it before */
};

#define PGM_SESSION_NONE ((size_t)-1)

struct pgm_session {
	int pid; /* 0: a prepared transaction */
	int leader_pid;
	const char *gid; /* of a prepared transaction, or NULL */
	const char *xid; /* of a prepared transaction, or NULL */
	/* ISO 8601 with microseconds, UTC; NULL: not known or none */
	const char *backend_start, *xact_start, *query_start, *state_change;
	double backend_s, xact_s, query_s, state_s; /* seconds since then, or -1 */
	double backend_start_epoch_s;
	const char *database, *user; /* NULL: none */
	const char *application;
	const char *client_addr; /* NULL: a Unix socket, or no client */
	int client_port;	 /* -1: a Unix socket */
	const char *backend_type, *state, *wait_type, *wait_event, *query;
	int64_t xmin_age;     /* transactions since its snapshot or its own; -1: none */
	bool own;	      /* the session that looks */
	bool hidden;	      /* we may not see what it does */
	bool may_signal;      /* by the roles */
	int64_t memory_bytes; /* of its own; -1: not known */
	int64_t temp_bytes;   /* of temporary files; -1: not known */
	enum pgm_session_client client;

	struct pgm_session_lock *locks; /* the strongest first, at most 20 */
	size_t lock_count;
	int64_t locks_held; /* relations and other things in all */

	const char *wanted;	 /* what it waits for, or NULL */
	const char *wanted_mode; /* "AccessExclusiveLock" */
	double wait_s;		 /* since when; -1: it does not wait */
	struct pgm_session_edge *edges;
	size_t edge_count;

	/* The tree: each waiting session hangs below one of those it waits for. */
	size_t parent;
	bool below_queue;      /* its parent only stands before it in the queue */
	bool deadlock;	       /* it waits for itself in the end */
	int64_t blocks;	       /* sessions that wait for it, directly or not */
	int64_t blocks_direct; /* those that wait for it without another between */
	double blocks_s;       /* how long the longest of them has waited; -1: none */
};

struct pgm_sessions {
	struct pgm_session *items; /* prepared transactions last */
	size_t count;
	size_t hidden;	/* whose state and query we may not see */
	bool on_server; /* we run on its machine */
	const char *at; /* ISO 8601, UTC */
	/* client_connection_check_interval in ms: how often the server looks for a client that has gone; -1:
	 * this version has none */
	int64_t client_check_ms;
};

bool pgm_sessions_look(struct pgm_conn *conn, struct pgm_arena *arena, struct pgm_sessions *sessions,
		       struct pgm_error *err) PGM_MUST_CHECK;

bool pgm_session_is_client(const struct pgm_session *session);
bool pgm_session_is_active(const struct pgm_session *session);
bool pgm_session_is_idle_in_transaction(const struct pgm_session *session);
/* Its client is gone, and it goes on. */
bool pgm_session_is_orphan(const struct pgm_session *session);

/* "4711@2026-01-31T10:00:00.123456Z", or the gid of a prepared transaction. */
char *pgm_session_id(struct pgm_arena *arena, const struct pgm_session *session);

/* The parts of a look; pgm_sessions_look() calls them. */
void pgm_sessions_build_tree(struct pgm_sessions *sessions, struct pgm_arena *arena);
void pgm_sessions_look_at_host(struct pgm_sessions *sessions, struct pgm_arena *arena);

#endif
