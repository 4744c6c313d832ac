/* We log in to servers, after libpq's fe-auth.c. The server may be anybody. */
#include "pool/auth/auth.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

__attribute__((format(printf, 3, 4))) static enum pgm_auth_verdict fail(struct pgm_server_auth *auth,
									const char *sqlstate,
									const char *format, ...)
{
	va_list args;
	va_start(args, format);
	vsnprintf(auth->message, sizeof(auth->message), format, args);
	va_end(args);
	auth->sqlstate = sqlstate;
	auth->state = PGM_SERVER_AUTH_ENDED;
	return PGM_AUTH_FAILED;
}

static enum pgm_auth_verdict fail_memory(struct pgm_server_auth *auth)
{
	return fail(auth, "53200", "out of memory");
}

static enum pgm_auth_verdict go_on(struct pgm_server_auth *auth, enum pgm_server_auth_state state,
				   const struct pgm_writer *out)
{
	auth->state = state;
	return out->full ? fail(auth, "54000", "the answer to the server is too long") : PGM_AUTH_CONTINUE;
}

void pgm_server_auth_begin(struct pgm_server_auth *auth, const struct pgm_server_secret *secret)
{
	auth->secret = *secret;
	auth->state = PGM_SERVER_AUTH_BEGUN;
	auth->scram = NULL;
	auth->challenge = NULL;
	auth->sqlstate = NULL;
	auth->message[0] = '\0';
}

static const char *what_there_is(const struct pgm_server_auth *auth)
{
	switch (pgm_secret_kind_of(auth->secret.secret)) {
	case PGM_SECRET_MD5:
		return "only an md5 hash of it is known";
	case PGM_SECRET_SCRAM:
		return "only a SCRAM verifier of it is known";
	default:
		return auth->secret.keys ? "only SCRAM keys are known" : "none is known";
	}
}

static void write_password(struct pgm_writer *out, const char *password)
{
	pgm_writer_begin(out, PGM_FE_PASSWORD);
	pgm_writer_string(out, password);
	pgm_writer_end(out);
}

static enum pgm_auth_verdict answer_plain(struct pgm_server_auth *auth, struct pgm_writer *out)
{
	if (pgm_secret_kind_of(auth->secret.secret) != PGM_SECRET_PLAIN)
		return fail(auth, "28000", "the server asks for a plain password of user \"%.63s\", but %s",
			    auth->secret.user, what_there_is(auth));
	if (!auth->tls && auth->require_encrypted)
		return fail(
			auth, "28000",
			"the server asks for a plain password over a connection without TLS, which is given "
			"only where server_tls_sslmode is disable");
	write_password(out, auth->secret.secret);
	return go_on(auth, PGM_SERVER_AUTH_PASSWORD, out);
}

static enum pgm_auth_verdict answer_md5(struct pgm_server_auth *auth, const uint8_t salt[4],
					struct pgm_writer *out)
{
	char text[PGM_MD5_TEXT_BYTES] = "", answer[PGM_MD5_TEXT_BYTES];
	enum pgm_secret_kind kind = pgm_secret_kind_of(auth->secret.secret);
	if (kind != PGM_SECRET_PLAIN && kind != PGM_SECRET_MD5)
		return fail(auth, "28000", "the server asks for an md5 password of user \"%.63s\", but %s",
			    auth->secret.user, what_there_is(auth));
	if (kind == PGM_SECRET_MD5)
		memcpy(text, auth->secret.secret, sizeof(text));
	else if (!pgm_md5_password(auth->secret.secret, auth->secret.user, text))
		return fail(auth, "28000",
			    "the server asks for an md5 password, which OpenSSL refuses to make");
	if (!pgm_md5_answer(text, salt, answer))
		return fail(auth, "28000",
			    "the server asks for an md5 password, which OpenSSL refuses to make");
	write_password(out, answer);
	pgm_scram_wipe(text, sizeof(text));
	return go_on(auth, PGM_SERVER_AUTH_PASSWORD, out);
}

/* Reads the server's list; NULL: there is none in it that we know. */
static const char *choose_mechanism(const struct pgm_server_auth *auth, struct pgm_cursor *cursor)
{
	bool plain = false, plus = false;
	for (;;) {
		const char *name = pgm_cursor_string(cursor, NULL);
		if (cursor->bad || !*name)
			break;
		plain |= strcmp(name, PGM_SCRAM_MECHANISM) == 0;
		plus |= strcmp(name, PGM_SCRAM_MECHANISM_PLUS) == 0;
	}
	if (plus && auth->tls && auth->binding)
		return PGM_SCRAM_MECHANISM_PLUS;
	return plain ? PGM_SCRAM_MECHANISM : NULL;
}

static enum pgm_auth_verdict answer_sasl(struct pgm_server_auth *auth, struct pgm_cursor *cursor,
					 struct pgm_writer *out)
{
	const char *mechanism = choose_mechanism(auth, cursor);
	if (cursor->bad || pgm_cursor_left(cursor) > 0)
		return fail(auth, "08P01", "the server sent a malformed list of SASL mechanisms");
	if (!mechanism)
		return fail(auth, "28000",
			    "none of the server's SASL authentication mechanisms are supported");
	bool plain = pgm_secret_kind_of(auth->secret.secret) == PGM_SECRET_PLAIN;
	if (!plain && !auth->secret.keys)
		return fail(auth, "28000", "the server asks for a SCRAM password of user \"%.63s\", but %s",
			    auth->secret.user, what_there_is(auth));
	struct pgm_scram_client *scram = auth->scram = calloc(1, sizeof(*scram));
	auth->challenge = calloc(1, sizeof(*auth->challenge));
	if (!scram || !auth->challenge)
		return fail_memory(auth);
	/* A password fits any salt of the server's, keys that of the verifier that they are of. */
	scram->password = plain ? auth->secret.secret : NULL;
	scram->keys = plain ? NULL : auth->secret.keys;
	bool plus = strcmp(mechanism, PGM_SCRAM_MECHANISM_PLUS) == 0;
	scram->binding = plus ? auth->binding : NULL;
	scram->binding_length = plus ? auth->binding_length : 0;
	/* "We could, but you offer none": a server that did offer it knows then that somebody cut it out. */
	scram->tls = auth->tls && auth->binding && !plus;
	char first[256];
	if (!pgm_scram_client_first(scram, first, sizeof(first)))
		return fail(auth, "XX000", "could not generate nonce");
	pgm_writer_begin(out, PGM_FE_PASSWORD);
	pgm_writer_string(out, mechanism);
	pgm_writer_u32(out, (uint32_t)strlen(first));
	pgm_writer_bytes(out, first, strlen(first));
	pgm_writer_end(out);
	return go_on(auth, PGM_SERVER_AUTH_FIRST, out);
}

/* Whether the keys that were made last time are those for this challenge. */
static bool cache_fits(const struct pgm_scram_cache *cache, const struct pgm_scram_challenge *challenge,
		       const char *password)
{
	uint8_t hash[32];
	if (!cache->valid || cache->iterations != challenge->iterations ||
	    cache->salt_length != challenge->salt_length ||
	    memcmp(cache->salt, challenge->salt, challenge->salt_length) != 0)
		return false;
	pgm_sha256(password, strlen(password), hash);
	return pgm_secret_equal(hash, cache->password_hash, sizeof(hash));
}

static void fill_cache(struct pgm_scram_cache *cache, const struct pgm_server_auth *auth)
{
	const struct pgm_scram_challenge *challenge = auth->challenge;
	memcpy(cache->salt, challenge->salt, challenge->salt_length);
	cache->salt_length = challenge->salt_length;
	cache->iterations = challenge->iterations;
	cache->keys = auth->scram->used;
	pgm_sha256(auth->scram->password, strlen(auth->scram->password), cache->password_hash);
	cache->valid = true;
}

static enum pgm_auth_verdict answer_challenge(struct pgm_server_auth *auth, const uint8_t *message,
					      size_t length, struct pgm_writer *out)
{
	struct pgm_scram_client *scram = auth->scram;
	char final[PGM_SCRAM_MESSAGE_MAX];
	const char *why = NULL;
	if (!pgm_scram_read_challenge(message, length, auth->challenge, &why))
		return fail(auth, "08P01", "%s", why);
	if (auth->cache && scram->password && cache_fits(auth->cache, auth->challenge, scram->password))
		scram->keys = &auth->cache->keys;
	if (!pgm_scram_client_final(scram, message, length, final, sizeof(final), &why))
		return fail(auth, "08P01", "%s", why);
	if (scram->password)
		scram->keys = NULL;
	pgm_writer_begin(out, PGM_FE_PASSWORD);
	pgm_writer_bytes(out, final, strlen(final));
	pgm_writer_end(out);
	return go_on(auth, PGM_SERVER_AUTH_FINAL, out);
}

static enum pgm_auth_verdict take_proof(struct pgm_server_auth *auth, const uint8_t *message, size_t length)
{
	const char *why = NULL;
	if (!pgm_scram_client_verify(auth->scram, message, length, &why))
		return fail(auth, "08P01", "%s", why);
	if (auth->cache && auth->scram->password)
		fill_cache(auth->cache, auth);
	auth->state = PGM_SERVER_AUTH_VERIFIED;
	return PGM_AUTH_CONTINUE;
}

static enum pgm_auth_verdict take_ok(struct pgm_server_auth *auth)
{
	/* A server that asked for nothing knows who we are; one that began SCRAM has to end it. */
	if (auth->state == PGM_SERVER_AUTH_FIRST || auth->state == PGM_SERVER_AUTH_FINAL)
		return fail(auth, "08P01", "the server ended SCRAM without proof that it knows the password");
	auth->state = PGM_SERVER_AUTH_ENDED;
	return PGM_AUTH_OK;
}

enum pgm_auth_verdict pgm_server_auth_step(struct pgm_server_auth *auth, const uint8_t *body, size_t length,
					   struct pgm_writer *out)
{
	struct pgm_cursor cursor = pgm_cursor_over(body, length);
	uint32_t code = pgm_cursor_u32(&cursor);
	enum pgm_server_auth_state state = auth->state;
	size_t left = pgm_cursor_left(&cursor);
	if (cursor.bad || state == PGM_SERVER_AUTH_ENDED)
		return fail(auth, "08P01", "the server sent a malformed authentication request");
	bool asks =
		code == PGM_WIRE_AUTH_CLEARTEXT || code == PGM_WIRE_AUTH_MD5 || code == PGM_WIRE_AUTH_SASL;
	if ((asks && state != PGM_SERVER_AUTH_BEGUN) ||
	    (code == PGM_WIRE_AUTH_SASL_CONTINUE && state != PGM_SERVER_AUTH_FIRST) ||
	    (code == PGM_WIRE_AUTH_SASL_FINAL && state != PGM_SERVER_AUTH_FINAL))
		return fail(auth, "08P01", "the server sent authentication request %u out of turn", code);
	if (((code == PGM_WIRE_AUTH_OK || code == PGM_WIRE_AUTH_CLEARTEXT) && left != 0) ||
	    (code == PGM_WIRE_AUTH_MD5 && left != 4))
		return fail(auth, "08P01", "the server sent authentication request %u of a wrong length",
			    code);
	switch (code) {
	case PGM_WIRE_AUTH_OK:
		return take_ok(auth);
	case PGM_WIRE_AUTH_CLEARTEXT:
		return answer_plain(auth, out);
	case PGM_WIRE_AUTH_MD5:
		return answer_md5(auth, cursor.at, out);
	case PGM_WIRE_AUTH_SASL:
		return answer_sasl(auth, &cursor, out);
	case PGM_WIRE_AUTH_SASL_CONTINUE:
		return answer_challenge(auth, cursor.at, left, out);
	case PGM_WIRE_AUTH_SASL_FINAL:
		return take_proof(auth, cursor.at, left);
	default:
		return fail(auth, "0A000",
			    "the server asks for authentication method %u, which is not supported", code);
	}
}

void pgm_server_auth_done(struct pgm_server_auth *auth)
{
	if (auth->scram) {
		pgm_scram_wipe(auth->scram, sizeof(*auth->scram));
		free(auth->scram);
	}
	free(auth->challenge);
	auth->scram = NULL;
	auth->challenge = NULL;
	auth->secret = (struct pgm_server_secret){0};
	auth->state = PGM_SERVER_AUTH_ENDED;
}
