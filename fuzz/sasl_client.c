/*
 * Servers that we log in to: a byte of choices, then bodies of authentication requests, each with two bytes
 * of length before it. A plain password goes out only where it may; SCRAM ends well only with the server's
 * proof; what is sent are whole messages. Our nonce is made known, so that the corpus can hold a whole login.
 */
#include "pool/auth/auth.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#define NONCE "rOprNGfwEbeRWgbNEkqO"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_answer(const struct pgm_writer *writer, bool plain_allowed, const char *password)
{
	size_t length = pgm_writer_length(writer);
	if (length == 0)
		return;
	assert(length > PGM_WIRE_HEADER_BYTES && writer->start[0] == PGM_FE_PASSWORD);
	assert(pgm_wire_get32(writer->start + 1) == length - 1);
	size_t body = length - PGM_WIRE_HEADER_BYTES;
	assert(plain_allowed || !password || body != strlen(password) + 1 ||
	       memcmp(writer->start + PGM_WIRE_HEADER_BYTES, password, body) != 0);
}

/* Whether a step would run PBKDF2 for long. */
static bool is_slow(const struct pgm_server_auth *auth, const uint8_t *body, size_t length)
{
	struct pgm_scram_challenge challenge;
	const char *why;
	return auth->state == PGM_SERVER_AUTH_FIRST && auth->scram->password && length > 4 &&
	       pgm_scram_read_challenge(body + 4, length - 4, &challenge, &why) &&
	       challenge.iterations > 4096;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct pgm_scram_keys keys = {{1}, {2}};
	static const char *const secrets[] = {"pencil", "md5f1c1b6dc7a2a4d6ac2a1c5d4f0e4d5b7", NULL, ""};
	static const uint8_t binding[32] = "hash";
	static uint8_t bytes[PGM_AUTH_OUT_MAX];
	if (size < 1)
		return 0;
	struct pgm_server_secret secret = {
		.user = "user", .secret = secrets[data[0] & 3], .keys = data[0] & 4 ? &keys : NULL};
	struct pgm_scram_cache cache = {0};
	struct pgm_server_auth auth = {
		.tls = data[0] & 8, .require_encrypted = data[0] & 16, .cache = &cache};
	if (data[0] & 32) {
		auth.binding = binding;
		auth.binding_length = sizeof(binding);
	}
	struct pgm_cursor cursor = pgm_cursor_over(data + 1, size - 1);
	enum pgm_auth_verdict verdict = PGM_AUTH_CONTINUE;
	bool sasl = false, proved = false, slow = false;
	pgm_server_auth_begin(&auth, &secret);
	while (verdict == PGM_AUTH_CONTINUE && !slow) {
		size_t length = pgm_cursor_u16(&cursor);
		if (cursor.bad)
			break;
		if (length > pgm_cursor_left(&cursor))
			length = pgm_cursor_left(&cursor);
		uint8_t *body = malloc(length ? length : 1);
		memcpy(body, pgm_cursor_bytes(&cursor, length), length);
		slow = is_slow(&auth, body, length);
		if (!slow) {
			struct pgm_writer writer = pgm_writer_over(bytes, sizeof(bytes));
			verdict = pgm_server_auth_step(&auth, body, length, &writer);
			check_answer(&writer, auth.tls || !auth.require_encrypted, secret.secret);
		}
		free(body);
		sasl |= auth.scram != NULL;
		proved |= auth.state == PGM_SERVER_AUTH_VERIFIED;
		if (verdict == PGM_AUTH_CONTINUE && auth.state == PGM_SERVER_AUTH_FIRST) {
			memcpy(auth.scram->nonce, NONCE, sizeof(NONCE));
			memcpy(auth.scram->first_bare, "n=user,r=" NONCE, sizeof("n=user,r=" NONCE));
		}
	}
	if (verdict == PGM_AUTH_OK)
		assert(!sasl || proved);
	if (verdict == PGM_AUTH_FAILED)
		assert(auth.sqlstate && strlen(auth.sqlstate) == 5 && *auth.message);
	pgm_server_auth_done(&auth);
	return 0;
}
