/*
 * A console's command as words. Pure.
 */
#ifndef PGM_POOL_CONSOLE_WORDS_H
#define PGM_POOL_CONSOLE_WORDS_H

#include <stdbool.h>

#define PGM_CONSOLE_WORD_MAX  128 /* bytes of a word, with its NUL */
#define PGM_CONSOLE_VALUE_MAX 1024

struct pgm_console_words {
	char verb[PGM_CONSOLE_WORD_MAX];     /* "" where the text is empty */
	char argument[PGM_CONSOLE_WORD_MAX]; /* of SET: the key; "" where there is none */
	char value[PGM_CONSOLE_VALUE_MAX];   /* of SET */
	bool is_set;
	bool too_long; /* a word does not fit: the reason for false */
};

/*
 * VERB [argument] [;] or SET key {=|TO} value [;]. Words are [0-9A-Za-z_]+ or "quoted"; a value may be
 * 'quoted', too, or anything without a blank. False: the text is something else.
 */
bool pgm_console_words(const char *sql, struct pgm_console_words *words);

#endif
