/*
 * Between the two directions: names of prepared statements and the profile. Inside pool/ only.
 */
#ifndef PGM_POOL_RELAY_H
#define PGM_POOL_RELAY_H

#include "pool/client.h"

/*
 * A change of a client's statements that belongs to a request which is not answered yet. When an earlier
 * request of its batch fails, the server passes over this one, and the change is undone.
 */
struct pgm_journal {
	uint32_t position;	  /* of the request in the server's ring */
	char *name;		  /* NULL: the unnamed statement */
	struct pgm_prepared *old; /* held; NULL: there was none */
	uint8_t *unnamed;
	size_t unnamed_length, unnamed_sql;
	uint64_t unnamed_id, server_unnamed;
	struct pgm_scan unnamed_scan;
	bool overtaken; /* a simple query came behind it, which drops the unnamed statement in any case */
};

/* The position that the next request will have. */
static inline uint32_t pgm_relay_next_position(const struct pgm_server *server)
{
	return server->expect_head + server->expect_count;
}

/* Note what a name (NULL: the unnamed statement) stands for, before it is changed by the next request. */
bool pgm_journal_note(struct pgm_client *client, const char *name);
/* The requests from this position on, up to that one, were not done. */
void pgm_journal_undo(struct pgm_client *client, uint32_t from, uint32_t until);
/* The server dropped its unnamed statement at the request before this position; own: it was the client's. */
void pgm_journal_unnamed_dropped(struct pgm_client *client, uint32_t position, bool own);
/* A simple query follows all that was noted. */
void pgm_journal_overtake(struct pgm_client *client);
/* Whether a batch before the one at hand is not answered yet. */
bool pgm_relay_behind(const struct pgm_client *client);
/* Whether a request of an earlier batch, not answered yet, decides what the name (NULL: unnamed) stands for.
 */
bool pgm_journal_unsure(const struct pgm_client *client, const char *name);
void pgm_journal_clear(struct pgm_client *client);

/* Note what a request of the server's own ring prepares there or closes; it is held until pgm_relay_forget().
 */
void pgm_relay_changes(struct pgm_server *server, struct pgm_expect *expect, struct pgm_prepared *prepared);
void pgm_relay_forget(struct pgm_server *server, struct pgm_expect *expect);
/* Whether a request of an earlier batch, not answered yet, decides if the server has this statement. */
bool pgm_relay_unsure_of(const struct pgm_client *client, const struct pgm_prepared *prepared);

/* The server read over this request, or answered it. */
void pgm_relay_passed_over(struct pgm_server *server, struct pgm_expect *expect);
void pgm_relay_answered(struct pgm_server *server, struct pgm_expect *expect);

#define PGM_RELAY_LOCAL_BYTES 32
/* The whole message that answers a request of PGM_EXPECT_LOCAL. */
size_t pgm_relay_local_answer(enum pgm_expect_kind kind, uint8_t *out, size_t size);

#define PGM_RELAY_NAME_BYTES 64 /* PostgreSQL's NAMEDATALEN: a longer one is cut, so it is none of ours */
/* Whether this Execute is of the portal that the last Bind made. */
bool pgm_relay_runs_last(const struct pgm_client *client, const uint8_t *body, size_t length);

/*
 * Whether the text is DEALLOCATE of a name that the client gave by the protocol: name (of that size) is it.
 * The server knows the statement by our name, and others may need it, so it is not asked. Behind a batch that
 * is not answered yet it may be one that the client has again then: pgm_relay_wait_for_name().
 */
bool pgm_relay_deallocates(const struct pgm_client *client, const struct pgm_scan *scan, const char *sql,
			   size_t length, char *name);
/* Take the name from the client and answer its simple query; all before it is answered. False: it is gone. */
bool pgm_relay_deallocate(struct pgm_client *client, const char *name);
/*
 * A Parse's body: a statement that a server of this pool has taken, prepared by one more client. No server is
 * needed to say so. True: answered; false: not so, or the client is closed.
 */
bool pgm_relay_parse_without_server(struct pgm_client *client, const uint8_t *body, size_t length);

/* A message with the client's names in place of ours, in out; its length, 0 where nothing was renamed. */
size_t pgm_relay_rename(const struct pgm_client *client, uint32_t name_tag, const uint8_t *message,
			size_t length, uint8_t *out, size_t size);

/* Put an execution into the profile. */
void pgm_relay_profile(struct pgm_client *client, struct pgm_server *server, struct pgm_expect *expect,
		       uint64_t elapsed_us, bool failed, const char *sqlstate);

/*
 * Values for the profile (sample.c). Each before its request is put into the ring: a simple query; the first
 * request of an extended batch; Bind's body after the names; Execute with the Parse body of what was bound.
 */
void pgm_sample_query(struct pgm_server *server, const char *sql, size_t length);
void pgm_sample_begin(struct pgm_server *server);
void pgm_sample_bind(struct pgm_server *server, const uint8_t *parameters, size_t length);
void pgm_sample_execute(struct pgm_server *server, const uint8_t *body, size_t sql_length, size_t length);
/* The values of the request that was just answered, if they were kept: valid until the next request. */
void pgm_sample_take(struct pgm_server *server, struct pgm_profile_call *call);

/*
 * Sending to the client's server: runs of what was read, and messages of our own, gathered and written at
 * once. Only valid while the client is linked; ends with pgm_relay_send().
 */
void pgm_relay_raw(struct pgm_client *client, const void *bytes, size_t length);
/* Room for a message of ours: NULL where it is larger than what there is. */
uint8_t *pgm_relay_room(struct pgm_client *client, size_t length);
void pgm_relay_used(struct pgm_client *client, size_t length);
bool pgm_relay_send(struct pgm_client *client);
/* A Parse (body: all behind the name) and a Close of a statement; false: no room. */
bool pgm_relay_parse(struct pgm_client *client, const char *name, const uint8_t *body, size_t length);
bool pgm_relay_close(struct pgm_client *client, const char *name);

/* Whether its statements have names of ours: not in session mode. */
static inline bool pgm_relay_tracks(const struct pgm_client *client)
{
	return !(client->pins & PGM_PIN_SESSION);
}

/* Note what a text that goes to the client's server, or a function that is called, may do to the session. */
void pgm_relay_touch(struct pgm_client *client, const struct pgm_scan *scan, const char *sql, size_t length);
/* The same in session mode, where only a RESET matters: it must lead back to the startup packet's settings.
 */
void pgm_relay_touch_session(struct pgm_client *client, const struct pgm_scan *scan, const char *sql,
			     size_t length);
/* Which entry of the profile it belongs to. */
void pgm_relay_note_call(struct pgm_client *client, struct pgm_expect *expected, const struct pgm_scan *scan,
			 const char *sql, size_t length);
void pgm_relay_touch_by_call(struct pgm_client *client, const uint8_t *body, size_t length);

/* Ask the server for the answers that it holds back. */
void pgm_relay_flush(struct pgm_client *client);
/* These say whether the message at hand must wait; then its client goes on by itself. (waiting.c) */
/* What answers a message of this type that is passed on as it is. */
enum pgm_expect_kind pgm_relay_answer_to(uint8_t type);
bool pgm_relay_answer_first(struct pgm_client *client);
bool pgm_relay_wait_for_name(struct pgm_client *client, const char *name);
bool pgm_relay_wait_for_statement(struct pgm_client *client, const struct pgm_prepared *prepared);
bool pgm_relay_settle_sequences(struct pgm_client *client, const struct pgm_scan *scan);
/* At a text that is prepared in session mode; NULL where it is not there whole. */
void pgm_relay_look_in_session(struct pgm_client *client, const char *sql, size_t length);
/* Whether the pool's mode forbids it; the client is told and gone. */
bool pgm_relay_forbids(struct pgm_client *client, const struct pgm_scan *scan);

#endif
