/*
 * Authentication of clients by us, and of us by servers, as state machines without I/O: message bodies in,
 * messages to send and a verdict out. A struct belongs to one connection; it holds secrets: end with _done().
 *
 * The secret of a user comes from userlist.txt or auth_query. An unknown user is answered as one with a
 * wrong password, after the same exchange.
 */
#ifndef PGM_POOL_AUTH_H
#define PGM_POOL_AUTH_H

#include "pool/config/config.h"
#include "wire/scram.h"
#include "wire/wire.h"

/* The most that one step puts into the writer; where it does not fit, the verdict is PGM_AUTH_FAILED. */
#define PGM_AUTH_OUT_MAX (PGM_SCRAM_MESSAGE_MAX + 64)

enum pgm_auth_verdict {
	PGM_AUTH_CONTINUE, /* send what is in the writer (there may be nothing) and wait for a message */
	PGM_AUTH_OK,	   /* done: for a client, AuthenticationOk is not yet in the writer */
	PGM_AUTH_FAILED,   /* sqlstate and message say how to end it */
};

enum pgm_secret_kind {
	PGM_SECRET_NONE, /* NULL, "", or a verifier that cannot be read: nobody logs in with it */
	PGM_SECRET_PLAIN,
	PGM_SECRET_MD5,
	PGM_SECRET_SCRAM,
};

enum pgm_secret_kind pgm_secret_kind_of(const char *secret);

/* What a client's next message has to be. */
enum pgm_client_auth_state {
	PGM_CLIENT_AUTH_ENDED,	    /* none: another one is an error */
	PGM_CLIENT_AUTH_PLAIN,	    /* PasswordMessage; then ENDED */
	PGM_CLIENT_AUTH_MD5,	    /* PasswordMessage; then ENDED */
	PGM_CLIENT_AUTH_SASL,	    /* SASLInitialResponse; then SASL_FIRST or SASL_FINAL */
	PGM_CLIENT_AUTH_SASL_FIRST, /* client-first-message, which did not come at once; then SASL_FINAL */
	PGM_CLIENT_AUTH_SASL_FINAL, /* client-final-message; then ENDED */
};

struct pgm_client_auth {
	bool cert_matches;   /* set before _begin(), for PGM_AUTH_CERT and _PEER: the certificate's or the
			      * system's name may be this user */
	uint32_t iterations; /* set before _begin(): of SCRAM with a plain secret; 0: the usual number */
	/* ---- */
	enum pgm_auth_type type;
	enum pgm_client_auth_state state;
	const char *user;
	const char *secret; /* plain, md5, verifier; NULL: unknown user */
	enum pgm_secret_kind kind;
	uint8_t md5_salt[4];
	struct pgm_scram_server *scram; /* malloc'ed while it is needed */
	/* after PGM_AUTH_OK: what logs in to a server as this user */
	bool have_keys;
	struct pgm_scram_keys keys;
	/* after PGM_AUTH_FAILED */
	const char *sqlstate; /* "28P01"... */
	char message[256];    /* for the client: PostgreSQL's words */
	const char *reason;   /* for the log: a static text */
};

/*
 * Begin: what the client must answer goes into the writer. user and secret must live as long as the struct,
 * which need not be initialized but for cert_matches. binding is the hash of our certificate where the client
 * is on TLS, else NULL. PGM_AUTH_HBA is to be resolved by the caller: it is a failure here.
 *
 * SCRAM from a plain secret needs PBKDF2, a millisecond, once for each user and password: the verifiers of
 * the last thousand are kept, for all threads.
 */
enum pgm_auth_verdict pgm_client_auth_begin(struct pgm_client_auth *auth, enum pgm_auth_type type,
					    const char *user, const char *secret, const uint8_t *binding,
					    size_t binding_length, struct pgm_writer *out);
/* The body of a 'p' message. */
enum pgm_auth_verdict pgm_client_auth_step(struct pgm_client_auth *auth, const uint8_t *body, size_t length,
					   struct pgm_writer *out);
void pgm_client_auth_done(struct pgm_client_auth *auth);

/* What we have to log in to a server with. */
struct pgm_server_secret {
	const char *user;
	const char *secret;		   /* plain or md5...; or NULL */
	const struct pgm_scram_keys *keys; /* or NULL */
};

/* Salted keys of a password: valid while salt and iterations are the same. */
struct pgm_scram_cache {
	uint8_t salt[PGM_SCRAM_SALT_MAX];
	size_t salt_length;
	uint32_t iterations;
	uint8_t password_hash[32]; /* SHA-256, so that a changed password is noticed */
	struct pgm_scram_keys keys;
	bool valid;
};

/* What the server's next 'R' message may be. */
enum pgm_server_auth_state {
	PGM_SERVER_AUTH_BEGUN,	  /* any */
	PGM_SERVER_AUTH_PASSWORD, /* AuthenticationOk: a password was sent */
	PGM_SERVER_AUTH_FIRST,	  /* AuthenticationSASLContinue; then FINAL */
	PGM_SERVER_AUTH_FINAL,	  /* AuthenticationSASLFinal; then VERIFIED */
	PGM_SERVER_AUTH_VERIFIED, /* AuthenticationOk: the server proved that it knows the password */
	PGM_SERVER_AUTH_ENDED,	  /* none */
};

struct pgm_server_auth {
	/* set by the caller before the first step, the rest by _begin() */
	bool tls;
	const uint8_t *binding; /* hash of the server's certificate, or NULL */
	size_t binding_length;
	bool require_encrypted; /* TLS was denied: no clear-text password */
	/* SCRAM keys that a plain password gave for the last salt: the caller may keep this between logins,
	 * so that PBKDF2 runs once. Used within a step, and by that step's thread alone. */
	struct pgm_scram_cache *cache; /* or NULL */
	/* ---- */
	struct pgm_server_secret secret;
	enum pgm_server_auth_state state;
	struct pgm_scram_client *scram;	       /* malloc'ed while it is needed */
	struct pgm_scram_challenge *challenge; /* the same: what the keys are to be cached for */
	const char *sqlstate;
	char message[512];
};

/* secret's texts and keys must live until _done(). */
void pgm_server_auth_begin(struct pgm_server_auth *auth, const struct pgm_server_secret *secret);
/*
 * The body of an 'R' message. OK: the server said AuthenticationOk (and, with SCRAM, proved itself). A step
 * may run PBKDF2 with as many iterations as the server asks for, up to PGM_SCRAM_ITERATIONS_MAX: seconds.
 */
enum pgm_auth_verdict pgm_server_auth_step(struct pgm_server_auth *auth, const uint8_t *body, size_t length,
					   struct pgm_writer *out);
void pgm_server_auth_done(struct pgm_server_auth *auth);

#endif
