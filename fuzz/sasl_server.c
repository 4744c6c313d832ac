/*
 * Clients that log in to us: a byte of choices, then messages, each with two bytes of length before it.
 * Nobody is let in but by the right password; what is sent are whole messages; a failure says why. Our nonce
 * is made known, so that a right proof can be found in the corpus and be changed.
 */
#include "pool/auth/auth.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define VERIFIER                                                                                    \
	"SCRAM-SHA-256$4096:W22ZaJ0SNY7soEsUEjb6gQ==$WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY=:" \
	"wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU="

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_whole_messages(const struct pgm_writer *writer)
{
	for (const uint8_t *at = writer->start; at < writer->at;) {
		assert(writer->at - at >= PGM_WIRE_HEADER_BYTES && *at == PGM_BE_AUTHENTICATION);
		size_t length = (size_t)pgm_wire_get32(at + 1) + 1;
		assert(length >= 9 && length <= (size_t)(writer->at - at));
		at += length;
	}
}

/* As RFC 7677: the client's part of the nonce stays its own. */
static void make_nonce_known(struct pgm_scram_server *scram)
{
	static const char ours[] = "%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0";
	const char *rest = strchr(scram->server_first, ',');
	char copy[PGM_SCRAM_MESSAGE_MAX];
	size_t theirs = strlen(scram->nonce) - 24;
	assert(rest && strlen(scram->nonce) >= 24);
	if (theirs + sizeof(ours) > sizeof(scram->nonce) ||
	    theirs + sizeof(ours) + strlen(rest) + 2 > sizeof(copy))
		return;
	memcpy(scram->nonce + theirs, ours, sizeof(ours));
	snprintf(copy, sizeof(copy), "r=%s%s", scram->nonce, rest);
	memcpy(scram->server_first, copy, strlen(copy) + 1);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const enum pgm_auth_type types[] = {PGM_AUTH_SCRAM, PGM_AUTH_MD5, PGM_AUTH_PLAIN,
						   PGM_AUTH_SCRAM};
	static const char *const secrets[] = {VERIFIER, "pencil", NULL,
					      "md5f1c1b6dc7a2a4d6ac2a1c5d4f0e4d5b7"};
	static const uint8_t binding[32] = "hash";
	static uint8_t bytes[PGM_AUTH_OUT_MAX];
	if (size < 1)
		return 0;
	enum pgm_auth_type type = types[data[0] & 3];
	const char *secret = secrets[data[0] >> 2 & 3];
	bool tls = data[0] >> 4 & 1;
	/* PBKDF2 for each wrong password would be all that is tested */
	if (type == PGM_AUTH_PLAIN && secret != secrets[1] && secret != secrets[3])
		type = PGM_AUTH_MD5;
	struct pgm_cursor cursor = pgm_cursor_over(data + 1, size - 1);
	struct pgm_client_auth auth = {0};
	struct pgm_writer writer = pgm_writer_over(bytes, sizeof(bytes));
	enum pgm_auth_verdict verdict = pgm_client_auth_begin(
		&auth, type, "user", secret, tls ? binding : NULL, tls ? sizeof(binding) : 0, &writer);
	assert(verdict == PGM_AUTH_CONTINUE);
	check_whole_messages(&writer);
	while (verdict == PGM_AUTH_CONTINUE) {
		if (auth.state == PGM_CLIENT_AUTH_SASL_FINAL)
			make_nonce_known(auth.scram);
		size_t length = pgm_cursor_u16(&cursor);
		if (cursor.bad)
			break;
		if (length > pgm_cursor_left(&cursor))
			length = pgm_cursor_left(&cursor);
		uint8_t *body = malloc(length ? length : 1);
		memcpy(body, pgm_cursor_bytes(&cursor, length), length);
		writer = pgm_writer_over(bytes, sizeof(bytes));
		verdict = pgm_client_auth_step(&auth, body, length, &writer);
		check_whole_messages(&writer);
		free(body);
	}
	if (verdict == PGM_AUTH_FAILED)
		assert(auth.sqlstate && strlen(auth.sqlstate) == 5 && *auth.message && auth.reason &&
		       !auth.have_keys);
	if (verdict == PGM_AUTH_OK)
		assert(secret && (!auth.scram || (auth.have_keys && secret != secrets[3])));
	pgm_client_auth_done(&auth);
	return 0;
}
