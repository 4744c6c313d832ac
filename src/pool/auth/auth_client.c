/* Clients log in to us, after PostgreSQL's auth.c and auth-sasl.c. */
#include "pool/auth/auth.h"

#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum pgm_secret_kind pgm_secret_kind_of(const char *secret)
{
	static const char prefix[] = PGM_SCRAM_MECHANISM "$";
	if (!secret || !*secret)
		return PGM_SECRET_NONE;
	if (pgm_md5_is(secret))
		return PGM_SECRET_MD5;
	if (strncmp(secret, prefix, sizeof(prefix) - 1) != 0)
		return PGM_SECRET_PLAIN;
	/* Somebody's verifier with a typing error is nobody's password. */
	struct pgm_scram_verifier verifier;
	return pgm_scram_read_verifier(secret, &verifier) ? PGM_SECRET_SCRAM : PGM_SECRET_NONE;
}

__attribute__((format(printf, 4, 5))) static enum pgm_auth_verdict fail(struct pgm_client_auth *auth,
									const char *sqlstate,
									const char *reason,
									const char *format, ...)
{
	va_list args;
	va_start(args, format);
	vsnprintf(auth->message, sizeof(auth->message), format, args);
	va_end(args);
	auth->sqlstate = sqlstate;
	auth->reason = reason;
	auth->state = PGM_CLIENT_AUTH_ENDED;
	return PGM_AUTH_FAILED;
}

/* "<what> authentication failed for user "x"", the name cut between two characters where it is long. */
static enum pgm_auth_verdict fail_user(struct pgm_client_auth *auth, const char *sqlstate, const char *what,
				       const char *reason)
{
	size_t length = strnlen(auth->user, 128);
	while (length > 0 && auth->user[length] != '\0' && ((uint8_t)auth->user[length] & 0xc0) == 0x80)
		length--;
	return fail(auth, sqlstate, reason, "%s authentication failed for user \"%.*s\"", what, (int)length,
		    auth->user);
}

static enum pgm_auth_verdict fail_password(struct pgm_client_auth *auth, const char *reason)
{
	return fail_user(auth, "28P01", "password", auth->secret ? reason : "no such user");
}

static enum pgm_auth_verdict fail_memory(struct pgm_client_auth *auth)
{
	return fail(auth, "53200", "out of memory", "out of memory");
}

static enum pgm_auth_verdict go_on(struct pgm_client_auth *auth, const struct pgm_writer *out)
{
	return out->full ? fail_memory(auth) : PGM_AUTH_CONTINUE;
}

/*
 * Verifiers of plain secrets, so that PBKDF2 runs once for each. Direct-mapped; under the lock.
 */
#define KEPT_VERIFIERS 1024
#define KEPT_SALT      16

struct kept_verifier {
	uint8_t name[32]; /* SHA-256 of user and secret */
	uint8_t salt[KEPT_SALT];
	uint8_t stored_key[PGM_SCRAM_KEY_BYTES];
	uint8_t server_key[PGM_SCRAM_KEY_BYTES];
	bool used;
	uint32_t iterations;
};

static struct kept_verifier kept[KEPT_VERIFIERS];
static pthread_mutex_t kept_lock = PTHREAD_MUTEX_INITIALIZER;

static bool verifier_of_plain(const char *user, const char *secret, uint32_t iterations,
			      struct pgm_scram_verifier *verifier)
{
	uint8_t parts[64], name[32];
	pgm_sha256(user, strlen(user), parts);
	pgm_sha256(secret, strlen(secret), parts + 32);
	pgm_sha256(parts, sizeof(parts), name);
	struct kept_verifier *slot = &kept[(name[0] << 8 | name[1]) % KEPT_VERIFIERS];
	pthread_mutex_lock(&kept_lock);
	bool found = slot->used && slot->iterations == iterations &&
		     pgm_secret_equal(slot->name, name, sizeof(name));
	if (found) {
		memset(verifier, 0, sizeof(*verifier));
		verifier->iterations = iterations;
		verifier->salt_length = KEPT_SALT;
		memcpy(verifier->salt, slot->salt, KEPT_SALT);
		memcpy(verifier->stored_key, slot->stored_key, PGM_SCRAM_KEY_BYTES);
		memcpy(verifier->server_key, slot->server_key, PGM_SCRAM_KEY_BYTES);
	}
	pthread_mutex_unlock(&kept_lock);
	if (found)
		return true;
	if (!pgm_scram_make_verifier_by(secret, iterations, verifier) || verifier->salt_length != KEPT_SALT)
		return false;
	pthread_mutex_lock(&kept_lock);
	slot->used = true;
	slot->iterations = iterations;
	memcpy(slot->name, name, sizeof(name));
	memcpy(slot->salt, verifier->salt, KEPT_SALT);
	memcpy(slot->stored_key, verifier->stored_key, PGM_SCRAM_KEY_BYTES);
	memcpy(slot->server_key, verifier->server_key, PGM_SCRAM_KEY_BYTES);
	pthread_mutex_unlock(&kept_lock);
	return true;
}

/* Whether the last user known to us had a verifier: so an unknown one is treated, as PostgreSQL looks at
 * password_encryption. A guess of one thread is as good as that of another. */
static _Atomic bool known_have_verifiers = true;

static enum pgm_auth_verdict begin_sasl(struct pgm_client_auth *auth, const uint8_t *binding,
					size_t binding_length, struct pgm_writer *out)
{
	struct pgm_scram_server *scram = auth->scram = calloc(1, sizeof(*scram));
	if (!scram)
		return fail_memory(auth);
	if (auth->kind == PGM_SECRET_SCRAM)
		scram->mock = !pgm_scram_read_verifier(auth->secret, &scram->verifier);
	else if (auth->kind == PGM_SECRET_PLAIN)
		scram->mock =
			!verifier_of_plain(auth->user, auth->secret, auth->iterations, &scram->verifier);
	else
		scram->mock = true;
	if (scram->mock) {
		pgm_scram_mock_verifier(auth->user, &scram->verifier);
		if (!known_have_verifiers) /* whoever is known has secrets of the usual number of iterations
					    */
			scram->verifier.iterations = auth->iterations;
	}
	scram->binding = binding;
	scram->binding_length = binding_length;
	auth->state = PGM_CLIENT_AUTH_SASL;
	static const char mechanisms[] = PGM_SCRAM_MECHANISM_PLUS "\0" PGM_SCRAM_MECHANISM "\0";
	size_t skip = binding ? 0 : sizeof(PGM_SCRAM_MECHANISM_PLUS);
	pgm_wire_authentication(out, PGM_WIRE_AUTH_SASL, mechanisms + skip, sizeof(mechanisms) - skip);
	return go_on(auth, out);
}

static enum pgm_auth_verdict begin_md5(struct pgm_client_auth *auth, struct pgm_writer *out)
{
	if (!pgm_random_bytes(auth->md5_salt, sizeof(auth->md5_salt)))
		return fail(auth, "XX000", "no random numbers", "could not generate random MD5 salt");
	auth->state = PGM_CLIENT_AUTH_MD5;
	pgm_wire_authentication(out, PGM_WIRE_AUTH_MD5, auth->md5_salt, sizeof(auth->md5_salt));
	return go_on(auth, out);
}

enum pgm_auth_verdict pgm_client_auth_begin(struct pgm_client_auth *auth, enum pgm_auth_type type,
					    const char *user, const char *secret, const uint8_t *binding,
					    size_t binding_length, struct pgm_writer *out)
{
	*auth = (struct pgm_client_auth){
		.cert_matches = auth->cert_matches,
		.iterations = auth->iterations ? auth->iterations : PGM_SCRAM_ITERATIONS,
		.type = type,
		.user = user,
		.secret = secret,
		.kind = pgm_secret_kind_of(secret),
	};
	if (auth->kind != PGM_SECRET_NONE)
		known_have_verifiers = auth->kind == PGM_SECRET_SCRAM;
	switch (type) {
	case PGM_AUTH_ANY:
		return PGM_AUTH_OK;
	case PGM_AUTH_TRUST: /* as with PgBouncer, the user must be known all the same */
		return secret ? PGM_AUTH_OK : fail_user(auth, "28000", "trust", "no such user");
	case PGM_AUTH_PLAIN:
		auth->state = PGM_CLIENT_AUTH_PLAIN;
		pgm_wire_authentication(out, PGM_WIRE_AUTH_CLEARTEXT, NULL, 0);
		return go_on(auth, out);
	case PGM_AUTH_MD5:
		if (auth->kind == PGM_SECRET_SCRAM || (auth->kind == PGM_SECRET_NONE && known_have_verifiers))
			return begin_sasl(auth, binding, binding_length, out);
		return begin_md5(auth, out);
	case PGM_AUTH_SCRAM:
		return begin_sasl(auth, binding, binding_length, out);
	case PGM_AUTH_CERT:
		return auth->cert_matches ? PGM_AUTH_OK
					  : fail_user(auth, "28000", "certificate",
						      "the certificate's name is not the user's");
	case PGM_AUTH_PEER:
		return auth->cert_matches
			       ? PGM_AUTH_OK
			       : fail_user(auth, "28000", "peer", "the system user is not the user");
	case PGM_AUTH_REJECT:
		return fail(auth, "28000", "rejected by an HBA line", "login rejected");
	case PGM_AUTH_HBA:
		break;
	}
	return fail(auth, "XX000", "no authentication method", "bouncer config error");
}

/* recv_password_packet() */
static const char *read_password(struct pgm_client_auth *auth, const uint8_t *body, size_t length)
{
	struct pgm_cursor cursor = pgm_cursor_over(body, length);
	const char *password = pgm_cursor_string(&cursor, NULL);
	if (cursor.bad || pgm_cursor_left(&cursor) > 0)
		fail(auth, "08P01", "malformed message", "invalid password packet size");
	else if (!*password)
		fail(auth, "28P01", "empty password", "empty password returned by client");
	else
		return password;
	return NULL;
}

/* Of the same duration whatever they are but for their lengths. */
static bool texts_equal(const char *one, const char *other)
{
	uint8_t hashes[2][32];
	pgm_sha256(one, strlen(one), hashes[0]);
	pgm_sha256(other, strlen(other), hashes[1]);
	bool equal = pgm_secret_equal(hashes[0], hashes[1], sizeof(hashes[0]));
	pgm_scram_wipe(hashes, sizeof(hashes));
	return equal;
}

static bool fits_verifier(struct pgm_client_auth *auth, const struct pgm_scram_verifier *verifier,
			  const char *password)
{
	uint8_t stored[PGM_SCRAM_KEY_BYTES];
	if (!pgm_scram_keys_of(password, verifier, &auth->keys))
		return false;
	pgm_sha256(auth->keys.client_key, sizeof(auth->keys.client_key), stored);
	auth->have_keys = pgm_secret_equal(stored, verifier->stored_key, sizeof(stored));
	if (!auth->have_keys)
		pgm_scram_wipe(&auth->keys, sizeof(auth->keys));
	return auth->have_keys;
}

static bool fits_plain(struct pgm_client_auth *auth, const char *password)
{
	char md5_text[PGM_MD5_TEXT_BYTES];
	struct pgm_scram_verifier verifier;
	switch (auth->kind) {
	case PGM_SECRET_PLAIN:
		return texts_equal(password, auth->secret);
	case PGM_SECRET_MD5:
		return pgm_md5_password(password, auth->user, md5_text) &&
		       texts_equal(md5_text, auth->secret);
	case PGM_SECRET_SCRAM:
		return pgm_scram_read_verifier(auth->secret, &verifier) &&
		       fits_verifier(auth, &verifier, password);
	case PGM_SECRET_NONE:
		break;
	}
	/* As long as for a user that there is. */
	pgm_scram_mock_verifier(auth->user, &verifier);
	if (known_have_verifiers)
		fits_verifier(auth, &verifier, password);
	auth->have_keys = false;
	return false;
}

static bool fits_md5(const struct pgm_client_auth *auth, const char *answer)
{
	char md5_text[PGM_MD5_TEXT_BYTES] = "", expect[PGM_MD5_TEXT_BYTES];
	if (auth->kind == PGM_SECRET_MD5)
		memcpy(md5_text, auth->secret, sizeof(md5_text));
	else if (!pgm_md5_password(auth->kind == PGM_SECRET_PLAIN ? auth->secret : "", auth->user, md5_text))
		return false;
	return pgm_md5_answer(md5_text, auth->md5_salt, expect) && texts_equal(answer, expect) &&
	       auth->kind != PGM_SECRET_NONE;
}

static enum pgm_auth_verdict fail_sasl(struct pgm_client_auth *auth, const char *why)
{
	const struct pgm_scram_server *scram = auth->scram;
	return fail(auth, scram->sqlstate, "malformed message", "SASL authentication failed: %s%s%s", why,
		    scram->detail[0] ? ": " : "", scram->detail);
}

static enum pgm_auth_verdict take_first(struct pgm_client_auth *auth, const char *mechanism,
					const uint8_t *message, size_t length, struct pgm_writer *out)
{
	struct pgm_scram_server *scram = auth->scram;
	const char *why = NULL;
	if (!pgm_scram_server_first(scram, mechanism, message, length, &why))
		return fail_sasl(auth, why);
	auth->state = PGM_CLIENT_AUTH_SASL_FINAL;
	pgm_wire_authentication(out, PGM_WIRE_AUTH_SASL_CONTINUE, scram->server_first,
				strlen(scram->server_first));
	return go_on(auth, out);
}

/* SASLInitialResponse */
static enum pgm_auth_verdict take_initial(struct pgm_client_auth *auth, const uint8_t *body, size_t length,
					  struct pgm_writer *out)
{
	struct pgm_cursor cursor = pgm_cursor_over(body, length);
	const char *mechanism = pgm_cursor_string(&cursor, NULL);
	uint32_t told = pgm_cursor_u32(&cursor);
	bool none = told == PGM_WIRE_NO_PARAMETER;
	const uint8_t *message = none ? NULL : pgm_cursor_bytes(&cursor, told);
	if (cursor.bad || pgm_cursor_left(&cursor) > 0)
		return fail(auth, "08P01", "malformed message", "SASL authentication failed: %s",
			    cursor.bad ? "insufficient data left in message" : "invalid message format");
	if (!none)
		return take_first(auth, mechanism, message, told, out);
	/* It comes as the next message, after an empty challenge. */
	auth->scram->plus = strcmp(mechanism, PGM_SCRAM_MECHANISM_PLUS) == 0;
	if (auth->scram->plus ? !auth->scram->binding : strcmp(mechanism, PGM_SCRAM_MECHANISM) != 0)
		return fail(auth, "08P01", "malformed message",
			    "SASL authentication failed: client selected an invalid SASL authentication "
			    "mechanism");
	auth->state = PGM_CLIENT_AUTH_SASL_FIRST;
	pgm_wire_authentication(out, PGM_WIRE_AUTH_SASL_CONTINUE, NULL, 0);
	return go_on(auth, out);
}

static enum pgm_auth_verdict take_final(struct pgm_client_auth *auth, const uint8_t *body, size_t length,
					struct pgm_writer *out)
{
	char answer[128];
	const char *why = NULL;
	bool malformed = false;
	if (!pgm_scram_server_final(auth->scram, body, length, answer, sizeof(answer), &malformed, &why)) {
		if (malformed)
			return fail_sasl(auth, why);
		return fail_password(auth, auth->kind == PGM_SECRET_MD5
						   ? "the stored secret is md5, which SCRAM can't use"
						   : "wrong password");
	}
	pgm_wire_authentication(out, PGM_WIRE_AUTH_SASL_FINAL, answer, strlen(answer));
	if (out->full)
		return fail_memory(auth);
	auth->keys = auth->scram->keys;
	auth->have_keys = true;
	return PGM_AUTH_OK;
}

enum pgm_auth_verdict pgm_client_auth_step(struct pgm_client_auth *auth, const uint8_t *body, size_t length,
					   struct pgm_writer *out)
{
	enum pgm_client_auth_state state = auth->state;
	const char *password;
	bool fits;
	switch (state) {
	case PGM_CLIENT_AUTH_PLAIN:
	case PGM_CLIENT_AUTH_MD5:
		password = read_password(auth, body, length);
		if (!password)
			return PGM_AUTH_FAILED;
		auth->state = PGM_CLIENT_AUTH_ENDED;
		fits = state == PGM_CLIENT_AUTH_PLAIN ? fits_plain(auth, password) : fits_md5(auth, password);
		return fits ? PGM_AUTH_OK : fail_password(auth, "wrong password");
	case PGM_CLIENT_AUTH_SASL:
		return take_initial(auth, body, length, out);
	case PGM_CLIENT_AUTH_SASL_FIRST:
		return take_first(auth, auth->scram->plus ? PGM_SCRAM_MECHANISM_PLUS : PGM_SCRAM_MECHANISM,
				  body, length, out);
	case PGM_CLIENT_AUTH_SASL_FINAL:
		auth->state = PGM_CLIENT_AUTH_ENDED;
		return take_final(auth, body, length, out);
	case PGM_CLIENT_AUTH_ENDED:
		break;
	}
	return fail(auth, "08P01", "malformed message", "unexpected password message");
}

void pgm_client_auth_done(struct pgm_client_auth *auth)
{
	if (auth->scram) {
		pgm_scram_wipe(auth->scram, sizeof(*auth->scram));
		free(auth->scram);
	}
	pgm_scram_wipe(auth, sizeof(*auth));
}
