/* After libpq's fe-auth-scram.c, whose words for what a server does wrong these are. */
#include "wire/scram_parts.h"

#include <stdio.h>
#include <string.h>

#define OUR_NONCE_BYTES 18

static bool fail(const char **why, const char *text)
{
	*why = text;
	return false;
}

static const char *gs2_of(const struct pgm_scram_client *scram)
{
	return scram->binding ? "p=tls-server-end-point,," : scram->tls ? "y,," : "n,,";
}

bool pgm_scram_client_first(struct pgm_scram_client *scram, char *out, size_t out_size)
{
	uint8_t random[OUR_NONCE_BYTES];
	if (!pgm_random_bytes(random, sizeof(random)) ||
	    !scram_encode(random, sizeof(random), scram->nonce, sizeof(scram->nonce)))
		return false;
	/* The server takes the user of the startup packet. */
	snprintf(scram->first_bare, sizeof(scram->first_bare), "n=,r=%s", scram->nonce);
	struct pgm_writer writer = pgm_writer_over(out, out_size);
	scram_add(&writer, gs2_of(scram));
	pgm_writer_string(&writer, scram->first_bare);
	return !writer.full;
}

/* The value of "<name>=...", up to a comma or the end; NULL: it is not there. */
static const char *read_attribute(struct pgm_cursor *cursor, char name, size_t *length)
{
	if (pgm_cursor_u8(cursor) != (uint8_t)name || pgm_cursor_u8(cursor) != '=' || cursor->bad)
		return NULL;
	size_t left = pgm_cursor_left(cursor);
	const uint8_t *comma = left ? memchr(cursor->at, ',', left) : NULL;
	*length = comma ? (size_t)(comma - cursor->at) : left;
	const char *value = (const char *)pgm_cursor_bytes(cursor, *length);
	if (comma)
		pgm_cursor_u8(cursor);
	return value;
}

bool pgm_scram_read_challenge(const uint8_t *message, size_t length, struct pgm_scram_challenge *challenge,
			      const char **why)
{
	struct pgm_cursor cursor = pgm_cursor_over(message, length);
	size_t salt_length, digits;
	if (length == 0)
		return fail(why, "malformed SCRAM message (empty message)");
	if (length >= PGM_SCRAM_MESSAGE_MAX)
		return fail(why, "malformed SCRAM message (too long)");
	if (memchr(message, 0, length))
		return fail(why, "malformed SCRAM message (length mismatch)");
	if (*message == 'm')
		return fail(why, "the server requires an unsupported SCRAM extension");
	if (*message == 'e')
		return fail(why, "error received from server in SCRAM exchange");
	challenge->nonce = read_attribute(&cursor, 'r', &challenge->nonce_length);
	if (!challenge->nonce)
		return fail(why, "malformed SCRAM message (no nonce)");
	if (challenge->nonce_length > PGM_SCRAM_NONCE_MAX)
		return fail(why, "malformed SCRAM message (nonce too long)");
	const char *salt = read_attribute(&cursor, 's', &salt_length);
	if (!salt ||
	    !scram_decode(salt, salt_length, challenge->salt, sizeof(challenge->salt),
			  &challenge->salt_length) ||
	    challenge->salt_length == 0)
		return fail(why, "malformed SCRAM message (invalid salt)");
	const char *iterations = read_attribute(&cursor, 'i', &digits);
	challenge->iterations = 0;
	if (!iterations || digits == 0)
		return fail(why, "malformed SCRAM message (invalid iteration count)");
	for (size_t i = 0; i < digits; i++) {
		if (iterations[i] < '0' || iterations[i] > '9')
			return fail(why, "malformed SCRAM message (invalid iteration count)");
		challenge->iterations = challenge->iterations * 10 + (uint32_t)(iterations[i] - '0');
		if (challenge->iterations > PGM_SCRAM_ITERATIONS_MAX)
			return fail(why, "the server asks for more than 10000000 SCRAM iterations");
	}
	if (challenge->iterations == 0)
		return fail(why, "malformed SCRAM message (invalid iteration count)");
	if (pgm_cursor_left(&cursor) > 0 || iterations + digits != (const char *)cursor.end)
		return fail(why, "malformed SCRAM message (garbage at end of server-first-message)");
	return true;
}

/* client-final-message-without-proof into out, and all that is signed into auth_message. */
static bool write_unsigned(struct pgm_scram_client *scram, const struct pgm_scram_challenge *challenge,
			   const uint8_t *server_first, size_t length, struct pgm_writer *out)
{
	char binding[(64 + PGM_SCRAM_BINDING_MAX) * 2];
	size_t bound = scram->binding ? scram->binding_length : 0;
	if (!scram_binding_text(gs2_of(scram), scram->binding, bound, binding, sizeof(binding)))
		return false;
	scram_add(out, "c=");
	scram_add(out, binding);
	scram_add(out, ",r=");
	pgm_writer_bytes(out, challenge->nonce, challenge->nonce_length);
	struct pgm_writer all = pgm_writer_over(scram->auth_message, sizeof(scram->auth_message));
	scram_add(&all, scram->first_bare);
	scram_add(&all, ",");
	pgm_writer_bytes(&all, server_first, length);
	scram_add(&all, ",");
	pgm_writer_bytes(&all, out->start, pgm_writer_length(out));
	pgm_writer_u8(&all, 0);
	return !out->full && !all.full;
}

bool pgm_scram_client_final(struct pgm_scram_client *scram, const uint8_t *server_first, size_t length,
			    char *out, size_t out_size, const char **why)
{
	struct pgm_scram_challenge challenge;
	uint8_t stored[PGM_SCRAM_KEY_BYTES], proof[PGM_SCRAM_KEY_BYTES];
	char encoded[SCRAM_KEY_TEXT];
	if (!pgm_scram_read_challenge(server_first, length, &challenge, why))
		return false;
	size_t ours = strlen(scram->nonce);
	if (challenge.nonce_length <= ours || memcmp(challenge.nonce, scram->nonce, ours) != 0)
		return fail(why, "invalid SCRAM response (nonce mismatch)");
	struct pgm_writer writer = pgm_writer_over(out, out_size);
	if (!write_unsigned(scram, &challenge, server_first, length, &writer))
		return fail(why, "SCRAM message is too long");
	if (scram->keys)
		scram->used = *scram->keys;
	else if (!scram->password || !scram_derive(scram->password, challenge.salt, challenge.salt_length,
						   challenge.iterations, &scram->used))
		return fail(why, "could not calculate client proof");
	pgm_sha256(scram->used.client_key, PGM_SCRAM_KEY_BYTES, stored);
	if (!scram_hmac(stored, scram->auth_message, strlen(scram->auth_message), proof))
		return fail(why, "could not calculate client proof");
	for (size_t i = 0; i < sizeof(proof); i++)
		proof[i] ^= scram->used.client_key[i];
	scram_encode(proof, sizeof(proof), encoded, sizeof(encoded));
	scram_add(&writer, ",p=");
	pgm_writer_string(&writer, encoded);
	return !writer.full || fail(why, "SCRAM message is too long");
}

bool pgm_scram_client_verify(struct pgm_scram_client *scram, const uint8_t *server_final, size_t length,
			     const char **why)
{
	uint8_t told[PGM_SCRAM_KEY_BYTES], expect[PGM_SCRAM_KEY_BYTES];
	size_t text_length, told_length;
	struct pgm_cursor cursor = pgm_cursor_over(server_final, length);
	if (length > 0 && *server_final == 'e')
		return fail(why, "error received from server in SCRAM exchange");
	const char *text = read_attribute(&cursor, 'v', &text_length);
	if (!text)
		return fail(why, "malformed SCRAM message (no server signature)");
	if (text_length + 2 != length)
		return fail(why, "malformed SCRAM message (garbage at end of server-final-message)");
	if (!scram_decode(text, text_length, told, sizeof(told), &told_length) || told_length != sizeof(told))
		return fail(why, "malformed SCRAM message (invalid server signature)");
	if (!scram_hmac(scram->used.server_key, scram->auth_message, strlen(scram->auth_message), expect) ||
	    !pgm_secret_equal(told, expect, sizeof(told)))
		return fail(why, "incorrect server signature");
	return true;
}
