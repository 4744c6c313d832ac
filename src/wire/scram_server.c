/* After read_client_first_message() and read_client_final_message() of PostgreSQL's auth-scram.c. */
#include "wire/scram_parts.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define OUR_NONCE_BYTES 18 /* as SCRAM_RAW_NONCE_LEN */
#define BINDING_TYPE	"tls-server-end-point"

__attribute__((format(printf, 4, 5))) static bool refuse(struct pgm_scram_server *scram, const char *sqlstate,
							 const char **why, const char *format, ...)
{
	va_list args;
	va_start(args, format);
	vsnprintf(scram->detail, sizeof(scram->detail), format, args);
	va_end(args);
	scram->sqlstate = sqlstate;
	if (!*why)
		*why = "malformed SCRAM message";
	return false;
}

static bool refuse_plain(struct pgm_scram_server *scram, const char *sqlstate, const char **why,
			 const char *text)
{
	scram->detail[0] = '\0';
	scram->sqlstate = sqlstate;
	*why = text;
	return false;
}

/* A character as an error message may show it. */
struct shown {
	char text[8];
};

static struct shown show(char c)
{
	struct shown shown;
	if (c >= 0x21 && c <= 0x7e)
		snprintf(shown.text, sizeof(shown.text), "%c", c);
	else
		snprintf(shown.text, sizeof(shown.text), "0x%02x", (unsigned char)c);
	return shown;
}

static bool is_attribute(char c)
{
	return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
}

/* The value of attribute name (0: any, *name becomes it) at *at, which moves behind it. */
static const char *read_attribute(struct pgm_scram_server *scram, char **at, char *name, const char **why)
{
	char *begin = *at;
	if (*name ? *begin != *name : !is_attribute(*begin)) {
		if (*name)
			refuse(scram, "08P01", why, "Expected attribute \"%c\" but found \"%s\".", *name,
			       show(*begin).text);
		else
			refuse(scram, "08P01", why, "Attribute expected, but found %s \"%s\".",
			       *begin ? "invalid character" : "end of string",
			       *begin ? show(*begin).text : "");
		return NULL;
	}
	*name = *begin;
	if (begin[1] != '=') {
		refuse(scram, "08P01", why, "Expected character \"=\" for attribute \"%c\".", *name);
		return NULL;
	}
	char *end = begin + 2 + strcspn(begin + 2, ",");
	*at = *end ? end + 1 : end;
	*end = '\0';
	return begin + 2;
}

/* A copy with a NUL that may be cut up. */
static bool take_message(struct pgm_scram_server *scram, const uint8_t *message, size_t length,
			 char copy[PGM_SCRAM_MESSAGE_MAX], const char **why)
{
	*why = NULL;
	if (length == 0)
		return refuse(scram, "08P01", why, "The message is empty.");
	if (length >= PGM_SCRAM_MESSAGE_MAX)
		return refuse(scram, "08P01", why, "The message is longer than %d bytes.",
			      PGM_SCRAM_MESSAGE_MAX - 1);
	memcpy(copy, message, length);
	copy[length] = '\0';
	if (strlen(copy) != length)
		return refuse(scram, "08P01", why, "Message length does not match input length.");
	return true;
}

/* The GS2 header; *at moves behind it. */
static bool read_gs2(struct pgm_scram_server *scram, char **at, const char **why)
{
	char *text = *at, flag = *text, attribute = 'p';
	if (flag != 'n' && flag != 'y' && flag != 'p')
		return refuse(scram, "08P01", why, "Unexpected channel-binding flag \"%s\".",
			      show(flag).text);
	if (scram->plus && flag != 'p')
		return refuse(scram, "08P01", why,
			      "The client selected SCRAM-SHA-256-PLUS, but the SCRAM message "
			      "does not include channel binding data.");
	if (!scram->plus && flag == 'p')
		return refuse(scram, "08P01", why,
			      "The client selected SCRAM-SHA-256 without channel binding, but "
			      "the SCRAM message includes channel binding data.");
	if (flag == 'y' && scram->binding) {
		*why = "SCRAM channel binding negotiation error";
		return refuse(scram, "28000", why,
			      "The client supports SCRAM channel binding but thinks the server "
			      "does not.  However, this server does support channel binding.");
	}
	if (flag == 'p') {
		const char *type = read_attribute(scram, at, &attribute, why);
		if (!type)
			return false;
		if (strcmp(type, BINDING_TYPE) != 0)
			return refuse_plain(scram, "08P01", why, "unsupported SCRAM channel-binding type");
		text = *at;
	} else {
		if (text[1] != ',')
			return refuse(scram, "08P01", why, "Comma expected, but found character \"%s\".",
				      show(text[1]).text);
		text += 2;
	}
	if (*text == 'a')
		return refuse_plain(scram, "0A000", why,
				    "client uses authorization identity, but it is not supported");
	if (*text != ',')
		return refuse(scram, "08P01", why, "Unexpected attribute \"%s\" in client-first-message.",
			      show(*text).text);
	snprintf(scram->gs2, sizeof(scram->gs2), flag == 'p' ? "p=" BINDING_TYPE ",," : "%c,,", flag);
	*at = text + 1;
	return true;
}

static bool is_printable(const char *text)
{
	for (; *text; text++)
		if (*text < 0x21 || *text > 0x7e)
			return false;
	return true;
}

static bool answer_first(struct pgm_scram_server *scram, const char *client_nonce, const char **why)
{
	uint8_t random[OUR_NONCE_BYTES];
	char ours[OUR_NONCE_BYTES * 2], salt[PGM_SCRAM_SALT_MAX * 2], iterations[16];
	if (strlen(client_nonce) + OUR_NONCE_BYTES * 2 > PGM_SCRAM_NONCE_MAX)
		return refuse_plain(scram, "08P01", why, "SCRAM nonce is too long");
	if (!pgm_random_bytes(random, sizeof(random)) ||
	    !scram_encode(random, sizeof(random), ours, sizeof(ours)))
		return refuse_plain(scram, "XX000", why, "could not generate random nonce");
	snprintf(scram->nonce, sizeof(scram->nonce), "%s%s", client_nonce, ours);
	scram_encode(scram->verifier.salt, scram->verifier.salt_length, salt, sizeof(salt));
	snprintf(iterations, sizeof(iterations), "%u", scram->verifier.iterations);
	struct pgm_writer writer = pgm_writer_over(scram->server_first, sizeof(scram->server_first));
	scram_add(&writer, "r=");
	scram_add(&writer, scram->nonce);
	scram_add(&writer, ",s=");
	scram_add(&writer, salt);
	scram_add(&writer, ",i=");
	scram_add(&writer, iterations);
	pgm_writer_u8(&writer, 0);
	return !writer.full || refuse_plain(scram, "XX000", why, "SCRAM message is too long");
}

bool pgm_scram_server_first(struct pgm_scram_server *scram, const char *mechanism, const uint8_t *message,
			    size_t length, const char **why)
{
	char copy[PGM_SCRAM_MESSAGE_MAX];
	scram->plus = strcmp(mechanism, PGM_SCRAM_MECHANISM_PLUS) == 0;
	if (scram->plus ? !scram->binding : strcmp(mechanism, PGM_SCRAM_MECHANISM) != 0)
		return refuse_plain(scram, "08P01", why,
				    "client selected an invalid SASL authentication mechanism");
	char *at = copy;
	if (!take_message(scram, message, length, copy, why) || !read_gs2(scram, &at, why))
		return false;
	memcpy(scram->first_bare, at, strlen(at) + 1);
	if (*at == 'm')
		return refuse_plain(scram, "0A000", why, "client requires an unsupported SCRAM extension");
	/* The user name counts for nothing: the startup packet's does. */
	char user = 'n', nonce = 'r';
	const char *client_nonce =
		read_attribute(scram, &at, &user, why) ? read_attribute(scram, &at, &nonce, why) : NULL;
	if (!client_nonce)
		return false;
	if (!is_printable(client_nonce))
		return refuse_plain(scram, "08P01", why, "non-printable characters in SCRAM nonce");
	while (*at) {
		char extension = 0;
		if (!read_attribute(scram, &at, &extension, why))
			return false;
	}
	return answer_first(scram, client_nonce, why);
}

struct final_message {
	const char *nonce;
	uint8_t proof[PGM_SCRAM_KEY_BYTES];
	size_t without_proof; /* length of what the proof is about */
};

static bool read_final(struct pgm_scram_server *scram, char *copy, struct final_message *final,
		       const char **why)
{
	char *at = copy, attribute = 'c';
	char expect[(64 + PGM_SCRAM_BINDING_MAX) * 2];
	const char *binding = read_attribute(scram, &at, &attribute, why);
	if (!binding)
		return false;
	if (!scram_binding_text(scram->gs2, scram->binding, scram->plus ? scram->binding_length : 0, expect,
				sizeof(expect)) ||
	    strcmp(binding, expect) != 0) {
		if (scram->plus)
			return refuse_plain(scram, "28000", why, "SCRAM channel binding check failed");
		return refuse_plain(scram, "08P01", why,
				    "unexpected SCRAM channel-binding attribute in client-final-message");
	}
	attribute = 'r';
	final->nonce = read_attribute(scram, &at, &attribute, why);
	if (!final->nonce)
		return false;
	const char *proof;
	size_t length;
	do {
		final->without_proof = (size_t)(at - copy) - 1;
		attribute = 0;
		proof = read_attribute(scram, &at, &attribute, why);
		if (!proof)
			return false;
	} while (attribute != 'p');
	if (!scram_decode(proof, strlen(proof), final->proof, sizeof(final->proof), &length) ||
	    length != sizeof(final->proof))
		return refuse(scram, "08P01", why, "Malformed proof in client-final-message.");
	if (*at)
		return refuse(scram, "08P01", why, "Garbage found at the end of client-final-message.");
	if (strcmp(final->nonce, scram->nonce) != 0) {
		*why = "invalid SCRAM response";
		return refuse(scram, "08P01", why, "Nonce does not match.");
	}
	return true;
}

/* Whether the proof shows the ClientKey, which then is in keys. */
static bool check_proof(struct pgm_scram_server *scram, const uint8_t *message,
			const struct final_message *final, uint8_t signature[PGM_SCRAM_KEY_BYTES])
{
	uint8_t text[3 * PGM_SCRAM_MESSAGE_MAX], expect[PGM_SCRAM_KEY_BYTES], stored[PGM_SCRAM_KEY_BYTES];
	struct pgm_writer writer = pgm_writer_over(text, sizeof(text));
	scram_add(&writer, scram->first_bare);
	scram_add(&writer, ",");
	scram_add(&writer, scram->server_first);
	scram_add(&writer, ",");
	pgm_writer_bytes(&writer, message, final->without_proof);
	size_t length = pgm_writer_length(&writer);
	if (writer.full || !scram_hmac(scram->verifier.stored_key, text, length, expect) ||
	    !scram_hmac(scram->verifier.server_key, text, length, signature))
		return false;
	uint8_t *key = scram->keys.client_key;
	for (size_t i = 0; i < PGM_SCRAM_KEY_BYTES; i++)
		key[i] = expect[i] ^ final->proof[i];
	pgm_sha256(key, PGM_SCRAM_KEY_BYTES, stored);
	memcpy(scram->keys.server_key, scram->verifier.server_key, PGM_SCRAM_KEY_BYTES);
	bool equal = pgm_secret_equal(stored, scram->verifier.stored_key, sizeof(stored));
	return equal && !scram->mock;
}

bool pgm_scram_server_final(struct pgm_scram_server *scram, const uint8_t *message, size_t length, char *out,
			    size_t out_size, bool *malformed, const char **why)
{
	char copy[PGM_SCRAM_MESSAGE_MAX], encoded[SCRAM_KEY_TEXT];
	uint8_t signature[PGM_SCRAM_KEY_BYTES];
	struct final_message final = {0};
	*malformed = true;
	if (!take_message(scram, message, length, copy, why) || !read_final(scram, copy, &final, why))
		return false;
	*malformed = false;
	if (!check_proof(scram, message, &final, signature)) {
		pgm_scram_wipe(&scram->keys, sizeof(scram->keys));
		return refuse_plain(scram, "28P01", why, "password authentication failed");
	}
	struct pgm_writer writer = pgm_writer_over(out, out_size);
	scram_encode(signature, sizeof(signature), encoded, sizeof(encoded));
	scram_add(&writer, "v=");
	pgm_writer_string(&writer, encoded);
	return !writer.full || refuse_plain(scram, "XX000", why, "SCRAM message is too long");
}
