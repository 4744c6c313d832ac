/*
 * Authentication of clients by us, and of us by servers, as state machines without I/O: message bodies in,
 * messages to send and a verdict out. A struct belongs to one connection; it holds secrets: end with _done().
 *
 * The secret of a user comes from userlist.txt or auth_query. An unknown user is answered as one with a
 * wrong password, after the same exchange.
 */
#ifndef PGM_POOL_AUTH_H
#define PGM_POOL_AUTH_H

#include "pool/config.h"
#include "wire/scram.h"
#include "wire/wire.h"

enum pgm_auth_verdict {
	PGM_AUTH_CONTINUE, /* send what is in the writer (there may be nothing) and wait for a message */
	PGM_AUTH_OK,	   /* done: for a client, AuthenticationOk is not yet in the writer */
	PGM_AUTH_FAILED,   /* sqlstate and message say how to end it */
};

struct pgm_client_auth {
	enum pgm_auth_type type;
	const char *user;
	const char *secret;	/* plain, md5, verifier; NULL: unknown user */
	uint8_t md5_salt[4];
	bool cert_matches;	/* of PGM_AUTH_CERT: the caller compared the certificate's name */
	bool started;
	struct pgm_scram_server *scram; /* malloc'ed while it is needed */
	/* after PGM_AUTH_OK: what logs in to a server as this user */
	bool have_keys;
	struct pgm_scram_keys keys;
	const char *sqlstate; /* "28P01"... */
	char message[256];
};

/*
 * Begin: what the client must answer goes into the writer. secret must live as long as the struct. binding
 * is the hash of our certificate where the client is on TLS, else NULL.
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

struct pgm_server_auth {
	struct pgm_server_secret secret;
	bool tls;
	const uint8_t *binding; /* hash of the server's certificate, or NULL */
	size_t binding_length;
	bool require_encrypted; /* never a clear-text password without TLS */
	struct pgm_scram_client *scram;
	bool verified; /* the SCRAM server proved that it knows the password */
	/* SCRAM keys that a plain password gave for the last salt: the caller may keep this between logins, so
	 * that PBKDF2 runs once. */
	struct pgm_scram_cache *cache; /* or NULL */
	const char *sqlstate;
	char message[512];
};

/* Salted keys of a password: valid while salt and iterations are the same. */
struct pgm_scram_cache {
	uint8_t salt[PGM_SCRAM_SALT_MAX];
	size_t salt_length;
	uint32_t iterations;
	char password_hash[32]; /* SHA-256, so that a changed password is noticed */
	struct pgm_scram_keys keys;
	bool valid;
};

void pgm_server_auth_begin(struct pgm_server_auth *auth, const struct pgm_server_secret *secret);
/* The body of an 'R' message. OK: the server said AuthenticationOk (and, with SCRAM, proved itself). */
enum pgm_auth_verdict pgm_server_auth_step(struct pgm_server_auth *auth, const uint8_t *body, size_t length,
					   struct pgm_writer *out);
void pgm_server_auth_done(struct pgm_server_auth *auth);

#endif
