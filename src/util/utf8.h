/*
 * What a server with UTF-8 takes as a text: no NUL, no overlong form, no surrogate, nothing above U+10FFFF
 * (pg_utf8_islegal() in PostgreSQL's src/common/wchar.c).
 */
#ifndef PGM_UTIL_UTF8_H
#define PGM_UTIL_UTF8_H

#include <stddef.h>

/* How many bytes from the beginning are sound: length where all are. */
size_t pgm_utf8_sound(const unsigned char *text, size_t length);

/* Puts '?' in the place of each byte that is not sound. */
void pgm_utf8_mend(char *text);

#endif
