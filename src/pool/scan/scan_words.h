/*
 * The words that the scan looks for, by their letters: a constant table, so any thread may read it. Inside
 * pool/scan*.c only.
 */
#ifndef PGM_POOL_SCAN_WORDS_H
#define PGM_POOL_SCAN_WORDS_H

#include <stddef.h>
#include <stdint.h>

enum pgm_word {
	PGM_W_NONE = 0,
	PGM_W_VALUE, /* an operand comes next, so that a minus is a sign: AND, WHERE, LIMIT... */

	/* keywords with a part in some statement */
	PGM_W_ALL,
	PGM_W_ANALYZE,
	PGM_W_ARRAY,
	PGM_W_AS,
	PGM_W_ATOMIC,
	PGM_W_CASE,
	PGM_W_CHARACTERISTICS,
	PGM_W_CONSTRAINTS,
	PGM_W_DEFAULT,
	PGM_W_FALSE,
	PGM_W_FOR,
	PGM_W_FROM,
	PGM_W_GLOBAL,
	PGM_W_HOLD,
	PGM_W_IN,
	PGM_W_INTO,
	PGM_W_KEY,
	PGM_W_LOCAL,
	PGM_W_MODIFIER, /* between CREATE and what is created */
	PGM_W_NO,
	PGM_W_NULL,
	PGM_W_PREPARED,
	PGM_W_ROUTINE, /* FUNCTION, PROCEDURE */
	PGM_W_SCHEMA,
	PGM_W_SEQUENCES,
	PGM_W_SESSION,
	PGM_W_SHARE,
	PGM_W_TEMP,
	PGM_W_TO,
	PGM_W_TRANSACTION,
	PGM_W_TRUE,
	PGM_W_VERBOSE,
	PGM_W_WORK, /* WORK, AND, CHAIN: of COMMIT and ROLLBACK */

	/* commands */
	PGM_W_ALTER,
	PGM_W_BEGIN,
	PGM_W_CALL,
	PGM_W_CLOSE,
	PGM_W_COMMIT,
	PGM_W_COPY,
	PGM_W_CREATE,
	PGM_W_DDL, /* other commands that change what relations are */
	PGM_W_DEALLOCATE,
	PGM_W_DECLARE,
	PGM_W_DELETE,
	PGM_W_DISCARD,
	PGM_W_DO,
	PGM_W_END,
	PGM_W_EXECUTE,
	PGM_W_EXPLAIN,
	PGM_W_FETCH, /* FETCH, MOVE, SHOW: read, and nothing else */
	PGM_W_INSERT,
	PGM_W_LISTEN,
	PGM_W_LOAD,
	PGM_W_MERGE,
	PGM_W_PREPARE,
	PGM_W_RELEASE,
	PGM_W_REPLICATION,
	PGM_W_RESET,
	PGM_W_ROLLBACK,
	PGM_W_SAVEPOINT,
	PGM_W_SELECT,
	PGM_W_SET,
	PGM_W_START,
	PGM_W_TABLE,
	PGM_W_TRUNCATE,
	PGM_W_UPDATE,
	PGM_W_VALUES,
	PGM_W_WITH,

	/* names */
	PGM_W_ADVISORY, /* functions on the session's advisory locks */
	PGM_W_HIDDEN,	/* functions that run a text, or leave what cannot be looked at */
	PGM_W_NEXTVAL,	/* and setval */
	PGM_W_CURRVAL,	/* and lastval */
	PGM_W_SET_CONFIG,
	PGM_W_SET_LIMIT,
	PGM_W_PG_SETTINGS,
	PGM_W_PG_TEMP, /* and pg_temp_3 */
};

/* What a word of any case is; PGM_W_NONE where it is just a name. */
enum pgm_word pgm_scan_word(const char *text, size_t length);

/* The same with its first eight letters in lower case, the first the lowest byte, zeroes behind them. */
enum pgm_word pgm_scan_word_of(uint64_t letters, const char *text, size_t length);

/* Whether an operand follows the word, so that a minus after it is a sign, and TRUE or NULL a value. */
static inline _Bool pgm_scan_word_before_value(enum pgm_word word)
{
	switch (word) {
	case PGM_W_VALUE:
	case PGM_W_ALL:
	case PGM_W_CASE:
	case PGM_W_DEFAULT:
	case PGM_W_FROM:
	case PGM_W_IN:
	case PGM_W_SELECT:
	case PGM_W_TO:
	case PGM_W_VALUES:
	case PGM_W_WORK:
		return 1;
	default:
		return 0;
	}
}

#endif
