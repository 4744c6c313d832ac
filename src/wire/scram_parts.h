/*
 * What both sides of SCRAM are made of. Internal to src/wire/scram*.c.
 */
#ifndef PGM_WIRE_SCRAM_PARTS_H
#define PGM_WIRE_SCRAM_PARTS_H

#include "wire/scram.h"
#include "wire/wire.h"

#define SCRAM_KEY_TEXT 45 /* a key in base64, and a NUL */

/* Length in characters, 0 where it does not fit; NUL-terminated. */
size_t scram_encode(const void *bytes, size_t length, char *out, size_t out_size);
/* Strict: false for any other character, missing padding, or more than out_size bytes. */
bool scram_decode(const char *text, size_t text_length, uint8_t *out, size_t out_size, size_t *length);

bool scram_hmac(const uint8_t key[PGM_SCRAM_KEY_BYTES], const void *text, size_t length,
		uint8_t out[PGM_SCRAM_KEY_BYTES]);
/* ClientKey and ServerKey of a password. */
bool scram_derive(const char *password, const uint8_t *salt, size_t salt_length, uint32_t iterations,
		  struct pgm_scram_keys *keys);
/* c=...: GS2 header and binding in base64, 0 where it does not fit. */
size_t scram_binding_text(const char *gs2, const uint8_t *binding, size_t binding_length, char *out,
			  size_t out_size);

/* Text without its NUL; what does not fit sets full. */
void scram_add(struct pgm_writer *writer, const char *text);

#endif
