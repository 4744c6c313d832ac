/* Verifiers, base64, keys, random numbers and md5: what both sides need. */
#include "wire/scram_parts.h"

#include <errno.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/sha.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <stringprep.h>
#include <sys/random.h>

#define MOCK_SALT_BYTES 16 /* as PostgreSQL's SCRAM_DEFAULT_SALT_LEN */

void pgm_scram_wipe(void *secret, size_t length)
{
	OPENSSL_cleanse(secret, length);
}

bool pgm_random_bytes(void *bytes, size_t length)
{
	for (uint8_t *at = bytes; length > 0;) {
		ssize_t got = getrandom(at, length, 0);
		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0)
			return false;
		at += got;
		length -= (size_t)got;
	}
	return true;
}

bool pgm_secret_equal(const void *one, const void *other, size_t length)
{
	return CRYPTO_memcmp(one, other, length) == 0;
}

void pgm_sha256(const void *bytes, size_t length, uint8_t hash[32])
{
	SHA256(bytes, length, hash);
}

static const char digits64[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

size_t scram_encode(const void *bytes, size_t length, char *out, size_t out_size)
{
	if (length >= SIZE_MAX / 2 || out_size <= (length + 2) / 3 * 4)
		return 0;
	const uint8_t *in = bytes;
	char *at = out;
	for (size_t i = 0; i < length; i += 3) {
		size_t rest = length - i;
		uint32_t bits = (uint32_t)in[i] << 16;
		bits |= rest > 1 ? (uint32_t)in[i + 1] << 8 : 0;
		bits |= rest > 2 ? in[i + 2] : 0;
		*at++ = digits64[bits >> 18];
		*at++ = digits64[bits >> 12 & 63];
		*at++ = rest > 1 ? digits64[bits >> 6 & 63] : '=';
		*at++ = rest > 2 ? digits64[bits & 63] : '=';
	}
	*at = '\0';
	return (size_t)(at - out);
}

static int digit_of(char c)
{
	if (c >= 'A' && c <= 'Z')
		return c - 'A';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 26;
	if (c >= '0' && c <= '9')
		return c - '0' + 52;
	return c == '+' ? 62 : c == '/' ? 63 : -1;
}

bool scram_decode(const char *text, size_t text_length, uint8_t *out, size_t out_size, size_t *length)
{
	*length = 0;
	if (text_length % 4 != 0)
		return false;
	for (size_t i = 0; i < text_length; i += 4) {
		size_t digits = 4;
		if (i + 4 == text_length && text[i + 3] == '=')
			digits = text[i + 2] == '=' ? 2 : 3;
		uint32_t bits = 0;
		for (size_t d = 0; d < 4; d++) {
			int digit = d < digits ? digit_of(text[i + d]) : 0;
			if (digit < 0)
				return false;
			bits = bits << 6 | (uint32_t)digit;
		}
		for (size_t b = 0; b < digits - 1; b++) {
			if (*length == out_size)
				return false;
			out[(*length)++] = (uint8_t)(bits >> (16 - 8 * b));
		}
	}
	return true;
}

void scram_add(struct pgm_writer *writer, const char *text)
{
	pgm_writer_bytes(writer, text, strlen(text));
}

bool scram_hmac(const uint8_t key[PGM_SCRAM_KEY_BYTES], const void *text, size_t length,
		uint8_t out[PGM_SCRAM_KEY_BYTES])
{
	unsigned int out_length = 0;
	return HMAC(EVP_sha256(), key, PGM_SCRAM_KEY_BYTES, text, length, out, &out_length) != NULL &&
	       out_length == PGM_SCRAM_KEY_BYTES;
}

/*
 * SASLprep (RFC 4013) as PostgreSQL uses it: what it forbids, and what is no UTF-8, is taken as its bytes
 * are. NULL: as it is. The result is the caller's to wipe and free.
 */
static char *prepared(const char *password)
{
	char *out = NULL;
	const char *c = password;
	while (*c && (unsigned char)*c < 0x80)
		c++;
	if (!*c || stringprep_profile(password, &out, "SASLprep", STRINGPREP_NO_UNASSIGNED) != STRINGPREP_OK)
		return NULL;
	if (*out)
		return out;
	free(out);
	return NULL;
}

static void wipe_text(char *text)
{
	if (text)
		pgm_scram_wipe(text, strlen(text));
	free(text);
}

bool scram_derive(const char *password, const uint8_t *salt, size_t salt_length, uint32_t iterations,
		  struct pgm_scram_keys *keys)
{
	char *changed = prepared(password);
	size_t length = strlen(changed ? changed : password);
	if (length > INT32_MAX || salt_length > PGM_SCRAM_SALT_MAX || iterations == 0 ||
	    iterations > PGM_SCRAM_ITERATIONS_MAX) {
		wipe_text(changed);
		return false;
	}
	uint8_t salted[PGM_SCRAM_KEY_BYTES];
	bool made = PKCS5_PBKDF2_HMAC(changed ? changed : password, (int)length, salt, (int)salt_length,
				      (int)iterations, EVP_sha256(), sizeof(salted), salted) == 1 &&
		    scram_hmac(salted, "Client Key", 10, keys->client_key) &&
		    scram_hmac(salted, "Server Key", 10, keys->server_key);
	pgm_scram_wipe(salted, sizeof(salted));
	wipe_text(changed);
	return made;
}

size_t scram_binding_text(const char *gs2, const uint8_t *binding, size_t binding_length, char *out,
			  size_t out_size)
{
	uint8_t bytes[64 + PGM_SCRAM_BINDING_MAX];
	struct pgm_writer writer = pgm_writer_over(bytes, sizeof(bytes));
	scram_add(&writer, gs2);
	pgm_writer_bytes(&writer, binding, binding_length);
	return writer.full ? 0 : scram_encode(bytes, pgm_writer_length(&writer), out, out_size);
}

/* "123" up to the end character, 1 to the limit; NULL: something else. */
static const char *read_iterations(const char *text, char end, uint32_t *iterations)
{
	uint32_t value = 0;
	for (; *text >= '0' && *text <= '9'; text++) {
		value = value * 10 + (uint32_t)(*text - '0');
		if (value > PGM_SCRAM_ITERATIONS_MAX)
			return NULL;
	}
	*iterations = value;
	return *text == end && value > 0 ? text + 1 : NULL;
}

/* Base64 up to the end character. */
static const char *read_base64(const char *text, char end, uint8_t *out, size_t out_size, size_t *length)
{
	const char *stop = strchr(text, end);
	if (!stop || !scram_decode(text, (size_t)(stop - text), out, out_size, length))
		return NULL;
	return *stop ? stop + 1 : stop;
}

bool pgm_scram_read_verifier(const char *text, struct pgm_scram_verifier *verifier)
{
	static const char prefix[] = PGM_SCRAM_MECHANISM "$";
	size_t stored, server;
	memset(verifier, 0, sizeof(*verifier));
	if (strncmp(text, prefix, sizeof(prefix) - 1) != 0)
		return false;
	text = read_iterations(text + sizeof(prefix) - 1, ':', &verifier->iterations);
	if (text)
		text = read_base64(text, '$', verifier->salt, sizeof(verifier->salt), &verifier->salt_length);
	if (text)
		text = read_base64(text, ':', verifier->stored_key, PGM_SCRAM_KEY_BYTES, &stored);
	if (text)
		text = read_base64(text, '\0', verifier->server_key, PGM_SCRAM_KEY_BYTES, &server);
	return text && verifier->salt_length > 0 && stored == PGM_SCRAM_KEY_BYTES &&
	       server == PGM_SCRAM_KEY_BYTES;
}

bool pgm_scram_make_verifier(const char *password, struct pgm_scram_verifier *verifier)
{
	return pgm_scram_make_verifier_by(password, PGM_SCRAM_ITERATIONS, verifier);
}

bool pgm_scram_make_verifier_by(const char *password, uint32_t iterations,
				struct pgm_scram_verifier *verifier)
{
	struct pgm_scram_keys keys;
	memset(verifier, 0, sizeof(*verifier));
	verifier->iterations = iterations;
	verifier->salt_length = MOCK_SALT_BYTES;
	if (!pgm_random_bytes(verifier->salt, verifier->salt_length) ||
	    !scram_derive(password, verifier->salt, verifier->salt_length, verifier->iterations, &keys))
		return false;
	pgm_sha256(keys.client_key, sizeof(keys.client_key), verifier->stored_key);
	memcpy(verifier->server_key, keys.server_key, sizeof(keys.server_key));
	pgm_scram_wipe(&keys, sizeof(keys));
	return true;
}

bool pgm_scram_keys_of(const char *password, const struct pgm_scram_verifier *verifier,
		       struct pgm_scram_keys *keys)
{
	return scram_derive(password, verifier->salt, verifier->salt_length, verifier->iterations, keys);
}

/* Written once, before anybody reads it. */
static uint8_t mock_key[PGM_SCRAM_KEY_BYTES];
static pthread_once_t mock_once = PTHREAD_ONCE_INIT;

static void make_mock_key(void)
{
	/* Without random numbers nobody gets a nonce either, so that no login succeeds. */
	if (!pgm_random_bytes(mock_key, sizeof(mock_key)))
		memset(mock_key, 0, sizeof(mock_key));
}

void pgm_scram_mock_verifier(const char *user, struct pgm_scram_verifier *verifier)
{
	uint8_t salt[PGM_SCRAM_KEY_BYTES];
	pthread_once(&mock_once, make_mock_key);
	memset(verifier, 0, sizeof(*verifier));
	verifier->iterations = PGM_SCRAM_ITERATIONS;
	verifier->salt_length = MOCK_SALT_BYTES;
	if (scram_hmac(mock_key, user, strlen(user), salt))
		memcpy(verifier->salt, salt, MOCK_SALT_BYTES);
	/* No ClientKey hashes to zeroes that anybody could find. */
}

static bool md5_hex(const void *one, size_t one_length, const void *two, size_t two_length, char *out)
{
	uint8_t hash[EVP_MAX_MD_SIZE];
	unsigned int length = 0;
	EVP_MD_CTX *context = EVP_MD_CTX_new();
	bool made = context && EVP_DigestInit_ex(context, EVP_md5(), NULL) == 1 &&
		    EVP_DigestUpdate(context, one, one_length) == 1 &&
		    EVP_DigestUpdate(context, two, two_length) == 1 &&
		    EVP_DigestFinal_ex(context, hash, &length) == 1 && length == 16;
	EVP_MD_CTX_free(context);
	memcpy(out, "md5", 4);
	for (size_t i = 0; made && i < 16; i++) {
		out[3 + 2 * i] = "0123456789abcdef"[hash[i] >> 4];
		out[4 + 2 * i] = "0123456789abcdef"[hash[i] & 15];
		out[5 + 2 * i] = '\0';
	}
	return made;
}

bool pgm_md5_password(const char *password, const char *user, char out[PGM_MD5_TEXT_BYTES])
{
	return md5_hex(password, strlen(password), user, strlen(user), out);
}

bool pgm_md5_answer(const char *md5_text, const uint8_t salt[4], char out[PGM_MD5_TEXT_BYTES])
{
	return pgm_md5_is(md5_text) && md5_hex(md5_text + 3, 32, salt, 4, out);
}

bool pgm_md5_is(const char *secret)
{
	return strncmp(secret, "md5", 3) == 0 && strlen(secret) == PGM_MD5_TEXT_BYTES - 1 &&
	       strspn(secret + 3, "0123456789abcdef") == 32;
}
