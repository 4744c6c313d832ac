#include "util/utf8.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#define HIGH_BITS UINT64_C(0x8080808080808080)
#define ONES	  UINT64_C(0x0101010101010101)

/* The length of the sound character at text, which is not ASCII; 0 if it isn't one. */
static size_t character(const unsigned char *text, size_t left)
{
	unsigned char first = text[0];
	size_t length = first >= 0xF0 ? 4 : first >= 0xE0 ? 3 : 2;
	if (first < 0xC2 || first > 0xF4 || left < length)
		return 0;
	for (size_t i = 1; i < length; i++)
		if ((text[i] & 0xC0) != 0x80)
			return 0;
	bool overlong = (first == 0xE0 && text[1] < 0xA0) || (first == 0xF0 && text[1] < 0x90);
	bool surrogate = first == 0xED && text[1] > 0x9F;
	bool too_high = first == 0xF4 && text[1] > 0x8F;
	return overlong || surrogate || too_high ? 0 : length;
}

size_t pgm_utf8_sound(const unsigned char *text, size_t length)
{
	size_t at = 0;
	while (at < length) {
		if (length - at >= 8) {
			uint64_t word;
			memcpy(&word, text + at, 8);
			/* ASCII, and no byte is 0. */
			if (!((word | (word - ONES)) & HIGH_BITS)) {
				at += 8;
				continue;
			}
		}
		if (text[at] < 0x80) {
			if (!text[at])
				return at;
			at++;
			continue;
		}
		size_t size = character(text + at, length - at);
		if (!size)
			return at;
		at += size;
	}
	return at;
}

void pgm_utf8_mend(char *text)
{
	const char *end = text + strlen(text);
	while ((text += pgm_utf8_sound((const unsigned char *)text, (size_t)(end - text))) < end)
		*text++ = '?';
}
