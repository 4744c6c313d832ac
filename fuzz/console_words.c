/*
 * A console's query: whatever the text is, its words fit where they are put, and quoted again they are read
 * as the same.
 */
#include "pool/console/console_words.h"

#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static char *quote(char *at, const char *text, char quote)
{
	*at++ = quote;
	for (; *text; text++) {
		if (*text == quote)
			*at++ = quote;
		*at++ = *text;
	}
	*at++ = quote;
	*at = '\0';
	return at;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct pgm_console_words words, again;
	char text[2 * (2 * PGM_CONSOLE_WORD_MAX + PGM_CONSOLE_VALUE_MAX) + 16];
	char *sql = malloc(size + 1);
	assert(sql);
	if (size)
		memcpy(sql, data, size);
	sql[size] = '\0';
	bool understood = pgm_console_words(sql, &words);
	free(sql);
	assert(memchr(words.verb, 0, sizeof(words.verb)) &&
	       memchr(words.argument, 0, sizeof(words.argument)) &&
	       memchr(words.value, 0, sizeof(words.value)));
	if (!understood || !*words.verb)
		return 0;
	char *at = quote(text, words.verb, '"');
	if (*words.argument) {
		*at++ = ' ';
		at = quote(at, words.argument, '"');
	}
	if (words.is_set) {
		*at++ = '=';
		at = quote(at, words.value, '\'');
	}
	bool same = pgm_console_words(text, &again);
	assert(same && strcmp(words.verb, again.verb) == 0 && strcmp(words.argument, again.argument) == 0 &&
	       strcmp(words.value, again.value) == 0);
	return 0;
}
