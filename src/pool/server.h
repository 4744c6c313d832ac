/*
 * A connection to PostgreSQL. It belongs to one worker's share of its pool; idle ones may be handed to
 * another worker. What came to it that was not relayed to a client is of our own jobs.
 */
#ifndef PGM_POOL_SERVER_H
#define PGM_POOL_SERVER_H

#include "pool/statement.h"
#include "pool/worker.h"

enum pgm_server_state {
	PGM_SERVER_CONNECTING, /* connect(2) is under way; then TLS_ASKED or LOGIN */
	PGM_SERVER_TLS_ASKED,  /* SSLRequest sent: waits for one byte; then TLS or LOGIN */
	PGM_SERVER_TLS,	       /* handshake; then LOGIN */
	PGM_SERVER_LOGIN,      /* startup packet sent: waits for ReadyForQuery; then IDLE */
	PGM_SERVER_IDLE,       /* nobody's; then LINKED */
	PGM_SERVER_LINKED,     /* a client's, or running a job; then IDLE */
	PGM_SERVER_DEAD,       /* closed, waits to be freed */
};

/* Statements of our own, whose answers no client sees. */
enum pgm_job {
	PGM_JOB_NONE,
	PGM_JOB_CONNECT_QUERY, /* after login; then IDLE */
	PGM_JOB_CHECK,	       /* is it alive, before a client gets it; then APPLY or the client */
	PGM_JOB_APPLY,	       /* bring the session's settings to the client's; then the client */
	PGM_JOB_PROBE,	       /* what did the client leave in the session; then IDLE or pinned */
	PGM_JOB_ROLLBACK,      /* the client went in a transaction; then RESET */
	PGM_JOB_RESET,	       /* the client went and left something: DISCARD ALL; then IDLE */
	PGM_JOB_CLEAN,	       /* strict: nothing of the last client is left; then APPLY or the client */
	PGM_JOB_SEQUENCES, /* the client reads lastval(), and the last nextval() was another's; then the same
			    */
	PGM_JOB_CANCEL,	   /* what the client asks in its transaction is canceled before it began; then the
			      client */
	PGM_JOB_SETTLE,	   /* a cancel was sent: one round trip, so that it cannot hit the next; then IDLE */
};

/* What the server owes an answer to, in the order of the requests. */
enum pgm_expect_kind {
	PGM_EXPECT_QUERY,    /* to ReadyForQuery */
	PGM_EXPECT_FUNCTION, /* to ReadyForQuery */
	PGM_EXPECT_JOB,	     /* to ReadyForQuery; ours */
	PGM_EXPECT_PARSE,
	PGM_EXPECT_BIND,
	PGM_EXPECT_DESCRIBE,
	PGM_EXPECT_EXECUTE,
	PGM_EXPECT_CLOSE,
	PGM_EXPECT_SYNC,
};

enum pgm_expect_flags {
	PGM_EXPECT_HIDDEN = 1,	  /* the client did not ask: swallow the answer */
	PGM_EXPECT_LOCAL = 2,	  /* the server was not asked: answer when its turn comes */
	PGM_EXPECT_DUPLICATE = 4, /* a Parse that must fail, for the name is taken */
	PGM_EXPECT_NAMED = 8,	  /* of Parse: the client gave it a name */
	PGM_EXPECT_PROXY = 32,	  /* of Parse: in place of one that the server holds, or of our own */
	PGM_EXPECT_BROKEN = 64,	  /* a Parse that fails before it drops the unnamed statement */
	PGM_EXPECT_DDL = 16,	  /* on success, texts prepared from now on are new statements */
};

struct pgm_expect {
	uint8_t kind;
	uint8_t flags;
	uint32_t name_tag; /* of the client's name for the statement, to tell of it in errors; 0: none */
	uint32_t burst;	   /* with an entry: how often in a row its client had asked for it then */
	struct pgm_prepared *prepared;	 /* of PARSE and CLOSE: set by pgm_relay_changes(), which holds it */
	struct pgm_profile_entry *entry; /* of QUERY and EXECUTE; NULL: not profiled */
	uint64_t fingerprint;		 /* with an entry */
	uint64_t generation;		 /* of the profile: in another one entry may be another's */
};

struct pgm_server_login; /* server.c */

struct pgm_server {
	struct pgm_grave grave;
	struct pgm_stream stream;
	struct pgm_link link; /* in its share's list for its state */
	struct pgm_share *share;
	uint64_t id;
	enum pgm_server_state state;
	struct pgm_client
		*client;  /* LINKED: whose it is; NULL: only a job runs. Of replication from the begin */
	bool replication; /* its client's alone, and closed with it */
	struct pgm_server_login *login;
	struct pgm_address address;
	unsigned picked; /* the address's number in database->next_address's count */
	uint32_t pid;	 /* the backend's key */
	uint8_t secret[256];
	size_t secret_length;
	uint64_t reconnect; /* the database's number when it connected */
	unsigned moved;	    /* the database's number when its address was last one of the database's */
	uint64_t connected_us, released_us, linked_us;
	uint64_t last_client_id;

	/* what it owes */
	struct pgm_expect *expects; /* a ring */
	uint32_t expect_head, expect_count, expect_capacity;
	uint32_t changes; /* of those, how many prepare or close a statement of ours */
	char status;	  /* 'I', 'T', 'E' */
	bool unsynced;	  /* an extended request came, and no Sync after it */
	bool batch_sent;  /* and one was sent: the transaction that a batch is has begun */
	bool failed;	  /* the simple query that is being answered */
	char failed_sqlstate[6];
	uint64_t rows;	   /* that it returned or changed so far */
	bool skip_to_sync; /* after an error in an extended batch, requests up to Sync are not sent */
	uint32_t syncs_in_copy;
	bool copy_in;
	enum pgm_job job;
	bool job_failed;
	bool checked, cleaned; /* since it was linked */
	uint64_t job_started_us;
	char job_sqlstate[6];
	char job_message[256];
	struct pgm_sample *sample; /* values of the request that runs: sample.c */
	struct pgm_probe *probe;   /* what PGM_JOB_PROBE found so far */
	unsigned probe_tries;

	/* relaying */
	uint8_t *carry; /* the begin of a message */
	size_t carry_length, carry_capacity;
	size_t skip; /* bytes of a message's body that are still to come, and are passed on unseen */
	bool skip_hidden;
	uint64_t mark_us; /* when the request that is being answered was sent, or the one before answered */
	uint64_t bytes_since_mark;

	/* the session */
	const struct pgm_pairs *applied; /* settings that we set in it */
	const struct pgm_pairs *reports; /* ParameterStatus, as it stands */
	struct pgm_holding holding;
	uint64_t unnamed;	  /* which client statement its unnamed one is; 0: it has none */
	uint64_t batch_clock;	  /* of holding, when this batch began: what is older is not in use */
	uint64_t sequence_client; /* whose nextval() was the last; 0: none since a DISCARD */
	bool discarded;		  /* all, by its client in this transaction */
	bool sequences_mixed;	  /* and another's came before it */
	uint32_t touched;	  /* enum pgm_scan_flags of what ran since it was last clean */
	unsigned cancels;	  /* cancel requests on their way */
	bool cancelled;		  /* one was sent since it was linked */
	bool dirty;		  /* its last client left something that only DISCARD ALL removes */
	bool reset_due;		  /* server_reset_query_always: not run yet since a client had it */
	bool close_soon;	  /* RECONNECT, an error that leaves it unclear: close it when it is free */
	bool client_told;	  /* its end, in the server's own words */
	struct pgm_last_words {
		char sqlstate[6];
		char message[256];
	} last_words; /* "" none */
};

/* Connect; the budget was taken. It joins share->logging_in, and waiting clients get it once it is ready. */
void pgm_server_connect(struct pgm_share *share);
/* The same for a client that asked for replication: with its startup parameters, and for it alone. */
void pgm_server_connect_for(struct pgm_share *share, struct pgm_client *client);
void pgm_server_close(struct pgm_server *server, const char *reason);
/* Why it is not what the configuration and the name server say now; NULL: it is. To be closed when free. */
const char *pgm_server_outdated(struct pgm_server *server);
/* Whether it is older than server_lifetime, and is to go: those of one age go one after the other, within a
 * tenth of that, for clients would wait where all of a pool are connected anew at once. */
bool pgm_server_outlived(const struct pgm_server *server);
void pgm_server_ready(struct pgm_source *source, uint32_t events);

void pgm_server_login_run(struct pgm_server *server, uint32_t events); /* connect.c */
void pgm_server_login_free(struct pgm_server *server);
void pgm_server_move(struct pgm_server *server, enum pgm_server_state state);
/* To another worker, which has it from then on. It is nobody's, and clean. */
void pgm_server_hand_over(struct pgm_server *server, struct pgm_worker *to);
/* A cancel request has come to its end. */
void pgm_server_unhold(struct pgm_server *server);

/* Link an idle server with a client, and make its session the client's; then the client goes on. */
void pgm_server_link(struct pgm_server *server, struct pgm_client *client);
/* The client is done with it: clean what must be, then IDLE. client is unlinked at once. */
void pgm_server_release(struct pgm_server *server);
/* Its client has gone, perhaps in the middle of something. */
void pgm_server_abandon(struct pgm_server *server);
/* Nobody's: roll back, discard or settle what must be, one job after the other; then IDLE. */
void pgm_server_clean(struct pgm_server *server);
/* Nobody needs it and it is clean: to the idle list, or to a worker whose clients wait longer. */
void pgm_server_to_idle(struct pgm_server *server);

/* Ask the server to cancel what it runs for its client. */
void pgm_server_cancel(struct pgm_server *server);

/* It ended the connection, or did what no server does: its client is told, the server is closed. */
void pgm_server_lost(struct pgm_server *server, const char *why);
/* An error that no request asked for: why the server is about to close. */
void pgm_server_last_words(struct pgm_server *server, const struct pgm_wire_error *error);

/* Bytes came (backend.c). */
void pgm_server_relay(struct pgm_server *server);

struct pgm_expect *pgm_server_expect(struct pgm_server *server, enum pgm_expect_kind kind, unsigned flags);
static inline struct pgm_expect *pgm_server_head(struct pgm_server *server)
{
	return server->expect_count ? &server->expects[server->expect_head & (server->expect_capacity - 1)]
				    : NULL;
}

/* Jobs (session.c). */
bool pgm_job_start(struct pgm_server *server, enum pgm_job job, const char *sql);
void pgm_job_message(struct pgm_server *server, char type, const uint8_t *body, size_t length);
void pgm_job_done(struct pgm_server *server);

void pgm_session_forget(struct pgm_server *server); /* what a probe had found */
/* The role that it logged in as. */
const char *pgm_server_user(const struct pgm_server *server);

/* It could not connect or log in there: where not all hosts are used in turn, the next one is from now on. */
void pgm_server_leave_address(struct pgm_server *server);
/* Keep the texts of a failure, for the pool's clients. */
void pgm_server_failed(struct pgm_server *server, const char *sqlstate, const char *message, bool final);

#endif
