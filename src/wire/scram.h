/*
 * SCRAM-SHA-256 (RFC 5802, RFC 7677) on both sides, with channel binding tls-server-end-point (RFC 5929),
 * and PostgreSQL's older md5. No I/O. A struct belongs to one thread; it holds secrets: pgm_scram_wipe() it.
 *
 * A pooler logs in to a server for a client whose password it does not know: the client's proof gives its
 * ClientKey, which with the verifier's ServerKey is all that logging in takes (as PgBouncer and Odyssey do).
 *
 * Passwords go through SASLprep (RFC 4013), and are used as their bytes are where that forbids them, as
 * PostgreSQL does.
 */
#ifndef PGM_WIRE_SCRAM_H
#define PGM_WIRE_SCRAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PGM_SCRAM_KEY_BYTES	 32
#define PGM_SCRAM_SALT_MAX	 1024
#define PGM_SCRAM_NONCE_MAX	 1024 /* characters, both sides' parts together */
#define PGM_SCRAM_ITERATIONS	 4096 /* of verifiers that we make: PostgreSQL's */
#define PGM_SCRAM_ITERATIONS_MAX 10000000
#define PGM_SCRAM_BINDING_MAX	 64   /* bytes of a certificate's hash */
#define PGM_SCRAM_MESSAGE_MAX	 4096 /* room for one message and its NUL; a longer one is refused */
#define PGM_MD5_TEXT_BYTES	 36   /* "md5", 32 hex digits, NUL */

#define PGM_SCRAM_MECHANISM	 "SCRAM-SHA-256"
#define PGM_SCRAM_MECHANISM_PLUS "SCRAM-SHA-256-PLUS"

/* What PostgreSQL keeps of a password: SCRAM-SHA-256$<iterations>:<salt>$<StoredKey>:<ServerKey> */
struct pgm_scram_verifier {
	uint32_t iterations;
	uint8_t salt[PGM_SCRAM_SALT_MAX];
	size_t salt_length;
	uint8_t stored_key[PGM_SCRAM_KEY_BYTES];
	uint8_t server_key[PGM_SCRAM_KEY_BYTES];
};

/* What logging in takes. */
struct pgm_scram_keys {
	uint8_t client_key[PGM_SCRAM_KEY_BYTES];
	uint8_t server_key[PGM_SCRAM_KEY_BYTES];
};

/* False: it is none, or one beyond the limits above. */
bool pgm_scram_read_verifier(const char *text, struct pgm_scram_verifier *verifier);
/* Of a plain password, with a random salt and 4096 iterations: takes a millisecond. */
bool pgm_scram_make_verifier(const char *password, struct pgm_scram_verifier *verifier);
bool pgm_scram_make_verifier_by(const char *password, uint32_t iterations,
				struct pgm_scram_verifier *verifier);
/* What a password gives with a verifier's salt, whether or not it is the right one: takes a millisecond. */
bool pgm_scram_keys_of(const char *password, const struct pgm_scram_verifier *verifier,
		       struct pgm_scram_keys *keys);
/*
 * A verifier that no password fits, the same for a user as long as the process lives: an unknown user is
 * answered as any other. From any thread.
 */
void pgm_scram_mock_verifier(const char *user, struct pgm_scram_verifier *verifier);

/* We are the server. The caller fills what is above the line, zeroes the rest. */
struct pgm_scram_server {
	struct pgm_scram_verifier verifier;
	bool mock;		/* fail whatever the proof */
	const uint8_t *binding; /* the certificate's hash, or NULL: channel binding is not offered */
	size_t binding_length;
	/* ---- */
	char first_bare[PGM_SCRAM_MESSAGE_MAX]; /* client-first-message-bare */
	char server_first[PGM_SCRAM_MESSAGE_MAX];
	char nonce[PGM_SCRAM_NONCE_MAX + 1]; /* the client's and ours */
	char gs2[32];			     /* the client's GS2 header */
	bool plus;			     /* the client chose SCRAM-SHA-256-PLUS */
	struct pgm_scram_keys keys;	     /* after success */
	const char *sqlstate;		     /* of a message that was refused: PostgreSQL's */
	char detail[128];		     /* and its detail, or "" */
};

/*
 * client-first-message in, server-first-message out (NUL-terminated, in server_first). False: malformed;
 * *why is PostgreSQL's wording (a static text), sqlstate and detail go with it.
 */
bool pgm_scram_server_first(struct pgm_scram_server *scram, const char *mechanism, const uint8_t *message,
			    size_t length, const char **why);
/* client-final-message in, server-final-message out; *malformed tells a bad message from a wrong password. */
bool pgm_scram_server_final(struct pgm_scram_server *scram, const uint8_t *message, size_t length, char *out,
			    size_t out_size, bool *malformed, const char **why);

/* We are the client. The caller fills what is above the line, zeroes the rest. */
struct pgm_scram_client {
	const char *password; /* one of the two, until pgm_scram_client_final() */
	const struct pgm_scram_keys *keys;
	const uint8_t *binding; /* the server certificate's hash: ask for PLUS; NULL: no channel binding */
	size_t binding_length;
	bool tls; /* without binding: "y" (we could, the server offers none) or "n" */
	/* ---- */
	char nonce[64];
	char first_bare[128];
	char auth_message[PGM_SCRAM_MESSAGE_MAX * 2];
	struct pgm_scram_keys used; /* after the final message: keys that may be cached */
};

/* What a server-first-message says. */
struct pgm_scram_challenge {
	const char *nonce; /* in the message; not NUL-terminated */
	size_t nonce_length;
	uint8_t salt[PGM_SCRAM_SALT_MAX];
	size_t salt_length;
	uint32_t iterations;
};

/* False with *why (a static text) where it is malformed or beyond the limits. */
bool pgm_scram_read_challenge(const uint8_t *message, size_t length, struct pgm_scram_challenge *challenge,
			      const char **why);

/* client-first-message, NUL-terminated. False: no random numbers or no room. */
bool pgm_scram_client_first(struct pgm_scram_client *scram, char *out, size_t out_size);
/*
 * server-first-message in, client-final-message out. From a password this runs PBKDF2: a millisecond for 4096
 * iterations, seconds for ten million; from keys microseconds.
 */
bool pgm_scram_client_final(struct pgm_scram_client *scram, const uint8_t *server_first, size_t length,
			    char *out, size_t out_size, const char **why);
/* Whether the server knows the password too. */
bool pgm_scram_client_verify(struct pgm_scram_client *scram, const uint8_t *server_final, size_t length,
			     const char **why);

void pgm_scram_wipe(void *secret, size_t length);
bool pgm_random_bytes(void *bytes, size_t length);			  /* getrandom(2) */
bool pgm_secret_equal(const void *one, const void *other, size_t length); /* takes the same time always */
void pgm_sha256(const void *bytes, size_t length, uint8_t hash[32]);

/* "md5" and 32 digits: md5(password || user); false where the library refuses MD5. */
bool pgm_md5_password(const char *password, const char *user, char out[PGM_MD5_TEXT_BYTES]);
/* The answer to AuthenticationMD5Password: from the text above and the salt. */
bool pgm_md5_answer(const char *md5_text, const uint8_t salt[4], char out[PGM_MD5_TEXT_BYTES]);
/* Whether a stored secret has that form. */
bool pgm_md5_is(const char *secret);

#endif
