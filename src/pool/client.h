/*
 * A client's connection. It belongs to one worker at a time, and changes it only between two transactions.
 */
#ifndef PGM_POOL_CLIENT_H
#define PGM_POOL_CLIENT_H

#include "pool/server.h"
#include "wire/startup.h"

enum pgm_client_state {
	PGM_CLIENT_FIRST,   /* waits for the first packet; then TLS, SECRET, AUTH, WELCOME or CANCEL */
	PGM_CLIENT_TLS,	    /* handshake; then FIRST */
	PGM_CLIENT_SECRET,  /* waits for auth_query; then AUTH */
	PGM_CLIENT_AUTH,    /* waits for the answer to our question; then WELCOME */
	PGM_CLIENT_WELCOME, /* waits for a server to learn what to tell; then IDLE (or LINKED in session mode)
			     */
	PGM_CLIENT_IDLE,    /* has no server; then WAITING or LINKED */
	PGM_CLIENT_WAITING, /* in its share's queue; then LINKED */
	PGM_CLIENT_LINKED,  /* has a server; then IDLE */
	PGM_CLIENT_CONSOLE, /* of the admin console: console.c */
	PGM_CLIENT_CANCEL,  /* it is a cancel request that is being carried out; then DEAD */
	PGM_CLIENT_CLOSING, /* what waits to be written is written; then DEAD */
	PGM_CLIENT_DEAD,    /* waits to be freed */
};

/* Why a client keeps its server between transactions. */
enum pgm_pin {
	PGM_PIN_LISTEN = 1,
	PGM_PIN_TEMP = 2,
	PGM_PIN_PREPARED = 4, /* SQL PREPARE */
	PGM_PIN_LOCK = 8,
	PGM_PIN_CURSOR = 16,
	PGM_PIN_SETTING = 32, /* of a name that we can't know */
	PGM_PIN_SEQUENCE = 64,
	PGM_PIN_SESSION = 128, /* session mode, or replication */
};

#define PGM_CLIENT_PENDING_MAX ((size_t)64 << 10) /* read ahead while it waits */
#define PGM_CLIENT_WHOLE_MAX   ((size_t)16 << 20) /* a Query or Parse up to this is read whole */
#define PGM_CLIENT_STREAM_BYTES                                                                             \
	((size_t)64 << 10)			    /* of a longer Bind or CopyData this much must be there \
						     */
#define PGM_CLIENT_NAMES_MAX	 ((size_t)64 << 20) /* bytes of statements' names and texts */
#define PGM_CLIENT_JOURNAL_MAX	 ((size_t)16 << 20) /* bytes of unnamed statements that may come back */
#define PGM_CLIENT_UNREAD_MAX	 ((size_t)64 << 10) /* of answers: beyond it no more is read of what it asks */
#define PGM_CLIENT_SMALL_MAX	 ((size_t)10001)    /* of those that PostgreSQL wants short; with the type */
#define PGM_CLIENT_TURN_MESSAGES 1024  /* looked at in one go: sbuf_loopcnt times that, then others' turn */
#define PGM_CLIENT_BURST_GAP_US	 5000  /* a loop over rows asks again sooner; another task hardly does */
#define PGM_CLIENT_REQUESTS_MAX	 65536 /* that are not answered yet */

struct pgm_client_login;   /* login.c */
struct pgm_console_client; /* console.c */

struct pgm_client {
	struct pgm_grave grave;
	struct pgm_stream stream;
	struct pgm_link link;	 /* in worker->clients */
	struct pgm_link waiting; /* in share->waiting */
	struct pgm_link moving;	 /* in worker->movers */
	uint64_t round;		 /* of the worker, when it last did something */
	struct pgm_worker *worker;
	struct pgm_share *share; /* NULL until it is known */
	struct pgm_user *user;	 /* as it logged in, which share->pool->user need not be; NULL until then */
	struct pgm_server *server;
	uint64_t id;
	enum pgm_client_state state;
	struct pgm_client_login *login;	    /* until it is logged in */
	struct pgm_console_client *console; /* in state CONSOLE */
	char peer[64];			    /* "127.0.0.1:5312", "unix(1234)" */
	struct pgm_cancel_key key;
	bool has_key, counted;
	bool replication;
	bool replication_database; /* logical: in its database */

	/* what it sent and what was not yet passed on */
	uint8_t *pending;
	size_t pending_start, pending_end, pending_capacity;
	size_t stream_left; /* bytes of a long message that still have to come */
	bool stream_drop;   /* and are not passed on */
	bool barrier;	    /* nothing more until the server has answered all */
	bool passing_over;  /* its batch was canceled before it began: nothing of it up to Sync */
	bool cancel_due;    /* what waits for a statement of ours, in a transaction, is to be canceled */
	bool terminating;   /* it sent Terminate behind requests that are not answered yet */
	bool running;	    /* pgm_client_run() is on the stack */
	bool again;

	/* its session */
	const struct pgm_pairs *base;	  /* settings of its startup packet */
	const struct pgm_pairs *settings; /* as it should see them */
	const struct pgm_pairs *shaping;  /* the same without application_name */
	const struct pgm_pairs *reports;  /* ParameterStatus that it was told last */
	bool standard_strings;
	struct pgm_names names;
	uint8_t *unnamed; /* Parse body of its unnamed statement */
	size_t unnamed_length, unnamed_capacity, unnamed_sql;
	uint64_t unnamed_id; /* 0: none */
	struct pgm_scan unnamed_scan;
	struct pgm_journal *journal; /* changes of its names that an error of the batch would undo */
	size_t journal_count, journal_capacity, journal_bytes;
	uint32_t batch_position;	   /* of the first request behind the last Sync */
	const struct pgm_prepared *portal; /* the statement of the last Bind; NULL: the unnamed one */
	uint32_t portal_tag;		   /* of the name of the portal that it made */
	uint32_t bound_flags;  /* enum pgm_scan_flags of all statements that were bound in this transaction */
	char *custom_settings; /* names with a dot that it set: each ends with a NUL, an empty one ends all */
	unsigned pins;	       /* enum pgm_pin */
	uint64_t pinned_us;    /* since when it keeps its server between transactions; 0: it does not */
	bool reads_sequences;
	bool copies; /* session mode: it prepared what may be a COPY, and any portal may be of that */
	uint64_t connected_us, request_us, wait_since_us, transaction_us;
	uint64_t idle_in_transaction_us, idle_since_us;
	uint64_t wait_us; /* of the transaction's queueing, until it was put into the profile */
	uint64_t last_fingerprint;
	uint32_t burst; /* how often in a row, in one transaction or in ones with short gaps between them */
	bool wait_noticed;
};

/* Take over an accepted socket, which does not block. peer: the address in words. */
void pgm_client_accept(struct pgm_worker *worker, int fd, const struct sockaddr *address, const char *peer);
void pgm_client_ready(struct pgm_source *source, uint32_t events);

/* It came by the Unix socket when that was open for the console alone. */
static inline bool pgm_client_is_late(const struct pgm_client *client)
{
	uint64_t drained_us = atomic_load(&client->worker->pooler->drained_us);
	return drained_us && client->stream.unix_socket && client->connected_us > drained_us;
}

/* After a round: those that may go to another worker. */
void pgm_client_move_all(struct pgm_worker *worker);

/* Go on with what was read, and read more. Safe to call from anywhere: a call inside another is put off. */
void pgm_client_run(struct pgm_client *client);

/* Put bytes that it sent behind what is pending; false: no memory. */
bool pgm_client_keep(struct pgm_client *client, const uint8_t *bytes, size_t length);

/* A whole message to the client; false: it is broken (and closed). */
bool pgm_client_send(struct pgm_client *client, const void *bytes, size_t length);

/* Tell it why, then close. sqlstate NULL: close without a word. */
void pgm_client_end(struct pgm_client *client, const char *sqlstate, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
/* The same with a detail, or NULL. */
void pgm_client_end_because(struct pgm_client *client, const char *sqlstate, const char *message,
			    const char *detail);
/* The process ends: say so if that can be said, and close. */
void pgm_client_farewell(struct pgm_client *client);
/* Close now; its server is abandoned. */
void pgm_client_close(struct pgm_client *client, const char *reason);

/* Wait for a server: at the end of the queue; it may be linked at once. */
void pgm_client_wait(struct pgm_client *client);
void pgm_client_leave_queue(struct pgm_client *client);

/* A cancel request for a client that is in the queue: its first query fails as if it had run. */
void pgm_client_cancel_waiting(struct pgm_client *client);
/* The same for one whose server is running a statement of ours, which the request waits for. */
void pgm_client_cancel_next(struct pgm_client *client);
/* Its first request, which no server was sent, is answered as if it had been canceled, and ends with status.
 * False: it is not there whole. */
bool pgm_client_fail_request(struct pgm_client *client, char status);

/* It has a server whose session is its own: go on. */
void pgm_client_linked(struct pgm_client *client);
/* Its server could not be made ready for it: an error of the server's. */
void pgm_client_link_failed(struct pgm_client *client, const char *sqlstate, const char *message);

/* login.c: bytes of the first packet or an authentication message; false: wait for more. */
void pgm_login_run(struct pgm_client *client);
void pgm_login_secret(struct pgm_client *client, bool found, const char *secret, const char *failure);
void pgm_login_welcome(struct pgm_client *client); /* it has a server, or the pool's reports are known */
void pgm_login_free(struct pgm_client_login *login);

/* frontend.c: pass on whole messages; returns how many bytes are done with. */
size_t pgm_frontend_messages(struct pgm_client *client, const uint8_t *bytes, size_t length);

/* Takes the set over. False: it is NULL, or there was no memory; the client's are what they were. */
bool pgm_client_set_settings(struct pgm_client *client, const struct pgm_pairs *settings) PGM_MUST_CHECK;
const char *pgm_pin_words(unsigned pins, char *out, size_t size);

#endif
